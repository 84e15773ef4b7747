//! The network of a chain that lives on one machine, or in one local network, as authority discovery sees it.

use sc_network::{
	multiaddr::Protocol,
	service::{
		signature::Signature,
		traits::{
			KademliaKey, NetworkDHTProvider, NetworkService, NetworkSigner, NetworkStateInfo, Record,
			SigningError,
		},
	},
	Multiaddr, PeerId,
};
use std::{collections::HashSet, net::Ipv6Addr, sync::Arc, time::Instant};

/// A network whose listen addresses count as external ones.
///
/// Authority discovery publishes no private address that it only listens on. An address becomes external when somebody
/// dialed it; in a small network the node that started last dials all others and is dialed by nobody, and would never be
/// found by them.
pub(super) struct LocalNetwork(pub(super) Arc<dyn NetworkService>);

impl NetworkStateInfo for LocalNetwork {
	fn external_addresses(&self) -> Vec<Multiaddr> {
		let mut addresses = self.0.external_addresses();
		addresses.extend(self.0.listen_addresses().into_iter().filter(is_dialable));
		addresses
	}

	fn listen_addresses(&self) -> Vec<Multiaddr> {
		self.0.listen_addresses()
	}

	fn local_peer_id(&self) -> PeerId {
		self.0.local_peer_id()
	}
}

/// Not a wildcard, and not an address that means nothing without the name of an interface.
fn is_dialable(address: &Multiaddr) -> bool {
	!address.iter().any(|part| match part {
		Protocol::Ip4(ip) => ip.is_unspecified(),
		Protocol::Ip6(ip) => ip.is_unspecified() || is_link_local(ip),
		_ => false,
	})
}

fn is_link_local(ip: Ipv6Addr) -> bool {
	ip.segments()[0] & 0xffc0 == 0xfe80
}

impl NetworkDHTProvider for LocalNetwork {
	fn find_closest_peers(&self, target: PeerId) {
		self.0.find_closest_peers(target)
	}

	fn get_value(&self, key: &KademliaKey) {
		self.0.get_value(key)
	}

	fn put_value(&self, key: KademliaKey, value: Vec<u8>) {
		self.0.put_value(key, value)
	}

	fn put_record_to(&self, record: Record, peers: HashSet<PeerId>, update_local_storage: bool) {
		self.0.put_record_to(record, peers, update_local_storage)
	}

	fn store_record(
		&self,
		key: KademliaKey,
		value: Vec<u8>,
		publisher: Option<PeerId>,
		expires: Option<Instant>,
	) {
		self.0.store_record(key, value, publisher, expires)
	}

	fn start_providing(&self, key: KademliaKey) {
		self.0.start_providing(key)
	}

	fn stop_providing(&self, key: KademliaKey) {
		self.0.stop_providing(key)
	}

	fn get_providers(&self, key: KademliaKey) {
		self.0.get_providers(key)
	}
}

impl NetworkSigner for LocalNetwork {
	fn sign_with_local_identity(&self, message: Vec<u8>) -> Result<Signature, SigningError> {
		self.0.sign_with_local_identity(message)
	}

	fn verify(
		&self,
		peer_id: PeerId,
		public_key: &Vec<u8>,
		signature: &Vec<u8>,
		message: &Vec<u8>,
	) -> Result<bool, String> {
		self.0.verify(peer_id, public_key, signature, message)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn addresses_that_cannot_be_dialed_are_not_published() {
		for (address, dialable) in [
			("/ip4/127.0.0.1/tcp/30333", true),
			("/ip4/192.168.1.2/tcp/30333/ws", true),
			("/ip6/fd00::2/tcp/30333", true),
			("/dns/example.org/tcp/30333", true),
			("/ip4/0.0.0.0/tcp/30333", false),
			("/ip6/::/tcp/30333", false),
			("/ip6/fe80::fc/tcp/30333", false),
		] {
			let parsed: Multiaddr = address.parse().expect("is an address");
			assert_eq!(is_dialable(&parsed), dialable, "{address}");
		}
	}
}
