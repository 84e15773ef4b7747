//! What statement distribution costs one validator of 500 with 100 cores, per relay block: in total, by kind of event,
//! and which part of it is the verification of signatures, which nobody can do without.
//!
//! The other validators are played by `neighbours`, honest and with all that the protocol has them send. What happens to
//! the one machine is recorded once and then replayed: as a whole, which is what Criterion samples, and event by event for
//! the table. Time is that of the processor; the clock's own is subtracted.

#[allow(dead_code)]
#[path = "../src/tests/builder.rs"]
mod builder;
#[allow(dead_code)]
#[path = "../src/filter.rs"]
mod filter;
#[allow(dead_code)]
#[path = "../src/grid_view.rs"]
mod grid_view;
#[path = "statement_distribution/neighbours.rs"]
mod neighbours;

use criterion::{Criterion, SamplingMode};
use headway_machine::{Effects, Sr25519Verifier, Subsystem, Verifier};
use headway_primitives::{ValidatorId, ValidatorSignature};
use headway_statement_distribution::StatementDistribution;
use neighbours::{Input, Neighbours, Occasion, Recorded, Recording, GROUPS, GROUP_SIZE, VALIDATORS};
use std::{
	collections::BTreeMap,
	hint::black_box,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, Mutex,
	},
	time::Duration,
};

/// Candidates of each core in a relay block: one, and as many as the claim queue is long.
const PER_CORE: [u32; 2] = [1, 3];
/// Relay blocks before what is measured: as many as are in view.
const BEFORE: u32 = 3;
/// Relay blocks that are measured: in each another member of our group seconds.
const MEASURED: u32 = GROUP_SIZE;
/// Replays from which the table is made.
const REPLAYS: usize = 5;

/// Counts verifications, and keeps the last.
#[derive(Default)]
struct Counting {
	count: AtomicU64,
	last: Mutex<Option<(ValidatorId, Vec<u8>, ValidatorSignature)>>,
}

impl Verifier for Counting {
	fn verify(&self, key: &ValidatorId, message: &[u8], signature: &ValidatorSignature) -> bool {
		self.count.fetch_add(1, Ordering::Relaxed);
		*self.last.lock().unwrap() = Some((key.clone(), message.to_vec(), signature.clone()));
		Sr25519Verifier.verify(key, message, signature)
	}
}

/// Believes every signature: what is left is what the machine does itself.
struct Believing;

impl Verifier for Believing {
	fn verify(&self, _: &ValidatorId, _: &[u8], _: &ValidatorSignature) -> bool {
		true
	}
}

/// Processor time of this thread. Other than the time of day it does not run while somebody else's work does.
fn cpu_time() -> Duration {
	let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
	// SAFETY: the pointer is to a value that lives longer than the call.
	let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
	assert_eq!(result, 0, "the clock exists on all systems that the node runs on");
	// Both are not negative, and the second is below a billion.
	Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Time that `run` takes, of so many runs.
fn median(times: usize, mut run: impl FnMut() -> Duration) -> Duration {
	let mut samples: Vec<_> = (0..times).map(|_| run()).collect();
	samples.sort();
	samples[times / 2]
}

/// A machine as a driver has it.
struct Driven {
	machine: StatementDistribution,
	effects: Effects<headway_statement_distribution::Effect>,
	said: usize,
}

impl Driven {
	/// To whom all happened that comes before what is measured.
	fn new(verifier: Arc<dyn Verifier>, recording: &Recording) -> Self {
		let machine = StatementDistribution::new(verifier);
		let mut this = Self { machine, effects: Effects::new(), said: 0 };
		recording.before.iter().cloned().for_each(|recorded| this.happen(recorded));
		this.said = 0;
		this
	}

	fn happen(&mut self, Recorded { at, input, .. }: Recorded) {
		match input {
			Input::Event(event) => self.machine.handle(at, event, &mut self.effects),
			Input::Tick => self.machine.tick(at, &mut self.effects),
		}
		// Drivers ask after every event.
		black_box(self.machine.next_deadline());
		while let Some(effect) = self.effects.pop() {
			self.said += 1;
			black_box(effect);
		}
		self.effects.take_traces();
	}

	/// Everything that is measured at once.
	fn replay(&mut self, recording: &Recording) -> Duration {
		let events = recording.measured.clone();
		let started = cpu_time();
		events.into_iter().for_each(|recorded| self.happen(recorded));
		let took = cpu_time() - started;
		assert_eq!(self.said, recording.said.effects, "the same events have the same effects");
		took
	}
}

/// What events of a kind took.
#[derive(Clone, Copy, Default)]
struct Part {
	events: usize,
	verified: u64,
	took: Duration,
}

/// What happened to a machine in the blocks that are measured, and what that took.
struct Measured {
	recording: Recording,
	parts: BTreeMap<Occasion, Part>,
	/// One verification.
	verification: Duration,
	/// All of it, and the same with a verifier that believes.
	total: Duration,
	unverified: Duration,
}

impl Measured {
	fn new(criterion: &mut Criterion, per_core: u32) -> Self {
		let counting = Arc::new(Counting::default());
		let recording = Neighbours::new(counting.clone()).record(BEFORE + MEASURED, MEASURED, per_core);
		let (key, message, signature) = counting.last.lock().unwrap().clone().expect("there are statements");
		let verification = median(201, || {
			let started = cpu_time();
			assert!(black_box(Sr25519Verifier.verify(&key, &message, &signature)));
			cpu_time() - started
		});
		let mut totals = Vec::new();
		let mut group = criterion.benchmark_group("relay block");
		group.sampling_mode(SamplingMode::Flat);
		group.bench_function(format!("{per_core} per core"), |bencher| {
			bencher.iter_custom(|iterations| {
				let mut sum = Duration::ZERO;
				for _ in 0..iterations {
					let mut driven = Driven::new(Arc::new(Sr25519Verifier), &recording);
					totals.push(driven.replay(&recording) / MEASURED);
					sum += totals[totals.len() - 1];
				}
				sum
			})
		});
		group.finish();
		totals.sort();
		let total = totals.get(totals.len() / 2).copied().unwrap_or_default();
		let unverified =
			median(REPLAYS, || Driven::new(Arc::new(Believing), &recording).replay(&recording) / MEASURED);
		let parts = parts(&recording);
		Self { recording, parts, verification, total, unverified }
	}

	fn print(&self, per_core: u32) {
		let ms = |took: Duration| took.as_secs_f64() * 1e3;
		let micros = |took: Duration| took.as_secs_f64() * 1e6;
		let blocks = f64::from(MEASURED);
		let all = self.parts.values().fold(Part::default(), |all, part| Part {
			events: all.events + part.events,
			verified: all.verified + part.verified,
			took: all.took + part.took,
		});
		println!(
			"{VALIDATORS} validators in groups of {GROUP_SIZE}, {GROUPS} cores, {per_core} candidates on each per relay block."
		);
		println!("One signature: {:.1} µs. All of the following per relay block.", micros(self.verification));
		println!();
		println!("| event | events | signatures | each, µs | all, ms | without signatures, ms |");
		println!("|---|---:|---:|---:|---:|---:|");
		let line = |label: &str, part: &Part| {
			let own = part.took.saturating_sub(self.verification * part.verified as u32);
			println!(
				"| {label} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} |",
				part.events as f64 / blocks,
				part.verified as f64 / blocks,
				micros(part.took) / part.events.max(1) as f64,
				ms(part.took) / blocks,
				ms(own) / blocks,
			);
		};
		for (occasion, label) in LABELS {
			if let Some(part) = self.parts.get(&occasion) {
				line(label, part);
			}
		}
		line("all", &all);
		let bound = self.verification * all.verified as u32 / MEASURED;
		println!();
		println!("| of a relay block | ms | times the signatures |");
		println!("|---|---:|---:|");
		for (label, took) in [
			("all, not stopped for the clock", self.total),
			("the signatures alone", bound),
			("the same with a verifier that believes", self.unverified),
		] {
			println!("| {label} | {:.2} | {:.2} |", ms(took), ms(took) / ms(bound));
		}
		let said = self.recording.said;
		println!();
		println!("| sent per relay block | |");
		println!("|---|---:|");
		for (label, n) in [
			("notifications, each encoded once", said.notifications),
			("the same by recipient", said.deliveries),
			("bytes of notifications, by recipient", said.bytes),
			("requests", said.requests),
			("answers", said.answers),
			("statements handed to backing", said.statements),
		] {
			println!("| {label} | {:.0} |", n as f64 / blocks);
		}
		println!();
	}
}

const LABELS: [(Occasion, &str); 12] = [
	(Occasion::Leaf, "our new leaf"),
	(Occasion::Views, "views of peers"),
	(Occasion::ClusterStatement, "statements of our group"),
	(Occasion::Manifest, "manifests"),
	(Occasion::Acknowledgement, "acknowledgements"),
	(Occasion::GridStatement, "statements of other groups"),
	(Occasion::Request, "requests to us"),
	(Occasion::Response, "responses"),
	(Occasion::Share, "our own statements"),
	(Occasion::Backed, "backed by backing"),
	(Occasion::Membership, "answers of prospective parachains"),
	(Occasion::Tick, "ticks: requests that waited, reputation"),
];

/// Time by kind of event. Verifications are counted in a replay of its own.
fn parts(recording: &Recording) -> BTreeMap<Occasion, Part> {
	let mut parts = BTreeMap::<Occasion, Part>::new();
	let counting = Arc::new(Counting::default());
	let mut driven = Driven::new(counting.clone(), recording);
	for recorded in recording.measured.clone() {
		let part = parts.entry(recorded.occasion).or_default();
		let before = counting.count.load(Ordering::Relaxed);
		driven.happen(recorded);
		part.events += 1;
		part.verified += counting.count.load(Ordering::Relaxed) - before;
	}
	let clock = median(1_001, || {
		let started = cpu_time();
		cpu_time() - started
	});
	let mut samples = BTreeMap::<Occasion, Vec<Duration>>::new();
	for _ in 0..REPLAYS {
		let mut driven = Driven::new(Arc::new(Sr25519Verifier), recording);
		let mut sums = BTreeMap::<Occasion, Duration>::new();
		for recorded in recording.measured.clone() {
			let occasion = recorded.occasion;
			let started = cpu_time();
			driven.happen(recorded);
			*sums.entry(occasion).or_default() += (cpu_time() - started).saturating_sub(clock);
		}
		sums.into_iter().for_each(|(occasion, sum)| samples.entry(occasion).or_default().push(sum));
	}
	for (occasion, mut samples) in samples {
		samples.sort();
		parts.entry(occasion).or_default().took = samples[samples.len() / 2];
	}
	parts
}

fn main() {
	let mut criterion = Criterion::default()
		.without_plots()
		.nresamples(5_000)
		.sample_size(10)
		.warm_up_time(Duration::from_millis(100))
		.measurement_time(Duration::from_millis(400))
		.configure_from_args();
	let measured = PER_CORE.map(|per_core| (per_core, Measured::new(&mut criterion, per_core)));
	criterion.final_summary();
	println!();
	for (per_core, measured) in measured {
		measured.print(per_core);
	}
}
