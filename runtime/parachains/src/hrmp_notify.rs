//! Whom [`hrmp`](crate::hrmp) tells that a channel is about to open or close (runtime §8.6).
//!
//! Nothing depends on whether the para hears of it: what cannot be delivered is dropped, and the channel
//! opens or closes all the same.

use headway_primitives::ParaId;

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
