//! How long messages take, and which are lost.

use crate::dice::Dice;
use headway_machine::Timestamp;
use std::{collections::BTreeMap, ops::Range, time::Duration};

/// Stream of the network's decisions.
const STREAM: u64 = 1;

/// Seeded latency and loss.
pub struct Network {
	dice: Dice,
	latency_ms: Range<u64>,
	/// Notifications of a thousand that are lost.
	pub loss_per_mille: u64,
	/// When the last notification from one node to another arrives: none overtakes another.
	arrivals: BTreeMap<(usize, usize), Timestamp>,
}

impl Network {
	/// A network whose every message takes a time within `latency_ms`, and loses `loss_per_mille` of a thousand.
	pub fn new(seed: u64, latency_ms: Range<u64>, loss_per_mille: u64) -> Self {
		Self { dice: Dice::new(seed, STREAM), latency_ms, loss_per_mille, arrivals: BTreeMap::new() }
	}

	/// When a notification that is sent now arrives; none if it is lost.
	pub fn arrival(&mut self, now: Timestamp, from: usize, to: usize) -> Option<Timestamp> {
		let lost = self.dice.chance(self.loss_per_mille);
		let at = now + self.delay();
		let last = self.arrivals.entry((from, to)).or_default();
		*last = at.max(*last);
		(!lost).then_some(*last)
	}

	/// How long something takes that is repeated until it arrives, such as a block.
	pub fn delay(&mut self) -> Duration {
		let span = self.latency_ms.end.saturating_sub(self.latency_ms.start).max(1);
		Duration::from_millis(self.latency_ms.start + self.dice.below(span))
	}

	/// How long the execution of a candidate takes.
	pub fn execution(&mut self) -> Duration {
		Duration::from_millis(100 + self.dice.below(900))
	}
}
