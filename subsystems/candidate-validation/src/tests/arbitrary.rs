//! Whatever happens, in whatever order: nothing panics, what is stated about bounds holds, and every request has one verdict, the
//! right one if all went well.

use super::*;
use headway_machine::testing::Bytes;

/// Something that happens. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
	Wait(u64),
	Leaf(u32),
	Gone(u32),
	Validate {
		para: u32,
		kind: ExecutionKind,
		signals: Vec<(u8, u8)>,
		code: u8,
		spoil: u8,
	},
	/// Answers a question for code; with other code, or none.
	Code {
		question: usize,
		form: u8,
	},
	/// Answers an execution; as it should, or otherwise.
	Executed {
		question: usize,
		form: u8,
	},
	/// An answer to a question that is not open.
	Stray(u64),
}

const KINDS: [ExecutionKind; 4] = [
	ExecutionKind::Backing,
	ExecutionKind::Approval,
	ExecutionKind::Dispute,
	ExecutionKind::BackingSystemParas,
];

fn step(bytes: &mut Bytes) -> Step {
	match bytes.below(24) {
		0..=8 => Step::Executed { question: bytes.below(40), form: bytes.below(11) as u8 },
		9..=11 => Step::Code { question: bytes.below(40), form: bytes.below(8) as u8 },
		12..=18 => Step::Validate {
			para: bytes.one_of(&[1, 2000, 2000]),
			kind: bytes.one_of(&KINDS),
			signals: bytes.some(2, |bytes| (bytes.below(3) as u8, bytes.below(3) as u8)),
			code: bytes.below(20) as u8,
			spoil: bytes.below(24) as u8,
		},
		19 | 20 => Step::Wait(bytes.within(0..5_000).into()),
		21 => Step::Leaf(bytes.within(9..13)),
		22 => Step::Gone(bytes.within(9..13)),
		_ => Step::Stray(bytes.below(200) as u64),
	}
}

/// Code of another name; none is compressed.
fn code_of(n: u8) -> ValidationCode {
	ValidationCode(vec![n; 8])
}

struct Arena {
	harness: Harness,
	now: Timestamp,
	/// Requests without a verdict, with what an honest execution would say.
	asked: BTreeMap<Token, Case>,
	n_asked: u64,
	codes: BTreeMap<Token, ValidationCodeHash>,
	executions: BTreeMap<Token, CandidateHash>,
}

impl Arena {
	fn new() -> Self {
		Self {
			harness: Harness::new(),
			now: START,
			asked: BTreeMap::new(),
			n_asked: 0,
			codes: BTreeMap::new(),
			executions: BTreeMap::new(),
		}
	}

	fn send(&mut self, event: Event) {
		let effects = self.harness.send(self.now, event);
		self.note(effects);
	}

	fn take(&mut self, step: Step) {
		match step {
			Step::Wait(ms) => {
				self.now = self.now + Duration::from_millis(ms);
				let effects = self.harness.tick(self.now);
				assert!(self.harness.machine.next_deadline().is_none_or(|due| due > self.now));
				self.note(effects);
			},
			Step::Leaf(number) => {
				let activated = Some(leaf(number));
				self.send(Event::Leaves(LeavesUpdate { activated, deactivated: Vec::new() }));
			},
			Step::Gone(number) => {
				let deactivated = vec![testing::hash(number.into())];
				self.send(Event::Leaves(LeavesUpdate { activated: None, deactivated }));
			},
			Step::Validate { para, kind, signals, code, spoil } => {
				let signals = signals.into_iter();
				let signals = signals.map(|(core, offset)| {
					UmpSignal::SelectCore(CoreSelector(core), ClaimQueueOffset(offset))
				});
				let mut case = case(para, kind, &signals.collect::<Vec<_>>());
				let request = &mut case.request;
				request.receipt.descriptor.validation_code_hash = code_of(code).hash();
				match spoil {
					1 => request.validation_data = Arc::default(),
					2 => request.pov = Arc::new(PoV { block_data: BlockData(vec![7; 300]) }),
					3 => request.receipt.descriptor.session_index = 0,
					4 => request.scheduling_session = 2,
					5 => request.receipt.descriptor.version = 1,
					6 => request.receipt.descriptor.relay_parent = testing::hash(99),
					7 => request.receipt.commitments_hash = testing::hash(1),
					_ => {},
				}
				self.n_asked += 1;
				let token = Token(self.n_asked);
				self.asked.insert(token, case.clone());
				self.send(Event::Validate { token, request: case.request });
			},
			Step::Code { question, form } => {
				let Some(token) = self.codes.keys().nth(question).copied() else { return };
				self.code(token, form);
			},
			Step::Executed { question, form } => {
				let Some(token) = self.executions.keys().nth(question).copied() else { return };
				self.executed(token, form);
			},
			Step::Stray(token) => {
				let token = Token(token);
				if !self.executions.contains_key(&token) {
					self.send(Event::Executed { token, result: internal() });
				}
				if !self.codes.contains_key(&token) {
					self.send(Event::Code { token, code: None });
				}
			},
		}
	}

	fn code(&mut self, token: Token, form: u8) {
		let Some(hash) = self.codes.remove(&token) else { return };
		let code = (0..20).map(code_of).find(|code| code.hash() == hash).expect("one of ours");
		let code = match form {
			6 => None,
			7 => Some((code_of(200), 4000)),
			_ => Some((code, 4000)),
		};
		self.send(Event::Code { token, code });
	}

	fn executed(&mut self, token: Token, form: u8) {
		let Some(candidate) = self.executions.remove(&token) else { return };
		let result = match form {
			4 => internal(),
			5 => failing(ExecutionError::WorkerDied),
			6 => failing(ExecutionError::Rejected),
			7 => Ok(backing().result),
			8 => failing(ExecutionError::BrokenArtifact),
			9 => failing(ExecutionError::JobFailed),
			_ => {
				let same = |case: &&Case| case.request.receipt.hash() == candidate;
				Ok(self
					.asked
					.values()
					.find(same)
					.map_or_else(|| backing().result, |case| case.result.clone()))
			},
		};
		self.send(Event::Executed { token, result });
	}

	fn note(&mut self, effects: Vec<Effect>) {
		for effect in effects {
			match effect {
				Effect::Validated { token, result } => {
					let Case { request, result: honest } = self.asked.remove(&token).expect("one verdict");
					if let Ok(ValidationOutcome::Valid { commitments, validation_data }) = result {
						let receipt = &request.receipt;
						assert_eq!(commitments.hash(), receipt.commitments_hash);
						assert_eq!(commitments.head_data, honest.head_data);
						assert_eq!(validation_data.hash(), receipt.descriptor.persisted_validation_data_hash);
						assert_eq!(request.pov.hash(), receipt.descriptor.pov_hash);
					}
				},
				Effect::FetchCode { token, code_hash, .. } => {
					assert!(self.codes.insert(token, code_hash).is_none(), "a token is used once");
				},
				Effect::Execute { token, execution } => {
					let Execution { candidate_hash, code, code_hash, .. } = execution;
					assert_eq!(code.hash(), code_hash);
					let twice = self.executions.insert(token, candidate_hash);
					assert!(twice.is_none(), "one execution of a job at a time");
				},
			}
		}
		assert_eq!(self.harness.machine.sizes().exceeded(), None);
		assert!(self.executions.len() <= RUNNING_MAX);
	}
}

fn check(steps: Vec<Step>) {
	let mut arena = Arena::new();
	for step in steps {
		arena.take(step);
	}
	// In the end there is a verdict for every request.
	while !arena.asked.is_empty() {
		let left = arena.asked.len() + arena.codes.len() + arena.executions.len();
		while let Some(token) = arena.codes.keys().next().copied() {
			arena.code(token, 6);
		}
		while let Some(token) = arena.executions.keys().next().copied() {
			arena.executed(token, 0);
		}
		arena.take(Step::Wait(3_000));
		let now_left = arena.asked.len() + arena.codes.len() + arena.executions.len();
		assert!(now_left < left || !arena.executions.is_empty(), "{now_left} of {left} wait for ever");
	}
	let machine = &arena.harness.machine;
	assert!(machine.jobs.is_empty() && machine.running.is_empty() && machine.queue.is_empty());
	assert!(machine.fetches.is_empty());
}

headway_machine::arbitrary_events! {
	#[test]
	fn nothing_panics_and_every_request_has_one_verdict_whatever_happens(steps: step, bytes: 1..1000) {
		check(steps);
	}
}
