//! One test per rule by which the inherent drops or accepts. This file has what the tests share, the data as a
//! whole and bitfields.

mod chains;
mod descriptors;
mod duality;
mod synchronous;
mod weight;

use super::*;
use crate::mock::{
	candidate_events, config, disable, forgotten, head, synchronous_config, with_chain, Candidate, Chain,
	ParaInherent, RuntimeOrigin, Test,
};
use crate::paras;
use alloc::vec;
use frame_support::{assert_noop, assert_ok, traits::Hooks};
use headway_primitives::{
	ump::{ClaimQueueOffset, CoreSelector, UmpSignal, UmpSignalError, UMP_SEPARATOR},
	BackedCandidate, CandidateCommitments, CoreIndex, DescriptorVersionError, FeatureIndex, ValidationCode,
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

/// Which of the candidates are left by the pipeline of the block to come.
fn kept(chain: &Chain, candidates: &[&BackedCandidate]) -> Vec<bool> {
	let data = ParachainsInherentData {
		bitfields: Vec::new(),
		backed_candidates: candidates.iter().map(|candidate| (*candidate).clone()).collect(),
		disputes: Vec::new(),
		parent_header: chain.parent(),
	};
	let left: BTreeSet<_> =
		chain.author(data).data.backed_candidates.iter().map(BackedCandidate::hash).collect();
	candidates.iter().map(|candidate| left.contains(&candidate.hash())).collect()
}

/// The configuration of the mock, with one more setting.
fn configured(
	change: impl FnOnce(&mut configuration::HostConfiguration),
) -> configuration::HostConfiguration {
	let mut config = config();
	change(&mut config);
	config
}

/// Runs a test on a chain where para A has these many cores: its own is the last, all others are assigned.
pub(super) fn with_cores<R>(
	config: configuration::HostConfiguration,
	n_cores: u32,
	test: impl FnOnce(&mut Chain) -> R,
) -> R {
	let mut config = config;
	config.scheduler_params.num_cores = n_cores - 1;
	with_chain(config, 6, 1, |chain| {
		assign_cores(chain, n_cores - 1);
		test(chain)
	})
}

/// Assigns these many cores to para A, from core 0 on, and waits until it may use them.
fn assign_cores(chain: &mut Chain, n: u32) {
	for core in 0..n {
		let assignment = vec![(scheduler::CoreAssignment::Task(A), scheduler::PartsOf57600::FULL)];
		scheduler::Pallet::<Test>::assign_core(CoreIndex(core), 0, assignment, None)
			.expect("nothing is scheduled on the core");
	}
	(0..5).for_each(|_| chain.empty_block());
}

/// Moves a candidate to a core.
pub(super) fn on_core(candidate: Candidate, core: u32) -> Candidate {
	let mut candidate = candidate.describe(|d| d.core_index = core as u16);
	candidate.core = CoreIndex(core);
	candidate
}

/// Makes a candidate version 1: it tells its core only behind its votes.
fn v1(candidate: Candidate) -> Candidate {
	candidate.describe(|d| d.reserved1 = [1; 24])
}

/// Makes a candidate version 3, scheduled by a block of the current session; with signals for its core.
fn v3(chain: &Chain, candidate: Candidate, scheduling_parent: headway_primitives::BlockNumber) -> Candidate {
	let session = shared::CurrentSessionIndex::<Test>::get();
	let hash = chain.headers[scheduling_parent as usize].hash();
	let mut candidate = candidate.commit(signal(&[select(0, 0)])).describe(|d| {
		*d = d.clone().into_v3(hash, session).expect("few sessions apart");
	});
	candidate.scheduled_at = scheduling_parent;
	candidate
}

fn v3_config() -> configuration::HostConfiguration {
	configured(|config| {
		config.node_features.resize(FeatureIndex::CandidateReceiptV3 as usize + 1, false);
		config.node_features.set(FeatureIndex::CandidateReceiptV3 as usize, true);
		config.max_relay_parent_session_age = 1;
	})
}

fn select(selector: u8, offset: u8) -> UmpSignal {
	UmpSignal::SelectCore(CoreSelector(selector), ClaimQueueOffset(offset))
}

fn signal(signals: &[UmpSignal]) -> impl FnOnce(&mut CandidateCommitments) {
	use codec::Encode;
	let mut messages = vec![UMP_SEPARATOR];
	messages.extend(signals.iter().map(Encode::encode));
	move |commitments| commitments.upward_messages = messages.try_into().expect("few messages")
}

/// The reason for which a candidate of para A is dropped after a change to it.
#[track_caller]
fn reason(change: impl FnOnce(Candidate) -> Candidate) -> DropReason {
	with_chain(config(), 4, 1, |chain| {
		chain.empty_block();
		let candidate = change(chain.candidate(A, "genesis", "a1")).back();
		let mut reasons = dropped(chain, vec![candidate]);
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
		let processed = chain.block(Vec::new(), vec![backed]);
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
		chain.block(Vec::new(), vec![first]);
		let second = chain.candidate(A, "a1", "a2").back();
		let bitfields = chain.bitfields(&[0]);
		chain.block(bitfields, vec![second]);
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
			backed_candidates: vec![bad],
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
		let processed = chain.block(Vec::new(), vec![bad, good.clone()]);
		assert_eq!(processed.data.backed_candidates, [good]);
		assert_eq!(processed.dropped.len(), 1);
		let votes = OnChainVotes::<Test>::get().expect("the inherent stores votes");
		assert_eq!(votes.backing_validators_per_candidate.len(), 1);
		assert_eq!(votes.backing_validators_per_candidate[0].1.len(), 2);
	});
}

#[test]
fn inherent_of_the_author_is_accepted_unchanged() {
	with_chain(config(), 6, 2, |chain| {
		let data = ParachainsInherentData {
			bitfields: chain.bitfields(&[]),
			backed_candidates: [A, B].map(|para| chain.candidate(para, "genesis", "1").back()).to_vec(),
			disputes: Vec::new(),
			parent_header: chain.parent(),
		};
		let mut inherent_data = InherentData::new();
		inherent_data.put_data(PARACHAINS_INHERENT_IDENTIFIER, &data).expect("a fresh identifier");
		let author = forgotten(|| ParaInherent::create_inherent(&inherent_data));
		let Some(call) = author else { panic!("the author makes an inherent") };
		assert!(ParaInherent::is_inherent(&call));
		let Call::enter { data: made } = call;
		assert_eq!(made, data);
		assert_ok!(ParaInherent::enter(RuntimeOrigin::none(), made));
	});
}

#[test]
fn candidates_come_out_by_para() {
	with_chain(config(), 6, 2, |chain| {
		let [a, b] = [A, B].map(|para| chain.candidate(para, "genesis", "1").back());
		let processed = chain.block(Vec::new(), vec![b.clone(), a.clone()]);
		assert_eq!(processed.data.backed_candidates, [a, b]);
		assert_eq!(processed.dropped, []);
	});
}

#[test]
fn on_chain_votes_are_of_the_block_and_name_the_members_of_the_group() {
	with_chain(config(), 6, 2, |chain| {
		let candidate = chain.candidate(B, "genesis", "b1").votes(3);
		let group = candidate.group();
		let backed = candidate.back();
		chain.block(Vec::new(), vec![backed.clone()]);
		let votes = OnChainVotes::<Test>::get().expect("the inherent stores votes");
		assert_eq!(votes.session, 0);
		let [(receipt, backers)] = &votes.backing_validators_per_candidate[..] else {
			panic!("one is backed")
		};
		assert_eq!(receipt.hash(), backed.hash());
		let expected: Vec<_> = group.into_iter().zip(backed.validity_votes).collect();
		assert_eq!(*backers, expected);
		chain.empty_block();
		let votes = OnChainVotes::<Test>::get().expect("the inherent stores votes");
		assert!(votes.backing_validators_per_candidate.is_empty(), "those of the block before are gone");
	});
}

#[test]
fn candidate_with_wrong_votes_costs_only_itself() {
	with_chain(config(), 6, 2, |chain| {
		let good = chain.candidate(A, "genesis", "a1").back();
		let mut bad = chain.candidate(B, "genesis", "b1").back();
		bad.validity_votes.swap(0, 1);
		let processed = chain.block(Vec::new(), vec![good.clone(), bad]);
		assert_eq!(processed.data.backed_candidates, [good]);
		assert_eq!(processed.dropped[0].2, verification(inclusion::Error::InvalidBacking));
		let few = chain.candidate(B, "genesis", "b1").votes(1).back();
		assert_eq!(dropped(chain, vec![few]), [verification(inclusion::Error::InsufficientBacking)]);
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
	assert_eq!(bitfield_reasons(change), (3, vec![BitfieldDropReason::WrongLength]));
}

#[test]
fn bitfields_out_of_order_are_dropped() {
	assert_eq!(bitfield_reasons(|_, all| all.swap(1, 2)), (3, vec![BitfieldDropReason::Unsorted]));
}

#[test]
fn second_bitfield_of_a_validator_is_dropped() {
	assert_eq!(
		bitfield_reasons(|_, all| all.insert(1, all[0].clone())),
		(4, vec![BitfieldDropReason::Unsorted])
	);
}

#[test]
fn bitfield_of_unknown_validator_is_dropped() {
	assert_eq!(
		bitfield_reasons(|_, all| all[3].validator_index = ValidatorIndex(9)),
		(3, vec![BitfieldDropReason::UnknownValidator])
	);
}

#[test]
fn bitfield_with_invalid_signature_is_dropped() {
	assert_eq!(
		bitfield_reasons(|_, all| all[2].signature = all[1].signature.clone()),
		(3, vec![BitfieldDropReason::InvalidSignature])
	);
}

#[test]
fn second_bitfield_of_a_validator_whose_first_has_an_invalid_signature_is_dropped() {
	use BitfieldDropReason::{InvalidSignature, Unsorted};
	let change = |_: &Chain, all: &mut Vec<headway_primitives::UncheckedSignedAvailabilityBitfield>| {
		let mut forged = all[1].clone();
		forged.signature = all[0].signature.clone();
		all.insert(1, forged);
	};
	assert_eq!(bitfield_reasons(change), (3, vec![InvalidSignature, Unsorted]));
}

#[test]
fn bitfield_signed_at_another_block_or_session_is_dropped() {
	with_chain(config(), 4, 1, |chain| {
		let stale = chain.bitfields(&[0]);
		chain.empty_block();
		let processed = chain.block(stale, Vec::new());
		assert_eq!(processed.data.bitfields, []);
		assert!(processed.dropped_bitfields.iter().all(|(_, r)| *r == BitfieldDropReason::InvalidSignature));
	});
}
