//! The environment of validation functions, seen from small modules in text form.

use super::*;
use codec::{Decode, Encode};
use headway_primitives::PvfExecKind;
use sp_core::{sr25519, Pair};

#[test]
fn preparation_hash_depends_only_on_what_changes_compilation() {
	let hash = |params: &[ExecutorParam]| preparation_hash(&ExecutorParams(params.to_vec()));
	let base = hash(&[]);
	assert_eq!(base, blake2_256(b"prep"));
	assert_eq!(base, hash(&[ExecutorParam::PvfExecTimeout(PvfExecKind::Backing, 1)]));
	assert_eq!(base, hash(&[ExecutorParam::MaxMemoryPages(1)]));
	assert_eq!(base, hash(&[ExecutorParam::StackNativeMax(1 << 28)]));
	assert_ne!(base, hash(&[ExecutorParam::StackLogicalMax(2000)]));
	assert_ne!(base, hash(&[ExecutorParam::WasmExtBulkMemory]));
}

/// A module with these imports, and this body of `validate_block`. Its arguments are `$at` and `$len`; what `$all` answers is
/// all of them, as host functions take bytes.
fn module(imports: &str, body: &str) -> Vec<u8> {
	let text = format!(
		r#"(module
			{imports}
			(memory (export "memory") 4)
			(global (export "__heap_base") i32 (i32.const 65536))
			(func $bytes (param $at i32) (param $len i32) (result i64)
				(i64.or
					(i64.extend_i32_u (local.get $at))
					(i64.shl (i64.extend_i32_u (local.get $len)) (i64.const 32))))
			(func (export "validate_block") (param $at i32) (param $len i32) (result i64)
				{body}))"#
	);
	wat::parse_str(text).unwrap()
}

fn run(code: &[u8], arguments: &[u8]) -> Result<Vec<u8>, CallError> {
	let params = ExecutorParams::default();
	let artifact = prepare(code, &params, PvfPrepKind::Precheck).unwrap();
	call(&artifact, &params, arguments)
}

#[track_caller]
fn assert_traps(code: &[u8], expected: &str) {
	match run(code, &[]) {
		Err(CallError::Failed(detail)) if detail.contains(expected) => {},
		other => panic!("a trap that says {expected:?}, not {other:?}"),
	}
}

/// A module that does nothing, with these custom sections.
fn with_sections(sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
	let section = |(name, bytes): &(&str, Vec<u8>)| {
		let bytes = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
		format!(r#"(@custom "{name}" "{bytes}")"#)
	};
	wat::parse_str(format!("(module {})", sections.iter().map(section).collect::<String>())).unwrap()
}

/// What `frame_system` asks before it takes new code.
#[test]
fn the_version_that_code_embeds_can_be_read() {
	let reader = module(
		r#"(import "env" "ext_misc_runtime_version_version_1" (func $version (param i64) (result i64)))"#,
		"(call $version (call $bytes (local.get $at) (local.get $len)))",
	);
	let read = |code: &[u8]| Option::<Vec<u8>>::decode(&mut &run(&reader, code).unwrap()[..]).unwrap();

	let core_api = (0xdf6acb689907609b_u64.to_be_bytes(), 5u32);
	let version =
		|apis: &[([u8; 8], u32)]| ("spec", "implementation", 1u32, 7u32, 2u32, apis, 3u32, 1u8).encode();
	let embedded = with_sections(&[("runtime_version", version(&[])), ("runtime_apis", core_api.encode())]);
	assert_eq!(read(&embedded), Some(version(&[core_api])));
	let compressed = sp_maybe_compressed_blob::compress_weakly(&embedded, 1 << 20).unwrap();
	assert_eq!(read(&compressed), Some(version(&[core_api])));

	assert_eq!(read(&with_sections(&[])), None);
	assert_eq!(read(&with_sections(&[("runtime_version", vec![255])])), None);
	assert_eq!(read(b"not wasm"), None);
}

#[test]
fn a_storage_call_traps() {
	for (import, call) in [
		(r#""ext_storage_get_version_1" (func $f (param i64) (result i64))"#, "(call $f (i64.const 0))"),
		(r#""ext_storage_root_version_2" (func $f (param i32) (result i64))"#, "(call $f (i32.const 1))"),
		(r#""ext_storage_start_transaction_version_1" (func $f)"#, "(call $f) (i64.const 0)"),
		(
			r#""ext_default_child_storage_get_version_1" (func $f (param i64 i64) (result i64))"#,
			"(call $f (i64.const 0) (i64.const 0))",
		),
		(r#""ext_offchain_timestamp_version_1" (func $f (result i64))"#, "(call $f)"),
	] {
		assert_traps(&module(&format!(r#"(import "env" {import})"#), call), "ext_");
	}
	// And if a host function that is there should ever look for storage:
	let mut externalities = ValidationExternalities::new();
	let looked = sc_executor::with_externalities_safe(&mut externalities, || sp_io::storage::get(b"key"));
	let error = looked.unwrap_err().to_string();
	assert!(error.contains("no storage: storage"), "{error}");
}

#[test]
fn what_the_environment_lacks_traps() {
	let keys = module(
		r#"(import "env" "ext_crypto_sr25519_public_keys_version_1" (func $keys (param i32) (result i64)))"#,
		"(call $keys (local.get $at))",
	);
	assert_traps(&keys, "keystore");
}

/// Old runtimes verify signatures in batches. The host verifies them at once, and remembers whether all were right.
#[test]
fn batches_of_signatures_are_verified_at_once_and_judged_at_the_end() {
	const IMPORTS: &str = r#"
		(import "env" "ext_crypto_start_batch_verify_version_1" (func $start))
		(import "env" "ext_crypto_sr25519_batch_verify_version_1"
			(func $verify (param i32 i64 i32) (result i32)))
		(import "env" "ext_crypto_finish_batch_verify_version_1" (func $finish (result i32)))"#;
	// The arguments are a public key, a signature and the message. The first byte of the answer is this signature's, the second
	// the batch's.
	const VERIFY: &str = r#"
		(i32.store8 (i32.const 0)
			(call $verify
				(i32.add (local.get $at) (i32.const 32))
				(call $bytes
					(i32.add (local.get $at) (i32.const 96))
					(i32.sub (local.get $len) (i32.const 96)))
				(local.get $at)))"#;
	const FINISH: &str = "(i32.store8 (i32.const 1) (call $finish))";
	const ANSWER: &str = "(call $bytes (i32.const 0) (i32.const 2))";
	let run = |body: &[&str], arguments: &[u8]| run(&module(IMPORTS, &body.concat()), arguments);

	let pair = sr25519::Pair::from_seed(&[1; 32]);
	let signed =
		|message: &[u8]| (pair.public(), pair.sign(b"right")).encode().into_iter().chain(message.to_vec());
	let (right, wrong): (Vec<u8>, Vec<u8>) = (signed(b"right").collect(), signed(b"wrong").collect());
	let batch = ["(call $start)", VERIFY, FINISH, ANSWER];
	assert_eq!(run(&batch, &right), Ok(vec![1, 1]));
	assert_eq!(run(&batch, &wrong), Ok(vec![0, 0]));
	assert_eq!(run(&["(call $start)", FINISH, ANSWER], &[]), Ok(vec![0, 1]), "nothing was wrong");
	assert_eq!(run(&[VERIFY, ANSWER], &right), Ok(vec![1, 0]), "outside of a batch");
	assert!(matches!(run(&[FINISH, ANSWER], &[]), Err(CallError::Failed(_))));
	assert!(matches!(run(&["(call $start)", "(call $start)", ANSWER], &[]), Err(CallError::Failed(_))));
	// One batch after the other, within one call.
	assert_eq!(run(&[&batch[..3], &batch[..]].concat(), &right), Ok(vec![1, 1]));
	// Ed25519 signatures cannot be verified in this way: the host function looks for an extension while it holds the environment,
	// and panics. So it is with the reference, whose verdict counts.
	let ed25519 = module(&IMPORTS.replace("sr25519", "ed25519"), &batch.concat());
	assert!(matches!(self::run(&ed25519, &right), Err(CallError::Failed(_))));
}
