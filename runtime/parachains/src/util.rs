//! Small things that several pallets need.

use alloc::vec::Vec;
use headway_primitives::{BlockNumber, ValidatorIndex};
use rand_chacha::rand_core::RngCore;
use sp_runtime::SaturatedConversion;

/// Number of the block that executes; in runtime APIs, of the block that is queried.
pub(crate) fn now<T: frame_system::Config>() -> BlockNumber {
	frame_system::Pallet::<T>::block_number().saturated_into()
}

/// Uniform permutation of `items`.
pub(crate) fn shuffle<I>(items: &mut [I], rng: &mut impl RngCore) {
	for i in (1..items.len()).rev() {
		// Maps 64 random bits onto 0..=i; the bias is below i / 2^64.
		let j = (u128::from(rng.next_u64()) * (i as u128 + 1)) >> 64;
		items.swap(i, j as usize);
	}
}

/// The items of `all` at `active`, in the order of `active`. Indices out of range are skipped.
pub(crate) fn take_active_subset<I: Clone>(active: &[ValidatorIndex], all: &[I]) -> Vec<I> {
	active.iter().filter_map(|index| all.get(index.0 as usize).cloned()).collect()
}

/// The active subset, followed by all others in their original order.
pub(crate) fn take_active_subset_and_inactive<I: Clone>(active: &[ValidatorIndex], all: &[I]) -> Vec<I> {
	let mut subset = take_active_subset(active, all);
	let is_active: alloc::collections::BTreeSet<_> = active.iter().map(|index| index.0 as usize).collect();
	subset
		.extend(all.iter().enumerate().filter(|(i, _)| !is_active.contains(i)).map(|(_, item)| item.clone()));
	subset
}
