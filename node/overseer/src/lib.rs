//! Drives the machines: gives them the chain, the network, time and answers, and carries out what they ask.
//!
//! One task owns the joined machines of [`headway_pipeline`]. It takes an event or a deadline, calls the machine, and carries out the
//! effects: messages go to the bridge, slow work to blocking threads and worker processes, and its results come back as
//! events. The task itself decides nothing and never waits for work.
//!
//! | module | what is in it |
//! |---|---|
//! | [`context`] | assembles what machines know of relay blocks, from the runtime |
//! | [`leaves`] | follows the chain: which blocks are leaves |
//! | [`driver`] | the loop |
//! | `clock` | the time that machines are told |
//! | [`work`] | carries out effects that are slow |
//! | [`metrics`] | Prometheus metrics, from traces and from the loop |

#![forbid(unsafe_code)]

mod clock;
pub mod context;
pub mod driver;
pub mod leaves;
pub mod metrics;
pub mod work;

pub use driver::{channel, start, Handle, Inbox, Machine, Parts, ProvisionError};
pub use work::KeystoreSigner;
