//! What a validation function says ends in the log of the node. The node is this program, started once more, so that its standard
//! error can be read.

use super::{config, execution, modules::module, Host};
use headway_machine::ExecutionKind;
use headway_pvf::output::{JOB_BYTES_MAX, LINE_BYTES_MAX};
use std::process::{Command, ExitCode};

/// Makes this program a node that executes [`talkative`] code.
pub(super) const TALK: &str = "talk";

/// Logs a line, with an escape sequence and a line break in it, twenty thousand times.
fn talkative() -> headway_primitives::ValidationCode {
	let imports = r#"(import "env" "ext_logging_log_version_1" (func $log (param i32 i64 i64)))"#;
	let data = r#"(data (i32.const 0) "target\1b[31mred\0aforged line")"#;
	// Target: six bytes from 0 on. Message: the rest.
	let (target, message) = (6_u64 << 32, (20_u64 << 32) | 6);
	let body = format!(
		"(loop $again
			(call $log (i32.const 0) (i64.const {target}) (i64.const {message}))
			(local.set $n (i32.add (local.get $n) (i32.const 1)))
			(br_if $again (i32.lt_u (local.get $n) (i32.const 20000))))
		(i64.const 0)"
	);
	module(imports, data, 2, &body)
}

/// The node.
pub(super) fn talk() -> ExitCode {
	sp_tracing::try_init_simple();
	let folder = tempfile::tempdir().unwrap();
	tokio::runtime::Runtime::new().unwrap().block_on(async {
		let host = Host::start(config(folder.path()), None).unwrap();
		// It answers no result; but it was executed.
		let code = talkative();
		let result = host.execute(execution(ExecutionKind::Backing, code, Vec::new())).await;
		super::assert_rejected(result);
	});
	ExitCode::SUCCESS
}

pub(super) async fn what_a_validation_function_says_is_prefixed_plain_and_capped() {
	let node = Command::new(std::env::current_exe().unwrap()).arg(TALK).env("RUST_LOG", "info").output();
	let node = node.unwrap();
	assert!(node.status.success(), "{}", String::from_utf8_lossy(&node.stderr));
	let log = String::from_utf8(node.stderr).unwrap();
	let said = log.lines().filter_map(|line| line.split_once(" worker ")?.1.split_once(" says: "));
	let said: Vec<&str> = said.map(|(_, said)| said.trim_end()).collect();
	assert!(said.iter().any(|line| line.ends_with("red")) && said.contains(&"forged line"), "{log}");
	assert!(said.iter().all(|line| line.len() <= LINE_BYTES_MAX && !line.contains('\u{1b}')), "{log}");
	let (bytes, dropped) = (said.iter().map(|line| line.len()).sum::<usize>(), "the rest is dropped");
	// The preparation worker may speak too, and what is said of the rest is the host's.
	assert!(bytes <= 2 * JOB_BYTES_MAX, "{bytes} bytes");
	assert!(said.iter().any(|line| line.ends_with(dropped)), "{log}");
	assert!(log.lines().all(|line| !line.starts_with("forged")), "{log}");
}
