//! What the machine hears, what it says, and what it counts.

use headway_machine::{
	BackableQuery, CandidateRef, FragmentChainError, FragmentChainView, IntroducedCandidate, LeavesUpdate,
	Membership, MembershipQuery, Token, ValidationDataQuery,
};
use headway_primitives::{
	constraints::RelayParentInfo, CandidateHash, Hash, ParaId, PersistedValidationData, SessionIndex,
};
use std::collections::{BTreeMap, BTreeSet};

/// All that can happen to the machine. Questions are answered by an effect with the same token, exactly once.
#[derive(Clone, Debug)]
pub enum Event {
	/// The active leaves changed.
	Leaves(LeavesUpdate),
	/// A candidate was seconded; answered by [`Effect::Introduced`]. Must come before
	/// [`Event::CandidateBacked`].
	Introduce {
		/// Names the question.
		token: Token,
		/// The candidate.
		candidate: IntroducedCandidate,
	},
	/// A candidate has the votes that it needs.
	CandidateBacked {
		/// Its para.
		para: ParaId,
		/// The candidate.
		candidate_hash: CandidateHash,
	},
	/// Under which leaves could candidates be added?
	Membership(MembershipQuery),
	/// What can be backed on chain next?
	Backable(BackableQuery),
	/// What does validation of a candidate start from?
	ValidationData(ValidationDataQuery),
	/// Which heads are known?
	KnownOutputHeads {
		/// Names the question.
		token: Token,
		/// Of these paras.
		paras: Vec<ParaId>,
	},
	/// Somebody wants to look at a fragment chain; answered by [`Effect::FragmentChain`].
	FragmentChain {
		/// Names the question.
		token: Token,
		/// Whose.
		para: ParaId,
		/// At which scheduling parent; none: at the newest leaf that has one.
		at: Option<Hash>,
	},
	/// Answer to [`Effect::QueryRelayParentInfo`].
	RelayParentInfo {
		/// The question's.
		token: Token,
		/// The relay parent; none if it is not allowed, or if asking failed.
		info: Option<RelayParentInfo>,
	},
}

/// All that the machine says and asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
	/// Whether the candidate is kept under any scheduling parent.
	Introduced {
		/// The question's.
		token: Token,
		/// Whether it is kept.
		accepted: bool,
	},
	/// Answer to [`Event::Membership`].
	Membership(Membership),
	/// Answer to [`Event::Backable`].
	Backable {
		/// The question's.
		token: Token,
		/// In the order in which they have to be backed.
		candidates: Vec<CandidateRef>,
	},
	/// Answer to [`Event::ValidationData`].
	ValidationData {
		/// The question's.
		token: Token,
		/// The data; none if the parent head or the relay parent is not known.
		data: Option<PersistedValidationData>,
	},
	/// Answer to [`Event::KnownOutputHeads`].
	KnownOutputHeads {
		/// The question's.
		token: Token,
		/// By scheduling parent and para: heads that candidates produce, and the included head.
		heads: BTreeMap<Hash, BTreeMap<ParaId, BTreeSet<Hash>>>,
	},
	/// Answer to [`Event::FragmentChain`].
	FragmentChain {
		/// The question's.
		token: Token,
		/// The chain as it is now.
		chain: Result<FragmentChainView, FragmentChainError>,
	},
	/// Asks the driver for `ancestor_relay_parent_info` at a block; to be answered by
	/// [`Event::RelayParentInfo`].
	QueryRelayParentInfo {
		/// Names the question.
		token: Token,
		/// The block whose state is asked.
		at: Hash,
		/// Session of the relay parent's children.
		session_index: SessionIndex,
		/// The relay parent.
		relay_parent: Hash,
	},
}

/// Counts for gauges (backing pipeline §2.10).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stats {
	/// Active leaves.
	pub active_leaves: usize,
	/// Former leaves that are still in a leaf's scope.
	pub inactive_leaves: usize,
	/// Candidates in the fragment chains at active leaves.
	pub connected: usize,
	/// Candidates beside the fragment chains at active leaves.
	pub unconnected: usize,
	/// Candidates at all scheduling parents.
	pub implicit_view: usize,
	/// Operations that wait for a relay parent.
	pub parked: usize,
}
