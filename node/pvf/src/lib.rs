//! Prepares and executes validation functions (availability, approval, disputes §4).
//!
//! A parachain's validation function is code from strangers. It is compiled ("prepared") once per code and executed once per
//! candidate, both in worker processes: this same program, started again with a hidden subcommand, one job at a time. What
//! goes wrong in a worker costs that worker; the [`Host`] in the node starts another.
//!
//! The crate reports what happened. Whose fault it was, whether an execution is tried again, and what its result is compared with,
//! is decided by the candidate-validation machine (§4.3). It never touches the chain or the network.
//!
//! | module | what is in it |
//! |---|---|
//! | [`host`] | [`Host`]: the handle that the node calls |
//! | [`artifacts`] | compiled code on disk: who is it for, how long does it stay |
//! | [`slots`] | how many workers at once, and who comes next |
//! | [`output`] | what workers say, in the node's log |
//! | [`process`] | a worker process, seen from the host |
//! | [`worker`] | the worker's own `main` functions |
//! | [`engine`] | the Wasm engine and its semantics; called in workers only |
//! | `externalities` | what surrounds a call: no storage |
//! | [`protocol`] | what host and worker say to each other |
//! | [`error`] | what can go wrong |
//! | [`metrics`] | Prometheus metrics |

#![deny(unsafe_code)]

pub mod artifacts;
pub mod engine;
pub mod error;
mod externalities;
pub mod host;
pub mod metrics;
pub mod output;
pub mod process;
pub mod protocol;
pub mod slots;
pub mod worker;

pub use error::{PrepareError, StartError, StartError as Error};
pub use host::{Host, HostConfig};
