//! Weights of this pallet, written by `make bench-weights`.
//!
//! Processor time of the Wasm blob, 12 values of each argument and 15 runs with each.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	/// Of its benchmark.
	fn request_core_count() -> Weight;
	/// Of its benchmark.
	fn request_revenue_at() -> Weight;
	/// Of its benchmark.
	fn credit_account() -> Weight;
	/// Measured for `s` from 1 to 100.
	fn assign_core(s: u32) -> Weight;
	/// Measured for `s` from 1 to 1_000.
	fn queue_on_demand_batch(s: u32) -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn request_core_count() -> Weight {
		Weight::from_parts(19_790_000, 0).saturating_add(T::DbWeight::get().reads_writes(3, 1))
	}

	fn request_revenue_at() -> Weight {
		Weight::from_parts(30_405_000, 0).saturating_add(T::DbWeight::get().reads_writes(2, 1))
	}

	fn credit_account() -> Weight {
		Weight::from_parts(25_839_000, 0).saturating_add(T::DbWeight::get().reads_writes(1, 1))
	}

	fn assign_core(_s: u32) -> Weight {
		Weight::from_parts(39_966_645, 0).saturating_add(T::DbWeight::get().reads_writes(3, 3))
	}

	fn queue_on_demand_batch(s: u32) -> Weight {
		Weight::from_parts(15_578_542, 0)
			.saturating_add(T::DbWeight::get().reads_writes(1, 2))
			.saturating_add(Weight::from_parts(5_309_398, 0).saturating_mul(s.into()))
	}
}
