//! Calls by which cores are assigned (runtime §10.1). Only root may make them: there is no chain that sells
//! coretime.

pub use pallet::*;

use crate::{
	configuration,
	scheduler::{self, CoreAssignment, PartsOf57600},
	weights,
};
use alloc::vec::Vec;
use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::*;
use headway_primitives::{BlockNumber, CoreIndex};

#[frame_support::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: scheduler::Config + frame_system::Config<RuntimeEvent: From<Event>> {}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event {
		/// A core was assigned.
		#[codec(index = 1)]
		CoreAssigned {
			/// The core.
			core: CoreIndex,
		},
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Sets the number of cores from the session after the next.
		#[pallet::call_index(1)]
		#[pallet::weight((weights::ref_time_micros(20).saturating_add(weights::db::<T>(4, 1)), DispatchClass::Operational))]
		pub fn request_core_count(origin: OriginFor<T>, count: u16) -> DispatchResult {
			ensure_root(origin)?;
			configuration::Pallet::<T>::set_coretime_cores_unchecked(u32::from(count))
		}

		/// Assigns a core from block `begin` on.
		#[pallet::call_index(4)]
		#[pallet::weight((
            weights::ref_time_micros(30 + assignment.len() as u64).saturating_add(weights::db::<T>(4, 3)),
            DispatchClass::Operational,
        ))]
		pub fn assign_core(
			origin: OriginFor<T>,
			core: u16,
			begin: BlockNumber,
			assignment: Vec<(CoreAssignment, PartsOf57600)>,
			end_hint: Option<BlockNumber>,
		) -> DispatchResult {
			ensure_root(origin)?;
			let core = CoreIndex(u32::from(core));
			scheduler::Pallet::<T>::assign_core(core, begin, assignment, end_hint)?;
			Self::deposit_event(Event::CoreAssigned { core });
			Ok(())
		}
	}
}
