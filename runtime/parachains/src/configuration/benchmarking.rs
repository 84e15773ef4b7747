//! Setters: all of them change the pending configuration.

use super::*;
use crate::benchmarking::*;
use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_system::RawOrigin;
use headway_primitives::{ExecutorParam, ExecutorParams};

/// Parameters of the execution environment. That one occurs more than once would be refused if the consistency
/// were checked.
fn executor_params(n: u32) -> ExecutorParams {
	ExecutorParams(vec![ExecutorParam::MaxMemoryPages(4096); n as usize])
}

/// Two configurations are pending, the second of which is changed.
fn set_up<T: Config>() {
	let mut config = configure::<T>(100);
	config.executor_params = executor_params(1);
	ActiveConfig::<T>::put(&config);
	let session = shared::Pallet::<T>::scheduled_session();
	let pending: Vec<_> = [session.saturating_sub(1), session].map(|at| (at, config.clone())).to_vec();
	PendingConfigs::<T>::put(pending);
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// A number is set.
	#[benchmark]
	fn set_value() {
		set_up::<T>();

		#[extrinsic_call]
		set_validation_upgrade_cooldown(RawOrigin::Root, 77);

		assert!(PendingConfigs::<T>::get()
			.iter()
			.any(|(_, config)| config.validation_upgrade_cooldown == 77));
	}

	/// `p` parameters of the execution environment are set.
	#[benchmark]
	fn set_executor_params(p: Linear<0, 20>) {
		set_up::<T>();
		BypassConsistencyCheck::<T>::put(true);

		#[extrinsic_call]
		_(RawOrigin::Root, executor_params(p));

		assert_eq!(PendingConfigs::<T>::get().len(), 2);
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::benchmark_ext(), crate::mock::Test);
}
