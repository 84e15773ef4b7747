//! Keeps the inherent within the weight of a block (runtime §7.4).
//!
//! Bitfields go first: they free cores and cost little. A para's chain of candidates is taken whole or not at
//! all, and chains that carry a code upgrade, which are hard to place, are tried first.

use super::*;
use headway_primitives::{BackedCandidate, UncheckedSignedAvailabilityBitfield};
use rand_chacha::{rand_core::SeedableRng, ChaCha20Rng};

pub(super) fn bitfields_weight<T: Config>(bitfields: &[UncheckedSignedAvailabilityBitfield]) -> Weight {
	bitfields.iter().fold(Weight::zero(), |sum, bitfield| sum.saturating_add(cost::bitfield::<T>(bitfield)))
}

pub(super) fn candidates_weight<T: Config>(candidates: &[BackedCandidate]) -> Weight {
	candidates
		.iter()
		.fold(Weight::zero(), |sum, candidate| sum.saturating_add(cost::candidate::<T>(candidate)))
}

/// Bitfields and candidates within the budget, and what was dropped of both.
type Limited = (
	Vec<UncheckedSignedAvailabilityBitfield>,
	Vec<BackedCandidate>,
	Vec<(ParaId, CandidateHash, DropReason)>,
	Vec<(ValidatorIndex, BitfieldDropReason)>,
);

/// Drops what does not fit into `budget`. What fits is returned as it is.
pub(super) fn apply<T: Config>(
	mut bitfields: Vec<UncheckedSignedAvailabilityBitfield>,
	candidates: Vec<BackedCandidate>,
	budget: Weight,
	parent_hash: Hash,
) -> Limited {
	let mut dropped = Vec::new();
	let mut dropped_bitfields = Vec::new();
	let for_bitfields = bitfields_weight::<T>(&bitfields);
	if for_bitfields.saturating_add(candidates_weight::<T>(&candidates)).all_lte(budget) {
		return (bitfields, candidates, dropped, dropped_bitfields);
	}

	let (seed, _) = T::SelectionRandomness::random(b"candidate-seed-selection-subject");
	let mut rng = ChaCha20Rng::from_seed(seed.unwrap_or(parent_hash).0);
	let mut chains = Vec::<Vec<BackedCandidate>>::new();
	for candidate in candidates {
		let para = candidate.candidate.descriptor.para_id;
		match chains.last_mut() {
			Some(chain) if chain[0].candidate.descriptor.para_id == para => chain.push(candidate),
			_ => chains.push(alloc::vec![candidate]),
		}
	}

	let mut keep = BTreeSet::new();
	if for_bitfields.all_lte(budget) {
		let upgrades = |chain: &Vec<BackedCandidate>| {
			chain.iter().any(|candidate| candidate.candidate.commitments.new_validation_code.is_some())
		};
		let (mut preferred, mut others): (Vec<_>, Vec<_>) =
			(0..chains.len()).partition(|i| upgrades(&chains[*i]));
		crate::util::shuffle(&mut preferred, &mut rng);
		crate::util::shuffle(&mut others, &mut rng);
		let mut used = for_bitfields;
		for i in preferred.into_iter().chain(others) {
			let with = used.saturating_add(candidates_weight::<T>(&chains[i]));
			if with.all_lte(budget) {
				used = with;
				keep.insert(i);
			}
		}
	} else {
		let mut order: Vec<_> = (0..bitfields.len()).collect();
		crate::util::shuffle(&mut order, &mut rng);
		let mut used = Weight::zero();
		let mut keep_bitfields = BTreeSet::new();
		for i in order {
			let with = used.saturating_add(cost::bitfield::<T>(&bitfields[i]));
			if with.all_lte(budget) {
				used = with;
				keep_bitfields.insert(i);
			}
		}
		let mut position = 0;
		bitfields.retain(|bitfield| {
			let kept = keep_bitfields.contains(&position);
			position += 1;
			if !kept {
				dropped_bitfields.push((bitfield.validator_index, BitfieldDropReason::Overweight));
			}
			kept
		});
	}

	let mut kept = Vec::new();
	for (i, chain) in chains.into_iter().enumerate() {
		if keep.contains(&i) {
			kept.extend(chain);
		} else {
			dropped.extend(chain.iter().map(|candidate| {
				(candidate.candidate.descriptor.para_id, candidate.hash(), DropReason::Overweight)
			}));
		}
	}
	(bitfields, kept, dropped, dropped_bitfields)
}
