//! Metrics of the bridge (backing pipeline §8.5).

use headway_machine::{wire::CollationVersion, NetworkEffect, PeerSet};
use std::time::Duration;
use substrate_prometheus_endpoint::{
	register, Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, Opts,
	PrometheusError, Registry, U64,
};

/// All metrics of the bridge; without a registry nothing is counted.
#[derive(Clone, Default)]
pub struct Metrics(Option<Inner>);

#[derive(Clone)]
struct Inner {
	peer_count: GaugeVec<U64>,
	peer_connectivity: HistogramVec,
	desired_peer_count: GaugeVec<U64>,
	connected: CounterVec<U64>,
	disconnected: CounterVec<U64>,
	reports: Counter<U64>,
	messages: CounterVec<U64>,
	delayed: Histogram,
	delayed_time: Histogram,
	notifications_received: CounterVec<U64>,
	notifications_sent: CounterVec<U64>,
	bytes_received: CounterVec<U64>,
	bytes_sent: CounterVec<U64>,
	shed: Gauge<U64>,
}

/// The `protocol` label of a peer set.
pub fn label(set: PeerSet, version: CollationVersion) -> &'static str {
	match (set, version) {
		(PeerSet::Validation, _) => "validation/3",
		(PeerSet::Collation, CollationVersion::V1) => "collation/1",
		(PeerSet::Collation, CollationVersion::V2) => "collation/2",
		(PeerSet::Collation, CollationVersion::V3) => "collation/3",
		(PeerSet::Collation, CollationVersion::V4) => "collation/4",
	}
}

impl Inner {
	fn note_connectivity(&self, label: &str) {
		let peers = self.peer_count.with_label_values(&[label]).get();
		self.peer_connectivity.with_label_values(&[label]).observe(peers as f64);
	}
}

impl Metrics {
	/// Registers all metrics.
	pub fn register(registry: Option<&Registry>) -> Result<Self, PrometheusError> {
		let Some(registry) = registry else { return Ok(Self::default()) };
		let counter = |name: &str, help: &str| {
			register(
				CounterVec::new(Opts::new(format!("polkadot_parachain_{name}"), help), &["protocol"])?,
				registry,
			)
		};
		let gauge = |name: &str, help: &str| {
			register(
				GaugeVec::new(Opts::new(format!("polkadot_parachain_{name}"), help), &["protocol"])?,
				registry,
			)
		};
		Ok(Self(Some(Inner {
			peer_count: gauge("peer_count", "Connected peers")?,
			peer_connectivity: register(
				HistogramVec::new(
					HistogramOpts::new(
						"polkadot_parachain_peer_connectivity",
						"Connected peers, each time their number changes",
					)
					.buckets(vec![0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]),
					&["protocol"],
				)?,
				registry,
			)?,
			desired_peer_count: gauge("desired_peer_count", "Peers that this node wants to be connected to")?,
			connected: counter("peer_connect_events_total", "Peers that connected")?,
			disconnected: counter("peer_disconnect_events_total", "Peers that disconnected")?,
			reports: register(
				Counter::new(
					"polkadot_parachain_network_report_events_total",
					"Reputation changes that machines asked for",
				)?,
				registry,
			)?,
			messages: register(
				CounterVec::new(
					Opts::new(
						"polkadot_parachain_messages_sent_total",
						"What machines asked the network for",
					),
					&["type"],
				)?,
				registry,
			)?,
			delayed: register(
				Histogram::with_opts(
					HistogramOpts::new(
						"polkadot_parachain_network_bridge_rx_delayed",
						"Events that waited for the machines when one more had to wait",
					)
					.buckets(vec![0.0, 1.0, 2.0, 8.0, 16.0]),
				)?,
				registry,
			)?,
			delayed_time: register(
				Histogram::with_opts(HistogramOpts::new(
					"polkadot_parachain_network_bridge_rx_delayed_time",
					"Time for which events waited for the machines, in seconds",
				))?,
				registry,
			)?,
			notifications_received: counter("notifications_received_total", "Notifications received")?,
			notifications_sent: counter("notifications_sent_total", "Notifications sent")?,
			bytes_received: counter("notification_bytes_received_total", "Bytes of notifications received")?,
			bytes_sent: counter("notification_bytes_sent_total", "Bytes of notifications sent")?,
			shed: register(
				Gauge::new(
					"polkadot_parachain_network_bridge_shed",
					"Messages of peers that were dropped because the node was busy",
				)?,
				registry,
			)?,
		})))
	}

	pub(crate) fn connected(&self, label: &str) {
		let Some(inner) = &self.0 else { return };
		inner.peer_count.with_label_values(&[label]).inc();
		inner.note_connectivity(label);
		inner.connected.with_label_values(&[label]).inc();
	}

	pub(crate) fn disconnected(&self, label: &str) {
		let Some(inner) = &self.0 else { return };
		inner.peer_count.with_label_values(&[label]).dec();
		inner.note_connectivity(label);
		inner.disconnected.with_label_values(&[label]).inc();
	}

	pub(crate) fn desired(&self, label: &str, peers: usize) {
		let Some(inner) = &self.0 else { return };
		inner.desired_peer_count.with_label_values(&[label]).set(peers as u64);
	}

	pub(crate) fn reported(&self) {
		let Some(inner) = &self.0 else { return };
		inner.reports.inc();
	}

	/// A machine asks for something.
	pub(crate) fn asked(&self, effect: &NetworkEffect) {
		let Some(inner) = &self.0 else { return };
		let label = match effect {
			NetworkEffect::SendValidation { .. } => "send_validation_message",
			NetworkEffect::SendCollation { .. } => "send_collation_message",
			NetworkEffect::Report { .. } => "report_peer",
			NetworkEffect::Disconnect { .. } => "disconnect_peer",
			NetworkEffect::ConnectToValidators { .. } => "connect_to_validators",
			NetworkEffect::Request { .. } => "send_requests",
			NetworkEffect::Respond { .. } => "send_responses",
		};
		inner.messages.with_label_values(&[label]).inc();
	}

	/// An event had to wait for the machines, beside `waiting` others.
	pub(crate) fn delayed(&self, waiting: usize, time: Duration) {
		let Some(inner) = &self.0 else { return };
		inner.delayed.observe(waiting as f64);
		inner.delayed_time.observe(time.as_secs_f64());
	}

	pub(crate) fn received(&self, label: &str, bytes: usize) {
		let Some(inner) = &self.0 else { return };
		inner.notifications_received.with_label_values(&[label]).inc();
		inner.bytes_received.with_label_values(&[label]).inc_by(bytes as u64);
	}

	pub(crate) fn sent(&self, label: &str, bytes: usize, peers: usize) {
		let Some(inner) = &self.0 else { return };
		inner.notifications_sent.with_label_values(&[label]).inc_by(peers as u64);
		inner.bytes_sent.with_label_values(&[label]).inc_by((bytes * peers) as u64);
	}

	pub(crate) fn shed(&self) {
		let Some(inner) = &self.0 else { return };
		inner.shed.inc();
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn metrics_have_the_names_of_the_specification() {
		let registry = Registry::new();
		let metrics = Metrics::register(Some(&registry)).unwrap();
		let label = label(PeerSet::Collation, CollationVersion::V2);
		metrics.connected(label);
		metrics.connected(label);
		metrics.disconnected(label);
		metrics.desired(label, 3);
		metrics.reported();
		metrics
			.asked(&NetworkEffect::ConnectToValidators { validators: Vec::new(), set: PeerSet::Collation });
		metrics.delayed(1, Duration::from_millis(1));
		metrics.received(label, 10);
		metrics.sent(label, 10, 2);
		let families = registry.gather();
		let names: Vec<_> = families
			.iter()
			.filter_map(|family| family.get_name().strip_prefix("polkadot_parachain_"))
			.filter(|name| *name != "network_bridge_shed")
			.collect();
		assert_eq!(
			names,
			[
				"desired_peer_count",
				"messages_sent_total",
				"network_bridge_rx_delayed",
				"network_bridge_rx_delayed_time",
				"network_report_events_total",
				"notification_bytes_received_total",
				"notification_bytes_sent_total",
				"notifications_received_total",
				"notifications_sent_total",
				"peer_connect_events_total",
				"peer_connectivity",
				"peer_count",
				"peer_disconnect_events_total",
			]
		);
		let bytes = families.iter().find(|family| family.get_name().ends_with("bytes_sent_total")).unwrap();
		assert_eq!(bytes.get_metric()[0].get_counter().get_value(), 20.0);
	}
}
