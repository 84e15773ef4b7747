//! Peer sets, wire protocols and requests of the parachains protocol on the Substrate network.
//!
//! The [`bridge`] is the only place that knows `sc-network`: it turns what peers do into events of the machines and the
//! machines' effects into messages, requests and reputation. It decides nothing about candidates; what it refuses is what
//! does not decode, comes from nobody, or comes faster than the node works.
//!
//! | module | what is in it |
//! |---|---|
//! | [`names`] | protocol names with their versions and legacy forms, sizes and timeouts |
//! | [`protocols`] | registers the peer sets and request protocols with the network |
//! | [`bridge`] | the task between the network and the machines |
//! | [`authorities`] | where validators are: discovery keys to addresses and peers |
//! | [`metrics`] | Prometheus metrics of the above |

#![forbid(unsafe_code)]

pub mod authorities;
pub mod bridge;
pub mod metrics;
pub mod names;
pub mod protocols;

pub use bridge::{Bridge, BridgeHandle, Command, Output};
pub use names::ProtocolNames;
pub use protocols::{register, Protocols};

use headway_machine::PeerId;

/// The machines' form of a peer id.
pub fn to_machine(peer: &sc_network_types::PeerId) -> PeerId {
	PeerId::from_bytes(&peer.to_bytes())
}

/// The network's form of a peer id; none if the bytes are no peer id.
pub fn to_network(peer: &PeerId) -> Option<sc_network_types::PeerId> {
	sc_network_types::PeerId::from_bytes(peer.as_bytes()).ok()
}
