//! Whatever happens, in whatever order: nothing panics, what is stated about bounds holds, and every submission comes to
//! one end.

use super::*;
use headway_machine::testing::Bytes;

/// Something that happens. Tokens are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
	Leaf { number: u32, stays: bool },
	Gone(u32),
	Initialize { para: u32, again: bool },
	Submit { at: u64, core: u32, version: CandidateDescriptorVersion, collations: Vec<Block> },
	Encoded { token: u64, good: bool },
}

/// A block: its number, its upward messages, and what it was built on.
#[derive(Clone, Debug)]
struct Block {
	n: u8,
	messages: Vec<Vec<u8>>,
	relay_parent: u64,
	session_index: u32,
	max_pov_size: u32,
}

fn message(bytes: &mut Bytes) -> Vec<u8> {
	match bytes.below(8) {
		0..=3 => super::select(bytes.below(3) as u8, bytes.below(3) as u8).encode(),
		4 | 5 => UMP_SEPARATOR,
		6 => approved_peer().encode(),
		_ => bytes.some(5, |bytes| bytes.below(256) as u8),
	}
}

fn any_block(bytes: &mut Bytes) -> Block {
	Block {
		n: bytes.below(5) as u8,
		messages: bytes.some(3, message),
		relay_parent: bytes.within(8..12).into(),
		session_index: bytes.within(0..300),
		max_pov_size: if bytes.one_in(7) { bytes.within(0..u32::MAX) } else { 5_000 },
	}
}

fn step(bytes: &mut Bytes) -> Step {
	match bytes.below(16) {
		0..=5 => Step::Encoded { token: bytes.below(1 << 16) as u64, good: !bytes.one_in(10) },
		6..=11 => Step::Submit {
			at: bytes.within(9..12).into(),
			core: if bytes.one_in(10) { bytes.within(0..u32::MAX) } else { bytes.within(0..4) },
			version: bytes.one_of(&[V2, V3, V2, V3, V1, Unknown(4)]),
			collations: bytes.some(2, any_block),
		},
		12 | 13 => Step::Leaf { number: bytes.within(9..12), stays: bytes.coin() },
		14 => Step::Gone(bytes.within(9..12)),
		_ => Step::Initialize { para: bytes.within(2000..2002), again: bytes.coin() },
	}
}

fn submitted(block: Block) -> SubmittedCollation {
	let mut submitted = collation(block.n, &[]);
	submitted.collation.upward_messages = UpwardMessages::try_from(block.messages).unwrap();
	submitted.relay_parent = hash(block.relay_parent);
	submitted.session_index = block.session_index;
	submitted.validation_data.max_pov_size = block.max_pov_size;
	submitted
}

fn event(step: Step, tokens: u64) -> Event {
	match step {
		Step::Leaf { number, stays } => {
			let session = session(7, &validator_keys(6), vec![vec![0, 1], vec![2, 3], vec![4, 5]], None);
			let queue = (0..3).map(|core| (CoreIndex(core), vec![PARA, ParaId(2001), PARA].into()));
			let block = headway_machine::testing::block(number, &session, queue.collect());
			let deactivated = if stays { Vec::new() } else { vec![block.hash] };
			let activated = Some(Arc::new(leaf(block, Vec::new())));
			Event::Leaves(LeavesUpdate { activated, deactivated })
		},
		Step::Gone(number) => {
			Event::Leaves(LeavesUpdate { activated: None, deactivated: vec![hash(number.into())] })
		},
		Step::Initialize { para, again: false } => Event::Initialize { para: ParaId(para) },
		Step::Initialize { para, again: true } => Event::Reinitialize { para: ParaId(para) },
		Step::Submit { at, core, version, collations } => Event::Submit(SubmitSegment {
			scheduling_parent: hash(at),
			core_index: CoreIndex(core),
			descriptor_version: version,
			collations: collations.into_iter().map(submitted).collect(),
		}),
		Step::Encoded { token, good } => Event::Encoded {
			token: Token(1 + token % (tokens + 1)),
			root: if good { Ok(hash(1)) } else { Err(EncodeError::NotEnoughValidators { n_validators: 1 }) },
		},
	}
}

fn check(steps: Vec<Step>) {
	let mut machine = initialized();
	let (mut tokens, mut submissions, mut ends) = (0, 0, 0);
	let mut take = |machine: &mut CollationGeneration, event: Event| {
		submissions += usize::from(matches!(event, Event::Submit(_)));
		for effect in run(machine, event) {
			match effect {
				Effect::Encode { token, .. } => tokens = tokens.max(token.0),
				Effect::Distribute(segment) => {
					ends += 1;
					assert!((1..=COLLATIONS_PER_SUBMISSION_MAX).contains(&segment.candidates.len()));
					let roots = segment.candidates.iter().map(|built| built.receipt.descriptor.erasure_root);
					assert!(roots.into_iter().all(|root| root == hash(1)), "complete");
				},
				Effect::Rejected { .. } => ends += 1,
			}
		}
		(tokens, submissions, ends)
	};
	let mut asked = 0;
	for step in steps {
		let (tokens, submissions, ends) = take(&mut machine, event(step, asked));
		asked = tokens;
		assert_eq!(submissions, ends + machine.submissions.len());
		assert_eq!(machine.sizes().exceeded(), None);
		assert!(machine.questions.values().all(|(id, _)| machine.submissions.contains_key(id)));
	}
	for token in 1..=asked {
		take(&mut machine, Event::Encoded { token: Token(token), root: Ok(hash(1)) });
	}
	assert!(machine.submissions.is_empty() && machine.questions.is_empty());
}

headway_machine::arbitrary_events! {
	#[test]
	fn nothing_panics_and_every_submission_ends_once_whatever_happens(steps: step, bytes: 1..700) {
		check(steps);
	}
}
