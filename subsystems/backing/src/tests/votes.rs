//! What we signed is on disk before it is sent, and is never contradicted: not after a restart either.

use super::harness::*;
use crate::{
	votes::{self, StoredVote, VoteError, FORMER_MAX, VOTES},
	Effect, Event,
};
use codec::Encode;
use headway_machine::{testing::hash, *};
use headway_primitives::*;

/// The two ways to our vote.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
	Second,
	Attest,
}

impl Way {
	const ALL: [Self; 2] = [Self::Second, Self::Attest];

	fn take(self, candidate: &Bundle) -> Event {
		match self {
			Self::Second => candidate.second(),
			Self::Attest => candidate.seconded(1),
		}
	}
}

#[test]
fn a_vote_is_durable_before_it_is_shared() {
	for way in Way::ALL {
		let mut harness = Harness::with(BlockContext { minimum_backing_votes: 1, ..block(10, Some(0)) });
		harness.policy.writes = None;
		let candidate = harness.candidate(1, 0, 1);
		let effects = harness.send(way.take(&candidate));
		let Some(Effect::Write { token, batch }) = effects.last() else { panic!("{effects:?}") };
		let [WriteOp::Put { key, value }] = &batch[..] else { panic!("{batch:?}") };
		let stored = votes::read(&key.key, value).expect("what we wrote");
		assert_eq!((stored.0, stored.1), (hash(10), candidate.hash()));
		assert_eq!((stored.2.number, stored.2.validator), (10, ValidatorIndex(0)));
		assert_eq!(stored.2.seconds, way == Way::Second);
		assert_eq!(shared(&effects), []);
		let votes =
			harness.backable(1, &[candidate.as_ref()]).first().map(|backed| backed.validity_votes.len());
		assert_eq!(votes, (way == Way::Attest).then_some(1), "not handed to the author either");

		let effects = harness.send(Event::Written { token: *token, ok: true });
		let shared = shared(&effects);
		assert_eq!(shared.len(), 1);
		assert_eq!(*shared[0].signature(), stored.2.signature);
		assert_eq!(count(&effects, "collation seconded"), usize::from(way == Way::Second));
	}
}

#[test]
fn a_vote_that_could_not_be_stored_is_not_sent_and_may_be_made_later() {
	for way in Way::ALL {
		let mut harness = Harness::new();
		harness.policy.writes = Some(false);
		let candidate = harness.candidate(1, 0, 1);
		let effects = harness.send(way.take(&candidate));
		assert_eq!(shared(&effects), []);
		assert_eq!(count(&effects, "collation dropped"), usize::from(way == Way::Second));
		assert_eq!(harness.reasons(), [Reason::StorageFailed]);
		// It was never said, so the other one may be as well.
		harness.policy.writes = Some(true);
		let effects = harness.send(candidate.seconded(2));
		assert_eq!(count(&effects, "share valid"), 1, "{way:?}");
	}
	let mut harness = Harness::new();
	harness.policy.writes = Some(false);
	let candidate = harness.candidate(1, 0, 1);
	harness.send(candidate.second());
	harness.policy.writes = Some(true);
	assert_eq!(count(&harness.send(candidate.second()), "collation seconded"), 1);
}

#[test]
fn others_who_speak_while_a_vote_is_written_change_nothing_about_it() {
	for ok in [true, false] {
		let mut harness = Harness::new();
		harness.policy.writes = None;
		let candidate = harness.candidate(1, 0, 1);
		let token = token_of(&harness.send(candidate.second()));
		assert_eq!(names(&harness.send(candidate.second())), ["collation dropped"]);
		assert_eq!(harness.send(candidate.seconded(1)), []);
		harness.policy.writes = Some(true);
		let effects = harness.send(Event::Written { token, ok });
		let vote = if ok { "share seconded" } else { "share valid" };
		assert_eq!((shared(&effects).len(), count(&effects, vote)), (1, 1), "stored: {ok}");
	}
}

#[test]
fn another_groups_proposal_does_not_take_a_candidate_whose_vote_is_being_written() {
	let places = |core| (CoreIndex(core), [ParaId(1); 3].into());
	let mut harness =
		Harness::with(BlockContext { claim_queue: [places(0), places(1)].into(), ..block(10, Some(0)) });
	harness.policy.writes = None;
	let candidate = harness.candidate(1, 0, 1);
	let token = token_of(&harness.send(candidate.second()));
	assert_eq!(harness.send(candidate.seconded(3)), []);
	assert_eq!(harness.reasons(), [Reason::NotAssigned]);
	assert_eq!(shared(&harness.send(Event::Written { token, ok: true })).len(), 1);
}

#[test]
fn a_vote_is_lost_with_its_block_while_it_is_written() {
	let mut harness = Harness::new();
	harness.policy.writes = None;
	let candidate = harness.candidate(1, 0, 1);
	let token = token_of(&harness.send(candidate.second()));
	assert_eq!(names(&harness.deactivate(hash(10))), ["collation dropped"]);
	assert_eq!(harness.send(Event::Written { token, ok: true }), []);
}

#[test]
fn no_vote_contradicts_one_from_before_a_restart() {
	for (first, then) in [(Way::Second, Way::Attest), (Way::Attest, Way::Second)] {
		let mut harness = Harness::new();
		let candidate = harness.candidate(1, 0, 1);
		let before = shared(&harness.send(first.take(&candidate)));
		assert_eq!(before.len(), 1);
		harness.restart();
		let mut effects = harness.send(then.take(&candidate));
		effects.extend(harness.send(candidate.valid(2)));
		assert!(shared(&effects).iter().all(|again| before.contains(again)), "{first:?}, then {then:?}");
		assert_eq!(count(&effects, "collation seconded"), 0);
	}
}

#[test]
fn what_was_said_before_a_restart_is_said_again_in_the_same_words() {
	for way in Way::ALL {
		let mut harness = Harness::new();
		let candidate = harness.candidate(1, 0, 1);
		let before = shared(&harness.send(way.take(&candidate)));
		harness.restart();
		// The signature too: another one would be a double vote to others.
		let effects = harness.send(way.take(&candidate));
		assert_eq!(shared(&effects), before, "{way:?}");
		assert_eq!(count(&effects, "collation seconded"), usize::from(way == Way::Second));
		// What needs no look at the proof of validity is said without.
		assert_eq!(count(&effects, "validate"), usize::from(way == Way::Second));
		// Once, though.
		assert_eq!(shared(&harness.send(way.take(&candidate))), []);
		assert_eq!(shared(&harness.send(candidate.seconded(2))), []);
	}
}

#[test]
fn a_candidate_that_we_seconded_before_a_restart_is_seconded_again_when_others_bring_it() {
	let mut harness = Harness::new();
	let candidate = harness.candidate(1, 0, 1);
	let before = shared(&harness.send(candidate.second()));
	harness.restart();
	let effects = harness.send(candidate.seconded(1));
	assert_eq!(names(&effects), ["introduce", "share seconded", "candidate backed", "backed"]);
	assert_eq!(shared(&effects), before);
}

#[test]
fn a_vote_that_comes_back_from_others_is_not_said_again() {
	for is_kept in [true, false] {
		let mut harness = Harness::new();
		let candidate = harness.candidate(1, 0, 1);
		let statement = shared(&harness.send(candidate.second())).remove(0);
		if !is_kept {
			harness.disk = Disk::default();
		}
		harness.restart();
		let validation_data = Some(candidate.validation_data.clone());
		let statement = StatementWithPvd { statement, validation_data };
		let effects = harness.send(Event::Statement { scheduling_parent: hash(10), statement });
		assert_eq!(names(&effects), ["introduce"]);
		assert_eq!(shared(&harness.send(candidate.seconded(2))), []);
		assert_eq!(names(&harness.send(candidate.second())), ["collation dropped"]);
	}
}

#[test]
fn no_more_is_seconded_than_the_claim_queue_has_places_for_before_and_after_a_restart() {
	let mut harness = Harness::new();
	let candidates: Vec<_> = (1..=5).map(|n| harness.candidate(1, 0, n)).collect();
	let elsewhere = harness.candidate_at(1, 0, 9, 9);
	for candidate in &candidates[..2] {
		assert_eq!(count(&harness.send(candidate.second()), "collation seconded"), 1);
	}
	harness.restart();
	assert_eq!(count(&harness.send(candidates[2].second()), "collation seconded"), 1);
	// All three places are taken.
	assert_eq!(names(&harness.send(candidates[3].second())), ["collation dropped"]);
	assert_eq!(harness.reasons(), [Reason::NoClaimQueueSlot]);
	let mut can_second = |candidate: &Bundle| {
		let effects = harness.send(Event::CanSecond(CanSecondQuery {
			token: Token(1),
			para: ParaId(1),
			scheduling_parent: candidate.scheduling_parent(),
			candidate_hash: candidate.hash(),
			parent_head_data_hash: hash(1),
		}));
		count(&effects, "can second") == 1
	};
	assert_eq!([3, 0].map(|i| can_second(&candidates[i])), [false, true]);
	assert!(can_second(&elsewhere));
	// The ones from before are still ours to second, and others' are ours to vote for.
	assert_eq!(count(&harness.send(candidates[0].second()), "collation seconded"), 1);
	assert_eq!(count(&harness.send(candidates[4].seconded(1)), "share valid"), 1);
}

#[test]
fn two_collations_that_are_validated_at_once_do_not_take_the_same_place() {
	let mut harness = Harness::new();
	for n in 1..=2 {
		let candidate = harness.candidate(1, 0, n);
		harness.send(candidate.second());
	}
	let (a, b) = (harness.candidate(1, 0, 3), harness.candidate(1, 0, 4));
	harness.policy.works = false;
	let tokens = [&a, &b].map(|candidate| token_of(&harness.send(candidate.second())));
	harness.policy.works = true;
	let seconded = [(tokens[0], &a), (tokens[1], &b)].map(|(token, candidate)| {
		let effects = harness.send(Event::Validated { token, result: candidate.outcome() });
		(count(&effects, "collation seconded"), count(&effects, "collation dropped"))
	});
	assert_eq!(seconded, [(1, 0), (0, 1)]);
	assert_eq!(harness.reasons(), [Reason::NoClaimQueueSlot]);
}

#[test]
fn votes_at_blocks_that_are_long_out_of_view_are_forgotten_in_memory_and_on_disk() {
	let mut harness = Harness::empty();
	for number in 10..10 + 2 * FORMER_MAX as u32 {
		harness.activate(block(number, Some(0)), Vec::new());
		let candidate = harness.candidate_at(1, 0, number, 1);
		assert_eq!(shared(&harness.send(candidate.second())).len(), 1);
		harness.deactivate(hash(number.into()));
	}
	harness.activate(block(9, Some(0)), Vec::new());
	assert_eq!(harness.machine.former.len(), FORMER_MAX);
	assert_eq!(harness.disk.0.len(), FORMER_MAX);
	let oldest = harness.candidate_at(1, 0, 10 + FORMER_MAX as u32, 1);
	assert!(harness.disk.0.contains_key(&votes::key(&oldest.scheduling_parent(), &oldest.hash())));

	// What a former life left over its bound goes, the oldest first, and what is in view stays.
	let mut more = harness.disk.clone();
	for n in 0..10u32 {
		let value =
			StoredVote { number: n, seconds: true, validator: ValidatorIndex(0), signature: signature(&n) };
		let key = votes::key(&hash(1_000 + u64::from(n)), &oldest.hash());
		more.0.insert(key, value.encode());
	}
	harness.disk = more;
	harness.restart();
	assert_eq!(harness.disk.0.len(), FORMER_MAX);
	let last = votes::key(&hash(1_009), &oldest.hash());
	assert!(!harness.disk.0.contains_key(&last), "lower than all others");
}

#[test]
fn a_damaged_vote_is_a_typed_error_and_its_candidate_gets_no_other_vote() {
	let (scheduling_parent, candidate_hash) = (hash(10), CandidateHash(hash(1)));
	let key = votes::key(&scheduling_parent, &candidate_hash).key;
	let value =
		StoredVote { number: 1, seconds: false, validator: ValidatorIndex(2), signature: signature(&1) };
	let good = value.encode();
	assert_eq!(votes::read(&key, &good), Ok((scheduling_parent, candidate_hash, value)));
	let of_value = Err(VoteError::Value { scheduling_parent, candidate_hash });
	let damaged = |good: &[u8]| {
		let longer = [good, &[0]].concat();
		[good[1..].to_vec(), good[..good.len() - 1].to_vec(), longer, Vec::new(), vec![0xff; 90]]
	};
	for value in damaged(&good) {
		assert_eq!(votes::read(&key, &value), of_value);
	}
	for key in damaged(&key).into_iter().chain([VOTES.to_vec(), b"candidate-votes".to_vec()]) {
		assert_eq!(votes::read(&key, &good), Err(VoteError::Key(key.len())));
	}

	for way in Way::ALL {
		let mut harness = Harness::new();
		let candidate = harness.candidate(1, 0, 1);
		harness.send(candidate.second());
		harness.disk.0.values_mut().for_each(|value| value.truncate(3));
		let nonsense = StorageKey { column: Column::Votes, key: VOTES.to_vec() };
		harness.disk.0.insert(nonsense, vec![1]);
		harness.restart();
		assert_eq!(harness.reasons(), [Reason::StorageFailed; 2]);
		assert_eq!(shared(&harness.send(way.take(&candidate))), []);
		// It counts as seconded, which it may have been.
		let others = [2, 3, 4].map(|n| harness.candidate(1, 0, n));
		let seconded = others.map(|other| count(&harness.send(other.second()), "collation seconded"));
		assert_eq!(seconded, [1, 1, 0]);
	}
}

#[test]
fn a_vote_of_another_validator_on_the_same_disk_is_not_said_again() {
	let mut harness = Harness::new();
	let candidate = harness.candidate(1, 0, 1);
	harness.send(candidate.second());
	let stored = harness.disk.0.values_mut().next().expect("a vote");
	let mut vote: StoredVote = codec::Decode::decode(&mut &stored[..]).expect("as we wrote it");
	vote.validator = ValidatorIndex(1);
	*stored = vote.encode();
	harness.restart();
	assert_eq!(shared(&harness.send(candidate.second())), []);
	assert_eq!(shared(&harness.send(candidate.seconded(1))), []);
}
