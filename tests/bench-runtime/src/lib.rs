//! What the inherent of the parachains costs in Wasm, part by part: `make bench-runtime`. And, with the feature
//! `weights`, what calls weigh: `make bench-weights`.
//!
//! A relay chain in memory, with real keys and real signatures, is brought to the block that costs most without
//! disputes: every core holds a candidate, every validator says that all of them are available, and every core
//! gets the next candidate. Variants of that block's inherent are executed over and over from the same state.
//! What the host does for the runtime (signatures) is timed within the run; the other parts follow from where
//! those calls lie and from differences between variants ([`report`] says which).
//!
//! It never touches the network or a disk, and the same parameters give the same blocks, byte for byte. It knows
//! the runtime only by its API and the types of its inherent, and takes no part of the runtime's code apart. It
//! judges nothing: it prints what was measured beside what the runtime's weights claim.
//!
//! | module | what is in it |
//! |---|---|
//! | [`chain`] | blocks through the runtime API, on a state in memory |
//! | [`network`] | validators, paras, and the bitfields and candidates that they make |
//! | [`host`] | host functions that note when they are called; the clock |
//! | [`measure`] | variants of the inherent, executed and timed |
//! | [`report`] | parts, their weights, and the tables that are printed |
//! | [`native`] | the runtime without Wasm, for tests of all this |
//! | [`program`] | what the programs have in common |
//! | `weights` | the benchmarks of the pallets, run and written down |

pub mod chain;
pub mod host;
pub mod measure;
pub mod native;
pub mod network;
pub mod program;
pub mod report;
#[cfg(test)]
mod tests;
#[cfg(feature = "weights")]
pub mod weights;
