//! Disputes: statements, sets and on-chain state (runtime §8; availability, approval, disputes §0.4-0.5).

use crate::ids::Hash;
use crate::{
	BlockNumber, CandidateHash, CandidateReceiptV2, SessionIndex, ValidatorId, ValidatorIndex,
	ValidatorSignature, ValidityAttestation, MAX_COALESCE_APPROVALS,
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
