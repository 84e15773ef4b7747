//! Prospective parachains: which candidates can follow which.
//!
//! Under asynchronous backing a candidate may build on others that are not included, not even backed yet.
//! This machine keeps, for every relay block that may schedule candidates and every para, a *fragment chain*:
//! the candidates that can be backed on chain next, in their order, and beside it those that may get a place
//! later. It answers whether a candidate could be added, what comes next on chain, and what validation of a
//! candidate on top of another starts from.
//!
//! It never validates, never counts votes, and never talks to peers: candidates come from `backing`, which
//! has checked who seconded them. It asks the driver one thing, and only for descriptors of version 3: relay
//! parents older than what the leaf's context says.
//!
//! Where synchronous backing is configured, the same machine runs with a narrower rule: a candidate builds on
//! the included head, at the leaf, and only while nothing of its para is pending.
//!
//! | module | what is in it |
//! |---|---|
//! | [`events`] | what the machine hears and says |
//! | [`machine`] | the machine: operations, answers, the change of leaves |
//! | `scheduling_parent` | a relay block with the chains of its paras, built from its context |
//! | `chain` | the fragment chain: the path, the candidates beside it, forks, cycles |
//! | `claims` | which candidates the claim queue can still place |
//! | `losses` | which candidates lost their last place, and that it is said once |
//! | `passed` | heads that a para has left behind: what builds on them has lost |
//! | `questions` | relay parents that have to be asked for, and what waits for them |
//! | `candidate`, `storage` | a candidate with its hashes; candidates by hash and by head |
//! | [`refusal`] | why a candidate has no place |
//! | `view` | a fragment chain for people to look at |
//!
//! Follows the backing pipeline specification §2; the rules of a single step are
//! `headway_primitives::constraints`.

#![forbid(unsafe_code)]

#[cfg(any(test, feature = "fuzzing"))]
mod arbitrary;
mod candidate;
mod chain;
mod claims;
pub mod events;
mod losses;
pub mod machine;
mod passed;
mod questions;
pub mod refusal;
mod scheduling_parent;
mod storage;
mod view;

#[cfg(feature = "fuzzing")]
pub use arbitrary::check_arbitrary;
pub use chain::MAX_CANDIDATES;
pub use events::{Effect, Event, Stats};
pub use machine::{ProspectiveParachains, SUBSYSTEM};
pub use passed::MAX_PASSED_HEADS;
pub use questions::{MAX_PARKED, MAX_QUESTIONS};
pub use refusal::Refusal;
pub use scheduling_parent::MAX_RELAY_PARENTS;
