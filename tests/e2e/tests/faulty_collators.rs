//! Collators that do something wrong: each candidate that comes to nothing is told with its reason, in the same way by RPC,
//! metrics and `headway explain`.

use headway_e2e::{program, TestNetwork};
use headway_rpc_api::{views::EvidenceView, CandidateView, DropView};
use headway_testnet::{watch::Watch, Fault, Role};
use std::{process::Command, time::Duration};

/// Generous: machines that run tests may be slow and busy.
const LONG: Duration = Duration::from_secs(300);
/// Candidates that are asked for.
const NEWEST: u32 = 100;

/// A para, what its collator does wrong, and what is said of that.
struct Case {
	para: u32,
	fault: Fault,
	/// As in metrics and RPC.
	reason: &'static str,
	kind: &'static str,
	/// Words of the explanation.
	words: &'static [&'static str],
	/// Whether a loss is one by this fault, and no accident on a slow machine.
	is_meant: fn(&CandidateView, &DropView) -> bool,
}

const CASES: [Case; 3] = [
	Case {
		para: 2000,
		fault: Fault::LosingFork,
		reason: "conflicts_with_pending",
		kind: "refused",
		words: &[
			"It was not taken from its collator: it is on a losing fork: another candidate, 0x",
			"holds the place on parent head 0x",
			"because it is backed on the relay chain already",
		],
		is_meant: |_, drop| matches!(drop.evidence, Some(EvidenceView::Rival { .. })),
	},
	Case {
		para: 2001,
		fault: Fault::InvalidPov,
		reason: "invalid_execution",
		kind: "invalid",
		words: &["It is invalid: the parachain's validation function rejected its proof of validity (PoV)"],
		is_meant: |_, _| true,
	},
	Case {
		para: 2002,
		fault: Fault::Late,
		reason: "out_of_view",
		kind: "dropped",
		words: &[
			"It did not make it: it was too late: its scheduling parent, block #",
			"left the allowed ancestry",
		],
		// It was so when it was offered, not only in the end.
		is_meant: |candidate, drop| {
			matches!(drop.evidence, Some(EvidenceView::LeftView { .. })) && candidate.stages.is_empty()
		},
	},
];

/// The validator that saw what became of a candidate, and the candidate.
struct Lost {
	node: String,
	candidate: CandidateView,
	drop: DropView,
}

/// A candidate that came to nothing by its collator's fault, as a validator tells of it. Which one is responsible for the
/// para changes with time.
async fn lost(network: &mut TestNetwork, case: &Case) -> Lost {
	let what = format!("a candidate of {} lost by {:?}", case.para, case.fault);
	let lost_at = |candidate: CandidateView| {
		let drop = candidate.lost.clone()?;
		(drop.telling() == case.reason && (case.is_meant)(&candidate, &drop)).then_some((candidate, drop))
	};
	network
		.until(&what, LONG, async |network| {
			for node in network.nodes.iter().filter(|node| node.role == Role::Validator) {
				let seen = node.rpc().await?.candidates(case.para, NEWEST).await?;
				let candidates = seen.map(|para| para.candidates).unwrap_or_default();
				if let Some((candidate, drop)) = candidates.into_iter().find_map(lost_at) {
					return Ok(Some(Lost { node: node.name.clone(), candidate, drop }));
				}
			}
			Ok(None)
		})
		.await
}

/// What `headway explain` prints about something.
fn explain(network: &mut TestNetwork, node: &str, subject: &str) -> String {
	let url = format!("ws://127.0.0.1:{}", network.node(node).expect("it is in the network").rpc_port);
	let output = Command::new(program()).args(["explain", subject, "--url", &url]).output();
	let output = output.expect("the program is there");
	let text = String::from_utf8(output.stdout).expect("it prints text");
	assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
	println!("headway explain {subject} (asked of {node}):\n{text}");
	text
}

/// A candidate of [`lost`] is told everywhere in the same way.
async fn is_told(network: &mut TestNetwork, case: &Case, Lost { node, candidate, drop }: Lost) {
	let (para, hash) = (case.para.to_string(), format!("{:?}", candidate.candidate_hash));
	assert_eq!((&*candidate.outcome, &*drop.kind), ("lost", case.kind), "{candidate:?}");
	let rpc = network.node(&node).unwrap().rpc().await.expect("the node runs");
	let alone = rpc.candidate(candidate.candidate_hash).await.expect("the node answers");
	let alone = alone.and_then(|candidate| candidate.lost).expect("it remembers a lost candidate");
	assert_eq!((alone.telling(), &alone.evidence), (case.reason, &drop.evidence));

	for subject in [&hash, &para] {
		let text = explain(network, &node, subject);
		assert!(text.contains(&hash), "{text}");
		for words in case.words {
			assert!(text.contains(words), "{words}: {text}");
		}
		assert!(text.contains(case.reason), "{text}");
	}

	let counted = rpc.candidates(case.para, 1).await.expect("the node answers").expect("the para is known");
	assert!(counted.dropped.get(case.reason).is_some_and(|count| *count > 0), "{counted:?}");
	let metrics = network.node(&node).unwrap().metrics().await.expect("the node has metrics");
	let labels = [("para", &*para), ("reason", case.reason), ("subsystem", &*drop.subsystem)];
	let count = metrics.sum("headway_candidates_dropped_total", &labels).unwrap_or_default();
	assert!(count > 0., "no {labels:?} in the metrics of {node}");

	// The collator does not know why, but that it is lost, and whom to ask.
	let collator = format!("collator-{para}");
	network
		.until("the collator gives it up", LONG, async |network| {
			let rpc = network.node(&collator)?.rpc().await?;
			let seen = rpc.candidate(candidate.candidate_hash).await?;
			Ok(seen.filter(|candidate| candidate.lost.is_some()).map(|_| ()))
		})
		.await;
	let text = explain(network, &collator, &hash);
	assert!(text.contains("It did not make it"), "{text}");
	assert!(text.contains("those of its group"), "{text}");
}

/// Three parachains, each with a collator that has a fault now and then. Good blocks are included before and after: of the same
/// collator, or, as validators turn away one that sent an invalid block, of another.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_faulty_collator_loses_is_told_in_plain_words_and_its_para_goes_on() {
	let mut network = TestNetwork::start(|config| {
		config.validators = 3;
		config.parachains = CASES.len() as u32;
		config.faults = CASES.iter().map(|case| (case.para, case.fault)).collect();
	})
	.await;
	network.add_collator(2001).expect("the program is there");
	for case in &CASES {
		let lost = lost(&mut network, case).await;
		is_told(&mut network, case, lost).await;
	}

	let rpc = network.node("alice").unwrap().rpc().await.expect("the node runs");
	let mut watch = Watch::from(0, network.paras());
	watch.advance(&rpc).await.expect("the node runs");
	// What was on its way before is included within these blocks.
	let after = watch.best() + 5;
	network
		.until("inclusion of good blocks of every para", LONG, async |_| {
			watch.advance(&rpc).await?;
			let goes_on = |case: &Case| watch.history(case.para).relay_blocks_with_inclusion(after) > 0;
			Ok(CASES.iter().all(goes_on).then_some(()))
		})
		.await;
	assert!(network.log_lines("panicked at").is_empty());
}
