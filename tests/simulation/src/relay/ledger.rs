//! Blocks and their states, and the runtime's answers at each of them.
//!
//! All states share one store of trie nodes, from which nothing is ever removed: a fork costs what it changes. The runtime
//! is the host's build behind the interface that the node's client has, so the node's own code can work on it.

use super::genesis::{self, Spec};
use headway_primitives::{Block, Hash, Header};
use headway_relay_runtime::RuntimeApi;
use parking_lot::RwLock;
use sp_api::{ApiError, ApiRef, CallApiAt, CallApiAtParams, ConstructRuntimeApi, ProvideRuntimeApi};
use sp_blockchain::{BlockStatus, HeaderBackend, Info};
use sp_core::traits::CallContext;
use sp_externalities::{set_and_run_with_externalities, Extensions};
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{
	BackendTransaction, DBValue, Ext, OverlayedChanges, Storage, TrieBackend, TrieBackendBuilder,
};
use sp_trie::cache::{CacheSize, SharedTrieCache};
use sp_version::RuntimeVersion;
use std::{
	collections::{BTreeMap, HashMap},
	sync::Arc,
};

/// Memory for trie nodes that are decoded already.
const CACHE_BYTES: usize = 64 << 20;

/// State of a block.
pub type State = TrieBackend<Arc<dyn Storage<BlakeTwo256>>, BlakeTwo256>;
/// Changes on top of a state.
pub type Overlay = OverlayedChanges<BlakeTwo256>;

/// Trie nodes of all states.
#[derive(Default)]
struct Nodes(RwLock<HashMap<Vec<u8>, DBValue>>);

impl Nodes {
	fn insert(&self, mut transaction: BackendTransaction<BlakeTwo256>) {
		let added = transaction.drain().into_iter().filter(|(_, (_, references))| *references > 0);
		self.0.write().extend(added.map(|(key, (value, _))| (key, value)));
	}
}

impl Storage<BlakeTwo256> for Nodes {
	fn get(&self, key: &Hash, prefix: (&[u8], Option<u8>)) -> Result<Option<DBValue>, String> {
		Ok(self.0.read().get(&sp_trie::prefixed_key::<BlakeTwo256>(key, prefix)).cloned())
	}
}

/// All relay blocks, on all forks.
pub struct Ledger {
	nodes: Arc<Nodes>,
	cache: SharedTrieCache<BlakeTwo256>,
	headers: RwLock<BTreeMap<Hash, Header>>,
	genesis: Hash,
}

impl Ledger {
	/// A chain at its genesis block.
	pub fn new(spec: &Spec) -> Result<Self, genesis::Error> {
		let (header, transaction) = genesis::build(spec)?;
		let ledger = Self {
			nodes: Arc::default(),
			cache: SharedTrieCache::new(CacheSize::new(CACHE_BYTES), None),
			headers: RwLock::default(),
			genesis: header.hash(),
		};
		ledger.import(header, transaction);
		Ok(ledger)
	}

	/// The genesis block.
	pub fn genesis(&self) -> Hash {
		self.genesis
	}

	/// Adds a block with what it changes of its parent's state.
	pub(super) fn import(&self, header: Header, transaction: BackendTransaction<BlakeTwo256>) {
		self.nodes.insert(transaction);
		self.headers.write().insert(header.hash(), header);
	}

	/// Header of a block.
	pub fn get(&self, hash: Hash) -> Option<Header> {
		self.headers.read().get(&hash).cloned()
	}

	/// Number of a block; zero if there is none.
	pub fn number_of(&self, hash: Hash) -> u32 {
		self.headers.read().get(&hash).map_or(0, |header| header.number)
	}

	/// A block and its ancestors, newest first.
	pub fn chain(&self, from: Hash) -> impl Iterator<Item = (Hash, Header)> + '_ {
		let mut next = self.get(from).map(|header| (from, header));
		std::iter::from_fn(move || {
			let (hash, header) = next.take()?;
			next = self.get(header.parent_hash).map(|parent| (header.parent_hash, parent));
			Some((hash, header))
		})
	}

	/// Whether a block is another one or builds on it.
	pub fn is_on(&self, block: Hash, (number, ancestor): (u32, Hash)) -> bool {
		self.chain(block).take_while(|(_, header)| header.number >= number).any(|(hash, _)| hash == ancestor)
	}

	/// The newest of some blocks that is on another one; that one, if none is.
	pub fn newest_on(&self, blocks: impl Iterator<Item = Hash>, ancestor: (u32, Hash)) -> (u32, Hash) {
		let on = blocks.filter(|block| self.is_on(*block, ancestor));
		on.map(|block| (self.number_of(block), block)).max().unwrap_or(ancestor)
	}

	/// Runs the host's build of the runtime on the state of a block. Changes stay in the overlay.
	pub(super) fn run<R>(
		&self,
		at: Hash,
		overlay: &mut Overlay,
		run: impl FnOnce() -> R,
	) -> Result<R, ApiError> {
		let state = self.state_at(at)?;
		Ok(set_and_run_with_externalities(&mut Ext::new(overlay, &state, None), run))
	}
}

impl CallApiAt<Block> for Ledger {
	type StateBackend = State;

	fn call_api_at(&self, params: CallApiAtParams<Block>) -> Result<Vec<u8>, ApiError> {
		let state = self.state_at(params.at)?;
		let mut overlay = params.overlayed_changes.borrow_mut();
		let mut extensions = params.extensions.borrow_mut();
		let mut ext = Ext::new(&mut overlay, &state, Some(&mut extensions));
		let call = || headway_relay_runtime::api::dispatch(params.function, &params.arguments);
		set_and_run_with_externalities(&mut ext, call)
			.ok_or_else(|| ApiError::Application(format!("there is no call {}", params.function).into()))
	}

	fn runtime_version_at(&self, _: Hash, _: CallContext) -> Result<RuntimeVersion, ApiError> {
		Ok(headway_relay_runtime::VERSION)
	}

	fn state_at(&self, at: Hash) -> Result<State, ApiError> {
		let header = self.get(at).ok_or_else(|| ApiError::UnknownBlock(format!("{at:?}")))?;
		let nodes: Arc<dyn Storage<BlakeTwo256>> = self.nodes.clone();
		let cache = self.cache.local_cache_trusted();
		Ok(TrieBackendBuilder::new(nodes, header.state_root).with_cache(cache).build())
	}

	fn initialize_extensions(&self, _: Hash, _: &mut Extensions) -> Result<(), ApiError> {
		Ok(())
	}
}

impl ProvideRuntimeApi<Block> for Ledger {
	type Api = <RuntimeApi as ConstructRuntimeApi<Block, Self>>::RuntimeApi;

	fn runtime_api(&self) -> ApiRef<'_, Self::Api> {
		RuntimeApi::construct_runtime_api(self)
	}
}

impl HeaderBackend<Block> for Ledger {
	fn header(&self, hash: Hash) -> sp_blockchain::Result<Option<Header>> {
		Ok(self.get(hash))
	}

	/// Every node has its own best and finalized block: here only genesis is known to be both.
	fn info(&self) -> Info<Block> {
		Info {
			best_hash: self.genesis,
			best_number: 0,
			genesis_hash: self.genesis,
			finalized_hash: self.genesis,
			finalized_number: 0,
			finalized_state: None,
			number_leaves: 1,
			block_gap: None,
		}
	}

	fn status(&self, hash: Hash) -> sp_blockchain::Result<BlockStatus> {
		let known = self.headers.read().contains_key(&hash);
		Ok(if known { BlockStatus::InChain } else { BlockStatus::Unknown })
	}

	fn number(&self, hash: Hash) -> sp_blockchain::Result<Option<u32>> {
		Ok(self.get(hash).map(|header| header.number))
	}

	/// Forks are equals: only genesis is known by its number.
	fn hash(&self, number: u32) -> sp_blockchain::Result<Option<Hash>> {
		Ok((number == 0).then_some(self.genesis))
	}
}
