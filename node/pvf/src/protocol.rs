//! What host and worker say to each other: SCALE in frames of four length bytes (little-endian) and the body, over the socket
//! that the worker gets as its standard input. Each side greets first; then the host asks and the worker answers, one at a time.
//!
//! # Bounds
//!
//! A frame has at most [`FRAME_BYTES_MAX`] bytes, in both directions: a worker that has been taken over cannot make the host
//! allocate more.

use crate::error::PrepareError;
use codec::{Decode, DecodeAll, Encode};
use headway_primitives::{ExecutorParams, Hash, HeadData, PoV, PvfPrepKind, ValidationResult};
use std::io::{self, Read, Write};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest frame, bytes.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// The first frame in each direction. Both must be equal, or nothing else is said.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Hello {
	/// Version of the program: host and worker must be the same.
	pub node_version: String,
}

/// Asks a preparation worker to compile.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct PrepareRequest {
	/// The code, as stored on chain.
	pub code: Vec<u8>,
	/// Most bytes that it may decompress to.
	pub bomb_limit: u32,
	/// Environment.
	pub executor_params: ExecutorParams,
	/// Why.
	pub kind: PvfPrepKind,
	/// CPU time that it may take, milliseconds.
	pub cpu_time_ms_max: u64,
	/// Where the artifact is written.
	pub artifact_path: Vec<u8>,
}

/// A preparation that worked.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Prepared {
	/// TwoX-256 of the artifact.
	pub checksum: [u8; 32],
	/// Its size, bytes.
	pub size: u64,
	/// CPU time taken, microseconds.
	pub cpu_time_us: u64,
	/// Largest resident memory of the worker so far, KiB.
	pub max_rss_kib: u64,
	/// Size of the decompressed code, bytes.
	pub code_size: u64,
}

/// Answer to [`PrepareRequest`].
pub type PrepareResponse = Result<Prepared, PrepareError>;

/// Asks an execution worker for one call of `validate_block`.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct ExecuteRequest {
	/// The compiled code.
	pub artifact_path: Vec<u8>,
	/// What its TwoX-256 must be.
	pub checksum: [u8; 32],
	/// Environment.
	pub executor_params: ExecutorParams,
	/// CPU time that it may take, milliseconds.
	pub cpu_time_ms_max: u64,
	/// Head data of the parent.
	pub parent_head: HeadData,
	/// The proof of validity, as shipped.
	pub pov: PoV,
	/// Number of the relay parent.
	pub relay_parent_number: u32,
	/// State root of the relay parent.
	pub relay_parent_storage_root: Hash,
	/// Relay parent and scheduling parent, for descriptors of version 3.
	pub extension: Option<(Hash, Hash)>,
}

/// Answer to [`ExecuteRequest`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ExecuteResponse {
	/// What came of it.
	pub outcome: ExecuteOutcome,
	/// CPU time taken, microseconds.
	pub cpu_time_us: u64,
	/// Size of the decompressed proof of validity, bytes.
	pub pov_size: u64,
}

/// What came of an execution.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ExecuteOutcome {
	/// It returned a result.
	Ok(ValidationResult),
	/// It trapped, or returned something else, or too much.
	InvalidCandidate(String),
	/// The proof of validity does not decompress within its limit.
	PovDecompression(String),
	/// It took more CPU time than it may. The worker ends after this answer.
	TimedOut,
	/// The artifact is not the one that was prepared.
	CorruptedArtifact(String),
	/// The artifact cannot be turned into a module.
	RuntimeConstruction(String),
	/// The worker's thread panicked.
	JobError(String),
	/// The worker failed in another way.
	Internal(String),
}

fn too_large(len: usize) -> io::Error {
	io::Error::new(io::ErrorKind::InvalidData, format!("frame of {len} bytes"))
}

fn malformed(error: codec::Error) -> io::Error {
	io::Error::new(io::ErrorKind::InvalidData, format!("malformed frame: {error}"))
}

/// Whether a message fits into a frame.
pub fn fits(message: &impl Encode) -> bool {
	message.encoded_size() <= FRAME_BYTES_MAX
}

/// A message with its length before it.
pub fn frame(message: &impl Encode) -> io::Result<Vec<u8>> {
	let mut bytes = vec![0; 4];
	message.encode_to(&mut bytes);
	let len = bytes.len() - 4;
	if len > FRAME_BYTES_MAX {
		return Err(too_large(len));
	}
	bytes[..4].copy_from_slice(&(len as u32).to_le_bytes());
	Ok(bytes)
}

/// Writes a message.
pub fn write(to: &mut impl Write, message: &impl Encode) -> io::Result<()> {
	to.write_all(&frame(message)?)?;
	to.flush()
}

/// Reads a message.
pub fn read<M: Decode>(from: &mut impl Read) -> io::Result<M> {
	let mut len = [0; 4];
	from.read_exact(&mut len)?;
	let len = u32::from_le_bytes(len) as usize;
	if len > FRAME_BYTES_MAX {
		return Err(too_large(len));
	}
	let mut body = vec![0; len];
	from.read_exact(&mut body)?;
	M::decode_all(&mut &body[..]).map_err(malformed)
}

/// Writes a frame, in the host.
pub async fn send(to: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
	to.write_all(frame).await?;
	to.flush().await
}

/// Reads a message, in the host.
pub async fn receive<M: Decode>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<M> {
	let len = from.read_u32_le().await? as usize;
	if len > FRAME_BYTES_MAX {
		return Err(too_large(len));
	}
	let mut body = vec![0; len];
	from.read_exact(&mut body).await?;
	M::decode_all(&mut &body[..]).map_err(malformed)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn frames_round_trip_and_are_bounded() {
		let hello = Hello { node_version: "1".into() };
		let mut bytes = Vec::new();
		write(&mut bytes, &hello).unwrap();
		assert_eq!(read::<Hello>(&mut &bytes[..]).unwrap(), hello);
		let oversized = (FRAME_BYTES_MAX as u32 + 1).to_le_bytes();
		assert_eq!(read::<Hello>(&mut &oversized[..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
		bytes.push(0);
		bytes[0] += 1;
		assert_eq!(read::<Hello>(&mut &bytes[..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
		bytes.truncate(3);
		assert_eq!(read::<Hello>(&mut &bytes[..]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
	}
}
