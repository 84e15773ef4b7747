//! What a session does to channels: those of paras that went are gone, accepted requests become channels, and
//! channels are closed, in this order.

use super::*;

impl<T: Config> Pallet<T> {
	/// Starts a session. Deposits are those of the session that ends, in which requests were accepted.
	pub(crate) fn on_new_session(prev_config: &HostConfiguration, outgoing: &[ParaId]) {
		Self::drop_open_requests(prev_config, outgoing, outgoing);
		for para in outgoing.iter().copied() {
			Self::close_all_channels(para);
			// Another para of this id shall begin anew.
			HrmpWatermarks::<T>::remove(para);
			HrmpChannelDigests::<T>::remove(para);
		}
		Self::enact_open_requests(prev_config);
		Self::enact_close_requests();
	}

	/// Drops all open requests with any of `paras`. Who is in `outgoing` gets nothing back; there is nobody
	/// left to get it.
	pub(super) fn drop_open_requests(config: &HostConfiguration, paras: &[ParaId], outgoing: &[ParaId]) {
		if paras.is_empty() {
			return;
		}
		let (dropped, kept): (Vec<_>, Vec<_>) = HrmpOpenChannelRequestsList::<T>::get()
			.into_iter()
			.partition(|id| paras.iter().any(|para| id.is_participant(*para)));
		if dropped.is_empty() {
			return;
		}
		HrmpOpenChannelRequestsList::<T>::put(kept);
		for id in dropped {
			let Some(request) = Self::take_open_request(id) else { continue };
			Self::refund_request(config, id, &request, |para| !outgoing.contains(&para));
		}
	}

	/// Opens the channels of all accepted requests. Requests that nobody accepted stay.
	pub(super) fn enact_open_requests(config: &HostConfiguration) {
		let requests = HrmpOpenChannelRequestsList::<T>::get();
		if requests.is_empty() {
			return;
		}
		let mut open = Vec::new();
		for id in requests {
			if HrmpOpenChannelRequests::<T>::get(id).is_some_and(|request| !request.confirmed) {
				open.push(id);
				continue;
			}
			let Some(request) = Self::take_open_request(id) else { continue };
			let is_valid = paras::Pallet::<T>::is_valid_para;
			if !is_valid(id.sender) || !is_valid(id.recipient) {
				// One of them is on its way out. Without a channel, nobody owes a deposit.
				Self::refund_request(config, id, &request, |_| true);
				continue;
			}
			let channel = HrmpChannel {
				max_capacity: request.max_capacity,
				max_total_size: request.max_total_size,
				max_message_size: request.max_message_size,
				msg_count: 0,
				total_size: 0,
				mqc_head: None,
				sender_deposit: request.sender_deposit,
				recipient_deposit: id.deposit(config.hrmp_recipient_deposit),
			};
			HrmpChannels::<T>::insert(id, channel);
			HrmpEgressChannelsIndex::<T>::mutate(id.sender, |list| insert_sorted(list, id.recipient));
			HrmpIngressChannelsIndex::<T>::mutate(id.recipient, |list| insert_sorted(list, id.sender));
		}
		HrmpOpenChannelRequestsList::<T>::put(open);
	}

	/// Closes the channels that are to be closed.
	pub(super) fn enact_close_requests() {
		for id in HrmpCloseChannelRequestsList::<T>::take() {
			HrmpCloseChannelRequests::<T>::remove(id);
			Self::remove_channel(id);
		}
	}

	/// Closes all channels of a para.
	pub(super) fn close_all_channels(para: ParaId) {
		for sender in HrmpIngressChannelsIndex::<T>::get(para) {
			Self::remove_channel(HrmpChannelId { sender, recipient: para });
		}
		for recipient in HrmpEgressChannelsIndex::<T>::get(para) {
			Self::remove_channel(HrmpChannelId { sender: para, recipient });
		}
	}

	/// Removes a channel with what waits in it; both paras get their deposits back. Another channel of the
	/// same two would not be closed by a request to close this one.
	fn remove_channel(id: HrmpChannelId) {
		if let Some(channel) = HrmpChannels::<T>::take(id) {
			Self::unreserve(id.sender, channel.sender_deposit);
			Self::unreserve(id.recipient, channel.recipient_deposit);
		}
		HrmpChannelContents::<T>::remove(id);
		remove_sorted::<HrmpEgressChannelsIndex<T>>(id.sender, id.recipient);
		remove_sorted::<HrmpIngressChannelsIndex<T>>(id.recipient, id.sender);
		if HrmpCloseChannelRequests::<T>::take(id).is_some() {
			HrmpCloseChannelRequestsList::<T>::mutate(|requests| requests.retain(|other| *other != id));
		}
	}

	/// Takes a request out of storage, but not out of the list, and corrects the counters.
	fn take_open_request(id: HrmpChannelId) -> Option<HrmpOpenChannelRequest> {
		let request = HrmpOpenChannelRequests::<T>::take(id)?;
		Self::decrement::<HrmpOpenChannelRequestCount<T>>(id.sender);
		if request.confirmed {
			Self::decrement::<HrmpAcceptedChannelRequestCount<T>>(id.recipient);
		}
		Some(request)
	}

	/// Returns the deposits of a request.
	fn refund_request(
		config: &HostConfiguration,
		id: HrmpChannelId,
		request: &HrmpOpenChannelRequest,
		to: impl Fn(ParaId) -> bool,
	) {
		if to(id.sender) {
			Self::unreserve(id.sender, request.sender_deposit);
		}
		if request.confirmed && to(id.recipient) {
			Self::unreserve(id.recipient, id.deposit(config.hrmp_recipient_deposit));
		}
	}
}

fn insert_sorted(list: &mut Vec<ParaId>, para: ParaId) {
	if let Err(at) = list.binary_search(&para) {
		list.insert(at, para);
	}
}

/// Removes `para` from the list of `of`; an empty list is not stored.
fn remove_sorted<M: frame_support::StorageMap<ParaId, Vec<ParaId>, Query = Vec<ParaId>>>(
	of: ParaId,
	para: ParaId,
) {
	let mut list = M::get(of);
	list.retain(|other| *other != para);
	if list.is_empty() {
		M::remove(of);
	} else {
		M::insert(of, list);
	}
}
