//! Calls by which root registers and removes paras (runtime §4.7).

#[cfg(test)]
mod tests;

pub use pallet::*;

use crate::{
	configuration, dmp, hrmp,
	paras::{self, ParaGenesisArgs, ParaKind},
	scheduler, weights,
};
use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::*;
use headway_primitives::ParaId;

#[frame_support::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config + paras::Config + dmp::Config + hrmp::Config {}

	#[pallet::error]
	pub enum Error<T> {
		/// There is no such para.
		ParaDoesntExist,
		/// There is such a para already, or its code is empty.
		ParaAlreadyExists,
		/// The message is too large.
		ExceedsMaxMessageSize,
		/// The queue is full.
		ExceedsMaxQueueSize,
		/// There is no such para to send to.
		Unroutable,
		/// The para cannot be removed now.
		CouldntCleanup,
		/// The para is not a parathread.
		NotParathread,
		/// The para is not a parachain.
		NotParachain,
		/// The parathread cannot become a parachain.
		CannotUpgrade,
		/// The parachain cannot become a parathread.
		CannotDowngrade,
		/// There are no more cores.
		TooManyCores,
	}

	/// Weight of a call that schedules a transition.
	fn transition_weight<T: Config>() -> Weight {
		weights::ref_time_micros(30).saturating_add(weights::db::<T>(4, 2))
	}

	/// Weight of a registration: the code is hashed and written.
	fn initialize_weight<T: Config>(genesis: &ParaGenesisArgs) -> Weight {
		let bytes = (genesis.validation_code.0.len() + genesis.genesis_head.0.len()) as u64;
		Weight::from_parts(bytes.saturating_mul(10_000), 0)
			.saturating_add(weights::ref_time_micros(60))
			.saturating_add(weights::db::<T>(12, 10))
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Registers a para; a parachain gets a core of its own.
		#[pallet::call_index(0)]
		#[pallet::weight((initialize_weight::<T>(genesis), DispatchClass::Operational))]
		pub fn sudo_schedule_para_initialize(
			origin: OriginFor<T>,
			id: ParaId,
			genesis: ParaGenesisArgs,
		) -> DispatchResult {
			ensure_root(origin)?;
			let kind = genesis.para_kind;
			if kind == ParaKind::Parachain {
				let cores = configuration::ActiveConfig::<T>::get().scheduler_params.num_cores;
				ensure!(cores < u32::from(u16::MAX), Error::<T>::TooManyCores);
			}
			paras::Pallet::<T>::schedule_para_initialize(id, genesis)
				.map_err(|_| Error::<T>::ParaAlreadyExists)?;
			if kind == ParaKind::Parachain {
				scheduler::Pallet::<T>::assign_coretime(id)?;
			}
			Ok(())
		}

		/// Removes a para.
		#[pallet::call_index(1)]
		#[pallet::weight((transition_weight::<T>(), DispatchClass::Operational))]
		pub fn sudo_schedule_para_cleanup(origin: OriginFor<T>, id: ParaId) -> DispatchResult {
			ensure_root(origin)?;
			paras::Pallet::<T>::schedule_para_cleanup(id).map_err(|_| Error::<T>::CouldntCleanup.into())
		}

		/// Makes a parathread a parachain.
		#[pallet::call_index(2)]
		#[pallet::weight((transition_weight::<T>(), DispatchClass::Operational))]
		pub fn sudo_schedule_parathread_upgrade(origin: OriginFor<T>, id: ParaId) -> DispatchResult {
			ensure_root(origin)?;
			ensure!(
				paras::ParaLifecycles::<T>::get(id) == Some(paras::ParaLifecycle::Parathread),
				Error::<T>::NotParathread
			);
			paras::Pallet::<T>::schedule_parathread_upgrade(id).map_err(|_| Error::<T>::CannotUpgrade.into())
		}

		/// Makes a parachain a parathread.
		#[pallet::call_index(3)]
		#[pallet::weight((transition_weight::<T>(), DispatchClass::Operational))]
		pub fn sudo_schedule_parachain_downgrade(origin: OriginFor<T>, id: ParaId) -> DispatchResult {
			ensure_root(origin)?;
			ensure!(
				paras::ParaLifecycles::<T>::get(id) == Some(paras::ParaLifecycle::Parachain),
				Error::<T>::NotParachain
			);
			paras::Pallet::<T>::schedule_parachain_downgrade(id)
				.map_err(|_| Error::<T>::CannotDowngrade.into())
		}

		/// Opens a channel between two paras as if both had asked for it.
		#[pallet::call_index(5)]
		#[pallet::weight((
			weights::ref_time_micros(100).saturating_add(weights::db::<T>(14, 10)),
			DispatchClass::Operational,
		))]
		pub fn sudo_establish_hrmp_channel(
			origin: OriginFor<T>,
			sender: ParaId,
			recipient: ParaId,
			max_capacity: u32,
			max_message_size: u32,
		) -> DispatchResult {
			ensure_root(origin)?;
			hrmp::Pallet::<T>::establish_channel_by_root(sender, recipient, max_capacity, max_message_size)
		}
	}
}
