//! Scheduling: who may occupy which core, and what happened to candidates on chain (runtime §6, §9.1).

use crate::{
	BlockNumber, CandidateDescriptorV2, CandidateHash, CandidateReceiptV2, CollatorId, CoreIndex, GroupIndex,
	HeadData, ParaId,
};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use bitvec::{order::Lsb0, vec::BitVec};
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// Which paras come next on each core, for the children of a block.
pub type ClaimQueue = BTreeMap<CoreIndex, VecDeque<ParaId>>;
/// The claim queue by para: at each depth, the cores that it holds.
pub type TransposedClaimQueue = BTreeMap<ParaId, BTreeMap<u8, BTreeSet<CoreIndex>>>;

/// Turns a claim queue from core to paras into para to depth to cores.
pub fn transpose_claim_queue(claim_queue: &ClaimQueue) -> TransposedClaimQueue {
	let mut by_para = TransposedClaimQueue::new();
	for (core, paras) in claim_queue {
		for (depth, para) in paras.iter().enumerate().take(usize::from(u8::MAX) + 1) {
			by_para.entry(*para).or_default().entry(depth as u8).or_default().insert(*core);
		}
	}
	by_para
}

/// A para that may occupy a core.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct ScheduledCore {
	/// The para.
	pub para_id: ParaId,
	/// Always none: cores are not scheduled to collators any more.
	pub collator: Option<CollatorId>,
}

/// A core whose candidate waits for availability.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct OccupiedCore<N = BlockNumber> {
	/// Who is next if the candidate becomes available.
	pub next_up_on_available: Option<ScheduledCore>,
	/// Block in which the candidate was backed.
	pub occupied_since: N,
	/// Block in which it times out.
	pub time_out_at: N,
	/// Who is next if it times out.
	pub next_up_on_time_out: Option<ScheduledCore>,
	/// Availability votes on chain.
	pub availability: BitVec<u8, Lsb0>,
	/// The group that backed the candidate.
	pub group_responsible: GroupIndex,
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// Its descriptor.
	pub candidate_descriptor: CandidateDescriptorV2,
}

/// State of a core.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum CoreState<N = BlockNumber> {
	/// A candidate waits for availability.
	#[codec(index = 0)]
	Occupied(OccupiedCore<N>),
	/// Free, and a para is next.
	#[codec(index = 1)]
	Scheduled(ScheduledCore),
	/// Free, and nobody is next.
	#[codec(index = 2)]
	Free,
}

/// What to assume of the candidate that occupies a core.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode, TypeInfo)]
pub enum OccupiedCoreAssumption {
	/// It is included.
	#[codec(index = 0)]
	Included,
	/// It times out.
	#[codec(index = 1)]
	TimedOut,
	/// The core is free.
	#[codec(index = 2)]
	Free,
}

/// What happened to a candidate in a block.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum CandidateEvent {
	/// Backed; it now occupies the core.
	#[codec(index = 0)]
	CandidateBacked(CandidateReceiptV2, HeadData, CoreIndex, GroupIndex),
	/// Included: more than two thirds of the validators hold their chunk.
	#[codec(index = 1)]
	CandidateIncluded(CandidateReceiptV2, HeadData, CoreIndex, GroupIndex),
	/// Not available in time.
	#[codec(index = 2)]
	CandidateTimedOut(CandidateReceiptV2, HeadData, CoreIndex),
}
