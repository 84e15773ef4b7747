//! What the programs have in common: which blob they measure, and how they end.

use headway_relay_runtime::wasm_binary;
use std::{error::Error, fs, path::Path, process::ExitCode};

/// The Wasm blob of a file, or else the one that the program was built with. An error if it cannot be read, or the program
/// was built without.
pub fn blob(file: Option<&Path>) -> Result<Vec<u8>, Box<dyn Error>> {
	Ok(match file {
		Some(file) => fs::read(file)?,
		None => wasm_binary()?.to_vec(),
	})
}

/// Says what went wrong, if anything did.
pub fn exit_code(result: Result<(), Box<dyn Error>>) -> ExitCode {
	match result {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("error: {error}");
			ExitCode::FAILURE
		},
	}
}
