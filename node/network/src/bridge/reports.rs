//! Reputation, summed up: most messages earn or cost a little, and the network needs not hear of each.

use super::reputation_change;
use headway_machine::Reputation;
use sc_network::ReputationChange;
use sc_network_types::PeerId;
use std::{collections::BTreeMap, time::Duration};

/// Time between reports of what peers earned or cost.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(30);
/// A sum this low is reported at once: a peer that does nothing but harm has not the whole interval for it. That is a
/// hundred malformed messages.
const REPORT_AT_ONCE: i32 = -30_000_000;
/// Peers whose changes may wait; with one more, all are reported.
pub const REPORTS_MAX: usize = 4096;

/// Changes that were not reported yet: one sum per peer, at most [`REPORTS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Reports {
	pending: BTreeMap<PeerId, i32>,
}

impl Reports {
	/// Adds a change. Answers what has to be reported at once: malice does not wait, nor do many costs.
	pub(super) fn add(&mut self, peer: PeerId, change: Reputation) -> Vec<(PeerId, ReputationChange)> {
		if matches!(change, Reputation::Malicious(_)) {
			// It outweighs everything else.
			self.pending.remove(&peer);
			return vec![(peer, reputation_change(change))];
		}
		let sum = self.pending.entry(peer).or_default();
		*sum = sum.saturating_add(change.value());
		if *sum <= REPORT_AT_ONCE {
			self.pending.remove(&peer).map(|sum| (peer, aggregated(sum))).into_iter().collect()
		} else if self.pending.len() > REPORTS_MAX {
			self.flush()
		} else {
			Vec::new()
		}
	}

	/// Takes all sums.
	pub(super) fn flush(&mut self) -> Vec<(PeerId, ReputationChange)> {
		let pending = std::mem::take(&mut self.pending).into_iter().filter(|(_, sum)| *sum != 0);
		pending.map(|(peer, sum)| (peer, aggregated(sum))).collect()
	}
}

fn aggregated(sum: i32) -> ReputationChange {
	ReputationChange::new(sum, "aggregated reputation change")
}
