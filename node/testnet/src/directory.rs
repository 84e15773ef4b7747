//! The directory of a network: one network at a time lives in it, and all of them on the same genesis block.

use crate::{spec, Error};
use headway_primitives::Hash;
use serde_json::Value;
use std::{
	fs::{self, File},
	io::{Read, Seek, Write},
	path::{Path, PathBuf},
};

/// Makes the directory, and keeps other networks out of it. The system lets go of the lock when this process ends,
/// however it ends.
pub fn lock(base_dir: &Path) -> Result<File, Error> {
	fs::create_dir_all(base_dir).map_err(|error| Error::File { path: base_dir.into(), error })?;
	let path = base_dir.join(".lock");
	let file_error = |error| Error::File { path: path.clone(), error };
	let open = File::options().create(true).truncate(false).read(true).write(true).open(&path);
	let mut file = open.map_err(file_error)?;
	match file.try_lock() {
		Ok(()) => {},
		Err(fs::TryLockError::WouldBlock) => {
			let mut holder = String::new();
			// Whoever just took it may not have written its id yet.
			let _ = file.read_to_string(&mut holder);
			let holder = holder.trim().parse().ok();
			return Err(Error::InUse { base_dir: base_dir.into(), holder });
		},
		Err(fs::TryLockError::Error(error)) => return Err(file_error(error)),
	}
	// For whoever finds it locked.
	file.set_len(0).and_then(|()| file.rewind()).map_err(file_error)?;
	writeln!(file, "{}", std::process::id()).map_err(file_error)?;
	Ok(file)
}

/// Where the network's raw chain specification is.
pub fn spec_path(base_dir: &Path) -> PathBuf {
	base_dir.join("chain.json")
}

/// An error if nodes left databases of another genesis block in the directory. New nodes would start on theirs, and never
/// meet the old ones on the same chain.
pub fn check_genesis(base_dir: &Path, wanted: Hash) -> Result<(), Error> {
	let path = spec_path(base_dir);
	let Ok(stored) = fs::read(&path) else { return Ok(()) };
	let malformed = |error: String| Error::Spec(format!("{}: {error}", path.display()));
	let stored: Value = serde_json::from_slice(&stored).map_err(|error| malformed(error.to_string()))?;
	if !has_databases(base_dir, &spec::id(&stored)?) {
		return Ok(());
	}
	match spec::genesis_hash(&stored)? {
		stored if stored == wanted => Ok(()),
		stored => Err(Error::OtherGenesis { base_dir: base_dir.into(), stored, wanted }),
	}
}

fn has_databases(base_dir: &Path, chain_id: &str) -> bool {
	let nodes = fs::read_dir(base_dir).into_iter().flatten().flatten();
	nodes.into_iter().any(|node| node.path().join("chains").join(chain_id).join("db").exists())
}

/// Writes the chain specification in one step: who reads it meanwhile finds the old one or the new one.
pub fn write_spec(base_dir: &Path, spec: &Value) -> Result<PathBuf, Error> {
	let path = spec_path(base_dir);
	let new = path.with_extension("json.new");
	fs::write(&new, spec.to_string()).map_err(|error| Error::File { path: new.clone(), error })?;
	fs::rename(&new, &path).map_err(|error| Error::File { path: new, error })?;
	Ok(path)
}

#[cfg(test)]
mod tests {
	use super::*;
	use serde_json::json;

	#[test]
	fn a_directory_has_one_network_at_a_time_and_names_its_process() {
		let directory = tempfile::tempdir().unwrap();
		let held = lock(directory.path()).unwrap();
		let error = lock(directory.path()).unwrap_err().to_string();
		assert!(error.contains(&*directory.path().to_string_lossy()), "{error}");
		assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
		drop(held);
		lock(directory.path()).unwrap();
	}

	fn specification(value: &str) -> Value {
		json!({ "id": "x", "genesis": { "raw": { "top": { "0x01": value }, "childrenDefault": {} } } })
	}

	#[test]
	fn a_directory_with_databases_of_another_genesis_is_refused_with_both_hashes() {
		let directory = tempfile::tempdir().unwrap();
		let base_dir = directory.path();
		let hash = |value| spec::genesis_hash(&specification(value)).unwrap();
		let (stored, other) = (hash("0x02"), hash("0x03"));
		check_genesis(base_dir, stored).unwrap();
		write_spec(base_dir, &specification("0x02")).unwrap();
		// Without a database nothing is there that could be mixed up.
		check_genesis(base_dir, other).unwrap();
		fs::create_dir_all(base_dir.join("alice/chains/x/db")).unwrap();
		check_genesis(base_dir, stored).unwrap();
		let error = check_genesis(base_dir, other).unwrap_err().to_string();
		for part in [&format!("{stored:?}"), &format!("{other:?}"), "--base-dir", "elete"] {
			assert!(error.contains(part), "{part} is not in: {error}");
		}
	}
}
