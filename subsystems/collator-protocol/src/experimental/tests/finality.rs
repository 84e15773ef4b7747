//! Rewards, and what is stored when.

use super::*;
use crate::experimental::finality::is_peer_id;
use codec::Encode;
use headway_primitives::{
	ump::{ApprovedPeerId, UmpSignal, UMP_SEPARATOR},
	CommittedCandidateReceiptV2, UpwardMessage,
};

/// A peer id as libp2p makes them of long keys.
fn collator(n: u8) -> PeerId {
	PeerId::from_bytes(&[&[0x12, 32][..], &[n; 32]].concat())
}

fn names(bytes: &[u8]) -> Vec<UpwardMessage> {
	let peer = ApprovedPeerId::try_from(bytes.to_vec()).unwrap();
	vec![UMP_SEPARATOR, UmpSignal::ApprovedPeer(peer).encode()]
}

/// A candidate of para A with these messages behind its own.
fn candidate(messages: Vec<UpwardMessage>) -> CommittedCandidateReceiptV2 {
	let mut receipt = sample(A, 10, 0, 1).receipt;
	receipt.commitments.upward_messages = messages.try_into().unwrap();
	receipt
}

/// What is looked up, as token and number of blocks.
fn lookup(effects: &[Effect]) -> Option<(Token, u32)> {
	effects.iter().find_map(|effect| match effect {
		Effect::QueryIncluded { token, count, .. } => Some((*token, *count)),
		_ => None,
	})
}

fn outcomes(effects: &[Effect]) -> Vec<SignalOutcome> {
	let outcome = |effect: &Effect| match effect {
		Effect::Notice(Notice::ApprovedPeer { para: A, outcome }) => Some(*outcome),
		_ => None,
	};
	effects.iter().filter_map(outcome).collect()
}

impl Scored {
	fn finalize(&mut self, number: BlockNumber) -> Vec<Effect> {
		self.send(Event::Finalized { number, hash: hash(number.into()) })
	}

	/// Finalizes a block that includes these, where these paras are registered.
	fn include(
		&mut self,
		number: BlockNumber,
		candidates: Vec<CommittedCandidateReceiptV2>,
		registered: &[ParaId],
	) -> Vec<Effect> {
		let (token, _) = lookup(&self.finalize(number)).expect("the block is new");
		let registered = Some(registered.iter().copied().collect());
		self.send(Event::Included { token, candidates, registered })
	}

	fn score_of(&self, collator: &PeerId) -> u16 {
		self.machine.scores.score(self.now, A, collator)
	}
}

#[test]
fn an_included_candidate_bumps_the_peer_that_it_names() {
	use SignalOutcome::{Absent, InvalidPeerId, ParseError, Present};
	let mut rig = rig("AAA");
	let name = |n| names(collator(n).as_bytes());
	let v1 = {
		let mut v1 = candidate(name(3));
		v1.descriptor.reserved1[0] = 1;
		v1
	};
	let candidates = vec![
		candidate(name(1)),
		candidate(vec![vec![1]]),
		candidate(names(&[1, 2, 3])),
		candidate(vec![UMP_SEPARATOR, vec![9]]),
		candidate(name(2)),
		candidate(name(1)),
		v1,
	];
	let effects = rig.include(1, candidates, &[A]);
	assert_eq!(outcomes(&effects), [Present, Absent, InvalidPeerId, ParseError, Present, Present, Absent]);
	assert_eq!([1, 2, 3].map(|n| rig.score_of(&collator(n))), [2, 1, 0]);
}

#[test]
fn peer_ids_are_digests_or_short_keys() {
	let long = [&[0x12, 32][..], &[1; 32]].concat();
	let short = [&[0, 36][..], &[1; 36]].concat();
	assert!(is_peer_id(&long) && is_peer_id(&short));
	for bad in [&[][..], &[0x12], &long[..33], &[&long[..], &[1]].concat(), &[0x13, 1, 1], &[0, 2, 1]] {
		assert!(!is_peer_id(bad), "{bad:?}");
	}
	assert!(!is_peer_id(&[&[0, 43][..], &[1; 43]].concat()));
}

#[test]
fn no_more_than_the_last_twenty_finalized_blocks_are_processed() {
	let mut rig = rig("AAA");
	let (token, count) = lookup(&rig.finalize(100)).unwrap();
	assert_eq!(count, FINALIZED_BLOCKS_MAX);
	// What is finalized meanwhile is asked afterwards, together.
	assert_eq!(lookup(&rig.finalize(101)), None);
	assert_eq!(lookup(&rig.finalize(103)), None);
	let effects = rig.send(Event::Included { token, candidates: Vec::new(), registered: None });
	assert_eq!(lookup(&effects).map(|(_, count)| count), Some(3));
}

#[test]
fn a_database_that_is_ahead_of_the_chain_counts_nothing() {
	let mut before = Scores::default();
	before.set_processed(100);
	let entries = stored(before.save());
	let mut rig = Rig::without_leaf(ExperimentalSide::new(Config::default()));
	rig.send(Event::RestoreScores { entries });
	assert_eq!(lookup(&rig.finalize(40)), None);
	assert_eq!(lookup(&rig.finalize(100)), None);
	assert_eq!(lookup(&rig.finalize(101)).map(|(_, count)| count), Some(1));
}

#[test]
fn what_is_stored_and_damaged_is_said() {
	let mut rig = rig("AAA");
	let entries = vec![(b"Rep_meta".to_vec(), vec![9])];
	let effects = rig.send(Event::RestoreScores { entries });
	assert_eq!(effects, [Effect::Notice(Notice::ScoresUnreadable(LoadError::Height))]);
}

#[test]
fn a_bump_is_stored_within_ten_minutes_and_a_slash_at_once() {
	let mut rig = scored("AAA", &[(1, u16::MAX)]);
	assert_eq!(rig.machine.next_deadline(), None);
	let effects = rig.include(1, vec![candidate(names(collator(1).as_bytes()))], &[A]);
	assert_eq!(writes(&effects), 0, "a crash now loses the bump");
	let ten_minutes = SAVE_INTERVAL.as_millis() as u64;
	assert_eq!(writes(&rig.advance(ten_minutes - 1)), 0);
	assert_eq!(writes(&rig.advance(1)), 1);
	assert_eq!((writes(&rig.advance(ten_minutes)), rig.machine.next_deadline()), (0, None));

	rig.connect(1, CollationVersion::V4);
	let token = asks(&rig.message(1, segment(&[&chain(A, 10, 1)[0]])), 1, head(1));
	let effects = rig.fails(token, RequestError::Timeout);
	assert_eq!((writes(&effects), slashes(&effects).len()), (1, 1));
	assert_eq!(rig.score(1), u16::MAX - FAILED_FETCH_SLASH);
}

#[test]
fn scores_of_paras_that_are_not_registered_are_pruned_and_that_is_stored() {
	let mut rig = scored("AAA", &[(1, 5)]);
	assert_eq!(writes(&rig.include(1, Vec::new(), &[A, B])), 0);
	assert_eq!(rig.score(1), 5);
	let effects = rig.include(2, Vec::new(), &[B]);
	assert_eq!((writes(&effects), rig.score(1)), (1, 0));
	let removed = |write: &WriteOp| matches!(write, WriteOp::Delete { .. });
	assert!(effects
		.iter()
		.any(|effect| matches!(effect, Effect::WriteScores(writes) if writes.iter().any(removed))));
}
