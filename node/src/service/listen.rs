//! Whether the ports of p2p, metrics and RPC are free.
//!
//! The network itself only logs when it cannot listen, and two processes of one user can even share a port without noticing,
//! because listening sockets are reusable for dialing. Both look like a network without peers, so the node asks beforehand.
//! The RPC server would go on with a random port, where nobody looks for it.

use sc_network::multiaddr::{Multiaddr, Protocol};
use sc_service::config::RpcEndpoint;
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

/// Somebody listens on the port that was named for RPC.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve RPC on {0}: the port is in use. Choose another one with --rpc-port")]
pub struct RpcPortTaken(SocketAddr);

/// Fails if the socket of the metrics is taken. The service itself ends with "essential task failed", which names nothing.
pub fn check_metrics_free(socket: Option<SocketAddr>) -> Result<(), MetricsPortTaken> {
	socket.filter(is_taken).map_or(Ok(()), |socket| Err(MetricsPortTaken(socket)))
}

/// Makes the RPC server insist on its port, as it should when the operator named one: a random one in its place would
/// answer nobody, and who asks at the named port would talk to another node without noticing.
pub fn insist_on_rpc_port(endpoints: &mut [RpcEndpoint]) {
	endpoints.iter_mut().for_each(|endpoint| endpoint.retry_random_port = false);
}

/// Fails if the socket of an endpoint is taken that must have it: one that may neither move to another port nor be left
/// out.
pub fn check_rpc_free(endpoints: &[RpcEndpoint]) -> Result<(), RpcPortTaken> {
	let must_have = endpoints.iter().filter(|endpoint| !endpoint.retry_random_port && !endpoint.is_optional);
	let taken = must_have.map(|endpoint| endpoint.listen_addr).find(is_taken);
	taken.map_or(Ok(()), |socket| Err(RpcPortTaken(socket)))
}

/// Whether somebody listens there. Any other obstacle is left to whoever wants to listen. Port 0 is never taken.
fn is_taken(socket: &SocketAddr) -> bool {
	TcpListener::bind(socket).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
}

/// Fails if one of the addresses is taken. Any other obstacle (no IPv6, for example) is left to the network, which goes on
/// with the addresses that work.
pub fn check_free(addresses: &[Multiaddr]) -> Result<(), Error> {
	for address in addresses {
		let Some(socket) = tcp_address(address) else { continue };
		if is_taken(&socket) {
			return Err(Error { address: address.clone() });
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
