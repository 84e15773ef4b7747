//! Arbitrary events against statement distribution: `subsystems/statement-distribution/src/tests/arbitrary.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headway_statement_distribution::check_arbitrary(bytes));
