//! The blob's surface: one export, three imports. The only module with `unsafe`, all of it at the border to the host.

use alloc::boxed::Box;
use codec::Encode;
use core::alloc::{GlobalAlloc, Layout};

#[link(wasm_import_module = "env")]
extern "C" {
	fn ext_allocator_malloc_version_1(size: u32) -> *mut u8;
	fn ext_allocator_free_version_1(pointer: *mut u8);
	fn ext_logging_log_version_1(level: u32, target: u64, message: u64);
}

/// The host's allocator: it owns the heap, where it also put the arguments.
struct HostAllocator;

/// What the host aligns to.
const ALIGNMENT: usize = 8;

// SAFETY: the host hands out disjoint regions of at least the size asked for, aligned to 8 bytes, and traps when it cannot;
// larger alignments are refused.
unsafe impl GlobalAlloc for HostAllocator {
	unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
		if layout.align() > ALIGNMENT {
			return core::ptr::null_mut();
		}
		unsafe { ext_allocator_malloc_version_1(layout.size() as u32) }
	}

	unsafe fn dealloc(&self, pointer: *mut u8, _: Layout) {
		unsafe { ext_allocator_free_version_1(pointer) }
	}
}

#[global_allocator]
static ALLOCATOR: HostAllocator = HostAllocator;

/// A pointer and a length as the host wants them: one number.
fn packed(bytes: &[u8]) -> u64 {
	(bytes.len() as u64) << 32 | bytes.as_ptr() as u64
}

/// Tells the host why, and traps: that is how a validation function says no.
fn refuse(message: &str) -> ! {
	const ERROR: u32 = 0;
	// SAFETY: both slices outlive the call, which only reads them.
	unsafe { ext_logging_log_version_1(ERROR, packed(b"metronome"), packed(message.as_bytes())) };
	core::arch::wasm32::unreachable()
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
	refuse("panicked")
}

#[no_mangle]
extern "C" fn validate_block(arguments: *const u8, len: usize) -> u64 {
	// SAFETY: the host wrote `len` bytes there before the call, and nothing else uses them.
	let arguments = unsafe { core::slice::from_raw_parts(arguments, len) };
	match crate::validate(arguments) {
		// Leaked: the host reads it after the return, and drops the whole memory then.
		Ok(result) => packed(Box::leak(result.encode().into_boxed_slice())),
		Err(invalid) => refuse(invalid.message()),
	}
}
