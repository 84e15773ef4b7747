//! Connections: everybody is connected to every validator, as far as there is a way.

use super::{
	node::{peer_of, Role},
	Item, World,
};
use headway_machine::{wire::CollationVersion, NetworkEvent, ObservedRole, PeerSet};
use headway_pipeline::Event;
use headway_primitives::AuthorityDiscoveryId;
use std::collections::BTreeSet;

impl World {
	/// Connects all validators with each other, as far as they are not.
	pub(super) fn connect_validators(&mut self) {
		for node in 0..self.keys.len() {
			for other in 0..node {
				self.connect(node, other);
			}
		}
	}

	/// Opens all connections that somebody wants, as far as they are not open.
	pub(super) fn reconnect(&mut self) {
		self.connect_validators();
		for node in self.keys.len()..self.nodes.len() {
			for other in self.nodes[node].wanted.clone() {
				let at = self.now + self.network.delay();
				self.at(at, Item::Connect(node, other));
			}
		}
	}

	/// Whether two nodes are in the same half of the network.
	pub(super) fn are_joined(&self, a: usize, b: usize) -> bool {
		self.halves[a] == self.halves[b]
	}

	/// Opens a substream between two nodes.
	pub(super) fn connect(&mut self, a: usize, b: usize) {
		let (one, other) = (&self.nodes[a], &self.nodes[b]);
		let apart = one.is_down || other.is_down || one.peers.contains(&b) || !self.are_joined(a, b);
		if apart || one.banned.contains(&b) || other.banned.contains(&a) {
			return;
		}
		self.nodes[a].peers.insert(b);
		self.nodes[b].peers.insert(a);
		let set = self.set(a, b);
		let version = match set {
			PeerSet::Collation if self.config.segments => CollationVersion::V4,
			_ => CollationVersion::V3,
		};
		for (node, other) in [(a, b), (b, a)] {
			let role = match self.nodes[other].role {
				Role::Validator { .. } => ObservedRole::Authority,
				Role::Collator { .. } => ObservedRole::Full,
			};
			let event = NetworkEvent::PeerConnected {
				peer: peer_of(other),
				set,
				version,
				role,
				authority_ids: self.authority_ids(other),
			};
			self.deliver(node, Event::Network(event));
			let view = self.nodes[other].view();
			let event = NetworkEvent::PeerViewChange { peer: peer_of(other), set, view };
			self.deliver(node, Event::Network(event));
		}
	}

	/// Closes the substream between two nodes.
	pub(super) fn disconnect(&mut self, a: usize, b: usize) {
		if !self.nodes[a].peers.remove(&b) {
			return;
		}
		self.nodes[b].peers.remove(&a);
		let set = self.set(a, b);
		for (node, other) in [(a, b), (b, a)] {
			self.deliver(node, Event::Network(NetworkEvent::PeerDisconnected { peer: peer_of(other), set }));
		}
	}

	fn authority_ids(&self, node: usize) -> BTreeSet<AuthorityDiscoveryId> {
		use sp_core::Pair as _;
		let key = self.keys.get(node).map(|pair| sp_core::sr25519::Public::from(pair.public()));
		key.map(AuthorityDiscoveryId::from).into_iter().collect()
	}

	/// The peer set that two nodes share.
	fn set(&self, a: usize, b: usize) -> PeerSet {
		match (self.nodes[a].para(), self.nodes[b].para()) {
			(None, None) => PeerSet::Validation,
			_ => PeerSet::Collation,
		}
	}

	/// Over the network: takes time, may be lost.
	pub(super) fn send(&mut self, from: usize, to: usize, event: NetworkEvent) {
		if !self.nodes[from].peers.contains(&to) {
			return;
		}
		if let Some(at) = self.network.arrival(self.now, from, to) {
			let life = self.nodes[to].life;
			self.at(at, Item::Deliver { node: to, life, from: Some(from), event: Event::Network(event) });
		}
	}

	/// Tells everybody which leaves a node works on.
	pub(super) fn tell_view(&mut self, node: usize) {
		let view = self.nodes[node].view();
		for other in self.nodes[node].peers.clone() {
			let set = self.set(node, other);
			let event = NetworkEvent::PeerViewChange { peer: peer_of(node), set, view: view.clone() };
			self.send(node, other, event);
		}
	}
}
