//! What people are told: the chain as it is, and why a candidate has no place in it.

use crate::{
	notation::{resume, run},
	world::{block_hash, head, LeafPlan, World, PARA},
};
use headway_machine::{Evidence, FragmentChainError, FragmentChainView, FragmentState, Reason, Stage, Token};
use headway_primitives::{Hash, ParaId};
use headway_prospective_parachains::{Effect, Event};

fn look(world: &mut World, para: ParaId, at: Option<Hash>) -> Result<FragmentChainView, FragmentChainError> {
	let said = world.handle(Event::FragmentChain { token: Token(1), para, at });
	match &said[..] {
		[Effect::FragmentChain { token: Token(1), chain }] => chain.clone(),
		said => panic!("{said:?}"),
	}
}

/// P is pending on the included head, A follows it, and C stands beside.
fn world() -> World {
	run("
		P = 0>1 @9
		leaf 10 cores 2 pending P
		A = 1>2 @10
		C = 5>6 @10
		fork = 0>9 @10
		next = 2>3 @10
		introduce A => yes
		back A
		introduce C => yes
	")
}

#[test]
fn a_chain_is_shown_with_what_is_pending_what_is_backed_and_what_stands_beside() {
	let mut world = world();
	let chain = look(&mut world, PARA, None).expect("the para has a chain");
	assert_eq!((chain.at, chain.number, chain.included_head), (block_hash("10"), 10, head("0").hash()));
	let named = |fragments: &[headway_machine::Fragment]| {
		let of = |f: &headway_machine::Fragment| (world.candidate_name(&f.candidate_hash), f.state);
		fragments.iter().map(of).collect::<Vec<_>>()
	};
	let best = [("P".to_string(), FragmentState::Pending), ("A".to_string(), FragmentState::Backed)];
	assert_eq!(named(&chain.best), best);
	assert_eq!(named(&chain.unconnected), [("C".to_string(), FragmentState::Seconded)]);
	assert_eq!(chain.best[1].parent_head, head("1").hash());
}

#[test]
fn a_chain_that_is_not_there_has_a_reason() {
	let mut world = world();
	let at = Some(block_hash("10"));
	assert!(look(&mut world, PARA, at).is_ok());
	assert_eq!(look(&mut world, PARA, Some(block_hash("3"))), Err(FragmentChainError::NotInView));
	for at in [None, at] {
		assert_eq!(look(&mut world, ParaId(77), at), Err(FragmentChainError::NotScheduled));
	}
}

#[test]
fn what_has_no_place_at_any_leaf_leaves_the_reason() {
	let mut world = world();
	let reasons = |world: &mut World| {
		let traces = std::mem::take(&mut world.traces);
		let reason = |stage| match stage {
			Stage::NoPlace(reason) => Some(reason),
			_ => None,
		};
		traces.into_iter().filter_map(|trace| reason(trace.stage)).collect::<Vec<_>>()
	};
	let advertised = world.hypothetical("fork", false);
	world.membership_effects(advertised.clone(), None);
	assert_eq!(reasons(&mut world), [Reason::ConflictsWithPending]);
	// At one leaf only: another one may have a place.
	world.membership_effects(advertised, Some(block_hash("10")));
	let welcome = world.hypothetical("next", false);
	world.membership_effects(welcome, None);
	assert_eq!(reasons(&mut world), []);
}

#[test]
fn a_losing_fork_has_no_place_and_the_winner_is_named() {
	let mut world = run("
		P = 0>1 @9
		leaf 10 pending P
		fork = 0>9 @10
		A = 1>2 @10 low
		B = 1>3 @10 high
	");
	let asked = |world: &mut World, name: &str| {
		world.traces.clear();
		let advertised = world.hypothetical(name, false);
		world.membership_effects(advertised, None);
		let no_place = |trace: &headway_machine::Trace| match (trace.stage, trace.evidence) {
			(Stage::NoPlace(reason), evidence) => Some((reason, evidence)),
			_ => None,
		};
		world.traces.iter().find_map(no_place)
	};
	let rival = |world: &World, name: &str, parent_head: &str| {
		let (candidate, parent_head) = (world.candidates[name].hash, head(parent_head).hash());
		Some(Evidence::Rival { candidate, parent_head })
	};
	// The winner is pending, ...
	let lost = (Reason::ConflictsWithPending, rival(&world, "P", "0"));
	assert_eq!(asked(&mut world, "fork"), Some(lost));
	// ... is included, ...
	resume(&mut world, "leaf 11 included 1 -10");
	assert_eq!(asked(&mut world, "fork"), Some(lost));
	assert!(!world.introduce("fork"));
	world.traces.clear();
	// ... or has the lower hash.
	resume(&mut world, "introduce A => yes\nback A");
	let lost = (Reason::ForkChoice, rival(&world, "A", "1"));
	assert_eq!(asked(&mut world, "B"), Some(lost));
	// Nobody is a rival to himself.
	assert_eq!(asked(&mut world, "P"), None);
}

/// Why candidates were dropped, in words.
fn told(world: &mut World) -> Vec<(String, String)> {
	let traces = std::mem::take(&mut world.traces);
	let dropped = traces.into_iter().filter(|trace| matches!(trace.stage, Stage::Dropped(_)));
	let name =
		|world: &World, trace: &headway_machine::Trace| world.candidate_name(&trace.candidate.unwrap());
	dropped.map(|trace| (name(world, &trace), trace.explanation())).collect()
}

#[test]
fn at_a_session_boundary_it_is_the_session_that_ended() {
	let mut world = run("
		block 9 session 1
		block 10 session 1
		block 11 session 2
		leaf 10
		A = 0>1 @10
		introduce A => yes
	");
	world.traces.clear();
	world.activate(&LeafPlan::new("11"), &["10".into()]);
	let last = format!("relay block #11 ({:?})", block_hash("11"));
	let words =
		format!("session 1 ended with {last}: its scheduling parent may not schedule candidates any more");
	assert_eq!(told(&mut world), [("A".into(), words.clone())]);
	// So is one that comes later.
	let advertised = world.hypothetical("A", false);
	world.membership_effects(advertised, None);
	assert_eq!(world.traces.iter().map(|trace| trace.explanation()).collect::<Vec<_>>(), [words]);
}

#[test]
fn a_scheduling_parent_that_lost_its_fork_is_told_with_the_block_that_has_its_place() {
	let mut world = run("
		leaf 10x on 9
		A = 0>1 @10x
		introduce A => yes
		leaf 10
		leaf 11 -10
	");
	world.traces.clear();
	world.deactivate(None, &["10x".into()]);
	let told = told(&mut world);
	assert_eq!(told.len(), 1, "{told:?}");
	let (name, words) = &told[0];
	assert_eq!(name, "A");
	assert!(words.starts_with("its scheduling parent, relay block #10 ("), "{words}");
	assert!(words.contains(&format!("{:?}", block_hash("10x"))), "{words}");
	assert!(
		words.ends_with(&format!("the chain went on with relay block #10 ({:?})", block_hash("10"))),
		"{words}"
	);
}
