//! Weights of this pallet, written by `make bench-weights`.
//!
//! Processor time of the Wasm blob, 4 values of each argument and 12 runs with each.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	/// Measured for `c` from 0 to 100.
	fn enter_empty(c: u32) -> Weight;
	/// Measured for `v` from 0 to 100 and `b` from 1 to 100.
	fn enter_bitfields(v: u32, b: u32) -> Weight;
	/// Measured for `v` from 2 to 20 and `h` from 0 to 20.
	fn enter_backed_candidate(v: u32, h: u32) -> Weight;
	/// Measured for `c` from 9 to 4_194_304.
	fn enter_backed_candidate_code_upgrade(c: u32) -> Weight;
	/// Measured for `v` from 10 to 200.
	fn enter_disputes(v: u32) -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn enter_empty(c: u32) -> Weight {
		Weight::from_parts(104_318_948, 0)
			.saturating_add(T::DbWeight::get().reads_writes(14, 7))
			.saturating_add(Weight::from_parts(20_701_824, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads_writes(2, 1).saturating_mul(c.into()))
	}

	fn enter_bitfields(v: u32, b: u32) -> Weight {
		Weight::from_parts(5_203_832_493, 0)
			.saturating_add(T::DbWeight::get().reads_writes(213, 206))
			.saturating_add(Weight::from_parts(43_335_195, 0).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(44_370_131, 0).saturating_mul(b.into()))
	}

	fn enter_backed_candidate(v: u32, h: u32) -> Weight {
		Weight::from_parts(241_014_686, 0)
			.saturating_add(T::DbWeight::get().reads_writes(24, 8))
			.saturating_add(Weight::from_parts(45_469_470, 0).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(3_503_187, 0).saturating_mul(h.into()))
			.saturating_add(T::DbWeight::get().reads_writes(1, 0).saturating_mul(h.into()))
	}

	fn enter_backed_candidate_code_upgrade(c: u32) -> Weight {
		Weight::from_parts(256_537_983, 0)
			.saturating_add(T::DbWeight::get().reads_writes(26, 8))
			.saturating_add(Weight::from_parts(6_417, 0).saturating_mul(c.into()))
	}

	fn enter_disputes(v: u32) -> Weight {
		Weight::from_parts(237_951_408, 0)
			.saturating_add(T::DbWeight::get().reads_writes(21, 9))
			.saturating_add(Weight::from_parts(40_267_478, 0).saturating_mul(v.into()))
	}
}
