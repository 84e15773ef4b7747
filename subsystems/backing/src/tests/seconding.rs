//! What Headway promises beyond the scenarios: an answer to every `Second`, no lost candidates, no double
//! votes.

use super::harness::*;
use crate::{state::SchedulingParent, table::SECONDED_PER_VALIDATOR_MAX, Effect, Event};
use headway_machine::{
	testing::{self, hash},
	*,
};
use headway_primitives::*;
use std::sync::Arc;

fn answers(effects: &[Effect]) -> usize {
	["collation seconded", "collation invalid", "collation dropped"]
		.map(|name| count(effects, name))
		.iter()
		.sum()
}

#[test]
fn every_second_is_answered_exactly_once() {
	type Fault = fn(&mut Harness);
	let faults: [Fault; 6] = [
		|_| {},
		|harness| harness.policy.introduce = false,
		|harness| harness.policy.fits = Some(Vec::new()),
		|harness| drop(harness.deactivate(hash(10))),
		|harness| *harness = Harness::with(block(10, None)),
		|harness| *harness = Harness::with(block(10, Some(3))),
	];
	for (i, fault) in faults.iter().enumerate() {
		let mut harness = Harness::new();
		fault(&mut harness);
		let candidate = harness.candidate(1, 0, 1);
		assert_eq!(answers(&harness.send(candidate.second())), 1, "fault {i}");
	}
}

#[test]
fn a_failure_of_ours_blames_nobody_and_the_candidate_can_be_seconded_again() {
	let mut harness = Harness::new();
	let candidate = harness.candidate(1, 0, 1);
	harness.policy.works = false;
	let token = token_of(&harness.send(candidate.second()));
	let result = Err(ValidationFailed { reason: Reason::CodeMissing });
	assert_eq!(names(&harness.send(Event::Validated { token, result })), ["collation dropped"]);
	let token = token_of(&harness.send(candidate.second()));
	let token = token_of(&harness.send(Event::Validated { token, result: candidate.outcome() }));
	let result = Err(StoreDataError::Failed);
	assert_eq!(names(&harness.send(Event::DataStored { token, result })), ["collation dropped"]);
	assert_eq!(harness.reasons(), [Reason::CodeMissing, Reason::StorageFailed]);
	harness.policy.works = true;
	assert_eq!(count(&harness.send(candidate.second()), "collation seconded"), 1);
}

#[test]
fn a_second_second_is_dropped_while_the_first_runs_and_after_it() {
	let mut harness = Harness::new();
	let candidate = harness.candidate(1, 0, 1);
	harness.policy.works = false;
	let token = token_of(&harness.send(candidate.second()));
	assert_eq!(names(&harness.send(candidate.second())), ["collation dropped"]);
	harness.policy.works = true;
	let effects = harness.send(Event::Validated { token, result: candidate.outcome() });
	assert_eq!(count(&effects, "collation seconded"), 1);
	assert_eq!(names(&harness.send(candidate.second())), ["collation dropped"]);
}

#[test]
fn a_candidate_for_another_core_of_its_para_is_not_ours_to_second() {
	let mut harness = Harness::new();
	let candidate = harness.candidate(1, 1, 1);
	assert_eq!(names(&harness.send(candidate.second())), ["collation dropped"]);
	assert_eq!(harness.reasons(), [Reason::NotAssigned]);
}

#[test]
fn data_is_stored_before_anything_is_signed() {
	let mut harness = Harness::new();
	harness.policy.works = false;
	let candidate = harness.candidate(1, 0, 1);
	let token = token_of(&harness.send(candidate.second()));
	let effects = harness.send(Event::Validated { token, result: candidate.outcome() });
	let [Effect::StoreAvailableData { data, .. }] = &effects[..] else {
		panic!("only data is stored: {effects:?}")
	};
	assert_eq!(data.n_validators, 6);
	assert_eq!(data.core_index, CoreIndex(0));
	assert_eq!(data.expected_erasure_root, candidate.receipt.descriptor.erasure_root);
	assert_eq!(data.data.validation_data, *candidate.validation_data);
	assert_eq!(data.data.pov, candidate.pov);
}

#[test]
fn share_precedes_backed() {
	let mut harness = Harness::with(BlockContext { minimum_backing_votes: 1, ..block(10, Some(0)) });
	let candidate = harness.candidate(1, 0, 1);
	let effects = names(&harness.send(candidate.second()));
	assert_eq!(effects[4..], ["share seconded", "candidate backed", "backed", "collation seconded"]);
}

#[test]
fn a_candidate_that_others_seconded_gets_our_vote_when_we_cannot_second_it() {
	let mut harness = Harness::new();
	harness.policy.works = false;
	let candidate = harness.candidate(1, 0, 1);
	let token = token_of(&harness.send(candidate.second()));
	assert_eq!(names(&harness.send(candidate.seconded(1))), ["introduce"]);
	harness.policy.fits = Some(Vec::new());
	harness.policy.works = true;
	let effects = harness.send(Event::Validated { token, result: candidate.outcome() });
	let expected = ["store", "membership", "collation dropped", "share valid", "candidate backed", "backed"];
	assert_eq!(names(&effects), expected);
}

#[test]
fn our_failure_to_second_turns_into_attesting_when_others_seconded_it() {
	let mut harness = Harness::new();
	harness.policy.works = false;
	let candidate = harness.candidate(1, 0, 1);
	let token = token_of(&harness.send(candidate.second()));
	harness.send(candidate.seconded(1));
	harness.policy.works = true;
	let result = Err(ValidationFailed { reason: Reason::ExecutionFailed });
	let effects = names(&harness.send(Event::Validated { token, result }));
	assert_eq!(effects[..3], ["collation dropped", "fetch", "validate"]);
	assert!(effects.contains(&"share valid"));
}

#[test]
fn a_candidate_that_others_introduced_is_not_introduced_again() {
	let mut harness = Harness::new();
	harness.policy.works = false;
	let candidate = harness.candidate(1, 0, 1);
	let token = token_of(&harness.send(candidate.second()));
	harness.send(candidate.seconded(1));
	harness.policy.works = true;
	let effects = harness.send(Event::Validated { token, result: candidate.outcome() });
	let expected =
		["store", "membership", "share seconded", "candidate backed", "backed", "collation seconded"];
	assert_eq!(names(&effects), expected);
}

#[test]
fn statements_wait_for_a_slow_introduction_in_order() {
	let mut harness = Harness::with(block(10, None));
	let candidate = harness.candidate(1, 0, 1);
	let token = token_of(&harness.send_only(candidate.seconded(1)));
	assert_eq!(harness.send_only(candidate.valid(2)), []);
	assert_eq!(harness.send_only(candidate.seconded(0)), []);
	let effects = harness.send_only(Event::Introduced { token, accepted: true });
	assert_eq!(names(&effects), ["candidate backed", "backed"]);
	assert_eq!(harness.backable(1, &[candidate.as_ref()])[0].validity_votes.len(), 3);
}

#[test]
fn a_refused_introduction_leaves_no_state_and_may_be_repeated() {
	let mut harness = Harness::new();
	harness.policy.introduce = false;
	let candidate = harness.candidate(1, 0, 1);
	assert_eq!(names(&harness.send(candidate.seconded(1))), ["introduce"]);
	assert_eq!(harness.reasons(), [Reason::CannotFollowChain]);
	assert!(harness.machine.candidates.is_empty() && harness.machine.introductions.is_empty());
	harness.policy.introduce = true;
	assert_eq!(count(&harness.send(candidate.seconded(1)), "share valid"), 1);
}

#[test]
fn a_statement_for_an_unavailable_core_is_dropped_before_the_introduction() {
	let mut harness = Harness::new();
	let candidate = harness.candidate(1, 0, 1);
	assert_eq!(harness.send(candidate.seconded(3)), []);
	assert_eq!(harness.reasons(), [Reason::ParaNotScheduled]);
}

#[test]
fn a_validator_that_seconded_too_much_leaves_no_state() {
	let mut harness = Harness::with(block(10, None));
	let max = SECONDED_PER_VALIDATOR_MAX as u8;
	for n in 0..max {
		let candidate = harness.candidate(1, 0, n);
		assert_eq!(names(&harness.send(candidate.seconded(1))), ["introduce"]);
	}
	let candidate = harness.candidate(1, 0, max);
	assert_eq!(harness.send(candidate.seconded(1)), []);
	assert_eq!(harness.reasons(), [Reason::CapacityReached]);
	assert_eq!(harness.machine.candidates.len(), usize::from(max));
	assert_eq!(names(&harness.send(candidate.seconded(2))), ["introduce"]);
}

#[test]
fn candidates_that_wait_for_their_introduction_count_against_the_limit() {
	let mut harness = Harness::with(block(10, None));
	let max = SECONDED_PER_VALIDATOR_MAX as u8;
	for n in 0..max {
		let candidate = harness.candidate(1, 0, n);
		assert_eq!(names(&harness.send_only(candidate.seconded(1))), ["introduce"]);
	}
	let candidate = harness.candidate(1, 0, max);
	assert_eq!(harness.send_only(candidate.seconded(1)), []);
	assert_eq!(harness.reasons(), [Reason::CapacityReached]);
	assert_eq!(names(&harness.send_only(candidate.seconded(2))), ["introduce"]);
}

#[test]
fn a_vote_for_another_scheduling_parent_does_not_wait_for_the_candidate() {
	let mut harness = Harness::with(block(10, None));
	let candidate = harness.candidate(1, 0, 1);
	let token = token_of(&harness.send_only(candidate.seconded(1)));
	let Event::Statement { statement, .. } = candidate.valid(2) else { panic!("a statement") };
	assert_eq!(harness.send_only(Event::Statement { scheduling_parent: hash(9), statement }), []);
	assert_eq!(harness.reasons(), [Reason::CandidateMismatch]);
	assert_eq!(harness.send_only(Event::Introduced { token, accepted: true }), []);
}

#[test]
fn a_group_proposes_nothing_for_another_core_than_the_candidate_names() {
	// Both cores are the para's.
	let places = |core| (CoreIndex(core), [ParaId(1); 3].into());
	let leaf = BlockContext { claim_queue: [places(0), places(1)].into(), ..block(10, Some(0)) };
	let mut harness = Harness::with(leaf);
	let candidate = harness.candidate(1, 0, 1);
	assert_eq!(harness.send(candidate.seconded(3)), []);
	assert_eq!(harness.reasons(), [Reason::NotAssigned]);
	// Else the first group to speak would have taken it from the one whose core it is.
	assert_eq!(count(&harness.send(candidate.seconded(1)), "share valid"), 1);
	let effects = harness.send(candidate.seconded(3));
	assert!(matches!(
		effects[..],
		[Effect::Misbehavior(MisbehaviorReport { misbehavior: Misbehavior::UnauthorizedStatement, .. })]
	));
}

#[test]
fn there_is_no_core_beyond_the_last_group() {
	for now in 0..8 {
		let group_rotation = GroupRotationInfo { session_start_block: 0, group_rotation_frequency: 1, now };
		let state = SchedulingParent::new(Arc::new(BlockContext { group_rotation, ..block(10, None) }));
		let mut cores: Vec<_> = (0..6).map(|i| state.core_of(ValidatorIndex(i)).map(|core| core.0)).collect();
		cores.dedup();
		assert!(matches!(cores[..], [Some(0), Some(1)] | [Some(1), Some(0)]), "{cores:?}");
		assert_eq!([6, u32::MAX].map(|i| state.core_of(ValidatorIndex(i))), [None, None]);
	}
	let mut harness = Harness::new();
	let candidate = harness.candidate(1, 0, 1);
	assert_eq!(harness.send(candidate.seconded(6)), []);
	assert_eq!(harness.reasons(), [Reason::NotAssigned]);
}

#[test]
fn a_receipt_for_another_scheduling_parent_is_dropped() {
	let mut harness = Harness::new();
	let candidate = harness.candidate(1, 0, 1);
	let Event::Statement { statement, .. } = candidate.seconded(1) else { panic!("a statement") };
	assert_eq!(harness.send(Event::Statement { scheduling_parent: hash(9), statement }), []);
	assert_eq!(harness.reasons(), [Reason::CandidateMismatch]);
}

#[test]
fn a_wrong_proof_of_validity_from_a_voter_does_not_cost_our_vote() {
	let mut harness = Harness::new();
	harness.policy.works = false;
	let candidate = harness.candidate(1, 0, 1);
	let token = token_of(&harness.send(candidate.seconded(1)));
	harness.send(candidate.valid(2));
	let token = token_of(&harness.send(Event::PoVFetched { token, pov: Some(candidate.pov.clone()) }));
	harness.policy.works = true;
	let result = Ok(ValidationOutcome::Invalid(Reason::PovHashMismatch));
	let effects = harness.send(Event::Validated { token, result });
	assert_eq!(names(&effects), ["fetch", "validate", "store", "share valid"]);
	assert_eq!(fetched_from(&effects, &session(Some(0))), [2]);
}

#[test]
fn a_failure_of_ours_to_attest_is_made_up_for_with_another_voter() {
	for (stored, voted_before) in [(false, false), (false, true), (true, false), (true, true)] {
		let mut harness = Harness::new();
		harness.policy.works = false;
		let candidate = harness.candidate(1, 0, 1);
		let token = token_of(&harness.send(candidate.seconded(1)));
		if voted_before {
			harness.send(candidate.valid(2));
		}
		let pov = Some(candidate.pov.clone());
		let token = token_of(&harness.send(Event::PoVFetched { token, pov }));
		let fault = if stored {
			let token = token_of(&harness.send(Event::Validated { token, result: candidate.outcome() }));
			Event::DataStored { token, result: Err(StoreDataError::Failed) }
		} else {
			Event::Validated { token, result: Err(ValidationFailed { reason: Reason::ExecutionFailed }) }
		};
		harness.policy.works = true;
		let mut effects = harness.send(fault);
		if !voted_before {
			assert_eq!(effects, []);
			let reason = if stored { Reason::StorageFailed } else { Reason::ExecutionFailed };
			assert_eq!(harness.reasons(), [reason]);
			effects = harness.send(candidate.valid(2));
		}
		assert_eq!(fetched_from(&effects, &session(Some(0))), [2]);
		assert_eq!(count(&effects, "share valid"), 1);
	}
}

#[test]
fn voters_are_asked_in_turn_and_none_is_lost_to_another_proposal() {
	let session = session_of(vec![vec![0, 1, 2, 3, 4], vec![5]], Some(0));
	let mut harness = Harness::with(testing::block(10, &session, claim_queue()));
	harness.policy.works = false;
	let candidate = harness.candidate(1, 0, 1);
	let mut effects = harness.send(candidate.seconded(1));
	for vote in [candidate.valid(2), candidate.seconded(3), candidate.valid(4)] {
		assert_eq!(count(&harness.send(vote), "fetch"), 0, "one at a time");
	}
	let mut asked = Vec::new();
	while !effects.is_empty() {
		asked.extend(fetched_from(&effects, &session));
		effects = harness.send(Event::PoVFetched { token: token_of(&effects), pov: None });
	}
	assert_eq!(asked, [1, 2, 3, 4]);
}

#[test]
fn an_answer_to_another_question_changes_nothing() {
	let mut harness = Harness::new();
	harness.policy.works = false;
	let candidate = harness.candidate(1, 0, 1);
	let token = token_of(&harness.send(candidate.seconded(1)));
	for answer in [
		Event::Introduced { token, accepted: true },
		Event::Membership(Membership { token, leaves: Vec::new() }),
		Event::Validated { token, result: candidate.outcome() },
		Event::DataStored { token, result: Ok(()) },
	] {
		assert_eq!(harness.send(answer), []);
	}
	let effects = harness.send(Event::PoVFetched { token, pov: Some(candidate.pov.clone()) });
	assert_eq!(names(&effects), ["validate"]);
}

#[test]
fn a_statement_of_ours_from_before_a_restart_is_not_made_again() {
	let mut harness = Harness::new();
	let (seconded, voted) = (harness.candidate(1, 0, 1), harness.candidate(1, 0, 2));
	harness.send(seconded.seconded(0));
	assert_eq!(names(&harness.send(seconded.second())), ["collation dropped"]);
	assert_eq!(count(&harness.send(seconded.seconded(1)), "fetch"), 0);
	// It comes while we validate.
	harness.policy.works = false;
	let token = token_of(&harness.send(voted.seconded(1)));
	harness.send(voted.valid(0));
	harness.policy.works = true;
	let effects = harness.send(Event::PoVFetched { token, pov: Some(voted.pov.clone()) });
	assert_eq!(names(&effects), ["validate", "store"]);
}

#[test]
fn the_same_events_give_the_same_effects() {
	let run = || {
		let mut harness = Harness::new();
		let candidates: Vec<_> = (1..5).map(|n| harness.candidate(1, 0, n)).collect();
		let mut all = Vec::new();
		for (i, candidate) in candidates.iter().enumerate() {
			all.extend(harness.send(if i % 2 == 0 { candidate.second() } else { candidate.seconded(1) }));
			all.extend(harness.send(candidate.valid(2)));
			all.extend(harness.send(candidate.valid(4)));
		}
		all.extend(harness.deactivate(hash(10)));
		(format!("{all:?}"), harness.traces)
	};
	assert_eq!(run(), run());
}

#[test]
fn what_was_said_at_a_scheduling_parent_that_comes_back_is_not_contradicted() {
	let fork = || {
		let parent = block(10, Some(0));
		(BlockContext { hash: hash(99), parent_hash: parent.hash, ..block(11, Some(0)) }, vec![parent])
	};
	for voted_first in [true, false] {
		let mut harness = Harness::new();
		let candidate = harness.candidate(1, 0, 1);
		let (first, again) = match voted_first {
			true => (candidate.seconded(1), candidate.second()),
			false => (candidate.second(), candidate.seconded(1)),
		};
		let first = shared(&harness.send(first));
		assert_eq!(first.len(), 1);
		// Another fork is finalized for us, and then this one turns out to be longer.
		harness.deactivate(hash(10));
		let (leaf, ancestry) = fork();
		harness.activate(leaf, ancestry);
		let again = shared(&harness.send(again));
		assert!(again.iter().all(|again| first.contains(again)), "voted first: {voted_first}");
	}
}
