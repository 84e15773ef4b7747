//! The state that the next candidate of a para has to fit to: what is included, what is pending, and what the
//! same inherent has accepted so far (runtime §6.4, §6.5).

use super::*;
use alloc::collections::BTreeMap;
use headway_primitives::{
	constraints::{
		check_downward_count, check_downward_progress, check_watermark_reached, horizontal_totals,
		upward_totals, watermark_update, ConstraintError, Constraints, InboundHrmpLimitations,
		OutboundHrmpChannelLimitations,
	},
	ump::skip_ump_signals,
	Hash, UpgradeRestriction,
};

/// State of a para as its next candidate sees it.
///
/// Only what the next candidate may touch is read from storage, when it is its turn: its channels, the
/// number of downward messages and the first of them, watermarks if it names one, whether its code may be
/// replaced. What is there of them in [`Self::constraints`] is therefore not all.
#[derive(Clone, Debug)]
pub struct RunningState {
	para: ParaId,
	/// Limits, with the latest head as required parent. Downward messages are not among them, see
	/// [`Self::downward_taken`].
	constraints: Constraints<BlockNumber>,
	/// Whether the para has code. Without it, nothing of it is scheduled.
	has_code: bool,
	/// Number of the relay parent of the latest head.
	context: BlockNumber,
	/// Downward messages that are in storage, but were consumed by candidates before this one.
	downward_taken: u64,
	/// Mark of inbound messages that candidates before this one set; none: that in storage holds.
	watermark: Option<BlockNumber>,
	/// Whether the watermarks were read.
	watermarks_known: bool,
	/// Most bytes of one message into each channel that was read.
	channel_message_sizes: BTreeMap<ParaId, u32>,
	/// Most bytes of one upward message.
	max_upward_message_size: u32,
	/// If backing is synchronous: the only relay parent, and whether the latest head is included there.
	synchronous: Option<(Hash, LatestHead)>,
}

/// What the latest head of a para is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LatestHead {
	/// Included, in a block before this one.
	Included,
	/// Included in this very block.
	IncludedNow,
	/// That of a candidate that waits for availability.
	Pending,
	/// That of a candidate of this block.
	Unincluded,
}

/// What a candidate violates of the rules of synchronous backing: it must be made at the newest relay block,
/// from a head that is included there (design §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SynchronousViolation {
	/// The relay parent is not the newest block.
	RelayParentNotNewest,
	/// A candidate of the para waits for availability.
	CandidatePending,
	/// The para's head was included in this very block, after the relay parent.
	HeadIncludedAfterRelayParent,
	/// It builds on a candidate of this block, not on an included head.
	ParentNotIncluded,
}

impl core::fmt::Display for SynchronousViolation {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.write_str(match self {
			Self::RelayParentNotNewest => "relay parent is not the newest block",
			Self::CandidatePending => "a candidate of the para is pending availability",
			Self::HeadIncludedAfterRelayParent => {
				"the head was included in this block, after the relay parent"
			},
			Self::ParentNotIncluded => "builds on a candidate that is not included",
		})
	}
}

impl<T> From<SynchronousViolation> for Error<T> {
	fn from(violation: SynchronousViolation) -> Self {
		match violation {
			SynchronousViolation::RelayParentNotNewest => Self::SynchronousRelayParentNotNewest,
			SynchronousViolation::CandidatePending
			| SynchronousViolation::HeadIncludedAfterRelayParent
			| SynchronousViolation::ParentNotIncluded => Self::SynchronousParentNotIncluded,
		}
	}
}

impl<T: Config> From<ConstraintError> for Error<T> {
	fn from(error: ConstraintError) -> Self {
		use ConstraintError as E;
		match error {
			E::ValidationCodeMismatch { .. } | E::NoFutureCode => Self::InvalidValidationCodeHash,
			E::HeadDataTooLarge { .. } => Self::HeadDataTooLarge,
			E::RelayParentTooOld { .. } => Self::DisallowedRelayParent,
			E::CodeUpgradeRestricted => Self::PrematureCodeUpgrade,
			E::CodeTooLarge { .. } => Self::NewCodeTooLarge,
			E::TooManyHrmpMessages { .. }
			| E::HrmpMessagesNotAscending { .. }
			| E::NoSuchHrmpChannel { .. }
			| E::HrmpBytesOverflow { .. }
			| E::HrmpMessagesOverflow { .. } => Self::InvalidOutboundHrmp,
			E::ValidationDataMismatch { .. } => Self::ValidationDataHashMismatch,
			E::DmpNotAdvanced { .. } | E::DmpUnderflow { .. } => Self::IncorrectDownwardMessageHandling,
			E::TooManyUmpMessages { .. } | E::UmpMessagesOverflow { .. } | E::UmpBytesOverflow { .. } => {
				Self::InvalidUpwardMessages
			},
			E::WatermarkNotAllowed { .. } => Self::HrmpWatermarkMishandling,
		}
	}
}

impl<T: Config> Pallet<T> {
	/// Constraints under the included state. None without a head or code.
	pub fn backing_constraints(para: ParaId) -> Option<Constraints<BlockNumber>> {
		let config = configuration::ActiveConfig::<T>::get();
		let oldest = shared::Pallet::<T>::minimum_relay_parent_number().unwrap_or_else(now::<T>);
		// A para with an upgrade under way may not begin another one, even if its cooldown is over.
		let upgrade_restriction =
			(!paras::Pallet::<T>::can_upgrade_validation_code(para)).then_some(UpgradeRestriction::Present);
		Some(Constraints {
			min_relay_parent_number: Self::most_recent_context(para)
				.map_or(oldest, |context| context.max(oldest)),
			dmp_remaining_messages: dmp::Pallet::<T>::sent_at(para),
			hrmp_inbound: InboundHrmpLimitations {
				valid_watermarks: hrmp::Pallet::<T>::valid_watermarks(para),
			},
			hrmp_channels_out: hrmp::Pallet::<T>::outbound_remaining(para)
				.into_iter()
				.map(|(recipient, messages_remaining, bytes_remaining)| {
					(recipient, OutboundHrmpChannelLimitations { bytes_remaining, messages_remaining })
				})
				.collect(),
			validation_code_hash: paras::CurrentCodeHash::<T>::get(para)?,
			upgrade_restriction,
			..Self::constraints_without_messages(para, &config)?
		})
	}

	/// Constraints with neither downward nor horizontal messages, relay parents of any age, code that may be
	/// replaced, and the default hash for a para without code. None without a head.
	fn constraints_without_messages(
		para: ParaId,
		config: &configuration::HostConfiguration,
	) -> Option<Constraints<BlockNumber>> {
		let required_parent = paras::Heads::<T>::get(para)?;
		let (queue_count, queue_size) = Self::upward_queue_footprint(para);
		Some(Constraints {
			min_relay_parent_number: 0,
			max_pov_size: config.max_pov_size,
			max_code_size: config.max_code_size,
			max_head_data_size: config.max_head_data_size,
			ump_remaining: config.max_upward_queue_count.saturating_sub(queue_count),
			ump_remaining_bytes: config.max_upward_queue_size.saturating_sub(queue_size),
			// Nobody would execute the messages of a para that is gone.
			max_ump_num_per_candidate: if paras::Pallet::<T>::is_offboarding(para) {
				0
			} else {
				config.max_upward_message_num_per_candidate
			},
			dmp_remaining_messages: Vec::new(),
			hrmp_inbound: InboundHrmpLimitations::default(),
			hrmp_channels_out: Vec::new(),
			max_hrmp_num_per_candidate: config.hrmp_max_message_num_per_candidate,
			required_parent,
			validation_code_hash: paras::CurrentCodeHash::<T>::get(para).unwrap_or_default(),
			upgrade_restriction: None,
			future_validation_code: paras::FutureCodeUpgrades::<T>::get(para)
				.and_then(|at| paras::FutureCodeHash::<T>::get(para).map(|code| (at, code))),
		})
	}

	/// Number of the relay parent of the latest head, pending candidates included.
	pub fn most_recent_context(para: ParaId) -> Option<BlockNumber> {
		match Self::pending_candidates(para).last() {
			Some(pending) => Some(pending.relay_parent_number),
			None => paras::MostRecentContext::<T>::get(para),
		}
	}

	/// The latest head, pending candidates included.
	pub fn latest_head(para: ParaId) -> Option<HeadData> {
		match Self::pending_candidates(para).pop() {
			Some(pending) => Some(pending.commitments.head_data),
			None => paras::Heads::<T>::get(para),
		}
	}

	/// State that the para's next candidate has to fit to: included and pending. None without a head, or
	/// without the relay parent of that head.
	///
	/// `included_now` says whether the head was included in this very block.
	pub(crate) fn running_state(
		para: ParaId,
		config: &configuration::HostConfiguration,
		included_now: bool,
	) -> Option<RunningState> {
		let newest = config.is_synchronous().then(frame_system::Pallet::<T>::parent_hash);
		let head = if included_now { LatestHead::IncludedNow } else { LatestHead::Included };
		let mut state = RunningState {
			context: paras::MostRecentContext::<T>::get(para)?,
			..Self::included_state(para, config)?
		};
		let pending = Self::pending_candidates(para);
		state.synchronous =
			newest.map(|newest| (newest, if pending.is_empty() { head } else { LatestHead::Pending }));
		for pending in pending {
			state.load::<T>(&pending.commitments, pending.relay_parent_number);
			if let Err(error) = state.advance(&pending.commitments, pending.relay_parent_number) {
				// Limits were lowered since it was backed. What it builds on is clear nevertheless.
				log::warn!(
					target: LOG_TARGET,
					"para {para}: pending candidate {} exceeds limits: {error}", pending.hash,
				);
				state.constraints.required_parent = pending.commitments.head_data;
				state.context = pending.relay_parent_number;
			}
		}
		Some(state)
	}

	/// The state without pending candidates, for a relay parent of any age.
	fn included_state(para: ParaId, config: &configuration::HostConfiguration) -> Option<RunningState> {
		Some(RunningState {
			para,
			constraints: Self::constraints_without_messages(para, config)?,
			has_code: paras::CurrentCodeHash::<T>::contains_key(para),
			context: 0,
			downward_taken: 0,
			watermark: None,
			watermarks_known: false,
			channel_message_sizes: Default::default(),
			max_upward_message_size: config.max_upward_message_size,
			synchronous: None,
		})
	}

	/// Checks one candidate against the state that it builds on, and advances the state by it (runtime §6.4).
	/// Returns the number of its relay parent. Votes are not checked here.
	///
	/// # Errors
	///
	/// In this order: `DisallowedRelayParent`, those of synchronous backing, `ValidationDataHashMismatch`,
	/// `UnscheduledCandidate`, `InvalidValidationCodeHash`, `ParaHeadMismatch`, those of the acceptance
	/// criteria.
	pub(crate) fn verify_backed_candidate(
		state: &mut RunningState,
		candidate: &CommittedCandidateReceiptV2,
	) -> Result<BlockNumber, Error<T>> {
		let CommittedCandidateReceiptV2 { descriptor, commitments } = candidate;
		let session = descriptor.session_index().unwrap_or_else(shared::CurrentSessionIndex::<T>::get);
		let relay_parent = shared::Pallet::<T>::relay_parent_info(session, descriptor.relay_parent)
			.filter(|info| info.number >= state.context)
			.ok_or(Error::DisallowedRelayParent)?;
		state.check_synchronous(descriptor.relay_parent)?;
		let constraints = &state.constraints;
		if constraints.validation_data(&relay_parent).hash() != descriptor.persisted_validation_data_hash {
			return Err(Error::ValidationDataHashMismatch);
		}
		if !state.has_code {
			return Err(Error::UnscheduledCandidate);
		}
		constraints.check_validation_code(descriptor.validation_code_hash)?;
		if descriptor.para_head != commitments.head_data.hash() {
			return Err(Error::ParaHeadMismatch);
		}
		state.load::<T>(commitments, relay_parent.number);
		Self::check_acceptance(state, commitments, relay_parent.number)?;
		state.advance(commitments, relay_parent.number)?;
		Ok(relay_parent.number)
	}

	/// The acceptance criteria of commitments, in their order (runtime §6.5). The state must be loaded for
	/// them.
	fn check_acceptance(
		state: &RunningState,
		commitments: &CandidateCommitments,
		relay_parent_number: BlockNumber,
	) -> Result<(), Error<T>> {
		let constraints = &state.constraints;
		constraints.check_head_data(&commitments.head_data)?;
		constraints.check_code_upgrade(commitments.new_validation_code.as_ref())?;

		let (waiting, first_sent_at) = state.downward::<T>(commitments.processed_downward_messages);
		check_downward_progress(commitments.processed_downward_messages, first_sent_at, relay_parent_number)?;
		check_downward_count(commitments.processed_downward_messages, waiting)?;

		let (upward_messages, upward_bytes) = upward_totals(commitments);
		constraints.check_upward_count(upward_messages)?;
		constraints.check_upward_room(upward_messages, upward_bytes)?;
		// Constraints know nothing of the sizes of single messages, here and below.
		if skip_ump_signals(commitments.upward_messages.iter())
			.any(|message| message.len() > state.max_upward_message_size as usize)
		{
			return Err(Error::InvalidUpwardMessages);
		}

		check_watermark_reached(commitments.hrmp_watermark, relay_parent_number)?;
		constraints.check_watermark(watermark_update(commitments, relay_parent_number))?;

		constraints.check_horizontal_count(commitments)?;
		constraints.check_outbound(&horizontal_totals(commitments)?)?;
		for message in commitments.horizontal_messages.iter() {
			let max = state.channel_message_sizes.get(&message.recipient).copied().unwrap_or(0);
			if message.data.len() > max as usize {
				return Err(Error::InvalidOutboundHrmp);
			}
		}
		Ok(())
	}

	/// Whether commitments would be accepted at the newest block: for the runtime API.
	pub fn check_validation_outputs(para: ParaId, commitments: &CandidateCommitments) -> bool {
		let config = configuration::ActiveConfig::<T>::get();
		let Some(mut state) = Self::included_state(para, &config) else { return false };
		state.load::<T>(commitments, now::<T>());
		match Self::check_acceptance(&state, commitments, now::<T>()) {
			Ok(()) => true,
			Err(error) => {
				log::debug!(target: LOG_TARGET, "para {para}: outputs are not acceptable: {error:?}");
				false
			},
		}
	}
}

impl RunningState {
	/// The rules of synchronous backing, if it is on.
	pub(crate) fn check_synchronous(&self, relay_parent: Hash) -> Result<(), SynchronousViolation> {
		use SynchronousViolation as V;
		match self.synchronous {
			Some((newest, _)) if relay_parent != newest => Err(V::RelayParentNotNewest),
			None | Some((_, LatestHead::Included)) => Ok(()),
			Some((_, LatestHead::Pending)) => Err(V::CandidatePending),
			Some((_, LatestHead::IncludedNow)) => Err(V::HeadIncludedAfterRelayParent),
			Some((_, LatestHead::Unincluded)) => Err(V::ParentNotIncluded),
		}
	}

	/// Reads from storage what these commitments touch.
	fn load<T: Config>(&mut self, commitments: &CandidateCommitments, relay_parent_number: BlockNumber) {
		if commitments.new_validation_code.is_some()
			&& !paras::Pallet::<T>::can_upgrade_validation_code(self.para)
		{
			self.constraints.upgrade_restriction = Some(UpgradeRestriction::Present);
		}
		if commitments.hrmp_watermark != relay_parent_number && !self.watermarks_known {
			let mut valid = hrmp::Pallet::<T>::valid_watermarks(self.para);
			if let Some(mark) = self.watermark {
				valid.retain(|watermark| *watermark >= mark);
			}
			self.constraints.hrmp_inbound.valid_watermarks = valid;
			self.watermarks_known = true;
		}
		// With more messages than one candidate may send it is refused, whatever the channels are.
		let max = self.constraints.max_hrmp_num_per_candidate as usize;
		for message in commitments.horizontal_messages.iter().take(max) {
			let recipient = message.recipient;
			if self.channel_message_sizes.contains_key(&recipient) {
				continue;
			}
			if let Some(channel) = hrmp::Pallet::<T>::channel(self.para, recipient) {
				self.channel_message_sizes.insert(recipient, channel.max_message_size);
				let limits = OutboundHrmpChannelLimitations {
					bytes_remaining: channel.max_total_size.saturating_sub(channel.total_size),
					messages_remaining: channel.max_capacity.saturating_sub(channel.msg_count),
				};
				self.constraints.hrmp_channels_out.push((recipient, limits));
			}
		}
	}

	/// How many downward messages wait for a candidate that processes this many, and in which block the first
	/// of them was sent; the latter is read only if it matters.
	fn downward<T: Config>(&self, processed: u32) -> (u32, Option<BlockNumber>) {
		let queue = dmp::DownwardMessageQueueMeta::<T>::try_get(self.para).unwrap_or_default();
		let waiting = queue.len().saturating_sub(self.downward_taken);
		let first = (processed == 0 && waiting > 0)
			.then(|| {
				let page = queue.first_full.saturating_add(self.downward_taken);
				dmp::DownwardMessageQueuePages::<T>::get(self.para, page)
			})
			.flatten();
		(u32::try_from(waiting).unwrap_or(u32::MAX), first.map(|message| message.sent_at))
	}

	/// The state for who builds on these commitments, for which it must be loaded.
	fn advance(
		&mut self,
		commitments: &CandidateCommitments,
		relay_parent_number: BlockNumber,
	) -> Result<(), ConstraintError> {
		let mut modifications = self.constraints.modifications_of(commitments, relay_parent_number)?;
		// Counted here: the messages are not in the constraints.
		let taken = core::mem::take(&mut modifications.dmp_messages_processed);
		self.constraints = self.constraints.apply_modifications(&modifications)?;
		self.downward_taken = self.downward_taken.saturating_add(taken.into());
		self.watermark = Some(commitments.hrmp_watermark);
		self.context = relay_parent_number;
		if let Some((_, head)) = &mut self.synchronous {
			*head = match head {
				LatestHead::Pending => LatestHead::Pending,
				_ => LatestHead::Unincluded,
			};
		}
		Ok(())
	}
}
