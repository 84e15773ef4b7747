//! What the end-to-end tests share: the program under test, networks in directories of their own, and waiting
//! for conditions.
//!
//! The tests use what a user has: the program, its command line, RPC, metrics and logs. They never wait for a
//! fixed time: [`TestNetwork::until`] looks at a condition again and again, up to a deadline.
//!
//! | test file | what is in it |
//! |---|---|
//! | `tests/networks.rs` | networks of processes: inclusion, backing modes and the switch, crashes, two groups |
//! | `tests/faulty_collators.rs` | collators that do something wrong: what users are told of it |
//! | `tests/extrinsics.rs` | what extrinsics change in a running network: paras, channels, code, on-demand orders |
//! | `tests/command_line.rs` | bad input, each with one clear error |
//! | `tests/architecture.rs` | what crates may depend on |

#![forbid(unsafe_code)]

pub mod raw_peer;

use headway_testnet::{Backing, Error, Network, NetworkConfig};
use std::{
	fs::{self, File},
	ops::{AsyncFnMut, Deref, DerefMut},
	path::PathBuf,
	time::{Duration, Instant},
};
use tempfile::TempDir;

/// Pause between two looks at a condition.
const POLL: Duration = Duration::from_millis(500);

/// The program under test: `HEADWAY_BIN`, or the one that was built beside this test.
pub fn program() -> PathBuf {
	let program = std::env::var_os("HEADWAY_BIN").map_or_else(built_program, PathBuf::from);
	assert!(
		program.is_file(),
		"there is no {}: build the program first (`make build`), or set HEADWAY_BIN",
		program.display()
	);
	program
}

/// The program of `tests/subxt`: `HEADWAY_CHECK_EVENTS`, or the one that `make e2e` built.
pub fn check_events_program() -> PathBuf {
	let program = std::env::var_os("HEADWAY_CHECK_EVENTS").map_or_else(built_check_events, PathBuf::from);
	assert!(
		program.is_file(),
		"there is no {}: `make e2e` builds it from tests/subxt; or set HEADWAY_CHECK_EVENTS",
		program.display()
	);
	program
}

/// `target/subxt/debug/check-events` for a test in `target/debug/deps`.
fn built_check_events() -> PathBuf {
	let test = std::env::current_exe().unwrap_or_default();
	test.ancestors().nth(3).map(|folder| folder.join("subxt/debug/check-events")).unwrap_or_default()
}

/// `target/debug/headway` for a test in `target/debug/deps`.
fn built_program() -> PathBuf {
	let test = std::env::current_exe().unwrap_or_default();
	test.ancestors().nth(2).map(|folder| folder.join("headway")).unwrap_or_default()
}

/// A network that is stopped at the end of its test. Its directory is removed, unless the test failed.
pub struct TestNetwork {
	network: Network,
	// Fields are dropped in this order: the processes end before their directory goes and the next network
	// may start.
	directory: Option<TempDir>,
	_turn: File,
}

impl TestNetwork {
	/// Starts a network, when no other test has one, and waits until all nodes answer.
	///
	/// # Panics
	///
	/// If it does not start; the path of the logs is in the message.
	pub async fn start(adjust: impl FnOnce(&mut NetworkConfig)) -> Self {
		let turn = tokio::task::spawn_blocking(turn).await.expect("waiting for a turn does not panic");
		let directory = TempDir::with_prefix("headway-e2e-").expect("there is a place for temporary files");
		let mut config = NetworkConfig {
			program: program(),
			base_dir: directory.path().into(),
			chain: "local".into(),
			validators: 4,
			parachains: 1,
			cores: Default::default(),
			collators_per_para: 1,
			work_ms: 10,
			pov_kib: 4,
			backing: Backing::Async,
			faults: Default::default(),
			validator_args: Vec::new(),
			collator_args: Vec::new(),
			node_args: Vec::new(),
			epoch_duration: None,
			log: "info,parachain=debug".into(),
		};
		adjust(&mut config);
		let network = Network::start(&config).await;
		let network = network.unwrap_or_else(|error| panic!("the network does not start: {error}"));
		let mut network = Self { network, directory: Some(directory), _turn: turn };
		if let Err(error) = network.ready().await {
			panic!("the network does not get ready: {error}");
		}
		network
	}

	/// Looks at a condition again and again until it answers something.
	///
	/// # Panics
	///
	/// If it does not within the deadline, or if a node ends that nobody stopped.
	pub async fn until<T>(
		&mut self,
		what: &str,
		within: Duration,
		mut condition: impl AsyncFnMut(&mut Network) -> Result<Option<T>, Error>,
	) -> T {
		let started = Instant::now();
		loop {
			if let Err(error) = self.network.check() {
				panic!("while waiting for {what}: {error}");
			}
			let result = condition(&mut self.network).await;
			if let Ok(Some(value)) = result {
				println!("{what}: after {:.1} s", started.elapsed().as_secs_f64());
				return value;
			}
			if started.elapsed() > within {
				let error = result.err().map(|error| format!("; last error: {error}")).unwrap_or_default();
				panic!("{what} did not happen within {} s{error}", within.as_secs());
			}
			tokio::time::sleep(POLL).await;
		}
	}

	/// Lines of all logs that contain a text, with the node's name.
	pub fn log_lines(&self, text: &str) -> Vec<String> {
		let mut found = Vec::new();
		for node in &self.network.nodes {
			let log = fs::read(node.log()).unwrap_or_default();
			let log = String::from_utf8_lossy(&log);
			found.extend(
				log.lines().filter(|line| line.contains(text)).map(|line| format!("{}: {line}", node.name)),
			);
		}
		found
	}
}

impl Deref for TestNetwork {
	type Target = Network;

	fn deref(&self) -> &Network {
		&self.network
	}
}

impl DerefMut for TestNetwork {
	fn deref_mut(&mut self) -> &mut Network {
		&mut self.network
	}
}

impl Drop for TestNetwork {
	fn drop(&mut self) {
		self.network.stop();
		if std::thread::panicking() {
			if let Some(directory) = self.directory.take() {
				eprintln!("logs of the network: {}", directory.keep().display());
			}
		}
	}
}

/// Waits for this test's turn: networks share the machine's cores with each other badly. Other processes that
/// run these tests wait too. The turn is over when the file is closed, even by a crash.
fn turn() -> File {
	let path = std::env::temp_dir().join("headway-e2e.lock");
	let file = File::options().create(true).append(true).open(&path);
	let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
	file.lock().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
	file
}
