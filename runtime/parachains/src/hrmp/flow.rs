//! Messages on their way, and what constraints and the runtime API need to know of them.

use super::*;

impl<T: Config> Pallet<T> {
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

	/// Removes messages up to the watermark. Only channels with messages to remove are touched.
	pub(crate) fn prune(recipient: ParaId, watermark: BlockNumber) {
		HrmpWatermarks::<T>::insert(recipient, watermark);
		let mut digests = HrmpChannelDigests::<T>::get(recipient);
		let n = digests.partition_point(|(block, _)| *block <= watermark);
		if n == 0 {
			return;
		}
		let mut senders: Vec<ParaId> = digests.drain(..n).flat_map(|(_, senders)| senders).collect();
		senders.sort();
		senders.dedup();
		if digests.is_empty() {
			HrmpChannelDigests::<T>::remove(recipient);
		} else {
			HrmpChannelDigests::<T>::insert(recipient, digests);
		}
		for sender in senders {
			let id = HrmpChannelId { sender, recipient };
			let mut contents = HrmpChannelContents::<T>::get(id);
			let n = contents.partition_point(|message| message.sent_at <= watermark);
			let bytes: u32 = contents.drain(..n).map(|message| message.data.len() as u32).sum();
			if contents.is_empty() {
				HrmpChannelContents::<T>::remove(id);
			} else {
				HrmpChannelContents::<T>::insert(id, contents);
			}
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
				// Several candidates of one para may be included in one block.
				Some((block, senders)) if *block == at => {
					if !senders.contains(&sender) {
						senders.push(sender);
					}
				},
				_ => digests.push((at, alloc::vec![sender])),
			});
		}
	}
}
