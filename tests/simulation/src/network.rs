//! How long messages take, and which are lost.

use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha20Rng,
};
use std::{ops::Range, time::Duration};

/// Seeded latency and loss.
pub struct Network {
	rng: ChaCha20Rng,
	latency_ms: Range<u64>,
	loss_per_mille: u64,
}

impl Network {
	/// A network whose every message takes a time within `latency_ms`, and loses `loss_per_mille` of a thousand.
	pub fn new(seed: u64, latency_ms: Range<u64>, loss_per_mille: u64) -> Self {
		Self { rng: ChaCha20Rng::seed_from_u64(seed), latency_ms, loss_per_mille }
	}

	/// How long the next message takes; none if it is lost.
	pub fn delay(&mut self) -> Option<Duration> {
		let lost = self.below(1000) < self.loss_per_mille;
		let delay = self.reliable_delay();
		(!lost).then_some(delay)
	}

	/// How long something takes that is repeated until it arrives, such as a block.
	pub fn reliable_delay(&mut self) -> Duration {
		let span = self.latency_ms.end.saturating_sub(self.latency_ms.start).max(1);
		Duration::from_millis(self.latency_ms.start + self.below(span))
	}

	/// A number below `range`, which is small: the bias of the remainder does not matter here.
	pub fn below(&mut self, range: u64) -> u64 {
		self.rng.next_u64() % range.max(1)
	}
}
