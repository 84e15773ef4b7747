//! What can go wrong, and whose fault it is (availability, approval, disputes §4.7).

use codec::{Decode, Encode};
use headway_machine::{ExecutionError, Reason};
use std::path::PathBuf;

/// Why code could not be prepared.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, thiserror::Error)]
pub enum PrepareError {
	/// It is not a Wasm module that could be a validation function.
	#[error("not a usable Wasm module: {0}")]
	#[codec(index = 0)]
	Prevalidation(String),
	/// It does not compile.
	#[error("compilation failed: {0}")]
	#[codec(index = 1)]
	Preparation(String),
	/// It compiles, but cannot be instantiated.
	#[error("compiled code cannot be instantiated: {0}")]
	#[codec(index = 2)]
	RuntimeConstruction(String),
	/// The compiler panicked.
	#[error("the compiler panicked: {0}")]
	#[codec(index = 3)]
	JobError(String),
	/// It took too long.
	#[error("preparation took too long")]
	#[codec(index = 4)]
	TimedOut,
	/// A file or a worker could not be accessed.
	#[error("input or output failed: {0}")]
	#[codec(index = 5)]
	IoErr(String),
	/// The artifact could not be given its name.
	#[error("artifact could not be moved into place: {0}")]
	#[codec(index = 7)]
	RenameTmpFile(String),
	/// It took more memory than prechecking grants.
	#[error("preparation took too much memory")]
	#[codec(index = 8)]
	OutOfMemory,
	/// The worker died.
	#[error("preparation worker died: {0}")]
	#[codec(index = 10)]
	JobDied(String),
	/// The code is compressed and cannot be decompressed within its limit.
	#[error("code cannot be decompressed: {0}")]
	#[codec(index = 12)]
	CouldNotDecompressCodeBlob(String),
}

impl PrepareError {
	/// Whether every validator would see the same failure: then code is refused in prechecking, and preparing it again is vain.
	pub fn is_deterministic(&self) -> bool {
		use PrepareError::{
			CouldNotDecompressCodeBlob, IoErr, JobDied, JobError, OutOfMemory, Preparation, Prevalidation,
			RenameTmpFile, RuntimeConstruction, TimedOut,
		};
		match self {
			Prevalidation(_) | Preparation(_) | JobError(_) | OutOfMemory | CouldNotDecompressCodeBlob(_) => {
				true
			},
			RuntimeConstruction(_) | TimedOut | IoErr(_) | RenameTmpFile(_) | JobDied(_) => false,
		}
	}
}

/// Why the host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
	/// The cache folder cannot be used.
	#[error("folder of compiled validation functions {}: {error}", .path.display())]
	Cache {
		/// The folder.
		path: PathBuf,
		/// What the system says.
		error: std::io::Error,
	},
	/// Metrics are registered already.
	#[error("metrics of the PVF host: {0}")]
	Metrics(#[from] substrate_prometheus_endpoint::PrometheusError),
	/// A worker does not start, or is of another version.
	#[error("worker of the PVF host: {0}")]
	Worker(#[from] crate::process::SpawnError),
}

/// Why one attempt at an execution failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AttemptError {
	/// The worker reports an invalid candidate: trap, bad output, wrong signature.
	InvalidCandidate(String),
	/// The proof of validity does not decompress.
	PovDecompression(String),
	/// Took longer than it may.
	TimedOut(String),
	/// The worker died in the middle; nobody knows why.
	WorkerDied(String),
	/// The worker's thread panicked.
	JobError(String),
	/// The artifact could not be turned into a module.
	RuntimeConstruction(String),
	/// The artifact is not what was prepared.
	CorruptedArtifact(String),
	/// The code cannot be prepared.
	Prepare(PrepareError),
	/// Something of ours.
	Internal(String),
}

/// A category of failures that is worth one more attempt (§4.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Retry {
	/// The worker died.
	Death,
	/// The worker's thread panicked.
	JobError,
	/// A failure of ours.
	Internal,
	/// Prepare again, then at once.
	Artifact,
}

impl AttemptError {
	/// Whether, and as what, another attempt may help.
	pub(crate) fn retry(&self) -> Option<Retry> {
		match self {
			Self::WorkerDied(_) => Some(Retry::Death),
			Self::JobError(_) => Some(Retry::JobError),
			Self::Internal(_) => Some(Retry::Internal),
			Self::RuntimeConstruction(_) | Self::CorruptedArtifact(_) => Some(Retry::Artifact),
			Self::InvalidCandidate(_) | Self::PovDecompression(_) | Self::TimedOut(_) | Self::Prepare(_) => {
				None
			},
		}
	}

	/// The verdict when no attempt is left.
	///
	/// In approvals and disputes, whatever a candidate could have provoked is held against it: else an attacker could stop
	/// finality at no cost. In backing nobody votes against anything; there only what is the candidate's fault for certain is
	/// held against its collator.
	pub(crate) fn verdict(self, backing: bool) -> ExecutionError {
		let invalid = |reason, detail| ExecutionError::Invalid { reason, detail };
		match self {
			Self::InvalidCandidate(detail) | Self::PovDecompression(detail) => {
				invalid(Reason::InvalidExecution, detail)
			},
			Self::TimedOut(detail) => invalid(Reason::ExecutionTimeout, detail),
			Self::WorkerDied(detail)
			| Self::JobError(detail)
			| Self::RuntimeConstruction(detail)
			| Self::CorruptedArtifact(detail) => {
				if backing {
					ExecutionError::Internal { detail }
				} else {
					invalid(Reason::InvalidExecution, detail)
				}
			},
			Self::Prepare(error) => ExecutionError::Internal { detail: error.to_string() },
			Self::Internal(detail) => ExecutionError::Internal { detail },
		}
	}
}
