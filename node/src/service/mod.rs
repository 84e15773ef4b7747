//! The full node. Read in this order: [`partial`] makes the client and what imports blocks, [`full`] adds network,
//! authoring, finality and RPC, [`crate::parachains`] adds the parachains protocol.
//!
//! | module | what is in it |
//! |---|---|
//! | [`partial`] | client, pool, block import: enough for operations on the database |
//! | [`full`] | a running node |
//! | [`consensus`] | BABE and GRANDPA of a running node |
//! | [`discovery`] | addresses of validators in the DHT |
//! | [`genesis`] | whether the database belongs to the chain |
//! | [`listen`] | whether the ports of p2p, metrics and RPC are free |
//! | [`lock`] | whether another process has the database open |
//! | [`pool`] | tasks of the transaction pool |

pub mod consensus;
pub mod discovery;
pub mod full;
pub mod genesis;
pub mod listen;
pub mod lock;
pub mod partial;
pub mod pool;

pub use full::{new_full, IsCollator, NewFull, NewFullParams};
pub use partial::{new_chain_ops, new_partial};

use crate::inherent::ImportInherents;
use headway_primitives::Block;
use headway_relay_runtime::RuntimeApi;

/// What the runtime may call: nothing but Substrate's own host functions, because stock nodes import this chain too.
pub type HostFunctions = sp_io::SubstrateHostFunctions;
/// Executes the runtime.
pub type Executor = sc_executor::WasmExecutor<HostFunctions>;
/// The client.
pub type FullClient = sc_service::TFullClient<Block, RuntimeApi, Executor>;
/// The database.
pub type FullBackend = sc_service::TFullBackend<Block>;
/// The transaction pool.
pub type FullPool = sc_transaction_pool::TransactionPoolHandle<Block, FullClient>;
/// Chooses the best chain. Finality is not yet gated by approval voting, so the longest chain is also what GRANDPA votes
/// for.
pub type FullSelectChain = sc_consensus::LongestChain<FullBackend, Block>;
/// Imports blocks with GRANDPA's justifications.
pub type FullGrandpaBlockImport =
	sc_consensus_grandpa::GrandpaBlockImport<FullBackend, Block, FullClient, FullSelectChain>;
/// Imports blocks with BABE's checks, then GRANDPA's.
pub type FullBabeBlockImport = sc_consensus_babe::BabeBlockImport<
	Block,
	FullClient,
	FullGrandpaBlockImport,
	ImportInherents,
	FullSelectChain,
>;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// From the parts of the Substrate service.
	#[error(transparent)]
	Service(#[from] sc_service::Error),
	/// From the client.
	#[error(transparent)]
	Blockchain(#[from] sp_blockchain::Error),
	/// From BABE or GRANDPA.
	#[error(transparent)]
	Consensus(#[from] sp_consensus::Error),
	/// Telemetry could not be set up.
	#[error("telemetry: {0}")]
	Telemetry(#[from] sc_telemetry::Error),
	/// A metric is registered twice.
	#[error("metrics: {0}")]
	Prometheus(#[from] substrate_prometheus_endpoint::PrometheusError),
	/// Somebody else listens there.
	#[error(transparent)]
	Listen(#[from] listen::Error),
	/// Somebody else listens where the metrics should be served.
	#[error(transparent)]
	MetricsPortTaken(#[from] listen::MetricsPortTaken),
	/// Somebody else listens where RPC should be served.
	#[error(transparent)]
	RpcPortTaken(#[from] listen::RpcPortTaken),
	/// The database belongs to another chain.
	#[error(transparent)]
	Genesis(#[from] genesis::Error),
	/// Another process has the database open.
	#[error(transparent)]
	DatabaseInUse(#[from] lock::InUse),
	/// The parachains protocol did not start.
	#[error(transparent)]
	Parachains(#[from] crate::parachains::Error),
	/// From the command line.
	#[error(transparent)]
	Cli(#[from] sc_cli::Error),
}
