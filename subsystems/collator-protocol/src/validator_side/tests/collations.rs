use super::*;

/// A rig in which collator 1 advertised `sample` over `version` and is asked for it.
fn fetching(sample: &Sample, version: CollationVersion) -> (Rig, Token) {
	let mut rig = Rig::new("AAA");
	rig.collator(1, version, A);
	let advert = if version == CollationVersion::V3 { advert_v3(sample) } else { advert_v2(sample) };
	let effects = rig.message(1, advert);
	let token = fetched_from(&effects, 1);
	(rig, token)
}

#[test]
fn cv04_version_1_collation_builds_on_the_included_head() {
	let mut rig = Rig::new("AAA");
	rig.activate_with_head(11, 5, None);
	let included = sample(A, 11, 5, 6);
	rig.collator(1, CollationVersion::V1, A);
	rig.view(1, &[11]);
	let (token, ..) = request(&rig.message(1, advert_v1(11)));
	let effects = rig.respond(token, included.response());
	assert_eq!(second_requests(&effects), [included.hash()]);
	assert_eq!(told(&rig.seconded(&included)), [(peer(1), CollationVersion::V1)]);
}

#[test]
fn version_1_collation_finds_no_free_core_while_a_candidate_of_its_para_is_pending() {
	let mut rig = Rig::new("AAA");
	rig.activate_with_head(11, 5, Some(&sample(A, 10, 5, 6)));
	rig.collator(1, CollationVersion::V1, A);
	rig.view(1, &[11]);
	let (token, ..) = request(&rig.message(1, advert_v1(11)));
	assert!(rig.respond(token, sample(A, 11, 5, 6).response()).is_empty(), "no fault of the collator");
	assert!(rig.dropped_because(Reason::UnknownParentHead));
	assert_eq!(rig.machine.claims(&hash(11), CoreIndex(0), A), 0);
}

#[test]
fn cv10_one_fetch_per_scheduling_parent_until_the_sharing_timeout() {
	let mut rig = Rig::new("AAA");
	for n in 1..5 {
		rig.collator(n, CollationVersion::V2, A);
	}
	let [first, second, other] = [sample(A, 10, 0, 1), sample(A, 10, 0, 2), sample(A, 9, 0, 3)];
	rig.world.known_heads.insert(first.parent_hash(), first.data.clone());
	let slow = fetched_from(&rig.advertise(1, &first), 1);
	assert!(rig.advertise(2, &second).is_empty());
	fetched_from(&rig.advertise(3, &other), 3);
	assert!(requests(&rig.advance(399)).is_empty());
	let quick = fetched_from(&rig.advance(1), 2);
	// Whichever comes first proceeds, and the other is not cancelled.
	assert_eq!(second_requests(&rig.respond(quick, second.response())), [second.hash()]);
	assert_eq!(second_requests(&rig.respond(slow, first.response())), [first.hash()]);
}

#[test]
fn collation_that_is_validated_keeps_others_waiting_no_longer_than_its_fetch_could() {
	let mut rig = Rig::new("AAA");
	let samples = [sample(A, 10, 0, 1), sample(A, 10, 0, 2), sample(A, 10, 0, 3)];
	for (n, sample) in (1..).zip(&samples) {
		rig.collator(n, CollationVersion::V2, A);
		rig.world.known_heads.insert(sample.parent_hash(), sample.data.clone());
	}
	let token = fetched_from(&rig.advertise(1, &samples[0]), 1);
	rig.advertise(2, &samples[1]);
	rig.advertise(3, &samples[2]);
	rig.advance(100);
	assert_eq!(second_requests(&rig.respond(token, samples[0].response())), [samples[0].hash()]);
	assert!(requests(&rig.advance(299)).is_empty());
	let token = fetched_from(&rig.advance(1), 2);
	// What becomes of the first one does not make room beside the second.
	assert!(requests(&rig.seconded(&samples[0])).is_empty());
	rig.respond(token, samples[1].response());
	fetched_from(&rig.seconded(&samples[1]), 3);
}

#[test]
fn failed_fetch_costs_by_fault_and_the_next_begins_at_once() {
	let cases = [
		(Err(RequestError::Timeout), Some(MINOR)),
		(Err(RequestError::NotConnected), None),
		(Err(RequestError::Network), Some(MINOR)),
		(Err(RequestError::Refused), Some(MINOR)),
		(Err(RequestError::UnsupportedProtocol), Some(MINOR)),
		(Ok(vec![9, 9, 9]), Some(MINOR)),
		(Ok(sample(B, 10, 0, 1).response()), Some(MALICIOUS)),
	];
	for (result, cost) in cases {
		let (mut rig, token) = fetching(&sample(A, 10, 0, 1), CollationVersion::V2);
		rig.collator(2, CollationVersion::V2, A);
		rig.advertise(2, &sample(A, 10, 0, 2));
		let effects = rig.send(Event::Response { token, result });
		assert_eq!(reports(&effects), cost.map(|cost| (peer(1), cost)).into_iter().collect::<Vec<_>>());
		fetched_from(&effects, 2);
	}
}

#[test]
fn cv11_invalid_collation_is_malicious_and_the_next_is_fetched() {
	let good = sample(A, 10, 0, 1);
	let (mut rig, token) = fetching(&good, CollationVersion::V2);
	rig.collator(2, CollationVersion::V2, A);
	rig.advertise(2, &sample(A, 10, 0, 2));
	rig.world.known_heads.insert(good.parent_hash(), good.data.clone());
	rig.respond(token, good.response());
	// Another candidate with the same descriptor is not meant.
	let mut other = good.clone();
	other.receipt.commitments.hrmp_watermark = 99;
	assert!(rig.invalid(&other).is_empty());
	let effects = rig.invalid(&good);
	assert_eq!(reports(&effects), [(peer(1), MALICIOUS)]);
	fetched_from(&effects, 2);
}

#[test]
fn collation_that_backing_drops_gives_its_slot_back_without_a_penalty() {
	let good = sample(A, 10, 0, 1);
	let (mut rig, token) = fetching(&good, CollationVersion::V2);
	rig.world.known_heads.insert(good.parent_hash(), good.data.clone());
	rig.respond(token, good.response());
	assert_eq!(rig.machine.claims(&hash(10), CoreIndex(0), A), 1);
	let effects = rig.send(Event::Dropped {
		scheduling_parent: hash(10),
		candidate_hash: good.hash(),
		reason: Reason::ExecutionFailed,
	});
	assert!(reports(&effects).is_empty());
	assert_eq!(rig.machine.claims(&hash(10), CoreIndex(0), A), 0);
}

#[test]
fn cv12_child_waits_for_its_parent() {
	let (parent, child) = (sample(A, 10, 0, 1), sample(A, 10, 1, 2));
	let park = || {
		let (mut rig, token) = fetching(&child, CollationVersion::V2);
		assert!(rig.respond(token, child.response()).is_empty());
		assert_eq!(rig.machine.seconding.parked.len(), 1);
		// The parent comes next, although the child keeps its slot.
		assert_eq!(rig.machine.claims(&hash(10), CoreIndex(0), A), 1);
		rig.world.known_heads.insert(parent.parent_hash(), parent.data.clone());
		rig.collator(2, CollationVersion::V2, A);
		let token = fetched_from(&rig.advertise(2, &parent), 2);
		assert_eq!(second_requests(&rig.respond(token, parent.response())), [parent.hash()]);
		rig
	};

	let mut rig = park();
	rig.world.known_heads.insert(child.parent_hash(), child.data.clone());
	assert_eq!(second_requests(&rig.seconded(&parent)), [child.hash()]);

	let mut rig = park();
	assert_eq!(reports(&rig.invalid(&parent)), [(peer(2), MALICIOUS)]);
	assert!(rig.machine.seconding.parked.is_empty() && rig.dropped_because(Reason::UnknownParentHead));

	let mut rig = park();
	rig.activate(20, "AAA", Some(10));
	assert!(rig.machine.seconding.parked.is_empty());
	assert_eq!(rig.machine.claims(&hash(10), CoreIndex(0), A), 0);

	// Somebody else of the group may have seconded the parent.
	let mut rig = park();
	rig.world.known_heads.insert(child.parent_hash(), child.data.clone());
	assert_eq!(second_requests(&rig.activate(11, "AAA", Some(10))), [child.hash()]);
}

#[test]
fn collation_with_its_parent_head_needs_no_parent() {
	let child = sample(A, 10, 1, 2);
	let (mut rig, token) = fetching(&child, CollationVersion::V2);
	assert_eq!(second_requests(&rig.respond(token, child.response_with_parent())), [child.hash()]);
}

#[test]
fn cv13_collation_that_is_not_what_was_advertised_is_malicious() {
	let advertised = sample(A, 10, 0, 1);
	let other_parent = CollationResponse::CollationWithParentHeadData {
		receipt: advertised.receipt.to_plain(),
		pov: advertised.pov.clone(),
		parent_head_data: HeadData(vec![42]),
	};
	let mut wrong_data = advertised.data.clone();
	wrong_data.max_pov_size += 1;
	let cases = [
		("another candidate", sample(A, 10, 0, 2).response(), advertised.data.clone()),
		("another scheduling parent", sample(A, 9, 0, 1).response(), advertised.data.clone()),
		("another parent head", other_parent.encode(), advertised.data.clone()),
		("other validation data", advertised.response(), wrong_data),
	];
	for (what, response, data) in cases {
		let (mut rig, token) = fetching(&advertised, CollationVersion::V2);
		rig.world.known_heads.insert(advertised.parent_hash(), data);
		let effects = rig.respond(token, response);
		assert_eq!(reports(&effects), [(peer(1), MALICIOUS)], "{what}");
		assert!(second_requests(&effects).is_empty(), "{what}");
	}
}

#[test]
fn cv14_wrong_core_or_session_is_rejected_before_backing() {
	let cases: [fn(&mut CandidateDescriptorV2); 2] =
		[|descriptor| descriptor.core_index = 1, |descriptor| descriptor.session_index = 6];
	for change in cases {
		let wrong = sample(A, 10, 0, 1).with(change);
		let (mut rig, token) = fetching(&wrong, CollationVersion::V2);
		rig.world.known_heads.insert(wrong.parent_hash(), wrong.data.clone());
		let effects = rig.respond(token, wrong.response());
		assert!(second_requests(&effects).is_empty());
		assert_eq!(reports(&effects), [(peer(1), MALICIOUS)]);
		assert_eq!(rig.machine.claims(&hash(10), CoreIndex(0), A), 0);
	}
}

#[test]
fn cv15_version_3_descriptor_needs_version_3_of_the_protocol() {
	let v3 =
		sample(A, 3, 0, 1).with(|descriptor| *descriptor = descriptor.clone().into_v3(hash(10), 7).unwrap());
	let (mut rig, token) = fetching(&v3, CollationVersion::V3);
	rig.world.known_heads.insert(v3.parent_hash(), v3.data.clone());
	assert_eq!(second_requests(&rig.respond(token, v3.response())), [v3.hash()]);

	let (mut rig, token) = fetching(&v3, CollationVersion::V2);
	rig.world.known_heads.insert(v3.parent_hash(), v3.data.clone());
	let effects = rig.respond(token, v3.response());
	assert!(second_requests(&effects).is_empty());
	assert!(reports(&effects).is_empty(), "a collator cannot say the version in version 2");
	assert!(rig.dropped_because(Reason::DescriptorVersion));

	let mut rig = Rig::new("AAA");
	rig.activate_with_head(11, 0, None);
	rig.collator(1, CollationVersion::V1, A);
	rig.view(1, &[11]);
	let (token, ..) = request(&rig.message(1, advert_v1(11)));
	let v3 =
		sample(A, 3, 0, 1).with(|descriptor| *descriptor = descriptor.clone().into_v3(hash(11), 7).unwrap());
	assert!(second_requests(&rig.respond(token, v3.response())).is_empty());
	assert!(rig.dropped_because(Reason::DescriptorVersion));
}

#[test]
fn cv15_descriptor_of_an_unknown_version_is_rejected_over_every_version_of_the_protocol() {
	let unknown = sample(A, 10, 0, 1).with(|descriptor| descriptor.version = 9);
	for version in [CollationVersion::V2, CollationVersion::V3] {
		let (mut rig, token) = fetching(&unknown, version);
		rig.world.known_heads.insert(unknown.parent_hash(), unknown.data.clone());
		let effects = rig.respond(token, unknown.response());
		assert_eq!(reports(&effects), [(peer(1), MALICIOUS)]);
		assert!(second_requests(&effects).is_empty() && rig.dropped_because(Reason::DescriptorVersion));
	}
}

#[test]
fn collation_of_another_version_or_relay_parent_than_advertised_is_malicious() {
	let v3 = |relay_parent| {
		let change = |descriptor: &mut CandidateDescriptorV2| {
			*descriptor = descriptor.clone().into_v3(hash(10), 7).unwrap();
		};
		sample(A, relay_parent, 0, 1).with(change)
	};
	let (advertised, v2) = (v3(3), sample(A, 10, 0, 1));
	for (delivered, descriptor_version, relay_parent) in [
		(&v2, CandidateDescriptorVersion::V3, hash(3)),
		(&v3(4), CandidateDescriptorVersion::V3, hash(3)),
		(&advertised, CandidateDescriptorVersion::V2, hash(10)),
	] {
		let mut rig = Rig::new("AAA");
		rig.collator(1, CollationVersion::V3, A);
		let message = CollationMessage::V3(CollatorMessageV3::AdvertiseCollation(AdvertiseCollationV3 {
			scheduling_parent: hash(10),
			candidate_hash: delivered.hash(),
			parent_head_data_hash: delivered.parent_hash(),
			candidate_descriptor_version: descriptor_version,
			relay_parent,
		}));
		let token = fetched_from(&rig.message(1, message), 1);
		rig.world.known_heads.insert(delivered.parent_hash(), delivered.data.clone());
		let effects = rig.respond(token, delivered.response());
		assert_eq!(reports(&effects), [(peer(1), MALICIOUS)]);
		assert!(rig.dropped_because(Reason::CandidateMismatch));
	}
}

#[test]
fn cv17_scheduling_session_is_compared_with_the_session_of_the_scheduling_parent() {
	let cross = |relay_session: u32, scheduling_session: u32| {
		sample(A, 3, 0, 1).with(|descriptor| {
			descriptor.session_index = relay_session;
			*descriptor = descriptor.clone().into_v3(hash(10), scheduling_session).unwrap();
		})
	};
	for (sample, accepted) in [(cross(6, 7), true), (cross(6, 6), false), (cross(7, 8), false)] {
		let (mut rig, token) = fetching(&sample, CollationVersion::V3);
		rig.world.known_heads.insert(sample.parent_hash(), sample.data.clone());
		assert_eq!(!second_requests(&rig.respond(token, sample.response())).is_empty(), accepted);
	}
}

#[test]
fn cv18_collator_of_a_seconded_collation_benefits_and_is_told() {
	for version in [CollationVersion::V2, CollationVersion::V3] {
		let good = sample(A, 10, 0, 1);
		let (mut rig, token) = fetching(&good, version);
		rig.world.known_heads.insert(good.parent_hash(), good.data.clone());
		rig.respond(token, good.response());
		let effects = rig.seconded(&good);
		assert_eq!(reports(&effects), [(peer(1), 10_000)]);
		assert_eq!(told(&effects), [(peer(1), version)]);
		assert!(rig.seconded(&good).is_empty(), "once");
	}
}

#[test]
fn cv18_peer_of_version_4_benefits_and_is_not_told_for_there_is_no_such_message() {
	let good = sample(A, 10, 0, 1);
	let mut rig = Rig::new("AAA");
	rig.connect(1, CollationVersion::V4);
	rig.message(1, declare(1, 1, CollationVersion::V3, A));
	rig.view(1, &[10]);
	let token = fetched_from(&rig.message(1, advert_v3(&good)), 1);
	rig.world.known_heads.insert(good.parent_hash(), good.data.clone());
	rig.respond(token, good.response());
	let effects = rig.seconded(&good);
	assert_eq!((reports(&effects), told(&effects)), (vec![(peer(1), 10_000)], Vec::new()));
}

#[test]
fn collator_that_is_gone_is_not_told() {
	let good = sample(A, 10, 0, 1);
	let (mut rig, token) = fetching(&good, CollationVersion::V2);
	rig.world.known_heads.insert(good.parent_hash(), good.data.clone());
	rig.respond(token, good.response());
	rig.network(NetworkEvent::PeerDisconnected { peer: peer(1), set: PeerSet::Collation });
	assert!(told(&rig.seconded(&good)).is_empty());
}

#[test]
fn second_copy_of_a_candidate_that_is_validated_is_dropped() {
	let good = sample(A, 10, 0, 1);
	let (mut rig, token) = fetching(&good, CollationVersion::V2);
	rig.world.known_heads.insert(good.parent_hash(), good.data.clone());
	rig.collator(2, CollationVersion::V2, A);
	rig.advertise(2, &good);
	// The first takes too long, so the other one is asked too.
	let other = fetched_from(&rig.advance(400), 2);
	assert_eq!(second_requests(&rig.respond(other, good.response())), [good.hash()]);
	let effects = rig.respond(token, good.response());
	assert!(second_requests(&effects).is_empty() && reports(&effects).is_empty());
	assert!(rig.dropped_because(Reason::DuplicateMessage));
}

#[test]
fn answers_that_nobody_waits_for_are_ignored() {
	let (mut rig, token) = fetching(&sample(A, 10, 0, 1), CollationVersion::V2);
	rig.activate(20, "AAA", Some(10));
	assert!(rig.respond(token, sample(A, 10, 0, 1).response()).is_empty());
	assert!(rig.send(Event::ValidationData { token: Token(999), data: None }).is_empty());
	assert!(rig.send(Event::CanSecond { token: Token(999), allowed: true }).is_empty());
	assert!(rig.invalid(&sample(A, 10, 0, 1)).is_empty());
}
