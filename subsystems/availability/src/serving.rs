//! Answers to those who want chunks, data or a proof of validity.

use crate::{keys, store::Store, Effect, NAME};
use codec::{Decode, DecodeAll, Encode};
use headway_erasure_coding::ErasureChunk;
use headway_machine::{
	wire::{
		AvailableDataRequest, AvailableDataResponse, ChunkRequest, ChunkResponseV1, ChunkResponseV2,
		InboundRequest, PoVRequest, PoVResponse, RequestProtocol,
	},
	Effects, InboundRequestId, NetworkEffect, Reason, Reputation, Sizes, Stage, Timestamp, Token, Tokens,
	Trace,
};
use headway_primitives::{CandidateHash, PoV};
use std::collections::BTreeMap;

/// Most requests that wait for the database.
pub(crate) const LOADS_MAX: usize = 256;

/// Requests that are being answered.
///
/// # Bounds
///
/// `loads`: [`LOADS_MAX`]; further requests are refused. A peer's share of them is limited by the queues of
/// the network.
#[derive(Default)]
pub(crate) struct Serving {
	loads: BTreeMap<Token, Load>,
}

struct Load {
	id: InboundRequestId,
	kind: Kind,
	candidate: CandidateHash,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
	ChunkV1,
	ChunkV2,
	PoV,
	AvailableData,
}

impl Kind {
	fn nothing(self) -> Vec<u8> {
		match self {
			Self::ChunkV1 => ChunkResponseV1::NoSuchChunk.encode(),
			Self::ChunkV2 => ChunkResponseV2::NoSuchChunk.encode(),
			Self::PoV => PoVResponse::NoSuchPoV.encode(),
			Self::AvailableData => AvailableDataResponse::NoSuchData.encode(),
		}
	}

	/// The response from what is stored; none if that is broken. All of them begin with a 0 and go on with a
	/// part of the stored value.
	fn response(self, value: &[u8]) -> Option<Vec<u8>> {
		match self {
			Self::ChunkV1 => {
				let ErasureChunk { chunk, proof, .. } = ErasureChunk::decode_all(&mut &value[..]).ok()?;
				Some(ChunkResponseV1::Chunk { chunk, proof }.encode())
			},
			Self::ChunkV2 | Self::AvailableData => Some([&[0], value].concat()),
			Self::PoV => {
				let mut rest = value;
				PoV::decode(&mut rest).ok()?;
				Some([&[0], &value[..value.len() - rest.len()]].concat())
			},
		}
	}
}

impl Serving {
	/// Notes how full it is.
	pub(crate) fn sizes(&self, sizes: &mut Sizes) {
		sizes.note("loads", self.loads.len(), LOADS_MAX);
	}

	pub(crate) fn request(
		&mut self,
		now: Timestamp,
		request: InboundRequest,
		store: &Store,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		let InboundRequest { id, protocol, payload, .. } = request;
		let mut refuse = |reason, reputation| {
			effects.trace(Trace::new(now, NAME, Stage::Dropped(reason)));
			respond(id, None, reputation, effects);
		};
		let payload = &mut &payload[..];
		let decoded = match protocol {
			RequestProtocol::ChunkV1 | RequestProtocol::ChunkV2 => {
				let kind = if protocol == RequestProtocol::ChunkV1 { Kind::ChunkV1 } else { Kind::ChunkV2 };
				ChunkRequest::decode_all(payload).map(|ChunkRequest { candidate_hash, index }| {
					let has = store.has_chunk(&candidate_hash, index);
					(kind, candidate_hash, keys::chunk(&candidate_hash, index), has)
				})
			},
			RequestProtocol::PoV => PoVRequest::decode_all(payload).map(|PoVRequest { candidate_hash }| {
				let has = store.has_data(&candidate_hash);
				(Kind::PoV, candidate_hash, keys::available_data(&candidate_hash), has)
			}),
			RequestProtocol::AvailableData => {
				AvailableDataRequest::decode_all(payload).map(|AvailableDataRequest { candidate_hash }| {
					let has = store.has_data(&candidate_hash);
					(Kind::AvailableData, candidate_hash, keys::available_data(&candidate_hash), has)
				})
			},
			_ => return refuse(Reason::UnexpectedMessage, None),
		};
		let Ok((kind, candidate, key, has)) = decoded else {
			let change = Reputation::CostMajor("availability request does not decode");
			return refuse(Reason::MalformedMessage, Some(change));
		};
		if !has {
			return respond(id, Some(kind.nothing()), None, effects);
		}
		if self.loads.len() >= LOADS_MAX {
			return refuse(Reason::CapacityReached, None);
		}
		let token = tokens.next();
		self.loads.insert(token, Load { id, kind, candidate });
		effects.push(Effect::Load { token, key });
	}

	pub(crate) fn loaded(
		&mut self,
		now: Timestamp,
		token: Token,
		value: Option<Vec<u8>>,
		effects: &mut Effects<Effect>,
	) {
		let Some(Load { id, kind, candidate }) = self.loads.remove(&token) else { return };
		let response = value.and_then(|value| kind.response(&value)).unwrap_or_else(|| {
			effects.trace(Trace::new(now, NAME, Stage::Dropped(Reason::StorageFailed)).candidate(candidate));
			kind.nothing()
		});
		respond(id, Some(response), None, effects);
	}
}

fn respond(
	id: InboundRequestId,
	response: Option<Vec<u8>>,
	reputation: Option<Reputation>,
	effects: &mut Effects<Effect>,
) {
	effects.push(Effect::Network(NetworkEffect::Respond { id, response, reputation }));
}
