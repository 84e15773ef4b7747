//! What is counted, and under which label.

use super::*;
use headway_machine::Timestamp;

fn metrics() -> Metrics {
	let metrics = Metrics::register(Some(&Registry::new())).unwrap();
	metrics.0.as_ref().unwrap().label_paras((2000..).take(PARA_LABELS_MAX + 9).map(ParaId));
	metrics
}

fn trace(subsystem: &'static str, stage: Stage) -> Trace {
	Trace::new(Timestamp::default(), subsystem, stage).para(ParaId(2000))
}

#[test]
fn labels_are_those_of_paras_on_chain_and_bounded() {
	let metrics = metrics();
	let label = |para: u32| metrics.0.as_ref().unwrap().para_label(Some(ParaId(para)));
	assert_eq!((&*label(2000), &*label(1000)), ("2000", "other"));
	assert_eq!(label(2000 + PARA_LABELS_MAX as u32), "other");
}

#[test]
fn messages_are_not_counted_as_lost_candidates() {
	let metrics = metrics();
	let inner = metrics.0.as_ref().unwrap();
	let unexpected = Stage::Dropped(Reason::UnexpectedMessage);
	metrics.trace(&trace("candidate-backing", unexpected), None, None);
	metrics.trace(&trace("collator-protocol", Stage::Dropped(Reason::NoClaimQueueSlot)), None, None);
	let dropped = ["2000", "collator-protocol", "no_claim_queue_slot"];
	assert_eq!(inner.dropped.with_label_values(&dropped).get(), 1);
	let refused = ["2000", "candidate-backing", "unexpected_message"];
	assert_eq!(inner.messages_refused.with_label_values(&refused).get(), 1);
	assert_eq!(inner.dropped.with_label_values(&refused).get(), 0);
}

#[test]
fn a_lost_candidate_is_counted_under_the_reason_that_says_most() {
	let metrics = metrics();
	let cannot_follow = trace("collator-protocol", Stage::Dropped(Reason::CannotFollowChain));
	metrics.trace(&cannot_follow, None, Some(Reason::ConflictsWithPending));
	let inner = metrics.0.as_ref().unwrap();
	let count = |reason| inner.dropped.with_label_values(&["2000", "collator-protocol", reason]).get();
	assert_eq!((count("conflicts_with_pending"), count("cannot_follow_chain")), (1, 0));
	// Advertisements have outcomes of their own, known to dashboards.
	assert_eq!(inner.advertisements.with_label_values(&["2000", "blocked_by_backing"]).get(), 1);
}

#[test]
fn only_the_chain_counts_what_is_on_chain() {
	let metrics = metrics();
	metrics.trace(&trace("collator-protocol", Stage::Included), None, None);
	metrics.trace(&trace(RELAY_CHAIN, Stage::Included), None, None);
	let inner = metrics.0.as_ref().unwrap();
	assert_eq!(inner.candidates.with_label_values(&["2000", "included"]).get(), 1);
}

#[test]
fn time_to_a_stage_is_measured_once_and_from_the_advertisement() {
	let metrics = metrics();
	let advance = |since_advertised| Advance { para: ParaId(2000), stage: Stage::Backed, since_advertised };
	let backed = trace(RELAY_CHAIN, Stage::Backed);
	metrics.trace(&backed, Some(&advance(Some(Duration::from_secs(6)))), None);
	metrics.trace(&backed, Some(&advance(None)), None);
	metrics.trace(&backed, None, None);
	let histogram = metrics.0.as_ref().unwrap().stage_seconds.with_label_values(&["2000", "backed"]);
	assert_eq!((histogram.get_sample_count(), histogram.get_sample_sum()), (1, 6.));
}

#[test]
fn collators_are_counted_by_score_as_long_as_their_para_is_assigned() {
	use headway_collator_protocol::experimental::SlashReason;
	let metrics = metrics();
	let inner = metrics.0.as_ref().unwrap();
	let notice = |notice| metrics.effect(&Effect::CollatorNotice(notice));
	// Paras without a label of their own share one.
	let paras = [(2000, [1, 0, 2, 0]), (1000, [3, 0, 0, 0]), (1001, [4, 0, 0, 1])];
	notice(Notice::Collators(paras.into_iter().map(|(para, scores)| (ParaId(para), scores)).collect()));
	let collators = |para, range| inner.connected_collators.with_label_values(&[para, range]).get();
	assert_eq!(inner.assigned_paras.get(), 3);
	assert_eq!([collators("2000", "0"), collators("2000", "100-999")], [1, 2]);
	assert_eq!([collators("other", "0"), collators("other", "1000+")], [7, 1]);
	notice(Notice::Collators([(ParaId(2000), [5, 0, 0, 0])].into()));
	assert_eq!((collators("2000", "0"), collators("other", "0"), inner.assigned_paras.get()), (5, 0, 1));

	notice(Notice::Slashed { para: ParaId(2000), reason: SlashReason::FailedFetch });
	assert_eq!(inner.collator_slashes.with_label_values(&["2000", "failed_fetch"]).get(), 1);
}

/// How often a histogram was observed, by its full name.
fn count(registry: &Registry, name: &str) -> u64 {
	let families = registry.gather();
	let family = families.iter().find(|family| family.get_name() == name);
	let family = family.unwrap_or_else(|| panic!("there is no {name}"));
	family.get_metric().iter().map(|metric| metric.get_histogram().get_sample_count()).sum()
}

#[test]
fn validations_are_timed_as_a_whole_and_executions_by_themselves() {
	use headway_machine::{Execution, ExecutionKind, ValidateRequest, ValidationFailed};
	use headway_pipeline::Work;
	use headway_primitives::{
		BlockData, CandidateDescriptorV2, CandidateHash, CandidateReceiptV2, CoreIndex, Hash, HeadData,
		PersistedValidationData, PoV, ValidationCode,
	};
	const EXHAUSTIVE: &str = "polkadot_parachain_candidate_validation_validate_from_exhaustive";
	const CHAIN_STATE: &str = "polkadot_parachain_candidate_validation_validate_from_chain_state";
	const EXECUTION: &str = "polkadot_parachain_candidate_validation_validate_candidate_exhaustive";
	let registry = Registry::new();
	let metrics = Metrics::register(Some(&registry)).unwrap();
	let mut watch = metrics.observer().unwrap();
	let counts = || [EXHAUSTIVE, CHAIN_STATE, EXECUTION].map(|name| count(&registry, name));

	let (zero, code) = (Hash::zero(), ValidationCode(vec![1]));
	let (core, para) = (CoreIndex(0), ParaId(2000));
	let descriptor = CandidateDescriptorV2::new_v2(para, zero, core, 1, zero, zero, zero, zero, code.hash());
	let validation_data = Arc::new(PersistedValidationData {
		parent_head: HeadData(Vec::new()),
		relay_parent_number: 1,
		relay_parent_storage_root: zero,
		max_pov_size: 1,
	});
	let pov = Arc::new(PoV { block_data: BlockData(Vec::new()) });
	let (token, kind) = (Token(7), ExecutionKind::Backing);
	let request = ValidateRequest {
		receipt: CandidateReceiptV2 { descriptor, commitments_hash: zero },
		validation_data: validation_data.clone(),
		pov: pov.clone(),
		executor_params: Arc::default(),
		scheduling_session: 1,
		kind,
	};
	watch
		.enter(&Work::CandidateValidation(&headway_candidate_validation::Event::Validate { token, request }));
	watch.leave();
	let execution = Execution {
		candidate_hash: CandidateHash(zero),
		code_hash: code.hash(),
		code: Arc::new(code),
		code_bomb_limit: 1,
		validation_data,
		pov,
		extension: None,
		executor_params: Arc::default(),
		timeout: Duration::from_secs(2),
		kind,
	};
	metrics.effect(&Effect::Execute { token: Token(1), execution });
	assert_eq!(counts(), [0, 0, 0]);
	let failed = headway_machine::ExecutionError::Internal(String::new());
	metrics.event(&Event::Executed { token: Token(1), result: Err(failed) });
	assert_eq!(counts(), [0, 0, 1]);
	let result = Err(ValidationFailed { reason: Reason::ExecutionFailed });
	watch.enter(&Work::Backing(&headway_backing::Event::Validated { token, result }));
	watch.leave();
	assert_eq!(counts(), [1, 1, 1]);
}

#[test]
fn what_becomes_due_is_timed_as_well() {
	use headway_pipeline::Work;
	let registry = Registry::new();
	let mut watch = Metrics::register(Some(&registry)).unwrap().observer().unwrap();
	for (machine, name) in [
		(Asker::Availability, "polkadot_parachain_bitfield_signing_run"),
		(Asker::Provisioner, "polkadot_parachain_provisioner_request_inherent_data_time"),
		(Asker::CollatorProtocol, "polkadot_parachain_collator_protocol_validator_process_msg"),
	] {
		assert_eq!(count(&registry, name), 0);
		watch.enter(&Work::Tick(machine));
		watch.leave();
		assert_eq!(count(&registry, name), 1, "{name}");
	}
}
