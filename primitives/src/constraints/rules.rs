//! The single rules. The node checks them in the order of backing pipeline §2.4, the runtime in that of runtime
//! §6.5, which differs; so each of them can be called by itself.

use super::{ConstraintError, Constraints, HrmpWatermarkUpdate, OutboundHrmpChannelModification};
use crate::{BlockNumber, CandidateCommitments, HeadData, ParaId, ValidationCode, ValidationCodeHash};
use alloc::collections::BTreeMap;

impl Constraints {
	/// The candidate was made with the current code.
	pub fn check_validation_code(&self, got: ValidationCodeHash) -> Result<(), ConstraintError> {
		if got == self.validation_code_hash {
			Ok(())
		} else {
			Err(ConstraintError::ValidationCodeMismatch { expected: self.validation_code_hash, got })
		}
	}

	/// Head data is not too large.
	pub fn check_head_data(&self, head_data: &HeadData) -> Result<(), ConstraintError> {
		within(size(&head_data.0), self.max_head_data_size)
			.map_err(|(size, max)| ConstraintError::HeadDataTooLarge { size, max })
	}

	/// The relay parent is not too old.
	pub fn check_relay_parent_age(&self, number: BlockNumber) -> Result<(), ConstraintError> {
		if number < self.min_relay_parent_number {
			return Err(ConstraintError::RelayParentTooOld { number, min: self.min_relay_parent_number });
		}
		Ok(())
	}

	/// New code, if there is any, may come now and is not too large.
	pub fn check_code_upgrade(&self, new_code: Option<&ValidationCode>) -> Result<(), ConstraintError> {
		let Some(code) = new_code else { return Ok(()) };
		if self.upgrade_restriction.is_some() {
			return Err(ConstraintError::CodeUpgradeRestricted);
		}
		within(size(&code.0), self.max_code_size)
			.map_err(|(size, max)| ConstraintError::CodeTooLarge { size, max })
	}

	/// One candidate sends not too many upward messages (those before the separator).
	pub fn check_upward_count(&self, messages: u32) -> Result<(), ConstraintError> {
		within(messages, self.max_ump_num_per_candidate)
			.map_err(|(count, max)| ConstraintError::TooManyUmpMessages { count, max })
	}

	/// The upward queue has room: first for the messages, then for their bytes.
	pub fn check_upward_room(&self, messages: u32, bytes: u32) -> Result<(), ConstraintError> {
		within(messages, self.ump_remaining).map_err(|(submitted, remaining)| {
			ConstraintError::UmpMessagesOverflow { remaining, submitted }
		})?;
		within(bytes, self.ump_remaining_bytes)
			.map_err(|(submitted, remaining)| ConstraintError::UmpBytesOverflow { remaining, submitted })
	}

	/// The mark of inbound horizontal messages is the relay parent, or one at which messages wait.
	pub fn check_watermark(&self, update: HrmpWatermarkUpdate) -> Result<(), ConstraintError> {
		match update {
			HrmpWatermarkUpdate::Trunk(watermark)
				if !self.hrmp_inbound.valid_watermarks.contains(&watermark) =>
			{
				Err(ConstraintError::WatermarkNotAllowed { watermark })
			},
			_ => Ok(()),
		}
	}

	/// One candidate sends not too many horizontal messages.
	pub fn check_horizontal_count(&self, commitments: &CandidateCommitments) -> Result<(), ConstraintError> {
		within(size(&commitments.horizontal_messages), self.max_hrmp_num_per_candidate)
			.map_err(|(count, max)| ConstraintError::TooManyHrmpMessages { count, max })
	}

	/// Each outbound channel exists and has room: first for the bytes, then for the messages.
	pub fn check_outbound(
		&self,
		outbound: &BTreeMap<ParaId, OutboundHrmpChannelModification>,
	) -> Result<(), ConstraintError> {
		for (recipient, sent) in outbound {
			let recipient = *recipient;
			let (_, channel) = self
				.hrmp_channels_out
				.iter()
				.find(|(para, _)| *para == recipient)
				.ok_or(ConstraintError::NoSuchHrmpChannel { recipient })?;
			within(sent.bytes_submitted, channel.bytes_remaining).map_err(|(submitted, remaining)| {
				ConstraintError::HrmpBytesOverflow { recipient, remaining, submitted }
			})?;
			within(sent.messages_submitted, channel.messages_remaining).map_err(
				|(submitted, remaining)| ConstraintError::HrmpMessagesOverflow {
					recipient,
					remaining,
					submitted,
				},
			)?;
		}
		Ok(())
	}
}

/// A candidate that processes no downward message may do so only if none was there at its relay parent.
/// `first_sent_at` is the block of the first message that waits.
pub fn check_downward_progress(
	processed: u32,
	first_sent_at: Option<BlockNumber>,
	relay_parent_number: BlockNumber,
) -> Result<(), ConstraintError> {
	match first_sent_at {
		Some(sent_at) if processed == 0 && sent_at <= relay_parent_number => {
			Err(ConstraintError::DmpNotAdvanced { sent_at })
		},
		_ => Ok(()),
	}
}

/// No more downward messages are processed than wait.
pub fn check_downward_count(processed: u32, waiting: u32) -> Result<(), ConstraintError> {
	within(processed, waiting)
		.map_err(|(processed, remaining)| ConstraintError::DmpUnderflow { remaining, processed })
}

/// The mark of inbound horizontal messages is not beyond the relay parent.
pub fn check_watermark_reached(
	watermark: BlockNumber,
	relay_parent_number: BlockNumber,
) -> Result<(), ConstraintError> {
	if watermark > relay_parent_number {
		return Err(ConstraintError::WatermarkNotAllowed { watermark });
	}
	Ok(())
}

fn within(value: u32, max: u32) -> Result<(), (u32, u32)> {
	if value > max {
		Err((value, max))
	} else {
		Ok(())
	}
}

/// Length in 32 bits. What reaches us is shorter by far; what is not is over every limit.
pub(super) fn size<T>(items: &[T]) -> u32 {
	u32::try_from(items.len()).unwrap_or(u32::MAX)
}
