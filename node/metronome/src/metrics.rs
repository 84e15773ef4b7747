//! Prometheus metrics.

use crate::chain::{Effects, Skip};
use substrate_prometheus_endpoint::{
	register, Counter, CounterVec, Gauge, Opts, PrometheusError, Registry, U64,
};

/// Metrics; without a registry nothing is counted.
#[derive(Clone, Default)]
pub struct Metrics(Option<Inner>);

#[derive(Clone)]
struct Inner {
	built: Counter<U64>,
	best: Gauge<U64>,
	included: Gauge<U64>,
	dropped: Counter<U64>,
	skipped: CounterVec<U64>,
	messages: CounterVec<U64>,
}

impl Metrics {
	/// Registers all metrics.
	pub fn register(registry: Option<&Registry>) -> Result<Self, PrometheusError> {
		let Some(registry) = registry else { return Ok(Self(None)) };
		Ok(Self(Some(Inner {
			built: register(
				Counter::new("metronome_blocks_built_total", "Blocks of the parachain built")?,
				registry,
			)?,
			best: register(
				Gauge::new("metronome_best_block", "Height of the newest block built")?,
				registry,
			)?,
			included: register(
				Gauge::new("metronome_included_block", "Height of the head that the relay chain included")?,
				registry,
			)?,
			dropped: register(
				Counter::new(
					"metronome_blocks_dropped_total",
					"Blocks that the node did not make candidates of",
				)?,
				registry,
			)?,
			skipped: register(
				CounterVec::new(
					Opts::new("metronome_leaves_skipped_total", "Relay blocks at which no block was built"),
					&["reason"],
				)?,
				registry,
			)?,
			messages: register(
				CounterVec::new(
					Opts::new("metronome_messages_total", "Messages in blocks that were built"),
					&["kind"],
				)?,
				registry,
			)?,
		})))
	}

	pub(crate) fn on_built(&self, number: u32, effects: &Effects, received: usize) {
		if let Some(inner) = &self.0 {
			inner.built.inc();
			inner.best.set(number.into());
			for (kind, count) in [
				("downward", u64::from(effects.processed_downward)),
				("received", received as u64),
				("sent", u64::from(effects.sent)),
			] {
				inner.messages.with_label_values(&[kind]).inc_by(count);
			}
		}
	}

	pub(crate) fn on_included(&self, number: u32) {
		if let Some(inner) = &self.0 {
			inner.included.set(number.into());
		}
	}

	pub(crate) fn on_dropped(&self) {
		if let Some(inner) = &self.0 {
			inner.dropped.inc();
		}
	}

	pub(crate) fn on_skipped(&self, reason: Skip) {
		if let Some(inner) = &self.0 {
			inner.skipped.with_label_values(&[reason.label()]).inc();
		}
	}
}
