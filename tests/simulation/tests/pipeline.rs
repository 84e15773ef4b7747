//! The way of a candidate, from collator to inclusion, by the real machines of ten and more validators.

use headway_primitives::ParaId;
use headway_simulation::{Config, World};

/// Runs a world; whatever fails later, the seed is in the output.
fn run(config: Config, blocks: u32) -> World {
	println!("{config:?}");
	let mut world = World::new(config);
	world.run(blocks);
	assert_eq!(world.violations(), [], "an honest author broke a rule of inclusion");
	world
}

/// Relay blocks of the last `window` that include a block of the para.
fn rate(world: &World, para: u32, blocks: u32, window: u32) -> usize {
	world.included(ParaId(para)).iter().filter(|number| **number > blocks - window).count()
}

#[test]
fn every_relay_block_includes_a_block_of_every_para() {
	let world = run(Config { seed: 1, ..Config::default() }, 30);
	for para in [2000, 2001] {
		assert!(rate(&world, para, 30, 20) >= 19, "{:?}", world.included(ParaId(para)));
	}
}

#[test]
fn synchronous_backing_includes_every_other_relay_block_at_best() {
	let world = run(Config { seed: 2, synchronous: true, ..Config::default() }, 30);
	for para in [2000, 2001] {
		let rate = rate(&world, para, 30, 20);
		assert!((8..=10).contains(&rate), "{:?}", world.included(ParaId(para)));
	}
}

#[test]
fn backing_goes_on_under_loss_and_latency() {
	let config = Config { seed: 3, latency_ms: 100..300, loss_per_mille: 50, ..Config::default() };
	let world = run(config, 40);
	for para in [2000, 2001] {
		assert!(rate(&world, para, 40, 30) >= 20, "{:?}", world.included(ParaId(para)));
	}
}

#[test]
fn backing_goes_on_without_a_third_of_the_validators() {
	let config = Config { seed: 4, validators: 12, ..Config::default() };
	println!("{config:?}");
	let mut world = World::new(config);
	world.run(10);
	// One of each group, and in all less than a third.
	world.stop(0);
	world.stop(11);
	world.run(40);
	assert_eq!(world.violations(), []);
	for para in [2000, 2001] {
		assert!(rate(&world, para, 40, 20) >= 15, "{:?}", world.included(ParaId(para)));
	}
}

#[test]
fn same_seed_gives_same_trace() {
	let config = Config { seed: 5, loss_per_mille: 20, ..Config::default() };
	let first = run(config.clone(), 12);
	let second = run(config.clone(), 12);
	assert!(!first.trace().is_empty());
	assert_eq!(first.trace(), second.trace());
	let other = run(Config { seed: 6, ..config }, 12);
	assert_ne!(first.trace(), other.trace());
}
