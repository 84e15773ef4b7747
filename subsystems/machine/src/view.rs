//! Our view: the active leaves and the blocks under them that candidates may be scheduled by.

use crate::{BlockContext, LeafContext, LeavesUpdate};
use headway_primitives::Hash;
use std::{collections::BTreeMap, sync::Arc};

/// Active leaves and their allowed ancestry (backing pipeline §1.10).
///
/// # Bounds
///
/// Filled by our own chain alone: at most one entry per active leaf, each with at most `scheduling_lookahead` blocks.
#[derive(Clone, Debug, Default)]
pub struct View {
	leaves: BTreeMap<Hash, Arc<LeafContext>>,
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
		before.into_keys().filter(|hash| !after.contains_key(hash)).collect()
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
