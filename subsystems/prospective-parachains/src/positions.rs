//! Positions in a path by hash.

use std::{
	collections::{HashMap, HashSet},
	hash::{BuildHasherDefault, Hasher},
};

/// Positions by hash, of a candidate or of a head.
///
/// Never iterated where the order could reach an effect.
pub(crate) type Positions<K> = HashMap<K, usize, BuildHasherDefault<WordsOfHash>>;

/// Hashes, or what contains one, never iterated.
pub(crate) type HashKeys<K> = HashSet<K, BuildHasherDefault<WordsOfHash>>;

/// Takes a hash as it is: it needs no second hash to be spread evenly.
///
/// Somebody who tries many candidates can find some whose words agree in the bits that count. They would have to be
/// backed to stand in a path, and then a lookup compares that many keys, at most [`crate::MAX_CANDIDATES`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WordsOfHash(u64);

impl Hasher for WordsOfHash {
	fn write(&mut self, bytes: &[u8]) {
		for word in bytes.chunks(8) {
			let mut padded = [0; 8];
			padded[..word.len()].copy_from_slice(word);
			self.0 ^= u64::from_le_bytes(padded);
		}
	}

	fn finish(&self) -> u64 {
		self.0
	}
}
