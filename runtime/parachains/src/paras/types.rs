//! Types of the registry of paras (runtime §4.1).

use alloc::vec::Vec;
use bitvec::{order::Lsb0, vec::BitVec};
use codec::{Decode, DecodeWithMemTracking, Encode, Input, MaxEncodedLen, Output};
use headway_primitives::{
	supermajority_threshold, BlockNumber, HeadData, ParaId, SessionIndex, ValidationCode, ValidationCodeHash,
};
use scale_info::TypeInfo;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Whether a para leases a core. On the wire and in JSON a boolean: true is a parachain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParaKind {
	/// It buys block space on demand.
	Parathread,
	/// It leases a core.
	Parachain,
}

impl From<bool> for ParaKind {
	fn from(parachain: bool) -> Self {
		if parachain {
			Self::Parachain
		} else {
			Self::Parathread
		}
	}
}

impl From<ParaKind> for bool {
	fn from(kind: ParaKind) -> Self {
		kind == ParaKind::Parachain
	}
}

impl Encode for ParaKind {
	fn size_hint(&self) -> usize {
		1
	}

	fn encode_to<T: Output + ?Sized>(&self, out: &mut T) {
		bool::from(*self).encode_to(out)
	}
}

impl Decode for ParaKind {
	fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
		bool::decode(input).map(Into::into)
	}
}

impl codec::EncodeLike for ParaKind {}
impl DecodeWithMemTracking for ParaKind {}

impl MaxEncodedLen for ParaKind {
	fn max_encoded_len() -> usize {
		1
	}
}

impl TypeInfo for ParaKind {
	type Identity = bool;

	fn type_info() -> scale_info::Type {
		bool::type_info()
	}
}

impl Serialize for ParaKind {
	fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
		bool::from(*self).serialize(s)
	}
}

impl<'de> Deserialize<'de> for ParaKind {
	fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
		bool::deserialize(d).map(Into::into)
	}
}

/// What a para starts with. In JSON an object, or an array in this order.
#[derive(
	Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo, Serialize, Deserialize,
)]
pub struct ParaGenesisArgs {
	/// Its first head.
	pub genesis_head: HeadData,
	/// Its code. Moved out of storage of upcoming paras, where it is empty.
	pub validation_code: ValidationCode,
	/// Whether it leases a core.
	#[serde(rename = "parachain")]
	pub para_kind: ParaKind,
}

/// Where a para is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum ParaLifecycle {
	/// Waits for its code to be accepted and for a session boundary.
	Onboarding,
	/// Buys block space on demand.
	Parathread,
	/// Leases a core.
	Parachain,
	/// Becomes a parachain at a session boundary.
	UpgradingParathread,
	/// Becomes a parathread at a session boundary.
	DowngradingParachain,
	/// Goes at a session boundary.
	OffboardingParathread,
	/// Goes at a session boundary.
	OffboardingParachain,
}

impl ParaLifecycle {
	/// Neither on its way in, nor out, nor from one kind to the other.
	pub fn is_stable(self) -> bool {
		matches!(self, Self::Parathread | Self::Parachain)
	}

	/// On its way out.
	pub fn is_offboarding(self) -> bool {
		matches!(self, Self::OffboardingParathread | Self::OffboardingParachain)
	}

	/// Leases a core, for now.
	pub fn is_parachain(self) -> bool {
		matches!(self, Self::Parachain | Self::DowngradingParachain | Self::OffboardingParachain)
	}

	/// Buys block space on demand, for now.
	pub fn is_parathread(self) -> bool {
		matches!(self, Self::Parathread | Self::UpgradingParathread | Self::OffboardingParathread)
	}
}

/// When code was replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct ReplacementTimes {
	/// Relay block from which on relay parents see the new code.
	pub expected_at: BlockNumber,
	/// Relay block in which the code was switched.
	pub activated_at: BlockNumber,
}

/// Replaced code of a para that is still kept.
#[derive(Clone, PartialEq, Eq, Default, Debug, Encode, Decode, TypeInfo)]
pub struct ParaPastCodeMeta {
	/// Replacements, ascending.
	pub upgrade_times: Vec<ReplacementTimes>,
	/// Highest `expected_at` of code that is not kept any more.
	pub last_pruned: Option<BlockNumber>,
}

impl ParaPastCodeMeta {
	/// Removes replacements up to `max`; returns their `expected_at`.
	pub(super) fn prune_up_to(&mut self, max: BlockNumber) -> Vec<BlockNumber> {
		let n = self.upgrade_times.partition_point(|times| times.activated_at <= max);
		let pruned: Vec<_> = self.upgrade_times.drain(..n).map(|times| times.expected_at).collect();
		if let Some(last) = pruned.last() {
			self.last_pruned = Some(*last);
		}
		pruned
	}
}

/// Code that may be applied by anybody, until it expires.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct AuthorizedCodeHashAndExpiry {
	/// The code.
	pub code_hash: ValidationCodeHash,
	/// First block in which it may not be applied any more.
	pub expire_at: BlockNumber,
}

/// How an accepted upgrade is applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum UpgradeStrategy {
	/// The para is told to go ahead, and its next block switches.
	#[codec(index = 0)]
	SetGoAheadSignal,
	/// The relay chain switches by itself.
	#[codec(index = 1)]
	ApplyAtExpectedBlock,
}

/// Why code is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum PvfCheckCause {
	/// A para starts with it.
	#[codec(index = 0)]
	Onboarding(ParaId),
	/// A para upgrades to it.
	#[codec(index = 1)]
	Upgrade {
		/// The para.
		id: ParaId,
		/// Block in which the upgrade was included.
		included_at: BlockNumber,
		/// How it is applied.
		upgrade_strategy: UpgradeStrategy,
	},
}

impl PvfCheckCause {
	/// The para that it is about.
	pub fn para_id(&self) -> ParaId {
		match self {
			Self::Onboarding(id) | Self::Upgrade { id, .. } => *id,
		}
	}
}

/// A vote on new code.
///
/// # Bounds
/// One bit per active validator and side; one cause per para.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct PvfCheckActiveVoteState {
	/// Who accepts.
	pub votes_accept: BitVec<u8, Lsb0>,
	/// Who rejects.
	pub votes_reject: BitVec<u8, Lsb0>,
	/// Session boundaries that the vote has seen.
	pub age: SessionIndex,
	/// Block in which it began.
	pub created_at: BlockNumber,
	/// What follows from it.
	pub causes: Vec<PvfCheckCause>,
}

/// Result of a vote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PvfCheckOutcome {
	/// More than two thirds accept.
	Accepted,
	/// More than one third rejects.
	Rejected,
}

impl PvfCheckActiveVoteState {
	/// A vote without ballots.
	pub(super) fn new(created_at: BlockNumber, n_validators: usize, cause: PvfCheckCause) -> Self {
		let mut state = Self {
			votes_accept: BitVec::new(),
			votes_reject: BitVec::new(),
			age: 0,
			created_at,
			causes: alloc::vec![cause],
		};
		state.reinitialize_ballots(n_validators);
		state
	}

	/// Forgets all ballots, for a new set of validators.
	pub(super) fn reinitialize_ballots(&mut self, n_validators: usize) {
		self.votes_accept = BitVec::repeat(false, n_validators);
		self.votes_reject = BitVec::repeat(false, n_validators);
	}

	/// Whether the validator has voted; none if there is no such validator.
	pub(super) fn has_vote(&self, validator: usize) -> Option<bool> {
		Some(*self.votes_accept.get(validator)? || *self.votes_reject.get(validator)?)
	}

	/// The result, if the ballots suffice for one.
	pub(super) fn quorum(&self) -> Option<PvfCheckOutcome> {
		let n = self.votes_accept.len();
		let accept_at = supermajority_threshold(n);
		if self.votes_accept.count_ones() >= accept_at {
			Some(PvfCheckOutcome::Accepted)
		} else if self.votes_reject.count_ones() > n - accept_at {
			Some(PvfCheckOutcome::Rejected)
		} else {
			None
		}
	}
}
