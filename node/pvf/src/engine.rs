//! The Wasm engine and its semantics (availability, approval, disputes §4.1, §4.2). Called in workers only.
//!
//! All validators must come to the same result, so the environment is part of the protocol: which host functions exist, when the
//! stack is full, what a NaN looks like. Host functions of storage and offchain work are absent; a call traps. Those of the rest
//! that ask their environment for something find [`ValidationExternalities`].

use crate::{error::PrepareError, externalities::ValidationExternalities};
use headway_primitives::{
	ExecutorParam, ExecutorParams, PvfPrepKind, DEFAULT_LOGICAL_STACK_MAX, DEFAULT_NATIVE_STACK_MAX,
};
use sc_executor_common::{
	runtime_blob::RuntimeBlob,
	wasm_runtime::{HeapAllocStrategy, WasmModule},
};
use sc_executor_wasmtime::{
	Config, DeterministicStackLimit, InstantiationStrategy, Semantics, WasmtimeRuntime,
};
use sp_crypto_hashing::blake2_256;

/// Pages that a validation function is assumed to start with; [`ExecutorParam::MaxMemoryPages`] come on top.
const HEAP_PAGES_INITIAL: u32 = 32;
/// Default of [`ExecutorParam::MaxMemoryPages`].
const HEAP_PAGES_EXTRA: u32 = 2048;
/// Native stack that the engine itself needs beside the validation function's, bytes.
const STACK_BYTES_OVERHEAD: usize = 2 << 20;

/// Version of the engine: artifacts of another one do not load.
pub const ENGINE: &str = "sc-executor-wasmtime 0.47";

/// Host functions of validation functions.
type HostFunctions = (
	sp_io::misc::HostFunctions,
	sp_io::crypto::HostFunctions,
	sp_io::hashing::HostFunctions,
	sp_io::allocator::HostFunctions,
	sp_io::logging::HostFunctions,
	sp_io::trie::HostFunctions,
);

/// What of the parameters decides how code is compiled: artifacts are kept by it (§4.2). Blake2-256 of `prep` and the
/// encodings of those parameters.
pub fn preparation_hash(params: &ExecutorParams) -> [u8; 32] {
	use codec::Encode;
	let mut bytes = b"prep".to_vec();
	for param in &params.0 {
		if matches!(param, ExecutorParam::StackLogicalMax(_) | ExecutorParam::WasmExtBulkMemory) {
			param.encode_to(&mut bytes);
		}
	}
	blake2_256(&bytes)
}

/// Whether the parameters ask for something that this engine does not have.
pub fn unsupported(params: &ExecutorParams) -> Option<&'static str> {
	params.0.iter().find_map(|param| match param {
		ExecutorParam::EnabledHostFunction(_) => Some("host functions of elliptic curves (RFC-163)"),
		_ => None,
	})
}

/// Native stack of a thread that executes, bytes.
pub fn stack_bytes(params: &ExecutorParams) -> usize {
	native_stack_max(params) as usize + STACK_BYTES_OVERHEAD
}

fn native_stack_max(params: &ExecutorParams) -> u32 {
	let configured = params.0.iter().find_map(|param| match param {
		ExecutorParam::StackNativeMax(bytes) => Some(*bytes),
		_ => None,
	});
	configured.unwrap_or(DEFAULT_NATIVE_STACK_MAX)
}

fn semantics(params: &ExecutorParams) -> Semantics {
	let (mut pages, mut logical_max, mut wasm_bulk_memory) =
		(HEAP_PAGES_EXTRA, DEFAULT_LOGICAL_STACK_MAX, false);
	for param in &params.0 {
		match param {
			ExecutorParam::MaxMemoryPages(max) => pages = *max,
			ExecutorParam::StackLogicalMax(max) => logical_max = *max,
			ExecutorParam::WasmExtBulkMemory => wasm_bulk_memory = true,
			ExecutorParam::StackNativeMax(_)
			| ExecutorParam::PrecheckingMaxMemory(_)
			| ExecutorParam::PvfPrepTimeout(..)
			| ExecutorParam::PvfExecTimeout(..)
			| ExecutorParam::EnabledHostFunction(_) => {},
		}
	}
	Semantics {
		heap_alloc_strategy: HeapAllocStrategy::Dynamic {
			maximum_pages: Some(pages.saturating_add(HEAP_PAGES_INITIAL)),
		},
		instantiation_strategy: InstantiationStrategy::RecreateInstance,
		deterministic_stack_limit: Some(DeterministicStackLimit {
			logical_max,
			native_stack_max: native_stack_max(params),
		}),
		canonicalize_nans: true,
		// A job has the CPU time of one thread.
		parallel_compilation: false,
		wasm_multi_value: false,
		wasm_bulk_memory,
		wasm_reference_types: false,
		wasm_simd: false,
	}
}

fn config(params: &ExecutorParams) -> Config {
	Config { allow_missing_func_imports: true, cache_path: None, semantics: semantics(params) }
}

/// Decompresses code, within its limit.
pub fn decompress_code(code: &[u8], bomb_limit: u32) -> Result<std::borrow::Cow<'_, [u8]>, PrepareError> {
	sp_maybe_compressed_blob::decompress(code, bomb_limit as usize)
		.map_err(|error| PrepareError::CouldNotDecompressCodeBlob(error.to_string()))
}

/// Compiles decompressed code.
pub fn prepare(code: &[u8], params: &ExecutorParams, kind: PvfPrepKind) -> Result<Vec<u8>, PrepareError> {
	let blob = RuntimeBlob::new(code).map_err(|error| PrepareError::Prevalidation(error.to_string()))?;
	let artifact = sc_executor_wasmtime::prepare_runtime_artifact(blob, &semantics(params))
		.map_err(|error| PrepareError::Preparation(error.to_string()))?;
	if kind == PvfPrepKind::Precheck {
		load(&artifact, params).map_err(PrepareError::RuntimeConstruction)?;
	}
	Ok(artifact)
}

/// Turns an artifact into a module. The bytes must be what [`prepare`] returned: whoever calls has checked their hash.
#[allow(unsafe_code)]
fn load(artifact: &[u8], params: &ExecutorParams) -> Result<WasmtimeRuntime, String> {
	// SAFETY: the bytes are unmodified output of `prepare_runtime_artifact`, compared by hash with what the preparation
	// worker reported; they are in our memory, so nobody changes them meanwhile.
	let runtime = unsafe {
		sc_executor_wasmtime::create_runtime_from_artifact_bytes::<HostFunctions>(artifact, config(params))
	};
	runtime.map_err(|error| error.to_string())
}

/// Why a call gave no output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallError {
	/// The artifact could not be turned into a module.
	RuntimeConstruction(String),
	/// The call trapped, or something panicked.
	Failed(String),
}

/// Calls `validate_block` in a fresh instance, and answers its encoded result. The artifact must be what [`prepare`] returned:
/// whoever calls has checked its hash.
pub fn call(artifact: &[u8], params: &ExecutorParams, arguments: &[u8]) -> Result<Vec<u8>, CallError> {
	let mut externalities = ValidationExternalities::new();
	let done = sc_executor::with_externalities_safe(&mut externalities, || {
		let runtime = load(artifact, params).map_err(CallError::RuntimeConstruction)?;
		let failed = |error: sc_executor_common::error::Error| CallError::Failed(error.to_string());
		let mut instance = runtime.new_instance(semantics(params).heap_alloc_strategy).map_err(failed)?;
		instance.call_export("validate_block", arguments).map_err(failed)
	});
	done.unwrap_or_else(|panic| Err(CallError::Failed(panic.to_string())))
}

#[cfg(test)]
mod tests;
