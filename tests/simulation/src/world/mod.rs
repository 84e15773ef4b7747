//! Time, events, the nodes, and what they ask for.
//!
//! | module | what is in it |
//! |---|---|
//! | `node` | a node, and what it remembers |
//! | `effects` | what becomes of what machines ask for |
//! | `links` | connections and partitions |
//! | `blocks` | slots, authors, forks, finality |
//! | `collating` | collators on a new leaf |
//! | `weather` | when nodes stop and the network falls apart, and whether all goes on afterwards |
//! | `hostile` | what validators do that mean harm |

mod blocks;
mod collating;
mod effects;
mod hostile;
mod links;
mod node;
mod weather;

use crate::{
	collator::Head,
	config::{Config, Fault},
	dice::Dice,
	judge::{Judge, Said, Verdict, Violation},
	keys::{sign_sr25519, Keyring, Memory},
	network::Network,
	relay::{genesis, Contexts, Ledger, Localized, Spec},
	trace::Log,
};
use blocks::Authoring;
use effects::{Asked, Inclusions};
use headway_availability::Encoding;
use headway_collator_protocol::{collator_side::CollatorSide, Declaration};
use headway_machine::{testing, BlockContext, Column, Effects, RequestError, Timestamp};
use headway_pipeline::{Collator, Event, Validator};
use headway_primitives::{
	AvailabilityBitfield, CandidateEvent, CandidateHash, CollatorPair, CompactStatement, Hash, ParaId,
	ValidationCode, ValidatorIndex, ValidatorPair, RELAY_CHAIN_SLOT_DURATION_MILLIS,
};
use headway_provisioner::ProvisionedData;
use node::{peer_of, Machine, Node, Role};
use sp_core::Pair;
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
	time::Duration,
};
use weather::{Recovery, Weather};

/// Time from one slot to the next.
const SLOT: Duration = Duration::from_millis(RELAY_CHAIN_SLOT_DURATION_MILLIS);
/// Slot of genesis: any that is not zero.
const GENESIS_SLOT: u64 = 1_000;
/// Lines of the trace that are kept.
const LINES_MAX: usize = 1 << 16;
/// Streams of decisions, apart from that of the network.
const HOSTILE_STREAM: u64 = 3;
const ROLES_STREAM: u64 = 4;

/// Relay blocks from a candidate's scheduling parent to its inclusion, if all goes well.
const IN_FLIGHT_BLOCKS: u32 = 2;

/// What became of a para's blocks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ParaFigures {
	/// The para.
	pub para: ParaId,
	/// Its cores.
	pub cores: u32,
	/// Relay blocks from the first one with an inclusion on.
	pub relay_blocks: u32,
	/// Blocks that these included.
	pub included: u64,
	/// Blocks that honest collators built early enough to be included, also those on forks.
	pub due: u64,
	/// Those of them that were.
	pub due_included: u64,
}

/// The bytes of a key: the same for all that a validator signs.
fn raw(key: &impl AsRef<[u8]>) -> Vec<u8> {
	key.as_ref().to_vec()
}

/// Something that will happen.
enum Item {
	/// Something reaches a life of a node: from outside, if it comes from another node.
	Deliver { node: usize, life: u32, from: Option<usize>, event: Event },
	/// A node's deadline may have come.
	Wake { node: usize, life: u32 },
	/// A slot begins: somebody authors a block.
	Slot(u64),
	/// An author waits no longer.
	Author(u64),
	/// A request that nobody answered.
	Expire(u64),
	/// Two nodes have a substream from now on.
	Connect(usize, usize),
	/// A relay block reaches a node.
	Block { node: usize, hash: Hash },
	/// A node starts again.
	Restart(usize),
	/// The network is whole again.
	Rejoin,
}

/// A simulated network.
pub struct World {
	config: Config,
	now: Timestamp,
	steps: u64,
	sequence: u64,
	/// What will happen, in this order; boxed, because items are large and entries move.
	queue: BTreeMap<(Timestamp, u64), Box<Item>>,
	nodes: Vec<Node>,
	network: Network,
	ledger: Arc<Ledger>,
	contexts: Contexts,
	/// Keys of the validators, which are the first nodes.
	keys: Vec<ValidatorPair>,
	/// The node of each key, by its bytes.
	authorities: BTreeMap<Vec<u8>, usize>,
	memory: Arc<Memory>,
	/// Requests under way, by the number that the asked node knows.
	requests: BTreeMap<u64, Asked>,
	next_number: u64,
	/// Authors that wait for their provisioner.
	authoring: BTreeMap<u64, Authoring>,
	slot: u64,
	/// Number and hash of the newest block, and of the newest that enough validators build on.
	best: (u32, Hash),
	finalized: (u32, Hash),
	events: BTreeMap<Hash, Vec<CandidateEvent>>,
	/// What honest collators built: the para, and the number of the scheduling parent.
	built: BTreeMap<CandidateHash, (ParaId, u32)>,
	/// Chunks of data that somebody encoded lately: every validator of a group encodes the same.
	encoded: VecDeque<(Hash, Encoding)>,
	/// What finalized blocks included, as it was asked last: the newest of the blocks, and how many.
	inclusions: Option<((Hash, u32), Inclusions)>,
	/// Candidates that were lately spoken of.
	candidates: VecDeque<CandidateHash>,
	/// Which half of the network each node is in; all in the same if it is whole.
	halves: Vec<bool>,
	weather: Weather,
	hostile: Dice,
	recovery: Option<Recovery>,
	log: Log,
	judge: Judge,
	verdicts: Vec<Verdict>,
}

impl World {
	/// A network at its genesis block, everybody connected.
	///
	/// # Errors
	///
	/// The runtime refuses such a network.
	pub fn new(config: Config) -> Result<Self, genesis::Error> {
		let keys = testing::validator_keys(config.validators);
		let ledger = Arc::new(Ledger::new(&Spec {
			validators: keys.iter().map(|pair| pair.public()).collect(),
			paras: config.para_cores(),
			head: Head { number: 0, parent: Hash::zero(), relay_parent: Hash::zero() }.to_head_data(),
			code: ValidationCode(b"simulated".to_vec()),
			session_slots: config.session_slots,
			rotation_blocks: config.rotation_blocks,
			synchronous: config.synchronous,
		})?);
		let genesis = ledger.genesis();
		let mut world = Self {
			now: Timestamp::from_unix_ms(GENESIS_SLOT * RELAY_CHAIN_SLOT_DURATION_MILLIS),
			steps: 0,
			sequence: 0,
			queue: BTreeMap::new(),
			nodes: Vec::new(),
			network: Network::new(&config),
			contexts: Contexts::new(ledger.clone()),
			ledger,
			authorities: keys.iter().enumerate().map(|(node, pair)| (raw(&pair.public()), node)).collect(),
			keys,
			memory: Arc::default(),
			requests: BTreeMap::new(),
			next_number: 0,
			authoring: BTreeMap::new(),
			slot: 0,
			best: (0, genesis),
			finalized: (0, genesis),
			events: BTreeMap::new(),
			built: BTreeMap::new(),
			encoded: VecDeque::new(),
			inclusions: None,
			candidates: VecDeque::new(),
			halves: Vec::new(),
			weather: Weather::new(config.seed),
			hostile: Dice::new(config.seed, HOSTILE_STREAM),
			recovery: None,
			log: Log::new(LINES_MAX),
			judge: Judge::default(),
			verdicts: Vec::new(),
			config,
		};
		for role in world.roles() {
			let index = world.nodes.len();
			let localized = world.keys.get(index).map(|pair| Localized::new(pair.public()));
			let machine = world.machine(index, &role);
			world.nodes.push(Node::new(index, role, machine, localized, genesis));
			world.halves.push(false);
		}
		for node in 0..world.nodes.len() {
			world.start(node);
		}
		world.connect_validators();
		world.at(world.now + SLOT, Item::Slot(1));
		Ok(world)
	}

	/// Runs until there are `blocks` relay blocks, or a rule is broken.
	pub fn run(&mut self, blocks: u32) {
		let slots_max = 2 * u64::from(blocks) + 20;
		while self.best.0 < blocks && self.verdicts.is_empty() {
			if self.slot > slots_max {
				return self.accuse(Violation::NoBlocks);
			}
			let Some(((at, _), item)) = self.queue.pop_first() else { return };
			self.now = at;
			self.steps += 1;
			self.step(*item);
		}
	}

	/// What happened, one line each; a long run keeps only the newest lines.
	pub fn trace(&self) -> &Log {
		&self.log
	}

	/// Which rules were broken.
	pub fn verdicts(&self) -> &[Verdict] {
		&self.verdicts
	}

	/// Number of the newest relay block.
	pub fn best_number(&self) -> u32 {
		self.best.0
	}

	/// Events that were handled.
	pub fn steps(&self) -> u64 {
		self.steps
	}

	/// Virtual time since genesis.
	pub fn elapsed(&self) -> Duration {
		self.now.since(Timestamp::from_unix_ms(GENESIS_SLOT * RELAY_CHAIN_SLOT_DURATION_MILLIS))
	}

	/// Relay blocks on all forks.
	pub fn forks(&self) -> usize {
		self.events.len() - self.best.0 as usize
	}

	/// Session of the newest relay block's children.
	pub fn session(&mut self) -> u32 {
		self.contexts.block(self.best.1).map_or(0, |block| block.session.index)
	}

	/// Number of the newest finalized block.
	pub fn finalized_number(&self) -> u32 {
		self.finalized.0
	}

	/// By validator: candidates of finalized blocks whose collator it gave credit for them.
	pub fn credited(&self) -> Vec<usize> {
		self.nodes[..self.keys.len()].iter().map(|node| node.credited).collect()
	}

	/// Numbers of the relay blocks in which a block of the para was included, ascending, each as often as there were.
	pub fn included(&self, para: ParaId) -> Vec<u32> {
		let mut included = Vec::new();
		for (hash, header) in self.ledger.chain(self.best.1) {
			for event in self.events.get(&hash).into_iter().flatten() {
				if let CandidateEvent::CandidateIncluded(receipt, ..) = event {
					if receipt.descriptor.para_id == para {
						included.push(header.number);
					}
				}
			}
		}
		included.reverse();
		included
	}

	/// What became of each para's blocks, on the best chain.
	pub fn figures(&self) -> Vec<ParaFigures> {
		let due = self.best.0.saturating_sub(IN_FLIGHT_BLOCKS);
		let mut figures: BTreeMap<ParaId, ParaFigures> = BTreeMap::new();
		for (para, cores) in self.config.para_cores() {
			figures.insert(para, ParaFigures { para, cores, ..ParaFigures::default() });
		}
		let mut first = BTreeMap::new();
		for (hash, header) in self.ledger.chain(self.best.1) {
			for event in self.events.get(&hash).into_iter().flatten() {
				let CandidateEvent::CandidateIncluded(receipt, ..) = event else { continue };
				let Some(of) = figures.get_mut(&receipt.descriptor.para_id) else { continue };
				of.included += 1;
				first.insert(of.para, header.number);
				let built = self.built.get(&receipt.hash());
				of.due_included += u64::from(built.is_some_and(|(_, at)| *at <= due));
			}
		}
		for (para, at) in self.built.values() {
			let Some(of) = figures.get_mut(para) else { continue };
			of.due += u64::from(*at <= due);
		}
		for of in figures.values_mut() {
			of.relay_blocks = first.get(&of.para).map_or(0, |first| self.best.0 + 1 - first);
		}
		figures.into_values().collect()
	}

	/// Validators that mean harm, with what they do.
	pub fn adversaries(&self) -> Vec<(usize, Fault)> {
		let fault = |(index, node): (usize, &Node)| Some((index, node.fault()?));
		self.nodes.iter().enumerate().filter_map(fault).collect()
	}

	/// Who is who: validators first, then an honest collator for each para, then others.
	fn roles(&self) -> Vec<Role> {
		let mut dice = Dice::new(self.config.seed, ROLES_STREAM);
		let byzantine: Vec<_> =
			Fault::BYZANTINE.into_iter().filter(|fault| self.config.faults.contains(fault)).collect();
		let n = self.config.validators as usize;
		let mut faults: Vec<Option<Fault>> = vec![None; n];
		let mut order: Vec<usize> = (0..n).collect();
		for place in 0..(self.config.adversaries as usize).min(n) {
			order.swap(place, place + dice.below((n - place) as u64) as usize);
			// Drawn from all kinds, so that the others stay what they are if one is left out.
			let fault = Fault::BYZANTINE[place % Fault::BYZANTINE.len()];
			if byzantine.contains(&fault) && !self.config.spared.contains(&order[place]) {
				faults[order[place]] = Some(fault);
			}
		}
		let paras = self.config.para_cores();
		let validators = faults.into_iter().map(|fault| Role::Validator { fault });
		let collators = paras.iter().map(|(para, _)| Role::Collator { para: *para, is_honest: true });
		let garbage = self.config.faults.contains(&Fault::Garbage);
		let others = paras.iter().step_by(2).filter(|_| garbage);
		let others = others.map(|(para, _)| Role::Collator { para: *para, is_honest: false });
		validators.chain(collators).chain(others).collect()
	}

	/// Machines that know nothing yet.
	fn machine(&self, node: usize, role: &Role) -> Machine {
		match role {
			Role::Validator { .. } => {
				let signer = Keyring::new(self.keys[node].clone(), self.memory.clone());
				let config = headway_pipeline::Config {
					experimental_collator_protocol: self.config.segments,
					..Default::default()
				};
				Box::new(Validator::new(config, Arc::new(signer), self.memory.clone()))
			},
			Role::Collator { .. } => {
				let pair = CollatorPair::from_seed(&sp_core::H256::from_low_u64_be(node as u64 + 1).0);
				let sign = |payload: &[u8]| sign_sr25519(pair.as_ref(), payload).into();
				let declaration = Declaration::new(pair.public(), &peer_of(node), sign);
				Box::new(Collator::new(CollatorSide::new(declaration)))
			},
		}
	}

	/// A node begins to work on its best block.
	fn start(&mut self, node: usize) {
		let (votes, notes) = (self.nodes[node].stored(Column::Votes), self.nodes[node].stored(Column::Meta));
		self.handle(node, Event::RestoreVotes { entries: votes });
		self.handle(node, Event::Restore { entries: notes });
		let scores = self.nodes[node].stored(Column::Scores);
		self.handle(node, Event::RestoreScores { entries: scores });
		if let Some(para) = self.nodes[node].para() {
			self.handle(node, Event::CollateOn(para));
		}
		let (_, best) = self.nodes[node].best;
		self.activate(node, best);
	}

	/// Stops a node: it loses what was sent to it, and everybody loses it.
	pub fn stop(&mut self, node: usize) {
		for other in self.nodes[node].peers.clone() {
			self.disconnect(node, other);
		}
		let state = &mut self.nodes[node];
		state.is_down = true;
		state.life += 1;
		state.wake_at = None;
		state.leaves.clear();
		state.session = None;
		state.built.clear();
		self.log.push(self.now, format_args!("node {node} stops"));
	}

	fn restart(&mut self, node: usize) {
		if !self.nodes[node].is_down {
			return;
		}
		self.log.push(self.now, format_args!("node {node} starts again"));
		let role = self.nodes[node].role.clone();
		self.nodes[node].machine = self.machine(node, &role);
		self.nodes[node].is_down = false;
		self.start(node);
		self.reconnect();
		self.catch_up(node);
	}

	fn step(&mut self, item: Item) {
		match item {
			Item::Deliver { node, life, from, event } => {
				let state = &self.nodes[node];
				if state.life == life && from.is_none_or(|from| state.peers.contains(&from)) {
					self.handle(node, event);
				}
			},
			Item::Wake { node, life } => self.wake(node, life),
			Item::Slot(slot) => self.on_slot(slot),
			Item::Author(token) => self.make_block(token, ProvisionedData::default()),
			Item::Connect(a, b) => self.connect(a, b),
			Item::Expire(id) => {
				if let Some(Asked { node, life, token }) = self.requests.remove(&id) {
					if self.nodes[node].life == life {
						self.handle(node, Event::Response { token, result: Err(RequestError::Timeout) });
					}
				}
			},
			Item::Block { node, hash } => self.on_block(node, hash),
			Item::Restart(node) => self.restart(node),
			Item::Rejoin => self.rejoin(),
		}
	}

	fn wake(&mut self, node: usize, life: u32) {
		let state = &mut self.nodes[node];
		if state.is_down || state.life != life {
			return;
		}
		state.wake_at = None;
		let mut effects = Effects::new();
		if state.machine.next_deadline().is_some_and(|deadline| deadline <= self.now) {
			state.machine.tick(self.now, &mut effects);
		}
		self.carry_out(node, effects);
	}

	fn handle(&mut self, node: usize, event: Event) {
		if self.nodes[node].is_down {
			return;
		}
		let mut effects = Effects::new();
		self.nodes[node].machine.handle(self.now, event, &mut effects);
		self.carry_out(node, effects);
	}

	/// Within the node: at once, but after what is under way.
	fn deliver(&mut self, node: usize, event: Event) {
		self.deliver_at(self.now, node, event);
	}

	fn deliver_at(&mut self, at: Timestamp, node: usize, event: Event) {
		let life = self.nodes[node].life;
		self.at(at, Item::Deliver { node, life, from: None, event });
	}

	fn at(&mut self, at: Timestamp, item: Item) {
		self.sequence += 1;
		self.queue.insert((at, self.sequence), Box::new(item));
	}

	/// A number that was not given before.
	fn number(&mut self) -> u64 {
		self.next_number += 1;
		self.next_number
	}

	fn accuse(&mut self, violation: Violation) {
		self.log.push(self.now, format_args!("violation: {violation}"));
		let (step, at, number) = (self.steps, self.now, self.best.0);
		self.verdicts.push(Verdict { step, at, number, violation });
	}

	/// Looks at a bitfield that a node sends: whether it is its own, and whether an honest validator signs it.
	fn judge_bitfield(&mut self, node: usize, at: Hash, by: ValidatorIndex, bits: &AvailabilityBitfield) {
		if self.honest_at(node, at, by).is_none() {
			return;
		}
		if let Some(violation) = self.judge.signed(node, at, bits) {
			self.accuse(violation);
		}
	}

	/// A block, if the node means no harm and is that validator there.
	fn honest_at(&mut self, node: usize, at: Hash, by: ValidatorIndex) -> Option<Arc<BlockContext>> {
		let block = self.contexts.block(at).ok()?;
		let key = self.keys.get(node)?.public();
		(self.nodes[node].is_honest() && block.session.validator(by) == Some(&key)).then_some(block)
	}

	/// Looks at a statement that a node sends: whether it is its own, and whether an honest validator makes it.
	fn judge_statement(
		&mut self,
		node: usize,
		scheduling_parent: Hash,
		by: ValidatorIndex,
		statement: CompactStatement,
	) {
		let Some(block) = self.honest_at(node, scheduling_parent, by) else { return };
		// As many as the claim queue has places for the core.
		let core = block.session.group_of(by).map(|group| block.core_for_group(group));
		let limit = core.and_then(|core| block.claim_queue.get(&core)).map_or(0, |claims| claims.len());
		let said = Said { node, statement, scheduling_parent };
		if let Some(violation) = self.judge.said(said, limit) {
			self.accuse(violation);
		}
	}

	/// Validators that are up.
	fn live_validators(&self) -> Vec<usize> {
		(0..self.keys.len()).filter(|node| !self.nodes[*node].is_down).collect()
	}

	/// Whether a node does harm just now.
	fn acts(&self, node: usize, fault: Fault) -> bool {
		self.nodes[node].fault() == Some(fault) && self.config.is_stormy(self.slot)
	}

	/// All nodes that are in the same half of the network.
	fn reachable(&self, from: usize) -> BTreeSet<usize> {
		(0..self.nodes.len()).filter(|node| self.halves[*node] == self.halves[from]).collect()
	}
}
