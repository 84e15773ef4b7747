use super::*;
use crate::{
	experimental::tests::stored,
	validator_side::tests::{A, B},
};
use codec::Encode;

fn id(n: u16) -> PeerId {
	PeerId::from_bytes(&n.to_be_bytes())
}

fn at(seconds: u64) -> Timestamp {
	Timestamp::from_unix_ms(seconds * 1000)
}

fn bumped(para: ParaId, bumps: &[(u16, u16)]) -> Scores {
	let mut scores = Scores::default();
	for (n, times) in bumps {
		(0..*times).for_each(|_| scores.bump(at(0), para, &id(*n)));
	}
	scores
}

#[test]
fn scores_are_added_and_taken_and_never_leave_their_range() {
	let mut scores = bumped(A, &[(1, 5), (2, 1)]);
	assert_eq!([1, 2, 3].map(|n| scores.score(at(0), A, &id(n))), [5, 1, 0]);
	assert_eq!((scores.score(at(0), B, &id(1)), scores.highest(at(0), A)), (0, 5));
	assert_eq!(scores.slash(at(0), A, &id(1), 2), 3);
	assert_eq!(scores.slash(at(0), A, &id(1), FAILED_FETCH_SLASH), 0);
	assert_eq!(scores.slash(at(0), B, &id(1), 1), 0);
	assert_eq!(scores.highest(at(0), A), 1);
	let mut highest = bumped(A, &[(1, u16::MAX)]);
	highest.bump(at(0), A, &id(1));
	assert_eq!(highest.score(at(0), A, &id(1)), u16::MAX);
}

#[test]
fn lowest_score_and_of_several_the_oldest_is_evicted() {
	let mut scores = Scores::default();
	for n in 0..SCORES_PER_PARA_MAX as u16 {
		// All have two bumps but 7 and 9.
		let bumps = if n == 7 || n == 9 { 1 } else { 2 };
		(0..bumps).for_each(|_| scores.bump(at(n.into()), A, &id(n)));
	}
	let has = |scores: &Scores, n: u16| scores.score(at(2000), A, &id(n)) > 0;
	scores.bump(at(2000), A, &id(5000));
	assert_eq!([7, 9, 5000].map(|n| has(&scores, n)), [false, true, true]);
	scores.bump(at(2001), A, &id(5001));
	assert_eq!([9, 5000, 5001].map(|n| has(&scores, n)), [false, true, true]);
}

#[test]
fn whoever_was_just_bumped_is_not_evicted() {
	let n = SCORES_PER_PARA_MAX as u16;
	let all: Vec<_> = (0..n).map(|n| (n, 2)).collect();
	let mut scores = bumped(A, &all);
	scores.bump(at(1), A, &id(n));
	assert_eq!(scores.score(at(1), A, &id(n)), 1);
	assert_eq!((0..=n).filter(|n| scores.score(at(1), A, &id(*n)) > 0).count(), usize::from(n));
}

#[test]
fn a_score_halves_for_every_week_without_a_bump() {
	let week = FADE_AFTER.as_secs();
	let mut scores = bumped(A, &[(1, 5)]);
	let times = [0, week - 1, week, 2 * week, 3 * week, 100 * week];
	assert_eq!(times.map(|seconds| scores.score(at(seconds), A, &id(1))), [5, 5, 2, 1, 0, 0]);
	// A bump starts a new week, a slash does not.
	assert_eq!(scores.slash(at(week + 1), A, &id(1), 1), 1);
	assert_eq!(scores.score(at(2 * week - 1), A, &id(1)), 1);
	scores.bump(at(2 * week - 1), A, &id(1));
	assert_eq!(scores.score(at(3 * week - 2), A, &id(1)), 2);
	// What faded to nothing makes room first.
	let all: Vec<_> = (0..SCORES_PER_PARA_MAX as u16).map(|n| (n, 1)).collect();
	let mut scores = bumped(A, &all);
	scores.bump(at(week), A, &id(5000));
	assert_eq!(scores.paras[&A].len(), 1);
}

#[test]
fn what_is_stored_has_the_bytes_of_the_reference() {
	let mut scores = Scores::default();
	let para = ParaId(0x0102_0304);
	(0..5).for_each(|_| scores.bump(Timestamp::from_unix_ms(7), para, &PeerId::from_bytes(&[8, 9])));
	scores.set_processed(6);
	let entry = [vec![4, 8, 8, 9, 5, 0, 7], vec![0; 15]].concat();
	let expected = [
		([&b"Rep_per_para"[..], &[1, 2, 3, 4]].concat(), entry),
		(b"Rep_paralist".to_vec(), vec![4, 4, 3, 2, 1]),
		(b"Rep_meta".to_vec(), vec![1, 6, 0, 0, 0]),
	];
	assert_eq!(stored(scores.save()), expected);
	assert!(scores.save().is_empty(), "nothing changed since");
}

#[test]
fn scores_are_after_a_restart_what_they_were() {
	let mut scores = bumped(A, &[(1, 5), (2, 3)]);
	scores.bump(at(9), B, &id(1));
	scores.set_processed(77);
	let (mut after, errors) = Scores::load(&stored(scores.save()));
	assert_eq!(errors, []);
	assert_eq!(after.paras, scores.paras);
	assert_eq!(after.processed(), Some(77));
	assert!(!after.is_unsaved() && after.save().is_empty());
	// What was stored before and is gone is removed.
	after.slash(at(9), B, &id(1), 1);
	let writes = after.save();
	assert!(writes
		.iter()
		.any(|write| matches!(write, WriteOp::Delete { key } if key.key.starts_with(b"Rep_per_para"))));
	assert_eq!(Scores::load(&stored(writes)).0.processed(), Some(77));
}

#[test]
fn damaged_values_are_errors_and_the_others_count() {
	let good = stored(bumped(A, &[(1, 5)]).save());
	let damaged = |n: usize, value: &[u8]| {
		let mut entries = good.clone();
		entries[n].1 = value.to_vec();
		Scores::load(&entries)
	};
	let too_long = vec![(vec![0u8; 65], (1u16, 1u128))].encode();
	let too_late = vec![(vec![0u8; 2], (1u16, u128::MAX))].encode();
	for value in [&[0xff][..], &[], &[4, 8, 8], &too_long, &too_late] {
		let (scores, errors) = damaged(0, value);
		assert_eq!(errors, [LoadError::Para(A)]);
		assert_eq!(scores.highest(at(0), A), 0);
	}
	assert_eq!(damaged(1, &[1]).1, [LoadError::List]);
	let (scores, errors) = damaged(2, &[2]);
	assert_eq!((scores.score(at(0), A, &id(1)), errors), (5, vec![LoadError::Height]));
	let unknown = [(b"Rep_per_parachain".to_vec(), Vec::new())];
	assert_eq!(Scores::load(&unknown).1, [LoadError::UnknownKey(17)]);
}
