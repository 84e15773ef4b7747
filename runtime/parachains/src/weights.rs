//! Cost of what is not measured, on the reference hardware: computed from database accesses and an estimate of the
//! time. What is measured is in the `weights` module of each pallet.

use frame_support::{traits::Get, weights::Weight};

/// Reference time of `micros` microseconds.
pub fn ref_time_micros(micros: u64) -> Weight {
	Weight::from_parts(micros.saturating_mul(1_000_000), 0)
}

/// Database accesses.
pub fn db<T: frame_system::Config>(reads: u64, writes: u64) -> Weight {
	T::DbWeight::get().reads_writes(reads, writes)
}
