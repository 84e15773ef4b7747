//! Whatever happens, in whatever order: nothing panics, what is stated about bounds holds, and every request is
//! answered once.

use super::*;
use headway_machine::{testing::Bytes, wire::AdvertiseCollationV2};
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

fn step(bytes: &mut Bytes) -> Step {
	let peer = |bytes: &mut Bytes| bytes.below(6) as u8;
	let place = |bytes: &mut Bytes| (bytes.within(8..13).into(), bytes.within(0..4), bytes.below(4) as u8);
	let validators = |bytes: &mut Bytes| bytes.some(2, |bytes| bytes.below(6));
	match bytes.below(29) {
		0..=5 => {
			let (peer, (at, core, head)) = (peer(bytes), place(bytes));
			let protocol = match bytes.below(7) {
				0..=2 => RequestProtocol::CollationV2,
				3..=5 => RequestProtocol::CollationV3,
				_ => bytes.one_of(&RequestProtocol::ALL),
			};
			Step::Request { peer, protocol, at, core, head, cut: bytes.one_in(10).then(|| bytes.below(80)) }
		},
		6 | 7 => Step::Sent(bytes.below(1 << 16) as u64),
		8..=11 => {
			let (at, core, head) = place(bytes);
			Step::Distribute { at, core, head, para: bytes.within(2000..2002), segment: bytes.below(4) }
		},
		12..=14 => {
			let activated = bytes.coin().then(|| bytes.within(9..14));
			Step::Leaf { activated, deactivated: bytes.coin().then(|| bytes.within(9..14)) }
		},
		15..=17 => Step::Connect {
			peer: peer(bytes),
			version: bytes.one_of(&[
				CollationVersion::V3,
				CollationVersion::V2,
				CollationVersion::V1,
				CollationVersion::V4,
			]),
			validators: validators(bytes),
		},
		18..=20 => Step::View(peer(bytes), bytes.some(5, |bytes| bytes.within(7..15).into())),
		21 | 22 => Step::Wait(bytes.within(0..500).into()),
		23 => Step::Disconnect(peer(bytes)),
		24 => Step::Authorities(peer(bytes), validators(bytes)),
		25 => Step::Message(peer(bytes), bytes.coin()),
		26 => {
			let (at, core, head) = place(bytes);
			Step::Backed { at, core, head }
		},
		27 => Step::CollateOn(bytes.within(2000..2003)),
		_ => Step::Mode(bytes.coin()),
	}
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
	// That bounds hold is checked after each event.
	let machine = &rig.driven.machine;
	let in_view = machine.view.blocks();
	assert!(machine.blocks.keys().all(|at| in_view.contains_key(at)));
	assert!(machine.blocks.values().all(|stored| stored.by_output_head.len() == stored.candidates.len()));
}

fn check_steps(steps: Vec<Step>) {
	let (mut rig, mut seen) = (Rig::new(), Seen::default());
	for step in steps {
		carry_out(&mut rig, &mut seen, step);
		check(&rig);
	}
	let deactivated = (8..16).map(hash).collect();
	let effects = rig.send(Event::Leaves(LeavesUpdate { activated: None, deactivated }));
	seen.take(effects);
	assert!(rig.driven.machine.blocks.is_empty());
	assert_eq!(seen.answers.len() as u64, seen.asked);
	assert!(seen.answers.values().all(|times| *times == 1));
}

headway_machine::arbitrary_events! {
	#[test]
	fn nothing_panics_and_every_request_is_answered_once_whatever_happens(steps: step, bytes: 1..450) {
		check_steps(steps);
	}
}
