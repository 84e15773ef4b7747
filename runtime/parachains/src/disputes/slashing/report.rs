//! Reports by nodes of offences in past sessions: transactions without signature, which only the author of a block
//! may put into it.

use super::*;
use alloc::boxed::Box;
use frame_support::pallet_prelude::{
	InvalidTransaction, TransactionPriority, TransactionSource, TransactionValidity,
	TransactionValidityError, ValidTransaction,
};
use frame_system::offchain::{CreateBare, SubmitTransaction};
use headway_primitives::{DisputeProof, OpaqueKeyOwnershipProof, PARACHAIN_KEY_TYPE_ID};

impl<T: Config> Pallet<T> {
	/// Who owned the key in the session of the dispute; none if the proof does not show it.
	fn offender(report: &DisputeProof, proof: T::KeyOwnerProof) -> Option<T::KeyOwnerIdentification> {
		if proof.session() != report.time_slot.session_index {
			return None;
		}
		let key = (PARACHAIN_KEY_TYPE_ID, report.validator_id.clone());
		T::KeyOwnerProofSystem::check_proof(key, proof)
	}

	/// Takes the slash off the list and reports the offence.
	pub(super) fn apply_report(report: &DisputeProof, proof: T::KeyOwnerProof) -> Result<(), Error<T>> {
		let validator_set_count = proof.validator_count();
		let offender = Self::offender(report, proof).ok_or(Error::InvalidKeyOwnershipProof)?;
		Self::with_pending(&report.time_slot, report.kind, |slot| {
			let pending = slot.as_mut().filter(|pending| pending.kind == report.kind);
			let keys = &mut pending.ok_or(Error::InvalidCandidateHash)?.keys;
			let key = keys.get(&report.validator_index).ok_or(Error::InvalidValidatorIndex)?;
			if *key != report.validator_id {
				return Err(Error::ValidatorIndexIdMismatch);
			}
			keys.remove(&report.validator_index);
			if keys.is_empty() {
				*slot = None;
			}
			Ok(())
		})?;
		let offence = SlashingOffence {
			validator_set_count,
			time_slot: report.time_slot.clone(),
			offenders: alloc::vec![offender],
			kind: report.kind,
		};
		T::ReportOffence::report_offence(Vec::new(), offence).map_err(|_| Error::DuplicateSlashingReport)
	}

	/// Whether the report is proven, and not of an offence that was reported before.
	fn check_report(report: &DisputeProof, proof: &T::KeyOwnerProof) -> Result<(), TransactionValidityError> {
		let offender = Self::offender(report, proof.clone()).ok_or(InvalidTransaction::BadProof)?;
		if T::ReportOffence::is_known_offence(&[offender], &report.time_slot) {
			return Err(InvalidTransaction::Stale.into());
		}
		Ok(())
	}

	/// Whether the transaction pool may take the call.
	pub(super) fn validate_report(source: TransactionSource, call: &Call<T>) -> TransactionValidity {
		let Call::report_dispute_lost_unsigned { dispute_proof, key_owner_proof } = call else {
			return InvalidTransaction::Call.into();
		};
		// Proofs are costly to check and a report is free: none is taken from others.
		if !matches!(source, TransactionSource::Local | TransactionSource::InBlock) {
			log::warn!(target: LOG_TARGET, "rejecting a report that is not from this node");
			return InvalidTransaction::Call.into();
		}
		Self::check_report(dispute_proof, key_owner_proof)?;
		let tag = match dispute_proof.kind {
			DisputeOffenceKind::ForInvalidBacked => "DisputeForInvalidBacked",
			DisputeOffenceKind::ForInvalidApproved => "DisputeForInvalidApproved",
			DisputeOffenceKind::AgainstValid => "DisputeAgainstValid",
		};
		ValidTransaction::with_tag_prefix(tag)
			.priority(TransactionPriority::MAX)
			.and_provides((&dispute_proof.time_slot, &dispute_proof.validator_id))
			.longevity(T::ReportLongevity::get())
			.propagate(false)
			.build()
	}

	/// Whether the call may still be executed.
	pub(super) fn pre_dispatch_report(call: &Call<T>) -> Result<(), TransactionValidityError> {
		let Call::report_dispute_lost_unsigned { dispute_proof, key_owner_proof } = call else {
			return Err(InvalidTransaction::Call.into());
		};
		Self::check_report(dispute_proof, key_owner_proof)
	}
}

impl<T: Config + CreateBare<Call<T>>> Pallet<T> {
	/// Hands a report to this node's transaction pool. None if the proof does not decode or the pool refuses.
	pub fn submit_unsigned_report(
		dispute_proof: DisputeProof,
		key_owner_proof: OpaqueKeyOwnershipProof,
	) -> Option<()> {
		let key_owner_proof = key_owner_proof.decode()?;
		let DisputesTimeSlot { session_index, candidate_hash } = dispute_proof.time_slot.clone();
		let (validator, kind) = (dispute_proof.validator_index, dispute_proof.kind);
		let call =
			Call::report_dispute_lost_unsigned { dispute_proof: Box::new(dispute_proof), key_owner_proof };
		let extrinsic = <T as CreateBare<Call<T>>>::create_bare(call.into());
		let submitted = SubmitTransaction::<T, Call<T>>::submit_transaction(extrinsic).is_ok();
		log::info!(
			target: LOG_TARGET,
			"report of validator {validator} of session {session_index}, {kind:?} on candidate {candidate_hash}: {}",
			if submitted { "submitted" } else { "refused by the pool" },
		);
		submitted.then_some(())
	}
}
