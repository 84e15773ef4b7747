//! Who may connect, and for which para.

use super::*;
use headway_machine::testing::{block, leaf};

/// All places of para A are taken by collators 1 to 60.
fn full(scores: &[(u8, u16)]) -> Scored {
	let mut rig = scored("AAA", scores);
	for n in 1..=PEERS_PER_PARA_MAX as u8 {
		rig.collator(n, CollationVersion::V2, A);
	}
	rig
}

#[test]
fn a_newcomer_to_a_full_para_needs_a_higher_score_than_the_lowest() {
	let mut rig = full(&[(1, 9), (2, 1), (100, 1), (101, 2)]);
	assert_eq!(disconnected(&rig.connect(99, CollationVersion::V2)), [peer(99)]);
	// Of those with the lowest score, whoever came last.
	assert_eq!(disconnected(&rig.connect(100, CollationVersion::V2)), [peer(60)]);
	assert_eq!(disconnected(&rig.connect(101, CollationVersion::V4)), [peer(59)]);
	assert_eq!(rig.machine.connections.len(), PEERS_PER_PARA_MAX);
	// Whoever was disconnected has nothing to say.
	assert!(rig.advertise(60, &chain(A, 10, 1)[0]).is_empty());
	assert!(rig.dropped_because(Reason::UnknownPeer));
}

#[test]
fn whoever_is_idle_goes_for_a_newcomer_of_the_same_score() {
	let mut rig = full(&[(1, 3)]);
	let idle_ms = crate::validator_side::INACTIVE_COLLATOR_TIMEOUT.as_millis() as u64;
	rig.advance(idle_ms - 1);
	assert_eq!(disconnected(&rig.connect(99, CollationVersion::V2)), [peer(99)]);
	rig.advertise(60, &chain(A, 10, 1)[0]);
	rig.advance(1);
	// 60 said something, 1 has a score.
	assert_eq!(disconnected(&rig.connect(99, CollationVersion::V2)), [peer(59)]);
	// Nobody has to go as long as there is room.
	rig.network(NetworkEvent::PeerDisconnected { peer: peer(58), set: PeerSet::Collation });
	assert!(disconnected(&rig.connect(100, CollationVersion::V2)).is_empty());
}

#[test]
fn fresh_identities_that_say_nothing_do_not_hold_places_for_long() {
	let mut rig = rig("ABA");
	(1..=60).for_each(|n| drop(rig.connect(n, CollationVersion::V3)));
	(61..=120).for_each(|n| assert_eq!(disconnected(&rig.connect(n, CollationVersion::V3)), [peer(n)]));
	rig.advance(crate::validator_side::UNDECLARED_PEER_TIMEOUT.as_millis() as u64);
	assert_eq!(disconnected(&rig.connect(121, CollationVersion::V3)), [peer(60)]);
	assert_eq!(disconnected(&rig.connect(122, CollationVersion::V2)), [peer(59)]);
	assert!(rig.message(122, declare(122, 122, CollationVersion::V2, A)).is_empty());
	// In version 4 nobody declares: silence says nothing so soon.
	let mut rig = self::rig("AAA");
	(1..=60).for_each(|n| drop(rig.connect(n, CollationVersion::V4)));
	rig.advance(2_000);
	assert_eq!(disconnected(&rig.connect(61, CollationVersion::V4)), [peer(61)]);
}

#[test]
fn an_undeclared_peer_has_a_place_in_every_para_and_then_in_its_own() {
	let mut rig = rig("ABA");
	rig.connect(1, CollationVersion::V2);
	let places =
		|rig: &Scored| rig.machine.connections.places().values().map(BTreeSet::len).collect::<Vec<_>>();
	assert_eq!(places(&rig), [1, 1]);
	rig.message(1, declare(1, 1, CollationVersion::V2, B));
	assert_eq!(places(&rig), [0, 1]);
	// Once more for the same para is no harm, for another one it is.
	assert!(rig.message(1, declare(1, 1, CollationVersion::V2, B)).is_empty());
	assert_eq!(disconnected(&rig.message(1, declare(1, 1, CollationVersion::V2, A))), [peer(1)]);
	assert_eq!(places(&rig), [0, 0]);
	rig.connect(2, CollationVersion::V2);
	assert_eq!(disconnected(&rig.message(2, declare(2, 2, CollationVersion::V2, ParaId(7)))), [peer(2)]);
}

#[test]
fn the_first_segment_binds_a_peer_to_its_para() {
	let mut rig = rig("ABA");
	rig.connect(1, CollationVersion::V4);
	asks(&rig.message(1, segment(&[&chain(A, 10, 1)[0]])), 1, head(1));
	let effects = rig.message(1, segment(&[&chain(B, 10, 1)[0]]));
	assert_eq!((disconnected(&effects), asked(&effects)), (vec![peer(1)], vec![]));
	assert!(rig.machine.fetches.is_empty());
	rig.connect(2, CollationVersion::V4);
	let elsewhere = segment(&[&chain(ParaId(7), 10, 1)[0]]);
	assert_eq!(disconnected(&rig.message(2, elsewhere)), [peer(2)]);
}

#[test]
fn a_declaration_needs_the_signature_for_this_peer() {
	let mut rig = rig("AAA");
	rig.connect(1, CollationVersion::V2);
	let effects = rig.message(1, declare(1, 2, CollationVersion::V2, A));
	assert_eq!((reports(&effects), disconnected(&effects)), (vec![(peer(1), MALICIOUS)], vec![peer(1)]));
	assert!(rig.dropped_because(Reason::InvalidSignature));
}

#[test]
fn peers_from_before_the_first_leaf_are_disconnected() {
	let mut rig = Rig::without_leaf(ExperimentalSide::new(Config::default()));
	assert_eq!(disconnected(&rig.connect(1, CollationVersion::V4)), [peer(1)]);
}

#[test]
fn a_fork_that_is_dropped_takes_its_claims_and_its_collators_with_it() {
	let mut rig = rig("AAA");
	// Leaf 20 stands on block 9 as leaf 10 does, and has para B there.
	let on = |rig: &Scored, number| Arc::new(block(number, &rig.session, queue("BBB")));
	let mut fork = block(20, &rig.session, queue("BBA"));
	fork.parent_hash = hash(9);
	let ancestry = vec![on(&rig, 9), on(&rig, 8)];
	let activated = Some(Arc::new(leaf(fork, ancestry)));
	rig.send(Event::Leaves(LeavesUpdate { activated, deactivated: Vec::new() }));
	for (n, para) in [(1, B), (2, A), (3, A), (4, A)] {
		rig.collator(n, CollationVersion::V2, para);
	}
	// Block 9 reaches two positions, of A under leaf 10, of B under leaf 20.
	for (n, sample) in [(1, sample(B, 20, 0, 1)), (1, sample(B, 9, 0, 1)), (2, sample(A, 9, 0, 1))] {
		asks(&rig.advertise(n, &sample), n, sample.hash().0);
	}
	let third = sample(A, 9, 0, 3);
	asks(&rig.advertise(3, &sample(A, 9, 0, 2)), 3, sample(A, 9, 0, 2).hash().0);
	assert!(asked(&rig.advertise(4, &third)).is_empty(), "no room");

	let gone = LeavesUpdate { activated: None, deactivated: vec![hash(20)] };
	let effects = rig.send(Event::Leaves(gone));
	assert_eq!(disconnected(&effects), [peer(1)]);
	assert_eq!(rig.machine.fetches.len(), 2);
	assert!(rig.machine.fetches.values().all(|offer| offer.para == A));
	assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::Notice(_))).count(), 1);
	// The waiting one gets the room of one that fails.
	let (token, _) =
		rig.machine.fetches.first_key_value().map(|(token, offer)| (*token, offer.clone())).unwrap();
	asks(&rig.fails(token, RequestError::Network), 4, third.hash().0);
}
