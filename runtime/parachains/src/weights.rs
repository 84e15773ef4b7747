//! Cost of what the inherent does, on the reference hardware (runtime §7.4).
//!
//! Reference time is computed from what an operation does: signature checks, hashing, database accesses.
//! Proof size is the encoded size of the data: through it the byte length of the inherent is limited.

use codec::Encode;
use frame_support::{traits::Get, weights::Weight};
use headway_primitives::{BackedCandidate, DisputeStatementSet, UncheckedSignedAvailabilityBitfield};

/// One sr25519 verification: 50 µs, in picoseconds.
const SIGNATURE_PICOS: u64 = 50_000_000;
/// Blake2 over one byte and its decoding: 10 ns.
const BYTE_PICOS: u64 = 10_000;
/// Reading and counting one bitfield, besides its signature.
const BITFIELD_PICOS: u64 = 25_000_000;
/// Checks of one candidate, besides signatures and database accesses.
const CANDIDATE_PICOS: u64 = 300_000_000;
/// Checks of one dispute, besides signatures and database accesses: the session's keys are decoded.
const DISPUTE_PICOS: u64 = 300_000_000;

/// Reference time of `micros` microseconds.
pub fn ref_time_micros(micros: u64) -> Weight {
	Weight::from_parts(micros.saturating_mul(1_000_000), 0)
}

/// Database accesses.
pub fn db<T: frame_system::Config>(reads: u64, writes: u64) -> Weight {
	T::DbWeight::get().reads_writes(reads, writes)
}

/// The inherent without anything in it: session, configuration, claim queue, scheduling parents.
pub fn enter_empty<T: frame_system::Config>() -> Weight {
	ref_time_micros(200).saturating_add(db::<T>(18, 8))
}

/// One bitfield: its signature, and its share of the votes that are written.
pub fn bitfield<T: frame_system::Config>(bitfield: &UncheckedSignedAvailabilityBitfield) -> Weight {
	Weight::from_parts(SIGNATURE_PICOS + BITFIELD_PICOS, bitfield.encoded_size() as u64)
}

/// One backed candidate: each vote's signature is checked once, its commitments are hashed once, decoded and
/// encoded; head, code, upgrades, relay parent, groups, the para's pending candidates and whether a dispute
/// went against it are read once, and the channel of each message.
pub fn candidate<T: frame_system::Config>(candidate: &BackedCandidate) -> Weight {
	let bytes = candidate.encoded_size() as u64;
	let votes = candidate.validity_votes.len() as u64;
	let channels = candidate.candidate.commitments.horizontal_messages.len() as u64;
	let time = CANDIDATE_PICOS
		.saturating_add(votes.saturating_mul(SIGNATURE_PICOS))
		// Hashed; decoded, and encoded into the state and the event.
		.saturating_add(bytes.saturating_mul(4 * BYTE_PICOS));
	Weight::from_parts(time, bytes).saturating_add(db::<T>(15u64.saturating_add(channels), 2))
}

/// Effects of the inclusion of one candidate.
pub fn enact_candidate<T: frame_system::Config>(
	upward_messages: usize,
	horizontal_messages: usize,
	new_code_bytes: usize,
) -> Weight {
	let upward = upward_messages as u64;
	let horizontal = horizontal_messages as u64;
	let mut weight = ref_time_micros(100)
		.saturating_add(db::<T>(13, 11))
		.saturating_add(db::<T>(2, 2).saturating_mul(upward))
		.saturating_add(db::<T>(3, 3).saturating_mul(horizontal));
	if new_code_bytes > 0 {
		weight = weight
			.saturating_add(db::<T>(8, 8))
			.saturating_add(Weight::from_parts((new_code_bytes as u64).saturating_mul(2 * BYTE_PICOS), 0));
	}
	weight
}

/// One set of dispute votes: each vote's signature is checked, the dispute with its backers is read twice and
/// written once. Less than a third of the voters can lose, and each of them costs one report.
pub fn dispute_set<T: frame_system::Config>(set: &DisputeStatementSet) -> Weight {
	let votes = set.statements.len() as u64;
	let time = DISPUTE_PICOS.saturating_add(votes.saturating_mul(SIGNATURE_PICOS));
	Weight::from_parts(time, set.encoded_size() as u64)
		.saturating_add(db::<T>(8, 5))
		.saturating_add(db::<T>(1, 1).saturating_mul(votes.div_ceil(3)))
}

/// The report of one validator that lost a dispute, with a proof against a set of `validators`.
pub fn report_dispute_lost<T: frame_system::Config>(validators: u32) -> Weight {
	ref_time_micros(100)
		.saturating_add(ref_time_micros(10).saturating_mul(validators.into()))
		.saturating_add(db::<T>(8, 6))
}
