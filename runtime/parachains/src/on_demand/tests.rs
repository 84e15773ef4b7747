//! Orders, their price, their revenue, and the queue.

use super::*;
use crate::mock::{config, with_chain, Balances, Chain, RuntimeEvent, RuntimeOrigin, System, Test};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::Perbill;

type OnDemand = Pallet<Test>;

const A: ParaId = ParaId(2000);
const B: ParaId = ParaId(2001);
const PRICE: Balance = 100;
const CUSTOMER: u64 = 1;
const BEGGAR: u64 = 2;

/// Runs a test with paras A and B, and a customer.
fn with_market<R>(change: impl FnOnce(&mut SchedulerParams), test: impl FnOnce(&mut Chain) -> R) -> R {
	let mut config = config();
	config.scheduler_params.on_demand_base_fee = PRICE;
	change(&mut config.scheduler_params);
	with_chain(config, 4, 2, |chain| {
		drop(Balances::deposit_creating(&CUSTOMER, 10_000));
		test(chain)
	})
}

fn order(para: ParaId) -> DispatchResult {
	OnDemand::place_order_keep_alive(RuntimeOrigin::signed(CUSTOMER), Balance::MAX, para)
}

fn order_with_credits(para: ParaId) -> DispatchResult {
	OnDemand::place_order_with_credits(RuntimeOrigin::signed(CUSTOMER), Balance::MAX, para)
}

/// Queues orders that are ready.
fn queue(paras: &[ParaId]) {
	OnDemand::queue_order_batch(paras.iter().map(|para| (*para, 0)).collect());
}

fn pot() -> Balance {
	Balances::free_balance(OnDemand::account_id())
}

/// What the pallet says in this block.
fn events() -> Vec<Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::OnDemandAssignmentProvider(event) => Some(event),
			_ => None,
		})
		.collect()
}

#[test]
fn order_costs_the_spot_price_and_is_served_from_the_second_block_on() {
	with_market(
		|_| {},
		|chain| {
			assert_ok!(order(A));
			let placed = chain.number();
			assert_eq!(OnDemand::peek(placed + 1, &[1, 1]), [Vec::new(), Vec::from([A])]);
			assert_eq!(OnDemand::pop(placed + 1, 1), []);
			assert_eq!(OnDemand::pop(placed + 2, 1), [A]);
			assert_eq!((Balances::free_balance(CUSTOMER), pot()), (9_900, 100));
			let placed = Event::OnDemandOrderPlaced { para_id: A, spot_price: PRICE, ordered_by: CUSTOMER };
			assert_eq!(events(), [placed]);
		},
	);
}

#[test]
fn block_serves_one_order_per_para_in_the_order_of_the_queue() {
	with_market(
		|_| {},
		|_| {
			queue(&[B, B, A]);
			assert_eq!(OnDemand::peek(9, &[1, 0, 2]), [Vec::from([B]), Vec::new(), Vec::from([B, A])]);
			assert_eq!(OnDemand::pop(9, 2), [B, A]);
			assert_eq!(OnDemand::pop(9, 2), [B]);
			assert_eq!(OnDemand::pop(9, 2), []);
		},
	);
}

#[test]
fn orders_that_cannot_be_taken_are_refused() {
	with_market(
		|params| params.on_demand_queue_max_size = 2,
		|_| {
			assert_noop!(order(ParaId(9)), Error::<Test>::ParaNotRegistered);
			let place = |who, max_amount| {
				OnDemand::place_order_allow_death(RuntimeOrigin::signed(who), max_amount, A)
			};
			assert_noop!(place(CUSTOMER, PRICE - 1), Error::<Test>::SpotPriceHigherThanMaxAmount);
			assert_noop!(place(BEGGAR, PRICE), pallet_balances::Error::<Test>::InsufficientBalance);
			assert_ok!(place(CUSTOMER, PRICE));
			assert_ok!(order(A));
			assert_eq!(order(A), Err(Error::<Test>::QueueFull.into()));
			assert_eq!(OnDemand::queue_len(), 2);
		},
	);
}

#[test]
fn account_dies_only_if_it_says_so() {
	with_market(
		|_| {},
		|_| {
			drop(Balances::deposit_creating(&BEGGAR, PRICE));
			let who = || RuntimeOrigin::signed(BEGGAR);
			assert_noop!(
				OnDemand::place_order_keep_alive(who(), PRICE, A),
				pallet_balances::Error::<Test>::Expendability
			);
			assert_ok!(OnDemand::place_order_allow_death(who(), PRICE, A));
			assert!(!System::account_exists(&BEGGAR));
		},
	);
}

#[test]
fn credits_pay_for_orders() {
	with_market(
		|_| {},
		|_| {
			assert_noop!(order_with_credits(A), Error::<Test>::InsufficientCredits);
			OnDemand::credit_account(CUSTOMER, 150);
			assert_eq!(events(), [Event::AccountCredited { who: CUSTOMER, amount: 150 }]);
			assert_ok!(order_with_credits(A));
			assert_eq!(Credits::<Test>::get(CUSTOMER), 50);
			assert_noop!(order_with_credits(A), Error::<Test>::InsufficientCredits);
			OnDemand::credit_account(CUSTOMER, 50);
			assert_ok!(order_with_credits(A));
			assert!(!Credits::<Test>::contains_key(CUSTOMER));
			assert_eq!((Balances::free_balance(CUSTOMER), pot()), (10_000, 0));
			assert_eq!(Revenue::<Test>::get().to_vec(), [200]);
		},
	);
}

fn adjusted(traffic: u32, queued: u32, params: &SchedulerParams) -> Option<FixedU128> {
	price::adjust_traffic(FixedU128::from_u32(traffic), FixedU128::from_u32(1), queued, params)
}

#[test]
fn traffic_follows_the_utilization_of_the_queue() {
	let mut params = SchedulerParams {
		on_demand_queue_max_size: 100,
		on_demand_target_queue_utilization: Perbill::from_percent(25),
		on_demand_fee_variability: Perbill::from_percent(10),
		..Default::default()
	};
	let parts = |parts: u128| Some(FixedU128::from_inner(parts * 100_000_000_000));
	// 1 + 0.075 + 0.075² / 2, and twice 1 - 0.025 + 0.025² / 2.
	assert_eq!(adjusted(1, 100, &params), parts(10_778_125));
	assert_eq!(adjusted(2, 25, &params), parts(20_000_000));
	assert_eq!(adjusted(2, 0, &params), parts(19_506_250));
	assert_eq!(adjusted(1, 0, &params), parts(10_000_000), "never below the floor");
	let max = FixedU128::from_inner(u128::MAX);
	assert_eq!(price::adjust_traffic(max, max, 100, &params), Some(max));
	assert_eq!(adjusted(1, 101, &params), None);
	params.on_demand_queue_max_size = 0;
	assert_eq!(adjusted(1, 0, &params), None);
}

#[test]
fn price_falls_while_nobody_orders() {
	let change = |params: &mut SchedulerParams| {
		params.on_demand_target_queue_utilization = Perbill::from_percent(50);
		params.on_demand_fee_variability = Perbill::one();
	};
	with_market(change, |chain| {
		Traffic::<Test>::put(FixedU128::from_u32(2));
		let mut block = || {
			chain.empty_block();
			events()
		};
		// 1 - 0.5 + 0.5² / 2 is 5/8.
		assert_eq!(block(), [Event::SpotPriceSet { spot_price: 125 }]);
		assert_eq!(block(), [Event::SpotPriceSet { spot_price: 100 }]);
		assert_eq!(block(), []);
	});
}

#[test]
fn revenue_is_claimed_by_block_and_without_the_current_one() {
	with_market(
		|_| {},
		|chain| {
			assert_ok!(order(A));
			assert_eq!(OnDemand::claim_revenue_until(chain.number()), 0);
			chain.empty_block();
			assert_eq!(OnDemand::claim_revenue_until(chain.number()), 100);
			assert_eq!(OnDemand::claim_revenue_until(chain.number()), 0);
		},
	);
}

#[test]
fn forgotten_blocks_count_for_the_oldest_one() {
	with_market(
		|_| {},
		|chain| {
			while chain.number() < 6 {
				assert_ok!(order(A));
				chain.empty_block();
			}
			// Of four blocks the oldest, 3, has what was paid in 1 to 3.
			assert_eq!(Revenue::<Test>::get().to_vec(), [0, 100, 100, 300]);
			assert_eq!(OnDemand::claim_revenue_until(3), 0);
			assert_eq!(OnDemand::claim_revenue_until(5), 400);
			assert_eq!(Revenue::<Test>::get().to_vec(), [0, 100]);
		},
	);
}

#[test]
fn emptied_pot_stays_alive() {
	with_market(
		|_| {},
		|_| {
			let empty = || {
				let death = ExistenceRequirement::AllowDeath;
				let withdrawn =
					Balances::withdraw(&OnDemand::account_id(), pot(), WithdrawReasons::TRANSFER, death);
				drop(withdrawn.expect("it is there"));
				System::providers(&OnDemand::account_id())
			};
			assert_ok!(order(A));
			assert_eq!(empty(), 1);
			assert_ok!(order(A));
			assert_eq!(pot(), 100);
			assert_eq!(empty(), 1);
		},
	);
}

#[test]
fn funds_of_a_claim_are_what_was_paid_in_tokens() {
	with_market(
		|_| {},
		|_| {
			assert_ok!(order(A));
			assert_eq!(OnDemand::funds_of_claim(0), 0);
			assert_eq!(OnDemand::funds_of_claim(60), 60);
			assert_eq!(OnDemand::funds_of_claim(250), 100);
		},
	);
}

#[test]
fn batch_that_does_not_fit_is_cut() {
	with_market(
		|_| {},
		|_| {
			queue(&[]);
			assert_eq!(events(), []);
			queue(&[A; 9_999]);
			System::reset_events();
			queue(&[A, B, A]);
			assert_eq!(events(), [Event::UnexpectedQueueFull { dropped: 2 }]);
			assert_eq!(OnDemand::queue_len(), 10_000);
			// Nor is there place for what comes back.
			OnDemand::put_back(A, 1);
			assert_eq!(OnDemand::queue_len(), 10_000);
		},
	);
}

#[test]
fn predictions_read_only_the_head_of_the_queue() {
	with_market(
		|_| {},
		|_| {
			let paras: Vec<_> = (0..1000).map(ParaId).collect();
			queue(&paras);
			let QueueStatus { first_page, end_page, .. } = OrderQueue::<Test>::get();
			assert_eq!(end_page - first_page, 8);
			(first_page + 1..end_page).for_each(OrderPages::<Test>::remove);
			assert_eq!(OnDemand::peek(9, &[2, 3]).concat(), paras[..5]);
		},
	);
}

/// The numbers of a linear congruential generator, below a limit each.
fn random() -> impl FnMut(u32) -> u32 {
	let mut state = 1u64;
	move |below| {
		state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
		((state >> 33) % u64::from(below)) as u32
	}
}

#[test]
fn pages_are_one_list() {
	with_market(
		|_| {},
		|_| {
			let mut random = random();
			let mut list = Vec::<(ParaId, BlockNumber)>::new();
			let mut longest = 0;
			// Some paras order much more than others; in the end nobody orders.
			for now in 0..700 {
				let n_orders = if now < 300 { random(10) } else { 0 };
				for _ in 0..n_orders {
					let para = if random(3) == 0 { random(40) } else { random(2) };
					list.push((ParaId(para), now + random(4)));
					OnDemand::queue_order_batch([list[list.len() - 1]].to_vec());
				}
				let cores = random(6) as usize;
				let mut expected = Vec::new();
				list.retain(|(para, at)| {
					let take = expected.len() < cores && at + 2 <= now && !expected.contains(para);
					if take {
						expected.push(*para);
					}
					!take
				});
				assert_eq!(OnDemand::peek(now, &[cores as u32]).concat(), expected);
				assert_eq!(OnDemand::pop(now, cores as u32), expected);
				assert_eq!(OnDemand::queue_len() as usize, list.len());
				longest = longest.max(list.len());

				let QueueStatus { first_page, end_page, .. } = OrderQueue::<Test>::get();
				let pages: Vec<_> = (first_page..end_page).map(OrderPages::<Test>::get).collect();
				assert!(pages.iter().all(|page| (1..=queue::PAGE_ORDERS_MAX).contains(&page.len())));
				assert_eq!(OrderPages::<Test>::iter().count(), pages.len(), "others are removed");
				let listed: Vec<_> =
					pages.concat().iter().map(|order| (order.para_id, order.ordered_at)).collect();
				assert_eq!(listed, list);
			}
			assert!(longest > 3 * queue::PAGE_ORDERS_MAX, "{longest}");
		},
	);
}
