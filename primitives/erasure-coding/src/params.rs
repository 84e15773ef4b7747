//! What follows from the number of validators: thresholds and chunk lengths (specification, sections 0.3 and
//! 3.1).

use crate::error::Error;

/// The most validators that the code can serve: the number of elements of GF(2^16).
pub const MAX_VALIDATORS: usize = 1 << 16;

/// Bytes in a symbol of the code.
pub(crate) const SYMBOL_BYTES: usize = 2;

/// How many chunks a caller collects before it decodes: `floor((n − 1) / 3) + 1`.
///
/// It is one more than the number of validators that may be faulty.
///
/// Errors: [`Error::NotEnoughValidators`] below 2, [`Error::TooManyValidators`] above [`MAX_VALIDATORS`].
pub const fn recovery_threshold(n_validators: usize) -> Result<usize, Error> {
	if n_validators > MAX_VALIDATORS {
		return Err(Error::TooManyValidators { n_validators });
	}
	if n_validators < 2 {
		return Err(Error::NotEnoughValidators { n_validators });
	}
	Ok((n_validators - 1) / 3 + 1)
}

/// How many chunks determine the payload: the largest power of two that is not above the
/// [`recovery_threshold`]. So many chunks at the beginning are the payload itself.
///
/// Errors as [`recovery_threshold`].
pub const fn systematic_recovery_threshold(n_validators: usize) -> Result<usize, Error> {
	match recovery_threshold(n_validators) {
		Ok(threshold) => Ok(1 << threshold.ilog2()),
		Err(error) => Err(error),
	}
}

/// The code for a number of validators. To have one means that the number is one that the code can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeParams {
	n_validators: usize,
	recovery_threshold: usize,
	systematic_threshold: usize,
}

impl CodeParams {
	/// The code for `n_validators`. Errors as [`recovery_threshold`].
	pub const fn new(n_validators: usize) -> Result<Self, Error> {
		let recovery_threshold = match recovery_threshold(n_validators) {
			Ok(threshold) => threshold,
			Err(error) => return Err(error),
		};
		let systematic_threshold = match systematic_recovery_threshold(n_validators) {
			Ok(threshold) => threshold,
			Err(error) => return Err(error),
		};
		Ok(Self { n_validators, recovery_threshold, systematic_threshold })
	}

	/// Validators, which is also the number of chunks.
	pub const fn n_validators(&self) -> usize {
		self.n_validators
	}

	/// See [`recovery_threshold`].
	pub const fn recovery_threshold(&self) -> usize {
		self.recovery_threshold
	}

	/// See [`systematic_recovery_threshold`].
	pub const fn systematic_threshold(&self) -> usize {
		self.systematic_threshold
	}

	/// Length in bytes of each chunk of a payload of `payload_len` bytes. It is even, and 0 only for an empty
	/// payload.
	pub const fn chunk_len(&self, payload_len: usize) -> usize {
		payload_len.div_ceil(SYMBOL_BYTES).div_ceil(self.systematic_threshold) * SYMBOL_BYTES
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn validators_outside_2_to_65536_are_refused() {
		for n_validators in [0, 1] {
			let error = Err(Error::NotEnoughValidators { n_validators });
			assert_eq!(recovery_threshold(n_validators), error);
			assert_eq!(systematic_recovery_threshold(n_validators), error);
			assert_eq!(CodeParams::new(n_validators).map(|_| 0), error);
		}
		for n_validators in [65_537, usize::MAX] {
			let error = Err(Error::TooManyValidators { n_validators });
			assert_eq!(recovery_threshold(n_validators), error);
			assert_eq!(systematic_recovery_threshold(n_validators), error);
			assert_eq!(CodeParams::new(n_validators).map(|_| 0), error);
		}
		assert!(CodeParams::new(2).is_ok());
		assert!(CodeParams::new(65_536).is_ok());
	}

	#[test]
	fn thresholds_by_number_of_validators() {
		#[rustfmt::skip]
        let table = [
            // n, recovery, systematic
            (2, 1, 1), (3, 1, 1), (4, 2, 2), (5, 2, 2), (6, 2, 2), (7, 3, 2), (9, 3, 2), (10, 4, 4),
            (16, 6, 4), (22, 8, 8), (100, 34, 32), (333, 111, 64), (1000, 334, 256), (1023, 341, 256),
            (65_536, 21_846, 16_384),
        ];
		for (n, recovery, systematic) in table {
			let params = CodeParams::new(n).unwrap();
			assert_eq!(params.n_validators(), n);
			assert_eq!(
				(params.recovery_threshold(), params.systematic_threshold()),
				(recovery, systematic),
				"n = {n}"
			);
			assert_eq!(recovery_threshold(n), Ok(recovery));
			assert_eq!(systematic_recovery_threshold(n), Ok(systematic));
		}
	}

	#[test]
	fn chunks_hold_whole_symbols() {
		let params = CodeParams::new(10).unwrap();
		for (payload, chunk) in [(0, 0), (1, 2), (2, 2), (7, 2), (8, 2), (9, 4), (16, 4), (17, 6)] {
			assert_eq!(params.chunk_len(payload), chunk, "payload of {payload} bytes");
		}
		assert!(params.chunk_len(usize::MAX) > 0, "no overflow");
	}
}
