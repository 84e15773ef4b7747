//! What became of candidates: how far each came, when, and why it did not make it.
//!
//! Everything here is made of traces, but for what the newest leaf says of cores. [`ChainEvents`] turns what relay blocks say of candidates into
//! traces; [`Lifecycle`] takes all traces of a node and remembers, per para, what happened to the newest candidates. RPC,
//! metrics, `headway explain` and the status of a testnet are views of it.
//!
//! It decides nothing: no machine asks what is remembered here. It has no clock and does no I/O.
//!
//! | module | what is in it |
//! |---|---|
//! | [`chain`] | what relay blocks say of candidates, as traces |
//! | [`record`] | what is known of one candidate, and what came of it |
//! | [`store`] | all of them, within bounds |

#![forbid(unsafe_code)]

pub mod chain;
pub mod record;
pub mod store;

pub use chain::ChainEvents;
pub use record::{LossRecord, Outcome, Reached, Record};
pub use store::{Advance, LastLoss, Lifecycle, Limits, ParaSnapshot, Tally};

#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod tests;

#[cfg(feature = "fuzzing")]
pub use tests::arbitrary::check_arbitrary;
