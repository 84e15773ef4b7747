//! Why a submission is rejected.

use headway_machine::Reason;
use headway_primitives::{ump::UmpSignalError, CandidateDescriptorVersion, DescriptorVersionError};

/// Why no candidate is made of a submission. It is always the submission as a whole that is rejected.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum SubmitError {
	/// No para was named yet.
	#[error("collation generation is not initialized")]
	NotInitialized,
	/// The submission has no collation.
	#[error("submission without a collation")]
	Empty,
	/// The submission has more collations than an advertisement can name.
	#[error("submission with {0} collations")]
	TooManyCollations(usize),
	/// Only version 3 can have several collations in a submission.
	#[error("submission with several collations and version 2 descriptors")]
	SeveralCollationsWithV2,
	/// Candidates of this version are not made.
	#[error("descriptors of version {0:?} are not supported")]
	UnsupportedVersion(CandidateDescriptorVersion),
	/// The scheduling parent is not in view.
	#[error("scheduling parent is not in view")]
	UnknownSchedulingParent,
	/// Version 2 candidates are scheduled by their relay parent.
	#[error("relay parent of a version 2 candidate is not its scheduling parent")]
	RelayParentMismatch,
	/// The core index does not fit a descriptor.
	#[error("core index {0} does not fit a descriptor")]
	CoreIndexTooLarge(u32),
	/// The compressed proof of validity exceeds the limit.
	#[error("proof of validity of {size} bytes exceeds the limit of {max} bytes")]
	PovTooLarge {
		/// Bytes that it has, encoded.
		size: usize,
		/// Bytes that it may have.
		max: u32,
	},
	/// The upward messages select no core, or another one.
	#[error("core selection: {0}")]
	UmpSignals(#[from] UmpSignalError),
	/// The descriptor cannot express the sessions.
	#[error("descriptor: {0}")]
	Descriptor(#[from] DescriptorVersionError),
	/// Erasure coding failed.
	#[error("erasure coding: {0}")]
	Encoding(headway_erasure_coding::Error),
	/// Too many submissions wait for their erasure roots.
	#[error("too many submissions at a time")]
	Busy,
}

impl SubmitError {
	/// The reason as traces give it.
	pub fn reason(&self) -> Reason {
		match self {
			Self::NotInitialized | Self::Empty | Self::TooManyCollations(_) => Reason::UnexpectedMessage,
			Self::SeveralCollationsWithV2 | Self::UnsupportedVersion(_) | Self::Descriptor(_) => {
				Reason::DescriptorVersion
			},
			Self::UnknownSchedulingParent => Reason::UnknownSchedulingParent,
			Self::RelayParentMismatch => Reason::RelayParentNotInScope,
			Self::PovTooLarge { .. } => Reason::PovTooLarge,
			Self::CoreIndexTooLarge(_) | Self::UmpSignals(_) => Reason::UmpSignals,
			Self::Encoding(error) => error.into(),
			Self::Busy => Reason::CapacityReached,
		}
	}
}
