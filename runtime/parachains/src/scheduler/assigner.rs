//! Steps through the assignments of all cores: one step is one block (runtime §5.6).

use super::{types::*, Config, CoreSchedules};
use alloc::{collections::BTreeMap, vec::Vec};
use headway_primitives::{BlockNumber, CoreIndex, ParaId};

/// All cores that were ever assigned.
pub(super) type Descriptors = BTreeMap<CoreIndex, CoreDescriptor>;

/// What happens to schedules that begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
	/// They stay in storage: the step is a prediction on a copy.
	Peek,
	/// They move into the descriptor.
	Pop,
}

/// What the first `n_cores` cores do in a block. Idle cores are in neither.
#[derive(Default)]
pub(super) struct Step {
	/// Cores whose turn is a para's.
	pub(super) bulk: BTreeMap<CoreIndex, ParaId>,
	/// Cores whose turn is the on-demand pool's, ascending.
	pub(super) pool: Vec<CoreIndex>,
}

impl Step {
	/// Number of orders that can be served.
	pub(super) fn pool_cores(&self) -> u32 {
		self.pool.len() as u32
	}

	/// Who may use which core, when pool cores serve `orders` in their order.
	pub(super) fn claims(self, orders: Vec<ParaId>) -> BTreeMap<CoreIndex, ParaId> {
		let mut claims = self.bulk;
		claims.extend(self.pool.into_iter().zip(orders));
		claims
	}
}

/// Takes the step of block `now`.
///
/// Cores from `n_cores` on do not take part: they get their work when it begins, but serve nobody, and so
/// take no orders from cores that could serve them.
pub(super) fn step<T: Config>(
	descriptors: &mut Descriptors,
	now: BlockNumber,
	n_cores: u32,
	mode: Mode,
) -> Step {
	let mut step = Step::default();
	for (core, descriptor) in descriptors.iter_mut() {
		let takes_part = core.0 < n_cores;
		if !takes_part && mode == Mode::Peek {
			continue;
		}
		ensure_workload::<T>(*core, descriptor, now, mode);
		if !takes_part {
			continue;
		}
		match descriptor.current_work.as_mut().and_then(take_turn) {
			Some(CoreAssignment::Task(para)) => {
				step.bulk.insert(*core, ParaId(para));
			},
			Some(CoreAssignment::Pool) => step.pool.push(*core),
			Some(CoreAssignment::Idle) | None => {},
		}
	}
	step
}

/// Ends work that is over and begins work that is due.
fn ensure_workload<T: Config>(
	core: CoreIndex,
	descriptor: &mut CoreDescriptor,
	now: BlockNumber,
	mode: Mode,
) {
	let over = |end: Option<BlockNumber>| end.is_some_and(|end| end <= now);
	if descriptor.current_work.as_ref().is_some_and(|work| over(work.end_hint)) {
		descriptor.current_work = None;
	}
	let Some(QueueDescriptor { first, last }) = descriptor.queue.filter(|queue| queue.first <= now) else {
		return;
	};
	let mut next = Some(first);
	descriptor.current_work = None;
	while let Some(begin) = next.filter(|begin| *begin <= now) {
		let schedule = match mode {
			Mode::Peek => CoreSchedules::<T>::get((begin, core)),
			Mode::Pop => CoreSchedules::<T>::take((begin, core)),
		};
		next = schedule.as_ref().and_then(|schedule| schedule.next_schedule);
		descriptor.current_work = schedule.filter(|schedule| !over(schedule.end_hint)).map(WorkState::from);
	}
	descriptor.queue = next.map(|first| QueueDescriptor { first, last });
}

/// Gives one turn to whom it is due.
fn take_turn(work: &mut WorkState) -> Option<CoreAssignment> {
	let n = work.assignments.len();
	let pos = usize::from(work.pos).checked_rem(n)?;
	let (who, state) = &mut work.assignments[pos];
	state.remaining = state.remaining.saturating_sub(work.step);
	work.pos = pos as u16;
	if state.remaining < work.step {
		// What is left counts for the next round, so that shares that are no multiples of the step are exact over
		// time.
		work.pos = work.pos.wrapping_add(1);
		state.remaining = state.remaining.saturating_add(state.ratio);
	}
	Some(*who)
}
