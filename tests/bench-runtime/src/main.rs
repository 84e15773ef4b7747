//! Measures what the inherent of the parachains costs in Wasm, and prints it: `make bench-runtime`.

use clap::Parser;
use headway_bench_runtime::{
	host::{CountingHostFunctions, TimedHostFunctions},
	measure::measure,
	network::Size,
	program,
};
use sc_executor::WasmExecutor;
use std::{error::Error, path::PathBuf, process::ExitCode};

/// Executes blocks full of bitfields and candidates in Wasm, and prints the time per part.
#[derive(Parser, Debug)]
#[command(name = "headway-bench-runtime")]
struct Args {
	/// Validators.
	#[arg(long, default_value_t = 1_000)]
	validators: usize,
	/// Cores: every two are of one para.
	#[arg(long, default_value_t = 100)]
	cores: usize,
	/// Votes for each candidate, at most as many as the group has members.
	#[arg(long, default_value_t = 10)]
	votes: usize,
	/// The Wasm blob, if not the one that this program was built with.
	#[arg(long)]
	blob: Option<PathBuf>,
	/// Executions of each variant.
	#[arg(long, default_value_t = 20)]
	repetitions: usize,
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
	let size = Size { validators: args.validators, cores: args.cores, votes: args.votes };
	let timed = WasmExecutor::<TimedHostFunctions>::builder().build();
	let counting = WasmExecutor::<CountingHostFunctions>::builder().build();
	let blob = program::blob(args.blob.as_deref())?;
	let measurements = measure(timed, counting, blob, size, args.repetitions.max(1))?;
	print!("{measurements}");
	Ok(())
}

fn main() -> ExitCode {
	program::exit_code(run(&Args::parse()))
}
