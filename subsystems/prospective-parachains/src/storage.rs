//! Candidates by hash, by the head that they build on, and by the head that they produce.

use crate::candidate::{Backing, Candidate};
use headway_primitives::{CandidateHash, Hash};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// Candidates in no particular shape: several may share a parent, parents may be missing.
///
/// # Bounds
///
/// Filled by whoever owns it; the three indices hold each candidate once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Storage {
	by_hash: BTreeMap<CandidateHash, (Arc<Candidate>, Backing)>,
	by_parent_head: BTreeSet<(Hash, CandidateHash)>,
	by_output_head: BTreeSet<(Hash, CandidateHash)>,
}

impl Storage {
	pub(crate) fn len(&self) -> usize {
		self.by_hash.len()
	}

	pub(crate) fn contains(&self, hash: &CandidateHash) -> bool {
		self.by_hash.contains_key(hash)
	}

	pub(crate) fn get(&self, hash: &CandidateHash) -> Option<(&Arc<Candidate>, Backing)> {
		self.by_hash.get(hash).map(|(candidate, backing)| (candidate, *backing))
	}

	/// All candidates, ascending by hash.
	pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<Candidate>, Backing)> {
		self.by_hash.values().map(|(candidate, backing)| (candidate, *backing))
	}

	/// Keeps the first entry if the candidate is there already.
	pub(crate) fn insert(&mut self, candidate: Arc<Candidate>, backing: Backing) {
		if self.contains(&candidate.hash) {
			return;
		}
		self.by_parent_head.insert((candidate.parent_head_hash, candidate.hash));
		self.by_output_head.insert((candidate.output_head_hash, candidate.hash));
		self.by_hash.insert(candidate.hash, (candidate, backing));
	}

	pub(crate) fn remove(&mut self, hash: &CandidateHash) -> Option<(Arc<Candidate>, Backing)> {
		let (candidate, backing) = self.by_hash.remove(hash)?;
		self.by_parent_head.remove(&(candidate.parent_head_hash, *hash));
		self.by_output_head.remove(&(candidate.output_head_hash, *hash));
		Some((candidate, backing))
	}

	pub(crate) fn mark_backed(&mut self, hash: &CandidateHash) {
		if let Some((_, backing)) = self.by_hash.get_mut(hash) {
			*backing = Backing::Backed;
		}
	}

	/// Candidates that build on a head, ascending by hash.
	pub(crate) fn children(&self, head: &Hash) -> impl Iterator<Item = (&Arc<Candidate>, Backing)> {
		of_head(&self.by_parent_head, head).filter_map(|hash| self.get(hash))
	}

	/// Candidates that produce a head, ascending by hash.
	pub(crate) fn producers(&self, head: &Hash) -> impl Iterator<Item = &Arc<Candidate>> {
		of_head(&self.by_output_head, head).filter_map(|hash| self.get(hash)).map(|(c, _)| c)
	}

	/// Heads that candidates build on, ascending, as often as they do.
	pub(crate) fn parent_heads(&self) -> impl Iterator<Item = &Hash> {
		self.by_parent_head.iter().map(|(head, _)| head)
	}

	/// Heads that candidates produce, ascending, as often as they do.
	pub(crate) fn output_heads(&self) -> impl Iterator<Item = &Hash> {
		self.by_output_head.iter().map(|(head, _)| head)
	}
}

fn of_head<'a>(
	index: &'a BTreeSet<(Hash, CandidateHash)>,
	head: &Hash,
) -> impl Iterator<Item = &'a CandidateHash> {
	let (lowest, highest) = (CandidateHash(Hash::zero()), CandidateHash(Hash::repeat_byte(0xff)));
	index.range((*head, lowest)..=(*head, highest)).map(|(_, hash)| hash)
}
