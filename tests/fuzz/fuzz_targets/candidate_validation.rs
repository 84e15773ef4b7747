//! Arbitrary events against candidate validation: `subsystems/candidate-validation/src/tests/arbitrary.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headway_candidate_validation::check_arbitrary(bytes));
