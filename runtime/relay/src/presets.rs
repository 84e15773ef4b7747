//! Genesis presets (runtime §9.2): what `build-spec` starts from. Tools rewrite them as JSON, so all the
//! places that they look for are there, as complete maps.

use crate::{
	chain_parameters::{DEFAULT_EPOCH_DURATION, DEFAULT_SLOT_DURATION_MS},
	AccountId, Balance, SessionKeys, BABE_GENESIS_EPOCH_CONFIG, UNITS,
};
use alloc::{format, string::ToString, vec::Vec};
use headway_primitives::{
	ApprovalVotingParams, AsyncBackingParams, FeatureIndex, NodeFeatures, SchedulerParams, LOWEST_PUBLIC_ID,
	MAX_CODE_SIZE, MAX_POV_SIZE,
};
use headway_runtime_parachains::configuration::HostConfiguration;
use serde_json::{json, Value};
use sp_core::{crypto::get_public_from_string_or_panic, ecdsa, ed25519, sr25519};
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::Sr25519Keyring;

/// `development` with short slots and sessions.
pub const DEVELOPMENT_FAST: &str = "development_fast";
/// `local_testnet` with short slots and sessions.
pub const LOCAL_TESTNET_FAST: &str = "local_testnet_fast";

/// What every well-known account has.
const ENDOWMENT: Balance = 1_000_000 * UNITS;

/// Slots of a session, and milliseconds of a slot.
#[derive(Clone, Copy)]
struct Pace {
	epoch_duration: u64,
	slot_duration_ms: u64,
}

const DEFAULT_PACE: Pace =
	Pace { epoch_duration: DEFAULT_EPOCH_DURATION, slot_duration_ms: DEFAULT_SLOT_DURATION_MS };
const FAST_PACE: Pace = Pace { epoch_duration: 10, slot_duration_ms: 3000 };

/// Configuration of local networks: asynchronous backing, one group per core.
pub fn host_configuration() -> HostConfiguration {
	let mut node_features = NodeFeatures::repeat(false, FeatureIndex::CandidateReceiptV3 as usize + 1);
	for feature in [
		FeatureIndex::EnableAssignmentsV2,
		FeatureIndex::ElasticScalingMvp,
		FeatureIndex::AvailabilityChunkMapping,
		FeatureIndex::CandidateReceiptV2,
	] {
		node_features.set(feature as usize, true);
	}
	HostConfiguration {
		max_code_size: MAX_CODE_SIZE,
		max_head_data_size: 32 * 1024,
		max_upward_queue_count: 8,
		max_upward_queue_size: 1024 * 1024,
		max_upward_message_size: 50 * 1024,
		max_upward_message_num_per_candidate: 5,
		hrmp_max_message_num_per_candidate: 5,
		validation_upgrade_cooldown: 2,
		validation_upgrade_delay: 2,
		async_backing_params: AsyncBackingParams { max_candidate_depth: 3, allowed_ancestry_len: 2 },
		max_pov_size: MAX_POV_SIZE,
		max_downward_message_size: 1024 * 1024,
		hrmp_max_parachain_outbound_channels: 4,
		hrmp_channel_max_capacity: 8,
		// All messages of a channel at their largest.
		hrmp_channel_max_total_size: 8 * 100 * 1024,
		hrmp_channel_max_message_size: 100 * 1024,
		hrmp_max_parachain_inbound_channels: 4,
		code_retention_period: 1200,
		no_show_slots: 2,
		n_delay_tranches: 25,
		needed_approvals: 2,
		relay_vrf_modulo_samples: 2,
		minimum_validation_upgrade_delay: 5,
		minimum_backing_votes: 2,
		node_features,
		approval_voting_params: ApprovalVotingParams { max_approval_coalesce_count: 1 },
		scheduler_params: SchedulerParams {
			group_rotation_frequency: 20,
			paras_availability_period: 4,
			lookahead: 3,
			..Default::default()
		},
		..Default::default()
	}
}

/// Stash and session keys of `//<seed>`.
pub(crate) fn validator(seed: &str) -> (AccountId, SessionKeys) {
	let sr25519_key = || get_public_from_string_or_panic::<sr25519::Public>(seed);
	let keys = SessionKeys {
		grandpa: get_public_from_string_or_panic::<ed25519::Public>(seed).into(),
		babe: sr25519_key().into(),
		para_validator: sr25519_key().into(),
		para_assignment: sr25519_key().into(),
		authority_discovery: sr25519_key().into(),
		beefy: get_public_from_string_or_panic::<ecdsa::Public>(seed).into(),
	};
	let stash = get_public_from_string_or_panic::<sr25519::Public>(&format!("{seed}//stash"));
	(stash.0.into(), keys)
}

fn genesis(seeds: &[&str], pace: Pace) -> Value {
	let validators: Vec<_> = seeds.iter().map(|seed| validator(seed)).collect();
	let mut endowed: Vec<AccountId> =
		Sr25519Keyring::iter().take(12).map(|key| key.to_account_id()).collect();
	endowed.extend(validators.iter().map(|(stash, _)| stash.clone()));
	endowed.sort();
	endowed.dedup();
	json!({
		"balances": {
			"balances": endowed.into_iter().map(|account| (account, ENDOWMENT)).collect::<Vec<_>>(),
		},
		"session": {
			"keys": validators
				.into_iter()
				.map(|(stash, keys)| (stash.clone(), stash, keys))
				.collect::<Vec<_>>(),
		},
		"babe": { "epochConfig": BABE_GENESIS_EPOCH_CONFIG },
		"sudo": { "key": Sr25519Keyring::Alice.to_account_id() },
		"configuration": { "config": host_configuration() },
		"paras": { "paras": [] },
		"registrar": { "nextFreeParaId": LOWEST_PUBLIC_ID },
		"hrmp": { "preopenHrmpChannels": [] },
		"chainParameters": {
			"epochDuration": pace.epoch_duration,
			"slotDuration": pace.slot_duration_ms,
		},
	})
}

/// The preset as JSON bytes, if there is one of that name.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
	let patch = match id.as_ref() {
		DEV_RUNTIME_PRESET => genesis(&["Alice"], DEFAULT_PACE),
		LOCAL_TESTNET_RUNTIME_PRESET => genesis(&["Alice", "Bob"], DEFAULT_PACE),
		DEVELOPMENT_FAST => genesis(&["Alice"], FAST_PACE),
		LOCAL_TESTNET_FAST => genesis(&["Alice", "Bob"], FAST_PACE),
		_ => return None,
	};
	Some(patch.to_string().into_bytes())
}

/// Names of all presets.
pub fn preset_names() -> Vec<PresetId> {
	[LOCAL_TESTNET_RUNTIME_PRESET, DEV_RUNTIME_PRESET, LOCAL_TESTNET_FAST, DEVELOPMENT_FAST]
		.into_iter()
		.map(PresetId::from)
		.collect()
}
