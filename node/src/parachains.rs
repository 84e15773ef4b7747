//! The parachains protocol of a running node: joins network, machines, database and workers (design, "The machine").
//!
//! What decides is in `subsystems/`; what carries it out is in the other crates of `node/`. This file is the place where
//! they meet, in steps that the service takes in order: [`register`] before the network exists, [`channel`] for whoever
//! talks to the machines, and [`start`] once the network is there.

use crate::{
	cli::Cli,
	inherent::ProvisionInherent,
	late::{HeldBack, Late},
	service::{FullClient, IsCollator},
};
use async_trait::async_trait;
use headway_collator_protocol::{collator_side::CollatorSide, Declaration};
use headway_lifecycle::{ParaSnapshot, Record};
use headway_machine::{FragmentChainError, FragmentChainView, Sr25519Verifier, Trace};
use headway_network::{Bridge, ProtocolNames, Protocols};
use headway_overseer::KeystoreSigner;
use headway_pipeline::{Collator, Config, Validator};
use headway_primitives::{Block, CandidateHash, Hash, ParaId};
use headway_provisioner::ProvisionedData;
use headway_storage::Storage;
use sc_cli::SubstrateCli;
use sc_network::{
	config::{FullNetworkConfiguration, Role},
	service::traits::NetworkService,
	NetworkBackend, NotificationMetrics,
};
use sc_network_sync::SyncingService;
use sc_service::TaskManager;
use sp_consensus::SyncOracle;
use sp_core::Pair;
use sp_keystore::KeystorePtr;
use std::{path::PathBuf, sync::Arc, time::Duration};
use substrate_prometheus_endpoint::{PrometheusError, Registry};
use tokio::sync::broadcast;

pub use headway_overseer::{channel, Handle, Inbox};

/// Why the parachains protocol did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// The database of the parachains protocol is not usable.
	#[error(transparent)]
	Storage(#[from] headway_storage::Error),
	/// The node keeps its chain in memory, which this protocol cannot.
	#[error("the parachains protocol needs a database on disk")]
	NoDatabasePath,
	/// Validation functions cannot be executed safely, or at all.
	#[error(transparent)]
	Pvf(#[from] headway_pvf::Error),
	/// A metric is registered twice.
	#[error("metrics: {0}")]
	Prometheus(#[from] PrometheusError),
}

/// What the operator decides.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
	/// Validation functions that are executed at once, at most.
	pub execute_workers_max: usize,
	/// Validation functions that are compiled at once when nothing is urgent.
	pub prepare_workers_soft_max: usize,
	/// Validation functions that are compiled at once, at most.
	pub prepare_workers_hard_max: usize,
	/// How long data is kept after its candidate's block is finalized; none means as long as the chain's type demands.
	pub keep_finalized: Option<Duration>,
	/// Whether the validator side of the collator protocol is the one with scores and segments.
	pub experimental_collator_protocol: bool,
	/// How long ordinary collators wait where some are preferred; none means the protocol's default.
	pub collator_hold_off: Option<Duration>,
}

/// How long data is kept on a live network: disputes may come up for so long.
const KEEP_FINALIZED_LIVE: Duration = Duration::from_secs(25 * 3600);

/// Everything that the protocol stands on.
pub struct Parts {
	/// The machines' end of [`channel`].
	pub inbox: Inbox,
	/// The chain.
	pub client: Arc<FullClient>,
	/// Keys of this node.
	pub keystore: KeystorePtr,
	/// The network.
	pub network: Arc<dyn NetworkService>,
	/// Tells whether the node is far behind the chain.
	pub sync_service: Arc<SyncingService<Block>>,
	/// Finds validators.
	pub authority_discovery: sc_authority_discovery::Service,
	/// What [`register`] gave.
	pub protocols: Protocols,
	/// Metrics, if there are any.
	pub registry: Option<Registry>,
	/// Whether this node is a validator.
	pub role: Role,
	/// Whether it is embedded in a collator.
	pub is_collator: IsCollator,
	/// Collations that are to come too late, for tests.
	pub held_back: Option<HeldBack>,
	/// Where the chain's database is; ours is in a folder of it.
	pub database: Option<PathBuf>,
	/// Duration of a slot.
	pub slot_duration: Duration,
	/// Whether the chain is more than a test.
	pub is_live: bool,
	/// What the operator decides.
	pub settings: Settings,
}

/// Registers the peer sets and request protocols. The network must not exist yet.
pub fn register<Net: NetworkBackend<Block, Hash>>(
	genesis_hash: Hash,
	fork_id: Option<&str>,
	role: &Role,
	is_collator: &IsCollator,
	settings: &Settings,
	config: &mut FullNetworkConfiguration<Block, Hash, Net>,
	metrics: &NotificationMetrics,
) -> Protocols {
	let names = ProtocolNames::new(genesis_hash, fork_id);
	let segments = settings.experimental_collator_protocol;
	headway_network::register(names, role, is_collator.is_yes(), segments, config, metrics)
}

/// Starts the machines and what carries out their effects. All tasks are essential: a validator without them would author
/// blocks and lose its rewards unnoticed.
pub fn start(parts: Parts, task_manager: &TaskManager) -> Result<(), Error> {
	let folder = parts.database.ok_or(Error::NoDatabasePath)?;
	let storage = Arc::new(Storage::open(folder.join("parachains").join("db"))?);
	let metrics = headway_overseer::metrics::Metrics::register(parts.registry.as_ref())?;
	let spawner = task_manager.spawn_essential_handle();

	let local_peer = headway_network::to_machine(&parts.network.local_peer_id());
	let (bridge, bridge_handle) = Bridge::new(
		parts.network,
		Some(parts.authority_discovery),
		parts.protocols,
		headway_network::metrics::Metrics::register(parts.registry.as_ref())?,
	);
	spawner.spawn("parachains-network-bridge", Some("parachains"), bridge.run());

	let (machine, pvf): (headway_overseer::Machine, _) = match &parts.is_collator {
		IsCollator::Yes(key) => {
			let declaration = Declaration::new(key.public(), &local_peer, |payload| key.sign(payload));
			let collator = Collator::new(CollatorSide::new(declaration));
			match parts.held_back {
				Some(held_back) => (Box::new(Late::new(collator, held_back)), None),
				None => (Box::new(collator), None),
			}
		},
		IsCollator::No => {
			let config = validator_config(&parts.settings, parts.slot_duration, parts.is_live);
			let signer = Arc::new(KeystoreSigner(parts.keystore.clone()));
			let mut machine = Validator::new(config, signer, Arc::new(Sr25519Verifier));
			if let Some(observer) = metrics.observer() {
				machine.observe(observer);
			}
			let cache = folder.join("pvf-artifacts");
			let pvf = parts
				.role
				.is_authority()
				.then(|| pvf_host(&parts.settings, cache, parts.registry.as_ref(), task_manager))
				.transpose()?;
			(Box::new(machine), pvf)
		},
	};

	let sync_service = parts.sync_service;
	let (driver, follower) = headway_overseer::start(headway_overseer::Parts {
		inbox: parts.inbox,
		machine,
		client: parts.client,
		keystore: parts.keystore,
		bridge: bridge_handle,
		pvf,
		storage,
		is_major_syncing: Box::new(move || sync_service.is_major_syncing()),
		metrics,
	})?;
	spawner.spawn_blocking("parachains-overseer", Some("parachains"), driver);
	spawner.spawn("parachains-leaves", Some("parachains"), follower);
	Ok(())
}

fn validator_config(settings: &Settings, slot_duration: Duration, is_live: bool) -> Config {
	let mut config = Config::default();
	config.availability.seed = rand::random();
	if is_live {
		config.availability.keep_finalized = KEEP_FINALIZED_LIVE;
	}
	if let Some(keep_finalized) = settings.keep_finalized {
		config.availability.keep_finalized = keep_finalized;
	}
	config.collator_protocol.slot_duration = slot_duration;
	config.experimental_collator_protocol = settings.experimental_collator_protocol;
	if let Some(hold_off) = settings.collator_hold_off {
		config.collator_protocol.hold_off = hold_off;
	}
	config
}

/// Starts the host of the workers, and stops the node if they do not work.
fn pvf_host(
	settings: &Settings,
	cache: PathBuf,
	registry: Option<&Registry>,
	task_manager: &TaskManager,
) -> Result<headway_pvf::Host, Error> {
	let mut config = headway_pvf::HostConfig::new(Cli::impl_version(), cache);
	config.execute_workers_max = settings.execute_workers_max;
	config.prepare_workers_soft_max = settings.prepare_workers_soft_max;
	config.prepare_workers_hard_max = settings.prepare_workers_hard_max;
	let host = headway_pvf::Host::start(config, registry)?;
	let checked = host.clone();
	task_manager.spawn_essential_handle().spawn("pvf-workers", Some("parachains"), async move {
		match checked.check_workers().await {
			// The task is essential: its end would be the node's.
			Ok(()) => std::future::pending().await,
			Err(error) => {
				tracing::error!(target: "parachain::pvf", %error, "candidates cannot be validated: stopping")
			},
		}
	});
	Ok(host)
}

/// Where RPC learns what became of candidates.
pub struct Candidates(pub Handle);

#[async_trait]
impl headway_rpc::CandidateSource for Candidates {
	fn candidate(&self, candidate: &CandidateHash) -> Option<Record> {
		self.0.candidate(candidate)
	}

	fn para(&self, para: ParaId, limit: usize) -> Option<ParaSnapshot> {
		self.0.para(para, limit)
	}

	fn traces(&self) -> broadcast::Receiver<Arc<Trace>> {
		self.0.traces()
	}

	async fn fragment_chain(
		&self,
		para: ParaId,
		at: Option<Hash>,
	) -> Option<Result<FragmentChainView, FragmentChainError>> {
		self.0.fragment_chain(para, at).await
	}
}

#[async_trait]
impl ProvisionInherent for Handle {
	async fn provision(&self, parent: Hash) -> Option<ProvisionedData> {
		Handle::provision(self, parent).await.ok()
	}
}
