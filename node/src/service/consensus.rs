//! BABE and GRANDPA of a running node (service composition §6).

use super::{
	partial::{Consensus, GRANDPA_JUSTIFICATION_PERIOD},
	Error, FullClient, FullPool, FullSelectChain,
};
use crate::inherent::{AuthoringInherents, ProvisionInherent};
use headway_primitives::Block;
use sc_consensus_babe::{BabeLink, BabeParams, SlotProportion};
use sc_consensus_grandpa::{
	Config as GrandpaConfig, GrandpaParams, LinkHalf, SharedVoterState, VotingRulesBuilder,
};
use sc_consensus_slots::BackoffAuthoringOnFinalizedHeadLagging;
use sc_network::{config::Role, service::traits::NetworkService, NotificationService, ProtocolName};
use sc_network_sync::SyncingService;
use sc_service::TaskManager;
use sc_telemetry::TelemetryHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_keystore::KeystorePtr;
use std::{sync::Arc, time::Duration};
use substrate_prometheus_endpoint::Registry;

/// Most bytes of a block that we author. More than Substrate's default, because the parachains' data comes on top of the
/// transactions.
const BLOCK_SIZE_MAX: usize = 15 * 1024 * 1024;

/// How much of a slot may be used to make a block: the rest is for sending it around.
const PROPOSAL_SLOT_PORTION: f32 = 2.0 / 3.0;

/// How long GRANDPA's messages take through the network.
const GRANDPA_GOSSIP_DURATION: Duration = Duration::from_millis(1000);

/// What authoring and finality have in common.
pub(super) struct Common {
	pub(super) client: Arc<FullClient>,
	pub(super) pool: Arc<FullPool>,
	pub(super) select_chain: FullSelectChain,
	pub(super) keystore: KeystorePtr,
	pub(super) sync: Arc<SyncingService<Block>>,
	pub(super) registry: Option<Registry>,
	pub(super) telemetry: Option<TelemetryHandle>,
}

/// How this node authors.
pub(super) struct Authoring {
	/// Author even while the node is not connected.
	pub(super) force: bool,
	/// Author fewer blocks while finality lags.
	pub(super) backoff: bool,
	/// The parachains' data of our blocks.
	pub(super) provisioner: Option<Arc<dyn ProvisionInherent>>,
}

/// Starts to author blocks.
pub(super) fn start_babe(
	common: &Common,
	authoring: Authoring,
	block_import: super::FullBabeBlockImport,
	babe_link: BabeLink<Block>,
	task_manager: &TaskManager,
) -> Result<(), Error> {
	let mut proposer = sc_basic_authorship::ProposerFactory::new(
		task_manager.spawn_handle(),
		common.client.clone(),
		common.pool.clone(),
		common.registry.as_ref(),
		common.telemetry.clone(),
	);
	proposer.set_default_block_size_limit(BLOCK_SIZE_MAX);

	let slot_duration = babe_link.config().slot_duration();
	let babe = sc_consensus_babe::start_babe(BabeParams {
		keystore: common.keystore.clone(),
		client: common.client.clone(),
		select_chain: common.select_chain.clone(),
		env: proposer,
		block_import,
		sync_oracle: common.sync.clone(),
		justification_sync_link: common.sync.clone(),
		create_inherent_data_providers: AuthoringInherents::new(
			common.client.clone(),
			authoring.provisioner,
			slot_duration,
		),
		force_authoring: authoring.force,
		backoff_authoring_blocks: authoring.backoff.then(BackoffAuthoringOnFinalizedHeadLagging::default),
		babe_link,
		block_proposal_slot_portion: SlotProportion::new(PROPOSAL_SLOT_PORTION),
		max_block_proposal_slot_portion: None,
		telemetry: common.telemetry.clone(),
	})?;
	task_manager.spawn_essential_handle().spawn_blocking("babe", None, babe);
	Ok(())
}

/// GRANDPA's place in the network.
pub(super) struct GrandpaNetwork {
	pub(super) network: Arc<dyn NetworkService>,
	pub(super) notifications: Box<dyn NotificationService>,
	pub(super) protocol_name: ProtocolName,
}

/// Starts to vote on finality, or to follow the votes if this node is no authority.
pub(super) fn start_grandpa(
	common: &Common,
	GrandpaNetwork { network, notifications, protocol_name }: GrandpaNetwork,
	link: LinkHalf<Block, FullClient, FullSelectChain>,
	role: Role,
	name: String,
	shared_voter_state: SharedVoterState,
	task_manager: &TaskManager,
) -> Result<(), Error> {
	let voter = sc_consensus_grandpa::run_grandpa_voter(GrandpaParams {
		config: GrandpaConfig {
			gossip_duration: GRANDPA_GOSSIP_DURATION,
			justification_generation_period: GRANDPA_JUSTIFICATION_PERIOD,
			name: Some(name),
			observer_enabled: false,
			keystore: role.is_authority().then(|| common.keystore.clone()),
			local_role: role,
			telemetry: common.telemetry.clone(),
			protocol_name,
		},
		link,
		network,
		sync: common.sync.clone(),
		notification_service: notifications,
		voting_rule: VotingRulesBuilder::default().build(),
		prometheus_registry: common.registry.clone(),
		shared_voter_state,
		telemetry: common.telemetry.clone(),
		offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(common.pool.clone()),
	})?;
	task_manager.spawn_essential_handle().spawn_blocking("grandpa-voter", None, voter);
	Ok(())
}

/// Splits what [`super::partial`] made for consensus.
pub(super) fn parts(
	consensus: Consensus,
) -> (super::FullBabeBlockImport, BabeLink<Block>, LinkHalf<Block, FullClient, FullSelectChain>) {
	(consensus.block_import, consensus.babe_link, consensus.grandpa_link)
}
