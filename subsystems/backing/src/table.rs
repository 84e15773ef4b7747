//! The statement table: who voted for what, when a candidate has enough votes, and who broke the rules
//! (backing pipeline §3.7).
//!
//! One table per scheduling parent. It knows nothing of chains or of time: signatures, the view, disabled
//! validators and descriptor versions are checked before a vote comes here.

use bitvec::{order::Lsb0, vec::BitVec};
use headway_machine::Misbehavior;
use headway_primitives::{
	effective_minimum_backing_votes, BackedCandidate, CandidateHash, CommittedCandidateReceiptV2, CoreIndex,
	ValidatorIndex, ValidatorSignature, ValidityAttestation,
};
use std::{
	collections::{btree_map::Entry, BTreeMap},
	sync::Arc,
};

/// Most candidates that one validator may second at one scheduling parent.
///
/// Statement distribution allows each validator of a group only as many as the claim queue has places for its
/// core; this is the limit that holds even without it.
pub const SECONDED_PER_VALIDATOR_MAX: usize = 64;

/// What a vote says.
#[derive(Clone, Debug)]
pub enum Vote {
	/// The validator proposes the candidate, for the core that its group is responsible for.
	Seconded(Arc<CommittedCandidateReceiptV2>, CoreIndex),
	/// The validator found the candidate valid.
	Valid,
}

/// A candidate after a vote was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
	/// The core that the candidate was seconded for.
	pub core: CoreIndex,
	/// Validators that voted for it.
	pub votes: usize,
	/// Whether that is enough.
	pub attested: bool,
}

/// What became of a vote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Import {
	/// It counts.
	Counted(Summary),
	/// The very same vote was there already.
	Known,
	/// A `Valid` vote for a candidate that nobody seconded.
	NotSeconded,
	/// The validator seconded [`SECONDED_PER_VALIDATOR_MAX`] candidates before.
	CapacityReached,
	/// It breaks the rules and does not count.
	Misbehavior(Misbehavior),
}

/// A counted vote. One validator has one per candidate.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Counted {
	Issued(ValidatorSignature),
	Valid(ValidatorSignature),
}

#[derive(Clone, Debug)]
struct Candidate {
	receipt: Arc<CommittedCandidateReceiptV2>,
	core: CoreIndex,
	votes: BTreeMap<ValidatorIndex, Counted>,
}

/// Votes at one scheduling parent.
///
/// # Bounds
///
/// - `groups`: one per core of the claim queue, from the runtime.
/// - `seconded`: one counter per validator of those groups.
/// - `candidates`: [`SECONDED_PER_VALIDATOR_MAX`] per validator of those groups. To fill it costs keys of
///   active validators, and prospective parachains' consent to every candidate.
/// - votes of a candidate: one per member of its group.
#[derive(Clone, Debug)]
pub struct Table {
	groups: BTreeMap<CoreIndex, Vec<ValidatorIndex>>,
	minimum_backing_votes: u32,
	candidates: BTreeMap<CandidateHash, Candidate>,
	seconded: BTreeMap<ValidatorIndex, usize>,
}

impl Table {
	/// An empty table. `groups` are the members of the group that is responsible for each core.
	pub fn new(groups: BTreeMap<CoreIndex, Vec<ValidatorIndex>>, minimum_backing_votes: u32) -> Self {
		Self { groups, minimum_backing_votes, candidates: BTreeMap::new(), seconded: BTreeMap::new() }
	}

	/// Counts a vote, or says why it does not count.
	pub fn import(
		&mut self,
		candidate_hash: CandidateHash,
		validator: ValidatorIndex,
		vote: Vote,
		signature: ValidatorSignature,
	) -> Import {
		if let Vote::Seconded(receipt, core) = &vote {
			if !is_member(&self.groups, *core, validator) {
				return Import::Misbehavior(Misbehavior::UnauthorizedStatement);
			}
			if !self.candidates.contains_key(&candidate_hash) {
				if !self.may_second(validator, 0) {
					return Import::CapacityReached;
				}
				let entry = Candidate { receipt: receipt.clone(), core: *core, votes: BTreeMap::new() };
				self.candidates.insert(candidate_hash, entry);
			}
		}
		let Some(candidate) = self.candidates.get_mut(&candidate_hash) else { return Import::NotSeconded };
		if !is_member(&self.groups, candidate.core, validator) {
			return Import::Misbehavior(Misbehavior::UnauthorizedStatement);
		}
		let (seconds, vote) = match vote {
			Vote::Seconded(..) => (true, Counted::Issued(signature)),
			Vote::Valid => (false, Counted::Valid(signature)),
		};
		match candidate.votes.entry(validator) {
			Entry::Occupied(earlier) if *earlier.get() == vote => return Import::Known,
			Entry::Occupied(earlier) => {
				return Import::Misbehavior(match (earlier.get(), &vote) {
					(Counted::Issued(_), Counted::Issued(_)) | (Counted::Valid(_), Counted::Valid(_)) => {
						Misbehavior::DoubleSign
					},
					_ => Misbehavior::ValidityDoubleVote,
				})
			},
			Entry::Vacant(place) => {
				if seconds {
					let seconded = self.seconded.entry(validator).or_default();
					if *seconded >= SECONDED_PER_VALIDATOR_MAX {
						return Import::CapacityReached;
					}
					*seconded += 1;
				}
				place.insert(vote);
			},
		}
		self.summary(&candidate_hash).map_or(Import::NotSeconded, Import::Counted)
	}

	/// Whether the validator has not seconded [`SECONDED_PER_VALIDATOR_MAX`] candidates yet, `more` that are about
	/// to come included.
	pub fn may_second(&self, validator: ValidatorIndex, more: usize) -> bool {
		let seconded = self.seconded.get(&validator).copied().unwrap_or(0);
		seconded + more < SECONDED_PER_VALIDATOR_MAX
	}

	/// Number of candidates.
	pub fn n_candidates(&self) -> usize {
		self.candidates.len()
	}

	/// Most candidates that there can be.
	pub fn candidates_max(&self) -> usize {
		SECONDED_PER_VALIDATOR_MAX * self.groups.values().map(Vec::len).sum::<usize>()
	}

	/// A candidate's receipt.
	pub fn receipt(&self, candidate_hash: &CandidateHash) -> Option<&Arc<CommittedCandidateReceiptV2>> {
		self.candidates.get(candidate_hash).map(|candidate| &candidate.receipt)
	}

	/// A candidate's votes so far.
	pub fn summary(&self, candidate_hash: &CandidateHash) -> Option<Summary> {
		let candidate = self.candidates.get(candidate_hash)?;
		let group = self.groups.get(&candidate.core)?;
		let votes = candidate.votes.len();
		let needed = effective_minimum_backing_votes(group.len(), self.minimum_backing_votes);
		Some(Summary { core: candidate.core, votes, attested: votes >= needed })
	}

	/// A candidate with all the votes that are known, in the order of its group; none as long as they are too
	/// few.
	pub fn backed_candidate(&self, candidate_hash: &CandidateHash) -> Option<BackedCandidate> {
		self.summary(candidate_hash).filter(|summary| summary.attested)?;
		let candidate = self.candidates.get(candidate_hash)?;
		let group = self.groups.get(&candidate.core)?;
		let mut indices = BitVec::<u8, Lsb0>::with_capacity(group.len());
		let mut votes = Vec::with_capacity(candidate.votes.len());
		for member in group {
			let vote = candidate.votes.get(member);
			indices.push(vote.is_some());
			votes.extend(vote.map(|vote| match vote {
				Counted::Issued(signature) => ValidityAttestation::Implicit(signature.clone()),
				Counted::Valid(signature) => ValidityAttestation::Explicit(signature.clone()),
			}));
		}
		Some(BackedCandidate::new((*candidate.receipt).clone(), votes, indices, candidate.core))
	}
}

fn is_member(
	groups: &BTreeMap<CoreIndex, Vec<ValidatorIndex>>,
	core: CoreIndex,
	validator: ValidatorIndex,
) -> bool {
	groups.get(&core).is_some_and(|group| group.contains(&validator))
}
