//! Rules that need no state, constants, and storage keys.

use crate::{convert, generate::Gen, CASES};
use headway_primitives::{well_known_keys as keys, *};
use polkadot_parachain_primitives::primitives as abi;
use polkadot_primitives::{
	self as theirs, executor_params as their_params, node_features, well_known_keys as their_keys,
};
use std::collections::BTreeSet;

#[test]
fn constants() {
	for (name, ours, theirs) in [
		("MAX_CODE_SIZE", MAX_CODE_SIZE, theirs::MAX_CODE_SIZE),
		("MIN_CODE_SIZE", MIN_CODE_SIZE, theirs::MIN_CODE_SIZE),
		("MAX_HEAD_DATA_SIZE", MAX_HEAD_DATA_SIZE, theirs::MAX_HEAD_DATA_SIZE),
		("MAX_POV_SIZE", MAX_POV_SIZE, theirs::MAX_POV_SIZE),
		("MAX_COALESCE_APPROVALS", MAX_COALESCE_APPROVALS, theirs::MAX_COALESCE_APPROVALS),
		("MAX_UPWARD_MESSAGE_NUM", MAX_UPWARD_MESSAGE_NUM, abi::MAX_UPWARD_MESSAGE_NUM),
		("MAX_HORIZONTAL_MESSAGE_NUM", MAX_HORIZONTAL_MESSAGE_NUM, abi::MAX_HORIZONTAL_MESSAGE_NUM),
		("ON_DEMAND_MAX_QUEUE_MAX_SIZE", ON_DEMAND_MAX_QUEUE_MAX_SIZE, theirs::ON_DEMAND_MAX_QUEUE_MAX_SIZE),
		("LOWEST_PUBLIC_ID", LOWEST_PUBLIC_ID.0, theirs::LOWEST_PUBLIC_ID.into()),
		("DEFAULT_LOGICAL_STACK_MAX", DEFAULT_LOGICAL_STACK_MAX, their_params::DEFAULT_LOGICAL_STACK_MAX),
		("DEFAULT_NATIVE_STACK_MAX", DEFAULT_NATIVE_STACK_MAX, their_params::DEFAULT_NATIVE_STACK_MAX),
	] {
		assert_eq!(ours, theirs, "{name}");
	}
	assert_eq!(RELAY_CHAIN_SLOT_DURATION_MILLIS, theirs::RELAY_CHAIN_SLOT_DURATION_MILLIS);
	assert_eq!(PARACHAINS_INHERENT_IDENTIFIER, theirs::PARACHAINS_INHERENT_IDENTIFIER);
	assert_eq!(PARACHAIN_KEY_TYPE_ID, theirs::PARACHAIN_KEY_TYPE_ID);
	assert_eq!(ASSIGNMENT_KEY_TYPE_ID, theirs::ASSIGNMENT_KEY_TYPE_ID);
	assert_eq!(
		SchedulerParams::<BlockNumber>::default(),
		convert(&theirs::vstaging::SchedulerParams::<u32>::default())
	);
	assert_eq!(ApprovalVotingParams::default(), convert(&theirs::ApprovalVotingParams::default()));
}

#[test]
fn node_features_have_the_same_bits() {
	use node_features::FeatureIndex as Theirs;
	for (ours, theirs) in [
		(FeatureIndex::EnableAssignmentsV2, Theirs::EnableAssignmentsV2),
		(FeatureIndex::ElasticScalingMvp, Theirs::ElasticScalingMVP),
		(FeatureIndex::AvailabilityChunkMapping, Theirs::AvailabilityChunkMapping),
		(FeatureIndex::CandidateReceiptV2, Theirs::CandidateReceiptV2),
		(FeatureIndex::CandidateReceiptV3, Theirs::CandidateReceiptV3),
	] {
		assert_eq!(ours as u8, theirs as u8, "{ours:?}");
		for seed in 0..CASES {
			let features: NodeFeatures = Gen::new(seed).value();
			assert_eq!(ours.is_set(&features), theirs.is_set(&features), "{ours:?} of {features}");
		}
	}
}

#[test]
fn system_paras() {
	for id in [0, 1, 1999, 2000, u32::MAX] {
		use abi::IsSystem;
		assert_eq!(ParaId(id).is_system(), abi::Id::from(id).is_system(), "{id}");
	}
}

#[test]
fn sovereign_accounts() {
	use sp_runtime::traits::AccountIdConversion;
	for seed in 0..CASES {
		let para: ParaId = Gen::new(seed).value();
		let ours: AccountId = para.into_account_truncating();
		assert_eq!(ours, abi::Id::from(para.0).into_account_truncating(), "{para}");
	}
}

#[test]
fn thresholds() {
	for n in 0..=2000 {
		assert_eq!(byzantine_threshold(n), theirs::byzantine_threshold(n), "{n}");
		assert_eq!(supermajority_threshold(n), theirs::supermajority_threshold(n), "{n}");
	}
	for (group, configured) in [(0, 2), (1, 2), (2, 2), (5, 2), (5, 7), (5, u32::MAX)] {
		assert_eq!(
			effective_minimum_backing_votes(group, configured),
			theirs::effective_minimum_backing_votes(group, configured)
		);
	}
}

#[test]
fn groups_rotate_alike() {
	for seed in 0..10 * CASES {
		let mut g = Gen::new(seed);
		let session_start_block = g.below(1000) as u32;
		let ours = GroupRotationInfo {
			session_start_block,
			group_rotation_frequency: g.below(20) as u32,
			now: session_start_block + g.below(1000) as u32,
		};
		let theirs: theirs::GroupRotationInfo = convert(&ours);
		let n = g.below(20) as u32;
		for i in 0..=n {
			let (group, core) = (ours.group_for_core(CoreIndex(i), n), ours.core_for_group(GroupIndex(i), n));
			assert_eq!(
				group.0,
				theirs.group_for_core(theirs::CoreIndex(i), n as usize).0,
				"seed {seed}, {i}"
			);
			assert_eq!(
				core.0,
				theirs.core_for_group(theirs::GroupIndex(i), n as usize).0,
				"seed {seed}, {i}"
			);
		}
		// They divide by zero without rotation.
		if ours.group_rotation_frequency > 0 {
			assert_eq!(ours.next_rotation_at(), theirs.next_rotation_at(), "seed {seed}");
			assert_eq!(ours.last_rotation_at(), theirs.last_rotation_at(), "seed {seed}");
		}
	}
}

/// Parameters at the boundaries of what is allowed.
fn executor_params(g: &mut Gen) -> ExecutorParams {
	use ExecutorParam as P;
	let params = (0..g.below(6)).map(|_| {
		let ms = g.pick(&[0, 1, 1999, 2000, 2001, 12_000, 60_000, 359_999, 360_000, 360_001, u64::MAX]);
		match g.below(8) {
			0 => P::MaxMemoryPages(g.pick(&[0, 1, 1, 65536, 65536, 65537])),
			1 => P::StackLogicalMax(g.pick(&[1023, 1024, 1024, 65536, 131072, 131072, 131073])),
			2 => {
				let bytes = [1024, 65536, 131072].map(|values: u32| 128 * values);
				P::StackNativeMax(g.pick(&[
					bytes[0],
					bytes[1] - 1,
					bytes[1],
					bytes[2] - 1,
					bytes[2],
					u32::MAX,
				]))
			},
			3 => P::PrecheckingMaxMemory(g.pick(&[(256 << 20) - 1, 256 << 20, 16 << 30, (16 << 30) + 1])),
			4 => P::PvfPrepTimeout(g.value(), ms),
			5 => P::PvfExecTimeout(g.value(), ms),
			6 => P::WasmExtBulkMemory,
			_ => P::EnabledHostFunction(g.value()),
		}
	});
	ExecutorParams(params.collect())
}

#[test]
fn the_same_executor_params_are_consistent() {
	let mut outcomes = BTreeSet::new();
	for seed in 0..20 * CASES {
		let ours = executor_params(&mut Gen::new(seed));
		let theirs: theirs::ExecutorParams = convert(&ours);
		let outcome = match ours.check_consistency() {
			Ok(()) => "consistent",
			Err(ExecutorParamError::Duplicated(_)) => "duplicated",
			Err(ExecutorParamError::OutsideLimit(_)) => "out of range",
			Err(ExecutorParamError::Incompatible("StackLogicalMax", _)) => "stacks",
			Err(ExecutorParamError::Incompatible("PvfPrepTimeout(Precheck)", _)) => "preparation",
			Err(ExecutorParamError::Incompatible(..)) => "execution",
		};
		use theirs::ExecutorParamError::{DuplicatedParam, IncompatibleValues, OutsideLimit};
		let expected = match theirs.check_consistency() {
			Ok(()) => "consistent",
			Err(DuplicatedParam(_)) => "duplicated",
			Err(OutsideLimit(_)) => "out of range",
			Err(IncompatibleValues("StackLogicalMax", _)) => "stacks",
			Err(IncompatibleValues("PvfPrepKind::Precheck", _)) => "preparation",
			Err(IncompatibleValues(..)) => "execution",
		};
		assert_eq!(outcome, expected, "seed {seed}: {ours:?}");
		outcomes.insert(outcome);
	}
	assert_eq!(outcomes.len(), 6, "{outcomes:?}");
}

#[test]
fn timeouts_of_executor_params() {
	for seed in 0..CASES {
		let ours = executor_params(&mut Gen::new(seed));
		let theirs: theirs::ExecutorParams = convert(&ours);
		for (kind, default) in [
			(PvfPrepKind::Precheck, their_params::DEFAULT_PRECHECK_PREPARATION_TIMEOUT),
			(PvfPrepKind::Prepare, their_params::DEFAULT_LENIENT_PREPARATION_TIMEOUT),
		] {
			let theirs = theirs.pvf_prep_timeout(convert(&kind)).unwrap_or(default);
			assert_eq!(ours.pvf_prep_timeout(kind), theirs, "seed {seed}");
		}
		for (kind, default) in [
			(PvfExecKind::Backing, their_params::DEFAULT_BACKING_EXECUTION_TIMEOUT),
			(PvfExecKind::Approval, their_params::DEFAULT_APPROVAL_EXECUTION_TIMEOUT),
		] {
			let theirs = theirs.pvf_exec_timeout(convert(&kind)).unwrap_or(default);
			assert_eq!(ours.pvf_exec_timeout(kind), theirs, "seed {seed}");
		}
	}
}

#[test]
fn well_known_storage_keys() {
	for (ours, theirs) in [
		(keys::EPOCH_INDEX, their_keys::EPOCH_INDEX),
		(keys::CURRENT_BLOCK_RANDOMNESS, their_keys::CURRENT_BLOCK_RANDOMNESS),
		(keys::ONE_EPOCH_AGO_RANDOMNESS, their_keys::ONE_EPOCH_AGO_RANDOMNESS),
		(keys::TWO_EPOCHS_AGO_RANDOMNESS, their_keys::TWO_EPOCHS_AGO_RANDOMNESS),
		(keys::CURRENT_SLOT, their_keys::CURRENT_SLOT),
		(keys::ACTIVE_CONFIG, their_keys::ACTIVE_CONFIG),
		(keys::AUTHORITIES, their_keys::AUTHORITIES),
		(keys::NEXT_AUTHORITIES, their_keys::NEXT_AUTHORITIES),
	] {
		assert_eq!(hex::encode(ours), hex::encode(theirs));
	}
	for seed in 0..CASES {
		let mut g = Gen::new(seed);
		let (ours, other): (ParaId, ParaId) = g.value();
		let theirs: abi::Id = convert(&ours);
		let channel = abi::HrmpChannelId { sender: theirs, recipient: convert(&other) };
		#[allow(deprecated)]
		let queue_size = their_keys::relay_dispatch_queue_size(theirs);
		let remaining_capacity = their_keys::relay_dispatch_queue_remaining_capacity(theirs);
		for (ours, theirs) in [
			(keys::para_head(ours), their_keys::para_head(theirs)),
			(keys::upgrade_go_ahead_signal(ours), their_keys::upgrade_go_ahead_signal(theirs)),
			(keys::upgrade_restriction_signal(ours), their_keys::upgrade_restriction_signal(theirs)),
			(keys::dmq_mqc_head(ours), their_keys::dmq_mqc_head(theirs)),
			(keys::hrmp_ingress_channel_index(ours), their_keys::hrmp_ingress_channel_index(theirs)),
			(keys::hrmp_egress_channel_index(ours), their_keys::hrmp_egress_channel_index(theirs)),
			(keys::hrmp_channel(ours, other), their_keys::hrmp_channels(channel)),
			(keys::relay_dispatch_queue_size(ours), queue_size),
			(keys::relay_dispatch_queue_remaining_capacity(ours), remaining_capacity.key),
		] {
			assert_eq!(hex::encode(ours), hex::encode(theirs), "seed {seed}");
		}
	}
}
