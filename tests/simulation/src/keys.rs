//! Keys that sign the same bytes in the same way every time, and a memory of what was signed.
//!
//! Signatures are real: the runtime checks them. Nonces are derived from the message, because signatures get into relay
//! blocks, and so into all hashes. Machines need not check again what somebody in this world signed or checked: at a
//! hundred validators that would be most of the work.

use headway_machine::{Signer, Sr25519Verifier, Verifier};
use headway_primitives::{ValidatorId, ValidatorPair, ValidatorSignature};
use parking_lot::Mutex;
use rand_chacha::{rand_core::SeedableRng, ChaCha20Rng};
use schnorrkel::{context::attach_rng, signing_context};
use sp_core::{sr25519, Blake2Hasher, Hasher, Pair as _};
use std::{collections::BTreeMap, sync::Arc};

/// Signatures that are remembered; then all are forgotten.
const SIGNATURES_MAX: usize = 1 << 20;

/// Signs without ambient randomness.
pub fn sign_sr25519(pair: &sr25519::Pair, message: &[u8]) -> sr25519::Signature {
	let keypair: &schnorrkel::Keypair = pair.as_ref();
	let seed = Blake2Hasher::hash(&[pair.public().0.as_slice(), message].concat()).0;
	let transcript = signing_context(b"substrate").bytes(message);
	let signature = keypair.sign(attach_rng(transcript, ChaCha20Rng::from_seed(seed)));
	sr25519::Signature::from_raw(signature.to_bytes())
}

/// As [`sign_sr25519`], with the key of a validator.
pub fn sign(pair: &ValidatorPair, message: &[u8]) -> ValidatorSignature {
	sign_sr25519(pair.as_ref(), message).into()
}

/// Checks signatures, and remembers good ones.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<[u8; 64], [u8; 32]>>);

impl Memory {
	fn digest(key: &ValidatorId, message: &[u8]) -> [u8; 32] {
		Blake2Hasher::hash(&[AsRef::<[u8]>::as_ref(key), message].concat()).0
	}

	fn remember(&self, key: &ValidatorId, message: &[u8], signature: &ValidatorSignature) {
		let mut known = self.0.lock();
		if known.len() >= SIGNATURES_MAX {
			known.clear();
		}
		known.insert(raw(signature), Self::digest(key, message));
	}
}

fn raw(signature: &ValidatorSignature) -> [u8; 64] {
	let mut raw = [0; 64];
	raw.copy_from_slice(AsRef::<[u8]>::as_ref(signature));
	raw
}

impl Verifier for Memory {
	fn verify(&self, key: &ValidatorId, message: &[u8], signature: &ValidatorSignature) -> bool {
		let known = self.0.lock().get(&raw(signature)).copied();
		if known == Some(Self::digest(key, message)) {
			return true;
		}
		let valid = Sr25519Verifier.verify(key, message, signature);
		if valid {
			self.remember(key, message, signature);
		}
		valid
	}
}

/// The key of one validator.
pub struct Keyring {
	pair: ValidatorPair,
	memory: Arc<Memory>,
}

impl Keyring {
	/// Signs with this key; what it signs is remembered as good.
	pub fn new(pair: ValidatorPair, memory: Arc<Memory>) -> Self {
		Self { pair, memory }
	}
}

impl Signer for Keyring {
	fn sign(&self, key: &ValidatorId, message: &[u8]) -> Option<ValidatorSignature> {
		if self.pair.public() != *key {
			return None;
		}
		let signature = sign(&self.pair, message);
		self.memory.remember(key, message, &signature);
		Some(signature)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::testing::validator_keys;

	#[test]
	fn same_bytes_have_the_same_valid_signature() {
		let pair = &validator_keys(1)[0];
		let signature = sign(pair, b"message");
		assert_eq!(signature, sign(pair, b"message"));
		assert!(Sr25519Verifier.verify(&pair.public(), b"message", &signature));
	}

	#[test]
	fn a_remembered_signature_is_good_for_its_message_and_key_only() {
		let keys = validator_keys(2);
		let memory = Memory::default();
		let signature = sign(&keys[0], b"message");
		assert!(memory.verify(&keys[0].public(), b"message", &signature));
		assert!(memory.verify(&keys[0].public(), b"message", &signature));
		assert!(!memory.verify(&keys[0].public(), b"another", &signature));
		assert!(!memory.verify(&keys[1].public(), b"message", &signature));
	}
}
