//! A worker process, seen from the host.

use crate::{
	metrics::{Flavor, Metrics},
	output::{pass_on, Allowance},
	protocol::{self, Hello},
};
use codec::{Decode, Encode};
use parking_lot::Mutex;
use std::{
	collections::BTreeMap,
	ffi::OsString,
	io,
	os::{fd::OwnedFd, unix::process::CommandExt},
	path::PathBuf,
	process::{ExitStatus, Stdio},
	sync::Arc,
	time::Duration,
};
use tokio::{
	net::UnixStream,
	process::{Child, Command},
	time,
};

/// How to start workers of one flavor.
#[derive(Clone, Debug)]
pub struct Program {
	/// The program.
	pub path: PathBuf,
	/// Its arguments: the hidden subcommand.
	pub args: Vec<OsString>,
	/// Version that it must be.
	pub node_version: String,
	/// How long it may take to greet.
	pub spawn_timeout: Duration,
}

/// Why a worker did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
	/// The process could not be started or spoken to.
	#[error("cannot start {}: {error}", .program.display())]
	Io {
		/// The program.
		program: PathBuf,
		/// What the system says.
		error: io::Error,
	},
	/// It did not greet in time.
	#[error("worker did not start within {0:?}")]
	TimedOut(Duration),
	/// It is another version.
	#[error("worker is version {worker}, but the node is {node}; restart the node")]
	VersionMismatch {
		/// Its version.
		worker: String,
		/// Ours.
		node: String,
	},
}

/// Why a job came back without an answer.
#[derive(Debug)]
pub(crate) enum JobFailure {
	/// The worker died, or what it answered made no sense.
	Died(String),
	/// It did not answer in time, and was killed.
	TimedOut,
	/// The request could not be made.
	Request(String),
}

/// Live workers by process id, with whether they have a job.
pub(crate) type Registry = Arc<Mutex<BTreeMap<u32, (Flavor, bool)>>>;

/// A worker process, killed on drop. Whoever drops it in the middle of a job loses nothing but the job.
pub(crate) struct Worker {
	child: Child,
	socket: UnixStream,
	pid: u32,
	flavor: Flavor,
	output: Allowance,
	registry: Registry,
	metrics: Metrics,
}

impl Drop for Worker {
	fn drop(&mut self) {
		self.registry.lock().remove(&self.pid);
		self.metrics.on_retired(self.flavor);
		// `kill_on_drop` does the rest.
	}
}

impl Worker {
	/// Starts a worker and exchanges greetings.
	pub(crate) async fn spawn(
		program: &Program,
		flavor: Flavor,
		registry: &Registry,
		metrics: &Metrics,
	) -> Result<Self, SpawnError> {
		metrics.on_spawning(flavor);
		let failed = |error| SpawnError::Io { program: program.path.clone(), error };
		let (socket, mut child) = Self::start(program).map_err(failed)?;
		let pid = child.id().unwrap_or_default();
		registry.lock().insert(pid, (flavor, false));
		let (registry, metrics, output) = (registry.clone(), metrics.clone(), Allowance::new());
		if let Some(stderr) = child.stderr.take() {
			// Ends with the worker, after all that it said.
			tokio::spawn(pass_on(stderr, output.clone(), move |line| {
				tracing::info!(target: "pvf", "{} worker {pid} says: {line}", flavor.label());
			}));
		}
		let mut worker = Self { child, socket, pid, flavor, output, registry, metrics };
		let hello = Hello { node_version: program.node_version.clone() };
		let greeted = time::timeout(program.spawn_timeout, async {
			let theirs: Hello = protocol::receive(&mut worker.socket).await?;
			protocol::send(&mut worker.socket, &protocol::frame(&hello)?).await?;
			Ok(theirs)
		});
		match greeted.await {
			Err(_) => Err(SpawnError::TimedOut(program.spawn_timeout)),
			Ok(Err(error)) => Err(failed(error)),
			Ok(Ok(theirs)) if theirs != hello => Err(SpawnError::VersionMismatch {
				worker: theirs.node_version,
				node: program.node_version.clone(),
			}),
			Ok(Ok(_)) => {
				worker.metrics.on_spawned(flavor);
				tracing::debug!(target: "pvf", pid, flavor = flavor.label(), "worker started");
				Ok(worker)
			},
		}
	}

	fn start(program: &Program) -> io::Result<(UnixStream, Child)> {
		let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
		ours.set_nonblocking(true)?;
		let mut command = std::process::Command::new(&program.path);
		command.args(&program.args).stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
		command.stderr(Stdio::piped()).env_clear();
		if let Some(level) = std::env::var_os("RUST_LOG") {
			command.env("RUST_LOG", level);
		}
		// A group of its own: an interrupt from the terminal is for the node, which ends its workers.
		command.process_group(0);
		let child = Command::from(command).kill_on_drop(true).spawn()?;
		Ok((UnixStream::from_std(ours)?, child))
	}

	/// Whether it is still alive, as far as the system has told.
	pub(crate) fn is_alive(&mut self) -> bool {
		matches!(self.child.try_wait(), Ok(None))
	}

	/// Does a job. After an error the worker is of no use any more.
	pub(crate) async fn job<Response: Decode>(
		&mut self,
		request: &impl Encode,
		wall_time_max: Duration,
	) -> Result<Response, JobFailure> {
		self.set_busy(true);
		self.output.renew();
		let frame = protocol::frame(request).map_err(|error| JobFailure::Request(error.to_string()))?;
		let exchange = async {
			protocol::send(&mut self.socket, &frame).await?;
			protocol::receive(&mut self.socket).await
		};
		match time::timeout(wall_time_max, exchange).await {
			Err(_) => Err(JobFailure::TimedOut),
			// Whoever took over a worker can make it answer anything: nonsense is no failure of ours.
			Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
				Err(JobFailure::Died(error.to_string()))
			},
			Ok(Err(error)) => {
				let status = time::timeout(Duration::from_secs(1), self.child.wait()).await;
				Err(JobFailure::Died(match status {
					Ok(Ok(status)) => describe(status),
					_ => error.to_string(),
				}))
			},
			Ok(Ok(response)) => {
				self.set_busy(false);
				Ok(response)
			},
		}
	}

	fn set_busy(&self, busy: bool) {
		if let Some(entry) = self.registry.lock().get_mut(&self.pid) {
			entry.1 = busy;
		}
	}
}

fn describe(status: ExitStatus) -> String {
	use std::os::unix::process::ExitStatusExt;
	match status.signal() {
		Some(signal) => format!("worker was killed by signal {signal}"),
		None => format!("worker ended with {status}"),
	}
}

/// Workers without a job, ready for the next one.
///
/// # Bounds
///
/// Never more than jobs ran at once: a worker gets in only after a job.
pub(crate) struct Pool {
	program: Program,
	flavor: Flavor,
	idle: Mutex<Vec<Worker>>,
	registry: Registry,
	metrics: Metrics,
}

impl Pool {
	pub(crate) fn new(program: Program, flavor: Flavor, registry: Registry, metrics: Metrics) -> Self {
		Self { program, flavor, idle: Mutex::new(Vec::new()), registry, metrics }
	}

	/// A worker that is alive.
	pub(crate) async fn take(&self) -> Result<Worker, SpawnError> {
		loop {
			// Bound first: the lock must not be held longer than for this.
			let idle = self.idle.lock().pop();
			let Some(mut worker) = idle else {
				return Worker::spawn(&self.program, self.flavor, &self.registry, &self.metrics).await;
			};
			if worker.is_alive() {
				return Ok(worker);
			}
		}
	}

	/// Gives back a worker after its job.
	pub(crate) fn give_back(&self, worker: Worker) {
		self.idle.lock().push(worker);
	}
}
