//! Why an operation on chunks is refused.

use crate::mapping::ChunkIndex;

/// Why encoding, decoding, proving or mapping chunks is refused.
///
/// Everything but [`Error::Coder`] and [`Error::Trie`] is the fault of the input, and each variant says
/// which. When chunks that were proven against an erasure root fail to decode, the candidate is invalid: its
/// backers committed to something that is no codeword.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
	/// More validators than the field has points.
	#[error("{n_validators} validators are too many for the field of the code")]
	TooManyValidators {
		/// Validators asked for.
		n_validators: usize,
	},
	/// There is nothing to distribute among no or one validator.
	#[error("at least 2 validators are needed, not {n_validators}")]
	NotEnoughValidators {
		/// Validators asked for.
		n_validators: usize,
	},
	/// The payload to encode is empty.
	#[error("an empty payload cannot be encoded")]
	EmptyPayload,
	/// Fewer distinct chunks than the code needs.
	#[error("{have} chunks do not determine the payload, {need} are needed")]
	NotEnoughChunks {
		/// Distinct chunks supplied.
		have: usize,
		/// Chunks needed: the systematic threshold.
		need: usize,
	},
	/// More chunks supplied than there are validators.
	#[error("more chunks than the {n_validators} validators")]
	TooManyChunks {
		/// Validators of the session.
		n_validators: usize,
	},
	/// A chunk without a symbol in it.
	#[error("a chunk is empty")]
	EmptyChunk,
	/// A chunk that ends in the middle of a symbol.
	#[error("a chunk of {len} bytes is no sequence of two-byte symbols")]
	UnevenLength {
		/// Length of the chunk, in bytes.
		len: usize,
	},
	/// Chunks of different lengths.
	#[error("chunks of {expected} and of {found} bytes cannot belong to one payload")]
	NonUniformChunks {
		/// Length of the first chunk, in bytes.
		expected: usize,
		/// The other length, in bytes.
		found: usize,
	},
	/// A chunk index that no chunk of the session has.
	#[error("chunk index {index} is not below the number of validators, {n_validators}")]
	ChunkIndexOutOfBounds {
		/// The chunk index.
		index: ChunkIndex,
		/// Validators of the session.
		n_validators: usize,
	},
	/// A validator index that nobody in the session has.
	#[error("validator index {index} is not below the number of validators, {n_validators}")]
	ValidatorIndexOutOfBounds {
		/// The validator index.
		index: u32,
		/// Validators of the session.
		n_validators: usize,
	},
	/// Two chunks with one index and different contents.
	#[error("two different chunks have the index {index}")]
	ConflictingChunks {
		/// The index that both have.
		index: ChunkIndex,
	},
	/// The recovered bytes do not decode to the type wanted.
	#[error("the recovered bytes do not decode")]
	BadPayload,
	/// The proof does not lead from the root to a chunk hash.
	#[error("the branch proof is invalid")]
	InvalidBranchProof,
	/// The proof is consistent with the root, and shows that the root has no chunk of this index.
	#[error("the branch is out of bounds")]
	BranchOutOfBounds,
	/// The proof is right, but for another chunk.
	#[error("the chunk does not have the hash that its proof leads to")]
	ChunkHashMismatch,
	/// The trie over chunks of our own lacks a node or has an oversized one. It has all of its nodes in
	/// memory, and does not do this; neither is it a panic if it does.
	#[error("the trie over the chunks is broken")]
	Trie,
	/// The coder refused parameters that this crate had checked. It does not happen, and is not a panic if it
	/// does.
	#[error("the coder refused: {0}")]
	Coder(#[from] reed_solomon_simd::Error),
}
