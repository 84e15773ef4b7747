//! Head data and block of the parachain.

use crate::Hash;
use alloc::vec::Vec;
use codec::{Compact, Decode, Encode, Error, Input, Output};
use sp_crypto_hashing::blake2_256;

/// Head data, and the whole state: a counter and a hash.
///
/// Encoded as a generic Substrate header without digest (parent hash, compact number, state root, extrinsics root, digest), so
/// that tools which read a parachain's height from the relay chain understand it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
	/// Blake2-256 of the parent's head data.
	pub parent_hash: Hash,
	/// Height: the counter.
	pub number: u32,
	/// What all payloads and all work so far were mixed into. Stands where a header has its state root.
	pub accumulator: Hash,
	/// Blake2-256 of the encoded block. Stands where a header has its extrinsics root.
	pub block_hash: Hash,
}

impl Head {
	/// The first head.
	pub fn genesis() -> Self {
		Self { parent_hash: [0; 32], number: 0, accumulator: [0; 32], block_hash: [0; 32] }
	}

	/// Blake2-256 of the encoding: what relay chain and validators call the hash of this head data.
	pub fn hash(&self) -> Hash {
		self.using_encoded(blake2_256)
	}
}

impl Encode for Head {
	fn size_hint(&self) -> usize {
		3 * 32 + 5 + 1
	}

	fn encode_to<T: Output + ?Sized>(&self, dest: &mut T) {
		self.parent_hash.encode_to(dest);
		Compact(self.number).encode_to(dest);
		self.accumulator.encode_to(dest);
		self.block_hash.encode_to(dest);
		Compact(0u32).encode_to(dest);
	}
}

impl codec::EncodeLike for Head {}

impl Decode for Head {
	fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
		let parent_hash = Hash::decode(input)?;
		let number = Compact::<u32>::decode(input)?.0;
		let accumulator = Hash::decode(input)?;
		let block_hash = Hash::decode(input)?;
		if Compact::<u32>::decode(input)?.0 != 0 {
			return Err("head data with a digest".into());
		}
		Ok(Self { parent_hash, number, accumulator, block_hash })
	}
}

/// Which core the block is for, of those that the para has: the signal that goes to the relay chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct CoreSelection {
	/// Taken modulo the number of cores.
	pub selector: u8,
	/// Depth in the claim queue.
	pub claim_queue_offset: u8,
}

/// A block: with its parent's head, everything that is needed to validate it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Block {
	/// Hash of the parent's head.
	pub parent_hash: Hash,
	/// How many hashes to compute, one of the other.
	pub work: u64,
	/// Signal to send; none while the para has one core.
	pub select_core: Option<CoreSelection>,
	/// Ballast. Mixed into the state.
	pub payload: Vec<u8>,
	/// What the block has to do with other chains.
	pub traffic: Traffic,
}

/// Messages that a block processes and sends, and the code that it proposes.
///
/// That inbound messages are those which wait on the relay chain is not proven: this parachain trusts whoever gets a block
/// backed, with this as with everything else. The relay chain checks how many were processed, and up to which of its blocks.
#[derive(Clone, PartialEq, Eq, Default, Debug, Encode, Decode)]
pub struct Traffic {
	/// Messages of the relay chain that it processes, oldest first.
	pub downward: Vec<Vec<u8>>,
	/// Messages of other paras that it processes: all up to the relay parent.
	pub horizontal: Vec<InboundMessage>,
	/// Messages that it sends to other paras: recipient and data, ascending by recipient.
	pub outbound: Vec<(u32, Vec<u8>)>,
	/// Validation code for later blocks.
	pub new_code: Option<Vec<u8>>,
}

/// A message of another para.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct InboundMessage {
	/// Who sent it.
	pub sender: u32,
	/// The relay block in which it was sent.
	pub sent_at: u32,
	/// What was sent.
	pub data: Vec<u8>,
}
