//! What relay blocks say of candidates, as traces.

use headway_machine::{BlockRef, LeafContext, Sizes, Stage, Timestamp, Trace, RELAY_CHAIN};
use headway_primitives::{BlockNumber, CandidateEvent, CandidateHash, CandidateReceiptV2, Hash, ParaId};
use std::collections::BTreeMap;

/// Blocks that are remembered until they are finalized.
const BLOCKS_MAX: usize = 512;

/// Follows leaves and finality.
///
/// A candidate is final when a block that includes it is. What stands in blocks that this node never looked at, as while it
/// was far behind, is not told.
///
/// # Bounds
///
/// `blocks`: [`BLOCKS_MAX`], the oldest goes first; each holds at most one candidate per core and included candidate. Only
/// the chain fills it.
#[derive(Debug, Default)]
pub struct ChainEvents {
	blocks: BTreeMap<(BlockNumber, Hash), Block>,
	finalized: Option<(BlockNumber, Hash)>,
}

#[derive(Debug)]
struct Block {
	parent: Hash,
	included: Vec<Included>,
}

#[derive(Debug)]
struct Included {
	candidate: CandidateHash,
	para: ParaId,
	scheduling_parent: Hash,
}

impl ChainEvents {
	/// What a new leaf says. A leaf that was one before says nothing new.
	pub fn leaf(&mut self, now: Timestamp, leaf: &LeafContext) -> Vec<Trace> {
		let block = BlockRef { number: leaf.block.number, hash: leaf.block.hash };
		let key = (block.number, block.hash);
		if self.blocks.contains_key(&key) {
			return Vec::new();
		}
		let (mut traces, mut included) = (Vec::new(), Vec::new());
		for event in &leaf.candidate_events {
			let (receipt, stages): (&CandidateReceiptV2, &[Stage]) = match event {
				CandidateEvent::CandidateBacked(receipt, ..) => (receipt, &[Stage::Backed]),
				CandidateEvent::CandidateIncluded(receipt, ..) => {
					(receipt, &[Stage::Available, Stage::Included])
				},
				CandidateEvent::CandidateTimedOut(receipt, ..) => (receipt, &[Stage::TimedOut]),
			};
			let about = Included {
				candidate: receipt.hash(),
				para: receipt.descriptor.para_id,
				scheduling_parent: receipt.descriptor.scheduling_parent(),
			};
			traces.extend(stages.iter().map(|stage| about.trace(now, *stage, block)));
			if matches!(event, CandidateEvent::CandidateIncluded(..)) {
				included.push(about);
			}
		}
		self.blocks.insert(key, Block { parent: leaf.block.parent_hash, included });
		if self.blocks.len() > BLOCKS_MAX {
			self.blocks.pop_first();
		}
		// Word of finality may be faster than that of the block.
		if self.finalized == Some(key) {
			traces.extend(self.finalized(now, block));
		}
		traces
	}

	/// How full it is.
	pub fn sizes(&self) -> Sizes {
		let mut sizes = Sizes::of(RELAY_CHAIN);
		sizes.note("blocks", self.blocks.len(), BLOCKS_MAX);
		sizes
	}

	/// What becomes final with a block.
	pub fn finalized(&mut self, now: Timestamp, block: BlockRef) -> Vec<Trace> {
		self.finalized = Some((block.number, block.hash));
		let mut branch = Vec::new();
		let mut key = (block.number, block.hash);
		while let Some(known) = self.blocks.remove(&key) {
			branch.push((BlockRef { number: key.0, hash: key.1 }, known.included));
			let Some(number) = key.0.checked_sub(1) else { break };
			key = (number, known.parent);
		}
		// What is left up to there is on forks that lost.
		self.blocks.retain(|(number, _), _| *number > block.number);
		let oldest_first = branch.into_iter().rev();
		oldest_first
			.flat_map(|(at, included)| {
				included.into_iter().map(move |about| about.trace(now, Stage::Finalized, at))
			})
			.collect()
	}
}

impl Included {
	fn trace(&self, now: Timestamp, stage: Stage, block: BlockRef) -> Trace {
		Trace::new(now, RELAY_CHAIN, stage)
			.candidate(self.candidate)
			.para(self.para)
			.relay_parent(self.scheduling_parent)
			.block(block)
	}
}
