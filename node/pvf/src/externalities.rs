//! What a validation function finds around it (availability, approval, disputes §4.1): no storage, and a way to read a runtime's
//! version.
//!
//! `frame_system` asks the host for the version of new code when a block applies a checked upgrade, and parachains do so within
//! `validate_block`. Storage is not replaced by something empty: a call panics, and the engine makes a trap of that.

use codec::Encode;
use sc_executor_common::runtime_blob::RuntimeBlob;
use sp_core::{
	storage::{ChildInfo, StateVersion, TrackedStorageKey},
	traits::{ReadRuntimeVersion, ReadRuntimeVersionExt},
};
use sp_externalities::{Extension, ExtensionStore, Extensions, Externalities, MultiRemovalResults};
use std::any::{Any, TypeId};

/// Externalities of one call: extensions, and nothing else.
pub(crate) struct ValidationExternalities(Extensions);

impl ValidationExternalities {
	pub(crate) fn new() -> Self {
		let mut extensions = Extensions::new();
		extensions.register(ReadRuntimeVersionExt::new(EmbeddedVersion));
		Self(extensions)
	}
}

/// Reads the version from the section in which runtimes embed it. Code without that section has none: it is not executed.
struct EmbeddedVersion;

impl ReadRuntimeVersion for EmbeddedVersion {
	fn read_runtime_version(&self, code: &[u8], _: &mut dyn Externalities) -> Result<Vec<u8>, String> {
		let blob = RuntimeBlob::uncompress_if_needed(code).map_err(|error| error.to_string())?;
		match sc_executor::read_embedded_version(&blob) {
			Ok(Some(version)) => Ok(version.encode()),
			Ok(None) => Err("the code has no section with its version".into()),
			Err(error) => Err(error.to_string()),
		}
	}
}

impl ExtensionStore for ValidationExternalities {
	fn extension_by_type_id(&mut self, id: TypeId) -> Option<&mut dyn Any> {
		self.0.get_mut(id)
	}

	fn register_extension_with_type_id(
		&mut self,
		id: TypeId,
		extension: Box<dyn Extension>,
	) -> Result<(), sp_externalities::Error> {
		self.0.register_with_type_id(id, extension)
	}

	fn deregister_extension_by_type_id(&mut self, id: TypeId) -> Result<(), sp_externalities::Error> {
		let known = self.0.deregister(id);
		known.then_some(()).ok_or(sp_externalities::Error::ExtensionIsNotRegistered(id))
	}
}

/// Methods that panic.
macro_rules! forbidden {
	($($name:ident($($argument:ty),*) $(-> $result:ty)?;)*) => {
		$(fn $name(&mut self $(, _: $argument)*) $(-> $result)? {
			panic!(concat!("a validation function has no storage: ", stringify!($name)))
		})*
	};
}

impl Externalities for ValidationExternalities {
	forbidden! {
		set_offchain_storage(&[u8], Option<&[u8]>);
		storage(&[u8]) -> Option<Vec<u8>>;
		storage_hash(&[u8]) -> Option<Vec<u8>>;
		child_storage_hash(&ChildInfo, &[u8]) -> Option<Vec<u8>>;
		child_storage(&ChildInfo, &[u8]) -> Option<Vec<u8>>;
		next_storage_key(&[u8]) -> Option<Vec<u8>>;
		next_child_storage_key(&ChildInfo, &[u8]) -> Option<Vec<u8>>;
		kill_child_storage(&ChildInfo, Option<u32>, Option<&[u8]>) -> MultiRemovalResults;
		clear_prefix(&[u8], Option<u32>, Option<&[u8]>) -> MultiRemovalResults;
		clear_child_prefix(&ChildInfo, &[u8], Option<u32>, Option<&[u8]>) -> MultiRemovalResults;
		place_storage(Vec<u8>, Option<Vec<u8>>);
		place_child_storage(&ChildInfo, Vec<u8>, Option<Vec<u8>>);
		storage_root(StateVersion) -> Vec<u8>;
		child_storage_root(&ChildInfo, StateVersion) -> Vec<u8>;
		storage_append(Vec<u8>, Vec<u8>);
		storage_start_transaction();
		storage_rollback_transaction() -> Result<(), ()>;
		storage_commit_transaction() -> Result<(), ()>;
		wipe();
		commit();
		reset_read_write_count();
		set_whitelist(Vec<TrackedStorageKey>);
	}

	fn read_write_count(&self) -> (u32, u32, u32, u32) {
		panic!("a validation function has no storage: read_write_count")
	}

	fn get_whitelist(&self) -> Vec<TrackedStorageKey> {
		panic!("a validation function has no storage: get_whitelist")
	}

	fn get_read_and_written_keys(&self) -> Vec<(Vec<u8>, u32, u32, bool)> {
		panic!("a validation function has no storage: get_read_and_written_keys")
	}
}
