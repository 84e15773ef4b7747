//! What introducing, backing and asking cost, by the number of candidates and by forks; and what they cost the
//! naive model of the tests, which rebuilds everything after each event.
//!
//! Criterion samples each operation; the same samples go into the table that is printed at the end. Growth says how
//! many times longer an operation takes than with ten candidates. Time is that of the processor.

#[allow(dead_code)]
#[path = "../tests/prospective/model.rs"]
mod model;
#[allow(dead_code)]
#[path = "../tests/prospective/world.rs"]
mod world;

use criterion::Criterion;
use headway_machine::{
	BackableQuery, Effects, HypotheticalCandidate, IntroducedCandidate, LeavesUpdate, MembershipQuery,
	Subsystem, Timestamp, Token,
};
use headway_primitives::Hash;
use headway_prospective_parachains::{Event, ProspectiveParachains};
use model::{Entry, Model};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
	time::Duration,
};
use world::{block_hash, Built, LeafPlan, Order, Plan, World, PARA};

const SIZES: [usize; 3] = [10, 100, 500];
/// Forks of the relay chain, or of candidates.
const FORKS: usize = 8;
/// Candidates that are stored beside those that are measured.
const STORED: usize = 500;
/// Questions of one sample.
const QUESTIONS: usize = 200;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Shape {
	/// One chain of candidates at one leaf.
	Chain,
	/// The same, and others are stored that do not belong to it.
	Crowd,
	/// The same chain at eight leaves, which share the scheduling parent.
	Leaves,
	/// Candidates in eight chains from the included head, of which one is backed: not the one that the fork rule
	/// prefers, so that the others stay.
	Forks,
}

impl Shape {
	const ALL: [Self; 4] = [Self::Chain, Self::Crowd, Self::Leaves, Self::Forks];

	fn label(self) -> String {
		match self {
			Self::Chain => "one chain".into(),
			Self::Crowd => format!("one chain, {STORED} others stored"),
			Self::Leaves => format!("one chain at {FORKS} leaves"),
			Self::Forks => format!("{FORKS} chains, one backed"),
		}
	}
}

/// What a case consists of, made beforehand.
struct Case {
	leaves: Vec<LeavesUpdate>,
	/// Only the oldest relay parent is another one there.
	next_leaf: LeavesUpdate,
	/// There is less room for messages there, too.
	next_leaf_changed: LeavesUpdate,
	/// Introduced before anything is measured.
	others: Vec<Built>,
	candidates: Vec<Built>,
	/// Those of them that are backed, in the order of the chain.
	backed: Vec<Built>,
	/// Follows the chain.
	next: Built,
	leaf: Hash,
}

fn plan(parent: String, output: String, order: Order) -> Plan {
	Plan {
		para: PARA,
		parent,
		output,
		scheduling_parent: "10".into(),
		relay_parent: "10".into(),
		order,
		watermark: None,
		upward: 0,
		version_1: false,
		bad_validation_data: false,
		core: 0,
		claimed_number: None,
	}
}

impl Case {
	fn new(shape: Shape, n: usize) -> Self {
		let mut world = World::default();
		let mut update = |plan: LeafPlan, deactivated: Option<&str>| LeavesUpdate {
			activated: Some(Arc::new(world.leaf_context(&LeafPlan { cores: n as u32, ..plan }))),
			deactivated: deactivated.into_iter().map(block_hash).collect(),
		};
		let mut leaves = vec![update(LeafPlan::new("10"), None)];
		let mut last = "10".to_string();
		if shape == Shape::Leaves {
			for fork in 0..FORKS as u8 {
				last = format!("11{}", char::from(b'a' + fork));
				leaves.push(update(LeafPlan::new(&last), (fork == 0).then_some("10")));
			}
		}
		let next = LeafPlan {
			min_relay_parent_number: 1,
			..LeafPlan::new(if shape == Shape::Leaves { "12" } else { "11" })
		};
		let next_leaf = update(next.clone(), Some(&last));
		let next_leaf_changed = update(LeafPlan { upward_room: 999, ..next }, Some(&last));
		let branches = if shape == Shape::Forks { FORKS } else { 1 };
		let (mut candidates, mut backed) = (Vec::new(), Vec::new());
		let head = |branch: usize, depth: usize| match depth {
			0 => "0".to_string(),
			_ => format!("{branch}.{depth}"),
		};
		let length = n.div_ceil(branches);
		for index in 0..n {
			let (branch, depth) = (index / length, index % length);
			let order = if branches > 1 && branch == 0 { Order::High } else { Order::Middle };
			let built = world
				.define(&format!("c{index}"), &plan(head(branch, depth), head(branch, depth + 1), order));
			backed.extend((branch == 0).then(|| built.clone()));
			candidates.push(built);
		}
		let next = plan(head(0, backed.len()), head(0, backed.len() + 1), Order::Middle);
		let next = world.define("next", &next);
		let n_others = if shape == Shape::Crowd { STORED } else { 0 };
		let others = (0..n_others)
			.map(|n| {
				world.define(&format!("other{n}"), &plan(format!("x{n}"), format!("y{n}"), Order::Middle))
			})
			.collect();
		Self {
			leaves,
			next_leaf,
			next_leaf_changed,
			others,
			candidates,
			backed,
			next,
			leaf: block_hash(&last),
		}
	}

	fn introduce(built: &Built) -> Event {
		let (receipt, validation_data) = (built.receipt.clone(), built.validation_data.clone());
		Event::Introduce { token: Token(1), candidate: IntroducedCandidate { receipt, validation_data } }
	}

	fn back(built: &Built) -> Event {
		Event::CandidateBacked { para: PARA, candidate_hash: built.hash }
	}

	fn introductions(&self) -> Vec<Event> {
		self.candidates.iter().map(Self::introduce).collect()
	}

	fn backings(&self) -> Vec<Event> {
		self.backed.iter().map(Self::back).collect()
	}

	fn membership(&self) -> Event {
		let Built { hash: candidate_hash, receipt, validation_data } = self.next.clone();
		let candidates = vec![HypotheticalCandidate::Complete { candidate_hash, receipt, validation_data }];
		Event::Membership(MembershipQuery { token: Token(1), candidates, leaf: None })
	}

	fn backable(&self) -> Event {
		let ancestors = BTreeSet::from([self.backed[0].hash]);
		let (leaf, para, count) = (self.leaf, PARA, 3);
		Event::Backable(BackableQuery { token: Token(1), leaf, para, count, ancestors })
	}

	/// A machine that has heard of leaves, of the other candidates, and of these events.
	fn machine(&self, events: &[Event]) -> ProspectiveParachains {
		let mut machine = ProspectiveParachains::new();
		run(&mut machine, self.leaves.iter().cloned().map(Event::Leaves).collect());
		run(&mut machine, self.others.iter().map(Self::introduce).collect());
		run(&mut machine, events.to_vec());
		machine
	}
}

fn run(machine: &mut ProspectiveParachains, events: Vec<Event>) -> Duration {
	let mut effects = Effects::new();
	let started = cpu_time();
	for event in events {
		machine.handle(Timestamp::from_unix_ms(1), event, &mut effects);
		effects.take_traces();
		while let Some(effect) = effects.pop() {
			std::hint::black_box(effect);
		}
	}
	cpu_time() - started
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

type Key = (Shape, &'static str, usize);

#[derive(Default)]
struct Table {
	machine: BTreeMap<Key, Duration>,
	model: BTreeMap<Key, Duration>,
}

const INTRODUCE: &str = "introduce";
const BACK: &str = "back, in order";
const BACK_REVERSED: &str = "back, last first";
const MEMBERSHIP: &str = "membership";
const BACKABLE: &str = "backable, 3 of them";
const LEAF: &str = "new leaf";
const LEAF_CHANGED: &str = "new leaf, other state";
const OPERATIONS: [&str; 7] = [INTRODUCE, BACK, BACK_REVERSED, MEMBERSHIP, BACKABLE, LEAF, LEAF_CHANGED];

impl Table {
	/// Samples an operation. `sample` does it some times and answers how long that took, and how often.
	fn measure(
		&mut self,
		criterion: &mut Criterion,
		key: Key,
		mut sample: impl FnMut() -> (Duration, usize),
	) {
		let (shape, operation, n) = key;
		let mut samples = Vec::new();
		criterion.bench_function(&format!("{operation}/{shape:?}/{n}"), |bencher| {
			bencher.iter_custom(|iterations| {
				let mut total = Duration::ZERO;
				for _ in 0..iterations {
					let (took, times) = sample();
					samples.push(took / times as u32);
					total += took / times as u32;
				}
				total
			})
		});
		samples.sort();
		if let Some(median) = samples.get(samples.len() / 2) {
			self.machine.insert(key, *median);
		}
	}

	fn measure_case(&mut self, criterion: &mut Criterion, shape: Shape, n: usize) {
		let case = Case::new(shape, n);
		let (introductions, backings) = (case.introductions(), case.backings());
		let events = [&introductions[..], &backings].concat();
		let reversed: Vec<_> = backings.iter().rev().cloned().collect();
		self.measure(criterion, (shape, INTRODUCE, n), || {
			(run(&mut case.machine(&[]), introductions.clone()), introductions.len())
		});
		for (operation, backings) in [(BACK, &backings), (BACK_REVERSED, &reversed)] {
			self.measure(criterion, (shape, operation, n), || {
				(run(&mut case.machine(&introductions), backings.clone()), backings.len())
			});
		}
		let mut machine = case.machine(&events);
		for (operation, question) in [(MEMBERSHIP, case.membership()), (BACKABLE, case.backable())] {
			self.measure(criterion, (shape, operation, n), || {
				(run(&mut machine, vec![question.clone(); QUESTIONS]), QUESTIONS)
			});
		}
		for (operation, leaf) in [(LEAF, &case.next_leaf), (LEAF_CHANGED, &case.next_leaf_changed)] {
			self.measure(criterion, (shape, operation, n), || {
				(run(&mut case.machine(&events), vec![Event::Leaves(leaf.clone())]), 1)
			});
		}
		// What would take the model minutes is left out.
		if n <= 100 || shape == Shape::Chain {
			self.measure_model(&case, shape, n);
		}
	}

	/// The same with the model, once.
	fn measure_model(&mut self, case: &Case, shape: Shape, n: usize) {
		let mut model = Model::default();
		case.leaves
			.iter()
			.for_each(|leaves| drop(model.update(leaves.activated.as_ref(), &leaves.deactivated)));
		let mut is_taken = |built| assert_eq!(model.introduce(&Entry::new(built), false), Ok(()));
		case.others.iter().for_each(&mut is_taken);
		let time = |work: &mut dyn FnMut(), times: usize| {
			let started = cpu_time();
			work();
			(cpu_time() - started) / times as u32
		};
		let introduce = &mut || case.candidates.iter().for_each(&mut is_taken);
		let introduce = time(introduce, case.candidates.len());
		let back = &mut || case.backed.iter().for_each(|built| drop(model.back(PARA, &built.hash)));
		let back = time(back, case.backed.len());
		let next = Entry::new(&case.next);
		let membership = &mut || drop(std::hint::black_box(model.complete(&next, false)));
		let membership = time(membership, 1);
		let ancestors = BTreeSet::from([case.backed[0].hash]);
		let backable = &mut || drop(std::hint::black_box(model.backable(&case.leaf, PARA, 3, &ancestors)));
		let backable = time(backable, 1);
		let LeavesUpdate { activated, deactivated } = &case.next_leaf;
		let leaf = time(&mut || drop(model.update(activated.as_ref(), deactivated)), 1);
		for (operation, took) in [
			(INTRODUCE, introduce),
			(BACK, back),
			(MEMBERSHIP, membership),
			(BACKABLE, backable),
			(LEAF, leaf),
		] {
			self.model.insert((shape, operation, n), took);
		}
	}

	fn print(&self) {
		println!(
			"| shape | operation | candidates | time, µs | growth | naive model, µs | times the machine's |"
		);
		println!("|---|---|---:|---:|---:|---:|---:|");
		let micros = |took: Duration| took.as_secs_f64() * 1e6;
		for shape in Shape::ALL {
			for operation in OPERATIONS {
				for n in SIZES {
					let key = (shape, operation, n);
					let Some(took) = self.machine.get(&key).copied().map(micros) else { continue };
					let first = self.machine.get(&(shape, operation, SIZES[0])).copied().map_or(took, micros);
					let naive = self.model.get(&key).copied().map(micros);
					let (naive, ratio) = match naive {
						Some(naive) => (format!("{naive:.1}"), format!("{:.1}", naive / took)),
						None => Default::default(),
					};
					let shape = shape.label();
					let growth = took / first;
					println!("| {shape} | {operation} | {n} | {took:.2} | {growth:.1} | {naive} | {ratio} |");
				}
			}
		}
	}
}

fn main() {
	let mut criterion = Criterion::default()
		.without_plots()
		.nresamples(5_000)
		.sample_size(10)
		.warm_up_time(Duration::from_millis(100))
		.measurement_time(Duration::from_millis(400))
		.configure_from_args();
	let mut table = Table::default();
	for shape in Shape::ALL {
		for n in SIZES {
			table.measure_case(&mut criterion, shape, n);
		}
	}
	criterion.final_summary();
	println!();
	table.print();
}
