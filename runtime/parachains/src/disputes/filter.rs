//! Takes away votes that must not come on chain (runtime §8.1). Whatever passes is imported without error.

use super::{
	tally::{SetError, Tally, VoteError, VoteKind},
	*,
};
use headway_primitives::{DisputeStatement, ValidDisputeStatementKind, ValidatorId, ValidatorSignature};
use sp_runtime::traits::AppVerify;

/// Votes about a candidate that passed the [`Filter`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckedDisputeStatementSet {
	set: DisputeStatementSet,
	n_validators: usize,
}

impl CheckedDisputeStatementSet {
	/// The votes.
	pub fn set(&self) -> &DisputeStatementSet {
		&self.set
	}

	/// The votes.
	pub fn into_set(self) -> DisputeStatementSet {
		self.set
	}

	/// Validators of the session.
	pub(super) fn n_validators(&self) -> usize {
		self.n_validators
	}

	/// Passes the votes off as checked.
	#[cfg(test)]
	pub(crate) fn assume_checked(set: DisputeStatementSet, n_validators: usize) -> Self {
		Self { set, n_validators }
	}
}

/// Checks sets of votes against the state, one after the other.
///
/// # Bounds
/// The keys of every session that disputes may be about, at most `dispute_period + 1`, and one empty entry for each
/// other session that a set names.
pub(crate) struct Filter<T: Config> {
	params: ImportParams,
	max_coalesced: u32,
	validators: BTreeMap<SessionIndex, Vec<ValidatorId>>,
	_marker: core::marker::PhantomData<T>,
}

impl<T: Config> Filter<T> {
	pub(crate) fn new(config: &HostConfiguration) -> Self {
		Self {
			params: ImportParams::new::<T>(config),
			max_coalesced: config.approval_voting_params.max_approval_coalesce_count,
			validators: BTreeMap::new(),
			_marker: core::marker::PhantomData,
		}
	}

	/// Takes away the votes that do not count; fails if the rest is not to be imported.
	///
	/// The rest keeps its order. A backing vote may follow an explicit one of the same validator but not the
	/// other way around, so whoever checks the rest again would drop votes if the order were another.
	pub(crate) fn check(
		&mut self,
		mut set: DisputeStatementSet,
	) -> Result<CheckedDisputeStatementSet, SetError> {
		let (session, candidate) = (set.session, set.candidate_hash);
		let validators = self.validators.entry(session).or_insert_with(|| {
			session_info::Sessions::<T>::get(session).map(|info| info.validators).unwrap_or_default()
		});
		if validators.is_empty() {
			return Err(SetError::UnknownSession);
		}
		let mut tally = Pallet::<T>::open(session, candidate, validators.len(), self.params)?;
		let max_coalesced = self.max_coalesced;
		set.statements.retain(|(statement, validator, signature)| {
			let kind = VoteKind::from(statement);
			// Signatures last: most votes that do not count are those that are known already.
			let verdict = tally.check(*validator, kind).and_then(|()| {
				let key = validators.get(validator.0 as usize).ok_or(VoteError::ValidatorIndexOutOfBounds)?;
				if !is_signed_by(key, candidate, session, statement, signature, max_coalesced) {
					return Err(VoteError::InvalidSignature);
				}
				tally.add(*validator, kind)
			});
			if let Err(error) = verdict {
				log::debug!(
					target: LOG_TARGET,
					"dropping a vote of validator {validator} on candidate {candidate} of session {session}: {error:?}",
				);
			}
			verdict.is_ok()
		});
		if set.statements.is_empty() {
			return Err(SetError::NoNewVotes);
		}
		tally.finish(self.params.now)?;
		let n_validators = validators.len();
		Ok(CheckedDisputeStatementSet { set, n_validators })
	}
}

/// Whether the validator gave the vote.
fn is_signed_by(
	key: &ValidatorId,
	candidate: CandidateHash,
	session: SessionIndex,
	statement: &DisputeStatement,
	signature: &ValidatorSignature,
	max_coalesced: u32,
) -> bool {
	if let DisputeStatement::Valid(ValidDisputeStatementKind::ApprovalCheckingMultipleCandidates(
		candidates,
	)) = statement
	{
		if candidates.len() > max_coalesced as usize {
			return false;
		}
	}
	statement.signing_payload(candidate, session).is_some_and(|payload| signature.verify(&payload[..], key))
}

impl<T: Config> Pallet<T> {
	/// The dispute as it is, to add votes to it.
	pub(super) fn open(
		session: SessionIndex,
		candidate: CandidateHash,
		n_validators: usize,
		params: ImportParams,
	) -> Result<Tally, SetError> {
		let stored = Disputes::<T>::get(session, candidate);
		let concluded_at = stored.as_ref().and_then(|state| state.concluded_at);
		if concluded_at.is_some_and(|at| at < params.oldest_accepted) {
			return Err(SetError::Ancient);
		}
		let backers = BackersOnDisputes::<T>::get(session, candidate).unwrap_or_default();
		Ok(Tally::new(stored, backers, n_validators, params.now))
	}
}
