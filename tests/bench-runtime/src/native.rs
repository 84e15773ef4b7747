//! The host's build of the runtime behind the interface of a Wasm executor: quick to start, for tests.

use codec::Encode;
use sp_core::traits::{CallContext, CodeExecutor, ReadRuntimeVersion, RuntimeCode};
use sp_externalities::{set_and_run_with_externalities, Externalities};

/// Runs the runtime that this program is linked with, whatever code it is given.
#[derive(Clone, Copy, Debug)]
pub struct Native;

impl ReadRuntimeVersion for Native {
	fn read_runtime_version(&self, _: &[u8], _: &mut dyn Externalities) -> Result<Vec<u8>, String> {
		Ok(headway_relay_runtime::VERSION.encode())
	}
}

impl CodeExecutor for Native {
	type Error = String;

	fn call(
		&self,
		ext: &mut dyn Externalities,
		_: &RuntimeCode,
		method: &str,
		data: &[u8],
		_: CallContext,
	) -> (Result<Vec<u8>, String>, bool) {
		let answer =
			set_and_run_with_externalities(ext, || headway_relay_runtime::api::dispatch(method, data));
		(answer.ok_or_else(|| "there is no such call".into()), true)
	}
}
