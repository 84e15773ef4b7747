//! The decision which para block to build next.

use codec::{Decode, Encode};
use headway_primitives::{Hash, HeadData};

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

/// Para blocks that a collator builds ahead of the included one.
pub const UNINCLUDED_SEGMENT_CAPACITY: u64 = 3;

/// What to build on: the collator's own newest block, as long as it descends from what the chain has and is not too far
/// ahead; otherwise what the chain has.
pub fn choose_parent(own: &[HeadData], on_chain: &[HeadData]) -> Option<HeadData> {
	let included = Head::read(on_chain.first()?)?;
	let newest_on_chain = on_chain.last()?;
	let known = own.iter().position(|head| head == newest_on_chain);
	let candidate = match known {
		Some(_) => own.last()?,
		None => newest_on_chain,
	};
	let ahead = Head::read(candidate)?.number.saturating_sub(included.number);
	if ahead < UNINCLUDED_SEGMENT_CAPACITY {
		return Some(candidate.clone());
	}
	// Full: what we built beyond the chain's newest was lost, unless the chain itself is full.
	let ahead = Head::read(newest_on_chain)?.number.saturating_sub(included.number);
	(ahead < UNINCLUDED_SEGMENT_CAPACITY).then(|| newest_on_chain.clone())
}
