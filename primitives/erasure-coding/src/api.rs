//! Encoding and decoding for callers: SCALE types, and chunks of which nothing is known yet.

use codec::{Decode, Encode};
use sp_core::H256;

use crate::{
	branch::chunks_root,
	coder::{self, Selection},
	error::Error,
	mapping::ChunkIndex,
	params::{CodeParams, SYMBOL_BYTES},
};

/// Encodes `data` into one chunk per validator; the position of a chunk is its [`ChunkIndex`].
///
/// All chunks have the same even length, [`CodeParams::chunk_len`] of the SCALE encoding of `data`.
///
/// Errors: [`Error::TooManyValidators`], [`Error::NotEnoughValidators`], and [`Error::EmptyPayload`] if
/// `data` encodes to nothing.
pub fn obtain_chunks<T: Encode + ?Sized>(n_validators: usize, data: &T) -> Result<Vec<Vec<u8>>, Error> {
	let params = CodeParams::new(n_validators)?;
	data.using_encoded(|payload| encode_checked(&params, payload))
}

/// As [`obtain_chunks`], for a payload that is encoded already.
pub fn encode_bytes(n_validators: usize, payload: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
	encode_checked(&CodeParams::new(n_validators)?, payload)
}

fn encode_checked(params: &CodeParams, payload: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
	if payload.is_empty() {
		return Err(Error::EmptyPayload);
	}
	coder::encode(params, payload)
}

/// The erasure root of `data` for so many validators: what the receipt of a candidate must commit to.
///
/// Errors as [`obtain_chunks`].
pub fn erasure_root<T: Encode + ?Sized>(n_validators: usize, data: &T) -> Result<H256, Error> {
	chunks_root(&obtain_chunks(n_validators, data)?)
}

/// Decodes what [`obtain_chunks`] encoded from any [`systematic_recovery_threshold`] of its chunks.
///
/// Chunks come with their index, in any order. More of them than needed do no harm: when all systematic
/// chunks are there, nothing is computed. A repeated chunk counts once.
///
/// The chunks decide what comes out: to know that it is what the candidate committed to, compare its
/// [`erasure_root`]. When the chunks are not of one codeword, the result depends on which of them were
/// supplied, and its root differs in any case.
///
/// Errors: [`Error::TooManyValidators`] or [`Error::NotEnoughValidators`]; for a chunk
/// [`Error::UnevenLength`], [`Error::EmptyChunk`], [`Error::NonUniformChunks`] or
/// [`Error::ChunkIndexOutOfBounds`]; for all of them [`Error::TooManyChunks`], [`Error::ConflictingChunks`]
/// or [`Error::NotEnoughChunks`]; and [`Error::BadPayload`] if the bytes are no `T`.
///
/// [`systematic_recovery_threshold`]: crate::systematic_recovery_threshold
pub fn reconstruct<'a, T: Decode>(
	n_validators: usize,
	chunks: impl IntoIterator<Item = (&'a [u8], ChunkIndex)>,
) -> Result<T, Error> {
	decode_payload(&reconstruct_bytes(n_validators, chunks)?)
}

/// As [`reconstruct`], but gives the payload as bytes, possibly followed by zeros: the chunks do not tell
/// where it ends.
pub fn reconstruct_bytes<'a>(
	n_validators: usize,
	chunks: impl IntoIterator<Item = (&'a [u8], ChunkIndex)>,
) -> Result<Vec<u8>, Error> {
	let params = CodeParams::new(n_validators)?;
	let selection = select(&params, chunks)?;
	coder::decode(&params, &selection)
}

/// Decodes what [`obtain_chunks`] encoded from its first [`systematic_recovery_threshold`] chunks, in order.
/// Chunks beyond those are ignored.
///
/// Errors: [`Error::TooManyValidators`], [`Error::NotEnoughValidators`], [`Error::NotEnoughChunks`],
/// [`Error::UnevenLength`], [`Error::EmptyChunk`], [`Error::NonUniformChunks`] and [`Error::BadPayload`].
///
/// [`systematic_recovery_threshold`]: crate::systematic_recovery_threshold
pub fn reconstruct_from_systematic<T: Decode>(
	n_validators: usize,
	chunks: &[impl AsRef<[u8]>],
) -> Result<T, Error> {
	decode_payload(&reconstruct_bytes_from_systematic(n_validators, chunks)?)
}

/// As [`reconstruct_from_systematic`], but gives the payload as bytes, possibly followed by zeros.
pub fn reconstruct_bytes_from_systematic(
	n_validators: usize,
	chunks: &[impl AsRef<[u8]>],
) -> Result<Vec<u8>, Error> {
	let params = CodeParams::new(n_validators)?;
	let systematic = chunks.iter().take(params.systematic_threshold()).map(AsRef::as_ref);
	let selection = select(&params, systematic.zip((0..).map(ChunkIndex)))?;
	coder::decode(&params, &selection)
}

/// Decodes the SCALE value at the beginning of the payload. What follows is padding; that it is nothing else,
/// the comparison of roots shows.
fn decode_payload<T: Decode>(mut payload: &[u8]) -> Result<T, Error> {
	T::decode(&mut payload).map_err(|_| Error::BadPayload)
}

/// Checks the chunks and takes as many of them as the coder needs, the systematic ones first, as they cost
/// nothing.
fn select<'a>(
	params: &CodeParams,
	chunks: impl IntoIterator<Item = (&'a [u8], ChunkIndex)>,
) -> Result<Selection<'a>, Error> {
	let (n_validators, k) = (params.n_validators(), params.systematic_threshold());
	let mut by_index: Vec<Option<&[u8]>> = vec![None; n_validators];
	let mut chunk_len = None;

	for (supplied, (chunk, index)) in chunks.into_iter().enumerate() {
		if supplied == n_validators {
			return Err(Error::TooManyChunks { n_validators });
		}
		let slot = usize::try_from(index.0).ok().and_then(|position| by_index.get_mut(position));
		let Some(slot) = slot else {
			return Err(Error::ChunkIndexOutOfBounds { index, n_validators });
		};
		if chunk.len() % SYMBOL_BYTES != 0 {
			return Err(Error::UnevenLength { len: chunk.len() });
		}
		if chunk.is_empty() {
			return Err(Error::EmptyChunk);
		}
		let expected = *chunk_len.get_or_insert(chunk.len());
		if chunk.len() != expected {
			return Err(Error::NonUniformChunks { expected, found: chunk.len() });
		}
		if slot.is_some_and(|present| present != chunk) {
			return Err(Error::ConflictingChunks { index });
		}
		*slot = Some(chunk);
	}

	let have = by_index.iter().flatten().count();
	let (Some(chunk_len), true) = (chunk_len, have >= k) else {
		return Err(Error::NotEnoughChunks { have, need: k });
	};
	let (systematic, others) = by_index.split_at(k);
	let missing = systematic.iter().filter(|chunk| chunk.is_none()).count();
	let others = others.iter().zip(k..).filter_map(|(chunk, index)| Some((index, (*chunk)?))).take(missing);
	Ok(Selection { systematic: systematic.to_vec(), others: others.collect(), chunk_len })
}
