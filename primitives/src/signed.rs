//! What validators sign: statements about candidates and availability bitfields (backing pipeline §1.5).

use crate::ids::Hash;
use crate::{
	CandidateHash, CommittedCandidateReceiptV2, SessionIndex, ValidatorId, ValidatorIndex, ValidatorSignature,
};
use alloc::vec::Vec;
use bitvec::{order::Lsb0, vec::BitVec};
use codec::{Decode, DecodeWithMemTracking, Encode, Input};
use scale_info::TypeInfo;
use sp_runtime::traits::AppVerify;

/// First bytes of every compact statement.
pub const BACKING_STATEMENT_MAGIC: [u8; 4] = *b"BKNG";

/// What a signature is bound to besides its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct SigningContext {
	/// Session of the children of `parent_hash`.
	pub session_index: SessionIndex,
	/// Scheduling parent for statements; the relay block for bitfields.
	pub parent_hash: Hash,
}

/// Something that a validator signs within a [`SigningContext`].
pub trait SigningPayload {
	/// The bytes that are signed.
	fn signing_payload(&self, context: &SigningContext) -> Vec<u8>;
}

/// A statement about a candidate, by hash. Encodes as `BKNG`, index, candidate hash: 37 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, TypeInfo)]
pub enum CompactStatement {
	/// The validator proposes the candidate: index 1.
	Seconded(CandidateHash),
	/// The validator found the candidate valid: index 2.
	Valid(CandidateHash),
}

impl CompactStatement {
	/// The candidate that the statement is about.
	pub fn candidate_hash(&self) -> CandidateHash {
		match self {
			Self::Seconded(hash) | Self::Valid(hash) => *hash,
		}
	}
}

impl Encode for CompactStatement {
	fn size_hint(&self) -> usize {
		37
	}

	fn encode_to<T: codec::Output + ?Sized>(&self, out: &mut T) {
		out.write(&BACKING_STATEMENT_MAGIC);
		out.push_byte(match self {
			Self::Seconded(_) => 1,
			Self::Valid(_) => 2,
		});
		self.candidate_hash().encode_to(out);
	}
}

impl codec::EncodeLike for CompactStatement {}

impl Decode for CompactStatement {
	fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
		if <[u8; 4]>::decode(input)? != BACKING_STATEMENT_MAGIC {
			return Err("compact statement without the BKNG magic".into());
		}
		match u8::decode(input)? {
			1 => CandidateHash::decode(input).map(Self::Seconded),
			2 => CandidateHash::decode(input).map(Self::Valid),
			_ => Err("unknown compact statement".into()),
		}
	}
}

impl DecodeWithMemTracking for CompactStatement {}

impl SigningPayload for CompactStatement {
	fn signing_payload(&self, context: &SigningContext) -> Vec<u8> {
		(self, context).encode()
	}
}

/// A statement with the receipt of a seconded candidate in full. Signs the same bytes as its compact form.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Statement {
	/// The validator proposes the candidate.
	#[codec(index = 1)]
	Seconded(CommittedCandidateReceiptV2),
	/// The validator found the candidate valid.
	#[codec(index = 2)]
	Valid(CandidateHash),
}

impl Statement {
	/// The form by hash.
	pub fn to_compact(&self) -> CompactStatement {
		match self {
			Self::Seconded(receipt) => CompactStatement::Seconded(receipt.hash()),
			Self::Valid(hash) => CompactStatement::Valid(*hash),
		}
	}

	/// The candidate that the statement is about.
	pub fn candidate_hash(&self) -> CandidateHash {
		self.to_compact().candidate_hash()
	}
}

impl SigningPayload for Statement {
	fn signing_payload(&self, context: &SigningContext) -> Vec<u8> {
		self.to_compact().signing_payload(context)
	}
}

/// One bit per availability core: whether the validator holds its chunk of the occupying candidate.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AvailabilityBitfield(pub BitVec<u8, Lsb0>);

impl SigningPayload for AvailabilityBitfield {
	fn signing_payload(&self, context: &SigningContext) -> Vec<u8> {
		(self, context).encode()
	}
}

/// A payload with a signature that nobody has checked yet.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct UncheckedSigned<Payload> {
	/// What is signed.
	pub payload: Payload,
	/// Who claims to have signed.
	pub validator_index: ValidatorIndex,
	/// The signature.
	pub signature: ValidatorSignature,
}

impl<Payload: SigningPayload> UncheckedSigned<Payload> {
	/// Whether `key` signed the payload in `context`.
	pub fn verify(&self, context: &SigningContext, key: &ValidatorId) -> bool {
		self.signature.verify(&self.payload.signing_payload(context)[..], key)
	}
}

/// Bitfield with an unchecked signature, as in the inherent.
pub type UncheckedSignedAvailabilityBitfield = UncheckedSigned<AvailabilityBitfield>;
/// Bitfields of the inherent, ascending by validator index.
pub type UncheckedSignedAvailabilityBitfields = Vec<UncheckedSignedAvailabilityBitfield>;

/// A payload whose signature was checked, or that we signed ourselves.
///
/// The type is the proof: it is only made by [`Signed::assume_checked`], which every call site must justify.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed<Payload>(UncheckedSigned<Payload>);

impl<Payload> Signed<Payload> {
	/// Wraps a payload whose signature the caller has just verified (or made).
	pub fn assume_checked(unchecked: UncheckedSigned<Payload>) -> Self {
		Self(unchecked)
	}

	/// What is signed.
	pub fn payload(&self) -> &Payload {
		&self.0.payload
	}

	/// Who signed.
	pub fn validator_index(&self) -> ValidatorIndex {
		self.0.validator_index
	}

	/// The signature.
	pub fn signature(&self) -> &ValidatorSignature {
		&self.0.signature
	}

	/// The unchecked form, as it goes over the wire.
	pub fn as_unchecked(&self) -> &UncheckedSigned<Payload> {
		&self.0
	}

	/// Gives up the knowledge that the signature is good.
	pub fn into_unchecked(self) -> UncheckedSigned<Payload> {
		self.0
	}

	/// Replaces the payload by another form that signs the same bytes (full to compact and back).
	pub fn map_payload<P>(self, to: impl FnOnce(Payload) -> P) -> Signed<P> {
		let UncheckedSigned { payload, validator_index, signature } = self.0;
		Signed(UncheckedSigned { payload: to(payload), validator_index, signature })
	}
}

/// A checked statement by hash.
pub type SignedStatement = Signed<CompactStatement>;
/// A checked statement with the receipt in full.
pub type SignedFullStatement = Signed<Statement>;

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{tests::candidate, ValidatorPair};
	use codec::DecodeAll;
	use sp_core::Pair;

	const CONTEXT: SigningContext = SigningContext { session_index: 7, parent_hash: Hash::repeat_byte(3) };

	#[test]
	fn compact_statements_are_37_bytes_with_magic() {
		let hash = CandidateHash(Hash::repeat_byte(5));
		for (statement, index) in [(CompactStatement::Seconded(hash), 1), (CompactStatement::Valid(hash), 2)]
		{
			let encoded = statement.encode();
			assert_eq!((encoded.len(), statement.size_hint()), (37, 37));
			assert_eq!((&encoded[..4], encoded[4]), (&[0x42, 0x4b, 0x4e, 0x47][..], index));
			assert_eq!(CompactStatement::decode_all(&mut &encoded[..]), Ok(statement));
			for (position, byte) in [(0, b'X'), (3, b'g'), (4, 0), (4, 3)] {
				let mut spoilt = encoded.clone();
				spoilt[position] = byte;
				assert!(CompactStatement::decode(&mut &spoilt[..]).is_err(), "byte {position} = {byte}");
			}
		}
	}

	#[test]
	fn full_and_compact_statements_sign_the_same_bytes() {
		let pair = ValidatorPair::from_string("//Alice", None).unwrap();
		let full = [Statement::Seconded(candidate(0)), Statement::Valid(candidate(0).hash())];
		for full in full {
			let compact = full.to_compact();
			let payload = full.signing_payload(&CONTEXT);
			assert_eq!(payload, compact.signing_payload(&CONTEXT));
			assert_eq!(payload.len(), 73);
			assert_eq!(payload[37..41], 7u32.to_le_bytes());
			let validator_index = ValidatorIndex(1);
			let by_full = UncheckedSigned { payload: full, validator_index, signature: pair.sign(&payload) };
			let by_compact = Signed::assume_checked(by_full).map_payload(|_| compact).into_unchecked();
			assert!(by_compact.verify(&CONTEXT, &pair.public()));
			assert_eq!(by_compact.encoded_size(), 105);
			let other = SigningContext { session_index: 8, ..CONTEXT };
			assert!(!by_compact.verify(&other, &pair.public()));
		}
	}
}
