//! What all the other pallets need to know of the session and of recent relay blocks (runtime §3).
//!
//! Relay parents are kept by session, for as many sessions as the configuration says. Those of older sessions
//! are not known any more from the moment a session begins, but they are deleted a few per block: a session may
//! have thousands.

#[cfg(test)]
mod tests;

pub use pallet::*;

use codec::{Decode, Encode};
use headway_primitives::{
	constraints::RelayParentInfo, transpose_claim_queue, BlockNumber, ClaimQueue, Hash, SessionIndex,
	TransposedClaimQueue, ValidatorId, ValidatorIndex,
};
use scale_info::TypeInfo;

use alloc::{
	collections::{BTreeMap, VecDeque},
	vec::Vec,
};

/// Sessions from a decision to its effect: changes become visible one session before they apply.
pub const SESSION_DELAY: SessionIndex = 2;

/// Relay parents of old sessions that are deleted when a session begins. What is left goes in the idle time of
/// blocks.
const RELAY_PARENTS_DELETED_AT_ONCE: u32 = 128;

/// A relay block that may schedule candidates.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct SchedulingParentInfo {
	/// The block.
	pub scheduling_parent: Hash,
	/// The claim queue that nodes were told at this block, by para.
	pub claim_queue: TransposedClaimQueue,
}

/// The newest relay blocks of the session that may schedule candidates.
///
/// # Bounds
/// At most `lookahead` entries (one in synchronous mode), each with at most `cores * lookahead` claims.
#[derive(Clone, PartialEq, Eq, Default, Debug, Encode, Decode, TypeInfo)]
pub struct SchedulingParentsTracker {
	/// Oldest first.
	buffer: VecDeque<SchedulingParentInfo>,
	/// Number of the newest entry; without meaning while there is none.
	latest_number: BlockNumber,
}

impl SchedulingParentsTracker {
	/// Adds a block and drops the oldest beyond `max_len`. A known block changes nothing.
	pub(crate) fn update(
		&mut self,
		scheduling_parent: Hash,
		claim_queue: &ClaimQueue,
		number: BlockNumber,
		max_len: u32,
	) {
		if self.buffer.iter().any(|info| info.scheduling_parent == scheduling_parent) {
			return;
		}
		let claim_queue = transpose_claim_queue(claim_queue);
		self.buffer.push_back(SchedulingParentInfo { scheduling_parent, claim_queue });
		self.latest_number = number;
		while self.buffer.len() > max_len as usize {
			self.buffer.pop_front();
		}
	}

	/// The block and its number, if it may schedule candidates.
	pub fn acquire_info(&self, scheduling_parent: Hash) -> Option<(&SchedulingParentInfo, BlockNumber)> {
		let position = self.buffer.iter().position(|info| info.scheduling_parent == scheduling_parent)?;
		let age = (self.buffer.len() - 1 - position) as BlockNumber;
		Some((&self.buffer[position], self.latest_number.saturating_sub(age)))
	}

	/// The newest block that may schedule candidates.
	pub fn newest(&self) -> Option<Hash> {
		self.buffer.back().map(|info| info.scheduling_parent)
	}

	/// How many blocks there are.
	pub fn len(&self) -> usize {
		self.buffer.len()
	}

	/// Whether there is none.
	pub fn is_empty(&self) -> bool {
		self.buffer.is_empty()
	}
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use crate::weights;
	use frame_support::{pallet_prelude::*, traits::DisabledValidators};
	use frame_system::pallet_prelude::*;
	use rand_chacha::{rand_core::SeedableRng, ChaCha20Rng};

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(2);

	#[pallet::config]
	pub trait Config: frame_system::Config<Hash = Hash> {
		/// Indices of disabled validators in the session's full set.
		type DisabledValidators: DisabledValidators;
	}

	/// The session that the child of this block is in.
	#[pallet::storage]
	pub type CurrentSessionIndex<T: Config> = StorageValue<_, SessionIndex, ValueQuery>;

	/// Active validators, as indices into the session's full set, in shuffled order.
	#[pallet::storage]
	pub type ActiveValidatorIndices<T: Config> = StorageValue<_, Vec<ValidatorIndex>, ValueQuery>;

	/// Keys of the active validators, in the same order.
	#[pallet::storage]
	pub type ActiveValidatorKeys<T: Config> = StorageValue<_, Vec<ValidatorId>, ValueQuery>;

	/// Relay blocks that may schedule candidates.
	#[pallet::storage]
	pub type AllowedSchedulingParents<T: Config> = StorageValue<_, SchedulingParentsTracker, ValueQuery>;

	/// Relay blocks that candidates may execute against, by session.
	#[pallet::storage]
	pub type AllowedRelayParents<T: Config> = StorageDoubleMap<
		_,
		Twox64Concat,
		SessionIndex,
		Blake2_128Concat,
		Hash,
		RelayParentInfo<Hash, BlockNumber>,
		OptionQuery,
	>;

	/// The oldest session whose relay parents are still allowed.
	#[pallet::storage]
	pub type OldestRelayParentSession<T: Config> = StorageValue<_, SessionIndex, ValueQuery>;

	/// The lowest allowed relay parent number of each session.
	#[pallet::storage]
	pub type MinimumRelayParentNumber<T: Config> =
		StorageMap<_, Twox64Concat, SessionIndex, BlockNumber, OptionQuery>;

	/// The oldest session of which there may be relay parents in storage; up to [`OldestRelayParentSession`] they
	/// are still to be deleted.
	#[pallet::storage]
	pub type OldestStoredRelayParentSession<T: Config> = StorageValue<_, SessionIndex, ValueQuery>;

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_idle(_: BlockNumberFor<T>, limit: Weight) -> Weight {
			let base = weights::ref_time_micros(10).saturating_add(weights::db::<T>(2, 1));
			let each = weights::ref_time_micros(2).saturating_add(weights::db::<T>(1, 1));
			let affordable = limit.saturating_sub(base).checked_div_per_component(&each).unwrap_or(0);
			let max = affordable.min(u64::from(RELAY_PARENTS_DELETED_AT_ONCE)) as u32;
			if base.any_gt(limit) || max == 0 {
				return Weight::zero();
			}
			base.saturating_add(each.saturating_mul(Self::delete_relay_parents(max).into()))
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {}

	impl<T: Config> Pallet<T> {
		/// Notes the parent block as scheduling and relay parent. First thing in the inherent.
		pub(crate) fn new_block(
			parent: Hash,
			claim_queue: &ClaimQueue,
			parent_info: RelayParentInfo<Hash, BlockNumber>,
			max_len: u32,
		) {
			let session = CurrentSessionIndex::<T>::get();
			AllowedSchedulingParents::<T>::mutate(|tracker| {
				tracker.update(parent, claim_queue, parent_info.number, max_len)
			});
			AllowedRelayParents::<T>::insert(session, parent, parent_info);
			if !MinimumRelayParentNumber::<T>::contains_key(session) {
				MinimumRelayParentNumber::<T>::insert(session, parent_info.number);
			}
		}

		/// Starts a session; returns the keys of its active validators.
		pub(crate) fn on_new_session(
			session: SessionIndex,
			seed: [u8; 32],
			max_validators: Option<u32>,
			max_relay_parent_session_age: u32,
			all: Vec<ValidatorId>,
		) -> Vec<ValidatorId> {
			// The claim queue and the groups change: nothing from before the boundary may schedule.
			AllowedSchedulingParents::<T>::mutate(|tracker| tracker.buffer.clear());
			let oldest = session.saturating_sub(max_relay_parent_session_age);
			let previous = OldestRelayParentSession::<T>::get();
			if oldest > previous {
				for pruned in previous..oldest {
					MinimumRelayParentNumber::<T>::remove(pruned);
				}
				OldestRelayParentSession::<T>::put(oldest);
			}
			Self::delete_relay_parents(RELAY_PARENTS_DELETED_AT_ONCE);

			CurrentSessionIndex::<T>::put(session);
			let mut indices: Vec<_> = (0..all.len() as u32).map(ValidatorIndex).collect();
			crate::util::shuffle(&mut indices, &mut ChaCha20Rng::from_seed(seed));
			if let Some(max) = max_validators {
				indices.truncate(max as usize);
			}
			let keys = crate::util::take_active_subset(&indices, &all);
			ActiveValidatorIndices::<T>::put(&indices);
			ActiveValidatorKeys::<T>::put(&keys);
			keys
		}

		/// Deletes relay parents of sessions that are too old: at most `max`, and one look at a session counts as
		/// one. Returns how many.
		pub(super) fn delete_relay_parents(max: u32) -> u32 {
			let oldest = OldestRelayParentSession::<T>::get();
			let first = OldestStoredRelayParentSession::<T>::get();
			let (mut session, mut left) = (first, max);
			while session < oldest && left > 0 {
				let deleted = AllowedRelayParents::<T>::clear_prefix(session, left, None);
				left = left.saturating_sub(deleted.unique.max(1));
				if deleted.maybe_cursor.is_some() {
					break;
				}
				session += 1;
			}
			if session != first {
				OldestStoredRelayParentSession::<T>::put(session);
			}
			max - left
		}

		/// The session in which what is decided now takes effect.
		pub fn scheduled_session() -> SessionIndex {
			CurrentSessionIndex::<T>::get().saturating_add(SESSION_DELAY)
		}

		/// Active validators that are disabled, ascending.
		pub fn disabled_validators() -> Vec<ValidatorIndex> {
			let disabled = T::DisabledValidators::disabled_validators();
			if disabled.is_empty() {
				return Vec::new();
			}
			let active: BTreeMap<u32, ValidatorIndex> = ActiveValidatorIndices::<T>::get()
				.into_iter()
				.enumerate()
				.map(|(position, raw)| (raw.0, ValidatorIndex(position as u32)))
				.collect();
			let mut disabled: Vec<_> = disabled.iter().filter_map(|raw| active.get(raw).copied()).collect();
			disabled.sort();
			disabled
		}

		/// The lowest number that a relay parent may have, over all allowed sessions.
		pub fn minimum_relay_parent_number() -> Option<BlockNumber> {
			let oldest = OldestRelayParentSession::<T>::get();
			(oldest..=CurrentSessionIndex::<T>::get()).find_map(MinimumRelayParentNumber::<T>::get)
		}

		/// An allowed relay parent.
		pub fn relay_parent_info(session: SessionIndex, relay_parent: Hash) -> Option<RelayParentInfo> {
			// Older ones may be in storage, but only until they are deleted.
			if session < OldestRelayParentSession::<T>::get() {
				return None;
			}
			AllowedRelayParents::<T>::get(session, relay_parent)
		}
	}
}
