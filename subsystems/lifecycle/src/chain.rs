//! What relay blocks say of candidates, as traces; and what they leave unsaid: that a block lost its fork, or that a session ended.

use headway_machine::{BlockRef, Evidence, LeafContext, Reason, Sizes, Stage, Timestamp, Trace, RELAY_CHAIN};
use headway_primitives::{
	BlockNumber, CandidateEvent, CandidateHash, CandidateReceiptV2, Hash, ParaId, SessionIndex,
};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// Blocks that are remembered until they are finalized.
const BLOCKS_MAX: usize = 512;

/// Follows leaves and finality.
///
/// A candidate is final when a block that includes it is. One that was backed is lost with its block, when finality goes past
/// that on another fork; and with its session, if it is not included by then. The relay chain has no event for either. What
/// stands in blocks that this node never looked at, as while it was far behind, is not told.
///
/// # Bounds
///
/// `blocks`: [`BLOCKS_MAX`], the oldest goes first; each holds at most one candidate per core and included candidate, and those
/// that wait for availability, which are no more than the paras may have on all cores. Only the chain fills it.
#[derive(Debug, Default)]
pub struct ChainEvents {
	blocks: BTreeMap<(BlockNumber, Hash), Block>,
	finalized: Option<(BlockNumber, Hash)>,
}

#[derive(Debug)]
struct Block {
	parent: Hash,
	/// Of its children.
	session: SessionIndex,
	backed: Vec<Arc<About>>,
	included: Vec<Arc<About>>,
	/// Candidates that wait for availability.
	waiting: Vec<Arc<About>>,
}

/// What is told of a candidate beside what happened.
#[derive(Debug)]
struct About {
	candidate: CandidateHash,
	para: ParaId,
	scheduling_parent: Hash,
	relay_parent: Hash,
	output_head: Hash,
}

impl ChainEvents {
	/// What a new leaf says. A leaf that was one before says nothing new.
	pub fn leaf(&mut self, now: Timestamp, leaf: &LeafContext) -> Vec<Trace> {
		let at = BlockRef { number: leaf.block.number, hash: leaf.block.hash };
		let key = (at.number, at.hash);
		if self.blocks.contains_key(&key) {
			return Vec::new();
		}
		let above =
			at.number.checked_sub(1).and_then(|number| self.blocks.get(&(number, leaf.block.parent_hash)));
		let mut block = Block {
			parent: leaf.block.parent_hash,
			session: leaf.block.session.index,
			backed: Vec::new(),
			included: Vec::new(),
			waiting: above.map(|parent| parent.waiting.clone()).unwrap_or_default(),
		};
		let mut traces = Vec::new();
		for event in &leaf.candidate_events {
			block.take(now, event, at, &mut traces);
		}
		if let Some(session) = above.map(|parent| parent.session).filter(|session| *session != block.session)
		{
			block.end_session(now, session, at, leaf, &mut traces);
		}
		self.blocks.insert(key, block);
		if self.blocks.len() > BLOCKS_MAX {
			self.blocks.pop_first();
		}
		// Word of finality may be faster than that of the block.
		if self.finalized == Some(key) {
			traces.extend(self.finalized(now, at));
		}
		traces
	}

	/// How full it is.
	pub fn sizes(&self) -> Sizes {
		let mut sizes = Sizes::of(RELAY_CHAIN);
		sizes.note("blocks", self.blocks.len(), BLOCKS_MAX);
		sizes
	}

	/// What becomes final with a block, and what is lost with forks.
	pub fn finalized(&mut self, now: Timestamp, block: BlockRef) -> Vec<Trace> {
		self.finalized = Some((block.number, block.hash));
		let mut branch = Vec::new();
		let mut key = (block.number, block.hash);
		while let Some(known) = self.blocks.remove(&key) {
			branch.push((BlockRef { number: key.0, hash: key.1 }, known));
			let Some(number) = key.0.checked_sub(1) else { break };
			let Some((_, known)) = branch.last() else { break };
			key = (number, known.parent);
		}
		// What is left up to there is on forks that lost, or from before the branch that this node saw.
		let kept = self.blocks.split_off(&(block.number.saturating_add(1), Hash::zero()));
		let forks = std::mem::replace(&mut self.blocks, kept);
		let oldest_first = branch.iter().rev();
		let mut traces: Vec<Trace> = oldest_first
			.flat_map(|(at, known)| {
				known.included.iter().map(move |about| about.trace(now, Stage::Finalized).block(*at))
			})
			.collect();
		self.lose_forks(now, &branch, forks, &mut traces);
		traces
	}

	/// Tells what was backed on forks that lost and nowhere else. Only where the block is known that has the place is it known that
	/// the other one lost.
	fn lose_forks(
		&self,
		now: Timestamp,
		branch: &[(BlockRef, Block)],
		forks: BTreeMap<(BlockNumber, Hash), Block>,
		traces: &mut Vec<Trace>,
	) {
		let elsewhere = branch.iter().map(|(_, block)| block).chain(self.blocks.values());
		let mut told: BTreeSet<CandidateHash> =
			elsewhere.flat_map(|block| block.backed.iter().map(|about| about.candidate)).collect();
		for ((number, hash), block) in forks {
			let Some((instead, _)) = branch.iter().find(|(at, _)| at.number == number) else { continue };
			let lost = BlockRef { number, hash };
			let evidence = Evidence::BackedOnLostFork { lost, instead: *instead };
			for about in block.backed.iter().filter(|about| told.insert(about.candidate)) {
				let lost = about.trace(now, Stage::Dropped(Reason::RelayForkLost));
				traces.push(lost.evidence(Some(evidence)));
			}
		}
	}
}

impl Block {
	/// Takes an event of the block.
	fn take(&mut self, now: Timestamp, event: &CandidateEvent, at: BlockRef, traces: &mut Vec<Trace>) {
		let (receipt, stages): (&CandidateReceiptV2, &[Stage]) = match event {
			CandidateEvent::CandidateBacked(receipt, ..) => (receipt, &[Stage::Backed]),
			CandidateEvent::CandidateIncluded(receipt, ..) => (receipt, &[Stage::Available, Stage::Included]),
			CandidateEvent::CandidateTimedOut(receipt, ..) => (receipt, &[Stage::TimedOut]),
		};
		let about = Arc::new(About::new(receipt));
		traces.extend(stages.iter().map(|stage| about.trace(now, *stage).block(at)));
		self.waiting.retain(|waiting| waiting.candidate != about.candidate);
		match event {
			CandidateEvent::CandidateBacked(..) => {
				self.waiting.push(about.clone());
				self.backed.push(about);
			},
			CandidateEvent::CandidateIncluded(..) => self.included.push(about),
			CandidateEvent::CandidateTimedOut(..) => {},
		}
	}

	/// With its last block, a session takes off the cores what is not included: tells what is not pending any more.
	fn end_session(
		&mut self,
		now: Timestamp,
		session: SessionIndex,
		last: BlockRef,
		leaf: &LeafContext,
		traces: &mut Vec<Trace>,
	) {
		let pending: BTreeSet<CandidateHash> =
			leaf.paras.values().flat_map(|para| &para.pending).map(|pending| pending.hash).collect();
		let evidence = Evidence::SessionEnded { session, last, was_backed: true };
		for about in self.waiting.extract_if(.., |waiting| !pending.contains(&waiting.candidate)) {
			let lost = about.trace(now, Stage::Dropped(Reason::SessionEnded));
			traces.push(lost.evidence(Some(evidence)));
		}
	}
}

impl About {
	fn new(receipt: &CandidateReceiptV2) -> Self {
		let descriptor = &receipt.descriptor;
		Self {
			candidate: receipt.hash(),
			para: descriptor.para_id,
			scheduling_parent: descriptor.scheduling_parent(),
			relay_parent: descriptor.relay_parent,
			output_head: descriptor.para_head,
		}
	}

	fn trace(&self, now: Timestamp, stage: Stage) -> Trace {
		let trace = Trace::new(now, RELAY_CHAIN, stage).candidate(self.candidate).para(self.para);
		Trace {
			relay_parent: Some(self.relay_parent),
			output_head: Some(self.output_head),
			..trace.scheduling_parent(self.scheduling_parent)
		}
	}
}
