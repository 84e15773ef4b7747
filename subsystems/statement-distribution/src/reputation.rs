//! Reputation changes, summed up per peer (backing pipeline §4.3).
//!
//! Every statement is worth a change; reporting each at once would cost more than the statement. So changes are summed per
//! peer and reported together, except for peers that must go at once.

use crate::Effect;
use headway_machine::{Effects, NetworkEffect, PeerId, Reputation, Timestamp};
use std::{collections::BTreeMap, time::Duration};

/// Time from the first change to the report of the sum.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(30);

/// Sums of changes that are not reported yet.
///
/// # Bounds
///
/// `sums`: one number for each peer that sent something within [`REPORT_INTERVAL`]. A peer needs a connection for each
/// entry, and the driver limits those.
#[derive(Debug, Default)]
pub(crate) struct ReputationSums {
	sums: BTreeMap<PeerId, i64>,
	report_at: Option<Timestamp>,
}

impl ReputationSums {
	/// Changes a peer's reputation.
	pub(crate) fn change(
		&mut self,
		now: Timestamp,
		effects: &mut Effects<Effect>,
		peer: &PeerId,
		change: Reputation,
	) {
		if let Reputation::Malicious(_) = change {
			effects.push(Effect::Network(NetworkEffect::Report { peer: peer.clone(), change }));
			return;
		}
		*self.sums.entry(peer.clone()).or_default() += i64::from(change.value());
		self.report_at.get_or_insert(now + REPORT_INTERVAL);
	}

	/// Reports the sums if they are due.
	pub(crate) fn report(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		if self.report_at.is_none_or(|at| at > now) {
			return;
		}
		self.report_at = None;
		for (peer, sum) in std::mem::take(&mut self.sums) {
			for change in changes_of_sum(sum) {
				effects.push(Effect::Network(NetworkEffect::Report { peer: peer.clone(), change }));
			}
		}
	}

	/// Sum of a peer's changes that are not reported yet.
	#[cfg(test)]
	pub(crate) fn pending(&self, peer: &PeerId) -> i64 {
		self.sums.get(peer).copied().unwrap_or(0)
	}

	/// When the sums are due.
	pub(crate) fn deadline(&self) -> Option<Timestamp> {
		self.report_at
	}
}

const AGGREGATE: &str = "sum of changes by statement distribution";

/// The shortest list of changes whose values add up to `sum`.
///
/// The scale has no change of arbitrary value. All changes of this machine are multiples of 100 000, and so are sums.
fn changes_of_sum(sum: i64) -> Vec<Reputation> {
	let hundreds = sum / 100_000;
	let times = |change: Reputation, n: i64| std::iter::repeat_n(change, n as usize);
	if hundreds < 0 {
		let (six, rest) = (-hundreds / 6, -hundreds % 6);
		let (three, rest) = (rest / 3, rest % 3);
		let small = [Reputation::CostMinor(AGGREGATE), Reputation::CostMinorRepeated(AGGREGATE)];
		times(Reputation::CostMajorRepeated(AGGREGATE), six)
			.chain(times(Reputation::CostMajor(AGGREGATE), three))
			.chain((rest > 0).then(|| small[rest as usize - 1]))
			.collect()
	} else {
		let (first, major, cost) = match (hundreds / 3, hundreds % 3) {
			(n, 0) => (n, 0, 0),
			(n, 2) => (n, 1, 0),
			(0, _) => (0, 1, 1),
			(n, _) => (n - 1, 2, 0),
		};
		times(Reputation::BenefitMajorFirst(AGGREGATE), first)
			.chain(times(Reputation::BenefitMajor(AGGREGATE), major))
			.chain(times(Reputation::CostMinor(AGGREGATE), cost))
			.collect()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::testing::peer;

	#[test]
	fn changes_add_up_to_the_sum() {
		for hundreds in -20..20i64 {
			let changes = changes_of_sum(hundreds * 100_000);
			let sum: i64 = changes.iter().map(|change| i64::from(change.value())).sum();
			assert_eq!(sum, hundreds * 100_000);
			assert!(changes.len() <= 1 + hundreds.unsigned_abs() as usize / 3 + 1);
		}
	}

	fn reports(effects: &mut Effects<Effect>) -> Vec<(PeerId, i32)> {
		let report = |effect| match effect {
			Effect::Network(NetworkEffect::Report { peer, change }) => (peer, change.value()),
			other => panic!("unexpected {other:?}"),
		};
		effects.take().into_iter().map(report).collect()
	}

	#[test]
	fn changes_are_summed_for_thirty_seconds() {
		let (mut sums, mut effects) = (ReputationSums::default(), Effects::new());
		let start = Timestamp::from_unix_ms(1_000);
		for _ in 0..3 {
			sums.change(start, &mut effects, &peer(1), Reputation::CostMinor("x"));
		}
		sums.change(start, &mut effects, &peer(2), Reputation::CostMinor("x"));
		assert_eq!(sums.deadline(), Some(start + REPORT_INTERVAL));
		sums.report(Timestamp::from_unix_ms(30_999), &mut effects);
		assert!(effects.is_empty());
		sums.report(Timestamp::from_unix_ms(31_000), &mut effects);
		assert_eq!(reports(&mut effects), [(peer(1), -300_000), (peer(2), -100_000)]);
		assert_eq!(sums.deadline(), None);
	}

	#[test]
	fn malicious_is_reported_at_once() {
		let (mut sums, mut effects) = (ReputationSums::default(), Effects::new());
		sums.change(Timestamp::default(), &mut effects, &peer(1), Reputation::Malicious("x"));
		assert_eq!(reports(&mut effects), [(peer(1), i32::MIN)]);
		assert_eq!(sums.deadline(), None);
	}
}
