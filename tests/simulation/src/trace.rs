//! What happened, in lines, and one hash of all of it.

use headway_machine::Timestamp;
use sp_core::{Blake2Hasher, Hasher, H256};
use std::{collections::VecDeque, fmt};

/// Lines of which the newest are kept; the hash covers all.
pub struct Log {
	lines: VecDeque<String>,
	lines_max: usize,
	count: u64,
	/// Of all lines but those in `unhashed`.
	hash: H256,
	/// The newest lines: hashed together, because there are many.
	unhashed: String,
}

/// Bytes of lines that are hashed together.
const HASHED_BYTES: usize = 1 << 16;

impl Log {
	/// Keeps so many lines.
	pub fn new(lines_max: usize) -> Self {
		Self { lines: VecDeque::new(), lines_max, count: 0, hash: H256::zero(), unhashed: String::new() }
	}

	/// Adds a line.
	pub fn push(&mut self, now: Timestamp, what: fmt::Arguments<'_>) {
		let line = format!("{} {what}", now.unix_ms);
		self.unhashed.push_str(&line);
		self.unhashed.push('\n');
		if self.unhashed.len() >= HASHED_BYTES {
			self.hash = self.hash();
			self.unhashed.clear();
		}
		self.count += 1;
		self.lines.push_back(line);
		while self.lines.len() > self.lines_max {
			self.lines.pop_front();
		}
	}

	/// The newest lines, oldest first.
	pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
		self.lines.iter().map(String::as_str)
	}

	/// How many lines there were.
	pub fn count(&self) -> u64 {
		self.count
	}

	/// A hash of all lines.
	pub fn hash(&self) -> H256 {
		Blake2Hasher::hash(&[self.hash.as_bytes(), self.unhashed.as_bytes()].concat())
	}
}
