//! What the chain that sells coretime, or root in its place, may do here; and what it is told (runtime §10.1).
//!
//! That chain decides who has coretime and takes the money. This pallet executes: it sets the number of cores,
//! assigns them, queues on-demand orders and hands out their revenue. It knows neither regions nor prices, and
//! sends nothing itself: how messages travel is [`CoretimeChain`]'s.

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
pub(crate) mod tests;
pub mod weights;

pub use pallet::*;

use crate::{
	configuration,
	initializer::{OnNewSession, SessionChangeNotification},
	on_demand,
	origin::{ensure_parachain, Origin},
	scheduler::{self, CoreAssignment, PartsOf57600},
	util::now,
};
use alloc::vec::Vec;
use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::*;
use headway_primitives::{Balance, BlockNumber, CoreIndex, ParaId};
use weights::WeightInfo;

const LOG_TARGET: &str = "runtime::coretime";

/// What on-demand orders brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevenueNotice<AccountId> {
	/// Orders that were placed before this block, and not told of before.
	pub until: BlockNumber,
	/// What they cost, in tokens and credits. Credits were paid for where they were sold.
	pub amount: Balance,
	/// Tokens that have to go with the notice.
	pub funds: Balance,
	/// The account that has the tokens.
	pub pot: AccountId,
}

/// A notice could not be sent, or its funds could not be moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotSent;

/// The way to the chain that sells coretime.
pub trait CoretimeChain<AccountId> {
	/// From this session on there are `count` cores. Who cannot send it logs that.
	fn notify_core_count(count: u16);

	/// Says what orders brought, and moves the funds.
	///
	/// # Errors
	///
	/// [`NotSent`]; the revenue can be asked for again.
	fn notify_revenue(notice: RevenueNotice<AccountId>) -> Result<(), NotSent>;
}

/// No such chain: revenue stays in the pot.
impl<AccountId> CoretimeChain<AccountId> for () {
	fn notify_core_count(count: u16) {
		log::debug!(target: LOG_TARGET, "there are {count} cores");
	}

	fn notify_revenue(notice: RevenueNotice<AccountId>) -> Result<(), NotSent> {
		log::debug!(target: LOG_TARGET, "revenue until block {}: {}", notice.until, notice.amount);
		Ok(())
	}
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: on_demand::Config + frame_system::Config<RuntimeEvent: From<Event>> {
		/// Origins: root's and those of paras.
		type RuntimeOrigin: From<<Self as frame_system::Config>::RuntimeOrigin>
			+ Into<Result<Origin, <Self as Config>::RuntimeOrigin>>;
		/// The para that sells coretime.
		#[pallet::constant]
		type BrokerId: Get<u32>;
		/// The way to it.
		type CoretimeChain: CoretimeChain<Self::AccountId>;
		/// What calls weigh.
		type WeightInfo: WeightInfo;
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event {
		/// Revenue was asked for.
		#[codec(index = 0)]
		RevenueInfoRequested {
			/// Block until which.
			when: BlockNumber,
		},
		/// A core was assigned.
		#[codec(index = 1)]
		CoreAssigned {
			/// The core.
			core: CoreIndex,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The para that calls is not the one that sells coretime.
		NotBroker,
		/// The revenue of blocks that are not there yet cannot be told.
		RequestedFutureRevenue,
		/// The revenue could not be sent.
		AssetTransferFailed,
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Sets the number of cores from the session after the next.
		#[pallet::call_index(1)]
		#[pallet::weight((<T as Config>::WeightInfo::request_core_count(), DispatchClass::Operational))]
		pub fn request_core_count(origin: OriginFor<T>, count: u16) -> DispatchResult {
			Self::ensure_root_or_broker(origin)?;
			configuration::Pallet::<T>::set_coretime_cores_unchecked(u32::from(count))
		}

		/// Tells, and sends, what on-demand orders brought before block `when` and since the last request.
		#[pallet::call_index(2)]
		#[pallet::weight((<T as Config>::WeightInfo::request_revenue_at(), DispatchClass::Operational))]
		pub fn request_revenue_at(origin: OriginFor<T>, when: BlockNumber) -> DispatchResult {
			Self::ensure_root_or_broker(origin)?;
			ensure!(when <= now::<T>(), Error::<T>::RequestedFutureRevenue);
			Self::deposit_event(Event::RevenueInfoRequested { when });
			let amount = on_demand::Pallet::<T>::claim_revenue_until(when);
			let notice = RevenueNotice {
				until: when,
				amount,
				funds: on_demand::Pallet::<T>::funds_of_claim(amount),
				pot: on_demand::Pallet::<T>::account_id(),
			};
			T::CoretimeChain::notify_revenue(notice).map_err(|NotSent| Error::<T>::AssetTransferFailed)?;
			Ok(())
		}

		/// Gives credits for on-demand orders to an account.
		#[pallet::call_index(3)]
		#[pallet::weight((<T as Config>::WeightInfo::credit_account(), DispatchClass::Operational))]
		pub fn credit_account(origin: OriginFor<T>, who: T::AccountId, amount: Balance) -> DispatchResult {
			Self::ensure_root_or_broker(origin)?;
			on_demand::Pallet::<T>::credit_account(who, amount);
			Ok(())
		}

		/// Assigns a core from block `begin` on.
		#[pallet::call_index(4)]
		#[pallet::weight((
			<T as Config>::WeightInfo::assign_core(assignment.len() as u32),
			DispatchClass::Operational,
		))]
		pub fn assign_core(
			origin: OriginFor<T>,
			core: u16,
			begin: BlockNumber,
			assignment: Vec<(CoreAssignment, PartsOf57600)>,
			end_hint: Option<BlockNumber>,
		) -> DispatchResult {
			Self::ensure_root_or_broker(origin)?;
			let core = CoreIndex(u32::from(core));
			scheduler::Pallet::<T>::assign_core(core, begin, assignment, end_hint)?;
			Self::deposit_event(Event::CoreAssigned { core });
			Ok(())
		}

		/// Queues on-demand orders that were sold elsewhere.
		#[pallet::call_index(5)]
		#[pallet::weight((
			// A page of the queue has more than a hundred orders, so that what was measured is less than half of an
			// access for each of them.
			<T as Config>::WeightInfo::queue_on_demand_batch(batch.len() as u32)
				.saturating_add(T::DbWeight::get().reads_writes(1, 1).saturating_mul(batch.len() as u64 / 100)),
			DispatchClass::Operational,
		))]
		pub fn queue_on_demand_batch(
			origin: OriginFor<T>,
			batch: Vec<(ParaId, BlockNumber)>,
		) -> DispatchResult {
			Self::ensure_root_or_broker(origin)?;
			// What fits is queued: an error would undo it.
			on_demand::Pallet::<T>::queue_order_batch(batch);
			Ok(())
		}
	}

	impl<T: Config> Pallet<T> {
		fn ensure_root_or_broker(origin: OriginFor<T>) -> DispatchResult {
			match ensure_parachain(<T as Config>::RuntimeOrigin::from(origin.clone())) {
				Ok(para) => ensure!(para.0 == T::BrokerId::get(), Error::<T>::NotBroker),
				Err(_) => ensure_root(origin)?,
			}
			Ok(())
		}
	}
}

impl<T: Config> OnNewSession for Pallet<T> {
	fn on_new_session(notification: &SessionChangeNotification) {
		let count = |config: &configuration::HostConfiguration| config.scheduler_params.num_cores;
		let (old, new) = (count(&notification.prev_config), count(&notification.new_config));
		if old != new {
			T::CoretimeChain::notify_core_count(u16::try_from(new).unwrap_or(u16::MAX));
		}
	}
}
