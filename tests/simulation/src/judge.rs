//! What must hold whatever goes wrong, and who did not keep to it.

use headway_machine::{BlockContext, Timestamp, Verifier};
use headway_primitives::{
	effective_minimum_backing_votes, AvailabilityBitfield, BackedCandidate, CandidateHash, CompactStatement,
	Hash, ParaId, SigningPayload, ValidityAttestation,
};
use std::collections::{BTreeMap, BTreeSet};

/// A rule that was broken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Violation {
	/// The runtime left out something that an honest author offered.
	#[error("honest author {author} of block {number} offered what the runtime drops: {reasons:?}")]
	Dropped {
		/// The author's node.
		author: usize,
		/// The block.
		number: u32,
		/// What, and why.
		reasons: Vec<String>,
	},
	/// The runtime does not execute what it selected itself.
	#[error("block of author {author} cannot be executed: {error}")]
	NotExecuted {
		/// The author's node.
		author: usize,
		/// What it says.
		error: String,
	},
	/// A candidate on chain lacks votes of distinct members of its group.
	#[error("candidate {0:?} is backed without a quorum of its group")]
	Quorum(CandidateHash),
	/// An honest validator seconded a candidate and called it valid as well.
	#[error("honest validator {node} seconded candidate {candidate:?}, and voted for it")]
	BothVotes {
		/// Its node.
		node: usize,
		/// The candidate.
		candidate: CandidateHash,
	},
	/// An honest validator seconded more than the claim queue of its core has places for.
	#[error("honest validator {node} seconded {count} candidates where {limit} are allowed")]
	TooManySeconded {
		/// Its node.
		node: usize,
		/// How many, at one scheduling parent.
		count: usize,
		/// How many it may.
		limit: usize,
	},
	/// An honest validator signed two bitfields for the same block.
	#[error("honest validator {node} signed two bitfields for block {block:?}")]
	TwoBitfields {
		/// Its node.
		node: usize,
		/// The block.
		block: Hash,
	},
	/// An honest validator voted for a candidate that is invalid.
	#[error("honest validator {node} voted for the invalid candidate {candidate:?}")]
	VotedInvalid {
		/// Its node.
		node: usize,
		/// The candidate.
		candidate: CandidateHash,
	},
	/// An honest node takes another one for malicious.
	#[error("honest node {by} bans honest node {whom}: {reason}")]
	HonestBanned {
		/// Who.
		by: usize,
		/// Whom.
		whom: usize,
		/// Why.
		reason: &'static str,
	},
	/// An honest node proves that another honest one misbehaved.
	#[error("honest node {by} accuses an honest validator: {report}")]
	HonestAccused {
		/// Who.
		by: usize,
		/// Of what.
		report: String,
	},
	/// A container holds more than it may.
	#[error("node {node}: {what} are {count}, {bound} are allowed")]
	Bound {
		/// The node.
		node: usize,
		/// Of what.
		what: String,
		/// How many.
		count: usize,
		/// How many there may be.
		bound: usize,
	},
	/// No candidate was backed soon after everything was well again.
	#[error("nothing is backed in the blocks after number {since}, when all faults were over")]
	Stalled {
		/// The newest block when the faults ended.
		since: u32,
	},
	/// A para had no candidate backed for long after everything was well again.
	#[error("para {} has nothing backed in the blocks after number {since}, when all faults were over", .para.0)]
	ParaStalled {
		/// The para.
		para: ParaId,
		/// The newest block when the faults ended.
		since: u32,
	},
	/// There are no relay blocks any more.
	#[error("the relay chain does not grow")]
	NoBlocks,
}

impl Violation {
	/// Which rule: what stays the same when a failure is made smaller.
	pub fn rule(&self) -> &'static str {
		match self {
			Self::Dropped { .. } => "dropped",
			Self::NotExecuted { .. } => "not executed",
			Self::Quorum(_) => "quorum",
			Self::BothVotes { .. } => "both votes",
			Self::TooManySeconded { .. } => "too many seconded",
			Self::TwoBitfields { .. } => "two bitfields",
			Self::VotedInvalid { .. } => "voted invalid",
			Self::HonestBanned { .. } => "honest banned",
			Self::HonestAccused { .. } => "honest accused",
			Self::Bound { .. } => "bound",
			Self::Stalled { .. } => "stalled",
			Self::ParaStalled { .. } => "para stalled",
			Self::NoBlocks => "no blocks",
		}
	}
}

/// A violation, and when it was noticed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
	/// Number of the step.
	pub step: u64,
	/// Virtual time.
	pub at: Timestamp,
	/// Newest relay block.
	pub number: u32,
	/// What was broken.
	pub violation: Violation,
}

/// What a validator says of a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Said {
	/// The validator's node.
	pub node: usize,
	/// What it says.
	pub statement: CompactStatement,
	/// Scheduling parent that it is bound to.
	pub scheduling_parent: Hash,
}

/// Votes of a validator at one scheduling parent, in all of its lives.
#[derive(Default)]
struct Votes {
	seconded: BTreeSet<CandidateHash>,
	valid: BTreeSet<CandidateHash>,
}

/// Looks at what honest validators say.
///
/// # Bounds
///
/// Everything grows with the length of the run: it is a record of it.
#[derive(Default)]
pub struct Judge {
	votes: BTreeMap<(usize, Hash), Votes>,
	invalid: BTreeSet<CandidateHash>,
	bitfields: BTreeMap<(usize, Hash), AvailabilityBitfield>,
}

impl Judge {
	/// Notes that a candidate is invalid.
	pub fn note_invalid(&mut self, candidate: CandidateHash) {
		self.invalid.insert(candidate);
	}

	/// Whether an honest validator may say this. `limit` is how many candidates it may second.
	pub fn said(&mut self, said: Said, limit: usize) -> Option<Violation> {
		let Said { node, statement, scheduling_parent } = said;
		let candidate = statement.candidate_hash();
		let votes = self.votes.entry((node, scheduling_parent)).or_default();
		match statement {
			CompactStatement::Seconded(_) => votes.seconded.insert(candidate),
			CompactStatement::Valid(_) => votes.valid.insert(candidate),
		};
		if self.invalid.contains(&candidate) {
			return Some(Violation::VotedInvalid { node, candidate });
		}
		if votes.seconded.contains(&candidate) && votes.valid.contains(&candidate) {
			return Some(Violation::BothVotes { node, candidate });
		}
		let count = votes.seconded.len();
		(count > limit).then_some(Violation::TooManySeconded { node, count, limit })
	}

	/// Whether an honest validator may sign this bitfield.
	pub fn signed(&mut self, node: usize, block: Hash, bits: &AvailabilityBitfield) -> Option<Violation> {
		let before = self.bitfields.entry((node, block)).or_insert_with(|| bits.clone());
		(before != bits).then_some(Violation::TwoBitfields { node, block })
	}
}

/// Whether enough distinct members of the responsible group signed for a candidate. `at` is its scheduling parent.
pub fn has_quorum(verifier: &dyn Verifier, at: &BlockContext, backed: &BackedCandidate) -> bool {
	let hash = backed.hash();
	let (indices, core) = backed.validator_indices_and_core_index();
	let Some(members) = core.and_then(|core| at.session.group(at.group_for_core(core))) else { return false };
	let voters: Vec<_> = indices.iter_ones().filter_map(|position| members.get(position)).collect();
	let needed = effective_minimum_backing_votes(members.len(), at.minimum_backing_votes);
	let distinct: BTreeSet<_> = voters.iter().collect();
	if indices.len() != members.len()
		|| distinct.len() < needed
		|| voters.len() != backed.validity_votes.len()
	{
		return false;
	}
	voters.into_iter().zip(&backed.validity_votes).all(|(voter, vote)| {
		let (statement, signature) = match vote {
			ValidityAttestation::Implicit(signature) => (CompactStatement::Seconded(hash), signature),
			ValidityAttestation::Explicit(signature) => (CompactStatement::Valid(hash), signature),
		};
		let message = statement.signing_payload(&at.signing_context());
		at.session.validator(*voter).is_some_and(|key| verifier.verify(key, &message, signature))
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	fn said(node: usize, statement: CompactStatement) -> Said {
		Said { node, statement, scheduling_parent: Hash::repeat_byte(9) }
	}

	fn candidate(n: u8) -> CandidateHash {
		CandidateHash(Hash::repeat_byte(n))
	}

	#[test]
	fn a_validator_that_seconds_a_candidate_does_not_vote_for_it() {
		let mut judge = Judge::default();
		assert_eq!(judge.said(said(1, CompactStatement::Seconded(candidate(1))), 3), None);
		assert_eq!(judge.said(said(1, CompactStatement::Valid(candidate(2))), 3), None);
		assert_eq!(judge.said(said(2, CompactStatement::Valid(candidate(1))), 3), None);
		let violation = judge.said(said(1, CompactStatement::Valid(candidate(1))), 3);
		assert_eq!(violation, Some(Violation::BothVotes { node: 1, candidate: candidate(1) }));
	}

	#[test]
	fn a_validator_seconds_no_more_than_its_core_has_places_for() {
		let mut judge = Judge::default();
		let mut second = |n| judge.said(said(1, CompactStatement::Seconded(candidate(n))), 2);
		assert_eq!((second(1), second(2), second(2)), (None, None, None));
		assert_eq!(second(3), Some(Violation::TooManySeconded { node: 1, count: 3, limit: 2 }));
	}

	#[test]
	fn a_validator_signs_one_bitfield_for_a_block() {
		let mut judge = Judge::default();
		let bits = |bits: &[bool]| AvailabilityBitfield(bits.iter().copied().collect());
		let [here, there] = [Hash::repeat_byte(1), Hash::repeat_byte(2)];
		for (node, block, bits) in
			[(1, here, bits(&[true])), (1, here, bits(&[true])), (1, there, bits(&[])), (2, here, bits(&[]))]
		{
			assert_eq!(judge.signed(node, block, &bits), None);
		}
		let violation = judge.signed(1, here, &bits(&[false]));
		assert_eq!(violation, Some(Violation::TwoBitfields { node: 1, block: here }));
	}

	#[test]
	fn a_vote_for_an_invalid_candidate_is_a_violation() {
		let mut judge = Judge::default();
		judge.note_invalid(candidate(1));
		let violation = judge.said(said(1, CompactStatement::Valid(candidate(1))), 3);
		assert_eq!(violation, Some(Violation::VotedInvalid { node: 1, candidate: candidate(1) }));
	}
}
