//! Where validators are: from discovery keys to addresses and peers, and which of them we want to be connected to.

use headway_primitives::AuthorityDiscoveryId;
use sc_network_types::{
	multiaddr::{Multiaddr, Protocol},
	PeerId,
};
use std::{
	collections::{BTreeMap, BTreeSet, HashMap, HashSet},
	future::Future,
};

/// Answer of a lookup: addresses, and which peers they belong to.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
	/// All addresses, each ending in its peer id.
	pub addresses: HashSet<Multiaddr>,
	/// Discovery keys of each peer.
	pub peers: HashMap<PeerId, BTreeSet<AuthorityDiscoveryId>>,
	/// How many keys have no known address.
	pub unresolved: usize,
}

/// Looks up discovery keys by asking `lookup` for the addresses of each. Does not wait for the DHT: what is not known yet is
/// unresolved.
pub async fn resolve<Lookup, Found>(
	mut lookup: Lookup,
	authorities: Vec<AuthorityDiscoveryId>,
	local_peer: PeerId,
) -> Resolved
where
	Lookup: FnMut(AuthorityDiscoveryId) -> Found,
	Found: Future<Output = HashSet<Multiaddr>>,
{
	let mut resolved = Resolved::default();
	for authority in authorities {
		let mut known = false;
		for address in lookup(authority.clone()).await {
			let Some(peer) = peer_of(&address) else { continue };
			known = true;
			if peer != local_peer {
				resolved.peers.entry(peer).or_default().insert(authority.clone());
				resolved.addresses.insert(address);
			}
		}
		if !known {
			resolved.unresolved += 1;
		}
	}
	resolved
}

/// Which peer holds which discovery keys, as far as authority discovery knows.
///
/// # Bounds
///
/// One entry per connected peer that is a validator, and per peer of a validator that we want to be connected to, once
/// [`Self::forget`] was called.
#[derive(Debug, Default)]
pub struct KnownAuthorities {
	by_peer: BTreeMap<PeerId, BTreeSet<AuthorityDiscoveryId>>,
}

impl KnownAuthorities {
	/// The keys of a peer, if it is known to have any.
	pub fn of(&self, peer: &PeerId) -> Option<&BTreeSet<AuthorityDiscoveryId>> {
		self.by_peer.get(peer)
	}

	/// The peers that hold a key, ascending.
	pub fn peers_of<'a>(&'a self, id: &'a AuthorityDiscoveryId) -> impl Iterator<Item = PeerId> + 'a {
		self.by_peer.iter().filter(|(_, ids)| ids.contains(id)).map(|(peer, _)| *peer)
	}

	/// Notes the keys of a peer.
	pub fn insert(&mut self, peer: PeerId, ids: BTreeSet<AuthorityDiscoveryId>) {
		if !ids.is_empty() {
			self.by_peer.insert(peer, ids);
		}
	}

	/// Takes in the outcome of a lookup: each key that was found is where it was found, and nowhere else any more. Keys
	/// that were not looked up, or not found, stay where they are. Answers the peers whose keys changed, ascending.
	pub fn learn(&mut self, found: &HashMap<PeerId, BTreeSet<AuthorityDiscoveryId>>) -> Vec<PeerId> {
		let all: BTreeSet<&AuthorityDiscoveryId> = found.values().flatten().collect();
		let mut changed = BTreeSet::new();
		for (peer, ids) in &mut self.by_peer {
			let here = found.get(peer);
			let before = ids.len();
			ids.retain(|id| !all.contains(id) || here.is_some_and(|here| here.contains(id)));
			if ids.len() != before {
				changed.insert(*peer);
			}
		}
		for (peer, found) in found {
			let ids = self.by_peer.entry(*peer).or_default();
			if !found.is_subset(ids) {
				ids.extend(found.iter().cloned());
				changed.insert(*peer);
			}
		}
		self.by_peer.retain(|_, ids| !ids.is_empty());
		changed.into_iter().collect()
	}

	/// Forgets peers of which `keep` wants no key.
	pub fn forget(&mut self, keep: impl Fn(&PeerId, &AuthorityDiscoveryId) -> bool) {
		self.by_peer.retain(|peer, ids| ids.iter().any(|id| keep(peer, id)));
	}
}

/// The peer that an address belongs to.
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
	address.iter().find_map(|part| match part {
		Protocol::P2p(hash) => PeerId::from_multihash(hash).ok(),
		_ => None,
	})
}
