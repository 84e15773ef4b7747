//! Seconding: what precedes and follows the validation of a collation (backing pipeline §3.3, §3.5).

use crate::{
	dropped,
	import::Waiting,
	state::{Job, Purpose},
	validation::Failure,
	Backing, Effect, Step,
};
use headway_machine::{Effects, HypotheticalCandidate, MembershipQuery, Reason, SecondRequest, Timestamp};
use headway_primitives::{CandidateHash, Hash, Statement};

impl Backing {
	/// Starts to validate a collation that we might second.
	pub(crate) fn second(&mut self, now: Timestamp, request: SecondRequest, effects: &mut Effects<Effect>) {
		let candidate_hash = request.receipt.hash();
		let scheduling_parent = request.receipt.descriptor.scheduling_parent();
		let para = request.receipt.descriptor.para_id;
		if let Err(failure) = self.may_second(candidate_hash, &scheduling_parent, &request) {
			let (Failure::Invalid(reason) | Failure::Undecided(reason)) = failure;
			dropped(effects, now, reason, candidate_hash, para, scheduling_parent);
			effects.push(match failure {
				Failure::Invalid(reason) => {
					Effect::CollationInvalid { scheduling_parent, receipt: request.receipt, reason }
				},
				Failure::Undecided(reason) => {
					Effect::CollationDropped { scheduling_parent, candidate_hash, reason }
				},
			});
			return;
		}
		let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) else { return };
		let SecondRequest { receipt, validation_data, pov } = request;
		let purpose = Purpose::Second;
		let job = Job {
			purpose,
			receipt,
			validation_data,
			pov: None,
			committed: None,
			signed: None,
			waits_for: None,
		};
		state.jobs.insert(candidate_hash, job);
		self.validate(now, scheduling_parent, candidate_hash, pov, effects);
	}

	/// What can be said against seconding before validation.
	fn may_second(
		&self,
		candidate_hash: CandidateHash,
		scheduling_parent: &Hash,
		request: &SecondRequest,
	) -> Result<(), Failure> {
		use Failure::{Invalid, Undecided};
		let descriptor = &request.receipt.descriptor;
		if request.validation_data.hash() != descriptor.persisted_validation_data_hash {
			return Err(Undecided(Reason::ValidationDataMismatch));
		}
		descriptor.check_version(self.v3_ever_seen).map_err(|_| Invalid(Reason::DescriptorVersion))?;
		let state = self.scheduling_parents.get(scheduling_parent);
		let state = state.ok_or(Undecided(Reason::UnknownSchedulingParent))?;
		let local = state.local.as_ref().ok_or(Undecided(Reason::NotValidator))?;
		if state.block.is_disabled(local.index) {
			return Err(Undecided(Reason::DisabledValidator));
		}
		let core = local.core.ok_or(Undecided(Reason::NotAssigned))?;
		if !state.is_scheduled(core, descriptor.para_id) {
			return Err(Undecided(Reason::ParaNotScheduled));
		}
		// Our group's votes count for our core alone: on another one the runtime would not take them.
		if descriptor.core_index().is_some_and(|named| named != core) {
			return Err(Undecided(Reason::NotAssigned));
		}
		let again = state.said.may_second_again(&candidate_hash, local.index);
		let is_settled = state.said.settled.contains(&candidate_hash);
		if state.jobs.contains_key(&candidate_hash) || (is_settled && !again) {
			return Err(Undecided(Reason::AlreadyKnown));
		}
		if !again && state.said.n_seconded() >= state.places(core) {
			return Err(Undecided(Reason::NoClaimQueueSlot));
		}
		Ok(())
	}

	/// Asks prospective parachains whether a valid candidate is of use.
	pub(crate) fn check_sanity(
		&mut self,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		effects: &mut Effects<Effect>,
	) {
		let Some(job) = self.job(&scheduling_parent, &candidate_hash) else { return };
		let Some(receipt) = job.committed.clone() else { return };
		let validation_data = job.validation_data.clone();
		let candidate = HypotheticalCandidate::Complete { candidate_hash, receipt, validation_data };
		let token = self.ask_for_job(scheduling_parent, candidate_hash, Step::CheckSanity);
		effects.push(Effect::Membership(MembershipQuery { token, candidates: vec![candidate], leaf: None }));
	}

	/// Prospective parachains said whether the candidate fits under a leaf.
	pub(crate) fn sanity_checked(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		fits: bool,
		effects: &mut Effects<Effect>,
	) {
		let Some(job) = self.job(&scheduling_parent, &candidate_hash) else { return };
		let Some(receipt) = job.committed.clone() else { return };
		let validation_data = job.validation_data.clone();
		if !fits {
			let reason = Reason::CannotFollowChain;
			return self.not_seconded(now, scheduling_parent, candidate_hash, reason, effects);
		}
		if self.candidates.contains_key(&candidate_hash) {
			return self.own_introduced(now, scheduling_parent, candidate_hash, true, effects);
		}
		let waiting = Waiting::OwnSecond;
		self.introduce(scheduling_parent, candidate_hash, receipt, validation_data, waiting, effects);
	}

	/// The candidate is known to prospective parachains, or they refused it: signs it or gives it up.
	pub(crate) fn own_introduced(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		accepted: bool,
		effects: &mut Effects<Effect>,
	) {
		if !accepted {
			let failure = Failure::Invalid(Reason::CannotFollowChain);
			return self.failed(now, scheduling_parent, candidate_hash, failure, effects);
		}
		let Some(job) = self.job(&scheduling_parent, &candidate_hash) else { return };
		let Some(receipt) = job.committed.clone() else { return };
		let payload = Statement::Seconded((*receipt).clone());
		if let Err(reason) = self.vote(now, scheduling_parent, candidate_hash, payload, effects) {
			self.not_seconded(now, scheduling_parent, candidate_hash, reason, effects);
		}
	}

	/// A valid candidate is not seconded. If others of our group seconded it, it still gets our vote.
	pub(crate) fn not_seconded(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		reason: Reason,
		effects: &mut Effects<Effect>,
	) {
		let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) else { return };
		let Some(job) = state.jobs.get(&candidate_hash) else { return };
		dropped(effects, now, reason, candidate_hash, job.receipt.descriptor.para_id, scheduling_parent);
		effects.push(Effect::CollationDropped { scheduling_parent, candidate_hash, reason });
		if state.attesting.contains_key(&candidate_hash) && !state.said.settled.contains(&candidate_hash) {
			return self.attest(now, scheduling_parent, candidate_hash, effects);
		}
		state.jobs.remove(&candidate_hash);
	}
}
