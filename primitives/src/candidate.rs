//! Candidates: receipts, commitments, the data that validation starts from, and the proof of validity
//! (backing pipeline §1.3).

use crate::ids::Hash;
use crate::{
	hash_of, BlockNumber, CandidateDescriptorV2, CandidateHash, HeadData, ParaId, ValidationCode,
	MAX_HORIZONTAL_MESSAGE_NUM, MAX_UPWARD_MESSAGE_NUM,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;
use sp_core::{bounded::BoundedVec, ConstU32};

/// One message to the relay chain: opaque bytes, XCM or (behind the separator) a signal.
pub type UpwardMessage = Vec<u8>;
/// Messages to the relay chain, bounded.
pub type UpwardMessages = BoundedVec<UpwardMessage, ConstU32<MAX_UPWARD_MESSAGE_NUM>>;
/// Messages to other parachains, bounded.
pub type HorizontalMessages = BoundedVec<OutboundHrmpMessage<ParaId>, ConstU32<MAX_HORIZONTAL_MESSAGE_NUM>>;

/// A message that a candidate sends to another parachain.
#[derive(
	Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo,
)]
pub struct OutboundHrmpMessage<Id> {
	/// The para that receives it.
	pub recipient: Id,
	/// Opaque payload.
	pub data: Vec<u8>,
}

/// What a candidate commits to: the outputs of its validation.
#[derive(
	Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo,
)]
#[cfg_attr(feature = "std", derive(Hash))]
pub struct CandidateCommitments {
	/// Messages to the relay chain; signals follow the first empty message.
	pub upward_messages: UpwardMessages,
	/// Messages to other parachains, strictly ascending by recipient.
	pub horizontal_messages: HorizontalMessages,
	/// New validation code, if the para upgrades.
	pub new_validation_code: Option<ValidationCode>,
	/// The head data that the candidate produces.
	pub head_data: HeadData,
	/// How many downward messages it consumed.
	pub processed_downward_messages: u32,
	/// Relay block number up to which inbound horizontal messages were processed.
	pub hrmp_watermark: BlockNumber,
}

impl CandidateCommitments {
	/// Blake2-256 of the encoding.
	pub fn hash(&self) -> Hash {
		hash_of(self)
	}
}

/// Receipt of a candidate: descriptor and the hash of its commitments.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct CandidateReceiptV2 {
	/// What the candidate is.
	pub descriptor: CandidateDescriptorV2,
	/// Hash of the encoded commitments.
	pub commitments_hash: Hash,
}

impl CandidateReceiptV2 {
	/// The candidate's identity: Blake2-256 of the encoded receipt.
	pub fn hash(&self) -> CandidateHash {
		CandidateHash(hash_of(self))
	}
}

/// Receipt with the commitments in full.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "std", derive(Hash))]
pub struct CommittedCandidateReceiptV2 {
	/// What the candidate is.
	pub descriptor: CandidateDescriptorV2,
	/// What it commits to.
	pub commitments: CandidateCommitments,
}

impl CommittedCandidateReceiptV2 {
	/// The receipt with only the hash of the commitments.
	pub fn to_plain(&self) -> CandidateReceiptV2 {
		CandidateReceiptV2 { descriptor: self.descriptor.clone(), commitments_hash: self.commitments.hash() }
	}

	/// The candidate's identity: the hash of the plain receipt.
	pub fn hash(&self) -> CandidateHash {
		self.to_plain().hash()
	}
}

impl PartialOrd for CommittedCandidateReceiptV2 {
	fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
		Some(self.cmp(other))
	}
}

impl Ord for CommittedCandidateReceiptV2 {
	fn cmp(&self, other: &Self) -> core::cmp::Ordering {
		(self.descriptor.para_id, &self.commitments.head_data)
			.cmp(&(other.descriptor.para_id, &other.commitments.head_data))
	}
}

/// What validation starts from and what the relay chain can vouch for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct PersistedValidationData<H = Hash, N = BlockNumber> {
	/// Head data of the parent block.
	pub parent_head: HeadData,
	/// Number of the relay parent.
	pub relay_parent_number: N,
	/// State root of the relay parent.
	pub relay_parent_storage_root: H,
	/// Limit of the encoded proof of validity, bytes.
	pub max_pov_size: u32,
}

impl PersistedValidationData {
	/// Blake2-256 of the encoding.
	pub fn hash(&self) -> Hash {
		hash_of(self)
	}
}

/// Proof of validity: what a validator needs beside the validation data to execute a candidate.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct PoV {
	/// The para block, possibly compressed with the standard prefix.
	pub block_data: BlockData,
}

impl PoV {
	/// Blake2-256 of the encoding, as shipped.
	pub fn hash(&self) -> Hash {
		hash_of(self)
	}
}

/// Bytes of a para block.
#[derive(Clone, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct BlockData(pub Vec<u8>);

impl core::fmt::Debug for BlockData {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		write!(f, "BlockData({} bytes)", self.0.len())
	}
}

/// What must stay available until the candidate is beyond dispute: this is erasure-coded.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AvailableData {
	/// The proof of validity.
	pub pov: alloc::sync::Arc<PoV>,
	/// The validation data.
	pub validation_data: PersistedValidationData,
}
