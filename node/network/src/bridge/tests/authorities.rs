//! Connections to validators, wherever authority discovery finds them.

use super::*;
use crate::authorities::resolve;
use headway_machine::{wire::PoVRequest, Recipient};
use sp_core::ByteArray;

fn key(n: u8) -> AuthorityDiscoveryId {
	AuthorityDiscoveryId::from_slice(&[n; 32]).unwrap()
}

fn address(n: u8) -> Multiaddr {
	format!("/ip4/10.0.0.{n}/tcp/30333/p2p/{}", peer(n)).parse().unwrap()
}

/// The outcome of a lookup that found these keys with these peers.
fn found(places: &[(u8, u8)]) -> Resolved {
	let mut resolved = Resolved::default();
	for (id, at) in places {
		resolved.addresses.insert(address(*at));
		resolved.peers.entry(peer(*at)).or_default().insert(key(*id));
	}
	resolved
}

impl Rig {
	fn connect_to(&mut self, ids: &[u8]) {
		let validators = ids.iter().map(|id| key(*id)).collect();
		let effect = NetworkEffect::ConnectToValidators { validators, set: PeerSet::Collation };
		self.bridge.carry_out(effect);
	}

	fn generation(&self) -> u64 {
		self.bridge.desired[&PeerSet::Collation].generation
	}

	async fn resolved(&mut self, places: &[(u8, u8)]) {
		let generation = self.generation();
		assert!(self.bridge.on_resolved(PeerSet::Collation, generation, found(places)).await);
	}

	fn reserved(&self) -> Vec<BTreeSet<PeerId>> {
		let name = self.bridge.names.collation(self.bridge.collation_main);
		self.network.note(|asked| {
			assert!(asked.reserved.iter().all(|(protocol, _)| *protocol == name));
			std::mem::take(&mut asked.reserved).into_iter().map(|(_, peers)| peers).collect()
		})
	}

	/// The peers that requests to a validator went to.
	fn asked(&mut self, id: u8) -> Vec<PeerId> {
		let request = Request::PoV(PoVRequest { candidate_hash: CandidateHash(Hash::zero()) });
		let recipient = Recipient::Authority(key(id));
		self.bridge.carry_out(NetworkEffect::Request { token: Token(1), recipient, request });
		let asked = self.network.note(|asked| std::mem::take(&mut asked.requests));
		asked.into_iter().map(|(peer, ..)| peer).collect()
	}
}

#[tokio::test]
async fn new_set_of_validators_replaces_the_old_one() {
	let mut rig = Rig::new();
	rig.connect_to(&[1, 2]);
	rig.resolved(&[(1, 11), (2, 12)]).await;
	rig.connect_to(&[2, 3]);
	rig.resolved(&[(2, 12), (3, 13)]).await;
	rig.connect_to(&[]);
	rig.resolved(&[]).await;
	assert_eq!(rig.reserved(), [[11, 12].map(peer).into(), [12, 13].map(peer).into(), BTreeSet::new()]);
}

#[tokio::test]
async fn late_answer_to_an_older_set_changes_no_connection() {
	let mut rig = Rig::new();
	rig.connect_to(&[1]);
	let old = rig.generation();
	rig.connect_to(&[2]);
	assert!(rig.bridge.on_resolved(PeerSet::Collation, old, found(&[(1, 11)])).await);
	assert_eq!(rig.reserved(), []);
	rig.connect_to(&[2]);
	assert_eq!(rig.generation(), old + 1, "the same set again is no new one");
}

#[tokio::test]
async fn keys_that_are_not_found_are_counted_and_we_are_not_our_own_peer() {
	let lookup = |id: AuthorityDiscoveryId| {
		let addresses: Vec<Multiaddr> = match id.to_raw_vec()[0] {
			1 => vec![address(11), address(12)],
			2 => vec!["/ip4/10.0.0.1/tcp/1".parse().unwrap()],
			4 => vec![address(99)],
			_ => Vec::new(),
		};
		std::future::ready(addresses.into_iter().collect::<HashSet<_>>())
	};
	let resolved = resolve(lookup, [1, 2, 3, 4].map(key).into(), peer(99)).await;
	assert_eq!(resolved.unresolved, 2, "one has no peer in its address, one has no address");
	assert_eq!(resolved.addresses, [address(11), address(12)].into());
	assert_eq!(resolved.peers.len(), 2);
}

#[tokio::test]
async fn connected_peer_whose_keys_become_known_is_told_of_once() {
	let mut rig = Rig::new();
	rig.open(11, PeerSet::Collation).await;
	rig.told();
	rig.connect_to(&[1, 2]);
	for expected in [1, 0] {
		rig.resolved(&[(1, 11), (2, 12)]).await;
		let told = rig.told();
		assert_eq!(told.len(), expected, "peer 12 is not connected: {told:?}");
		if let [NetworkEvent::UpdatedAuthorityIds { peer: id, authority_ids }] = &told[..] {
			assert_eq!((to_network(id), authority_ids), (Some(peer(11)), &[key(1)].into()));
		}
	}
	rig.open(12, PeerSet::Collation).await;
	match &rig.told()[..] {
		[NetworkEvent::PeerConnected { authority_ids, .. }] => assert_eq!(*authority_ids, [key(2)].into()),
		other => panic!("{other:?}"),
	}
}

#[tokio::test]
async fn key_that_moved_to_another_peer_is_not_looked_for_at_the_old_one() {
	let mut rig = Rig::new();
	rig.open(11, PeerSet::Collation).await;
	rig.connect_to(&[1]);
	rig.resolved(&[(1, 11)]).await;
	assert_eq!(rig.asked(1), [peer(11)]);
	rig.told();
	rig.resolved(&[(1, 12)]).await;
	let told = rig.told();
	let [NetworkEvent::UpdatedAuthorityIds { authority_ids, .. }] = &told[..] else { panic!("{told:?}") };
	assert!(authority_ids.is_empty());
	assert_eq!(rig.asked(1), [peer(12)]);
	// Not found this time: it is where it was.
	rig.resolved(&[]).await;
	assert_eq!(rig.asked(1), [peer(12)]);
}

#[tokio::test]
async fn of_several_peers_with_a_key_the_connected_one_is_asked() {
	let mut rig = Rig::new();
	rig.connect_to(&[1]);
	rig.resolved(&[(1, 11), (1, 12)]).await;
	let first = rig.asked(1);
	let other = if first == [peer(11)] { 12 } else { 11 };
	rig.open(other, PeerSet::Validation).await;
	assert_eq!(rig.asked(1), [peer(other)]);
	assert_eq!(rig.asked(9), [], "nobody has that key");
}

#[tokio::test]
async fn peers_that_nobody_wants_any_more_are_forgotten() {
	let mut rig = Rig::new();
	rig.open(11, PeerSet::Collation).await;
	for session in 0..50u8 {
		rig.connect_to(&[session]);
		rig.resolved(&[(session, if session == 0 { 11 } else { 100 + session })]).await;
	}
	// The connected one, and the one that is wanted.
	let known = (0..=255).filter(|n| rig.bridge.authorities.of(&peer(*n)).is_some());
	assert_eq!(known.collect::<Vec<_>>(), [11, 149]);
}
