//! Arguments and result of `validate_block` (availability, approval, disputes §4.1), as plain as this parachain needs them.
//! Encodings are those of the relay chain's primitives.

use crate::Hash;
use alloc::vec::Vec;
use codec::{Decode, Encode, Error};

/// Arguments.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ValidationParams {
	/// Head data of the parent.
	pub parent_head: Vec<u8>,
	/// The block, decompressed.
	pub block_data: Vec<u8>,
	/// Number of the relay parent.
	pub relay_parent_number: u32,
	/// State root of the relay parent.
	pub relay_parent_storage_root: Hash,
}

impl ValidationParams {
	/// Reads arguments. What may follow them (the extension of version 3 descriptors) is left alone.
	pub fn decode_arguments(mut arguments: &[u8]) -> Result<Self, Error> {
		Self::decode(&mut arguments)
	}
}

/// Result.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ValidationResult {
	/// Head data that the block produces.
	pub head_data: Vec<u8>,
	/// Code that the block proposes.
	pub new_validation_code: Option<Vec<u8>>,
	/// The core selection, if any, behind the separator.
	pub upward_messages: Vec<Vec<u8>>,
	/// Recipient and data, ascending by recipient.
	pub horizontal_messages: Vec<(u32, Vec<u8>)>,
	/// How many messages of the relay chain the block processed.
	pub processed_downward_messages: u32,
	/// Always the relay parent's number.
	pub hrmp_watermark: u32,
}
