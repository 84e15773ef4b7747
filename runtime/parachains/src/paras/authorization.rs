//! Code that root authorized by its hash, and that anybody may then apply (runtime §4.2, calls 10 and 11).
//!
//! Root may sit on another chain: it sends 32 bytes, and the code itself comes from whoever has it.

use super::{
	lifecycle::insert_by_block,
	upgrades::{list_weight, take_due},
	*,
};
use crate::weights::db;
use frame_support::{ensure, weights::Weight};

impl<T: Config> Pallet<T> {
	/// Authorizes code for the para until `valid_period` blocks from now. Replaces an earlier authorization.
	pub(super) fn authorize_code(para: ParaId, code_hash: ValidationCodeHash, valid_period: BlockNumber) {
		let expire_at = now::<T>().saturating_add(valid_period);
		AuthorizedCodeHash::<T>::insert(para, AuthorizedCodeHashAndExpiry { code_hash, expire_at });
		AuthorizationExpiries::<T>::mutate(|list| {
			list.retain(|(id, _)| *id != para);
			insert_by_block(list, para, expire_at);
		});
		Self::deposit_event(Event::CodeAuthorized { para_id: para, code_hash, expire_at });
	}

	/// The authorization by which the code may be applied now.
	///
	/// # Errors
	///
	/// `NothingAuthorized`, `InvalidBlockNumber` if it has expired, `Unauthorized` if it is for other code.
	pub(super) fn check_authorization(
		para: ParaId,
		code: &ValidationCode,
	) -> Result<AuthorizedCodeHashAndExpiry, Error<T>> {
		let authorized = AuthorizedCodeHash::<T>::get(para).ok_or(Error::NothingAuthorized)?;
		ensure!(authorized.expire_at > now::<T>(), Error::InvalidBlockNumber);
		ensure!(authorized.code_hash == code.hash(), Error::Unauthorized);
		Ok(authorized)
	}

	/// Removes the para's authorization, if it has one.
	pub(super) fn remove_authorization(para: ParaId) {
		if AuthorizedCodeHash::<T>::take(para).is_some() {
			AuthorizationExpiries::<T>::mutate(|list| list.retain(|(id, _)| *id != para));
		}
	}

	/// Removes the authorizations that expire. Reads only the length of a list if there are none at all.
	pub(super) fn prune_expired_authorizations(at: BlockNumber) -> Weight {
		let due = take_due::<AuthorizationExpiries<T>>(at);
		for (para, _) in &due {
			AuthorizedCodeHash::<T>::remove(para);
		}
		list_weight::<T>(&due).saturating_add(db::<T>(0, due.len() as u64))
	}
}
