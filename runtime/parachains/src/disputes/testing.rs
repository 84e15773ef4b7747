//! Votes with real signatures, and what the tests' runtime hears of disputes.

use super::{slashing::SlashingOffence, RewardValidators};
use crate::{
	mock::{any_key, key_of, Test},
	session_info,
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use frame_support::{storage::unhashed, traits::KeyOwnerProofSystem};
use headway_primitives::{
	CandidateHash, DisputeStatement, DisputeStatementSet, DisputesTimeSlot, Hash,
	InvalidDisputeStatementKind, SessionIndex, ValidDisputeStatementKind, ValidatorId, ValidatorIndex,
	ValidatorSignature,
};
use sp_core::crypto::KeyTypeId;
use sp_runtime::traits::Convert;
use sp_session::MembershipProof;
use sp_staking::offence::{Offence, OffenceError, ReportOffence};

/// A vote.
#[derive(Clone, Debug)]
pub(crate) enum Vote {
	Seconded,
	Backed,
	For,
	Approved,
	Coalesced(Vec<CandidateHash>),
	Against,
}

impl Vote {
	fn statement(&self) -> DisputeStatement {
		use ValidDisputeStatementKind as Kind;
		let parent = Hash::repeat_byte(200);
		match self {
			Self::Seconded => DisputeStatement::Valid(Kind::BackingSeconded(parent)),
			Self::Backed => DisputeStatement::Valid(Kind::BackingValid(parent)),
			Self::For => DisputeStatement::Valid(Kind::Explicit),
			Self::Approved => DisputeStatement::Valid(Kind::ApprovalChecking),
			Self::Coalesced(candidates) => {
				let candidates = candidates.clone().try_into().expect("at most 16");
				DisputeStatement::Valid(Kind::ApprovalCheckingMultipleCandidates(candidates))
			},
			Self::Against => DisputeStatement::Invalid(InvalidDisputeStatementKind::Explicit),
		}
	}
}

/// A candidate's hash that is easy to read.
pub(crate) fn hash(n: u8) -> CandidateHash {
	CandidateHash(Hash::repeat_byte(n))
}

/// A vote as a set has it. Who is no validator of the session signs with some key.
pub(crate) fn signed(
	session: SessionIndex,
	candidate: CandidateHash,
	validator: u32,
	vote: &Vote,
) -> (DisputeStatement, ValidatorIndex, ValidatorSignature) {
	let key = session_info::Sessions::<Test>::get(session)
		.and_then(|info| info.validators.get(validator as usize).cloned())
		.and_then(|id| key_of(&id))
		.unwrap_or_else(any_key);
	let statement = vote.statement();
	let payload = statement.signing_payload(candidate, session).unwrap_or_default();
	(statement, ValidatorIndex(validator), key.sign(&payload).into())
}

/// Votes about a candidate.
pub(crate) fn dispute(
	session: SessionIndex,
	candidate: CandidateHash,
	votes: &[(u32, Vote)],
) -> DisputeStatementSet {
	let statements =
		votes.iter().map(|(validator, vote)| signed(session, candidate, *validator, vote)).collect();
	DisputeStatementSet { candidate_hash: candidate, session, statements }
}

fn append<T: Encode + Decode>(key: &[u8], item: T) {
	let mut items: Vec<T> = unhashed::get_or_default(key);
	items.push(item);
	unhashed::put(key, &items);
}

/// Notes who is rewarded.
pub struct NoteRewards;

impl RewardValidators for NoteRewards {
	fn reward_dispute_statement(session: SessionIndex, validators: &[ValidatorIndex]) {
		append(b"rewards", (session, validators.to_vec()));
	}
}

/// All rewards.
pub(crate) fn rewards() -> Vec<(SessionIndex, Vec<ValidatorIndex>)> {
	unhashed::get_or_default(b"rewards")
}

type Offender = (u64, ());
type Reported = (DisputesTimeSlot, Vec<Offender>, u32);

/// Notes offences.
pub struct NoteOffences;

fn reported() -> Vec<Reported> {
	unhashed::get_or_default(b"offences")
}

impl ReportOffence<u64, Offender, SlashingOffence<Offender>> for NoteOffences {
	fn report_offence(_: Vec<u64>, offence: SlashingOffence<Offender>) -> Result<(), OffenceError> {
		if Self::is_known_offence(&offence.offenders, &offence.time_slot) {
			return Err(OffenceError::DuplicateReport);
		}
		let fraction = offence.slash_fraction(1).deconstruct() / 10_000_000;
		append(b"offences", (offence.slot(), offence.offenders(), fraction));
		Ok(())
	}

	fn is_known_offence(offenders: &[Offender], time_slot: &DisputesTimeSlot) -> bool {
		offenders.iter().all(|offender| {
			reported().iter().any(|(slot, known, _)| slot == time_slot && known.contains(offender))
		})
	}
}

/// All offences: percents of the stake, and the offenders.
pub(crate) fn offences() -> Vec<(u32, Vec<u32>)> {
	reported()
		.into_iter()
		.map(|(slot, offenders, percent)| {
			let accounts = session_info::AccountKeys::<Test>::get(slot.session_index)
				.expect("offences are of known sessions");
			let index = |account| accounts.iter().position(|other| *other == account);
			let validators = offenders
				.into_iter()
				.map(|(account, ())| index(account).expect("offenders are validators") as u32)
				.collect();
			(percent, validators)
		})
		.collect()
}

/// Everybody is who they are.
pub struct Identify;

impl Convert<u64, Option<Offender>> for Identify {
	fn convert(account: u64) -> Option<Offender> {
		Some((account, ()))
	}
}

/// Proofs of key ownership that name the key instead of proving anything.
pub struct NamedKeys;

impl KeyOwnerProofSystem<(KeyTypeId, ValidatorId)> for NamedKeys {
	type Proof = MembershipProof;
	type IdentificationTuple = Offender;

	fn prove(_: (KeyTypeId, ValidatorId)) -> Option<Self::Proof> {
		None
	}

	fn check_proof(key: (KeyTypeId, ValidatorId), proof: Self::Proof) -> Option<Self::IdentificationTuple> {
		let info = session_info::Sessions::<Test>::get(proof.session)?;
		let position = info.validators.iter().position(|validator| *validator == key.1)?;
		let accounts = session_info::AccountKeys::<Test>::get(proof.session)?;
		(proof.trie_nodes == [(key.0 .0, key.1).encode()]).then_some((accounts[position], ()))
	}
}

/// A proof for [`NamedKeys`].
pub(crate) fn named_key(session: SessionIndex, validator: &ValidatorId) -> MembershipProof {
	let key = (headway_primitives::PARACHAIN_KEY_TYPE_ID.0, validator);
	MembershipProof { session, trie_nodes: alloc::vec![key.encode()], validator_count: 6 }
}
