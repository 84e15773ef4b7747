//! What is kept per session: where validators stand in groups and in the grid.

use crate::grid_view::GridView;
use headway_machine::wire::BackedCandidateManifest;
use headway_machine::{by_hash::ByHash, grid::Topology, PeerId, SessionContext, Sizes};
use headway_primitives::{AuthorityDiscoveryId, GroupIndex, SessionIndex, ValidatorIndex};
use std::{collections::BTreeMap, sync::Arc};

/// Topologies that are kept for sessions that no block in view is in yet.
const PARKED_TOPOLOGIES_MAX: usize = 4;
/// Manifests of one validator that wait for the session's topology.
const PARKED_MANIFESTS_PER_VALIDATOR_MAX: usize = 16;

/// Groups of a session, and where in them each validator stands.
#[derive(Debug, Default)]
pub(crate) struct Groups {
	members: Vec<Vec<ValidatorIndex>>,
	/// By validator: at most as many as there are.
	places: Vec<Option<(GroupIndex, usize)>>,
}

impl Groups {
	/// Indexes groups. A validator that stands in several belongs to the first.
	pub(crate) fn new(members: Vec<Vec<ValidatorIndex>>) -> Self {
		let highest = members.iter().flatten().max();
		let mut places = vec![None; highest.map_or(0, |validator| validator.0 as usize + 1)];
		for (group, validators) in members.iter().enumerate() {
			for (position, validator) in validators.iter().enumerate() {
				places[validator.0 as usize].get_or_insert((GroupIndex(group as u32), position));
			}
		}
		Self { members, places }
	}

	/// Members of a group.
	pub(crate) fn get(&self, group: GroupIndex) -> Option<&[ValidatorIndex]> {
		self.members.get(group.0 as usize).map(Vec::as_slice)
	}

	/// Members of all groups.
	pub(crate) fn all(&self) -> &[Vec<ValidatorIndex>] {
		&self.members
	}

	/// Group of a validator, and its position there.
	pub(crate) fn locate(&self, validator: ValidatorIndex) -> Option<(GroupIndex, usize)> {
		self.places.get(validator.0 as usize).copied().flatten()
	}
}

/// A session that blocks in view are in.
#[derive(Debug)]
pub(crate) struct Session {
	/// What the runtime says.
	pub(crate) context: Arc<SessionContext>,
	/// Groups.
	pub(crate) groups: Arc<Groups>,
	/// From whom and to whom manifests of each group go; none until the topology is known.
	pub(crate) grid: Option<GridView>,
	/// Manifests that came before the topology, in order.
	parked: Vec<(ValidatorIndex, PeerId, BackedCandidateManifest)>,
	by_discovery_key: ByHash<AuthorityDiscoveryId, ValidatorIndex>,
	topology_index: Option<ValidatorIndex>,
}

impl Session {
	fn new(context: Arc<SessionContext>) -> Self {
		let keys = context.info.discovery_keys.iter().enumerate();
		Self {
			by_discovery_key: keys.map(|(i, key)| (key.clone(), ValidatorIndex(i as u32))).collect(),
			groups: Arc::new(Groups::new(context.info.validator_groups.clone())),
			grid: None,
			parked: Vec::new(),
			topology_index: None,
			context,
		}
	}

	/// Our own index in the discovery keys. Active validators come first there, so that it is our [`ValidatorIndex`] if
	/// we are one; beyond them we take part in the grid alone.
	pub(crate) fn local_index(&self) -> Option<ValidatorIndex> {
		let inactive = || self.context.local_discovery_index.map(ValidatorIndex);
		self.context.local_validator.or_else(inactive).or(self.topology_index)
	}

	/// Index of a discovery key.
	pub(crate) fn index_of(&self, key: &AuthorityDiscoveryId) -> Option<ValidatorIndex> {
		self.by_discovery_key.get(key).copied()
	}

	/// Discovery key of a validator, active or not.
	pub(crate) fn discovery_key(&self, validator: ValidatorIndex) -> Option<&AuthorityDiscoveryId> {
		self.context.info.discovery_keys.get(validator.0 as usize)
	}

	/// Keeps a manifest until the topology is known. False if the validator has too many there, from whichever peer.
	pub(crate) fn park(
		&mut self,
		sender: ValidatorIndex,
		peer: &PeerId,
		manifest: BackedCandidateManifest,
	) -> bool {
		let parked = self.parked.iter().filter(|(other, ..)| *other == sender).count();
		let room = parked < PARKED_MANIFESTS_PER_VALIDATOR_MAX;
		if room {
			self.parked.push((sender, peer.clone(), manifest));
		}
		room
	}

	/// Takes the manifests that waited for the topology.
	pub(crate) fn take_parked(&mut self) -> Vec<(PeerId, BackedCandidateManifest)> {
		std::mem::take(&mut self.parked).into_iter().map(|(_, peer, manifest)| (peer, manifest)).collect()
	}

	fn set_topology(&mut self, topology: &Topology) {
		self.topology_index = topology.local_index().map(ValidatorIndex);
		self.grid = Some(GridView::new(topology, self.groups.all(), self.local_index()));
	}
}

/// Sessions by index.
///
/// # Bounds
///
/// - `known`: sessions of blocks in view and the last one: at most one more than there are leaves. Our own chain fills it.
/// - parked topologies: [`PARKED_TOPOLOGIES_MAX`], from our own driver.
/// - parked manifests: [`PARKED_MANIFESTS_PER_VALIDATOR_MAX`] of each validator of the session, and only until the driver
///   announces the topology.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
	known: BTreeMap<SessionIndex, Session>,
	topologies: BTreeMap<SessionIndex, Arc<Topology>>,
}

impl Sessions {
	/// The session, which is indexed if it is new.
	pub(crate) fn ensure(&mut self, context: &Arc<SessionContext>) -> &mut Session {
		let parked = &mut self.topologies;
		self.known.entry(context.index).or_insert_with(|| {
			let mut session = Session::new(context.clone());
			if let Some(topology) = parked.remove(&context.index) {
				session.set_topology(&topology);
			}
			session
		})
	}

	/// Notes how full it is, given how many sessions blocks in view are in.
	pub(crate) fn sizes(&self, in_use: usize, sizes: &mut Sizes) {
		sizes.note("sessions", self.known.len(), in_use + 1);
		sizes.note("parked_topologies", self.topologies.len(), PARKED_TOPOLOGIES_MAX);
		for session in self.known.values() {
			let mut parked = BTreeMap::<_, usize>::new();
			session.parked.iter().for_each(|(sender, ..)| *parked.entry(*sender).or_default() += 1);
			for count in parked.values() {
				sizes.note("parked_manifests", *count, PARKED_MANIFESTS_PER_VALIDATOR_MAX);
			}
		}
	}

	/// A known session.
	pub(crate) fn get(&self, index: SessionIndex) -> Option<&Session> {
		self.known.get(&index)
	}

	/// A known session.
	pub(crate) fn get_mut(&mut self, index: SessionIndex) -> Option<&mut Session> {
		self.known.get_mut(&index)
	}

	/// Takes a topology. True if the session is known; otherwise the topology is kept for it.
	pub(crate) fn set_topology(&mut self, index: SessionIndex, topology: &Arc<Topology>) -> bool {
		if let Some(session) = self.known.get_mut(&index) {
			session.set_topology(topology);
			return true;
		}
		self.topologies.insert(index, topology.clone());
		while self.topologies.len() > PARKED_TOPOLOGIES_MAX {
			self.topologies.pop_first();
		}
		false
	}

	/// Forgets sessions that no block in view is in, except the last one.
	pub(crate) fn retain(&mut self, in_use: impl Fn(SessionIndex) -> bool) {
		let last = self.known.keys().next_back().copied();
		self.known.retain(|index, _| in_use(*index) || Some(*index) == last);
		for session in self.known.values_mut().filter(|session| !in_use(session.context.index)) {
			session.parked.clear();
		}
	}
}
