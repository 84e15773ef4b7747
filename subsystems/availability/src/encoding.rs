//! Erasure coding as drivers carry it out.

use headway_erasure_coding::{branches, obtain_chunks, ChunkIndex, ErasureChunk, Error};
use headway_primitives::{AvailableData, Hash};

/// All chunks of a candidate's data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encoding {
	/// The erasure root.
	pub root: Hash,
	/// The chunks with their proofs, by chunk index.
	pub chunks: Vec<ErasureChunk>,
}

/// Encodes data into one chunk per validator. Takes up to hundreds of milliseconds: not for an executor's
/// threads.
///
/// Errors: as [`obtain_chunks`] and [`branches`].
pub fn encode(n_validators: usize, data: &AvailableData) -> Result<Encoding, Error> {
	let chunks = obtain_chunks(n_validators, data)?;
	let branches = branches(&chunks)?;
	let root = branches.root();
	let proofs = (0..).map(ChunkIndex).zip(&chunks).map(|(index, _)| branches.proof(index));
	let proofs = proofs.collect::<Result<Vec<_>, _>>()?;
	drop(branches);
	let joined = (0..).map(ChunkIndex).zip(chunks).zip(proofs);
	let chunks = joined.map(|((index, chunk), proof)| ErasureChunk { chunk, index, proof }).collect();
	Ok(Encoding { root, chunks })
}
