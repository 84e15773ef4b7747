//! Whatever happens, in whatever order: nothing panics, what is stated about bounds holds, and every request is answered
//! once.

use super::*;
use headway_machine::testing::Bytes;

/// Something that happens. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
	Wait(u64),
	Leaf { number: u32, cores: &'static str, synchronous: bool, stays: bool },
	Gone(u32),
	Bitfield { leaf: u32, validator: u32, bits: Vec<bool> },
	Request(u32),
	Backable { token: u64, candidates: Vec<u8> },
	Candidates { token: u64, candidates: Vec<(u32, u8, bool)> },
}

const CORES: [&str; 5] =
	["", "free", "p1 p2 p1", "p1-p1/p2@11+0123 p2 p3-_/p1@10+1", "p1-p1/p1 p1-p1/p1+01234 p1"];

fn step(bytes: &mut Bytes) -> Step {
	let number = |bytes: &mut Bytes| bytes.within(10..13);
	let token = |bytes: &mut Bytes| bytes.below(1 << 16) as u64;
	match bytes.below(22) {
		0..=3 => Step::Request(number(bytes)),
		4..=8 => {
			Step::Backable { token: token(bytes), candidates: bytes.some(4, |bytes| bytes.below(9) as u8) }
		},
		9..=11 => Step::Candidates {
			token: token(bytes),
			candidates: bytes.some(4, |bytes| (bytes.within(1..4), bytes.below(9) as u8, bytes.coin())),
		},
		12..=14 => Step::Wait(bytes.within(0..900).into()),
		15..=18 => Step::Bitfield {
			leaf: number(bytes),
			validator: bytes.within(0..8),
			bits: bytes.some(4, Bytes::coin),
		},
		19 | 20 => Step::Leaf {
			number: number(bytes),
			cores: bytes.one_of(&CORES),
			synchronous: bytes.coin(),
			stays: !bytes.one_in(10),
		},
		_ => Step::Gone(number(bytes)),
	}
}

struct Arena {
	harness: Harness,
	now: Timestamp,
	/// Questions of the machine.
	tokens: u64,
	asked: u64,
	answers: BTreeMap<Token, usize>,
}

impl Arena {
	fn take(&mut self, step: Step) {
		let token = |n: u64| Token(1 + n % (self.tokens + 1));
		let event = match step {
			Step::Wait(ms) => {
				self.now = self.now + Duration::from_millis(ms);
				let effects = self.harness.tick(self.now);
				assert!(self.harness.machine.next_deadline().is_none_or(|due| due > self.now));
				return self.note(effects);
			},
			Step::Leaf { number, cores, synchronous, stays } => {
				let mut leaf = leaf_at(number, cores);
				if synchronous {
					leaf.async_backing_params =
						AsyncBackingParams { max_candidate_depth: 0, allowed_ancestry_len: 0 };
				}
				let deactivated = if stays { Vec::new() } else { vec![leaf.hash()] };
				Event::Leaves(LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated })
			},
			Step::Gone(number) => {
				Event::Leaves(LeavesUpdate { activated: None, deactivated: vec![hash(number.into())] })
			},
			Step::Bitfield { leaf, validator, bits } => {
				let bits: String = bits.into_iter().map(|bit| if bit { '1' } else { '0' }).collect();
				let Event::Bitfield { bitfield, .. } = bitfield(validator, &bits) else { return };
				Event::Bitfield { relay_parent: hash(leaf.into()), bitfield }
			},
			Step::Request(number) => {
				self.asked += 1;
				Event::InherentRequest { token: Token(self.asked), parent: hash(number.into()) }
			},
			Step::Backable { token: n, candidates } => {
				let candidates = candidates.into_iter().map(|n| reference(&backed(1, n, false)));
				Event::Backable { token: token(n), candidates: candidates.collect() }
			},
			Step::Candidates { token: n, candidates } => {
				let mut by_para = BTreeMap::<ParaId, Vec<BackedCandidate>>::new();
				for (para, n, upgrades) in candidates {
					by_para.entry(ParaId(para)).or_default().push(backed(para, n, upgrades));
				}
				Event::Candidates { token: token(n), candidates: by_para }
			},
		};
		let effects = self.harness.send(self.now, event);
		self.note(effects);
	}

	fn note(&mut self, effects: Vec<Effect>) {
		for effect in effects {
			match effect {
				Effect::Inherent { token, data } => {
					*self.answers.entry(token).or_default() += 1;
					let Some(data) = data else { continue };
					let ascending =
						data.bitfields.windows(2).all(|w| w[0].validator_index < w[1].validator_index);
					assert!(ascending && data.bitfields.len() <= N_VALIDATORS);
					let upgrades = data
						.backed_candidates
						.iter()
						.filter(|backed| backed.candidate.commitments.new_validation_code.is_some());
					assert!(upgrades.count() <= 1);
				},
				Effect::Backable(query) => {
					assert!(query.count > 0);
					self.tokens = self.tokens.max(query.token.0);
				},
				Effect::GetCandidates { token, candidates } => {
					assert!(!candidates.is_empty() && candidates.values().all(|refs| !refs.is_empty()));
					self.tokens = self.tokens.max(token.0);
				},
			}
		}
	}

	fn check(&self) {
		let machine = &self.harness.machine;
		assert_eq!(machine.sizes().exceeded(), None);
		assert!(machine.assemblies.values().all(|assembly| assembly.deadline <= self.now + ASSEMBLY_TIMEOUT));
	}
}

fn check(steps: Vec<Step>) {
	let harness = Harness::new(leaf("p1 p2-p2/p2+0123"));
	let mut arena = Arena { harness, now: START, tokens: 0, asked: 0, answers: BTreeMap::new() };
	for step in steps {
		arena.take(step);
		arena.check();
	}
	(10..13).for_each(|number| arena.take(Step::Gone(number)));
	arena.take(Step::Wait(500));
	assert!(arena.harness.machine.leaves.is_empty() && arena.harness.machine.assemblies.is_empty());
	assert_eq!(arena.answers.len() as u64, arena.asked);
	assert!(arena.answers.values().all(|times| *times == 1));
	assert_eq!(arena.harness.machine.next_deadline(), None);
}

headway_machine::arbitrary_events! {
	#[test]
	fn nothing_panics_and_every_request_is_answered_once_whatever_happens(steps: step, bytes: 1..400) {
		check(steps);
	}
}
