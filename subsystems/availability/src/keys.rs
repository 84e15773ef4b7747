//! What is stored under which key (availability, approval, disputes §3.4).

use bitvec::{order::Lsb0, vec::BitVec};
use codec::{Decode, Encode, Input, Output};
use headway_machine::{Column, StorageKey};
use headway_primitives::{BlockNumber, CandidateHash, Hash, ValidatorIndex};

const AVAILABLE: &[u8] = b"available";
const CHUNK: &[u8] = b"chunk";
const META: &[u8] = b"meta";
const UNFINALIZED: &[u8] = b"unfinalized";
const PRUNE_BY_TIME: &[u8] = b"prune_by_time";
const BITFIELD: &[u8] = b"bitfield";
/// Value of keys that say all by themselves.
pub(crate) const TOMBSTONE: &[u8] = b" ";

fn data(parts: &[&[u8]]) -> StorageKey {
	StorageKey { column: Column::Data, key: parts.concat() }
}

fn meta(parts: &[&[u8]]) -> StorageKey {
	StorageKey { column: Column::Meta, key: parts.concat() }
}

/// Key of a candidate's data.
pub fn available_data(candidate: &CandidateHash) -> StorageKey {
	data(&[AVAILABLE, candidate.0.as_bytes()])
}

/// Key of a chunk, by the validator whose chunk it is (not by chunk index).
pub fn chunk(candidate: &CandidateHash, validator: ValidatorIndex) -> StorageKey {
	data(&[CHUNK, candidate.0.as_bytes(), &validator.0.to_le_bytes()])
}

/// Key of a [`CandidateMeta`].
pub fn candidate_meta(candidate: &CandidateHash) -> StorageKey {
	meta(&[META, candidate.0.as_bytes()])
}

/// Key that says that a candidate is included in a block that is not finalized.
pub fn unfinalized(number: BlockNumber, block: &Hash, candidate: &CandidateHash) -> StorageKey {
	meta(&[UNFINALIZED, &number.to_be_bytes(), block.as_bytes(), candidate.0.as_bytes()])
}

/// Key that says when a candidate is removed.
pub fn prune_by_time(seconds: u64, candidate: &CandidateHash) -> StorageKey {
	meta(&[PRUNE_BY_TIME, &seconds.to_be_bytes(), candidate.0.as_bytes()])
}

/// Key of the bitfield that we signed for a leaf. Not in the specification: other software passes it over.
pub fn bitfield(leaf: &Hash) -> StorageKey {
	meta(&[BITFIELD, leaf.as_bytes()])
}

/// Whether a key of [`Column::Meta`] is one of a bitfield, and of which leaf, if that can be read.
pub(crate) fn bitfield_leaf(key: &[u8]) -> Option<Option<Hash>> {
	let leaf = key.strip_prefix(BITFIELD)?;
	Some(<[u8; 32]>::try_from(leaf).ok().map(Hash::from))
}

/// A key of [`Column::Meta`] that is about a candidate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum MetaKey {
	Candidate(CandidateHash),
	Unfinalized(BlockNumber, Hash, CandidateHash),
	PruneByTime(u64, CandidateHash),
}

impl MetaKey {
	/// Reads a key; none if it is none of ours.
	pub(crate) fn parse(key: &[u8]) -> Option<Self> {
		fn hash(bytes: &[u8]) -> Option<Hash> {
			<[u8; 32]>::try_from(bytes).ok().map(Hash::from)
		}
		if let Some(rest) = key.strip_prefix(UNFINALIZED) {
			let (number, rest) = rest.split_first_chunk::<4>()?;
			let (block, candidate) = rest.split_first_chunk::<32>()?;
			return Some(Self::Unfinalized(
				u32::from_be_bytes(*number),
				block.into(),
				CandidateHash(hash(candidate)?),
			));
		}
		if let Some(rest) = key.strip_prefix(PRUNE_BY_TIME) {
			let (seconds, candidate) = rest.split_first_chunk::<8>()?;
			return Some(Self::PruneByTime(u64::from_be_bytes(*seconds), CandidateHash(hash(candidate)?)));
		}
		Some(Self::Candidate(CandidateHash(hash(key.strip_prefix(META)?)?)))
	}
}

/// What there is of a candidate.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct CandidateMeta {
	/// How far it is on its way to finality.
	pub state: State,
	/// Whether its data is stored.
	pub data_available: bool,
	/// Which chunks are stored, by validator.
	pub chunks_stored: BitVec<u8, Lsb0>,
}

/// How far a candidate is on its way to finality. Times are seconds since the Unix epoch.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum State {
	/// Not included in any block that we know, since a time.
	#[codec(index = 0)]
	Unavailable(BigEndian<u64>),
	/// Known since a time, and included in these blocks, ascending.
	#[codec(index = 1)]
	Unfinalized(BigEndian<u64>, Vec<(BigEndian<BlockNumber>, Hash)>),
	/// Included in a block that was finalized at a time.
	#[codec(index = 2)]
	Finalized(BigEndian<u64>),
}

/// A number whose encoding sorts as the number does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BigEndian<N>(pub N);

macro_rules! big_endian {
	($($number:ty),*) => { $(
		impl Encode for BigEndian<$number> {
			fn size_hint(&self) -> usize {
				size_of::<$number>()
			}

			fn encode_to<O: Output + ?Sized>(&self, out: &mut O) {
				out.write(&self.0.to_be_bytes());
			}
		}

		impl Decode for BigEndian<$number> {
			fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
				Decode::decode(input).map(<$number>::from_be_bytes).map(Self)
			}
		}
	)* };
}
big_endian!(u32, u64);

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::testing::hash;

	#[test]
	fn keys_are_laid_out_as_documented() {
		let candidate = CandidateHash(Hash::repeat_byte(7));
		let expected = |prefix: &[u8], middle: &[u8]| [prefix, middle, &[7; 32]].concat();
		assert_eq!(available_data(&candidate).key, expected(b"available", &[]));
		assert_eq!(
			chunk(&candidate, ValidatorIndex(258)).key,
			[&expected(b"chunk", &[])[..], &[2, 1, 0, 0]].concat()
		);
		assert_eq!(candidate_meta(&candidate).key, expected(b"meta", &[]));
		assert_eq!(bitfield(&candidate.0).key, expected(b"bitfield", &[]));
		assert_eq!(bitfield_leaf(&expected(b"bitfield", &[])), Some(Some(candidate.0)));
		assert_eq!(bitfield_leaf(&expected(b"bitfield", &[1])), Some(None));
		assert_eq!(bitfield_leaf(&expected(b"meta", &[])), None);
		let block = Hash::repeat_byte(9);
		let middle = [&[0, 0, 1, 2][..], &[9; 32]].concat();
		assert_eq!(unfinalized(258, &block, &candidate).key, expected(b"unfinalized", &middle));
		assert_eq!(prune_by_time(258, &candidate).key, expected(b"prune_by_time", &[0, 0, 0, 0, 0, 0, 1, 2]));
	}

	#[test]
	fn meta_keys_parse_and_foreign_ones_do_not() {
		let candidate = CandidateHash(hash(7));
		for (key, parsed) in [
			(candidate_meta(&candidate), MetaKey::Candidate(candidate)),
			(unfinalized(5, &hash(6), &candidate), MetaKey::Unfinalized(5, hash(6), candidate)),
			(prune_by_time(u64::MAX, &candidate), MetaKey::PruneByTime(u64::MAX, candidate)),
		] {
			assert_eq!(MetaKey::parse(&key.key), Some(parsed));
			assert_eq!(MetaKey::parse(&key.key[..key.key.len() - 1]), None);
			assert_eq!(MetaKey::parse(&[&key.key[..], &[0]].concat()), None);
		}
		assert_eq!(MetaKey::parse(b"something"), None);
		assert_eq!(MetaKey::parse(b""), None);
	}

	#[test]
	fn meta_is_encoded_with_times_and_numbers_big_endian() {
		let meta = CandidateMeta {
			state: State::Unfinalized(BigEndian(1), vec![(BigEndian(2), Hash::repeat_byte(3))]),
			data_available: true,
			chunks_stored: [true, false, true].into_iter().collect(),
		};
		let expected = [&[1, 0, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 2][..], &[3; 32], &[1, 12, 0b101]].concat();
		assert_eq!(meta.encode(), expected);
		assert_eq!(CandidateMeta::decode(&mut &expected[..]).unwrap(), meta);
		assert_eq!(State::Unavailable(BigEndian(5)).encode(), [0, 0, 0, 0, 0, 0, 0, 0, 5]);
		assert_eq!(State::Finalized(BigEndian(5)).encode()[0], 2);
	}
}
