//! Protocol parameters that the node reads (runtime §2.1, §2.2, §2.5).

use crate::{Balance, BlockNumber};
use bitvec::{order::Lsb0, vec::BitVec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_arithmetic::Perbill;

/// Parameters of asynchronous backing.
///
/// Zero for both is Headway's switch to synchronous backing: newest relay parent only, and a candidate builds on an
/// included head. All other values follow the claim queue, as in the reference.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Default,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
	Serialize,
	Deserialize,
)]
pub struct AsyncBackingParams {
	/// How many candidates of a para may be ahead of the included head, beside the one that is pending.
	pub max_candidate_depth: u32,
	/// How many ancestors of the newest relay block may be relay parents.
	pub allowed_ancestry_len: u32,
}

impl AsyncBackingParams {
	/// Whether backing is synchronous.
	pub fn is_synchronous(&self) -> bool {
		self.max_candidate_depth == 0 && self.allowed_ancestry_len == 0
	}
}

/// Parameters of approval voting.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
	Serialize,
	Deserialize,
)]
pub struct ApprovalVotingParams {
	/// Most candidates that one approval may cover.
	pub max_approval_coalesce_count: u32,
}

impl Default for ApprovalVotingParams {
	fn default() -> Self {
		Self { max_approval_coalesce_count: 1 }
	}
}

/// Parameters of the scheduler. The field order is normative.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	TypeInfo,
	MaxEncodedLen,
	Serialize,
	Deserialize,
)]
#[serde(default)]
pub struct SchedulerParams<N = BlockNumber> {
	/// Blocks between rotations of groups over cores.
	pub group_rotation_frequency: N,
	/// Blocks that a candidate has to become available after a rotation.
	pub paras_availability_period: N,
	/// Largest group; none: by number of cores.
	pub max_validators_per_core: Option<u32>,
	/// Length of the claim queue, and of the window of scheduling parents.
	pub lookahead: u32,
	/// Cores.
	pub num_cores: u32,
	/// Most orders in the on-demand queue.
	pub on_demand_queue_max_size: u32,
	/// Fill of the on-demand queue at which its price stays.
	pub on_demand_target_queue_utilization: Perbill,
	/// How fast the on-demand price moves.
	pub on_demand_fee_variability: Perbill,
	/// Least on-demand price.
	pub on_demand_base_fee: Balance,
}

impl<N: From<u32>> Default for SchedulerParams<N> {
	fn default() -> Self {
		Self {
			group_rotation_frequency: 1.into(),
			paras_availability_period: 1.into(),
			max_validators_per_core: None,
			lookahead: 1,
			num_cores: 0,
			on_demand_queue_max_size: ON_DEMAND_MAX_QUEUE_MAX_SIZE,
			on_demand_target_queue_utilization: Perbill::from_percent(25),
			on_demand_fee_variability: Perbill::from_percent(3),
			on_demand_base_fee: 10_000_000,
		}
	}
}

/// Hard limit of the on-demand queue, orders.
pub const ON_DEMAND_MAX_QUEUE_MAX_SIZE: u32 = 10_000;

/// Node features: one bit each.
pub type NodeFeatures = BitVec<u8, Lsb0>;

/// Bits of [`NodeFeatures`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FeatureIndex {
	/// Compact assignments.
	EnableAssignmentsV2 = 0,
	/// Several cores for one para.
	ElasticScalingMvp = 1,
	/// RFC-47: chunks are permuted per core.
	AvailabilityChunkMapping = 2,
	/// Descriptors of version 2.
	CandidateReceiptV2 = 3,
	/// Descriptors of version 3.
	CandidateReceiptV3 = 4,
}

impl FeatureIndex {
	/// Whether the feature is on.
	pub fn is_set(self, features: &NodeFeatures) -> bool {
		features.get(self as usize).is_some_and(|bit| *bit)
	}
}

/// The first ten fields of the host configuration: what parachains read by Merkle proof.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct AbridgedHostConfiguration {
	/// Limit of validation code, bytes.
	pub max_code_size: u32,
	/// Limit of head data, bytes.
	pub max_head_data_size: u32,
	/// Limit of a para's upward queue, messages.
	pub max_upward_queue_count: u32,
	/// Limit of a para's upward queue, bytes.
	pub max_upward_queue_size: u32,
	/// Limit of one upward message, bytes.
	pub max_upward_message_size: u32,
	/// Upward messages per candidate.
	pub max_upward_message_num_per_candidate: u32,
	/// Horizontal messages per candidate.
	pub hrmp_max_message_num_per_candidate: u32,
	/// Blocks between code upgrades.
	pub validation_upgrade_cooldown: BlockNumber,
	/// Blocks from inclusion of an upgrade to its readiness.
	pub validation_upgrade_delay: BlockNumber,
	/// Parameters of asynchronous backing.
	pub async_backing_params: AsyncBackingParams,
}
