//! Offences of validators that lost a dispute (runtime §8.2).
//!
//! In the session of the dispute the chain knows the offenders and reports them at once. Later it does not know
//! any more to whom a key belonged: the slash is put on a list, and nodes that can prove the ownership of the key
//! report the offender in a transaction.
//!
//! Nothing is slashed here: the platform's offences decide what a report leads to.

mod offence;
mod report;
#[cfg(test)]
mod tests;
pub mod weights;

pub use offence::SlashingOffence;
pub use pallet::*;

use super::SlashingHandler;
use crate::session_info;
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use core::ops::RangeInclusive;
use frame_support::traits::{Get, KeyOwnerProofSystem};
use headway_primitives::{
	CandidateHash, DisputeOffenceKind, DisputesTimeSlot, LegacyDisputeOffenceKind, PendingSlashes,
	SessionIndex, ValidatorId, ValidatorIndex,
};
use sp_core::crypto::KeyTypeId;
use sp_runtime::traits::Convert;
use sp_session::{GetSessionNumber, GetValidatorCount};
use sp_staking::offence::ReportOffence;
use weights::WeightInfo;

const LOG_TARGET: &str = "runtime::parachains::slashing";

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::boxed::Box;
	use frame_support::pallet_prelude::*;
	use frame_system::pallet_prelude::*;
	use headway_primitives::DisputeProof;

	#[pallet::pallet]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config + crate::disputes::Config {
		/// Proof that a validator owned a key, with its session and the number of validators in it.
		type KeyOwnerProof: Parameter + GetSessionNumber + GetValidatorCount;
		/// Who an offender is.
		type KeyOwnerIdentification: Parameter;
		/// Checks proofs.
		type KeyOwnerProofSystem: KeyOwnerProofSystem<
			(KeyTypeId, ValidatorId),
			Proof = Self::KeyOwnerProof,
			IdentificationTuple = Self::KeyOwnerIdentification,
		>;
		/// Who a validator of the current session is.
		type IdentifyValidator: Convert<Self::AccountId, Option<Self::KeyOwnerIdentification>>;
		/// The session for which [`Config::IdentifyValidator`] knows validators. In a session's last block it is the
		/// next session already.
		type IdentifiedSession: Get<SessionIndex>;
		/// Who hears of offences.
		type ReportOffence: ReportOffence<
			Self::AccountId,
			Self::KeyOwnerIdentification,
			SlashingOffence<Self::KeyOwnerIdentification>,
		>;
		/// Blocks for which a report stays in the transaction pool.
		type ReportLongevity: Get<u64>;
		/// What calls weigh.
		type WeightInfo: WeightInfo;
	}

	#[pallet::error]
	#[derive(PartialEq, Eq)]
	pub enum Error<T> {
		/// The proof does not show that the key was a validator's in the session of the dispute.
		InvalidKeyOwnershipProof,
		/// Not used any more.
		InvalidSessionIndex,
		/// Nothing waits for a report of this kind about the candidate.
		InvalidCandidateHash,
		/// The validator is not, or no more, among the offenders.
		InvalidValidatorIndex,
		/// The validator has another key.
		ValidatorIndexIdMismatch,
		/// The offence was reported before.
		DuplicateSlashingReport,
	}

	/// Offenders of past sessions that wait for a report.
	#[pallet::storage]
	pub type UnappliedSlashes<T: Config> = StorageDoubleMap<
		_,
		Twox64Concat,
		SessionIndex,
		Blake2_128Concat,
		CandidateHash,
		PendingSlashes,
		OptionQuery,
	>;

	/// The same for disputes of which [`UnappliedSlashes`] has offenders of another kind. There is one kind to an
	/// entry there, and an approver must not pay for what a backer did.
	#[pallet::storage]
	pub type FurtherUnappliedSlashes<T: Config> = StorageDoubleMap<
		_,
		Twox64Concat,
		SessionIndex,
		Blake2_128Concat,
		(CandidateHash, DisputeOffenceKind),
		PendingSlashes,
		OptionQuery,
	>;

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Reports a validator that lost a dispute in a past session. Unsigned.
		#[pallet::call_index(0)]
		#[pallet::weight(<T as Config>::WeightInfo::report_dispute_lost_unsigned(key_owner_proof.validator_count()))]
		pub fn report_dispute_lost_unsigned(
			origin: OriginFor<T>,
			dispute_proof: Box<DisputeProof>,
			key_owner_proof: T::KeyOwnerProof,
		) -> DispatchResultWithPostInfo {
			ensure_none(origin)?;
			Self::apply_report(&dispute_proof, key_owner_proof)?;
			Ok(Pays::No.into())
		}
	}

	#[allow(deprecated)]
	#[pallet::validate_unsigned]
	impl<T: Config> ValidateUnsigned for Pallet<T> {
		type Call = Call<T>;

		fn validate_unsigned(source: TransactionSource, call: &Self::Call) -> TransactionValidity {
			Self::validate_report(source, call)
		}

		fn pre_dispatch(call: &Self::Call) -> Result<(), TransactionValidityError> {
			Self::pre_dispatch_report(call)
		}
	}
}

impl<T: Config> Pallet<T> {
	/// Starts a session: slashes of forgotten sessions can not be proven any more.
	pub(crate) fn on_new_session(forgotten: Option<RangeInclusive<SessionIndex>>) {
		for session in forgotten.into_iter().flatten() {
			// Bounded by the disputes of a session that ended against its candidates' backers or challengers.
			let _ = UnappliedSlashes::<T>::clear_prefix(session, u32::MAX, None);
			let _ = FurtherUnappliedSlashes::<T>::clear_prefix(session, u32::MAX, None);
		}
	}

	/// All slashes that wait for reports. One dispute may be there once for each kind.
	pub fn unapplied_slashes() -> Vec<(SessionIndex, CandidateHash, PendingSlashes)> {
		let further = FurtherUnappliedSlashes::<T>::iter()
			.map(|(session, (candidate, _), pending)| (session, candidate, pending));
		UnappliedSlashes::<T>::iter().chain(further).collect()
	}

	/// As [`Self::unapplied_slashes`], for callers that know two kinds only: approvers are left out.
	pub fn unapplied_slashes_legacy(
	) -> Vec<(SessionIndex, CandidateHash, PendingSlashes<LegacyDisputeOffenceKind>)> {
		Self::unapplied_slashes()
			.into_iter()
			.filter_map(|(session, candidate, PendingSlashes { keys, kind })| {
				Some((session, candidate, PendingSlashes { keys, kind: kind.to_legacy()? }))
			})
			.collect()
	}

	/// Lets `change` work on the slashes of a kind, or on an empty place for them. If it leaves none, or gives an
	/// error without having changed anything, nothing is stored.
	fn with_pending<R>(
		time_slot: &DisputesTimeSlot,
		kind: DisputeOffenceKind,
		change: impl FnOnce(&mut Option<PendingSlashes>) -> R,
	) -> R {
		let DisputesTimeSlot { session_index, candidate_hash } = *time_slot;
		let further = FurtherUnappliedSlashes::<T>::contains_key(session_index, (candidate_hash, kind))
			|| UnappliedSlashes::<T>::get(session_index, candidate_hash)
				.is_some_and(|pending| pending.kind != kind);
		if further {
			FurtherUnappliedSlashes::<T>::mutate_exists(session_index, (candidate_hash, kind), change)
		} else {
			UnappliedSlashes::<T>::mutate_exists(session_index, candidate_hash, change)
		}
	}

	/// Reports the losers, or has them wait for reports.
	fn punish(time_slot: DisputesTimeSlot, kind: DisputeOffenceKind, losers: BTreeSet<ValidatorIndex>) {
		if losers.is_empty() {
			return;
		}
		let session = time_slot.session_index;
		// The filter drops disputes of forgotten sessions.
		let Some(info) = session_info::Sessions::<T>::get(session) else {
			log::error!(target: LOG_TARGET, "nothing is known of session {session}, so nobody is punished");
			return;
		};
		if session == T::IdentifiedSession::get() {
			Self::report_now(time_slot, kind, &losers, info.discovery_keys.len() as u32);
			return;
		}
		if kind == DisputeOffenceKind::ForInvalidBacked {
			// Who is found to have backed what it approved pays for the worse of both.
			Self::with_pending(&time_slot, DisputeOffenceKind::ForInvalidApproved, |slot| {
				if let Some(pending) = slot {
					pending.keys.retain(|validator, _| !losers.contains(validator));
					if pending.keys.is_empty() {
						*slot = None;
					}
				}
			});
		}
		let keys = losers
			.into_iter()
			.filter_map(|validator| Some((validator, info.validators.get(validator.0 as usize)?.clone())));
		Self::with_pending(&time_slot, kind, |slot| {
			slot.get_or_insert_with(|| PendingSlashes { keys: BTreeMap::new(), kind }).keys.extend(keys)
		});
	}

	fn report_now(
		time_slot: DisputesTimeSlot,
		kind: DisputeOffenceKind,
		losers: &BTreeSet<ValidatorIndex>,
		validator_set_count: u32,
	) {
		let accounts = session_info::AccountKeys::<T>::get(time_slot.session_index).unwrap_or_default();
		let offenders: Vec<_> = losers
			.iter()
			.filter_map(|validator| accounts.get(validator.0 as usize).cloned())
			.filter_map(T::IdentifyValidator::convert)
			.collect();
		let offence = SlashingOffence { validator_set_count, time_slot, offenders, kind };
		if T::ReportOffence::report_offence(Vec::new(), offence).is_err() {
			log::info!(target: LOG_TARGET, "all {} losers, {kind:?}, were reported before", losers.len());
		}
	}
}

impl<T: Config> SlashingHandler for Pallet<T> {
	fn punish_for_invalid(
		session: SessionIndex,
		candidate: CandidateHash,
		losers: BTreeSet<ValidatorIndex>,
		backers: &BTreeSet<ValidatorIndex>,
	) {
		if backers.is_empty() {
			return;
		}
		let time_slot = DisputesTimeSlot { session_index: session, candidate_hash: candidate };
		let (backed, approved) = losers.into_iter().partition(|validator| backers.contains(validator));
		Self::punish(time_slot.clone(), DisputeOffenceKind::ForInvalidBacked, backed);
		Self::punish(time_slot, DisputeOffenceKind::ForInvalidApproved, approved);
	}

	fn punish_against_valid(
		session: SessionIndex,
		candidate: CandidateHash,
		losers: BTreeSet<ValidatorIndex>,
	) {
		let time_slot = DisputesTimeSlot { session_index: session, candidate_hash: candidate };
		Self::punish(time_slot, DisputeOffenceKind::AgainstValid, losers);
	}
}
