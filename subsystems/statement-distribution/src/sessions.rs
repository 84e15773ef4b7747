//! What is kept per session: where validators stand in groups and in the grid.

use crate::grid_view::GridView;
use headway_machine::wire::BackedCandidateManifest;
use headway_machine::{by_hash::ByHash, grid::Topology, PeerId, SessionContext, Sizes};
use headway_primitives::{AuthorityDiscoveryId, GroupIndex, SessionIndex, ValidatorIndex};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// Sessions that are remembered as having a topology: the newest.
const ANNOUNCED_MAX: usize = 4;
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

/// Names a session: chains that part before its first block have different sessions of one index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct SessionId {
	index: SessionIndex,
	arrival: u64,
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
}

impl Session {
	fn new(context: Arc<SessionContext>) -> Self {
		let keys = context.info.discovery_keys.iter().enumerate();
		Self {
			by_discovery_key: keys.map(|(i, key)| (key.clone(), ValidatorIndex(i as u32))).collect(),
			groups: Arc::new(Groups::new(context.info.validator_groups.clone())),
			grid: None,
			parked: Vec::new(),
			context,
		}
	}

	/// Our own index in the discovery keys. Active validators come first there, so that it is our [`ValidatorIndex`] if
	/// we are one; beyond them we take part in the grid alone.
	pub(crate) fn local_index(&self) -> Option<ValidatorIndex> {
		let inactive = || self.context.local_discovery_index.map(ValidatorIndex);
		self.context.local_validator.or_else(inactive)
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

	/// The topology may be used now. It follows from the session, whichever one of its index was announced.
	fn set_topology(&mut self) {
		let SessionContext { info, topology_randomness, local_discovery_index, .. } = &*self.context;
		let topology = Topology::new(info, topology_randomness, *local_discovery_index);
		self.grid = Some(GridView::new(&topology, self.groups.all(), self.local_index()));
	}

	/// Whether this is the session of a context. Where we stand in it counts: our keys may come in its midst.
	fn is_of(&self, context: &Arc<SessionContext>) -> bool {
		let what = |context: &SessionContext| {
			(
				context.index,
				context.topology_randomness,
				context.local_validator,
				context.local_discovery_index,
			)
		};
		Arc::ptr_eq(&self.context, context)
			|| what(&self.context) == what(context) && self.context.info == context.info
	}
}

/// Sessions, those of one index on several forks told apart.
///
/// # Bounds
///
/// - `known`: sessions of blocks in view and the last one: at most one more than there are leaves. Our own chain fills it.
/// - announced sessions: [`ANNOUNCED_MAX`], from our own driver.
/// - parked manifests: [`PARKED_MANIFESTS_PER_VALIDATOR_MAX`] of each validator of the session, and only until the driver
///   announces the topology.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
	known: BTreeMap<SessionId, Session>,
	/// Sessions whose topology the driver announced.
	announced: BTreeSet<SessionIndex>,
	arrivals: u64,
}

impl Sessions {
	/// The session, which is indexed if it is new.
	pub(crate) fn ensure(&mut self, context: &Arc<SessionContext>) -> (SessionId, &Session) {
		let index = context.index;
		let known =
			self.of_index(index).find(|id| self.known.get(id).is_some_and(|known| known.is_of(context)));
		let id = known.unwrap_or_else(|| {
			self.arrivals += 1;
			SessionId { index, arrival: self.arrivals }
		});
		let is_announced = self.announced.contains(&index);
		let session = self.known.entry(id).or_insert_with(|| {
			let mut session = Session::new(context.clone());
			if is_announced {
				session.set_topology();
			}
			session
		});
		(id, session)
	}

	/// Known sessions of an index.
	pub(crate) fn of_index(&self, index: SessionIndex) -> impl Iterator<Item = SessionId> + '_ {
		let range = SessionId { index, arrival: 0 }..=SessionId { index, arrival: u64::MAX };
		self.known.range(range).map(|(id, _)| *id)
	}

	/// Notes how full it is, given how many sessions blocks in view are in.
	pub(crate) fn sizes(&self, in_use: usize, sizes: &mut Sizes) {
		sizes.note("sessions", self.known.len(), in_use + 1);
		sizes.note("announced_sessions", self.announced.len(), ANNOUNCED_MAX);
		for session in self.known.values() {
			let mut parked = BTreeMap::<_, usize>::new();
			session.parked.iter().for_each(|(sender, ..)| *parked.entry(*sender).or_default() += 1);
			for count in parked.values() {
				sizes.note("parked_manifests", *count, PARKED_MANIFESTS_PER_VALIDATOR_MAX);
			}
		}
	}

	/// A known session.
	pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
		self.known.get(&id)
	}

	/// A known session.
	pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
		self.known.get_mut(&id)
	}

	/// Notes that sessions of an index, known ones and others, have their topology.
	pub(crate) fn announce(&mut self, index: SessionIndex) {
		self.announced.insert(index);
		while self.announced.len() > ANNOUNCED_MAX {
			self.announced.pop_first();
		}
		let known = self.known.values_mut().filter(|session| session.context.index == index);
		known.for_each(Session::set_topology);
	}

	/// Forgets sessions that no block in view is in, except the last one.
	pub(crate) fn retain(&mut self, in_use: impl Fn(SessionId) -> bool) {
		let last = self.known.keys().next_back().copied();
		self.known.retain(|id, _| in_use(*id) || Some(*id) == last);
		for (_, session) in self.known.iter_mut().filter(|(id, _)| !in_use(**id)) {
			session.parked.clear();
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::testing::{session, validator_keys};

	/// A session of index 3 whose groups a fork orders in its way, and who we are in it.
	fn context(groups: Vec<Vec<u32>>, randomness: u8, local: Option<u32>) -> Arc<SessionContext> {
		let mut context = session(3, &validator_keys(4), groups, local).as_ref().clone();
		context.topology_randomness = [randomness; 32];
		Arc::new(context)
	}

	#[test]
	fn sessions_of_one_index_on_two_forks_are_told_apart() {
		let one = context(vec![vec![0, 1], vec![2, 3]], 1, Some(0));
		let others = [
			context(vec![vec![0, 2], vec![1, 3]], 1, Some(0)),
			context(vec![vec![0, 1], vec![2, 3]], 2, Some(0)),
			// Our keys came in the midst of the session.
			context(vec![vec![0, 1], vec![2, 3]], 1, None),
		];
		let mut sessions = Sessions::default();
		let (first, _) = sessions.ensure(&one);
		for other in &others {
			let (second, session) = sessions.ensure(other);
			assert_ne!(first, second);
			assert_eq!(session.groups.all(), other.info.validator_groups);
			assert_eq!(session.local_index(), other.local_validator);
		}
		// The same in another allocation is the same.
		assert_eq!(sessions.ensure(&Arc::new((*one).clone())).0, first);
		assert_eq!(sessions.of_index(3).count(), 4);
		sessions.retain(|id| id == first);
		assert!(sessions.get(first).is_some() && sessions.of_index(3).count() == 2, "and the last one");
	}

	#[test]
	fn each_fork_of_a_session_has_its_own_grid_whenever_it_comes() {
		let contexts = [1, 2, 3].map(|randomness| context(vec![vec![0, 1], vec![2, 3]], randomness, Some(0)));
		let mut sessions = Sessions::default();
		let early = contexts[..2].iter().map(|context| sessions.ensure(context).0).collect::<Vec<_>>();
		assert!(early.iter().all(|id| sessions.get(*id).unwrap().grid.is_none()));
		sessions.announce(3);
		let late = sessions.ensure(&contexts[2]).0;
		for (id, context) in early.into_iter().chain([late]).zip(&contexts) {
			let topology = Topology::new(&context.info, &context.topology_randomness, Some(0));
			let expected = GridView::new(&topology, &context.info.validator_groups, Some(ValidatorIndex(0)));
			assert_eq!(sessions.get(id).unwrap().grid, Some(expected));
		}
	}
}
