//! Child processes with their logs.

use crate::Error;
use nix::{
	sys::signal::{kill, Signal},
	unistd::Pid,
};
use std::{
	fs::{self, File, OpenOptions},
	io::{self, Read},
	path::{Path, PathBuf},
	process::{Child, Command, Stdio},
	thread,
	time::{Duration, Instant},
};

/// The flag of a node that ends when standard input does, which is a pipe that only the process at its other end holds open:
/// however that one ends, the node follows. What a signal of the kernel to children does would depend on the thread that
/// started them.
pub const END_WITH_PARENT: &str = "--end-with-parent";

/// How long a process may take to end when it is asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// Unit of processor times that Linux tells programs, whatever its timer does.
const TICKS_PER_SECOND: f64 = 100.;
/// Lines of a log that are shown when its process ended.
const TAIL_LINES: usize = 15;

/// Has this process end when standard input does, as with SIGTERM: what a node with the flag [`END_WITH_PARENT`] does.
pub fn end_with_parent() -> io::Result<()> {
	let wait = || {
		let mut ignored = [0; 64];
		loop {
			match io::stdin().read(&mut ignored) {
				Err(error) if error.kind() == io::ErrorKind::Interrupted => {},
				Ok(1..) => {},
				Ok(0) | Err(_) => break,
			}
		}
		// There is no other way for it to fail than that the signal does not exist.
		let _ = kill(Pid::this(), Signal::SIGTERM);
	};
	thread::Builder::new().name("end-with-parent".into()).spawn(wait).map(drop)
}

/// A child process. It is killed when it is dropped.
pub struct Process {
	name: String,
	child: Child,
	log: PathBuf,
}

impl Process {
	/// Starts a program; output is appended to the log. Its standard input ends when this process does.
	pub fn start(name: &str, program: &Path, args: &[String], log: &Path) -> Result<Self, Error> {
		let file_error = |error| Error::File { path: log.into(), error };
		let out: File = OpenOptions::new().create(true).append(true).open(log).map_err(file_error)?;
		let err = out.try_clone().map_err(file_error)?;
		let child = Command::new(program)
			.args(args)
			.stdin(Stdio::piped())
			.stdout(out)
			.stderr(err)
			.spawn()
			.map_err(|error| Error::File { path: program.into(), error })?;
		Ok(Self { name: name.into(), child, log: log.into() })
	}

	/// Process id.
	pub fn id(&self) -> u32 {
		self.child.id()
	}

	/// An error if the process has ended.
	pub fn check(&mut self) -> Result<(), Error> {
		match self.child.try_wait() {
			Ok(None) => Ok(()),
			Ok(Some(status)) => Err(self.ended(status.to_string())),
			Err(error) => Err(self.ended(error.to_string())),
		}
	}

	/// Asks the process to end. [`Self::wait`] for it then.
	pub fn terminate(&mut self) {
		self.signal(Signal::SIGTERM);
	}

	/// Ends the process at once, as a crash would.
	pub fn kill(&mut self) {
		// An error means that it has ended already.
		let _ = self.child.kill();
		let _ = self.child.wait();
	}

	/// Waits for the end after [`Self::terminate`]; kills what does not end in time.
	pub fn wait(&mut self) {
		let deadline = Instant::now() + STOP_TIMEOUT;
		while Instant::now() < deadline {
			match self.child.try_wait() {
				Ok(None) => std::thread::park_timeout(Duration::from_millis(50)),
				_ => return,
			}
		}
		self.kill();
	}

	/// Resident memory in MiB and processor time in seconds, as far as the system tells.
	pub fn usage(&self) -> (u64, f64) {
		usage(self.id()).unwrap_or_default()
	}

	fn signal(&self, signal: Signal) {
		// An error means that it has ended already.
		let _ = kill(Pid::from_raw(self.child.id() as i32), signal);
	}

	fn ended(&self, status: String) -> Error {
		Error::NodeEnded { name: self.name.clone(), status, log: self.log.clone(), tail: tail(&self.log) }
	}
}

impl Drop for Process {
	fn drop(&mut self) {
		self.kill();
	}
}

/// Why the process ended, if it said so with its last words; its last lines otherwise.
fn tail(log: &Path) -> String {
	let text = fs::read(log).unwrap_or_default();
	last_words(&String::from_utf8_lossy(&text))
}

fn last_words(log: &str) -> String {
	let lines: Vec<_> = log.lines().collect();
	let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
	let reason = last.iter().rposition(|line| line.to_ascii_lowercase().starts_with("error: "));
	last[reason.unwrap_or(0)..].join("\n")
}

fn usage(pid: u32) -> Option<(u64, f64)> {
	let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
	let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
	let resident_kib: u64 = resident.split_whitespace().next()?.parse().ok()?;
	let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
	// The name in parentheses may hold spaces; fields are counted from behind it.
	let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
	let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
	Some((resident_kib / 1024, ticks as f64 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_node_that_said_why_it_ended_is_quoted_without_what_came_before() {
		let log = "12:00:00 DEBUG parachain: this\n12:00:01  INFO that\nError: the port is taken\n";
		assert_eq!(last_words(log), "Error: the port is taken");
		let lines: Vec<_> = (0..20).map(|n| format!("line {n}")).collect();
		assert_eq!(last_words(&lines.join("\n")), lines[5..].join("\n"));
		assert_eq!(last_words(""), "");
	}
}
