//! Lets votes take effect: conclusion, rewards and punishments, revert (runtime §8.1).

use super::{
	filter::CheckedDisputeStatementSet,
	tally::{Outcome, SetError, VoteError, VoteKind},
	*,
};

/// What the acceptance of votes depends on.
#[derive(Clone, Copy)]
pub(crate) struct ImportParams {
	/// The block that executes.
	pub(super) now: BlockNumber,
	/// Disputes that concluded before this block are over.
	pub(super) oldest_accepted: BlockNumber,
}

impl ImportParams {
	pub(crate) fn new<T: Config>(config: &HostConfiguration) -> Self {
		let now = now::<T>();
		let oldest_accepted = now.saturating_sub(config.dispute_post_conclusion_acceptance_period);
		Self { now, oldest_accepted }
	}
}

impl<T: Config> From<VoteError> for Error<T> {
	fn from(error: VoteError) -> Self {
		match error {
			VoteError::ValidatorIndexOutOfBounds => Self::ValidatorIndexOutOfBounds,
			VoteError::DuplicateStatement => Self::DuplicateStatement,
			VoteError::MaliciousBacker => Self::MaliciousBacker,
			VoteError::InvalidSignature => Self::InvalidSignature,
		}
	}
}

impl<T: Config> From<SetError> for Error<T> {
	fn from(error: SetError) -> Self {
		match error {
			SetError::UnknownSession | SetError::Ancient => Self::AncientDisputeStatement,
			SetError::NoNewVotes => Self::DuplicateStatement,
			SetError::SingleSided => Self::SingleSidedDispute,
			SetError::Unconfirmed => Self::UnconfirmedDispute,
			SetError::MissingBackingVotes => Self::MissingBackingVotes,
		}
	}
}

impl<T: Config> Pallet<T> {
	/// Adds votes to a dispute. On an error nothing has changed.
	pub(crate) fn import(checked: &CheckedDisputeStatementSet, params: ImportParams) -> Result<(), Error<T>> {
		let DisputeStatementSet { session, candidate_hash, ref statements } = *checked.set();
		let mut tally = Self::open(session, candidate_hash, checked.n_validators(), params)?;
		for (statement, validator, _) in statements {
			tally.add(*validator, VoteKind::from(statement))?;
		}
		let outcome = tally.finish(params.now)?;
		Self::enact(session, candidate_hash, outcome);
		Ok(())
	}

	fn enact(session: SessionIndex, candidate: CandidateHash, outcome: Outcome) {
		BackersOnDisputes::<T>::insert(session, candidate, &outcome.backers);
		Disputes::<T>::insert(session, candidate, &outcome.state);
		let revert_to = Included::<T>::get(session, candidate);
		if outcome.fresh {
			let location = match revert_to {
				Some(_) => DisputeLocation::Local,
				None => DisputeLocation::Remote,
			};
			Self::deposit_event(Event::DisputeInitiated(candidate, location));
		}
		for result in outcome.conclusions {
			Self::deposit_event(Event::DisputeConcluded(candidate, result));
		}
		T::RewardValidators::reward_dispute_statement(session, &outcome.new_participants);
		// The worse offence first: offences count an offender once per dispute.
		T::SlashingHandler::punish_for_invalid(session, candidate, outcome.losers_for, &outcome.backers);
		T::SlashingHandler::punish_against_valid(session, candidate, outcome.losers_against);
		if let (true, Some(revert_to)) = (outcome.doubted, revert_to) {
			Self::revert_and_freeze(revert_to);
		}
	}
}
