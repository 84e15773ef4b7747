//! What happened to candidates: the one source of lifecycle metrics, log lines and explanations.
//!
//! A trace with [`Stage::Dropped`] may tell of a candidate that is lost here, or only of a message about one: [`Trace::loss`]
//! says which. What the reasons mean in plain words stands in [`crate::reason`].

use crate::{Loss, Timestamp};
use headway_primitives::{
	BlockNumber, CandidateDescriptorV2, CandidateHash, CoreIndex, Hash, ParaId, SessionIndex,
};
use std::fmt;
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};

/// The `subsystem` of what the relay chain itself says of candidates.
pub const RELAY_CHAIN: &str = "relay-chain";

/// A relay block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlockRef {
	/// Its number.
	pub number: BlockNumber,
	/// Its hash.
	pub hash: Hash,
}

impl fmt::Display for BlockRef {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "relay block #{} ({:?})", self.number, self.hash)
	}
}

/// What a loss rests on: what goes into its explanation beyond the reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
	/// Another candidate has the place on the parent head.
	Rival {
		/// The other candidate.
		candidate: CandidateHash,
		/// Hash of the head that both build on.
		parent_head: Hash,
	},
	/// The scheduling parent is not in the allowed ancestry of any leaf any more.
	LeftView {
		/// Its number.
		number: BlockNumber,
		/// Relay blocks since it left.
		blocks_ago: BlockNumber,
	},
	/// The scheduling parent is not on the chain any more: it lost its fork.
	LostFork {
		/// The scheduling parent.
		lost: BlockRef,
		/// The block on the chain that has its number.
		instead: BlockRef,
	},
	/// The relay block in which the candidate was backed is not on the chain any more: it lost its fork.
	BackedOnLostFork {
		/// The block that backed it.
		lost: BlockRef,
		/// The block on the chain that has its number.
		instead: BlockRef,
	},
	/// The session of the scheduling parent is over.
	SessionEnded {
		/// The session.
		session: SessionIndex,
		/// Its last block.
		last: BlockRef,
		/// Whether the candidate was backed, and waited for availability.
		was_backed: bool,
	},
	/// The candidate that it builds on is not on the relay chain.
	Parent {
		/// The other candidate.
		candidate: CandidateHash,
	},
	/// Its core has no validators.
	Core {
		/// The core.
		core: CoreIndex,
	},
}

impl Evidence {
	/// The reason that it proves, which lies behind the one that a machine gave; none if it only says more about that.
	pub fn reason(&self) -> Option<Reason> {
		match self {
			Self::Rival { .. } | Self::LeftView { .. } => None,
			Self::LostFork { .. } | Self::BackedOnLostFork { .. } => Some(Reason::RelayForkLost),
			Self::SessionEnded { .. } => Some(Reason::SessionEnded),
			Self::Parent { .. } => Some(Reason::ParentNotBacked),
			Self::Core { .. } => Some(Reason::CoreWithoutValidators),
		}
	}
}

/// Something that happened to a candidate, or to a message about one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
	/// When.
	pub at: Timestamp,
	/// The machine that noticed it.
	pub subsystem: &'static str,
	/// The candidate, as far as it is known.
	pub candidate: Option<CandidateHash>,
	/// Its para, as far as it is known.
	pub para: Option<ParaId>,
	/// Its scheduling parent, as far as it is known; for what is about no candidate, the relay block that it is about.
	pub scheduling_parent: Option<Hash>,
	/// Its relay parent, as far as it is known. Only descriptors of version 3 have another one than the scheduling parent.
	pub relay_parent: Option<Hash>,
	/// Hash of the head that it builds on, as far as it is known.
	pub parent_head: Option<Hash>,
	/// Hash of the head that it produces, as far as it is known.
	pub output_head: Option<Hash>,
	/// For what the relay chain says: the block that says it.
	pub block: Option<BlockRef>,
	/// What happened.
	pub stage: Stage,
	/// For what is lost, or has no place: what that rests on, if it can be named.
	pub evidence: Option<Evidence>,
}

impl Trace {
	/// Something that happened to a candidate.
	pub fn new(at: Timestamp, subsystem: &'static str, stage: Stage) -> Self {
		Self {
			at,
			subsystem,
			candidate: None,
			para: None,
			scheduling_parent: None,
			relay_parent: None,
			parent_head: None,
			output_head: None,
			block: None,
			stage,
			evidence: None,
		}
	}

	/// About this candidate.
	pub fn candidate(mut self, candidate: CandidateHash) -> Self {
		self.candidate = Some(candidate);
		self
	}

	/// About this para.
	pub fn para(mut self, para: ParaId) -> Self {
		self.para = Some(para);
		self
	}

	/// Scheduled by this relay block, or about it.
	pub fn scheduling_parent(mut self, scheduling_parent: Hash) -> Self {
		self.scheduling_parent = Some(scheduling_parent);
		self
	}

	/// About a candidate with this descriptor.
	pub fn descriptor(mut self, descriptor: &CandidateDescriptorV2) -> Self {
		self.para = Some(descriptor.para_id);
		self.scheduling_parent = Some(descriptor.scheduling_parent());
		self.relay_parent = Some(descriptor.relay_parent);
		self.output_head = Some(descriptor.para_head);
		self
	}

	/// About a candidate that builds on this head.
	pub fn parent_head(mut self, parent_head: Hash) -> Self {
		self.parent_head = Some(parent_head);
		self
	}

	/// Said by this relay block.
	pub fn block(mut self, block: BlockRef) -> Self {
		self.block = Some(block);
		self
	}

	/// With what it rests on, if that is known.
	pub fn evidence(mut self, evidence: Option<Evidence>) -> Self {
		self.evidence = evidence;
		self
	}

	/// What happened in plain words: for a drop, or where there is no place, the end of a sentence that begins with
	/// "because", else of one that begins with "the candidate".
	pub fn explanation(&self) -> String {
		match self.stage {
			Stage::Dropped(reason) | Stage::NoPlace(reason) => {
				self.telling().unwrap_or(reason).explanation_with(self.evidence)
			},
			stage => stage.explanation().into(),
		}
	}

	/// For a drop, or where there is no place: why, by what it rests on if that proves a reason, else by what the machine says.
	pub fn telling(&self) -> Option<Reason> {
		let (Stage::Dropped(reason) | Stage::NoPlace(reason)) = self.stage else { return None };
		Some(self.evidence.and_then(|evidence| evidence.reason()).unwrap_or(reason))
	}

	/// For a drop: what is lost by it, and why.
	pub fn loss(&self) -> Option<(Loss, Reason)> {
		match self.stage {
			Stage::Dropped(reason) => Some((Loss::of(self.subsystem, reason), reason)),
			_ => None,
		}
	}
}

/// A station on the way of a candidate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Stage {
	/// A collator built it.
	Built,
	/// A collator advertised it.
	Advertised,
	/// A validator asks a collator for it.
	Fetching,
	/// A validator has it.
	Fetched,
	/// It was executed, and it is valid.
	Validated,
	/// A validator seconded it.
	Seconded,
	/// A validator voted for it.
	Statement,
	/// It is known among the prospective candidates.
	Introduced,
	/// It has the votes that it needs.
	Backable,
	/// It was handed to the block author.
	Provisioned,
	/// It is backed on chain.
	Backed,
	/// This node stored its chunk.
	ChunkStored,
	/// As far as this node knows, more than two thirds of the validators have their chunks; at the latest when it is included.
	Available,
	/// It is included.
	Included,
	/// It did not become available in time.
	TimedOut,
	/// A block that includes it is finalized.
	Finalized,
	/// Prospective parachains has no place for it now. Nothing is lost yet: whoever asked decides.
	NoPlace(Reason),
	/// A message told of it what was known already: nothing is lost.
	Duplicate,
	/// It is dropped, or a message about it is.
	Dropped(Reason),
}

/// Why a candidate, or a message about one, is dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "snake_case")]
#[allow(missing_docs)] // The names are the documentation: each reads as the end of "dropped because of …".
pub enum Reason {
	// -- the peer
	UnknownPeer,
	UndeclaredPeer,
	MalformedMessage,
	DisabledValidator,
	InvalidSignature,
	UnexpectedMessage,
	ExcessiveMessages,
	DuplicateMessage,
	// -- the relay chain
	UnknownSchedulingParent,
	SchedulingParentNotInScope,
	RelayParentNotInScope,
	RelayParentMovedBackwards,
	UnknownSession,
	TooFewValidators,
	TooManyValidators,
	SessionMismatch,
	NotAssigned,
	ParaNotScheduled,
	NoClaimQueueSlot,
	NoClaimInReach,
	NotValidator,
	SynchronousBacking,
	TopologyUnknown,
	RelayForkLost,
	SessionEnded,
	CoreWithoutValidators,
	// -- the candidate against its chain
	AlreadyKnown,
	ForkChoice,
	Cycle,
	MultiplePaths,
	ConflictsWithPending,
	UnknownParentHead,
	ParentNotBacked,
	ConstraintsNotMet,
	CannotFollowChain,
	// -- the candidate itself
	DescriptorVersion,
	UmpSignals,
	CandidateMismatch,
	TooFewVotes,
	ValidationDataMismatch,
	ErasureRootMismatch,
	PovTooLarge,
	PovHashMismatch,
	CodeHashMismatch,
	CodeMissing,
	InvalidExecution,
	InvalidOutputs,
	ParaHeadMismatch,
	CommitmentsMismatch,
	ExecutionTimeout,
	ExecutionFailed,
	// -- getting it
	FetchFailed,
	FetchTimeout,
	PovUnavailable,
	ChunkUnavailable,
	InvalidChunk,
	InvalidResponse,
	StorageFailed,
	EncodingFailed,
	// -- time passes
	OutOfView,
	NotRequested,
	NotBacked,
	AssemblyTimeout,
	CapacityReached,
}

impl Reason {
	/// The reason as a metric label.
	pub fn label(self) -> &'static str {
		self.into()
	}

	/// The reason with this label.
	pub fn from_label(label: &str) -> Option<Self> {
		Self::iter().find(|reason| reason.label() == label)
	}
}
