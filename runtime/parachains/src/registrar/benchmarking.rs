//! Calls of accounts that manage paras.

use super::*;
use crate::benchmarking::{register as register_para, *};
use frame_benchmarking::v2::*;
use frame_support::traits::Currency;
use frame_system::RawOrigin;
use headway_primitives::{MAX_CODE_SIZE, MAX_HEAD_DATA_SIZE};

/// Another para.
const OTHER: ParaId = ParaId(PARA.0 + 1);

/// An account that can pay deposits.
fn set_up<T: Config>() -> T::AccountId {
	start_block::<T>(BLOCK);
	configure::<T>(1);
	let manager: T::AccountId = whitelisted_caller();
	let _ = <T as Config>::Currency::make_free_balance_be(&manager, FUNDS);
	manager
}

/// Reserves an id for the account.
fn reserve_id<T: Config>(manager: &T::AccountId, id: ParaId) {
	let deposit = T::ParaDeposit::get();
	let reserved = <T as Config>::Currency::reserve(manager, deposit);
	assert!(reserved.is_ok(), "the account has enough");
	Paras::<T>::insert(id, ParaInfo { manager: manager.clone(), deposit, locked: None });
}

/// An account that manages the para.
fn managed<T: Config>(lifecycle: ParaLifecycle) -> T::AccountId {
	let manager = set_up::<T>();
	reserve_id::<T>(&manager, PARA);
	register_para::<T>(PARA, lifecycle);
	manager
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// With head and code of `c` bytes.
	#[benchmark]
	fn register(c: Linear<MIN_CODE_SIZE, MAX_CODE_SIZE>) {
		let manager = set_up::<T>();
		reserve_id::<T>(&manager, PARA);

		#[extrinsic_call]
		_(RawOrigin::Signed(manager), PARA, HeadData::default(), code(c, 2));

		assert!(paras::ParaLifecycles::<T>::contains_key(PARA));
	}

	/// With head and code of `c` bytes.
	#[benchmark]
	fn force_register(c: Linear<MIN_CODE_SIZE, MAX_CODE_SIZE>) {
		let manager = set_up::<T>();

		#[extrinsic_call]
		_(RawOrigin::Root, manager, T::ParaDeposit::get(), PARA, HeadData::default(), code(c, 2));

		assert!(paras::ParaLifecycles::<T>::contains_key(PARA));
	}

	/// A parathread goes.
	#[benchmark]
	fn deregister() {
		let manager = managed::<T>(ParaLifecycle::Parathread);

		#[extrinsic_call]
		_(RawOrigin::Signed(manager), PARA);

		assert!(!Paras::<T>::contains_key(PARA));
	}

	/// The second of the two asks.
	#[benchmark]
	fn swap() {
		let manager = managed::<T>(ParaLifecycle::Parachain);
		register_para::<T>(OTHER, ParaLifecycle::Parathread);
		PendingSwap::<T>::insert(OTHER, PARA);

		#[extrinsic_call]
		_(RawOrigin::Signed(manager), PARA, OTHER);

		assert!(!PendingSwap::<T>::contains_key(OTHER));
	}

	/// `s` ids are taken by paras that were not reserved.
	#[benchmark]
	fn reserve(s: Linear<0, 31>) {
		let account = set_up::<T>();
		NextFreeParaId::<T>::put(PARA);
		(0..s).for_each(|i| register_para::<T>(ParaId(PARA.0 + i), ParaLifecycle::Parathread));

		#[extrinsic_call]
		_(RawOrigin::Signed(account));

		assert!(Paras::<T>::contains_key(ParaId(PARA.0 + s)));
	}

	/// The lock is set or removed.
	#[benchmark]
	fn set_lock() {
		let manager = managed::<T>(ParaLifecycle::Parathread);

		#[extrinsic_call]
		add_lock(RawOrigin::Signed(manager), PARA);

		assert!(Paras::<T>::get(PARA).is_some_and(|info| info.is_locked()));
	}

	/// To code of `c` bytes.
	#[benchmark]
	fn schedule_code_upgrade(c: Linear<MIN_CODE_SIZE, MAX_CODE_SIZE>) {
		let manager = managed::<T>(ParaLifecycle::Parathread);

		#[extrinsic_call]
		_(RawOrigin::Signed(manager), PARA, code(c, 2));

		assert!(paras::FutureCodeHash::<T>::contains_key(PARA));
	}

	/// Of `s` bytes.
	#[benchmark]
	fn set_current_head(s: Linear<1, MAX_HEAD_DATA_SIZE>) {
		let manager = managed::<T>(ParaLifecycle::Parathread);
		let head = HeadData(alloc::vec![2; s as usize]);

		#[extrinsic_call]
		_(RawOrigin::Signed(manager), PARA, head.clone());

		assert_eq!(paras::Heads::<T>::get(PARA), Some(head));
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::benchmark_ext(), crate::mock::Test);
}
