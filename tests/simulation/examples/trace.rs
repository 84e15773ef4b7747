//! Prints the trace of a world: `cargo run -p headway-simulation --example trace -- SEED BLOCKS`.

use headway_simulation::{Config, World};

fn main() {
	let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().expect("a number"));
	let config = Config { seed: args.next().unwrap_or(1), ..Config::default() };
	let mut world = World::new(config).expect("the runtime takes the network");
	world.run(args.next().unwrap_or(30) as u32);
	for line in world.trace().lines() {
		println!("{line}");
	}
	for verdict in world.verdicts() {
		println!("{verdict:?}");
	}
}
