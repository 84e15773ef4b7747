//! Dispute votes of the inherent: put in order, kept within the weight of a block, filtered, imported; and what
//! invalid candidates take with them (runtime §7.2 steps 5 to 9, §7.4, §8.1).

#[cfg(test)]
mod tests;

use super::*;
use crate::disputes::{CheckedDisputeStatementSet, Filter, ImportParams, SetError};
use headway_primitives::{
	CoreIndex, DisputeStatementSet, MultiDisputeStatementSet, SessionIndex,
	UncheckedSignedAvailabilityBitfield,
};

/// Why votes about a candidate may not come on chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DisputeDropReason {
	/// The same dispute is there twice.
	Duplicate,
	/// The block is full.
	Overweight,
	/// The votes are not to be imported.
	Rejected(SetError),
}

impl core::fmt::Display for DisputeDropReason {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		match self {
			Self::Duplicate => f.write_str("it is there twice"),
			Self::Overweight => f.write_str("the block is full"),
			Self::Rejected(error) => write!(f, "{error}"),
		}
	}
}

/// Sets that may come on chain, in order.
pub(super) struct Selected {
	pub(super) sets: Vec<CheckedDisputeStatementSet>,
	/// What they cost, and what the check of the others has cost if there was a choice to be made.
	pub(super) weight: Weight,
	pub(super) dropped: Vec<(SessionIndex, CandidateHash, DisputeDropReason)>,
}

pub(super) fn disputes_weight<T: Config>(sets: &[DisputeStatementSet]) -> Weight {
	sets.iter().fold(Weight::zero(), |sum, set| sum.saturating_add(cost::dispute_set::<T>(set)))
}

/// Puts the disputes first that matter most: those about candidates that this chain included, the earliest
/// inclusion first, and then all others by session. Of equal ones the first is kept.
fn order<T: Config>(
	mut sets: MultiDisputeStatementSet,
	dropped: &mut Vec<(SessionIndex, CandidateHash, DisputeDropReason)>,
) -> MultiDisputeStatementSet {
	sets.sort_by_cached_key(|set| {
		let hash = set.candidate_hash;
		match crate::disputes::Pallet::<T>::included_state(set.session, hash) {
			Some(revert_to) => (false, revert_to, hash, set.session),
			None => (true, set.session, hash, set.session),
		}
	});
	sets.dedup_by(|set, kept| {
		let same = (set.session, set.candidate_hash) == (kept.session, kept.candidate_hash);
		if same {
			dropped.push((set.session, set.candidate_hash, DisputeDropReason::Duplicate));
		}
		same
	});
	sets
}

/// Keeps what fits into `budget` and passes the filter.
///
/// If not everything fits, a set has used up its share of the budget even if it is then dropped: its signatures
/// were checked.
pub(super) fn select<T: Config>(
	sets: MultiDisputeStatementSet,
	config: &configuration::HostConfiguration,
	budget: Weight,
) -> Selected {
	let mut dropped = Vec::new();
	let sets = order::<T>(sets, &mut dropped);
	let everything_fits = disputes_weight::<T>(&sets).all_lte(budget);
	let mut filter = Filter::<T>::new(config);
	let mut checked = Vec::with_capacity(sets.len());
	let mut used = Weight::zero();
	for set in sets {
		let (session, hash) = (set.session, set.candidate_hash);
		if !everything_fits {
			let with = used.saturating_add(cost::dispute_set::<T>(&set));
			if !with.all_lte(budget) {
				dropped.push((session, hash, DisputeDropReason::Overweight));
				continue;
			}
			used = with;
		}
		match filter.check(set) {
			Ok(set) => checked.push(set),
			Err(error) => dropped.push((session, hash, DisputeDropReason::Rejected(error))),
		}
	}
	let weight = if everything_fits {
		checked.iter().fold(Weight::zero(), |sum, set| sum.saturating_add(cost::dispute_set::<T>(set.set())))
	} else {
		used
	};
	Selected { sets: checked, weight, dropped }
}

/// Imports what was selected.
pub(super) fn import<T: Config>(
	sets: &[CheckedDisputeStatementSet],
	config: &configuration::HostConfiguration,
) {
	let params = ImportParams::new::<T>(config);
	for checked in sets {
		if let Err(error) = crate::disputes::Pallet::<T>::import(checked, params) {
			// The filter drops what the import refuses, so this is a defect; the other sets are not to blame.
			let set = checked.set();
			log::error!(
				target: LOG_TARGET,
				"votes on candidate {} of session {} passed the filter and are refused: {error:?}",
				set.candidate_hash,
				set.session,
			);
		}
	}
}

/// What invalid candidates took with them.
#[derive(Default)]
pub(super) struct Evicted {
	/// Cores that they and their descendants left.
	pub(super) cores: BTreeSet<CoreIndex>,
	/// They themselves, and their descendants that were pending.
	pub(super) candidates: BTreeSet<CandidateHash>,
}

/// Removes candidates from their cores that the disputes found to be invalid, and those that build on them.
/// Candidates of older sessions are on no core any more.
pub(super) fn evict<T: Config>(session: SessionIndex, sets: &[DisputeStatementSet]) -> Evicted {
	let invalid: BTreeSet<_> = sets
		.iter()
		.filter(|set| set.session == session)
		.map(|set| set.candidate_hash)
		.filter(|hash| crate::disputes::Pallet::<T>::concluded_invalid(session, *hash))
		.collect();
	let freed = inclusion::Pallet::<T>::free_disputed(&invalid);
	let mut evicted = Evicted { cores: BTreeSet::new(), candidates: invalid };
	for (core, hash) in freed {
		log::warn!(target: LOG_TARGET, "candidate {hash} is or builds on an invalid one, and leaves core {core}");
		evicted.cores.insert(core);
		evicted.candidates.insert(hash);
	}
	evicted
}

impl Evicted {
	/// Drops bitfields that speak of the cores that were left: they may mean the candidates that are gone.
	pub(super) fn drop_bitfields(
		&self,
		bitfields: &mut Vec<UncheckedSignedAvailabilityBitfield>,
		dropped: &mut Vec<(ValidatorIndex, BitfieldDropReason)>,
	) {
		bitfields.retain(|bitfield| {
			let bits = &bitfield.payload.0;
			let disputed = self.cores.iter().any(|core| bits.get(core.0 as usize).is_some_and(|bit| *bit));
			if disputed {
				dropped.push((bitfield.validator_index, BitfieldDropReason::DisputedCore));
			}
			!disputed
		});
	}
}
