//! Blocks of the simulated parachains: what they are, when they are valid, and which one to build next.

use codec::{Decode, Encode};
use headway_machine::{Execution, ExecutionError};
use headway_primitives::{
	ump::{UmpSignal, UMP_SEPARATOR},
	BlockData, Hash, HeadData, PoV, UpwardMessages, ValidationResult, POV_BOMB_LIMIT,
};

/// Head data of the simulated parachains.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Head {
	/// Height of the block.
	pub number: u64,
	/// Hash of the parent's head data.
	pub parent: Hash,
	/// Relay parent that it was built on: makes blocks of one height differ.
	pub relay_parent: Hash,
}

impl Head {
	/// Reads head data; none if it is not ours.
	pub fn read(head: &HeadData) -> Option<Self> {
		Self::decode(&mut &head.0[..]).ok()
	}

	/// As head data.
	pub fn to_head_data(&self) -> HeadData {
		HeadData(self.encode())
	}

	/// The block on top of a head.
	pub fn child(parent: &HeadData, relay_parent: Hash) -> Option<Self> {
		Some(Self { number: Self::read(parent)?.number + 1, parent: parent.hash(), relay_parent })
	}
}

/// A para block: what it makes of the para's state, and whether it is valid.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Body {
	/// The head data that follows.
	pub head: HeadData,
	/// Nobody honest votes for a block that is not.
	pub is_valid: bool,
	/// The peer that validators may thank for it, by its id.
	pub approved_peer: Option<Vec<u8>>,
}

impl Body {
	/// As a proof of validity.
	pub fn to_pov(&self) -> PoV {
		PoV { block_data: BlockData(self.encode()) }
	}

	/// Its upward messages: no more than the signal that names the peer.
	pub fn upward_messages(&self) -> UpwardMessages {
		let peer = self.approved_peer.clone().and_then(|peer| peer.try_into().ok());
		let signal = peer.map(|peer| vec![UMP_SEPARATOR, UmpSignal::ApprovedPeer(peer).encode()]);
		signal.and_then(|messages| messages.try_into().ok()).unwrap_or_default()
	}

	/// Reads a proof of validity as collators ship it.
	pub fn read(pov: &PoV) -> Option<Self> {
		let block = sp_maybe_compressed_blob::decompress(&pov.block_data.0, POV_BOMB_LIMIT).ok()?;
		Self::decode(&mut &block[..]).ok()
	}
}

/// The validation function of the simulated paras. Somebody who does not care for validity executes what is invalid
/// as if it were not.
pub fn execute(execution: &Execution, cares: bool) -> Result<ValidationResult, ExecutionError> {
	let invalid = |detail: &str| ExecutionError::Rejected(detail.into());
	let body = Body::read(&execution.pov).ok_or_else(|| invalid("block does not decode"))?;
	let head = Head::read(&body.head).ok_or_else(|| invalid("no head data"))?;
	if cares && !body.is_valid {
		return Err(invalid("block is not valid"));
	}
	if cares && head.parent != execution.validation_data.parent_head.hash() {
		return Err(invalid("block is not a child of its parent"));
	}
	Ok(ValidationResult {
		upward_messages: body.upward_messages(),
		head_data: body.head,
		new_validation_code: None,
		horizontal_messages: Default::default(),
		processed_downward_messages: 0,
		hrmp_watermark: execution.validation_data.relay_parent_number,
	})
}

/// Para blocks that a collator builds ahead of the included one, for each of its cores.
pub const UNINCLUDED_SEGMENT_CAPACITY: u64 = 3;

/// What to build on: the collator's own newest block, as long as it descends from what the chain has and is not too far
/// ahead; otherwise what the chain has. `capacity` is how far is not too far; blocks whose relay parent is not `in_scope`, on
/// another fork for example, cannot be backed any more, nor can what builds on them.
pub fn choose_parent(
	own: &[HeadData],
	on_chain: &[HeadData],
	capacity: u64,
	in_scope: impl Fn(Hash) -> bool,
) -> Option<HeadData> {
	let included = Head::read(on_chain.first()?)?;
	let newest_on_chain = on_chain.last()?;
	let known = own.iter().position(|head| head == newest_on_chain);
	let beyond = known.and_then(|position| own.get(position + 1..)).unwrap_or_default();
	let usable = |head: &&HeadData| Head::read(head).is_some_and(|head| in_scope(head.relay_parent));
	let candidate = beyond.iter().take_while(usable).last().unwrap_or(newest_on_chain);
	let ahead = Head::read(candidate)?.number.saturating_sub(included.number);
	if ahead < capacity {
		return Some(candidate.clone());
	}
	// Full: what we built beyond the chain's newest was lost, unless the chain itself is full.
	let ahead = Head::read(newest_on_chain)?.number.saturating_sub(included.number);
	(ahead < capacity).then(|| newest_on_chain.clone())
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Heads 0, 1, 2 and so on, each built on the relay block of the same number.
	fn heads(n: u8) -> Vec<HeadData> {
		let genesis = Head { number: 0, parent: Hash::zero(), relay_parent: Hash::zero() };
		let mut heads = vec![genesis.to_head_data()];
		for relay in 1..n {
			let child = Head::child(&heads[heads.len() - 1], Hash::repeat_byte(relay)).expect("a head");
			heads.push(child.to_head_data());
		}
		heads
	}

	#[test]
	fn a_collator_builds_on_its_newest_block_of_this_fork() {
		let own = heads(4);
		let chosen = |on_chain: &[HeadData], capacity, gone: u8| {
			let parent = choose_parent(&own, on_chain, capacity, |hash| hash != Hash::repeat_byte(gone))?;
			Some(Head::read(&parent)?.number)
		};
		assert_eq!(chosen(&own[..1], 9, 0), Some(3));
		assert_eq!(chosen(&own[..1], 9, 2), Some(1), "block 2 is on another fork");
		assert_eq!(chosen(&own[..2], 3, 0), Some(1), "block 3 is too far ahead");
		assert_eq!(chosen(&own[..4], 3, 0), None, "the chain is full");
	}
}
