//! Erasure coding through its public interface.

mod branches;
mod hostile;
mod round_trips;
mod vectors;

use codec::{Decode, Encode};
use headway_erasure_coding::ChunkIndex;

/// Pseudo-random bytes: the SplitMix64 sequence of the seed, each output as little-endian bytes.
pub(crate) fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
	let mut state = seed;
	let mut next = || {
		state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
		let mut mixed = state;
		mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
		mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
		mixed ^ (mixed >> 31)
	};
	let mut bytes: Vec<u8> =
		std::iter::repeat_with(|| next().to_le_bytes()).flatten().take(len.next_multiple_of(8)).collect();
	bytes.truncate(len);
	bytes
}

/// A permutation of `0..n` that the seed determines.
pub(crate) fn shuffled(seed: u64, n: usize) -> Vec<usize> {
	let draws = random_bytes(seed, n * 8);
	let mut order: Vec<usize> = (0..n).collect();
	for (i, draw) in draws.chunks_exact(8).enumerate() {
		let draw = u64::from_le_bytes(draw.try_into().unwrap());
		order.swap(i, i + (draw % (n - i) as u64) as usize);
	}
	order
}

/// The chunks with these indices, as the decoder takes them.
pub(crate) fn pick<'a>(
	chunks: &'a [Vec<u8>],
	indices: impl IntoIterator<Item = usize> + 'a,
) -> impl Iterator<Item = (&'a [u8], ChunkIndex)> + 'a {
	indices.into_iter().map(|i| (&chunks[i][..], ChunkIndex(i as u32)))
}

/// Of the shape that the network encodes: bytes of any length, then a fixed tail.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Data {
	pub(crate) block_data: Vec<u8>,
	pub(crate) parent_head: Vec<u8>,
	pub(crate) relay_parent_number: u32,
}

impl Data {
	pub(crate) fn random(seed: u64, len: usize) -> Self {
		Self {
			block_data: random_bytes(seed, len),
			parent_head: random_bytes(!seed, 32),
			relay_parent_number: seed as u32,
		}
	}
}
