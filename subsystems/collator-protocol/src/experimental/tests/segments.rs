//! What is taken of what collators advertise, what is fetched of it and when, and what failures cost.

use super::*;
use headway_machine::testing::{block, leaf};
use headway_primitives::CandidateDescriptorV2;

const FAILED: [SlashReason; 1] = [SlashReason::FailedFetch];

/// Connects collators in version 4.
fn connected(mut rig: Scored, peers: std::ops::RangeInclusive<u8>) -> Scored {
	peers.for_each(|n| drop(rig.connect(n, CollationVersion::V4)));
	rig
}

/// Collator 1 offers a candidate in version 4, and is asked for it.
fn fetching(rig: Scored, sample: &Sample) -> (Scored, Token) {
	let mut rig = connected(rig, 1..=1);
	let token = asks(&rig.message(1, segment(&[sample])), 1, sample.receipt.descriptor.para_head);
	(rig, token)
}

fn v3(at: u64) -> Sample {
	chain(A, at, 1)[0]
		.clone()
		.with(|descriptor| *descriptor = descriptor.clone().into_v3(hash(at), 7).unwrap())
}

#[test]
fn a_segment_is_seconded_entry_by_entry() {
	let mut rig = connected(rig("AAA"), 1..=1);
	let chain = chain(A, 10, 3);
	let all = segment(&[&chain[0], &chain[1], &chain[2]]);
	for sample in &chain {
		let token = asks(&rig.message(1, all.clone()), 1, sample.receipt.descriptor.para_head);
		let effects = rig.respond(token, response_v4(sample));
		assert_eq!(second_requests(&effects), [sample.hash()]);
		let effects = rig.seconded(sample);
		assert!(told(&effects).is_empty() && asked(&effects).is_empty());
	}
}

#[test]
fn of_a_segment_the_oldest_entry_that_is_not_known_is_fetched() {
	let chain = chain(A, 10, 3);
	let all = segment(&[&chain[0], &chain[1], &chain[2]]);
	for (known, fetched) in [(&[0][..], Some(1)), (&[0, 1], Some(2)), (&[0, 2], Some(1)), (&[1, 2, 3], None)]
	{
		let mut rig = connected(rig("AAA"), 1..=1);
		rig.know(10, known);
		let effects = rig.message(1, all.clone());
		match fetched {
			Some(n) => drop(asks(&effects, 1, head(n))),
			None => assert!(asked(&effects).is_empty()),
		}
		assert_eq!(rig.machine.segments.len(), 0, "used up in any case");
	}
	// A block that was a leaf may know what is not on the leaf's chain any more.
	let mut rig = connected(rig("AAA"), 1..=1);
	rig.know(9, &[1]);
	asks(&rig.message(1, all), 1, head(2));
}

#[test]
fn a_segment_is_held_while_another_fetch_brings_what_it_offers() {
	let mut rig = connected(rig("AAA"), 1..=3);
	let chain = chain(A, 10, 2);
	let one = segment(&[&chain[0]]);
	let token = asks(&rig.message(1, one.clone()), 1, head(1));
	assert!(asked(&rig.message(2, one)).is_empty());
	// The next entry does not wait for the first one.
	let next = asks(&rig.message(3, segment(&[&chain[0], &chain[1]])), 3, head(2));
	let token = asks(&rig.fails(token, RequestError::Network), 2, head(1));
	assert_eq!(rig.machine.segments.len(), 0);
	assert_eq!(second_requests(&rig.respond(token, response_v4(&chain[0]))), [chain[0].hash()]);
	assert_eq!(second_requests(&rig.respond(next, response_v4(&chain[1]))), [chain[1].hash()]);
}

#[test]
fn older_segments_are_looked_at_again_when_more_is_known() {
	let mut rig = connected(rig("AAA"), 1..=3);
	let chain = chain(A, 10, 2);
	for n in [1, 2] {
		rig.message(n, segment(&[&chain[0]]));
	}
	assert_ne!(rig.machine.segments.len(), 0, "the second one is held");
	// Somebody else's candidate: nothing tells us of it but the next answer.
	rig.know(10, &[1]);
	asks(&rig.message(3, segment(&[&chain[0], &chain[1]])), 3, head(2));
	assert_eq!(rig.machine.segments.len(), 0);
}

#[test]
fn a_segment_grants_one_fetch_and_again_when_it_is_repeated_after_that() {
	// Collator 9 has a score, so collator 1 has to wait.
	let mut rig = connected(scored("AAA", &[(9, 1)]), 1..=1);
	let chain = chain(A, 10, 3);
	let all = segment(&[&chain[0], &chain[1], &chain[2]]);
	assert!(asked(&rig.message(1, all.clone())).is_empty());
	assert!(asked(&rig.message(1, all.clone())).is_empty());
	assert!(rig.dropped_because(Reason::DuplicateMessage), "the same segment is still there");
	asks(&rig.advance(300), 1, head(1));
	for n in [2, 3] {
		asks(&rig.message(1, all.clone()), 1, head(n));
	}
	assert!(!rig.dropped_because(Reason::ExcessiveMessages));
	assert!(rig.message(1, all).is_empty());
	assert!(rig.dropped_because(Reason::ExcessiveMessages), "segments count, not entries");
}

#[test]
fn a_peer_may_offer_as_many_segments_as_the_para_has_positions_in_the_window() {
	for (letters, at, positions) in
		[("AAA", 10, 3), ("AAA", 8, 1), ("ABA", 10, 2), ("ABA", 9, 1), ("BBA", 9, 0)]
	{
		let mut rig = connected(rig(letters), 1..=1);
		for head in 1..=4 {
			rig.message(1, segment(&[&sample(A, at, 0, head)]));
		}
		assert_eq!(rig.machine.segments.taken().1, positions, "{letters} at {at}");
		let reason = if positions == 0 { Reason::NoClaimQueueSlot } else { Reason::ExcessiveMessages };
		assert!(rig.dropped_because(reason));
	}
}

#[test]
fn what_backing_refuses_does_not_count_as_a_segment() {
	let mut rig = rig("AAA");
	rig.collator(1, CollationVersion::V2, A);
	rig.world.can_second = false;
	let sample = sample(A, 10, 0, 1);
	for _ in 0..5 {
		assert!(rig.advertise(1, &sample).is_empty());
	}
	assert!(
		rig.dropped_because(Reason::CannotFollowChain) && !rig.dropped_because(Reason::ExcessiveMessages)
	);
	rig.world.can_second = true;
	asks(&rig.advertise(1, &sample), 1, sample.hash().0);
	assert!(rig.advertise(1, &sample).is_empty() && rig.dropped_because(Reason::DuplicateMessage));
}

#[test]
fn what_is_known_on_another_fork_does_not_block() {
	let mut rig = connected(rig("AAA"), 1..=1);
	let on = |number| Arc::new(block(number, &rig.session, queue("AAA")));
	let mut fork = block(20, &rig.session, queue("AAA"));
	fork.parent_hash = hash(9);
	let activated = Some(Arc::new(leaf(fork, vec![on(9), on(8)])));
	rig.send(Event::Leaves(LeavesUpdate { activated, deactivated: Vec::new() }));
	rig.know(20, &[1]);
	let chain = chain(A, 10, 1);
	asks(&rig.message(1, segment(&[&chain[0]])), 1, head(1));
	// At a block under both, leaf 10 still needs it.
	let shared = self::chain(A, 9, 1);
	rig.know(20, &[1]);
	rig.world.output_heads.insert(hash(10), BTreeMap::new());
	let mut rig = {
		let token = *rig.machine.fetches.first_key_value().unwrap().0;
		rig.fails(token, RequestError::Network);
		rig
	};
	asks(&rig.message(1, segment(&[&shared[0]])), 1, head(1));
}

#[test]
fn narrow_and_wide_windows_both_find_room_in_whatever_order_they_come() {
	let (narrow, wide) = (chain(A, 8, 1), sample(A, 10, 0, 2));
	for narrow_first in [true, false] {
		// Both have to wait, so that they are planned together.
		let mut rig = connected(scored("AAB", &[(9, 1)]), 1..=2);
		let messages = [(1, segment(&[&narrow[0]])), (2, segment(&[&wide]))];
		for index in if narrow_first { [0, 1] } else { [1, 0] } {
			let (n, message) = messages[index].clone();
			assert!(asked(&rig.message(n, message)).is_empty());
		}
		let mut heads: Vec<_> = asked(&rig.advance(300)).into_iter().map(|(_, _, head)| head).collect();
		heads.sort();
		let mut expected = vec![head(1), head(2)];
		expected.sort();
		assert_eq!(heads, expected);
	}
}

#[test]
fn the_highest_score_is_fetched_first_and_then_the_earliest() {
	let mut rig = connected(scored("ABB", &[(2, 1), (3, 5)]), 1..=5);
	let offer = |n: u8| segment(&[&sample(A, 10, 0, n)]);
	rig.advance(300);
	// The only position is taken; the others wait for it.
	let mut token = asks(&rig.message(5, offer(5)), 5, head(5));
	for n in [1, 2, 4, 3] {
		assert!(asked(&rig.message(n, offer(n))).is_empty());
	}
	for n in [3, 2, 1, 4] {
		token = asks(&rig.fails(token, RequestError::Network), n, head(n));
	}
}

#[test]
fn whoever_has_no_score_waits_for_those_who_have_one() {
	let chain = chain(A, 10, 1);
	let mut rig = connected(scored("AAA", &[(2, 1)]), 1..=2);
	assert!(asked(&rig.message(1, segment(&[&chain[0]]))).is_empty());
	assert!(asked(&rig.advance(299)).is_empty());
	asks(&rig.advance(1), 1, head(1));
	// From when the scheduling parent came into view.
	asks(&rig.message(1, segment(&[&sample(A, 10, 1, 2)])), 1, head(2));

	let mut rig = connected(scored("AAA", &[(2, 1)]), 1..=2);
	asks(&rig.message(2, segment(&[&chain[0]])), 2, head(1));
	// Nobody has one: nobody waits.
	let mut rig = connected(self::rig("AAA"), 1..=1);
	asks(&rig.message(1, segment(&[&chain[0]])), 1, head(1));
}

#[test]
fn the_timer_for_those_who_wait_is_not_set_for_an_instant() {
	let mut rig = connected(scored("AAA", &[(2, 1)]), 1..=1);
	rig.advance(299);
	rig.message(1, segment(&[&chain(A, 10, 1)[0]]));
	assert_eq!(rig.machine.next_deadline(), Some(rig.now + MIN_FETCH_TIMER));
	asks(&rig.advance(150), 1, head(1));
}

#[test]
fn a_collation_that_is_not_what_was_advertised_costs_score() {
	let good = chain(A, 10, 1)[0].clone();
	let change =
		|change: &dyn Fn(&mut CandidateDescriptorV2)| good.clone().with(|descriptor| change(descriptor));
	let bad = [
		change(&|descriptor| descriptor.para_head = head(7)),
		change(&|descriptor| descriptor.para_id = B),
		change(&|descriptor| *descriptor = descriptor.clone().into_v3(hash(10), 7).unwrap()),
		change(&|descriptor| descriptor.relay_parent = hash(9)),
		change(&|descriptor| descriptor.core_index = 1),
		change(&|descriptor| descriptor.session_index = 6),
		change(&|descriptor| descriptor.persisted_validation_data_hash = hash(1)),
	];
	let mut answers: Vec<_> = bad.iter().map(response_v4).collect();
	let other_parent = Sample { data: sample(A, 10, 5, 1).data, ..good.clone() };
	answers.extend([response_v4(&other_parent), good.response(), vec![1, 2, 3]]);
	for (n, answer) in answers.into_iter().enumerate() {
		let (mut rig, token) = fetching(scored("AAA", &[(1, u16::MAX)]), &good);
		let effects = rig.respond(token, answer);
		assert_eq!(slashes(&effects), FAILED, "answer {n}");
		assert_eq!((rig.score(1), writes(&effects)), (u16::MAX - FAILED_FETCH_SLASH, 1));
		assert!(second_requests(&effects).is_empty() && reports(&effects).is_empty());
		// Its position is free.
		asks(&rig.message(1, segment(&[&good])), 1, head(1));
	}
}

#[test]
fn waiting_in_vain_costs_score_and_a_network_that_fails_does_not() {
	use RequestError::{Network, NotConnected, Refused, Timeout, UnsupportedProtocol};
	let good = chain(A, 10, 1)[0].clone();
	for (error, lost) in [
		(Timeout, FAILED_FETCH_SLASH),
		(Network, 0),
		(NotConnected, 0),
		(Refused, 0),
		(UnsupportedProtocol, 0),
	] {
		let (mut rig, token) = fetching(scored("AAA", &[(1, u16::MAX)]), &good);
		let effects = rig.fails(token, error);
		assert_eq!((rig.score(1), writes(&effects)), (u16::MAX - lost, usize::from(lost > 0)));
		assert!(reports(&effects).is_empty());
	}
}

#[test]
fn an_invalid_collation_costs_half_of_the_highest_score() {
	let (mut rig, token) = fetching(scored("AAA", &[(1, u16::MAX)]), &chain(A, 10, 1)[0]);
	let bad = chain(A, 10, 1)[0].clone();
	rig.respond(token, response_v4(&bad));
	let effects = rig.invalid(&bad);
	assert_eq!(slashes(&effects), [SlashReason::InvalidCollation]);
	assert_eq!((rig.score(1), writes(&effects)), (u16::MAX - INVALID_COLLATION_SLASH, 1));
	assert!(reports(&effects).is_empty());
	asks(&rig.message(1, segment(&[&bad])), 1, head(1));
}

#[test]
fn who_has_no_score_to_lose_is_reported_as_by_the_default_side() {
	let good = chain(A, 10, 1)[0].clone();
	let (mut rig, token) = fetching(rig("AAA"), &good);
	rig.respond(token, response_v4(&good));
	assert_eq!(reports(&rig.invalid(&good)), [(peer(1), MALICIOUS)]);
	let (mut rig, token) = fetching(scored("AAA", &[(1, 5)]), &good);
	let effects = rig.respond(token, vec![1, 2, 3]);
	assert_eq!((reports(&effects), rig.score(1)), (vec![(peer(1), MINOR)], 0), "it lost all that it had");
	let (mut rig, token) = fetching(self::rig("AAA"), &good);
	assert_eq!(reports(&rig.fails(token, RequestError::Timeout)), [(peer(1), MINOR)]);
}

#[test]
fn malformed_segments_are_refused_at_a_price_and_bind_nobody() {
	let cycle = sample(A, 10, 1, 1);
	let good = chain(A, 10, 1)[0].clone();
	let CollationMessage::V4(mut empty) = segment(&[&good]) else { unreachable!() };
	empty.candidates = Default::default();
	for message in [CollationMessage::V4(empty), segment(&[&good, &cycle])] {
		let mut rig = connected(rig("ABA"), 1..=1);
		let effects = rig.message(1, message);
		assert_eq!(reports(&effects), [(peer(1), MINOR)]);
		assert!(rig.dropped_because(Reason::MalformedMessage) && asked(&effects).is_empty());
		assert_eq!(rig.machine.connections.get(&peer(1)).unwrap().para, None);
	}
}

#[test]
fn version_1_advertises_once_at_each_active_leaf() {
	let mut rig = rig("AAA");
	rig.activate(20, "AAA", None);
	rig.collator(1, CollationVersion::V1, A);
	for at in [10, 20] {
		asks(&rig.message(1, advert_v1(at)), 1, hash(at));
		assert!(rig.message(1, advert_v1(at)).is_empty());
	}
	assert!(rig.dropped_because(Reason::ExcessiveMessages));
	assert!(!rig.dropped_because(Reason::SchedulingParentNotInScope));
	assert!(rig.message(1, advert_v1(9)).is_empty());
	assert!(rig.dropped_because(Reason::SchedulingParentNotInScope));
}

#[test]
fn version_1_builds_on_the_included_head() {
	let mut rig = rig("AAA");
	rig.activate_with_head(11, 0, None);
	rig.collator(1, CollationVersion::V1, A);
	let token = asks(&rig.message(1, advert_v1(11)), 1, hash(11));
	let included = sample(A, 11, 0, 1);
	assert_eq!(second_requests(&rig.respond(token, included.response())), [included.hash()]);
	assert_eq!(told(&rig.seconded(&included)), [(peer(1), CollationVersion::V1)]);
}

#[test]
fn scheduling_parents_have_to_be_in_view_and_version_3_descriptors_in_time() {
	let v2_elsewhere = |at| segment(&[&sample(A, at, 0, 1)]);
	let mut rig = connected(rig("AAA"), 1..=3);
	assert!(rig.message(1, v2_elsewhere(7)).is_empty() && rig.dropped_because(Reason::OutOfView));
	// Leaf 10 is of slot 10, and it is slot 11: it may schedule, its parent may not any more.
	assert!(rig.message(1, segment(&[&v3(9)])).is_empty());
	assert!(rig.dropped_because(Reason::SchedulingParentNotInScope));
	let candidate = v3(10);
	let token = asks(&rig.message(2, segment(&[&candidate])), 2, head(1));
	assert_eq!(second_requests(&rig.respond(token, response_v4(&candidate))), [candidate.hash()]);
	// Version 3 of the protocol says the relay parent, which for other descriptors is the scheduling parent.
	rig.collator(4, CollationVersion::V3, A);
	let advert = |relay_parent| {
		CollationMessage::V3(CollatorMessageV3::AdvertiseCollation(AdvertiseCollationV3 {
			scheduling_parent: hash(10),
			candidate_hash: sample(A, 10, 1, 2).hash(),
			parent_head_data_hash: head(1),
			candidate_descriptor_version: CandidateDescriptorVersion::V2,
			relay_parent: hash(relay_parent),
		}))
	};
	assert!(asked(&rig.message(4, advert(9))).is_empty());
	asks(&rig.message(4, advert(10)), 4, sample(A, 10, 1, 2).hash().0);
}

#[test]
fn a_child_waits_for_its_parent_and_goes_with_it_if_that_is_invalid() {
	for valid in [true, false] {
		let mut rig = rig("AAA");
		rig.collator(1, CollationVersion::V2, A);
		let (parent, child) = (sample(A, 10, 0, 1), sample(A, 10, 1, 2));
		rig.world.known_heads.insert(head(0), parent.data.clone());
		let first = asks(&rig.advertise(1, &parent), 1, parent.hash().0);
		let second = asks(&rig.advertise(1, &child), 1, child.hash().0);
		assert!(second_requests(&rig.respond(second, child.response())).is_empty());
		assert_eq!(second_requests(&rig.respond(first, parent.response())), [parent.hash()]);
		rig.world.known_heads.insert(head(1), child.data.clone());
		let effects = if valid { rig.seconded(&parent) } else { rig.invalid(&parent) };
		assert_eq!(second_requests(&effects).len(), usize::from(valid));
		assert_eq!(rig.machine.blocks[&hash(10)].fetched.len(), if valid { 2 } else { 0 });
		assert_eq!(told(&effects).len(), usize::from(valid));
	}
}

#[test]
fn a_peer_keeps_one_position_with_collations_on_unknown_parents_and_yields_it_to_who_holds_less() {
	let mut rig = rig("ABA");
	for n in 1..=2 {
		rig.collator(n, CollationVersion::V2, A);
	}
	let fakes = [sample(A, 10, 100, 110), sample(A, 10, 101, 111)];
	for fake in &fakes {
		let token = asks(&rig.advertise(1, fake), 1, fake.hash().0);
		assert!(reports(&rig.respond(token, fake.response())).is_empty());
		assert_eq!(rig.machine.blocks[&hash(10)].fetched.len(), 1);
	}
	// One position is free, and the second of these takes the one of the fake.
	let good = [sample(A, 10, 0, 1), sample(A, 10, 1, 2)];
	for sample in &good {
		rig.world.known_heads.insert(sample.parent_hash(), sample.data.clone());
		let token = asks(&rig.advertise(2, sample), 2, sample.hash().0);
		assert_eq!(second_requests(&rig.respond(token, sample.response())), [sample.hash()]);
		rig.seconded(sample);
	}
	assert_eq!(rig.machine.seconding.parked().count(), 0);
	assert_eq!(rig.machine.blocks[&hash(10)].fetched.len(), 2);
}

#[test]
fn what_was_given_up_is_fetched_again_when_its_parent_is_seconded() {
	let mut rig = rig("AAA");
	rig.collator(1, CollationVersion::V2, A);
	let [first, second, third] = [sample(A, 10, 0, 1), sample(A, 10, 1, 2), sample(A, 10, 2, 3)];
	for sample in [&second, &third] {
		let token = asks(&rig.advertise(1, sample), 1, sample.hash().0);
		rig.respond(token, sample.response());
	}
	for sample in [&first, &second, &third] {
		rig.world.known_heads.insert(sample.parent_hash(), sample.data.clone());
	}
	let token = asks(&rig.advertise(1, &first), 1, first.hash().0);
	assert_eq!(second_requests(&rig.respond(token, first.response())), [first.hash()]);
	assert_eq!(second_requests(&rig.seconded(&first)), [second.hash()]);
	let token = asks(&rig.seconded(&second), 1, third.hash().0);
	assert_eq!(second_requests(&rig.respond(token, third.response())), [third.hash()]);
}

#[test]
fn what_backing_drops_gives_its_position_back() {
	let good = sample(A, 10, 0, 1);
	let mut rig = connected(rig("ABB"), 1..=2);
	let token = asks(&rig.message(1, segment(&[&good])), 1, head(1));
	assert!(asked(&rig.message(2, segment(&[&sample(A, 10, 0, 2)]))).is_empty());
	rig.respond(token, response_v4(&good));
	let dropped = Event::Dropped {
		scheduling_parent: hash(10),
		candidate_hash: good.hash(),
		reason: Reason::ExecutionFailed,
	};
	let effects = rig.send(dropped);
	asks(&effects, 2, head(2));
	assert!(slashes(&effects).is_empty());
}

#[test]
fn collators_without_a_declaration_have_nothing_to_advertise() {
	let mut rig = rig("AAA");
	rig.connect(1, CollationVersion::V2);
	assert_eq!(reports(&rig.advertise(1, &sample(A, 10, 0, 1))), [(peer(1), MINOR)]);
	assert!(rig.dropped_because(Reason::UndeclaredPeer));
	let statement = statement(&sample(A, 10, 0, 1)).into_unchecked();
	let misplaced = CollationMessage::V2(CollatorMessageV2::CollationSeconded(hash(10), statement));
	assert_eq!(reports(&rig.message(1, misplaced)), [(peer(1), MINOR)]);
}

#[test]
fn scheduled_paras_and_their_collators_are_told_by_score() {
	let mut rig = connected(scored("ABA", &[(1, 1), (2, 150)]), 1..=3);
	let effects = rig.activate(11, "ABA", Some(10));
	let expected = BTreeMap::from([(A, [1, 1, 1, 0]), (B, [3, 0, 0, 0])]);
	assert!(effects.contains(&Effect::Notice(Notice::Collators(expected))));
}
