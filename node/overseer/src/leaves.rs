//! Follows the chain: which blocks are leaves, and what the machines must know of them.

#[cfg(test)]
mod double;
#[cfg(test)]
mod tests;

use crate::context::{Authorities, ContextBuilder, ContextError};
use futures::StreamExt;
use headway_machine::{grid::Topology, LeavesUpdate, SessionContext};
use headway_primitives::{
	runtime_api::ParachainHost, AuthorityDiscoveryId, Block, BlockNumber, Hash, NodeFeatures, SessionIndex,
};
use sc_client_api::BlockchainEvents;
use sp_api::ProvideRuntimeApi;
use sp_authority_discovery::AuthorityDiscoveryApi;
use sp_blockchain::HeaderBackend;
use sp_consensus_babe::BabeApi;
use sp_keystore::KeystorePtr;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::mpsc;

/// Leaves at a time; a chain with more forks loses the oldest ones from view.
const LEAVES_MAX: usize = 16;

/// What the chain did.
#[derive(Debug)]
pub enum ChainEvent {
	/// Leaves changed.
	Leaves {
		/// The change.
		update: LeavesUpdate,
		/// A session that no leaf had before.
		new_session: Option<NewSession>,
	},
	/// A block was finalized.
	Finalized {
		/// Its number.
		number: BlockNumber,
		/// Its hash.
		hash: Hash,
		/// Features that are on in it.
		node_features: NodeFeatures,
	},
}

/// A session that the machines and the network must prepare for.
#[derive(Debug)]
pub struct NewSession {
	/// The session.
	pub index: SessionIndex,
	/// Its gossip topology.
	pub topology: Arc<Topology>,
	/// Validators to be connected to: past, present and next, without ourselves; none if we are no authority.
	pub authorities: Vec<AuthorityDiscoveryId>,
	/// Whether we are one of the session's authorities.
	pub is_authority: bool,
	/// Whether we are an active parachain validator of the session.
	pub is_parachain_validator: bool,
}

/// Follows the chain and tells what happens, in order, until the receiver is gone.
///
/// Blocks are only looked at when the node is not far behind: nobody backs candidates on old blocks.
pub async fn follow<Client>(
	client: Arc<Client>,
	keystore: KeystorePtr,
	is_major_syncing: impl Fn() -> bool + Send,
	events: mpsc::Sender<ChainEvent>,
) where
	Client: HeaderBackend<Block> + ProvideRuntimeApi<Block> + BlockchainEvents<Block> + Send + Sync + 'static,
	Client::Api: ParachainHost<Block> + BabeApi<Block> + AuthorityDiscoveryApi<Block>,
{
	let mut imported = client.import_notification_stream();
	let mut finalized = client.finality_notification_stream();
	let mut leaves = Leaves {
		builder: Some(ContextBuilder::new(client.clone(), keystore.clone())),
		client: client.clone(),
		keystore,
		active: Active::default(),
		session: None,
		events,
	};
	// What finality allows (descriptors of version 3) holds from the first leaf on, not only from the next finalized block on:
	// else a node that was restarted would call good candidates invalid until then.
	let info = client.info();
	if !leaves.finalize(info.finalized_hash, info.finalized_number).await {
		return;
	}
	let parent = client.header(info.best_hash).ok().flatten().map(|header| header.parent_hash);
	if !leaves.activate(info.best_hash, parent).await {
		return;
	}
	loop {
		let alive = tokio::select! {
			Some(block) = imported.next() => {
				// Imported after the stream began, but before the first leaf was chosen: that one is built on it.
				let is_below_first = block.header.number < info.best_number
					&& client.hash(block.header.number).ok().flatten() == Some(block.hash);
				if is_major_syncing() || is_below_first {
					true
				} else {
					leaves.activate(block.hash, Some(block.header.parent_hash)).await
				}
			},
			Some(block) = finalized.next() => leaves.finalize(block.hash, block.header.number).await,
			else => false,
		};
		if !alive {
			return;
		}
	}
}

/// Active leaves, at most [`LEAVES_MAX`].
#[derive(Default)]
struct Active(BTreeMap<Hash, BlockNumber>);

impl Active {
	/// Adds a leaf. Answers those that are none any more: its parent, or else the oldest, if there are too many. None if the
	/// leaf finds no place, because no other is older: nobody hears of it.
	fn add(&mut self, hash: Hash, number: BlockNumber, parent: Option<Hash>) -> Option<Vec<Hash>> {
		let mut gone: Vec<_> = parent.filter(|parent| self.0.remove(parent).is_some()).into_iter().collect();
		if self.0.len() >= LEAVES_MAX {
			let (oldest, at) = self.0.iter().min_by_key(|(_, at)| **at).map(|(leaf, at)| (*leaf, *at))?;
			if at >= number {
				return None;
			}
			self.0.remove(&oldest);
			gone.push(oldest);
		}
		self.0.insert(hash, number);
		Some(gone)
	}

	/// Removes leaves that are not on top of the finalized block, as far as their numbers tell. Answers which.
	fn finalize(&mut self, hash: Hash, number: BlockNumber) -> Vec<Hash> {
		let is_stale = |leaf: &Hash, at: &BlockNumber| *at < number || (*at == number && *leaf != hash);
		self.0.extract_if(.., |leaf, at| is_stale(leaf, at)).map(|(leaf, _)| leaf).collect()
	}
}

struct Leaves<Client> {
	builder: Option<ContextBuilder<Client>>,
	client: Arc<Client>,
	keystore: KeystorePtr,
	active: Active,
	session: Option<SessionIndex>,
	events: mpsc::Sender<ChainEvent>,
}

impl<Client> Leaves<Client>
where
	Client: HeaderBackend<Block> + ProvideRuntimeApi<Block> + BlockchainEvents<Block> + Send + Sync + 'static,
	Client::Api: ParachainHost<Block> + BabeApi<Block> + AuthorityDiscoveryApi<Block>,
{
	async fn activate(&mut self, hash: Hash, parent: Option<Hash>) -> bool {
		if self.active.0.contains_key(&hash) {
			return true;
		}
		let leaf = match self.blocking(move |builder| builder.leaf(hash)).await {
			Ok(leaf) => leaf,
			Err(error) => {
				tracing::warn!(target: "parachain::overseer", ?hash, %error, "leaf is not followed: its context is missing");
				return true;
			},
		};
		// A block beside the finalized one cannot become final any more.
		let info = self.client.info();
		if leaf.block.number <= info.finalized_number && hash != info.finalized_hash {
			return true;
		}
		let Some(deactivated) = self.active.add(hash, leaf.block.number, parent) else {
			tracing::debug!(target: "parachain::overseer", ?hash, "leaf is not followed: there are enough that are no older");
			return true;
		};
		let session = leaf.block.session.clone();
		let new_session = if self.session.is_none_or(|known| known < session.index) {
			self.new_session(hash, session).await
		} else {
			None
		};
		// If it could not be told what there is to know of a session, the next leaf has another try.
		self.session = new_session.as_ref().map(|session| session.index).or(self.session);
		let update = LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated };
		self.events.send(ChainEvent::Leaves { update, new_session }).await.is_ok()
	}

	async fn finalize(&mut self, hash: Hash, number: BlockNumber) -> bool {
		let stale = self.active.finalize(hash, number);
		if !stale.is_empty() {
			let update = LeavesUpdate { activated: None, deactivated: stale };
			if self.events.send(ChainEvent::Leaves { update, new_session: None }).await.is_err() {
				return false;
			}
		}
		let node_features =
			match self.blocking(move |builder| Ok(builder.block(hash)?.node_features.clone())).await {
				Ok(node_features) => node_features,
				Err(error) => {
					tracing::debug!(target: "parachain::overseer", ?hash, %error, "context of a finalized block is missing");
					return true;
				},
			};
		self.events.send(ChainEvent::Finalized { number, hash, node_features }).await.is_ok()
	}

	/// What the machines and the network must prepare for.
	async fn new_session(&mut self, at: Hash, session: Arc<SessionContext>) -> Option<NewSession> {
		let authorities = self.blocking(move |builder| builder.authorities(at)).await;
		let Authorities { includes_us, others } = authorities
			.inspect_err(|error| {
				tracing::warn!(target: "parachain::overseer", ?at, %error, "authorities are not known yet");
			})
			.ok()?;
		let topology =
			Topology::new(&session.info, &session.topology_randomness, session.local_discovery_index);
		Some(NewSession {
			index: session.index,
			topology: Arc::new(topology),
			authorities: others,
			is_authority: includes_us,
			is_parachain_validator: session.local_validator.is_some(),
		})
	}

	/// Runs runtime calls on a blocking thread.
	async fn blocking<R: Send + 'static>(
		&mut self,
		run: impl FnOnce(&mut ContextBuilder<Client>) -> Result<R, ContextError> + Send + 'static,
	) -> Result<R, ContextError> {
		let mut builder = self
			.builder
			.take()
			.unwrap_or_else(|| ContextBuilder::new(self.client.clone(), self.keystore.clone()));
		let task = tokio::task::spawn_blocking(move || {
			let result = run(&mut builder);
			(builder, result)
		});
		match task.await {
			Ok((builder, result)) => {
				self.builder = Some(builder);
				result
			},
			// The runtime panicked through the executor: what was remembered is gone, nothing else is.
			Err(_) => Err(ContextError::Chain(sp_blockchain::Error::Backend("context task failed".into()))),
		}
	}
}
