//! A virtual node: its machines, and what is left of it when they stop.

use crate::{config::Fault, relay::Localized};
use headway_machine::{Column, LeafContext, PeerId, StorageKey, Subsystem, Timestamp};
use headway_pipeline::{Effect, Event};
use headway_primitives::{Hash, HeadData, ParaId, SessionIndex};
use std::collections::{BTreeMap, BTreeSet};

/// The joined machines of a validator or a collator.
pub(crate) type Machine = Box<dyn Subsystem<Event = Event, Effect = Effect>>;

/// What a node is there for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Role {
	/// It validates. Hostile validators have a fault.
	Validator { fault: Option<Fault> },
	/// It builds blocks of a para, valid ones or others.
	Collator { para: ParaId, is_honest: bool },
}

/// A node.
pub(crate) struct Node {
	pub(crate) role: Role,
	pub(crate) machine: Machine,
	pub(crate) peer: PeerId,
	/// Counts its starts: what was meant for an earlier life does not reach a later one.
	pub(crate) life: u32,
	pub(crate) is_down: bool,
	/// Earliest tick that is queued.
	pub(crate) wake_at: Option<Timestamp>,
	/// Survives crashes.
	pub(crate) storage: BTreeMap<StorageKey, Vec<u8>>,
	/// Nodes with an open substream.
	pub(crate) peers: BTreeSet<usize>,
	/// Nodes that it wants to be connected to, if it is a collator.
	pub(crate) wanted: BTreeSet<usize>,
	/// Nodes that it has nothing to do with any more.
	pub(crate) banned: BTreeSet<usize>,
	/// Relay blocks that it imported.
	pub(crate) known: BTreeSet<Hash>,
	/// Relay blocks that wait for their parents.
	pub(crate) orphans: Vec<Hash>,
	/// Relay blocks that were made while it could not hear of them.
	pub(crate) missed: Vec<Hash>,
	/// Leaves that its machines work on.
	pub(crate) leaves: BTreeMap<Hash, u32>,
	/// Number and hash of the block that it builds on.
	pub(crate) best: (u32, Hash),
	/// Number and hash of the newest finalized block that it was told of.
	pub(crate) finalized: (u32, Hash),
	/// Newest session that its machines know.
	pub(crate) session: Option<SessionIndex>,
	/// Contexts as it sees them; none if it holds no key.
	pub(crate) localized: Option<Localized>,
	/// Candidates of finalized blocks whose collator it gave credit for them, in all of its lives.
	pub(crate) credited: usize,
	/// What a collator has built, oldest first; bounded by the unincluded segment.
	pub(crate) built: Vec<HeadData>,
}

impl Node {
	pub(crate) fn new(
		index: usize,
		role: Role,
		machine: Machine,
		localized: Option<Localized>,
		genesis: Hash,
	) -> Self {
		Self {
			role,
			machine,
			peer: peer_of(index),
			life: 0,
			is_down: false,
			wake_at: None,
			storage: BTreeMap::new(),
			peers: BTreeSet::new(),
			wanted: BTreeSet::new(),
			banned: BTreeSet::new(),
			known: BTreeSet::from([genesis]),
			orphans: Vec::new(),
			missed: Vec::new(),
			leaves: BTreeMap::new(),
			best: (0, genesis),
			finalized: (0, genesis),
			session: None,
			localized,
			credited: 0,
			built: Vec::new(),
		}
	}

	/// The para that it collates on.
	pub(crate) fn para(&self) -> Option<ParaId> {
		match self.role {
			Role::Collator { para, .. } => Some(para),
			Role::Validator { .. } => None,
		}
	}

	/// Whether it never means harm.
	pub(crate) fn is_honest(&self) -> bool {
		matches!(self.role, Role::Validator { fault: None } | Role::Collator { is_honest: true, .. })
	}

	/// What a hostile validator does.
	pub(crate) fn fault(&self) -> Option<Fault> {
		match self.role {
			Role::Validator { fault } => fault,
			Role::Collator { .. } => None,
		}
	}

	/// A leaf as it sees it.
	pub(crate) fn localize(&mut self, leaf: &LeafContext) -> LeafContext {
		match &mut self.localized {
			Some(localized) => localized.leaf(leaf),
			None => leaf.clone(),
		}
	}

	/// All that is stored in a column: what its machines are given of it when they start.
	pub(crate) fn stored(&self, column: Column) -> Vec<(Vec<u8>, Vec<u8>)> {
		let entries = self.storage.iter().filter(|(key, _)| key.column == column);
		entries.map(|(key, value)| (key.key.clone(), value.clone())).collect()
	}

	/// Its view: the newest leaves.
	pub(crate) fn view(&self) -> headway_machine::wire::ViewMessage {
		let mut heads: Vec<_> = self.leaves.iter().map(|(hash, number)| (*number, *hash)).collect();
		heads.sort_unstable_by(|a, b| b.cmp(a));
		heads.truncate(headway_machine::wire::VIEW_HEADS_MAX);
		let mut heads: Vec<_> = heads.into_iter().map(|(_, hash)| hash).collect();
		heads.sort_unstable();
		headway_machine::wire::ViewMessage { heads, finalized_number: self.finalized.0 }
	}
}

/// What a peer id begins with that has its key, here of 8 bytes, in itself.
const IDENTITY: [u8; 2] = [0, 8];

pub(crate) fn peer_of(node: usize) -> PeerId {
	PeerId::from_bytes(&[&IDENTITY[..], &(node as u64).to_be_bytes()].concat())
}

pub(crate) fn node_of(peer: &PeerId) -> Option<usize> {
	let key = peer.as_bytes().strip_prefix(&IDENTITY)?;
	Some(u64::from_be_bytes(key.try_into().ok()?) as usize)
}
