//! Weights of this pallet. `make bench-weights` measures them in Wasm and writes this file.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	fn set_value() -> Weight;
	fn set_executor_params(p: u32) -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn set_value() -> Weight {
		Weight::from_parts(15_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(4, 1))
	}

	fn set_executor_params(p: u32) -> Weight {
		Weight::from_parts(15_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(4, 1))
			.saturating_add(Weight::from_parts(500_000, 0).saturating_mul(p.into()))
	}
}
