//! What the driver asks of the bridge, and how it is carried out.

use super::{reputation_change, Bridge, Command};
use crate::{
	authorities::{resolve, Resolved},
	metrics::label,
	to_machine, to_network,
};
use codec::Encode;
use futures::FutureExt;
use headway_machine::{
	wire::{CollationVersion, Envelope, Request, RequestProtocol},
	NetworkEffect, NetworkEvent, PeerSet, Recipient, Token,
};
use headway_primitives::AuthorityDiscoveryId;
use sc_network::{config::OutgoingResponse, RequestFailure};
use sc_network_types::PeerId;
use std::collections::BTreeSet;

impl Bridge {
	pub(super) async fn on_resolved(&mut self, set: PeerSet, generation: u64, resolved: Resolved) -> bool {
		let Some(desired) = self.desired.get_mut(&set) else { return true };
		desired.resolving = false;
		let current = desired.generation == generation;
		for peer in self.learn(&resolved) {
			let authority_ids = self.authorities.of(&peer).cloned().unwrap_or_default();
			let event = NetworkEvent::UpdatedAuthorityIds { peer: to_machine(&peer), authority_ids };
			if !self.tell(event).await {
				return false;
			}
		}
		if !current {
			self.resolve(set);
			return true;
		}
		self.metrics.desired(label(set, self.main_version(set)), resolved.peers.len());
		tracing::debug!(
			target: "parachain::network", ?set, peers = resolved.peers.len(), unresolved = resolved.unresolved,
			"resolved validators",
		);
		if let Err(error) = self.network.set_reserved(self.main_name(set), resolved.addresses) {
			tracing::warn!(target: "parachain::network", ?set, %error, "reserved peers were refused");
		}
		true
	}

	/// Takes note of where validators are. Answers the connected peers whose keys changed.
	fn learn(&mut self, resolved: &Resolved) -> Vec<PeerId> {
		let wanted: BTreeSet<&AuthorityDiscoveryId> =
			self.desired.values().flat_map(|desired| &desired.validators).collect();
		let peers = &self.peers;
		let is_connected = |peer: &PeerId| peers.values().any(|peers| peers.contains_key(peer));
		let mut changed = self.authorities.learn(&resolved.peers);
		changed.retain(is_connected);
		self.authorities.forget(|peer, id| is_connected(peer) || wanted.contains(id));
		changed
	}

	pub(super) fn on_command(&mut self, command: Command) {
		match command {
			Command::Effect(effect) => self.carry_out(effect),
			Command::OurView(view) => {
				let heads_changed = view.heads != self.our_view.heads;
				self.our_view = view;
				if heads_changed {
					for set in [PeerSet::Validation, PeerSet::Collation] {
						let peers: Vec<_> = self.peers_of(set).keys().copied().collect();
						self.send_view(set, &peers);
					}
				}
			},
		}
	}

	pub(super) fn carry_out(&mut self, effect: NetworkEffect) {
		self.metrics.asked(&effect);
		match effect {
			NetworkEffect::SendValidation { peers, message } => {
				let bytes = Envelope::ProtocolMessage(message).encode();
				self.send(PeerSet::Validation, CollationVersion::V3, &peers, &bytes);
			},
			NetworkEffect::SendCollation { peers, message } => {
				self.send(PeerSet::Collation, message.version(), &peers, &message.encode_notification())
			},
			NetworkEffect::Report { peer, change } => {
				if let Some(peer) = to_network(&peer) {
					self.report(peer, change);
				}
			},
			NetworkEffect::Disconnect { peer, set } => {
				if let Some(peer) = to_network(&peer) {
					self.network.disconnect(peer, self.main_name(set));
				}
			},
			NetworkEffect::ConnectToValidators { validators, set } => {
				let desired = self.desired.entry(set).or_default();
				if desired.validators != validators || desired.generation == 0 {
					desired.validators = validators;
					desired.generation += 1;
					self.resolve(set);
				}
			},
			NetworkEffect::Request { token, recipient, request } => self.request(token, recipient, request),
			NetworkEffect::Respond { id, response, reputation } => {
				let Some(pending) = self.unanswered.remove(&id) else { return };
				let reputation_changes = reputation.into_iter().map(reputation_change).collect();
				let result = response.ok_or(());
				// The peer may have gone meanwhile.
				let _ = pending.send(OutgoingResponse { result, reputation_changes, sent_feedback: None });
			},
		}
	}

	fn request(&mut self, token: Token, recipient: Recipient, request: Request) {
		let name = self.names.request(request.protocol());
		let payload = request.encode_payload();
		let fallback = matches!(request, Request::Chunk(_))
			.then(|| (payload.clone(), self.names.request(RequestProtocol::ChunkV1)));
		let peer = match &recipient {
			Recipient::Peer(peer) => to_network(peer),
			Recipient::Authority(id) => self.peer_of(id),
		};
		let Some(peer) = peer else {
			self.requests_out
				.push(futures::future::ready((token, request, Err(RequestFailure::NotConnected))).boxed());
			return;
		};
		let answer = self.network.request(peer, name, payload, fallback);
		self.requests_out.push(async move { (token, request, answer.await) }.boxed());
	}

	/// Where a validator is: with a peer that is connected, if there is one.
	fn peer_of(&self, id: &AuthorityDiscoveryId) -> Option<PeerId> {
		let is_connected = |peer: &PeerId| self.peers.values().any(|peers| peers.contains_key(peer));
		let peers: Vec<PeerId> = self.authorities.peers_of(id).collect();
		peers.iter().find(|peer| is_connected(peer)).or(peers.first()).copied()
	}

	/// Looks up the validators that we want to be connected to, unless that is under way.
	pub(super) fn resolve(&mut self, set: PeerSet) {
		let Some(discovery) = self.authority_discovery.clone() else { return };
		let Some(desired) = self.desired.get_mut(&set) else { return };
		if std::mem::replace(&mut desired.resolving, true) {
			return;
		}
		let (generation, validators) = (desired.generation, desired.validators.clone());
		let local = self.network.local_peer();
		let lookup = move |id| {
			let mut discovery = discovery.clone();
			async move { discovery.get_addresses_by_authority_id(id).await.unwrap_or_default() }
		};
		self.resolving
			.push(async move { (set, generation, resolve(lookup, validators, local).await) }.boxed());
	}

	/// Sends bytes that were encoded once to those of the peers that speak the version that they are of; others could not
	/// read them, and would count that against us.
	fn send(
		&mut self,
		set: PeerSet,
		version: CollationVersion,
		peers: &[headway_machine::PeerId],
		bytes: &[u8],
	) {
		let mut sent = 0;
		for peer in peers.iter().filter_map(to_network) {
			match self.peers_of(set).get(&peer) {
				Some(state) if state.version == version => {
					state.sink.send_sync_notification(bytes.to_vec());
					sent += 1;
				},
				// Gone by now.
				None => {},
				Some(state) => tracing::warn!(
					target: "parachain::network", %peer, ?version, negotiated = ?state.version,
					"message of a version that the peer does not speak is not sent",
				),
			}
		}
		self.metrics.sent(label(set, version), bytes.len(), sent);
	}

	/// Sends our view, which has the same form in all versions.
	pub(super) fn send_view(&mut self, set: PeerSet, peers: &[PeerId]) {
		// Until the first leaf there is nothing to say, and an empty view counts as malformed.
		if self.our_view.heads.is_empty() {
			return;
		}
		let bytes = Envelope::<()>::ViewUpdate(self.our_view.clone()).encode();
		for peer in peers {
			let Some(state) = self.peers_of(set).get(peer) else { continue };
			state.sink.send_sync_notification(bytes.clone());
			let label = label(set, state.version);
			self.metrics.sent(label, bytes.len(), 1);
		}
	}
}
