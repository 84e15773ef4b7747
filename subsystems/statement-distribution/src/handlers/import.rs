//! Candidates that became known in full, and what backing gets of them (backing pipeline §4.8, §4.9).

use super::{About, Ctx};
use crate::{candidates::Reckoning, Effect, StatementDistribution};
use headway_machine::{
	HypotheticalCandidate, Membership, MembershipQuery, Reason, Reputation, StatementWithPvd,
};
use headway_primitives::{CandidateHash, CompactStatement, Hash, Statement};

impl StatementDistribution {
	/// A candidate was confirmed, and the statements that came with it are stored.
	pub(super) fn on_confirmed(&mut self, ctx: &mut Ctx, candidate: CandidateHash, reckoning: Reckoning) {
		for peer in reckoning.incorrect {
			ctx.dropped(About::candidate(candidate), Reason::CandidateMismatch);
			ctx.report(&peer, Reputation::CostMajor("claim contradicts the candidate"));
		}
		self.requests.remove_candidate(candidate);
		let Some(confirmed) = self.candidates.confirmed(candidate) else { return };
		let (scheduling_parent, group) = (confirmed.scheduling_parent(), confirmed.group);
		let hypothetical = confirmed.hypothetical();
		let nothing = headway_machine::wire::StatementFilter::blank(0);
		let stored = self.parents.get(&scheduling_parent).map(|parent| {
			let statements = parent.store.group_statements(group, candidate, &nothing);
			statements
				.map(|statement| (statement.validator_index(), *statement.payload()))
				.collect::<Vec<_>>()
		});
		for (originator, statement) in stored.into_iter().flatten() {
			self.circulate(ctx, &scheduling_parent, originator, statement);
		}
		self.query_membership(ctx, vec![hypothetical], None);
	}

	/// Asks prospective parachains where candidates could be added.
	pub(super) fn query_membership(
		&mut self,
		ctx: &mut Ctx,
		candidates: Vec<HypotheticalCandidate>,
		leaf: Option<Hash>,
	) {
		if !candidates.is_empty() {
			let token = self.tokens.next();
			self.queries.insert(token);
			ctx.effects.push(Effect::Membership(MembershipQuery { token, candidates, leaf }));
		}
	}

	pub(crate) fn on_membership(&mut self, ctx: &mut Ctx, answer: Membership) {
		if !self.queries.remove(&answer.token) {
			return;
		}
		for (hypothetical, leaves) in answer.leaves {
			let candidate = hypothetical.candidate_hash();
			for leaf in leaves.into_iter().filter(|leaf| self.view.is_leaf(leaf)) {
				self.candidates.note_importable(candidate, leaf);
			}
			self.send_to_backing(ctx, candidate);
		}
	}

	/// Hands backing the statements of a candidate that it does not have, if the candidate could be added anywhere.
	pub(super) fn send_to_backing(&mut self, ctx: &mut Ctx, candidate: CandidateHash) {
		let Some(confirmed) =
			self.candidates.confirmed(candidate).filter(|confirmed| confirmed.is_importable())
		else {
			return;
		};
		let scheduling_parent = confirmed.scheduling_parent();
		let Some(parent) = self.parents.get_mut(&scheduling_parent) else { return };
		for statement in parent.store.take_fresh_for_backing(confirmed.group, candidate) {
			// Both forms sign the same bytes, and the candidate's hash was compared when it was confirmed.
			let (statement, validation_data) = match statement.payload() {
				CompactStatement::Seconded(_) => {
					let receipt = confirmed.receipt.as_ref().clone();
					let full = statement.map_payload(|_| Statement::Seconded(receipt));
					(full, Some(confirmed.validation_data.clone()))
				},
				CompactStatement::Valid(_) => (statement.map_payload(|_| Statement::Valid(candidate)), None),
			};
			let statement = StatementWithPvd { statement, validation_data };
			ctx.effects.push(Effect::Statement { scheduling_parent, statement });
		}
	}
}
