//! Host configurations: JSON, SCALE, and whether they are consistent.

use bitvec::{order::Lsb0, vec::BitVec};
use codec::Encode;
use polkadot_primitives::{
	vstaging::SchedulerParams, ApprovalVotingParams, AsyncBackingParams, ExecutorHostFunction, ExecutorParam,
	ExecutorParams, PvfExecKind, PvfPrepKind,
};
use polkadot_runtime_parachains::configuration::HostConfiguration;
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha8Rng,
};
use sp_runtime::Perbill;

/// Configurations with every field filled, besides the default.
const FILLED: u64 = 48;

/// A JSON array with one configuration per line.
pub fn json() -> String {
	let filled = (0..FILLED).map(|seed| filled(&mut ChaCha8Rng::seed_from_u64(seed)));
	let lines = std::iter::once(HostConfiguration::default()).chain(filled).map(|config| {
		serde_json::json!({
			"json": config,
			"scale": format!("0x{}", hex::encode(config.encode())),
			"consistent": config.check_consistency().is_ok(),
		})
		.to_string()
	});
	format!("[\n{}\n]\n", lines.collect::<Vec<_>>().join(",\n"))
}

/// Fields are random, so that two in the wrong order are noticed.
fn filled(rng: &mut ChaCha8Rng) -> HostConfiguration<u32> {
	// At most one field is just beyond its limits, of those that have limits.
	let (odd, below) = (rng.next_u32() % 48, rng.next_u32() % 2 == 0);
	let any = 0..=u32::MAX;
	let mut limited = 0;
	let mut n = |consistent: std::ops::RangeInclusive<u32>| {
		let (least, most) = (*consistent.start(), *consistent.end());
		let is_limited = consistent != (0..=u32::MAX);
		limited += u32::from(is_limited);
		match is_limited && limited == odd {
			true if below && least > 0 => least - 1,
			true => most.saturating_add(1),
			false => least + (rng.next_u64() % (u64::from(most - least) + 1)) as u32,
		}
	};
	let paras_availability_period = n(1..=10);
	HostConfiguration {
		max_code_size: n(0..=5 * 1024 * 1024),
		max_head_data_size: n(0..=1024 * 1024),
		max_upward_queue_count: n(any.clone()),
		max_upward_queue_size: n(any.clone()),
		max_upward_message_size: n(0..=128 * 1024),
		max_upward_message_num_per_candidate: n(0..=16 * 1024),
		hrmp_max_message_num_per_candidate: n(0..=16 * 1024),
		validation_upgrade_cooldown: n(any.clone()),
		validation_upgrade_delay: n(2..=1000),
		async_backing_params: AsyncBackingParams {
			max_candidate_depth: n(any.clone()),
			allowed_ancestry_len: n(any.clone()),
		},
		max_pov_size: n(0..=16 * 1024 * 1024),
		max_downward_message_size: n(any.clone()),
		hrmp_max_parachain_outbound_channels: n(0..=128),
		// JSON of Rust has no greater integers.
		hrmp_sender_deposit: u64::from(n(any.clone())).into(),
		hrmp_recipient_deposit: (u64::from(n(any.clone())) << 32).into(),
		hrmp_channel_max_capacity: n(any.clone()),
		hrmp_channel_max_total_size: n(any.clone()),
		hrmp_max_parachain_inbound_channels: n(0..=128),
		hrmp_channel_max_message_size: n(any.clone()),
		executor_params: ExecutorParams::from(
			&[
				ExecutorParam::MaxMemoryPages(n(1..=65536)),
				ExecutorParam::StackLogicalMax(n(1024..=2 * 65536)),
				ExecutorParam::StackNativeMax(n(128 * 2 * 65536..=u32::MAX - 1)),
				ExecutorParam::PrecheckingMaxMemory(u64::from(n(1..=64)) << 28),
				ExecutorParam::PvfPrepTimeout(PvfPrepKind::Precheck, n(1..=1000).into()),
				ExecutorParam::PvfPrepTimeout(PvfPrepKind::Prepare, n(1002..=2000).into()),
				ExecutorParam::PvfExecTimeout(PvfExecKind::Backing, n(1..=1000).into()),
				ExecutorParam::PvfExecTimeout(PvfExecKind::Approval, n(1002..=2000).into()),
				ExecutorParam::WasmExtBulkMemory,
				ExecutorParam::EnabledHostFunction(ExecutorHostFunction::EccRfc163),
			][..n(0..=9) as usize],
		),
		code_retention_period: n(any.clone()),
		max_validators: Some(n(any.clone())),
		dispute_period: n(any.clone()),
		dispute_post_conclusion_acceptance_period: n(any.clone()),
		no_show_slots: n(1..=100),
		n_delay_tranches: n(1..=100),
		zeroth_delay_tranche_width: n(any.clone()),
		needed_approvals: n(any.clone()),
		relay_vrf_modulo_samples: n(any.clone()),
		pvf_voting_ttl: n(any.clone()),
		minimum_validation_upgrade_delay: n(paras_availability_period + 1..=1000),
		minimum_backing_votes: n(1..=10),
		node_features: (0..n(1..=20)).map(|_| n(0..=1) == 1).collect::<BitVec<u8, Lsb0>>(),
		approval_voting_params: ApprovalVotingParams { max_approval_coalesce_count: n(0..=16) },
		scheduler_params: SchedulerParams {
			group_rotation_frequency: n(1..=100),
			paras_availability_period,
			max_validators_per_core: Some(n(any.clone())),
			lookahead: n(1..=100),
			num_cores: n(any.clone()),
			on_demand_queue_max_size: n(0..=10_000),
			on_demand_target_queue_utilization: Perbill::from_parts(n(0..=999_999_999)),
			on_demand_fee_variability: Perbill::from_parts(n(0..=999_999_999)),
			on_demand_base_fee: u64::from(n(any.clone())).into(),
		},
		max_relay_parent_session_age: n(any),
	}
}
