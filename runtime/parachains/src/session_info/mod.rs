//! What nodes need of past sessions, for as long as disputes may arise from them (runtime §8.3).

#[cfg(test)]
mod tests;

pub use pallet::*;

use crate::{initializer::SessionChangeNotification, scheduler, shared, util};
use alloc::vec::Vec;
use frame_support::{pallet_prelude::*, traits::OneSessionHandler};
use headway_primitives::{AssignmentId, AuthorityDiscoveryId, ExecutorParams, SessionIndex, SessionInfo};

#[frame_support::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::config]
	pub trait Config: frame_system::Config + scheduler::Config {
		/// Discovery keys of the session's full set of validators.
		type DiscoveryKeys: Get<Vec<AuthorityDiscoveryId>>;
		/// Accounts of the session's full set of validators.
		type ValidatorAccounts: Get<Vec<Self::AccountId>>;
	}

	/// Assignment keys of the session's full set of validators. Not to be used: not yet of the session that
	/// others are in.
	#[pallet::storage]
	pub type AssignmentKeysUnsafe<T: Config> = StorageValue<_, Vec<AssignmentId>, ValueQuery>;

	/// The earliest session that is stored.
	#[pallet::storage]
	pub type EarliestStoredSession<T: Config> = StorageValue<_, SessionIndex, ValueQuery>;

	/// Sessions.
	#[pallet::storage]
	pub type Sessions<T: Config> = StorageMap<_, Identity, SessionIndex, SessionInfo, OptionQuery>;

	/// Accounts of the active validators of each session.
	#[pallet::storage]
	pub type AccountKeys<T: Config> = StorageMap<_, Identity, SessionIndex, Vec<T::AccountId>, OptionQuery>;

	/// Execution environment of each session.
	#[pallet::storage]
	pub type SessionExecutorParams<T: Config> =
		StorageMap<_, Identity, SessionIndex, ExecutorParams, OptionQuery>;

	#[pallet::hooks]
	impl<T: Config> Hooks<frame_system::pallet_prelude::BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			let prefix = headway_primitives::well_known_keys::SESSION_INFO_SESSIONS;
			assert!(Sessions::<T>::hashed_key_for(0).starts_with(prefix));
		}
	}

	impl<T: Config> Pallet<T> {
		pub(crate) fn on_new_session(notification: &SessionChangeNotification) {
			let config = &notification.new_config;
			let session = notification.session_index;
			// On a chain that had no session information before, there is none to forget.
			let first = !EarliestStoredSession::<T>::exists();
			let previous = if first { session } else { EarliestStoredSession::<T>::get() };
			let earliest = session.saturating_sub(config.dispute_period).max(previous);
			for forgotten in previous..earliest {
				Sessions::<T>::remove(forgotten);
				AccountKeys::<T>::remove(forgotten);
				SessionExecutorParams::<T>::remove(forgotten);
			}
			EarliestStoredSession::<T>::put(earliest);

			let active = shared::ActiveValidatorIndices::<T>::get();
			AccountKeys::<T>::insert(
				session,
				util::take_active_subset(&active, &T::ValidatorAccounts::get()),
			);
			let groups = scheduler::ValidatorGroups::<T>::get();
			let info = SessionInfo {
				random_seed: notification.random_seed,
				dispute_period: config.dispute_period,
				validators: notification.validators.clone(),
				discovery_keys: util::take_active_subset_and_inactive(&active, &T::DiscoveryKeys::get()),
				assignment_keys: util::take_active_subset(&active, &AssignmentKeysUnsafe::<T>::get()),
				active_validator_indices: active,
				n_cores: groups.len() as u32,
				validator_groups: groups,
				zeroth_delay_tranche_width: config.zeroth_delay_tranche_width,
				relay_vrf_modulo_samples: config.relay_vrf_modulo_samples,
				n_delay_tranches: config.n_delay_tranches,
				no_show_slots: config.no_show_slots,
				needed_approvals: config.needed_approvals,
			};
			Sessions::<T>::insert(session, info);
			SessionExecutorParams::<T>::insert(session, &config.executor_params);
		}
	}
}

impl<T: Config> sp_runtime::BoundToRuntimeAppPublic for Pallet<T> {
	type Public = AssignmentId;
}

impl<T: Config, A> OneSessionHandler<A> for Pallet<T> {
	type Key = AssignmentId;

	fn on_genesis_session<'a, I: 'a>(validators: I)
	where
		A: 'a,
		I: Iterator<Item = (&'a A, AssignmentId)>,
	{
		AssignmentKeysUnsafe::<T>::put(validators.map(|(_, key)| key).collect::<Vec<_>>());
	}

	fn on_new_session<'a, I: 'a>(_changed: bool, validators: I, _queued: I)
	where
		A: 'a,
		I: Iterator<Item = (&'a A, AssignmentId)>,
	{
		AssignmentKeysUnsafe::<T>::put(validators.map(|(_, key)| key).collect::<Vec<_>>());
	}

	fn on_disabled(_: u32) {}
}
