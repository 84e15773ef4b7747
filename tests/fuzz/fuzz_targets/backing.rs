//! Arbitrary events against backing: `subsystems/backing/src/tests/arbitrary.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headway_backing::check_arbitrary(bytes));
