//! Messages on their way.

use super::*;
use headway_primitives::{well_known_keys, AbridgedHrmpChannel};

/// Opens channels to B from A and SYSTEM. The block to come is 2.
fn with_channels<R>(test: impl FnOnce(&mut Chain) -> R) -> R {
	with_paras(|chain| {
		establish(A, B);
		establish(SYSTEM, B);
		chain.session_block();
		assert_eq!(chain.number(), 2);
		test(chain)
	})
}

fn digests() -> Vec<(BlockNumber, Vec<ParaId>)> {
	HrmpChannelDigests::<Test>::get(B)
}

fn waiting(sender: ParaId) -> Vec<Vec<u8>> {
	Hrmp::inbound_contents(B)[&sender].iter().map(|message| message.data.clone()).collect()
}

#[test]
fn hash_chain_is_the_one_that_parachains_follow() {
	with_channels(|chain| {
		chain.empty_block();
		send(A, B, &[1, 2, 3]);
		chain.empty_block();
		send(A, B, &[4, 5, 6]);
		// What parachains decode of the raw value.
		let raw = sp_io::storage::get(&well_known_keys::hrmp_channel(A, B)).expect("channel exists");
		let channel = AbridgedHrmpChannel::decode(&mut &raw[..]).expect("a prefix decodes");
		assert_eq!((channel.msg_count, channel.total_size), (2, 6));
		// Computed by the reference for these messages in blocks 3 and 4.
		let expected = "0xa964fd3b4f3d3ce92a0e25e576b87590d92bb5cb7031909c7f29050e1f04a375";
		assert_eq!(format!("{:?}", channel.mqc_head.expect("there are messages")), expected);
		// The other channel has its own.
		assert_eq!(Hrmp::channel(SYSTEM, B).and_then(|channel| channel.mqc_head), None);
		let index = sp_io::storage::get(&well_known_keys::hrmp_ingress_channel_index(B));
		assert_eq!(index.map(|bytes| bytes.to_vec()), Some(vec![SYSTEM, A].encode()));
		let index = sp_io::storage::get(&well_known_keys::hrmp_egress_channel_index(A));
		assert_eq!(index.map(|bytes| bytes.to_vec()), Some(vec![B].encode()));
	});
}

#[test]
fn watermark_removes_messages_up_to_its_block() {
	with_channels(|chain| {
		send(A, B, b"first");
		chain.empty_block();
		send(A, B, b"second");
		send(SYSTEM, B, b"other");
		Hrmp::prune(B, 2);
		assert_eq!((waiting(A), waiting(SYSTEM)), (vec![b"second".to_vec()], vec![b"other".to_vec()]));
		assert_eq!(digests(), [(3, vec![A, SYSTEM])]);
		assert_eq!(HrmpWatermarks::<Test>::get(B), Some(2));
		assert_consistent();
		// The hash chain knows of all messages, also of those that are gone.
		let head = Hrmp::channel(A, B).and_then(|channel| channel.mqc_head);
		Hrmp::prune(B, 9);
		assert_eq!((waiting(A).len(), waiting(SYSTEM).len(), digests().len()), (0, 0, 0));
		assert_eq!(Hrmp::channel(A, B).and_then(|channel| channel.mqc_head), head);
	});
}

#[test]
fn digest_of_a_block_names_all_senders() {
	with_channels(|chain| {
		send(A, B, b"1");
		send(SYSTEM, B, b"2");
		chain.empty_block();
		send(SYSTEM, B, b"3");
		assert_eq!(digests(), [(2, vec![A, SYSTEM]), (3, vec![SYSTEM])]);
	});
}

#[test]
fn digest_names_a_sender_once_even_with_several_candidates_in_a_block() {
	with_channels(|_| {
		send(A, B, b"1");
		send(A, B, b"2");
		assert_eq!(digests(), [(2, vec![A])]);
		Hrmp::prune(B, 2);
		assert!(waiting(A).is_empty());
	});
}

#[test]
fn message_without_a_channel_is_dropped() {
	with_channels(|_| {
		send(B, A, b"lost");
		assert_eq!(HrmpChannelContents::<Test>::iter().count(), 0);
		assert_eq!(HrmpChannelDigests::<Test>::iter().count(), 0);
	});
}

#[test]
fn current_watermark_is_valid_with_and_without_messages() {
	with_channels(|chain| {
		assert!(Hrmp::valid_watermarks(B).is_empty());
		send(A, B, b"1");
		assert_eq!(Hrmp::valid_watermarks(B), [2]);
		Hrmp::prune(B, 2);
		assert_eq!(Hrmp::valid_watermarks(B), [2]);
		chain.empty_block();
		send(A, B, b"2");
		assert_eq!(Hrmp::valid_watermarks(B), [2, 3]);
	});
}

#[test]
fn what_fits_into_a_channel_is_never_negative() {
	with_channels(|_| {
		let total = config().hrmp_channel_max_total_size;
		assert_eq!(Hrmp::outbound_remaining(A), [(B, 2, total)]);
		send(A, B, &[0; 8]);
		assert_eq!(Hrmp::outbound_remaining(A), [(B, 1, total - 8)]);
		for _ in 0..3 {
			send(A, B, &[0; 8]);
		}
		assert_eq!(Hrmp::outbound_remaining(A), [(B, 0, total - 32)]);
	});
}
