//! Arbitrary events against prospective parachains: `subsystems/prospective-parachains/src/arbitrary.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headway_prospective_parachains::check_arbitrary(bytes));
