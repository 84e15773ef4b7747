//! Votes, availability, enactment and timeouts.

use super::*;
use crate::mock::{
	candidate_events, code, config, head, queued, with_chain, Candidate, Chain, ParaInclusion, Paras, System,
	Test,
};
use headway_primitives::{
	supermajority_threshold, well_known_keys, BackedCandidate, ValidationCode, ValidityAttestation,
};

const A: u32 = 2000;
const PARA: ParaId = ParaId(A);

/// Result of backing one candidate in the block to come.
fn backing(chain: &Chain, candidate: BackedCandidate, core: CoreIndex) -> Result<usize, Error<Test>> {
	let _ = chain;
	let parents = shared::AllowedSchedulingParents::<Test>::get();
	let para = candidate.candidate.descriptor.para_id;
	let candidates = [(para, alloc::vec![(candidate, core)])].into_iter().collect();
	Pallet::<Test>::process_candidates(&parents, candidates).map(|backed| backed.len())
}

/// A chain whose newest block is a scheduling parent, as after the first steps of the inherent.
fn in_block<R>(n_validators: usize, n_paras: u32, test: impl FnOnce(&mut Chain) -> R) -> R {
	with_chain(config(), n_validators, n_paras, |chain| {
		let parent = chain.parent();
		shared::Pallet::<Test>::new_block(
			parent.hash(),
			&scheduler::Pallet::<Test>::predict_claim_queue(chain.number()),
			headway_primitives::constraints::RelayParentInfo {
				number: parent.number,
				state_root: parent.state_root,
			},
			3,
		);
		test(chain)
	})
}

/// The error for which a changed candidate is not backed.
#[track_caller]
fn refused(change: impl FnOnce(BackedCandidate) -> BackedCandidate) -> Error<Test> {
	in_block(6, 2, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1");
		let core = candidate.core;
		backing(chain, change(candidate.back()), core).expect_err("candidate is refused")
	})
}

#[test]
fn enough_valid_votes_back_a_candidate() {
	in_block(6, 2, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1");
		let core = candidate.core;
		assert_eq!(backing(chain, candidate.back(), core), Ok(1));
		let pending = &ParaInclusion::pending_candidates(PARA)[0];
		assert_eq!(pending.backers.count_ones(), 2);
		assert_eq!((pending.backed_in_number, pending.relay_parent_number), (1, 0));
	});
}

#[test]
fn too_few_votes_are_insufficient_backing() {
	in_block(6, 2, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").votes(1);
		let core = candidate.core;
		assert_eq!(backing(chain, candidate.back(), core), Err(Error::InsufficientBacking));
	});
}

#[test]
fn a_group_of_one_needs_one_vote() {
	in_block(1, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").votes(1);
		let core = candidate.core;
		assert_eq!(backing(chain, candidate.back(), core), Ok(1));
	});
}

#[test]
fn vote_of_another_validator_is_invalid_backing() {
	assert_eq!(
		refused(|mut backed| {
			backed.validity_votes.swap(0, 1);
			backed
		}),
		Error::InvalidBacking
	);
}

#[test]
fn wrong_number_of_group_members_is_invalid_backing() {
	assert_eq!(
		refused(|mut backed| {
			let mut votes = backed.validator_indices_and_core_index().0.to_bitvec();
			votes.push(false);
			backed.set_validator_indices_and_core_index(votes, Some(CoreIndex(0)));
			backed
		}),
		Error::InvalidBacking
	);
}

#[test]
fn more_votes_than_bits_are_invalid_backing() {
	assert_eq!(
		refused(|mut backed| {
			let vote: ValidityAttestation = backed.validity_votes[0].clone();
			backed.validity_votes.push(vote);
			backed
		}),
		Error::InvalidBacking
	);
}

#[test]
fn unknown_scheduling_parent_is_refused() {
	with_chain(config(), 4, 1, |chain| {
		(0..5).for_each(|_| chain.empty_block());
		let old = chain.candidate_at(0, A, "genesis", "a1");
		let core = old.core;
		assert_eq!(backing(chain, old.back(), core), Err(Error::DisallowedSchedulingParent));
	});
}

#[test]
fn core_without_a_group_is_an_invalid_assignment() {
	in_block(6, 2, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").back();
		assert_eq!(backing(chain, candidate, CoreIndex(9)), Err(Error::InvalidAssignment));
	});
}

#[test]
fn availability_needs_more_than_two_thirds() {
	assert_eq!(supermajority_threshold(100), 67);
	assert_eq!(supermajority_threshold(4), 3);
	assert_eq!(supermajority_threshold(1), 1);
	with_chain(config(), 6, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), alloc::vec![candidate]);
		// 4 of 6 are two thirds, 5 are more.
		let bitfields = chain.bitfields_of(4, &[0]);
		chain.block(bitfields, Vec::new());
		assert_eq!(candidate_events(), []);
		let bitfields = chain.bitfields(&[0]).split_off(5);
		chain.block(bitfields, Vec::new());
		assert_eq!(candidate_events(), [("included", head("a1"))], "votes add up over blocks");
	});
}

#[test]
fn repeated_votes_of_one_validator_count_once() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), alloc::vec![candidate]);
		for _ in 0..5 {
			let bitfields = chain.bitfields_of(2, &[0]);
			chain.block(bitfields, Vec::new());
		}
		assert_eq!(ParaInclusion::pending_candidates(PARA)[0].availability_votes.count_ones(), 2);
	});
}

#[test]
fn candidate_times_out_after_a_rotation() {
	with_chain(config(), 4, 1, |chain| {
		while chain.number() < 19 {
			chain.empty_block();
		}
		let candidate = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), alloc::vec![candidate]);
		// Backed in 19, so it lives until 23.
		while chain.number() < 23 {
			chain.empty_block();
			assert_eq!(candidate_events(), [], "before {}", chain.number());
		}
		// The freed core takes a new candidate in the same block.
		let next = chain.candidate(A, "genesis", "b1").back();
		chain.block(Vec::new(), alloc::vec![next]);
		assert_eq!(candidate_events(), [("timed out", head("a1")), ("backed", head("b1"))]);
	});
}

#[test]
fn disputed_candidate_and_descendants_are_removed() {
	with_chain(config(), 4, 1, |_| {
		let pending = |name: &str, core| CandidatePendingAvailability {
			core: CoreIndex(core),
			hash: CandidateHash(head(name).hash()),
			descriptor: CandidateDescriptorV2::new_v2(
				PARA,
				Default::default(),
				CoreIndex(core),
				0,
				Default::default(),
				Default::default(),
				Default::default(),
				Default::default(),
				Default::default(),
			),
			commitments: Default::default(),
			availability_votes: Default::default(),
			backers: Default::default(),
			relay_parent_number: 0,
			backed_in_number: 0,
			backing_group: GroupIndex(0),
		};
		let chain = [pending("a", 0), pending("b", 1), pending("c", 2)];
		PendingAvailability::<Test>::insert(PARA, VecDeque::from(chain));
		let disputed = [CandidateHash(head("b").hash())].into_iter().collect();
		let freed: Vec<_> =
			ParaInclusion::free_disputed(&disputed).into_iter().map(|(core, _)| core.0).collect();
		assert_eq!(freed, [1, 2]);
		assert_eq!(ParaInclusion::pending_candidates(PARA).len(), 1);
	});
}

/// The error for which commitments are not acceptable, after a change.
fn commitments(
	prepare: impl FnOnce(),
	change: impl FnOnce(&mut CandidateCommitments),
) -> Option<Error<Test>> {
	in_block(4, 1, |chain| {
		prepare();
		let mut state = ParaInclusion::running_state(PARA).expect("para is registered");
		let candidate: Candidate = chain.candidate(A, "genesis", "a1").commit(change);
		ParaInclusion::verify_backed_candidate(&mut state, &candidate.back()).err()
	})
}

fn upward(messages: &[&[u8]]) -> impl FnOnce(&mut CandidateCommitments) {
	let messages: Vec<_> = messages.iter().map(|message| message.to_vec()).collect();
	move |c| c.upward_messages = messages.try_into().expect("few messages")
}

#[test]
fn upward_messages_have_limits() {
	let small = [1u8; 8];
	assert_eq!(commitments(|| (), upward(&[&small[..]; 3])), None);
	assert_eq!(commitments(|| (), upward(&[&small[..]; 4])), Some(Error::InvalidUpwardMessages));
	assert_eq!(commitments(|| (), upward(&[&[1; 257]])), Some(Error::InvalidUpwardMessages));
	let full = || {
		(0..6).for_each(|_| {
			ParaInclusion::receive_upward_messages(PARA, &[alloc::vec![1; 8]]);
		})
	};
	assert_eq!(commitments(full, upward(&[&small[..]; 2])), None);
	assert_eq!(commitments(full, upward(&[&small[..]; 3])), Some(Error::InvalidUpwardMessages));
}

#[test]
fn signals_are_no_upward_messages() {
	use codec::Encode;
	use headway_primitives::ump::{ClaimQueueOffset, CoreSelector, UmpSignal};
	let signal = UmpSignal::SelectCore(CoreSelector(0), ClaimQueueOffset(0)).encode();
	assert_eq!(commitments(|| (), upward(&[&[1], &[1], &[1], &[], &signal])), None);
}

#[test]
fn offboarding_para_may_not_send_upward_messages() {
	let offboard = || Paras::schedule_para_cleanup(PARA).expect("para can be removed");
	assert_eq!(commitments(offboard, upward(&[&[1]])), Some(Error::InvalidUpwardMessages));
	assert_eq!(commitments(offboard, |_| ()), None);
}

#[test]
fn downward_messages_must_be_processed_in_time() {
	let queue = || dmp::Pallet::<Test>::queue_downward_message(PARA, alloc::vec![1]).expect("queue has room");
	// Sent in block 1, but the relay parent is 0.
	assert_eq!(commitments(queue, |_| ()), None);
	assert_eq!(
		commitments(queue, |c| c.processed_downward_messages = 2),
		Some(Error::IncorrectDownwardMessageHandling)
	);
	let earlier = || {
		System::set_block_number(0);
		queue();
		System::set_block_number(1);
	};
	assert_eq!(commitments(earlier, |_| ()), Some(Error::IncorrectDownwardMessageHandling));
	assert_eq!(commitments(earlier, |c| c.processed_downward_messages = 1), None);
}

#[test]
fn watermark_is_the_relay_parent_or_a_block_with_messages() {
	let prepare = || hrmp::HrmpChannelDigests::<Test>::insert(PARA, alloc::vec![(1, Vec::<ParaId>::new())]);
	assert_eq!(commitments(prepare, |c| c.hrmp_watermark = 0), None);
	// After the relay parent, even though there is a message.
	assert_eq!(commitments(prepare, |c| c.hrmp_watermark = 1), Some(Error::HrmpWatermarkMishandling));
}

#[test]
fn horizontal_messages_need_a_channel() {
	let message = headway_primitives::OutboundHrmpMessage { recipient: ParaId(2001), data: alloc::vec![1] };
	assert_eq!(
		commitments(|| (), |c| c.horizontal_messages = alloc::vec![message].try_into().expect("one message")),
		Some(Error::InvalidOutboundHrmp)
	);
}

fn upgrade(bytes: usize) -> impl FnOnce(&mut CandidateCommitments) {
	move |c| c.new_validation_code = Some(ValidationCode(alloc::vec![2; bytes]))
}

#[test]
fn new_code_has_a_limit_and_a_cooldown() {
	assert_eq!(commitments(|| (), upgrade(64)), None);
	let restrict = || {
		paras::UpgradeRestrictionSignal::<Test>::insert(PARA, headway_primitives::UpgradeRestriction::Present)
	};
	assert_eq!(commitments(restrict, upgrade(64)), Some(Error::PrematureCodeUpgrade));
	let limit = || configuration::ActiveConfig::<Test>::mutate(|config| config.max_code_size = 63);
	assert_eq!(commitments(limit, upgrade(64)), Some(Error::NewCodeTooLarge));
}

#[test]
fn relay_parent_older_than_the_head_is_refused() {
	let newer = || paras::MostRecentContext::<Test>::insert(PARA, 1);
	assert_eq!(commitments(newer, |_| ()), Some(Error::DisallowedRelayParent));
}

#[test]
fn pending_candidates_use_up_limits() {
	in_block(4, 1, |chain| {
		let first = chain.candidate(A, "genesis", "a1").commit(upgrade(64));
		let core = first.core;
		assert_eq!(backing(chain, first.back(), core), Ok(1));
		let mut state = ParaInclusion::running_state(PARA).expect("para is registered");
		let second = chain.candidate(A, "a1", "a2").commit(upgrade(65));
		assert_eq!(
			ParaInclusion::verify_backed_candidate(&mut state, &second.back()),
			Err(Error::PrematureCodeUpgrade)
		);
	});
}

#[test]
fn inclusion_enacts_messages_and_upgrades() {
	with_chain(config(), 4, 1, |chain| {
		dmp::Pallet::<Test>::queue_downward_message(PARA, alloc::vec![1]).expect("queue has room");
		chain.empty_block();
		let candidate = chain.candidate(A, "genesis", "a1").commit(|c| {
			upward(&[&[5, 6]])(c);
			upgrade(64)(c);
			c.processed_downward_messages = 1;
		});
		chain.block(Vec::new(), alloc::vec![candidate.back()]);
		let bitfields = chain.bitfields(&[0]);
		chain.block(bitfields, Vec::new());
		assert_eq!(queued(PARA), [alloc::vec![5, 6]]);
		assert!(dmp::Pallet::<Test>::contents(PARA).is_empty());
		assert_eq!(hrmp::HrmpWatermarks::<Test>::get(PARA), Some(1));
		assert_eq!(paras::MostRecentContext::<Test>::get(PARA), Some(1));
		assert!(paras::FutureCodeHash::<Test>::contains_key(PARA));
		assert_eq!(paras::CurrentCodeHash::<Test>::get(PARA), Some(code().hash()));
	});
}

#[test]
fn queue_changes_are_written_for_parachains() {
	use codec::Decode;
	use frame_support::traits::{Footprint, QueueFootprint};
	with_chain(config(), 4, 1, |_| {
		let footprint = QueueFootprint { storage: Footprint { count: 3, size: 100 }, ..Default::default() };
		ParaInclusion::note_upward_queue(upward_queue(PARA), footprint);
		let read = |key: Vec<u8>| {
			let raw = sp_io::storage::get(&key).expect("it is written");
			<(u32, u32)>::decode(&mut &raw[..]).expect("count and size")
		};
		assert_eq!(read(well_known_keys::relay_dispatch_queue_size(PARA)), (3, 100));
		assert_eq!(read(well_known_keys::relay_dispatch_queue_remaining_capacity(PARA)), (5, 924));
	});
}

#[test]
fn message_origin_has_the_reference_encoding() {
	assert_eq!(upward_queue(PARA).encode(), [&[0, 0][..], &A.to_le_bytes()].concat());
}
