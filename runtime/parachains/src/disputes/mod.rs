//! Disputes about candidates: votes that blocks carry, their conclusion, and what follows from it (runtime
//! §8.1).
//!
//! Nodes argue off chain. Once more than a third of the validators takes part, authors bring the votes on
//! chain, so that they count in every fork: a side with a supermajority wins, the other is punished. If an
//! included candidate is in doubt, the chain is to be reverted to before it, and nothing more is backed or
//! included on it: it is frozen.
//!
//! This pallet never judges a candidate, and never trusts a vote that it has not verified.
//!
//! | module | what is in it |
//! |---|---|
//! | `tally` | which votes count and what they come to; without state |
//! | `filter` | drops votes and sets that must not come on chain, each with its reason |
//! | `import` | lets votes take effect |
//! | [`slashing`] | offences of those who lost |

mod filter;
mod import;
pub mod slashing;
mod tally;
#[cfg(any(test, feature = "test-support"))]
#[cfg_attr(not(test), allow(dead_code))]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use filter::CheckedDisputeStatementSet;
pub(crate) use filter::Filter;
pub(crate) use import::ImportParams;
pub use pallet::*;
pub use tally::{SetError, VoteError};

use crate::{
	configuration::HostConfiguration, initializer::SessionChangeNotification, paras, scheduler, session_info,
	util::now, weights,
};
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::ops::RangeInclusive;
use headway_primitives::{
	supermajority_threshold, BlockNumber, CandidateHash, DisputeState, DisputeStatementSet, SessionIndex,
	ValidatorIndex,
};
use scale_info::TypeInfo;

const LOG_TARGET: &str = "runtime::disputes";

/// Fewest entries of past sessions that are removed in one block, while there are any.
const PRUNED_PER_BLOCK: u32 = 64;

/// Whether the candidate of a dispute was included in this chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum DisputeLocation {
	/// It was.
	#[codec(index = 0)]
	Local,
	/// It was not, or in another fork.
	#[codec(index = 1)]
	Remote,
}

/// What a dispute found about its candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum DisputeResult {
	/// It is valid.
	#[codec(index = 0)]
	Valid,
	/// It is not.
	#[codec(index = 1)]
	Invalid,
}

/// Who rewards votes.
pub trait RewardValidators {
	/// Validators took part in a dispute for the first time.
	fn reward_dispute_statement(session: SessionIndex, validators: &[ValidatorIndex]);
}

impl RewardValidators for () {
	fn reward_dispute_statement(_: SessionIndex, _: &[ValidatorIndex]) {}
}

/// Who punishes those that lost a dispute.
pub trait SlashingHandler {
	/// Validators were for an invalid candidate; those of them that are backers are the worse offenders.
	fn punish_for_invalid(
		session: SessionIndex,
		candidate: CandidateHash,
		losers: BTreeSet<ValidatorIndex>,
		backers: &BTreeSet<ValidatorIndex>,
	);

	/// Validators were against a valid candidate.
	fn punish_against_valid(
		session: SessionIndex,
		candidate: CandidateHash,
		losers: BTreeSet<ValidatorIndex>,
	);
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use frame_support::pallet_prelude::*;
	use frame_system::pallet_prelude::*;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::config]
	pub trait Config: session_info::Config + frame_system::Config<RuntimeEvent: From<Event>> {
		/// Rewards votes.
		type RewardValidators: RewardValidators;
		/// Punishes those that lost.
		type SlashingHandler: SlashingHandler;
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event {
		/// A dispute came on chain.
		DisputeInitiated(CandidateHash, DisputeLocation),
		/// One side has a supermajority.
		DisputeConcluded(CandidateHash, DisputeResult),
		/// The block is to be reverted, for a candidate was included in it that is in doubt. Nobody should build on
		/// it or on its descendants any more.
		Revert(BlockNumber),
	}

	#[pallet::error]
	#[derive(PartialEq, Eq)]
	pub enum Error<T> {
		/// The same dispute is there twice.
		DuplicateDisputeStatementSets,
		/// The dispute is over, or of a session that is forgotten.
		AncientDisputeStatement,
		/// The session has no such validator.
		ValidatorIndexOutOfBounds,
		/// The signature is not the validator's.
		InvalidSignature,
		/// The validator has voted like this before.
		DuplicateStatement,
		/// All votes are on one side.
		SingleSidedDispute,
		/// A backer voted for its candidate again.
		MaliciousBacker,
		/// No backer is known.
		MissingBackingVotes,
		/// No more than a third of the validators takes part.
		UnconfirmedDispute,
	}

	/// The last session that is forgotten.
	#[pallet::storage]
	pub type LastPrunedSession<T: Config> = StorageValue<_, SessionIndex, OptionQuery>;

	/// The first forgotten session of which something may still be stored.
	#[pallet::storage]
	pub type PruningSession<T: Config> = StorageValue<_, SessionIndex, OptionQuery>;

	/// Disputes of the sessions that are not forgotten.
	#[pallet::storage]
	pub type Disputes<T: Config> = StorageDoubleMap<
		_,
		Twox64Concat,
		SessionIndex,
		Blake2_128Concat,
		CandidateHash,
		DisputeState,
		OptionQuery,
	>;

	/// Who is known to have backed the candidate of each dispute.
	#[pallet::storage]
	pub type BackersOnDisputes<T: Config> = StorageDoubleMap<
		_,
		Twox64Concat,
		SessionIndex,
		Blake2_128Concat,
		CandidateHash,
		BTreeSet<ValidatorIndex>,
		OptionQuery,
	>;

	/// Included candidates, each with the block to revert to if it is invalid: the one before its inclusion.
	#[pallet::storage]
	pub type Included<T: Config> = StorageDoubleMap<
		_,
		Twox64Concat,
		SessionIndex,
		Blake2_128Concat,
		CandidateHash,
		BlockNumber,
		OptionQuery,
	>;

	/// The last good block, if the chain is frozen. Only root can set it back.
	#[pallet::storage]
	pub type Frozen<T: Config> = StorageValue<_, Option<BlockNumber>, ValueQuery>;

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Lets the chain go on although it was to be reverted.
		#[pallet::call_index(0)]
		#[pallet::weight((weights::ref_time_micros(10).saturating_add(weights::db::<T>(0, 1)), DispatchClass::Operational))]
		pub fn force_unfreeze(origin: OriginFor<T>) -> DispatchResult {
			ensure_root(origin)?;
			Frozen::<T>::set(None);
			Ok(())
		}
	}

	impl<T: Config> Pallet<T> {
		/// Work at the beginning of a block; returns its weight.
		pub(crate) fn initializer_initialize() -> Weight {
			Self::prune()
		}

		/// Starts a session. Returns the sessions that are forgotten with it.
		pub(crate) fn on_new_session(
			notification: &SessionChangeNotification,
		) -> Option<RangeInclusive<SessionIndex>> {
			let window = notification.new_config.dispute_period.saturating_add(1);
			let target = notification.session_index.checked_sub(window).filter(|target| *target > 0)?;
			// Session 0 goes with session 1.
			let first = LastPrunedSession::<T>::get().map_or(0, |last| last.saturating_add(1));
			if first > target {
				return None;
			}
			LastPrunedSession::<T>::put(target);
			if !PruningSession::<T>::exists() {
				PruningSession::<T>::put(first);
			}
			Self::prune();
			Some(first..=target)
		}

		/// Removes some of what is stored of forgotten sessions. Nothing refers to it: what the pallets know of a
		/// session is gone before.
		fn prune() -> Weight {
			let Some(mut session) = PruningSession::<T>::get() else { return weights::db::<T>(1, 0) };
			let last = LastPrunedSession::<T>::get().unwrap_or(0);
			// A block includes at most one candidate per core, so twice the cores is more than what is added.
			let limit = scheduler::Pallet::<T>::n_cores().saturating_mul(2).max(PRUNED_PER_BLOCK);
			let mut left = limit;
			'sessions: while session <= last && left > 0 {
				for clear in [
					Disputes::<T>::clear_prefix::<SessionIndex>,
					BackersOnDisputes::<T>::clear_prefix::<SessionIndex>,
					Included::<T>::clear_prefix::<SessionIndex>,
				] {
					let removed = clear(session, left, None);
					// One for the look-up.
					left = left.saturating_sub(removed.loops.saturating_add(1));
					if removed.maybe_cursor.is_some() {
						break 'sessions;
					}
				}
				session = session.saturating_add(1);
			}
			if session > last {
				PruningSession::<T>::kill();
			} else {
				PruningSession::<T>::put(session);
			}
			let touched = u64::from(limit - left);
			weights::db::<T>(touched.saturating_add(3), touched.saturating_add(1))
		}

		/// Notes that a candidate was included in block `at`.
		pub(crate) fn note_included(session: SessionIndex, candidate: CandidateHash, at: BlockNumber) {
			// Nothing can be reverted to before genesis.
			let Some(revert_to) = at.checked_sub(1) else { return };
			Included::<T>::insert(session, candidate, revert_to);
			if Self::concluded_invalid(session, candidate) {
				Self::revert_and_freeze(revert_to);
			}
		}

		/// The block to revert to if the candidate is invalid; none unless it was included in this chain.
		pub(crate) fn included_state(session: SessionIndex, candidate: CandidateHash) -> Option<BlockNumber> {
			Included::<T>::get(session, candidate)
		}

		/// Whether a supermajority is against the candidate.
		pub fn concluded_invalid(session: SessionIndex, candidate: CandidateHash) -> bool {
			Disputes::<T>::get(session, candidate).is_some_and(|state| {
				let against = state.validators_against;
				against.count_ones() >= supermajority_threshold(against.len())
			})
		}

		/// Whether the chain is to be reverted, so that nothing may be backed or included on it.
		pub fn is_frozen() -> bool {
			Frozen::<T>::get().is_some()
		}

		/// All disputes of sessions that are not forgotten.
		pub fn disputes() -> Vec<(SessionIndex, CandidateHash, DisputeState)> {
			let forgotten = LastPrunedSession::<T>::get();
			Disputes::<T>::iter()
				.filter(|(session, ..)| forgotten.is_none_or(|last| *session > last))
				.collect()
		}

		/// Tells nodes to revert to the block, unless they were told to revert to it or further back before.
		pub(super) fn revert_and_freeze(revert_to: BlockNumber) {
			if Frozen::<T>::get().is_some_and(|frozen_at| frozen_at <= revert_to) {
				return;
			}
			Frozen::<T>::set(Some(revert_to));
			let revert = revert_to.saturating_add(1);
			log::error!(target: LOG_TARGET, "block {revert} includes an invalid candidate and is to be reverted");
			Self::deposit_event(Event::Revert(revert));
			frame_system::Pallet::<T>::deposit_log(paras::ConsensusLog::Revert(revert).into());
		}
	}
}
