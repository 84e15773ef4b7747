//! What each part of the inherent weighs (runtime §7.4), put together from what was measured.
//!
//! Measured are whole inherents ([`super::weights`]); the weight of a part is what one with it has more than one
//! without it. Proof size is the encoded size of the part: through it the byte length of the inherent is limited.

use super::*;
use codec::Encode;
use frame_support::traits::Get;
use headway_primitives::{BackedCandidate, DisputeStatementSet, UncheckedSignedAvailabilityBitfield};

type Measured<T> = <T as Config>::WeightInfo;

/// Cores for which `enter_bitfields` was measured: each bitfield with votes has one for each of them.
pub(super) const BITFIELD_CORES: u32 = 100;
/// Votes for the candidate with which `enter_backed_candidate_code_upgrade` was measured.
pub(crate) const UPGRADE_VOTES: u32 = 2;

/// The inherent without anything in it, on a chain of so many cores, all of which are occupied.
pub(super) fn enter_empty<T: Config>(n_cores: u32) -> Weight {
	Measured::<T>::enter_empty(n_cores)
}

/// That there are votes of availability at all: the candidates that wait on so many cores are written, with a bit
/// for each of a thousand validators.
pub(super) fn votes_stored<T: Config>(n_cores: u32) -> Weight {
	Measured::<T>::enter_bitfields(0, 0)
		.saturating_sub(Measured::<T>::enter_empty(BITFIELD_CORES))
		.saturating_mul(n_cores.into())
		.saturating_div(BITFIELD_CORES.into())
}

/// One bitfield: its signature, and each of its votes.
pub(super) fn bitfield<T: Config>(bitfield: &UncheckedSignedAvailabilityBitfield) -> Weight {
	let none = Measured::<T>::enter_bitfields(0, 0);
	let without_votes = Measured::<T>::enter_bitfields(1, 0).saturating_sub(none);
	let with_votes = Measured::<T>::enter_bitfields(0, 1).saturating_sub(none);
	with_votes
		.saturating_sub(without_votes)
		.saturating_mul(bitfield.payload.0.count_ones() as u64)
		.saturating_div(BITFIELD_CORES.into())
		.saturating_add(without_votes)
		.set_proof_size(bitfield.encoded_size() as u64)
}

/// One backed candidate: its votes, the channels that it sends into, its bytes, and whether it upgrades the code.
pub(super) fn candidate<T: Config>(candidate: &BackedCandidate) -> Weight {
	let commitments = &candidate.candidate.commitments;
	let bytes = candidate.encoded_size() as u64;
	let votes = candidate.validity_votes.len() as u32;
	let channels = commitments.horizontal_messages.len() as u32;
	let upgrade = if commitments.new_validation_code.is_some() {
		Measured::<T>::enter_backed_candidate_code_upgrade(0)
			.saturating_sub(Measured::<T>::enter_backed_candidate(UPGRADE_VOTES, 0))
	} else {
		Weight::zero()
	};
	let byte = Measured::<T>::enter_backed_candidate_code_upgrade(1)
		.saturating_sub(Measured::<T>::enter_backed_candidate_code_upgrade(0));
	Measured::<T>::enter_backed_candidate(votes, channels)
		.saturating_sub(Measured::<T>::enter_empty(0))
		.saturating_add(upgrade)
		.saturating_add(byte.saturating_mul(bytes))
		.set_proof_size(bytes)
}

/// One set of dispute votes. Less than a third of the voters can lose, and each of them costs one report, which
/// is not in what was measured.
pub(super) fn dispute_set<T: Config>(set: &DisputeStatementSet) -> Weight {
	let votes = set.statements.len() as u32;
	let reports = T::DbWeight::get().reads_writes(1, 1).saturating_mul(votes.div_ceil(3).into());
	Measured::<T>::enter_disputes(votes)
		.saturating_sub(Measured::<T>::enter_empty(0))
		.saturating_add(reports)
		.set_proof_size(set.encoded_size() as u64)
}
