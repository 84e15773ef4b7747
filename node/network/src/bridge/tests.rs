//! A bridge over a network that only writes down what is asked of it.

mod arbitrary;
mod authorities;
mod malformed;
mod messages;
mod peers;

use super::*;
use crate::{authorities::Resolved, to_network};
use headway_machine::wire::{
	AdvertiseCollationV2, AdvertiseCollationV3, AdvertiseSegment, BitfieldMessage, CollatorMessageV2,
	CollatorMessageV3,
};
use headway_primitives::{CandidateDescriptorVersion, CandidateHash, Hash, ParaId};
use sc_network::service::traits::Direction;
use sc_network_types::multiaddr::Multiaddr;
use std::{
	collections::{BTreeSet, HashSet},
	sync::Mutex,
};
use transport::Answer as NetworkAnswer;

const AUTHORITY: u8 = 4;
const MINOR: i32 = -100_000;
const MAJOR: i32 = -300_000;

/// What the bridge asked of the network.
#[derive(Default)]
struct Asked {
	reports: Vec<(PeerId, i32)>,
	closed: Vec<(PeerId, ProtocolName)>,
	reserved: Vec<(ProtocolName, BTreeSet<PeerId>)>,
	requests: Vec<(PeerId, ProtocolName, Option<ProtocolName>)>,
	/// Notifications: to whom, and what.
	sent: Vec<(PeerId, Vec<u8>)>,
}

/// A network of peers whose role is known by their handshake alone.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Asked>>);

impl Recorder {
	fn note<R>(&self, note: impl FnOnce(&mut Asked) -> R) -> R {
		note(&mut self.0.lock().unwrap())
	}
}

impl Transport for Recorder {
	fn local_peer(&self) -> PeerId {
		peer(99)
	}

	fn role(&self, _: PeerId, handshake: Vec<u8>) -> Option<sc_network::ObservedRole> {
		match handshake[..] {
			[AUTHORITY] => Some(sc_network::ObservedRole::Authority),
			[1] => Some(sc_network::ObservedRole::Full),
			_ => None,
		}
	}

	fn report(&self, peer: PeerId, change: ReputationChange) {
		self.note(|asked| asked.reports.push((peer, change.value)));
	}

	fn disconnect(&self, peer: PeerId, protocol: ProtocolName) {
		self.note(|asked| asked.closed.push((peer, protocol)));
	}

	fn set_reserved(&self, protocol: ProtocolName, addresses: HashSet<Multiaddr>) -> Result<(), String> {
		let peers = addresses.iter().filter_map(crate::authorities::peer_of).collect();
		self.note(|asked| asked.reserved.push((protocol, peers)));
		Ok(())
	}

	fn request(
		&self,
		peer: PeerId,
		protocol: ProtocolName,
		_: Vec<u8>,
		fallback: Option<(Vec<u8>, ProtocolName)>,
	) -> BoxFuture<'static, NetworkAnswer> {
		self.note(|asked| asked.requests.push((peer, protocol, fallback.map(|(_, name)| name))));
		Box::pin(futures::future::ready(Err(RequestFailure::Refused)))
	}
}

struct Sink(PeerId, Recorder);

#[async_trait::async_trait]
impl MessageSink for Sink {
	fn send_sync_notification(&self, notification: Vec<u8>) {
		self.1.note(|asked| asked.sent.push((self.0, notification)));
	}

	async fn send_async_notification(&self, notification: Vec<u8>) -> Result<(), sc_network::error::Error> {
		self.send_sync_notification(notification);
		Ok(())
	}
}

struct Rig {
	bridge: Bridge,
	handle: BridgeHandle,
	network: Recorder,
}

impl Rig {
	/// A validator's bridge, which offers version 3 of the collation protocol.
	fn new() -> Self {
		Self::offering(CollationVersion::V3)
	}

	fn offering(main: CollationVersion) -> Self {
		let network = Recorder::default();
		let names = ProtocolNames::new(Hash::repeat_byte(1), None);
		let (bridge, handle) = Bridge::over(Arc::new(network.clone()), names, main, Metrics::default());
		Self { bridge, handle, network }
	}

	fn sink(&self, n: u8) -> Option<Box<dyn MessageSink>> {
		Some(Box::new(Sink(peer(n), self.network.clone())))
	}

	async fn open_with(&mut self, n: u8, set: PeerSet, handshake: Vec<u8>, fallback: Option<ProtocolName>) {
		let event = NotificationEvent::NotificationStreamOpened {
			peer: peer(n),
			direction: Direction::Inbound,
			handshake,
			negotiated_fallback: fallback,
		};
		let sink = self.sink(n);
		assert!(self.bridge.on_notification_event(set, Some(event), sink).await);
	}

	async fn open(&mut self, n: u8, set: PeerSet) {
		self.open_with(n, set, vec![AUTHORITY], None).await
	}

	/// A peer of the collation set that negotiated a version.
	async fn open_version(&mut self, n: u8, version: CollationVersion) {
		let name = (version != self.bridge.collation_main).then(|| self.bridge.names.collation(version));
		self.open_with(n, PeerSet::Collation, vec![AUTHORITY], name).await
	}

	async fn close(&mut self, n: u8, set: PeerSet) {
		let event = NotificationEvent::NotificationStreamClosed { peer: peer(n) };
		assert!(self.bridge.on_notification_event(set, Some(event), None).await);
	}

	async fn receive(&mut self, n: u8, set: PeerSet, notification: Vec<u8>) {
		let event = NotificationEvent::NotificationReceived { peer: peer(n), notification };
		assert!(self.bridge.on_notification_event(set, Some(event), None).await);
	}

	async fn receive_view(&mut self, n: u8, set: PeerSet, heads: &[u8], finalized_number: u32) {
		self.receive(n, set, view_notification(heads, finalized_number)).await
	}

	fn our_view(&mut self, heads: &[u8], finalized_number: u32) {
		self.bridge.on_command(Command::OurView(view(heads, finalized_number)));
	}

	/// What the machines were told since the last time.
	fn told(&mut self) -> Vec<NetworkEvent> {
		let mut events = Vec::new();
		while let Ok(output) = self.handle.outputs.try_recv() {
			match output {
				Output::Event(event) => events.push(event),
				other => panic!("{other:?}"),
			}
		}
		events
	}

	/// What was sent since the last time.
	fn sent(&self) -> Vec<(PeerId, Vec<u8>)> {
		self.network.note(|asked| std::mem::take(&mut asked.sent))
	}

	/// What peers cost or earned since the last time.
	fn reports(&mut self) -> Vec<(PeerId, i32)> {
		self.bridge.flush_reports();
		self.network.note(|asked| std::mem::take(&mut asked.reports))
	}
}

/// A peer id made of a number.
fn peer(n: u8) -> PeerId {
	// An identity multihash over a protobuf key of type Ed25519.
	let bytes = [&[0, 36, 8, 1, 18, 32][..], &[n; 32]].concat();
	PeerId::from_bytes(&bytes).unwrap()
}

fn view(heads: &[u8], finalized_number: u32) -> ViewMessage {
	ViewMessage { heads: heads.iter().map(|head| Hash::repeat_byte(*head)).collect(), finalized_number }
}

fn view_notification(heads: &[u8], finalized_number: u32) -> Vec<u8> {
	Envelope::<()>::ViewUpdate(view(heads, finalized_number)).encode()
}

fn advert_v2() -> CollationMessage {
	CollationMessage::V2(CollatorMessageV2::AdvertiseCollation(AdvertiseCollationV2 {
		scheduling_parent: Hash::repeat_byte(1),
		candidate_hash: CandidateHash(Hash::repeat_byte(2)),
		parent_head_data_hash: Hash::repeat_byte(3),
	}))
}

fn advert_v3() -> CollationMessage {
	CollationMessage::V3(CollatorMessageV3::AdvertiseCollation(AdvertiseCollationV3 {
		scheduling_parent: Hash::repeat_byte(1),
		candidate_hash: CandidateHash(Hash::repeat_byte(2)),
		parent_head_data_hash: Hash::repeat_byte(3),
		candidate_descriptor_version: CandidateDescriptorVersion::V2,
		relay_parent: Hash::repeat_byte(1),
	}))
}

fn segment() -> CollationMessage {
	CollationMessage::V4(AdvertiseSegment {
		scheduling_parent: Hash::repeat_byte(1),
		para_id: ParaId(2000),
		candidates_descriptor_version: CandidateDescriptorVersion::V2,
		candidates: Default::default(),
	})
}

/// A bitfield that nobody signed: the bridge does not look at signatures.
fn bitfield() -> ValidationMessage {
	// A compact count of four bits, the bits, the validator and the signature.
	let signed = Decode::decode(&mut &(16u8, 1u8, 3u32, [5u8; 64]).encode()[..]).unwrap();
	ValidationMessage::Bitfield(BitfieldMessage::Bitfield(Hash::repeat_byte(1), signed))
}
