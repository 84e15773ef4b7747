//! Disputes: statements, sets and on-chain state (runtime §8; availability, approval, disputes §0.4-0.5).

use crate::ids::Hash;
use crate::{
	pvf::dispute_signing_payload, BlockNumber, CandidateHash, CandidateReceiptV2, CompactStatement,
	SessionIndex, SigningContext, SigningPayload, ValidatorId, ValidatorIndex, ValidatorSignature,
	ValidityAttestation, MAX_COALESCE_APPROVALS,
};
use alloc::{collections::BTreeMap, vec::Vec};
use bitvec::{order::Lsb0, vec::BitVec};
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;
use sp_core::{bounded::BoundedVec, ConstU32};

/// A vote in a dispute.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum DisputeStatement {
	/// For the candidate.
	#[codec(index = 0)]
	Valid(ValidDisputeStatementKind),
	/// Against it.
	#[codec(index = 1)]
	Invalid(InvalidDisputeStatementKind),
}

impl DisputeStatement {
	/// Whether it speaks for the candidate.
	pub fn indicates_validity(&self) -> bool {
		matches!(self, Self::Valid(_))
	}

	/// Whether it was given by backing the candidate.
	pub fn is_backing(&self) -> bool {
		matches!(
			self,
			Self::Valid(
				ValidDisputeStatementKind::BackingSeconded(_) | ValidDisputeStatementKind::BackingValid(_)
			)
		)
	}

	/// The bytes that its validator signed, if it is about the candidate in the session (runtime §1.6). None if
	/// it is an approval of other candidates.
	pub fn signing_payload(&self, candidate: CandidateHash, session: SessionIndex) -> Option<Vec<u8>> {
		use ValidDisputeStatementKind as Kind;
		let backing = |statement: CompactStatement, scheduling_parent| {
			let context = SigningContext { session_index: session, parent_hash: scheduling_parent };
			statement.signing_payload(&context)
		};
		Some(match self {
			Self::Valid(Kind::Explicit) => dispute_signing_payload(true, candidate, session),
			Self::Valid(Kind::BackingSeconded(parent)) => {
				backing(CompactStatement::Seconded(candidate), *parent)
			},
			Self::Valid(Kind::BackingValid(parent)) => backing(CompactStatement::Valid(candidate), *parent),
			Self::Valid(Kind::ApprovalChecking) => approval_signing_payload(&[candidate], session),
			Self::Valid(Kind::ApprovalCheckingMultipleCandidates(candidates)) => {
				if !candidates.contains(&candidate) {
					return None;
				}
				approval_signing_payload(candidates, session)
			},
			Self::Invalid(InvalidDisputeStatementKind::Explicit) => {
				dispute_signing_payload(false, candidate, session)
			},
		})
	}
}

/// What a validator signs to approve candidates: `APPR`, the hash of one or the vector of several, and the session.
pub fn approval_signing_payload(candidates: &[CandidateHash], session: SessionIndex) -> Vec<u8> {
	match candidates {
		[one] => (*b"APPR", one, session).encode(),
		several => (*b"APPR", several, session).encode(),
	}
}

/// How a vote for a candidate was given.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum ValidDisputeStatementKind {
	/// In the dispute itself.
	#[codec(index = 0)]
	Explicit,
	/// By seconding; with the scheduling parent that was signed.
	#[codec(index = 1)]
	BackingSeconded(Hash),
	/// By a backing vote; with the scheduling parent that was signed.
	#[codec(index = 2)]
	BackingValid(Hash),
	/// By approving this candidate alone.
	#[codec(index = 3)]
	ApprovalChecking,
	/// By approving several candidates at once.
	#[codec(index = 4)]
	ApprovalCheckingMultipleCandidates(BoundedVec<CandidateHash, ConstU32<MAX_COALESCE_APPROVALS>>),
}

/// How a vote against a candidate was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum InvalidDisputeStatementKind {
	/// In the dispute itself.
	#[codec(index = 0)]
	Explicit,
}

/// Votes about one candidate.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct DisputeStatementSet {
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// The session in which it was included.
	pub session: SessionIndex,
	/// The votes.
	pub statements: Vec<(DisputeStatement, ValidatorIndex, ValidatorSignature)>,
}

/// Votes about several candidates.
pub type MultiDisputeStatementSet = Vec<DisputeStatementSet>;

/// On-chain state of a dispute.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct DisputeState<N = BlockNumber> {
	/// Who voted for the candidate.
	pub validators_for: BitVec<u8, Lsb0>,
	/// Who voted against it.
	pub validators_against: BitVec<u8, Lsb0>,
	/// Block at which the dispute came on chain.
	pub start: N,
	/// Block at which one side had a supermajority.
	pub concluded_at: Option<N>,
}

/// Votes that a relay block carried, for nodes to import.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct ScrapedOnChainVotes {
	/// Session of the block.
	pub session: SessionIndex,
	/// Candidates backed in it with their votes.
	pub backing_validators_per_candidate:
		Vec<(CandidateReceiptV2, Vec<(ValidatorIndex, ValidityAttestation)>)>,
	/// Dispute votes in it.
	pub disputes: MultiDisputeStatementSet,
}

/// Offence of a validator that lost a dispute.
#[derive(
	Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo,
)]
pub enum DisputeOffenceKind {
	/// Backed an invalid candidate: slashed in full.
	#[codec(index = 0)]
	ForInvalidBacked,
	/// Disputed a valid candidate.
	#[codec(index = 1)]
	AgainstValid,
	/// Approved an invalid candidate.
	#[codec(index = 2)]
	ForInvalidApproved,
}

impl DisputeOffenceKind {
	/// The kind as the API before version 15 names it; that one does not know approvers.
	pub fn to_legacy(self) -> Option<LegacyDisputeOffenceKind> {
		match self {
			Self::ForInvalidBacked => Some(LegacyDisputeOffenceKind::ForInvalid),
			Self::AgainstValid => Some(LegacyDisputeOffenceKind::AgainstValid),
			Self::ForInvalidApproved => None,
		}
	}
}

/// Offence kinds of the API before version 15.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum LegacyDisputeOffenceKind {
	/// Voted for an invalid candidate.
	#[codec(index = 0)]
	ForInvalid,
	/// Voted against a valid one.
	#[codec(index = 1)]
	AgainstValid,
}

/// Slashes of one dispute that wait for an offence report.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct PendingSlashes<Kind = DisputeOffenceKind> {
	/// The offenders.
	pub keys: BTreeMap<ValidatorIndex, ValidatorId>,
	/// What they did.
	pub kind: Kind,
}

/// When and about which candidate an offence happened.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct DisputesTimeSlot {
	/// Session of the dispute.
	pub session_index: SessionIndex,
	/// The candidate.
	pub candidate_hash: CandidateHash,
}

/// Evidence of an offence in a dispute.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct DisputeProof {
	/// Where it happened.
	pub time_slot: DisputesTimeSlot,
	/// What happened.
	pub kind: DisputeOffenceKind,
	/// Who did it, by index in that session.
	pub validator_index: ValidatorIndex,
	/// Who did it, by key.
	pub validator_id: ValidatorId,
}

/// Proof of key ownership, opaque to the node.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct OpaqueKeyOwnershipProof(pub Vec<u8>);

impl OpaqueKeyOwnershipProof {
	/// The proof as the runtime's proof system knows it, if the bytes are one.
	pub fn decode<Proof: Decode>(&self) -> Option<Proof> {
		Proof::decode(&mut &self.0[..]).ok()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const SESSION: SessionIndex = 7;

	fn hash(byte: u8) -> CandidateHash {
		CandidateHash(Hash::repeat_byte(byte))
	}

	/// The payload of a vote on candidate 1.
	fn payload(statement: DisputeStatement) -> Option<Vec<u8>> {
		statement.signing_payload(hash(1), SESSION)
	}

	fn approvals(candidates: &[CandidateHash]) -> DisputeStatement {
		let candidates = candidates.to_vec().try_into().unwrap();
		DisputeStatement::Valid(ValidDisputeStatementKind::ApprovalCheckingMultipleCandidates(candidates))
	}

	#[test]
	fn every_kind_of_vote_has_its_signing_payload() {
		use DisputeStatement::{Invalid, Valid};
		use ValidDisputeStatementKind as Kind;
		let parent = Hash::repeat_byte(9);
		let (one, two, session) = ([1; 32], [2; 32], SESSION.to_le_bytes());
		for (statement, backing, parts) in [
			(Valid(Kind::Explicit), false, vec![&b"DISP\x01"[..], &one, &session]),
			(Invalid(InvalidDisputeStatementKind::Explicit), false, vec![&b"DISP\x00"[..], &one, &session]),
			(Valid(Kind::ApprovalChecking), false, vec![&b"APPR"[..], &one, &session]),
			(approvals(&[hash(1)]), false, vec![&b"APPR"[..], &one, &session]),
			(approvals(&[hash(2), hash(1)]), false, vec![&b"APPR\x08"[..], &two, &one, &session]),
			(
				Valid(Kind::BackingSeconded(parent)),
				true,
				vec![&b"BKNG\x01"[..], &one, &session, parent.as_bytes()],
			),
			(
				Valid(Kind::BackingValid(parent)),
				true,
				vec![&b"BKNG\x02"[..], &one, &session, parent.as_bytes()],
			),
		] {
			assert_eq!(statement.is_backing(), backing, "{statement:?}");
			assert_eq!(statement.indicates_validity(), matches!(statement, Valid(_)));
			assert_eq!(payload(statement), Some(parts.concat()));
		}
	}

	#[test]
	fn approval_of_other_candidates_is_no_vote() {
		assert_eq!(payload(approvals(&[hash(2), hash(3)])), None);
	}
}
