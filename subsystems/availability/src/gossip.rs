//! Everybody's bitfields: checked once, relayed along the grid and to a few others (availability, approval,
//! disputes §3.5, §2.8).

use crate::{Effect, NAME};
use headway_machine::{
	check_signed,
	grid::{RequiredRouting, Topology},
	wire::{BitfieldMessage, ValidationMessage, VIEW_HEADS_MAX},
	Effects, LeafContext, NetworkEffect, NetworkEvent, PeerId, PeerSet, Reason, Reputation, SessionContext,
	Sizes, Stage, Timestamp, Trace, Verifier,
};
use headway_primitives::{
	AuthorityDiscoveryId, AvailabilityBitfield, Hash, SessionIndex, Signed, SigningContext,
	UncheckedSignedAvailabilityBitfield, ValidatorIndex,
};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// Peers that get a message besides those that the grid demands.
pub(crate) const RANDOM_PEERS_MAX: usize = 4;
/// Peers among whom random ones are drawn, on average.
const RANDOM_SAMPLE: u64 = 25;
/// Sessions that are remembered as having a topology: the current one and the one before.
const ANNOUNCED_MAX: usize = 2;

/// Bitfields of all validators at our leaves.
///
/// # Bounds
///
/// - `leaves`: our own active leaves. Per leaf one bitfield of each validator, and for each connected peer
///   which of them it sent or got: a peer that floods pays reputation for each message and fills nothing.
/// - `peers`: the connections that the network admits, at most 5 heads each.
/// - `announced`: [`ANNOUNCED_MAX`].
pub(crate) struct Gossip {
	verifier: Arc<dyn Verifier>,
	seed: [u8; 32],
	leaves: BTreeMap<Hash, Leaf>,
	peers: BTreeMap<PeerId, Peer>,
	/// Sessions whose topology is known.
	announced: BTreeSet<SessionIndex>,
}

struct Leaf {
	session: Arc<SessionContext>,
	context: SigningContext,
	/// The topology of its session, once that is announced. Sessions of one index on several forks have different ones.
	grid: Option<Arc<Grid>>,
	bitfields: BTreeMap<ValidatorIndex, Signed<AvailabilityBitfield>>,
	/// What each peer has.
	known: BTreeMap<PeerId, Known>,
}

/// Whose bitfields a peer has.
#[derive(Default)]
struct Known {
	/// It sent them.
	received: BTreeSet<ValidatorIndex>,
	/// We sent them.
	sent: BTreeSet<ValidatorIndex>,
}

impl Leaf {
	fn is_known_to(&self, peer: &PeerId, validator: ValidatorIndex) -> bool {
		let known = self.known.get(peer);
		known.is_some_and(|known| known.received.contains(&validator) || known.sent.contains(&validator))
	}
}

#[derive(Default)]
struct Peer {
	heads: Vec<Hash>,
	authority_ids: BTreeSet<AuthorityDiscoveryId>,
}

/// A topology with our neighbours looked up.
struct Grid {
	topology: Topology,
	row: BTreeSet<AuthorityDiscoveryId>,
	column: BTreeSet<AuthorityDiscoveryId>,
}

impl Grid {
	fn new(session: &SessionContext) -> Self {
		let SessionContext { info, topology_randomness, local_discovery_index, .. } = session;
		let topology = Topology::new(info, topology_randomness, *local_discovery_index);
		let neighbors = topology.local_neighbors();
		let keys = |indices: &[u32]| {
			indices.iter().filter_map(|index| topology.discovery_key(*index).cloned()).collect()
		};
		let (row, column) = (keys(&neighbors.x), keys(&neighbors.y));
		Self { topology, row, column }
	}

	/// Whether a message that is routed so has to go to the peer.
	fn demands(&self, routing: RequiredRouting, peer: &Peer) -> bool {
		let in_row = || !self.row.is_disjoint(&peer.authority_ids);
		let in_column = || !self.column.is_disjoint(&peer.authority_ids);
		match routing {
			RequiredRouting::GridXY => in_row() || in_column(),
			RequiredRouting::GridX => in_row(),
			RequiredRouting::GridY => in_column(),
			RequiredRouting::None => false,
		}
	}

	fn is_neighbor(&self, peer: &Peer) -> bool {
		!self.row.is_disjoint(&peer.authority_ids) || !self.column.is_disjoint(&peer.authority_ids)
	}

	fn n_neighbors(&self) -> usize {
		self.row.union(&self.column).count()
	}
}

impl Gossip {
	pub(crate) fn new(verifier: Arc<dyn Verifier>, seed: [u8; 32]) -> Self {
		let (leaves, peers, announced) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
		Self { verifier, seed, leaves, peers, announced }
	}

	/// Notes how full it is.
	pub(crate) fn sizes(&self, sizes: &mut Sizes) {
		for leaf in self.leaves.values() {
			let n_validators = leaf.session.n_validators();
			sizes.note("bitfields", leaf.bitfields.len(), n_validators);
			sizes.note("bitfield_peers", leaf.known.len(), self.peers.len());
			for known in leaf.known.values() {
				sizes.note("bitfields_of_peer", known.received.len(), n_validators);
				sizes.note("bitfields_of_peer", known.sent.len(), n_validators);
			}
		}
		self.peers.values().for_each(|peer| sizes.note("heads", peer.heads.len(), VIEW_HEADS_MAX));
		sizes.note("announced_sessions", self.announced.len(), ANNOUNCED_MAX);
	}

	pub(crate) fn leaf(&mut self, leaf: &LeafContext) {
		let session = &leaf.block.session;
		let grid = self.announced.contains(&session.index).then(|| self.grid_of(session));
		self.leaves.entry(leaf.hash()).or_insert_with(|| Leaf {
			session: session.clone(),
			context: leaf.block.signing_context(),
			grid,
			bitfields: BTreeMap::new(),
			known: BTreeMap::new(),
		});
	}

	/// The grid of a session: that of another leaf, if it is in the same.
	fn grid_of(&self, session: &Arc<SessionContext>) -> Arc<Grid> {
		let mut same = self.leaves.values().filter(|leaf| Arc::ptr_eq(&leaf.session, session));
		same.find_map(|leaf| leaf.grid.clone()).unwrap_or_else(|| Arc::new(Grid::new(session)))
	}

	pub(crate) fn deactivated(&mut self, hash: &Hash) {
		self.leaves.remove(hash);
	}

	/// Spreads a bitfield of our own.
	pub(crate) fn local_bitfield(
		&mut self,
		relay_parent: Hash,
		bitfield: Signed<AvailabilityBitfield>,
		effects: &mut Effects<Effect>,
	) {
		let Some(leaf) = self.leaves.get_mut(&relay_parent) else { return };
		let validator = bitfield.validator_index();
		leaf.bitfields.insert(validator, bitfield);
		self.relay(&relay_parent, validator, effects);
	}

	pub(crate) fn network(&mut self, now: Timestamp, event: NetworkEvent, effects: &mut Effects<Effect>) {
		match event {
			NetworkEvent::PeerConnected { peer, set: PeerSet::Validation, authority_ids, .. } => {
				self.forget(&peer);
				self.peers.insert(peer, Peer { heads: Vec::new(), authority_ids });
			},
			NetworkEvent::PeerDisconnected { peer, set: PeerSet::Validation } => self.forget(&peer),
			NetworkEvent::PeerViewChange { peer, set: PeerSet::Validation, view } => {
				let Some(known) = self.peers.get_mut(&peer) else { return };
				let before = std::mem::replace(&mut known.heads, view.heads.clone());
				let added: Vec<Hash> = view.heads.into_iter().filter(|head| !before.contains(head)).collect();
				self.send_missing(&peer, &added, effects);
			},
			NetworkEvent::UpdatedAuthorityIds { peer, authority_ids } => {
				if let Some(known) = self.peers.get_mut(&peer) {
					known.authority_ids = authority_ids;
					let heads = known.heads.clone();
					self.send_missing(&peer, &heads, effects);
				}
			},
			// The topology that comes along may be that of another fork.
			NetworkEvent::NewTopology { session, topology: _ } => self.new_topology(session, effects),
			NetworkEvent::Validation { peer, message: ValidationMessage::Bitfield(message) } => {
				let BitfieldMessage::Bitfield(relay_parent, bitfield) = message;
				self.receive(now, peer, relay_parent, bitfield, effects);
			},
			// Other peer sets, and statements.
			_ => {},
		}
	}

	fn forget(&mut self, peer: &PeerId) {
		self.peers.remove(peer);
		for leaf in self.leaves.values_mut() {
			leaf.known.remove(peer);
		}
	}

	fn new_topology(&mut self, session: SessionIndex, effects: &mut Effects<Effect>) {
		self.announced.insert(session);
		while self.announced.len() > ANNOUNCED_MAX {
			self.announced.pop_first();
		}
		let waiting =
			self.leaves.iter().filter(|(_, leaf)| leaf.session.index == session && leaf.grid.is_none());
		let waiting: Vec<_> = waiting.map(|(hash, leaf)| (*hash, leaf.session.clone())).collect();
		for (hash, session) in waiting {
			let grid = self.grid_of(&session);
			if let Some(leaf) = self.leaves.get_mut(&hash) {
				leaf.grid = Some(grid);
			}
		}
		// What came before the topology could not go along the grid.
		let peers: Vec<(PeerId, Vec<Hash>)> =
			self.peers.iter().map(|(id, peer)| (id.clone(), peer.heads.clone())).collect();
		peers.iter().for_each(|(peer, heads)| self.send_missing(peer, heads, effects));
	}

	fn receive(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		relay_parent: Hash,
		unchecked: UncheckedSignedAvailabilityBitfield,
		effects: &mut Effects<Effect>,
	) {
		if !self.peers.contains_key(&peer) {
			return effects.trace(drop(now, Reason::UnknownPeer, relay_parent));
		}
		match self.check(&peer, &relay_parent, unchecked) {
			Ok((bitfield, true)) => {
				report(peer, Reputation::BenefitMinorFirst("new bitfield"), effects);
				self.relay(&relay_parent, bitfield.validator_index(), effects);
				effects.push(Effect::Bitfield { relay_parent, bitfield });
			},
			Ok((_, false)) => report(peer, Reputation::BenefitMinor("bitfield that we know"), effects),
			Err((reason, change)) => {
				effects.trace(drop(now, reason, relay_parent));
				if let Some(change) = change {
					report(peer, change, effects);
				}
			},
		}
	}

	/// Checks a bitfield and keeps it. Answers whether it is new.
	fn check(
		&mut self,
		peer: &PeerId,
		relay_parent: &Hash,
		unchecked: UncheckedSignedAvailabilityBitfield,
	) -> Result<(Signed<AvailabilityBitfield>, bool), (Reason, Option<Reputation>)> {
		let leaf = self.leaves.get_mut(relay_parent);
		let leaf =
			leaf.ok_or((Reason::OutOfView, Some(Reputation::CostMinor("bitfield at a block out of view"))))?;
		let validator = unchecked.validator_index;
		let Some(key) = leaf.session.validator(validator) else {
			let change = Reputation::CostMajor("bitfield of a validator that does not exist");
			return Err((Reason::NotValidator, Some(change)));
		};
		if !leaf.known.entry(peer.clone()).or_default().received.insert(validator) {
			return Err((Reason::DuplicateMessage, Some(Reputation::CostMinorRepeated("repeated bitfield"))));
		}
		if let Some(known) = leaf.bitfields.get(&validator) {
			// One is enough, and what another one is worth is not known without its signature.
			let is_same = *known.as_unchecked() == unchecked;
			return if is_same { Ok((known.clone(), false)) } else { Err((Reason::AlreadyKnown, None)) };
		}
		let Some(checked) = check_signed(&*self.verifier, &leaf.context, key, unchecked) else {
			// It said nothing about the validator, so it may still bring the good one.
			leaf.known.entry(peer.clone()).or_default().received.remove(&validator);
			let change = Reputation::CostMajor("bitfield with an invalid signature");
			return Err((Reason::InvalidSignature, Some(change)));
		};
		leaf.bitfields.insert(validator, checked.clone());
		Ok((checked, true))
	}

	/// Sends a bitfield to all that should get it from us: those that the grid demands, and a few others.
	fn relay(&mut self, relay_parent: &Hash, validator: ValidatorIndex, effects: &mut Effects<Effect>) {
		let Some(leaf) = self.leaves.get(relay_parent) else { return };
		let grid = leaf.grid.as_deref();
		let routing = grid.map(|grid| (grid, grid.topology.required_routing(validator.0)));
		let interested = |(id, peer): &(&PeerId, &Peer)| {
			peer.heads.contains(relay_parent) && !leaf.is_known_to(id, validator)
		};
		let (demanded, others): (Vec<_>, Vec<_>) = self
			.peers
			.iter()
			.filter(interested)
			.partition(|(_, peer)| routing.is_some_and(|(grid, routing)| grid.demands(routing, peer)));
		let mut drawn: Vec<_> =
			others.iter().map(|(id, _)| (self.draw(relay_parent, Some(validator), id), *id)).collect();
		drawn.sort();
		let n = self.peers.len() as u64;
		let lucky = drawn.into_iter().filter(|(draw, _)| n < RANDOM_SAMPLE || draw % n < RANDOM_SAMPLE);
		let lucky = lucky.take(RANDOM_PEERS_MAX).map(|(_, id)| id);
		let peers: Vec<PeerId> = demanded.into_iter().map(|(id, _)| id).chain(lucky).cloned().collect();
		self.send(peers, relay_parent, validator, effects);
	}

	/// Sends a peer what it has not got at blocks that it works on now.
	fn send_missing(&mut self, peer: &PeerId, heads: &[Hash], effects: &mut Effects<Effect>) {
		for relay_parent in heads {
			let (Some(known), Some(leaf)) = (self.peers.get(peer), self.leaves.get(relay_parent)) else {
				continue;
			};
			let grid = leaf.grid.as_deref();
			let is_neighbor = grid.is_some_and(|grid| grid.is_neighbor(known));
			let n_neighbors = grid.map_or(0, Grid::n_neighbors) as u64;
			let is_lucky =
				self.draw(relay_parent, None, peer) % RANDOM_SAMPLE >= n_neighbors.min(RANDOM_SAMPLE);
			if !is_neighbor && !is_lucky {
				continue;
			}
			let missing: Vec<_> = leaf
				.bitfields
				.keys()
				.copied()
				.filter(|validator| !leaf.is_known_to(peer, *validator))
				.collect();
			for validator in missing {
				self.send(vec![peer.clone()], relay_parent, validator, effects);
			}
		}
	}

	fn send(
		&mut self,
		peers: Vec<PeerId>,
		relay_parent: &Hash,
		validator: ValidatorIndex,
		effects: &mut Effects<Effect>,
	) {
		let Some(leaf) = self.leaves.get_mut(relay_parent).filter(|_| !peers.is_empty()) else { return };
		let Some(bitfield) = leaf.bitfields.get(&validator) else { return };
		let message = BitfieldMessage::Bitfield(*relay_parent, bitfield.as_unchecked().clone());
		for peer in &peers {
			leaf.known.entry(peer.clone()).or_default().sent.insert(validator);
		}
		let message = ValidationMessage::Bitfield(message);
		effects.push(Effect::Network(NetworkEffect::SendValidation { peers, message }));
	}

	/// A number that is random to everybody else, and the same for the same question.
	fn draw(&self, relay_parent: &Hash, validator: Option<ValidatorIndex>, peer: &PeerId) -> u64 {
		let validator = validator.map_or([0xff; 8], |index| u64::from(index.0).to_le_bytes());
		let input = [&self.seed[..], relay_parent.as_bytes(), &validator, peer.as_bytes()].concat();
		u64::from_le_bytes(sp_crypto_hashing::blake2_64(&input))
	}
}

fn report(peer: PeerId, change: Reputation, effects: &mut Effects<Effect>) {
	effects.push(Effect::Network(NetworkEffect::Report { peer, change }));
}

fn drop(now: Timestamp, reason: Reason, relay_parent: Hash) -> Trace {
	Trace::new(now, NAME, Stage::Dropped(reason)).scheduling_parent(relay_parent)
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::testing::{block, hash, leaf, session, validator_keys, verifier};

	#[test]
	fn each_fork_of_a_session_has_its_own_grid_whenever_it_comes() {
		let mut gossip = Gossip::new(verifier(), [0; 32]);
		let fork = |randomness| {
			let mut fork = session(7, &validator_keys(9), vec![(0..9).collect()], Some(0)).as_ref().clone();
			fork.topology_randomness = [randomness; 32];
			Arc::new(fork)
		};
		let expected = |randomness| Topology::new(&fork(randomness).info, &[randomness; 32], Some(0));
		let mut on_leaf = |number, randomness| {
			gossip.leaf(&leaf(block(number, &fork(randomness), Default::default()), Vec::new()));
			if number == 12 {
				gossip.new_topology(7, &mut Effects::new());
			}
			let grid = |number| gossip.leaves[&hash(number)].grid.as_ref().map(|grid| grid.topology.clone());
			[10, 11, 12, 13]
				.map(|number| gossip.leaves.contains_key(&hash(number)).then(|| grid(number)).flatten())
		};
		on_leaf(10, 1);
		assert_eq!(on_leaf(11, 2), [None, None, None, None]);
		on_leaf(12, 1);
		let grids = on_leaf(13, 3);
		assert_eq!(grids, [1, 2, 1, 3].map(|randomness| Some(expected(randomness))));
		assert_ne!(grids[0], grids[1]);
	}
}
