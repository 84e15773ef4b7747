//! Generated values of our types: the same ones for the same seed.

use bitvec::{order::Lsb0, vec::BitVec};
use codec::Decode;
use headway_primitives::{constraints::*, ump::*, *};
use headway_runtime_parachains::paras::ConsensusLog;
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha8Rng,
};
use sp_core::{bounded::BoundedVec, Get, H256};
use sp_runtime::{Digest, DigestItem, Perbill};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Source of generated values.
pub(crate) struct Gen(ChaCha8Rng);

impl Gen {
	pub(crate) fn new(seed: u64) -> Self {
		Self(ChaCha8Rng::seed_from_u64(seed))
	}

	/// A number below `n`.
	pub(crate) fn below(&mut self, n: usize) -> usize {
		(self.0.next_u64() % n as u64) as usize
	}

	/// One of `values`.
	pub(crate) fn pick<T: Clone>(&mut self, values: &[T]) -> T {
		values[self.below(values.len())].clone()
	}

	/// Any value.
	pub(crate) fn value<T: Generate>(&mut self) -> T {
		T::generate(self)
	}

	pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
		let mut bytes = vec![0; len];
		self.0.fill_bytes(&mut bytes);
		bytes
	}

	/// The bytes with a few changes.
	pub(crate) fn spoil(&mut self, bytes: &[u8]) -> Vec<u8> {
		let mut bytes = bytes.to_vec();
		for _ in 0..=self.below(3) {
			let at = self.below(bytes.len() + 1);
			match self.below(4) {
				0 => bytes.truncate(at),
				1 => bytes.insert(at, self.value()),
				_ if at == bytes.len() => {},
				// Lengths and indices of variants are small.
				2 => bytes[at] = self.below(6) as u8,
				_ => bytes[at] ^= 1 << self.below(8),
			}
		}
		bytes
	}

	/// Lengths are mostly small; some take a length prefix of two bytes.
	fn len(&mut self) -> usize {
		match self.below(16) {
			0 => 64 + self.below(8),
			_ => self.below(5),
		}
	}
}

/// A type whose values can be generated.
pub(crate) trait Generate: Sized {
	fn generate(g: &mut Gen) -> Self;
}

macro_rules! integers {
	($($ty:ty),*) => { $(
		impl Generate for $ty {
			fn generate(g: &mut Gen) -> Self {
				let any = (u128::from(g.0.next_u64()) << 64 | u128::from(g.0.next_u64())) as $ty;
				let small = g.below(4) as $ty;
				g.pick(&[0, <$ty>::MAX, small, small, any, any])
			}
		}
	)* };
}
integers!(u8, u16, u32, u64, u128);

impl Generate for bool {
	fn generate(g: &mut Gen) -> Self {
		g.below(2) == 0
	}
}

impl<const N: usize> Generate for [u8; N] {
	fn generate(g: &mut Gen) -> Self {
		let mut bytes = [0; N];
		g.0.fill_bytes(&mut bytes);
		bytes
	}
}

impl<T: Generate> Generate for Option<T> {
	fn generate(g: &mut Gen) -> Self {
		g.value::<bool>().then(|| g.value())
	}
}

impl<T: Generate> Generate for Vec<T> {
	fn generate(g: &mut Gen) -> Self {
		(0..g.len()).map(|_| g.value()).collect()
	}
}

impl<T: Generate> Generate for VecDeque<T> {
	fn generate(g: &mut Gen) -> Self {
		g.value::<Vec<T>>().into()
	}
}

impl<T: Generate + Ord> Generate for BTreeSet<T> {
	fn generate(g: &mut Gen) -> Self {
		g.value::<Vec<T>>().into_iter().collect()
	}
}

impl<K: Generate + Ord, V: Generate> Generate for BTreeMap<K, V> {
	fn generate(g: &mut Gen) -> Self {
		g.value::<Vec<(K, V)>>().into_iter().collect()
	}
}

impl<T: Generate, Bound: Get<u32>> Generate for BoundedVec<T, Bound> {
	fn generate(g: &mut Gen) -> Self {
		BoundedVec::truncate_from(g.value())
	}
}

impl Generate for BitVec<u8, Lsb0> {
	fn generate(g: &mut Gen) -> Self {
		g.value::<Vec<bool>>().into_iter().collect()
	}
}

impl<A: Generate, B: Generate> Generate for (A, B) {
	fn generate(g: &mut Gen) -> Self {
		(g.value(), g.value())
	}
}

impl<A: Generate, B: Generate, C: Generate> Generate for (A, B, C) {
	fn generate(g: &mut Gen) -> Self {
		(g.value(), g.value(), g.value())
	}
}

impl Generate for Perbill {
	fn generate(g: &mut Gen) -> Self {
		Perbill::from_parts(g.value())
	}
}

impl Generate for H256 {
	fn generate(g: &mut Gen) -> Self {
		g.value::<[u8; 32]>().into()
	}
}

impl Generate for Header {
	fn generate(g: &mut Gen) -> Self {
		let log = DigestItem::Consensus(g.value(), g.value());
		Header {
			parent_hash: g.value(),
			number: g.value(),
			state_root: g.value(),
			extrinsics_root: g.value(),
			digest: Digest { logs: vec![log] },
		}
	}
}

/// Keys and signatures: any bytes.
macro_rules! bytes {
	($($ty:ty: $len:literal),* $(,)?) => { $(
		impl Generate for $ty {
			fn generate(g: &mut Gen) -> Self {
				<$ty>::decode(&mut &g.bytes($len)[..]).expect("any bytes of this length decode")
			}
		}
	)* };
}
bytes! {
	AssignmentId: 32, AuthorityDiscoveryId: 32, CollatorId: 32, CollatorSignature: 64, ValidatorId: 32,
	ValidatorSignature: 64,
}

/// Tuple structs of one field.
macro_rules! newtypes {
	($($ty:ident),* $(,)?) => { $(
		impl Generate for $ty {
			fn generate(g: &mut Gen) -> Self {
				$ty(g.value())
			}
		}
	)* };
}
newtypes! {
	AvailabilityBitfield, BlockData, CandidateHash, ClaimQueueOffset, CoreIndex, CoreSelector, ExecutorParams, GroupIndex,
	HeadData, OpaqueKeyOwnershipProof, ParaId, ValidationCode, ValidationCodeHash, ValidatorIndex,
}

/// Structs with all their fields: one that is missing here does not compile.
macro_rules! structs {
	($($ty:ident $(<$param:ident>)? { $($field:ident),* $(,)? })*) => { $(
		impl$(<$param: Generate>)? Generate for $ty$(<$param>)? {
			fn generate(g: &mut Gen) -> Self {
				Self { $($field: g.value()),* }
			}
		}
	)* };
}
structs! {
	AbridgedHostConfiguration {
		max_code_size, max_head_data_size, max_upward_queue_count, max_upward_queue_size, max_upward_message_size,
		max_upward_message_num_per_candidate, hrmp_max_message_num_per_candidate, validation_upgrade_cooldown,
		validation_upgrade_delay, async_backing_params,
	}
	AbridgedHrmpChannel { max_capacity, max_total_size, max_message_size, msg_count, total_size, mqc_head }
	ApprovalVotingParams { max_approval_coalesce_count }
	AsyncBackingParams { max_candidate_depth, allowed_ancestry_len }
	BackingState { constraints, pending_availability }
	CandidateCommitments {
		upward_messages, horizontal_messages, new_validation_code, head_data, processed_downward_messages, hrmp_watermark,
	}
	CandidateDescriptorV2 {
		para_id, relay_parent, version, core_index, session_index, scheduling_session_offset, reserved1,
		persisted_validation_data_hash, pov_hash, erasure_root, scheduling_parent, reserved2, para_head,
		validation_code_hash,
	}
	CandidatePendingAvailability { candidate_hash, descriptor, commitments, relay_parent_number, max_pov_size }
	CandidateReceiptV2 { descriptor, commitments_hash }
	CommittedCandidateReceiptV2 { descriptor, commitments }
	Constraints {
		min_relay_parent_number, max_pov_size, max_code_size, max_head_data_size, ump_remaining, ump_remaining_bytes,
		max_ump_num_per_candidate, dmp_remaining_messages, hrmp_inbound, hrmp_channels_out, max_hrmp_num_per_candidate,
		required_parent, validation_code_hash, upgrade_restriction, future_validation_code,
	}
	DisputeProof { time_slot, kind, validator_index, validator_id }
	DisputeState { validators_for, validators_against, start, concluded_at }
	DisputeStatementSet { candidate_hash, session, statements }
	DisputesTimeSlot { session_index, candidate_hash }
	GroupRotationInfo { session_start_block, group_rotation_frequency, now }
	InboundDownwardMessage { sent_at, msg }
	InboundHrmpLimitations { valid_watermarks }
	InboundHrmpMessage { sent_at, data }
	InherentData { bitfields, backed_candidates, disputes, parent_header }
	OccupiedCore {
		next_up_on_available, occupied_since, time_out_at, next_up_on_time_out, availability, group_responsible,
		candidate_hash, candidate_descriptor,
	}
	OutboundHrmpChannelLimitations { bytes_remaining, messages_remaining }
	OutboundHrmpMessage<Id> { recipient, data }
	PendingSlashes<Kind> { keys, kind }
	PersistedValidationData { parent_head, relay_parent_number, relay_parent_storage_root, max_pov_size }
	PvfCheckStatement { accept, subject, session_index, validator_index }
	RelayParentInfo { number, state_root }
	ScheduledCore { para_id, collator }
	SchedulerParams {
		group_rotation_frequency, paras_availability_period, max_validators_per_core, lookahead, num_cores,
		on_demand_queue_max_size, on_demand_target_queue_utilization, on_demand_fee_variability, on_demand_base_fee,
	}
	ScrapedOnChainVotes { session, backing_validators_per_candidate, disputes }
	SessionInfo {
		active_validator_indices, random_seed, dispute_period, validators, discovery_keys, assignment_keys,
		validator_groups, n_cores, zeroth_delay_tranche_width, relay_vrf_modulo_samples, n_delay_tranches, no_show_slots,
		needed_approvals,
	}
	SigningContext { session_index, parent_hash }
	UncheckedSigned<Payload> { payload, validator_index, signature }
	ValidationParams { parent_head, block_data, relay_parent_number, relay_parent_storage_root }
	ValidationResult {
		head_data, new_validation_code, upward_messages, horizontal_messages, processed_downward_messages, hrmp_watermark,
	}
}

/// Enums: one function per variant, and a match that does not compile without one for each.
macro_rules! enums {
	($($ty:ident { $($variant:ident $(($($field:ident),*))?),* $(,)? })*) => { $(
		impl Generate for $ty {
			fn generate(g: &mut Gen) -> Self {
				// Each variant once.
				let variants: &[fn(&mut Gen) -> Self] =
					&[$(|_g| Self::$variant $(($({ let $field = _g.value(); $field }),*))?),*];
				let value = g.pick(variants)(g);
				match value {
					$(Self::$variant { .. } => value),*
				}
			}
		}
	)* };
}
enums! {
	CandidateDescriptorVersion { V1, V2, V3, Unknown(n) }
	CandidateEvent { CandidateBacked(a, b, c, d), CandidateIncluded(a, b, c, d), CandidateTimedOut(a, b, c) }
	CompactStatement { Seconded(a), Valid(a) }
	ConsensusLog { ParaUpgradeCode(a, b), ParaScheduleUpgradeCode(a, b, c), ForceApprove(a), Revert(a) }
	CoreState { Occupied(a), Scheduled(a), Free }
	DisputeOffenceKind { ForInvalidBacked, AgainstValid, ForInvalidApproved }
	DisputeStatement { Valid(a), Invalid(a) }
	ExecutorParam {
		MaxMemoryPages(a), StackLogicalMax(a), StackNativeMax(a), PrecheckingMaxMemory(a), PvfPrepTimeout(a, b),
		PvfExecTimeout(a, b), WasmExtBulkMemory, EnabledHostFunction(a),
	}
	HostFunctionGroup { EccRfc163 }
	InvalidDisputeStatementKind { Explicit }
	LegacyDisputeOffenceKind { ForInvalid, AgainstValid }
	OccupiedCoreAssumption { Included, TimedOut, Free }
	PvfExecKind { Backing, Approval }
	PvfPrepKind { Precheck, Prepare }
	UmpSignal { SelectCore(a, b), ApprovedPeer(a) }
	UpgradeGoAhead { Abort, GoAhead }
	UpgradeRestriction { Present }
	ValidDisputeStatementKind {
		Explicit, BackingSeconded(a), BackingValid(a), ApprovalChecking, ApprovalCheckingMultipleCandidates(a),
	}
	ValidityAttestation { Implicit(a), Explicit(a) }
}

impl Generate for BackedCandidate {
	fn generate(g: &mut Gen) -> Self {
		let mut backed = Self::new(g.value(), g.value(), BitVec::new(), g.value());
		backed.set_validator_indices_and_core_index(g.value(), g.value());
		backed
	}
}
