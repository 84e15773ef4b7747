//! Collations whose parent nobody knows: they keep a position from others, at no cost, for as long as their scheduling parent
//! is in view.

use super::*;

fn gone(n: u8) -> NetworkEvent {
	NetworkEvent::PeerDisconnected { peer: peer(n), set: PeerSet::Collation }
}

impl Rig {
	/// Peer `n` delivers a collation on a parent that nobody knows.
	fn park(&mut self, n: u8, sample: &Sample) -> Vec<Effect> {
		let token = fetched_from(&self.advertise(n, sample), n);
		let effects = self.respond(token, sample.response());
		assert!(second_requests(&effects).is_empty() && reports(&effects).is_empty());
		effects
	}

	fn parked_of(&self) -> Vec<PeerId> {
		self.machine.seconding.parked().map(|parked| parked.offer.peer.clone()).collect()
	}
}

/// A rig with collators of para A from 1 on.
fn rig(letters: &str, collators: u8) -> Rig {
	let mut rig = Rig::new(letters);
	(1..=collators).for_each(|n| rig.collator(n, CollationVersion::V2, A));
	rig
}

#[test]
fn a_peer_keeps_one_position_with_collations_on_unknown_parents() {
	let mut rig = rig("AAA", 2);
	for n in 0..3 {
		rig.park(1, &sample(A, 10, 100 + n, 110 + n));
		assert_eq!(rig.machine.claims(&hash(10), CoreIndex(0), A), 1);
	}
	assert_eq!(rig.parked_of(), [peer(1)]);
	let good = [sample(A, 10, 0, 1), sample(A, 10, 0, 2)];
	rig.world.known_heads.insert(good[0].parent_hash(), good[0].data.clone());
	for good in good {
		let token = fetched_from(&rig.advertise(2, &good), 2);
		assert_eq!(second_requests(&rig.respond(token, good.response())), [good.hash()]);
		rig.seconded(&good);
	}
	// What was given up is told with the reason of what waits.
	rig.activate(20, "AAA", Some(10));
	let lost = |trace: &&Trace| trace.stage == Stage::Dropped(Reason::UnknownParentHead);
	assert_eq!(rig.traces.iter().filter(lost).count(), 3);
	assert!(rig.machine.seconding.orphans.is_empty());
}

#[test]
fn collation_that_waits_for_its_parent_gives_its_position_to_who_holds_less() {
	let mut rig = rig("AAB", 4);
	rig.park(1, &sample(A, 10, 100, 110));
	rig.park(2, &sample(A, 10, 101, 111));
	// Of two that hold one, the one that waits longer yields.
	let token = fetched_from(&rig.advertise(3, &sample(A, 10, 102, 112)), 3);
	assert_eq!(rig.parked_of(), [peer(2)]);
	rig.respond(token, sample(A, 10, 102, 112).response());
	assert_eq!(rig.parked_of().len(), 2);
	// Who holds as much as the others gives its own position away, or gets none.
	let own = sample(A, 10, 0, 1);
	rig.world.known_heads.insert(own.parent_hash(), own.data.clone());
	let token = fetched_from(&rig.advertise(2, &own), 2);
	assert_eq!(rig.parked_of(), [peer(3)]);
	assert_eq!(second_requests(&rig.respond(token, own.response())), [own.hash()]);
	assert!(rig.advertise(2, &sample(A, 10, 0, 3)).is_empty());
	// What backing could not second makes nobody yield.
	rig.world.can_second = false;
	assert!(rig.advertise(4, &sample(A, 10, 0, 2)).is_empty());
	assert_eq!(rig.parked_of(), [peer(3)]);
}

#[test]
fn what_was_given_up_is_fetched_again_when_its_parent_is_seconded() {
	let mut rig = rig("AAA", 2);
	let [first, second, third] = [sample(A, 10, 0, 1), sample(A, 10, 1, 2), sample(A, 10, 2, 3)];
	rig.park(1, &second);
	rig.park(1, &third);
	for sample in [&first, &second, &third] {
		rig.world.known_heads.insert(sample.parent_hash(), sample.data.clone());
	}
	let token = fetched_from(&rig.advertise(2, &first), 2);
	assert_eq!(second_requests(&rig.respond(token, first.response())), [first.hash()]);
	assert_eq!(second_requests(&rig.seconded(&first)), [second.hash()]);
	let token = fetched_from(&rig.seconded(&second), 1);
	assert_eq!(second_requests(&rig.respond(token, third.response())), [third.hash()]);
}

#[test]
fn what_was_given_up_has_another_try_at_a_leaf_one_for_each_peer() {
	let mut rig = rig("AAA", 2);
	for n in 0..3 {
		rig.park(1, &sample(A, 10, 100 + n, 110 + n));
	}
	// The parent of the first was seconded by others of the group. It is on its way: nothing else of its peer is fetched.
	let known = sample(A, 10, 100, 110);
	rig.world.known_heads.insert(known.parent_hash(), known.data.clone());
	let effects = rig.activate(11, "AAA", Some(10));
	assert_eq!((second_requests(&effects), requests(&effects)), (vec![known.hash()], Vec::new()));
	let (scheduling_parent, candidate_hash) = (hash(10), known.hash());
	let dropped = Event::Dropped { scheduling_parent, candidate_hash, reason: Reason::ExecutionFailed };
	assert!(requests(&rig.send(dropped)).is_empty());
	fetched_from(&rig.activate(12, "AAA", Some(11)), 1);
}

#[test]
fn peers_that_come_and_go_make_nobody_look_at_what_was_set_aside() {
	let mut rig = rig("AAA", 1);
	rig.world.can_second = false;
	assert!(rig.advertise(1, &sample(A, 10, 0, 1)).is_empty());
	rig.world.can_second = true;
	for n in 2..6 {
		rig.collator(n, CollationVersion::V2, A);
		let before = rig.log.len();
		assert!(rig.network(gone(n)).is_empty());
		assert_eq!(rig.log.len(), before, "nothing was asked");
	}
	// A position that is given back changes nothing about what backing could not second, either.
	rig.collator(2, CollationVersion::V2, A);
	fetched_from(&rig.advertise(2, &sample(A, 10, 0, 2)), 2);
	assert!(rig.network(gone(2)).is_empty());
	fetched_from(&rig.activate(11, "AAA", Some(10)), 1);
}

#[test]
fn position_that_a_disconnected_peer_held_goes_to_the_next() {
	let mut rig = rig("ABB", 2);
	fetched_from(&rig.advertise(1, &sample(A, 10, 0, 1)), 1);
	assert!(rig.advertise(2, &sample(A, 10, 0, 2)).is_empty());
	fetched_from(&rig.network(gone(1)), 2);
}

#[test]
fn what_can_be_scheduled_no_more_is_not_fetched() {
	let mut rig = rig("AAB", 2);
	let token = fetched_from(&rig.advertise(1, &sample(A, 10, 0, 1)), 1);
	assert!(rig.advertise(2, &sample(A, 10, 0, 2)).is_empty());
	// Two leaves later block 10 is for the next block only, and that is another para's.
	rig.activate(11, "ABA", Some(10));
	rig.activate(12, "BAA", Some(11));
	let effects = rig.send(Event::Response { token, result: Err(RequestError::Timeout) });
	assert!(requests(&effects).is_empty());
	rig.activate(13, "AAA", Some(12));
	assert!(rig.dropped_because(Reason::NoClaimQueueSlot));
}
