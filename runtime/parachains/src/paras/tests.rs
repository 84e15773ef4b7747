//! Heads, code, upgrades, votes on code, and lifecycle.

use super::*;
use crate::mock::{code, config, head, key, with_chain, Chain, Paras, RuntimeOrigin, System, Test};
use frame_support::{assert_noop, assert_ok};
use headway_primitives::ValidatorIndex;

const A: ParaId = ParaId(2000);
const NEW: ParaId = ParaId(3000);

fn new_code() -> ValidationCode {
	ValidationCode(alloc::vec![2; 64])
}

fn genesis_args(code: ValidationCode, para_kind: ParaKind) -> ParaGenesisArgs {
	ParaGenesisArgs { genesis_head: head("new"), validation_code: code, para_kind }
}

fn vote(accept: bool, subject: ValidationCodeHash, validator: u32) -> sp_runtime::DispatchResult {
	let statement = PvfCheckStatement {
		accept,
		subject,
		session_index: shared::CurrentSessionIndex::<Test>::get(),
		validator_index: ValidatorIndex(validator),
	};
	let signature = key(ValidatorIndex(validator)).sign(&statement.signing_payload()).into();
	Paras::include_pvf_check_statement(RuntimeOrigin::none(), statement, signature)
}

#[test]
fn kind_encodes_as_a_boolean() {
	for (kind, expected) in [(ParaKind::Parathread, false), (ParaKind::Parachain, true)] {
		assert_eq!(kind.encode(), expected.encode());
		assert_eq!(serde_json::to_value(kind).expect("serializes"), serde_json::json!(expected));
	}
}

#[test]
fn genesis_arguments_are_an_object_or_an_array() {
	let args = genesis_args(ValidationCode(alloc::vec![1, 2]), ParaKind::Parachain);
	for json in [
		serde_json::json!({ "genesis_head": "0x6e6577", "validation_code": "0x0102", "parachain": true }),
		serde_json::json!(["0x6e6577", "0x0102", true]),
	] {
		assert_eq!(serde_json::from_value::<ParaGenesisArgs>(json).expect("parses"), args);
	}
}

#[test]
fn empty_code_or_known_para_cannot_onboard() {
	with_chain(config(), 4, 1, |_| {
		let args = |code| genesis_args(code, ParaKind::Parathread);
		assert_noop!(
			Paras::schedule_para_initialize(NEW, args(ValidationCode(Vec::new()))),
			Error::<Test>::CannotOnboard
		);
		assert_noop!(Paras::schedule_para_initialize(A, args(code())), Error::<Test>::CannotOnboard);
	});
}

#[test]
fn known_code_onboards_two_sessions_later() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(Paras::schedule_para_initialize(NEW, genesis_args(code(), ParaKind::Parachain)));
		assert_eq!(ParaLifecycles::<Test>::get(NEW), Some(ParaLifecycle::Onboarding));
		chain.session_block();
		assert!(!Heads::<Test>::contains_key(NEW));
		chain.session_block();
		assert_eq!(ParaLifecycles::<Test>::get(NEW), Some(ParaLifecycle::Parachain));
		assert_eq!(Heads::<Test>::get(NEW), Some(head("new")));
		assert_eq!(Parachains::<Test>::get(), [A, NEW]);
		assert_eq!(CodeByHashRefs::<Test>::get(code().hash()), 2);
	});
}

#[test]
fn unknown_code_is_voted_on() {
	with_chain(config(), 4, 1, |chain| {
		let hash = new_code().hash();
		assert_ok!(Paras::schedule_para_initialize(NEW, genesis_args(new_code(), ParaKind::Parathread)));
		assert_eq!(PvfActiveVoteList::<Test>::get(), [hash]);
		assert_ok!(vote(true, hash, 0));
		assert_noop!(vote(true, hash, 0), Error::<Test>::PvfCheckDoubleVote);
		assert_noop!(vote(true, code().hash(), 0), Error::<Test>::PvfCheckSubjectInvalid);
		// Ballots start over with a new session.
		chain.session_block();
		for validator in 0..3 {
			assert_ok!(vote(true, hash, validator));
		}
		assert!(PvfActiveVoteList::<Test>::get().is_empty());
		chain.session_block();
		assert_eq!(ParaLifecycles::<Test>::get(NEW), Some(ParaLifecycle::Parathread));
	});
}

#[test]
fn rejected_code_undoes_the_registration() {
	with_chain(config(), 4, 1, |_| {
		let hash = new_code().hash();
		assert_ok!(Paras::schedule_para_initialize(NEW, genesis_args(new_code(), ParaKind::Parathread)));
		assert_ok!(vote(false, hash, 0));
		assert_ok!(vote(false, hash, 1));
		assert!(!ParaLifecycles::<Test>::contains_key(NEW));
		assert!(!CurrentCodeHash::<Test>::contains_key(NEW));
		assert!(!CodeByHash::<Test>::contains_key(hash));
	});
}

#[test]
fn vote_without_quorum_ends_as_rejection() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(Paras::schedule_para_initialize(NEW, genesis_args(new_code(), ParaKind::Parathread)));
		chain.session_block();
		assert!(ParaLifecycles::<Test>::contains_key(NEW));
		chain.session_block();
		assert!(!ParaLifecycles::<Test>::contains_key(NEW));
	});
}

#[test]
fn votes_are_checked() {
	with_chain(config(), 4, 1, |_| {
		let hash = new_code().hash();
		assert_ok!(Paras::schedule_para_initialize(NEW, genesis_args(new_code(), ParaKind::Parathread)));
		let call = |session_index, index: u32, signer: u32| {
			let statement = PvfCheckStatement {
				accept: true,
				subject: hash,
				session_index,
				validator_index: ValidatorIndex(index),
			};
			let signature = key(ValidatorIndex(signer)).sign(&statement.signing_payload()).into();
			Paras::include_pvf_check_statement(RuntimeOrigin::none(), statement, signature)
		};
		assert_noop!(call(1, 0, 0), Error::<Test>::PvfCheckStatementFuture);
		assert_noop!(call(0, 9, 0), Error::<Test>::PvfCheckValidatorIndexOutOfBounds);
		assert_noop!(call(0, 0, 1), Error::<Test>::PvfCheckInvalidSignature);
		shared::CurrentSessionIndex::<Test>::put(1);
		assert_noop!(call(0, 0, 0), Error::<Test>::PvfCheckStatementStale);
	});
}

#[test]
fn trusted_code_ends_its_vote() {
	with_chain(config(), 4, 1, |_| {
		assert_ok!(Paras::schedule_para_initialize(NEW, genesis_args(new_code(), ParaKind::Parathread)));
		assert_ok!(Paras::add_trusted_validation_code(RuntimeOrigin::root(), new_code()));
		assert!(PvfActiveVoteList::<Test>::get().is_empty());
		let other = ValidationCode(alloc::vec![3; 64]);
		assert_ok!(Paras::add_trusted_validation_code(RuntimeOrigin::root(), other.clone()));
		assert!(CodeByHash::<Test>::contains_key(other.hash()));
		assert_ok!(Paras::poke_unused_validation_code(RuntimeOrigin::root(), other.hash()));
		assert!(!CodeByHash::<Test>::contains_key(other.hash()));
		assert_ok!(Paras::poke_unused_validation_code(RuntimeOrigin::root(), code().hash()));
		assert!(CodeByHash::<Test>::contains_key(code().hash()), "it has users");
	});
}

/// Schedules an upgrade of A to trusted code, in the block to come.
fn upgrade() {
	assert_ok!(Paras::add_trusted_validation_code(RuntimeOrigin::root(), new_code()));
	let config = configuration::ActiveConfig::<Test>::get();
	Paras::schedule_code_upgrade(
		A,
		new_code(),
		System::block_number(),
		&config,
		UpgradeStrategy::SetGoAheadSignal,
	);
}

fn advance_to(chain: &mut Chain, number: BlockNumber) {
	while chain.number() < number {
		chain.empty_block();
	}
}

#[test]
fn upgrade_goes_ahead_and_the_next_head_switches() {
	with_chain(config(), 4, 1, |chain| {
		upgrade();
		// At least 5 blocks from acceptance, 3 from inclusion.
		assert_eq!(FutureCodeUpgrades::<Test>::get(A), Some(6));
		assert!(UpgradeRestrictionSignal::<Test>::contains_key(A));
		assert!(!Paras::can_upgrade_validation_code(A));
		advance_to(chain, 5);
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), None);
		advance_to(chain, 6);
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), Some(UpgradeGoAhead::GoAhead));

		// A head from before the block keeps the code.
		Paras::note_new_head(A, head("a1"), 5);
		assert_eq!(CurrentCodeHash::<Test>::get(A), Some(code().hash()));
		Paras::note_new_head(A, head("a2"), 6);
		assert_eq!(CurrentCodeHash::<Test>::get(A), Some(new_code().hash()));
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), None);
		assert_eq!(PastCodeHash::<Test>::get((A, 6)), Some(code().hash()));

		// The cooldown of 10 blocks is over at the end of block 11.
		advance_to(chain, 11);
		assert!(UpgradeRestrictionSignal::<Test>::contains_key(A));
		advance_to(chain, 12);
		assert!(Paras::can_upgrade_validation_code(A));
	});
}

#[test]
fn replaced_code_is_kept_for_the_retention_period() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(Paras::force_set_current_code(RuntimeOrigin::root(), A, new_code()));
		// Replaced in block 1, kept for 10 blocks.
		advance_to(chain, 11);
		assert!(CodeByHash::<Test>::contains_key(code().hash()));
		advance_to(chain, 12);
		assert!(!CodeByHash::<Test>::contains_key(code().hash()));
		assert!(!PastCodeHash::<Test>::contains_key((A, 1)));
	});
}

#[test]
fn forced_upgrade_applies_without_the_para() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(Paras::add_trusted_validation_code(RuntimeOrigin::root(), new_code()));
		assert_ok!(Paras::force_schedule_code_upgrade(RuntimeOrigin::root(), A, new_code(), 1));
		advance_to(chain, 6);
		assert_eq!(CurrentCodeHash::<Test>::get(A), Some(new_code().hash()));
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), None);
	});
}

#[test]
fn rejected_upgrade_is_aborted_until_the_next_head() {
	with_chain(config(), 4, 1, |_| {
		let config = configuration::ActiveConfig::<Test>::get();
		Paras::schedule_code_upgrade(A, new_code(), 1, &config, UpgradeStrategy::SetGoAheadSignal);
		let hash = new_code().hash();
		assert_ok!(vote(false, hash, 0));
		assert_ok!(vote(false, hash, 1));
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), Some(UpgradeGoAhead::Abort));
		assert!(!FutureCodeHash::<Test>::contains_key(A));
		Paras::note_new_head(A, head("a1"), 1);
		assert_eq!(UpgradeGoAheadSignal::<Test>::get(A), None);
	});
}

#[test]
fn upgrade_to_the_current_code_is_ignored() {
	with_chain(config(), 4, 1, |_| {
		let config = configuration::ActiveConfig::<Test>::get();
		Paras::schedule_code_upgrade(A, code(), 1, &config, UpgradeStrategy::SetGoAheadSignal);
		assert!(!FutureCodeHash::<Test>::contains_key(A));
		assert_eq!(CodeByHashRefs::<Test>::get(code().hash()), 1);
	});
}

#[test]
fn offboarded_para_is_gone_two_sessions_later() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(Paras::schedule_para_cleanup(A));
		assert_noop!(Paras::schedule_para_cleanup(A), Error::<Test>::CannotOffboard);
		assert!(!Paras::is_valid_para(A));
		chain.session_block();
		assert!(Heads::<Test>::contains_key(A));
		chain.session_block();
		assert!(!Heads::<Test>::contains_key(A));
		assert!(!ParaLifecycles::<Test>::contains_key(A));
		assert!(Parachains::<Test>::get().is_empty());
		let at = chain.number();
		assert!(CodeByHash::<Test>::contains_key(code().hash()), "disputes may need it");
		advance_to(chain, at + 12);
		assert!(!CodeByHash::<Test>::contains_key(code().hash()));
		assert!(!PastCodeMeta::<Test>::contains_key(A));
	});
}

#[test]
fn para_with_waiting_messages_or_a_vote_cannot_offboard() {
	with_chain(config(), 4, 2, |_| {
		let config = configuration::ActiveConfig::<Test>::get();
		Paras::schedule_code_upgrade(A, new_code(), 1, &config, UpgradeStrategy::SetGoAheadSignal);
		assert_noop!(Paras::schedule_para_cleanup(A), Error::<Test>::CannotOffboard);
		use frame_support::traits::EnqueueMessage;
		let b = ParaId(2001);
		let message = frame_support::BoundedSlice::try_from(&[1u8][..]).expect("it is short");
		crate::mock::Queue::enqueue_message(message, crate::inclusion::upward_queue(b));
		assert_noop!(Paras::schedule_para_cleanup(b), Error::<Test>::CannotOffboard);
		assert_eq!(ParaLifecycles::<Test>::get(b), Some(ParaLifecycle::Parachain));
	});
}

#[test]
fn kind_changes_two_sessions_later() {
	with_chain(config(), 4, 1, |chain| {
		assert_noop!(Paras::schedule_parathread_upgrade(A), Error::<Test>::CannotUpgrade);
		assert_noop!(Paras::schedule_parathread_upgrade(NEW), Error::<Test>::NotRegistered);
		assert_ok!(Paras::schedule_parachain_downgrade(A));
		assert_noop!(Paras::schedule_parachain_downgrade(A), Error::<Test>::CannotDowngrade);
		chain.session_block();
		chain.session_block();
		assert_eq!(ParaLifecycles::<Test>::get(A), Some(ParaLifecycle::Parathread));
		assert!(Parachains::<Test>::get().is_empty());
		assert_ok!(Paras::schedule_parathread_upgrade(A));
		// Root can hurry.
		assert_ok!(Paras::force_queue_action(RuntimeOrigin::root(), A));
		chain.session_block();
		assert_eq!(Parachains::<Test>::get(), [A]);
	});
}
