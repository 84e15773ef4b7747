//! Bytes to chunks and back, on the SIMD coder of `reed-solomon-simd`.
//!
//! The code that the specification describes and the "low rate" code of `reed-solomon-simd` are one: same
//! field, same Cantor basis, same evaluation points, the `k` originals first. What differs is how a chunk
//! lies in memory. On the wire a chunk is a sequence of big-endian symbols; the coder wants each block of 32
//! symbols as 32 low bytes followed by 32 high bytes. And the payload runs across the chunks: symbol `s` of
//! chunk `i < k` is the payload's symbol `s × k + i`.
//!
//! So the unit of work here is a *block*, 32 symbols of each chunk, and the *tile*, the `32 × k` symbols of
//! the payload that the blocks of the first `k` chunks hold. Blocks are independent codewords, which lets the
//! coder work on a *stripe* of a few blocks at a time: working memory stays small and in the cache, however
//! large the payload is. A tail is padded with zeros, that code to zeros, and cut off again.

use core::ops::Range;

use reed_solomon_simd::{
	engine::DefaultEngine,
	rate::{LowRateDecoder, LowRateEncoder, RateDecoder, RateEncoder},
};

use crate::{
	error::Error,
	params::{CodeParams, SYMBOL_BYTES},
};

/// Symbols of one chunk in a block.
const BLOCK_SYMBOLS: usize = 32;

/// Bytes of one chunk in a block.
const BLOCK_BYTES: usize = BLOCK_SYMBOLS * SYMBOL_BYTES;

type Block = [u8; BLOCK_BYTES];

/// Working memory for encoding, if more than one block per chunk fits in it: about an L2 cache.
const ENCODE_WORK_BYTES: usize = 512 << 10;

/// The same for decoding. It is larger, because each call of the decoder begins with a transform over all
/// points of the field to locate the erasures.
const DECODE_WORK_BYTES: usize = 8 << 20;

/// How many blocks of `lanes` chunks the coder handles at a time.
const fn stripe_blocks(work_bytes: usize, lanes: usize) -> usize {
	let blocks = work_bytes / (lanes * BLOCK_BYTES);
	if blocks == 0 {
		1
	} else {
		blocks
	}
}

/// From big-endian symbols to what the coder wants.
fn split_symbols(wire: &Block) -> Block {
	let mut block = [0; BLOCK_BYTES];
	let (low, high) = block.split_at_mut(BLOCK_SYMBOLS);
	for ((symbol, low), high) in wire.chunks_exact(SYMBOL_BYTES).zip(low).zip(high) {
		*high = symbol[0];
		*low = symbol[1];
	}
	block
}

/// The inverse of [`split_symbols`].
fn join_symbols(block: &Block) -> Block {
	let mut wire = [0; BLOCK_BYTES];
	let (low, high) = block.split_at(BLOCK_SYMBOLS);
	for ((symbol, low), high) in wire.chunks_exact_mut(SYMBOL_BYTES).zip(low).zip(high) {
		symbol[0] = *high;
		symbol[1] = *low;
	}
	wire
}

/// The block with this number of a chunk, padded with zeros behind the end of the chunk.
fn block_at(chunk: &[u8], number: usize) -> Block {
	let mut block = [0; BLOCK_BYTES];
	let rest = chunk.get(number * BLOCK_BYTES..).unwrap_or_default();
	let len = rest.len().min(BLOCK_BYTES);
	block[..len].copy_from_slice(&rest[..len]);
	block
}

/// Replaces `shard` by some blocks of a chunk, as the coder wants them.
fn split_blocks(chunk: &[u8], numbers: Range<usize>, shard: &mut Vec<Block>) {
	shard.clear();
	shard.extend(numbers.map(|number| split_symbols(&block_at(chunk, number))));
}

/// Adds a block to the end of a chunk that becomes `chunk_len` bytes, without the padding.
fn push_block(chunk: &mut Vec<u8>, chunk_len: usize, block: &Block) {
	let len = (chunk_len - chunk.len()).min(BLOCK_BYTES);
	chunk.extend_from_slice(&block[..len]);
}

/// Encodes a payload that is not empty into one chunk per validator.
pub(crate) fn encode(params: &CodeParams, payload: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
	let (n, k) = (params.n_validators(), params.systematic_threshold());
	let chunk_len = params.chunk_len(payload.len());
	let blocks = chunk_len.div_ceil(BLOCK_BYTES);
	let tile_bytes = k * BLOCK_BYTES;

	let mut chunks: Vec<Vec<u8>> = (0..n).map(|_| Vec::with_capacity(chunk_len)).collect();
	let mut tiles = payload.chunks(tile_bytes);
	let mut last_tile = Vec::new();

	let stripe = stripe_blocks(ENCODE_WORK_BYTES, n).min(blocks);
	let mut originals: Vec<Block> = vec![[0; BLOCK_BYTES]; k * stripe];
	let mut coder = LowRateEncoder::new(k, n - k, stripe * BLOCK_BYTES, DefaultEngine::new(), None)?;

	for first in (0..blocks).step_by(stripe) {
		let stripe_len = stripe.min(blocks - first);

		for (at, tile) in tiles.by_ref().take(stripe_len).enumerate() {
			let tile = if tile.len() == tile_bytes {
				tile
			} else {
				last_tile.extend_from_slice(tile);
				last_tile.resize(tile_bytes, 0);
				&last_tile
			};
			for (i, chunk) in chunks[..k].iter_mut().enumerate() {
				let mut wire = [0; BLOCK_BYTES];
				let column = tile.chunks_exact(SYMBOL_BYTES).skip(i).step_by(k);
				for (symbol, source) in wire.chunks_exact_mut(SYMBOL_BYTES).zip(column) {
					symbol.copy_from_slice(source);
				}
				push_block(chunk, chunk_len, &wire);
				originals[i * stripe_len + at] = split_symbols(&wire);
			}
		}

		coder.reset(k, n - k, stripe_len * BLOCK_BYTES)?;
		for original in originals[..k * stripe_len].chunks_exact(stripe_len) {
			coder.add_original_shard(original.as_flattened())?;
		}
		let coded = coder.encode()?;
		for (chunk, recovery) in chunks[k..].iter_mut().zip(coded.recovery_iter()) {
			for block in recovery.as_chunks::<BLOCK_BYTES>().0 {
				push_block(chunk, chunk_len, &join_symbols(block));
			}
		}
	}
	Ok(chunks)
}

/// A set of chunks that determines the payload, checked: `k` slots for the systematic chunks, as many other
/// chunks as slots are empty, and all chunks of one length that is even and not 0.
pub(crate) struct Selection<'a> {
	/// The first `k` chunks, as far as they are there.
	pub(crate) systematic: Vec<Option<&'a [u8]>>,
	/// Other chunks by index, distinct, each from `k` up to `n`.
	pub(crate) others: Vec<(usize, &'a [u8])>,
	/// Length of each chunk, in bytes.
	pub(crate) chunk_len: usize,
}

/// The payload that the chunks determine, with the zeros that its tail was padded with.
pub(crate) fn decode(params: &CodeParams, selection: &Selection<'_>) -> Result<Vec<u8>, Error> {
	let (n, k) = (params.n_validators(), params.systematic_threshold());
	let chunk_len = selection.chunk_len;
	let blocks = chunk_len.div_ceil(BLOCK_BYTES);
	let complete = selection.systematic.iter().all(Option::is_some);

	let mut payload = Vec::with_capacity(k * chunk_len);
	let mut tile = vec![0; k * BLOCK_BYTES];
	let mut push_tile = |number: usize, blocks: &mut dyn FnMut(usize) -> Block| {
		for i in 0..k {
			let column = tile.chunks_exact_mut(SYMBOL_BYTES).skip(i).step_by(k);
			for (target, symbol) in column.zip(blocks(i).chunks_exact(SYMBOL_BYTES)) {
				target.copy_from_slice(symbol);
			}
		}
		// The last tile of chunks that end within a block has fewer runs of symbols.
		let len = (chunk_len - number * BLOCK_BYTES).min(BLOCK_BYTES) * k;
		payload.extend_from_slice(&tile[..len]);
	};

	if complete {
		for number in 0..blocks {
			push_tile(number, &mut |i| block_at(selection.systematic[i].unwrap_or_default(), number));
		}
		return Ok(payload);
	}

	let lanes = n.next_power_of_two();
	let stripe = stripe_blocks(DECODE_WORK_BYTES, lanes).min(blocks);
	let mut shard: Vec<Block> = Vec::with_capacity(stripe);
	let mut coder = LowRateDecoder::new(k, n - k, stripe * BLOCK_BYTES, DefaultEngine::new(), None)?;

	for first in (0..blocks).step_by(stripe) {
		let stripe_len = stripe.min(blocks - first);
		let numbers = first..first + stripe_len;

		coder.reset(k, n - k, stripe_len * BLOCK_BYTES)?;
		for (i, chunk) in selection.systematic.iter().enumerate() {
			if let Some(chunk) = chunk {
				split_blocks(chunk, numbers.clone(), &mut shard);
				coder.add_original_shard(i, shard.as_flattened())?;
			}
		}
		for (i, chunk) in &selection.others {
			split_blocks(chunk, numbers.clone(), &mut shard);
			coder.add_recovery_shard(i - k, shard.as_flattened())?;
		}
		let decoded = coder.decode()?;
		for number in numbers {
			push_tile(number, &mut |i| match selection.systematic[i] {
				Some(chunk) => block_at(chunk, number),
				None => {
					// Each original that was not supplied is restored, so that the default is never taken.
					let restored = decoded.restored_original(i).unwrap_or_default();
					join_symbols(&block_at(restored, number - first))
				},
			});
		}
	}
	Ok(payload)
}
