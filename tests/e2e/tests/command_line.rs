//! Bad input: each gets one clear error that names the thing, a failure status, and no panic.

use headway_e2e::program;
use std::{
	fs,
	io::Read,
	net::TcpListener,
	path::{Path, PathBuf},
	process::{Command, Stdio},
	time::{Duration, Instant},
};
use tempfile::TempDir;

/// A program that has not refused its input by then, accepted it.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(120);

/// What a program said at its end.
struct Refusal {
	success: bool,
	stdout: String,
	stderr: String,
}

/// Runs the program until it ends.
fn run(args: &[&str]) -> Refusal {
	let mut child = Command::new(program())
		.args(args)
		.stdin(Stdio::null())
		.stdout(Stdio::piped())
		.stderr(Stdio::piped())
		.spawn()
		.expect("the program is there");
	let mut pipes = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
	// Pipes are read while the program runs: it would wait if they were full.
	let stdout = std::thread::spawn(move || read(&mut pipes.0));
	let stderr = std::thread::spawn(move || read(&mut pipes.1));
	let started = Instant::now();
	let status = loop {
		if let Some(status) = child.try_wait().expect("it is our child") {
			break status;
		}
		if started.elapsed() > REFUSAL_TIMEOUT {
			child.kill().expect("it is our child");
			let stderr = stderr.join().expect("reading does not panic");
			panic!("headway {args:?} was not refused:\n{stderr}");
		}
		std::thread::sleep(Duration::from_millis(20));
	};
	let stdout = stdout.join().expect("reading does not panic");
	let stderr = stderr.join().expect("reading does not panic");
	Refusal { success: status.success(), stdout, stderr }
}

fn read(from: &mut impl Read) -> String {
	let mut bytes = Vec::new();
	from.read_to_end(&mut bytes).expect("a pipe can be read");
	String::from_utf8_lossy(&bytes).into_owned()
}

/// The program refuses these arguments with one error that contains all of `named`.
#[track_caller]
fn assert_refused(args: &[&str], named: &[&str]) {
	let Refusal { success, stdout, stderr } = run(args);
	let said = format!("headway {args:?}\nstdout: {stdout}\nstderr: {stderr}");
	assert!(!success, "succeeded: {said}");
	assert!(!stderr.contains("panicked") && !stdout.contains("panicked"), "{said}");
	let errors: Vec<_> =
		stderr.lines().filter(|line| line.to_ascii_lowercase().starts_with("error")).collect();
	assert_eq!(errors.len(), 1, "one error line: {said}");
	for name in named {
		assert!(errors[0].contains(name), "the error names {name}: {said}");
	}
}

fn text(path: &Path) -> String {
	path.to_str().expect("paths of this test are text").into()
}

fn directory() -> TempDir {
	TempDir::with_prefix("headway-e2e-").expect("there is a place for temporary files")
}

/// A file with this content.
fn file(directory: &TempDir, name: &str, content: &str) -> PathBuf {
	let path = directory.path().join(name);
	fs::write(&path, content).expect("the directory is ours");
	path
}

/// A port that somebody listens on for as long as the listener is there.
fn taken_port() -> (TcpListener, String) {
	let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
	let port = listener.local_addr().expect("it is bound").port().to_string();
	(listener, port)
}

/// Arguments of a node that nobody meets, with a base path of its own.
fn node(base_path: &str) -> Vec<&str> {
	let ports = ["--rpc-port", "0", "--no-prometheus"];
	["--chain", "local", "--base-path", base_path, "--no-mdns", "--no-telemetry"]
		.into_iter()
		.chain(ports)
		.collect()
}

#[test]
fn a_wrong_flag_is_named() {
	assert_refused(&["--no-such-flag"], &["--no-such-flag"]);
	assert_refused(&["testnet", "--backing", "sideways"], &["sideways"]);
	assert_refused(&["metronome", "--pov-kib", "large"], &["large"]);
	assert_refused(&["metronome", "--fault", "lazy"], &["lazy"]);
	assert_refused(&["testnet", "--collator-fault", "2000=lazy"], &["lazy"]);
}

#[test]
fn an_unknown_chain_is_named() {
	assert_refused(&["build-spec", "--chain", "atlantis"], &["atlantis"]);
}

#[test]
fn a_chain_specification_that_does_not_parse_is_named() {
	let directory = directory();
	let path = text(&file(&directory, "broken.json", "{ \"name\": "));
	assert_refused(&["build-spec", "--chain", &path], &[&path]);
	assert_refused(&["--chain", &path, "--base-path", &text(&directory.path().join("base"))], &[&path]);
}

#[test]
fn a_field_that_a_chain_specification_lacks_is_named() {
	let directory = directory();
	let plain = run(&["build-spec", "--chain", "local", "--disable-default-bootnode"]);
	assert!(plain.success, "{}", plain.stderr);
	let spec: serde_json::Value = serde_json::from_str(&plain.stdout).expect("build-spec prints JSON");
	for field in ["name", "id", "genesis"] {
		let mut spec = spec.clone();
		spec.as_object_mut().expect("it is an object").remove(field).expect("it has the field");
		let path = text(&file(&directory, &format!("without-{field}.json"), &spec.to_string()));
		assert_refused(&["build-spec", "--chain", &path, "--raw"], &[&path, field]);
	}
}

#[test]
fn a_taken_port_is_named() {
	let directory = directory();
	let base_path = text(&directory.path().join("base"));
	let (_listener, port) = taken_port();
	let address = format!("/ip4/127.0.0.1/tcp/{port}");
	let mut args = node(&base_path);
	args.extend(["--listen-addr", &address]);
	assert_refused(&args, &[&port]);
}

#[test]
fn a_taken_metrics_port_is_named() {
	let directory = directory();
	let base_path = text(&directory.path().join("base"));
	let (_listener, port) = taken_port();
	let mut args = node(&base_path);
	args.retain(|arg| *arg != "--no-prometheus");
	args.extend(["--port", "0", "--prometheus-port", &port]);
	assert_refused(&args, &[&port]);
}

#[test]
fn a_taken_rpc_port_that_was_named_is_named() {
	let directory = directory();
	let base_path = text(&directory.path().join("base"));
	let (_listener, port) = taken_port();
	let mut args = node(&base_path);
	args.retain(|arg| !["--rpc-port", "0"].contains(arg));
	args.extend(["--port", "0", "--rpc-port", &port]);
	assert_refused(&args, &["RPC", &port]);
}

#[test]
fn a_database_of_another_version_is_refused() {
	let directory = directory();
	let database = directory.path().join("chains/headway_local/db/full");
	fs::create_dir_all(&database).expect("the directory is ours");
	fs::write(database.join("db_version"), "999").expect("the directory is ours");
	let base_path = text(directory.path());
	let mut args = node(&base_path);
	args.extend(["--port", "0"]);
	assert_refused(&args, &["atabase version", "999"]);
}

#[test]
fn a_missing_collator_key_is_named() {
	let directory = directory();
	let key = text(&directory.path().join("no-such-key"));
	let base_path = text(&directory.path().join("base"));
	let mut args = vec!["metronome"];
	args.extend(node(&base_path));
	args.extend(["--port", "0", "--collator-key-file", &key]);
	assert_refused(&args, &[&key]);
}

#[test]
fn a_switch_without_a_node_says_which_node() {
	let url = "ws://127.0.0.1:1";
	assert_refused(&["testnet", "switch", "--rpc", url, "--backing", "async"], &[url]);
}
