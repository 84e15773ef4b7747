//! How paras come, change kind and go.

use super::*;

#[test]
fn empty_code_or_known_para_cannot_onboard() {
	with_chain(config(), 4, 1, |_| {
		let schedule =
			|id, code| Paras::schedule_para_initialize(id, genesis_args(code, ParaKind::Parathread));
		assert_noop!(schedule(NEW, ValidationCode(Vec::new())), Error::<Test>::CannotOnboard);
		assert_noop!(schedule(A, code()), Error::<Test>::CannotOnboard);
		assert_ok!(schedule(NEW, code()));
		assert_noop!(schedule(NEW, code()), Error::<Test>::CannotOnboard);
	});
}

#[test]
fn known_code_onboards_two_sessions_later() {
	for (kind, lifecycle, parachains) in [
		(ParaKind::Parachain, ParaLifecycle::Parachain, &[A, NEW][..]),
		(ParaKind::Parathread, ParaLifecycle::Parathread, &[A][..]),
	] {
		with_chain(config(), 4, 1, |chain| {
			assert_ok!(Paras::schedule_para_initialize(NEW, genesis_args(code(), kind)));
			assert_eq!(ParaLifecycles::<Test>::get(NEW), Some(ParaLifecycle::Onboarding));
			let stored = UpcomingParasGenesis::<Test>::get(NEW).expect("it is upcoming");
			assert!(stored.validation_code.0.is_empty(), "the code is stored once, by its hash");
			chain.session_block();
			assert!(!Heads::<Test>::contains_key(NEW) && !Paras::is_valid_para(NEW));
			chain.session_block();
			assert_eq!(ParaLifecycles::<Test>::get(NEW), Some(lifecycle));
			assert_eq!(Heads::<Test>::get(NEW), Some(head("new")));
			assert_eq!(MostRecentContext::<Test>::get(NEW), Some(0));
			assert_eq!(Parachains::<Test>::get(), parachains);
			assert_eq!(refs(&code()), 2);
		});
	}
}

#[test]
fn lifecycles_have_their_predicates() {
	use ParaLifecycle as L;
	// Lifecycle; stable, parachain, parathread, valid.
	for (lifecycle, expected) in [
		(L::Onboarding, (false, false, false, false)),
		(L::Parathread, (true, false, true, true)),
		(L::Parachain, (true, true, false, true)),
		(L::UpgradingParathread, (false, false, true, true)),
		(L::DowngradingParachain, (false, true, false, true)),
		(L::OffboardingParathread, (false, false, true, false)),
		(L::OffboardingParachain, (false, true, false, false)),
	] {
		with_chain(config(), 4, 0, |_| {
			ParaLifecycles::<Test>::insert(A, lifecycle);
			let is = (
				lifecycle.is_stable(),
				Paras::is_parachain(A),
				Paras::is_parathread(A),
				Paras::is_valid_para(A),
			);
			assert_eq!(is, expected, "{lifecycle:?}");
		});
	}
}

#[test]
fn offboarded_para_is_gone_two_sessions_later() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(Paras::schedule_para_cleanup(NEW), ());
		assert_ok!(Paras::schedule_para_cleanup(A));
		assert_noop!(Paras::schedule_para_cleanup(A), Error::<Test>::CannotOffboard);
		assert!(!Paras::is_valid_para(A));
		chain.session_block();
		assert!(Heads::<Test>::contains_key(A));
		chain.session_block();
		assert!(!Heads::<Test>::contains_key(A));
		assert!(!MostRecentContext::<Test>::contains_key(A));
		assert!(!ParaLifecycles::<Test>::contains_key(A));
		assert!(Parachains::<Test>::get().is_empty());
	});
}

#[test]
fn code_of_an_offboarded_para_is_kept_for_the_retention_period() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(Paras::schedule_para_cleanup(A));
		chain.session_block();
		chain.session_block();
		// It went at the end of the block before.
		let at = chain.number() - 1;
		advance_to(chain, at + 10);
		assert_eq!(refs(&code()), 1, "disputes may need it");
		assert!(PastCodeMeta::<Test>::contains_key(A));
		advance_to(chain, at + 11);
		assert!(!CodeByHash::<Test>::contains_key(code().hash()));
		assert!(!PastCodeMeta::<Test>::contains_key(A));
	});
}

#[test]
fn para_with_waiting_messages_cannot_offboard() {
	with_chain(config(), 4, 1, |_| {
		use frame_support::traits::EnqueueMessage;
		let message = frame_support::BoundedSlice::try_from(&[1u8][..]).expect("it is short");
		crate::mock::Queue::enqueue_message(message, crate::inclusion::upward_queue(A));
		// Nothing changes, without any transaction to roll back.
		assert_noop!(Paras::schedule_para_cleanup(A), Error::<Test>::CannotOffboard);
		assert_eq!(ParaLifecycles::<Test>::get(A), Some(ParaLifecycle::Parachain));
	});
}

#[test]
fn para_whose_new_code_is_voted_on_cannot_offboard() {
	with_chain(config(), 4, 1, |_| {
		include_upgrade();
		assert_noop!(Paras::schedule_para_cleanup(A), Error::<Test>::CannotOffboard);
		trust(new_code());
		assert_ok!(Paras::schedule_para_cleanup(A));
	});
}

#[test]
fn vote_of_a_para_that_goes_does_not_touch_what_comes_after() {
	let long = configuration::HostConfiguration { pvf_voting_ttl: 9, ..config() };
	with_chain(long, 4, 1, |chain| {
		// Its candidates are still included while it is on its way out.
		assert_ok!(Paras::schedule_para_cleanup(A));
		include_upgrade();
		register(NEW, new_code());
		assert_eq!(refs(&new_code()), 2);
		chain.session_block();
		chain.session_block();
		assert_eq!(refs(&new_code()), 1);
		let vote = PvfActiveVoteMap::<Test>::get(new_code().hash()).expect("another para waits for it");
		assert_eq!(vote.causes, [PvfCheckCause::Onboarding(NEW)]);
		trust(new_code());
		assert!(!FutureCodeUpgrades::<Test>::contains_key(A));
		assert!(UpcomingUpgrades::<Test>::get().is_empty());
		assert_eq!(refs(&new_code()), 1);
	});
}

#[test]
fn vote_that_no_para_waits_for_ends() {
	let long = configuration::HostConfiguration { pvf_voting_ttl: 9, ..config() };
	with_chain(long, 4, 1, |chain| {
		assert_ok!(Paras::schedule_para_cleanup(A));
		include_upgrade();
		chain.session_block();
		chain.session_block();
		assert!(PvfActiveVoteList::<Test>::get().is_empty());
		assert!(!CodeByHash::<Test>::contains_key(new_code().hash()));
	});
}

#[test]
fn upgrade_of_a_para_that_goes_is_forgotten() {
	with_chain(config(), 4, 1, |chain| {
		include_trusted_upgrade();
		assert_ok!(Paras::schedule_para_cleanup(A));
		chain.session_block();
		chain.session_block();
		assert!(UpcomingUpgrades::<Test>::get().is_empty());
		assert!(UpgradeCooldowns::<Test>::get().is_empty());
		assert!(Paras::can_upgrade_validation_code(A));
		assert!(!FutureCodeUpgrades::<Test>::contains_key(A));
		assert!(!CodeByHash::<Test>::contains_key(new_code().hash()));
	});
}

#[test]
fn kind_changes_two_sessions_later() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(Paras::schedule_parachain_downgrade(A));
		chain.session_block();
		assert_eq!(Parachains::<Test>::get(), [A]);
		chain.session_block();
		assert_eq!(ParaLifecycles::<Test>::get(A), Some(ParaLifecycle::Parathread));
		assert!(Parachains::<Test>::get().is_empty());
		assert_ok!(Paras::schedule_parathread_upgrade(A));
		chain.session_block();
		chain.session_block();
		assert_eq!(ParaLifecycles::<Test>::get(A), Some(ParaLifecycle::Parachain));
		assert_eq!(Parachains::<Test>::get(), [A]);
	});
}

#[test]
fn only_stable_paras_change_kind_or_go() {
	use ParaLifecycle as L;
	with_chain(config(), 4, 0, |_| {
		assert_noop!(Paras::schedule_parathread_upgrade(A), Error::<Test>::NotRegistered);
		assert_noop!(Paras::schedule_parachain_downgrade(A), Error::<Test>::NotRegistered);
		for lifecycle in [
			L::Onboarding,
			L::UpgradingParathread,
			L::DowngradingParachain,
			L::OffboardingParathread,
			L::OffboardingParachain,
		] {
			ParaLifecycles::<Test>::insert(A, lifecycle);
			assert_noop!(Paras::schedule_parathread_upgrade(A), Error::<Test>::CannotUpgrade);
			assert_noop!(Paras::schedule_parachain_downgrade(A), Error::<Test>::CannotDowngrade);
			assert_noop!(Paras::schedule_para_cleanup(A), Error::<Test>::CannotOffboard);
		}
		ParaLifecycles::<Test>::insert(A, L::Parachain);
		assert_noop!(Paras::schedule_parathread_upgrade(A), Error::<Test>::CannotUpgrade);
		ParaLifecycles::<Test>::insert(A, L::Parathread);
		assert_noop!(Paras::schedule_parachain_downgrade(A), Error::<Test>::CannotDowngrade);
	});
}

#[test]
fn root_can_hurry_a_transition() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(Paras::schedule_parachain_downgrade(A));
		assert_ok!(Paras::force_queue_action(RuntimeOrigin::root(), A));
		assert!(happened(Event::ActionQueued(A, 1)));
		chain.session_block();
		assert_eq!(ParaLifecycles::<Test>::get(A), Some(ParaLifecycle::Parathread));
		// What was queued for the session after finds nothing to do.
		chain.session_block();
		assert_eq!(ParaLifecycles::<Test>::get(A), Some(ParaLifecycle::Parathread));
	});
}
