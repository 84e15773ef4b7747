//! Peers that say anything at any time: nothing panics, every request is answered once, and nothing outlives its
//! scheduling parent.

use super::{builder::*, world::*};
use crate::{
	filter::Kind::{self, Seconded, Valid},
	requests::IN_FLIGHT_MAX,
	Event,
};
use headway_machine::{
	testing::{hash, peer},
	wire::{InboundRequest, RequestProtocol, StatementMessage},
	InboundRequestId, RequestError, Token,
};
use headway_primitives::{GroupIndex, ParaId, ValidatorIndex};
use std::collections::BTreeSet;

struct Random(u64);

impl Random {
	fn below(&mut self, n: u32) -> u32 {
		self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
		((self.0 >> 33) % u64::from(n)) as u32
	}

	fn kind(&mut self) -> Kind {
		[Seconded, Valid][self.below(2) as usize]
	}

	/// Bit vectors that mostly fit the group.
	fn knowledge(&mut self) -> String {
		let length = [3, 3, 3, 3, 3, 3, 2, 4, 0][self.below(9) as usize];
		(0..length).map(|_| ['.', 's', 'v', 'b'][self.below(4) as usize]).collect()
	}
}

/// One random event; whatever comes of it.
fn step(world: &mut World, random: &mut Random, candidates: &[Built], tokens: &mut Vec<Token>) -> Output {
	let from = 1 + random.below(10);
	let by = random.below(10);
	let candidate = &candidates[random.below(candidates.len() as u32) as usize];
	let knowledge = random.knowledge();
	match random.below(13) {
		0..=2 if by < 9 => world.receive(from, by, random.kind(), candidate),
		3 if by < 9 => {
			let mut forged = world.unchecked(by, random.kind(), candidate);
			forged.validator_index = ValidatorIndex(random.below(12));
			let parent = hash(u64::from(LEAF) + u64::from(random.below(3)));
			world.message(from, StatementMessage::Statement(parent, forged))
		},
		4 | 5 => world.tell(from, random.below(4), candidate, &knowledge),
		6 => {
			let mut manifest = world.manifest(1, candidate, &knowledge);
			manifest.group_index = GroupIndex(random.below(5));
			manifest.para_id = ParaId(1000 + random.below(4));
			manifest.parent_head_data_hash = hash(random.below(2).into());
			world.message(from, StatementMessage::BackedCandidateManifest(manifest))
		},
		7 => world.acknowledge(from, candidate, &knowledge),
		8 => {
			let output = world.share(random.kind(), candidate);
			if random.below(2) == 0 {
				let backed = world.backed(candidate);
				return Output {
					effects: output.effects.into_iter().chain(backed.effects).collect(),
					..Output::default()
				};
			}
			output
		},
		9 | 10 if !tokens.is_empty() => {
			let token = tokens.remove(random.below(tokens.len() as u32) as usize);
			if random.below(3) == 0 {
				return world.returns(token, Err(RequestError::Timeout));
			}
			let group = 3 * random.below(3);
			let statements: Vec<_> = (0..random.below(9)).map(|i| (group + i % 3, random.kind())).collect();
			let response = world.response(candidate, &statements);
			world.returns(token, Ok(response))
		},
		11 => match random.below(4) {
			0 => world.disconnect(from),
			1 if from < 10 => world.connect(from),
			_ => world.peer_view(from, &[LEAF + random.below(3)]),
		},
		_ => world.pass(random.below(700).into()),
	}
}

/// A random request, mostly one that decodes.
fn ask(world: &mut World, random: &mut Random, candidates: &[Built], id: u64) -> Output {
	let from = 1 + random.below(10);
	if random.below(4) > 0 {
		let candidate = &candidates[random.below(candidates.len() as u32) as usize];
		return world.ask(from, id, candidate, &random.knowledge());
	}
	let payload = (0..random.below(80)).map(|_| random.below(256) as u8).collect();
	world.handle(Event::Request(InboundRequest {
		peer: peer(from as u8),
		id: InboundRequestId(id),
		protocol: RequestProtocol::AttestedCandidate,
		payload,
	}))
}

#[test]
fn whatever_peers_say_nothing_panics_and_nothing_stays() {
	let mut requests = 0;
	for seed in 0..12 {
		let mut world = World::new(0);
		let mut random = Random(seed);
		let candidates: Vec<_> = (0..12u32)
			.map(|i| {
				let core = i % 3;
				let scheduling_parent = LEAF + i / 6;
				let (para, salt) = (1000 + core, i as u8);
				build(&CandidateSpec { para, core, salt, scheduling_parent, ..Default::default() })
			})
			.collect();
		let (mut asked, mut answered) = (BTreeSet::new(), BTreeSet::new());
		let mut tokens = Vec::new();
		for id in 0..1500u64 {
			if id == 700 {
				world.leaf(LEAF + 1, &[LEAF], |_| {});
			}
			let output = match random.below(7) {
				0 => {
					asked.insert(id);
					ask(&mut world, &mut random, &candidates, id)
				},
				_ => step(&mut world, &mut random, &candidates, &mut tokens),
			};
			tokens.extend(output.requests().into_iter().map(|(token, ..)| token));
			assert!(tokens.len() <= IN_FLIGHT_MAX);
			requests += output.requests().len();
			for (id, ..) in answers(&output) {
				assert!(asked.contains(&id) && answered.insert(id), "{id} is answered once");
			}
		}
		answered.extend(answers(&world.pass(10_000)).into_iter().map(|(id, _)| id));
		assert_eq!(asked, answered, "every request is answered");
		world.deactivate(LEAF + 1);
		let machine = &world.machine;
		assert!(machine.parents.is_empty() && machine.requests.ids().is_empty());
		assert_eq!(machine.candidates.all_confirmed().count(), 0);
		assert!(candidates.iter().all(|candidate| !machine.candidates.is_known(candidate.hash)));
	}
	assert!(requests > 100, "{requests} requests");
}

fn answers(output: &Output) -> Vec<(u64, bool)> {
	output.responses().into_iter().map(|(id, response, _)| (id, response.is_some())).collect()
}
