//! The handle that the node calls (availability, approval, disputes §4.4).

use crate::{
	artifacts::{prepare_folder, unfinished, Artifact, ArtifactId, Artifacts, Lookup, Outcome},
	engine,
	error::{PrepareError, StartError},
	metrics::{Flavor, Metrics},
	process::{JobFailure, Pool, Program, Registry as Workers},
	protocol::{ExecuteOutcome, ExecuteRequest, ExecuteResponse, PrepareRequest, PrepareResponse},
	slots::{Class, Slots},
};
use headway_machine::{Execution, ExecutionError, ExecutionKind};
use headway_primitives::{ExecutorParams, PvfPrepKind, ValidationCode, ValidationCodeHash, ValidationResult};
use parking_lot::Mutex;
use std::{
	ffi::OsString,
	os::unix::ffi::OsStrExt,
	path::PathBuf,
	sync::Arc,
	time::{Duration, Instant},
};
use substrate_prometheus_endpoint::Registry;
use tokio::runtime::Handle;

/// What the host needs to know. Limits are those of the protocol's §4.4 unless said otherwise.
#[derive(Clone, Debug)]
pub struct HostConfig {
	/// The program to start as a worker: this very one.
	pub program: PathBuf,
	/// Arguments that make it a preparation worker.
	pub prepare_args: Vec<OsString>,
	/// Arguments that make it an execution worker.
	pub execute_args: Vec<OsString>,
	/// Version of this program, which workers must have too.
	pub node_version: String,
	/// Folder of compiled code; emptied at start.
	pub cache_dir: PathBuf,
	/// Preparations at once, if none is urgent.
	pub prepare_workers_soft_max: usize,
	/// Preparations at once.
	pub prepare_workers_hard_max: usize,
	/// Executions at once.
	pub execute_workers_max: usize,
	/// How long a worker may take to start.
	pub spawn_timeout: Duration,
	/// How long a preparation that failed by chance is not tried again.
	pub prepare_retry_after: Duration,
}

impl HostConfig {
	/// Defaults: workers are this program, started with `prepare-worker` and `execute-worker`.
	pub fn new(node_version: impl Into<String>, cache_dir: impl Into<PathBuf>) -> Self {
		Self {
			program: this_program(),
			prepare_args: vec!["prepare-worker".into()],
			execute_args: vec!["execute-worker".into()],
			node_version: node_version.into(),
			cache_dir: cache_dir.into(),
			prepare_workers_soft_max: 1,
			prepare_workers_hard_max: 2,
			execute_workers_max: 4,
			// Generous: a machine may start many nodes at once.
			spawn_timeout: Duration::from_secs(30),
			prepare_retry_after: Duration::from_secs(15 * 60),
		}
	}
}

/// The running program. On Linux by a name that means this file even after it was replaced by a newer version.
fn this_program() -> PathBuf {
	if cfg!(target_os = "linux") {
		return PathBuf::from("/proc/self/exe");
	}
	std::env::current_exe().unwrap_or_else(|_| PathBuf::from("headway"))
}

/// How many times its CPU time a job may take by the clock on the wall, before its worker is killed.
const WALL_TIME_FACTOR: u32 = 4;
/// By the clock on the wall: for moving code and proofs between processes.
const WALL_TIME_EXTRA: Duration = Duration::from_secs(5);

const PREPARE_CRITICAL: usize = 0;
const PREPARE_NORMAL: usize = 1;

/// Prepares and executes validation functions. Cheap to clone; workers end with the last handle.
///
/// All its futures can be dropped at any time: an execution's worker is killed then, a preparation goes on for whoever needs it next.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
	config: HostConfig,
	runtime: Handle,
	artifacts: Mutex<Artifacts>,
	prepare_slots: Slots,
	execute_slots: Slots,
	prepare_pool: Pool,
	execute_pool: Pool,
	workers: Workers,
	metrics: Metrics,
}

/// A worker that is alive now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WorkerInfo {
	/// Process id.
	pub pid: u32,
	/// What it does.
	pub flavor: Flavor,
	/// Whether it has a job.
	pub busy: bool,
}

impl Host {
	/// Starts the host; workers start when they are needed.
	///
	/// # Panics
	///
	/// Outside of a tokio runtime: it carries preparations, and the pipes to the workers.
	pub fn start(config: HostConfig, registry: Option<&Registry>) -> Result<Self, StartError> {
		prepare_folder(&config.cache_dir)
			.map_err(|error| StartError::Cache { path: config.cache_dir.clone(), error })?;
		let metrics = Metrics::register(registry)?;
		let workers = Workers::default();
		let pool = |flavor, args: &Vec<OsString>| {
			let program = Program {
				path: config.program.clone(),
				args: args.clone(),
				node_version: config.node_version.clone(),
				spawn_timeout: config.spawn_timeout,
			};
			Pool::new(program, flavor, workers.clone(), metrics.clone())
		};
		let (hard, soft) = (config.prepare_workers_hard_max.max(1), config.prepare_workers_soft_max.max(1));
		let prepare = [hard, soft].map(|slots_max| Class { slots_max, share_percent_max: 100 });
		let slots_max = config.execute_workers_max.max(1);
		let execute = [70, 80, 100, 100].map(|share_percent_max| Class { slots_max, share_percent_max });
		Ok(Self(Arc::new(Inner {
			runtime: Handle::current(),
			artifacts: Mutex::new(Artifacts::new(config.prepare_retry_after)),
			prepare_slots: Slots::new(prepare.to_vec()),
			execute_slots: Slots::new(execute.to_vec()),
			prepare_pool: pool(Flavor::Prepare, &config.prepare_args),
			execute_pool: pool(Flavor::Execute, &config.execute_args),
			workers,
			metrics,
			config,
		})))
	}

	/// Starts one worker of each kind, so that a validator finds out at start whether they work. They stay for the first jobs.
	pub async fn check_workers(&self) -> Result<(), StartError> {
		for pool in [&self.0.prepare_pool, &self.0.execute_pool] {
			let worker = pool.take().await?;
			pool.give_back(worker);
		}
		Ok(())
	}

	/// The workers that are alive.
	pub fn workers(&self) -> Vec<WorkerInfo> {
		let workers = self.0.workers.lock();
		workers
			.iter()
			.map(|(pid, (flavor, busy))| WorkerInfo { pid: *pid, flavor: *flavor, busy: *busy })
			.collect()
	}

	/// Executes a candidate once, after preparing its code if that is necessary. The error says what happened. After a broken
	/// artifact, the next execution prepares the code again.
	pub async fn execute(&self, execution: Execution) -> Result<ValidationResult, ExecutionError> {
		self.0.metrics.on_execute_enqueued();
		let result = self.prepare_and_execute(&execution).await;
		self.0.metrics.on_execute_finished();
		if let Err(error) = &result {
			tracing::debug!(target: "pvf", candidate = ?execution.candidate_hash, %error, "execution failed");
		}
		result
	}

	async fn prepare_and_execute(&self, execution: &Execution) -> Result<ValidationResult, ExecutionError> {
		if let Some(what) = engine::unsupported(&execution.executor_params) {
			return Err(ExecutionError::Internal(format!("this node has no {what}")));
		}
		let id = ArtifactId::new(execution.code_hash, &execution.executor_params);
		let class = if is_backing(execution.kind) { PREPARE_NORMAL } else { PREPARE_CRITICAL };
		let preparation = Preparation {
			id,
			code: execution.code.clone(),
			bomb_limit: execution.code_bomb_limit,
			executor_params: execution.executor_params.clone(),
			kind: PvfPrepKind::Prepare,
			class,
		};
		let prepared = self.artifact(preparation, true).await;
		let artifact = prepared.map_err(|error| ExecutionError::NotPrepared(error.to_string()))?;
		let queued = Instant::now();
		let (class, label) = execution_class(execution.kind);
		let slot = self.0.execute_slots.acquire(class).await;
		self.0.metrics.on_execute_started(label, queued.elapsed());
		let result = self.execute_in_worker(execution, &artifact).await;
		drop(slot);
		if matches!(result, Err(ExecutionError::BrokenArtifact(_))) {
			self.0.artifacts.lock().forget(id, &artifact);
		}
		result
	}

	async fn execute_in_worker(
		&self,
		execution: &Execution,
		artifact: &Artifact,
	) -> Result<ValidationResult, ExecutionError> {
		let (data, cpu_time_max) = (&execution.validation_data, execution.timeout);
		let request = ExecuteRequest {
			artifact_path: artifact.path.as_os_str().as_bytes().to_vec(),
			checksum: artifact.checksum,
			executor_params: (*execution.executor_params).clone(),
			cpu_time_ms_max: cpu_time_max.as_millis() as u64,
			parent_head: data.parent_head.clone(),
			pov: (*execution.pov).clone(),
			relay_parent_number: data.relay_parent_number,
			relay_parent_storage_root: data.relay_parent_storage_root,
			extension: execution.extension,
		};
		let pool = &self.0.execute_pool;
		let mut worker = pool.take().await.map_err(|error| {
			tracing::error!(target: "pvf", %error, "no execution worker");
			ExecutionError::Internal(error.to_string())
		})?;
		let wall_time_max = cpu_time_max * WALL_TIME_FACTOR + WALL_TIME_EXTRA;
		let response: ExecuteResponse = match worker.job(&request, wall_time_max).await {
			Ok(response) => response,
			Err(JobFailure::TimedOut) => {
				let detail = format!("execution took longer than {wall_time_max:?} by the clock on the wall");
				return Err(ExecutionError::TimedOut(detail));
			},
			Err(JobFailure::Died(detail)) => {
				tracing::warn!(target: "pvf", candidate = ?execution.candidate_hash, detail, "execution worker died");
				return Err(ExecutionError::WorkerDied(detail));
			},
			Err(JobFailure::Request(detail)) => return Err(ExecutionError::Internal(detail)),
		};
		let cpu_time = Duration::from_micros(response.cpu_time_us);
		self.0.metrics.on_executed(cpu_time, execution.pov.block_data.0.len(), response.pov_size);
		let (result, reusable) = match response.outcome {
			ExecuteOutcome::Ok(result) => (Ok(result), true),
			ExecuteOutcome::InvalidCandidate(detail) | ExecuteOutcome::PovDecompression(detail) => {
				(Err(ExecutionError::Rejected(detail)), true)
			},
			ExecuteOutcome::CorruptedArtifact(detail) | ExecuteOutcome::RuntimeConstruction(detail) => {
				(Err(ExecutionError::BrokenArtifact(detail)), true)
			},
			ExecuteOutcome::TimedOut => {
				let detail = format!("execution took {cpu_time:?} of CPU time; {cpu_time_max:?} are allowed");
				(Err(ExecutionError::TimedOut(detail)), false)
			},
			ExecuteOutcome::JobError(detail) => (Err(ExecutionError::JobFailed(detail)), false),
			ExecuteOutcome::Internal(detail) => (Err(ExecutionError::Internal(detail)), false),
		};
		if reusable {
			pool.give_back(worker);
		}
		result
	}

	/// Prepares code that has to be voted on. A failure that was seen before is returned again.
	pub async fn precheck(
		&self,
		code: Arc<ValidationCode>,
		code_hash: ValidationCodeHash,
		bomb_limit: u32,
		executor_params: Arc<ExecutorParams>,
	) -> Result<(), PrepareError> {
		let id = ArtifactId::new(code_hash, &executor_params);
		let (kind, class) = (PvfPrepKind::Precheck, PREPARE_NORMAL);
		let preparation = Preparation { id, code, bomb_limit, executor_params, kind, class };
		self.artifact(preparation, false).await.map(drop)
	}

	/// Prepares code that will be needed soon.
	pub async fn prepare(
		&self,
		code: Arc<ValidationCode>,
		code_hash: ValidationCodeHash,
		bomb_limit: u32,
		executor_params: Arc<ExecutorParams>,
	) -> Result<(), PrepareError> {
		let id = ArtifactId::new(code_hash, &executor_params);
		let (kind, class) = (PvfPrepKind::Prepare, PREPARE_NORMAL);
		let preparation = Preparation { id, code, bomb_limit, executor_params, kind, class };
		self.artifact(preparation, true).await.map(drop)
	}

	/// The artifact; prepared if it is not there.
	async fn artifact(&self, preparation: Preparation, retry: bool) -> Result<Artifact, PrepareError> {
		let lookup = self.0.artifacts.lock().look_up(preparation.id, Instant::now(), retry);
		match lookup {
			Lookup::Ready(artifact) => Ok(artifact),
			Lookup::Failed(error) => Err(error),
			Lookup::Wait(outcome) => wait(outcome).await,
			Lookup::Prepare(sender, outcome) => {
				let host = self.clone();
				// A task of its own: it goes on when this caller is gone, since others may wait.
				self.0.runtime.spawn(async move {
					let id = preparation.id;
					let result = host.prepare_in_worker(preparation).await;
					let files = host.0.artifacts.lock().concluded(id, Instant::now(), &result);
					let _ = sender.send(Some(result));
					for file in files {
						if let Err(error) = tokio::fs::remove_file(&file).await {
							tracing::warn!(target: "pvf", file = %file.display(), %error, "cannot delete artifact");
						}
					}
				});
				wait(outcome).await
			},
		}
	}

	async fn prepare_in_worker(&self, preparation: Preparation) -> Result<Artifact, PrepareError> {
		self.0.metrics.on_prepare_enqueued();
		let slot = self.0.prepare_slots.acquire(preparation.class).await;
		let result = self.prepare_job(&preparation).await;
		drop(slot);
		let (result, prepared) = match result {
			Ok((artifact, prepared)) => (Ok(artifact), Some(prepared)),
			Err(error) => (Err(error), None),
		};
		self.0.metrics.on_prepared(prepared.as_ref());
		let code_hash = preparation.id.code_hash;
		match (&result, &prepared) {
			(Err(error), _) => tracing::warn!(target: "pvf", ?code_hash, %error, "preparation failed"),
			(Ok(artifact), Some(prepared)) => tracing::info!(
				target: "pvf", ?code_hash, size = artifact.size, cpu_time_ms = prepared.cpu_time_us / 1000,
				"validation function prepared",
			),
			(Ok(_), None) => {},
		}
		result
	}

	async fn prepare_job(
		&self,
		preparation: &Preparation,
	) -> Result<(Artifact, crate::protocol::Prepared), PrepareError> {
		let config = &self.0.config;
		let path = preparation.id.path(&config.cache_dir, &config.node_version);
		let unfinished = unfinished(&path);
		let timeout = preparation.executor_params.pvf_prep_timeout(preparation.kind);
		let request = PrepareRequest {
			code: preparation.code.0.clone(),
			bomb_limit: preparation.bomb_limit,
			executor_params: (*preparation.executor_params).clone(),
			kind: preparation.kind,
			cpu_time_ms_max: timeout.as_millis() as u64,
			artifact_path: unfinished.as_os_str().as_bytes().to_vec(),
		};
		let pool = &self.0.prepare_pool;
		let mut worker = pool.take().await.map_err(|error| {
			tracing::error!(target: "pvf", %error, "no preparation worker");
			PrepareError::IoErr(error.to_string())
		})?;
		let job = worker.job::<PrepareResponse>(&request, timeout * WALL_TIME_FACTOR + WALL_TIME_EXTRA).await;
		let prepared = match job {
			Ok(Ok(prepared)) => {
				pool.give_back(worker);
				prepared
			},
			// Some answers are a worker's last ones; the pool finds out, but slowly. Failures are rare: take a new one.
			Ok(Err(error)) => return Err(error),
			Err(JobFailure::TimedOut) => return Err(PrepareError::TimedOut),
			Err(JobFailure::Died(detail)) => return Err(PrepareError::JobDied(detail)),
			Err(JobFailure::Request(detail)) => return Err(PrepareError::IoErr(detail)),
		};
		tokio::fs::rename(&unfinished, &path)
			.await
			.map_err(|error| PrepareError::RenameTmpFile(error.to_string()))?;
		Ok((Artifact { path, checksum: prepared.checksum, size: prepared.size }, prepared))
	}
}

/// All that a preparation needs.
struct Preparation {
	id: ArtifactId,
	code: Arc<ValidationCode>,
	bomb_limit: u32,
	executor_params: Arc<ExecutorParams>,
	kind: PvfPrepKind,
	class: usize,
}

async fn wait(mut outcome: Outcome) -> Result<Artifact, PrepareError> {
	let gone = |_| PrepareError::IoErr("the host is shutting down".into());
	let outcome = outcome.wait_for(Option::is_some).await.map_err(gone)?;
	outcome.clone().unwrap_or_else(|| Err(PrepareError::IoErr("preparation without outcome".into())))
}

fn is_backing(kind: ExecutionKind) -> bool {
	matches!(kind, ExecutionKind::Backing | ExecutionKind::BackingSystemParas)
}

/// Class of slots, and label of metrics.
fn execution_class(kind: ExecutionKind) -> (usize, &'static str) {
	match kind {
		ExecutionKind::Dispute => (0, "dispute"),
		ExecutionKind::Approval => (1, "approval"),
		ExecutionKind::BackingSystemParas => (2, "backing_system_paras"),
		ExecutionKind::Backing => (3, "backing"),
	}
}
