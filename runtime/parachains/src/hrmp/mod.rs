//! Messages between paras, relayed through storage of the relay chain (runtime §8.6).
//!
//! Channels exist from genesis (`preopenHrmpChannels`); the calls that open and close them later are not here
//! yet.

pub use pallet::*;

use crate::{configuration, paras, util::now};
use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::pallet_prelude::*;
use headway_primitives::{
	hash_of, Balance, BlockNumber, Hash, InboundHrmpMessage, OutboundHrmpMessage, ParaId,
};
use scale_info::TypeInfo;

const LOG_TARGET: &str = "runtime::hrmp";

/// Identifies a channel.
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
pub struct HrmpChannelId {
	/// Who sends.
	pub sender: ParaId,
	/// Who receives.
	pub recipient: ParaId,
}

/// A channel. The field order is normative; parachains read the first six.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct HrmpChannel {
	/// Most messages that wait in it.
	pub max_capacity: u32,
	/// Most bytes that wait in it.
	pub max_total_size: u32,
	/// Most bytes of one message.
	pub max_message_size: u32,
	/// Messages that wait.
	pub msg_count: u32,
	/// Bytes that wait.
	pub total_size: u32,
	/// Head of the hash chain over all messages; none before the first.
	pub mqc_head: Option<Hash>,
	/// Deposit of the sender.
	pub sender_deposit: Balance,
	/// Deposit of the recipient.
	pub recipient_deposit: Balance,
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config + paras::Config {}

	/// Block up to which each para has processed its messages.
	#[pallet::storage]
	pub type HrmpWatermarks<T: Config> = StorageMap<_, Twox64Concat, ParaId, BlockNumber, OptionQuery>;

	/// Channels.
	#[pallet::storage]
	pub type HrmpChannels<T: Config> = StorageMap<_, Twox64Concat, HrmpChannelId, HrmpChannel, OptionQuery>;

	/// Senders of each para's channels, sorted.
	#[pallet::storage]
	pub type HrmpIngressChannelsIndex<T: Config> =
		StorageMap<_, Twox64Concat, ParaId, Vec<ParaId>, ValueQuery>;

	/// Recipients of each para's channels, sorted.
	#[pallet::storage]
	pub type HrmpEgressChannelsIndex<T: Config> =
		StorageMap<_, Twox64Concat, ParaId, Vec<ParaId>, ValueQuery>;

	/// Messages of each channel, oldest first.
	#[pallet::storage]
	pub type HrmpChannelContents<T: Config> =
		StorageMap<_, Twox64Concat, HrmpChannelId, Vec<InboundHrmpMessage<BlockNumber>>, ValueQuery>;

	/// For each recipient: blocks in which messages were sent to it, and by whom; ascending.
	#[pallet::storage]
	pub type HrmpChannelDigests<T: Config> =
		StorageMap<_, Twox64Concat, ParaId, Vec<(BlockNumber, Vec<ParaId>)>, ValueQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Channels that exist from the beginning: sender, recipient, messages, bytes of a message.
		pub preopen_hrmp_channels: Vec<(ParaId, ParaId, u32, u32)>,
		#[serde(skip)]
		#[doc(hidden)]
		pub _marker: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			for (sender, recipient, max_capacity, max_message_size) in &self.preopen_hrmp_channels {
				let id = HrmpChannelId { sender: *sender, recipient: *recipient };
				Pallet::<T>::preopen(id, *max_capacity, *max_message_size);
			}
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<frame_system::pallet_prelude::BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			use headway_primitives::well_known_keys as keys;
			let (sender, recipient) = (ParaId(2000), ParaId(2001));
			assert_eq!(
				HrmpChannels::<T>::hashed_key_for(HrmpChannelId { sender, recipient }),
				keys::hrmp_channel(sender, recipient)
			);
			assert_eq!(
				HrmpIngressChannelsIndex::<T>::hashed_key_for(sender),
				keys::hrmp_ingress_channel_index(sender)
			);
			assert_eq!(
				HrmpEgressChannelsIndex::<T>::hashed_key_for(sender),
				keys::hrmp_egress_channel_index(sender)
			);
		}
	}

	impl<T: Config> Pallet<T> {
		/// Opens a channel at genesis. Panics on what a chain may not start with.
		fn preopen(id: HrmpChannelId, max_capacity: u32, max_message_size: u32) {
			let config = configuration::ActiveConfig::<T>::get();
			let HrmpChannelId { sender, recipient } = id;
			assert!(sender != recipient, "channel from para {sender} to itself");
			for para in [sender, recipient] {
				assert!(
					paras::Pallet::<T>::is_valid_para(para),
					"channel of para {para}, which is not registered"
				);
			}
			assert!(
				(1..=config.hrmp_channel_max_capacity).contains(&max_capacity)
					&& (1..=config.hrmp_channel_max_message_size).contains(&max_message_size),
				"channel from para {sender} to para {recipient} exceeds limits",
			);
			assert!(!HrmpChannels::<T>::contains_key(id), "channel {id:?} is given twice");
			let channel = HrmpChannel {
				max_capacity,
				max_total_size: config.hrmp_channel_max_total_size,
				max_message_size,
				msg_count: 0,
				total_size: 0,
				mqc_head: None,
				// Nobody has reserved anything yet.
				sender_deposit: 0,
				recipient_deposit: 0,
			};
			HrmpChannels::<T>::insert(id, channel);
			let insert = |list: &mut Vec<ParaId>, para| {
				if let Err(at) = list.binary_search(&para) {
					list.insert(at, para);
				}
			};
			HrmpEgressChannelsIndex::<T>::mutate(sender, |list| insert(list, recipient));
			HrmpIngressChannelsIndex::<T>::mutate(recipient, |list| insert(list, sender));
			let (out, inbound) = (
				HrmpEgressChannelsIndex::<T>::get(sender).len(),
				HrmpIngressChannelsIndex::<T>::get(recipient).len(),
			);
			assert!(
				out <= config.hrmp_max_parachain_outbound_channels as usize
					&& inbound <= config.hrmp_max_parachain_inbound_channels as usize,
				"too many channels of para {sender} or {recipient}",
			);
		}

		/// A channel.
		pub fn channel(sender: ParaId, recipient: ParaId) -> Option<HrmpChannel> {
			HrmpChannels::<T>::get(HrmpChannelId { sender, recipient })
		}

		/// What still fits into each channel of a sender: recipient, messages, bytes.
		pub fn outbound_remaining(sender: ParaId) -> Vec<(ParaId, u32, u32)> {
			HrmpEgressChannelsIndex::<T>::get(sender)
				.into_iter()
				.filter_map(|recipient| {
					let channel = Self::channel(sender, recipient)?;
					let messages = channel.max_capacity.saturating_sub(channel.msg_count);
					let bytes = channel.max_total_size.saturating_sub(channel.total_size);
					Some((recipient, messages, bytes))
				})
				.collect()
		}

		/// Watermarks that a para may set, besides its relay parent: the current one, and blocks with messages.
		pub fn valid_watermarks(recipient: ParaId) -> Vec<BlockNumber> {
			let digests = HrmpChannelDigests::<T>::get(recipient).into_iter().map(|(block, _)| block);
			match HrmpWatermarks::<T>::get(recipient) {
				Some(current) => {
					core::iter::once(current).chain(digests.filter(|block| *block > current)).collect()
				},
				None => digests.collect(),
			}
		}

		/// Messages that wait for a para, by sender; channels without messages are there, too.
		pub fn inbound_contents(recipient: ParaId) -> BTreeMap<ParaId, Vec<InboundHrmpMessage<BlockNumber>>> {
			HrmpIngressChannelsIndex::<T>::get(recipient)
				.into_iter()
				.map(|sender| (sender, HrmpChannelContents::<T>::get(HrmpChannelId { sender, recipient })))
				.collect()
		}

		/// Removes messages up to the watermark.
		pub(crate) fn prune(recipient: ParaId, watermark: BlockNumber) {
			HrmpWatermarks::<T>::insert(recipient, watermark);
			let mut digests = HrmpChannelDigests::<T>::get(recipient);
			if digests.is_empty() {
				return;
			}
			let n = digests.partition_point(|(block, _)| *block <= watermark);
			let mut senders: Vec<ParaId> = digests.drain(..n).flat_map(|(_, senders)| senders).collect();
			senders.sort();
			senders.dedup();
			HrmpChannelDigests::<T>::insert(recipient, digests);
			for sender in senders {
				let id = HrmpChannelId { sender, recipient };
				let mut contents = HrmpChannelContents::<T>::get(id);
				let n = contents.partition_point(|message| message.sent_at <= watermark);
				let bytes: u32 = contents.drain(..n).map(|message| message.data.len() as u32).sum();
				HrmpChannelContents::<T>::insert(id, contents);
				HrmpChannels::<T>::mutate_extant(id, |channel| {
					channel.msg_count = channel.msg_count.saturating_sub(n as u32);
					channel.total_size = channel.total_size.saturating_sub(bytes);
				});
			}
		}

		/// Queues the messages of an included candidate. Messages without a channel are dropped.
		pub(crate) fn queue_outbound(sender: ParaId, messages: Vec<OutboundHrmpMessage<ParaId>>) {
			let at = now::<T>();
			for OutboundHrmpMessage { recipient, data } in messages {
				let id = HrmpChannelId { sender, recipient };
				let Some(mut channel) = HrmpChannels::<T>::get(id) else {
					log::warn!(target: LOG_TARGET, "message from para {sender} to {recipient} has no channel any more");
					continue;
				};
				channel.msg_count = channel.msg_count.saturating_add(1);
				channel.total_size = channel.total_size.saturating_add(data.len() as u32);
				let head = channel.mqc_head.unwrap_or_default();
				channel.mqc_head = Some(hash_of(&(head, at, hash_of(&data))));
				HrmpChannels::<T>::insert(id, channel);
				HrmpChannelContents::<T>::append(id, InboundHrmpMessage { sent_at: at, data });
				HrmpChannelDigests::<T>::mutate(recipient, |digests| match digests.last_mut() {
					Some((block, senders)) if *block == at => senders.push(sender),
					_ => digests.push((at, alloc::vec![sender])),
				});
			}
		}

		/// Closes all channels of paras that went.
		pub(crate) fn on_new_session(outgoing: &[ParaId]) {
			for para in outgoing.iter().copied() {
				for sender in HrmpIngressChannelsIndex::<T>::take(para) {
					HrmpEgressChannelsIndex::<T>::mutate(sender, |list| list.retain(|other| *other != para));
					Self::forget(HrmpChannelId { sender, recipient: para });
				}
				for recipient in HrmpEgressChannelsIndex::<T>::take(para) {
					HrmpIngressChannelsIndex::<T>::mutate(recipient, |list| {
						list.retain(|other| *other != para)
					});
					Self::forget(HrmpChannelId { sender: para, recipient });
				}
				HrmpWatermarks::<T>::remove(para);
				HrmpChannelDigests::<T>::remove(para);
			}
		}

		fn forget(id: HrmpChannelId) {
			HrmpChannels::<T>::remove(id);
			HrmpChannelContents::<T>::remove(id);
		}
	}
}
