//! JSON-RPC of the node: what it adds to the methods that every Substrate node has.
//!
//! The Substrate service brings `chain_*`, `state_*`, `author_*`, `system_*` and the `chainHead` family. [`create_full`]
//! adds account nonces, fees, BABE, GRANDPA and sync state: what polkadot.js, subxt and zombienet ask of a relay chain; and
//! `parachain_*`: what became of candidates ([`parachain`]).
//! It never starts a server, and never answers from anything but the client, the pool and the source that it is given.

#![forbid(unsafe_code)]

pub mod parachain;

pub use parachain::{CandidateSource, Parachain};

use headway_primitives::{AccountId, Balance, Block, BlockNumber, Hash, Nonce};
use jsonrpsee::RpcModule;
use sc_client_api::{AuxStore, Backend};
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_grandpa::{
	FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_rpc::SubscriptionTaskExecutor;
use sc_transaction_pool_api::TransactionPool;
use sp_api::ProvideRuntimeApi;
use sp_blockchain::{Error as BlockChainError, HeaderBackend, HeaderMetadata};
use sp_consensus::SelectChain;
use sp_keystore::KeystorePtr;
use std::sync::Arc;

/// Why the methods could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// Two modules have a method of the same name.
	#[error("two RPC modules register the same method: {0}")]
	Register(#[from] jsonrpsee::core::RegisterMethodError),
	/// The chain specification has no place for a light client's sync state.
	#[error("RPC for sync state: {0}")]
	SyncState(#[from] sc_sync_state_rpc::Error<Block>),
}

/// What the BABE methods need.
pub struct BabeDeps {
	/// The worker that knows the epochs.
	pub worker: BabeWorkerHandle<Block>,
	/// Keys, to tell which slots are ours.
	pub keystore: KeystorePtr,
}

/// What the GRANDPA methods need.
pub struct GrandpaDeps<B> {
	/// State of the rounds in progress.
	pub shared_voter_state: SharedVoterState,
	/// The current authorities.
	pub shared_authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	/// Justifications as they come.
	pub justification_stream: GrandpaJustificationStream<Block>,
	/// Runs subscriptions.
	pub subscription_executor: SubscriptionTaskExecutor,
	/// Proves the finality of old blocks.
	pub finality_provider: Arc<FinalityProofProvider<B, Block>>,
}

/// What all methods need.
pub struct FullDeps<C, P, SC, B> {
	/// The client.
	pub client: Arc<C>,
	/// The transaction pool.
	pub pool: Arc<P>,
	/// Chooses the best chain.
	pub select_chain: SC,
	/// The chain specification, a copy: `sync_state_genSyncSpec` fills in a light client's state.
	pub chain_spec: Box<dyn sc_chain_spec::ChainSpec>,
	/// For BABE.
	pub babe: BabeDeps,
	/// For GRANDPA.
	pub grandpa: GrandpaDeps<B>,
	/// What became of candidates.
	pub candidates: Arc<dyn CandidateSource>,
}

/// Puts the methods of a full node together.
pub fn create_full<C, P, SC, B>(deps: FullDeps<C, P, SC, B>) -> Result<RpcModule<()>, Error>
where
	C: ProvideRuntimeApi<Block>
		+ HeaderBackend<Block>
		+ AuxStore
		+ HeaderMetadata<Block, Error = BlockChainError>
		+ Send
		+ Sync
		+ 'static,
	C::Api: substrate_frame_rpc_system::AccountNonceApi<Block, AccountId, Nonce>
		+ pallet_transaction_payment_rpc::TransactionPaymentRuntimeApi<Block, Balance>
		+ sp_consensus_babe::BabeApi<Block>
		+ sp_block_builder::BlockBuilder<Block>,
	P: TransactionPool<Block = Block> + 'static,
	SC: SelectChain<Block> + 'static,
	B: Backend<Block> + 'static,
{
	use headway_rpc_api::ParachainApiServer;
	use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
	use sc_consensus_babe_rpc::{Babe, BabeApiServer};
	use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
	use sc_sync_state_rpc::{SyncState, SyncStateApiServer};
	use substrate_frame_rpc_system::{System, SystemApiServer};

	let FullDeps { client, pool, select_chain, chain_spec, babe, grandpa, candidates } = deps;
	let sync_state = SyncState::new(
		chain_spec,
		client.clone(),
		grandpa.shared_authority_set.clone(),
		babe.worker.clone(),
	)?;

	let mut module = RpcModule::new(());
	module.merge(System::new(client.clone(), pool).into_rpc())?;
	module.merge(TransactionPayment::new(client.clone()).into_rpc())?;
	module.merge(Babe::new(client, babe.worker, babe.keystore, select_chain).into_rpc())?;
	module.merge(
		Grandpa::new(
			grandpa.subscription_executor,
			grandpa.shared_authority_set,
			grandpa.shared_voter_state,
			grandpa.justification_stream,
			grandpa.finality_provider,
		)
		.into_rpc(),
	)?;
	module.merge(sync_state.into_rpc())?;
	module.merge(Parachain::new(candidates).into_rpc())?;
	Ok(module)
}
