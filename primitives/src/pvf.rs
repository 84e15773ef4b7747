//! The ABI of a parachain's validation function, and statements about code (availability, approval, disputes §4.1).

use crate::ids::Hash;
use crate::{
	BlockData, BlockNumber, HeadData, HorizontalMessages, SessionIndex, UpwardMessages, ValidationCode,
	ValidationCodeHash, ValidatorIndex,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// Argument of `validate_block`, SCALE-encoded into the Wasm memory.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ValidationParams {
	/// Head data of the parent block.
	pub parent_head: HeadData,
	/// The block to validate, decompressed.
	pub block_data: BlockData,
	/// Number of the relay parent.
	pub relay_parent_number: BlockNumber,
	/// State root of the relay parent.
	pub relay_parent_storage_root: Hash,
}

/// Result of `validate_block`, SCALE-encoded in the Wasm memory.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ValidationResult {
	/// Head data that the block produces.
	pub head_data: HeadData,
	/// New validation code, if the para upgrades.
	pub new_validation_code: Option<ValidationCode>,
	/// Messages to the relay chain, and signals.
	pub upward_messages: UpwardMessages,
	/// Messages to other paras.
	pub horizontal_messages: HorizontalMessages,
	/// Downward messages consumed.
	pub processed_downward_messages: u32,
	/// Relay block number up to which inbound horizontal messages were processed.
	pub hrmp_watermark: BlockNumber,
}

/// A validator's vote on new validation code.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct PvfCheckStatement {
	/// Whether the code prepares within its limits.
	pub accept: bool,
	/// The code.
	pub subject: ValidationCodeHash,
	/// Session of the vote.
	pub session_index: SessionIndex,
	/// Who votes.
	pub validator_index: ValidatorIndex,
}

impl PvfCheckStatement {
	/// The bytes that are signed: `VCPC`, then the statement.
	pub fn signing_payload(&self) -> Vec<u8> {
		(*b"VCPC", self.accept, self.subject, self.session_index, self.validator_index).encode()
	}
}

/// Signing payload of an explicit dispute vote: `DISP`, the vote, candidate and session.
pub fn dispute_signing_payload(
	valid: bool,
	candidate: crate::CandidateHash,
	session: SessionIndex,
) -> Vec<u8> {
	(*b"DISP", valid, candidate, session).encode()
}
