//! Validator side with scores and segments: an opt-in, in the place of
//! [`ValidatorSide`](crate::ValidatorSide) (backing pipeline §5.5).
//!
//! With it a validator offers version 4 of the protocol. It keeps a score of every collator, by how many
//! of its candidates were included in finalized blocks (`finality`, `reputation`): who stays connected
//! (`connections`), and whose collation is fetched first, is decided by that. What collators advertise
//! (`advertising`) is kept as segments (`segments`), and whenever something changes, the free positions of
//! the claim queues are filled with them (`planner`, `fetching`). From then on a collation goes the way that
//! it goes with the default side.
//!
//! What is done better than by the reference stands in each of these modules under "Beyond the reference".
//!
//! # In which order to call it
//!
//! [`Event::RestoreScores`] first, if there is anything to restore. Collators that connect before the first
//! leaf are disconnected: nobody knows yet which ones are wanted.

mod advertising;
mod connections;
mod fetching;
mod finality;
mod notice;
mod planner;
mod reputation;
mod segments;
mod sizes;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod tests;

pub use connections::{PEERS_MAX, PEERS_PER_PARA_MAX};
pub use finality::FINALIZED_BLOCKS_MAX;
pub use notice::{score_range, Notice, SignalOutcome, SlashReason, SCORE_RANGES};
pub use reputation::{
	LoadError, Scores, FADE_AFTER, FAILED_FETCH_SLASH, INCLUSION_BUMP, INVALID_COLLATION_SLASH,
	SCORES_PER_PARA_MAX,
};
#[cfg(feature = "fuzzing")]
pub use tests::arbitrary::check_arbitrary;

use crate::{
	collation::Offer,
	seconding::Seconding,
	validator_side::{Config, Effect, Event},
	NAME,
};
use connections::{Admission, Connections};
use fetching::Heads;
use finality::Lookup;
use headway_machine::{
	wire::CollationVersion, Effects, LeavesUpdate, NetworkEffect, NetworkEvent, PeerId, PeerSet, Reason,
	Reputation, Sizes, Stage, Subsystem, Timestamp, Token, Tokens, Trace, View,
};
use headway_primitives::{BlockNumber, CandidateHash, Hash, ParaId};
use planner::Lane;
use segments::{Segment, Segments};
use std::{
	collections::{BTreeMap, BTreeSet},
	time::Duration,
};

/// How long collators without a score wait for those with one, from when the scheduling parent came into view.
pub const MAX_FETCH_DELAY: Duration = Duration::from_millis(300);
/// Least time for which a timer is set until a collator without a score had its wait.
pub const MIN_FETCH_TIMER: Duration = Duration::from_millis(150);
/// How long a bump may wait until it is stored.
pub const SAVE_INTERVAL: Duration = Duration::from_secs(600);

/// A collation that was fetched at a block.
#[derive(Debug)]
struct Fetching {
	para: ParaId,
	output_head: Hash,
}

/// A relay block in view.
#[derive(Debug)]
struct SchedulingParent {
	/// When it came into view.
	since: Timestamp,
	/// What was fetched and did not come to nothing: it holds a position of the claim queue.
	fetched: BTreeMap<CandidateHash, Fetching>,
}

/// The validator side of the collator protocol with scores and segments.
///
/// # Bounds
///
/// - `blocks`: the view. `fetches`, and what was `fetched` at all blocks that a leaf's claim queue reaches, are
///   no more together than that has positions. Collations are up to the largest response (16 MiB), and to
///   have one fetched, a collator has to advertise what prospective parachains do not know.
/// - `connections`, `segments`, `scores`, `seconding`: see there.
/// - `questions`: advertisements whose answer from backing is outstanding; they count as segments.
/// - `lookup`, `heads_question`: one at a time each. `heads`: what prospective parachains keep.
#[derive(Debug, Default)]
pub struct ExperimentalSide {
	config: Config,
	view: View,
	tokens: Tokens,
	blocks: BTreeMap<Hash, SchedulingParent>,
	connections: Connections,
	scores: Scores,
	/// When scores are stored that differ from what is.
	save_at: Option<Timestamp>,
	lookup: Option<Lookup>,
	/// The newest block that was finalized during a lookup.
	finalized_meanwhile: Option<(BlockNumber, Hash)>,
	segments: Segments,
	questions: BTreeMap<Token, Segment>,
	/// Something changed that may allow another fetch: from segments that arrived with this number or later. If
	/// only new segments came, the older ones need not be looked at again.
	replan_since: Option<u64>,
	heads_question: Option<(Token, u64)>,
	/// What prospective parachains said last.
	heads: Heads,
	/// When a segment that waits may be fetched from.
	wake: Option<Timestamp>,
	fetches: BTreeMap<Token, Offer>,
	seconding: Seconding,
}

impl ExperimentalSide {
	/// Without leaves, peers and scores. Of the configuration, only the slot's duration matters.
	pub fn new(config: Config) -> Self {
		Self { config, ..Default::default() }
	}

	fn leaves(&mut self, now: Timestamp, update: LeavesUpdate, effects: &mut Effects<Effect>) {
		for hash in self.view.update(&update) {
			self.forget_block(now, &hash, effects);
		}
		for hash in self.view.blocks().into_keys() {
			self.blocks
				.entry(hash)
				.or_insert_with(|| SchedulingParent { since: now, fetched: BTreeMap::new() });
		}
		let scores = &self.scores;
		let gone =
			self.connections.schedule(now, &self.assigned(), |para, peer| scores.score(now, para, peer));
		for peer in gone {
			self.disconnect(now, peer, effects);
		}
		if update.activated.is_some() {
			self.retry_parked(now, effects);
		}
		self.replan();
		effects.push(Effect::Notice(self.collators(now)));
	}

	/// Paras that a block in view can still schedule on the core that we hold there.
	fn assigned(&self) -> BTreeSet<ParaId> {
		let mut assigned = BTreeSet::new();
		for lane in self.view.leaves().flat_map(|leaf| Lane::of_leaf(leaf)) {
			for at in lane.blocks() {
				assigned.extend(lane.paras_in_window(at));
			}
		}
		assigned
	}

	fn collators(&self, now: Timestamp) -> Notice {
		let ranges = |(para, members): (&ParaId, &BTreeSet<PeerId>)| {
			let mut ranges = [0; SCORE_RANGES.len()];
			for member in members {
				ranges[score_range(self.scores.score(now, *para, member))] += 1;
			}
			(*para, ranges)
		};
		Notice::Collators(self.connections.places().iter().map(ranges).collect())
	}

	/// Drops everything that a block scheduled, once it left the view.
	fn forget_block(&mut self, now: Timestamp, hash: &Hash, effects: &mut Effects<Effect>) {
		self.blocks.remove(hash);
		let left = self.view.left(hash);
		let too_late = |offer: &Offer| offer.trace(now, Stage::Dropped(Reason::OutOfView)).evidence(left);
		for segment in self.segments.forget_block(hash) {
			effects.trace(too_late(&segment.offer(None)));
		}
		let late = self.questions.extract_if(.., |_, segment| segment.scheduling_parent == *hash);
		late.for_each(|(_, segment)| effects.trace(too_late(&segment.offer(None))));
		let late = self.fetches.extract_if(.., |_, offer| offer.scheduling_parent == *hash);
		late.for_each(|(_, offer)| effects.trace(too_late(&offer)));
		self.seconding.forget_block(now, hash, left, effects);
	}

	fn network(&mut self, now: Timestamp, event: NetworkEvent, effects: &mut Effects<Effect>) {
		match event {
			NetworkEvent::PeerConnected { peer, set: PeerSet::Collation, version, .. } => {
				self.peer_connected(now, peer, version, effects)
			},
			NetworkEvent::PeerDisconnected { peer, set: PeerSet::Collation } => {
				self.forget_peer(now, &peer, effects)
			},
			NetworkEvent::Collation { peer, message } => self.message(now, peer, message, effects),
			// What a collator sees of the relay chain does not matter here: only what we see.
			NetworkEvent::PeerConnected { .. }
			| NetworkEvent::PeerDisconnected { .. }
			| NetworkEvent::PeerViewChange { .. }
			| NetworkEvent::UpdatedAuthorityIds { .. }
			| NetworkEvent::NewTopology { .. }
			| NetworkEvent::Validation { .. } => {},
		}
	}

	fn peer_connected(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		version: CollationVersion,
		effects: &mut Effects<Effect>,
	) {
		self.forget_peer(now, &peer, effects);
		let scores = &self.scores;
		match self.connections.admit(now, &peer, version, |para, peer| scores.score(now, para, peer)) {
			Admission::Refused => {
				effects.trace(Trace::new(now, NAME, Stage::Dropped(Reason::CapacityReached)));
				close(peer, effects);
			},
			Admission::Admitted { replaced } => {
				for peer in replaced {
					effects.trace(Trace::new(now, NAME, Stage::Dropped(Reason::CapacityReached)));
					self.disconnect(now, peer, effects);
				}
			},
		}
	}

	/// Closes the connection and forgets the peer at once: what it says until the network follows is void.
	fn disconnect(&mut self, now: Timestamp, peer: PeerId, effects: &mut Effects<Effect>) {
		self.forget_peer(now, &peer, effects);
		close(peer, effects);
	}

	fn report(&self, peer: &PeerId, change: Reputation, effects: &mut Effects<Effect>) {
		effects.push(Effect::Network(NetworkEffect::Report { peer: peer.clone(), change }));
	}

	fn restore(&mut self, entries: &[(Vec<u8>, Vec<u8>)], effects: &mut Effects<Effect>) {
		let (scores, errors) = Scores::load(entries);
		self.scores = scores;
		for error in errors {
			effects.push(Effect::Notice(Notice::ScoresUnreadable(error)));
		}
	}

	/// Stores what differs from what is stored.
	fn save(&mut self, effects: &mut Effects<Effect>) {
		self.save_at = None;
		let writes = self.scores.save();
		if !writes.is_empty() {
			effects.push(Effect::WriteScores(writes));
		}
	}

	/// Stores it within [`SAVE_INTERVAL`].
	fn save_later(&mut self, now: Timestamp) {
		if self.scores.is_unsaved() && self.save_at.is_none() {
			self.save_at = Some(now + SAVE_INTERVAL);
		}
	}

	fn run_timers(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		if self.save_at.is_some_and(|due| due <= now) {
			self.save(effects);
		}
		if self.wake.take_if(|due| *due <= now).is_some() {
			self.replan();
		}
	}
}

fn close(peer: PeerId, effects: &mut Effects<Effect>) {
	effects.push(Effect::Network(NetworkEffect::Disconnect { peer, set: PeerSet::Collation }));
}

impl Subsystem for ExperimentalSide {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		self.run_timers(now, effects);
		match event {
			Event::Leaves(update) => self.leaves(now, update, effects),
			Event::Network(event) => self.network(now, event, effects),
			Event::Response { token, result } => self.response(now, token, result, effects),
			Event::CanSecond { token, allowed } => self.can_second(now, token, allowed, effects),
			Event::ValidationData { token, data } => self.validation_data(now, token, data, effects),
			Event::Seconded { scheduling_parent, statement } => {
				self.seconded(now, scheduling_parent, statement, effects)
			},
			Event::Invalid { scheduling_parent, receipt, reason: _ } => {
				self.invalid(now, scheduling_parent, receipt, effects)
			},
			Event::Dropped { scheduling_parent, candidate_hash, reason: _ } => {
				self.dropped(scheduling_parent, candidate_hash)
			},
			Event::RestoreScores { entries } => self.restore(&entries, effects),
			Event::Finalized { number, hash } => self.finalized(number, hash, effects),
			Event::Included { token, candidates, registered } => {
				self.included(now, token, candidates, registered, effects)
			},
			Event::KnownOutputHeads { token, heads } => self.known_output_heads(now, token, heads, effects),
		}
		self.ask_heads(effects);
	}

	fn tick(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		self.run_timers(now, effects);
		self.ask_heads(effects);
	}

	fn next_deadline(&self) -> Option<Timestamp> {
		self.save_at.into_iter().chain(self.wake).min()
	}

	fn sizes(&self) -> Sizes {
		self.measure()
	}
}
