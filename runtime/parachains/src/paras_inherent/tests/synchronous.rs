//! Synchronous backing: newest relay parent, included head. And how a chain switches between the modes.

use super::*;
use crate::inclusion::SynchronousViolation;

#[test]
fn synchronous_relay_parent_must_be_the_newest() {
	with_chain(synchronous_config(), 4, 1, |chain| {
		chain.empty_block();
		let old = chain.candidate_at(0, A, "genesis", "a1").back();
		assert_eq!(
			dropped(chain, vec![old.clone()]),
			[DropReason::Synchronous(SynchronousViolation::RelayParentNotNewest)]
		);
		let newest = chain.candidate(A, "genesis", "a1").back();
		assert_eq!(dropped(chain, vec![newest]), []);
	});
	// The same candidate is fine with asynchronous backing.
	with_chain(config(), 4, 1, |chain| {
		chain.empty_block();
		let old = chain.candidate_at(0, A, "genesis", "a1").back();
		assert_eq!(dropped(chain, vec![old]), []);
	});
}

#[test]
fn synchronous_para_may_have_nothing_pending() {
	with_chain(synchronous_config(), 4, 1, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), vec![first]);
		for parent in ["genesis", "a1"] {
			let next = chain.candidate(A, parent, "a2").back();
			assert_eq!(
				dropped(chain, vec![next]),
				[DropReason::Synchronous(SynchronousViolation::CandidatePending)],
				"on {parent}"
			);
		}
	});
}

#[test]
fn synchronous_head_that_was_included_in_this_block_does_not_count() {
	with_chain(synchronous_config(), 4, 1, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), vec![first]);
		let early = chain.candidate(A, "a1", "a2").back();
		let bitfields = chain.bitfields(&[0]);
		let processed = chain.block(bitfields, vec![early]);
		assert_eq!(
			processed.dropped[0].2,
			DropReason::Synchronous(SynchronousViolation::HeadIncludedAfterRelayParent)
		);
		assert_eq!(candidate_events(), [("included", head("a1"))]);
		// One block later it is the included head of the relay parent: one para block per two relay blocks.
		let next = chain.candidate(A, "a1", "a2").back();
		chain.block(Vec::new(), vec![next]);
		assert_eq!(candidate_events(), [("backed", head("a2"))]);
	});
}

#[test]
fn synchronous_candidate_may_not_build_on_one_of_the_same_block() {
	with_cores(synchronous_config(), 2, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		let second = on_core(chain.candidate(A, "a1", "a2"), 1);
		assert_eq!(
			dropped(chain, vec![first, second.back()]),
			[DropReason::Synchronous(SynchronousViolation::ParentNotIncluded)]
		);
	});
}

#[test]
fn backing_mode_switches_at_the_second_session_boundary() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(configuration::Pallet::<Test>::set_async_backing_params(
			RuntimeOrigin::root(),
			Default::default()
		));
		let old_is_fine = |chain: &Chain| {
			let old = chain.candidate_at(chain.number() - 2, A, "genesis", "a1").back();
			dropped(chain, vec![old]).is_empty()
		};
		let window = || shared::AllowedSchedulingParents::<Test>::get().len();
		chain.empty_block();
		assert!(old_is_fine(chain));
		chain.session_block();
		(0..3).for_each(|_| chain.empty_block());
		assert!(old_is_fine(chain), "one session later nothing has changed");
		assert_eq!(window(), 3);
		chain.session_block();
		(0..3).for_each(|_| chain.empty_block());
		assert!(!old_is_fine(chain), "two sessions later backing is synchronous");
		assert_eq!(window(), 1);

		// And back.
		assert_ok!(configuration::Pallet::<Test>::set_async_backing_params(
			RuntimeOrigin::root(),
			config().async_backing_params
		));
		chain.session_block();
		chain.session_block();
		(0..3).for_each(|_| chain.empty_block());
		assert!(old_is_fine(chain));
	});
}
