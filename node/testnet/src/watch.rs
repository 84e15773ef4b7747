//! What happened to parachains on the relay chain, block by block.

use crate::{rpc::Rpc, Error};
use headway_primitives::{CandidateEvent, Hash};
use std::{
	collections::BTreeSet,
	time::{Duration, Instant},
};

/// What happened to a para so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ParaHistory {
	/// Blocks that were backed.
	pub backed: u32,
	/// Blocks that were included.
	pub included: u32,
	/// Blocks that did not become available in time.
	pub timed_out: u32,
	/// Relay blocks with an inclusion, and when we saw them.
	pub inclusions: Vec<(u32, Instant)>,
	/// Cores on which blocks were included.
	pub cores: BTreeSet<u32>,
	/// Hash of the newest included head.
	pub head: Option<Hash>,
}

impl ParaHistory {
	/// Relay blocks with an inclusion among those after `after`.
	pub fn relay_blocks_with_inclusion(&self, after: u32) -> u32 {
		self.inclusions.iter().filter(|(number, _)| *number > after).count() as u32
	}

	/// Relay blocks with an inclusion among those after `after` and up to `upto`.
	pub fn relay_blocks_with_inclusion_in(&self, after: u32, upto: u32) -> u32 {
		self.relay_blocks_with_inclusion(after).saturating_sub(self.relay_blocks_with_inclusion(upto))
	}

	/// Mean time between included blocks, as we saw them.
	pub fn block_time(&self) -> Option<Duration> {
		let (first, last) = (self.inclusions.first()?, self.inclusions.last()?);
		let blocks = self.included.checked_sub(1).filter(|blocks| *blocks > 0)?;
		Some(last.1.duration_since(first.1) / blocks)
	}

	fn add(&mut self, block: &Block, what: &What) {
		match what {
			What::Backed => self.backed += 1,
			What::Included { core, head } => {
				self.included += 1;
				self.head = Some(*head);
				self.cores.insert(*core);
				if self.inclusions.last().is_none_or(|(last, _)| *last != block.number) {
					self.inclusions.push((block.number, block.seen));
				}
			},
			What::TimedOut => self.timed_out += 1,
		}
	}
}

/// A relay block that was looked at.
#[derive(Clone, Debug)]
struct Block {
	number: u32,
	hash: Hash,
	seen: Instant,
	events: Vec<(u32, What)>,
}

/// What happened to a candidate.
#[derive(Clone, Debug)]
enum What {
	Backed,
	Included { core: u32, head: Hash },
	TimedOut,
}

/// Follows the best chain of one node. What a reorganisation replaces does not count.
///
/// # Bounds
///
/// One entry per relay block, of a few hundred bytes: a network that is watched lives for hours, not years.
pub struct Watch {
	start: u32,
	paras: BTreeSet<u32>,
	/// Without gaps, from the block after `start`.
	blocks: Vec<Block>,
}

impl Watch {
	/// Starts with the block after `start`. These paras are known even if nothing happens to them.
	pub fn from(start: u32, paras: impl IntoIterator<Item = u32>) -> Self {
		Self { start, paras: paras.into_iter().collect(), blocks: Vec::new() }
	}

	/// Number of the newest block that was looked at.
	pub fn best(&self) -> u32 {
		self.blocks.last().map_or(self.start, |block| block.number)
	}

	/// Paras that are known.
	pub fn paras(&self) -> impl Iterator<Item = u32> + '_ {
		self.paras.iter().copied()
	}

	/// What happened to a para.
	pub fn history(&self, para: u32) -> ParaHistory {
		let mut history = ParaHistory::default();
		for block in &self.blocks {
			for (_, what) in block.events.iter().filter(|(id, _)| *id == para) {
				history.add(block, what);
			}
		}
		history
	}

	/// Relay block of the first inclusion of any para.
	pub fn first_inclusion(&self) -> Option<u32> {
		let includes =
			|block: &&Block| block.events.iter().any(|(_, what)| matches!(what, What::Included { .. }));
		self.blocks.iter().find(includes).map(|block| block.number)
	}

	/// Looks at all blocks up to the node's best one. Answers how many were new.
	pub async fn advance(&mut self, rpc: &Rpc) -> Result<u32, Error> {
		let mut hash = rpc.best_hash().await?;
		let mut branch = Vec::new();
		while self.hash_of(hash).is_none() {
			let header = rpc.header(hash).await?.ok_or_else(|| Error::Rpc {
				node: rpc.node().into(),
				error: format!("block {hash:?} is not there"),
			})?;
			if header.number <= self.start {
				break;
			}
			let events = rpc.candidate_events(hash).await?.into_iter().map(read_event).collect();
			branch.push(Block { number: header.number, hash, seen: Instant::now(), events });
			hash = header.parent;
		}
		let new = branch.len() as u32;
		branch.reverse();
		self.extend(branch);
		Ok(new)
	}

	/// Position of a block.
	fn hash_of(&self, hash: Hash) -> Option<usize> {
		// The newest blocks are asked for.
		self.blocks.iter().rposition(|block| block.hash == hash)
	}

	/// Puts a branch in the place of what has the same or higher numbers.
	fn extend(&mut self, branch: Vec<Block>) {
		let Some(first) = branch.first() else { return };
		let keep = first.number.saturating_sub(self.start + 1) as usize;
		self.blocks.truncate(keep);
		self.paras.extend(branch.iter().flat_map(|block| block.events.iter().map(|(para, _)| *para)));
		self.blocks.extend(branch);
	}
}

fn read_event(event: CandidateEvent) -> (u32, What) {
	match event {
		CandidateEvent::CandidateBacked(receipt, ..) => (receipt.descriptor.para_id.0, What::Backed),
		CandidateEvent::CandidateIncluded(receipt, _, core, _) => {
			let head = receipt.descriptor.para_head;
			(receipt.descriptor.para_id.0, What::Included { core: core.0, head })
		},
		CandidateEvent::CandidateTimedOut(receipt, ..) => (receipt.descriptor.para_id.0, What::TimedOut),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const PARA: u32 = 2000;

	/// A branch from a text: one letter per block, `i` with an inclusion, `b` with a backed candidate, `.`
	/// with nothing.
	fn branch(after: u32, fork: u8, text: &str) -> Vec<Block> {
		let start = Instant::now();
		let blocks = text.chars().zip(after + 1..).map(|(letter, number)| {
			let mut hash = [fork; 32];
			hash[0] = number as u8;
			let what = match letter {
				'i' => Some(What::Included { core: 0, head: Hash::from(hash) }),
				'b' => Some(What::Backed),
				_ => None,
			};
			let seen = start + Duration::from_secs(6 * u64::from(number));
			Block {
				number,
				hash: hash.into(),
				seen,
				events: what.map(|what| (PARA, what)).into_iter().collect(),
			}
		});
		blocks.collect()
	}

	#[test]
	fn inclusions_are_counted_per_relay_block() {
		let mut watch = Watch::from(0, [PARA, 2001]);
		watch.extend(branch(0, 0, "..biii.i"));
		let history = watch.history(PARA);
		assert_eq!((watch.best(), watch.first_inclusion()), (8, Some(4)));
		assert_eq!((history.backed, history.included), (1, 4));
		assert_eq!(history.relay_blocks_with_inclusion(4), 3);
		assert_eq!(history.relay_blocks_with_inclusion_in(4, 6), 2);
		assert_eq!(history.block_time(), Some(Duration::from_secs(8)));
		assert_eq!(watch.history(2001), ParaHistory::default());
	}

	#[test]
	fn what_a_reorganisation_replaces_does_not_count() {
		let mut watch = Watch::from(0, []);
		watch.extend(branch(0, 0, "..iii"));
		watch.extend(branch(3, 1, ".b."));
		assert_eq!(watch.best(), 6);
		let history = watch.history(PARA);
		assert_eq!((history.included, history.backed), (1, 1));
		assert_eq!(history.relay_blocks_with_inclusion(0), 1);
		assert_eq!(history.block_time(), None);
		assert_eq!(watch.paras().collect::<Vec<_>>(), [PARA]);
	}
}
