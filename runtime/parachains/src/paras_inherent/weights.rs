//! Weights of this pallet. `make bench-weights` measures them in Wasm and writes this file.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	fn enter_empty(c: u32) -> Weight;
	fn enter_bitfields(v: u32, b: u32) -> Weight;
	fn enter_backed_candidate(v: u32, h: u32) -> Weight;
	fn enter_backed_candidate_code_upgrade(c: u32) -> Weight;
	fn enter_disputes(v: u32) -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn enter_empty(c: u32) -> Weight {
		Weight::from_parts(200_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(18, 8))
			.saturating_add(Weight::from_parts(30_000_000, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads_writes(1, 0).saturating_mul(c.into()))
	}

	fn enter_bitfields(v: u32, b: u32) -> Weight {
		Weight::from_parts(3_200_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(118, 108))
			.saturating_add(Weight::from_parts(55_000_000, 0).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(75_000_000, 0).saturating_mul(b.into()))
	}

	fn enter_backed_candidate(v: u32, h: u32) -> Weight {
		Weight::from_parts(500_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(33, 10))
			.saturating_add(Weight::from_parts(50_000_000, 0).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(1_000_000, 0).saturating_mul(h.into()))
			.saturating_add(T::DbWeight::get().reads_writes(1, 0).saturating_mul(h.into()))
	}

	fn enter_backed_candidate_code_upgrade(c: u32) -> Weight {
		Weight::from_parts(600_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(36, 10))
			.saturating_add(Weight::from_parts(40_000, 0).saturating_mul(c.into()))
	}

	fn enter_disputes(v: u32) -> Weight {
		Weight::from_parts(500_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(26, 13))
			.saturating_add(Weight::from_parts(50_000_000, 0).saturating_mul(v.into()))
	}
}
