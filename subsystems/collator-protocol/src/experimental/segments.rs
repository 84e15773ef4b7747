//! Segments that may still be fetched from (backing pipeline §5.5, "Segments").
//!
//! Each grants one fetch; who advertises again when that was used up grants another. Advertisements of versions
//! 1 to 3 are segments of one entry.
//!
//! # Beyond the reference
//!
//! What counts against the limit of a peer is what was taken, not what was refused: a collator that backing
//! refused too early may come again.

use crate::collation::{Identity, Offer, OfferedCandidate, OfferedDescriptor};
use headway_machine::PeerId;
use headway_primitives::{Hash, ParaId};
use std::collections::BTreeMap;

/// What a segment offers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Entries {
	/// Version 1: whatever there is.
	Any,
	/// Versions 2 and 3: one candidate by hash. So a segment never mixes both ways to name a candidate.
	ByHash(OfferedCandidate),
	/// Version 4: candidates by output head, each on top of the one before; at least one.
	ByOutputHead(Vec<OfferedCandidate>),
}

/// Collations of one peer for one core.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Segment {
	pub(super) peer: PeerId,
	pub(super) para: ParaId,
	pub(super) scheduling_parent: Hash,
	pub(super) entries: Entries,
	pub(super) descriptor: Option<OfferedDescriptor>,
}

/// What may be fetched of a segment, seen from a leaf.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Next {
	/// This entry; none is the one that has no name.
	Entry(Option<OfferedCandidate>),
	/// Nothing for now: another fetch brings it, or brought it.
	Held,
	/// Nothing any more: all of it is known.
	Exhausted,
}

/// What is known of a candidate on the path of a leaf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Knowledge {
	/// Nothing.
	New,
	/// It is being fetched, or was fetched: that may still come to nothing.
	Underway,
	/// Prospective parachains know its head.
	Known,
}

impl Segment {
	/// The oldest entry that is worth fetching.
	pub(super) fn next(&self, knowledge: impl Fn(&Identity) -> Knowledge) -> Next {
		let entries = match &self.entries {
			Entries::Any => return Next::Entry(None),
			Entries::ByHash(candidate) => std::slice::from_ref(candidate),
			Entries::ByOutputHead(candidates) => candidates,
		};
		let mut is_held = false;
		for candidate in entries {
			match knowledge(&candidate.identity) {
				Knowledge::New => return Next::Entry(Some(*candidate)),
				Knowledge::Underway => is_held = true,
				Knowledge::Known => {},
			}
		}
		if is_held {
			Next::Held
		} else {
			Next::Exhausted
		}
	}

	/// What was offered once before, and is to be fetched again.
	pub(super) fn again(offer: Offer) -> Self {
		let entries = match offer.candidate {
			None => Entries::Any,
			Some(candidate @ OfferedCandidate { identity: Identity::Candidate(_), .. }) => {
				Entries::ByHash(candidate)
			},
			Some(candidate) => Entries::ByOutputHead(vec![candidate]),
		};
		let Offer { peer, para, scheduling_parent, descriptor, .. } = offer;
		Self { peer, para, scheduling_parent, entries, descriptor }
	}

	/// An entry of it, as something to fetch.
	pub(super) fn offer(&self, candidate: Option<OfferedCandidate>) -> Offer {
		Offer {
			peer: self.peer.clone(),
			para: self.para,
			scheduling_parent: self.scheduling_parent,
			candidate,
			descriptor: self.descriptor,
			is_v1: self.entries == Entries::Any,
		}
	}
}

/// Why a segment is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
	/// The same one is there already.
	Duplicate,
	/// The peer had as many as it may have.
	LimitReached,
}

/// All live segments.
///
/// # Bounds
///
/// `live`: per block in view and connected peer as many as the para has positions in the claim queue, each of
/// at most 32 entries (the message's limit). `taken` has an entry per block in view and connected peer.
#[derive(Debug, Default)]
pub(super) struct Segments {
	/// In the order of their arrival.
	live: BTreeMap<u64, Segment>,
	/// How many were taken of a peer at a block, used up ones included.
	taken: BTreeMap<(Hash, PeerId), usize>,
	arrivals: u64,
}

impl Segments {
	/// Whether a segment could be taken, if `limit` may be taken of its peer at its block.
	pub(super) fn check(&self, segment: &Segment, limit: usize) -> Result<(), Refusal> {
		if self.live.values().any(|live| live == segment) {
			return Err(Refusal::Duplicate);
		}
		let key = (segment.scheduling_parent, segment.peer.clone());
		if self.taken.get(&key).copied().unwrap_or(0) >= limit {
			return Err(Refusal::LimitReached);
		}
		Ok(())
	}

	/// Takes a segment that passed [`Self::check`]. Answers its number.
	pub(super) fn take(&mut self, segment: Segment) -> u64 {
		*self.taken.entry((segment.scheduling_parent, segment.peer.clone())).or_default() += 1;
		self.restore(segment)
	}

	/// Takes a segment that was taken before. Answers its number.
	pub(super) fn restore(&mut self, segment: Segment) -> u64 {
		self.arrivals += 1;
		self.live.insert(self.arrivals, segment);
		self.arrivals
	}

	/// Those that arrived with this number or later, in the order of their arrival.
	pub(super) fn live(&self, from: u64) -> impl Iterator<Item = (u64, &Segment)> {
		self.live.range(from..).map(|(arrival, segment)| (*arrival, segment))
	}

	pub(super) fn get(&self, arrival: u64) -> Option<&Segment> {
		self.live.get(&arrival)
	}

	pub(super) fn len(&self) -> usize {
		self.live.len()
	}

	/// Its fetch begins, or there is nothing to fetch any more.
	pub(super) fn consume(&mut self, arrival: u64) -> Option<Segment> {
		self.live.remove(&arrival)
	}

	pub(super) fn forget_peer(&mut self, peer: &PeerId) {
		self.live.retain(|_, segment| segment.peer != *peer);
		self.taken.retain(|(_, of), _| of != peer);
	}

	/// Answers the segments that are lost by that.
	pub(super) fn forget_block(&mut self, hash: &Hash) -> Vec<Segment> {
		self.taken.retain(|(at, _), _| at != hash);
		let gone: Vec<u64> = self
			.live
			.iter()
			.filter(|(_, segment)| segment.scheduling_parent == *hash)
			.map(|(arrival, _)| *arrival)
			.collect();
		gone.into_iter().filter_map(|arrival| self.live.remove(&arrival)).collect()
	}

	/// How many were taken in all, and most of one peer at one block; used up ones included.
	pub(super) fn taken(&self) -> (usize, usize) {
		(self.taken.values().sum(), self.taken.values().copied().max().unwrap_or(0))
	}
}
