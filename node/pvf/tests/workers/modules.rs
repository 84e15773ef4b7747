//! Validation functions in text form, for what no honest one does.

use super::{assert_rejected, execution, fixture};
use headway_machine::{Execution, ExecutionKind};
use headway_primitives::{HeadData, ValidationCode, ValidationResult};

/// A module with these imports and data segments, so many pages of memory and this body of `validate_block`.
pub(super) fn module(imports: &str, data: &str, pages: u32, body: &str) -> ValidationCode {
	let text = format!(
		r#"(module
			{imports}
			(memory (export "memory") {pages})
			{data}
			(global (export "__heap_base") i32 (i32.const 65536))
			(func (export "validate_block") (param i32 i32) (result i64) (local $n i32) {body}))"#
	);
	ValidationCode(wat::parse_str(text).unwrap())
}

/// Answers so many bytes of its memory, which begins like this.
fn answering(memory: &str, len: u64, pages: u32) -> Execution {
	let data = format!(r#"(data (i32.const 0) "{memory}")"#);
	let code = module("", &data, pages, &format!("(i64.const {})", len << 32));
	execution(ExecutionKind::Approval, code, Vec::new())
}

/// As all validators see it: they must come to the same verdict.
pub(super) async fn what_follows_a_result_does_not_count() {
	let fixture = fixture();
	// Head data of one byte, and nothing else.
	let expected = ValidationResult {
		head_data: HeadData(vec![b'h']),
		new_validation_code: None,
		upward_messages: Default::default(),
		horizontal_messages: Default::default(),
		processed_downward_messages: 0,
		hrmp_watermark: 0,
	};
	let exact = 2 + 1 + 1 + 1 + 4 + 4;
	for len in [exact, exact + 1, 1000] {
		assert_eq!(fixture.host.execute(answering("\\04h", len, 2)).await.as_ref(), Ok(&expected), "{len}");
	}
	let detail = assert_rejected(fixture.host.execute(answering("\\04h", exact - 1, 2)).await);
	assert!(detail.contains("cannot be decoded"), "{detail}");
}

pub(super) async fn a_result_that_is_too_large_is_the_candidates_fault() {
	let fixture = fixture();
	// Head data of 64 MiB, with its length in four bytes, and eleven bytes of nothing else.
	let len: u32 = 64 << 20;
	let prefix = ((len << 2) | 2).to_le_bytes().map(|byte| format!("\\{byte:02x}")).concat();
	let too_large = answering(&prefix, 4 + u64::from(len) + 11, 1100);
	let detail = assert_rejected(fixture.host.execute(too_large).await);
	assert!(detail.contains("more than 67108864 bytes"), "{detail}");
	// The worker takes the next job.
	fixture.host.execute(answering("\\04h", 20, 2)).await.unwrap();
	assert_eq!(fixture.counter("polkadot_pvf_worker_spawned"), 2);
}
