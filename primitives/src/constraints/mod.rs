//! The rule "may this candidate follow that state", written once for the runtime and the node (backing
//! pipeline §1.7, §2.4; runtime §6.5, §9.1).
//!
//! [`Constraints`] is what a para's next candidate has to respect. [`Constraints::check_candidate`] answers
//! whether a candidate does, and what it changes: [`ConstraintModifications`].
//! [`Constraints::apply_modifications`] gives the constraints for whoever builds on it. Modifications stack,
//! so that a chain of candidates can be applied at once.
//!
//! Not emulated: what the relay chain does on its own between two candidates. Of a code upgrade that starts
//! within the chain only this is: no second one can start before the first is enacted.

mod check;
mod modifications;
mod rules;
#[cfg(test)]
mod tests;

pub use check::{ConstraintError, ValidationDataField};
pub use modifications::{
	horizontal_totals, upward_totals, watermark_update, ConstraintModifications, HrmpWatermarkUpdate,
	OutboundHrmpChannelModification,
};
pub use rules::{check_downward_count, check_downward_progress, check_watermark_reached};

use crate::ids::Hash;
use crate::{
	BlockNumber, CandidateCommitments, CandidateDescriptorV2, CandidateHash, HeadData, ParaId,
	UpgradeRestriction, ValidationCodeHash,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// Limits of inbound horizontal messages.
#[derive(Clone, PartialEq, Eq, Default, Debug, Encode, Decode, TypeInfo)]
pub struct InboundHrmpLimitations<N = BlockNumber> {
	/// Watermarks at which messages wait, ascending.
	pub valid_watermarks: Vec<N>,
}

/// Limits of an outbound channel.
#[derive(Clone, PartialEq, Eq, Default, Debug, Encode, Decode, TypeInfo)]
pub struct OutboundHrmpChannelLimitations {
	/// Bytes that still fit.
	pub bytes_remaining: u32,
	/// Messages that still fit.
	pub messages_remaining: u32,
}

/// What the next candidate of a para has to respect. The field order is normative.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct Constraints<N = BlockNumber> {
	/// Oldest relay parent.
	pub min_relay_parent_number: N,
	/// Limit of the proof of validity, bytes.
	pub max_pov_size: u32,
	/// Limit of new validation code, bytes.
	pub max_code_size: u32,
	/// Limit of head data, bytes.
	pub max_head_data_size: u32,
	/// Upward messages that still fit.
	pub ump_remaining: u32,
	/// Upward bytes that still fit.
	pub ump_remaining_bytes: u32,
	/// Upward messages per candidate.
	pub max_ump_num_per_candidate: u32,
	/// Relay block of each downward message that waits.
	pub dmp_remaining_messages: Vec<N>,
	/// Limits of inbound horizontal messages.
	pub hrmp_inbound: InboundHrmpLimitations<N>,
	/// Limits of outbound channels.
	pub hrmp_channels_out: Vec<(ParaId, OutboundHrmpChannelLimitations)>,
	/// Horizontal messages per candidate.
	pub max_hrmp_num_per_candidate: u32,
	/// Head data to build on.
	pub required_parent: HeadData,
	/// Code to validate with.
	pub validation_code_hash: ValidationCodeHash,
	/// Whether code upgrades are off for now.
	pub upgrade_restriction: Option<UpgradeRestriction>,
	/// Code that becomes current, and from which relay parent on.
	pub future_validation_code: Option<(N, ValidationCodeHash)>,
}

/// A candidate that was backed on chain and waits for availability.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct CandidatePendingAvailability<N = BlockNumber> {
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// Its descriptor.
	pub descriptor: CandidateDescriptorV2,
	/// What it commits to.
	pub commitments: CandidateCommitments,
	/// Number of its relay parent.
	pub relay_parent_number: N,
	/// Limit of the proof of validity it was made under, bytes.
	pub max_pov_size: u32,
}

/// Constraints and pending candidates of a para, as the API before version 13 gave them.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct BackingState<N = BlockNumber> {
	/// Limits under the included state.
	pub constraints: Constraints<N>,
	/// Pending candidates, each builds on the one before.
	pub pending_availability: Vec<CandidatePendingAvailability<N>>,
}

/// A relay parent's number and state root.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct RelayParentInfo<H = Hash, N = BlockNumber> {
	/// Its number.
	pub number: N,
	/// Its state root.
	pub state_root: H,
}
