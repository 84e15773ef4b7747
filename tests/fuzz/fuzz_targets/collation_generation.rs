//! Arbitrary events against collation generation: `subsystems/collation-generation/src/tests/arbitrary.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headway_collation_generation::check_arbitrary(bytes));
