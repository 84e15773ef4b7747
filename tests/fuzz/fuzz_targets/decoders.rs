//! Bytes against everything that is decoded from a peer, a collator or a parachain. The first byte says as what.

#![no_main]

use codec::{Decode, DecodeAll, Encode};
use headway_erasure_coding::ErasureChunk;
use headway_machine::wire::*;
use headway_primitives::{ump::parse_ump_signals, *};
use std::{
	alloc::{GlobalAlloc, Layout, System},
	collections::BTreeMap,
	fmt::Debug,
	sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Counts what is allocated.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn count(more: usize, less: usize) {
	let now = ALLOCATED.fetch_add(more, Relaxed).wrapping_add(more);
	PEAK.fetch_max(now, Relaxed);
	ALLOCATED.fetch_sub(less, Relaxed);
}

// All calls go to the system's allocator as they are.
unsafe impl GlobalAlloc for Counting {
	unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
		count(layout.size(), 0);
		System.alloc(layout)
	}

	unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
		count(0, layout.size());
		System.dealloc(pointer, layout)
	}

	unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
		count(size, layout.size());
		System.realloc(pointer, layout, size)
	}
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes that decoding of `n` bytes may hold at a time: an empty vector has one byte on the wire and 24 in memory, vectors
/// grow by doubling, and each begins with a few kilobytes if it says that it is long.
fn allocation_max(n: usize) -> usize {
	(64 << 10) + 128 * n
}

/// Decodes within bounded memory.
fn within_bounds<T>(bytes: &[u8], decode: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
	let before = ALLOCATED.load(Relaxed);
	PEAK.store(before, Relaxed);
	let decoded = decode(bytes);
	let peak = PEAK.load(Relaxed).saturating_sub(before);
	assert!(peak <= allocation_max(bytes.len()), "{peak} bytes allocated for {}", bytes.len());
	decoded
}

/// What decodes has one encoding, and that is what was decoded. Only the last byte of a bit vector may say more than it has
/// bits; that is not kept.
fn canonical<T: Decode + Encode + PartialEq + Debug>(bytes: &[u8], has_bits: bool) -> Option<T> {
	let decoded = within_bounds(bytes, |bytes| T::decode_all(&mut &bytes[..]).ok())?;
	let encoded = decoded.encode();
	assert_eq!(encoded.len(), bytes.len());
	assert!(has_bits || encoded == bytes, "{decoded:?} has two encodings");
	assert_eq!(T::decode_all(&mut &encoded[..]).as_ref(), Ok(&decoded));
	Some(decoded)
}

fn plain<T: Decode + Encode + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
	canonical(bytes, false)
}

fn with_bits<T: Decode + Encode + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
	canonical(bytes, true)
}

fn validation_notification(bytes: &[u8]) {
	let decode = |bytes: &[u8]| ValidationMessage::decode_notification(bytes).ok();
	if let Some(envelope) = within_bounds(bytes, decode) {
		let encoded = envelope.encode();
		assert_eq!(encoded.len(), bytes.len());
		assert_eq!(decode(&encoded), Some(envelope));
	}
}

fn collation_notification(version: CollationVersion, bytes: &[u8]) {
	let decode = |bytes: &[u8]| CollationMessage::decode_notification(version, bytes).ok();
	match within_bounds(bytes, decode) {
		Some(Envelope::ProtocolMessage(message)) => {
			assert_eq!(message.version(), version);
			assert_eq!(message.encode_notification(), bytes);
		},
		Some(Envelope::ViewUpdate(view)) => {
			assert_eq!(Envelope::<ValidationMessage>::ViewUpdate(view).encode(), bytes)
		},
		None => {},
	}
}

/// What is read from a descriptor, whatever it says.
fn read(descriptor: &CandidateDescriptorV2) {
	let _ = (descriptor.version(), descriptor.version_old_rules(), descriptor.scheduling_parent());
	let _ = (descriptor.core_index(), descriptor.session_index(), descriptor.scheduling_session());
	for v3_ever_seen in [false, true] {
		let _ = descriptor.check_version(v3_ever_seen);
	}
}

fn committed(candidate: &CommittedCandidateReceiptV2) {
	read(&candidate.descriptor);
	assert_eq!(candidate.to_plain().hash(), candidate.hash());
	let queue = BTreeMap::from([(CoreIndex(0), [candidate.descriptor.para_id].into())]);
	for queue in [BTreeMap::new(), queue] {
		let _ = parse_ump_signals(candidate, &transpose_claim_queue(&queue));
	}
}

fn statement_filter(filter: &StatementFilter) {
	let _ = (filter.backing_validators(), filter.has_seconded(), filter.has_len(3));
}

fn check(kind: u8, bytes: &[u8]) {
	match kind % 40 {
		0 => validation_notification(bytes),
		1 => collation_notification(CollationVersion::V1, bytes),
		2 => collation_notification(CollationVersion::V2, bytes),
		3 => collation_notification(CollationVersion::V3, bytes),
		4 => collation_notification(CollationVersion::V4, bytes),
		5 => drop(plain::<ViewMessage>(bytes)),
		6 => drop(plain::<ChunkRequest>(bytes)),
		7 => drop(plain::<CollationRequestV1>(bytes)),
		8 => drop(plain::<CollationRequestV2>(bytes)),
		9 => drop(plain::<CollationRequestV3>(bytes)),
		10 => drop(plain::<PoVRequest>(bytes)),
		11 => drop(plain::<AvailableDataRequest>(bytes)),
		12 => {
			if let Some(request) = with_bits::<AttestedCandidateRequest>(bytes) {
				statement_filter(&request.mask);
			}
		},
		13 => drop(plain::<ChunkResponseV1>(bytes)),
		14 => drop(plain::<ChunkResponseV2>(bytes)),
		15 => drop(plain::<CollationResponse>(bytes)),
		16 => drop(plain::<CollationResponseV3>(bytes)),
		17 => drop(plain::<PoVResponse>(bytes)),
		18 => drop(plain::<AvailableDataResponse>(bytes)),
		19 => {
			if let Some(response) = plain::<AttestedCandidateResponse>(bytes) {
				committed(&response.candidate_receipt);
			}
		},
		20 => {
			if let Some(receipt) = plain::<CandidateReceiptV2>(bytes) {
				read(&receipt.descriptor);
			}
		},
		21 => {
			if let Some(candidate) = plain::<CommittedCandidateReceiptV2>(bytes) {
				committed(&candidate);
			}
		},
		22 => {
			if let Some(backed) = with_bits::<BackedCandidate>(bytes) {
				let _ = backed.validator_indices_and_core_index();
				committed(&backed.candidate);
			}
		},
		23 => drop(with_bits::<UncheckedSignedAvailabilityBitfield>(bytes)),
		24 => drop(plain::<UncheckedSigned<CompactStatement>>(bytes)),
		25 => drop(plain::<UncheckedSigned<Statement>>(bytes)),
		26 => {
			if let Some(manifest) = with_bits::<BackedCandidateManifest>(bytes) {
				statement_filter(&manifest.statement_knowledge);
			}
		},
		27 => drop(with_bits::<BackedCandidateAcknowledgement>(bytes)),
		28 => drop(plain::<AdvertiseSegment>(bytes)),
		29 => drop(plain::<PoV>(bytes)),
		30 => drop(plain::<AvailableData>(bytes)),
		31 => {
			if let Some(chunk) = plain::<ErasureChunk>(bytes) {
				// The root is not the hash of anything that a fuzzer finds.
				assert!(chunk.verify(&Hash::repeat_byte(1)).is_err());
			}
		},
		32 => drop(plain::<PersistedValidationData>(bytes)),
		33 => drop(plain::<CandidateCommitments>(bytes)),
		34 => drop(plain::<ValidationResult>(bytes)),
		35 => drop(plain::<ump::UmpSignal>(bytes)),
		36 => drop(plain::<DisputeStatementSet>(bytes)),
		37 => drop(plain::<SessionInfo>(bytes)),
		38 => drop(with_bits::<headway_availability::CandidateMeta>(bytes)),
		_ => drop(plain::<CandidateDescriptorV2>(bytes)),
	}
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
	if let Some((kind, bytes)) = bytes.split_first() {
		check(*kind, bytes);
	}
});
