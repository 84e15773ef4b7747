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
