//! Which validator holds which chunk (RFC-47; specification, section 3.3).
//!
//! Chunks at the beginning are worth more than the others: with all of the first `k` the payload needs no
//! decoding. Were they always given to the same validators, those would be asked for every candidate. So,
//! once the node feature is on, the assignment is rotated by `k` positions per core.
//!
//! Stores and requests stay keyed by *validator* index; only
//! [`ErasureChunk::index`](crate::ErasureChunk::index) is a chunk index.

use core::fmt;

use bitvec::{order::Lsb0, slice::BitSlice};
use codec::{Decode, Encode, MaxEncodedLen};

use crate::{error::Error, params::CodeParams};

/// The position in the node features of the host configuration that switches the rotation on.
pub const AVAILABILITY_CHUNK_MAPPING_FEATURE: usize = 2;

/// The position of a chunk in the codeword. Not the index of the validator who holds it.
#[derive(
	Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, MaxEncodedLen,
)]
pub struct ChunkIndex(pub u32);

impl From<u32> for ChunkIndex {
	fn from(index: u32) -> Self {
		Self(index)
	}
}

impl From<ChunkIndex> for u32 {
	fn from(index: ChunkIndex) -> Self {
		index.0
	}
}

impl fmt::Display for ChunkIndex {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		self.0.fmt(f)
	}
}

/// The chunk that a validator holds of a candidate on `core_index`:
/// `(core_index × k + validator_index) mod n` with the feature, the validator's own index without it.
///
/// `node_features` are those of the session. The validator must be one of the session
/// ([`Error::ValidatorIndexOutOfBounds`]); with the feature there must be a code for so many validators
/// (errors as [`recovery_threshold`](crate::recovery_threshold)).
pub fn chunk_index(
	n_validators: usize,
	node_features: &BitSlice<u8, Lsb0>,
	core_index: u32,
	validator_index: u32,
) -> Result<ChunkIndex, Error> {
	let rotation = rotation(n_validators, node_features, core_index)?;
	let position = usize::try_from(validator_index).ok().filter(|index| *index < n_validators);
	let Some(position) = position else {
		return Err(Error::ValidatorIndexOutOfBounds { index: validator_index, n_validators });
	};
	// Without rotation there is nothing to reduce. With it `n_validators` is at most 65 536, and both
	// summands are below it.
	Ok(ChunkIndex(if rotation == 0 {
		validator_index
	} else {
		((rotation + position) % n_validators) as u32
	}))
}

/// The chunks that the validators of a session hold of a candidate on `core_index`, by validator index.
///
/// It is a permutation of all chunk indices. Errors: [`Error::TooManyValidators`], with or without the
/// feature, because there are no more chunks than that; with the feature also as
/// [`recovery_threshold`](crate::recovery_threshold).
pub fn chunk_indices(
	n_validators: usize,
	node_features: &BitSlice<u8, Lsb0>,
	core_index: u32,
) -> Result<Vec<ChunkIndex>, Error> {
	if n_validators > crate::MAX_VALIDATORS {
		return Err(Error::TooManyValidators { n_validators });
	}
	let rotation = rotation(n_validators, node_features, core_index)?;
	Ok((rotation..n_validators).chain(0..rotation).map(|index| ChunkIndex(index as u32)).collect())
}

/// The validator who holds a chunk: the inverse of [`chunk_index`].
///
/// Errors: [`Error::ChunkIndexOutOfBounds`], and with the feature as
/// [`recovery_threshold`](crate::recovery_threshold).
pub fn validator_of_chunk(
	n_validators: usize,
	node_features: &BitSlice<u8, Lsb0>,
	core_index: u32,
	chunk_index: ChunkIndex,
) -> Result<u32, Error> {
	let rotation = rotation(n_validators, node_features, core_index)?;
	let position = usize::try_from(chunk_index.0).ok().filter(|index| *index < n_validators);
	let Some(position) = position else {
		return Err(Error::ChunkIndexOutOfBounds { index: chunk_index, n_validators });
	};
	// As in `chunk_index`: with a rotation all of this is below 2 × 65 536.
	let back = n_validators - rotation;
	Ok(if rotation == 0 { chunk_index.0 } else { ((position + back) % n_validators) as u32 })
}

/// By how many positions the assignment is rotated for a core; below `n_validators`, and 0 without the
/// feature.
fn rotation(
	n_validators: usize,
	node_features: &BitSlice<u8, Lsb0>,
	core_index: u32,
) -> Result<usize, Error> {
	let enabled = node_features.get(AVAILABILITY_CHUNK_MAPPING_FEATURE).is_some_and(|bit| *bit);
	if !enabled {
		return Ok(0);
	}
	let params = CodeParams::new(n_validators)?;
	// The reference multiplies in `u32`, which is the same for every core index of a candidate (`u16`) and
	// overflows for absurd ones. 64 bits hold every product, and the remainder is below 65 536.
	let rotation = u64::from(core_index) * params.systematic_threshold() as u64 % n_validators as u64;
	Ok(rotation as usize)
}

#[cfg(test)]
mod tests {
	use bitvec::vec::BitVec;

	use super::*;

	fn with_mapping() -> BitVec<u8, Lsb0> {
		[false, false, true].into_iter().collect()
	}

	/// All features but the mapping.
	fn without_mapping() -> BitVec<u8, Lsb0> {
		[true, true, false, true, true, true].into_iter().collect()
	}

	#[test]
	fn mapping_rotates_by_the_systematic_threshold_per_core() {
		assert_eq!(chunk_index(10, &with_mapping(), 3, 4), Ok(ChunkIndex(6)));
		assert_eq!(chunk_index(10, &without_mapping(), 3, 4), Ok(ChunkIndex(4)));
		assert_eq!(chunk_index(10, &BitVec::new(), 3, 4), Ok(ChunkIndex(4)), "features may be shorter");

		#[rustfmt::skip]
        let rows: [(u32, [u32; 7]); 5] = [
            (0, [0, 1, 2, 3, 4, 5, 6]),
            (1, [2, 3, 4, 5, 6, 0, 1]),
            (2, [4, 5, 6, 0, 1, 2, 3]),
            (3, [6, 0, 1, 2, 3, 4, 5]),
            (4, [1, 2, 3, 4, 5, 6, 0]),
        ];
		for (core, row) in rows {
			assert_eq!(
				chunk_indices(7, &with_mapping(), core),
				Ok(row.map(ChunkIndex).to_vec()),
				"core {core}"
			);
		}
	}

	#[test]
	fn mapping_is_a_permutation_for_every_core() {
		for features in [with_mapping(), without_mapping()] {
			for n in [2usize, 3, 7, 10, 100, 333] {
				for core in (0..40).chain([65_535, u32::MAX]) {
					let indices = chunk_indices(n, &features, core).unwrap();
					for (validator, index) in indices.iter().enumerate() {
						let validator = validator as u32;
						assert_eq!(chunk_index(n, &features, core, validator), Ok(*index));
						assert_eq!(validator_of_chunk(n, &features, core, *index), Ok(validator));
					}
					let mut sorted = indices;
					sorted.sort();
					assert!(sorted.iter().map(|index| index.0).eq(0..n as u32), "n = {n}, core {core}");
				}
			}
		}
	}

	#[test]
	fn mapping_refuses_indices_and_sessions_out_of_bounds() {
		for features in [with_mapping(), without_mapping()] {
			for index in [10, u32::MAX] {
				assert_eq!(
					chunk_index(10, &features, 0, index),
					Err(Error::ValidatorIndexOutOfBounds { index, n_validators: 10 })
				);
				assert_eq!(
					validator_of_chunk(10, &features, 0, ChunkIndex(index)),
					Err(Error::ChunkIndexOutOfBounds { index: ChunkIndex(index), n_validators: 10 })
				);
			}
			assert_eq!(
				chunk_indices(65_537, &features, 0),
				Err(Error::TooManyValidators { n_validators: 65_537 })
			);
		}
		for n_validators in [0, 1] {
			let error = Error::NotEnoughValidators { n_validators };
			assert_eq!(chunk_index(n_validators, &with_mapping(), 0, 0), Err(error.clone()));
			assert_eq!(chunk_indices(n_validators, &with_mapping(), 0), Err(error));
		}
		assert_eq!(chunk_indices(1, &without_mapping(), 9), Ok(vec![ChunkIndex(0)]));
	}
}
