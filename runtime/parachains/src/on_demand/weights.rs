//! Weights of this pallet. `make bench-weights` measures them in Wasm and writes this file.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	fn place_order_allow_death() -> Weight;
	fn place_order_keep_alive() -> Weight;
	fn place_order_with_credits() -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn place_order_allow_death() -> Weight {
		Weight::from_parts(70_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(10, 8))
	}

	fn place_order_keep_alive() -> Weight {
		Weight::from_parts(70_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(10, 8))
	}

	fn place_order_with_credits() -> Weight {
		Weight::from_parts(70_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(10, 8))
	}
}
