//! Metronome's collator around an embedded relay chain node.
//!
//! The collator knows nothing of this node: it gets the client, and a [`headway_metronome::Relay`] that leads to the
//! machines.

use crate::{
	cli::MetronomeCmd,
	late::HeldBack,
	parachains::Handle,
	service::{new_full, IsCollator, NewFull, NewFullParams},
};
use async_trait::async_trait;
use headway_machine::{SubmitSegment, Trace};
use headway_metronome::{key, metrics::Metrics, Fault, Metronome, Relay};
use headway_pipeline::Event;
use headway_primitives::{Block, Hash, ParaId};
use sc_network_sync::SyncingService;
use sc_service::{Configuration, Role, TaskManager};
use sp_consensus::SyncOracle;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Why the collator did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// The embedded node did not start.
	#[error(transparent)]
	Node(#[from] crate::service::Error),
	/// The collator has no key.
	#[error(transparent)]
	Key(#[from] key::KeyError),
	/// A file that the command line names cannot be used.
	#[error(transparent)]
	Input(std::io::Error),
	/// A metric is registered twice.
	#[error("metrics: {0}")]
	Prometheus(#[from] substrate_prometheus_endpoint::PrometheusError),
}

/// Starts the node and the collator. Both stop when the task manager is dropped.
pub fn start(mut config: Configuration, cmd: &MetronomeCmd) -> Result<TaskManager, Error> {
	// `--alice` and the like only name a collator: it validates nothing, whoever it is.
	config.role = Role::Full;
	config.dev_key_seed = None;
	let named = cmd.collator.collator_key_file.as_deref();
	let pair = key::collator_key(named, Some(config.base_path.path()))?;

	let mut params = NewFullParams::new(&cmd.run, IsCollator::Yes(Box::new(pair)));
	let held_back = HeldBack::default();
	params.held_back = (cmd.collator.fault == Some(Fault::Late)).then(|| held_back.clone());
	let NewFull { task_manager, client, parachains, sync_service, registry, .. } = new_full(config, params)?;
	let relay = Arc::new(EmbeddedNode { parachains, sync_service, held_back });
	let metrics = Metrics::register(registry.as_ref())?;
	let collator = Metronome::new(&cmd.collator, client, relay, metrics).map_err(Error::Input)?;
	task_manager.spawn_essential_handle().spawn("metronome", None, collator.run());
	Ok(task_manager)
}

/// The node, as the collator sees it.
struct EmbeddedNode {
	parachains: Handle,
	sync_service: Arc<SyncingService<Block>>,
	held_back: HeldBack,
}

#[async_trait]
impl Relay for EmbeddedNode {
	async fn collate_on(&self, para: ParaId) -> bool {
		self.parachains.send(Event::CollateOn(para)).await.is_ok()
	}

	async fn submit(&self, segment: SubmitSegment) -> bool {
		self.parachains.followed(segment.scheduling_parent).await.is_ok()
			&& self.parachains.send(Event::Submit(segment)).await.is_ok()
	}

	fn hold_back(&self, relay_parent: Hash) {
		self.held_back.add(relay_parent);
	}

	fn traces(&self) -> broadcast::Receiver<Arc<Trace>> {
		self.parachains.traces()
	}

	fn is_major_syncing(&self) -> bool {
		self.sync_service.is_major_syncing()
	}
}
