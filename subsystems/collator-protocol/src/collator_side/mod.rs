//! Collator side: finds the validators that may back a collation, offers it to them, and serves it (backing
//! pipeline §5.7).
//!
//! In which order to call it: [`Event::CollateOn`] first, once. [`Event::Leaves`] and [`Event::Network`] all
//! the time. [`Event::ConnectToBackingGroups`] when a block of the para is about to be built, so that
//! connections are there when it is done, and [`Event::Distribute`] when it is. Without the former,
//! connections are made when the first collation is distributed.

mod advertising;
mod connections;
mod serving;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod tests;
mod tracking;

#[cfg(feature = "fuzzing")]
pub use tests::arbitrary::check_arbitrary;

use crate::Declaration;
use advertising::{Peer, Segment};
use headway_machine::{
	wire::{InboundRequest, SEGMENT_ENTRIES_MAX},
	BuiltCandidate, DistributeSegment, Effects, Evidence, InboundRequestId, LeavesUpdate, NetworkEffect,
	NetworkEvent, PeerId, PeerSet, Reason, Sizes, Stage, Subsystem, Timestamp, Trace, View,
};
use headway_primitives::{CandidateHash, CoreIndex, Hash, ParaId};
use serving::Uploads;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tracking::{left_for_good, Tracker};

/// How long an upload keeps the next one at the same scheduling parent waiting, unless it is done before.
pub const UPLOAD_SWITCH_TIMEOUT: Duration = Duration::from_millis(150);
/// How long after a new leaf connections are asked for again.
pub const RECONNECT_AFTER_LEAF: Duration = Duration::from_secs(4);
/// Heads of a peer that are remembered until we know them.
pub const UNKNOWN_HEADS_MAX: usize = 10;
/// Requests that wait per scheduling parent.
pub const WAITING_UPLOADS_MAX: usize = 64;
/// Peers that we talk to at a time.
pub const PEERS_MAX: usize = 1_024;

const NAME: &str = "collator-protocol";

/// What can happen to the collator side.
#[derive(Clone, Debug)]
pub enum Event {
	/// The active leaves changed.
	Leaves(LeavesUpdate),
	/// Something on the collation set.
	Network(NetworkEvent),
	/// A validator wants a collation.
	Request(InboundRequest),
	/// The para that collations are of.
	CollateOn(ParaId),
	/// Candidates to be offered.
	Distribute(DistributeSegment),
	/// Keeps connections to all groups that our para's cores belong to.
	ConnectToBackingGroups,
	/// Keeps connections only to groups that still may want a collation.
	DisconnectFromBackingGroups,
	/// A response went out (or failed to). Drivers that cannot tell leave it to the timeout.
	Sent {
		/// The request that it answered.
		id: InboundRequestId,
	},
}

/// What the collator side asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
	/// To the network.
	Network(NetworkEffect),
}

/// Collations that are scheduled by one relay block.
#[derive(Debug, Default)]
struct Collations {
	segments: BTreeMap<CoreIndex, Segment>,
	candidates: BTreeMap<CandidateHash, Collation>,
	by_output_head: BTreeMap<Hash, CandidateHash>,
	uploads: Uploads,
}

/// A collation that we offer.
#[derive(Debug)]
struct Collation {
	candidate: Arc<BuiltCandidate>,
	was_requested: bool,
}

/// The collator side of the collator protocol.
///
/// # Bounds
///
/// - `blocks`: the view; per block one segment per core of our para, of at most 32 collations each. Only our
///   own collator fills it.
/// - `blocks[..].uploads`: [`WAITING_UPLOADS_MAX`] per block, one per peer and candidate; more are refused.
/// - `peers`: [`PEERS_MAX`], further ones are disconnected; per peer at most 5 heads and
///   [`UNKNOWN_HEADS_MAX`] older ones.
/// - `tracker`: see there.
#[derive(Debug)]
pub struct CollatorSide {
	declaration: Declaration,
	para: Option<ParaId>,
	keeps_connections: bool,
	view: View,
	blocks: BTreeMap<Hash, Collations>,
	peers: BTreeMap<PeerId, Peer>,
	tracker: Tracker,
	reconnect_at: Option<Timestamp>,
}

impl CollatorSide {
	/// Declares itself to validators by `declaration`.
	pub fn new(declaration: Declaration) -> Self {
		Self {
			declaration,
			para: None,
			keeps_connections: false,
			view: View::default(),
			blocks: BTreeMap::new(),
			peers: BTreeMap::new(),
			tracker: Tracker::default(),
			reconnect_at: None,
		}
	}

	fn leaves(&mut self, now: Timestamp, update: LeavesUpdate, effects: &mut Effects<Effect>) {
		for hash in self.view.update(&update) {
			self.forget_block(now, &hash, effects);
		}
		if let Some(leaf) = &update.activated {
			self.tracker.leaf(now, leaf, &self.view, effects);
			self.reconnect_at = Some(now + RECONNECT_AFTER_LEAF);
		}
		self.refresh_connections(effects);
		// Heads that peers told us before we knew them may be known now.
		self.advertise_everything(now, effects);
	}

	fn forget_block(&mut self, now: Timestamp, hash: &Hash, effects: &mut Effects<Effect>) {
		let Some(gone) = self.blocks.remove(hash) else { return };
		let left = left_for_good(&self.view, hash);
		gone.uploads.refuse_all(effects);
		for (candidate_hash, collation) in gone.candidates {
			if !collation.was_requested {
				let trace =
					Trace::new(now, NAME, Stage::Dropped(Reason::NotRequested)).candidate(candidate_hash);
				let para = collation.candidate.receipt.descriptor.para_id;
				effects.trace(trace.para(para).scheduling_parent(*hash).evidence(left));
			}
		}
	}

	fn distribute(&mut self, now: Timestamp, segment: DistributeSegment, effects: &mut Effects<Effect>) {
		if let Err(reason) = self.store(&segment) {
			let evidence = match reason {
				Reason::CoreWithoutValidators => Some(Evidence::Core { core: segment.core_index }),
				Reason::OutOfView => self.view.left(&segment.scheduling_parent),
				_ => None,
			};
			for candidate in &segment.candidates {
				let trace = Trace::new(now, NAME, Stage::Dropped(reason)).candidate(candidate.receipt.hash());
				let trace = trace.para(segment.para).scheduling_parent(segment.scheduling_parent);
				effects.trace(trace.evidence(evidence));
			}
			if self.para == Some(segment.para) {
				self.connect_to_assigned_groups(effects);
			}
			return;
		}
		self.connect_to_assigned_groups(effects);
		self.advertise_everything(now, effects);
	}

	/// Takes a segment, once per block and core.
	fn store(&mut self, segment: &DistributeSegment) -> Result<(), Reason> {
		if self.para != Some(segment.para) {
			return Err(Reason::NotAssigned);
		}
		let at = segment.scheduling_parent;
		let block = self.view.block(&at).ok_or(Reason::OutOfView)?;
		if segment.candidates.is_empty() {
			return Err(Reason::UnexpectedMessage);
		}
		let is_assigned =
			block.claim_queue.get(&segment.core_index).is_some_and(|queue| queue.contains(&segment.para));
		if !is_assigned {
			return Err(Reason::ParaNotScheduled);
		}
		let group = block.session.group(block.group_for_core(segment.core_index)).unwrap_or_default();
		if group.is_empty() {
			return Err(Reason::CoreWithoutValidators);
		}
		let validators =
			group.iter().filter_map(|index| Some((block.session.discovery_key(*index)?.clone(), *index)));
		let validators = validators.collect();
		let stored = self.blocks.entry(at).or_default();
		if stored.segments.contains_key(&segment.core_index) {
			return Err(Reason::AlreadyKnown);
		}
		let candidates: Vec<_> = segment.candidates.iter().cloned().map(Arc::new).collect();
		for candidate in &candidates {
			let hash = candidate.receipt.hash();
			// The first one with an output head is served; a later one stays listed, but is the same block.
			let output_head = candidate.receipt.descriptor.para_head;
			if let std::collections::btree_map::Entry::Vacant(entry) =
				stored.by_output_head.entry(output_head)
			{
				entry.insert(hash);
				let collation = Collation { candidate: candidate.clone(), was_requested: false };
				stored.candidates.insert(hash, collation);
			}
		}
		let segment_entry = Segment::new(segment.para, segment.descriptor_version, validators, candidates);
		stored.segments.insert(segment.core_index, segment_entry);
		Ok(())
	}

	fn network(&mut self, now: Timestamp, event: NetworkEvent, effects: &mut Effects<Effect>) {
		match event {
			NetworkEvent::PeerConnected { peer, set: PeerSet::Collation, version, authority_ids, .. } => {
				self.peer_connected(peer, version, authority_ids, effects)
			},
			NetworkEvent::PeerDisconnected { peer, set: PeerSet::Collation } => self.peer_disconnected(&peer),
			NetworkEvent::PeerViewChange { peer, set: PeerSet::Collation, view } => {
				self.peer_view(now, peer, view.heads, effects)
			},
			NetworkEvent::UpdatedAuthorityIds { peer, authority_ids } => {
				self.authority_ids(now, peer, authority_ids, effects)
			},
			NetworkEvent::Collation { peer, message } => self.message(now, peer, message, effects),
			NetworkEvent::PeerConnected { .. }
			| NetworkEvent::PeerDisconnected { .. }
			| NetworkEvent::PeerViewChange { .. }
			| NetworkEvent::NewTopology { .. }
			| NetworkEvent::Validation { .. } => {},
		}
	}

	fn run_timers(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		if self.reconnect_at.is_some_and(|due| due <= now) {
			self.reconnect_at = None;
			self.refresh_connections(effects);
		}
		for (scheduling_parent, stored) in &mut self.blocks {
			if stored.uploads.switch_if_due(now) {
				stored.serve_next(now, scheduling_parent, &mut self.tracker, effects);
			}
		}
	}
}

impl Subsystem for CollatorSide {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		self.run_timers(now, effects);
		match event {
			Event::Leaves(update) => self.leaves(now, update, effects),
			Event::Network(event) => self.network(now, event, effects),
			Event::Request(request) => self.request(now, request, effects),
			Event::CollateOn(para) => {
				if self.para.replace(para) != Some(para) {
					self.refresh_connections(effects);
				}
			},
			Event::Distribute(segment) => self.distribute(now, segment, effects),
			Event::ConnectToBackingGroups => self.keep_connections(true, effects),
			Event::DisconnectFromBackingGroups => self.keep_connections(false, effects),
			Event::Sent { id } => self.sent(now, id, effects),
		}
	}

	fn tick(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		self.run_timers(now, effects);
	}

	fn next_deadline(&self) -> Option<Timestamp> {
		let uploads = self.blocks.values().filter_map(|stored| stored.uploads.deadline());
		uploads.chain(self.reconnect_at).min()
	}

	fn sizes(&self) -> Sizes {
		let mut sizes = Sizes::of(NAME);
		sizes.note("blocks", self.blocks.len(), self.view.blocks().len());
		for (at, stored) in &self.blocks {
			let cores = self.view.block(at).map_or(0, |block| block.claim_queue.len());
			sizes.note("segments", stored.segments.len(), cores);
			let collations = stored.segments.len() * SEGMENT_ENTRIES_MAX as usize;
			sizes.note("collations", stored.candidates.len(), collations);
			sizes.note("output_heads", stored.by_output_head.len(), stored.candidates.len());
			sizes.note("waiting_uploads", stored.uploads.waiting_len(), WAITING_UPLOADS_MAX);
		}
		sizes.note("peers", self.peers.len(), PEERS_MAX);
		self.peers.values().for_each(|peer| peer.sizes(&mut sizes));
		self.tracker.sizes(&mut sizes);
		sizes
	}
}
