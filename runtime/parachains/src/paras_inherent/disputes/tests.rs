//! Order and limits of disputes in the inherent, and what they do to candidates.

use super::{
	super::tests::{on_core, with_cores},
	*,
};
use crate::{
	configuration::ActiveConfig,
	disputes::testing::{
		dispute, hash, signed,
		Vote::{self, Against, For, Seconded},
	},
	mock::{candidate_events, config, head, with_chain, Chain, ParasDisputes, RuntimeOrigin, Test},
};
use alloc::vec;
use headway_primitives::{DisputeStatement, InvalidDisputeStatementKind};

const A: u32 = 2000;

/// A backer, and the first `against` of the others against it.
fn votes(against: u32) -> Vec<(u32, Vote)> {
	let mut votes = vec![(0, Seconded)];
	votes.extend((1..=against).map(|validator| (validator, Against)));
	votes
}

fn names(sets: &[DisputeStatementSet]) -> Vec<(SessionIndex, CandidateHash)> {
	sets.iter().map(|set| (set.session, set.candidate_hash)).collect()
}

/// Includes a candidate of the para on core 0; returns its hash.
fn include(chain: &mut Chain, from: &str, to: &str) -> CandidateHash {
	let candidate = chain.candidate(A, from, to).back();
	let hash = candidate.hash();
	chain.block(Vec::new(), vec![candidate]);
	let bitfields = chain.bitfields(&[0]);
	chain.block(bitfields, Vec::new());
	hash
}

#[test]
fn local_disputes_come_first_by_inclusion_and_remote_ones_by_session() {
	with_chain(config(), 4, 1, |_| {
		for (session, candidate, included) in [(1, 7, 9), (0, 6, 4), (0, 5, 9)] {
			ParasDisputes::note_included(session, hash(candidate), included);
		}
		let set = |session, candidate, votes: &[(u32, Vote)]| dispute(session, hash(candidate), votes);
		let first = [(0, For)];
		let sets = vec![
			set(1, 2, &[]),
			set(0, 3, &first),
			set(1, 7, &[]),
			set(0, 3, &[]),
			set(0, 9, &[]),
			set(0, 5, &[]),
			set(0, 6, &[]),
			set(1, 1, &[]),
			set(1, 7, &[]),
			set(1, 3, &[]),
		];
		let mut dropped = Vec::new();
		let ordered = order::<Test>(sets, &mut dropped);
		let expected = [(0, 6), (0, 5), (1, 7), (0, 3), (0, 9), (1, 1), (1, 2), (1, 3)];
		assert_eq!(names(&ordered), expected.map(|(session, candidate)| (session, hash(candidate))));
		// Of equal ones the first is kept.
		assert_eq!(ordered[3].statements.len(), 1);
		let duplicate = DisputeDropReason::Duplicate;
		assert_eq!(dropped, [(1, hash(7), duplicate), (0, hash(3), duplicate)]);
	});
}

#[test]
fn disputes_beyond_the_budget_are_dropped_in_order() {
	with_chain(config(), 4, 1, |_| {
		let config = ActiveConfig::<Test>::get();
		ParasDisputes::note_included(0, hash(9), 3);
		let sets: Vec<_> = [5, 9, 7].map(|candidate| dispute(0, hash(candidate), &votes(1))).to_vec();
		let one = disputes_weight::<Test>(&sets[..1]);
		let select = |sets: &[DisputeStatementSet], budget| select::<Test>(sets.to_vec(), &config, budget);
		let chosen = |selected: &Selected| {
			selected.sets.iter().map(|set| set.set().candidate_hash).collect::<Vec<_>>()
		};

		let all = select(&sets, one.saturating_mul(3));
		assert_eq!((chosen(&all), all.weight), (vec![hash(9), hash(5), hash(7)], one.saturating_mul(3)));
		let two = select(&sets, one.saturating_mul(2));
		assert_eq!((chosen(&two), two.weight), (vec![hash(9), hash(5)], one.saturating_mul(2)));
		assert_eq!(two.dropped, [(0, hash(7), DisputeDropReason::Overweight)]);
		// By size alone, too.
		let size = Weight::from_parts(u64::MAX, one.proof_size());
		assert_eq!(chosen(&select(&sets, size)), [hash(9)]);

		// A set that does not fit gives way to smaller ones.
		let mut large = sets.clone();
		large[1] = dispute(0, hash(9), &vec![votes(3); 3].concat());
		assert_eq!(chosen(&select(&large, one.saturating_mul(2))), [hash(5), hash(7)]);
		// One that is dropped after its check has used up its share. Without a choice it costs nothing.
		let mut invalid = sets.clone();
		invalid[1].statements[1].2 = invalid[1].statements[0].2.clone();
		assert_eq!(chosen(&select(&invalid, one.saturating_mul(2))), [hash(5)]);
		assert_eq!(select(&invalid, one.saturating_mul(3)).weight, one.saturating_mul(2));
	});
}

#[test]
fn disputes_that_fill_the_block_leave_no_room_for_others() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), vec![candidate]);
		ParasDisputes::note_included(0, hash(1), 1);
		ParasDisputes::note_included(0, hash(2), 2);
		let newer = dispute(0, hash(2), &votes(1));
		let mut older = dispute(0, hash(1), &votes(1));
		// Votes of validators that do not exist: they cost weight, and nothing else.
		let budget = max_weight::<Test>()
			.saturating_sub(cost::enter_empty::<Test>(scheduler::Pallet::<Test>::n_cores()))
			.ref_time();
		let statement = DisputeStatement::Invalid(InvalidDisputeStatementKind::Explicit);
		let (_, _, signature) = signed(0, hash(1), 0, &Against);
		let vote = (statement, ValidatorIndex(u32::MAX), signature);
		let left = older.clone();
		let weight = |votes: &[_]| {
			let mut set = older.clone();
			set.statements.extend_from_slice(votes);
			cost::dispute_set::<Test>(&set).ref_time()
		};
		// Every third voter may have to be reported.
		let three = weight(&[vote.clone(), vote.clone(), vote.clone()]) - weight(&[]);
		let n = (budget - weight(&[])) / three * 3;
		older.statements.extend((0..n).map(|_| vote.clone()));

		let bitfields = chain.bitfields(&[0]);
		let next = chain.candidate(A, "a1", "a2").back();
		let processed = chain.block_with_disputes(bitfields, vec![next], vec![newer, older]);
		assert_eq!(processed.data.disputes, [left]);
		assert_eq!(processed.dropped_disputes, [(0, hash(2), DisputeDropReason::Overweight)]);
		assert!(processed.data.bitfields.is_empty() && processed.data.backed_candidates.is_empty());
		assert_eq!(candidate_events(), []);
	});
}

#[test]
fn disputes_are_imported_and_published() {
	with_chain(config(), 4, 1, |chain| {
		let good = dispute(0, hash(2), &votes(1));
		let one_sided = dispute(0, hash(1), &[(0, Seconded), (1, For)]);
		let candidate = chain.candidate(A, "genesis", "a1").back();
		let processed = chain.block_with_disputes(Vec::new(), vec![candidate], vec![good.clone(), one_sided]);
		let rejected = DisputeDropReason::Rejected(SetError::SingleSided);
		assert_eq!(processed.dropped_disputes, [(0, hash(1), rejected)]);
		let on_chain = OnChainVotes::<Test>::get().expect("the inherent stores votes");
		assert_eq!(on_chain.disputes, [good]);
		assert_eq!(on_chain.backing_validators_per_candidate.len(), 1);
		assert_eq!(ParasDisputes::disputes().len(), 1);
		chain.empty_block();
		assert_eq!(OnChainVotes::<Test>::get().map(|votes| votes.disputes), Some(Vec::new()));
	});
}

#[test]
fn set_that_is_not_imported_does_not_keep_others_from_it() {
	with_chain(config(), 4, 1, |_| {
		let sets = [dispute(0, hash(1), &[(0, For), (1, Against)]), dispute(0, hash(2), &votes(1))]
			.map(|set| CheckedDisputeStatementSet::assume_checked(set, 4));
		import::<Test>(&sets, &config());
		let imported: Vec<_> = ParasDisputes::disputes().into_iter().map(|(_, hash, _)| hash).collect();
		assert_eq!(imported, [hash(2)]);
	});
}

#[test]
fn inclusion_is_noted_for_disputes() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = include(chain, "genesis", "a1");
		assert_eq!(ParasDisputes::included_state(0, candidate), Some(1));
	});
}

#[test]
fn frozen_chain_takes_disputes_only() {
	with_chain(config(), 4, 1, |chain| {
		let invalid = include(chain, "genesis", "a1");
		let pending = chain.candidate(A, "a1", "a2").back();
		chain.block(Vec::new(), vec![pending]);

		let bitfields = chain.bitfields(&[0]);
		let next = chain.candidate(A, "a2", "a3").back();
		let doubt = dispute(0, invalid, &votes(2));
		let processed = chain.block_with_disputes(bitfields, vec![next], vec![doubt.clone()]);
		assert_eq!(processed.data.disputes, core::slice::from_ref(&doubt));
		assert!(processed.data.bitfields.is_empty() && processed.data.backed_candidates.is_empty());
		assert_eq!(crate::disputes::Frozen::<Test>::get(), Some(1));
		let on_chain = OnChainVotes::<Test>::get().expect("the inherent stores votes");
		assert_eq!((on_chain.disputes, on_chain.backing_validators_per_candidate), (vec![doubt], Vec::new()));

		// So it stays until root says otherwise.
		let bitfields = chain.bitfields(&[0]);
		chain.block(bitfields, Vec::new());
		assert_eq!(candidate_events(), []);
		ParasDisputes::force_unfreeze(RuntimeOrigin::root()).expect("root may");
		let bitfields = chain.bitfields(&[0]);
		chain.block(bitfields, Vec::new());
		assert_eq!(candidate_events(), [("included", head("a2"))]);
	});
}

#[test]
fn invalid_candidate_leaves_its_core_with_all_that_build_on_it() {
	with_cores(config(), 2, |chain| {
		let first = chain.candidate(A, "genesis", "a1").back();
		let second = on_core(chain.candidate(A, "a1", "a2"), 1).back();
		let (first_hash, second_hash) = (first.hash(), second.hash());
		chain.block(Vec::new(), vec![first.clone(), second.clone()]);
		assert_eq!(inclusion::Pallet::<Test>::occupied_cores().len(), 2);

		// Five of six are against it.
		let invalid = dispute(0, first_hash, &votes(5));
		let mut bitfields = chain.bitfields(&[1]);
		bitfields[2] = chain.sign_bitfield(ValidatorIndex(2), bitvec::bitvec![u8, bitvec::order::Lsb0; 0; 2]);
		let again = vec![first.clone(), second.clone()];
		let processed = chain.block_with_disputes(bitfields, again, vec![invalid]);
		assert!(inclusion::Pallet::<Test>::occupied_cores().is_empty());
		let kept: Vec<_> =
			processed.data.bitfields.iter().map(|bitfield| bitfield.validator_index.0).collect();
		assert_eq!(kept, [2]);
		assert!(processed
			.dropped_bitfields
			.iter()
			.all(|(_, reason)| *reason == BitfieldDropReason::DisputedCore));
		let reasons: Vec<_> = processed.dropped.into_iter().map(|(_, hash, reason)| (hash, reason)).collect();
		assert_eq!(
			reasons,
			[(first_hash, DropReason::Disputed), (second_hash, DropReason::Behind(first_hash))]
		);

		// Nor does it come back later.
		let processed = chain.block(Vec::new(), vec![first]);
		assert_eq!(processed.dropped[0].2, DropReason::Disputed);
		let good = chain.candidate(A, "genesis", "b1").back();
		chain.block(Vec::new(), vec![good]);
		assert_eq!(candidate_events(), [("backed", head("b1"))]);
	});
}

#[test]
fn dispute_of_an_older_session_leaves_cores_alone() {
	with_chain(config(), 4, 1, |chain| {
		chain.session_block();
		let candidate = chain.candidate(A, "genesis", "a1").back();
		let invalid = dispute(0, candidate.hash(), &votes(3));
		chain.block(Vec::new(), vec![candidate]);
		let bitfields = chain.bitfields(&[0]);
		let processed = chain.block_with_disputes(bitfields, Vec::new(), vec![invalid]);
		assert_eq!((processed.data.disputes.len(), processed.data.bitfields.len()), (1, 4));
		assert_eq!(candidate_events(), [("included", head("a1"))]);
	});
}
