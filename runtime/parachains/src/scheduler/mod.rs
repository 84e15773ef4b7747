//! Who backs, and what: validator groups with their rotation, and the claim queue that follows from core
//! assignments (runtime §5).
//!
//! The claim queue is not stored. It is predicted from the core descriptors, which are advanced by exactly
//! one step per block, from the inherent; so a prediction and what later happens cannot disagree, unless a
//! core is assigned anew.
//!
//! Two rules make use of time that would be lost, both as the reference has them:
//!
//! * A core that nobody claims in a block goes to its next claimant one block early. So the other sharers may use
//!   what belongs to `Idle`, and a first claim has time for asynchronous backing. The claim is not used up
//!   by that: who is backed early has its turn all the same, so a para may get two blocks for the first order of
//!   an empty pool.
//! * A para whose core is occupied loses its turn, but an on-demand order goes back to the end of the queue.
//!
//! Cores that lost their group keep their assignments: if the number of cores grows again, they go on.

mod assigner;
mod pool;
#[cfg(test)]
mod tests;
mod types;

pub use pallet::*;
pub use pool::OnDemandQueue;
pub use types::*;

use crate::{configuration, initializer::SessionChangeNotification, util::now};
use alloc::{
	collections::{BTreeMap, VecDeque},
	vec::Vec,
};
use assigner::{step, Mode, Step};
use headway_primitives::{
	BlockNumber, ClaimQueue, CoreIndex, GroupIndex, GroupRotationInfo, ParaId, ValidatorIndex,
};

/// Whether, and when, a candidate that waits for availability times out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AvailabilityTimeout {
	/// It has.
	pub timed_out: bool,
	/// Block at which it does.
	pub live_until: BlockNumber,
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use frame_support::pallet_prelude::*;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(4);

	#[pallet::config]
	pub trait Config: frame_system::Config + configuration::Config {
		/// Orders that pool cores serve.
		type OnDemand: OnDemandQueue;
	}

	#[pallet::error]
	#[derive(PartialEq, Eq)]
	pub enum Error<T> {
		/// A core was assigned to nobody.
		AssignmentsEmpty,
		/// A schedule may not begin before the last one of its core.
		DisallowedInsert,
	}

	/// Groups of active validators; their number is the number of availability cores.
	#[pallet::storage]
	pub type ValidatorGroups<T: Config> = StorageValue<_, Vec<Vec<ValidatorIndex>>, ValueQuery>;

	/// First block of the session.
	#[pallet::storage]
	pub type SessionStartBlock<T: Config> = StorageValue<_, BlockNumber, ValueQuery>;

	/// Schedules that have not begun, by begin and core.
	#[pallet::storage]
	pub type CoreSchedules<T: Config> =
		StorageMap<_, Twox64Concat, (BlockNumber, CoreIndex), Schedule, OptionQuery>;

	/// What each core does now and next.
	#[pallet::storage]
	pub type CoreDescriptors<T: Config> = StorageValue<_, BTreeMap<CoreIndex, CoreDescriptor>, ValueQuery>;

	#[pallet::hooks]
	impl<T: Config> Hooks<frame_system::pallet_prelude::BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			use headway_primitives::well_known_keys as keys;
			assert_eq!(&CoreDescriptors::<T>::hashed_key()[..], keys::SCHEDULER_CORE_DESCRIPTORS);
			assert_eq!(&ValidatorGroups::<T>::hashed_key()[..], keys::SCHEDULER_VALIDATOR_GROUPS);
		}
	}

	impl<T: Config> Pallet<T> {
		/// Builds the groups of a session.
		pub(crate) fn on_new_session(notification: &SessionChangeNotification) {
			let params = &notification.new_config.scheduler_params;
			let groups =
				make_groups(notification.validators.len(), params.num_cores, params.max_validators_per_core);
			ValidatorGroups::<T>::put(groups);
			SessionStartBlock::<T>::put(now::<T>().saturating_add(1));
		}

		/// Number of availability cores.
		pub fn n_cores() -> u32 {
			ValidatorGroups::<T>::decode_len().unwrap_or(0) as u32
		}

		/// Members of a group.
		pub fn group_validators(group: GroupIndex) -> Option<Vec<ValidatorIndex>> {
			ValidatorGroups::<T>::get().into_iter().nth(group.0 as usize)
		}

		/// How groups rotate, as of block `at`.
		pub fn group_rotation_info(at: BlockNumber) -> GroupRotationInfo<BlockNumber> {
			GroupRotationInfo {
				session_start_block: SessionStartBlock::<T>::get(),
				group_rotation_frequency: configuration::ActiveConfig::<T>::get()
					.scheduler_params
					.group_rotation_frequency,
				now: at,
			}
		}

		/// The group that backs on `core` in block `at`; none before the session and for unknown cores.
		pub fn group_assigned_to_core(core: CoreIndex, at: BlockNumber) -> Option<GroupIndex> {
			let n_groups = Self::n_cores();
			let info = Self::group_rotation_info(at);
			(at >= info.session_start_block && core.0 < n_groups).then(|| info.group_for_core(core, n_groups))
		}

		/// Whether candidates may time out in this block: only shortly after a rotation, so that the group
		/// that was rotated in finds a free core.
		pub fn availability_timeout_check_required() -> bool {
			Self::timeout_check_required_in(now::<T>())
		}

		fn timeout_check_required_in(block: BlockNumber) -> bool {
			let at = block.saturating_add(1);
			let period = configuration::ActiveConfig::<T>::get().scheduler_params.paras_availability_period;
			at < Self::group_rotation_info(at).last_rotation_at().saturating_add(period)
		}

		/// Tells for the block in which a candidate was backed whether and when it times out.
		pub fn availability_timeout_predicate() -> impl Fn(BlockNumber) -> AvailabilityTimeout {
			Self::availability_timeout_predicate_in(now::<T>())
		}

		/// The same as the block `at` of this session will tell it.
		pub fn availability_timeout_predicate_in(
			at: BlockNumber,
		) -> impl Fn(BlockNumber) -> AvailabilityTimeout {
			let period = configuration::ActiveConfig::<T>::get().scheduler_params.paras_availability_period;
			let next_rotation = Self::group_rotation_info(at).next_rotation_at();
			let check = Self::timeout_check_required_in(at);
			move |pending_since| {
				let from = if check { pending_since } else { next_rotation };
				let live_until = from.saturating_add(period);
				AvailabilityTimeout { timed_out: live_until <= at, live_until }
			}
		}

		/// The claim queue for the child of this block: what runtime APIs answer.
		pub fn claim_queue() -> ClaimQueue {
			Self::predict_claim_queue(now::<T>().saturating_add(1))
		}

		/// The claim queue whose first position is block `first`, which must be the next one to be stepped.
		///
		/// The inherent of block `n` asks for `n`, before it advances, and so gets what nodes were told at its
		/// parent.
		pub(crate) fn predict_claim_queue(first: BlockNumber) -> ClaimQueue {
			let lookahead = configuration::ActiveConfig::<T>::get().scheduler_params.lookahead;
			let n_cores = Self::n_cores();
			let mut descriptors = CoreDescriptors::<T>::get();
			let steps: Vec<_> = (0..lookahead)
				.map(|depth| step::<T>(&mut descriptors, first.saturating_add(depth), n_cores, Mode::Peek))
				.collect();
			let pool_cores: Vec<_> = steps.iter().map(Step::pool_cores).collect();
			let orders = T::OnDemand::peek(first, &pool_cores);
			let mut queue = ClaimQueue::new();
			for (depth, (step, orders)) in (0..).zip(steps.into_iter().zip(orders)) {
				for (core, para) in step.claims(orders) {
					let claims: &mut VecDeque<ParaId> = queue.entry(core).or_default();
					match (claims.len() as u32, depth) {
						(len, depth) if len == depth => claims.push_back(para),
						// A free core takes its first claim one block early: see `advance_claim_queue`.
						(0, 1) => claims.extend([para, para]),
						// A hole ends what is known of the core.
						_ => {},
					}
				}
			}
			queue.retain(|_, claims| !claims.is_empty());
			queue
		}

		/// Takes the step of this block; returns who may back on which core in it. Once per block, from the
		/// inherent.
		pub(crate) fn advance_claim_queue(
			is_blocked: impl Fn(CoreIndex) -> bool,
		) -> BTreeMap<CoreIndex, ParaId> {
			let at = now::<T>();
			let n_cores = Self::n_cores();
			let mut descriptors = CoreDescriptors::<T>::get();
			let step_now = step::<T>(&mut descriptors, at, n_cores, Mode::Pop);
			// A core without work is as good as one that was never assigned.
			descriptors
				.retain(|_, descriptor| descriptor.queue.is_some() || descriptor.current_work.is_some());
			CoreDescriptors::<T>::put(&descriptors);

			let orders = T::OnDemand::pop(at, step_now.pool_cores());
			for (core, para) in step_now.pool.iter().zip(&orders) {
				if is_blocked(*core) {
					T::OnDemand::put_back(*para, at);
				}
			}
			let mut eligible = step_now.claims(orders);

			// Cores that nobody claims now go to their next claimant.
			let next = at.saturating_add(1);
			let step_next = step::<T>(&mut descriptors, next, n_cores, Mode::Peek);
			let orders = T::OnDemand::peek(next, &[step_next.pool_cores()]).pop().unwrap_or_default();
			for (core, para) in step_next.claims(orders) {
				eligible.entry(core).or_insert(para);
			}
			eligible.retain(|core, _| !is_blocked(*core));
			eligible
		}

		/// Assigns a core from block `begin` on, or from the end of the visible claim queue if that is later.
		pub fn assign_core(
			core: CoreIndex,
			begin: BlockNumber,
			assignments: Vec<(CoreAssignment, PartsOf57600)>,
			end_hint: Option<BlockNumber>,
		) -> Result<(), Error<T>> {
			ensure!(!assignments.is_empty(), Error::<T>::AssignmentsEmpty);
			let lookahead = configuration::ActiveConfig::<T>::get().scheduler_params.lookahead;
			let claim_queue_end = now::<T>().saturating_add(1).saturating_add(lookahead);
			CoreDescriptors::<T>::try_mutate(|descriptors| {
				let descriptor = descriptors.entry(core).or_default();
				let announced = descriptor.current_work.is_some()
					|| descriptor.queue.is_some_and(|queue| queue.first < claim_queue_end);
				let begin = if announced { begin.max(claim_queue_end) } else { begin };
				if let Some(queue) = descriptor.queue {
					ensure!(begin >= queue.last, Error::<T>::DisallowedInsert);
					if begin > queue.last {
						CoreSchedules::<T>::mutate((queue.last, core), |schedule| {
							if let Some(schedule) = schedule {
								schedule.next_schedule = Some(begin);
							}
						});
					}
				}
				CoreSchedules::<T>::mutate((begin, core), |schedule| {
					let mut all = schedule.take().map_or_else(Vec::new, |schedule| schedule.assignments);
					all.extend(assignments);
					*schedule = Some(Schedule { assignments: all, end_hint, next_schedule: None });
				});
				let first = descriptor.queue.map_or(begin, |queue| queue.first);
				descriptor.queue = Some(QueueDescriptor { first, last: begin });
				Ok(())
			})
		}

		/// Adds a core and assigns the whole of it to `para` from the next block on. It can be used as soon as a
		/// session has a group for it. Only for genesis and calls by root.
		pub fn assign_coretime(para: ParaId) -> Result<CoreIndex, Error<T>> {
			let core = CoreIndex(configuration::ActiveConfig::<T>::get().scheduler_params.num_cores);
			configuration::Pallet::<T>::force_update_all(|config| {
				let cores = &mut config.scheduler_params.num_cores;
				*cores = cores.saturating_add(1);
			});
			let assignment = alloc::vec![(CoreAssignment::Task(para.0), PartsOf57600::FULL)];
			Self::assign_core(core, now::<T>().saturating_add(1), assignment, None)?;
			Ok(core)
		}
	}
}

/// Splits `n_validators` into groups, as many as there are cores; the first ones are larger by one if it does
/// not go evenly.
fn make_groups(
	n_validators: usize,
	num_cores: u32,
	max_validators_per_core: Option<u32>,
) -> Vec<Vec<ValidatorIndex>> {
	let by_size = max_validators_per_core.and_then(|max| (n_validators as u32).checked_div(max)).unwrap_or(0);
	let n_cores = num_cores.max(by_size) as usize;
	if n_cores == 0 || n_validators == 0 {
		return Vec::new();
	}
	let (base, extra) = (n_validators / n_cores, n_validators % n_cores);
	let mut members = (0..n_validators as u32).map(ValidatorIndex);
	(0..n_cores).map(|group| members.by_ref().take(base + usize::from(group < extra)).collect()).collect()
}
