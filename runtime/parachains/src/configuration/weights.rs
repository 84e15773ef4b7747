//! Weights of this pallet, written by `make bench-weights`.
//!
//! Processor time of the Wasm blob, 8 values of each argument and 8 runs with each.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	/// Of its benchmark.
	fn set_value() -> Weight;
	/// Measured for `p` from 0 to 20.
	fn set_executor_params(p: u32) -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn set_value() -> Weight {
		Weight::from_parts(16_825_000, 0).saturating_add(T::DbWeight::get().reads_writes(3, 1))
	}

	fn set_executor_params(p: u32) -> Weight {
		Weight::from_parts(13_827_897, 0)
			.saturating_add(T::DbWeight::get().reads_writes(3, 1))
			.saturating_add(Weight::from_parts(18_150, 0).saturating_mul(p.into()))
	}
}
