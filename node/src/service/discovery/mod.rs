//! Addresses of validators in the DHT: publishes our own if we are one, finds those of the others.

mod local;

use super::FullClient;
use futures::StreamExt;
use sc_authority_discovery::{
	new_worker_and_service_with_config, NetworkProvider, Role, Service, WorkerConfig,
};
use sc_network::{service::traits::NetworkService, Event};
use sc_service::{Configuration, TaskManager};
use sp_keystore::KeystorePtr;
use std::{path::PathBuf, sync::Arc};
use substrate_prometheus_endpoint::Registry;

/// What authority discovery takes from the configuration, which is consumed before it starts.
pub(super) struct Settings {
	publish_non_global_ips: bool,
	public_addresses: Vec<sc_network::Multiaddr>,
	cache_directory: Option<PathBuf>,
	is_authority: bool,
}

impl Settings {
	pub(super) fn new(config: &Configuration) -> Self {
		Self {
			publish_non_global_ips: config.network.allow_non_globals_in_dht,
			public_addresses: config.network.public_addresses.clone(),
			cache_directory: config.network.net_config_path.clone(),
			is_authority: config.role.is_authority(),
		}
	}
}

/// Starts the worker; the service answers where a validator is.
pub(super) fn start(
	settings: Settings,
	client: Arc<FullClient>,
	network: Arc<dyn NetworkService>,
	keystore: KeystorePtr,
	registry: Option<Registry>,
	task_manager: &TaskManager,
) -> Service {
	let dht_events = network.event_stream("authority-discovery").filter_map(|event| async move {
		match event {
			Event::Dht(event) => Some(event),
			_ => None,
		}
	});
	let role = if settings.is_authority { Role::PublishAndDiscover(keystore) } else { Role::Discover };
	let network: Arc<dyn NetworkProvider> = match settings.publish_non_global_ips {
		true => Arc::new(local::LocalNetwork(network)),
		false => Arc::new(network),
	};
	let (worker, service) = new_worker_and_service_with_config(
		WorkerConfig {
			publish_non_global_ips: settings.publish_non_global_ips,
			public_addresses: settings.public_addresses,
			// Records that are not signed by the peer that they name could direct us to anybody.
			strict_record_validation: true,
			persisted_cache_directory: settings.cache_directory,
			..Default::default()
		},
		client,
		network,
		Box::pin(dht_events),
		role,
		registry,
		task_manager.spawn_handle(),
	);
	task_manager.spawn_handle().spawn(
		"authority-discovery-worker",
		Some("authority-discovery"),
		worker.run(),
	);
	service
}
