//! Arbitrary events against the collator side of the collator protocol: its `tests/arbitrary.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headway_collator_protocol::collator_side::check_arbitrary(bytes));
