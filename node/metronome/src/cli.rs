//! Options and subcommands, for the command line of the node that embeds the collator. `export-genesis-*` are what zombienet
//! registers a para with.

use crate::fault::Fault;
use clap::Args;
use codec::Encode;
use headway_metronome_pvf::Head;
use headway_primitives::{ParaId, ValidationCode};
use std::{
	fs,
	io::{self, Write},
	path::PathBuf,
};

/// Options of the collator, beside those of the relay chain node that it embeds.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct CollatorArgs {
	/// Id of the parachain to collate for.
	#[arg(long, value_name = "ID", default_value_t = 2000)]
	pub parachain_id: u32,

	/// How long one block takes to execute, about, in milliseconds of this machine.
	#[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
	pub work_ms: u64,

	/// Size of one block, in KiB of bytes that do not compress.
	#[arg(long, value_name = "KIB", default_value_t = 1)]
	pub pov_kib: u64,

	/// Where the bytes in the blocks come from.
	#[arg(long, value_name = "NUMBER", default_value_t = 0)]
	pub payload_seed: u64,

	/// Para to send a message to now and then, once there is a channel. May be given several times.
	#[arg(long, value_name = "ID")]
	pub send_to: Vec<u32>,

	/// Blocks between two messages.
	#[arg(long, value_name = "BLOCKS", default_value_t = 5)]
	pub send_every: u32,

	/// File with validation code to upgrade to, as `export-genesis-wasm` writes it, hexadecimal or raw.
	#[arg(long, value_name = "PATH")]
	pub upgrade_to: Option<PathBuf>,

	/// File with the collator's secret seed, 32 bytes in hexadecimal. Without it, a key is generated and kept in the base path.
	#[arg(long, value_name = "PATH")]
	pub collator_key_file: Option<PathBuf>,

	/// Do this wrong now and then.
	#[arg(long, value_enum, value_name = "FAULT", help_heading = "Faults, for tests only")]
	pub fault: Option<Fault>,

	/// Good blocks before each faulty one.
	#[arg(long, value_name = "BLOCKS", default_value_t = 3, help_heading = "Faults, for tests only")]
	pub fault_after: u32,
}

impl Default for CollatorArgs {
	fn default() -> Self {
		Self {
			parachain_id: 2000,
			work_ms: 0,
			pov_kib: 1,
			payload_seed: 0,
			send_to: Vec::new(),
			send_every: 5,
			upgrade_to: None,
			collator_key_file: None,
			fault: None,
			fault_after: 3,
		}
	}
}

impl CollatorArgs {
	/// The para.
	pub fn para(&self) -> ParaId {
		ParaId(self.parachain_id)
	}

	/// The code to upgrade to, if a file with it is named.
	///
	/// # Errors
	///
	/// If it cannot be read, or holds hexadecimal digits that are none.
	pub fn upgrade_code(&self) -> io::Result<Option<ValidationCode>> {
		let Some(path) = &self.upgrade_to else { return Ok(None) };
		let named = |error: String| {
			io::Error::other(format!("validation code to upgrade to: {}: {error}", path.display()))
		};
		let content = fs::read(path).map_err(|error| named(error.to_string()))?;
		match content.strip_prefix(b"0x") {
			Some(digits) => {
				let code = hex::decode(digits.trim_ascii_end()).map_err(|error| named(error.to_string()))?;
				Ok(Some(ValidationCode(code)))
			},
			None => Ok(Some(ValidationCode(content))),
		}
	}
}

/// Where something exported goes, and options that tools add to every command.
#[derive(Clone, Debug, Args)]
pub struct Export {
	/// File to write to; standard output without it.
	pub output: Option<PathBuf>,

	/// Write bytes instead of hexadecimal digits.
	#[arg(long)]
	pub raw: bool,

	/// Accepted for compatibility, without effect: it is the same for all.
	#[arg(long, hide = true)]
	pub parachain_id: Option<u32>,

	/// Accepted for compatibility, without effect.
	#[arg(long, hide = true)]
	pub chain: Option<String>,

	/// Accepted for compatibility, without effect.
	#[arg(long, short = 'd', hide = true)]
	pub base_path: Option<PathBuf>,
}

impl Export {
	fn write(&self, bytes: &[u8]) -> io::Result<()> {
		let hexadecimal;
		let content = if self.raw {
			bytes
		} else {
			hexadecimal = format!("0x{}", hex::encode(bytes));
			hexadecimal.as_bytes()
		};
		match &self.output {
			Some(path) => fs::write(path, content),
			None => io::stdout().write_all(content),
		}
	}
}

/// Export the parachain's genesis head data.
#[derive(Clone, Debug, Args)]
pub struct ExportGenesisHead {
	/// Where to.
	#[clap(flatten)]
	pub export: Export,
}

impl ExportGenesisHead {
	/// Does it.
	pub fn run(&self) -> io::Result<()> {
		self.export.write(&genesis_head())
	}
}

/// Export the parachain's validation function.
#[derive(Clone, Debug, Args)]
pub struct ExportGenesisWasm {
	/// Where to.
	#[clap(flatten)]
	pub export: Export,

	/// Put this text into a section of its own, which makes it other code that does the same: something to upgrade to.
	#[arg(long, value_name = "TEXT")]
	pub mark: Option<String>,
}

impl ExportGenesisWasm {
	/// Does it.
	pub fn run(&self) -> io::Result<()> {
		let code = validation_code().ok_or_else(|| {
			io::Error::new(
				io::ErrorKind::NotFound,
				"this program was built without validation function (HEADWAY_SKIP_WASM)",
			)
		})?;
		match &self.mark {
			Some(mark) => self.export.write(&marked(code, mark)?),
			None => self.export.write(code),
		}
	}
}

/// The code with a custom section that holds the text.
fn marked(code: &[u8], text: &str) -> io::Result<Vec<u8>> {
	const CUSTOM: u8 = 0;
	const NAME: &[u8] = b"metronome";
	const BOMB_LIMIT: usize = 64 * 1024 * 1024;
	if text.len() > 100 {
		return Err(io::Error::new(io::ErrorKind::InvalidInput, "a mark has at most 100 bytes"));
	}
	let mut code =
		sp_maybe_compressed_blob::decompress(code, BOMB_LIMIT).map_err(io::Error::other)?.into_owned();
	// Lengths below 128 are one byte.
	code.extend([CUSTOM, (1 + NAME.len() + text.len()) as u8, NAME.len() as u8]);
	code.extend(NAME);
	code.extend(text.as_bytes());
	sp_maybe_compressed_blob::compress_strongly(&code, BOMB_LIMIT)
		.ok_or_else(|| io::Error::other("the validation function cannot be compressed"))
}

/// Head data that the parachain starts with.
pub fn genesis_head() -> Vec<u8> {
	Head::genesis().encode()
}

/// The validation function, compressed. None if the build was told to leave it out.
pub fn validation_code() -> Option<&'static [u8]> {
	headway_metronome_pvf::WASM_BINARY
}

#[cfg(test)]
mod tests {
	use super::*;
	use clap::Parser;

	#[derive(Parser)]
	struct Command {
		#[clap(flatten)]
		export: ExportGenesisHead,
	}

	#[test]
	fn genesis_head_is_exported_as_tools_ask_for_it() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("genesis-state-2000");
		let export = |extra: &[&str]| {
			let args = ["x", "--chain", "rococo.json", path.to_str().unwrap()];
			Command::parse_from(args.iter().chain(extra)).export.run().unwrap();
			fs::read(&path).unwrap()
		};
		assert_eq!(export(&[]), format!("0x{}", hex::encode(genesis_head())).into_bytes());
		assert_eq!(export(&["--raw", "-d", "scratch"]), genesis_head());
	}

	#[test]
	fn a_mark_makes_other_code() {
		let Some(code) = validation_code() else { return };
		let first = marked(code, "first").unwrap();
		assert_ne!(first, code);
		assert_ne!(first, marked(code, "second").unwrap());
		assert_eq!(first, marked(code, "first").unwrap());
		assert!(marked(code, &"x".repeat(101)).is_err());
	}

	#[test]
	fn code_to_upgrade_to_is_read_in_both_forms_and_what_is_wrong_is_named() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("code");
		let args = CollatorArgs { upgrade_to: Some(path.clone()), ..CollatorArgs::default() };
		assert!(args.upgrade_code().unwrap_err().to_string().contains(path.to_str().unwrap()));
		for content in [&b"\0asm"[..], b"0x0061736d\n"] {
			fs::write(&path, content).unwrap();
			assert_eq!(args.upgrade_code().unwrap(), Some(ValidationCode(b"\0asm".to_vec())));
		}
		fs::write(&path, "0xno").unwrap();
		assert!(args.upgrade_code().unwrap_err().to_string().contains(path.to_str().unwrap()));
		assert_eq!(CollatorArgs::default().upgrade_code().unwrap(), None);
	}

	#[derive(Parser)]
	struct Collator {
		#[clap(flatten)]
		args: CollatorArgs,
	}

	#[test]
	fn defaults_are_those_of_the_command_line() {
		assert_eq!(Collator::parse_from(["x"]).args, CollatorArgs::default());
	}
}
