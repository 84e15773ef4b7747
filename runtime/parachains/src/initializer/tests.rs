//! Order and time of what blocks and sessions do.

use super::*;
use crate::{
	configuration::ActiveConfig,
	mock::{
		config, with_chain, Configuration, CurrentSession, Dmp, Hrmp, Initializer, ParaInclusion, Paras,
		Queue, RuntimeOrigin, System, Test, VALIDATORS,
	},
	scheduler::ValidatorGroups,
	shared::{ActiveValidatorKeys, CurrentSessionIndex},
};
use frame_support::{
	assert_noop, assert_ok,
	traits::{EnqueueMessage, QueueFootprintQuery},
	BoundedSlice,
};
use headway_primitives::{well_known_keys, OutboundHrmpMessage, ParaId};
use sp_runtime::{DigestItem, DispatchError};

const A: ParaId = ParaId(2000);
const B: ParaId = ParaId(2001);

/// Announces a session with so many validators.
fn announce(session: SessionIndex, n_validators: usize) {
	CurrentSession::set(&session);
	let accounts: Vec<u64> = (0..n_validators as u64).collect();
	let keys = || accounts.iter().zip(VALIDATORS).map(|(account, key)| (account, key.public().into()));
	<Initializer as OneSessionHandler<u64>>::on_new_session(true, keys(), keys());
}

#[test]
fn session_0_applies_at_genesis() {
	with_chain(config(), 4, 1, |_| {
		assert_eq!(CurrentSessionIndex::<Test>::get(), 0);
		assert_eq!(ActiveValidatorKeys::<Test>::get().len(), 4);
		assert_eq!(ValidatorGroups::<Test>::get().len(), 1);
		assert!(!Initializer::upcoming_session_change());
	});
}

#[test]
fn session_begins_at_the_end_of_its_block() {
	with_chain(config(), 4, 1, |chain| {
		announce(1, 6);
		assert!(Initializer::upcoming_session_change());
		assert_eq!((CurrentSessionIndex::<Test>::get(), ActiveValidatorKeys::<Test>::get().len()), (0, 4));
		chain.empty_block();
		assert!(!Initializer::upcoming_session_change());
		assert_eq!((CurrentSessionIndex::<Test>::get(), ActiveValidatorKeys::<Test>::get().len()), (1, 6));
	});
}

#[test]
fn last_of_several_sessions_in_a_block_counts() {
	with_chain(config(), 4, 1, |chain| {
		announce(1, 6);
		announce(2, 5);
		chain.empty_block();
		assert_eq!((CurrentSessionIndex::<Test>::get(), ActiveValidatorKeys::<Test>::get().len()), (2, 5));
		assert!(session_info::Sessions::<Test>::get(1).is_none());
		assert!(!BufferedSessionChanges::<Test>::exists());
	});
}

#[test]
fn block_is_marked_while_it_executes() {
	with_chain(config(), 4, 1, |_| {
		assert!(HasInitialized::<Test>::exists());
		Initializer::on_finalize(System::block_number());
		assert!(!HasInitialized::<Test>::exists());
	});
}

/// Keys in storage that name the para, except those of pallet Paras, which keeps past code for a while.
fn keys_naming(para: ParaId) -> usize {
	let next = |key: &[u8]| sp_io::storage::next_key(key).map(|key| key.to_vec());
	let paras = sp_io::hashing::twox_128(b"Paras");
	core::iter::successors(next(&[]), |key| next(key))
		.filter(|key| !key.starts_with(&paras) && key.windows(4).any(|bytes| bytes == para.encode()))
		.count()
}

#[test]
fn nothing_remains_of_a_para_that_went() {
	with_chain(config(), 4, 2, |chain| {
		assert_eq!(keys_naming(A), 0);
		for (sender, recipient) in [(A, B), (B, A)] {
			assert_ok!(Hrmp::establish_channel_by_root(sender, recipient, 2, 8));
		}
		chain.session_block();
		for (sender, recipient) in [(A, B), (B, A)] {
			Hrmp::queue_outbound(
				sender,
				alloc::vec![OutboundHrmpMessage { recipient, data: alloc::vec![1] }],
			);
		}
		assert_ok!(Paras::schedule_para_cleanup(A));
		Queue::enqueue_message(BoundedSlice::truncate_from(&[1]), inclusion::upward_queue(A));
		ParaInclusion::note_upward_queue(inclusion::upward_queue(A), Default::default());
		Dmp::queue_downward_message(A, alloc::vec![1]).expect("queue has room");
		dmp::DeliveryFeeFactor::<Test>::insert(A, sp_runtime::FixedU128::from_u32(2));
		Hrmp::prune(A, 0);
		chain.session_block();
		assert!(paras::Heads::<Test>::contains_key(A));
		assert!(keys_naming(A) > 8);
		chain.session_block();
		assert!(!paras::Heads::<Test>::contains_key(A));
		assert_eq!(keys_naming(A), 0);
	});
}

#[test]
fn new_limits_of_upward_queues_reach_parachains_when_they_apply() {
	with_chain(config(), 4, 2, |chain| {
		let capacity = |para: ParaId| {
			let mut key = b":relay_dispatch_queue_remaining_capacity".to_vec();
			para.encode_to(&mut key);
			assert_eq!(key, well_known_keys::relay_dispatch_queue_remaining_capacity(para));
			frame_support::storage::unhashed::get::<(u32, u32)>(&key)
		};
		let footprint = <Queue as QueueFootprintQuery<_>>::footprint;
		for message in [[1; 10], [2; 10]] {
			Queue::enqueue_message(BoundedSlice::truncate_from(&message), inclusion::upward_queue(A));
		}
		ParaInclusion::note_upward_queue(inclusion::upward_queue(A), footprint(inclusion::upward_queue(A)));
		assert_eq!(capacity(A), Some((6, 1004)));
		assert_ok!(Configuration::set_max_upward_queue_count(RuntimeOrigin::root(), 5));
		assert_ok!(Configuration::set_max_upward_queue_size(RuntimeOrigin::root(), 19));
		chain.session_block();
		assert_eq!(capacity(A), Some((6, 1004)));
		chain.session_block();
		assert_eq!(ActiveConfig::<Test>::get().upward_queue_limits(), (5, 19));
		assert_eq!(capacity(A), Some((3, 0)));
		assert_eq!(capacity(B), None, "whose queue was never used");
	});
}

#[test]
fn force_approve_is_told_by_a_digest() {
	with_chain(config(), 4, 1, |_| {
		assert_noop!(Initializer::force_approve(RuntimeOrigin::signed(1), 5), DispatchError::BadOrigin);
		assert_ok!(Initializer::force_approve(RuntimeOrigin::root(), 5));
		let expected = DigestItem::Consensus(*b"POL1", (3u8, 5u32).encode());
		assert_eq!(System::digest().logs, [expected]);
	});
}
