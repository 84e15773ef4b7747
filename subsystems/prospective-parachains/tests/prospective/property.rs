//! The machine against the naive model: after every operation both answer all questions alike, and drop the same
//! candidates for the same reasons.
//!
//! `HEADWAY_CASES` asks for more cases than are run by default; a case has some 75 operations:
//!
//! ```text
//! HEADWAY_CASES=15000 cargo test --workspace -- --nocapture machine_answers_as_the_naive_model
//! ```

use crate::{
	model::{Drops, Entry, Model},
	world::{block_hash, head, LeafPlan, Order, Plan, World, PARA},
};
use headway_machine::{LeavesUpdate, ParentHead, ValidationDataQuery};
use headway_primitives::{CandidateHash, Hash};
use headway_prospective_parachains::{Effect, Event};
use proptest::{prelude::*, test_runner::TestRunner};
use std::{
	cell::Cell,
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
	time::Instant,
};

/// Candidates of a run. They build on, and produce, one of [`HEADS`] heads, so that forks, cycles and second
/// paths are many.
const POOL: usize = 16;
const HEADS: u32 = 6;
/// Cases that nobody waits for.
const CASES: u32 = 64;

#[derive(Clone, Debug)]
enum Op {
	Introduce(usize),
	Back(usize),
	IntroduceAndBack(usize),
	Leaf {
		leaf: Leaf,
		/// A leaf that goes in the same update.
		replaces: Option<usize>,
	},
	Drop(usize),
}

#[derive(Clone, Debug)]
struct Leaf {
	number: u32,
	fork: bool,
	lookahead: usize,
	cores: u32,
	included: u32,
	n_pending: usize,
	/// A candidate that is pending behind the others and mostly does not follow them.
	stray: Option<usize>,
	min_relay_parent_number: u32,
	upward_room: u32,
	synchronous: bool,
	/// By core and depth, whether a claim is another para's; none of them, where it does not say.
	others: Vec<Vec<bool>>,
}

impl Leaf {
	/// Of each core that there is, whether its claims are the para's.
	fn claims(&self) -> Vec<Vec<bool>> {
		let is_other = |core: usize, depth: usize| self.others.get(core)?.get(depth).copied();
		let claim = |core, depth| !is_other(core, depth).unwrap_or(false);
		let queue = |core| (0..self.lookahead).map(|depth| claim(core, depth)).collect();
		(0..self.cores as usize).map(queue).collect()
	}
}

fn plan() -> impl Strategy<Value = Plan> {
	// Mostly at one block, so that paths are long.
	let number = prop_oneof![3 => Just(10), 1 => 8..14u32];
	let heads = 0..HEADS;
	// Mostly to the next head, for the same reason.
	let path = (heads.clone(), heads, 0..4u8).prop_map(|(parent, output, kind)| match kind {
		0 => (parent, output),
		_ => (parent, (parent + 1) % HEADS),
	});
	(path, number, proptest::bool::weighted(0.15), 0..14u8, 0..3u32).prop_map(
		|((parent, output), number, fork, kind, back)| {
			let fork = if fork && number >= 10 { "x" } else { "" };
			let scheduling_parent = format!("{number}{fork}");
			// Some are of version 3; some of their relay parents nobody vouches for.
			let relay_parent = match kind {
				0 | 1 => (number - 3 - back).to_string(),
				_ => scheduling_parent.clone(),
			};
			Plan {
				para: PARA,
				parent: parent.to_string(),
				output: output.to_string(),
				scheduling_parent,
				relay_parent,
				order: Order::Middle,
				watermark: (kind == 2).then_some(1),
				upward: if (3..6).contains(&kind) { 4 } else { 0 },
				version_1: false,
				bad_validation_data: kind == 6 && back == 0,
				// Half of them are on any of the first three cores, the others on the first.
				core: u32::from(kind / 7) * back,
				claimed_number: None,
			}
		},
	)
}

fn leaf() -> impl Strategy<Value = Leaf> {
	let rare = proptest::bool::weighted;
	let block = (
		10..14u32,
		rare(0.2),
		prop_oneof![1 => Just(1), 5 => 2..5usize],
		prop_oneof![1 => 0..3u32, 2 => 4..8u32],
	);
	let n_pending = prop_oneof![2 => Just(0), 1 => 1..4usize];
	let stray = proptest::option::weighted(0.1, 0..POOL);
	let min = prop_oneof![3 => Just(0), 1 => 5..11u32];
	// Mostly the state is as it was.
	let room = prop_oneof![3 => Just(1000), 1 => 0..12u32];
	let queue = proptest::collection::vec(proptest::bool::ANY, 0..4usize);
	let others = prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(queue, 1..3usize)];
	let state = (0..HEADS, n_pending, stray, min, room, rare(0.05), others);
	(block, state).prop_map(|((number, fork, lookahead, cores), state)| {
		let (included, n_pending, stray, min_relay_parent_number, upward_room, synchronous, others) = state;
		// Mostly nothing has been included since, so that chains grow long.
		let included = included.saturating_sub(3);
		Leaf {
			number,
			fork,
			lookahead,
			cores,
			included,
			n_pending,
			stray,
			min_relay_parent_number,
			upward_room,
			synchronous,
			others,
		}
	})
}

fn op() -> impl Strategy<Value = Op> {
	prop_oneof![
		6 => (0..POOL).prop_map(Op::Introduce),
		5 => (0..POOL).prop_map(Op::Back),
		6 => (0..POOL).prop_map(Op::IntroduceAndBack),
		1 => (leaf(), proptest::option::weighted(0.7, 0..4usize))
			.prop_map(|(leaf, replaces)| Op::Leaf { leaf, replaces }),
		1 => (0..8usize).prop_map(Op::Drop),
	]
}

struct Run {
	world: World,
	model: Model,
	plans: Vec<Plan>,
	entries: Vec<Entry>,
	hashes: Vec<CandidateHash>,
	/// Names of the active leaves.
	leaves: BTreeMap<Hash, String>,
	/// All that the machine said, if somebody wants to know.
	transcript: Option<String>,
}

impl Run {
	fn new(plans: Vec<Plan>) -> Self {
		let mut world = World::default();
		(1..14).for_each(|number: u32| drop(world.block(&number.to_string())));
		// Only odd blocks are vouched for when they are too old for the context.
		world.hidden =
			(1..14).filter(|number| number % 2 == 0).map(|number: u32| number.to_string()).collect();
		let built: Vec<_> =
			plans.iter().enumerate().map(|(index, plan)| world.define(&name(index), plan)).collect();
		let entries = built.iter().map(Entry::new).collect();
		let hashes = built.iter().map(|built| built.hash).collect();
		let (model, leaves) = Default::default();
		let mut run = Self { world, model, plans, entries, hashes, leaves, transcript: None };
		let leaf = Leaf {
			number: 10,
			fork: false,
			lookahead: 3,
			cores: 6,
			included: 0,
			n_pending: 0,
			stray: None,
			min_relay_parent_number: 0,
			upward_room: 1000,
			synchronous: false,
			others: Vec::new(),
		};
		run.apply(&Op::Leaf { leaf, replaces: None });
		run
	}

	/// Whether the runtime vouches for the candidate's relay parent where it is older than the context.
	fn vouched(&self, index: usize) -> bool {
		self.is_vouched(&self.plans[index].relay_parent)
	}

	fn is_vouched(&self, block: &str) -> bool {
		!block.ends_with('x') && !self.world.hidden.contains(block)
	}

	/// Answers how many operations that was.
	fn apply(&mut self, op: &Op) -> u64 {
		match op {
			Op::Introduce(index) => self.introduce(*index),
			Op::Back(index) => self.back(*index),
			Op::IntroduceAndBack(index) => {
				self.introduce(*index);
				self.back(*index);
				return 2;
			},
			Op::Leaf { leaf, replaces } => {
				let replaced = replaces.and_then(|n| self.leaves.keys().nth(n).copied());
				self.update(Some(leaf), replaced);
			},
			Op::Drop(index) => {
				let Some(leaf) = self.leaves.keys().nth(*index).copied() else { return 0 };
				self.update(None, Some(leaf));
			},
		}
		1
	}

	fn introduce(&mut self, index: usize) {
		let accepted = self.world.introduce(&name(index));
		let expected = self.model.introduce(&self.entries[index], self.vouched(index));
		assert_eq!(accepted, expected.is_ok(), "introduced {index}: {:?}", self.plans[index]);
		self.expect_drops(expected.err().map(|reason| (self.hashes[index], reason)).into_iter().collect());
	}

	fn back(&mut self, index: usize) {
		self.world.back(&name(index));
		let dropped = self.model.back(PARA, &self.hashes[index]);
		self.expect_drops(dropped);
	}

	fn expect_drops(&mut self, expected: Drops) {
		let effects = std::mem::take(&mut self.world.log);
		if let Some(transcript) = &mut self.transcript {
			*transcript += &format!("{effects:?}\n{:?}\n", self.world.traces);
		}
		let mut expected: Vec<_> = expected.into_iter().map(|(hash, reason)| (Some(hash), reason)).collect();
		expected.sort();
		assert_eq!(self.world.take_dropped(), expected, "dropped");
	}

	fn update(&mut self, leaf: Option<&Leaf>, deactivated: Option<Hash>) {
		let activated = leaf.map(|leaf| {
			let block = format!("{}{}", leaf.number, if leaf.fork { "x" } else { "" });
			let plan = LeafPlan {
				lookahead: leaf.lookahead,
				cores: leaf.cores,
				claims: leaf.claims(),
				included: leaf.included.to_string(),
				pending: self.pending(leaf),
				min_relay_parent_number: leaf.min_relay_parent_number,
				upward_room: leaf.upward_room,
				synchronous: leaf.synchronous,
				..LeafPlan::new(&block)
			};
			self.leaves.insert(block_hash(&block), block);
			Arc::new(self.world.leaf_context(&plan))
		});
		let deactivated: Vec<_> = deactivated.into_iter().collect();
		deactivated.iter().for_each(|hash| drop(self.leaves.remove(hash)));
		let update = LeavesUpdate { activated: activated.clone(), deactivated: deactivated.clone() };
		assert_eq!(self.world.handle(Event::Leaves(update)), []);
		let dropped = self.model.update(activated.as_ref(), &deactivated);
		self.expect_drops(dropped);
	}

	/// A path of candidates from the included head.
	fn pending(&self, leaf: &Leaf) -> Vec<String> {
		let mut parent = leaf.included.to_string();
		let mut visited = BTreeSet::from([parent.clone()]);
		let mut path = Vec::new();
		while path.len() < leaf.n_pending {
			let follows = |plan: &Plan| {
				let relay_parent = self.world.blocks.get(&plan.relay_parent);
				let is_new = !visited.contains(&plan.output);
				is_new
					&& plan.parent == parent
					&& relay_parent.is_some_and(|block| block.number < leaf.number)
			};
			let Some(index) = self.plans.iter().position(follows) else { break };
			parent = self.plans[index].output.clone();
			visited.insert(parent.clone());
			path.push(name(index));
		}
		path.extend(leaf.stray.map(name));
		path
	}

	/// Asks both all that can be asked.
	fn compare(&mut self) {
		let active: BTreeSet<_> = self.leaves.keys().copied().collect();
		assert_eq!(&active, self.model.active_leaves());
		assert_eq!(self.world.heads(PARA), self.model.output_heads(PARA), "known heads");
		for (hash, block) in self.leaves.clone() {
			let (path, n_pending) = self.model.path(&hash, PARA);
			let with_hole =
				path.iter().enumerate().filter(|(position, _)| *position != 1).map(|(_, hash)| *hash);
			let sets: [BTreeSet<_>; 4] = [
				BTreeSet::new(),
				path[..n_pending].iter().copied().collect(),
				path.iter().take(n_pending + 1).copied().collect(),
				with_hole.collect(),
			];
			for (ancestors, count) in sets.into_iter().zip([99, 99, 2, 1]) {
				let expected = self.model.backable(&hash, PARA, count, &ancestors);
				assert_eq!(self.world.backable(&block, count, ancestors), expected, "backable at {block}");
			}
		}
		self.compare_membership();
		self.compare_validation_data();
	}

	fn compare_membership(&mut self) {
		for complete in [true, false] {
			let candidates = (0..POOL).map(|index| self.world.hypothetical(&name(index), complete)).collect();
			let answers = self.world.membership(candidates);
			for (index, answer) in answers.into_iter().enumerate() {
				let expected = match complete {
					true => self.model.complete(&self.entries[index], self.vouched(index)),
					false => self.model.incomplete(&self.entries[index]),
				};
				assert_eq!(answer, expected, "membership of {index}: {:?}", self.plans[index]);
			}
		}
	}

	fn compare_validation_data(&mut self) {
		for n in 0..HEADS {
			let parent = head(&n.to_string());
			let block = (n + 5).to_string();
			let (relay_parent, token) = (block_hash(&block), self.world.token());
			let parent_head = ParentHead::OnlyHash(parent.hash());
			let query =
				ValidationDataQuery { token, para: PARA, relay_parent, session_index: 1, parent_head };
			let said = self.world.handle(Event::ValidationData(query));
			let [Effect::ValidationData { data, .. }] = &said[..] else { panic!("{said:?}") };
			let vouched = self.is_vouched(&block);
			let is_known = self.model.has_validation_data(PARA, &parent.hash(), relay_parent, vouched);
			let expected = is_known.then_some((parent, n + 5));
			let data = data.as_ref().map(|data| (data.parent_head.clone(), data.relay_parent_number));
			assert_eq!(data, expected, "validation data on head {n} at {block}");
		}
	}
}

fn name(index: usize) -> String {
	format!("c{index}")
}

/// Cases to run: what `HEADWAY_CASES` says, or [`CASES`].
pub(crate) fn config() -> ProptestConfig {
	let cases = std::env::var("HEADWAY_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
	ProptestConfig { cases, failure_persistence: None, ..Default::default() }
}

#[test]
fn machine_answers_as_the_naive_model() {
	let operations = Cell::new(0u64);
	let longest = Cell::new(0usize);
	let started = Instant::now();
	let strategy = (proptest::collection::vec(plan(), POOL), proptest::collection::vec(op(), 1..120));
	let outcome = TestRunner::new(config()).run(&strategy, |(plans, ops)| {
		let mut run = Run::new(plans);
		for op in &ops {
			operations.set(operations.get() + run.apply(op));
			run.compare();
			let paths = run.leaves.keys().map(|leaf| run.model.path(leaf, PARA).0.len());
			longest.set(paths.max().unwrap_or(0).max(longest.get()));
		}
		Ok(())
	});
	if let Err(failure) = outcome {
		panic!("{failure}");
	}
	eprintln!("{} operations in {:?}, longest path {}", operations.get(), started.elapsed(), longest.get());
	// The data leads to paths worth the name.
	assert!(longest.get() >= 4);
}

proptest! {
	#![proptest_config(config())]

	#[test]
	fn same_events_give_the_same_effects(
		plans in proptest::collection::vec(plan(), POOL),
		ops in proptest::collection::vec(op(), 1..40),
	) {
		let transcript = || {
			let mut run = Run { transcript: Some(String::new()), ..Run::new(plans.clone()) };
			for op in &ops {
				run.apply(op);
				run.compare();
			}
			run.transcript
		};
		prop_assert_eq!(transcript(), transcript());
	}
}
