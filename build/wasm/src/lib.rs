//! Builds a `no_std` crate of this workspace into a Wasm blob, from the build script of the crate that
//! embeds the blob.
//!
//! The relay chain runtime and the validation function of the demonstration parachain are compiled twice:
//! as ordinary libraries for the host, and for `wasm32v1-none`, as the code that goes on chain. This crate
//! does the second part: it runs a second cargo on the same workspace and lock file, with the link
//! arguments that a Substrate executor expects, and writes a Rust file with the blob in it.
//!
//! ```no_run
//! // In `main` of build.rs; `headway-wasm-build` is an optional build dependency behind the feature `std`.
//! headway_wasm_build::Blob::new("headway-relay-runtime").runtime().build();
//! ```
//! ```text
//! // lib.rs
//! #[cfg(feature = "std")]
//! include!(concat!(env!("OUT_DIR"), "/headway_relay_runtime.rs"));
//! ```
//!
//! # Variables
//!
//! * `HEADWAY_SKIP_WASM`: when it is neither empty nor `0`, nothing is built and the constants are `None`.
//!   For quick checks of host code; a node made this way has no genesis code.
//! * `HEADWAY_WASM_TOOLCHAIN` (or `WASM_BUILD_TOOLCHAIN`): a rustup toolchain, or the path of a folder that
//!   contains `bin/cargo` and `bin/rustc`. Without it a toolchain is looked for; see [`toolchain`].
//! * `CARGO_TARGET_WASM32V1_NONE_LINKER`: the linker, as cargo defines it.
//!
//! # What it never does
//!
//! It installs nothing and changes no toolchain (`make deps` does that), and it does not optimise the
//! linked blob further.
//!
//! # Map
//!
//! * [`toolchain`]: which cargo, rustc and linker.
//! * [`env`]: which variables of the outer cargo the inner one must not see.
//! * [`workspace`]: where the crate is, and which files its blob depends on.
//! * [`section`]: custom sections of a Wasm module.

#![forbid(unsafe_code)]

pub mod env;
pub mod section;
pub mod toolchain;
pub mod workspace;

use sp_maybe_compressed_blob::{compress_strongly, CODE_BLOB_BOMB_LIMIT};
use std::{
	ffi::OsString,
	fs, io,
	path::{Path, PathBuf},
	process::{Command, ExitStatus, Stdio},
};
use toolchain::{Machine, System, Toolchain};
use workspace::Workspace;

/// The compilation target of all blobs: the Wasm MVP with mutable globals, which is what Substrate
/// executors accept.
pub const TARGET: &str = "wasm32v1-none";

/// The cargo profile of the blobs, in the workspace manifest.
const PROFILE: &str = "wasm";

/// Variables that change what [`Blob::build`] does.
const VARIABLES: [&str; 4] = [
	"HEADWAY_SKIP_WASM",
	toolchain::VARIABLES[0],
	toolchain::VARIABLES[1],
	"CARGO_TARGET_WASM32V1_NONE_LINKER",
];

/// Why there is no blob.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// Not called from a build script, or by something that is not cargo.
	#[error("the variable {0} is not set: this library is for build scripts that cargo runs")]
	NotABuildScript(&'static str),
	/// The output folder is not inside of a cargo target directory.
	#[error("{} is not inside of a cargo target directory", .0.display())]
	NoTargetDirectory(PathBuf),
	/// No toolchain can build for [`TARGET`].
	#[error(transparent)]
	Toolchain(#[from] toolchain::Error),
	/// The workspace could not be read, or has no such crate.
	#[error(transparent)]
	Workspace(#[from] workspace::Error),
	/// The inner cargo failed; its own messages are above this one.
	#[error("building {package} for {TARGET} with {toolchain} failed ({status})")]
	Build {
		/// Package that was built.
		package: String,
		/// Description of the toolchain.
		toolchain: String,
		/// How cargo ended.
		status: ExitStatus,
	},
	/// A program could not be started or a file could not be accessed.
	#[error("{}: {error}", .path.display())]
	Io {
		/// The program or file.
		path: PathBuf,
		/// What the system says.
		error: io::Error,
	},
	/// The blob is not a well-formed sequence of Wasm sections.
	#[error("the blob of {0} is not a Wasm module")]
	Malformed(String),
	/// The blob lacks a custom section that [`Blob::require_section`] demands.
	#[error("the blob of {package} has no custom section `{section}`")]
	MissingSection {
		/// Package that was built.
		package: String,
		/// The section.
		section: String,
	},
	/// The blob exceeds what a node agrees to decompress.
	#[error("the blob of {package} has {size} bytes; nodes decompress at most {CODE_BLOB_BOMB_LIMIT}")]
	TooLarge {
		/// Package that was built.
		package: String,
		/// Its size in bytes.
		size: usize,
	},
}

/// What to build, and how to link it.
#[derive(Debug, Clone)]
pub struct Blob {
	package: String,
	features: Vec<String>,
	link_args: Vec<&'static str>,
	sections: Vec<String>,
	compress: bool,
}

impl Blob {
	/// The library of the workspace's `package`, without default features, uncompressed.
	pub fn new(package: impl Into<String>) -> Self {
		Self {
			package: package.into(),
			features: Vec::new(),
			// Executors call through the function table by its exported name.
			link_args: vec!["--export-table"],
			sections: Vec::new(),
			compress: false,
		}
	}

	/// All that a Substrate runtime needs: memory supplied by the executor, its heap base, the version
	/// section that nodes read without executing the blob, compression.
	pub fn runtime(self) -> Self {
		self.export_heap_base().import_memory().require_section("runtime_version").compress(true)
	}

	/// Enables features of the crate.
	pub fn features(mut self, features: &[&str]) -> Self {
		self.features.extend(features.iter().map(|f| f.to_string()));
		self
	}

	/// Exports `__heap_base`: where the executor's allocator may begin.
	pub fn export_heap_base(mut self) -> Self {
		self.link_args.push("--export=__heap_base");
		self
	}

	/// Imports the linear memory as `env.memory` instead of defining and exporting it.
	pub fn import_memory(mut self) -> Self {
		self.link_args.push("--import-memory");
		self
	}

	/// Fails the build if the blob has no custom section of this name.
	pub fn require_section(mut self, name: impl Into<String>) -> Self {
		self.sections.push(name.into());
		self
	}

	/// Whether `WASM_BINARY` is compressed (with the prefix that nodes recognise).
	pub fn compress(mut self, yes: bool) -> Self {
		self.compress = yes;
		self
	}

	/// Builds the blob and writes `$OUT_DIR/<package>.rs` (dashes as underscores) with the constants
	/// `WASM_BINARY` and `WASM_BINARY_BLOATY` (the same, never compressed), both `Option<&[u8]>`. A
	/// failure ends the build script.
	pub fn build(self) {
		if let Err(error) = self.try_build() {
			eprintln!("error: {error}");
			std::process::exit(1);
		}
	}

	/// As [`build`](Self::build), with the error.
	pub fn try_build(self) -> Result<(), Error> {
		let out_dir = PathBuf::from(script_variable("OUT_DIR")?);
		let generated = out_dir.join(format!("{}.rs", self.crate_name()));
		for variable in VARIABLES {
			println!("cargo:rerun-if-env-changed={variable}");
		}
		// The crate's own build script runs again inside of the Wasm build; there it has nothing to do.
		let inner = script_variable("TARGET")?.to_string_lossy().starts_with("wasm32");
		if inner || is_set(std::env::var_os("HEADWAY_SKIP_WASM")) {
			return write_if_changed(&generated, constants(None).as_bytes()).map(drop);
		}

		let workspace = Workspace::read(
			Path::new(&script_variable("CARGO")?),
			Path::new(&script_variable("CARGO_MANIFEST_DIR")?),
		)?;
		for path in workspace.inputs(&self.package)? {
			println!("cargo:rerun-if-changed={}", path.display());
		}
		let wasm = self.cargo(&workspace, &target_dir(&out_dir)?)?;
		self.check(&wasm)?;

		let bloaty = out_dir.join(format!("{}.wasm", self.crate_name()));
		let changed = write_if_changed(&bloaty, &wasm)?;
		let mut binary = bloaty.clone();
		if self.compress {
			binary = out_dir.join(format!("{}.compact.compressed.wasm", self.crate_name()));
			if changed || !binary.exists() {
				let package = self.package.clone();
				let compressed = compress_strongly(&wasm, CODE_BLOB_BOMB_LIMIT)
					.ok_or(Error::TooLarge { package, size: wasm.len() })?;
				write_if_changed(&binary, &compressed)?;
			}
		}
		write_if_changed(&generated, constants(Some((&binary, &bloaty))).as_bytes()).map(drop)
	}

	fn crate_name(&self) -> String {
		self.package.replace('-', "_")
	}

	/// Runs the inner cargo; returns the linked module.
	fn cargo(&self, workspace: &Workspace, target_dir: &Path) -> Result<Vec<u8>, Error> {
		let machine = System;
		let toolchain = toolchain::choose(&machine)?;
		let mut command = self.command(&toolchain, workspace, target_dir)?;
		for name in env::to_remove(std::env::vars_os().map(|(name, _)| name), !toolchain.running) {
			command.env_remove(name);
		}
		if let Some(path) = machine.var("LD_LIBRARY_PATH") {
			// Cargo put its own libraries there, for this script; the inner compiler finds its own.
			command.env("LD_LIBRARY_PATH", env::library_path(&path, target_dir, &machine));
		}
		toolchain.apply(&mut command);
		command.env("CARGO_ENCODED_RUSTFLAGS", rustflags(machine.var("CARGO_HOME"), target_dir));
		let status = command
			.stdin(Stdio::null())
			.stdout(Stdio::null())
			.status()
			.map_err(|error| Error::Io { path: toolchain.cargo.clone(), error })?;
		if !status.success() {
			let package = self.package.clone();
			return Err(Error::Build { package, toolchain: toolchain.name, status });
		}
		let path = target_dir.join(TARGET).join(PROFILE).join(format!("{}.wasm", self.crate_name()));
		fs::read(&path).map_err(|error| Error::Io { path, error })
	}

	/// The inner cargo's command line. Link arguments go to the last crate only, so that all blobs share
	/// the compiled dependencies.
	fn command(
		&self,
		toolchain: &Toolchain,
		workspace: &Workspace,
		target_dir: &Path,
	) -> Result<Command, Error> {
		let mut command = Command::new(&toolchain.cargo);
		command.current_dir(workspace.root()).args(["rustc", "--lib", "--crate-type=cdylib", "--locked"]);
		command.args(["--no-default-features", "--profile", PROFILE, "--target", TARGET]);
		command.arg("--manifest-path").arg(workspace.manifest(&self.package)?);
		command.arg("--target-dir").arg(target_dir);
		if !self.features.is_empty() {
			command.arg("--features").arg(self.features.join(","));
		}
		command.args(toolchain.cargo_args());
		command.arg("--").args(self.link_args.iter().map(|arg| format!("-Clink-arg={arg}")));
		Ok(command)
	}

	fn check(&self, wasm: &[u8]) -> Result<(), Error> {
		let names = section::custom(wasm).ok_or_else(|| Error::Malformed(self.package.clone()))?;
		match self.sections.iter().find(|wanted| !names.contains(wanted)) {
			Some(section) => {
				Err(Error::MissingSection { package: self.package.clone(), section: section.clone() })
			},
			None => Ok(()),
		}
	}
}

/// Flags for all crates of the blob. Without the path mappings the blob, and with it the genesis hash,
/// would depend on where the sources lie.
fn rustflags(cargo_home: Option<OsString>, target_dir: &Path) -> OsString {
	let mut flags = OsString::from("--cfg\u{1f}substrate_runtime");
	let mut remap = |from: &Path, to: &str| {
		flags.push("\u{1f}--remap-path-prefix=");
		flags.push(from);
		flags.push(to);
	};
	remap(target_dir, "=/wbuild");
	let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
	if let Some(cargo_home) = cargo_home.map(PathBuf::from).or(home) {
		remap(&cargo_home, "=/cargo");
	}
	flags
}

/// The inner cargo's target directory: `wbuild` beside `build` in the outer profile's folder. Not the outer
/// one, whose lock the outer cargo holds while it waits for this script.
fn target_dir(out_dir: &Path) -> Result<PathBuf, Error> {
	out_dir
		.ancestors()
		.find(|path| path.file_name().is_some_and(|name| name == "build"))
		.and_then(Path::parent)
		.map(|profile| profile.join("wbuild"))
		.ok_or_else(|| Error::NoTargetDirectory(out_dir.to_owned()))
}

/// The generated Rust source, for (binary, uncompressed binary).
fn constants(blobs: Option<(&Path, &Path)>) -> String {
	let (binary, bloaty) = match blobs {
		Some((binary, bloaty)) => {
			(format!("Some(include_bytes!({binary:?}))"), format!("Some(include_bytes!({bloaty:?}))"))
		},
		None => ("None".into(), "None".into()),
	};
	format!(
		"/// The Wasm blob. `None` if the build was told to skip it (`HEADWAY_SKIP_WASM`).\n\
         pub const WASM_BINARY: Option<&[u8]> = {binary};\n\
         /// The Wasm blob, never compressed. `None` as above.\n\
         pub const WASM_BINARY_BLOATY: Option<&[u8]> = {bloaty};\n"
	)
}

/// Writes unless the file has this content already, so that its time changes only with it. Returns whether
/// it wrote.
fn write_if_changed(path: &Path, content: &[u8]) -> Result<bool, Error> {
	if fs::read(path).is_ok_and(|old| old == content) {
		return Ok(false);
	}
	fs::write(path, content).map(|()| true).map_err(|error| Error::Io { path: path.to_owned(), error })
}

fn script_variable(name: &'static str) -> Result<OsString, Error> {
	std::env::var_os(name).ok_or(Error::NotABuildScript(name))
}

fn is_set(value: Option<OsString>) -> bool {
	value.is_some_and(|value| !value.is_empty() && value != "0")
}

#[cfg(test)]
mod tests;
