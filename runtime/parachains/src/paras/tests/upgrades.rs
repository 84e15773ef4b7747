//! Upgrades of code, their cooldown, and code that was replaced.

use super::*;
use crate::mock::{Balances, COOLDOWN_PRICE};
use configuration::HostConfiguration;
use frame_support::traits::Currency;
use sp_runtime::TokenError;

#[test]
fn upgrade_is_ready_after_both_delays() {
	// Delay from inclusion in block 1; least delay from acceptance; block of acceptance; block that is expected.
	for (from_inclusion, from_acceptance, accepted_at, expected) in
		[(3, 5, 1, 6), (9, 5, 1, 10), (3, 5, 4, 9), (9, 5, 4, 10)]
	{
		let config = HostConfiguration {
			validation_upgrade_delay: from_inclusion,
			minimum_validation_upgrade_delay: from_acceptance,
			..config()
		};
		with_chain(config, 4, 1, |chain| {
			include_upgrade();
			assert_eq!(UpgradeRestrictionSignal::<Test>::get(A), Some(UpgradeRestriction::Present));
			assert_eq!(UpgradeCooldowns::<Test>::get(), [(A, 11)]);
			advance_to(chain, accepted_at);
			trust(new_code());
			assert_eq!(FutureCodeUpgrades::<Test>::get(A), Some(expected));
			assert_eq!(UpcomingUpgrades::<Test>::get(), [(A, expected)]);
			let scheduled = ConsensusLog::ParaScheduleUpgradeCode(A, new_code().hash(), expected);
			assert_eq!(logs(), [scheduled]);
		});
	}
}

#[test]
fn upgrade_goes_ahead_and_the_next_head_switches() {
	with_chain(config(), 4, 1, |chain| {
		include_trusted_upgrade();
		assert!(!Paras::can_upgrade_validation_code(A));
		advance_to(chain, 5);
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), None);
		advance_to(chain, 6);
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), Some(UpgradeGoAhead::GoAhead));

		// A head from before the block keeps the code.
		Paras::note_new_head(A, head("a1"), 5);
		assert_eq!(CurrentCodeHash::<Test>::get(A), Some(code().hash()));
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), Some(UpgradeGoAhead::GoAhead));
		Paras::note_new_head(A, head("a2"), 6);
		assert_eq!(CurrentCodeHash::<Test>::get(A), Some(new_code().hash()));
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), None);
		assert_eq!(PastCodeHash::<Test>::get((A, 6)), Some(code().hash()));
		assert_eq!(logs(), [ConsensusLog::ParaUpgradeCode(A, new_code().hash())]);
	});
}

#[test]
fn late_candidate_switches_as_of_the_expected_block() {
	with_chain(config(), 4, 1, |chain| {
		include_trusted_upgrade();
		advance_to(chain, 31);
		Paras::note_new_head(A, head("a1"), 30);
		assert_eq!(CurrentCodeHash::<Test>::get(A), Some(new_code().hash()));
		assert_eq!(PastCodeHash::<Test>::get((A, 6)), Some(code().hash()));
		let times = ReplacementTimes { expected_at: 6, activated_at: 31 };
		assert_eq!(PastCodeMeta::<Test>::get(A).upgrade_times, [times]);
	});
}

#[test]
fn forced_upgrade_applies_without_the_para() {
	with_chain(config(), 4, 1, |chain| {
		trust(new_code());
		assert_ok!(Paras::force_schedule_code_upgrade(RuntimeOrigin::root(), A, new_code(), 1));
		assert_eq!(FutureCodeUpgradesAt::<Test>::get(), [(A, 6)]);
		advance_to(chain, 5);
		assert_eq!(CurrentCodeHash::<Test>::get(A), Some(code().hash()));
		advance_to(chain, 6);
		assert_eq!(CurrentCodeHash::<Test>::get(A), Some(new_code().hash()));
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), None);
		assert!(FutureCodeUpgradesAt::<Test>::get().is_empty());
	});
}

#[test]
fn rejected_upgrade_is_aborted_until_the_next_head_and_restricted_until_the_cooldown() {
	with_chain(config(), 4, 1, |chain| {
		include_upgrade();
		let hash = new_code().hash();
		assert_ok!(vote(false, hash, 0));
		assert_ok!(vote(false, hash, 1));
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), Some(UpgradeGoAhead::Abort));
		assert!(!FutureCodeHash::<Test>::contains_key(A));
		Paras::note_new_head(A, head("a1"), 1);
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), None);
		// The cooldown of 10 blocks is over at the end of block 11.
		advance_to(chain, 11);
		assert!(!Paras::can_upgrade_validation_code(A));
		advance_to(chain, 12);
		assert!(Paras::can_upgrade_validation_code(A));
	});
}

#[test]
fn end_of_the_cooldown_does_not_allow_a_second_upgrade_at_once() {
	with_chain(config(), 4, 1, |chain| {
		include_upgrade();
		advance_to(chain, 12);
		assert_eq!(UpgradeRestrictionSignal::<Test>::get(A), None);
		assert!(!Paras::can_upgrade_validation_code(A), "the vote still runs");
	});
}

#[test]
fn upgrade_to_the_current_code_or_of_no_para_is_ignored() {
	with_chain(config(), 4, 1, |_| {
		let config = configuration::ActiveConfig::<Test>::get();
		let schedule = |id, code| {
			Paras::schedule_code_upgrade(id, code, 1, &config, UpgradeStrategy::SetGoAheadSignal);
			assert!(!FutureCodeHash::<Test>::contains_key(id));
		};
		schedule(A, code());
		assert_eq!(refs(&code()), 1);
		schedule(NEW, new_code());
		assert_eq!(refs(&new_code()), 0);
		assert!(PvfActiveVoteList::<Test>::get().is_empty());
	});
}

#[test]
fn cooldown_of_a_second_upgrade_replaces_the_first() {
	with_chain(config(), 4, 1, |chain| {
		include_upgrade();
		let hash = new_code().hash();
		assert_ok!(vote(false, hash, 0));
		assert_ok!(vote(false, hash, 1));
		advance_to(chain, 5);
		// Root does not wait.
		assert_ok!(Paras::force_schedule_code_upgrade(RuntimeOrigin::root(), A, new_code(), 5));
		assert_eq!(UpgradeCooldowns::<Test>::get(), [(A, 15)]);
		advance_to(chain, 15);
		assert!(UpgradeRestrictionSignal::<Test>::contains_key(A));
		advance_to(chain, 16);
		assert!(!UpgradeRestrictionSignal::<Test>::contains_key(A));
	});
}

#[test]
fn upgrade_from_outside_is_checked() {
	let schedule =
		|id, code| Paras::schedule_code_upgrade_external(id, code, UpgradeStrategy::ApplyAtExpectedBlock);
	with_chain(HostConfiguration { max_code_size: 64, ..config() }, 4, 1, |_| {
		for size in [8, 65] {
			let code = ValidationCode(alloc::vec![3; size]);
			assert_noop!(schedule(A, code), Error::<Test>::InvalidCode);
		}
		// It would have code before it has a head, and two owners of its code.
		assert_noop!(schedule(NEW, new_code()), Error::<Test>::NotRegistered);
		register(NEW, code());
		assert_noop!(schedule(NEW, new_code()), Error::<Test>::NotRegistered);
		assert_ok!(schedule(A, new_code()));
		assert!(happened(Event::CodeUpgradeScheduled(A)));
		assert_noop!(schedule(A, new_code()), Error::<Test>::CannotUpgradeCode);
	});
}

#[test]
fn upgrade_from_outside_waits_for_the_delay_once() {
	with_chain(HostConfiguration { validation_upgrade_delay: 9, ..config() }, 4, 1, |_| {
		trust(new_code());
		assert_ok!(Paras::schedule_code_upgrade_external(
			A,
			new_code(),
			UpgradeStrategy::ApplyAtExpectedBlock
		));
		assert_eq!(FutureCodeUpgradesAt::<Test>::get(), [(A, 10)]);
		assert_eq!(UpgradeCooldowns::<Test>::get(), [(A, 11)]);
	});
}

#[test]
fn replaced_code_is_kept_for_the_retention_period() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(Paras::force_set_current_code(RuntimeOrigin::root(), A, new_code()));
		// Replaced in block 1, kept for 10 blocks.
		advance_to(chain, 11);
		assert!(CodeByHash::<Test>::contains_key(code().hash()));
		advance_to(chain, 12);
		assert!(!CodeByHash::<Test>::contains_key(code().hash()));
		assert!(!PastCodeHash::<Test>::contains_key((A, 1)));
		assert_eq!(PastCodeMeta::<Test>::get(A).last_pruned, Some(1));
	});
}

#[test]
fn every_code_that_one_block_replaces_is_kept_and_released() {
	let third = || ValidationCode(alloc::vec![3; 64]);
	with_chain(config(), 4, 1, |chain| {
		for code in [new_code(), third()] {
			assert_ok!(Paras::force_set_current_code(RuntimeOrigin::root(), A, code));
		}
		advance_to(chain, 11);
		for code in [code(), new_code(), third()] {
			assert_eq!(refs(&code), 1);
		}
		advance_to(chain, 12);
		assert_eq!((refs(&code()), refs(&new_code()), refs(&third())), (0, 0, 1));
		assert_eq!(PastCodeHash::<Test>::iter().count(), 0);
	});
}

#[test]
fn end_of_a_cooldown_is_paid_by_the_blocks_that_are_left() {
	const PAYER: u64 = 1;
	const POOR: u64 = 2;
	with_chain(config(), 4, 1, |chain| {
		Balances::make_free_balance_be(&PAYER, 100);
		// One short: an account keeps its existential deposit.
		Balances::make_free_balance_be(&POOR, 5 * COOLDOWN_PRICE);
		let remove = |who| Paras::remove_upgrade_cooldown(RuntimeOrigin::signed(who), A);
		assert_ok!(remove(PAYER));
		assert_eq!(Balances::free_balance(PAYER), 100, "there is no cooldown");

		include_trusted_upgrade();
		assert_eq!(Paras::remove_upgrade_cooldown_cost(A), 10 * COOLDOWN_PRICE);
		advance_to(chain, 6);
		assert_eq!(Paras::remove_upgrade_cooldown_cost(A), 5 * COOLDOWN_PRICE);
		assert_noop!(remove(POOR), TokenError::FundsUnavailable);
		let issuance = Balances::total_issuance();
		assert_ok!(remove(PAYER));
		assert_eq!(Balances::free_balance(PAYER), 100 - 5 * COOLDOWN_PRICE);
		assert_eq!(Balances::total_issuance(), issuance - 5 * COOLDOWN_PRICE);
		assert_eq!(UpgradeRestrictionSignal::<Test>::get(A), None);
		assert!(UpgradeCooldowns::<Test>::get().is_empty());
		assert!(happened(Event::UpgradeCooldownRemoved { para_id: A }));
		assert_eq!(Paras::remove_upgrade_cooldown_cost(A), 0);
	});
}

#[test]
fn price_of_a_cooldown_is_a_view_function() {
	use frame_support::view_functions::ViewFunctionId;
	use sp_io::hashing::twox_128;
	with_chain(config(), 4, 1, |_| {
		include_trusted_upgrade();
		let id = ViewFunctionId {
			prefix: twox_128(b"Paras"),
			suffix: twox_128(b"remove_upgrade_cooldown_cost(ParaId) -> BalanceOf<T>"),
		};
		let price = Test::execute_view_function(id, A.encode()).expect("there is such a function");
		assert_eq!(price, (10 * COOLDOWN_PRICE).encode());
	});
}

#[test]
fn root_overwrites_head_and_context() {
	with_chain(config(), 4, 1, |_| {
		assert_ok!(Paras::force_set_current_head(RuntimeOrigin::root(), A, head("b")));
		assert!(happened(Event::CurrentHeadUpdated(A)));
		assert_ok!(Paras::force_set_most_recent_context(RuntimeOrigin::root(), A, 9));
		assert_eq!((Heads::<Test>::get(A), MostRecentContext::<Test>::get(A)), (Some(head("b")), Some(9)));
		assert_ok!(Paras::force_note_new_head(RuntimeOrigin::root(), A, head("c")));
		assert!(happened(Event::NewHeadNoted(A)));
		assert_eq!((Heads::<Test>::get(A), MostRecentContext::<Test>::get(A)), (Some(head("c")), Some(1)));
	});
}
