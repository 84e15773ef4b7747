//! Statements of a group as a set.

use crate::filter::{self, Kind};
use headway_machine::wire::StatementFilter;

/// Which statements of a group somebody knows: what a [`StatementFilter`] says, in a form of which many are kept, and
/// which is compared and changed with every message.
///
/// # Bounds
///
/// Members of the group.
#[derive(Clone, Debug)]
pub(crate) struct Votes {
	group_size: usize,
	seconded: Bits,
	valid: Bits,
}

/// Positions in a group.
#[derive(Clone, Debug, Default)]
struct Bits {
	/// The first 64.
	first: u64,
	/// Those beyond: groups are smaller than that, but nothing says that they have to be.
	rest: Vec<u64>,
}

impl Bits {
	fn contains(&self, position: usize) -> bool {
		let word = match position / 64 {
			0 => self.first,
			n => self.rest.get(n - 1).copied().unwrap_or(0),
		};
		word >> (position % 64) & 1 == 1
	}

	fn insert(&mut self, position: usize) {
		let word = match position / 64 {
			0 => &mut self.first,
			n => {
				self.rest.resize(self.rest.len().max(n), 0);
				&mut self.rest[n - 1]
			},
		};
		*word |= 1 << (position % 64);
	}

	/// Words of both, from the first to the last that this one has.
	fn words<'a>(&'a self, other: &'a Bits) -> impl Iterator<Item = (u64, u64)> + 'a {
		let others =
			std::iter::once(other.first).chain(other.rest.iter().copied().chain(std::iter::repeat(0)));
		let words = std::iter::once(self.first).chain(self.rest.iter().copied());
		words.zip(others)
	}

	fn without<'a>(&'a self, other: &'a Bits) -> impl Iterator<Item = usize> + 'a {
		self.words(other).enumerate().flat_map(|(n, (word, other))| {
			let mut left = word & !other;
			std::iter::from_fn(move || {
				let position = left.trailing_zeros();
				// Takes the lowest away.
				left &= left.wrapping_sub(1);
				(position < 64).then_some(64 * n + position as usize)
			})
		})
	}
}

impl Votes {
	/// No statement of a group.
	pub(crate) fn none(group_size: usize) -> Self {
		Self { group_size, seconded: Bits::default(), valid: Bits::default() }
	}

	/// Whether the statement of a member is in it; a position outside of the group never is.
	pub(crate) fn contains(&self, position: usize, kind: Kind) -> bool {
		self.of(kind).contains(position)
	}

	/// Adds the statement of a member; nothing happens outside of the group.
	pub(crate) fn insert(&mut self, position: usize, kind: Kind) {
		if position < self.group_size {
			match kind {
				Kind::Seconded => self.seconded.insert(position),
				Kind::Valid => self.valid.insert(position),
			}
		}
	}

	/// No statement of the same group.
	pub(crate) fn to_none(&self) -> Self {
		Self::none(self.group_size)
	}

	/// Adds all that another has; nothing happens outside of the group.
	pub(crate) fn extend(&mut self, other: &Self) {
		other.iter().for_each(|(position, kind)| self.insert(position, kind));
	}

	/// All statements: all `Seconded` before all `Valid`, each by position.
	pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, Kind)> + '_ {
		const NONE: &Bits = &Bits { first: 0, rest: Vec::new() };
		let seconded = self.seconded.without(NONE).map(|position| (position, Kind::Seconded));
		seconded.chain(self.valid.without(NONE).map(|position| (position, Kind::Valid)))
	}

	/// Statements that are not in `other`: all `Seconded` before all `Valid`, each by position.
	pub(crate) fn without<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (usize, Kind)> + 'a {
		let seconded = self.seconded.without(&other.seconded).map(|position| (position, Kind::Seconded));
		seconded.chain(self.valid.without(&other.valid).map(|position| (position, Kind::Valid)))
	}

	/// The statements that are not in `other`.
	pub(crate) fn minus(&self, other: &Self) -> Self {
		let mut rest = self.to_none();
		self.without(other).for_each(|(position, kind)| rest.insert(position, kind));
		rest
	}

	/// Whether all that another has is in it.
	pub(crate) fn is_superset(&self, other: &Self) -> bool {
		let lacks = |one: &Bits, other: &Bits| other.words(one).any(|(other, own)| other & !own != 0);
		!lacks(&self.seconded, &other.seconded) && !lacks(&self.valid, &other.valid)
	}

	/// Whether anybody seconded.
	pub(crate) fn has_seconded(&self) -> bool {
		self.seconded.first != 0 || self.seconded.rest.iter().any(|word| *word != 0)
	}

	/// Members with any statement.
	pub(crate) fn backing_validators(&self) -> usize {
		// Of whichever has more words, all have to be seen.
		let (long, short) = match self.seconded.rest.len() >= self.valid.rest.len() {
			true => (&self.seconded, &self.valid),
			false => (&self.valid, &self.seconded),
		};
		long.words(short).map(|(one, other)| (one | other).count_ones() as usize).sum()
	}

	/// Whether there are enough votes to back a candidate: a `Seconded`, and `threshold` members with any statement.
	pub(crate) fn back(&self, threshold: usize) -> bool {
		self.has_seconded() && self.backing_validators() >= threshold
	}

	/// As it goes over the network.
	pub(crate) fn to_filter(&self) -> StatementFilter {
		let mut filter = StatementFilter::blank(self.group_size);
		self.iter().for_each(|(position, kind)| filter::set(&mut filter, position, kind, true));
		filter
	}

	fn of(&self, kind: Kind) -> &Bits {
		match kind {
			Kind::Seconded => &self.seconded,
			Kind::Valid => &self.valid,
		}
	}
}

impl From<&StatementFilter> for Votes {
	fn from(filter: &StatementFilter) -> Self {
		let mut votes = Self::none(filter.seconded_in_group.len());
		for (position, seconded) in filter.seconded_in_group.iter().by_vals().enumerate() {
			if seconded {
				votes.insert(position, Kind::Seconded);
			}
		}
		for (position, valid) in filter.validated_in_group.iter().by_vals().enumerate() {
			if valid {
				votes.insert(position, Kind::Valid);
			}
		}
		votes
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::filter::{parse, show};

	#[test]
	fn votes_say_what_the_filter_says() {
		for text in ["", "s.b", "vvv", "...", &"sv.b".repeat(40)] {
			let votes = Votes::from(&parse(text));
			assert_eq!(show(&votes.to_filter()), text);
			for position in 0..text.len() + 1 {
				for kind in [Kind::Seconded, Kind::Valid] {
					let expected = filter::contains(&parse(text), position, kind);
					assert_eq!(votes.contains(position, kind), expected, "{position} {kind:?} of {text}");
				}
			}
		}
	}

	#[test]
	fn what_one_lacks_of_another() {
		let long = "s".repeat(70) + "b";
		let cases = [("sb.", "s.v", vec![(1, Kind::Seconded), (1, Kind::Valid)]), ("sv", "bb", vec![])];
		for (one, other, expected) in cases {
			let (one, other) = (Votes::from(&parse(one)), Votes::from(&parse(other)));
			assert_eq!(one.without(&other).collect::<Vec<_>>(), expected);
		}
		let (one, other) = (Votes::from(&parse(&long)), Votes::from(&parse(&"s".repeat(71))));
		assert_eq!(one.without(&other).collect::<Vec<_>>(), [(70, Kind::Valid)]);
		assert_eq!(one.without(&Votes::none(71)).count(), 72);
	}

	#[test]
	fn what_is_taken_away_does_not_count() {
		let rest = Votes::from(&parse("b.bv")).minus(&Votes::from(&parse("s.vs")));
		assert_eq!(show(&rest.to_filter()), "v.sv");
		assert!(rest.back(3) && !rest.back(4) && !Votes::from(&parse("vvv")).back(1));
	}

	#[test]
	fn what_backs_a_candidate_is_counted_by_member() {
		let far = ".".repeat(70);
		for (text, seconded, validators) in [
			("...", false, 0),
			("vv.", false, 2),
			("sbv", true, 3),
			(&(far.clone() + "v"), false, 1),
			(&(far + "b"), true, 1),
		] {
			let votes = Votes::from(&parse(text));
			assert_eq!((votes.has_seconded(), votes.backing_validators()), (seconded, validators), "{text}");
			assert!(votes.back(validators) == seconded && !votes.back(validators + 1));
		}
	}

	#[test]
	fn a_superset_has_all_that_the_other_has() {
		let far = ".".repeat(70);
		let more = far.clone() + "s";
		for (one, other, expected) in [
			("sv.", "sv.", true),
			("bv.", "sv.", true),
			("sv.", "bv.", false),
			("s.v", "sv.", false),
			(&more, &far, true),
			(&far, &more, false),
		] {
			let (one, other) = (Votes::from(&parse(one)), Votes::from(&parse(other)));
			assert_eq!(one.is_superset(&other), expected);
		}
	}

	#[test]
	fn who_is_not_in_the_group_has_no_vote() {
		let mut votes = Votes::none(2);
		votes.extend(&Votes::from(&parse("sss")));
		votes.insert(64, Kind::Valid);
		assert_eq!(show(&votes.to_filter()), "ss");
		assert!(!votes.contains(2, Kind::Seconded) && !votes.contains(64, Kind::Valid));
	}
}
