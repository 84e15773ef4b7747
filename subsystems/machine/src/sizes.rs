//! How full the containers of a machine are, beside what they may hold.

use std::fmt;

/// How full a container is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
	/// The machine, as in its traces.
	pub machine: &'static str,
	/// The container, unique within its machine.
	pub container: &'static str,
	/// Its entries.
	pub count: usize,
	/// Most entries that it may have, with the leaves and connections that there are now.
	pub bound: usize,
}

impl Size {
	/// Entries that still have room; less than none if there are too many.
	fn room(&self) -> isize {
		self.bound.saturating_sub(self.count) as isize - self.count.saturating_sub(self.bound) as isize
	}
}

impl fmt::Display for Size {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { machine, container, count, bound } = self;
		write!(f, "{machine} has {count} {container}, {bound} are allowed")
	}
}

/// How full the containers of a machine are: all that peers, collators or parachains can fill.
///
/// Leaves and connections are not among them: the chain and the network bound those, and other bounds follow from them. Where
/// there are several containers of a kind, one for each peer or block, the one with the least room stands for all.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Sizes {
	machine: &'static str,
	sizes: Vec<Size>,
}

impl Sizes {
	/// Those of a machine, of which nothing is noted yet.
	pub fn of(machine: &'static str) -> Self {
		Self { machine, sizes: Vec::new() }
	}

	/// Notes how full a container is.
	pub fn note(&mut self, container: &'static str, count: usize, bound: usize) {
		let size = Size { machine: self.machine, container, count, bound };
		match self
			.sizes
			.iter_mut()
			.find(|known| known.container == container && known.machine == self.machine)
		{
			Some(known) if size.room() < known.room() => *known = size,
			Some(_) => {},
			None => self.sizes.push(size),
		}
	}

	/// Adds those of another machine.
	pub fn extend(&mut self, other: Sizes) {
		self.sizes.extend(other.sizes);
	}

	/// All of them.
	pub fn iter(&self) -> impl Iterator<Item = &Size> {
		self.sizes.iter()
	}

	/// A container that holds more than it may.
	pub fn exceeded(&self) -> Option<Size> {
		self.sizes.iter().find(|size| size.count > size.bound).copied()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_container_with_the_least_room_stands_for_all_of_its_kind() {
		let mut sizes = Sizes::of("machine");
		for (count, bound) in [(1, 5), (3, 4), (0, 2), (7, 9)] {
			sizes.note("votes", count, bound);
		}
		sizes.note("blocks", 0, 0);
		let mut all = Sizes::of("joined");
		all.extend(sizes.clone());
		all.note("votes", 0, 7);
		let shown: Vec<_> = all.iter().map(Size::to_string).collect();
		assert_eq!(
			shown,
			[
				"machine has 3 votes, 4 are allowed",
				"machine has 0 blocks, 0 are allowed",
				"joined has 0 votes, 7 are allowed",
			]
		);
		assert_eq!(all.exceeded(), None);
		sizes.note("votes", 11, 10);
		assert_eq!(sizes.exceeded().map(|size| size.count), Some(11));
	}
}
