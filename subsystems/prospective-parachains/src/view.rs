//! A fragment chain for people to look at.

use crate::{
	candidate::{Backing, Candidate},
	chain::FragmentChain,
	machine::ProspectiveParachains,
};
use headway_machine::{Fragment, FragmentChainError, FragmentChainView, FragmentState};
use headway_primitives::{Hash, ParaId};
use std::cmp::Reverse;

impl ProspectiveParachains {
	/// The fragment chain of a para at a scheduling parent, or else at the newest leaf where it has one.
	pub fn view_chain(
		&self,
		para: ParaId,
		at: Option<Hash>,
	) -> Result<FragmentChainView, FragmentChainError> {
		let (hash, at) = match at {
			Some(hash) => (hash, self.scheduling_parent(&hash).ok_or(FragmentChainError::NotInView)?),
			None => self
				.leaves()
				.filter(|(_, at)| at.chains.contains_key(&para))
				.min_by_key(|(hash, at)| (Reverse(at.leaf.block.number), **hash))
				.map(|(hash, at)| (*hash, at))
				.ok_or(FragmentChainError::NotScheduled)?,
		};
		let chain = at.chains.get(&para).ok_or(FragmentChainError::NotScheduled)?;
		Ok(chain.view(hash, at.leaf.block.number))
	}
}

impl FragmentChain {
	fn view(&self, at: Hash, number: u32) -> FragmentChainView {
		FragmentChainView {
			at,
			number,
			included_head: self.included_head(),
			max_len: self.max_len(),
			best: self.path().map(|(candidate, state)| fragment(candidate, state)).collect(),
			unconnected: self
				.beside()
				.map(|(candidate, backing)| fragment(candidate, backing.into()))
				.collect(),
		}
	}
}

impl From<Backing> for FragmentState {
	fn from(backing: Backing) -> Self {
		match backing {
			Backing::Seconded => Self::Seconded,
			Backing::Backed => Self::Backed,
		}
	}
}

fn fragment(candidate: &Candidate, state: FragmentState) -> Fragment {
	Fragment {
		candidate_hash: candidate.hash,
		scheduling_parent: candidate.scheduling_parent,
		relay_parent: candidate.relay_parent,
		parent_head: candidate.parent_head_hash,
		output_head: candidate.output_head_hash,
		state,
	}
}
