//! How long messages take, and which are lost.

use crate::{dice::Dice, Config};
use headway_machine::Timestamp;
use std::{collections::BTreeMap, ops::Range, time::Duration};

/// Stream of the network's decisions.
const STREAM: u64 = 1;

/// When a message is not lost once more.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// Seeded latency and loss.
pub struct Network {
	dice: Dice,
	latency_ms: Range<u64>,
	/// Messages of a thousand that are lost.
	pub loss_per_mille: u64,
	/// After how long what was lost is sent again; if never, notifications are gone.
	retransmit: Option<Duration>,
	/// When the last notification from one node to another arrives: none overtakes another.
	arrivals: BTreeMap<(usize, usize), Timestamp>,
}

impl Network {
	/// The network of a configuration.
	pub fn new(config: &Config) -> Self {
		Self {
			dice: Dice::new(config.seed, STREAM),
			latency_ms: config.latency_ms.clone(),
			loss_per_mille: config.loss_per_mille,
			retransmit: config.retransmit_ms.map(Duration::from_millis),
			arrivals: BTreeMap::new(),
		}
	}

	/// When a notification that is sent now arrives; none if it is lost.
	pub fn arrival(&mut self, now: Timestamp, from: usize, to: usize) -> Option<Timestamp> {
		let lost = self.retransmit.is_none() && self.dice.chance(self.loss_per_mille);
		let at = now + self.delay();
		let last = self.arrivals.entry((from, to)).or_default();
		*last = at.max(*last);
		(!lost).then_some(*last)
	}

	/// How long something takes that is repeated until it arrives, such as a block.
	pub fn delay(&mut self) -> Duration {
		let span = self.latency_ms.end.saturating_sub(self.latency_ms.start).max(1);
		let mut delay = Duration::from_millis(self.latency_ms.start + self.dice.below(span));
		let Some(mut pause) = self.retransmit else { return delay };
		// As transports do it, each pause is twice the one before.
		while delay < DELAY_MAX && self.dice.chance(self.loss_per_mille) {
			delay += pause;
			pause *= 2;
		}
		delay
	}

	/// How long the execution of a candidate takes.
	pub fn execution(&mut self) -> Duration {
		Duration::from_millis(100 + self.dice.below(900))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn arrivals(retransmit_ms: Option<u64>) -> Vec<Option<u64>> {
		let config = Config { latency_ms: 200..200, loss_per_mille: 300, retransmit_ms, ..Config::default() };
		let mut network = Network::new(&config);
		// Of as many pairs, so that none waits for another.
		let arrival = |to| Some(network.arrival(Timestamp::default(), 0, to)?.unix_ms);
		(0..200).map(arrival).collect()
	}

	#[test]
	fn a_lost_notification_is_gone_unless_the_transport_sends_it_again() {
		let gone = arrivals(None);
		assert!(gone.contains(&None) && gone.iter().flatten().all(|at| *at == 200));
		let again = arrivals(Some(400));
		assert!(again.iter().flatten().count() == 200);
		for expected in [200, 600, 1400] {
			assert!(again.contains(&Some(expected)), "{expected}");
		}
	}

	#[test]
	fn no_notification_overtakes_another() {
		let config = Config { loss_per_mille: 300, retransmit_ms: Some(400), ..Config::default() };
		let mut network = Network::new(&config);
		let arrivals: Vec<_> = (0..50).map(|_| network.arrival(Timestamp::default(), 0, 1)).collect();
		assert!(arrivals.is_sorted());
	}
}
