//! How full statement distribution is.

use crate::{grid_view::GridView, handlers::SUBSYSTEM, parent::ParentState, StatementDistribution};
use headway_machine::Sizes;
use headway_primitives::GroupIndex;
use std::collections::BTreeSet;

impl StatementDistribution {
	/// Each container beside what its documentation allows.
	pub(crate) fn measure(&self) -> Sizes {
		let mut sizes = Sizes::of(SUBSYSTEM);
		let (mut described, mut known) = (0, 0);
		let mut in_use = BTreeSet::new();
		for parent in self.parents.values() {
			let grid = self.sessions.get(parent.session).and_then(|session| session.grid.as_ref());
			in_use.insert(parent.session);
			described += parent.described_max(grid);
			known += parent.known_max(grid);
			parent.sizes(grid, &mut sizes);
		}
		sizes.note("candidates", self.candidates.len(), known);
		self.requests.sizes(described, self.peers.len(), &mut sizes);
		self.sessions.sizes(in_use.len(), &mut sizes);
		self.peers.sizes(self.parents.len(), &mut sizes);
		self.answers.sizes(&mut sizes);
		sizes
	}
}

impl ParentState {
	/// Most candidates that peers can tell us of at this block: what the trackers let them in for.
	fn described_max(&self, grid: Option<&GridView>) -> usize {
		let in_cluster = self.cluster.as_ref().map_or(0, |cluster| cluster.tracker.candidates_max());
		let by_manifest = |group: usize| {
			let group = GroupIndex(group as u32);
			let neighbors = grid.and_then(|grid| grid.group(group)).map_or(0, |view| view.n_neighbors());
			neighbors * self.proposals_max(group)
		};
		in_cluster + (0..self.groups.all().len()).map(by_manifest).sum::<usize>()
	}

	/// Most candidates that can be known at this block: those, and what our own backing seconds.
	fn known_max(&self, grid: Option<&GridView>) -> usize {
		let own = self.cluster.as_ref().map_or(0, |cluster| self.seconding_limit(cluster.group));
		self.described_max(grid) + own
	}

	/// Candidates that all members of a group together may propose.
	fn proposals_max(&self, group: GroupIndex) -> usize {
		self.groups.get(group).map_or(0, <[_]>::len) * self.seconding_limit(group)
	}

	/// Notes how full it is.
	fn sizes(&self, grid: Option<&GridView>, sizes: &mut Sizes) {
		let known_max = self.known_max(grid);
		self.store.sizes(known_max, sizes);
		if let Some(cluster) = &self.cluster {
			cluster.tracker.sizes(sizes);
		}
		self.grid.sizes(known_max, |group, para| self.manifest_rules(group, para).manifests_max(), sizes);
	}
}
