//! The host configuration: its SCALE and JSON forms, and what makes one consistent (runtime §2.1–§2.4).

use codec::{Decode, Encode};
use headway_primitives::{
	ApprovalVotingParams, AsyncBackingParams, Balance, BlockNumber, ExecutorParamError, ExecutorParams,
	NodeFeatures, SchedulerParams, SessionIndex, MAX_COALESCE_APPROVALS, MAX_CODE_SIZE, MAX_HEAD_DATA_SIZE,
	MAX_HORIZONTAL_MESSAGE_NUM, MAX_UPWARD_MESSAGE_NUM, ON_DEMAND_MAX_QUEUE_MAX_SIZE, POV_HARD_LIMIT,
};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// Most HRMP channels of a para in one direction.
pub const HRMP_MAX_CHANNELS_BOUND: u32 = 128;
/// Longest upward message that a configuration may allow, bytes.
pub const MAX_UPWARD_MESSAGE_SIZE_BOUND: u32 = 128 * 1024;

/// All parameters of the parachains protocol. The field order is normative: parachains read the first ten
/// fields by Merkle proof.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostConfiguration {
	/// Limit of validation code as stored, bytes.
	pub max_code_size: u32,
	/// Limit of head data, bytes.
	pub max_head_data_size: u32,
	/// Limit of a para's upward queue, messages.
	pub max_upward_queue_count: u32,
	/// Limit of a para's upward queue, bytes.
	pub max_upward_queue_size: u32,
	/// Limit of one upward message, bytes.
	pub max_upward_message_size: u32,
	/// Upward messages per candidate; signals do not count.
	pub max_upward_message_num_per_candidate: u32,
	/// Horizontal messages per candidate.
	pub hrmp_max_message_num_per_candidate: u32,
	/// Blocks for which a para may not upgrade again after it signalled an upgrade.
	#[serde(alias = "validation_upgrade_frequency")]
	pub validation_upgrade_cooldown: BlockNumber,
	/// Blocks from the inclusion of an upgrade to its readiness.
	pub validation_upgrade_delay: BlockNumber,
	/// Zero for both is synchronous backing; every other value follows the claim queue.
	pub async_backing_params: AsyncBackingParams,
	/// Limit of a proof of validity, bytes.
	pub max_pov_size: u32,
	/// Limit of a downward message, bytes; fixes the length of the queue, too.
	pub max_downward_message_size: u32,
	/// Outbound HRMP channels of a para.
	pub hrmp_max_parachain_outbound_channels: u32,
	/// Deposit of a channel's sender.
	pub hrmp_sender_deposit: Balance,
	/// Deposit of a channel's recipient.
	pub hrmp_recipient_deposit: Balance,
	/// Limit of a channel, messages.
	pub hrmp_channel_max_capacity: u32,
	/// Limit of a channel, bytes.
	pub hrmp_channel_max_total_size: u32,
	/// Inbound HRMP channels of a para.
	pub hrmp_max_parachain_inbound_channels: u32,
	/// Limit of a horizontal message, bytes.
	pub hrmp_channel_max_message_size: u32,
	/// Execution environment of validation functions.
	pub executor_params: ExecutorParams,
	/// Blocks for which replaced code is kept.
	pub code_retention_period: BlockNumber,
	/// Cap of active parachain validators.
	pub max_validators: Option<u32>,
	/// Sessions for which disputes are accepted and session information is kept.
	pub dispute_period: SessionIndex,
	/// Blocks for which votes are accepted after a dispute has concluded.
	pub dispute_post_conclusion_acceptance_period: BlockNumber,
	/// Slots after which an approval checker counts as a no-show.
	pub no_show_slots: u32,
	/// Delay tranches of approval voting.
	pub n_delay_tranches: u32,
	/// Width of the zeroth delay tranche.
	pub zeroth_delay_tranche_width: u32,
	/// Approvals that a candidate needs.
	pub needed_approvals: u32,
	/// Samples of the relay VRF modulo assignment.
	pub relay_vrf_modulo_samples: u32,
	/// Sessions after which a vote on new code ends as a rejection.
	pub pvf_voting_ttl: SessionIndex,
	/// Least blocks from the acceptance of new code to the upgrade.
	pub minimum_validation_upgrade_delay: BlockNumber,
	/// Votes that back a candidate, at most the size of the group.
	pub minimum_backing_votes: u32,
	/// Features of the node that are on.
	#[serde(with = "bits")]
	pub node_features: NodeFeatures,
	/// Parameters of approval voting.
	pub approval_voting_params: ApprovalVotingParams,
	/// Parameters of the scheduler.
	pub scheduler_params: SchedulerParams<BlockNumber>,
	/// Sessions that the session of a relay parent may be behind the scheduling session.
	pub max_relay_parent_session_age: u32,
}

impl Default for HostConfiguration {
	fn default() -> Self {
		Self {
			max_code_size: MAX_CODE_SIZE,
			max_head_data_size: 0,
			max_upward_queue_count: 0,
			max_upward_queue_size: 0,
			max_upward_message_size: 0,
			max_upward_message_num_per_candidate: 0,
			hrmp_max_message_num_per_candidate: 0,
			validation_upgrade_cooldown: 0,
			validation_upgrade_delay: 2,
			async_backing_params: AsyncBackingParams::default(),
			max_pov_size: 0,
			max_downward_message_size: 0,
			hrmp_max_parachain_outbound_channels: 0,
			hrmp_sender_deposit: 0,
			hrmp_recipient_deposit: 0,
			hrmp_channel_max_capacity: 0,
			hrmp_channel_max_total_size: 0,
			hrmp_max_parachain_inbound_channels: 0,
			hrmp_channel_max_message_size: 0,
			executor_params: ExecutorParams::default(),
			code_retention_period: 0,
			max_validators: None,
			dispute_period: 6,
			dispute_post_conclusion_acceptance_period: 100,
			no_show_slots: 1,
			n_delay_tranches: 1,
			zeroth_delay_tranche_width: 0,
			needed_approvals: 0,
			relay_vrf_modulo_samples: 0,
			pvf_voting_ttl: 2,
			minimum_validation_upgrade_delay: 2,
			minimum_backing_votes: 2,
			node_features: NodeFeatures::EMPTY,
			approval_voting_params: ApprovalVotingParams::default(),
			scheduler_params: SchedulerParams::default(),
			max_relay_parent_session_age: 0,
		}
	}
}

/// What is wrong with a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InconsistentConfiguration {
	/// `group_rotation_frequency` is zero.
	ZeroGroupRotationFrequency,
	/// `paras_availability_period` is zero.
	ZeroParasAvailabilityPeriod,
	/// `no_show_slots` is zero.
	ZeroNoShowSlots,
	/// `max_code_size` is above [`MAX_CODE_SIZE`].
	MaxCodeSizeExceedsHardLimit,
	/// `max_head_data_size` is above [`MAX_HEAD_DATA_SIZE`].
	MaxHeadDataSizeExceedsHardLimit,
	/// `max_pov_size` is above [`POV_HARD_LIMIT`].
	MaxPovSizeExceedsHardLimit,
	/// `max_approval_coalesce_count` is above [`MAX_COALESCE_APPROVALS`].
	MaxApprovalCoalesceCountExceedsHardLimit,
	/// `minimum_validation_upgrade_delay` is not above `paras_availability_period`.
	MinimumValidationUpgradeDelayNotAboveAvailabilityPeriod,
	/// `validation_upgrade_delay` is below 2.
	ValidationUpgradeDelayTooLow,
	/// `max_upward_message_size` is above [`MAX_UPWARD_MESSAGE_SIZE_BOUND`].
	MaxUpwardMessageSizeExceedsHardLimit,
	/// `hrmp_max_message_num_per_candidate` is above [`MAX_HORIZONTAL_MESSAGE_NUM`].
	MaxHorizontalMessageNumExceedsHardLimit,
	/// `max_upward_message_num_per_candidate` is above [`MAX_UPWARD_MESSAGE_NUM`].
	MaxUpwardMessageNumExceedsHardLimit,
	/// `hrmp_max_parachain_outbound_channels` is above [`HRMP_MAX_CHANNELS_BOUND`].
	MaxHrmpOutboundChannelsExceedsHardLimit,
	/// `hrmp_max_parachain_inbound_channels` is above [`HRMP_MAX_CHANNELS_BOUND`].
	MaxHrmpInboundChannelsExceedsHardLimit,
	/// `minimum_backing_votes` is zero.
	ZeroMinimumBackingVotes,
	/// The executor parameters contradict each other or their ranges.
	InconsistentExecutorParams(ExecutorParamError),
	/// `lookahead` is zero.
	ZeroLookahead,
	/// `on_demand_queue_max_size` is above [`ON_DEMAND_MAX_QUEUE_MAX_SIZE`].
	OnDemandQueueMaxSizeTooLarge,
	/// `n_delay_tranches` is zero.
	ZeroDelayTranches,
}

impl HostConfiguration {
	/// Whether backing is synchronous: newest relay parent only, on an included head (design §5).
	pub fn is_synchronous(&self) -> bool {
		self.async_backing_params.is_synchronous()
	}

	/// How many scheduling parents, the newest included, a candidate may name.
	pub fn scheduling_parents_max(&self) -> u32 {
		if self.is_synchronous() {
			1
		} else {
			self.scheduler_params.lookahead
		}
	}

	/// Limits of a para's upward queue: messages, bytes.
	pub fn upward_queue_limits(&self) -> (u32, u32) {
		(self.max_upward_queue_count, self.max_upward_queue_size)
	}

	/// The first violation in the order of runtime §2.4.
	pub fn check_consistency(&self) -> Result<(), InconsistentConfiguration> {
		use InconsistentConfiguration as E;
		let scheduler = &self.scheduler_params;
		let rules = [
			(scheduler.group_rotation_frequency > 0, E::ZeroGroupRotationFrequency),
			(scheduler.paras_availability_period > 0, E::ZeroParasAvailabilityPeriod),
			(self.no_show_slots > 0, E::ZeroNoShowSlots),
			(self.max_code_size <= MAX_CODE_SIZE, E::MaxCodeSizeExceedsHardLimit),
			(self.max_head_data_size <= MAX_HEAD_DATA_SIZE, E::MaxHeadDataSizeExceedsHardLimit),
			(self.max_pov_size <= POV_HARD_LIMIT, E::MaxPovSizeExceedsHardLimit),
			(
				self.approval_voting_params.max_approval_coalesce_count <= MAX_COALESCE_APPROVALS,
				E::MaxApprovalCoalesceCountExceedsHardLimit,
			),
			(
				self.minimum_validation_upgrade_delay > scheduler.paras_availability_period,
				E::MinimumValidationUpgradeDelayNotAboveAvailabilityPeriod,
			),
			(self.validation_upgrade_delay > 1, E::ValidationUpgradeDelayTooLow),
			(
				self.max_upward_message_size <= MAX_UPWARD_MESSAGE_SIZE_BOUND,
				E::MaxUpwardMessageSizeExceedsHardLimit,
			),
			(
				self.hrmp_max_message_num_per_candidate <= MAX_HORIZONTAL_MESSAGE_NUM,
				E::MaxHorizontalMessageNumExceedsHardLimit,
			),
			(
				self.max_upward_message_num_per_candidate <= MAX_UPWARD_MESSAGE_NUM,
				E::MaxUpwardMessageNumExceedsHardLimit,
			),
			(
				self.hrmp_max_parachain_outbound_channels <= HRMP_MAX_CHANNELS_BOUND,
				E::MaxHrmpOutboundChannelsExceedsHardLimit,
			),
			(
				self.hrmp_max_parachain_inbound_channels <= HRMP_MAX_CHANNELS_BOUND,
				E::MaxHrmpInboundChannelsExceedsHardLimit,
			),
			(self.minimum_backing_votes > 0, E::ZeroMinimumBackingVotes),
		];
		if let Some((_, violation)) = rules.into_iter().find(|(holds, _)| !holds) {
			return Err(violation);
		}
		self.executor_params.check_consistency().map_err(E::InconsistentExecutorParams)?;
		let rules = [
			(scheduler.lookahead > 0, E::ZeroLookahead),
			(
				scheduler.on_demand_queue_max_size <= ON_DEMAND_MAX_QUEUE_MAX_SIZE,
				E::OnDemandQueueMaxSizeTooLarge,
			),
			(self.n_delay_tranches > 0, E::ZeroDelayTranches),
		];
		rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, violation)| Err(violation))
	}
}

/// JSON form of a bit vector that tools write: `{order, head: {width, index}, bits, data}`.
mod bits {
	use alloc::{string::String, vec::Vec};
	use headway_primitives::NodeFeatures;
	use serde::{de::Error as _, Deserialize, Deserializer, Serialize, Serializer};

	const ORDER: &str = "bitvec::order::Lsb0";

	#[derive(Serialize, Deserialize)]
	struct Head {
		width: u8,
		index: u8,
	}

	#[derive(Serialize, Deserialize)]
	struct BitSeq {
		order: String,
		head: Head,
		bits: u64,
		data: Vec<u8>,
	}

	pub(super) fn serialize<S: Serializer>(features: &NodeFeatures, s: S) -> Result<S::Ok, S::Error> {
		let mut data = alloc::vec![0u8; features.len().div_ceil(8)];
		for i in features.iter_ones() {
			data[i / 8] |= 1 << (i % 8);
		}
		let head = Head { width: 8, index: 0 };
		BitSeq { order: ORDER.into(), head, bits: features.len() as u64, data }.serialize(s)
	}

	pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<NodeFeatures, D::Error> {
		let BitSeq { order, head, bits, data } = BitSeq::deserialize(d)?;
		if order != ORDER || head.width != 8 {
			return Err(D::Error::custom("expected a bit vector of bytes, least significant bit first"));
		}
		let first = usize::from(head.index);
		let end = usize::try_from(bits).ok().and_then(|bits| first.checked_add(bits));
		if end.is_none_or(|end| first >= 8 || end > data.len() * 8) {
			return Err(D::Error::custom("bit vector is longer than its data"));
		}
		Ok((first..end.unwrap_or(first)).map(|i| data[i / 8] & (1 << (i % 8)) != 0).collect())
	}
}
