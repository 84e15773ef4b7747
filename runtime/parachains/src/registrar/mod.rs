//! Registration of paras by accounts, against a deposit (runtime §4.7).
//!
//! An account reserves an id and registers a head and code under it. It manages the para until the first head
//! of the para is included; from then on the para manages itself, by messages to the relay chain, unless it or
//! root removes the lock.
//!
//! How a para comes, changes kind and goes is decided by [`paras`] alone: this pallet never writes what is
//! stored there, and a para that came another way (at genesis, by root) has no manager.
//!
//! # Bounds
//! `Paras` has one entry per reserved id, each paid for by a deposit. `PendingSwap` has at most one entry per
//! para.

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod tests;
pub mod weights;

pub use pallet::*;

use crate::{
	configuration,
	origin::{ensure_parachain, Origin},
	paras::{self, OnNewHead, ParaGenesisArgs, ParaKind, ParaLifecycle, UpgradeStrategy},
};
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{pallet_prelude::*, traits::ReservableCurrency};
use frame_system::pallet_prelude::*;
use headway_primitives::{Balance, HeadData, ParaId, ValidationCode, LOWEST_PUBLIC_ID, MIN_CODE_SIZE};
use weights::WeightInfo;

/// Ids in a row that a reservation skips because they are taken: those of paras that were registered at genesis
/// or by root, without being reserved.
const MAX_SKIPPED_IDS: u32 = 32;

/// Who manages a para, and what is reserved for it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ParaInfo<AccountId> {
	/// The account that manages the para.
	pub manager: AccountId,
	/// What is reserved from the manager's balance.
	pub deposit: Balance,
	/// Whether the para is closed to its manager. None: open, until its first head is included.
	pub locked: Option<bool>,
}

impl<AccountId> ParaInfo<AccountId> {
	/// Whether the para is closed to its manager.
	pub fn is_locked(&self) -> bool {
		self.locked.unwrap_or(false)
	}
}

/// Whoever keeps something for paras that has to change places when two paras swap: leases, say. Identity, head
/// and code stay where they are.
pub trait OnSwap {
	/// The paras swap. The order of the two has no meaning.
	fn on_swap(one: ParaId, other: ParaId);
}

impl OnSwap for () {
	fn on_swap(_: ParaId, _: ParaId) {}
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::config]
	pub trait Config: paras::Config + frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// The system's origin, which may be a para.
		type RuntimeOrigin: From<<Self as frame_system::Config>::RuntimeOrigin>
			+ Into<Result<Origin, <Self as Config>::RuntimeOrigin>>;
		/// Currency of the deposits.
		type Currency: ReservableCurrency<Self::AccountId, Balance = Balance>;
		/// Told of swaps.
		type OnSwap: OnSwap;
		/// Deposit of a reserved id.
		#[pallet::constant]
		type ParaDeposit: Get<Balance>;
		/// Deposit of each byte that a registered para may keep on chain.
		#[pallet::constant]
		type DataDepositPerByte: Get<Balance>;
		/// What calls weigh.
		type WeightInfo: WeightInfo;
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A para was registered.
		Registered {
			/// The para.
			para_id: ParaId,
			/// Who manages it.
			manager: T::AccountId,
		},
		/// A para was deregistered.
		Deregistered {
			/// The para.
			para_id: ParaId,
		},
		/// An id was reserved.
		Reserved {
			/// The id.
			para_id: ParaId,
			/// For whom.
			who: T::AccountId,
		},
		/// Two paras swapped.
		Swapped {
			/// The one that asked last.
			para_id: ParaId,
			/// The one that asked first.
			other_id: ParaId,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// There is no such para, or it is on its way in or out.
		NotRegistered,
		/// The id is taken.
		AlreadyRegistered,
		/// The caller does not manage the para.
		NotOwner,
		/// The code is too large.
		CodeTooLarge,
		/// The head is too large.
		HeadDataTooLarge,
		/// The para is not a parachain.
		NotParachain,
		/// The para is not a parathread.
		NotParathread,
		/// The para cannot go now.
		CannotDeregister,
		/// The parachain cannot become a parathread.
		CannotDowngrade,
		/// The parathread cannot become a parachain.
		CannotUpgrade,
		/// The para is closed to its manager.
		ParaLocked,
		/// The id was not reserved.
		NotReserved,
		/// The code is too short.
		InvalidCode,
		/// The paras are not of kinds that can swap, or in transition.
		CannotSwap,
	}

	/// Swaps that one side has asked for.
	#[pallet::storage]
	pub type PendingSwap<T: Config> = StorageMap<_, Twox64Concat, ParaId, ParaId, OptionQuery>;

	/// Reserved and registered paras.
	#[pallet::storage]
	pub type Paras<T: Config> = StorageMap<_, Twox64Concat, ParaId, ParaInfo<T::AccountId>, OptionQuery>;

	/// The id at which the search for the next one begins.
	#[pallet::storage]
	pub type NextFreeParaId<T: Config> = StorageValue<_, ParaId, ValueQuery>;

	#[pallet::genesis_config]
	pub struct GenesisConfig<T: Config> {
		/// The first id that is handed out.
		pub next_free_para_id: ParaId,
		#[serde(skip)]
		#[doc(hidden)]
		pub _marker: core::marker::PhantomData<T>,
	}

	impl<T: Config> Default for GenesisConfig<T> {
		fn default() -> Self {
			Self { next_free_para_id: LOWEST_PUBLIC_ID, _marker: Default::default() }
		}
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			NextFreeParaId::<T>::put(self.next_free_para_id);
		}
	}

	/// Bytes that a para starts with.
	fn genesis_len(head: &HeadData, code: &ValidationCode) -> u32 {
		head.0.len().saturating_add(code.0.len()) as u32
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Registers a para under an id that the caller has reserved. More is reserved for its data: as much as
		/// if its code had the largest allowed size, since it may grow.
		#[pallet::call_index(0)]
		#[pallet::weight(<T as Config>::WeightInfo::register(genesis_len(genesis_head, validation_code)))]
		pub fn register(
			origin: OriginFor<T>,
			id: ParaId,
			genesis_head: HeadData,
			validation_code: ValidationCode,
		) -> DispatchResult {
			let manager = ensure_signed(origin)?;
			Self::do_register(manager, None, id, genesis_head, validation_code)
		}

		/// Registers a para for an account and with a deposit of root's choice, under any id.
		#[pallet::call_index(1)]
		#[pallet::weight(<T as Config>::WeightInfo::force_register(genesis_len(genesis_head, validation_code)))]
		pub fn force_register(
			origin: OriginFor<T>,
			who: T::AccountId,
			deposit: Balance,
			id: ParaId,
			genesis_head: HeadData,
			validation_code: ValidationCode,
		) -> DispatchResult {
			ensure_root(origin)?;
			Self::do_register(who, Some(deposit), id, genesis_head, validation_code)
		}

		/// Deregisters a parathread, or gives up a reserved id, and returns the deposit.
		#[pallet::call_index(2)]
		#[pallet::weight(<T as Config>::WeightInfo::deregister())]
		pub fn deregister(origin: OriginFor<T>, id: ParaId) -> DispatchResult {
			Self::ensure_root_para_or_manager(origin, id)?;
			ensure!(
				matches!(paras::ParaLifecycles::<T>::get(id), None | Some(ParaLifecycle::Parathread)),
				Error::<T>::NotParathread
			);
			paras::Pallet::<T>::schedule_para_cleanup(id).map_err(|_| Error::<T>::CannotDeregister)?;
			if let Some(info) = Paras::<T>::take(id) {
				T::Currency::unreserve(&info.manager, info.deposit);
			}
			PendingSwap::<T>::remove(id);
			Self::deposit_event(Event::Deregistered { para_id: id });
			Ok(())
		}

		/// Swaps the roles of two paras, a parachain with a parathread or with another parachain, once both have
		/// asked for it. With the same id twice a wish is taken back.
		#[pallet::call_index(3)]
		#[pallet::weight(<T as Config>::WeightInfo::swap())]
		pub fn swap(origin: OriginFor<T>, id: ParaId, other: ParaId) -> DispatchResult {
			Self::ensure_root_para_or_manager(origin, id)?;
			if id == other {
				PendingSwap::<T>::remove(id);
				return Ok(());
			}
			let lifecycle = Self::lifecycle(id)?;
			if PendingSwap::<T>::get(other) != Some(id) {
				PendingSwap::<T>::insert(id, other);
				return Ok(());
			}
			match (lifecycle, Self::lifecycle(other)?) {
				(ParaLifecycle::Parachain, ParaLifecycle::Parathread) => Self::exchange_kinds(id, other)?,
				(ParaLifecycle::Parathread, ParaLifecycle::Parachain) => Self::exchange_kinds(other, id)?,
				(ParaLifecycle::Parachain, ParaLifecycle::Parachain) => {},
				_ => return Err(Error::<T>::CannotSwap.into()),
			}
			T::OnSwap::on_swap(id, other);
			PendingSwap::<T>::remove(other);
			Self::deposit_event(Event::Swapped { para_id: id, other_id: other });
			Ok(())
		}

		/// Opens a para to its manager.
		#[pallet::call_index(4)]
		#[pallet::weight(<T as Config>::WeightInfo::set_lock())]
		pub fn remove_lock(origin: OriginFor<T>, para: ParaId) -> DispatchResult {
			Self::ensure_root_or_para(origin, para)?;
			Self::set_lock(para, false);
			Ok(())
		}

		/// Reserves the next free id for the caller, who may then register a para under it.
		#[pallet::call_index(5)]
		#[pallet::weight(<T as Config>::WeightInfo::reserve(MAX_SKIPPED_IDS))]
		pub fn reserve(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			let first = NextFreeParaId::<T>::get().max(LOWEST_PUBLIC_ID).0;
			let id = (first..first.saturating_add(MAX_SKIPPED_IDS))
				.map(ParaId)
				.find(|id| !Self::is_taken(*id))
				.ok_or(Error::<T>::AlreadyRegistered)?;
			let deposit = T::ParaDeposit::get();
			T::Currency::reserve(&who, deposit)?;
			Paras::<T>::insert(id, ParaInfo { manager: who.clone(), deposit, locked: None });
			NextFreeParaId::<T>::put(ParaId(id.0.saturating_add(1)));
			Self::deposit_event(Event::Reserved { para_id: id, who });
			Ok(())
		}

		/// Closes a para to its manager.
		#[pallet::call_index(6)]
		#[pallet::weight(<T as Config>::WeightInfo::set_lock())]
		pub fn add_lock(origin: OriginFor<T>, para: ParaId) -> DispatchResult {
			Self::ensure_root_para_or_manager(origin, para)?;
			Self::set_lock(para, true);
			Ok(())
		}

		/// Begins an upgrade that the relay chain applies by itself, without a word to the para.
		#[pallet::call_index(7)]
		#[pallet::weight(<T as Config>::WeightInfo::schedule_code_upgrade(new_code.0.len() as u32))]
		pub fn schedule_code_upgrade(
			origin: OriginFor<T>,
			para: ParaId,
			new_code: ValidationCode,
		) -> DispatchResult {
			Self::ensure_root_para_or_manager(origin, para)?;
			paras::Pallet::<T>::schedule_code_upgrade_external(
				para,
				new_code,
				UpgradeStrategy::ApplyAtExpectedBlock,
			)
		}

		/// Overwrites the head of a para that is neither on its way in nor out.
		#[pallet::call_index(8)]
		#[pallet::weight(<T as Config>::WeightInfo::set_current_head(new_head.0.len() as u32))]
		pub fn set_current_head(origin: OriginFor<T>, para: ParaId, new_head: HeadData) -> DispatchResult {
			Self::ensure_root_para_or_manager(origin, para)?;
			// A head makes a para: messages would be queued for an id that is only reserved.
			ensure!(paras::Pallet::<T>::is_valid_para(para), Error::<T>::NotRegistered);
			let limit = configuration::ActiveConfig::<T>::get().max_head_data_size;
			ensure!(new_head.0.len() <= limit as usize, Error::<T>::HeadDataTooLarge);
			paras::Pallet::<T>::set_current_head(para, new_head);
			Ok(())
		}
	}

	impl<T: Config> Pallet<T> {
		/// Passes root, the para itself, and its manager if the para is open to it.
		fn ensure_root_para_or_manager(origin: OriginFor<T>, id: ParaId) -> DispatchResult {
			if let Ok(who) = ensure_signed(origin.clone()) {
				let info = Paras::<T>::get(id).ok_or(Error::<T>::NotRegistered)?;
				if info.manager == who {
					ensure!(!info.is_locked(), Error::<T>::ParaLocked);
					return Ok(());
				}
			}
			Self::ensure_root_or_para(origin, id)
		}

		/// Passes root and the para itself.
		fn ensure_root_or_para(origin: OriginFor<T>, id: ParaId) -> DispatchResult {
			if ensure_root(origin.clone()).is_ok() {
				return Ok(());
			}
			let caller = ensure_parachain(<T as Config>::RuntimeOrigin::from(origin))?;
			ensure!(caller == id, Error::<T>::NotOwner);
			Ok(())
		}

		fn lifecycle(id: ParaId) -> Result<ParaLifecycle, Error<T>> {
			paras::ParaLifecycles::<T>::get(id).ok_or(Error::NotRegistered)
		}

		fn is_taken(id: ParaId) -> bool {
			Paras::<T>::contains_key(id) || paras::ParaLifecycles::<T>::contains_key(id)
		}

		fn set_lock(id: ParaId, locked: bool) {
			Paras::<T>::mutate(id, |info| {
				if let Some(info) = info {
					info.locked = Some(locked);
				}
			});
		}

		/// Registers a para. Without a deposit of root's choice the id has to be reserved, and the deposit comes
		/// from the size of the data.
		fn do_register(
			manager: T::AccountId,
			forced_deposit: Option<Balance>,
			id: ParaId,
			genesis_head: HeadData,
			validation_code: ValidationCode,
		) -> DispatchResult {
			let reserved = match Paras::<T>::get(id) {
				Some(info) => {
					ensure!(info.manager == manager, Error::<T>::NotOwner);
					ensure!(!info.is_locked(), Error::<T>::ParaLocked);
					info.deposit
				},
				None => {
					ensure!(forced_deposit.is_some(), Error::<T>::NotReserved);
					0
				},
			};
			ensure!(!paras::ParaLifecycles::<T>::contains_key(id), Error::<T>::AlreadyRegistered);
			let needed = Self::check_data(&genesis_head, &validation_code)?;
			let deposit = forced_deposit.unwrap_or(needed);
			if deposit >= reserved {
				T::Currency::reserve(&manager, deposit - reserved)?;
			} else {
				T::Currency::unreserve(&manager, reserved - deposit);
			}
			Paras::<T>::insert(id, ParaInfo { manager: manager.clone(), deposit, locked: None });
			let args = ParaGenesisArgs { genesis_head, validation_code, para_kind: ParaKind::Parathread };
			paras::Pallet::<T>::schedule_para_initialize(id, args)?;
			Self::deposit_event(Event::Registered { para_id: id, manager });
			Ok(())
		}

		/// Checks the sizes of what a para starts with; returns the deposit for it.
		fn check_data(head: &HeadData, code: &ValidationCode) -> Result<Balance, Error<T>> {
			let config = configuration::ActiveConfig::<T>::get();
			ensure!(code.0.len() >= MIN_CODE_SIZE as usize, Error::InvalidCode);
			ensure!(code.0.len() <= config.max_code_size as usize, Error::CodeTooLarge);
			ensure!(head.0.len() <= config.max_head_data_size as usize, Error::HeadDataTooLarge);
			let bytes = (head.0.len() as Balance).saturating_add(Balance::from(config.max_code_size));
			Ok(T::ParaDeposit::get().saturating_add(T::DataDepositPerByte::get().saturating_mul(bytes)))
		}

		fn exchange_kinds(parachain: ParaId, parathread: ParaId) -> DispatchResult {
			paras::Pallet::<T>::schedule_parachain_downgrade(parachain)?;
			paras::Pallet::<T>::schedule_parathread_upgrade(parathread)
		}
	}

	impl<T: Config> OnNewHead for Pallet<T> {
		/// A para that produces blocks is its own master, unless its lock was set by hand.
		fn on_new_head(para: ParaId, _: &HeadData) {
			if Paras::<T>::get(para).is_some_and(|info| info.locked.is_none()) {
				Self::set_lock(para, true);
			}
		}
	}
}
