//! Relay blocks: who authors them, on which fork, and how nodes get to know of them.

use super::{Item, World, SLOT};
use crate::{
	config::Fault,
	judge::{has_quorum, Violation},
	relay::{Made, Offer},
};
use headway_machine::{grid::Topology, LeavesUpdate, NetworkEvent, Size, Token};
use headway_pipeline::Event;
use headway_primitives::{byzantine_threshold, CandidateEvent, Hash};
use headway_provisioner::ProvisionedData;
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
	time::Duration,
};

/// When an author waits no longer for its provisioner.
const INHERENT_TIMEOUT: Duration = Duration::from_millis(2500);
/// Leaves of a node at a time.
const LEAVES_MAX: usize = 16;
/// Of a thousand stormy slots, those with two authors.
const FORKS_PER_MILLE: u64 = 300;

/// Somebody who makes a block.
#[derive(Clone, Copy)]
pub(super) struct Authoring {
	node: usize,
	life: u32,
	parent: Hash,
	slot: u64,
}

impl World {
	pub(super) fn on_slot(&mut self, slot: u64) {
		self.slot = slot;
		self.at(self.now + SLOT, Item::Slot(slot + 1));
		self.change_weather();
		self.finalize();
		for author in self.authors(slot) {
			let (_, parent) = self.nodes[author].best;
			let (token, life) = (self.number(), self.nodes[author].life);
			let slot = super::GENESIS_SLOT + slot;
			self.authoring.insert(token, Authoring { node: author, life, parent, slot });
			self.at(self.now + INHERENT_TIMEOUT, Item::Author(token));
			self.handle(author, Event::InherentRequest { token: Token(token), parent });
		}
	}

	/// Authors of a slot: one, or one in each half of the network, or two in the same.
	fn authors(&mut self, slot: u64) -> BTreeSet<usize> {
		let live = self.live_validators();
		let Some(first) = live.get(slot as usize % live.len().max(1)).copied() else {
			return BTreeSet::new();
		};
		let apart = live.iter().copied().find(|other| !self.are_joined(first, *other));
		let forks = self.config.faults.contains(&Fault::Fork) && self.config.is_stormy(slot);
		let twin = if forks { self.weather.twin(&live, FORKS_PER_MILLE) } else { None };
		[Some(first), apart, twin].into_iter().flatten().collect()
	}

	/// The author of a block has what goes into it, or waits no longer.
	pub(super) fn make_block(&mut self, token: u64, data: ProvisionedData) {
		let Some(Authoring { node, life, parent, slot }) = self.authoring.remove(&token) else { return };
		if self.nodes[node].life != life {
			return;
		}
		let offers_all = !self.acts(node, Fault::Garbage);
		let data = if offers_all { data } else { self.spoil(data) };
		let made = self.ledger.make_block(Offer { parent, slot, authority: node as u32, data });
		let made = match made {
			Ok(made) => made,
			Err(error) => {
				return self.accuse(Violation::NotExecuted { author: node, error: error.to_string() })
			},
		};
		let Made { hash, header, dropped, .. } = &made;
		let number = header.number;
		self.log.push(self.now, format_args!("node {node} makes block {number} {hash:?} on {parent:?}"));
		if offers_all && !dropped.is_empty() {
			self.accuse(Violation::Dropped { author: node, number, reasons: dropped.clone() });
		}
		self.judge_block(&made);
		let (hash, number) = (*hash, number);
		if number > self.best.0 && self.ledger.is_on(hash, self.finalized) {
			self.best = (number, hash);
			self.judge_recovery();
		}
		let reachable = self.reachable(node);
		for other in 0..self.nodes.len() {
			if reachable.contains(&other) && !self.nodes[other].is_down {
				let delay = if other == node { Duration::ZERO } else { self.network.delay() };
				self.at(self.now + delay, Item::Block { node: other, hash });
			} else {
				self.nodes[other].missed.push(hash);
			}
		}
	}

	/// What is on chain has a quorum, whoever the author is.
	fn judge_block(&mut self, made: &Made) {
		for backed in &made.entered.backed_candidates {
			let at = self.contexts.block(backed.candidate.descriptor.scheduling_parent());
			if !at.is_ok_and(|at| has_quorum(&*self.memory, &at, backed)) {
				self.accuse(Violation::Quorum(backed.hash()));
			}
		}
		let events = match self.contexts.leaf(made.hash) {
			Ok(leaf) => leaf.candidate_events.clone(),
			Err(error) => {
				let author = made.header.number as usize;
				return self.accuse(Violation::NotExecuted { author, error: error.to_string() });
			},
		};
		for event in &events {
			let (what, receipt) = match event {
				CandidateEvent::CandidateBacked(receipt, ..) => ("backed", receipt),
				CandidateEvent::CandidateIncluded(receipt, ..) => ("included", receipt),
				CandidateEvent::CandidateTimedOut(receipt, ..) => ("timed out", receipt),
			};
			let number = made.header.number;
			self.log.push(self.now, format_args!("block {number} {what} {:?}", receipt.hash()));
		}
		self.events.insert(made.hash, events);
	}

	/// A node hears of a block.
	pub(super) fn on_block(&mut self, node: usize, hash: Hash) {
		let state = &mut self.nodes[node];
		if state.is_down {
			state.missed.push(hash);
			return;
		}
		let Some(header) = self.ledger.get(hash) else { return };
		if !state.known.contains(&header.parent_hash) {
			state.orphans.push(hash);
			return;
		}
		if !state.known.insert(hash) {
			return;
		}
		// Nobody works on a fork that finality has ruled out.
		if header.number > state.finalized.0 && self.ledger.is_on(hash, state.finalized) {
			self.activate(node, hash);
		}
		let ledger = self.ledger.clone();
		let waiting = std::mem::take(&mut self.nodes[node].orphans);
		let (children, others): (Vec<_>, Vec<_>) = waiting
			.into_iter()
			.partition(|child| ledger.get(*child).is_some_and(|child| child.parent_hash == hash));
		self.nodes[node].orphans = others;
		for child in children {
			self.on_block(node, child);
		}
	}

	/// A node hears of all blocks that it missed.
	pub(super) fn catch_up(&mut self, node: usize) {
		for hash in std::mem::take(&mut self.nodes[node].missed) {
			let at = self.now + self.network.delay();
			self.at(at, Item::Block { node, hash });
		}
	}

	/// A block becomes a leaf of a node.
	pub(super) fn activate(&mut self, node: usize, hash: Hash) {
		let leaf = match self.contexts.leaf(hash) {
			Ok(leaf) => leaf,
			Err(error) => {
				self.log.push(self.now, format_args!("no context of {hash:?}: {error}"));
				return;
			},
		};
		let state = &mut self.nodes[node];
		let leaf = Arc::new(state.localize(&leaf));
		let mut deactivated = Vec::new();
		if state.leaves.remove(&leaf.block.parent_hash).is_some() {
			deactivated.push(leaf.block.parent_hash);
		}
		state.leaves.insert(hash, leaf.block.number);
		while state.leaves.len() > LEAVES_MAX {
			let Some(oldest) = state.leaves.iter().min_by_key(|(_, number)| **number).map(|(hash, _)| *hash)
			else {
				break;
			};
			state.leaves.remove(&oldest);
			deactivated.push(oldest);
		}
		let is_best = leaf.block.number > state.best.0 || state.best.1 == hash;
		if is_best {
			state.best = (leaf.block.number, hash);
		}
		let session = &leaf.block.session;
		if state.session.is_none_or(|known| known < session.index) {
			state.session = Some(session.index);
			let topology =
				Topology::new(&session.info, &session.topology_randomness, session.local_discovery_index);
			let event = NetworkEvent::NewTopology { session: session.index, topology: Arc::new(topology) };
			self.handle(node, Event::Network(event));
		}
		let update = LeavesUpdate { activated: Some(leaf.clone()), deactivated };
		self.judge_sizes(node);
		self.handle(node, Event::Leaves(update));
		self.tell_view(node);
		if is_best {
			self.collate(node, &leaf);
		}
		self.spam(node, &leaf);
	}

	/// Containers of honest nodes keep to their bounds. Before a leaf they are as full as they get: much is forgotten with the
	/// blocks that it is about.
	fn judge_sizes(&mut self, node: usize) {
		let state = &self.nodes[node];
		if let Some(size) = state.machine.sizes().exceeded().filter(|_| state.is_honest()) {
			let Size { machine, container, count, bound } = size;
			self.accuse(Violation::Bound { node, what: format!("{container} of {machine}"), count, bound });
		}
	}

	/// The newest block that more than two thirds of the validators build on is final.
	fn finalize(&mut self) {
		let mut counts = BTreeMap::<(u32, Hash), usize>::new();
		for node in self.live_validators() {
			let (_, best) = self.nodes[node].best;
			let chain = self.ledger.chain(best).map(|(hash, header)| (header.number, hash));
			for block in chain.take_while(|(number, _)| *number > self.finalized.0) {
				*counts.entry(block).or_default() += 1;
			}
		}
		let n = self.keys.len();
		let needed = n - byzantine_threshold(n);
		let newest = counts.into_iter().rev().find(|(_, count)| *count >= needed);
		if let Some((block, _)) = newest {
			self.log.push(self.now, format_args!("block {} {:?} is final", block.0, block.1));
			self.finalized = block;
			if !self.ledger.is_on(self.best.1, block) {
				self.best = self.ledger.newest_on(self.events.keys().copied(), block);
				self.outdate_recovery();
			}
		}
		for node in 0..self.nodes.len() {
			self.tell_finalized(node);
		}
	}

	/// A node leaves the forks that cannot become final any more.
	fn tell_finalized(&mut self, node: usize) {
		let (number, hash) = self.finalized;
		let state = &mut self.nodes[node];
		if state.is_down || state.finalized.0 >= number || !state.known.contains(&hash) {
			return;
		}
		let Ok(block) = self.contexts.block(hash) else { return };
		state.finalized = (number, hash);
		if !self.ledger.is_on(state.best.1, state.finalized) {
			state.best = self.ledger.newest_on(state.known.iter().copied(), state.finalized);
		}
		// As the node does it: newer leaves of such forks stay until finality passes them.
		let stale = |leaf: &Hash, at: u32| at < number || (at == number && *leaf != hash);
		let deactivated: Vec<_> =
			state.leaves.iter().filter(|(leaf, at)| stale(leaf, **at)).map(|(leaf, _)| *leaf).collect();
		state.leaves.retain(|leaf, at| !stale(leaf, *at));
		if !deactivated.is_empty() {
			self.handle(node, Event::Leaves(LeavesUpdate { activated: None, deactivated }));
		}
		let node_features = block.node_features.clone();
		self.handle(node, Event::Finalized { number, hash, node_features });
		self.tell_view(node);
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::Config;

	#[test]
	fn a_node_leaves_a_fork_that_finality_has_ruled_out() {
		let mut world = World::new(Config::default()).expect("the runtime takes the network");
		world.run(3);
		let parent = world.best.1;
		let make = |parent, slot, authority| {
			let data = ProvisionedData::default();
			let slot = super::super::GENESIS_SLOT + slot;
			world.ledger.make_block(Offer { parent, slot, authority, data }).expect("a block").hash
		};
		let (minority, majority) = (make(parent, 10, 0), make(parent, 10, 1));
		let child = make(minority, 11, 0);
		for node in 0..world.nodes.len() {
			let first = if node == 0 { minority } else { majority };
			[parent, first, minority, majority].into_iter().for_each(|block| world.on_block(node, block));
		}
		assert_eq!(world.nodes[0].best, (4, minority));
		world.finalize();
		assert_eq!(world.finalized, (4, majority));
		assert!(world.nodes.iter().all(|node| node.best == (4, majority)));
		assert_eq!(world.best, (4, majority));
		world.on_block(0, child);
		assert_eq!(world.nodes[0].best, (4, majority));
	}
}
