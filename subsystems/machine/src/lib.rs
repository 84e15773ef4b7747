//! What the protocol's state machines share.
//!
//! A machine decides and does nothing else: it takes an event and the time, and answers with effects. It never does I/O,
//! never asks a clock, a runtime or a source of randomness, and never logs. Everything that it needs of a relay block comes
//! in a [`LeafContext`], the same for all machines; everything that it drops leaves a [`Trace`] with a typed reason.
//!
//! | module | what is in it |
//! |---|---|
//! | [`subsystem`] | the [`Subsystem`] trait, [`Effects`], [`Timestamp`] |
//! | [`sizes`] | how full containers are, beside what they may hold |
//! | [`context`] | what is known of a session, a relay block and a leaf |
//! | [`view`] | which relay blocks are ours to work on: leaves and their allowed ancestry |
//! | [`messages`] | what machines say to each other |
//! | [`network`] | peers, reputation, network events and effects |
//! | [`wire`] | messages and requests as they go over the network |
//! | [`trace`] | what happened to candidates, and why they were dropped |
//! | [`reason`] | what stages and reasons mean, in plain words, and what is lost by a drop |
//! | [`crypto`] | [`Signer`] and [`Verifier`]: so that a simulation can use a cheap scheme |
//! | [`storage`] | what machines keep on disk |
//! | [`grid`] | the gossip topology: validators in a square |
//! | [`by_hash`] | maps whose keys are hashes already |

#![forbid(unsafe_code)]

pub mod by_hash;
pub mod context;
pub mod crypto;
pub mod grid;
pub mod messages;
pub mod network;
pub mod reason;
pub mod sizes;
pub mod storage;
pub mod subsystem;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trace;
pub mod view;
pub mod wire;

pub use context::*;
pub use crypto::*;
pub use messages::*;
pub use network::*;
pub use reason::Loss;
pub use sizes::{Size, Sizes};
pub use storage::*;
pub use subsystem::*;
pub use trace::*;
pub use view::View;
