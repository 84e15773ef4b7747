//! Seeded decisions: a stream of them for each kind, so that leaving out one kind does not change the others.

use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha20Rng,
};

/// A stream of decisions.
pub struct Dice(ChaCha20Rng);

impl Dice {
	/// The stream number `stream` of a seed.
	pub fn new(seed: u64, stream: u64) -> Self {
		let mut rng = ChaCha20Rng::seed_from_u64(seed);
		rng.set_stream(stream);
		Self(rng)
	}

	/// A number below `range`, which is small: the bias of the remainder does not matter here.
	pub fn below(&mut self, range: u64) -> u64 {
		self.0.next_u64() % range.max(1)
	}

	/// True in so many of a thousand cases.
	pub fn chance(&mut self, per_mille: u64) -> bool {
		self.below(1000) < per_mille
	}

	/// One of them.
	pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
		of.get(self.below(of.len() as u64) as usize)
	}

	/// Some bytes.
	pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
		let mut bytes = [0; N];
		self.0.fill_bytes(&mut bytes);
		bytes
	}
}
