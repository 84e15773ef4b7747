//! What the methods answer, and how it is made of records.

use headway_lifecycle::{LossRecord, Outcome, ParaSnapshot, Reached, Record};
use headway_machine::{
	BlockRef, Evidence, Fragment, FragmentChainView, Loss, Reason, Stage, Timestamp, Trace,
};
use headway_primitives::{BlockNumber, CandidateHash, Hash, ParaId, SessionIndex};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Options of `parachain_candidates`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CandidatesOptions {
	/// Most candidates in the answer.
	#[serde(default)]
	pub limit: Option<u32>,
}

/// Answer to `parachain_candidates`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParaCandidates {
	/// The para.
	pub para_id: ParaId,
	/// How many of its candidates the node remembers.
	pub known: u32,
	/// The newest ones, newest first.
	pub candidates: Vec<CandidateView>,
	/// How often candidates were dropped since the node was started, by reason: the one that lies behind, where there is one.
	pub dropped: BTreeMap<String, u64>,
	/// How often messages about candidates were refused, by reason. Nothing is lost by these.
	pub messages_refused: BTreeMap<String, u64>,
	/// Those of `dropped` that named no candidate, as a submission that was refused before there was one.
	pub dropped_nameless: BTreeMap<String, u64>,
	/// The newest drop of a candidate that is still lost.
	pub last_drop: Option<LastDrop>,
	/// Cores of the para that have no validators at the newest leaf, so that nothing on them can be backed.
	pub cores_without_validators: Vec<u32>,
}

/// The newest drop of a para.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastDrop {
	/// The candidate, if one is known by hash.
	pub candidate_hash: Option<CandidateHash>,
	/// What happened.
	#[serde(flatten)]
	pub drop: DropView,
}

/// Answer to `parachain_candidate`: what became of a candidate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CandidateView {
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// Its para.
	pub para_id: ParaId,
	/// Its relay parent: the relay block whose state it executes against. Known once the node saw its receipt.
	pub relay_parent: Option<Hash>,
	/// Its scheduling parent: the relay block that schedules it. Only descriptors of version 3 have another one than the relay
	/// parent.
	pub scheduling_parent: Option<Hash>,
	/// `underway`, `lost`, `backed`, `timed_out`, `included` or `finalized`.
	pub outcome: String,
	/// Why it is lost, if it is.
	pub lost: Option<DropView>,
	/// When the node first heard of it, milliseconds since the Unix epoch.
	pub first_seen_ms: u64,
	/// The stages that it reached, in the order in which it first did.
	pub stages: Vec<StageView>,
	/// What was dropped of it, in the order in which it first was, messages included.
	pub drops: Vec<DropView>,
}

/// A stage that a candidate reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageView {
	/// Its name, as in metrics.
	pub stage: String,
	/// The end of a sentence that begins with "the candidate".
	pub explanation: String,
	/// The part of the node that told of it.
	pub subsystem: String,
	/// When first, milliseconds since the Unix epoch.
	pub first_ms: u64,
	/// How often.
	pub count: u32,
	/// For what the relay chain says: the first block that says it.
	pub block: Option<BlockView>,
}

/// A relay block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockView {
	/// Its number.
	pub number: BlockNumber,
	/// Its hash.
	pub hash: Hash,
}

/// Something that was dropped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DropView {
	/// `refused` (an offer), `invalid` (the candidate, by its own fault), `dropped` (the candidate), or `message` (only a
	/// message about it).
	pub kind: String,
	/// The reason, as in metrics.
	pub reason: String,
	/// The reason that lies behind it, where there is one that says more.
	pub because: Option<String>,
	/// What that rests on, where it can be named.
	pub evidence: Option<EvidenceView>,
	/// The end of a sentence that begins with "because".
	pub explanation: String,
	/// The part of the node that dropped it.
	pub subsystem: String,
	/// When first, milliseconds since the Unix epoch.
	pub first_ms: u64,
	/// When last.
	pub last_ms: u64,
	/// How often.
	pub count: u32,
}

/// What a drop rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum EvidenceView {
	/// Another candidate has the place on the parent head.
	Rival {
		/// The other candidate.
		candidate_hash: CandidateHash,
		/// Hash of the head that both build on.
		parent_head: Hash,
	},
	/// The scheduling parent is not in the allowed ancestry of any leaf any more.
	LeftView {
		/// Its number.
		scheduling_parent_number: BlockNumber,
		/// Relay blocks since it left, when the candidate was dropped.
		blocks_ago: BlockNumber,
	},
	/// A relay block lost its fork.
	LostFork {
		/// The block.
		lost: BlockView,
		/// The block that the chain has in its place.
		instead: BlockView,
		/// Whether the candidate was backed in it; if not, it is the candidate's scheduling parent.
		was_backed: bool,
	},
	/// The session of the scheduling parent ended.
	SessionEnded {
		/// The session.
		session: SessionIndex,
		/// Its last block.
		last_block: BlockView,
		/// Whether the candidate was backed, and waited for availability.
		was_backed: bool,
	},
	/// The candidate that it builds on was never backed.
	Parent {
		/// The other candidate.
		candidate_hash: CandidateHash,
	},
	/// Its core has no validators.
	Core {
		/// The core.
		core: u32,
	},
}

/// Answer to `parachain_fragmentChain`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FragmentChainInfo {
	/// The para.
	pub para_id: ParaId,
	/// The relay block that would schedule candidates.
	pub scheduling_parent: Hash,
	/// Its number.
	pub number: BlockNumber,
	/// Hash of the head that is included there.
	pub included_head: Hash,
	/// Most candidates that the best chain may have.
	pub max_length: u32,
	/// The candidates that can be backed on chain next, in their order, behind those that are pending.
	pub best_chain: Vec<FragmentView>,
	/// Candidates that may get a place later.
	pub unconnected: Vec<FragmentView>,
}

/// A candidate of a fragment chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FragmentView {
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// Relay block whose state it executes against.
	pub relay_parent: Hash,
	/// Relay block that schedules it.
	pub scheduling_parent: Hash,
	/// Hash of the head that it builds on.
	pub parent_head: Hash,
	/// Hash of the head that it produces.
	pub output_head: Hash,
	/// `pending` on chain, `backed` by its group, or `seconded` only.
	pub state: String,
}

/// An item of `parachain_subscribeCandidates`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum CandidateUpdate {
	/// Something happened to a candidate.
	Happened {
		/// When, milliseconds since the Unix epoch.
		at_ms: u64,
		/// The candidate, as far as it is known.
		candidate_hash: Option<CandidateHash>,
		/// Its para, as far as it is known.
		para_id: Option<ParaId>,
		/// Its relay parent, as far as it is known.
		relay_parent: Option<Hash>,
		/// Its scheduling parent, as far as it is known.
		scheduling_parent: Option<Hash>,
		/// The part of the node that noticed it.
		subsystem: String,
		/// What happened, as in metrics.
		stage: String,
		/// If it is dropped: why, as in metrics.
		reason: Option<String>,
		/// The same in plain words.
		explanation: String,
		/// For what the relay chain says: the block that says it.
		block: Option<BlockView>,
	},
	/// This subscriber was too slow: so many items are missing here, of all paras.
	Lost {
		/// How many.
		items: u64,
	},
}

impl From<BlockRef> for BlockView {
	fn from(block: BlockRef) -> Self {
		Self { number: block.number, hash: block.hash }
	}
}

impl From<&Reached> for StageView {
	fn from(reached: &Reached) -> Self {
		let name: &'static str = reached.stage.into();
		Self {
			stage: name.into(),
			explanation: reached.stage.explanation().into(),
			subsystem: reached.subsystem.into(),
			first_ms: reached.first.unix_ms,
			count: reached.count,
			block: reached.block.map(Into::into),
		}
	}
}

impl DropView {
	/// The reason under which it is counted, in `dropped` and in metrics: the one that lies behind, where there is one.
	pub fn telling(&self) -> &str {
		self.because.as_deref().unwrap_or(&self.reason)
	}

	/// How much it says of why a candidate is lost, beside what other nodes say of the same one.
	pub fn depth(&self) -> u8 {
		match &*self.kind {
			"invalid" => u8::MAX,
			_ => Reason::from_label(self.telling()).map_or(0, Reason::depth),
		}
	}
}

impl From<Evidence> for EvidenceView {
	fn from(evidence: Evidence) -> Self {
		match evidence {
			Evidence::Rival { candidate, parent_head } => {
				Self::Rival { candidate_hash: candidate, parent_head }
			},
			Evidence::LeftView { number, blocks_ago } => {
				Self::LeftView { scheduling_parent_number: number, blocks_ago }
			},
			Evidence::LostFork { lost, instead } => {
				Self::LostFork { lost: lost.into(), instead: instead.into(), was_backed: false }
			},
			Evidence::BackedOnLostFork { lost, instead } => {
				Self::LostFork { lost: lost.into(), instead: instead.into(), was_backed: true }
			},
			Evidence::SessionEnded { session, last, was_backed } => {
				Self::SessionEnded { session, last_block: last.into(), was_backed }
			},
			Evidence::Parent { candidate } => Self::Parent { candidate_hash: candidate },
			Evidence::Core { core } => Self::Core { core: core.0 },
		}
	}
}

impl From<&LossRecord> for DropView {
	fn from(loss: &LossRecord) -> Self {
		Self {
			kind: loss.loss.label().into(),
			reason: loss.reason.label().into(),
			because: loss.because.map(|reason| reason.label().into()),
			evidence: loss.evidence.map(Into::into),
			explanation: loss.explanation(),
			subsystem: loss.subsystem.into(),
			first_ms: loss.first.unix_ms,
			last_ms: loss.last.unix_ms,
			count: loss.count,
		}
	}
}

impl From<&Record> for CandidateView {
	fn from(record: &Record) -> Self {
		let outcome = record.outcome();
		let lost = match &outcome {
			Outcome::Lost(loss) => Some(loss.into()),
			_ => None,
		};
		Self {
			candidate_hash: record.candidate,
			para_id: record.para,
			relay_parent: record.relay_parent,
			scheduling_parent: record.scheduling_parent,
			outcome: outcome.label().into(),
			lost,
			first_seen_ms: record.first_seen().unix_ms,
			stages: record.stages.iter().map(Into::into).collect(),
			drops: record.losses.iter().map(Into::into).collect(),
		}
	}
}

impl From<&ParaSnapshot> for ParaCandidates {
	fn from(para: &ParaSnapshot) -> Self {
		let mut this = Self {
			para_id: para.para,
			known: para.known as u32,
			candidates: para.candidates.iter().map(Into::into).collect(),
			dropped: BTreeMap::new(),
			messages_refused: BTreeMap::new(),
			dropped_nameless: BTreeMap::new(),
			cores_without_validators: para.cores_without_validators.iter().map(|core| core.0).collect(),
			last_drop: para
				.last_loss
				.as_ref()
				.map(|last| LastDrop { candidate_hash: last.candidate, drop: (&last.loss).into() }),
		};
		for ((loss, reason), count) in &para.tally {
			let counts = if *loss == Loss::Message { &mut this.messages_refused } else { &mut this.dropped };
			*counts.entry(reason.label().into()).or_default() += count;
		}
		let nameless = para.nameless.iter().filter(|((loss, _), _)| *loss != Loss::Message);
		for ((_, reason), count) in nameless {
			*this.dropped_nameless.entry(reason.label().into()).or_default() += count;
		}
		this
	}
}

impl FragmentChainInfo {
	/// The chain of a para.
	pub fn new(para_id: ParaId, chain: &FragmentChainView) -> Self {
		Self {
			para_id,
			scheduling_parent: chain.at,
			number: chain.number,
			included_head: chain.included_head,
			max_length: chain.max_len as u32,
			best_chain: chain.best.iter().map(Into::into).collect(),
			unconnected: chain.unconnected.iter().map(Into::into).collect(),
		}
	}
}

impl From<&Fragment> for FragmentView {
	fn from(fragment: &Fragment) -> Self {
		let state: &'static str = fragment.state.into();
		Self {
			candidate_hash: fragment.candidate_hash,
			relay_parent: fragment.relay_parent,
			scheduling_parent: fragment.scheduling_parent,
			parent_head: fragment.parent_head,
			output_head: fragment.output_head,
			state: state.into(),
		}
	}
}

impl CandidateUpdate {
	/// The item for a trace; none if it tells of nothing that happened to a candidate.
	pub fn of(trace: &Trace) -> Option<Self> {
		let Timestamp { unix_ms: at_ms } = trace.at;
		let stage: &'static str = match (trace.stage, trace.loss()) {
			(_, Some((Loss::Message, _))) | (Stage::Duplicate, _) => return None,
			(_, Some((loss, _))) => loss.label(),
			(stage, None) => stage.into(),
		};
		Some(Self::Happened {
			at_ms,
			candidate_hash: trace.candidate,
			para_id: trace.para,
			relay_parent: trace.relay_parent,
			scheduling_parent: trace.scheduling_parent,
			subsystem: trace.subsystem.into(),
			stage: stage.into(),
			reason: trace.telling().map(|reason| reason.label().into()),
			explanation: trace.explanation(),
			block: trace.block.map(Into::into),
		})
	}
}
