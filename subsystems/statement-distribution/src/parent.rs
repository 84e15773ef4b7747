//! What is kept per scheduling parent.

use crate::{
	cluster::ClusterTracker,
	grid::{GridTracker, ManifestRules},
	sessions::{Groups, Session, SessionId},
	store::StatementStore,
};
use headway_machine::{check_signed, BlockContext, Verifier};
use headway_primitives::{
	effective_minimum_backing_votes, CompactStatement, GroupIndex, ParaId, SignedStatement, UncheckedSigned,
	ValidatorIndex,
};
use std::{collections::VecDeque, sync::Arc};

/// Our own group at a scheduling parent.
#[derive(Debug)]
pub(crate) struct Cluster {
	/// Which validator we are.
	pub(crate) local: ValidatorIndex,
	/// Our group.
	pub(crate) group: GroupIndex,
	/// What its members know.
	pub(crate) tracker: ClusterTracker,
}

/// Statements at one scheduling parent.
///
/// # Bounds
///
/// One for each retained block; the bounds of what is in it stand with the store and the trackers.
#[derive(Debug)]
pub(crate) struct ParentState {
	/// The relay block.
	pub(crate) block: Arc<BlockContext>,
	/// Its session.
	pub(crate) session: SessionId,
	/// Groups of its session.
	pub(crate) groups: Arc<Groups>,
	/// Our own group, if we are an active validator with one.
	pub(crate) cluster: Option<Cluster>,
	/// Statements whose signatures were checked.
	pub(crate) store: StatementStore,
	/// What neighbours in the grid know.
	pub(crate) grid: GridTracker,
}

impl ParentState {
	/// The state of a block that just came into view.
	pub(crate) fn new(block: Arc<BlockContext>, id: SessionId, session: &Session) -> Self {
		let groups = session.groups.clone();
		let mut this = Self {
			cluster: None,
			store: StatementStore::new(groups.clone()),
			grid: GridTracker::default(),
			session: id,
			groups,
			block,
		};
		this.cluster = this.block.session.local_validator.and_then(|local| {
			let (group, _) = this.groups.locate(local)?;
			let tracker = ClusterTracker::new(this.groups.get(group)?, this.seconding_limit(group));
			Some(Cluster { local, group, tracker })
		});
		this
	}

	/// Paras that a group may back candidates of: the claim queue of its core, a para as often as it stands there.
	fn assignments(&self, group: GroupIndex) -> Option<&VecDeque<ParaId>> {
		self.block.claim_queue.get(&self.block.core_for_group(group))
	}

	/// Whether a group may back candidates of a para.
	pub(crate) fn is_assigned(&self, group: GroupIndex, para: ParaId) -> bool {
		self.assignments(group).is_some_and(|paras| paras.contains(&para))
	}

	/// How many candidates a member of a group may propose: the length of the claim queue of its core.
	pub(crate) fn seconding_limit(&self, group: GroupIndex) -> usize {
		self.assignments(group).map_or(0, VecDeque::len)
	}

	/// Votes that it takes to back a candidate of a group.
	pub(crate) fn threshold(&self, group: GroupIndex) -> usize {
		let size = self.groups.get(group).map_or(0, <[_]>::len);
		effective_minimum_backing_votes(size, self.block.minimum_backing_votes)
	}

	/// What manifests about candidates of a para by a group must keep to: each member may propose as many as the para has
	/// places in the claim queue of the group's core.
	pub(crate) fn manifest_rules(&self, group: GroupIndex, para: ParaId) -> ManifestRules {
		let places = self.assignments(group).into_iter().flatten().filter(|other| **other == para);
		ManifestRules {
			group_size: self.groups.get(group).map_or(0, <[_]>::len),
			threshold: self.threshold(group),
			seconding_limit: places.count(),
		}
	}

	/// Our own group, if it is this one.
	pub(crate) fn cluster_of(&mut self, group: GroupIndex) -> Option<&mut Cluster> {
		self.cluster.as_mut().filter(|cluster| cluster.group == group)
	}

	/// Whether a group is our own.
	pub(crate) fn is_local_group(&self, group: GroupIndex) -> bool {
		self.cluster.as_ref().is_some_and(|cluster| cluster.group == group)
	}

	/// Checks the signature of a statement. A statement that is stored with the same signature needs no second check.
	pub(crate) fn check(
		&self,
		verifier: &dyn Verifier,
		statement: UncheckedSigned<CompactStatement>,
	) -> Option<SignedStatement> {
		let stored = self.store.get(statement.validator_index, &statement.payload);
		if let Some(stored) = stored.filter(|stored| *stored.as_unchecked() == statement) {
			return Some(stored.clone());
		}
		let key = self.block.session.validator(statement.validator_index)?;
		check_signed(verifier, &self.block.signing_context(), key, statement)
	}
}
