//! Validation codes that were used recently, so that a candidate does not cost a read of megabytes from the
//! state.

use headway_machine::Sizes;
use headway_primitives::{SessionIndex, ValidationCode, ValidationCodeHash};
use std::{collections::BTreeMap, sync::Arc};

/// Most codes that are kept.
pub(crate) const CODES_MAX: usize = 16;
/// Most bytes of code that are kept.
pub(crate) const CODE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A code, and how far it may decompress.
#[derive(Clone, Debug)]
pub(crate) struct CachedCode {
	pub(crate) code: Arc<ValidationCode>,
	pub(crate) bomb_limit: u32,
}

#[derive(Clone, Debug)]
struct Slot {
	cached: CachedCode,
	/// The scheduling session that the limit is of: another one may have another limit.
	session: SessionIndex,
	/// When it was used last, in uses.
	used: u64,
}

/// Codes by hash; the one that was not used for longest goes first.
///
/// # Bounds
///
/// [`CODES_MAX`] codes, [`CODE_BYTES_MAX`] bytes. Filled from the relay chain's state alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct CodeCache {
	codes: BTreeMap<ValidationCodeHash, Slot>,
	bytes: usize,
	uses: u64,
}

impl CodeCache {
	/// Notes how full it is.
	pub(crate) fn sizes(&self, sizes: &mut Sizes) {
		sizes.note("codes", self.codes.len(), CODES_MAX);
		sizes.note("code_bytes", self.bytes, CODE_BYTES_MAX);
	}

	pub(crate) fn get(&mut self, hash: &ValidationCodeHash, session: SessionIndex) -> Option<CachedCode> {
		let slot = self.codes.get_mut(hash).filter(|slot| slot.session == session)?;
		self.uses += 1;
		slot.used = self.uses;
		Some(slot.cached.clone())
	}

	pub(crate) fn insert(&mut self, hash: ValidationCodeHash, session: SessionIndex, cached: CachedCode) {
		self.remove(&hash);
		let size = cached.code.0.len();
		if size > CODE_BYTES_MAX {
			return;
		}
		while self.codes.len() >= CODES_MAX || self.bytes + size > CODE_BYTES_MAX {
			let Some(oldest) = self.codes.iter().min_by_key(|(_, slot)| slot.used).map(|(hash, _)| *hash)
			else {
				break;
			};
			self.remove(&oldest);
		}
		self.uses += 1;
		self.bytes += size;
		self.codes.insert(hash, Slot { cached, session, used: self.uses });
	}

	fn remove(&mut self, hash: &ValidationCodeHash) {
		if let Some(slot) = self.codes.remove(hash) {
			self.bytes -= slot.cached.code.0.len();
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn put(cache: &mut CodeCache, n: u8, size: usize) -> ValidationCodeHash {
		let code = ValidationCode(vec![n; size]);
		let hash = code.hash();
		cache.insert(hash, 0, CachedCode { code: Arc::new(code), bomb_limit: 1 });
		hash
	}

	#[test]
	fn the_least_recently_used_code_goes_first() {
		let mut cache = CodeCache::default();
		let codes: Vec<_> = (0..CODES_MAX as u8).map(|n| put(&mut cache, n, 10)).collect();
		assert!(cache.get(&codes[0], 0).is_some());
		put(&mut cache, 100, 10);
		assert!(cache.get(&codes[0], 0).is_some());
		assert!(cache.get(&codes[1], 0).is_none());
		assert_eq!(cache.bytes, CODES_MAX * 10);
	}

	#[test]
	fn bytes_are_bounded() {
		let mut cache = CodeCache::default();
		let half = CODE_BYTES_MAX / 2;
		let (a, b, c) = (put(&mut cache, 1, half), put(&mut cache, 2, half), put(&mut cache, 3, half));
		assert!(cache.get(&a, 0).is_none());
		assert!(cache.get(&b, 0).is_some() && cache.get(&c, 0).is_some());
		let too_large = put(&mut cache, 4, CODE_BYTES_MAX + 1);
		assert!(cache.get(&too_large, 0).is_none());
		assert!(cache.get(&b, 0).is_some() && cache.get(&c, 0).is_some());
	}

	#[test]
	fn another_session_may_have_another_limit() {
		let mut cache = CodeCache::default();
		let code = put(&mut cache, 1, 10);
		assert!(cache.get(&code, 0).is_some());
		assert!(cache.get(&code, 1).is_none());
	}
}
