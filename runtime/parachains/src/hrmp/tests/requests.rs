//! Who may ask for what, and what it costs.

use super::*;
use frame_support::{
	dispatch::Pays,
	traits::{GetCallIndex, GetCallName},
};
use sp_runtime::DispatchError;

#[test]
fn calls_errors_and_events_have_the_reference_indices() {
	let calls: Vec<_> = Call::<Test>::get_call_indices()
		.iter()
		.copied()
		.zip(Call::<Test>::get_call_names().iter().copied())
		.collect();
	let expected = [
		(0, "hrmp_init_open_channel"),
		(1, "hrmp_accept_open_channel"),
		(2, "hrmp_close_channel"),
		(3, "force_clean_hrmp"),
		(4, "force_process_hrmp_open"),
		(5, "force_process_hrmp_close"),
		(6, "hrmp_cancel_open_request"),
		(7, "force_open_hrmp_channel"),
		(8, "establish_system_channel"),
		(9, "poke_channel_deposits"),
		(10, "establish_channel_with_system"),
	];
	assert_eq!(calls, expected);
	for (index, error) in [
		(0, Error::<Test>::OpenHrmpChannelToSelf),
		(8, Error::OpenHrmpChannelLimitExceeded),
		(12, Error::CloseHrmpChannelUnauthorized),
		(18, Error::WrongWitness),
		(19, Error::ChannelCreationNotAuthorized),
	] {
		assert_eq!(error.encode(), [index]);
	}
	assert_eq!(Event::OpenChannelDepositsUpdated { sender: A, recipient: B }.encode()[0], 6);
}

#[test]
fn request_has_the_reference_layout() {
	with_paras(|_| {
		request(A, B);
		let stored = sp_io::storage::get(&HrmpOpenChannelRequests::<Test>::hashed_key_for(A_TO_B));
		let expected = (false, 0u32, SENDER_DEPOSIT, 8u32, 2u32, config().hrmp_channel_max_total_size);
		assert_eq!(stored.map(|bytes| bytes.to_vec()), Some(expected.encode()));
	});
}

#[test]
fn open_request_has_conditions() {
	with_paras(|chain| {
		let init = |to, capacity, size| Hrmp::hrmp_init_open_channel(para(A), to, capacity, size);
		let limits = config();
		let (capacity, size) = (limits.hrmp_channel_max_capacity, limits.hrmp_channel_max_message_size);
		assert_noop!(init(A, 2, 8), Error::<Test>::OpenHrmpChannelToSelf);
		assert_noop!(init(ParaId(7), 2, 8), Error::<Test>::OpenHrmpChannelInvalidRecipient);
		assert_noop!(init(B, 0, 8), Error::<Test>::OpenHrmpChannelZeroCapacity);
		assert_noop!(init(B, capacity + 1, 8), Error::<Test>::OpenHrmpChannelCapacityExceedsLimit);
		assert_noop!(init(B, 2, 0), Error::<Test>::OpenHrmpChannelZeroMessageSize);
		assert_noop!(init(B, 2, size + 1), Error::<Test>::OpenHrmpChannelMessageSizeExceedsLimit);
		assert_noop!(
			Hrmp::hrmp_init_open_channel(RuntimeOrigin::signed(1), B, 2, 8),
			DispatchError::BadOrigin
		);

		assert_ok!(init(B, capacity, size));
		assert_noop!(init(B, 2, 8), Error::<Test>::OpenHrmpChannelAlreadyRequested);
		assert_ok!(Hrmp::hrmp_accept_open_channel(para(B), A));
		chain.session_block();
		assert_noop!(init(B, 2, 8), Error::<Test>::OpenHrmpChannelAlreadyExists);
		// One channel and one request: no more.
		assert_ok!(init(POOR, 2, 8));
		assert_noop!(init(SYSTEM, 2, 8), Error::<Test>::OpenHrmpChannelLimitExceeded);
		// Who cannot pay the deposit does not ask.
		assert!(Hrmp::hrmp_init_open_channel(para(POOR), B, 2, 8).is_err());
		assert_eq!(HrmpOpenChannelRequestCount::<Test>::get(POOR), 0);
	});
}

#[test]
fn acceptance_has_conditions() {
	with_paras(|chain| {
		let accept = |sender| Hrmp::hrmp_accept_open_channel(para(B), sender);
		assert_noop!(accept(A), Error::<Test>::AcceptHrmpChannelDoesntExist);
		request(A, B);
		assert_noop!(Hrmp::hrmp_accept_open_channel(RuntimeOrigin::signed(1), A), DispatchError::BadOrigin);
		assert_ok!(accept(A));
		assert_noop!(accept(A), Error::<Test>::AcceptHrmpChannelAlreadyConfirmed);
		chain.session_block();
		// One channel and one accepted request: no more.
		for sender in [SYSTEM, OTHER_SYSTEM] {
			request(sender, B);
		}
		assert_ok!(accept(SYSTEM));
		assert_noop!(accept(OTHER_SYSTEM), Error::<Test>::AcceptHrmpChannelLimitExceeded);
		// Who cannot pay the deposit does not accept.
		request(A, POOR);
		assert!(Hrmp::hrmp_accept_open_channel(para(POOR), A).is_err());
		assert_eq!(HrmpAcceptedChannelRequestCount::<Test>::get(POOR), 0);
	});
}

#[test]
fn both_sides_reserve_a_deposit_and_are_told() {
	with_paras(|_| {
		request(A, B);
		assert_eq!((reserved(A), reserved(B)), (SENDER_DEPOSIT, 0));
		assert_ok!(Hrmp::hrmp_accept_open_channel(para(B), A));
		assert_eq!((reserved(A), reserved(B)), (SENDER_DEPOSIT, RECIPIENT_DEPOSIT));
		assert_eq!(Notices::take(), ["to 2001: 2000 asks for 2 of 8", "to 2000: 2001 accepts"]);
		System::assert_has_event(Event::OpenChannelAccepted { sender: A, recipient: B }.into());
	});
}

#[test]
fn either_side_cancels_a_request_until_it_is_accepted() {
	with_paras(|_| {
		let cancel = |by, witness| Hrmp::hrmp_cancel_open_request(para(by), A_TO_B, witness);
		assert_noop!(cancel(A, 1), Error::<Test>::OpenHrmpChannelDoesntExist);
		for by in [A, B] {
			request(A, B);
			assert_noop!(cancel(POOR, 1), Error::<Test>::CancelHrmpOpenChannelUnauthorized);
			assert_noop!(cancel(by, 0), Error::<Test>::WrongWitness);
			assert_ok!(cancel(by, 1));
			assert_eq!((reserved(A), HrmpOpenChannelRequestCount::<Test>::get(A)), (0, 0));
			assert_consistent();
		}
		establish(A, B);
		assert_noop!(cancel(A, 1), Error::<Test>::OpenHrmpChannelAlreadyConfirmed);
	});
}

#[test]
fn closing_has_conditions_and_the_other_side_is_told() {
	with_paras(|chain| {
		let close = |by| Hrmp::hrmp_close_channel(para(by), A_TO_B);
		assert_noop!(close(A), Error::<Test>::CloseHrmpChannelDoesntExist);
		establish(A, B);
		assert_noop!(close(A), Error::<Test>::CloseHrmpChannelDoesntExist);
		chain.session_block();
		assert_noop!(close(POOR), Error::<Test>::CloseHrmpChannelUnauthorized);
		Notices::take();
		assert_ok!(close(B));
		assert_eq!(Notices::take(), ["to 2000: 2001 closes 2000-2001"]);
		assert_noop!(close(A), Error::<Test>::CloseHrmpChannelAlreadyUnderway);
		assert!(exists(A, B), "it stays until the session ends");
	});
}

#[test]
fn system_paras_get_channels_without_deposit_and_fee() {
	with_paras(|chain| {
		let establish = |sender, recipient| {
			Hrmp::establish_system_channel(RuntimeOrigin::signed(1), sender, recipient)
				.map(|info| info.pays_fee)
				.map_err(|error| error.error)
		};
		assert_noop!(establish(SYSTEM, A), Error::<Test>::ChannelCreationNotAuthorized);
		assert_noop!(establish(A, SYSTEM), Error::<Test>::ChannelCreationNotAuthorized);
		assert_eq!(establish(SYSTEM, OTHER_SYSTEM), Ok(Pays::No));
		chain.session_block();
		let channel = Hrmp::channel(SYSTEM, OTHER_SYSTEM).expect("it opened");
		let limits = config();
		assert_eq!(channel.max_capacity, limits.hrmp_channel_max_capacity);
		assert_eq!(channel.max_message_size, limits.hrmp_channel_max_message_size);
		assert_eq!((channel.sender_deposit, channel.recipient_deposit), (0, 0));
	});
}

#[test]
fn para_establishes_channels_with_a_system_para_both_ways() {
	with_paras(|chain| {
		let establish = |target| {
			Hrmp::establish_channel_with_system(para(POOR), target)
				.map(|info| info.pays_fee)
				.map_err(|error| error.error)
		};
		assert_noop!(establish(A), Error::<Test>::ChannelCreationNotAuthorized);
		assert_eq!(establish(SYSTEM), Ok(Pays::No));
		assert_err!(establish(SYSTEM), Error::<Test>::OpenHrmpChannelAlreadyRequested);
		chain.session_block();
		for channel in [Hrmp::channel(POOR, SYSTEM), Hrmp::channel(SYSTEM, POOR)] {
			let channel = channel.expect("it opened");
			assert_eq!((channel.max_message_size, channel.max_capacity), (128, 4));
			assert_eq!((channel.sender_deposit, channel.recipient_deposit), (0, 0));
		}
	});
}

#[test]
fn root_opens_a_channel_and_replaces_a_request() {
	with_paras(|chain| {
		let force = |sender, recipient| {
			Hrmp::force_open_hrmp_channel(RuntimeOrigin::root(), sender, recipient, 3, 16)
				.map(|_| ())
				.map_err(|error| error.error)
		};
		request(A, B);
		assert_ok!(force(A, B));
		assert_eq!((reserved(A), reserved(B)), (SENDER_DEPOSIT, RECIPIENT_DEPOSIT));
		assert_noop!(force(A, B), Error::<Test>::OpenHrmpChannelAlreadyConfirmed);
		// Deposits are due, except with a system para.
		assert!(force(POOR, B).is_err());
		assert_ok!(force(POOR, SYSTEM));
		assert_noop!(
			Hrmp::force_open_hrmp_channel(RuntimeOrigin::signed(1), B, A, 3, 16).map_err(|error| error.error),
			DispatchError::BadOrigin
		);
		chain.session_block();
		let channel = Hrmp::channel(A, B).expect("it opened");
		assert_eq!((channel.max_capacity, channel.max_message_size), (3, 16));
		assert!(exists(POOR, SYSTEM));
	});
}

#[test]
fn deposits_follow_the_configuration_when_poked() {
	with_paras(|chain| {
		let poke =
			|sender, recipient| Hrmp::poke_channel_deposits(RuntimeOrigin::signed(1), sender, recipient);
		assert_noop!(poke(A, B), Error::<Test>::OpenHrmpChannelDoesntExist);
		establish(A, B);
		establish(A, SYSTEM);
		chain.session_block();
		for (sender_deposit, recipient_deposit) in [(5, 30), (40, 1), (0, 0)] {
			Configuration::force_update_all(|config| {
				config.hrmp_sender_deposit = sender_deposit;
				config.hrmp_recipient_deposit = recipient_deposit;
			});
			assert_ok!(poke(A, B));
			assert_ok!(poke(A, SYSTEM));
			assert_eq!((reserved(A), reserved(B)), (sender_deposit, recipient_deposit));
			assert_consistent();
		}
	});
}

#[test]
fn witness_below_the_actual_number_is_wrong() {
	with_paras(|chain| {
		let root = RuntimeOrigin::root;
		establish(A, B);
		assert_noop!(Hrmp::force_process_hrmp_open(root(), 0), Error::<Test>::WrongWitness);
		chain.session_block();
		assert_noop!(Hrmp::force_clean_hrmp(root(), B, 0, 9), Error::<Test>::WrongWitness);
		assert_noop!(Hrmp::force_clean_hrmp(root(), A, 9, 0), Error::<Test>::WrongWitness);
		assert_ok!(Hrmp::hrmp_close_channel(para(A), A_TO_B));
		assert_noop!(Hrmp::force_process_hrmp_close(root(), 0), Error::<Test>::WrongWitness);
		for call in [
			Hrmp::force_process_hrmp_open(RuntimeOrigin::signed(1), 9),
			Hrmp::force_process_hrmp_close(RuntimeOrigin::signed(1), 9),
			Hrmp::force_clean_hrmp(para(A), A, 9, 9),
		] {
			assert_eq!(call, Err(DispatchError::BadOrigin));
		}
	});
}
