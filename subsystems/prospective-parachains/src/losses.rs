//! Which candidates lost their last place, and that this is said once of each.
//!
//! A candidate is lost when the last leaf that knew it knows it no more; one that only former leaves knew, when
//! the last of them is gone. A candidate that the relay chain has taken over is not lost: what becomes of it is
//! on chain.

use crate::{
	candidate::Candidate, chain::Dropped, machine::about, scheduling_parent::SchedulingParent, Effect,
};
use headway_machine::{Effects, Evidence, Reason, Stage, Timestamp, View};
use headway_primitives::{CandidateHash, Hash, ParaId};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// Candidates that an event took from a leaf or a former leaf. Nobody else can be lost by it.
#[derive(Debug, Default)]
pub(crate) struct Touched(BTreeMap<CandidateHash, Touch>);

#[derive(Debug)]
struct Touch {
	candidate: Arc<Candidate>,
	reason: Reason,
	evidence: Option<Evidence>,
	/// Whether a leaf knew it before the event.
	was_at_leaf: bool,
}

impl Touched {
	/// Notes a candidate that went with its block. Several blocks may have lost it at once: the first says why.
	pub(crate) fn out_of_view(&mut self, candidate: &Arc<Candidate>, was_at_leaf: bool) {
		self.add(candidate, Reason::OutOfView, None, was_at_leaf);
	}

	/// Notes a candidate that a chain has no place for any more.
	pub(crate) fn dropped(&mut self, Dropped { candidate, refusal }: &Dropped, was_at_leaf: bool) {
		let evidence = refusal.evidence(candidate.parent_head_hash);
		self.add(candidate, refusal.reason(), evidence, was_at_leaf);
	}

	fn add(
		&mut self,
		candidate: &Arc<Candidate>,
		reason: Reason,
		evidence: Option<Evidence>,
		was_at_leaf: bool,
	) {
		let first = || Touch { candidate: candidate.clone(), reason, evidence, was_at_leaf: false };
		self.0.entry(candidate.hash).or_insert_with(first).was_at_leaf |= was_at_leaf;
	}
}

/// Scheduling parents after an event, and those that went with it.
#[derive(Clone, Copy)]
pub(crate) struct Change<'a> {
	pub(crate) scheduling_parents: &'a BTreeMap<Hash, SchedulingParent>,
	pub(crate) active_leaves: &'a BTreeSet<Hash>,
	pub(crate) removed: &'a [SchedulingParent],
	pub(crate) view: &'a View,
}

impl Change<'_> {
	fn is_known(&self, para: ParaId, hash: &CandidateHash) -> bool {
		self.scheduling_parents.values().any(|at| at.contains(para, hash))
	}

	fn is_at_leaf(&self, para: ParaId, hash: &CandidateHash) -> bool {
		let mut leaves = self.active_leaves.iter().filter_map(|leaf| self.scheduling_parents.get(leaf));
		leaves.any(|at| at.contains(para, hash))
	}

	fn passed_on(&self, para: ParaId, hash: &CandidateHash) -> bool {
		self.scheduling_parents.values().chain(self.removed).any(|at| at.passed_on(para, hash))
	}
}

/// Remembers of which candidates nothing is to be said any more.
///
/// # Bounds
///
/// | container | bound |
/// |---|---|
/// | settled | candidates in the chains |
#[derive(Debug, Default)]
pub(crate) struct Losses {
	/// Candidates that are lost, or the relay chain's, but that a former leaf still knows.
	settled: BTreeMap<CandidateHash, ParaId>,
}

impl Losses {
	/// Of how many candidates nothing is to be said any more.
	pub(crate) fn n_settled(&self) -> usize {
		self.settled.len()
	}

	/// A leaf knows the candidate (again).
	pub(crate) fn revive(&mut self, hash: &CandidateHash) {
		self.settled.remove(hash);
	}

	/// The candidates of a new leaf are alive.
	pub(crate) fn revive_at(&mut self, leaf: &SchedulingParent) {
		self.settled.retain(|hash, para| !leaf.contains(*para, hash));
	}

	/// Says which of the candidates are lost now.
	pub(crate) fn settle(
		&mut self,
		now: Timestamp,
		touched: Touched,
		change: Change<'_>,
		effects: &mut Effects<Effect>,
	) {
		for (hash, Touch { candidate, reason, evidence, was_at_leaf }) in touched.0 {
			let para = candidate.receipt.descriptor.para_id;
			if change.is_at_leaf(para, &hash) {
				continue;
			}
			let is_known = change.is_known(para, &hash);
			if is_known && !was_at_leaf {
				continue;
			}
			let was_settled = match is_known {
				true => self.settled.insert(hash, para).is_some(),
				false => self.settled.remove(&hash).is_some(),
			};
			if !was_settled && !change.passed_on(para, &hash) {
				let left = || match reason {
					Reason::OutOfView | Reason::SchedulingParentNotInScope => {
						change.view.left(&candidate.scheduling_parent)
					},
					_ => None,
				};
				let evidence = evidence.or_else(left);
				effects.trace(about(now, Stage::Dropped(reason), &candidate).evidence(evidence));
			}
		}
	}
}
