//! The other validators, as honest ones behave, under virtual time. What they send to the one machine that runs is
//! recorded, so that it can be handed to other machines as often as it has to be measured.
//!
//! Per relay block:
//!
//! - everybody's view changes to it within a second;
//! - each group backs its candidates: a member seconds, the others vote one after the other. Of another group's candidate
//!   all neighbours that may announce it do, when [`EARLY_VOTES`] members have voted, and send the votes that follow
//!   directly, unless we were faster;
//! - all neighbours to whom we announce a candidate acknowledge it. Of our own group's candidates they hear from us first,
//!   and fetch them from us; others' candidates they mostly have from somebody else;
//! - the members of our own group send each statement when they make it or get to know it, unless we were faster. We
//!   second one candidate in five.

use super::{
	builder::{activate, candidate, leaf_at, CandidateSpec, LEAF, SESSION},
	filter::{self, Kind},
	grid_view::GridView,
};
use codec::Encode;
use headway_machine::{
	grid::Topology,
	sign,
	testing::{hash, session, validator_keys, TestSigner},
	wire::*,
	Effects, InboundRequestId, Membership, NetworkEffect, NetworkEvent, ObservedRole, PeerId, PeerSet,
	Recipient, SessionContext, Stage, StatementWithPvd, Subsystem, Timestamp, Token, Verifier,
};
use headway_primitives::{
	CandidateHash, CommittedCandidateReceiptV2, CompactStatement, GroupIndex, Hash, PersistedValidationData,
	SignedStatement, SigningContext, Statement, ValidatorIndex,
};
use headway_statement_distribution::{Effect, Event, StatementDistribution};
use std::{
	collections::{btree_map::Entry, BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
	time::Duration,
};

/// Validators of the session.
pub(crate) const VALIDATORS: u32 = 500;
/// Members of a group.
pub(crate) const GROUP_SIZE: u32 = 5;
/// Groups, and cores.
pub(crate) const GROUPS: u32 = VALIDATORS / GROUP_SIZE;
/// The validator that is measured.
const LOCAL: u32 = 0;
/// Votes that are known when a candidate is announced.
const EARLY_VOTES: usize = 3;
/// Time that a message takes, in milliseconds.
const LATENCY_MS: u64 = 50;
/// Time that backing takes to validate a candidate, in milliseconds.
const VALIDATION_MS: u64 = 300;
/// Time from one relay block to the next, in milliseconds.
const BLOCK_MS: u64 = 6_000;
/// Bytes of upward messages of a candidate.
const MESSAGE_BYTES: usize = 512;

/// What happens to a machine.
#[derive(Clone)]
pub(crate) enum Input {
	Event(Event),
	Tick,
}

/// Kinds of what happens, as the table lists them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Occasion {
	Leaf,
	Views,
	ClusterStatement,
	GridStatement,
	Manifest,
	Acknowledgement,
	Request,
	Response,
	Share,
	Backed,
	Membership,
	Tick,
	/// Connections and the topology: once in a session.
	Session,
}

/// Something that happened, and when.
#[derive(Clone)]
pub(crate) struct Recorded {
	pub(crate) at: Timestamp,
	pub(crate) occasion: Occasion,
	pub(crate) input: Input,
}

/// What the machine said.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Said {
	pub(crate) effects: usize,
	/// Notifications, each encoded once.
	pub(crate) notifications: usize,
	/// The same by recipient.
	pub(crate) deliveries: usize,
	/// Encoded bytes by recipient.
	pub(crate) bytes: usize,
	pub(crate) requests: usize,
	pub(crate) answers: usize,
	/// Statements handed to backing.
	pub(crate) statements: usize,
}

/// What happened up to the block from which on is measured, and from there on.
pub(crate) struct Recording {
	pub(crate) before: Vec<Recorded>,
	pub(crate) measured: Vec<Recorded>,
	pub(crate) said: Said,
}

struct Candidate {
	receipt: CommittedCandidateReceiptV2,
	data: PersistedValidationData,
	group: u32,
	scheduling_parent: Hash,
	/// One of each member, in the order in which they are made.
	statements: Vec<SignedStatement>,
	/// When the members behind [`EARLY_VOTES`] vote.
	late_at: Timestamp,
	/// Whose votes our backing knows.
	votes: BTreeSet<ValidatorIndex>,
}

impl Candidate {
	fn early(&self) -> &[SignedStatement] {
		&self.statements[..EARLY_VOTES]
	}

	fn late(&self) -> &[SignedStatement] {
		&self.statements[EARLY_VOTES..]
	}

	fn is_own(&self) -> bool {
		self.group == LOCAL / GROUP_SIZE
	}

	fn knowledge(&self, of: &[SignedStatement]) -> StatementFilter {
		let mut knowledge = StatementFilter::blank(GROUP_SIZE as usize);
		for statement in of {
			let position = statement.validator_index().0 % GROUP_SIZE;
			filter::set(&mut knowledge, position as usize, Kind::of(statement.payload()), true);
		}
		knowledge
	}

	fn manifest(&self, hash: CandidateHash) -> BackedCandidateManifest {
		BackedCandidateManifest {
			scheduling_parent: self.scheduling_parent,
			candidate_hash: hash,
			group_index: GroupIndex(self.group),
			para_id: self.receipt.descriptor.para_id,
			parent_head_data_hash: self.data.parent_head.hash(),
			statement_knowledge: self.knowledge(self.early()),
		}
	}
}

/// A validator's statement, and who sends it to us.
type Copied = (u32, CandidateHash, ValidatorIndex);

struct Planned {
	input: Event,
	/// Not sent if we sent that statement to its sender before.
	copied: Option<Copied>,
}

/// One machine and everybody around it.
pub(crate) struct Neighbours {
	machine: StatementDistribution,
	session: Arc<SessionContext>,
	signer: TestSigner,
	grid: GridView,
	now: Timestamp,
	leaf: u32,
	planned: BTreeMap<(Timestamp, u64), Planned>,
	sequence: u64,
	random: u64,
	candidates: BTreeMap<CandidateHash, Candidate>,
	/// When statements that we sent arrive.
	told: BTreeMap<Copied, Timestamp>,
	/// Requests of peers: whose, for what.
	asked: BTreeMap<u64, (u32, CandidateHash)>,
	/// What peers that wait for an answer want to ask for next. No peer asks us for two candidates at once.
	to_ask: BTreeMap<u32, VecDeque<CandidateHash>>,
	recorded: Vec<Recorded>,
	said: Said,
}

impl Neighbours {
	/// Everybody is connected at the first leaf, and the topology is known.
	pub(crate) fn new(verifier: Arc<dyn Verifier>) -> Self {
		let keys = validator_keys(VALIDATORS);
		let groups: Vec<Vec<u32>> =
			(0..GROUPS).map(|group| (group * GROUP_SIZE..(group + 1) * GROUP_SIZE).collect()).collect();
		let mut session = session(SESSION, &keys, groups, Some(LOCAL)).as_ref().clone();
		session.topology_randomness = [7; 32];
		let session = Arc::new(session);
		let topology = Arc::new(Topology::new(&session.info, &session.topology_randomness, Some(LOCAL)));
		let mut this = Self {
			machine: StatementDistribution::new(verifier),
			grid: GridView::new(&topology, &session.info.validator_groups, Some(ValidatorIndex(LOCAL))),
			signer: TestSigner(keys),
			session,
			now: Timestamp::from_unix_ms(1_000_000),
			leaf: LEAF - 1,
			planned: BTreeMap::new(),
			sequence: 0,
			random: 1,
			candidates: BTreeMap::new(),
			told: BTreeMap::new(),
			asked: BTreeMap::new(),
			to_ask: BTreeMap::new(),
			recorded: Vec::new(),
			said: Said::default(),
		};
		for validator in (0..VALIDATORS).filter(|validator| *validator != LOCAL) {
			let authority_id = this.session.info.discovery_keys[validator as usize].clone();
			this.network(
				0,
				NetworkEvent::PeerConnected {
					peer: peer(validator),
					set: PeerSet::Validation,
					version: CollationVersion::V3,
					role: ObservedRole::Authority,
					authority_ids: [authority_id].into(),
				},
			);
		}
		this.network(0, NetworkEvent::NewTopology { session: SESSION, topology });
		this
	}

	/// Lets relay blocks pass, each with as many candidates on every core. All but the last `measured` only make the
	/// state what it is in the middle of a session.
	pub(crate) fn record(mut self, blocks: u32, measured: u32, per_core: u32) -> Recording {
		let mut before = Vec::new();
		for block in 0..blocks {
			if block + measured == blocks {
				before = std::mem::take(&mut self.recorded);
				self.said = Said::default();
			}
			self.block(block, per_core);
			self.run_until(self.now + Duration::from_millis(BLOCK_MS));
		}
		Recording { before, measured: self.recorded, said: self.said }
	}

	/// A relay block is imported, and everybody does what is described above.
	fn block(&mut self, block: u32, per_core: u32) {
		self.leaf += 1;
		let leaf = leaf_at(self.leaf, &self.session, |_| {});
		self.plan(0, Event::Leaves(activate(leaf, &[self.leaf - 1])));
		for validator in (0..VALIDATORS).filter(|validator| *validator != LOCAL) {
			let view = ViewMessage { heads: vec![hash(self.leaf.into())], finalized_number: 0 };
			let event =
				NetworkEvent::PeerViewChange { peer: peer(validator), set: PeerSet::Validation, view };
			let delay = 1 + self.draw(1_000);
			self.network(delay, event);
		}
		for nth in 0..per_core {
			for group in 0..GROUPS {
				// Our own group's turns go round in the order of its members.
				let seconder = match group {
					0 => (block + nth) % GROUP_SIZE,
					_ => self.draw(GROUP_SIZE.into()) as u32,
				};
				let delay = 1_100 + u64::from(nth) * 1_300 + self.draw(300);
				self.back(group, seconder, (block * per_core + nth) as u8, delay);
			}
		}
	}

	/// A member of a group seconds a candidate, and the others follow.
	fn back(&mut self, group: u32, seconder: u32, parent: u8, delay: u64) {
		let spec = CandidateSpec {
			para: 1000 + group,
			core: group,
			scheduling_parent: self.leaf,
			parent,
			messages: vec![vec![1; MESSAGE_BYTES]],
			..Default::default()
		};
		let (receipt, data) = candidate(&spec);
		let hash = receipt.hash();
		let scheduling_parent = receipt.descriptor.scheduling_parent();
		let context = SigningContext { session_index: SESSION, parent_hash: scheduling_parent };
		let statement = |place: u32| {
			let member = group * GROUP_SIZE + (seconder + place) % GROUP_SIZE;
			let kind = if place == 0 { Kind::Seconded } else { Kind::Valid };
			let key = &self.session.info.validators[member as usize];
			sign(&self.signer, &context, key, ValidatorIndex(member), kind.statement(hash)).unwrap()
		};
		let made = Candidate {
			statements: (0..GROUP_SIZE).map(statement).collect(),
			receipt,
			data,
			group,
			scheduling_parent,
			late_at: self.now + Duration::from_millis(delay + 2_500),
			votes: BTreeSet::new(),
		};
		if made.is_own() {
			self.back_in_group(&made, hash, delay);
		} else {
			let receiving = self.grid.group(GroupIndex(group)).unwrap().receiving.clone();
			for teller in receiving {
				let message = StatementMessage::BackedCandidateManifest(made.manifest(hash));
				let delay = delay + LATENCY_MS + self.draw(300);
				self.message(delay, teller.0, message, None);
			}
		}
		self.candidates.insert(hash, made);
	}

	/// The same in our own group. Our own vote follows when we have the candidate.
	fn back_in_group(&mut self, made: &Candidate, hash: CandidateHash, delay: u64) {
		for (place, statement) in made.statements.iter().enumerate() {
			let by = statement.validator_index();
			if by.0 == LOCAL {
				if place == 0 {
					let event = share(made, hash, statement);
					self.plan(delay, event);
				}
				continue;
			}
			let made_at = match place {
				0 => delay,
				_ => delay + 4 * LATENCY_MS + VALIDATION_MS + self.draw(300),
			};
			for member in (0..GROUP_SIZE).filter(|member| *member != LOCAL) {
				// Others pass it on as soon as they have it, and the candidate.
				let hops = match (member == by.0, place) {
					(true, _) => 1,
					(false, 0) => 4,
					(false, _) => 2,
				};
				let message =
					StatementMessage::Statement(made.scheduling_parent, statement.as_unchecked().clone());
				let delay = made_at + hops * LATENCY_MS + self.draw(LATENCY_MS / 2);
				self.message(delay, member, message, Some((member, hash, by)));
			}
		}
	}

	fn draw(&mut self, below: u64) -> u64 {
		self.random =
			self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
		(self.random >> 33) % below
	}

	fn plan_copied(&mut self, delay: u64, input: Event, copied: Option<Copied>) {
		self.sequence += 1;
		let at = self.now + Duration::from_millis(delay);
		self.planned.insert((at, self.sequence), Planned { input, copied });
	}

	fn plan(&mut self, delay: u64, input: Event) {
		self.plan_copied(delay, input, None);
	}

	fn network(&mut self, delay: u64, event: NetworkEvent) {
		self.plan(delay, Event::Network(event));
	}

	fn message(&mut self, delay: u64, from: u32, message: StatementMessage, copied: Option<Copied>) {
		let message = ValidationMessage::Statement(message);
		self.plan_copied(
			delay,
			Event::Network(NetworkEvent::Validation { peer: peer(from), message }),
			copied,
		);
	}

	fn run_until(&mut self, end: Timestamp) {
		loop {
			let event = self.planned.first_key_value().map(|((at, _), _)| *at);
			let tick = self.machine.next_deadline();
			let Some(next) = event.into_iter().chain(tick).min().filter(|next| *next < end) else { break };
			self.now = self.now.max(next);
			if event.is_some_and(|at| at <= self.now) {
				let Some((_, Planned { input, copied })) = self.planned.pop_first() else { break };
				let sent_at = Timestamp::from_unix_ms(self.now.unix_ms - LATENCY_MS);
				let told = copied.and_then(|copied| self.told.get(&copied));
				if told.is_none_or(|told| *told > sent_at) {
					self.happen(occasion(&input), Input::Event(input));
				}
			} else {
				self.happen(Occasion::Tick, Input::Tick);
			}
		}
		self.now = end;
	}

	fn happen(&mut self, occasion: Occasion, input: Input) {
		self.recorded.push(Recorded { at: self.now, occasion, input: input.clone() });
		if let Input::Event(Event::Share { statement, .. }) = &input {
			self.vote(statement.candidate_hash(), statement.validator_index());
		}
		let mut effects = Effects::new();
		match input {
			Input::Event(event) => self.machine.handle(self.now, event, &mut effects),
			Input::Tick => self.machine.tick(self.now, &mut effects),
		}
		for trace in effects.take_traces() {
			assert!(!matches!(trace.stage, Stage::Dropped(_)), "{occasion:?}: {trace:?}");
		}
		while let Some(effect) = effects.pop() {
			self.said.effects += 1;
			self.react(effect);
		}
	}

	/// What becomes of an effect.
	fn react(&mut self, effect: Effect) {
		match effect {
			Effect::Membership(query) => {
				// What is older than the last block is included by now.
				let leaf = hash(self.leaf.into());
				let is_new = |at: Hash| at.to_low_u64_be() + 1 >= u64::from(self.leaf);
				let leaves = query.candidates.into_iter().map(|candidate| {
					let under = Some(leaf).filter(|_| is_new(candidate.scheduling_parent()));
					(candidate, under.into_iter().collect())
				});
				let answer = Membership { token: query.token, leaves: leaves.collect() };
				self.plan(1, Event::Membership(answer));
			},
			Effect::Statement { statement, .. } => {
				self.said.statements += 1;
				self.vote(statement.candidate_hash(), statement.validator_index());
			},
			Effect::Network(NetworkEffect::SendValidation { peers, message }) => {
				self.said.notifications += 1;
				self.said.deliveries += peers.len();
				self.said.bytes += peers.len() * Envelope::ProtocolMessage(message.clone()).encoded_size();
				let ValidationMessage::Statement(message) = message else { panic!("unexpected {message:?}") };
				peers.iter().for_each(|peer| self.receive(number(peer), &message));
			},
			Effect::Network(NetworkEffect::Request {
				token,
				recipient: Recipient::Peer(_),
				request: Request::AttestedCandidate(request),
			}) => {
				self.said.requests += 1;
				self.answer(token, request);
			},
			Effect::Network(NetworkEffect::Respond { id, response, reputation }) => {
				assert!(
					response.is_some() && reputation.is_none(),
					"honest peers ask for what they may have"
				);
				self.said.answers += 1;
				let (asker, hash) = self.asked[&id.0];
				match self.to_ask.get_mut(&asker).and_then(VecDeque::pop_front) {
					Some(next) => self.request(asker, next),
					None => drop(self.to_ask.remove(&asker)),
				}
				// Only with the candidate it can acknowledge.
				let made = &self.candidates[&hash];
				if !made.is_own() || asker >= GROUP_SIZE {
					self.acknowledge(3 * LATENCY_MS, asker, hash);
				}
			},
			Effect::Network(NetworkEffect::Report { change, .. }) => {
				assert!(change.value() >= 0, "honest peers are not punished: {change:?}");
			},
			other => panic!("unexpected {other:?}"),
		}
	}

	/// Our backing learns of a vote.
	fn vote(&mut self, candidate: CandidateHash, by: ValidatorIndex) {
		let made = self.candidates.get_mut(&candidate).unwrap();
		assert!(made.votes.insert(by), "backing gets a statement once");
		let (votes, is_own) = (made.votes.len(), made.is_own());
		// Our own vote follows the first one that we hear of.
		if is_own && votes == 1 && by.0 != LOCAL {
			let own =
				made.statements.iter().find(|statement| statement.validator_index().0 == LOCAL).unwrap();
			let event = share(made, candidate, own);
			self.plan(VALIDATION_MS, event);
		}
		if votes == 2 {
			self.plan(1, Event::Backed { candidate_hash: candidate });
		}
	}

	/// A peer gets a message of ours.
	fn receive(&mut self, who: u32, message: &StatementMessage) {
		match message {
			StatementMessage::Statement(_, statement) => {
				let hash = statement.payload.candidate_hash();
				let copied = (who, hash, statement.validator_index);
				self.told.insert(copied, self.now + Duration::from_millis(LATENCY_MS));
				if matches!(statement.payload, CompactStatement::Seconded(_))
					&& statement.validator_index.0 == LOCAL
				{
					self.ask(who, hash);
				}
			},
			StatementMessage::BackedCandidateManifest(manifest) => {
				let is_own = self.candidates[&manifest.candidate_hash].is_own();
				let view = self.grid.group(manifest.group_index).unwrap();
				// Who announces the candidate to us has it from others.
				if view.receiving.contains(&ValidatorIndex(who)) {
					return;
				}
				// Most have heard of it before.
				let told_by_others = view.sending.len() as u64;
				if is_own || self.draw(2 * told_by_others) == 0 {
					self.ask(who, manifest.candidate_hash);
				} else {
					let delay = 2 * LATENCY_MS + self.draw(LATENCY_MS);
					self.acknowledge(delay, who, manifest.candidate_hash);
				}
			},
			StatementMessage::BackedCandidateKnown(known) => {
				let made = &self.candidates[&known.candidate_hash];
				let wait = made.late_at.since(self.now).as_millis() as u64;
				let at = made.scheduling_parent;
				for statement in made.late().to_vec() {
					let copied = (who, known.candidate_hash, statement.validator_index());
					let message = StatementMessage::Statement(at, statement.into_unchecked());
					let delay = wait.max(LATENCY_MS) + LATENCY_MS + self.draw(100);
					self.message(delay, who, message, Some(copied));
				}
			},
		}
	}

	fn acknowledge(&mut self, delay: u64, who: u32, candidate_hash: CandidateHash) {
		let made = &self.candidates[&candidate_hash];
		let statement_knowledge = made.knowledge(made.early());
		let known = BackedCandidateAcknowledgement { candidate_hash, statement_knowledge };
		self.message(delay, who, StatementMessage::BackedCandidateKnown(known), None);
	}

	/// A peer asks us for a candidate as soon as it may.
	fn ask(&mut self, who: u32, candidate_hash: CandidateHash) {
		match self.to_ask.entry(who) {
			Entry::Occupied(mut busy) => busy.get_mut().push_back(candidate_hash),
			Entry::Vacant(idle) => {
				idle.insert(VecDeque::new());
				self.request(who, candidate_hash);
			},
		}
	}

	fn request(&mut self, who: u32, candidate_hash: CandidateHash) {
		let id = self.asked.len() as u64;
		self.asked.insert(id, (who, candidate_hash));
		let mask = StatementFilter::blank(GROUP_SIZE as usize);
		let request = Request::AttestedCandidate(AttestedCandidateRequest { candidate_hash, mask });
		let inbound = InboundRequest {
			peer: peer(who),
			id: InboundRequestId(id),
			protocol: request.protocol(),
			payload: request.encode_payload(),
		};
		let delay = 2 * LATENCY_MS + self.draw(LATENCY_MS);
		self.plan(delay, Event::Request(inbound));
	}

	/// A peer answers our request.
	fn answer(&mut self, token: Token, request: AttestedCandidateRequest) {
		let made = &self.candidates[&request.candidate_hash];
		let known = if made.is_own() { &made.statements[..1] } else { made.early() };
		let wanted = known.iter().filter(|statement| {
			let position = statement.validator_index().0 % GROUP_SIZE;
			!filter::contains(&request.mask, position as usize, Kind::of(statement.payload()))
		});
		let response = AttestedCandidateResponse {
			candidate_receipt: made.receipt.clone(),
			persisted_validation_data: made.data.clone(),
			statements: wanted.map(|statement| statement.as_unchecked().clone()).collect(),
		};
		let delay = 2 * LATENCY_MS + self.draw(LATENCY_MS);
		self.plan(delay, Event::Response { token, result: Ok(response.encode()) });
	}
}

/// Our backing makes a statement.
fn share(made: &Candidate, hash: CandidateHash, statement: &SignedStatement) -> Event {
	let is_seconded = matches!(statement.payload(), CompactStatement::Seconded(_));
	let full = if is_seconded { Statement::Seconded(made.receipt.clone()) } else { Statement::Valid(hash) };
	let statement = StatementWithPvd {
		statement: statement.clone().map_payload(|_| full),
		validation_data: is_seconded.then(|| Arc::new(made.data.clone())),
	};
	Event::Share { scheduling_parent: made.scheduling_parent, statement }
}

fn occasion(event: &Event) -> Occasion {
	match event {
		Event::Leaves(_) => Occasion::Leaf,
		Event::Request(_) => Occasion::Request,
		Event::Response { .. } => Occasion::Response,
		Event::Share { .. } => Occasion::Share,
		Event::Backed { .. } => Occasion::Backed,
		Event::Membership(_) => Occasion::Membership,
		Event::Network(NetworkEvent::Validation {
			message: ValidationMessage::Statement(message), ..
		}) => match message {
			StatementMessage::Statement(_, statement) => match statement.validator_index.0 / GROUP_SIZE {
				0 => Occasion::ClusterStatement,
				_ => Occasion::GridStatement,
			},
			StatementMessage::BackedCandidateManifest(_) => Occasion::Manifest,
			StatementMessage::BackedCandidateKnown(_) => Occasion::Acknowledgement,
		},
		Event::Network(NetworkEvent::PeerViewChange { .. }) => Occasion::Views,
		Event::Network(_) => Occasion::Session,
	}
}

/// The peer that a validator is, with an id of the usual length.
fn peer(validator: u32) -> PeerId {
	let mut id = [0; 38];
	id[..6].copy_from_slice(&[0, 36, 8, 1, 18, 32]);
	id[6..10].copy_from_slice(&validator.to_le_bytes());
	PeerId::from_bytes(&id)
}

fn number(peer: &PeerId) -> u32 {
	u32::from_le_bytes(peer.as_bytes()[6..10].try_into().unwrap())
}
