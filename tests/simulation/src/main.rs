//! Runs many simulated networks, and makes those that fail as small as they can be: `make simulate`.

use clap::Parser;
use headway_primitives::byzantine_threshold;
use headway_simulation::{
	campaign::{command, run, shrink, Outcome},
	Config, Fault,
};
use parking_lot::Mutex;
use std::{
	collections::BTreeSet,
	ops::Range,
	process::ExitCode,
	sync::atomic::{AtomicU64, Ordering},
	time::{Duration, Instant},
};

/// Runs simulated networks in which everything goes wrong, and says which rules were broken.
#[derive(Parser, Debug)]
#[command(name = "headway-simulate")]
struct Args {
	/// Seeds: the first, and the one after the last.
	#[arg(long, default_value = "0..20", value_parser = seeds)]
	seeds: Range<u64>,
	/// Relay blocks of each network.
	#[arg(long, default_value_t = 200)]
	blocks: u32,
	/// Validators.
	#[arg(long, default_value_t = 20)]
	validators: u32,
	/// Paras.
	#[arg(long, default_value_t = 5)]
	paras: u32,
	/// How many of the paras have three cores; a quarter unless it is said.
	#[arg(long)]
	elastic: Option<u32>,
	/// Slots of a session.
	#[arg(long, default_value_t = 25)]
	session_slots: u64,
	/// Validators that mean harm; as many as the protocol bears unless it is said.
	#[arg(long)]
	adversaries: Option<u32>,
	/// What goes wrong: `all`, `none`, or a list.
	#[arg(long, default_value = "all", value_parser = faults)]
	faults: Faults,
	/// Validators that do not mean harm although the seed says so.
	#[arg(long, value_delimiter = ',')]
	spare: Vec<usize>,
	/// Networks at a time.
	#[arg(long, default_value_t = 1)]
	jobs: usize,
	/// Lines of the trace that are shown of a failure.
	#[arg(long, default_value_t = 30)]
	lines: usize,
	/// Report failures as they are, without looking for smaller ones.
	#[arg(long)]
	no_shrink: bool,
}

#[derive(Clone, Debug)]
struct Faults(BTreeSet<Fault>);

fn seeds(text: &str) -> Result<Range<u64>, String> {
	let (first, end) = text.split_once("..").ok_or("expected A..B")?;
	let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
	Ok(number(first)?..number(end)?)
}

fn faults(text: &str) -> Result<Faults, String> {
	let named = |name: &str| {
		let fault = Fault::ALL.into_iter().find(|fault| fault.name() == name);
		fault.ok_or_else(|| format!("there is no fault {name}"))
	};
	Ok(Faults(match text {
		"all" => Fault::ALL.into(),
		"none" => BTreeSet::new(),
		list => list.split(',').map(named).collect::<Result<_, _>>()?,
	}))
}

impl Args {
	fn config(&self, seed: u64) -> Config {
		Config {
			elastic: self.elastic.unwrap_or(self.paras / 4),
			session_slots: self.session_slots,
			adversaries: self
				.adversaries
				.unwrap_or_else(|| byzantine_threshold(self.validators as usize) as u32),
			faults: self.faults.0.clone(),
			spared: self.spare.iter().copied().collect(),
			..Config::stormy(seed, self.validators, self.paras)
		}
	}
}

/// Sums over all networks.
#[derive(Default)]
struct Totals {
	networks: u64,
	failed: Vec<u64>,
	blocks: u64,
	forks: usize,
	included: usize,
	sessions: u64,
	steps: u64,
	elapsed: Duration,
}

impl Totals {
	fn add(&mut self, seed: u64, outcome: &Outcome) {
		self.networks += 1;
		self.failed.extend(outcome.failure.as_ref().map(|_| seed));
		self.blocks += u64::from(outcome.blocks.0);
		self.forks += outcome.blocks.1;
		self.included += outcome.included;
		self.sessions += u64::from(outcome.session);
		self.steps += outcome.steps;
		self.elapsed += outcome.elapsed;
	}
}

fn report(args: &Args, config: &Config, outcome: Outcome) {
	let Some(failure) = &outcome.failure else { return };
	println!("seed {} fails {failure}", config.seed);
	let (config, blocks, outcome) = match args.no_shrink {
		true => (config.clone(), args.blocks, outcome),
		false => shrink(config, args.blocks, outcome),
	};
	if let Some(failure) = &outcome.failure {
		println!("  it fails {failure}");
	}
	println!("  by: {}", command(&config, blocks));
	println!("  hostile: {:?}", outcome.adversaries);
	let first = outcome.lines.len().saturating_sub(args.lines);
	outcome.lines.iter().skip(first).for_each(|line| println!("    {line}"));
}

fn main() -> ExitCode {
	let args = Args::parse();
	let started = Instant::now();
	let next = AtomicU64::new(args.seeds.start);
	let totals = Mutex::new(Totals::default());
	std::thread::scope(|scope| {
		for _ in 0..args.jobs.max(1) {
			scope.spawn(|| loop {
				let seed = next.fetch_add(1, Ordering::Relaxed);
				if seed >= args.seeds.end {
					return;
				}
				let config = args.config(seed);
				let outcome = run(&config, args.blocks);
				let mut totals = totals.lock();
				totals.add(seed, &outcome);
				println!(
					"seed {seed}: {} relay blocks, {} para blocks, {} steps, trace {:?}",
					outcome.blocks.0, outcome.included, outcome.steps, outcome.hash,
				);
				// One at a time: what it prints belongs together.
				report(&args, &config, outcome);
			});
		}
	});
	let totals = totals.into_inner();
	let real = started.elapsed();
	println!(
		"{} networks of {} validators and {} paras: {} relay blocks, {} more on forks, {} sessions, {} para blocks \
		 included, {} steps",
		totals.networks,
		args.validators,
		args.paras,
		totals.blocks,
		totals.forks,
		totals.sessions,
		totals.included,
		totals.steps,
	);
	println!(
		"{:.1} virtual minutes in {:.1} minutes: {:.1} times real time; {} of {} failed: {:?}",
		totals.elapsed.as_secs_f64() / 60.0,
		real.as_secs_f64() / 60.0,
		totals.elapsed.as_secs_f64() / real.as_secs_f64().max(1e-9),
		totals.failed.len(),
		totals.networks,
		totals.failed,
	);
	if totals.failed.is_empty() {
		ExitCode::SUCCESS
	} else {
		ExitCode::FAILURE
	}
}
