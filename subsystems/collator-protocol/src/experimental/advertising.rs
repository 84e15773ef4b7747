//! What is checked of declarations, advertisements and segments before anything is fetched (backing pipeline
//! §5.5, "Segments").

use super::{
	planner::Lane,
	segments::{Entries, Refusal, Segment},
	ExperimentalSide,
};
use crate::{
	collation::{is_in_time, Identity, Offer, OfferedCandidate, OfferedDescriptor},
	incoming::{Advertisement, Incoming},
	validator_side::Effect,
	Declaration, NAME,
};
use headway_machine::{
	wire::{AdvertiseSegment, CollationMessage},
	CanSecondQuery, Effects, PeerId, Reason, Reputation, Stage, Timestamp, Token, Trace,
};
use headway_primitives::{CandidateDescriptorVersion, Hash, ParaId};

impl ExperimentalSide {
	pub(super) fn message(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		message: CollationMessage,
		effects: &mut Effects<Effect>,
	) {
		match Incoming::from(message) {
			Incoming::Declaration(declaration, para) => self.declare(now, peer, declaration, para, effects),
			Incoming::Advertisement(advert) => self.advertise(now, peer, advert, effects),
			Incoming::Segment(segment) => self.advertise_segment(now, peer, segment, effects),
			Incoming::Misplaced => {
				effects.trace(Trace::new(now, NAME, Stage::Dropped(Reason::UnexpectedMessage)));
				self.report(&peer, Reputation::CostMinor("message that only validators send"), effects);
			},
		}
	}

	/// The reference does not look at the signature: whoever has a declaration that was overheard may use it
	/// there. The default side does, and so does this one.
	fn declare(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		declaration: Declaration,
		para: ParaId,
		effects: &mut Effects<Effect>,
	) {
		let drop = |reason| Trace::new(now, NAME, Stage::Dropped(reason)).para(para);
		let Some(known) = self.connections.get(&peer) else {
			return effects.trace(drop(Reason::UnknownPeer));
		};
		if known.para != Some(para) && !declaration.is_signed_for(&peer) {
			effects.trace(drop(Reason::InvalidSignature));
			self.report(&peer, Reputation::Malicious("declaration with an invalid signature"), effects);
			return self.disconnect(now, peer, effects);
		}
		self.bind(now, peer, para, effects);
	}

	/// A peer collates for a para, by what it says. Answers whether it may stay.
	fn bind(&mut self, now: Timestamp, peer: PeerId, para: ParaId, effects: &mut Effects<Effect>) -> bool {
		if self.connections.bind(now, &peer, para) {
			return true;
		}
		effects.trace(Trace::new(now, NAME, Stage::Dropped(Reason::ParaNotScheduled)).para(para));
		self.disconnect(now, peer, effects);
		false
	}

	fn advertise(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		advert: Advertisement,
		effects: &mut Effects<Effect>,
	) {
		let Advertisement { scheduling_parent, candidate, descriptor } = advert;
		let drop = |reason| {
			let mut trace =
				Trace::new(now, NAME, Stage::Dropped(reason)).scheduling_parent(scheduling_parent);
			trace.candidate = advert.candidate_hash();
			trace
		};
		let Some(known) = self.connections.get(&peer) else {
			return effects.trace(drop(Reason::UnknownPeer));
		};
		let Some(para) = known.para else {
			effects.trace(drop(Reason::UndeclaredPeer));
			return self.report(&peer, Reputation::CostMinor("advertisement without a declaration"), effects);
		};
		let entries = candidate.map_or(Entries::Any, Entries::ByHash);
		self.consider(now, Segment { peer, para, scheduling_parent, entries, descriptor }, effects);
	}

	fn advertise_segment(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		message: AdvertiseSegment,
		effects: &mut Effects<Effect>,
	) {
		let AdvertiseSegment { scheduling_parent, para_id: para, candidates_descriptor_version, candidates } =
			message;
		let drop = |reason| {
			Trace::new(now, NAME, Stage::Dropped(reason)).para(para).scheduling_parent(scheduling_parent)
		};
		if self.connections.get(&peer).is_none() {
			return effects.trace(drop(Reason::UnknownPeer));
		}
		// A candidate that changes nothing would be its own parent.
		let is_cycle =
			candidates.iter().any(|entry| entry.output_head_data_hash == entry.parent_head_data_hash);
		if candidates.is_empty() || is_cycle {
			effects.trace(drop(Reason::MalformedMessage));
			return self.report(&peer, Reputation::CostMinor("malformed segment"), effects);
		}
		if !self.bind(now, peer.clone(), para, effects) {
			return;
		}
		let entries = candidates.into_iter().map(|entry| OfferedCandidate {
			identity: Identity::OutputHead(entry.output_head_data_hash),
			parent_head_data_hash: entry.parent_head_data_hash,
		});
		let segment = Segment {
			peer,
			para,
			scheduling_parent,
			entries: Entries::ByOutputHead(entries.collect()),
			descriptor: Some(OfferedDescriptor {
				version: candidates_descriptor_version,
				relay_parent: None,
			}),
		};
		self.consider(now, segment, effects);
	}

	/// Takes a segment if it is in order. None of these refusals costs anything: what a collator sees of the
	/// relay chain may differ from what we see, and a segment may be repeated at any time.
	fn consider(&mut self, now: Timestamp, segment: Segment, effects: &mut Effects<Effect>) {
		if let Err(reason) = self.check(now, &segment) {
			let left = match reason {
				Reason::OutOfView => self.view.left(&segment.scheduling_parent),
				_ => None,
			};
			let trace = first_offer(&segment).trace(now, Stage::Dropped(reason));
			return effects.trace(trace.evidence(left));
		}
		let Entries::ByHash(candidate) = segment.entries else { return self.take(now, segment, effects) };
		let Some(candidate_hash) = segment.offer(Some(candidate)).candidate_hash() else { return };
		let token = self.tokens.next();
		effects.push(Effect::CanSecond(CanSecondQuery {
			token,
			para: segment.para,
			scheduling_parent: segment.scheduling_parent,
			candidate_hash,
			parent_head_data_hash: candidate.parent_head_data_hash,
		}));
		self.questions.insert(token, segment);
	}

	fn check(&self, now: Timestamp, segment: &Segment) -> Result<(), Reason> {
		let at = segment.scheduling_parent;
		let Some(block) = self.blocks.get(&at) else { return Err(Reason::OutOfView) };
		let is_v1 = segment.entries == Entries::Any;
		if is_v1 && self.view.leaf(&at).is_none() {
			return Err(Reason::SchedulingParentNotInScope);
		}
		// As a guard, the condition would leave those that come in time to the arm of other versions' relay parents.
		#[allow(clippy::collapsible_match)]
		match segment.descriptor {
			Some(OfferedDescriptor { version: CandidateDescriptorVersion::V3, .. }) => {
				if !is_in_time(&self.view, now, self.config.slot_duration, &at) {
					return Err(Reason::SchedulingParentNotInScope);
				}
			},
			Some(OfferedDescriptor { version: CandidateDescriptorVersion::Unknown(_), .. }) => {
				return Err(Reason::DescriptorVersion);
			},
			Some(OfferedDescriptor { relay_parent: Some(relay_parent), .. }) if relay_parent != at => {
				return Err(Reason::SchedulingParentNotInScope);
			},
			_ => {},
		}
		if let Entries::ByHash(OfferedCandidate { identity: Identity::Candidate(hash), .. }) = segment.entries
		{
			// By the same peer; another one's is an alternative, should the fetch fail.
			let is_same = |offer: &Offer| {
				offer.peer == segment.peer
					&& offer.scheduling_parent == at
					&& offer.candidate_hash() == Some(hash)
			};
			if block.fetched.contains_key(&hash) || self.fetches.values().any(is_same) {
				return Err(Reason::DuplicateMessage);
			}
		}
		let is_of_peer = |asked: &&Segment| asked.peer == segment.peer && asked.scheduling_parent == at;
		let asked: Vec<_> = self.questions.values().filter(is_of_peer).collect();
		if asked.contains(&segment) {
			return Err(Reason::DuplicateMessage);
		}
		let positions = self.positions(&at, segment.para);
		if positions == 0 {
			return Err(Reason::NoClaimQueueSlot);
		}
		let limit = if is_v1 { 1 } else { positions };
		self.segments.check(segment, limit.saturating_sub(asked.len())).map_err(|refusal| match refusal {
			Refusal::Duplicate => Reason::DuplicateMessage,
			Refusal::LimitReached => Reason::ExcessiveMessages,
		})
	}

	/// Positions of the claim queue that the para has, as far as a block reaches; under the leaf with the most.
	fn positions(&self, at: &Hash, para: ParaId) -> usize {
		let lanes = self.view.leaves_with(at).flat_map(|leaf| Lane::of_leaf(leaf));
		lanes.map(|lane| lane.paras_in_window(at).filter(|of| *of == para).count()).max().unwrap_or(0)
	}

	pub(super) fn can_second(
		&mut self,
		now: Timestamp,
		token: Token,
		allowed: bool,
		effects: &mut Effects<Effect>,
	) {
		let Some(segment) = self.questions.remove(&token) else { return };
		if allowed {
			self.take(now, segment, effects);
		} else {
			let reason = Reason::CannotFollowChain;
			effects.trace(first_offer(&segment).trace(now, Stage::Dropped(reason)));
		}
	}

	fn take(&mut self, now: Timestamp, segment: Segment, effects: &mut Effects<Effect>) {
		effects.trace(first_offer(&segment).trace(now, Stage::Advertised));
		self.connections.touch(now, &segment.peer);
		let arrival = self.segments.take(segment);
		self.replan_from(arrival);
	}
}

/// What traces of a segment are about.
fn first_offer(segment: &Segment) -> Offer {
	segment.offer(match &segment.entries {
		Entries::Any => None,
		Entries::ByHash(candidate) => Some(*candidate),
		Entries::ByOutputHead(candidates) => candidates.first().copied(),
	})
}
