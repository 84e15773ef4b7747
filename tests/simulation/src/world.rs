//! Time, events, the nodes, and what they ask for.

use crate::{
	chain::{Chain, Violation},
	collator::{choose_parent, Head},
	network::Network,
};
use codec::{Decode, Encode};
use headway_availability::{StorageKey, WriteOp};
use headway_collator_protocol::{collator_side::CollatorSide, Declaration};
use headway_machine::{
	testing,
	wire::{CollationVersion, InboundRequest},
	Collation, Effects, Execution, ExecutionError, InboundRequestId, LeavesUpdate, NetworkEffect,
	NetworkEvent, ObservedRole, PeerId, PeerSet, Recipient, RequestError, SessionContext, Sr25519Verifier,
	Stage, SubmitSegment, SubmittedCollation, Subsystem, Timestamp, Token,
};
use headway_pipeline::{Collator, Effect, Event, Validator};
use headway_primitives::{
	AuthorityDiscoveryId, BlockData, CandidateDescriptorVersion, CandidateEvent, CollatorPair, Hash,
	HeadData, ParaId, PersistedValidationData, PoV, ValidationResult, MAX_POV_SIZE,
};
use headway_provisioner::ProvisionedData;
use sp_core::Pair;
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
	time::Duration,
};

/// Time from one relay block to the next.
const SLOT: Duration = Duration::from_secs(6);
/// When an author waits no longer for its inherent.
const INHERENT_TIMEOUT: Duration = Duration::from_millis(1500);
/// When a request without an answer has failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// When the simulation starts: any time that is not zero.
const START: Timestamp = Timestamp::from_unix_ms(6_000_000);

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Config {
	/// Everything that is random follows from it.
	pub seed: u64,
	/// Validators.
	pub validators: u32,
	/// Paras; each has a core, a group and a collator.
	pub paras: u32,
	/// Least and most milliseconds that a message takes.
	pub latency_ms: std::ops::Range<u64>,
	/// Messages of a thousand that are lost.
	pub loss_per_mille: u64,
	/// Whether backing is synchronous.
	pub synchronous: bool,
}

impl Default for Config {
	fn default() -> Self {
		Self { seed: 0, validators: 10, paras: 2, latency_ms: 20..120, loss_per_mille: 0, synchronous: false }
	}
}

type Machine = Box<dyn Subsystem<Event = Event, Effect = Effect>>;

struct Node {
	machine: Machine,
	peer: PeerId,
	session: Arc<SessionContext>,
	storage: BTreeMap<StorageKey, Vec<u8>>,
	leaf: Option<Hash>,
	/// What a collator has built, oldest first; bounded by the unincluded segment.
	built: Vec<HeadData>,
	para: Option<ParaId>,
	is_down: bool,
	/// Nodes with an open substream.
	peers: BTreeSet<usize>,
}

enum Item {
	/// Something reaches a node.
	Deliver(usize, Event),
	/// A node's deadline may have come.
	Wake(usize),
	/// A slot begins: somebody authors a block.
	Slot(u32),
	/// An author's time is over.
	Author(u32),
	/// A request that nobody answered.
	Expire(usize, Token),
	/// Two nodes have a substream from now on.
	Connect(usize, usize),
}

/// A simulated network.
pub struct World {
	config: Config,
	now: Timestamp,
	sequence: u64,
	queue: BTreeMap<(Timestamp, u64), Item>,
	nodes: Vec<Node>,
	network: Network,
	chain: Chain,
	/// Requests under way: who asked, and under which token, by the number that the asked node knows.
	requests: BTreeMap<u64, (usize, Token)>,
	next_request: u64,
	/// What the author of the coming block has provided.
	provided: Option<ProvisionedData>,
	authored: u32,
	trace: Vec<String>,
	violations: Vec<Violation>,
	/// Relay blocks in which a block of the para was included.
	included: BTreeMap<ParaId, Vec<u32>>,
}

impl World {
	/// A network at its genesis block, everybody connected.
	pub fn new(config: Config) -> Self {
		let keys = testing::validator_keys(config.validators);
		let groups = groups(config.validators, config.paras);
		let outsider = testing::session(0, &keys, groups.clone(), None);
		let genesis = Head { number: 0, parent: Hash::zero(), relay_parent: Hash::zero() }.to_head_data();
		let chain = Chain::new(outsider.clone(), &genesis, config.synchronous);
		let mut nodes = Vec::new();
		for (i, key) in keys.iter().enumerate() {
			let signer = Arc::new(testing::TestSigner(vec![key.clone()]));
			nodes.push(Node::new(
				nodes.len(),
				Box::new(Validator::new(Default::default(), signer, Arc::new(Sr25519Verifier))),
				testing::session(0, &keys, groups.clone(), Some(i as u32)),
				None,
			));
		}
		for core in 0..config.paras {
			let peer = peer_of(nodes.len());
			let pair =
				CollatorPair::from_string(&format!("//Collator{core}"), None).expect("valid derivation path");
			// Signatures are randomized; it is made once and never reaches the trace.
			let side =
				CollatorSide::new(Declaration::new(pair.public(), &peer, |payload| pair.sign(payload)));
			nodes.push(Node::new(
				nodes.len(),
				Box::new(Collator::new(side)),
				outsider.clone(),
				Some(ParaId(2000 + core)),
			));
		}
		let network = Network::new(config.seed, config.latency_ms.clone(), config.loss_per_mille);
		let mut world = Self {
			config,
			now: START,
			sequence: 0,
			queue: BTreeMap::new(),
			nodes,
			network,
			chain,
			requests: BTreeMap::new(),
			next_request: 0,
			provided: None,
			authored: 0,
			trace: Vec::new(),
			violations: Vec::new(),
			included: BTreeMap::new(),
		};
		world.connect_everybody();
		for node in 0..world.nodes.len() {
			world.import(node, 0);
		}
		world.at(START + SLOT, Item::Slot(1));
		world
	}

	/// Runs until `blocks` relay blocks were made.
	pub fn run(&mut self, blocks: u32) {
		while self.chain.best().number < blocks {
			let Some(((at, _), item)) = self.queue.pop_first() else { return };
			self.now = at;
			self.step(item);
		}
	}

	/// All that happened, one line each.
	pub fn trace(&self) -> &[String] {
		&self.trace
	}

	/// What authors did wrong.
	pub fn violations(&self) -> &[Violation] {
		&self.violations
	}

	/// Relay blocks in which a block of the para was included, ascending.
	pub fn included(&self, para: ParaId) -> &[u32] {
		self.included.get(&para).map_or(&[], Vec::as_slice)
	}

	/// Stops a validator: it loses what was sent to it, and everybody loses it.
	pub fn stop(&mut self, node: usize) {
		for other in self.nodes[node].peers.clone() {
			self.disconnect(node, other);
		}
		self.nodes[node].is_down = true;
	}

	fn step(&mut self, item: Item) {
		match item {
			Item::Deliver(node, event) => self.handle(node, event),
			Item::Wake(node) => {
				let due =
					self.nodes[node].machine.next_deadline().is_some_and(|deadline| deadline <= self.now);
				if due && !self.nodes[node].is_down {
					let mut effects = Effects::new();
					let now = self.now;
					self.nodes[node].machine.tick(now, &mut effects);
					self.carry_out(node, effects);
				}
			},
			Item::Slot(number) => {
				let author = self.author(number);
				let parent = self.chain.best().hash;
				self.provided = None;
				self.handle(author, Event::InherentRequest { token: Token(number.into()), parent });
				if self.provided.is_some() {
					self.make_block(number);
				} else {
					self.at(self.now + INHERENT_TIMEOUT, Item::Author(number));
				}
			},
			Item::Author(number) => {
				if self.authored < number {
					self.make_block(number);
				}
			},
			Item::Connect(a, b) => self.connect(a, b),
			Item::Expire(node, token) => {
				let asked = self.requests.iter().find(|(_, (who, which))| *who == node && *which == token);
				if let Some(id) = asked.map(|(id, _)| *id) {
					self.requests.remove(&id);
					self.handle(node, Event::Response { token, result: Err(RequestError::Timeout) });
				}
			},
		}
	}

	fn author(&self, number: u32) -> usize {
		let live: Vec<_> =
			(0..self.config.validators as usize).filter(|node| !self.nodes[*node].is_down).collect();
		live.get(number as usize % live.len().max(1)).copied().unwrap_or(0)
	}

	fn make_block(&mut self, number: u32) {
		self.authored = number;
		let data = self.provided.take().unwrap_or_default();
		let (events, violations) = self.chain.extend(data);
		self.violations.extend(violations);
		for event in events {
			let (what, receipt) = match &event {
				CandidateEvent::CandidateBacked(receipt, ..) => ("backed", receipt),
				CandidateEvent::CandidateIncluded(receipt, ..) => {
					self.included.entry(receipt.descriptor.para_id).or_default().push(number);
					("included", receipt)
				},
				CandidateEvent::CandidateTimedOut(receipt, ..) => ("timed out", receipt),
			};
			self.trace.push(format!("{} block {number} {what} {:?}", self.now.unix_ms, receipt.hash()));
		}
		for node in 0..self.nodes.len() {
			let delay = self.network.reliable_delay();
			self.at(self.now + delay, Item::Deliver(node, Event::Leaves(self.leaves_update(node, number))));
		}
		self.at(START + SLOT * (number + 1), Item::Slot(number + 1));
	}

	fn leaves_update(&self, node: usize, number: u32) -> LeavesUpdate {
		let leaf = self.chain.leaf(number, &self.nodes[node].session);
		let deactivated = (number > 0).then_some(leaf.block.parent_hash).into_iter().collect();
		LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated }
	}

	fn import(&mut self, node: usize, number: u32) {
		let update = self.leaves_update(node, number);
		self.deliver(node, Event::Leaves(update));
	}

	fn handle(&mut self, node: usize, event: Event) {
		if self.nodes[node].is_down {
			return;
		}
		let leaf = match &event {
			Event::Leaves(update) => update.activated.clone(),
			_ => None,
		};
		let mut effects = Effects::new();
		let now = self.now;
		self.nodes[node].machine.handle(now, event, &mut effects);
		self.carry_out(node, effects);
		if let Some(leaf) = leaf {
			self.nodes[node].leaf = Some(leaf.hash());
			self.tell_view(node, leaf.hash());
			self.collate(node, leaf.hash());
		}
	}

	/// Tells everybody which leaf a node works on.
	fn tell_view(&mut self, node: usize, head: Hash) {
		let view = headway_machine::wire::ViewMessage { heads: vec![head], finalized_number: 0 };
		let peer = self.nodes[node].peer.clone();
		for other in self.nodes[node].peers.clone() {
			let event = NetworkEvent::PeerViewChange {
				peer: peer.clone(),
				set: self.set(node, other),
				view: view.clone(),
			};
			self.send(other, Event::Network(event));
		}
	}

	/// A collator builds on a new leaf.
	fn collate(&mut self, node: usize, leaf: Hash) {
		let Some(para) = self.nodes[node].para else { return };
		let on_chain = self.chain.heads(leaf, para);
		if self.config.synchronous && on_chain.len() > 1 {
			return;
		}
		let Some(parent) = choose_parent(&self.nodes[node].built, &on_chain) else { return };
		let Some(info) = self.chain.relay_parent_info(leaf) else { return };
		let Some(head) = Head::child(&parent, leaf) else { return };
		let head_data = head.to_head_data();
		let built = &mut self.nodes[node].built;
		if let Some(position) = built.iter().position(|head| *head == parent) {
			built.truncate(position + 1);
		} else {
			built.clear();
			built.push(parent.clone());
		}
		built.push(head_data.clone());
		if built.len() > 8 {
			built.remove(0);
		}
		let core_index =
			self.chain.paras().find(|(id, _)| *id == para).map(|(_, core)| core).unwrap_or_default();
		let validation_data = PersistedValidationData {
			parent_head: parent,
			relay_parent_number: info.number,
			relay_parent_storage_root: info.state_root,
			max_pov_size: MAX_POV_SIZE,
		};
		let collation = Collation {
			upward_messages: Default::default(),
			horizontal_messages: Default::default(),
			new_validation_code: None,
			head_data: head_data.clone(),
			pov: PoV { block_data: BlockData(head_data.encode()) },
			processed_downward_messages: 0,
			hrmp_watermark: info.number,
		};
		let submission = SubmitSegment {
			scheduling_parent: leaf,
			core_index,
			descriptor_version: CandidateDescriptorVersion::V2,
			collations: vec![SubmittedCollation {
				collation,
				relay_parent: leaf,
				validation_data,
				validation_code_hash: self.chain.code.hash(),
				session_index: 0,
			}],
		};
		self.handle(node, Event::Submit(submission));
	}

	fn carry_out(&mut self, node: usize, mut effects: Effects<Effect>) {
		for trace in effects.take_traces() {
			let stage: &'static str = trace.stage.into();
			let reason = match trace.stage {
				Stage::Dropped(reason) => reason.label(),
				_ => "",
			};
			self.trace.push(format!(
				"{} node {node} {} {stage} {reason} {:?}",
				self.now.unix_ms, trace.subsystem, trace.candidate,
			));
		}
		while let Some(effect) = effects.pop() {
			match effect {
				Effect::Network(effect) => self.carry_out_network(node, effect),
				Effect::FetchCode { token, .. } => {
					let code = Some((self.chain.code.clone(), headway_primitives::MAX_CODE_SIZE * 10));
					self.deliver(node, Event::Code { token, code });
				},
				Effect::Execute { token, execution } => {
					let takes = Duration::from_millis(100 + self.network.below(900));
					let result = execute(&execution);
					self.at(self.now + takes, Item::Deliver(node, Event::Executed { token, result }));
				},
				Effect::Encode { token, n_validators, data } => {
					let result = headway_availability::encode(n_validators, &data);
					self.deliver(node, Event::Encoded { token, result });
				},
				Effect::EncodeRoot { token, n_validators, data } => {
					let root = headway_erasure_coding::erasure_root(n_validators, &*data);
					self.deliver(node, Event::EncodedRoot { token, root });
				},
				Effect::Load { token, key } => {
					let value = self.nodes[node].storage.get(&key).cloned();
					self.deliver(node, Event::Loaded { token, value });
				},
				Effect::Write { token, batch } => {
					for op in batch {
						match op {
							WriteOp::Put { key, value } => self.nodes[node].storage.insert(key, value),
							WriteOp::Delete { key } => self.nodes[node].storage.remove(&key),
						};
					}
					self.deliver(node, Event::Written { token, ok: true });
				},
				Effect::QueryRelayParentInfo { token, relay_parent, .. } => {
					let info = self.chain.relay_parent_info(relay_parent);
					self.deliver(node, Event::RelayParentInfo { token, info });
				},
				Effect::Inherent { data, .. } => self.provided = data,
				// Nobody asks for one here.
				Effect::FragmentChain { .. } => {},
				Effect::Misbehavior(report) => {
					self.trace.push(format!("{} node {node} misbehavior {report:?}", self.now.unix_ms))
				},
				Effect::SubmissionRejected { error, .. } => {
					self.trace.push(format!("{} node {node} submission rejected: {error}", self.now.unix_ms))
				},
			}
		}
		if let Some(deadline) = self.nodes[node].machine.next_deadline() {
			self.at(deadline.max(self.now), Item::Wake(node));
		}
	}

	fn carry_out_network(&mut self, node: usize, effect: NetworkEffect) {
		let from = self.nodes[node].peer.clone();
		match effect {
			NetworkEffect::SendValidation { peers, message } => {
				for to in peers.iter().filter_map(node_of) {
					let event = NetworkEvent::Validation { peer: from.clone(), message: message.clone() };
					self.send(to, Event::Network(event));
				}
			},
			NetworkEffect::SendCollation { peers, message } => {
				for to in peers.iter().filter_map(node_of) {
					let event = NetworkEvent::Collation { peer: from.clone(), message: message.clone() };
					self.send(to, Event::Network(event));
				}
			},
			NetworkEffect::Request { token, recipient, request } => {
				let to = match &recipient {
					Recipient::Peer(peer) => node_of(peer),
					Recipient::Authority(id) => self.validator_of(id),
				};
				let Some(to) = to.filter(|to| !self.nodes[*to].is_down) else {
					let result = Err(RequestError::NotConnected);
					self.deliver(node, Event::Response { token, result });
					return;
				};
				self.next_request += 1;
				let id = self.next_request;
				self.requests.insert(id, (node, token));
				self.at(self.now + REQUEST_TIMEOUT, Item::Expire(node, token));
				let request = InboundRequest {
					peer: from,
					id: InboundRequestId(id),
					protocol: request.protocol(),
					payload: request.encode_payload(),
				};
				self.send(to, Event::Request(request));
			},
			NetworkEffect::Respond { id, response, .. } => {
				let Some((asker, token)) = self.requests.remove(&id.0) else { return };
				let result = response.ok_or(RequestError::Refused);
				let delay = self.network.reliable_delay();
				self.at(self.now + delay, Item::Deliver(asker, Event::Response { token, result }));
			},
			NetworkEffect::Report { peer, change } if change.value() < 0 => self.trace.push(format!(
				"{} node {node} reports {peer:?}: {}",
				self.now.unix_ms,
				change.reason()
			)),
			// Nobody is banned: the costs are in the trace.
			NetworkEffect::Report { .. } => {},
			NetworkEffect::Disconnect { peer, .. } => {
				if let Some(other) = node_of(&peer) {
					self.disconnect(node, other);
				}
			},
			NetworkEffect::ConnectToValidators { validators, .. } => {
				let desired: BTreeSet<usize> =
					validators.iter().filter_map(|id| self.validator_of(id)).collect();
				for other in self.nodes[node].peers.difference(&desired).copied().collect::<Vec<_>>() {
					self.disconnect(node, other);
				}
				for other in desired.difference(&self.nodes[node].peers.clone()) {
					let delay = self.network.reliable_delay();
					self.at(self.now + delay, Item::Connect(node, *other));
				}
			},
		}
	}

	fn connect_everybody(&mut self) {
		for node in 0..self.nodes.len() {
			let topology = {
				let session = &self.nodes[node].session;
				let topology = headway_machine::grid::Topology::new(
					&session.info,
					&session.topology_randomness,
					session.local_discovery_index,
				);
				NetworkEvent::NewTopology { session: session.index, topology: Arc::new(topology) }
			};
			self.deliver(node, Event::Network(topology));
			if let Some(para) = self.nodes[node].para {
				self.deliver(node, Event::CollateOn(para));
			}
		}
		for node in 0..self.config.validators as usize {
			for other in 0..node {
				self.connect(node, other);
			}
		}
	}

	/// Opens a substream between two nodes.
	fn connect(&mut self, a: usize, b: usize) {
		if self.nodes[a].is_down || self.nodes[b].is_down || !self.nodes[a].peers.insert(b) {
			return;
		}
		self.nodes[b].peers.insert(a);
		let set = self.set(a, b);
		for (node, other) in [(a, b), (b, a)] {
			let role = match self.nodes[other].para {
				None => ObservedRole::Authority,
				Some(_) => ObservedRole::Full,
			};
			let peer = self.nodes[other].peer.clone();
			let event = NetworkEvent::PeerConnected {
				peer: peer.clone(),
				set,
				version: CollationVersion::V3,
				role,
				authority_ids: self.authority_ids(other),
			};
			self.deliver(node, Event::Network(event));
			if let Some(head) = self.nodes[other].leaf {
				let view = headway_machine::wire::ViewMessage { heads: vec![head], finalized_number: 0 };
				self.deliver(node, Event::Network(NetworkEvent::PeerViewChange { peer, set, view }));
			}
		}
	}

	/// Closes the substream between two nodes.
	fn disconnect(&mut self, a: usize, b: usize) {
		if !self.nodes[a].peers.remove(&b) {
			return;
		}
		self.nodes[b].peers.remove(&a);
		let set = self.set(a, b);
		for (node, other) in [(a, b), (b, a)] {
			let peer = self.nodes[other].peer.clone();
			self.deliver(node, Event::Network(NetworkEvent::PeerDisconnected { peer, set }));
		}
	}

	fn authority_ids(&self, node: usize) -> BTreeSet<AuthorityDiscoveryId> {
		self.chain.session.info.discovery_keys.get(node).cloned().into_iter().collect()
	}

	fn validator_of(&self, id: &AuthorityDiscoveryId) -> Option<usize> {
		self.chain.session.info.discovery_keys.iter().position(|key| key == id)
	}

	/// The peer set that two nodes share.
	fn set(&self, a: usize, b: usize) -> PeerSet {
		match (self.nodes[a].para, self.nodes[b].para) {
			(None, None) => PeerSet::Validation,
			_ => PeerSet::Collation,
		}
	}

	/// Over the network: takes time, may be lost.
	fn send(&mut self, to: usize, event: Event) {
		if let Some(delay) = self.network.delay() {
			self.at(self.now + delay, Item::Deliver(to, event));
		}
	}

	/// Within the node: at once, but after what is under way.
	fn deliver(&mut self, node: usize, event: Event) {
		self.at(self.now, Item::Deliver(node, event));
	}

	fn at(&mut self, at: Timestamp, item: Item) {
		self.sequence += 1;
		self.queue.insert((at, self.sequence), item);
	}
}

impl Node {
	fn new(index: usize, machine: Machine, session: Arc<SessionContext>, para: Option<ParaId>) -> Self {
		Self {
			machine,
			peer: peer_of(index),
			session,
			storage: BTreeMap::new(),
			leaf: None,
			built: Vec::new(),
			para,
			is_down: false,
			peers: BTreeSet::new(),
		}
	}
}

fn peer_of(node: usize) -> PeerId {
	PeerId::from_bytes(&(node as u64).to_be_bytes())
}

fn node_of(peer: &PeerId) -> Option<usize> {
	Some(u64::from_be_bytes(peer.as_bytes().try_into().ok()?) as usize)
}

/// Groups of equal size, the first ones larger if they do not come out even.
fn groups(validators: u32, n: u32) -> Vec<Vec<u32>> {
	let mut groups = vec![Vec::new(); n as usize];
	for validator in 0..validators {
		groups[(validator * n / validators.max(1)) as usize].push(validator);
	}
	groups
}

/// The validation function of the simulated paras: the block is the head data that follows.
fn execute(execution: &Execution) -> Result<ValidationResult, ExecutionError> {
	let invalid = |detail: &str| ExecutionError::Invalid {
		reason: headway_machine::Reason::InvalidExecution,
		detail: detail.into(),
	};
	let block = &execution.pov.block_data.0;
	let block = sp_maybe_compressed_blob::decompress(block, headway_primitives::POV_BOMB_LIMIT)
		.map_err(|_| invalid("block does not decompress"))?;
	let head_data = HeadData::decode(&mut &block[..]).map_err(|_| invalid("block does not decode"))?;
	let head = Head::read(&head_data).ok_or_else(|| invalid("no head data"))?;
	if head.parent != execution.validation_data.parent_head.hash() {
		return Err(invalid("block is not a child of its parent"));
	}
	Ok(ValidationResult {
		head_data,
		new_validation_code: None,
		upward_messages: Default::default(),
		horizontal_messages: Default::default(),
		processed_downward_messages: 0,
		hrmp_watermark: execution.validation_data.relay_parent_number,
	})
}
