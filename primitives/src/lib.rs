//! Primitives of the parachains protocol: SCALE types and hashes, and the rules that need no state.
//!
//! Both sides stand on this crate: the runtime that enforces the protocol and the node that follows it. It never holds
//! state, never does I/O and compiles without `std`. Encodings are those of the reference protocol (version 9 of its
//! primitives); `tests/conformance` compares them byte for byte.
//!
//! | module | what is in it |
//! |---|---|
//! | [`ids`] | identifiers and keys: paras, validators, cores, groups, candidate hashes, head data, code |
//! | [`descriptor`] | the 292-byte candidate descriptor, its versions and how they are told apart |
//! | [`candidate`] | receipts, commitments, validation data, proof of validity |
//! | [`ump`] | signals that a candidate sends behind its upward messages, and the core that they select |
//! | [`signed`] | signing payloads and contexts, statements, availability bitfields |
//! | [`backed`] | backed candidates and the parachains inherent |
//! | [`disputes`] | dispute statements, sets and state; offences |
//! | [`session`] | session info, groups, rotation, thresholds |
//! | [`scheduling`] | claim queue, core states, candidate events |
//! | [`config`] | protocol parameters that nodes read: async backing, scheduler, approval voting, node features |
//! | [`executor_params`] | execution environment of validation functions |
//! | [`constraints`] | what a candidate may do to the state that it builds on: checked by runtime and node alike |
//! | [`pvf`] | the ABI of `validate_block` and statements about code |
//! | [`messages`] | downward and horizontal messages |
//! | [`runtime_api`] | the `ParachainHost` runtime API, version 16 |
//! | [`well_known_keys`] | storage keys that parachains and tools read by Merkle proof |

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod backed;
pub mod candidate;
pub mod config;
pub mod constraints;
pub mod descriptor;
pub mod disputes;
pub mod executor_params;
pub mod ids;
pub mod messages;
pub mod pvf;
pub mod runtime_api;
pub mod scheduling;
pub mod session;
pub mod signed;
pub mod ump;
pub mod well_known_keys;

pub use backed::*;
pub use candidate::*;
pub use config::*;
pub use descriptor::*;
pub use disputes::*;
pub use executor_params::*;
pub use ids::*;
pub use messages::*;
pub use pvf::*;
pub use scheduling::*;
pub use session::*;
pub use signed::*;

/// Identifier of the parachains inherent: `parachn0`.
pub const PARACHAINS_INHERENT_IDENTIFIER: [u8; 8] = *b"parachn0";
/// Maximum size of validation code as stored, bytes.
pub const MAX_CODE_SIZE: u32 = 5 * 1024 * 1024;
/// Minimum size of validation code, bytes.
pub const MIN_CODE_SIZE: u32 = 9;
/// Maximum size of head data, bytes.
pub const MAX_HEAD_DATA_SIZE: u32 = 1024 * 1024;
/// Default maximum size of a proof of validity as shipped, bytes.
pub const MAX_POV_SIZE: u32 = 10 * 1024 * 1024;
/// Hard limit of the proof of validity that a configuration may allow, bytes.
pub const POV_HARD_LIMIT: u32 = 16 * 1024 * 1024;
/// A proof of validity may decompress to this many times [`MAX_POV_SIZE`].
pub const POV_BOMB_LIMIT: usize = (MAX_POV_SIZE * 4) as usize;
/// Ratio of decompressed to stored validation code that is accepted.
pub const CODE_COMPRESSION_RATIO_MAX: u32 = 10;
/// Most upward messages in one candidate.
pub const MAX_UPWARD_MESSAGE_NUM: u32 = 16 * 1024;
/// Most horizontal messages in one candidate.
pub const MAX_HORIZONTAL_MESSAGE_NUM: u32 = 16 * 1024;
/// Duration of a relay chain slot by default, milliseconds.
pub const RELAY_CHAIN_SLOT_DURATION_MILLIS: u64 = 6000;
/// Hard cap of candidates that one approval may cover.
pub const MAX_COALESCE_APPROVALS: u32 = 16;

/// Hash of a value's SCALE encoding: Blake2-256, the protocol's only hash.
pub fn hash_of<T: codec::Encode>(value: &T) -> Hash {
	use sp_runtime::traits::{BlakeTwo256, Hash as _};
	BlakeTwo256::hash_of(value)
}

#[cfg(test)]
mod tests {
	//! What the tests of several modules use.

	use super::*;

	/// A candidate of para 1 with a descriptor of the raw version.
	pub(crate) fn candidate(version: u8) -> CommittedCandidateReceiptV2 {
		let hash = Hash::repeat_byte;
		let commitments = CandidateCommitments { head_data: HeadData(alloc::vec![1]), ..Default::default() };
		let (head, code) = (commitments.head_data.hash(), ValidationCodeHash(hash(7)));
		let (para, core) = (ParaId(1), CoreIndex(0));
		let mut descriptor =
			CandidateDescriptorV2::new_v2(para, hash(1), core, 10, hash(2), hash(3), hash(4), head, code);
		descriptor.version = version;
		CommittedCandidateReceiptV2 { descriptor, commitments }
	}
}
