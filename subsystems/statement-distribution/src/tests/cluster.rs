//! SC: within our own group. We are validator 0; 1 and 2 are with us.

use super::{builder::*, world::*};
use crate::filter::Kind::{self, Seconded, Valid};
use headway_machine::{
	testing::hash,
	wire::{CollationVersion, StatementMessage},
	Reason, RequestError,
};
use headway_primitives::{CoreIndex, ParaId, ValidatorIndex};

fn own() -> Built {
	build(&CandidateSpec::default())
}

fn salted(salt: u8) -> Built {
	build(&CandidateSpec { salt, ..Default::default() })
}

#[test]
fn a_local_seconded_goes_to_cluster_members_at_the_scheduling_parent() {
	let mut world = World::new(0);
	world.peer_view(2, &[]);
	let output = world.share(Seconded, &own());
	assert_eq!(output.statements(), [(vec![1], 0, Seconded)]);
	assert!(output.manifests().is_empty());
}

#[test]
fn an_unknown_candidate_is_fetched_then_handed_to_backing_and_circulated() {
	let mut world = World::new(0);
	let candidate = own();
	let output = world.receive(1, 1, Seconded, &candidate);
	let requests = output.requests();
	assert_eq!((requests[0].1, requests[0].2.as_str()), (1, "..."));
	assert!(output.statements().is_empty(), "whoever gets a statement may ask for the candidate");
	assert_eq!(world.reputation(1), FIRST);
	let response = world.response(&candidate, &[(1, Seconded)]);
	let output = world.returns(requests[0].0, Ok(response));
	assert_eq!(output.to_backing(), [(1, Seconded)]);
	let sent: Vec<_> = output.statements();
	assert_eq!(sent, [(vec![2], 1, Seconded)]);
	assert_eq!(world.reputation(1), 2 * GOOD);
}

#[test]
fn valid_needs_a_seconded_before() {
	let mut world = World::new(0);
	let candidate = own();
	let output = world.receive(1, 1, Valid, &candidate);
	assert_eq!(output.reasons, [Reason::UnexpectedMessage]);
	assert!(output.is_silent());
	assert_eq!(world.reputation(1), MINOR);
	world.share(Seconded, &candidate);
	let output = world.receive(1, 1, Valid, &candidate);
	assert_eq!(output.to_backing(), [(1, Valid)]);
	assert_eq!(world.reputation(1), FIRST);
}

#[test]
fn a_bad_signature_costs_and_leaves_nothing_behind() {
	let mut world = World::new(0);
	let candidate = own();
	let mut forged = world.unchecked(1, Seconded, &candidate);
	forged.signature = world.unchecked(2, Seconded, &candidate).signature;
	let output = world.message(1, StatementMessage::Statement(hash(LEAF.into()), forged));
	assert_eq!(output.reasons, [Reason::InvalidSignature]);
	assert!(output.is_silent());
	assert_eq!(world.reputation(1), MAJOR);
	let output = world.receive(1, 1, Seconded, &candidate);
	assert_eq!(output.requests().len(), 1);
	assert_eq!(world.reputation(1), FIRST);
}

#[test]
fn duplicates_from_one_peer_cost_and_from_another_are_worth_something() {
	let mut world = World::new(0);
	let candidate = own();
	world.receive(1, 1, Seconded, &candidate);
	world.reputation(1);
	let output = world.receive(1, 1, Seconded, &candidate);
	assert_eq!(output.reasons, [Reason::DuplicateMessage]);
	assert_eq!(world.reputation(1), MINOR);
	let output = world.receive(2, 1, Seconded, &candidate);
	assert_eq!((output.reasons, output.duplicates), (vec![], 1), "nothing is lost");
	assert_eq!(world.reputation(2), GOOD);
}

#[test]
fn beyond_the_limit_seconded_is_excessive_or_prejudiced() {
	let mut world = World::new(0);
	for salt in 0..3 {
		world.receive(1, 1, Seconded, &salted(salt));
	}
	assert_eq!(world.reputation(1), 3 * FIRST);
	let output = world.receive(1, 1, Seconded, &salted(3));
	assert_eq!(output.reasons, [Reason::ExcessiveMessages]);
	assert_eq!(world.reputation(1), MINOR);
	let output = world.receive(2, 1, Seconded, &salted(3));
	assert_eq!(output.reasons, [Reason::CapacityReached]);
	assert!(output.is_silent(), "not imported, not asked for");
	assert_eq!(world.reputation(2), 0);
	assert!(!world.machine.candidates.is_known(salted(3).hash));
	// With prejudice, but not unchecked.
	let mut forged = world.unchecked(1, Seconded, &salted(4));
	forged.signature = world.unchecked(1, Seconded, &salted(5)).signature;
	world.message(2, StatementMessage::Statement(hash(LEAF.into()), forged));
	assert_eq!(world.reputation(2), MAJOR);
}

#[test]
fn not_more_than_the_limit_is_sent_of_one_originator() {
	let mut world = World::new(0);
	world.peer_view(2, &[]);
	// The answer to this request will tell of the fourth candidate that validator 1 proposes.
	let fourth = salted(3);
	let late = world.receive(2, 2, Seconded, &fourth).requests()[0].0;
	for salt in 0..3 {
		let token = world.receive(1, 1, Seconded, &salted(salt)).requests()[0].0;
		let response = world.response(&salted(salt), &[(1, Seconded)]);
		world.returns(token, Ok(response));
	}
	let response = world.response(&fourth, &[(1, Seconded), (2, Seconded)]);
	let sent_to_1 = world.returns(late, Ok(response)).statements();
	assert_eq!(sent_to_1, [(vec![1], 2, Seconded)], "of validator 1 it has enough");
	assert_eq!(world.receive(2, 1, Seconded, &fourth).reasons, [Reason::CapacityReached]);
	let sent_to_2 = world.peer_view(2, &[LEAF]).statements();
	let of_1 = sent_to_2.iter().filter(|(_, by, _)| *by == 1);
	assert_eq!(of_1.count(), 3, "{sent_to_2:?}");
}

#[test]
fn pending_seconded_goes_before_valid() {
	let mut world = World::new(0);
	let candidate = own();
	world.peer_view(2, &[]);
	world.receive(1, 1, Seconded, &candidate);
	let requests = world.machine.requests.ids();
	assert_eq!(requests.len(), 1);
	let response = world.response(&candidate, &[(1, Seconded)]);
	world.returns(headway_machine::Token(1), Ok(response));
	world.share(Valid, &candidate);
	let output = world.peer_view(2, &[LEAF]);
	assert_eq!(output.statements(), [(vec![2], 1, Seconded), (vec![2], 0, Valid)]);
}

#[test]
fn statements_are_withheld_until_the_peer_is_there() {
	let mut world = World::new(0);
	world.peer_view(1, &[]);
	world.peer_view(2, &[99]);
	assert!(world.share(Seconded, &own()).statements().is_empty());
	assert!(world.peer_view(1, &[77]).statements().is_empty());
	// Our next leaf is a head that the peer has already: now we know what it stands for.
	assert!(world.peer_view(1, &[LEAF + 2]).statements().is_empty());
	let output = world.leaf(LEAF + 2, &[LEAF], |_| {});
	assert_eq!(output.statements(), [(vec![1], 0, Seconded)]);
	let output = world.peer_view(2, &[LEAF]);
	assert_eq!(output.statements(), [(vec![2], 0, Seconded)]);
	assert!(world.peer_view(2, &[LEAF + 2]).statements().is_empty(), "nothing is sent twice");
}

#[test]
fn statements_of_other_groups_are_the_grids_also_from_cluster_members() {
	let mut world = World::new(0);
	let other = build(&CandidateSpec { para: 1001, core: 1, ..Default::default() });
	let output = world.receive(1, 3, Seconded, &other);
	assert_eq!(output.reasons, [Reason::UnexpectedMessage]);
	assert_eq!(world.reputation(1), MINOR);
}

#[test]
fn a_new_leaf_that_makes_a_candidate_importable_hands_over_all_its_statements() {
	let mut world = World::new(0);
	world.importable = false;
	let candidate = own();
	let token = world.receive(1, 1, Seconded, &candidate).requests()[0].0;
	let response = world.response(&candidate, &[(1, Seconded), (2, Valid)]);
	let output = world.returns(token, Ok(response));
	assert_eq!(output.queries().len(), 1);
	assert!(output.to_backing().is_empty());
	assert!(world.receive(2, 2, Seconded, &candidate).to_backing().is_empty());
	world.importable = true;
	let output = world.leaf(LEAF + 1, &[LEAF], |_| {});
	assert_eq!(output.queries()[0].leaf, Some(hash(u64::from(LEAF) + 1)));
	assert_eq!(output.to_backing(), [(1, Seconded), (2, Seconded), (2, Valid)]);
	let output = world.leaf(LEAF + 2, &[LEAF + 1], |_| {});
	assert!(output.to_backing().is_empty(), "each statement once");
}

#[test]
fn the_limit_counts_all_entries_of_the_claim_queue() {
	let mixed = [ParaId(1000), ParaId(2000), ParaId(1000), ParaId(2000)];
	let mut world = World::with(Some(0), |block| {
		block.claim_queue.insert(CoreIndex(0), mixed.into());
	});
	for salt in 0..4 {
		world.receive(1, 1, Seconded, &salted(salt));
	}
	assert_eq!(world.reputation(1), 4 * FIRST);
	world.receive(1, 1, Seconded, &salted(4));
	assert_eq!(world.reputation(1), MINOR);
}

#[test]
fn without_assignments_every_seconded_is_excessive() {
	let mut world = World::with(Some(0), |block| {
		block.claim_queue.remove(&CoreIndex(0));
	});
	let output = world.receive(1, 1, Seconded, &own());
	assert_eq!(output.reasons, [Reason::ExcessiveMessages]);
	assert_eq!(world.share(Seconded, &own()).reasons, [Reason::ParaNotScheduled]);
}

#[test]
fn peers_of_another_version_are_ignored() {
	let mut world = World::new(0);
	world.disconnect(1);
	world.connect_as(1, CollationVersion::V2);
	assert!(world.peer_view(1, &[LEAF]).is_silent());
	let output = world.receive(1, 1, Seconded, &own());
	assert_eq!(output.reasons, [Reason::UnknownPeer]);
	assert_eq!(world.reputation(1), 0);
	assert_eq!(world.share(Seconded, &own()).statements(), [(vec![2], 0, Seconded)]);
}

#[test]
fn shares_that_are_refused() {
	let leaf = hash(LEAF.into());
	let foreign = build(&CandidateSpec { para: 1001, core: 1, ..Default::default() });
	type Case = (&'static str, Option<u32>, u32, Kind, Built, headway_primitives::Hash, Reason);
	let cases: Vec<Case> = vec![
		("no validator", Some(9), 0, Seconded, own(), leaf, Reason::NotValidator),
		("nobody", None, 0, Seconded, own(), leaf, Reason::NotValidator),
		("other index", Some(0), 1, Seconded, own(), leaf, Reason::NotValidator),
		("unknown parent", Some(0), 0, Seconded, own(), hash(77), Reason::UnknownSchedulingParent),
		("other parent", Some(0), 0, Seconded, own(), hash(9), Reason::CandidateMismatch),
		("other para", Some(0), 0, Seconded, foreign, leaf, Reason::ParaNotScheduled),
		("unknown candidate", Some(0), 0, Valid, own(), leaf, Reason::CandidateMismatch),
	];
	for (what, local, by, kind, candidate, at, reason) in cases {
		let mut world = World::with(local, |_| {});
		let output = world.share_as(by, kind, &candidate, at);
		assert_eq!(output.reasons, [reason], "{what}");
		assert!(output.is_silent(), "{what}");
	}
	let mut world = World::new(0);
	world.share(Seconded, &own());
	let output = world.share(Seconded, &own());
	assert_eq!(output.reasons, [Reason::DuplicateMessage]);
	assert!(output.is_silent());
	for salt in 1..3 {
		assert!(world.share(Seconded, &salted(salt)).reasons.is_empty());
	}
	let output = world.share(Seconded, &salted(3));
	assert_eq!(output.reasons, [Reason::CapacityReached]);
	assert!(output.is_silent());
	assert!(world.share(Seconded, &own()).reasons == [Reason::DuplicateMessage]);
}

#[test]
fn statements_that_are_refused() {
	let unknown = build(&CandidateSpec { scheduling_parent: 77, ..Default::default() });
	let mut world = World::with(Some(0), |block| block.disabled_validators = vec![ValidatorIndex(2)]);
	for (what, from, by, candidate, reason) in [
		("unknown scheduling parent", 1, 1, unknown, Reason::UnknownSchedulingParent),
		("disabled", 1, 2, own(), Reason::DisabledValidator),
	] {
		let output = world.receive(from, by, Seconded, &candidate);
		assert_eq!(output.reasons, [reason], "{what}");
		assert!(output.is_silent(), "{what}");
		assert_eq!(world.reputation(from), MINOR, "{what}");
	}
	let mut nobody = world.unchecked(1, Seconded, &own());
	nobody.validator_index = ValidatorIndex(50);
	let output = world.message(1, StatementMessage::Statement(hash(LEAF.into()), nobody));
	assert_eq!(output.reasons, [Reason::NotAssigned]);
	assert_eq!(world.reputation(1), MINOR);
}

#[test]
fn without_a_role_statements_cost_only_once_the_topology_is_known() {
	let mut world = World::without_topology(None, |_| {});
	world.receive(1, 1, Seconded, &own());
	assert_eq!(world.reputation(1), 0);
	world.topology();
	let output = world.receive(1, 1, Seconded, &own());
	assert_eq!(output.reasons, [Reason::NotValidator]);
	assert_eq!(world.reputation(1), MINOR);
}

#[test]
fn a_failed_request_leaves_the_statement_for_the_next() {
	let mut world = World::new(0);
	let token = world.receive(1, 1, Seconded, &own()).requests()[0].0;
	let output = world.returns(token, Err(RequestError::Timeout));
	assert_eq!(output.reasons, [Reason::FetchTimeout]);
	assert!(output.requests().is_empty());
	let output = world.receive(2, 1, Seconded, &own());
	assert_eq!(output.requests()[0].1, 2);
}

#[test]
fn a_peer_that_turns_out_to_be_a_member_gets_what_waited_for_it() {
	let mut world = World::new(0);
	world.disconnect(1);
	world.connect_nameless(1);
	world.peer_view(1, &[LEAF]);
	world.peer_view(2, &[]);
	assert!(world.share(Seconded, &own()).statements().is_empty());
	assert_eq!(world.identify(1, &[1]).statements(), [(vec![1], 0, Seconded)]);
}
