//! Decisions from bytes.

/// Bytes that decide. When they are used up every further decision is the first, the simple one.
pub struct Entropy<'a> {
	bytes: &'a [u8],
}

impl<'a> Entropy<'a> {
	/// Decisions from these bytes.
	pub fn new(bytes: &'a [u8]) -> Self {
		Self { bytes }
	}

	/// A byte.
	pub(super) fn byte(&mut self) -> u8 {
		match self.bytes.split_first() {
			Some((first, rest)) => {
				self.bytes = rest;
				*first
			},
			None => 0,
		}
	}

	/// A number below `n`, or 0.
	pub(super) fn below(&mut self, n: usize) -> usize {
		match n {
			0 | 1 => 0,
			2..=256 => usize::from(self.byte()) % n,
			_ => usize::from(u16::from_le_bytes([self.byte(), self.byte()])) % n,
		}
	}

	/// True in `n` of 256 cases.
	pub(super) fn chance(&mut self, n: u8) -> bool {
		self.byte() > 255 - n
	}

	/// 32 bytes.
	pub(super) fn hash(&mut self) -> headway_primitives::Hash {
		headway_primitives::Hash::repeat_byte(self.byte())
	}
}
