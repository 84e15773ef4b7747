//! How many workers at once, and who comes next (availability, approval, disputes §4.4).
//!
//! A job waits for a slot of its priority. When one is free, the highest priority that waits gets it, unless it had more than its
//! share of the last twelve: so that approvals go on during a flood of disputes, and backing during approvals.
//!
//! # Bounds
//!
//! One waiting entry per caller that awaits [`Slots::acquire`]; callers are our own subsystems, which bound their tasks. A caller that
//! gives up leaves its entry until its turn comes.

use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::oneshot;

/// Jobs after which shares are counted anew.
const WINDOW: u32 = 12;

/// A class of jobs, highest first in the list that [`Slots::new`] takes.
#[derive(Clone, Copy, Debug)]
pub struct Class {
	/// Jobs of this class start only while fewer than this many slots are taken.
	pub slots_max: usize,
	/// Share that the class may take of what it and the lower ones took, percent.
	pub share_percent_max: u32,
}

/// Slots for jobs.
#[derive(Clone)]
pub struct Slots(Arc<Mutex<State>>);

struct State {
	classes: Vec<Class>,
	waiting: Vec<VecDeque<oneshot::Sender<Slot>>>,
	taken: usize,
	selected: Vec<u32>,
}

/// The right to run one job; given back on drop.
pub struct Slot(Slots);

impl Drop for Slot {
	fn drop(&mut self) {
		self.0 .0.lock().taken -= 1;
		self.0.advance();
	}
}

impl Slots {
	/// Slots for these classes, highest priority first.
	pub fn new(classes: Vec<Class>) -> Self {
		let waiting = classes.iter().map(|_| VecDeque::new()).collect();
		let selected = vec![0; classes.len()];
		Self(Arc::new(Mutex::new(State { classes, waiting, taken: 0, selected })))
	}

	/// Waits for a slot of the class. Can be dropped at any time.
	///
	/// # Panics
	///
	/// If there is no such class.
	pub async fn acquire(&self, class: usize) -> Slot {
		let (sender, receiver) = oneshot::channel();
		self.0.lock().waiting[class].push_back(sender);
		self.advance();
		match receiver.await {
			Ok(slot) => slot,
			// The sender is dropped only with the state, which `self` keeps alive.
			Err(_) => std::future::pending().await,
		}
	}

	/// Hands out free slots.
	fn advance(&self) {
		loop {
			let sender = {
				let mut state = self.0.lock();
				match state.select() {
					Some(sender) => {
						state.taken += 1;
						sender
					},
					None => return,
				}
			};
			// Whoever gave up: the slot comes back as the error and is dropped here, outside of the lock.
			let _ = sender.send(Slot(self.clone()));
		}
	}
}

impl State {
	fn select(&mut self) -> Option<oneshot::Sender<Slot>> {
		for queue in &mut self.waiting {
			queue.retain(|sender| !sender.is_closed());
		}
		let ready = |state: &Self, class: usize| {
			!state.waiting[class].is_empty() && state.taken < state.classes[class].slots_max
		};
		let classes = 0..self.classes.len();
		let class = classes
			.clone()
			.find(|class| ready(self, *class) && !self.had_its_share(*class))
			.or_else(|| classes.clone().find(|class| ready(self, *class)))?;
		self.selected[class] += 1;
		if self.selected.iter().sum::<u32>() >= WINDOW {
			self.selected.fill(0);
		}
		self.waiting[class].pop_front()
	}

	fn had_its_share(&self, class: usize) -> bool {
		let total: u32 = self.selected[class..].iter().sum();
		total > 0 && self.selected[class] * 100 / total >= self.classes[class].share_percent_max
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::{future::Future, pin::Pin, task::Poll};

	fn classes(slots_max: usize) -> Vec<Class> {
		[70, 80, 100, 100].map(|share_percent_max| Class { slots_max, share_percent_max }).to_vec()
	}

	type Waiting = Pin<Box<dyn Future<Output = Slot> + Send>>;

	fn wait(slots: &Slots, class: usize) -> Waiting {
		let slots = slots.clone();
		Box::pin(async move { slots.acquire(class).await })
	}

	fn poll(waiting: &mut Waiting) -> Option<Slot> {
		match waiting.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
			Poll::Ready(slot) => Some(slot),
			Poll::Pending => None,
		}
	}

	/// V22
	#[test]
	fn higher_priorities_do_not_starve_lower_ones() {
		let slots = Slots::new(classes(1));
		let mut running = poll(&mut wait(&slots, 3));
		slots.0.lock().selected.fill(0);
		let mut waiting: Vec<(usize, Waiting)> = (0..4)
			.flat_map(|class| (0..12).map(move |_| class))
			.map(|class| (class, wait(&slots, class)))
			.collect();
		waiting.iter_mut().for_each(|(_, waiting)| assert!(poll(waiting).is_none()));
		let mut ran = [0; 4];
		for _ in 0..12 {
			drop(running.take());
			let (position, slot) = waiting
				.iter_mut()
				.enumerate()
				.find_map(|(position, (_, waiting))| poll(waiting).map(|slot| (position, slot)))
				.unwrap();
			running = Some(slot);
			ran[waiting.remove(position).0] += 1;
		}
		assert_eq!(ran, [8, 3, 1, 0]);
	}

	#[test]
	fn a_caller_that_gives_up_holds_nothing() {
		let slots = Slots::new(classes(1));
		let running = poll(&mut wait(&slots, 0)).unwrap();
		let mut first = wait(&slots, 0);
		let mut second = wait(&slots, 1);
		assert!(poll(&mut first).is_none() && poll(&mut second).is_none());
		// Its turn comes, but it is never polled again.
		drop(running);
		drop(first);
		assert!(poll(&mut second).is_some());
		assert_eq!(slots.0.lock().taken, 0);
	}

	#[test]
	fn only_urgent_jobs_exceed_the_soft_limit() {
		let class = |slots_max| Class { slots_max, share_percent_max: 100 };
		let slots = Slots::new(vec![class(2), class(1)]);
		let first = poll(&mut wait(&slots, 1)).unwrap();
		let mut normal = wait(&slots, 1);
		assert!(poll(&mut normal).is_none());
		let urgent = poll(&mut wait(&slots, 0)).unwrap();
		drop(first);
		assert!(poll(&mut normal).is_none());
		drop(urgent);
		assert!(poll(&mut normal).is_some());
	}
}
