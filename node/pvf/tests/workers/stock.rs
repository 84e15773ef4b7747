//! The same calls by our workers and by the reference's: head and commitments must be the same.
//!
//! The reference's workers are found in the folder that `HEADWAY_STOCK` names, or by PATH; so is the runtime of penpal, a Cumulus
//! parachain, compressed as it is on chain (`penpal.compressed.wasm`). Where they are missing, the test says so and checks nothing.
//!
//! `checked-upgrade.pov` is a block of that parachain, as its stock collator exported it (`--export-pov-to-path`) on a relay chain
//! of this repository's runtime: a proof of validity, and the validation data. The block has one `System.apply_authorized_upgrade`;
//! the code had been authorized in the genesis state, with its version to be checked, and is no more than the sections with that
//! version.

use super::{execution, fixture, modules::module};
use codec::{Decode, DecodeAll, Encode};
use headway_machine::{Execution, ExecutionError, ExecutionKind};
use headway_primitives::{Hash, PersistedValidationData, PoV, ValidationCode, ValidationResult};
use std::{
	path::{Path, PathBuf},
	sync::Arc,
	time::Duration,
};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::{UnixListener, UnixStream},
	process::{Child, Command},
};

/// A block of penpal with an upgrade whose version is checked.
const CHECKED_UPGRADE: &[u8] = include_bytes!("checked-upgrade.pov");
/// Hash of the runtime that the block is of: `penpal-runtime` 0.48.0.
const PENPAL: &str = "0x6413808a1c882b34a4dd9f71acdc650f3b2d4c5825216feba2676449480964b7";

/// What is to be found.
struct Stock {
	prepare: PathBuf,
	execute: PathBuf,
	penpal: ValidationCode,
}

impl Stock {
	fn find() -> Result<Self, String> {
		let find = |name: &str| {
			let named = std::env::var_os("HEADWAY_STOCK").map(PathBuf::from);
			let path = std::env::var_os("PATH").unwrap_or_default();
			let mut places = named.into_iter().chain(std::env::split_paths(&path));
			let found = places.find_map(|place| Some(place.join(name)).filter(|file| file.is_file()));
			found.ok_or_else(|| {
				format!("{name} is neither in the folder that HEADWAY_STOCK names nor in PATH")
			})
		};
		let file = find("penpal.compressed.wasm")?;
		let penpal = ValidationCode(std::fs::read(&file).map_err(|error| error.to_string())?);
		if format!("{:?}", penpal.hash()) != PENPAL {
			return Err(format!("{} is another version of penpal", file.display()));
		}
		Ok(Self {
			prepare: find("polkadot-prepare-worker")?,
			execute: find("polkadot-execute-worker")?,
			penpal,
		})
	}
}

/// A worker of the reference, which is spoken to in frames of eight length bytes and the body.
struct Worker {
	socket: UnixStream,
	folder: tempfile::TempDir,
	_child: Child,
}

impl Worker {
	async fn start(program: &Path, kind: &str) -> Self {
		let folder = tempfile::tempdir().unwrap();
		let (socket, files) = (folder.path().join("socket"), folder.path().join("files"));
		std::fs::create_dir(&files).unwrap();
		let listener = UnixListener::bind(&socket).unwrap();
		let mut command = Command::new(program);
		command.args([kind, "--socket-path"]).arg(&socket).arg("--worker-dir-path").arg(files);
		let child = command.env_clear().kill_on_drop(true).spawn().unwrap();
		let (socket, _) = listener.accept().await.unwrap();
		let mut worker = Self { socket, folder, _child: child };
		// None of the five means of confining it.
		worker.send(&[false; 5]).await;
		worker
	}

	fn file(&self, name: &str) -> PathBuf {
		self.folder.path().join("files").join(name)
	}

	async fn send(&mut self, message: &impl Encode) {
		let body = message.encode();
		self.socket.write_all(&(body.len() as u64).to_le_bytes()).await.unwrap();
		self.socket.write_all(&body).await.unwrap();
	}

	async fn receive(&mut self) -> Vec<u8> {
		let len = self.socket.read_u64_le().await.unwrap();
		let mut body = vec![0; len as usize];
		self.socket.read_exact(&mut body).await.unwrap();
		body
	}
}

/// The result by the reference's workers; none if the candidate is invalid.
async fn by_stock(stock: &Stock, execution: &Execution) -> Option<ValidationResult> {
	let limit = Duration::from_secs(120);
	let mut preparer = Worker::start(&stock.prepare, "prepare-worker").await;
	let code = (&execution.code.0, execution.code_bomb_limit, execution.code_hash);
	preparer.send(&(code, &*execution.executor_params, limit, 0u8)).await;
	let prepared = preparer.receive().await;
	let (failed, checksum) = <(u8, [u8; 32])>::decode(&mut &prepared[..]).unwrap();
	assert_eq!(failed, 0, "{}", String::from_utf8_lossy(&prepared));

	let mut executor = Worker::start(&stock.execute, "execute-worker").await;
	executor.send(&*execution.executor_params).await;
	std::fs::rename(preparer.file("tmp-artifact"), executor.file("artifact")).unwrap();
	let candidate = (&*execution.validation_data, &*execution.pov);
	// Of version 2: the function gets no hashes of relay blocks.
	let (relay_parent, scheduling_parent, version) = (Hash::zero(), Hash::zero(), 1u8);
	executor.send(&(candidate, limit, checksum, relay_parent, scheduling_parent, version)).await;
	let response = executor.receive().await;
	let mut response = &response[..];
	// Whether the worker failed, and how the job ended.
	match <(u8, u8)>::decode(&mut response) {
		Ok((0, 0)) => Some(ValidationResult::decode(&mut response).unwrap()),
		Ok((0, 2)) => None,
		other => panic!("{other:?}: {}", String::from_utf8_lossy(response)),
	}
}

fn checked_upgrade(stock: &Stock) -> Execution {
	let (pov, validation_data) =
		<(PoV, PersistedValidationData)>::decode_all(&mut &CHECKED_UPGRADE[..]).unwrap();
	Execution {
		validation_data: Arc::new(validation_data),
		pov: Arc::new(pov),
		..execution(ExecutionKind::Approval, stock.penpal.clone(), Vec::new())
	}
}

/// A function whose head is what the host says of the version of this code: the first 32 bytes of it, with a length before them.
fn version_of(code: &[u8]) -> Execution {
	let imports =
		r#"(import "env" "ext_misc_runtime_version_version_1" (func $version (param i64) (result i64)))"#;
	let bytes = code.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
	let body = format!(
		"(local.set $n (i32.wrap_i64 (call $version (i64.const {}))))
		(i32.store8 (i32.sub (local.get $n) (i32.const 1)) (i32.const 128))
		(i64.or
			(i64.extend_i32_u (i32.sub (local.get $n) (i32.const 1)))
			(i64.const {}))",
		(code.len() as u64) << 32,
		44_u64 << 32,
	);
	let code = module(imports, &format!(r#"(data (i32.const 0) "{bytes}")"#), 4, &body);
	execution(ExecutionKind::Approval, code, Vec::new())
}

/// A function that verifies a wrong signature in a batch, and whose head is one byte whatever comes of it.
fn batch_of(scheme: &str) -> Execution {
	let imports = format!(
		r#"(import "env" "ext_crypto_start_batch_verify_version_1" (func $start))
		(import "env" "ext_crypto_{scheme}_batch_verify_version_1"
			(func $verify (param i32 i64 i32) (result i32)))"#
	);
	let body = format!(
		"(call $start)
		(drop (call $verify (i32.const 100) (i64.const 0) (i32.const 200)))
		(i64.const {})",
		13_u64 << 32
	);
	let code = module(&imports, r#"(data (i32.const 0) "\04h")"#, 2, &body);
	execution(ExecutionKind::Approval, code, Vec::new())
}

pub(super) async fn a_checked_upgrade_has_the_result_of_the_stock_workers() {
	let stock = match Stock::find() {
		Ok(stock) => stock,
		Err(missing) => return println!("SKIPPED, nothing is compared: {missing}"),
	};
	let fixture = fixture();
	let version = ("p", "p", 1u32, 7u32, 2u32, Vec::<([u8; 8], u32)>::new(), 3u32, 1u8).encode();
	let bytes = version.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
	let versioned = wat::parse_str(format!(r#"(module (@custom "runtime_version" "{bytes}"))"#)).unwrap();
	let plain = wat::parse_str("(module)").unwrap();
	let storage = r#"(import "env" "ext_storage_get_version_1" (func $get (param i64) (result i64)))"#;
	let storage = module(storage, "", 2, "(call $get (i64.const 0))");
	let cases = [
		("an upgrade in a block", checked_upgrade(&stock), true),
		("code with a version", version_of(&versioned), true),
		("code without a version", version_of(&plain), true),
		("a storage call", execution(ExecutionKind::Approval, storage, Vec::new()), false),
		("a batch of Sr25519", batch_of("sr25519"), true),
		("a batch of Ed25519", batch_of("ed25519"), false),
	];
	let mut results = Vec::new();
	for (what, execution, is_valid) in cases {
		let (ours, theirs) =
			tokio::join!(fixture.host.execute(execution.clone()), by_stock(&stock, &execution));
		let ours = match ours {
			Ok(result) => Some(result),
			Err(ExecutionError::Rejected(detail)) => {
				println!("{what}: {detail}");
				None
			},
			Err(error) => panic!("{what}: {error}"),
		};
		assert_eq!(ours, theirs, "{what}");
		assert_eq!(ours.is_some(), is_valid, "{what}");
		results.push(ours);
	}
	let code = |case: usize| results[case].as_ref().and_then(|result| result.new_validation_code.clone());
	assert!(code(0).is_some(), "the block applies an upgrade");
	assert_ne!(results[1], results[2], "the host tells code with a version from code without");
}
