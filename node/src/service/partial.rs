//! Client, transaction pool and block import: what a running node and operations on the database have in common
//! (service composition §3).

use super::{
	lock, pool::PoolSpawner, Error, FullBabeBlockImport, FullBackend, FullClient, FullGrandpaBlockImport,
	FullPool, FullSelectChain, HostFunctions,
};
use crate::inherent::ImportInherents;
use headway_primitives::{Block, BlockNumber, Hash};
use headway_relay_runtime::RuntimeApi;
use sc_consensus_babe::{BabeLink, BabeWorkerHandle};
use sc_consensus_grandpa::{
	FinalityProofProvider, GrandpaJustificationStream, GrandpaPruningFilter, LinkHalf, SharedAuthoritySet,
	SharedVoterState,
};
use sc_service::{config::KeystoreConfig, Configuration, PartialComponents, TaskManager};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use std::sync::Arc;

/// A justification is stored at least for one block in so many.
pub(crate) const GRANDPA_JUSTIFICATION_PERIOD: BlockNumber = 512;

/// Messages that wait for the telemetry worker.
const TELEMETRY_BUFFER: usize = 16;

/// What consensus needs, besides the components that every node has.
pub struct Consensus {
	/// Imports blocks that this node authored.
	pub block_import: FullBabeBlockImport,
	/// GRANDPA's half of block import.
	pub grandpa_link: LinkHalf<Block, FullClient, FullSelectChain>,
	/// BABE's epochs.
	pub babe_link: BabeLink<Block>,
}

/// What RPC answers from.
#[derive(Clone)]
pub struct RpcInputs {
	/// State of GRANDPA's rounds.
	pub shared_voter_state: SharedVoterState,
	/// GRANDPA's authorities.
	pub shared_authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	/// GRANDPA's justifications as they come.
	pub justification_stream: GrandpaJustificationStream<Block>,
	/// Proves finality of old blocks.
	pub finality_provider: Arc<FinalityProofProvider<FullBackend, Block>>,
	/// Knows BABE's epochs.
	pub babe_worker: BabeWorkerHandle<Block>,
}

/// What [`new_partial`] makes besides the components that every Substrate node has.
pub struct Other {
	/// For consensus.
	pub consensus: Consensus,
	/// For RPC.
	pub rpc: RpcInputs,
	/// Where telemetry goes, if it goes anywhere.
	pub telemetry: Option<Telemetry>,
}

/// Components of the node before it has a network.
pub type Partial = PartialComponents<
	FullClient,
	FullBackend,
	FullSelectChain,
	sc_consensus::DefaultImportQueue<Block>,
	FullPool,
	Other,
>;

/// Makes client, pool, block import and import queue. Starts the tasks of the import queue.
pub fn new_partial(config: &Configuration) -> Result<Partial, Error> {
	lock::check_free(&config.database)?;
	let telemetry = config
		.telemetry_endpoints
		.clone()
		.filter(|endpoints| !endpoints.is_empty())
		.map(|endpoints| -> Result<_, sc_telemetry::Error> {
			let worker = TelemetryWorker::new(TELEMETRY_BUFFER)?;
			let telemetry = worker.handle().new_telemetry(endpoints);
			Ok((worker, telemetry))
		})
		.transpose()?;

	let (client, backend, keystore_container, task_manager) =
		sc_service::new_full_parts::<Block, RuntimeApi, _>(
			config,
			telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
			sc_service::new_wasm_executor::<HostFunctions>(&config.executor),
			// Warp sync proves finality with justifications of old blocks.
			vec![Arc::new(GrandpaPruningFilter)],
		)?;
	let client = Arc::new(client);

	let telemetry = telemetry.map(|(worker, telemetry)| {
		task_manager.spawn_handle().spawn("telemetry", None, worker.run());
		telemetry
	});

	let select_chain = FullSelectChain::new(backend.clone());
	let transaction_pool = Arc::new(
		sc_transaction_pool::Builder::new(
			PoolSpawner::new(&task_manager),
			client.clone(),
			config.role.is_authority().into(),
		)
		.with_options(config.transaction_pool.clone())
		.with_prometheus(config.prometheus_registry())
		.build(),
	);

	let (import_queue, consensus, babe_worker) = block_import(
		config,
		&client,
		&select_chain,
		&transaction_pool,
		&task_manager,
		telemetry.as_ref().map(Telemetry::handle),
	)?;

	let shared_authority_set = consensus.grandpa_link.shared_authority_set().clone();
	let rpc = RpcInputs {
		shared_voter_state: SharedVoterState::empty(),
		justification_stream: consensus.grandpa_link.justification_stream(),
		finality_provider: FinalityProofProvider::new_for_service(
			backend.clone(),
			Some(shared_authority_set.clone()),
		),
		shared_authority_set,
		babe_worker,
	};

	Ok(PartialComponents {
		client,
		backend,
		task_manager,
		keystore_container,
		select_chain,
		import_queue,
		transaction_pool,
		other: Other { consensus, rpc, telemetry },
	})
}

/// Block import from the inside out: client, GRANDPA, BABE; and the queue in front of it.
fn block_import(
	config: &Configuration,
	client: &Arc<FullClient>,
	select_chain: &FullSelectChain,
	pool: &Arc<FullPool>,
	task_manager: &TaskManager,
	telemetry: Option<sc_telemetry::TelemetryHandle>,
) -> Result<(sc_consensus::DefaultImportQueue<Block>, Consensus, BabeWorkerHandle<Block>), Error> {
	let (grandpa_import, grandpa_link): (FullGrandpaBlockImport, _) = sc_consensus_grandpa::block_import(
		client.clone(),
		GRANDPA_JUSTIFICATION_PERIOD,
		client,
		select_chain.clone(),
		telemetry.clone(),
	)?;

	let babe_config = sc_consensus_babe::configuration(&**client)?;
	let slot_duration = babe_config.slot_duration();
	let (block_import, babe_link) = sc_consensus_babe::block_import(
		babe_config,
		grandpa_import.clone(),
		client.clone(),
		ImportInherents { slot_duration },
		select_chain.clone(),
		OffchainTransactionPoolFactory::new(pool.clone()),
	)?;

	let (queue, babe_worker) = sc_consensus_babe::import_queue(sc_consensus_babe::ImportQueueParams {
		link: babe_link.clone(),
		block_import: block_import.clone(),
		justification_import: Some(Box::new(grandpa_import)),
		client: client.clone(),
		slot_duration,
		spawner: &task_manager.spawn_essential_handle(),
		registry: config.prometheus_registry(),
		telemetry,
	})?;
	Ok((queue, Consensus { block_import, grandpa_link, babe_link }, babe_worker))
}

/// Components for operations on the database (check, export, import, revert): without keys, without telemetry.
pub fn new_chain_ops(mut config: Configuration) -> Result<Partial, Error> {
	config.keystore = KeystoreConfig::InMemory;
	config.telemetry_endpoints = None;
	new_partial(&config)
}
