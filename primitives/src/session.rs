//! Sessions: validators, groups, their rotation over cores, and thresholds (runtime §5.3, §8.3; backing pipeline §1.8).

use crate::{
	AssignmentId, AuthorityDiscoveryId, BlockNumber, CoreIndex, GroupIndex, ValidatorId, ValidatorIndex,
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use scale_info::TypeInfo;

/// What is known of a session, for as long as disputes may need it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct SessionInfo {
	/// Indices of the active validators in the session's full validator set.
	pub active_validator_indices: Vec<ValidatorIndex>,
	/// Seed of the session.
	pub random_seed: [u8; 32],
	/// Sessions for which disputes are accepted.
	pub dispute_period: u32,
	/// Keys of the active validators, by [`ValidatorIndex`].
	pub validators: Vec<ValidatorId>,
	/// Discovery keys: the active validators' first, in the same order, then those of all others.
	pub discovery_keys: Vec<AuthorityDiscoveryId>,
	/// Assignment keys of the active validators.
	pub assignment_keys: Vec<AssignmentId>,
	/// Groups, by [`GroupIndex`].
	pub validator_groups: Vec<Vec<ValidatorIndex>>,
	/// Number of availability cores.
	pub n_cores: u32,
	/// Approval voting parameter.
	pub zeroth_delay_tranche_width: u32,
	/// Approval voting parameter.
	pub relay_vrf_modulo_samples: u32,
	/// Approval voting parameter.
	pub n_delay_tranches: u32,
	/// Approval voting parameter, slots.
	pub no_show_slots: u32,
	/// Approval voting parameter.
	pub needed_approvals: u32,
}

/// How groups move over cores.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct GroupRotationInfo<N = BlockNumber> {
	/// First block of the session.
	pub session_start_block: N,
	/// Blocks between rotations; 0: never.
	pub group_rotation_frequency: N,
	/// Block that the answer is for: the child of the queried one.
	pub now: N,
}

impl GroupRotationInfo {
	/// The group that is responsible for `core`, of `n_groups`.
	pub fn group_for_core(&self, core: CoreIndex, n_groups: u32) -> GroupIndex {
		if self.group_rotation_frequency == 0 {
			return GroupIndex(core.0);
		}
		if n_groups == 0 {
			return GroupIndex(0);
		}
		let core = u64::from(core.0) + u64::from(self.rotations());
		GroupIndex((core % u64::from(n_groups)) as u32)
	}

	/// The core that `group` is responsible for; inverse of [`Self::group_for_core`].
	pub fn core_for_group(&self, group: GroupIndex, n_groups: u32) -> CoreIndex {
		if self.group_rotation_frequency == 0 {
			return CoreIndex(group.0);
		}
		if n_groups == 0 {
			return CoreIndex(0);
		}
		let back = self.rotations() % n_groups;
		let group = u64::from(group.0) + u64::from(n_groups - back);
		CoreIndex((group % u64::from(n_groups)) as u32)
	}

	/// Block of the next rotation.
	pub fn next_rotation_at(&self) -> BlockNumber {
		let next = self.now.saturating_add(self.group_rotation_frequency);
		next.saturating_sub(self.since_rotation(next))
	}

	/// Block of the last rotation.
	pub fn last_rotation_at(&self) -> BlockNumber {
		self.now.saturating_sub(self.since_rotation(self.now))
	}

	fn rotations(&self) -> u32 {
		self.now
			.saturating_sub(self.session_start_block)
			.checked_div(self.group_rotation_frequency)
			.unwrap_or(0)
	}

	fn since_rotation(&self, at: BlockNumber) -> BlockNumber {
		at.saturating_sub(self.session_start_block).checked_rem(self.group_rotation_frequency).unwrap_or(0)
	}
}

/// Votes that a group of `group_len` members needs to back a candidate, under the configured minimum.
pub fn effective_minimum_backing_votes(group_len: usize, configured: u32) -> usize {
	group_len.min(configured as usize)
}

/// Most validators of `n` that may be faulty: `floor((n - 1) / 3)`.
pub const fn byzantine_threshold(n: usize) -> usize {
	n.saturating_sub(1) / 3
}

/// Validators of `n` that are more than two thirds in the presence of faults: `n - f`.
pub const fn supermajority_threshold(n: usize) -> usize {
	n - byzantine_threshold(n)
}

/// Bits of `n` validators with which a candidate counts as available: the same supermajority, as the runtime counts.
pub const fn availability_threshold(n: usize) -> usize {
	supermajority_threshold(n)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn thresholds() {
		// n, byzantine, supermajority (also: available)
		for (n, byzantine, supermajority) in
			[(0, 0, 0), (1, 0, 1), (2, 0, 2), (3, 0, 3), (4, 1, 3), (6, 1, 5), (7, 2, 5), (100, 33, 67)]
		{
			assert_eq!(byzantine_threshold(n), byzantine, "n = {n}");
			assert_eq!(supermajority_threshold(n), supermajority, "n = {n}");
			assert_eq!(availability_threshold(n), supermajority, "n = {n}");
		}
		assert_eq!(effective_minimum_backing_votes(5, 2), 2);
		assert_eq!(effective_minimum_backing_votes(1, 2), 1);
	}

	#[test]
	fn groups_rotate_over_cores_and_back() {
		for (frequency, now, n_groups) in [(0, 35, 3), (10, 0, 3), (10, 35, 3), (10, 35, 1), (7, u32::MAX, 5)]
		{
			let info = GroupRotationInfo { session_start_block: 5, group_rotation_frequency: frequency, now };
			let rotations = now.saturating_sub(5).checked_div(frequency).unwrap_or(0);
			for core in 0..n_groups {
				let group = info.group_for_core(CoreIndex(core), n_groups);
				assert_eq!(
					u64::from(group.0),
					(u64::from(core) + u64::from(rotations)) % u64::from(n_groups)
				);
				assert_eq!(info.core_for_group(group, n_groups), CoreIndex(core));
			}
		}
		// Without groups nothing panics.
		let info = GroupRotationInfo { session_start_block: 0, group_rotation_frequency: 1, now: 3 };
		assert_eq!(
			(info.group_for_core(CoreIndex(2), 0), info.core_for_group(GroupIndex(2), 0)),
			(GroupIndex(0), CoreIndex(0))
		);
	}

	#[test]
	fn rotations_happen_at_multiples_of_the_frequency_after_the_session_start() {
		for (now, last, next) in [(5, 5, 15), (14, 5, 15), (15, 15, 25), (26, 25, 35)] {
			let info = GroupRotationInfo { session_start_block: 5, group_rotation_frequency: 10, now };
			assert_eq!((info.last_rotation_at(), info.next_rotation_at()), (last, next), "now = {now}");
		}
	}
}
