//! Runs many simulated networks, and makes those that fail as small as they can be: `make simulate`.

use clap::Parser;
use headway_primitives::{byzantine_threshold, ParaId};
use headway_simulation::{
	campaign::{command, run, shrink, Outcome},
	Config, Fault, ParaFigures,
};
use parking_lot::Mutex;
use std::{
	collections::{BTreeMap, BTreeSet},
	ops::Range,
	process::ExitCode,
	str::FromStr,
	sync::atomic::{AtomicU64, Ordering},
	time::{Duration, Instant},
};

/// Runs simulated networks in which everything goes wrong, and says which rules were broken.
#[derive(Parser, Debug)]
#[command(name = "headway-simulate")]
struct Args {
	/// Seeds: the first, and the one after the last.
	#[arg(long, default_value = "0..20", value_parser = range::<u64>)]
	seeds: Range<u64>,
	/// Relay blocks of each network.
	#[arg(long, default_value_t = 200)]
	blocks: u32,
	/// Validators: how many, or the fewest and one more than the most, of which each seed draws.
	#[arg(long, default_value = "6..21", value_parser = size)]
	validators: Range<u32>,
	/// Paras, in the same way; no more than the validators can back.
	#[arg(long, default_value = "2..6", value_parser = size)]
	paras: Range<u32>,
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
	/// Milliseconds that a message takes: the fewest, and one more than the most.
	#[arg(long, default_value = "20..120", value_parser = range::<u64>)]
	latency_ms: Range<u64>,
	/// Messages of a thousand that are lost, in calm as well as in storms.
	#[arg(long, default_value_t = 0)]
	loss_per_mille: u64,
	/// Milliseconds after which what is lost is sent again, as TCP and QUIC do; otherwise lost notifications are gone.
	#[arg(long)]
	retransmit_ms: Option<u64>,
	/// Validators run the side of the collator protocol that knows segments.
	#[arg(long)]
	segments: bool,
	/// Also say what became of each para's blocks.
	#[arg(long)]
	report: bool,
	/// Networks at a time.
	#[arg(long, default_value_t = 1)]
	jobs: usize,
	/// Lines of the trace that are shown of a failure.
	#[arg(long, default_value_t = 30)]
	lines: usize,
	/// Show as many lines also of networks in which all rules hold.
	#[arg(long)]
	trace: bool,
	/// Report failures as they are, without looking for smaller ones.
	#[arg(long)]
	no_shrink: bool,
}

#[derive(Clone, Debug)]
struct Faults(BTreeSet<Fault>);

fn range<T: FromStr>(text: &str) -> Result<Range<T>, String> {
	let (first, end) = text.split_once("..").ok_or("expected A..B")?;
	let number = |text: &str| text.parse().map_err(|_| format!("{text} is no number that fits"));
	Ok(number(first)?..number(end)?)
}

fn size(text: &str) -> Result<Range<u32>, String> {
	match text.parse::<u32>() {
		Ok(number) => Ok(number..number.saturating_add(1)),
		Err(_) => range(text),
	}
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
		let elastic = |paras| self.elastic.unwrap_or(paras / 4);
		let (validators, paras) = Config::draw_size(seed, &self.validators, &self.paras, elastic);
		let most_adversaries = byzantine_threshold(validators as usize) as u32;
		Config {
			elastic: elastic(paras),
			session_slots: self.session_slots,
			adversaries: self.adversaries.unwrap_or(most_adversaries),
			faults: self.faults.0.clone(),
			spared: self.spare.iter().copied().collect(),
			latency_ms: self.latency_ms.clone(),
			loss_per_mille: self.loss_per_mille,
			retransmit_ms: self.retransmit_ms,
			segments: self.segments,
			..Config::stormy(seed, validators, paras)
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
	included: u64,
	sessions: u64,
	steps: u64,
	elapsed: Duration,
	/// Fewest and most validators and paras.
	sizes: Option<[(u32, u32); 2]>,
	/// Sums by para and number of its cores.
	figures: BTreeMap<(ParaId, u32), ParaFigures>,
}

impl Totals {
	fn add(&mut self, config: &Config, outcome: &Outcome) {
		let size = [config.validators, config.paras];
		let [of_validators, of_paras] = self.sizes.unwrap_or(size.map(|n| (n, n)));
		let widen = |(least, most): (u32, u32), n: u32| (least.min(n), most.max(n));
		self.sizes = Some([widen(of_validators, size[0]), widen(of_paras, size[1])]);
		for figures in &outcome.figures {
			let sum = self.figures.entry((figures.para, figures.cores)).or_default();
			sum.relay_blocks += figures.relay_blocks;
			sum.included += figures.included;
			sum.due += figures.due;
			sum.due_included += figures.due_included;
		}
		self.networks += 1;
		self.failed.extend(outcome.failure.as_ref().map(|_| config.seed));
		self.blocks += u64::from(outcome.blocks.0);
		self.forks += outcome.blocks.1;
		self.included += outcome.included;
		self.sessions += u64::from(outcome.session);
		self.steps += outcome.steps;
		self.elapsed += outcome.elapsed;
	}

	/// A table of what became of the paras' blocks.
	fn print_figures(&self) {
		println!("| para | cores | relay blocks | included | per relay block | included / built |");
		println!("|---|---:|---:|---:|---:|---:|");
		for ((para, cores), of) in &self.figures {
			println!(
				"| {} | {cores} | {} | {} | {:.2} | {:.3} ({} of {}) |",
				para.0,
				of.relay_blocks,
				of.included,
				of.included as f64 / f64::from(of.relay_blocks.max(1)),
				of.due_included as f64 / of.due.max(1) as f64,
				of.due_included,
				of.due,
			);
		}
	}
}

fn report(args: &Args, config: &Config, outcome: Outcome) {
	let show = |outcome: &Outcome| {
		let first = outcome.lines.len().saturating_sub(args.lines);
		outcome.lines.iter().skip(first).for_each(|line| println!("    {line}"));
	};
	let Some(failure) = &outcome.failure else {
		if args.trace {
			show(&outcome);
		}
		return;
	};
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
	show(&outcome);
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
				totals.add(&config, &outcome);
				println!(
					"seed {seed}: {} validators, {} paras, {} relay blocks, {} para blocks, {} steps, trace {:?}",
					config.validators,
					config.paras,
					outcome.blocks.0,
					outcome.included,
					outcome.steps,
					outcome.hash,
				);
				// One at a time: what it prints belongs together.
				report(&args, &config, outcome);
			});
		}
	});
	let totals = totals.into_inner();
	let real = started.elapsed();
	if args.report {
		totals.print_figures();
	}
	let [validators, paras] = totals.sizes.unwrap_or_default().map(|(least, most)| match least == most {
		true => format!("{least}"),
		false => format!("{least} to {most}"),
	});
	println!(
		"{} networks of {validators} validators and {paras} paras: {} relay blocks, {} more on forks, {} sessions, {} para blocks \
		 included, {} steps",
		totals.networks,
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
