//! Which relay blocks are allowed, and who is active.

use super::*;
use crate::mock::{disable, ParasShared, Test, VALIDATORS};
use frame_support::{traits::Hooks, weights::Weight};
use headway_primitives::{CoreIndex, ParaId};

const SEED: [u8; 32] = [7; 32];

fn hash(n: u32) -> Hash {
	Hash::from_low_u64_be(n.into())
}

fn info(number: BlockNumber) -> RelayParentInfo {
	RelayParentInfo { number, state_root: hash(number + 1000) }
}

fn keys(n: usize) -> Vec<ValidatorId> {
	VALIDATORS[..n].iter().map(|key| key.public().into()).collect()
}

/// Notes blocks as parents, each by its number.
fn note_blocks(numbers: core::ops::RangeInclusive<BlockNumber>) {
	for number in numbers {
		ParasShared::new_block(hash(number), &ClaimQueue::new(), info(number), 3);
	}
}

/// Starts a session in which relay parents may be `age` sessions old.
fn begin_session(session: SessionIndex, age: u32) {
	ParasShared::on_new_session(session, SEED, None, age, keys(4));
}

/// Sessions of which relay parents are known. Blocks are numbered by session.
fn known_sessions(up_to: SessionIndex) -> Vec<SessionIndex> {
	(0..=up_to).filter(|session| ParasShared::relay_parent_info(*session, hash(*session)).is_some()).collect()
}

fn test(test: impl FnOnce()) {
	sp_io::TestExternalities::default().execute_with(test);
}

#[test]
fn scheduling_parents_are_the_newest_blocks_with_their_numbers() {
	let mut tracker = SchedulingParentsTracker::default();
	for number in 5..=8 {
		tracker.update(hash(number), &ClaimQueue::new(), number, 3);
	}
	assert_eq!(tracker.len(), 3);
	assert!(tracker.acquire_info(hash(5)).is_none());
	for number in 6..=8 {
		assert_eq!(tracker.acquire_info(hash(number)).map(|(_, number)| number), Some(number));
	}
	assert_eq!(tracker.newest(), Some(hash(8)));
	// A shorter window applies with the next block.
	tracker.update(hash(9), &ClaimQueue::new(), 9, 1);
	assert_eq!((tracker.len(), tracker.newest()), (1, Some(hash(9))));
}

#[test]
fn known_block_changes_nothing() {
	let claims = |para: u32| ClaimQueue::from([(CoreIndex(0), VecDeque::from([ParaId(para)]))]);
	let mut tracker = SchedulingParentsTracker::default();
	tracker.update(hash(1), &claims(1), 1, 3);
	let before = tracker.clone();
	tracker.update(hash(1), &claims(2), 1, 3);
	assert_eq!(tracker, before);
}

#[test]
fn claim_queue_is_kept_by_para() {
	let (a, b) = (ParaId(1), ParaId(2));
	let claims = ClaimQueue::from([(CoreIndex(0), [a, b].into()), (CoreIndex(1), [a].into())]);
	let mut tracker = SchedulingParentsTracker::default();
	tracker.update(hash(1), &claims, 1, 3);
	let (info, _) = tracker.acquire_info(hash(1)).expect("it is there");
	let expected = TransposedClaimQueue::from([
		(a, BTreeMap::from([(0, [CoreIndex(0), CoreIndex(1)].into())])),
		(b, BTreeMap::from([(1, [CoreIndex(0)].into())])),
	]);
	assert_eq!(info.claim_queue, expected);
}

#[test]
fn parent_becomes_a_relay_parent_of_the_session() {
	test(|| {
		note_blocks(4..=5);
		assert_eq!(ParasShared::relay_parent_info(0, hash(4)), Some(info(4)));
		assert_eq!(ParasShared::relay_parent_info(0, hash(5)), Some(info(5)));
		assert_eq!(ParasShared::relay_parent_info(1, hash(5)), None);
		assert_eq!(MinimumRelayParentNumber::<Test>::get(0), Some(4));
		assert_eq!(ParasShared::minimum_relay_parent_number(), Some(4));
	});
}

#[test]
fn session_without_age_forgets_all_parents() {
	test(|| {
		note_blocks(0..=2);
		begin_session(1, 0);
		assert!(AllowedSchedulingParents::<Test>::get().is_empty());
		assert_eq!(AllowedRelayParents::<Test>::iter().count(), 0);
		assert_eq!(MinimumRelayParentNumber::<Test>::iter().count(), 0);
		assert_eq!(ParasShared::minimum_relay_parent_number(), None);
	});
}

#[test]
fn relay_parents_are_known_for_as_many_sessions_as_configured() {
	test(|| {
		note_blocks(0..=0);
		for session in 1..=3 {
			begin_session(session, 2);
			assert!(AllowedSchedulingParents::<Test>::get().is_empty());
			note_blocks(session..=session);
		}
		assert_eq!(known_sessions(3), [1, 2, 3]);
		assert_eq!(ParasShared::minimum_relay_parent_number(), Some(1));
	});
}

#[test]
fn raised_age_brings_nothing_back() {
	test(|| {
		note_blocks(0..=0);
		for (session, age) in [(1, 0), (2, 0), (3, 3), (4, 3)] {
			begin_session(session, age);
			note_blocks(session..=session);
		}
		assert_eq!(OldestRelayParentSession::<Test>::get(), 2);
		assert_eq!(known_sessions(4), [2, 3, 4]);
	});
}

#[test]
fn lowered_age_forgets_several_sessions() {
	test(|| {
		note_blocks(0..=0);
		for session in 1..=4 {
			begin_session(session, 3);
			note_blocks(session..=session);
		}
		assert_eq!(known_sessions(4), [1, 2, 3, 4]);
		begin_session(5, 0);
		assert!(known_sessions(5).is_empty());
		assert_eq!(AllowedRelayParents::<Test>::iter().count(), 0);
		assert_eq!(OldestStoredRelayParentSession::<Test>::get(), 5);
	});
}

#[test]
fn long_session_is_deleted_block_by_block_and_not_known_meanwhile() {
	let blocks = 3 * RELAY_PARENTS_DELETED_AT_ONCE;
	let mut ext = sp_io::TestExternalities::default();
	let in_block = |ext: &mut sp_io::TestExternalities, block: &mut dyn FnMut()| {
		ext.execute_with(block);
		ext.commit_all().expect("nothing is open");
	};
	let stored = || AllowedRelayParents::<Test>::iter().count() as u32;
	let idle = |limit| <ParasShared as Hooks<BlockNumber>>::on_idle(1, limit);
	in_block(&mut ext, &mut || note_blocks(1..=blocks));
	in_block(&mut ext, &mut || begin_session(1, 0));
	in_block(&mut ext, &mut || {
		assert_eq!(stored(), 2 * RELAY_PARENTS_DELETED_AT_ONCE);
		assert!((1..=blocks).all(|number| ParasShared::relay_parent_info(0, hash(number)).is_none()));
		assert_eq!(idle(Weight::zero()), Weight::zero());
		assert!(idle(Weight::MAX).any_gt(Weight::zero()));
	});
	in_block(&mut ext, &mut || {
		assert_eq!(stored(), RELAY_PARENTS_DELETED_AT_ONCE);
		note_blocks(blocks + 1..=blocks + 1);
		idle(Weight::MAX);
	});
	in_block(&mut ext, &mut || {
		// The next one looks whether there are more.
		idle(Weight::MAX);
		assert_eq!(stored(), 1, "the session that runs keeps its parents");
		assert_eq!(OldestStoredRelayParentSession::<Test>::get(), 1);
	});
}

#[test]
fn active_validators_are_shuffled_by_the_seed() {
	let active = |seed, max| {
		sp_io::TestExternalities::default().execute_with(|| {
			let keys = ParasShared::on_new_session(1, seed, max, 0, keys(6));
			assert_eq!(keys, ActiveValidatorKeys::<Test>::get());
			(ActiveValidatorIndices::<Test>::get(), keys)
		})
	};
	let (indices, active_keys) = active(SEED, None);
	assert_eq!(active(SEED, None), (indices.clone(), active_keys.clone()));
	assert!((0..10).any(|seed| active([seed; 32], None).0 != indices), "the seed matters");
	let mut permutation: Vec<_> = indices.iter().map(|index| index.0).collect();
	permutation.sort();
	assert_eq!(permutation, [0, 1, 2, 3, 4, 5]);
	for (index, key) in indices.iter().zip(&active_keys) {
		assert_eq!(*key, keys(6)[index.0 as usize]);
	}
	// With a cap, the first of the same permutation.
	assert_eq!(active(SEED, Some(4)).0, indices[..4]);
	assert_eq!(active(SEED, Some(9)).0, indices);
}

#[test]
fn disabled_validators_are_those_of_the_active_set() {
	test(|| {
		ParasShared::on_new_session(1, SEED, Some(4), 0, keys(6));
		let active = ActiveValidatorIndices::<Test>::get();
		let inactive =
			(0..6).find(|raw| !active.contains(&ValidatorIndex(*raw))).expect("two are not active");
		disable(alloc::vec![inactive, active[2].0, active[0].0]);
		assert_eq!(ParasShared::disabled_validators(), [ValidatorIndex(0), ValidatorIndex(2)]);
		disable(Vec::new());
		assert!(ParasShared::disabled_validators().is_empty());
	});
}
