//! Whatever happens, in whatever order: nothing panics, what is stated about bounds holds, and every request is
//! answered once.

use super::*;
use headway_machine::wire::AdvertiseCollationV2;
use proptest::{collection::vec, prelude::*, sample::select};
use std::collections::BTreeMap;

/// Something that happens. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
	Wait(u64),
	Leaf { activated: Option<u32>, deactivated: Option<u32> },
	CollateOn(u32),
	Mode(bool),
	Distribute { at: u64, core: u32, para: u32, head: u8, segment: usize },
	Connect { peer: u8, version: CollationVersion, validators: Vec<usize> },
	Disconnect(u8),
	View(u8, Vec<u64>),
	Authorities(u8, Vec<usize>),
	Message(u8, bool),
	Request { peer: u8, protocol: RequestProtocol, at: u64, core: u32, head: u8, cut: Option<usize> },
	Sent(u64),
	Backed { at: u64, core: u32, head: u8 },
}

fn step() -> impl Strategy<Value = Step> {
	let peer = || 0..6u8;
	let versions = [CollationVersion::V1, CollationVersion::V2, CollationVersion::V3, CollationVersion::V4];
	let protocols = RequestProtocol::ALL.to_vec();
	let collations = vec![RequestProtocol::CollationV2, RequestProtocol::CollationV3];
	let protocol = prop_oneof![6 => select(collations), 1 => select(protocols)];
	let place = || (8..13u64, 0..4u32, 0..4u8);
	let number = || proptest::option::of(9..14u32);
	prop_oneof![
		2 => (0..500u64).prop_map(Step::Wait),
		3 => (number(), number()).prop_map(|(activated, deactivated)| Step::Leaf { activated, deactivated }),
		1 => (2000..2003u32).prop_map(Step::CollateOn),
		1 => any::<bool>().prop_map(Step::Mode),
		4 => (place(), 2000..2002u32, 0..4usize).prop_map(|((at, core, head), para, segment)| {
			Step::Distribute { at, core, para, head, segment }
		}),
		3 => (peer(), select(versions.to_vec()), vec(0..6usize, 0..3))
			.prop_map(|(peer, version, validators)| Step::Connect { peer, version, validators }),
		1 => peer().prop_map(Step::Disconnect),
		3 => (peer(), vec(7..15u64, 0..6)).prop_map(|(n, heads)| Step::View(n, heads)),
		1 => (peer(), vec(0..6usize, 0..3)).prop_map(|(n, validators)| Step::Authorities(n, validators)),
		1 => (peer(), any::<bool>()).prop_map(|(n, advert)| Step::Message(n, advert)),
		6 => (peer(), protocol, place(), proptest::option::weighted(0.1, 0..80usize)).prop_map(
			|(peer, protocol, (at, core, head), cut)| Step::Request { peer, protocol, at, core, head, cut }
		),
		2 => any::<u64>().prop_map(Step::Sent),
		1 => place().prop_map(|(at, core, head)| Step::Backed { at, core, head }),
	]
}

#[derive(Default)]
struct Seen {
	asked: u64,
	answers: BTreeMap<InboundRequestId, usize>,
}

impl Seen {
	fn take(&mut self, effects: Vec<NetworkEffect>) {
		for (id, ..) in answers(&effects) {
			*self.answers.entry(id).or_default() += 1;
		}
	}
}

fn carry_out(rig: &mut Rig, seen: &mut Seen, step: Step) {
	let effects = match step {
		Step::Wait(ms) => rig.advance(ms),
		Step::Leaf { activated: Some(number), deactivated } => rig.activate(number, deactivated),
		Step::Leaf { activated: None, deactivated } => {
			let deactivated = deactivated.map(|number| hash(number.into())).into_iter().collect();
			rig.send(Event::Leaves(LeavesUpdate { activated: None, deactivated }))
		},
		Step::CollateOn(para) => rig.send(Event::CollateOn(ParaId(para))),
		Step::Mode(true) => rig.send(Event::ConnectToBackingGroups),
		Step::Mode(false) => rig.send(Event::DisconnectFromBackingGroups),
		Step::Distribute { at, core, para, head, segment: n } => {
			let mut segment = match n {
				3 => segment_v3(),
				n => segment(at, core, (0..n).map(|_| candidate(at, core, head, head + 1)).collect()),
			};
			segment.para = ParaId(para);
			rig.distribute(&segment)
		},
		Step::Connect { peer, version, validators } => rig.connect(peer, version, &validators),
		Step::Disconnect(n) => rig
			.send(Event::Network(NetworkEvent::PeerDisconnected { peer: peer(n), set: PeerSet::Collation })),
		Step::View(n, heads) => rig.view(n, &heads),
		Step::Authorities(n, validators) => {
			let authority_ids = rig.keys(&validators);
			rig.send(Event::Network(NetworkEvent::UpdatedAuthorityIds { peer: peer(n), authority_ids }))
		},
		Step::Message(n, is_advert) => {
			let Declaration { collator, signature } = rig.driven.machine.declaration.clone();
			let message = match is_advert {
				true => CollatorMessageV2::AdvertiseCollation(AdvertiseCollationV2 {
					scheduling_parent: hash(10),
					candidate_hash: CandidateHash(hash(1)),
					parent_head_data_hash: hash(2),
				}),
				false => CollatorMessageV2::Declare(collator, PARA, signature),
			};
			let message = CollationMessage::V2(message);
			rig.send(Event::Network(NetworkEvent::Collation { peer: peer(n), message }))
		},
		Step::Request { peer, protocol, at, core, head, cut } => {
			let wanted = candidate(at, core, head, head + 1);
			let what = match protocol {
				RequestProtocol::CollationV3 => wanted.head_data.hash(),
				_ => wanted.receipt.hash().0,
			};
			let mut payload = (hash(at), PARA, what).encode();
			payload.truncate(cut.unwrap_or(payload.len()));
			seen.asked += 1;
			rig.request(peer, protocol, payload).1
		},
		Step::Sent(n) => rig.send(Event::Sent { id: InboundRequestId(n % (seen.asked + 2)) }),
		Step::Backed { at, core, head } => {
			let built = candidate(at, core, head, head + 1);
			let event = CandidateEvent::CandidateBacked(
				built.receipt,
				built.head_data,
				CoreIndex(core),
				GroupIndex(0),
			);
			rig.activate_with(at as u32 + 1, Some(at as u32), vec![event])
		},
	};
	seen.take(effects);
}

fn check(rig: &Rig) {
	let machine = &rig.driven.machine;
	let in_view = machine.view.blocks();
	assert!(machine.blocks.keys().all(|at| in_view.contains_key(at)));
	for stored in machine.blocks.values() {
		assert!(stored.segments.len() <= 3, "one per core");
		assert!(stored.uploads.waiting_len() <= WAITING_UPLOADS_MAX);
		assert_eq!(stored.by_output_head.len(), stored.candidates.len());
	}
	assert!(machine.peers.len() <= PEERS_MAX);
	assert!(machine.peers.values().all(|peer| peer.early_heads_len() <= UNKNOWN_HEADS_MAX));
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

	#[test]
	fn nothing_panics_and_every_request_is_answered_once_whatever_happens(steps in vec(step(), 1..80)) {
		let (mut rig, mut seen) = (Rig::new(), Seen::default());
		for step in steps {
			carry_out(&mut rig, &mut seen, step);
			check(&rig);
		}
		let deactivated = (8..16).map(hash).collect();
		let effects = rig.send(Event::Leaves(LeavesUpdate { activated: None, deactivated }));
		seen.take(effects);
		prop_assert!(rig.driven.machine.blocks.is_empty());
		prop_assert_eq!(seen.answers.len() as u64, seen.asked);
		prop_assert!(seen.answers.values().all(|times| *times == 1));
	}
}
