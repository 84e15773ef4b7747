//! Compares us with the reference. See the documentation of the crate.

mod configuration;
mod descriptors;
mod encodings;
mod generate;
mod rules;
mod shape;
mod signals;
mod signing;
mod surface;

use codec::{DecodeAll, Encode};

/// Generated values per comparison.
const CASES: u64 = 200;

/// The value as the other side's type.
fn convert<From: Encode, To: DecodeAll>(value: &From) -> To {
	To::decode_all(&mut &value.encode()[..]).expect("both sides encode alike, which `encodings` tests")
}
