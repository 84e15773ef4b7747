//! Who is reported when, for what, and which reports of nodes are taken.

use super::*;
use crate::{
	disputes::testing::{hash, named_key, offences},
	mock::{config, with_chain, Chain, ParasSlashing, RuntimeCall, RuntimeOrigin, Test},
};
use codec::Encode;
use frame_support::{
	assert_noop, assert_ok,
	dispatch::{DispatchResultWithPostInfo, Pays},
	pallet_prelude::{InvalidTransaction, TransactionPriority, TransactionSource, TransactionValidityError},
};
use headway_primitives::DisputeProof;
use sp_runtime::{traits::Dispatchable, DispatchError};
use sp_session::MembershipProof;
use DisputeOffenceKind::{AgainstValid, ForInvalidApproved, ForInvalidBacked};

fn set(validators: &[u32]) -> BTreeSet<ValidatorIndex> {
	validators.iter().copied().map(ValidatorIndex).collect()
}

fn key(session: SessionIndex, validator: u32) -> ValidatorId {
	session_info::Sessions::<Test>::get(session).expect("the session is known").validators[validator as usize]
		.clone()
}

/// What waits: session, candidate, kind and validators.
fn pending() -> Vec<(SessionIndex, CandidateHash, DisputeOffenceKind, Vec<u32>)> {
	ParasSlashing::unapplied_slashes()
		.into_iter()
		.map(|(session, candidate, PendingSlashes { keys, kind })| {
			for (validator, id) in &keys {
				assert_eq!(*id, key(session, validator.0));
			}
			(session, candidate, kind, keys.into_keys().map(|validator| validator.0).collect())
		})
		.collect()
}

/// The report of a validator of session 0 about candidate 1.
fn report(validator: u32, kind: DisputeOffenceKind) -> DisputeProof {
	DisputeProof {
		time_slot: DisputesTimeSlot { session_index: 0, candidate_hash: hash(1) },
		kind,
		validator_index: ValidatorIndex(validator),
		validator_id: key(0, validator),
	}
}

fn call(report: DisputeProof, key_owner_proof: MembershipProof) -> Call<Test> {
	Call::report_dispute_lost_unsigned { dispute_proof: report.into(), key_owner_proof }
}

/// Executes a report with a good proof of the key that it names.
fn execute(report: DisputeProof) -> DispatchResultWithPostInfo {
	let proof = named_key(report.time_slot.session_index, &report.validator_id);
	RuntimeCall::from(call(report, proof)).dispatch(RuntimeOrigin::none())
}

/// Runs a test in session 1, with backer 0 and approver 1 of an invalid candidate of session 0 to be reported.
fn with_unapplied(test: impl FnOnce(&mut Chain)) {
	with_chain(config(), 6, 1, |chain| {
		chain.session_block();
		ParasSlashing::punish_for_invalid(0, hash(1), set(&[0, 1, 4]), &set(&[0, 4, 5]));
		test(chain);
	});
}

#[test]
fn losers_of_the_current_session_are_reported_at_once() {
	with_chain(config(), 6, 1, |_| {
		ParasSlashing::punish_for_invalid(0, hash(1), set(&[0, 1]), &set(&[0]));
		ParasSlashing::punish_against_valid(0, hash(2), set(&[2, 3]));
		assert_eq!(offences(), [(100, alloc::vec![0]), (2, alloc::vec![1]), (0, alloc::vec![2, 3])]);
		assert_eq!(pending(), []);
	});
}

#[test]
fn losers_of_the_session_that_ends_wait_for_reports() {
	with_chain(config(), 6, 1, |chain| {
		// Validators of the next session are the ones to be identified, although its first block is the next.
		chain.announce_session();
		ParasSlashing::punish_against_valid(0, hash(1), set(&[2]));
		assert_eq!(offences(), []);
		assert_eq!(pending(), [(0, hash(1), AgainstValid, alloc::vec![2])]);
	});
}

#[test]
fn losers_of_past_sessions_wait_for_reports_by_kind() {
	with_unapplied(|_| {
		// The first kind is where the reference has it, and each kind keeps its fraction.
		let first = UnappliedSlashes::<Test>::get(0, hash(1)).expect("it is stored");
		assert_eq!(first.kind, ForInvalidBacked);
		let both = [
			(0, hash(1), ForInvalidBacked, alloc::vec![0, 4]),
			(0, hash(1), ForInvalidApproved, alloc::vec![1]),
		];
		assert_eq!(pending(), both);
		let legacy = ParasSlashing::unapplied_slashes_legacy();
		assert_eq!(legacy.len(), 1);
		assert_eq!(legacy[0].2.kind, LegacyDisputeOffenceKind::ForInvalid);
		// More of a kind are added to it.
		ParasSlashing::punish_for_invalid(0, hash(1), set(&[2]), &set(&[0, 4]));
		assert_eq!(pending()[1], (0, hash(1), ForInvalidApproved, alloc::vec![1, 2]));
		assert_eq!(offences(), []);
	});
}

#[test]
fn backer_that_was_thought_an_approver_waits_as_a_backer_only() {
	with_unapplied(|_| {
		ParasSlashing::punish_for_invalid(0, hash(1), set(&[1]), &set(&[0, 1, 4]));
		assert_eq!(pending(), [(0, hash(1), ForInvalidBacked, alloc::vec![0, 1, 4])]);
	});
}

#[test]
fn report_removes_the_validator_and_is_free() {
	with_unapplied(|_| {
		let info = execute(report(0, ForInvalidBacked)).expect("the report is good");
		assert_eq!(info.pays_fee, Pays::No);
		assert_eq!(
			pending(),
			[
				(0, hash(1), ForInvalidBacked, alloc::vec![4]),
				(0, hash(1), ForInvalidApproved, alloc::vec![1]),
			]
		);
		assert_ok!(execute(report(1, ForInvalidApproved)));
		assert_ok!(execute(report(4, ForInvalidBacked)));
		assert_eq!(offences(), [(100, alloc::vec![0]), (2, alloc::vec![1]), (100, alloc::vec![4])]);
		assert_eq!(pending(), []);
		assert!(!UnappliedSlashes::<Test>::contains_key(0, hash(1)));
	});
}

#[test]
fn report_that_does_not_fit_is_refused() {
	with_unapplied(|_| {
		let good = || report(0, ForInvalidBacked);
		let with = |change: fn(&mut DisputeProof)| {
			let mut report = good();
			change(&mut report);
			report
		};
		for (name, report, expected) in [
			("candidate", with(|r| r.time_slot.candidate_hash = hash(9)), Error::InvalidCandidateHash),
			("kind", with(|r| r.kind = AgainstValid), Error::InvalidCandidateHash),
			("kind of another", with(|r| r.kind = ForInvalidApproved), Error::InvalidValidatorIndex),
			("index", with(|r| r.validator_index = ValidatorIndex(2)), Error::InvalidValidatorIndex),
			("key", with(|r| r.validator_index = ValidatorIndex(4)), Error::<Test>::ValidatorIndexIdMismatch),
		] {
			let error = execute(report).expect_err(name).error;
			assert_eq!(error, expected.into(), "{name}");
		}
		assert_ok!(execute(good()));
		let error = execute(good()).expect_err("it was reported").error;
		assert_eq!(error, Error::<Test>::InvalidValidatorIndex.into());
	});
}

#[test]
fn report_needs_a_proof_of_the_session_and_the_key() {
	with_unapplied(|_| {
		let report = || report(0, ForInvalidBacked);
		for proof in [named_key(1, &key(0, 0)), named_key(0, &key(0, 1))] {
			let call = RuntimeCall::from(call(report(), proof));
			assert_noop!(call.dispatch(RuntimeOrigin::none()), Error::<Test>::InvalidKeyOwnershipProof);
		}
	});
}

#[test]
fn offence_that_was_reported_before_is_refused() {
	with_unapplied(|_| {
		assert_ok!(execute(report(0, ForInvalidBacked)));
		ParasSlashing::punish_for_invalid(0, hash(1), set(&[0]), &set(&[0]));
		let before = pending();
		let error = execute(report(0, ForInvalidBacked)).expect_err("it is known").error;
		assert_eq!(error, Error::<Test>::DuplicateSlashingReport.into());
		assert_eq!(pending(), before);
	});
}

#[test]
fn report_has_no_origin() {
	with_unapplied(|_| {
		for origin in [RuntimeOrigin::root(), RuntimeOrigin::signed(1)] {
			let proof = named_key(0, &key(0, 0));
			let call = RuntimeCall::from(call(report(0, ForInvalidBacked), proof));
			assert_noop!(call.dispatch(origin), DispatchError::BadOrigin);
		}
	});
}

#[test]
fn pool_takes_reports_of_this_node_only() {
	with_unapplied(|_| {
		for (validator, kind, tag) in [
			(0, ForInvalidBacked, "DisputeForInvalidBacked"),
			(1, ForInvalidApproved, "DisputeForInvalidApproved"),
			(2, AgainstValid, "DisputeAgainstValid"),
		] {
			let report = report(validator, kind);
			let call = call(report.clone(), named_key(0, &report.validator_id));
			assert_eq!(
				ParasSlashing::validate_report(TransactionSource::External, &call),
				InvalidTransaction::Call.into()
			);
			for source in [TransactionSource::Local, TransactionSource::InBlock] {
				let valid = ParasSlashing::validate_report(source, &call).expect("the report is good");
				let provided = (tag, (&report.time_slot, &report.validator_id)).encode();
				assert_eq!(valid.provides, [provided]);
				assert_eq!((valid.priority, valid.longevity), (TransactionPriority::MAX, 10));
				assert!(!valid.propagate);
			}
		}
	});
}

#[test]
fn pool_refuses_reports_without_proof_or_news() {
	with_unapplied(|_| {
		let validate = |call: &Call<Test>| {
			let validity = ParasSlashing::validate_report(TransactionSource::Local, call).map(drop);
			assert_eq!(validity, ParasSlashing::pre_dispatch_report(call));
			validity
		};
		let with_proof = |proof| call(report(0, ForInvalidBacked), proof);
		let invalid = |error: InvalidTransaction| Err(TransactionValidityError::from(error));
		let good = with_proof(named_key(0, &key(0, 0)));
		assert_eq!(validate(&good), Ok(()));
		for proof in [named_key(1, &key(0, 0)), named_key(0, &key(0, 1))] {
			assert_eq!(validate(&with_proof(proof)), invalid(InvalidTransaction::BadProof));
		}
		assert_ok!(execute(report(0, ForInvalidBacked)));
		assert_eq!(validate(&good), invalid(InvalidTransaction::Stale));
	});
}

#[test]
fn nobody_is_punished_without_losers_or_backers() {
	with_chain(config(), 6, 1, |chain| {
		for session in [0, 1] {
			ParasSlashing::punish_for_invalid(0, hash(1), set(&[]), &set(&[0]));
			ParasSlashing::punish_for_invalid(0, hash(1), set(&[0]), &set(&[]));
			ParasSlashing::punish_against_valid(0, hash(1), set(&[]));
			assert_eq!((pending(), offences()), (Vec::new(), Vec::new()), "in session {session}");
			chain.session_block();
		}
	});
}

#[test]
fn slashes_are_forgotten_behind_the_dispute_period() {
	let mut config = config();
	config.dispute_period = 2;
	with_chain(config, 6, 1, |chain| {
		chain.session_block();
		chain.session_block();
		for session in [0, 1] {
			ParasSlashing::punish_for_invalid(session, hash(1), set(&[0, 1]), &set(&[0]));
		}
		chain.session_block();
		assert_eq!(ParasSlashing::unapplied_slashes().len(), 4);
		// Session 4 is the first that forgets: it is the dispute period and two.
		chain.session_block();
		assert!(ParasSlashing::unapplied_slashes().is_empty());
	});
}
