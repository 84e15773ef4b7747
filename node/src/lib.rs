//! The node: where the Substrate client, the parachains protocol and the command line meet.
//!
//! The composition root: it makes the parts, connects them and starts them. It never decides anything of the protocol (that
//! is `subsystems/`) and implements no part itself (those are the other crates of `node/`). It is a library so that a
//! collator can embed the whole node; `main.rs` only calls [`command::main`].
//!
//! | module | what is in it |
//! |---|---|
//! | [`command`] | what `main` does: dispatches subcommands, prints errors |
//! | [`cli`] | the command line: flags, subcommands, defaults |
//! | [`chain_spec`] | named chains, and chain specifications from files |
//! | [`service`] | the full node: client, consensus, network, authoring, RPC |
//! | [`parachains`] | the parachains protocol: network, machines, database and workers joined |
//! | [`explain`] | the command `headway explain`: what became of candidates |
//! | [`collator`] | Metronome's collator around an embedded node |
//! | [`late`] | a fault of that collator, for tests: collations that come too late |
//! | [`inherent`] | what an author puts into a block: time, slot, and the parachains' data |

#![forbid(unsafe_code)]

pub mod chain_spec;
pub mod cli;
pub mod collator;
pub mod command;
pub mod explain;
pub mod inherent;
pub mod late;
pub mod parachains;
pub mod service;

pub use service::{new_full, NewFull, NewFullParams};
