//! Weights of this pallet. `make bench-weights` measures them in Wasm and writes this file.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What operations weigh: each function is named after its benchmark, which says what the arguments are.
pub trait WeightInfo {
	fn force_set_current_code(c: u32) -> Weight;
	fn force_set_current_head(s: u32) -> Weight;
	fn force_schedule_code_upgrade(c: u32) -> Weight;
	fn force_note_new_head(s: u32) -> Weight;
	fn force_queue_action() -> Weight;
	fn add_trusted_validation_code(c: u32) -> Weight;
	fn poke_unused_validation_code() -> Weight;
	fn include_pvf_check_statement() -> Weight;
	fn include_pvf_check_statement_decisive() -> Weight;
	fn force_set_most_recent_context() -> Weight;
	fn remove_upgrade_cooldown() -> Weight;
	fn authorize_force_set_current_code_hash() -> Weight;
	fn apply_authorized_force_set_current_code(c: u32) -> Weight;
}

/// As measured, with the costs of the runtime's database.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn force_set_current_code(c: u32) -> Weight {
		Weight::from_parts(20_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(6, 7))
			.saturating_add(Weight::from_parts(10_000, 0).saturating_mul(c.into()))
	}

	fn force_set_current_head(s: u32) -> Weight {
		Weight::from_parts(20_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(1, 1))
			.saturating_add(Weight::from_parts(10_000, 0).saturating_mul(s.into()))
	}

	fn force_schedule_code_upgrade(c: u32) -> Weight {
		Weight::from_parts(20_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(12, 10))
			.saturating_add(Weight::from_parts(10_000, 0).saturating_mul(c.into()))
	}

	fn force_note_new_head(s: u32) -> Weight {
		Weight::from_parts(20_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(4, 6))
			.saturating_add(Weight::from_parts(10_000, 0).saturating_mul(s.into()))
	}

	fn force_queue_action() -> Weight {
		Weight::from_parts(20_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(2, 1))
	}

	fn add_trusted_validation_code(c: u32) -> Weight {
		Weight::from_parts(20_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(3, 3))
			.saturating_add(Weight::from_parts(10_000, 0).saturating_mul(c.into()))
	}

	fn poke_unused_validation_code() -> Weight {
		Weight::from_parts(20_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(1, 1))
	}

	fn include_pvf_check_statement() -> Weight {
		Weight::from_parts(90_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(3, 1))
	}

	fn include_pvf_check_statement_decisive() -> Weight {
		Weight::from_parts(150_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(12, 10))
	}

	fn force_set_most_recent_context() -> Weight {
		Weight::from_parts(20_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(0, 1))
	}

	fn remove_upgrade_cooldown() -> Weight {
		Weight::from_parts(60_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(2, 3))
	}

	fn authorize_force_set_current_code_hash() -> Weight {
		Weight::from_parts(20_000_000, 0).saturating_add(T::DbWeight::get().reads_writes(2, 2))
	}

	fn apply_authorized_force_set_current_code(c: u32) -> Weight {
		Weight::from_parts(20_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(8, 9))
			.saturating_add(Weight::from_parts(10_000, 0).saturating_mul(c.into()))
	}
}
