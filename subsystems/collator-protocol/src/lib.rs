//! The collator protocol: how a collation gets from the collator that built it to the validators that may
//! back it.
//!
//! Collators connect to the group that is assigned to their para's core, say who they are, and advertise what
//! they have. Validators fetch as much as the claim queue has room for, check that it is what was advertised,
//! and hand it to backing. Backing pipeline §5; this crate has the validator side of §5.4, the opt-in one of
//! §5.5 and the collator side of §5.7.
//!
//! Neither side validates a candidate, keeps one beyond its scheduling parent, or decides what is backed.
//!
//! # Map
//!
//! - [`validator_side`]: [`ValidatorSide`], which accepts advertisements and fetches collations
//! - [`experimental`]: [`ExperimentalSide`], which takes its place if the operator wants: it knows segments, and
//!   keeps a score of every collator
//! - [`collator_side`]: [`CollatorSide`], which advertises and serves collations
//! - `declaration`: [`Declaration`], by which a collator says who it is
//! - `incoming`, `collation`, `seconding`: what both validator sides share, in the order in which a collation
//!   meets it

#![forbid(unsafe_code)]

mod collation;
pub mod collator_side;
mod declaration;
pub mod experimental;
mod incoming;
mod seconding;
pub mod validator_side;

pub use collator_side::CollatorSide;
pub use declaration::Declaration;
pub use experimental::ExperimentalSide;
pub use validator_side::ValidatorSide;

/// The subsystem's name in traces.
const NAME: &str = "collator-protocol";
