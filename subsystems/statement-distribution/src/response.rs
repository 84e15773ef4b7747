//! Judging the answer to a request for a candidate (backing pipeline §4.8).

use crate::{
	filter::{self, Kind},
	parent::ParentState,
	requests::InFlight,
	votes::Votes,
};
use headway_machine::{wire::AttestedCandidateResponse, Reason, Reputation, Verifier};
use headway_primitives::{ump, CandidateDescriptorVersion, GroupIndex, SignedStatement};

/// An answer that is good for nothing; the candidate has to be asked for again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Invalid {
	/// What it costs.
	pub(crate) change: Reputation,
	/// Why.
	pub(crate) reason: Reason,
}

/// An answer that brought the candidate.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Complete {
	/// Statements that are good.
	pub(crate) statements: Vec<SignedStatement>,
	/// What each statement and the response is worth.
	pub(crate) changes: Vec<Reputation>,
	/// Why statements were left out.
	pub(crate) rejected: Vec<Reason>,
}

/// Judges an answer to a request at the scheduling parent `parent`.
pub(crate) fn judge(
	verifier: &dyn Verifier,
	parent: &ParentState,
	request: &InFlight,
	response: &AttestedCandidateResponse,
) -> Result<Complete, Invalid> {
	judge_candidate(parent, request, response)?;
	let group = request.id.group;
	let mut complete = judge_statements(verifier, parent, request, response);
	if !parent.is_local_group(group)
		&& !votes_of(parent, group, &complete.statements).back(parent.threshold(group))
	{
		let change = Reputation::CostMajor("response with too few statements");
		return Err(Invalid { change, reason: Reason::TooFewVotes });
	}
	complete.changes.push(Reputation::BenefitMajor("candidate response"));
	Ok(complete)
}

fn judge_candidate(
	parent: &ParentState,
	request: &InFlight,
	response: &AttestedCandidateResponse,
) -> Result<(), Invalid> {
	let invalid = |reason| {
		let change = match reason {
			Reason::UmpSignals => Reputation::CostMajor("candidate with invalid UMP signals"),
			Reason::SessionMismatch => Reputation::CostMajor("candidate of another scheduling session"),
			_ => Reputation::CostMajor("invalid candidate response"),
		};
		Err(Invalid { change, reason })
	};
	let (receipt, id) = (&response.candidate_receipt, &request.id);
	let descriptor = &receipt.descriptor;
	if descriptor.scheduling_parent() != id.scheduling_parent {
		return invalid(Reason::CandidateMismatch);
	}
	if response.persisted_validation_data.hash() != descriptor.persisted_validation_data_hash {
		return invalid(Reason::ValidationDataMismatch);
	}
	if !parent.is_assigned(id.group, descriptor.para_id) {
		return invalid(Reason::ParaNotScheduled);
	}
	if receipt.hash() != id.candidate {
		return invalid(Reason::CandidateMismatch);
	}
	if ump::parse_ump_signals(receipt, &parent.block.transposed_claim_queue).is_err() {
		return invalid(Reason::UmpSignals);
	}
	let names_session =
		matches!(descriptor.version(), CandidateDescriptorVersion::V2 | CandidateDescriptorVersion::V3);
	if names_session && descriptor.scheduling_session() != Some(parent.block.session.index) {
		return invalid(Reason::SessionMismatch);
	}
	Ok(())
}

fn judge_statements(
	verifier: &dyn Verifier,
	parent: &ParentState,
	request: &InFlight,
	response: &AttestedCandidateResponse,
) -> Complete {
	let group = request.id.group;
	let group_size = parent.groups.get(group).map_or(0, <[_]>::len);
	let mut complete = Complete { statements: Vec::new(), changes: Vec::new(), rejected: Vec::new() };
	let mut seen = Votes::none(group_size);
	// A member makes at most two statements; whatever is beyond is not looked at.
	for statement in response.statements.iter().take(2 * group_size) {
		let kind = Kind::of(&statement.payload);
		let of_candidate = statement.payload.candidate_hash() == request.id.candidate;
		let position = match parent.groups.locate(statement.validator_index) {
			Some((of, position)) if of == group && of_candidate => Some(position),
			_ => None,
		};
		// The mask covers it, but its sender may not know yet that the validator is disabled.
		if position.is_some() && parent.block.is_disabled(statement.validator_index) {
			complete.rejected.push(Reason::DisabledValidator);
			continue;
		}
		let wanted = position.filter(|position| {
			!filter::contains(&request.mask, *position, kind) && !seen.contains(*position, kind)
		});
		let Some(position) = wanted else {
			complete.changes.push(Reputation::CostMajor("statement that was not asked for"));
			complete.rejected.push(Reason::UnexpectedMessage);
			continue;
		};
		let Some(checked) = parent.check(verifier, statement.clone()) else {
			complete.changes.push(Reputation::CostMajor("statement with invalid signature"));
			complete.rejected.push(Reason::InvalidSignature);
			continue;
		};
		seen.insert(position, kind);
		complete.changes.push(Reputation::BenefitMajor("statement in a response"));
		complete.statements.push(checked);
	}
	complete
}

fn votes_of(parent: &ParentState, group: GroupIndex, statements: &[SignedStatement]) -> Votes {
	let mut votes = Votes::none(parent.groups.get(group).map_or(0, <[_]>::len));
	for statement in statements {
		if let Some((_, position)) = parent.groups.locate(statement.validator_index()) {
			votes.insert(position, Kind::of(statement.payload()));
		}
	}
	votes
}
