//! Who validates: the set that genesis names, for good. There is no staking.

use crate::{AccountId, Historical, Runtime, Session};
use alloc::vec::Vec;
use frame_support::traits::OneSessionHandler;
use headway_primitives::SessionIndex;
use sp_runtime::{traits::Convert, BoundToRuntimeAppPublic};

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
