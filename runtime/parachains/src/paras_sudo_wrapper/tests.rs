//! Calls by root.

use super::*;
use crate::mock::{code, config, head, with_chain, ParasSudoWrapper, RuntimeOrigin, Test};
use configuration::{ActiveConfig, HostConfiguration, PendingConfigs};
use frame_support::{assert_noop, assert_ok};
use headway_primitives::{CoreIndex, SchedulerParams};
use hrmp::{HrmpChannelId, HrmpChannels};
use paras::ParaLifecycle;
use scheduler::{CoreAssignment, CoreSchedules, PartsOf57600};
use sp_runtime::DispatchError;

const A: ParaId = ParaId(2000);
const NEW: ParaId = ParaId(3000);

fn initialize(origin: RuntimeOrigin, id: ParaId, para_kind: ParaKind) -> DispatchResult {
	let genesis = ParaGenesisArgs { genesis_head: head("new"), validation_code: code(), para_kind };
	ParasSudoWrapper::sudo_schedule_para_initialize(origin, id, genesis)
}

fn num_cores() -> u32 {
	ActiveConfig::<Test>::get().scheduler_params.num_cores
}

#[test]
fn parachain_gets_a_core_of_its_own() {
	with_chain(config(), 4, 1, |_| {
		// Cores that are pending must not take it away again.
		assert_ok!(configuration::Pallet::<Test>::set_needed_approvals(RuntimeOrigin::root(), 7));
		assert_ok!(initialize(RuntimeOrigin::root(), NEW, ParaKind::Parachain));
		assert_eq!(num_cores(), 2);
		let pending: Vec<_> = PendingConfigs::<Test>::get()
			.into_iter()
			.map(|(_, config)| config.scheduler_params.num_cores)
			.collect();
		assert_eq!(pending, [2]);
		let schedule = CoreSchedules::<Test>::get((2, CoreIndex(1))).expect("it begins in the next block");
		assert_eq!(schedule.assignments, [(CoreAssignment::Task(NEW.0), PartsOf57600::FULL)]);
	});
}

#[test]
fn parathread_gets_no_core() {
	with_chain(config(), 4, 1, |_| {
		assert_ok!(initialize(RuntimeOrigin::root(), NEW, ParaKind::Parathread));
		assert_eq!(num_cores(), 1);
		assert_eq!(CoreSchedules::<Test>::get((2, CoreIndex(1))), None);
	});
}

#[test]
fn registration_is_refused_for_a_known_para_or_without_a_core() {
	with_chain(config(), 4, 1, |_| {
		assert_noop!(
			initialize(RuntimeOrigin::root(), A, ParaKind::Parachain),
			Error::<Test>::ParaAlreadyExists
		);
		let full = HostConfiguration {
			scheduler_params: SchedulerParams { num_cores: 65535, ..config().scheduler_params },
			..config()
		};
		ActiveConfig::<Test>::put(full);
		assert_noop!(
			initialize(RuntimeOrigin::root(), NEW, ParaKind::Parachain),
			Error::<Test>::TooManyCores
		);
	});
}

#[test]
fn transitions_need_the_kind_that_they_are_from() {
	let root = RuntimeOrigin::root;
	with_chain(config(), 4, 1, |_| {
		type Wrapper = ParasSudoWrapper;
		assert_noop!(Wrapper::sudo_schedule_parathread_upgrade(root(), A), Error::<Test>::NotParathread);
		assert_ok!(Wrapper::sudo_schedule_parachain_downgrade(root(), A));
		assert_noop!(Wrapper::sudo_schedule_parachain_downgrade(root(), A), Error::<Test>::NotParachain);
		assert_noop!(Wrapper::sudo_schedule_para_cleanup(root(), A), Error::<Test>::CouldntCleanup);
		paras::ParaLifecycles::<Test>::insert(A, ParaLifecycle::Parathread);
		assert_ok!(Wrapper::sudo_schedule_parathread_upgrade(root(), A));
		paras::ParaLifecycles::<Test>::insert(A, ParaLifecycle::Parachain);
		assert_ok!(Wrapper::sudo_schedule_para_cleanup(root(), A));
		// Nothing to do for a para that does not exist.
		assert_ok!(Wrapper::sudo_schedule_para_cleanup(root(), NEW));
	});
}

#[test]
fn only_root_calls() {
	let origin = || RuntimeOrigin::signed(1);
	with_chain(config(), 4, 2, |_| {
		type Wrapper = ParasSudoWrapper;
		for result in [
			initialize(origin(), NEW, ParaKind::Parathread),
			Wrapper::sudo_schedule_para_cleanup(origin(), A),
			Wrapper::sudo_schedule_parathread_upgrade(origin(), A),
			Wrapper::sudo_schedule_parachain_downgrade(origin(), A),
			Wrapper::sudo_establish_hrmp_channel(origin(), A, ParaId(2001), 1, 8),
		] {
			assert_eq!(result, Err(DispatchError::BadOrigin));
		}
	});
}

#[test]
fn channel_by_root_is_open_in_the_next_session() {
	with_chain(config(), 4, 2, |chain| {
		let (sender, recipient) = (A, ParaId(2001));
		let root = RuntimeOrigin::root();
		assert_ok!(ParasSudoWrapper::sudo_establish_hrmp_channel(root, sender, recipient, 2, 64));
		chain.session_block();
		let channel =
			HrmpChannels::<Test>::get(HrmpChannelId { sender, recipient }).expect("the channel is open");
		assert_eq!((channel.max_capacity, channel.max_message_size), (2, 64));
	});
}
