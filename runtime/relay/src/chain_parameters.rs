//! Parameters of the chain that must not change after genesis, but differ between chains: how long a slot and
//! a session are. They are in storage, so that one runtime serves slow and fast chains.

pub use pallet::*;

use frame_support::pallet_prelude::*;

/// Slots of a session where genesis says nothing.
pub const DEFAULT_EPOCH_DURATION: u64 = 100;
/// Duration of a slot where genesis says nothing, milliseconds.
pub const DEFAULT_SLOT_DURATION_MS: u64 = headway_primitives::RELAY_CHAIN_SLOT_DURATION_MILLIS;

#[frame_support::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config {}

	#[pallet::type_value]
	pub fn DefaultEpochDuration() -> u64 {
		DEFAULT_EPOCH_DURATION
	}

	#[pallet::type_value]
	pub fn DefaultSlotDuration() -> u64 {
		DEFAULT_SLOT_DURATION_MS
	}

	/// Slots of a session.
	#[pallet::storage]
	pub type EpochDuration<T: Config> = StorageValue<_, u64, ValueQuery, DefaultEpochDuration>;

	/// Duration of a slot, milliseconds.
	#[pallet::storage]
	pub type SlotDuration<T: Config> = StorageValue<_, u64, ValueQuery, DefaultSlotDuration>;

	#[pallet::genesis_config]
	pub struct GenesisConfig<T: Config> {
		/// Slots of a session.
		pub epoch_duration: u64,
		/// Duration of a slot, milliseconds.
		pub slot_duration: u64,
		#[serde(skip)]
		#[doc(hidden)]
		pub _marker: core::marker::PhantomData<T>,
	}

	impl<T: Config> Default for GenesisConfig<T> {
		fn default() -> Self {
			Self {
				epoch_duration: DEFAULT_EPOCH_DURATION,
				slot_duration: DEFAULT_SLOT_DURATION_MS,
				_marker: core::marker::PhantomData,
			}
		}
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(self.epoch_duration >= 4, "a session needs at least 4 slots");
			// Blocks may follow each other at half of a slot, so it has to be even.
			assert!(
				self.slot_duration >= 200 && self.slot_duration.is_multiple_of(2),
				"slots have an even number of milliseconds, at least 200"
			);
			EpochDuration::<T>::put(self.epoch_duration);
			SlotDuration::<T>::put(self.slot_duration);
		}
	}
}

/// Slots of a session.
pub struct EpochDurationOf<T>(core::marker::PhantomData<T>);

impl<T: Config> Get<u64> for EpochDurationOf<T> {
	fn get() -> u64 {
		EpochDuration::<T>::get()
	}
}

/// Duration of a slot, milliseconds.
pub struct SlotDurationOf<T>(core::marker::PhantomData<T>);

impl<T: Config> Get<u64> for SlotDurationOf<T> {
	fn get() -> u64 {
		SlotDuration::<T>::get()
	}
}

/// Least time between two blocks, milliseconds: half a slot.
pub struct MinimumPeriodOf<T>(core::marker::PhantomData<T>);

impl<T: Config> Get<u64> for MinimumPeriodOf<T> {
	fn get() -> u64 {
		SlotDuration::<T>::get() / 2
	}
}

/// Blocks for which an offence may be reported: ten sessions.
pub struct ReportLongevityOf<T>(core::marker::PhantomData<T>);

impl<T: Config> Get<u64> for ReportLongevityOf<T> {
	fn get() -> u64 {
		EpochDuration::<T>::get().saturating_mul(10)
	}
}

/// Blocks for which a vote on new code stays in the transaction pool: half a session.
pub struct VoteLongevityOf<T>(core::marker::PhantomData<T>);

impl<T: Config> Get<u64> for VoteLongevityOf<T> {
	fn get() -> u64 {
		(EpochDuration::<T>::get() / 2).max(1)
	}
}
