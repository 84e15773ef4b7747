//! Host functions that note when the runtime calls them, in front of Substrate's own; and the clock.
//!
//! They take the place of the functions of the same name, do what those do, and leave a note for whoever runs the
//! runtime on the same thread.

use std::{cell::RefCell, collections::HashSet, time::Duration};

/// What the runtime is timed with: verifications of signatures are noted.
pub type TimedHostFunctions =
	sp_wasm_interface::ExtendedHostFunctions<sp_io::SubstrateHostFunctions, crypto::HostFunctions>;
/// What database accesses are counted with. The counting costs time.
pub type CountingHostFunctions =
	sp_wasm_interface::ExtendedHostFunctions<sp_io::SubstrateHostFunctions, storage::HostFunctions>;

/// One verification of a signature.
#[derive(Clone, Copy, Debug)]
pub struct Verification {
	/// Whether the message is a statement about a candidate; otherwise it is a bitfield.
	pub is_statement: bool,
	/// Time on the clock when it began.
	pub start: Duration,
	/// Time on the clock when it was done.
	pub end: Duration,
}

/// Keys that were accessed.
#[derive(Default, Debug)]
pub struct Accesses {
	/// Keys whose values were read before they were written, if ever.
	pub reads: HashSet<Vec<u8>>,
	/// Keys that were written.
	pub writes: HashSet<Vec<u8>>,
}

impl Accesses {
	fn read(&mut self, key: &[u8]) {
		if !self.writes.contains(key) {
			self.reads.insert(key.to_vec());
		}
	}
}

thread_local! {
	static VERIFICATIONS: RefCell<Vec<Verification>> = const { RefCell::new(Vec::new()) };
	static ACCESSES: RefCell<Accesses> = RefCell::new(Accesses::default());
}

/// Verifications on this thread since this was last called.
pub fn take_verifications() -> Vec<Verification> {
	VERIFICATIONS.take()
}

/// Accesses on this thread since this was last called.
pub fn take_accesses() -> Accesses {
	ACCESSES.take()
}

/// Processor time of this thread. Other than the time of day it does not run while somebody else's work does.
pub fn cpu_time() -> Duration {
	let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
	// SAFETY: the pointer is to a value that lives longer than the call.
	let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
	assert_eq!(result, 0, "the clock exists on all systems that the node runs on");
	// Both are not negative, and the second is below a billion.
	Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn verify(message: &[u8], check: impl FnOnce() -> bool) -> bool {
	let is_statement = message.starts_with(&headway_primitives::BACKING_STATEMENT_MAGIC);
	let start = cpu_time();
	let valid = check();
	let verification = Verification { is_statement, start, end: cpu_time() };
	VERIFICATIONS.with(|verifications| verifications.borrow_mut().push(verification));
	valid
}

/// Verification of signatures.
// The macro asks for a configuration that only runtimes know.
#[allow(missing_docs, unexpected_cfgs)]
mod crypto_interface {
	use super::verify;
	use sp_core::{sr25519, Pair};
	use sp_runtime_interface::{
		pass_by::{PassFatPointerAndRead, PassPointerAndRead},
		runtime_interface,
	};

	#[runtime_interface]
	pub trait Crypto {
		fn sr25519_verify(
			signature: PassPointerAndRead<&sr25519::Signature, 64>,
			message: PassFatPointerAndRead<&[u8]>,
			key: PassPointerAndRead<&sr25519::Public, 32>,
		) -> bool {
			verify(message, || sr25519::Pair::verify_deprecated(signature, message, key))
		}

		#[version(2)]
		fn sr25519_verify(
			signature: PassPointerAndRead<&sr25519::Signature, 64>,
			message: PassFatPointerAndRead<&[u8]>,
			key: PassPointerAndRead<&sr25519::Public, 32>,
		) -> bool {
			verify(message, || sr25519::Pair::verify(signature, message, key))
		}
	}
}

/// Access to storage.
// The macro asks for a configuration that only runtimes know.
#[allow(missing_docs, unexpected_cfgs)]
mod storage_interface {
	use super::ACCESSES;
	use sp_runtime_interface::{
		pass_by::{AllocateAndReturnByCodec, PassFatPointerAndRead, PassFatPointerAndReadWrite},
		runtime_interface,
	};

	fn note_read(key: &[u8]) {
		ACCESSES.with(|accesses| accesses.borrow_mut().read(key));
	}

	fn note_write(key: &[u8]) {
		ACCESSES.with(|accesses| accesses.borrow_mut().writes.insert(key.to_vec()));
	}

	#[runtime_interface]
	pub trait Storage {
		fn get(&mut self, key: PassFatPointerAndRead<&[u8]>) -> AllocateAndReturnByCodec<Option<Vec<u8>>> {
			note_read(key);
			self.storage(key)
		}

		fn read(
			&mut self,
			key: PassFatPointerAndRead<&[u8]>,
			out: PassFatPointerAndReadWrite<&mut [u8]>,
			offset: u32,
		) -> AllocateAndReturnByCodec<Option<u32>> {
			note_read(key);
			let value = self.storage(key)?;
			let rest = value.get(offset as usize..).unwrap_or_default();
			let len = rest.len().min(out.len());
			out[..len].copy_from_slice(&rest[..len]);
			Some(rest.len() as u32)
		}

		fn exists(&mut self, key: PassFatPointerAndRead<&[u8]>) -> bool {
			note_read(key);
			self.exists_storage(key)
		}

		fn set(&mut self, key: PassFatPointerAndRead<&[u8]>, value: PassFatPointerAndRead<&[u8]>) {
			note_write(key);
			self.set_storage(key.to_vec(), value.to_vec());
		}

		fn clear(&mut self, key: PassFatPointerAndRead<&[u8]>) {
			note_write(key);
			self.clear_storage(key);
		}

		fn append(&mut self, key: PassFatPointerAndRead<&[u8]>, value: PassFatPointerAndRead<Vec<u8>>) {
			note_write(key);
			self.storage_append(key.to_vec(), value);
		}
	}
}

pub use crypto_interface::crypto;
pub use storage_interface::storage;
