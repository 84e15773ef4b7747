//! How the candidates of a para follow each other, and the cores and votes that they need.

use super::*;

#[test]
fn candidate_of_unknown_para_is_dropped() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "x1").describe(|d| d.para_id = ParaId(3000)).back();
		assert_eq!(dropped(chain, vec![candidate]), [DropReason::Signals(UmpSignalError::NoAssignment(0))]);
	});
}

#[test]
fn candidate_on_another_head_is_dropped() {
	assert_eq!(
		reason(|c| c.describe(|d| d.persisted_validation_data_hash = Hash::repeat_byte(9))),
		verification(inclusion::Error::ValidationDataHashMismatch)
	);
}

#[test]
fn candidate_with_other_code_is_dropped() {
	assert_eq!(
		reason(|c| c.describe(|d| d.validation_code_hash = Default::default())),
		verification(inclusion::Error::InvalidValidationCodeHash)
	);
}

#[test]
fn candidate_with_other_head_hash_is_dropped() {
	assert_eq!(
		reason(|c| c.describe(|d| d.para_head = Default::default())),
		verification(inclusion::Error::ParaHeadMismatch)
	);
}

#[test]
fn candidate_with_too_large_head_is_dropped() {
	assert_eq!(
		reason(|c| c.commit(|c| c.head_data = headway_primitives::HeadData(vec![0; 65]))),
		verification(inclusion::Error::HeadDataTooLarge)
	);
}

#[test]
fn relay_parents_of_a_chain_may_not_go_backwards() {
	with_cores(config(), 2, |chain| {
		let newer = chain.candidate(A, "genesis", "a1").back();
		let n = chain.number();
		let older = on_core(chain.candidate_at(n - 2, A, "a1", "a2"), 1);
		assert_eq!(
			dropped(chain, vec![newer, older.back()]),
			[verification(inclusion::Error::DisallowedRelayParent)]
		);
	});
}

#[test]
fn chain_of_two_candidates_takes_two_cores() {
	with_cores(config(), 2, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		let second = on_core(chain.candidate(A, "a1", "a2"), 1);
		let processed = chain.block(Vec::new(), vec![first, second.back()]);
		assert_eq!(processed.dropped, []);
		assert_eq!(candidate_events(), [("backed", head("a1")), ("backed", head("a2"))]);

		// Availability of the second alone includes nothing.
		let bitfields = chain.bitfields(&[1]);
		chain.block(bitfields, Vec::new());
		assert_eq!(candidate_events(), []);
		let bitfields = chain.bitfields(&[0]);
		chain.block(bitfields, Vec::new());
		assert_eq!(candidate_events(), [("included", head("a1")), ("included", head("a2"))]);
	});
}

#[test]
fn candidates_behind_a_dropped_one_are_dropped() {
	with_cores(config(), 2, |chain| {
		let bad = chain.candidate(A, "unknown", "a1").back();
		let hash = bad.hash();
		let next = on_core(chain.candidate(A, "genesis", "a1"), 1);
		assert_eq!(
			dropped(chain, vec![bad, next.back()]),
			[verification(inclusion::Error::ValidationDataHashMismatch), DropReason::Behind(hash)]
		);
	});
}

#[test]
fn duplicate_candidate_is_dropped() {
	with_cores(config(), 2, |chain| {
		let candidate = chain.candidate(A, "genesis", "genesis").back();
		assert_eq!(dropped(chain, vec![candidate.clone(), candidate]), [DropReason::Duplicate]);
	});
}

#[test]
fn more_candidates_than_cores_are_dropped() {
	with_chain(config(), 4, 1, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		let second = chain.candidate(A, "a1", "a2").back();
		assert_eq!(dropped(chain, vec![first, second]), [DropReason::NoEligibleCore]);
	});
}

#[test]
fn occupied_core_is_not_eligible() {
	with_chain(config(), 4, 1, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), vec![first]);
		let second = chain.candidate(A, "a1", "a2").back();
		assert_eq!(dropped(chain, vec![second]), [DropReason::NoEligibleCore]);
	});
}

#[test]
fn nothing_is_backed_in_the_last_block_of_a_session() {
	with_chain(config(), 4, 1, |chain| {
		chain.announce_session();
		let candidate = chain.candidate(A, "genesis", "a1").back();
		assert_eq!(dropped(chain, vec![candidate]), [DropReason::NoEligibleCore]);
	});
}

#[test]
fn session_change_drops_pending_candidates() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), vec![candidate]);
		chain.session_block();
		assert!(inclusion::Pallet::<Test>::occupied_cores().is_empty());
		// The first block of the new session: its relay parent is the last block of the old one.
		let candidate = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), vec![candidate]);
		assert_eq!(candidate_events(), [("backed", head("a1"))]);
	});
}

#[test]
fn v1_candidate_needs_an_injected_core() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1");
		let with_core = v1(candidate).back();
		assert_eq!(dropped(chain, vec![with_core.clone()]), []);
		let mut without = with_core;
		let votes = without.validator_indices_and_core_index().0.to_bitvec();
		without.set_validator_indices_and_core_index(votes, None);
		assert_eq!(dropped(chain, vec![without]), [DropReason::CoreNotEligible(None)]);
	});
}

#[test]
fn cores_may_be_taken_in_any_order() {
	with_cores(config(), 3, |chain| {
		let chain_of_three = [("genesis", "a1", 0), ("a1", "a2", 2), ("a2", "a3", 1)]
			.map(|(parent, to, core)| on_core(chain.candidate(A, parent, to), core).back());
		let processed = chain.block(Vec::new(), chain_of_three.to_vec());
		assert_eq!(processed.dropped, []);
		let cores: Vec<_> = inclusion::Pallet::<Test>::pending_candidates(ParaId(A))
			.iter()
			.map(|pending| pending.core.0)
			.collect();
		assert_eq!(cores, [0, 2, 1]);
	});
}

#[test]
fn chain_out_of_order_is_kept_up_to_the_gap() {
	with_cores(config(), 3, |chain| {
		let [first, second, third] = [("genesis", "a1", 0), ("a1", "a2", 1), ("a2", "a3", 2)]
			.map(|(parent, to, core)| on_core(chain.candidate(A, parent, to), core).back());
		assert_eq!(kept(chain, &[&first, &third, &second]), [true, false, false]);
	});
}

#[test]
fn chain_with_a_hole_is_kept_up_to_the_hole() {
	with_cores(config(), 3, |chain| {
		let first = on_core(chain.candidate(A, "genesis", "a1"), 0).back();
		let third = on_core(chain.candidate(A, "a2", "a3"), 2).back();
		assert_eq!(kept(chain, &[&first, &third]), [true, false]);
	});
}

#[test]
fn cycle_ends_at_the_candidate_that_is_there_already() {
	with_cores(config(), 3, |chain| {
		let there = on_core(chain.candidate(A, "genesis", "a1"), 0).back();
		let back = on_core(chain.candidate(A, "a1", "genesis"), 1).back();
		assert_eq!(dropped(chain, vec![there.clone(), back, there]), [DropReason::Duplicate]);
	});
}

#[test]
fn relay_parents_advance_along_a_chain() {
	with_cores(config(), 3, |chain| {
		let n = chain.number();
		let chain_at = |relay_parents: [u32; 3]| {
			let heads = ["genesis", "a1", "a2", "a3"];
			let candidates: Vec<_> = (0..3)
				.map(|i| {
					let candidate = chain.candidate_at(n - 4 + relay_parents[i], A, heads[i], heads[i + 1]);
					on_core(candidate, i as u32).back()
				})
				.collect();
			kept(chain, &candidates.iter().collect::<Vec<_>>())
		};
		assert_eq!(chain_at([3, 2, 3]), [true, false, false]);
		assert_eq!(chain_at([2, 3, 3]), [true, true, true]);
	});
}

#[test]
fn scheduling_parents_may_go_backwards_along_a_chain() {
	with_cores(v3_config(), 2, |chain| {
		let n = chain.number();
		let candidate = |parent, to, core: u32, scheduling_parent| {
			let candidate = v3(chain, chain.candidate_at(n - 3, A, parent, to), scheduling_parent);
			on_core(candidate.commit(signal(&[select(core as u8, 0)])), core).back()
		};
		let candidates = vec![candidate("genesis", "a1", 0, n - 1), candidate("a1", "a2", 1, n - 2)];
		assert_eq!(dropped(chain, candidates), []);
	});
}

#[test]
fn para_without_a_core_is_dropped_and_the_others_stay() {
	with_chain(config(), 6, 2, |chain| {
		let busy = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), vec![busy]);
		let again = chain.candidate(A, "a1", "a2").back();
		let other = chain.candidate(B, "genesis", "b1").back();
		assert_eq!(kept(chain, &[&again, &other]), [false, true]);
	});
}

#[test]
fn core_of_another_para_is_not_eligible() {
	with_chain(config(), 6, 2, |chain| {
		let candidate = v1(on_core(chain.candidate(A, "genesis", "a1"), 1));
		assert_eq!(dropped(chain, vec![candidate.back()]), [DropReason::CoreNotEligible(Some(CoreIndex(1)))]);
	});
}

#[test]
fn v1_candidate_whose_votes_are_not_of_the_injected_cores_group_is_dropped_with_its_chain() {
	// Six validators in four groups: of two, two, one and one.
	with_cores(config(), 4, |chain| {
		let mut mismatch = v1(on_core(chain.candidate(A, "genesis", "a1"), 0)).back();
		let core_of_smaller_group = (0..4)
			.map(CoreIndex)
			.find(|core| on_core(chain.candidate(A, "genesis", "a1"), core.0).group().len() == 1);
		let votes = mismatch.validator_indices_and_core_index().0.to_bitvec();
		mismatch.set_validator_indices_and_core_index(votes, core_of_smaller_group);
		let next = on_core(chain.candidate(A, "a1", "a2"), 1).back();
		let hash = mismatch.hash();
		assert_eq!(
			dropped(chain, vec![mismatch, next]),
			[DropReason::CoreNotEligible(None), DropReason::Behind(hash)]
		);
	});
}

#[test]
fn v1_and_v2_mix_in_a_chain() {
	with_cores(config(), 3, |chain| {
		let first = v1(on_core(chain.candidate(A, "genesis", "a1"), 0)).back();
		let second = on_core(chain.candidate(A, "a1", "a2"), 1).back();
		let third = v1(on_core(chain.candidate(A, "a2", "a3"), 2)).back();
		assert_eq!(chain.block(Vec::new(), vec![first, second, third]).dropped, []);
	});
}

#[test]
fn candidate_that_a_dispute_evicted_is_dropped_with_its_chain() {
	with_cores(config(), 2, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		let second = on_core(chain.candidate(A, "a1", "a2"), 1).back();
		let config = configuration::ActiveConfig::<Test>::get();
		let evicted = [first.hash()].into_iter().collect();
		let eligible = [(ParaId(A), [0, 1].map(CoreIndex).into_iter().collect())].into_iter().collect();
		let validators = shared::ActiveValidatorKeys::<Test>::get();
		// As after the first steps of the inherent.
		shared::Pallet::<Test>::new_block(
			chain.parent().hash(),
			&scheduler::Pallet::<Test>::predict_claim_queue(chain.number()),
			RelayParentInfo { number: chain.number() - 1, state_root: chain.parent().state_root },
			3,
		);
		let parent = chain.parent().hash();
		let hash = first.hash();
		let mut dropped = Vec::new();
		let included_now = BTreeSet::new();
		let passed = sanitize::Candidates::<Test>::new(&config, parent, validators, included_now, eligible)
			.without(evicted)
			.run(vec![first, second], &mut dropped);
		assert!(passed.is_empty());
		let reasons: Vec<_> = dropped.into_iter().map(|(_, _, reason)| reason).collect();
		assert_eq!(reasons, [DropReason::Disputed, DropReason::Behind(hash)]);
	});
}

#[test]
fn candidate_with_too_large_new_code_is_dropped() {
	let config = configured(|config| config.max_code_size = 63);
	with_chain(config, 6, 2, |chain| {
		let large = chain
			.candidate(A, "genesis", "a1")
			.commit(|c| c.new_validation_code = Some(ValidationCode(vec![2; 64])))
			.back();
		let other = chain.candidate(B, "genesis", "b1").back();
		let processed = chain.block(Vec::new(), vec![large, other]);
		assert_eq!(processed.data.backed_candidates.len(), 1);
		assert_eq!(processed.dropped[0].2, verification(inclusion::Error::NewCodeTooLarge));
	});
}

#[test]
fn claim_queue_advances_even_if_nothing_can_be_backed() {
	with_chain(configured(|config| config.scheduler_params.num_cores = 1), 6, 2, |chain| {
		let half = scheduler::PartsOf57600(28800);
		let assignment = [A, B].map(|para| (scheduler::CoreAssignment::Task(para), half)).to_vec();
		scheduler::Pallet::<Test>::assign_core(CoreIndex(0), 0, assignment, None)
			.expect("nothing is scheduled on the core");
		(0..5).for_each(|_| chain.empty_block());
		let claims = || scheduler::Pallet::<Test>::predict_claim_queue(chain_number())[&CoreIndex(0)].clone();
		let before = claims();
		chain.announce_session();
		let candidate = chain.candidate(A, "genesis", "a1").back();
		let processed = chain.block(Vec::new(), vec![candidate]);
		assert_eq!(processed.data.backed_candidates.len(), 0);
		let after = claims();
		assert_eq!((after[0], after[1]), (before[1], before[2]));
		assert_ne!(before[0], before[1]);
	});
}

/// Number of the block to come.
fn chain_number() -> headway_primitives::BlockNumber {
	now::<Test>()
}

// -- votes of disabled validators

/// Disables members of a group.
fn disable_members(group: &[ValidatorIndex], positions: &[usize]) {
	let all = shared::ActiveValidatorIndices::<Test>::get();
	disable(positions.iter().map(|position| all[group[*position].0 as usize].0).collect());
}

#[test]
fn votes_of_disabled_validators_are_removed_if_enough_are_left() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").votes(3);
		let group = candidate.group();
		disable_members(&group, &[0]);
		let processed = chain.block(Vec::new(), vec![candidate.back()]);
		let left = &processed.data.backed_candidates[0];
		assert_eq!(left.validity_votes.len(), 2);
		assert!(!left.validator_indices_and_core_index().0[0]);
	});
}

#[test]
fn candidate_with_too_few_votes_of_enabled_validators_is_dropped() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").votes(2);
		let group = candidate.group();
		disable_members(&group, &[0]);
		assert_eq!(dropped(chain, vec![candidate.back()]), [DropReason::DisabledBackers]);
	});
}

#[test]
fn disabled_validator_that_did_not_vote_changes_nothing() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").votes(2);
		disable_members(&candidate.group(), &[2, 3]);
		let backed = candidate.back();
		assert_eq!(chain.block(Vec::new(), vec![backed.clone()]).data.backed_candidates, [backed]);
	});
}

#[test]
fn the_votes_that_are_removed_are_those_of_disabled_validators() {
	with_chain(config(), 6, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").votes(5);
		let group = candidate.group();
		disable_members(&group, &[1, 3, 5]);
		let backed = candidate.back();
		let processed = chain.block(Vec::new(), vec![backed.clone()]);
		let left = &processed.data.backed_candidates[0];
		let votes = [0, 2, 4].map(|i| backed.validity_votes[i].clone());
		assert_eq!(left.validity_votes, votes);
		let (voted, core) = left.validator_indices_and_core_index();
		assert_eq!((voted.iter_ones().collect::<Vec<_>>(), core), (vec![0, 2, 4], Some(CoreIndex(0))));
		let on_chain = OnChainVotes::<Test>::get().expect("the inherent stores votes");
		let backers: Vec<_> =
			on_chain.backing_validators_per_candidate[0].1.iter().map(|(validator, _)| *validator).collect();
		assert_eq!(backers, [group[0], group[2], group[4]]);
	});
}

#[test]
fn candidates_behind_one_with_disabled_backers_are_dropped() {
	with_cores(config(), 2, |chain| {
		let first = chain.candidate(A, "genesis", "a1");
		let first = on_core(first, 0);
		disable_members(&first.group(), &[0]);
		let second = on_core(chain.candidate(A, "a1", "a2"), 1).back();
		let first = first.back();
		let hash = first.hash();
		assert_eq!(
			dropped(chain, vec![first, second]),
			[DropReason::DisabledBackers, DropReason::Behind(hash)]
		);
	});
}
