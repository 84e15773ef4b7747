//! Pallets of the parachains protocol: what the relay chain decides about parachains.
//!
//! Every relay block carries one inherent with availability bitfields and backed candidates. These pallets
//! check it against the state (who is scheduled, what the previous head is, who may vote), occupy cores with
//! the candidates that pass, and include them once more than two thirds of the validators hold their chunks.
//!
//! They never do what the node is there for: they execute no validation function, store no proof of validity
//! and know nothing of approval. Pallet names, storage layouts, calls and events are those of the reference,
//! because parachains, nodes and tools read them by key or by index.
//!
//! | module | what is in it |
//! |---|---|
//! | [`configuration`] | parameters of the protocol, changed two sessions ahead |
//! | [`shared`] | session, active validators, allowed scheduling and relay parents |
//! | [`scheduler`] | groups, their rotation, and who may use which core: the claim queue |
//! | [`paras`] | registered paras: heads, code, upgrades, lifecycle |
//! | [`inclusion`] | candidates that wait for availability; checks, backing, enactment |
//! | [`paras_inherent`] | the inherent: drops what does not pass, within the weight of a block |
//! | [`initializer`] | order of the others at block and session boundaries, genesis included |
//! | [`session_info`] | what nodes need of past sessions |
//! | [`disputes`] | votes about candidates, their conclusion, and offences of those who lost |
//! | [`dmp`], [`hrmp`] | messages from the relay chain and between paras |
//! | [`hrmp_notify`] | whom [`hrmp`] tells of channels |
//! | [`registrar`] | paras that accounts register, and their deposits |
//! | [`coretime`] | what the chain that sells coretime may do: assign cores, ask for revenue, queue orders |
//! | [`on_demand`] | orders of single blocks: their price, who paid, and the queue that pool cores serve |
//! | [`paras_sudo_wrapper`] | calls by root: register paras |
//! | [`origin`] | the origin of calls that a para makes |
//! | [`runtime_api`] | answers to the node |
//! | `test_support` | hostile inherents for tests and fuzzing; not in a runtime |
//! | [`weights`] | cost of what is not measured; what is, is in the module `weights` of each pallet |
//! | `benchmarking` | with the feature `runtime-benchmarks`: what the benchmarks of the pallets share |

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
// The macros of FRAME generate public items without documentation.
#![allow(missing_docs, unreachable_pub)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
pub mod configuration;
pub mod coretime;
pub mod disputes;
pub mod dmp;
pub mod hrmp;
pub mod hrmp_notify;
pub mod inclusion;
pub mod initializer;
pub mod on_demand;
pub mod origin;
pub mod paras;
pub mod paras_inherent;
pub mod paras_sudo_wrapper;
pub mod registrar;
pub mod runtime_api;
pub mod scheduler;
pub mod session_info;
pub mod shared;
mod util;
pub mod weights;

#[cfg(any(test, feature = "test-support"))]
#[cfg_attr(not(test), allow(dead_code))]
mod mock;
#[cfg(any(test, feature = "test-support"))]
pub mod test_support;

pub use initializer::SessionChangeNotification;
