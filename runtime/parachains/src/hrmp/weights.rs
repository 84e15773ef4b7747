//! Weights of this pallet, written by `make bench-weights`.
//!
//! Processor time of the Wasm blob, 8 values of each argument and 8 runs with each.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	/// Of its benchmark.
	fn hrmp_init_open_channel() -> Weight;
	/// Of its benchmark.
	fn hrmp_accept_open_channel() -> Weight;
	/// Of its benchmark.
	fn hrmp_close_channel() -> Weight;
	/// Measured for `i` from 0 to 100 and `e` from 0 to 100.
	fn force_clean_hrmp(i: u32, e: u32) -> Weight;
	/// Measured for `c` from 0 to 100.
	fn force_process_hrmp_open(c: u32) -> Weight;
	/// Measured for `c` from 0 to 100.
	fn force_process_hrmp_close(c: u32) -> Weight;
	/// Measured for `c` from 1 to 100.
	fn hrmp_cancel_open_request(c: u32) -> Weight;
	/// Of its benchmark.
	fn force_open_hrmp_channel() -> Weight;
	/// Of its benchmark.
	fn force_open_hrmp_channel_replacing() -> Weight;
	/// Of its benchmark.
	fn establish_system_channel() -> Weight;
	/// Of its benchmark.
	fn poke_channel_deposits() -> Weight;
	/// Of its benchmark.
	fn establish_channel_with_system() -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn hrmp_init_open_channel() -> Weight {
		Weight::from_parts(66_139_000, 0).saturating_add(T::DbWeight::get().reads_writes(6, 4))
	}

	fn hrmp_accept_open_channel() -> Weight {
		Weight::from_parts(47_081_000, 0).saturating_add(T::DbWeight::get().reads_writes(4, 3))
	}

	fn hrmp_close_channel() -> Weight {
		Weight::from_parts(21_663_000, 0).saturating_add(T::DbWeight::get().reads_writes(2, 2))
	}

	fn force_clean_hrmp(i: u32, e: u32) -> Weight {
		Weight::from_parts(62_965_578, 0)
			.saturating_add(T::DbWeight::get().reads_writes(43, 40))
			.saturating_add(Weight::from_parts(55_243_495, 0).saturating_mul(i.into()))
			.saturating_add(T::DbWeight::get().reads_writes(3, 3).saturating_mul(i.into()))
			.saturating_add(Weight::from_parts(54_487_697, 0).saturating_mul(e.into()))
			.saturating_add(T::DbWeight::get().reads_writes(3, 3).saturating_mul(e.into()))
	}

	fn force_process_hrmp_open(c: u32) -> Weight {
		Weight::from_parts(13_180_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(1, 1))
			.saturating_add(Weight::from_parts(30_204_272, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads_writes(7, 6).saturating_mul(c.into()))
	}

	fn force_process_hrmp_close(c: u32) -> Weight {
		Weight::from_parts(13_821_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(1, 1))
			.saturating_add(Weight::from_parts(59_910_996, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads_writes(5, 7).saturating_mul(c.into()))
	}

	fn hrmp_cancel_open_request(c: u32) -> Weight {
		Weight::from_parts(51_932_724, 0)
			.saturating_add(T::DbWeight::get().reads_writes(4, 4))
			.saturating_add(Weight::from_parts(380_789, 0).saturating_mul(c.into()))
	}

	fn force_open_hrmp_channel() -> Weight {
		Weight::from_parts(99_519_000, 0).saturating_add(T::DbWeight::get().reads_writes(9, 6))
	}

	fn force_open_hrmp_channel_replacing() -> Weight {
		Weight::from_parts(120_812_000, 0).saturating_add(T::DbWeight::get().reads_writes(10, 6))
	}

	fn establish_system_channel() -> Weight {
		Weight::from_parts(52_329_000, 0).saturating_add(T::DbWeight::get().reads_writes(7, 4))
	}

	fn poke_channel_deposits() -> Weight {
		Weight::from_parts(56_224_000, 0).saturating_add(T::DbWeight::get().reads_writes(3, 3))
	}

	fn establish_channel_with_system() -> Weight {
		Weight::from_parts(79_640_000, 0).saturating_add(T::DbWeight::get().reads_writes(14, 7))
	}
}
