//! The acceptance criteria of commitments.

use super::*;
use headway_primitives::{
	ump::{ClaimQueueOffset, CoreSelector, UmpSignal},
	OutboundHrmpMessage,
};

/// The error for which commitments of a candidate at relay parent 0 are not acceptable in block 1, after a
/// change.
fn commitments(
	prepare: impl FnOnce(),
	change: impl FnOnce(&mut CandidateCommitments),
) -> Option<Error<Test>> {
	in_block(config(), 4, 2, |chain| {
		prepare();
		verify(&chain.candidate(A, "genesis", "a1").commit(change).back()).err()
	})
}

fn upward(messages: &[&[u8]]) -> impl FnOnce(&mut CandidateCommitments) {
	let messages: Vec<_> = messages.iter().map(|message| message.to_vec()).collect();
	move |c| c.upward_messages = messages.try_into().expect("few messages")
}

#[test]
fn upward_messages_have_limits() {
	let small = [1u8; 8];
	assert_eq!(commitments(|| (), upward(&[&small[..]; 3])), None);
	assert_eq!(commitments(|| (), upward(&[&small[..]; 4])), Some(Error::InvalidUpwardMessages));
	assert_eq!(commitments(|| (), upward(&[&[1; 256]])), None);
	assert_eq!(commitments(|| (), upward(&[&[1; 257]])), Some(Error::InvalidUpwardMessages));
	let fill = |n: usize, size: usize| {
		move || (0..n).for_each(|_| ParaInclusion::receive_upward_messages(PARA, &[vec![1; size]]))
	};
	// Of 8 messages.
	assert_eq!(commitments(fill(6, 8), upward(&[&small[..]; 2])), None);
	assert_eq!(commitments(fill(6, 8), upward(&[&small[..]; 3])), Some(Error::InvalidUpwardMessages));
	// Of 1024 bytes.
	assert_eq!(commitments(fill(4, 250), upward(&[&[1; 24]])), None);
	assert_eq!(commitments(fill(4, 250), upward(&[&[1; 25]])), Some(Error::InvalidUpwardMessages));
}

#[test]
fn signals_are_no_upward_messages() {
	let signal = UmpSignal::SelectCore(CoreSelector(0), ClaimQueueOffset(0)).encode();
	assert_eq!(commitments(|| (), upward(&[&[1], &[1], &[1], &[], &signal])), None);
	in_block(config(), 4, 1, |_| {
		ParaInclusion::receive_upward_messages(PARA, &[vec![1], vec![2], vec![], signal.clone()]);
		assert_eq!(queued(PARA), [vec![1], vec![2]]);
		System::assert_last_event(Event::UpwardMessagesReceived { from: PARA, count: 2 }.into());
		// Signals alone are nothing to receive.
		System::reset_events();
		ParaInclusion::receive_upward_messages(PARA, &[vec![], signal.clone()]);
		assert!(System::events().is_empty());
	});
}

#[test]
fn offboarding_para_may_not_send_upward_messages() {
	let offboard = || Paras::schedule_para_cleanup(PARA).expect("para can be removed");
	assert_eq!(commitments(offboard, upward(&[&[1]])), Some(Error::InvalidUpwardMessages));
	assert_eq!(commitments(offboard, upward(&[&[]])), None, "a separator is no message");
	assert_eq!(commitments(offboard, |_| ()), None);
}

fn queue_downward() {
	dmp::Pallet::<Test>::queue_downward_message(PARA, vec![1]).expect("queue has room");
}

/// Queues downward messages in block 0.
fn queue_earlier(n: usize) {
	System::set_block_number(0);
	(0..n).for_each(|_| queue_downward());
	System::set_block_number(1);
}

#[test]
fn downward_messages_must_be_processed_in_time() {
	let fault = Some(Error::IncorrectDownwardMessageHandling);
	// Sent in block 1, but the relay parent is 0.
	assert_eq!(commitments(queue_downward, |_| ()), None);
	assert_eq!(commitments(queue_downward, |c| c.processed_downward_messages = 2), fault);
	assert_eq!(commitments(|| queue_earlier(1), |_| ()), fault);
	assert_eq!(commitments(|| queue_earlier(1), |c| c.processed_downward_messages = 1), None);
	assert_eq!(commitments(|| queue_earlier(1), |c| c.processed_downward_messages = u32::MAX), fault);
}

#[test]
fn pending_candidates_have_taken_their_downward_messages() {
	in_block(config(), 4, 2, |chain| {
		queue_earlier(3);
		let take = |n, parent: &str, to: &str| {
			let candidate = chain.candidate(A, parent, to).commit(|c| c.processed_downward_messages = n);
			verify(&candidate.back()).err()
		};
		let mut first = pending(PARA, "a1", 0, 4);
		first.commitments.processed_downward_messages = 2;
		PendingAvailability::<Test>::insert(PARA, vec![first.clone()]);
		let fault = || Some(Error::IncorrectDownwardMessageHandling);
		assert_eq!((take(0, "a1", "a2"), take(1, "a1", "a2"), take(2, "a1", "a2")), (fault(), None, fault()));
		// All are taken: there is none that the next one would have to process.
		first.commitments.processed_downward_messages = 3;
		PendingAvailability::<Test>::insert(PARA, vec![first]);
		assert_eq!(take(0, "a1", "a2"), None);
	});
}

#[test]
fn watermark_is_the_relay_parent_the_last_one_or_a_block_with_messages() {
	with_chain(config(), 4, 1, |chain| {
		(0..6).for_each(|_| chain.empty_block());
		open_block(chain);
		hrmp::HrmpWatermarks::<Test>::insert(PARA, 2);
		let digests: Vec<(BlockNumber, Vec<ParaId>)> =
			vec![(1, Vec::new()), (4, Vec::new()), (7, Vec::new())];
		hrmp::HrmpChannelDigests::<Test>::insert(PARA, digests);
		let refused = || Some(Error::HrmpWatermarkMishandling);
		for (watermark, expected, why) in [
			(6, None, "the relay parent"),
			(2, None, "the last one"),
			(4, None, "a block with messages"),
			(3, refused(), "a block without messages"),
			(1, refused(), "before the last one, though with messages"),
			(7, refused(), "after the relay parent, though with messages"),
		] {
			let candidate = chain.candidate(A, "genesis", "a1").commit(|c| c.hrmp_watermark = watermark);
			assert_eq!(verify(&candidate.back()).err(), expected, "{watermark}: {why}");
		}
		// A candidate before it has moved the mark.
		let mut first = pending(PARA, "a1", 0, 4);
		first.commitments.hrmp_watermark = 4;
		PendingAvailability::<Test>::insert(PARA, vec![first]);
		for (watermark, accepted) in [(6, true), (4, true), (2, false)] {
			let candidate = chain.candidate(A, "a1", "a2").commit(|c| c.hrmp_watermark = watermark);
			assert_eq!(verify(&candidate.back()).is_ok(), accepted, "{watermark} behind 4");
		}
	});
}

/// Channels from the para to 2001 (with room for one message of 40 bytes) and to 2003 (empty).
fn open_channels() {
	let channel = hrmp::HrmpChannel {
		max_capacity: 2,
		max_total_size: 100,
		max_message_size: 50,
		msg_count: 0,
		total_size: 0,
		mqc_head: None,
		sender_deposit: 0,
		recipient_deposit: 0,
	};
	let used = hrmp::HrmpChannel { msg_count: 1, total_size: 60, ..channel.clone() };
	for (recipient, channel) in [(2001, used), (2003, channel)] {
		let id = hrmp::HrmpChannelId { sender: PARA, recipient: ParaId(recipient) };
		hrmp::HrmpChannels::<Test>::insert(id, channel);
		hrmp::HrmpEgressChannelsIndex::<Test>::append(PARA, ParaId(recipient));
	}
}

fn horizontal(messages: &[(u32, usize)]) -> impl FnOnce(&mut CandidateCommitments) {
	let messages: Vec<_> = messages
		.iter()
		.map(|(recipient, bytes)| OutboundHrmpMessage {
			recipient: ParaId(*recipient),
			data: vec![7; *bytes],
		})
		.collect();
	move |c| c.horizontal_messages = messages.try_into().expect("few messages")
}

#[test]
fn horizontal_messages_need_a_channel_with_room() {
	for (messages, accepted, why) in [
		(&[(2001, 40), (2003, 50)][..], true, "there is room"),
		(&[(2003, 1), (2001, 1)], false, "not ascending"),
		(&[(2003, 1), (2003, 1)], false, "two to one recipient"),
		(&[(2002, 1)], false, "no channel"),
		(&[(2003, 51)], false, "too large for the channel"),
		(&[(2001, 41)], false, "no room for the bytes"),
		(&[(2001, 1), (2002, 1), (2003, 1), (2004, 1)], false, "too many in one candidate"),
	] {
		let expected = (!accepted).then_some(Error::InvalidOutboundHrmp);
		assert_eq!(commitments(open_channels, horizontal(messages)), expected, "{messages:?}: {why}");
	}
	let full = || {
		open_channels();
		let id = hrmp::HrmpChannelId { sender: PARA, recipient: ParaId(2001) };
		hrmp::HrmpChannels::<Test>::mutate_extant(id, |channel| channel.msg_count = 2);
	};
	assert_eq!(commitments(full, horizontal(&[(2001, 1)])), Some(Error::InvalidOutboundHrmp));
	assert_eq!(commitments(full, horizontal(&[(2003, 1)])), None);
}

#[test]
fn pending_candidates_use_up_room_in_channels_and_queues() {
	in_block(config(), 4, 2, |chain| {
		open_channels();
		let mut first = pending(PARA, "a1", 0, 4);
		horizontal(&[(2001, 10)])(&mut first.commitments);
		upward(&[&[1; 250], &[1; 250], &[1; 250]])(&mut first.commitments);
		PendingAvailability::<Test>::insert(PARA, vec![first]);
		let verdict = |change: &dyn Fn(&mut CandidateCommitments)| {
			verify(&chain.candidate(A, "a1", "a2").commit(|c| change(c)).back()).err()
		};
		assert_eq!(verdict(&|c| horizontal(&[(2001, 1)])(c)), Some(Error::InvalidOutboundHrmp));
		assert_eq!(verdict(&|c| horizontal(&[(2003, 1)])(c)), None);
		assert_eq!(verdict(&|c| upward(&[&[1; 250], &[1; 25]])(c)), Some(Error::InvalidUpwardMessages));
		assert_eq!(verdict(&|c| upward(&[&[1; 250], &[1; 24]])(c)), None);
	});
}

#[test]
fn pending_candidate_over_a_lowered_limit_does_not_stop_the_para() {
	in_block(config(), 4, 2, |chain| {
		let mut first = pending(PARA, "a1", 0, 4);
		upward(&[&[1; 250], &[1; 250]])(&mut first.commitments);
		PendingAvailability::<Test>::insert(PARA, vec![first]);
		configuration::ActiveConfig::<Test>::mutate(|config| config.max_upward_queue_size = 300);
		assert_eq!(verify(&chain.candidate(A, "a1", "a2").back()), Ok(0));
	});
}

fn upgrade(bytes: usize) -> impl FnOnce(&mut CandidateCommitments) {
	move |c| c.new_validation_code = Some(ValidationCode(vec![2; bytes]))
}

#[test]
fn head_data_has_a_limit() {
	assert_eq!(commitments(|| (), |c| c.head_data = HeadData(vec![0; 64])), None);
	assert_eq!(commitments(|| (), |c| c.head_data = HeadData(vec![0; 65])), Some(Error::HeadDataTooLarge));
}

#[test]
fn new_code_has_a_limit_and_a_cooldown() {
	assert_eq!(commitments(|| (), upgrade(64)), None);
	let restrict = || paras::UpgradeRestrictionSignal::<Test>::insert(PARA, UpgradeRestriction::Present);
	assert_eq!(commitments(restrict, upgrade(64)), Some(Error::PrematureCodeUpgrade));
	let limit = || configuration::ActiveConfig::<Test>::mutate(|config| config.max_code_size = 63);
	assert_eq!(commitments(limit, upgrade(64)), Some(Error::NewCodeTooLarge));
	let both = || {
		restrict();
		limit();
	};
	assert_eq!(commitments(both, upgrade(64)), Some(Error::PrematureCodeUpgrade));
}

#[test]
fn second_upgrade_waits_until_the_first_is_included() {
	in_block(config(), 4, 1, |chain| {
		let mut first = pending(PARA, "a1", 0, 4);
		upgrade(64)(&mut first.commitments);
		PendingAvailability::<Test>::insert(PARA, vec![first]);
		let second = chain.candidate(A, "a1", "a2").commit(upgrade(65));
		assert_eq!(verify(&second.back()), Err(Error::PrematureCodeUpgrade));
		assert_eq!(verify(&chain.candidate(A, "a1", "a2").back()), Ok(0));
	});
}

#[test]
fn criteria_come_in_order() {
	// Each step repairs what the one before it was refused for.
	type Repair = fn(&mut CandidateCommitments);
	let steps: [(Error<Test>, Repair); 6] = [
		(Error::HeadDataTooLarge, |c| c.head_data = head("a1")),
		(Error::NewCodeTooLarge, |c| c.new_validation_code = None),
		(Error::IncorrectDownwardMessageHandling, |c| c.processed_downward_messages = 0),
		(Error::InvalidUpwardMessages, |c| c.upward_messages = Default::default()),
		(Error::HrmpWatermarkMishandling, |c| c.hrmp_watermark = 0),
		(Error::InvalidOutboundHrmp, |c| c.horizontal_messages = Default::default()),
	];
	in_block(config(), 4, 1, |chain| {
		configuration::ActiveConfig::<Test>::mutate(|config| config.max_code_size = 63);
		let mut candidate = chain.candidate(A, "genesis", "a1").commit(|c| {
			c.head_data = HeadData(vec![0; 65]);
			c.processed_downward_messages = 1;
			c.hrmp_watermark = 1;
			upgrade(64)(c);
			upward(&[&[1; 257]])(c);
			horizontal(&[(2001, 1)])(c);
		});
		for (error, repair) in steps {
			assert_eq!(verify(&candidate.clone().back()), Err(error));
			candidate = candidate.commit(repair);
		}
		assert_eq!(verify(&candidate.back()), Ok(0));
	});
}

#[test]
fn outputs_are_checked_for_validators() {
	in_block(config(), 4, 1, |_| {
		let check = |change: fn(&mut CandidateCommitments)| {
			let mut outputs =
				CandidateCommitments { head_data: head("a1"), hrmp_watermark: 1, ..Default::default() };
			change(&mut outputs);
			crate::runtime_api::check_validation_outputs::<Test>(PARA, outputs)
		};
		assert!(check(|_| ()));
		assert!(!check(|c| c.new_validation_code = Some(ValidationCode(vec![2; (5 << 20) + 1]))));
		assert!(!check(|c| c.hrmp_watermark = 2));
		assert!(!crate::runtime_api::check_validation_outputs::<Test>(ParaId(9), Default::default()));
	});
}

#[test]
fn constraints_for_nodes_are_what_candidates_are_checked_by() {
	in_block(config(), 4, 2, |_| {
		queue_earlier(2);
		open_channels();
		ParaInclusion::receive_upward_messages(PARA, &[vec![1; 24]]);
		let constraints = ParaInclusion::backing_constraints(PARA).expect("para is registered");
		assert_eq!((constraints.ump_remaining, constraints.ump_remaining_bytes), (7, 1000));
		assert_eq!(constraints.dmp_remaining_messages, [0, 0]);
		assert_eq!(constraints.max_head_data_size, 64);
		let channels: Vec<_> = constraints
			.hrmp_channels_out
			.iter()
			.map(|(para, room)| (para.0, room.messages_remaining, room.bytes_remaining))
			.collect();
		assert_eq!(channels, [(2001, 1, 40), (2003, 2, 100)]);
		// Limits that were lowered leave nothing, and do not wrap around.
		configuration::ActiveConfig::<Test>::mutate(|config| {
			(config.max_upward_queue_count, config.max_upward_queue_size) = (0, 10);
		});
		let constraints = ParaInclusion::backing_constraints(PARA).expect("para is registered");
		assert_eq!((constraints.ump_remaining, constraints.ump_remaining_bytes), (0, 0));
	});
}
