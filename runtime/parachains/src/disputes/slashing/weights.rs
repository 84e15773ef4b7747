//! Weights of this pallet. They are computed, not measured: a report needs a proof of ownership of a past session,
//! which the platform makes and this crate does not know how to.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What calls weigh.
pub trait WeightInfo {
	/// The report of one validator that lost a dispute, with a proof against a set of `n`: it is checked when the
	/// transaction is, and again when it is executed.
	fn report_dispute_lost_unsigned(n: u32) -> Weight;
}

/// As computed, with the costs of the runtime's database.
pub struct Computed<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Computed<T> {
	fn report_dispute_lost_unsigned(n: u32) -> Weight {
		Weight::from_parts(100_000_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(8, 6))
			.saturating_add(Weight::from_parts(10_000_000, 0).saturating_mul(n.into()))
	}
}
