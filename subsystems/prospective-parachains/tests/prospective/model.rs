//! A naive model of the machine, written after the specification step by step: it rebuilds everything after
//! each event. The machine, which changes only what has to change, must give the same answers to everything
//! after every event.

use crate::world::{block_hash, Built, LeafPlan, Order, Plan, World, PARA};
use headway_machine::{HypotheticalCandidate, LeafContext};
use headway_primitives::{
	constraints::{ConstraintModifications, Constraints, RelayParentInfo},
	CandidateHash, Hash, PersistedValidationData,
};
use proptest::prelude::*;
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

#[derive(Clone)]
struct Entry {
	built: Built,
	backed: bool,
}

impl Entry {
	fn hash(&self) -> CandidateHash {
		self.built.hash
	}

	fn parent(&self) -> Hash {
		self.built.validation_data.parent_head.hash()
	}

	fn output(&self) -> Hash {
		self.built.receipt.commitments.head_data.hash()
	}

	fn scheduling_parent(&self) -> Hash {
		self.built.receipt.descriptor.scheduling_parent()
	}

	fn relay_parent(&self) -> RelayParentInfo {
		RelayParentInfo {
			number: self.built.validation_data.relay_parent_number,
			state_root: self.built.validation_data.relay_parent_storage_root,
		}
	}

	fn check(
		&self,
		constraints: &Constraints,
		relay_parent: &RelayParentInfo,
	) -> Option<ConstraintModifications> {
		let Built { receipt, validation_data, .. } = &self.built;
		let code = receipt.descriptor.validation_code_hash;
		constraints.check_candidate(code, &receipt.commitments, validation_data, relay_parent).ok()
	}
}

type Storage = BTreeMap<CandidateHash, Entry>;

#[derive(Clone)]
struct Node {
	entry: Entry,
	cumulative: ConstraintModifications,
	relay_parent_number: u32,
}

struct Chain {
	base: Constraints,
	pending: BTreeMap<CandidateHash, RelayParentInfo>,
	scope: BTreeSet<Hash>,
	max_len: usize,
	/// The leaf, and whether the para is occupied there.
	synchronous: Option<(Hash, bool)>,
	nodes: Vec<Node>,
	unconnected: Storage,
}

impl Chain {
	fn new(leaf: &LeafContext, previous: Option<&Chain>) -> Option<Self> {
		let cores: BTreeSet<_> = leaf.block.transposed_claim_queue.get(&PARA)?.values().flatten().collect();
		let context = leaf.paras.get(&PARA)?;
		let base = context.constraints.clone();
		let mut storage = Storage::new();
		let mut pending = BTreeMap::new();
		let mut parent_head = base.required_parent.clone();
		for candidate in &context.pending {
			let Some(relay_parent) = candidate.relay_parent else { break };
			let validation_data = PersistedValidationData {
				parent_head: parent_head.clone(),
				relay_parent_number: relay_parent.number,
				relay_parent_storage_root: relay_parent.state_root,
				max_pov_size: base.max_pov_size,
			};
			if validation_data.hash() != candidate.receipt.descriptor.persisted_validation_data_hash
				|| parent_head == candidate.receipt.commitments.head_data
			{
				break;
			}
			parent_head = candidate.receipt.commitments.head_data.clone();
			let (receipt, validation_data) = (Arc::new(candidate.receipt.clone()), Arc::new(validation_data));
			let built = Built { hash: candidate.hash, receipt, validation_data };
			storage.insert(candidate.hash, Entry { built, backed: true });
			pending.insert(candidate.hash, relay_parent);
		}
		let occupied = !context.pending.is_empty();
		let synchronous = leaf.is_synchronous().then_some((leaf.hash(), occupied));
		let scope = match synchronous {
			Some((leaf, _)) => BTreeSet::from([leaf]),
			None => leaf.allowed_blocks().map(|block| block.hash).collect(),
		};
		let max_len = match synchronous {
			Some(_) => {
				if occupied {
					pending.len()
				} else {
					1
				}
			},
			None => cores.len() + context.pending.len().min(pending.len()),
		};
		let mut chain = Self {
			base,
			pending,
			scope,
			max_len,
			synchronous,
			nodes: Vec::new(),
			unconnected: Storage::new(),
		};
		chain.populate(&mut storage);
		if let Some(previous) = previous {
			let mut storage = previous.unconnected.clone();
			let included =
				previous.nodes.iter().position(|n| n.entry.output() == chain.base.required_parent.hash());
			for node in previous.nodes.iter().skip(included.map_or(0, |last| last + 1)) {
				if !previous.pending.contains_key(&node.entry.hash()) {
					storage.insert(node.entry.hash(), node.entry.clone());
				}
			}
			storage.retain(|hash, _| chain.nodes.iter().all(|node| node.entry.hash() != *hash));
			chain.populate(&mut storage);
			let mut starts: Vec<_> = chain.nodes.iter().map(|node| node.entry.parent()).collect();
			if starts.is_empty() {
				starts.push(chain.base.required_parent.hash());
			}
			chain.trim(&mut storage, starts);
			storage.retain(|_, entry| chain.has_potential(entry));
			chain.unconnected = storage;
		}
		Some(chain)
	}

	fn populate(&mut self, storage: &mut Storage) {
		while self.nodes.len() < self.max_len {
			let cumulative = self.nodes.last().map(|node| node.cumulative.clone()).unwrap_or_default();
			let min = self.nodes.last().map_or(self.base.min_relay_parent_number, |n| n.relay_parent_number);
			let Ok(constraints) = self.base.apply_modifications(&cumulative) else { break };
			let admitted = storage.values().filter(|entry| {
				let pending = self.pending.get(&entry.hash());
				let number = pending.map_or(entry.relay_parent().number, |info| info.number);
				entry.backed
					&& entry.parent() == constraints.required_parent.hash()
					&& (pending.is_some() || self.scope.contains(&entry.scheduling_parent()))
					&& !self.loops(&entry.output())
					&& (number >= min || pending.is_some() && self.nodes.is_empty())
					&& self.check_next(entry, &constraints).is_some()
			});
			let chosen = admitted.min_by_key(|e| (!self.pending.contains_key(&e.hash()), e.hash())).cloned();
			let Some(entry) = chosen else { break };
			storage.remove(&entry.hash());
			let mut stacked = cumulative;
			stacked.stack(&self.check_next(&entry, &constraints).unwrap());
			let info = self.pending.get(&entry.hash()).copied().unwrap_or(entry.relay_parent());
			self.nodes.push(Node { entry, cumulative: stacked, relay_parent_number: info.number });
		}
	}

	fn check_next(&self, entry: &Entry, constraints: &Constraints) -> Option<ConstraintModifications> {
		match self.pending.get(&entry.hash()) {
			Some(info) => {
				let lenient = Constraints { min_relay_parent_number: info.number, ..constraints.clone() };
				entry.check(&lenient, info)
			},
			None => entry.check(constraints, &entry.relay_parent()),
		}
	}

	fn loops(&self, output: &Hash) -> bool {
		self.nodes.iter().any(|node| node.entry.parent() == *output || node.entry.output() == *output)
	}

	fn has_place(
		&self,
		hash: CandidateHash,
		parent: Hash,
		output: Option<Hash>,
		scheduling_parent: Hash,
	) -> bool {
		if let Some((_, occupied)) = self.synchronous {
			if occupied || parent != self.base.required_parent.hash() {
				return false;
			}
		}
		let sibling =
			self.nodes.iter().find(|node| node.entry.parent() == parent).map(|node| node.entry.hash());
		self.scope.contains(&scheduling_parent)
			&& output != Some(parent)
			&& sibling.is_none_or(|other| !self.pending.contains_key(&other) && hash < other)
			&& !output.is_some_and(|output| self.loops(&output))
	}

	fn has_potential(&self, entry: &Entry) -> bool {
		if !self.has_place(entry.hash(), entry.parent(), Some(entry.output()), entry.scheduling_parent()) {
			return false;
		}
		if self.synchronous.is_some_and(|(leaf, _)| entry.built.receipt.descriptor.relay_parent != leaf) {
			return false;
		}
		let number = entry.relay_parent().number;
		let last_pending = self.nodes.iter().rev().find(|node| self.pending.contains_key(&node.entry.hash()));
		if last_pending.is_some_and(|node| number < node.relay_parent_number)
			|| number < self.base.min_relay_parent_number
		{
			return false;
		}
		if let Some(parent) = self.nodes.iter().find(|node| node.entry.output() == entry.parent()) {
			let constraints = self.base.apply_modifications(&parent.cumulative).unwrap();
			number >= parent.relay_parent_number && entry.check(&constraints, &entry.relay_parent()).is_some()
		} else if entry.parent() == self.base.required_parent.hash() {
			entry.check(&self.base, &entry.relay_parent()).is_some()
		} else {
			let receipt = &entry.built.receipt;
			let code = receipt.descriptor.validation_code_hash;
			self.base.check_commitments(code, &receipt.commitments, number).is_ok()
		}
	}

	fn trim(&self, storage: &mut Storage, starts: Vec<Hash>) {
		let mut queue: Vec<(Hash, bool)> = starts.into_iter().map(|head| (head, true)).collect();
		let mut visited = BTreeSet::new();
		while !queue.is_empty() {
			let (parent, stays) = queue.remove(0);
			visited.insert(parent);
			for child in
				storage.values().filter(|entry| entry.parent() == parent).cloned().collect::<Vec<_>>()
			{
				if visited.contains(&child.output()) {
					continue;
				}
				let child_stays = stays && self.has_potential(&child);
				queue.push((child.output(), child_stays));
				if !child_stays {
					storage.remove(&child.hash());
				}
			}
		}
	}

	fn knows(&self, hash: &CandidateHash) -> bool {
		self.unconnected.contains_key(hash) || self.nodes.iter().any(|node| node.entry.hash() == *hash)
	}

	fn back(&mut self, hash: &CandidateHash) {
		let Some(entry) = self.unconnected.get_mut(hash).filter(|entry| !entry.backed) else { return };
		entry.backed = true;
		let parent = entry.parent();
		let cut = if parent == self.base.required_parent.hash() {
			0
		} else {
			match self.nodes.iter().position(|node| node.entry.output() == parent) {
				Some(position) => position + 1,
				None => return,
			}
		};
		let mut storage = std::mem::take(&mut self.unconnected);
		for node in self.nodes.split_off(cut) {
			storage.insert(node.entry.hash(), node.entry);
		}
		self.populate(&mut storage);
		self.trim(&mut storage, vec![parent]);
		storage.retain(|_, entry| self.has_potential(entry));
		self.unconnected = storage;
	}

	fn backable(&self, ancestors: &BTreeSet<CandidateHash>) -> Vec<CandidateHash> {
		let path = self.nodes.iter().map(|node| node.entry.hash());
		path.skip_while(|hash| ancestors.contains(hash))
			.take_while(|hash| !self.pending.contains_key(hash))
			.collect()
	}

	fn heads(&self) -> BTreeSet<Hash> {
		let path = self.nodes.iter().map(|node| node.entry.output());
		let beside = self.unconnected.values().map(Entry::output);
		path.chain(beside).chain([self.base.required_parent.hash()]).collect()
	}
}

struct At {
	leaf: Arc<LeafContext>,
	chain: Option<Chain>,
}

#[derive(Default)]
struct Model {
	blocks: BTreeMap<Hash, At>,
	active: BTreeSet<Hash>,
}

impl Model {
	fn activate(&mut self, leaf: &Arc<LeafContext>) {
		let hash = leaf.hash();
		if !self.blocks.contains_key(&hash) {
			let allowed = leaf.allowed_ancestry.iter().map(|block| block.hash);
			let mut ancestors = std::iter::once(leaf.block.parent_hash).chain(allowed);
			let previous = ancestors.find_map(|hash| self.blocks.get(&hash));
			let chain = Chain::new(leaf, previous.and_then(|at| at.chain.as_ref()));
			self.blocks.insert(hash, At { leaf: leaf.clone(), chain });
		}
		self.active.insert(hash);
	}

	fn prune(&mut self) {
		let scope = |hash: &Hash| -> Vec<Hash> {
			let leaf = &self.blocks[hash].leaf;
			leaf.allowed_blocks().map(|block| block.hash).collect()
		};
		let keep: BTreeSet<Hash> = self.active.iter().flat_map(scope).collect();
		self.blocks.retain(|hash, _| keep.contains(hash));
	}

	/// Whether the candidate is known or worth keeping at the block.
	fn admits(&self, at: &At, entry: &Entry, vouched: bool) -> bool {
		let Some(chain) = &at.chain else { return false };
		let relay_parent = entry.built.receipt.descriptor.relay_parent;
		let in_context = at.leaf.allowed_blocks().any(|block| block.hash == relay_parent);
		chain.knows(&entry.hash()) || (in_context || vouched) && chain.has_potential(entry)
	}
}

#[derive(Clone, Debug)]
enum Op {
	Introduce(usize),
	Back(usize),
	Leaf {
		number: u32,
		fork: bool,
		cores: u32,
		included: usize,
		n_pending: usize,
		min: u32,
		synchronous: bool,
	},
	Drop(usize),
}

fn plan() -> impl Strategy<Value = Plan> {
	let (heads, number) = (0..6u32, 8..14u32);
	(heads.clone(), heads, number, any::<bool>(), 0..10u8, 0..3u32).prop_map(
		|(parent, output, number, fork, kind, back)| {
			let fork = if fork && number >= 10 { "x" } else { "" };
			let scheduling_parent = format!("{number}{fork}");
			// A tenth of them are version 3; some of their relay parents nobody vouches for.
			let relay_parent =
				if kind == 0 { (number - 3 - back).to_string() } else { scheduling_parent.clone() };
			Plan {
				para: PARA,
				parent: parent.to_string(),
				output: output.to_string(),
				scheduling_parent,
				relay_parent,
				order: Order::Middle,
				watermark: (kind == 1).then_some(1),
				version_1: false,
				bad_validation_data: false,
			}
		},
	)
}

fn op() -> impl Strategy<Value = Op> {
	let leaf =
		(10..14u32, any::<bool>(), 1..4u32, 0..6usize, 0..3usize, 0..9u32, proptest::bool::weighted(0.1));
	prop_oneof![
		6 => (0..POOL).prop_map(Op::Introduce),
		5 => (0..POOL).prop_map(Op::Back),
		2 => leaf.prop_map(|(number, fork, cores, included, n_pending, min, synchronous)| {
			// Mostly nothing has been included since, so that chains grow long.
			let included = included.saturating_sub(3);
			Op::Leaf { number, fork, cores, included, n_pending, min, synchronous }
		}),
		1 => (0..3usize).prop_map(Op::Drop),
	]
}

const POOL: usize = 14;

fn name(index: usize) -> String {
	format!("c{index}")
}

struct Run {
	world: World,
	model: Model,
	plans: Vec<Plan>,
}

impl Run {
	fn new(plans: Vec<Plan>) -> Self {
		let mut world = World::default();
		(1..14).for_each(|number: u32| drop(world.block(&number.to_string())));
		// Only odd blocks are vouched for when they are too old for the context.
		world.hidden =
			(1..14).filter(|number| number % 2 == 0).map(|number: u32| number.to_string()).collect();
		for (index, plan) in plans.iter().enumerate() {
			world.define(&name(index), plan);
		}
		let mut run = Self { world, model: Model::default(), plans };
		run.apply(&Op::Leaf {
			number: 10,
			fork: false,
			cores: 2,
			included: 0,
			n_pending: 0,
			min: 0,
			synchronous: false,
		});
		run
	}

	fn entry(&self, index: usize) -> Entry {
		Entry { built: self.world.candidates[&name(index)].clone(), backed: false }
	}

	fn vouched(&self, index: usize) -> bool {
		let relay_parent = &self.plans[index].relay_parent;
		!relay_parent.ends_with('x') && !self.world.hidden.contains(relay_parent)
	}

	fn apply(&mut self, op: &Op) {
		match op {
			Op::Introduce(index) => self.introduce(*index),
			Op::Back(index) => {
				let hash = self.world.candidates[&name(*index)].hash;
				self.world.back(&name(*index));
				let chains = self.model.blocks.values_mut().filter_map(|at| at.chain.as_mut());
				chains.for_each(|chain| chain.back(&hash));
			},
			Op::Leaf { number, fork, cores, included, n_pending, min, synchronous } => {
				let block = format!("{number}{}", if *fork { "x" } else { "" });
				let pending = self.pending(&included.to_string(), *n_pending, *number);
				let plan = LeafPlan {
					block: block.clone(),
					lookahead: 3,
					cores: *cores,
					included: included.to_string(),
					pending,
					min_relay_parent_number: *min,
					synchronous: *synchronous,
					stateless: false,
					with_second: false,
				};
				let leaf = Arc::new(self.world.leaf_context(&plan));
				self.world.leaves.insert(block, leaf.clone());
				self.world.deactivate(Some(leaf.clone()), &[]);
				self.model.activate(&leaf);
				self.model.prune();
			},
			Op::Drop(index) => {
				let Some(block) = self.world.leaves.keys().nth(*index).cloned() else { return };
				self.world.deactivate(None, &[block.clone()]);
				self.model.active.remove(&block_hash(&block));
				self.model.prune();
			},
		}
	}

	/// A path of candidates from a head.
	fn pending(&self, included: &str, n: usize, number: u32) -> Vec<String> {
		let mut parent = included.to_string();
		let mut path = Vec::new();
		while path.len() < n {
			let follows = |plan: &&Plan| {
				let relay_parent = self.world.blocks.get(&plan.relay_parent);
				plan.parent == parent && relay_parent.is_some_and(|block| block.number < number)
			};
			let Some(index) = self.plans.iter().position(|plan| follows(&plan)) else { break };
			parent = self.plans[index].output.clone();
			path.push(name(index));
		}
		path
	}

	fn introduce(&mut self, index: usize) {
		let accepted = self.world.introduce(&name(index));
		let (entry, vouched) = (self.entry(index), self.vouched(index));
		let mut expected = false;
		if entry.parent() != entry.output() {
			let admitting = self.model.blocks.iter().filter(|(_, at)| self.model.admits(at, &entry, vouched));
			for hash in admitting.map(|(hash, _)| *hash).collect::<Vec<_>>() {
				expected = true;
				let Some(chain) = self.model.blocks.get_mut(&hash).and_then(|at| at.chain.as_mut()) else {
					continue;
				};
				if !chain.knows(&entry.hash()) {
					chain.unconnected.insert(entry.hash(), entry.clone());
				}
			}
		}
		assert_eq!(accepted, expected, "introduced {index}: {:?}", self.plans[index]);
	}

	fn compare(&mut self) {
		let model = &self.model;
		let heads = |at: &At| at.chain.as_ref().map(Chain::heads).unwrap_or_default();
		let expected: BTreeMap<_, _> = model.blocks.iter().map(|(hash, at)| (*hash, heads(at))).collect();
		assert_eq!(self.world.heads(PARA), expected, "known heads");

		for (block, leaf) in self.world.leaves.clone() {
			let Some(chain) = &self.model.blocks[&leaf.hash()].chain else { continue };
			let pending: BTreeSet<_> = chain.pending.keys().copied().collect();
			let all: BTreeSet<_> = chain.nodes.iter().take(1).map(|node| node.entry.hash()).collect();
			for ancestors in [BTreeSet::new(), pending, all] {
				let expected = chain.backable(&ancestors);
				assert_eq!(self.world.backable(&block, 99, ancestors), expected, "backable at {block}");
			}
		}

		for index in 0..POOL {
			let (entry, vouched) = (self.entry(index), self.vouched(index));
			let active = || self.model.active.iter().map(|leaf| (*leaf, &self.model.blocks[leaf]));
			let complete =
				active().filter(|(_, at)| self.model.admits(at, &entry, vouched)).map(|(leaf, _)| leaf);
			let incomplete = active().filter(|(_, at)| {
				let place = |chain: &Chain| {
					chain.has_place(entry.hash(), entry.parent(), None, entry.scheduling_parent())
				};
				at.chain.as_ref().is_some_and(|chain| chain.knows(&entry.hash()) || place(chain))
			});
			let incomplete: Vec<_> = incomplete.map(|(leaf, _)| leaf).collect();
			let expected = [complete.collect(), incomplete];
			let asked = [true, false].map(|complete| self.world.hypothetical(&name(index), complete));
			let answers = asked.map(|candidate| membership(&mut self.world, candidate));
			assert_eq!(answers, expected, "membership of {index}: {:?}", self.plans[index]);
		}
		let traced = self.world.take_drops();
		assert!(traced.iter().all(|(_, reason)| !reason.is_empty()));
	}
}

fn membership(world: &mut World, candidate: HypotheticalCandidate) -> Vec<Hash> {
	match &world.membership_effects(candidate, None)[..] {
		[headway_prospective_parachains::Effect::Membership(membership)] => membership.leaves[0].1.clone(),
		said => panic!("{said:?}"),
	}
}

/// 64 cases; `PROPTEST_CASES` makes it longer.
fn cases() -> u32 {
	std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(64)
}

proptest! {
	#![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..Default::default() })]

	#[test]
	fn machine_answers_as_the_naive_model(
		plans in proptest::collection::vec(plan(), POOL),
		ops in proptest::collection::vec(op(), 1..60),
	) {
		let mut run = Run::new(plans);
		for op in &ops {
			run.apply(op);
			run.compare();
		}
	}

	#[test]
	fn same_events_give_the_same_effects(
		plans in proptest::collection::vec(plan(), POOL),
		ops in proptest::collection::vec(op(), 1..40),
	) {
		let transcript = || {
			let mut run = Run::new(plans.clone());
			let mut transcript = String::new();
			for op in &ops {
				run.apply(op);
				transcript += &format!("{:?}\n{:?}\n", run.world.log, run.world.traces);
			}
			transcript
		};
		prop_assert_eq!(transcript(), transcript());
	}
}
