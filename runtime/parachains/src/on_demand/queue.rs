//! The queue of orders, in pages: looking at its head, or adding to its end, reads one page.
//!
//! Orders are taken from the head but for those that are not ready and those of paras that are served already,
//! so pages may be left with few orders. When pages are written back, neighbours that fit into one page are
//! merged, and the pages before them close the gap: none is empty. A block that finds orders of fewer paras than
//! it has cores has read all pages; there are at most about eighty, unless they are sparse.

use super::{Config, OrderPages, OrderQueue};
use alloc::{collections::BTreeSet, vec::Vec};
use codec::{Decode, Encode};
use core::marker::PhantomData;
use headway_primitives::{BlockNumber, ParaId, ON_DEMAND_MAX_QUEUE_MAX_SIZE};
use scale_info::TypeInfo;

/// Orders of a page: 1 KiB.
pub(super) const PAGE_ORDERS_MAX: usize = 128;
/// Blocks until an order is served: in the first one it is announced.
const READY_AFTER: BlockNumber = 2;

/// An order of one block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct EnqueuedOrder {
	/// For whom.
	pub para_id: ParaId,
	/// Block in which it was placed.
	pub ordered_at: BlockNumber,
}

impl EnqueuedOrder {
	fn is_ready(&self, now: BlockNumber) -> bool {
		self.ordered_at.saturating_add(READY_AFTER) <= now
	}
}

/// Where the pages are.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Encode, Decode, TypeInfo)]
pub struct QueueStatus {
	/// Orders in all pages.
	pub len: u32,
	/// The first page.
	pub first_page: u32,
	/// The page behind the last one.
	pub end_page: u32,
}

/// The queue is full: it has as many orders as any configuration may allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueIsFull;

/// Adds an order to the end.
pub(super) fn push<T: Config>(order: EnqueuedOrder) -> Result<(), QueueIsFull> {
	OrderQueue::<T>::try_mutate(|status| {
		if status.len >= ON_DEMAND_MAX_QUEUE_MAX_SIZE {
			return Err(QueueIsFull);
		}
		let last_is_full = || {
			let last = status.end_page.saturating_sub(1);
			OrderPages::<T>::decode_len(last).unwrap_or(0) >= PAGE_ORDERS_MAX
		};
		if status.len == 0 || last_is_full() {
			status.end_page = status.end_page.saturating_add(1);
		}
		status.len = status.len.saturating_add(1);
		OrderPages::<T>::append(status.end_page.saturating_sub(1), order);
		Ok(())
	})
}

struct Page {
	/// Where it was read from.
	number: u32,
	orders: Vec<EnqueuedOrder>,
	changed: bool,
}

/// A copy of the queue that orders are taken from. Reads the pages that it needs.
pub(super) struct Orders<T> {
	status: QueueStatus,
	/// Pages from the first on.
	pages: Vec<Page>,
	_marker: PhantomData<T>,
}

impl<T: Config> Orders<T> {
	/// Reads where the pages are.
	pub(super) fn open() -> Self {
		Self { status: OrderQueue::<T>::get(), pages: Vec::new(), _marker: PhantomData }
	}

	/// Takes the first `max` orders that are ready in block `now`, at most one per para. In their order.
	pub(super) fn take(&mut self, now: BlockNumber, max: u32) -> Vec<ParaId> {
		let max = max as usize;
		let mut taken = Vec::new();
		let mut paras = BTreeSet::new();
		let mut index = 0;
		while taken.len() < max {
			let Some(page) = self.page(index) else { break };
			let before = page.orders.len();
			page.orders.retain(|order| {
				let take = taken.len() < max && order.is_ready(now) && paras.insert(order.para_id);
				if take {
					taken.push(order.para_id);
				}
				!take
			});
			page.changed |= page.orders.len() < before;
			index += 1;
		}
		self.status.len = self.status.len.saturating_sub(taken.len() as u32);
		taken
	}

	/// The page at an index from the first one.
	fn page(&mut self, index: usize) -> Option<&mut Page> {
		if index == self.pages.len() {
			let number = self.status.first_page.saturating_add(index as u32);
			if number >= self.status.end_page {
				return None;
			}
			self.pages.push(Page { number, orders: OrderPages::<T>::get(number), changed: false });
		}
		self.pages.get_mut(index)
	}

	/// Writes back what is left.
	pub(super) fn store(self) {
		let Self { mut status, pages, .. } = self;
		if !pages.iter().any(|page| page.changed) {
			return;
		}
		let mut number = status.first_page.saturating_add(pages.len() as u32);
		for page in merge(pages) {
			number = number.saturating_sub(1);
			if page.changed || page.number != number {
				OrderPages::<T>::insert(number, page.orders);
			}
		}
		(status.first_page..number).for_each(OrderPages::<T>::remove);
		status.first_page = number;
		if status.len == 0 {
			OrderQueue::<T>::kill();
		} else {
			OrderQueue::<T>::put(status);
		}
	}
}

/// The pages from the last to the first, without empty ones, and merged with the one behind if both fit.
fn merge(pages: Vec<Page>) -> Vec<Page> {
	let mut merged = Vec::<Page>::new();
	for mut page in pages.into_iter().rev().filter(|page| !page.orders.is_empty()) {
		match merged.last_mut() {
			Some(behind) if behind.orders.len() + page.orders.len() <= PAGE_ORDERS_MAX => {
				page.orders.append(&mut behind.orders);
				behind.orders = page.orders;
				behind.changed = true;
			},
			_ => merged.push(page),
		}
	}
	merged
}
