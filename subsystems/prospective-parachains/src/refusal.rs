//! Why a candidate cannot be, or stay, among the prospective ones.

use headway_machine::{Evidence, Reason};
use headway_primitives::{constraints::ConstraintError, BlockNumber, CandidateHash, Hash};

/// Why a candidate has no place in a fragment chain or beside it (backing pipeline §2.5).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
	/// No relay block is in view.
	#[error("no scheduling parent is in view")]
	NoView,
	/// The para has no fragment chain: it holds no core, or its state is not known.
	#[error("para is not scheduled")]
	ParaNotScheduled,
	/// The validation data is not what the descriptor commits to.
	#[error("validation data does not have the descriptor's hash")]
	ValidationDataHash,
	/// It produces the head data that it builds on.
	#[error("candidate produces its own parent head")]
	ZeroLengthCycle,
	/// The scheduling parent is neither the block nor among its allowed ancestors.
	#[error("scheduling parent is not in scope")]
	SchedulingParentNotInScope,
	/// The para has no claim on its core for the blocks that the scheduling parent is for still.
	#[error("no claim is within reach of the scheduling parent")]
	NoClaim,
	/// Backing is synchronous, and the candidate does not build on the included head at the leaf, or another
	/// one is pending.
	#[error("backing is synchronous")]
	Synchronous,
	/// A candidate that is pending on chain has the same parent.
	#[error("fork of {0}, which is pending availability")]
	ForkOfPending(CandidateHash),
	/// A candidate that is included has the same parent.
	#[error("fork of {0}, which is included")]
	ForkOfIncluded(CandidateHash),
	/// A backed candidate with the same parent and a lower hash is in the chain.
	#[error("fork of {0}, which has the lower hash")]
	ForkChoice(CandidateHash),
	/// It produces head data that a candidate of the chain builds on.
	#[error("candidate would close a cycle")]
	Cycle,
	/// It produces head data that a candidate of the chain produces already.
	#[error("another candidate of the chain produces the same head")]
	MultiplePaths,
	/// The chain at the scheduling parent does not know the relay parent.
	#[error("relay parent is not known at the scheduling parent")]
	RelayParentUnknown,
	/// The validation data names another number or state root than the relay parent's.
	#[error("validation data differs from the relay parent")]
	RelayParentMismatch,
	/// The relay parent is older than that of the last candidate pending on chain.
	#[error("relay parent {number} is before {pending}, the last pending candidate's")]
	RelayParentBeforePending {
		/// Number of the relay parent.
		number: BlockNumber,
		/// Number of the pending candidate's relay parent.
		pending: BlockNumber,
	},
	/// The relay parent is older than that of the parent candidate.
	#[error("relay parent {number} is before {parent}, the parent candidate's")]
	RelayParentMovedBackwards {
		/// Number of the relay parent.
		number: BlockNumber,
		/// Number of the parent candidate's relay parent.
		parent: BlockNumber,
	},
	/// The state that it builds on does not admit it.
	#[error(transparent)]
	Constraints(#[from] ConstraintError),
	/// The candidate that it builds on was dropped.
	#[error("its parent candidate was dropped")]
	ParentDropped,
	/// A bound of ours is reached.
	#[error("too many candidates or open questions")]
	CapacityReached,
}

impl Refusal {
	/// What it rests on, for a candidate on this parent head.
	pub(crate) fn evidence(&self, parent_head: Hash) -> Option<Evidence> {
		match self {
			Self::ForkOfPending(candidate)
			| Self::ForkOfIncluded(candidate)
			| Self::ForkChoice(candidate) => Some(Evidence::Rival { candidate: *candidate, parent_head }),
			_ => None,
		}
	}

	/// The reason as traces carry it.
	pub fn reason(&self) -> Reason {
		match self {
			Self::NoView => Reason::UnknownSchedulingParent,
			Self::ParaNotScheduled => Reason::ParaNotScheduled,
			Self::ValidationDataHash | Self::RelayParentMismatch => Reason::ValidationDataMismatch,
			Self::ZeroLengthCycle | Self::Cycle => Reason::Cycle,
			Self::SchedulingParentNotInScope => Reason::SchedulingParentNotInScope,
			Self::NoClaim => Reason::NoClaimInReach,
			Self::Synchronous => Reason::SynchronousBacking,
			Self::ForkOfPending(_) | Self::ForkOfIncluded(_) => Reason::ConflictsWithPending,
			Self::ForkChoice(_) => Reason::ForkChoice,
			Self::MultiplePaths => Reason::MultiplePaths,
			Self::RelayParentUnknown => Reason::RelayParentNotInScope,
			Self::RelayParentBeforePending { .. } | Self::RelayParentMovedBackwards { .. } => {
				Reason::RelayParentMovedBackwards
			},
			Self::Constraints(ConstraintError::RelayParentTooOld { .. }) => Reason::RelayParentNotInScope,
			Self::Constraints(ConstraintError::ValidationDataMismatch { .. }) => {
				Reason::ValidationDataMismatch
			},
			Self::Constraints(ConstraintError::ValidationCodeMismatch { .. }) => Reason::CodeHashMismatch,
			Self::Constraints(_) => Reason::ConstraintsNotMet,
			Self::ParentDropped => Reason::CannotFollowChain,
			Self::CapacityReached => Reason::CapacityReached,
		}
	}
}
