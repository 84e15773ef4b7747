//! Steps through the assignments of all cores: one step is one block (runtime §5.6).

use super::{types::*, Config, CoreSchedules};
use alloc::collections::BTreeMap;
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

/// Takes the step of block `now`; returns who may use which of the first `n_cores` cores in it.
///
/// Shares of the on-demand pool yield nothing: this runtime takes no on-demand orders.
pub(super) fn step<T: Config>(
	descriptors: &mut Descriptors,
	now: BlockNumber,
	n_cores: u32,
	mode: Mode,
) -> BTreeMap<CoreIndex, ParaId> {
	let mut claims = BTreeMap::new();
	for (core, descriptor) in descriptors.iter_mut() {
		ensure_workload::<T>(*core, descriptor, now, mode);
		if let (Some(CoreAssignment::Task(para)), true) =
			(descriptor.current_work.as_mut().and_then(take_turn), core.0 < n_cores)
		{
			claims.insert(*core, ParaId(para));
		}
	}
	claims
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
		work.pos += 1;
		state.remaining = state.remaining.saturating_add(state.ratio);
	}
	Some(*who)
}
