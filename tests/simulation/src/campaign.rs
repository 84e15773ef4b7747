//! Many worlds, and the smallest one that still fails.

use crate::{
	judge::{Verdict, Violation},
	Config, Fault, ParaFigures, World,
};
use sp_core::H256;
use std::{
	collections::BTreeSet,
	fmt,
	panic::{catch_unwind, AssertUnwindSafe},
	time::Duration,
};

/// How a world failed.
#[derive(Clone, Debug)]
pub enum Failure {
	/// A rule was broken.
	Broken(Verdict),
	/// Something panicked.
	Panicked(String),
}

impl Failure {
	/// What stays the same when the failure is made smaller.
	pub fn rule(&self) -> &'static str {
		match self {
			Self::Broken(verdict) => verdict.violation.rule(),
			Self::Panicked(_) => "panic",
		}
	}
}

impl fmt::Display for Failure {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Broken(Verdict { step, at, number, violation }) => {
				write!(f, "at {} ms (step {step}, relay block {number}): {violation}", at.unix_ms)
			},
			Self::Panicked(message) => write!(f, "panic: {message}"),
		}
	}
}

/// What became of a world.
#[derive(Clone, Debug)]
pub struct Outcome {
	/// How it failed, if it did.
	pub failure: Option<Failure>,
	/// Relay blocks of the best chain, and those beside it.
	pub blocks: (u32, usize),
	/// Para blocks that were included.
	pub included: u64,
	/// Para by para.
	pub figures: Vec<ParaFigures>,
	/// The newest session.
	pub session: u32,
	/// Virtual time.
	pub elapsed: Duration,
	/// Events that were handled.
	pub steps: u64,
	/// Hash of the trace.
	pub hash: H256,
	/// The trace, without its beginning if it is long.
	pub lines: Vec<String>,
	/// Validators that meant harm.
	pub adversaries: Vec<(usize, Fault)>,
}

/// Runs a world until there are so many relay blocks, or a rule is broken.
pub fn run(config: &Config, blocks: u32) -> Outcome {
	let world = catch_unwind(AssertUnwindSafe(|| {
		let mut world = World::new(config.clone()).map_err(|error| error.to_string())?;
		// What a world did before it panicked is in its trace.
		let panic = catch_unwind(AssertUnwindSafe(|| world.run(blocks))).err().map(|panic| message(&*panic));
		Ok::<_, String>((world, panic))
	}));
	let (mut world, panic) = match world {
		Ok(Ok(done)) => done,
		Ok(Err(error)) => return Outcome::nothing(error),
		Err(panic) => return Outcome::nothing(message(&*panic)),
	};
	let failure = match panic {
		Some(message) => Some(Failure::Panicked(message)),
		None => world.verdicts().first().cloned().map(Failure::Broken),
	};
	let figures = world.figures();
	Outcome {
		failure,
		blocks: (world.best_number(), world.forks()),
		included: figures.iter().map(|of| of.included).sum(),
		figures,
		session: world.session(),
		elapsed: world.elapsed(),
		steps: world.steps(),
		hash: world.trace().hash(),
		lines: world.trace().lines().map(str::to_owned).collect(),
		adversaries: world.adversaries(),
	}
}

impl Outcome {
	/// There is no such world.
	fn nothing(error: String) -> Self {
		Self {
			failure: Some(Failure::Panicked(error)),
			blocks: (0, 0),
			included: 0,
			figures: Vec::new(),
			session: 0,
			elapsed: Duration::ZERO,
			steps: 0,
			hash: H256::zero(),
			lines: Vec::new(),
			adversaries: Vec::new(),
		}
	}
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
	let text = panic.downcast_ref::<String>().map(String::as_str);
	text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
}

/// Leaves out of a failing world what the failure does not need: later blocks, then kinds of faults, hostile validators,
/// elastic paras and session changes, one after the other. Answers the smaller world, and how it fails.
pub fn shrink(config: &Config, blocks: u32, first: Outcome) -> (Config, u32, Outcome) {
	shrink_with(config, blocks, first, run)
}

fn shrink_with(
	config: &Config,
	blocks: u32,
	first: Outcome,
	run: impl Fn(&Config, u32) -> Outcome,
) -> (Config, u32, Outcome) {
	let Some(rule) = first.failure.as_ref().map(Failure::rule) else {
		return (config.clone(), blocks, first);
	};
	let mut smallest = (config.clone(), blocks, first);
	let blocks_of = |outcome: &Outcome| match &outcome.failure {
		// What is broken by a block that is not best yet is broken before the next one.
		Some(Failure::Broken(Verdict { number, violation, .. })) if *violation != Violation::NoBlocks => {
			number + 1
		},
		_ => blocks,
	};
	smallest.1 = blocks_of(&smallest.2);
	let mut attempt = |smaller: &dyn Fn(&Config) -> Config| {
		let config = smaller(&smallest.0);
		let outcome = run(&config, smallest.1);
		if outcome.failure.as_ref().map(Failure::rule) == Some(rule) {
			let blocks = blocks_of(&outcome).min(smallest.1);
			smallest = (config, blocks, outcome);
		}
		smallest.2.adversaries.clone()
	};
	let mut hostile = BTreeSet::new();
	for fault in &config.faults {
		let adversaries = attempt(&|config| {
			let mut config = config.clone();
			config.faults.remove(fault);
			config
		});
		hostile = adversaries.into_iter().map(|(node, _)| node).collect();
	}
	for node in hostile {
		attempt(&|config| {
			let mut config = config.clone();
			config.spared.insert(node);
			config
		});
	}
	attempt(&|config| Config { elastic: 0, ..config.clone() });
	attempt(&|config| Config { session_slots: u64::from(blocks) * 4 + 100, ..config.clone() });
	smallest
}

/// The command that runs a world again.
pub fn command(config: &Config, blocks: u32) -> String {
	let Config { seed, validators, paras, elastic, session_slots, adversaries, .. } = config;
	let mut command = format!(
		"headway-simulate --seeds {seed}..{} --blocks {blocks} --validators {validators} --paras {paras} \
		 --elastic {elastic} --session-slots {session_slots} --adversaries {adversaries}",
		seed + 1,
	);
	let usual = Config::default();
	if config.latency_ms != usual.latency_ms {
		command.push_str(&format!(" --latency-ms {}..{}", config.latency_ms.start, config.latency_ms.end));
	}
	if config.loss_per_mille != usual.loss_per_mille {
		command.push_str(&format!(" --loss-per-mille {}", config.loss_per_mille));
	}
	if let Some(pause) = config.retransmit_ms {
		command.push_str(&format!(" --retransmit-ms {pause}"));
	}
	if config.segments {
		command.push_str(" --segments");
	}
	let list = |items: Vec<String>| items.join(",");
	let faults = list(config.faults.iter().map(|fault| fault.name().into()).collect());
	command.push_str(&format!(" --faults {}", if faults.is_empty() { "none" } else { &faults }));
	if !config.spared.is_empty() {
		command.push_str(&format!(" --spare {}", list(config.spared.iter().map(usize::to_string).collect())));
	}
	command
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::Timestamp;

	/// A world that fails as long as it has this fault and this adversary.
	fn fake(config: &Config, fault: Fault, adversary: usize) -> Outcome {
		let fails = config.faults.contains(&fault) && !config.spared.contains(&adversary);
		let violation = Violation::Stalled { since: 3 };
		let verdict = Verdict { step: 9, at: Timestamp::default(), number: 5, violation };
		Outcome {
			failure: fails.then_some(Failure::Broken(verdict)),
			adversaries: vec![(1, Fault::Spam), (adversary, fault)],
			..Outcome::nothing(String::new())
		}
	}

	#[test]
	fn shrinking_keeps_what_the_failure_needs_and_nothing_else() {
		let run = |config: &Config, _| fake(config, Fault::Withhold, 7);
		let config = Config::stormy(1, 20, 5);
		let (smaller, blocks, outcome) = shrink_with(&config, 200, run(&config, 200), run);
		assert_eq!(smaller.faults, BTreeSet::from([Fault::Withhold]));
		assert_eq!(smaller.spared, BTreeSet::from([1]));
		assert_eq!((smaller.elastic, blocks), (0, 6));
		assert_eq!(outcome.failure.map(|failure| failure.rule()), Some("stalled"));
	}

	#[test]
	fn the_command_names_everything_that_was_left_out() {
		let mut config = Config::stormy(4, 20, 5);
		config.faults = [Fault::Crash, Fault::Spam].into();
		config.spared = [2, 3].into();
		config.latency_ms = 200..200;
		config.retransmit_ms = Some(400);
		config.segments = true;
		assert_eq!(
			command(&config, 31),
			"headway-simulate --seeds 4..5 --blocks 31 --validators 20 --paras 5 --elastic 1 --session-slots 25 \
			 --adversaries 6 --latency-ms 200..200 --retransmit-ms 400 --segments --faults crash,spam --spare 2,3",
		);
	}
}
