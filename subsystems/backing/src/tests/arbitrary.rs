//! Arbitrary events, from whomever and in whatever order: nothing panics, the stated bounds hold, and nothing is signed
//! that was not validated and stored before; nor is anything sent that is not on disk, or contradicts what is, however often
//! the machine is killed.

use super::harness::*;
use crate::{votes, Backing, Effect, Event, Question};
use headway_machine::{
	testing::{self, Bytes},
	*,
};
use headway_primitives::*;
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// Candidates that events are about.
const POOL: usize = 8;

#[derive(Clone, Debug)]
enum Step {
	/// Block `number` (another one of that height, if `fork`) becomes a leaf over some of its ancestors.
	Activate {
		number: u32,
		depth: u32,
		fork: bool,
		local: Option<u32>,
		disabled: Option<u32>,
	},
	Deactivate(usize),
	/// The machine dies, and another one takes over its disk.
	Restart,
	Finalized(bool),
	Second {
		candidate: usize,
		data: Data,
	},
	Statement {
		candidate: usize,
		validator: u32,
		seconds: bool,
		nonce: u8,
		at: Option<u32>,
		data: Data,
	},
	CanSecond {
		candidate: usize,
		at: u32,
	},
	GetBackable {
		para: u32,
		candidates: Vec<usize>,
	},
	/// An open question gets an answer that fits it; or one of the other kinds gets its token.
	Answer {
		question: usize,
		good: bool,
		instead: Option<u8>,
	},
}

/// The validation data that comes with a candidate.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Data {
	Right,
	Wrong,
	Missing,
}

fn step(bytes: &mut Bytes) -> Step {
	let data = |bytes: &mut Bytes| match bytes.below(10) {
		0..=7 => Data::Right,
		8 => Data::Wrong,
		_ => Data::Missing,
	};
	match bytes.below(39) {
		0..=15 => Step::Answer {
			question: bytes.below(20),
			good: !bytes.one_in(5),
			instead: bytes.one_in(10).then(|| bytes.below(5) as u8),
		},
		16..=27 => Step::Statement {
			candidate: bytes.below(POOL),
			validator: bytes.within(0..7),
			seconds: bytes.coin(),
			nonce: bytes.below(2) as u8,
			at: bytes.one_in(10).then(|| bytes.within(8..14)),
			data: data(bytes),
		},
		28..=31 => Step::Second { candidate: bytes.below(POOL), data: data(bytes) },
		32 | 33 => Step::Activate {
			number: bytes.within(9..13),
			depth: bytes.within(0..3),
			fork: bytes.one_in(5),
			local: match bytes.below(6) {
				0..=3 => Some(0),
				4 => None,
				_ => Some(bytes.within(1..7)),
			},
			disabled: bytes.one_in(5).then(|| bytes.within(0..6)),
		},
		34 => Step::Deactivate(bytes.below(4)),
		35 => Step::Finalized(bytes.coin()),
		36 => Step::CanSecond { candidate: bytes.below(POOL), at: bytes.within(8..14) },
		37 => Step::Restart,
		_ => Step::GetBackable {
			para: bytes.within(1..4),
			candidates: bytes.some(3, |bytes| bytes.below(POOL)),
		},
	}
}

/// Of all paras, cores and versions, at four scheduling parents.
fn pool() -> Vec<Bundle> {
	let bundle = |n: usize| {
		let (para, core) = [(1, 0), (1, 0), (3, 0), (2, 1)][n % 4];
		let mut bundle = Bundle::new(para, core, 9 + n as u32 / 3, n as u8);
		if n % 3 == 2 {
			let scheduling_parent = testing::hash(10);
			let descriptor = bundle.receipt.descriptor.clone();
			bundle.receipt.descriptor = descriptor.into_v3(scheduling_parent, 1).expect("same session");
		}
		bundle
	};
	(0..POOL).map(bundle).collect()
}

struct Run {
	machine: Backing,
	signer: Arc<HashSigner>,
	disk: Disk,
	pool: Vec<Bundle>,
	/// Questions that are not answered yet, and those about candidates that have gone since.
	open: BTreeMap<Token, Effect>,
	leaves: Vec<Hash>,
	/// Seconds that wait for an answer, by candidate.
	seconds: BTreeMap<CandidateHash, usize>,
	/// What was found valid, and whose data is stored.
	valid: BTreeSet<CandidateHash>,
	stored: BTreeSet<CandidateHash>,
	shared: BTreeSet<CandidateHash>,
	backed: BTreeSet<CandidateHash>,
	/// What was ever said of a candidate.
	said: BTreeMap<CandidateHash, SignedFullStatement>,
}

impl Run {
	fn new() -> Self {
		let signer = Arc::new(HashSigner::default());
		Self {
			machine: Backing::new(signer.clone()),
			signer,
			disk: Disk::default(),
			pool: pool(),
			open: BTreeMap::new(),
			leaves: Vec::new(),
			seconds: BTreeMap::new(),
			valid: BTreeSet::new(),
			stored: BTreeSet::new(),
			shared: BTreeSet::new(),
			backed: BTreeSet::new(),
			said: BTreeMap::new(),
		}
	}

	fn take(&mut self, step: Step) {
		match step {
			Step::Activate { number, depth, fork, local, disabled } => {
				self.activate(number, depth, fork, local, disabled)
			},
			Step::Deactivate(leaf) if leaf < self.leaves.len() => self.deactivate(leaf),
			Step::Deactivate(_) => {},
			Step::Restart => self.restart(),
			Step::Finalized(v3) => {
				let bit = FeatureIndex::CandidateReceiptV3 as usize;
				let node_features = (0..5).map(|i| i == bit && v3).collect();
				self.send(Event::Finalized { node_features });
			},
			Step::Second { candidate, data } => {
				let mut bundle = self.pool[candidate].clone();
				if data != Data::Right {
					bundle.validation_data = Arc::default();
				}
				*self.seconds.entry(bundle.hash()).or_default() += 1;
				self.send(bundle.second());
			},
			Step::Statement { candidate, validator, seconds, nonce, at, data } => {
				let bundle = &self.pool[candidate];
				let payload = match seconds {
					true => Statement::Seconded(bundle.receipt.clone()),
					false => Statement::Valid(bundle.hash()),
				};
				let mut event = bundle.statement(validator, nonce, payload);
				if let Event::Statement { scheduling_parent, statement } = &mut event {
					*scheduling_parent = at.map_or(*scheduling_parent, |at| testing::hash(at.into()));
					match data {
						Data::Right => {},
						Data::Wrong => statement.validation_data = Some(Arc::default()),
						Data::Missing => statement.validation_data = None,
					}
				}
				self.send(event);
			},
			Step::CanSecond { candidate, at } => self.send(Event::CanSecond(CanSecondQuery {
				token: Token(7),
				para: ParaId(1),
				scheduling_parent: testing::hash(at.into()),
				candidate_hash: self.pool[candidate].hash(),
				parent_head_data_hash: testing::hash(1),
			})),
			Step::GetBackable { para, candidates } => {
				let candidates = candidates.into_iter().map(|i| self.pool[i].as_ref()).collect();
				let candidates = [(ParaId(para), candidates)].into();
				self.send(Event::GetBackable { token: Token(8), candidates });
			},
			Step::Answer { question, good, instead } => {
				let Some(token) = self.open.keys().nth(question).copied() else { return };
				self.answer(token, good, instead);
			},
		}
	}

	fn activate(&mut self, number: u32, depth: u32, fork: bool, local: Option<u32>, disabled: Option<u32>) {
		let make = |number| {
			let local = local.filter(|local| *local < 6);
			let disabled_validators = disabled.map(ValidatorIndex).into_iter().collect();
			BlockContext { disabled_validators, ..block(number, local) }
		};
		let mut leaf = make(number);
		if fork {
			leaf.hash = testing::hash(100 + u64::from(number));
		}
		let hash = leaf.hash;
		if self.leaves.contains(&hash) {
			return;
		}
		let ancestry = (1..=depth).map(|back| Arc::new(make(number - back))).collect();
		self.leaves.push(hash);
		let activated = Some(Arc::new(testing::leaf(leaf, ancestry)));
		self.send(Event::Leaves(LeavesUpdate { activated, deactivated: Vec::new() }));
	}

	fn deactivate(&mut self, leaf: usize) {
		let hash = self.leaves.remove(leaf);
		self.send(Event::Leaves(LeavesUpdate { activated: None, deactivated: vec![hash] }));
		// What has gone is new when it comes back.
		let known: BTreeSet<Hash> = self.machine.scheduling_parents.keys().copied().collect();
		let gone = self.pool.iter().filter(|bundle| !known.contains(&bundle.scheduling_parent()));
		for hash in gone.map(Bundle::hash) {
			for set in [&mut self.shared, &mut self.backed] {
				set.remove(&hash);
			}
		}
	}

	fn restart(&mut self) {
		self.machine = Backing::new(self.signer.clone());
		self.open.clear();
		self.leaves.clear();
		self.seconds.clear();
		self.shared.clear();
		self.backed.clear();
		self.send(self.disk.restored());
	}

	fn answer(&mut self, token: Token, good: bool, instead: Option<u8>) {
		let question = self.open[&token].clone();
		let of =
			|hash| self.pool.iter().find(|bundle| bundle.hash() == hash).expect("one of the pool").clone();
		let fitting = match &question {
			Effect::Introduce { .. } => 0,
			Effect::Membership(_) => 1,
			Effect::Validate { .. } => 2,
			Effect::FetchPoV { .. } => 3,
			Effect::StoreAvailableData { .. } => 4,
			_ => 5,
		};
		let kind = instead.unwrap_or(fitting);
		let event = match (kind, &question) {
			(0, _) => Event::Introduced { token, accepted: good },
			(1, Effect::Membership(query)) if good => {
				let fits = query.candidates.iter().map(|c| (c.clone(), self.leaves.clone()));
				Event::Membership(Membership { token, leaves: fits.collect() })
			},
			(1, _) => Event::Membership(Membership { token, leaves: Vec::new() }),
			(2, question) => {
				let result = match (good, question) {
					(true, Effect::Validate { request, .. }) => {
						self.valid.insert(request.receipt.hash());
						of(request.receipt.hash()).outcome()
					},
					(true, _) => self.pool[0].outcome(),
					(false, Effect::Validate { request, .. }) if request.pov.block_data.0[0] % 2 == 0 => {
						Err(ValidationFailed { reason: Reason::ExecutionFailed })
					},
					(false, _) => Ok(ValidationOutcome::Invalid(Reason::InvalidExecution)),
				};
				Event::Validated { token, result }
			},
			(3, Effect::FetchPoV { candidate_hash, .. }) => {
				Event::PoVFetched { token, pov: good.then(|| of(*candidate_hash).pov) }
			},
			(3, _) => Event::PoVFetched { token, pov: Some(self.pool[0].pov.clone()) },
			(4, question) => {
				if let (true, Effect::StoreAvailableData { data, .. }) = (good, question) {
					self.stored.insert(data.candidate_hash);
				}
				let result = if good { Ok(()) } else { Err(StoreDataError::Failed) };
				Event::DataStored { token, result }
			},
			(_, question) => {
				if let (true, Effect::Write { batch, .. }) = (good, question) {
					self.disk.write(batch.clone());
				}
				Event::Written { token, ok: good }
			},
		};
		if kind == fitting {
			self.open.remove(&token);
			self.send(event);
		} else {
			let mut effects = Effects::new();
			self.machine.handle(NOW, event, &mut effects);
			assert!(effects.is_empty(), "an answer to another question changes nothing");
		}
	}

	fn send(&mut self, event: Event) {
		let mut effects = Effects::new();
		self.machine.handle(NOW, event, &mut effects);
		for effect in effects.take() {
			let mut answered = |hash: CandidateHash| {
				let waiting = self.seconds.get_mut(&hash).expect("an answer to a question");
				*waiting = waiting.checked_sub(1).expect("one answer per question");
			};
			match &effect {
				Effect::CollationSeconded { statement, .. } => answered(statement.payload().candidate_hash()),
				Effect::CollationInvalid { receipt, .. } => answered(receipt.hash()),
				Effect::CollationDropped { candidate_hash, .. } => answered(*candidate_hash),
				Effect::Share { statement, .. } => {
					let hash = statement.candidate_hash();
					assert!(self.stored.contains(&hash), "signed before its data was stored");
					assert!(self.shared.insert(hash), "two statements about one candidate");
					let (at, statement) = (self.scheduling_parent_of(hash), &statement.statement);
					assert!(self.disk.0.contains_key(&votes::key(&at, &hash)), "sent before it was on disk");
					let before = self.said.entry(hash).or_insert_with(|| statement.clone());
					assert_eq!(before, statement, "a contradiction");
					self.check_seconded(at);
				},
				Effect::Backed { candidate_hash } => {
					assert!(self.backed.insert(*candidate_hash), "backed twice")
				},
				Effect::StoreAvailableData { data, .. } => {
					assert!(self.valid.contains(&data.candidate_hash), "stored before it was validated")
				},
				_ => {},
			}
			let token = match &effect {
				Effect::Membership(query) => Some(query.token),
				Effect::Introduce { token, .. }
				| Effect::Validate { token, .. }
				| Effect::FetchPoV { token, .. }
				| Effect::StoreAvailableData { token, .. }
				| Effect::Write { token, .. } => Some(*token),
				_ => None,
			};
			if let Some(token) = token {
				assert!(self.open.insert(token, effect).is_none(), "a token is used once");
			}
		}
		self.check_bounds();
	}

	fn scheduling_parent_of(&self, hash: CandidateHash) -> Hash {
		let bundle = self.pool.iter().find(|bundle| bundle.hash() == hash);
		bundle.expect("one of the pool").scheduling_parent()
	}

	/// No more was ever seconded at a block than the claim queue has places for.
	fn check_seconded(&self, at: Hash) {
		let said = self.said.iter().filter(|(hash, _)| self.scheduling_parent_of(**hash) == at);
		let seconded = said.filter(|(_, said)| matches!(said.payload(), Statement::Seconded(_)));
		assert!(seconded.count() <= 3, "more seconded than there are places");
	}

	/// What the documentation of [`Backing`], its state and its table promises.
	fn check_bounds(&self) {
		let machine = &self.machine;
		let in_view: Vec<Hash> = machine.view.blocks().into_keys().collect();
		assert_eq!(machine.sizes().exceeded(), None);
		assert_eq!(machine.scheduling_parents.keys().copied().collect::<Vec<_>>(), in_view);
		for (hash, candidate) in &machine.candidates {
			let state = &machine.scheduling_parents[&candidate.scheduling_parent];
			let is_own = self.stored.contains(hash);
			assert!(is_own || state.table.receipt(hash).is_some(), "a candidate is in its table");
		}
		for hash in machine.introductions.keys() {
			let asked =
				|q: &&Question| matches!(q, Question::Introduce { candidate_hash } if candidate_hash == hash);
			assert_eq!(machine.questions.values().filter(asked).count(), 1);
		}
		for (hash, state) in &machine.scheduling_parents {
			for (candidate, job) in &state.jobs {
				let waits = match job.waits_for {
					Some(token) => matches!(
						machine.questions.get(&token),
						Some(Question::Job { scheduling_parent, candidate_hash, .. })
							if scheduling_parent == hash && candidate_hash == candidate
					),
					None => machine.introductions.contains_key(candidate),
				};
				assert!(waits, "a job waits for something");
			}
			let in_table = |candidate: &CandidateHash| state.table.receipt(candidate).is_some();
			assert!(state.attesting.keys().all(in_table));
			let attested = |candidate| state.table.summary(candidate).is_some_and(|summary| summary.attested);
			assert!(state.backed.iter().all(attested));
		}
	}

	/// Answers everything, then lets all leaves go.
	fn finish(mut self) {
		while let Some(token) = self.open.keys().next().copied() {
			self.answer(token, true, None);
		}
		assert!(self.seconds.values().all(|waiting| *waiting == 0), "unanswered: {:?}", self.seconds);
		while !self.leaves.is_empty() {
			self.deactivate(0);
		}
		let machine = &self.machine;
		assert!(machine.scheduling_parents.is_empty() && machine.candidates.is_empty());
		assert!(machine.introductions.is_empty() && machine.questions.is_empty());
	}
}

fn check(steps: Vec<Step>) {
	let mut run = Run::new();
	run.activate(10, 1, false, Some(0), None);
	for step in steps {
		run.take(step);
	}
	run.finish();
}

headway_machine::arbitrary_events! {
	#[test]
	fn whatever_happens_nothing_panics_bounds_hold_and_votes_follow_validation(steps: step, bytes: 1..1200) {
		check(steps);
	}
}

#[test]
fn what_is_remembered_of_former_blocks_is_bounded_also_while_no_leaf_comes() {
	let mut harness = Harness::empty();
	let numbers = 10..12 + votes::FORMER_MAX as u32;
	for number in numbers.clone() {
		harness.activate(block(number, Some(0)), Vec::new());
		let bundle = harness.candidate_at(1, 0, number, number as u8);
		harness.send(bundle.second());
	}
	for number in numbers {
		harness.deactivate(testing::hash(number.into()));
		assert_eq!(harness.machine.sizes().exceeded(), None);
	}
	assert_eq!(harness.machine.former.len(), votes::FORMER_MAX);
}
