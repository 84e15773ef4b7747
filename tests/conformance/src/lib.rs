//! Comparison with the reference implementation: everything that another node, a parachain or a tool can see of us as
//! bytes is held against `polkadot-primitives` and `polkadot-parachain-primitives`.
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
