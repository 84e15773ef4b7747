//! Metrics of the bridge (backing pipeline §8.5).

use headway_machine::{wire::CollationVersion, PeerSet};
use substrate_prometheus_endpoint::{
	register, CounterVec, Gauge, GaugeVec, Opts, PrometheusError, Registry, U64,
};

/// All metrics of the bridge; without a registry nothing is counted.
#[derive(Clone, Default)]
pub struct Metrics(Option<Inner>);

#[derive(Clone)]
struct Inner {
	peer_count: GaugeVec<U64>,
	desired_peer_count: GaugeVec<U64>,
	connected: CounterVec<U64>,
	disconnected: CounterVec<U64>,
	reports: CounterVec<U64>,
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
			desired_peer_count: gauge("desired_peer_count", "Peers that this node wants to be connected to")?,
			connected: counter("peer_connect_events_total", "Peers that connected")?,
			disconnected: counter("peer_disconnect_events_total", "Peers that disconnected")?,
			reports: register(
				CounterVec::new(
					Opts::new(
						"polkadot_parachain_network_report_events_total",
						"Reputation changes of peers",
					),
					&["kind"],
				)?,
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
		inner.connected.with_label_values(&[label]).inc();
	}

	pub(crate) fn disconnected(&self, label: &str) {
		let Some(inner) = &self.0 else { return };
		inner.peer_count.with_label_values(&[label]).dec();
		inner.disconnected.with_label_values(&[label]).inc();
	}

	pub(crate) fn desired(&self, label: &str, peers: usize) {
		let Some(inner) = &self.0 else { return };
		inner.desired_peer_count.with_label_values(&[label]).set(peers as u64);
	}

	pub(crate) fn reported(&self, change: i32) {
		let Some(inner) = &self.0 else { return };
		inner.reports.with_label_values(&[if change < 0 { "cost" } else { "benefit" }]).inc();
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
