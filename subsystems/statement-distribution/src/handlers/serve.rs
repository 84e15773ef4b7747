//! Answering requests for candidates that we told peers of (backing pipeline §4.10).

use super::{About, Ctx, Refusal};
use crate::{answers::Waiting, filter::Kind, votes::Votes, Effect, StatementDistribution};
use codec::{DecodeAll, Encode};
use headway_machine::{
	wire::{AttestedCandidateRequest, AttestedCandidateResponse, InboundRequest, RequestProtocol},
	InboundRequestId, NetworkEffect, Reason, Reputation,
};
use headway_primitives::ValidatorIndex;

impl StatementDistribution {
	pub(crate) fn on_request(&mut self, ctx: &mut Ctx, inbound: InboundRequest) {
		let InboundRequest { peer, id, protocol, payload } = inbound;
		if protocol != RequestProtocol::AttestedCandidate {
			return reject(ctx, id, About::default(), Refusal::silent(Reason::UnexpectedMessage));
		}
		let Ok(request) = AttestedCandidateRequest::decode_all(&mut &payload[..]) else {
			let refusal = Refusal::major(Reason::MalformedMessage, "undecodable candidate request");
			return reject(ctx, id, About::default(), refusal);
		};
		let about = About::candidate(request.candidate_hash);
		if !self.peers.is_connected(&peer) {
			return reject(ctx, id, about, Refusal::silent(Reason::UnknownPeer));
		}
		if let Err(surplus) = self.answers.admit(Waiting { id, peer, request }) {
			reject(ctx, surplus.id, about, Refusal::silent(Reason::ExcessiveMessages));
		}
	}

	/// Answers the requests whose turn it is.
	pub(super) fn serve_waiting(&mut self, ctx: &mut Ctx) {
		while let Some(waiting) = self.answers.next(ctx.now) {
			match self.serve(&waiting) {
				Ok(response) => respond(ctx, waiting.id, Some(response.encode()), None),
				Err(refusal) => {
					let about = About::candidate(waiting.request.candidate_hash);
					reject(ctx, waiting.id, about, refusal);
				},
			}
		}
	}

	fn serve(&mut self, waiting: &Waiting) -> Result<AttestedCandidateResponse, Refusal> {
		let AttestedCandidateRequest { candidate_hash: candidate, mask } = &waiting.request;
		let unknown = Refusal::silent(Reason::OutOfView);
		if !self.peers.is_connected(&waiting.peer) {
			return Err(Refusal::silent(Reason::UnknownPeer));
		}
		let confirmed = self.candidates.confirmed(*candidate).ok_or(unknown)?;
		let parent = self.parents.get_mut(&confirmed.scheduling_parent()).ok_or(unknown)?;
		let session = self.sessions.get(parent.session).ok_or(unknown)?;
		let group_size = parent.groups.get(confirmed.group).map_or(0, <[_]>::len);
		if !mask.has_len(group_size) {
			return Err(Refusal::major(Reason::MalformedMessage, "request with a mask of wrong length"));
		}
		let tracker = parent.cluster.as_ref().map(|cluster| &cluster.tracker);
		let allowed = |validator: ValidatorIndex| {
			if tracker.is_some_and(|tracker| tracker.can_request(validator, *candidate)) {
				Some((validator, true))
			} else {
				parent.grid.can_request(validator, *candidate).then_some((validator, false))
			}
		};
		let owned = self.peers.validators(&waiting.peer, session);
		let unexpected = Refusal::major(Reason::UnexpectedMessage, "unexpected candidate request");
		let (validator, in_cluster) = owned.into_iter().find_map(allowed).ok_or(unexpected)?;
		let statements: Vec<_> = parent
			.store
			.group_statements(confirmed.group, *candidate, mask)
			.map(|statement| statement.as_unchecked().clone())
			.collect();
		let mut sent = Votes::none(group_size);
		let places = statements.iter().filter_map(|statement| {
			let (_, position) = parent.groups.locate(statement.validator_index)?;
			Some((position, Kind::of(&statement.payload)))
		});
		places.for_each(|(position, kind)| sent.insert(position, kind));
		if !in_cluster && !sent.back(parent.threshold(confirmed.group)) {
			return Err(Refusal::silent(Reason::TooFewVotes));
		}
		match parent.cluster.as_mut().filter(|_| in_cluster) {
			Some(cluster) => statements.iter().for_each(|statement| {
				cluster.tracker.note_sent(validator, statement.validator_index, statement.payload);
			}),
			None => sent.iter().for_each(|(position, kind)| {
				parent.grid.note_direct(*candidate, position, kind, validator, false);
			}),
		}
		Ok(AttestedCandidateResponse {
			candidate_receipt: confirmed.receipt.as_ref().clone(),
			persisted_validation_data: confirmed.validation_data.as_ref().clone(),
			statements,
		})
	}
}

fn respond(ctx: &mut Ctx, id: InboundRequestId, response: Option<Vec<u8>>, reputation: Option<Reputation>) {
	ctx.effects.push(Effect::Network(NetworkEffect::Respond { id, response, reputation }));
}

fn reject(ctx: &mut Ctx, id: InboundRequestId, about: About, refusal: Refusal) {
	ctx.dropped(about, refusal.reason);
	respond(ctx, id, None, refusal.change);
}
