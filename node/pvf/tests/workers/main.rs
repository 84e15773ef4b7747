//! The host with real worker processes: this test program, started again. That is why it has a `main` of its own.

mod modules;
mod output;
mod stock;

use codec::Encode;
use headway_machine::{Execution, ExecutionError, ExecutionKind};
use headway_metronome_pvf::{build, Head, Traffic};
use headway_primitives::{
	BlockData, CandidateHash, ExecutorParam, ExecutorParams, Hash, HeadData, PersistedValidationData, PoV,
	ValidationCode,
};
use headway_pvf::{
	host::WorkerInfo, metrics::Flavor, process::SpawnError, Host, HostConfig, PrepareError, StartError,
};
use std::{future::Future, path::Path, pin::Pin, process::ExitCode, sync::Arc, time::Duration};
use substrate_prometheus_endpoint::Registry;

const VERSION: &str = "test";
/// More rounds than any machine does in a test's time.
const FOR_EVER: u64 = u64::MAX;

type Scenario = fn() -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! scenarios {
	($($name:path),* $(,)?) => {
		const SCENARIOS: &[(&str, Scenario)] = &[$((stringify!($name), || Box::pin($name()))),*];
	};
}

scenarios![
	executes_and_reuses_the_artifact,
	concurrent_executions_share_one_preparation,
	what_is_not_wasm_is_a_clear_error,
	a_trap_is_the_candidates_fault,
	a_timeout_is_reported_and_ends_the_worker,
	a_killed_worker_is_reported_and_the_next_execution_has_another,
	a_corrupted_artifact_is_prepared_again,
	a_deleted_artifact_is_prepared_again,
	bombs_are_refused,
	only_parameters_of_preparation_cause_another_one,
	an_extension_does_not_disturb,
	a_dropped_execution_ends_its_worker,
	a_worker_of_another_version_is_refused,
	a_program_that_is_no_worker_is_refused,
	modules::what_follows_a_result_does_not_count,
	modules::a_result_that_is_too_large_is_the_candidates_fault,
	output::what_a_validation_function_says_is_prefixed_plain_and_capped,
	stock::a_checked_upgrade_has_the_result_of_the_stock_workers,
];

fn main() -> ExitCode {
	let args: Vec<String> = std::env::args().skip(1).collect();
	match args.first().map(String::as_str) {
		Some("prepare-worker") => return headway_pvf::worker::prepare_main(VERSION),
		Some("execute-worker") => return headway_pvf::worker::execute_main(VERSION),
		Some(output::TALK) => return output::talk(),
		_ => {},
	}
	if args.iter().any(|arg| arg == "--list") {
		SCENARIOS.iter().for_each(|(name, _)| println!("{name}: test"));
		return ExitCode::SUCCESS;
	}
	let filter = args.iter().find(|arg| !arg.starts_with('-')).cloned().unwrap_or_default();
	let runtime = tokio::runtime::Runtime::new().unwrap();
	for (name, scenario) in SCENARIOS.iter().filter(|(name, _)| name.contains(&filter)) {
		let start = std::time::Instant::now();
		println!("test {name} ...");
		// A scenario that waits for what never comes has to fail.
		let run = async {
			tokio::time::timeout(Duration::from_secs(300), scenario()).await.expect("took too long")
		};
		runtime.block_on(run);
		println!("test {name} ... ok ({:.1?})", start.elapsed());
	}
	ExitCode::SUCCESS
}

/// A host with its folder and metrics.
struct Fixture {
	host: Host,
	registry: Registry,
	folder: tempfile::TempDir,
}

fn config(folder: &Path) -> HostConfig {
	HostConfig::new(VERSION, folder)
}

fn fixture() -> Fixture {
	let folder = tempfile::tempdir().unwrap();
	let registry = Registry::new();
	let host = Host::start(config(folder.path()), Some(&registry)).unwrap();
	Fixture { host, registry, folder }
}

impl Fixture {
	fn counter(&self, name: &str) -> u64 {
		let family = self.registry.gather().into_iter().find(|family| family.get_name() == name).unwrap();
		family.get_metric().iter().map(|metric| metric.get_counter().get_value() as u64).sum()
	}

	fn preparations(&self) -> u64 {
		self.counter("polkadot_pvf_prepare_concluded")
	}

	/// Waits for a worker that satisfies the condition.
	async fn worker(&self, condition: impl Fn(&WorkerInfo) -> bool) -> WorkerInfo {
		loop {
			if let Some(worker) = self.host.workers().into_iter().find(|worker| condition(worker)) {
				return worker;
			}
			tokio::task::yield_now().await;
		}
	}

	/// Kills the execution worker that is busy now.
	async fn kill_busy_worker(&self) -> u32 {
		let worker = self.worker(|worker| worker.flavor == Flavor::Execute && worker.busy).await;
		kill(worker.pid);
		worker.pid
	}

	fn overwrite_artifact(&self, change: impl Fn(&Path)) {
		let entries = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
		let artifacts: Vec<_> =
			entries.filter(|path| path.extension().is_some_and(|ext| ext == "pvf")).collect();
		assert_eq!(artifacts.len(), 1);
		change(&artifacts[0]);
	}
}

fn kill(pid: u32) {
	use nix::{sys::signal, unistd::Pid};
	signal::kill(Pid::from_raw(pid as i32), signal::Signal::SIGKILL).unwrap();
}

fn code() -> ValidationCode {
	let blob = headway_metronome_pvf::WASM_BINARY.expect("these tests need HEADWAY_SKIP_WASM unset or 0");
	ValidationCode(blob.to_vec())
}

fn execution(kind: ExecutionKind, code: ValidationCode, block_data: Vec<u8>) -> Execution {
	Execution {
		candidate_hash: CandidateHash(Hash::zero()),
		code_hash: code.hash(),
		code: Arc::new(code),
		code_bomb_limit: 20 << 20,
		validation_data: Arc::new(PersistedValidationData {
			parent_head: HeadData(Head::genesis().encode()),
			relay_parent_number: 7,
			relay_parent_storage_root: Hash::repeat_byte(1),
			max_pov_size: 5 << 20,
		}),
		pov: Arc::new(PoV { block_data: BlockData(block_data) }),
		extension: None,
		executor_params: Arc::new(ExecutorParams::default()),
		timeout: Duration::from_secs(60),
		kind,
	}
}

fn valid_block() -> Vec<u8> {
	build(&Head::genesis(), 10, None, vec![7; 1000], Traffic::default()).unwrap().block.encode()
}

fn valid(kind: ExecutionKind) -> Execution {
	execution(kind, code(), valid_block())
}

/// A block that takes this many rounds of work. Its head is never computed here.
fn working(kind: ExecutionKind, work: u64) -> Execution {
	let mut block = build(&Head::genesis(), 0, None, Vec::new(), Traffic::default()).unwrap().block;
	block.work = work;
	execution(kind, code(), block.encode())
}

#[track_caller]
fn assert_rejected<T: std::fmt::Debug>(result: Result<T, ExecutionError>) -> String {
	match result {
		Err(ExecutionError::Rejected(detail)) => detail,
		other => panic!("{other:?}"),
	}
}

#[track_caller]
fn assert_timed_out<T: std::fmt::Debug>(result: Result<T, ExecutionError>) -> String {
	match result {
		Err(ExecutionError::TimedOut(detail)) => detail,
		other => panic!("{other:?}"),
	}
}

#[track_caller]
fn assert_not_prepared<T: std::fmt::Debug>(result: Result<T, ExecutionError>) -> String {
	match result {
		Err(ExecutionError::NotPrepared(detail)) => detail,
		other => panic!("{other:?}"),
	}
}

/// V1, V5
async fn executes_and_reuses_the_artifact() {
	let fixture = fixture();
	let native = build(&Head::genesis(), 10, None, vec![7; 1000], Traffic::default()).unwrap();
	for kind in [ExecutionKind::Backing, ExecutionKind::Approval] {
		let result = fixture.host.execute(valid(kind)).await.unwrap();
		assert_eq!(result.head_data.0, native.head.encode());
		assert_eq!(result.hrmp_watermark, 7);
		assert!(result.upward_messages.is_empty());
	}
	let Execution { code, code_hash, executor_params, .. } = valid(ExecutionKind::Backing);
	fixture.host.precheck(code, code_hash, 20 << 20, executor_params).await.unwrap();
	assert_eq!(fixture.preparations(), 1);
	assert_eq!(fixture.counter("polkadot_pvf_worker_spawned"), 2);
	assert_eq!(fixture.counter("polkadot_pvf_execute_finished"), 2);
}

/// V2
async fn concurrent_executions_share_one_preparation() {
	let fixture = fixture();
	let (first, second) = tokio::join!(
		fixture.host.execute(valid(ExecutionKind::Backing)),
		fixture.host.execute(valid(ExecutionKind::Dispute)),
	);
	assert_eq!(first.unwrap(), second.unwrap());
	assert_eq!(fixture.preparations(), 1);
}

/// V4
async fn what_is_not_wasm_is_a_clear_error() {
	let fixture = fixture();
	let execution = execution(ExecutionKind::Backing, ValidationCode(b"not wasm".to_vec()), valid_block());
	let detail = assert_not_prepared(fixture.host.execute(execution.clone()).await);
	assert!(detail.contains("not a usable Wasm module"), "{detail}");
	let precheck =
		fixture.host.precheck(execution.code, execution.code_hash, 1 << 20, execution.executor_params).await;
	assert!(precheck.unwrap_err().is_deterministic());
	assert_eq!(fixture.preparations(), 1);
}

async fn a_trap_is_the_candidates_fault() {
	let fixture = fixture();
	for kind in [ExecutionKind::Backing, ExecutionKind::Approval] {
		let result = fixture.host.execute(execution(kind, code(), b"not a block".to_vec())).await;
		let detail = assert_rejected(result);
		assert!(detail.contains("unreachable"), "{detail}");
	}
	// The worker takes the next job.
	fixture.host.execute(valid(ExecutionKind::Backing)).await.unwrap();
	assert_eq!(fixture.counter("polkadot_pvf_worker_spawned"), 2);
}

/// V8
async fn a_timeout_is_reported_and_ends_the_worker() {
	let fixture = fixture();
	let slow = Execution { timeout: Duration::from_millis(200), ..working(ExecutionKind::Backing, FOR_EVER) };
	let detail = assert_timed_out(fixture.host.execute(slow).await);
	assert!(detail.contains("200ms are allowed"), "{detail}");
	assert!(fixture.host.workers().iter().all(|worker| worker.flavor == Flavor::Prepare));
	fixture.host.execute(valid(ExecutionKind::Backing)).await.unwrap();
}

/// V9, V10: what follows from it is candidate validation's to say.
async fn a_killed_worker_is_reported_and_the_next_execution_has_another() {
	let fixture = fixture();
	for kind in [ExecutionKind::Backing, ExecutionKind::Approval] {
		let slow = working(kind, FOR_EVER);
		let (result, _) = tokio::join!(fixture.host.execute(slow), fixture.kill_busy_worker());
		match result {
			Err(ExecutionError::WorkerDied(detail)) => assert!(detail.contains("signal 9"), "{detail}"),
			other => panic!("{other:?}"),
		}
		fixture.host.execute(valid(kind)).await.unwrap();
	}
}

/// V7
async fn a_corrupted_artifact_is_prepared_again() {
	let fixture = fixture();
	fixture.host.execute(valid(ExecutionKind::Backing)).await.unwrap();
	let corrupt = |path: &Path| {
		let mut bytes = std::fs::read(path).unwrap();
		let middle = bytes.len() / 2;
		bytes[middle] ^= 1;
		std::fs::write(path, bytes).unwrap();
	};
	fixture.overwrite_artifact(corrupt);
	let result = fixture.host.execute(valid(ExecutionKind::Approval)).await;
	assert!(matches!(result, Err(ExecutionError::BrokenArtifact(_))), "{result:?}");
	fixture.host.execute(valid(ExecutionKind::Approval)).await.unwrap();
	assert_eq!(fixture.preparations(), 2);
}

/// V6
async fn a_deleted_artifact_is_prepared_again() {
	let fixture = fixture();
	fixture.host.execute(valid(ExecutionKind::Backing)).await.unwrap();
	fixture.overwrite_artifact(|path| std::fs::remove_file(path).unwrap());
	fixture.host.execute(valid(ExecutionKind::Backing)).await.unwrap();
	assert_eq!(fixture.preparations(), 2);
}

/// V18
async fn bombs_are_refused() {
	let fixture = fixture();
	let mut bomb = valid(ExecutionKind::Backing);
	bomb.code_bomb_limit = 1000;
	let detail = assert_not_prepared(fixture.host.execute(bomb.clone()).await);
	assert!(detail.contains("decompressed"), "{detail}");
	let precheck =
		fixture.host.precheck(bomb.code, bomb.code_hash, 1000, bomb.executor_params).await.unwrap_err();
	assert!(matches!(precheck, PrepareError::CouldNotDecompressCodeBlob(_)) && precheck.is_deterministic());

	let fixture = self::fixture();
	let zeros = vec![0; (40 << 20) + 1];
	let bomb = sp_maybe_compressed_blob::compress_weakly(&zeros, zeros.len()).unwrap();
	let result = fixture.host.execute(execution(ExecutionKind::Approval, code(), bomb)).await;
	let detail = assert_rejected(result);
	assert!(detail.contains("proof of validity"), "{detail}");
	// Within the limit, compression is no fault.
	let compressed = sp_maybe_compressed_blob::compress_weakly(&valid_block(), 1 << 20).unwrap();
	fixture.host.execute(execution(ExecutionKind::Backing, code(), compressed)).await.unwrap();
}

/// V19
async fn only_parameters_of_preparation_cause_another_one() {
	let fixture = fixture();
	fixture.host.execute(valid(ExecutionKind::Backing)).await.unwrap();
	let mut other = valid(ExecutionKind::Backing);
	other.executor_params = Arc::new(ExecutorParams(vec![ExecutorParam::MaxMemoryPages(1000)]));
	fixture.host.execute(other).await.unwrap();
	assert_eq!(fixture.preparations(), 1);
	let mut other = valid(ExecutionKind::Backing);
	other.executor_params = Arc::new(ExecutorParams(vec![ExecutorParam::StackLogicalMax(4000)]));
	fixture.host.execute(other).await.unwrap();
	assert_eq!(fixture.preparations(), 2);
}

async fn an_extension_does_not_disturb() {
	let fixture = fixture();
	let mut execution = valid(ExecutionKind::Backing);
	execution.extension = Some((Hash::repeat_byte(1), Hash::repeat_byte(2)));
	fixture.host.execute(execution).await.unwrap();
}

async fn a_dropped_execution_ends_its_worker() {
	let fixture = fixture();
	let slow = working(ExecutionKind::Dispute, FOR_EVER);
	let pid = tokio::select! {
		result = fixture.host.execute(slow) => panic!("{result:?}"),
		worker = fixture.worker(|worker| worker.flavor == Flavor::Execute && worker.busy) => worker.pid,
	};
	assert!(fixture.host.workers().iter().all(|worker| worker.pid != pid));
	fixture.host.execute(valid(ExecutionKind::Backing)).await.unwrap();
}

/// V26
async fn a_worker_of_another_version_is_refused() {
	let folder = tempfile::tempdir().unwrap();
	let config = HostConfig { node_version: "another".into(), ..config(folder.path()) };
	let host = Host::start(config, None).unwrap();
	match host.check_workers().await {
		Err(StartError::Worker(SpawnError::VersionMismatch { worker, node })) => {
			assert_eq!((worker.as_str(), node.as_str()), (VERSION, "another"))
		},
		other => panic!("{other:?}"),
	}
	assert!(host.workers().is_empty());
	// Preparation needs a worker first.
	assert_not_prepared(host.execute(valid(ExecutionKind::Backing)).await);
}

async fn a_program_that_is_no_worker_is_refused() {
	let folder = tempfile::tempdir().unwrap();
	for program in ["/nonexistent", "/bin/true"] {
		let config = HostConfig { program: program.into(), ..config(folder.path()) };
		let host = Host::start(config, None).unwrap();
		assert!(matches!(host.check_workers().await, Err(StartError::Worker(SpawnError::Io { .. }))));
	}
}
