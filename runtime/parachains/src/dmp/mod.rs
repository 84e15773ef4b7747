//! Messages from the relay chain to paras (runtime §8.4).

pub use pallet::*;

use crate::{configuration, paras, util::now};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use frame_support::pallet_prelude::*;
use headway_primitives::{hash_of, BlockNumber, Hash, InboundDownwardMessage, ParaId};
use sp_runtime::{FixedPointNumber, FixedU128, Saturating};

/// Bytes that a queue may hold at the largest message size.
const MAX_QUEUE_BYTES: u32 = 32 * 1024 * 1024;

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
	/// It is too large, or (as in the reference) the queue is too long.
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
	pub type DownwardMessageQueueMeta<T: Config> = StorageMap<_, Twox64Concat, ParaId, QueueMeta, ValueQuery>;

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
	impl<T: Config> Hooks<frame_system::pallet_prelude::BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			let id = ParaId(2000);
			assert_eq!(
				DownwardMessageQueueHeads::<T>::hashed_key_for(id),
				headway_primitives::well_known_keys::dmq_mqc_head(id)
			);
		}
	}

	impl<T: Config> Pallet<T> {
		/// Queues a message.
		pub fn queue_downward_message(para: ParaId, msg: Vec<u8>) -> Result<(), QueueDownwardMessageError> {
			let max_size = configuration::ActiveConfig::<T>::get().max_downward_message_size;
			let max_len = u64::from(MAX_QUEUE_BYTES.checked_div(max_size).unwrap_or(0));
			let mut meta = DownwardMessageQueueMeta::<T>::get(para);
			if msg.len() > max_size as usize || meta.len() > max_len {
				return Err(QueueDownwardMessageError::ExceedsMaxMessageSize);
			}
			if !paras::Heads::<T>::contains_key(para) {
				return Err(QueueDownwardMessageError::Unroutable);
			}
			let page = meta.first_free;
			meta.first_free = page.checked_add(1).ok_or(QueueDownwardMessageError::ExceedsMaxQueueSize)?;
			let message = InboundDownwardMessage { sent_at: now::<T>(), msg };
			DownwardMessageQueueHeads::<T>::mutate(para, |head| {
				*head = hash_of(&(*head, message.sent_at, hash_of(&message.msg)));
			});
			let kibibytes = message.msg.len() as u128 / 1024;
			DownwardMessageQueuePages::<T>::insert(para, page, message);
			DownwardMessageQueueMeta::<T>::insert(para, meta);
			if meta.len() > max_len / 2 {
				// 1.05, and 0.001 more for every KiB.
				let factor = FixedU128::saturating_from_rational(1050 + kibibytes, 1000u128);
				DeliveryFeeFactor::<T>::mutate(para, |fee| *fee = fee.saturating_mul(factor));
			}
			Ok(())
		}

		/// Removes the oldest `n` messages.
		pub(crate) fn prune(para: ParaId, n: u32) {
			if n == 0 {
				return;
			}
			let mut meta = DownwardMessageQueueMeta::<T>::get(para);
			let end = meta.first_full.saturating_add(u64::from(n).min(meta.len()));
			for page in meta.first_full..end {
				DownwardMessageQueuePages::<T>::remove(para, page);
			}
			meta.first_full = end;
			DownwardMessageQueueMeta::<T>::insert(para, meta);
			let max_size = configuration::ActiveConfig::<T>::get().max_downward_message_size;
			let max_len = u64::from(MAX_QUEUE_BYTES.checked_div(max_size).unwrap_or(0));
			if meta.len() <= max_len / 2 && DeliveryFeeFactor::<T>::contains_key(para) {
				let step = FixedU128::saturating_from_rational(105u32, 100u32);
				let fee = DeliveryFeeFactor::<T>::get(para);
				let lower = fee.checked_div(&step).unwrap_or(fee).max(InitialFactor::get());
				DeliveryFeeFactor::<T>::insert(para, lower);
			}
		}

		/// Messages that wait, oldest first.
		pub fn contents(para: ParaId) -> Vec<InboundDownwardMessage<BlockNumber>> {
			let meta = DownwardMessageQueueMeta::<T>::get(para);
			(meta.first_full..meta.first_free)
				.filter_map(|page| DownwardMessageQueuePages::<T>::get(para, page))
				.collect()
		}

		/// Block of each message that waits, oldest first.
		pub fn sent_at(para: ParaId) -> Vec<BlockNumber> {
			Self::contents(para).into_iter().map(|message| message.sent_at).collect()
		}

		/// Forgets the queues of paras that went. Bounded by the length of a queue.
		pub(crate) fn on_new_session(outgoing: &[ParaId]) {
			for para in outgoing {
				let meta = DownwardMessageQueueMeta::<T>::take(para);
				for page in meta.first_full..meta.first_free {
					DownwardMessageQueuePages::<T>::remove(para, page);
				}
				DownwardMessageQueueHeads::<T>::remove(para);
				DeliveryFeeFactor::<T>::remove(para);
			}
		}
	}
}
