//! What the driver tells the joined machines, and what they ask of it.

use headway_availability as availability;
use headway_collation_generation as collation_generation;
use headway_collator_protocol::experimental::Notice;
use headway_machine::{
	wire::InboundRequest, Execution, ExecutionError, FragmentChainError, FragmentChainView, LeavesUpdate,
	MisbehaviorReport, NetworkEffect, NetworkEvent, RequestError, StorageKey, SubmitSegment, Token, WriteOp,
};
use headway_primitives::{
	constraints::RelayParentInfo, AvailableData, BlockNumber, CommittedCandidateReceiptV2, Hash,
	NodeFeatures, ParaId, SessionIndex, ValidationCode, ValidationCodeHash, ValidationResult,
};
use headway_provisioner::ProvisionedData;
use std::{collections::BTreeSet, sync::Arc};

/// The machine that asked something; the answer goes back to it.
///
/// Machines number their own questions. On the way out the machine is written into the topmost byte of the token, so that
/// nothing needs to remember who asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Asker {
	ProspectiveParachains = 1,
	Backing = 2,
	CandidateValidation = 3,
	StatementDistribution = 4,
	CollatorProtocol = 5,
	Provisioner = 6,
	Availability = 7,
	CollationGeneration = 8,
}

const TOKEN_BITS: u32 = 56;

impl Asker {
	const ALL: [Asker; 8] = [
		Self::ProspectiveParachains,
		Self::Backing,
		Self::CandidateValidation,
		Self::StatementDistribution,
		Self::CollatorProtocol,
		Self::Provisioner,
		Self::Availability,
		Self::CollationGeneration,
	];

	/// Writes the asker into its token.
	pub fn tag(self, token: Token) -> Token {
		Token(u64::from(self as u8) << TOKEN_BITS | token.0)
	}

	/// Reads who asked, and its own token.
	pub fn untag(token: Token) -> Option<(Asker, Token)> {
		let asker = (token.0 >> TOKEN_BITS) as u8;
		let asker = Self::ALL.into_iter().find(|candidate| *candidate as u8 == asker)?;
		Some((asker, Token(token.0 & ((1 << TOKEN_BITS) - 1))))
	}
}

/// All that can happen to a node's machines.
#[derive(Clone, Debug)]
pub enum Event {
	/// Active leaves changed.
	Leaves(LeavesUpdate),
	/// A block was finalized.
	Finalized {
		/// Its number.
		number: BlockNumber,
		/// Its hash.
		hash: Hash,
		/// Features that are on in it.
		node_features: NodeFeatures,
	},
	/// Something happened on the network.
	Network(NetworkEvent),
	/// A peer asks.
	Request(InboundRequest),
	/// A peer answered, or did not.
	Response {
		/// The question's token.
		token: Token,
		/// The encoded answer.
		result: Result<Vec<u8>, RequestError>,
	},
	/// Answer to [`Effect::FetchCode`].
	Code {
		/// The question's token.
		token: Token,
		/// The code, and most bytes that it may decompress to.
		code: Option<(ValidationCode, u32)>,
	},
	/// Answer to [`Effect::Execute`].
	Executed {
		/// The question's token.
		token: Token,
		/// What the validation function said.
		result: Result<ValidationResult, ExecutionError>,
	},
	/// Answer to [`Effect::Encode`].
	Encoded {
		/// The question's token.
		token: Token,
		/// Chunks with their proofs, and their root.
		result: Result<availability::Encoding, availability::EncodeError>,
	},
	/// Answer to [`Effect::EncodeRoot`].
	EncodedRoot {
		/// The question's token.
		token: Token,
		/// The erasure root.
		root: Result<Hash, availability::EncodeError>,
	},
	/// What a former life of the node signed; the first event of all.
	RestoreVotes {
		/// All entries of [`headway_machine::Column::Votes`] that begin with `headway_backing::votes::VOTES`.
		entries: Vec<(Vec<u8>, Vec<u8>)>,
	},
	/// What a former life of the node left in the storage; before any other event but [`Event::RestoreVotes`].
	Restore {
		/// All entries of [`headway_machine::Column::Meta`].
		entries: Vec<(Vec<u8>, Vec<u8>)>,
	},
	/// What a former life of the node stored of collators' scores; before any other event.
	RestoreScores {
		/// All that [`Effect::WriteScores`] wrote.
		entries: Vec<(Vec<u8>, Vec<u8>)>,
	},
	/// Answer to [`Effect::Load`].
	Loaded {
		/// The question's token.
		token: Token,
		/// What is stored; none if nothing is, or if the storage failed.
		value: Option<Vec<u8>>,
	},
	/// Answer to [`Effect::Write`].
	Written {
		/// The question's token.
		token: Token,
		/// Whether all of it is durable; if not, none of it is.
		ok: bool,
	},
	/// Answer to [`Effect::QueryRelayParentInfo`].
	RelayParentInfo {
		/// The question's token.
		token: Token,
		/// Number and state root, if the chain still knows them.
		info: Option<RelayParentInfo>,
	},
	/// Answer to [`Effect::QueryIncluded`].
	Included {
		/// The question's token.
		token: Token,
		/// Candidates that the blocks include, as far as the chain still knows them whole.
		candidates: Vec<CommittedCandidateReceiptV2>,
		/// All paras of the newest of the blocks; none if they could not be read.
		registered: Option<BTreeSet<ParaId>>,
	},
	/// We author a block: what goes into its inherent?
	InherentRequest {
		/// Names the question; the driver's own.
		token: Token,
		/// Parent of the block.
		parent: Hash,
	},
	/// Somebody wants to look at a fragment chain; answered by [`Effect::FragmentChain`].
	FragmentChain {
		/// Names the question; the driver's own.
		token: Token,
		/// Whose.
		para: ParaId,
		/// At which relay block; none: at the newest leaf.
		at: Option<Hash>,
	},
	/// This node makes candidates for a para.
	CollateOn(ParaId),
	/// The para's collator built blocks.
	Submit(SubmitSegment),
}

/// All that a node's machines can ask of their driver.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
	/// Something for the network.
	Network(NetworkEffect),
	/// Get validation code from the state of a block.
	FetchCode {
		/// Names the question.
		token: Token,
		/// The block.
		at: Hash,
		/// The code.
		code_hash: ValidationCodeHash,
	},
	/// Execute a candidate.
	Execute {
		/// Names the question.
		token: Token,
		/// What to execute.
		execution: Execution,
	},
	/// Compute all chunks of a candidate's data.
	Encode {
		/// Names the question.
		token: Token,
		/// Number of chunks.
		n_validators: usize,
		/// The data.
		data: Arc<AvailableData>,
	},
	/// Compute the erasure root of a candidate's data.
	EncodeRoot {
		/// Names the question.
		token: Token,
		/// Number of chunks.
		n_validators: usize,
		/// The data.
		data: Arc<AvailableData>,
	},
	/// Read one value.
	Load {
		/// Names the question.
		token: Token,
		/// Where.
		key: StorageKey,
	},
	/// Write all of this or nothing, in the order of the effects.
	Write {
		/// Names the question.
		token: Token,
		/// What.
		batch: Vec<WriteOp>,
	},
	/// Look up a relay parent that is older than our view.
	QueryRelayParentInfo {
		/// Names the question.
		token: Token,
		/// Block whose state to ask.
		at: Hash,
		/// Session of the relay parent's children.
		session_index: SessionIndex,
		/// The relay parent.
		relay_parent: Hash,
	},
	/// What did a finalized block and its ancestors include?
	QueryIncluded {
		/// Names the question.
		token: Token,
		/// The newest of the blocks.
		hash: Hash,
		/// How many blocks: this one, its parent, and so on.
		count: u32,
	},
	/// As [`Self::Write`], scores of collators. Not answered.
	WriteScores(Vec<WriteOp>),
	/// Something about collators is to be counted or logged.
	CollatorNotice(Notice),
	/// Answer to [`Event::InherentRequest`]; none if the parent is not in view.
	Inherent {
		/// The question's token.
		token: Token,
		/// What goes into the inherent.
		data: Option<ProvisionedData>,
	},
	/// Answer to [`Event::FragmentChain`].
	FragmentChain {
		/// The question's token.
		token: Token,
		/// The chain as it is now.
		chain: Result<FragmentChainView, FragmentChainError>,
	},
	/// A validator broke the rules of backing.
	Misbehavior(MisbehaviorReport),
	/// A submission of collations was refused.
	SubmissionRejected {
		/// Its scheduling parent.
		scheduling_parent: Hash,
		/// Why.
		error: collation_generation::SubmitError,
	},
}
