//! Several machines and a network between them: each with its own contexts, and a minimal backing that votes for whatever
//! its group proposes.

use super::{builder::*, world::number};
use crate::{
	filter::{show, Kind},
	Effect, Event, StatementDistribution,
};
use headway_machine::{
	grid::Topology,
	sign,
	testing::{hash, peer, session, validator_keys, verifier, TestSigner},
	wire::{CollationVersion, InboundRequest, ViewMessage},
	Effects, InboundRequestId, Membership, NetworkEffect, NetworkEvent, ObservedRole, PeerSet, Recipient,
	RequestError, SessionContext, Stage, StatementWithPvd, Subsystem, Timestamp, Token,
};
use headway_primitives::{
	CandidateHash, PersistedValidationData, Signed, SigningContext, Statement, ValidatorIndex,
};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
	time::Duration,
};

const BACKING_VOTES: usize = 2;

struct Node {
	machine: StatementDistribution,
	session: Arc<SessionContext>,
	/// What its backing knows: candidate to voters.
	votes: BTreeMap<CandidateHash, BTreeSet<ValidatorIndex>>,
	/// Candidates that its backing voted for, and those that it found backed.
	voted: BTreeSet<CandidateHash>,
	backed: BTreeSet<CandidateHash>,
	/// Validation data seen, by candidate.
	seen_data: BTreeMap<CandidateHash, Arc<PersistedValidationData>>,
}

/// An event on its way, from a node (or its own surroundings) to a node.
struct Delivery {
	link: (usize, usize),
	event: Event,
}

pub(super) struct Net {
	nodes: Vec<Node>,
	signer: TestSigner,
	now: Timestamp,
	queue: VecDeque<Delivery>,
	/// What nodes earned or cost: by whom, whose.
	reputations: BTreeMap<(usize, usize), i64>,
	/// Where an answer belongs.
	requests: BTreeMap<u64, (usize, Token)>,
	random: u64,
	/// Everything that happened, for comparison.
	pub(super) log: Vec<String>,
}

impl Net {
	/// Validators in groups, and `inactive` more that only have discovery keys. All know each other and the topology.
	pub(super) fn new(groups: Vec<Vec<u32>>, inactive: u32, seed: u64) -> Self {
		let n: u32 = groups.iter().map(|group| group.len() as u32).sum();
		let (keys, all) = (validator_keys(n), validator_keys(n + inactive));
		let discovery_keys = session(SESSION, &all, vec![], None).info.discovery_keys.clone();
		let node = |i: u32| {
			let mut context = session(SESSION, &keys, groups.clone(), (i < n).then_some(i)).as_ref().clone();
			context.info.discovery_keys = discovery_keys.clone();
			context.local_discovery_index = Some(i);
			context.topology_randomness = [7; 32];
			Node {
				machine: StatementDistribution::new(verifier()),
				session: Arc::new(context),
				votes: BTreeMap::new(),
				voted: BTreeSet::new(),
				backed: BTreeSet::new(),
				seen_data: BTreeMap::new(),
			}
		};
		let mut net = Self {
			nodes: (0..n + inactive).map(node).collect(),
			signer: TestSigner(keys),
			now: Timestamp::from_unix_ms(1_000_000),
			queue: VecDeque::new(),
			reputations: BTreeMap::new(),
			requests: BTreeMap::new(),
			random: seed,
			log: Vec::new(),
		};
		for i in 0..net.nodes.len() {
			for other in (0..net.nodes.len()).filter(|other| *other != i) {
				let connected = NetworkEvent::PeerConnected {
					peer: peer(other as u8),
					set: PeerSet::Validation,
					version: CollationVersion::V3,
					role: ObservedRole::Authority,
					authority_ids: [discovery_keys[other].clone()].into(),
				};
				net.push(other, i, Event::Network(connected));
			}
			let session = &net.nodes[i].session;
			let topology = Topology::new(&session.info, &session.topology_randomness, Some(i as u32));
			let topology = NetworkEvent::NewTopology { session: SESSION, topology: Arc::new(topology) };
			net.push(i, i, Event::Network(topology));
		}
		net
	}

	fn push(&mut self, from: usize, to: usize, event: Event) {
		self.queue.push_back(Delivery { link: (from, to), event });
	}

	/// A node imports a block on top of the one before, and tells everybody.
	pub(super) fn leaf(&mut self, node: usize, number: u32, previous: Option<u32>) {
		let leaf = leaf_at(number, &self.nodes[node].session, |_| {});
		let previous: Vec<u32> = previous.into_iter().collect();
		self.push(node, node, Event::Leaves(activate(leaf, &previous)));
		let view = ViewMessage { heads: vec![hash(number.into())], finalized_number: 0 };
		for other in (0..self.nodes.len()).filter(|other| *other != node) {
			let (peer, set) = (peer(node as u8), PeerSet::Validation);
			let event = NetworkEvent::PeerViewChange { peer, set, view: view.clone() };
			self.push(node, other, Event::Network(event));
		}
	}

	/// A validator's backing makes a statement.
	fn share(&mut self, node: usize, statement: Statement, data: Option<Arc<PersistedValidationData>>) {
		let compact = statement.to_compact();
		let candidate = compact.candidate_hash();
		let local = ValidatorIndex(node as u32);
		let context = SigningContext { session_index: SESSION, parent_hash: hash(LEAF.into()) };
		let key = &self.nodes[node].session.info.validators[node];
		let signed: Signed<_> = sign(&self.signer, &context, key, local, compact).unwrap();
		// Deterministic runs need deterministic bytes, and sr25519 signatures are randomized: what is compared is the log.
		let statement = signed.map_payload(|_| statement);
		let statement = StatementWithPvd { statement, validation_data: data };
		let event = Event::Share { scheduling_parent: hash(LEAF.into()), statement: statement.clone() };
		self.push(node, node, event);
		self.nodes[node].voted.insert(candidate);
		if let Some(data) = &statement.validation_data {
			self.nodes[node].seen_data.insert(candidate, data.clone());
		}
		self.vote(node, candidate, local);
	}

	/// A validator proposes a candidate.
	pub(super) fn second(&mut self, node: usize, spec: &CandidateSpec) -> CandidateHash {
		let (receipt, data) = candidate(spec);
		let hash = receipt.hash();
		self.share(node, Statement::Seconded(receipt), Some(Arc::new(data)));
		hash
	}

	fn vote(&mut self, node: usize, candidate: CandidateHash, by: ValidatorIndex) {
		let votes = self.nodes[node].votes.entry(candidate).or_default();
		votes.insert(by);
		if votes.len() >= BACKING_VOTES && self.nodes[node].backed.insert(candidate) {
			self.push(node, node, Event::Backed { candidate_hash: candidate });
		}
	}

	/// What a node's backing does with a statement.
	fn import(&mut self, node: usize, statement: StatementWithPvd) {
		let (by, candidate) = (statement.validator_index(), statement.candidate_hash());
		let state = &mut self.nodes[node];
		match &statement.validation_data {
			Some(data) => drop(state.seen_data.insert(candidate, data.clone())),
			None => assert!(state.seen_data.contains_key(&candidate), "seconded comes before valid"),
		}
		self.vote(node, candidate, by);
		let context = self.nodes[node].session.clone();
		let local = context.local_validator;
		let same_group = local.is_some_and(|local| context.group_of(local) == context.group_of(by));
		if same_group && !self.nodes[node].voted.contains(&candidate) {
			self.share(node, Statement::Valid(candidate), None);
		}
	}

	fn draw(&mut self, below: usize) -> usize {
		self.random =
			self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
		((self.random >> 33) as usize) % below
	}

	/// Delivers until nothing is on its way and nobody waits for anything, for at most ten seconds. Messages of one node to
	/// another stay in order; otherwise any may overtake any.
	pub(super) fn settle(&mut self) {
		let end = self.now + Duration::from_secs(10);
		loop {
			while !self.queue.is_empty() {
				let any = self.draw(self.queue.len());
				let link = self.queue[any].link;
				let first = self.queue.iter().position(|delivery| delivery.link == link).unwrap();
				let delivery = self.queue.remove(first).unwrap();
				let (_, to) = delivery.link;
				self.log.push(format!("{:?} {}", delivery.link, describe(&delivery.event)));
				self.run(to, |machine, now, effects| machine.handle(now, delivery.event, effects));
			}
			let deadline = |node: &Node| node.machine.next_deadline();
			let Some(next) = self.nodes.iter().filter_map(deadline).min().filter(|at| *at < end) else {
				return;
			};
			self.now = self.now.max(next);
			for node in 0..self.nodes.len() {
				if self.nodes[node].machine.next_deadline().is_some_and(|at| at <= self.now) {
					self.run(node, |machine, now, effects| machine.tick(now, effects));
				}
			}
		}
	}

	fn run(
		&mut self,
		node: usize,
		run: impl FnOnce(&mut StatementDistribution, Timestamp, &mut Effects<Effect>),
	) {
		let mut effects = Effects::new();
		run(&mut self.nodes[node].machine, self.now, &mut effects);
		for trace in effects.take_traces() {
			if let Stage::Dropped(reason) = trace.stage {
				self.log.push(format!("{node} dropped {}", reason.label()));
			}
		}
		while let Some(effect) = effects.pop() {
			match effect {
				Effect::Statement { statement, .. } => self.import(node, statement),
				Effect::Membership(query) => {
					// Wherever its scheduling parent is in the allowed ancestry: everywhere, here.
					let leaves = [LEAF, LEAF + 1].map(|number| hash(number.into())).to_vec();
					let leaves = query.candidates.into_iter().map(|candidate| (candidate, leaves.clone()));
					let answer = Membership { token: query.token, leaves: leaves.collect() };
					self.push(node, node, Event::Membership(answer));
				},
				Effect::Network(effect) => self.network(node, effect),
			}
		}
	}

	fn network(&mut self, from: usize, effect: NetworkEffect) {
		match effect {
			NetworkEffect::SendValidation { peers, message } => {
				for to in peers {
					let event = NetworkEvent::Validation { peer: peer(from as u8), message: message.clone() };
					self.push(from, number(&to) as usize, Event::Network(event));
				}
			},
			NetworkEffect::Request { token, recipient: Recipient::Peer(to), request } => {
				let id = self.requests.len() as u64;
				self.requests.insert(id, (from, token));
				let (protocol, payload) = (request.protocol(), request.encode_payload());
				let request =
					InboundRequest { peer: peer(from as u8), id: InboundRequestId(id), protocol, payload };
				self.push(from, number(&to) as usize, Event::Request(request));
			},
			NetworkEffect::Respond { id, response, reputation } => {
				assert_eq!(reputation, None, "honest nodes ask for what they may have");
				let (to, token) = self.requests[&id.0];
				let result = response.ok_or(RequestError::Refused);
				self.push(from, to, Event::Response { token, result });
			},
			NetworkEffect::Report { peer, change } => {
				let whose = number(&peer) as usize;
				*self.reputations.entry((from, whose)).or_default() += i64::from(change.value());
			},
			other => panic!("unexpected {other:?}"),
		}
	}

	/// Every node but those of `except` knows the candidate with enough votes, and nobody lost reputation.
	fn assert_backed_everywhere(&self, candidate: CandidateHash) {
		for (i, node) in self.nodes.iter().enumerate() {
			let votes = node.votes.get(&candidate).map_or(0, BTreeSet::len);
			assert!(node.backed.contains(&candidate), "node {i} has {votes} votes\n{}", self.log.join("\n"));
		}
	}

	fn assert_nobody_is_punished(&self) {
		for ((by, whose), sum) in &self.reputations {
			assert!(*sum >= 0, "{by} charged {whose} {sum}\n{}", self.log.join("\n"));
		}
	}
}

/// An event without what is random in it.
fn describe(event: &Event) -> String {
	match event {
		Event::Share { statement, .. } => {
			format!("share {:?}", Kind::of(&statement.statement.payload().to_compact()))
		},
		Event::Network(NetworkEvent::Validation { peer, message }) => {
			use headway_machine::wire::{StatementMessage::*, ValidationMessage};
			let ValidationMessage::Statement(message) = message else { panic!("unexpected {message:?}") };
			match message {
				Statement(_, statement) => {
					format!("{peer:?} statement {:?} {:?}", statement.validator_index, statement.payload)
				},
				BackedCandidateManifest(manifest) => {
					let knowledge = show(&manifest.statement_knowledge);
					format!("{peer:?} manifest {:?} {knowledge}", manifest.candidate_hash)
				},
				BackedCandidateKnown(known) => {
					let knowledge = show(&known.statement_knowledge);
					format!("{peer:?} acknowledgement {:?} {knowledge}", known.candidate_hash)
				},
			}
		},
		Event::Response { token, result } => {
			format!("response {token:?} {:?}", result.as_ref().map(Vec::len))
		},
		other => format!("{other:?}").chars().take(80).collect(),
	}
}

/// All nodes at the first leaf.
pub(super) fn ready(groups: Vec<Vec<u32>>, inactive: u32, seed: u64) -> Net {
	let mut net = Net::new(groups, inactive, seed);
	for node in 0..net.nodes.len() {
		net.leaf(node, LEAF, None);
	}
	net.settle();
	net
}

fn groups(n: u32, size: u32) -> Vec<Vec<u32>> {
	(0..n).map(|group| (group * size..(group + 1) * size).collect()).collect()
}

#[test]
fn a_candidate_backed_in_one_group_is_known_with_enough_votes_in_the_other() {
	let mut net = ready(groups(2, 2), 0, 1);
	let candidate = net.second(0, &CandidateSpec::default());
	net.settle();
	net.assert_backed_everywhere(candidate);
	net.assert_nobody_is_punished();
}

#[test]
fn candidates_of_all_groups_reach_everybody_in_whatever_order_messages_come() {
	for (groups, inactive) in [
		(groups(2, 2), 0),
		(groups(2, 3), 0),
		(groups(3, 3), 0),
		(groups(3, 3), 3),
		(vec![vec![0], vec![1, 2], vec![3, 4, 5, 6]], 1),
		(groups(4, 4), 0),
	] {
		for seed in 0..6 {
			let mut net = ready(groups.clone(), inactive, seed);
			// A group of one needs one vote; this test's backing wants two.
			let several = groups.iter().enumerate().filter(|(_, group)| group.len() > 1);
			let candidates: Vec<_> = several
				.map(|(core, group)| {
					let core = core as u32;
					let spec = CandidateSpec { para: 1000 + core, core, ..Default::default() };
					net.second(group[0] as usize, &spec)
				})
				.collect();
			net.settle();
			for candidate in candidates {
				net.assert_backed_everywhere(candidate);
			}
			net.assert_nobody_is_punished();
		}
	}
}

#[test]
fn a_validator_may_have_several_candidates_under_way_each_on_the_one_before() {
	let mut net = ready(groups(2, 3), 0, 5);
	let candidates: Vec<_> =
		(0..3).map(|parent| net.second(1, &CandidateSpec { parent, ..Default::default() })).collect();
	net.settle();
	for candidate in candidates {
		net.assert_backed_everywhere(candidate);
	}
	net.assert_nobody_is_punished();
}

#[test]
fn nodes_that_see_the_next_block_at_different_times_still_exchange_everything() {
	for seed in 0..8 {
		let mut net = ready(groups(3, 3), 0, seed);
		for node in [0, 4, 8] {
			net.leaf(node, LEAF + 1, Some(LEAF));
		}
		let first = net.second(1, &CandidateSpec::default());
		net.settle();
		let second = net.second(3, &CandidateSpec { para: 1001, core: 1, ..Default::default() });
		for node in [1, 2, 3, 5, 6, 7] {
			net.leaf(node, LEAF + 1, Some(LEAF));
		}
		net.settle();
		net.assert_backed_everywhere(first);
		net.assert_backed_everywhere(second);
		net.assert_nobody_is_punished();
	}
}
