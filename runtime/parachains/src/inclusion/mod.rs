//! Candidates between backing and inclusion: checks, occupied cores, availability votes, enactment (runtime
//! §6).
//!
//! A candidate passes through here twice: it is backed, then it is included.
//!
//! 1. The inherent makes the [`RunningState`] of a para and takes its candidates through
//!    [`Pallet::verify_backed_candidate`] and [`Pallet::check_backing`], which yields a [`VerifiedCandidate`]:
//!    the only thing that [`Pallet::process_candidates`] puts on a core. So nothing is checked twice, and a
//!    candidate that does not pass costs its author the candidate, not the block.
//! 2. Bitfields are counted by [`Pallet::update_pending_availability`], which includes what is available.
//!
//! Whether a candidate may follow a state is decided by [`headway_primitives::constraints`], the same code
//! that the node uses; this pallet supplies the state. Other than in the reference, limits take into account
//! what the para's pending candidates already use.

mod availability;
mod backing;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod state;
#[cfg(test)]
mod tests;
pub mod weights;

pub(crate) use availability::enactment_weight;
pub use backing::{BackedInBlock, VerifiedCandidate};
pub(crate) use backing::{Voters, VotesError};
pub use pallet::*;
pub use state::{RunningState, SynchronousViolation};

use crate::{
	configuration, dmp, hrmp, initializer::SessionChangeNotification, paras, scheduler, shared, util::now,
};
use alloc::vec::Vec;
use bitvec::{order::Lsb0, vec::BitVec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::traits::{EnqueueMessage, QueueFootprint, QueueFootprintQuery};
use headway_primitives::{
	BlockNumber, CandidateCommitments, CandidateDescriptorV2, CandidateHash, CandidateReceiptV2,
	CommittedCandidateReceiptV2, CoreIndex, GroupIndex, HeadData, ParaId, UpwardMessage, ValidatorIndex,
};
use scale_info::TypeInfo;
use weights::WeightInfo;

const LOG_TARGET: &str = "runtime::inclusion";

/// Whose queue of messages it is.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
)]
pub enum AggregateMessageOrigin {
	/// Messages to the relay chain.
	#[codec(index = 0)]
	Ump(UmpQueueId),
}

/// Whose messages to the relay chain.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
)]
pub enum UmpQueueId {
	/// Of this para.
	#[codec(index = 0)]
	Para(ParaId),
}

/// The queue of upward messages of a para.
pub fn upward_queue(para: ParaId) -> AggregateMessageOrigin {
	AggregateMessageOrigin::Ump(UmpQueueId::Para(para))
}

/// A backed candidate that waits for availability. The field order is normative.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct CandidatePendingAvailability {
	/// The core that it occupies.
	pub(crate) core: CoreIndex,
	/// The candidate.
	pub(crate) hash: CandidateHash,
	/// Its descriptor.
	pub(crate) descriptor: CandidateDescriptorV2,
	/// What it commits to.
	pub(crate) commitments: CandidateCommitments,
	/// Who holds a chunk, by validator.
	pub(crate) availability_votes: BitVec<u8, Lsb0>,
	/// Who backed it, by validator.
	pub(crate) backers: BitVec<u8, Lsb0>,
	/// Number of its relay parent.
	pub(crate) relay_parent_number: BlockNumber,
	/// Block in which it was backed.
	pub(crate) backed_in_number: BlockNumber,
	/// Group that backed it.
	pub(crate) backing_group: GroupIndex,
}

impl CandidatePendingAvailability {
	/// The receipt with commitments.
	pub fn committed_receipt(&self) -> CommittedCandidateReceiptV2 {
		CommittedCandidateReceiptV2 {
			descriptor: self.descriptor.clone(),
			commitments: self.commitments.clone(),
		}
	}

	/// The receipt.
	pub fn receipt(&self) -> CandidateReceiptV2 {
		CandidateReceiptV2 { descriptor: self.descriptor.clone(), commitments_hash: self.commitments.hash() }
	}
}

/// Who is rewarded when a candidate is included (runtime §6.1). `()` rewards nobody.
pub trait RewardValidators {
	/// Rewards the backers of a candidate.
	fn reward_backing(validators: impl IntoIterator<Item = ValidatorIndex>);
	/// Rewards those who told that they hold their chunk.
	fn reward_bitfields(validators: impl IntoIterator<Item = ValidatorIndex>);
}

impl RewardValidators for () {
	fn reward_backing(_: impl IntoIterator<Item = ValidatorIndex>) {}
	fn reward_bitfields(_: impl IntoIterator<Item = ValidatorIndex>) {}
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use frame_support::pallet_prelude::*;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::config]
	pub trait Config:
		paras::Config + dmp::Config + hrmp::Config + frame_system::Config<RuntimeEvent: From<Event>>
	{
		/// Queues of messages to the relay chain.
		type MessageQueue: EnqueueMessage<AggregateMessageOrigin>
			+ QueueFootprintQuery<AggregateMessageOrigin>;
		/// Who is rewarded when a candidate is included.
		type RewardValidators: RewardValidators;
		/// What inclusion weighs.
		type WeightInfo: WeightInfo;
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event {
		/// A candidate was backed and occupies the core.
		CandidateBacked(CandidateReceiptV2, HeadData, CoreIndex, GroupIndex),
		/// A candidate was included.
		CandidateIncluded(CandidateReceiptV2, HeadData, CoreIndex, GroupIndex),
		/// A candidate was not available in time.
		CandidateTimedOut(CandidateReceiptV2, HeadData, CoreIndex),
		/// An included candidate sent messages to the relay chain.
		UpwardMessagesReceived {
			/// The para.
			from: ParaId,
			/// Messages.
			count: u32,
		},
	}

	#[pallet::error]
	#[derive(PartialEq, Eq)]
	pub enum Error<T> {
		/// Not used any more.
		ValidatorIndexOutOfBounds,
		/// The para has no code, and so cannot be scheduled.
		UnscheduledCandidate,
		/// The head data is too large.
		HeadDataTooLarge,
		/// The para may not upgrade its code now.
		PrematureCodeUpgrade,
		/// The new code is too large.
		NewCodeTooLarge,
		/// The relay parent is not known, or older than that of the candidate before.
		DisallowedRelayParent,
		/// The scheduling parent is not among the newest blocks.
		DisallowedSchedulingParent,
		/// No group is assigned to the core.
		InvalidAssignment,
		/// The group does not exist.
		InvalidGroupIndex,
		/// Too few votes.
		InsufficientBacking,
		/// Votes do not match the group, or a signature is wrong.
		InvalidBacking,
		/// Validated with other data than the chain vouches for.
		ValidationDataHashMismatch,
		/// Downward messages are not processed as required.
		IncorrectDownwardMessageHandling,
		/// Upward messages exceed a limit.
		InvalidUpwardMessages,
		/// The watermark of horizontal messages is not allowed.
		HrmpWatermarkMishandling,
		/// Horizontal messages exceed a limit or have no channel.
		InvalidOutboundHrmp,
		/// Made with other code than the current one.
		InvalidValidationCodeHash,
		/// The descriptor's head hash is not that of the commitments.
		ParaHeadMismatch,
		/// Synchronous backing: the relay parent is not the newest block.
		SynchronousRelayParentNotNewest,
		/// Synchronous backing: the candidate does not build on a head that is included at its relay parent.
		SynchronousParentNotIncluded,
	}

	/// Candidates that wait for availability, by para: the first builds on the included head, each other one on
	/// the one before it. A para without any has no entry.
	///
	/// # Bounds
	/// Each candidate holds a core, so there are never more than cores.
	#[pallet::storage]
	#[pallet::storage_prefix = "V1"]
	pub type PendingAvailability<T: Config> =
		StorageMap<_, Twox64Concat, ParaId, Vec<CandidatePendingAvailability>, OptionQuery>;

	#[pallet::call]
	impl<T: Config> Pallet<T> {}

	impl<T: Config> Pallet<T> {
		/// Starts a session: whatever was pending is gone, as are the messages of paras that went.
		pub(crate) fn on_new_session(_: &SessionChangeNotification, outgoing: &[ParaId]) {
			// Bounded by the number of paras that hold cores.
			let _ = PendingAvailability::<T>::clear(u32::MAX, None);
			for para in outgoing {
				T::MessageQueue::sweep_queue(upward_queue(*para));
				for key in upward_capacity_keys(*para) {
					sp_io::storage::clear(&key);
				}
			}
		}

		/// Paras with pending candidates, ascending.
		pub(crate) fn pending_paras() -> Vec<ParaId> {
			let mut paras: Vec<_> = PendingAvailability::<T>::iter_keys().collect();
			paras.sort();
			paras
		}

		/// Candidates of a para that wait for availability.
		pub fn pending_candidates(para: ParaId) -> Vec<CandidatePendingAvailability> {
			PendingAvailability::<T>::get(para).unwrap_or_default()
		}

		/// Cores that are occupied, with their candidates.
		pub fn occupied_cores() -> Vec<(CoreIndex, CandidatePendingAvailability)> {
			PendingAvailability::<T>::iter_values().flatten().map(|pending| (pending.core, pending)).collect()
		}

		pub(super) fn store_pending(para: ParaId, pending: Vec<CandidatePendingAvailability>) {
			if pending.is_empty() {
				PendingAvailability::<T>::remove(para);
			} else {
				PendingAvailability::<T>::insert(para, pending);
			}
		}

		/// Messages of a para's queue and their bytes.
		pub(super) fn upward_queue_footprint(para: ParaId) -> (u32, u32) {
			let storage = T::MessageQueue::footprint(upward_queue(para)).storage;
			let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
			(small(storage.count), small(storage.size))
		}

		/// Queues the messages of an included candidate.
		pub(super) fn receive_upward_messages(para: ParaId, messages: &[UpwardMessage]) {
			let bounded: Vec<_> = headway_primitives::ump::skip_ump_signals(messages.iter())
				.filter_map(|message| {
					frame_support::BoundedSlice::try_from(&message[..])
						.map_err(|_| {
							log::error!(
								target: LOG_TARGET,
								"para {para}: upward message of {} bytes does not fit into a page, dropped",
								message.len(),
							)
						})
						.ok()
				})
				.collect();
			if bounded.is_empty() {
				return;
			}
			let count = bounded.len() as u32;
			T::MessageQueue::enqueue_messages(bounded.into_iter(), upward_queue(para));
			Self::deposit_event(Event::UpwardMessagesReceived { from: para, count });
		}

		/// Notes a changed queue: writes what parachains read by Merkle proof, size and remaining capacity.
		pub fn note_upward_queue(origin: AggregateMessageOrigin, footprint: QueueFootprint) {
			let AggregateMessageOrigin::Ump(UmpQueueId::Para(para)) = origin;
			let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
			let (count, size) = (small(footprint.storage.count), small(footprint.storage.size));
			let config = configuration::ActiveConfig::<T>::get();
			let remaining = (
				config.max_upward_queue_count.saturating_sub(count),
				config.max_upward_queue_size.saturating_sub(size),
			);
			let [size_key, capacity_key] = upward_capacity_keys(para);
			sp_io::storage::set(&size_key, &(count, size).encode());
			sp_io::storage::set(&capacity_key, &remaining.encode());
		}

		/// Writes again what parachains read of their queues, because limits have changed. Who never had a message
		/// in its queue reads nothing, and takes the limits themselves.
		pub(crate) fn refresh_upward_capacities() {
			for para in paras::ParaLifecycles::<T>::iter_keys() {
				let [size_key, _] = upward_capacity_keys(para);
				if sp_io::storage::exists(&size_key) {
					let queue = upward_queue(para);
					Self::note_upward_queue(queue, T::MessageQueue::footprint(queue));
				}
			}
		}
	}

	impl<T: Config> paras::UpwardQueueFootprint for Pallet<T> {
		fn message_count(para: ParaId) -> u64 {
			T::MessageQueue::footprint(upward_queue(para)).storage.count
		}
	}
}

fn upward_capacity_keys(para: ParaId) -> [Vec<u8>; 2] {
	use headway_primitives::well_known_keys as keys;
	[keys::relay_dispatch_queue_size(para), keys::relay_dispatch_queue_remaining_capacity(para)]
}
