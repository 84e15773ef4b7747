//! What a peer can fill is bounded, and the bound holds back only what is above it.

use crate::{
	notation::run,
	world::{LeafPlan, Order, Plan, World, PARA},
};
use headway_machine::{HypotheticalCandidate, MembershipQuery, Token};
use headway_primitives::{CandidateHash, Hash};
use headway_prospective_parachains::{Effect, Event, MAX_CANDIDATES, MAX_PARKED, MAX_QUESTIONS};

fn plan(output: usize, relay_parent: &str) -> Plan {
	Plan {
		para: PARA,
		parent: "unknown".into(),
		output: format!("head {output}"),
		scheduling_parent: "10".into(),
		relay_parent: relay_parent.into(),
		order: Order::Middle,
		watermark: None,
		upward: 0,
		version_1: false,
		bad_validation_data: false,
		core: 0,
		claimed_number: None,
	}
}

fn introduce(world: &mut World, output: usize, relay_parent: &str) -> Vec<Effect> {
	world.define("next", &plan(output, relay_parent));
	let event = world.introduce_event("next");
	world.handle(event)
}

#[test]
fn unconnected_candidates_are_bounded() {
	let mut world = run("leaf 10");
	for output in 0..MAX_CANDIDATES {
		assert!(matches!(
			introduce(&mut world, output, "10")[..],
			[Effect::Introduced { accepted: true, .. }]
		));
	}
	world.take_drops();
	assert!(matches!(
		introduce(&mut world, MAX_CANDIDATES, "10")[..],
		[Effect::Introduced { accepted: false, .. }]
	));
	assert_eq!(world.take_drops(), [("next".to_string(), "capacity_reached")]);
	assert_eq!(world.machine.stats().unconnected, MAX_CANDIDATES);
}

#[test]
fn candidates_of_the_path_count_because_they_may_have_to_leave_it() {
	let mut world = run("
		leaf 10 cores 2
		A = 0>1 @10
		B = 1>2 @10
		introduce A => yes
		introduce B => yes
		back A
		back B
		count => 2+0
	");
	let accepted = |said: Vec<Effect>| matches!(said[..], [Effect::Introduced { accepted: true, .. }]);
	let mut introduced = 2;
	while accepted(introduce(&mut world, introduced, "10")) {
		introduced += 1;
	}
	assert_eq!(introduced, MAX_CANDIDATES);
	let leaf = LeafPlan::new("11");
	world.activate(&leaf, &["10".into()]);
	let stats = world.machine.stats();
	assert_eq!((stats.connected, stats.unconnected), (1, MAX_CANDIDATES - 1));
}

#[test]
fn waiting_operations_are_bounded_and_all_are_answered() {
	let mut world = run("
		leaf 10
		hold
	");
	for output in 0..MAX_PARKED {
		assert_eq!(introduce(&mut world, output, "5"), []);
	}
	assert_eq!(world.machine.stats().parked, MAX_PARKED);
	// One more is refused at once; what needs no question is not held back.
	assert!(matches!(
		introduce(&mut world, MAX_PARKED, "5")[..],
		[Effect::Introduced { accepted: false, .. }]
	));
	assert_eq!(world.take_drops(), [("next".to_string(), "capacity_reached")]);
	assert!(matches!(
		introduce(&mut world, MAX_PARKED, "10")[..],
		[Effect::Introduced { accepted: true, .. }]
	));
	// All of them wait for one question.
	let held = std::mem::take(&mut world.held);
	let [(token, info)] = held[..] else { panic!("{held:?}") };
	let said = world.handle(Event::RelayParentInfo { token, info });
	assert_eq!(said.len(), MAX_PARKED);
	assert!(said.iter().all(|effect| matches!(effect, Effect::Introduced { accepted: true, .. })));
	assert_eq!(world.machine.stats().parked, 0);
}

#[test]
fn open_questions_are_bounded() {
	let mut world = run("
		leaf 5000
		hold
	");
	let mut ask = |n_relay_parents: usize| {
		let candidates = (0..n_relay_parents).map(|n| {
			world.define("next", &Plan { scheduling_parent: "5000".into(), ..plan(n, &(n + 1).to_string()) });
			world.hypothetical("next", true)
		});
		let candidates = candidates.collect();
		let query = MembershipQuery { token: Token(1), candidates, leaf: None };
		world.handle(Event::Membership(query))
	};
	// One too many: answered at once, as if nobody knew the relay parents.
	let said = ask(MAX_QUESTIONS + 1);
	let [Effect::Membership(membership)] = &said[..] else { panic!("{said:?}") };
	assert!(membership.leaves.iter().all(|(_, leaves)| leaves.is_empty()));
	assert_eq!(ask(MAX_QUESTIONS), []);
	assert_eq!(world.held.len(), MAX_QUESTIONS);
}

#[test]
fn answer_that_nobody_asked_for_is_ignored() {
	let mut world = run("leaf 10");
	let info = Some(world.relay_parent_info("5"));
	assert_eq!(world.handle(Event::RelayParentInfo { token: Token(77), info }), []);
}

#[test]
fn explanation_names_the_rule_at_each_leaf() {
	let world = run("
		leaf 10
		leaf 11 on 10
		A = 0>1 @10 low
		B = 0>2 @11 high
		introduce A => yes
		introduce B => yes
		back A => B fork_choice
	");
	let explained = world.machine.explain(&world.hypothetical("B", true));
	let explained: Vec<_> = explained
		.iter()
		.map(|(leaf, verdict)| {
			(world.block_name(leaf), verdict.as_ref().map_err(|refusal| refusal.reason().label()))
		})
		.collect();
	assert_eq!(
		explained,
		[("10".to_string(), Err("scheduling_parent_not_in_scope")), ("11".to_string(), Err("fork_choice"))]
	);
	let unknown = HypotheticalCandidate::Incomplete {
		candidate_hash: CandidateHash(Hash::zero()),
		para: PARA,
		parent_head_data_hash: Hash::zero(),
		scheduling_parent: Hash::zero(),
	};
	assert!(world.machine.explain(&unknown).iter().all(|(_, verdict)| verdict.is_err()));
}
