//! Many virtual nodes under virtual time: the real machines, a model of everything around them.
//!
//! A [`World`] holds validators and collators, each with the joined machines of `headway-pipeline`, a [`network`] with seeded
//! latency and loss, and a [`chain`] that applies the rules of inclusion to what authors provide. Nothing in it reads a clock
//! or a source of randomness: the same [`Config`] gives the same trace, byte for byte.
//!
//! | module | what is in it |
//! |---|---|
//! | [`world`] | time, events, the nodes, and what they ask for |
//! | [`chain`] | a relay chain that knows backing and inclusion, and nothing else |
//! | [`network`] | how long messages take, and which are lost |
//! | [`collator`] | the decision which para block to build next |

#![forbid(unsafe_code)]

pub mod chain;
pub mod collator;
pub mod network;
pub mod world;

pub use world::{Config, World};
