//! Whatever happens, in whatever order: nothing panics, and what is stated about bounds holds.

use super::*;
use crate::{
	collation::Offer,
	validator_side::tests::arbitrary::{step, Arena, Side, Step},
};

impl Side for ExperimentalSide {
	fn fetching(&self, token: Token) -> Option<&Offer> {
		self.fetches.get(&token)
	}
}

/// What [`ExperimentalSide`] and its parts state, besides the bounds: those are checked after each event.
fn check(machine: &ExperimentalSide) {
	let in_view = machine.view.blocks();
	assert!(machine.blocks.keys().eq(in_view.keys()));
	let is_here = |offer: &Offer| in_view.contains_key(&offer.scheduling_parent);
	assert!(machine.fetches.values().all(is_here));
	assert!(machine.seconding.offers().all(is_here));
	let is_of_peer = |segment: &Segment| {
		in_view.contains_key(&segment.scheduling_parent) && machine.connections.get(&segment.peer).is_some()
	};
	assert!(machine.segments.live(0).all(|(_, segment)| is_of_peer(segment)));
	assert!(machine.questions.values().all(is_of_peer));
	assert!(machine.fetches.values().all(|offer| machine.connections.get(&offer.peer).is_some()));

	let (peers, places) = (machine.connections.len(), machine.connections.places());
	let placed: BTreeSet<&PeerId> = places.values().flatten().collect();
	assert_eq!(placed.len(), peers, "who is connected has a place, and nobody else");
	assert!(machine.save_at.is_some() || !machine.scores.is_unsaved(), "what changed is stored some time");
}

fn run(steps: Vec<Step>) {
	let mut arena = Arena::with(ExperimentalSide::new(Config::default()));
	for number in 10..12 {
		arena.take(Step::Leaves { activated: Some((number, "ABA")), deactivated: vec![number - 1] });
	}
	for step in steps {
		arena.take(step);
		check(&arena.driven.machine);
	}
	// Nothing is left when everything that it was about is gone.
	arena.take(Step::Leaves { activated: None, deactivated: (7..15).collect() });
	(0..6).for_each(|n| drop(arena.take(Step::Disconnect(n, PeerSet::Collation))));
	let machine = &arena.driven.machine;
	check(machine);
	assert!(machine.blocks.is_empty() && machine.connections.len() == 0);
	assert!(machine.fetches.is_empty() && machine.questions.is_empty() && machine.segments.len() == 0);
	assert!(machine.seconding.offers().next().is_none());
}

headway_machine::arbitrary_events! {
	#[test]
	fn nothing_panics_and_bounds_hold_whatever_happens(steps: step, bytes: 1..450) {
		run(steps);
	}
}
