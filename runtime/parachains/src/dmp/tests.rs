//! Queues of downward messages: limits, order, price, and what happens when a para goes.

use super::*;
use crate::{
	configuration::HostConfiguration,
	mock::{config, with_chain, Chain, Dmp, Paras, System, Test},
	paras::Heads,
};
use frame_support::traits::Hooks;
use headway_primitives::{well_known_keys, HeadData};
use QueueDownwardMessageError as Error;

const PARA: ParaId = ParaId(2000);

/// A chain whose largest message is so large that a queue takes four, and is expensive with more than two.
fn with_short_queues<R>(test: impl FnOnce(&mut Chain) -> R) -> R {
	let config = HostConfiguration { max_downward_message_size: 8 * 1024 * 1024, ..config() };
	with_chain(config, 4, 1, test)
}

#[track_caller]
fn queue(messages: &[&[u8]]) {
	for message in messages {
		Dmp::queue_downward_message(PARA, message.to_vec()).expect("queue has room");
	}
}

fn contents() -> Vec<Vec<u8>> {
	Dmp::contents(PARA).into_iter().map(|message| message.msg).collect()
}

fn n_pages() -> usize {
	DownwardMessageQueuePages::<Test>::iter_prefix(PARA).count()
}

fn idle(n: u32) {
	for _ in 0..n {
		<Dmp as Hooks<_>>::on_idle(System::block_number(), Weight::MAX);
	}
}

/// The fee factor in thousandths.
fn fee() -> u128 {
	DeliveryFeeFactor::<Test>::get(PARA).saturating_mul_int(1000u128)
}

#[test]
fn message_to_an_unknown_para_is_unroutable() {
	with_chain(config(), 4, 1, |_| {
		assert_eq!(Dmp::queue_downward_message(ParaId(7), alloc::vec![1]), Err(Error::Unroutable));
		assert_eq!(Dmp::can_queue_downward_message(PARA, &[1]), Ok(()));
	});
}

#[test]
fn size_of_messages_and_length_of_queues_are_limited() {
	with_short_queues(|_| {
		let too_large = alloc::vec![0; 8 * 1024 * 1024 + 1];
		assert_eq!(Dmp::queue_downward_message(PARA, too_large.clone()), Err(Error::ExceedsMaxMessageSize));
		queue(&[&too_large[1..], &[], &[1], &[2], &[3]]);
		// The reference calls a queue that is too long a message that is too large.
		assert_eq!(Dmp::can_queue_downward_message(PARA, &[4]), Err(Error::ExceedsMaxMessageSize));
		assert_eq!(Dmp::queue_downward_message(PARA, alloc::vec![4]), Err(Error::ExceedsMaxMessageSize));
		assert_eq!((contents().len(), n_pages()), (5, 5));
	});
}

#[test]
fn there_is_no_page_behind_the_last() {
	with_chain(config(), 4, 1, |_| {
		let meta = QueueMeta { first_full: u64::MAX - 1, first_free: u64::MAX - 1 };
		DownwardMessageQueueMeta::<Test>::insert(PARA, meta);
		queue(&[&[1]]);
		let head = DownwardMessageQueueHeads::<Test>::get(PARA);
		assert_eq!(Dmp::can_queue_downward_message(PARA, &[2]), Err(Error::ExceedsMaxQueueSize));
		assert_eq!(Dmp::queue_downward_message(PARA, alloc::vec![2]), Err(Error::ExceedsMaxQueueSize));
		assert_eq!((n_pages(), DownwardMessageQueueHeads::<Test>::get(PARA)), (1, head));
	});
}

#[test]
fn hash_chain_is_the_one_that_parachains_follow() {
	with_chain(config(), 4, 1, |chain| {
		let head = || sp_io::storage::get(&well_known_keys::dmq_mqc_head(PARA)).map(|head| head.to_vec());
		chain.empty_block();
		assert_eq!(head(), None);
		queue(&[&[1, 2, 3]]);
		chain.empty_block();
		queue(&[&[4, 5, 6]]);
		// Computed by the reference for these messages in blocks 2 and 3.
		let expected = "0x88dc00db8cc9d22aa62b87807705831f164387dfa49f80a8600ed1cbe1704b6b";
		assert_eq!(alloc::format!("{:?}", DownwardMessageQueueHeads::<Test>::get(PARA)), expected);
		assert_eq!(head(), Some(DownwardMessageQueueHeads::<Test>::get(PARA).encode()));
		assert_eq!(Dmp::sent_at(PARA), [2, 3]);
	});
}

#[test]
fn messages_leave_in_the_order_in_which_they_came() {
	with_chain(config(), 4, 1, |_| {
		Dmp::prune(PARA, 3);
		assert!(contents().is_empty());
		queue(&[&[1], &[2], &[3]]);
		Dmp::prune(PARA, 0);
		assert_eq!(contents(), [[1], [2], [3]]);
		Dmp::prune(PARA, 2);
		queue(&[&[4]]);
		assert_eq!(contents(), [[3], [4]]);
		// More than there are.
		Dmp::prune(PARA, u32::MAX);
		assert_eq!((contents().len(), n_pages()), (0, 0));
		queue(&[&[5]]);
		assert_eq!(contents(), [[5]]);
	});
}

#[test]
fn delivery_to_a_long_queue_costs_more() {
	with_short_queues(|_| {
		queue(&[&[1], &[2]]);
		assert_eq!(fee(), 1000);
		queue(&[&[3]]);
		assert_eq!(fee(), 1050);
		// 1.05 and two thousandths for two KiB.
		queue(&[&[4; 2 * 1024 + 1023]]);
		assert_eq!(fee(), 1104);
		// Still too long.
		Dmp::prune(PARA, 1);
		assert_eq!(fee(), 1104);
		Dmp::prune(PARA, 1);
		assert_eq!(fee(), 1052);
		// Candidates that process nothing let it recover as well.
		Dmp::prune(PARA, 0);
		assert_eq!(fee(), 1001);
		Dmp::prune(PARA, 0);
		assert_eq!(fee(), 1000);
		assert!(!DeliveryFeeFactor::<Test>::contains_key(PARA));
	});
}

/// Queues `n` messages and lets the para go.
fn offboard_with(chain: &mut Chain, n: u8) {
	for i in 0..n {
		queue(&[&[i]]);
	}
	Paras::schedule_para_cleanup(PARA).expect("para may go");
	chain.session_block();
	assert_eq!(contents().len(), usize::from(n), "messages stay as long as the para");
	chain.session_block();
	assert!(contents().is_empty());
	assert!(!DownwardMessageQueueMeta::<Test>::contains_key(PARA));
	assert!(!DownwardMessageQueueHeads::<Test>::contains_key(PARA));
}

#[test]
fn short_queue_goes_with_its_para() {
	with_chain(config(), 4, 1, |chain| {
		DeliveryFeeFactor::<Test>::insert(PARA, FixedU128::from_u32(2));
		offboard_with(chain, 2);
		assert_eq!(n_pages(), 0);
		assert!(!DownwardMessageQueueLazyDelete::<Test>::contains_key(PARA));
		assert!(!DeliveryFeeFactor::<Test>::contains_key(PARA));
	});
}

#[test]
fn long_queue_is_deleted_block_by_block() {
	with_chain(config(), 4, 1, |chain| {
		offboard_with(chain, 10);
		assert_eq!((n_pages(), DownwardMessageQueueLazyDelete::<Test>::get(PARA)), (7, Some((3, 10))));
		// Not without weight.
		<Dmp as Hooks<_>>::on_idle(System::block_number(), Weight::zero());
		assert_eq!(n_pages(), 7);
		idle(2);
		assert_eq!((n_pages(), DownwardMessageQueueLazyDelete::<Test>::get(PARA)), (1, Some((9, 10))));
		idle(1);
		assert_eq!((n_pages(), DownwardMessageQueueLazyDelete::<Test>::get(PARA)), (0, None));
		idle(1);
	});
}

#[test]
fn new_queue_of_a_para_outlives_the_deletion_of_the_old_one() {
	with_chain(config(), 4, 1, |chain| {
		offboard_with(chain, 10);
		Heads::<Test>::insert(PARA, HeadData(alloc::vec![1]));
		queue(&[&[11], &[12]]);
		assert_eq!(
			DownwardMessageQueueMeta::<Test>::get(PARA),
			Some(QueueMeta { first_full: 10, first_free: 12 })
		);
		idle(3);
		assert_eq!((contents(), n_pages()), (alloc::vec![alloc::vec![11], alloc::vec![12]], 2));
	});
}

#[test]
fn deletions_of_a_para_that_goes_twice_add_up() {
	with_chain(config(), 4, 1, |chain| {
		offboard_with(chain, 10);
		Heads::<Test>::insert(PARA, HeadData(alloc::vec![1]));
		queue(&[&[1], &[2], &[3], &[4]]);
		Dmp::on_new_session(&[PARA]);
		assert_eq!((n_pages(), DownwardMessageQueueLazyDelete::<Test>::get(PARA)), (8, Some((3, 14))));
		idle(4);
		assert_eq!((n_pages(), DownwardMessageQueueLazyDelete::<Test>::get(PARA)), (0, None));
	});
}
