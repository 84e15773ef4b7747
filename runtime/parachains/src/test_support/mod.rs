//! Hostile inherent data, made from arbitrary bytes, and what must hold for it whatever it is.
//!
//! Both the property test of the inherent and the fuzz target of `tests/fuzz` call [`check_inherents`]: the one
//! with bytes from a seeded generator, the other with bytes that a fuzzer searches. A run is a chain of a few
//! blocks on the pallets of this crate, with real signatures. Only built for tests and with the feature
//! `test-support`; a runtime never has it.

mod entropy;
mod hostile;
mod world;

pub use entropy::Entropy;

/// Runs blocks with hostile inherents that are made from these bytes; any bytes will do.
///
/// # Panics
///
/// If in some block one of these does not hold:
///
/// * the pipeline returns (it neither panics nor fails), unless the parent header is wrong;
/// * what it returns passes the pipeline unchanged, and has the same effect as what was given to it;
/// * `enter` accepts what the author's `create_inherent` made, and what was given only if nothing of it was
///   dropped;
/// * data made by honest nodes is kept whole;
/// * afterwards no two candidates hold the same core, each para's candidates follow each other, and each was
///   backed by enough validators that are not disabled.
pub fn check_inherents(bytes: &[u8]) -> Outcome {
	world::run(&mut Entropy::new(bytes))
}

/// What came of the data, for tests to see that it reaches all corners.
#[derive(Clone, Copy, Default, Debug)]
pub struct Outcome {
	/// Blocks.
	pub blocks: usize,
	/// Candidates that were given.
	pub candidates: usize,
	/// Candidates that were backed.
	pub backed: usize,
	/// Bitfields that were given.
	pub bitfields: usize,
	/// Bitfields that passed.
	pub bitfields_kept: usize,
	/// Candidates that were included.
	pub included: usize,
	/// Blocks whose data was too much.
	pub overweight: usize,
	/// Disputes that were given.
	pub disputes: usize,
	/// Disputes that were imported.
	pub disputes_kept: usize,
	/// Blocks on a chain that a dispute has frozen.
	pub frozen: usize,
}

impl core::ops::AddAssign for Outcome {
	fn add_assign(&mut self, other: Self) {
		self.blocks += other.blocks;
		self.candidates += other.candidates;
		self.backed += other.backed;
		self.bitfields += other.bitfields;
		self.bitfields_kept += other.bitfields_kept;
		self.included += other.included;
		self.overweight += other.overweight;
		self.disputes += other.disputes;
		self.disputes_kept += other.disputes_kept;
		self.frozen += other.frozen;
	}
}
