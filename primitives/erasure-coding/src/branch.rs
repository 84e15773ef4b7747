//! The commitment to all chunks of a candidate: a trie from chunk index to chunk hash (specification, section
//! 3.2).
//!
//! The trie is Substrate's, with layout V0 (values always lie in the nodes) and Blake2-256. A key is the
//! index as four little-endian bytes, a value the Blake2-256 hash of the chunk. The erasure root is the root
//! of this trie.

use codec::Encode;
use sp_core::{Blake2Hasher, Hasher, H256};
use sp_trie::{
	trie_types::TrieDBMutBuilderV0, HashDBT, LayoutV0, MemoryDB, Recorder, Trie, TrieConfiguration,
	TrieDBBuilder, TrieMut, EMPTY_PREFIX,
};

use crate::{error::Error, mapping::ChunkIndex, params::CodeParams, proof::Proof};

type Layout = LayoutV0<Blake2Hasher>;

/// Builds the trie over all chunks of a candidate. The position of a chunk is its index.
///
/// Errors: [`Error::NotEnoughValidators`] or [`Error::TooManyValidators`], if nobody can have encoded so many
/// chunks.
pub fn branches<C: AsRef<[u8]>>(chunks: &[C]) -> Result<Branches<'_, C>, Error> {
	CodeParams::new(chunks.len())?;
	let (mut nodes, mut root) = MemoryDB::<Blake2Hasher>::default_with_root();
	{
		let mut trie = TrieDBMutBuilderV0::new(&mut nodes, &mut root).build();
		for (key, hash) in entries(chunks) {
			trie.insert(&key, hash.as_bytes()).map_err(|_| Error::Trie)?;
		}
	}
	Ok(Branches { nodes, root, chunks, next: 0 })
}

/// The root that [`branches`] gives, with less work if no proof is needed. Errors as [`branches`].
pub fn chunks_root<C: AsRef<[u8]>>(chunks: &[C]) -> Result<H256, Error> {
	CodeParams::new(chunks.len())?;
	Ok(Layout::trie_root(entries(chunks)))
}

/// The entries of the trie: index as key, hash as value.
fn entries<C: AsRef<[u8]>>(chunks: &[C]) -> impl Iterator<Item = ([u8; 4], H256)> + '_ {
	// A chunk index is below 65 536: the callers have checked the number of chunks.
	chunks.iter().zip(0u32..).map(|(chunk, index)| (index.to_le_bytes(), Blake2Hasher::hash(chunk.as_ref())))
}

/// The trie over the chunks of a candidate, which gives the root, and a proof for each chunk. Iterates over
/// proofs and chunks by index.
///
/// # Bounds
///
/// Holds the nodes of a trie with one leaf per chunk: about 100 bytes for each, 65 536 at most.
pub struct Branches<'a, C> {
	nodes: MemoryDB<Blake2Hasher>,
	root: H256,
	chunks: &'a [C],
	next: u32,
}

impl<C: AsRef<[u8]>> Branches<'_, C> {
	/// The erasure root.
	pub fn root(&self) -> H256 {
		self.root
	}

	/// The proof for one chunk, in the order of a look-up: root first.
	///
	/// Errors: [`Error::BranchOutOfBounds`] if there is no chunk with this index.
	pub fn proof(&self, index: ChunkIndex) -> Result<Proof, Error> {
		let mut recorder = Recorder::<Layout>::new();
		let value = TrieDBBuilder::<Layout>::new(&self.nodes, &self.root)
			.with_recorder(&mut recorder)
			.build()
			.get(&index.encode())
			.map_err(|_| Error::Trie)?;
		if value.is_none() {
			return Err(Error::BranchOutOfBounds);
		}
		let nodes: Vec<Vec<u8>> = recorder.drain().into_iter().map(|record| record.data).collect();
		// Keys of eight nibbles and values of 32 bytes keep every proof within its bounds.
		Proof::try_from(nodes).map_err(|_| Error::Trie)
	}
}

impl<'a, C: AsRef<[u8]>> Iterator for Branches<'a, C> {
	type Item = (Proof, &'a [u8]);

	fn next(&mut self) -> Option<Self::Item> {
		let chunks = self.chunks;
		let chunk = chunks.get(usize::try_from(self.next).ok()?)?;
		let proof = self.proof(ChunkIndex(self.next)).ok()?;
		self.next += 1;
		Some((proof, chunk.as_ref()))
	}
}

/// The hash that a chunk must have, if `root` commits to a chunk with this index and `proof` shows it.
///
/// The order of the nodes does not matter, nor do nodes that are not on the way.
///
/// Errors: [`Error::BranchOutOfBounds`] if the nodes lead to the place of the chunk and nothing is there,
/// [`Error::InvalidBranchProof`] if they do not lead there, do not decode, or end in what is no hash.
pub fn branch_hash(root: &H256, proof: &Proof, index: ChunkIndex) -> Result<H256, Error> {
	let (mut nodes, _) = MemoryDB::<Blake2Hasher>::default_with_root();
	for node in proof.iter() {
		nodes.insert(EMPTY_PREFIX, node);
	}
	let value = TrieDBBuilder::<Layout>::new(&nodes, root).build().get(&index.encode());
	match value {
		// A root of hostile origin may hold values that are longer than a hash. Only their first 32 bytes
		// count, because they do for the reference. Were such a proof refused here, then, in a network with
		// both implementations, we could not recover a candidate that the others call available, and would be
		// absent from the dispute that ends it: its root is not the one that encoding its data again gives.
		Ok(Some(value)) => match value.first_chunk::<32>() {
			Some(hash) => Ok(hash.into()),
			None => Err(Error::InvalidBranchProof),
		},
		Ok(None) => Err(Error::BranchOutOfBounds),
		Err(_) => Err(Error::InvalidBranchProof),
	}
}
