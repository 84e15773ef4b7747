//! What the runtime asks of the host while it is benchmarked.
//!
//! The reference commits the state between set-up and measurement into a database that counts. Here every run
//! has an overlay of its own, which is thrown away, so there is nothing to commit and nothing to wipe; accesses
//! are counted by [`crate::host::storage`], where the executor has it.

use crate::host::{cpu_time, storage, take_accesses};
use sp_core::storage::TrackedStorageKey;
use std::cell::RefCell;

/// What is timed with.
pub type TimedHostFunctions =
	sp_wasm_interface::ExtendedHostFunctions<sp_io::SubstrateHostFunctions, benchmarking::HostFunctions>;
/// What accesses are counted with.
pub type CountingHostFunctions = sp_wasm_interface::ExtendedHostFunctions<
	sp_io::SubstrateHostFunctions,
	(benchmarking::HostFunctions, storage::HostFunctions),
>;

thread_local! {
	/// Values whose accesses cost nothing: every block has them at hand.
	static WHITELIST: RefCell<Vec<TrackedStorageKey>> = const { RefCell::new(Vec::new()) };
}

/// Forgets everything about earlier runs on this thread.
pub fn reset() {
	take_accesses();
	WHITELIST.take();
}

/// Values that were read and written since they were last counted, without those that cost nothing.
fn count() -> (u32, u32) {
	let accesses = take_accesses();
	WHITELIST.with_borrow(|whitelist| {
		let counts = |key: &&Vec<u8>| !whitelist.iter().any(|free| free.key == **key);
		let count = |keys: &std::collections::HashSet<Vec<u8>>| keys.iter().filter(counts).count() as u32;
		(count(&accesses.reads), count(&accesses.writes))
	})
}

/// Host functions of the crate `frame-benchmarking`, under the same names.
// The macro asks for a configuration that only runtimes know.
#[allow(missing_docs, unexpected_cfgs)]
mod interface {
	use super::*;
	use sp_runtime_interface::{
		pass_by::{
			AllocateAndReturnByCodec, AllocateAndReturnPointer, PassFatPointerAndDecode,
			PassFatPointerAndRead,
		},
		runtime_interface,
	};

	#[runtime_interface]
	pub trait Benchmarking {
		/// Nanoseconds on the processor's clock of this thread: that of the day runs for others, too.
		fn current_time() -> AllocateAndReturnPointer<[u8; 16], 16> {
			cpu_time().as_nanos().to_le_bytes()
		}

		fn wipe_db(&mut self) {}

		fn commit_db(&mut self) {}

		fn reset_read_write_count(&mut self) {
			take_accesses();
		}

		/// Reads and writes, each with repeated ones, which cost nothing.
		fn read_write_count(&self) -> AllocateAndReturnByCodec<(u32, u32, u32, u32)> {
			let (reads, writes) = count();
			(reads, 0, writes, 0)
		}

		fn get_whitelist(&self) -> AllocateAndReturnByCodec<Vec<TrackedStorageKey>> {
			WHITELIST.with_borrow(Vec::clone)
		}

		fn set_whitelist(&mut self, new: PassFatPointerAndDecode<Vec<TrackedStorageKey>>) {
			WHITELIST.set(new);
		}

		fn add_to_whitelist(&mut self, add: PassFatPointerAndDecode<TrackedStorageKey>) {
			WHITELIST.with_borrow_mut(|whitelist| whitelist.push(add));
		}

		fn remove_from_whitelist(&mut self, remove: PassFatPointerAndRead<Vec<u8>>) {
			WHITELIST.with_borrow_mut(|whitelist| whitelist.retain(|free| free.key != remove));
		}

		/// Which values they were is not told.
		fn get_read_and_written_keys(&self) -> AllocateAndReturnByCodec<Vec<(Vec<u8>, u32, u32, bool)>> {
			Vec::new()
		}

		/// There is no proof: nobody validates this chain's blocks without its state.
		fn proof_size(&self) -> AllocateAndReturnByCodec<Option<u32>> {
			None
		}
	}
}

pub use interface::benchmarking;
