//! Reservation, registration, deposits, locks and swaps.

use super::*;
use crate::mock::{
	code, config, head, queued, with_chain, Balances, Chain, Queue, Registrar, RuntimeEvent, RuntimeOrigin,
	Swaps, System, Test, PARA_DEPOSIT,
};
use configuration::HostConfiguration;
use frame_support::{
	assert_noop, assert_ok,
	traits::{Currency, EnqueueMessage},
	BoundedSlice,
};
use paras::ParaLifecycles;
use sp_runtime::DispatchError;

/// Manages the paras of these tests.
const MANAGER: u64 = 1;
/// Has funds, and no paras.
const STRANGER: u64 = 2;
const FUNDS: Balance = 10_000;
/// A parachain of genesis, without a manager.
const CHAIN: ParaId = ParaId(2000);
/// The first id that is free.
const ID: ParaId = ParaId(2001);
/// What is reserved for a para with the head `new`.
const FULL_DEPOSIT: Balance = PARA_DEPOSIT + 3 + 64;

/// Runs a test with `n_paras` parachains from genesis on.
fn with_paras(n_paras: u32, test: impl FnOnce(&mut Chain)) {
	with_chain(HostConfiguration { max_code_size: 64, ..config() }, 4, n_paras, |chain| {
		for account in [MANAGER, STRANGER] {
			Balances::make_free_balance_be(&account, FUNDS);
		}
		test(chain)
	})
}

fn manager() -> RuntimeOrigin {
	RuntimeOrigin::signed(MANAGER)
}

fn para(id: ParaId) -> RuntimeOrigin {
	Origin::Parachain(id).into()
}

fn reserved() -> Balance {
	Balances::reserved_balance(MANAGER)
}

fn happened(event: Event<Test>) -> bool {
	System::events().iter().any(|record| record.event == RuntimeEvent::Registrar(event.clone()))
}

/// Reserves the next id and registers a para under it, which is a parathread two sessions later.
fn register(chain: &mut Chain) {
	assert_ok!(Registrar::reserve(manager()));
	assert_ok!(Registrar::register(manager(), ID, head("new"), code()));
	chain.session_block();
	chain.session_block();
	assert_eq!(ParaLifecycles::<Test>::get(ID), Some(ParaLifecycle::Parathread));
}

#[test]
fn registered_para_is_a_parathread_two_sessions_later() {
	with_paras(1, |chain| {
		assert_ok!(Registrar::reserve(manager()));
		assert!(happened(Event::Reserved { para_id: ID, who: MANAGER }));
		assert_eq!(reserved(), PARA_DEPOSIT);
		assert_ok!(Registrar::register(manager(), ID, head("new"), code()));
		assert!(happened(Event::Registered { para_id: ID, manager: MANAGER }));
		// As if its code were as large as it may become.
		assert_eq!(reserved(), FULL_DEPOSIT);
		chain.session_block();
		chain.session_block();
		assert_eq!(ParaLifecycles::<Test>::get(ID), Some(ParaLifecycle::Parathread));
		assert_eq!(paras::Heads::<Test>::get(ID), Some(head("new")));
	});
}

#[test]
fn reservation_skips_ids_that_are_taken() {
	with_paras(3, |_| {
		assert_eq!(NextFreeParaId::<Test>::get(), LOWEST_PUBLIC_ID);
		for id in [2003, 2004] {
			assert_ok!(Registrar::reserve(manager()));
			assert!(happened(Event::Reserved { para_id: ParaId(id), who: MANAGER }));
			assert_eq!(NextFreeParaId::<Test>::get(), ParaId(id + 1));
		}
		// Ids of system parachains are never handed out.
		NextFreeParaId::<Test>::put(ParaId(7));
		assert_ok!(Registrar::reserve(manager()));
		assert!(Paras::<Test>::contains_key(ParaId(2005)));
	});
}

#[test]
fn id_and_deposit_run_out() {
	with_paras(1, |_| {
		NextFreeParaId::<Test>::put(ParaId(u32::MAX - 1));
		assert_ok!(Registrar::reserve(manager()));
		assert_noop!(Registrar::reserve(manager()), Error::<Test>::AlreadyRegistered);
		NextFreeParaId::<Test>::put(ID);
		Balances::make_free_balance_be(&STRANGER, PARA_DEPOSIT - 1);
		assert_noop!(
			Registrar::reserve(RuntimeOrigin::signed(STRANGER)),
			pallet_balances::Error::<Test>::InsufficientBalance
		);
	});
}

#[test]
fn registration_is_checked() {
	let code_of = |size| ValidationCode(alloc::vec![1; size]);
	let register = |who, id, head, code| Registrar::register(RuntimeOrigin::signed(who), id, head, code);
	with_paras(1, |_| {
		assert_ok!(Registrar::reserve(manager()));
		assert_noop!(register(STRANGER, ID, head("new"), code()), Error::<Test>::NotOwner);
		assert_noop!(register(MANAGER, ParaId(2002), head("new"), code()), Error::<Test>::NotReserved);
		assert_noop!(register(MANAGER, ID, head("new"), code_of(8)), Error::<Test>::InvalidCode);
		assert_noop!(register(MANAGER, ID, head("new"), code_of(65)), Error::<Test>::CodeTooLarge);
		let long = HeadData(alloc::vec![0; 65]);
		assert_noop!(register(MANAGER, ID, long, code()), Error::<Test>::HeadDataTooLarge);
		assert_ok!(Registrar::add_lock(manager(), ID));
		assert_noop!(register(MANAGER, ID, head("new"), code()), Error::<Test>::ParaLocked);
		assert_ok!(Registrar::remove_lock(RuntimeOrigin::root(), ID));
		assert_ok!(register(MANAGER, ID, head("new"), code()));
		assert_noop!(register(MANAGER, ID, head("new"), code()), Error::<Test>::AlreadyRegistered);
	});
}

#[test]
fn root_registers_with_any_deposit_under_any_id() {
	let force = |deposit, id| {
		Registrar::force_register(RuntimeOrigin::root(), MANAGER, deposit, id, head("new"), code())
	};
	with_paras(1, |_| {
		assert_noop!(
			Registrar::force_register(manager(), MANAGER, 0, ID, head("new"), code()),
			DispatchError::BadOrigin
		);
		assert_ok!(force(7, ParaId(1000)));
		assert_eq!(reserved(), 7);
		// Less than what was reserved with the id: the rest is returned.
		assert_ok!(Registrar::reserve(manager()));
		assert_ok!(force(30, ID));
		assert_eq!(reserved(), 37);
		assert_noop!(force(0, CHAIN), Error::<Test>::AlreadyRegistered);
	});
}

#[test]
fn first_included_head_closes_the_para_to_its_manager() {
	with_paras(1, |chain| {
		register(chain);
		paras::Pallet::<Test>::note_new_head(ID, head("1"), 1);
		assert_eq!(Paras::<Test>::get(ID).map(|info| info.locked), Some(Some(true)));
		assert_noop!(Registrar::deregister(manager(), ID), Error::<Test>::ParaLocked);
		assert_noop!(Registrar::swap(manager(), ID, CHAIN), Error::<Test>::ParaLocked);
		assert_noop!(Registrar::schedule_code_upgrade(manager(), ID, code()), Error::<Test>::ParaLocked);
		assert_noop!(Registrar::set_current_head(manager(), ID, head("2")), Error::<Test>::ParaLocked);
		assert_noop!(Registrar::remove_lock(manager(), ID), DispatchError::BadOrigin);
		for origin in [para(ID), RuntimeOrigin::root()] {
			assert_ok!(Registrar::add_lock(RuntimeOrigin::root(), ID));
			assert_ok!(Registrar::remove_lock(origin, ID));
			assert_ok!(Registrar::set_current_head(manager(), ID, head("2")));
		}
		// A lock that was removed by hand does not come back.
		paras::Pallet::<Test>::note_new_head(ID, head("3"), 2);
		assert_eq!(Paras::<Test>::get(ID).map(|info| info.locked), Some(Some(false)));
	});
}

#[test]
fn root_the_para_and_its_manager_may_call_and_nobody_else() {
	with_paras(1, |chain| {
		register(chain);
		let set_head = |origin| Registrar::set_current_head(origin, ID, head("2"));
		assert_ok!(set_head(manager()));
		assert_ok!(set_head(para(ID)));
		assert_ok!(set_head(RuntimeOrigin::root()));
		assert_noop!(set_head(para(CHAIN)), Error::<Test>::NotOwner);
		assert_noop!(set_head(RuntimeOrigin::signed(STRANGER)), DispatchError::BadOrigin);
		assert_noop!(set_head(RuntimeOrigin::none()), DispatchError::BadOrigin);
		// A para without a manager.
		assert_noop!(Registrar::set_current_head(manager(), CHAIN, head("2")), Error::<Test>::NotRegistered);
		assert_ok!(Registrar::set_current_head(para(CHAIN), CHAIN, head("2")));
	});
}

#[test]
fn deregistered_parathread_gets_its_deposit_back_and_goes_two_sessions_later() {
	with_paras(1, |chain| {
		register(chain);
		assert_noop!(Registrar::deregister(para(CHAIN), CHAIN), Error::<Test>::NotParathread);
		assert_ok!(Registrar::swap(manager(), ID, CHAIN));
		assert_ok!(Registrar::deregister(manager(), ID));
		assert!(happened(Event::Deregistered { para_id: ID }));
		assert_eq!((reserved(), Balances::free_balance(MANAGER)), (0, FUNDS));
		assert!(!Paras::<Test>::contains_key(ID) && !PendingSwap::<Test>::contains_key(ID));
		chain.session_block();
		assert!(ParaLifecycles::<Test>::contains_key(ID));
		chain.session_block();
		assert!(!ParaLifecycles::<Test>::contains_key(ID));
	});
}

#[test]
fn reserved_id_can_be_given_up() {
	with_paras(1, |_| {
		assert_ok!(Registrar::reserve(manager()));
		assert_ok!(Registrar::deregister(manager(), ID));
		assert_eq!(reserved(), 0);
		assert_noop!(Registrar::deregister(manager(), ID), Error::<Test>::NotRegistered);
	});
}

#[test]
fn para_that_cannot_offboard_keeps_its_deposit() {
	with_paras(1, |chain| {
		register(chain);
		let message = BoundedSlice::try_from(&[1u8][..]).expect("it is short");
		Queue::enqueue_message(message, crate::inclusion::upward_queue(ID));
		assert_eq!(queued(ID).len(), 1);
		assert_noop!(Registrar::deregister(manager(), ID), Error::<Test>::CannotDeregister);
		assert_eq!(reserved(), FULL_DEPOSIT);
	});
}

#[test]
fn parachain_and_parathread_swap_kinds_when_both_have_asked() {
	for first in [CHAIN, ID] {
		with_paras(1, |chain| {
			register(chain);
			let second = if first == ID { CHAIN } else { ID };
			let swap = |one, other| Registrar::swap(RuntimeOrigin::root(), one, other);
			assert_ok!(swap(first, second));
			assert_eq!(PendingSwap::<Test>::get(first), Some(second));
			assert_eq!(ParaLifecycles::<Test>::get(CHAIN), Some(ParaLifecycle::Parachain));
			assert_ok!(swap(second, first));
			assert!(happened(Event::Swapped { para_id: second, other_id: first }));
			assert_eq!(Swaps::get(), [(second, first)]);
			assert_eq!(PendingSwap::<Test>::iter().count(), 0);
			// In transition they cannot swap again.
			assert_ok!(swap(first, second));
			assert_noop!(swap(second, first), Error::<Test>::CannotSwap);
			chain.session_block();
			chain.session_block();
			assert_eq!(ParaLifecycles::<Test>::get(CHAIN), Some(ParaLifecycle::Parathread));
			assert_eq!(ParaLifecycles::<Test>::get(ID), Some(ParaLifecycle::Parachain));
		});
	}
}

#[test]
fn two_parachains_swap_what_others_keep_for_them() {
	with_paras(2, |_| {
		for (one, other) in [(CHAIN, ID), (ID, CHAIN)] {
			assert_ok!(Registrar::swap(para(one), one, other));
		}
		assert_eq!(Swaps::get(), [(ID, CHAIN)]);
		assert_eq!(ParaLifecycles::<Test>::get(CHAIN), Some(ParaLifecycle::Parachain));
	});
}

#[test]
fn wish_to_swap_is_taken_back_with_the_same_id() {
	with_paras(2, |_| {
		assert_ok!(Registrar::swap(para(CHAIN), CHAIN, ID));
		assert_ok!(Registrar::swap(para(CHAIN), CHAIN, CHAIN));
		assert_eq!(PendingSwap::<Test>::iter().count(), 0);
		assert_ok!(Registrar::swap(para(ID), ID, CHAIN));
		assert!(Swaps::get().is_empty());
		assert_noop!(Registrar::swap(RuntimeOrigin::root(), ParaId(9), CHAIN), Error::<Test>::NotRegistered);
	});
}

#[test]
fn manager_upgrades_code_without_the_para() {
	let new_code = || ValidationCode(alloc::vec![2; 64]);
	with_paras(1, |chain| {
		register(chain);
		let now = chain.number();
		assert_ok!(paras::Pallet::<Test>::add_trusted_validation_code(RuntimeOrigin::root(), new_code()));
		assert_ok!(Registrar::schedule_code_upgrade(manager(), ID, new_code()));
		assert_eq!(paras::FutureCodeUpgradesAt::<Test>::get(), [(ID, now + 5)]);
		assert_noop!(
			Registrar::schedule_code_upgrade(manager(), ID, new_code()),
			paras::Error::<Test>::CannotUpgradeCode
		);
	});
}

#[test]
fn id_that_is_only_reserved_gets_neither_head_nor_code() {
	with_paras(1, |_| {
		assert_ok!(Registrar::reserve(manager()));
		assert_noop!(Registrar::set_current_head(manager(), ID, head("2")), Error::<Test>::NotRegistered);
		assert_noop!(
			Registrar::schedule_code_upgrade(manager(), ID, code()),
			paras::Error::<Test>::NotRegistered
		);
		let long = HeadData(alloc::vec![0; 65]);
		assert_noop!(Registrar::set_current_head(para(CHAIN), CHAIN, long), Error::<Test>::HeadDataTooLarge);
	});
}

#[test]
fn genesis_sets_the_first_id_by_its_well_known_name() {
	let json = serde_json::json!({ "nextFreeParaId": 2100 });
	let genesis: GenesisConfig<Test> = serde_json::from_value(json).expect("parses");
	assert_eq!(genesis.next_free_para_id, ParaId(2100));
	assert_eq!(GenesisConfig::<Test>::default().next_free_para_id, ParaId(2000));
}

#[test]
fn calls_events_and_errors_have_their_indices() {
	let (id, para, head, code) = (ID, ID, head("new"), code());
	type C = Call<Test>;
	let calls = [
		C::register { id, genesis_head: head.clone(), validation_code: code.clone() },
		C::force_register {
			who: MANAGER,
			deposit: 1,
			id,
			genesis_head: head.clone(),
			validation_code: code.clone(),
		},
		C::deregister { id },
		C::swap { id, other: CHAIN },
		C::remove_lock { para },
		C::reserve {},
		C::add_lock { para },
		C::schedule_code_upgrade { para, new_code: code },
		C::set_current_head { para, new_head: head },
	];
	for (index, call) in calls.into_iter().enumerate() {
		assert_eq!(usize::from(call.encode()[0]), index);
	}
	assert_eq!(Event::<Test>::Registered { para_id: ID, manager: MANAGER }.encode()[0], 0);
	assert_eq!(Event::<Test>::Swapped { para_id: ID, other_id: CHAIN }.encode()[0], 3);
	assert_eq!(Error::<Test>::CannotSwap.encode(), [13]);
}
