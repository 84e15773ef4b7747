//! The proof that a chunk belongs to an erasure root, and a chunk together with it (specification, section
//! 3.2).

use codec::{Compact, Decode, Encode, Error as CodecError, Input};
use sp_core::{Blake2Hasher, Hasher, H256};

use crate::{branch::branch_hash, error::Error, mapping::ChunkIndex};

/// The most nodes in a proof. The keys of the trie have eight nibbles; the index of the last of 65 536 chunks
/// needs five nodes.
pub const MAX_PROOF_NODES: usize = 8;

/// The most bytes in a node of a proof. A branch with sixteen hashed children has 531.
pub const MAX_PROOF_NODE_BYTES: usize = 512 + 100;

/// Why some nodes are no [`Proof`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
	/// There is no node.
	#[error("a proof has at least one node")]
	NoNodes,
	/// There are more than [`MAX_PROOF_NODES`] nodes.
	#[error("{0} nodes are more than the {MAX_PROOF_NODES} of a proof")]
	TooManyNodes(usize),
	/// A node has no bytes.
	#[error("a node of a proof is empty")]
	EmptyNode,
	/// A node has more than [`MAX_PROOF_NODE_BYTES`] bytes.
	#[error("a node of {0} bytes is larger than {MAX_PROOF_NODE_BYTES}")]
	NodeTooLarge(usize),
}

/// The nodes of the chunk trie on the way from the root to one chunk.
///
/// Made by [`Branches`](crate::Branches), checked by [`branch_hash`]. To be a `Proof` says nothing about
/// being true.
///
/// SCALE: as `Vec<Vec<u8>>`, decoded within the bounds only.
///
/// # Bounds
///
/// 1 to [`MAX_PROOF_NODES`] nodes of 1 to [`MAX_PROOF_NODE_BYTES`] bytes, so that a peer can make us hold
/// less than 5 KiB. Decoding checks each length before it allocates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode)]
pub struct Proof(Vec<Vec<u8>>);

impl Proof {
	/// The nodes, root first if we made the proof, in any order if a peer did.
	pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
		self.0.iter().map(Vec::as_slice)
	}
}

impl TryFrom<Vec<Vec<u8>>> for Proof {
	type Error = ProofError;

	fn try_from(nodes: Vec<Vec<u8>>) -> Result<Self, ProofError> {
		check_nodes(nodes.len())?;
		nodes.iter().try_for_each(|node| check_node_bytes(node.len()))?;
		Ok(Self(nodes))
	}
}

impl From<Proof> for Vec<Vec<u8>> {
	fn from(proof: Proof) -> Self {
		proof.0
	}
}

impl Decode for Proof {
	fn decode<I: Input>(input: &mut I) -> Result<Self, CodecError> {
		let count = decode_len(input)?;
		check_nodes(count).map_err(refuse)?;
		let mut nodes = Vec::with_capacity(count);
		for _ in 0..count {
			let len = decode_len(input)?;
			check_node_bytes(len).map_err(refuse)?;
			let mut node = vec![0; len];
			input.read(&mut node)?;
			nodes.push(node);
		}
		Ok(Self(nodes))
	}
}

fn decode_len<I: Input>(input: &mut I) -> Result<usize, CodecError> {
	// Saturation, where a usize is smaller than a u32, is above every bound.
	Ok(usize::try_from(Compact::<u32>::decode(input)?.0).unwrap_or(usize::MAX))
}

fn refuse(error: ProofError) -> CodecError {
	match error {
		ProofError::NoNodes => "merkle proof without nodes",
		ProofError::TooManyNodes(_) => "merkle proof with too many nodes",
		ProofError::EmptyNode => "merkle proof with an empty node",
		ProofError::NodeTooLarge(_) => "merkle proof with a node that is too large",
	}
	.into()
}

const fn check_nodes(count: usize) -> Result<(), ProofError> {
	match count {
		0 => Err(ProofError::NoNodes),
		1..=MAX_PROOF_NODES => Ok(()),
		_ => Err(ProofError::TooManyNodes(count)),
	}
}

const fn check_node_bytes(len: usize) -> Result<(), ProofError> {
	match len {
		0 => Err(ProofError::EmptyNode),
		1..=MAX_PROOF_NODE_BYTES => Ok(()),
		_ => Err(ProofError::NodeTooLarge(len)),
	}
}

/// A chunk with all that is needed to check it against an erasure root: as stored, and as sent to validators.
///
/// # Bounds
///
/// The proof is bounded, see [`Proof`]. The chunk is as long as the message that it came in allows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode)]
pub struct ErasureChunk {
	/// The chunk itself: big-endian symbols of two bytes.
	pub chunk: Vec<u8>,
	/// Its position in the codeword. Not the validator who holds it: see [`chunk_index`](crate::chunk_index).
	pub index: ChunkIndex,
	/// The way from the erasure root to the hash of the chunk.
	pub proof: Proof,
}

impl ErasureChunk {
	/// Whether `root` commits to this chunk at this index.
	///
	/// Errors as [`branch_hash`], and [`Error::ChunkHashMismatch`] if the proof is right but the chunk is
	/// another.
	pub fn verify(&self, root: &H256) -> Result<(), Error> {
		if branch_hash(root, &self.proof, self.index)? == Blake2Hasher::hash(&self.chunk) {
			Ok(())
		} else {
			Err(Error::ChunkHashMismatch)
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn proof_encodes_as_nested_vectors() {
		let nodes = vec![vec![7], vec![1; 64], vec![2; MAX_PROOF_NODE_BYTES]];
		let proof = Proof::try_from(nodes.clone()).unwrap();
		assert_eq!(proof.encode(), nodes.encode());
		assert_eq!(Proof::decode(&mut &nodes.encode()[..]), Ok(proof.clone()));
		assert!(proof.iter().eq(nodes.iter()));
		assert_eq!(Vec::from(proof), nodes);
	}

	#[test]
	fn proof_bounds_are_enforced() {
		let node = vec![1];
		let cases = [
			(vec![], ProofError::NoNodes),
			(vec![node.clone(); 9], ProofError::TooManyNodes(9)),
			(vec![node.clone(), vec![]], ProofError::EmptyNode),
			(vec![node.clone(), vec![0; 613]], ProofError::NodeTooLarge(613)),
		];
		for (nodes, error) in cases {
			assert!(Proof::decode(&mut &nodes.encode()[..]).is_err(), "{error}");
			assert_eq!(Proof::try_from(nodes), Err(error));
		}
		for nodes in [vec![node.clone()], vec![vec![9; 612]; 8]] {
			assert!(Proof::decode(&mut &nodes.encode()[..]).is_ok());
		}
	}

	#[test]
	fn proof_of_announced_but_missing_bytes_is_refused() {
		for bytes in [&[4, 200][..], &[255, 255, 255, 255], &[3, 255, 255, 255, 255], &[32, 4, 1], &[]] {
			assert!(Proof::decode(&mut &*bytes).is_err(), "{bytes:?}");
		}
	}

	#[test]
	fn erasure_chunk_encodes_chunk_then_index_then_proof() {
		let proof = Proof::try_from(vec![vec![5, 6]]).unwrap();
		let chunk = ErasureChunk { chunk: vec![1, 2, 3], index: ChunkIndex(0x0a0b), proof };
		let bytes = [12, 1, 2, 3, 0x0b, 0x0a, 0, 0, 4, 8, 5, 6];
		assert_eq!(chunk.encode(), bytes);
		assert_eq!(ErasureChunk::decode(&mut &bytes[..]), Ok(chunk));
	}
}
