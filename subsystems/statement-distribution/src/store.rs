//! Statements whose signatures were checked, at one scheduling parent (backing pipeline §4.2).

use crate::{
	filter::{self, Kind},
	sessions::Groups,
	votes::Votes,
};
use headway_machine::{wire::StatementFilter, Sizes};
use headway_primitives::{CandidateHash, CompactStatement, GroupIndex, SignedStatement, ValidatorIndex};
use std::{collections::BTreeMap, sync::Arc};

/// A statement, and whether our own backing has it.
#[derive(Debug)]
struct Stored {
	statement: SignedStatement,
	known_by_backing: bool,
}

/// Whether a statement was known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Inserted {
	/// It was not.
	Fresh,
	/// It was.
	Known,
	/// Its validator is in no group.
	NoGroup,
}

/// Statements by the group of who made them and the candidate that they are about, `Seconded` before `Valid`, each by
/// position in the group: the order in which they are sent and handed to backing.
///
/// # Bounds
///
/// A group member's statements are stored as far as the cluster tracker, the grid tracker or the validation of a response
/// let them in: per member about as many candidates as the claim queue of the group's core is long, two statements each.
/// Members that sign more get at most `2·g` extra entries for each response of a request that we chose to make.
#[derive(Debug)]
pub(crate) struct StatementStore {
	groups: Arc<Groups>,
	statements: BTreeMap<(GroupIndex, CandidateHash), BTreeMap<(Kind, usize), Stored>>,
	seconded: BTreeMap<ValidatorIndex, usize>,
}

impl StatementStore {
	/// Nothing is stored yet.
	pub(crate) fn new(groups: Arc<Groups>) -> Self {
		Self { groups, statements: BTreeMap::new(), seconded: BTreeMap::new() }
	}

	/// Notes how full it is, given how many candidates there can be.
	pub(crate) fn sizes(&self, candidates_max: usize, sizes: &mut Sizes) {
		sizes.note("candidates_with_statements", self.statements.len(), candidates_max);
		for ((group, _), statements) in &self.statements {
			let group_size = self.groups.get(*group).map_or(0, <[_]>::len);
			sizes.note("statements_of_candidate", statements.len(), 2 * group_size);
		}
	}

	/// Stores a statement. `known_by_backing`: backing made it.
	pub(crate) fn insert(&mut self, statement: SignedStatement, known_by_backing: bool) -> Inserted {
		let validator = statement.validator_index();
		let Some((group, position)) = self.groups.locate(validator) else { return Inserted::NoGroup };
		let kind = Kind::of(statement.payload());
		let of_candidate = self.statements.entry((group, statement.payload().candidate_hash())).or_default();
		if let Some(known) = of_candidate.get_mut(&(kind, position)) {
			known.known_by_backing |= known_by_backing;
			return Inserted::Known;
		}
		of_candidate.insert((kind, position), Stored { statement, known_by_backing });
		if kind == Kind::Seconded {
			*self.seconded.entry(validator).or_default() += 1;
		}
		Inserted::Fresh
	}

	/// A statement by its content.
	pub(crate) fn get(
		&self,
		validator: ValidatorIndex,
		statement: &CompactStatement,
	) -> Option<&SignedStatement> {
		let (group, position) = self.groups.locate(validator)?;
		let of_candidate = self.statements.get(&(group, statement.candidate_hash()))?;
		of_candidate.get(&(Kind::of(statement), position)).map(|stored| &stored.statement)
	}

	/// How many candidates a validator proposed.
	pub(crate) fn seconded_count(&self, validator: ValidatorIndex) -> usize {
		self.seconded.get(&validator).copied().unwrap_or(0)
	}

	/// Which statements of a group about a candidate are stored.
	pub(crate) fn votes(&self, group: GroupIndex, candidate: CandidateHash) -> Votes {
		let mut votes = Votes::none(self.groups.get(group).map_or(0, <[_]>::len));
		for (kind, position) in self.statements.get(&(group, candidate)).into_iter().flat_map(BTreeMap::keys)
		{
			votes.insert(*position, *kind);
		}
		votes
	}

	/// Statements of a group about a candidate without those in `mask`.
	pub(crate) fn group_statements<'a>(
		&'a self,
		group: GroupIndex,
		candidate: CandidateHash,
		mask: &'a StatementFilter,
	) -> impl Iterator<Item = &'a SignedStatement> {
		let of_candidate = self.statements.get(&(group, candidate)).into_iter().flatten();
		of_candidate
			.filter(|((kind, position), _)| !filter::contains(mask, *position, *kind))
			.map(|(_, stored)| &stored.statement)
	}

	/// Takes the statements of a group about a candidate that backing does not have yet.
	pub(crate) fn take_fresh_for_backing(
		&mut self,
		group: GroupIndex,
		candidate: CandidateHash,
	) -> Vec<SignedStatement> {
		let of_candidate =
			self.statements.get_mut(&(group, candidate)).into_iter().flat_map(BTreeMap::values_mut);
		let fresh = of_candidate.filter(|stored| !stored.known_by_backing);
		fresh
			.map(|stored| {
				stored.known_by_backing = true;
				stored.statement.clone()
			})
			.collect()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::filter::{parse, show};
	use headway_primitives::{Hash, Signed, UncheckedSigned};

	const CANDIDATE: CandidateHash = CandidateHash(Hash::repeat_byte(1));

	fn statement(by: u32, kind: Kind) -> SignedStatement {
		let signature = sp_signature(by as u8);
		// Checked by nobody: these tests are about where statements go.
		Signed::assume_checked(UncheckedSigned {
			payload: kind.statement(CANDIDATE),
			validator_index: ValidatorIndex(by),
			signature,
		})
	}

	fn sp_signature(byte: u8) -> headway_primitives::ValidatorSignature {
		codec::Decode::decode(&mut &[byte; 64][..]).unwrap()
	}

	fn store() -> StatementStore {
		let groups = vec![vec![0, 1, 2], vec![4, 3]];
		let groups =
			groups.into_iter().map(|group| group.into_iter().map(ValidatorIndex).collect()).collect();
		StatementStore::new(Arc::new(Groups::new(groups)))
	}

	fn shown(statements: impl IntoIterator<Item = SignedStatement>) -> Vec<(Kind, u32)> {
		let show =
			|statement: SignedStatement| (Kind::of(statement.payload()), statement.validator_index().0);
		statements.into_iter().map(show).collect()
	}

	#[test]
	fn statements_are_stored_once_and_only_of_group_members() {
		let mut store = store();
		assert_eq!(store.insert(statement(9, Kind::Seconded), false), Inserted::NoGroup);
		assert_eq!(store.insert(statement(1, Kind::Seconded), false), Inserted::Fresh);
		assert_eq!(store.insert(statement(1, Kind::Seconded), false), Inserted::Known);
		assert_eq!(store.insert(statement(1, Kind::Valid), false), Inserted::Fresh);
		assert_eq!(store.seconded_count(ValidatorIndex(1)), 1);
		assert_eq!(store.seconded_count(ValidatorIndex(2)), 0);
		assert!(store.get(ValidatorIndex(1), &CompactStatement::Valid(CANDIDATE)).is_some());
		assert!(store.get(ValidatorIndex(2), &CompactStatement::Valid(CANDIDATE)).is_none());
	}

	#[test]
	fn positions_are_those_in_the_group() {
		let mut store = store();
		store.insert(statement(3, Kind::Seconded), false);
		store.insert(statement(4, Kind::Valid), false);
		assert_eq!(show(&store.votes(GroupIndex(1), CANDIDATE).to_filter()), "vs");
		assert_eq!(show(&store.votes(GroupIndex(0), CANDIDATE).to_filter()), "...");
		assert_eq!(show(&store.votes(GroupIndex(7), CANDIDATE).to_filter()), "");
	}

	#[test]
	fn backing_gets_seconded_before_valid_by_position_and_once() {
		let mut store = store();
		for (by, kind, local) in [
			(2, Kind::Valid, false),
			(1, Kind::Seconded, false),
			(0, Kind::Valid, true),
			(0, Kind::Seconded, false),
			(1, Kind::Valid, false),
		] {
			store.insert(statement(by, kind), local);
		}
		let fresh = shown(store.take_fresh_for_backing(GroupIndex(0), CANDIDATE));
		assert_eq!(fresh, [(Kind::Seconded, 0), (Kind::Seconded, 1), (Kind::Valid, 1), (Kind::Valid, 2)]);
		assert!(store.take_fresh_for_backing(GroupIndex(0), CANDIDATE).is_empty());
		store.insert(statement(2, Kind::Seconded), false);
		assert_eq!(shown(store.take_fresh_for_backing(GroupIndex(0), CANDIDATE)), [(Kind::Seconded, 2)]);
	}

	#[test]
	fn masked_statements_are_left_out() {
		let mut store = store();
		for (by, kind) in [(0, Kind::Seconded), (1, Kind::Seconded), (1, Kind::Valid), (2, Kind::Valid)] {
			store.insert(statement(by, kind), false);
		}
		let mask = parse("sv.");
		let rest = store.group_statements(GroupIndex(0), CANDIDATE, &mask).cloned();
		assert_eq!(shown(rest), [(Kind::Seconded, 1), (Kind::Valid, 2)]);
	}
}
