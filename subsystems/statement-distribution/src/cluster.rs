//! What the members of our own group know of each other's statements at one scheduling parent, and so which of them may
//! be sent, received and asked for (backing pipeline §4.4).
//!
//! A member may propose (`Seconded`) only as many candidates as the claim queue of the group's core is long. A statement
//! `Valid` makes sense only to somebody who knows the candidate, so it is exchanged only after a `Seconded`.

use headway_machine::Sizes;
use headway_primitives::{CandidateHash, CompactStatement, ValidatorIndex};
use std::collections::{BTreeMap, BTreeSet};

/// How to take an incoming statement that is not rejected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Accept {
	/// Import it.
	Ok,
	/// Its originator proposed too many candidates already, but that is not the sender's fault: check the signature, note
	/// that the sender sent it, and forget it.
	WithPrejudice,
}

/// Why an incoming statement is rejected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RejectIncoming {
	/// Sender or originator is no member.
	NotInGroup,
	/// The sender sent it before.
	Duplicate,
	/// The sender sent as many proposals of this originator as there may be.
	ExcessiveSeconded,
	/// The sender has not shown that it knows the candidate.
	CandidateUnknown,
}

/// Why a statement must not be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RejectOutgoing {
	/// Target or originator is no member.
	NotInGroup,
	/// The target knows it.
	Known,
	/// The originator proposed too many candidates.
	ExcessiveSeconded,
	/// The target does not know the candidate yet.
	CandidateUnknown,
}

/// A statement and who made it; `Seconded` sorts before `Valid`.
type Made = (CompactStatement, ValidatorIndex);

#[derive(Debug, Default)]
struct Member {
	/// Statements that it sent us.
	received: BTreeSet<Made>,
	/// Statements that we sent it.
	sent: BTreeSet<Made>,
	/// Candidates that it counts as having seconded.
	seconded: BTreeSet<CandidateHash>,
	/// Statements to be sent to it.
	pending: BTreeSet<Made>,
}

/// Any statement of that kind about the candidate in a set that is sorted by statement.
fn has_seconded(set: &BTreeSet<Made>, candidate: CandidateHash) -> bool {
	let statement = CompactStatement::Seconded(candidate);
	set.range((statement, ValidatorIndex(0))..=(statement, ValidatorIndex(u32::MAX))).next().is_some()
}

/// Knowledge of the members of one group at one scheduling parent.
///
/// # Bounds
///
/// For `g` members and a seconding limit `l`: a member's received statements hold at most `g·l` times `Seconded` (what is
/// beyond is rejected), and `Valid` only for candidates of which a `Seconded` was exchanged, at most `g` each: `O(g²·l)`
/// entries per member. A member counts as having seconded at most `l` candidates. Sent statements are stored ones, and
/// pending ones are among those that were received, issued or fetched. To fill it, members of our own group have to sign
/// the statements.
#[derive(Debug)]
pub(crate) struct ClusterTracker {
	members: BTreeMap<ValidatorIndex, Member>,
	seconding_limit: usize,
}

impl ClusterTracker {
	/// Nothing is known of these members; each may propose `seconding_limit` candidates.
	pub(crate) fn new(members: &[ValidatorIndex], seconding_limit: usize) -> Self {
		let members = members.iter().map(|member| (*member, Member::default())).collect();
		Self { members, seconding_limit }
	}

	/// Most candidates that members can tell us of: each may send as many proposals of each member as there may be.
	pub(crate) fn candidates_max(&self) -> usize {
		self.members.len() * self.proposals_max()
	}

	/// Proposals that a member may send.
	fn proposals_max(&self) -> usize {
		self.members.len() * self.seconding_limit
	}

	/// Notes how full it is.
	pub(crate) fn sizes(&self, sizes: &mut Sizes) {
		// What members say, and what we second ourselves; two statements of each member about each of them.
		let candidates = self.candidates_max() + self.seconding_limit;
		let statements = 2 * self.members.len() * candidates;
		for member in self.members.values() {
			let is_seconded = |(statement, _): &&Made| matches!(statement, CompactStatement::Seconded(_));
			let proposals = member.received.iter().filter(is_seconded).count();
			sizes.note("proposals_received", proposals, self.proposals_max());
			sizes.note("seconded", member.seconded.len(), self.seconding_limit);
			sizes.note("statements_received", member.received.len(), statements);
			sizes.note("statements_sent", member.sent.len(), statements);
			sizes.note("statements_pending", member.pending.len(), statements);
		}
	}

	/// The members, ascending.
	pub(crate) fn members(&self) -> impl Iterator<Item = ValidatorIndex> + '_ {
		self.members.keys().copied()
	}

	/// Whether a validator is a member.
	pub(crate) fn contains(&self, validator: ValidatorIndex) -> bool {
		self.members.contains_key(&validator)
	}

	/// Whether a statement may be accepted from a member.
	pub(crate) fn can_receive(
		&self,
		sender: ValidatorIndex,
		originator: ValidatorIndex,
		statement: CompactStatement,
	) -> Result<Accept, RejectIncoming> {
		let member = self.members.get(&sender).filter(|_| self.contains(originator));
		let member = member.ok_or(RejectIncoming::NotInGroup)?;
		if member.received.contains(&(statement, originator)) {
			return Err(RejectIncoming::Duplicate);
		}
		match statement {
			CompactStatement::Seconded(candidate) => {
				let seconded = member.received.iter().filter(|(statement, by)| {
					*by == originator && matches!(statement, CompactStatement::Seconded(_))
				});
				if seconded.count() >= self.seconding_limit {
					Err(RejectIncoming::ExcessiveSeconded)
				} else if self.within_limit(originator, candidate) {
					Ok(Accept::Ok)
				} else {
					Ok(Accept::WithPrejudice)
				}
			},
			CompactStatement::Valid(candidate) if self.knows_candidate(sender, candidate) => Ok(Accept::Ok),
			CompactStatement::Valid(_) => Err(RejectIncoming::CandidateUnknown),
		}
	}

	/// Whether a statement may be sent to a member.
	pub(crate) fn can_send(
		&self,
		target: ValidatorIndex,
		originator: ValidatorIndex,
		statement: CompactStatement,
	) -> Result<(), RejectOutgoing> {
		if !self.contains(target) || !self.contains(originator) {
			return Err(RejectOutgoing::NotInGroup);
		}
		if self.knows_statement(target, originator, statement) {
			return Err(RejectOutgoing::Known);
		}
		match statement {
			CompactStatement::Seconded(candidate) if !self.within_limit(originator, candidate) => {
				Err(RejectOutgoing::ExcessiveSeconded)
			},
			CompactStatement::Valid(candidate) if !self.knows_candidate(target, candidate) => {
				Err(RejectOutgoing::CandidateUnknown)
			},
			_ => Ok(()),
		}
	}

	/// Whether a member may ask us for the candidate: we told it, and it did not tell us.
	pub(crate) fn can_request(&self, target: ValidatorIndex, candidate: CandidateHash) -> bool {
		self.members.get(&target).is_some_and(|member| {
			has_seconded(&member.sent, candidate) && !has_seconded(&member.received, candidate)
		})
	}

	/// Whether a member knows the candidate: it was told, it told us, or it counts as a seconder.
	pub(crate) fn knows_candidate(&self, validator: ValidatorIndex, candidate: CandidateHash) -> bool {
		self.members.get(&validator).is_some_and(|member| {
			member.seconded.contains(&candidate)
				|| has_seconded(&member.received, candidate)
				|| has_seconded(&member.sent, candidate)
		})
	}

	/// Notes that a member sent a statement, after [`Self::can_receive`] accepted it and its signature was found good.
	pub(crate) fn note_received(
		&mut self,
		sender: ValidatorIndex,
		originator: ValidatorIndex,
		statement: CompactStatement,
	) {
		let counts = self.note_seconded(originator, statement);
		if let Some(member) = self.members.get_mut(&sender) {
			member.received.insert((statement, originator));
			member.pending.remove(&(statement, originator));
		}
		// What was accepted with prejudice goes no further.
		if counts {
			self.queue(originator, statement);
		}
	}

	/// Notes that we made a statement or learned it from a response: all members that lack it are to get it.
	pub(crate) fn note_issued(&mut self, originator: ValidatorIndex, statement: CompactStatement) {
		self.queue(originator, statement);
	}

	/// Notes that we sent a statement to a member.
	pub(crate) fn note_sent(
		&mut self,
		target: ValidatorIndex,
		originator: ValidatorIndex,
		statement: CompactStatement,
	) {
		self.note_seconded(originator, statement);
		if let Some(member) = self.members.get_mut(&target) {
			member.sent.insert((statement, originator));
			member.pending.remove(&(statement, originator));
		}
	}

	/// Statements to be sent to a member, `Seconded` first.
	pub(crate) fn pending(&self, target: ValidatorIndex) -> Vec<(ValidatorIndex, CompactStatement)> {
		let pending = self.members.get(&target).into_iter().flat_map(|member| &member.pending);
		pending.map(|(statement, originator)| (*originator, *statement)).collect()
	}

	fn queue(&mut self, originator: ValidatorIndex, statement: CompactStatement) {
		for member in self.members.values_mut() {
			let made = (statement, originator);
			if !member.received.contains(&made) && !member.sent.contains(&made) {
				member.pending.insert(made);
			}
		}
	}

	/// Counts a proposal of the originator if it is within the limit, and answers whether it is (`Valid` always is).
	fn note_seconded(&mut self, originator: ValidatorIndex, statement: CompactStatement) -> bool {
		let CompactStatement::Seconded(candidate) = statement else { return true };
		let within = self.within_limit(originator, candidate);
		if let Some(member) = self.members.get_mut(&originator).filter(|_| within) {
			member.seconded.insert(candidate);
		}
		within
	}

	/// Whether the originator may have proposed this candidate beside the others that it proposed.
	fn within_limit(&self, originator: ValidatorIndex, candidate: CandidateHash) -> bool {
		let seconded = self.members.get(&originator).map(|member| &member.seconded);
		let others = seconded.map_or(0, |set| set.iter().filter(|other| **other != candidate).count());
		others < self.seconding_limit
	}

	fn knows_statement(
		&self,
		validator: ValidatorIndex,
		originator: ValidatorIndex,
		statement: CompactStatement,
	) -> bool {
		self.members.get(&validator).is_some_and(|member| {
			member.received.contains(&(statement, originator))
				|| member.sent.contains(&(statement, originator))
		})
	}
}

#[cfg(any(test, feature = "fuzzing"))]
impl ClusterTracker {
	/// Whether members voted only for what they know.
	pub(crate) fn votes_follow_knowledge(&self) -> bool {
		let is_valid = |(statement, _): &&Made| matches!(statement, CompactStatement::Valid(_));
		self.members.iter().all(|(index, member)| {
			let mut voted = member.received.iter().filter(is_valid);
			voted.all(|(statement, _)| self.knows_candidate(*index, statement.candidate_hash()))
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Runs a script over a group of validators 0 to 2 and one stranger, 9, and compares each answer.
	///
	/// A statement is written `A1s2`: candidate `A`, made by validator 1, `s`econded or `v`alid, to or from member 2.
	/// `recv` asks whether it may be received and notes it if so, `prej` is what it answers beyond the limit, `send` asks
	/// whether it may be sent and notes it if so, `issue` notes that we made it, `ask` whether the member may request it,
	/// `pending` lists what is to be sent to a member.
	fn run(limit: usize, script: &[(&str, &str, &str)]) {
		let mut tracker = ClusterTracker::new(&[0, 1, 2].map(ValidatorIndex), limit);
		let candidate = |c: u8| CandidateHash(headway_primitives::Hash::repeat_byte(c));
		for (i, (verb, arg, expected)) in script.iter().enumerate() {
			let bytes = arg.as_bytes();
			let parsed = || {
				let by = ValidatorIndex((bytes[1] - b'0').into());
				let statement = match bytes[2] {
					b's' => CompactStatement::Seconded(candidate(bytes[0])),
					_ => CompactStatement::Valid(candidate(bytes[0])),
				};
				(by, statement, ValidatorIndex((bytes[3] - b'0').into()))
			};
			let answer = match *verb {
				"recv" => {
					let (by, statement, from) = parsed();
					let answer = tracker.can_receive(from, by, statement);
					if answer.is_ok() {
						tracker.note_received(from, by, statement);
					}
					match answer {
						Ok(accept) => format!("{accept:?}"),
						Err(error) => format!("{error:?}"),
					}
				},
				"send" => {
					let (by, statement, to) = parsed();
					let answer = tracker.can_send(to, by, statement);
					if answer.is_ok() {
						tracker.note_sent(to, by, statement);
					}
					answer.map_or_else(|error| format!("{error:?}"), |()| "Ok".into())
				},
				"issue" => {
					let (by, statement, _) = parsed();
					tracker.note_issued(by, statement);
					"Ok".into()
				},
				"ask" => {
					let who = ValidatorIndex((bytes[1] - b'0').into());
					tracker.can_request(who, candidate(bytes[0])).to_string()
				},
				"pending" => {
					let pending = tracker.pending(ValidatorIndex((bytes[0] - b'0').into()));
					let shown = pending.iter().map(|(by, statement)| {
						let kind = if matches!(statement, CompactStatement::Seconded(_)) { 's' } else { 'v' };
						format!("{}{}{kind}", statement.candidate_hash().0 .0[0] as char, by.0)
					});
					shown.collect::<Vec<_>>().join(" ")
				},
				other => panic!("unknown verb {other}"),
			};
			assert_eq!(answer, *expected, "step {i}: {verb} {arg}");
		}
	}

	#[test]
	fn only_members_of_the_group_exchange_statements() {
		run(
			1,
			&[
				("recv", "A9s1", "NotInGroup"),
				("recv", "A1s9", "NotInGroup"),
				("send", "A9s1", "NotInGroup"),
				("send", "A1s9", "NotInGroup"),
			],
		);
	}

	#[test]
	fn a_statement_is_received_once_from_each_member() {
		run(
			2,
			&[
				("recv", "A1s1", "Ok"),
				("recv", "A1s1", "Duplicate"),
				("recv", "A1s2", "Ok"),
				("recv", "A1v2", "Ok"),
				("recv", "A1v2", "Duplicate"),
			],
		);
	}

	#[test]
	fn seconded_beyond_the_limit_is_excessive_from_one_sender_and_prejudiced_from_another() {
		run(
			2,
			&[
				("recv", "A1s1", "Ok"),
				("recv", "B1s1", "Ok"),
				("recv", "C1s1", "ExcessiveSeconded"),
				("recv", "C1s2", "WithPrejudice"),
				("pending", "0", "A1s B1s"),
				("send", "C1s0", "ExcessiveSeconded"),
				("recv", "A1s2", "Ok"),
				("recv", "B1s2", "ExcessiveSeconded"),
			],
		);
	}

	#[test]
	fn a_limit_of_zero_makes_every_seconded_excessive() {
		run(0, &[("recv", "A1s1", "ExcessiveSeconded"), ("send", "A0s1", "ExcessiveSeconded")]);
	}

	#[test]
	fn valid_needs_knowledge_of_the_candidate() {
		run(
			2,
			&[
				("recv", "A2v1", "CandidateUnknown"),
				("send", "A2v1", "CandidateUnknown"),
				// We told member 1, so it may vote.
				("send", "A0s1", "Ok"),
				("recv", "A1v1", "Ok"),
				// Member 2 seconded it, though it did not say so itself.
				("recv", "B2s1", "Ok"),
				("recv", "B2v2", "Ok"),
				("send", "B1v2", "Ok"),
			],
		);
	}

	#[test]
	fn nothing_is_sent_twice_or_back() {
		run(
			2,
			&[
				("send", "A0s1", "Ok"),
				("send", "A0s1", "Known"),
				("recv", "A1v1", "Ok"),
				("send", "A1v1", "Known"),
				("send", "A0s2", "Ok"),
				("send", "A1v2", "Ok"),
			],
		);
	}

	#[test]
	fn what_was_sent_counts_against_the_limit_for_all_targets() {
		run(
			1,
			&[
				("send", "A0s1", "Ok"),
				("send", "B0s2", "ExcessiveSeconded"),
				("send", "A0s2", "Ok"),
				("send", "B1s2", "Ok"),
			],
		);
	}

	#[test]
	fn only_those_that_we_told_and_that_did_not_tell_us_may_ask() {
		run(
			2,
			&[
				("ask", "A1", "false"),
				("send", "A0s1", "Ok"),
				("ask", "A1", "true"),
				("ask", "A2", "false"),
				("ask", "A9", "false"),
				("recv", "A1s1", "Ok"),
				("ask", "A1", "false"),
			],
		);
	}

	#[test]
	fn pending_statements_are_seconded_first_and_cleared_by_sending_and_receiving() {
		run(
			2,
			&[
				("issue", "A0v0", "Ok"),
				("issue", "A0s0", "Ok"),
				("issue", "B0s0", "Ok"),
				("pending", "1", "A0s B0s A0v"),
				("send", "A0s1", "Ok"),
				("pending", "1", "B0s A0v"),
				("recv", "A0v1", "Ok"),
				("pending", "1", "B0s"),
				("pending", "2", "A0s B0s A0v"),
			],
		);
	}
}
