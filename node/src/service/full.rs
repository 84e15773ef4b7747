//! A running node: network, RPC, authoring, finality (service composition §4 to §7).

use super::{
	consensus::{self, Authoring, Common, GrandpaNetwork},
	discovery, genesis, listen,
	partial::{new_partial, Other, RpcInputs},
	Error, FullBackend, FullClient, FullPool, FullSelectChain,
};
use crate::{
	cli::RunCmd,
	late::HeldBack,
	parachains::{self, Parts},
};
use headway_primitives::{runtime_api::ParachainHost, Block, CollatorPair, Hash, ValidatorIndex};
use headway_rpc::{BabeDeps, FullDeps, GrandpaDeps};
use sc_client_api::BlockBackend;
use sc_network::{
	config::{FullNetworkConfiguration, NetworkBackendType},
	service::traits::NetworkService,
	NetworkBackend,
};
use sc_network_sync::SyncingService;
use sc_service::{
	ChainType, Configuration, PartialComponents, RpcHandlers, SpawnTasksParams, TaskManager, WarpSyncConfig,
};
use sc_telemetry::Telemetry;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_api::ProvideRuntimeApi;
use sp_blockchain::HeaderBackend;
use sp_keystore::KeystorePtr;
use std::{path::Path, sync::Arc, time::Duration};
use substrate_prometheus_endpoint::Registry;

/// Whether the node is embedded in a collator.
#[derive(Clone)]
pub enum IsCollator {
	/// It runs on its own.
	No,
	/// It is the relay chain side of a collator that signs with this key.
	Yes(Box<CollatorPair>),
}

impl IsCollator {
	/// Whether it is.
	pub fn is_yes(&self) -> bool {
		matches!(self, Self::Yes(_))
	}
}

/// What is not in the Substrate configuration.
#[derive(Clone)]
pub struct NewFullParams {
	/// Whether the node is embedded in a collator.
	pub is_collator: IsCollator,
	/// Author fewer blocks while finality lags.
	pub force_authoring_backoff: bool,
	/// The operator named the port of RPC: no other one will do.
	pub is_rpc_port_named: bool,
	/// What the operator decides about the parachains protocol.
	pub parachains: parachains::Settings,
	/// Collations that are to come too late, for tests.
	pub held_back: Option<HeldBack>,
}

impl NewFullParams {
	/// As the command line says.
	pub fn new(run: &RunCmd, is_collator: IsCollator) -> Self {
		Self {
			is_collator,
			force_authoring_backoff: run.force_authoring_backoff,
			is_rpc_port_named: run.base.rpc_params.rpc_port.is_some(),
			parachains: parachains::Settings {
				execute_workers_max: run.execute_workers_max_num,
				prepare_workers_soft_max: run.prepare_workers_soft_max_num,
				prepare_workers_hard_max: run.prepare_workers_hard_max_num,
				keep_finalized: run
					.keep_finalized_for
					.map(|hours| Duration::from_secs(3600 * u64::from(hours))),
				experimental_collator_protocol: run.experimental_collator_protocol,
				collator_hold_off: run.collator_protocol_hold_off.map(Duration::from_millis),
			},
			held_back: None,
		}
	}
}

/// A running node. It stops when the task manager is dropped.
pub struct NewFull {
	/// Owns all tasks; its future ends when an essential one fails.
	pub task_manager: TaskManager,
	/// The client.
	pub client: Arc<FullClient>,
	/// The database.
	pub backend: Arc<FullBackend>,
	/// The transaction pool.
	pub transaction_pool: Arc<FullPool>,
	/// Chooses the best chain.
	pub select_chain: FullSelectChain,
	/// The network.
	pub network: Arc<dyn NetworkService>,
	/// Block sync.
	pub sync_service: Arc<SyncingService<Block>>,
	/// Finds validators.
	pub authority_discovery: sc_authority_discovery::Service,
	/// The way to the machines of the parachains protocol.
	pub parachains: parachains::Handle,
	/// Keys.
	pub keystore: KeystorePtr,
	/// Answers RPC in memory.
	pub rpc_handlers: RpcHandlers,
	/// Metrics, if there are any.
	pub registry: Option<Registry>,
}

/// Starts a node with the network backend of the configuration.
pub fn new_full(config: Configuration, params: NewFullParams) -> Result<NewFull, Error> {
	match config.network.network_backend {
		NetworkBackendType::Libp2p => new_full_with::<sc_network::NetworkWorker<Block, Hash>>(config, params),
		NetworkBackendType::Litep2p => new_full_with::<sc_network::Litep2pNetworkBackend>(config, params),
	}
}

fn new_full_with<Net: NetworkBackend<Block, Hash>>(
	mut config: Configuration,
	params: NewFullParams,
) -> Result<NewFull, Error> {
	listen::check_free(&config.network.listen_addresses)?;
	listen::check_metrics_free(config.prometheus_config.as_ref().map(|config| config.port))?;
	let rpc_endpoints = config.rpc.addr.as_deref_mut().unwrap_or_default();
	if params.is_rpc_port_named {
		listen::insist_on_rpc_port(rpc_endpoints);
	}
	listen::check_rpc_free(rpc_endpoints)?;
	let used_database = genesis::used_database(&config);

	let PartialComponents {
		client,
		backend,
		mut task_manager,
		keystore_container,
		select_chain,
		import_queue,
		transaction_pool,
		other: Other { consensus, rpc, mut telemetry },
	} = new_partial(&config)?;

	if let Some(database) = used_database {
		genesis::check(database, &*config.chain_spec, &client)?;
	}
	warn_of_cores_without_validators(&client);
	let role = config.role;
	let name = config.network.node_name.clone();
	let registry = config.prometheus_registry().cloned();
	let keystore = keystore_container.keystore();
	let force_authoring = config.force_authoring;
	let enable_grandpa = !config.disable_grandpa;
	let discovery_settings = discovery::Settings::new(&config);
	let database = config.database.path().map(Path::to_path_buf);
	let is_live = matches!(config.chain_spec.chain_type(), ChainType::Live);

	// Network: GRANDPA's protocol and those of the parachains are known before it starts.
	let mut net_config = FullNetworkConfiguration::<Block, Hash, Net>::new(&config.network, registry.clone());
	let metrics = Net::register_notification_metrics(registry.as_ref());
	let peer_store = net_config.peer_store_handle();
	let genesis_hash = genesis_hash(&client)?;
	let grandpa_protocol = sc_consensus_grandpa::protocol_standard_name(&genesis_hash, &config.chain_spec);
	let (grandpa_config, grandpa_notifications) = sc_consensus_grandpa::grandpa_peers_set_config::<_, Net>(
		grandpa_protocol.clone(),
		metrics.clone(),
		peer_store,
	);
	net_config.add_notification_protocol(grandpa_config);
	let protocols = parachains::register(
		genesis_hash,
		config.chain_spec.fork_id(),
		&role,
		&params.is_collator,
		&params.parachains,
		&mut net_config,
		&metrics,
	);

	let warp_sync = sc_consensus_grandpa::warp_proof::NetworkProvider::new(
		backend.clone(),
		rpc.shared_authority_set.clone(),
		Vec::new(),
	);
	let (network, system_rpc_tx, tx_handler_controller, sync_service, _bitswap) =
		sc_service::build_network(sc_service::BuildNetworkParams {
			config: &config,
			net_config,
			client: client.clone(),
			transaction_pool: transaction_pool.clone(),
			spawn_handle: task_manager.spawn_handle(),
			spawn_essential_handle: task_manager.spawn_essential_handle(),
			import_queue,
			block_announce_validator_builder: None,
			warp_sync_config: Some(WarpSyncConfig::WithProvider(Arc::new(warp_sync))),
			block_relay: None,
			metrics,
			gap_sync_body_policy: None,
		})?;

	if config.offchain_worker.enabled {
		start_offchain_workers(
			&client,
			&backend,
			&keystore,
			&transaction_pool,
			&network,
			role.is_authority(),
			&task_manager,
		)?;
	}

	let shared_voter_state = rpc.shared_voter_state.clone();
	let (parachains, inbox) = parachains::channel();
	let rpc_builder = rpc_builder(
		rpc,
		client.clone(),
		transaction_pool.clone(),
		select_chain.clone(),
		keystore.clone(),
		config.chain_spec.cloned_box(),
		parachains.clone(),
	);
	let rpc_handlers = sc_service::spawn_tasks(SpawnTasksParams {
		config,
		client: client.clone(),
		backend: backend.clone(),
		task_manager: &mut task_manager,
		keystore: keystore.clone(),
		transaction_pool: transaction_pool.clone(),
		rpc_builder,
		network: network.clone(),
		system_rpc_tx,
		tx_handler_controller,
		sync_service: sync_service.clone(),
		telemetry: telemetry.as_mut(),
		tracing_execute_block: None,
	})?;

	let authority_discovery = discovery::start(
		discovery_settings,
		client.clone(),
		network.clone(),
		keystore.clone(),
		registry.clone(),
		&task_manager,
	);

	let (block_import, babe_link, grandpa_link) = consensus::parts(consensus);
	parachains::start(
		Parts {
			inbox,
			client: client.clone(),
			keystore: keystore.clone(),
			network: network.clone(),
			sync_service: sync_service.clone(),
			authority_discovery: authority_discovery.clone(),
			protocols,
			registry: registry.clone(),
			role,
			is_collator: params.is_collator,
			held_back: params.held_back,
			database,
			slot_duration: babe_link.config().slot_duration().as_duration(),
			is_live,
			settings: params.parachains,
		},
		&task_manager,
	)?;

	let common = Common {
		client: client.clone(),
		pool: transaction_pool.clone(),
		select_chain: select_chain.clone(),
		keystore: keystore.clone(),
		sync: sync_service.clone(),
		registry: registry.clone(),
		telemetry: telemetry.as_ref().map(Telemetry::handle),
	};
	if role.is_authority() {
		let authoring = Authoring {
			force: force_authoring,
			backoff: params.force_authoring_backoff,
			provisioner: Some(Arc::new(parachains.clone())),
		};
		consensus::start_babe(&common, authoring, block_import, babe_link, &task_manager)?;
	}
	if enable_grandpa {
		tracing::warn!(target: "headway", "finality is not yet gated by approval voting");
		consensus::start_grandpa(
			&common,
			GrandpaNetwork {
				network: network.clone(),
				notifications: grandpa_notifications,
				protocol_name: grandpa_protocol,
			},
			grandpa_link,
			role,
			name,
			shared_voter_state,
			&task_manager,
		)?;
	}
	// Tasks of the pool and of the machines end when nobody can talk to them any more.
	task_manager.keep_alive((telemetry, transaction_pool.clone(), parachains.clone()));

	Ok(NewFull {
		task_manager,
		client,
		backend,
		transaction_pool,
		select_chain,
		network,
		sync_service,
		authority_discovery,
		parachains,
		keystore,
		rpc_handlers,
		registry,
	})
}

/// Says if parachains could wait for ever, because the chain is configured with more cores than it has validators.
fn warn_of_cores_without_validators(client: &FullClient) {
	// A node that syncs may not have the state yet.
	let best = client.info().best_hash;
	let Ok((groups, _)) = client.runtime_api().validator_groups(best) else { return };
	let empty = cores_without_validators(&groups);
	if empty > 0 {
		tracing::warn!(
			target: "headway",
			"{empty} of {} cores have no validators, because there are more cores than validators: a parachain waits \
			 for as long as its core is one of them",
			groups.len(),
		);
	}
}

/// Groups that are empty, which are as many as cores without validators. Groups rotate over cores.
fn cores_without_validators(groups: &[Vec<ValidatorIndex>]) -> usize {
	groups.iter().filter(|group| group.is_empty()).count()
}

fn genesis_hash(client: &FullClient) -> Result<Hash, Error> {
	client.block_hash(0)?.ok_or_else(|| sp_blockchain::Error::UnknownBlock("the genesis block".into()).into())
}

fn start_offchain_workers(
	client: &Arc<FullClient>,
	backend: &Arc<FullBackend>,
	keystore: &KeystorePtr,
	pool: &Arc<FullPool>,
	network: &Arc<dyn NetworkService>,
	is_validator: bool,
	task_manager: &TaskManager,
) -> Result<(), Error> {
	use futures::FutureExt;
	use sc_client_api::Backend;

	let workers = sc_offchain::OffchainWorkers::new(sc_offchain::OffchainWorkerOptions {
		runtime_api_provider: client.clone(),
		keystore: Some(keystore.clone()),
		offchain_db: backend.offchain_storage(),
		transaction_pool: Some(OffchainTransactionPoolFactory::new(pool.clone())),
		network_provider: Arc::new(network.clone()),
		is_validator,
		enable_http_requests: false,
		custom_extensions: |_| Vec::new(),
	})
	.map_err(sc_service::Error::Io)?;
	task_manager.spawn_handle().spawn(
		"offchain-workers-runner",
		Some("offchain-worker"),
		workers.run(client.clone(), task_manager.spawn_handle()).boxed(),
	);
	Ok(())
}

/// The modules that this node adds to Substrate's, made anew for each server.
type RpcBuilder =
	Box<dyn Fn(sc_rpc::SubscriptionTaskExecutor) -> Result<jsonrpsee::RpcModule<()>, sc_service::Error>>;

fn rpc_builder(
	inputs: RpcInputs,
	client: Arc<FullClient>,
	pool: Arc<FullPool>,
	select_chain: FullSelectChain,
	keystore: KeystorePtr,
	chain_spec: Box<dyn sc_service::ChainSpec>,
	parachains: parachains::Handle,
) -> RpcBuilder {
	Box::new(move |subscription_executor| {
		let inputs = inputs.clone();
		headway_rpc::create_full(FullDeps {
			client: client.clone(),
			pool: pool.clone(),
			select_chain: select_chain.clone(),
			chain_spec: chain_spec.cloned_box(),
			babe: BabeDeps { worker: inputs.babe_worker, keystore: keystore.clone() },
			grandpa: GrandpaDeps {
				shared_voter_state: inputs.shared_voter_state,
				shared_authority_set: inputs.shared_authority_set,
				justification_stream: inputs.justification_stream,
				subscription_executor,
				finality_provider: inputs.finality_provider,
			},
			candidates: Arc::new(parachains::Candidates(parachains.clone())),
		})
		.map_err(|error| sc_service::Error::Application(Box::new(error)))
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn cores_without_validators_are_counted() {
		let groups = |sizes: &[u32]| -> Vec<Vec<_>> {
			sizes.iter().map(|size| (0..*size).map(ValidatorIndex).collect()).collect()
		};
		assert_eq!(cores_without_validators(&groups(&[])), 0);
		assert_eq!(cores_without_validators(&groups(&[2, 1])), 0);
		assert_eq!(cores_without_validators(&groups(&[1, 1, 0, 0])), 2);
	}
}
