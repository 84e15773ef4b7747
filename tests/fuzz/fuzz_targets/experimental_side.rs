//! Arbitrary events against the validator side with scores and segments: its `tests/arbitrary.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headway_collator_protocol::experimental::check_arbitrary(bytes));
