//! Calls the other pallets in their order, at the boundaries of blocks and sessions, genesis included
//! (runtime §1.3).
//!
//! A new session is applied at the *end* of the block in which it begins, so that the state of a block always
//! answers for its child. Session 0 is applied when genesis is built, after configuration and paras: it has
//! validators, groups and cores.

#[cfg(test)]
mod tests;

pub use pallet::*;

use crate::{
	configuration::{self, HostConfiguration},
	disputes, dmp, hrmp, inclusion, paras, scheduler, session_info, shared,
	util::now,
	weights,
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use frame_support::{
	pallet_prelude::*,
	traits::{OneSessionHandler, Randomness},
};
use frame_system::pallet_prelude::*;
use headway_primitives::{BlockNumber, Hash, SessionIndex, ValidatorId};

/// What changes with a session.
#[derive(Clone, Debug)]
pub struct SessionChangeNotification {
	/// Active validators of the session that begins.
	pub validators: Vec<ValidatorId>,
	/// All validators of the session after it.
	pub queued: Vec<ValidatorId>,
	/// Configuration of the session that ends.
	pub prev_config: HostConfiguration,
	/// Configuration of the session that begins.
	pub new_config: HostConfiguration,
	/// Seed of the session.
	pub random_seed: [u8; 32],
	/// The session that begins.
	pub session_index: SessionIndex,
}

/// A session that begins at the end of the block.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct BufferedSessionChange {
	/// All its validators.
	pub validators: Vec<ValidatorId>,
	/// All validators of the session after it.
	pub queued: Vec<ValidatorId>,
	/// Its index.
	pub session_index: SessionIndex,
}

/// Something that learns of a session after all pallets.
pub trait OnNewSession {
	/// The session begins.
	fn on_new_session(notification: &SessionChangeNotification);
}

impl OnNewSession for () {
	fn on_new_session(_: &SessionChangeNotification) {}
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config + inclusion::Config + disputes::slashing::Config {
		/// Randomness that validators are shuffled with.
		type Randomness: Randomness<Hash, BlockNumberFor<Self>>;
		/// Who may force approval.
		type ForceOrigin: EnsureOrigin<<Self as frame_system::Config>::RuntimeOrigin>;
		/// Index of the session that a change is for.
		type SessionIndex: Get<SessionIndex>;
		/// What sells coretime.
		type CoretimeOnNewSession: OnNewSession;
	}

	/// Whether the block was initialized and not yet finalized.
	#[pallet::storage]
	pub type HasInitialized<T: Config> = StorageValue<_, (), OptionQuery>;

	/// Sessions that begin at the end of this block. Only the last one counts.
	#[pallet::storage]
	pub type BufferedSessionChanges<T: Config> = StorageValue<_, Vec<BufferedSessionChange>, ValueQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		#[serde(skip)]
		#[doc(hidden)]
		pub _marker: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			// Built behind configuration and paras, so that session 0 has their cores.
			Pallet::<T>::apply_buffered_session();
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			let weight = paras::Pallet::<T>::initializer_initialize(now::<T>())
				.saturating_add(disputes::Pallet::<T>::initializer_initialize());
			HasInitialized::<T>::put(());
			// The finalization of a block without a new session reads two items and removes one.
			weight.saturating_add(weights::db::<T>(3, 2))
		}

		fn on_finalize(_: BlockNumberFor<T>) {
			paras::Pallet::<T>::initializer_finalize(now::<T>());
			Self::apply_buffered_session();
			HasInitialized::<T>::kill();
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Makes nodes treat all candidates up to the block as approved.
		#[pallet::call_index(0)]
		#[pallet::weight((weights::ref_time_micros(10).saturating_add(weights::db::<T>(1, 1)), DispatchClass::Operational))]
		pub fn force_approve(origin: OriginFor<T>, up_to: BlockNumber) -> DispatchResult {
			T::ForceOrigin::ensure_origin(origin)?;
			frame_system::Pallet::<T>::deposit_log(paras::ConsensusLog::ForceApprove(up_to).into());
			Ok(())
		}
	}

	impl<T: Config> Pallet<T> {
		/// Whether a session begins at the end of this block: nothing is backed in it, for its group would be gone.
		pub fn upcoming_session_change() -> bool {
			BufferedSessionChanges::<T>::decode_len().unwrap_or(0) > 0
		}

		/// Starts the session that was buffered last.
		pub(crate) fn apply_buffered_session() {
			if let Some(change) = BufferedSessionChanges::<T>::take().pop() {
				Self::apply_new_session(change);
			}
		}

		fn apply_new_session(change: BufferedSessionChange) {
			let BufferedSessionChange { validators, queued, session_index } = change;
			let (seed, _) = T::Randomness::random(b"paras");
			let random_seed = seed.0;
			let configuration::ConfigurationChange { prev, new } =
				configuration::Pallet::<T>::on_new_session(session_index);
			let new_config = new.unwrap_or_else(|| prev.clone());
			let validators = shared::Pallet::<T>::on_new_session(
				session_index,
				random_seed,
				new_config.max_validators,
				new_config.max_relay_parent_session_age,
				validators,
			);
			let notification = SessionChangeNotification {
				validators,
				queued,
				prev_config: prev,
				new_config,
				random_seed,
				session_index,
			};
			let outgoing = paras::Pallet::<T>::on_new_session(&notification);
			scheduler::Pallet::<T>::on_new_session(&notification);
			inclusion::Pallet::<T>::on_new_session(&notification, &outgoing);
			if notification.prev_config.upward_queue_limits() != notification.new_config.upward_queue_limits()
			{
				inclusion::Pallet::<T>::refresh_upward_capacities();
			}
			session_info::Pallet::<T>::on_new_session(&notification);
			let forgotten = disputes::Pallet::<T>::on_new_session(&notification);
			disputes::slashing::Pallet::<T>::on_new_session(forgotten);
			dmp::Pallet::<T>::on_new_session(&outgoing);
			hrmp::Pallet::<T>::on_new_session(&notification.prev_config, &outgoing);
			T::CoretimeOnNewSession::on_new_session(&notification);
		}
	}
}

impl<T: Config> sp_runtime::BoundToRuntimeAppPublic for Pallet<T> {
	type Public = ValidatorId;
}

impl<T: Config, A> OneSessionHandler<A> for Pallet<T> {
	type Key = ValidatorId;

	fn on_genesis_session<'a, I: 'a>(validators: I)
	where
		A: 'a,
		I: Iterator<Item = (&'a A, ValidatorId)>,
	{
		let keys: Vec<_> = validators.map(|(_, key)| key).collect();
		BufferedSessionChanges::<T>::append(BufferedSessionChange {
			queued: keys.clone(),
			validators: keys,
			session_index: 0,
		});
	}

	fn on_new_session<'a, I: 'a>(_changed: bool, validators: I, queued: I)
	where
		A: 'a,
		I: Iterator<Item = (&'a A, ValidatorId)>,
	{
		BufferedSessionChanges::<T>::append(BufferedSessionChange {
			validators: validators.map(|(_, key)| key).collect(),
			queued: queued.map(|(_, key)| key).collect(),
			session_index: T::SessionIndex::get(),
		});
	}

	fn on_disabled(_: u32) {}
}
