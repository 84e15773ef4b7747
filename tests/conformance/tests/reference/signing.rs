//! Hashes, and the bytes that validators sign.

use crate::{convert, generate::Gen, CASES};
use headway_primitives::*;
use polkadot_parachain_primitives::primitives as abi;
use polkadot_primitives as theirs;
use sp_core::Pair;

#[test]
fn hashes() {
	for seed in 0..CASES {
		let mut g = Gen::new(seed);
		let head: HeadData = g.value();
		assert_eq!(head.hash(), convert::<_, abi::HeadData>(&head).hash());
		let code: ValidationCode = g.value();
		assert_eq!(code.hash(), convert(&convert::<_, abi::ValidationCode>(&code).hash()));
		let commitments: CandidateCommitments = g.value();
		assert_eq!(commitments.hash(), convert::<_, theirs::CandidateCommitments>(&commitments).hash());
		let data: PersistedValidationData = g.value();
		assert_eq!(data.hash(), convert::<_, theirs::PersistedValidationData>(&data).hash());
		let params: ExecutorParams = g.value();
		assert_eq!(params.hash(), convert(&convert::<_, theirs::ExecutorParams>(&params).hash()));
		let receipt: CandidateReceiptV2 = g.value();
		assert_eq!(receipt.hash(), convert(&convert::<_, theirs::CandidateReceiptV2>(&receipt).hash()));
		let committed: CommittedCandidateReceiptV2 = g.value();
		let their_committed: theirs::CommittedCandidateReceiptV2 = convert(&committed);
		assert_eq!(committed.hash(), convert(&their_committed.hash()));
		assert_eq!(committed.to_plain(), convert(&their_committed.to_plain()));
		let backed: BackedCandidate = g.value();
		assert_eq!(backed.hash(), convert(&convert::<_, theirs::BackedCandidate>(&backed).hash()));
	}
}

#[test]
fn committed_receipts_have_the_same_order() {
	for seed in 0..CASES {
		let mut g = Gen::new(seed);
		let [a, mut b]: [CommittedCandidateReceiptV2; 2] = [g.value(), g.value()];
		if g.value() {
			b.descriptor.para_id = a.descriptor.para_id;
		}
		let [their_a, their_b]: [theirs::CommittedCandidateReceiptV2; 2] = [convert(&a), convert(&b)];
		assert_eq!(a.cmp(&b), their_a.cmp(&their_b), "seed {seed}");
	}
}

#[test]
fn votes_and_core_of_backed_candidates() {
	for seed in 0..CASES {
		let ours: BackedCandidate = Gen::new(seed).value();
		let theirs: theirs::BackedCandidate = convert(&ours);
		let (votes, core) = theirs.validator_indices_and_core_index();
		let core = core.map(|core| CoreIndex(core.0));
		assert_eq!(ours.validator_indices_and_core_index(), (votes, core), "seed {seed}");
	}
}

#[test]
fn backing_statements() {
	for seed in 0..CASES {
		let mut g = Gen::new(seed);
		let context: SigningContext = g.value();
		let their_context: theirs::SigningContext = convert(&context);
		let statement: CompactStatement = g.value();
		let payload = statement.signing_payload(&context);
		let their_statement: theirs::CompactStatement = convert(&statement);
		assert_eq!(payload, their_statement.signing_payload(&their_context), "seed {seed}");

		let (candidate, signature) = (statement.candidate_hash(), g.value());
		let attestation = match statement {
			CompactStatement::Seconded(_) => ValidityAttestation::Implicit(signature),
			CompactStatement::Valid(_) => ValidityAttestation::Explicit(signature),
		};
		let attestation: theirs::ValidityAttestation = convert(&attestation);
		assert_eq!(payload, attestation.signed_payload(convert(&candidate), &their_context), "seed {seed}");
	}
}

/// What we sign, they verify; and nothing else. The payload of theirs is not public.
#[test]
fn signed_statements_and_bitfields() {
	for seed in 0..CASES / 10 {
		let mut g = Gen::new(seed);
		let pair = ValidatorPair::from_seed(&g.value());
		let key: theirs::ValidatorId = convert(&pair.public());
		let context: SigningContext = g.value();
		let their_context: theirs::SigningContext = convert(&context);
		let validator_index = g.value();

		let payload: AvailabilityBitfield = g.value();
		let signature = pair.sign(&payload.signing_payload(&context));
		let signed = UncheckedSigned { payload, validator_index, signature };
		let their_signed: theirs::UncheckedSignedAvailabilityBitfield = convert(&signed);
		assert_eq!(their_signed.check_signature(&their_context, &key), Ok(()), "seed {seed}");
		let other =
			theirs::SigningContext { session_index: context.session_index ^ 1, ..their_context.clone() };
		assert_eq!(their_signed.check_signature(&other, &key), Err(()), "seed {seed}");

		let payload: CompactStatement = g.value();
		let signature = pair.sign(&payload.signing_payload(&context));
		let signed = UncheckedSigned { payload, validator_index, signature };
		let their_signed: theirs::UncheckedSignedStatement = convert(&signed);
		assert_eq!(their_signed.check_signature(&their_context, &key), Ok(()), "seed {seed}");
	}
}

#[test]
fn dispute_votes() {
	use ValidDisputeStatementKind::ApprovalCheckingMultipleCandidates;
	let mut without_payload = 0;
	for seed in 0..10 * CASES {
		let mut g = Gen::new(seed);
		let (statement, mut candidate, session): (DisputeStatement, CandidateHash, SessionIndex) = g.value();
		if let DisputeStatement::Valid(ApprovalCheckingMultipleCandidates(approved)) = &statement {
			// Mostly, it approves the candidate too.
			if !approved.is_empty() && g.below(4) > 0 {
				candidate = approved[g.below(approved.len())];
			}
		}
		let theirs: theirs::DisputeStatement = convert(&statement);
		let payload = statement.signing_payload(candidate, session);
		assert_eq!(payload, theirs.payload_data(convert(&candidate), session).ok(), "{statement:?}");
		without_payload += usize::from(payload.is_none());
	}
	assert!(without_payload > 0, "approvals of other candidates are among the cases");
}

#[test]
fn votes_on_validation_code() {
	for seed in 0..CASES {
		let ours: PvfCheckStatement = Gen::new(seed).value();
		let theirs: theirs::PvfCheckStatement = convert(&ours);
		assert_eq!(ours.signing_payload(), theirs.signing_payload(), "seed {seed}");
	}
}
