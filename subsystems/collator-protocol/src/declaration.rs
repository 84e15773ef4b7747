//! By what a collator says who it is.

use headway_machine::PeerId;
use headway_primitives::{CollatorId, CollatorPair, CollatorSignature};
use sp_core::Pair;

/// A collator's key, and its signature over the peer id that it connects from and `COLL`: a declaration that
/// was overheard is worth nothing to another peer (backing pipeline §5.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Declaration {
	/// The collator's key.
	pub collator: CollatorId,
	/// Its signature.
	pub signature: CollatorSignature,
}

impl Declaration {
	/// The bytes that a collator signs to be known from `peer`.
	pub fn payload(peer: &PeerId) -> Vec<u8> {
		[peer.as_bytes(), b"COLL"].concat()
	}

	/// Declares `collator` to be the peer `local`, in the name of whoever holds its key: `sign` signs the
	/// bytes that it is given. Signatures are randomized: sign once and keep it.
	pub fn new(collator: CollatorId, local: &PeerId, sign: impl FnOnce(&[u8]) -> CollatorSignature) -> Self {
		Self { collator, signature: sign(&Self::payload(local)) }
	}

	/// Whether the collator signed for `peer`.
	pub fn is_signed_for(&self, peer: &PeerId) -> bool {
		CollatorPair::verify(&self.signature, Self::payload(peer), &self.collator)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::testing::peer;

	#[test]
	fn declaration_is_bound_to_peer_and_key() {
		let pair = |path| CollatorPair::from_string(path, None).unwrap();
		let alice = pair("//Alice");
		let declaration = Declaration::new(alice.public(), &peer(1), |payload| alice.sign(payload));
		assert!(declaration.is_signed_for(&peer(1)));
		assert!(!declaration.is_signed_for(&peer(2)));
		assert!(!Declaration { collator: pair("//Bob").public(), ..declaration }.is_signed_for(&peer(1)));
		assert_eq!(Declaration::payload(&PeerId::from_bytes(&[7, 8])), [7, 8, b'C', b'O', b'L', b'L']);
	}
}
