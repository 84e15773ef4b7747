//! SR: what comes back on our own requests.

use super::{builder::*, world::*};
use crate::filter::Kind::{Seconded, Valid};
use codec::Encode;
use headway_machine::{testing::hash, wire::AttestedCandidateResponse, Reason, RequestError, Token};
use headway_primitives::{
	transpose_claim_queue,
	ump::{ApprovedPeerId, ClaimQueueOffset, CoreSelector, UmpSignal},
	CoreIndex, HeadData, ParaId, ValidatorIndex,
};

fn own() -> Built {
	build(&CandidateSpec::default())
}

fn foreign() -> Built {
	build(&CandidateSpec { para: 1001, core: 1, ..Default::default() })
}

/// A request for our own group's candidate is under way to validator 1.
fn cluster_request(world: &mut World, candidate: &Built) -> Token {
	let token = world.receive(1, 1, Seconded, candidate).requests()[0].0;
	world.reputation(1);
	token
}

/// A request for another group's candidate is under way; to whom.
fn grid_request(world: &mut World, candidate: &Built, knowledge: &str) -> (Token, u32) {
	let teller = world.teller(1);
	let requests = world.tell(teller, 1, candidate, knowledge).requests();
	(requests[0].0, teller)
}

#[test]
fn the_next_request_goes_out_when_one_is_back() {
	let mut world = World::new(0);
	let other = build(&CandidateSpec { salt: 1, ..Default::default() });
	let token = cluster_request(&mut world, &own());
	assert!(world.receive(1, 1, Seconded, &other).requests().is_empty(), "the peer is busy");
	let output = world.returns(token, Err(RequestError::Timeout));
	assert_eq!(output.requests().len(), 1);
}

#[test]
fn a_source_that_failed_is_asked_again_after_a_second() {
	let mut world = World::new(0);
	let token = cluster_request(&mut world, &own());
	assert!(world.returns(token, Err(RequestError::NotConnected)).requests().is_empty());
	assert!(world.pass(999).requests().is_empty());
	assert_eq!(world.pass(1).requests()[0].1, 1);
	assert_eq!(world.reputation(1), 0, "network errors are nobody's fault");
}

#[test]
fn statements_that_were_not_asked_for_cost_and_the_rest_is_used() {
	let mut world = World::with(Some(0), |_| {});
	let candidate = own();
	let token = cluster_request(&mut world, &candidate);
	let mut response = world.response(&candidate, &[(1, Seconded), (3, Valid), (1, Seconded), (2, Valid)]);
	let other = build(&CandidateSpec { salt: 9, ..Default::default() });
	response.statements.push(world.unchecked(1, Valid, &other));
	let output = world.returns(token, Ok(response));
	assert_eq!(output.to_backing(), [(1, Seconded), (2, Valid)]);
	assert_eq!(output.reasons, [Reason::UnexpectedMessage; 3]);
	assert_eq!(world.reputation(1), 3 * MAJOR + 2 * GOOD + GOOD);
}

#[test]
fn masked_statements_cost() {
	let mut world = World::new(0);
	// Validator 1 exhausts its limit, so that its proposals are not wanted any more.
	for salt in 1..4 {
		let candidate = build(&CandidateSpec { salt, ..Default::default() });
		world.receive(1, 1, Seconded, &candidate);
	}
	let requests = world.receive(2, 2, Seconded, &own()).requests();
	assert_eq!((requests[0].1, requests[0].2.as_str()), (2, ".s."));
	world.reputation(2);
	let response = world.response(&own(), &[(2, Seconded), (1, Seconded)]);
	world.returns(requests[0].0, Ok(response));
	assert_eq!(world.reputation(2), MAJOR + 2 * GOOD);
}

#[test]
fn only_twice_the_group_size_is_considered() {
	let mut world = World::new(0);
	let token = cluster_request(&mut world, &own());
	let mut statements = vec![(1, Seconded); 6];
	statements.push((2, Valid));
	let response = world.response(&own(), &statements);
	let output = world.returns(token, Ok(response));
	assert_eq!(output.to_backing(), [(1, Seconded)]);
	assert_eq!(world.reputation(1), 5 * MAJOR + 2 * GOOD);
}

#[test]
fn a_bad_signature_costs_and_the_others_count() {
	let mut world = World::new(0);
	let token = cluster_request(&mut world, &own());
	let mut response = world.response(&own(), &[(1, Seconded), (2, Valid)]);
	response.statements[1].signature = response.statements[0].signature.clone();
	let output = world.returns(token, Ok(response));
	assert_eq!(output.reasons, [Reason::InvalidSignature]);
	assert_eq!(output.to_backing(), [(1, Seconded)]);
	assert_eq!(world.reputation(1), MAJOR + 2 * GOOD);
}

#[test]
fn wrong_candidates_cost_once_and_leave_nothing() {
	type Change = fn(&mut AttestedCandidateResponse);
	let cases: [(&str, Change, Reason); 4] = [
		("data", |r| r.persisted_validation_data.max_pov_size += 1, Reason::ValidationDataMismatch),
		("para", |r| r.candidate_receipt.descriptor.para_id = ParaId(1001), Reason::ParaNotScheduled),
		(
			"hash",
			|r| r.candidate_receipt.commitments.head_data = HeadData(vec![9]),
			Reason::CandidateMismatch,
		),
		(
			"scheduling parent",
			|r| r.candidate_receipt.descriptor.relay_parent = hash(9),
			Reason::CandidateMismatch,
		),
	];
	for (what, change, reason) in cases {
		let mut world = World::new(0);
		let token = cluster_request(&mut world, &own());
		let mut response = world.response(&own(), &[(1, Seconded)]);
		change(&mut response);
		let output = world.returns(token, Ok(response));
		assert_eq!(output.reasons, [reason], "{what}");
		assert!(output.is_silent(), "{what}");
		assert_eq!(world.reputation(1), MAJOR, "{what}");
		assert!(world.machine.candidates.confirmed(own().hash).is_none(), "{what}");
		assert_eq!(world.pass(1000).requests().len(), 1, "{what}: it is asked for again");
	}
}

#[test]
fn signals_and_scheduling_session_are_checked() {
	let select =
		|core: u8| vec![vec![], UmpSignal::SelectCore(CoreSelector(core), ClaimQueueOffset(7)).encode()];
	for (what, spec, reason) in [
		("signals", CandidateSpec { messages: select(0), ..Default::default() }, Reason::UmpSignals),
		("core", CandidateSpec { core: 1, ..Default::default() }, Reason::UmpSignals),
		("session", CandidateSpec { session: 2, ..Default::default() }, Reason::SessionMismatch),
	] {
		let mut world = World::new(0);
		let candidate = build(&spec);
		let token = cluster_request(&mut world, &candidate);
		let response = world.response(&candidate, &[(1, Seconded)]);
		let output = world.returns(token, Ok(response));
		assert_eq!(output.reasons, [reason], "{what}");
		assert_eq!(world.reputation(1), MAJOR, "{what}");
	}
}

#[test]
fn a_v3_candidate_must_be_scheduled_in_our_session() {
	for (offset, accepted) in [(0, true), (1, false)] {
		let mut world = World::new(0);
		let signal = UmpSignal::SelectCore(CoreSelector(0), ClaimQueueOffset(0)).encode();
		let mut candidate = build(&CandidateSpec { messages: vec![vec![], signal], ..Default::default() });
		let descriptor = candidate.receipt.descriptor.clone();
		candidate.receipt.descriptor = descriptor.into_v3(hash(LEAF.into()), SESSION + offset).unwrap();
		candidate.hash = candidate.receipt.hash();
		let token = cluster_request(&mut world, &candidate);
		let response = world.response(&candidate, &[(1, Seconded)]);
		let output = world.returns(token, Ok(response));
		assert_eq!(!output.to_backing().is_empty(), accepted);
		assert_eq!(output.reasons.contains(&Reason::SessionMismatch), !accepted);
	}
}

#[test]
fn an_approved_peer_is_no_fault() {
	let mut world = World::new(0);
	let signal = UmpSignal::ApprovedPeer(ApprovedPeerId::try_from(vec![1, 2, 3]).unwrap()).encode();
	let candidate = build(&CandidateSpec { messages: vec![vec![1], vec![], signal], ..Default::default() });
	let token = cluster_request(&mut world, &candidate);
	let response = world.response(&candidate, &[(1, Seconded)]);
	assert_eq!(world.returns(token, Ok(response)).to_backing(), [(1, Seconded)]);
}

#[test]
fn statements_of_disabled_validators_are_not_wanted_and_ignored() {
	let mut world = World::with(Some(0), |block| block.disabled_validators = vec![ValidatorIndex(2)]);
	let requests = world.receive(1, 1, Seconded, &own()).requests();
	assert_eq!(requests[0].2, "..b");
	world.reputation(1);
	let mut response = world.response(&own(), &[(1, Seconded), (2, Valid)]);
	let other = build(&CandidateSpec { salt: 9, ..Default::default() });
	response.statements.push(world.unchecked(2, Valid, &other));
	let output = world.returns(requests[0].0, Ok(response));
	assert_eq!(output.to_backing(), [(1, Seconded)]);
	assert_eq!(output.reasons, [Reason::DisabledValidator, Reason::UnexpectedMessage]);
	assert_eq!(world.reputation(1), 2 * GOOD + MAJOR, "silently, unless it is about something else");
}

#[test]
fn another_groups_candidate_must_come_with_enough_votes() {
	for statements in [&[(3, Seconded)][..], &[(3, Valid), (4, Valid)], &[(3, Seconded), (3, Valid)]] {
		let mut world = World::new(0);
		let (token, teller) = grid_request(&mut world, &foreign(), "sv.");
		let response = world.response(&foreign(), statements);
		let output = world.returns(token, Ok(response));
		assert_eq!(output.reasons, [Reason::TooFewVotes], "{statements:?}");
		assert_eq!(world.reputation(teller), MAJOR, "one cost, no rewards: {statements:?}");
		assert!(world.machine.candidates.confirmed(foreign().hash).is_none());
	}
	// Of our own group's candidates, few statements do.
	let mut world = World::new(0);
	let token = cluster_request(&mut world, &own());
	let response = world.response(&own(), &[]);
	assert_eq!(world.returns(token, Ok(response)).to_backing(), [(1, Seconded)]);
}

#[test]
fn undecodable_responses_cost() {
	let mut world = World::new(0);
	let token = cluster_request(&mut world, &own());
	let output = world.handle(crate::Event::Response { token, result: Ok(vec![1, 2, 3]) });
	assert_eq!(output.reasons, [Reason::MalformedMessage]);
	assert_eq!(world.reputation(1), MAJOR);
}

#[test]
fn sources_without_enough_votes_are_not_asked() {
	let mut world = World::with(Some(0), |block| block.minimum_backing_votes = 1);
	let teller = world.teller(1);
	assert_eq!(world.tell(teller, 1, &foreign(), "s..").requests().len(), 1);
	// After its limit, a validator's proposals are masked; what is left of the offer backs nothing.
	let mut world = World::with(Some(0), |block| {
		block.claim_queue.insert(CoreIndex(1), [ParaId(1001)].into());
	});
	let (token, teller) = grid_request(&mut world, &foreign(), "sv.");
	let response = world.response(&foreign(), &[(3, Seconded), (4, Valid)]);
	world.returns(token, Ok(response));
	let second = build(&CandidateSpec { para: 1001, core: 1, salt: 1, ..Default::default() });
	let other = world.group_view(1).receiving.iter().map(|v| v.0).find(|v| *v != teller).unwrap();
	assert!(world.tell(other, 1, &second, "sv.").requests().is_empty());
}

#[test]
fn a_candidate_that_is_known_by_now_makes_late_responses_void() {
	let mut world = World::new(0);
	let token = cluster_request(&mut world, &own());
	world.share(Seconded, &own());
	let response = world.response(&own(), &[(2, Valid)]);
	let output = world.returns(token, Ok(response));
	assert!(output.is_silent());
	assert_eq!((output.reasons, output.duplicates), (vec![], 1));
	assert_eq!(world.reputation(1), 0);
	let mut world = World::new(0);
	let token = cluster_request(&mut world, &own());
	world.leaf(LEAF + 5, &[LEAF], |_| {});
	let response = world.response(&own(), &[(1, Seconded)]);
	assert_eq!(world.returns(token, Ok(response)).reasons, [Reason::OutOfView]);
}

#[test]
fn the_first_of_two_requests_for_a_candidate_confirms_it_and_the_other_comes_too_late() {
	// The para has places on both cores, so that a peer may say that group 1 backs what group 0 does.
	let mut world = World::with(Some(0), |block| {
		block.claim_queue.insert(CoreIndex(1), [ParaId(1000); 3].into());
		block.transposed_claim_queue = transpose_claim_queue(&block.claim_queue);
	});
	let teller = world.teller(1);
	let late = world.tell(teller, 1, &own(), "sv.").requests()[0].0;
	let token = cluster_request(&mut world, &own());
	let response = world.response(&own(), &[(1, Seconded)]);
	assert_eq!(world.returns(token, Ok(response.clone())).to_backing(), [(1, Seconded)]);
	assert_eq!(world.reputation(teller), MAJOR, "it named another group");
	let output = world.returns(late, Ok(response));
	assert!(output.is_silent());
	assert_eq!((output.reasons, output.duplicates, world.reputation(teller)), (vec![], 1, 0));
}

#[test]
fn a_peer_that_is_gone_is_not_asked_until_it_is_back() {
	let mut world = World::new(0);
	let token = cluster_request(&mut world, &own());
	world.disconnect(1);
	world.returns(token, Err(RequestError::NotConnected));
	assert!(world.pass(5_000).requests().is_empty());
	assert_eq!(world.connect(1).requests()[0].1, 1, "it never says the same twice, so we remember");
}
