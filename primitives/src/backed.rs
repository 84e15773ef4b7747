//! Backed candidates and the inherent that brings them on chain (backing pipeline §1.6).

use crate::{
	CandidateHash, CommittedCandidateReceiptV2, CoreIndex, MultiDisputeStatementSet,
	UncheckedSignedAvailabilityBitfields, ValidatorSignature,
};
use alloc::vec::Vec;
use bitvec::{order::Lsb0, slice::BitSlice, vec::BitVec};
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// A group member's vote for a candidate.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "std", derive(Hash))]
pub enum ValidityAttestation {
	/// By seconding it.
	#[codec(index = 1)]
	Implicit(ValidatorSignature),
	/// By a `Valid` statement.
	#[codec(index = 2)]
	Explicit(ValidatorSignature),
}

/// A candidate with the votes of its backing group.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct BackedCandidate {
	/// The candidate.
	pub candidate: CommittedCandidateReceiptV2,
	/// Votes, in the order of the set bits.
	pub validity_votes: Vec<ValidityAttestation>,
	/// One bit per group member, then 8 bits of core index.
	validator_indices: BitVec<u8, Lsb0>,
}

/// Bits of the core index at the end of [`BackedCandidate`]'s bit vector.
const CORE_INDEX_BITS: usize = 8;

impl BackedCandidate {
	/// Joins a candidate, its votes, which group members gave them and the core that it is for.
	pub fn new(
		candidate: CommittedCandidateReceiptV2,
		validity_votes: Vec<ValidityAttestation>,
		validator_indices: BitVec<u8, Lsb0>,
		core_index: CoreIndex,
	) -> Self {
		let mut this = Self { candidate, validity_votes, validator_indices: BitVec::new() };
		this.set_validator_indices_and_core_index(validator_indices, Some(core_index));
		this
	}

	/// The candidate's hash.
	pub fn hash(&self) -> CandidateHash {
		self.candidate.hash()
	}

	/// Which group members voted, and the core index if one is there.
	pub fn validator_indices_and_core_index(&self) -> (&BitSlice<u8, Lsb0>, Option<CoreIndex>) {
		let bits = self.validator_indices.len();
		if bits <= CORE_INDEX_BITS {
			return (&self.validator_indices, None);
		}
		let (votes, core) = self.validator_indices.split_at(bits - CORE_INDEX_BITS);
		let core = core.iter().enumerate().fold(0u32, |n, (i, bit)| n | (u32::from(*bit) << i));
		(votes, Some(CoreIndex(core)))
	}

	/// Replaces votes' positions and core index.
	pub fn set_validator_indices_and_core_index(
		&mut self,
		mut indices: BitVec<u8, Lsb0>,
		core_index: Option<CoreIndex>,
	) {
		if let Some(CoreIndex(core)) = core_index {
			indices.extend((0..CORE_INDEX_BITS).map(|i| core as u8 & (1 << i) != 0));
		}
		self.validator_indices = indices;
	}
}

/// What the author of a relay block brings of the parachains: the one inherent of the protocol.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct InherentData<H: sp_runtime::traits::Header = crate::Header> {
	/// Signed availability bitfields, ascending by validator.
	pub bitfields: UncheckedSignedAvailabilityBitfields,
	/// Backed candidates.
	pub backed_candidates: Vec<BackedCandidate>,
	/// Dispute votes.
	pub disputes: MultiDisputeStatementSet,
	/// Header of the parent block: its hash is checked, its state root is then trusted.
	pub parent_header: H,
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::tests::candidate;
	use bitvec::bits;

	#[test]
	fn votes_are_followed_by_eight_bits_of_core_index() {
		for (votes, core, bits_expected) in [
			(bits![u8, Lsb0; 1, 0, 1, 0, 1], 3, 13),
			(bits![u8, Lsb0; 0, 0, 0, 0, 0, 0, 0, 1, 1], 255, 17),
			(bits![u8, Lsb0; 1], 0, 9),
		] {
			let backed = BackedCandidate::new(candidate(2), Vec::new(), votes.to_bitvec(), CoreIndex(core));
			assert_eq!(backed.validator_indices.len(), bits_expected);
			let decoded = BackedCandidate::decode(&mut &backed.encode()[..]).unwrap();
			assert_eq!(decoded, backed);
			assert_eq!(decoded.validator_indices_and_core_index(), (votes, Some(CoreIndex(core))));
		}
		let backed = BackedCandidate::new(
			candidate(2),
			Vec::new(),
			bits![u8, Lsb0; 1, 0, 1, 0, 1].to_bitvec(),
			CoreIndex(3),
		);
		let encoded = backed.encode();
		assert_eq!(encoded[encoded.len() - 3..], [13 << 2, 0b0111_0101, 0]);
	}

	#[test]
	fn eight_bits_or_fewer_carry_no_core_index() {
		let mut backed = BackedCandidate::new(candidate(2), Vec::new(), BitVec::new(), CoreIndex(3));
		assert_eq!(backed.validator_indices_and_core_index().1, None);
		backed.set_validator_indices_and_core_index(BitVec::repeat(true, 8), None);
		assert_eq!(backed.validator_indices_and_core_index(), (&*BitVec::repeat(true, 8), None));
	}
}
