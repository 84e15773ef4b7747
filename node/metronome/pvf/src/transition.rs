//! How a block changes the state.

use crate::{
	abi::{ValidationParams, ValidationResult},
	Block, CoreSelection, Hash, Head, Traffic,
};
use alloc::{vec, vec::Vec};
use codec::{DecodeAll, Encode};
use sp_crypto_hashing::blake2_256;

/// Why a block is refused. In the blob, it ends in a trap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invalid {
	/// The arguments are not SCALE.
	Arguments,
	/// The parent's head data is not a head.
	ParentHead,
	/// The block data is not a block.
	BlockData,
	/// The block was not made for this parent.
	OtherParent,
	/// The height would overflow.
	Overflow,
	/// A message is newer than the relay parent.
	FutureMessage,
	/// Messages are not ascending by recipient, or one recipient gets two.
	UnsortedMessages,
}

impl Invalid {
	/// One line for the log.
	pub fn message(self) -> &'static str {
		match self {
			Self::Arguments => "arguments of validate_block cannot be decoded",
			Self::ParentHead => "parent head data cannot be decoded",
			Self::BlockData => "block data cannot be decoded",
			Self::OtherParent => "block was made for another parent",
			Self::Overflow => "height overflows",
			Self::FutureMessage => "message is newer than the relay parent",
			Self::UnsortedMessages => "messages are not strictly ascending by recipient",
		}
	}
}

/// A new block: what its collator needs of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Built {
	/// The block.
	pub block: Block,
	/// Head after it.
	pub head: Head,
	/// Messages to the relay chain, as [`validate`] emits them.
	pub upward_messages: Vec<Vec<u8>>,
}

/// Makes a block on top of `parent`.
pub fn build(
	parent: &Head,
	work: u64,
	select_core: Option<CoreSelection>,
	payload: Vec<u8>,
	traffic: Traffic,
) -> Result<Built, Invalid> {
	let block = Block { parent_hash: parent.hash(), work, select_core, payload, traffic };
	let head = apply(parent, &block)?;
	let upward_messages = upward_messages(select_core);
	Ok(Built { block, head, upward_messages })
}

/// Validates encoded `validate_block` arguments.
pub fn validate(arguments: &[u8]) -> Result<ValidationResult, Invalid> {
	let params = ValidationParams::decode_arguments(arguments).map_err(|_| Invalid::Arguments)?;
	let parent = Head::decode_all(&mut &params.parent_head[..]).map_err(|_| Invalid::ParentHead)?;
	let block = Block::decode_all(&mut &params.block_data[..]).map_err(|_| Invalid::BlockData)?;
	let head = apply(&parent, &block)?;
	let Traffic { downward, horizontal, outbound, new_code } = block.traffic;
	if horizontal.iter().any(|message| message.sent_at > params.relay_parent_number) {
		return Err(Invalid::FutureMessage);
	}
	if !outbound.windows(2).all(|pair| pair[0].0 < pair[1].0) {
		return Err(Invalid::UnsortedMessages);
	}
	Ok(ValidationResult {
		head_data: head.encode(),
		new_validation_code: new_code,
		upward_messages: upward_messages(block.select_core),
		horizontal_messages: outbound,
		processed_downward_messages: downward.len() as u32,
		hrmp_watermark: params.relay_parent_number,
	})
}

fn apply(parent: &Head, block: &Block) -> Result<Head, Invalid> {
	let parent_hash = parent.hash();
	if block.parent_hash != parent_hash {
		return Err(Invalid::OtherParent);
	}
	let number = parent.number.checked_add(1).ok_or(Invalid::Overflow)?;
	let mut accumulator = (parent.accumulator, blake2_256(&block.payload)).using_encoded(blake2_256);
	work(&mut accumulator, block.work);
	let block_hash = block.using_encoded(blake2_256);
	Ok(Head { parent_hash, number, accumulator, block_hash })
}

/// The dial for execution time: each round hashes the result of the one before.
pub fn work(accumulator: &mut Hash, rounds: u64) {
	for _ in 0..rounds {
		*accumulator = blake2_256(accumulator);
	}
}

/// The separator and the signal behind it (backing pipeline §1.4).
fn upward_messages(select_core: Option<CoreSelection>) -> Vec<Vec<u8>> {
	const SELECT_CORE: u8 = 0;
	match select_core {
		Some(selection) => vec![Vec::new(), (SELECT_CORE, selection).encode()],
		None => Vec::new(),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::InboundMessage;

	fn arguments(parent: &Head, block: &[u8]) -> Vec<u8> {
		ValidationParams {
			parent_head: parent.encode(),
			block_data: block.to_vec(),
			relay_parent_number: 7,
			relay_parent_storage_root: [1; 32],
		}
		.encode()
	}

	#[test]
	fn what_is_built_is_valid() {
		let mut parent = Head::genesis();
		for number in 1..4 {
			let selection = CoreSelection { selector: 1, claim_queue_offset: 0 };
			let built = build(&parent, 5, Some(selection), vec![number; 9], Traffic::default()).unwrap();
			assert_eq!(built.head.number, u32::from(number));
			let result = validate(&arguments(&parent, &built.block.encode())).unwrap();
			assert_eq!(result.head_data, built.head.encode());
			assert_eq!(result.upward_messages, [vec![], vec![0, 1, 0]]);
			assert_eq!(result.upward_messages, built.upward_messages);
			assert_eq!(result.hrmp_watermark, 7);
			parent = built.head;
		}
	}

	#[test]
	fn what_is_wrong_is_refused() {
		let genesis = Head::genesis();
		let block = build(&genesis, 0, None, vec![], Traffic::default()).unwrap();
		let encoded = block.block.encode();
		assert_eq!(validate(&[1]), Err(Invalid::Arguments));
		assert_eq!(validate(&arguments(&genesis, &encoded[1..])), Err(Invalid::BlockData));
		assert_eq!(
			validate(&arguments(&genesis, &[encoded.clone(), vec![0]].concat())),
			Err(Invalid::BlockData)
		);
		assert_eq!(validate(&arguments(&block.head, &encoded)), Err(Invalid::OtherParent));
		let last = Head { number: u32::MAX, ..genesis };
		assert_eq!(build(&last, 0, None, vec![], Traffic::default()).unwrap_err(), Invalid::Overflow);
	}

	#[test]
	fn the_payload_and_the_work_matter() {
		let head = |work, payload: u8| {
			let built = build(&Head::genesis(), work, None, vec![payload], Traffic::default());
			built.unwrap().head.accumulator
		};
		assert_ne!(head(1, 1), head(2, 1));
		assert_ne!(head(1, 1), head(1, 2));
	}
	#[test]
	fn traffic_is_what_the_relay_chain_is_told() {
		let message = |sent_at| InboundMessage { sender: 2001, sent_at, data: vec![4] };
		let traffic = Traffic {
			downward: vec![vec![1], vec![2]],
			horizontal: vec![message(6), message(7)],
			outbound: vec![(2001, vec![3]), (2002, vec![3])],
			new_code: Some(vec![9; 9]),
		};
		let genesis = Head::genesis();
		let validated = |traffic| {
			let built = build(&genesis, 0, None, vec![], traffic).unwrap();
			validate(&arguments(&genesis, &built.block.encode()))
		};
		let result = validated(traffic.clone()).unwrap();
		assert_eq!(result.processed_downward_messages, 2);
		assert_eq!(result.horizontal_messages, traffic.outbound);
		assert_eq!(result.new_validation_code, traffic.new_code);
		let future = Traffic { horizontal: vec![message(8)], ..traffic.clone() };
		assert_eq!(validated(future), Err(Invalid::FutureMessage));
		let twice = Traffic { outbound: vec![(2001, vec![3]), (2001, vec![3])], ..traffic };
		assert_eq!(validated(twice), Err(Invalid::UnsortedMessages));
	}
}
