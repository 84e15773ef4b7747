//! Networks in which everything goes wrong. Thousands of them are run by `make simulate`; these are a few.

use headway_simulation::{
	campaign::{command, run},
	Config, Fault,
};
use std::collections::BTreeSet;

fn holds(config: Config, blocks: u32) {
	println!("{}", command(&config, blocks));
	let outcome = run(&config, blocks);
	if let Some(failure) = outcome.failure {
		panic!("fails {failure}; hostile: {:?}", outcome.adversaries);
	}
	assert!(outcome.included > 0);
}

#[test]
fn all_rules_hold_in_storms_and_backing_resumes_when_they_are_over() {
	for seed in 0..2 {
		holds(Config::stormy(seed, 10, 3), 40);
	}
}

#[test]
fn no_fault_alone_breaks_a_rule() {
	for (seed, fault) in (10..).zip(Fault::ALL) {
		holds(Config { faults: BTreeSet::from([fault]), ..Config::stormy(seed, 7, 2) }, 28);
	}
}

#[test]
fn same_storm_gives_same_trace() {
	let config = Config::stormy(5, 7, 2);
	let (first, second) = (run(&config, 16), run(&config, 16));
	assert_eq!((first.hash, first.steps), (second.hash, second.steps));
}
