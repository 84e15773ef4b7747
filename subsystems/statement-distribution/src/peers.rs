//! Connected peers: which validators they are, and which scheduling parents they work on.

use crate::{sessions::Session, view::RetainedView};
use headway_machine::{by_hash::ByHash, wire::VIEW_HEADS_MAX, PeerId, Sizes};
use headway_primitives::{AuthorityDiscoveryId, Hash, ValidatorIndex};
use std::collections::BTreeSet;

/// A peer of the validation set.
#[derive(Debug, Default)]
struct Peer {
	heads: Vec<Hash>,
	/// Scheduling parents that are retained here and that its heads stand for, ascending: a few.
	implicit: Vec<Hash>,
	authority_ids: BTreeSet<AuthorityDiscoveryId>,
}

/// Connected peers.
///
/// # Bounds
///
/// - `peers`: connections, which the driver limits; each has at most [`VIEW_HEADS_MAX`] heads and, as implicit view, blocks
///   that we retain ourselves.
/// - `by_authority`: discovery keys that authority discovery found for connected peers.
#[derive(Debug, Default)]
pub(crate) struct Peers {
	peers: ByHash<PeerId, Peer>,
	/// Whom a validator's messages go to: one peer per key.
	by_authority: ByHash<AuthorityDiscoveryId, PeerId>,
}

impl Peers {
	/// A peer connected. If another one has one of its keys already, that one keeps it. Of an earlier connection nothing
	/// remains.
	pub(crate) fn connect(&mut self, peer: PeerId, authority_ids: BTreeSet<AuthorityDiscoveryId>) {
		self.disconnect(&peer);
		for id in &authority_ids {
			self.by_authority.entry(id.clone()).or_insert_with(|| peer.clone());
		}
		self.peers.insert(peer, Peer { authority_ids, ..Default::default() });
	}

	/// A peer disconnected: its keys go to others that have them too.
	pub(crate) fn disconnect(&mut self, peer: &PeerId) {
		if let Some(gone) = self.peers.remove(peer) {
			gone.authority_ids.iter().for_each(|id| self.hand_over(peer, id));
		}
	}

	/// A peer's keys changed: it gets the new ones even if another peer had them. False if it is not connected.
	pub(crate) fn update_authority_ids(
		&mut self,
		peer: &PeerId,
		authority_ids: BTreeSet<AuthorityDiscoveryId>,
	) -> bool {
		let Some(state) = self.peers.get_mut(peer) else { return false };
		let previous = std::mem::replace(&mut state.authority_ids, authority_ids.clone());
		previous.difference(&authority_ids).for_each(|id| self.hand_over(peer, id));
		for id in authority_ids {
			self.by_authority.insert(id, peer.clone());
		}
		true
	}

	/// Takes a key away from a peer, unless it is another's.
	fn hand_over(&mut self, from: &PeerId, id: &AuthorityDiscoveryId) {
		if self.by_authority.get(id) != Some(from) {
			return;
		}
		let others =
			self.peers.iter().filter(|(peer, state)| *peer != from && state.authority_ids.contains(id));
		match others.map(|(peer, _)| peer).min() {
			Some(peer) => self.by_authority.insert(id.clone(), peer.clone()),
			None => self.by_authority.remove(id),
		};
	}

	/// A peer's view changed. Answers the scheduling parents that it newly works on.
	pub(crate) fn set_view(&mut self, peer: &PeerId, mut heads: Vec<Hash>, view: &RetainedView) -> Vec<Hash> {
		let Some(state) = self.peers.get_mut(peer) else { return Vec::new() };
		heads.truncate(VIEW_HEADS_MAX);
		state.heads = heads;
		state.refresh(view)
	}

	/// Our own view changed. Answers the scheduling parents that peers newly work on, as far as we know, by peer.
	pub(crate) fn refresh(&mut self, view: &RetainedView) -> Vec<(PeerId, Vec<Hash>)> {
		let fresh = self.peers.iter_mut().map(|(peer, state)| (peer, state.refresh(view)));
		let fresh = fresh.filter(|(_, fresh)| !fresh.is_empty());
		let mut fresh: Vec<_> = fresh.map(|(peer, fresh)| (peer.clone(), fresh)).collect();
		fresh.sort();
		fresh
	}

	/// All peers with the scheduling parents that they work on, by peer.
	pub(crate) fn implicit_views(&self) -> Vec<(PeerId, Vec<Hash>)> {
		let view = |(peer, state): (&PeerId, &Peer)| (peer.clone(), state.implicit.clone());
		let mut views: Vec<_> = self.peers.iter().map(view).collect();
		views.sort();
		views
	}

	/// The scheduling parents that a peer works on.
	pub(crate) fn implicit_view(&self, peer: &PeerId) -> Vec<Hash> {
		self.peers.get(peer).map(|state| state.implicit.clone()).unwrap_or_default()
	}

	/// How many are connected.
	pub(crate) fn len(&self) -> usize {
		self.peers.len()
	}

	/// Notes how full it is, given how many blocks are retained.
	pub(crate) fn sizes(&self, n_blocks: usize, sizes: &mut Sizes) {
		let keys = self.peers.values().map(|peer| peer.authority_ids.len()).sum();
		sizes.note("authorities", self.by_authority.len(), keys);
		for peer in self.peers.values() {
			sizes.note("heads", peer.heads.len(), VIEW_HEADS_MAX);
			sizes.note("implicit_view", peer.implicit.len(), n_blocks);
		}
	}

	/// Whether a peer is connected.
	pub(crate) fn is_connected(&self, peer: &PeerId) -> bool {
		self.peers.contains_key(peer)
	}

	/// Whether a peer works on a scheduling parent.
	pub(crate) fn knows(&self, peer: &PeerId, scheduling_parent: &Hash) -> bool {
		self.peers.get(peer).is_some_and(|state| state.implicit.contains(scheduling_parent))
	}

	/// Validators of a session that a peer is, ascending; active or not.
	pub(crate) fn validators(&self, peer: &PeerId, session: &Session) -> Vec<ValidatorIndex> {
		let ids = self.peers.get(peer).into_iter().flat_map(|state| &state.authority_ids);
		let mut validators: Vec<_> = ids.filter_map(|id| session.index_of(id)).collect();
		validators.sort();
		validators.dedup();
		validators
	}

	/// The peer that messages for a validator go to.
	pub(crate) fn of_validator(&self, validator: ValidatorIndex, session: &Session) -> Option<&PeerId> {
		self.by_authority.get(session.discovery_key(validator)?)
	}
}

impl Peer {
	fn refresh(&mut self, view: &RetainedView) -> Vec<Hash> {
		let mut implicit: Vec<_> = self.heads.iter().flat_map(|head| view.allowed_under(head)).collect();
		implicit.sort();
		implicit.dedup();
		let fresh = implicit.iter().filter(|hash| !self.implicit.contains(hash)).copied().collect();
		self.implicit = implicit;
		fresh
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::testing::{peer, session, validator_keys};

	fn ids(session: &headway_machine::SessionContext, of: &[usize]) -> BTreeSet<AuthorityDiscoveryId> {
		of.iter().map(|i| session.info.discovery_keys[*i].clone()).collect()
	}

	#[test]
	fn the_first_peer_keeps_a_key_until_it_goes_or_an_update_says_otherwise() {
		let context = session(1, &validator_keys(2), vec![vec![0, 1]], None);
		let mut sessions = crate::sessions::Sessions::default();
		let (_, session) = sessions.ensure(&context);
		let owner = |peers: &Peers| peers.of_validator(ValidatorIndex(0), session).cloned();
		let mut peers = Peers::default();
		peers.connect(peer(1), ids(&context, &[0]));
		peers.connect(peer(2), ids(&context, &[0, 1]));
		assert_eq!(owner(&peers), Some(peer(1)));
		assert_eq!(peers.validators(&peer(2), session), [ValidatorIndex(0), ValidatorIndex(1)]);
		// Another peer's loss is nobody's gain.
		assert!(peers.update_authority_ids(&peer(2), ids(&context, &[1])));
		assert_eq!(owner(&peers), Some(peer(1)));
		assert!(peers.update_authority_ids(&peer(2), ids(&context, &[0])));
		assert_eq!(owner(&peers), Some(peer(2)));
		peers.disconnect(&peer(2));
		assert_eq!(owner(&peers), Some(peer(1)), "the other peer that has the key inherits it");
		peers.disconnect(&peer(1));
		assert_eq!(owner(&peers), None);
		assert!(!peers.update_authority_ids(&peer(1), ids(&context, &[0])));
		peers.connect(peer(1), ids(&context, &[0]));
		peers.connect(peer(1), ids(&context, &[1]));
		assert_eq!(owner(&peers), None, "who connects anew has the keys that he has now");
	}
}
