//! Whether another process has the node's database open.
//!
//! The database itself only says that its lock is held. That is most often a node that was started before and still runs, so
//! its process is named.

use sc_service::DatabaseSource;
use std::{
	fs,
	os::unix::fs::MetadataExt,
	path::{Path, PathBuf},
	process,
};

/// Locks of databases: RocksDB's and ParityDB's.
const LOCKS: [&str; 2] = ["LOCK", "lock"];

/// Another process has the database open.
#[derive(Debug, thiserror::Error)]
#[error(
	"the database {} is in use by process {process} ({command}). Stop that one, or choose another --base-path",
	database.display()
)]
pub struct InUse {
	/// Where the database is.
	pub database: PathBuf,
	/// Id of the process.
	pub process: u32,
	/// What runs in it.
	pub command: String,
}

/// Fails if another process holds the lock of the database. What cannot be found out is left to the database.
pub fn check_free(database: &DatabaseSource) -> Result<(), InUse> {
	let folders = match database {
		DatabaseSource::Auto { rocksdb_path, paritydb_path, .. } => vec![rocksdb_path, paritydb_path],
		DatabaseSource::RocksDb { path, .. } | DatabaseSource::ParityDb { path } => vec![path],
		_ => Vec::new(),
	};
	for folder in folders {
		let holder = LOCKS.iter().find_map(|lock| holder(&folder.join(lock)));
		if let Some(process) = holder {
			return Err(InUse { database: folder.clone(), process, command: command(process) });
		}
	}
	Ok(())
}

/// The other process that holds a lock on a file, as far as the system tells.
fn holder(file: &Path) -> Option<u32> {
	let inode = fs::metadata(file).ok()?.ino();
	let locks = fs::read_to_string("/proc/locks").ok()?;
	let file = file.canonicalize().ok()?;
	let has_open = |process: &u32| match fs::read_dir(format!("/proc/{process}/fd")) {
		Ok(open) => open.flatten().any(|open| fs::read_link(open.path()).is_ok_and(|open| open == file)),
		// Somebody else's process does not show its files.
		Err(_) => Path::new(&format!("/proc/{process}")).exists(),
	};
	let holders: Vec<_> = holders(&locks, inode).filter(|process| *process != process::id()).collect();
	holders.into_iter().find(has_open)
}

/// Processes that hold locks on an inode, according to a list as in `/proc/locks`. Inodes of different file systems may have
/// the same number.
fn holders(locks: &str, inode: u64) -> impl Iterator<Item = u32> + '_ {
	locks.lines().filter_map(move |line| {
		// `1: POSIX  ADVISORY  WRITE 2105 fe:00:10117130 0 EOF`; who waits has an arrow behind the number.
		let mut words = line.split_whitespace().skip(4);
		let (process, file) = (words.next()?, words.next()?);
		(file.rsplit(':').next()?.parse() == Ok(inode)).then(|| process.parse().ok()).flatten()
	})
}

/// Name of the program, and of the node if it has one.
fn command(process: u32) -> String {
	let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
	let line = String::from_utf8_lossy(&line).into_owned();
	let mut words = line.split('\0');
	let program = words.next().and_then(|program| Path::new(program).file_name()).unwrap_or_default();
	let program = program.to_string_lossy();
	match words.find(|word| *word == "--name").and_then(|_| words.next()) {
		Some(name) => format!("{program} --name {name}"),
		None => program.into_owned(),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn holders_of_a_lock_are_read_and_those_who_wait_are_not() {
		let locks = "1: POSIX  ADVISORY  WRITE 2105 fe:00:77 0 EOF\n\
			1: -> POSIX  ADVISORY  WRITE 2106 fe:00:77 0 EOF\n\
			2: FLOCK  ADVISORY  READ 2107 fe:00:78 0 EOF\n\
			3: POSIX  ADVISORY  WRITE -1 fe:00:77 0 EOF\nnonsense\n";
		assert_eq!(holders(locks, 77).collect::<Vec<_>>(), [2105]);
		assert_eq!(holders(locks, 78).collect::<Vec<_>>(), [2107]);
		assert_eq!(holders(locks, 79).count(), 0);
	}

	#[test]
	fn a_database_that_nobody_or_only_this_process_has_open_is_free() {
		let folder = tempfile::tempdir().expect("temporary folders can be made");
		let database = DatabaseSource::RocksDb { path: folder.path().into(), cache_size: 0 };
		check_free(&database).expect("there is no database yet");
		let file = fs::File::create(folder.path().join("LOCK")).expect("the folder is ours");
		file.lock().expect("nobody else has the file");
		check_free(&database).expect("the lock is our own");
	}
}
