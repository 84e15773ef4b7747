//! Random events and answers in random order: what must hold whatever happens.

use super::harness::*;
use crate::{Backing, Effect, Event};
use headway_machine::{testing, *};
use headway_primitives::*;
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// SplitMix64: enough to choose, and the same everywhere.
struct Choices(u64);

impl Choices {
	fn below(&mut self, n: usize) -> usize {
		self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
		let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
		let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
		((z ^ (z >> 31)) % n as u64) as usize
	}
}

/// A run: what was asked and answered so far.
struct Run {
	machine: Backing,
	choices: Choices,
	candidates: Vec<(CandidateHash, Bundle)>,
	/// Questions that are not answered yet.
	open: Vec<Effect>,
	leaves: Vec<Hash>,
	/// Seconds that wait for an answer, by candidate.
	seconds: BTreeMap<CandidateHash, usize>,
	/// Our statements.
	shared: BTreeSet<CandidateHash>,
	backed: BTreeSet<CandidateHash>,
	log: Vec<String>,
}

impl Run {
	fn new(seed: u64) -> Self {
		let bundle = |n: u8| Bundle::new(1, 0, 9 + u32::from(n) % 3, n);
		let candidates = (0..6).map(bundle).map(|bundle| (bundle.hash(), bundle)).collect();
		Self {
			machine: Backing::new(Arc::new(HashSigner::default())),
			choices: Choices(seed),
			candidates,
			open: Vec::new(),
			leaves: Vec::new(),
			seconds: BTreeMap::new(),
			shared: BTreeSet::new(),
			backed: BTreeSet::new(),
			log: Vec::new(),
		}
	}

	fn send(&mut self, event: Event) {
		let mut effects = Effects::new();
		self.machine.handle(NOW, event, &mut effects);
		for effect in effects.take() {
			self.log.push(format!("{effect:?}"));
			match &effect {
				Effect::CollationSeconded { statement, .. } => {
					self.answered(statement.payload().candidate_hash())
				},
				Effect::CollationInvalid { receipt, .. } => self.answered(receipt.hash()),
				Effect::CollationDropped { candidate_hash, .. } => self.answered(*candidate_hash),
				Effect::Share { statement, .. } => {
					let candidate_hash = statement.candidate_hash();
					assert!(self.shared.insert(candidate_hash), "two statements about one candidate");
					assert!(self.precedes_backed(candidate_hash), "shared too late");
				},
				Effect::Backed { candidate_hash } => {
					assert!(self.backed.insert(*candidate_hash), "backed twice")
				},
				Effect::Introduce { .. }
				| Effect::Membership(_)
				| Effect::Validate { .. }
				| Effect::FetchPoV { .. }
				| Effect::StoreAvailableData { .. }
				| Effect::Write { .. } => self.open.push(effect),
				_ => {},
			}
		}
	}

	/// Whether our vote, which is in the table by now, was shared before it was said that the candidate is backed.
	fn precedes_backed(&self, candidate_hash: CandidateHash) -> bool {
		let state = self.machine.scheduling_parents.values();
		let mut summaries = state.filter_map(|state| state.table.summary(&candidate_hash));
		summaries.all(|summary| summary.votes != 2 || !self.backed.contains(&candidate_hash))
	}

	fn answered(&mut self, candidate_hash: CandidateHash) {
		let waiting = self.seconds.get_mut(&candidate_hash).expect("an answer to a question");
		*waiting = waiting.checked_sub(1).expect("one answer per question");
	}

	fn step(&mut self) {
		let (candidate_hash, candidate) = self.candidates[self.choices.below(6)].clone();
		match self.choices.below(10) {
			0 => {
				*self.seconds.entry(candidate_hash).or_default() += 1;
				self.send(candidate.second());
			},
			1 | 2 => {
				let validator = 1 + self.choices.below(5) as u32;
				self.send(candidate.seconded(validator));
			},
			3 | 4 => {
				let validator = 1 + self.choices.below(5) as u32;
				self.send(candidate.valid(validator));
			},
			5 if self.choices.below(4) == 0 => self.change_leaves(),
			_ if self.open.is_empty() => {},
			_ => self.answer(),
		}
	}

	fn change_leaves(&mut self) {
		let number = 9 + self.choices.below(4) as u32;
		let hash = testing::hash(number.into());
		if self.leaves.contains(&hash) {
			return self.deactivate(hash);
		}
		self.leaves.push(hash);
		let ancestry = vec![Arc::new(block(number - 1, Some(0)))];
		let leaf = testing::leaf(block(number, Some(0)), ancestry);
		self.send(Event::Leaves(LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated: Vec::new() }));
	}

	fn deactivate(&mut self, hash: Hash) {
		self.leaves.retain(|leaf| *leaf != hash);
		self.send(Event::Leaves(LeavesUpdate { activated: None, deactivated: vec![hash] }));
		// What leaves the view may be made anew when it comes back: tables and votes start over.
		let known: BTreeSet<Hash> = self.machine.scheduling_parents.keys().copied().collect();
		for (hash, _) in self.candidates.iter().filter(|(_, c)| !known.contains(&c.scheduling_parent())) {
			self.shared.remove(hash);
			self.backed.remove(hash);
		}
	}

	fn answer(&mut self) {
		let question = self.open.swap_remove(self.choices.below(self.open.len()));
		let fails = self.choices.below(4) == 0;
		let leaves = self.leaves.clone();
		let of = |hash| self.candidates.iter().find(|(h, _)| *h == hash).map(|(_, bundle)| bundle.clone());
		let event = match question {
			Effect::Introduce { token, .. } => Event::Introduced { token, accepted: !fails },
			Effect::Membership(MembershipQuery { token, candidates, .. }) => {
				let fits =
					candidates.into_iter().map(|c| (c, if fails { Vec::new() } else { leaves.clone() }));
				Event::Membership(Membership { token, leaves: fits.collect() })
			},
			Effect::FetchPoV { token, candidate_hash, .. } => {
				let pov = of(candidate_hash).filter(|_| !fails).map(|bundle| bundle.pov);
				Event::PoVFetched { token, pov }
			},
			Effect::Validate { token, request } => {
				let valid = of(request.receipt.hash()).expect("one of ours").outcome();
				let result = match (fails, self.choices.below(3)) {
					(false, _) => valid,
					(true, 0) => Err(ValidationFailed { reason: Reason::ExecutionFailed }),
					(true, 1) => Ok(ValidationOutcome::Invalid(Reason::PovHashMismatch)),
					(true, _) => Ok(ValidationOutcome::Invalid(Reason::InvalidExecution)),
				};
				Event::Validated { token, result }
			},
			Effect::StoreAvailableData { token, .. } => {
				let error =
					[StoreDataError::Failed, StoreDataError::ErasureRootMismatch][self.choices.below(2)];
				Event::DataStored { token, result: if fails { Err(error) } else { Ok(()) } }
			},
			Effect::Write { token, .. } => Event::Written { token, ok: !fails },
			_ => return,
		};
		self.send(event);
	}

	/// Answers everything, then lets all leaves go.
	fn finish(&mut self) {
		while !self.open.is_empty() {
			self.answer();
		}
		assert!(self.seconds.values().all(|waiting| *waiting == 0), "unanswered: {:?}", self.seconds);
		assert!(self.machine.introductions.is_empty() && self.machine.questions.is_empty());
		let mut states = self.machine.scheduling_parents.values();
		assert!(states.all(|state| state.jobs.is_empty()), "a job without a question");
		for leaf in self.leaves.clone() {
			self.deactivate(leaf);
		}
		assert!(self.machine.scheduling_parents.is_empty() && self.machine.candidates.is_empty());
	}
}

#[test]
fn whatever_happens_every_second_is_answered_and_nothing_is_said_twice() {
	let (mut statements, mut backed, mut seconded) = (0, 0, 0);
	for seed in 0..300 {
		let run = || {
			let mut run = Run::new(seed);
			run.change_leaves();
			(0..150).for_each(|_| run.step());
			run.finish();
			run.log
		};
		let log = run();
		assert_eq!(log, run(), "seed {seed} gives the same effects");
		let of = |name: &str| log.iter().filter(|effect| effect.starts_with(name)).count();
		statements += of("Share");
		backed += of("Backed");
		seconded += of("CollationSeconded");
	}
	assert!(statements > 300 && backed > 300 && seconded > 100, "{statements} {backed} {seconded}");
}
