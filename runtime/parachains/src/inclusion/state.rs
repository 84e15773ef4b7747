//! The state that the next candidate of a para has to fit to: what is included, what is pending, and what the
//! same inherent has accepted so far (runtime §6.4, §6.5).

use super::*;
use headway_primitives::{
	constraints::{
		ConstraintError, Constraints, InboundHrmpLimitations, OutboundHrmpChannelLimitations, RelayParentInfo,
	},
	ump::skip_ump_signals,
	BackedCandidate, PersistedValidationData, UpgradeRestriction,
};

/// State of a para as its next candidate sees it.
#[derive(Clone, Debug)]
pub struct RunningState {
	/// Limits, with the latest head as required parent.
	pub constraints: Constraints<BlockNumber>,
	/// Number of the relay parent of the latest head.
	pub context: BlockNumber,
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
		let (queue_count, queue_size) = Self::upward_queue_footprint(para);
		let room_for_upward = !paras::Pallet::<T>::is_offboarding(para);
		let future_code = paras::FutureCodeUpgrades::<T>::get(para)
			.and_then(|at| paras::FutureCodeHash::<T>::get(para).map(|code| (at, code)));
		// A para with an upgrade under way may not begin another one, even if its cooldown is over.
		let upgrade_restriction =
			(!paras::Pallet::<T>::can_upgrade_validation_code(para)).then_some(UpgradeRestriction::Present);
		Some(Constraints {
			min_relay_parent_number: shared::Pallet::<T>::minimum_relay_parent_number()
				.unwrap_or_else(now::<T>)
				.max(Self::most_recent_context(para)?),
			max_pov_size: config.max_pov_size,
			max_code_size: config.max_code_size,
			max_head_data_size: config.max_head_data_size,
			ump_remaining: config.max_upward_queue_count.saturating_sub(queue_count),
			ump_remaining_bytes: config.max_upward_queue_size.saturating_sub(queue_size),
			max_ump_num_per_candidate: if room_for_upward {
				config.max_upward_message_num_per_candidate
			} else {
				0
			},
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
			max_hrmp_num_per_candidate: config.hrmp_max_message_num_per_candidate,
			required_parent: paras::Heads::<T>::get(para)?,
			validation_code_hash: paras::CurrentCodeHash::<T>::get(para)?,
			upgrade_restriction,
			future_validation_code: future_code,
		})
	}

	/// Number of the relay parent of the latest head, pending candidates included.
	pub fn most_recent_context(para: ParaId) -> Option<BlockNumber> {
		match Self::pending_candidates(para).back() {
			Some(pending) => Some(pending.relay_parent_number),
			None => paras::MostRecentContext::<T>::get(para),
		}
	}

	/// The latest head, pending candidates included.
	pub fn latest_head(para: ParaId) -> Option<HeadData> {
		match Self::pending_candidates(para).pop_back() {
			Some(pending) => Some(pending.commitments.head_data),
			None => paras::Heads::<T>::get(para),
		}
	}

	/// State that the next candidate of the para has to fit to: included and pending.
	pub fn running_state(para: ParaId) -> Option<RunningState> {
		let constraints = Self::backing_constraints(para)?;
		let mut state = RunningState { constraints, context: paras::MostRecentContext::<T>::get(para)? };
		for pending in Self::pending_candidates(para) {
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

	/// Checks one candidate against the state that it builds on, and advances the state by it (runtime §6.4).
	/// Returns the number of its relay parent. Votes are not checked here.
	pub fn verify_backed_candidate(
		state: &mut RunningState,
		candidate: &BackedCandidate,
	) -> Result<BlockNumber, Error<T>> {
		let CommittedCandidateReceiptV2 { descriptor, commitments } = &candidate.candidate;
		let session = descriptor.session_index().unwrap_or_else(shared::CurrentSessionIndex::<T>::get);
		let RelayParentInfo { number, state_root } =
			shared::Pallet::<T>::relay_parent_info(session, descriptor.relay_parent)
				.ok_or(Error::DisallowedRelayParent)?;
		if number < state.context {
			return Err(Error::DisallowedRelayParent);
		}
		let expected = PersistedValidationData {
			parent_head: state.constraints.required_parent.clone(),
			relay_parent_number: number,
			relay_parent_storage_root: state_root,
			max_pov_size: state.constraints.max_pov_size,
		};
		if expected.hash() != descriptor.persisted_validation_data_hash {
			return Err(Error::ValidationDataHashMismatch);
		}
		if descriptor.validation_code_hash != state.constraints.validation_code_hash {
			return Err(Error::InvalidValidationCodeHash);
		}
		if descriptor.para_head != commitments.head_data.hash() {
			return Err(Error::ParaHeadMismatch);
		}
		Self::check_acceptance(state, descriptor.para_id, commitments, number)?;
		state.advance(commitments, number)?;
		Ok(number)
	}

	/// The acceptance criteria of commitments (runtime §6.5).
	pub fn check_acceptance(
		state: &RunningState,
		para: ParaId,
		commitments: &CandidateCommitments,
		relay_parent_number: BlockNumber,
	) -> Result<(), Error<T>> {
		let config = configuration::ActiveConfig::<T>::get();
		let constraints = &state.constraints;
		constraints.check_commitments(
			constraints.validation_code_hash,
			commitments,
			relay_parent_number.max(constraints.min_relay_parent_number),
		)?;
		// What constraints leave out: sizes of single messages.
		if skip_ump_signals(commitments.upward_messages.iter())
			.any(|message| message.len() > config.max_upward_message_size as usize)
		{
			return Err(Error::InvalidUpwardMessages);
		}
		for message in commitments.horizontal_messages.iter() {
			let max = hrmp::Pallet::<T>::channel(para, message.recipient)
				.map_or(0, |channel| channel.max_message_size);
			if message.data.len() > max as usize {
				return Err(Error::InvalidOutboundHrmp);
			}
		}
		if commitments.hrmp_watermark > relay_parent_number {
			return Err(Error::HrmpWatermarkMishandling);
		}
		if commitments.processed_downward_messages == 0
			&& constraints
				.dmp_remaining_messages
				.first()
				.is_some_and(|sent_at| *sent_at <= relay_parent_number)
		{
			return Err(Error::IncorrectDownwardMessageHandling);
		}
		let modifications = constraints.modifications_of(commitments, relay_parent_number)?;
		if modifications.ump_messages_sent > constraints.max_ump_num_per_candidate {
			return Err(Error::InvalidUpwardMessages);
		}
		Ok(constraints.check_modifications(&modifications)?)
	}

	/// Whether commitments would be accepted at the newest block: for the runtime API.
	pub fn check_validation_outputs(para: ParaId, commitments: &CandidateCommitments) -> bool {
		let Some(constraints) = Self::backing_constraints(para) else { return false };
		let state = RunningState { constraints, context: 0 };
		match Self::check_acceptance(&state, para, commitments, now::<T>()) {
			Ok(()) => true,
			Err(error) => {
				log::debug!(target: LOG_TARGET, "para {para}: outputs are not acceptable: {error:?}");
				false
			},
		}
	}
}

impl RunningState {
	/// The state for who builds on these commitments.
	fn advance(
		&mut self,
		commitments: &CandidateCommitments,
		relay_parent_number: BlockNumber,
	) -> Result<(), ConstraintError> {
		let modifications = self.constraints.modifications_of(commitments, relay_parent_number)?;
		self.constraints = self.constraints.apply_modifications(&modifications)?;
		if commitments.new_validation_code.is_some() {
			self.constraints.upgrade_restriction = Some(UpgradeRestriction::Present);
		}
		self.context = relay_parent_number;
		Ok(())
	}
}
