//! Writes what the pallets of the reference look like from outside, and host configurations as it encodes them.
//!
//! `cargo run` here overwrites `pallets.txt` and `host_configurations.json`. Pallet names and indices are those of
//! Rococo, which live in its runtime and not in the pallets: see `runtime`.

mod configurations;
mod runtime;
#[path = "../../tests/reference/shape.rs"]
#[allow(dead_code)]
mod shape;

use frame_metadata::RuntimeMetadata;
use shape::Surface;
use std::{fs, io, path::Path};

/// Pallets that only serve to configure the others.
const SCAFFOLDING: [&str; 4] = ["System", "Babe", "Timestamp", "Balances"];

fn pallets() -> String {
	let RuntimeMetadata::V14(metadata) = runtime::Runtime::metadata().1 else {
		panic!("the runtime gives metadata of version 14");
	};
	let mut surface = Surface::new();
	for pallet in metadata.pallets.iter().filter(|pallet| !SCAFFOLDING.contains(&pallet.name.as_str())) {
		surface.extend(shape::describe_pallet(&metadata.types, pallet));
	}
	surface.into_iter().map(|(key, description)| format!("{key} | {description}\n")).collect()
}

fn main() -> io::Result<()> {
	let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
	fs::write(folder.join("pallets.txt"), pallets())?;
	fs::write(folder.join("host_configurations.json"), configurations::json())
}
