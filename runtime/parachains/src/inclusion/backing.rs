//! Candidates that were selected for this block: the group's votes are checked and the cores are occupied
//! (runtime §6.6).

use super::*;
use alloc::collections::BTreeMap;
use headway_primitives::{
	effective_minimum_backing_votes, BackedCandidate, CompactStatement, SigningContext, SigningPayload,
	ValidatorId, ValidatorIndex, ValidityAttestation,
};
use shared::SchedulingParentsTracker;
use sp_runtime::traits::AppVerify;

/// A candidate with the core that it was given.
pub type BackingCandidate = (BackedCandidate, CoreIndex);

/// A candidate that was backed, with who voted for it and how.
pub type BackedInBlock = (CandidateReceiptV2, Vec<(ValidatorIndex, ValidityAttestation)>);

impl<T: Config> Pallet<T> {
	/// Checks candidates and puts them on their cores. Any error invalidates the whole inherent: what does not
	/// pass must have been dropped before.
	pub(crate) fn process_candidates(
		scheduling_parents: &SchedulingParentsTracker,
		candidates: BTreeMap<ParaId, Vec<BackingCandidate>>,
	) -> Result<Vec<BackedInBlock>, Error<T>> {
		let mut backed = Vec::new();
		if candidates.is_empty() {
			return Ok(backed);
		}
		let validators = shared::ActiveValidatorKeys::<T>::get();
		let minimum_votes = configuration::ActiveConfig::<T>::get().minimum_backing_votes;
		for (para, candidates) in candidates {
			let Some(mut state) = Self::running_state(para) else { continue };
			let mut pending = Self::pending_candidates(para);
			for (candidate, core) in candidates {
				let relay_parent_number = Self::verify_backed_candidate(&mut state, &candidate)?;
				let (group_index, group) = Self::responsible_group(scheduling_parents, &candidate, core)?;
				let receipt = candidate.candidate.to_plain();
				let hash = receipt.hash();
				let votes = check_backing_votes::<T>(&candidate, hash, &validators, &group, minimum_votes)?;
				let mut backers = BitVec::repeat(false, validators.len());
				for (validator, _) in &votes {
					// In range: `check_backing_votes` found the validator's key.
					backers.set(validator.0 as usize, true);
				}
				let CommittedCandidateReceiptV2 { descriptor, commitments } = candidate.candidate;
				Self::deposit_event(Event::CandidateBacked(
					receipt.clone(),
					commitments.head_data.clone(),
					core,
					group_index,
				));
				pending.push_back(CandidatePendingAvailability {
					core,
					hash,
					descriptor,
					commitments,
					availability_votes: BitVec::repeat(false, validators.len()),
					backers,
					relay_parent_number,
					backed_in_number: now::<T>(),
					backing_group: group_index,
				});
				backed.push((receipt, votes));
			}
			Self::store_pending(para, pending);
		}
		Ok(backed)
	}

	/// The group that backs on `core` for the candidate's scheduling parent: that of the parent's child.
	pub(crate) fn responsible_group(
		scheduling_parents: &SchedulingParentsTracker,
		candidate: &BackedCandidate,
		core: CoreIndex,
	) -> Result<(GroupIndex, Vec<ValidatorIndex>), Error<T>> {
		let scheduling_parent = candidate.candidate.descriptor.scheduling_parent();
		let (_, number) =
			scheduling_parents.acquire_info(scheduling_parent).ok_or(Error::DisallowedSchedulingParent)?;
		let group = scheduler::Pallet::<T>::group_assigned_to_core(core, number.saturating_add(1))
			.ok_or(Error::InvalidAssignment)?;
		let members = scheduler::Pallet::<T>::group_validators(group).ok_or(Error::InvalidGroupIndex)?;
		Ok((group, members))
	}
}

/// Checks the votes of a group; returns who voted and how.
fn check_backing_votes<T: Config>(
	candidate: &BackedCandidate,
	hash: CandidateHash,
	validators: &[ValidatorId],
	group: &[ValidatorIndex],
	minimum_votes: u32,
) -> Result<Vec<(ValidatorIndex, ValidityAttestation)>, Error<T>> {
	let (voted, _) = candidate.validator_indices_and_core_index();
	let votes = &candidate.validity_votes;
	if voted.len() != group.len() || votes.len() > group.len() || voted.count_ones() != votes.len() {
		return Err(Error::InvalidBacking);
	}
	let context = SigningContext {
		session_index: shared::CurrentSessionIndex::<T>::get(),
		parent_hash: candidate.candidate.descriptor.scheduling_parent(),
	};
	let seconded = CompactStatement::Seconded(hash).signing_payload(&context);
	let valid = CompactStatement::Valid(hash).signing_payload(&context);
	let mut checked = Vec::with_capacity(votes.len());
	for (position, vote) in voted.iter_ones().zip(votes) {
		let validator = group[position];
		let key = validators.get(validator.0 as usize).ok_or(Error::InvalidBacking)?;
		let (payload, signature) = match vote {
			ValidityAttestation::Implicit(signature) => (&seconded, signature),
			ValidityAttestation::Explicit(signature) => (&valid, signature),
		};
		if !signature.verify(&payload[..], key) {
			return Err(Error::InvalidBacking);
		}
		checked.push((validator, vote.clone()));
	}
	if checked.len() < effective_minimum_backing_votes(group.len(), minimum_votes) {
		return Err(Error::InsufficientBacking);
	}
	Ok(checked)
}
