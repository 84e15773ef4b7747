//! Votes on new code.

use super::*;
use frame_support::{dispatch::GetDispatchInfo, pallet_prelude::InvalidTransaction};
#[allow(deprecated)]
use sp_runtime::traits::ValidateUnsigned;
use sp_runtime::transaction_validity::{TransactionSource, TransactionValidity, ValidTransaction};

/// What the transaction pool says of a vote.
#[allow(deprecated)]
fn in_pool(stmt: PvfCheckStatement, signature: ValidatorSignature) -> TransactionValidity {
	let call = Call::<Test>::include_pvf_check_statement { stmt, signature };
	Paras::validate_unsigned(TransactionSource::External, &call)
}

#[test]
fn unknown_code_is_stored_and_voted_on() {
	with_chain(config(), 4, 1, |_| {
		let hash = new_code().hash();
		register(NEW, new_code());
		assert_eq!(PvfActiveVoteList::<Test>::get(), [hash]);
		let vote = PvfActiveVoteMap::<Test>::get(hash).expect("the vote runs");
		assert_eq!((vote.votes_accept.len(), vote.votes_reject.len(), vote.age), (4, 4, 0));
		assert_eq!(CodeByHash::<Test>::get(hash), Some(new_code()));
		assert_eq!(refs(&new_code()), 1);
		assert!(happened(Event::PvfCheckStarted(hash, NEW)));
	});
}

#[test]
fn sessions_of_the_vote_count_for_onboarding() {
	with_chain(config(), 4, 1, |chain| {
		let hash = new_code().hash();
		register(NEW, new_code());
		assert_ok!(vote(true, hash, 0));
		// Ballots start over with a new session.
		chain.session_block();
		for validator in 0..3 {
			assert!(PvfActiveVoteMap::<Test>::contains_key(hash));
			assert_ok!(vote(true, hash, validator));
		}
		assert!(happened(Event::PvfCheckAccepted(hash, NEW)));
		assert!(PvfActiveVoteList::<Test>::get().is_empty());
		chain.session_block();
		assert_eq!(ParaLifecycles::<Test>::get(NEW), Some(ParaLifecycle::Parathread));
	});
}

#[test]
fn vote_without_quorum_ends_as_rejection() {
	with_chain(config(), 4, 1, |chain| {
		register(NEW, new_code());
		chain.session_block();
		assert_eq!(PvfActiveVoteMap::<Test>::get(new_code().hash()).map(|vote| vote.age), Some(1));
		chain.session_block();
		assert!(!ParaLifecycles::<Test>::contains_key(NEW));
		assert!(!UpcomingParasGenesis::<Test>::contains_key(NEW));
		assert!(!CurrentCodeHash::<Test>::contains_key(NEW));
		assert!(!CodeByHash::<Test>::contains_key(new_code().hash()));
		assert!(PvfActiveVoteList::<Test>::get().is_empty());
	});
}

#[test]
fn one_vote_decides_for_all_that_wait_for_the_code() {
	const OTHER: ParaId = ParaId(3001);
	for accept in [true, false] {
		with_chain(config(), 4, 1, |_| {
			let hash = new_code().hash();
			register(NEW, new_code());
			register(OTHER, new_code());
			include_upgrade();
			assert_eq!(PvfActiveVoteList::<Test>::get(), [hash]);
			assert_eq!(PvfActiveVoteMap::<Test>::get(hash).map(|vote| vote.causes.len()), Some(3));
			assert_eq!(refs(&new_code()), 3);
			for validator in 0..if accept { 3 } else { 2 } {
				assert_ok!(vote(accept, hash, validator));
			}
			assert!(PvfActiveVoteList::<Test>::get().is_empty());
			assert_eq!(refs(&new_code()), if accept { 3 } else { 0 });
			assert_eq!(CodeByHash::<Test>::contains_key(hash), accept);
			for id in [NEW, OTHER] {
				assert_eq!(ParaLifecycles::<Test>::contains_key(id), accept);
				assert_eq!(ActionsQueue::<Test>::get(2).contains(&id), accept);
				assert_eq!(happened(Event::PvfCheckRejected(hash, id)), !accept);
			}
			assert_eq!(FutureCodeUpgrades::<Test>::contains_key(A), accept);
			assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), (!accept).then_some(UpgradeGoAhead::Abort));
		});
	}
}

#[test]
fn more_than_two_thirds_accept_or_a_third_rejects() {
	// Validators; votes that accept; votes that reject.
	for (n, accepts, rejects) in [(1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 3, 2), (5, 4, 2), (6, 5, 2)] {
		for (accept, needed) in [(true, accepts), (false, rejects)] {
			with_chain(config(), n, 1, |_| {
				register(NEW, new_code());
				for validator in 0..needed {
					assert!(!PvfActiveVoteList::<Test>::get().is_empty(), "{n} {accept}");
					assert_ok!(vote(accept, new_code().hash(), validator));
				}
				assert!(PvfActiveVoteList::<Test>::get().is_empty(), "{n} {accept}");
				assert_eq!(ParaLifecycles::<Test>::contains_key(NEW), accept);
			});
		}
	}
}

#[test]
fn votes_are_checked_in_the_call_and_in_the_pool() {
	with_chain(config(), 4, 1, |chain| {
		chain.session_block();
		let hash = new_code().hash();
		register(NEW, new_code());
		assert_ok!(vote(true, hash, 0));
		let good = statement(true, hash, 1);
		type E = Error<Test>;
		use InvalidTransaction as Invalid;
		// A change to a good statement, who signs it, and what is wrong then.
		type Change = fn(&mut PvfCheckStatement);
		let cases: [(Change, u32, E, Invalid); 6] = [
			(|s| s.session_index = 0, 1, E::PvfCheckStatementStale, Invalid::Stale),
			(|s| s.session_index = 2, 1, E::PvfCheckStatementFuture, Invalid::Future),
			(
				|s| s.validator_index = ValidatorIndex(4),
				1,
				E::PvfCheckValidatorIndexOutOfBounds,
				Invalid::Custom(1),
			),
			(|_| (), 2, E::PvfCheckInvalidSignature, Invalid::BadProof),
			(|s| s.subject = code().hash(), 1, E::PvfCheckSubjectInvalid, Invalid::Custom(2)),
			(|s| s.validator_index = ValidatorIndex(0), 0, E::PvfCheckDoubleVote, Invalid::Custom(3)),
		];
		for (change, signer, error, invalid) in cases {
			let mut statement = good.clone();
			change(&mut statement);
			let signature = sign(&statement, signer);
			assert_eq!(in_pool(statement.clone(), signature.clone()), Err(invalid.into()));
			assert_noop!(
				Paras::include_pvf_check_statement(RuntimeOrigin::none(), statement, signature),
				error
			);
		}
		let signature = sign(&good, 1);
		assert_eq!(
			in_pool(good.clone(), signature.clone()),
			Ok(ValidTransaction {
				priority: 100,
				requires: Vec::new(),
				provides: alloc::vec![("PvfPreCheckingVote", (1u32, ValidatorIndex(1), hash)).encode()],
				longevity: 10,
				propagate: true,
			})
		);
		assert_noop!(
			Paras::include_pvf_check_statement(RuntimeOrigin::signed(1), good, signature),
			sp_runtime::DispatchError::BadOrigin
		);
	});
}

#[test]
fn only_the_decisive_vote_costs_its_full_weight() {
	with_chain(config(), 4, 1, |_| {
		register(NEW, new_code());
		let hash = new_code().hash();
		let small = <Test as Config>::WeightInfo::include_pvf_check_statement();
		for validator in 0..2 {
			let info = vote(true, hash, validator).expect("it is a good vote");
			assert_eq!(info.actual_weight, Some(small));
		}
		let last = statement(true, hash, 2);
		let call = Call::<Test>::include_pvf_check_statement { signature: sign(&last, 2), stmt: last };
		assert!(call.get_dispatch_info().call_weight.all_gte(small));
		assert!(call.get_dispatch_info().call_weight != small);
		assert_eq!(vote(true, hash, 2).expect("it is a good vote").actual_weight, None);
	});
}

#[test]
fn trusted_code_ends_its_vote() {
	with_chain(config(), 4, 1, |_| {
		register(NEW, new_code());
		trust(new_code());
		assert!(PvfActiveVoteList::<Test>::get().is_empty());
		assert!(happened(Event::PvfCheckAccepted(new_code().hash(), NEW)));
		assert_eq!(ActionsQueue::<Test>::get(2), [NEW]);
	});
}

#[test]
fn trusted_code_stays_until_it_is_poked_without_users() {
	let poke = |code: ValidationCode| {
		assert_ok!(Paras::poke_unused_validation_code(RuntimeOrigin::root(), code.hash()));
		CodeByHash::<Test>::contains_key(code.hash())
	};
	with_chain(config(), 4, 1, |_| {
		for _ in 0..2 {
			trust(new_code());
			assert_eq!(CodeByHash::<Test>::get(new_code().hash()), Some(new_code()));
			assert_eq!(refs(&new_code()), 0);
		}
		assert!(!poke(new_code()));
		assert!(poke(code()), "it has users");
	});
}
