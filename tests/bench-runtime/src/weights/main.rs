//! Measures what the calls of the pallets weigh, in Wasm, and writes it into the pallets: `make bench-weights`.

use clap::Parser;
use headway_bench_runtime::{
	program,
	weights::{
		file,
		host::{CountingHostFunctions, TimedHostFunctions},
		Bench, Plan,
	},
};
use sc_executor::WasmExecutor;
use std::{error::Error, fs, path::PathBuf, process::ExitCode};

/// Runs the benchmarks of the pallets in Wasm, and writes their weights.
#[derive(Parser, Debug)]
#[command(name = "headway-bench-weights")]
struct Args {
	/// Values of each component.
	#[arg(long, default_value_t = 10)]
	steps: u32,
	/// Timed runs with each value.
	#[arg(long, default_value_t = 8)]
	repetitions: u32,
	/// The one pallet, by its folder. All others keep their weights.
	#[arg(long)]
	pallet: Option<String>,
	/// Only benchmarks whose name contains this. Nothing is written then.
	#[arg(long)]
	benchmark: Option<String>,
	/// The Wasm blob, if not the one that this program was built with.
	#[arg(long)]
	blob: Option<PathBuf>,
	/// Where the folders of the pallets are.
	#[arg(long, default_value = "runtime/parachains/src")]
	output: PathBuf,
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
	let plan = Plan { steps: args.steps, repetitions: args.repetitions };
	let timed = WasmExecutor::<TimedHostFunctions>::builder().build();
	let counting = WasmExecutor::<CountingHostFunctions>::builder().build();
	let blob = program::blob(args.blob.as_deref())?;
	let bench = Bench::new(timed, counting, blob, plan)?;
	let note = format!(
		"Processor time of the Wasm blob, {} values of each argument and {} runs with each.",
		plan.steps, plan.repetitions
	);
	for list in bench.list()? {
		let folder = String::from_utf8_lossy(&list.pallet).into_owned();
		if args.pallet.as_ref().is_some_and(|pallet| *pallet != folder) {
			continue;
		}
		let weights = bench.measure(&list, args.benchmark.as_deref().unwrap_or_default())?;
		for measured in &weights.benchmarks {
			let micros = measured.time.base as f64 / 1e6;
			let slopes: Vec<_> = measured
				.components
				.iter()
				.zip(&measured.time.slopes)
				.map(|(name, slope)| format!(" + {:.4} {name}", *slope as f64 / 1e6))
				.collect();
			println!(
				"{folder}::{}: {micros:.1}{} µs, reads {:?}, writes {:?}",
				measured.name,
				slopes.concat(),
				measured.reads,
				measured.writes,
			);
		}
		if args.benchmark.is_none() {
			fs::write(args.output.join(&folder).join("weights.rs"), file::source(&weights, &note))?;
		}
	}
	Ok(())
}

fn main() -> ExitCode {
	program::exit_code(run(&Args::parse()))
}
