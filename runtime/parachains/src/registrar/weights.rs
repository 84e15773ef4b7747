//! Weights of this pallet, written by `make bench-weights`.
//!
//! Processor time of the Wasm blob, 8 values of each argument and 8 runs with each.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	/// Measured for `c` from 9 to 5_242_880.
	fn register(c: u32) -> Weight;
	/// Measured for `c` from 9 to 5_242_880.
	fn force_register(c: u32) -> Weight;
	/// Of its benchmark.
	fn deregister() -> Weight;
	/// Of its benchmark.
	fn swap() -> Weight;
	/// Measured for `s` from 0 to 31.
	fn reserve(s: u32) -> Weight;
	/// Of its benchmark.
	fn set_lock() -> Weight;
	/// Measured for `c` from 9 to 5_242_880.
	fn schedule_code_upgrade(c: u32) -> Weight;
	/// Measured for `s` from 1 to 1_048_576.
	fn set_current_head(s: u32) -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn register(c: u32) -> Weight {
		Weight::from_parts(77_056_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(7, 8))
			.saturating_add(Weight::from_parts(3_480, 0).saturating_mul(c.into()))
	}

	fn force_register(c: u32) -> Weight {
		Weight::from_parts(427_945_790, 0)
			.saturating_add(T::DbWeight::get().reads_writes(7, 8))
			.saturating_add(Weight::from_parts(3_327, 0).saturating_mul(c.into()))
	}

	fn deregister() -> Weight {
		Weight::from_parts(67_501_000, 0).saturating_add(T::DbWeight::get().reads_writes(6, 4))
	}

	fn swap() -> Weight {
		Weight::from_parts(41_663_000, 0).saturating_add(T::DbWeight::get().reads_writes(6, 4))
	}

	fn reserve(s: u32) -> Weight {
		Weight::from_parts(45_748_364, 0)
			.saturating_add(T::DbWeight::get().reads_writes(3, 2))
			.saturating_add(Weight::from_parts(4_249_727, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads_writes(2, 0).saturating_mul(s.into()))
	}

	fn set_lock() -> Weight {
		Weight::from_parts(30_065_000, 0).saturating_add(T::DbWeight::get().reads_writes(1, 1))
	}

	fn schedule_code_upgrade(c: u32) -> Weight {
		Weight::from_parts(74_101_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(12, 7))
			.saturating_add(Weight::from_parts(3_285, 0).saturating_mul(c.into()))
	}

	fn set_current_head(s: u32) -> Weight {
		Weight::from_parts(63_405_630, 0)
			.saturating_add(T::DbWeight::get().reads_writes(2, 1))
			.saturating_add(Weight::from_parts(1_564, 0).saturating_mul(s.into()))
	}
}
