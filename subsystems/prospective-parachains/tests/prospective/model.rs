//! A naive model of the machine, written after the specification step by step: it keeps lists, and rebuilds
//! everything after each event. The machine, which changes only what has to change, must give the same answers,
//! and the same reasons for what it drops.
//!
//! Five things are the machine's own, and the same here: a candidate needs a claim on its core before its scheduling parent
//! is too old, and each place of the path is for one claim, in the order of their depth; under synchronous backing a candidate builds on the
//! included head; what follows the path does not fall with a fork that leads to the same head; the place of a
//! candidate is judged before its relay parent is looked up; a candidate on a head that an included one led away from
//! is not taken.

use crate::world::Built;
use headway_machine::{LeafContext, Reason};
use headway_primitives::{
	constraints::{ConstraintError, ConstraintModifications, Constraints, RelayParentInfo},
	CandidateHash, CoreIndex, Hash, ParaId, PersistedValidationData,
};
use headway_prospective_parachains::{Refusal, MAX_PASSED_HEADS};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// What is dropped, and why.
pub(crate) type Drops = Vec<(CandidateHash, Reason)>;
type Verdict = Result<(), Reason>;

#[derive(Clone)]
pub(crate) struct Entry {
	built: Built,
	parent: Hash,
	output: Hash,
	backed: bool,
}

impl Entry {
	pub(crate) fn new(built: &Built) -> Self {
		let parent = built.validation_data.parent_head.hash();
		let output = built.receipt.commitments.head_data.hash();
		Self { built: built.clone(), parent, output, backed: false }
	}

	fn hash(&self) -> CandidateHash {
		self.built.hash
	}

	fn para(&self) -> ParaId {
		self.built.receipt.descriptor.para_id
	}

	fn scheduling_parent(&self) -> Hash {
		self.built.receipt.descriptor.scheduling_parent()
	}

	fn core(&self) -> Option<CoreIndex> {
		self.built.receipt.descriptor.core_index()
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
	) -> Result<ConstraintModifications, ConstraintError> {
		let Built { receipt, validation_data, .. } = &self.built;
		let code = receipt.descriptor.validation_code_hash;
		constraints.check_candidate(code, &receipt.commitments, validation_data, relay_parent)
	}
}

fn reason(error: ConstraintError) -> Reason {
	Refusal::from(error).reason()
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
	/// The blocks that may schedule candidates, each with the number of blocks for which it still may.
	scope: BTreeMap<Hash, usize>,
	/// The para's claims: depth and core, ascending.
	claims: Vec<(usize, CoreIndex)>,
	max_len: usize,
	/// The leaf, and whether the para is occupied there.
	synchronous: Option<(Hash, bool)>,
	nodes: Vec<Node>,
	unconnected: Storage,
	/// Of the ancestor's path, what the relay chain has taken over.
	done: BTreeSet<CandidateHash>,
	/// Heads that were left behind, and who led away from them, oldest first.
	passed: Vec<(Hash, CandidateHash)>,
}

impl Chain {
	/// The chain of a para at a leaf; `drops`: what it does not take over from the ancestor, and what is pending
	/// on chain but cannot be.
	fn new(
		leaf: &LeafContext,
		para: ParaId,
		previous: Option<&Chain>,
		drops: &mut Drops,
		unlinked: &mut Drops,
	) -> Option<Self> {
		let mut claims = Vec::new();
		for (core, queue) in &leaf.block.claim_queue {
			let of_para = queue.iter().enumerate().filter(|(_, claim)| **claim == para);
			claims.extend(of_para.map(|(depth, _)| (depth, *core)));
		}
		claims.sort();
		let cores: BTreeSet<_> = claims.iter().map(|(_, core)| *core).collect();
		if cores.is_empty() {
			return None;
		}
		let context = leaf.paras.get(&para)?;
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
			storage.insert(candidate.hash, Entry { backed: true, ..Entry::new(&built) });
			pending.insert(candidate.hash, relay_parent);
		}
		let occupied = !context.pending.is_empty();
		let synchronous = leaf.is_synchronous().then_some((leaf.hash(), occupied));
		let (scope, max_len) = match synchronous {
			Some((leaf, true)) => (BTreeMap::from([(leaf, 1)]), pending.len()),
			Some((leaf, false)) => (BTreeMap::from([(leaf, 1)]), 1),
			None => {
				let lookahead = leaf.scheduling_lookahead as usize;
				let window = |behind: usize| lookahead.saturating_sub(behind);
				let blocks = leaf.allowed_blocks().map(|block| block.hash).enumerate();
				let scope = blocks.map(|(behind, hash)| (hash, window(behind))).collect();
				(scope, cores.len() + pending.len())
			},
		};
		let (nodes, unconnected, done) = (Vec::new(), Storage::new(), BTreeSet::new());
		let passed = Vec::new();
		let mut chain =
			Self { base, pending, scope, claims, max_len, synchronous, nodes, unconnected, done, passed };
		chain.populate(&mut storage);
		for candidate in context.pending.iter().filter(|candidate| !chain.knows(&candidate.hash)) {
			unlinked.push((candidate.hash, Reason::CannotFollowChain));
		}
		// Those that do not follow are candidates like others, should they be known.
		chain.pending =
			chain.pending.iter().filter(|(hash, _)| chain.knows(hash)).map(|(h, i)| (*h, *i)).collect();
		if let Some(previous) = previous {
			chain.populate_from(previous, drops);
		}
		Some(chain)
	}

	fn populate_from(&mut self, previous: &Chain, drops: &mut Drops) {
		let mut storage = previous.unconnected.clone();
		self.passed = previous.passed.clone();
		let included = previous.nodes.iter().position(|n| n.entry.output == self.base.required_parent.hash());
		for (position, node) in previous.nodes.iter().enumerate() {
			let is_included = included.is_some_and(|last| position <= last);
			if is_included {
				self.passed.push((node.entry.parent, node.entry.hash()));
			}
			if is_included || previous.pending.contains_key(&node.entry.hash()) {
				self.done.insert(node.entry.hash());
			} else {
				storage.insert(node.entry.hash(), node.entry.clone());
			}
		}
		self.passed.drain(..self.passed.len().saturating_sub(MAX_PASSED_HEADS));
		storage.retain(|hash, _| !self.is_in_path(hash));
		self.populate(&mut storage);
		let mut starts: Vec<_> = self.nodes.iter().map(|node| node.entry.parent).collect();
		if starts.is_empty() {
			starts.push(self.base.required_parent.hash());
		}
		self.trim(&mut storage, starts, drops);
		self.keep_potential(storage, drops);
	}

	fn keep_potential(&mut self, mut storage: Storage, drops: &mut Drops) {
		storage.retain(|hash, entry| match self.potential(entry) {
			Ok(()) => true,
			Err(reason) => {
				drops.push((*hash, reason));
				false
			},
		});
		self.unconnected = storage;
	}

	fn populate(&mut self, storage: &mut Storage) {
		while self.nodes.len() < self.max_len {
			let cumulative = self.nodes.last().map(|node| node.cumulative.clone()).unwrap_or_default();
			let min = self.nodes.last().map_or(self.base.min_relay_parent_number, |n| n.relay_parent_number);
			let Ok(constraints) = self.base.apply_modifications(&cumulative) else { break };
			let head = constraints.required_parent.hash();
			let admitted = storage.values().filter(|entry| {
				let pending = self.pending.get(&entry.hash());
				let number = pending.map_or(entry.relay_parent().number, |info| info.number);
				entry.backed
					&& entry.parent == head
					&& (pending.is_some() || self.has_claim(entry))
					&& self.loops(&entry.output).is_ok()
					&& (number >= min || pending.is_some() && self.nodes.is_empty())
					&& self.check_next(entry, &constraints).is_ok()
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

	/// Whether the claim of the next place is on the candidate's core, and its scheduling parent reaches it.
	fn has_claim(&self, entry: &Entry) -> bool {
		let n_pending =
			self.nodes.iter().filter(|node| self.pending.contains_key(&node.entry.hash())).count();
		let cores: BTreeSet<_> = self.claims.iter().map(|(_, core)| *core).collect();
		let places = &self.claims[..cores.len()];
		let Some((depth, _)) = places.get(self.nodes.len() - n_pending).copied() else { return false };
		let is_here =
			|(at, core): &(usize, CoreIndex)| *at == depth && entry.core().is_none_or(|of| of == *core);
		self.scope.get(&entry.scheduling_parent()).is_some_and(|window| depth < *window)
			&& self.claims.iter().any(is_here)
	}

	fn check_next(
		&self,
		entry: &Entry,
		constraints: &Constraints,
	) -> Result<ConstraintModifications, ConstraintError> {
		match self.pending.get(&entry.hash()) {
			Some(info) => {
				let lenient = Constraints { min_relay_parent_number: info.number, ..constraints.clone() };
				entry.check(&lenient, info)
			},
			None => entry.check(constraints, &entry.relay_parent()),
		}
	}

	fn loops(&self, output: &Hash) -> Verdict {
		if self.nodes.iter().any(|node| node.entry.parent == *output) {
			return Err(Reason::Cycle);
		}
		if self.nodes.iter().any(|node| node.entry.output == *output) {
			return Err(Reason::MultiplePaths);
		}
		Ok(())
	}

	/// Steps 1 to 4 of the potential check.
	fn place(
		&self,
		hash: CandidateHash,
		parent: Hash,
		output: Option<Hash>,
		scheduling_parent: Hash,
		core: Option<CoreIndex>,
	) -> Verdict {
		let Some(window) = self.scope.get(&scheduling_parent) else {
			return Err(Reason::SchedulingParentNotInScope);
		};
		if !self.claims.iter().any(|(depth, of)| depth < window && core.is_none_or(|core| core == *of)) {
			return Err(Reason::NoClaimInReach);
		}
		if self
			.synchronous
			.is_some_and(|(_, occupied)| occupied || parent != self.base.required_parent.hash())
		{
			return Err(Reason::SynchronousBacking);
		}
		if output == Some(parent) {
			return Err(Reason::Cycle);
		}
		if let Some(sibling) = self.nodes.iter().find(|node| node.entry.parent == parent) {
			if self.pending.contains_key(&sibling.entry.hash()) {
				return Err(Reason::ConflictsWithPending);
			}
			if hash >= sibling.entry.hash() {
				return Err(Reason::ForkChoice);
			}
		}
		output.map_or(Ok(()), |output| self.loops(&output))
	}

	/// Not on a head that was left behind, unless the chain is back at it.
	fn not_passed(&self, hash: CandidateHash, parent: Hash) -> Verdict {
		let is_head = parent == self.base.required_parent.hash()
			|| self.nodes.iter().any(|node| node.entry.output == parent);
		let passed = self.passed.iter().rfind(|(head, _)| *head == parent);
		match passed.is_some_and(|(_, winner)| *winner != hash) && !is_head {
			true => Err(Reason::ConflictsWithPending),
			false => Ok(()),
		}
	}

	fn full_place(&self, entry: &Entry) -> Verdict {
		self.place(entry.hash(), entry.parent, Some(entry.output), entry.scheduling_parent(), entry.core())?;
		let relay_parent = entry.built.receipt.descriptor.relay_parent;
		match self.synchronous.is_some_and(|(leaf, _)| leaf != relay_parent) {
			true => Err(Reason::SynchronousBacking),
			false => Ok(()),
		}
	}

	fn potential(&self, entry: &Entry) -> Verdict {
		self.full_place(entry)?;
		let number = entry.relay_parent().number;
		let last_pending = self.nodes.iter().rev().find(|node| self.pending.contains_key(&node.entry.hash()));
		if last_pending.is_some_and(|node| number < node.relay_parent_number) {
			return Err(Reason::RelayParentMovedBackwards);
		}
		if number < self.base.min_relay_parent_number {
			return Err(Reason::RelayParentNotInScope);
		}
		if let Some(parent) = self.nodes.iter().find(|node| node.entry.output == entry.parent) {
			if number < parent.relay_parent_number {
				return Err(Reason::RelayParentMovedBackwards);
			}
			let constraints = self.base.apply_modifications(&parent.cumulative).unwrap();
			entry.check(&constraints, &entry.relay_parent()).map(drop).map_err(reason)
		} else if entry.parent == self.base.required_parent.hash() {
			entry.check(&self.base, &entry.relay_parent()).map(drop).map_err(reason)
		} else {
			let receipt = &entry.built.receipt;
			let code = receipt.descriptor.validation_code_hash;
			self.base.check_commitments(code, &receipt.commitments, number).map_err(reason)
		}
	}

	fn trim(&self, storage: &mut Storage, starts: Vec<Hash>, drops: &mut Drops) {
		let mut queue: Vec<(Hash, bool)> = starts.into_iter().map(|head| (head, true)).collect();
		let mut visited = BTreeSet::new();
		while !queue.is_empty() {
			let (parent, stays) = queue.remove(0);
			visited.insert(parent);
			let in_path = self.nodes.iter().any(|node| node.entry.output == parent)
				|| parent == self.base.required_parent.hash();
			let children: Vec<_> = storage.values().filter(|entry| entry.parent == parent).cloned().collect();
			for child in children {
				if visited.contains(&child.output) {
					continue;
				}
				let verdict = match stays || in_path {
					true => self.potential(&child),
					false => Err(Reason::CannotFollowChain),
				};
				queue.push((child.output, verdict.is_ok()));
				if let Err(reason) = verdict {
					storage.remove(&child.hash());
					drops.push((child.hash(), reason));
				}
			}
		}
	}

	fn is_in_path(&self, hash: &CandidateHash) -> bool {
		self.nodes.iter().any(|node| node.entry.hash() == *hash)
	}

	fn knows(&self, hash: &CandidateHash) -> bool {
		self.unconnected.contains_key(hash) || self.is_in_path(hash)
	}

	/// Answers whether the candidate is known.
	fn back(&mut self, hash: &CandidateHash, drops: &mut Drops) -> bool {
		if self.is_in_path(hash) {
			return true;
		}
		let Some(entry) = self.unconnected.get_mut(hash) else { return false };
		if std::mem::replace(&mut entry.backed, true) {
			return true;
		}
		let parent = entry.parent;
		let cut = match self.nodes.iter().position(|node| node.entry.output == parent) {
			_ if parent == self.base.required_parent.hash() => 0,
			Some(position) => position + 1,
			None => return true,
		};
		let mut storage = std::mem::take(&mut self.unconnected);
		for node in self.nodes.split_off(cut) {
			storage.insert(node.entry.hash(), node.entry);
		}
		self.populate(&mut storage);
		self.trim(&mut storage, vec![parent], drops);
		self.keep_potential(storage, drops);
		true
	}

	fn backable(&self, count: usize, ancestors: &BTreeSet<CandidateHash>) -> Vec<CandidateHash> {
		let path = self.nodes.iter().map(|node| node.entry.hash());
		path.skip_while(|hash| ancestors.contains(hash))
			.take_while(|hash| !self.pending.contains_key(hash))
			.take(count)
			.collect()
	}

	fn output_heads(&self) -> BTreeSet<Hash> {
		let path = self.nodes.iter().map(|node| node.entry.output);
		let beside = self.unconnected.values().map(|entry| entry.output);
		path.chain(beside).chain([self.base.required_parent.hash()]).collect()
	}

	/// Whether the head is known in full.
	fn has_head(&self, head: &Hash) -> bool {
		self.output_heads().contains(head) || self.unconnected.values().any(|entry| entry.parent == *head)
	}
}

struct At {
	leaf: Arc<LeafContext>,
	chains: BTreeMap<ParaId, Chain>,
}

impl At {
	fn knows(&self, hash: &CandidateHash) -> bool {
		self.chains.values().any(|chain| chain.knows(hash))
	}

	fn known(&self) -> impl Iterator<Item = CandidateHash> + '_ {
		self.chains.values().flat_map(|chain| {
			chain.nodes.iter().map(|node| node.entry.hash()).chain(chain.unconnected.keys().copied())
		})
	}

	fn passed_on(&self) -> impl Iterator<Item = CandidateHash> + '_ {
		self.chains.values().flat_map(|chain| {
			let path = chain.nodes.iter().map(|node| node.entry.hash());
			path.filter(|hash| chain.pending.contains_key(hash)).chain(chain.done.iter().copied())
		})
	}

	/// Whether the candidate is known or worth keeping. `vouched`: whether the runtime knows its relay parent.
	fn verdict(&self, entry: &Entry, vouched: bool) -> Verdict {
		let chain = self.chains.get(&entry.para()).ok_or(Reason::ParaNotScheduled)?;
		if chain.knows(&entry.hash()) {
			return Ok(());
		}
		chain.full_place(entry)?;
		chain.not_passed(entry.hash(), entry.parent)?;
		if !self.has_relay_parent(entry.built.receipt.descriptor.relay_parent, vouched) {
			return Err(Reason::RelayParentNotInScope);
		}
		chain.potential(entry)
	}

	fn has_relay_parent(&self, relay_parent: Hash, vouched: bool) -> bool {
		vouched || self.leaf.allowed_blocks().any(|block| block.hash == relay_parent)
	}
}

/// The model. Relay parents of candidates are what their validation data says; all blocks are in one session.
#[derive(Default)]
pub(crate) struct Model {
	blocks: BTreeMap<Hash, At>,
	active: BTreeSet<Hash>,
	/// Candidates of which nothing is to be said any more.
	settled: BTreeSet<CandidateHash>,
}

/// Who was known before an event.
struct Before {
	known: BTreeSet<CandidateHash>,
	at_leaf: BTreeSet<CandidateHash>,
}

impl Model {
	fn leaves(&self) -> impl Iterator<Item = (&Hash, &At)> {
		self.active.iter().map(|leaf| (leaf, &self.blocks[leaf]))
	}

	fn snapshot(&self) -> Before {
		Before {
			known: self.blocks.values().flat_map(At::known).collect(),
			at_leaf: self.leaves().flat_map(|(_, at)| at.known()).collect(),
		}
	}

	/// What is lost since then, and not the relay chain's.
	fn settle(&mut self, before: Before, passed_on: &BTreeSet<CandidateHash>, drops: &Drops) -> Drops {
		let mut lost = Drops::new();
		for hash in before.known {
			if self.leaves().any(|(_, at)| at.knows(&hash)) {
				continue;
			}
			let is_known = self.blocks.values().any(|at| at.knows(&hash));
			if is_known && !before.at_leaf.contains(&hash) {
				continue;
			}
			let was_settled = if is_known { !self.settled.insert(hash) } else { self.settled.remove(&hash) };
			if !was_settled && !passed_on.contains(&hash) {
				let why = drops.iter().find(|(dropped, _)| *dropped == hash);
				lost.push((hash, why.map_or(Reason::OutOfView, |(_, reason)| *reason)));
			}
		}
		lost
	}

	pub(crate) fn update(&mut self, activated: Option<&Arc<LeafContext>>, deactivated: &[Hash]) -> Drops {
		let before = self.snapshot();
		let (mut drops, mut unlinked) = (Drops::new(), Drops::new());
		if let Some(leaf) = activated.filter(|leaf| !deactivated.contains(&leaf.hash())) {
			self.activate(leaf, &mut drops, &mut unlinked);
		}
		let passed_on = self.blocks.values().flat_map(At::passed_on).collect();
		self.active.retain(|hash| !deactivated.contains(hash));
		let scope = |(_, at): (_, &At)| at.leaf.allowed_blocks().map(|block| block.hash).collect::<Vec<_>>();
		let keep: BTreeSet<Hash> = self.leaves().flat_map(scope).collect();
		self.blocks.retain(|hash, _| keep.contains(hash));
		unlinked.extend(self.settle(before, &passed_on, &drops));
		unlinked
	}

	fn activate(&mut self, leaf: &Arc<LeafContext>, drops: &mut Drops, unlinked: &mut Drops) {
		let hash = leaf.hash();
		if !self.blocks.contains_key(&hash) {
			let allowed = leaf.allowed_ancestry.iter().map(|block| block.hash);
			let mut ancestors = std::iter::once(leaf.block.parent_hash).chain(allowed);
			let previous = ancestors.find_map(|hash| self.blocks.get(&hash));
			let mut chains = BTreeMap::new();
			for para in leaf.block.transposed_claim_queue.keys() {
				let known = previous.and_then(|at| at.chains.get(para));
				let chain = Chain::new(leaf, *para, known, drops, unlinked);
				chains.extend(chain.map(|chain| (*para, chain)));
			}
			self.blocks.insert(hash, At { leaf: leaf.clone(), chains });
		}
		self.active.insert(hash);
		let at = &self.blocks[&hash];
		self.settled.retain(|candidate| !at.knows(candidate));
	}

	/// Whether the candidate is accepted, and why not.
	pub(crate) fn introduce(&mut self, entry: &Entry, vouched: bool) -> Verdict {
		let Built { receipt, validation_data, .. } = &entry.built;
		if validation_data.hash() != receipt.descriptor.persisted_validation_data_hash {
			return Err(Reason::ValidationDataMismatch);
		}
		if entry.parent == entry.output {
			return Err(Reason::Cycle);
		}
		let (mut refusals, mut accepted) = (Vec::new(), false);
		for (hash, at) in &mut self.blocks {
			match at.verdict(entry, vouched) {
				Ok(()) => {
					accepted = true;
					let chain = at.chains.get_mut(&entry.para()).unwrap();
					if !chain.knows(&entry.hash()) {
						chain.unconnected.insert(entry.hash(), entry.clone());
					}
					if self.active.contains(hash) {
						self.settled.remove(&entry.hash());
					}
				},
				Err(reason) => refusals.push(reason),
			}
		}
		// The refusal that says most.
		let rank = |reason: &Reason| match reason {
			Reason::ParaNotScheduled => 2,
			Reason::SchedulingParentNotInScope => 1,
			_ => 0,
		};
		match accepted {
			true => Ok(()),
			false => Err(refusals.into_iter().min_by_key(rank).unwrap_or(Reason::UnknownSchedulingParent)),
		}
	}

	pub(crate) fn back(&mut self, para: ParaId, hash: &CandidateHash) -> Drops {
		let before = self.snapshot();
		let mut drops = Drops::new();
		let (mut scheduled, mut known) = (false, false);
		for chain in self.blocks.values_mut().filter_map(|at| at.chains.get_mut(&para)) {
			scheduled = true;
			known |= chain.back(hash, &mut drops);
		}
		let unknown = if scheduled { Reason::OutOfView } else { Reason::ParaNotScheduled };
		let passed_on = self.blocks.values().flat_map(At::passed_on).collect();
		let mut lost = self.settle(before, &passed_on, &drops);
		lost.extend((!known).then_some((*hash, unknown)));
		lost
	}

	/// Leaves under which the candidate could be added.
	pub(crate) fn complete(&self, entry: &Entry, vouched: bool) -> Vec<Hash> {
		self.leaves().filter(|(_, at)| at.verdict(entry, vouched).is_ok()).map(|(leaf, _)| *leaf).collect()
	}

	/// The same for a candidate of which only an advertisement is known.
	pub(crate) fn incomplete(&self, entry: &Entry) -> Vec<Hash> {
		let is_member = |(_, at): &(&Hash, &At)| {
			at.chains.get(&entry.para()).is_some_and(|chain| {
				let place = chain.place(entry.hash(), entry.parent, None, entry.scheduling_parent(), None);
				let place = place.and_then(|()| chain.not_passed(entry.hash(), entry.parent));
				chain.knows(&entry.hash()) || place.is_ok()
			})
		};
		self.leaves().filter(is_member).map(|(leaf, _)| *leaf).collect()
	}

	pub(crate) fn backable(
		&self,
		leaf: &Hash,
		para: ParaId,
		count: usize,
		ancestors: &BTreeSet<CandidateHash>,
	) -> Vec<CandidateHash> {
		let at = Some(leaf).filter(|leaf| self.active.contains(leaf)).map(|leaf| &self.blocks[leaf]);
		let chain = at.and_then(|at| at.chains.get(&para));
		chain.map(|chain| chain.backable(count, ancestors)).unwrap_or_default()
	}

	/// Whether the validation data on a known head at a relay parent can be told.
	pub(crate) fn has_validation_data(
		&self,
		para: ParaId,
		head: &Hash,
		relay_parent: Hash,
		vouched: bool,
	) -> bool {
		let scheduled = || self.leaves().filter_map(|(_, at)| Some((at, at.chains.get(&para)?)));
		scheduled().any(|(_, chain)| chain.has_head(head))
			&& scheduled().any(|(at, _)| at.has_relay_parent(relay_parent, vouched))
	}

	pub(crate) fn output_heads(&self, para: ParaId) -> BTreeMap<Hash, BTreeSet<Hash>> {
		let heads = |at: &At| at.chains.get(&para).map(Chain::output_heads).unwrap_or_default();
		self.blocks.iter().map(|(hash, at)| (*hash, heads(at))).collect()
	}

	pub(crate) fn active_leaves(&self) -> &BTreeSet<Hash> {
		&self.active
	}

	/// Candidates in the path at a leaf, and how many of them are pending on chain.
	pub(crate) fn path(&self, leaf: &Hash, para: ParaId) -> (Vec<CandidateHash>, usize) {
		let Some(chain) = self.blocks.get(leaf).and_then(|at| at.chains.get(&para)) else {
			return Default::default();
		};
		let path: Vec<_> = chain.nodes.iter().map(|node| node.entry.hash()).collect();
		let n_pending = path.iter().filter(|hash| chain.pending.contains_key(hash)).count();
		(path, n_pending)
	}
}
