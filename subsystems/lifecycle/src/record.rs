//! What is known of one candidate.

use headway_machine::{BlockRef, Evidence, Loss, Reason, Stage, Timestamp, Trace, RELAY_CHAIN};
use headway_primitives::{CandidateHash, Hash, ParaId};
use std::time::Duration;

/// Losses of a candidate that are told apart.
pub const LOSSES_MAX: usize = 8;
/// More than there are kinds of [`Stage`].
pub(crate) const STAGES_MAX: usize = 20;

/// What is known of a candidate.
///
/// # Bounds
///
/// `stages`: one per kind of [`Stage`], fewer than `STAGES_MAX`. `losses`: [`LOSSES_MAX`] by machine and reason; of more, the one that
/// was not heard of for longest goes, invalidity last. Together below 2 KiB.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
	/// The candidate.
	pub candidate: CandidateHash,
	/// Its para.
	pub para: ParaId,
	/// Its scheduling parent.
	pub scheduling_parent: Option<Hash>,
	/// Its relay parent, once its receipt was seen. Only descriptors of version 3 have another one than the scheduling parent.
	pub relay_parent: Option<Hash>,
	/// Hash of the head that it builds on.
	pub parent_head: Option<Hash>,
	/// Hash of the head that it produces, once its receipt was seen.
	pub output_head: Option<Hash>,
	/// Stages, in the order in which it reached them first.
	pub stages: Vec<Reached>,
	/// What was lost, in the order in which it happened first.
	pub losses: Vec<LossRecord>,
	/// Why prospective parachains last had no place for it, and what that rests on.
	pub no_place: Option<(Reason, Option<Evidence>)>,
	/// The loss that nothing good came after.
	lost: Option<(&'static str, Reason)>,
	/// The last word of the relay chain.
	on_chain: Option<Stage>,
}

/// A stage that a candidate reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reached {
	/// The stage.
	pub stage: Stage,
	/// When first.
	pub first: Timestamp,
	/// How often it was heard of.
	pub count: u32,
	/// The machine that told of it first.
	pub subsystem: &'static str,
	/// For what the relay chain says: the first block that says it.
	pub block: Option<BlockRef>,
}

/// A loss, as often as it happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LossRecord {
	/// What was lost.
	pub loss: Loss,
	/// Why.
	pub reason: Reason,
	/// What lies behind that, if more is known: what exactly was in the way of what cannot follow its chain, that the session
	/// ended or a fork was lost, or that the parent was never backed.
	pub because: Option<Reason>,
	/// What [`Self::telling`] rests on, if it can be named.
	pub evidence: Option<Evidence>,
	/// The machine that dropped it.
	pub subsystem: &'static str,
	/// When first.
	pub first: Timestamp,
	/// When last.
	pub last: Timestamp,
	/// How often.
	pub count: u32,
}

impl LossRecord {
	/// What says most: the exact reason if there is one.
	pub fn telling(&self) -> Reason {
		self.because.unwrap_or(self.reason)
	}

	/// Why, in plain words: the end of a sentence that begins with "because".
	pub fn explanation(&self) -> String {
		self.telling().explanation_with(self.evidence)
	}
}

/// What came of a candidate, as far as this node knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
	/// It is on its way, and was last seen at this stage.
	Underway(Stage),
	/// It is lost here.
	Lost(LossRecord),
	/// It is backed on the relay chain and waits for availability.
	Backed,
	/// It was taken off its core.
	TimedOut,
	/// It is included.
	Included,
	/// It is included in a finalized block.
	Finalized,
}

impl Outcome {
	/// As a label.
	pub fn label(&self) -> &'static str {
		match self {
			Self::Underway(_) => "underway",
			Self::Lost(_) => "lost",
			Self::Backed => "backed",
			Self::TimedOut => "timed_out",
			Self::Included => "included",
			Self::Finalized => "finalized",
		}
	}
}

impl Record {
	/// A candidate of which nothing is known yet.
	pub(crate) fn new(candidate: CandidateHash, para: ParaId) -> Self {
		Self {
			candidate,
			para,
			scheduling_parent: None,
			relay_parent: None,
			parent_head: None,
			output_head: None,
			stages: Vec::new(),
			losses: Vec::new(),
			no_place: None,
			lost: None,
			on_chain: None,
		}
	}

	/// Takes a trace about it; `parent` is the candidate that it builds on, if that was never backed on the relay chain. Answers
	/// the stage, if it reached it for the first time.
	pub(crate) fn apply(&mut self, trace: &Trace, parent: Option<CandidateHash>) -> Option<Stage> {
		self.learn(trace);
		if let Some((loss, reason)) = trace.loss() {
			self.lose(trace, loss, reason, parent);
			return None;
		}
		match trace.stage {
			Stage::Duplicate => return None,
			Stage::NoPlace(reason) => {
				self.no_place = Some((reason, trace.evidence));
				return None;
			},
			_ if !is_heard(trace) => return None,
			stage => self.lost = self.lost.filter(|(_, reason)| !revives(stage, *reason)),
		}
		match (self.on_chain, trace.stage) {
			(Some(Stage::Finalized), _) | (Some(Stage::Included), Stage::Backed | Stage::TimedOut) => {},
			(_, stage) if stage.is_on_chain() => self.on_chain = Some(stage),
			_ => {},
		}
		if let Some(reached) = self.stages.iter_mut().find(|reached| reached.stage == trace.stage) {
			reached.count = reached.count.saturating_add(1);
			return None;
		}
		self.stages.push(Reached {
			stage: trace.stage,
			first: trace.at,
			count: 1,
			subsystem: trace.subsystem,
			block: trace.block,
		});
		Some(trace.stage)
	}

	/// Takes over what a trace says of what the candidate rests on. Who saw the receipt knows better than who was offered it.
	fn learn(&mut self, trace: &Trace) {
		let known = (self.scheduling_parent, self.parent_head);
		let told = (trace.scheduling_parent, trace.parent_head);
		let (first, second) = if trace.relay_parent.is_some() { (told, known) } else { (known, told) };
		self.scheduling_parent = first.0.or(second.0);
		self.parent_head = first.1.or(second.1);
		self.relay_parent = self.relay_parent.or(trace.relay_parent);
		self.output_head = self.output_head.or(trace.output_head);
	}

	fn lose(&mut self, trace: &Trace, loss: Loss, reason: Reason, parent: Option<CandidateHash>) {
		if loss != Loss::Message {
			if trace.subsystem == "prospective-parachains" {
				self.no_place = Some((reason, trace.evidence));
			}
			self.lost = Some((trace.subsystem, reason));
		}
		// What the relay chain takes back is not on it any more.
		if trace.subsystem == RELAY_CHAIN {
			self.on_chain = self.on_chain.filter(|stage| !takes_back(reason, *stage));
		}
		let (because, evidence) = self.behind(reason, trace.evidence, parent);
		let known = |known: &&mut LossRecord| (known.subsystem, known.reason) == (trace.subsystem, reason);
		if let Some(known) = self.losses.iter_mut().find(known) {
			known.count = known.count.saturating_add(1);
			known.last = trace.at;
			if because.is_some() || known.because.is_none() {
				known.because = because;
				known.evidence = evidence.or(known.evidence);
			}
			return;
		}
		if self.losses.len() >= LOSSES_MAX {
			let weight = |record: &LossRecord| (record.loss == Loss::Invalid, record.last);
			let least = (0..self.losses.len()).min_by_key(|index| weight(&self.losses[*index]));
			least.map(|index| self.losses.remove(index));
		}
		self.losses.push(LossRecord {
			loss,
			reason,
			because,
			evidence,
			subsystem: trace.subsystem,
			first: trace.at,
			last: trace.at,
			count: 1,
		});
	}

	/// What lies behind a reason, and what that rests on.
	fn behind(
		&self,
		reason: Reason,
		evidence: Option<Evidence>,
		parent: Option<CandidateHash>,
	) -> (Option<Reason>, Option<Evidence>) {
		let proven = |evidence: Option<Evidence>| evidence.and_then(|evidence| evidence.reason());
		let exact =
			self.no_place.filter(|(exact, _)| reason == Reason::CannotFollowChain && *exact != reason);
		let (because, evidence) = match exact {
			Some((exact, evidence)) => (Some(proven(evidence).unwrap_or(exact)), evidence),
			None => (proven(evidence).filter(|proven| *proven != reason), evidence),
		};
		match parent {
			Some(candidate) if waits_for_parent(because.unwrap_or(reason)) => {
				(Some(Reason::ParentNotBacked), Some(Evidence::Parent { candidate }))
			},
			_ => (because, evidence),
		}
	}

	/// Whether it was ever backed on the relay chain, as far as this node saw.
	pub(crate) fn was_backed(&self) -> bool {
		self.on_chain.is_some() || self.reached(Stage::Backed).is_some()
	}

	/// Why the candidate of a trace of a loss, which was taken note of, is lost: the exact reason if there is one.
	pub(crate) fn telling(&self, trace: &Trace) -> Option<Reason> {
		let (_, reason) = trace.loss()?;
		let known =
			self.losses.iter().find(|loss| (loss.subsystem, loss.reason) == (trace.subsystem, reason));
		known.map(LossRecord::telling)
	}

	/// When it reached a stage first.
	pub fn reached(&self, stage: Stage) -> Option<&Reached> {
		self.stages.iter().find(|reached| reached.stage == stage)
	}

	/// When this node first heard of it.
	pub fn first_seen(&self) -> Timestamp {
		let stages = self.stages.iter().map(|reached| reached.first);
		stages.chain(self.losses.iter().map(|loss| loss.first)).min().unwrap_or_default()
	}

	/// Time from its first advertisement to its first time at a stage.
	pub fn since_advertised(&self, stage: Stage) -> Option<Duration> {
		Some(self.reached(stage)?.first.since(self.reached(Stage::Advertised)?.first))
	}

	/// The newest loss that took the candidate, not just a message.
	pub fn last_loss(&self) -> Option<&LossRecord> {
		self.losses.iter().filter(|loss| loss.loss != Loss::Message).max_by_key(|loss| loss.last)
	}

	/// What came of it.
	pub fn outcome(&self) -> Outcome {
		match self.on_chain {
			Some(Stage::Finalized) => return Outcome::Finalized,
			Some(Stage::Included) => return Outcome::Included,
			Some(Stage::TimedOut) => return Outcome::TimedOut,
			Some(_) => return Outcome::Backed,
			None => {},
		}
		match self.cause() {
			Some(loss) => Outcome::Lost(*loss),
			None => Outcome::Underway(self.stages.last().map_or(Stage::Advertised, |reached| reached.stage)),
		}
	}

	/// The loss that explains why the candidate is lost, if it is: invalidity before all, else the one that came last.
	fn cause(&self) -> Option<&LossRecord> {
		let lost = self.lost?;
		let invalid = self.losses.iter().rfind(|loss| loss.loss == Loss::Invalid);
		invalid.or_else(|| self.losses.iter().find(|loss| (loss.subsystem, loss.reason) == lost))
	}

	/// Whether somebody knew more of it than that it was offered: its receipt was seen, or it is on chain.
	pub(crate) fn is_proven(&self) -> bool {
		self.stages.iter().any(|reached| proves(reached.stage))
	}
}

/// Whether a trace, once it is applied, shows that the candidate's receipt was seen, so that para and hash belong together.
pub(crate) fn is_proof(trace: &Trace) -> bool {
	proves(trace.stage) && is_heard(trace)
}

/// Whether a stage is taken from whoever tells of it: what is on chain is told by the relay chain, once per block.
fn is_heard(trace: &Trace) -> bool {
	!trace.stage.is_on_chain() || trace.subsystem == RELAY_CHAIN
}

/// Whether a stage is only reached by candidates whose receipt was seen.
fn proves(stage: Stage) -> bool {
	match stage {
		Stage::Advertised
		| Stage::Fetching
		| Stage::NoPlace(_)
		| Stage::Duplicate
		| Stage::ChunkStored
		| Stage::Dropped(_) => false,
		Stage::Built
		| Stage::Fetched
		| Stage::Validated
		| Stage::Seconded
		| Stage::Statement
		| Stage::Introduced
		| Stage::Backable
		| Stage::Provisioned
		| Stage::Backed
		| Stage::Available
		| Stage::Included
		| Stage::TimedOut
		| Stage::Finalized => true,
	}
}

/// Whether a stage is a sign of life after a loss.
fn revives(stage: Stage, lost: Reason) -> bool {
	match stage {
		// Anybody can offer a candidate again, and its data is kept whatever becomes of it.
		Stage::Advertised | Stage::ChunkStored | Stage::Available => false,
		// An execution that was under way ends, whatever happened meanwhile.
		Stage::Validated => {
			!matches!(lost, Reason::OutOfView | Reason::SchedulingParentNotInScope | Reason::SessionEnded)
		},
		_ => true,
	}
}

/// Whether a reason of the relay chain means that the candidate is not, or never was, what it was on chain.
fn takes_back(reason: Reason, on_chain: Stage) -> bool {
	match on_chain {
		Stage::Backed => true,
		Stage::Included => reason == Reason::RelayForkLost,
		_ => false,
	}
}

/// Whether a candidate that is lost for a reason may have waited in vain for the one that it builds on.
fn waits_for_parent(reason: Reason) -> bool {
	matches!(
		reason,
		Reason::OutOfView
			| Reason::SchedulingParentNotInScope
			| Reason::UnknownParentHead
			| Reason::NotBacked
	)
}
