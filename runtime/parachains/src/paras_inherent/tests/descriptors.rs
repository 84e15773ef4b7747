//! Versions of descriptors, their parents and sessions, and signals: what drops a candidate alone.

use super::*;

#[test]
fn unknown_descriptor_version_is_dropped() {
	assert_eq!(reason(|c| c.describe(|d| d.version = 7)), DropReason::UnknownVersion(7));
}

#[test]
fn v3_descriptor_is_dropped_while_the_feature_is_off() {
	assert_eq!(
		reason(|c| c.describe(|d| {
			d.version = 1;
			d.scheduling_parent = d.relay_parent;
		})),
		DropReason::Version(DescriptorVersionError::V3NotEnabled)
	);
}

#[test]
fn ambiguous_descriptor_version_is_dropped() {
	assert_eq!(
		reason(|c| c.describe(|d| d.reserved1[20] = 1)),
		DropReason::Version(DescriptorVersionError::Inconsistency)
	);
}

#[test]
fn unknown_relay_parent_is_dropped() {
	assert_eq!(
		reason(|c| c.describe(|d| d.relay_parent = Hash::repeat_byte(9))),
		DropReason::DisallowedRelayParent
	);
}

#[test]
fn descriptor_of_another_session_is_dropped() {
	assert_eq!(reason(|c| c.describe(|d| d.session_index = 1)), DropReason::DisallowedRelayParent);
}

#[test]
fn scheduling_parent_out_of_the_window_is_dropped() {
	with_chain(config(), 4, 1, |chain| {
		(0..4).for_each(|_| chain.empty_block());
		// Lookahead is 3, so of the parents 0 to 4 those from 2 on are allowed.
		let old = chain.candidate_at(1, A, "genesis", "a1").back();
		assert_eq!(dropped(chain, vec![old]), [DropReason::DisallowedSchedulingParent]);
		let oldest_allowed = chain.candidate_at(2, A, "genesis", "a1").back();
		assert_eq!(dropped(chain, vec![oldest_allowed]), []);
	});
}

#[test]
fn signal_without_assignment_is_dropped() {
	assert_eq!(
		reason(|c| c.commit(signal(&[select(0, 9)]))),
		DropReason::Signals(UmpSignalError::NoAssignment(9))
	);
}

#[test]
fn descriptor_core_that_is_not_selected_is_dropped() {
	assert_eq!(
		reason(|c| c.describe(|d| d.core_index = 1)),
		DropReason::Signals(UmpSignalError::CoreIndexMismatch {
			descriptor: CoreIndex(1),
			selected: CoreIndex(0),
		})
	);
}

#[test]
fn duplicate_signal_is_dropped() {
	assert_eq!(
		reason(|c| c.commit(signal(&[select(0, 0), select(0, 0)]))),
		DropReason::Signals(UmpSignalError::Duplicate)
	);
}

#[test]
fn unknown_version_drops_only_that_candidate() {
	with_chain(config(), 4, 1, |chain| {
		let unknown = chain.candidate(A, "genesis", "x").describe(|d| d.version = 7).back();
		let good = chain.candidate(A, "genesis", "a1").back();
		assert_eq!(kept(chain, &[&unknown, &good]), [false, true]);
	});
}

#[test]
fn three_signals_are_dropped_and_none_is_fine_for_v2() {
	let peer = UmpSignal::ApprovedPeer(vec![1, 2].try_into().expect("short"));
	let three = [select(0, 0), peer.clone(), select(0, 0)];
	assert_eq!(reason(|c| c.commit(signal(&three))), DropReason::Signals(UmpSignalError::TooMany));
	for signals in [&[][..], &[select(0, 0)], std::slice::from_ref(&peer), &[peer.clone(), select(0, 0)]] {
		with_chain(config(), 4, 1, |chain| {
			let candidate = chain.candidate(A, "genesis", "a1").commit(signal(signals)).back();
			assert_eq!(dropped(chain, vec![candidate]), [], "{signals:?}");
		});
	}
}

#[test]
fn v1_candidate_with_signals_is_dropped() {
	assert_eq!(
		reason(|c| v1(c.commit(signal(&[select(0, 0)])))),
		DropReason::Signals(UmpSignalError::SignalsWithV1)
	);
}

#[test]
fn signal_selects_among_all_cores_of_the_para() {
	with_cores(config(), 2, |chain| {
		let with_selector = |selector, core| {
			let candidate = chain.candidate(A, "genesis", "a1").commit(signal(&[select(selector, 1)]));
			dropped(chain, vec![on_core(candidate, core).back()])
		};
		assert_eq!((with_selector(0, 0), with_selector(3, 1)), (vec![], vec![]));
		let mismatch = |descriptor, selected| {
			let (descriptor, selected) = (CoreIndex(descriptor), CoreIndex(selected));
			vec![DropReason::Signals(UmpSignalError::CoreIndexMismatch { descriptor, selected })]
		};
		assert_eq!(with_selector(0, 1), mismatch(1, 0));
		assert_eq!(with_selector(3, 0), mismatch(0, 1));
	});
}

#[test]
fn v3_descriptor_needs_the_feature_and_signals() {
	with_chain(v3_config(), 4, 1, |chain| {
		chain.empty_block();
		let candidate = v3(chain, chain.candidate(A, "genesis", "a1"), 1);
		assert_eq!(dropped(chain, vec![candidate.clone().back()]), []);
		let silent = candidate.commit(|c| c.upward_messages = Default::default());
		assert_eq!(
			dropped(chain, vec![silent.back()]),
			[DropReason::Signals(UmpSignalError::NoSignalsWithV3)]
		);
	});
	with_chain(config(), 4, 1, |chain| {
		chain.empty_block();
		let candidate = v3(chain, chain.candidate(A, "genesis", "a1"), 1);
		assert_eq!(
			dropped(chain, vec![candidate.back()]),
			[DropReason::Version(DescriptorVersionError::V3NotEnabled)]
		);
	});
}

#[test]
fn v3_descriptor_without_a_scheduling_parent_is_dropped() {
	with_chain(v3_config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").describe(|d| d.version = 1);
		assert_eq!(dropped(chain, vec![candidate.back()]), [DropReason::DisallowedSchedulingParent]);
	});
}

/// A candidate at block 0, which is of session 0, in the second block of session 1.
fn of_the_session_before(chain: &mut Chain) -> Candidate {
	chain.empty_block();
	chain.session_block();
	chain.empty_block();
	chain.candidate_at(0, A, "genesis", "a1").describe(|d| d.session_index = 0)
}

#[test]
fn only_v3_may_have_a_relay_parent_of_an_older_session() {
	with_chain(v3_config(), 4, 1, |chain| {
		let candidate = of_the_session_before(chain);
		// Of the two blocks of session 1 either may schedule it.
		for scheduling_parent in [2, 3] {
			let v3 = v3(chain, candidate.clone(), scheduling_parent);
			assert_eq!(dropped(chain, vec![v3.back()]), [], "scheduled by {scheduling_parent}");
		}
		// The scheduling parent may not be of an older session, and for V2 it is the relay parent.
		let v3_of_0 = v3(chain, candidate.clone(), 0).votes(0);
		assert_eq!(dropped(chain, vec![v3_of_0.back()]), [DropReason::DisallowedSchedulingParent]);
		let v2 = candidate.clone().votes(0);
		assert_eq!(dropped(chain, vec![v2.back()]), [DropReason::DisallowedSchedulingParent]);
		// Nor may the descriptor claim that the relay parent is of this session, or scheduled in another one.
		let claimed = v3(chain, candidate.clone(), 3).describe(|d| d.session_index = 1);
		assert_eq!(dropped(chain, vec![claimed.back()]), [DropReason::DisallowedRelayParent]);
		let later = v3(chain, candidate, 3).describe(|d| d.scheduling_session_offset = 2);
		let scheduling_session = Some(2);
		assert_eq!(dropped(chain, vec![later.back()]), [DropReason::WrongSession { scheduling_session }]);
	});
	let config = configuration::HostConfiguration { max_relay_parent_session_age: 0, ..v3_config() };
	with_chain(config, 4, 1, |chain| {
		let candidate = of_the_session_before(chain);
		let v3 = v3(chain, candidate, 3);
		assert_eq!(dropped(chain, vec![v3.back()]), [DropReason::DisallowedRelayParent]);
	});
}

#[test]
fn claim_queue_of_a_scheduling_parent_is_what_nodes_were_told_there() {
	use crate::mock::System;
	with_chain(configured(|config| config.scheduler_params.num_cores = 1), 6, 1, |chain| {
		// The spare core is the para's from block 6 on, so predictions change from block to block.
		let whole = vec![(scheduler::CoreAssignment::Task(A), scheduler::PartsOf57600::FULL)];
		scheduler::Pallet::<Test>::assign_core(CoreIndex(0), 6, whole, None)
			.expect("nothing is scheduled on the core");
		let mut lengths = BTreeSet::new();
		while chain.number() < 9 {
			let parent = chain.parent();
			System::set_block_number(parent.number);
			let told = scheduler::Pallet::<Test>::claim_queue();
			System::set_block_number(parent.number + 1);
			lengths.insert(told.get(&CoreIndex(0)).map_or(0, |claims| claims.len()));
			chain.empty_block();
			let parents = shared::AllowedSchedulingParents::<Test>::get();
			let (info, number) = parents.acquire_info(parent.hash()).expect("the newest parent is allowed");
			assert_eq!(number, parent.number);
			assert_eq!(info.claim_queue, headway_primitives::transpose_claim_queue(&told), "at {number}");
		}
		assert!(lengths.len() > 1, "{lengths:?}");
	});
}
