//! Messages from the relay chain to paras (runtime §8.4).
//!
//! Each para has a queue: pages of one message each, numbered without end, and the range of pages in use. A
//! para says with each candidate how many messages it has processed, and those go. Over all messages that were
//! ever queued there is a hash chain, whose head parachains read by Merkle proof.
//!
//! It never looks into messages. When a para goes, its pages are deleted a few per block: a queue may hold
//! thousands.
//!
//! # Bounds
//! A queue holds about as many messages as 32 MiB hold messages of the largest size. The longer it is, the
//! higher the factor on the price of delivery, for those who pay for it.

#[cfg(test)]
mod tests;

pub use pallet::*;

use crate::{configuration, paras, util::now, weights};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::*;
use headway_primitives::{hash_of, BlockNumber, Hash, InboundDownwardMessage, ParaId};
use sp_runtime::{FixedPointNumber, FixedU128, Saturating};

/// Bytes that a queue may hold at the largest message size.
const MAX_QUEUE_BYTES: u32 = 32 * 1024 * 1024;
/// Pages of a queue that are deleted at once when its para goes, and in each block from then on.
const PAGES_DELETED_AT_ONCE: u64 = 3;

/// Pages of a para's queue that are in use: one message each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Encode, Decode, TypeInfo)]
pub struct QueueMeta {
	/// Page of the oldest message.
	pub first_full: u64,
	/// Page of the next message.
	pub first_free: u64,
}

impl QueueMeta {
	/// Messages that wait.
	pub fn len(&self) -> u64 {
		self.first_free.saturating_sub(self.first_full)
	}

	/// Whether none waits.
	pub fn is_empty(&self) -> bool {
		self.len() == 0
	}
}

/// Why a message cannot be queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueueDownwardMessageError {
	/// The message is too large, or the queue is too long. The reference reports both by this name, and tools
	/// look for it.
	ExceedsMaxMessageSize,
	/// There are no more pages.
	ExceedsMaxQueueSize,
	/// There is no such para.
	Unroutable,
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::config]
	pub trait Config: frame_system::Config + paras::Config {}

	/// Pages of each queue.
	#[pallet::storage]
	pub type DownwardMessageQueueMeta<T: Config> =
		StorageMap<_, Twox64Concat, ParaId, QueueMeta, OptionQuery>;

	/// Messages.
	#[pallet::storage]
	pub type DownwardMessageQueuePages<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		ParaId,
		Twox64Concat,
		u64,
		InboundDownwardMessage<BlockNumber>,
		OptionQuery,
	>;

	/// Pages of paras that went, which are still to be deleted: first, and first behind.
	#[pallet::storage]
	pub type DownwardMessageQueueLazyDelete<T: Config> =
		StorageMap<_, Blake2_128Concat, ParaId, (u64, u64), OptionQuery>;

	/// Head of the hash chain over all messages that were ever queued.
	#[pallet::storage]
	pub type DownwardMessageQueueHeads<T: Config> = StorageMap<_, Twox64Concat, ParaId, Hash, ValueQuery>;

	#[pallet::type_value]
	pub fn InitialFactor() -> FixedU128 {
		FixedU128::from_u32(1)
	}

	/// Factor on the price of delivery, by the length of the queue.
	#[pallet::storage]
	pub type DeliveryFeeFactor<T: Config> =
		StorageMap<_, Twox64Concat, ParaId, FixedU128, ValueQuery, InitialFactor>;

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_idle(_: BlockNumberFor<T>, limit: Weight) -> Weight {
			let weight =
				weights::ref_time_micros(20).saturating_add(weights::db::<T>(2, PAGES_DELETED_AT_ONCE + 1));
			if weight.any_gt(limit) {
				return Weight::zero();
			}
			Self::delete_some();
			weight
		}

		fn integrity_test() {
			let id = ParaId(2000);
			assert_eq!(
				DownwardMessageQueueHeads::<T>::hashed_key_for(id),
				headway_primitives::well_known_keys::dmq_mqc_head(id)
			);
		}
	}

	impl<T: Config> Pallet<T> {
		/// Whether [`Self::queue_downward_message`] would queue the message.
		///
		/// # Errors
		///
		/// In this order: a message or queue that is too long, a para that does not exist, no more pages.
		pub fn can_queue_downward_message(para: ParaId, msg: &[u8]) -> Result<(), QueueDownwardMessageError> {
			let max_size = configuration::ActiveConfig::<T>::get().max_downward_message_size;
			let meta = Self::meta(para);
			if msg.len() > max_size as usize || meta.len() > max_len(max_size) {
				return Err(QueueDownwardMessageError::ExceedsMaxMessageSize);
			}
			if !paras::Heads::<T>::contains_key(para) {
				return Err(QueueDownwardMessageError::Unroutable);
			}
			meta.first_free.checked_add(1).ok_or(QueueDownwardMessageError::ExceedsMaxQueueSize)?;
			Ok(())
		}

		/// Queues a message.
		///
		/// # Errors
		///
		/// Those of [`Self::can_queue_downward_message`].
		pub fn queue_downward_message(para: ParaId, msg: Vec<u8>) -> Result<(), QueueDownwardMessageError> {
			Self::can_queue_downward_message(para, &msg)?;
			let mut meta = Self::meta(para);
			let page = meta.first_free;
			meta.first_free = page.saturating_add(1);
			let message = InboundDownwardMessage { sent_at: now::<T>(), msg };
			DownwardMessageQueueHeads::<T>::mutate(para, |head| {
				*head = hash_of(&(*head, message.sent_at, hash_of(&message.msg)));
			});
			let kibibytes = message.msg.len() as u128 / 1024;
			DownwardMessageQueuePages::<T>::insert(para, page, message);
			DownwardMessageQueueMeta::<T>::insert(para, meta);
			if Self::is_expensive(meta) {
				// 1.05, and 0.001 more for every KiB.
				let factor = FixedU128::saturating_from_rational(1050 + kibibytes, 1000u128);
				DeliveryFeeFactor::<T>::mutate(para, |fee| *fee = fee.saturating_mul(factor));
			}
			Ok(())
		}

		/// Removes the oldest `n` messages. The price of delivery recovers with every candidate that finds or
		/// leaves the queue short enough.
		pub(crate) fn prune(para: ParaId, n: u32) {
			let mut meta = Self::meta(para);
			let end = meta.first_full.saturating_add(u64::from(n).min(meta.len()));
			if end > meta.first_full {
				for page in meta.first_full..end {
					DownwardMessageQueuePages::<T>::remove(para, page);
				}
				meta.first_full = end;
				DownwardMessageQueueMeta::<T>::insert(para, meta);
			}
			if DeliveryFeeFactor::<T>::contains_key(para) && !Self::is_expensive(meta) {
				let step = FixedU128::saturating_from_rational(105u32, 100u32);
				let fee = DeliveryFeeFactor::<T>::get(para);
				match fee.checked_div(&step).filter(|fee| *fee > InitialFactor::get()) {
					Some(lower) => DeliveryFeeFactor::<T>::insert(para, lower),
					None => DeliveryFeeFactor::<T>::remove(para),
				}
			}
		}

		/// Messages that wait, oldest first.
		pub fn contents(para: ParaId) -> Vec<InboundDownwardMessage<BlockNumber>> {
			Self::pages(para).filter_map(|page| DownwardMessageQueuePages::<T>::get(para, page)).collect()
		}

		/// Block of each message that waits, oldest first.
		pub fn sent_at(para: ParaId) -> Vec<BlockNumber> {
			Self::pages(para)
				.filter_map(|page| {
					// The number is what a message begins with; the rest may be long, and is not needed.
					let mut number = [0; 4];
					let key = DownwardMessageQueuePages::<T>::hashed_key_for(para, page);
					sp_io::storage::read(&key, &mut number, 0).map(|_| BlockNumber::from_le_bytes(number))
				})
				.collect()
		}

		/// Forgets the queues of paras that went; most of the pages later.
		pub(crate) fn on_new_session(outgoing: &[ParaId]) {
			for para in outgoing {
				DownwardMessageQueueHeads::<T>::remove(para);
				DeliveryFeeFactor::<T>::remove(para);
				let Some(meta) = DownwardMessageQueueMeta::<T>::take(para) else { continue };
				let end = meta.first_full.saturating_add(PAGES_DELETED_AT_ONCE).min(meta.first_free);
				for page in meta.first_full..end {
					DownwardMessageQueuePages::<T>::remove(para, page);
				}
				if end < meta.first_free {
					// What is left from the last time ends where this queue began.
					let first =
						DownwardMessageQueueLazyDelete::<T>::get(para).map_or(end, |(first, _)| first);
					DownwardMessageQueueLazyDelete::<T>::insert(para, (first, meta.first_free));
				}
			}
		}

		/// Deletes some pages of one para that went.
		fn delete_some() {
			let Some((para, (first, end))) = DownwardMessageQueueLazyDelete::<T>::iter().next() else {
				return;
			};
			let next = first.saturating_add(PAGES_DELETED_AT_ONCE).min(end);
			for page in first..next {
				DownwardMessageQueuePages::<T>::remove(para, page);
			}
			if next < end {
				DownwardMessageQueueLazyDelete::<T>::insert(para, (next, end));
			} else {
				DownwardMessageQueueLazyDelete::<T>::remove(para);
			}
		}

		/// Pages in use. A new queue begins behind the pages of an old one that are still to be deleted.
		fn meta(para: ParaId) -> QueueMeta {
			DownwardMessageQueueMeta::<T>::get(para).unwrap_or_else(|| {
				let start = DownwardMessageQueueLazyDelete::<T>::get(para).map_or(0, |(_, end)| end);
				QueueMeta { first_full: start, first_free: start }
			})
		}

		fn pages(para: ParaId) -> core::ops::Range<u64> {
			let QueueMeta { first_full, first_free } = Self::meta(para);
			first_full..first_free
		}

		/// Whether the queue is so long that its price rises.
		fn is_expensive(meta: QueueMeta) -> bool {
			meta.len() > max_len(configuration::ActiveConfig::<T>::get().max_downward_message_size) / 2
		}
	}
}

/// Most messages of a queue, by the largest message size. One more is accepted, as in the reference.
fn max_len(max_message_size: u32) -> u64 {
	u64::from(MAX_QUEUE_BYTES.checked_div(max_message_size).unwrap_or(0))
}
