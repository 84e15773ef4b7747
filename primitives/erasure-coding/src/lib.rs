//! Availability chunks: how the data of a candidate is cut into one chunk per validator, so that a third of
//! the validators can give it back, and how each chunk is proven to belong to the candidate.
//!
//! A backer encodes `AvailableData` into `n` chunks ([`obtain_chunks`]), commits to them with the root of a
//! trie over their hashes ([`branches`], [`erasure_root`]), and writes that root into the candidate receipt.
//! Every other validator fetches the chunk that the protocol assigns to it ([`chunk_index`]) and checks it
//! against the root ([`ErasureChunk::verify`]). Whoever needs the data later collects chunks and decodes them
//! ([`reconstruct`], [`reconstruct_from_systematic`]), then encodes again and compares the root, because the
//! root may commit to chunks that are no codeword at all.
//!
//! Chunks, root, proofs and the assignment are consensus: they equal those of the reference implementation
//! bit for bit (availability specification, sections 3.1 to 3.3).
//!
//! What this crate never does: it keeps no chunk, it asks nobody for one, and it knows no candidate, session
//! or signature. Indices are plain `u32`s of the session that the caller has in mind. Everything here is a
//! pure function of its arguments, single-threaded, and does not panic, whatever a peer sends.
//!
//! # The code
//!
//! A systematic Reed-Solomon code over GF(2^16). Of `n` chunks any [`CodeParams::systematic_threshold`] (`k`,
//! a power of two) determine the payload, and the first `k` chunks *are* the payload, interleaved by symbols
//! of two bytes. Callers that collect chunks from peers nevertheless wait for
//! [`CodeParams::recovery_threshold`] of them, as the reference does.
//!
//! # Bounds
//!
//! - Validators: 2 to [`MAX_VALIDATORS`].
//! - [`Proof`]: 1 to [`MAX_PROOF_NODES`] nodes of 1 to [`MAX_PROOF_NODE_BYTES`] bytes, enforced before
//!   anything is allocated for it.
//! - Decoding keeps one slice per validator, and its output is not larger than the `k` chunks that it came
//!   from. Working memory does not grow with the payload, since the coder works on stripes of the chunks.
//!   Whoever receives chunks bounds their length (the response size limit of the network protocol).
//!
//! # Map
//!
//! - `params`: thresholds and lengths that follow from the number of validators.
//! - `coder`: bytes to chunks and back; the only module that knows how the SIMD coder lays out its symbols.
//! - `api`: the same for SCALE types, and all checks of what callers pass in.
//! - `proof`: [`Proof`] and [`ErasureChunk`], as stored and sent.
//! - `branch`: the trie over the hashes of the chunks.
//! - `mapping`: which validator holds which chunk (RFC-47).

#![forbid(unsafe_code)]

mod api;
mod branch;
mod coder;
mod error;
mod mapping;
mod params;
mod proof;

pub use api::{
	encode_bytes, erasure_root, obtain_chunks, reconstruct, reconstruct_bytes,
	reconstruct_bytes_from_systematic, reconstruct_from_systematic,
};
pub use branch::{branch_hash, branches, chunks_root, Branches};
pub use error::Error;
pub use mapping::{
	chunk_index, chunk_indices, validator_of_chunk, ChunkIndex, AVAILABILITY_CHUNK_MAPPING_FEATURE,
};
pub use params::{recovery_threshold, systematic_recovery_threshold, CodeParams, MAX_VALIDATORS};
pub use proof::{ErasureChunk, Proof, ProofError, MAX_PROOF_NODES, MAX_PROOF_NODE_BYTES};
