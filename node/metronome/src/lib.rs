//! The collator of Metronome, the demonstration parachain.
//!
//! It follows the relay chain and builds a block for every core that its para is given, as early as the relay chain allows. With
//! asynchronous backing that is on top of blocks that are not included yet; in synchronous mode only on an included one.
//! It keeps nothing: a head is the whole state, so that after a restart, or when its blocks were lost, it goes on from the
//! head that is on the relay chain.
//!
//! It never depends on the node that embeds it: the node hands over its client and a [`Relay`].
//!
//! | module | what is in it |
//! |---|---|
//! | [`cli`] | options and subcommands, for the node's command line |
//! | [`key`] | the collator's key |
//! | [`chain`] | which block to build on: the decision, without I/O |
//! | [`traffic`] | what a block has to do with other chains: messages, code upgrades |
//! | [`leaf`] | what the decision needs of a relay block, from the runtime |
//! | [`collator`] | the loop |
//! | [`fault`] | what it does wrong if it is told to, for tests |
//! | [`metrics`] | Prometheus metrics |

#![forbid(unsafe_code)]

pub mod chain;
pub mod cli;
pub mod collator;
pub mod fault;
pub mod key;
pub mod leaf;
pub mod metrics;
pub mod traffic;

pub use cli::{CollatorArgs, ExportGenesisHead, ExportGenesisWasm};
pub use collator::{Metronome, Relay};
pub use fault::Fault;
pub use headway_metronome_pvf as pvf;
