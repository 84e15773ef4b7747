//! Arbitrary events against the validator side of the collator protocol: its `tests/arbitrary.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headway_collator_protocol::validator_side::check_arbitrary(bytes));
