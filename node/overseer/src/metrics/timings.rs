//! How long machines work on what, and how long validations take.

use super::{Inner, Register};
use headway_machine::{NetworkEvent, Token};
use headway_pipeline::{Asker, Observer, Work};
use headway_prospective_parachains::Stats;
use std::{
	collections::BTreeMap,
	sync::{atomic::Ordering, Arc},
	time::Instant,
};
use substrate_prometheus_endpoint::{
	prometheus::exponential_buckets, GaugeVec, Histogram, HistogramVec, PrometheusError, U64,
};

/// Executions, and validations, that are measured at a time; candidate validation has fewer of them under way.
pub(super) const MEASURED_MAX: usize = 128;

/// How long machines work on what.
pub(super) struct Timings {
	pp_leaves: Histogram,
	pp_introduce: Histogram,
	pp_backed: Histogram,
	pp_membership: Histogram,
	backing_second: Histogram,
	backing_statement: Histogram,
	backing_get: Histogram,
	sd_leaves: Histogram,
	sd_share: Histogram,
	sd_network: HistogramVec,
	cp_message: Histogram,
	cp_handler: HistogramVec,
	av_activated: Histogram,
	av_finalized: Histogram,
	av_message: Histogram,
	av_store_data: Histogram,
	bitfield_network: Histogram,
	bitfield_leaves: Histogram,
	bitfield_run: Histogram,
	/// Of all validations, from the question to the verdict.
	cv_exhaustive: Histogram,
	/// Of those for backing, whose code comes from the state of the scheduling parent.
	cv_chain_state: Histogram,
	/// Of executions, retries included as executions of their own.
	pub(super) cv_execute: Histogram,
	provisioner_request: Histogram,
	provisioner_data: Histogram,
}

impl Timings {
	pub(super) fn register(r: &Register<'_>) -> Result<Self, PrometheusError> {
		let time = |name: &str| r.histogram(name, "Seconds of work", None);
		Ok(Self {
			pp_leaves: time("prospective_parachains_time_active_leaves_update")?,
			pp_introduce: time("prospective_parachains_time_introduce_seconded_candidate")?,
			pp_backed: time("prospective_parachains_time_candidate_backed")?,
			pp_membership: time("prospective_parachains_time_hypothetical_membership")?,
			backing_second: time("candidate_backing_process_second")?,
			backing_statement: time("candidate_backing_process_statement")?,
			backing_get: time("candidate_backing_get_backed_candidates")?,
			sd_leaves: time("statement_distribution_active_leaves_update")?,
			sd_share: time("statement_distribution_share")?,
			sd_network: r.histogram_vec(
				"statement_distribution_network_bridge_update",
				"Seconds of work",
				&["message_type"],
				None,
			)?,
			cp_message: time("collator_protocol_validator_process_msg")?,
			cp_handler: r.histogram_vec(
				"collator_protocol_validator_process_msg_duration",
				"Seconds of work",
				&["handler"],
				Some(exponential_buckets(0.0001, 3., 10)?),
			)?,
			av_activated: time("av_store_block_activated")?,
			av_finalized: time("av_store_process_block_finalized")?,
			av_message: time("av_store_process_message")?,
			av_store_data: time("av_store_store_available_data")?,
			bitfield_network: time("bitfield_distribution_handle_network_msg")?,
			bitfield_leaves: time("bitfield_distribution_active_leaves_update")?,
			bitfield_run: time("bitfield_signing_run")?,
			cv_exhaustive: time("candidate_validation_validate_from_exhaustive")?,
			cv_chain_state: time("candidate_validation_validate_from_chain_state")?,
			cv_execute: time("candidate_validation_validate_candidate_exhaustive")?,
			provisioner_request: time("provisioner_request_inherent_data_time")?,
			provisioner_data: time("provisioner_provisionable_data_time")?,
		})
	}
}

/// Measures how long a machine works on an event, and how long validations take as a whole.
pub(super) struct Watch {
	inner: Arc<Inner>,
	current: Option<(Instant, Vec<Histogram>)>,
	/// Validations that backing waits for: since when.
	validations: BTreeMap<Token, Instant>,
}

impl Watch {
	pub(super) fn new(inner: Arc<Inner>) -> Self {
		Self { inner, current: None, validations: BTreeMap::new() }
	}

	fn validation_begins(&mut self, token: Token) {
		self.validations.insert(token, Instant::now());
		if self.validations.len() > MEASURED_MAX {
			self.validations.pop_first();
		}
	}

	fn validation_ends(&mut self, token: &Token) {
		let Some(started) = self.validations.remove(token) else { return };
		let took = started.elapsed().as_secs_f64();
		self.inner.work.cv_exhaustive.observe(took);
		// Only backing asks for validations in this version.
		self.inner.work.cv_chain_state.observe(took);
	}
}

impl Observer for Watch {
	fn enter(&mut self, work: &Work<'_>) {
		use headway_availability::Event as Availability;
		use headway_backing::Event as Backing;
		use headway_candidate_validation::Event as CandidateValidation;
		use headway_collator_protocol::validator_side::Event as CollatorProtocol;
		use headway_prospective_parachains::Event as Prospective;
		use headway_provisioner::Event as Provisioner;
		use headway_statement_distribution::Event as StatementDistribution;
		match work {
			Work::CandidateValidation(CandidateValidation::Validate { token, .. }) => {
				self.validation_begins(*token)
			},
			Work::Backing(Backing::Validated { token, .. }) => self.validation_ends(token),
			_ => {},
		}
		let w = &self.inner.work;
		let histograms = match work {
			// Nearly all that becomes due there: bitfields.
			Work::Tick(Asker::Availability) => vec![w.bitfield_run.clone()],
			// Inherents that waited for their leaf to become ready, or for answers in vain.
			Work::Tick(Asker::Provisioner) => vec![w.provisioner_request.clone()],
			Work::Tick(Asker::CollatorProtocol) => {
				vec![w.cp_message.clone(), w.cp_handler.with_label_values(&["launch_fetch_requests"])]
			},
			Work::ProspectiveParachains(Prospective::Leaves(_)) => vec![w.pp_leaves.clone()],
			Work::ProspectiveParachains(Prospective::Introduce { .. }) => vec![w.pp_introduce.clone()],
			Work::ProspectiveParachains(Prospective::CandidateBacked { .. }) => vec![w.pp_backed.clone()],
			Work::ProspectiveParachains(Prospective::Membership(_)) => vec![w.pp_membership.clone()],
			Work::Backing(Backing::Second(_)) => vec![w.backing_second.clone()],
			Work::Backing(Backing::Statement { .. }) => vec![w.backing_statement.clone()],
			Work::Backing(Backing::GetBackable { .. }) => vec![w.backing_get.clone()],
			Work::StatementDistribution(StatementDistribution::Leaves(_)) => vec![w.sd_leaves.clone()],
			Work::StatementDistribution(StatementDistribution::Share { .. }) => vec![w.sd_share.clone()],
			Work::StatementDistribution(StatementDistribution::Network(event)) => {
				vec![w.sd_network.with_label_values(&[network_label(event)])]
			},
			Work::CollatorProtocol(event) => {
				let handler = match event {
					CollatorProtocol::Network(NetworkEvent::PeerConnected { .. }) => "peer_connected",
					CollatorProtocol::Network(NetworkEvent::PeerDisconnected { .. }) => "peer_disconnected",
					CollatorProtocol::Network(_) => "advertisement",
					CollatorProtocol::Leaves(_) => "our_view_change",
					CollatorProtocol::Response { .. } => "fetched_collation",
					CollatorProtocol::Seconded { .. } => "seconded",
					CollatorProtocol::Invalid { .. } => "invalid_collation",
					_ => "launch_fetch_requests",
				};
				vec![w.cp_message.clone(), w.cp_handler.with_label_values(&[handler])]
			},
			Work::Availability(Availability::Leaves(_)) => {
				vec![w.av_activated.clone(), w.bitfield_leaves.clone()]
			},
			Work::Availability(Availability::Finalized { .. }) => vec![w.av_finalized.clone()],
			Work::Availability(Availability::StoreData { .. }) => vec![w.av_store_data.clone()],
			Work::Availability(Availability::Network(_)) => vec![w.bitfield_network.clone()],
			Work::Availability(_) => vec![w.av_message.clone()],
			Work::Provisioner(Provisioner::InherentRequest { .. }) => vec![w.provisioner_request.clone()],
			Work::Provisioner(Provisioner::Bitfield { bitfield, .. }) => {
				if bitfield.validator_index().0 == self.inner.local_validator.load(Ordering::Relaxed) {
					self.inner.bitfields_signed.inc();
				}
				vec![w.provisioner_data.clone()]
			},
			_ => Vec::new(),
		};
		self.current = Some((Instant::now(), histograms));
	}

	fn leave(&mut self) {
		let Some((started, histograms)) = self.current.take() else { return };
		let took = started.elapsed().as_secs_f64();
		for histogram in histograms {
			histogram.observe(took);
		}
	}

	fn prospective(&mut self, stats: Stats) {
		let set = |gauge: &GaugeVec<U64>, label, n| gauge.with_label_values(&[label]).set(n as u64);
		set(&self.inner.pp_leaves, "inactive", stats.inactive_leaves);
		set(&self.inner.pp_candidates, "connected", stats.connected);
		set(&self.inner.pp_candidates, "unconnected", stats.unconnected);
		self.inner.pp_view.set(stats.implicit_view as u64);
	}
}

fn network_label(event: &NetworkEvent) -> &'static str {
	match event {
		NetworkEvent::PeerConnected { .. } => "peer_connected",
		NetworkEvent::PeerDisconnected { .. } => "peer_disconnected",
		NetworkEvent::PeerViewChange { .. } => "peer_view_change",
		NetworkEvent::UpdatedAuthorityIds { .. } => "updated_authority_ids",
		NetworkEvent::NewTopology { .. } => "new_gossip_topology",
		NetworkEvent::Validation { .. } | NetworkEvent::Collation { .. } => "peer_message",
	}
}
