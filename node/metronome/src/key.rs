//! The collator's key: by it validators know the collator. It holds no funds.

use headway_primitives::CollatorPair;
use sp_core::Pair;
use std::{
	fs, io,
	path::{Path, PathBuf},
};

/// File of a generated key, in the node's base path.
pub const KEY_FILE: &str = "collator-key";

/// Why there is no collator key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
	/// The file that was named cannot be read.
	#[error("collator key: cannot read {}: {error}. Generate one with `head -c 32 /dev/urandom | xxd -p -c 64`, or leave out --collator-key-file to have one generated", .path.display())]
	Read {
		/// The file.
		path: PathBuf,
		/// What the system says.
		error: io::Error,
	},
	/// The file does not contain a seed.
	#[error("collator key: {} does not contain a seed of 32 bytes in hexadecimal", .path.display())]
	Malformed {
		/// The file.
		path: PathBuf,
	},
	/// The generated key cannot be kept.
	#[error("collator key: cannot write {}: {error}", .path.display())]
	Write {
		/// The file.
		path: PathBuf,
		/// What the system says.
		error: io::Error,
	},
}

/// The key in the file that was named; else the one in the base path, generated at the first start; else, without a base path, a
/// new one.
pub fn collator_key(named: Option<&Path>, base_path: Option<&Path>) -> Result<CollatorPair, KeyError> {
	if let Some(path) = named {
		return read(path);
	}
	let Some(base_path) = base_path else { return Ok(CollatorPair::generate().0) };
	let path = base_path.join(KEY_FILE);
	match read(&path) {
		Err(KeyError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => generate(path),
		result => result,
	}
}

fn read(path: &Path) -> Result<CollatorPair, KeyError> {
	let text = fs::read_to_string(path).map_err(|error| KeyError::Read { path: path.into(), error })?;
	let malformed = || KeyError::Malformed { path: path.into() };
	let text = text.trim();
	let seed = hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|_| malformed())?;
	CollatorPair::from_seed_slice(&seed).map_err(|_| malformed())
}

fn generate(path: PathBuf) -> Result<CollatorPair, KeyError> {
	let (pair, seed) = CollatorPair::generate();
	let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
		use std::{io::Write, os::unix::fs::OpenOptionsExt};
		let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
		writeln!(file, "{}", hex::encode(seed))
	});
	written.map_err(|error| KeyError::Write { path, error })?;
	Ok(pair)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_generated_key_stays_the_same() {
		let folder = tempfile::tempdir().unwrap();
		let base_path = folder.path().join("data");
		let first = collator_key(None, Some(&base_path)).unwrap();
		assert_eq!(first.public(), collator_key(None, Some(&base_path)).unwrap().public());
		assert_eq!(first.public(), collator_key(Some(&base_path.join(KEY_FILE)), None).unwrap().public());
	}

	#[test]
	fn a_missing_or_malformed_key_is_one_clear_error() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("key");
		let error = collator_key(Some(&path), None).map(|pair| pair.public()).unwrap_err();
		assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
		fs::write(&path, "0x1234").unwrap();
		let error = collator_key(Some(&path), None).map(|pair| pair.public()).unwrap_err();
		assert!(matches!(error, KeyError::Malformed { .. }));
		fs::write(folder.path().join(KEY_FILE), "no seed").unwrap();
		assert!(collator_key(None, Some(folder.path())).is_err());
	}
}
