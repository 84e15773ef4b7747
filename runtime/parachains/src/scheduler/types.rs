//! Types of core assignments. Their encodings are read and written by tools (runtime §5.2).

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use headway_primitives::BlockNumber;
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// A share of a core: 57600 parts are the whole of it.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Default,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
	Serialize,
	Deserialize,
)]
pub struct PartsOf57600(pub u16);

impl PartsOf57600 {
	/// The whole core.
	pub const FULL: Self = Self(57600);

	/// Sum, at most the whole core.
	pub fn saturating_add(self, other: Self) -> Self {
		Self(self.0.saturating_add(other.0).min(Self::FULL.0))
	}

	/// Difference, at least nothing.
	pub fn saturating_sub(self, other: Self) -> Self {
		Self(self.0.saturating_sub(other.0))
	}
}

/// Who may use a core, or a share of it.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
)]
pub enum CoreAssignment {
	/// Nobody.
	#[codec(index = 0)]
	Idle,
	/// On-demand orders.
	#[codec(index = 1)]
	Pool,
	/// The para with this id.
	#[codec(index = 2)]
	Task(u32),
}

/// Assignments of a core from some block on.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct Schedule {
	/// Who shares the core, and how.
	pub assignments: Vec<(CoreAssignment, PartsOf57600)>,
	/// Block from which the assignments do not hold any more.
	pub end_hint: Option<BlockNumber>,
	/// Block at which the next schedule of the core begins.
	pub next_schedule: Option<BlockNumber>,
}

/// Schedules of a core that have not begun: a linked list by begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct QueueDescriptor {
	/// Begin of the first.
	pub first: BlockNumber,
	/// Begin of the last.
	pub last: BlockNumber,
}

/// Progress of one assignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct AssignmentState {
	/// Its share.
	pub ratio: PartsOf57600,
	/// What is left of the share before it is the next one's turn.
	pub remaining: PartsOf57600,
}

/// Assignments that are in force.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct WorkState {
	/// Who shares the core, and how far each got.
	pub assignments: Vec<(CoreAssignment, AssignmentState)>,
	/// Block from which they do not hold any more.
	pub end_hint: Option<BlockNumber>,
	/// Whose turn it is.
	pub pos: u16,
	/// What a turn costs: the smallest share.
	pub step: PartsOf57600,
}

impl From<Schedule> for WorkState {
	fn from(Schedule { assignments, end_hint, .. }: Schedule) -> Self {
		// With an empty share as the step the first turn would never end.
		let shares = assignments.into_iter().filter(|(_, ratio)| ratio.0 > 0);
		let step = shares.clone().map(|(_, ratio)| ratio).min().unwrap_or(PartsOf57600::FULL);
		let assignments =
			shares.map(|(who, ratio)| (who, AssignmentState { ratio, remaining: ratio })).collect();
		Self { assignments, end_hint, pos: 0, step }
	}
}

/// What a core does now and next.
#[derive(Clone, PartialEq, Eq, Default, Debug, Encode, Decode, TypeInfo)]
pub struct CoreDescriptor {
	/// Schedules that have not begun.
	pub queue: Option<QueueDescriptor>,
	/// Assignments in force.
	pub current_work: Option<WorkState>,
}
