//! Signals behind upward messages.

use crate::{convert, descriptors::near_boundary, generate::Gen, CASES};
use codec::Encode;
use headway_primitives::{
	transpose_claim_queue,
	ump::{self, ClaimQueueOffset, CoreSelector, UmpSignal, UmpSignalError},
	ClaimQueue, CommittedCandidateReceiptV2, CoreIndex, ParaId, UpwardMessage,
};
use polkadot_primitives::{self as theirs, CommittedCandidateReceiptError as TheirError};
use std::collections::BTreeMap;

const PARAS: [ParaId; 2] = [ParaId(1), ParaId(2)];

/// Up to six cores, up to four deep.
fn claim_queue(g: &mut Gen) -> ClaimQueue {
	let cores = g.below(7) as u32;
	(0..cores).map(|core| (CoreIndex(core), (0..g.below(5)).map(|_| g.pick(&PARAS)).collect())).collect()
}

fn signal(g: &mut Gen) -> UpwardMessage {
	let select_core = UmpSignal::SelectCore(CoreSelector(g.value()), ClaimQueueOffset(g.below(4) as u8));
	let mut message = match g.below(4) {
		0 | 1 => select_core.encode(),
		2 => UmpSignal::ApprovedPeer(g.value()).encode(),
		_ => g.pick(&[vec![], vec![2], vec![0, 1], [&[1, 5, 1][..], &[0; 65]].concat()]),
	};
	// Trailing bytes are tolerated.
	message.extend(g.pick(&[&[][..], &[], &[7]]));
	message
}

fn candidate(g: &mut Gen) -> CommittedCandidateReceiptV2 {
	let mut candidate = CommittedCandidateReceiptV2 { descriptor: near_boundary(g), commitments: g.value() };
	candidate.descriptor.para_id = PARAS[0];
	candidate.descriptor.core_index = g.below(7) as u16;
	let mut messages: Vec<_> = (0..g.below(3)).map(|_| vec![1]).collect();
	if g.below(4) > 0 {
		messages.push(Vec::new());
		messages.extend((0..g.below(5)).map(|_| signal(g)));
	}
	candidate.commitments.upward_messages = messages.try_into().expect("they are few");
	candidate
}

fn theirs_of(error: UmpSignalError) -> TheirError {
	match error {
		UmpSignalError::Decode => TheirError::UmpSignalDecode,
		UmpSignalError::Duplicate => TheirError::DuplicateUMPSignal,
		UmpSignalError::TooMany => TheirError::TooManyUMPSignals,
		UmpSignalError::SignalsWithV1 => TheirError::UMPSignalWithV1Descriptor,
		UmpSignalError::NoSignalsWithV3 => TheirError::NoUMPSignalWithV3Descriptor,
		UmpSignalError::UnknownVersion(version) => TheirError::UnknownVersion(version),
		UmpSignalError::NoAssignment(_) => TheirError::NoAssignment,
		UmpSignalError::CoreIndexMismatch { descriptor, selected } => TheirError::CoreIndexMismatch {
			descriptor: convert(&descriptor),
			commitments: convert(&selected),
		},
		UmpSignalError::InvalidCoreIndex(_) => TheirError::InvalidCoreIndex,
	}
}

#[test]
fn signals_are_parsed_and_cores_selected_alike() {
	let mut outcomes = BTreeMap::<&str, u32>::new();
	for seed in 0..50 * CASES {
		let mut g = Gen::new(seed);
		let (candidate, claim_queue) = (candidate(&mut g), claim_queue(&mut g));
		let theirs: theirs::CommittedCandidateReceiptV2 = convert(&candidate);
		let expected = theirs.parse_ump_signals(&theirs::transpose_claim_queue(convert(&claim_queue)));
		let ours = ump::parse_ump_signals(&candidate, &transpose_claim_queue(&claim_queue));
		let outcome = match (ours, expected) {
			(Ok(ours), Ok(theirs)) => {
				let select_core = theirs.core_selector().map(|(selector, offset)| (selector.0, offset.0));
				let ours_select_core = ours.select_core.map(|(selector, offset)| (selector.0, offset.0));
				assert_eq!(ours_select_core, select_core, "seed {seed}");
				assert_eq!(ours.approved_peer.as_ref(), theirs.approved_peer(), "seed {seed}");
				["none", "core", "peer", "both"]
					[usize::from(ours.select_core.is_some()) + 2 * usize::from(ours.approved_peer.is_some())]
			},
			(Err(ours), Err(theirs)) => {
				assert_eq!(theirs_of(ours), theirs, "seed {seed}");
				match ours {
					UmpSignalError::Decode => "decode",
					UmpSignalError::Duplicate => "duplicate",
					UmpSignalError::TooMany => "too many",
					UmpSignalError::SignalsWithV1 => "V1",
					UmpSignalError::NoSignalsWithV3 => "V3",
					UmpSignalError::UnknownVersion(_) => "unknown",
					UmpSignalError::NoAssignment(_) => "no assignment",
					UmpSignalError::CoreIndexMismatch { .. } => "mismatch",
					UmpSignalError::InvalidCoreIndex(_) => "invalid",
				}
			},
			(ours, theirs) => panic!("seed {seed}: we say {ours:?}, they say {theirs:?}"),
		};
		*outcomes.entry(outcome).or_default() += 1;
	}
	// The generated candidates reach everything that can come out.
	assert_eq!(outcomes.len(), 13, "{outcomes:?}");
}

#[test]
fn what_counts_as_a_message_is_the_same() {
	for seed in 0..CASES {
		let messages = candidate(&mut Gen::new(seed)).commitments.upward_messages;
		let ours: Vec<_> = ump::skip_ump_signals(messages.iter()).collect();
		assert_eq!(ours, theirs::skip_ump_signals(messages.iter()).collect::<Vec<_>>(), "seed {seed}");
	}
}

#[test]
fn claim_queues_are_transposed_alike() {
	for seed in 0..CASES {
		let claim_queue = claim_queue(&mut Gen::new(seed));
		let theirs = theirs::transpose_claim_queue(convert(&claim_queue));
		assert_eq!(transpose_claim_queue(&claim_queue), convert(&theirs), "seed {seed}");
	}
}
