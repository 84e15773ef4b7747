//! A candidate's way through validation and storage, the same for seconding and attesting (backing pipeline
//! §3.4).

use crate::{
	dropped,
	state::{Job, Purpose},
	Backing, Effect, Question, Step,
};
use headway_machine::{
	Effects, ExecutionKind, Reason, StoreDataError, StoreDataRequest, Timestamp, Token, ValidateRequest,
	ValidationFailed, ValidationOutcome,
};
use headway_primitives::{
	AvailableData, CandidateDescriptorVersion, CandidateHash, CommittedCandidateReceiptV2, ExecutorParams,
	Hash, PoV,
};
use std::sync::Arc;

/// Why a job ends without a vote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
	/// The candidate is invalid.
	Invalid(Reason),
	/// It is not known whether it is.
	Undecided(Reason),
}

impl Backing {
	/// Takes the answer's token back. None if the job is gone, or waits for something else.
	pub(crate) fn answered(&mut self, token: &Token, step: Step) -> Option<(Hash, CandidateHash)> {
		let Some(Question::Job { scheduling_parent, candidate_hash, step: waits_for }) =
			self.questions.get(token).copied()
		else {
			return None;
		};
		if waits_for != step {
			return None;
		}
		self.questions.remove(token);
		let job = self.scheduling_parents.get_mut(&scheduling_parent)?.jobs.get_mut(&candidate_hash)?;
		job.waits_for = None;
		Some((scheduling_parent, candidate_hash))
	}

	/// Hands out a token for a job's next step.
	pub(crate) fn ask_for_job(
		&mut self,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		step: Step,
	) -> Token {
		let token = self.ask(Question::Job { scheduling_parent, candidate_hash, step });
		if let Some(job) = self.job(&scheduling_parent, &candidate_hash) {
			job.waits_for = Some(token);
		}
		token
	}

	pub(crate) fn job(
		&mut self,
		scheduling_parent: &Hash,
		candidate_hash: &CandidateHash,
	) -> Option<&mut Job> {
		self.scheduling_parents.get_mut(scheduling_parent)?.jobs.get_mut(candidate_hash)
	}

	/// Validates the candidate of a job that has its proof of validity.
	pub(crate) fn validate(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		pov: Arc<PoV>,
		effects: &mut Effects<Effect>,
	) {
		let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) else { return };
		let session = state.block.session.clone();
		let Some(job) = state.jobs.get_mut(&candidate_hash) else { return };
		job.pov = Some(pov.clone());
		let (receipt, validation_data) = (job.receipt.clone(), job.validation_data.clone());
		// Only version 3 can tell the session of its relay parent from that of its scheduling parent. What a
		// descriptor claims about them is checked by candidate validation.
		let execution_session = match receipt.descriptor.version() {
			CandidateDescriptorVersion::V3 => receipt.descriptor.session_index,
			_ => session.index,
		};
		let executor_params: Option<Arc<ExecutorParams>> = if execution_session == session.index {
			Some(session.executor_params.clone())
		} else {
			self.executor_params.get(&execution_session).cloned()
		};
		let Some(executor_params) = executor_params else {
			let failure = Failure::Undecided(Reason::UnknownSession);
			return self.failed(now, scheduling_parent, candidate_hash, failure, effects);
		};
		let kind = match receipt.descriptor.para_id.is_system() {
			true => ExecutionKind::BackingSystemParas,
			false => ExecutionKind::Backing,
		};
		let token = self.ask_for_job(scheduling_parent, candidate_hash, Step::Validate);
		let scheduling_session = session.index;
		let request =
			ValidateRequest { receipt, validation_data, pov, executor_params, scheduling_session, kind };
		effects.push(Effect::Validate { token, request });
	}

	/// The verdict is there. A valid candidate's data is stored before anything is signed.
	pub(crate) fn validated(
		&mut self,
		now: Timestamp,
		token: Token,
		result: Result<ValidationOutcome, ValidationFailed>,
		effects: &mut Effects<Effect>,
	) {
		let Some((scheduling_parent, candidate_hash)) = self.answered(&token, Step::Validate) else { return };
		let commitments = match result {
			Ok(ValidationOutcome::Valid { commitments, .. }) => commitments,
			Ok(ValidationOutcome::Invalid(reason)) => {
				let failure = Failure::Invalid(reason);
				return self.failed(now, scheduling_parent, candidate_hash, failure, effects);
			},
			Err(ValidationFailed { reason }) => {
				let failure = Failure::Undecided(reason);
				return self.failed(now, scheduling_parent, candidate_hash, failure, effects);
			},
		};
		let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) else { return };
		let Some(core_index) = state.local.as_ref().and_then(|local| local.core) else { return };
		let (session, node_features) = (state.block.session.clone(), state.block.node_features.clone());
		let Some(job) = state.jobs.get_mut(&candidate_hash) else { return };
		let Some(pov) = job.pov.take() else { return };
		let descriptor = job.receipt.descriptor.clone();
		let expected_erasure_root = descriptor.erasure_root;
		let validation_data = (*job.validation_data).clone();
		job.committed
			.get_or_insert_with(|| Arc::new(CommittedCandidateReceiptV2 { descriptor, commitments }));
		let data = StoreDataRequest {
			candidate_hash,
			n_validators: session.n_validators(),
			data: Arc::new(AvailableData { pov, validation_data }),
			expected_erasure_root,
			core_index,
			node_features,
		};
		let token = self.ask_for_job(scheduling_parent, candidate_hash, Step::Store);
		effects.push(Effect::StoreAvailableData { token, data });
	}

	/// The data is stored: now it can be promised.
	pub(crate) fn data_stored(
		&mut self,
		now: Timestamp,
		token: Token,
		result: Result<(), StoreDataError>,
		effects: &mut Effects<Effect>,
	) {
		let Some((scheduling_parent, candidate_hash)) = self.answered(&token, Step::Store) else { return };
		let Some(job) = self.job(&scheduling_parent, &candidate_hash) else { return };
		match (result, job.purpose) {
			(Ok(()), Purpose::Second) => self.check_sanity(scheduling_parent, candidate_hash, effects),
			(Ok(()), Purpose::Attest) => self.attest(now, scheduling_parent, candidate_hash, effects),
			(Err(error), _) => {
				let failure = match error {
					StoreDataError::ErasureRootMismatch => Failure::Invalid(Reason::ErasureRootMismatch),
					StoreDataError::Encoding(reason) => Failure::Undecided(reason),
					StoreDataError::Failed => Failure::Undecided(Reason::StorageFailed),
				};
				self.failed(now, scheduling_parent, candidate_hash, failure, effects);
			},
		}
	}

	/// Ends a job without a vote.
	pub(crate) fn failed(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		failure: Failure,
		effects: &mut Effects<Effect>,
	) {
		let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) else { return };
		let Some(job) = state.jobs.remove(&candidate_hash) else { return };
		let para = job.receipt.descriptor.para_id;
		match (job.purpose, failure) {
			// Whoever sent the wrong bytes must not decide about our vote.
			(Purpose::Attest, Failure::Invalid(reason @ Reason::PovHashMismatch)) => {
				self.attest_from_next(now, scheduling_parent, candidate_hash, reason, effects)
			},
			(Purpose::Attest, Failure::Invalid(reason)) => {
				state.said.settled.insert(candidate_hash);
				state.attesting.remove(&candidate_hash);
				dropped(effects, now, reason, candidate_hash, para, scheduling_parent);
			},
			// A failure of ours: tried again with the next voter, who may have voted already or votes later.
			(Purpose::Attest, Failure::Undecided(reason)) => {
				self.attest_from_next(now, scheduling_parent, candidate_hash, reason, effects)
			},
			// Not settled: if a member of our group seconds it later, it is validated once more.
			(Purpose::Second, Failure::Invalid(reason)) => {
				state.attesting.remove(&candidate_hash);
				dropped(effects, now, reason, candidate_hash, para, scheduling_parent);
				effects.push(Effect::CollationInvalid { scheduling_parent, receipt: job.receipt, reason });
			},
			(Purpose::Second, Failure::Undecided(reason)) => {
				dropped(effects, now, reason, candidate_hash, para, scheduling_parent);
				effects.push(Effect::CollationDropped { scheduling_parent, candidate_hash, reason });
				if state.attesting.contains_key(&candidate_hash) {
					self.attest_from_next(now, scheduling_parent, candidate_hash, reason, effects);
				}
			},
		}
	}
}
