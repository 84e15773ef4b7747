//! From whom we expect manifests of each group's candidates, and to whom we send them (backing pipeline §4.5).
//!
//! A group member tells its row and column. Whoever hears it along its row passes it down its column, and the other way
//! round: so every validator hears of every candidate after two hops, on two ways.

use headway_machine::grid::Topology;
use headway_primitives::{GroupIndex, ValidatorIndex};
use std::collections::BTreeSet;

/// Our neighbours' part in the distribution of one group's candidates.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct GroupView {
	/// Those that we send full manifests to.
	pub(crate) sending: BTreeSet<ValidatorIndex>,
	/// Those that may send us full manifests.
	pub(crate) receiving: BTreeSet<ValidatorIndex>,
}

/// [`GroupView`] of each group of a session.
///
/// # Bounds
///
/// At most `2·√n` neighbours per group, from the session's topology alone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct GridView {
	groups: Vec<GroupView>,
}

impl GroupView {
	/// Neighbours that tell us of the group's candidates, or that we tell.
	pub(crate) fn n_neighbors(&self) -> usize {
		self.receiving.union(&self.sending).count()
	}
}

impl GridView {
	/// The view of the validator at `local`; empty without one, or if it is not in the topology.
	pub(crate) fn new(
		topology: &Topology,
		groups: &[Vec<ValidatorIndex>],
		local: Option<ValidatorIndex>,
	) -> Self {
		let Some(local) = local.filter(|local| (local.0 as usize) < topology.len()) else {
			return Self::default();
		};
		let neighbors = topology.neighbors_of(local.0);
		let set = |indices: &[u32]| indices.iter().copied().map(ValidatorIndex).collect::<BTreeSet<_>>();
		let (row, column) = (set(&neighbors.x), set(&neighbors.y));
		let view = |group: &Vec<ValidatorIndex>| group_view(topology, group, local, &row, &column);
		Self { groups: groups.iter().map(view).collect() }
	}

	/// The view of a group.
	pub(crate) fn group(&self, group: GroupIndex) -> Option<&GroupView> {
		self.groups.get(group.0 as usize)
	}
}

fn group_view(
	topology: &Topology,
	group: &[ValidatorIndex],
	local: ValidatorIndex,
	row: &BTreeSet<ValidatorIndex>,
	column: &BTreeSet<ValidatorIndex>,
) -> GroupView {
	let outside = |set: &BTreeSet<ValidatorIndex>| {
		set.iter().copied().filter(|validator| !group.contains(validator)).collect::<Vec<_>>()
	};
	let mut view = GroupView::default();
	if group.contains(&local) {
		// Within the group, statements come through the cluster.
		view.sending.extend(outside(row));
		view.sending.extend(outside(column));
		return view;
	}
	for member in group {
		if row.contains(member) {
			view.receiving.insert(*member);
			view.sending.extend(outside(column));
		} else if column.contains(member) {
			view.receiving.insert(*member);
			view.sending.extend(outside(row));
		} else {
			let theirs = topology.neighbors_of(member.0);
			let link = |from: &[u32], to: &BTreeSet<ValidatorIndex>| {
				from.iter().copied().map(ValidatorIndex).find(|validator| to.contains(validator))
			};
			view.receiving.extend(link(&theirs.x, column));
			view.receiving.extend(link(&theirs.y, row));
		}
	}
	view
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::testing;

	fn topology(n: u32, randomness: u8) -> (Topology, Vec<Vec<ValidatorIndex>>) {
		let groups: Vec<Vec<u32>> = (0..n).collect::<Vec<_>>().chunks(3).map(<[u32]>::to_vec).collect();
		let session = testing::session(1, &testing::validator_keys(n), groups, None);
		let topology = Topology::new(&session.info, &[randomness; 32], None);
		(topology, session.info.validator_groups.clone())
	}

	#[test]
	fn every_node_computes_consistent_relations() {
		for n in [1, 2, 3, 4, 7, 9, 12, 25, 31] {
			let (topology, groups) = topology(n, n as u8);
			let views: Vec<_> =
				(0..n).map(|i| GridView::new(&topology, &groups, Some(ValidatorIndex(i)))).collect();
			for (g, group) in groups.iter().enumerate() {
				let g = GroupIndex(g as u32);
				for (i, view) in views.iter().enumerate() {
					let me = ValidatorIndex(i as u32);
					for from in &view.group(g).unwrap().receiving {
						let theirs = views[from.0 as usize].group(g).unwrap();
						assert!(theirs.sending.contains(&me), "{n}: {from:?} sends {g:?} to {me:?}");
					}
					assert!(!view.group(g).unwrap().sending.contains(&me));
					if group.contains(&me) {
						assert!(view.group(g).unwrap().receiving.is_empty());
					}
				}
			}
		}
	}

	#[test]
	fn every_validator_hears_of_every_group_in_two_hops() {
		let (topology, groups) = topology(16, 3);
		for me in (0..16).map(ValidatorIndex) {
			let view = GridView::new(&topology, &groups, Some(me));
			for (g, group) in groups.iter().enumerate().filter(|(_, group)| !group.contains(&me)) {
				assert!(
					!view.group(GroupIndex(g as u32)).unwrap().receiving.is_empty(),
					"{me:?} of {group:?}"
				);
			}
		}
	}

	#[test]
	fn without_a_place_in_the_topology_nobody_is_expected() {
		let (topology, groups) = topology(9, 0);
		assert_eq!(GridView::new(&topology, &groups, None), GridView::default());
		assert_eq!(GridView::new(&topology, &groups, Some(ValidatorIndex(9))), GridView::default());
	}

	#[test]
	fn members_of_the_group_are_not_sent_manifests() {
		let (topology, groups) = topology(9, 0);
		let view = GridView::new(&topology, &groups, Some(ValidatorIndex(0)));
		assert!(groups[0].iter().all(|member| !view.group(GroupIndex(0)).unwrap().sending.contains(member)));
	}
}
