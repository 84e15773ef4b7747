//! Builds the runtime a second time, for Wasm, and embeds the blob.

fn main() {
	#[cfg(feature = "std")]
	{
		let blob = headway_wasm_build::Blob::new("headway-relay-runtime").runtime();
		#[cfg(feature = "runtime-benchmarks")]
		let blob = blob.features(&["runtime-benchmarks"]);
		blob.build();
	}
}
