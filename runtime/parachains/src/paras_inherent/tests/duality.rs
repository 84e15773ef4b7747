//! What the author's pipeline leaves, the importer's accepts, whatever was offered: a property over hostile data.

use crate::test_support::{check_inherents, Outcome};
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha20Rng,
};

/// Runs of a test that nobody waits for. `HEADWAY_CASES` asks for more.
const CASES: u64 = 200;
/// Decisions of a run take a few hundred bytes.
const BYTES: usize = 1024;

fn from_environment(name: &str, default: u64) -> u64 {
	std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn pipeline_is_idempotent_and_what_it_leaves_is_accepted() {
	let cases = from_environment("HEADWAY_CASES", CASES);
	let first = from_environment("HEADWAY_SEED", 0);
	let mut total = Outcome::default();
	for seed in first..first + cases {
		let mut bytes = [0; BYTES];
		ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
		let run = std::panic::catch_unwind(|| check_inherents(&bytes));
		match run {
			Ok(outcome) => total += outcome,
			Err(panic) => {
				eprintln!("run it again alone: HEADWAY_SEED={seed} HEADWAY_CASES=1");
				std::panic::resume_unwind(panic);
			},
		}
	}
	eprintln!("{cases} cases: {total:?}");
	// The data reaches both sides of every rule.
	if cases >= CASES {
		assert!(total.candidates > total.backed && total.backed > total.candidates / 10, "{total:?}");
		assert!(total.bitfields > total.bitfields_kept && total.included > 0, "{total:?}");
		assert!(total.disputes > total.disputes_kept && total.disputes_kept > 0, "{total:?}");
	}
}

#[test]
fn no_bytes_are_an_honest_block() {
	assert_eq!(check_inherents(&[]).blocks, 1);
}
