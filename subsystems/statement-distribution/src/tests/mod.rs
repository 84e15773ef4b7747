//! Scenarios of backing pipeline §9.5 to §9.7, bad input, and arbitrary events.

pub(crate) mod arbitrary;
pub(crate) mod builder;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod determinism;
#[cfg(test)]
mod grid;
#[cfg(test)]
mod input;
#[cfg(test)]
mod network;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod responses;
mod world;
