//! Which collation takes which position of the claim queue (backing pipeline §5.5, "Planner").
//!
//! A [`Lane`] is the queue of one core at one leaf. What a block schedules can be backed at the leaf's child and
//! later, but only as long as the block is an allowed scheduling parent: a block that is `k` behind the leaf
//! reaches the first `lookahead - k` positions, its window. So positions at the back are filled first, as only
//! the newest blocks reach them; what is left at the front all can use.

use headway_machine::LeafContext;
use headway_primitives::{CoreIndex, Hash, ParaId};
use std::collections::{BTreeMap, BTreeSet};

/// The claim queue of a core at a leaf, with what takes its positions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Lane {
	/// The paras of the free positions; as long as the lookahead, with nothing where the queue is shorter.
	free: Vec<Option<ParaId>>,
	/// How many positions each block reaches, for the blocks at which we hold the core.
	windows: BTreeMap<Hash, usize>,
}

impl Lane {
	/// The lanes of a leaf: one for each core that we hold at a block under it.
	pub(super) fn of_leaf(leaf: &LeafContext) -> Vec<Self> {
		let blocks: Vec<_> = leaf
			.allowed_blocks()
			.enumerate()
			.filter_map(|(behind, block)| Some((behind, block.hash, block.local_assignment()?.1)))
			.collect();
		let cores: BTreeSet<CoreIndex> = blocks.iter().map(|(_, _, core)| *core).collect();
		let lookahead = leaf.scheduling_lookahead as usize;
		let lane = |core| {
			let of_core = blocks.iter().filter(|(_, _, at)| *at == core);
			let queue: Vec<ParaId> =
				leaf.block.claim_queue.get(&core).into_iter().flatten().copied().collect();
			Self::new(
				&queue,
				lookahead,
				of_core.map(|(behind, hash, _)| (*hash, lookahead.saturating_sub(*behind))),
			)
		};
		cores.into_iter().map(lane).collect()
	}

	fn new(queue: &[ParaId], lookahead: usize, windows: impl Iterator<Item = (Hash, usize)>) -> Self {
		let free = (0..lookahead).map(|depth| queue.get(depth).copied()).collect();
		Self { free, windows: windows.collect() }
	}

	/// The paras that a block can still schedule, occupied positions included if none were taken yet.
	pub(super) fn paras_in_window(&self, at: &Hash) -> impl Iterator<Item = ParaId> + '_ {
		self.free.iter().take(self.window(at)).copied().flatten()
	}

	/// How many positions a block reaches; none if it is not on the path, or if we hold another core there.
	pub(super) fn window(&self, at: &Hash) -> usize {
		self.windows.get(at).copied().unwrap_or(0)
	}

	/// The blocks at which we hold the core.
	pub(super) fn blocks(&self) -> impl Iterator<Item = &Hash> {
		self.windows.keys()
	}

	/// Gives positions to what was fetched already, or is being fetched: narrowest window first, so that it finds
	/// room where only it can; each as far back as it reaches, so that the front stays free. What finds no room
	/// is stale, and forgiven.
	pub(super) fn occupy<'a>(&mut self, consumers: impl Iterator<Item = (&'a Hash, ParaId)>) {
		let mut consumers: Vec<_> = consumers.map(|(at, para)| (self.window(at), para)).collect();
		consumers.sort_by_key(|(window, _)| *window);
		for (window, para) in consumers {
			let mut reached = self.free.iter_mut().take(window).rev();
			if let Some(position) = reached.find(|position| **position == Some(para)) {
				*position = None;
			}
		}
	}

	/// The free positions with their paras, from the back.
	pub(super) fn free_from_the_back(&self) -> impl Iterator<Item = (usize, ParaId)> + '_ {
		self.free.iter().enumerate().rev().filter_map(|(depth, para)| Some((depth, (*para)?)))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::testing::hash;

	const A: ParaId = ParaId(b'A' as u32);

	/// A lane over blocks `1..=n` with the queue in letters.
	fn lane(queue: &str, lookahead: usize, n: u64) -> Lane {
		let queue: Vec<_> = queue.bytes().map(|b| ParaId(b.into())).collect();
		let windows = (1..=n).map(|block| (hash(block), lookahead - (n - block) as usize));
		Lane::new(&queue, lookahead, windows)
	}

	fn free_after(queue: &str, consumers: &[u64]) -> Vec<usize> {
		let mut lane = lane(queue, 3, 3);
		let consumers: Vec<_> = consumers.iter().map(|at| hash(*at)).collect();
		lane.occupy(consumers.iter().map(|at| (at, A)));
		lane.free_from_the_back().filter(|(_, para)| *para == A).map(|(depth, _)| depth).collect()
	}

	#[test]
	fn narrow_windows_are_placed_first_and_each_as_far_back_as_it_reaches() {
		let cases: [(&str, &[u64], &[usize]); 9] = [
			("AAA", &[], &[2, 1, 0]),
			("AAA", &[1], &[2, 1]),
			("AAA", &[2], &[2, 0]),
			("AAA", &[3], &[1, 0]),
			// In whatever order they are told.
			("AAA", &[3, 1], &[1]),
			("AAA", &[3, 2, 1], &[]),
			("AAA", &[2, 2], &[2]),
			// Only the first position is in the window of block 1: the second one is stale.
			("AAA", &[1, 1], &[2, 1]),
			("ABA", &[2], &[2]),
		];
		for (queue, consumers, free) in cases {
			assert_eq!(free_after(queue, consumers), free, "{queue} with {consumers:?}");
		}
	}

	#[test]
	fn positions_missing_in_the_queue_are_unavailable_and_windows_follow_the_lookahead() {
		let short = lane("AA", 3, 2);
		assert_eq!(short.free_from_the_back().count(), 2);
		assert_eq!([1, 2, 9].map(|at| short.window(&hash(at))), [2, 3, 0]);
		assert_eq!(short.paras_in_window(&hash(1)).count(), 2);
	}
}
