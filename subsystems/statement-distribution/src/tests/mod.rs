//! Scenarios of backing pipeline §9.5 to §9.7, bad input, and arbitrary events.

mod arbitrary;
pub(crate) mod builder;
mod cluster;
mod determinism;
mod grid;
mod input;
mod network;
mod requests;
mod responses;
mod world;
