//! What sessions, root and genesis do to channels.

use super::*;
use crate::{
	mock::{code, head, RuntimeGenesisConfig},
	paras::{ParaGenesisArgs, ParaKind},
};
use sp_runtime::{BuildStorage, Storage};

#[test]
fn accepted_request_opens_a_channel_with_the_next_session() {
	with_paras(|chain| {
		establish(A, B);
		request(A, POOR);
		chain.empty_block();
		assert!(!exists(A, B));
		chain.session_block();
		let expected = HrmpChannel {
			max_capacity: 2,
			max_total_size: config().hrmp_channel_max_total_size,
			max_message_size: 8,
			msg_count: 0,
			total_size: 0,
			mqc_head: None,
			sender_deposit: SENDER_DEPOSIT,
			recipient_deposit: RECIPIENT_DEPOSIT,
		};
		assert_eq!(Hrmp::channel(A, B), Some(expected));
		assert_eq!(HrmpIngressChannelsIndex::<Test>::get(B), [A]);
		assert_eq!(HrmpEgressChannelsIndex::<Test>::get(A), [B]);
		assert!(!HrmpAcceptedChannelRequestCount::<Test>::contains_key(B));
		// Nobody has accepted the other one, so it stays, however long.
		chain.session_block();
		assert_eq!(
			HrmpOpenChannelRequestsList::<Test>::get(),
			[HrmpChannelId { sender: A, recipient: POOR }]
		);
	});
}

#[test]
fn indices_are_sorted_by_para() {
	with_paras(|chain| {
		establish(B, SYSTEM);
		chain.session_block();
		establish(A, SYSTEM);
		establish(B, OTHER_SYSTEM);
		chain.session_block();
		assert_eq!(HrmpIngressChannelsIndex::<Test>::get(SYSTEM), [A, B]);
		assert_eq!(HrmpEgressChannelsIndex::<Test>::get(B), [SYSTEM, OTHER_SYSTEM]);
	});
}

#[test]
fn channel_has_the_deposits_of_the_session_in_which_it_was_accepted() {
	with_paras(|chain| {
		assert_ok!(Configuration::set_hrmp_recipient_deposit(RuntimeOrigin::root(), 50));
		chain.session_block();
		establish(A, B);
		chain.session_block();
		assert_eq!(configuration::ActiveConfig::<Test>::get().hrmp_recipient_deposit, 50);
		assert_eq!(Hrmp::channel(A, B).map(|channel| channel.recipient_deposit), Some(RECIPIENT_DEPOSIT));
	});
}

#[test]
fn either_side_closes_a_channel_with_the_next_session() {
	for by in [A, B] {
		with_paras(|chain| {
			establish(A, B);
			chain.session_block();
			send(A, B, b"lost");
			assert_ok!(Hrmp::hrmp_close_channel(para(by), A_TO_B));
			chain.session_block();
			assert!(!exists(A, B));
			assert!(!HrmpChannelContents::<Test>::contains_key(A_TO_B));
			assert!(!HrmpIngressChannelsIndex::<Test>::contains_key(B));
			assert!(!HrmpEgressChannelsIndex::<Test>::contains_key(A));
			assert_eq!((reserved(A), reserved(B)), (0, 0));
		});
	}
}

/// Lets paras go: their last session has begun.
#[track_caller]
fn begin_last_session(chain: &mut Chain, paras: &[ParaId]) {
	for para in paras {
		assert_ok!(Paras::schedule_para_cleanup(*para));
	}
	chain.session_block();
}

#[test]
fn accepted_request_of_a_para_on_its_way_out_is_refunded() {
	with_paras(|chain| {
		establish(A, B);
		begin_last_session(chain, &[B]);
		assert!(!exists(A, B));
		assert_eq!((reserved(A), reserved(B)), (0, 0));
		assert_eq!(HrmpAcceptedChannelRequestCount::<Test>::get(B), 0);
	});
}

#[test]
fn request_goes_with_its_recipient() {
	with_paras(|chain| {
		request(A, B);
		begin_last_session(chain, &[B]);
		assert_eq!(HrmpOpenChannelRequestsList::<Test>::get(), [A_TO_B]);
		chain.session_block();
		assert!(HrmpOpenChannelRequestsList::<Test>::get().is_empty());
		assert_eq!((reserved(A), HrmpOpenChannelRequestCount::<Test>::get(A)), (0, 0));
	});
}

#[test]
fn accepted_request_goes_with_its_sender_and_the_recipient_is_refunded() {
	with_paras(|chain| {
		begin_last_session(chain, &[A]);
		establish(A, B);
		chain.session_block();
		assert!(!exists(A, B));
		// There is nobody to give the sender's deposit to.
		assert_eq!((reserved(A), reserved(B)), (SENDER_DEPOSIT, 0));
		assert_eq!(HrmpAcceptedChannelRequestCount::<Test>::get(B), 0);
	});
}

#[test]
fn refund_with_a_system_para_is_nothing() {
	with_paras(|chain| {
		// A deposit that is not for the channel with the system para.
		establish(A, B);
		chain.session_block();
		begin_last_session(chain, &[SYSTEM]);
		establish(SYSTEM, B);
		chain.session_block();
		assert_eq!(reserved(B), RECIPIENT_DEPOSIT);
	});
}

#[test]
fn nothing_dangles_when_both_paras_go() {
	with_paras(|chain| {
		establish(A, B);
		establish(B, A);
		chain.session_block();
		send(A, B, b"1");
		Hrmp::prune(A, 1);
		begin_last_session(chain, &[A, B]);
		send(B, A, b"2");
		chain.session_block();
		send(A, B, b"after the end");
		assert_eq!(HrmpChannels::<Test>::iter().count(), 0);
		assert_eq!(HrmpChannelContents::<Test>::iter().count(), 0);
		assert_eq!(HrmpIngressChannelsIndex::<Test>::iter().count(), 0);
		assert_eq!(HrmpEgressChannelsIndex::<Test>::iter().count(), 0);
		// Another para of the same id shall begin anew.
		assert_eq!(HrmpWatermarks::<Test>::iter().count(), 0);
		assert_eq!(HrmpChannelDigests::<Test>::iter().count(), 0);
		assert_eq!((reserved(A), reserved(B)), (0, 0));
	});
}

#[test]
fn root_processes_requests_at_once() {
	with_paras(|_| {
		establish(A, B);
		request(A, POOR);
		assert_ok!(Hrmp::force_process_hrmp_open(RuntimeOrigin::root(), 2));
		assert!(exists(A, B) && !exists(A, POOR));
		assert_ok!(Hrmp::hrmp_close_channel(para(A), A_TO_B));
		assert_ok!(Hrmp::force_process_hrmp_close(RuntimeOrigin::root(), 1));
		assert!(!exists(A, B));
	});
}

#[test]
fn root_cleans_up_all_that_a_para_has() {
	with_paras(|chain| {
		establish(A, B);
		establish(B, A);
		chain.session_block();
		assert_ok!(Hrmp::hrmp_close_channel(para(A), A_TO_B));
		request(A, POOR);
		establish(SYSTEM, A);
		assert_ok!(Hrmp::force_clean_hrmp(RuntimeOrigin::root(), A, 1, 1));
		assert!(!exists(A, B) && !exists(B, A));
		assert!(HrmpOpenChannelRequestsList::<Test>::get().is_empty());
		assert_eq!((reserved(A), reserved(B)), (0, 0));
		// What was asked of the old channel does not happen to a new one.
		establish(A, B);
		chain.session_block();
		assert!(exists(A, B));
	});
}

#[test]
fn weight_of_a_call_grows_with_its_witness() {
	let weight = |inbound| {
		let call = Call::<Test>::force_clean_hrmp { para: A, num_inbound: inbound, num_outbound: 1 };
		frame_support::dispatch::GetDispatchInfo::get_dispatch_info(&call).call_weight
	};
	assert!(weight(10).ref_time() > weight(0).ref_time());
}

fn genesis(channels: &[(ParaId, ParaId, u32, u32)]) -> Storage {
	let args = ParaGenesisArgs {
		genesis_head: head("genesis"),
		validation_code: code(),
		para_kind: ParaKind::Parachain,
	};
	RuntimeGenesisConfig {
		configuration: configuration::GenesisConfig { config: config(), ..Default::default() },
		paras: paras::GenesisConfig { paras: vec![(A, args.clone()), (B, args)], ..Default::default() },
		hrmp: GenesisConfig { preopen_hrmp_channels: channels.to_vec(), ..Default::default() },
		..Default::default()
	}
	.build_storage()
	.expect("genesis builds")
}

#[test]
fn channels_of_genesis_exist_from_the_beginning() {
	sp_io::TestExternalities::from(genesis(&[(A, B, 2, 8), (B, A, 4, 128)])).execute_with(|| {
		assert_eq!(Hrmp::channel(A, B).map(|channel| channel.max_message_size), Some(8));
		assert_eq!(Hrmp::channel(B, A).map(|channel| channel.max_capacity), Some(4));
		assert_consistent();
	});
}

#[test]
#[should_panic(expected = "channel of para 2002, which is not registered")]
fn genesis_panics_on_a_sender_that_is_not_registered() {
	genesis(&[(POOR, B, 2, 8)]);
}

#[test]
#[should_panic(expected = "channel from para 2000 to para 2002 cannot be opened")]
fn genesis_panics_on_a_recipient_that_is_not_registered() {
	genesis(&[(A, POOR, 2, 8)]);
}

#[test]
#[should_panic(expected = "cannot be opened")]
fn genesis_panics_on_a_channel_beyond_the_limits() {
	genesis(&[(A, B, u32::MAX, 8)]);
}
