//! Which block to build on: the decision, without I/O.
//!
//! What the relay chain has is certain: the included head, and behind it the heads of candidates that wait for availability. Behind
//! those may follow our own blocks which the relay chain may still back. A block is beyond hope when its relay parent has left
//! the window of relay parents that the leaf allows, or is older than that of the block it is built on (which happens when the same
//! parent was built once more, later); whatever was built on it goes with it, and building starts again from what the relay chain has.

use codec::DecodeAll;
use headway_metronome_pvf::Head;
use headway_primitives::{BlockNumber, Hash, HeadData};
use std::collections::{BTreeSet, VecDeque};

/// Blocks that are not included yet, per core, before the collator waits.
pub const UNINCLUDED_MAX_PER_CORE: usize = 3;
/// Own blocks that are remembered.
const BLOCKS_MAX: usize = 256;

/// What the relay chain says about the para, at a leaf.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OnChain {
	/// The included head.
	pub included: HeadData,
	/// The candidates that wait for availability, each on top of the one before.
	pub pending: Vec<Pending>,
	/// Whether candidates may only build on the included head.
	pub synchronous: bool,
	/// The leaf and those ancestors of it that candidates may still have as relay parent.
	pub window: BTreeSet<Hash>,
	/// How many cores the para has at the leaf.
	pub cores: usize,
}

/// A candidate that waits for availability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pending {
	/// Its head.
	pub head: HeadData,
	/// What it does.
	pub effects: Effects,
}

/// What a block that is not included yet does: the relay chain's state does not tell of it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Effects {
	/// Number of its relay parent: all messages of other paras up to it are processed.
	pub relay_parent_number: BlockNumber,
	/// Messages of the relay chain that it processes.
	pub processed_downward: u32,
	/// Messages that it sends to other paras.
	pub sent: u32,
	/// Whether it proposes code.
	pub proposes_code: bool,
}

/// A block of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
struct OwnBlock {
	head: Head,
	relay_parent: Hash,
	effects: Effects,
}

/// The newest blocks that we built.
///
/// # Bounds
///
/// At most 256 blocks, the newest: far more than can be unincluded at a time. Nobody else adds any.
#[derive(Clone, Debug, Default)]
pub struct OwnBlocks(VecDeque<OwnBlock>);

impl OwnBlocks {
	/// Remembers a block built at this relay parent.
	pub fn insert(&mut self, head: Head, relay_parent: Hash, effects: Effects) {
		if self.0.len() == BLOCKS_MAX {
			self.0.pop_front();
		}
		self.0.push_back(OwnBlock { head, relay_parent, effects });
	}

	/// Forgets a block that came to nothing.
	pub fn remove(&mut self, hash: &[u8; 32]) {
		self.0.retain(|block| block.head.hash() != *hash);
	}

	/// The longest chain of our blocks behind `tip` that may still be backed; among equals, the newest. `tip` has a relay parent
	/// of the number `at_least`: relay parents never go back along a chain.
	fn chain_behind(&self, tip: [u8; 32], at_least: BlockNumber, window: &BTreeSet<Hash>) -> Vec<&OwnBlock> {
		let children = self.0.iter().filter(|block| block.head.parent_hash == tip);
		let alive = children.filter(|block| {
			window.contains(&block.relay_parent) && block.effects.relay_parent_number >= at_least
		});
		let chains = alive.map(|block| {
			let mut chain = vec![block];
			let at_least = block.effects.relay_parent_number;
			chain.extend(self.chain_behind(block.head.hash(), at_least, window));
			chain
		});
		// `max_by_key` takes the last of equals, and the newest are last.
		chains.max_by_key(Vec::len).unwrap_or_default()
	}
}

/// What to build on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parent {
	/// The parent.
	pub head: Head,
	/// What the blocks between the included head and the new block do, oldest first.
	pub unincluded: Vec<Effects>,
}

/// Why no block is built.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum Skip {
	/// Synchronous backing, and a candidate waits for availability.
	#[error("a candidate is pending, and backing is synchronous")]
	Pending,
	/// Too many blocks are not included yet.
	#[error("too many blocks are not included yet")]
	Full,
	/// The head on the relay chain is not one of this parachain.
	#[error("the head on the relay chain is not one of this parachain: was the para registered with another genesis head?")]
	ForeignHead,
}

impl Skip {
	/// As metric label.
	pub fn label(self) -> &'static str {
		match self {
			Self::Pending => "pending",
			Self::Full => "full",
			Self::ForeignHead => "foreign_head",
		}
	}
}

/// Chooses the parent of the next block.
pub fn choose_parent(on_chain: &OnChain, own: &OwnBlocks) -> Result<Parent, Skip> {
	let tip = on_chain.pending.last().map_or(&on_chain.included, |pending| &pending.head);
	let tip = Head::decode_all(&mut &tip.0[..]).map_err(|_| Skip::ForeignHead)?;
	if on_chain.synchronous {
		return if on_chain.pending.is_empty() {
			Ok(Parent { head: tip, unincluded: Vec::new() })
		} else {
			Err(Skip::Pending)
		};
	}
	// Behind the included head nothing is too old that the window allows.
	let at_least = on_chain.pending.last().map_or(0, |pending| pending.effects.relay_parent_number);
	let chain = own.chain_behind(tip.hash(), at_least, &on_chain.window);
	let pending = on_chain.pending.iter().map(|pending| pending.effects);
	let unincluded: Vec<_> = pending.chain(chain.iter().map(|block| block.effects)).collect();
	if unincluded.len() >= UNINCLUDED_MAX_PER_CORE * on_chain.cores {
		return Err(Skip::Full);
	}
	let head = chain.last().map_or(tip, |block| block.head.clone());
	Ok(Parent { head, unincluded })
}

/// A parent that is lost already: the included head, if a candidate on it waits for availability. None if there is no such
/// candidate, or none may be waiting.
pub fn lost_parent(on_chain: &OnChain) -> Option<Parent> {
	let is_lost = !on_chain.synchronous && !on_chain.pending.is_empty();
	let head = Head::decode_all(&mut &on_chain.included.0[..]).ok().filter(|_| is_lost)?;
	Some(Parent { head, unincluded: Vec::new() })
}

#[cfg(test)]
mod tests {
	use super::*;
	use codec::Encode;
	use headway_metronome_pvf::{build, Traffic};

	/// A chain of heads from genesis; `branch` tells chains apart.
	fn heads(branch: u8, len: usize) -> Vec<Head> {
		let mut heads = vec![Head::genesis()];
		for _ in 0..len {
			let parent = &heads[heads.len() - 1];
			let head = build(parent, 0, None, vec![branch], Traffic::default()).unwrap().head;
			heads.push(head);
		}
		heads
	}

	fn relay(n: u8) -> Hash {
		Hash::repeat_byte(n)
	}

	fn data(head: &Head) -> HeadData {
		HeadData(head.encode())
	}

	/// Tells blocks apart.
	fn effects(head: &Head) -> Effects {
		Effects { relay_parent_number: head.number, ..Effects::default() }
	}

	/// The block of a chain as a parent, it and some before it not included.
	fn behind(chain: &[Head], parent: usize, unincluded: usize) -> Parent {
		let unincluded = chain[parent + 1 - unincluded..=parent].iter().map(effects).collect();
		Parent { head: chain[parent].clone(), unincluded }
	}

	fn on_chain(included: &Head, pending: &[&Head], window: &[u8]) -> OnChain {
		OnChain {
			included: data(included),
			pending: pending
				.iter()
				.map(|head| Pending { head: data(head), effects: effects(head) })
				.collect(),
			synchronous: false,
			window: window.iter().map(|n| relay(*n)).collect(),
			cores: 1,
		}
	}

	#[test]
	fn builds_on_the_included_head_at_first() {
		let heads = heads(0, 0);
		let parent = choose_parent(&on_chain(&heads[0], &[], &[1]), &OwnBlocks::default()).unwrap();
		assert_eq!(parent, behind(&heads, 0, 0));
	}

	#[test]
	fn builds_on_pending_candidates_even_of_others() {
		let heads = heads(0, 2);
		let on_chain = on_chain(&heads[0], &[&heads[1], &heads[2]], &[1]);
		let parent = choose_parent(&on_chain, &OwnBlocks::default()).unwrap();
		assert_eq!(parent, behind(&heads, 2, 2));
	}

	#[test]
	fn builds_on_own_blocks_up_to_the_capacity() {
		let heads = heads(0, 4);
		let mut own = OwnBlocks::default();
		own.insert(heads[1].clone(), relay(1), effects(&heads[1]));
		own.insert(heads[2].clone(), relay(2), effects(&heads[2]));
		let view = on_chain(&heads[0], &[], &[1, 2, 3]);
		assert_eq!(choose_parent(&view, &own).unwrap(), behind(&heads, 2, 2));
		own.insert(heads[3].clone(), relay(3), effects(&heads[3]));
		assert_eq!(choose_parent(&view, &own), Err(Skip::Full));
		// One is pending meanwhile: that changes nothing. One is included: it does.
		assert_eq!(choose_parent(&on_chain(&heads[0], &[&heads[1]], &[2, 3, 4]), &own), Err(Skip::Full));
		let parent = choose_parent(&on_chain(&heads[1], &[&heads[2]], &[2, 3, 4]), &own).unwrap();
		assert_eq!(parent, behind(&heads, 3, 2));
		// With two cores there is room for twice as many.
		let two_cores = OnChain { cores: 2, ..view };
		assert_eq!(choose_parent(&two_cores, &own).unwrap(), behind(&heads, 3, 3));
	}

	#[test]
	fn lost_blocks_are_given_up_with_all_that_was_built_on_them() {
		let heads = heads(0, 3);
		let mut own = OwnBlocks::default();
		(1..4).for_each(|n| own.insert(heads[n].clone(), relay(n as u8), effects(&heads[n])));
		// The relay parent of the first one left the window, and it is not on chain.
		let parent = choose_parent(&on_chain(&heads[0], &[], &[2, 3, 4]), &own).unwrap();
		assert_eq!(parent, behind(&heads, 0, 0));
		// It is on chain: then its relay parent does not matter any more.
		let parent = choose_parent(&on_chain(&heads[0], &[&heads[1]], &[2, 4]), &own).unwrap();
		assert_eq!(parent, behind(&heads, 2, 2));
	}

	#[test]
	fn no_block_follows_one_with_a_newer_relay_parent() {
		let heads = heads(0, 3);
		let at = |relay_parent_number| Effects { relay_parent_number, ..Effects::default() };
		let mut own = OwnBlocks::default();
		// Built at 1 and 2; the first one was lost, built again at 3, and that is on chain now.
		own.insert(heads[1].clone(), relay(1), at(1));
		own.insert(heads[2].clone(), relay(2), at(2));
		own.insert(heads[1].clone(), relay(3), at(3));
		let mut view = on_chain(&heads[0], &[&heads[1]], &[2, 3, 4]);
		view.pending[0].effects = at(3);
		assert_eq!(
			choose_parent(&view, &own),
			Ok(Parent { head: heads[1].clone(), unincluded: vec![at(3)] })
		);
		// So it is among our own blocks: the one at 3 is followed by none, and the chain from 1 on is longer.
		let view = on_chain(&heads[0], &[], &[1, 2, 3]);
		let parent = Parent { head: heads[2].clone(), unincluded: vec![at(1), at(2)] };
		assert_eq!(choose_parent(&view, &own), Ok(parent));
		let view = OnChain { window: [2, 3, 4].map(relay).into(), ..view };
		let parent = Parent { head: heads[1].clone(), unincluded: vec![at(3)] };
		assert_eq!(choose_parent(&view, &own), Ok(parent));
	}

	#[test]
	fn a_fork_of_the_para_that_got_on_chain_wins() {
		let (ours, theirs) = (heads(0, 2), heads(1, 1));
		let mut own = OwnBlocks::default();
		own.insert(ours[1].clone(), relay(1), effects(&ours[1]));
		own.insert(ours[2].clone(), relay(1), effects(&ours[2]));
		let parent = choose_parent(&on_chain(&ours[0], &[&theirs[1]], &[1, 2]), &own).unwrap();
		assert_eq!(parent, behind(&theirs, 1, 1));
	}

	#[test]
	fn a_parent_is_lost_when_a_candidate_on_it_is_pending() {
		let heads = heads(0, 1);
		let pending = on_chain(&heads[0], &[&heads[1]], &[1]);
		assert_eq!(lost_parent(&pending), Some(behind(&heads, 0, 0)));
		assert_eq!(lost_parent(&OnChain { synchronous: true, ..pending }), None);
		assert_eq!(lost_parent(&on_chain(&heads[0], &[], &[1])), None);
	}

	#[test]
	fn of_two_own_chains_the_longer_one_is_continued() {
		let (long, short) = (heads(0, 2), heads(1, 1));
		let mut own = OwnBlocks::default();
		own.insert(long[1].clone(), relay(1), effects(&long[1]));
		own.insert(long[2].clone(), relay(1), effects(&long[2]));
		own.insert(short[1].clone(), relay(1), effects(&short[1]));
		let view = on_chain(&long[0], &[], &[1]);
		assert_eq!(choose_parent(&view, &own).unwrap().head, long[2]);
		own.remove(&long[2].hash());
		assert_eq!(choose_parent(&view, &own).unwrap().head, short[1]);
	}

	#[test]
	fn synchronous_backing_builds_on_the_included_head_only_and_while_nothing_is_pending() {
		let heads = heads(0, 2);
		let mut own = OwnBlocks::default();
		own.insert(heads[1].clone(), relay(1), effects(&heads[1]));
		let synchronous = |pending| OnChain { synchronous: true, ..on_chain(&heads[0], pending, &[1]) };
		assert_eq!(choose_parent(&synchronous(&[]), &own).unwrap(), behind(&heads, 0, 0));
		assert_eq!(choose_parent(&synchronous(&[&heads[1]]), &own), Err(Skip::Pending));
	}

	#[test]
	fn a_head_of_another_parachain_is_named() {
		let mut view = on_chain(&Head::genesis(), &[], &[1]);
		view.included = HeadData(vec![1, 2, 3]);
		assert_eq!(choose_parent(&view, &OwnBlocks::default()), Err(Skip::ForeignHead));
	}

	#[test]
	fn own_blocks_are_bounded() {
		let mut own = OwnBlocks::default();
		(0..BLOCKS_MAX + 5).for_each(|_| own.insert(Head::genesis(), relay(1), Effects::default()));
		assert_eq!(own.0.len(), BLOCKS_MAX);
	}
}
