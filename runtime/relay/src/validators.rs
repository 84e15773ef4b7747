//! Who validates: the set that genesis names, for good. There is no staking, so offenders are disabled.

use crate::{AccountId, Historical, Runtime, Session};
use alloc::vec::Vec;
use frame_support::{traits::OneSessionHandler, weights::Weight};
use headway_primitives::SessionIndex;
use pallet_session::historical::IdentificationTuple;
use sp_runtime::{traits::Convert, BoundToRuntimeAppPublic, Perbill};
use sp_staking::offence::{OffenceDetails, OffenceSeverity, OnOffenceHandler};

/// Keeps the validators of genesis.
pub struct FixedValidators;

impl pallet_session::SessionManager<AccountId> for FixedValidators {
	fn new_session(_: SessionIndex) -> Option<Vec<AccountId>> {
		None
	}

	fn start_session(_: SessionIndex) {}

	fn end_session(_: SessionIndex) {}
}

impl pallet_session::historical::SessionManager<AccountId, ()> for FixedValidators {
	/// Names the validators once, when no session before has a historical root: only then one is computed, and
	/// without roots nobody can prove who owned a key. After that, the root is carried over with the set.
	fn new_session(index: SessionIndex) -> Option<Vec<(AccountId, ())>> {
		let has_root =
			pallet_session::historical::HistoricalSessions::<Runtime>::contains_key(index.saturating_sub(1));
		(!has_root).then(|| Session::validators().into_iter().map(|account| (account, ())).collect())
	}

	/// Genesis takes the validators from `session.keys`.
	fn new_session_genesis(_: SessionIndex) -> Option<Vec<(AccountId, ())>> {
		None
	}

	fn start_session(_: SessionIndex) {}

	fn end_session(_: SessionIndex) {}
}

/// Validators have no identification besides their account.
pub struct NoIdentification;

impl Convert<AccountId, Option<()>> for NoIdentification {
	fn convert(_: AccountId) -> Option<()> {
		Some(())
	}
}

/// Validators as offenders.
pub struct IdentifyValidator;

impl Convert<AccountId, Option<IdentificationTuple<Runtime>>> for IdentifyValidator {
	fn convert(account: AccountId) -> Option<IdentificationTuple<Runtime>> {
		Some((account, ()))
	}
}

/// Without staking there is nothing to slash. Offenders are disabled instead: they author no blocks, their backing
/// votes do not count, and nobody follows the disputes that they raise. As the set of validators never changes, this
/// is for good, unless somebody does worse when a third of the validators is disabled already.
pub struct DisableOffenders;

impl OnOffenceHandler<AccountId, IdentificationTuple<Runtime>, Weight> for DisableOffenders {
	fn on_offence(
		offenders: &[OffenceDetails<AccountId, IdentificationTuple<Runtime>>],
		slash_fractions: &[Perbill],
		_: SessionIndex,
	) -> Weight {
		for (details, fraction) in offenders.iter().zip(slash_fractions) {
			// An offence without a price is no reason to go on with fewer validators.
			if !fraction.is_zero() {
				let (account, ()) = details.offender.clone();
				Session::report_offence(account, OffenceSeverity(*fraction));
			}
		}
		<Runtime as frame_system::Config>::DbWeight::get()
			.reads_writes(2, 1)
			.saturating_mul(offenders.len() as u64)
	}
}

/// How session keys and their roots are kept.
pub type SessionManager = pallet_session::historical::NoteHistoricalRoot<Runtime, FixedValidators>;

/// Proof that a validator owned a key.
pub fn prove_key(
	key_type: sp_core::crypto::KeyTypeId,
	key: &impl codec::Encode,
) -> Option<sp_session::MembershipProof> {
	use frame_support::traits::KeyOwnerProofSystem;
	Historical::prove((key_type, key.encode()))
}

/// The `beef` key: part of the session keys for the sake of tools that know six of them, and unused.
pub mod beefy {
	mod app {
		use sp_application_crypto::{app_crypto, ecdsa};
		app_crypto!(ecdsa, sp_core::crypto::KeyTypeId(*b"beef"));
	}

	/// Public key.
	pub type AuthorityId = app::Public;
}

/// Ignores the `beef` keys.
pub struct NoBeefy;

impl BoundToRuntimeAppPublic for NoBeefy {
	type Public = beefy::AuthorityId;
}

impl<A> OneSessionHandler<A> for NoBeefy {
	type Key = beefy::AuthorityId;

	fn on_genesis_session<'a, I: 'a>(_: I)
	where
		A: 'a,
		I: Iterator<Item = (&'a A, Self::Key)>,
	{
	}

	fn on_new_session<'a, I: 'a>(_: bool, _: I, _: I)
	where
		A: 'a,
		I: Iterator<Item = (&'a A, Self::Key)>,
	{
	}

	fn on_disabled(_: u32) {}
}
