//! Channels from request to closure, and the messages in them.

mod flow;
mod lifecycle;
mod requests;

use super::*;
use crate::{
	mock::{config, with_chain, Balances, Chain, Configuration, Hrmp, Paras, RuntimeOrigin, System, Test},
	paras::{ParaLifecycle, ParaLifecycles},
};
use alloc::{format, string::String, vec};
use core::cell::RefCell;
use frame_support::{assert_err, assert_noop, assert_ok, traits::Currency};

const A: ParaId = ParaId(2000);
const B: ParaId = ParaId(2001);
/// Has no funds.
const POOR: ParaId = ParaId(2002);
const SYSTEM: ParaId = ParaId(1000);
const OTHER_SYSTEM: ParaId = ParaId(1001);

const SENDER_DEPOSIT: Balance = 20;
const RECIPIENT_DEPOSIT: Balance = 15;

const A_TO_B: HrmpChannelId = HrmpChannelId { sender: A, recipient: B };

thread_local! {
	static NOTICES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Remembers what paras are told.
pub struct Notices;

impl Notices {
	/// What paras were told since the last time.
	fn take() -> Vec<String> {
		NOTICES.with(|notices| notices.borrow_mut().drain(..).collect())
	}

	fn note(notice: String) {
		NOTICES.with(|notices| notices.borrow_mut().push(notice));
	}
}

impl HrmpNotify for Notices {
	fn open_requested(to: ParaId, sender: ParaId, max_message_size: u32, max_capacity: u32) {
		Self::note(format!("to {to}: {sender} asks for {max_capacity} of {max_message_size}"));
	}

	fn accepted(to: ParaId, recipient: ParaId) {
		Self::note(format!("to {to}: {recipient} accepts"));
	}

	fn closing(to: ParaId, initiator: ParaId, sender: ParaId, recipient: ParaId) {
		Self::note(format!("to {to}: {initiator} closes {sender}-{recipient}"));
	}
}

/// A chain with two paras that can pay deposits, a poor one, and two system paras. Each may have two channels
/// in each direction.
fn with_paras<R>(test: impl FnOnce(&mut Chain) -> R) -> R {
	let config = HostConfiguration {
		hrmp_sender_deposit: SENDER_DEPOSIT,
		hrmp_recipient_deposit: RECIPIENT_DEPOSIT,
		hrmp_max_parachain_outbound_channels: 2,
		hrmp_max_parachain_inbound_channels: 2,
		..config()
	};
	with_chain(config, 4, 3, |chain| {
		for para in [SYSTEM, OTHER_SYSTEM] {
			ParaLifecycles::<Test>::insert(para, ParaLifecycle::Parachain);
		}
		for para in [A, B] {
			let _ = Balances::deposit_creating(&account(para), 100);
		}
		Notices::take();
		let result = test(chain);
		assert_consistent();
		result
	})
}

/// The origin of a para.
fn para(id: ParaId) -> RuntimeOrigin {
	origin::Origin::Parachain(id).into()
}

/// The sovereign account of a para.
fn account(para: ParaId) -> u64 {
	para.into_account_truncating()
}

fn reserved(para: ParaId) -> Balance {
	<Balances as ReservableCurrency<u64>>::reserved_balance(&account(para))
}

/// Asks for a channel of two messages of eight bytes.
#[track_caller]
fn request(sender: ParaId, recipient: ParaId) {
	assert_ok!(Hrmp::hrmp_init_open_channel(para(sender), recipient, 2, 8));
}

/// Asks for a channel and accepts it.
#[track_caller]
fn establish(sender: ParaId, recipient: ParaId) {
	request(sender, recipient);
	assert_ok!(Hrmp::hrmp_accept_open_channel(para(recipient), sender));
}

fn exists(sender: ParaId, recipient: ParaId) -> bool {
	Hrmp::channel(sender, recipient).is_some()
}

#[track_caller]
fn send(sender: ParaId, recipient: ParaId, data: &[u8]) {
	Hrmp::queue_outbound(sender, vec![OutboundHrmpMessage { recipient, data: data.to_vec() }]);
}

fn sorted<I: Ord>(items: impl IntoIterator<Item = I>) -> Vec<I> {
	let mut items: Vec<I> = items.into_iter().collect();
	items.sort();
	items
}

/// Checks what holds between the storage items at all times.
#[track_caller]
fn assert_consistent() {
	let requests: Vec<_> = HrmpOpenChannelRequests::<Test>::iter().collect();
	let channels: Vec<_> = HrmpChannels::<Test>::iter().collect();
	assert_eq!(
		sorted(HrmpOpenChannelRequestsList::<Test>::get()),
		sorted(requests.iter().map(|(id, _)| *id)),
		"requests and their list"
	);
	assert_eq!(
		sorted(HrmpCloseChannelRequestsList::<Test>::get()),
		sorted(HrmpCloseChannelRequests::<Test>::iter_keys()),
		"requests to close, and their list"
	);
	let ids = sorted(channels.iter().map(|(id, _)| *id));
	let by_recipient = HrmpIngressChannelsIndex::<Test>::iter();
	let by_sender = HrmpEgressChannelsIndex::<Test>::iter();
	for (_, list) in by_recipient.chain(by_sender) {
		assert!(!list.is_empty() && list.is_sorted(), "indices are sorted, and stored only if not empty");
	}
	let by_recipient = HrmpIngressChannelsIndex::<Test>::iter().flat_map(|(recipient, senders)| {
		senders.into_iter().map(move |sender| HrmpChannelId { sender, recipient })
	});
	let by_sender = HrmpEgressChannelsIndex::<Test>::iter().flat_map(|(sender, recipients)| {
		recipients.into_iter().map(move |recipient| HrmpChannelId { sender, recipient })
	});
	assert_eq!(sorted(by_recipient), ids);
	assert_eq!(sorted(by_sender), ids);
	for id in HrmpChannelContents::<Test>::iter_keys() {
		assert!(ids.contains(&id), "messages are in channels only");
	}
	for (id, channel) in &channels {
		let contents = HrmpChannelContents::<Test>::get(id);
		let bytes: usize = contents.iter().map(|message| message.data.len()).sum();
		assert_eq!((channel.msg_count as usize, channel.total_size as usize), (contents.len(), bytes));
	}
	for digests in HrmpChannelDigests::<Test>::iter_values() {
		assert!(digests.is_sorted_by(|(a, _), (b, _)| a < b), "digests ascend");
		for (_, senders) in digests {
			let mut unique = sorted(senders.clone());
			unique.dedup();
			assert!(!senders.is_empty() && unique.len() == senders.len(), "each sender once");
		}
	}
	let recipient_deposit = configuration::ActiveConfig::<Test>::get().hrmp_recipient_deposit;
	for para in [A, B, POOR, SYSTEM, OTHER_SYSTEM] {
		let own = |id: &HrmpChannelId| id.sender == para;
		let accepted = requests.iter().filter(|(id, request)| id.recipient == para && request.confirmed);
		assert_eq!(
			HrmpOpenChannelRequestCount::<Test>::get(para) as usize,
			requests.iter().filter(|(id, _)| own(id)).count()
		);
		assert_eq!(HrmpAcceptedChannelRequestCount::<Test>::get(para) as usize, accepted.clone().count());
		let held: Balance = requests
			.iter()
			.filter(|(id, _)| own(id))
			.map(|(_, request)| request.sender_deposit)
			.chain(accepted.map(|(id, _)| id.deposit(recipient_deposit)))
			.chain(channels.iter().filter(|(id, _)| own(id)).map(|(_, channel)| channel.sender_deposit))
			.chain(
				channels
					.iter()
					.filter(|(id, _)| id.recipient == para)
					.map(|(_, channel)| channel.recipient_deposit),
			)
			.sum();
		// Who went gets nothing back for requests.
		if Paras::is_valid_para(para) {
			assert_eq!(reserved(para), held, "deposits of para {para}");
		}
	}
}
