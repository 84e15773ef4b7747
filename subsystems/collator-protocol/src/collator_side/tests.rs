pub(crate) mod arbitrary;
#[cfg(test)]
mod malformed;

use super::*;
use codec::{Decode, Encode};
use headway_machine::{
	testing::{block, hash, leaf, peer, session, validator_keys, Driven},
	wire::{
		CollationMessage, CollationRequestV2, CollationRequestV3, CollationResponse, CollationResponseV3,
		CollationVersion, CollatorMessageV2, CollatorMessageV3, RequestProtocol, ViewMessage,
	},
	ObservedRole, Reputation, SessionContext,
};
use headway_primitives::{
	AuthorityDiscoveryId, BlockData, CandidateDescriptorV2, CandidateDescriptorVersion, CandidateEvent,
	CandidateReceiptV2, CollatorPair, GroupIndex, HeadData, PoV, ValidationCodeHash,
};
use sp_core::Pair;
use std::collections::BTreeSet;

const PARA: ParaId = ParaId(2000);

/// Groups {0, 1}, {2, 3}, {4, 5} on cores 0, 1, 2; the para is on core 0 now and on core 1 later.
struct Rig {
	driven: Driven<CollatorSide, ()>,
	session: Arc<SessionContext>,
	requests: u64,
}

impl Rig {
	fn new() -> Self {
		Self::without_para(Some(PARA))
	}

	fn without_para(para: Option<ParaId>) -> Self {
		let session = session(7, &validator_keys(6), vec![vec![0, 1], vec![2, 3], vec![4, 5]], None);
		let pair = CollatorPair::from_string("//Collator", None).unwrap();
		let declaration = Declaration::new(pair.public(), &peer(100), |payload| pair.sign(payload));
		let driven = Driven::new(CollatorSide::new(declaration), (), Timestamp::from_unix_ms(1_000));
		let mut rig = Rig { driven, session, requests: 0 };
		if let Some(para) = para {
			rig.send(Event::CollateOn(para));
		}
		rig.activate(10, None);
		rig
	}

	fn activate(&mut self, number: u32, deactivated: Option<u32>) -> Vec<NetworkEffect> {
		self.activate_with(number, deactivated, Vec::new())
	}

	fn activate_with(
		&mut self,
		number: u32,
		deactivated: Option<u32>,
		candidate_events: Vec<CandidateEvent>,
	) -> Vec<NetworkEffect> {
		let queue = [(0, [2000, 2000, 2000]), (1, [3000, 3000, 2000]), (2, [3000, 3000, 3000])];
		let queue: std::collections::BTreeMap<_, _> =
			queue.map(|(core, paras)| (CoreIndex(core), paras.into_iter().map(ParaId).collect())).into();
		let at = |number| block(number, &self.session, queue.clone());
		let mut context = leaf(at(number), vec![Arc::new(at(number - 1)), Arc::new(at(number - 2))]);
		context.candidate_events = candidate_events;
		let deactivated = deactivated.map(|number| hash(number.into())).into_iter().collect();
		self.send(Event::Leaves(LeavesUpdate { activated: Some(Arc::new(context)), deactivated }))
	}

	fn send(&mut self, event: Event) -> Vec<NetworkEffect> {
		self.driven.send(event).into_iter().map(|Effect::Network(effect)| effect).collect()
	}

	fn advance(&mut self, ms: u64) -> Vec<NetworkEffect> {
		self.driven.advance(ms).into_iter().map(|Effect::Network(effect)| effect).collect()
	}

	fn keys(&self, validators: &[usize]) -> BTreeSet<AuthorityDiscoveryId> {
		validators.iter().map(|index| self.session.info.discovery_keys[*index].clone()).collect()
	}

	fn connect(&mut self, n: u8, version: CollationVersion, validators: &[usize]) -> Vec<NetworkEffect> {
		self.send(Event::Network(NetworkEvent::PeerConnected {
			peer: peer(n),
			set: PeerSet::Collation,
			version,
			role: ObservedRole::Authority,
			authority_ids: self.keys(validators),
		}))
	}

	fn view(&mut self, n: u8, heads: &[u64]) -> Vec<NetworkEffect> {
		let view = ViewMessage { heads: heads.iter().copied().map(hash).collect(), finalized_number: 0 };
		self.send(Event::Network(NetworkEvent::PeerViewChange {
			peer: peer(n),
			set: PeerSet::Collation,
			view,
		}))
	}

	fn distribute(&mut self, segment: &DistributeSegment) -> Vec<NetworkEffect> {
		self.send(Event::Distribute(segment.clone()))
	}

	fn request(
		&mut self,
		n: u8,
		protocol: RequestProtocol,
		payload: Vec<u8>,
	) -> (InboundRequestId, Vec<NetworkEffect>) {
		self.requests += 1;
		let id = InboundRequestId(self.requests);
		(id, self.send(Event::Request(InboundRequest { peer: peer(n), id, protocol, payload })))
	}

	fn request_v2(
		&mut self,
		n: u8,
		at: u64,
		candidate: &BuiltCandidate,
	) -> (InboundRequestId, Vec<NetworkEffect>) {
		let request = CollationRequestV2 {
			scheduling_parent: hash(at),
			para_id: PARA,
			candidate_hash: candidate.receipt.hash(),
		};
		self.request(n, RequestProtocol::CollationV2, request.encode())
	}

	fn stages(&self) -> Vec<Stage> {
		self.driven.traces.iter().map(|trace| trace.stage).collect()
	}
}

fn candidate(at: u64, core: u32, parent: u8, head: u8) -> BuiltCandidate {
	let pov = PoV { block_data: BlockData(vec![head; 20]) };
	let descriptor = CandidateDescriptorV2::new_v2(
		PARA,
		hash(at),
		CoreIndex(core),
		7,
		hash(1),
		pov.hash(),
		hash(2),
		HeadData(vec![head]).hash(),
		ValidationCodeHash(hash(3)),
	);
	BuiltCandidate {
		receipt: CandidateReceiptV2 { descriptor, commitments_hash: hash(4) },
		pov: Arc::new(pov),
		parent_head_data: HeadData(vec![parent]),
		head_data: HeadData(vec![head]),
	}
}

fn segment(at: u64, core: u32, candidates: Vec<BuiltCandidate>) -> DistributeSegment {
	DistributeSegment {
		para: PARA,
		core_index: CoreIndex(core),
		scheduling_parent: hash(at),
		descriptor_version: CandidateDescriptorVersion::V2,
		candidates,
	}
}

/// Three version 3 candidates on core 0 at block 10, each on top of the one before.
fn segment_v3() -> DistributeSegment {
	let candidates = (1..4).map(|n| {
		let mut candidate = candidate(4 + u64::from(n), 0, n, n + 1);
		let descriptor = &mut candidate.receipt.descriptor;
		*descriptor = descriptor.clone().into_v3(hash(10), 7).unwrap();
		candidate
	});
	DistributeSegment {
		descriptor_version: CandidateDescriptorVersion::V3,
		..segment(10, 0, candidates.collect())
	}
}

fn wanted(effects: &[NetworkEffect]) -> Vec<BTreeSet<AuthorityDiscoveryId>> {
	let wanted = |effect: &NetworkEffect| match effect {
		NetworkEffect::ConnectToValidators { validators, set: PeerSet::Collation } => {
			Some(validators.iter().cloned().collect())
		},
		_ => None,
	};
	effects.iter().filter_map(wanted).collect()
}

fn sent(effects: &[NetworkEffect]) -> Vec<(PeerId, CollationMessage)> {
	let sent = |effect: &NetworkEffect| match effect {
		NetworkEffect::SendCollation { peers, message } => Some((peers[0].clone(), message.clone())),
		_ => None,
	};
	effects.iter().filter_map(sent).collect()
}

fn answers(effects: &[NetworkEffect]) -> Vec<(InboundRequestId, Option<Vec<u8>>, i32)> {
	let answer = |effect: &NetworkEffect| match effect {
		NetworkEffect::Respond { id, response, reputation } => {
			Some((*id, response.clone(), reputation.map_or(0, Reputation::value)))
		},
		_ => None,
	};
	effects.iter().filter_map(answer).collect()
}

fn is_declaration(message: &CollationMessage) -> bool {
	matches!(
		message,
		CollationMessage::V2(CollatorMessageV2::Declare(..))
			| CollationMessage::V3(CollatorMessageV3::Declare(..))
	)
}

#[test]
fn cc01_pre_connect_asks_for_the_groups_of_all_cores_in_the_window() {
	let mut rig = Rig::new();
	let effects = rig.send(Event::ConnectToBackingGroups);
	assert_eq!(wanted(&effects), [rig.keys(&[0, 1, 2, 3])]);
	assert_eq!(wanted(&rig.activate(11, Some(10))), [rig.keys(&[0, 1, 2, 3])]);
	assert!(rig.advance(3_999).is_empty());
	assert_eq!(wanted(&rig.advance(1)), [rig.keys(&[0, 1, 2, 3])], "again four seconds after a leaf");
	assert!(rig.advance(10_000).is_empty());

	let mut rig = Rig::without_para(Some(ParaId(4000)));
	assert_eq!(wanted(&rig.send(Event::ConnectToBackingGroups)), [BTreeSet::new()]);
	let mut rig = Rig::without_para(None);
	assert!(rig.send(Event::ConnectToBackingGroups).is_empty());
}

#[test]
fn cc02_without_pre_connect_distribution_asks_for_connections() {
	let mut rig = Rig::new();
	assert!(rig.activate(11, Some(10)).is_empty());
	assert!(rig.advance(5_000).is_empty());
	let effects = rig.distribute(&segment(11, 0, vec![candidate(11, 0, 1, 2)]));
	assert_eq!(wanted(&effects), [rig.keys(&[0, 1, 2, 3])]);
	// From then on the groups that may still want something, as soon as one is connected.
	assert!(wanted(&rig.activate(12, Some(11))).is_empty());
	rig.connect(1, CollationVersion::V2, &[0]);
	assert_eq!(wanted(&rig.activate(13, Some(12))), [rig.keys(&[0, 1])]);
	assert_eq!(wanted(&rig.activate(14, Some(13))), [BTreeSet::new()]);
}

#[test]
fn cc03_segment_is_advertised_once_to_its_group_and_view() {
	let mut rig = Rig::new();
	for (n, validator) in [(1, 0), (2, 2), (3, 1)] {
		assert!(is_declaration(&sent(&rig.connect(n, CollationVersion::V2, &[validator]))[0].1));
	}
	rig.view(1, &[10]);
	rig.view(2, &[10]);
	let built = candidate(10, 0, 1, 2);
	let told = sent(&rig.distribute(&segment(10, 0, vec![built.clone()])));
	assert_eq!(told.len(), 1, "peer 2 is in another group, peer 3 does not see the block: {told:?}");
	assert_eq!(told[0].0, peer(1));
	assert!(sent(&rig.view(1, &[10])).is_empty());
	assert_eq!(sent(&rig.view(3, &[10])).len(), 1);
	assert!(sent(&rig.activate(11, Some(10))).is_empty());

	rig.send(Event::Network(NetworkEvent::PeerDisconnected { peer: peer(1), set: PeerSet::Collation }));
	rig.connect(1, CollationVersion::V2, &[0]);
	assert_eq!(sent(&rig.view(1, &[11])).len(), 1, "again after a reconnection");
	assert_eq!(rig.stages().iter().filter(|stage| **stage == Stage::Advertised).count(), 1);
}

#[test]
fn block_that_a_peer_knew_before_us_is_advertised_when_we_catch_up() {
	let mut rig = Rig::new();
	rig.connect(1, CollationVersion::V2, &[0]);
	rig.view(1, &[11]);
	rig.view(1, &[12]);
	assert!(sent(&rig.activate(11, Some(10))).is_empty());
	assert_eq!(sent(&rig.distribute(&segment(11, 0, vec![candidate(11, 0, 1, 2)]))).len(), 1);
	for head in 100..200 {
		rig.view(1, &[head]);
	}
	assert_eq!(rig.driven.machine.peers[&peer(1)].early_heads_len(), UNKNOWN_HEADS_MAX);
}

#[test]
fn cc04_what_is_advertised_depends_on_the_version() {
	let mut rig = Rig::new();
	let refused = rig.connect(1, CollationVersion::V1, &[0]);
	assert_eq!(refused, [NetworkEffect::Disconnect { peer: peer(1), set: PeerSet::Collation }]);
	assert_eq!(sent(&rig.connect(2, CollationVersion::V2, &[0])).len(), 1);
	assert_eq!(sent(&rig.connect(3, CollationVersion::V3, &[0])).len(), 1);
	assert!(sent(&rig.connect(4, CollationVersion::V4, &[1])).is_empty(), "no declaration in version 4");
	let old = candidate(9, 0, 1, 2);
	rig.distribute(&segment(9, 0, vec![old.clone()]));
	let segment = segment_v3();
	let tip = segment.candidates[2].clone();
	rig.distribute(&segment);

	let told = sent(&rig.view(2, &[10]));
	assert_eq!(told.len(), 1, "a descriptor of version 3 would have to be refused: {told:?}");
	match &told[0].1 {
		CollationMessage::V2(CollatorMessageV2::AdvertiseCollation(advert)) => {
			assert_eq!((advert.scheduling_parent, advert.candidate_hash), (hash(9), old.receipt.hash()));
			assert_eq!(advert.parent_head_data_hash, old.parent_head_data.hash());
		},
		other => panic!("{other:?}"),
	}
	rig.send(Event::Network(NetworkEvent::PeerDisconnected { peer: peer(2), set: PeerSet::Collation }));
	let told = sent(&rig.view(3, &[10]));
	assert_eq!(told.len(), 2);
	match &told[1].1 {
		CollationMessage::V3(CollatorMessageV3::AdvertiseCollation(advert)) => {
			assert_eq!(advert.candidate_hash, tip.receipt.hash());
			assert_eq!(advert.candidate_descriptor_version, CandidateDescriptorVersion::V3);
			assert_eq!(advert.relay_parent, hash(7));
		},
		other => panic!("{other:?}"),
	}
	match &sent(&rig.view(4, &[10]))[1].1 {
		CollationMessage::V4(advert) => {
			assert_eq!(
				(advert.para_id, advert.candidates_descriptor_version),
				(PARA, CandidateDescriptorVersion::V3)
			);
			let heads: Vec<_> = advert.candidates.iter().map(|entry| entry.output_head_data_hash).collect();
			assert_eq!(heads, [2, 3, 4].map(|n| HeadData(vec![n]).hash()));
			assert!(advert.candidates.iter().all(|entry| entry.claim_queue_offset == 0));
		},
		other => panic!("{other:?}"),
	}
}

#[test]
fn cc05_declaration_follows_when_the_validator_behind_a_peer_becomes_known() {
	let mut rig = Rig::new();
	assert!(rig.connect(1, CollationVersion::V2, &[]).is_empty());
	rig.view(1, &[10]);
	assert!(sent(&rig.distribute(&segment(10, 0, vec![candidate(10, 0, 1, 2)]))).is_empty());
	let update = |rig: &Rig, validators: &[usize]| {
		Event::Network(NetworkEvent::UpdatedAuthorityIds {
			peer: peer(1),
			authority_ids: rig.keys(validators),
		})
	};
	let event = update(&rig, &[0]);
	let told = sent(&rig.send(event));
	assert_eq!(told.len(), 2);
	assert!(is_declaration(&told[0].1) && !is_declaration(&told[1].1));
	let event = update(&rig, &[0, 5]);
	assert!(sent(&rig.send(event)).is_empty(), "told already");
	// Another member of the group behind the same peer does not know yet.
	let event = update(&rig, &[0, 1]);
	assert_eq!(sent(&rig.send(event)).len(), 1);
}

#[test]
fn validator_that_left_a_peer_before_it_reconnected_is_told_again() {
	let mut rig = Rig::new();
	rig.connect(1, CollationVersion::V2, &[0]);
	rig.view(1, &[10]);
	assert_eq!(sent(&rig.distribute(&segment(10, 0, vec![candidate(10, 0, 1, 2)]))).len(), 1);
	let authority_ids = rig.keys(&[5]);
	rig.send(Event::Network(NetworkEvent::UpdatedAuthorityIds { peer: peer(1), authority_ids }));
	rig.send(Event::Network(NetworkEvent::PeerDisconnected { peer: peer(1), set: PeerSet::Collation }));
	rig.connect(1, CollationVersion::V2, &[0]);
	assert_eq!(sent(&rig.view(1, &[10])).len(), 1);
}

#[test]
fn cc06_one_upload_at_a_time_per_scheduling_parent() {
	let mut rig = Rig::new();
	let built = candidate(10, 0, 1, 2);
	rig.distribute(&segment(10, 0, vec![built.clone()]));
	let other = candidate(9, 0, 7, 8);
	rig.distribute(&segment(9, 0, vec![other.clone()]));

	let (first, effects) = rig.request_v2(1, 10, &built);
	assert_eq!(answers(&effects)[0].0, first);
	let (second, effects) = rig.request_v2(2, 10, &built);
	assert!(effects.is_empty());
	let (flood, effects) = rig.request_v2(2, 10, &built);
	assert_eq!(answers(&effects), [(flood, None, -100_000)]);
	let (elsewhere, effects) = rig.request_v2(2, 9, &other);
	assert_eq!(answers(&effects)[0].0, elsewhere, "blocks do not wait for each other");
	let (third, effects) = rig.request_v2(3, 10, &built);
	assert!(effects.is_empty());

	assert_eq!(answers(&rig.send(Event::Sent { id: first }))[0].0, second);
	assert!(rig.advance(149).is_empty());
	let effects = rig.advance(1);
	assert_eq!(answers(&effects).iter().map(|answer| answer.0).collect::<Vec<_>>(), [third]);
	// What timed out or is done may be asked for again.
	rig.advance(200);
	let (again, effects) = rig.request_v2(2, 10, &built);
	assert_eq!(answers(&effects)[0].0, again);
	assert!(answers(&effects)[0].1.is_some());
}

#[test]
fn cc07_collations_are_served_by_hash_and_by_output_head_with_the_parent_head() {
	let mut rig = Rig::new();
	let segment = segment_v3();
	rig.distribute(&segment);
	let middle = &segment.candidates[1];
	let (_, effects) = rig.request_v2(1, 10, middle);
	let response = answers(&effects).remove(0).1.unwrap();
	assert_eq!(
		CollationResponse::decode(&mut &response[..]).unwrap(),
		CollationResponse::CollationWithParentHeadData {
			receipt: middle.receipt.clone(),
			pov: (*middle.pov).clone(),
			parent_head_data: middle.parent_head_data.clone(),
		}
	);
	rig.advance(150);
	let mut by_head = CollationRequestV3 {
		scheduling_parent: hash(10),
		para_id: PARA,
		output_head_data_hash: middle.head_data.hash(),
	};
	let (_, effects) = rig.request(2, RequestProtocol::CollationV3, by_head.encode());
	let response = answers(&effects).remove(0).1.unwrap();
	let CollationResponseV3::Collation { receipt, pov, parent_head_data } =
		CollationResponseV3::decode(&mut &response[..]).unwrap();
	assert_eq!(
		(&receipt, &pov, &parent_head_data),
		(&middle.receipt, &*middle.pov, &middle.parent_head_data)
	);

	by_head.output_head_data_hash = hash(5);
	let (id, effects) = rig.request(3, RequestProtocol::CollationV3, by_head.encode());
	assert_eq!(answers(&effects), [(id, None, 0)]);
	by_head.para_id = ParaId(1);
	by_head.output_head_data_hash = middle.head_data.hash();
	let (id, effects) = rig.request(3, RequestProtocol::CollationV3, by_head.encode());
	assert_eq!(answers(&effects), [(id, None, 0)]);
	let (id, effects) = rig.request(3, RequestProtocol::CollationV2, vec![1, 2, 3]);
	assert_eq!(answers(&effects), [(id, None, -300_000)]);
	let (id, effects) = rig.request(3, RequestProtocol::CollationV1, vec![1, 2, 3]);
	assert_eq!(answers(&effects), [(id, None, 0)], "not served");
}

#[test]
fn cc08_segments_that_do_not_fit_are_dropped() {
	let mut rig = Rig::new();
	let good = segment(10, 0, vec![candidate(10, 0, 1, 2)]);
	let with = |change: fn(&mut DistributeSegment)| {
		let mut segment = good.clone();
		change(&mut segment);
		segment
	};
	let cases = [
		(with(|segment| segment.scheduling_parent = hash(3)), Some(Reason::OutOfView)),
		(with(|segment| segment.core_index = CoreIndex(2)), Some(Reason::ParaNotScheduled)),
		(with(|segment| segment.core_index = CoreIndex(9)), Some(Reason::ParaNotScheduled)),
		(good.clone(), None),
		(segment(10, 0, vec![candidate(10, 0, 5, 6)]), Some(Reason::AlreadyKnown)),
	];
	for (segment, reason) in cases {
		rig.driven.traces.clear();
		let effects = rig.distribute(&segment);
		assert_eq!(wanted(&effects), [rig.keys(&[0, 1, 2, 3])], "connections are refreshed all the same");
		assert_eq!(rig.stages().first().copied(), reason.map(Stage::Dropped));
	}
	assert_eq!(rig.driven.machine.blocks[&hash(10)].candidates.len(), 1);

	rig.distribute(&with(|segment| segment.candidates.clear()));
	let foreign = rig.distribute(&with(|segment| segment.para = ParaId(3000)));
	assert!(foreign.is_empty());
	assert_eq!(rig.stages().last(), Some(&Stage::Dropped(Reason::NotAssigned)));
}

#[test]
fn candidate_with_an_output_head_that_is_there_is_listed_but_not_stored_again() {
	let mut rig = Rig::new();
	rig.distribute(&segment(10, 0, vec![candidate(10, 0, 1, 2)]));
	rig.distribute(&segment(10, 1, vec![candidate(10, 1, 1, 2)]));
	let stored = &rig.driven.machine.blocks[&hash(10)];
	assert_eq!((stored.candidates.len(), stored.segments.len()), (1, 2));
}

#[test]
fn cc09_collators_that_take_us_for_a_validator_are_disconnected() {
	let statement = headway_primitives::UncheckedSigned {
		payload: headway_primitives::Statement::Valid(CandidateHash(hash(1))),
		validator_index: headway_primitives::ValidatorIndex(0),
		signature: <headway_primitives::ValidatorSignature as sp_core::ByteArray>::from_slice(&[1; 64])
			.unwrap(),
	};
	let rig = Rig::new();
	let Declaration { collator, signature } = rig.driven.machine.declaration.clone();
	let advert = headway_machine::wire::AdvertiseCollationV2 {
		scheduling_parent: hash(10),
		candidate_hash: CandidateHash(hash(1)),
		parent_head_data_hash: hash(2),
	};
	let segment = headway_machine::wire::AdvertiseSegment {
		scheduling_parent: hash(10),
		para_id: PARA,
		candidates_descriptor_version: CandidateDescriptorVersion::V3,
		candidates: Default::default(),
	};
	let cases = [
		(CollationMessage::V2(CollatorMessageV2::Declare(collator, PARA, signature)), 0, 1),
		(CollationMessage::V2(CollatorMessageV2::AdvertiseCollation(advert)), 1, 1),
		(CollationMessage::V4(segment), 1, 1),
		(CollationMessage::V2(CollatorMessageV2::CollationSeconded(hash(10), statement)), 0, 0),
	];
	for (message, costs, closed) in cases {
		let mut rig = Rig::new();
		rig.connect(1, message.version(), &[0]);
		rig.driven.traces.clear();
		let effects = rig.send(Event::Network(NetworkEvent::Collation { peer: peer(1), message }));
		let count = |is: fn(&NetworkEffect) -> bool| effects.iter().filter(|effect| is(effect)).count();
		let is_minor = |effect: &NetworkEffect| {
			matches!(effect, NetworkEffect::Report { change: Reputation::CostMinor(_), .. })
		};
		assert_eq!(count(is_minor), costs);
		assert_eq!(count(|effect| matches!(effect, NetworkEffect::Disconnect { .. })), closed);
		assert_eq!(effects.len(), costs + closed);
		assert_eq!(rig.stages().contains(&Stage::Dropped(Reason::UnexpectedMessage)), closed == 1);
	}
}

#[test]
fn cc10_collations_leave_with_their_scheduling_parent() {
	let mut rig = Rig::new();
	let built = candidate(10, 0, 1, 2);
	rig.distribute(&segment(10, 0, vec![built.clone()]));
	let fetched = candidate(10, 1, 1, 3);
	rig.distribute(&segment(10, 1, vec![fetched.clone()]));
	rig.request_v2(1, 10, &fetched);
	let (waiting, effects) = rig.request_v2(2, 10, &fetched);
	assert!(effects.is_empty());
	rig.driven.traces.clear();
	let effects = rig.activate(20, Some(10));
	assert_eq!(answers(&effects), [(waiting, None, 0)]);
	let expired: BTreeSet<_> = rig
		.driven
		.traces
		.iter()
		.filter_map(|trace| Some((trace.candidate?, trace.stage)))
		.filter(|(_, stage)| matches!(stage, Stage::Dropped(_)))
		.collect();
	// The one that nobody fetched, and the one that was fetched and not backed within three blocks.
	let not_requested = (built.receipt.hash(), Stage::Dropped(Reason::NotRequested));
	assert_eq!(expired, [not_requested, (fetched.receipt.hash(), Stage::Dropped(Reason::NotBacked))].into());
	let (id, effects) = rig.request_v2(1, 10, &built);
	assert_eq!(answers(&effects), [(id, None, 0)]);
}

#[test]
fn fetched_collations_are_followed_to_inclusion() {
	let mut rig = Rig::new();
	let built = candidate(10, 0, 1, 2);
	rig.distribute(&segment(10, 0, vec![built.clone()]));
	rig.request_v2(1, 10, &built);
	let (receipt, head) = (built.receipt.clone(), built.head_data.clone());
	let backed = CandidateEvent::CandidateBacked(receipt.clone(), head.clone(), CoreIndex(0), GroupIndex(0));
	let included = CandidateEvent::CandidateIncluded(receipt, head, CoreIndex(0), GroupIndex(0));
	rig.driven.traces.clear();
	rig.activate_with(11, Some(10), vec![backed]);
	rig.activate_with(12, Some(11), vec![included]);
	rig.activate(30, Some(12));
	assert_eq!(rig.stages(), [Stage::Backed, Stage::Included]);
}

#[test]
fn what_becomes_of_a_backed_collation_is_for_the_relay_chain_to_say() {
	let mut rig = Rig::new();
	let built = candidate(10, 0, 1, 2);
	rig.distribute(&segment(10, 0, vec![built.clone()]));
	rig.request_v2(1, 10, &built);
	let (receipt, head) = (built.receipt.clone(), built.head_data.clone());
	let backed = CandidateEvent::CandidateBacked(receipt, head, CoreIndex(0), GroupIndex(0));
	rig.driven.traces.clear();
	rig.activate_with(11, Some(10), vec![backed]);
	// Its block may have lost its fork, or the session ended: time does not tell.
	rig.activate(30, Some(11));
	assert_eq!(rig.stages(), [Stage::Backed]);
	assert_eq!(rig.driven.machine.tracker.len(), 0);
}

#[test]
fn a_collation_whose_scheduling_parent_is_gone_for_good_is_given_up_at_once_with_the_reason() {
	let mut rig = Rig::new();
	let fetched = candidate(10, 0, 1, 2);
	rig.distribute(&segment(10, 0, vec![fetched.clone()]));
	rig.request_v2(1, 10, &fetched);
	let unasked = candidate(10, 1, 1, 3);
	rig.distribute(&segment(10, 1, vec![unasked.clone()]));
	rig.driven.traces.clear();
	// Block 11 is the last one of the session.
	rig.session = session(8, &validator_keys(6), vec![vec![0, 1], vec![2, 3], vec![4, 5]], None);
	let queue = [(CoreIndex(0), [PARA].into())].into();
	let context = leaf(block(11, &rig.session, queue), Vec::new());
	let update = LeavesUpdate { activated: Some(Arc::new(context)), deactivated: vec![hash(10)] };
	rig.send(Event::Leaves(update));
	let told: std::collections::BTreeMap<_, _> = rig
		.driven
		.traces
		.iter()
		.map(|trace| (trace.candidate.unwrap(), (trace.stage, trace.explanation())))
		.collect();
	for (built, reason) in [(&fetched, Reason::NotBacked), (&unasked, Reason::NotRequested)] {
		let (stage, words) = &told[&built.receipt.hash()];
		assert_eq!(*stage, Stage::Dropped(reason));
		assert!(words.starts_with("session 7 ended with relay block #11"), "{words}");
	}
}

#[test]
fn a_core_without_validators_is_named() {
	let mut rig = Rig::new();
	rig.session = session(7, &validator_keys(2), vec![vec![0], vec![1], vec![]], None);
	let queue = [(CoreIndex(2), [PARA].into())].into();
	let context = leaf(block(11, &rig.session, queue), Vec::new());
	rig.send(Event::Leaves(LeavesUpdate { activated: Some(Arc::new(context)), deactivated: vec![hash(10)] }));
	rig.distribute(&segment(11, 2, vec![candidate(11, 2, 1, 2)]));
	let told = rig.driven.traces.last().unwrap();
	assert_eq!(
		(told.stage, &*told.explanation()),
		(Stage::Dropped(Reason::CoreWithoutValidators), "core 2 has no validators",)
	);
}

#[test]
fn waiting_uploads_are_bounded() {
	let mut rig = Rig::new();
	let built = candidate(10, 0, 1, 2);
	rig.distribute(&segment(10, 0, vec![built.clone()]));
	for n in 0..=WAITING_UPLOADS_MAX as u8 {
		rig.request_v2(n, 10, &built);
	}
	let (id, effects) = rig.request_v2(200, 10, &built);
	assert_eq!(answers(&effects), [(id, None, 0)]);
}

#[test]
fn same_events_give_same_effects() {
	let scenario = || {
		let mut rig = Rig::new();
		let mut all = Vec::new();
		for n in 1..5 {
			rig.connect(n, CollationVersion::V3, &[usize::from(n) % 4]);
			all.extend(rig.view(n, &[10, 11]));
		}
		let segment = segment_v3();
		all.extend(rig.distribute(&segment));
		for n in 1..5 {
			all.extend(rig.request_v2(n, 10, &segment.candidates[0]).1);
		}
		all.extend(rig.advance(150));
		all.extend(rig.activate(11, Some(10)));
		format!("{all:?} {:?}", rig.driven.traces)
	};
	assert_eq!(scenario(), scenario());
}
