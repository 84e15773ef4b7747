//! Values of our types, encoded by us and decoded by the reference, and back again; and bytes that nobody encoded.

use crate::{
	generate::{Gen, Generate},
	CASES,
};
use codec::{Decode, DecodeAll, Encode};
use headway_primitives::{constraints, ump, *};
use headway_runtime_parachains::paras::ConsensusLog;
use polkadot_parachain_primitives::primitives as abi;
use polkadot_primitives::{self as theirs, async_backing, slashing, vstaging};
use std::{any::type_name, fmt::Debug};

/// Bytes that nobody encoded, for every value.
const SPOILT: u64 = 8;

fn same<Ours, Theirs>()
where
	Ours: Generate + Encode + Decode + PartialEq + Debug,
	Theirs: Encode + Decode,
{
	for seed in 0..CASES {
		let context = || format!("{}, seed {seed}", type_name::<Ours>());
		let mut g = Gen::new(seed);
		let ours: Ours = g.value();
		let bytes = ours.encode();
		let theirs = Theirs::decode_all(&mut &bytes[..])
			.unwrap_or_else(|e| panic!("{}: they cannot decode 0x{}: {e}", context(), hex::encode(&bytes)));
		assert_eq!(hex::encode(theirs.encode()), hex::encode(&bytes), "{}", context());
		assert_eq!(Ours::decode_all(&mut &bytes[..]), Ok(ours), "{}", context());
		for _ in 0..SPOILT {
			let bytes = g.spoil(&bytes);
			assert_eq!(
				decoded::<Ours>(&bytes),
				decoded::<Theirs>(&bytes),
				"{}: spoilt 0x{}",
				context(),
				hex::encode(&bytes)
			);
		}
	}
}

/// What is decoded, encoded again, and how many bytes are left.
fn decoded<T: Encode + Decode>(mut bytes: &[u8]) -> Option<(String, usize)> {
	let value = T::decode(&mut bytes).ok()?;
	Some((hex::encode(value.encode()), bytes.len()))
}

#[test]
fn identifiers_and_keys() {
	same::<ParaId, abi::Id>();
	same::<ValidatorIndex, theirs::ValidatorIndex>();
	same::<CoreIndex, theirs::CoreIndex>();
	same::<GroupIndex, theirs::GroupIndex>();
	same::<CandidateHash, theirs::CandidateHash>();
	same::<ValidationCodeHash, abi::ValidationCodeHash>();
	same::<HeadData, abi::HeadData>();
	same::<ValidationCode, abi::ValidationCode>();
	same::<BlockData, abi::BlockData>();
	same::<ValidatorId, theirs::ValidatorId>();
	same::<ValidatorSignature, theirs::ValidatorSignature>();
	same::<AssignmentId, theirs::AssignmentId>();
	same::<AuthorityDiscoveryId, theirs::AuthorityDiscoveryId>();
	same::<CollatorId, theirs::CollatorId>();
	same::<CollatorSignature, theirs::CollatorSignature>();
	same::<Header, theirs::Header>();
}

#[test]
fn candidates() {
	same::<CandidateDescriptorVersion, theirs::CandidateDescriptorVersion>();
	same::<CandidateDescriptorV2, theirs::CandidateDescriptorV2>();
	same::<OutboundHrmpMessage<ParaId>, theirs::OutboundHrmpMessage<abi::Id>>();
	same::<CandidateCommitments, theirs::CandidateCommitments>();
	same::<CandidateReceiptV2, theirs::CandidateReceiptV2>();
	same::<CommittedCandidateReceiptV2, theirs::CommittedCandidateReceiptV2>();
	same::<PersistedValidationData, theirs::PersistedValidationData>();
	same::<ump::UmpSignal, theirs::UMPSignal>();
}

#[test]
fn statements_and_the_inherent() {
	same::<SigningContext, theirs::SigningContext>();
	same::<CompactStatement, theirs::CompactStatement>();
	same::<AvailabilityBitfield, theirs::AvailabilityBitfield>();
	same::<UncheckedSigned<CompactStatement>, theirs::UncheckedSignedStatement>();
	same::<UncheckedSignedAvailabilityBitfield, theirs::UncheckedSignedAvailabilityBitfield>();
	same::<ValidityAttestation, theirs::ValidityAttestation>();
	same::<BackedCandidate, theirs::BackedCandidate>();
	same::<InherentData, theirs::InherentData>();
}

#[test]
fn disputes_and_offences() {
	same::<DisputeStatement, theirs::DisputeStatement>();
	same::<ValidDisputeStatementKind, theirs::ValidDisputeStatementKind>();
	same::<InvalidDisputeStatementKind, theirs::InvalidDisputeStatementKind>();
	same::<DisputeStatementSet, theirs::DisputeStatementSet>();
	same::<DisputeState, theirs::DisputeState>();
	same::<ScrapedOnChainVotes, theirs::ScrapedOnChainVotes>();
	same::<DisputeOffenceKind, theirs::DisputeOffenceKind>();
	same::<LegacyDisputeOffenceKind, slashing::SlashingOffenceKind>();
	same::<PendingSlashes, slashing::PendingSlashes>();
	same::<PendingSlashes<LegacyDisputeOffenceKind>, slashing::LegacyPendingSlashes>();
	same::<DisputesTimeSlot, slashing::DisputesTimeSlot>();
	same::<DisputeProof, slashing::DisputeProof>();
	same::<OpaqueKeyOwnershipProof, slashing::OpaqueKeyOwnershipProof>();
}

#[test]
fn sessions_and_scheduling() {
	same::<SessionInfo, theirs::SessionInfo>();
	same::<GroupRotationInfo, theirs::GroupRotationInfo>();
	same::<ScheduledCore, theirs::ScheduledCore>();
	same::<OccupiedCore, theirs::OccupiedCore>();
	same::<CoreState, theirs::CoreState>();
	same::<OccupiedCoreAssumption, theirs::OccupiedCoreAssumption>();
	same::<CandidateEvent, theirs::CandidateEvent>();
	same::<ClaimQueue, std::collections::BTreeMap<theirs::CoreIndex, std::collections::VecDeque<abi::Id>>>();
	same::<TransposedClaimQueue, theirs::TransposedClaimQueue>();
}

#[test]
fn messages_and_signals_to_paras() {
	same::<InboundDownwardMessage, theirs::InboundDownwardMessage>();
	same::<InboundHrmpMessage, theirs::InboundHrmpMessage>();
	same::<AbridgedHrmpChannel, theirs::AbridgedHrmpChannel>();
	same::<UpgradeRestriction, theirs::UpgradeRestriction>();
	same::<UpgradeGoAhead, theirs::UpgradeGoAhead>();
	same::<ConsensusLog, theirs::ConsensusLog>();
}

#[test]
fn validation_functions() {
	same::<ValidationParams, abi::ValidationParams>();
	same::<ValidationResult, abi::ValidationResult>();
	same::<PvfCheckStatement, theirs::PvfCheckStatement>();
	same::<PvfPrepKind, theirs::PvfPrepKind>();
	same::<PvfExecKind, theirs::PvfExecKind>();
	same::<HostFunctionGroup, theirs::ExecutorHostFunction>();
	same::<ExecutorParam, theirs::ExecutorParam>();
	same::<ExecutorParams, theirs::ExecutorParams>();
}

#[test]
fn parameters() {
	same::<AsyncBackingParams, theirs::AsyncBackingParams>();
	same::<ApprovalVotingParams, theirs::ApprovalVotingParams>();
	same::<SchedulerParams, vstaging::SchedulerParams<u32>>();
	same::<AbridgedHostConfiguration, theirs::AbridgedHostConfiguration>();
	same::<NodeFeatures, theirs::NodeFeatures>();
}

#[test]
fn constraints_of_candidates() {
	same::<constraints::Constraints, async_backing::Constraints>();
	same::<constraints::CandidatePendingAvailability, async_backing::CandidatePendingAvailability>();
	same::<constraints::BackingState, async_backing::BackingState>();
	same::<constraints::RelayParentInfo, vstaging::RelayParentInfo<Hash, BlockNumber>>();
}

/// Generated values stay below the bounds: just at and just above them both sides must agree, too.
#[test]
fn bounds_of_lists() {
	fn at<Ours: Encode + Decode, Theirs: Encode + Decode>(bound: u32, encoded: impl Fn(u32) -> Vec<u8>) {
		for (len, fits) in [(bound, true), (bound + 1, false)] {
			let bytes = encoded(len);
			assert_eq!(decoded::<Ours>(&bytes).is_some(), fits, "{}, {len}", type_name::<Ours>());
			assert_eq!(decoded::<Theirs>(&bytes).is_some(), fits, "{}, {len}", type_name::<Theirs>());
		}
	}
	let list = |len: u32, item: &[u8]| [codec::Compact(len).encode(), item.repeat(len as usize)].concat();
	// The commitments' other fields: none, empty or zero.
	at::<CandidateCommitments, theirs::CandidateCommitments>(MAX_UPWARD_MESSAGE_NUM, |len| {
		[list(len, &[0]), vec![0; 11]].concat()
	});
	at::<CandidateCommitments, theirs::CandidateCommitments>(MAX_HORIZONTAL_MESSAGE_NUM, |len| {
		[vec![0], list(len, &[0; 5]), vec![0; 10]].concat()
	});
	at::<ValidDisputeStatementKind, theirs::ValidDisputeStatementKind>(MAX_COALESCE_APPROVALS, |len| {
		[vec![4], list(len, &[0; 32])].concat()
	});
	at::<ump::UmpSignal, theirs::UMPSignal>(64, |len| [vec![1], list(len, &[0])].concat());
}
