//! Builds the runtime a second time, for Wasm, and embeds the blob.

fn main() {
	#[cfg(feature = "std")]
	headway_wasm_build::Blob::new("headway-relay-runtime").runtime().build();
}
