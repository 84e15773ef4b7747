//! The gossip topology: all validators of a session in a square, each connected to its row and column
//! (availability, approval, disputes §2.8).

use headway_primitives::{AuthorityDiscoveryId, SessionInfo};
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha20Rng,
};

/// Validators of a session in their canonical, shuffled order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topology {
	/// Index in the discovery keys of whoever stands at a position.
	canonical: Vec<u32>,
	/// Position of each index in the discovery keys.
	positions: Vec<u32>,
	discovery_keys: Vec<AuthorityDiscoveryId>,
	side: usize,
	local: Option<u32>,
	/// Our own neighbours: every message is routed by them.
	neighbors: GridNeighbors,
}

/// Row and column neighbours of a place in the square, by index in the discovery keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GridNeighbors {
	/// Same row.
	pub x: Vec<u32>,
	/// Same column.
	pub y: Vec<u32>,
}

/// Where a gossiped message goes next, by who originated it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequiredRouting {
	/// To row and column: it is our own.
	GridXY,
	/// To the row: it came down our column.
	GridX,
	/// To the column: it came along our row.
	GridY,
	/// Nowhere: others bring it.
	None,
}

impl Topology {
	/// Shuffles the discovery keys of a session with the randomness of its epoch. `local` is our index in them.
	pub fn new(info: &SessionInfo, randomness: &[u8; 32], local: Option<u32>) -> Self {
		let n = info.discovery_keys.len();
		let canonical = shuffle(n, &seed(randomness));
		let mut positions = vec![0; n];
		for (position, index) in canonical.iter().enumerate() {
			positions[*index as usize] = position as u32;
		}
		let mut topology = Self {
			canonical,
			positions,
			discovery_keys: info.discovery_keys.clone(),
			side: n.isqrt(),
			local,
			neighbors: GridNeighbors::default(),
		};
		topology.neighbors = local.map(|index| topology.neighbors_of(index)).unwrap_or_default();
		topology
	}

	/// Our own index in the discovery keys.
	pub fn local_index(&self) -> Option<u32> {
		self.local
	}

	/// Number of places.
	pub fn len(&self) -> usize {
		self.canonical.len()
	}

	/// Whether nobody is in it.
	pub fn is_empty(&self) -> bool {
		self.canonical.is_empty()
	}

	/// Discovery key by index.
	pub fn discovery_key(&self, index: u32) -> Option<&AuthorityDiscoveryId> {
		self.discovery_keys.get(index as usize)
	}

	/// Index of a discovery key.
	pub fn index_of(&self, key: &AuthorityDiscoveryId) -> Option<u32> {
		self.discovery_keys.iter().position(|k| k == key).map(|i| i as u32)
	}

	/// Neighbours of a validator, in the order of the square.
	pub fn neighbors_of(&self, index: u32) -> GridNeighbors {
		let Some(position) = self.positions.get(index as usize).map(|p| *p as usize) else {
			return GridNeighbors::default();
		};
		let (n, side) = (self.canonical.len(), self.side.max(1));
		let (row, column) = (position / side, position % side);
		let at = |positions: &mut dyn Iterator<Item = usize>| {
			positions.filter(|p| *p != position).map(|p| self.canonical[p]).collect()
		};
		GridNeighbors {
			x: at(&mut (row * side..(row * side + side).min(n))),
			y: at(&mut (column..n).step_by(side)),
		}
	}

	/// Our own neighbours; empty if we are not in the square.
	pub fn local_neighbors(&self) -> &GridNeighbors {
		&self.neighbors
	}

	/// Where a message that `originator` made goes next.
	pub fn required_routing(&self, originator: u32) -> RequiredRouting {
		if self.local == Some(originator) {
			return RequiredRouting::GridXY;
		}
		let local = self.local_neighbors();
		match (local.x.contains(&originator), local.y.contains(&originator)) {
			(true, true) => RequiredRouting::GridXY,
			(true, false) => RequiredRouting::GridY,
			(false, true) => RequiredRouting::GridX,
			(false, false) => RequiredRouting::None,
		}
	}
}

fn seed(randomness: &[u8; 32]) -> [u8; 32] {
	let mut input = b"gossipsu".to_vec();
	input.extend_from_slice(randomness);
	sp_crypto_hashing::blake2_256(&input)
}

fn shuffle(n: usize, seed: &[u8; 32]) -> Vec<u32> {
	let mut rng = ChaCha20Rng::from_seed(*seed);
	let mut order: Vec<u32> = (0..n as u32).collect();
	for i in (1..n).rev() {
		order.swap(i, draw(&mut rng, i as u32 + 1) as usize);
	}
	order
}

/// A number below `range`, by widening multiplication with rejection; every node must draw the same.
fn draw(rng: &mut ChaCha20Rng, range: u32) -> u32 {
	let zone = (range << range.leading_zeros()).wrapping_sub(1);
	loop {
		let wide = u64::from(rng.next_u32()) * u64::from(range);
		if wide as u32 <= zone {
			return (wide >> 32) as u32;
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn shuffle_equals_the_check_vector() {
		let seed = seed(&[0; 32]);
		assert_eq!(
			sp_core::H256(seed),
			sp_core::H256(sp_crypto_hashing::blake2_256(&[&b"gossipsu"[..], &[0; 32][..]].concat()))
		);
		assert_eq!(
			format!("{:?}", sp_core::H256(seed)),
			"0xa02f2b1a8819bad04c50784fe04a18fffe3a7da747496e2822a317c7c5a4026f"
		);
		assert_eq!(shuffle(10, &seed), [6, 2, 8, 7, 9, 1, 3, 5, 4, 0]);
	}
}
