//! Scores of collators: how many of their candidates made it into finalized blocks, less what they were
//! slashed for (backing pipeline §5.5, "Reputation").
//!
//! A score belongs to a pair of para and peer. [`Scores`] keeps them, and says what has to be written so that
//! they survive a restart; `stored` is the form in which they are written. Neither reads nor writes itself,
//! and neither decides when a score changes.
//!
//! # Beyond the reference
//!
//! - A score fades: it halves for every [`FADE_AFTER`] without a bump. The reference has a decay per block, and
//!   switched it off, for it would hit collators of paras with few blocks hardest; with none, whoever once
//!   earned a score keeps it for ever.
//! - Whoever was just bumped is not the one to be evicted: else nobody new could get in where all who are
//!   stored have more than a first bump.

mod stored;
#[cfg(test)]
mod tests;

pub use stored::LoadError;

use headway_machine::{PeerId, Timestamp, WriteOp};
use headway_primitives::{BlockNumber, ParaId};
use std::{
	collections::{BTreeMap, BTreeSet},
	time::Duration,
};

/// What an included candidate is worth.
pub const INCLUSION_BUMP: u16 = 1;
/// What is lost by a collation that is advertised and not delivered.
pub const FAILED_FETCH_SLASH: u16 = u16::MAX / 6;
/// What is lost by an invalid collation.
pub const INVALID_COLLATION_SLASH: u16 = u16::MAX / 2;
/// Scores that are kept per para.
pub const SCORES_PER_PARA_MAX: usize = 1000;
/// A score halves for every such time without a bump.
pub const FADE_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// A score, and when it was last bumped or last halved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
	score: u16,
	since: Timestamp,
}

impl Entry {
	/// What it is now, if nothing happened since.
	fn faded(self, now: Timestamp) -> Self {
		let period_ms = FADE_AFTER.as_millis() as u64;
		let halvings = now.unix_ms.saturating_sub(self.since.unix_ms) / period_ms;
		let score = u32::try_from(halvings).ok().and_then(|by| self.score.checked_shr(by)).unwrap_or(0);
		Self { score, since: Timestamp::from_unix_ms(self.since.unix_ms + halvings * period_ms) }
	}
}

/// The scores of all collators.
///
/// # Bounds
///
/// [`SCORES_PER_PARA_MAX`] scores per para; paras that are not registered are pruned. To get a score, a
/// collator must be named by a para's candidate that was included.
#[derive(Debug, Default)]
pub struct Scores {
	paras: BTreeMap<ParaId, BTreeMap<PeerId, Entry>>,
	/// Height up to which blocks were processed.
	processed: Option<BlockNumber>,
	/// Paras whose scores differ from what is stored.
	unsaved: BTreeSet<ParaId>,
	/// Paras for which something is stored.
	stored: BTreeSet<ParaId>,
	/// Whether the height differs from what is stored.
	is_height_unsaved: bool,
}

impl Scores {
	/// Reads what was stored. What cannot be read is an error each, and counts as not stored.
	pub fn load(entries: &[(Vec<u8>, Vec<u8>)]) -> (Self, Vec<LoadError>) {
		let (mut scores, mut errors) = (Self::default(), Vec::new());
		for (key, value) in entries {
			match stored::read(key, value) {
				Ok(stored::Entry::Height(height)) => scores.processed = height,
				Ok(stored::Entry::List) => {},
				Ok(stored::Entry::Para(para, of_para)) => {
					scores.stored.insert(para);
					let of_para =
						of_para.into_iter().map(|(peer, score, since)| (peer, Entry { score, since }));
					let mut of_para: BTreeMap<_, _> = of_para.collect();
					while of_para.len() > SCORES_PER_PARA_MAX {
						evict(Timestamp::default(), &mut of_para, None);
					}
					scores.paras.insert(para, of_para);
				},
				Err(error) => errors.push(error),
			}
		}
		(scores, errors)
	}

	/// A peer's score for a para.
	pub fn score(&self, now: Timestamp, para: ParaId, peer: &PeerId) -> u16 {
		self.paras.get(&para).and_then(|of_para| of_para.get(peer)).map_or(0, |entry| entry.faded(now).score)
	}

	/// The highest score of a para.
	pub fn highest(&self, now: Timestamp, para: ParaId) -> u16 {
		let scores = self.paras.get(&para).into_iter().flat_map(BTreeMap::values);
		scores.map(|entry| entry.faded(now).score).max().unwrap_or(0)
	}

	/// Height up to which blocks were processed; none at the very start.
	pub fn processed(&self) -> Option<BlockNumber> {
		self.processed
	}

	/// Notes that blocks up to this height were processed.
	pub fn set_processed(&mut self, height: BlockNumber) {
		self.is_height_unsaved |= self.processed != Some(height);
		self.processed = Some(height);
	}

	/// A candidate of the para was included, and names the peer.
	pub fn bump(&mut self, now: Timestamp, para: ParaId, peer: &PeerId) {
		let of_para = self.paras.entry(para).or_default();
		// Scores that faded to nothing make room first.
		if of_para.len() >= SCORES_PER_PARA_MAX && !of_para.contains_key(peer) {
			of_para.retain(|_, entry| entry.faded(now).score > 0);
		}
		let entry = of_para.entry(peer.clone()).or_insert(Entry { score: 0, since: now });
		*entry = Entry { score: entry.faded(now).score.saturating_add(INCLUSION_BUMP), since: now };
		if of_para.len() > SCORES_PER_PARA_MAX {
			evict(now, of_para, Some(peer));
		}
		self.unsaved.insert(para);
	}

	/// A peer loses `by`, or what it has. Answers what is left.
	pub fn slash(&mut self, now: Timestamp, para: ParaId, peer: &PeerId, by: u16) -> u16 {
		let Some(of_para) = self.paras.get_mut(&para) else { return 0 };
		let Some(entry) = of_para.get_mut(peer) else { return 0 };
		let Entry { score, since } = entry.faded(now);
		let left = score.saturating_sub(by);
		if left > 0 {
			*entry = Entry { score: left, since };
		} else {
			of_para.remove(peer);
			if of_para.is_empty() {
				self.paras.remove(&para);
			}
		}
		self.unsaved.insert(para);
		left
	}

	/// Forgets paras that are not registered. Answers whether there were any.
	pub fn prune(&mut self, registered: &BTreeSet<ParaId>) -> bool {
		let gone = |para: &&ParaId| !registered.contains(*para);
		let gone: BTreeSet<ParaId> = self.paras.keys().chain(&self.stored).filter(gone).copied().collect();
		self.paras.retain(|para, _| !gone.contains(para));
		self.unsaved.extend(&gone);
		!gone.is_empty()
	}

	/// How many scores each para has.
	pub(super) fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
		self.paras.values().map(BTreeMap::len)
	}

	/// Whether something differs from what is stored.
	pub fn is_unsaved(&self) -> bool {
		self.is_height_unsaved || !self.unsaved.is_empty()
	}

	/// What has to be written, all of it or nothing, so that what is stored is what is known.
	pub fn save(&mut self) -> Vec<WriteOp> {
		if !self.is_unsaved() {
			return Vec::new();
		}
		let mut writes = Vec::new();
		for para in std::mem::take(&mut self.unsaved) {
			writes.push(match self.paras.get(&para) {
				Some(of_para) => {
					self.stored.insert(para);
					let of_para = of_para.iter().map(|(peer, entry)| (peer, entry.score, entry.since));
					stored::para(para, of_para)
				},
				None => {
					self.stored.remove(&para);
					stored::no_para(para)
				},
			});
		}
		writes.push(stored::list(&self.stored));
		// Always together with the scores: with another height, bumps would count twice or never.
		writes.push(stored::height(self.processed));
		self.is_height_unsaved = false;
		writes
	}
}

/// Removes the lowest score, of several the oldest; `spared` stays.
fn evict(now: Timestamp, of_para: &mut BTreeMap<PeerId, Entry>, spared: Option<&PeerId>) {
	let others = of_para.iter().filter(|(peer, _)| Some(*peer) != spared);
	let rank = |entry: &Entry| (entry.faded(now).score, entry.since);
	let lowest = others.min_by_key(|(_, entry)| rank(entry)).map(|(peer, _)| peer.clone());
	if let Some(lowest) = lowest {
		of_para.remove(&lowest);
	}
}
