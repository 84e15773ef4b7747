//! What is remembered, for how long, and what is not.

pub(crate) mod arbitrary;

use crate::*;
use headway_machine::{
	testing, BlockContext, BlockRef, Evidence, LeafContext, Loss, Reason, Stage, Timestamp, Trace,
	RELAY_CHAIN,
};
use headway_primitives::{
	CandidateDescriptorV2, CandidateEvent, CandidateHash, CandidateReceiptV2, ClaimQueue, CoreIndex,
	GroupIndex, Hash, HeadData, ParaId, ValidationCodeHash,
};
use std::{sync::Arc, time::Duration};

const PARA: ParaId = ParaId(2000);
const COLLATOR_PROTOCOL: &str = "collator-protocol";
const BACKING: &str = "candidate-backing";

fn hash(n: u64) -> CandidateHash {
	CandidateHash(testing::hash(n))
}

fn at(ms: u64) -> Timestamp {
	Timestamp::from_unix_ms(ms)
}

fn trace(ms: u64, subsystem: &'static str, stage: Stage) -> Trace {
	Trace::new(at(ms), subsystem, stage)
}

/// A trace of candidate `n` of a para.
fn of(para: ParaId, n: u64, ms: u64, subsystem: &'static str, stage: Stage) -> Trace {
	trace(ms, subsystem, stage).para(para).candidate(hash(n))
}

fn dropped(reason: Reason) -> Stage {
	Stage::Dropped(reason)
}

fn known(lifecycle: &Lifecycle, para: ParaId) -> Vec<CandidateHash> {
	let snapshot = lifecycle.para(para, usize::MAX).expect("the para is known");
	snapshot.candidates.iter().map(|record| record.candidate).collect()
}

fn story(traces: &[(u64, &'static str, Stage)]) -> Record {
	let mut lifecycle = Lifecycle::default();
	for (ms, subsystem, stage) in traces {
		lifecycle.record(&of(PARA, 1, *ms, subsystem, *stage));
	}
	lifecycle.candidate(&hash(1)).expect("it was told of").clone()
}

#[test]
fn stages_have_their_first_time_and_are_counted() {
	let record = story(&[
		(10, COLLATOR_PROTOCOL, Stage::Advertised),
		(20, COLLATOR_PROTOCOL, Stage::Fetched),
		(30, COLLATOR_PROTOCOL, Stage::Advertised),
	]);
	let stages: Vec<_> = record.stages.iter().map(|r| (r.stage, r.first, r.count)).collect();
	assert_eq!(stages, [(Stage::Advertised, at(10), 2), (Stage::Fetched, at(20), 1)]);
	assert_eq!(record.since_advertised(Stage::Fetched), Some(Duration::from_millis(10)));
	assert_eq!(record.outcome(), Outcome::Underway(Stage::Fetched));
}

#[test]
fn a_stage_advances_once_and_tells_the_time_since_the_advertisement() {
	let mut lifecycle = Lifecycle::default();
	let advance =
		|stage, ms| Some(Advance { para: PARA, stage, since_advertised: Some(Duration::from_millis(ms)) });
	let mut tell = |ms, stage| lifecycle.record(&of(PARA, 1, ms, BACKING, stage));
	assert_eq!(tell(5, Stage::Advertised), advance(Stage::Advertised, 0));
	assert_eq!(tell(9, Stage::Seconded), advance(Stage::Seconded, 4));
	assert_eq!(tell(12, Stage::Seconded), None);
	assert_eq!(tell(12, dropped(Reason::OutOfView)), None);
	// Not advertised here: there is nothing to measure from.
	let elsewhere = lifecycle.record(&of(PARA, 2, 20, BACKING, Stage::Backable));
	assert_eq!(elsewhere.map(|advance| advance.since_advertised), Some(None));
}

#[test]
fn a_loss_is_counted_under_the_reason_that_lies_behind_and_names_the_rival() {
	let rival = Some(Evidence::Rival { candidate: hash(9), parent_head: testing::hash(3) });
	let no_place = Stage::NoPlace(Reason::ConflictsWithPending);
	let lost = of(PARA, 1, 3, COLLATOR_PROTOCOL, dropped(Reason::CannotFollowChain));
	let mut lifecycle = Lifecycle::default();
	lifecycle.record(&of(PARA, 1, 1, COLLATOR_PROTOCOL, Stage::Advertised));
	lifecycle.record(&of(PARA, 1, 2, "prospective-parachains", no_place).evidence(rival));
	lifecycle.record(&lost);
	assert_eq!(lifecycle.telling(&lost), Some(Reason::ConflictsWithPending));
	let para = lifecycle.para(PARA, 1).expect("it is known");
	assert_eq!(para.tally, [((Loss::Refused, Reason::ConflictsWithPending), 1)].into());
	let loss = para.last_loss.expect("one is lost").loss;
	assert_eq!((loss.reason, loss.evidence), (Reason::CannotFollowChain, rival));
	assert!(loss.explanation().contains(&format!("{:?}", hash(9))), "{}", loss.explanation());
	// Nothing more is known of this one.
	let other = of(PARA, 2, 4, COLLATOR_PROTOCOL, dropped(Reason::CannotFollowChain));
	lifecycle.record(&other);
	assert_eq!(lifecycle.telling(&other), Some(Reason::CannotFollowChain));
}

#[test]
fn the_oldest_candidates_of_a_para_go_first() {
	let mut lifecycle = Lifecycle::new(Limits { paras: 2, candidates_per_para: 3 });
	for n in 1..=5 {
		lifecycle.record(&of(PARA, n, n, BACKING, Stage::Seconded));
	}
	assert_eq!(known(&lifecycle, PARA), [hash(5), hash(4), hash(3)]);
	assert!(lifecycle.candidate(&hash(2)).is_none());
	// What goes on is not what began last.
	lifecycle.record(&of(PARA, 3, 9, BACKING, Stage::Backable));
	lifecycle.record(&of(PARA, 6, 9, BACKING, Stage::Seconded));
	assert_eq!(known(&lifecycle, PARA), [hash(6), hash(5), hash(4)]);
}

#[test]
fn mere_offers_take_at_most_half_of_the_room() {
	let mut lifecycle = Lifecycle::new(Limits { paras: 2, candidates_per_para: 4 });
	lifecycle.record(&of(PARA, 1, 1, BACKING, Stage::Seconded));
	lifecycle.record(&of(PARA, 2, 1, BACKING, Stage::Seconded));
	for n in 10..100 {
		lifecycle.record(&of(PARA, n, n, COLLATOR_PROTOCOL, Stage::Advertised));
		lifecycle.record(&of(PARA, 100 + n, n, COLLATOR_PROTOCOL, dropped(Reason::OutOfView)));
	}
	assert_eq!(known(&lifecycle, PARA), [hash(199), hash(99), hash(2), hash(1)]);
}

#[test]
fn the_number_of_paras_is_bounded_and_a_mere_loss_pushes_none_out() {
	let mut lifecycle = Lifecycle::new(Limits { paras: 2, candidates_per_para: 2 });
	for para in 1..=3 {
		lifecycle.record(&of(ParaId(para), para.into(), 1, BACKING, Stage::Seconded));
	}
	assert_eq!(lifecycle.paras().collect::<Vec<_>>(), [ParaId(2), ParaId(3)]);
	assert!(lifecycle.candidate(&hash(1)).is_none());
	let late = dropped(Reason::OutOfView);
	lifecycle.record(&of(ParaId(9), 9, 2, COLLATOR_PROTOCOL, late));
	lifecycle.record(&trace(2, COLLATOR_PROTOCOL, late).para(ParaId(9)));
	assert_eq!(lifecycle.paras().collect::<Vec<_>>(), [ParaId(2), ParaId(3)]);
	assert_eq!(lifecycle.elsewhere()[&(Loss::Dropped, Reason::OutOfView)], 2);
}

#[test]
fn messages_about_unknown_candidates_leave_only_a_count() {
	let mut lifecycle = Lifecycle::default();
	lifecycle.record(&of(PARA, 1, 1, BACKING, Stage::Seconded));
	for n in 2..1000 {
		lifecycle.record(&of(PARA, n, 1, "statement-distribution", dropped(Reason::UnexpectedMessage)));
		lifecycle.record(&of(PARA, n, 1, BACKING, Stage::Duplicate));
	}
	assert_eq!(known(&lifecycle, PARA), [hash(1)]);
	let snapshot = lifecycle.para(PARA, 0).unwrap();
	assert_eq!(snapshot.tally[&(Loss::Message, Reason::UnexpectedMessage)], 998);
	assert_eq!(snapshot.last_loss, None);
}

#[test]
fn losses_without_a_hash_are_counted_by_para_and_reason() {
	let mut lifecycle = Lifecycle::default();
	let reason = Reason::PovTooLarge;
	for ms in [5, 8] {
		lifecycle.record(&trace(ms, "collation-generation", dropped(reason)).para(PARA));
	}
	lifecycle.record(&trace(9, "provisioner", dropped(Reason::OutOfView)));
	let snapshot = lifecycle.para(PARA, 9).unwrap();
	assert_eq!(snapshot.tally, Tally::from([((Loss::Invalid, reason), 2)]));
	let last = snapshot.last_loss.unwrap();
	assert_eq!((last.candidate, last.loss.reason, last.loss.count), (None, reason, 2));
	assert_eq!(lifecycle.elsewhere()[&(Loss::Dropped, Reason::OutOfView)], 1);
}

#[test]
fn noise_after_a_real_reason_does_not_shadow_it() {
	let record = story(&[
		(1, COLLATOR_PROTOCOL, Stage::Advertised),
		(2, COLLATOR_PROTOCOL, dropped(Reason::NoClaimQueueSlot)),
		(3, BACKING, dropped(Reason::UnexpectedMessage)),
		(4, "statement-distribution", dropped(Reason::OutOfView)),
		(5, COLLATOR_PROTOCOL, Stage::Duplicate),
		(6, COLLATOR_PROTOCOL, Stage::Advertised),
	]);
	let Outcome::Lost(loss) = record.outcome() else { panic!("{:?}", record.outcome()) };
	assert_eq!((loss.loss, loss.reason), (Loss::Refused, Reason::NoClaimQueueSlot));
	assert_eq!(record.last_loss().unwrap().reason, Reason::NoClaimQueueSlot);
}

#[test]
fn what_is_invalid_explains_more_than_what_followed() {
	let record = story(&[
		(1, COLLATOR_PROTOCOL, Stage::Fetched),
		(2, "candidate-validation", dropped(Reason::PovHashMismatch)),
		(3, COLLATOR_PROTOCOL, dropped(Reason::OutOfView)),
	]);
	assert!(matches!(record.outcome(), Outcome::Lost(loss) if loss.reason == Reason::PovHashMismatch));
	assert_eq!(record.last_loss().unwrap().reason, Reason::OutOfView);
}

#[test]
fn what_has_no_place_says_why() {
	let record = story(&[
		(1, COLLATOR_PROTOCOL, Stage::Advertised),
		(2, "prospective-parachains", Stage::NoPlace(Reason::UnknownParentHead)),
		(3, "prospective-parachains", Stage::NoPlace(Reason::ForkChoice)),
		(9, COLLATOR_PROTOCOL, dropped(Reason::CannotFollowChain)),
	]);
	let Outcome::Lost(loss) = record.outcome() else { panic!("{:?}", record.outcome()) };
	assert_eq!((loss.reason, loss.because), (Reason::CannotFollowChain, Some(Reason::ForkChoice)));
}

#[test]
fn what_goes_on_after_a_loss_is_not_lost() {
	let record = story(&[
		(1, COLLATOR_PROTOCOL, Stage::Fetching),
		(2, COLLATOR_PROTOCOL, dropped(Reason::FetchTimeout)),
		(3, COLLATOR_PROTOCOL, Stage::Fetching),
		(4, COLLATOR_PROTOCOL, Stage::Fetched),
	]);
	assert_eq!(record.outcome(), Outcome::Underway(Stage::Fetched));
}

fn explanation(record: &Record) -> String {
	match record.outcome() {
		Outcome::Lost(loss) => loss.explanation(),
		outcome => panic!("{outcome:?}"),
	}
}

#[test]
fn an_execution_that_ends_after_the_candidate_was_lost_does_not_bring_it_back() {
	let lost = (2, BACKING, dropped(Reason::OutOfView));
	let record = story(&[(1, BACKING, Stage::Seconded), lost, (3, "candidate-validation", Stage::Validated)]);
	assert!(explanation(&record).starts_with("it was too late"), "{record:?}");
	assert_eq!(
		record.reached(Stage::Validated).map(|reached| reached.first),
		Some(at(3)),
		"it is told all the same"
	);
	// What failed for another reason, and was tried again, goes on.
	let failed = (2, BACKING, dropped(Reason::PovUnavailable));
	let record =
		story(&[(1, BACKING, Stage::Introduced), failed, (3, "candidate-validation", Stage::Validated)]);
	assert_eq!(record.outcome(), Outcome::Underway(Stage::Validated));
	// Back in view, as with a fork that comes back.
	let record =
		story(&[(1, BACKING, Stage::Seconded), lost, (3, "prospective-parachains", Stage::Introduced)]);
	assert_eq!(record.outcome(), Outcome::Underway(Stage::Introduced));
	// That its data is here, or with others, says nothing.
	let record = story(&[(1, BACKING, Stage::Seconded), lost, (3, "availability", Stage::ChunkStored)]);
	assert!(matches!(record.outcome(), Outcome::Lost(_)));
}

/// A trace of candidate `n`, which leads from one head to another.
fn on(n: u64, parent: u64, output: u64, ms: u64, subsystem: &'static str, stage: Stage) -> Trace {
	let mut trace = of(PARA, n, ms, subsystem, stage)
		.scheduling_parent(testing::hash(9))
		.parent_head(testing::hash(parent));
	trace.relay_parent = Some(testing::hash(8));
	trace.output_head = Some(testing::hash(output));
	trace
}

#[test]
fn the_children_of_what_was_never_backed_name_it() {
	let late = dropped(Reason::SchedulingParentNotInScope);
	let mut lifecycle = Lifecycle::default();
	lifecycle.record(&on(1, 100, 101, 1, COLLATOR_PROTOCOL, Stage::Fetched));
	lifecycle.record(&on(2, 101, 102, 2, "prospective-parachains", Stage::Introduced));
	lifecycle.record(&on(1, 100, 101, 3, BACKING, dropped(Reason::OutOfView)));
	let lost = on(2, 101, 102, 4, "prospective-parachains", late);
	lifecycle.record(&lost);
	let child = lifecycle.candidate(&hash(2)).unwrap();
	let words = format!("the candidate that it builds on, {:?}, was never backed", hash(1));
	assert_eq!(explanation(child), words);
	assert_eq!(lifecycle.telling(&lost), Some(Reason::ParentNotBacked));
	// The parent itself was late: nothing is known of what it builds on.
	assert!(explanation(lifecycle.candidate(&hash(1)).unwrap()).starts_with("it was too late"));

	// Once the parent is backed, its child was late by itself.
	lifecycle.record(&on(3, 200, 201, 5, RELAY_CHAIN, Stage::Backed));
	lifecycle.record(&on(4, 201, 202, 6, BACKING, Stage::Seconded));
	lifecycle.record(&on(4, 201, 202, 7, BACKING, late));
	assert!(explanation(lifecycle.candidate(&hash(4)).unwrap()).starts_with("its scheduling parent"));
	// So it is if another candidate with the same head was.
	lifecycle.record(&on(5, 200, 201, 8, BACKING, Stage::Seconded));
	lifecycle.record(&on(6, 201, 203, 9, BACKING, late));
	assert!(explanation(lifecycle.candidate(&hash(6)).unwrap()).starts_with("its scheduling parent"));
}

#[test]
fn who_saw_the_receipt_knows_what_a_candidate_rests_on() {
	let mut lifecycle = Lifecycle::default();
	let offer = of(PARA, 1, 1, COLLATOR_PROTOCOL, Stage::Advertised).scheduling_parent(testing::hash(1));
	lifecycle.record(&offer.parent_head(testing::hash(2)));
	let record = lifecycle.candidate(&hash(1)).unwrap();
	assert_eq!((record.scheduling_parent, record.relay_parent), (Some(testing::hash(1)), None));
	lifecycle.record(&on(1, 100, 101, 2, BACKING, Stage::Seconded));
	// Nobody can offer it as another one now.
	lifecycle.record(&of(PARA, 1, 3, COLLATOR_PROTOCOL, Stage::Advertised).parent_head(testing::hash(3)));
	let record = lifecycle.candidate(&hash(1)).unwrap();
	assert_eq!(
		(record.scheduling_parent, record.relay_parent),
		(Some(testing::hash(9)), Some(testing::hash(8)))
	);
	assert_eq!(
		(record.parent_head, record.output_head),
		(Some(testing::hash(100)), Some(testing::hash(101)))
	);
}

#[test]
fn the_relay_chain_has_the_last_word() {
	let mut traces = vec![(1, BACKING, Stage::Backable), (2, RELAY_CHAIN, Stage::Backed)];
	traces.push((3, "prospective-parachains", dropped(Reason::OutOfView)));
	assert_eq!(story(&traces).outcome(), Outcome::Backed);
	traces.push((4, RELAY_CHAIN, Stage::TimedOut));
	assert_eq!(story(&traces).outcome(), Outcome::TimedOut);
	// Backed once more, included on one fork and backed on another.
	traces.extend([(5, RELAY_CHAIN, Stage::Backed), (6, RELAY_CHAIN, Stage::Included)]);
	traces.push((7, RELAY_CHAIN, Stage::Backed));
	assert_eq!(story(&traces).outcome(), Outcome::Included);
	// What others say of it is hearsay.
	traces.push((8, COLLATOR_PROTOCOL, Stage::Finalized));
	assert_eq!(story(&traces).outcome(), Outcome::Included);
}

#[test]
fn losses_of_a_candidate_are_bounded_and_invalidity_stays() {
	let reasons = [
		Reason::InvalidExecution,
		Reason::OutOfView,
		Reason::FetchFailed,
		Reason::FetchTimeout,
		Reason::PovUnavailable,
		Reason::InvalidChunk,
		Reason::StorageFailed,
		Reason::CapacityReached,
		Reason::ForkChoice,
		Reason::Cycle,
	];
	let traces: Vec<_> = (0..).zip(reasons).map(|(ms, reason)| (ms, BACKING, dropped(reason))).collect();
	let record = story(&traces);
	assert_eq!(record.losses.len(), record::LOSSES_MAX);
	assert_eq!(record.losses[0].reason, Reason::InvalidExecution);
	assert_eq!(record.losses.last().unwrap().reason, Reason::Cycle);
}

#[test]
fn who_saw_the_receipt_knows_the_para() {
	let (claimed, real) = (ParaId(1), ParaId(2));
	let mut lifecycle = Lifecycle::default();
	lifecycle.record(&of(claimed, 1, 1, COLLATOR_PROTOCOL, Stage::Advertised));
	lifecycle.record(&of(real, 1, 2, COLLATOR_PROTOCOL, Stage::Advertised));
	assert_eq!(lifecycle.candidate(&hash(1)).unwrap().para, claimed);
	lifecycle.record(&of(real, 1, 3, BACKING, Stage::Seconded));
	assert_eq!(lifecycle.candidate(&hash(1)).unwrap().para, real);
	assert_eq!(known(&lifecycle, claimed), []);
	// From now on nobody can claim it.
	lifecycle.record(&of(claimed, 1, 4, COLLATOR_PROTOCOL, Stage::Fetched));
	assert_eq!(lifecycle.candidate(&hash(1)).unwrap().stages.len(), 1);
}

#[test]
fn the_same_traces_give_the_same_memory() {
	let run = || {
		let mut lifecycle = Lifecycle::new(Limits { paras: 3, candidates_per_para: 4 });
		for n in 0..500_u64 {
			let stage = match n * 7 % 5 {
				0 => Stage::Advertised,
				1 => dropped(Reason::OutOfView),
				2 => dropped(Reason::DuplicateMessage),
				_ => Stage::Seconded,
			};
			lifecycle.record(&of(ParaId((n % 7) as u32), n % 31, n, COLLATOR_PROTOCOL, stage));
		}
		format!("{lifecycle:?}")
	};
	assert_eq!(run(), run());
}

/// A candidate receipt that differs from others by its head.
fn receipt(n: u64) -> CandidateReceiptV2 {
	let zero = Hash::zero();
	let code = ValidationCodeHash(zero);
	let (head, at) = (testing::hash(n), testing::hash(3));
	let descriptor = CandidateDescriptorV2::new_v2(PARA, at, CoreIndex(0), 1, zero, zero, zero, head, code);
	CandidateReceiptV2 { descriptor, commitments_hash: zero }
}

fn backed(n: u64) -> CandidateEvent {
	CandidateEvent::CandidateBacked(receipt(n), HeadData(Vec::new()), CoreIndex(0), GroupIndex(0))
}

fn included(n: u64) -> CandidateEvent {
	CandidateEvent::CandidateIncluded(receipt(n), HeadData(Vec::new()), CoreIndex(0), GroupIndex(0))
}

/// Block `number` on block `parent` (testing hashes) of fork `fork`, with these events.
fn leaf(number: u32, fork: u64, parent: u64, candidate_events: Vec<CandidateEvent>) -> LeafContext {
	let session = testing::session(1, &[], Vec::new(), None);
	let mut block = testing::block(number, &session, ClaimQueue::new());
	block.hash = testing::hash(fork + u64::from(number));
	block.parent_hash = testing::hash(parent);
	LeafContext { candidate_events, ..testing::leaf(block, Vec::new()) }
}

fn stages(traces: &[Trace]) -> Vec<(&'static str, CandidateHash, u32)> {
	let told = |trace: &Trace| {
		assert_eq!((trace.subsystem, trace.para), (RELAY_CHAIN, Some(PARA)));
		(trace.stage.into(), trace.candidate.unwrap(), trace.block.unwrap().number)
	};
	traces.iter().map(told).collect()
}

fn block(number: u32, fork: u64) -> BlockRef {
	BlockRef { number, hash: testing::hash(fork + u64::from(number)) }
}

#[test]
fn a_leaf_tells_of_its_candidates_once() {
	let mut chain = ChainEvents::default();
	let leaf = leaf(10, 0, 9, vec![included(1), backed(2)]);
	let (one, two) = (receipt(1).hash(), receipt(2).hash());
	let told = chain.leaf(at(1), &leaf);
	assert_eq!(stages(&told), [("available", one, 10), ("included", one, 10), ("backed", two, 10)]);
	assert_eq!(chain.leaf(at(2), &leaf), []);
}

#[test]
fn what_is_on_the_finalized_branch_is_final_and_nothing_else() {
	let mut chain = ChainEvents::default();
	chain.leaf(at(1), &leaf(10, 0, 9, vec![included(1)]));
	chain.leaf(at(2), &leaf(11, 0, 10, vec![included(2)]));
	chain.leaf(at(2), &leaf(11, 100, 10, vec![included(3)]));
	chain.leaf(at(3), &leaf(12, 0, 11, vec![included(4)]));
	let told = chain.finalized(at(4), block(11, 0));
	let (one, two) = (receipt(1).hash(), receipt(2).hash());
	assert_eq!(stages(&told), [("finalized", one, 10), ("finalized", two, 11)]);
	// The fork that lost is forgotten.
	assert_eq!(chain.finalized(at(5), block(11, 100)), []);
	assert_eq!(stages(&chain.finalized(at(6), block(12, 0))), [("finalized", receipt(4).hash(), 12)]);
}

fn record(lifecycle: &mut Lifecycle, traces: &[Trace]) {
	for trace in traces {
		lifecycle.record(trace);
	}
}

/// All that is remembered after these leaves, and after a block was finalized.
fn after(leaves: &[LeafContext], finalized: Option<BlockRef>) -> Lifecycle {
	let (mut chain, mut lifecycle) = (ChainEvents::default(), Lifecycle::default());
	for (ms, leaf) in (1..).zip(leaves) {
		record(&mut lifecycle, &chain.leaf(at(ms), leaf));
	}
	if let Some(block) = finalized {
		record(&mut lifecycle, &chain.finalized(at(100), block));
	}
	lifecycle
}

#[test]
fn what_was_backed_on_a_fork_that_lost_is_told_so_with_both_blocks() {
	let one = receipt(1).hash();
	// Backed in block 10 of one fork, and included there; backed in block 11 of the other.
	let mut leaves = vec![
		leaf(10, 100, 9, vec![backed(1), backed(3)]),
		leaf(10, 0, 9, vec![backed(2)]),
		leaf(11, 100, 110, vec![included(1)]),
		leaf(11, 0, 10, vec![backed(3)]),
	];
	let outcome = |lifecycle: &Lifecycle, n: u64| lifecycle.candidate(&receipt(n).hash()).unwrap().outcome();
	let undecided = after(&leaves, None);
	assert_eq!(outcome(&undecided, 1), Outcome::Included);

	let decided = after(&leaves, Some(block(10, 0)));
	let told = explanation(decided.candidate(&one).unwrap());
	let (lost, instead) = (block(10, 100), block(10, 0));
	assert_eq!(
		told,
		format!("it was backed in {lost}, which lost its fork: the chain went on with {instead}")
	);
	assert!(told.contains("relay block #10 (0x"), "{told}");
	assert_eq!(decided.para(PARA, 9).unwrap().tally, [((Loss::Dropped, Reason::RelayForkLost), 1)].into());
	// The others are on the chain, one of them because it was backed again.
	assert_eq!((outcome(&decided, 2), outcome(&decided, 3)), (Outcome::Backed, Outcome::Backed));

	// It may be backed again later.
	let mut chain = ChainEvents::default();
	let mut lifecycle = Lifecycle::default();
	leaves.push(leaf(12, 0, 11, vec![backed(1)]));
	for leaf in &leaves[..4] {
		record(&mut lifecycle, &chain.leaf(at(1), leaf));
	}
	record(&mut lifecycle, &chain.finalized(at(2), block(10, 0)));
	record(&mut lifecycle, &chain.leaf(at(3), &leaves[4]));
	assert_eq!(outcome(&lifecycle, 1), Outcome::Backed);
}

#[test]
fn only_a_block_whose_place_is_taken_lost_its_fork() {
	// Block 11 was never seen, so that block 10 is not known to be on the branch. Nor is it known not to be.
	let lifecycle = after(&[leaf(10, 0, 9, vec![backed(1)]), leaf(12, 0, 11, vec![])], Some(block(12, 0)));
	assert_eq!(lifecycle.candidate(&receipt(1).hash()).unwrap().outcome(), Outcome::Backed);
}

#[test]
fn what_a_session_takes_off_its_core_is_told_so() {
	let in_session = |index, mut leaf: LeafContext| {
		let session = testing::session(index, &[], Vec::new(), None);
		leaf.block = Arc::new(BlockContext { session, ..(*leaf.block).clone() });
		leaf
	};
	let leaves = [
		in_session(4, leaf(10, 0, 9, vec![backed(1), backed(2)])),
		in_session(5, leaf(11, 0, 10, vec![included(2), backed(3)])),
		in_session(5, leaf(12, 0, 11, vec![backed(4)])),
		in_session(5, leaf(13, 0, 12, vec![])),
	];
	let lifecycle = after(&leaves, None);
	let record = |n| lifecycle.candidate(&receipt(n).hash()).unwrap();
	for n in [1, 3] {
		let told = explanation(record(n));
		let last = block(11, 0);
		assert!(told.starts_with(&format!("session 4 ended with {last}")), "{told}");
		assert!(told.contains("not included"), "{told}");
	}
	assert_eq!((record(2).outcome(), record(4).outcome()), (Outcome::Included, Outcome::Backed));
}

#[test]
fn a_core_without_validators_is_told_as_long_as_it_is_one() {
	let at_cores = |groups: Vec<Vec<u32>>| {
		let session = testing::session(1, &testing::validator_keys(2), groups, None);
		let claims =
			[(0, 2000), (1, 2001), (2, 2002)].map(|(core, para)| (CoreIndex(core), [ParaId(para)].into()));
		testing::leaf(testing::block(10, &session, claims.into()), Vec::new())
	};
	let mut lifecycle = Lifecycle::default();
	lifecycle.leaf(&at_cores(vec![vec![0], vec![1], vec![]]));
	assert!(lifecycle.para(PARA, 9).is_none());
	let para = lifecycle.para(ParaId(2002), 9).expect("there is something to be said of it");
	assert_eq!((para.known, para.cores_without_validators), (0, [CoreIndex(2)].into()));
	// As groups rotate, it may be another one.
	lifecycle.leaf(&at_cores(vec![vec![0], vec![], vec![1]]));
	assert!(lifecycle.para(ParaId(2002), 9).is_none());
	assert!(lifecycle.para(ParaId(2001), 9).is_some());
}

#[test]
fn finality_may_come_before_the_block() {
	let mut chain = ChainEvents::default();
	assert_eq!(chain.finalized(at(1), block(10, 0)), []);
	let told = chain.leaf(at(2), &leaf(10, 0, 9, vec![included(1)]));
	assert_eq!(stages(&told).last(), Some(&("finalized", receipt(1).hash(), 10)));
}

#[test]
fn what_others_say_of_the_relay_chain_proves_nothing() {
	let mut lifecycle = Lifecycle::new(Limits { paras: 2, candidates_per_para: 4 });
	for n in 0..4 {
		lifecycle.record(&of(PARA, n, n, COLLATOR_PROTOCOL, Stage::Included));
	}
	assert_eq!(known(&lifecycle, PARA), [hash(3), hash(2)], "as if they had been offered");
	lifecycle.record(&of(PARA, 9, 9, RELAY_CHAIN, Stage::Included));
	assert_eq!(known(&lifecycle, PARA), [hash(9), hash(3), hash(2)]);
	assert_eq!(lifecycle.sizes().exceeded(), None);
}
