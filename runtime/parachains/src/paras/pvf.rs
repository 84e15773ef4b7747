//! Votes on new code, before anybody has to execute it (runtime §4.6).

use super::{lifecycle::insert_sorted, *};
use frame_support::{ensure, pallet_prelude::InvalidTransaction};
use sp_runtime::traits::AppVerify;

/// Code of invalid transactions: no such validator.
const INVALID_VALIDATOR_INDEX: u8 = 1;
/// Code of invalid transactions: no vote on this code.
const INVALID_SUBJECT: u8 = 2;
/// Code of invalid transactions: the validator has voted already.
const INVALID_DOUBLE_VOTE: u8 = 3;
/// Code of invalid transactions: the code was not authorized.
pub(super) const INVALID_UNAUTHORIZED_CODE: u8 = 4;

/// How the transaction pool is told what is wrong with a vote.
pub(super) fn to_validity_error<T: Config>(error: Error<T>) -> InvalidTransaction {
	match error {
		Error::PvfCheckStatementStale => InvalidTransaction::Stale,
		Error::PvfCheckStatementFuture => InvalidTransaction::Future,
		Error::PvfCheckValidatorIndexOutOfBounds => InvalidTransaction::Custom(INVALID_VALIDATOR_INDEX),
		Error::PvfCheckInvalidSignature => InvalidTransaction::BadProof,
		Error::PvfCheckSubjectInvalid => InvalidTransaction::Custom(INVALID_SUBJECT),
		Error::PvfCheckDoubleVote => InvalidTransaction::Custom(INVALID_DOUBLE_VOTE),
		_ => InvalidTransaction::Call,
	}
}

impl<T: Config> Pallet<T> {
	/// Starts a vote on code, joins the one that runs, or accepts what was accepted before.
	pub(super) fn kick_off_pvf_check(cause: PvfCheckCause, hash: ValidationCodeHash, code: ValidationCode) {
		Self::deposit_event(Event::PvfCheckStarted(hash, cause.para_id()));
		if let Some(mut vote) = PvfActiveVoteMap::<T>::get(hash) {
			vote.causes.push(cause);
			PvfActiveVoteMap::<T>::insert(hash, vote);
		} else if CodeByHash::<T>::contains_key(hash) {
			Self::enact_pvf_causes(&[cause], hash, 0);
		} else {
			let n_validators = shared::ActiveValidatorKeys::<T>::decode_len().unwrap_or(0);
			PvfActiveVoteMap::<T>::insert(
				hash,
				PvfCheckActiveVoteState::new(now::<T>(), n_validators, cause),
			);
			PvfActiveVoteList::<T>::mutate(|list| insert_sorted(list, hash));
		}
		Self::increase_code_ref(hash, &code);
	}

	/// The checks of a vote, in the order of the errors; returns the state that it is for.
	pub(super) fn check_pvf_statement(
		statement: &PvfCheckStatement,
		signature: &ValidatorSignature,
	) -> Result<PvfCheckActiveVoteState, Error<T>> {
		let session = shared::CurrentSessionIndex::<T>::get();
		ensure!(statement.session_index >= session, Error::PvfCheckStatementStale);
		ensure!(statement.session_index <= session, Error::PvfCheckStatementFuture);
		let index = statement.validator_index.0 as usize;
		let keys = shared::ActiveValidatorKeys::<T>::get();
		let key = keys.get(index).ok_or(Error::PvfCheckValidatorIndexOutOfBounds)?;
		ensure!(signature.verify(&statement.signing_payload()[..], key), Error::PvfCheckInvalidSignature);
		let vote = PvfActiveVoteMap::<T>::get(statement.subject).ok_or(Error::PvfCheckSubjectInvalid)?;
		match vote.has_vote(index) {
			Some(false) => Ok(vote),
			Some(true) => Err(Error::PvfCheckDoubleVote),
			None => Err(Error::PvfCheckValidatorIndexOutOfBounds),
		}
	}

	/// Counts a vote; returns whether it was the decisive one.
	pub(super) fn apply_pvf_check_statement(
		statement: PvfCheckStatement,
		signature: ValidatorSignature,
	) -> Result<bool, Error<T>> {
		let mut vote = Self::check_pvf_statement(&statement, &signature)?;
		let side = if statement.accept { &mut vote.votes_accept } else { &mut vote.votes_reject };
		side.set(statement.validator_index.0 as usize, true);
		let outcome = vote.quorum();
		match outcome {
			Some(PvfCheckOutcome::Accepted) => Self::enact_pvf_accepted(statement.subject, vote),
			Some(PvfCheckOutcome::Rejected) => Self::enact_pvf_rejected(statement.subject, vote),
			None => PvfActiveVoteMap::<T>::insert(statement.subject, vote),
		}
		Ok(outcome.is_some())
	}

	/// Ends a vote with acceptance.
	pub(super) fn enact_pvf_accepted(hash: ValidationCodeHash, vote: PvfCheckActiveVoteState) {
		Self::end_vote(hash);
		Self::enact_pvf_causes(&vote.causes, hash, vote.age);
	}

	fn enact_pvf_causes(causes: &[PvfCheckCause], hash: ValidationCodeHash, age: SessionIndex) {
		for cause in causes {
			Self::deposit_event(Event::PvfCheckAccepted(hash, cause.para_id()));
			match *cause {
				PvfCheckCause::Onboarding(id) => Self::proceed_with_onboarding(id, age),
				PvfCheckCause::Upgrade { id, included_at, upgrade_strategy } => {
					Self::proceed_with_upgrade(id, hash, included_at, upgrade_strategy)
				},
			}
		}
	}

	fn enact_pvf_rejected(hash: ValidationCodeHash, vote: PvfCheckActiveVoteState) {
		Self::end_vote(hash);
		for cause in vote.causes {
			Self::decrease_code_ref(hash);
			Self::deposit_event(Event::PvfCheckRejected(hash, cause.para_id()));
			match cause {
				PvfCheckCause::Onboarding(id) => {
					UpcomingParasGenesis::<T>::remove(id);
					CurrentCodeHash::<T>::remove(id);
					ParaLifecycles::<T>::remove(id);
				},
				PvfCheckCause::Upgrade { id, .. } => {
					UpgradeGoAheadSignal::<T>::insert(id, UpgradeGoAhead::Abort);
					FutureCodeHash::<T>::remove(id);
				},
			}
		}
	}

	/// Takes a para that goes out of the vote on its new code, so that the result cannot touch what is there
	/// under its id by then. A vote that nobody needs ends.
	pub(super) fn withdraw_from_vote(hash: ValidationCodeHash, para: ParaId) {
		let Some(mut vote) = PvfActiveVoteMap::<T>::get(hash) else { return };
		vote.causes.retain(|cause| cause.para_id() != para);
		if vote.causes.is_empty() {
			Self::end_vote(hash);
		} else {
			PvfActiveVoteMap::<T>::insert(hash, vote);
		}
	}

	fn end_vote(hash: ValidationCodeHash) {
		PvfActiveVoteMap::<T>::remove(hash);
		PvfActiveVoteList::<T>::mutate(|list| list.retain(|other| *other != hash));
	}

	/// At a session boundary the validators change, so votes start over; after `ttl` boundaries they end in
	/// rejection.
	pub(super) fn age_pvf_votes(n_validators: usize, ttl: SessionIndex) {
		for hash in PvfActiveVoteList::<T>::get() {
			let Some(mut vote) = PvfActiveVoteMap::<T>::get(hash) else { continue };
			vote.age = vote.age.saturating_add(1);
			if vote.age < ttl {
				vote.reinitialize_ballots(n_validators);
				PvfActiveVoteMap::<T>::insert(hash, vote);
			} else {
				Self::enact_pvf_rejected(hash, vote);
			}
		}
	}
}
