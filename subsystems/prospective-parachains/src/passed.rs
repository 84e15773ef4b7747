//! Heads that a parachain has left behind, and whose candidates led it away from them.
//!
//! Once a candidate is included, no other one on the same head can be backed any more: it is on a fork that lost for
//! good. By the specification alone nobody would know: the head is not in the chain any more, so that a candidate on
//! it looks like one whose parent may come yet. It would be fetched, executed and voted for, to fall out of view in
//! the end, for no reason that says anything.

use crate::{chain::FragmentChain, Refusal};
use headway_primitives::{CandidateHash, Hash, ParaId};
use std::collections::{BTreeMap, VecDeque};

/// Heads that are remembered of each para.
pub const MAX_PASSED_HEADS: usize = 16;

/// Heads that were left behind, as a scheduling parent knows.
///
/// # Bounds
///
/// [`MAX_PASSED_HEADS`] for each para in the claim queue, the oldest goes first.
#[derive(Clone, Debug, Default)]
pub(crate) struct PassedHeads(BTreeMap<ParaId, VecDeque<(Hash, CandidateHash)>>);

impl PassedHeads {
	/// Takes over what an ancestor knew of a para, and what was included since then.
	pub(crate) fn follow(
		&mut self,
		para: ParaId,
		chain: &FragmentChain,
		ancestor: &FragmentChain,
		known: &PassedHeads,
	) {
		let mut passed = known.0.get(&para).cloned().unwrap_or_default();
		let included = chain.included_head();
		let path: Vec<_> = ancestor.path().map(|(candidate, _)| candidate).collect();
		// Without it in the path, nothing of the path was included, or it is not known what was.
		let last = path.iter().position(|candidate| candidate.output_head_hash == included);
		for candidate in path.iter().take(last.map_or(0, |last| last + 1)) {
			passed.push_back((candidate.parent_head_hash, candidate.hash));
		}
		passed.drain(..passed.len().saturating_sub(MAX_PASSED_HEADS));
		if !passed.is_empty() {
			self.0.insert(para, passed);
		}
	}

	/// Refuses a candidate on a head that another one led away from. A para may come back to a head: then the chain
	/// judges.
	pub(crate) fn check(
		&self,
		para: ParaId,
		chain: &FragmentChain,
		hash: CandidateHash,
		parent_head_hash: Hash,
	) -> Result<(), Refusal> {
		let passed = self.0.get(&para).and_then(|passed| {
			passed.iter().rev().find(|(head, _)| *head == parent_head_hash).map(|(_, winner)| *winner)
		});
		let Some(winner) = passed.filter(|winner| *winner != hash) else { return Ok(()) };
		let is_head = chain.included_head() == parent_head_hash
			|| chain.path().any(|(candidate, _)| candidate.output_head_hash == parent_head_hash);
		if is_head {
			Ok(())
		} else {
			Err(Refusal::ForkOfIncluded(winner))
		}
	}
}
