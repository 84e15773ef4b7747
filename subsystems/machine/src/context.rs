//! What is known of sessions, relay blocks and leaves: fetched once by the driver, the same for all machines.

use crate::BlockRef;
use headway_primitives::{
	constraints::{Constraints, RelayParentInfo},
	AsyncBackingParams, AuthorityDiscoveryId, BlockNumber, CandidateEvent, CandidateHash, ClaimQueue,
	CommittedCandidateReceiptV2, CoreIndex, CoreState, ExecutorParams, GroupIndex, GroupRotationInfo, Hash,
	NodeFeatures, ParaId, SessionIndex, SessionInfo, SigningContext, TransposedClaimQueue, ValidatorId,
	ValidatorIndex,
};
use std::{collections::BTreeMap, sync::Arc};

/// What is known of a session. Shared by all blocks whose children are in it.
#[derive(Clone, Debug)]
pub struct SessionContext {
	/// The session.
	pub index: SessionIndex,
	/// What the runtime stores of it: keys, groups, discovery keys.
	pub info: SessionInfo,
	/// Execution environment of validation functions.
	pub executor_params: Arc<ExecutorParams>,
	/// Our place among the active validators, if we hold one of their keys: the first one found in the keystore.
	pub local_validator: Option<ValidatorIndex>,
	/// Our place in the discovery keys, if we hold one of them (active validators come first).
	pub local_discovery_index: Option<u32>,
	/// Seed of the gossip topology: BABE randomness of the epoch.
	pub topology_randomness: [u8; 32],
}

impl SessionContext {
	/// Key of a validator.
	pub fn validator(&self, index: ValidatorIndex) -> Option<&ValidatorId> {
		self.info.validators.get(index.0 as usize)
	}

	/// Discovery key of a validator.
	pub fn discovery_key(&self, index: ValidatorIndex) -> Option<&AuthorityDiscoveryId> {
		self.info.discovery_keys.get(index.0 as usize)
	}

	/// Number of active validators.
	pub fn n_validators(&self) -> usize {
		self.info.validators.len()
	}

	/// The group of a validator.
	pub fn group_of(&self, validator: ValidatorIndex) -> Option<GroupIndex> {
		let position = self.info.validator_groups.iter().position(|group| group.contains(&validator))?;
		Some(GroupIndex(position as u32))
	}

	/// Members of a group.
	pub fn group(&self, group: GroupIndex) -> Option<&[ValidatorIndex]> {
		self.info.validator_groups.get(group.0 as usize).map(Vec::as_slice)
	}
}

/// What is known of a relay block, as far as it can be a scheduling parent. Answers are for its children.
#[derive(Clone, Debug)]
pub struct BlockContext {
	/// Its hash.
	pub hash: Hash,
	/// Its number.
	pub number: BlockNumber,
	/// Its parent.
	pub parent_hash: Hash,
	/// Its state root.
	pub state_root: Hash,
	/// Its BABE slot.
	pub slot: u64,
	/// The session of its children.
	pub session: Arc<SessionContext>,
	/// Which paras come next on each core.
	pub claim_queue: ClaimQueue,
	/// The same by para.
	pub transposed_claim_queue: TransposedClaimQueue,
	/// How groups rotate over cores.
	pub group_rotation: GroupRotationInfo,
	/// Validators whose statements are ignored, ascending.
	pub disabled_validators: Vec<ValidatorIndex>,
	/// Votes that back a candidate, at most the group's size.
	pub minimum_backing_votes: u32,
	/// Features that are on.
	pub node_features: NodeFeatures,
}

impl BlockContext {
	/// What statements about candidates with this scheduling parent, and bitfields at this block, are bound to.
	pub fn signing_context(&self) -> SigningContext {
		SigningContext { session_index: self.session.index, parent_hash: self.hash }
	}

	/// Number of groups; also the number of cores.
	pub fn n_groups(&self) -> u32 {
		self.session.info.validator_groups.len() as u32
	}

	/// The group that is responsible for a core.
	pub fn group_for_core(&self, core: CoreIndex) -> GroupIndex {
		self.group_rotation.group_for_core(core, self.n_groups())
	}

	/// The core that a group is responsible for.
	pub fn core_for_group(&self, group: GroupIndex) -> CoreIndex {
		self.group_rotation.core_for_group(group, self.n_groups())
	}

	/// Whether a validator is disabled.
	pub fn is_disabled(&self, validator: ValidatorIndex) -> bool {
		self.disabled_validators.binary_search(&validator).is_ok()
	}

	/// Our own group and core, if we are an active validator with a group.
	pub fn local_assignment(&self) -> Option<(GroupIndex, CoreIndex)> {
		let group = self.session.group_of(self.session.local_validator?)?;
		Some((group, self.core_for_group(group)))
	}

	/// Its number and hash.
	pub fn to_ref(&self) -> BlockRef {
		BlockRef { number: self.number, hash: self.hash }
	}

	/// This block as a relay parent.
	pub fn relay_parent_info(&self) -> RelayParentInfo {
		RelayParentInfo { number: self.number, state_root: self.state_root }
	}
}

/// A candidate that was backed on chain and waits for availability at a leaf.
#[derive(Clone, Debug)]
pub struct PendingCandidate {
	/// Its hash.
	pub hash: CandidateHash,
	/// The candidate.
	pub receipt: CommittedCandidateReceiptV2,
	/// Its relay parent; none if the chain does not know it any more.
	pub relay_parent: Option<RelayParentInfo>,
}

/// State of a para at a leaf.
#[derive(Clone, Debug)]
pub struct ParaContext {
	/// What candidates that follow the included head have to respect.
	pub constraints: Constraints,
	/// Candidates that wait for availability, each builds on the one before.
	pub pending: Vec<PendingCandidate>,
}

/// What is known of a leaf: the one source of relay chain state for all machines.
#[derive(Clone, Debug)]
pub struct LeafContext {
	/// The leaf itself.
	pub block: Arc<BlockContext>,
	/// Its ancestors that may be scheduling parents, newest first: at most `scheduling_lookahead - 1`, all in the leaf's
	/// session, none when backing is synchronous.
	pub allowed_ancestry: Vec<Arc<BlockContext>>,
	/// Ancestors that are in the same session, newest first, at most three: their candidates may still need chunks.
	pub recent_ancestors: Vec<Hash>,
	/// Length of the claim queue.
	pub scheduling_lookahead: u32,
	/// Zero for both means synchronous backing.
	pub async_backing_params: AsyncBackingParams,
	/// State of every core.
	pub availability_cores: Vec<CoreState>,
	/// State of every para in the claim queue, and of those that have candidates pending.
	pub paras: BTreeMap<ParaId, ParaContext>,
	/// What happened to candidates in the leaf.
	pub candidate_events: Vec<CandidateEvent>,
}

impl LeafContext {
	/// The leaf's hash.
	pub fn hash(&self) -> Hash {
		self.block.hash
	}

	/// The leaf and its allowed ancestry, newest first.
	pub fn allowed_blocks(&self) -> impl DoubleEndedIterator<Item = &Arc<BlockContext>> {
		std::iter::once(&self.block).chain(&self.allowed_ancestry)
	}

	/// Whether backing is synchronous at this leaf: the leaf is the only relay parent, and candidates build on the
	/// included head.
	pub fn is_synchronous(&self) -> bool {
		self.async_backing_params.is_synchronous()
	}
}

/// A change of the set of active leaves. A driver sends it to all machines, in the same order.
#[derive(Clone, Debug, Default)]
pub struct LeavesUpdate {
	/// The new leaf.
	pub activated: Option<Arc<LeafContext>>,
	/// Leaves that are none any more.
	pub deactivated: Vec<Hash>,
}
