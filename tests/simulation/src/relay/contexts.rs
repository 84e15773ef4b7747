//! What nodes know of relay blocks: the node's own code asks the runtime, once for all nodes.

use super::ledger::Ledger;
use headway_machine::{BlockContext, LeafContext, SessionContext};
use headway_overseer::context::{ContextBuilder, ContextError};
use headway_primitives::{
	constraints::RelayParentInfo, runtime_api::ParachainHost, Hash, SessionIndex, ValidationCode,
	ValidationCodeHash, ValidatorId, ValidatorIndex,
};
use sp_api::ProvideRuntimeApi;
use sp_blockchain::HeaderBackend;
use sp_keystore::testing::MemoryKeystore;
use std::{collections::BTreeMap, sync::Arc};

/// Leaves whose context is kept.
const LEAVES_MAX: usize = 32;
/// Blocks and sessions as one node sees them that are kept.
const LOCAL_MAX: usize = 64;

/// Contexts as somebody sees them who holds no key.
pub struct Contexts {
	ledger: Arc<Ledger>,
	builder: ContextBuilder<Ledger>,
	leaves: BTreeMap<(u32, Hash), Arc<LeafContext>>,
}

impl Contexts {
	/// Contexts of the blocks of a ledger.
	pub fn new(ledger: Arc<Ledger>) -> Self {
		let builder = ContextBuilder::new(ledger.clone(), Arc::new(MemoryKeystore::new()));
		Self { ledger, builder, leaves: BTreeMap::new() }
	}

	/// Everything about a leaf.
	pub fn leaf(&mut self, hash: Hash) -> Result<Arc<LeafContext>, ContextError> {
		let key = (self.ledger.number_of(hash), hash);
		if let Some(leaf) = self.leaves.get(&key) {
			return Ok(leaf.clone());
		}
		let leaf = Arc::new(self.builder.leaf(hash)?);
		self.leaves.insert(key, leaf.clone());
		while self.leaves.len() > LEAVES_MAX {
			self.leaves.pop_first();
		}
		Ok(leaf)
	}

	/// Everything about a block that may schedule candidates.
	pub fn block(&mut self, hash: Hash) -> Result<Arc<BlockContext>, ContextError> {
		self.builder.block(hash)
	}

	/// Validation code, and most bytes that it may decompress to.
	pub fn code(&self, at: Hash, hash: ValidationCodeHash) -> Option<(ValidationCode, u32)> {
		let api = self.ledger.runtime_api();
		let code = api.validation_code_by_hash(at, hash).ok()??;
		Some((code, api.validation_code_bomb_limit(at).ok()?))
	}

	/// A relay parent as the state of a block knows it.
	pub fn relay_parent_info(
		&self,
		at: Hash,
		session: SessionIndex,
		relay_parent: Hash,
	) -> Option<RelayParentInfo> {
		let api = self.ledger.runtime_api();
		// A block never finds itself among the allowed relay parents of its own state.
		if at == relay_parent {
			let header = self.ledger.header(at).ok()??;
			let ours = api.session_index_for_child(at).ok()? == session;
			return ours.then_some(RelayParentInfo { number: header.number, state_root: header.state_root });
		}
		api.ancestor_relay_parent_info(at, session, relay_parent).ok()?
	}
}

/// Contexts as the holder of a validator's key sees them.
pub struct Localized {
	key: ValidatorId,
	blocks: BTreeMap<(u32, Hash), Arc<BlockContext>>,
	sessions: BTreeMap<(SessionIndex, Hash), Arc<SessionContext>>,
}

impl Localized {
	/// With this key.
	pub fn new(key: ValidatorId) -> Self {
		Self { key, blocks: BTreeMap::new(), sessions: BTreeMap::new() }
	}

	/// A leaf.
	pub fn leaf(&mut self, leaf: &LeafContext) -> LeafContext {
		LeafContext {
			block: self.block(&leaf.block),
			allowed_ancestry: leaf.allowed_ancestry.iter().map(|block| self.block(block)).collect(),
			..leaf.clone()
		}
	}

	fn block(&mut self, block: &BlockContext) -> Arc<BlockContext> {
		let key = (block.number, block.hash);
		if let Some(block) = self.blocks.get(&key) {
			return block.clone();
		}
		let local = Arc::new(BlockContext { session: self.session(&block.session), ..block.clone() });
		self.blocks.insert(key, local.clone());
		while self.blocks.len() > LOCAL_MAX {
			self.blocks.pop_first();
		}
		local
	}

	fn session(&mut self, session: &SessionContext) -> Arc<SessionContext> {
		// Forks may disagree about the order of validators.
		let key = (session.index, headway_primitives::hash_of(&session.info.validators));
		if let Some(session) = self.sessions.get(&key) {
			return session.clone();
		}
		let position = session.info.validators.iter().position(|key| *key == self.key);
		let raw: &[u8] = self.key.as_ref();
		let discovery = session.info.discovery_keys.iter().position(|key| AsRef::<[u8]>::as_ref(key) == raw);
		let local = Arc::new(SessionContext {
			local_validator: position.map(|position| ValidatorIndex(position as u32)),
			local_discovery_index: discovery.map(|position| position as u32),
			..session.clone()
		});
		self.sessions.insert(key, local.clone());
		while self.sessions.len() > LOCAL_MAX {
			self.sessions.pop_first();
		}
		local
	}
}
