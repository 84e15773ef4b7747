//! Operations on [`StatementFilter`]: bit vectors over the members of a group, by kind of statement.

use headway_machine::wire::StatementFilter;
use headway_primitives::{CandidateHash, CompactStatement, ValidatorIndex};

/// Kind of a statement about a candidate. Ordered as statements are sent: nobody accepts `Valid` of a candidate that he
/// does not know yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
	Seconded,
	Valid,
}

impl Kind {
	/// Kind of a statement.
	pub(crate) fn of(statement: &CompactStatement) -> Self {
		match statement {
			CompactStatement::Seconded(_) => Self::Seconded,
			CompactStatement::Valid(_) => Self::Valid,
		}
	}

	/// A statement of this kind.
	pub(crate) fn statement(self, candidate: CandidateHash) -> CompactStatement {
		match self {
			Self::Seconded => CompactStatement::Seconded(candidate),
			Self::Valid => CompactStatement::Valid(candidate),
		}
	}
}

/// Whether the bit of a member is set; a position outside of the group never is.
pub(crate) fn contains(filter: &StatementFilter, position: usize, kind: Kind) -> bool {
	let bits = match kind {
		Kind::Seconded => &filter.seconded_in_group,
		Kind::Valid => &filter.validated_in_group,
	};
	bits.get(position).is_some_and(|bit| *bit)
}

/// Sets or clears the bit of a member; nothing happens outside of the group.
pub(crate) fn set(filter: &mut StatementFilter, position: usize, kind: Kind, value: bool) {
	let bits = match kind {
		Kind::Seconded => &mut filter.seconded_in_group,
		Kind::Valid => &mut filter.validated_in_group,
	};
	if position < bits.len() {
		bits.set(position, value);
	}
}

/// Clears both bits of some members of the group.
pub(crate) fn clear_members(
	filter: &mut StatementFilter,
	group: &[ValidatorIndex],
	is_cleared: impl Fn(ValidatorIndex) -> bool,
) {
	for (position, _) in group.iter().enumerate().filter(|(_, member)| is_cleared(**member)) {
		set(filter, position, Kind::Seconded, false);
		set(filter, position, Kind::Valid, false);
	}
}

/// Reads the notation of tests: `"s.b"` of a group of three is: the first seconded, the second nothing, the third both;
/// `v` is `Valid`.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn parse(text: &str) -> StatementFilter {
	let mut filter = StatementFilter::blank(text.len());
	for (position, c) in text.chars().enumerate() {
		set(&mut filter, position, Kind::Seconded, matches!(c, 's' | 'b'));
		set(&mut filter, position, Kind::Valid, matches!(c, 'v' | 'b'));
	}
	filter
}

/// Writes the notation of [`parse`].
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn show(filter: &StatementFilter) -> String {
	let symbol = |position| match (
		contains(filter, position, Kind::Seconded),
		contains(filter, position, Kind::Valid),
	) {
		(true, true) => 'b',
		(true, false) => 's',
		(false, true) => 'v',
		(false, false) => '.',
	};
	(0..filter.seconded_in_group.len()).map(symbol).collect()
}
