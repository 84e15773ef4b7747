//! Which votes count, what they come to, and what is forgotten when. Of six validators one may be faulty, and five
//! are a supermajority.

use super::{
	testing::{
		dispute, hash, offences, rewards, signed,
		Vote::{self, Against, Approved, Backed, Coalesced, For, Seconded},
	},
	*,
};
use crate::{
	configuration::ActiveConfig,
	mock::{config, with_chain, Chain, ParasDisputes, RuntimeEvent, RuntimeOrigin, System, Test},
};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError;

/// Runs a test with six validators.
fn with_six(test: impl FnOnce(&mut Chain)) {
	with_chain(config(), 6, 1, test);
}

fn check(set: DisputeStatementSet) -> Result<CheckedDisputeStatementSet, SetError> {
	Filter::<Test>::new(&ActiveConfig::<Test>::get()).check(set)
}

fn import_checked(checked: &CheckedDisputeStatementSet) -> Result<(), Error<Test>> {
	ParasDisputes::import(checked, ImportParams::new::<Test>(&ActiveConfig::<Test>::get()))
}

/// Imports votes of session 0 that must pass the filter as they are.
#[track_caller]
fn import(candidate: CandidateHash, votes: &[(u32, Vote)]) {
	let set = dispute(0, candidate, votes);
	let checked = check(set.clone()).expect("the dispute passes");
	assert_eq!(checked.set(), &set);
	assert_eq!(import_checked(&checked), Ok(()));
}

fn state(candidate: CandidateHash) -> DisputeState {
	Disputes::<Test>::get(0, candidate).expect("there is a dispute")
}

fn events() -> Vec<Event> {
	System::read_events_no_consensus()
		.filter_map(|record| match record.event {
			RuntimeEvent::ParasDisputes(event) => Some(event),
			_ => None,
		})
		.collect()
}

fn indices(validators: impl IntoIterator<Item = u32>) -> Vec<ValidatorIndex> {
	validators.into_iter().map(ValidatorIndex).collect()
}

/// Five for the candidate, the first of them its backer, and one against it.
fn concludes_valid() -> Vec<(u32, Vote)> {
	alloc::vec![(0, Seconded), (1, For), (2, For), (3, Approved), (4, For), (5, Against)]
}

/// The backer and an approver for the candidate, and five against it.
fn concludes_invalid() -> Vec<(u32, Vote)> {
	let mut votes = alloc::vec![(0, Seconded), (1, Approved)];
	votes.extend((1..6).map(|validator| (validator, Against)));
	votes
}

// -- filter

#[test]
fn votes_that_do_not_count_are_filtered() {
	type Votes<'a> = &'a [(u32, Vote)];
	let cases: [(&str, Votes, Votes, &[usize]); 9] = [
		("twice the same", &[], &[(0, Seconded), (1, Against), (1, Against)], &[0, 1]),
		("explicit after backing", &[], &[(0, Seconded), (0, For), (1, Against)], &[0, 2]),
		("approval after backing", &[], &[(0, Seconded), (0, Approved), (1, Against)], &[0, 2]),
		("backing after explicit", &[], &[(0, For), (0, Seconded), (1, Against)], &[0, 1, 2]),
		("backing after backing", &[], &[(0, Seconded), (0, Backed), (1, Against)], &[0, 2]),
		("on both sides", &[], &[(0, Seconded), (0, Against), (1, Against)], &[0, 1, 2]),
		("no such validator", &[], &[(0, Seconded), (6, Against), (1, Against)], &[0, 2]),
		(
			"known votes",
			&[(0, Seconded), (1, Against)],
			&[(0, Seconded), (2, For), (1, Against), (0, For)],
			&[1],
		),
		("backing of a known voter", &[(0, Seconded), (1, Against), (2, For)], &[(2, Backed)], &[0]),
	];
	for (name, before, votes, kept) in cases {
		with_six(|_| {
			if !before.is_empty() {
				import(hash(1), before);
			}
			let set = dispute(0, hash(1), votes);
			let kept: Vec<_> = kept.iter().map(|i| set.statements[*i].clone()).collect();
			let checked = check(set).expect("enough is left");
			assert_eq!(checked.set().statements, kept, "{name}");
			assert_eq!(import_checked(&checked), Ok(()), "{name}");
		});
	}
}

#[test]
fn votes_with_another_signature_are_filtered() {
	with_six(|_| {
		let votes = [(0, Seconded), (1, Against), (2, For), (3, Approved), (4, Backed), (5, Against)];
		for spoilt in 0..votes.len() {
			let mut set = dispute(0, hash(1), &votes);
			set.statements[spoilt].2 = signed(0, hash(2), spoilt as u32, &votes[spoilt].1).2;
			let mut kept = set.statements.clone();
			kept.remove(spoilt);
			assert_eq!(check(set).expect("enough is left").set().statements, kept);
		}
	});
}

#[test]
fn approvals_together_with_others_count_up_to_the_configured_number() {
	let three = || Coalesced(alloc::vec![hash(1), hash(2), hash(3)]);
	let others = || Coalesced(alloc::vec![hash(2), hash(3)]);
	for (limit, vote, counts) in [
		(2, three(), false),
		(3, three(), true),
		(3, others(), false),
		(1, Coalesced(alloc::vec![hash(1)]), true),
	] {
		let mut config = config();
		config.approval_voting_params.max_approval_coalesce_count = limit;
		with_chain(config, 6, 1, |_| {
			let set = dispute(0, hash(1), &[(0, Seconded), (1, Against), (2, vote.clone())]);
			let left = check(set).expect("enough is left").set().statements.len();
			assert_eq!(left, if counts { 3 } else { 2 }, "limit {limit}: {vote:?}");
		});
	}
}

#[test]
fn disputes_that_must_not_come_on_chain_are_filtered() {
	type Case = (u32, &'static [(u32, Vote)], SetError);
	let cases: [Case; 7] = [
		(0, &[], SetError::NoNewVotes),
		(0, &[(9, Against)], SetError::NoNewVotes),
		(0, &[(0, Seconded), (1, For)], SetError::SingleSided),
		(0, &[(0, Against), (1, Against)], SetError::SingleSided),
		(0, &[(0, Seconded), (0, Against)], SetError::Unconfirmed),
		(0, &[(0, For), (1, Against)], SetError::MissingBackingVotes),
		(9, &[(0, Seconded), (1, Against)], SetError::UnknownSession),
	];
	for (session, votes, expected) in cases {
		with_six(|_| assert_eq!(check(dispute(session, hash(1), votes)), Err(expected), "{votes:?}"));
	}
}

#[test]
fn disputes_that_concluded_long_ago_are_filtered() {
	let mut config = config();
	config.dispute_post_conclusion_acceptance_period = 2;
	with_chain(config, 6, 1, |chain| {
		import(hash(1), &concludes_valid());
		assert_eq!(state(hash(1)).concluded_at, Some(1));
		// Not concluded.
		import(hash(2), &[(0, Seconded), (1, Against)]);
		let late = |candidate| check(dispute(0, candidate, &[(0, Against)])).map(drop);
		chain.empty_block();
		chain.empty_block();
		assert_eq!((chain.number(), late(hash(1))), (3, Ok(())));
		chain.empty_block();
		assert_eq!(late(hash(1)), Err(SetError::Ancient));
		assert_eq!(late(hash(2)), Ok(()));
	});
}

#[test]
fn filtered_votes_keep_their_order_and_pass_again() {
	with_six(|_| {
		// If the last vote took the place of the first, validator 0 would vote explicitly after it backed.
		let set = dispute(0, hash(1), &[(9, Against), (0, For), (1, Against), (0, Seconded)]);
		let checked = check(set.clone()).expect("enough is left");
		assert_eq!(checked.set().statements, set.statements[1..]);
		assert_eq!(check(checked.set().clone()).as_ref(), Ok(&checked));
		assert_eq!(import_checked(&checked), Ok(()));
	});
}

#[test]
fn refused_backing_vote_leaves_the_explicit_vote_in_place() {
	with_six(|_| {
		import(hash(1), &[(0, Seconded), (1, Against), (2, For)]);
		let mut set = dispute(0, hash(1), &[(2, Backed), (2, For), (3, For)]);
		set.statements[0].2 = set.statements[2].2.clone();
		let kept = [set.statements[2].clone()];
		assert_eq!(check(set).expect("enough is left").set().statements, kept);
	});
}

// -- import

#[test]
fn import_refuses_what_the_filter_drops() {
	type Case = (&'static [(u32, Vote)], Error<Test>);
	let cases: [Case; 7] = [
		(&[(0, For), (1, Against)], Error::MissingBackingVotes),
		(&[(0, Seconded), (1, For)], Error::SingleSidedDispute),
		(&[(0, Seconded), (0, Against)], Error::UnconfirmedDispute),
		(&[(0, Seconded), (6, Against)], Error::ValidatorIndexOutOfBounds),
		(&[(0, Seconded), (1, Against), (1, Against)], Error::DuplicateStatement),
		(&[(0, Seconded), (0, For), (1, Against)], Error::MaliciousBacker),
		(&[(0, Seconded), (0, Backed), (1, Against)], Error::DuplicateStatement),
	];
	for (votes, expected) in cases {
		with_six(|_| {
			let unfiltered = CheckedDisputeStatementSet::assume_checked(dispute(0, hash(1), votes), 6);
			assert_eq!(import_checked(&unfiltered), Err(expected), "{votes:?}");
			assert_eq!(Disputes::<Test>::iter().count() + BackersOnDisputes::<Test>::iter().count(), 0);
			assert_eq!(events(), []);
		});
	}
}

#[test]
fn dispute_is_local_if_its_candidate_was_included() {
	with_six(|chain| {
		chain.empty_block();
		ParasDisputes::note_included(0, hash(1), 2);
		for candidate in [hash(1), hash(2)] {
			import(candidate, &[(0, Seconded), (1, Against)]);
			import(candidate, &[(2, For)]);
		}
		assert_eq!(
			events(),
			[
				Event::DisputeInitiated(hash(1), DisputeLocation::Local),
				Event::DisputeInitiated(hash(2), DisputeLocation::Remote),
			]
		);
		assert_eq!(state(hash(1)).start, 2);
		assert_eq!(ParasDisputes::disputes().len(), 2);
		assert_eq!(BackersOnDisputes::<Test>::get(0, hash(1)), Some([ValidatorIndex(0)].into()));
	});
}

#[test]
fn supermajority_for_a_candidate_punishes_those_against_it() {
	with_six(|chain| {
		let mut votes = concludes_valid();
		let last = votes.remove(4);
		import(hash(1), &votes);
		assert_eq!((state(hash(1)).concluded_at, offences()), (None, Vec::new()));
		chain.empty_block();
		import(hash(1), &[last]);
		assert_eq!(state(hash(1)).concluded_at, Some(2));
		assert_eq!(events(), [Event::DisputeConcluded(hash(1), DisputeResult::Valid)]);
		assert_eq!(offences(), [(0, alloc::vec![5])]);
		// Who joins them later is punished alone.
		chain.empty_block();
		import(hash(1), &[(1, Against)]);
		assert_eq!(offences()[1..], [(0, alloc::vec![1])]);
		assert_eq!(state(hash(1)).concluded_at, Some(2));
		assert_eq!(events(), []);
		assert!(!ParasDisputes::concluded_invalid(0, hash(1)));
	});
}

#[test]
fn supermajority_against_a_candidate_punishes_backers_and_approvers() {
	with_six(|_| {
		import(hash(1), &concludes_invalid());
		assert_eq!(state(hash(1)).concluded_at, Some(1));
		assert_eq!(
			events(),
			[
				Event::DisputeInitiated(hash(1), DisputeLocation::Remote),
				Event::DisputeConcluded(hash(1), DisputeResult::Invalid),
			]
		);
		assert_eq!(offences(), [(100, alloc::vec![0]), (2, alloc::vec![1])]);
		assert!(ParasDisputes::concluded_invalid(0, hash(1)));
	});
}

#[test]
fn late_votes_for_an_invalid_candidate_are_punished() {
	with_six(|chain| {
		import(hash(1), &concludes_invalid());
		// Validator 2 approves it, validator 3 turns out to have backed it.
		import(hash(1), &[(2, Approved), (3, Backed)]);
		assert_eq!(offences()[2..], [(100, alloc::vec![3]), (2, alloc::vec![2])]);
		// And so does validator 2, one session later.
		chain.session_block();
		import(hash(1), &[(2, Backed)]);
		let pending = slashing::Pallet::<Test>::unapplied_slashes();
		assert_eq!(pending.len(), 1);
		assert_eq!(pending[0].2.keys.keys().copied().collect::<Vec<_>>(), indices([2]));
	});
}

#[test]
fn dispute_may_conclude_both_ways() {
	with_six(|chain| {
		import(hash(1), &concludes_valid());
		chain.empty_block();
		import(hash(1), &[(0, Against), (1, Against), (2, Against), (3, Against)]);
		assert_eq!(events(), [Event::DisputeConcluded(hash(1), DisputeResult::Invalid)]);
		assert_eq!(state(hash(1)).concluded_at, Some(1));
		// Offences count an offender once per dispute: it is the worse one that counts.
		assert_eq!(offences()[1..], [(100, alloc::vec![0]), (2, alloc::vec![1, 2, 3, 4])]);
	});
}

#[test]
fn validators_are_rewarded_when_they_first_take_part() {
	with_six(|_| {
		import(hash(1), &[(3, Against), (0, Seconded)]);
		import(hash(1), &[(2, For), (0, Against), (3, For)]);
		assert_eq!(rewards(), [(0, indices([0, 3])), (0, indices([2]))]);
	});
}

// -- revert

fn reverts() -> Vec<sp_runtime::DigestItem> {
	System::digest().logs
}

fn revert(block: BlockNumber) -> sp_runtime::DigestItem {
	paras::ConsensusLog::Revert(block).into()
}

#[test]
fn chain_freezes_before_the_earliest_doubtful_inclusion() {
	with_six(|_| {
		ParasDisputes::note_included(0, hash(1), 10);
		import(hash(1), &[(0, Seconded), (1, Against)]);
		// One validator alone may be faulty.
		assert!(!ParasDisputes::is_frozen());
		import(hash(1), &[(2, Against)]);
		assert_eq!(Frozen::<Test>::get(), Some(9));
		assert_eq!(events()[1..], [Event::Revert(10)]);
		assert_eq!(reverts(), [revert(10)]);
		// Further votes say nothing new.
		import(hash(1), &[(3, Against)]);
		assert_eq!(reverts().len(), 1);

		for (candidate, included, frozen) in [(hash(2), 20, 9), (hash(3), 10, 9), (hash(4), 5, 4)] {
			ParasDisputes::note_included(0, candidate, included);
			import(candidate, &[(0, Seconded), (1, Against), (2, Against)]);
			assert_eq!(Frozen::<Test>::get(), Some(frozen));
		}
		assert_eq!(reverts(), [revert(10), revert(5)]);
	});
}

#[test]
fn inclusion_of_an_invalid_candidate_freezes_the_chain() {
	with_six(|_| {
		import(hash(1), &[(0, Seconded), (1, Against), (2, Against)]);
		import(hash(2), &concludes_invalid());
		assert!(!ParasDisputes::is_frozen());
		// In doubt, but not concluded.
		ParasDisputes::note_included(0, hash(1), 3);
		assert!(!ParasDisputes::is_frozen());
		ParasDisputes::note_included(0, hash(2), 3);
		assert_eq!((Frozen::<Test>::get(), reverts()), (Some(2), alloc::vec![revert(3)]));
	});
}

#[test]
fn nothing_is_noted_of_genesis() {
	with_six(|_| {
		ParasDisputes::note_included(0, hash(1), 0);
		assert_eq!(ParasDisputes::included_state(0, hash(1)), None);
	});
}

#[test]
fn only_root_unfreezes_the_chain() {
	with_six(|_| {
		Frozen::<Test>::set(Some(3));
		assert_noop!(ParasDisputes::force_unfreeze(RuntimeOrigin::signed(1)), DispatchError::BadOrigin);
		assert_ok!(ParasDisputes::force_unfreeze(RuntimeOrigin::root()));
		assert!(!ParasDisputes::is_frozen());
	});
}

#[test]
fn stored_values_have_the_layout_of_the_reference() {
	with_six(|_| {
		Frozen::<Test>::set(Some(3));
		let raw = |key: &[u8]| frame_support::storage::unhashed::get_raw(key);
		assert_eq!(raw(&Frozen::<Test>::hashed_key()), Some(alloc::vec![1, 3, 0, 0, 0]));
		import(hash(1), &concludes_valid());
		let value = raw(&Disputes::<Test>::hashed_key_for(0, hash(1))).expect("it is stored");
		// Bit vectors: the compact number of bits, and the bits; then the start and the conclusion.
		assert_eq!(value, [24, 0b11111, 24, 0b100000, 1, 0, 0, 0, 1, 1, 0, 0, 0]);
		let value = raw(&BackersOnDisputes::<Test>::hashed_key_for(0, hash(1))).expect("it is stored");
		assert_eq!(value, [4, 0, 0, 0, 0]);
	});
}

// -- sessions

#[test]
fn sessions_are_forgotten_behind_the_dispute_period() {
	let mut config = config();
	config.dispute_period = 2;
	with_chain(config, 6, 1, |chain| {
		import(hash(1), &[(0, Seconded), (1, Against)]);
		ParasDisputes::note_included(0, hash(1), 9);
		let stored = || {
			[
				Disputes::<Test>::iter_prefix_values(0).next().is_some(),
				BackersOnDisputes::<Test>::iter_prefix_values(0).next().is_some(),
				Included::<Test>::iter_prefix_values(0).next().is_some(),
			]
		};
		for _ in 1..=3 {
			chain.session_block();
			assert_eq!((stored(), LastPrunedSession::<Test>::get()), ([true; 3], None));
		}
		chain.session_block();
		assert_eq!((stored(), LastPrunedSession::<Test>::get()), ([false; 3], Some(1)));
		assert_eq!(PruningSession::<Test>::get(), None);
		chain.session_block();
		assert_eq!(LastPrunedSession::<Test>::get(), Some(2));
	});
}

#[test]
fn forgotten_sessions_are_removed_over_several_blocks() {
	let mut ext = sp_io::TestExternalities::default();
	ext.execute_with(|| {
		for n in 0..150u32 {
			let candidate = CandidateHash(headway_primitives::hash_of(&n));
			Included::<Test>::insert(n % 3, candidate, n);
		}
		LastPrunedSession::<Test>::put(1);
		PruningSession::<Test>::put(0);
	});
	let mut left = Vec::new();
	loop {
		ext.commit_all().expect("there is no open transaction");
		ext.execute_with(ParasDisputes::initializer_initialize);
		left.push(ext.execute_with(|| Included::<Test>::iter_keys().count()));
		if ext.execute_with(|| !PruningSession::<Test>::exists()) {
			break;
		}
	}
	// Those of session 2 are not forgotten.
	assert_eq!(left.last(), Some(&50));
	assert!(left.len() > 1, "{left:?}");
	assert!(left[0] >= 150 - PRUNED_PER_BLOCK as usize, "{left:?}");
}
