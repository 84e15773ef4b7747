//! What this validator signs: nothing leaves before it is on disk, and nothing contradicts what is (backing pipeline
//! §3.7).
//!
//! A vote is signed, written ([`Effect::Write`]), and shared only when [`Event::Written`] says that it is durable. After
//! a restart the votes come back ([`Event::Restore`]). What was said before may then be said again, with the signature
//! that was stored, since another signature on the same statement is misbehaviour to others; anything else about that
//! candidate is refused, and so is another candidate where the claim queue has no place left.
//!
//! The proof of validity of what we vote for is on disk before the vote is signed. The receipt of a candidate that we
//! seconded is not: if nobody has it but its collator, the collator offers it again when we are back, and then it is
//! seconded again in the same words.
//!
//! One entry per vote. Its key is [`VOTES`], the scheduling parent's hash and the candidate's; its value is an encoded
//! [`StoredVote`]. The session is the scheduling parent's.
//!
//! [`Event::Written`]: crate::Event::Written
//! [`Event::Restore`]: crate::Event::Restore

use crate::{
	import::drop_statement,
	reached,
	state::{Candidate, Purpose},
	table::{Import, Vote},
	validation::Failure,
	Backing, Effect, Step, NAME,
};
use codec::{Decode, DecodeAll, Encode};
use headway_machine::{
	sign, Column, Effects, Reason, Stage, StatementWithPvd, StorageKey, Timestamp, Token, Trace, WriteOp,
};
use headway_primitives::{
	BlockNumber, CandidateHash, Hash, Signed, SignedFullStatement, Statement, UncheckedSigned,
	ValidatorIndex, ValidatorSignature,
};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// What the keys of votes in [`Column::Votes`] begin with.
pub const VOTES: &[u8] = b"backing-vote";
/// Former scheduling parents of which is remembered what we said: a partition that lasts longer than so many blocks also
/// lasts longer than anybody would back on its blocks.
pub(crate) const FORMER_MAX: usize = 64;

/// Why a stored vote cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VoteError {
	/// The key is none of a vote.
	#[error("{0} bytes are no key of a vote")]
	Key(usize),
	/// The value does not decode.
	#[error("the stored vote on candidate {candidate_hash:?} does not decode")]
	Value {
		/// The block that the vote is bound to.
		scheduling_parent: Hash,
		/// The candidate.
		candidate_hash: CandidateHash,
	},
}

/// The signature of a vote, and what is needed to use it again.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct StoredVote {
	/// Number of the scheduling parent.
	pub number: BlockNumber,
	/// Whether it seconds the candidate; else it says that the candidate is valid.
	pub seconds: bool,
	/// Who signed.
	pub validator: ValidatorIndex,
	/// The signature on the compact statement.
	pub signature: ValidatorSignature,
}

impl StoredVote {
	fn of(statement: &SignedFullStatement, number: BlockNumber) -> Self {
		Self {
			number,
			seconds: matches!(statement.payload(), Statement::Seconded(_)),
			validator: statement.validator_index(),
			signature: statement.signature().clone(),
		}
	}
}

/// Where a vote is stored.
pub fn key(scheduling_parent: &Hash, candidate_hash: &CandidateHash) -> StorageKey {
	let key = [VOTES, scheduling_parent.as_bytes(), candidate_hash.0.as_bytes()].concat();
	StorageKey { column: Column::Votes, key }
}

/// Reads a stored vote: scheduling parent, candidate, and what was signed.
///
/// # Errors
///
/// Key or value are none of a vote.
pub fn read(key: &[u8], value: &[u8]) -> Result<(Hash, CandidateHash, StoredVote), VoteError> {
	let wrong = || VoteError::Key(key.len());
	let hashes = key.strip_prefix(VOTES).ok_or_else(wrong)?;
	let (scheduling_parent, candidate) = hashes.split_first_chunk::<32>().ok_or_else(wrong)?;
	let candidate = <[u8; 32]>::try_from(candidate).map_err(|_| wrong())?;
	let (scheduling_parent, candidate_hash) =
		(Hash::from(*scheduling_parent), CandidateHash(Hash::from(candidate)));
	let signature = StoredVote::decode_all(&mut &value[..])
		.map_err(|_| VoteError::Value { scheduling_parent, candidate_hash })?;
	Ok((scheduling_parent, candidate_hash, signature))
}

/// A vote of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OwnVote {
	/// Whether it seconds the candidate.
	pub(crate) seconds: bool,
	/// What is on disk. None while it is written, if it is damaged there, and if we only heard of the vote from others.
	signed: Option<StoredVote>,
	/// Whether it is in the table, and known to statement distribution, since its block came into view.
	pub(crate) is_shared: bool,
}

impl OwnVote {
	/// A vote that came from others: we made it before a restart, and did not find it on disk.
	pub(crate) fn heard_of(seconds: bool) -> Self {
		Self { seconds, signed: None, is_shared: true }
	}

	/// The same vote again, as far as `validator` is still us and it was not said since its block came into view.
	fn repeated(&self, validator: ValidatorIndex) -> Option<&ValidatorSignature> {
		let signed = self.signed.as_ref().filter(|signed| signed.validator == validator && !self.is_shared);
		signed.map(|signed| &signed.signature)
	}
}

/// What we said and found out at a scheduling parent: kept when it leaves our view, for a fork that arrives late brings
/// its blocks back, and we must not contradict ourselves there.
#[derive(Clone, Default, Debug)]
pub(crate) struct Said {
	/// Candidates that we voted for, or found invalid when asked for a vote: no second opinion.
	pub(crate) settled: BTreeSet<CandidateHash>,
	/// Our votes.
	pub(crate) votes: BTreeMap<CandidateHash, OwnVote>,
}

impl Said {
	/// Takes note of a vote.
	pub(crate) fn note(&mut self, candidate_hash: CandidateHash, vote: OwnVote) {
		self.settled.insert(candidate_hash);
		self.votes.insert(candidate_hash, vote);
	}

	/// A vote that came back from others.
	pub(crate) fn heard_of(&mut self, candidate_hash: CandidateHash, seconds: bool) {
		self.settled.insert(candidate_hash);
		let vote = self.votes.entry(candidate_hash).or_insert_with(|| OwnVote::heard_of(seconds));
		vote.is_shared = true;
	}

	/// Whether we seconded the candidate, may say so again, and did not yet.
	pub(crate) fn may_second_again(&self, candidate_hash: &CandidateHash, validator: ValidatorIndex) -> bool {
		let vote = self.votes.get(candidate_hash);
		vote.is_some_and(|vote| vote.seconds && vote.repeated(validator).is_some())
	}

	/// How many candidates we seconded.
	pub(crate) fn n_seconded(&self) -> usize {
		self.votes.values().filter(|vote| vote.seconds).count()
	}

	/// The block leaves our view, and with it what we shared there.
	pub(crate) fn out_of_view(mut self) -> Self {
		self.votes.values_mut().for_each(|vote| vote.is_shared = false);
		self
	}
}

impl Backing {
	/// Takes over the votes of a former life. Before any other event.
	pub(crate) fn restore(
		&mut self,
		now: Timestamp,
		entries: Vec<(Vec<u8>, Vec<u8>)>,
		effects: &mut Effects<Effect>,
	) {
		let mut parents = BTreeMap::<Hash, (BlockNumber, Said)>::new();
		for (key, value) in entries {
			let (scheduling_parent, candidate_hash, signed) = match read(&key, &value) {
				Ok((scheduling_parent, candidate_hash, signed)) => {
					(scheduling_parent, candidate_hash, Some(signed))
				},
				Err(VoteError::Key(_)) => {
					effects.trace(Trace::new(now, NAME, Stage::Dropped(Reason::StorageFailed)));
					continue;
				},
				// We do not know what we said, so whatever we say now might contradict it.
				Err(VoteError::Value { scheduling_parent, candidate_hash }) => {
					drop_statement(effects, now, Reason::StorageFailed, candidate_hash, scheduling_parent);
					(scheduling_parent, candidate_hash, None)
				},
			};
			let (number, said) = parents.entry(scheduling_parent).or_default();
			*number = signed.as_ref().map_or(*number, |signed| signed.number);
			let seconds = signed.as_ref().is_none_or(|signed| signed.seconds);
			said.note(candidate_hash, OwnVote { seconds, signed, is_shared: false });
		}
		// The oldest are forgotten first.
		let mut parents: Vec<_> = parents.into_iter().collect();
		parents.sort_by_key(|(_, (number, _))| *number);
		self.former.extend(parents.into_iter().map(|(hash, (_, said))| (hash, said)));
		self.forget_former(effects);
	}

	/// Forgets the oldest of what we said at blocks that are out of view, as far as there is too much of it.
	pub(crate) fn forget_former(&mut self, effects: &mut Effects<Effect>) {
		let mut batch = Vec::new();
		while self.former.len() > FORMER_MAX {
			let Some((hash, said)) = self.former.pop_front() else { break };
			batch.extend(said.votes.keys().map(|candidate| WriteOp::Delete { key: key(&hash, candidate) }));
		}
		if !batch.is_empty() {
			// Nothing waits for it: what is not removed comes back after a restart, and goes then.
			effects.push(Effect::Write { token: self.tokens.next(), batch });
		}
	}

	/// Signs what a candidate's job came to, and has it written. What we said before is said again as it was, or refused.
	pub(crate) fn vote(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		payload: Statement,
		effects: &mut Effects<Effect>,
	) -> Result<(), Reason> {
		let state = self.scheduling_parents.get(&scheduling_parent).ok_or(Reason::OutOfView)?;
		let local = state.enabled_local().ok_or(Reason::NotValidator)?;
		let core = local.core.ok_or(Reason::NotAssigned)?;
		let (validator, seconds) = (local.index, matches!(payload, Statement::Seconded(_)));
		if let Some(vote) = state.said.votes.get(&candidate_hash) {
			let signature = vote.repeated(validator).filter(|_| vote.seconds == seconds);
			let signature = signature.ok_or(Reason::AlreadyKnown)?.clone();
			let statement = again(payload, validator, signature);
			self.durable(now, scheduling_parent, candidate_hash, statement, effects);
			return Ok(());
		}
		if seconds && state.said.n_seconded() >= state.places(core) {
			return Err(Reason::NoClaimQueueSlot);
		}
		let (context, number) = (state.block.signing_context(), state.block.number);
		let statement = sign(&*self.signer, &context, &local.key, validator, payload);
		let statement = statement.ok_or(Reason::NotValidator)?;
		let value = StoredVote::of(&statement, number).encode();
		let token = self.ask_for_job(scheduling_parent, candidate_hash, Step::Record);
		if let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) {
			state.said.note(candidate_hash, OwnVote { seconds, signed: None, is_shared: false });
			if let Some(job) = state.jobs.get_mut(&candidate_hash) {
				job.signed = Some(statement);
			}
		}
		let batch = vec![WriteOp::Put { key: key(&scheduling_parent, &candidate_hash), value }];
		effects.push(Effect::Write { token, batch });
		Ok(())
	}

	/// A vote is durable, or it is not and will not be sent.
	pub(crate) fn written(&mut self, now: Timestamp, token: Token, ok: bool, effects: &mut Effects<Effect>) {
		let Some((scheduling_parent, candidate_hash)) = self.answered(&token, Step::Record) else { return };
		let job = self.job(&scheduling_parent, &candidate_hash);
		let Some(statement) = job.and_then(|job| job.signed.take()) else { return };
		let Some(state) = self.scheduling_parents.get_mut(&scheduling_parent) else { return };
		if ok {
			if let Some(vote) = state.said.votes.get_mut(&candidate_hash) {
				vote.signed = Some(StoredVote::of(&statement, state.block.number));
			}
			return self.durable(now, scheduling_parent, candidate_hash, statement, effects);
		}
		// Nobody heard of it, so it binds nobody; unless others made us hear of one from before.
		if state.said.votes.get(&candidate_hash).is_some_and(|vote| !vote.is_shared) {
			state.said.votes.remove(&candidate_hash);
			state.said.settled.remove(&candidate_hash);
		}
		let failure = Failure::Undecided(Reason::StorageFailed);
		self.failed(now, scheduling_parent, candidate_hash, failure, effects);
	}

	/// The vote that a job came to is on disk: it may be sent, and the job is done.
	fn durable(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		statement: SignedFullStatement,
		effects: &mut Effects<Effect>,
	) {
		let Some(purpose) = self.job(&scheduling_parent, &candidate_hash).map(|job| job.purpose) else {
			return;
		};
		match (self.share(now, scheduling_parent, candidate_hash, &statement, effects), purpose) {
			(Ok(()), Purpose::Second) => {
				self.end_job(&scheduling_parent, &candidate_hash);
				if let Some(candidate) = self.candidates.get_mut(&candidate_hash) {
					candidate.seconded_locally = true;
				}
				effects.push(Effect::CollationSeconded { scheduling_parent, statement });
			},
			(Ok(()), Purpose::Attest) => self.end_job(&scheduling_parent, &candidate_hash),
			(Err(reason), Purpose::Second) => {
				self.not_seconded(now, scheduling_parent, candidate_hash, reason, effects)
			},
			(Err(reason), Purpose::Attest) => {
				self.end_job(&scheduling_parent, &candidate_hash);
				drop_statement(effects, now, reason, candidate_hash, scheduling_parent);
			},
		}
	}

	/// Ends a job that led to a vote.
	pub(crate) fn end_job(&mut self, scheduling_parent: &Hash, candidate_hash: &CandidateHash) {
		if let Some(state) = self.scheduling_parents.get_mut(scheduling_parent) {
			state.jobs.remove(candidate_hash);
			state.attesting.remove(candidate_hash);
		}
	}

	/// Counts a statement of ours that is durable, and shares it before anything that follows from it.
	fn share(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		statement: &SignedFullStatement,
		effects: &mut Effects<Effect>,
	) -> Result<(), Reason> {
		let state = self.scheduling_parents.get_mut(&scheduling_parent).ok_or(Reason::OutOfView)?;
		let core = state.local.as_ref().and_then(|local| local.core).ok_or(Reason::NotAssigned)?;
		let Candidate { para, validation_data, .. } =
			self.candidates.get(&candidate_hash).ok_or(Reason::UnexpectedMessage)?;
		let (vote, stage, validation_data) = match statement.payload() {
			Statement::Seconded(receipt) => (
				Vote::Seconded(Arc::new(receipt.clone()), core),
				Stage::Seconded,
				Some(validation_data.clone()),
			),
			Statement::Valid(_) => (Vote::Valid, Stage::Statement, None),
		};
		// A vote of ours may have come back from others: one that we made before a restart. Then we must not make
		// another.
		let Import::Counted(summary) = state.table.import(
			candidate_hash,
			statement.validator_index(),
			vote,
			statement.signature().clone(),
		) else {
			return Err(Reason::AlreadyKnown);
		};
		if let Some(vote) = state.said.votes.get_mut(&candidate_hash) {
			vote.is_shared = true;
		}
		let para = *para;
		let share = StatementWithPvd { statement: statement.clone(), validation_data };
		effects.push(Effect::Share { scheduling_parent, statement: share });
		reached(effects, now, stage, candidate_hash, para, scheduling_parent);
		self.counted(now, scheduling_parent, candidate_hash, summary, effects);
		Ok(())
	}

	/// Somebody else spoke for a candidate that we voted for in a former life: says it again, for others may not have
	/// heard of it, and our own table has not.
	pub(crate) fn vote_again(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		effects: &mut Effects<Effect>,
	) {
		let Some(state) = self.scheduling_parents.get(&scheduling_parent) else { return };
		let (Some(local), Some(vote)) = (state.enabled_local(), state.said.votes.get(&candidate_hash)) else {
			return;
		};
		let (Some(signature), Some(receipt)) =
			(vote.repeated(local.index), state.table.receipt(&candidate_hash))
		else {
			return;
		};
		let payload = match vote.seconds {
			true => Statement::Seconded((**receipt).clone()),
			false => Statement::Valid(candidate_hash),
		};
		let statement = again(payload, local.index, signature.clone());
		if let Err(reason) = self.share(now, scheduling_parent, candidate_hash, &statement, effects) {
			drop_statement(effects, now, reason, candidate_hash, scheduling_parent);
		}
	}
}

/// A statement with the signature that it had before.
fn again(
	payload: Statement,
	validator_index: ValidatorIndex,
	signature: ValidatorSignature,
) -> SignedFullStatement {
	// We made it ourselves, and the signature covers the block's session and the candidate's hash, which name it.
	Signed::assume_checked(UncheckedSigned { payload, validator_index, signature })
}
