//! Which chunks and data we have, and until when (availability, approval, disputes §3.4).
//!
//! The metadata lives in memory and is written through; values are only read to be served. What is not
//! durable yet is not shown to anybody: neither to backing, which signs on it, nor in our bitfield.

use crate::{
	encoding::Encoding,
	keys::{self, BigEndian, CandidateMeta, MetaKey, State, TOMBSTONE},
	Effect, EncodeError, WriteOp, NAME,
};
use bitvec::{order::Lsb0, vec::BitVec};
use codec::{DecodeAll, Encode};
use headway_erasure_coding::{chunk_index, ErasureChunk, MAX_VALIDATORS};
use headway_machine::{
	Effects, LeafContext, Reason, Sizes, Stage, StoreDataError, StoreDataRequest, Timestamp, Token, Tokens,
	Trace,
};
use headway_primitives::{BlockNumber, CandidateEvent, CandidateHash, CoreState, Hash, ValidatorIndex};
use std::{
	collections::{BTreeMap, BTreeSet},
	time::Duration,
};

/// How long data of a candidate is kept that no block includes.
pub(crate) const KEEP_UNAVAILABLE: Duration = Duration::from_secs(3_600);
/// How often is looked for what can be removed.
pub(crate) const PRUNING_INTERVAL: Duration = Duration::from_secs(300);
/// Blocks whose parents are remembered until finality tells which of them are canonical.
const PARENTS_MAX: usize = 16_384;

/// Which chunks and data we have.
///
/// # Bounds
///
/// - `entries` (with `prune_by_time` and `unfinalized`, which refer to them): the candidates that were backed
///   on chain or by us, within the time that they are kept; about 100 bytes, and a bit per validator, each.
///   Only a backing group can add one, at the price of a candidate.
/// - `parents`: [`PARENTS_MAX`] of the unfinalized blocks; what is older is forgotten, see
///   [`Store::finalized`].
/// - `encoding`, `writing`: what backing asked for and the driver has not answered.
pub(crate) struct Store {
	keep_finalized: Duration,
	entries: BTreeMap<CandidateHash, Entry>,
	prune_by_time: BTreeSet<(u64, CandidateHash)>,
	unfinalized: BTreeSet<(BlockNumber, Hash, CandidateHash)>,
	/// Parents of blocks that were leaves, or in the ancestry of one.
	parents: BTreeMap<(BlockNumber, Hash), Hash>,
	encoding: BTreeMap<Token, PendingData>,
	writing: BTreeMap<Token, PendingWrite>,
	next_pruning: Option<Timestamp>,
}

/// A candidate.
struct Entry {
	/// As it is when all writes succeed that are in flight.
	meta: CandidateMeta,
	/// When it is removed.
	prune_at: Option<u64>,
	/// What is durable of it.
	durable_chunks: BitVec<u8, Lsb0>,
	durable_data: bool,
	/// Writes of its data and chunks in flight.
	in_flight: usize,
	/// Whether its newest metadata, written or being written, says less than there is.
	is_understated: bool,
}

/// Data that is being encoded.
struct PendingData {
	request: StoreDataRequest,
	/// All who asked for it to be stored.
	questions: Vec<Token>,
}

/// What a write in flight stores, besides metadata.
enum PendingWrite {
	Meta,
	Chunk(CandidateHash, ValidatorIndex),
	Data { candidate: CandidateHash, questions: Vec<Token> },
}

impl PendingWrite {
	/// Whose data or chunk it is.
	fn candidate(&self) -> Option<&CandidateHash> {
		match self {
			Self::Meta => None,
			Self::Chunk(candidate, _) | Self::Data { candidate, .. } => Some(candidate),
		}
	}
}

fn seconds(at: Timestamp) -> u64 {
	at.unix_ms / 1_000
}

fn put(key: crate::StorageKey, value: impl Into<Vec<u8>>) -> WriteOp {
	WriteOp::Put { key, value: value.into() }
}

fn delete(key: crate::StorageKey) -> WriteOp {
	WriteOp::Delete { key }
}

impl Store {
	pub(crate) fn new(keep_finalized: Duration) -> Self {
		Self {
			keep_finalized,
			entries: BTreeMap::new(),
			prune_by_time: BTreeSet::new(),
			unfinalized: BTreeSet::new(),
			parents: BTreeMap::new(),
			encoding: BTreeMap::new(),
			writing: BTreeMap::new(),
			next_pruning: None,
		}
	}

	/// Whether a validator's chunk is stored for good.
	pub(crate) fn has_chunk(&self, candidate: &CandidateHash, validator: ValidatorIndex) -> bool {
		let entry = self.entries.get(candidate);
		entry.and_then(|entry| entry.durable_chunks.get(validator.0 as usize)).is_some_and(|bit| *bit)
	}

	/// Whether a validator's chunk is stored or being stored.
	pub(crate) fn expects_chunk(&self, candidate: &CandidateHash, validator: ValidatorIndex) -> bool {
		let entry = self.entries.get(candidate);
		entry.and_then(|entry| entry.meta.chunks_stored.get(validator.0 as usize)).is_some_and(|bit| *bit)
	}

	/// Whether all data is stored for good.
	pub(crate) fn has_data(&self, candidate: &CandidateHash) -> bool {
		self.entries.get(candidate).is_some_and(|entry| entry.durable_data)
	}

	/// Takes over what a former life left. The indices follow from what they index: after a write that failed those on disk
	/// may not, and are mended.
	pub(crate) fn restore(
		&mut self,
		now: Timestamp,
		entries: Vec<(Vec<u8>, Vec<u8>)>,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		let (mut times, mut blocks) = (BTreeSet::new(), BTreeSet::new());
		for (key, value) in entries {
			match MetaKey::parse(&key) {
				Some(MetaKey::Candidate(candidate)) => match CandidateMeta::decode_all(&mut &value[..]) {
					Ok(meta) => {
						let (durable_chunks, durable_data) =
							(meta.chunks_stored.clone(), meta.data_available);
						self.entries
							.entry(candidate)
							.or_insert_with(|| Entry::new(meta, durable_chunks, durable_data));
					},
					Err(_) => effects.trace(unreadable(now).candidate(candidate)),
				},
				Some(MetaKey::Unfinalized(number, block, candidate)) => {
					blocks.insert((number, block, candidate));
				},
				Some(MetaKey::PruneByTime(at, candidate)) => {
					times.insert((at, candidate));
				},
				None => effects.trace(unreadable(now)),
			}
		}
		// The last one counts: data is kept longer, never lost.
		let latest: BTreeMap<CandidateHash, u64> =
			times.iter().map(|(at, candidate)| (*candidate, *at)).collect();
		for (candidate, entry) in &mut self.entries {
			let (since, keep) = match &entry.meta.state {
				State::Unfinalized(_, including) => {
					self.unfinalized
						.extend(including.iter().map(|(number, block)| (number.0, *block, *candidate)));
					continue;
				},
				State::Unavailable(since) => (since, KEEP_UNAVAILABLE),
				State::Finalized(since) => (since, self.keep_finalized),
			};
			let at = latest.get(candidate).copied().unwrap_or(since.0.saturating_add(keep.as_secs()));
			entry.prune_at = Some(at);
			self.prune_by_time.insert((at, *candidate));
		}
		let mut batch = Vec::new();
		for (at, candidate) in times.symmetric_difference(&self.prune_by_time) {
			let key = keys::prune_by_time(*at, candidate);
			batch.push(if times.contains(&(*at, *candidate)) { delete(key) } else { put(key, TOMBSTONE) });
		}
		for (number, block, candidate) in blocks.symmetric_difference(&self.unfinalized) {
			let key = keys::unfinalized(*number, block, candidate);
			let is_stale = blocks.contains(&(*number, *block, *candidate));
			batch.push(if is_stale { delete(key) } else { put(key, TOMBSTONE) });
		}
		self.schedule_pruning(now);
		self.write(PendingWrite::Meta, batch, tokens, effects);
	}

	/// Takes note of what a leaf says of candidates.
	pub(crate) fn leaf(
		&mut self,
		now: Timestamp,
		leaf: &LeafContext,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		for block in leaf.allowed_blocks() {
			self.parents.insert((block.number, block.hash), block.parent_hash);
		}
		while self.parents.len() > PARENTS_MAX {
			self.parents.pop_first();
		}
		let n_validators = leaf.block.session.n_validators();
		let mut batch = Vec::new();
		// A candidate that occupies a core was backed, be it in a block that we never saw as a leaf.
		for core in &leaf.availability_cores {
			if let CoreState::Occupied(core) = core {
				self.note_backed(now, core.candidate_hash, n_validators, &mut batch);
			}
		}
		for event in &leaf.candidate_events {
			match event {
				CandidateEvent::CandidateBacked(receipt, ..) => {
					self.note_backed(now, receipt.hash(), n_validators, &mut batch)
				},
				CandidateEvent::CandidateIncluded(receipt, ..) => {
					self.note_included(receipt.hash(), leaf.block.number, leaf.hash(), &mut batch)
				},
				// It may be backed again, so it gets the time of what is not included.
				CandidateEvent::CandidateTimedOut(..) => {},
			}
		}
		self.write(PendingWrite::Meta, batch, tokens, effects);
	}

	fn note_backed(
		&mut self,
		now: Timestamp,
		candidate: CandidateHash,
		n_validators: usize,
		batch: &mut Vec<WriteOp>,
	) {
		if self.entries.contains_key(&candidate) {
			return;
		}
		let chunks_stored = BitVec::repeat(false, n_validators.min(MAX_VALIDATORS));
		let state = State::Unavailable(BigEndian(seconds(now)));
		let durable_chunks = chunks_stored.clone();
		let meta = CandidateMeta { state, data_available: false, chunks_stored };
		self.entries.insert(candidate, Entry::new(meta, durable_chunks, false));
		self.set_prune_at(candidate, Some(seconds(now) + KEEP_UNAVAILABLE.as_secs()), batch);
		self.put_meta(&candidate, batch);
		self.schedule_pruning(now);
	}

	fn note_included(
		&mut self,
		candidate: CandidateHash,
		number: BlockNumber,
		block: Hash,
		batch: &mut Vec<WriteOp>,
	) {
		// Without an entry, nobody ever needs anything of it from us.
		let Some(entry) = self.entries.get_mut(&candidate) else { return };
		let added = (BigEndian(number), block);
		match &mut entry.meta.state {
			State::Unavailable(since) => entry.meta.state = State::Unfinalized(*since, vec![added]),
			State::Unfinalized(_, blocks) => match blocks.binary_search(&added) {
				Ok(_) => return,
				Err(position) => blocks.insert(position, added),
			},
			State::Finalized(_) => return,
		}
		self.unfinalized.insert((number, block, candidate));
		batch.push(put(keys::unfinalized(number, &block, &candidate), TOMBSTONE));
		self.set_prune_at(candidate, None, batch);
		self.put_meta(&candidate, batch);
	}

	/// Finality of a block decides over all blocks up to its height.
	///
	/// The ancestors of the block are known as far as they were in the ancestry of a leaf. Where one is not
	/// known (there was a restart in between), all blocks of its height count as canonical: data is then kept
	/// longer, never lost.
	pub(crate) fn finalized(
		&mut self,
		now: Timestamp,
		number: BlockNumber,
		hash: Hash,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		let above = (number.saturating_add(1), Hash::zero(), CandidateHash::default());
		let decided: Vec<_> = self.unfinalized.range(..above).copied().collect();
		let mut batch = Vec::new();
		let canonical = self.canonical(number, hash);
		for (height, block, candidate) in decided {
			if !self.unfinalized.contains(&(height, block, candidate)) {
				// Decided already, by another block that includes it.
				continue;
			}
			let is_canonical = canonical.get(&height).is_none_or(|canonical| *canonical == block);
			if is_canonical {
				self.note_finalized(now, candidate, &mut batch);
			} else {
				self.note_abandoned(now, candidate, height, block, &mut batch);
			}
			if self.unfinalized.remove(&(height, block, candidate)) {
				batch.push(delete(keys::unfinalized(height, &block, &candidate)));
			}
		}
		self.parents = self.parents.split_off(&(number, Hash::zero()));
		self.write(PendingWrite::Meta, batch, tokens, effects);
	}

	/// The finalized block and its ancestors, as far as they are known.
	fn canonical(&self, number: BlockNumber, hash: Hash) -> BTreeMap<BlockNumber, Hash> {
		let mut canonical = BTreeMap::from([(number, hash)]);
		let (mut number, mut hash) = (number, hash);
		while let Some(parent) = self.parents.get(&(number, hash)) {
			let Some(below) = number.checked_sub(1) else { break };
			(number, hash) = (below, *parent);
			canonical.insert(number, hash);
		}
		canonical
	}

	fn note_finalized(&mut self, now: Timestamp, candidate: CandidateHash, batch: &mut Vec<WriteOp>) {
		let Some(entry) = self.entries.get_mut(&candidate) else { return };
		let before = std::mem::replace(&mut entry.meta.state, State::Finalized(BigEndian(seconds(now))));
		if let State::Unfinalized(_, blocks) = before {
			for (BigEndian(number), block) in blocks {
				self.unfinalized.remove(&(number, block, candidate));
				batch.push(delete(keys::unfinalized(number, &block, &candidate)));
			}
		}
		self.set_prune_at(candidate, Some(seconds(now) + self.keep_finalized.as_secs()), batch);
		self.put_meta(&candidate, batch);
		self.schedule_pruning(now);
	}

	fn note_abandoned(
		&mut self,
		now: Timestamp,
		candidate: CandidateHash,
		number: BlockNumber,
		block: Hash,
		batch: &mut Vec<WriteOp>,
	) {
		let Some(entry) = self.entries.get_mut(&candidate) else { return };
		let State::Unfinalized(since, blocks) = &mut entry.meta.state else { return };
		let since = *since;
		blocks.retain(|including| *including != (BigEndian(number), block));
		if blocks.is_empty() {
			entry.meta.state = State::Unavailable(since);
			self.set_prune_at(candidate, Some(since.0 + KEEP_UNAVAILABLE.as_secs()), batch);
			self.schedule_pruning(now);
		}
		self.put_meta(&candidate, batch);
	}

	/// From backing: check data and store it.
	pub(crate) fn store_data(
		&mut self,
		question: Token,
		request: StoreDataRequest,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		if self.has_data(&request.candidate_hash) {
			return effects.push(Effect::DataStored { token: question, result: Ok(()) });
		}
		let is_same = |candidate: &CandidateHash| *candidate == request.candidate_hash;
		let encoding = self.encoding.values_mut().find(|pending| pending.request == request);
		let encoding = encoding.map(|pending| &mut pending.questions);
		let mut writing = self.writing.values_mut().filter_map(|pending| match pending {
			PendingWrite::Data { candidate, questions } if is_same(candidate) => Some(questions),
			_ => None,
		});
		if let Some(questions) = encoding.or_else(|| writing.next()) {
			return questions.push(question);
		}
		let token = tokens.next();
		effects.push(Effect::Encode {
			token,
			n_validators: request.n_validators,
			data: request.data.clone(),
		});
		self.encoding.insert(token, PendingData { request, questions: vec![question] });
	}

	pub(crate) fn encoded(
		&mut self,
		now: Timestamp,
		token: Token,
		result: Result<Encoding, EncodeError>,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		let Some(PendingData { request, questions }) = self.encoding.remove(&token) else { return };
		let candidate = request.candidate_hash;
		let encoding = result.map_err(|error| StoreDataError::Encoding((&error).into()));
		let by_validator = encoding.and_then(|encoding| {
			if encoding.root != request.expected_erasure_root {
				return Err(StoreDataError::ErasureRootMismatch);
			}
			by_validator(encoding.chunks, &request)
		});
		match by_validator {
			Ok(chunks) => {
				let mut batch = Vec::new();
				self.note_backed(now, candidate, request.n_validators, &mut batch);
				let Some(entry) = self.entries.get_mut(&candidate) else { return };
				entry.meta.data_available = true;
				entry.meta.chunks_stored = BitVec::repeat(true, chunks.len());
				entry.durable_chunks.resize(chunks.len(), false);
				batch.push(put(keys::available_data(&candidate), request.data.encode()));
				batch.extend(
					(0..)
						.map(ValidatorIndex)
						.zip(&chunks)
						.map(|(validator, chunk)| put(keys::chunk(&candidate, validator), chunk.encode())),
				);
				let meta = entry.meta_with(0..chunks.len(), true);
				batch.push(put(keys::candidate_meta(&candidate), meta.encode()));
				self.write(PendingWrite::Data { candidate, questions }, batch, tokens, effects);
			},
			Err(error) => {
				let reason = match error {
					StoreDataError::ErasureRootMismatch => Reason::ErasureRootMismatch,
					StoreDataError::Encoding(reason) => reason,
					StoreDataError::Failed => Reason::StorageFailed,
				};
				effects.trace(Trace::new(now, NAME, Stage::Dropped(reason)).candidate(candidate));
				answer(questions, Err(error), effects);
			},
		}
	}

	/// Stores a validator's chunk. Answers whether there is such a candidate with such a validator.
	pub(crate) fn store_chunk(
		&mut self,
		candidate: CandidateHash,
		validator: ValidatorIndex,
		chunk: &ErasureChunk,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) -> bool {
		let Some(entry) = self.entries.get_mut(&candidate) else { return false };
		let Some(mut bit) = entry.meta.chunks_stored.get_mut(validator.0 as usize) else { return false };
		if *bit {
			return true;
		}
		*bit = true;
		drop(bit);
		let meta = entry.meta_with(validator.0 as usize..validator.0 as usize + 1, false);
		let batch = vec![
			put(keys::chunk(&candidate, validator), chunk.encode()),
			put(keys::candidate_meta(&candidate), meta.encode()),
		];
		self.write(PendingWrite::Chunk(candidate, validator), batch, tokens, effects);
		true
	}

	/// A write is durable, or failed.
	pub(crate) fn written(
		&mut self,
		now: Timestamp,
		token: Token,
		ok: bool,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		let Some(pending) = self.writing.remove(&token) else { return };
		let candidate = match pending {
			PendingWrite::Meta => None,
			PendingWrite::Chunk(candidate, validator) => {
				if let Some(entry) = self.entries.get_mut(&candidate) {
					entry.settle_chunks(ok, validator.0 as usize..validator.0 as usize + 1);
				}
				Some(candidate)
			},
			PendingWrite::Data { candidate, questions } => {
				if let Some(entry) = self.entries.get_mut(&candidate) {
					entry.settle_chunks(ok, 0..entry.meta.chunks_stored.len());
					entry.durable_data |= ok;
					entry.meta.data_available = entry.durable_data;
				}
				answer(questions, if ok { Ok(()) } else { Err(StoreDataError::Failed) }, effects);
				Some(candidate)
			},
		};
		if let Some((candidate, entry)) = candidate.and_then(|of| Some((of, self.entries.get_mut(&of)?))) {
			entry.in_flight -= 1;
			if entry.in_flight == 0 && entry.is_understated {
				entry.is_understated = false;
				let mut batch = Vec::new();
				self.put_meta(&candidate, &mut batch);
				self.write(PendingWrite::Meta, batch, tokens, effects);
			}
		}
		let trace = |stage| {
			let mut trace = Trace::new(now, NAME, stage);
			trace.candidate = candidate;
			trace
		};
		if !ok {
			effects.trace(trace(Stage::Dropped(Reason::StorageFailed)));
		} else if candidate.is_some() {
			effects.trace(trace(Stage::ChunkStored));
		}
	}

	/// Notes how full it is. Candidates come from our own chain and our own backing, and have no fixed bound.
	pub(crate) fn sizes(&self, sizes: &mut Sizes) {
		sizes.note("parents", self.parents.len(), PARENTS_MAX);
	}

	/// When there is something to do.
	pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
		self.next_pruning
	}

	fn schedule_pruning(&mut self, now: Timestamp) {
		if !self.prune_by_time.is_empty() {
			self.next_pruning.get_or_insert(now + PRUNING_INTERVAL);
		}
	}

	/// Removes what nobody needs any more.
	pub(crate) fn prune_if_due(
		&mut self,
		now: Timestamp,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		if self.next_pruning.is_none_or(|due| due > now) {
			return;
		}
		let mut batch = Vec::new();
		while let Some((at, candidate)) =
			self.prune_by_time.first().copied().filter(|(at, _)| *at <= seconds(now))
		{
			self.prune_by_time.remove(&(at, candidate));
			batch.push(delete(keys::prune_by_time(at, &candidate)));
			self.remove(&candidate, &mut batch, effects);
		}
		self.next_pruning = None;
		self.schedule_pruning(now);
		self.write(PendingWrite::Meta, batch, tokens, effects);
	}

	fn remove(&mut self, candidate: &CandidateHash, batch: &mut Vec<WriteOp>, effects: &mut Effects<Effect>) {
		let Some(entry) = self.entries.remove(candidate) else { return };
		// What is being written goes with the same batch, after it was written: nobody may count on it, nor may an entry that
		// is made of the candidate later.
		for pending in self.writing.values_mut().filter(|pending| pending.candidate() == Some(candidate)) {
			if let PendingWrite::Data { questions, .. } = std::mem::replace(pending, PendingWrite::Meta) {
				answer(questions, Err(StoreDataError::Failed), effects);
			}
		}
		batch.push(delete(keys::candidate_meta(candidate)));
		if entry.meta.data_available {
			batch.push(delete(keys::available_data(candidate)));
		}
		let stored = entry.meta.chunks_stored.iter_ones();
		batch
			.extend(stored.map(|validator| delete(keys::chunk(candidate, ValidatorIndex(validator as u32)))));
		if let State::Unfinalized(_, blocks) = entry.meta.state {
			for (BigEndian(number), block) in blocks {
				self.unfinalized.remove(&(number, block, *candidate));
				batch.push(delete(keys::unfinalized(number, &block, candidate)));
			}
		}
	}

	fn set_prune_at(&mut self, candidate: CandidateHash, at: Option<u64>, batch: &mut Vec<WriteOp>) {
		let Some(entry) = self.entries.get_mut(&candidate) else { return };
		let before = std::mem::replace(&mut entry.prune_at, at);
		if before == at {
			return;
		}
		if let Some(before) = before {
			self.prune_by_time.remove(&(before, candidate));
			batch.push(delete(keys::prune_by_time(before, &candidate)));
		}
		if let Some(at) = at {
			self.prune_by_time.insert((at, candidate));
			batch.push(put(keys::prune_by_time(at, &candidate), TOMBSTONE));
		}
	}

	fn put_meta(&mut self, candidate: &CandidateHash, batch: &mut Vec<WriteOp>) {
		if let Some(entry) = self.entries.get_mut(candidate) {
			batch.push(put(keys::candidate_meta(candidate), entry.meta_with(0..0, false).encode()));
		}
	}

	fn write(
		&mut self,
		pending: PendingWrite,
		batch: Vec<WriteOp>,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		if !batch.is_empty() {
			let token = tokens.next();
			if let Some(entry) = pending.candidate().and_then(|candidate| self.entries.get_mut(candidate)) {
				entry.in_flight += 1;
			}
			self.writing.insert(token, pending);
			effects.push(Effect::Write { token, batch });
		}
	}
}

#[cfg(any(test, feature = "fuzzing"))]
impl Store {
	/// What is in memory of all candidates.
	#[cfg(test)]
	pub(crate) fn metas(&self) -> BTreeMap<CandidateHash, CandidateMeta> {
		self.entries.iter().map(|(candidate, entry)| (*candidate, entry.meta.clone())).collect()
	}

	/// Whether the indices agree with the entries.
	pub(crate) fn is_consistent(&self) -> bool {
		let prunes = self.entries.iter().filter_map(|(candidate, entry)| Some((entry.prune_at?, *candidate)));
		let blocks = self.entries.iter().flat_map(|(candidate, entry)| match &entry.meta.state {
			State::Unfinalized(_, blocks) => {
				blocks.iter().map(|(number, block)| (number.0, *block, *candidate)).collect()
			},
			_ => Vec::new(),
		});
		prunes.collect::<BTreeSet<_>>() == self.prune_by_time
			&& blocks.collect::<BTreeSet<_>>() == self.unfinalized
	}
}

impl Entry {
	fn new(meta: CandidateMeta, durable_chunks: BitVec<u8, Lsb0>, durable_data: bool) -> Self {
		Self { meta, prune_at: None, durable_chunks, durable_data, in_flight: 0, is_understated: false }
	}

	/// What a batch says of it that also stores these chunks, and perhaps the data.
	///
	/// Of writes in flight it says nothing: they may fail although the batch, which comes after them, succeeds. After a restart
	/// it would be believed that there is what is not. When they have ended, it is said.
	fn meta_with(&mut self, validators: std::ops::Range<usize>, data: bool) -> CandidateMeta {
		self.is_understated |= self.in_flight > 0;
		let mut chunks_stored = self.durable_chunks.clone();
		for validator in validators {
			chunks_stored.set(validator, true);
		}
		CandidateMeta {
			state: self.meta.state.clone(),
			data_available: self.durable_data || data,
			chunks_stored,
		}
	}

	/// Chunks are durable now, or turned out not to be stored.
	fn settle_chunks(&mut self, ok: bool, validators: std::ops::Range<usize>) {
		for validator in validators {
			if ok && validator < self.durable_chunks.len() {
				self.durable_chunks.set(validator, true);
			} else if !ok && validator < self.meta.chunks_stored.len() {
				let durable = self.durable_chunks.get(validator).is_some_and(|bit| *bit);
				self.meta.chunks_stored.set(validator, durable);
			}
		}
	}
}

/// The chunks in the order of the validators who hold them.
fn by_validator(
	chunks: Vec<ErasureChunk>,
	request: &StoreDataRequest,
) -> Result<Vec<ErasureChunk>, StoreDataError> {
	if chunks.len() != request.n_validators {
		return Err(StoreDataError::Failed);
	}
	let mut chunks: Vec<Option<ErasureChunk>> = chunks.into_iter().map(Some).collect();
	let of_validator = |validator| {
		let core = request.core_index.0;
		let index = chunk_index(request.n_validators, &request.node_features, core, validator).ok()?;
		chunks.get_mut(index.0 as usize)?.take()
	};
	let mapped: Option<Vec<_>> = (0..request.n_validators as u32).map(of_validator).collect();
	mapped.ok_or(StoreDataError::Failed)
}

fn answer(questions: Vec<Token>, result: Result<(), StoreDataError>, effects: &mut Effects<Effect>) {
	questions.into_iter().for_each(|token| effects.push(Effect::DataStored { token, result }));
}

pub(crate) fn unreadable(now: Timestamp) -> Trace {
	Trace::new(now, NAME, Stage::Dropped(Reason::StorageFailed))
}
