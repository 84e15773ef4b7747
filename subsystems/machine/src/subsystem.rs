//! The trait that all machines implement.

use crate::{Sizes, Trace};
use std::{
	collections::VecDeque,
	ops::{Add, Sub},
	time::Duration,
};

/// Wall clock time as the driver gives it: milliseconds since the Unix epoch.
///
/// Wall time, because slots are derived from it. Drivers hand it in monotonically.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Timestamp {
	/// Milliseconds since the Unix epoch.
	pub unix_ms: u64,
}

impl Timestamp {
	/// The time that is `unix_ms` milliseconds after the Unix epoch.
	pub const fn from_unix_ms(unix_ms: u64) -> Self {
		Self { unix_ms }
	}

	/// Time since `earlier`; zero if that is later.
	pub fn since(self, earlier: Timestamp) -> Duration {
		Duration::from_millis(self.unix_ms.saturating_sub(earlier.unix_ms))
	}
}

impl Add<Duration> for Timestamp {
	type Output = Timestamp;

	fn add(self, duration: Duration) -> Timestamp {
		Self { unix_ms: self.unix_ms.saturating_add(duration.as_millis() as u64) }
	}
}

impl Sub<Duration> for Timestamp {
	type Output = Timestamp;

	fn sub(self, duration: Duration) -> Timestamp {
		Self { unix_ms: self.unix_ms.saturating_sub(duration.as_millis() as u64) }
	}
}

/// A deterministic part of the protocol, without I/O.
///
/// The same events at the same times give the same effects, byte for byte. `handle` does not block: slow work leaves as an
/// effect and returns as an event that carries the token of its question.
pub trait Subsystem {
	/// All that can happen to it.
	type Event;
	/// All that it can ask for.
	type Effect;

	/// Takes one event. A driver that has no event, but whose clock passed [`Self::next_deadline`], calls
	/// [`Self::tick`] instead.
	fn handle(&mut self, now: Timestamp, event: Self::Event, effects: &mut Effects<Self::Effect>);

	/// Does what became due. Must move [`Self::next_deadline`] beyond `now`.
	fn tick(&mut self, now: Timestamp, effects: &mut Effects<Self::Effect>);

	/// When it wants a tick if nothing else happens.
	fn next_deadline(&self) -> Option<Timestamp>;

	/// How full its containers are. Between any two calls none holds more than its bound.
	fn sizes(&self) -> Sizes;
}

/// What a machine asks for, in order, and what it noticed about candidates.
#[derive(Debug)]
pub struct Effects<E> {
	effects: VecDeque<E>,
	traces: Vec<Trace>,
}

impl<E> Default for Effects<E> {
	fn default() -> Self {
		Self { effects: VecDeque::new(), traces: Vec::new() }
	}
}

impl<E> Effects<E> {
	/// Nothing yet.
	pub fn new() -> Self {
		Self::default()
	}

	/// Asks for something.
	pub fn push(&mut self, effect: E) {
		self.effects.push_back(effect);
	}

	/// Notes what happened to a candidate.
	pub fn trace(&mut self, trace: Trace) {
		self.traces.push(trace);
	}

	/// The next effect to carry out.
	pub fn pop(&mut self) -> Option<E> {
		self.effects.pop_front()
	}

	/// Takes all effects.
	pub fn take(&mut self) -> Vec<E> {
		std::mem::take(&mut self.effects).into()
	}

	/// Takes all traces.
	pub fn take_traces(&mut self) -> Vec<Trace> {
		std::mem::take(&mut self.traces)
	}

	/// Whether nothing is asked for.
	pub fn is_empty(&self) -> bool {
		self.effects.is_empty()
	}

	/// Runs a machine with effects of another type, and turns them into this one's.
	pub fn scope<Inner, R>(
		&mut self,
		run: impl FnOnce(&mut Effects<Inner>) -> R,
		into: impl Fn(Inner) -> E,
	) -> R {
		let mut inner = Effects { effects: VecDeque::new(), traces: std::mem::take(&mut self.traces) };
		let result = run(&mut inner);
		self.traces = inner.traces;
		self.effects.extend(inner.effects.into_iter().map(into));
		result
	}
}
