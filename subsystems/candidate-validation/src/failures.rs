//! What follows from an execution without a result (availability, approval, disputes §4.3). No state here.

use crate::{
	checks::{is_backing, Refusal},
	RETRY_DELAY,
};
use headway_machine::{ExecutionError, ExecutionKind, Reason};
use std::time::Duration;

/// A category of failures, each of which may be retried once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Retry {
	/// The worker died.
	Death,
	/// The worker's job panicked.
	Job,
	/// The compiled code was broken.
	Artifact,
	/// Something else of ours failed.
	Internal,
}

impl Retry {
	/// The category of a failure that may have been chance.
	pub(crate) fn after(error: &ExecutionError) -> Option<Self> {
		match error {
			ExecutionError::WorkerDied(_) => Some(Self::Death),
			ExecutionError::JobFailed(_) => Some(Self::Job),
			ExecutionError::BrokenArtifact(_) => Some(Self::Artifact),
			ExecutionError::Internal(_) => Some(Self::Internal),
			ExecutionError::Rejected(_) | ExecutionError::TimedOut(_) | ExecutionError::NotPrepared(_) => {
				None
			},
		}
	}

	/// What may pass is given time to. Broken code is replaced before the next attempt, which need not wait.
	pub(crate) fn delay(self) -> Duration {
		match self {
			Self::Death | Self::Job | Self::Internal => RETRY_DELAY,
			Self::Artifact => Duration::ZERO,
		}
	}
}

/// What is said of the candidate when no attempt is left.
///
/// In approvals and disputes, whatever a candidate could have provoked is held against it: else an attacker could
/// stop finality at no cost. Code that cannot be prepared is not, since it was prepared before it was accepted. In
/// backing nobody votes against anything; there only what is the candidate's fault for certain is held against its
/// collator.
pub(crate) fn refusal(error: &ExecutionError, kind: ExecutionKind) -> Refusal {
	use ExecutionError::{BrokenArtifact, Internal, JobFailed, NotPrepared, Rejected, TimedOut, WorkerDied};
	match error {
		Rejected(_) => Refusal::Invalid(Reason::InvalidExecution),
		TimedOut(_) => Refusal::Invalid(Reason::ExecutionTimeout),
		WorkerDied(_) | JobFailed(_) | BrokenArtifact(_) if !is_backing(kind) => {
			Refusal::Invalid(Reason::ExecutionFailed)
		},
		WorkerDied(_) | JobFailed(_) | BrokenArtifact(_) | NotPrepared(_) | Internal(_) => {
			Refusal::Failed(Reason::ExecutionFailed)
		},
	}
}
