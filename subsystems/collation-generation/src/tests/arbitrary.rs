//! Whatever happens, in whatever order: nothing panics, what is stated about bounds holds, and every submission comes to
//! one end.

use super::*;
use proptest::{collection::vec, prelude::*, sample::select};

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

fn message() -> impl Strategy<Value = Vec<u8>> {
	prop_oneof![
		2 => Just(UMP_SEPARATOR),
		4 => (0..3u8, 0..3u8).prop_map(|(selector, offset)| select_core(selector, offset)),
		1 => Just(approved_peer().encode()),
		1 => vec(any::<u8>(), 0..6),
	]
}

fn select_core(selector: u8, offset: u8) -> Vec<u8> {
	super::select(selector, offset).encode()
}

fn block() -> impl Strategy<Value = Block> {
	let limit = prop_oneof![6 => Just(5_000u32), 1 => any::<u32>()];
	(0..5u8, vec(message(), 0..4), 8..12u64, 0..300u32, limit).prop_map(
		|(n, messages, relay_parent, session_index, max_pov_size)| Block {
			n,
			messages,
			relay_parent,
			session_index,
			max_pov_size,
		},
	)
}

fn step() -> impl Strategy<Value = Step> {
	let versions = vec![V1, V2, V2, V3, V3, Unknown(4)];
	let core = prop_oneof![9 => 0..4u32, 1 => any::<u32>()];
	prop_oneof![
		2 => (9..12u32, any::<bool>()).prop_map(|(number, stays)| Step::Leaf { number, stays }),
		1 => (9..12u32).prop_map(Step::Gone),
		1 => (2000..2002u32, any::<bool>()).prop_map(|(para, again)| Step::Initialize { para, again }),
		6 => (9..12u64, core, select(versions), vec(block(), 0..3)).prop_map(
			|(at, core, version, collations)| Step::Submit { at, core, version, collations }
		),
		6 => (any::<u64>(), proptest::bool::weighted(0.9))
			.prop_map(|(token, good)| Step::Encoded { token, good }),
	]
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

proptest! {
	#![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

	#[test]
	fn nothing_panics_and_every_submission_ends_once_whatever_happens(steps in vec(step(), 1..80)) {
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
			prop_assert_eq!(submissions, ends + machine.submissions.len());
			prop_assert!(machine.submissions.len() <= SUBMISSIONS_PENDING_MAX);
			prop_assert!(machine.questions.len() <= SUBMISSIONS_PENDING_MAX * COLLATIONS_PER_SUBMISSION_MAX);
			prop_assert!(machine.questions.values().all(|(id, _)| machine.submissions.contains_key(id)));
		}
		for token in 1..=asked {
			take(&mut machine, Event::Encoded { token: Token(token), root: Ok(hash(1)) });
		}
		prop_assert!(machine.submissions.is_empty() && machine.questions.is_empty());
	}
}
