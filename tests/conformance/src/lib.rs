//! Comparison with the reference implementation: everything that another node, a parachain or a tool can see of us as
//! bytes is held against `polkadot-primitives`, `polkadot-parachain-primitives` and the reference's pallets.
//!
//! There are only tests here (`tests/reference`), and the reference is only a dev-dependency, so that nothing of it
//! can get into the node.
//!
//! | module of the tests | what is compared |
//! |---|---|
//! | `generate` | nothing: generated values, from a seed |
//! | `encodings` | SCALE encodings of every type that crosses the wire or lies in storage, also of spoilt bytes |
//! | `descriptors` | versions of candidate descriptors by both rule sets, their acceptance and accessors |
//! | `signals` | signals behind upward messages, and the cores that they select |
//! | `signing` | hashes, and the bytes that validators sign |
//! | `rules` | thresholds, rotation of groups, executor parameters, constants, well-known storage keys |
//! | `configuration` | host configurations: JSON, SCALE, consistency |
//! | `surface` | storage, calls, events and errors of the pallets, and the `ParachainHost` runtime API |
//! | `shape` | nothing: types and pallets as text |
//!
//! The pallets and the host configuration are too large to be compiled for a test: `golden` is a program with a
//! lock file of its own that writes down what they look like, and its output is committed beside it. Where we differ
//! on purpose stands in `differences.txt`, one line with its reason per difference.
