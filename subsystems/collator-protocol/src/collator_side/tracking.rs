//! What becomes of a collation after a validator fetched it: backed in time, and included, or not.
//!
//! What becomes of it once it is backed is for the relay chain to say: whether it timed out, or lost its fork, or its session
//! ended, cannot be told from how long it takes.

use super::{Effect, NAME};
use headway_machine::{Effects, Evidence, LeafContext, Reason, Sizes, Stage, Timestamp, Trace, View};
use headway_primitives::{BlockNumber, CandidateEvent, CandidateHash, Hash, ParaId};
use std::collections::BTreeMap;

/// Relay blocks within which a fetched collation is expected to be backed.
const BACKED_WITHIN: BlockNumber = 3;
/// Relay blocks for which a fetched collation is followed.
const FOLLOWED_FOR: BlockNumber = 10;
/// Collations that are followed at a time.
const TRACKED_MAX: usize = 256;

/// Follows collations that were fetched.
///
/// # Bounds
///
/// `tracked`: [`TRACKED_MAX`] of our own collations, each for at most [`FOLLOWED_FOR`] blocks.
#[derive(Debug, Default)]
pub(super) struct Tracker {
	newest: BlockNumber,
	tracked: BTreeMap<CandidateHash, Tracked>,
}

#[derive(Debug)]
struct Tracked {
	para: ParaId,
	scheduling_parent: Hash,
	since: BlockNumber,
	is_backed: bool,
}

impl Tracked {
	fn trace(&self, now: Timestamp, candidate: CandidateHash, stage: Stage) -> Trace {
		Trace::new(now, NAME, stage)
			.candidate(candidate)
			.para(self.para)
			.scheduling_parent(self.scheduling_parent)
	}
}

impl Tracker {
	#[cfg(test)]
	pub(super) fn len(&self) -> usize {
		self.tracked.len()
	}

	/// Notes how full it is.
	pub(super) fn sizes(&self, sizes: &mut Sizes) {
		sizes.note("tracked", self.tracked.len(), TRACKED_MAX);
	}

	/// Follows a collation from now on.
	pub(super) fn track(
		&mut self,
		now: Timestamp,
		candidate: CandidateHash,
		para: ParaId,
		scheduling_parent: Hash,
		effects: &mut Effects<Effect>,
	) {
		if self.tracked.len() >= TRACKED_MAX && !self.tracked.contains_key(&candidate) {
			effects.trace(
				Trace::new(now, NAME, Stage::Dropped(Reason::CapacityReached))
					.candidate(candidate)
					.para(para),
			);
			return;
		}
		let since = self.newest;
		self.tracked.entry(candidate).or_insert(Tracked { para, scheduling_parent, since, is_backed: false });
	}

	/// Looks into a new leaf, which is in the view already.
	pub(super) fn leaf(
		&mut self,
		now: Timestamp,
		leaf: &LeafContext,
		view: &View,
		effects: &mut Effects<Effect>,
	) {
		self.newest = self.newest.max(leaf.block.number);
		if self.tracked.is_empty() {
			return;
		}
		for event in &leaf.candidate_events {
			match event {
				CandidateEvent::CandidateBacked(receipt, ..) => {
					let hash = receipt.hash();
					if let Some(tracked) = self.tracked.get_mut(&hash).filter(|tracked| !tracked.is_backed) {
						tracked.is_backed = true;
						effects.trace(tracked.trace(now, hash, Stage::Backed));
					}
				},
				CandidateEvent::CandidateIncluded(receipt, ..) => {
					let hash = receipt.hash();
					if let Some(tracked) = self.tracked.remove(&hash) {
						effects.trace(tracked.trace(now, hash, Stage::Included));
					}
				},
				CandidateEvent::CandidateTimedOut(receipt, ..) => {
					let hash = receipt.hash();
					if let Some(tracked) = self.tracked.remove(&hash) {
						effects.trace(tracked.trace(now, hash, Stage::TimedOut));
					}
				},
			}
		}
		let newest = self.newest;
		self.tracked.retain(|hash, tracked| {
			let age = newest.saturating_sub(tracked.since);
			if tracked.is_backed {
				return age <= FOLLOWED_FOR;
			}
			let evidence = left_for_good(view, &tracked.scheduling_parent);
			if evidence.is_none() && age <= BACKED_WITHIN {
				return true;
			}
			let trace = tracked.trace(now, *hash, Stage::Dropped(Reason::NotBacked));
			effects.trace(trace.evidence(evidence));
			false
		});
	}
}

/// That a scheduling parent lost its fork, or that its session ended, if it is so: nothing that it scheduled can be backed.
pub(super) fn left_for_good(view: &View, scheduling_parent: &Hash) -> Option<Evidence> {
	view.left(scheduling_parent).filter(|left| left.reason().is_some())
}
