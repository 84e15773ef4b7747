//! What a collator does wrong now and then if it is told to: for tests of what the relay chain makes of it.
//!
//! A fault changes one block, and what comes of it; the next one builds on the good blocks before. So the parachain goes on,
//! a little slower; but validators turn away who sent an invalid block, for a while.

use crate::collator::Made;
use clap::ValueEnum;
use codec::{DecodeAll, Encode};
use headway_metronome_pvf::Block;

/// A fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Fault {
	/// Builds on the included head while another candidate on it is backed on the relay chain already.
	LosingFork,
	/// Puts a block into the proof of validity that the validation function refuses.
	InvalidPov,
	/// Offers a collation only when its relay parent has left the allowed ancestry.
	Late,
}

/// When a fault is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Faults {
	fault: Option<Fault>,
	after: u32,
	good: u32,
}

impl Faults {
	/// A fault after every so many good blocks; none: never.
	pub fn new(fault: Option<Fault>, after: u32) -> Self {
		Self { fault, after, good: 0 }
	}

	/// The fault of the next block. It stays due until a block has it.
	pub fn due(&self) -> Option<Fault> {
		self.fault.filter(|_| self.good >= self.after)
	}

	/// A block was handed over, with or without fault.
	pub fn built(&mut self, fault: Option<Fault>) {
		self.good = if fault.is_some() { 0 } else { self.good.saturating_add(1) };
	}
}

/// Makes the validation function refuse a block: the block says that it was made for another parent. All hashes of the
/// candidate are those of what it contains, and it promises what the good block would do.
pub(crate) fn spoil(made: &mut Made) {
	for submitted in &mut made.segment.collations {
		let data = &mut submitted.collation.pov.block_data.0;
		// It was encoded a moment ago.
		if let Ok(mut block) = Block::decode_all(&mut &data[..]) {
			block.parent_hash[0] ^= 1;
			*data = block.encode();
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_fault_is_due_after_so_many_good_blocks_until_a_block_has_it() {
		let mut faults = Faults::new(Some(Fault::Late), 2);
		let mut seen = Vec::new();
		for _ in 0..7 {
			seen.push(faults.due().is_some());
			faults.built(faults.due());
		}
		assert_eq!(seen, [false, false, true, false, false, true, false]);
		faults.built(None);
		assert_eq!(faults.due(), Some(Fault::Late));
		// A block could not have it.
		faults.built(None);
		assert_eq!(faults.due(), Some(Fault::Late));
		assert_eq!(Faults::new(None, 0).due(), None);
	}
}
