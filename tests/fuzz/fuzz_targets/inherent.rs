//! Hostile inherents against the parachain pallets: the bytes decide which, see
//! `headway_runtime_parachains::test_support`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
	headway_runtime_parachains::test_support::check_inherents(bytes);
});
