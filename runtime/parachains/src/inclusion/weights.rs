//! Weights of this pallet. `make bench-weights` measures them in Wasm and writes this file.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	fn enact_candidate(u: u32, h: u32) -> Weight;
	fn enact_candidate_with_code(c: u32) -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn enact_candidate(u: u32, h: u32) -> Weight {
		Weight::from_parts(100_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(13, 11))
			.saturating_add(T::DbWeight::get().reads_writes(2, 2).saturating_mul(u.into()))
			.saturating_add(T::DbWeight::get().reads_writes(3, 3).saturating_mul(h.into()))
	}

	fn enact_candidate_with_code(c: u32) -> Weight {
		Weight::from_parts(100_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(21, 19))
			.saturating_add(Weight::from_parts(20_000, 0).saturating_mul(c.into()))
	}
}
