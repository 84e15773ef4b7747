//! Peers that say anything at any time: nothing panics, the stated bounds hold, every request is answered once, and nothing
//! outlives its scheduling parent.

use super::{builder::*, world::*};
use crate::{
	filter::Kind::{self, Seconded, Valid},
	Effect, Event,
};
use codec::Encode;
use headway_machine::{
	testing::{hash, Bytes},
	wire::{AttestedCandidateRequest, Request, StatementMessage},
	BlockContext, HypotheticalCandidate, Membership, NetworkEffect, PeerId, Recipient, RequestError,
	Subsystem, Token,
};
use headway_primitives::{transpose_claim_queue, CandidateHash, GroupIndex, ParaId, ValidatorIndex};
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

fn kind(bytes: &mut Bytes) -> Kind {
	bytes.one_of(&[Seconded, Valid])
}

/// A filter, one letter per member of a group.
fn letters(bytes: &mut Bytes, n: usize) -> String {
	(0..n).map(|_| bytes.one_of(&['s', 'v', 'b', '.'])).collect()
}

/// Bit vectors that mostly fit the group.
fn knowledge(bytes: &mut Bytes) -> String {
	let n = if bytes.one_in(9) { bytes.below(6) } else { 3 };
	letters(bytes, n)
}

/// Enough votes for a candidate.
fn enough(bytes: &mut Bytes) -> String {
	let first = bytes.one_of(&["sv", "sb", "bs", "bv"]);
	format!("{first}{}", letters(bytes, 1))
}

/// Validators, one that has only a discovery key, and one that nobody knows.
fn who(bytes: &mut Bytes) -> u32 {
	bytes.within(1..12)
}

/// What our group and our neighbours may well say: without it, little of the machine would be reached.
fn likely(bytes: &mut Bytes) -> Step {
	match bytes.below(8) {
		0..=3 => {
			let by = bytes.within(0..3);
			let (from, candidate) = (bytes.within(1..3), 3 * bytes.below(POOL / 3));
			Step::Statement { from, signer: by, by, kind: kind(bytes), candidate, at: None }
		},
		4..=6 => {
			let candidate = 3 * bytes.below(POOL / 3) + 1 + bytes.below(2);
			let (from, knowledge) = (bytes.within(3..9), enough(bytes));
			Step::Manifest { from, candidate, group: None, para: None, parent: None, knowledge }
		},
		_ => Step::Acknowledge {
			from: bytes.within(3..9),
			candidate: bytes.below(POOL),
			knowledge: enough(bytes),
		},
	}
}

/// What anybody may say.
fn message(bytes: &mut Bytes) -> Step {
	let (from, candidate) = (who(bytes), bytes.below(POOL));
	match bytes.below(16) {
		0..=5 => {
			let signer = bytes.within(0..9);
			let by = if bytes.one_in(10) { bytes.within(0..12) } else { signer };
			let at = bytes.one_in(10).then(|| bytes.within(7..16));
			Step::Statement { from, signer, by, kind: kind(bytes), candidate, at }
		},
		6..=9 => Step::Manifest {
			from,
			candidate,
			group: bytes.one_in(5).then(|| bytes.within(0..5)),
			para: bytes.one_in(10).then(|| bytes.within(999..1004)),
			parent: bytes.one_in(10).then(|| bytes.within(0..3).into()),
			knowledge: knowledge(bytes),
		},
		10 | 11 => Step::Acknowledge { from, candidate, knowledge: knowledge(bytes) },
		12..=14 => Step::Ask { from, candidate, mask: knowledge(bytes) },
		_ => Step::AskWith { from, payload: bytes.some(80, |bytes| bytes.below(256) as u8) },
	}
}

/// What changes around us.
fn change(bytes: &mut Bytes) -> Step {
	match bytes.below(33) {
		0..=8 => Step::Pass(bytes.within(0..2_000).into()),
		9..=17 => Step::PeerView(who(bytes), bytes.some(8, |bytes| bytes.within(LEAF - 1..NEWEST + 2))),
		18..=20 => Step::Connect(bytes.within(1..10)),
		21 => Step::ConnectNameless(who(bytes)),
		22 | 23 => Step::Disconnect(who(bytes)),
		24 => Step::Identify(who(bytes), bytes.some(2, |bytes| bytes.within(0..10))),
		25..=27 => {
			let instead = bytes.coin().then(|| bytes.below(3));
			Step::Leaf { number: bytes.within(LEAF..NEWEST + 1), instead }
		},
		28 => Step::Deactivate(1 + bytes.below(5)),
		29 => Step::Topology,
		30 => Step::Importable(!bytes.one_in(3)),
		_ => Step::Membership {
			token: bytes.within(0..60).into(),
			candidate: bytes.below(POOL),
			leaf: bytes.within(7..NEWEST + 1),
		},
	}
}

fn step(bytes: &mut Bytes) -> Step {
	match bytes.below(48) {
		0..=11 => {
			let request = bytes.below(10);
			let candidate = bytes.one_in(10).then(|| bytes.below(POOL));
			let votes = match bytes.below(3) {
				0 | 1 => vec![(0, Seconded), (1, Valid)],
				_ => bytes.some(8, |bytes| (bytes.within(0..4), kind(bytes))),
			};
			Step::Respond { request, candidate, votes }
		},
		12..=27 => likely(bytes),
		28..=35 => message(bytes),
		36..=39 => change(bytes),
		40..=42 => Step::Share(kind(bytes), bytes.below(POOL)),
		43..=46 => Step::Backed(bytes.below(POOL)),
		_ => {
			let request = bytes.below(10);
			let garbage = |bytes: &mut Bytes| bytes.some(600, |bytes| bytes.below(256) as u8);
			Step::RespondWith { request, bytes: bytes.coin().then(|| garbage(bytes)) }
		},
	}
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
		assert_eq!(machine.sizes().exceeded(), None);
		let busy: BTreeSet<_> = self.requests.values().map(|(peer, _)| peer).collect();
		assert_eq!(busy.len(), self.requests.len(), "one request for each peer");
		assert!(machine.requests.has_only_connected(|peer| machine.peers.is_connected(peer)));
		for id in machine.requests.ids() {
			assert!(machine.candidates.is_known(id.candidate));
			assert!(machine.candidates.confirmed(id.candidate).is_none(), "what is here is not asked for");
		}
		assert!(machine.parents.keys().all(|hash| machine.view.contains(hash)));
		assert!(machine.candidates.is_within(|hash| machine.parents.contains_key(hash)));
		assert!(machine.answers.has_one_per_peer());
		for parent in machine.parents.values() {
			let session = machine.sessions.get(parent.session).expect("a block's session is known");
			let views: Vec<_> = (0..3).filter_map(|g| session.grid.as_ref()?.group(GroupIndex(g))).collect();
			let is_neighbor = |validator: &ValidatorIndex| {
				views
					.iter()
					.any(|view| view.sending.contains(validator) || view.receiving.contains(validator))
			};
			assert!(parent.grid.knows_only_neighbors(is_neighbor));
			assert!(parent.cluster.as_ref().is_some_and(|cluster| cluster.tracker.votes_follow_knowledge()));
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

fn check(steps: Vec<Step>) {
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

// Signatures take their time.
headway_machine::arbitrary_events! {
	#[test]
	fn whatever_peers_say_nothing_panics_and_nothing_stays(steps: step, bytes: 1..2000, fewer_cases: 4) {
		check(steps);
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
