//! Maps by what is a hash, or a key, already: blocks, candidates, heads, peers, authorities.
//!
//! For what is looked up with every message or candidate, and never iterated where the order could reach an effect.

use std::{
	collections::{HashMap, HashSet},
	hash::{BuildHasherDefault, Hasher},
};

/// A map by hash.
pub type ByHash<K, V> = HashMap<K, V, BuildHasherDefault<WordsOfHash>>;

/// A set of hashes.
pub type HashKeys<K> = HashSet<K, BuildHasherDefault<WordsOfHash>>;

/// Folds the words of a hash into one: there is no need to spread them first.
///
/// Somebody who tries long enough can find candidates or keys that are folded alike. A lookup then compares them one after
/// the other: all maps have a bound, and that is what it costs at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct WordsOfHash(u64);

/// Odd, with bits all over, so that those of small numbers get everywhere too.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl WordsOfHash {
	fn fold(&mut self, word: u64) {
		// Both halves of the product together depend on all bits of the word.
		let product = u128::from(self.0 ^ word) * u128::from(SPREAD);
		self.0 = product as u64 ^ (product >> 64) as u64;
	}
}

impl Hasher for WordsOfHash {
	fn write(&mut self, bytes: &[u8]) {
		let (words, rest) = bytes.as_chunks();
		words.iter().for_each(|word| self.fold(u64::from_le_bytes(*word)));
		rest.iter().for_each(|byte| self.fold((*byte).into()));
	}

	fn write_usize(&mut self, n: usize) {
		self.fold(n as u64);
	}

	fn finish(&self) -> u64 {
		self.0
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_primitives::Hash;

	#[test]
	fn all_words_of_a_hash_count() {
		let finish = |hash: Hash| {
			let mut hasher = WordsOfHash::default();
			hasher.write(&hash.0);
			hasher.finish()
		};
		let one_bit = (0..32).map(|byte| {
			let mut hash = Hash::zero();
			hash.0[byte] = 1;
			finish(hash)
		});
		let distinct: HashSet<u64> = one_bit.collect();
		assert_eq!(distinct.len(), 32);
		assert_ne!(finish(Hash::repeat_byte(1)), finish(Hash::repeat_byte(2)));
	}

	#[test]
	fn what_is_made_of_small_numbers_is_spread_too() {
		for shift in [0, 7, 31] {
			let lowest = (0..=255u8).map(|n| {
				let mut hash = Hash::zero();
				hash.0[shift] = n;
				let mut hasher = WordsOfHash::default();
				hasher.write(&hash.0);
				hasher.finish() & 0xff
			});
			let distinct: HashSet<u64> = lowest.collect();
			assert!(distinct.len() > 128, "{} of 256 places at byte {shift}", distinct.len());
		}
	}

	#[test]
	fn what_is_put_in_is_found() {
		let map: ByHash<Hash, u64> = (0..1000).map(|n| (Hash::from_low_u64_be(n), n)).collect();
		assert!((0..1000).all(|n| map.get(&Hash::from_low_u64_be(n)) == Some(&n)));
		assert_eq!(map.get(&Hash::from_low_u64_be(1000)), None);
	}
}
