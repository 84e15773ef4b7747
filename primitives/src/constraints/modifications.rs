//! What a candidate changes of the state that the next one builds on.

use super::{rules::size, ConstraintError, Constraints};
use crate::{ump::skip_ump_signals, BlockNumber, CandidateCommitments, HeadData, ParaId};
use alloc::collections::BTreeMap;

/// Where a candidate puts the mark up to which inbound horizontal messages are processed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HrmpWatermarkUpdate {
	/// To its relay parent: always allowed.
	Head(BlockNumber),
	/// To an older block: there must be messages from it.
	Trunk(BlockNumber),
}

impl HrmpWatermarkUpdate {
	/// The mark.
	pub fn watermark(self) -> BlockNumber {
		match self {
			Self::Head(number) | Self::Trunk(number) => number,
		}
	}
}

/// What a candidate sends into an outbound channel.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct OutboundHrmpChannelModification {
	/// Bytes.
	pub bytes_submitted: u32,
	/// Messages.
	pub messages_submitted: u32,
}

/// What a candidate, or several on top of each other, changes of [`Constraints`]. The default changes
/// nothing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ConstraintModifications {
	/// The new head data.
	pub required_parent: Option<HeadData>,
	/// The new mark of inbound horizontal messages.
	pub hrmp_watermark: Option<HrmpWatermarkUpdate>,
	/// What is sent to other paras.
	pub outbound_hrmp: BTreeMap<ParaId, OutboundHrmpChannelModification>,
	/// Upward messages sent, without separator and signals.
	pub ump_messages_sent: u32,
	/// Bytes of upward messages sent, without signals.
	pub ump_bytes_sent: u32,
	/// Downward messages consumed.
	pub dmp_messages_processed: u32,
	/// Whether the future code becomes current.
	pub code_upgrade_applied: bool,
	/// Whether new code is announced: nobody who builds on it may announce other code.
	pub code_upgrade_started: bool,
}

impl ConstraintModifications {
	/// Adds what a candidate on top of these changes.
	///
	/// Sums saturate: no sum that large is within any limit.
	pub fn stack(&mut self, next: &Self) {
		if let Some(required_parent) = &next.required_parent {
			self.required_parent = Some(required_parent.clone());
		}
		if let Some(hrmp_watermark) = next.hrmp_watermark {
			self.hrmp_watermark = Some(hrmp_watermark);
		}
		for (recipient, sent) in &next.outbound_hrmp {
			self.outbound_hrmp
				.entry(*recipient)
				.or_default()
				.add(sent.messages_submitted, sent.bytes_submitted);
		}
		self.ump_messages_sent = self.ump_messages_sent.saturating_add(next.ump_messages_sent);
		self.ump_bytes_sent = self.ump_bytes_sent.saturating_add(next.ump_bytes_sent);
		self.dmp_messages_processed = self.dmp_messages_processed.saturating_add(next.dmp_messages_processed);
		self.code_upgrade_applied |= next.code_upgrade_applied;
		self.code_upgrade_started |= next.code_upgrade_started;
	}
}

impl OutboundHrmpChannelModification {
	fn add(&mut self, messages: u32, bytes: u32) {
		self.messages_submitted = self.messages_submitted.saturating_add(messages);
		self.bytes_submitted = self.bytes_submitted.saturating_add(bytes);
	}
}

impl Constraints {
	/// What a candidate with these commitments and a relay parent of this number changes.
	///
	/// Fails only if its horizontal messages are not strictly ascending by recipient; nothing else is
	/// checked.
	pub fn modifications_of(
		&self,
		commitments: &CandidateCommitments,
		relay_parent_number: BlockNumber,
	) -> Result<ConstraintModifications, ConstraintError> {
		let (ump_messages_sent, ump_bytes_sent) = upward_totals(commitments);
		Ok(ConstraintModifications {
			required_parent: Some(commitments.head_data.clone()),
			hrmp_watermark: Some(watermark_update(commitments, relay_parent_number)),
			outbound_hrmp: horizontal_totals(commitments)?,
			ump_messages_sent,
			ump_bytes_sent,
			dmp_messages_processed: commitments.processed_downward_messages,
			code_upgrade_applied: self
				.future_validation_code
				.as_ref()
				.is_some_and(|(at, _)| relay_parent_number >= *at),
			code_upgrade_started: commitments.new_validation_code.is_some(),
		})
	}
}

/// What a candidate sends into each channel.
///
/// Fails if the messages are not strictly ascending by recipient.
pub fn horizontal_totals(
	commitments: &CandidateCommitments,
) -> Result<BTreeMap<ParaId, OutboundHrmpChannelModification>, ConstraintError> {
	let mut totals = BTreeMap::<ParaId, OutboundHrmpChannelModification>::new();
	let mut last_recipient = None;
	for (position, message) in commitments.horizontal_messages.iter().enumerate() {
		if last_recipient.is_some_and(|last| last >= message.recipient) {
			return Err(ConstraintError::HrmpMessagesNotAscending { position: position as u32 });
		}
		last_recipient = Some(message.recipient);
		totals.entry(message.recipient).or_default().add(1, size(&message.data));
	}
	Ok(totals)
}

/// Upward messages before the separator, and their bytes.
pub fn upward_totals(commitments: &CandidateCommitments) -> (u32, u32) {
	skip_ump_signals(commitments.upward_messages.iter()).fold((0u32, 0u32), |(messages, bytes), message| {
		(messages.saturating_add(1), bytes.saturating_add(size(message)))
	})
}

/// Where a candidate at a relay parent of this number puts the mark.
pub fn watermark_update(
	commitments: &CandidateCommitments,
	relay_parent_number: BlockNumber,
) -> HrmpWatermarkUpdate {
	match commitments.hrmp_watermark {
		watermark if watermark == relay_parent_number => HrmpWatermarkUpdate::Head(watermark),
		watermark => HrmpWatermarkUpdate::Trunk(watermark),
	}
}
