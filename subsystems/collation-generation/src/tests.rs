pub(crate) mod arbitrary;

use super::*;
use codec::Encode;
use headway_machine::{
	testing::{block, hash, leaf, session, validator_keys},
	Collation, Reason, SubmittedCollation,
};
use headway_primitives::{
	ump::{ClaimQueueOffset, CoreSelector, UmpSignal, UmpSignalError, UMP_SEPARATOR},
	BlockData, CandidateDescriptorVersion, CoreIndex, HeadData, HorizontalMessages, PersistedValidationData,
	PoV, UpwardMessages, ValidationCodeHash, POV_BOMB_LIMIT,
};

const PARA: ParaId = ParaId(2000);
const SP: u64 = 10;

fn now() -> Timestamp {
	Timestamp::from_unix_ms(1_000)
}

/// Para 2000 holds cores 0 and 1 at depth 0, and core 2 at depth 1.
fn initialized() -> CollationGeneration {
	let session = session(7, &validator_keys(6), vec![vec![0, 1], vec![2, 3], vec![4, 5]], None);
	let queue = [(0, vec![2000, 3000]), (1, vec![2000, 3000]), (2, vec![3000, 2000])];
	let queue = queue.map(|(core, paras)| (CoreIndex(core), paras.into_iter().map(ParaId).collect()));
	let block = block(SP as u32, &session, queue.into_iter().collect());
	let mut machine = CollationGeneration::new();
	let activated = Some(Arc::new(leaf(block, Vec::new())));
	run(&mut machine, Event::Leaves(LeavesUpdate { activated, deactivated: Vec::new() }));
	run(&mut machine, Event::Initialize { para: PARA });
	machine
}

fn run(machine: &mut CollationGeneration, event: Event) -> Vec<Effect> {
	let mut effects = Effects::new();
	machine.handle(now(), event, &mut effects);
	effects.take()
}

fn collation(n: u8, signals: &[UmpSignal]) -> SubmittedCollation {
	let mut upward_messages = vec![vec![1, 2, 3]];
	if !signals.is_empty() {
		upward_messages.push(UMP_SEPARATOR);
		upward_messages.extend(signals.iter().map(Encode::encode));
	}
	SubmittedCollation {
		collation: Collation {
			upward_messages: UpwardMessages::try_from(upward_messages).unwrap(),
			horizontal_messages: HorizontalMessages::default(),
			new_validation_code: None,
			head_data: HeadData(vec![n + 1]),
			pov: PoV { block_data: BlockData(vec![n; 10_000]) },
			processed_downward_messages: 0,
			hrmp_watermark: 9,
		},
		relay_parent: hash(SP),
		validation_data: PersistedValidationData {
			parent_head: HeadData(vec![n]),
			relay_parent_number: SP as u32,
			relay_parent_storage_root: hash(99),
			max_pov_size: 5_000,
		},
		validation_code_hash: ValidationCodeHash(hash(5)),
		session_index: 6,
	}
}

fn select(selector: u8, offset: u8) -> UmpSignal {
	UmpSignal::SelectCore(CoreSelector(selector), ClaimQueueOffset(offset))
}

fn approved_peer() -> UmpSignal {
	UmpSignal::ApprovedPeer(vec![1; 38].try_into().unwrap())
}

fn segment(
	version: CandidateDescriptorVersion,
	core: u32,
	collations: Vec<SubmittedCollation>,
) -> SubmitSegment {
	SubmitSegment {
		scheduling_parent: hash(SP),
		core_index: CoreIndex(core),
		descriptor_version: version,
		collations,
	}
}

/// Submits and answers all questions about erasure roots, the last one first.
fn submit(machine: &mut CollationGeneration, segment: SubmitSegment) -> Vec<Effect> {
	let mut out = Vec::new();
	let mut pending = run(machine, Event::Submit(segment));
	while let Some(effect) = pending.pop() {
		match effect {
			Effect::Encode { token, n_validators, data } => {
				let root = headway_erasure_coding::erasure_root(n_validators, &*data);
				out.extend(run(machine, Event::Encoded { token, root }));
			},
			other => out.push(other),
		}
	}
	out
}

fn rejection(effects: Vec<Effect>) -> SubmitError {
	match &effects[..] {
		[Effect::Rejected { scheduling_parent, error }] => {
			assert_eq!(*scheduling_parent, hash(SP));
			error.clone()
		},
		other => panic!("expected a rejection, got {other:?}"),
	}
}

fn distributed(effects: Vec<Effect>) -> DistributeSegment {
	match effects.into_iter().next() {
		Some(Effect::Distribute(segment)) => segment,
		other => panic!("expected distribution, got {other:?}"),
	}
}

use CandidateDescriptorVersion::{Unknown, V1, V2, V3};

#[test]
fn cg01_submission_before_initialization_or_without_collations_is_rejected() {
	let mut machine = initialized();
	machine.para = None;
	let error = rejection(submit(&mut machine, segment(V2, 0, vec![collation(1, &[])])));
	assert_eq!(error, SubmitError::NotInitialized);

	let mut machine = initialized();
	for version in [V2, V3] {
		assert_eq!(rejection(submit(&mut machine, segment(version, 0, Vec::new()))), SubmitError::Empty);
	}
}

#[test]
fn second_initialization_is_ignored_and_reinitialization_replaces() {
	let mut machine = initialized();
	run(&mut machine, Event::Initialize { para: ParaId(3000) });
	let first = distributed(submit(&mut machine, segment(V2, 0, vec![collation(1, &[select(0, 0)])])));
	assert_eq!(first.para, PARA);
	run(&mut machine, Event::Reinitialize { para: ParaId(3000) });
	// Para 3000 is on core 2 at depth 0.
	let second = distributed(submit(&mut machine, segment(V2, 2, vec![collation(1, &[select(0, 0)])])));
	assert_eq!(second.para, ParaId(3000));
}

#[test]
fn collations_for_several_cores_are_chained_and_each_selects_its_core() {
	// The para is on cores 0 and 1 now, and on core 2 one block later.
	for version in [V2, V3] {
		let mut machine = initialized();
		let mut heads = Vec::new();
		for (core, n, signal) in [(0, 1, select(0, 0)), (1, 2, select(1, 0)), (2, 3, select(0, 1))] {
			let built =
				distributed(submit(&mut machine, segment(version, core, vec![collation(n, &[signal])])));
			let [candidate] = &built.candidates[..] else { panic!("one candidate: {built:?}") };
			assert_eq!(candidate.receipt.descriptor.core_index(), Some(CoreIndex(core)));
			heads.push((candidate.parent_head_data.clone(), candidate.head_data.clone()));
		}
		assert!(
			heads.windows(2).all(|pair| pair[0].1 == pair[1].0),
			"each builds on the one before: {heads:?}"
		);
		// A selector counts modulo the cores at its depth, so 2 means the first one again: never a third core.
		for (core, accepted) in [(0, true), (1, false), (2, false)] {
			let effects = submit(&mut machine, segment(version, core, vec![collation(4, &[select(2, 0)])]));
			assert_eq!(matches!(effects[..], [Effect::Distribute(_)]), accepted, "core {core}");
		}
		// Nothing is assigned that deep.
		let effects = submit(&mut machine, segment(version, 0, vec![collation(5, &[select(0, 2)])]));
		assert_eq!(rejection(effects), SubmitError::UmpSignals(UmpSignalError::NoAssignment(2)));
	}
}

#[test]
fn signals_that_do_not_parse_reject_the_submission() {
	let (core, peer) = (select(0, 0).encode(), approved_peer().encode());
	let cases = [
		(vec![vec![9]], UmpSignalError::Decode),
		(vec![core[..2].to_vec()], UmpSignalError::Decode),
		(vec![peer[..10].to_vec()], UmpSignalError::Decode),
		(vec![core.clone(), core.clone()], UmpSignalError::Duplicate),
		(vec![core.clone(), peer.clone(), peer], UmpSignalError::TooMany),
	];
	for (messages, expected) in cases {
		let mut submitted = collation(1, &[]);
		let all: Vec<_> = [UMP_SEPARATOR].into_iter().chain(messages).collect();
		submitted.collation.upward_messages = UpwardMessages::try_from(all).unwrap();
		let effects = submit(&mut initialized(), segment(V2, 0, vec![submitted]));
		assert_eq!(rejection(effects), SubmitError::UmpSignals(expected));
	}
}

#[test]
fn cg02_segment_of_version_3_is_distributed_once_and_in_order() {
	let mut machine = initialized();
	let collations = (1..4).map(|n| {
		let mut collation = collation(n, &[select(1, 0)]);
		collation.relay_parent = hash(SP - 5 + u64::from(n));
		collation
	});
	let effects = submit(&mut machine, segment(V3, 1, collations.collect()));
	assert_eq!(effects.len(), 1);
	let segment = distributed(effects);
	assert_eq!((segment.para, segment.core_index, segment.scheduling_parent), (PARA, CoreIndex(1), hash(SP)));
	assert_eq!(segment.candidates.len(), 3);
	for (candidate, n) in segment.candidates.iter().zip(1u8..) {
		let descriptor = &candidate.receipt.descriptor;
		assert_eq!(descriptor.check_version(true), Ok(V3));
		assert_eq!(descriptor.relay_parent, hash(SP - 5 + u64::from(n)));
		assert_eq!(descriptor.scheduling_parent(), hash(SP));
		// The collator names the relay parent's session; that of the scheduling parent comes from its
		// context.
		assert_eq!((descriptor.session_index(), descriptor.scheduling_session()), (Some(6), Some(7)));
		assert_eq!((candidate.parent_head_data.0[0], candidate.head_data.0[0]), (n, n + 1));
		let data =
			AvailableData { pov: candidate.pov.clone(), validation_data: collation(n, &[]).validation_data };
		assert_eq!(descriptor.erasure_root, headway_erasure_coding::erasure_root(6, &data).unwrap());
		assert_eq!(descriptor.pov_hash, candidate.pov.hash());
		assert_eq!(descriptor.para_head, candidate.head_data.hash());
		assert_eq!(descriptor.persisted_validation_data_hash, data.validation_data.hash());
	}
}

#[test]
fn candidate_of_version_2_is_scheduled_by_its_relay_parent() {
	let mut machine = initialized();
	let built = distributed(submit(&mut machine, segment(V2, 0, vec![collation(1, &[])])));
	let descriptor = &built.candidates[0].receipt.descriptor;
	assert_eq!(descriptor.check_version(false), Ok(V2));
	assert_eq!((descriptor.session_index(), descriptor.scheduling_parent()), (Some(7), hash(SP)));

	let mut other = collation(1, &[]);
	other.relay_parent = hash(SP - 1);
	assert_eq!(
		rejection(submit(&mut machine, segment(V2, 0, vec![other]))),
		SubmitError::RelayParentMismatch
	);
}

#[test]
fn cg03_several_collations_with_version_2_and_other_versions_are_rejected() {
	let mut machine = initialized();
	let two = vec![collation(1, &[]), collation(2, &[])];
	assert_eq!(rejection(submit(&mut machine, segment(V2, 0, two))), SubmitError::SeveralCollationsWithV2);
	for version in [V1, Unknown(9)] {
		let error = rejection(submit(&mut machine, segment(version, 0, vec![collation(1, &[])])));
		assert_eq!(error, SubmitError::UnsupportedVersion(version));
	}
	let many = vec![collation(1, &[select(0, 0)]); COLLATIONS_PER_SUBMISSION_MAX + 1];
	assert_eq!(rejection(submit(&mut machine, segment(V3, 0, many))), SubmitError::TooManyCollations(33));
}

#[test]
fn cg04_core_selection_has_to_match_the_core_of_the_submission() {
	let cases = [
		(0, vec![select(0, 0)], Ok(())),
		(1, vec![select(0, 0)], Err((1, 0))),
		(2, vec![select(0, 1), approved_peer()], Ok(())),
		(0, vec![approved_peer()], Ok(())),
		(0, vec![select(0, 1)], Err((0, 2))),
	];
	for (core, signals, expected) in cases {
		let mut machine = initialized();
		let effects = submit(&mut machine, segment(V3, core, vec![collation(1, &signals)]));
		match expected {
			Ok(()) => assert_eq!(distributed(effects).candidates.len(), 1),
			Err((descriptor, selected)) => assert_eq!(
				rejection(effects),
				SubmitError::UmpSignals(UmpSignalError::CoreIndexMismatch {
					descriptor: CoreIndex(descriptor),
					selected: CoreIndex(selected),
				})
			),
		}
	}
	let error = rejection(submit(&mut initialized(), segment(V3, 0, vec![collation(1, &[])])));
	assert_eq!(error, SubmitError::UmpSignals(UmpSignalError::NoSignalsWithV3));
	let error = rejection(submit(&mut initialized(), segment(V2, 70_000, vec![collation(1, &[])])));
	assert_eq!(error, SubmitError::CoreIndexTooLarge(70_000));
}

#[test]
fn cg05_proof_of_validity_above_the_limit_is_rejected() {
	// Compressible beyond the limit: what counts is the size as shipped.
	let mut machine = initialized();
	assert_eq!(
		distributed(submit(&mut machine, segment(V2, 0, vec![collation(1, &[])]))).candidates.len(),
		1
	);

	let mut incompressible = collation(1, &[]);
	let bytes = (0..200u32).flat_map(|n| headway_primitives::hash_of(&n).0);
	incompressible.collation.pov.block_data = BlockData(bytes.collect());
	let mut good_then_bad = vec![collation(0, &[select(0, 0)]), collation(1, &[select(0, 0)])];
	good_then_bad[1].collation.pov = incompressible.collation.pov.clone();
	for submission in [segment(V2, 0, vec![incompressible]), segment(V3, 0, good_then_bad)] {
		match rejection(submit(&mut machine, submission)) {
			SubmitError::PovTooLarge { size, max: 5_000 } => assert!(size > 6_400, "{size}"),
			other => panic!("{other:?}"),
		}
	}

	let mut bomb = collation(1, &[]);
	bomb.collation.pov.block_data = BlockData(vec![0; POV_BOMB_LIMIT + 1]);
	assert!(matches!(
		rejection(submit(&mut machine, segment(V2, 0, vec![bomb]))),
		SubmitError::PovTooLarge { .. }
	));
}

#[test]
fn submission_at_a_block_out_of_view_is_rejected() {
	let mut machine = initialized();
	let update = LeavesUpdate { activated: None, deactivated: vec![hash(SP)] };
	run(&mut machine, Event::Leaves(update));
	let error = rejection(submit(&mut machine, segment(V2, 0, vec![collation(1, &[])])));
	assert_eq!(error, SubmitError::UnknownSchedulingParent);
}

#[test]
fn failed_encoding_rejects_the_whole_submission_once() {
	let mut machine = initialized();
	let collations = vec![collation(1, &[select(0, 0)]), collation(2, &[select(0, 0)])];
	let asked = run(&mut machine, Event::Submit(segment(V3, 0, collations)));
	let tokens: Vec<Token> = asked
		.iter()
		.map(|effect| match effect {
			Effect::Encode { token, .. } => *token,
			other => panic!("{other:?}"),
		})
		.collect();
	let root = Err(EncodeError::EmptyPayload);
	let first = run(&mut machine, Event::Encoded { token: tokens[0], root: root.clone() });
	assert!(matches!(rejection(first), SubmitError::Encoding(_)));
	assert!(run(&mut machine, Event::Encoded { token: tokens[1], root }).is_empty());
	assert!(machine.submissions.is_empty() && machine.questions.is_empty());
}

#[test]
fn every_error_of_erasure_coding_keeps_its_own_reason() {
	let error =
		|n_validators: usize| headway_erasure_coding::erasure_root(n_validators, &[1u8; 10]).unwrap_err();
	let cases = [
		(error(1), Reason::TooFewValidators),
		(error((1 << 16) + 1), Reason::TooManyValidators),
		(EncodeError::EmptyPayload, Reason::EncodingFailed),
		(EncodeError::Trie, Reason::EncodingFailed),
	];
	for (error, reason) in cases {
		let mut machine = initialized();
		run(&mut machine, Event::Submit(segment(V2, 0, vec![collation(1, &[])])));
		let mut effects = Effects::new();
		machine.handle(now(), Event::Encoded { token: Token(1), root: Err(error.clone()) }, &mut effects);
		assert_eq!(effects.take_traces()[0].stage, Stage::Dropped(reason), "{error}");
		assert_eq!(rejection(effects.take()), SubmitError::Encoding(error));
	}
}

#[test]
fn pending_submissions_are_bounded() {
	let mut machine = initialized();
	for _ in 0..SUBMISSIONS_PENDING_MAX {
		let effects = run(&mut machine, Event::Submit(segment(V2, 0, vec![collation(1, &[])])));
		assert!(matches!(effects[..], [Effect::Encode { .. }]));
	}
	let error = rejection(submit(&mut machine, segment(V2, 0, vec![collation(1, &[])])));
	assert_eq!(error, SubmitError::Busy);
}

#[test]
fn rejections_and_candidates_leave_traces() {
	let mut machine = initialized();
	let mut effects = Effects::new();
	machine.handle(now(), Event::Submit(segment(V1, 0, vec![collation(1, &[])])), &mut effects);
	let traces = effects.take_traces();
	assert_eq!(traces[0].stage, Stage::Dropped(Reason::DescriptorVersion));
	assert_eq!((traces[0].para, traces[0].scheduling_parent), (Some(PARA), Some(hash(SP))));

	let mut effects = Effects::new();
	machine.handle(now(), Event::Submit(segment(V2, 0, vec![collation(1, &[])])), &mut effects);
	machine.handle(now(), Event::Encoded { token: Token(1), root: Ok(hash(1)) }, &mut effects);
	let traces = effects.take_traces();
	assert_eq!(traces[0].stage, Stage::Built);
	let built = effects.take().into_iter().find_map(|effect| match effect {
		Effect::Distribute(segment) => Some(segment.candidates[0].receipt.hash()),
		_ => None,
	});
	assert_eq!(traces[0].candidate, built);
}

#[test]
fn same_events_give_same_effects() {
	let scenario = || {
		let mut machine = initialized();
		let mut all = submit(&mut machine, segment(V3, 1, vec![collation(1, &[select(1, 0)]); 3]));
		all.extend(submit(&mut machine, segment(V2, 0, vec![collation(4, &[])])));
		format!("{all:?}")
	};
	assert_eq!(scenario(), scenario());
}
