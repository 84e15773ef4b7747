//! Arbitrary events against all machines of a validator: `subsystems/pipeline/src/tests/arbitrary.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headway_pipeline::check_arbitrary(bytes));
