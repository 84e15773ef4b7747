//! Relay parents that only the runtime knows: what is asked, and which operations wait for the answer.

use crate::{
	candidate::{Candidate, Hypothetical},
	Effect,
};
use headway_machine::{Effects, MembershipQuery, Sizes, Token, Tokens, ValidationDataQuery};
use headway_primitives::{constraints::RelayParentInfo, Hash, SessionIndex};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// Most operations that wait for an answer.
pub const MAX_PARKED: usize = 512;
/// Most questions that are open.
pub const MAX_QUESTIONS: usize = 1024;

/// Whether `relay_parent`, with children in the session, is an allowed relay parent at `at`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Question {
	pub(crate) at: Hash,
	pub(crate) session_index: SessionIndex,
	pub(crate) relay_parent: Hash,
}

/// What an operation learnt while it waited.
pub(crate) type Answers = BTreeMap<Question, Option<RelayParentInfo>>;

/// Something that may have to wait until a relay parent is known.
#[derive(Debug)]
pub(crate) enum Operation {
	/// Introduces a candidate.
	Introduce { token: Token, candidate: Arc<Candidate> },
	/// Answers where candidates could be added; `candidates` are those of the query.
	Membership { query: MembershipQuery, candidates: Vec<Hypothetical> },
	/// Answers the validation data of a candidate.
	ValidationData(ValidationDataQuery),
}

impl Operation {
	pub(crate) fn membership(query: MembershipQuery) -> Self {
		Self::Membership { candidates: query.candidates.iter().map(Hypothetical::from).collect(), query }
	}
}

/// An operation that waits.
#[derive(Debug)]
pub(crate) struct Parked {
	pub(crate) operation: Operation,
	pub(crate) answers: Answers,
	waits_for: BTreeSet<Question>,
}

/// Open questions and the operations that wait for them.
///
/// # Bounds
///
/// | container | bound |
/// |---|---|
/// | parked | [`MAX_PARKED`]; beyond, an operation goes on as if nobody knew the relay parent |
/// | open | [`MAX_QUESTIONS`]; the same |
///
/// A validator that wants to fill them has to sign candidates with relay parents of its own invention;
/// statement distribution limits how many it may second. An operation leaves when its questions are answered,
/// or when the blocks that they are about leave the view.
#[derive(Debug, Default)]
pub(crate) struct Questions {
	tokens: Tokens,
	open: BTreeMap<Token, Question>,
	token_of: BTreeMap<Question, Token>,
	/// In the order in which they came.
	parked: BTreeMap<u64, Parked>,
	n_parked: u64,
}

impl Questions {
	/// Number of operations that wait.
	pub(crate) fn n_parked(&self) -> usize {
		self.parked.len()
	}

	/// Notes how full it is.
	pub(crate) fn sizes(&self, sizes: &mut Sizes) {
		sizes.note("parked", self.parked.len(), MAX_PARKED);
		sizes.note("questions", self.open.len(), MAX_QUESTIONS);
		for parked in self.parked.values() {
			sizes.note("waits_for", parked.waits_for.len(), self.open.len());
		}
	}

	/// Lets an operation wait. Gives it back if there is no room.
	pub(crate) fn park(
		&mut self,
		operation: Operation,
		answers: Answers,
		missing: BTreeSet<Question>,
		effects: &mut Effects<Effect>,
	) -> Result<(), (Operation, Answers)> {
		let new = missing.iter().filter(|question| !self.token_of.contains_key(question)).count();
		if self.parked.len() >= MAX_PARKED || self.open.len() + new > MAX_QUESTIONS {
			return Err((operation, answers));
		}
		for question in &missing {
			if self.token_of.contains_key(question) {
				continue;
			}
			let token = self.tokens.next();
			self.open.insert(token, *question);
			self.token_of.insert(*question, token);
			let Question { at, session_index, relay_parent } = *question;
			effects.push(Effect::QueryRelayParentInfo { token, at, session_index, relay_parent });
		}
		self.n_parked += 1;
		self.parked.insert(self.n_parked, Parked { operation, answers, waits_for: missing });
		Ok(())
	}

	/// Takes an answer. Answers the question, and the operations that can go on; none if it was not (or no
	/// more) asked.
	pub(crate) fn answer(
		&mut self,
		token: Token,
		info: Option<RelayParentInfo>,
	) -> Option<(Question, Vec<Parked>)> {
		let question = self.open.remove(&token)?;
		self.token_of.remove(&question);
		for parked in self.parked.values_mut() {
			if parked.waits_for.remove(&question) {
				parked.answers.insert(question, info);
			}
		}
		Some((question, self.take_ready()))
	}

	/// Forgets questions about blocks that left the view. Answers the operations that can go on.
	pub(crate) fn forget(&mut self, in_view: impl Fn(&Hash) -> bool) -> Vec<Parked> {
		self.open.retain(|_, question| in_view(&question.at));
		self.token_of.retain(|question, _| in_view(&question.at));
		for parked in self.parked.values_mut() {
			parked.waits_for.retain(|question| in_view(&question.at));
		}
		self.take_ready()
	}

	fn take_ready(&mut self) -> Vec<Parked> {
		let ready: Vec<u64> =
			self.parked.iter().filter(|(_, parked)| parked.waits_for.is_empty()).map(|(id, _)| *id).collect();
		ready.iter().filter_map(|id| self.parked.remove(id)).collect()
	}
}
