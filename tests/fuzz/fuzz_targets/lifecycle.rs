//! Arbitrary traces against the memory of candidates: `subsystems/lifecycle/src/tests/arbitrary.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headway_lifecycle::check_arbitrary(bytes));
