//! Calls of paras, and of who may open channels for them.

use super::*;
use crate::{benchmarking::*, origin::Origin, paras::ParaLifecycle};
use frame_benchmarking::v2::*;
use frame_support::traits::Currency;
use frame_system::RawOrigin;

const OTHER: ParaId = ParaId(PARA.0 + 1);
/// The first of the paras that are there when there have to be many.
const PEER: u32 = PARA.0 + 1_000;
const SYSTEM: ParaId = ParaId(1_000);
const OTHER_SYSTEM: ParaId = ParaId(1_001);
/// Messages that a channel holds.
const CAPACITY: u32 = 8;
/// Bytes of its messages.
const SIZE: u32 = 1_024;

/// Registers a para that can pay deposits.
fn add_para<T: Config>(para: ParaId) {
	register::<T>(para, ParaLifecycle::Parachain);
	let _ = <T as Config>::Currency::make_free_balance_be(&para.into_account_truncating(), FUNDS);
}

/// A chain with two paras and two system paras.
fn set_up<T: Config>() {
	start_block::<T>(BLOCK);
	configure::<T>(1);
	[PARA, OTHER, SYSTEM, OTHER_SYSTEM].into_iter().for_each(add_para::<T>);
}

fn request<T: Config>(sender: ParaId, recipient: ParaId) {
	let requested = Pallet::<T>::init_open_channel(sender, recipient, CAPACITY, SIZE);
	assert!(requested.is_ok(), "nothing speaks against the channel");
}

/// Asks for a channel and accepts it.
fn establish<T: Config>(sender: ParaId, recipient: ParaId) {
	let established = Pallet::<T>::establish_channel_by_root(sender, recipient, CAPACITY, SIZE);
	assert!(established.is_ok(), "nothing speaks against the channel");
}

/// Opens all channels that were accepted.
fn open<T: Config>() {
	Pallet::<T>::enact_open_requests(&configuration::ActiveConfig::<T>::get());
}

/// Adds pairs of paras and a channel request from one to the other, which is accepted.
fn establish_pairs<T: Config>(n: u32) -> Vec<HrmpChannelId> {
	let pairs: Vec<_> = (0..n)
		.map(|i| HrmpChannelId { sender: ParaId(PEER + 2 * i), recipient: ParaId(PEER + 2 * i + 1) })
		.collect();
	for HrmpChannelId { sender, recipient } in pairs.iter().copied() {
		add_para::<T>(sender);
		add_para::<T>(recipient);
		establish::<T>(sender, recipient);
	}
	pairs
}

#[benchmarks(where <T as frame_system::Config>::RuntimeOrigin: From<Origin>)]
mod benchmarks {
	use super::*;

	/// A para asks another one.
	#[benchmark]
	fn hrmp_init_open_channel() {
		set_up::<T>();

		#[extrinsic_call]
		_(Origin::Parachain(PARA), OTHER, CAPACITY, SIZE);

		assert_eq!(HrmpOpenChannelRequestCount::<T>::get(PARA), 1);
	}

	/// The other one accepts.
	#[benchmark]
	fn hrmp_accept_open_channel() {
		set_up::<T>();
		request::<T>(PARA, OTHER);

		#[extrinsic_call]
		_(Origin::Parachain(OTHER), PARA);

		assert_eq!(HrmpAcceptedChannelRequestCount::<T>::get(OTHER), 1);
	}

	/// One of the two closes the channel.
	#[benchmark]
	fn hrmp_close_channel() {
		set_up::<T>();
		establish::<T>(PARA, OTHER);
		open::<T>();
		let channel_id = HrmpChannelId { sender: PARA, recipient: OTHER };

		#[extrinsic_call]
		_(Origin::Parachain(OTHER), channel_id);

		assert!(HrmpCloseChannelRequests::<T>::contains_key(channel_id));
	}

	/// The para has `i` inbound and `e` outbound channels.
	#[benchmark]
	fn force_clean_hrmp(i: Linear<0, 100>, e: Linear<0, 100>) {
		set_up::<T>();
		for peer in (0..i.max(e)).map(|peer| ParaId(PEER + peer)) {
			add_para::<T>(peer);
			if peer.0 < PEER + i {
				establish::<T>(peer, PARA);
			}
			if peer.0 < PEER + e {
				establish::<T>(PARA, peer);
			}
		}
		open::<T>();

		#[extrinsic_call]
		_(RawOrigin::Root, PARA, i, e);

		assert!(!HrmpIngressChannelsIndex::<T>::contains_key(PARA));
		assert!(!HrmpEgressChannelsIndex::<T>::contains_key(PARA));
	}

	/// `c` requests, all of which are accepted.
	#[benchmark]
	fn force_process_hrmp_open(c: Linear<0, 100>) {
		set_up::<T>();
		let pairs = establish_pairs::<T>(c);

		#[extrinsic_call]
		_(RawOrigin::Root, c);

		assert!(pairs.iter().all(HrmpChannels::<T>::contains_key));
	}

	/// `c` channels that are to be closed.
	#[benchmark]
	fn force_process_hrmp_close(c: Linear<0, 100>) {
		set_up::<T>();
		let pairs = establish_pairs::<T>(c);
		open::<T>();
		for pair in &pairs {
			assert!(Pallet::<T>::close_channel(pair.sender, *pair).is_ok());
		}

		#[extrinsic_call]
		_(RawOrigin::Root, c);

		assert!(!pairs.iter().any(HrmpChannels::<T>::contains_key));
	}

	/// `c` requests, the last of which is withdrawn.
	#[benchmark]
	fn hrmp_cancel_open_request(c: Linear<1, 100>) {
		set_up::<T>();
		establish_pairs::<T>(c - 1);
		request::<T>(PARA, OTHER);
		let channel_id = HrmpChannelId { sender: PARA, recipient: OTHER };

		#[extrinsic_call]
		_(Origin::Parachain(PARA), channel_id, c);

		assert!(!HrmpOpenChannelRequests::<T>::contains_key(channel_id));
	}

	/// Nobody has asked for the channel.
	#[benchmark]
	fn force_open_hrmp_channel() {
		set_up::<T>();

		#[extrinsic_call]
		_(RawOrigin::Root, PARA, OTHER, CAPACITY, SIZE);

		assert_eq!(HrmpAcceptedChannelRequestCount::<T>::get(OTHER), 1);
	}

	/// The sender has asked for the channel, and nobody has accepted.
	#[benchmark]
	fn force_open_hrmp_channel_replacing() {
		set_up::<T>();
		request::<T>(PARA, OTHER);

		#[extrinsic_call]
		force_open_hrmp_channel(RawOrigin::Root, PARA, OTHER, CAPACITY, SIZE);

		assert_eq!(HrmpAcceptedChannelRequestCount::<T>::get(OTHER), 1);
	}

	/// Between two system paras.
	#[benchmark]
	fn establish_system_channel() {
		set_up::<T>();
		let caller: T::AccountId = whitelisted_caller();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), SYSTEM, OTHER_SYSTEM);

		assert_eq!(HrmpAcceptedChannelRequestCount::<T>::get(OTHER_SYSTEM), 1);
	}

	/// More has to be reserved for both paras.
	#[benchmark]
	fn poke_channel_deposits() {
		set_up::<T>();
		establish::<T>(PARA, OTHER);
		open::<T>();
		configuration::ActiveConfig::<T>::mutate(|config| {
			config.hrmp_sender_deposit *= 2;
			config.hrmp_recipient_deposit *= 2;
		});
		let caller: T::AccountId = whitelisted_caller();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), PARA, OTHER);

		let deposit = configuration::ActiveConfig::<T>::get().hrmp_sender_deposit;
		assert!(Pallet::<T>::channel(PARA, OTHER).is_some_and(|channel| channel.sender_deposit == deposit));
	}

	/// Both channels are opened.
	#[benchmark]
	fn establish_channel_with_system() {
		set_up::<T>();

		#[extrinsic_call]
		_(Origin::Parachain(PARA), SYSTEM);

		assert_eq!(HrmpOpenChannelRequestsList::<T>::decode_len(), Some(2));
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::benchmark_ext(), crate::mock::Test);
}
