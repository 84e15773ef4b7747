//! Which candidates came to nothing, and why: one candidate, one reason, whatever the nodes say of it.
//!
//! Every node that meets a candidate tells what it saw: the collator, that nobody backed it in time; a validator, that it left the
//! view; another one, that its execution failed. Only the last one says why.

use headway_primitives::CandidateHash;
use headway_rpc_api::{CandidateView, ParaCandidates};
use std::{
	cmp::Reverse,
	collections::{BTreeMap, BTreeSet},
};

/// A drop, as a node tells of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DropReport {
	/// When, milliseconds since the Unix epoch: nodes of a network share a clock.
	pub at_ms: u64,
	/// Why.
	pub reason: String,
	/// Which node.
	pub node: String,
}

/// What the nodes of a network told so far of the candidates of its paras.
///
/// # Bounds
///
/// One entry per candidate and node that told of it, of some hundred bytes: a network that is watched lives for hours, not years.
#[derive(Debug, Default)]
pub struct Drops(BTreeMap<u32, ParaDrops>);

#[derive(Debug, Default)]
struct ParaDrops {
	/// What each node said of a candidate last.
	candidates: BTreeMap<CandidateHash, BTreeMap<String, Fate>>,
	/// How often each node dropped something that had no hash yet, by reason.
	nameless: BTreeMap<String, BTreeMap<String, u64>>,
	last_nameless: Option<DropReport>,
}

/// What a node says of a candidate.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Fate {
	/// It is on its way.
	Open,
	/// It is lost, as far as this node is concerned.
	Lost { depth: u8, drop: DropReport },
	/// It is backed, and waits for availability.
	Backed,
	/// The relay chain lost it.
	TakenBack(DropReport),
	/// It is included.
	Included,
}

impl Drops {
	/// Takes what a node told of a para.
	pub fn add(&mut self, para: u32, node: &str, told: &ParaCandidates) {
		let known = self.0.entry(para).or_default();
		for candidate in &told.candidates {
			let fates = known.candidates.entry(candidate.candidate_hash).or_default();
			fates.insert(node.into(), Fate::of(candidate, node));
		}
		known.nameless.insert(node.into(), told.dropped_nameless.clone());
		let last = told.last_drop.as_ref().filter(|last| last.candidate_hash.is_none());
		let last = last.map(|last| DropReport {
			at_ms: last.drop.last_ms,
			reason: last.drop.telling().into(),
			node: node.into(),
		});
		known.last_nameless = known.last_nameless.take().max(last);
	}

	/// How many candidates of a para came to nothing, by reason. What had no hash is counted as often as the node says that counted
	/// most: others saw the same.
	pub fn by_reason(&self, para: u32) -> BTreeMap<String, u64> {
		let Some(known) = self.0.get(&para) else { return BTreeMap::new() };
		let reasons: BTreeSet<&String> = known.nameless.values().flat_map(BTreeMap::keys).collect();
		let most = |reason: &String| known.nameless.values().filter_map(|by| by.get(reason)).max().copied();
		let mut counts: BTreeMap<String, u64> =
			reasons.into_iter().filter_map(|reason| Some((reason.clone(), most(reason)?))).collect();
		for lost in known.lost() {
			*counts.entry(lost.reason.clone()).or_default() += 1;
		}
		counts
	}

	/// The newest drop of a para.
	pub fn last(&self, para: u32) -> Option<DropReport> {
		let known = self.0.get(&para)?;
		known.lost().chain(&known.last_nameless).max().cloned()
	}
}

impl ParaDrops {
	/// Of each candidate that came to nothing, the drop that says most.
	fn lost(&self) -> impl Iterator<Item = &DropReport> {
		self.candidates.values().filter_map(lost)
	}
}

impl Fate {
	fn of(candidate: &CandidateView, node: &str) -> Self {
		let told = |reason: &str, at_ms| DropReport { at_ms, reason: reason.into(), node: node.into() };
		match (&*candidate.outcome, &candidate.lost) {
			("included" | "finalized", _) => Self::Included,
			("backed", _) => Self::Backed,
			("timed_out", _) => {
				let at = candidate.stages.iter().find(|reached| reached.stage == "timed_out");
				Self::TakenBack(told("timed_out", at.map_or(candidate.first_seen_ms, |at| at.first_ms)))
			},
			(_, Some(lost)) if lost.subsystem == "relay-chain" => {
				Self::TakenBack(told(lost.telling(), lost.last_ms))
			},
			(_, Some(lost)) => Self::Lost { depth: lost.depth(), drop: told(lost.telling(), lost.last_ms) },
			_ => Self::Open,
		}
	}
}

/// Why a candidate came to nothing, if it did. All nodes see the same chain, some of them earlier.
fn lost(fates: &BTreeMap<String, Fate>) -> Option<&DropReport> {
	if fates.values().any(|fate| *fate == Fate::Included) {
		return None;
	}
	let taken_back = fates.values().find_map(|fate| match fate {
		Fate::TakenBack(drop) => Some(drop),
		_ => None,
	});
	if taken_back.is_some() || fates.values().any(|fate| *fate == Fate::Backed) {
		return taken_back;
	}
	let lost = fates.values().filter_map(|fate| match fate {
		Fate::Lost { depth, drop } => Some((*depth, Reverse(drop.at_ms), drop)),
		_ => None,
	});
	// The deepest reason, and of several the first one: the others followed.
	lost.max().map(|(_, _, drop)| drop)
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_primitives::{Hash, ParaId};
	use headway_rpc_api::{DropView, LastDrop};

	fn drop(kind: &str, reason: &str, at_ms: u64) -> DropView {
		DropView {
			kind: kind.into(),
			reason: reason.into(),
			because: None,
			evidence: None,
			explanation: String::new(),
			subsystem: if kind == "chain" { "relay-chain".into() } else { "candidate-backing".into() },
			first_ms: at_ms,
			last_ms: at_ms,
			count: 1,
		}
	}

	/// What a node says of candidate `n`.
	fn candidate(n: u64, outcome: &str, lost: Option<DropView>) -> CandidateView {
		CandidateView {
			candidate_hash: CandidateHash(Hash::from_low_u64_be(n)),
			para_id: ParaId(2000),
			relay_parent: None,
			scheduling_parent: None,
			outcome: outcome.into(),
			lost,
			first_seen_ms: 1,
			stages: Vec::new(),
			drops: Vec::new(),
		}
	}

	fn told(candidates: Vec<CandidateView>) -> ParaCandidates {
		ParaCandidates {
			para_id: ParaId(2000),
			known: 0,
			candidates,
			dropped: BTreeMap::from([("out_of_view".into(), 99)]),
			messages_refused: BTreeMap::new(),
			dropped_nameless: BTreeMap::new(),
			last_drop: None,
			cores_without_validators: Vec::new(),
		}
	}

	fn counts(drops: &Drops) -> Vec<(String, u64)> {
		drops.by_reason(2000).into_iter().collect()
	}

	#[test]
	fn a_candidate_counts_once_under_the_reason_that_lies_behind() {
		let mut drops = Drops::default();
		let lost = |kind, reason, at| told(vec![candidate(1, "lost", Some(drop(kind, reason, at)))]);
		drops.add(2000, "collator", &lost("dropped", "not_backed", 900));
		assert_eq!(counts(&drops), [("not_backed".into(), 1)]);
		drops.add(2000, "alice", &lost("dropped", "out_of_view", 800));
		assert_eq!(counts(&drops), [("out_of_view".into(), 1)]);
		drops.add(2000, "bob", &lost("refused", "no_claim_queue_slot", 700));
		assert_eq!(counts(&drops), [("no_claim_queue_slot".into(), 1)]);
		drops.add(2000, "charlie", &lost("invalid", "invalid_execution", 850));
		drops.add(2000, "dave", &lost("dropped", "out_of_view", 950));
		assert_eq!(counts(&drops), [("invalid_execution".into(), 1)]);
		let last = drops.last(2000).unwrap();
		assert_eq!((&*last.reason, &*last.node), ("invalid_execution", "charlie"));
		// Asked again, nothing is counted twice.
		drops.add(2000, "charlie", &lost("invalid", "invalid_execution", 850));
		assert_eq!(counts(&drops), [("invalid_execution".into(), 1)]);
	}

	#[test]
	fn what_made_it_elsewhere_is_not_lost_and_the_chain_knows_better() {
		let mut drops = Drops::default();
		let late = || Some(drop("dropped", "out_of_view", 5));
		drops.add(2000, "alice", &told(vec![candidate(1, "lost", late()), candidate(2, "lost", late())]));
		drops.add(2000, "bob", &told(vec![candidate(1, "included", None), candidate(2, "backed", None)]));
		assert_eq!(counts(&drops), []);
		assert_eq!(drops.last(2000), None);
		// The block that backed the second one lost its fork. Bob has yet to hear of it.
		let fork = Some(drop("chain", "relay_fork_lost", 9));
		drops.add(2000, "alice", &told(vec![candidate(2, "lost", fork)]));
		assert_eq!(counts(&drops), [("relay_fork_lost".into(), 1)]);
		drops.add(
			2000,
			"alice",
			&told(vec![candidate(3, "timed_out", None), candidate(4, "underway", None)]),
		);
		assert_eq!(counts(&drops), [("relay_fork_lost".into(), 1), ("timed_out".into(), 1)]);
	}

	#[test]
	fn what_had_no_hash_is_counted_as_one_node_does() {
		let mut drops = Drops::default();
		let nameless = |count, at| ParaCandidates {
			dropped_nameless: BTreeMap::from([("pov_too_large".into(), count)]),
			last_drop: Some(LastDrop { candidate_hash: None, drop: drop("invalid", "pov_too_large", at) }),
			..told(Vec::new())
		};
		drops.add(2000, "alice", &nameless(2, 7));
		drops.add(2000, "bob", &nameless(3, 8));
		assert_eq!(counts(&drops), [("pov_too_large".into(), 3)]);
		assert_eq!(drops.last(2000).unwrap().node, "bob");
		assert_eq!(counts(&drops).len(), 1);
		assert_eq!(drops.by_reason(2001), BTreeMap::new());
	}
}
