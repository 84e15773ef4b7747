//! Which peers stay connected (backing pipeline §5.5, "Connections").
//!
//! Every scheduled para has a number of places. A peer that has not said for which para it collates holds a
//! place in each of them, as far as there is room; then only in its own. Where there is no room, whoever has
//! the lowest score goes, if the newcomer has a higher one.
//!
//! # Beyond the reference
//!
//! A place is not held for ever by coming first: a peer that was idle for longer than it may be (an undeclared
//! one of versions 1 to 3 for [`UNDECLARED_PEER_TIMEOUT`], any other for [`INACTIVE_COLLATOR_TIMEOUT`]) goes for
//! a newcomer of the same score. So fresh identities that connect and say nothing cannot take all places of
//! all paras for good, and nobody has to be disconnected where there is room.

use crate::validator_side::{INACTIVE_COLLATOR_TIMEOUT, UNDECLARED_PEER_TIMEOUT};
use headway_machine::{wire::CollationVersion, PeerId, Timestamp};
use headway_primitives::ParaId;
use std::collections::{BTreeMap, BTreeSet};

/// Collators that are connected.
pub const PEERS_MAX: usize = 300;
/// Collators of one para that are connected.
pub const PEERS_PER_PARA_MAX: usize = 60;

/// A connected peer.
#[derive(Clone, Debug)]
pub(super) struct Peer {
	pub(super) version: CollationVersion,
	/// The para that it is bound to, by a declaration or a segment.
	pub(super) para: Option<ParaId>,
	/// When it connected, or last said something that was of use.
	last_active: Timestamp,
	/// Orders peers by when they connected.
	arrival: u64,
}

impl Peer {
	fn is_idle(&self, now: Timestamp) -> bool {
		let says_who_it_is = self.para.is_some() || self.version == CollationVersion::V4;
		let limit = if says_who_it_is { INACTIVE_COLLATOR_TIMEOUT } else { UNDECLARED_PEER_TIMEOUT };
		now.since(self.last_active) >= limit
	}
}

/// Whether a peer may stay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Admission {
	/// It may not.
	Refused,
	/// It may, and these have to go for it.
	Admitted { replaced: Vec<PeerId> },
}

/// Connected peers and their places.
///
/// # Bounds
///
/// [`PEERS_MAX`] places in all (one for each para, if there are more paras than that); every peer holds at
/// least one.
#[derive(Debug, Default)]
pub(super) struct Connections {
	places: BTreeMap<ParaId, BTreeSet<PeerId>>,
	peers: BTreeMap<PeerId, Peer>,
	arrivals: u64,
}

impl Connections {
	pub(super) fn get(&self, peer: &PeerId) -> Option<&Peer> {
		self.peers.get(peer)
	}

	/// The peers with a place in each scheduled para.
	pub(super) fn places(&self) -> &BTreeMap<ParaId, BTreeSet<PeerId>> {
		&self.places
	}

	/// Places of each para.
	fn limit(&self) -> usize {
		(PEERS_MAX / self.places.len().max(1)).clamp(1, PEERS_PER_PARA_MAX)
	}

	/// A peer connected.
	pub(super) fn admit(
		&mut self,
		now: Timestamp,
		peer: &PeerId,
		version: CollationVersion,
		score: impl Fn(ParaId, &PeerId) -> u16,
	) -> Admission {
		self.remove(peer);
		self.arrivals += 1;
		let newcomer = Peer { version, para: None, last_active: now, arrival: self.arrivals };
		let admission = self.place(now, peer, &newcomer, score);
		if admission != Admission::Refused {
			self.peers.insert(peer.clone(), newcomer);
		}
		admission
	}

	/// Finds places for a peer.
	fn place(
		&mut self,
		now: Timestamp,
		peer: &PeerId,
		state: &Peer,
		score: impl Fn(ParaId, &PeerId) -> u16,
	) -> Admission {
		let limit = self.limit();
		let mut replaced = BTreeSet::new();
		let mut has_place = false;
		for (para, members) in &mut self.places {
			if state.para.is_some_and(|bound| bound != *para) {
				continue;
			}
			if members.len() >= limit {
				let rank = |member: &PeerId, state: &Peer| (score(*para, member), !state.is_idle(now));
				// Of several, whoever came last.
				let ranked = members.iter().filter_map(|member| {
					let state = self.peers.get(member)?;
					Some((rank(member, state), std::cmp::Reverse(state.arrival), member))
				});
				let Some((lowest_rank, _, lowest)) = ranked.min() else { continue };
				if rank(peer, state) <= lowest_rank {
					continue;
				}
				let lowest = lowest.clone();
				members.remove(&lowest);
				replaced.insert(lowest);
			}
			members.insert(peer.clone());
			has_place = true;
		}
		if !has_place {
			return Admission::Refused;
		}
		// They may have a place elsewhere.
		replaced.retain(|peer| !self.places.values().any(|members| members.contains(peer)));
		for peer in &replaced {
			self.peers.remove(peer);
		}
		Admission::Admitted { replaced: replaced.into_iter().collect() }
	}

	/// A peer says that it collates for a para. Answers whether it may: it was not bound to another one, and has
	/// a place in this one. If not, it is forgotten.
	pub(super) fn bind(&mut self, now: Timestamp, peer: &PeerId, para: ParaId) -> bool {
		let Some(state) = self.peers.get_mut(peer) else { return false };
		let has_place = self.places.get(&para).is_some_and(|members| members.contains(peer));
		if !has_place || state.para.is_some_and(|bound| bound != para) {
			self.remove(peer);
			return false;
		}
		if state.para.replace(para).is_none() {
			for (_, members) in self.places.iter_mut().filter(|(other, _)| **other != para) {
				members.remove(peer);
			}
		}
		state.last_active = now;
		true
	}

	/// A peer said something that was of use.
	pub(super) fn touch(&mut self, now: Timestamp, peer: &PeerId) {
		if let Some(state) = self.peers.get_mut(peer) {
			state.last_active = now;
		}
	}

	/// Other paras are scheduled. Answers the peers that have to go.
	pub(super) fn schedule(
		&mut self,
		now: Timestamp,
		paras: &BTreeSet<ParaId>,
		score: impl Fn(ParaId, &PeerId) -> u16,
	) -> Vec<PeerId> {
		if self.places.keys().eq(paras) {
			return Vec::new();
		}
		self.places = paras.iter().map(|para| (*para, BTreeSet::new())).collect();
		// In the order in which they came, as if they connected now.
		let mut peers: Vec<_> = std::mem::take(&mut self.peers).into_iter().collect();
		peers.sort_by_key(|(_, state)| state.arrival);
		let mut gone = Vec::new();
		for (peer, state) in peers {
			match self.place(now, &peer, &state, &score) {
				Admission::Refused => gone.push(peer),
				Admission::Admitted { replaced } => {
					gone.extend(replaced);
					self.peers.insert(peer, state);
				},
			}
		}
		gone
	}

	/// A peer disconnected, or has to go.
	pub(super) fn remove(&mut self, peer: &PeerId) {
		for members in self.places.values_mut() {
			members.remove(peer);
		}
		self.peers.remove(peer);
	}

	pub(super) fn len(&self) -> usize {
		self.peers.len()
	}
}
