//! Compiles this crate a second time, into the Wasm blob that goes on chain.

fn main() {
	#[cfg(feature = "std")]
	headway_wasm_build::Blob::new("headway-metronome-pvf")
		.export_heap_base()
		.import_memory()
		.compress(true)
		.build();
}
