//! Answers to validators that want a collation.

use super::{
	tracking::Tracker, Collations, CollatorSide, Effect, NAME, UPLOAD_SWITCH_TIMEOUT, WAITING_UPLOADS_MAX,
};
use codec::{DecodeAll, Encode};
use headway_machine::{
	wire::{CollationRequestV2, CollationRequestV3, InboundRequest, RequestProtocol},
	BuiltCandidate, Effects, InboundRequestId, NetworkEffect, PeerId, Reason, Reputation, Stage, Timestamp,
	Trace,
};
use headway_primitives::{CandidateHash, Hash, ParaId};
use std::collections::VecDeque;

/// Uploads at one scheduling parent: one at a time, so that each validator gets its copy as early as
/// bandwidth allows.
#[derive(Debug, Default)]
pub(super) struct Uploads {
	/// The one that keeps others waiting, and until when at most.
	active: Option<(Upload, Timestamp)>,
	waiting: VecDeque<Upload>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Upload {
	id: InboundRequestId,
	peer: PeerId,
	candidate_hash: CandidateHash,
	protocol: RequestProtocol,
}

impl Uploads {
	pub(super) fn waiting_len(&self) -> usize {
		self.waiting.len()
	}

	pub(super) fn deadline(&self) -> Option<Timestamp> {
		self.active.as_ref().map(|(_, until)| *until)
	}

	/// Whether the next one may begin because the active one took its time.
	pub(super) fn switch_if_due(&mut self, now: Timestamp) -> bool {
		self.active.take_if(|(_, until)| *until <= now).is_some()
	}

	fn is_recorded(&self, peer: &PeerId, candidate_hash: &CandidateHash) -> bool {
		let active = self.active.iter().map(|(upload, _)| upload);
		active
			.chain(&self.waiting)
			.any(|upload| upload.peer == *peer && upload.candidate_hash == *candidate_hash)
	}

	/// Refuses those that still wait.
	pub(super) fn refuse_all(self, effects: &mut Effects<Effect>) {
		self.waiting.into_iter().for_each(|upload| respond(upload.id, None, None, effects));
	}
}

/// A request of either version.
struct Wanted {
	scheduling_parent: Hash,
	para: ParaId,
	/// Candidate hash in version 2, hash of the output head in version 3.
	what: Hash,
}

impl CollatorSide {
	pub(super) fn request(&mut self, now: Timestamp, request: InboundRequest, effects: &mut Effects<Effect>) {
		let InboundRequest { peer, id, protocol, payload } = request;
		let drop = |reason| Trace::new(now, NAME, Stage::Dropped(reason));
		let Some(decoded) = decode(protocol, &payload) else {
			effects.trace(drop(Reason::UnexpectedMessage));
			return respond(id, None, None, effects);
		};
		let Ok(wanted) = decoded else {
			effects.trace(drop(Reason::MalformedMessage));
			let change = Reputation::CostMajor("request for a collation does not decode");
			return respond(id, None, Some(change), effects);
		};
		let at = wanted.scheduling_parent;
		let found = self.blocks.get_mut(&at).filter(|_| self.para == Some(wanted.para)).and_then(|stored| {
			let candidate_hash = match protocol {
				RequestProtocol::CollationV3 => *stored.by_output_head.get(&wanted.what)?,
				_ => CandidateHash(wanted.what),
			};
			stored.candidates.contains_key(&candidate_hash).then_some((stored, candidate_hash))
		});
		let Some((stored, candidate_hash)) = found else {
			effects.trace(drop(Reason::UnknownSchedulingParent).para(wanted.para).scheduling_parent(at));
			return respond(id, None, None, effects);
		};
		if stored.uploads.is_recorded(&peer, &candidate_hash) {
			effects.trace(
				drop(Reason::DuplicateMessage)
					.candidate(candidate_hash)
					.para(wanted.para)
					.scheduling_parent(at),
			);
			let change = Reputation::CostMinor("collation requested again while it is being sent");
			return respond(id, None, Some(change), effects);
		}
		if stored.uploads.waiting.len() >= WAITING_UPLOADS_MAX {
			effects.trace(
				drop(Reason::CapacityReached)
					.candidate(candidate_hash)
					.para(wanted.para)
					.scheduling_parent(at),
			);
			return respond(id, None, None, effects);
		}
		stored.uploads.waiting.push_back(Upload { id, peer, candidate_hash, protocol });
		stored.serve_next(now, &at, &mut self.tracker, effects);
	}

	/// An upload is done.
	pub(super) fn sent(&mut self, now: Timestamp, id: InboundRequestId, effects: &mut Effects<Effect>) {
		for (at, stored) in &mut self.blocks {
			if stored.uploads.active.take_if(|(upload, _)| upload.id == id).is_some() {
				return stored.serve_next(now, at, &mut self.tracker, effects);
			}
		}
	}
}

impl Collations {
	/// Begins the next upload, unless one is active.
	pub(super) fn serve_next(
		&mut self,
		now: Timestamp,
		at: &Hash,
		tracker: &mut Tracker,
		effects: &mut Effects<Effect>,
	) {
		if self.uploads.active.is_some() {
			return;
		}
		let Some(upload) = self.uploads.waiting.pop_front() else { return };
		// What is served is never removed before its block, with all uploads.
		let Some(collation) = self.candidates.get_mut(&upload.candidate_hash) else { return };
		collation.was_requested = true;
		let para = collation.candidate.receipt.descriptor.para_id;
		effects.trace(
			Trace::new(now, NAME, Stage::Fetched)
				.candidate(upload.candidate_hash)
				.para(para)
				.scheduling_parent(*at),
		);
		tracker.track(now, upload.candidate_hash, para, *at, effects);
		respond(upload.id, Some(response(upload.protocol, &collation.candidate)), None, effects);
		self.uploads.active = Some((upload, now + UPLOAD_SWITCH_TIMEOUT));
	}
}

/// None for protocols that we do not serve.
fn decode(protocol: RequestProtocol, payload: &[u8]) -> Option<Result<Wanted, codec::Error>> {
	match protocol {
		RequestProtocol::CollationV2 => {
			Some(CollationRequestV2::decode_all(&mut &payload[..]).map(|request| Wanted {
				scheduling_parent: request.scheduling_parent,
				para: request.para_id,
				what: request.candidate_hash.0,
			}))
		},
		RequestProtocol::CollationV3 => {
			Some(CollationRequestV3::decode_all(&mut &payload[..]).map(|request| Wanted {
				scheduling_parent: request.scheduling_parent,
				para: request.para_id,
				what: request.output_head_data_hash,
			}))
		},
		_ => None,
	}
}

/// The encoded response, written from references: a proof of validity has up to 10 MiB, and every validator
/// of the group asks for it.
fn response(protocol: RequestProtocol, candidate: &BuiltCandidate) -> Vec<u8> {
	// `CollationResponse::CollationWithParentHeadData` or `CollationResponseV3::Collation`.
	let index: u8 = if protocol == RequestProtocol::CollationV3 { 0 } else { 1 };
	(index, &candidate.receipt, &*candidate.pov, &candidate.parent_head_data).encode()
}

fn respond(
	id: InboundRequestId,
	response: Option<Vec<u8>>,
	reputation: Option<Reputation>,
	effects: &mut Effects<Effect>,
) {
	effects.push(Effect::Network(NetworkEffect::Respond { id, response, reputation }));
}
