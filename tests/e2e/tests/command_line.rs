//! Bad input: each gets one clear error that names the thing, a failure status, and no panic. And what is around a network of
//! the command line: its directory, and its end.

use headway_e2e::program;
use headway_testnet::{process::Process, rpc::Rpc};
use std::{
	fs,
	io::{Read, Write},
	net::{TcpListener, TcpStream},
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

/// The program refuses these arguments with one error that contains all of `named`. Answers standard error.
#[track_caller]
fn assert_refused(args: &[&str], named: &[&str]) -> String {
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
	stderr
}

/// The same, of a node that had a log already: the reason comes last.
#[track_caller]
fn assert_refused_with_last_words(args: &[&str], named: &[&str]) {
	let stderr = assert_refused(args, named);
	let last = stderr.lines().last().unwrap_or_default();
	assert!(last.starts_with("Error: "), "the reason comes last: {stderr}");
	assert!(stderr.contains("Chain specification: "), "the log comes first: {stderr}");
}

/// Looks again and again until there is something.
#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
	let started = Instant::now();
	loop {
		if let Some(found) = look() {
			return found;
		}
		assert!(started.elapsed() < REFUSAL_TIMEOUT, "{what} did not happen");
		std::thread::sleep(Duration::from_millis(20));
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
	assert_refused_with_last_words(&args, &[&port]);
}

#[test]
fn a_taken_metrics_port_is_named() {
	let directory = directory();
	let base_path = text(&directory.path().join("base"));
	let (_listener, port) = taken_port();
	let mut args = node(&base_path);
	args.retain(|arg| *arg != "--no-prometheus");
	args.extend(["--port", "0", "--prometheus-port", &port]);
	assert_refused_with_last_words(&args, &[&port]);
}

#[test]
fn a_taken_rpc_port_that_was_named_is_named() {
	let directory = directory();
	let base_path = text(&directory.path().join("base"));
	let (_listener, port) = taken_port();
	let mut args = node(&base_path);
	args.retain(|arg| !["--rpc-port", "0"].contains(arg));
	args.extend(["--port", "0", "--rpc-port", &port]);
	assert_refused_with_last_words(&args, &["RPC", &port]);
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
	assert_refused_with_last_words(&args, &["atabase version", "999"]);
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

#[test]
fn a_network_that_could_not_do_its_work_is_refused() {
	let directory = directory();
	let base_dir = text(directory.path());
	for (args, named) in [
		(["--validators", "2", "--parachains", "3"], ["3 cores", "2 validators"]),
		(["--validators", "1", "--parachains", "1"], ["one validator", "--validators 2"]),
		(["--node-arg", "zoe=--db-cache=1", "--cores", "2000=2"], ["node", "zoe"]),
		(["--validators", "4", "--cores", "2009=2"], ["para", "2009"]),
	] {
		assert_refused(&[&["testnet", "--base-dir", &base_dir], &args[..]].concat(), &named);
	}
}

/// `headway testnet` as a child, with its log beside the network's directory.
fn testnet(directory: &TempDir, args: &[&str]) -> (Process, PathBuf) {
	let log = directory.path().join("testnet.log");
	let base_dir = text(&directory.path().join("network"));
	let args = [&["testnet", "--base-dir", &base_dir], args].concat();
	let args: Vec<_> = args.into_iter().map(String::from).collect();
	(Process::start("testnet", &program(), &args, &log).expect("the program is there"), log)
}

fn read_text(path: &Path) -> String {
	String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// The process with these words among its arguments.
fn process_with(words: &[&str]) -> Option<u32> {
	let processes = fs::read_dir("/proc").expect("this is Linux").flatten();
	let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
	ids.into_iter().find(|id| runs_with(*id, words))
}

fn runs_with(process: u32, words: &[&str]) -> bool {
	let line = read_text(Path::new(&format!("/proc/{process}/cmdline")));
	let args: Vec<_> = line.split('\0').collect();
	words.iter().all(|word| args.contains(word))
}

/// Headers of a node's answer to a page of this origin.
fn answer_to_page(port: u16, origin: &str) -> String {
	let body = r#"{"jsonrpc":"2.0","id":1,"method":"system_name","params":[]}"#;
	let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the node serves RPC");
	let head = format!(
		"POST / HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: {origin}\r\nConnection: close\r\n\
		Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
		body.len()
	);
	stream.write_all(head.as_bytes()).expect("the node reads");
	let answer = read(&mut stream);
	assert!(answer.contains("Headway"), "it answers: {answer}");
	answer.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase()
}

/// One validator, without a parachain: the story of its directory.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_says_what_is_in_the_way_and_its_nodes_end_with_it() {
	let directory = directory();
	let shape = [
		"--validators",
		"1",
		"--parachains",
		"0",
		"--archive",
		"--node-arg",
		"alice=--max-runtime-instances=4",
	];
	let (mut network, log) = testnet(&directory, &shape);
	let base_dir = directory.path().join("network");
	let base_dir_text = text(&base_dir);
	let spec_path = base_dir.join("chain.json");
	let (base_path, spec) = (text(&base_dir.join("alice")), text(&spec_path));
	until("the network is ready", || {
		network.check().unwrap_or_else(|error| panic!("{error}"));
		read_text(&log).contains(&spec).then_some(())
	});
	let said = read_text(&log);
	let port = said.split("ws://127.0.0.1:").nth(1).and_then(|text| text.split_whitespace().next());
	let port: u16 = port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no port in {said}"));
	let args = ["--base-path", &base_path, "--max-runtime-instances=4"];
	let node = process_with(&args).expect("the node runs, with the argument that is for it");

	// Its nodes are archives, and browsers let only some pages ask them.
	let rpc = Rpc::connect("alice", port).await.expect("alice is ready");
	let height: u32 = rpc.call("archive_v1_finalizedHeight", [(); 0]).await.expect("the node is an archive");
	println!("archive, finalized {height}");
	let apps = "https://polkadot.js.org";
	let allowed = format!("access-control-allow-origin: {apps}");
	assert!(answer_to_page(port, apps).contains(&allowed));
	let of_others = answer_to_page(port, "https://example.org");
	assert!(!of_others.contains("access-control-allow-origin"), "{of_others}");

	// Neither another network nor another node takes its place.
	let network_again = ["testnet", "--base-dir", &base_dir_text];
	assert_refused(&network_again, &[&base_dir_text, &format!("process {}", network.id())]);
	let mut node_again = vec!["--chain", &spec, "--base-path", &base_path, "--port", "0", "--rpc-port", "0"];
	node_again.extend(["--no-prometheus", "--no-mdns", "--no-telemetry"]);
	assert_refused_with_last_words(&node_again, &[&format!("process {node}"), "--name alice"]);

	// Nobody can keep a network from being killed; nodes do not outlive it, and end in good order.
	network.kill();
	until("the node ends, too", || (!runs_with(node, &args)).then_some(()));
	let log_of_node = read_text(&base_dir.join("alice.log"));
	assert!(!log_of_node.contains("ERROR") && !log_of_node.contains("panicked"), "{log_of_node}");

	// Nor does the database of one chain become another's.
	let mut changed: serde_json::Value = serde_json::from_str(&read_text(&spec_path)).expect("it is JSON");
	changed["genesis"]["raw"]["top"]["0x01"] = "0x02".into();
	let other = text(&file(&directory, "other.json", &changed.to_string()));
	let mut node_again = node_again.clone();
	node_again[1] = &other;
	assert_refused_with_last_words(&node_again, &["another chain", "genesis block", "purge-chain"]);

	// Another network would make another genesis block beside that of these databases.
	let other = ["testnet", "--base-dir", &base_dir_text, "--validators", "2", "--parachains", "0"];
	assert_refused(&other, &[&base_dir_text, "genesis block", "start anew"]);
}

#[test]
fn a_network_can_be_stopped_while_it_starts() {
	let directory = directory();
	let (mut network, log) = testnet(&directory, &["--validators", "2", "--parachains", "0"]);
	until("the network begins to start", || read_text(&log).contains("Network in").then_some(()));
	network.terminate();
	network.wait();
	let said = read_text(&log);
	assert!(said.contains("Stopped before all nodes were started"), "{said}");
	assert!(!said.contains("Error"), "{said}");
	assert!(!directory.path().join("network/bob.log").exists(), "nodes were started all the same: {said}");
}
