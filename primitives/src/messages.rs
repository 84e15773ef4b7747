//! Messages that a para receives: from the relay chain (downward) and from other paras (horizontal).

use crate::ids::Hash;
use crate::BlockNumber;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// A message from the relay chain.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct InboundDownwardMessage<N = BlockNumber> {
	/// Relay block at which it was sent.
	pub sent_at: N,
	/// Opaque payload.
	pub msg: Vec<u8>,
}

/// A message from another para.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct InboundHrmpMessage<N = BlockNumber> {
	/// Relay block at which it was sent.
	pub sent_at: N,
	/// Opaque payload.
	pub data: Vec<u8>,
}

/// The first six fields of a channel between two paras: what parachains read by Merkle proof.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct AbridgedHrmpChannel {
	/// Most messages that wait in it.
	pub max_capacity: u32,
	/// Most bytes that wait in it.
	pub max_total_size: u32,
	/// Most bytes of one message.
	pub max_message_size: u32,
	/// Messages that wait.
	pub msg_count: u32,
	/// Bytes that wait.
	pub total_size: u32,
	/// Head of the message queue chain; none before the first message.
	pub mqc_head: Option<Hash>,
}

/// Whether a para may upgrade its code now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum UpgradeRestriction {
	/// It may not.
	#[codec(index = 0)]
	Present,
}

/// What a para is told about its code upgrade.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum UpgradeGoAhead {
	/// The upgrade is off.
	#[codec(index = 0)]
	Abort,
	/// The next block runs the new code.
	#[codec(index = 1)]
	GoAhead,
}
