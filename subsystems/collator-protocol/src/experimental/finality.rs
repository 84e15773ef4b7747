//! Rewards for candidates that made it into finalized blocks (backing pipeline §5.5, "Bump" and "Startup").

use super::{notice::SignalOutcome, ExperimentalSide, Notice};
use crate::validator_side::Effect;
use headway_machine::{Effects, PeerId, Timestamp, Token};
use headway_primitives::{
	ump::ump_signals, BlockNumber, CandidateDescriptorVersion, CommittedCandidateReceiptV2, Hash, ParaId,
};
use std::collections::BTreeSet;

/// Finalized blocks that are processed at once, at most: of those before, the state may be gone already.
pub const FINALIZED_BLOCKS_MAX: u32 = 20;

/// Finalized blocks whose candidates are looked up.
#[derive(Debug)]
pub(super) struct Lookup {
	token: Token,
	/// The newest of them.
	number: BlockNumber,
}

impl ExperimentalSide {
	pub(super) fn finalized(&mut self, number: BlockNumber, hash: Hash, effects: &mut Effects<Effect>) {
		if self.lookup.is_some() {
			// One at a time, so that no block counts twice. What comes between is asked together.
			self.finalized_meanwhile = Some((number, hash));
			return;
		}
		// A database that is ahead of the chain is from another life of the chain: nothing to do until that is
		// past.
		let processed = self.scores.processed().unwrap_or(0);
		let count = number.saturating_sub(processed).min(FINALIZED_BLOCKS_MAX);
		if count > 0 {
			let token = self.tokens.next();
			self.lookup = Some(Lookup { token, number });
			effects.push(Effect::QueryIncluded { token, hash, count });
		}
	}

	pub(super) fn included(
		&mut self,
		now: Timestamp,
		token: Token,
		candidates: Vec<CommittedCandidateReceiptV2>,
		registered: Option<BTreeSet<ParaId>>,
		effects: &mut Effects<Effect>,
	) {
		let Some(Lookup { number, .. }) = self.lookup.take_if(|lookup| lookup.token == token) else { return };
		for candidate in &candidates {
			let para = candidate.descriptor.para_id;
			let (outcome, peer) = approved_peer(candidate);
			effects.push(Effect::Notice(Notice::ApprovedPeer { para, outcome }));
			if let Some(peer) = peer {
				self.scores.bump(now, para, &peer);
				self.replan();
			}
		}
		self.scores.set_processed(number);
		if registered.is_some_and(|registered| self.scores.prune(&registered)) {
			self.save(effects);
		}
		self.save_later(now);
		if let Some((number, hash)) = self.finalized_meanwhile.take() {
			self.finalized(number, hash, effects);
		}
	}
}

/// The peer that a candidate names, if it is one.
fn approved_peer(candidate: &CommittedCandidateReceiptV2) -> (SignalOutcome, Option<PeerId>) {
	if candidate.descriptor.version() == CandidateDescriptorVersion::V1 {
		return (SignalOutcome::Absent, None);
	}
	let peer = match ump_signals(&candidate.commitments.upward_messages) {
		Ok(signals) => signals.approved_peer,
		Err(_) => return (SignalOutcome::ParseError, None),
	};
	match peer {
		None => (SignalOutcome::Absent, None),
		Some(bytes) if is_peer_id(&bytes) => (SignalOutcome::Present, Some(PeerId::from_bytes(&bytes))),
		Some(_) => (SignalOutcome::InvalidPeerId, None),
	}
}

/// Whether bytes are a peer id: a multihash that is the SHA-256 of a public key, or a short public key itself.
pub(super) fn is_peer_id(bytes: &[u8]) -> bool {
	const IDENTITY: u8 = 0x00;
	const SHA2_256: u8 = 0x12;
	/// Longest key that stands in a peer id by itself.
	const INLINE_KEY_MAX: usize = 42;
	match bytes {
		[SHA2_256, 32, digest @ ..] => digest.len() == 32,
		[IDENTITY, len, key @ ..] => key.len() == usize::from(*len) && key.len() <= INLINE_KEY_MAX,
		_ => false,
	}
}
