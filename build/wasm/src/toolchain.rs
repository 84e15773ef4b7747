//! Which cargo, rustc and linker build the blobs.
//!
//! In this order:
//!
//! 1. the toolchain that one of [`VARIABLES`] names;
//! 2. the one that runs the build script, if `rustup target add wasm32v1-none` was done for it;
//! 3. the distribution's, in `/usr/bin`, which may be another version: with the target in its sysroot, or
//!    else with the sources of the standard library, from which `core` and `alloc` are then built along.
//!
//! The third is for machines whose rustup cannot fetch a target. Compiler and sources must be of one
//! version; that is why the running compiler is not combined with the distribution's sources.

use std::{
	ffi::OsString,
	path::{Path, PathBuf},
	process::{Command, Stdio},
};

use crate::TARGET;

/// Variables that name the toolchain, the first that is set and not empty: a name that rustup knows, or the
/// path of a folder.
pub const VARIABLES: [&str; 2] = ["HEADWAY_WASM_TOOLCHAIN", "WASM_BUILD_TOOLCHAIN"];

/// Cargo's variable for the linker.
const LINKER: &str = "CARGO_TARGET_WASM32V1_NONE_LINKER";

/// The first minor version of Rust 1 that knows [`TARGET`].
const MINOR_MIN: u32 = 84;

/// Why no toolchain was chosen.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
	/// The toolchain that the user named is not there.
	#[error("the Rust toolchain `{name}` ({variable}) is not installed")]
	NotInstalled {
		/// What the user named.
		name: String,
		/// In which variable.
		variable: &'static str,
	},
	/// The toolchain that the user named cannot build for [`TARGET`].
	#[error(
		"the Rust toolchain `{name}` ({variable}) cannot build for {TARGET}: \
         it has neither the target nor the sources of the standard library"
	)]
	NamedUnusable {
		/// What the user named.
		name: String,
		/// In which variable.
		variable: &'static str,
	},
	/// Nothing was found.
	#[error(
		"no Rust toolchain on this machine can build for {TARGET}. Run `make deps`, which installs what is \
         missing. (By hand: `rustup target add {TARGET}`, or where rustup has no network Debian's packages \
         rustc-web, cargo-web, rust-web-src and lld-22. To build without the Wasm blobs set \
         HEADWAY_SKIP_WASM=1.)"
	)]
	NoneFound,
	/// There is a compiler, but no linker.
	#[error(
        "the Rust toolchain in {} has no linker for {TARGET}. Run `make deps`, or name one (rust-lld or \
         wasm-ld) in {LINKER}",
        .0.display()
    )]
	NoLinker(PathBuf),
}

/// Where the standard library comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Std {
	/// Compiled already, in the sysroot.
	Precompiled,
	/// Built along from its sources.
	Source,
}

/// A toolchain that can build for [`TARGET`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
	/// For messages.
	pub name: String,
	/// The cargo program.
	pub cargo: PathBuf,
	/// The compiler program.
	pub rustc: PathBuf,
	/// Where the standard library comes from.
	pub std: Std,
	/// The linker, if the compiler or the user's variable does not find it.
	pub linker: Option<PathBuf>,
	/// Whether it is the one that runs the build script.
	pub running: bool,
}

impl Toolchain {
	/// Additional arguments for cargo.
	pub fn cargo_args(&self) -> &'static [&'static str] {
		match self.std {
			Std::Precompiled => &[],
			Std::Source => &["-Zbuild-std=core,alloc"],
		}
	}

	/// Sets the variables that make `command` (its cargo) use its compiler and linker.
	pub fn apply(&self, command: &mut Command) {
		command.env("RUSTC", &self.rustc);
		if self.std == Std::Source {
			// Building the standard library along is not stable; the bootstrap switch opens it on stable
			// compilers.
			command.env("RUSTC_BOOTSTRAP", "1");
		}
		if let Some(linker) = &self.linker {
			command.env(LINKER, linker);
		}
	}
}

/// What the choice asks of the machine.
pub trait Machine {
	/// The value of a variable.
	fn var(&self, name: &str) -> Option<OsString>;
	/// Whether there is a file or folder. Must be false for a dangling link.
	fn exists(&self, path: &Path) -> bool;
	/// Whether there is a folder with something in it.
	fn filled(&self, folder: &Path) -> bool;
	/// What a program prints; `None` if it cannot run or fails.
	fn output(&self, program: &Path, args: &[&str]) -> Option<String>;

	/// The compiler of the cargo that runs the build script.
	fn running_rustc(&self) -> PathBuf {
		self.var("RUSTC").unwrap_or_else(|| "rustc".into()).into()
	}

	/// The sysroot of a compiler.
	fn sysroot(&self, rustc: &Path) -> Option<PathBuf> {
		self.output(rustc, &["--print", "sysroot"]).map(|sysroot| sysroot.trim().into())
	}
}

/// The machine that this program runs on.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Machine for System {
	fn var(&self, name: &str) -> Option<OsString> {
		std::env::var_os(name)
	}

	fn exists(&self, path: &Path) -> bool {
		path.exists()
	}

	fn filled(&self, folder: &Path) -> bool {
		folder.read_dir().is_ok_and(|mut entries| entries.next().is_some())
	}

	fn output(&self, program: &Path, args: &[&str]) -> Option<String> {
		let output = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
		output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
	}
}

/// Chooses the toolchain, as the module's documentation says.
pub fn choose(machine: &dyn Machine) -> Result<Toolchain, Error> {
	let value_of = |variable: &&str| machine.var(variable).filter(|value| !value.is_empty());
	if let Some((variable, value)) = VARIABLES.iter().find_map(|v| Some((*v, value_of(v)?))) {
		return named(machine, variable, &value.to_string_lossy());
	}
	let rustc = machine.running_rustc();
	let candidate = Candidate::read(machine, rustc);
	if let Some(candidate) = candidate.filter(|candidate| candidate.has_target(machine)) {
		let cargo = machine.var("CARGO").unwrap_or_else(|| "cargo".into()).into();
		let name = "the running toolchain".to_string();
		return Ok(Toolchain {
			name,
			cargo,
			rustc: candidate.rustc,
			std: Std::Precompiled,
			linker: None,
			running: true,
		});
	}
	match in_folder(machine, Path::new("/usr"), "the distribution's toolchain")? {
		Some(toolchain) => Ok(toolchain),
		None => Err(Error::NoneFound),
	}
}

fn named(machine: &dyn Machine, variable: &'static str, name: &str) -> Result<Toolchain, Error> {
	let missing = || Error::NotInstalled { name: name.into(), variable };
	let folder = if name.contains('/') {
		PathBuf::from(name)
	} else {
		let rustc = machine.output(Path::new("rustup"), &["which", "--toolchain", name, "rustc"]);
		let rustc = PathBuf::from(rustc.ok_or_else(missing)?.trim());
		rustc.parent().and_then(Path::parent).ok_or_else(missing)?.to_owned()
	};
	if !["bin/cargo", "bin/rustc"].iter().all(|program| machine.exists(&folder.join(program))) {
		return Err(missing());
	}
	let unusable = || Error::NamedUnusable { name: name.into(), variable };
	in_folder(machine, &folder, &format!("the toolchain {name}"))?.ok_or_else(unusable)
}

/// The toolchain with `bin/cargo` and `bin/rustc` in `folder`, if it is one and can build for the target.
fn in_folder(machine: &dyn Machine, folder: &Path, name: &str) -> Result<Option<Toolchain>, Error> {
	let (cargo, rustc) = (folder.join("bin/cargo"), folder.join("bin/rustc"));
	if !machine.exists(&cargo) || !machine.exists(&rustc) {
		return Ok(None);
	}
	let Some(candidate) = Candidate::read(machine, rustc) else { return Ok(None) };
	let std = if candidate.has_target(machine) {
		Std::Precompiled
	} else if candidate.minor >= MINOR_MIN && candidate.has_sources(machine) {
		Std::Source
	} else {
		return Ok(None);
	};
	let linker = candidate.linker(machine)?;
	Ok(Some(Toolchain { name: name.into(), cargo, rustc: candidate.rustc, std, linker, running: false }))
}

/// A compiler, and what it says of itself.
struct Candidate {
	rustc: PathBuf,
	sysroot: PathBuf,
	host: String,
	/// 96 of Rust 1.96.0.
	minor: u32,
	/// 22 of LLVM 22.1.8.
	llvm_major: String,
}

impl Candidate {
	fn read(machine: &dyn Machine, rustc: PathBuf) -> Option<Self> {
		let sysroot = machine.sysroot(&rustc)?;
		let version = machine.output(&rustc, &["-vV"])?;
		let field = |key: &str| version.lines().find_map(|line| line.strip_prefix(key));
		Some(Self {
			sysroot,
			host: field("host: ")?.into(),
			minor: field("release: 1.")?.split('.').next()?.parse().ok()?,
			llvm_major: field("LLVM version: ").and_then(|v| v.split('.').next()).unwrap_or_default().into(),
			rustc,
		})
	}

	fn has_target(&self, machine: &dyn Machine) -> bool {
		// When rustup has to undo an installation, it leaves the empty folder behind.
		machine.filled(&self.sysroot.join("lib/rustlib").join(TARGET).join("lib"))
	}

	fn has_sources(&self, machine: &dyn Machine) -> bool {
		machine.exists(&self.sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml"))
	}

	fn own_linker(&self) -> PathBuf {
		self.sysroot.join("lib/rustlib").join(&self.host).join("bin/rust-lld")
	}

	/// The linker to name, unless cargo or the compiler knows one. Distributions do not put it beside the
	/// compiler.
	fn linker(&self, machine: &dyn Machine) -> Result<Option<PathBuf>, Error> {
		if machine.var(LINKER).is_some_and(|value| !value.is_empty()) {
			return Ok(None);
		}
		let runs = |linker: &Path| machine.output(linker, &["-flavor", "wasm", "--version"]).is_some();
		if runs(&self.own_linker()) {
			return Ok(None);
		}
		let mut others =
			vec![PathBuf::from(format!("wasm-ld-{}", self.llvm_major)), self.sysroot.join("bin/rust-lld")];
		others.extend(Candidate::read(machine, machine.running_rustc()).map(|running| running.own_linker()));
		others.push("wasm-ld".into());
		match others.into_iter().find(|linker| runs(linker)) {
			Some(linker) => Ok(Some(linker)),
			None => Err(Error::NoLinker(self.sysroot.clone())),
		}
	}
}
