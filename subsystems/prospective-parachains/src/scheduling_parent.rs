//! A relay block that schedules candidates, with the fragment chains of all its paras (backing pipeline
//! §2.3).

use crate::{
	candidate::Candidate,
	chain::{Dropped, FragmentChain, Pending, Scope, Synchronous},
	claims::Claims,
	passed::PassedHeads,
};
use headway_machine::{LeafContext, ParaContext, Sizes};
use headway_primitives::{
	constraints::RelayParentInfo, CandidateHash, Hash, ParaId, PersistedValidationData, SessionIndex,
};
use std::{
	collections::{BTreeMap, VecDeque},
	sync::Arc,
};

/// Relay parents beyond a block's context that are remembered for it.
pub const MAX_RELAY_PARENTS: usize = 512;

/// A leaf, or a former leaf that is still in the scope of one.
///
/// # Bounds
///
/// | container | bound |
/// |---|---|
/// | chains | paras in the claim queue |
/// | passed | see [`PassedHeads`] |
/// | relay parents | [`MAX_RELAY_PARENTS`], the oldest goes first; only answers of the runtime enter |
#[derive(Debug)]
pub(crate) struct SchedulingParent {
	pub(crate) leaf: Arc<LeafContext>,
	/// The block and its allowed ancestors, and for how many blocks, from its child on, each may schedule candidates.
	pub(crate) windows: Arc<BTreeMap<Hash, usize>>,
	pub(crate) chains: BTreeMap<ParaId, FragmentChain>,
	/// Heads that its paras have left behind.
	pub(crate) passed: PassedHeads,
	/// Shared with the descendants until one of them learns more.
	relay_parents: Arc<RelayParents>,
}

/// What came of the candidates that a new leaf did not take over.
#[derive(Debug, Default)]
pub(crate) struct Unplaced {
	/// Candidates of the ancestor that have no place here.
	pub(crate) dropped: Vec<Dropped>,
	/// Candidates that are pending on chain, but do not follow those before them.
	pub(crate) unlinked: Vec<(ParaId, CandidateHash)>,
}

/// What a block knows of a relay parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Knowledge {
	/// It is an allowed relay parent.
	Known(RelayParentInfo),
	/// It is none in that session.
	NotAllowed,
	/// The runtime has to be asked.
	Unknown,
}

impl SchedulingParent {
	/// Builds the chains of a new leaf from its context and, if there is one, what a tracked ancestor knows.
	pub(crate) fn new(leaf: Arc<LeafContext>, ancestor: Option<&SchedulingParent>) -> (Self, Unplaced) {
		let windows: Arc<BTreeMap<Hash, usize>> = Arc::new(match leaf.is_synchronous() {
			true => BTreeMap::from([(leaf.hash(), 1)]),
			false => {
				let behind = leaf.allowed_blocks().map(|block| block.hash).enumerate();
				let lookahead = leaf.scheduling_lookahead as usize;
				behind.map(|(behind, hash)| (hash, lookahead.saturating_sub(behind))).collect()
			},
		});
		let mut chains = BTreeMap::new();
		let mut unplaced = Unplaced::default();
		let mut passed = PassedHeads::default();
		for (para, cores) in &leaf.block.transposed_claim_queue {
			// Without its state a para is skipped; the others go on.
			let Some(context) = leaf.paras.get(para) else { continue };
			let mut chain = build_chain(&leaf, &windows, context, Claims::new(cores));
			let unlinked = context.pending.iter().map(|pending| pending.hash);
			unplaced.unlinked.extend(unlinked.filter(|hash| !chain.contains(hash)).map(|hash| (*para, hash)));
			if let Some((ancestor, known)) = ancestor.and_then(|at| Some((at, at.chains.get(para)?))) {
				chain.populate_from(known, &mut unplaced.dropped);
				passed.follow(*para, &chain, known, &ancestor.passed);
			}
			chains.insert(*para, chain);
		}
		// Within a session the runtime only ever adds relay parents.
		let relay_parents = ancestor
			.filter(|ancestor| ancestor.leaf.block.session.index == leaf.block.session.index)
			.map(|ancestor| ancestor.relay_parents.clone())
			.unwrap_or_default();
		(Self { leaf, windows, chains, passed, relay_parents }, unplaced)
	}

	/// Notes how full it is.
	pub(crate) fn sizes(&self, sizes: &mut Sizes) {
		sizes.note("chains", self.chains.len(), self.leaf.block.transposed_claim_queue.len());
		sizes.note("relay_parents", self.relay_parents.known.len(), MAX_RELAY_PARENTS);
		self.chains.values().for_each(|chain| chain.sizes(sizes));
	}

	/// Session of the block's children.
	pub(crate) fn session_index(&self) -> SessionIndex {
		self.leaf.block.session.index
	}

	/// Looks up a relay parent whose children are in the session.
	pub(crate) fn relay_parent(&self, session_index: SessionIndex, relay_parent: Hash) -> Knowledge {
		if let Some(block) = self.leaf.allowed_blocks().find(|block| block.hash == relay_parent) {
			return match block.session.index == session_index {
				true => Knowledge::Known(block.relay_parent_info()),
				false => Knowledge::NotAllowed,
			};
		}
		self.relay_parents.get(session_index, relay_parent).map_or(Knowledge::Unknown, Knowledge::Known)
	}

	/// Remembers what the runtime said of a relay parent.
	pub(crate) fn remember(
		&mut self,
		session_index: SessionIndex,
		relay_parent: Hash,
		info: RelayParentInfo,
	) {
		Arc::make_mut(&mut self.relay_parents).insert(session_index, relay_parent, info);
	}

	/// Candidates that another block, if there is one, does not know.
	pub(crate) fn missing_at<'a>(
		&'a self,
		other: Option<&'a SchedulingParent>,
	) -> impl Iterator<Item = &'a Arc<Candidate>> {
		self.chains.iter().flat_map(move |(para, chain)| {
			let there = other.and_then(|other| other.chains.get(para));
			chain
				.candidates()
				.filter(move |candidate| !there.is_some_and(|there| there.contains(&candidate.hash)))
		})
	}

	/// Whether the candidate is in any chain.
	pub(crate) fn contains(&self, para: ParaId, hash: &CandidateHash) -> bool {
		self.chains.get(&para).is_some_and(|chain| chain.contains(hash))
	}

	/// Whether the relay chain has taken over the candidate: it is, or was, pending on chain, or is included.
	pub(crate) fn passed_on(&self, para: ParaId, hash: &CandidateHash) -> bool {
		self.chains.get(&para).is_some_and(|chain| chain.passed_on(hash))
	}
}

/// A chain with only what is pending on chain.
fn build_chain(
	leaf: &LeafContext,
	windows: &Arc<BTreeMap<Hash, usize>>,
	context: &ParaContext,
	claims: Claims,
) -> FragmentChain {
	let pending = pending_candidates(context);
	let occupied = !context.pending.is_empty();
	let (max_len, synchronous) = match leaf.is_synchronous() {
		false => (claims.n_places() + pending.len(), None),
		true if occupied => (pending.len(), Some(Synchronous { leaf: leaf.hash(), occupied })),
		true => (1, Some(Synchronous { leaf: leaf.hash(), occupied })),
	};
	let base = context.constraints.clone();
	let required_head_hash = base.required_parent.hash();
	FragmentChain::new(
		Scope { base, required_head_hash, windows: windows.clone(), claims, max_len, synchronous },
		pending,
	)
}

/// Candidates that are pending on chain, with the validation data that they must have had. The list stops at
/// the first whose relay parent the chain does not know any more, or whose data does not come out as the
/// descriptor says.
fn pending_candidates(context: &ParaContext) -> Vec<Pending> {
	let mut parent_head = context.constraints.required_parent.clone();
	let mut candidates = Vec::new();
	for pending in &context.pending {
		let Some(relay_parent) = pending.relay_parent else { break };
		let head_data = pending.receipt.commitments.head_data.clone();
		let validation_data = PersistedValidationData {
			parent_head: std::mem::replace(&mut parent_head, head_data),
			relay_parent_number: relay_parent.number,
			relay_parent_storage_root: relay_parent.state_root,
			max_pov_size: context.constraints.max_pov_size,
		};
		let receipt = Arc::new(pending.receipt.clone());
		let Ok(candidate) = Candidate::new(pending.hash, receipt, Arc::new(validation_data)) else { break };
		candidates.push(Pending { candidate: Arc::new(candidate), relay_parent });
	}
	candidates
}

/// Relay parents that the runtime vouched for, the first come first gone.
#[derive(Clone, Debug, Default)]
struct RelayParents {
	known: BTreeMap<(SessionIndex, Hash), RelayParentInfo>,
	order: VecDeque<(SessionIndex, Hash)>,
}

impl RelayParents {
	fn get(&self, session_index: SessionIndex, relay_parent: Hash) -> Option<RelayParentInfo> {
		self.known.get(&(session_index, relay_parent)).copied()
	}

	fn insert(&mut self, session_index: SessionIndex, relay_parent: Hash, info: RelayParentInfo) {
		let key = (session_index, relay_parent);
		if self.known.insert(key, info).is_none() {
			self.order.push_back(key);
		}
		if self.order.len() > MAX_RELAY_PARENTS {
			if let Some(oldest) = self.order.pop_front() {
				self.known.remove(&oldest);
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn relay_parents_are_bounded_and_the_oldest_goes_first() {
		let mut relay_parents = RelayParents::default();
		let info = RelayParentInfo { number: 1, state_root: Hash::zero() };
		for n in 0..MAX_RELAY_PARENTS as u64 + 3 {
			relay_parents.insert(1, Hash::from_low_u64_be(n), info);
			relay_parents.insert(1, Hash::from_low_u64_be(n), info);
		}
		assert_eq!(relay_parents.known.len(), MAX_RELAY_PARENTS);
		assert_eq!(relay_parents.get(1, Hash::from_low_u64_be(2)), None);
		assert_eq!(relay_parents.get(1, Hash::from_low_u64_be(3)), Some(info));
		assert_eq!(relay_parents.get(2, Hash::from_low_u64_be(3)), None);
	}
}
