//! A peer without manners: raw streams on libp2p, under any protocol name, with any bytes in them.
//!
//! It knows the framing of the node's protocols (length-prefixed, notifications after a handshake), so that what it
//! sends gets as far as the decoders, and nothing else of them.

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
	noise, swarm::SwarmEvent, tcp, yamux, Multiaddr, PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder,
};
use libp2p_stream as stream;
use std::{
	io,
	time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// How long the node may take for anything that the peer waits for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Role of a full node in the handshake of notifications.
const FULL_NODE: u8 = 1;

/// A connection to one node.
pub struct RawPeer {
	control: stream::Control,
	node: PeerId,
	swarm: JoinHandle<()>,
}

impl RawPeer {
	/// Connects to a node under a fresh identity.
	///
	/// # Errors
	///
	/// If the node cannot be reached.
	pub async fn connect(address: &str) -> io::Result<Self> {
		let address: Multiaddr = address.parse().map_err(io::Error::other)?;
		let mut swarm = SwarmBuilder::with_new_identity()
			.with_tokio()
			.with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
			.map_err(io::Error::other)?
			.with_behaviour(|_| stream::Behaviour::new())
			.map_err(io::Error::other)?
			.with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
			.build();
		swarm.dial(address).map_err(io::Error::other)?;
		let node = in_time(established(&mut swarm)).await?;
		let control = swarm.behaviour().new_control();
		let swarm = tokio::spawn(async move {
			loop {
				swarm.next().await;
			}
		});
		Ok(Self { control, node, swarm })
	}

	/// Sends a request and returns the response.
	///
	/// # Errors
	///
	/// If the node refuses the protocol or the request.
	pub async fn request(&mut self, protocol: &str, payload: &[u8]) -> io::Result<Vec<u8>> {
		let mut stream = self.open(protocol).await?;
		in_time(async {
			write_frame(&mut stream, payload).await?;
			stream.close().await?;
			read_frame(&mut stream).await
		})
		.await
	}

	/// Opens a substream of notifications, as a full node.
	///
	/// # Errors
	///
	/// If the node refuses it.
	pub async fn notifications(&mut self, protocol: &str) -> io::Result<Notifications> {
		let name = protocol_name(protocol)?;
		// The node opens one of its own in return, or regards the peer as gone.
		let mut returned = self.control.accept(name).map_err(io::Error::other)?;
		let mut outbound = self.open(protocol).await?;
		in_time(write_frame(&mut outbound, &[FULL_NODE])).await?;
		in_time(read_frame(&mut outbound)).await?;
		let (_, mut inbound) = in_time(async {
			returned.next().await.ok_or_else(|| io::Error::other("the node opens no substream in return"))
		})
		.await?;
		in_time(async {
			read_frame(&mut inbound).await?;
			write_frame(&mut inbound, &[FULL_NODE]).await
		})
		.await?;
		Ok(Notifications { outbound, inbound })
	}

	async fn open(&mut self, protocol: &str) -> io::Result<Stream> {
		let name = protocol_name(protocol)?;
		in_time(async { self.control.open_stream(self.node, name).await.map_err(io::Error::other) }).await
	}
}

impl Drop for RawPeer {
	fn drop(&mut self) {
		self.swarm.abort();
	}
}

/// Two open substreams of one notification protocol.
pub struct Notifications {
	outbound: Stream,
	inbound: Stream,
}

impl Notifications {
	/// Sends a notification.
	///
	/// # Errors
	///
	/// If the node has closed the substream.
	pub async fn send(&mut self, message: &[u8]) -> io::Result<()> {
		in_time(write_frame(&mut self.outbound, message)).await
	}

	/// Sends bytes without a length.
	///
	/// # Errors
	///
	/// If the node has closed the substream.
	pub async fn send_unframed(&mut self, bytes: &[u8]) -> io::Result<()> {
		in_time(async {
			self.outbound.write_all(bytes).await?;
			self.outbound.flush().await
		})
		.await
	}

	/// Repeats a notification until the node turns the peer away; returns how often it was sent.
	///
	/// # Errors
	///
	/// If the node still listens after `at_most` of them.
	pub async fn send_until_closed(mut self, message: &[u8], at_most: usize) -> io::Result<usize> {
		let started = Instant::now();
		// What the node sends meanwhile is read, or its end would wait for us.
		let mut buffer = [0; 4096];
		for sent in 0..at_most {
			if self.send(message).await.is_err() {
				return Ok(sent);
			}
			if let Some(Ok(0) | Err(_)) = futures::FutureExt::now_or_never(self.inbound.read(&mut buffer)) {
				return Ok(sent);
			}
		}
		let text =
			format!("{at_most} messages in {:.1} s, and still connected", started.elapsed().as_secs_f64());
		Err(io::Error::new(io::ErrorKind::TimedOut, text))
	}
}

fn protocol_name(name: &str) -> io::Result<StreamProtocol> {
	StreamProtocol::try_from_owned(name.to_owned()).map_err(io::Error::other)
}

async fn established(swarm: &mut Swarm<stream::Behaviour>) -> io::Result<PeerId> {
	loop {
		match swarm.select_next_some().await {
			SwarmEvent::ConnectionEstablished { peer_id, .. } => return Ok(peer_id),
			SwarmEvent::OutgoingConnectionError { error, .. } => return Err(io::Error::other(error)),
			_ => {},
		}
	}
}

async fn in_time<T>(what: impl std::future::Future<Output = io::Result<T>>) -> io::Result<T> {
	tokio::time::timeout(PATIENCE, what).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn write_frame(stream: &mut Stream, payload: &[u8]) -> io::Result<()> {
	let mut length = unsigned_varint::encode::usize_buffer();
	stream.write_all(unsigned_varint::encode::usize(payload.len(), &mut length)).await?;
	stream.write_all(payload).await?;
	stream.flush().await
}

async fn read_frame(stream: &mut Stream) -> io::Result<Vec<u8>> {
	let mut prefix = Vec::new();
	while prefix.last().is_none_or(|byte| byte & 0x80 != 0) {
		let mut byte = [0];
		stream.read_exact(&mut byte).await?;
		prefix.extend(byte);
	}
	let (length, _) = unsigned_varint::decode::usize(&prefix).map_err(io::Error::other)?;
	let mut payload = Vec::new();
	stream.take(length as u64).read_to_end(&mut payload).await?;
	if payload.len() < length {
		return Err(io::ErrorKind::UnexpectedEof.into());
	}
	Ok(payload)
}
