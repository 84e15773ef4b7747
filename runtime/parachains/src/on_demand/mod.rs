//! Coretime on demand: orders of single blocks for a para, which the cores of the pool serve (runtime §5.9).
//!
//! An order costs the spot price, in tokens or in credits. Tokens go to the pot of this pallet; credits were
//! paid for on the chain that sells coretime, which also sells orders of its own and sends them in batches.
//! What orders brought is remembered per block, until that chain asks.
//!
//! The scheduler takes orders from the queue; nothing here decides on which core an order is served. An order
//! that has been paid is never refunded.

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod price;
mod queue;
#[cfg(test)]
mod tests;
pub mod weights;

pub use pallet::*;
pub use queue::{EnqueuedOrder, QueueIsFull, QueueStatus};

use crate::{configuration, paras, scheduler::OnDemandQueue, util::now, weights::db};
use alloc::vec::Vec;
use frame_support::{
	pallet_prelude::*,
	traits::{Currency, ExistenceRequirement, Imbalance, WithdrawReasons},
	PalletId,
};
use frame_system::pallet_prelude::*;
use headway_primitives::{Balance, BlockNumber, ParaId, SchedulerParams};
use queue::Orders;
use sp_runtime::{
	traits::{AccountIdConversion, Zero},
	FixedU128,
};
use weights::WeightInfo;

const LOG_TARGET: &str = "runtime::on_demand";

/// What has been withdrawn from an account.
type PaymentOf<T> =
	<<T as Config>::Currency as Currency<<T as frame_system::Config>::AccountId>>::NegativeImbalance;

/// How an order is paid.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PayBy {
	/// With tokens.
	Tokens(ExistenceRequirement),
	/// With credits.
	Credits,
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	// 2 is the layout that has traffic and queue in one item.
	const STORAGE_VERSION: StorageVersion = StorageVersion::new(3);

	#[pallet::config]
	pub trait Config: paras::Config + frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// Tokens that orders are paid with.
		type Currency: Currency<Self::AccountId, Balance = Balance>;
		/// Traffic of an empty queue; the least there is.
		#[pallet::constant]
		type TrafficDefaultValue: Get<FixedU128>;
		/// Blocks for which revenue is remembered block by block. Older revenue counts for the oldest of them.
		#[pallet::constant]
		type MaxHistoricalRevenue: Get<u32>;
		/// Determines the account of the pot.
		#[pallet::constant]
		type PalletId: Get<PalletId>;
		/// What calls weigh.
		type WeightInfo: WeightInfo;
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// An order was placed.
		OnDemandOrderPlaced {
			/// For whom.
			para_id: ParaId,
			/// What was paid.
			spot_price: Balance,
			/// Who paid.
			ordered_by: T::AccountId,
		},
		/// The price changed.
		SpotPriceSet {
			/// The new one.
			spot_price: Balance,
		},
		/// An account got credits.
		AccountCredited {
			/// Whose.
			who: T::AccountId,
			/// How many.
			amount: Balance,
		},
		/// The queue had no place for the rest of a batch: too much was sold.
		UnexpectedQueueFull {
			/// Orders that were dropped.
			dropped: u32,
		},
		/// A batch of orders was queued.
		BatchQueued {
			/// Paras, and the block in which each order was placed.
			batch: Vec<(ParaId, BlockNumber)>,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The queue is full.
		QueueFull,
		/// The price is higher than the amount that the order may cost.
		SpotPriceHigherThanMaxAmount,
		/// The account has too few credits.
		InsufficientCredits,
		/// There is no such para: nobody could use the core. Not in the reference, which takes the order.
		ParaNotRegistered,
	}

	/// Factor of the price.
	#[pallet::storage]
	pub type Traffic<T: Config> = StorageValue<_, FixedU128, ValueQuery, T::TrafficDefaultValue>;

	/// Where the pages of the queue are.
	#[pallet::storage]
	pub type OrderQueue<T: Config> = StorageValue<_, QueueStatus, ValueQuery>;

	/// Pages of the queue.
	#[pallet::storage]
	pub type OrderPages<T: Config> = StorageMap<_, Twox64Concat, u32, Vec<EnqueuedOrder>, ValueQuery>;

	/// What orders cost in this block, the one before, and so on.
	#[pallet::storage]
	pub type Revenue<T: Config> = StorageValue<_, BoundedVec<Balance, T::MaxHistoricalRevenue>, ValueQuery>;

	/// Payments that the pot cannot take, for it would have less than the existential deposit. They are not in
	/// the total issuance.
	#[pallet::storage]
	pub type Carried<T: Config> = StorageValue<_, Balance, ValueQuery>;

	/// Credits of accounts.
	#[pallet::storage]
	pub type Credits<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Balance, ValueQuery>;

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			Self::begin_revenue_of_block();
			// Without orders the price falls.
			Self::update_traffic(&configuration::ActiveConfig::<T>::get().scheduler_params);
			// And what the inherent takes: the status, a page or two, and what is put back.
			db::<T>(4 + 3, 2 + 3)
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Orders a block for a para at the spot price, at most `max_amount`. The account may be reaped.
		#[pallet::call_index(0)]
		#[pallet::weight(<T as Config>::WeightInfo::place_order_allow_death())]
		pub fn place_order_allow_death(
			origin: OriginFor<T>,
			max_amount: Balance,
			para_id: ParaId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::place_order(who, max_amount, para_id, PayBy::Tokens(ExistenceRequirement::AllowDeath))
		}

		/// Orders a block for a para at the spot price, at most `max_amount`. The account stays alive.
		#[pallet::call_index(1)]
		#[pallet::weight(<T as Config>::WeightInfo::place_order_keep_alive())]
		pub fn place_order_keep_alive(
			origin: OriginFor<T>,
			max_amount: Balance,
			para_id: ParaId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::place_order(who, max_amount, para_id, PayBy::Tokens(ExistenceRequirement::KeepAlive))
		}

		/// Orders a block for a para at the spot price, at most `max_amount`, and pays with credits.
		#[pallet::call_index(2)]
		#[pallet::weight(<T as Config>::WeightInfo::place_order_with_credits())]
		pub fn place_order_with_credits(
			origin: OriginFor<T>,
			max_amount: Balance,
			para_id: ParaId,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::place_order(who, max_amount, para_id, PayBy::Credits)
		}
	}

	impl<T: Config> Pallet<T> {
		/// The account that payments go to.
		pub fn account_id() -> T::AccountId {
			T::PalletId::get().into_account_truncating()
		}

		/// Orders that wait.
		pub fn queue_len() -> u32 {
			OrderQueue::<T>::get().len
		}

		/// Gives credits to an account.
		pub fn credit_account(who: T::AccountId, amount: Balance) {
			Credits::<T>::mutate(&who, |credits| *credits = credits.saturating_add(amount));
			Self::deposit_event(Event::AccountCredited { who, amount });
		}

		/// Queues orders that were paid for elsewhere. Of a batch that does not fit the rest is dropped.
		///
		/// Paras are not checked: the seller could do nothing about a refusal. Orders for a para that is not
		/// there keep a core idle for one block each.
		pub fn queue_order_batch(batch: Vec<(ParaId, BlockNumber)>) {
			if batch.is_empty() {
				return;
			}
			for (queued, (para_id, ordered_at)) in batch.iter().enumerate() {
				let order = EnqueuedOrder { para_id: *para_id, ordered_at: *ordered_at };
				if queue::push::<T>(order).is_err() {
					let dropped = (batch.len() - queued) as u32;
					log::warn!(target: LOG_TARGET, "dropping {dropped} orders: the queue is full");
					Self::deposit_event(Event::UnexpectedQueueFull { dropped });
					return;
				}
			}
			Self::deposit_event(Event::BatchQueued { batch });
		}

		/// What orders cost before block `when`, as far as it was not claimed before.
		pub fn claim_revenue_until(when: BlockNumber) -> Balance {
			let now = now::<T>();
			Revenue::<T>::mutate(|revenue| {
				let mut claimed = Balance::zero();
				while revenue.len().checked_sub(1).is_some_and(|age| when > now.saturating_sub(age as u32)) {
					claimed = claimed.saturating_add(revenue.pop().unwrap_or_default());
				}
				claimed
			})
		}

		/// The part of a claim that is in the pot; the rest was paid in credits, or has been taken from the pot
		/// with an earlier claim. If less than the existential deposit would be left, it is all there is.
		pub fn funds_of_claim(claim: Balance) -> Balance {
			let pot = T::Currency::free_balance(&Self::account_id());
			let funds = claim.min(pot);
			if pot - funds < T::Currency::minimum_balance() {
				pot
			} else {
				funds
			}
		}

		fn place_order(
			who: T::AccountId,
			max_amount: Balance,
			para_id: ParaId,
			pay_by: PayBy,
		) -> DispatchResult {
			ensure!(paras::Pallet::<T>::is_valid_para(para_id), Error::<T>::ParaNotRegistered);
			let params = configuration::ActiveConfig::<T>::get().scheduler_params;
			let spot_price = Self::update_traffic(&params);
			ensure!(spot_price <= max_amount, Error::<T>::SpotPriceHigherThanMaxAmount);
			ensure!(Self::queue_len() < params.on_demand_queue_max_size, Error::<T>::QueueFull);
			match pay_by {
				PayBy::Tokens(liveness) => {
					let reason = WithdrawReasons::FEE;
					Self::pay_into_pot(T::Currency::withdraw(&who, spot_price, reason, liveness)?);
				},
				PayBy::Credits => Self::withdraw_credits(&who, spot_price)?,
			}
			Self::note_revenue(spot_price);
			queue::push::<T>(EnqueuedOrder { para_id, ordered_at: now::<T>() })
				.map_err(|QueueIsFull| Error::<T>::QueueFull)?;
			Self::deposit_event(Event::OnDemandOrderPlaced { para_id, spot_price, ordered_by: who });
			Ok(())
		}

		/// Keeps the payment in the pot. An account cannot have less than the existential deposit: until there is
		/// that much, payments are carried.
		fn pay_into_pot(payment: PaymentOf<T>) {
			let pot = Self::account_id();
			// So that nothing is lost with the account when the pot is emptied.
			if !frame_system::Pallet::<T>::account_exists(&pot) {
				frame_system::Pallet::<T>::inc_providers(&pot);
			}
			let payment = payment.merge(T::Currency::issue(Carried::<T>::take()));
			let balance = T::Currency::free_balance(&pot).saturating_add(payment.peek());
			if balance >= T::Currency::minimum_balance() {
				T::Currency::resolve_creating(&pot, payment);
			} else {
				Carried::<T>::put(payment.peek());
			}
		}

		fn withdraw_credits(who: &T::AccountId, amount: Balance) -> DispatchResult {
			Credits::<T>::try_mutate_exists(who, |credits| {
				let left =
					credits.unwrap_or_default().checked_sub(amount).ok_or(Error::<T>::InsufficientCredits)?;
				*credits = (left > 0).then_some(left);
				Ok(())
			})
		}

		/// Adds this block to the history. What falls out of it counts for the oldest block that is left.
		fn begin_revenue_of_block() {
			Revenue::<T>::mutate(|revenue| {
				if let Ok(Some(overdue)) = revenue.force_insert_keep_left(0, 0) {
					if let Some(oldest) = revenue.last_mut() {
						*oldest = oldest.saturating_add(overdue);
					}
				}
			});
		}

		fn note_revenue(spot_price: Balance) {
			Revenue::<T>::mutate(|revenue| {
				if let Some(this_block) = revenue.get_mut(0) {
					*this_block = this_block.saturating_add(spot_price);
				} else if revenue.try_push(spot_price).is_err() {
					log::error!(target: LOG_TARGET, "no revenue can be remembered");
				}
			});
		}

		/// Adjusts the traffic; returns the price.
		fn update_traffic(params: &SchedulerParams) -> Balance {
			let traffic = Traffic::<T>::get();
			let floor = T::TrafficDefaultValue::get();
			let adjusted = price::adjust_traffic(traffic, floor, Self::queue_len(), params);
			let Some(new) = adjusted.filter(|new| *new != traffic) else {
				return price::spot_price(traffic, params);
			};
			Traffic::<T>::put(new);
			let spot_price = price::spot_price(new, params);
			Self::deposit_event(Event::SpotPriceSet { spot_price });
			spot_price
		}
	}
}

impl<T: Config> OnDemandQueue for Pallet<T> {
	fn peek(first: BlockNumber, cores: &[u32]) -> Vec<Vec<ParaId>> {
		let mut orders = Orders::<T>::open();
		(0..).zip(cores).map(|(depth, cores)| orders.take(first.saturating_add(depth), *cores)).collect()
	}

	fn pop(now: BlockNumber, cores: u32) -> Vec<ParaId> {
		let mut orders = Orders::<T>::open();
		let taken = orders.take(now, cores);
		orders.store();
		taken
	}

	fn put_back(para: ParaId, now: BlockNumber) {
		if queue::push::<T>(EnqueuedOrder { para_id: para, ordered_at: now }).is_err() {
			log::warn!(target: LOG_TARGET, "dropping the order of para {para}: the queue is full");
		}
	}
}
