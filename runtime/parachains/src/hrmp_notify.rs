//! Whom [`hrmp`](crate::hrmp) tells that a channel is about to open or close (runtime §8.6).
//!
//! Nothing depends on whether the para hears of it: what cannot be delivered is dropped, and the channel
//! opens or closes all the same.

use crate::dmp;
use codec::{Compact, Encode};
use core::marker::PhantomData;
use headway_primitives::ParaId;

const LOG_TARGET: &str = "runtime::hrmp";

/// Version of XCM in which paras are told: the oldest that all paras of today read. The relay chain keeps no
/// book on who reads which.
const XCM_VERSION: u8 = 3;

/// Tells paras about channels of theirs.
pub trait HrmpNotify {
	/// Tells `recipient` that `sender` wants a channel to it, of `max_capacity` messages with at most
	/// `max_message_size` bytes each.
	fn open_requested(recipient: ParaId, sender: ParaId, max_message_size: u32, max_capacity: u32);

	/// Tells `sender` that `recipient` accepted the channel; it opens with the next session.
	fn accepted(sender: ParaId, recipient: ParaId);

	/// Tells `counterparty` that `initiator`, the other end, closes the channel from `sender` to `recipient`
	/// with the next session.
	fn closing(counterparty: ParaId, initiator: ParaId, sender: ParaId, recipient: ParaId);
}

/// Tells nobody.
impl HrmpNotify for () {
	fn open_requested(_: ParaId, _: ParaId, _: u32, _: u32) {}
	fn accepted(_: ParaId, _: ParaId) {}
	fn closing(_: ParaId, _: ParaId, _: ParaId, _: ParaId) {}
}

/// Tells paras by XCM, in their downward queues. They pay nothing for it.
///
/// These are the only programs that the relay chain writes, each of one instruction, so it needs no crate of XCM
/// for them.
pub struct DownwardNotices<T>(PhantomData<T>);

/// Instructions of XCM about channels, by their indices in the format.
#[derive(Encode)]
// So they are called in XCM.
#[allow(clippy::enum_variant_names)]
enum Instruction {
	#[codec(index = 7)]
	HrmpNewChannelOpenRequest {
		sender: Compact<u32>,
		max_message_size: Compact<u32>,
		max_capacity: Compact<u32>,
	},
	#[codec(index = 8)]
	HrmpChannelAccepted { recipient: Compact<u32> },
	#[codec(index = 9)]
	HrmpChannelClosing { initiator: Compact<u32>, sender: Compact<u32>, recipient: Compact<u32> },
}

impl<T: dmp::Config> DownwardNotices<T> {
	fn send(para: ParaId, instruction: Instruction) {
		let program = [instruction];
		let message = (XCM_VERSION, Compact(program.len() as u32), program).encode();
		if let Err(error) = dmp::Pallet::<T>::queue_downward_message(para, message) {
			log::debug!(target: LOG_TARGET, "para {para} is not told of its channel: {error:?}");
		}
	}
}

impl<T: dmp::Config> HrmpNotify for DownwardNotices<T> {
	fn open_requested(recipient: ParaId, sender: ParaId, max_message_size: u32, max_capacity: u32) {
		let instruction = Instruction::HrmpNewChannelOpenRequest {
			sender: Compact(sender.0),
			max_message_size: Compact(max_message_size),
			max_capacity: Compact(max_capacity),
		};
		Self::send(recipient, instruction);
	}

	fn accepted(sender: ParaId, recipient: ParaId) {
		Self::send(sender, Instruction::HrmpChannelAccepted { recipient: Compact(recipient.0) });
	}

	fn closing(counterparty: ParaId, initiator: ParaId, sender: ParaId, recipient: ParaId) {
		let [initiator, sender, recipient] = [initiator, sender, recipient].map(|para| Compact(para.0));
		Self::send(counterparty, Instruction::HrmpChannelClosing { initiator, sender, recipient });
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::mock::{config, with_chain, Dmp, Test};

	const PARA: ParaId = ParaId(2000);
	const OTHER: ParaId = ParaId(2001);

	/// `VersionedXcm::V3` of one instruction each, as stock tools decode it.
	#[test]
	fn paras_are_told_of_their_channels_by_xcm_in_their_downward_queues() {
		with_chain(config(), 4, 1, |_| {
			DownwardNotices::<Test>::open_requested(PARA, OTHER, 1024, 8);
			DownwardNotices::<Test>::accepted(PARA, OTHER);
			DownwardNotices::<Test>::closing(PARA, OTHER, PARA, OTHER);
			let told: alloc::vec::Vec<_> =
				Dmp::contents(PARA).into_iter().map(|message| message.msg).collect();
			assert_eq!(
				told,
				[
					&[3, 4, 7, 0x45, 0x1f, 0x01, 0x10, 0x20][..],
					&[3, 4, 8, 0x45, 0x1f],
					&[3, 4, 9, 0x45, 0x1f, 0x41, 0x1f, 0x45, 0x1f],
				]
			);
		});
	}

	#[test]
	fn a_para_that_cannot_be_told_changes_nothing() {
		with_chain(config(), 4, 1, |_| {
			DownwardNotices::<Test>::accepted(ParaId(7), OTHER);
			assert!(Dmp::contents(ParaId(7)).is_empty());
		});
	}
}
