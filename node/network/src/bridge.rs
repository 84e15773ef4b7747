//! The task between the network and the machines.
//!
//! # Bounds
//!
//! - Peers: as many as the peer sets have slots, plus the reserved ones.
//! - Output: a channel of [`OUTPUT_CAPACITY`] items. When it is full, messages and requests of peers are dropped with a cost
//!   to their sender; connections and views wait, so that the machines' picture of who is there stays true.
//! - Requests under way: bounded by the machines, which hold one token for each.
//! - Reputation that waits to be reported: [`REPORTS_MAX`] peers.
//! - Unanswered requests of peers: bounded by the request protocols' queues and their timeouts; at most
//!   [`UNANSWERED_REQUESTS_MAX`], beyond which the oldest is refused.

mod commands;
mod reports;
#[cfg(test)]
mod tests;
mod transport;

pub use reports::{REPORTS_MAX, REPORT_INTERVAL};

use crate::{
	authorities::{KnownAuthorities, Resolved},
	metrics::{label, Metrics},
	names::ProtocolNames,
	protocols::Protocols,
	to_machine,
};
use codec::{Decode, Encode};
use futures::{future::BoxFuture, stream::FuturesUnordered, StreamExt};
use headway_machine::{
	wire::{
		ChunkResponseV1, ChunkResponseV2, CollationMessage, CollationVersion, Envelope, InboundRequest,
		Request, RequestProtocol, ValidationMessage, ViewMessage, VIEW_HEADS_MAX,
	},
	InboundRequestId, NetworkEffect, NetworkEvent, ObservedRole, PeerSet, Reputation, RequestError, Token,
};
use headway_primitives::AuthorityDiscoveryId;
use sc_authority_discovery::Service as AuthorityDiscovery;
use sc_network::{
	config::{IncomingRequest, OutgoingResponse},
	service::traits::{
		MessageSink, NetworkService, NotificationEvent, NotificationService, ValidationResult,
	},
	OutboundFailure, ProtocolName, ReputationChange, RequestFailure,
};
use sc_network_types::PeerId;
use std::{
	collections::{BTreeMap, HashMap},
	sync::Arc,
	time::Duration,
};
use tokio::sync::mpsc;
use transport::Transport;

/// Items that wait for the machines.
pub const OUTPUT_CAPACITY: usize = 4096;
/// Requests of peers that wait for an answer.
pub const UNANSWERED_REQUESTS_MAX: usize = 512;
/// Time between attempts to find validators that could not be resolved. Shorter than the reference's five seconds: a lookup
/// reads what authority discovery has in memory and sends nothing.
const RESOLVE_RETRY: Duration = Duration::from_secs(2);
/// Time between lookups of validators that were resolved: they may have moved. Shorter than the reference's five minutes, for
/// the same reason.
const RESOLVE_AGAIN: Duration = Duration::from_secs(60);

/// What the driver asks of the bridge.
#[derive(Debug)]
pub enum Command {
	/// An effect of a machine.
	Effect(NetworkEffect),
	/// Our view changed.
	OurView(ViewMessage),
}

/// What the bridge tells the driver.
#[derive(Debug)]
pub enum Output {
	/// Something happened on the network.
	Event(NetworkEvent),
	/// A peer asks.
	Request(InboundRequest),
	/// A peer answered.
	Response {
		/// The question's token.
		token: Token,
		/// The encoded answer.
		result: Result<Vec<u8>, RequestError>,
	},
}

/// The driver's end of a bridge.
pub struct BridgeHandle {
	/// Commands, carried out in order.
	pub commands: mpsc::UnboundedSender<Command>,
	/// What happened.
	pub outputs: mpsc::Receiver<Output>,
}

struct Peer {
	version: CollationVersion,
	view: ViewMessage,
	sink: Box<dyn MessageSink>,
}

/// Validators that a machine wants to be connected to.
#[derive(Default)]
struct Desired {
	validators: Vec<AuthorityDiscoveryId>,
	/// Bumped with each change, so that a late answer to an older question is recognised.
	generation: u64,
	resolving: bool,
}

type ResolvedAnswer = (PeerSet, u64, Resolved);
type Answer = (Token, Request, Result<(Vec<u8>, ProtocolName), RequestFailure>);

/// The bridge's task.
pub struct Bridge {
	network: Arc<dyn Transport>,
	authority_discovery: Option<AuthorityDiscovery>,
	names: ProtocolNames,
	collation_main: CollationVersion,
	validation: Option<Box<dyn NotificationService>>,
	collation: Option<Box<dyn NotificationService>>,
	peers: BTreeMap<PeerSet, HashMap<PeerId, Peer>>,
	authorities: KnownAuthorities,
	desired: BTreeMap<PeerSet, Desired>,
	resolving: FuturesUnordered<BoxFuture<'static, ResolvedAnswer>>,
	requests_out: FuturesUnordered<BoxFuture<'static, Answer>>,
	requests_in: Vec<(RequestProtocol, async_channel::Receiver<IncomingRequest>)>,
	unanswered: BTreeMap<InboundRequestId, PendingResponse>,
	next_request: u64,
	our_view: ViewMessage,
	reports: reports::Reports,
	outputs: mpsc::Sender<Output>,
	commands: mpsc::UnboundedReceiver<Command>,
	metrics: Metrics,
}

/// Where the answer to a peer's request goes.
type PendingResponse = futures::channel::oneshot::Sender<OutgoingResponse>;

impl Bridge {
	/// A bridge over registered protocols, and the driver's end of it.
	pub fn new(
		network: Arc<dyn NetworkService>,
		authority_discovery: Option<AuthorityDiscovery>,
		protocols: Protocols,
		metrics: Metrics,
	) -> (Self, BridgeHandle) {
		let Protocols { names, validation, collation, collation_main, requests } = protocols;
		let network = Arc::new(transport::Substrate(network));
		let (mut bridge, handle) = Self::over(network, names, collation_main, metrics);
		bridge.authority_discovery = authority_discovery;
		(bridge.validation, bridge.collation) = (Some(validation), Some(collation));
		bridge.requests_in = requests;
		(bridge, handle)
	}

	/// A bridge over any transport, without notifications and requests yet.
	fn over(
		network: Arc<dyn Transport>,
		names: ProtocolNames,
		collation_main: CollationVersion,
		metrics: Metrics,
	) -> (Self, BridgeHandle) {
		let (command_sender, commands) = mpsc::unbounded_channel();
		let (outputs, output_receiver) = mpsc::channel(OUTPUT_CAPACITY);
		let bridge = Self {
			network,
			authority_discovery: None,
			names,
			collation_main,
			validation: None,
			collation: None,
			peers: BTreeMap::from([
				(PeerSet::Validation, HashMap::new()),
				(PeerSet::Collation, HashMap::new()),
			]),
			authorities: KnownAuthorities::default(),
			desired: BTreeMap::new(),
			resolving: FuturesUnordered::new(),
			requests_out: FuturesUnordered::new(),
			requests_in: Vec::new(),
			unanswered: BTreeMap::new(),
			next_request: 0,
			our_view: ViewMessage::default(),
			reports: reports::Reports::default(),
			outputs,
			commands,
			metrics,
		};
		(bridge, BridgeHandle { commands: command_sender, outputs: output_receiver })
	}

	/// Runs until the driver or the network is gone.
	pub async fn run(mut self) {
		// Taken out of `self`, so that waiting for them does not borrow it. They are there until here.
		let (Some(mut validation), Some(mut collation)) = (self.validation.take(), self.collation.take())
		else {
			return;
		};
		let mut requests = futures::stream::select_all(
			std::mem::take(&mut self.requests_in)
				.into_iter()
				.map(|(protocol, receiver)| receiver.map(move |request| (protocol, request)).boxed()),
		);
		let mut retry = tokio::time::interval(RESOLVE_RETRY);
		retry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
		let mut again = tokio::time::interval(RESOLVE_AGAIN);
		again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
		let mut report = tokio::time::interval(REPORT_INTERVAL);
		report.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
		let mut unresolved = BTreeMap::<PeerSet, bool>::new();

		loop {
			let alive = tokio::select! {
				event = validation.next_event() => {
					let sink = sink_of(&*validation, &event);
					self.on_notification_event(PeerSet::Validation, event, sink).await
				},
				event = collation.next_event() => {
					let sink = sink_of(&*collation, &event);
					self.on_notification_event(PeerSet::Collation, event, sink).await
				},
				command = self.commands.recv() => match command {
					Some(command) => {
						self.on_command(command);
						true
					},
					None => false,
				},
				Some((protocol, request)) = requests.next() => self.on_request(protocol, request),
				Some((token, request, result)) = self.requests_out.next() =>
					self.on_response(token, request, result).await,
				Some((set, generation, resolved)) = self.resolving.next() => {
					unresolved.insert(set, resolved.unresolved > 0);
					self.on_resolved(set, generation, resolved).await
				},
				_ = retry.tick() => {
					let sets: Vec<_> = unresolved.iter().filter(|(_, any)| **any).map(|(set, _)| *set).collect();
					sets.into_iter().for_each(|set| self.resolve(set));
					true
				},
				_ = again.tick() => {
					let sets: Vec<_> = self.desired.keys().copied().collect();
					sets.into_iter().for_each(|set| self.resolve(set));
					true
				},
				_ = report.tick() => {
					self.flush_reports();
					true
				},
			};
			if !alive {
				self.flush_reports();
				tracing::debug!(target: "parachain::network", "bridge stops");
				return;
			}
		}
	}

	async fn on_notification_event(
		&mut self,
		set: PeerSet,
		event: Option<NotificationEvent>,
		sink: Option<Box<dyn MessageSink>>,
	) -> bool {
		let Some(event) = event else { return false };
		match event {
			NotificationEvent::ValidateInboundSubstream { peer, handshake, result_tx } => {
				let result = match self.network.role(peer, handshake) {
					Some(_) => ValidationResult::Accept,
					None => ValidationResult::Reject,
				};
				// The network may have given up on the substream meanwhile.
				let _ = result_tx.send(result);
				true
			},
			NotificationEvent::NotificationStreamOpened { peer, handshake, negotiated_fallback, .. } => {
				// Closed again in the meantime: the next event says so.
				let Some(sink) = sink else { return true };
				self.on_connected(set, peer, handshake, negotiated_fallback, sink).await
			},
			NotificationEvent::NotificationStreamClosed { peer } => {
				let Some(state) = self.peers_of(set).remove(&peer) else { return true };
				self.metrics.disconnected(label(set, state.version));
				self.tell(NetworkEvent::PeerDisconnected { peer: to_machine(&peer), set }).await
			},
			NotificationEvent::NotificationReceived { peer, notification } => {
				self.on_notification(set, peer, notification).await
			},
		}
	}

	async fn on_connected(
		&mut self,
		set: PeerSet,
		peer: PeerId,
		handshake: Vec<u8>,
		fallback: Option<ProtocolName>,
		sink: Box<dyn MessageSink>,
	) -> bool {
		let Some(version) = self.negotiated(set, fallback) else {
			tracing::debug!(target: "parachain::network", %peer, ?set, "peer negotiated an unknown protocol version");
			self.network.disconnect(peer, self.main_name(set));
			return true;
		};
		let role = match self.network.role(peer, handshake) {
			Some(sc_network::ObservedRole::Authority) => ObservedRole::Authority,
			Some(sc_network::ObservedRole::Light) => ObservedRole::Light,
			_ => ObservedRole::Full,
		};
		let entry = Peer { version, view: ViewMessage::default(), sink };
		if let Some(before) = self.peers_of(set).insert(peer, entry) {
			// The machines hear of an end before they hear of a new beginning.
			self.metrics.disconnected(label(set, before.version));
			if !self.tell(NetworkEvent::PeerDisconnected { peer: to_machine(&peer), set }).await {
				return false;
			}
		}
		self.metrics.connected(label(set, version));
		if self.authorities.of(&peer).is_none() {
			if let Some(discovery) = &mut self.authority_discovery {
				if let Some(ids) = discovery.get_authority_ids_by_peer_id(peer).await {
					self.authorities.insert(peer, ids.into_iter().collect());
				}
			}
		}
		tracing::debug!(target: "parachain::network", %peer, ?set, ?version, ?role, "peer connected");
		let authority_ids = self.authorities.of(&peer).cloned().unwrap_or_default();
		let event =
			NetworkEvent::PeerConnected { peer: to_machine(&peer), set, version, role, authority_ids };
		let alive = self.tell(event).await;
		self.send_view(set, &[peer]);
		alive
	}

	fn negotiated(&self, set: PeerSet, fallback: Option<ProtocolName>) -> Option<CollationVersion> {
		match (set, fallback) {
			(PeerSet::Validation, None) => Some(CollationVersion::V3),
			(PeerSet::Validation, Some(_)) => None,
			(PeerSet::Collation, None) => Some(self.collation_main),
			(PeerSet::Collation, Some(name)) => {
				[CollationVersion::V1, CollationVersion::V2, CollationVersion::V3, CollationVersion::V4]
					.into_iter()
					.find(|version| self.names.collation(*version) == name)
			},
		}
	}

	async fn on_notification(&mut self, set: PeerSet, peer: PeerId, notification: Vec<u8>) -> bool {
		let Some(version) = self.peers_of(set).get(&peer).map(|state| state.version) else {
			self.report(peer, Reputation::CostMinor("message of a peer that is not connected"));
			return true;
		};
		self.metrics.received(label(set, version), notification.len());
		let from = to_machine(&peer);
		let decoded = match set {
			PeerSet::Validation => {
				ValidationMessage::decode_notification(&notification).map(|envelope| match envelope {
					Envelope::ProtocolMessage(message) => {
						Envelope::ProtocolMessage(NetworkEvent::Validation { peer: from, message })
					},
					Envelope::ViewUpdate(view) => Envelope::ViewUpdate(view),
				})
			},
			PeerSet::Collation => {
				CollationMessage::decode_notification(version, &notification).map(|envelope| match envelope {
					Envelope::ProtocolMessage(message) => {
						Envelope::ProtocolMessage(NetworkEvent::Collation { peer: from, message })
					},
					Envelope::ViewUpdate(view) => Envelope::ViewUpdate(view),
				})
			},
		};
		match decoded {
			Ok(Envelope::ProtocolMessage(event)) => self.offer(peer, Output::Event(event)),
			Ok(Envelope::ViewUpdate(view)) => self.on_view(set, peer, view).await,
			// Approval votes and assignments have a place of their own in the protocol, and nobody here who reads them
			// yet: a stock validator that sends them does nothing wrong.
			Err(_) if set == PeerSet::Validation && notification.get(..2) == Some(&[1, 4]) => true,
			Err(_) => {
				tracing::debug!(
					target: "parachain::network", %peer, ?set, bytes = notification.len(), "notification does not decode",
				);
				self.report(peer, Reputation::CostMajor("malformed message"));
				true
			},
		}
	}

	async fn on_view(&mut self, set: PeerSet, peer: PeerId, view: ViewMessage) -> bool {
		let Some(state) = self.peers_of(set).get_mut(&peer) else { return true };
		if view.heads.len() > VIEW_HEADS_MAX
			|| view.heads.is_empty()
			|| view.finalized_number < state.view.finalized_number
		{
			self.report(peer, Reputation::CostMajor("malformed view"));
			return true;
		}
		if state.view == view {
			return true;
		}
		state.view = view.clone();
		self.tell(NetworkEvent::PeerViewChange { peer: to_machine(&peer), set, view }).await
	}

	fn on_request(&mut self, protocol: RequestProtocol, request: IncomingRequest) -> bool {
		let IncomingRequest { peer, payload, pending_response } = request;
		self.next_request += 1;
		let id = InboundRequestId(self.next_request);
		self.unanswered.insert(id, pending_response);
		if self.unanswered.len() > UNANSWERED_REQUESTS_MAX {
			// Dropping the sender refuses the request.
			self.unanswered.pop_first();
		}
		self.offer(peer, Output::Request(InboundRequest { peer: to_machine(&peer), id, protocol, payload }))
	}

	async fn on_response(
		&mut self,
		token: Token,
		request: Request,
		result: Result<(Vec<u8>, ProtocolName), RequestFailure>,
	) -> bool {
		let result = match result {
			Ok((payload, name)) => Ok(self.newest_form(&request, payload, &name)),
			Err(failure) => Err(request_error(&failure)),
		};
		self.outputs.send(Output::Response { token, result }).await.is_ok()
	}

	/// Machines only know the newest form of a response; an older one carries less, never something else.
	fn newest_form(&self, request: &Request, payload: Vec<u8>, name: &ProtocolName) -> Vec<u8> {
		let Request::Chunk(chunk_request) = request else { return payload };
		if *name == self.names.request(RequestProtocol::ChunkV2) {
			return payload;
		}
		match ChunkResponseV1::decode(&mut &payload[..]) {
			Ok(ChunkResponseV1::Chunk { chunk, proof }) => {
				let index = headway_erasure_coding::ChunkIndex(chunk_request.index.0);
				ChunkResponseV2::Chunk(headway_erasure_coding::ErasureChunk { chunk, index, proof }).encode()
			},
			Ok(ChunkResponseV1::NoSuchChunk) => ChunkResponseV2::NoSuchChunk.encode(),
			// Does not decode as the newest form either: the machine that asked says what it costs.
			Err(_) => payload,
		}
	}

	/// Counts a change of a peer's reputation; see [`reports::Reports`] for when it is made.
	fn report(&mut self, peer: PeerId, change: Reputation) {
		self.metrics.reported();
		if change.value() < 0 {
			tracing::debug!(target: "parachain::network", %peer, reason = change.reason(), "cost to reputation");
		}
		for (peer, change) in self.reports.add(peer, change) {
			self.network.report(peer, change);
		}
	}

	fn flush_reports(&mut self) {
		for (peer, change) in self.reports.flush() {
			self.network.report(peer, change);
		}
	}

	/// Waits until the machines take it.
	async fn tell(&mut self, event: NetworkEvent) -> bool {
		match self.outputs.try_send(Output::Event(event)) {
			Ok(()) => true,
			Err(mpsc::error::TrySendError::Closed(_)) => false,
			Err(mpsc::error::TrySendError::Full(output)) => {
				let started = std::time::Instant::now();
				let told = self.outputs.send(output).await.is_ok();
				self.metrics.delayed(OUTPUT_CAPACITY, started.elapsed());
				told
			},
		}
	}

	/// Does not wait: what a peer sends faster than we work is dropped, at its cost.
	fn offer(&mut self, peer: PeerId, output: Output) -> bool {
		match self.outputs.try_send(output) {
			Ok(()) => true,
			Err(mpsc::error::TrySendError::Full(output)) => {
				if let Output::Request(request) = output {
					// Nobody will answer it: the peer need not wait.
					self.unanswered.remove(&request.id);
				}
				self.metrics.shed();
				self.report(peer, Reputation::CostMinor("node is busy"));
				true
			},
			Err(mpsc::error::TrySendError::Closed(_)) => false,
		}
	}

	fn peers_of(&mut self, set: PeerSet) -> &mut HashMap<PeerId, Peer> {
		self.peers.entry(set).or_default()
	}

	fn main_name(&self, set: PeerSet) -> ProtocolName {
		match set {
			PeerSet::Validation => self.names.validation(),
			PeerSet::Collation => self.names.collation(self.collation_main),
		}
	}

	fn main_version(&self, set: PeerSet) -> CollationVersion {
		match set {
			PeerSet::Validation => CollationVersion::V3,
			PeerSet::Collation => self.collation_main,
		}
	}
}

/// Where notifications to a peer that just connected go.
fn sink_of(
	service: &dyn NotificationService,
	event: &Option<NotificationEvent>,
) -> Option<Box<dyn MessageSink>> {
	match event {
		Some(NotificationEvent::NotificationStreamOpened { peer, .. }) => service.message_sink(peer),
		_ => None,
	}
}

fn reputation_change(change: Reputation) -> ReputationChange {
	ReputationChange::new(change.value(), change.reason())
}

fn request_error(failure: &RequestFailure) -> RequestError {
	match failure {
		RequestFailure::NotConnected | RequestFailure::Network(OutboundFailure::DialFailure) => {
			RequestError::NotConnected
		},
		RequestFailure::Network(OutboundFailure::Timeout) => RequestError::Timeout,
		RequestFailure::Network(OutboundFailure::UnsupportedProtocols) | RequestFailure::UnknownProtocol => {
			RequestError::UnsupportedProtocol
		},
		RequestFailure::Refused => RequestError::Refused,
		_ => RequestError::Network,
	}
}
