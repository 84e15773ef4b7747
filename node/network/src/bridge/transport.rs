//! What the bridge needs of the network: six calls, so that it can be tested without one.

use futures::{future::BoxFuture, FutureExt};
use sc_network::{
	service::traits::NetworkService, IfDisconnected, ObservedRole, ProtocolName, ReputationChange,
	RequestFailure,
};
use sc_network_types::{multiaddr::Multiaddr, PeerId};
use std::{collections::HashSet, sync::Arc};

/// Answer to a request, and the protocol that it came over.
pub(super) type Answer = Result<(Vec<u8>, ProtocolName), RequestFailure>;

/// The network, as far as the bridge uses it.
pub(super) trait Transport: Send + Sync {
	/// Who we are.
	fn local_peer(&self) -> PeerId;
	/// What a peer is, by its handshake or by what is known of it; none if neither tells.
	fn role(&self, peer: PeerId, handshake: Vec<u8>) -> Option<ObservedRole>;
	/// Changes a peer's reputation.
	fn report(&self, peer: PeerId, change: ReputationChange);
	/// Closes the substream of a notification protocol.
	fn disconnect(&self, peer: PeerId, protocol: ProtocolName);
	/// Replaces the peers of a notification protocol that we want to be connected to.
	fn set_reserved(&self, protocol: ProtocolName, addresses: HashSet<Multiaddr>) -> Result<(), String>;
	/// Asks a connected peer; `fallback` is the request in an older form.
	fn request(
		&self,
		peer: PeerId,
		protocol: ProtocolName,
		payload: Vec<u8>,
		fallback: Option<(Vec<u8>, ProtocolName)>,
	) -> BoxFuture<'static, Answer>;
}

/// The client's network.
pub(super) struct Substrate(pub(super) Arc<dyn NetworkService>);

impl Transport for Substrate {
	fn local_peer(&self) -> PeerId {
		self.0.local_peer_id()
	}

	fn role(&self, peer: PeerId, handshake: Vec<u8>) -> Option<ObservedRole> {
		self.0.peer_role(peer, handshake)
	}

	fn report(&self, peer: PeerId, change: ReputationChange) {
		self.0.report_peer(peer, change)
	}

	fn disconnect(&self, peer: PeerId, protocol: ProtocolName) {
		self.0.disconnect_peer(peer, protocol)
	}

	fn set_reserved(&self, protocol: ProtocolName, addresses: HashSet<Multiaddr>) -> Result<(), String> {
		self.0.set_reserved_peers(protocol, addresses)
	}

	fn request(
		&self,
		peer: PeerId,
		protocol: ProtocolName,
		payload: Vec<u8>,
		fallback: Option<(Vec<u8>, ProtocolName)>,
	) -> BoxFuture<'static, Answer> {
		let network = self.0.clone();
		async move {
			network.request(peer, protocol, payload, fallback, IfDisconnected::ImmediateError).await
		}
		.boxed()
	}
}
