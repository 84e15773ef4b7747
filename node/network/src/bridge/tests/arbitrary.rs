//! Whatever peers do, in whatever order: nothing panics, and what the machines are told of a peer makes sense.

use super::*;
use proptest::{collection::vec, prelude::*};

/// Something that a peer, or the driver, does.
#[derive(Clone, Debug)]
enum Step {
	Open { peer: u8, set: PeerSet, fallback: usize, handshake: Vec<u8> },
	Close(u8, PeerSet),
	View { peer: u8, set: PeerSet, heads: Vec<u8>, finalized: u32 },
	Bytes(u8, PeerSet, Vec<u8>),
	Message(u8, PeerSet, usize),
	OurView(Vec<u8>, u32),
	Send(usize),
	Report(u8, bool),
	Resolved(Vec<(u8, u8)>),
}

fn step() -> impl Strategy<Value = Step> {
	let peer = || 0..4u8;
	let set = || prop_oneof![Just(PeerSet::Validation), Just(PeerSet::Collation)];
	prop_oneof![
		4 => (peer(), set(), 0..6usize, vec(0..5u8, 0..2))
			.prop_map(|(peer, set, fallback, handshake)| Step::Open { peer, set, fallback, handshake }),
		2 => (peer(), set()).prop_map(|(n, set)| Step::Close(n, set)),
		4 => (peer(), set(), vec(0..3u8, 0..7), 0..4u32)
			.prop_map(|(peer, set, heads, finalized)| Step::View { peer, set, heads, finalized }),
		3 => (peer(), set(), vec(any::<u8>(), 0..90)).prop_map(|(n, set, bytes)| Step::Bytes(n, set, bytes)),
		3 => (peer(), set(), 0..4usize).prop_map(|(n, set, kind)| Step::Message(n, set, kind)),
		2 => (vec(0..3u8, 0..3), any::<u32>()).prop_map(|(heads, finalized)| Step::OurView(heads, finalized)),
		2 => (0..4usize).prop_map(Step::Send),
		1 => (peer(), any::<bool>()).prop_map(|(n, good)| Step::Report(n, good)),
		1 => vec((0..4u8, 0..4u8), 0..4).prop_map(Step::Resolved),
	]
}

fn notification(kind: usize) -> Vec<u8> {
	match kind {
		0 => advert_v2().encode_notification(),
		1 => advert_v3().encode_notification(),
		2 => segment().encode_notification(),
		_ => Envelope::ProtocolMessage(bitfield()).encode(),
	}
}

async fn carry_out(rig: &mut Rig, step: Step) {
	let all: Vec<_> = (0..4).map(|n| to_machine(&peer(n))).collect();
	match step {
		Step::Open { peer, set, fallback, handshake } => {
			use CollationVersion::{V1, V2, V3, V4};
			let name = match fallback {
				0 | 1 => None,
				2 => Some("/unheard/of".into()),
				n => Some(rig.bridge.names.collation([V1, V2, V3, V4][n % 4])),
			};
			rig.open_with(peer, set, handshake, name).await;
		},
		Step::Close(n, set) => rig.close(n, set).await,
		Step::View { peer, set, heads, finalized } => rig.receive_view(peer, set, &heads, finalized).await,
		Step::Bytes(n, set, bytes) => rig.receive(n, set, bytes).await,
		Step::Message(n, set, kind) => rig.receive(n, set, notification(kind)).await,
		Step::OurView(heads, finalized) => rig.our_view(&heads, finalized),
		Step::Send(kind) => rig.bridge.carry_out(match kind {
			0 => NetworkEffect::SendCollation { peers: all, message: advert_v2() },
			1 => NetworkEffect::SendCollation { peers: all, message: advert_v3() },
			2 => NetworkEffect::SendCollation { peers: all, message: segment() },
			_ => NetworkEffect::SendValidation { peers: all, message: bitfield() },
		}),
		Step::Report(n, good) => {
			let change = if good { Reputation::BenefitMinor("good") } else { Reputation::CostMajor("bad") };
			rig.bridge.carry_out(NetworkEffect::Report { peer: to_machine(&peer(n)), change });
		},
		Step::Resolved(places) => {
			let mut resolved = Resolved::default();
			for (id, at) in places {
				let id = sp_core::ByteArray::from_slice(&[id; 32]).unwrap();
				resolved.peers.entry(peer(at)).or_default().insert(id);
			}
			assert!(rig.bridge.on_resolved(PeerSet::Collation, 0, resolved).await);
		},
	}
}

/// What the machines were told of peers so far: who is connected where, with which version and view.
#[derive(Default)]
struct Told(BTreeMap<(headway_machine::PeerId, PeerSet), (CollationVersion, ViewMessage)>);

impl Told {
	fn take(&mut self, event: NetworkEvent) {
		match event {
			NetworkEvent::PeerConnected { peer, set, version, .. } => {
				assert!(
					self.0.insert((peer, set), (version, ViewMessage::default())).is_none(),
					"connected twice"
				);
			},
			NetworkEvent::PeerDisconnected { peer, set } => {
				assert!(self.0.remove(&(peer, set)).is_some(), "was not connected");
			},
			NetworkEvent::PeerViewChange { peer, set, view } => {
				let (_, known) = self.0.get_mut(&(peer, set)).expect("view of a connected peer");
				assert!((1..=VIEW_HEADS_MAX).contains(&view.heads.len()) && *known != view);
				assert!(known.finalized_number <= view.finalized_number);
				*known = view;
			},
			NetworkEvent::Validation { peer, .. } => {
				assert!(self.0.contains_key(&(peer, PeerSet::Validation)))
			},
			NetworkEvent::Collation { peer, message } => {
				assert_eq!(self.0[&(peer, PeerSet::Collation)].0, message.version());
			},
			NetworkEvent::UpdatedAuthorityIds { peer, .. } => {
				assert!(self.0.keys().any(|(connected, _)| *connected == peer));
			},
			NetworkEvent::NewTopology { .. } => panic!("the driver's"),
		}
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

	#[test]
	fn machines_are_told_what_makes_sense_whatever_peers_do(steps in vec(step(), 1..80)) {
		let (mut rig, mut told) = (Rig::offering(CollationVersion::V4), Told::default());
		rig.bridge.desired.insert(PeerSet::Collation, Desired::default());
		for step in steps {
			futures::executor::block_on(carry_out(&mut rig, step));
			rig.told().into_iter().for_each(|event| told.take(event));
			let known = rig.bridge.peers.values().map(HashMap::len).sum::<usize>();
			prop_assert_eq!(known, told.0.len());
			for (to, bytes) in rig.sent() {
				// Each of them can read what it gets.
				let to = to_machine(&to);
				let validation = told.0.contains_key(&(to.clone(), PeerSet::Validation));
				let readable = (validation && ValidationMessage::decode_notification(&bytes).is_ok())
					|| told.0.get(&(to, PeerSet::Collation)).is_some_and(|(version, _)| {
						CollationMessage::decode_notification(*version, &bytes).is_ok()
					});
				prop_assert!(readable);
			}
		}
	}
}
