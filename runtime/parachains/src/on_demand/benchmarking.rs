//! Orders, with others waiting in the queue.

use super::*;
use crate::{benchmarking::*, paras::ParaLifecycle};
use frame_benchmarking::v2::*;
use frame_system::RawOrigin;

/// Orders that wait.
const WAITING: u32 = 150;

/// An account that can pay with tokens and with credits, on a chain with a para.
fn set_up<T: Config>() -> T::AccountId {
	start_block::<T>(BLOCK);
	configure::<T>(1);
	register::<T>(PARA, ParaLifecycle::Parathread);
	Pallet::<T>::queue_order_batch(alloc::vec![(PARA, BLOCK - 1); WAITING as usize]);
	// The traffic changes with the order.
	Traffic::<T>::put(FixedU128::from_u32(2));
	Revenue::<T>::mutate(|revenue| while revenue.try_push(1).is_ok() {});
	let caller: T::AccountId = whitelisted_caller();
	let _ = <T as Config>::Currency::make_free_balance_be(&caller, FUNDS);
	Pallet::<T>::credit_account(caller.clone(), FUNDS);
	caller
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// Paid with tokens.
	#[benchmark]
	fn place_order_allow_death() {
		let caller = set_up::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), FUNDS, PARA);

		assert_eq!(Pallet::<T>::queue_len(), WAITING + 1);
	}

	/// Paid with tokens.
	#[benchmark]
	fn place_order_keep_alive() {
		let caller = set_up::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), FUNDS, PARA);

		assert_eq!(Pallet::<T>::queue_len(), WAITING + 1);
	}

	/// Paid with credits.
	#[benchmark]
	fn place_order_with_credits() {
		let caller = set_up::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), FUNDS, PARA);

		assert_eq!(Pallet::<T>::queue_len(), WAITING + 1);
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::benchmark_ext(), crate::mock::Test);
}
