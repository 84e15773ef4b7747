//! Registers the peer sets and request protocols with the network (backing pipeline §8.2).

use crate::names::{ProtocolNames, REQUEST_SIZE_MAX};
use headway_machine::wire::{CollationVersion, RequestProtocol, NOTIFICATION_SIZE_MAX};
use headway_primitives::Block;
use sc_network::{
	config::{
		FullNetworkConfiguration, IncomingRequest, NonReservedPeerMode, NotificationHandshake, Role,
		SetConfig,
	},
	service::{traits::NotificationService, NotificationMetrics},
	NetworkBackend,
};
use sc_network_common::role::Roles;
use std::sync::Arc;

/// Slots for peers of the validation set that are no authorities of the session: enough for gossip.
const VALIDATION_SLOTS: u32 = 25 / 2 - 1;
/// Slots for collators at a validator.
const COLLATION_SLOTS: u32 = 310;

/// What was registered: the ends that the bridge works with.
pub struct Protocols {
	/// Names of all protocols.
	pub names: ProtocolNames,
	/// Notifications of the validation set.
	pub validation: Box<dyn NotificationService>,
	/// Notifications of the collation set.
	pub collation: Box<dyn NotificationService>,
	/// The collation version without fallback.
	pub collation_main: CollationVersion,
	/// Requests of peers.
	pub requests: Vec<(RequestProtocol, async_channel::Receiver<IncomingRequest>)>,
}

/// Registers everything. A node that is neither validator nor collator speaks the protocols too, so that it can follow.
///
/// `is_collator`: serves collations and offers collation protocol version 4; a validator offers version 3, which is what its side of the
/// protocol speaks, unless it runs the one that knows `segments`.
pub fn register<Net: NetworkBackend<Block, headway_primitives::Hash>>(
	names: ProtocolNames,
	role: &Role,
	is_collator: bool,
	segments: bool,
	config: &mut FullNetworkConfiguration<Block, headway_primitives::Hash, Net>,
	metrics: &NotificationMetrics,
) -> Protocols {
	let peer_store = config.peer_store_handle();
	let handshake = || Some(NotificationHandshake::new(Roles::from(role)));

	let (validation_config, validation) = Net::notification_config(
		names.validation(),
		Vec::new(),
		NOTIFICATION_SIZE_MAX,
		handshake(),
		SetConfig {
			in_peers: VALIDATION_SLOTS,
			out_peers: VALIDATION_SLOTS,
			reserved_nodes: Vec::new(),
			non_reserved_mode: NonReservedPeerMode::Accept,
		},
		metrics.clone(),
		Arc::clone(&peer_store),
	);
	config.add_notification_protocol(validation_config);

	let is_validator = role.is_authority() && !is_collator;
	let (collation_main, fallbacks) = if is_validator && !segments {
		(CollationVersion::V3, &[CollationVersion::V2, CollationVersion::V1][..])
	} else {
		(CollationVersion::V4, &[CollationVersion::V3, CollationVersion::V2, CollationVersion::V1][..])
	};
	let (collation_config, collation) = Net::notification_config(
		names.collation(collation_main),
		fallbacks.iter().map(|version| names.collation(*version)).collect(),
		NOTIFICATION_SIZE_MAX,
		handshake(),
		SetConfig {
			in_peers: if is_validator { COLLATION_SLOTS } else { 0 },
			out_peers: 0,
			reserved_nodes: Vec::new(),
			non_reserved_mode: if is_validator {
				NonReservedPeerMode::Accept
			} else {
				NonReservedPeerMode::Deny
			},
		},
		metrics.clone(),
		peer_store,
	);
	config.add_notification_protocol(collation_config);

	let mut requests = Vec::new();
	for protocol in RequestProtocol::ALL {
		let limits = ProtocolNames::limits(protocol);
		// Version 1 collations are only fetched, never served.
		let serve = match protocol {
			RequestProtocol::CollationV1 => false,
			RequestProtocol::CollationV2 | RequestProtocol::CollationV3 => is_collator,
			_ => !is_collator,
		};
		let inbound = serve.then(|| {
			let (sender, receiver) = async_channel::bounded(limits.queue_len_max);
			requests.push((protocol, receiver));
			sender
		});
		config.add_request_response_protocol(Net::request_response_config(
			names.request(protocol),
			ProtocolNames::legacy_request(protocol).into_iter().collect(),
			REQUEST_SIZE_MAX,
			limits.response_size_max,
			limits.timeout,
			inbound,
		));
	}
	Protocols { names, validation, collation, collation_main, requests }
}
