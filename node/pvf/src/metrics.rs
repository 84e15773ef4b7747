//! Prometheus metrics (availability, approval, disputes §8.4).

use std::time::Duration;
use substrate_prometheus_endpoint::{
	exponential_buckets, register, Counter, CounterVec, Histogram, HistogramOpts, Opts, PrometheusError,
	Registry, U64,
};

/// The two kinds of workers, as metric label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Flavor {
	/// Compiles.
	Prepare,
	/// Executes.
	Execute,
}

impl Flavor {
	/// As label and in log lines.
	pub fn label(self) -> &'static str {
		match self {
			Self::Prepare => "prepare",
			Self::Execute => "execute",
		}
	}
}

/// Metrics; without a registry nothing is counted.
#[derive(Clone, Default)]
pub struct Metrics(Option<Inner>);

#[derive(Clone)]
struct Inner {
	worker_spawning: CounterVec<U64>,
	worker_spawned: CounterVec<U64>,
	worker_retired: CounterVec<U64>,
	prepare_enqueued: Counter<U64>,
	prepare_concluded: Counter<U64>,
	execute_enqueued: Counter<U64>,
	execute_finished: Counter<U64>,
	preparation_time: Histogram,
	execution_time: Histogram,
	execution_queued_time: Histogram,
	preparation_max_rss: Histogram,
	exec_kind_selected: CounterVec<U64>,
	code_size: Histogram,
	pov_size: substrate_prometheus_endpoint::HistogramVec,
}

impl Metrics {
	/// Registers all metrics.
	pub fn register(registry: Option<&Registry>) -> Result<Self, PrometheusError> {
		let Some(registry) = registry else { return Ok(Self(None)) };
		let counter = |name: &str, help: &str| register(Counter::new(name, help)?, registry);
		let by = |label: &str, name: &str, help: &str| {
			register(CounterVec::new(Opts::new(name, help), &[label])?, registry)
		};
		let histogram = |name: &str, help: &str, buckets: Vec<f64>| {
			register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?, registry)
		};
		let flavor = "flavor";
		Ok(Self(Some(Inner {
			worker_spawning: by(flavor, "polkadot_pvf_worker_spawning", "Workers that were about to start")?,
			worker_spawned: by(flavor, "polkadot_pvf_worker_spawned", "Workers that started")?,
			worker_retired: by(
				flavor,
				"polkadot_pvf_worker_retired",
				"Workers that ended, by themselves or not",
			)?,
			prepare_enqueued: counter("polkadot_pvf_prepare_enqueued", "Preparations asked for")?,
			prepare_concluded: counter("polkadot_pvf_prepare_concluded", "Preparations that ended")?,
			execute_enqueued: counter("polkadot_pvf_execute_enqueued", "Executions asked for")?,
			execute_finished: counter("polkadot_pvf_execute_finished", "Executions that ended")?,
			preparation_time: histogram(
				"polkadot_pvf_preparation_time",
				"Time spent in preparing one validation function, seconds",
				vec![0.1, 0.5, 1.0, 2.0, 3.0, 10.0, 20.0, 30.0, 60.0, 120.0, 240.0, 360.0, 480.0],
			)?,
			execution_time: histogram(
				"polkadot_pvf_execution_time",
				"Time spent in executing one candidate, seconds",
				vec![0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0],
			)?,
			execution_queued_time: histogram(
				"polkadot_pvf_execution_queued_time",
				"Time between asking for an execution and its start, seconds",
				vec![0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 12.0, 24.0, 48.0],
			)?,
			preparation_max_rss: histogram(
				"polkadot_pvf_preparation_max_rss",
				"Largest resident memory of a preparation, KiB",
				exponential_buckets(8192.0, 2.0, 10)?,
			)?,
			exec_kind_selected: by(
				"priority",
				"polkadot_pvf_exec_kind_selected",
				"Executions started, by priority",
			)?,
			code_size: histogram(
				"polkadot_parachain_candidate_validation_code_size",
				"Size of decompressed validation code, bytes",
				exponential_buckets(16_384.0, 2.0, 10)?,
			)?,
			pov_size: register(
				substrate_prometheus_endpoint::HistogramVec::new(
					HistogramOpts::new(
						"polkadot_parachain_candidate_validation_pov_size",
						"Size of proofs of validity, bytes",
					)
					.buckets(exponential_buckets(16_384.0, 2.0, 10)?),
					&["compressed"],
				)?,
				registry,
			)?,
		})))
	}

	pub(crate) fn on_spawning(&self, flavor: Flavor) {
		if let Some(inner) = &self.0 {
			inner.worker_spawning.with_label_values(&[flavor.label()]).inc();
		}
	}

	pub(crate) fn on_spawned(&self, flavor: Flavor) {
		if let Some(inner) = &self.0 {
			inner.worker_spawned.with_label_values(&[flavor.label()]).inc();
		}
	}

	pub(crate) fn on_retired(&self, flavor: Flavor) {
		if let Some(inner) = &self.0 {
			inner.worker_retired.with_label_values(&[flavor.label()]).inc();
		}
	}

	pub(crate) fn on_prepare_enqueued(&self) {
		if let Some(inner) = &self.0 {
			inner.prepare_enqueued.inc();
		}
	}

	pub(crate) fn on_prepared(&self, prepared: Option<&crate::protocol::Prepared>) {
		if let Some(inner) = &self.0 {
			inner.prepare_concluded.inc();
			if let Some(prepared) = prepared {
				inner.preparation_time.observe(Duration::from_micros(prepared.cpu_time_us).as_secs_f64());
				inner.preparation_max_rss.observe(prepared.max_rss_kib as f64);
				inner.code_size.observe(prepared.code_size as f64);
			}
		}
	}

	pub(crate) fn on_execute_enqueued(&self) {
		if let Some(inner) = &self.0 {
			inner.execute_enqueued.inc();
		}
	}

	pub(crate) fn on_execute_started(&self, priority: &str, queued: Duration) {
		if let Some(inner) = &self.0 {
			inner.exec_kind_selected.with_label_values(&[priority]).inc();
			inner.execution_queued_time.observe(queued.as_secs_f64());
		}
	}

	pub(crate) fn on_executed(&self, cpu_time: Duration, compressed: usize, decompressed: u64) {
		if let Some(inner) = &self.0 {
			inner.execution_time.observe(cpu_time.as_secs_f64());
			inner.pov_size.with_label_values(&["true"]).observe(compressed as f64);
			inner.pov_size.with_label_values(&["false"]).observe(decompressed as f64);
		}
	}

	pub(crate) fn on_execute_finished(&self) {
		if let Some(inner) = &self.0 {
			inner.execute_finished.inc();
		}
	}
}
