//! Whether the ports of p2p and metrics are free.
//!
//! The network itself only logs when it cannot listen, and two processes of one user can even share a port without noticing,
//! because listening sockets are reusable for dialing. Both look like a network without peers, so the node asks beforehand.

use sc_network::multiaddr::{Multiaddr, Protocol};
use std::{
	io::ErrorKind,
	net::{IpAddr, SocketAddr, TcpListener},
};

/// Somebody listens on an address that the node was told to listen on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: the port is in use. Choose another one with --port or --listen-addr")]
pub struct Error {
	/// The address.
	pub address: Multiaddr,
}

/// Somebody listens on the port that the metrics should have.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics on {0}: the port is in use. Choose another one with --prometheus-port")]
pub struct MetricsPortTaken(SocketAddr);

/// Fails if the socket of the metrics is taken. The service itself ends with "essential task failed", which names nothing.
pub fn check_metrics_free(socket: Option<SocketAddr>) -> Result<(), MetricsPortTaken> {
	match socket.map(|socket| (socket, TcpListener::bind(socket))) {
		Some((socket, Err(error))) if error.kind() == ErrorKind::AddrInUse => Err(MetricsPortTaken(socket)),
		_ => Ok(()),
	}
}

/// Fails if one of the addresses is taken. Any other obstacle (no IPv6, for example) is left to the network, which goes on
/// with the addresses that work.
pub fn check_free(addresses: &[Multiaddr]) -> Result<(), Error> {
	for address in addresses {
		let Some(socket) = tcp_address(address) else { continue };
		match TcpListener::bind(socket) {
			Err(error) if error.kind() == ErrorKind::AddrInUse => {
				return Err(Error { address: address.clone() })
			},
			Ok(_) | Err(_) => {},
		}
	}
	Ok(())
}

/// The address of a TCP socket; none if the system chooses the port, or if it is something else.
fn tcp_address(address: &Multiaddr) -> Option<SocketAddr> {
	let mut parts = address.iter();
	let ip = match parts.next()? {
		Protocol::Ip4(ip) => IpAddr::from(ip),
		Protocol::Ip6(ip) => IpAddr::from(ip),
		_ => return None,
	};
	match parts.next()? {
		Protocol::Tcp(port) if port != 0 => Some(SocketAddr::new(ip, port)),
		_ => None,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_taken_port_is_an_error_that_names_the_address() {
		let taken = TcpListener::bind("127.0.0.1:0").expect("the system has a free port");
		let port = taken.local_addr().expect("it is bound").port();
		for suffix in ["", "/ws"] {
			let address: Multiaddr =
				format!("/ip4/127.0.0.1/tcp/{port}{suffix}").parse().expect("is an address");
			let error = check_free(&[address]).expect_err("the port is taken");
			assert!(error.to_string().contains(&port.to_string()), "{error}");
		}
	}

	#[test]
	fn a_free_port_and_a_port_of_the_systems_choice_are_fine() {
		let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
		let port = free.expect("the system has a free port").port();
		let addresses: Vec<Multiaddr> = [
			format!("/ip4/127.0.0.1/tcp/{port}"),
			"/ip4/127.0.0.1/tcp/0/ws".into(),
			"/ip4/127.0.0.1/udp/1/webrtc-direct".into(),
			"/memory/7".into(),
		]
		.iter()
		.map(|address: &String| address.parse().expect("is an address"))
		.collect();
		check_free(&addresses).expect("nobody listens");
	}
}
