//! The relay chain: the real runtime, executed as the host's build, on states in memory.
//!
//! | module | what is in it |
//! |---|---|
//! | [`genesis`] | the first block |
//! | [`ledger`] | blocks, their states on all forks, and the runtime's API at each of them |
//! | [`author`] | new blocks: the runtime selects from an offer and executes what is left |
//! | [`contexts`] | what nodes know of blocks, by the code of the node |

pub mod author;
pub mod contexts;
pub mod genesis;
pub mod ledger;

pub use author::{Made, Offer};
pub use contexts::{Contexts, Localized};
pub use genesis::Spec;
pub use ledger::Ledger;
