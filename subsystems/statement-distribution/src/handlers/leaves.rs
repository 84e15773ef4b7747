//! Our view, peers and topologies (backing pipeline §4.12).

use super::{About, Ctx};
use crate::{
	candidates::Confirmed, parent::ParentState, requests::Origin, sessions::SessionId, StatementDistribution,
};
use headway_machine::{
	wire::{CollationVersion, StatementMessage, ValidationMessage},
	LeavesUpdate, NetworkEvent, PeerId, PeerSet, Reason,
};

/// The only version of the validation protocol that is spoken.
const VERSION: CollationVersion = CollationVersion::V3;

impl StatementDistribution {
	pub(crate) fn on_leaves(&mut self, ctx: &mut Ctx, update: &LeavesUpdate) {
		self.view.update(update);
		for block in update.activated.iter().flat_map(|leaf| leaf.allowed_blocks()) {
			if self.view.contains(&block.hash) && !self.parents.contains_key(&block.hash) {
				let (id, session) = self.sessions.ensure(&block.session);
				self.parents.insert(block.hash, ParentState::new(block.clone(), id, session));
			}
		}
		self.parents.retain(|hash, _| self.view.contains(hash));
		self.candidates.retain(|hash| self.view.is_leaf(hash), |hash| self.view.contains(hash));
		self.requests.retain(|hash| self.view.contains(hash));
		let parents = &self.parents;
		self.sessions.retain(|id| parents.values().any(|parent| parent.session == id));

		for (peer, fresh) in self.peers.refresh(&self.view) {
			for scheduling_parent in fresh {
				self.send_pending(ctx, &peer, &scheduling_parent);
			}
		}
		if let Some(leaf) = update.activated.as_ref().filter(|leaf| self.view.is_leaf(&leaf.hash())) {
			let hypotheticals =
				self.candidates.all_confirmed().into_iter().map(Confirmed::hypothetical).collect();
			self.query_membership(ctx, hypotheticals, Some(leaf.hash()));
		}
	}

	pub(crate) fn on_network(&mut self, ctx: &mut Ctx, event: NetworkEvent) {
		match event {
			NetworkEvent::PeerConnected {
				peer, set: PeerSet::Validation, version, authority_ids, ..
			} => {
				if version != VERSION {
					ctx.dropped(About::default(), Reason::UnknownPeer);
					return;
				}
				self.peers.connect(peer.clone(), authority_ids);
				self.restore_sources(&peer);
			},
			NetworkEvent::PeerDisconnected { peer, set: PeerSet::Validation } => {
				self.peers.disconnect(&peer);
				self.requests.remove_peer(&peer);
			},
			NetworkEvent::PeerViewChange { peer, set: PeerSet::Validation, view } => {
				for scheduling_parent in self.peers.set_view(&peer, view.heads, &self.view) {
					self.send_pending(ctx, &peer, &scheduling_parent);
				}
			},
			NetworkEvent::UpdatedAuthorityIds { peer, authority_ids } => {
				if self.peers.update_authority_ids(&peer, authority_ids) {
					self.restore_sources(&peer);
					for scheduling_parent in self.peers.implicit_view(&peer) {
						self.send_pending(ctx, &peer, &scheduling_parent);
					}
				}
			},
			// The topology that comes along may be that of another fork.
			NetworkEvent::NewTopology { session, topology: _ } => {
				self.sessions.announce(session);
				let known: Vec<SessionId> = self.sessions.of_index(session).collect();
				known.into_iter().for_each(|session| self.on_topology(ctx, session));
			},
			NetworkEvent::Validation { peer, message: ValidationMessage::Statement(message) } => {
				if self.peers.is_connected(&peer) {
					self.on_message(ctx, &peer, message);
				} else {
					ctx.dropped(About::default(), Reason::UnknownPeer);
				}
			},
			// The collation set and bitfields are other machines' business.
			NetworkEvent::PeerConnected { .. }
			| NetworkEvent::PeerDisconnected { .. }
			| NetworkEvent::PeerViewChange { .. }
			| NetworkEvent::Validation { .. }
			| NetworkEvent::Collation { .. } => {},
		}
	}

	fn on_message(&mut self, ctx: &mut Ctx, peer: &PeerId, message: StatementMessage) {
		match message {
			StatementMessage::Statement(scheduling_parent, statement) => {
				self.on_statement(ctx, peer, scheduling_parent, statement)
			},
			StatementMessage::BackedCandidateManifest(manifest) => self.on_manifest(ctx, peer, manifest),
			StatementMessage::BackedCandidateKnown(known) => self.on_acknowledgement(ctx, peer, known),
		}
	}

	/// The topology of a session became known: what waited for it happens now.
	fn on_topology(&mut self, ctx: &mut Ctx, id: SessionId) {
		let Some(session) = self.sessions.get_mut(id) else { return };
		let parked = session.take_parked();
		let grid = session.grid.as_ref();
		for parent in self.parents.values_mut().filter(|parent| parent.session == id) {
			for (candidate, group) in parent.grid.backed() {
				if let Some(view) = grid.and_then(|grid| grid.group(group)) {
					parent.grid.queue_manifests(view, candidate);
				}
			}
		}
		for (peer, manifest) in parked {
			if self.peers.is_connected(&peer) {
				self.on_manifest(ctx, &peer, manifest);
			}
		}
		for (peer, implicit) in self.peers.implicit_views() {
			for scheduling_parent in implicit {
				self.send_pending(ctx, &peer, &scheduling_parent);
			}
		}
	}

	/// A peer may be a validator that told us of a candidate before, and never tells anything twice: it can be asked.
	fn restore_sources(&mut self, peer: &PeerId) {
		for id in self.requests.ids() {
			let Some(parent) = self.parents.get(&id.scheduling_parent) else { continue };
			let Some(session) = self.sessions.get(parent.session) else { continue };
			let told = self.peers.validators(peer, session).into_iter().any(|validator| {
				let advertised = parent.grid.advertised(validator, id.candidate);
				let cluster = parent.cluster.as_ref().filter(|cluster| cluster.group == id.group);
				advertised.is_some_and(|manifest| manifest.group == id.group)
					|| cluster.is_some_and(|cluster| cluster.tracker.knows_candidate(validator, id.candidate))
			});
			if told {
				let origin =
					if parent.is_local_group(id.group) { Origin::Cluster } else { Origin::Unspecified };
				self.requests.add_source(id, origin, peer);
			}
		}
	}
}
