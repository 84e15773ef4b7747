//! Execution jobs.

use super::{watch, Answer, Watched};
use crate::{
	engine::{self, CallError},
	protocol::{self, ExecuteOutcome, ExecuteRequest, ExecuteResponse, FRAME_BYTES_MAX},
};
use codec::{Decode, Encode};
use headway_primitives::{BlockData, ValidationParams, ValidationResult, POV_BOMB_LIMIT};
use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf, time::Duration};

/// What precedes the hashes that validation functions get with descriptors of version 3.
const EXTENSION_V3: u8 = 3;

/// Calls `validate_block` once.
pub(super) fn handle(request: ExecuteRequest) -> Answer<ExecuteResponse> {
	let cpu_time_max = Duration::from_millis(request.cpu_time_ms_max);
	let stack_bytes = engine::stack_bytes(&request.executor_params);
	let (watched, taken) = watch(stack_bytes, cpu_time_max, None, move || execute(request));
	let response =
		|(outcome, pov_size)| ExecuteResponse { outcome, cpu_time_us: taken.as_micros() as u64, pov_size };
	match watched {
		Watched::Done((outcome, pov_size)) => {
			let answer = response((outcome, pov_size));
			Answer::Continue(if protocol::fits(&answer) {
				answer
			} else {
				let detail = format!("result of more than {FRAME_BYTES_MAX} bytes");
				response((ExecuteOutcome::InvalidCandidate(detail), pov_size))
			})
		},
		Watched::Panicked(message) => Answer::Last(response((ExecuteOutcome::JobError(message), 0))),
		Watched::TimedOut => Answer::Last(response((ExecuteOutcome::TimedOut, 0))),
		Watched::NoThread(error) => Answer::Last(response((ExecuteOutcome::Internal(error), 0))),
		Watched::OutOfMemory => Answer::Last(response((ExecuteOutcome::Internal("out of memory".into()), 0))),
	}
}

fn execute(request: ExecuteRequest) -> (ExecuteOutcome, u64) {
	let mut pov_size = 0;
	let outcome = match try_execute(request, &mut pov_size) {
		Ok(result) => ExecuteOutcome::Ok(result),
		Err(outcome) => outcome,
	};
	(outcome, pov_size)
}

fn try_execute(request: ExecuteRequest, pov_size: &mut u64) -> Result<ValidationResult, ExecuteOutcome> {
	let path = PathBuf::from(OsString::from_vec(request.artifact_path));
	let artifact = std::fs::read(path)
		.map_err(|error| ExecuteOutcome::CorruptedArtifact(format!("artifact cannot be read: {error}")))?;
	if sp_crypto_hashing::twox_256(&artifact) != request.checksum {
		return Err(ExecuteOutcome::CorruptedArtifact("artifact is not the one that was prepared".into()));
	}
	let block_data = sp_maybe_compressed_blob::decompress(&request.pov.block_data.0, POV_BOMB_LIMIT)
		.map_err(|error| ExecuteOutcome::PovDecompression(format!("proof of validity: {error}")))?
		.into_owned();
	*pov_size = block_data.len() as u64;
	let mut arguments = ValidationParams {
		parent_head: request.parent_head,
		block_data: BlockData(block_data),
		relay_parent_number: request.relay_parent_number,
		relay_parent_storage_root: request.relay_parent_storage_root,
	}
	.encode();
	if let Some(hashes) = request.extension {
		(EXTENSION_V3, hashes).encode_to(&mut arguments);
	}
	let result =
		engine::call(&artifact, &request.executor_params, &arguments).map_err(|error| match error {
			CallError::RuntimeConstruction(detail) => ExecuteOutcome::RuntimeConstruction(detail),
			CallError::Failed(detail) => ExecuteOutcome::InvalidCandidate(detail),
		})?;
	// What may follow the result does not count: all validators have to come to the same verdict.
	ValidationResult::decode(&mut &result[..])
		.map_err(|error| ExecuteOutcome::InvalidCandidate(format!("result cannot be decoded: {error}")))
}
