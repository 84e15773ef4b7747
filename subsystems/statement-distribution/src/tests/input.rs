//! Bad input, message by message: what does not decode reaches no machine; what decodes and is wrong is dropped for the
//! right reason at the right price, and so it is when it comes once more.
//!
//! We are validator 0. Peers 1 to 9 are validators, peer 11 is none, peer 99 is not connected.

use super::{builder::*, world::*};
use crate::{
	filter::{
		parse,
		Kind::{self, Seconded, Valid},
	},
	Event,
};
use codec::Encode;
use headway_machine::{
	testing::hash,
	wire::{
		AttestedCandidateRequest, BackedCandidateAcknowledgement, BackedCandidateManifest, Envelope,
		Malformed, StatementFilter, StatementMessage, ValidationMessage, NOTIFICATION_SIZE_MAX,
	},
	Reason, Token,
};
use headway_primitives::{
	CandidateHash, CompactStatement, GroupIndex, ParaId, SigningContext, UncheckedSigned, ValidatorIndex,
};

/// Reasons why it was dropped, and change of its sender's reputation.
type Verdict = (Vec<Reason>, i64);

const TAKEN: Verdict = (Vec::new(), 0);

fn dropped(reason: Reason, change: i64) -> Verdict {
	(vec![reason], change)
}

fn own() -> Built {
	build(&CandidateSpec::default())
}

fn foreign() -> Built {
	build(&CandidateSpec { para: 1001, core: 1, ..Default::default() })
}

/// A world with the peer that is no validator.
fn world() -> World {
	let mut world = World::with(Some(0), |block| block.disabled_validators = vec![ValidatorIndex(2)]);
	world.connect_nameless(11);
	world.peer_view(11, &[LEAF]);
	world
}

/// A neighbour in the grid: it is told of our candidates, and tells us of its group's.
const NEIGHBOR: u32 = 3;
/// No neighbour.
const STRANGER: u32 = 4;

/// A world in which neighbours were told of our group's candidate.
fn told() -> World {
	let mut world = world();
	world.share(Seconded, &own());
	world.receive(1, 1, Valid, &own());
	let told: Vec<u32> = world.backed(&own()).manifests().into_iter().map(|(to, ..)| to).collect();
	assert!(told.contains(&NEIGHBOR) && !told.contains(&STRANGER), "{told:?}");
	world.reputation(1);
	world
}

/// Sends a message twice, and compares what becomes of it each time.
fn check(
	what: &str,
	world: &mut World,
	from: u32,
	message: StatementMessage,
	first: Verdict,
	again: Verdict,
) {
	for (verdict, when) in [(first, "first"), (again, "again")] {
		let output = world.message(from, message.clone());
		assert_eq!((output.reasons, world.reputation(from)), verdict, "{what}, {when}");
	}
}

/// Vectors that fill a notification.
fn huge() -> StatementFilter {
	let filter = StatementFilter::full(8 * 45_000);
	assert!(filter.encoded_size() < NOTIFICATION_SIZE_MAX as usize);
	filter
}

#[test]
fn notifications_that_do_not_decode_reach_no_machine() {
	let world = World::new(0);
	let messages = [
		StatementMessage::Statement(hash(LEAF.into()), world.unchecked(1, Seconded, &own())),
		StatementMessage::BackedCandidateManifest(world.manifest(1, &foreign(), "sv.")),
		StatementMessage::BackedCandidateKnown(BackedCandidateAcknowledgement {
			candidate_hash: own().hash,
			statement_knowledge: parse("sv."),
		}),
	];
	for message in messages {
		let envelope = Envelope::ProtocolMessage(ValidationMessage::Statement(message));
		let good = envelope.encode();
		assert_eq!(ValidationMessage::decode_notification(&good), Ok(envelope));
		let with = |at: usize, byte| {
			let mut bytes = good.clone();
			bytes[at] = byte;
			bytes
		};
		let longer = |by: usize| [&good[..], &vec![0; by]].concat();
		let mut bad: Vec<Vec<u8>> = (0..good.len()).map(|n| good[..n].to_vec()).collect();
		bad.extend([longer(1), longer(NOTIFICATION_SIZE_MAX as usize)]);
		// Another envelope, another protocol, another version's message.
		bad.extend([with(0, 0), with(0, 3), with(1, 0), with(1, 2), with(2, 3), with(2, 255)]);
		for bytes in bad {
			assert_eq!(ValidationMessage::decode_notification(&bytes), Err(Malformed), "{bytes:?}");
		}
	}
	// The statement's magic word, and its kind.
	let statement = StatementMessage::Statement(hash(LEAF.into()), world.unchecked(1, Seconded, &own()));
	let good = Envelope::ProtocolMessage(ValidationMessage::Statement(statement)).encode();
	assert_eq!(&good[35..39], b"BKNG");
	for (at, byte) in [(35, b'X'), (38, b'X'), (39, 0), (39, 3)] {
		let mut bytes = good.clone();
		bytes[at] = byte;
		assert_eq!(ValidationMessage::decode_notification(&bytes), Err(Malformed), "{at}");
	}
}

type Vote = UncheckedSigned<CompactStatement>;

fn seconded(world: &World) -> Vote {
	world.unchecked(1, Seconded, &own())
}

/// A vote of validator 1, signed for a session and a block of choice.
fn signed_for(world: &World, kind: Kind, session_index: u32, parent: u32) -> Vote {
	let context = SigningContext { session_index, parent_hash: hash(parent.into()) };
	world.signed_in(1, kind, &own(), context).into_unchecked()
}

#[test]
fn statements_that_are_wrong_are_dropped_at_their_price() {
	type Make = fn(&World) -> Vote;
	let minor = |reason| dropped(reason, MINOR);
	let invalid = || dropped(Reason::InvalidSignature, MAJOR);
	let cases: [(&str, u32, u32, Make, Verdict); 10] = [
		("another session", 1, LEAF, |world| signed_for(world, Seconded, 2, LEAF), invalid()),
		("another block", 1, LEAF, |world| signed_for(world, Seconded, SESSION, LEAF - 1), invalid()),
		(
			"signature on another kind",
			1,
			LEAF,
			|world| Vote { signature: world.unchecked(1, Valid, &own()).signature, ..seconded(world) },
			invalid(),
		),
		("unknown block", 1, 77, seconded, minor(Reason::UnknownSchedulingParent)),
		(
			"disabled validator",
			1,
			LEAF,
			|world| world.unchecked(2, Seconded, &own()),
			minor(Reason::DisabledValidator),
		),
		(
			"validator without a group",
			1,
			LEAF,
			|world| Vote { validator_index: ValidatorIndex(9), ..seconded(world) },
			minor(Reason::NotAssigned),
		),
		(
			"validator that there is not",
			1,
			LEAF,
			|world| Vote { validator_index: ValidatorIndex(u32::MAX), ..seconded(world) },
			minor(Reason::NotAssigned),
		),
		(
			"another group",
			1,
			LEAF,
			|world| world.unchecked(3, Seconded, &foreign()),
			minor(Reason::UnexpectedMessage),
		),
		("from nobody", 11, LEAF, seconded, minor(Reason::UnexpectedMessage)),
		("from somebody who is not there", 99, LEAF, seconded, dropped(Reason::UnknownPeer, 0)),
	];
	for (what, from, at, make, verdict) in cases {
		let mut world = world();
		let message = StatementMessage::Statement(hash(at.into()), make(&world));
		check(what, &mut world, from, message, verdict.clone(), verdict);
		assert!(!world.machine.candidates.is_known(own().hash), "{what}");
	}
	let mut world = world();
	let message = StatementMessage::Statement(hash(LEAF.into()), seconded(&world));
	check("replay", &mut world, 1, message, (vec![], FIRST), dropped(Reason::DuplicateMessage, MINOR));
}

#[test]
fn manifests_that_are_wrong_are_dropped_at_their_price() {
	type Change = fn(&mut BackedCandidateManifest);
	let same: Change = |_| {};
	let malformed = || dropped(Reason::MalformedMessage, MAJOR);
	let unexpected = || dropped(Reason::UnexpectedMessage, MINOR);
	let cases: [(&str, u32, Change, Verdict); 14] = [
		("good", NEIGHBOR, same, TAKEN),
		("huge", NEIGHBOR, |m| m.statement_knowledge = huge(), malformed()),
		("empty", NEIGHBOR, |m| m.statement_knowledge = StatementFilter::blank(0), malformed()),
		(
			"one vector too short",
			NEIGHBOR,
			|m| m.statement_knowledge.validated_in_group.truncate(2),
			malformed(),
		),
		("nobody proposed it", NEIGHBOR, |m| m.statement_knowledge = parse("vvv"), malformed()),
		(
			"too few votes",
			NEIGHBOR,
			|m| m.statement_knowledge = parse("b.."),
			dropped(Reason::TooFewVotes, MAJOR),
		),
		("para", NEIGHBOR, |m| m.para_id = ParaId(7), dropped(Reason::ParaNotScheduled, MAJOR)),
		(
			"block",
			NEIGHBOR,
			|m| m.scheduling_parent = hash(77),
			dropped(Reason::UnknownSchedulingParent, MINOR),
		),
		("group", NEIGHBOR, |m| m.group_index = GroupIndex(u32::MAX), unexpected()),
		("our own group", NEIGHBOR, |m| m.group_index = GroupIndex(0), unexpected()),
		("from our own group", 1, same, unexpected()),
		("from a stranger", STRANGER, same, unexpected()),
		("from nobody", 11, same, unexpected()),
		("from somebody who is not there", 99, same, dropped(Reason::UnknownPeer, 0)),
	];
	for (what, from, change, verdict) in cases {
		let mut world = world();
		let mut manifest = world.manifest(1, &foreign(), "sv.");
		change(&mut manifest);
		let message = StatementMessage::BackedCandidateManifest(manifest);
		let taken = verdict == TAKEN;
		check(what, &mut world, from, message, verdict.clone(), verdict);
		assert_eq!(world.machine.candidates.is_known(foreign().hash), taken, "{what}");
	}
}

#[test]
fn acknowledgements_that_are_wrong_are_dropped_at_their_price() {
	type Change = fn(&mut BackedCandidateAcknowledgement);
	let same: Change = |_| {};
	let malformed = || dropped(Reason::MalformedMessage, MAJOR);
	let unexpected = || dropped(Reason::UnexpectedMessage, MINOR);
	let cases: [(&str, u32, Change, Verdict); 10] = [
		("good", NEIGHBOR, same, TAKEN),
		("huge", NEIGHBOR, |a| a.statement_knowledge = huge(), malformed()),
		("empty", NEIGHBOR, |a| a.statement_knowledge = StatementFilter::blank(0), malformed()),
		("nobody proposed it", NEIGHBOR, |a| a.statement_knowledge = parse("vv."), malformed()),
		(
			"too few votes",
			NEIGHBOR,
			|a| a.statement_knowledge = parse("s.."),
			dropped(Reason::TooFewVotes, MAJOR),
		),
		(
			"of what nobody knows",
			NEIGHBOR,
			|a| a.candidate_hash = CandidateHash(hash(5)),
			dropped(Reason::OutOfView, 0),
		),
		("from somebody whom we did not tell", STRANGER, same, unexpected()),
		("from our own group", 1, same, unexpected()),
		("from nobody", 11, same, unexpected()),
		("from somebody who is not there", 99, same, dropped(Reason::UnknownPeer, 0)),
	];
	for (what, from, change, verdict) in cases {
		let mut world = told();
		let mut known =
			BackedCandidateAcknowledgement { candidate_hash: own().hash, statement_knowledge: parse("sv.") };
		change(&mut known);
		let message = StatementMessage::BackedCandidateKnown(known);
		check(what, &mut world, from, message, verdict.clone(), verdict);
	}
	let mut world = told();
	world.acknowledge(NEIGHBOR, &own(), "bv.");
	let output = world.acknowledge(NEIGHBOR, &own(), "sv.");
	assert_eq!(
		(output.reasons, world.reputation(NEIGHBOR)),
		dropped(Reason::CandidateMismatch, MAJOR),
		"an old one"
	);
}

#[test]
fn requests_that_are_wrong_are_refused_at_their_price() {
	let request = |mask| AttestedCandidateRequest { candidate_hash: own().hash, mask }.encode();
	let good = request(parse("..."));
	let unknown = AttestedCandidateRequest { candidate_hash: foreign().hash, mask: parse("...") }.encode();
	let malformed = || dropped(Reason::MalformedMessage, MAJOR);
	let unexpected = || dropped(Reason::UnexpectedMessage, MAJOR);
	let mut cases = vec![
		("good", 1, good.clone(), TAKEN),
		("trailing byte", 1, [&good[..], &[0]].concat(), malformed()),
		("a mask of another group's size", 1, request(parse("....")), malformed()),
		(
			"vectors of different size",
			1,
			request(StatementFilter { seconded_in_group: Default::default(), ..parse("...") }),
			malformed(),
		),
		("all that fits into a request", 1, request(StatementFilter::full(8 * 480)), malformed()),
		("more than fits", 1, vec![0xff; 100_000], malformed()),
		("a candidate that nobody knows", 1, unknown, dropped(Reason::OutOfView, 0)),
		("from somebody whom we did not tell", STRANGER, good.clone(), unexpected()),
		("from nobody", 11, good.clone(), unexpected()),
		("from somebody who is not there", 99, good.clone(), dropped(Reason::UnknownPeer, 0)),
	];
	cases.extend((0..good.len()).map(|n| ("truncated", 1, good[..n].to_vec(), malformed())));
	let mut world = world();
	world.share(Seconded, &own());
	for (id, (what, from, payload, verdict)) in cases.into_iter().enumerate() {
		for again in [0, 1] {
			let id = 2 * id as u64 + again;
			let output = world.ask_with(from, id, payload.clone());
			let (answered, response, change) = output.responses().remove(0);
			assert_eq!((answered, response.is_some()), (id, verdict == TAKEN), "{what}");
			let change = change.map_or(0, |change| change.value().into());
			assert_eq!((output.reasons, change), verdict, "{what}");
			// One request of a peer at a time.
			world.pass(crate::answers::WINDOW.as_millis() as u64);
		}
	}
}

/// A response whose second vote is changed.
fn with_vote(world: &World, change: fn(&World, &mut Vote)) -> Vec<u8> {
	let mut response = world.response(&own(), &[(1, Seconded), (1, Valid)]);
	change(world, &mut response.statements[1]);
	response.encode()
}

#[test]
fn responses_that_are_wrong_are_dropped_at_their_price() {
	type Make = fn(&World, Vec<u8>) -> Vec<u8>;
	let malformed = || dropped(Reason::MalformedMessage, MAJOR);
	// A bad vote costs; the other one and the response are rewarded.
	let rest = 2 * GOOD;
	let unasked = || dropped(Reason::UnexpectedMessage, MAJOR + rest);
	let cases: [(&str, Make, Verdict); 11] = [
		("good", |_, good| good, (vec![], GOOD + rest)),
		("empty", |_, _| Vec::new(), malformed()),
		("truncated", |_, good| good[..good.len() - 1].to_vec(), malformed()),
		("half", |_, good| good[..good.len() / 2].to_vec(), malformed()),
		("trailing byte", |_, good| [good, vec![0]].concat(), malformed()),
		("a megabyte of nothing", |_, _| vec![0xff; 1 << 20], malformed()),
		("a megabyte behind it", |_, good| [good, vec![0; 1 << 20]].concat(), malformed()),
		(
			"another session",
			|world, _| with_vote(world, |world, vote| *vote = signed_for(world, Valid, 2, LEAF)),
			dropped(Reason::InvalidSignature, MAJOR + rest),
		),
		(
			"validator that there is not",
			|world, _| with_vote(world, |_, vote| vote.validator_index = ValidatorIndex(u32::MAX)),
			unasked(),
		),
		(
			"another group",
			|world, _| with_vote(world, |world, vote| *vote = world.unchecked(3, Valid, &own())),
			unasked(),
		),
		("the same twice", |world, _| with_vote(world, |world, vote| *vote = seconded(world)), unasked()),
	];
	for (what, make, verdict) in cases {
		let mut world = world();
		let token = world.receive(1, 1, Seconded, &own()).requests()[0].0;
		world.reputation(1);
		let good = world.response(&own(), &[(1, Seconded), (1, Valid)]).encode();
		let bytes = make(&world, good);
		// An answer to a question that is answered is none.
		for verdict in [verdict, dropped(Reason::UnexpectedMessage, 0)] {
			let output = world.handle(Event::Response { token, result: Ok(bytes.clone()) });
			assert_eq!((output.reasons, world.reputation(1)), verdict, "{what}");
		}
	}
	let event = Event::Response { token: Token(12_345), result: Ok(Vec::new()) };
	assert_eq!(world().handle(event).reasons, [Reason::UnexpectedMessage]);
}
