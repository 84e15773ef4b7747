use super::*;
use headway_primitives::CandidateDescriptorVersion::V2 as DescriptorV2;

#[test]
fn cv03_advertisement_at_an_ancestor_is_fetched_and_out_of_view_refused() {
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V2, A);
	let at_ancestor = sample(A, 9, 0, 1);
	assert_eq!(request(&rig.advertise(1, &at_ancestor)).2, Some(at_ancestor.hash()));
	for (heads, at) in [(&[10][..], 7), (&[10], 11), (&[9], 10), (&[77], 10), (&[], 10)] {
		rig.view(1, heads);
		let refused = rig.advertise(1, &sample(A, at, 0, 2));
		assert_eq!(reports(&refused), [(peer(1), MINOR)], "block {at} with heads {heads:?}");
	}
	rig.view(1, &[9]);
	assert!(
		reports(&rig.advertise(1, &sample(A, 8, 0, 3))).is_empty(),
		"under a head that is no leaf of ours"
	);
	assert!(rig.dropped_because(Reason::OutOfView));
}

#[test]
fn advertisement_without_a_declaration_is_refused() {
	let mut rig = Rig::new("AAA");
	rig.connect(1, CollationVersion::V2);
	rig.view(1, &[10]);
	assert_eq!(reports(&rig.advertise(1, &sample(A, 10, 0, 1))), [(peer(1), MINOR)]);
	assert!(rig.advertise(2, &sample(A, 10, 0, 1)).is_empty(), "not connected at all");
	assert!(rig.dropped_because(Reason::UndeclaredPeer) && rig.dropped_because(Reason::UnknownPeer));
}

#[test]
fn cv04_version_1_advertises_leaves_only() {
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V1, A);
	assert_eq!(reports(&rig.message(1, advert_v1(9))), [(peer(1), MALICIOUS)]);
	let (_, from, candidate) = request(&rig.message(1, advert_v1(10)));
	assert_eq!((from, candidate), (peer(1), None));
}

#[test]
fn cv05_repeated_and_excessive_advertisements_cost_reputation() {
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V2, A);
	let first = sample(A, 10, 0, 1);
	rig.advertise(1, &first);
	assert_eq!(reports(&rig.advertise(1, &first)), [(peer(1), MINOR)]);
	// Lookahead is 3: four pass, a fifth does not.
	for head in 2..5 {
		assert!(reports(&rig.advertise(1, &sample(A, 10, 0, head))).is_empty());
	}
	assert_eq!(reports(&rig.advertise(1, &sample(A, 10, 0, 5))), [(peer(1), MINOR)]);
	assert!(reports(&rig.advertise(1, &sample(A, 9, 0, 5))).is_empty(), "counted by scheduling parent");
}

#[test]
fn cv06_what_the_claim_queue_has_no_room_for_waits_until_room_is_made() {
	let mut rig = Rig::new("AAA");
	let samples: Vec<Sample> = (1..5).map(|head| sample(A, 10, 0, head)).collect();
	for (n, sample) in (1..).zip(&samples) {
		rig.collator(n, CollationVersion::V2, A);
		rig.world.known_heads.insert(sample.parent_hash(), sample.data.clone());
	}
	let token = fetched_from(&rig.advertise(1, &samples[0]), 1);
	for n in 2..5 {
		assert!(rig.advertise(n, &samples[n as usize - 1]).is_empty());
	}
	assert_eq!(rig.machine.blocks[&hash(10)].set_aside.len(), 1);
	// Each has its turn; the fourth only after one proved invalid.
	assert_eq!(second_requests(&rig.respond(token, samples[0].response())), [samples[0].hash()]);
	let token = fetched_from(&rig.seconded(&samples[0]), 2);
	rig.respond(token, samples[1].response());
	let token = fetched_from(&rig.seconded(&samples[1]), 3);
	rig.respond(token, samples[2].response());
	fetched_from(&rig.invalid(&samples[2]), 4);
}

#[test]
fn cv06_slots_of_another_para_are_not_usable_by_advertisements() {
	let mut rig = Rig::new("ABB");
	rig.collator(1, CollationVersion::V2, A);
	rig.collator(2, CollationVersion::V2, A);
	fetched_from(&rig.advertise(1, &sample(A, 10, 0, 1)), 1);
	rig.advertise(2, &sample(A, 10, 0, 2));
	assert!(requests(&rig.advance(400)).is_empty());
}

#[test]
fn cv07_claims_at_ancestors_count_at_descendants() {
	let mut rig = Rig::new("AAA");
	for n in 1..4 {
		rig.collator(n, CollationVersion::V2, A);
	}
	fetched_from(&rig.advertise(1, &sample(A, 8, 0, 1)), 1);
	assert!(rig.advertise(2, &sample(A, 8, 0, 2)).is_empty(), "one position is left at the oldest block");
	fetched_from(&rig.advertise(3, &sample(A, 10, 0, 3)), 3);
	// Without the stale window of the ancestor, the first position is taken and two are left.
	assert!(rig.advertise(2, &sample(A, 10, 0, 4)).is_empty());
	assert_eq!(rig.machine.blocks[&hash(8)].set_aside.len(), 1);
	assert_eq!(rig.machine.waiting(&hash(10), CoreIndex(0), A), 1);
}

#[test]
fn cv08_paras_are_fetched_in_the_order_of_the_claim_queue() {
	let mut rig = Rig::new("ABA");
	let a = [sample(A, 10, 0, 1), sample(A, 10, 0, 2)];
	let b = sample(B, 10, 0, 3);
	for sample in a.iter().chain([&b]) {
		rig.world.known_heads.insert(sample.parent_hash(), sample.data.clone());
	}
	for (n, para) in [(1, A), (2, A), (3, B)] {
		rig.collator(n, CollationVersion::V2, para);
	}
	let token = fetched_from(&rig.advertise(1, &a[0]), 1);
	assert!(rig.advertise(2, &a[1]).is_empty());
	assert!(rig.advertise(3, &b).is_empty());
	rig.respond(token, a[0].response());
	let token = fetched_from(&rig.seconded(&a[0]), 3);
	rig.respond(token, b.response());
	fetched_from(&rig.seconded(&b), 2);
}

#[test]
fn advertisement_that_backing_could_not_second_is_tried_again_later() {
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V2, A);
	rig.world.can_second = false;
	let early = sample(A, 10, 5, 6);
	assert!(rig.advertise(1, &early).is_empty());
	rig.world.can_second = true;
	// Its parent was seconded by somebody else in the meantime.
	assert_eq!(request(&rig.seconded(&sample(A, 10, 4, 5))).2, Some(early.hash()));

	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V2, A);
	rig.world.can_second = false;
	rig.advertise(1, &early);
	assert!(rig.activate(11, "AAA", Some(10)).is_empty());
	rig.world.can_second = true;
	assert_eq!(request(&rig.activate(12, "AAA", Some(11))).2, Some(early.hash()));
}

#[test]
fn advertisement_set_aside_leaves_a_trace_when_its_block_leaves_the_view() {
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V2, A);
	rig.world.can_second = false;
	rig.advertise(1, &sample(A, 10, 5, 6));
	assert!(!rig.dropped_because(Reason::CannotFollowChain));
	rig.activate(20, "AAA", Some(10));
	assert!(rig.dropped_because(Reason::CannotFollowChain));
}

#[test]
fn same_candidate_of_two_collators_takes_one_slot_and_is_fetched_once() {
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V2, A);
	rig.collator(2, CollationVersion::V2, A);
	let shared = sample(A, 10, 0, 1);
	rig.world.known_heads.insert(shared.parent_hash(), shared.data.clone());
	let token = fetched_from(&rig.advertise(1, &shared), 1);
	assert!(rig.advertise(2, &shared).is_empty());
	assert_eq!(rig.machine.claims(&hash(10), CoreIndex(0), A), 1);
	// The first one does not deliver: the second is asked at once.
	let effects = rig.send(Event::Response { token, result: Err(RequestError::Timeout) });
	assert_eq!(reports(&effects), [(peer(1), MINOR)]);
	fetched_from(&effects, 2);
}

#[test]
fn cv16_scheduling_parent_of_version_3_follows_the_slots() {
	// The leaf is 10 in slot 10, its parent is 9. (current slot, scheduling parent, accepted)
	let cases =
		[(11, 10, true), (11, 9, false), (10, 9, true), (10, 10, false), (12, 10, false), (12, 9, false)];
	for (slot, at, accepted) in cases.into_iter().chain([(10, 8, false), (11, 77, false)]) {
		let mut rig = Rig::new("AAA");
		rig.now = Timestamp::from_unix_ms(slot * SLOT_MS + 5_999);
		rig.collator(1, CollationVersion::V3, A);
		let v3 = sample(A, 3, 0, 1).with(|descriptor| {
			*descriptor = descriptor.clone().into_v3(hash(at), 7).unwrap();
		});
		let effects = rig.message(1, advert_v3(&v3));
		assert_eq!(!requests(&effects).is_empty(), accepted, "slot {slot}, block {at}");
		assert_eq!(reports(&effects).is_empty(), accepted, "slot {slot}, block {at}");
	}
}

#[test]
fn version_3_advertisement_of_an_older_descriptor_has_its_relay_parent_as_scheduling_parent() {
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V3, A);
	let advert = |relay_parent| {
		CollationMessage::V3(CollatorMessageV3::AdvertiseCollation(AdvertiseCollationV3 {
			scheduling_parent: hash(9),
			candidate_hash: CandidateHash(hash(1)),
			parent_head_data_hash: hash(2),
			candidate_descriptor_version: DescriptorV2,
			relay_parent,
		}))
	};
	assert_eq!(reports(&rig.message(1, advert(hash(8)))), [(peer(1), MINOR)]);
	fetched_from(&rig.message(1, advert(hash(9))), 1);
}

#[test]
fn cv19_collators_of_the_hold_off_para_wait_once_unless_invulnerable() {
	let config = Config { hold_off_para: A, invulnerables: [peer(9)].into(), ..Default::default() };
	let mut rig = Rig::with_config("AAA", config);
	for n in [1, 2, 9] {
		rig.collator(n, CollationVersion::V2, A);
	}
	assert!(rig.advertise(1, &sample(A, 10, 0, 1)).is_empty());
	fetched_from(&rig.advertise(9, &sample(A, 10, 0, 2)), 9);
	assert!(requests(&rig.advance(300)).is_empty(), "the invulnerable one is being fetched");
	fetched_from(&rig.advance(100), 1);
	// The hold-off is over at this block.
	rig.advertise(2, &sample(A, 10, 0, 3));
	fetched_from(&rig.advance(400), 2);
}

#[test]
fn what_is_set_aside_is_bounded_and_whoever_has_most_there_gives_way() {
	let config = Config { collation_slots: 400, ..Default::default() };
	let mut rig = Rig::with_config("AAA", config);
	rig.world.can_second = false;
	rig.collator(31, CollationVersion::V2, A);
	rig.advertise(31, &sample(A, 10, 0, 1));
	for n in 1..=30 {
		rig.collator(n, CollationVersion::V2, A);
		for head in 0..3 {
			rig.advertise(n, &sample(A, 10, n, 100 + head));
		}
	}
	let aside = &rig.machine.blocks[&hash(10)].set_aside;
	assert_eq!(aside.len(), SET_ASIDE_PER_BLOCK_MAX);
	assert!(aside.iter().any(|(offer, _)| offer.peer == peer(31)), "it came first, and has one");
	assert!(rig.dropped_because(Reason::CapacityReached));
}
