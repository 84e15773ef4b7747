//! Messages and requests as they go over the network (backing pipeline §4.1, §5.2, §8; availability, approval, disputes
//! §2.2, §2.6).

use bitvec::{order::Lsb0, vec::BitVec};
use codec::{Decode, DecodeAll, Encode};
use headway_primitives::{
	CandidateDescriptorVersion, CandidateHash, CandidateReceiptV2, CollatorId, CollatorSignature,
	CommittedCandidateReceiptV2, CompactStatement, GroupIndex, Hash, HeadData, ParaId,
	PersistedValidationData, PoV, Statement, UncheckedSigned, UncheckedSignedAvailabilityBitfield,
	ValidatorIndex,
};
use sp_core::{bounded::BoundedVec, ConstU32};

/// Most bytes of a notification.
pub const NOTIFICATION_SIZE_MAX: u64 = 100 * 1024;
/// Most heads in a view.
pub const VIEW_HEADS_MAX: usize = 5;
/// Most entries of a segment.
pub const SEGMENT_ENTRIES_MAX: u32 = 32;

/// The relay blocks that a node works on.
#[derive(Clone, PartialEq, Eq, Default, Debug, Encode, Decode)]
pub struct ViewMessage {
	/// Active leaves, ascending; at most [`VIEW_HEADS_MAX`].
	pub heads: Vec<Hash>,
	/// Number of the newest finalized block.
	pub finalized_number: u32,
}

impl ViewMessage {
	/// The view of a node with these active leaves: the highest [`VIEW_HEADS_MAX`] of them.
	pub fn of_leaves(leaves: impl IntoIterator<Item = (Hash, u32)>, finalized_number: u32) -> Self {
		let mut leaves: Vec<_> = leaves.into_iter().map(|(hash, number)| (number, hash)).collect();
		leaves.sort_unstable_by(|a, b| b.cmp(a));
		leaves.truncate(VIEW_HEADS_MAX);
		let mut heads: Vec<_> = leaves.into_iter().map(|(_, hash)| hash).collect();
		heads.sort_unstable();
		Self { heads, finalized_number }
	}
}

/// What every notification is wrapped in.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Envelope<M> {
	/// A message of the protocol.
	#[codec(index = 1)]
	ProtocolMessage(M),
	/// The sender's view changed.
	#[codec(index = 2)]
	ViewUpdate(ViewMessage),
}

/// A notification that does not decode, is too large or of another version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("notification does not decode")]
pub struct Malformed;

/// Notification on the validation set, version 3.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ValidationMessage {
	/// Availability bitfields.
	#[codec(index = 1)]
	Bitfield(BitfieldMessage),
	/// Statements about candidates.
	#[codec(index = 3)]
	Statement(StatementMessage),
}

impl ValidationMessage {
	/// Decodes a notification on the validation set; trailing bytes are an error.
	pub fn decode_notification(bytes: &[u8]) -> Result<Envelope<Self>, Malformed> {
		Envelope::decode_all(&mut &bytes[..]).map_err(|_| Malformed)
	}
}

/// Availability bitfields.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum BitfieldMessage {
	/// A validator's bitfield at a relay block.
	#[codec(index = 0)]
	Bitfield(Hash, UncheckedSignedAvailabilityBitfield),
}

/// Statement distribution, version 3.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum StatementMessage {
	/// A statement at a scheduling parent.
	#[codec(index = 0)]
	Statement(Hash, UncheckedSigned<CompactStatement>),
	/// The sender knows a backed candidate of another group.
	#[codec(index = 1)]
	BackedCandidateManifest(BackedCandidateManifest),
	/// The sender knows a candidate that we sent a manifest of.
	#[codec(index = 2)]
	BackedCandidateKnown(BackedCandidateAcknowledgement),
}

/// Which statements of a group somebody knows, or does not want.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct StatementFilter {
	/// `Seconded`, one bit per group member.
	pub seconded_in_group: BitVec<u8, Lsb0>,
	/// `Valid`, one bit per group member.
	pub validated_in_group: BitVec<u8, Lsb0>,
}

impl StatementFilter {
	/// No statement of a group.
	pub fn blank(group_size: usize) -> Self {
		Self {
			seconded_in_group: BitVec::repeat(false, group_size),
			validated_in_group: BitVec::repeat(false, group_size),
		}
	}

	/// All statements of a group.
	pub fn full(group_size: usize) -> Self {
		Self {
			seconded_in_group: BitVec::repeat(true, group_size),
			validated_in_group: BitVec::repeat(true, group_size),
		}
	}

	/// Whether both vectors have the group's length.
	pub fn has_len(&self, group_size: usize) -> bool {
		self.seconded_in_group.len() == group_size && self.validated_in_group.len() == group_size
	}

	/// Members with any statement.
	pub fn backing_validators(&self) -> usize {
		let both = self.seconded_in_group.iter().zip(&self.validated_in_group);
		both.filter(|(seconded, valid)| **seconded || **valid).count()
	}

	/// Whether any member seconded.
	pub fn has_seconded(&self) -> bool {
		self.seconded_in_group.any()
	}
}

/// Announces a backed candidate.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct BackedCandidateManifest {
	/// Scheduling parent of the candidate.
	pub scheduling_parent: Hash,
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// The group that backed it.
	pub group_index: GroupIndex,
	/// Its para.
	pub para_id: ParaId,
	/// Hash of the head data that it builds on.
	pub parent_head_data_hash: Hash,
	/// Statements that the sender knows.
	pub statement_knowledge: StatementFilter,
}

/// Acknowledges a manifest.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct BackedCandidateAcknowledgement {
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// Statements that the sender knows.
	pub statement_knowledge: StatementFilter,
}

/// Version of the collation protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CollationVersion {
	/// From before prospective parachains.
	V1,
	/// Advertisements with candidate and parent head.
	V2,
	/// Advertisements with descriptor version and relay parent.
	V3,
	/// Segments.
	V4,
}

/// Notification on the collation set, with the version that it is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CollationMessage {
	/// Version 1.
	V1(CollatorMessageV1),
	/// Version 2.
	V2(CollatorMessageV2),
	/// Version 3.
	V3(CollatorMessageV3),
	/// Version 4: only segments.
	V4(AdvertiseSegment),
}

/// Versions 1 to 3 wrap their messages once more; there is only one kind.
#[derive(Encode, Decode)]
enum CollationOuter<M> {
	#[codec(index = 0)]
	CollatorProtocol(M),
}

impl CollationMessage {
	/// The version that the message is of.
	pub fn version(&self) -> CollationVersion {
		match self {
			Self::V1(_) => CollationVersion::V1,
			Self::V2(_) => CollationVersion::V2,
			Self::V3(_) => CollationVersion::V3,
			Self::V4(_) => CollationVersion::V4,
		}
	}

	/// Encodes it as a notification, envelope included.
	pub fn encode_notification(&self) -> Vec<u8> {
		use CollationOuter::CollatorProtocol;
		match self {
			Self::V1(message) => Envelope::ProtocolMessage(CollatorProtocol(message.clone())).encode(),
			Self::V2(message) => Envelope::ProtocolMessage(CollatorProtocol(message.clone())).encode(),
			Self::V3(message) => Envelope::ProtocolMessage(CollatorProtocol(message.clone())).encode(),
			Self::V4(message) => Envelope::ProtocolMessage(message.clone()).encode(),
		}
	}

	/// Decodes a notification of a peer that negotiated `version`; trailing bytes are an error.
	pub fn decode_notification(version: CollationVersion, bytes: &[u8]) -> Result<Envelope<Self>, Malformed> {
		fn decode<M: Decode>(bytes: &[u8]) -> Result<Envelope<M>, Malformed> {
			Envelope::decode_all(&mut &bytes[..]).map_err(|_| Malformed)
		}
		fn outer<M>(
			envelope: Envelope<CollationOuter<M>>,
			wrap: fn(M) -> CollationMessage,
		) -> Envelope<CollationMessage> {
			match envelope {
				Envelope::ProtocolMessage(CollationOuter::CollatorProtocol(message)) => {
					Envelope::ProtocolMessage(wrap(message))
				},
				Envelope::ViewUpdate(view) => Envelope::ViewUpdate(view),
			}
		}
		Ok(match version {
			CollationVersion::V1 => outer(decode(bytes)?, Self::V1),
			CollationVersion::V2 => outer(decode(bytes)?, Self::V2),
			CollationVersion::V3 => outer(decode(bytes)?, Self::V3),
			CollationVersion::V4 => match decode(bytes)? {
				Envelope::ProtocolMessage(segment) => Envelope::ProtocolMessage(Self::V4(segment)),
				Envelope::ViewUpdate(view) => Envelope::ViewUpdate(view),
			},
		})
	}
}

macro_rules! collator_message {
	($(#[$doc:meta])* $name:ident, $advertise:ty) => {
		$(#[$doc])*
		#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
		pub enum $name {
			/// Who the collator is: its key, its para, and a signature over its peer id and `COLL`.
			#[codec(index = 0)]
			Declare(CollatorId, ParaId, CollatorSignature),
			/// It has a collation.
			#[codec(index = 1)]
			AdvertiseCollation($advertise),
			/// A validator seconded the collation of this scheduling parent.
			#[codec(index = 4)]
			CollationSeconded(Hash, UncheckedSigned<Statement>),
		}
	};
}

collator_message! {
	/// Collation protocol version 1.
	CollatorMessageV1, AdvertiseCollationV1
}
collator_message! {
	/// Collation protocol version 2.
	CollatorMessageV2, AdvertiseCollationV2
}
collator_message! {
	/// Collation protocol version 3.
	CollatorMessageV3, AdvertiseCollationV3
}

/// Advertisement of version 1.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AdvertiseCollationV1 {
	/// Scheduling parent: an active leaf.
	pub scheduling_parent: Hash,
}

/// Advertisement of version 2.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AdvertiseCollationV2 {
	/// Scheduling parent.
	pub scheduling_parent: Hash,
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// Hash of the head data that it builds on.
	pub parent_head_data_hash: Hash,
}

/// Advertisement of version 3.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AdvertiseCollationV3 {
	/// Scheduling parent.
	pub scheduling_parent: Hash,
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// Hash of the head data that it builds on.
	pub parent_head_data_hash: Hash,
	/// Version of its descriptor.
	pub candidate_descriptor_version: CandidateDescriptorVersion,
	/// Its relay parent.
	pub relay_parent: Hash,
}

/// Advertisement of version 4: several candidates, each on top of the one before.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AdvertiseSegment {
	/// Scheduling parent of all of them.
	pub scheduling_parent: Hash,
	/// Their para.
	pub para_id: ParaId,
	/// Version of their descriptors.
	pub candidates_descriptor_version: CandidateDescriptorVersion,
	/// The candidates.
	pub candidates: BoundedVec<SegmentEntry, ConstU32<SEGMENT_ENTRIES_MAX>>,
}

/// A candidate in a segment.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SegmentEntry {
	/// Hash of the head data that it produces.
	pub output_head_data_hash: Hash,
	/// Hash of the head data that it builds on.
	pub parent_head_data_hash: Hash,
	/// Depth of the claim queue that it is for.
	pub claim_queue_offset: u8,
}

/// Which request protocol: determines names, limits and timeouts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RequestProtocol {
	/// `req_chunk/1`
	ChunkV1,
	/// `req_chunk/2`
	ChunkV2,
	/// `req_collation/1`
	CollationV1,
	/// `req_collation/2`
	CollationV2,
	/// `req_collation/3`
	CollationV3,
	/// `req_pov/1`
	PoV,
	/// `req_available_data/1`
	AvailableData,
	/// `req_attested_candidate/2`
	AttestedCandidate,
}

impl RequestProtocol {
	/// All of them.
	pub const ALL: [Self; 8] = [
		Self::ChunkV1,
		Self::ChunkV2,
		Self::CollationV1,
		Self::CollationV2,
		Self::CollationV3,
		Self::PoV,
		Self::AvailableData,
		Self::AttestedCandidate,
	];
}

/// A request to a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
	/// Our chunk of a candidate's data, from a validator that has it all. Falls back to `req_chunk/1`.
	Chunk(ChunkRequest),
	/// A collation by scheduling parent, from a version 1 collator.
	CollationV1(CollationRequestV1),
	/// A collation by candidate hash.
	CollationV2(CollationRequestV2),
	/// A collation by output head.
	CollationV3(CollationRequestV3),
	/// The proof of validity of a candidate.
	PoV(PoVRequest),
	/// All data of a candidate.
	AvailableData(AvailableDataRequest),
	/// A candidate with its statements.
	AttestedCandidate(AttestedCandidateRequest),
}

impl Request {
	/// The protocol that it goes over.
	pub fn protocol(&self) -> RequestProtocol {
		match self {
			Self::Chunk(_) => RequestProtocol::ChunkV2,
			Self::CollationV1(_) => RequestProtocol::CollationV1,
			Self::CollationV2(_) => RequestProtocol::CollationV2,
			Self::CollationV3(_) => RequestProtocol::CollationV3,
			Self::PoV(_) => RequestProtocol::PoV,
			Self::AvailableData(_) => RequestProtocol::AvailableData,
			Self::AttestedCandidate(_) => RequestProtocol::AttestedCandidate,
		}
	}

	/// The payload.
	pub fn encode_payload(&self) -> Vec<u8> {
		match self {
			Self::Chunk(request) => request.encode(),
			Self::CollationV1(request) => request.encode(),
			Self::CollationV2(request) => request.encode(),
			Self::CollationV3(request) => request.encode(),
			Self::PoV(request) => request.encode(),
			Self::AvailableData(request) => request.encode(),
			Self::AttestedCandidate(request) => request.encode(),
		}
	}
}

/// Asks for an erasure chunk.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ChunkRequest {
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// The validator whose chunk it is.
	pub index: ValidatorIndex,
}

/// Answer of `req_chunk/1`: the chunk's index is the requested validator's.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ChunkResponseV1 {
	/// Here it is.
	#[codec(index = 0)]
	Chunk {
		/// Its bytes.
		chunk: Vec<u8>,
		/// Its proof.
		proof: headway_erasure_coding::Proof,
	},
	/// We do not have it.
	#[codec(index = 1)]
	NoSuchChunk,
}

/// Answer of `req_chunk/2`.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ChunkResponseV2 {
	/// Here it is.
	#[codec(index = 0)]
	Chunk(headway_erasure_coding::ErasureChunk),
	/// We do not have it.
	#[codec(index = 1)]
	NoSuchChunk,
}

/// Asks for a collation by scheduling parent.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct CollationRequestV1 {
	/// Scheduling parent.
	pub scheduling_parent: Hash,
	/// The para.
	pub para_id: ParaId,
}

/// Asks for a collation by candidate hash.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct CollationRequestV2 {
	/// Scheduling parent.
	pub scheduling_parent: Hash,
	/// The para.
	pub para_id: ParaId,
	/// The candidate.
	pub candidate_hash: CandidateHash,
}

/// Asks for a collation by output head.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct CollationRequestV3 {
	/// Scheduling parent.
	pub scheduling_parent: Hash,
	/// The para.
	pub para_id: ParaId,
	/// Hash of the head data that it produces.
	pub output_head_data_hash: Hash,
}

/// Answer to [`CollationRequestV1`] and [`CollationRequestV2`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum CollationResponse {
	/// The collation.
	#[codec(index = 0)]
	Collation(CandidateReceiptV2, PoV),
	/// The collation, and the head data that it builds on.
	#[codec(index = 1)]
	CollationWithParentHeadData {
		/// The receipt.
		receipt: CandidateReceiptV2,
		/// The proof of validity.
		pov: PoV,
		/// Head data of the parent.
		parent_head_data: HeadData,
	},
}

/// Answer to [`CollationRequestV3`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum CollationResponseV3 {
	/// The collation.
	#[codec(index = 0)]
	Collation {
		/// The receipt.
		receipt: CandidateReceiptV2,
		/// The proof of validity.
		pov: PoV,
		/// Head data of the parent.
		parent_head_data: HeadData,
	},
}

/// Asks for a proof of validity.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct PoVRequest {
	/// The candidate.
	pub candidate_hash: CandidateHash,
}

/// Answer to [`PoVRequest`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum PoVResponse {
	/// Here it is.
	#[codec(index = 0)]
	PoV(PoV),
	/// We do not have it.
	#[codec(index = 1)]
	NoSuchPoV,
}

/// Asks for all data of a candidate.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AvailableDataRequest {
	/// The candidate.
	pub candidate_hash: CandidateHash,
}

/// Answer to [`AvailableDataRequest`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum AvailableDataResponse {
	/// Here it is.
	#[codec(index = 0)]
	AvailableData(headway_primitives::AvailableData),
	/// We do not have it.
	#[codec(index = 1)]
	NoSuchData,
}

/// Asks for a candidate with its statements.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AttestedCandidateRequest {
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// Statements that must not be sent.
	pub mask: StatementFilter,
}

/// Answer to [`AttestedCandidateRequest`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AttestedCandidateResponse {
	/// The candidate.
	pub candidate_receipt: CommittedCandidateReceiptV2,
	/// What it was validated with.
	pub persisted_validation_data: PersistedValidationData,
	/// Statements about it.
	pub statements: Vec<UncheckedSigned<CompactStatement>>,
}

/// A request that a peer made of us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InboundRequest {
	/// The peer.
	pub peer: crate::PeerId,
	/// How to answer it.
	pub id: crate::InboundRequestId,
	/// The protocol that it came over.
	pub protocol: RequestProtocol,
	/// The encoded request.
	pub payload: Vec<u8>,
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn segment_follows_the_envelope_while_earlier_versions_have_an_inner_index() {
		let hash = Hash::repeat_byte;
		let segment = AdvertiseSegment {
			scheduling_parent: hash(1),
			para_id: ParaId(2),
			candidates_descriptor_version: CandidateDescriptorVersion::V3,
			candidates: vec![SegmentEntry {
				output_head_data_hash: hash(3),
				parent_head_data_hash: hash(4),
				claim_queue_offset: 5,
			}]
			.try_into()
			.unwrap(),
		};
		let advertisement = AdvertiseCollationV3 {
			scheduling_parent: hash(1),
			candidate_hash: CandidateHash(hash(2)),
			parent_head_data_hash: hash(3),
			candidate_descriptor_version: CandidateDescriptorVersion::V3,
			relay_parent: hash(4),
		};
		let version_4 = [&[1][..], &[1; 32], &[2, 0, 0, 0, 2, 1 << 2], &[3; 32], &[4; 32], &[5]].concat();
		let version_3 = [&[1, 0, 1][..], &[1; 32], &[2; 32], &[3; 32], &[2], &[4; 32]].concat();
		for (message, encoded) in [
			(CollationMessage::V4(segment), version_4),
			(CollationMessage::V3(CollatorMessageV3::AdvertiseCollation(advertisement)), version_3),
		] {
			assert_eq!(message.encode_notification(), encoded);
			let decoded = CollationMessage::decode_notification(message.version(), &encoded);
			assert!(matches!(decoded, Ok(Envelope::ProtocolMessage(decoded)) if decoded == message));
		}
	}
}
