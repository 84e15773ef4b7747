//! SG: candidates of other groups. We are validator 0 of group 0; group 1 (validators 3 to 5) backs the candidate.

use super::{builder::*, world::*};
use crate::{
	filter::Kind::{Seconded, Valid},
	grid::ManifestKind::{Acknowledgement, Full},
	Event,
};
use headway_machine::{testing::hash, wire::StatementMessage, Reason};
use headway_primitives::{GroupIndex, Hash, ParaId, ValidatorIndex};
use std::sync::Arc;

fn foreign() -> Built {
	build(&CandidateSpec { para: 1001, core: 1, ..Default::default() })
}

fn own() -> Built {
	build(&CandidateSpec::default())
}

const VOTES: [(u32, crate::filter::Kind); 2] = [(3, Seconded), (4, Valid)];

/// Fetched from a neighbour; our backing got the statements, but did not say that it is backed.
fn fetched() -> (World, u32, Built) {
	let mut world = World::new(0);
	let (teller, candidate) = (world.teller(1), foreign());
	world.fetch_from(teller, 1, &candidate, &VOTES, "sv.");
	for validator in 1..9 {
		world.reputation(validator);
	}
	(world, teller, candidate)
}

#[test]
fn own_backed_goes_to_all_neighbours_outside_the_group() {
	let mut world = World::new(0);
	world.share(Seconded, &own());
	world.receive(1, 1, Valid, &own());
	let output = world.backed(&own());
	let expected: Vec<_> =
		world.group_view(0).sending.iter().map(|v| (v.0, Full, "sv.".to_string())).collect();
	assert!(!expected.is_empty());
	assert_eq!(output.manifests(), expected);
	assert!(world.backed(&own()).manifests().is_empty(), "once");
}

#[test]
fn foreign_backed_is_passed_on_and_acknowledged() {
	let (mut world, teller, candidate) = fetched();
	let view = world.group_view(1);
	let output = world.backed(&candidate);
	for (to, kind, knowledge) in output.manifests() {
		let expected = if to == teller { Acknowledgement } else { Full };
		assert_eq!((kind, knowledge.as_str()), (expected, "sv."));
		assert!(to == teller || view.sending.contains(&ValidatorIndex(to)));
	}
	let others = view.sending.iter().filter(|v| v.0 != teller).count();
	assert_eq!(output.manifests().len(), others + 1);
}

#[test]
fn a_manifest_of_an_unknown_candidate_is_followed_up() {
	let mut world = World::new(0);
	let (teller, candidate) = (world.teller(1), foreign());
	let output = world.tell(teller, 1, &candidate, "sv.");
	assert!(output.manifests().is_empty());
	assert_eq!(world.reputation(teller), 0);
	let (token, to, mask) = output.requests()[0].clone();
	assert_eq!((to, mask.as_str()), (teller, "..."));
	let response = world.response(&candidate, &VOTES);
	let output = world.returns(token, Ok(response));
	assert_eq!(output.to_backing(), VOTES);
	assert!(output.manifests().is_empty(), "acknowledged only once it is backed here");
	assert!(output.statements().is_empty());
	assert_eq!(world.reputation(teller), 3 * GOOD);
	let output = world.backed(&candidate);
	assert!(output.manifests().contains(&(teller, Acknowledgement, "sv.".into())));
}

#[test]
fn a_manifest_of_a_backed_candidate_is_acknowledged_with_what_is_missing() {
	let (mut world, teller, candidate) = fetched();
	assert_eq!(teller, 3);
	assert_eq!(world.backed(&candidate).manifests().len(), 3);
	let output = world.tell(5, 1, &candidate, "s.v");
	assert_eq!(output.manifests(), [(5, Acknowledgement, "sv.".into())]);
	assert_eq!(output.statements(), [(vec![5], 4, Valid)]);
	// Seven was told already: now both told each other.
	let output = world.tell(7, 1, &candidate, "s.v");
	assert!(output.manifests().is_empty());
	assert_eq!(output.statements(), [(vec![7], 4, Valid)]);
}

#[test]
fn acknowledgements_that_nobody_waits_for() {
	let mut world = World::new(0);
	let (teller, candidate) = (world.teller(1), foreign());
	assert_eq!(world.acknowledge(teller, &candidate, "sv.").reasons, [Reason::OutOfView]);
	assert_eq!(world.reputation(teller), 0);
	world.tell(teller, 1, &candidate, "sv.");
	assert_eq!(world.acknowledge(teller, &candidate, "sv.").reasons, [Reason::UnexpectedMessage]);
	assert_eq!(world.reputation(teller), MINOR);
	// Confirmed, but we told nobody.
	let (mut world, teller, candidate) = fetched();
	assert_eq!(world.acknowledge(teller, &candidate, "sv.").reasons, [Reason::UnexpectedMessage]);
	assert_eq!(world.reputation(teller), MINOR);
}

#[test]
fn manifests_that_are_refused() {
	type Change = fn(&mut headway_machine::wire::BackedCandidateManifest);
	let cases: [(&str, Change, i64, Reason); 7] = [
		(
			"bit lengths",
			|m| m.statement_knowledge = crate::filter::parse("sv.."),
			MAJOR,
			Reason::MalformedMessage,
		),
		(
			"no seconded",
			|m| m.statement_knowledge = crate::filter::parse("vv."),
			MAJOR,
			Reason::MalformedMessage,
		),
		(
			"too few votes",
			|m| m.statement_knowledge = crate::filter::parse("s.."),
			MAJOR,
			Reason::TooFewVotes,
		),
		("other para", |m| m.para_id = ParaId(1000), MAJOR, Reason::ParaNotScheduled),
		("unknown parent", |m| m.scheduling_parent = hash(77), MINOR, Reason::UnknownSchedulingParent),
		("our own group", |m| m.group_index = GroupIndex(0), MINOR, Reason::UnexpectedMessage),
		("no group", |m| m.group_index = GroupIndex(17), MINOR, Reason::UnexpectedMessage),
	];
	for (what, change, cost, reason) in cases {
		let mut world = World::new(0);
		let teller = world.teller(1);
		let mut manifest = world.manifest(1, &foreign(), "sv.");
		change(&mut manifest);
		let output = world.message(teller, StatementMessage::BackedCandidateManifest(manifest));
		assert_eq!(output.reasons, [reason], "{what}");
		assert!(output.is_silent(), "{what}");
		assert_eq!(world.reputation(teller), cost, "{what}");
	}
}

#[test]
fn senders_outside_of_the_receive_set_and_receivers_that_are_no_validators() {
	let mut world = World::new(0);
	let receiving = world.group_view(1).receiving;
	let stranger = (1..10).find(|v| !receiving.contains(&ValidatorIndex(*v))).unwrap();
	assert_eq!(world.tell(stranger, 1, &foreign(), "sv.").reasons, [Reason::UnexpectedMessage]);
	assert_eq!(world.reputation(stranger), MINOR);
	let mut nobody = World::with(None, |_| {});
	assert_eq!(nobody.tell(3, 1, &foreign(), "sv.").reasons, [Reason::NotValidator]);
	assert_eq!(nobody.reputation(3), MINOR);
}

#[test]
fn a_second_manifest_must_contain_the_first() {
	type Change = fn(&mut headway_machine::wire::BackedCandidateManifest);
	let cases: [(&str, Change, i64); 3] = [
		("superset", |m| m.statement_knowledge = crate::filter::parse("svv"), 0),
		("missing bits", |m| m.statement_knowledge = crate::filter::parse("s.v"), MAJOR),
		("other parent", |m| m.parent_head_data_hash = Hash::zero(), MAJOR),
	];
	for (what, change, cost) in cases {
		let mut world = World::new(0);
		let teller = world.teller(1);
		world.tell(teller, 1, &foreign(), "sv.");
		let mut manifest = world.manifest(1, &foreign(), "sv.");
		change(&mut manifest);
		world.message(teller, StatementMessage::BackedCandidateManifest(manifest));
		assert_eq!(world.reputation(teller), cost, "{what}");
	}
}

#[test]
fn manifests_beyond_the_para_limit_cost() {
	let mut world = World::new(0);
	let teller = world.teller(1);
	for salt in 0..4 {
		let spec = CandidateSpec { para: 1001, core: 1, salt, ..Default::default() };
		let output = world.tell(teller, 1, &build(&spec), "sv.");
		let expected = if salt < 3 { 0 } else { MINOR };
		assert_eq!(world.reputation(teller), expected, "{salt}: {:?}", output.reasons);
	}
}

#[test]
fn new_statements_go_directly_after_the_exchange_and_once() {
	let mut world = World::new(0);
	let candidate = own();
	world.share(Seconded, &candidate);
	world.receive(1, 1, Valid, &candidate);
	world.backed(&candidate);
	let neighbours: Vec<u32> = world.group_view(0).sending.iter().map(|v| v.0).collect();
	let (one, two) = (neighbours[0], neighbours[1]);
	assert!(world.acknowledge(one, &candidate, "sv.").is_silent());
	let output = world.receive(2, 2, Valid, &candidate);
	assert_eq!(output.statements(), [(vec![1, one], 2, Valid)], "{two} did not acknowledge");
	assert!(world.peer_view(one, &[LEAF]).statements().is_empty());
	// The other one acknowledges late and gets it then.
	let output = world.acknowledge(two, &candidate, "sv.");
	assert_eq!(output.statements(), [(vec![two], 2, Valid)]);
}

#[test]
fn a_direct_statement_is_not_sent_back_but_on() {
	let (mut world, teller, candidate) = fetched();
	world.backed(&candidate);
	let output = world.receive(teller, 5, Valid, &candidate);
	assert_eq!(output.to_backing(), [(5, Valid)]);
	assert!(output.statements().is_empty(), "nobody else acknowledged");
	assert_eq!(world.reputation(teller), FIRST);
	let output = world.receive(teller, 5, Valid, &candidate);
	assert_eq!(output.reasons, [Reason::UnexpectedMessage], "a statement earns its reward once");
	assert_eq!(world.reputation(teller), MINOR);
	let next = world.group_view(1).sending.iter().map(|v| v.0).find(|v| *v != teller).unwrap();
	let output = world.acknowledge(next, &candidate, "sv.");
	assert_eq!(output.statements(), [(vec![next], 5, Valid)]);
	let output = world.receive(next, 5, Valid, &candidate);
	assert_eq!((output.reasons, output.duplicates), (vec![], 1), "they crossed");
	assert_eq!(world.reputation(next), GOOD);
	let output = world.receive(next, 5, Valid, &candidate);
	assert_eq!(output.reasons, [Reason::UnexpectedMessage]);
}

#[test]
fn a_direct_statement_with_a_bad_signature_is_refused_even_if_it_is_known() {
	let (mut world, teller, candidate) = fetched();
	world.backed(&candidate);
	let mut forged = world.unchecked(4, Valid, &candidate);
	forged.signature = world.unchecked(3, Valid, &candidate).signature;
	let output = world.message(teller, StatementMessage::Statement(hash(LEAF.into()), forged));
	assert_eq!(output.reasons, [Reason::InvalidSignature]);
	assert_eq!(world.reputation(teller), MAJOR);
}

#[test]
fn a_peer_that_comes_late_gets_the_manifest_and_then_statements_once() {
	let mut world = World::new(0);
	let candidate = own();
	let late = world.group_view(0).sending.first().unwrap().0;
	world.peer_view(late, &[]);
	world.share(Seconded, &candidate);
	world.receive(1, 1, Valid, &candidate);
	let output = world.backed(&candidate);
	assert!(!output.manifests().iter().any(|(to, _, _)| *to == late));
	world.receive(2, 2, Valid, &candidate);
	let output = world.peer_view(late, &[LEAF]);
	assert_eq!(output.manifests(), [(late, Full, "svv".into())]);
	world.peer_view(late, &[]);
	assert!(world.peer_view(late, &[LEAF]).is_silent());
	world.disconnect(late);
	world.connect(late);
	assert!(world.peer_view(late, &[LEAF]).is_silent());
}

#[test]
fn votes_of_disabled_validators_do_not_count() {
	let mut world = World::with(Some(0), |block| block.disabled_validators = vec![ValidatorIndex(4)]);
	let teller = world.teller(1);
	let output = world.tell(teller, 1, &foreign(), "sv.");
	assert_eq!(output.reasons, [Reason::TooFewVotes]);
	assert_eq!(world.reputation(teller), MAJOR);
	let output = world.tell(teller, 1, &foreign(), "svv");
	assert_eq!(output.requests()[0].2, ".b.");
}

#[test]
fn a_validator_of_the_topology_alone_takes_part_in_the_grid() {
	let mut world = World::with(Some(9), |_| {});
	let (teller, candidate) = (world.teller(1), foreign());
	let output = world.fetch_from(teller, 1, &candidate, &VOTES, "sv.");
	assert_eq!(output.to_backing(), VOTES);
	let output = world.backed(&candidate);
	assert!(output.manifests().contains(&(teller, Acknowledgement, "sv.".into())));
	let told: Vec<u32> = output.manifests().iter().filter(|m| m.1 == Full).map(|m| m.0).collect();
	for (id, asker) in told.into_iter().enumerate() {
		let output = world.ask(asker, id as u64, &candidate, "...");
		assert_eq!(output.responses()[0].1.as_ref().unwrap().statements.len(), 2);
	}
	assert_eq!(world.receive(1, 1, Seconded, &own()).reasons, [Reason::UnexpectedMessage]);
}

#[test]
fn claims_that_contradict_the_candidate_cost_now_and_later() {
	let mut world = World::new(0);
	let candidate = foreign();
	let tellers: Vec<u32> = world.group_view(1).receiving.iter().map(|v| v.0).collect();
	let (liar, honest) = (tellers[0], tellers[1]);
	let mut lie = world.manifest(1, &candidate, "sv.");
	lie.parent_head_data_hash = hash(66);
	let output = world.message(liar, StatementMessage::BackedCandidateManifest(lie.clone()));
	world.tell(honest, 1, &candidate, "sv.");
	let response = world.response(&candidate, &VOTES);
	world.returns(output.requests()[0].0, Ok(response));
	// It answered well, but it lied before.
	assert_eq!(world.reputation(liar), MAJOR + 3 * GOOD);
	assert_eq!(world.reputation(honest), 0);
	// Whoever says it later pays at once.
	let mut world = World::new(0);
	world.fetch_from(honest, 1, &candidate, &VOTES, "sv.");
	world.message(liar, StatementMessage::BackedCandidateManifest(lie));
	assert_eq!(world.reputation(liar), MAJOR);
}

#[test]
fn a_topology_that_comes_late_is_caught_up_with() {
	let mut world = World::without_topology(Some(0), |_| {});
	world.share(Seconded, &own());
	world.receive(1, 1, Valid, &own());
	assert!(world.backed(&own()).manifests().is_empty());
	for teller in 3..9 {
		let output = world.tell(teller, 1, &foreign(), "sv.");
		assert_eq!(output.reasons, [Reason::TopologyUnknown]);
		assert_eq!(world.reputation(teller), 0);
	}
	let output = world.topology();
	let expected: Vec<_> =
		world.group_view(0).sending.iter().map(|v| (v.0, Full, "sv.".to_string())).collect();
	assert_eq!(output.manifests(), expected);
	assert_eq!(output.requests().len(), 1);
	assert!(world.topology().is_silent(), "a repeated topology changes nothing");
}

#[test]
fn manifests_before_the_topology_are_kept_up_to_a_limit() {
	let mut world = World::without_topology(Some(0), |_| {});
	for salt in 0..20 {
		let spec = CandidateSpec { para: 1001, core: 1, salt, ..Default::default() };
		let output = world.tell(3, 1, &build(&spec), "sv.");
		let expected = if salt < 16 { Reason::TopologyUnknown } else { Reason::CapacityReached };
		assert_eq!(output.reasons, [expected], "{salt}");
	}
}

#[test]
fn manifests_before_the_topology_count_for_their_validator_from_whichever_peer() {
	let mut world = World::without_topology(Some(0), |_| {});
	for salt in 0..20 {
		let candidate = build(&CandidateSpec { para: 1001, core: 1, salt, ..Default::default() });
		let peer = 20 + u32::from(salt);
		world.connect_nameless(peer);
		world.identify(peer, &[3]);
		let expected = if salt < 16 { Reason::TopologyUnknown } else { Reason::CapacityReached };
		assert_eq!(world.tell(peer, 1, &candidate, "sv.").reasons, [expected]);
		world.disconnect(peer);
	}
}

#[test]
fn the_topology_of_a_session_to_come_is_kept_for_it() {
	let mut world = World::empty(Some(0));
	world.topology();
	world.leaf(LEAF, &[], |_| {});
	assert!(!world.group_view(1).receiving.is_empty());
}

#[test]
fn a_fork_with_another_session_of_the_same_index_has_its_own_groups_and_grid() {
	const FORK: u32 = LEAF + 20;
	let mut world = World::new(0);
	let here = world.group_view(1);
	let mut other = (*world.session).clone();
	let groups = [[0, 4, 5], [3, 1, 2], [6, 7, 8]];
	other.info.validator_groups = groups.map(|group| group.map(ValidatorIndex).to_vec()).to_vec();
	other.topology_randomness = [1; 32];
	world.handle(Event::Leaves(activate(leaf_at(FORK, &Arc::new(other), |_| {}), &[])));
	let parent = |at: u32| world.machine.parents.get(&hash(at.into())).unwrap();
	let members = |at: u32| {
		let cluster = parent(at).cluster.as_ref().unwrap();
		(0..9).filter(|n| cluster.tracker.contains(ValidatorIndex(*n))).collect::<Vec<_>>()
	};
	assert_eq!((members(LEAF), members(FORK)), (vec![0, 1, 2], vec![0, 4, 5]));
	let grid = world.machine.sessions.get(parent(FORK).session).unwrap().grid.as_ref().unwrap();
	assert_ne!(grid.group(GroupIndex(1)), Some(&here));
}

#[test]
fn without_leaves_nothing_is_kept_but_the_topology() {
	let (mut world, teller, candidate) = fetched();
	let topology = world.group_view(1);
	world.deactivate(LEAF);
	assert!(world.machine.parents.is_empty());
	assert!(!world.machine.candidates.is_known(candidate.hash));
	assert_eq!(world.group_view(1), topology);
	assert_eq!(world.tell(teller, 1, &candidate, "sv.").reasons, [Reason::UnknownSchedulingParent]);
	assert!(world.backed(&candidate).is_silent());
}

#[test]
fn backed_makes_prospective_parachains_be_asked_about_children() {
	let (mut world, teller, candidate) = fetched();
	world.importable = false;
	let child = build(&CandidateSpec { para: 1001, core: 1, parent: 1, ..Default::default() });
	world.fetch_from(teller, 1, &child, &VOTES, "sv.");
	world.importable = true;
	let output = world.backed(&candidate);
	let asked: Vec<_> = output.queries()[0].candidates.iter().map(|c| c.candidate_hash()).collect();
	assert_eq!(asked, [child.hash]);
	assert_eq!(output.to_backing(), VOTES);
}
