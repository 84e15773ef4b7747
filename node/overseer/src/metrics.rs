//! Prometheus metrics of the machines: from the work that they are given, from what they ask of the driver, and from traces.
//!
//! Names and labels of the reference are kept, so that its dashboards work; `headway_*` metrics say more.

mod timings;

use headway_collator_protocol::experimental::{Notice, SCORE_RANGES};
use headway_lifecycle::Advance;
use headway_machine::{
	wire::{BitfieldMessage, Request, ValidationMessage},
	InboundRequestId, LeafContext, Loss, NetworkEffect, NetworkEvent, Reason, RequestError, Size, Sizes,
	Stage, Token, Trace, RELAY_CHAIN,
};
use headway_pipeline::{Asker, Effect, Event, Observer};
use headway_primitives::ParaId;
use headway_provisioner::ProvisionedData;
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::{
		atomic::{AtomicU32, Ordering},
		Arc, Mutex,
	},
	time::{Duration, Instant},
};
use substrate_prometheus_endpoint::{
	register, Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, Opts,
	PrometheusError, Registry, U64,
};

use timings::{Timings, Watch, MEASURED_MAX};

/// Paras that have labels of their own: the first ones that the relay chain has cores for. All others share `other`.
const PARA_LABELS_MAX: usize = 128;
/// Bounds of a candidate's time to a stage, seconds: slots are 6 s, and 3 s on fast chains.
const STAGE_SECONDS: [f64; 14] = [0.05, 0.1, 0.25, 0.5, 1., 2., 3., 6., 9., 12., 18., 24., 36., 60.];
/// Requests of collations whose answers are recognised.
const COLLATIONS_ASKED_MAX: usize = 512;

/// All metrics of the driver; without a registry nothing is counted.
#[derive(Clone, Default)]
pub struct Metrics(Option<Arc<Inner>>);

struct Inner {
	activated_heads: Counter<U64>,
	deactivated_heads: Counter<U64>,
	handle_time: HistogramVec,
	is_active_validator: Gauge<U64>,
	is_parachain_validator: Gauge<U64>,

	candidates: CounterVec<U64>,
	dropped: CounterVec<U64>,
	messages_refused: CounterVec<U64>,
	stage_seconds: HistogramVec,
	duplicates: CounterVec<U64>,
	paras: Mutex<BTreeSet<ParaId>>,
	/// Requests of collations that were not answered yet; the network has fewer of them under way.
	collations_asked: Mutex<BTreeSet<InboundRequestId>>,
	/// Executions that were not answered yet, since when.
	executions: Mutex<BTreeMap<Token, Instant>>,
	/// Our index among the validators of the newest leaf's session; [`u32::MAX`] if we are none.
	local_validator: AtomicU32,

	work: Timings,
	advertisements: CounterVec<U64>,
	collations_seconded: CounterVec<U64>,
	collator_slashes: CounterVec<U64>,
	approved_peers: CounterVec<U64>,
	assigned_paras: Gauge<U64>,
	connected_collators: GaugeVec<U64>,
	signed_statements: Counter<U64>,
	candidates_seconded: Counter<U64>,
	statements_distributed: Counter<U64>,
	attested_requests: Counter<U64>,
	attested_responses: CounterVec<U64>,
	statements_unexpected: CounterVec<U64>,
	collation_requests: CounterVec<U64>,
	collator_peers: Gauge<U64>,
	validation_requests: CounterVec<U64>,
	chunks_stored: Counter<U64>,
	chunks_fetched: CounterVec<U64>,
	chunks_served: CounterVec<U64>,
	povs_fetched: CounterVec<U64>,
	bitfields_sent: Counter<U64>,
	bitfields_received: Counter<U64>,
	bitfields_signed: Counter<U64>,
	inherent_requests: CounterVec<U64>,
	inherent_bitfields: Histogram,
	collations_generated: Counter<U64>,
	advertisements_made: Counter<U64>,
	collations_requested: Counter<U64>,
	collations_sent: Counter<U64>,
	pp_leaves: GaugeVec<U64>,
	pp_candidates: GaugeVec<U64>,
	pp_view: Gauge<U64>,
	container_entries: GaugeVec<U64>,
	container_bounds: GaugeVec<U64>,
}

impl Metrics {
	/// Registers all metrics.
	pub fn register(registry: Option<&Registry>) -> Result<Self, PrometheusError> {
		registry.map(Inner::register).transpose().map(|inner| Self(inner.map(Arc::new)))
	}

	/// Watches the machines of a validator.
	pub fn observer(&self) -> Option<Box<dyn Observer>> {
		self.0.clone().map(|inner| Box::new(Watch::new(inner)) as Box<dyn Observer>)
	}

	pub(crate) fn activated(&self, leaf: &LeafContext) {
		let Some(inner) = &self.0 else { return };
		inner.activated_heads.inc();
		let local = leaf.block.session.local_validator.map_or(u32::MAX, |index| index.0);
		inner.local_validator.store(local, Ordering::Relaxed);
		inner.label_paras(leaf.paras.keys().copied());
	}

	pub(crate) fn leaves(&self, active: usize, deactivated: usize) {
		let Some(inner) = &self.0 else { return };
		inner.deactivated_heads.inc_by(deactivated as u64);
		inner.pp_leaves.with_label_values(&["active"]).set(active as u64);
	}

	/// How full containers are; not even looked at if nobody reads metrics.
	pub(crate) fn sizes(&self, measure: impl FnOnce() -> [Sizes; 3]) {
		let Some(inner) = &self.0 else { return };
		for Size { machine, container, count, bound } in measure().iter().flat_map(Sizes::iter) {
			inner.container_entries.with_label_values(&[machine, container]).set(*count as u64);
			inner.container_bounds.with_label_values(&[machine, container]).set(*bound as u64);
		}
	}

	pub(crate) fn session(&self, is_authority: bool, is_parachain_validator: bool) {
		let Some(inner) = &self.0 else { return };
		inner.is_active_validator.set(is_authority.into());
		inner.is_parachain_validator.set(is_parachain_validator.into());
	}

	pub(crate) fn handled(&self, event: &str, took: Duration) {
		let Some(inner) = &self.0 else { return };
		inner.handle_time.with_label_values(&[event]).observe(took.as_secs_f64());
	}

	pub(crate) fn provisioned(&self, data: Option<&ProvisionedData>) {
		let Some(inner) = &self.0 else { return };
		let outcome = if data.is_some() { "succeeded" } else { "failed" };
		inner.inherent_requests.with_label_values(&[outcome]).inc();
		if let Some(data) = data {
			inner.inherent_bitfields.observe(data.bitfields.len() as f64);
		}
	}

	/// Counts what comes in.
	pub(crate) fn event(&self, event: &Event) {
		let Some(inner) = &self.0 else { return };
		match event {
			Event::Network(NetworkEvent::Validation { message: ValidationMessage::Bitfield(_), .. }) => {
				inner.bitfields_received.inc()
			},
			Event::Network(NetworkEvent::PeerConnected {
				set: headway_machine::PeerSet::Collation, ..
			}) => inner.collator_peers.inc(),
			Event::Network(NetworkEvent::PeerDisconnected {
				set: headway_machine::PeerSet::Collation,
				..
			}) => inner.collator_peers.dec(),
			Event::Response { token, result } => {
				let counter = match Asker::untag(*token) {
					Some((Asker::StatementDistribution, _)) => &inner.attested_responses,
					Some((Asker::CollatorProtocol, _)) => &inner.collation_requests,
					_ => return,
				};
				counter.with_label_values(&[success(result)]).inc();
			},
			Event::Executed { token, result } => {
				let started = inner.executions.lock().ok().and_then(|mut started| started.remove(token));
				if let Some(started) = started {
					inner.work.cv_execute.observe(started.elapsed().as_secs_f64());
				}
				use headway_machine::ExecutionError::{Rejected, TimedOut};
				let validity = match result {
					Ok(_) => "valid",
					Err(Rejected(_) | TimedOut(_)) => "invalid",
					Err(_) => "validation failure",
				};
				inner.validation_requests.with_label_values(&[validity]).inc();
			},
			Event::Request(request) => {
				use headway_machine::wire::RequestProtocol::{CollationV2, CollationV3};
				if matches!(request.protocol, CollationV2 | CollationV3) {
					inner.collations_requested.inc();
					if let Ok(mut asked) = inner.collations_asked.lock() {
						asked.insert(request.id);
						if asked.len() > COLLATIONS_ASKED_MAX {
							asked.pop_first();
						}
					}
				}
			},
			_ => {},
		}
	}

	/// Counts what goes out.
	pub(crate) fn effect(&self, effect: &Effect) {
		let Some(inner) = &self.0 else { return };
		match effect {
			Effect::Network(NetworkEffect::SendValidation { peers, message }) => match message {
				ValidationMessage::Statement(_) => inner.statements_distributed.inc_by(peers.len() as u64),
				ValidationMessage::Bitfield(BitfieldMessage::Bitfield(_, bitfield)) => {
					if bitfield.validator_index.0 == inner.local_validator.load(Ordering::Relaxed) {
						inner.bitfields_sent.inc();
					}
				},
			},
			Effect::Network(NetworkEffect::Respond { id, response, .. }) => {
				let asked = inner.collations_asked.lock().is_ok_and(|mut asked| asked.remove(id));
				if asked && response.is_some() {
					inner.collations_sent.inc();
				}
			},
			Effect::Network(NetworkEffect::SendCollation { peers, message }) => {
				use headway_machine::wire::{CollationMessage, CollatorMessageV2, CollatorMessageV3};
				let advertises = match message {
					CollationMessage::V1(_) => false,
					CollationMessage::V2(message) => {
						matches!(message, CollatorMessageV2::AdvertiseCollation(_))
					},
					CollationMessage::V3(message) => {
						matches!(message, CollatorMessageV3::AdvertiseCollation(_))
					},
					CollationMessage::V4(_) => true,
				};
				if advertises {
					inner.advertisements_made.inc_by(peers.len() as u64);
				}
			},
			Effect::Network(NetworkEffect::Request { request: Request::AttestedCandidate(_), .. }) => {
				inner.attested_requests.inc()
			},
			Effect::Execute { token, .. } => {
				if let Ok(mut started) = inner.executions.lock() {
					started.insert(*token, Instant::now());
					if started.len() > MEASURED_MAX {
						started.pop_first();
					}
				}
			},
			Effect::EncodeRoot { .. } => inner.collations_generated.inc(),
			Effect::CollatorNotice(notice) => inner.collator_notice(notice),
			_ => {},
		}
	}

	/// Counts what happened to candidates. `advance` is the stage that one of them reached for the first time; `telling`, why one
	/// is lost, if more is known than the trace says.
	pub(crate) fn trace(&self, trace: &Trace, advance: Option<&Advance>, telling: Option<Reason>) {
		let Some(inner) = &self.0 else { return };
		let para = inner.para_label(trace.para);
		if let Some(Advance { para, stage, since_advertised: Some(time) }) = advance {
			use Stage::{Backable, Backed, Fetched, Included, Seconded};
			if matches!(stage, Fetched | Seconded | Backable | Backed | Included) {
				let para = inner.para_label(Some(*para));
				inner.stage_seconds.with_label_values(&[&para, stage.into()]).observe(time.as_secs_f64());
			}
		}
		match trace.stage {
			Stage::Dropped(reason) => inner.on_dropped(trace, &para, reason, telling.unwrap_or(reason)),
			Stage::Duplicate => inner.duplicates.with_label_values(&[&para, trace.subsystem]).inc(),
			stage => {
				let label: &'static str = stage.into();
				// Other machines tell of these too.
				if !stage.is_on_chain() || trace.subsystem == RELAY_CHAIN {
					inner.candidates.with_label_values(&[&para, label]).inc();
				}
				match stage {
					Stage::Advertised => inner.advertisements.with_label_values(&[&para, "accepted"]).inc(),
					Stage::Seconded => {
						inner.candidates_seconded.inc();
						inner.signed_statements.inc();
						inner.collations_seconded.with_label_values(&[&para]).inc();
					},
					Stage::Statement => inner.signed_statements.inc(),
					Stage::ChunkStored => {
						inner.chunks_stored.inc();
						inner.chunks_fetched.with_label_values(&["succeeded"]).inc();
					},
					_ => {},
				}
			},
		}
	}
}

fn success<T>(result: &Result<T, RequestError>) -> &'static str {
	if result.is_ok() {
		"succeeded"
	} else {
		"failed"
	}
}

impl Inner {
	/// Gives labels to paras of the relay chain, as long as there are any left.
	fn label_paras(&self, paras: impl Iterator<Item = ParaId>) {
		let Ok(mut labelled) = self.paras.lock() else { return };
		for para in paras {
			if labelled.len() >= PARA_LABELS_MAX {
				return;
			}
			labelled.insert(para);
		}
	}

	/// The label of a para. A peer may name any para, and gets it no label by that.
	fn para_label(&self, para: Option<ParaId>) -> String {
		let Some(para) = para else { return "unknown".into() };
		match self.paras.lock() {
			Ok(labelled) if labelled.contains(&para) => para.to_string(),
			_ => "other".into(),
		}
	}

	fn collator_notice(&self, notice: &Notice) {
		match notice {
			Notice::Slashed { para, reason } => {
				let para = self.para_label(Some(*para));
				self.collator_slashes.with_label_values(&[&para, reason.label()]).inc();
			},
			Notice::ApprovedPeer { para, outcome } => {
				let para = self.para_label(Some(*para));
				self.approved_peers.with_label_values(&[&para, outcome.label()]).inc();
			},
			Notice::Collators(paras) => {
				self.assigned_paras.set(paras.len() as u64);
				// Paras that are not assigned any more have no series.
				self.connected_collators.reset();
				for (para, by_range) in paras {
					let para = self.para_label(Some(*para));
					for (range, n) in SCORE_RANGES.into_iter().zip(by_range) {
						// Several may share a label.
						self.connected_collators.with_label_values(&[&para, range]).add(*n as u64);
					}
				}
			},
			Notice::ScoresUnreadable(_) => {},
		}
	}

	fn on_dropped(&self, trace: &Trace, para: &str, reason: Reason, telling: Reason) {
		let subsystem = trace.subsystem;
		let lost = trace.loss().is_some_and(|(loss, _)| loss != Loss::Message);
		let counter = if lost { &self.dropped } else { &self.messages_refused };
		counter.with_label_values(&[para, subsystem, telling.label()]).inc();
		if subsystem == "statement-distribution" && reason == Reason::UnexpectedMessage {
			self.statements_unexpected.with_label_values(&["valid"]).inc();
		}
		let outcome = match reason {
			Reason::UnknownPeer => "unconnected_peer",
			Reason::UndeclaredPeer => "undeclared_peer",
			Reason::DuplicateMessage => "duplicate",
			Reason::OutOfView | Reason::UnknownSchedulingParent => "out_of_view",
			Reason::ExcessiveMessages => "peer_limit_reached",
			Reason::CannotFollowChain => "blocked_by_backing",
			Reason::MalformedMessage => "malformed_segment",
			Reason::SchedulingParentNotInScope => "scheduling_parent_invalid",
			Reason::ChunkUnavailable => {
				self.chunks_fetched.with_label_values(&["failed"]).inc();
				return;
			},
			Reason::PovUnavailable => {
				self.povs_fetched.with_label_values(&["failed"]).inc();
				return;
			},
			_ => return,
		};
		if subsystem == "collator-protocol" {
			self.advertisements.with_label_values(&[para, outcome]).inc();
		}
	}

	fn register(registry: &Registry) -> Result<Self, PrometheusError> {
		let r = Register(registry);
		let inner = Self {
			activated_heads: r.counter("activated_heads_total", "Leaves that the machines worked on")?,
			deactivated_heads: r.counter("deactivated_heads_total", "Leaves that are none any more")?,
			handle_time: r.histogram_vec(
				"overseer_handle_time",
				"Seconds per event of the machines",
				&["event"],
				None,
			)?,
			is_active_validator: r.gauge_named(
				"polkadot_node_is_active_validator",
				"Whether this node is an authority of the session",
			)?,
			is_parachain_validator: r.gauge_named(
				"polkadot_node_is_parachain_validator",
				"Whether this node backs and approves candidates in the session",
			)?,
			candidates: r.counter_vec_named(
				"headway_candidates_total",
				"Candidates by how far they came",
				&["para", "stage"],
			)?,
			dropped: r.counter_vec_named(
				"headway_candidates_dropped_total",
				"Candidates that were dropped",
				&["para", "subsystem", "reason"],
			)?,
			messages_refused: r.counter_vec_named(
				"headway_candidate_messages_refused_total",
				"Messages about candidates that were refused; no candidate is lost by that",
				&["para", "subsystem", "reason"],
			)?,
			stage_seconds: r.histogram_vec_named(
				"headway_candidate_seconds",
				"Seconds from a candidate's first advertisement to its first time at a stage",
				&["para", "stage"],
				Some(STAGE_SECONDS.to_vec()),
			)?,
			duplicates: r.counter_vec_named(
				"headway_candidates_duplicate_total",
				"What was heard of candidates that were known already",
				&["para", "subsystem"],
			)?,
			paras: Mutex::default(),
			collations_asked: Mutex::default(),
			executions: Mutex::default(),
			local_validator: AtomicU32::new(u32::MAX),
			work: Timings::register(&r)?,
			advertisements: r.counter_vec(
				"collator_protocol_validator_advertisements_total",
				"Advertisements by outcome",
				&["para_id", "outcome"],
			)?,
			collations_seconded: r.counter_vec(
				"collator_protocol_validator_collations_seconded_total",
				"Collations that this node seconded",
				&["para_id"],
			)?,
			collator_slashes: r.counter_vec(
				"collator_protocol_validator_slashes_total",
				"Collators that lost score",
				&["para_id", "reason"],
			)?,
			approved_peers: r.counter_vec(
				"collator_protocol_validator_approved_peer_signals_total",
				"Included candidates by what they say of the collator to be rewarded",
				&["para_id", "outcome"],
			)?,
			assigned_paras: r
				.gauge("collator_protocol_validator_assigned_paras", "Paras whose collators may connect")?,
			connected_collators: r.gauge_vec(
				"collator_protocol_validator_connected_collators",
				"Connected collators by score",
				&["para_id", "score_range"],
			)?,
			signed_statements: r
				.counter("candidate_backing_signed_statements_total", "Statements that this node signed")?,
			candidates_seconded: r.counter(
				"candidate_backing_candidates_seconded_total",
				"Candidates that this node seconded",
			)?,
			statements_distributed: r.counter("statements_distributed_total", "Statements sent to peers")?,
			attested_requests: r.counter(
				"statement_distribution_sent_requests_total",
				"Attested candidates asked of peers",
			)?,
			attested_responses: r.counter_vec(
				"statement_distribution_received_responses_total",
				"Answers to requests of attested candidates",
				&["success"],
			)?,
			statements_unexpected: r.counter_vec(
				"statement_distribution_statements_unexpected",
				"Statements that nobody should have sent",
				&["type"],
			)?,
			collation_requests: r.counter_vec(
				"collation_requests_total",
				"Collations asked of collators",
				&["success"],
			)?,
			collator_peers: r.gauge("collator_peer_count", "Connected collators")?,
			validation_requests: r.counter_vec(
				"validation_requests_total",
				"Executed candidates",
				&["validity"],
			)?,
			chunks_stored: r.counter("received_availability_chunks_total", "Chunks that this node stored")?,
			chunks_fetched: r.counter_vec(
				"fetched_chunks_total",
				"Chunks asked of validators",
				&["success"],
			)?,
			chunks_served: r.counter_vec(
				"served_chunks_total",
				"Chunks that peers asked for",
				&["success"],
			)?,
			povs_fetched: r.counter_vec(
				"fetched_povs_total",
				"Proofs of validity asked of validators",
				&["success"],
			)?,
			bitfields_sent: r.counter("sent_own_availability_bitfields_total", "Bitfields sent")?,
			bitfields_received: r.counter("received_availability_bitfields_total", "Bitfields received")?,
			bitfields_signed: r.counter("bitfields_signed_total", "Bitfields that this node signed")?,
			inherent_requests: r.counter_vec(
				"inherent_data_requests_total",
				"Inherents asked for",
				&["success"],
			)?,
			inherent_bitfields: r.histogram(
				"provisioner_inherent_data_response_bitfields_sent",
				"Bitfields per inherent",
				Some([0., 25.].into_iter().chain((1..=20).map(|n| f64::from(n) * 50.)).collect()),
			)?,
			collations_generated: r
				.counter("collations_generated_total", "Candidates made from para blocks")?,
			advertisements_made: r
				.counter("collation_advertisements_made_total", "Advertisements sent to validators")?,
			collations_requested: r
				.counter("collations_sent_requested_total", "Collations that validators asked for")?,
			collations_sent: r.counter("collations_sent_total", "Collations sent to validators")?,
			pp_leaves: r.gauge_vec(
				"prospective_parachains_active_leaves_count",
				"Leaves with fragment chains",
				&["type"],
			)?,
			pp_candidates: r.gauge_vec(
				"prospective_parachains_candidate_count",
				"Candidates at active leaves, in fragment chains and beside them",
				&["type"],
			)?,
			pp_view: r.gauge(
				"prospective_parachains_implicit_view_candidate_count",
				"Candidates at all leaves and former leaves in view",
			)?,
			container_entries: r.gauge_vec_named(
				"headway_container_entries",
				"Entries of the machines' containers before each leaf; of several of a kind, the one with the least room",
				&["machine", "container"],
			)?,
			container_bounds: r.gauge_vec_named(
				"headway_container_bound",
				"Most entries that the machines' containers may have",
				&["machine", "container"],
			)?,
		};
		// Series appear with their first value; those that alerts and tests ask for are there from the start.
		for outcome in ["succeeded", "failed"] {
			for family in [
				&inner.attested_responses,
				&inner.collation_requests,
				&inner.chunks_fetched,
				&inner.chunks_served,
				&inner.povs_fetched,
				&inner.inherent_requests,
			] {
				family.with_label_values(&[outcome]).inc_by(0);
			}
		}
		for validity in ["valid", "invalid", "validation failure"] {
			inner.validation_requests.with_label_values(&[validity]).inc_by(0);
		}
		Ok(inner)
	}
}

/// Registers metrics under the reference's prefix.
struct Register<'a>(&'a Registry);

impl Register<'_> {
	fn counter(&self, name: &str, help: &str) -> Result<Counter<U64>, PrometheusError> {
		register(Counter::new(format!("polkadot_parachain_{name}"), help)?, self.0)
	}

	fn counter_vec(
		&self,
		name: &str,
		help: &str,
		labels: &[&str],
	) -> Result<CounterVec<U64>, PrometheusError> {
		self.counter_vec_named(&format!("polkadot_parachain_{name}"), help, labels)
	}

	fn counter_vec_named(
		&self,
		name: &str,
		help: &str,
		labels: &[&str],
	) -> Result<CounterVec<U64>, PrometheusError> {
		register(CounterVec::new(Opts::new(name, help), labels)?, self.0)
	}

	fn gauge(&self, name: &str, help: &str) -> Result<Gauge<U64>, PrometheusError> {
		self.gauge_named(&format!("polkadot_parachain_{name}"), help)
	}

	fn gauge_named(&self, name: &str, help: &str) -> Result<Gauge<U64>, PrometheusError> {
		register(Gauge::new(name, help)?, self.0)
	}

	fn gauge_vec(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec<U64>, PrometheusError> {
		self.gauge_vec_named(&format!("polkadot_parachain_{name}"), help, labels)
	}

	fn gauge_vec_named(
		&self,
		name: &str,
		help: &str,
		labels: &[&str],
	) -> Result<GaugeVec<U64>, PrometheusError> {
		register(GaugeVec::new(Opts::new(name, help), labels)?, self.0)
	}

	fn histogram(
		&self,
		name: &str,
		help: &str,
		buckets: Option<Vec<f64>>,
	) -> Result<Histogram, PrometheusError> {
		register(Histogram::with_opts(options(&format!("polkadot_parachain_{name}"), help, buckets))?, self.0)
	}

	fn histogram_vec(
		&self,
		name: &str,
		help: &str,
		labels: &[&str],
		buckets: Option<Vec<f64>>,
	) -> Result<HistogramVec, PrometheusError> {
		self.histogram_vec_named(&format!("polkadot_parachain_{name}"), help, labels, buckets)
	}

	fn histogram_vec_named(
		&self,
		name: &str,
		help: &str,
		labels: &[&str],
		buckets: Option<Vec<f64>>,
	) -> Result<HistogramVec, PrometheusError> {
		register(HistogramVec::new(options(name, help, buckets), labels)?, self.0)
	}
}

fn options(name: &str, help: &str, buckets: Option<Vec<f64>>) -> HistogramOpts {
	let options = HistogramOpts::new(name, help);
	match buckets {
		Some(buckets) => options.buckets(buckets),
		None => options,
	}
}

#[cfg(test)]
mod tests;
