//! Ports of nodes, on which nobody listens.

use crate::Error;
use std::net::TcpListener;

/// Where ports are taken from: below those that the system hands out.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Ports of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ports {
	/// Where other nodes reach it.
	pub p2p: u16,
	/// Where light clients reach it, by WebSocket.
	pub websocket: u16,
	/// JSON-RPC.
	pub rpc: u16,
	/// Metrics.
	pub prometheus: u16,
}

impl Ports {
	/// Ports for so many nodes, on which nobody listens.
	pub fn free(nodes: usize) -> Result<Vec<Self>, Error> {
		let ports = free_ports(4 * nodes)?;
		let of_node =
			|ports: &[u16]| Self { p2p: ports[0], websocket: ports[1], rpc: ports[2], prometheus: ports[3] };
		Ok(ports.chunks_exact(4).map(of_node).collect())
	}
}

/// Ports that nobody listens on. All are held at once, so that they differ.
///
/// They are not those that the system hands out (for port 0 and for outgoing connections, usually from 32768
/// on): a node that is restarted must find its ports free again. A process that takes one in between makes
/// the node fail to start, with an error that says so.
fn free_ports(count: usize) -> Result<Vec<u16>, Error> {
	// Networks that start at the same time had better not begin at the same port.
	let start = u64::from(std::process::id()) * 977 + u64::from(jitter());
	let span = u64::from(PORTS.end - PORTS.start);
	let mut held = Vec::new();
	for offset in 0..span {
		if held.len() == count {
			break;
		}
		// Below the end of the range, hence a port.
		let port = PORTS.start + ((start + offset) % span) as u16;
		if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
			held.push((port, listener));
		}
	}
	if held.len() < count {
		let error = std::io::Error::other(format!("{count} free ports are needed, {} are there", held.len()));
		return Err(Error::File { path: "127.0.0.1".into(), error });
	}
	Ok(held.into_iter().map(|(port, _)| port).collect())
}

/// Something that differs from call to call.
fn jitter() -> u32 {
	std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.subsec_nanos())
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::collections::BTreeSet;

	#[test]
	fn ports_are_free_distinct_and_not_those_of_outgoing_connections() {
		let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
		let ports = free_ports(30).unwrap();
		let distinct: BTreeSet<_> = ports.iter().collect();
		assert_eq!(distinct.len(), 30);
		assert!(ports.iter().all(|port| PORTS.contains(port)));
		assert!(!ports.contains(&taken.local_addr().unwrap().port()));
	}
}
