//! The worker's side: what the hidden subcommands run.
//!
//! A worker gets a socket as its standard input, greets, and then does one job after the other until the socket closes. The job
//! runs in a thread of its own; the main thread watches the CPU time that the process takes, which other processes on the
//! machine cannot inflate. A job that takes too long cannot be stopped inside of the process: the worker reports it and ends.
//!
//! | module | what is in it |
//! |---|---|
//! | [`execute`] | execution jobs |
//! | [`prepare`] | preparation jobs |
//! | [`resources`] | CPU time and memory of this process |
//! | [`sandbox`] | where the worker gives up its rights |

pub mod execute;
pub mod prepare;
pub mod resources;
pub mod sandbox;

use crate::protocol::{self, Hello};
use codec::{Decode, Encode};
use std::{
	io,
	os::{fd::AsFd, unix::net::UnixStream},
	process::ExitCode,
	sync::mpsc,
	thread,
	time::Duration,
};

/// What a worker of another version says before it ends.
const VERSION_MISMATCH: u8 = 3;
/// CPU time that watching itself may take.
const WATCH_OVERHEAD: Duration = Duration::from_millis(50);
/// How often memory is measured, if it is limited.
const MEMORY_CHECK_PERIOD: Duration = Duration::from_millis(20);
/// How often a worker looks whether the node is still there.
const PARENT_CHECK_PERIOD: Duration = Duration::from_secs(1);

/// Entry point of the hidden subcommand `prepare-worker`. `node_version` is this program's version.
pub fn prepare_main(node_version: &str) -> ExitCode {
	run(node_version, prepare::handle)
}

/// Entry point of the hidden subcommand `execute-worker`. `node_version` is this program's version.
pub fn execute_main(node_version: &str) -> ExitCode {
	run(node_version, execute::handle)
}

/// An answer, and whether the worker can take another job.
pub(crate) enum Answer<R> {
	Continue(R),
	Last(R),
}

fn run<Request, Response>(node_version: &str, handle: fn(Request) -> Answer<Response>) -> ExitCode
where
	Request: Decode,
	Response: Encode,
{
	sp_tracing::try_init_simple();
	match serve(node_version, handle) {
		Ok(code) => code,
		Err(error) => {
			eprintln!("worker: {error}. Workers are started by the node, never by hand.");
			ExitCode::FAILURE
		},
	}
}

fn serve<Request, Response>(
	node_version: &str,
	handle: fn(Request) -> Answer<Response>,
) -> io::Result<ExitCode>
where
	Request: Decode,
	Response: Encode,
{
	let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
	// The answer is written first, so that the host learns our version too.
	protocol::write(&mut socket, &Hello { node_version: node_version.into() })?;
	let hello: Hello = protocol::read(&mut socket)?;
	if hello.node_version != node_version {
		eprintln!("worker is version {node_version}, but the node is {}", hello.node_version);
		return Ok(ExitCode::from(VERSION_MISMATCH));
	}
	sandbox::enter();
	loop {
		let request = match protocol::read::<Request>(&mut socket) {
			Ok(request) => request,
			// The node is gone, or does not need us any more.
			Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(ExitCode::SUCCESS),
			Err(error) => return Err(error),
		};
		match handle(request) {
			Answer::Continue(response) => protocol::write(&mut socket, &response)?,
			Answer::Last(response) => {
				protocol::write(&mut socket, &response)?;
				// The job's thread may still run: leave it no time.
				std::process::exit(0)
			},
		}
	}
}

/// How a watched job ended.
pub(crate) enum Watched<T> {
	/// It returned, within its time.
	Done(T),
	/// It panicked.
	Panicked(String),
	/// It took more CPU time than it may; perhaps it still runs.
	TimedOut,
	/// It took more memory than it may; perhaps it still runs.
	OutOfMemory,
	/// The thread could not be started.
	NoThread(String),
}

/// Runs a job in a thread of its own, within its CPU time and, if given, resident memory. The CPU time is added.
pub(crate) fn watch<T: Send + 'static>(
	stack_bytes: usize,
	cpu_time_max: Duration,
	memory_bytes_max: Option<u64>,
	job: impl FnOnce() -> T + Send + 'static,
) -> (Watched<T>, Duration) {
	let start = resources::cpu_time();
	let taken = || resources::cpu_time().saturating_sub(start);
	let (sender, receiver) = mpsc::sync_channel(1);
	let spawned = thread::Builder::new().name("job".into()).stack_size(stack_bytes).spawn(move || {
		// If nobody listens, the worker is about to end.
		let _ = sender.send(job());
	});
	let thread = match spawned {
		Ok(thread) => thread,
		Err(error) => return (Watched::NoThread(error.to_string()), taken()),
	};
	let step_max = if memory_bytes_max.is_some() { MEMORY_CHECK_PERIOD } else { PARENT_CHECK_PERIOD };
	let parent = std::os::unix::process::parent_id();
	loop {
		let left = (cpu_time_max + WATCH_OVERHEAD).saturating_sub(taken());
		// A thread cannot take CPU time faster than time passes, so nothing is missed by waiting for what is left.
		match receiver.recv_timeout(left.min(step_max).max(Duration::from_millis(1))) {
			Ok(_) if taken() > cpu_time_max => return (Watched::TimedOut, taken()),
			Ok(result) => return (Watched::Done(result), taken()),
			Err(mpsc::RecvTimeoutError::Timeout) if taken() > cpu_time_max => {
				return (Watched::TimedOut, taken())
			},
			Err(mpsc::RecvTimeoutError::Timeout) => {
				if std::os::unix::process::parent_id() != parent {
					// The node was killed: nobody wants the result.
					std::process::exit(1)
				}
				let resident = memory_bytes_max.zip(resources::resident_bytes());
				if resident.is_some_and(|(max, resident)| resident > max) {
					return (Watched::OutOfMemory, taken());
				}
			},
			Err(mpsc::RecvTimeoutError::Disconnected) => {
				let message = match thread.join() {
					Ok(()) => "the job ended without a result".into(),
					Err(payload) => panic_message(&*payload),
				};
				return (Watched::Panicked(message), taken());
			},
		}
	}
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
	let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
	text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_job_is_cut_off_after_its_cpu_time() {
		let (outcome, taken) = watch(1 << 20, Duration::from_millis(20), None, || loop {
			std::hint::spin_loop();
		});
		let () = match outcome {
			Watched::TimedOut => (),
			_ => panic!("not timed out"),
		};
		assert!(taken >= Duration::from_millis(20));
	}

	#[test]
	fn a_panic_is_an_outcome() {
		let (outcome, _) = watch(1 << 20, Duration::from_secs(10), None, || -> () { panic!("broken {}", 1) });
		assert!(matches!(outcome, Watched::Panicked(message) if message == "broken 1"));
	}
}
