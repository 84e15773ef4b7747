//! Verification of candidates, votes of their group, and how they get onto their cores.

use super::*;
use crate::mock::Rewards;

/// The error for which a changed candidate is not backed.
#[track_caller]
fn refused(change: impl FnOnce(BackedCandidate) -> BackedCandidate) -> Error<Test> {
	in_block(config(), 6, 2, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1");
		let core = candidate.core;
		back(change(candidate.back()), core).expect_err("candidate is refused")
	})
}

#[test]
fn enough_valid_votes_back_a_candidate() {
	in_block(config(), 6, 2, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1");
		let core = candidate.core;
		assert_eq!(back(candidate.back(), core), Ok(()));
		let pending = &ParaInclusion::pending_candidates(PARA)[0];
		assert_eq!((pending.backers.count_ones(), pending.availability_votes.count_ones()), (2, 0));
		assert_eq!((pending.backed_in_number, pending.relay_parent_number), (1, 0));
	});
}

#[test]
fn too_few_votes_are_insufficient_backing() {
	in_block(config(), 6, 2, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").votes(1);
		let core = candidate.core;
		assert_eq!(back(candidate.back(), core), Err(Error::InsufficientBacking));
	});
}

#[test]
fn a_group_of_one_needs_one_vote() {
	in_block(config(), 1, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").votes(1);
		let core = candidate.core;
		assert_eq!(back(candidate.back(), core), Ok(()));
	});
}

#[test]
fn nobody_backs_for_an_empty_group() {
	// Two cores and one validator: the group of the second core has no members.
	in_block(config(), 1, 2, |chain| {
		let candidate = chain.candidate(A + 1, "genesis", "b1").votes(0);
		assert_eq!(candidate.group(), []);
		let core = candidate.core;
		let mut backed = candidate.back();
		backed.set_validator_indices_and_core_index(Default::default(), None);
		assert_eq!(back(backed, core), Err(Error::InsufficientBacking));
	});
}

#[test]
fn vote_of_another_validator_is_invalid_backing() {
	let swapped = |mut backed: BackedCandidate| {
		backed.validity_votes.swap(0, 1);
		backed
	};
	assert_eq!(refused(swapped), Error::InvalidBacking);
}

#[test]
fn wrong_number_of_group_members_is_invalid_backing() {
	let longer = |mut backed: BackedCandidate| {
		let mut votes = backed.validator_indices_and_core_index().0.to_bitvec();
		votes.push(false);
		backed.set_validator_indices_and_core_index(votes, Some(CoreIndex(0)));
		backed
	};
	assert_eq!(refused(longer), Error::InvalidBacking);
}

#[test]
fn number_of_votes_other_than_of_bits_is_invalid_backing() {
	let more = |mut backed: BackedCandidate| {
		let vote: ValidityAttestation = backed.validity_votes[0].clone();
		backed.validity_votes.push(vote);
		backed
	};
	let fewer = |mut backed: BackedCandidate| {
		backed.validity_votes.pop();
		backed
	};
	assert_eq!(refused(more), Error::InvalidBacking);
	assert_eq!(refused(fewer), Error::InvalidBacking);
}

#[test]
fn unknown_scheduling_parent_is_refused() {
	with_chain(config(), 4, 1, |chain| {
		(0..5).for_each(|_| chain.empty_block());
		let old = chain.candidate_at(0, A, "genesis", "a1");
		let core = old.core;
		assert_eq!(back(old.back(), core), Err(Error::DisallowedSchedulingParent));
	});
}

#[test]
fn core_without_a_group_is_an_invalid_assignment() {
	in_block(config(), 6, 2, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").back();
		assert_eq!(back(candidate, CoreIndex(9)), Err(Error::InvalidAssignment));
	});
}

#[test]
fn chain_of_a_para_is_pending_in_order_with_the_groups_of_its_cores() {
	in_block(config(), 6, 2, |chain| {
		let first = chain.candidate(A, "genesis", "a1");
		let mut second = chain.candidate(A, "a1", "a2");
		second.core = CoreIndex(1);
		let group = |candidate: &Candidate| {
			scheduler::Pallet::<Test>::group_assigned_to_core(candidate.core, 1).expect("core has a group")
		};
		let groups = [group(&first), group(&second)];
		for candidate in [first, second] {
			let core = candidate.core;
			assert_eq!(back(candidate.back(), core), Ok(()));
		}
		assert_eq!(pending_heads(PARA), [head("a1"), head("a2")]);
		let backed: Vec<_> = System::events()
			.into_iter()
			.filter_map(|record| match record.event {
				RuntimeEvent::ParaInclusion(Event::CandidateBacked(_, head, core, group)) => {
					Some((head, core, group))
				},
				_ => None,
			})
			.collect();
		assert_eq!(backed, [(head("a1"), CoreIndex(0), groups[0]), (head("a2"), CoreIndex(1), groups[1])]);
		assert_ne!(groups[0], groups[1]);
	});
}

/// The verdict on a candidate of para A on "genesis", after a change, in a block of a state.
fn verdict(
	prepare: impl FnOnce(),
	change: impl FnOnce(Candidate) -> Candidate,
) -> Result<BlockNumber, Error<Test>> {
	in_block(config(), 4, 1, |chain| {
		prepare();
		verify(&change(chain.candidate(A, "genesis", "a1")).back())
	})
}

#[test]
fn candidate_on_another_head_than_the_latest_pending_one_is_refused() {
	in_block(config(), 4, 1, |chain| {
		let first = chain.candidate(A, "genesis", "a1");
		let core = first.core;
		assert_eq!(back(first.back(), core), Ok(()));
		for (parent, expected) in [
			("genesis", Err(Error::ValidationDataHashMismatch)),
			("a1", Ok(0)),
			("a2", Err(Error::ValidationDataHashMismatch)),
		] {
			assert_eq!(verify(&chain.candidate(A, parent, "x").back()), expected, "on {parent}");
		}
	});
}

#[test]
fn relay_parent_must_be_known_in_the_session_of_the_descriptor() {
	let unknown = |c: Candidate| c.describe(|d| d.relay_parent = Hash::repeat_byte(9));
	let other_session = |c: Candidate| c.describe(|d| d.session_index = 1);
	let pruned = || {
		let _ = shared::AllowedRelayParents::<Test>::clear_prefix(0, u32::MAX, None);
	};
	assert_eq!(verdict(|| (), unknown), Err(Error::DisallowedRelayParent));
	assert_eq!(verdict(|| (), other_session), Err(Error::DisallowedRelayParent));
	assert_eq!(verdict(pruned, |c| c), Err(Error::DisallowedRelayParent));
}

#[test]
fn relay_parent_may_not_be_older_than_that_of_the_head() {
	with_chain(config(), 4, 1, |chain| {
		chain.empty_block();
		open_block(chain);
		paras::MostRecentContext::<Test>::insert(PARA, 1);
		let at = |relay_parent| verify(&chain.candidate_at(relay_parent, A, "genesis", "a1").back());
		assert_eq!((at(0), at(1)), (Err(Error::DisallowedRelayParent), Ok(1)));
		// A pending candidate counts in the place of the head.
		paras::MostRecentContext::<Test>::insert(PARA, 0);
		let mut newest = pending(PARA, "genesis", 0, 4);
		newest.relay_parent_number = 1;
		PendingAvailability::<Test>::insert(PARA, vec![newest]);
		assert_eq!((at(0), at(1)), (Err(Error::DisallowedRelayParent), Ok(1)));
	});
}

#[test]
fn para_without_code_is_not_scheduled() {
	let no_code = || paras::CurrentCodeHash::<Test>::remove(PARA);
	assert_eq!(verdict(no_code, |c| c), Err(Error::UnscheduledCandidate));
}

#[test]
fn wrong_code_and_head_hashes_are_refused() {
	let code = |c: Candidate| c.describe(|d| d.validation_code_hash = Default::default());
	let head = |c: Candidate| c.describe(|d| d.para_head = Default::default());
	assert_eq!(verdict(|| (), code), Err(Error::InvalidValidationCodeHash));
	assert_eq!(verdict(|| (), head), Err(Error::ParaHeadMismatch));
}

#[test]
fn checks_of_a_candidate_come_in_order() {
	// Each step repairs what the one before it was refused for.
	type Repair = fn(Candidate) -> Candidate;
	let steps: [(Error<Test>, Repair); 5] = [
		(Error::DisallowedRelayParent, |c| c.describe(|d| d.session_index = 0)),
		(Error::ValidationDataHashMismatch, |c| c.describe(|d| d.persisted_validation_data_hash.0[0] ^= 1)),
		(Error::InvalidValidationCodeHash, |c| c.describe(|d| d.validation_code_hash = code().hash())),
		(Error::ParaHeadMismatch, |c| {
			let hash = c.receipt.commitments.head_data.hash();
			c.describe(|d| d.para_head = hash)
		}),
		(Error::HeadDataTooLarge, |c| c.commit(|c| c.head_data = head("a1"))),
	];
	in_block(config(), 4, 1, |chain| {
		let mut candidate = chain
			.candidate(A, "genesis", "a1")
			.commit(|c| c.head_data = HeadData(vec![0; 65]))
			.describe(|d| {
				d.session_index = 1;
				d.persisted_validation_data_hash.0[0] ^= 1;
				d.validation_code_hash = Default::default();
				d.para_head = Default::default();
			});
		for (error, repair) in steps {
			assert_eq!(verify(&candidate.clone().back()), Err(error));
			candidate = repair(candidate);
		}
		assert_eq!(verify(&candidate.back()), Ok(0));
	});
}

#[test]
fn v3_candidate_may_have_a_relay_parent_of_an_older_session() {
	let config = configuration::HostConfiguration { max_relay_parent_session_age: 1, ..config() };
	with_chain(config, 4, 1, |chain| {
		chain.empty_block();
		chain.session_block();
		open_block(chain);
		// Block 0 is of session 0; block 2, the newest, counts for session 1.
		let newest = chain.parent();
		let mut candidate = chain.candidate_at(0, A, "genesis", "a1");
		candidate.receipt.descriptor.session_index = 0;
		candidate.receipt.descriptor =
			candidate.receipt.descriptor.into_v3(newest.hash(), 1).expect("one session apart");
		candidate.scheduled_at = newest.number;
		let core = candidate.core;
		assert_eq!(back(candidate.back(), core), Ok(()));
		assert_eq!(ParaInclusion::pending_candidates(PARA)[0].relay_parent_number, 0);
	});
}

#[test]
fn synchronous_candidate_on_another_relay_parent_or_an_unincluded_head_is_refused() {
	with_chain(synchronous_config(), 4, 1, |chain| {
		chain.empty_block();
		open_block(chain);
		let verify_at =
			|relay_parent, parent| verify(&chain.candidate_at(relay_parent, A, parent, "x").back());
		assert_eq!(verify_at(0, "genesis"), Err(Error::SynchronousRelayParentNotNewest));
		assert_eq!(verify_at(1, "genesis"), Ok(1));

		PendingAvailability::<Test>::insert(PARA, vec![pending(PARA, "a1", 0, 4)]);
		for parent in ["genesis", "a1"] {
			assert_eq!(verify_at(1, parent), Err(Error::SynchronousParentNotIncluded), "on {parent}");
		}
		PendingAvailability::<Test>::remove(PARA);

		// Two in a row: the second one's parent is not included.
		let mut state = running_state(PARA);
		let mut next = |parent, to| {
			let candidate = chain.candidate(A, parent, to).back();
			ParaInclusion::verify_backed_candidate(&mut state, &candidate.candidate)
		};
		assert_eq!(next("genesis", "a1"), Ok(1));
		assert_eq!(next("a1", "a2"), Err(Error::SynchronousParentNotIncluded));
	});
}

#[test]
fn rewards_go_to_backers_and_voters() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1");
		let group = candidate.group();
		chain.block(Vec::new(), vec![candidate.back()]);
		take_rewards();
		let bitfields = chain.bitfields_of(3, &[0]);
		chain.block(bitfields, Vec::new());
		let rewards = take_rewards();
		// The author's run and the import.
		assert_eq!(rewards.len(), 4);
		let (mut backers, voters) = (group[..2].to_vec(), (0..3).map(ValidatorIndex).collect::<Vec<_>>());
		backers.sort();
		assert_eq!((rewards[2].kind, &rewards[2].validators), ("backing", &backers));
		assert_eq!((rewards[3].kind, &rewards[3].validators), ("bitfields", &voters));
		// A runtime that rewards nobody does without.
		<() as RewardValidators>::reward_backing([ValidatorIndex(0)]);
		Rewards::reward_bitfields([ValidatorIndex(0)]);
		assert_eq!(take_rewards().len(), 1);
	});
}
