//! Attesting: fetching, from those who voted, what is needed to vote ourselves (backing pipeline §3.6, steps
//! 8 and 9).

use crate::{
	dropped,
	import::drop_statement,
	state::{Job, Purpose},
	Backing, Effect, Step,
};
use headway_machine::{Effects, Reason, Timestamp, Token};
use headway_primitives::{CandidateHash, CoreIndex, Hash, PoV, Statement, ValidatorIndex};
use std::sync::Arc;

impl Backing {
	/// Somebody's vote was counted: considers to vote for the same candidate.
	#[allow(clippy::too_many_arguments)]
	pub(crate) fn consider_attesting(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		voter: ValidatorIndex,
		seconds: bool,
		core: CoreIndex,
		effects: &mut Effects<Effect>,
	) {
		let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) else { return };
		let Some(local) = state.enabled_local() else { return };
		if local.index == voter {
			// Our own vote, from before a restart: another one would look like double voting.
			state.said.heard_of(candidate_hash, seconds);
			return;
		}
		if local.core != Some(core) {
			return;
		}
		if state.said.settled.contains(&candidate_hash) && !state.jobs.contains_key(&candidate_hash) {
			return self.vote_again(now, scheduling_parent, candidate_hash, effects);
		}
		if seconds {
			state.attesting.entry(candidate_hash).or_default().sources.push_back(voter);
		} else if let Some(attesting) = state.attesting.get_mut(&candidate_hash) {
			attesting.sources.push_back(voter);
		}
		let waits =
			state.attesting.contains_key(&candidate_hash) && !state.jobs.contains_key(&candidate_hash);
		if waits {
			self.attest_from_next(now, scheduling_parent, candidate_hash, Reason::PovUnavailable, effects);
		}
	}

	/// Asks the next voter for the proof of validity. Without one, notes `reason` and waits for a later vote.
	pub(crate) fn attest_from_next(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		reason: Reason,
		effects: &mut Effects<Effect>,
	) {
		let Some(candidate) = self.candidates.get(&candidate_hash) else { return };
		let (para, validation_data) = (candidate.para, candidate.validation_data.clone());
		let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) else { return };
		let session = state.block.session.clone();
		let (Some(receipt), Some(attesting)) =
			(state.table.receipt(&candidate_hash).cloned(), state.attesting.get_mut(&candidate_hash))
		else {
			return;
		};
		let key = loop {
			let Some(voter) = attesting.sources.pop_front() else {
				return dropped(effects, now, reason, candidate_hash, para, scheduling_parent);
			};
			if let Some(key) = session.discovery_key(voter) {
				break key.clone();
			}
		};
		let pov_hash = receipt.descriptor.pov_hash;
		let job = Job {
			purpose: Purpose::Attest,
			receipt: receipt.to_plain(),
			validation_data,
			pov: None,
			committed: Some(receipt),
			signed: None,
			waits_for: None,
		};
		state.jobs.insert(candidate_hash, job);
		let token = self.ask_for_job(scheduling_parent, candidate_hash, Step::Fetch);
		effects.push(Effect::FetchPoV {
			token,
			from: key,
			candidate_hash,
			pov_hash,
			scheduling_parent,
			para,
		});
	}

	/// A voter gave the proof of validity, or did not.
	pub(crate) fn pov_fetched(
		&mut self,
		now: Timestamp,
		token: Token,
		pov: Option<Arc<PoV>>,
		effects: &mut Effects<Effect>,
	) {
		let Some((scheduling_parent, candidate_hash)) = self.answered(&token, Step::Fetch) else { return };
		if let Some(pov) = pov {
			return self.validate(now, scheduling_parent, candidate_hash, pov, effects);
		}
		if let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) {
			state.jobs.remove(&candidate_hash);
		}
		self.attest_from_next(now, scheduling_parent, candidate_hash, Reason::PovUnavailable, effects);
	}

	/// The candidate is valid and its data is stored: votes for it.
	pub(crate) fn attest(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		effects: &mut Effects<Effect>,
	) {
		if let Some(job) = self.job(&scheduling_parent, &candidate_hash) {
			job.purpose = Purpose::Attest;
		}
		let payload = Statement::Valid(candidate_hash);
		if let Err(reason) = self.vote(now, scheduling_parent, candidate_hash, payload, effects) {
			drop_statement(effects, now, reason, candidate_hash, scheduling_parent);
			if let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) {
				state.said.settled.insert(candidate_hash);
			}
			self.end_job(&scheduling_parent, &candidate_hash);
		}
	}
}
