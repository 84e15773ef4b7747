//! The same events at the same times give the same effects.

use super::{builder::*, network::ready, world::*};
use crate::filter::Kind::{Seconded, Valid};
use codec::Encode;

fn foreign() -> Built {
	build(&CandidateSpec { para: 1001, core: 1, ..Default::default() })
}

#[test]
fn the_same_events_give_the_same_effects() {
	// Signatures are randomized, so both machines get the very same messages.
	let (mut one, mut two) = (World::new(0), World::new(0));
	let own = build(&CandidateSpec::default());
	let mut compare = |run: &dyn Fn(&mut World) -> Output| {
		let (one, two) = (run(&mut one), run(&mut two));
		assert_eq!(one.effects, two.effects);
		assert_eq!(one.reasons, two.reasons);
		assert_eq!(one.reports, two.reports);
		one
	};
	let script = World::new(0);
	let message = |by, kind, candidate: &Built| {
		use headway_machine::wire::StatementMessage::Statement;
		let parent = candidate.receipt.descriptor.scheduling_parent();
		Statement(parent, script.unchecked(by, kind, candidate))
	};
	let (seconded, valid) = (message(1, Seconded, &own), message(2, Valid, &own));
	let output = compare(&|world| world.message(1, seconded.clone()));
	assert!(!output.reports.is_empty());
	let response = script.response(&own, &[(1, Seconded), (2, Valid)]);
	compare(&|world| world.returns(output.requests()[0].0, Ok(response.clone())));
	compare(&|world| world.message(2, valid.clone()));
	compare(&|world| world.backed(&own));
	let teller = script.teller(1);
	let output = compare(&|world| world.tell(teller, 1, &foreign(), "sv."));
	let response = script.response(&foreign(), &[(3, Seconded), (4, Valid)]);
	let encoded = response.encode();
	compare(&|world| {
		let event = crate::Event::Response { token: output.requests()[0].0, result: Ok(encoded.clone()) };
		world.handle(event)
	});
	compare(&|world| world.backed(&foreign()));
	compare(&|world| world.leaf(LEAF + 1, &[LEAF], |_| {}));
	compare(&|world| world.pass(40_000));
}

#[test]
fn the_same_seed_gives_the_same_run() {
	let run = || {
		let groups = vec![vec![0, 1, 2], vec![3, 4, 5], vec![6, 7, 8]];
		let mut net = ready(groups, 1, 42);
		net.second(0, &CandidateSpec::default());
		net.second(4, &CandidateSpec { para: 1001, core: 1, ..Default::default() });
		net.settle();
		net.log
	};
	let log = run();
	assert!(log.len() > 300, "{} events", log.len());
	assert_eq!(log, run());
}
