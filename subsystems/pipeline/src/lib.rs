//! All machines of a node joined into one: which effect becomes whose event.
//!
//! [`Validator`] and [`Collator`] are machines themselves. What one inner machine asks of another is passed on at once,
//! within the same call, in the order in which it was asked; what concerns the world leaves as an [`Effect`]. So a driver,
//! whether it runs in real or in virtual time, sees one state machine and carries out a short list of effects.
//!
//! This crate decides nothing. It never changes what a machine says, drops nothing, and holds no state but the queue that
//! is empty between two calls.
//!
//! | module | what is in it |
//! |---|---|
//! | [`io`] | events and effects between the joined machines and their driver |
//! | [`validator`] | the machines of a validator, and of a full node that follows them |
//! | [`collator`] | the machines of a collator |

#![forbid(unsafe_code)]

pub mod collator;
pub mod io;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod tests;
pub mod validator;

pub use collator::Collator;
pub use io::{Asker, Effect, Event};
#[cfg(feature = "fuzzing")]
pub use tests::arbitrary::check_arbitrary;
pub use validator::{Config, Observer, Validator, Work};
