//! Assembles what machines know of sessions, relay blocks and leaves, from the runtime and the chain.
//!
//! Each fact is asked of the runtime once per block and shared by all machines. Calls execute Wasm: they run on blocking threads.

use headway_machine::{BlockContext, LeafContext, ParaContext, PendingCandidate, SessionContext};
use headway_primitives::{
	constraints::RelayParentInfo, runtime_api::ParachainHost, transpose_claim_queue, AuthorityDiscoveryId,
	Block, CoreState, Hash, Header, ParaId, SessionIndex, ValidatorIndex, PARACHAIN_KEY_TYPE_ID,
};
use lru::LruCache;
use sp_api::{ApiError, ProvideRuntimeApi};
use sp_application_crypto::RuntimeAppPublic;
use sp_authority_discovery::AuthorityDiscoveryApi;
use sp_blockchain::HeaderBackend;
use sp_consensus_babe::BabeApi;
use sp_core::crypto::{key_types::AUTHORITY_DISCOVERY, KeyTypeId};
use sp_keystore::KeystorePtr;
use std::{
	collections::{BTreeMap, BTreeSet},
	num::NonZeroUsize,
	sync::Arc,
};

/// Relay blocks whose context is kept.
const BLOCKS_MAX: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// Sessions whose context is kept; forks may each have their own.
const SESSIONS_MAX: NonZeroUsize = NonZeroUsize::new(12).unwrap();
/// Ancestors whose candidates may still need chunks.
const RECENT_ANCESTORS: usize = 3;

/// Why a block's context could not be assembled.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
	/// The runtime call failed.
	#[error("runtime call at {at:?} failed: {error}")]
	Runtime {
		/// The block.
		at: Hash,
		/// What failed.
		error: ApiError,
	},
	/// The chain's database failed.
	#[error("chain query failed: {0}")]
	Chain(#[from] sp_blockchain::Error),
	/// The block is not in the database.
	#[error("block {0:?} is unknown")]
	UnknownBlock(Hash),
	/// The runtime does not store the session of its own children.
	#[error("runtime knows no session {session} at {at:?}")]
	UnknownSession {
		/// The session.
		session: SessionIndex,
		/// The block.
		at: Hash,
	},
}

/// The authorities of the past, the present and the next session.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Authorities {
	/// Whether we are one of them.
	pub includes_us: bool,
	/// All others, if we are one of them; nobody otherwise.
	pub others: Vec<AuthorityDiscoveryId>,
}

/// Assembles contexts and remembers them.
pub struct ContextBuilder<Client> {
	client: Arc<Client>,
	keystore: KeystorePtr,
	blocks: LruCache<Hash, Arc<BlockContext>>,
	sessions: LruCache<(SessionIndex, Hash), Arc<SessionContext>>,
}

impl<Client> ContextBuilder<Client>
where
	Client: HeaderBackend<Block> + ProvideRuntimeApi<Block>,
	Client::Api: ParachainHost<Block> + BabeApi<Block>,
{
	/// A builder with nothing remembered.
	pub fn new(client: Arc<Client>, keystore: KeystorePtr) -> Self {
		Self { client, keystore, blocks: LruCache::new(BLOCKS_MAX), sessions: LruCache::new(SESSIONS_MAX) }
	}

	/// Everything about a leaf.
	pub fn leaf(&mut self, hash: Hash) -> Result<LeafContext, ContextError> {
		let client = self.client.clone();
		let api = client.runtime_api();
		let runtime = |error| ContextError::Runtime { at: hash, error };

		let block = self.block(hash)?;
		let scheduling_lookahead = api.scheduling_lookahead(hash).map_err(runtime)?;
		let async_backing_params = api.async_backing_params(hash).map_err(runtime)?;
		let ancestors_max =
			if async_backing_params.is_synchronous() { 0 } else { scheduling_lookahead.saturating_sub(1) };
		let ancestry = self.ancestors_in_session(&block, RECENT_ANCESTORS.max(ancestors_max as usize))?;
		let availability_cores = api.availability_cores(hash).map_err(runtime)?;

		let occupants = availability_cores.iter().filter_map(|core| match core {
			CoreState::Occupied(core) => Some(core.candidate_descriptor.para_id),
			_ => None,
		});
		let ids: BTreeSet<ParaId> = block.transposed_claim_queue.keys().copied().chain(occupants).collect();
		let mut paras = BTreeMap::new();
		for para in ids {
			// A para without head or code cannot be built on, and neither can one that the runtime fails on; the
			// others are not affected.
			let with_pending = |constraints| {
				let pending = api.candidates_pending_availability(hash, para);
				pending.map(|pending| (constraints, pending))
			};
			let state = api.backing_constraints(hash, para);
			let state = state.and_then(|constraints| constraints.map(with_pending).transpose());
			let (constraints, pending) = match state {
				Ok(Some(state)) => state,
				Ok(None) => continue,
				Err(error) => {
					tracing::warn!(target: "parachain::overseer", ?hash, ?para, %error, "para is left out");
					continue;
				},
			};
			let pending = pending
				.into_iter()
				.map(|receipt| {
					let relay_parent = self.relay_parent_info(receipt.descriptor.relay_parent)?;
					Ok(PendingCandidate { hash: receipt.hash(), receipt, relay_parent })
				})
				.collect::<Result<_, ContextError>>()?;
			paras.insert(para, ParaContext { constraints, pending });
		}

		Ok(LeafContext {
			recent_ancestors: ancestry.iter().map(|block| block.hash).take(RECENT_ANCESTORS).collect(),
			allowed_ancestry: ancestry.into_iter().take(ancestors_max as usize).collect(),
			scheduling_lookahead,
			async_backing_params,
			availability_cores,
			paras,
			candidate_events: api.candidate_events(hash).map_err(runtime)?,
			block,
		})
	}

	/// Everything about a block that may schedule candidates.
	pub fn block(&mut self, hash: Hash) -> Result<Arc<BlockContext>, ContextError> {
		if let Some(block) = self.blocks.get(&hash) {
			return Ok(block.clone());
		}
		let client = self.client.clone();
		let api = client.runtime_api();
		let runtime = |error| ContextError::Runtime { at: hash, error };

		let header = self.header(hash)?;
		let session = self.session(hash)?;
		let claim_queue = api.claim_queue(hash).map_err(runtime)?;
		let (_, group_rotation) = api.validator_groups(hash).map_err(runtime)?;
		let mut disabled_validators = api.disabled_validators(hash).map_err(runtime)?;
		disabled_validators.sort_unstable();
		let block = Arc::new(BlockContext {
			hash,
			number: header.number,
			parent_hash: header.parent_hash,
			state_root: header.state_root,
			// Genesis has no slot.
			slot: sc_consensus_babe::find_pre_digest::<Block>(&header).map_or(0, |digest| *digest.slot()),
			session,
			transposed_claim_queue: transpose_claim_queue(&claim_queue),
			claim_queue,
			group_rotation,
			disabled_validators,
			minimum_backing_votes: api.minimum_backing_votes(hash).map_err(runtime)?,
			node_features: api.node_features(hash).map_err(runtime)?,
		});
		self.blocks.put(hash, block.clone());
		Ok(block)
	}

	fn session(&mut self, at: Hash) -> Result<Arc<SessionContext>, ContextError> {
		let client = self.client.clone();
		let api = client.runtime_api();
		let runtime = |error| ContextError::Runtime { at, error };
		let index = api.session_index_for_child(at).map_err(runtime)?;
		// Two forks may disagree about a session, so its index alone does not name it.
		let validators = api.validators(at).map_err(runtime)?;
		let key = (index, headway_primitives::hash_of(&validators));
		if let Some(session) = self.sessions.get(&key) {
			return Ok(session.clone());
		}
		let info = api
			.session_info(at, index)
			.map_err(runtime)?
			.ok_or(ContextError::UnknownSession { session: index, at })?;
		let executor_params = api.session_executor_params(at, index).map_err(runtime)?.unwrap_or_default();
		let local_validator =
			self.position(PARACHAIN_KEY_TYPE_ID, info.validators.iter()).map(ValidatorIndex);
		let local_discovery_index = self.position(AUTHORITY_DISCOVERY, info.discovery_keys.iter());
		let topology_randomness = api.current_epoch(at).map_err(runtime)?.randomness;
		let session = Arc::new(SessionContext {
			index,
			info,
			executor_params: Arc::new(executor_params),
			local_validator,
			local_discovery_index,
			topology_randomness,
		});
		self.sessions.put(key, session.clone());
		Ok(session)
	}

	/// The first of the keys that our keystore holds.
	fn position<'a, K: RuntimeAppPublic + 'a>(
		&self,
		kind: KeyTypeId,
		keys: impl Iterator<Item = &'a K>,
	) -> Option<u32> {
		let mut keys = keys.map(|key| key.to_raw_vec());
		keys.position(|key| self.keystore.has_keys(&[(key, kind)])).map(|position| position as u32)
	}

	/// Ancestors of a block, newest first, as long as their children are in the block's session.
	fn ancestors_in_session(
		&mut self,
		block: &BlockContext,
		count: usize,
	) -> Result<Vec<Arc<BlockContext>>, ContextError> {
		let mut ancestors = Vec::new();
		let (mut number, mut parent) = (block.number, block.parent_hash);
		while ancestors.len() < count && number > 0 {
			let ancestor = self.block(parent)?;
			if ancestor.session.index != block.session.index {
				break;
			}
			(number, parent) = (ancestor.number, ancestor.parent_hash);
			ancestors.push(ancestor);
		}
		Ok(ancestors)
	}

	/// Number and state root of a block, if the chain knows it.
	pub fn relay_parent_info(&self, hash: Hash) -> Result<Option<RelayParentInfo>, ContextError> {
		let header = self.client.header(hash)?;
		Ok(header.map(|header| RelayParentInfo { number: header.number, state_root: header.state_root }))
	}

	fn header(&self, hash: Hash) -> Result<Header, ContextError> {
		self.client.header(hash)?.ok_or(ContextError::UnknownBlock(hash))
	}
}

impl<Client> ContextBuilder<Client>
where
	Client: ProvideRuntimeApi<Block>,
	Client::Api: AuthorityDiscoveryApi<Block>,
{
	/// The authorities around a block's session.
	pub fn authorities(&self, at: Hash) -> Result<Authorities, ContextError> {
		let authorities = self.client.runtime_api().authorities(at);
		let authorities = authorities.map_err(|error| ContextError::Runtime { at, error })?;
		let ours =
			|id: &AuthorityDiscoveryId| self.keystore.has_keys(&[(id.to_raw_vec(), AUTHORITY_DISCOVERY)]);
		let (own, others): (Vec<_>, Vec<_>) = authorities.into_iter().partition(ours);
		Ok(if own.is_empty() { Authorities::default() } else { Authorities { includes_us: true, others } })
	}
}
