use super::*;
use headway_lifecycle::Lifecycle;
use headway_machine::{testing, BlockRef, Evidence, Reason, Stage, Timestamp, Trace, RELAY_CHAIN};
use headway_primitives::{CandidateDescriptorV2, CandidateHash, CoreIndex, Hash, ParaId, ValidationCodeHash};

const PARA: ParaId = ParaId(2000);
const START: u64 = 1_700_000_000_000;

fn hash(n: u64) -> CandidateHash {
	CandidateHash(Hash::from_low_u64_be(n))
}

/// What a node is told of candidate `n`: milliseconds since the start, machine, stage.
fn tell(lifecycle: &mut Lifecycle, n: u64, story: &[(u64, &'static str, Stage)]) {
	for (ms, subsystem, stage) in story {
		let trace = Trace::new(Timestamp::from_unix_ms(START + ms), subsystem, *stage);
		let mut trace = trace.candidate(hash(n)).para(PARA).scheduling_parent(Hash::from_low_u64_be(77));
		if *subsystem == RELAY_CHAIN {
			trace = trace.block(BlockRef { number: (ms / 6000) as u32, hash: Hash::zero() });
		}
		lifecycle.record(&trace);
	}
}

fn explain(story: &[(u64, &'static str, Stage)]) -> String {
	let mut lifecycle = Lifecycle::default();
	tell(&mut lifecycle, 1, story);
	candidate(&lifecycle.candidate(&hash(1)).expect("it was told of").into())
}

const GOOD: &[(u64, &str, Stage)] = &[
	(0, "collator-protocol", Stage::Advertised),
	(15, "collator-protocol", Stage::Fetched),
	(340, "candidate-validation", Stage::Validated),
	(350, "candidate-backing", Stage::Seconded),
	(350, "prospective-parachains", Stage::Introduced),
	(600, "candidate-backing", Stage::Backable),
	(6_100, RELAY_CHAIN, Stage::Backed),
	(9_000, "provisioner", Stage::Available),
	(12_100, RELAY_CHAIN, Stage::Available),
	(12_100, RELAY_CHAIN, Stage::Included),
];

#[test]
fn a_candidate_that_made_it_has_its_stages_with_relative_times() {
	let text = explain(GOOD);
	let lines: Vec<_> = text.lines().collect();
	assert!(lines[0].contains("of para 2000, with scheduling parent 0x"), "{text}");
	assert_eq!(lines[1], "It made it: included in relay block #2, 12.100 s after it was first seen.");
	assert_eq!(lines[2].trim(), "+0.000 s  advertised   it was advertised");
	assert_eq!(lines[8].trim(), "+6.100 s  backed       it was backed on the relay chain, relay block #1");
	assert!(lines[9].trim().starts_with("+9.000 s  available"), "{text}");
	assert_eq!(lines.len(), 11, "{text}");
}

#[test]
fn a_collator_on_a_losing_fork_is_told_so() {
	let text = explain(&[
		(0, "collator-protocol", Stage::Advertised),
		(1, "prospective-parachains", Stage::NoPlace(Reason::ConflictsWithPending)),
		(18_000, "collator-protocol", Stage::Dropped(Reason::CannotFollowChain)),
	]);
	assert!(text.contains("It was not taken from its collator: it is on a losing fork"), "{text}");
	assert!(text.contains("(cannot_follow_chain: conflicts_with_pending, by collator-protocol)"), "{text}");

	// Seconded elsewhere first: prospective parachains refuse it when its votes come.
	let text = explain(&[
		(0, "collator-protocol", Stage::Fetched),
		(10, "prospective-parachains", Stage::Dropped(Reason::ForkChoice)),
		(10, "candidate-backing", Stage::Dropped(Reason::CannotFollowChain)),
	]);
	assert!(text.contains("It did not make it: it lost a fork"), "{text}");
}

#[test]
fn a_collator_that_sends_an_invalid_pov_is_told_so() {
	let text = explain(&[
		(0, "collator-protocol", Stage::Advertised),
		(15, "collator-protocol", Stage::Fetched),
		(90, "candidate-validation", Stage::Dropped(Reason::InvalidExecution)),
		(90, "candidate-backing", Stage::Dropped(Reason::InvalidExecution)),
		(18_000, "collator-protocol", Stage::Dropped(Reason::OutOfView)),
	]);
	let verdict = "It is invalid: the parachain's validation function rejected its proof of validity (PoV)";
	assert!(text.contains(verdict), "{text}");
}

#[test]
fn a_collator_that_is_late_is_told_so() {
	let text = explain(&[(0, "collator-protocol", Stage::Dropped(Reason::OutOfView))]);
	assert!(
		text.contains("It did not make it: it was too late: its scheduling parent left the view"),
		"{text}"
	);
}

#[test]
fn noise_does_not_hide_the_reason() {
	let text = explain(&[
		(0, "collator-protocol", Stage::Advertised),
		(5, "collator-protocol", Stage::Dropped(Reason::NoClaimQueueSlot)),
		(6, "statement-distribution", Stage::Dropped(Reason::UnexpectedMessage)),
		(7, "candidate-backing", Stage::Duplicate),
	]);
	assert!(text.contains("claim queue"), "{text}");
	assert!(!text.contains("unexpected"), "{text}");
}

#[test]
fn relay_parent_and_scheduling_parent_are_told_apart() {
	let [relay_parent, scheduling_parent] = [7, 9].map(Hash::from_low_u64_be);
	let zero = Hash::zero();
	let v2 = |relay_parent| {
		let code = ValidationCodeHash(zero);
		CandidateDescriptorV2::new_v2(PARA, relay_parent, CoreIndex(0), 1, zero, zero, zero, zero, code)
	};
	let told = |descriptor: &CandidateDescriptorV2| {
		let trace = Trace::new(Timestamp::from_unix_ms(START), "candidate-validation", Stage::Validated);
		let mut lifecycle = Lifecycle::default();
		lifecycle.record(&trace.candidate(hash(1)).descriptor(descriptor));
		CandidateView::from(lifecycle.candidate(&hash(1)).expect("it was told of"))
	};
	let v3 = told(&v2(relay_parent).into_v3(scheduling_parent, 1).expect("version 2 has the same fields"));
	assert_eq!((v3.relay_parent, v3.scheduling_parent), (Some(relay_parent), Some(scheduling_parent)));
	let words = format!("with relay parent {relay_parent:?} and scheduling parent {scheduling_parent:?}:");
	assert!(candidate(&v3).lines().next().unwrap().ends_with(&words), "{}", candidate(&v3));
	let v2 = candidate(&told(&v2(relay_parent)));
	assert!(v2.contains(&format!("with relay parent {relay_parent:?}, which schedules it:")), "{v2}");
}

#[test]
fn a_core_without_validators_is_named() {
	let mut lifecycle = Lifecycle::default();
	let session = testing::session(1, &testing::validator_keys(1), vec![vec![0], vec![]], None);
	let claims = [(CoreIndex(1), [PARA].into())].into();
	lifecycle.leaf(&testing::leaf(testing::block(10, &session, claims), Vec::new()));
	let nobody_heard = para(&(&lifecycle.para(PARA, 10).expect("it is told of")).into(), START);
	assert!(nobody_heard.contains("Core 1 has no validators"), "{nobody_heard}");

	// The collator knows its own candidate.
	let reason = Reason::CoreWithoutValidators;
	let trace = Trace::new(Timestamp::from_unix_ms(START), "collator-protocol", Stage::Dropped(reason));
	let trace = trace.candidate(hash(1)).para(PARA);
	lifecycle.record(&trace.evidence(Some(Evidence::Core { core: CoreIndex(1) })));
	let text = candidate(&lifecycle.candidate(&hash(1)).expect("it was told of").into());
	assert!(
		text.contains("core 1 has no validators (core_without_validators, by collator-protocol)"),
		"{text}"
	);
}

#[test]
fn a_para_has_its_newest_success_its_failures_and_the_counts() {
	let mut lifecycle = Lifecycle::default();
	tell(&mut lifecycle, 1, GOOD);
	tell(&mut lifecycle, 2, &[(13_000, "collator-protocol", Stage::Dropped(Reason::OutOfView))]);
	tell(&mut lifecycle, 3, &[(14_000, "collator-protocol", Stage::Advertised)]);
	let text = para(&(&lifecycle.para(PARA, 10).expect("it is known")).into(), START + 20_000);
	assert!(text.contains("of the last 3 candidates"), "{text}");
	assert!(text.contains("1 were included, 1 are on their way, 1 failed"), "{text}");
	assert!(text.contains("+12.100 s  included"), "{text}");
	assert!(text.contains("first seen 7.000 s ago"), "{text}");
	assert!(text.contains("Dropped since the node was started: out_of_view 1."), "{text}");
}

#[test]
fn answers_survive_the_wire() {
	let mut lifecycle = Lifecycle::default();
	tell(&mut lifecycle, 1, GOOD);
	tell(&mut lifecycle, 2, &[(9, "collator-protocol", Stage::Dropped(Reason::OutOfView))]);
	let view: ParaCandidates = (&lifecycle.para(PARA, 10).expect("it is known")).into();
	let json = serde_json::to_string(&view).expect("it is plain data");
	assert!(json.contains(r#""paraId":2000"#) && json.contains(r#""lastDrop":{"#), "{json}");
	assert_eq!(serde_json::from_str::<ParaCandidates>(&json).expect("it is what was written"), view);
}
