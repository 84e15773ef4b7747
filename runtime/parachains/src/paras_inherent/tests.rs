//! One test per rule by which the inherent drops or accepts.

use super::*;
use crate::mock::{
	candidate_events, config, disable, head, synchronous_config, with_chain, Candidate, Chain, ParaInherent,
	RuntimeOrigin, Test,
};
use crate::paras;
use frame_support::{assert_noop, assert_ok, traits::Hooks};
use headway_primitives::{
	ump::{UmpSignal, UmpSignalError, UMP_SEPARATOR},
	BackedCandidate, CoreIndex, DescriptorVersionError, ValidationCode,
};

const A: u32 = 2000;
const B: u32 = 2001;

/// Heads of the paras' included candidates.
fn included(para: u32) -> headway_primitives::HeadData {
	paras::Heads::<Test>::get(ParaId(para)).expect("para is registered")
}

/// Runs the candidates through the pipeline of the block to come; returns the reasons of the drops.
fn dropped(chain: &Chain, candidates: Vec<BackedCandidate>) -> Vec<DropReason> {
	let data = ParachainsInherentData {
		bitfields: Vec::new(),
		backed_candidates: candidates,
		disputes: Vec::new(),
		parent_header: chain.parent(),
	};
	chain.author(data).dropped.into_iter().map(|(_, _, reason)| reason).collect()
}

/// The reason for which a candidate of para A is dropped after a change to it.
#[track_caller]
fn reason(change: impl FnOnce(Candidate) -> Candidate) -> DropReason {
	with_chain(config(), 4, 1, |chain| {
		chain.empty_block();
		let candidate = change(chain.candidate(A, "genesis", "a1")).back();
		let mut reasons = dropped(chain, alloc::vec![candidate]);
		assert_eq!(reasons.len(), 1, "{reasons:?}");
		reasons.remove(0)
	})
}

fn verification(error: inclusion::Error<Test>) -> DropReason {
	DropReason::Verification(error.into())
}

#[test]
fn valid_candidate_is_backed_and_then_included() {
	with_chain(config(), 4, 1, |chain| {
		let backed = chain.candidate(A, "genesis", "a1").back();
		let processed = chain.block(Vec::new(), alloc::vec![backed]);
		assert_eq!(processed.dropped, []);
		assert_eq!(candidate_events(), [("backed", head("a1"))]);
		assert_eq!(included(A), head("genesis"));

		let bitfields = chain.bitfields(&[0]);
		chain.block(bitfields, Vec::new());
		assert_eq!(candidate_events(), [("included", head("a1"))]);
		assert_eq!(included(A), head("a1"));
		assert!(inclusion::Pallet::<Test>::occupied_cores().is_empty());
	});
}

#[test]
fn first_block_of_session_0_can_back() {
	with_chain(config(), 4, 2, |chain| {
		assert_eq!(chain.number(), 1);
		let candidates = [A, B].map(|para| chain.candidate(para, "genesis", "1").back()).to_vec();
		let processed = chain.block(Vec::new(), candidates);
		assert_eq!(processed.data.backed_candidates.len(), 2);
	});
}

#[test]
fn core_freed_by_availability_is_filled_in_the_same_block() {
	with_chain(config(), 4, 1, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), alloc::vec![first]);
		let second = chain.candidate(A, "a1", "a2").back();
		let bitfields = chain.bitfields(&[0]);
		chain.block(bitfields, alloc::vec![second]);
		assert_eq!(candidate_events(), [("included", head("a1")), ("backed", head("a2"))]);
	});
}

#[test]
fn inherent_twice_is_refused() {
	with_chain(config(), 4, 1, |chain| {
		let data = || ParachainsInherentData {
			bitfields: Vec::new(),
			backed_candidates: Vec::new(),
			disputes: Vec::new(),
			parent_header: chain.parent(),
		};
		assert_ok!(ParaInherent::enter(RuntimeOrigin::none(), data()));
		assert_noop!(
			ParaInherent::enter(RuntimeOrigin::none(), data()),
			Error::<Test>::TooManyInclusionInherents
		);
	});
}

#[test]
#[should_panic(expected = "the parachains inherent must be in every block")]
fn block_without_inherent_is_invalid() {
	with_chain(config(), 4, 1, |chain| ParaInherent::on_finalize(chain.number()));
}

#[test]
fn wrong_parent_header_is_refused() {
	with_chain(config(), 4, 1, |chain| {
		let mut parent_header = chain.parent();
		parent_header.state_root = Hash::repeat_byte(9);
		let data = ParachainsInherentData {
			bitfields: Vec::new(),
			backed_candidates: Vec::new(),
			disputes: Vec::new(),
			parent_header,
		};
		assert_eq!(
			ParaInherent::process(data).map(drop).map_err(|error| error.error),
			Err(Error::<Test>::InvalidParentHeader.into())
		);
	});
}

#[test]
fn undecodable_data_makes_no_inherent() {
	with_chain(config(), 4, 1, |_| {
		let mut data = InherentData::new();
		assert!(ParaInherent::create_inherent(&data).is_none());
		data.put_data(PARACHAINS_INHERENT_IDENTIFIER, &7u8).expect("a fresh identifier");
		assert!(ParaInherent::create_inherent(&data).is_none());
	});
}

#[test]
fn data_that_would_be_filtered_is_refused_at_execution() {
	with_chain(config(), 4, 1, |chain| {
		let bad = chain.candidate(A, "unknown", "a1").back();
		let data = ParachainsInherentData {
			bitfields: Vec::new(),
			backed_candidates: alloc::vec![bad],
			disputes: Vec::new(),
			parent_header: chain.parent(),
		};
		assert_eq!(
			ParaInherent::enter(RuntimeOrigin::none(), data).map(drop).map_err(|error| error.error),
			Err(Error::<Test>::InherentDataFilteredDuringExecution.into())
		);
	});
}

#[test]
fn author_and_importer_agree_on_mixed_data() {
	with_chain(config(), 6, 2, |chain| {
		let good = chain.candidate(A, "genesis", "a1").back();
		let bad = chain.candidate(B, "unknown", "b1").back();
		// `block` executes what the pipeline returned and expects success.
		let processed = chain.block(Vec::new(), alloc::vec![bad, good.clone()]);
		assert_eq!(processed.data.backed_candidates, [good]);
		assert_eq!(processed.dropped.len(), 1);
		let votes = OnChainVotes::<Test>::get().expect("the inherent stores votes");
		assert_eq!(votes.backing_validators_per_candidate.len(), 1);
		assert_eq!(votes.backing_validators_per_candidate[0].1.len(), 2);
	});
}

// -- bitfields

/// What is left of changed bitfields, and why the others were dropped.
fn bitfield_reasons(
	change: impl FnOnce(&Chain, &mut Vec<headway_primitives::UncheckedSignedAvailabilityBitfield>),
) -> (usize, Vec<BitfieldDropReason>) {
	with_chain(config(), 4, 1, |chain| {
		let mut bitfields = chain.bitfields(&[]);
		change(chain, &mut bitfields);
		let processed = chain.block(bitfields, Vec::new());
		let reasons = processed.dropped_bitfields.into_iter().map(|(_, reason)| reason).collect();
		(processed.data.bitfields.len(), reasons)
	})
}

#[test]
fn bitfield_of_wrong_length_is_dropped() {
	let change = |chain: &Chain, all: &mut Vec<_>| {
		all[1] = chain.sign_bitfield(ValidatorIndex(1), bitvec::bitvec![u8, bitvec::order::Lsb0; 0; 2]);
	};
	assert_eq!(bitfield_reasons(change), (3, alloc::vec![BitfieldDropReason::WrongLength]));
}

#[test]
fn bitfields_out_of_order_are_dropped() {
	assert_eq!(bitfield_reasons(|_, all| all.swap(1, 2)), (3, alloc::vec![BitfieldDropReason::Unsorted]));
}

#[test]
fn second_bitfield_of_a_validator_is_dropped() {
	assert_eq!(
		bitfield_reasons(|_, all| all.insert(1, all[0].clone())),
		(4, alloc::vec![BitfieldDropReason::Unsorted])
	);
}

#[test]
fn bitfield_of_unknown_validator_is_dropped() {
	assert_eq!(
		bitfield_reasons(|_, all| all[3].validator_index = ValidatorIndex(9)),
		(3, alloc::vec![BitfieldDropReason::UnknownValidator])
	);
}

#[test]
fn bitfield_with_invalid_signature_is_dropped() {
	assert_eq!(
		bitfield_reasons(|_, all| all[2].signature = all[1].signature.clone()),
		(3, alloc::vec![BitfieldDropReason::InvalidSignature])
	);
}

// -- descriptors and signals

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
		assert_eq!(dropped(chain, alloc::vec![old]), [DropReason::DisallowedSchedulingParent]);
		let oldest_allowed = chain.candidate_at(2, A, "genesis", "a1").back();
		assert_eq!(dropped(chain, alloc::vec![oldest_allowed]), []);
	});
}

fn signal(signals: &[UmpSignal]) -> impl FnOnce(&mut headway_primitives::CandidateCommitments) {
	use codec::Encode;
	let mut messages = alloc::vec![UMP_SEPARATOR];
	messages.extend(signals.iter().map(Encode::encode));
	move |commitments| commitments.upward_messages = messages.try_into().expect("few messages")
}

#[test]
fn signal_without_assignment_is_dropped() {
	let select = UmpSignal::SelectCore(
		headway_primitives::ump::CoreSelector(0),
		headway_primitives::ump::ClaimQueueOffset(9),
	);
	assert_eq!(reason(|c| c.commit(signal(&[select]))), DropReason::Signals(UmpSignalError::NoAssignment(9)));
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
	let select = UmpSignal::SelectCore(
		headway_primitives::ump::CoreSelector(0),
		headway_primitives::ump::ClaimQueueOffset(0),
	);
	assert_eq!(
		reason(|c| c.commit(signal(&[select.clone(), select]))),
		DropReason::Signals(UmpSignalError::Duplicate)
	);
}

// -- chains

#[test]
fn candidate_of_unknown_para_is_dropped() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "x1").describe(|d| d.para_id = ParaId(3000)).back();
		assert_eq!(
			dropped(chain, alloc::vec![candidate]),
			[DropReason::Signals(UmpSignalError::NoAssignment(0))]
		);
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
		reason(|c| c.commit(|c| c.head_data = headway_primitives::HeadData(alloc::vec![0; 65]))),
		verification(inclusion::Error::HeadDataTooLarge)
	);
}

#[test]
fn relay_parents_of_a_chain_may_not_go_backwards() {
	with_chain(two_cores_for_one_para(), 6, 1, |chain| {
		assign_second_core(chain);
		let newer = chain.candidate(A, "genesis", "a1").back();
		let n = chain.number();
		let mut older = chain.candidate_at(n - 2, A, "a1", "a2").describe(|d| d.core_index = 1);
		older.core = CoreIndex(1);
		assert_eq!(
			dropped(chain, alloc::vec![newer, older.back()]),
			[verification(inclusion::Error::DisallowedRelayParent)]
		);
	});
}

pub(super) fn two_cores_for_one_para() -> configuration::HostConfiguration {
	let mut config = config();
	config.scheduler_params.num_cores = 1;
	config
}

/// Assigns the spare core 0 of [`two_cores_for_one_para`] and the para's own core 1 to the para, and waits.
pub(super) fn assign_second_core(chain: &mut Chain) {
	scheduler::Pallet::<Test>::assign_core(
		CoreIndex(0),
		0,
		alloc::vec![(scheduler::CoreAssignment::Task(A), scheduler::PartsOf57600::FULL)],
		None,
	)
	.expect("nothing is scheduled on the core");
	(0..5).for_each(|_| chain.empty_block());
}

#[test]
fn chain_of_two_candidates_takes_two_cores() {
	with_chain(two_cores_for_one_para(), 6, 1, |chain| {
		assign_second_core(chain);
		let first = chain.candidate(A, "genesis", "a1").back();
		let mut second = chain.candidate(A, "a1", "a2").describe(|d| d.core_index = 1);
		second.core = CoreIndex(1);
		let processed = chain.block(Vec::new(), alloc::vec![first, second.back()]);
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
	with_chain(two_cores_for_one_para(), 6, 1, |chain| {
		assign_second_core(chain);
		let bad = chain.candidate(A, "unknown", "a1").back();
		let hash = bad.hash();
		let mut next = chain.candidate(A, "genesis", "a1").describe(|d| d.core_index = 1);
		next.core = CoreIndex(1);
		assert_eq!(
			dropped(chain, alloc::vec![bad, next.back()]),
			[verification(inclusion::Error::ValidationDataHashMismatch), DropReason::Behind(hash)]
		);
	});
}

#[test]
fn duplicate_candidate_is_dropped() {
	with_chain(two_cores_for_one_para(), 6, 1, |chain| {
		assign_second_core(chain);
		let candidate = chain.candidate(A, "genesis", "genesis").back();
		assert_eq!(dropped(chain, alloc::vec![candidate.clone(), candidate]), [DropReason::Duplicate]);
	});
}

#[test]
fn more_candidates_than_cores_are_dropped() {
	with_chain(config(), 4, 1, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		let second = chain.candidate(A, "a1", "a2").back();
		assert_eq!(
			dropped(chain, alloc::vec![first, second]),
			[DropReason::CoreNotEligible(Some(CoreIndex(0)))]
		);
	});
}

#[test]
fn occupied_core_is_not_eligible() {
	with_chain(config(), 4, 1, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), alloc::vec![first]);
		let second = chain.candidate(A, "a1", "a2").back();
		assert_eq!(dropped(chain, alloc::vec![second]), [DropReason::NoEligibleCore]);
	});
}

#[test]
fn nothing_is_backed_in_the_last_block_of_a_session() {
	with_chain(config(), 4, 1, |chain| {
		chain.announce_session();
		let candidate = chain.candidate(A, "genesis", "a1").back();
		assert_eq!(dropped(chain, alloc::vec![candidate]), [DropReason::NoEligibleCore]);
	});
}

#[test]
fn session_change_drops_pending_candidates() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), alloc::vec![candidate]);
		chain.session_block();
		assert!(inclusion::Pallet::<Test>::occupied_cores().is_empty());
		// The first block of the new session: its relay parent is the last block of the old one.
		let candidate = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), alloc::vec![candidate]);
		assert_eq!(candidate_events(), [("backed", head("a1"))]);
	});
}

#[test]
fn v1_candidate_needs_an_injected_core() {
	with_chain(config(), 4, 1, |chain| {
		let v1 = chain.candidate(A, "genesis", "a1").describe(|d| d.reserved1 = [1; 24]);
		let with_core = v1.back();
		assert_eq!(dropped(chain, alloc::vec![with_core.clone()]), []);
		let mut without = with_core;
		let votes = without.validator_indices_and_core_index().0.to_bitvec();
		without.set_validator_indices_and_core_index(votes, None);
		assert_eq!(dropped(chain, alloc::vec![without]), [DropReason::CoreNotEligible(None)]);
	});
}

// -- votes of disabled validators

#[test]
fn votes_of_disabled_validators_are_removed_if_enough_are_left() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").votes(3);
		let group = candidate.group();
		let raw = shared::ActiveValidatorIndices::<Test>::get()[group[0].0 as usize].0;
		disable(alloc::vec![raw]);
		let processed = chain.block(Vec::new(), alloc::vec![candidate.back()]);
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
		let raw = shared::ActiveValidatorIndices::<Test>::get()[group[0].0 as usize].0;
		disable(alloc::vec![raw]);
		assert_eq!(dropped(chain, alloc::vec![candidate.back()]), [DropReason::DisabledBackers]);
	});
}

// -- weight

#[test]
fn whole_chains_are_dropped_when_the_block_is_full_and_upgrades_are_preferred() {
	with_chain(config(), 6, 2, |chain| {
		let plain = chain.candidate(A, "genesis", "a1").back();
		let upgrade = chain
			.candidate(B, "genesis", "b1")
			.commit(|c| c.new_validation_code = Some(ValidationCode(alloc::vec![2; 64])))
			.back();
		let both = alloc::vec![plain, upgrade.clone()];
		let budget = weights::candidate::<Test>(&upgrade);
		let (_, kept, dropped, _) = limit::apply::<Test>(Vec::new(), both, budget, Default::default());
		assert_eq!(kept, [upgrade]);
		assert_eq!(dropped.len(), 1);
		assert_eq!(dropped[0].2, DropReason::Overweight);
	});
}

#[test]
fn bitfields_go_before_candidates_when_the_block_is_full() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").back();
		let bitfields = chain.bitfields(&[]);
		let budget = limit::bitfields_weight::<Test>(&bitfields[..2]);
		let (kept, candidates, dropped, dropped_bitfields) =
			limit::apply::<Test>(bitfields, alloc::vec![candidate], budget, Default::default());
		assert!(candidates.is_empty());
		assert_eq!(kept.len(), 2);
		assert!(kept[0].validator_index < kept[1].validator_index);
		assert_eq!((dropped.len(), dropped_bitfields.len()), (1, 2));
	});
}

// -- synchronous backing

#[test]
fn synchronous_relay_parent_must_be_the_newest() {
	with_chain(synchronous_config(), 4, 1, |chain| {
		chain.empty_block();
		let old = chain.candidate_at(0, A, "genesis", "a1").back();
		assert_eq!(dropped(chain, alloc::vec![old.clone()]), [DropReason::SynchronousRelayParentNotNewest]);
		let newest = chain.candidate(A, "genesis", "a1").back();
		assert_eq!(dropped(chain, alloc::vec![newest]), []);
	});
	// The same candidate is fine with asynchronous backing.
	with_chain(config(), 4, 1, |chain| {
		chain.empty_block();
		let old = chain.candidate_at(0, A, "genesis", "a1").back();
		assert_eq!(dropped(chain, alloc::vec![old]), []);
	});
}

#[test]
fn synchronous_para_may_have_nothing_pending() {
	with_chain(synchronous_config(), 4, 1, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), alloc::vec![first]);
		for parent in ["genesis", "a1"] {
			let next = chain.candidate(A, parent, "a2").back();
			assert_eq!(
				dropped(chain, alloc::vec![next]),
				[DropReason::SynchronousCandidatePending],
				"on {parent}"
			);
		}
	});
}

#[test]
fn synchronous_head_that_was_included_in_this_block_does_not_count() {
	with_chain(synchronous_config(), 4, 1, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), alloc::vec![first]);
		let early = chain.candidate(A, "a1", "a2").back();
		let bitfields = chain.bitfields(&[0]);
		let processed = chain.block(bitfields, alloc::vec![early]);
		assert_eq!(processed.dropped[0].2, DropReason::SynchronousHeadIncludedAfterRelayParent);
		assert_eq!(candidate_events(), [("included", head("a1"))]);
		// One block later it is the included head of the relay parent: one para block per two relay blocks.
		let next = chain.candidate(A, "a1", "a2").back();
		chain.block(Vec::new(), alloc::vec![next]);
		assert_eq!(candidate_events(), [("backed", head("a2"))]);
	});
}

#[test]
fn synchronous_candidate_may_not_build_on_one_of_the_same_block() {
	let mut config = synchronous_config();
	config.scheduler_params.num_cores = 1;
	with_chain(config, 6, 1, |chain| {
		assign_second_core(chain);
		let first = chain.candidate(A, "genesis", "a1").back();
		let mut second = chain.candidate(A, "a1", "a2").describe(|d| d.core_index = 1);
		second.core = CoreIndex(1);
		assert_eq!(
			dropped(chain, alloc::vec![first, second.back()]),
			[DropReason::SynchronousParentNotIncluded]
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
			dropped(chain, alloc::vec![old]).is_empty()
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
