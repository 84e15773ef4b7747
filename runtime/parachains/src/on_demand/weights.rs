//! Weights of this pallet, written by `make bench-weights`.
//!
//! Processor time of the Wasm blob, 8 values of each argument and 8 runs with each.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	/// Of its benchmark.
	fn place_order_allow_death() -> Weight;
	/// Of its benchmark.
	fn place_order_keep_alive() -> Weight;
	/// Of its benchmark.
	fn place_order_with_credits() -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn place_order_allow_death() -> Weight {
		Weight::from_parts(90_246_000, 0).saturating_add(T::DbWeight::get().reads_writes(7, 6))
	}

	fn place_order_keep_alive() -> Weight {
		Weight::from_parts(79_098_000, 0).saturating_add(T::DbWeight::get().reads_writes(7, 6))
	}

	fn place_order_with_credits() -> Weight {
		Weight::from_parts(57_896_000, 0).saturating_add(T::DbWeight::get().reads_writes(6, 5))
	}
}
