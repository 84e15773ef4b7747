//! Our own bitfields: which chunks of what occupies cores are here (availability, approval, disputes §3.5).

use crate::{store::Store, Effect, NAME};
use headway_machine::{sign, Effects, LeafContext, Reason, Signer, Stage, Timestamp, Trace};
use headway_primitives::{AvailabilityBitfield, CoreState, Hash, Signed};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long after a leaf its bitfield is signed: time for chunks to arrive.
pub(crate) const SIGN_AFTER: Duration = Duration::from_millis(1_500);

/// Signs a bitfield for each leaf, once.
///
/// # Bounds
///
/// `pending`: our own active leaves.
pub(crate) struct Signing {
	signer: Arc<dyn Signer>,
	pending: BTreeMap<(Timestamp, Hash), Arc<LeafContext>>,
}

/// A bitfield that we just signed.
pub(crate) struct SignedAt {
	pub(crate) relay_parent: Hash,
	pub(crate) bitfield: Signed<AvailabilityBitfield>,
}

impl Signing {
	pub(crate) fn new(signer: Arc<dyn Signer>) -> Self {
		Self { signer, pending: BTreeMap::new() }
	}

	pub(crate) fn leaf(&mut self, now: Timestamp, leaf: &Arc<LeafContext>) {
		if leaf.block.session.local_validator.is_some() {
			self.pending.insert((now + SIGN_AFTER, leaf.hash()), leaf.clone());
		}
	}

	pub(crate) fn deactivated(&mut self, hash: &Hash) {
		self.pending.retain(|(_, leaf), _| leaf != hash);
	}

	pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
		self.pending.first_key_value().map(|((due, _), _)| *due)
	}

	pub(crate) fn sign_due(
		&mut self,
		now: Timestamp,
		store: &Store,
		effects: &mut Effects<Effect>,
	) -> Vec<SignedAt> {
		let mut all = Vec::new();
		while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 <= now) {
			let leaf = entry.remove();
			let relay_parent = leaf.hash();
			match self.sign(&leaf, store) {
				Some(bitfield) => all.push(SignedAt { relay_parent, bitfield }),
				None => {
					let trace = Trace::new(now, NAME, Stage::Dropped(Reason::NotValidator));
					effects.trace(trace.relay_parent(relay_parent));
				},
			}
		}
		all
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
