//! Messages between paras, relayed through storage of the relay chain, and the channels that they take
//! (runtime §8.6).
//!
//! A channel has one sender and one recipient. The sender asks for it, the recipient accepts, each reserves a
//! deposit, and the channel opens with the next session. Either of them may close it; with the next session it
//! is gone, with what waits in it, and the deposits are returned. Channels with system paras cost nothing.
//!
//! Messages of an included candidate are queued per channel, and removed when the recipient has processed all
//! up to their block: its *watermark*. *Digests* say at which blocks, and from whom, it got messages.
//!
//! This pallet looks into no message and refuses none: whether a candidate may send what it sends is decided
//! by [`crate::inclusion`], by [`Pallet::outbound_remaining`] and [`Pallet::valid_watermarks`]. It does not
//! write the notifications that paras get of their channels, either: [`HrmpNotify`] does.
//!
//! | module | what is in it |
//! |---|---|
//! | `requests` | opening, accepting, cancelling, closing: what changes before a session does |
//! | `channels` | what a session does to channels |
//! | `flow` | messages on their way |
//!
//! # Bounds
//! A para has at most `hrmp_max_parachain_outbound_channels` channels and requests as sender (128 at most, by
//! the consistency of the configuration), each with a deposit, and accepts at most
//! `hrmp_max_parachain_inbound_channels`. What waits in a channel is limited by its capacity and total size,
//! which a candidate may not exceed; digests of a para have at most one entry per message that waits for it.

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod channels;
mod flow;
mod requests;
#[cfg(test)]
pub(crate) mod tests;
pub mod weights;

pub use crate::hrmp_notify::HrmpNotify;
pub use pallet::*;

use crate::{
	configuration::{self, HostConfiguration},
	origin, paras,
	util::now,
};
use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{ensure, pallet_prelude::*, traits::ReservableCurrency};
use frame_system::pallet_prelude::*;
use headway_primitives::{
	hash_of, Balance, BlockNumber, Hash, InboundHrmpMessage, OutboundHrmpMessage, ParaId,
};
use scale_info::TypeInfo;
use sp_runtime::traits::AccountIdConversion;
use weights::WeightInfo;

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

impl HrmpChannelId {
	/// Whether the para is one of the two.
	pub fn is_participant(&self, para: ParaId) -> bool {
		para == self.sender || para == self.recipient
	}

	/// Whether a system para is one of the two: there are no deposits then.
	pub fn is_system(&self) -> bool {
		self.sender.is_system() || self.recipient.is_system()
	}

	/// What a participant reserves, if the configuration says so much.
	fn deposit(&self, configured: Balance) -> Balance {
		if self.is_system() {
			0
		} else {
			configured
		}
	}
}

/// A request to open a channel. The field order is normative.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct HrmpOpenChannelRequest {
	/// Whether the recipient has accepted.
	pub confirmed: bool,
	/// Not used any more; zero.
	pub _age: u32,
	/// What the sender has reserved.
	pub sender_deposit: Balance,
	/// Most bytes of one message.
	pub max_message_size: u32,
	/// Most messages that wait in the channel.
	pub max_capacity: u32,
	/// Most bytes that wait in the channel.
	pub max_total_size: u32,
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
	pub trait Config: paras::Config + frame_system::Config<RuntimeEvent: From<Event>> {
		/// The runtime's origin, which knows paras.
		type RuntimeOrigin: From<origin::Origin>
			+ From<<Self as frame_system::Config>::RuntimeOrigin>
			+ Into<Result<origin::Origin, <Self as Config>::RuntimeOrigin>>;
		/// Who may open channels and clean up without the paras' consent.
		type ChannelManager: EnsureOrigin<<Self as frame_system::Config>::RuntimeOrigin>;
		/// What deposits are reserved in, on the sovereign accounts of paras.
		type Currency: ReservableCurrency<Self::AccountId, Balance = Balance>;
		/// Bytes of a message, and messages, of channels that paras establish with system paras.
		type DefaultChannelSizeAndCapacityWithSystem: Get<(u32, u32)>;
		/// Who tells paras of their channels.
		type Notify: HrmpNotify;
		/// What calls weigh.
		type WeightInfo: WeightInfo;
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event {
		/// A para asks for a channel.
		OpenChannelRequested {
			/// Who asks.
			sender: ParaId,
			/// Who is asked.
			recipient: ParaId,
			/// Messages.
			proposed_max_capacity: u32,
			/// Bytes of a message.
			proposed_max_message_size: u32,
		},
		/// A request is withdrawn.
		OpenChannelCanceled {
			/// By whom.
			by_parachain: ParaId,
			/// The channel that will not be.
			channel_id: HrmpChannelId,
		},
		/// A request is accepted: the channel opens with the next session.
		OpenChannelAccepted {
			/// Who asked.
			sender: ParaId,
			/// Who accepted.
			recipient: ParaId,
		},
		/// A channel will close with the next session.
		ChannelClosed {
			/// Who wants so.
			by_parachain: ParaId,
			/// The channel.
			channel_id: HrmpChannelId,
		},
		/// The channel manager opens a channel with the next session.
		HrmpChannelForceOpened {
			/// Who will send.
			sender: ParaId,
			/// Who will receive.
			recipient: ParaId,
			/// Messages.
			proposed_max_capacity: u32,
			/// Bytes of a message.
			proposed_max_message_size: u32,
		},
		/// A channel with a system para opens with the next session.
		HrmpSystemChannelOpened {
			/// Who will send.
			sender: ParaId,
			/// Who will receive.
			recipient: ParaId,
			/// Messages.
			proposed_max_capacity: u32,
			/// Bytes of a message.
			proposed_max_message_size: u32,
		},
		/// Deposits of a channel are what the configuration says.
		OpenChannelDepositsUpdated {
			/// Who sends.
			sender: ParaId,
			/// Who receives.
			recipient: ParaId,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// A channel to oneself.
		OpenHrmpChannelToSelf,
		/// The recipient is no para, or not one that stays.
		OpenHrmpChannelInvalidRecipient,
		/// A channel for no messages.
		OpenHrmpChannelZeroCapacity,
		/// More messages than channels may have.
		OpenHrmpChannelCapacityExceedsLimit,
		/// A channel for messages of no bytes.
		OpenHrmpChannelZeroMessageSize,
		/// Larger messages than channels may have.
		OpenHrmpChannelMessageSizeExceedsLimit,
		/// There is such a channel.
		OpenHrmpChannelAlreadyExists,
		/// There is such a request.
		OpenHrmpChannelAlreadyRequested,
		/// The sender has as many channels and requests as it may have.
		OpenHrmpChannelLimitExceeded,
		/// There is no such request to accept.
		AcceptHrmpChannelDoesntExist,
		/// The request is accepted already.
		AcceptHrmpChannelAlreadyConfirmed,
		/// The recipient has as many channels and accepted requests as it may have.
		AcceptHrmpChannelLimitExceeded,
		/// It is not one's own channel.
		CloseHrmpChannelUnauthorized,
		/// There is no such channel.
		CloseHrmpChannelDoesntExist,
		/// The channel is being closed already.
		CloseHrmpChannelAlreadyUnderway,
		/// It is neither one's own request nor one to oneself.
		CancelHrmpOpenChannelUnauthorized,
		/// There is no such request, or channel.
		OpenHrmpChannelDoesntExist,
		/// The request is accepted, and cannot be withdrawn any more.
		OpenHrmpChannelAlreadyConfirmed,
		/// There is more to do than the caller says.
		WrongWitness,
		/// It takes system paras.
		ChannelCreationNotAuthorized,
	}

	/// Requests to open channels.
	#[pallet::storage]
	pub type HrmpOpenChannelRequests<T: Config> =
		StorageMap<_, Twox64Concat, HrmpChannelId, HrmpOpenChannelRequest, OptionQuery>;

	/// Keys of the requests to open channels.
	#[pallet::storage]
	pub type HrmpOpenChannelRequestsList<T: Config> = StorageValue<_, Vec<HrmpChannelId>, ValueQuery>;

	/// Requests of each sender; none is absent.
	#[pallet::storage]
	pub type HrmpOpenChannelRequestCount<T: Config> = StorageMap<_, Twox64Concat, ParaId, u32, ValueQuery>;

	/// Requests that each recipient has accepted; none is absent.
	#[pallet::storage]
	pub type HrmpAcceptedChannelRequestCount<T: Config> =
		StorageMap<_, Twox64Concat, ParaId, u32, ValueQuery>;

	/// Channels that close with the next session.
	#[pallet::storage]
	pub type HrmpCloseChannelRequests<T: Config> =
		StorageMap<_, Twox64Concat, HrmpChannelId, (), OptionQuery>;

	/// The same as a list.
	#[pallet::storage]
	pub type HrmpCloseChannelRequestsList<T: Config> = StorageValue<_, Vec<HrmpChannelId>, ValueQuery>;

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
			for (sender, recipient, max_capacity, max_message_size) in
				self.preopen_hrmp_channels.iter().copied()
			{
				assert!(
					paras::Pallet::<T>::is_valid_para(sender),
					"channel of para {sender}, which is not registered"
				);
				if let Err(error) =
					Pallet::<T>::establish_channel_by_root(sender, recipient, max_capacity, max_message_size)
				{
					panic!("channel from para {sender} to para {recipient} cannot be opened: {error:?}");
				}
			}
			Pallet::<T>::enact_open_requests(&configuration::ActiveConfig::<T>::get());
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
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

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Asks for a channel to another para.
		#[pallet::call_index(0)]
		#[pallet::weight(<T as Config>::WeightInfo::hrmp_init_open_channel())]
		pub fn hrmp_init_open_channel(
			origin: OriginFor<T>,
			recipient: ParaId,
			proposed_max_capacity: u32,
			proposed_max_message_size: u32,
		) -> DispatchResult {
			let sender = Self::ensure_para(origin)?;
			Self::init_open_channel(sender, recipient, proposed_max_capacity, proposed_max_message_size)?;
			Self::deposit_event(Event::OpenChannelRequested {
				sender,
				recipient,
				proposed_max_capacity,
				proposed_max_message_size,
			});
			Ok(())
		}

		/// Accepts a request: the channel opens with the next session.
		#[pallet::call_index(1)]
		#[pallet::weight(<T as Config>::WeightInfo::hrmp_accept_open_channel())]
		pub fn hrmp_accept_open_channel(origin: OriginFor<T>, sender: ParaId) -> DispatchResult {
			let recipient = Self::ensure_para(origin)?;
			Self::accept_open_channel(recipient, sender)?;
			Self::deposit_event(Event::OpenChannelAccepted { sender, recipient });
			Ok(())
		}

		/// Closes a channel with the next session.
		#[pallet::call_index(2)]
		#[pallet::weight(<T as Config>::WeightInfo::hrmp_close_channel())]
		pub fn hrmp_close_channel(origin: OriginFor<T>, channel_id: HrmpChannelId) -> DispatchResult {
			let by_parachain = Self::ensure_para(origin)?;
			Self::close_channel(by_parachain, channel_id)?;
			Self::deposit_event(Event::ChannelClosed { by_parachain, channel_id });
			Ok(())
		}

		/// Removes all channels and requests of a para now. `num_inbound` and `num_outbound` are at least as many
		/// as it has channels.
		#[pallet::call_index(3)]
		#[pallet::weight(<T as Config>::WeightInfo::force_clean_hrmp(*num_inbound, *num_outbound))]
		pub fn force_clean_hrmp(
			origin: OriginFor<T>,
			para: ParaId,
			num_inbound: u32,
			num_outbound: u32,
		) -> DispatchResult {
			T::ChannelManager::ensure_origin(origin)?;
			let inbound = HrmpIngressChannelsIndex::<T>::decode_len(para).unwrap_or(0);
			let outbound = HrmpEgressChannelsIndex::<T>::decode_len(para).unwrap_or(0);
			ensure!(
				inbound <= num_inbound as usize && outbound <= num_outbound as usize,
				Error::<T>::WrongWitness
			);
			// The para stays, so it gets back what it reserved.
			Self::drop_open_requests(&configuration::ActiveConfig::<T>::get(), &[para], &[]);
			Self::close_all_channels(para);
			Ok(())
		}

		/// Opens the channels of all accepted requests now. `channels` is at least the number of requests.
		#[pallet::call_index(4)]
		#[pallet::weight(<T as Config>::WeightInfo::force_process_hrmp_open(*channels))]
		pub fn force_process_hrmp_open(origin: OriginFor<T>, channels: u32) -> DispatchResult {
			T::ChannelManager::ensure_origin(origin)?;
			Self::ensure_open_requests(channels)?;
			Self::enact_open_requests(&configuration::ActiveConfig::<T>::get());
			Ok(())
		}

		/// Closes all channels that are to be closed now. `channels` is at least their number.
		#[pallet::call_index(5)]
		#[pallet::weight(<T as Config>::WeightInfo::force_process_hrmp_close(*channels))]
		pub fn force_process_hrmp_close(origin: OriginFor<T>, channels: u32) -> DispatchResult {
			T::ChannelManager::ensure_origin(origin)?;
			let closing = HrmpCloseChannelRequestsList::<T>::decode_len().unwrap_or(0);
			ensure!(closing <= channels as usize, Error::<T>::WrongWitness);
			Self::enact_close_requests();
			Ok(())
		}

		/// Withdraws or declines a request that is not accepted yet. `open_requests` is at least the number of all
		/// requests.
		#[pallet::call_index(6)]
		#[pallet::weight(<T as Config>::WeightInfo::hrmp_cancel_open_request(*open_requests))]
		pub fn hrmp_cancel_open_request(
			origin: OriginFor<T>,
			channel_id: HrmpChannelId,
			open_requests: u32,
		) -> DispatchResult {
			let by_parachain = Self::ensure_para(origin)?;
			Self::ensure_open_requests(open_requests)?;
			Self::cancel_open_request(by_parachain, channel_id)?;
			Self::deposit_event(Event::OpenChannelCanceled { by_parachain, channel_id });
			Ok(())
		}

		/// Opens a channel with the next session, without asking the paras. A request that is not accepted yet is
		/// replaced. Limits and deposits are those of every channel.
		#[pallet::call_index(7)]
		#[pallet::weight(<T as Config>::WeightInfo::force_open_hrmp_channel_replacing())]
		pub fn force_open_hrmp_channel(
			origin: OriginFor<T>,
			sender: ParaId,
			recipient: ParaId,
			max_capacity: u32,
			max_message_size: u32,
		) -> DispatchResultWithPostInfo {
			T::ChannelManager::ensure_origin(origin)?;
			let channel_id = HrmpChannelId { sender, recipient };
			let replaces = HrmpOpenChannelRequests::<T>::contains_key(channel_id);
			if replaces {
				Self::cancel_open_request(sender, channel_id)?;
			}
			Self::establish_channel_by_root(sender, recipient, max_capacity, max_message_size)?;
			Self::deposit_event(Event::HrmpChannelForceOpened {
				sender,
				recipient,
				proposed_max_capacity: max_capacity,
				proposed_max_message_size: max_message_size,
			});
			Ok((!replaces).then(<T as Config>::WeightInfo::force_open_hrmp_channel).into())
		}

		/// Opens a channel between two system paras with the next session, as large as the configuration allows.
		/// Whoever calls it pays nothing.
		#[pallet::call_index(8)]
		#[pallet::weight(<T as Config>::WeightInfo::establish_system_channel())]
		pub fn establish_system_channel(
			origin: OriginFor<T>,
			sender: ParaId,
			recipient: ParaId,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			ensure!(sender.is_system() && recipient.is_system(), Error::<T>::ChannelCreationNotAuthorized);
			let config = configuration::ActiveConfig::<T>::get();
			Self::open_system_channel(
				HrmpChannelId { sender, recipient },
				config.hrmp_channel_max_capacity,
				config.hrmp_channel_max_message_size,
			)?;
			Ok(Pays::No.into())
		}

		/// Makes the deposits of a channel what the configuration says now.
		#[pallet::call_index(9)]
		#[pallet::weight(<T as Config>::WeightInfo::poke_channel_deposits())]
		pub fn poke_channel_deposits(
			origin: OriginFor<T>,
			sender: ParaId,
			recipient: ParaId,
		) -> DispatchResult {
			ensure_signed(origin)?;
			Self::update_deposits(HrmpChannelId { sender, recipient })?;
			Self::deposit_event(Event::OpenChannelDepositsUpdated { sender, recipient });
			Ok(())
		}

		/// Opens channels from the calling para to a system para and back with the next session. It pays nothing.
		#[pallet::call_index(10)]
		#[pallet::weight(<T as Config>::WeightInfo::establish_channel_with_system())]
		pub fn establish_channel_with_system(
			origin: OriginFor<T>,
			target_system_chain: ParaId,
		) -> DispatchResultWithPostInfo {
			let para = Self::ensure_para(origin)?;
			ensure!(target_system_chain.is_system(), Error::<T>::ChannelCreationNotAuthorized);
			let (max_message_size, max_capacity) = T::DefaultChannelSizeAndCapacityWithSystem::get();
			for (sender, recipient) in [(para, target_system_chain), (target_system_chain, para)] {
				Self::open_system_channel(
					HrmpChannelId { sender, recipient },
					max_capacity,
					max_message_size,
				)?;
			}
			Ok(Pays::No.into())
		}
	}

	impl<T: Config> Pallet<T> {
		fn ensure_para(origin: OriginFor<T>) -> Result<ParaId, DispatchError> {
			Ok(origin::ensure_parachain(<T as Config>::RuntimeOrigin::from(origin))?)
		}

		/// Checks that there are at most `witness` requests.
		fn ensure_open_requests(witness: u32) -> DispatchResult {
			let requests = HrmpOpenChannelRequestsList::<T>::decode_len().unwrap_or(0);
			ensure!(requests <= witness as usize, Error::<T>::WrongWitness);
			Ok(())
		}
	}
}
