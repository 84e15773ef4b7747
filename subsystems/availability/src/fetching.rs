//! Gets our own chunks of what occupies cores, and proofs of validity for backing (availability, approval,
//! disputes §3.6).

use crate::{store::Store, Effect, NAME};
use codec::DecodeAll;
use headway_erasure_coding::{chunk_index, ChunkIndex, ErasureChunk};
use headway_machine::{
	wire::{ChunkRequest, ChunkResponseV1, ChunkResponseV2, PoVRequest, PoVResponse, Request},
	Effects, LeafContext, NetworkEffect, Reason, Recipient, RequestError, SessionContext, Sizes, Stage,
	Timestamp, Token, Tokens, Trace,
};
use headway_primitives::{
	AuthorityDiscoveryId, CandidateHash, CoreIndex, CoreState, Hash, OccupiedCore, ParaId, SessionIndex,
	ValidatorIndex,
};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
};

/// What is being fetched.
///
/// # Bounds
///
/// All of it follows from our own leaves and from what backing asks for; a peer adds nothing.
///
/// - `wanted`: the leaves and up to three ancestors of each, one entry per core.
/// - `tasks`, `requests`: one per candidate in `wanted`, with one request at a time.
/// - `povs`: what backing waits for.
/// - `unreliable`: validators of the sessions in `wanted`.
#[derive(Default)]
pub(crate) struct Fetching {
	wanted: BTreeMap<Hash, Vec<Arc<Wanted>>>,
	tasks: BTreeMap<CandidateHash, Task>,
	requests: BTreeMap<Token, CandidateHash>,
	povs: BTreeMap<Token, WantedPov>,
	/// Validators that did not have a chunk, or a wrong one: asked last for the rest of the session.
	unreliable: BTreeMap<SessionIndex, BTreeSet<ValidatorIndex>>,
}

/// A chunk that we should have.
struct Wanted {
	candidate: CandidateHash,
	para: ParaId,
	scheduling_parent: Hash,
	erasure_root: Hash,
	session: Arc<SessionContext>,
	local: ValidatorIndex,
	/// Which chunk is ours.
	chunk_index: ChunkIndex,
	/// Who backed it and so has all chunks.
	backers: Vec<ValidatorIndex>,
}

impl Wanted {
	fn trace(&self, now: Timestamp, stage: Stage) -> Trace {
		let trace = Trace::new(now, NAME, stage).candidate(self.candidate).para(self.para);
		trace.scheduling_parent(self.scheduling_parent)
	}
}

struct Task {
	wanted: Arc<Wanted>,
	token: Token,
	asked: ValidatorIndex,
	/// Who is asked next.
	next: VecDeque<ValidatorIndex>,
}

/// A proof of validity that backing waits for.
pub(crate) struct WantedPov {
	pub(crate) question: Token,
	pub(crate) candidate_hash: CandidateHash,
	pub(crate) pov_hash: Hash,
	pub(crate) scheduling_parent: Hash,
	pub(crate) para: ParaId,
}

impl Fetching {
	/// Takes note of all active leaves: begins to fetch what they need, and stops what they do not.
	pub(crate) fn leaves(
		&mut self,
		now: Timestamp,
		leaves: &BTreeMap<Hash, Arc<LeafContext>>,
		store: &Store,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		let needed =
			leaves.values().flat_map(|leaf| leaf.recent_ancestors.iter().copied().chain([leaf.hash()]));
		let needed: BTreeSet<Hash> = needed.collect();
		self.wanted.retain(|block, _| needed.contains(block));
		for (hash, leaf) in leaves {
			self.wanted.entry(*hash).or_insert_with(|| wanted_at(leaf));
		}

		let all: BTreeMap<CandidateHash, Arc<Wanted>> =
			self.wanted.values().flatten().map(|wanted| (wanted.candidate, wanted.clone())).collect();
		let requests = &mut self.requests;
		self.tasks.retain(|candidate, task| {
			let keep = all.contains_key(candidate);
			if !keep {
				requests.remove(&task.token);
				effects.trace(task.wanted.trace(now, Stage::Dropped(Reason::OutOfView)));
			}
			keep
		});
		let sessions: BTreeSet<SessionIndex> = all.values().map(|wanted| wanted.session.index).collect();
		self.unreliable.retain(|session, _| sessions.contains(session));

		for (candidate, wanted) in all {
			if !self.tasks.contains_key(&candidate) && !store.expects_chunk(&candidate, wanted.local) {
				let next = self.order(&wanted);
				self.ask_next(now, wanted, next, tokens, effects);
			}
		}
	}

	/// Notes how full it is.
	pub(crate) fn sizes(&self, leaves: &BTreeMap<Hash, Arc<LeafContext>>, sizes: &mut Sizes) {
		let blocks = leaves.values().map(|leaf| 1 + leaf.recent_ancestors.len()).sum();
		let wanted = || self.wanted.values().flatten();
		sizes.note("wanted_blocks", self.wanted.len(), blocks);
		sizes.note("chunk_fetches", self.tasks.len(), wanted().count());
		sizes.note("chunk_requests", self.requests.len(), self.tasks.len());
		for (index, unreliable) in &self.unreliable {
			let session = wanted().map(|wanted| &wanted.session).find(|session| session.index == *index);
			sizes.note("unreliable", unreliable.len(), session.map_or(0, |session| session.n_validators()));
		}
	}

	/// The backers in an order that differs between nodes and is the same for a session, unreliable ones
	/// last.
	fn order(&self, wanted: &Wanted) -> VecDeque<ValidatorIndex> {
		let unreliable = self.unreliable.get(&wanted.session.index);
		let mut order: Vec<_> = wanted
			.backers
			.iter()
			.map(|backer| {
				let is_unreliable = unreliable.is_some_and(|unreliable| unreliable.contains(backer));
				let draw = headway_primitives::hash_of(&(wanted.session.index, wanted.local, *backer));
				(is_unreliable, draw, *backer)
			})
			.collect();
		order.sort();
		order.into_iter().map(|(_, _, backer)| backer).collect()
	}

	fn ask_next(
		&mut self,
		now: Timestamp,
		wanted: Arc<Wanted>,
		mut next: VecDeque<ValidatorIndex>,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		let candidate_hash = wanted.candidate;
		let Some(asked) = next.pop_front() else {
			// The next leaf at which the core is still occupied begins anew.
			effects.trace(wanted.trace(now, Stage::Dropped(Reason::ChunkUnavailable)));
			self.tasks.remove(&candidate_hash);
			return;
		};
		let Some(key) = wanted.session.discovery_key(asked).cloned() else {
			return self.ask_next(now, wanted, next, tokens, effects);
		};
		let token = tokens.next();
		let request = Request::Chunk(ChunkRequest { candidate_hash, index: wanted.local });
		effects.push(Effect::Network(NetworkEffect::Request {
			token,
			recipient: Recipient::Authority(key),
			request,
		}));
		self.requests.insert(token, candidate_hash);
		self.tasks.insert(candidate_hash, Task { wanted, token, asked, next });
	}

	/// From backing: get a proof of validity from a validator.
	pub(crate) fn fetch_pov(
		&mut self,
		from: AuthorityDiscoveryId,
		wanted: WantedPov,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		let token = tokens.next();
		let request = Request::PoV(PoVRequest { candidate_hash: wanted.candidate_hash });
		effects.push(Effect::Network(NetworkEffect::Request {
			token,
			recipient: Recipient::Authority(from),
			request,
		}));
		self.povs.insert(token, wanted);
	}

	pub(crate) fn response(
		&mut self,
		now: Timestamp,
		token: Token,
		result: Result<Vec<u8>, RequestError>,
		store: &mut Store,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		if let Some(wanted) = self.povs.remove(&token) {
			return pov_response(now, wanted, result, effects);
		}
		let task = self.requests.remove(&token).and_then(|candidate| self.tasks.remove(&candidate));
		let Some(Task { wanted, asked, next, .. }) = task else { return };
		let reason = match read_chunk(result, &wanted) {
			Ok(chunk) if store.store_chunk(wanted.candidate, wanted.local, &chunk, tokens, effects) => return,
			Ok(_) => Reason::StorageFailed,
			Err(reason) => {
				self.unreliable.entry(wanted.session.index).or_default().insert(asked);
				reason
			},
		};
		effects.trace(wanted.trace(now, Stage::Dropped(reason)));
		self.ask_next(now, wanted, next, tokens, effects);
	}
}

/// What we need at a leaf: our chunk of everything that occupies a core.
fn wanted_at(leaf: &LeafContext) -> Vec<Arc<Wanted>> {
	let Some(local) = leaf.block.session.local_validator else { return Vec::new() };
	let cores = (0..).map(CoreIndex).zip(&leaf.availability_cores);
	cores
		.filter_map(|(core, state)| match state {
			CoreState::Occupied(occupied) => wanted_on(leaf, local, core, occupied).map(Arc::new),
			CoreState::Scheduled(_) | CoreState::Free => None,
		})
		.collect()
}

fn wanted_on(
	leaf: &LeafContext,
	local: ValidatorIndex,
	core: CoreIndex,
	occupied: &OccupiedCore,
) -> Option<Wanted> {
	let session = &leaf.block.session;
	// Members of our own group may have backed it without us, so they are asked as well.
	let backers = session.group(occupied.group_responsible)?;
	let chunk_index = chunk_index(session.n_validators(), &leaf.block.node_features, core.0, local.0).ok()?;
	Some(Wanted {
		candidate: occupied.candidate_hash,
		para: occupied.candidate_descriptor.para_id,
		scheduling_parent: occupied.candidate_descriptor.scheduling_parent(),
		erasure_root: occupied.candidate_descriptor.erasure_root,
		session: session.clone(),
		local,
		chunk_index,
		backers: backers.iter().copied().filter(|backer| *backer != local).collect(),
	})
}

/// Reads and verifies a chunk. The network falls back to version 1 of the protocol without a word: its
/// responses differ in that they name no index.
fn read_chunk(result: Result<Vec<u8>, RequestError>, wanted: &Wanted) -> Result<ErasureChunk, Reason> {
	let bytes = result.map_err(|error| match error {
		RequestError::Timeout => Reason::FetchTimeout,
		_ => Reason::FetchFailed,
	})?;
	let chunk = if let Ok(response) = ChunkResponseV2::decode_all(&mut &bytes[..]) {
		match response {
			ChunkResponseV2::Chunk(chunk) => chunk,
			ChunkResponseV2::NoSuchChunk => return Err(Reason::ChunkUnavailable),
		}
	} else {
		match ChunkResponseV1::decode_all(&mut &bytes[..]).map_err(|_| Reason::InvalidResponse)? {
			ChunkResponseV1::Chunk { chunk, proof } => {
				ErasureChunk { chunk, index: ChunkIndex(wanted.local.0), proof }
			},
			ChunkResponseV1::NoSuchChunk => return Err(Reason::ChunkUnavailable),
		}
	};
	if chunk.index != wanted.chunk_index || chunk.verify(&wanted.erasure_root).is_err() {
		return Err(Reason::InvalidChunk);
	}
	Ok(chunk)
}

fn pov_response(
	now: Timestamp,
	wanted: WantedPov,
	result: Result<Vec<u8>, RequestError>,
	effects: &mut Effects<Effect>,
) {
	let WantedPov { question, candidate_hash, pov_hash, scheduling_parent, para } = wanted;
	let pov = match result.map(|bytes| PoVResponse::decode_all(&mut &bytes[..])) {
		Ok(Ok(PoVResponse::PoV(pov))) if pov.hash() == pov_hash => Ok(pov),
		Ok(Ok(PoVResponse::PoV(_))) => Err(Reason::PovHashMismatch),
		Ok(Ok(PoVResponse::NoSuchPoV)) => Err(Reason::PovUnavailable),
		Ok(Err(_)) => Err(Reason::InvalidResponse),
		Err(RequestError::Timeout) => Err(Reason::FetchTimeout),
		Err(_) => Err(Reason::FetchFailed),
	};
	if let Err(reason) = pov {
		let trace = Trace::new(now, NAME, Stage::Dropped(reason)).candidate(candidate_hash);
		effects.trace(trace.para(para).scheduling_parent(scheduling_parent));
	}
	effects.push(Effect::PoVFetched { token: question, pov: pov.ok().map(Arc::new) });
}
