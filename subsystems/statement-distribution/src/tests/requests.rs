//! SR: answering requests. What we ask for ourselves stands in `responses`.

use super::{builder::*, world::*};
use crate::{
	answers::{ANSWERS_PER_WINDOW, WINDOW},
	filter::Kind::{Seconded, Valid},
};
use codec::Encode;
use headway_machine::{
	testing::peer,
	wire::{InboundRequest, RequestProtocol},
	InboundRequestId, Reason, Reputation,
};

fn own() -> Built {
	build(&CandidateSpec::default())
}

fn costs(change: Option<Reputation>) -> i64 {
	change.map_or(0, |change| change.value().into())
}

#[test]
fn only_those_that_we_told_get_answers() {
	let mut world = World::new(0);
	let unknown = world.ask(1, 1, &own(), "...");
	assert_eq!((unknown.responses()[0].1.is_some(), unknown.reasons), (false, vec![Reason::OutOfView]));
	world.peer_view(2, &[]);
	world.share(Seconded, &own());
	world.pass(100);
	for (id, from, mask, cost, reason) in [
		(2, 2, "...", MAJOR, Reason::UnexpectedMessage),
		(3, 3, "...", MAJOR, Reason::UnexpectedMessage),
		(4, 1, "..", MAJOR, Reason::MalformedMessage),
	] {
		let output = world.ask(from, id, &own(), mask);
		assert_eq!(output.reasons, [reason]);
		let responses = output.responses();
		assert_eq!((responses[0].0, responses[0].1.is_none(), costs(responses[0].2)), (id, true, cost));
		world.pass(100);
	}
	let output = world.ask(1, 5, &own(), "...");
	let response = output.responses()[0].1.clone().unwrap();
	assert_eq!(response, world.response(&own(), &[(0, Seconded)]).with_signatures_of(&response));
}

/// Signatures are randomized: two of the same statement differ.
trait WithSignatures {
	fn with_signatures_of(self, other: &Self) -> Self;
}

impl WithSignatures for headway_machine::wire::AttestedCandidateResponse {
	fn with_signatures_of(mut self, other: &Self) -> Self {
		for (mine, theirs) in self.statements.iter_mut().zip(&other.statements) {
			mine.signature = theirs.signature.clone();
		}
		self
	}
}

#[test]
fn undecodable_requests_cost_and_strangers_get_nothing() {
	let mut world = World::new(0);
	let mut send = |from: u8, protocol, payload: Vec<u8>| {
		let (peer, id) = (peer(from), InboundRequestId(7));
		let request = InboundRequest { peer, id, protocol, payload };
		let output = world.handle(crate::Event::Request(request));
		let responses = output.responses();
		assert_eq!(responses.len(), 1, "every request is answered");
		assert!(responses[0].1.is_none());
		(costs(responses[0].2), output.reasons[0])
	};
	let good = (own().hash, headway_machine::wire::StatementFilter::blank(3)).encode();
	let attested = RequestProtocol::AttestedCandidate;
	assert_eq!(send(1, attested, vec![1, 2]), (MAJOR, Reason::MalformedMessage));
	assert_eq!(send(1, RequestProtocol::PoV, good.clone()), (0, Reason::UnexpectedMessage));
	assert_eq!(send(200, attested, good), (0, Reason::UnknownPeer));
}

#[test]
fn masked_statements_are_left_out() {
	let mut world = World::new(0);
	world.share(Seconded, &own());
	world.receive(2, 2, Seconded, &own());
	world.receive(2, 2, Valid, &own());
	let by = |output: &Output| -> Vec<u32> {
		let response = output.responses()[0].1.clone().unwrap();
		response.statements.iter().map(|statement| statement.validator_index.0).collect()
	};
	assert_eq!(by(&world.ask(1, 1, &own(), "s..")), [2, 2]);
	world.pass(100);
	// Of our own group's candidates, few statements are better than none.
	assert_eq!(by(&world.ask(1, 2, &own(), "b.s")), [2]);
}

#[test]
fn a_grid_requester_gets_enough_votes_or_nothing() {
	let mut world = World::new(0);
	world.share(Seconded, &own());
	world.receive(1, 1, Valid, &own());
	world.backed(&own());
	let asker = world.group_view(0).sending.first().unwrap().0;
	for (id, mask, answered) in [(1, "..v", true), (2, ".v.", false), (3, "s..", false)] {
		let output = world.ask(asker, id, &own(), mask);
		assert_eq!(output.responses()[0].1.is_some(), answered, "{mask}");
		assert_eq!(costs(output.responses()[0].2), 0);
		world.pass(100);
	}
	// Once it told us that it has it, it has nothing to ask for.
	world.acknowledge(asker, &own(), "sv.");
	let output = world.ask(asker, 4, &own(), "...");
	assert_eq!(costs(output.responses()[0].2), MAJOR);
}

#[test]
fn surplus_requests_are_refused_or_wait() {
	let mut world = World::new(0);
	world.share(Seconded, &own());
	for from in 3..3 + ANSWERS_PER_WINDOW as u32 {
		assert_eq!(world.ask(from, from.into(), &own(), "...").responses().len(), 1);
	}
	assert!(world.ask(1, 100, &own(), "...").responses().is_empty(), "waits");
	let output = world.ask(1, 101, &own(), "...");
	assert_eq!(output.reasons, [Reason::ExcessiveMessages]);
	assert_eq!((output.responses()[0].0, output.responses()[0].1.is_some()), (101, false));
	let output = world.pass(WINDOW.as_millis() as u64);
	assert_eq!((output.responses()[0].0, output.responses()[0].1.is_some()), (100, true));
}

#[test]
fn statements_in_an_answer_are_not_sent_again() {
	let mut world = World::new(0);
	world.peer_view(1, &[]);
	world.share(Seconded, &own());
	world.receive(2, 2, Seconded, &own());
	let output = world.peer_view(1, &[LEAF]);
	assert_eq!(output.statements().len(), 2);
	let mut world = World::new(0);
	world.share(Seconded, &own());
	world.peer_view(1, &[]);
	world.receive(2, 2, Valid, &own());
	let output = world.ask(1, 1, &own(), "...");
	assert_eq!(output.responses()[0].1.as_ref().unwrap().statements.len(), 2);
	assert!(world.peer_view(1, &[LEAF]).statements().is_empty());
}
