//! What the driver counts or logs. It is about no candidate, so it is no trace.

use super::LoadError;
use headway_primitives::ParaId;
use std::collections::BTreeMap;

/// Something to be counted or logged (backing pipeline §5.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
	/// A collator was slashed.
	Slashed {
		/// For which para.
		para: ParaId,
		/// For what.
		reason: SlashReason,
	},
	/// An included candidate was looked at for the peer that it names.
	ApprovedPeer {
		/// The candidate's para.
		para: ParaId,
		/// What it says.
		outcome: SignalOutcome,
	},
	/// The scheduled paras, each with its connected collators by score, as [`score_range`] orders them.
	Collators(BTreeMap<ParaId, [usize; SCORE_RANGES.len()]>),
	/// Something that was stored cannot be read, and counts as not stored.
	ScoresUnreadable(LoadError),
}

/// What a collator is slashed for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SlashReason {
	/// Its collation is invalid.
	InvalidCollation,
	/// It did not deliver what it advertised.
	FailedFetch,
}

impl SlashReason {
	/// The reason as a metric label.
	pub fn label(self) -> &'static str {
		match self {
			Self::InvalidCollation => "invalid_collation",
			Self::FailedFetch => "failed_fetch",
		}
	}
}

/// What an included candidate says of the peer to be rewarded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SignalOutcome {
	/// It names one.
	Present,
	/// It names none.
	Absent,
	/// What it names cannot be a peer.
	InvalidPeerId,
	/// Its signals do not decode.
	ParseError,
}

impl SignalOutcome {
	/// The outcome as a metric label.
	pub fn label(self) -> &'static str {
		match self {
			Self::Present => "present",
			Self::Absent => "absent",
			Self::InvalidPeerId => "invalid_peer_id",
			Self::ParseError => "parse_error",
		}
	}
}

/// Labels of the ranges of scores.
pub const SCORE_RANGES: [&str; 4] = ["0", "1-99", "100-999", "1000+"];

/// Position of a score's range in [`SCORE_RANGES`].
pub fn score_range(score: u16) -> usize {
	match score {
		0 => 0,
		1..=99 => 1,
		100..=999 => 2,
		1000.. => 3,
	}
}
