//! Counts the votes of one dispute: which of them count, and what they change. It knows no storage and no
//! signatures, so that the filter and the import decide alike.

use super::DisputeResult;
use alloc::{collections::BTreeSet, vec::Vec};
use bitvec::{order::Lsb0, vec::BitVec};
use headway_primitives::{
	byzantine_threshold, supermajority_threshold, BlockNumber, DisputeState, DisputeStatement, ValidatorIndex,
};

/// What the rules tell votes apart by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum VoteKind {
	/// For the candidate, by backing it.
	Backing,
	/// For the candidate, by an approval or a vote in the dispute.
	ExplicitValid,
	/// Against the candidate.
	Invalid,
}

impl From<&DisputeStatement> for VoteKind {
	fn from(statement: &DisputeStatement) -> Self {
		if statement.is_backing() {
			Self::Backing
		} else if statement.indicates_validity() {
			Self::ExplicitValid
		} else {
			Self::Invalid
		}
	}
}

/// Why a vote does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VoteError {
	/// The session has no such validator.
	ValidatorIndexOutOfBounds,
	/// The validator has voted like this before.
	DuplicateStatement,
	/// The validator backed the candidate, and may not vote for it a second time.
	MaliciousBacker,
	/// The signature is not the validator's, or it is an approval of other candidates or of too many.
	InvalidSignature,
}

/// Why votes about a candidate are not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetError {
	/// Nothing is known of the session.
	UnknownSession,
	/// The dispute concluded too long ago.
	Ancient,
	/// No vote is left that counts.
	NoNewVotes,
	/// Nobody is on the other side.
	SingleSided,
	/// No more than a third of the validators takes part.
	Unconfirmed,
	/// No backer of the candidate is known, and without one there is nobody to blame.
	MissingBackingVotes,
}

impl core::fmt::Display for SetError {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.write_str(match self {
			Self::UnknownSession => "nothing is known of the session",
			Self::Ancient => "it concluded too long ago",
			Self::NoNewVotes => "no vote is left that counts",
			Self::SingleSided => "all votes are on one side",
			Self::Unconfirmed => "no more than a third of the validators takes part",
			Self::MissingBackingVotes => "no backer is known",
		})
	}
}

type Bits = BitVec<u8, Lsb0>;

/// A dispute while votes are added to it.
///
/// # Bounds
/// One bit per validator and side, and at most one backer per validator.
pub(super) struct Tally {
	/// The state before; none if the dispute is new.
	stored: Option<DisputeState>,
	stored_backers: BTreeSet<ValidatorIndex>,
	state: DisputeState,
	backers: BTreeSet<ValidatorIndex>,
}

/// What votes did to a dispute.
#[derive(Debug)]
pub(super) struct Outcome {
	/// Whether these are the first votes.
	pub(super) fresh: bool,
	/// The state with them.
	pub(super) state: DisputeState,
	/// All who are known to have backed the candidate.
	pub(super) backers: BTreeSet<ValidatorIndex>,
	/// Conclusions that these votes brought about. A third of the validators on both sides can bring both.
	pub(super) conclusions: Vec<DisputeResult>,
	/// Who was against a valid candidate, as far as not known before.
	pub(super) losers_against: BTreeSet<ValidatorIndex>,
	/// Who was for an invalid candidate, as far as not known before, or not as a backer.
	pub(super) losers_for: BTreeSet<ValidatorIndex>,
	/// Who takes part for the first time.
	pub(super) new_participants: Vec<ValidatorIndex>,
	/// Whether now, and not before, so many are against that one of them must be honest.
	pub(super) doubted: bool,
}

impl Tally {
	/// Continues a dispute, or starts one among `n_validators`.
	pub(super) fn new(
		stored: Option<DisputeState>,
		backers: BTreeSet<ValidatorIndex>,
		n_validators: usize,
		now: BlockNumber,
	) -> Self {
		let state = stored.clone().unwrap_or_else(|| DisputeState {
			validators_for: BitVec::repeat(false, n_validators),
			validators_against: BitVec::repeat(false, n_validators),
			start: now,
			concluded_at: None,
		});
		Self { stored, stored_backers: backers.clone(), state, backers }
	}

	/// Whether the vote would count.
	///
	/// A validator has one vote per side. Only a backing vote counts although the same validator is for the
	/// candidate already, for it makes a heavier offence of an approval; but whoever is known to have backed
	/// has no business to vote for the candidate again.
	pub(super) fn check(&self, validator: ValidatorIndex, kind: VoteKind) -> Result<(), VoteError> {
		let side = match kind {
			VoteKind::Backing | VoteKind::ExplicitValid => &self.state.validators_for,
			VoteKind::Invalid => &self.state.validators_against,
		};
		let voted = *side.get(validator.0 as usize).ok_or(VoteError::ValidatorIndexOutOfBounds)?;
		match (kind, voted) {
			(_, false) => Ok(()),
			(VoteKind::Backing, true) if !self.backers.contains(&validator) => Ok(()),
			(VoteKind::ExplicitValid, true) if self.backers.contains(&validator) => {
				Err(VoteError::MaliciousBacker)
			},
			(_, true) => Err(VoteError::DuplicateStatement),
		}
	}

	/// Counts a vote.
	pub(super) fn add(&mut self, validator: ValidatorIndex, kind: VoteKind) -> Result<(), VoteError> {
		self.check(validator, kind)?;
		let side = match kind {
			VoteKind::Backing | VoteKind::ExplicitValid => &mut self.state.validators_for,
			VoteKind::Invalid => &mut self.state.validators_against,
		};
		// In range: checked just now.
		side.set(validator.0 as usize, true);
		if kind == VoteKind::Backing {
			self.backers.insert(validator);
		}
		Ok(())
	}

	/// What the votes come to, if the dispute may be on chain at all.
	pub(super) fn finish(self, now: BlockNumber) -> Result<Outcome, SetError> {
		let Self { stored, stored_backers, mut state, backers } = self;
		let n_validators = state.validators_for.len();
		if state.validators_for.not_any() || state.validators_against.not_any() {
			return Err(SetError::SingleSided);
		}
		let participants = state.validators_for.clone() | &state.validators_against;
		if participants.count_ones() <= byzantine_threshold(n_validators) {
			return Err(SetError::Unconfirmed);
		}
		if backers.is_empty() {
			return Err(SetError::MissingBackingVotes);
		}

		let fresh = stored.is_none();
		let nobody = || Bits::repeat(false, n_validators);
		let (for_before, against_before) =
			stored.map_or_else(|| (nobody(), nobody()), |old| (old.validators_for, old.validators_against));
		let supermajority = supermajority_threshold(n_validators);
		let valid = Threshold::new(supermajority, &for_before, &state.validators_for);
		let invalid = Threshold::new(supermajority, &against_before, &state.validators_against);

		let losers_against = valid.losers(&state.validators_against, |i| !against_before[i]);
		let losers_for = invalid.losers(&state.validators_for, |i| {
			let validator = ValidatorIndex(i as u32);
			!for_before[i] || (backers.contains(&validator) && !stored_backers.contains(&validator))
		});
		let mut conclusions = Vec::new();
		for (threshold, result) in [(valid, DisputeResult::Valid), (invalid, DisputeResult::Invalid)] {
			if threshold.is_new() {
				conclusions.push(result);
				state.concluded_at.get_or_insert(now);
			}
		}
		let doubted =
			Threshold::new(byzantine_threshold(n_validators) + 1, &against_before, &state.validators_against);
		let new_participants = participants
			.iter_ones()
			.filter(|i| !for_before[*i] && !against_before[*i])
			.map(|i| ValidatorIndex(i as u32))
			.collect();
		Ok(Outcome {
			fresh,
			backers,
			conclusions,
			losers_against,
			losers_for,
			new_participants,
			doubted: doubted.is_new(),
			state,
		})
	}
}

/// Whether one side has a number of votes, before and after.
#[derive(Clone, Copy)]
struct Threshold {
	before: bool,
	after: bool,
}

impl Threshold {
	fn new(votes: usize, before: &Bits, after: &Bits) -> Self {
		Self { before: before.count_ones() >= votes, after: after.count_ones() >= votes }
	}

	fn is_new(self) -> bool {
		self.after && !self.before
	}

	/// Who loses if this is the side that wins: the whole other side when it wins, and afterwards those who are
	/// new on the other side.
	fn losers(self, other_side: &Bits, is_new: impl Fn(usize) -> bool) -> BTreeSet<ValidatorIndex> {
		if !self.after {
			return BTreeSet::new();
		}
		other_side
			.iter_ones()
			.filter(|i| !self.before || is_new(*i))
			.map(|i| ValidatorIndex(i as u32))
			.collect()
	}
}
