//! The validator of the default side's tests, with scores and segments. The included head of both paras is 0,
//! and prospective parachains know what the test says.

pub(crate) mod arbitrary;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod finality;
#[cfg(test)]
mod segments;

use super::*;
use crate::validator_side::tests::*;
use headway_machine::{
	testing::{hash, peer},
	wire::{AdvertiseCollationV3, CollationMessage, CollatorMessageV2, CollatorMessageV3, Request},
	Recipient, RequestError, WriteOp,
};
use headway_primitives::{CandidateDescriptorVersion, HeadData};
use std::sync::Arc;

type Scored = Rig<ExperimentalSide>;

/// Leaf 10 over 9 and 8, lookahead 3, in slot 11.
fn rig(letters: &str) -> Scored {
	scored(letters, &[])
}

/// The same, with scores from before, of peers for para A.
fn scored(letters: &str, scores: &[(u8, u16)]) -> Scored {
	let mut rig = Rig::without_leaf(ExperimentalSide::new(Config::default()));
	let mut before = Scores::default();
	for (n, score) in scores {
		(0..*score).for_each(|_| before.bump(rig.now, A, &peer(*n)));
	}
	let entries = stored(before.save());
	assert!(rig.send(Event::RestoreScores { entries }).is_empty());
	rig.activate(10, letters, None);
	rig
}

/// What is stored after these writes, if nothing was before.
pub(in crate::experimental) fn stored(writes: Vec<WriteOp>) -> Vec<(Vec<u8>, Vec<u8>)> {
	let put = |write| match write {
		WriteOp::Put { key, value } => Some((key.key, value)),
		WriteOp::Delete { .. } => None,
	};
	writes.into_iter().filter_map(put).collect()
}

/// Hash of a sample's head.
fn head(n: u8) -> Hash {
	HeadData(vec![n]).hash()
}

/// A chain of candidates of a para at a block: heads 1, 2 and so on, on top of the included head 0. Their
/// validation data is what prospective parachains give to whoever supplies the parent head.
fn chain(para: ParaId, at: u64, n: u8) -> Vec<Sample> {
	(1..=n)
		.map(|head| {
			let mut sample = sample(para, at, head - 1, head);
			sample.data.relay_parent_number = 10;
			sample.data.relay_parent_storage_root = hash(1_000_010);
			let data_hash = sample.data.hash();
			sample.with(|descriptor| descriptor.persisted_validation_data_hash = data_hash)
		})
		.collect()
}

/// What was asked of whom, by head or by candidate.
fn asked(effects: &[Effect]) -> Vec<(Token, PeerId, Hash)> {
	let request = |effect: &Effect| match effect {
		Effect::Network(NetworkEffect::Request { token, recipient: Recipient::Peer(peer), request }) => {
			let what = match request {
				Request::CollationV1(request) => request.scheduling_parent,
				Request::CollationV2(request) => request.candidate_hash.0,
				Request::CollationV3(request) => request.output_head_data_hash,
				other => panic!("unexpected request {other:?}"),
			};
			Some((*token, peer.clone(), what))
		},
		_ => None,
	};
	effects.iter().filter_map(request).collect()
}

/// The only thing that was asked, from peer `n`, is `what`.
#[track_caller]
fn asks(effects: &[Effect], n: u8, what: Hash) -> Token {
	let asked = asked(effects);
	assert_eq!(asked.len(), 1, "{effects:?}");
	assert_eq!((&asked[0].1, asked[0].2), (&peer(n), what));
	asked[0].0
}

fn slashes(effects: &[Effect]) -> Vec<SlashReason> {
	let slash = |effect: &Effect| match effect {
		Effect::Notice(Notice::Slashed { para: A, reason }) => Some(*reason),
		_ => None,
	};
	effects.iter().filter_map(slash).collect()
}

fn writes(effects: &[Effect]) -> usize {
	effects.iter().filter(|effect| matches!(effect, Effect::WriteScores(_))).count()
}

impl Scored {
	fn score(&self, n: u8) -> u16 {
		self.machine.scores.score(self.now, A, &peer(n))
	}

	/// Prospective parachains know these heads of para A at a leaf.
	fn know(&mut self, leaf: u64, heads: &[u8]) {
		let heads = heads.iter().map(|n| head(*n)).collect();
		self.world.output_heads.insert(hash(leaf), [(A, heads)].into());
	}

	fn fails(&mut self, token: Token, error: RequestError) -> Vec<Effect> {
		self.send(Event::Response { token, result: Err(error) })
	}
}

#[test]
fn same_events_give_same_effects() {
	let scenario = || {
		let mut rig = scored("ABA", &[(2, 3)]);
		for n in 1..5 {
			rig.connect(n, CollationVersion::V4);
		}
		let chain = chain(A, 10, 3);
		let mut all = Vec::new();
		for (n, sample) in (1..).zip(&chain) {
			all.extend(rig.message(n, segment(&[sample])));
		}
		all.extend(rig.advance(400));
		for (token, ..) in asked(&all) {
			all.extend(rig.respond(token, response_v4(&chain[0])));
		}
		all.extend(rig.seconded(&chain[0]));
		all.extend(rig.activate(11, "ABA", Some(10)));
		format!("{all:?}\n{:?}\n{}", rig.traces.len(), rig.log)
	};
	assert_eq!(scenario(), scenario());
}
