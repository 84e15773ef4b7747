//! Candidates that were selected for this block: the group's votes are checked and the cores are occupied
//! (runtime §6.6).

use super::*;
use alloc::collections::{BTreeMap, BTreeSet};
use headway_primitives::{
	effective_minimum_backing_votes, BackedCandidate, CompactStatement, Hash, SigningContext, SigningPayload,
	ValidatorId, ValidityAttestation,
};
use shared::SchedulingParentsTracker;
use sp_runtime::traits::AppVerify;

/// A candidate that was backed, with who voted for it and how.
pub type BackedInBlock = (CandidateReceiptV2, Vec<(ValidatorIndex, ValidityAttestation)>);

/// A group that backs, as the checks of its votes need it.
#[derive(Clone, Debug)]
pub(crate) struct Group {
	/// Which one.
	pub(crate) index: GroupIndex,
	/// Its members, in the order of the bits.
	pub(crate) members: Vec<ValidatorIndex>,
}

/// What the checks of all candidates' votes have in common.
pub(crate) struct Voters {
	session: headway_primitives::SessionIndex,
	keys: Vec<ValidatorId>,
	disabled: BTreeSet<ValidatorIndex>,
	minimum_votes: u32,
}

/// A candidate that passed all checks, with what they found out.
#[derive(Clone, Debug)]
pub struct VerifiedCandidate {
	/// The candidate, without the votes of disabled validators.
	pub(crate) candidate: BackedCandidate,
	/// Its receipt.
	pub(crate) receipt: CandidateReceiptV2,
	/// Its hash.
	pub(crate) hash: CandidateHash,
	/// Number of its relay parent.
	pub(crate) relay_parent_number: BlockNumber,
	/// The core that it gets.
	pub(crate) core: CoreIndex,
	/// The group that backed it.
	pub(crate) group: GroupIndex,
	/// Who voted for it and how, in the order of the votes.
	pub(crate) backers: Vec<(ValidatorIndex, ValidityAttestation)>,
}

impl VerifiedCandidate {
	/// The candidate as it goes on chain.
	pub(crate) fn backed(&self) -> &BackedCandidate {
		&self.candidate
	}
}

impl Voters {
	/// Of the current session.
	pub(crate) fn new<T: Config>(keys: Vec<ValidatorId>, minimum_votes: u32) -> Self {
		Self {
			session: shared::CurrentSessionIndex::<T>::get(),
			keys,
			disabled: shared::Pallet::<T>::disabled_validators().into_iter().collect(),
			minimum_votes,
		}
	}

	/// Removes the votes of disabled members of the group. Answers whether those that are left are too few
	/// for that reason.
	///
	/// The candidate must have one bit per member and one vote per bit that is set.
	fn remove_disabled(&self, candidate: &mut BackedCandidate, group: &Group) -> bool {
		let (voted, injected) = candidate.validator_indices_and_core_index();
		let disabled = |position: &usize| {
			group.members.get(*position).is_some_and(|member| self.disabled.contains(member))
		};
		let removed: BTreeSet<usize> = voted.iter_ones().filter(disabled).collect();
		if removed.is_empty() {
			return false;
		}
		let mut voters = voted.iter_ones().collect::<Vec<_>>().into_iter();
		let mut voted = voted.to_bitvec();
		removed.iter().for_each(|position| voted.set(*position, false));
		candidate.validity_votes.retain(|_| voters.next().is_none_or(|voter| !removed.contains(&voter)));
		candidate.set_validator_indices_and_core_index(voted, injected);
		candidate.validity_votes.len() < self.needed(group)
	}

	/// Votes that a group must give. Never none: with more cores than validators there are groups without
	/// members, for whose cores anybody could bring whatever he likes.
	fn needed(&self, group: &Group) -> usize {
		effective_minimum_backing_votes(group.members.len(), self.minimum_votes).max(1)
	}
}

/// Why the votes for a candidate do not do.
pub(crate) enum VotesError<T> {
	/// Without the votes of disabled validators too few are left.
	Disabled,
	/// Wrong or too few.
	Invalid(Error<T>),
}

impl<T: Config> Pallet<T> {
	/// Puts candidates on their cores: by para, each builds on the one before it. Returns who backed them.
	pub(crate) fn process_candidates(
		candidates: BTreeMap<ParaId, Vec<VerifiedCandidate>>,
	) -> Vec<BackedInBlock> {
		let mut backed = Vec::new();
		if candidates.is_empty() {
			return backed;
		}
		let n_validators = shared::ActiveValidatorKeys::<T>::decode_len().unwrap_or(0);
		for (para, candidates) in candidates {
			for verified in candidates {
				let VerifiedCandidate {
					candidate,
					receipt,
					hash,
					relay_parent_number,
					core,
					group,
					backers: votes,
				} = verified;
				let mut backers = BitVec::repeat(false, n_validators);
				for (validator, _) in &votes {
					if let Some(mut backer) = backers.get_mut(validator.0 as usize) {
						*backer = true;
					}
				}
				let CommittedCandidateReceiptV2 { descriptor, commitments } = candidate.candidate;
				Self::deposit_event(Event::CandidateBacked(
					receipt.clone(),
					commitments.head_data.clone(),
					core,
					group,
				));
				PendingAvailability::<T>::append(
					para,
					CandidatePendingAvailability {
						core,
						hash,
						descriptor,
						commitments,
						availability_votes: BitVec::repeat(false, n_validators),
						backers,
						relay_parent_number,
						backed_in_number: now::<T>(),
						backing_group: group,
					},
				);
				backed.push((receipt, votes));
			}
		}
		backed
	}

	/// The group that backs on `core` for a scheduling parent: that of the parent's child.
	///
	/// # Errors
	///
	/// In this order: `DisallowedSchedulingParent`, `InvalidAssignment`, `InvalidGroupIndex`.
	pub(crate) fn responsible_group(
		scheduling_parents: &SchedulingParentsTracker,
		scheduling_parent: Hash,
		core: CoreIndex,
	) -> Result<Group, Error<T>> {
		let (_, number) =
			scheduling_parents.acquire_info(scheduling_parent).ok_or(Error::DisallowedSchedulingParent)?;
		let index = scheduler::Pallet::<T>::group_assigned_to_core(core, number.saturating_add(1))
			.ok_or(Error::InvalidAssignment)?;
		let members = scheduler::Pallet::<T>::group_validators(index).ok_or(Error::InvalidGroupIndex)?;
		Ok(Group { index, members })
	}

	/// Removes the votes of disabled members of the group and checks the others; answers who voted and how.
	pub(crate) fn check_backing(
		candidate: &mut BackedCandidate,
		hash: CandidateHash,
		group: &Group,
		voters: &Voters,
	) -> Result<Vec<(ValidatorIndex, ValidityAttestation)>, VotesError<T>> {
		let invalid = VotesError::Invalid(Error::InvalidBacking);
		let (voted, _) = candidate.validator_indices_and_core_index();
		// That there are not more votes than members follows.
		if voted.len() != group.members.len() || voted.count_ones() != candidate.validity_votes.len() {
			return Err(invalid);
		}
		if voters.remove_disabled(candidate, group) {
			return Err(VotesError::Disabled);
		}
		let (voted, _) = candidate.validator_indices_and_core_index();
		let context = SigningContext {
			session_index: voters.session,
			parent_hash: candidate.candidate.descriptor.scheduling_parent(),
		};
		let seconded = CompactStatement::Seconded(hash).signing_payload(&context);
		let valid = CompactStatement::Valid(hash).signing_payload(&context);
		let mut checked = Vec::with_capacity(candidate.validity_votes.len());
		for (position, vote) in voted.iter_ones().zip(&candidate.validity_votes) {
			let (payload, signature) = match vote {
				ValidityAttestation::Implicit(signature) => (&seconded, signature),
				ValidityAttestation::Explicit(signature) => (&valid, signature),
			};
			let good = group.members.get(position).copied().filter(|validator| {
				voters.keys.get(validator.0 as usize).is_some_and(|key| signature.verify(&payload[..], key))
			});
			match good {
				Some(validator) => checked.push((validator, vote.clone())),
				None => return Err(invalid),
			}
		}
		if checked.len() < voters.needed(group) {
			return Err(VotesError::Invalid(Error::InsufficientBacking));
		}
		Ok(checked)
	}
}
