//! How many candidates each para may bring into the block, and which of those that are backable go in
//! (backing pipeline §7.3).

use crate::Bitfields;
use headway_machine::LeafContext;
use headway_primitives::{BackedCandidate, CandidateHash, CoreIndex, CoreState, ParaId};
use std::collections::{BTreeMap, BTreeSet};

/// What prospective parachains are asked about a para.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Demand {
	/// Cores that are free for the para in the new block.
	pub(crate) cores: BTreeSet<CoreIndex>,
	/// Its candidates that occupy cores now, and are assumed to be included by the time the new ones are.
	pub(crate) ancestors: BTreeSet<CandidateHash>,
}

/// The demand of every para that gets a core in a block on top of `leaf`, if the block carries `bitfields`.
pub(crate) fn demands(leaf: &LeafContext, bitfields: &Bitfields) -> BTreeMap<ParaId, Demand> {
	let fates = fates(leaf, bitfields);
	let mut demands = BTreeMap::<ParaId, Demand>::new();
	for (index, core) in (0..).map(CoreIndex).zip(&leaf.availability_cores) {
		let occupied = match core {
			CoreState::Free => continue,
			CoreState::Scheduled(scheduled) => {
				demands.entry(scheduled.para_id).or_default().cores.insert(index);
				continue;
			},
			CoreState::Occupied(occupied) => occupied,
		};
		// A candidate that builds on an included head must see it included: the next block is too early, even if
		// this very block makes the core free.
		if leaf.is_synchronous() {
			continue;
		}
		let (next, stays) = match fates.get(&occupied.candidate_hash) {
			Some(Fate::Included) => (occupied.next_up_on_available.as_ref(), true),
			Some(Fate::TimesOut) => (occupied.next_up_on_time_out.as_ref(), false),
			Some(Fate::Waits) | None => (None, true),
		};
		if stays {
			let para = occupied.candidate_descriptor.para_id;
			demands.entry(para).or_default().ancestors.insert(occupied.candidate_hash);
		}
		if let Some(next) = next {
			demands.entry(next.para_id).or_default().cores.insert(index);
		}
	}
	demands.retain(|_, demand| !demand.cores.is_empty());
	demands
}

/// What the new block does to a candidate that waits for availability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
	Included,
	Waits,
	TimesOut,
}

/// What the new block does to the candidates that occupy cores. A para's candidates are included in their order: what is
/// behind one that is not available waits for it, and times out with it.
fn fates(leaf: &LeafContext, bitfields: &Bitfields) -> BTreeMap<CandidateHash, Fate> {
	let n_validators = leaf.block.session.n_validators();
	let mut fates = BTreeMap::new();
	for (index, core) in leaf.availability_cores.iter().enumerate() {
		let CoreState::Occupied(occupied) = core else { continue };
		let alone = if bitfields.makes_available(index, occupied, n_validators) {
			Fate::Included
		} else if occupied.time_out_at <= leaf.block.number.saturating_add(1) {
			Fate::TimesOut
		} else {
			Fate::Waits
		};
		fates.insert(occupied.candidate_hash, alone);
	}
	for para in leaf.paras.values() {
		let mut before = Fate::Included;
		for pending in &para.pending {
			let Some(fate) = fates.get_mut(&pending.hash) else { continue };
			*fate = match (before, *fate) {
				(Fate::Included, alone) => alone,
				(Fate::Waits, Fate::Included | Fate::Waits) => Fate::Waits,
				(Fate::Waits, Fate::TimesOut) | (Fate::TimesOut, _) => Fate::TimesOut,
			};
			before = *fate;
		}
	}
	fates
}

/// The candidates up to the first whose core is not free: the runtime puts a candidate on no other core than its own, and
/// takes none without what it builds on. The others wait for a later block.
pub(crate) fn on_free_cores(
	candidates: Vec<BackedCandidate>,
	mut cores: BTreeSet<CoreIndex>,
) -> Vec<BackedCandidate> {
	let own_core = |candidate: &BackedCandidate| {
		let named = candidate.candidate.descriptor.core_index();
		named.or_else(|| candidate.validator_indices_and_core_index().1)
	};
	let fits = |candidate: &BackedCandidate| own_core(candidate).is_some_and(|core| cores.remove(&core));
	candidates.into_iter().take_while(fits).collect()
}

/// Joins the paras' candidates into one list. A block carries one code upgrade: where a second one would
/// come, the rest of its para is left out. Answers the candidates, and those that were left out.
pub(crate) fn flatten(
	candidates: BTreeMap<ParaId, Vec<BackedCandidate>>,
) -> (Vec<BackedCandidate>, Vec<BackedCandidate>) {
	let (mut chosen, mut left_out) = (Vec::new(), Vec::new());
	let mut upgrades = false;
	for of_para in candidates.into_values() {
		let mut open = true;
		for candidate in of_para {
			let upgrade = candidate.candidate.commitments.new_validation_code.is_some();
			open &= !(upgrade && upgrades);
			if open {
				upgrades |= upgrade;
				chosen.push(candidate);
			} else {
				left_out.push(candidate);
			}
		}
	}
	(chosen, left_out)
}
