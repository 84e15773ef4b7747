//! A statement's way into the table, and a new candidate's way to prospective parachains (backing pipeline
//! §3.6).

use crate::{
	dropped, reached,
	state::Candidate,
	table::{Import, Summary, Vote},
	Backing, Effect, Question, NAME,
};
use headway_machine::{
	Effects, IntroducedCandidate, Misbehavior, MisbehaviorReport, Reason, Stage, StatementWithPvd, Timestamp,
	Trace,
};
use headway_primitives::{
	CandidateHash, CommittedCandidateReceiptV2, CoreIndex, Hash, PersistedValidationData, Statement,
	UncheckedSigned, ValidatorIndex, ValidatorSignature,
};
use std::{collections::BTreeSet, sync::Arc};

/// A statement that passed all checks but the table's.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
	validator: ValidatorIndex,
	vote: Vote,
	signature: ValidatorSignature,
}

/// What waits for the introduction of a candidate.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {
	/// A statement of somebody else.
	Statement(Checked),
	/// Our own job: the candidate is about to be seconded.
	OwnSecond,
}

/// A candidate that prospective parachains were told of and did not answer for yet.
#[derive(Clone, Debug)]
pub(crate) struct Introduction {
	candidate: Candidate,
	/// In the order in which they came.
	waiting: Vec<Waiting>,
}

impl Introduction {
	/// Scheduling parent of the candidate.
	pub(crate) fn scheduling_parent(&self) -> Hash {
		self.candidate.scheduling_parent
	}

	/// How much waits.
	pub(crate) fn n_waiting(&self) -> usize {
		self.waiting.len()
	}
}

impl Backing {
	/// Handles a statement of somebody else.
	pub(crate) fn statement(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		statement: StatementWithPvd,
		effects: &mut Effects<Effect>,
	) {
		let StatementWithPvd { statement, validation_data } = statement;
		let candidate_hash = statement.payload().candidate_hash();
		let statement = statement.into_unchecked();
		let core =
			match self.check(&scheduling_parent, candidate_hash, &statement, validation_data.as_deref()) {
				Ok(core) => core,
				Err(reason) => {
					return drop_statement(effects, now, reason, candidate_hash, scheduling_parent)
				},
			};
		let UncheckedSigned { payload, validator_index: validator, signature } = statement;
		let vote = match payload {
			Statement::Seconded(receipt) => Vote::Seconded(Arc::new(receipt), core),
			Statement::Valid(_) => Vote::Valid,
		};
		let statement = Checked { validator, vote: vote.clone(), signature };

		if let Some(introduction) = self.introductions.get_mut(&candidate_hash) {
			let n_validators =
				self.scheduling_parents.get(&scheduling_parent).map(|s| s.block.session.n_validators());
			let full = introduction.waiting.len() >= 2 * n_validators.unwrap_or_default();
			let reason = if introduction.candidate.scheduling_parent != scheduling_parent {
				// Its signature is for another block: in a backed candidate it would be worth nothing.
				Reason::CandidateMismatch
			} else if full {
				Reason::CapacityReached
			} else {
				introduction.waiting.push(Waiting::Statement(statement));
				return;
			};
			return drop_statement(effects, now, reason, candidate_hash, scheduling_parent);
		}
		match (vote, validation_data) {
			(Vote::Seconded(receipt, _), Some(validation_data))
				if !self.candidates.contains_key(&candidate_hash) =>
			{
				let waiting = Waiting::Statement(statement);
				self.introduce(scheduling_parent, candidate_hash, receipt, validation_data, waiting, effects);
			},
			_ => self.count(now, scheduling_parent, candidate_hash, statement, effects),
		}
	}

	/// What can be said against a statement before it goes to the table. Answers the core of the signer's group.
	fn check(
		&self,
		scheduling_parent: &Hash,
		candidate_hash: CandidateHash,
		statement: &UncheckedSigned<Statement>,
		validation_data: Option<&PersistedValidationData>,
	) -> Result<CoreIndex, Reason> {
		let state = self.scheduling_parents.get(scheduling_parent).ok_or(Reason::UnknownSchedulingParent)?;
		if state.block.is_disabled(statement.validator_index) {
			return Err(Reason::DisabledValidator);
		}
		let core = state.core_of(statement.validator_index).ok_or(Reason::NotAssigned)?;
		let Statement::Seconded(CommittedCandidateReceiptV2 { descriptor, .. }) = &statement.payload else {
			return Ok(core);
		};
		descriptor.check_version(self.v3_ever_seen).map_err(|_| Reason::DescriptorVersion)?;
		if descriptor.scheduling_parent() != *scheduling_parent {
			return Err(Reason::CandidateMismatch);
		}
		if !state.is_scheduled(core, descriptor.para_id) {
			return Err(Reason::ParaNotScheduled);
		}
		// In the table, not only known to prospective parachains: our own vote may still be on its way to the disk.
		if state.table.receipt(&candidate_hash).is_some() {
			return Ok(core);
		}
		// On another core than it names the runtime takes no candidate; to count it there would lock out the
		// votes of the group whose candidate it is.
		if descriptor.core_index().is_some_and(|named| named != core) {
			return Err(Reason::NotAssigned);
		}
		// Nothing of a new candidate may be left behind if the table would not take it.
		let introduced = self.introduced_by(scheduling_parent, statement.validator_index);
		if !state.table.may_second(statement.validator_index, introduced) {
			return Err(Reason::CapacityReached);
		}
		if validation_data.map(|data| data.hash()) != Some(descriptor.persisted_validation_data_hash) {
			return Err(Reason::ValidationDataMismatch);
		}
		Ok(core)
	}

	/// How many candidates that a validator seconded wait for prospective parachains' answer.
	fn introduced_by(&self, scheduling_parent: &Hash, validator: ValidatorIndex) -> usize {
		let by = |waiting: &Waiting| matches!(waiting, Waiting::Statement(Checked { validator: by, vote: Vote::Seconded(..), .. }) if *by == validator);
		let here = self.introductions.values().filter(|introduction| {
			introduction.candidate.scheduling_parent == *scheduling_parent
				&& introduction.waiting.iter().any(by)
		});
		here.count()
	}

	/// Tells prospective parachains of a candidate that they do not know. `waiting` goes on when they accept it.
	pub(crate) fn introduce(
		&mut self,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		receipt: Arc<CommittedCandidateReceiptV2>,
		validation_data: Arc<PersistedValidationData>,
		waiting: Waiting,
		effects: &mut Effects<Effect>,
	) {
		if let Some(introduction) = self.introductions.get_mut(&candidate_hash) {
			introduction.waiting.push(waiting);
			return;
		}
		let candidate = Candidate {
			scheduling_parent,
			para: receipt.descriptor.para_id,
			validation_data: validation_data.clone(),
			seconded_locally: false,
		};
		self.introductions.insert(candidate_hash, Introduction { candidate, waiting: vec![waiting] });
		let token = self.ask(Question::Introduce { candidate_hash });
		let candidate = IntroducedCandidate { receipt, validation_data };
		effects.push(Effect::Introduce { token, candidate });
	}

	/// Prospective parachains answered for a candidate.
	pub(crate) fn introduced(
		&mut self,
		now: Timestamp,
		token: headway_machine::Token,
		accepted: bool,
		effects: &mut Effects<Effect>,
	) {
		let Some(Question::Introduce { candidate_hash }) = self.questions.get(&token).copied() else {
			return;
		};
		self.questions.remove(&token);
		let Some(Introduction { candidate, waiting }) = self.introductions.remove(&candidate_hash) else {
			return;
		};
		let scheduling_parent = candidate.scheduling_parent;
		if accepted {
			self.candidates.insert(candidate_hash, candidate);
		}
		for waiting in waiting {
			match waiting {
				Waiting::Statement(statement) if accepted => {
					self.count(now, scheduling_parent, candidate_hash, statement, effects)
				},
				Waiting::Statement(_) => {
					drop_statement(effects, now, Reason::CannotFollowChain, candidate_hash, scheduling_parent)
				},
				Waiting::OwnSecond => {
					self.own_introduced(now, scheduling_parent, candidate_hash, accepted, effects)
				},
			}
		}
	}

	/// Forgets what waits at scheduling parents that left the view. Jobs of ours were told before.
	pub(crate) fn forget_introductions(
		&mut self,
		now: Timestamp,
		gone: &BTreeSet<Hash>,
		effects: &mut Effects<Effect>,
	) {
		let mut forgotten = BTreeSet::new();
		self.introductions.retain(|candidate_hash, introduction| {
			let Candidate { scheduling_parent, para, .. } = introduction.candidate;
			if !gone.contains(&scheduling_parent) {
				return true;
			}
			dropped(effects, now, Reason::OutOfView, *candidate_hash, para, scheduling_parent);
			forgotten.insert(*candidate_hash);
			false
		});
		self.questions.retain(|_, question| {
			!matches!(question, Question::Introduce { candidate_hash } if forgotten.contains(candidate_hash))
		});
	}

	/// Counts somebody else's statement, and considers to vote as well.
	fn count(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		statement: Checked,
		effects: &mut Effects<Effect>,
	) {
		let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) else { return };
		let Checked { validator, vote, signature } = statement;
		let seconds = matches!(vote, Vote::Seconded(..));
		let summary = match state.table.import(candidate_hash, validator, vote, signature) {
			Import::Counted(summary) => summary,
			Import::Known => return,
			Import::NotSeconded => {
				return drop_statement(
					effects,
					now,
					Reason::UnexpectedMessage,
					candidate_hash,
					scheduling_parent,
				)
			},
			Import::CapacityReached => {
				return drop_statement(
					effects,
					now,
					Reason::CapacityReached,
					candidate_hash,
					scheduling_parent,
				)
			},
			Import::Misbehavior(misbehavior) => {
				let reason = match &misbehavior {
					Misbehavior::UnauthorizedStatement => Reason::NotAssigned,
					Misbehavior::DoubleSign | Misbehavior::ValidityDoubleVote => Reason::DuplicateMessage,
				};
				let report = MisbehaviorReport { scheduling_parent, validator, candidate_hash, misbehavior };
				effects.push(Effect::Misbehavior(report));
				return drop_statement(effects, now, reason, candidate_hash, scheduling_parent);
			},
		};
		self.counted(now, scheduling_parent, candidate_hash, summary, effects);
		self.consider_attesting(
			now,
			scheduling_parent,
			candidate_hash,
			validator,
			seconds,
			summary.core,
			effects,
		);
	}

	/// Announces a candidate when it first has enough votes.
	pub(crate) fn counted(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		summary: Summary,
		effects: &mut Effects<Effect>,
	) {
		let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) else { return };
		let Some(Candidate { para, .. }) = self.candidates.get(&candidate_hash) else { return };
		if summary.attested && state.backed.insert(candidate_hash) {
			effects.push(Effect::CandidateBacked { para: *para, candidate_hash });
			effects.push(Effect::Backed { candidate_hash });
			reached(effects, now, Stage::Backable, candidate_hash, *para, scheduling_parent);
		}
	}
}

/// Notes that a statement is dropped.
pub(crate) fn drop_statement(
	effects: &mut Effects<Effect>,
	now: Timestamp,
	reason: Reason,
	candidate_hash: CandidateHash,
	scheduling_parent: Hash,
) {
	let trace = Trace::new(now, NAME, Stage::Dropped(reason));
	effects.trace(trace.candidate(candidate_hash).scheduling_parent(scheduling_parent));
}
