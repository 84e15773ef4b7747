//! All candidates of which a node knows, within bounds.

use crate::record::{is_proof, LossRecord, Outcome, Record, LOSSES_MAX, STAGES_MAX};
use headway_machine::{LeafContext, Loss, Reason, Sizes, Stage, Trace};
use headway_primitives::{CandidateHash, CoreIndex, ParaId};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	time::Duration,
};

/// How much is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
	/// Paras.
	pub paras: usize,
	/// Candidates of each.
	pub candidates_per_para: usize,
}

impl Default for Limits {
	/// 128 paras with 128 candidates each: with a parachain block every six seconds, the last twelve minutes.
	fn default() -> Self {
		Self { paras: 128, candidates_per_para: 128 }
	}
}

/// How often what was lost, and why: by the exact reason ([`Lifecycle::telling`]).
pub type Tally = BTreeMap<(Loss, Reason), u64>;

/// What happened to candidates, as far as traces tell.
///
/// # Bounds
///
/// | container | bound |
/// |---|---|
/// | paras | [`Limits::paras`]; the one of which nothing was heard for longest goes first, but never for a mere loss, which costs a peer no more than a message |
/// | candidates of a para | [`Limits::candidates_per_para`], the oldest goes first. Candidates that were only offered, by anybody who calls himself a collator, take at most half of them |
/// | records | see [`Record`]; with the default limits all together stay below 32 MiB |
/// | tallies | kinds of loss times reasons |
/// | unserved cores | claims in the claim queue of the newest leaf |
///
/// Messages about candidates that are not known are counted, and leave nothing else behind.
#[derive(Debug, Default)]
pub struct Lifecycle {
	limits: Limits,
	paras: BTreeMap<ParaId, Para>,
	owners: BTreeMap<CandidateHash, ParaId>,
	/// What was lost of no para, or of one that there is no room for.
	elsewhere: Tally,
	/// Cores that paras have claims on, but whose group has no validators, at the newest leaf.
	unserved: BTreeMap<ParaId, BTreeSet<CoreIndex>>,
	/// Counts traces: the clock of "longest ago".
	traces: u64,
}

#[derive(Debug, Default)]
struct Para {
	/// In the order in which they were first heard of.
	candidates: VecDeque<Record>,
	tally: Tally,
	/// What of that named no candidate.
	nameless_tally: Tally,
	/// The newest loss without a candidate's hash.
	nameless: Option<LossRecord>,
	last_active: u64,
}

impl Para {
	/// The candidate that one which is lost builds on, if it is known, and no such candidate was ever backed on the relay chain.
	fn parent_not_backed(&self, candidate: CandidateHash, lost: &Trace) -> Option<CandidateHash> {
		let known = self.candidates.iter().rev().find(|record| record.candidate == candidate)?;
		let parent_head = known.parent_head.or(lost.parent_head)?;
		let is_parent =
			|record: &&Record| record.output_head == Some(parent_head) && record.candidate != candidate;
		// The same head may be that of several, which a collator made one after the other.
		let mut parents = self.candidates.iter().rev().filter(is_parent);
		let newest = parents.next()?;
		let was_backed = newest.was_backed() || parents.any(Record::was_backed);
		(!was_backed).then_some(newest.candidate)
	}
}

/// A stage that a candidate just reached for the first time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advance {
	/// Its para.
	pub para: ParaId,
	/// The stage.
	pub stage: Stage,
	/// Time since it was first advertised, if this node knows when that was.
	pub since_advertised: Option<Duration>,
}

/// The newest loss of a para.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastLoss {
	/// The candidate, if one is known by hash.
	pub candidate: Option<CandidateHash>,
	/// The loss.
	pub loss: LossRecord,
}

/// What is known of a para.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParaSnapshot {
	/// The para.
	pub para: ParaId,
	/// How many of its candidates are remembered.
	pub known: usize,
	/// The newest ones, newest first.
	pub candidates: Vec<Record>,
	/// All losses since the node was started.
	pub tally: Tally,
	/// Those of them that named no candidate.
	pub nameless: Tally,
	/// The newest loss of a candidate that is still lost.
	pub last_loss: Option<LastLoss>,
	/// Its cores that have no validators, at the newest leaf: there are more cores than validators.
	pub cores_without_validators: BTreeSet<CoreIndex>,
}

impl Lifecycle {
	/// Nothing is known yet.
	pub fn new(limits: Limits) -> Self {
		Self { limits, ..Self::default() }
	}

	/// How full it is.
	pub fn sizes(&self) -> Sizes {
		let mut sizes = Sizes::of("lifecycle");
		let candidates_max = self.limits.candidates_per_para.max(2);
		sizes.note("paras", self.paras.len(), self.limits.paras.max(1));
		sizes.note(
			"owners",
			self.owners.len(),
			self.paras.values().map(|known| known.candidates.len()).sum(),
		);
		for known in self.paras.values() {
			sizes.note("candidates", known.candidates.len(), candidates_max);
			let offered = known.candidates.iter().filter(|record| !record.is_proven()).count();
			sizes.note("offered", offered, candidates_max / 2);
			for record in &known.candidates {
				sizes.note("stages", record.stages.len(), STAGES_MAX);
				sizes.note("losses", record.losses.len(), LOSSES_MAX);
			}
		}
		sizes
	}

	/// Takes a trace. Answers which stage a candidate reached by it, if that is new.
	pub fn record(&mut self, trace: &Trace) -> Option<Advance> {
		self.traces += 1;
		let advance = match trace.candidate {
			Some(candidate) => self.record_candidate(candidate, trace),
			None => {
				self.record_nameless(trace);
				None
			},
		};
		if let (Some((loss, _)), Some(reason)) = (trace.loss(), self.telling(trace)) {
			let owner = trace.candidate.and_then(|candidate| self.owners.get(&candidate).copied());
			let known = owner.or(trace.para).and_then(|para| self.paras.get_mut(&para));
			let count = |tally: &mut Tally| *tally.entry((loss, reason)).or_default() += 1;
			match known {
				Some(para) => {
					count(&mut para.tally);
					if trace.candidate.is_none() {
						count(&mut para.nameless_tally);
					}
				},
				None => count(&mut self.elsewhere),
			}
		}
		advance
	}

	/// Takes note of what a new leaf says of cores: on those that have no validators, nothing can be backed, and so nobody hears of a
	/// candidate.
	pub fn leaf(&mut self, leaf: &LeafContext) {
		self.unserved.clear();
		let block = &leaf.block;
		for (core, claims) in &block.claim_queue {
			if block.session.group(block.group_for_core(*core)).unwrap_or_default().is_empty() {
				for para in claims {
					self.unserved.entry(*para).or_default().insert(*core);
				}
			}
		}
	}

	/// Why something is lost, by a trace that was recorded: the exact reason, where the trace itself only says that the
	/// candidate cannot follow its chain. This is the reason under which it is counted.
	pub fn telling(&self, trace: &Trace) -> Option<Reason> {
		let record = trace.candidate.and_then(|candidate| self.candidate(&candidate));
		let exact = record.and_then(|record| record.telling(trace));
		exact.or_else(|| trace.loss().and_then(|_| trace.telling()))
	}

	fn record_candidate(&mut self, candidate: CandidateHash, trace: &Trace) -> Option<Advance> {
		let loss = trace.loss();
		let owner = self.owners.get(&candidate).copied();
		// Anybody can offer a candidate as one of another para. Who saw its receipt knows better.
		if let Some(owner) = owner.filter(|owner| trace.para.is_some_and(|para| para != *owner)) {
			if !is_proof(trace) || self.candidate(&candidate).is_some_and(Record::is_proven) {
				return None;
			}
			self.forget(owner, &candidate);
		}
		let para = match self.owners.get(&candidate) {
			Some(para) => *para,
			None => {
				let is_message = matches!(loss, Some((Loss::Message, _)));
				if is_message || matches!(trace.stage, Stage::Duplicate | Stage::NoPlace(_)) {
					return None;
				}
				let para = trace.para?;
				self.admit(para, loss.is_none())?;
				self.insert(Record::new(candidate, para), is_proof(trace));
				para
			},
		};
		let known = self.paras.get_mut(&para)?;
		let parent = match loss {
			Some(_) => known.parent_not_backed(candidate, trace),
			None => {
				known.last_active = self.traces;
				None
			},
		};
		let record = known.candidates.iter_mut().rev().find(|record| record.candidate == candidate)?;
		let stage = record.apply(trace, parent)?;
		Some(Advance { para, stage, since_advertised: record.since_advertised(stage) })
	}

	/// A loss that names no candidate: the para's, if it names one.
	fn record_nameless(&mut self, trace: &Trace) {
		let (Some((loss, reason)), Some(para)) = (trace.loss(), trace.para) else { return };
		if loss == Loss::Message || self.admit(para, false).is_none() {
			return;
		}
		let Some(known) = self.paras.get_mut(&para) else { return };
		let same = known.nameless.filter(|last| (last.subsystem, last.reason) == (trace.subsystem, reason));
		let (first, count) = same.map_or((trace.at, 0), |last| (last.first, last.count));
		known.nameless = Some(LossRecord {
			loss,
			reason,
			because: trace.telling().filter(|telling| *telling != reason),
			evidence: trace.evidence,
			subsystem: trace.subsystem,
			first,
			last: trace.at,
			count: count.saturating_add(1),
		});
	}

	/// What is known of a candidate.
	pub fn candidate(&self, candidate: &CandidateHash) -> Option<&Record> {
		let known = self.paras.get(self.owners.get(candidate)?)?;
		known.candidates.iter().rev().find(|record| record.candidate == *candidate)
	}

	/// What is known of a para, with its newest candidates.
	pub fn para(&self, para: ParaId, limit: usize) -> Option<ParaSnapshot> {
		let cores_without_validators = self.unserved.get(&para).cloned().unwrap_or_default();
		let nothing = Para::default();
		let known = match self.paras.get(&para) {
			Some(known) => known,
			None if cores_without_validators.is_empty() => return None,
			None => &nothing,
		};
		let of_candidates = known.candidates.iter().filter_map(|record| match record.outcome() {
			Outcome::Lost(loss) => Some(LastLoss { candidate: Some(record.candidate), loss }),
			_ => None,
		});
		let nameless = known.nameless.map(|loss| LastLoss { candidate: None, loss });
		Some(ParaSnapshot {
			para,
			known: known.candidates.len(),
			candidates: known.candidates.iter().rev().take(limit).cloned().collect(),
			tally: known.tally.clone(),
			nameless: known.nameless_tally.clone(),
			cores_without_validators,
			last_loss: of_candidates.chain(nameless).max_by_key(|last| last.loss.last),
		})
	}

	/// Paras of which something is known, ascending.
	#[cfg(any(test, feature = "fuzzing"))]
	pub(crate) fn paras(&self) -> impl Iterator<Item = ParaId> + '_ {
		self.paras.keys().copied()
	}

	/// What was lost of no para that is known.
	#[cfg(test)]
	pub(crate) fn elsewhere(&self) -> &Tally {
		&self.elsewhere
	}

	/// Makes room for a para. A mere loss does not push out another one.
	fn admit(&mut self, para: ParaId, may_evict: bool) -> Option<()> {
		if self.paras.contains_key(&para) {
			return Some(());
		}
		if self.paras.len() >= self.limits.paras.max(1) {
			if !may_evict {
				return None;
			}
			let (oldest, _) = self.paras.iter().min_by_key(|(_, known)| known.last_active)?;
			let oldest = *oldest;
			for record in self.paras.remove(&oldest)?.candidates {
				self.owners.remove(&record.candidate);
			}
		}
		self.paras.insert(para, Para::default());
		Some(())
	}

	fn insert(&mut self, record: Record, is_proven: bool) {
		let Some(known) = self.paras.get_mut(&record.para) else { return };
		let max = self.limits.candidates_per_para.max(2);
		let offered = |record: &Record| !record.is_proven();
		let mut gone = None;
		if !is_proven && known.candidates.iter().filter(|record| offered(record)).count() >= max / 2 {
			gone = known.candidates.iter().position(offered).and_then(|index| known.candidates.remove(index));
		} else if known.candidates.len() >= max {
			gone = known.candidates.pop_front();
		}
		if let Some(gone) = gone {
			self.owners.remove(&gone.candidate);
		}
		self.owners.insert(record.candidate, record.para);
		known.candidates.push_back(record);
	}

	fn forget(&mut self, owner: ParaId, candidate: &CandidateHash) {
		self.owners.remove(candidate);
		if let Some(known) = self.paras.get_mut(&owner) {
			known.candidates.retain(|record| record.candidate != *candidate);
		}
	}
}
