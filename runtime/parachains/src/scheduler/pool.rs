//! The pool of on-demand orders as the scheduler sees it (runtime §5.6, §5.9).

use alloc::{vec, vec::Vec};
use headway_primitives::{BlockNumber, ParaId};

/// On-demand orders, in the order in which pool cores serve them.
///
/// A block serves at most one order per para. Which orders a block serves depends only on the queue, the block
/// and the number of pool cores, so that what is peeked at is what is popped later.
pub trait OnDemandQueue {
	/// Whom the blocks `first`, `first + 1`, … serve on that many pool cores each; one list per entry of
	/// `cores`, none longer than it. Nothing changes.
	fn peek(first: BlockNumber, cores: &[u32]) -> Vec<Vec<ParaId>>;
	/// Takes what block `now` serves on `cores` pool cores from the queue.
	fn pop(now: BlockNumber, cores: u32) -> Vec<ParaId>;
	/// Queues an order again that was popped in block `now` and could not be served.
	fn put_back(para: ParaId, now: BlockNumber);
}

/// No orders.
impl OnDemandQueue for () {
	fn peek(_: BlockNumber, cores: &[u32]) -> Vec<Vec<ParaId>> {
		vec![Vec::new(); cores.len()]
	}

	fn pop(_: BlockNumber, _: u32) -> Vec<ParaId> {
		Vec::new()
	}

	fn put_back(_: ParaId, _: BlockNumber) {}
}
