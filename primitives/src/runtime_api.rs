//! The `ParachainHost` runtime API: what the node asks the runtime (runtime §9.1).
//!
//! The trait starts at version 5 and Headway's runtime implements 16. A method with a higher gate than the version that a
//! chain's runtime advertises must not be called: ask `ApiExt::api_version` first.

use crate::ids::Hash;
use crate::{
	constraints::{BackingState, Constraints, RelayParentInfo},
	ApprovalVotingParams, AsyncBackingParams, BlockNumber, CandidateCommitments, CandidateEvent,
	CandidateHash, ClaimQueue, CommittedCandidateReceiptV2, CoreState, DisputeProof, DisputeState,
	ExecutorParams, GroupRotationInfo, InboundDownwardMessage, InboundHrmpMessage, LegacyDisputeOffenceKind,
	NodeFeatures, OccupiedCoreAssumption, OpaqueKeyOwnershipProof, ParaId, PendingSlashes,
	PersistedValidationData, PvfCheckStatement, ScrapedOnChainVotes, SessionIndex, SessionInfo,
	ValidationCode, ValidationCodeHash, ValidatorId, ValidatorIndex, ValidatorSignature,
};
use alloc::{collections::BTreeMap, vec::Vec};

sp_api::decl_runtime_apis! {
	/// What the node needs to know of the parachains at a block. Answers are for the children of the block.
	#[api_version(5)]
	pub trait ParachainHost {
		/// Keys of the active validators.
		fn validators() -> Vec<ValidatorId>;
		/// Groups and how they rotate.
		fn validator_groups() -> (Vec<Vec<ValidatorIndex>>, GroupRotationInfo<BlockNumber>);
		/// State of every core.
		fn availability_cores() -> Vec<CoreState<BlockNumber>>;
		/// Validation data of the para under the assumption; none without a head.
		fn persisted_validation_data(
			para: ParaId,
			assumption: OccupiedCoreAssumption,
		) -> Option<PersistedValidationData<Hash, BlockNumber>>;
		/// Validation data whose hash is the expected one, and the code hash.
		fn assumed_validation_data(
			para: ParaId,
			expected_persisted_validation_data_hash: Hash,
		) -> Option<(PersistedValidationData<Hash, BlockNumber>, ValidationCodeHash)>;
		/// Whether the commitments pass the acceptance criteria.
		fn check_validation_outputs(para: ParaId, outputs: CandidateCommitments) -> bool;
		/// Session of the children.
		fn session_index_for_child() -> SessionIndex;
		/// Current code under the assumption.
		fn validation_code(para: ParaId, assumption: OccupiedCoreAssumption) -> Option<ValidationCode>;
		/// The first candidate that waits for availability.
		fn candidate_pending_availability(para: ParaId) -> Option<CommittedCandidateReceiptV2>;
		/// What happened to candidates in the block.
		fn candidate_events() -> Vec<CandidateEvent>;
		/// Downward messages that wait, oldest first.
		fn dmq_contents(para: ParaId) -> Vec<InboundDownwardMessage<BlockNumber>>;
		/// Horizontal messages that wait, by sender; empty channels included.
		fn inbound_hrmp_channels_contents(para: ParaId) -> BTreeMap<ParaId, Vec<InboundHrmpMessage<BlockNumber>>>;
		/// Code by its hash.
		fn validation_code_by_hash(hash: ValidationCodeHash) -> Option<ValidationCode>;
		/// Backing and dispute votes that the block carried.
		fn on_chain_votes() -> Option<ScrapedOnChainVotes>;
		/// What is stored of a session.
		fn session_info(index: SessionIndex) -> Option<SessionInfo>;
		/// Submits a vote on new code.
		fn submit_pvf_check_statement(statement: PvfCheckStatement, signature: ValidatorSignature);
		/// New code that waits for votes.
		fn pvfs_require_precheck() -> Vec<ValidationCodeHash>;
		/// Hash of the current code under the assumption.
		fn validation_code_hash(para: ParaId, assumption: OccupiedCoreAssumption) -> Option<ValidationCodeHash>;
		/// All disputes on chain.
		fn disputes() -> Vec<(SessionIndex, CandidateHash, DisputeState<BlockNumber>)>;
		/// Execution environment of a session.
		fn session_executor_params(session_index: SessionIndex) -> Option<ExecutorParams>;
		/// Slashes that wait, of the kinds known before version 15.
		fn unapplied_slashes() -> Vec<(SessionIndex, CandidateHash, PendingSlashes<LegacyDisputeOffenceKind>)>;
		/// Proof that a validator owned a key.
		fn key_ownership_proof(validator_id: ValidatorId) -> Option<OpaqueKeyOwnershipProof>;
		/// Submits an offence report.
		fn submit_report_dispute_lost(
			dispute_proof: DisputeProof,
			key_owner_proof: OpaqueKeyOwnershipProof,
		) -> Option<()>;

		/// Votes that back a candidate, at most the group's size.
		#[api_version(6)]
		fn minimum_backing_votes() -> u32;

		/// Constraints and pending candidates of a para.
		#[api_version(7)]
		fn para_backing_state(para: ParaId) -> Option<BackingState<BlockNumber>>;
		/// Parameters of asynchronous backing.
		#[api_version(7)]
		fn async_backing_params() -> AsyncBackingParams;

		/// Validators whose statements are ignored.
		#[api_version(8)]
		fn disabled_validators() -> Vec<ValidatorIndex>;

		/// Features that are on.
		#[api_version(9)]
		fn node_features() -> NodeFeatures;

		/// Parameters of approval voting.
		#[api_version(10)]
		fn approval_voting_params() -> ApprovalVotingParams;

		/// Which paras come next on each core.
		#[api_version(11)]
		fn claim_queue() -> ClaimQueue;
		/// All candidates of the para that wait for availability, each builds on the one before.
		#[api_version(11)]
		fn candidates_pending_availability(para: ParaId) -> Vec<CommittedCandidateReceiptV2>;

		/// Most bytes that validation code may decompress to.
		#[api_version(12)]
		fn validation_code_bomb_limit() -> u32;

		/// What the para's next candidate has to respect.
		#[api_version(13)]
		fn backing_constraints(para: ParaId) -> Option<Constraints<BlockNumber>>;
		/// Length of the claim queue and of the window of scheduling parents.
		#[api_version(13)]
		fn scheduling_lookahead() -> u32;

		/// All paras with a head.
		#[api_version(14)]
		fn para_ids() -> Vec<ParaId>;

		/// Slashes that wait.
		#[api_version(15)]
		fn unapplied_slashes_v2() -> Vec<(SessionIndex, CandidateHash, PendingSlashes)>;

		/// How many sessions old a relay parent may be.
		#[api_version(16)]
		fn max_relay_parent_session_age() -> u32;
		/// Number and state root of an allowed relay parent; never of the queried block itself.
		#[api_version(16)]
		fn ancestor_relay_parent_info(
			session_index: SessionIndex,
			relay_parent: Hash,
		) -> Option<RelayParentInfo<Hash, BlockNumber>>;
	}
}
