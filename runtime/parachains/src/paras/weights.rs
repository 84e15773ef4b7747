//! Weights of this pallet, written by `make bench-weights`.
//!
//! Processor time of the Wasm blob, 8 values of each argument and 8 runs with each.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	/// Measured for `c` from 9 to 5_242_880.
	fn force_set_current_code(c: u32) -> Weight;
	/// Measured for `s` from 1 to 1_048_576.
	fn force_set_current_head(s: u32) -> Weight;
	/// Measured for `c` from 9 to 5_242_880.
	fn force_schedule_code_upgrade(c: u32) -> Weight;
	/// Measured for `s` from 1 to 1_048_576.
	fn force_note_new_head(s: u32) -> Weight;
	/// Of its benchmark.
	fn force_queue_action() -> Weight;
	/// Measured for `c` from 9 to 5_242_880.
	fn add_trusted_validation_code(c: u32) -> Weight;
	/// Of its benchmark.
	fn poke_unused_validation_code() -> Weight;
	/// Of its benchmark.
	fn include_pvf_check_statement() -> Weight;
	/// Of its benchmark.
	fn include_pvf_check_statement_decisive() -> Weight;
	/// Of its benchmark.
	fn force_set_most_recent_context() -> Weight;
	/// Of its benchmark.
	fn remove_upgrade_cooldown() -> Weight;
	/// Of its benchmark.
	fn authorize_force_set_current_code_hash() -> Weight;
	/// Measured for `c` from 9 to 5_242_880.
	fn apply_authorized_force_set_current_code(c: u32) -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn force_set_current_code(c: u32) -> Weight {
		Weight::from_parts(46_569_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(5, 6))
			.saturating_add(Weight::from_parts(3_134, 0).saturating_mul(c.into()))
	}

	fn force_set_current_head(s: u32) -> Weight {
		Weight::from_parts(33_550_949, 0)
			.saturating_add(T::DbWeight::get().reads_writes(0, 1))
			.saturating_add(Weight::from_parts(1_492, 0).saturating_mul(s.into()))
	}

	fn force_schedule_code_upgrade(c: u32) -> Weight {
		Weight::from_parts(62_824_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(9, 7))
			.saturating_add(Weight::from_parts(3_266, 0).saturating_mul(c.into()))
	}

	fn force_note_new_head(s: u32) -> Weight {
		Weight::from_parts(135_095_768, 0)
			.saturating_add(T::DbWeight::get().reads_writes(7, 9))
			.saturating_add(Weight::from_parts(1_555, 0).saturating_mul(s.into()))
	}

	fn force_queue_action() -> Weight {
		Weight::from_parts(32_950_000, 0).saturating_add(T::DbWeight::get().reads_writes(2, 1))
	}

	fn add_trusted_validation_code(c: u32) -> Weight {
		Weight::from_parts(33_230_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(3, 4))
			.saturating_add(Weight::from_parts(2_721, 0).saturating_mul(c.into()))
	}

	fn poke_unused_validation_code() -> Weight {
		Weight::from_parts(60_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(1, 1))
	}

	fn include_pvf_check_statement() -> Weight {
		Weight::from_parts(101_382_000, 0).saturating_add(T::DbWeight::get().reads_writes(3, 1))
	}

	fn include_pvf_check_statement_decisive() -> Weight {
		Weight::from_parts(134_542_000, 0).saturating_add(T::DbWeight::get().reads_writes(5, 4))
	}

	fn force_set_most_recent_context() -> Weight {
		Weight::from_parts(13_090_000, 0).saturating_add(T::DbWeight::get().reads_writes(0, 1))
	}

	fn remove_upgrade_cooldown() -> Weight {
		Weight::from_parts(50_356_000, 0).saturating_add(T::DbWeight::get().reads_writes(2, 2))
	}

	fn authorize_force_set_current_code_hash() -> Weight {
		Weight::from_parts(23_575_000, 0).saturating_add(T::DbWeight::get().reads_writes(2, 2))
	}

	fn apply_authorized_force_set_current_code(c: u32) -> Weight {
		Weight::from_parts(43_419_084, 0)
			.saturating_add(T::DbWeight::get().reads_writes(8, 8))
			.saturating_add(Weight::from_parts(4_652, 0).saturating_mul(c.into()))
	}
}
