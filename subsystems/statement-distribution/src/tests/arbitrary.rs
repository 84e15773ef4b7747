//! Peers that say anything at any time: nothing panics, the stated bounds hold, every request is answered once, and nothing
//! outlives its scheduling parent.

use super::{builder::*, world::*};
use crate::{
	filter::Kind::{self, Seconded, Valid},
	Effect, Event,
};
use codec::Encode;
use headway_machine::{
	testing::hash,
	wire::{AttestedCandidateRequest, Request, StatementMessage},
	BlockContext, HypotheticalCandidate, Membership, NetworkEffect, PeerId, Recipient, RequestError, Token,
};
use headway_primitives::{transpose_claim_queue, CandidateHash, GroupIndex, ParaId, ValidatorIndex};
use proptest::{collection::vec, option, prelude::*};
use std::collections::{BTreeMap, BTreeSet};

/// Candidates that events are about.
const POOL: usize = 30;
/// The newest block.
const NEWEST: u32 = LEAF + 3;

#[derive(Clone, Debug)]
enum Step {
	/// A statement; by `by`, but signed by `signer`.
	Statement {
		from: u32,
		signer: u32,
		by: u32,
		kind: Kind,
		candidate: usize,
		at: Option<u32>,
	},
	/// A manifest; whatever is given is not the candidate's.
	Manifest {
		from: u32,
		candidate: usize,
		group: Option<u32>,
		para: Option<u32>,
		parent: Option<u64>,
		knowledge: String,
	},
	Acknowledge {
		from: u32,
		candidate: usize,
		knowledge: String,
	},
	Share(Kind, usize),
	Backed(usize),
	Ask {
		from: u32,
		candidate: usize,
		mask: String,
	},
	AskWith {
		from: u32,
		payload: Vec<u8>,
	},
	/// A request of ours comes back; with another candidate, if one is given.
	Respond {
		request: usize,
		candidate: Option<usize>,
		votes: Vec<(u32, Kind)>,
	},
	RespondWith {
		request: usize,
		bytes: Option<Vec<u8>>,
	},
	Connect(u32),
	ConnectNameless(u32),
	Disconnect(u32),
	Identify(u32, Vec<u32>),
	PeerView(u32, Vec<u32>),
	Leaf {
		number: u32,
		instead: Option<usize>,
	},
	Deactivate(usize),
	Topology,
	/// Prospective parachains take candidates from now on, or do not.
	Importable(bool),
	/// They answer what they were asked, or not.
	Membership {
		token: u64,
		candidate: usize,
		leaf: u32,
	},
	Pass(u64),
}

fn kind() -> impl Strategy<Value = Kind> {
	prop_oneof![Just(Seconded), Just(Valid)]
}

/// Bit vectors that mostly fit the group.
fn knowledge() -> impl Strategy<Value = String> {
	prop_oneof![8 => "[.svb]{3}", 1 => "[.svb]{0,5}"]
}

/// Validators, one that has only a discovery key, and one that nobody knows.
fn who() -> impl Strategy<Value = u32> {
	1..12u32
}

/// What our group and our neighbours may well say: without it, little of the machine would be reached.
fn likely() -> impl Strategy<Value = Step> {
	let of_our_group = (0..POOL / 3).prop_map(|i| 3 * i);
	let statement = (1..3u32, 0..3u32, kind(), of_our_group);
	let of_another = (0..POOL / 3, 1..3usize).prop_map(|(i, group)| 3 * i + group);
	let knowledge = || prop_oneof!["s[vb][.svb]", "b[.sv]v"];
	prop_oneof![
		4 => statement.prop_map(|(from, by, kind, candidate)| {
			Step::Statement { from, signer: by, by, kind, candidate, at: None }
		}),
		3 => (3..9u32, of_another, knowledge()).prop_map(|(from, candidate, knowledge)| {
			Step::Manifest { from, candidate, group: None, para: None, parent: None, knowledge }
		}),
		1 => (3..9u32, 0..POOL, knowledge())
			.prop_map(|(from, candidate, knowledge)| Step::Acknowledge { from, candidate, knowledge }),
	]
}

/// What anybody may say.
fn message() -> impl Strategy<Value = Step> {
	let by = option::weighted(0.1, 0..12u32);
	let statement = (who(), 0..9u32, by, kind(), 0..POOL, option::weighted(0.1, 7..16u32));
	let (group, para) = (option::weighted(0.2, 0..5u32), option::weighted(0.1, 999..1004u32));
	let manifest = (who(), 0..POOL, group, para, option::weighted(0.1, 0..3u64), knowledge());
	prop_oneof![
		6 => statement.prop_map(|(from, signer, by, kind, candidate, at)| {
			Step::Statement { from, signer, by: by.unwrap_or(signer), kind, candidate, at }
		}),
		4 => manifest.prop_map(|(from, candidate, group, para, parent, knowledge)| {
			Step::Manifest { from, candidate, group, para, parent, knowledge }
		}),
		2 => (who(), 0..POOL, knowledge())
			.prop_map(|(from, candidate, knowledge)| Step::Acknowledge { from, candidate, knowledge }),
		3 => (who(), 0..POOL, knowledge()).prop_map(|(from, candidate, mask)| Step::Ask { from, candidate, mask }),
		1 => (who(), vec(any::<u8>(), 0..80)).prop_map(|(from, payload)| Step::AskWith { from, payload }),
	]
}

/// What changes around us.
fn change() -> impl Strategy<Value = Step> {
	prop_oneof![
		3 => (1..10u32).prop_map(Step::Connect),
		1 => who().prop_map(Step::ConnectNameless),
		2 => who().prop_map(Step::Disconnect),
		1 => (who(), vec(0..10u32, 0..3)).prop_map(|(who, validators)| Step::Identify(who, validators)),
		9 => (who(), vec(LEAF - 1..=NEWEST + 1, 0..9)).prop_map(|(who, heads)| Step::PeerView(who, heads)),
		3 => (LEAF..=NEWEST, option::of(0..3usize)).prop_map(|(number, instead)| Step::Leaf { number, instead }),
		1 => (1..6usize).prop_map(Step::Deactivate),
		1 => Just(Step::Topology),
		1 => proptest::bool::weighted(0.7).prop_map(Step::Importable),
		2 => (0..60u64, 0..POOL, 7..=NEWEST)
			.prop_map(|(token, candidate, leaf)| Step::Membership { token, candidate, leaf }),
		9 => (0..2_000u64).prop_map(Step::Pass),
	]
}

fn step() -> impl Strategy<Value = Step> {
	let good = || Just(vec![(0, Seconded), (1, Valid)]);
	let votes = prop_oneof![2 => good(), 1 => vec((0..4u32, kind()), 0..9)];
	prop_oneof![
		16 => likely(),
		8 => message(),
		4 => change(),
		3 => (kind(), 0..POOL).prop_map(|(kind, candidate)| Step::Share(kind, candidate)),
		4 => (0..POOL).prop_map(Step::Backed),
		12 => (0..10usize, option::weighted(0.1, 0..POOL), votes)
			.prop_map(|(request, candidate, votes)| Step::Respond { request, candidate, votes }),
		1 => (0..10usize, option::of(vec(any::<u8>(), 0..600)))
			.prop_map(|(request, bytes)| Step::RespondWith { request, bytes }),
	]
}

/// One place for each core: then the limits are soon reached.
fn one_place(block: &mut BlockContext) {
	block.claim_queue.values_mut().for_each(|paras| paras.truncate(1));
	block.transposed_claim_queue = transpose_claim_queue(&block.claim_queue);
}

/// Of all groups, at two blocks, more for each than there may be.
fn pool() -> Vec<Built> {
	let candidate = |i: u32| {
		let core = i % 3;
		let (para, scheduling_parent) = (1000 + core, LEAF + i / 15);
		build(&CandidateSpec { para, core, salt: i as u8, scheduling_parent, ..Default::default() })
	};
	(0..POOL as u32).map(candidate).collect()
}

struct Run {
	world: World,
	pool: Vec<Built>,
	leaves: Vec<u32>,
	/// Requests of ours under way: whom, and what about.
	requests: BTreeMap<Token, (PeerId, CandidateHash)>,
	/// Requests of peers.
	asked: BTreeSet<u64>,
	answered: BTreeSet<u64>,
}

impl Run {
	fn take(&mut self, step: Step) {
		let Self { world, pool, leaves, .. } = self;
		let output = match step {
			Step::Statement { from, signer, by, kind, candidate, at } => {
				let mut statement = world.unchecked(signer, kind, &pool[candidate]);
				statement.validator_index = ValidatorIndex(by);
				let own = pool[candidate].receipt.descriptor.scheduling_parent();
				let at = at.map_or(own, |at| hash(at.into()));
				world.message(from, StatementMessage::Statement(at, statement))
			},
			Step::Manifest { from, candidate, group, para, parent, knowledge } => {
				let mut manifest = world.manifest(candidate as u32 % 3, &pool[candidate], &knowledge);
				manifest.group_index = group.map_or(manifest.group_index, GroupIndex);
				manifest.para_id = para.map_or(manifest.para_id, ParaId);
				manifest.parent_head_data_hash = parent.map_or(manifest.parent_head_data_hash, hash);
				world.message(from, StatementMessage::BackedCandidateManifest(manifest))
			},
			Step::Acknowledge { from, candidate, knowledge } => {
				world.acknowledge(from, &pool[candidate], &knowledge)
			},
			Step::Share(kind, candidate) => world.share(kind, &pool[candidate]),
			Step::Backed(candidate) => world.backed(&pool[candidate]),
			Step::Ask { from, candidate, mask } => {
				let mask = crate::filter::parse(&mask);
				let candidate_hash = pool[candidate].hash;
				return self.ask(from, AttestedCandidateRequest { candidate_hash, mask }.encode());
			},
			Step::AskWith { from, payload } => return self.ask(from, payload),
			Step::Respond { request, candidate, votes } => {
				let Some((token, (_, wanted))) = self.requests.iter().nth(request) else { return };
				let (token, wanted) = (*token, *wanted);
				let found = pool.iter().position(|built| built.hash == wanted).expect("one of the pool");
				let candidate = candidate.unwrap_or(found);
				let group = 3 * (candidate as u32 % 3);
				let votes: Vec<_> = votes.iter().map(|(i, kind)| ((group + i) % 9, *kind)).collect();
				let response = world.response(&pool[candidate], &votes);
				self.requests.remove(&token);
				world.returns(token, Ok(response))
			},
			Step::RespondWith { request, bytes } => {
				let Some(token) = self.requests.keys().nth(request).copied() else { return };
				self.requests.remove(&token);
				world.handle(Event::Response { token, result: bytes.ok_or(RequestError::Timeout) })
			},
			Step::Connect(who) => world.connect(who),
			Step::ConnectNameless(who) => world.connect_nameless(who),
			Step::Disconnect(who) => world.disconnect(who),
			Step::Identify(who, validators) => world.identify(who, &validators),
			Step::PeerView(who, heads) => world.peer_view(who, &heads),
			Step::Leaf { number, instead } => {
				if leaves.contains(&number) {
					return;
				}
				let instead = instead.filter(|i| *i < leaves.len()).map(|i| leaves.remove(i));
				leaves.push(number);
				world.leaf(number, instead.as_slice(), one_place)
			},
			Step::Deactivate(leaf) if leaf < leaves.len() => world.deactivate(leaves.remove(leaf)),
			Step::Deactivate(_) => return,
			Step::Topology => world.topology(),
			Step::Importable(importable) => {
				world.importable = importable;
				return;
			},
			Step::Membership { token, candidate, leaf } => {
				let Built { hash: candidate_hash, receipt, data } = pool[candidate].clone();
				let (receipt, validation_data) = (receipt.into(), data.into());
				let candidate = HypotheticalCandidate::Complete { candidate_hash, receipt, validation_data };
				let leaves = vec![(candidate, vec![hash(leaf.into())])];
				world.handle(Event::Membership(Membership { token: Token(token), leaves }))
			},
			Step::Pass(millis) => world.pass(millis),
		};
		self.note(output);
	}

	fn ask(&mut self, from: u32, payload: Vec<u8>) {
		let id = self.asked.len() as u64;
		self.asked.insert(id);
		let output = self.world.ask_with(from, id, payload);
		self.note(output);
	}

	/// What was asked for is for those that are there, and asked for once.
	fn note(&mut self, output: Output) {
		let machine = &self.world.machine;
		for effect in &output.effects {
			match effect {
				Effect::Network(NetworkEffect::SendValidation { peers, .. }) => {
					assert!(peers.iter().all(|peer| machine.peers.is_connected(peer)));
				},
				Effect::Network(NetworkEffect::Request {
					token,
					recipient: Recipient::Peer(peer),
					request: Request::AttestedCandidate(request),
				}) => {
					assert!(machine.peers.is_connected(peer));
					let known = self.requests.insert(*token, (peer.clone(), request.candidate_hash));
					assert!(known.is_none(), "a token is used once");
				},
				_ => {},
			}
		}
		for (id, ..) in output.responses() {
			assert!(self.asked.contains(&id) && self.answered.insert(id), "{id} is answered once");
		}
		self.check_bounds();
	}

	/// What the documentation of the machine's parts promises.
	fn check_bounds(&self) {
		let machine = &self.world.machine;
		assert!(self.requests.len() <= crate::requests::IN_FLIGHT_MAX);
		let busy: BTreeSet<_> = self.requests.values().map(|(peer, _)| peer).collect();
		assert_eq!(busy.len(), self.requests.len(), "one request for each peer");
		assert!(machine.requests.is_within_bounds(|peer| machine.peers.is_connected(peer)));
		for id in machine.requests.ids() {
			assert!(machine.candidates.is_known(id.candidate));
			assert!(machine.candidates.confirmed(id.candidate).is_none(), "what is here is not asked for");
		}
		assert!(machine.parents.keys().all(|hash| machine.view.contains(hash)));
		assert!(machine.candidates.is_within(|hash| machine.parents.contains_key(hash)));
		assert!(machine.answers.is_within_bounds());
		for parent in machine.parents.values() {
			let session = machine.sessions.get(SESSION).expect("a block's session is known");
			let views: Vec<_> = (0..3).filter_map(|g| session.grid.as_ref()?.group(GroupIndex(g))).collect();
			let is_neighbor = |validator: &ValidatorIndex| {
				views
					.iter()
					.any(|view| view.sending.contains(validator) || view.receiving.contains(validator))
			};
			let proposals_max = |group, para| {
				let rules = parent.manifest_rules(group, para);
				rules.group_size * rules.seconding_limit
			};
			assert!(parent.grid.is_within_bounds(is_neighbor, proposals_max));
			assert!(parent.cluster.as_ref().is_some_and(|cluster| cluster.tracker.is_within_bounds()));
		}
	}

	/// All leaves go, and nothing is left.
	fn finish(mut self) {
		let output = self.world.pass(10_000);
		self.note(output);
		assert_eq!(self.asked, self.answered, "every request is answered");
		while let Some(leaf) = self.leaves.pop() {
			let output = self.world.deactivate(leaf);
			self.note(output);
		}
		let machine = &self.world.machine;
		assert!(machine.parents.is_empty() && machine.requests.ids().is_empty());
		assert!(self.pool.iter().all(|candidate| !machine.candidates.is_known(candidate.hash)));
	}
}

proptest! {
	#![proptest_config(ProptestConfig {
		// Signatures take their time; `PROPTEST_CASES` makes it longer.
		cases: ProptestConfig::default().cases / 4,
		failure_persistence: None,
		..Default::default()
	})]

	#[test]
	fn whatever_peers_say_nothing_panics_and_nothing_stays(steps in vec(step(), 1..300)) {
		let mut run = Run {
			world: World::with(Some(0), one_place),
			pool: pool(),
			leaves: vec![LEAF],
			requests: BTreeMap::new(),
			asked: BTreeSet::new(),
			answered: BTreeSet::new(),
		};
		// Somebody of whom nobody knows anything.
		run.world.connect_nameless(11);
		run.world.peer_view(11, &[LEAF]);
		for step in steps {
			run.take(step);
		}
		run.finish();
	}
}

#[test]
fn candidates_of_the_pool_are_good_ones() {
	// If candidates of the pool were refused for what they are, arbitrary events would reach little.
	let mut world = World::with(Some(0), one_place);
	let pool = pool();
	let token = world.receive(1, 1, Seconded, &pool[0]).requests()[0].0;
	let response = world.response(&pool[0], &[(1, Seconded)]);
	assert_eq!(world.returns(token, Ok(response)).to_backing(), [(1, Seconded)]);
	let teller = world.teller(1);
	world.fetch_from(teller, 1, &pool[1], &[(3, Seconded), (4, Valid)], "sv.");
}
