//! Which variables of the outer cargo the inner one must not see.
//!
//! A build script inherits the user's variables and gets cargo's own: those that describe the package being
//! built, and those that chose its compiler and flags. Left in place, the latter would compile Wasm with
//! the host's flags, and either kind would make the inner cargo rebuild everything whenever it is called
//! from elsewhere. What says how to reach and reuse things (home, network, registries, job server) stays.

use crate::toolchain::Machine;
use std::{
	ffi::{OsStr, OsString},
	path::{Path, PathBuf},
};

/// Variables named `CARGO_…` that the inner cargo keeps: all others of this form are removed.
const KEPT_PREFIXES: [&str; 8] = [
	"CARGO_HOME",
	"CARGO_MAKEFLAGS",
	"CARGO_BUILD_JOBS",
	"CARGO_NET_",
	"CARGO_HTTP_",
	"CARGO_REGISTR",
	"CARGO_SOURCE_",
	"CARGO_TERM_",
];

/// Other variables that are removed.
const REMOVED: [&str; 18] = [
	"CARGO",
	"CLIPPY_ARGS",
	"DEBUG",
	"HOST",
	"NUM_JOBS",
	"OPT_LEVEL",
	"OUT_DIR",
	"PROFILE",
	"RUSTC",
	"RUSTC_BOOTSTRAP",
	"RUSTC_LINKER",
	"RUSTC_WORKSPACE_WRAPPER",
	"RUSTC_WRAPPER",
	"RUSTDOC",
	"RUSTDOCFLAGS",
	"RUSTFLAGS",
	"SYSROOT",
	"TARGET",
];

/// Those of `names` that are removed before the inner cargo runs. With a `foreign` toolchain (another than
/// the one that runs the build script) rustup's choice goes too.
pub fn to_remove(names: impl Iterator<Item = OsString>, foreign: bool) -> Vec<OsString> {
	names
		.filter(|name| {
			let name = name.to_string_lossy();
			if REMOVED.contains(&&*name) || (foreign && name == "RUSTUP_TOOLCHAIN") {
				return true;
			}
			let linker = name.starts_with("CARGO_TARGET_") && name.ends_with("_LINKER");
			let kept = linker || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
			name.starts_with("__CARGO_") || name.starts_with("DEP_") || (name.starts_with("CARGO_") && !kept)
		})
		.collect()
}

/// `LD_LIBRARY_PATH` without the entries that the outer cargo added: those of the running compiler and of
/// the outer target directory, which `target_dir` is in.
pub fn library_path(path: &OsStr, target_dir: &Path, machine: &dyn Machine) -> OsString {
	let running = machine.sysroot(&machine.running_rustc());
	let entries: Vec<PathBuf> = std::env::split_paths(path)
		.filter(|entry| {
			let of_compiler = running.as_ref().is_some_and(|sysroot| entry.starts_with(sysroot.join("lib")));
			let of_build = target_dir.parent().is_some_and(|profile| entry.starts_with(profile));
			!of_compiler && !of_build
		})
		.collect();
	// Joining cannot fail: splitting removed all separators.
	std::env::join_paths(entries).unwrap_or_default()
}
