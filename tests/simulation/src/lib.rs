//! Many virtual nodes under virtual time: the real machines on the real runtime, and a model of the network.
//!
//! A [`World`] holds validators and collators, each with the joined machines of `headway-pipeline`, a [`network`] with seeded
//! latency and loss, and a [`relay`] chain whose blocks are made and executed by the runtime's native build. In storms things
//! go wrong as its [`Config`] says: messages are lost, nodes crash, the chain forks, validators lie. All the time a [`judge`]
//! watches what must hold whatever happens. Nothing in it reads a clock or a source of randomness: the same configuration
//! gives the same [`trace`], byte for byte.
//!
//! It says nothing about what is not modelled: PVFs are a flag in the block, disks never fail, banned peers come back
//! with the next calm, and blocks take no time to execute.
//!
//! | module | what is in it |
//! |---|---|
//! | [`config`] | what a world is made of, and what goes wrong in it |
//! | [`world`] | time, events, the nodes, and what they ask for |
//! | [`relay`] | the relay chain: the runtime on states in memory |
//! | [`network`] | how long messages take, and which are lost |
//! | [`collator`] | blocks of the simulated paras |
//! | [`judge`] | what must hold |
//! | [`campaign`] | many worlds, and the smallest one that fails |
//! | [`keys`], [`dice`], [`trace`] | reproducible signatures, decisions, and their record |

#![forbid(unsafe_code)]

pub mod campaign;
pub mod collator;
pub mod config;
pub mod dice;
pub mod judge;
pub mod keys;
pub mod network;
pub mod relay;
pub mod trace;
pub mod world;

pub use config::{Config, Fault};
pub use world::{ParaFigures, World};
