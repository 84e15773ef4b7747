use super::*;
use headway_machine::BlockContext;

#[test]
fn cv01_declaration_is_accepted_once_for_an_assigned_para_with_a_good_signature() {
	let mut rig = Rig::new("AAA");
	rig.connect(1, CollationVersion::V2);
	assert!(rig.message(1, declare(1, 1, CollationVersion::V2, A)).is_empty());
	let again = rig.message(1, declare(1, 1, CollationVersion::V2, A));
	assert_eq!(reports(&again), [(peer(1), MINOR)]);

	rig.connect(2, CollationVersion::V2);
	let forged = rig.message(2, declare(2, 9, CollationVersion::V2, A));
	assert_eq!(reports(&forged), [(peer(2), MALICIOUS)]);
	assert!(rig.dropped_because(Reason::InvalidSignature));

	rig.connect(3, CollationVersion::V2);
	let unassigned = rig.message(3, declare(3, 3, CollationVersion::V2, B));
	assert_eq!(reports(&unassigned), [(peer(3), MINOR)]);
	assert_eq!(disconnected(&unassigned), [peer(3)]);

	let unknown = rig.message(4, declare(4, 4, CollationVersion::V2, A));
	assert_eq!(reports(&unknown), [(peer(4), MINOR)]);
}

#[test]
fn collator_key_belongs_to_one_peer_at_a_time() {
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V2, A);
	rig.connect(2, CollationVersion::V2);
	assert_eq!(reports(&rig.message(2, declare(1, 2, CollationVersion::V2, A))), [(peer(2), MINOR)]);
	rig.network(NetworkEvent::PeerDisconnected { peer: peer(1), set: PeerSet::Collation });
	assert!(rig.message(2, declare(1, 2, CollationVersion::V2, A)).is_empty());
}

#[test]
fn cv02_undeclared_and_idle_peers_are_disconnected() {
	let mut rig = Rig::new("AAA");
	rig.connect(1, CollationVersion::V2);
	rig.collator(2, CollationVersion::V2, A);
	assert!(rig.advance(999).is_empty());
	assert_eq!(disconnected(&rig.advance(1)), [peer(1)]);
	assert!(rig.advance(22_000).is_empty());
	// An advertisement extends life.
	rig.collator(3, CollationVersion::V2, A);
	rig.advertise(2, &sample(A, 10, 0, 1));
	assert!(disconnected(&rig.advance(2_000)).is_empty());
	assert_eq!(disconnected(&rig.advance(22_000)), [peer(2), peer(3)]);
}

#[test]
fn cv20_connections_are_limited_and_slots_of_invulnerables_kept_free() {
	let config = Config {
		collation_slots: 13,
		collation_slots_reserved: 10,
		invulnerables: [peer(100), peer(101)].into(),
		..Default::default()
	};
	let mut rig = Rig::with_config("AAA", config);
	assert!(rig.connect(1, CollationVersion::V2).is_empty());
	assert_eq!(disconnected(&rig.connect(2, CollationVersion::V2)), [peer(2)]);
	assert!(rig.connect(100, CollationVersion::V2).is_empty());
	assert!(rig.connect(101, CollationVersion::V2).is_empty());
	// With both invulnerables there, no slot has to be kept free for them.
	assert!(rig.connect(3, CollationVersion::V2).is_empty());
	assert!(rig.connect(4, CollationVersion::V2).is_empty());
	assert_eq!(disconnected(&rig.connect(5, CollationVersion::V2)), [peer(5)]);
}

#[test]
fn cv21_disconnected_peer_loses_its_advertisements() {
	let mut rig = Rig::new("ABA");
	for (n, para) in [(1, A), (2, A), (3, B)] {
		rig.collator(n, CollationVersion::V2, para);
	}
	fetched_from(&rig.advertise(1, &sample(A, 10, 0, 1)), 1);
	assert!(rig.advertise(2, &sample(A, 10, 0, 2)).is_empty());
	assert!(rig.advertise(3, &sample(B, 10, 0, 3)).is_empty());
	let gone = |n| NetworkEvent::PeerDisconnected { peer: peer(n), set: PeerSet::Collation };
	assert!(rig.network(gone(2)).is_empty());
	// The fetch in flight goes with its peer, and the next para has its turn.
	fetched_from(&rig.network(gone(1)), 3);
	assert!(rig.dropped_because(Reason::UnknownPeer));
}

#[test]
fn cv22_collators_of_paras_out_of_interest_are_disconnected() {
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V2, A);
	assert!(rig.activate(11, "BBA", Some(10)).is_empty());
	// What the older blocks had queued for the para has passed.
	assert_eq!(disconnected(&rig.activate(12, "BBB", Some(11))), [peer(1)]);
	rig.connect(2, CollationVersion::V2);
	let late = rig.message(2, declare(2, 2, CollationVersion::V2, A));
	assert_eq!((reports(&late), disconnected(&late)), (vec![(peer(2), MINOR)], vec![peer(2)]));
}

#[test]
fn para_on_a_core_that_the_group_held_at_an_older_block_is_of_interest() {
	let mut rig = Rig::new("AAA");
	// Our group is on core 0 at 12 and on core 2 at 11; only the latter is queued for the para.
	let mut leaf = rig.leaf(12, "AAA");
	let rotate = |block: &mut Arc<BlockContext>, now| {
		let block = Arc::make_mut(block);
		block.group_rotation = headway_primitives::GroupRotationInfo {
			session_start_block: 0,
			group_rotation_frequency: 1,
			now,
		};
		let older_core = CoreIndex(2);
		block.claim_queue = [(CoreIndex(0), [B; 3].into()), (older_core, [A; 3].into())].into();
	};
	rotate(&mut leaf.block, 12);
	rotate(&mut leaf.allowed_ancestry[0], 13);
	let core = |block: &Arc<BlockContext>| block.local_assignment().map(|(_, core)| core.0);
	assert_eq!((core(&leaf.block), core(&leaf.allowed_ancestry[0])), (Some(0), Some(2)));
	rig.send(Event::Leaves(LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated: vec![hash(10)] }));
	rig.collator(1, CollationVersion::V2, A);
	rig.view(1, &[12]);
	fetched_from(&rig.advertise(1, &sample(A, 11, 0, 1)), 1);
	assert!(requests(&rig.advertise(1, &sample(A, 12, 0, 2))).is_empty());
}

#[test]
fn events_of_the_validation_set_concern_nobody_here() {
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V2, A);
	let view = ViewMessage { heads: vec![], finalized_number: 0 };
	rig.network(NetworkEvent::PeerViewChange { peer: peer(1), set: PeerSet::Validation, view });
	rig.network(NetworkEvent::PeerDisconnected { peer: peer(1), set: PeerSet::Validation });
	fetched_from(&rig.advertise(1, &sample(A, 10, 0, 1)), 1);
	rig.network(NetworkEvent::PeerConnected {
		peer: peer(2),
		set: PeerSet::Validation,
		version: CollationVersion::V3,
		role: ObservedRole::Authority,
		authority_ids: BTreeSet::new(),
	});
	assert!(!rig.machine.peers.contains_key(&peer(2)));
}

#[test]
fn cv22_core_is_that_of_the_group_at_each_block() {
	let mut rig = Rig::new("AAA");
	// Groups rotate with every block: our group is on core 0 at 12, and on another at its parent.
	let mut leaf = rig.leaf(12, "AAA");
	let rotation = |now| headway_primitives::GroupRotationInfo {
		session_start_block: 0,
		group_rotation_frequency: 1,
		now,
	};
	Arc::make_mut(&mut leaf.block).group_rotation = rotation(12);
	Arc::make_mut(&mut leaf.allowed_ancestry[0]).group_rotation = rotation(11);
	assert_eq!(leaf.block.local_assignment().map(|(_, core)| core), Some(CoreIndex(0)));
	rig.send(Event::Leaves(LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated: vec![hash(10)] }));
	rig.collator(1, CollationVersion::V2, A);
	rig.view(1, &[12]);
	assert!(rig.advertise(1, &sample(A, 11, 0, 1)).is_empty(), "no core of ours there");
	fetched_from(&rig.advertise(1, &sample(A, 12, 0, 2)), 1);
}

#[test]
fn messages_that_only_validators_send_cost_reputation() {
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V2, A);
	let statement = UncheckedSigned {
		payload: Statement::Valid(CandidateHash(hash(1))),
		validator_index: ValidatorIndex(0),
		signature: ValidatorSignature::from_slice(&[1; 64]).unwrap(),
	};
	let at = hash(10);
	for message in [
		CollationMessage::V1(CollatorMessageV1::CollationSeconded(at, statement.clone())),
		CollationMessage::V2(CollatorMessageV2::CollationSeconded(at, statement.clone())),
		CollationMessage::V3(CollatorMessageV3::CollationSeconded(at, statement)),
	] {
		rig.traces.clear();
		assert_eq!(reports(&rig.message(1, message)), [(peer(1), MINOR)]);
		assert!(rig.dropped_because(Reason::UnexpectedMessage));
	}
}

#[test]
fn segment_that_was_not_offered_costs_reputation() {
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V3, A);
	let segment = CollationMessage::V4(AdvertiseSegment {
		scheduling_parent: hash(10),
		para_id: A,
		candidates_descriptor_version: CandidateDescriptorVersion::V3,
		candidates: Default::default(),
	});
	assert_eq!(reports(&rig.message(1, segment)), [(peer(1), MINOR)]);
	assert!(rig.dropped_because(Reason::UnexpectedMessage));
}
