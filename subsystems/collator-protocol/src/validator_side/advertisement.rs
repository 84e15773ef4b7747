//! What is checked of an advertisement before anything is fetched (backing pipeline §5.4, the table, in its
//! order).

use super::{peers::PeerState, Effect, HoldOff, Timer, ValidatorSide, NAME, SET_ASIDE_PER_BLOCK_MAX};
use crate::{
	collation::{is_in_time, Offer, OfferedDescriptor},
	incoming::Advertisement,
};
use headway_machine::{
	wire::CollationVersion, CanSecondQuery, Effects, PeerId, Reason, Reputation, Stage, Timestamp, Token,
	Trace,
};
use headway_primitives::{CandidateDescriptorVersion, CandidateHash, Hash, ParaId};
use std::collections::{BTreeMap, VecDeque};

/// Why an advertisement is refused, and what that costs its sender.
struct Refusal {
	reason: Reason,
	reputation: Option<Reputation>,
}

fn costs(reason: Reason, why: &'static str) -> Refusal {
	Refusal { reason, reputation: Some(Reputation::CostMinor(why)) }
}

impl ValidatorSide {
	pub(super) fn advertise(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		advert: Advertisement,
		effects: &mut Effects<Effect>,
	) {
		match self.check_and_record(now, &peer, &advert) {
			Ok(offer) => {
				effects.trace(offer.trace(now, Stage::Advertised));
				self.hold_off_or_consider(now, offer, effects);
			},
			Err(Refusal { reason, reputation }) => {
				let mut trace =
					Trace::new(now, NAME, Stage::Dropped(reason)).scheduling_parent(advert.scheduling_parent);
				trace.candidate = advert.candidate_hash();
				trace.parent_head = advert.candidate.map(|candidate| candidate.parent_head_data_hash);
				if reason == Reason::OutOfView {
					trace.evidence = self.view.left(&advert.scheduling_parent);
				}
				trace.para = self.peers.get(&peer).and_then(|peer| match &peer.state {
					PeerState::Collating(collating) => Some(collating.para),
					_ => None,
				});
				effects.trace(trace);
				if let Some(change) = reputation {
					self.report(&peer, change, effects);
				}
			},
		}
	}

	/// Checks 1 to 6.
	fn check_and_record(
		&mut self,
		now: Timestamp,
		peer: &PeerId,
		advert: &Advertisement,
	) -> Result<Offer, Refusal> {
		let at = advert.scheduling_parent;
		let Some(known) = self.peers.get(peer) else {
			return Err(Refusal { reason: Reason::UnknownPeer, reputation: None });
		};
		let is_v1 = known.version == CollationVersion::V1;
		if (is_v1 || advert.candidate.is_none()) && self.view.leaf(&at).is_none() {
			let why = "version 1 advertisement at a block that is no leaf";
			return Err(Refusal {
				reason: Reason::SchedulingParentNotInScope,
				reputation: Some(Reputation::Malicious(why)),
			});
		}
		if let Some(OfferedDescriptor { version, relay_parent: Some(relay_parent) }) = advert.descriptor {
			self.check_scheduling_parent(now, &at, version, relay_parent)?;
		}
		let PeerState::Collating(collating) = &known.state else {
			return Err(costs(Reason::UndeclaredPeer, "advertisement without a declaration"));
		};
		if !self.blocks.contains_key(&at) || !self.is_in_view_of(known, &at) {
			return Err(costs(Reason::OutOfView, "advertisement out of view"));
		}
		let lookahead =
			self.view.leaves_with(&at).map(|leaf| leaf.scheduling_lookahead as usize).max().unwrap_or(0);
		let hash = advert.candidate_hash();
		if let Some(before) = collating.advertised.get(&at) {
			if before.contains(&hash) {
				return Err(costs(Reason::DuplicateMessage, "repeated advertisement"));
			}
			if before.len() > lookahead {
				return Err(costs(Reason::ExcessiveMessages, "too many advertisements at a block"));
			}
		}
		let para = collating.para;
		if let Some(PeerState::Collating(collating)) = self.peers.get_mut(peer).map(|peer| &mut peer.state) {
			collating.advertised.entry(at).or_default().insert(hash);
			collating.last_active = now;
		}
		Ok(Offer {
			peer: peer.clone(),
			para,
			scheduling_parent: at,
			candidate: advert.candidate,
			descriptor: advert.descriptor,
			is_v1,
		})
	}

	/// Check 5: which scheduling parent a version 3 descriptor may have, at which time (backing pipeline
	/// §5.3).
	fn check_scheduling_parent(
		&self,
		now: Timestamp,
		at: &Hash,
		version: CandidateDescriptorVersion,
		relay_parent: Hash,
	) -> Result<(), Refusal> {
		if version != CandidateDescriptorVersion::V3 {
			let why = "relay parent differs from the scheduling parent";
			return if relay_parent == *at {
				Ok(())
			} else {
				Err(costs(Reason::SchedulingParentNotInScope, why))
			};
		}
		let is_in_time = is_in_time(&self.view, now, self.config.slot_duration, at);
		let why = "scheduling parent out of its time";
		is_in_time.then_some(()).ok_or(costs(Reason::SchedulingParentNotInScope, why))
	}

	/// Check 7.
	fn hold_off_or_consider(&mut self, now: Timestamp, offer: Offer, effects: &mut Effects<Effect>) {
		let invulnerables = &self.config.invulnerables;
		let is_held = offer.para == self.config.hold_off_para
			&& !invulnerables.is_empty()
			&& !invulnerables.contains(&offer.peer);
		if !is_held {
			return self.consider(now, offer, effects);
		}
		let at = offer.scheduling_parent;
		match self.blocks.get_mut(&at).map(|block| &mut block.hold_off) {
			Some(HoldOff::Running(held)) => held.push(offer),
			Some(not_started @ HoldOff::NotStarted) => {
				*not_started = HoldOff::Running(vec![offer]);
				self.timers.insert((now + self.config.hold_off, Timer::HoldOff(at)));
			},
			Some(HoldOff::Over) | None => self.consider(now, offer, effects),
		}
	}

	pub(super) fn hold_off_expired(&mut self, now: Timestamp, at: &Hash, effects: &mut Effects<Effect>) {
		let Some(block) = self.blocks.get_mut(at) else { return };
		if let HoldOff::Running(held) = std::mem::replace(&mut block.hold_off, HoldOff::Over) {
			held.into_iter().for_each(|offer| self.consider(now, offer, effects));
		}
	}

	/// Checks 8 and 9. What fails here is set aside, for it may pass later.
	pub(super) fn consider(&mut self, now: Timestamp, offer: Offer, effects: &mut Effects<Effect>) {
		let at = offer.scheduling_parent;
		if let Some(hash) = offer.candidate_hash() {
			match self.progress(&at, offer.para, &hash) {
				Some(Progress::Seconded) => {
					effects.trace(offer.trace(now, Stage::Duplicate));
					return;
				},
				Some(Progress::Underway) => return self.set_aside(now, offer, Reason::AlreadyKnown, effects),
				None => {},
			}
		}
		if !self.has_room(&at, offer.para) && self.victim_of(&offer).is_none() {
			return self.set_aside(now, offer, Reason::NoClaimQueueSlot, effects);
		}
		let (Some(candidate), Some(candidate_hash)) = (offer.candidate, offer.candidate_hash()) else {
			return self.enqueue(now, offer, effects);
		};
		let token = self.tokens.next();
		effects.push(Effect::CanSecond(CanSecondQuery {
			token,
			para: offer.para,
			scheduling_parent: at,
			candidate_hash,
			parent_head_data_hash: candidate.parent_head_data_hash,
		}));
		self.questions.insert(token, offer);
	}

	pub(super) fn can_second(
		&mut self,
		now: Timestamp,
		token: Token,
		allowed: bool,
		effects: &mut Effects<Effect>,
	) {
		let Some(offer) = self.questions.remove(&token) else { return };
		if !allowed {
			return self.set_aside(now, offer, Reason::CannotFollowChain, effects);
		}
		self.enqueue(now, offer, effects);
	}

	fn enqueue(&mut self, now: Timestamp, offer: Offer, effects: &mut Effects<Effect>) {
		let at = offer.scheduling_parent;
		// Another one may have taken the room while backing was asked.
		if !self.has_room(&at, offer.para) {
			let victim = self.victim_of(&offer).and_then(|victim| self.seconding.evict(victim));
			let Some(victim) = victim else {
				return self.set_aside(now, offer, Reason::NoClaimQueueSlot, effects);
			};
			self.forget_if_gone(now, &victim.offer.peer, effects);
		}
		let Some(block) = self.blocks.get_mut(&at) else { return };
		block.waiting.entry(offer.para).or_default().push_back(offer);
		self.fetch_next(now, &at, effects);
	}

	/// Whether the claim queue has room for one more collation of a para at a block, under any leaf.
	fn has_room(&self, at: &Hash, para: ParaId) -> bool {
		self.has_room_without(at, para, None)
	}

	/// The same, if a collation of a block gave its position back.
	fn has_room_without(&self, at: &Hash, para: ParaId, without: Option<&Hash>) -> bool {
		let Some(core) = self.blocks.get(at).and_then(|block| block.core) else { return false };
		let claims = |block: &Hash| {
			let claimed = self.claims(block, core, para) + self.waiting(block, core, para);
			claimed.saturating_sub(usize::from(without == Some(block)))
		};
		self.paths(at).iter().any(|path| path.has_room(para, at, claims))
	}

	/// Whether one more collation of a para at a block could be backed under any leaf, if nothing else waits for its turn.
	pub(super) fn is_reached(&self, at: &Hash, para: ParaId) -> bool {
		let Some(core) = self.blocks.get(at).and_then(|block| block.core) else { return false };
		self.paths(at).iter().any(|path| path.has_room(para, at, |block| self.claims(block, core, para)))
	}

	/// Which collation that waits for its parent has to give its position to an offer.
	fn victim_of(&self, offer: &Offer) -> Option<Token> {
		let Offer { scheduling_parent: at, para, .. } = offer;
		let makes_room = |parked: &Offer| {
			parked.para == *para && self.has_room_without(at, *para, Some(&parked.scheduling_parent))
		};
		self.seconding.victim(&offer.peer, |peer| self.held_by(peer), makes_room)
	}

	/// Positions that a peer holds with what is not seconded yet.
	pub(super) fn held_by(&self, peer: &PeerId) -> usize {
		let waiting = self.blocks.values().flat_map(|block| block.waiting.values().flatten());
		let fetches = self.fetches.values().map(|fetch| &fetch.offer);
		let all = waiting.chain(fetches).chain(self.seconding.offers());
		all.filter(|offer| offer.peer == *peer).count()
	}

	/// How far a candidate is that somebody else advertised before. A fetch that takes too long does not
	/// count.
	fn progress(&self, at: &Hash, para: ParaId, hash: &CandidateHash) -> Option<Progress> {
		let block = self.blocks.get(at)?;
		if block.seconded.get(&para).is_some_and(|seconded| seconded.contains(hash)) {
			return Some(Progress::Seconded);
		}
		let is_same = |offer: &Offer| offer.scheduling_parent == *at && offer.candidate_hash() == Some(*hash);
		let underway = block.waiting.get(&para).is_some_and(|queue| queue.iter().any(is_same))
			|| self.questions.values().any(is_same)
			|| self.fetches.values().any(|fetch| !fetch.is_shared && is_same(&fetch.offer))
			|| self.seconding.offers().any(is_same)
			|| self.seconding.validating.contains_key(&(*at, *hash));
		underway.then_some(Progress::Underway)
	}

	pub(super) fn set_aside(
		&mut self,
		now: Timestamp,
		offer: Offer,
		reason: Reason,
		effects: &mut Effects<Effect>,
	) {
		let Some(block) = self.blocks.get_mut(&offer.scheduling_parent) else { return };
		block.set_aside.push_back((offer, reason));
		if block.set_aside.len() > SET_ASIDE_PER_BLOCK_MAX {
			// The oldest of whoever has most there.
			let mut counts = BTreeMap::<&PeerId, usize>::new();
			block.set_aside.iter().for_each(|(offer, _)| *counts.entry(&offer.peer).or_default() += 1);
			let most = counts.values().copied().max();
			let oldest =
				block.set_aside.iter().position(|(offer, _)| counts.get(&offer.peer).copied() == most);
			if let Some((gone, _)) = oldest.and_then(|oldest| block.set_aside.remove(oldest)) {
				effects.trace(gone.trace(now, Stage::Dropped(Reason::CapacityReached)));
			}
		}
	}

	/// Looks again at what was set aside, as far as the change matters to it.
	pub(super) fn reconsider(&mut self, now: Timestamp, change: Change, effects: &mut Effects<Effect>) {
		let matters = |offer: &Offer, reason: Reason| match change {
			Change::Chain => true,
			Change::Room(para) => offer.para == para && reason != Reason::CannotFollowChain,
		};
		let mut aside = Vec::new();
		for block in self.blocks.values_mut() {
			let all = std::mem::take(&mut block.set_aside).into_iter();
			let (again, still): (VecDeque<_>, _) = all.partition(|(offer, reason)| matters(offer, *reason));
			block.set_aside = still;
			aside.extend(again.into_iter().map(|(offer, _)| offer));
		}
		aside.into_iter().for_each(|offer| self.consider(now, offer, effects));
	}
}

/// What changed since offers were set aside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
	/// The leaves, or which heads are known.
	Chain,
	/// A position that was this para's is free, or another peer may be asked for what one does not deliver.
	Room(ParaId),
}

/// How far a candidate is on its way to being seconded.
enum Progress {
	Seconded,
	Underway,
}
