//! Statements: those of peers (backing pipeline §4.6) and our own (§4.11).

use super::{About, Ctx, Refusal};
use crate::{
	candidates::Claim,
	cluster::{Accept, RejectIncoming},
	filter::Kind,
	parent::ParentState,
	peers::Peers,
	requests::{Origin, RequestId},
	sessions::Session,
	store::Inserted,
	StatementDistribution,
};
use headway_machine::{PeerId, Reason, Reputation, StatementWithPvd, Verifier};
use headway_primitives::{
	CompactStatement, GroupIndex, Hash, SignedStatement, Statement, UncheckedSigned, ValidatorIndex,
};
use std::sync::Arc;

/// A statement that came from somebody who may send it.
enum Accepted {
	/// To be imported.
	Import(SignedStatement),
	/// Good, but there is nothing more to do than to reward it.
	Known,
	/// Nothing to do.
	Ignore,
}

impl StatementDistribution {
	pub(super) fn on_statement(
		&mut self,
		ctx: &mut Ctx,
		peer: &PeerId,
		scheduling_parent: Hash,
		statement: UncheckedSigned<CompactStatement>,
	) {
		let about = About::new(scheduling_parent, statement.payload.candidate_hash());
		if let Err(refusal) = self.accept_statement(ctx, peer, scheduling_parent, statement) {
			ctx.refuse(peer, about, refusal);
		}
	}

	fn accept_statement(
		&mut self,
		ctx: &mut Ctx,
		peer: &PeerId,
		scheduling_parent: Hash,
		statement: UncheckedSigned<CompactStatement>,
	) -> Result<(), Refusal> {
		let about = About::new(scheduling_parent, statement.payload.candidate_hash());
		let unknown =
			Refusal::minor(Reason::UnknownSchedulingParent, "statement for unknown scheduling parent");
		let parent = self.parents.get_mut(&scheduling_parent).ok_or(unknown)?;
		let originator = statement.validator_index;
		if parent.block.is_disabled(originator) {
			return Err(Refusal::minor(Reason::DisabledValidator, "statement of a disabled validator"));
		}
		let session = self.sessions.get(parent.session);
		let session = session.ok_or(Refusal::silent(Reason::UnknownSession))?;
		if session.local_index().is_none() {
			// Before the topology is known, the peer may know better than we who we are.
			return Err(match session.grid {
				Some(_) => Refusal::minor(Reason::NotValidator, "statement to a node that is no validator"),
				None => Refusal::silent(Reason::NotValidator),
			});
		}
		let no_group = Refusal::minor(Reason::NotAssigned, "statement of a validator without group");
		let place = parent.groups.locate(originator).ok_or(no_group)?;
		let verifier = self.verifier.as_ref();
		let accepted =
			match receive_in_cluster(verifier, parent, session, &self.peers, peer, place.0, &statement) {
				Some(accepted) => accepted?,
				None => receive_in_grid(verifier, parent, session, &self.peers, peer, place, statement)?,
			};
		match accepted {
			Accepted::Import(checked) => self.import_statement(ctx, peer, scheduling_parent, place, checked),
			Accepted::Known => {
				ctx.duplicate(about);
				ctx.report(peer, Reputation::BenefitMajor("known statement"));
				Ok(())
			},
			Accepted::Ignore => {
				ctx.dropped(about, Reason::CapacityReached);
				Ok(())
			},
		}
	}

	fn import_statement(
		&mut self,
		ctx: &mut Ctx,
		peer: &PeerId,
		scheduling_parent: Hash,
		(group, position): (GroupIndex, usize),
		checked: SignedStatement,
	) -> Result<(), Refusal> {
		let (originator, statement) = (checked.validator_index(), *checked.payload());
		let candidate = statement.candidate_hash();
		let claim = Claim { scheduling_parent, group, parent_and_para: None };
		if self.candidates.claim(peer, candidate, claim).is_err() {
			return Err(Refusal::minor(Reason::CandidateMismatch, "statement contradicts the candidate"));
		}
		let Some(parent) = self.parents.get_mut(&scheduling_parent) else { return Ok(()) };
		if self.candidates.confirmed(candidate).is_none() {
			let origin = if parent.is_local_group(group) { Origin::Cluster } else { Origin::Unspecified };
			self.requests.add_source(RequestId { scheduling_parent, candidate, group }, origin, peer);
		}
		if parent.store.insert(checked, false) != Inserted::Fresh {
			ctx.duplicate(About::new(scheduling_parent, candidate));
			ctx.report(peer, Reputation::BenefitMajor("known statement"));
			return Ok(());
		}
		parent.grid.learned(candidate, group, position, Kind::of(&statement));
		ctx.report(peer, Reputation::BenefitMajorFirst("new statement"));
		self.send_to_backing(ctx, candidate);
		self.circulate(ctx, &scheduling_parent, originator, statement);
		Ok(())
	}

	pub(crate) fn on_share(&mut self, ctx: &mut Ctx, scheduling_parent: Hash, statement: StatementWithPvd) {
		let about = About::new(scheduling_parent, statement.candidate_hash());
		if let Err(reason) = self.share(ctx, scheduling_parent, statement) {
			ctx.dropped(about, reason);
		}
	}

	fn share(
		&mut self,
		ctx: &mut Ctx,
		scheduling_parent: Hash,
		shared: StatementWithPvd,
	) -> Result<(), Reason> {
		let parent = self.parents.get_mut(&scheduling_parent).ok_or(Reason::UnknownSchedulingParent)?;
		let cluster = parent.cluster.as_ref().ok_or(Reason::NotValidator)?;
		let (local, group) = (cluster.local, cluster.group);
		if shared.validator_index() != local {
			return Err(Reason::NotValidator);
		}
		let (candidate, compact) = (shared.candidate_hash(), shared.to_compact());
		let statement = *compact.payload();
		let (para, of_parent) = match shared.statement.payload() {
			Statement::Seconded(receipt) => {
				(receipt.descriptor.para_id, receipt.descriptor.scheduling_parent())
			},
			Statement::Valid(_) => {
				let confirmed = self.candidates.confirmed(candidate).ok_or(Reason::CandidateMismatch)?;
				(confirmed.para(), confirmed.scheduling_parent())
			},
		};
		if !parent.is_assigned(group, para) {
			return Err(Reason::ParaNotScheduled);
		}
		if of_parent != scheduling_parent {
			return Err(Reason::CandidateMismatch);
		}
		if parent.store.get(local, &statement).is_some() {
			return Err(Reason::DuplicateMessage);
		}
		if Kind::of(&statement) == Kind::Seconded
			&& parent.store.seconded_count(local) >= parent.seconding_limit(group)
		{
			return Err(Reason::CapacityReached);
		}
		let seconded = match (shared.statement.payload(), &shared.validation_data) {
			(Statement::Seconded(receipt), Some(data)) => Some((Arc::new(receipt.clone()), data.clone())),
			(Statement::Seconded(_), None) => return Err(Reason::ValidationDataMismatch),
			(Statement::Valid(_), _) => None,
		};
		parent.store.insert(compact, true);
		if let Some((_, position)) = parent.groups.locate(local) {
			parent.grid.learned(candidate, group, position, Kind::of(&statement));
		}
		if let Some(cluster) = parent.cluster.as_mut() {
			cluster.tracker.note_issued(local, statement);
		}
		let reckoning = seconded.and_then(|(receipt, validation_data)| {
			self.candidates.confirm(candidate, receipt, validation_data, group)
		});
		match reckoning {
			Some(reckoning) => self.on_confirmed(ctx, candidate, reckoning),
			None => self.circulate(ctx, &scheduling_parent, local, statement),
		}
		Ok(())
	}
}

/// Takes a statement of our group from a member of our group. None: it is none of that kind.
fn receive_in_cluster(
	verifier: &dyn Verifier,
	parent: &mut ParentState,
	session: &Session,
	peers: &Peers,
	peer: &PeerId,
	group: GroupIndex,
	statement: &UncheckedSigned<CompactStatement>,
) -> Option<Result<Accepted, Refusal>> {
	let cluster = parent.cluster_of(group)?;
	let sender =
		peers.validators(peer, session).into_iter().find(|sender| cluster.tracker.contains(*sender))?;
	let originator = statement.validator_index;
	let accept = match cluster.tracker.can_receive(sender, originator, statement.payload) {
		Ok(accept) => accept,
		Err(RejectIncoming::NotInGroup) => return None,
		Err(RejectIncoming::Duplicate) => {
			return Some(Err(Refusal::minor(Reason::DuplicateMessage, "duplicate statement")))
		},
		Err(RejectIncoming::ExcessiveSeconded) => {
			return Some(Err(Refusal::minor(Reason::ExcessiveMessages, "too many candidates seconded")))
		},
		Err(RejectIncoming::CandidateUnknown) => {
			return Some(Err(Refusal::minor(Reason::UnexpectedMessage, "vote on an unknown candidate")))
		},
	};
	let Some(checked) = parent.check(verifier, statement.clone()) else {
		return Some(Err(Refusal::major(Reason::InvalidSignature, "statement with invalid signature")));
	};
	parent.cluster_of(group)?.tracker.note_received(sender, originator, statement.payload);
	Some(Ok(match accept {
		Accept::Ok => Accepted::Import(checked),
		Accept::WithPrejudice => Accepted::Ignore,
	}))
}

/// Takes a statement from a neighbour with whom we exchanged manifests of the candidate.
fn receive_in_grid(
	verifier: &dyn Verifier,
	parent: &mut ParentState,
	session: &Session,
	peers: &Peers,
	peer: &PeerId,
	(group, position): (GroupIndex, usize),
	statement: UncheckedSigned<CompactStatement>,
) -> Result<Accepted, Refusal> {
	let (candidate, kind) = (statement.payload.candidate_hash(), Kind::of(&statement.payload));
	let owned: Vec<ValidatorIndex> = peers.validators(peer, session);
	let providers = parent.grid.statement_providers(&owned, candidate, group, position, kind);
	// One that does not know that we have it is the one that sends it in good faith.
	let provider = providers.iter().find(|provider| !provider.knows_that_we_know).or(providers.first());
	let unexpected = Refusal::minor(Reason::UnexpectedMessage, "unexpected statement");
	let provider = *provider.ok_or(unexpected)?;
	let invalid = Refusal::major(Reason::InvalidSignature, "statement with invalid signature");
	let checked = parent.check(verifier, statement).ok_or(invalid)?;
	parent.grid.note_direct(candidate, position, kind, provider.validator, true);
	Ok(if provider.knows_that_we_know { Accepted::Known } else { Accepted::Import(checked) })
}
