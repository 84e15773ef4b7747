//! Preparation jobs.

use super::{resources, watch, Answer, Watched};
use crate::{
	engine,
	error::PrepareError,
	protocol::{PrepareRequest, PrepareResponse, Prepared},
};
use headway_primitives::{ExecutorParam, PvfPrepKind};
use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf, time::Duration};

/// Stack of the compiling thread, bytes.
const STACK_BYTES: usize = 16 << 20;

/// Compiles, and writes the artifact.
pub(super) fn handle(request: PrepareRequest) -> Answer<PrepareResponse> {
	let cpu_time_max = Duration::from_millis(request.cpu_time_ms_max);
	let memory_max = match request.kind {
		PvfPrepKind::Precheck => request.executor_params.0.iter().find_map(|param| match param {
			ExecutorParam::PrecheckingMaxMemory(bytes) => Some(*bytes),
			_ => None,
		}),
		PvfPrepKind::Prepare => None,
	};
	match watch(STACK_BYTES, cpu_time_max, memory_max, move || prepare(request)) {
		(Watched::Done(result), taken) => Answer::Continue(result.map(|prepared| Prepared {
			cpu_time_us: taken.as_micros() as u64,
			max_rss_kib: resources::resident_kib_max(),
			..prepared
		})),
		(Watched::Panicked(message), _) => Answer::Last(Err(PrepareError::JobError(message))),
		(Watched::TimedOut, _) => Answer::Last(Err(PrepareError::TimedOut)),
		(Watched::OutOfMemory, _) => Answer::Last(Err(PrepareError::OutOfMemory)),
		(Watched::NoThread(error), _) => Answer::Last(Err(PrepareError::IoErr(error))),
	}
}

fn prepare(request: PrepareRequest) -> PrepareResponse {
	let code = engine::decompress_code(&request.code, request.bomb_limit)?;
	let artifact = engine::prepare(&code, &request.executor_params, request.kind)?;
	let path = PathBuf::from(OsString::from_vec(request.artifact_path));
	std::fs::write(&path, &artifact).map_err(|error| PrepareError::IoErr(error.to_string()))?;
	Ok(Prepared {
		checksum: sp_crypto_hashing::twox_256(&artifact),
		size: artifact.len() as u64,
		cpu_time_us: 0,
		max_rss_kib: 0,
		code_size: code.len() as u64,
	})
}
