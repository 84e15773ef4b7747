//! What can go wrong with preparations and at start (availability, approval, disputes §4.7). What happens to an execution is
//! `headway_machine`'s `ExecutionError`.

use codec::{Decode, Encode};
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
