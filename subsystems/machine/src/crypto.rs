//! Signing and verifying, passed in by the driver.

use headway_primitives::{
	Signed, SigningContext, SigningPayload, UncheckedSigned, ValidatorId, ValidatorIndex, ValidatorSignature,
};
use sp_core::Pair as _;

/// Checks signatures of validators.
pub trait Verifier: Send + Sync {
	/// Whether `key` signed `message`.
	fn verify(&self, key: &ValidatorId, message: &[u8], signature: &ValidatorSignature) -> bool;
}

/// Makes signatures with the keys that this node holds.
pub trait Signer: Send + Sync {
	/// Signs `message` with `key`; none if we do not hold it.
	fn sign(&self, key: &ValidatorId, message: &[u8]) -> Option<ValidatorSignature>;
}

/// sr25519, as the protocol demands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sr25519Verifier;

impl Verifier for Sr25519Verifier {
	fn verify(&self, key: &ValidatorId, message: &[u8], signature: &ValidatorSignature) -> bool {
		headway_primitives::ValidatorPair::verify(signature, message, key)
	}
}

/// Checks a signature and answers the checked form.
pub fn check_signed<P: SigningPayload>(
	verifier: &dyn Verifier,
	context: &SigningContext,
	key: &ValidatorId,
	unchecked: UncheckedSigned<P>,
) -> Option<Signed<P>> {
	let message = unchecked.payload.signing_payload(context);
	verifier.verify(key, &message, &unchecked.signature).then(|| Signed::assume_checked(unchecked))
}

/// Signs a payload as a validator; none if we do not hold the key.
pub fn sign<P: SigningPayload>(
	signer: &dyn Signer,
	context: &SigningContext,
	key: &ValidatorId,
	validator_index: ValidatorIndex,
	payload: P,
) -> Option<Signed<P>> {
	let signature = signer.sign(key, &payload.signing_payload(context))?;
	Some(Signed::assume_checked(UncheckedSigned { payload, validator_index, signature }))
}
