//! Scenarios of backing pipeline §9.5 to §9.7, by their numbers there.

pub(crate) mod builder;
mod cluster;
mod determinism;
mod grid;
mod network;
mod random;
mod requests;
mod responses;
mod world;
