//! The validation function of Metronome, the demonstration parachain, and what its collator shares with it.
//!
//! Metronome is a parachain without a runtime, made for watching the relay chain at work. Its state is a counter and a hash,
//! small enough to be the head data itself, so that a block can be validated, and built, from the parent's head alone. Two
//! dials make its blocks as heavy as wanted: `work` hashes one after the other cost execution time, and `payload` costs
//! bandwidth and erasure coding.
//!
//! The crate is compiled twice: natively for the collator (feature `std`), and without `std` into the Wasm blob that
//! validators execute, exporting `validate_block` (availability, approval, disputes §4.1).
//!
//! It never reads a clock, storage or the network, and has no notion of who may author: whoever gets a block backed made it.
//!
//! | module | what is in it |
//! |---|---|
//! | [`block`] | head data and block |
//! | [`transition`] | how a block changes the state; building and checking it |
//! | [`abi`] | arguments and result of `validate_block` |
//! | `wasm` | the export itself, allocator and panic handler; in the blob only |

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod abi;
pub mod block;
pub mod transition;
#[cfg(all(target_arch = "wasm32", not(feature = "std")))]
mod wasm;

pub use block::{Block, CoreSelection, Head, InboundMessage, Traffic};
pub use transition::{build, validate, Built, Invalid};

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/headway_metronome_pvf.rs"));

/// A Blake2-256 hash.
pub type Hash = [u8; 32];
