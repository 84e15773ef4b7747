//! The time that machines are told.

use headway_machine::Timestamp;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Gives the system's time, but never goes back, and never stands still: machines wait for deadlines. Where the system's
/// clock is put back, time runs at half its pace until the system's has caught up.
#[derive(Debug)]
pub(crate) struct Clock {
	/// When the system's clock was last not behind, and what it said.
	anchor: (Instant, Timestamp),
}

impl Clock {
	/// A clock that says what the system's does.
	pub(crate) fn new() -> Self {
		Self { anchor: (Instant::now(), system_time()) }
	}

	/// The time.
	pub(crate) fn read(&mut self) -> Timestamp {
		self.read_at(Instant::now(), system_time())
	}

	fn read_at(&mut self, at: Instant, system: Timestamp) -> Timestamp {
		let (since, before) = self.anchor;
		let least = before + at.saturating_duration_since(since) / 2;
		if system < least {
			return least;
		}
		self.anchor = (at, system);
		system
	}
}

fn system_time() -> Timestamp {
	let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
	Timestamp::from_unix_ms(since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::time::Duration;

	#[test]
	fn time_goes_on_when_the_clock_is_put_back_and_meets_it_again() {
		let start = Instant::now();
		let mut clock = Clock { anchor: (start, Timestamp::from_unix_ms(100_000)) };
		// Seconds that passed, what the system says, what machines are told.
		for (passed, system, told) in [
			(1, 101_000, 101_000),
			// Put forward, then back by a minute.
			(2, 162_000, 162_000),
			(3, 103_000, 162_500),
			(4, 104_000, 163_000),
			(62, 162_000, 192_000),
			(122, 222_000, 222_000),
			(123, 223_000, 223_000),
		] {
			let at = start + Duration::from_secs(passed);
			assert_eq!(clock.read_at(at, Timestamp::from_unix_ms(system)).unix_ms, told, "{passed} s");
		}
	}
}
