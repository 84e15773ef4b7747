//! Our view: the active leaves and the blocks under them that candidates may be scheduled by.

use crate::{BlockContext, BlockRef, Evidence, LeafContext, LeavesUpdate};
use headway_primitives::{BlockNumber, Hash};
use std::{
	collections::{BTreeMap, VecDeque},
	sync::Arc,
};

/// Blocks that left the view of which it is known when.
const LEFT_MAX: usize = 64;

/// Active leaves and their allowed ancestry (backing pipeline §1.10).
///
/// # Bounds
///
/// Filled by our own chain alone: at most one entry per active leaf, each with at most `scheduling_lookahead` blocks; and
/// the 64 blocks that left last.
#[derive(Clone, Debug, Default)]
pub struct View {
	leaves: BTreeMap<Hash, Arc<LeafContext>>,
	left: VecDeque<Left>,
}

/// A block that left the view.
#[derive(Clone, Copy, Debug)]
struct Left {
	block: BlockRef,
	parent: Hash,
	/// Number of the newest leaf then.
	at: BlockNumber,
	/// That it lost its fork, or that its session ended, if it was so.
	why: Option<Evidence>,
}

impl View {
	/// Applies an update. Answers the blocks that left the view: those that are no leaf and under no leaf any more.
	pub fn update(&mut self, update: &LeavesUpdate) -> Vec<Hash> {
		let before = self.blocks();
		if let Some(leaf) = &update.activated {
			// A leaf that appears and disappears in one update was never one.
			if !update.deactivated.contains(&leaf.hash()) {
				self.leaves.insert(leaf.hash(), leaf.clone());
			}
		}
		for hash in &update.deactivated {
			self.leaves.remove(hash);
		}
		let after = self.blocks();
		let at = self.newest();
		let left = before.values().filter(|block| !after.contains_key(&block.hash));
		let left: Vec<_> = left
			.map(|block| Left { block: block.to_ref(), parent: block.parent_hash, at, why: None })
			.collect();
		self.left.extend(&left);
		// Only now all blocks are known that lead to those that left.
		let first = self.left.len() - left.len();
		for (index, Left { block, .. }) in left.iter().enumerate() {
			self.left[first + index].why =
				before.get(&block.hash).and_then(|block| self.why_left(block, &after));
		}
		self.left.drain(..self.left.len().saturating_sub(LEFT_MAX));
		left.into_iter().map(|left| left.block.hash).collect()
	}

	/// Whether a block that leaves the view lost its fork, or its session ended; none if it only became too old.
	fn why_left(&self, block: &BlockContext, after: &BTreeMap<Hash, Arc<BlockContext>>) -> Option<Evidence> {
		let newest = self.leaves().map(|leaf| &leaf.block).max_by_key(|leaf| leaf.number)?;
		let parent = |hash: &Hash| {
			let left = || Some(self.left.iter().rev().find(|left| left.block.hash == *hash)?.parent);
			after.get(hash).map(|block| block.parent_hash).or_else(left)
		};
		let mut at = newest.to_ref();
		while at.number > block.number {
			let Some(hash) = parent(&at.hash) else { break };
			at = BlockRef { number: at.number - 1, hash };
		}
		if at.number == block.number && at.hash != block.hash {
			return Some(Evidence::LostFork { lost: block.to_ref(), instead: at });
		}
		let session = block.session.index;
		(session != newest.session.index).then(|| {
			// The first block whose children are in the next session is the last one of this.
			let next = newest.session.index;
			let later = after.values().filter(|block| block.session.index == next);
			let last = later.min_by_key(|block| block.number).map_or(newest.to_ref(), |block| block.to_ref());
			Evidence::SessionEnded { session, last, was_backed: false }
		})
	}

	/// Number of the newest leaf.
	fn newest(&self) -> BlockNumber {
		self.leaves().map(|leaf| leaf.block.number).max().unwrap_or_default()
	}

	/// Why, or else since when, a block is not in the view any more; none if it is, or left it too long ago, or never was.
	pub fn left(&self, hash: &Hash) -> Option<Evidence> {
		let Left { block, at, why, .. } = *self.left.iter().rev().find(|left| left.block.hash == *hash)?;
		let blocks_ago = self.newest().saturating_sub(at);
		let since = Evidence::LeftView { number: block.number, blocks_ago };
		(!self.contains(hash)).then_some(why.unwrap_or(since))
	}

	/// The active leaves, ascending by hash.
	pub fn leaves(&self) -> impl Iterator<Item = &Arc<LeafContext>> {
		self.leaves.values()
	}

	/// An active leaf.
	pub fn leaf(&self, hash: &Hash) -> Option<&Arc<LeafContext>> {
		self.leaves.get(hash)
	}

	/// A block in the view.
	pub fn block(&self, hash: &Hash) -> Option<&Arc<BlockContext>> {
		self.leaves.values().flat_map(|leaf| leaf.allowed_blocks()).find(|block| block.hash == *hash)
	}

	/// Whether a candidate may be scheduled by the block.
	pub fn contains(&self, hash: &Hash) -> bool {
		self.block(hash).is_some()
	}

	/// All blocks in the view.
	pub fn blocks(&self) -> BTreeMap<Hash, Arc<BlockContext>> {
		let blocks = self.leaves.values().flat_map(|leaf| leaf.allowed_blocks());
		blocks.map(|block| (block.hash, block.clone())).collect()
	}

	/// The leaves whose allowed ancestry contains the block (or that are the block), ascending by hash.
	pub fn leaves_with<'a>(&'a self, hash: &'a Hash) -> impl Iterator<Item = &'a Arc<LeafContext>> {
		self.leaves().filter(move |leaf| leaf.allowed_blocks().any(|block| block.hash == *hash))
	}
}

#[cfg(all(test, feature = "testing"))]
mod tests {
	use super::*;
	use crate::testing;
	use proptest::{collection::vec, prelude::*};
	use std::collections::BTreeSet;

	/// A leaf `fork * 100 + number` over blocks of fork 0.
	fn leaf(fork: u32, number: u32, ancestors: u32) -> Arc<LeafContext> {
		let session = testing::session(1, &[], Vec::new(), None);
		let block = |number| testing::block(number, &session, Default::default());
		let ancestry = (1..=ancestors).map(|back| Arc::new(block(number - back)));
		Arc::new(testing::leaf(block(fork * 100 + number), ancestry.collect()))
	}

	#[test]
	fn what_left_the_view_is_known_for_a_while_with_its_age() {
		let mut view = View::default();
		let follow = |view: &mut View, number: u32| {
			let deactivated = vec![testing::hash(u64::from(number) - 1)];
			view.update(&LeavesUpdate { activated: Some(leaf(0, number, 2)), deactivated });
		};
		(10..=14).for_each(|number| follow(&mut view, number));
		let left = |number, blocks_ago| Some(Evidence::LeftView { number, blocks_ago });
		assert_eq!(view.left(&testing::hash(11)), left(11, 0));
		assert_eq!(view.left(&testing::hash(9)), left(9, 2));
		assert_eq!((view.left(&testing::hash(12)), view.left(&testing::hash(7))), (None, None));
		(15..=14 + LEFT_MAX as u32).for_each(|number| follow(&mut view, number));
		assert_eq!((view.left(&testing::hash(11)), view.left.len()), (None, LEFT_MAX));
	}

	#[test]
	fn a_block_that_lost_its_fork_is_told_with_the_one_that_has_its_place() {
		let mut view = View::default();
		let follow = |view: &mut View, leaf: Arc<LeafContext>, gone: &[u64]| {
			let deactivated = gone.iter().map(|block| testing::hash(*block)).collect();
			view.update(&LeavesUpdate { activated: Some(leaf), deactivated })
		};
		// The fork's block 110 is not followed by any other. Finality goes past it when its number left the ancestry already.
		let fork = |number| {
			let mut leaf = (*leaf(1, number, 0)).clone();
			let block = BlockContext { number, parent_hash: testing::hash(9), ..(*leaf.block).clone() };
			leaf.block = Arc::new(block);
			Arc::new(leaf)
		};
		follow(&mut view, leaf(0, 10, 2), &[]);
		follow(&mut view, fork(10), &[]);
		(11..=14).for_each(|number| drop(follow(&mut view, leaf(0, number, 2), &[u64::from(number) - 1])));
		assert!(view.contains(&testing::hash(110)));
		assert_eq!(follow(&mut view, leaf(0, 15, 2), &[14, 110]), [testing::hash(12), testing::hash(110)]);
		let block = |hash| BlockRef { number: 10, hash: testing::hash(hash) };
		let lost = Some(Evidence::LostFork { lost: block(110), instead: block(10) });
		assert_eq!(view.left(&testing::hash(110)), lost);
		assert_eq!(view.left(&testing::hash(12)), Some(Evidence::LeftView { number: 12, blocks_ago: 0 }));
	}

	#[test]
	fn the_end_of_a_session_is_told_of_what_left_the_view_with_it() {
		let mut view = View::default();
		view.update(&LeavesUpdate { activated: Some(leaf(0, 10, 2)), deactivated: Vec::new() });
		let mut next = (*leaf(0, 11, 0)).clone();
		let session = testing::session(2, &[], Vec::new(), None);
		next.block = Arc::new(BlockContext { session, ..(*next.block).clone() });
		let last = next.block.to_ref();
		let update = LeavesUpdate { activated: Some(Arc::new(next)), deactivated: vec![testing::hash(10)] };
		view.update(&update);
		let ended = Some(Evidence::SessionEnded { session: 1, last, was_backed: false });
		for block in [8, 9, 10] {
			assert_eq!(view.left(&testing::hash(block)), ended);
		}
	}

	proptest! {
		#![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

		#[test]
		fn what_leaves_the_view_is_told_once_and_nothing_else(
			updates in vec((0..3u32, 10..16u32, 0..4u32, any::<bool>(), vec((0..3u32, 10..16u32), 0..4)), 1..40)
		) {
			let mut view = View::default();
			let mut leaves = BTreeMap::<Hash, BTreeSet<Hash>>::new();
			for (fork, number, ancestors, activates, gone) in updates {
				let activated = activates.then(|| leaf(fork, number, ancestors));
				let deactivated: Vec<Hash> =
					gone.into_iter().map(|(fork, number)| testing::hash((fork * 100 + number).into())).collect();
				let before: BTreeSet<Hash> = leaves.values().flatten().copied().collect();
				if let Some(leaf) = &activated {
					leaves.insert(leaf.hash(), leaf.allowed_blocks().map(|block| block.hash).collect());
				}
				leaves.retain(|hash, _| !deactivated.contains(hash));
				let after: BTreeSet<Hash> = leaves.values().flatten().copied().collect();

				let left = view.update(&LeavesUpdate { activated, deactivated });
				prop_assert_eq!(left, before.difference(&after).copied().collect::<Vec<_>>());
				prop_assert!(view.blocks().keys().eq(after.iter()));
				for number in 0..400 {
					let hash = testing::hash(number);
					prop_assert_eq!(view.contains(&hash), after.contains(&hash));
					let over: Vec<Hash> = view.leaves_with(&hash).map(|leaf| leaf.hash()).collect();
					let expected = leaves.iter().filter(|(_, blocks)| blocks.contains(&hash)).map(|(leaf, _)| *leaf);
					prop_assert_eq!(over, expected.collect::<Vec<_>>());
				}
			}
		}
	}
}
