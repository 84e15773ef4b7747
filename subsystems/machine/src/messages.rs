//! What machines say to each other. Who says what to whom stands in the pipeline's router.

use crate::Token;
use headway_primitives::{
	CandidateDescriptorVersion, CandidateHash, CandidateReceiptV2, CommittedCandidateReceiptV2, CoreIndex,
	Hash, HeadData, HorizontalMessages, ParaId, PersistedValidationData, PoV, SessionIndex,
	SignedFullStatement, UpwardMessages, ValidationCode, ValidationCodeHash, ValidatorIndex,
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// A candidate that was seconded: what prospective parachains must know of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IntroducedCandidate {
	/// The candidate.
	pub receipt: Arc<CommittedCandidateReceiptV2>,
	/// What it was validated with.
	pub validation_data: Arc<PersistedValidationData>,
}

/// A candidate by hash, and the relay block that schedules it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CandidateRef {
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// Its scheduling parent.
	pub scheduling_parent: Hash,
}

/// A candidate that might be added to a fragment chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HypotheticalCandidate {
	/// We have all of it.
	Complete {
		/// Its hash.
		candidate_hash: CandidateHash,
		/// The candidate.
		receipt: Arc<CommittedCandidateReceiptV2>,
		/// What it is validated with.
		validation_data: Arc<PersistedValidationData>,
	},
	/// We have only what an advertisement says.
	Incomplete {
		/// Its hash.
		candidate_hash: CandidateHash,
		/// Its para.
		para: ParaId,
		/// Hash of the head data that it builds on.
		parent_head_data_hash: Hash,
		/// Its scheduling parent.
		scheduling_parent: Hash,
	},
}

impl HypotheticalCandidate {
	/// Its hash.
	pub fn candidate_hash(&self) -> CandidateHash {
		match self {
			Self::Complete { candidate_hash, .. } | Self::Incomplete { candidate_hash, .. } => {
				*candidate_hash
			},
		}
	}

	/// Its para.
	pub fn para(&self) -> ParaId {
		match self {
			Self::Complete { receipt, .. } => receipt.descriptor.para_id,
			Self::Incomplete { para, .. } => *para,
		}
	}

	/// Its scheduling parent.
	pub fn scheduling_parent(&self) -> Hash {
		match self {
			Self::Complete { receipt, .. } => receipt.descriptor.scheduling_parent(),
			Self::Incomplete { scheduling_parent, .. } => *scheduling_parent,
		}
	}
}

/// Asks under which leaves candidates could be added to the fragment chain of their para.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MembershipQuery {
	/// Names the question.
	pub token: Token,
	/// The candidates.
	pub candidates: Vec<HypotheticalCandidate>,
	/// Only this leaf; none: all active leaves.
	pub leaf: Option<Hash>,
}

/// Answer to [`MembershipQuery`]: in the order of the candidates, the leaves under which each could be added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
	/// The question's token.
	pub token: Token,
	/// The candidates with their leaves.
	pub leaves: Vec<(HypotheticalCandidate, Vec<Hash>)>,
}

/// A parent head as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ParentHead {
	/// Only its hash.
	OnlyHash(Hash),
	/// The head data, with its hash.
	WithData {
		/// The head data.
		head_data: HeadData,
		/// Its hash.
		hash: Hash,
	},
}

impl ParentHead {
	/// Hash of the head data.
	pub fn hash(&self) -> Hash {
		match self {
			Self::OnlyHash(hash) | Self::WithData { hash, .. } => *hash,
		}
	}
}

/// Asks for the validation data of a candidate that may build on candidates that are not included yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValidationDataQuery {
	/// Names the question.
	pub token: Token,
	/// The para.
	pub para: ParaId,
	/// Relay parent of the candidate.
	pub relay_parent: Hash,
	/// Session of the relay parent's children.
	pub session_index: SessionIndex,
	/// What the candidate builds on.
	pub parent_head: ParentHead,
}

/// Asks which candidates can be backed on chain next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackableQuery {
	/// Names the question.
	pub token: Token,
	/// The leaf that the block builds on.
	pub leaf: Hash,
	/// The para.
	pub para: ParaId,
	/// Most candidates to answer.
	pub count: usize,
	/// Candidates that are pending now and will be included by then.
	pub ancestors: BTreeSet<CandidateHash>,
}

/// A full statement; with a `Seconded` one goes the validation data, which is not signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatementWithPvd {
	/// The statement.
	pub statement: SignedFullStatement,
	/// Validation data of a seconded candidate; none for `Valid`.
	pub validation_data: Option<Arc<PersistedValidationData>>,
}

impl StatementWithPvd {
	/// Who made the statement.
	pub fn validator_index(&self) -> ValidatorIndex {
		self.statement.validator_index()
	}

	/// The candidate that it is about.
	pub fn candidate_hash(&self) -> CandidateHash {
		self.statement.payload().candidate_hash()
	}

	/// The statement by hash.
	pub fn to_compact(&self) -> headway_primitives::SignedStatement {
		self.statement.clone().map_payload(|full| full.to_compact())
	}
}

/// A fetched collation that is worth validating and seconding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecondRequest {
	/// The candidate.
	pub receipt: CandidateReceiptV2,
	/// What it is validated with.
	pub validation_data: Arc<PersistedValidationData>,
	/// Its proof of validity.
	pub pov: Arc<PoV>,
}

/// Asks whether an advertised candidate could be seconded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CanSecondQuery {
	/// Names the question.
	pub token: Token,
	/// The para.
	pub para: ParaId,
	/// Scheduling parent.
	pub scheduling_parent: Hash,
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// Hash of the head data that it builds on.
	pub parent_head_data_hash: Hash,
}

/// Why a candidate is executed: decides timeouts and priority.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ExecutionKind {
	/// To back it: the short timeout.
	Backing,
	/// To back a candidate of a system parachain: before the others.
	BackingSystemParas,
	/// To approve it: the long timeout.
	Approval,
	/// In a dispute: the long timeout.
	Dispute,
}

/// Outcome of a candidate's validation that found no fault of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ValidationOutcome {
	/// It is valid, and these are its commitments.
	Valid {
		/// What it commits to; hash equals the receipt's.
		commitments: headway_primitives::CandidateCommitments,
		/// What it was validated with.
		validation_data: Arc<PersistedValidationData>,
	},
	/// It is invalid.
	Invalid(crate::Reason),
}

/// A block of a parachain, as its collator built it: what a candidate is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Collation {
	/// Messages to the relay chain, signals behind the separator.
	pub upward_messages: UpwardMessages,
	/// Messages to other paras.
	pub horizontal_messages: HorizontalMessages,
	/// New validation code, if the para upgrades.
	pub new_validation_code: Option<ValidationCode>,
	/// The head data that it produces.
	pub head_data: HeadData,
	/// The proof of validity, not compressed yet.
	pub pov: PoV,
	/// Downward messages consumed.
	pub processed_downward_messages: u32,
	/// Relay block number up to which horizontal messages were processed.
	pub hrmp_watermark: u32,
}

/// A collation that a parachain's collator hands in, with what it was built on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubmittedCollation {
	/// The block.
	pub collation: Collation,
	/// Relay block whose state it executed against.
	pub relay_parent: Hash,
	/// What it has to be validated with.
	pub validation_data: PersistedValidationData,
	/// Code that it was built with.
	pub validation_code_hash: ValidationCodeHash,
	/// Session of the relay parent's children.
	pub session_index: SessionIndex,
}

/// Collations for one core, each on top of the one before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubmitSegment {
	/// Relay block that schedules them.
	pub scheduling_parent: Hash,
	/// The core.
	pub core_index: CoreIndex,
	/// Version of the descriptors: V2 (one collation) or V3.
	pub descriptor_version: CandidateDescriptorVersion,
	/// At most 32.
	pub collations: Vec<SubmittedCollation>,
}

/// A candidate that a collator built and offers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BuiltCandidate {
	/// The receipt.
	pub receipt: CandidateReceiptV2,
	/// The proof of validity, compressed.
	pub pov: Arc<PoV>,
	/// Head data of the parent.
	pub parent_head_data: HeadData,
	/// Head data that it produces.
	pub head_data: HeadData,
}

/// Candidates for one core, ready to be advertised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DistributeSegment {
	/// The para.
	pub para: ParaId,
	/// The core.
	pub core_index: CoreIndex,
	/// Relay block that schedules them.
	pub scheduling_parent: Hash,
	/// Version of their descriptors.
	pub descriptor_version: CandidateDescriptorVersion,
	/// In order, each on top of the one before.
	pub candidates: Vec<BuiltCandidate>,
}

/// Validation came to no verdict: a failure of ours, never held against the candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("candidate could not be validated: {}", .reason.label())]
pub struct ValidationFailed {
	/// What went wrong.
	pub reason: crate::Reason,
}

/// Why available data could not be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreDataError {
	/// The data's erasure root is not the descriptor's: the candidate is invalid.
	#[error("erasure root differs from the descriptor's")]
	ErasureRootMismatch,
	/// No chunks can be made of it.
	#[error("erasure coding failed: {}", .0.label())]
	Encoding(crate::Reason),
	/// Our storage failed.
	#[error("storing available data failed")]
	Failed,
}

/// Asks for a candidate's validation with everything at hand but the code.
#[derive(Clone, PartialEq, Debug)]
pub struct ValidateRequest {
	/// The candidate.
	pub receipt: CandidateReceiptV2,
	/// What it is validated with.
	pub validation_data: Arc<PersistedValidationData>,
	/// Its proof of validity.
	pub pov: Arc<PoV>,
	/// Execution environment of its session.
	pub executor_params: Arc<headway_primitives::ExecutorParams>,
	/// Session of the scheduling parent's children.
	pub scheduling_session: SessionIndex,
	/// Why it is validated.
	pub kind: ExecutionKind,
}

/// Asks to keep the data of a valid candidate: all chunks, for those who fetch them.
#[derive(Clone, PartialEq, Debug)]
pub struct StoreDataRequest {
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// Validators of the session: number of chunks.
	pub n_validators: usize,
	/// The data.
	pub data: Arc<headway_primitives::AvailableData>,
	/// What the chunks' root must be.
	pub expected_erasure_root: Hash,
	/// Core that the candidate is for: part of the mapping from validators to chunks.
	pub core_index: CoreIndex,
	/// Features that are on: among them, whether chunks are mapped.
	pub node_features: headway_primitives::NodeFeatures,
}

/// A call of `validate_block` for the driver to carry out.
#[derive(Clone, PartialEq, Debug)]
pub struct Execution {
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// The code, as stored.
	pub code: Arc<ValidationCode>,
	/// Its hash.
	pub code_hash: ValidationCodeHash,
	/// Most bytes that the code may decompress to.
	pub code_bomb_limit: u32,
	/// Arguments; the proof of validity still compressed.
	pub validation_data: Arc<PersistedValidationData>,
	/// The proof of validity, as shipped.
	pub pov: Arc<PoV>,
	/// For descriptors of version 3: relay parent and scheduling parent, which the function gets too.
	pub extension: Option<(Hash, Hash)>,
	/// Execution environment.
	pub executor_params: Arc<headway_primitives::ExecutorParams>,
	/// CPU time that it may take.
	pub timeout: Duration,
	/// Why it is executed.
	pub kind: ExecutionKind,
}

/// Why an execution gave no result: what happened, in the words of whom it happened to. Whose fault it is, and whether it is
/// tried again, is decided by candidate validation.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExecutionError {
	/// The validation function trapped, or answered what is no result; or the proof of validity does not decompress.
	#[error("rejected: {0}")]
	Rejected(String),
	/// It took longer than it may.
	#[error("timed out: {0}")]
	TimedOut(String),
	/// The worker died in the middle; nobody knows why.
	#[error("worker died: {0}")]
	WorkerDied(String),
	/// The worker's job panicked.
	#[error("job failed: {0}")]
	JobFailed(String),
	/// The compiled code is not what was prepared, or makes no module; it is prepared again for the next attempt.
	#[error("compiled code is broken: {0}")]
	BrokenArtifact(String),
	/// The code could not be prepared.
	#[error("code could not be prepared: {0}")]
	NotPrepared(String),
	/// Something else of ours failed.
	#[error("execution failed: {0}")]
	Internal(String),
}

/// Proof that a validator broke the rules of backing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Misbehavior {
	/// Seconded and voted for the same candidate.
	ValidityDoubleVote,
	/// Signed the same statement twice, differently.
	DoubleSign,
	/// Made a statement on a candidate of another group's core.
	UnauthorizedStatement,
}

/// Who misbehaved, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MisbehaviorReport {
	/// Scheduling parent of the candidate.
	pub scheduling_parent: Hash,
	/// The validator.
	pub validator: ValidatorIndex,
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// What it did.
	pub misbehavior: Misbehavior,
}

/// A candidate in a fragment chain, or beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
	/// The candidate.
	pub candidate_hash: CandidateHash,
	/// Relay block that schedules it.
	pub scheduling_parent: Hash,
	/// Relay block whose state it executes against.
	pub relay_parent: Hash,
	/// Hash of the head data that it builds on.
	pub parent_head: Hash,
	/// Hash of the head data that it produces.
	pub output_head: Hash,
	/// How far it is.
	pub state: FragmentState,
}

/// How far a candidate of a fragment chain is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum FragmentState {
	/// Backed on chain, it waits for availability.
	Pending,
	/// It has the votes that it needs.
	Backed,
	/// A validator seconded it.
	Seconded,
}

/// The fragment chain of a para at a relay block, for people to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FragmentChainView {
	/// The relay block.
	pub at: Hash,
	/// Its number.
	pub number: headway_primitives::BlockNumber,
	/// Hash of the head that is included there.
	pub included_head: Hash,
	/// Most candidates that the best chain may have.
	pub max_len: usize,
	/// The best chain, from the included head on.
	pub best: Vec<Fragment>,
	/// Candidates that may get a place later, ascending by hash.
	pub unconnected: Vec<Fragment>,
}

/// Why there is no fragment chain to look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FragmentChainError {
	/// The relay block is neither a leaf nor a former leaf whose descendants may still use it.
	#[error("the relay block is not in view")]
	NotInView,
	/// The para has no place in the claim queue there.
	#[error("the para is not scheduled there")]
	NotScheduled,
	/// A collator has none.
	#[error("this node keeps no fragment chains")]
	NotKept,
}
