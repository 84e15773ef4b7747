//! Calls of the chain that sells coretime, made by root.

use super::*;
use crate::benchmarking::*;
use frame_benchmarking::v2::*;
use frame_system::RawOrigin;

/// Cores that are assigned already: all of them are looked at.
const CORES: u16 = 100;

/// Halves of cores for other paras.
fn assignment(para: u32) -> Vec<(CoreAssignment, PartsOf57600)> {
	alloc::vec![(CoreAssignment::Task(para), PartsOf57600(28_800)); 2]
}

/// A chain on which all cores but one have something to do.
fn set_up<T: Config>() {
	start_block::<T>(BLOCK);
	configure::<T>(CORES.into());
	for core in 1..CORES {
		let core = CoreIndex(core.into());
		assert!(scheduler::Pallet::<T>::assign_core(core, BLOCK, assignment(PARA.0), None).is_ok());
	}
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// A number of cores.
	#[benchmark]
	fn request_core_count() {
		set_up::<T>();

		#[extrinsic_call]
		_(RawOrigin::Root, 77);

		assert!(configuration::PendingConfigs::<T>::exists());
	}

	/// Revenue of as many blocks as are remembered.
	#[benchmark]
	fn request_revenue_at() {
		set_up::<T>();
		on_demand::Revenue::<T>::mutate(|revenue| while revenue.try_push(1).is_ok() {});

		#[extrinsic_call]
		_(RawOrigin::Root, BLOCK);

		assert!(on_demand::Revenue::<T>::get().len() <= 1);
	}

	/// Some credits.
	#[benchmark]
	fn credit_account() {
		set_up::<T>();
		let who: T::AccountId = account("who", 0, 0);

		#[extrinsic_call]
		_(RawOrigin::Root, who.clone(), 77);

		assert_eq!(on_demand::Credits::<T>::get(who), 77);
	}

	/// Shared by `s` tasks, after a schedule that is there already.
	#[benchmark]
	fn assign_core(s: Linear<1, 100>) {
		set_up::<T>();
		let core = CoreIndex(0);
		assert!(scheduler::Pallet::<T>::assign_core(core, BLOCK, assignment(PARA.0), None).is_ok());
		let tasks: Vec<_> = (0..s).map(|i| (CoreAssignment::Task(i), PartsOf57600(576))).collect();

		#[extrinsic_call]
		_(RawOrigin::Root, 0, BLOCK + 100, tasks, None);

		assert!(scheduler::CoreSchedules::<T>::contains_key((BLOCK + 100, core)));
	}

	/// `s` orders.
	#[benchmark]
	fn queue_on_demand_batch(s: Linear<1, 1000>) {
		set_up::<T>();

		#[extrinsic_call]
		_(RawOrigin::Root, alloc::vec![(PARA, BLOCK); s as usize]);

		assert_eq!(on_demand::Pallet::<T>::queue_len(), s);
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::benchmark_ext(), crate::mock::Test);
}
