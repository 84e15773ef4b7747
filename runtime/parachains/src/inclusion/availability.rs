//! Candidates that leave their cores: included, timed out, or with one that they build on (runtime §6.3,
//! §6.7, §6.8).

use super::*;
use alloc::collections::BTreeSet;
use frame_support::weights::Weight;
use headway_primitives::{supermajority_threshold, AvailabilityBitfield, Signed};

/// What became of occupied cores.
#[derive(Clone, Default, Debug)]
pub(crate) struct Included {
	/// Cost of the enactment.
	pub(crate) weight: Weight,
	/// Candidates that were included, with the cores that they leave.
	pub(crate) candidates: Vec<(CoreIndex, CandidateHash, ParaId)>,
}

impl<T: Config> Pallet<T> {
	/// Counts availability votes and includes what is available. A candidate that is available before the one
	/// that it builds on keeps its core until that one is, too.
	pub(crate) fn update_pending_availability(
		n_validators: usize,
		bitfields: &[Signed<AvailabilityBitfield>],
	) -> Included {
		let threshold = supermajority_threshold(n_validators);
		let mut votes = votes_by_core(n_validators, bitfields);
		let mut included = Included::default();
		if votes.iter().all(Option::is_none) {
			// Without a vote nothing becomes available that was not before.
			return included;
		}
		for para in Self::pending_paras() {
			let mut pending = Self::pending_candidates(para);
			let (mut changed, mut enactable, mut in_a_row) = (false, 0, true);
			for candidate in pending.iter_mut() {
				// Votes name cores, so each core's votes are for the one candidate that occupies it.
				if let Some(votes) = votes.get_mut(candidate.core.0 as usize).and_then(Option::take) {
					let before = candidate.availability_votes.count_ones();
					candidate.availability_votes |= &votes;
					changed |= candidate.availability_votes.count_ones() > before;
				}
				in_a_row &= candidate.availability_votes.count_ones() >= threshold;
				enactable += usize::from(in_a_row);
			}
			let enacted: Vec<_> = pending.drain(..enactable).collect();
			if changed || !enacted.is_empty() {
				Self::store_pending(para, pending);
			}
			for candidate in enacted {
				included.candidates.push((candidate.core, candidate.hash, para));
				included.weight.saturating_accrue(Self::enact_candidate(candidate));
			}
		}
		// Proof size stands for bytes of the inherent, of which inclusion adds none.
		included.weight = included.weight.set_proof_size(0);
		included
	}

	/// The most that inclusions may weigh in this block: every candidate that waits becomes available.
	///
	/// What a candidate brings was limited when it was backed, by a configuration that may have changed since, so
	/// the candidates are looked at. Whoever executes the inherent needs them anyway.
	pub(crate) fn enactment_weight_max() -> Weight {
		PendingAvailability::<T>::iter_values().flatten().fold(Weight::zero(), |sum, pending| {
			sum.saturating_add(enactment_weight::<T>(&pending.commitments))
		})
	}

	/// Includes a candidate: its outputs take effect. Returns the weight.
	pub(crate) fn enact_candidate(candidate: CandidatePendingAvailability) -> Weight {
		let receipt = candidate.receipt();
		let weight = enactment_weight::<T>(&candidate.commitments);
		let CandidatePendingAvailability {
			core,
			commitments,
			availability_votes,
			backers,
			relay_parent_number,
			backing_group,
			..
		} = candidate;
		let para = receipt.descriptor.para_id;
		T::RewardValidators::reward_backing(validators_in(&backers));
		T::RewardValidators::reward_bitfields(validators_in(&availability_votes));
		if let Some(code) = commitments.new_validation_code {
			paras::Pallet::<T>::schedule_code_upgrade(
				para,
				code,
				now::<T>(),
				&configuration::ActiveConfig::<T>::get(),
				paras::UpgradeStrategy::SetGoAheadSignal,
			);
		}
		dmp::Pallet::<T>::prune(para, commitments.processed_downward_messages);
		Self::receive_upward_messages(para, &commitments.upward_messages);
		hrmp::Pallet::<T>::prune(para, commitments.hrmp_watermark);
		hrmp::Pallet::<T>::queue_outbound(para, commitments.horizontal_messages.into_inner());
		Self::deposit_event(Event::CandidateIncluded(
			receipt,
			commitments.head_data.clone(),
			core,
			backing_group,
		));
		paras::Pallet::<T>::note_new_head(para, commitments.head_data, relay_parent_number);
		weight
	}

	/// Removes candidates that are not available in time, and those that build on them. Returns their cores.
	pub(crate) fn free_timedout() -> Vec<CoreIndex> {
		let timed_out = scheduler::Pallet::<T>::availability_timeout_predicate();
		let removed = Self::free_failed(|pending| timed_out(pending.backed_in_number).timed_out);
		for candidate in &removed {
			log::info!(
				target: LOG_TARGET,
				"para {}: candidate {} timed out with {} of {} availability votes",
				candidate.descriptor.para_id,
				candidate.hash,
				candidate.availability_votes.count_ones(),
				candidate.availability_votes.len(),
			);
			Self::deposit_event(Event::CandidateTimedOut(
				candidate.receipt(),
				candidate.commitments.head_data.clone(),
				candidate.core,
			));
		}
		removed.into_iter().map(|candidate| candidate.core).collect()
	}

	/// Removes disputed candidates and those that build on them.
	pub fn free_disputed(disputed: &BTreeSet<CandidateHash>) -> Vec<(CoreIndex, CandidateHash)> {
		if disputed.is_empty() {
			return Vec::new();
		}
		let removed = Self::free_failed(|pending| disputed.contains(&pending.hash));
		removed.into_iter().map(|candidate| (candidate.core, candidate.hash)).collect()
	}

	/// Removes, for each para, the first candidate that failed and all behind it.
	fn free_failed(
		failed: impl Fn(&CandidatePendingAvailability) -> bool,
	) -> Vec<CandidatePendingAvailability> {
		let mut removed = Vec::new();
		for para in Self::pending_paras() {
			let mut pending = Self::pending_candidates(para);
			if let Some(first) = pending.iter().position(&failed) {
				removed.extend(pending.drain(first..));
				Self::store_pending(para, pending);
			}
		}
		removed
	}

	/// Includes all pending candidates of a para. Only for runtime APIs, whose state is thrown away.
	pub(crate) fn force_enact(para: ParaId) {
		for candidate in PendingAvailability::<T>::take(para).unwrap_or_default() {
			Self::enact_candidate(candidate);
		}
	}
}

/// What the inclusion of a candidate weighs that commits to this.
pub(crate) fn enactment_weight<T: Config>(commitments: &CandidateCommitments) -> Weight {
	type Info<T> = <T as Config>::WeightInfo;
	let upward = commitments.upward_messages.len() as u32;
	let horizontal = commitments.horizontal_messages.len() as u32;
	let code = commitments.new_validation_code.as_ref().map_or(Weight::zero(), |code| {
		let with_code = Info::<T>::enact_candidate_with_code(code.0.len() as u32);
		with_code.saturating_sub(Info::<T>::enact_candidate(0, 0))
	});
	Info::<T>::enact_candidate(upward, horizontal).saturating_add(code)
}

/// For each core, who says to hold a chunk of the candidate on it; none for cores without votes.
///
/// One bit per vote and core: a thousand validators and a hundred cores take 12 kB.
fn votes_by_core(
	n_validators: usize,
	bitfields: &[Signed<AvailabilityBitfield>],
) -> Vec<Option<BitVec<u8, Lsb0>>> {
	let mut votes = Vec::<Option<BitVec<u8, Lsb0>>>::new();
	for bitfield in bitfields {
		let bits = &bitfield.payload().0;
		if votes.len() < bits.len() {
			votes.resize(bits.len(), None);
		}
		for core in bits.iter_ones() {
			let votes = votes[core].get_or_insert_with(|| BitVec::repeat(false, n_validators));
			if let Some(mut vote) = votes.get_mut(bitfield.validator_index().0 as usize) {
				*vote = true;
			}
		}
	}
	votes
}

/// Validators whose bit is set.
fn validators_in(bits: &BitVec<u8, Lsb0>) -> impl Iterator<Item = ValidatorIndex> + '_ {
	bits.iter_ones().map(|index| ValidatorIndex(index as u32))
}
