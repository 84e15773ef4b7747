//! Whether a candidate, or modifications, respect the constraints.

use super::{
	rules::{check_downward_count, check_downward_progress, check_watermark_reached, size},
	ConstraintModifications, Constraints, RelayParentInfo,
};
use crate::{
	BlockNumber, CandidateCommitments, ParaId, PersistedValidationData, UpgradeRestriction,
	ValidationCodeHash,
};

/// The first constraint that a candidate breaks, in the order of the checks.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConstraintError {
	/// Made with other code than the current one.
	#[error("validation code {got}, expected {expected}")]
	ValidationCodeMismatch {
		/// Code that is current.
		expected: ValidationCodeHash,
		/// Code of the candidate.
		got: ValidationCodeHash,
	},
	/// Too much head data.
	#[error("{size} bytes of head data, at most {max} allowed")]
	HeadDataTooLarge {
		/// Bytes.
		size: u32,
		/// Limit, bytes.
		max: u32,
	},
	/// The relay parent is too old.
	#[error("relay parent {number}, at least {min} required")]
	RelayParentTooOld {
		/// Number of the relay parent.
		number: BlockNumber,
		/// Least number.
		min: BlockNumber,
	},
	/// New code, but upgrades are off for now.
	#[error("code upgrade while upgrades are restricted")]
	CodeUpgradeRestricted,
	/// Too much new code.
	#[error("{size} bytes of new validation code, at most {max} allowed")]
	CodeTooLarge {
		/// Bytes.
		size: u32,
		/// Limit, bytes.
		max: u32,
	},
	/// Too many horizontal messages in one candidate.
	#[error("{count} horizontal messages, at most {max} allowed")]
	TooManyHrmpMessages {
		/// Messages.
		count: u32,
		/// Limit, messages.
		max: u32,
	},
	/// Horizontal messages are not strictly ascending by recipient.
	#[error("horizontal message {position} is not for a higher recipient than the one before")]
	HrmpMessagesNotAscending {
		/// Position of the message that is out of order.
		position: u32,
	},
	/// Validated with other data than the chain vouches for.
	#[error("validation data differs in {field}")]
	ValidationDataMismatch {
		/// The first part that differs.
		field: ValidationDataField,
	},
	/// No downward message consumed, though the first was there at the relay parent.
	#[error("no downward message processed, but one waits since block {sent_at}")]
	DmpNotAdvanced {
		/// Block in which the first message was sent.
		sent_at: BlockNumber,
	},
	/// Too many upward messages in one candidate.
	#[error("{count} upward messages, at most {max} allowed")]
	TooManyUmpMessages {
		/// Messages.
		count: u32,
		/// Limit, messages.
		max: u32,
	},
	/// No messages wait at the mark, and it is not the relay parent.
	#[error("watermark {watermark} of horizontal messages is not allowed")]
	WatermarkNotAllowed {
		/// The mark.
		watermark: BlockNumber,
	},
	/// No channel to the recipient.
	#[error("no channel to para {recipient}")]
	NoSuchHrmpChannel {
		/// The recipient.
		recipient: ParaId,
	},
	/// More bytes than the channel has room for.
	#[error("{submitted} bytes to para {recipient}, room for {remaining}")]
	HrmpBytesOverflow {
		/// The recipient.
		recipient: ParaId,
		/// Bytes that still fit.
		remaining: u32,
		/// Bytes sent.
		submitted: u32,
	},
	/// More messages than the channel has room for.
	#[error("{submitted} messages to para {recipient}, room for {remaining}")]
	HrmpMessagesOverflow {
		/// The recipient.
		recipient: ParaId,
		/// Messages that still fit.
		remaining: u32,
		/// Messages sent.
		submitted: u32,
	},
	/// More upward messages than there is room for.
	#[error("{submitted} upward messages, room for {remaining}")]
	UmpMessagesOverflow {
		/// Messages that still fit.
		remaining: u32,
		/// Messages sent.
		submitted: u32,
	},
	/// More bytes of upward messages than there is room for.
	#[error("{submitted} bytes of upward messages, room for {remaining}")]
	UmpBytesOverflow {
		/// Bytes that still fit.
		remaining: u32,
		/// Bytes sent.
		submitted: u32,
	},
	/// More downward messages consumed than there are.
	#[error("{processed} downward messages processed of {remaining}")]
	DmpUnderflow {
		/// Messages that wait.
		remaining: u32,
		/// Messages processed.
		processed: u32,
	},
	/// A code upgrade takes effect that is not scheduled.
	#[error("code upgrade applied, but none is scheduled")]
	NoFutureCode,
}

/// A part of [`PersistedValidationData`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // The names are those of the fields.
pub enum ValidationDataField {
	ParentHead,
	RelayParentNumber,
	RelayParentStorageRoot,
	MaxPovSize,
}

impl core::fmt::Display for ValidationDataField {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.write_str(match self {
			Self::ParentHead => "parent head",
			Self::RelayParentNumber => "relay parent number",
			Self::RelayParentStorageRoot => "relay parent storage root",
			Self::MaxPovSize => "maximum PoV size",
		})
	}
}

impl Constraints {
	/// Checks what can be checked without the parent: commitments, code and age of the relay parent (checks 1
	/// to 6 of backing pipeline §2.4). For candidates whose parent is not known yet.
	pub fn check_commitments(
		&self,
		validation_code_hash: ValidationCodeHash,
		commitments: &CandidateCommitments,
		relay_parent_number: BlockNumber,
	) -> Result<(), ConstraintError> {
		self.check_validation_code(validation_code_hash)?;
		self.check_head_data(&commitments.head_data)?;
		self.check_relay_parent_age(relay_parent_number)?;
		self.check_code_upgrade(commitments.new_validation_code.as_ref())?;
		self.check_horizontal_count(commitments)
	}

	/// Checks a candidate that builds directly on the state that these are the constraints of, and answers
	/// what it changes (all checks of backing pipeline §2.4).
	///
	/// Other than there, a mark of horizontal messages beyond the relay parent is refused even if messages
	/// wait at it: the relay chain would not accept it (runtime §6.5).
	pub fn check_candidate(
		&self,
		validation_code_hash: ValidationCodeHash,
		commitments: &CandidateCommitments,
		validation_data: &PersistedValidationData,
		relay_parent: &RelayParentInfo,
	) -> Result<ConstraintModifications, ConstraintError> {
		self.check_commitments(validation_code_hash, commitments, relay_parent.number)?;
		let modifications = self.modifications_of(commitments, relay_parent.number)?;
		self.check_validation_data(validation_data, relay_parent)?;
		check_downward_progress(
			commitments.processed_downward_messages,
			self.dmp_remaining_messages.first().copied(),
			relay_parent.number,
		)?;
		self.check_upward_count(modifications.ump_messages_sent)?;
		check_watermark_reached(commitments.hrmp_watermark, relay_parent.number)?;
		self.check_modifications(&modifications)?;
		Ok(modifications)
	}

	/// The data that a candidate at the relay parent must have been validated with.
	pub fn validation_data(&self, relay_parent: &RelayParentInfo) -> PersistedValidationData {
		PersistedValidationData {
			parent_head: self.required_parent.clone(),
			relay_parent_number: relay_parent.number,
			relay_parent_storage_root: relay_parent.state_root,
			max_pov_size: self.max_pov_size,
		}
	}

	/// Checks that a candidate was validated with the data that the chain vouches for.
	pub fn check_validation_data(
		&self,
		validation_data: &PersistedValidationData,
		relay_parent: &RelayParentInfo,
	) -> Result<(), ConstraintError> {
		let field = if validation_data.parent_head != self.required_parent {
			ValidationDataField::ParentHead
		} else if validation_data.relay_parent_number != relay_parent.number {
			ValidationDataField::RelayParentNumber
		} else if validation_data.relay_parent_storage_root != relay_parent.state_root {
			ValidationDataField::RelayParentStorageRoot
		} else if validation_data.max_pov_size != self.max_pov_size {
			ValidationDataField::MaxPovSize
		} else {
			return Ok(());
		};
		Err(ConstraintError::ValidationDataMismatch { field })
	}

	/// Checks that modifications fit (checks 10 to 14 of backing pipeline §2.4).
	pub fn check_modifications(
		&self,
		modifications: &ConstraintModifications,
	) -> Result<(), ConstraintError> {
		if let Some(update) = modifications.hrmp_watermark {
			self.check_watermark(update)?;
		}
		self.check_outbound(&modifications.outbound_hrmp)?;
		self.check_upward_room(modifications.ump_messages_sent, modifications.ump_bytes_sent)?;
		check_downward_count(modifications.dmp_messages_processed, size(&self.dmp_remaining_messages))?;
		if modifications.code_upgrade_applied && self.future_validation_code.is_none() {
			return Err(ConstraintError::NoFutureCode);
		}
		Ok(())
	}

	/// The constraints for whoever builds on these modifications. Checks them first.
	///
	/// Limits per candidate and the oldest relay parent stay as they are.
	pub fn apply_modifications(
		&self,
		modifications: &ConstraintModifications,
	) -> Result<Self, ConstraintError> {
		self.check_modifications(modifications)?;
		let mut after = self.clone();
		if let Some(required_parent) = &modifications.required_parent {
			after.required_parent = required_parent.clone();
		}
		if let Some(update) = modifications.hrmp_watermark {
			// The mark itself stays valid: a candidate need not move it.
			after.hrmp_inbound.valid_watermarks.retain(|watermark| *watermark >= update.watermark());
		}
		for (recipient, channel) in &mut after.hrmp_channels_out {
			if let Some(sent) = modifications.outbound_hrmp.get(recipient) {
				channel.bytes_remaining = channel.bytes_remaining.saturating_sub(sent.bytes_submitted);
				channel.messages_remaining =
					channel.messages_remaining.saturating_sub(sent.messages_submitted);
			}
		}
		after.ump_remaining = after.ump_remaining.saturating_sub(modifications.ump_messages_sent);
		after.ump_remaining_bytes = after.ump_remaining_bytes.saturating_sub(modifications.ump_bytes_sent);
		let processed = modifications.dmp_messages_processed as usize;
		after.dmp_remaining_messages.drain(..processed.min(self.dmp_remaining_messages.len()));
		if modifications.code_upgrade_applied {
			if let Some((_, code)) = after.future_validation_code.take() {
				after.validation_code_hash = code;
			}
		}
		if modifications.code_upgrade_started {
			after.upgrade_restriction = Some(UpgradeRestriction::Present);
		}
		Ok(after)
	}
}
