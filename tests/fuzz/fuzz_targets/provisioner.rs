//! Arbitrary events against the provisioner: `subsystems/provisioner/src/tests/arbitrary.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headway_provisioner::check_arbitrary(bytes));
