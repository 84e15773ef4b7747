//! What machines keep on disk: where it stands, and how it is changed.
//!
//! Machines write and never read while they run, but for data that is served. What they must remember after a restart,
//! the driver hands them before anything else. A write is an effect, and whether it is durable comes back as an event.

/// A column of the database, as machines see it; the driver knows where it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Column {
	/// Chunks and data of candidates; read by key.
	Data,
	/// What of it there is, and until when; read in order, all of it at the start.
	Meta,
	/// What this validator signed and must not contradict; read in order, all of it at the start. It has to survive a
	/// failure of power as well.
	Votes,
	/// Scores of collators; all of it at the start.
	Scores,
}

/// Where something is stored.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StorageKey {
	/// The column.
	pub column: Column,
	/// The key within the column.
	pub key: Vec<u8>,
}

/// One change of the database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WriteOp {
	/// Stores a value.
	Put {
		/// Where.
		key: StorageKey,
		/// What.
		value: Vec<u8>,
	},
	/// Removes a value, if there is one.
	Delete {
		/// Where.
		key: StorageKey,
	},
}
