//! Where validators are: from discovery keys to addresses and peers, and which of them we want to be connected to.

use headway_primitives::AuthorityDiscoveryId;
use sc_authority_discovery::Service;
use sc_network_types::{
	multiaddr::{Multiaddr, Protocol},
	PeerId,
};
use std::collections::{BTreeSet, HashMap, HashSet};

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

/// Looks up discovery keys. Does not wait for the DHT: what is not known yet is unresolved.
pub async fn resolve(
	mut service: Service,
	authorities: Vec<AuthorityDiscoveryId>,
	local_peer: PeerId,
) -> Resolved {
	let mut resolved = Resolved::default();
	for authority in authorities {
		let addresses = service.get_addresses_by_authority_id(authority.clone()).await.unwrap_or_default();
		let mut known = false;
		for address in addresses {
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

/// The peer that an address belongs to.
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
	address.iter().find_map(|part| match part {
		Protocol::P2p(hash) => PeerId::from_multihash(hash).ok(),
		_ => None,
	})
}
