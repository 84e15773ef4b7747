//! What paras and root ask for: to open channels, to accept and cancel requests, to close channels. All of it
//! takes effect with the next session.

use super::*;

impl<T: Config> Pallet<T> {
	/// Asks for a channel from `sender` to `recipient`, of so many messages of so many bytes. Reserves the
	/// sender's deposit and tells the recipient.
	///
	/// # Errors
	///
	/// In this order: a channel to oneself, an invalid recipient, capacity or message size zero or above the
	/// limit, such a request, such a channel, too many channels, no funds for the deposit.
	pub fn init_open_channel(
		sender: ParaId,
		recipient: ParaId,
		max_capacity: u32,
		max_message_size: u32,
	) -> DispatchResult {
		ensure!(sender != recipient, Error::<T>::OpenHrmpChannelToSelf);
		ensure!(paras::Pallet::<T>::is_valid_para(recipient), Error::<T>::OpenHrmpChannelInvalidRecipient);
		let config = configuration::ActiveConfig::<T>::get();
		ensure!(max_capacity > 0, Error::<T>::OpenHrmpChannelZeroCapacity);
		ensure!(
			max_capacity <= config.hrmp_channel_max_capacity,
			Error::<T>::OpenHrmpChannelCapacityExceedsLimit
		);
		ensure!(max_message_size > 0, Error::<T>::OpenHrmpChannelZeroMessageSize);
		ensure!(
			max_message_size <= config.hrmp_channel_max_message_size,
			Error::<T>::OpenHrmpChannelMessageSizeExceedsLimit
		);
		let id = HrmpChannelId { sender, recipient };
		ensure!(!HrmpOpenChannelRequests::<T>::contains_key(id), Error::<T>::OpenHrmpChannelAlreadyRequested);
		ensure!(!HrmpChannels::<T>::contains_key(id), Error::<T>::OpenHrmpChannelAlreadyExists);
		let channels = HrmpEgressChannelsIndex::<T>::decode_len(sender).unwrap_or(0) as u32;
		let requests = HrmpOpenChannelRequestCount::<T>::get(sender);
		ensure!(
			channels.saturating_add(requests) < config.hrmp_max_parachain_outbound_channels,
			Error::<T>::OpenHrmpChannelLimitExceeded
		);
		let sender_deposit = id.deposit(config.hrmp_sender_deposit);
		Self::reserve(sender, sender_deposit)?;

		HrmpOpenChannelRequestCount::<T>::insert(sender, requests.saturating_add(1));
		let request = HrmpOpenChannelRequest {
			confirmed: false,
			_age: 0,
			sender_deposit,
			max_message_size,
			max_capacity,
			max_total_size: config.hrmp_channel_max_total_size,
		};
		HrmpOpenChannelRequests::<T>::insert(id, request);
		HrmpOpenChannelRequestsList::<T>::append(id);
		T::Notify::open_requested(recipient, sender, max_message_size, max_capacity);
		Ok(())
	}

	/// Accepts the request of `sender`. Reserves the recipient's deposit and tells the sender.
	///
	/// # Errors
	///
	/// In this order: no such request, an accepted one, too many channels, no funds for the deposit.
	pub fn accept_open_channel(recipient: ParaId, sender: ParaId) -> DispatchResult {
		let id = HrmpChannelId { sender, recipient };
		let mut request =
			HrmpOpenChannelRequests::<T>::get(id).ok_or(Error::<T>::AcceptHrmpChannelDoesntExist)?;
		ensure!(!request.confirmed, Error::<T>::AcceptHrmpChannelAlreadyConfirmed);
		let config = configuration::ActiveConfig::<T>::get();
		let channels = HrmpIngressChannelsIndex::<T>::decode_len(recipient).unwrap_or(0) as u32;
		let accepted = HrmpAcceptedChannelRequestCount::<T>::get(recipient);
		ensure!(
			channels.saturating_add(accepted) < config.hrmp_max_parachain_inbound_channels,
			Error::<T>::AcceptHrmpChannelLimitExceeded
		);
		Self::reserve(recipient, id.deposit(config.hrmp_recipient_deposit))?;

		request.confirmed = true;
		HrmpOpenChannelRequests::<T>::insert(id, request);
		HrmpAcceptedChannelRequestCount::<T>::insert(recipient, accepted.saturating_add(1));
		T::Notify::accepted(sender, recipient);
		Ok(())
	}

	/// Asks for a channel and accepts it, for both of its paras: it opens with the next session.
	///
	/// # Errors
	///
	/// Those of [`Self::init_open_channel`] and [`Self::accept_open_channel`]. What was done before an error
	/// stays; a call takes it back.
	pub fn establish_channel_by_root(
		sender: ParaId,
		recipient: ParaId,
		max_capacity: u32,
		max_message_size: u32,
	) -> DispatchResult {
		Self::init_open_channel(sender, recipient, max_capacity, max_message_size)?;
		Self::accept_open_channel(recipient, sender)
	}

	/// Establishes a channel with a system para.
	pub(super) fn open_system_channel(
		id: HrmpChannelId,
		max_capacity: u32,
		max_message_size: u32,
	) -> DispatchResult {
		let HrmpChannelId { sender, recipient } = id;
		Self::establish_channel_by_root(sender, recipient, max_capacity, max_message_size)?;
		Self::deposit_event(Event::HrmpSystemChannelOpened {
			sender,
			recipient,
			proposed_max_capacity: max_capacity,
			proposed_max_message_size: max_message_size,
		});
		Ok(())
	}

	/// Drops a request that is not accepted yet; the sender gets its deposit back.
	pub(super) fn cancel_open_request(by: ParaId, id: HrmpChannelId) -> DispatchResult {
		ensure!(id.is_participant(by), Error::<T>::CancelHrmpOpenChannelUnauthorized);
		let request = HrmpOpenChannelRequests::<T>::get(id).ok_or(Error::<T>::OpenHrmpChannelDoesntExist)?;
		ensure!(!request.confirmed, Error::<T>::OpenHrmpChannelAlreadyConfirmed);
		HrmpOpenChannelRequests::<T>::remove(id);
		HrmpOpenChannelRequestsList::<T>::mutate(|requests| requests.retain(|other| *other != id));
		Self::decrement::<HrmpOpenChannelRequestCount<T>>(id.sender);
		Self::unreserve(id.sender, request.sender_deposit);
		Ok(())
	}

	/// Notes that a channel is to be closed with the next session, and tells the other para.
	pub(super) fn close_channel(by: ParaId, id: HrmpChannelId) -> DispatchResult {
		ensure!(id.is_participant(by), Error::<T>::CloseHrmpChannelUnauthorized);
		ensure!(HrmpChannels::<T>::contains_key(id), Error::<T>::CloseHrmpChannelDoesntExist);
		ensure!(
			!HrmpCloseChannelRequests::<T>::contains_key(id),
			Error::<T>::CloseHrmpChannelAlreadyUnderway
		);
		HrmpCloseChannelRequests::<T>::insert(id, ());
		HrmpCloseChannelRequestsList::<T>::append(id);
		let other = if by == id.sender { id.recipient } else { id.sender };
		T::Notify::closing(other, by, id.sender, id.recipient);
		Ok(())
	}

	/// Reserves or returns what is missing to, or above, the deposits that the configuration asks for.
	pub(super) fn update_deposits(id: HrmpChannelId) -> DispatchResult {
		let config = configuration::ActiveConfig::<T>::get();
		let mut channel = HrmpChannels::<T>::get(id).ok_or(Error::<T>::OpenHrmpChannelDoesntExist)?;
		for (para, held, configured) in [
			(id.sender, &mut channel.sender_deposit, config.hrmp_sender_deposit),
			(id.recipient, &mut channel.recipient_deposit, config.hrmp_recipient_deposit),
		] {
			let due = id.deposit(configured);
			Self::unreserve(para, held.saturating_sub(due));
			Self::reserve(para, due.saturating_sub(*held))?;
			*held = due;
		}
		HrmpChannels::<T>::insert(id, channel);
		Ok(())
	}

	fn reserve(para: ParaId, amount: Balance) -> DispatchResult {
		if amount == 0 {
			return Ok(());
		}
		T::Currency::reserve(&para.into_account_truncating(), amount)
	}

	pub(super) fn unreserve(para: ParaId, amount: Balance) {
		if amount > 0 {
			let missing = T::Currency::unreserve(&para.into_account_truncating(), amount);
			if missing > 0 {
				log::error!(target: LOG_TARGET, "para {para}: {missing} of a deposit of {amount} is not there");
			}
		}
	}

	/// Decrements a counter of requests; zero is not stored.
	pub(super) fn decrement<M: frame_support::StorageMap<ParaId, u32, Query = u32>>(para: ParaId) {
		match M::get(para).saturating_sub(1) {
			0 => M::remove(para),
			n => M::insert(para, n),
		}
	}
}
