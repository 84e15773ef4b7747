//! Fetching candidates that peers told us of (backing pipeline §4.8).

use super::{About, Ctx, Refusal};
use crate::{
	filter::{self, Kind},
	parent::ParentState,
	peers::Peers,
	requests::{InFlight, RequestId},
	response,
	sessions::Session,
	votes::Votes,
	Effect, StatementDistribution,
};
use codec::DecodeAll;
use headway_machine::{
	wire::{AttestedCandidateRequest, AttestedCandidateResponse, Request, StatementFilter},
	NetworkEffect, PeerId, Reason, Recipient, RequestError, Token,
};
use std::sync::Arc;

impl StatementDistribution {
	/// Sends the requests that may be sent now.
	pub(super) fn send_requests(&mut self, ctx: &mut Ctx) {
		for id in self.requests.take_due() {
			if self.requests.is_full() {
				return;
			}
			let Some(parent) = self.parents.get(&id.scheduling_parent) else { continue };
			let Some(session) = self.sessions.get(parent.session) else { continue };
			let mask = request_mask(parent, &id);
			let peers = &self.peers;
			let unwanted = Votes::from(&mask);
			let offers = |peer: &PeerId| offers(parent, session, peers, peer, &id, &unwanted);
			let Some(peer) = self.requests.next_source(ctx.now, &id, offers) else { continue };
			let token = self.tokens.next();
			self.requests.sent(token, InFlight { id, peer: peer.clone(), mask: mask.clone() });
			let request =
				Request::AttestedCandidate(AttestedCandidateRequest { candidate_hash: id.candidate, mask });
			let recipient = Recipient::Peer(peer);
			ctx.effects.push(Effect::Network(NetworkEffect::Request { token, recipient, request }));
		}
	}

	pub(crate) fn on_response(&mut self, ctx: &mut Ctx, token: Token, result: Result<Vec<u8>, RequestError>) {
		let Some(request) = self.requests.returned(token) else {
			ctx.dropped(About::default(), Reason::UnexpectedMessage);
			return;
		};
		let about = About::new(request.id.scheduling_parent, request.id.candidate);
		if !self.requests.contains(&request.id) {
			// Its scheduling parent is gone, or another request brought the candidate.
			match self.candidates.confirmed(request.id.candidate) {
				Some(_) => ctx.duplicate(about),
				None => ctx.dropped(about, Reason::OutOfView),
			}
			return;
		}
		if let Err(refusal) = self.accept_response(ctx, &request, result) {
			self.requests.failed(ctx.now, &request);
			ctx.refuse(&request.peer, about, refusal);
		}
	}

	fn accept_response(
		&mut self,
		ctx: &mut Ctx,
		request: &InFlight,
		result: Result<Vec<u8>, RequestError>,
	) -> Result<(), Refusal> {
		let bytes = result.map_err(|error| {
			Refusal::silent(match error {
				RequestError::Timeout => Reason::FetchTimeout,
				_ => Reason::FetchFailed,
			})
		})?;
		let malformed = Refusal::major(Reason::MalformedMessage, "undecodable candidate response");
		let response = AttestedCandidateResponse::decode_all(&mut &bytes[..]).map_err(|_| malformed)?;
		let RequestId { scheduling_parent, candidate, group } = request.id;
		let parent = self.parents.get_mut(&scheduling_parent).ok_or(Refusal::silent(Reason::OutOfView))?;
		let complete = response::judge(self.verifier.as_ref(), parent, request, &response)
			.map_err(|invalid| Refusal { reason: invalid.reason, change: Some(invalid.change) })?;
		for statement in complete.statements {
			let (originator, payload) = (statement.validator_index(), *statement.payload());
			parent.store.insert(statement, false);
			if let Some(cluster) = parent.cluster_of(group) {
				cluster.tracker.note_issued(originator, payload);
			}
		}
		let about = About::new(scheduling_parent, candidate);
		complete.rejected.into_iter().for_each(|reason| ctx.dropped(about, reason));
		for change in complete.changes {
			ctx.report(&request.peer, change);
		}
		let receipt = Arc::new(response.candidate_receipt);
		let validation_data = Arc::new(response.persisted_validation_data);
		if let Some(reckoning) = self.candidates.confirm(candidate, receipt, validation_data, group) {
			self.on_confirmed(ctx, candidate, reckoning);
		}
		Ok(())
	}
}

/// Statements that we do not want: those of disabled validators, and proposals of those that proposed enough.
fn request_mask(parent: &ParentState, id: &RequestId) -> StatementFilter {
	let members = parent.groups.get(id.group).unwrap_or_default();
	let limit = parent.seconding_limit(id.group);
	let mut mask = StatementFilter::blank(members.len());
	for (position, member) in members.iter().enumerate() {
		let disabled = parent.block.is_disabled(*member);
		let exhausted = parent.store.seconded_count(*member) >= limit;
		filter::set(&mut mask, position, Kind::Seconded, disabled || exhausted);
		filter::set(&mut mask, position, Kind::Valid, disabled);
	}
	mask
}

/// Whether a peer is worth asking: it is connected and, as one of its validators, told us of the candidate. Of another
/// group's candidate it must have enough statements that we want.
fn offers(
	parent: &ParentState,
	session: &Session,
	peers: &Peers,
	peer: &PeerId,
	id: &RequestId,
	unwanted: &Votes,
) -> bool {
	let local = parent.cluster.as_ref().filter(|cluster| cluster.group == id.group);
	peers.validators(peer, session).into_iter().any(|validator| {
		if let Some(cluster) = local {
			if cluster.tracker.knows_candidate(validator, id.candidate) {
				return true;
			}
		}
		let manifest = parent.grid.advertised(validator, id.candidate);
		manifest.filter(|manifest| manifest.group == id.group).is_some_and(|manifest| {
			local.is_some() || manifest.knowledge.minus(unwanted).back(parent.threshold(id.group))
		})
	})
}
