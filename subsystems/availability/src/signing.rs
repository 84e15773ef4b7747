//! Our own bitfields: which chunks of what occupies cores are here (availability, approval, disputes §3.5).
//!
//! A bitfield is on disk before it is sent: after a restart there may be more chunks, and another bitfield for the same
//! leaf would contradict the one before. Then it is sent again as it was.

use crate::{
	keys::{self, bitfield_leaf},
	store::{unreadable, Store},
	Effect, WriteOp, NAME,
};
use codec::{DecodeAll, Encode};
use headway_machine::{
	sign, Effects, LeafContext, Reason, Signer, Sizes, Stage, Timestamp, Token, Tokens, Trace,
};
use headway_primitives::{
	AvailabilityBitfield, CoreState, Hash, Signed, UncheckedSignedAvailabilityBitfield,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long after a leaf its bitfield is signed: time for chunks to arrive.
pub(crate) const SIGN_AFTER: Duration = Duration::from_millis(1_500);

/// Signs a bitfield for each leaf, once.
///
/// # Bounds
///
/// - `pending`: our own active leaves.
/// - `signed`, with its copy on disk: our own active leaves; from a start to the first leaf, those of the life before.
/// - `writing`: what the driver has not answered.
pub(crate) struct Signing {
	signer: Arc<dyn Signer>,
	pending: BTreeMap<(Timestamp, Hash), Arc<LeafContext>>,
	/// What we said of each leaf; none if we said something before and cannot read what.
	signed: BTreeMap<Hash, Option<Signed<AvailabilityBitfield>>>,
	writing: BTreeMap<Token, SignedAt>,
}

/// A bitfield that we signed, and that is durable.
pub(crate) struct SignedAt {
	pub(crate) relay_parent: Hash,
	pub(crate) bitfield: Signed<AvailabilityBitfield>,
}

impl Signing {
	pub(crate) fn new(signer: Arc<dyn Signer>) -> Self {
		Self { signer, pending: BTreeMap::new(), signed: BTreeMap::new(), writing: BTreeMap::new() }
	}

	/// Takes over what a former life signed.
	pub(crate) fn restore(
		&mut self,
		now: Timestamp,
		entries: Vec<(Vec<u8>, Vec<u8>)>,
		effects: &mut Effects<Effect>,
	) {
		for (key, value) in entries {
			let Some(leaf) = bitfield_leaf(&key).flatten() else {
				effects.trace(unreadable(now));
				continue;
			};
			let bitfield = UncheckedSignedAvailabilityBitfield::decode_all(&mut &value[..]).ok();
			if bitfield.is_none() {
				effects.trace(unreadable(now).scheduling_parent(leaf));
			}
			// Our own, as we wrote it.
			self.signed.insert(leaf, bitfield.map(Signed::assume_checked));
		}
	}

	pub(crate) fn leaf(&mut self, now: Timestamp, leaf: &Arc<LeafContext>) {
		if leaf.block.session.local_validator.is_some() {
			self.pending.insert((now + SIGN_AFTER, leaf.hash()), leaf.clone());
		}
	}

	/// Forgets all leaves but these.
	pub(crate) fn forget_others(
		&mut self,
		leaves: &BTreeMap<Hash, Arc<LeafContext>>,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) {
		self.pending.retain(|(_, leaf), _| leaves.contains_key(leaf));
		let others = self.signed.extract_if(.., |leaf, _| !leaves.contains_key(leaf));
		let batch: Vec<_> = others.map(|(leaf, _)| WriteOp::Delete { key: keys::bitfield(&leaf) }).collect();
		if !batch.is_empty() {
			// Nothing waits for it: what is not removed comes back after a restart, and goes then.
			effects.push(Effect::Write { token: tokens.next(), batch });
		}
	}

	pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
		self.pending.first_key_value().map(|((due, _), _)| *due)
	}

	/// Notes how full it is.
	pub(crate) fn sizes(&self, n_leaves: usize, sizes: &mut Sizes) {
		sizes.note("unsigned_leaves", self.pending.len(), n_leaves);
	}

	/// Signs what is due and has it written. Answers what was signed in a former life.
	pub(crate) fn sign_due(
		&mut self,
		now: Timestamp,
		store: &Store,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) -> Vec<SignedAt> {
		let mut all = Vec::new();
		while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 <= now) {
			let leaf = entry.remove();
			let relay_parent = leaf.hash();
			let dropped =
				|reason| Trace::new(now, NAME, Stage::Dropped(reason)).scheduling_parent(relay_parent);
			match self.signed.get(&relay_parent) {
				Some(Some(bitfield)) => {
					all.push(SignedAt { relay_parent, bitfield: bitfield.clone() });
					continue;
				},
				Some(None) => {
					effects.trace(dropped(Reason::StorageFailed));
					continue;
				},
				None => {},
			}
			let Some(bitfield) = self.sign(&leaf, store) else {
				effects.trace(dropped(Reason::NotValidator));
				continue;
			};
			let put =
				WriteOp::Put { key: keys::bitfield(&relay_parent), value: bitfield.as_unchecked().encode() };
			let token = tokens.next();
			self.signed.insert(relay_parent, Some(bitfield.clone()));
			self.writing.insert(token, SignedAt { relay_parent, bitfield });
			effects.push(Effect::Write { token, batch: vec![put] });
		}
		all
	}

	/// A write is durable, or failed. Answers the bitfield that may be sent now.
	pub(crate) fn written(
		&mut self,
		now: Timestamp,
		token: &Token,
		ok: bool,
		effects: &mut Effects<Effect>,
	) -> Option<SignedAt> {
		let signed = self.writing.remove(token)?;
		if !ok {
			let trace = Trace::new(now, NAME, Stage::Dropped(Reason::StorageFailed));
			effects.trace(trace.scheduling_parent(signed.relay_parent));
			return None;
		}
		// The leaf may be none any more.
		self.signed.contains_key(&signed.relay_parent).then_some(signed)
	}

	/// Validators that are disabled sign as well: being disabled concerns what they say of candidates.
	fn sign(&self, leaf: &LeafContext, store: &Store) -> Option<Signed<AvailabilityBitfield>> {
		let local = leaf.block.session.local_validator?;
		let key = leaf.block.session.validator(local)?;
		let has_chunk = |core: &CoreState| match core {
			CoreState::Occupied(occupied) => store.has_chunk(&occupied.candidate_hash, local),
			CoreState::Scheduled(_) | CoreState::Free => false,
		};
		let bits = AvailabilityBitfield(leaf.availability_cores.iter().map(has_chunk).collect());
		sign(&*self.signer, &leaf.block.signing_context(), key, local, bits)
	}
}
