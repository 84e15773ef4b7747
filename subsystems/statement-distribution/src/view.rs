//! The blocks that statements are exchanged at: active leaves, their allowed ancestry, and former leaves that peers may
//! still be at (backing pipeline §1.10).

use headway_machine::{LeafContext, LeavesUpdate};
use headway_primitives::{BlockNumber, Hash};
use std::collections::BTreeMap;

/// Blocks below a leaf that are retained at least, however short the allowed ancestry is.
const RETAINED_MIN: BlockNumber = 2;

#[derive(Debug)]
struct Block {
	number: BlockNumber,
	/// The block and its allowed ancestry, newest first, if it is or was a leaf.
	allowed: Option<Vec<Hash>>,
}

/// Blocks that are retained.
///
/// # Bounds
///
/// Filled by our own chain alone: blocks of active leaves' last few heights, forks included.
#[derive(Debug, Default)]
pub(crate) struct RetainedView {
	/// Lowest number that each leaf wants retained.
	leaves: BTreeMap<Hash, BlockNumber>,
	blocks: BTreeMap<Hash, Block>,
}

impl RetainedView {
	/// Applies an update; a leaf that appears and disappears in one update was never one.
	pub(crate) fn update(&mut self, update: &LeavesUpdate) {
		if let Some(leaf) =
			update.activated.as_ref().filter(|leaf| !update.deactivated.contains(&leaf.hash()))
		{
			self.activate(leaf);
		}
		for hash in &update.deactivated {
			self.leaves.remove(hash);
		}
		match self.leaves.values().min() {
			Some(min) => self.blocks.retain(|_, block| block.number >= *min),
			None => self.blocks.clear(),
		}
	}

	fn activate(&mut self, leaf: &LeafContext) {
		let number = leaf.block.number;
		let ancestry = leaf.allowed_ancestry.len() as BlockNumber;
		self.leaves.insert(leaf.hash(), number.saturating_sub(ancestry.max(RETAINED_MIN)));
		for block in leaf.allowed_blocks() {
			self.blocks.entry(block.hash).or_insert(Block { number: block.number, allowed: None });
		}
		if let Some(block) = self.blocks.get_mut(&leaf.hash()) {
			block.allowed = Some(leaf.allowed_blocks().map(|block| block.hash).collect());
		}
	}

	/// Whether a block is an active leaf.
	pub(crate) fn is_leaf(&self, hash: &Hash) -> bool {
		self.leaves.contains_key(hash)
	}

	/// Whether a block is retained.
	pub(crate) fn contains(&self, hash: &Hash) -> bool {
		self.blocks.contains_key(hash)
	}

	/// The retained blocks that somebody whose head is `head` works on, ascending.
	///
	/// Of a block that never was our leaf, we know only what is below it in the ancestry of one that was: that is less than
	/// its own allowed ancestry, never more.
	pub(crate) fn allowed_under(&self, head: &Hash) -> Vec<Hash> {
		let Some(block) = self.blocks.get(head) else { return Vec::new() };
		let through_descendants = || {
			let all = self.blocks.values().filter_map(|block| block.allowed.as_ref());
			all.flat_map(|allowed| allowed.iter().skip_while(|hash| *hash != head))
				.copied()
				.collect::<Vec<_>>()
		};
		let mut allowed = block.allowed.clone().unwrap_or_else(through_descendants);
		allowed.retain(|hash| self.contains(hash));
		allowed.sort();
		allowed.dedup();
		allowed
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::testing::{block, hash, leaf, session};
	use std::sync::Arc;

	fn activate(number: u32, ancestry: u32, deactivated: &[u64]) -> LeavesUpdate {
		let session = session(1, &[], vec![], None);
		let make = |number| block(number, &session, Default::default());
		let ancestors = (1..=ancestry).map(|back| Arc::new(make(number - back))).collect();
		LeavesUpdate {
			activated: Some(Arc::new(leaf(make(number), ancestors))),
			deactivated: deactivated.iter().copied().map(hash).collect(),
		}
	}

	fn numbers(hashes: impl IntoIterator<Item = Hash>) -> Vec<u64> {
		hashes.into_iter().map(|hash| hash.to_low_u64_be()).collect()
	}

	#[test]
	fn former_leaves_are_retained_as_long_as_a_leaf_wants_their_height() {
		let mut view = RetainedView::default();
		view.update(&activate(10, 2, &[]));
		view.update(&activate(11, 2, &[10]));
		assert!(!view.is_leaf(&hash(10)) && view.is_leaf(&hash(11)));
		assert!(view.contains(&hash(9)) && !view.contains(&hash(8)));
		assert_eq!(numbers(view.allowed_under(&hash(10))), [9, 10]);
		view.update(&LeavesUpdate { activated: None, deactivated: vec![hash(11)] });
		assert!(!view.contains(&hash(11)), "without leaves nothing is retained");
	}

	#[test]
	fn a_head_stands_for_its_allowed_ancestry() {
		let mut view = RetainedView::default();
		view.update(&activate(10, 2, &[]));
		assert_eq!(numbers(view.allowed_under(&hash(10))), [8, 9, 10]);
		// Nine was never a leaf; below it, eight is known.
		assert_eq!(numbers(view.allowed_under(&hash(9))), [8, 9]);
		assert!(view.allowed_under(&hash(77)).is_empty());
	}

	#[test]
	fn a_leaf_that_comes_and_goes_in_one_update_was_never_one() {
		let mut view = RetainedView::default();
		view.update(&activate(10, 2, &[10]));
		assert!(!view.contains(&hash(10)));
	}

	#[test]
	fn a_leaf_without_ancestry_retains_two_heights() {
		let mut view = RetainedView::default();
		for number in 10..14 {
			view.update(&activate(number, 0, &[u64::from(number) - 1]));
		}
		assert_eq!([10, 11, 12, 13].map(|n| view.contains(&hash(n))), [false, true, true, true]);
		assert_eq!(numbers(view.allowed_under(&hash(12))), [12]);
	}
}
