//! Arbitrary events against availability: `subsystems/availability/src/tests/arbitrary.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headway_availability::check_arbitrary(bytes));
