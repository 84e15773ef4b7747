//! The scenarios of backing pipeline §9.4, in their order.

use super::harness::*;
use crate::{Effect, Event};
use headway_machine::{testing::hash, *};
use headway_primitives::*;
use std::sync::Arc;

const QUORUM: [&str; 2] = ["candidate backed", "backed"];

fn v3_features() -> NodeFeatures {
	(0..5).map(|bit| bit == FeatureIndex::CandidateReceiptV3 as usize).collect()
}

#[test]
fn a_valid_candidate_is_validated_once_introduced_and_seconded() {
	let mut harness = Harness::new();
	let candidate = harness.candidate(1, 0, 1);
	let effects = harness.send(candidate.second());
	assert_eq!(
		names(&effects),
		["validate", "store", "membership", "introduce", "share seconded", "collation seconded"]
	);
	let Some(Effect::Share { statement, .. }) = effects.iter().find(|e| matches!(e, Effect::Share { .. }))
	else {
		panic!("shared")
	};
	assert_eq!(statement.validation_data.as_ref(), Some(&candidate.validation_data));
	assert_eq!(statement.statement.payload(), &Statement::Seconded(candidate.receipt.clone()));
	assert!(harness.machine.seconded_locally(&candidate.hash()));
	assert!(harness.traces.iter().any(|trace| trace.stage == Stage::Seconded));
}

#[test]
fn an_invalid_candidate_is_reported_and_another_can_be_seconded() {
	let mut harness = Harness::new();
	let (bad, good) = (harness.candidate(1, 0, 1), harness.candidate(1, 0, 2));
	harness.policy.works = false;
	let token = token_of(&harness.send(bad.second()));
	let result = Ok(ValidationOutcome::Invalid(Reason::InvalidExecution));
	let effects = harness.send(Event::Validated { token, result });
	let receipt = bad.receipt.to_plain();
	let (scheduling_parent, reason) = (hash(10), Reason::InvalidExecution);
	assert_eq!(effects, [Effect::CollationInvalid { scheduling_parent, receipt, reason }]);
	harness.policy.works = true;
	assert_eq!(count(&harness.send(good.second()), "collation seconded"), 1);
}

#[test]
fn a_peers_candidate_is_fetched_validated_and_attested_and_backed_once() {
	let mut harness = Harness::new();
	let candidate = harness.candidate(1, 0, 1);
	let effects = harness.send(candidate.seconded(1));
	let expected = ["introduce", "fetch", "validate", "store", "share valid", QUORUM[0], QUORUM[1]];
	assert_eq!(names(&effects), expected);
	assert_eq!(fetched_from(&effects, &session(Some(0))), [1]);
	assert!(harness.traces.iter().any(|trace| trace.stage == Stage::Statement));
	assert!(harness.traces.iter().any(|trace| trace.stage == Stage::Backable));
}

#[test]
fn votes_after_quorum_are_in_the_backed_candidate_but_announce_nothing() {
	let mut harness = Harness::new();
	let candidate = harness.candidate(1, 0, 1);
	harness.send(candidate.seconded(1));
	assert_eq!(harness.send(candidate.valid(2)), []);
	let backed = harness.backable(1, &[candidate.as_ref()]);
	assert_eq!(backed[0].validity_votes.len(), 3);
}

#[test]
fn two_seconding_peers_start_one_job() {
	let mut harness = Harness::new();
	harness.policy.works = false;
	let candidate = harness.candidate(1, 0, 1);
	let effects = harness.send(candidate.seconded(1));
	assert_eq!(names(&effects), ["introduce", "fetch"]);
	assert_eq!(names(&harness.send(candidate.seconded(2))), QUORUM);
	let (token, pov) = (token_of(&effects), Some(candidate.pov.clone()));
	harness.policy.works = true;
	let effects = harness.send(Event::PoVFetched { token, pov });
	assert_eq!(names(&effects), ["validate", "store", "share valid"]);
}

#[test]
fn a_failed_fetch_is_repeated_with_the_next_voter_or_resumes_on_a_later_vote() {
	let mut harness = Harness::new();
	harness.policy.works = false;
	let candidate = harness.candidate(1, 0, 1);
	let session = session(Some(0));
	let effects = harness.send(candidate.seconded(1));
	harness.send(candidate.valid(2));
	let effects = harness.send(Event::PoVFetched { token: token_of(&effects), pov: None });
	assert_eq!(fetched_from(&effects, &session), [2]);
	let effects = harness.send(Event::PoVFetched { token: token_of(&effects), pov: None });
	assert_eq!(effects, []);
	assert_eq!(harness.reasons(), [Reason::PovUnavailable]);

	let mut harness = Harness::new();
	harness.policy.works = false;
	let effects = harness.send(candidate.seconded(1));
	harness.send(Event::PoVFetched { token: token_of(&effects), pov: None });
	let effects = harness.send(candidate.valid(2));
	assert_eq!(fetched_from(&effects, &session), [2]);
}

#[test]
fn a_candidate_found_invalid_never_gets_our_vote() {
	let mut harness = Harness::new();
	harness.policy.works = false;
	let candidate = harness.candidate(1, 0, 1);
	let effects = harness.send(candidate.seconded(1));
	let pov = Some(candidate.pov.clone());
	let effects = harness.send(Event::PoVFetched { token: token_of(&effects), pov });
	let result = Ok(ValidationOutcome::Invalid(Reason::InvalidExecution));
	assert_eq!(harness.send(Event::Validated { token: token_of(&effects), result }), []);
	harness.policy.works = true;
	assert_eq!(names(&harness.send(candidate.seconded(2))), QUORUM);
	// Not even if a collator brings it.
	let dropped = Effect::CollationDropped {
		scheduling_parent: hash(10),
		candidate_hash: candidate.hash(),
		reason: Reason::AlreadyKnown,
	};
	assert_eq!(harness.send(candidate.second()), [dropped]);
	assert_eq!(harness.traces.last().map(|trace| trace.stage), Some(Stage::Duplicate));
}

#[test]
fn a_vote_for_an_unseen_candidate_counts_when_sent_again_later() {
	let mut harness = Harness::with(block(10, None));
	let candidate = harness.candidate(1, 0, 1);
	assert_eq!(harness.send(candidate.valid(2)), []);
	assert_eq!(harness.reasons(), [Reason::UnexpectedMessage]);
	assert_eq!(names(&harness.send(candidate.seconded(1))), ["introduce"]);
	assert_eq!(names(&harness.send(candidate.valid(2))), QUORUM);
}

fn misbehavior(validator: u32, candidate: &Bundle, misbehavior: Misbehavior) -> [Effect; 1] {
	let (scheduling_parent, candidate_hash) = (candidate.scheduling_parent(), candidate.hash());
	let validator = ValidatorIndex(validator);
	[Effect::Misbehavior(MisbehaviorReport { scheduling_parent, validator, candidate_hash, misbehavior })]
}

#[test]
fn seconding_and_voting_is_a_double_vote_in_either_order() {
	let mut harness = Harness::with(block(10, None));
	let candidate = harness.candidate(1, 0, 1);
	harness.send(candidate.seconded(1));
	let report = |validator| misbehavior(validator, &candidate, Misbehavior::ValidityDoubleVote);
	assert_eq!(harness.send(candidate.valid(1)), report(1));
	harness.send(candidate.valid(2));
	assert_eq!(harness.send(candidate.seconded(2)), report(2));
	assert_eq!(harness.backable(1, &[candidate.as_ref()])[0].validity_votes.len(), 2);
}

#[test]
fn another_signature_on_the_same_statement_is_double_signing() {
	let mut harness = Harness::with(block(10, None));
	let candidate = harness.candidate(1, 0, 1);
	harness.send(candidate.seconded(1));
	assert_eq!(harness.send(candidate.seconded(1)), []);
	let again = |nonce| candidate.statement(1, nonce, Statement::Seconded(candidate.receipt.clone()));
	assert_eq!(harness.send(again(0)), []);
	assert_eq!(harness.send(again(1)), misbehavior(1, &candidate, Misbehavior::DoubleSign));
	harness.send(candidate.valid(2));
	let again = candidate.statement(2, 1, Statement::Valid(candidate.hash()));
	assert_eq!(harness.send(again), misbehavior(2, &candidate, Misbehavior::DoubleSign));
}

#[test]
fn a_vote_from_outside_the_group_is_unauthorized_and_does_not_count() {
	let mut harness = Harness::with(block(10, None));
	let candidate = harness.candidate(1, 0, 1);
	harness.send(candidate.seconded(1));
	let report = misbehavior(3, &candidate, Misbehavior::UnauthorizedStatement);
	assert_eq!(harness.send(candidate.valid(3)), report);
	assert_eq!(harness.backable(1, &[candidate.as_ref()]), []);
}

#[test]
fn votes_are_ordered_by_position_in_the_group() {
	let mut harness = Harness::with(block(10, None));
	let candidate = harness.candidate(1, 0, 1);
	harness.send(candidate.seconded(2));
	harness.send(candidate.valid(0));
	let backed = harness.backable(1, &[candidate.as_ref()]).remove(0);
	let vote = |validator: u32, compact: CompactStatement| signature(&(validator, 0u8, compact));
	assert_eq!(
		backed.validity_votes,
		[
			ValidityAttestation::Explicit(vote(0, CompactStatement::Valid(candidate.hash()))),
			ValidityAttestation::Implicit(vote(2, CompactStatement::Seconded(candidate.hash()))),
		]
	);
	let (bits, core) = backed.validator_indices_and_core_index();
	assert_eq!(bits.iter().map(|bit| *bit).collect::<Vec<_>>(), [true, false, true]);
	assert_eq!(core, Some(CoreIndex(0)));
}

#[test]
fn a_para_without_a_place_on_our_core_is_not_seconded() {
	let mut harness = Harness::new();
	let candidate = harness.candidate(2, 0, 1);
	assert_eq!(names(&harness.send(candidate.second())), ["collation dropped"]);
	assert_eq!(harness.reasons(), [Reason::ParaNotScheduled]);
}

#[test]
fn a_place_at_any_depth_of_the_claim_queue_will_do() {
	let mut harness = Harness::new();
	let candidate = harness.candidate(3, 0, 1);
	assert_eq!(count(&harness.send(candidate.second()), "collation seconded"), 1);
}

#[test]
fn a_refused_introduction_makes_the_collation_invalid() {
	let mut harness = Harness::new();
	harness.policy.introduce = false;
	let candidate = harness.candidate(1, 0, 1);
	let effects = harness.send(candidate.second());
	assert_eq!(names(&effects), ["validate", "store", "membership", "introduce", "collation invalid"]);
}

#[test]
fn one_accepting_leaf_is_enough_and_none_is_not() {
	let fork = BlockContext { hash: hash(110), ..block(10, Some(0)) };
	let parent = || block(9, Some(0));
	for (fits, answer) in [(vec![hash(10)], "collation seconded"), (vec![], "collation dropped")] {
		let mut harness = Harness::empty();
		harness.activate(block(10, Some(0)), vec![parent()]);
		harness.activate(fork.clone(), vec![parent()]);
		harness.policy.fits = Some(fits.clone());
		let candidate = harness.candidate_at(1, 0, 9, 1);
		let effects = harness.send(candidate.second());
		assert_eq!(names(&effects).last(), Some(&answer));
		assert_eq!(count(&effects, "share seconded"), fits.len());
	}
	// A leaf that the scheduling parent is not under has no say.
	let mut harness = Harness::empty();
	harness.activate(block(10, Some(0)), vec![parent()]);
	harness.activate(fork, vec![]);
	harness.policy.fits = Some(vec![hash(110)]);
	let candidate = harness.candidate_at(1, 0, 9, 1);
	assert_eq!(names(&harness.send(candidate.second())).last(), Some(&"collation dropped"));
}

#[test]
fn two_candidates_at_one_scheduling_parent_and_what_can_be_seconded() {
	let mut harness = Harness::new();
	let (a, b) = (harness.candidate(1, 0, 1), harness.candidate(1, 0, 2));
	assert_eq!(count(&harness.send(a.second()), "collation seconded"), 1);
	assert_eq!(count(&harness.send(b.second()), "collation seconded"), 1);
	let query = |scheduling_parent| {
		Event::CanSecond(CanSecondQuery {
			token: Token(5),
			para: ParaId(1),
			scheduling_parent,
			candidate_hash: a.hash(),
			parent_head_data_hash: hash(1),
		})
	};
	assert_eq!(names(&harness.send(query(hash(10)))), ["membership", "can second"]);
	harness.policy.fits = Some(Vec::new());
	assert_eq!(names(&harness.send(query(hash(10)))), ["membership", "cannot second"]);
	assert_eq!(names(&harness.send(query(hash(1)))), ["cannot second"]);
}

#[test]
fn chained_candidates_validated_out_of_order_are_both_backed() {
	let mut harness = Harness::new();
	harness.policy.works = false;
	let (parent, child) = (harness.candidate(1, 0, 1), harness.candidate(1, 0, 2));
	let first = token_of(&harness.send(parent.seconded(1)));
	let second = token_of(&harness.send(child.seconded(1)));
	harness.policy.works = true;
	let effects = harness.send(Event::PoVFetched { token: second, pov: Some(child.pov.clone()) });
	assert_eq!(count(&effects, "backed"), 1);
	let effects = harness.send(Event::PoVFetched { token: first, pov: Some(parent.pov.clone()) });
	assert_eq!(count(&effects, "backed"), 1);
	assert_eq!(harness.backable(1, &[parent.as_ref(), child.as_ref()]).len(), 2);
}

#[test]
fn a_disabled_local_validator_only_counts_votes() {
	let disabled_validators = vec![ValidatorIndex(0)];
	let mut harness = Harness::with(BlockContext { disabled_validators, ..block(10, Some(0)) });
	let (own, others) = (harness.candidate(1, 0, 1), harness.candidate(1, 0, 2));
	assert_eq!(names(&harness.send(own.second())), ["collation dropped"]);
	assert_eq!(names(&harness.send(others.seconded(1))), ["introduce"]);
	assert_eq!(names(&harness.send(others.valid(2))), QUORUM);
}

#[test]
fn a_disabled_senders_statements_are_dropped_at_that_scheduling_parent_only() {
	let disabled_validators = vec![ValidatorIndex(1)];
	let mut harness = Harness::empty();
	harness.activate(BlockContext { disabled_validators, ..block(10, Some(0)) }, vec![block(9, Some(0))]);
	let (here, there) = (harness.candidate(1, 0, 1), harness.candidate_at(1, 0, 9, 2));
	assert_eq!(harness.send(here.seconded(1)), []);
	assert_eq!(harness.reasons(), [Reason::DisabledValidator]);
	assert_eq!(count(&harness.send(there.seconded(1)), "share valid"), 1);
}

#[test]
fn a_node_that_is_no_validator_tracks_backed_candidates() {
	let mut harness = Harness::with(block(10, None));
	let candidate = harness.candidate(1, 0, 1);
	assert_eq!(names(&harness.send(candidate.seconded(1))), ["introduce"]);
	assert_eq!(names(&harness.send(candidate.valid(2))), QUORUM);
	assert_eq!(harness.backable(1, &[candidate.as_ref()]).len(), 1);
	assert_eq!(names(&harness.send(candidate.second())), ["collation dropped"]);
}

#[test]
fn tables_survive_new_leaves_and_late_answers_are_ignored() {
	let mut harness = Harness::new();
	let backed = harness.candidate_at(1, 0, 9, 1);
	harness.send(backed.seconded(1));
	harness.activate(block(11, Some(0)), vec![block(10, Some(0)), block(9, Some(0))]);
	harness.deactivate(hash(10));
	assert_eq!(harness.backable(1, &[backed.as_ref()]).len(), 1);
	assert_eq!(harness.send(backed.seconded(1)), [], "known already");

	harness.policy.works = false;
	let (ours, theirs) = (harness.candidate_at(1, 0, 9, 2), harness.candidate_at(1, 0, 9, 3));
	let ours_token = token_of(&harness.send(ours.second()));
	let theirs_token = token_of(&harness.send(theirs.seconded(1)));
	harness.activate(block(12, Some(0)), vec![block(11, Some(0)), block(10, Some(0))]);
	assert_eq!(names(&harness.deactivate(hash(11))), ["collation dropped"]);
	assert_eq!(harness.reasons(), [Reason::OutOfView, Reason::OutOfView]);
	assert_eq!(harness.backable(1, &[backed.as_ref()]), []);
	assert_eq!(harness.send(Event::Validated { token: ours_token, result: ours.outcome() }), []);
	assert_eq!(harness.send(Event::PoVFetched { token: theirs_token, pov: Some(theirs.pov.clone()) }), []);
	assert!(harness.machine.questions.is_empty() && harness.machine.scheduling_parents.len() == 3);
	assert!(harness.machine.candidates.is_empty());
}

#[test]
fn version_3_is_accepted_after_a_finalized_block_allowed_it_and_ever_after() {
	let v3 = |n| {
		let mut bundle = Bundle::new(1, 0, 9, n);
		bundle.receipt.descriptor = bundle.receipt.descriptor.into_v3(hash(10), 1).expect("same session");
		bundle
	};
	let mut harness = Harness::new();
	assert_eq!(names(&harness.send(v3(1).second())), ["collation invalid"]);
	assert_eq!(harness.send(v3(1).seconded(1)), []);
	assert_eq!(harness.reasons(), [Reason::DescriptorVersion; 2]);

	harness.send(Event::Finalized { node_features: v3_features() });
	harness.send(Event::Finalized { node_features: NodeFeatures::new() });
	harness.policy.works = false;
	assert_eq!(names(&harness.send(v3(1).second())), ["validate"]);
	assert_eq!(names(&harness.send(v3(2).seconded(1))), ["introduce", "fetch"]);
}

#[test]
fn a_descriptor_that_the_old_rules_read_differently_is_refused() {
	for v3 in [false, true] {
		let mut harness = Harness::new();
		if v3 {
			harness.send(Event::Finalized { node_features: v3_features() });
		}
		let mut candidate = Bundle::new(1, 0, 10, 1);
		// Version 2 to the new rules; to the old ones, part of a collator's signature.
		candidate.receipt.descriptor.reserved1[20] = 1;
		assert_eq!(names(&harness.send(candidate.second())), ["collation invalid"]);
		assert_eq!(harness.send(candidate.seconded(1)), []);
		assert_eq!(harness.reasons(), [Reason::DescriptorVersion; 2]);
	}
}

#[test]
fn backable_candidates_end_before_the_first_that_is_missing() {
	let mut harness = Harness::new();
	let (a, b) = (harness.candidate(1, 0, 1), harness.candidate(1, 0, 3));
	let missing = harness.candidate(1, 0, 2);
	harness.send(a.seconded(1));
	harness.send(b.seconded(1));
	let backed = harness.backable(1, &[a.as_ref(), missing.as_ref(), b.as_ref()]);
	assert_eq!(backed.iter().map(BackedCandidate::hash).collect::<Vec<_>>(), [a.hash()]);
	assert_eq!(harness.backable(2, &[a.as_ref()]), [], "of another para");
	assert_eq!(harness.backable(1, &[missing.as_ref()]), []);
}

#[test]
fn validation_data_that_is_not_the_descriptors_drops_the_collation() {
	let mut harness = Harness::new();
	let mut candidate = harness.candidate(1, 0, 1);
	candidate.validation_data = Arc::new(PersistedValidationData::default());
	assert_eq!(names(&harness.send(candidate.second())), ["collation dropped"]);
	assert_eq!(harness.send(candidate.seconded(1)), []);
	assert_eq!(harness.reasons(), [Reason::ValidationDataMismatch; 2]);
}

#[test]
fn an_erasure_root_that_does_not_match_makes_the_candidate_invalid() {
	let mut harness = Harness::new();
	let (own, others) = (harness.candidate(1, 0, 1), harness.candidate(1, 0, 2));
	harness.policy.works = false;
	let result = Err(StoreDataError::ErasureRootMismatch);
	let token = token_of(&harness.send(own.second()));
	let token = token_of(&harness.send(Event::Validated { token, result: own.outcome() }));
	assert_eq!(names(&harness.send(Event::DataStored { token, result })), ["collation invalid"]);
	let token = token_of(&harness.send(others.seconded(1)));
	let token = token_of(&harness.send(Event::PoVFetched { token, pov: Some(others.pov.clone()) }));
	let token = token_of(&harness.send(Event::Validated { token, result: others.outcome() }));
	assert_eq!(harness.send(Event::DataStored { token, result }), []);
	assert_eq!(harness.reasons(), [Reason::ErasureRootMismatch; 2]);
}

#[test]
fn an_occupied_core_does_not_change_the_assignment() {
	let mut harness = Harness::empty();
	let candidate = harness.candidate(1, 0, 1);
	let mut leaf = testing::leaf(block(10, Some(0)), Vec::new());
	let descriptor = candidate.receipt.descriptor.clone();
	leaf.availability_cores = vec![CoreState::Occupied(OccupiedCore {
		next_up_on_available: None,
		occupied_since: 9,
		time_out_at: 20,
		next_up_on_time_out: None,
		availability: Default::default(),
		group_responsible: GroupIndex(1),
		candidate_hash: CandidateHash(hash(5)),
		candidate_descriptor: descriptor,
	})];
	harness.policy.fits = Some(vec![hash(10)]);
	harness.send(Event::Leaves(LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated: Vec::new() }));
	assert_eq!(count(&harness.send(candidate.second()), "collation seconded"), 1);
}

#[test]
fn the_core_of_a_statement_follows_the_rotation_at_its_scheduling_parent() {
	// Groups change cores with every block: at block 9 group 1 is on core 0, at block 10 group 0 is.
	let rotation =
		|number| GroupRotationInfo { session_start_block: 1, group_rotation_frequency: 1, now: number + 1 };
	let rotating = |number| BlockContext { group_rotation: rotation(number), ..block(number, Some(0)) };
	let mut harness = Harness::empty();
	harness.activate(rotating(10), vec![rotating(9)]);
	let (here, there) = (harness.candidate_at(1, 0, 10, 1), harness.candidate_at(1, 0, 9, 2));
	assert_eq!(count(&harness.send(here.seconded(1)), "share valid"), 1);
	assert_eq!(harness.send(there.seconded(1)), []);
	assert_eq!(harness.reasons(), [Reason::ParaNotScheduled]);
	assert_eq!(names(&harness.send(there.seconded(3))), ["introduce"], "not ours to attest");
	assert_eq!(names(&harness.send(there.valid(4))), QUORUM);
	let backed = harness.backable(1, &[there.as_ref()]).remove(0);
	assert_eq!(backed.validator_indices_and_core_index().1, Some(CoreIndex(0)));
}
