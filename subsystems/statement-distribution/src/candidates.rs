//! Candidates that we heard of: unconfirmed ones, of which peers claim something, and confirmed ones, which we have in
//! full (backing pipeline §4.2).

use headway_machine::{by_hash::ByHash, HypotheticalCandidate, PeerId};
use headway_primitives::{
	CandidateHash, CommittedCandidateReceiptV2, GroupIndex, Hash, ParaId, PersistedValidationData,
};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// What a peer says about a candidate without showing it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Claim {
	/// Its scheduling parent.
	pub(crate) scheduling_parent: Hash,
	/// The group that backs it.
	pub(crate) group: GroupIndex,
	/// Hash of the head data that it builds on, and its para; statements do not say it.
	pub(crate) parent_and_para: Option<(Hash, ParaId)>,
}

/// A claim disagrees with what we know for sure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadClaim;

/// A candidate that we have in full.
#[derive(Clone, Debug)]
pub(crate) struct Confirmed {
	/// Its hash.
	pub(crate) hash: CandidateHash,
	/// The candidate.
	pub(crate) receipt: Arc<CommittedCandidateReceiptV2>,
	/// What it is validated with.
	pub(crate) validation_data: Arc<PersistedValidationData>,
	/// The group that backs it.
	pub(crate) group: GroupIndex,
	/// Hash of the head data that it builds on.
	pub(crate) parent_head_data_hash: Hash,
	/// Active leaves under which it could be added to its para's chain.
	importable_under: BTreeSet<Hash>,
}

impl Confirmed {
	/// Its para.
	pub(crate) fn para(&self) -> ParaId {
		self.receipt.descriptor.para_id
	}

	/// Its scheduling parent.
	pub(crate) fn scheduling_parent(&self) -> Hash {
		self.receipt.descriptor.scheduling_parent()
	}

	/// Whether its statements are to go to backing.
	pub(crate) fn is_importable(&self) -> bool {
		!self.importable_under.is_empty()
	}

	/// As prospective parachains are asked about it.
	pub(crate) fn hypothetical(&self) -> HypotheticalCandidate {
		HypotheticalCandidate::Complete {
			candidate_hash: self.hash,
			receipt: self.receipt.clone(),
			validation_data: self.validation_data.clone(),
		}
	}

	fn agrees_with(&self, claim: &Claim) -> bool {
		claim.scheduling_parent == self.scheduling_parent()
			&& claim.group == self.group
			&& claim
				.parent_and_para
				.is_none_or(|claimed| claimed == (self.parent_head_data_hash, self.para()))
	}
}

#[derive(Debug)]
enum Candidate {
	Unconfirmed(BTreeMap<PeerId, BTreeSet<Claim>>),
	Confirmed(Confirmed),
}

/// What became clear when a candidate was confirmed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reckoning {
	/// Peers that claimed something wrong.
	pub(crate) incorrect: Vec<PeerId>,
}

/// Candidates by hash.
///
/// # Bounds
///
/// Every claim comes with a statement or a manifest that a tracker accepted, and the trackers bound those per validator and
/// scheduling parent; so there are at most as many unconfirmed candidates and claims. Confirmed candidates are ours, or
/// came with a response that held; they are as large as receipts are. All go with their scheduling parent.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
	candidates: ByHash<CandidateHash, Candidate>,
	/// Confirmed candidates by what they build on.
	by_parent: BTreeMap<(Hash, ParaId), BTreeSet<CandidateHash>>,
}

impl Candidates {
	/// Takes a peer's claim.
	pub(crate) fn claim(
		&mut self,
		peer: &PeerId,
		candidate: CandidateHash,
		claim: Claim,
	) -> Result<(), BadClaim> {
		let fresh = || Candidate::Unconfirmed(BTreeMap::new());
		match self.candidates.entry(candidate).or_insert_with(fresh) {
			Candidate::Unconfirmed(claims) => {
				claims.entry(peer.clone()).or_default().insert(claim);
				Ok(())
			},
			Candidate::Confirmed(confirmed) if confirmed.agrees_with(&claim) => Ok(()),
			Candidate::Confirmed(_) => Err(BadClaim),
		}
	}

	/// Confirms a candidate that we now have in full. None if it was confirmed before.
	pub(crate) fn confirm(
		&mut self,
		candidate: CandidateHash,
		receipt: Arc<CommittedCandidateReceiptV2>,
		validation_data: Arc<PersistedValidationData>,
		group: GroupIndex,
	) -> Option<Reckoning> {
		let claims = match self.candidates.get_mut(&candidate) {
			Some(Candidate::Confirmed(_)) => return None,
			Some(Candidate::Unconfirmed(claims)) => std::mem::take(claims),
			None => BTreeMap::new(),
		};
		let confirmed = Confirmed {
			hash: candidate,
			parent_head_data_hash: validation_data.parent_head.hash(),
			receipt,
			validation_data,
			group,
			importable_under: BTreeSet::new(),
		};
		let disagrees = |claims: &BTreeSet<Claim>| claims.iter().any(|claim| !confirmed.agrees_with(claim));
		let incorrect =
			claims.into_iter().filter(|(_, claims)| disagrees(claims)).map(|(peer, _)| peer).collect();
		let place = (confirmed.parent_head_data_hash, confirmed.para());
		self.by_parent.entry(place).or_default().insert(candidate);
		self.candidates.insert(candidate, Candidate::Confirmed(confirmed));
		Some(Reckoning { incorrect })
	}

	/// How many candidates somebody mentioned.
	pub(crate) fn len(&self) -> usize {
		self.candidates.len()
	}

	/// Whether anybody mentioned the candidate.
	pub(crate) fn is_known(&self, candidate: CandidateHash) -> bool {
		self.candidates.contains_key(&candidate)
	}

	/// A confirmed candidate.
	pub(crate) fn confirmed(&self, candidate: CandidateHash) -> Option<&Confirmed> {
		match self.candidates.get(&candidate)? {
			Candidate::Confirmed(confirmed) => Some(confirmed),
			Candidate::Unconfirmed(_) => None,
		}
	}

	/// All confirmed candidates, by hash.
	pub(crate) fn all_confirmed(&self) -> Vec<&Confirmed> {
		let confirmed = self.candidates.values().filter_map(|candidate| match candidate {
			Candidate::Confirmed(confirmed) => Some(confirmed),
			Candidate::Unconfirmed(_) => None,
		});
		let mut confirmed: Vec<_> = confirmed.collect();
		confirmed.sort_by_key(|confirmed| confirmed.hash);
		confirmed
	}

	/// Confirmed candidates of a para that build on a head.
	pub(crate) fn children(&self, parent: Hash, para: ParaId) -> impl Iterator<Item = &Confirmed> {
		let children = self.by_parent.get(&(parent, para)).into_iter().flatten();
		children.filter_map(|candidate| self.confirmed(*candidate))
	}

	/// Notes that a confirmed candidate could be added under a leaf.
	pub(crate) fn note_importable(&mut self, candidate: CandidateHash, leaf: Hash) {
		if let Some(Candidate::Confirmed(confirmed)) = self.candidates.get_mut(&candidate) {
			confirmed.importable_under.insert(leaf);
		}
	}

	/// Forgets leaves that are none any more, and all that is about scheduling parents that are not retained.
	pub(crate) fn retain(&mut self, is_leaf: impl Fn(&Hash) -> bool, is_retained: impl Fn(&Hash) -> bool) {
		let by_parent = &mut self.by_parent;
		self.candidates.retain(|hash, candidate| match candidate {
			Candidate::Unconfirmed(claims) => {
				claims.retain(|_, claims| {
					claims.retain(|claim| is_retained(&claim.scheduling_parent));
					!claims.is_empty()
				});
				!claims.is_empty()
			},
			Candidate::Confirmed(confirmed) => {
				confirmed.importable_under.retain(|leaf| is_leaf(leaf));
				let retained = is_retained(&confirmed.scheduling_parent());
				let place = (confirmed.parent_head_data_hash, confirmed.para());
				if let Some(siblings) = by_parent.get_mut(&place).filter(|_| !retained) {
					siblings.remove(hash);
				}
				retained
			},
		});
		by_parent.retain(|_, siblings| !siblings.is_empty());
	}
}

#[cfg(any(test, feature = "fuzzing"))]
impl Candidates {
	/// Whether all that is kept is about these scheduling parents and, of unconfirmed candidates, there is a claim.
	pub(crate) fn is_within(&self, is_retained: impl Fn(&Hash) -> bool) -> bool {
		let by_parent = self.by_parent.values().flatten().all(|hash| self.confirmed(*hash).is_some());
		by_parent
			&& self.candidates.values().all(|candidate| match candidate {
				Candidate::Confirmed(confirmed) => is_retained(&confirmed.scheduling_parent()),
				Candidate::Unconfirmed(claims) => {
					let mut all = claims.values().flatten().peekable();
					all.peek().is_some() && all.all(|claim| is_retained(&claim.scheduling_parent))
				},
			})
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::tests::builder::{candidate, CandidateSpec};
	use headway_machine::testing::{hash, peer};

	fn claim(parent_and_para: Option<(Hash, ParaId)>) -> Claim {
		Claim { scheduling_parent: hash(10), group: GroupIndex(0), parent_and_para }
	}

	#[test]
	fn claims_are_judged_when_the_candidate_is_confirmed_and_after() {
		let (receipt, validation_data) = candidate(&CandidateSpec::default());
		let (id, parent) = (receipt.hash(), validation_data.parent_head.hash());
		let para = receipt.descriptor.para_id;
		let wrong = [
			Claim { scheduling_parent: hash(9), ..claim(None) },
			Claim { group: GroupIndex(1), ..claim(None) },
			claim(Some((hash(7), para))),
			claim(Some((parent, ParaId(999)))),
		];
		let right = [claim(None), claim(Some((parent, para)))];
		let mut candidates = Candidates::default();
		for (i, claim) in wrong.iter().chain(&right).enumerate() {
			assert_eq!(candidates.claim(&peer(i as u8), id, *claim), Ok(()));
		}
		let (receipt, data) = (Arc::new(receipt), Arc::new(validation_data));
		let reckoning = candidates.confirm(id, receipt.clone(), data.clone(), GroupIndex(0)).unwrap();
		assert_eq!(reckoning.incorrect, [0, 1, 2, 3].map(peer));
		for claim in wrong {
			assert_eq!(candidates.claim(&peer(9), id, claim), Err(BadClaim), "{claim:?}");
		}
		for claim in right {
			assert_eq!(candidates.claim(&peer(9), id, claim), Ok(()), "{claim:?}");
		}
		assert!(candidates.confirm(id, receipt, data, GroupIndex(0)).is_none(), "confirmed once");
		assert_eq!(candidates.children(parent, para).count(), 1);
	}

	#[test]
	fn candidates_go_with_their_scheduling_parent_and_leaves_with_the_view() {
		let (receipt, validation_data) = candidate(&CandidateSpec::default());
		let (id, parent, para) =
			(receipt.hash(), validation_data.parent_head.hash(), receipt.descriptor.para_id);
		let mut candidates = Candidates::default();
		let unconfirmed = CandidateHash(hash(5));
		candidates.claim(&peer(1), unconfirmed, claim(None)).unwrap();
		candidates.confirm(id, Arc::new(receipt), Arc::new(validation_data), GroupIndex(0)).unwrap();
		candidates.note_importable(id, hash(10));
		candidates.note_importable(id, hash(11));
		candidates.retain(|leaf| *leaf == hash(11), |_| true);
		assert!(candidates.confirmed(id).unwrap().is_importable());
		candidates.retain(|_| false, |_| true);
		assert!(!candidates.confirmed(id).unwrap().is_importable());
		assert!(candidates.is_known(unconfirmed));
		candidates.retain(|_| false, |_| false);
		assert!(!candidates.is_known(id) && !candidates.is_known(unconfirmed));
		assert_eq!(candidates.children(parent, para).count(), 0);
		assert!(candidates.by_parent.is_empty());
	}
}
