//! The way of a candidate, from collator to inclusion, by the real machines of ten and more validators on the real runtime.

use headway_primitives::ParaId;
use headway_simulation::{Config, World};

/// Runs a world; whatever fails later, the seed is in the output.
fn run(config: Config, blocks: u32) -> World {
	println!("{config:?}");
	let mut world = World::new(config).expect("the runtime takes the network");
	world.run(blocks);
	assert_eq!(world.verdicts(), []);
	world
}

/// Blocks of the para that were included in the last `window` relay blocks.
fn rate(world: &World, para: u32, window: u32) -> usize {
	let newest = world.best_number();
	world.included(ParaId(para)).iter().filter(|number| **number > newest - window).count()
}

#[test]
fn every_relay_block_includes_a_block_of_every_para() {
	let world = run(Config { seed: 1, ..Config::default() }, 30);
	for para in [2000, 2001] {
		assert!(rate(&world, para, 20) >= 19, "{:?}", world.included(ParaId(para)));
	}
}

#[test]
fn every_relay_block_includes_a_block_of_an_elastic_para_for_each_of_its_cores() {
	let world = run(Config { seed: 7, validators: 12, elastic: 1, ..Config::default() }, 30);
	assert!(rate(&world, 2000, 20) >= 3 * 19, "{:?}", world.included(ParaId(2000)));
	assert!(rate(&world, 2001, 20) >= 19, "{:?}", world.included(ParaId(2001)));
}

#[test]
fn every_relay_block_includes_all_that_is_built_when_validators_take_segments() {
	let config = Config { seed: 9, validators: 12, elastic: 1, segments: true, ..Config::default() };
	let world = run(config, 30);
	assert!(rate(&world, 2000, 20) >= 3 * 19, "{:?}", world.included(ParaId(2000)));
	assert!(rate(&world, 2001, 20) >= 19, "{:?}", world.included(ParaId(2001)));
}

#[test]
fn collators_get_credit_for_each_candidate_that_a_finalized_block_includes() {
	let world = run(Config { seed: 10, segments: true, ..Config::default() }, 20);
	let until = |last: u32| {
		let of = |para| world.included(ParaId(para)).into_iter().filter(|number| *number <= last).count();
		of(2000) + of(2001)
	};
	let last = world.finalized_number();
	// The newest finalized block may be under inquiry still.
	assert!(until(last - 1) >= 20, "{} until block {last}", until(last));
	for credited in world.credited() {
		assert!((until(last - 1)..=until(last)).contains(&credited), "{credited} of {}", until(last));
	}
	let without = run(Config { seed: 10, ..Config::default() }, 20);
	assert!(without.credited().iter().all(|credited| *credited == 0));
}

#[test]
fn backing_goes_on_across_sessions() {
	let mut world = run(Config { seed: 8, session_slots: 10, ..Config::default() }, 40);
	assert!(world.session() >= 3);
	for para in [2000, 2001] {
		// A session's end costs what was pending, and the ancestors that could schedule.
		assert!(rate(&world, para, 30) >= 20, "{:?}", world.included(ParaId(para)));
	}
}

#[test]
fn synchronous_backing_includes_every_other_relay_block_at_best() {
	let world = run(Config { seed: 2, synchronous: true, ..Config::default() }, 30);
	for para in [2000, 2001] {
		let rate = rate(&world, para, 20);
		assert!((8..=10).contains(&rate), "{:?}", world.included(ParaId(para)));
	}
}

#[test]
fn backing_goes_on_under_loss_and_latency() {
	let config = Config { seed: 3, latency_ms: 100..300, loss_per_mille: 50, ..Config::default() };
	let world = run(config, 40);
	for para in [2000, 2001] {
		assert!(rate(&world, para, 30) >= 20, "{:?}", world.included(ParaId(para)));
	}
}

#[test]
fn backing_goes_on_without_a_third_of_the_validators() {
	let mut world = run(Config { seed: 4, validators: 12, ..Config::default() }, 10);
	world.stop(0);
	world.stop(11);
	world.run(40);
	assert_eq!(world.verdicts(), []);
	for para in [2000, 2001] {
		assert!(rate(&world, para, 20) >= 15, "{:?}", world.included(ParaId(para)));
	}
}

#[test]
fn same_seed_gives_same_trace() {
	let config = Config { seed: 5, loss_per_mille: 20, ..Config::default() };
	let first = run(config.clone(), 12);
	let second = run(config.clone(), 12);
	assert_ne!(first.trace().count(), 0);
	assert!(first.trace().lines().eq(second.trace().lines()));
	assert_eq!(first.trace().hash(), second.trace().hash());
	let other = run(Config { seed: 6, ..config }, 12);
	assert_ne!(first.trace().hash(), other.trace().hash());
}
