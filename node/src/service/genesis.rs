//! Whether a database belongs to the chain that the node is told to follow.
//!
//! A database keeps its genesis block, whatever the chain specification says. A node with another genesis block than its
//! peers has no peers, and does not say why.

use super::FullClient;
use headway_primitives::{Hash, Header};
use sc_service::{ChainSpec, Configuration};
use sp_blockchain::HeaderBackend;
use sp_core::storage::{StateVersion, Storage};
use sp_runtime::traits::{BlakeTwo256, Hash as _, Header as _};
use std::path::PathBuf;

/// The database belongs to another chain, or there is no telling.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// It belongs to another chain.
	#[error(
		"the database {} is that of another chain: its genesis block is {stored:?}, that of the chain specification is \
		 {wanted:?}. To go on, use the specification that it was made with; to start anew, delete it with `purge-chain`, or \
		 choose another --base-path",
		database.display()
	)]
	Other {
		/// Where the database is.
		database: PathBuf,
		/// Its genesis block.
		stored: Hash,
		/// That of the chain specification.
		wanted: Hash,
	},
	/// The chain specification makes no genesis block.
	#[error("genesis block: {0}")]
	Specification(String),
}

/// Where a database is that was there before this node opens it. Only such a one can be another chain's.
pub fn used_database(config: &Configuration) -> Option<PathBuf> {
	config.database.path().filter(|path| path.exists()).map(Into::into)
}

/// Fails if the database's genesis block is not that of the chain specification.
pub fn check(database: PathBuf, spec: &dyn ChainSpec, client: &FullClient) -> Result<(), Error> {
	let storage = spec.as_storage_builder().build_storage().map_err(Error::Specification)?;
	let stored = client.info().genesis_hash;
	match wanted(storage, stored) {
		Some(wanted) => Err(Error::Other { database, stored, wanted }),
		None => Ok(()),
	}
}

/// The genesis block that a state makes, if it is not `stored`. Which version of state tries the chain starts with is up to
/// its runtime.
fn wanted(storage: Storage, stored: Hash) -> Option<Hash> {
	let entries: Vec<_> = storage.top.into_iter().collect();
	let hash = |version| {
		let root = |entries| BlakeTwo256::trie_root(entries, version);
		Header::new(0, root(Vec::new()), root(entries.clone()), Hash::default(), Default::default()).hash()
	};
	(hash(StateVersion::V0) != stored).then(|| hash(StateVersion::V1)).filter(|wanted| *wanted != stored)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_genesis_block_is_recognised_in_both_versions_of_state_tries() {
		let storage = |value: u8| Storage {
			// The versions differ from 33 bytes on.
			top: [(b"key".to_vec(), vec![value; 100])].into(),
			children_default: Default::default(),
		};
		let of = |value| wanted(storage(value), Hash::default()).expect("no block has this hash");
		assert_ne!(of(1), of(2));
		assert_eq!(wanted(storage(1), of(1)), None);
		assert_eq!(wanted(storage(1), of(2)), Some(of(1)));
		let entries = storage(1).top.into_iter().collect();
		let root = BlakeTwo256::trie_root(entries, StateVersion::V0);
		let empty = BlakeTwo256::trie_root(Vec::new(), StateVersion::V0);
		let version_0 = Header::new(0, empty, root, Hash::default(), Default::default()).hash();
		assert_ne!(version_0, of(1));
		assert_eq!(wanted(storage(1), version_0), None);
	}
}
