//! What is fetched when, what comes back, what backing says of it, and what that costs.
//!
//! # Beyond the reference
//!
//! Of what waits for its parent, one collation of each peer keeps its position, and yields it as with the
//! default side.

use super::{
	notice::SlashReason,
	planner::Lane,
	reputation::{FAILED_FETCH_SLASH, INVALID_COLLATION_SLASH},
	segments::{Knowledge, Next, Segment},
	ExperimentalSide, Fetching, Notice, MAX_FETCH_DELAY, MIN_FETCH_TIMER,
};
use crate::{
	collation::{Fault, Fetched, Identity, Offer, OfferedCandidate},
	seconding::{notify_seconded, Step, Validating},
	validator_side::Effect,
};
use headway_machine::{
	Effects, LeafContext, NetworkEffect, PeerId, Reason, Recipient, Reputation, RequestError, Stage,
	Timestamp, Token,
};
use headway_primitives::{
	CandidateHash, CandidateReceiptV2, Hash, ParaId, PersistedValidationData, SignedFullStatement,
};
use std::{
	cmp::Reverse,
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// By scheduling parent and para: heads that prospective parachains know.
pub(super) type Heads = BTreeMap<Hash, BTreeMap<ParaId, BTreeSet<Hash>>>;

impl ExperimentalSide {
	/// Before anything is fetched, prospective parachains are asked what they know; then [`Self::plan`].
	pub(super) fn ask_heads(&mut self, effects: &mut Effects<Effect>) {
		if self.heads_question.is_some() {
			return;
		}
		let Some(from) = self.replan_since.take() else { return };
		if self.segments.len() == 0 {
			return;
		}
		let paras: BTreeSet<ParaId> = self.segments.live(0).map(|(_, segment)| segment.para).collect();
		let token = self.tokens.next();
		self.heads_question = Some((token, from));
		effects.push(Effect::KnownOutputHeads { token, paras: paras.into_iter().collect() });
	}

	pub(super) fn known_output_heads(
		&mut self,
		now: Timestamp,
		token: Token,
		heads: Heads,
		effects: &mut Effects<Effect>,
	) {
		let Some((_, from)) = self.heads_question.take_if(|(asked, _)| *asked == token) else { return };
		let from = if heads == self.heads { from } else { 0 };
		self.heads = heads;
		self.plan(now, from, effects);
	}

	/// Looks at all segments again.
	pub(super) fn replan(&mut self) {
		self.replan_from(0);
	}

	/// Looks at segments that arrived with this number or later.
	pub(super) fn replan_from(&mut self, arrival: u64) {
		self.replan_since = Some(self.replan_since.map_or(arrival, |from| from.min(arrival)));
	}

	/// Fills the free positions of the claim queues with what was advertised.
	fn plan(&mut self, now: Timestamp, from: u64, effects: &mut Effects<Effect>) {
		if from == 0 {
			self.wake = None;
		}
		let mut leaves: Vec<Arc<LeafContext>> = self.view.leaves().cloned().collect();
		// The fork that is ahead is served first.
		leaves.sort_by_key(|leaf| (Reverse(leaf.block.number), leaf.hash()));
		for leaf in &leaves {
			for mut lane in Lane::of_leaf(leaf) {
				lane.occupy(self.consumers().iter().map(|(at, para)| (at, *para)));
				let free: Vec<_> = lane.free_from_the_back().collect();
				for (depth, para) in free {
					if let Some((segment, candidate)) = self.choose(now, from, leaf, &lane, (depth, para)) {
						self.launch(now, segment, candidate, effects);
					}
				}
			}
			for lane in Lane::of_leaf(leaf) {
				self.displace(now, from, leaf, &lane, effects);
			}
		}
		self.drop_exhausted(now, from, effects);
	}

	/// What waits for a parent gives its position to what others offer, if they hold less: else a collator that claims
	/// parents which do not exist would keep it. Whoever holds most yields first; of several, what waits longest.
	fn displace(
		&mut self,
		now: Timestamp,
		from: u64,
		leaf: &LeafContext,
		lane: &Lane,
		effects: &mut Effects<Effect>,
	) {
		let mut parked: Vec<_> = self
			.seconding
			.parked()
			.filter(|parked| lane.window(&parked.offer.scheduling_parent) > 0)
			.map(|parked| (Reverse(self.held_by(&parked.offer.peer)), parked.fetch, parked.offer.clone()))
			.collect();
		parked.sort_by_key(|(held, fetch, _)| (*held, *fetch));
		for (_, fetch, Offer { peer, para, scheduling_parent, .. }) in parked {
			let mut consumers = self.consumers();
			if let Some(its) = consumers.iter().position(|of| *of == (scheduling_parent, para)) {
				consumers.swap_remove(its);
			}
			let mut lane = lane.clone();
			lane.occupy(consumers.iter().map(|(at, para)| (at, *para)));
			let free: Vec<_> = lane.free_from_the_back().filter(|(_, of)| *of == para).collect();
			for position in free {
				let Some((segment, candidate)) = self.choose(now, from, leaf, &lane, position) else {
					continue;
				};
				let Some(newcomer) = self.segments.get(segment).map(|segment| segment.peer.clone()) else {
					continue;
				};
				if newcomer != peer && self.held_by(&newcomer) >= self.held_by(&peer) {
					continue;
				}
				if let Some(gone) = self.seconding.evict(fetch) {
					self.forget_if_gone(now, &peer, effects);
					self.forget_collation(&scheduling_parent, &gone.candidate_hash);
					self.launch(now, segment, candidate, effects);
				}
				break;
			}
		}
	}

	/// Positions that a peer holds with what is not seconded yet.
	fn held_by(&self, peer: &PeerId) -> usize {
		let all = self.fetches.values().chain(self.seconding.offers());
		all.filter(|offer| offer.peer == *peer).count()
	}

	/// Everything that takes a position: scheduling parent and para.
	fn consumers(&self) -> Vec<(Hash, ParaId)> {
		let in_flight = self.fetches.values().map(|offer| (offer.scheduling_parent, offer.para));
		let fetched = self
			.blocks
			.iter()
			.flat_map(|(at, block)| block.fetched.values().map(|collation| (*at, collation.para)));
		in_flight.chain(fetched).collect()
	}

	/// The segment, and the entry of it, that gets a position: of those that reach it, the one of the highest
	/// score, of these the earliest.
	fn choose(
		&mut self,
		now: Timestamp,
		from: u64,
		leaf: &LeafContext,
		lane: &Lane,
		(depth, para): (usize, ParaId),
	) -> Option<(u64, Option<OfferedCandidate>)> {
		let reaches =
			|segment: &Segment| segment.para == para && lane.window(&segment.scheduling_parent) > depth;
		let mut contenders: Vec<_> = self
			.segments
			.live(from)
			.filter(|(_, segment)| reaches(segment))
			.map(|(arrival, segment)| (Reverse(self.scores.score(now, para, &segment.peer)), arrival))
			.collect();
		contenders.sort_unstable();
		let highest = self.scores.highest(now, para);
		for (Reverse(score), arrival) in contenders {
			let segment = self.segments.get(arrival)?;
			let due = self.due(segment, score, highest);
			if due > now {
				let due = due.max(now + MIN_FETCH_TIMER);
				self.wake = Some(self.wake.map_or(due, |wake| wake.min(due)));
				continue;
			}
			if let Next::Entry(candidate) = self.next(leaf, segment) {
				return Some((arrival, candidate));
			}
		}
		None
	}

	/// When a segment may be fetched from: at once if its collator has proved its worth, or nobody has a higher
	/// score; else when those with one had their chance.
	fn due(&self, segment: &Segment, score: u16, highest: u16) -> Timestamp {
		const INSTANT_FETCH_SCORE: u16 = 1;
		let since =
			self.blocks.get(&segment.scheduling_parent).map_or_else(Timestamp::default, |at| at.since);
		if score >= INSTANT_FETCH_SCORE || score >= highest {
			since
		} else {
			since + MAX_FETCH_DELAY
		}
	}

	/// What may be fetched of a segment, by what is known on the path of a leaf. What is known on another fork
	/// does not matter: this one may need it too.
	fn next(&self, leaf: &LeafContext, segment: &Segment) -> Next {
		let path: Vec<Hash> = leaf.allowed_blocks().map(|block| block.hash).collect();
		let known = |head: &Hash| {
			let of_para = path.iter().filter_map(|at| self.heads.get(at)?.get(&segment.para));
			of_para.into_iter().any(|heads| heads.contains(head))
		};
		let is_fetched = |identity: &Identity| {
			let on_path = path.iter().filter_map(|at| self.blocks.get(at));
			on_path.flat_map(|block| &block.fetched).any(|(hash, collation)| match identity {
				Identity::Candidate(wanted) => hash == wanted,
				Identity::OutputHead(wanted) => {
					collation.para == segment.para && collation.output_head == *wanted
				},
			})
		};
		let is_in_flight = |identity: &Identity| {
			self.fetches.values().any(|offer| {
				offer.para == segment.para
					&& offer.candidate.is_some_and(|candidate| candidate.identity == *identity)
					&& path.contains(&offer.scheduling_parent)
			})
		};
		segment.next(|identity| match identity {
			Identity::OutputHead(head) if known(head) => Knowledge::Known,
			identity if is_fetched(identity) || is_in_flight(identity) => Knowledge::Underway,
			_ => Knowledge::New,
		})
	}

	fn launch(
		&mut self,
		now: Timestamp,
		segment: u64,
		candidate: Option<OfferedCandidate>,
		effects: &mut Effects<Effect>,
	) {
		let Some(segment) = self.segments.consume(segment) else { return };
		let offer = segment.offer(candidate);
		effects.trace(offer.trace(now, Stage::Fetching));
		let token = self.tokens.next();
		effects.push(Effect::Network(NetworkEffect::Request {
			token,
			recipient: Recipient::Peer(offer.peer.clone()),
			request: offer.request(),
		}));
		self.fetches.insert(token, offer);
	}

	/// Uses up segments of which everything is known, under every leaf that they could be backed under.
	fn drop_exhausted(&mut self, now: Timestamp, from: u64, effects: &mut Effects<Effect>) {
		let is_exhausted = |segment: &Segment| {
			let mut leaves = self.view.leaves_with(&segment.scheduling_parent);
			leaves.all(|leaf| self.next(leaf, segment) == Next::Exhausted)
		};
		let exhausted: Vec<u64> = self
			.segments
			.live(from)
			.filter(|(_, segment)| is_exhausted(segment))
			.map(|(arrival, _)| arrival)
			.collect();
		for segment in exhausted.into_iter().filter_map(|arrival| self.segments.consume(arrival)) {
			effects.trace(segment.offer(None).trace(now, Stage::Duplicate));
		}
	}

	pub(super) fn response(
		&mut self,
		now: Timestamp,
		token: Token,
		result: Result<Vec<u8>, RequestError>,
		effects: &mut Effects<Effect>,
	) {
		// Unknown: its peer or its block is gone.
		let Some(offer) = self.fetches.remove(&token) else { return };
		self.replan();
		let fetched = match Fetched::read(result, &offer, token) {
			Ok(fetched) => fetched,
			Err(fault) => {
				effects.trace(offer.trace(now, Stage::Dropped(fault.reason)));
				return self.punish(now, &offer, fault, effects);
			},
		};
		let Some(block) = self.blocks.get_mut(&offer.scheduling_parent) else { return };
		let collation = Fetching { para: offer.para, output_head: fetched.receipt.descriptor.para_head };
		if block.fetched.insert(fetched.candidate_hash, collation).is_some() {
			// By another way to name it, or as somebody's answer of version 1.
			return effects.trace(fetched.trace(now, Stage::Duplicate));
		}
		let step = self.seconding.begin(now, fetched, &self.view, &mut self.tokens, effects);
		self.follow(now, step, effects);
	}

	pub(super) fn validation_data(
		&mut self,
		now: Timestamp,
		token: Token,
		data: Option<PersistedValidationData>,
		effects: &mut Effects<Effect>,
	) {
		let step = self.seconding.validation_data(token, data, effects);
		self.follow(now, step, effects);
	}

	fn follow(&mut self, now: Timestamp, step: Step, effects: &mut Effects<Effect>) {
		match step {
			Step::Underway | Step::Parked { .. } => {},
			Step::GivenUp(fetched) => {
				self.forget_if_gone(now, &fetched.offer.peer, effects);
				self.forget_collation(&fetched.offer.scheduling_parent, &fetched.candidate_hash);
			},
			Step::Failed(fetched, fault) => {
				effects.trace(fetched.trace(now, Stage::Dropped(fault.reason)));
				self.forget_collation(&fetched.offer.scheduling_parent, &fetched.candidate_hash);
				self.punish(now, &fetched.offer, fault, effects);
			},
		}
	}

	/// A collation comes to nothing: its position is free again.
	fn forget_collation(&mut self, at: &Hash, candidate_hash: &CandidateHash) {
		if let Some(block) = self.blocks.get_mut(at) {
			block.fetched.remove(candidate_hash);
		}
		self.replan();
	}

	/// What a failure costs: score. Who has none (any more) has nothing to lose by that, and is reported as by
	/// the default side; with the reference it could try again for ever.
	fn punish(&mut self, now: Timestamp, offer: &Offer, fault: Fault, effects: &mut Effects<Effect>) {
		if fault.is_failed_fetch() {
			self.slash(now, offer, FAILED_FETCH_SLASH, SlashReason::FailedFetch, effects);
		}
		if let Some(change) = fault.reputation {
			self.report_if_without_score(now, offer, change, effects);
		}
	}

	fn report_if_without_score(
		&self,
		now: Timestamp,
		offer: &Offer,
		change: Reputation,
		effects: &mut Effects<Effect>,
	) {
		if self.scores.score(now, offer.para, &offer.peer) == 0 {
			self.report(&offer.peer, change, effects);
		}
	}

	fn slash(
		&mut self,
		now: Timestamp,
		offer: &Offer,
		by: u16,
		reason: SlashReason,
		effects: &mut Effects<Effect>,
	) {
		effects.push(Effect::Notice(Notice::Slashed { para: offer.para, reason }));
		if self.scores.score(now, offer.para, &offer.peer) > 0 {
			self.scores.slash(now, offer.para, &offer.peer, by);
			// At once: a crash must not give it back.
			self.save(effects);
		}
	}

	pub(super) fn seconded(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		statement: SignedFullStatement,
		effects: &mut Effects<Effect>,
	) {
		let (collation, children, orphans) = self.seconding.seconded(&scheduling_parent, &statement);
		if let Some(Validating { offer, .. }) = collation {
			self.report(&offer.peer, Reputation::BenefitMinor("collation was seconded"), effects);
			if let Some(peer) = self.connections.get(&offer.peer) {
				notify_seconded(&offer.peer, peer.version, scheduling_parent, &statement, effects);
			}
			self.connections.touch(now, &offer.peer);
		}
		self.ask_again(now, children, effects);
		self.offer_again(orphans);
		self.replan();
	}

	fn offer_again(&mut self, orphans: Vec<Offer>) {
		for orphan in orphans {
			let arrival = self.segments.restore(Segment::again(orphan));
			self.replan_from(arrival);
		}
	}

	/// Another member of the group may have seconded a parent: asks again for everything that is parked.
	pub(super) fn retry_parked(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		let waiting = self.seconding.unpark_all();
		self.ask_again(now, waiting, effects);
		// Parents of those that were given up may be known too. One of each peer has another try.
		let idle = self.seconding.orphan_peers().into_iter().filter(|peer| self.held_by(peer) == 0).collect();
		let orphans = self.seconding.take_orphans(idle);
		self.offer_again(orphans);
	}

	fn ask_again(&mut self, now: Timestamp, waiting: Vec<Fetched>, effects: &mut Effects<Effect>) {
		for fetched in waiting {
			let step = self.seconding.ask(fetched, &self.view, &mut self.tokens, effects);
			self.follow(now, step, effects);
		}
	}

	pub(super) fn invalid(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		receipt: CandidateReceiptV2,
		effects: &mut Effects<Effect>,
	) {
		let Some((Validating { offer, .. }, children)) =
			self.seconding.invalid(now, scheduling_parent, &receipt, effects)
		else {
			return;
		};
		self.forget_collation(&scheduling_parent, &receipt.hash());
		self.slash(now, &offer, INVALID_COLLATION_SLASH, SlashReason::InvalidCollation, effects);
		self.report_if_without_score(now, &offer, Reputation::Malicious("invalid collation"), effects);
		for child in children {
			self.forget_collation(&child.offer.scheduling_parent, &child.candidate_hash);
		}
	}

	pub(super) fn dropped(&mut self, scheduling_parent: Hash, candidate_hash: CandidateHash) {
		if self.seconding.validating.remove(&(scheduling_parent, candidate_hash)).is_some() {
			self.forget_collation(&scheduling_parent, &candidate_hash);
		}
	}

	/// What was given up cannot be fetched again from a peer that is gone.
	fn forget_if_gone(&mut self, now: Timestamp, peer: &PeerId, effects: &mut Effects<Effect>) {
		if self.connections.get(peer).is_none() {
			self.seconding.forget_peer(now, peer, effects);
		}
	}

	/// A peer is gone: nothing can be fetched from it any more. What was fetched stays.
	pub(super) fn forget_peer(&mut self, now: Timestamp, peer: &PeerId, effects: &mut Effects<Effect>) {
		self.connections.remove(peer);
		self.segments.forget_peer(peer);
		self.seconding.forget_peer(now, peer, effects);
		self.questions.retain(|_, segment| segment.peer != *peer);
		let before = self.fetches.len();
		self.fetches.retain(|_, offer| {
			let keep = offer.peer != *peer;
			if !keep {
				effects.trace(offer.trace(now, Stage::Dropped(Reason::UnknownPeer)));
			}
			keep
		});
		if self.fetches.len() < before {
			self.replan();
		}
	}
}
