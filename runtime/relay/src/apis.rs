//! Implementation of the runtime APIs.

use crate::{validators::prove_key, *};
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use codec::Encode;
use frame_support::{
	genesis_builder_helper::{build_state, get_preset},
	view_functions::{ViewFunctionDispatchError, ViewFunctionId},
	weights::Weight,
};
use headway_primitives::{
	constraints::{BackingState, Constraints, RelayParentInfo},
	ApprovalVotingParams, AsyncBackingParams, AuthorityDiscoveryId, CandidateCommitments, CandidateEvent,
	CandidateHash, ClaimQueue, CommittedCandidateReceiptV2, CoreState, DisputeProof, DisputeState,
	ExecutorParams, GroupRotationInfo, InboundDownwardMessage, InboundHrmpMessage, LegacyDisputeOffenceKind,
	NodeFeatures, OccupiedCoreAssumption, OpaqueKeyOwnershipProof, ParaId, PendingSlashes,
	PersistedValidationData, PvfCheckStatement, ScrapedOnChainVotes, SessionIndex, SessionInfo,
	ValidationCode, ValidationCodeHash, ValidatorId, ValidatorIndex, ValidatorSignature,
	PARACHAIN_KEY_TYPE_ID,
};
use headway_runtime_parachains::runtime_api as parachains;
use sp_api::impl_runtime_apis;
use sp_core::{crypto::KeyTypeId, OpaqueMetadata};
use sp_inherents::{CheckInherentsResult, InherentData};
use sp_runtime::{
	traits::{Block as BlockT, NumberFor},
	transaction_validity::{TransactionSource, TransactionValidity},
	ApplyExtrinsicResult, ExtrinsicInclusionMode,
};

/// Discovery keys of this and the next session, and of all sessions that disputes may be about.
fn discoverable_authorities() -> Vec<AuthorityDiscoveryId> {
	let mut keys: BTreeSet<_> = AuthorityDiscovery::authorities().into_iter().collect();
	let earliest = session_info::EarliestStoredSession::<Runtime>::get();
	for session in earliest..=shared::CurrentSessionIndex::<Runtime>::get() {
		if let Some(info) = session_info::Sessions::<Runtime>::get(session) {
			keys.extend(info.discovery_keys);
		}
	}
	keys.into_iter().collect()
}

/// Sends a vote on new code to the transaction pool.
fn submit_pvf_check_statement(statement: PvfCheckStatement, signature: ValidatorSignature) {
	use frame_system::offchain::{CreateBare, SubmitTransaction};
	let call = paras::Call::<Runtime>::include_pvf_check_statement { stmt: statement, signature };
	let extrinsic = <Runtime as CreateBare<paras::Call<Runtime>>>::create_bare(call.into());
	if SubmitTransaction::<Runtime, paras::Call<Runtime>>::submit_transaction(extrinsic).is_err() {
		log::error!(target: "runtime::paras", "the pool did not accept a vote on new code");
	}
}

impl_runtime_apis! {
	impl sp_api::Core<Block> for Runtime {
		fn version() -> RuntimeVersion {
			VERSION
		}

		fn execute_block(block: <Block as BlockT>::LazyBlock) {
			Executive::execute_block(block);
		}

		fn initialize_block(header: &<Block as BlockT>::Header) -> ExtrinsicInclusionMode {
			Executive::initialize_block(header)
		}
	}

	impl sp_api::Metadata<Block> for Runtime {
		fn metadata() -> OpaqueMetadata {
			OpaqueMetadata::new(Runtime::metadata().into())
		}

		fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
			Runtime::metadata_at_version(version)
		}

		fn metadata_versions() -> Vec<u32> {
			Runtime::metadata_versions()
		}
	}

	impl sp_block_builder::BlockBuilder<Block> for Runtime {
		fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
			Executive::apply_extrinsic(extrinsic)
		}

		fn finalize_block() -> <Block as BlockT>::Header {
			Executive::finalize_block()
		}

		fn inherent_extrinsics(data: InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
			data.create_extrinsics()
		}

		fn check_inherents(block: <Block as BlockT>::LazyBlock, data: InherentData) -> CheckInherentsResult {
			data.check_extrinsics(&block)
		}
	}

	impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
		fn validate_transaction(
			source: TransactionSource,
			tx: <Block as BlockT>::Extrinsic,
			block_hash: <Block as BlockT>::Hash,
		) -> TransactionValidity {
			Executive::validate_transaction(source, tx, block_hash)
		}
	}

	impl sp_offchain::OffchainWorkerApi<Block> for Runtime {
		fn offchain_worker(header: &<Block as BlockT>::Header) {
			Executive::offchain_worker(header)
		}
	}

	#[api_version(16)]
	impl headway_primitives::runtime_api::ParachainHost<Block> for Runtime {
		fn validators() -> Vec<ValidatorId> {
			parachains::validators::<Runtime>()
		}

		fn validator_groups() -> (Vec<Vec<ValidatorIndex>>, GroupRotationInfo<BlockNumber>) {
			parachains::validator_groups::<Runtime>()
		}

		fn availability_cores() -> Vec<CoreState<BlockNumber>> {
			parachains::availability_cores::<Runtime>()
		}

		fn persisted_validation_data(
			para: ParaId,
			assumption: OccupiedCoreAssumption,
		) -> Option<PersistedValidationData<Hash, BlockNumber>> {
			parachains::persisted_validation_data::<Runtime>(para, assumption)
		}

		fn assumed_validation_data(
			para: ParaId,
			expected_persisted_validation_data_hash: Hash,
		) -> Option<(PersistedValidationData<Hash, BlockNumber>, ValidationCodeHash)> {
			parachains::assumed_validation_data::<Runtime>(para, expected_persisted_validation_data_hash)
		}

		fn check_validation_outputs(para: ParaId, outputs: CandidateCommitments) -> bool {
			parachains::check_validation_outputs::<Runtime>(para, outputs)
		}

		fn session_index_for_child() -> SessionIndex {
			parachains::session_index_for_child::<Runtime>()
		}

		fn validation_code(para: ParaId, assumption: OccupiedCoreAssumption) -> Option<ValidationCode> {
			parachains::validation_code::<Runtime>(para, assumption)
		}

		fn candidate_pending_availability(para: ParaId) -> Option<CommittedCandidateReceiptV2> {
			parachains::candidates_pending_availability::<Runtime>(para).into_iter().next()
		}

		fn candidate_events() -> Vec<CandidateEvent> {
			parachains::candidate_events::<Runtime, _>(|event| match event {
				RuntimeEvent::ParaInclusion(event) => Some(event),
				_ => None,
			})
		}

		fn dmq_contents(para: ParaId) -> Vec<InboundDownwardMessage<BlockNumber>> {
			parachains::dmq_contents::<Runtime>(para)
		}

		fn inbound_hrmp_channels_contents(
			para: ParaId,
		) -> BTreeMap<ParaId, Vec<InboundHrmpMessage<BlockNumber>>> {
			parachains::inbound_hrmp_channels_contents::<Runtime>(para)
		}

		fn validation_code_by_hash(hash: ValidationCodeHash) -> Option<ValidationCode> {
			parachains::validation_code_by_hash::<Runtime>(hash)
		}

		fn on_chain_votes() -> Option<ScrapedOnChainVotes> {
			parachains::on_chain_votes::<Runtime>()
		}

		fn session_info(index: SessionIndex) -> Option<SessionInfo> {
			parachains::session_info::<Runtime>(index)
		}

		fn submit_pvf_check_statement(statement: PvfCheckStatement, signature: ValidatorSignature) {
			submit_pvf_check_statement(statement, signature)
		}

		fn pvfs_require_precheck() -> Vec<ValidationCodeHash> {
			parachains::pvfs_require_precheck::<Runtime>()
		}

		fn validation_code_hash(
			para: ParaId,
			assumption: OccupiedCoreAssumption,
		) -> Option<ValidationCodeHash> {
			parachains::validation_code_hash::<Runtime>(para, assumption)
		}

		fn disputes() -> Vec<(SessionIndex, CandidateHash, DisputeState<BlockNumber>)> {
			parachains::disputes::<Runtime>()
		}

		fn session_executor_params(session_index: SessionIndex) -> Option<ExecutorParams> {
			parachains::session_executor_params::<Runtime>(session_index)
		}

		fn unapplied_slashes(
		) -> Vec<(SessionIndex, CandidateHash, PendingSlashes<LegacyDisputeOffenceKind>)> {
			parachains::unapplied_slashes::<Runtime>()
		}

		fn key_ownership_proof(validator_id: ValidatorId) -> Option<OpaqueKeyOwnershipProof> {
			prove_key(PARACHAIN_KEY_TYPE_ID, &validator_id).map(|proof| OpaqueKeyOwnershipProof(proof.encode()))
		}

		fn submit_report_dispute_lost(
			dispute_proof: DisputeProof,
			key_owner_proof: OpaqueKeyOwnershipProof,
		) -> Option<()> {
			ParasSlashing::submit_unsigned_report(dispute_proof, key_owner_proof)
		}

		fn minimum_backing_votes() -> u32 {
			parachains::minimum_backing_votes::<Runtime>()
		}

		fn para_backing_state(para: ParaId) -> Option<BackingState<BlockNumber>> {
			parachains::backing_state::<Runtime>(para)
		}

		fn async_backing_params() -> AsyncBackingParams {
			parachains::async_backing_params::<Runtime>()
		}

		fn disabled_validators() -> Vec<ValidatorIndex> {
			parachains::disabled_validators::<Runtime>()
		}

		fn node_features() -> NodeFeatures {
			parachains::node_features::<Runtime>()
		}

		fn approval_voting_params() -> ApprovalVotingParams {
			parachains::approval_voting_params::<Runtime>()
		}

		fn claim_queue() -> ClaimQueue {
			parachains::claim_queue::<Runtime>()
		}

		fn candidates_pending_availability(para: ParaId) -> Vec<CommittedCandidateReceiptV2> {
			parachains::candidates_pending_availability::<Runtime>(para)
		}

		fn validation_code_bomb_limit() -> u32 {
			parachains::validation_code_bomb_limit::<Runtime>()
		}

		fn backing_constraints(para: ParaId) -> Option<Constraints<BlockNumber>> {
			parachains::backing_constraints::<Runtime>(para)
		}

		fn scheduling_lookahead() -> u32 {
			parachains::scheduling_lookahead::<Runtime>()
		}

		fn para_ids() -> Vec<ParaId> {
			parachains::para_ids::<Runtime>()
		}

		fn unapplied_slashes_v2() -> Vec<(SessionIndex, CandidateHash, PendingSlashes)> {
			parachains::unapplied_slashes_v2::<Runtime>()
		}

		fn max_relay_parent_session_age() -> u32 {
			parachains::max_relay_parent_session_age::<Runtime>()
		}

		fn ancestor_relay_parent_info(
			session_index: SessionIndex,
			relay_parent: Hash,
		) -> Option<RelayParentInfo<Hash, BlockNumber>> {
			parachains::ancestor_relay_parent_info::<Runtime>(session_index, relay_parent)
		}
	}

	impl sp_consensus_babe::BabeApi<Block> for Runtime {
		fn configuration() -> sp_consensus_babe::BabeConfiguration {
			let epoch_config = Babe::epoch_config().unwrap_or(BABE_GENESIS_EPOCH_CONFIG);
			sp_consensus_babe::BabeConfiguration {
				slot_duration: Babe::slot_duration(),
				epoch_length: chain_parameters::EpochDuration::<Runtime>::get(),
				c: epoch_config.c,
				authorities: Babe::authorities().to_vec(),
				randomness: Babe::randomness(),
				allowed_slots: epoch_config.allowed_slots,
			}
		}

		fn current_epoch_start() -> sp_consensus_babe::Slot {
			Babe::current_epoch_start()
		}

		fn current_epoch() -> sp_consensus_babe::Epoch {
			Babe::current_epoch()
		}

		fn next_epoch() -> sp_consensus_babe::Epoch {
			Babe::next_epoch()
		}

		fn generate_key_ownership_proof(
			_slot: sp_consensus_babe::Slot,
			authority_id: sp_consensus_babe::AuthorityId,
		) -> Option<sp_consensus_babe::OpaqueKeyOwnershipProof> {
			prove_key(sp_consensus_babe::KEY_TYPE, &authority_id)
				.map(|proof| sp_consensus_babe::OpaqueKeyOwnershipProof::new(proof.encode()))
		}

		fn submit_report_equivocation_unsigned_extrinsic(
			equivocation_proof: sp_consensus_babe::EquivocationProof<<Block as BlockT>::Header>,
			key_owner_proof: sp_consensus_babe::OpaqueKeyOwnershipProof,
		) -> Option<()> {
			Babe::submit_unsigned_equivocation_report(equivocation_proof, key_owner_proof.decode()?)
		}
	}

	impl sp_consensus_grandpa::GrandpaApi<Block> for Runtime {
		fn grandpa_authorities() -> sp_consensus_grandpa::AuthorityList {
			Grandpa::grandpa_authorities()
		}

		fn current_set_id() -> sp_consensus_grandpa::SetId {
			pallet_grandpa::CurrentSetId::<Runtime>::get()
		}

		fn submit_report_equivocation_unsigned_extrinsic(
			equivocation_proof: sp_consensus_grandpa::EquivocationProof<
				<Block as BlockT>::Hash,
				NumberFor<Block>,
			>,
			key_owner_proof: sp_consensus_grandpa::OpaqueKeyOwnershipProof,
		) -> Option<()> {
			Grandpa::submit_unsigned_equivocation_report(equivocation_proof, key_owner_proof.decode()?)
		}

		fn generate_key_ownership_proof(
			_set_id: sp_consensus_grandpa::SetId,
			authority_id: sp_consensus_grandpa::AuthorityId,
		) -> Option<sp_consensus_grandpa::OpaqueKeyOwnershipProof> {
			prove_key(sp_consensus_grandpa::KEY_TYPE, &authority_id)
				.map(|proof| sp_consensus_grandpa::OpaqueKeyOwnershipProof::new(proof.encode()))
		}
	}

	impl sp_authority_discovery::AuthorityDiscoveryApi<Block> for Runtime {
		fn authorities() -> Vec<AuthorityDiscoveryId> {
			discoverable_authorities()
		}
	}

	impl sp_session::SessionKeys<Block> for Runtime {
		fn generate_session_keys(
			owner: Vec<u8>,
			seed: Option<Vec<u8>>,
		) -> sp_session::OpaqueGeneratedSessionKeys {
			SessionKeys::generate(&owner, seed).into()
		}

		fn decode_session_keys(encoded: Vec<u8>) -> Option<Vec<(Vec<u8>, KeyTypeId)>> {
			SessionKeys::decode_into_raw_public_keys(&encoded)
		}
	}

	impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
		fn account_nonce(account: AccountId) -> Nonce {
			System::account_nonce(account)
		}
	}

	impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Balance> for Runtime {
		fn query_info(
			uxt: <Block as BlockT>::Extrinsic,
			len: u32,
		) -> pallet_transaction_payment_rpc_runtime_api::RuntimeDispatchInfo<Balance> {
			TransactionPayment::query_info(uxt, len)
		}

		fn query_fee_details(
			uxt: <Block as BlockT>::Extrinsic,
			len: u32,
		) -> pallet_transaction_payment_rpc_runtime_api::FeeDetails<Balance> {
			TransactionPayment::query_fee_details(uxt, len)
		}

		fn query_weight_to_fee(weight: Weight) -> Balance {
			TransactionPayment::weight_to_fee(weight)
		}

		fn query_length_to_fee(length: u32) -> Balance {
			TransactionPayment::length_to_fee(length)
		}
	}

	impl frame_support::view_functions::runtime_api::RuntimeViewFunction<Block> for Runtime {
		fn execute_view_function(
			query_id: ViewFunctionId,
			input: Vec<u8>,
		) -> Result<Vec<u8>, ViewFunctionDispatchError> {
			Runtime::execute_view_function(query_id, input)
		}
	}

	impl sp_genesis_builder::GenesisBuilder<Block> for Runtime {
		fn build_state(config: Vec<u8>) -> sp_genesis_builder::Result {
			build_state::<RuntimeGenesisConfig>(config)
		}

		fn get_preset(id: &Option<sp_genesis_builder::PresetId>) -> Option<Vec<u8>> {
			get_preset::<RuntimeGenesisConfig>(id, presets::get_preset)
		}

		fn preset_names() -> Vec<sp_genesis_builder::PresetId> {
			presets::preset_names()
		}
	}

	#[cfg(feature = "runtime-benchmarks")]
	impl frame_benchmarking::Benchmark<Block> for Runtime {
		fn benchmark_metadata(
			extra: bool,
		) -> (Vec<frame_benchmarking::BenchmarkList>, Vec<frame_support::traits::StorageInfo>) {
			use frame_support::traits::StorageInfoTrait;
			let mut list = Vec::new();
			list_benchmarks!(list, extra);
			(list, AllPalletsWithSystem::storage_info())
		}

		fn dispatch_benchmark(
			config: frame_benchmarking::BenchmarkConfig,
		) -> Result<Vec<frame_benchmarking::BenchmarkBatch>, alloc::string::String> {
			use frame_support::traits::WhitelistedStorageKeys;
			let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
			let mut batches = Vec::new();
			let params = (&config, &whitelist);
			add_benchmarks!(params, batches);
			Ok(batches)
		}
	}
}
