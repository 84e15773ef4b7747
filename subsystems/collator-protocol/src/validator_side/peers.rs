//! Peers on the collation set: who they are, what they advertised, and when they have to go.

use super::{Effect, Timer, ValidatorSide, INACTIVE_COLLATOR_TIMEOUT, NAME, UNDECLARED_PEER_TIMEOUT};
use crate::Declaration;
use headway_machine::{
	wire::CollationVersion, Effects, NetworkEffect, PeerId, PeerSet, Reason, Reputation, Stage, Timestamp,
	Trace,
};
use headway_primitives::{CandidateHash, CollatorId, Hash, ParaId};
use std::collections::{BTreeMap, BTreeSet};

/// A connected peer.
#[derive(Debug)]
pub(super) struct Peer {
	pub(super) version: CollationVersion,
	/// Heads of its view, at most 5 (the network sees to it).
	pub(super) heads: Vec<Hash>,
	pub(super) state: PeerState,
	/// When its timer is due.
	check_at: Timestamp,
}

#[derive(Debug)]
pub(super) enum PeerState {
	Connected { since: Timestamp },
	Collating(Collating),
}

#[derive(Debug)]
pub(super) struct Collating {
	pub(super) collator: CollatorId,
	pub(super) para: ParaId,
	/// What it advertised at each block in view; the hash is none from version 1.
	pub(super) advertised: BTreeMap<Hash, BTreeSet<Option<CandidateHash>>>,
	pub(super) last_active: Timestamp,
}

impl Peer {
	pub(super) fn forget_block(&mut self, hash: &Hash) {
		if let PeerState::Collating(collating) = &mut self.state {
			collating.advertised.remove(hash);
		}
	}

	fn expires(&self) -> Timestamp {
		match &self.state {
			PeerState::Connected { since } => *since + UNDECLARED_PEER_TIMEOUT,
			PeerState::Collating(collating) => collating.last_active + INACTIVE_COLLATOR_TIMEOUT,
		}
	}
}

impl ValidatorSide {
	pub(super) fn peer_connected(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		version: CollationVersion,
		effects: &mut Effects<Effect>,
	) {
		self.forget_peer(now, &peer, effects);
		let invulnerables = &self.config.invulnerables;
		if !invulnerables.contains(&peer) {
			let invulnerable = self.peers.keys().filter(|peer| invulnerables.contains(peer)).count();
			// Slots of invulnerables that are not connected are kept free for them.
			let limit = (self.config.collation_slots + invulnerable)
				.saturating_sub(self.config.collation_slots_reserved + invulnerables.len());
			if self.peers.len() - invulnerable >= limit {
				effects.trace(Trace::new(now, NAME, Stage::Dropped(Reason::CapacityReached)));
				self.close(peer, effects);
				return;
			}
		}
		let state = PeerState::Connected { since: now };
		let check_at = now + UNDECLARED_PEER_TIMEOUT;
		let entry = Peer { version, heads: Vec::new(), state, check_at };
		self.timers.insert((check_at, Timer::Activity(peer.clone())));
		self.peers.insert(peer, entry);
	}

	/// Forgets a peer with all that only it could deliver.
	pub(super) fn forget_peer(&mut self, now: Timestamp, peer: &PeerId, effects: &mut Effects<Effect>) {
		let Some(gone) = self.peers.remove(peer) else { return };
		self.timers.remove(&(gone.check_at, Timer::Activity(peer.clone())));
		// Who had not declared itself has nothing here.
		let PeerState::Collating(collating) = gone.state else { return };
		self.collators.remove(&collating.collator);
		self.seconding.forget_peer(now, peer, effects);
		let mut has_freed = false;
		let dropped = Stage::Dropped(Reason::UnknownPeer);
		for block in self.blocks.values_mut() {
			block.set_aside.retain(|(offer, _)| offer.peer != *peer);
			if let super::HoldOff::Running(held) = &mut block.hold_off {
				held.retain(|offer| offer.peer != *peer);
			}
			for queue in block.waiting.values_mut() {
				queue.retain(|offer| {
					let keep = offer.peer != *peer;
					if !keep {
						has_freed = true;
						effects.trace(offer.trace(now, dropped));
					}
					keep
				});
			}
		}
		// Another peer's offer of the same candidate may have waited for the answer.
		has_freed |= self.questions.extract_if(.., |_, offer| offer.peer == *peer).count() > 0;
		let (blocks, timers) = (&mut self.blocks, &mut self.timers);
		self.fetches.retain(|token, fetch| {
			let keep = fetch.offer.peer != *peer;
			if !keep {
				has_freed = true;
				effects.trace(fetch.offer.trace(now, dropped));
				if let Some(block) = blocks.get_mut(&fetch.offer.scheduling_parent) {
					block.release(&fetch.offer.scheduling_parent, *token, timers);
				}
			}
			keep
		});
		// Whoever only comes and goes makes nobody look at anything.
		if has_freed {
			self.room_made(now, collating.para, effects);
		}
	}

	/// What was given up cannot be fetched again from a peer that is gone.
	pub(super) fn forget_if_gone(&mut self, now: Timestamp, peer: &PeerId, effects: &mut Effects<Effect>) {
		if !self.peers.contains_key(peer) {
			self.seconding.forget_peer(now, peer, effects);
		}
	}

	fn close(&self, peer: PeerId, effects: &mut Effects<Effect>) {
		effects.push(Effect::Network(NetworkEffect::Disconnect { peer, set: PeerSet::Collation }));
	}

	/// Closes the connection and forgets the peer at once: what it says until the network follows is void.
	pub(super) fn disconnect(&mut self, now: Timestamp, peer: PeerId, effects: &mut Effects<Effect>) {
		self.close(peer.clone(), effects);
		self.forget_peer(now, &peer, effects);
	}

	pub(super) fn disconnect_unassigned(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		let is_unassigned = |peer: &Peer| match &peer.state {
			PeerState::Collating(collating) => !self.assigned.contains(&collating.para),
			PeerState::Connected { .. } => false,
		};
		let gone = self.peers.iter().filter(|(_, peer)| is_unassigned(peer)).map(|(id, _)| id.clone());
		for peer in gone.collect::<Vec<_>>() {
			self.disconnect(now, peer, effects);
		}
	}

	pub(super) fn check_activity(&mut self, now: Timestamp, peer: PeerId, effects: &mut Effects<Effect>) {
		let Some(known) = self.peers.get_mut(&peer) else { return };
		let expires = known.expires();
		if expires <= now {
			self.disconnect(now, peer, effects);
		} else {
			known.check_at = expires;
			self.timers.insert((expires, Timer::Activity(peer)));
		}
	}

	pub(super) fn declare(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		declaration: Declaration,
		para: ParaId,
		effects: &mut Effects<Effect>,
	) {
		let drop = |reason| Trace::new(now, NAME, Stage::Dropped(reason)).para(para);
		let is_new =
			self.peers.get(&peer).is_some_and(|known| matches!(known.state, PeerState::Connected { .. }));
		if !is_new || self.collators.contains_key(&declaration.collator) {
			effects.trace(drop(Reason::UnexpectedMessage));
			self.report(&peer, Reputation::CostMinor("unexpected declaration"), effects);
			return;
		}
		if !declaration.is_signed_for(&peer) {
			effects.trace(drop(Reason::InvalidSignature));
			self.report(&peer, Reputation::Malicious("declaration with an invalid signature"), effects);
			return;
		}
		if !self.assigned.contains(&para) {
			effects.trace(drop(Reason::ParaNotScheduled));
			self.report(
				&peer,
				Reputation::CostMinor("declaration for a para that we do not validate"),
				effects,
			);
			self.disconnect(now, peer, effects);
			return;
		}
		self.collators.insert(declaration.collator.clone(), peer.clone());
		if let Some(known) = self.peers.get_mut(&peer) {
			known.state = PeerState::Collating(Collating {
				collator: declaration.collator,
				para,
				advertised: BTreeMap::new(),
				last_active: now,
			});
			// The timer for undeclared peers is still set; when it fires it finds the later time and waits
			// for that.
		}
	}

	/// Whether a block is in a peer's view, or under a head of it. Heads that we do not know do not count.
	pub(super) fn is_in_view_of(&self, peer: &Peer, hash: &Hash) -> bool {
		self.view.leaves_with(hash).any(|leaf| {
			// Newest first: a head above the block, or the block itself, has it in its view.
			let above = leaf.allowed_blocks().take_while(|block| block.hash != *hash);
			above.map(|block| &block.hash).chain([hash]).any(|block| peer.heads.contains(block))
		})
	}
}
