//! Scenarios of candidate validation (availability, approval, disputes §9.7).

pub(crate) mod arbitrary;

use crate::*;
use headway_machine::{testing, ExecutionKind};
use headway_primitives::{
	ump::{ClaimQueueOffset, CoreSelector, UmpSignal},
	*,
};

const START: Timestamp = Timestamp::from_unix_ms(1_000_000);

fn code() -> ValidationCode {
	ValidationCode(vec![0x00, 0x61, 0x73, 0x6d])
}

fn after(seconds: u64) -> Timestamp {
	START + Duration::from_secs(seconds)
}

/// A leaf (number 10, with 9 in its allowed ancestry) on which para 1 has core 0, and para 2000 core 1.
fn leaf(number: u32) -> Arc<headway_machine::LeafContext> {
	let session = testing::session(1, &testing::validator_keys(2), vec![vec![0], vec![1]], Some(0));
	let claim_queue: ClaimQueue =
		[(CoreIndex(0), [ParaId(1)].into()), (CoreIndex(1), [ParaId(2000)].into())].into();
	let block = |number| testing::block(number, &session, claim_queue.clone());
	Arc::new(testing::leaf(block(number), vec![Arc::new(block(number - 1))]))
}

/// A valid candidate; `change` breaks it before its hashes are taken, [`Case::request`] can be broken after.
#[derive(Clone)]
struct Case {
	request: ValidateRequest,
	result: ValidationResult,
}

fn case(para: u32, kind: ExecutionKind, signals: &[UmpSignal]) -> Case {
	use codec::Encode;
	let messages = match signals {
		[] => Vec::new(),
		signals => std::iter::once(Vec::new()).chain(signals.iter().map(Encode::encode)).collect::<Vec<_>>(),
	};
	let result = ValidationResult {
		head_data: HeadData(vec![2]),
		new_validation_code: None,
		upward_messages: messages.try_into().expect("few"),
		horizontal_messages: Default::default(),
		processed_downward_messages: 0,
		hrmp_watermark: 10,
	};
	let commitments = CandidateCommitments {
		head_data: result.head_data.clone(),
		upward_messages: result.upward_messages.clone(),
		hrmp_watermark: 10,
		..Default::default()
	};
	let pov = PoV { block_data: BlockData(vec![7; 100]) };
	let validation_data = PersistedValidationData {
		parent_head: HeadData(vec![1]),
		relay_parent_number: 10,
		relay_parent_storage_root: testing::hash(5),
		max_pov_size: 200,
	};
	let descriptor = CandidateDescriptorV2::new_v2(
		ParaId(para),
		testing::hash(10),
		CoreIndex(u32::from(para == 2000)),
		1,
		validation_data.hash(),
		pov.hash(),
		testing::hash(6),
		result.head_data.hash(),
		code().hash(),
	);
	let request = ValidateRequest {
		receipt: CandidateReceiptV2 { descriptor, commitments_hash: commitments.hash() },
		validation_data: Arc::new(validation_data),
		pov: Arc::new(pov),
		executor_params: Arc::new(ExecutorParams::default()),
		scheduling_session: 1,
		kind,
	};
	Case { request, result }
}

fn backing() -> Case {
	case(1, ExecutionKind::Backing, &[])
}

struct Harness {
	machine: CandidateValidation,
	traces: Vec<Trace>,
	asked: u64,
}

impl Harness {
	fn new() -> Self {
		let mut this = Self { machine: CandidateValidation::new(), traces: Vec::new(), asked: 0 };
		this.leaf(10);
		this
	}

	fn leaf(&mut self, number: u32) {
		let activated = Some(leaf(number));
		self.send(START, Event::Leaves(LeavesUpdate { activated, deactivated: Vec::new() }));
	}

	fn send(&mut self, now: Timestamp, event: Event) -> Vec<Effect> {
		let mut effects = Effects::new();
		self.machine.handle(now, event, &mut effects);
		self.traces.extend(effects.take_traces());
		effects.take()
	}

	fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
		let mut effects = Effects::new();
		self.machine.tick(now, &mut effects);
		effects.take()
	}

	fn validate(&mut self, request: &ValidateRequest) -> Vec<Effect> {
		self.asked += 1;
		let token = Token(1000 + self.asked);
		self.send(START, Event::Validate { token, request: request.clone() })
	}

	/// Gives the code, if it is asked for, and answers the execution's token.
	fn start(&mut self, request: &ValidateRequest) -> (Token, Execution) {
		let mut effects = self.validate(request);
		if let [Effect::FetchCode { token, .. }] = effects[..] {
			effects = self.send(START, Event::Code { token, code: Some((code(), 4000)) });
		}
		match effects.pop() {
			Some(Effect::Execute { token, execution }) => (token, execution),
			other => panic!("an execution, not {other:?}"),
		}
	}

	fn run(&mut self, case: &Case) -> Result<ValidationOutcome, ValidationFailed> {
		let (token, _) = self.start(&case.request);
		verdict(self.send(START, Event::Executed { token, result: Ok(case.result.clone()) }))
	}
}

fn verdict(effects: Vec<Effect>) -> Result<ValidationOutcome, ValidationFailed> {
	match &effects[..] {
		[Effect::Validated { result, .. }] => result.clone(),
		other => panic!("a verdict, not {other:?}"),
	}
}

fn invalid(reason: Reason) -> Result<ValidationOutcome, ValidationFailed> {
	Ok(ValidationOutcome::Invalid(reason))
}

fn failed(reason: Reason) -> Result<ValidationOutcome, ValidationFailed> {
	Err(ValidationFailed { reason })
}

type Failure = fn(String) -> ExecutionError;

fn failing(failure: Failure) -> Result<ValidationResult, ExecutionError> {
	Err(failure(String::new()))
}

fn internal() -> Result<ValidationResult, ExecutionError> {
	failing(ExecutionError::Internal)
}

#[test]
fn a_valid_candidate_gets_its_commitments() {
	let mut harness = Harness::new();
	let case = backing();
	let (token, execution) = harness.start(&case.request);
	assert_eq!(*execution.code, code());
	assert_eq!(execution.code_bomb_limit, 4000);
	assert_eq!(execution.extension, None);
	assert_eq!(execution.candidate_hash, case.request.receipt.hash());
	let effects = harness.send(START, Event::Executed { token, result: Ok(case.result.clone()) });
	let [Effect::Validated {
		token: Token(1001),
		result: Ok(ValidationOutcome::Valid { commitments, validation_data }),
	}] = &effects[..]
	else {
		panic!("valid, and answered under the asker's token: {effects:?}")
	};
	assert_eq!(commitments.hash(), case.request.receipt.commitments_hash);
	assert_eq!(*validation_data, case.request.validation_data);
	assert_eq!(harness.traces[0].stage, Stage::Validated);
	assert!(harness.machine.jobs.is_empty() && harness.machine.running.is_empty());
}

#[test]
fn v13_outputs_that_differ_from_the_receipt_make_it_invalid() {
	let mut wrong_head = backing();
	wrong_head.result.head_data = HeadData(vec![3]);
	assert_eq!(Harness::new().run(&wrong_head), invalid(Reason::ParaHeadMismatch));
	let mut wrong_commitments = backing();
	wrong_commitments.result.processed_downward_messages = 1;
	assert_eq!(Harness::new().run(&wrong_commitments), invalid(Reason::CommitmentsMismatch));
}

#[test]
fn v14_v15_v16_what_can_be_checked_before_is_not_executed() {
	use Reason::*;
	type Break = fn(&mut ValidateRequest);
	let cases: [(Break, Reason); 8] = [
		(|r| r.validation_data = Arc::new(PersistedValidationData::default()), ValidationDataMismatch),
		(|r| r.pov = Arc::new(PoV { block_data: BlockData(vec![7; 300]) }), PovTooLarge),
		(|r| r.pov = Arc::new(PoV { block_data: BlockData(vec![8; 100]) }), PovHashMismatch),
		(|r| r.receipt.descriptor.session_index = 0, SessionMismatch),
		(|r| r.scheduling_session = 2, SessionMismatch),
		(|r| r.receipt.descriptor.reserved2 = [1; 32], DescriptorVersion),
		(|r| r.receipt.descriptor.version = 1, DescriptorVersion),
		(|r| r.receipt.descriptor.scheduling_session_offset = 1, DescriptorVersion),
	];
	for (i, (change, reason)) in cases.into_iter().enumerate() {
		let mut request = backing().request;
		change(&mut request);
		let mut harness = Harness::new();
		assert_eq!(verdict(harness.validate(&request)), invalid(reason), "case {i}");
		assert_eq!(harness.traces[0].stage, Stage::Dropped(reason));
	}
}

#[test]
fn the_limit_of_the_proof_of_validity_is_of_its_encoding() {
	let sized = |bytes: usize| {
		let mut request = backing().request;
		request.pov = Arc::new(PoV { block_data: BlockData(vec![1; bytes]) });
		request.receipt.descriptor.pov_hash = request.pov.hash();
		request
	};
	assert_eq!(
		verdict(Harness::new().validate(&sized(199))),
		invalid(Reason::PovTooLarge),
		"two bytes of length"
	);
	Harness::new().start(&sized(198));
}

#[test]
fn v16_a_version_3_descriptor_is_checked_against_both_sessions() {
	let mut harness = Harness::new();
	let mut context = (*leaf(10)).clone();
	let mut block = (*context.block).clone();
	block.node_features = (0..5).map(|bit| bit == FeatureIndex::CandidateReceiptV3 as usize).collect();
	context.block = Arc::new(block);
	harness
		.send(START, Event::Leaves(LeavesUpdate { activated: Some(Arc::new(context)), deactivated: vec![] }));

	let signal = UmpSignal::SelectCore(CoreSelector(0), ClaimQueueOffset(0));
	let mut case = case(1, ExecutionKind::Backing, &[signal]);
	let descriptor = &mut case.request.receipt.descriptor;
	descriptor.relay_parent = testing::hash(9);
	*descriptor = descriptor.clone().into_v3(testing::hash(10), 1).expect("same session");
	let (token, execution) = harness.start(&case.request);
	assert_eq!(execution.extension, Some((testing::hash(9), testing::hash(10))));
	let valid = verdict(harness.send(START, Event::Executed { token, result: Ok(case.result.clone()) }));
	assert!(matches!(valid, Ok(ValidationOutcome::Valid { .. })));

	let mut wrong_offset = case.request.clone();
	wrong_offset.receipt.descriptor.scheduling_session_offset = 1;
	assert_eq!(verdict(harness.validate(&wrong_offset)), invalid(Reason::SessionMismatch));
	let mut wrong_relay_session = wrong_offset;
	wrong_relay_session.receipt.descriptor.session_index = 0;
	assert_eq!(verdict(harness.validate(&wrong_relay_session)), invalid(Reason::SessionMismatch));
}

#[test]
fn v17_signals_are_checked_when_backing_and_not_when_approving() {
	let wrong_core = UmpSignal::SelectCore(CoreSelector(0), ClaimQueueOffset(1));
	let backing = case(1, ExecutionKind::Backing, std::slice::from_ref(&wrong_core));
	assert_eq!(Harness::new().run(&backing), invalid(Reason::UmpSignals));
	for kind in [ExecutionKind::Approval, ExecutionKind::Dispute] {
		let approval = case(1, kind, std::slice::from_ref(&wrong_core));
		assert!(matches!(Harness::new().run(&approval), Ok(ValidationOutcome::Valid { .. })));
	}
}

#[test]
fn a_core_that_the_para_does_not_hold_makes_it_invalid() {
	let mut case = backing();
	case.request.receipt.descriptor.core_index = 1;
	assert_eq!(Harness::new().run(&case), invalid(Reason::UmpSignals));
}

#[test]
fn backing_out_of_view_is_our_failure() {
	let mut request = backing().request;
	request.receipt.descriptor.relay_parent = testing::hash(77);
	assert_eq!(verdict(Harness::new().validate(&request)), failed(Reason::UnknownSchedulingParent));
}

#[test]
fn approval_takes_code_from_the_newest_leaf_and_needs_one() {
	let mut request = case(1, ExecutionKind::Approval, &[]).request;
	request.receipt.descriptor.relay_parent = testing::hash(77);
	let mut harness = Harness::new();
	harness.leaf(12);
	let effects = harness.validate(&request);
	assert!(matches!(effects[..], [Effect::FetchCode { at, .. }] if at == testing::hash(12)));
	let mut machine = CandidateValidation::new();
	let mut effects = Effects::new();
	machine.handle(START, Event::Validate { token: Token(1), request }, &mut effects);
	assert_eq!(verdict(effects.take()), failed(Reason::UnknownSchedulingParent));
}

#[test]
fn code_is_fetched_once_and_remembered() {
	let mut harness = Harness::new();
	let request = backing().request;
	let effects = harness.validate(&request);
	let [Effect::FetchCode { token, at, code_hash }] = effects[..] else {
		panic!("code is needed: {effects:?}")
	};
	assert_eq!((at, code_hash), (testing::hash(10), code().hash()));
	assert_eq!(harness.validate(&request), [], "the same fetch serves both");
	let effects = harness.send(START, Event::Code { token, code: Some((code(), 1)) });
	assert_eq!(effects.len(), 2);
	assert!(matches!(harness.validate(&request)[..], [Effect::Execute { .. }]));
}

#[test]
fn missing_or_wrong_code_is_our_failure() {
	let other = ValidationCode(vec![9]);
	for (code, reason) in [(None, Reason::CodeMissing), (Some((other, 1)), Reason::CodeHashMismatch)] {
		let mut harness = Harness::new();
		let effects = harness.validate(&backing().request);
		let [Effect::FetchCode { token, .. }] = effects[..] else { panic!("code is needed: {effects:?}") };
		assert_eq!(verdict(harness.send(START, Event::Code { token, code })), failed(reason));
	}
}

/// What is said in the end, when backing and when approving.
#[test]
fn what_a_candidate_may_have_provoked_is_held_against_it_except_in_backing() {
	use ExecutionError::*;
	let cases: [(Failure, _, _, _); 7] = [
		(Rejected, invalid(Reason::InvalidExecution), invalid(Reason::InvalidExecution), 1),
		(TimedOut, invalid(Reason::ExecutionTimeout), invalid(Reason::ExecutionTimeout), 1),
		(WorkerDied, failed(Reason::ExecutionFailed), invalid(Reason::ExecutionFailed), 2),
		(JobFailed, failed(Reason::ExecutionFailed), invalid(Reason::ExecutionFailed), 2),
		(BrokenArtifact, failed(Reason::ExecutionFailed), invalid(Reason::ExecutionFailed), 2),
		(NotPrepared, failed(Reason::ExecutionFailed), failed(Reason::ExecutionFailed), 1),
		(Internal, failed(Reason::ExecutionFailed), failed(Reason::ExecutionFailed), 2),
	];
	for (failure, when_backing, when_approving, attempts) in cases {
		let result = failing(failure);
		for (kind, expected, attempts) in [
			(ExecutionKind::Backing, &when_backing, 1),
			(ExecutionKind::BackingSystemParas, &when_backing, 1),
			(ExecutionKind::Approval, &when_approving, attempts),
			(ExecutionKind::Dispute, &when_approving, attempts),
		] {
			let mut harness = Harness::new();
			let (token, _) = harness.start(&case(1, kind, &[]).request);
			let event = || Event::Executed { token, result: result.clone() };
			let mut effects = harness.send(START, event());
			for _ in 1..attempts {
				assert!(!matches!(effects[..], [Effect::Validated { .. }]), "{result:?} of {kind:?}");
				harness.tick(after(3));
				effects = harness.send(after(3), event());
			}
			assert_eq!(&verdict(effects), expected, "{result:?} of {kind:?}");
		}
	}
}

#[test]
fn v8_v10_backing_is_tried_once() {
	use ExecutionError::*;
	let failures: [Failure; 7] =
		[Rejected, TimedOut, WorkerDied, JobFailed, BrokenArtifact, NotPrepared, Internal];
	for failure in failures {
		let mut harness = Harness::new();
		let (token, execution) = harness.start(&backing().request);
		assert_eq!(execution.timeout, Duration::from_secs(2));
		let effects = harness.send(START, Event::Executed { token, result: failing(failure) });
		assert!(matches!(effects[..], [Effect::Validated { .. }]), "{effects:?}");
		assert_eq!(harness.machine.next_deadline(), None);
	}
}

#[test]
fn v9_v11_approval_repeats_each_kind_of_failure_once() {
	use ExecutionError::*;
	let cases: [(Failure, _); 3] = [
		(WorkerDied, invalid(Reason::ExecutionFailed)),
		(JobFailed, invalid(Reason::ExecutionFailed)),
		(Internal, failed(Reason::ExecutionFailed)),
	];
	for (failure, expected) in cases {
		let result = failing(failure);
		let approval = case(1, ExecutionKind::Approval, &[]);
		let mut harness = Harness::new();
		let (token, execution) = harness.start(&approval.request);
		assert_eq!(execution.timeout, Duration::from_secs(12));
		let event = || Event::Executed { token, result: result.clone() };
		assert_eq!(harness.send(after(1), event()), []);
		assert_eq!(harness.machine.next_deadline(), Some(after(4)));
		assert_eq!(harness.tick(after(3)), []);
		let again = Execution { timeout: Duration::from_secs(8), ..execution.clone() };
		assert_eq!(
			harness.tick(after(4)),
			[Effect::Execute { token, execution: again }],
			"V12: what is left"
		);
		assert_eq!(verdict(harness.send(after(4), event())), expected, "killed twice");

		let mut harness = Harness::new();
		harness.start(&approval.request);
		harness.send(START, event());
		harness.tick(after(3));
		let effects = harness.send(after(3), Event::Executed { token, result: Ok(approval.result) });
		assert!(matches!(verdict(effects), Ok(ValidationOutcome::Valid { .. })), "killed once");
	}
}

#[test]
fn v7_after_a_broken_artifact_approval_tries_again_at_once() {
	let approval = case(1, ExecutionKind::Approval, &[]);
	let mut harness = Harness::new();
	let (token, execution) = harness.start(&approval.request);
	let broken = || Event::Executed { token, result: failing(ExecutionError::BrokenArtifact) };
	assert_eq!(harness.send(START, broken()), [Effect::Execute { token, execution }]);
	let effects = harness.send(START, broken());
	assert_eq!(verdict(effects), invalid(Reason::ExecutionFailed), "but once");
}

#[test]
fn v9_categories_of_failures_are_retried_independently() {
	use ExecutionError::*;
	let approval = case(1, ExecutionKind::Dispute, &[]);
	let mut harness = Harness::new();
	let (token, _) = harness.start(&approval.request);
	let failures: [Failure; 3] = [Internal, WorkerDied, JobFailed];
	for (round, failure) in (0..).zip(failures) {
		let event = Event::Executed { token, result: failing(failure) };
		assert_eq!(harness.send(after(3 * round), event), []);
		assert!(matches!(harness.tick(after(3 * round + 3))[..], [Effect::Execute { .. }]));
	}
	assert_eq!(
		verdict(harness.send(after(9), Event::Executed { token, result: internal() })),
		failed(Reason::ExecutionFailed)
	);
}

/// A call that has no time would be a timeout, and that the candidate's fault.
#[test]
fn a_retry_for_which_no_time_is_left_ends_as_the_failure_before() {
	let approval = case(1, ExecutionKind::Approval, &[]);
	let mut harness = Harness::new();
	let (token, _) = harness.start(&approval.request);
	assert_eq!(harness.send(START, Event::Executed { token, result: internal() }), []);
	assert_eq!(verdict(harness.tick(after(12))), failed(Reason::ExecutionFailed));
}

#[test]
fn v12_nothing_is_repeated_beyond_the_time_of_one_execution() {
	let approval = case(1, ExecutionKind::Approval, &[]);
	for (seconds, retried) in [(9, true), (10, false)] {
		let mut harness = Harness::new();
		let (token, _) = harness.start(&approval.request);
		let effects = harness.send(after(seconds), Event::Executed { token, result: internal() });
		assert_eq!(effects.is_empty(), retried, "after {seconds} s");
	}
}

#[test]
fn a_sound_fault_of_the_candidate_is_not_repeated_when_approving() {
	let mut harness = Harness::new();
	let (token, _) = harness.start(&case(1, ExecutionKind::Approval, &[]).request);
	let result = failing(ExecutionError::TimedOut);
	assert_eq!(
		verdict(harness.send(START, Event::Executed { token, result })),
		invalid(Reason::ExecutionTimeout)
	);
}

#[test]
fn at_most_thirty_run_and_the_others_follow_in_order() {
	let mut harness = Harness::new();
	let case = backing();
	let (first, _) = harness.start(&case.request);
	for _ in 1..RUNNING_MAX {
		assert_eq!(harness.validate(&case.request).len(), 1);
	}
	for _ in 0..QUEUED_MAX {
		assert_eq!(harness.validate(&case.request), []);
	}
	assert_eq!(verdict(harness.validate(&case.request)), failed(Reason::CapacityReached));
	let effects = harness.send(START, Event::Executed { token: first, result: Ok(case.result.clone()) });
	assert!(matches!(effects[..], [Effect::Validated { token: Token(1001), .. }, Effect::Execute { .. }]));
	assert_eq!((harness.machine.running.len(), harness.machine.queue.len()), (RUNNING_MAX, QUEUED_MAX - 1));
}

#[test]
fn v23_queued_backing_ends_when_its_scheduling_parent_leaves_the_view() {
	let mut harness = Harness::new();
	let (first, _) = harness.start(&backing().request);
	for _ in 1..RUNNING_MAX {
		harness.validate(&backing().request);
	}
	harness.validate(&backing().request);
	harness.validate(&case(1, ExecutionKind::Approval, &[]).request);
	let update = LeavesUpdate { activated: Some(leaf(20)), deactivated: vec![testing::hash(10)] };
	let effects = harness.send(START, Event::Leaves(update));
	assert_eq!(verdict(effects), failed(Reason::OutOfView));
	assert_eq!(harness.machine.queue.len(), 1, "approval goes on");
	let effects = harness.send(START, Event::Executed { token: first, result: Ok(backing().result) });
	assert!(matches!(effects[0], Effect::Validated { result: Ok(ValidationOutcome::Valid { .. }), .. }));
}

#[test]
fn answers_to_unknown_questions_are_ignored() {
	let mut harness = Harness::new();
	assert_eq!(harness.send(START, Event::Code { token: Token(5), code: None }), []);
	assert_eq!(harness.send(START, Event::Executed { token: Token(5), result: internal() }), []);
}

#[test]
fn the_same_events_give_the_same_effects() {
	let run = || {
		let mut harness = Harness::new();
		let mut all = Vec::new();
		for para in [1, 2000, 1] {
			for kind in [ExecutionKind::Backing, ExecutionKind::Approval] {
				all.extend(harness.validate(&case(para, kind, &[]).request));
			}
		}
		for token in 1..12 {
			all.extend(harness.send(START, Event::Code { token: Token(token), code: Some((code(), 1)) }));
			all.extend(harness.send(START, Event::Executed { token: Token(token), result: internal() }));
		}
		all.extend(harness.tick(after(3)));
		format!("{all:?} {:?}", harness.traces)
	};
	assert_eq!(run(), run());
}

#[test]
fn an_execution_is_answered_once() {
	let approval = case(1, ExecutionKind::Approval, &[]);
	let mut harness = Harness::new();
	let (token, _) = harness.start(&approval.request);
	assert_eq!(harness.send(START, Event::Executed { token, result: internal() }), []);
	// Another category, which could be retried too: but nothing is executed now.
	let result = failing(ExecutionError::WorkerDied);
	assert_eq!(harness.send(START, Event::Executed { token, result }), []);
	assert_eq!(harness.machine.sizes().exceeded(), None);
	assert!(matches!(harness.tick(after(3))[..], [Effect::Execute { .. }]));
}
