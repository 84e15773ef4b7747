//! RocksDB columns of the parachains protocol.
//!
//! A database beside the client's own: what a validator promised to keep (available data), and what it must
//! not say differently after a restart (votes in backing, approvals, dispute votes). Layout and version are those of
//! availability, approval, disputes §7: one column family for each column, and a file that names the version.
//!
//! This crate knows no key and no value: what stands where is defined by the machine that asks for it. It
//! never repairs and never migrates; a database of another version is refused by name
//! ([`Error::UnknownVersion`]).
//!
//! # Map
//!
//! - this module: [`Storage`], [`Column`], [`Write`]
//! - `version`: the version file

#![forbid(unsafe_code)]

mod version;

pub use version::{VERSION, VERSION_FILE};

use rocksdb::{
	BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, Direction, IteratorMode, Options,
	WriteBatch, WriteOptions, DB,
};
use std::path::{Path, PathBuf};

/// A column of the database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Column {
	/// Available data and chunks.
	AvailabilityData,
	/// What of it there is, and until when.
	AvailabilityMeta,
	/// Approval voting: blocks, candidates, own assignments and approvals.
	Approval,
	/// Chain selection: leaves, stagnant and reverted blocks.
	ChainSelection,
	/// What this validator said of candidates: dispute votes, and votes in backing.
	///
	/// Keys begin with a name of their kind. With a column of its own for the latter the database would have another layout,
	/// and other software of this version would not open it.
	Disputes,
	/// Scores of collators.
	CollatorReputation,
}

impl Column {
	/// All of them, in the order of their numbers.
	pub const ALL: [Self; 6] = [
		Self::AvailabilityData,
		Self::AvailabilityMeta,
		Self::Approval,
		Self::ChainSelection,
		Self::Disputes,
		Self::CollatorReputation,
	];

	/// Name of the column family: as `kvdb-rocksdb` names them, `col` and the column's number.
	fn name(self) -> &'static str {
		match self {
			Self::AvailabilityData => "col0",
			Self::AvailabilityMeta => "col1",
			Self::Approval => "col2",
			Self::ChainSelection => "col3",
			Self::Disputes => "col4",
			Self::CollatorReputation => "col5",
		}
	}

	/// Whether what is written has to survive a failure of power as well: what was signed and must not be contradicted.
	fn is_synced(self) -> bool {
		matches!(self, Self::Approval | Self::Disputes)
	}

	/// Bytes of memory for cache and write buffers.
	fn memory_budget(self) -> usize {
		let mib = match self {
			Self::AvailabilityData => 25,
			Self::Approval => 5,
			Self::AvailabilityMeta | Self::ChainSelection | Self::Disputes | Self::CollatorReputation => 1,
		};
		mib * 1024 * 1024
	}

	fn options(self) -> Options {
		let mut blocks = BlockBasedOptions::default();
		blocks.set_block_cache(&Cache::new_lru_cache(self.memory_budget()));
		blocks.set_bloom_filter(10.0, false);
		let mut options = Options::default();
		options.set_block_based_table_factory(&blocks);
		options.optimize_level_style_compaction(self.memory_budget());
		options
	}
}

/// One change of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Write {
	/// Stores a value, in place of what is there.
	Put {
		/// The column.
		column: Column,
		/// The key.
		key: Vec<u8>,
		/// The value.
		value: Vec<u8>,
	},
	/// Removes a value, if there is one.
	Delete {
		/// The column.
		column: Column,
		/// The key.
		key: Vec<u8>,
	},
}

/// Why a database does not open, or an access to it fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// The directory or the version file is not accessible.
	#[error("{path}: {error}", path = .path.display())]
	Io {
		/// Which file.
		path: PathBuf,
		/// What went wrong.
		error: std::io::Error,
	},
	/// The version file does not hold a number.
	#[error("{path} does not hold a version number: {content:?}", path = .path.display())]
	UnreadableVersion {
		/// Which file.
		path: PathBuf,
		/// What it holds, at most its first 64 characters.
		content: String,
	},
	/// The database was written by software that is older or newer than this.
	#[error(
		"the database at {path} has version {found}, but this node reads only version {VERSION}; \
		 use the node that wrote it, or remove the directory to start without it", path = .path.display()
	)]
	UnknownVersion {
		/// Which database.
		path: PathBuf,
		/// The version that it has.
		found: u32,
	},
	/// Reading or writing failed: the disk is full or broken, or the database is damaged.
	#[error("database: {0}")]
	Database(#[from] rocksdb::Error),
	/// RocksDB does not open it: it is in use, or damaged.
	#[error("the database at {path} does not open: {error}", path = .path.display())]
	Open {
		/// Which database.
		path: PathBuf,
		/// What went wrong.
		error: rocksdb::Error,
	},
}

/// Key and value.
pub type Entry = (Box<[u8]>, Box<[u8]>);

/// An open database. Methods may be called from any thread; they block.
pub struct Storage {
	db: DB,
}

impl std::fmt::Debug for Storage {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Storage").field("path", &self.db.path()).finish()
	}
}

impl Storage {
	/// Opens the database in a directory of its own (`parachains/db` under the chain's base path), and makes
	/// it if there is none. A database without a version file is taken for one of this version.
	pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
		let path = path.as_ref();
		std::fs::create_dir_all(path).map_err(|error| Error::Io { path: path.to_owned(), error })?;
		version::check(path)?;
		let mut options = Options::default();
		options.create_if_missing(true);
		options.create_missing_column_families(true);
		// Enough for the few gigabytes that are ever here, and far below usual limits of a process.
		options.set_max_open_files(512);
		options.set_bytes_per_sync(1024 * 1024);
		options.set_max_total_wal_size(64 * 1024 * 1024);
		options.set_keep_log_file_num(1);
		let columns = Column::ALL.map(|column| ColumnFamilyDescriptor::new(column.name(), column.options()));
		let db = DB::open_cf_descriptors(&options, path, columns)
			.map_err(|error| Error::Open { path: path.to_owned(), error })?;
		version::write(path)?;
		Ok(Self { db })
	}

	fn family(&self, column: Column) -> &ColumnFamily {
		// `open` opened the families of all columns, and none is ever dropped.
		self.db.cf_handle(column.name()).expect("all columns were opened")
	}

	/// Reads a value.
	pub fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
		Ok(self.db.get_cf(self.family(column), key)?)
	}

	/// Writes all changes, in order, or none of them. When this returns, they survive a crash of the process; and if there
	/// is a value of [`Column::Approval`] or [`Column::Disputes`] among them, they and all that was written before survive
	/// a crash of the machine.
	pub fn write_batch(&self, writes: impl IntoIterator<Item = Write>) -> Result<(), Error> {
		let mut batch = WriteBatch::default();
		let mut options = WriteOptions::default();
		for write in writes {
			match write {
				Write::Put { column, key, value } => {
					if column.is_synced() {
						options.set_sync(true);
					}
					batch.put_cf(self.family(column), key, value);
				},
				Write::Delete { column, key } => batch.delete_cf(self.family(column), key),
			}
		}
		Ok(self.db.write_opt(batch, &options)?)
	}

	/// Entries whose key begins with `prefix`, ascending by key; all entries of the column if it is empty.
	/// They are those of the moment of the call.
	pub fn iter_prefix<'a>(
		&'a self,
		column: Column,
		prefix: &'a [u8],
	) -> impl Iterator<Item = Result<Entry, Error>> + 'a {
		let mode = IteratorMode::From(prefix, Direction::Forward);
		let entries = self.db.iterator_cf(self.family(column), mode);
		entries
			.map(|entry| entry.map_err(Error::from))
			.take_while(move |entry| entry.as_ref().map_or(true, |(key, _)| key.starts_with(prefix)))
	}
}

#[cfg(test)]
mod tests;
