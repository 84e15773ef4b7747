//! Weights of this pallet, written by `make bench-weights`.
//!
//! Processor time of the Wasm blob, 8 values of each argument and 8 runs with each.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	/// Measured for `u` from 0 to 20 and `h` from 0 to 20.
	fn enact_candidate(u: u32, h: u32) -> Weight;
	/// Measured for `c` from 9 to 5_242_880.
	fn enact_candidate_with_code(c: u32) -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn enact_candidate(u: u32, h: u32) -> Weight {
		Weight::from_parts(53_471_162, 0)
			.saturating_add(T::DbWeight::get().reads_writes(6, 5))
			.saturating_add(Weight::from_parts(1_321_684, 0).saturating_mul(u.into()))
			.saturating_add(Weight::from_parts(16_049_191, 0).saturating_mul(h.into()))
			.saturating_add(T::DbWeight::get().reads_writes(2, 3).saturating_mul(h.into()))
	}

	fn enact_candidate_with_code(c: u32) -> Weight {
		Weight::from_parts(117_462_359, 0)
			.saturating_add(T::DbWeight::get().reads_writes(15, 11))
			.saturating_add(Weight::from_parts(3_536, 0).saturating_mul(c.into()))
	}
}
