//! The fragment chain of one para at one scheduling parent (backing pipeline §2.2, §2.5).
//!
//! A fragment chain is a path of backed candidates from the included head: first those that are pending on
//! chain, then the ones that could be backed next. Where several candidates could follow, the one with the
//! lowest hash does. Candidates that have no place in the path yet (only seconded, parent not known, beyond
//! the path's length), but may get one, stand beside it, unconnected.
//!
//! Two invariants make changes cheap. **The path is a function of the backed candidates**: at every position
//! stands the pending candidate, else the lowest admissible one. **Every unconnected candidate has
//! potential**: it passes [`FragmentChain::check_potential`] against the path as it is. So a change at a
//! position leaves all before it as it is, and only candidates that build on, or produce, a head that came or
//! went have to be checked again: what an operation costs depends on them, not on how many candidates are
//! stored. `tests/prospective/model.rs` rebuilds everything after each event and must arrive at the same.
//! What a new leaf takes over from its ancestor stands in `inherit`; which claim each place of the path is for, in
//! [`crate::claims`].

mod inherit;

use crate::{
	candidate::{Backing, Candidate},
	claims::Claims,
	storage::Storage,
	Refusal,
};
use headway_machine::{
	by_hash::{ByHash, HashKeys},
	CandidateRef, FragmentState, Sizes,
};
use headway_primitives::{
	constraints::{ConstraintError, Constraints, RelayParentInfo},
	BlockNumber, CandidateHash, CoreIndex, Hash, HeadData,
};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
};

/// Most candidates of one para at one scheduling parent, in the path and beside it, without those that are
/// pending on chain.
///
/// Honest bounds lie far below: statement distribution lets each member of a para's groups second at most as
/// many candidates per scheduling parent as the claim queue is long.
pub const MAX_CANDIDATES: usize = 1024;

/// What a fragment chain is built on: the state of a para at a scheduling parent. It never changes.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
	/// What a candidate on top of the included head has to respect.
	pub(crate) base: Constraints,
	/// Hash of the included head.
	pub(crate) required_head_hash: Hash,
	/// Scheduling parents that candidates may have, and for how many blocks still.
	pub(crate) windows: Arc<BTreeMap<Hash, usize>>,
	/// What the claim queue has for the para.
	pub(crate) claims: Claims,
	/// Most candidates in the path, pending ones included.
	pub(crate) max_len: usize,
	/// Under synchronous backing, what goes beyond the other rules.
	pub(crate) synchronous: Option<Synchronous>,
}

/// Synchronous backing: a candidate builds on the included head, at the leaf, when nothing is pending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Synchronous {
	/// The leaf: the only relay parent.
	pub(crate) leaf: Hash,
	/// Whether candidates of the para are pending at the leaf.
	pub(crate) occupied: bool,
}

/// A candidate that is pending on chain.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
	pub(crate) candidate: Arc<Candidate>,
	pub(crate) relay_parent: RelayParentInfo,
}

/// A candidate that lost its place.
#[derive(Clone, Debug)]
pub(crate) struct Dropped {
	pub(crate) candidate: Arc<Candidate>,
	pub(crate) refusal: Refusal,
}

/// A candidate in the path. Shared with the chains of later leaves, as long as they build on the same state.
#[derive(Debug)]
struct Node {
	candidate: Arc<Candidate>,
	relay_parent_number: BlockNumber,
	/// What the next candidate has to respect. The oldest relay parent may be that of an earlier leaf, which
	/// is never newer than the scope's.
	after: Constraints,
}

/// The path of backed candidates, and the candidates beside it.
///
/// # Bounds
///
/// | container | bound |
/// |---|---|
/// | path | cores of the para in the claim queue, plus candidates pending on chain |
/// | unconnected | [`MAX_CANDIDATES`], with the path; to fill it, validators of the para's groups have to sign as many |
/// | done | path of the ancestor |
#[derive(Debug)]
pub(crate) struct FragmentChain {
	scope: Scope,
	nodes: Vec<Arc<Node>>,
	/// How many nodes are pending; they come first.
	n_pending: usize,
	/// Position of each head of the path: 0 is the included head, `i + 1` what node `i` produces.
	heads: ByHash<Hash, usize>,
	positions: ByHash<CandidateHash, usize>,
	unconnected: Storage,
	/// Candidates of the ancestor's path that are included by now, or were pending there: they are the relay
	/// chain's.
	done: BTreeSet<CandidateHash>,
}

impl FragmentChain {
	/// A chain with the candidates that are pending on chain, as far as they follow each other.
	pub(crate) fn new(scope: Scope, pending: Vec<Pending>) -> Self {
		let mut chain = Self {
			heads: ByHash::from_iter([(scope.required_head_hash, 0)]),
			scope,
			nodes: Vec::new(),
			n_pending: 0,
			positions: ByHash::default(),
			unconnected: Storage::default(),
			done: BTreeSet::new(),
		};
		for Pending { candidate, relay_parent } in pending {
			if chain.positions.contains_key(&candidate.hash) {
				continue;
			}
			// What builds on one that is left out has no parent in the path, and is left out too.
			let Some(after) = chain.admit_pending(&candidate, &relay_parent) else { continue };
			chain.push(Arc::new(Node { candidate, relay_parent_number: relay_parent.number, after }));
			chain.n_pending += 1;
		}
		chain
	}

	/// Whether the candidate is in the path or beside it.
	pub(crate) fn contains(&self, hash: &CandidateHash) -> bool {
		self.positions.contains_key(hash) || self.unconnected.contains(hash)
	}

	/// Whether the relay chain has taken over the candidate: it is, or was, pending on chain, or is included.
	pub(crate) fn passed_on(&self, hash: &CandidateHash) -> bool {
		self.done.contains(hash)
			|| self.positions.get(hash).is_some_and(|position| *position < self.n_pending)
	}

	/// Number of candidates in the path and beside it.
	pub(crate) fn len(&self) -> (usize, usize) {
		(self.nodes.len(), self.unconnected.len())
	}

	/// Notes how full it is.
	pub(crate) fn sizes(&self, sizes: &mut Sizes) {
		sizes.note("path", self.nodes.len(), self.scope.max_len);
		sizes.note("candidates", self.unconnected.len() + self.nodes.len() - self.n_pending, MAX_CANDIDATES);
	}

	/// All candidates.
	pub(crate) fn candidates(&self) -> impl Iterator<Item = &Arc<Candidate>> {
		let path = self.nodes.iter().map(|node| &node.candidate);
		path.chain(self.unconnected.iter().map(|(candidate, _)| candidate))
	}

	/// The path, each candidate with how far it is.
	pub(crate) fn path(&self) -> impl Iterator<Item = (&Candidate, FragmentState)> {
		let state = |position: usize| match position < self.n_pending {
			true => FragmentState::Pending,
			false => FragmentState::Backed,
		};
		self.nodes.iter().enumerate().map(move |(position, node)| (&*node.candidate, state(position)))
	}

	/// The candidates beside the path.
	pub(crate) fn beside(&self) -> impl Iterator<Item = (&Candidate, Backing)> {
		self.unconnected.iter().map(|(candidate, backing)| (&**candidate, backing))
	}

	/// Hash of the head that the path begins with.
	pub(crate) fn included_head(&self) -> Hash {
		self.scope.required_head_hash
	}

	/// Most candidates that the path may have.
	pub(crate) fn max_len(&self) -> usize {
		self.scope.max_len
	}

	/// Limit of the proof of validity.
	pub(crate) fn max_pov_size(&self) -> u32 {
		self.scope.base.max_pov_size
	}

	/// Adds a seconded candidate beside the path. The caller has compared its relay parent with the chain's.
	pub(crate) fn add_seconded(&mut self, candidate: &Arc<Candidate>) -> Result<(), Refusal> {
		if self.contains(&candidate.hash) {
			return Ok(());
		}
		self.check_potential(candidate)?;
		// Those in the path count, because they may have to leave it.
		if self.unconnected.len() + self.nodes.len() - self.n_pending >= MAX_CANDIDATES {
			return Err(Refusal::CapacityReached);
		}
		self.unconnected.insert(candidate.clone(), Backing::Seconded);
		Ok(())
	}

	/// Notes that a candidate has its votes, and gives it its place. Answers false if the candidate is not
	/// known.
	pub(crate) fn mark_backed(&mut self, hash: &CandidateHash, dropped: &mut Vec<Dropped>) -> bool {
		if self.positions.contains_key(hash) {
			return true;
		}
		let Some((candidate, backing)) = self.unconnected.get(hash) else { return false };
		if backing == Backing::Backed {
			return true;
		}
		let candidate = candidate.clone();
		self.unconnected.mark_backed(hash);
		// Without a parent in the path, it waits.
		let Some(position) = self.heads.get(&candidate.parent_head_hash).copied() else { return true };
		let stays = match self.nodes.get(position) {
			Some(node) => {
				position < self.n_pending
					|| node.candidate.hash < *hash
					|| self.admit(position, &candidate).is_none()
			},
			None => position >= self.scope.max_len,
		};
		if !stays {
			self.relink(position, dropped);
		}
		true
	}

	/// Candidates that can be backed on chain next, if `ancestors` are included by then (backing pipeline
	/// §2.7).
	pub(crate) fn backable(&self, count: usize, ancestors: &BTreeSet<CandidateHash>) -> Vec<CandidateRef> {
		let is_included = |node: &&Arc<Node>| ancestors.contains(&node.candidate.hash);
		let base = self.nodes.iter().take_while(is_included).count();
		// Pending ones come first: if there is none at the base, there is none behind it.
		if base < self.n_pending {
			return Vec::new();
		}
		self.nodes[base..].iter().take(count).map(|node| node.candidate.to_ref()).collect()
	}

	/// Head data by its hash, if any candidate builds on it or produces it.
	pub(crate) fn head_data(&self, hash: &Hash) -> Option<&HeadData> {
		if let Some(position) = self.heads.get(hash) {
			return Some(&self.constraints_at(*position).required_parent);
		}
		let produced = self.unconnected.producers(hash).map(|c| &c.receipt.commitments.head_data).next();
		produced
			.or_else(|| self.unconnected.children(hash).map(|(c, _)| &c.validation_data.parent_head).next())
	}

	/// Hashes of all heads that candidates produce, and of the included head.
	pub(crate) fn output_heads(&self) -> BTreeSet<Hash> {
		self.heads.keys().chain(self.unconnected.output_heads()).copied().collect()
	}

	/// Whether a candidate of which only this is known could get a place (steps 1 to 4 of the potential
	/// check). Without its core, any will do.
	pub(crate) fn check_place(
		&self,
		hash: CandidateHash,
		parent_head_hash: Hash,
		output_head_hash: Option<Hash>,
		scheduling_parent: Hash,
		core: Option<CoreIndex>,
	) -> Result<(), Refusal> {
		let Some(window) = self.scope.windows.get(&scheduling_parent) else {
			return Err(Refusal::SchedulingParentNotInScope);
		};
		if !self.scope.claims.is_reached(core, *window) {
			return Err(Refusal::NoClaim);
		}
		if let Some(Synchronous { occupied, .. }) = self.scope.synchronous {
			if occupied || parent_head_hash != self.scope.required_head_hash {
				return Err(Refusal::Synchronous);
			}
		}
		if output_head_hash == Some(parent_head_hash) {
			return Err(Refusal::ZeroLengthCycle);
		}
		let position = self.heads.get(&parent_head_hash).copied();
		let sibling =
			position.and_then(|position| Some((position, self.nodes.get(position)?.candidate.hash)));
		match sibling {
			Some((position, sibling)) if position < self.n_pending => {
				return Err(Refusal::ForkOfPending(sibling))
			},
			Some((_, sibling)) if sibling < hash => return Err(Refusal::ForkChoice(sibling)),
			_ => {},
		}
		match output_head_hash.and_then(|output| self.heads.get(&output)) {
			// Nothing builds on the included head yet, so nothing can come back to it.
			None | Some(0) if self.nodes.is_empty() => Ok(()),
			None => Ok(()),
			Some(position) if *position == self.nodes.len() => Err(Refusal::MultiplePaths),
			Some(_) => Err(Refusal::Cycle),
		}
	}

	/// [`Self::check_place`] for a candidate in full, and what else needs no knowledge of its relay parent.
	pub(crate) fn check_full_place(&self, candidate: &Candidate) -> Result<(), Refusal> {
		let Candidate { hash, parent_head_hash, output_head_hash, scheduling_parent, relay_parent, .. } =
			candidate;
		let core = candidate.core();
		self.check_place(*hash, *parent_head_hash, Some(*output_head_hash), *scheduling_parent, core)?;
		match self.scope.synchronous {
			Some(Synchronous { leaf, .. }) if leaf != *relay_parent => Err(Refusal::Synchronous),
			_ => Ok(()),
		}
	}

	/// Whether a candidate that is not in the path is worth keeping.
	pub(crate) fn check_potential(&self, candidate: &Candidate) -> Result<(), Refusal> {
		self.check_full_place(candidate)?;
		let number = candidate.relay_parent_number;
		if let Some(last) = self.n_pending.checked_sub(1).map(|last| &self.nodes[last]) {
			if number < last.relay_parent_number {
				return Err(Refusal::RelayParentBeforePending { number, pending: last.relay_parent_number });
			}
		}
		let min = self.scope.base.min_relay_parent_number;
		if number < min {
			return Err(ConstraintError::RelayParentTooOld { number, min }.into());
		}
		let Some(position) = self.heads.get(&candidate.parent_head_hash).copied() else {
			return Ok(candidate.check_unconnected(&self.scope.base)?);
		};
		let parent = position.checked_sub(1).map(|parent| &self.nodes[parent]);
		match parent.map(|parent| parent.relay_parent_number) {
			Some(parent) if number < parent => Err(Refusal::RelayParentMovedBackwards { number, parent }),
			_ => {
				candidate.check(self.constraints_at(position), &candidate.relay_parent_info())?;
				Ok(())
			},
		}
	}

	/// Head of the path at a position.
	fn head_at(&self, position: usize) -> Hash {
		match position.checked_sub(1).and_then(|parent| self.nodes.get(parent)) {
			Some(parent) => parent.candidate.output_head_hash,
			None => self.scope.required_head_hash,
		}
	}

	/// What a candidate at a position has to respect.
	fn constraints_at(&self, position: usize) -> &Constraints {
		position
			.checked_sub(1)
			.and_then(|parent| self.nodes.get(parent))
			.map_or(&self.scope.base, |parent| &parent.after)
	}

	/// Whether the claim that a position is for is within a candidate's reach.
	fn is_claimed(&self, position: usize, candidate: &Candidate) -> bool {
		let window = self.scope.windows.get(&candidate.scheduling_parent);
		let place = position.saturating_sub(self.n_pending);
		window.is_some_and(|window| self.scope.claims.fits(place, candidate.core(), *window))
	}

	/// Whether a candidate can stand at a position, as far as the constraints there do not matter.
	fn fits(&self, position: usize, candidate: &Candidate) -> bool {
		let number = candidate.relay_parent_number;
		let min = position.checked_sub(1).map_or(0, |parent| self.nodes[parent].relay_parent_number);
		let loops = self.heads.get(&candidate.output_head_hash).is_some_and(|earlier| *earlier <= position);
		!loops
			&& number >= min.max(self.scope.base.min_relay_parent_number)
			&& self.is_claimed(position, candidate)
	}

	/// Whether a candidate can stand at a position, given what is before it. Answers the constraints behind
	/// it.
	fn admit(&self, position: usize, candidate: &Candidate) -> Option<Constraints> {
		if !self.fits(position, candidate) {
			return None;
		}
		let constraints = self.constraints_at(position);
		let modifications = candidate.check(constraints, &candidate.relay_parent_info()).ok()?;
		constraints.apply_modifications(&modifications).ok()
	}

	/// Whether a candidate that is pending on chain follows the path. Its relay parent may be older than new
	/// ones may be.
	fn admit_pending(&self, candidate: &Candidate, relay_parent: &RelayParentInfo) -> Option<Constraints> {
		let tip = self.nodes.last();
		if candidate.parent_head_hash != self.head_at(self.nodes.len())
			|| self.heads.contains_key(&candidate.output_head_hash)
			|| tip.is_some_and(|tip| relay_parent.number < tip.relay_parent_number)
		{
			return None;
		}
		let constraints = self.constraints_at(self.nodes.len());
		let lenient = Constraints { min_relay_parent_number: relay_parent.number, ..constraints.clone() };
		let modifications = candidate.check(&lenient, relay_parent).ok()?;
		constraints.apply_modifications(&modifications).ok()
	}

	fn push(&mut self, node: Arc<Node>) {
		let position = self.nodes.len();
		self.positions.insert(node.candidate.hash, position);
		self.heads.insert(node.candidate.output_head_hash, position + 1);
		self.nodes.push(node);
	}

	/// Extends the path by backed candidates.
	fn populate(&mut self) {
		while self.nodes.len() < self.scope.max_len {
			let position = self.nodes.len();
			let head = self.head_at(position);
			// Ascending by hash: the first that is admitted is the one that the fork rule prefers.
			let next = self
				.unconnected
				.children(&head)
				.filter(|(_, backing)| *backing == Backing::Backed)
				.find_map(|(candidate, _)| Some((candidate.clone(), self.admit(position, candidate)?)));
			let Some((candidate, after)) = next else { break };
			self.unconnected.remove(&candidate.hash);
			let relay_parent_number = candidate.relay_parent_number;
			self.push(Arc::new(Node { candidate, relay_parent_number, after }));
		}
	}

	/// Builds the path anew from a position on.
	fn relink(&mut self, position: usize, dropped: &mut Vec<Dropped>) {
		let start = self.head_at(position);
		let mut heads = BTreeSet::from([start]);
		for node in self.nodes.drain(position..) {
			self.positions.remove(&node.candidate.hash);
			self.heads.remove(&node.candidate.output_head_hash);
			heads.insert(node.candidate.output_head_hash);
			self.unconnected.insert(node.candidate.clone(), Backing::Backed);
		}
		self.populate();
		heads.extend(self.nodes[position..].iter().map(|node| node.candidate.output_head_hash));
		let children =
			heads.iter().flat_map(|head| self.unconnected.children(head)).map(|(candidate, _)| candidate);
		let producers = heads.iter().flat_map(|head| self.unconnected.producers(head));
		let affected: BTreeMap<_, _> = children.chain(producers).map(|c| (c.hash, c)).collect();
		// For all others the path is as it was: they have potential. If these have too, nobody falls.
		if affected.values().all(|candidate| self.check_potential(candidate).is_ok()) {
			return;
		}
		let affected = affected.into_keys().collect();
		self.trim(VecDeque::from([start]), 0, dropped);
		self.recheck(affected, dropped);
	}

	/// Drops forks that lost, with all that builds on them, starting from the candidates that build on some
	/// heads. What builds on the path is judged by itself, even if a fork that lost leads to the same head.
	/// Heads of the path before position `passed` count as visited.
	fn trim(&mut self, starts: VecDeque<Hash>, passed: usize, dropped: &mut Vec<Dropped>) {
		let mut queue: VecDeque<(Hash, bool)> = starts.into_iter().map(|head| (head, true)).collect();
		// Unconnected candidates may form cycles and paths that meet again.
		let (mut visited, mut judged) = (HashKeys::default(), HashKeys::default());
		while let Some((head, parent_stays)) = queue.pop_front() {
			visited.insert(head);
			let parent_stays = parent_stays || self.heads.contains_key(&head);
			// However many lead to a head, what builds on it is visited twice at most.
			if !judged.insert((head, parent_stays)) {
				continue;
			}
			let mut doomed = Vec::new();
			for (child, _) in self.unconnected.children(&head) {
				let output = child.output_head_hash;
				let is_passed = self.heads.get(&output).is_some_and(|position| *position < passed);
				if is_passed || visited.contains(&output) {
					continue;
				}
				let verdict =
					if parent_stays { self.check_potential(child) } else { Err(Refusal::ParentDropped) };
				queue.push_back((child.output_head_hash, verdict.is_ok()));
				if let Err(refusal) = verdict {
					doomed.push((child.hash, refusal));
				}
			}
			self.remove(doomed, dropped);
		}
	}

	/// Drops those of the candidates that have no potential any more.
	fn recheck(&mut self, hashes: BTreeSet<CandidateHash>, dropped: &mut Vec<Dropped>) {
		let candidates = hashes.iter().filter_map(|hash| self.unconnected.get(hash));
		let doomed = self.without_potential(candidates.map(|(candidate, _)| candidate));
		self.remove(doomed, dropped);
	}

	fn without_potential<'a>(
		&self,
		candidates: impl Iterator<Item = &'a Arc<Candidate>>,
	) -> Vec<(CandidateHash, Refusal)> {
		let verdicts = candidates.map(|candidate| (candidate.hash, self.check_potential(candidate)));
		verdicts.filter_map(|(hash, verdict)| Some((hash, verdict.err()?))).collect()
	}

	fn remove(&mut self, doomed: Vec<(CandidateHash, Refusal)>, dropped: &mut Vec<Dropped>) {
		for (hash, refusal) in doomed {
			if let Some((candidate, _)) = self.unconnected.remove(&hash) {
				dropped.push(Dropped { candidate, refusal });
			}
		}
	}
}
