//! Who may call, what happens then, and what the chain that sells coretime is told.

use super::*;
use crate::mock::{
	candidate_events, config, head, with_chain, Balances, Chain, ParaScheduler, RuntimeCall, RuntimeEvent,
	RuntimeOrigin, System, Test,
};
use alloc::{format, string::String};
use frame_support::{
	assert_ok, parameter_types,
	traits::{Currency, ExistenceRequirement, WithdrawReasons},
};
use sp_runtime::{traits::Dispatchable, DispatchError};

const BROKER: u32 = 1005;

parameter_types! {
	pub storage Notices: Vec<String> = Vec::new();
	pub storage Unreachable: bool = false;
}

/// Writes down what is sent, and takes the funds.
pub struct Recorder;

impl Recorder {
	fn note(notice: String) {
		let mut notices = Notices::get();
		notices.push(notice);
		Notices::set(&notices);
	}
}

impl CoretimeChain<u64> for Recorder {
	fn notify_core_count(count: u16) {
		Self::note(format!("{count} cores"));
	}

	fn notify_revenue(notice: RevenueNotice<u64>) -> Result<(), NotSent> {
		let RevenueNotice { until, amount, funds, pot } = notice;
		if Unreachable::get() {
			return Err(NotSent);
		}
		let liveness = ExistenceRequirement::AllowDeath;
		let moved = Balances::withdraw(&pot, funds, WithdrawReasons::TRANSFER, liveness);
		drop(moved.map_err(|_| NotSent)?);
		Self::note(format!("{amount} until {until}, {funds} in tokens"));
		Ok(())
	}
}

fn para(id: u32) -> RuntimeOrigin {
	Origin::Parachain(ParaId(id)).into()
}

fn call(call: Call<Test>, origin: RuntimeOrigin) -> Result<(), DispatchError> {
	RuntimeCall::Coretime(call).dispatch(origin).map(|_| ()).map_err(|error| error.error)
}

fn all_calls() -> [Call<Test>; 5] {
	let assignment = Vec::from([(CoreAssignment::Task(9), PartsOf57600::FULL)]);
	[
		Call::request_core_count { count: 5 },
		Call::request_revenue_at { when: 0 },
		Call::credit_account { who: 1, amount: 7 },
		Call::assign_core { core: 3, begin: 30, assignment, end_hint: Some(40) },
		Call::queue_on_demand_batch { batch: Vec::from([(ParaId(9), 1), (ParaId(9), 1)]) },
	]
}

fn events() -> Vec<RuntimeEvent> {
	System::events().into_iter().map(|record| record.event).collect()
}

#[test]
fn only_root_and_the_broker_may_call() {
	for origin in [RuntimeOrigin::root(), para(BROKER)] {
		with_chain(config(), 4, 1, |_| {
			for c in all_calls() {
				assert_ok!(call(c, origin.clone()));
			}
			let schedule = scheduler::CoreSchedules::<Test>::get((30, CoreIndex(3))).expect("it is stored");
			assert_eq!(schedule.end_hint, Some(40));
			assert_eq!(on_demand::Credits::<Test>::get(1), 7);
			let batch = Vec::from([(ParaId(9), 1), (ParaId(9), 1)]);
			assert_eq!(
				events(),
				[
					Event::RevenueInfoRequested { when: 0 }.into(),
					on_demand::Event::AccountCredited { who: 1, amount: 7 }.into(),
					Event::CoreAssigned { core: CoreIndex(3) }.into(),
					on_demand::Event::BatchQueued { batch }.into(),
				] as [RuntimeEvent; 4]
			);
		});
	}
	with_chain(config(), 4, 1, |_| {
		for c in all_calls() {
			assert_eq!(call(c.clone(), para(2000)), Err(Error::<Test>::NotBroker.into()));
			assert_eq!(call(c.clone(), RuntimeOrigin::signed(1)), Err(DispatchError::BadOrigin));
			assert_eq!(call(c, RuntimeOrigin::none()), Err(DispatchError::BadOrigin));
		}
		assert_eq!(events(), []);
	});
}

#[test]
fn batch_is_queued_unpaid_as_it_was_ordered() {
	use scheduler::OnDemandQueue;
	with_chain(config(), 4, 1, |_| {
		let batch = Vec::from([(ParaId(9), 5), (ParaId(9), 1), (ParaId(9), 1), (ParaId(7), 1)]);
		assert_ok!(call(Call::queue_on_demand_batch { batch }, para(BROKER)));
		assert_eq!(on_demand::Revenue::<Test>::get().to_vec(), [0]);
		let served = on_demand::Pallet::<Test>::peek(3, &[2, 2, 2, 2, 2]);
		let served: Vec<Vec<u32>> =
			served.into_iter().map(|paras| paras.into_iter().map(|para| para.0).collect()).collect();
		assert_eq!(served, [&[9, 7][..], &[9], &[], &[], &[9]]);
	});
}

#[test]
fn core_count_changes_two_sessions_later_and_is_told_once() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(call(Call::request_core_count { count: 5 }, para(BROKER)));
		let mut counts = Vec::new();
		for _ in 0..3 {
			chain.session_block();
			counts.push((ParaScheduler::n_cores(), Notices::get().len()));
		}
		assert_eq!(counts, [(1, 0), (5, 1), (5, 1)]);
		assert_eq!(Notices::get(), ["5 cores"]);
	});
}

/// Runs a test with an account that can pay for orders, at a price of 100.
fn with_customer(test: impl FnOnce(&mut Chain)) {
	let mut config = config();
	config.scheduler_params.on_demand_base_fee = 100;
	with_chain(config, 4, 1, |chain| {
		drop(Balances::deposit_creating(&1, 10_000));
		test(chain);
	});
}

fn order(with_credits: bool) {
	let (origin, max_amount, para_id) = (RuntimeOrigin::signed(1), 100, ParaId(2000));
	assert_ok!(if with_credits {
		on_demand::Pallet::<Test>::place_order_with_credits(origin, max_amount, para_id)
	} else {
		on_demand::Pallet::<Test>::place_order_allow_death(origin, max_amount, para_id)
	});
}

#[test]
fn revenue_of_blocks_to_come_is_not_told() {
	with_customer(|chain| {
		let when = chain.number() + 1;
		assert_eq!(
			call(Call::request_revenue_at { when }, para(BROKER)),
			Err(Error::<Test>::RequestedFutureRevenue.into())
		);
		assert!(Notices::get().is_empty());
	});
}

#[test]
fn only_what_was_paid_in_tokens_goes_with_the_revenue() {
	with_customer(|chain| {
		assert_ok!(call(Call::credit_account { who: 1, amount: 200 }, para(BROKER)));
		[true, false, true].into_iter().for_each(order);
		chain.empty_block();
		order(false);
		let ask = |when| {
			assert_ok!(call(Call::request_revenue_at { when }, para(BROKER)));
		};
		ask(chain.number());
		chain.empty_block();
		ask(chain.number());
		// There was none, and that is told, too.
		ask(chain.number());
		assert_eq!(
			Notices::get(),
			// The credits of the first block are covered by the tokens of the second; in all it is what was paid.
			["300 until 2, 200 in tokens", "100 until 3, 0 in tokens", "0 until 3, 0 in tokens"]
		);
	});
}

#[test]
fn revenue_that_could_not_be_sent_can_be_asked_for_again() {
	with_customer(|chain| {
		order(false);
		chain.empty_block();
		let ask = || call(Call::request_revenue_at { when: chain.number() }, para(BROKER));
		Unreachable::set(&true);
		assert_eq!(ask(), Err(Error::<Test>::AssetTransferFailed.into()));
		Unreachable::set(&false);
		assert_ok!(ask());
		assert_eq!(Notices::get(), ["100 until 2, 100 in tokens"]);
	});
}

#[test]
fn occupied_core_may_disappear_with_a_session() {
	with_chain(config(), 6, 2, |chain| {
		assert_ok!(call(Call::request_core_count { count: 1 }, RuntimeOrigin::root()));
		chain.session_block();
		let candidate = chain.candidate(2001, "genesis", "b1").back();
		assert_eq!(chain.block(Vec::new(), Vec::from([candidate])).dropped, []);
		assert_eq!(candidate_events(), [("backed", head("b1"))]);
		assert!(ParaScheduler::claim_queue().contains_key(&CoreIndex(1)));
		chain.session_block();
		for _ in 0..3 {
			let cores: Vec<_> = ParaScheduler::claim_queue().into_keys().collect();
			assert_eq!(cores, [CoreIndex(0)]);
			let bitfields = chain.bitfields(&[0]);
			chain.block(bitfields, Vec::new());
			assert_eq!(candidate_events(), []);
		}
	});
}
