//! The candidate descriptor: 292 bytes that say what a candidate is, in versions 1 to 3 over the same layout
//! (backing pipeline §1.2).

use crate::ids::Hash;
use crate::{CoreIndex, ParaId, SessionIndex, ValidationCodeHash};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Descriptor of a candidate, in the layout that versions 1, 2 and 3 share.
///
/// Version 1 keeps a collator key in the bytes of `version..=reserved1[16..]` and a signature in those of
/// `scheduling_parent` and `reserved2`; use the accessors, which know the version, instead of the raw fields.
#[derive(
	Clone, PartialEq, Eq, Hash, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct CandidateDescriptorV2 {
	/// The para that the candidate is of.
	pub para_id: ParaId,
	/// Relay block whose state the candidate executes against.
	pub relay_parent: Hash,
	/// Raw version byte: 0 is V2, 1 is V3.
	pub version: u8,
	/// Core that the candidate is meant for (V2 and V3).
	pub core_index: u16,
	/// Session of the relay parent's children (V2 and V3).
	pub session_index: SessionIndex,
	/// V3: scheduling session minus `session_index`.
	pub scheduling_session_offset: u8,
	/// Zero in V2 and V3.
	pub reserved1: [u8; 24],
	/// Blake2-256 of the SCALE-encoded persisted validation data.
	pub persisted_validation_data_hash: Hash,
	/// Blake2-256 of the SCALE-encoded proof of validity, as shipped.
	pub pov_hash: Hash,
	/// Root of the erasure chunks' trie.
	pub erasure_root: Hash,
	/// V3: relay block that schedules the candidate. Zero in V2.
	pub scheduling_parent: Hash,
	/// Zero in V2 and V3.
	pub reserved2: [u8; 32],
	/// Blake2-256 of the head data that the candidate produces.
	pub para_head: Hash,
	/// Hash of the validation code that the candidate was produced with.
	pub validation_code_hash: ValidationCodeHash,
}

/// Version of a descriptor. On the wire: V1 = 0, V2 = 1, V3 = 2, Unknown = 3 with the byte.
#[derive(
	Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo,
)]
pub enum CandidateDescriptorVersion {
	/// With a collator's key and signature. Must not send UMP signals.
	V1,
	/// With core and session index.
	V2,
	/// With a scheduling parent of its own. Must send UMP signals.
	V3,
	/// A version byte that this software does not know.
	Unknown(u8),
}

/// Why a descriptor's version is not acceptable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo, thiserror::Error)]
pub enum DescriptorVersionError {
	/// The rules from before V3 and those since read different versions out of it.
	#[error("old and new version rules disagree about the descriptor")]
	Inconsistency,
	/// A V3 descriptor where the node feature is off.
	#[error("descriptor is V3, which is not enabled")]
	V3NotEnabled,
	/// V3 was asked for with a scheduling session that its offset byte cannot express.
	#[error("scheduling session is not 0 to 255 sessions after the session of the relay parent")]
	SchedulingSessionOutOfRange,
}

impl CandidateDescriptorV2 {
	/// A version 2 descriptor: scheduled by its relay parent.
	#[allow(clippy::too_many_arguments)]
	pub fn new_v2(
		para_id: ParaId,
		relay_parent: Hash,
		core_index: CoreIndex,
		session_index: SessionIndex,
		persisted_validation_data_hash: Hash,
		pov_hash: Hash,
		erasure_root: Hash,
		para_head: Hash,
		validation_code_hash: ValidationCodeHash,
	) -> Self {
		Self {
			para_id,
			relay_parent,
			version: 0,
			core_index: core_index.0 as u16,
			session_index,
			scheduling_session_offset: 0,
			reserved1: [0; 24],
			persisted_validation_data_hash,
			pov_hash,
			erasure_root,
			scheduling_parent: Hash::zero(),
			reserved2: [0; 32],
			para_head,
			validation_code_hash,
		}
	}

	/// Turns a version 2 descriptor into version 3 with a scheduling parent of its own.
	pub fn into_v3(
		mut self,
		scheduling_parent: Hash,
		scheduling_session: SessionIndex,
	) -> Result<Self, DescriptorVersionError> {
		self.scheduling_session_offset = scheduling_session
			.checked_sub(self.session_index)
			.and_then(|offset| u8::try_from(offset).ok())
			.ok_or(DescriptorVersionError::SchedulingSessionOutOfRange)?;
		self.version = 1;
		self.scheduling_parent = scheduling_parent;
		Ok(self)
	}

	/// Version by the current rules.
	pub fn version(&self) -> CandidateDescriptorVersion {
		if self.reserved1[..16] != [0; 16] {
			return CandidateDescriptorVersion::V1;
		}
		match self.version {
			0 => CandidateDescriptorVersion::V2,
			1 => CandidateDescriptorVersion::V3,
			n => CandidateDescriptorVersion::Unknown(n),
		}
	}

	/// Version by the rules from before V3: approval checks and disputes use them until V3 was ever enabled.
	pub fn version_old_rules(&self) -> CandidateDescriptorVersion {
		if self.reserved1 != [0; 24]
			|| self.reserved2 != [0; 32]
			|| self.scheduling_session_offset != 0
			|| self.scheduling_parent != Hash::zero()
		{
			return CandidateDescriptorVersion::V1;
		}
		match self.version {
			0 => CandidateDescriptorVersion::V2,
			n => CandidateDescriptorVersion::Unknown(n),
		}
	}

	/// Whether backers and the runtime may accept the version.
	///
	/// A consistent unknown version passes here; parsing of UMP signals and the runtime's checks reject it.
	pub fn check_version(
		&self,
		v3_enabled: bool,
	) -> Result<CandidateDescriptorVersion, DescriptorVersionError> {
		use CandidateDescriptorVersion::V3;
		let (new, old) = (self.version(), self.version_old_rules());
		// The old rules do not know V3; any other disagreement is somebody's trick.
		match (new, old) {
			(V3, _) if v3_enabled => Ok(V3),
			(V3, _) => Err(DescriptorVersionError::V3NotEnabled),
			(new, old) if new == old => Ok(new),
			_ => Err(DescriptorVersionError::Inconsistency),
		}
	}

	/// Core that the candidate is meant for; none in version 1.
	pub fn core_index(&self) -> Option<CoreIndex> {
		(self.version() != CandidateDescriptorVersion::V1).then_some(CoreIndex(self.core_index.into()))
	}

	/// Session of the relay parent's children; none in version 1.
	pub fn session_index(&self) -> Option<SessionIndex> {
		(self.version() != CandidateDescriptorVersion::V1).then_some(self.session_index)
	}

	/// Relay block that schedules the candidate: its own field in version 3, the relay parent before.
	pub fn scheduling_parent(&self) -> Hash {
		match self.version() {
			CandidateDescriptorVersion::V3 => self.scheduling_parent,
			_ => self.relay_parent,
		}
	}

	/// Session in which the candidate is scheduled; none in version 1 and unknown versions.
	pub fn scheduling_session(&self) -> Option<SessionIndex> {
		match self.version() {
			CandidateDescriptorVersion::V2 => Some(self.session_index),
			CandidateDescriptorVersion::V3 => {
				Some(self.session_index.saturating_add(self.scheduling_session_offset.into()))
			},
			_ => None,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use CandidateDescriptorVersion::{Unknown, V1, V2, V3};
	use DescriptorVersionError::{Inconsistency, SchedulingSessionOutOfRange, V3NotEnabled};

	fn v2() -> CandidateDescriptorV2 {
		let hash = Hash::repeat_byte;
		let code = ValidationCodeHash(hash(7));
		CandidateDescriptorV2::new_v2(
			ParaId(1),
			hash(1),
			CoreIndex(3),
			10,
			hash(2),
			hash(3),
			hash(4),
			hash(5),
			code,
		)
	}

	fn with(spoil: impl FnOnce(&mut CandidateDescriptorV2)) -> CandidateDescriptorV2 {
		let mut descriptor = v2();
		spoil(&mut descriptor);
		descriptor
	}

	/// As nodes from before version 2 made them: collator key and signature over the same bytes.
	fn v1() -> CandidateDescriptorV2 {
		with(|d| {
			(d.version, d.core_index, d.session_index, d.scheduling_session_offset) = (0x5c, 0x1234, 77, 9);
			(d.reserved1, d.reserved2, d.scheduling_parent) =
				([0xaa; 24], [0xbb; 32], Hash::repeat_byte(0xcc));
		})
	}

	fn v3() -> CandidateDescriptorV2 {
		v2().into_v3(Hash::repeat_byte(9), 11).unwrap()
	}

	#[test]
	fn versions_are_told_by_both_rules() {
		let crafted_v1 = with(|d| d.reserved2 = [1; 32]);
		let crafted_key = with(|d| (d.version, d.reserved1[20]) = (1, 1));
		let bare_v3 = with(|d| d.version = 1);
		// Descriptor, new rules, old rules, accepted without V3, accepted with V3.
		for (name, descriptor, new, old, without_v3, with_v3) in [
			("v2", v2(), V2, V2, Ok(V2), Ok(V2)),
			("v3", v3(), V3, V1, Err(V3NotEnabled), Ok(V3)),
			("v3 without scheduling parent", bare_v3, V3, Unknown(1), Err(V3NotEnabled), Ok(V3)),
			("unknown", with(|d| d.version = 7), Unknown(7), Unknown(7), Ok(Unknown(7)), Ok(Unknown(7))),
			("v1", v1(), V1, V1, Ok(V1), Ok(V1)),
			("v1 with a key of zeros", crafted_v1, V2, V1, Err(Inconsistency), Err(Inconsistency)),
			("v1 with a key that ends in zeros", crafted_key, V3, V1, Err(V3NotEnabled), Ok(V3)),
		] {
			assert_eq!(descriptor.version(), new, "{name}");
			assert_eq!(descriptor.version_old_rules(), old, "{name}");
			assert_eq!(descriptor.check_version(false), without_v3, "{name}");
			assert_eq!(descriptor.check_version(true), with_v3, "{name}");
		}
	}

	#[test]
	fn scheduling_session_is_an_offset_of_one_byte() {
		for (offset, expected) in
			[(0, Ok(10)), (1, Ok(11)), (255, Ok(265)), (256, Err(SchedulingSessionOutOfRange))]
		{
			let descriptor = v2().into_v3(Hash::repeat_byte(9), 10 + offset);
			assert_eq!(descriptor.map(|d| d.scheduling_session().unwrap()), expected);
		}
		assert_eq!(v2().into_v3(Hash::repeat_byte(9), 9), Err(SchedulingSessionOutOfRange));
		assert_eq!(
			with(|d| d.scheduling_session_offset = 3).scheduling_session(),
			Some(10),
			"V2 ignores the offset"
		);
		let last = with(|d| (d.version, d.session_index, d.scheduling_session_offset) = (1, u32::MAX, 1));
		assert_eq!(last.scheduling_session(), Some(u32::MAX));
	}

	#[test]
	fn accessors_know_the_version() {
		let (own, other) = (Hash::repeat_byte(1), Hash::repeat_byte(9));
		for (descriptor, scheduling_parent, core, session, scheduling_session) in [
			(v1(), own, None, None, None),
			(v2(), own, Some(CoreIndex(3)), Some(10), Some(10)),
			(v3(), other, Some(CoreIndex(3)), Some(10), Some(11)),
			(with(|d| d.version = 7), own, Some(CoreIndex(3)), Some(10), None),
		] {
			let version = descriptor.version();
			assert_eq!(descriptor.scheduling_parent(), scheduling_parent, "{version:?}");
			assert_eq!(descriptor.core_index(), core, "{version:?}");
			assert_eq!(descriptor.session_index(), session, "{version:?}");
			assert_eq!(descriptor.scheduling_session(), scheduling_session, "{version:?}");
		}
	}

	#[test]
	fn layout_is_292_bytes_with_fields_at_their_offsets() {
		let encoded = v3().encode();
		assert_eq!(encoded.len(), 292);
		assert_eq!(encoded[..4], 1u32.to_le_bytes());
		assert_eq!((encoded[36], &encoded[37..39], encoded[43]), (1, &[3, 0][..], 1));
		assert_eq!(encoded[39..43], 10u32.to_le_bytes());
		for (offset, byte) in
			[(4, 1), (44, 0), (68, 2), (100, 3), (132, 4), (164, 9), (196, 0), (228, 5), (260, 7)]
		{
			assert!(encoded[offset..offset + 24].iter().all(|b| *b == byte), "offset {offset}");
		}
		assert_eq!(CandidateDescriptorV2::decode(&mut &encoded[..]), Ok(v3()));
	}
}
