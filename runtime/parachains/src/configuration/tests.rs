//! Setters, pending changes, consistency, and the JSON form.

use super::*;
use crate::mock::{config, with_chain, RuntimeOrigin, Test};
use codec::{Decode, Encode};
use frame_support::{
	assert_noop, assert_ok,
	traits::{GetCallIndex, GetCallName},
};
use headway_primitives::{
	AbridgedHostConfiguration, ExecutorParam, ExecutorParams, NodeFeatures, PvfExecKind, SchedulerParams,
};
use sp_runtime::DispatchError;

type Configuration = Pallet<Test>;

fn pending() -> alloc::vec::Vec<(SessionIndex, u32)> {
	PendingConfigs::<Test>::get().into_iter().map(|(at, config)| (at, config.needed_approvals)).collect()
}

#[test]
fn default_configuration_is_consistent() {
	assert_eq!(HostConfiguration::default().check_consistency(), Ok(()));
	assert_eq!(config().check_consistency(), Ok(()));
}

#[test]
fn change_applies_in_the_session_after_the_next() {
	with_chain(config(), 4, 1, |chain| {
		let active = || ActiveConfig::<Test>::get().needed_approvals;
		assert_ok!(Configuration::set_needed_approvals(RuntimeOrigin::root(), 7));
		assert_ok!(Configuration::set_no_show_slots(RuntimeOrigin::root(), 3));
		assert_eq!(pending(), [(2, 7)], "changes of one session fold into one");
		chain.session_block();
		assert_eq!(active(), 0);
		// Based on the one that is pending.
		assert_ok!(Configuration::set_needed_approvals(RuntimeOrigin::root(), 8));
		assert_eq!(pending(), [(2, 7), (3, 8)]);
		chain.session_block();
		assert_eq!((active(), ActiveConfig::<Test>::get().no_show_slots), (7, 3));
		chain.session_block();
		assert_eq!((active(), ActiveConfig::<Test>::get().no_show_slots), (8, 3));
		assert_eq!(pending(), []);
	});
}

#[test]
fn change_replaces_only_what_is_due_when_it_would_be() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(Configuration::set_needed_approvals(RuntimeOrigin::root(), 7));
		chain.session_block();
		assert_ok!(Configuration::set_needed_approvals(RuntimeOrigin::root(), 8));
		assert_ok!(Configuration::set_needed_approvals(RuntimeOrigin::root(), 9));
		assert_eq!(pending(), [(2, 7), (3, 9)]);
	});
}

#[test]
fn change_at_once_reaches_what_is_pending() {
	with_chain(config(), 4, 1, |chain| {
		assert_ok!(Configuration::set_coretime_cores_unchecked(1));
		Configuration::force_update_all(|config| config.scheduler_params.num_cores += 1);
		let cores = || ActiveConfig::<Test>::get().scheduler_params.num_cores;
		let at_once = cores();
		chain.session_block();
		chain.session_block();
		assert_eq!((at_once, cores()), (2, 2), "what was added stays");
	});
}

#[test]
fn only_root_may_change() {
	with_chain(config(), 4, 1, |_| {
		assert_noop!(
			Configuration::set_needed_approvals(RuntimeOrigin::signed(1), 7),
			DispatchError::BadOrigin
		);
	});
}

#[test]
fn inconsistent_values_are_refused() {
	let root = RuntimeOrigin::root;
	with_chain(config(), 4, 1, |_| {
		let refused = [
			Configuration::set_max_code_size(root(), 5 * 1024 * 1024 + 1),
			Configuration::set_max_pov_size(root(), 16 * 1024 * 1024 + 1),
			Configuration::set_no_show_slots(root(), 0),
			Configuration::set_group_rotation_frequency(root(), 0),
			Configuration::set_n_delay_tranches(root(), 0),
			Configuration::set_scheduling_lookahead(root(), 0),
			Configuration::set_minimum_backing_votes(root(), 0),
			Configuration::set_minimum_validation_upgrade_delay(root(), 4),
			Configuration::set_validation_upgrade_delay(root(), 1),
		];
		for (i, result) in refused.into_iter().enumerate() {
			assert_eq!(result, Err(Error::<Test>::InvalidNewValue.into()), "{i}");
		}
		assert!(!PendingConfigs::<Test>::exists());
		assert!(Configuration::set_hrmp_open_request_ttl(root(), 1).is_err());

		assert_ok!(Configuration::set_bypass_consistency_check(root(), true));
		assert_ok!(Configuration::set_max_code_size(root(), u32::MAX));
		assert_ok!(Configuration::set_bypass_consistency_check(root(), false));
		// What is broken already may change, so that it can be repaired.
		assert_ok!(Configuration::set_needed_approvals(root(), 3));
	});
}

#[test]
fn upgrade_delay_must_exceed_the_availability_period() {
	with_chain(config(), 4, 1, |_| {
		let period = config().scheduler_params.paras_availability_period;
		let set = |delay| Configuration::set_minimum_validation_upgrade_delay(RuntimeOrigin::root(), delay);
		assert_noop!(set(period), Error::<Test>::InvalidNewValue);
		assert_ok!(set(period + 1));
	});
}

#[test]
fn contradicting_executor_parameters_are_refused() {
	use ExecutorParam::{MaxMemoryPages, PvfExecTimeout};
	with_chain(config(), 4, 1, |_| {
		let set = |params: &[ExecutorParam]| {
			Configuration::set_executor_params(RuntimeOrigin::root(), ExecutorParams(params.to_vec()))
		};
		for refused in [
			&[MaxMemoryPages(1), MaxMemoryPages(2)][..],
			&[MaxMemoryPages(0)],
			&[PvfExecTimeout(PvfExecKind::Backing, 12_000)],
			&[PvfExecTimeout(PvfExecKind::Backing, 500), PvfExecTimeout(PvfExecKind::Approval, 500)],
		] {
			assert_noop!(set(refused), Error::<Test>::InvalidNewValue);
		}
		assert_ok!(set(&[MaxMemoryPages(8192), PvfExecTimeout(PvfExecKind::Backing, 2_500)]));
	});
}

#[test]
fn first_violation_in_the_reference_order_is_reported() {
	use InconsistentConfiguration as E;
	type Repair = fn(&mut HostConfiguration);
	let repairs: [(E, Repair); 18] = [
		(E::ZeroGroupRotationFrequency, |c| c.scheduler_params.group_rotation_frequency = 1),
		(E::ZeroParasAvailabilityPeriod, |c| c.scheduler_params.paras_availability_period = 9),
		(E::ZeroNoShowSlots, |c| c.no_show_slots = 1),
		(E::MaxCodeSizeExceedsHardLimit, |c| c.max_code_size = 5 * 1024 * 1024),
		(E::MaxHeadDataSizeExceedsHardLimit, |c| c.max_head_data_size = 1024 * 1024),
		(E::MaxPovSizeExceedsHardLimit, |c| c.max_pov_size = 16 * 1024 * 1024),
		(E::MaxApprovalCoalesceCountExceedsHardLimit, |c| {
			c.approval_voting_params.max_approval_coalesce_count = 16
		}),
		(E::MinimumValidationUpgradeDelayNotAboveAvailabilityPeriod, |c| {
			c.minimum_validation_upgrade_delay = 10
		}),
		(E::ValidationUpgradeDelayTooLow, |c| c.validation_upgrade_delay = 2),
		(E::MaxUpwardMessageSizeExceedsHardLimit, |c| c.max_upward_message_size = 128 * 1024),
		(E::MaxHorizontalMessageNumExceedsHardLimit, |c| c.hrmp_max_message_num_per_candidate = 16384),
		(E::MaxUpwardMessageNumExceedsHardLimit, |c| c.max_upward_message_num_per_candidate = 16384),
		(E::MaxHrmpOutboundChannelsExceedsHardLimit, |c| c.hrmp_max_parachain_outbound_channels = 128),
		(E::MaxHrmpInboundChannelsExceedsHardLimit, |c| c.hrmp_max_parachain_inbound_channels = 128),
		(E::ZeroMinimumBackingVotes, |c| c.minimum_backing_votes = 1),
		(E::ZeroLookahead, |c| c.scheduler_params.lookahead = 1),
		(E::OnDemandQueueMaxSizeTooLarge, |c| c.scheduler_params.on_demand_queue_max_size = 10_000),
		(E::ZeroDelayTranches, |c| c.n_delay_tranches = 1),
	];
	let mut config = HostConfiguration {
		no_show_slots: 0,
		max_code_size: 5 * 1024 * 1024 + 1,
		max_head_data_size: 1024 * 1024 + 1,
		max_pov_size: 16 * 1024 * 1024 + 1,
		minimum_validation_upgrade_delay: 9,
		validation_upgrade_delay: 1,
		max_upward_message_size: 128 * 1024 + 1,
		hrmp_max_message_num_per_candidate: 16385,
		max_upward_message_num_per_candidate: 16385,
		hrmp_max_parachain_outbound_channels: 129,
		hrmp_max_parachain_inbound_channels: 129,
		minimum_backing_votes: 0,
		n_delay_tranches: 0,
		scheduler_params: SchedulerParams {
			group_rotation_frequency: 0,
			paras_availability_period: 0,
			lookahead: 0,
			on_demand_queue_max_size: 10_001,
			..Default::default()
		},
		..Default::default()
	};
	config.approval_voting_params.max_approval_coalesce_count = 17;
	for (violation, repair) in repairs {
		assert_eq!(config.check_consistency(), Err(violation));
		repair(&mut config);
	}
	assert_eq!(config.check_consistency(), Ok(()));
}

#[test]
fn defaults_and_layout_are_those_of_the_reference() {
	const MIB: u32 = 1024 * 1024;
	let expected = (
		// Those that parachains prove: sizes, queues, upgrades, asynchronous backing.
		((5 * MIB, 0u32, 0u32, 0u32, 0u32, 0u32, 0u32), (0u32, 2u32), (0u32, 0u32)),
		// PoV, downward messages, HRMP.
		(0u32, 0u32, (0u32, 0u128, 0u128, 0u32, 0u32, 0u32, 0u32)),
		// Executor parameters, code retention, validators, disputes, approval.
		(ExecutorParams::default(), 0u32, None::<u32>, (6u32, 100u32), (1u32, 1u32, 0u32, 0u32, 0u32)),
		// Votes on code, backing, features, approval.
		(2u32, 2u32, 2u32, NodeFeatures::EMPTY, 1u32),
		// The scheduler.
		(1u32, 1u32, None::<u32>, 1u32, 0u32, (10_000u32, 250_000_000u32, 30_000_000u32, 10_000_000u128)),
		0u32,
	);
	assert_eq!(HostConfiguration::default().encode(), expected.encode());
}

#[test]
fn setters_have_the_reference_indices() {
	let setters: alloc::vec::Vec<_> = Call::<Test>::get_call_indices()
		.iter()
		.copied()
		.zip(Call::<Test>::get_call_names().iter().map(|name| name.strip_prefix("set_").unwrap_or(name)))
		.collect();
	let expected = [
		(0, "validation_upgrade_cooldown"),
		(1, "validation_upgrade_delay"),
		(2, "code_retention_period"),
		(3, "max_code_size"),
		(4, "max_pov_size"),
		(5, "max_head_data_size"),
		(6, "coretime_cores"),
		(8, "group_rotation_frequency"),
		(9, "paras_availability_period"),
		(11, "scheduling_lookahead"),
		(12, "max_validators_per_core"),
		(13, "max_validators"),
		(14, "dispute_period"),
		(15, "dispute_post_conclusion_acceptance_period"),
		(18, "no_show_slots"),
		(19, "n_delay_tranches"),
		(20, "zeroth_delay_tranche_width"),
		(21, "needed_approvals"),
		(22, "relay_vrf_modulo_samples"),
		(23, "max_upward_queue_count"),
		(24, "max_upward_queue_size"),
		(25, "max_downward_message_size"),
		(27, "max_upward_message_size"),
		(28, "max_upward_message_num_per_candidate"),
		(29, "hrmp_open_request_ttl"),
		(30, "hrmp_sender_deposit"),
		(31, "hrmp_recipient_deposit"),
		(32, "hrmp_channel_max_capacity"),
		(33, "hrmp_channel_max_total_size"),
		(34, "hrmp_max_parachain_inbound_channels"),
		(36, "hrmp_channel_max_message_size"),
		(37, "hrmp_max_parachain_outbound_channels"),
		(39, "hrmp_max_message_num_per_candidate"),
		(42, "pvf_voting_ttl"),
		(43, "minimum_validation_upgrade_delay"),
		(44, "bypass_consistency_check"),
		(45, "async_backing_params"),
		(46, "executor_params"),
		(47, "on_demand_base_fee"),
		(48, "on_demand_fee_variability"),
		(49, "on_demand_queue_max_size"),
		(50, "on_demand_target_queue_utilization"),
		(52, "minimum_backing_votes"),
		(53, "node_feature"),
		(54, "approval_voting_params"),
		(55, "scheduler_params"),
		(56, "max_relay_parent_session_age"),
	];
	assert_eq!(setters, expected);
}

#[test]
fn node_features_grow_as_needed() {
	with_chain(config(), 4, 1, |_| {
		let features = || PendingConfigs::<Test>::get()[0].1.node_features.clone();
		assert_ok!(Configuration::set_node_feature(RuntimeOrigin::root(), 10, true));
		assert_eq!((features().len(), features().count_ones()), (11, 1));
		assert_ok!(Configuration::set_node_feature(RuntimeOrigin::root(), 10, false));
		assert_eq!((features().len(), features().count_ones()), (11, 0));
	});
}

#[test]
fn parachains_decode_a_prefix_of_the_active_configuration() {
	with_chain(config(), 4, 1, |_| {
		let raw = sp_io::storage::get(headway_primitives::well_known_keys::ACTIVE_CONFIG)
			.expect("genesis stores the configuration");
		let abridged = AbridgedHostConfiguration::decode(&mut &raw[..]).expect("a prefix decodes");
		assert_eq!(abridged.max_head_data_size, 64);
		assert_eq!(abridged.async_backing_params, config().async_backing_params);
	});
}

#[test]
fn json_form_is_the_one_that_tools_write() {
	let mut config = config();
	config.node_features = bitvec::bitvec![u8, bitvec::order::Lsb0; 1, 0, 1, 1, 0, 0, 0, 0, 1];
	let mut json = serde_json::to_value(&config).expect("serializes");
	assert_eq!(
		json["node_features"],
		serde_json::json!({
			"order": "bitvec::order::Lsb0",
			"head": { "width": 8, "index": 0 },
			"bits": 9,
			"data": [13, 1],
		})
	);
	assert_eq!(serde_json::from_value::<HostConfiguration>(json.clone()).expect("parses"), config);

	// Old files have more scheduler parameters, and an old name.
	json["scheduler_params"]["ttl"] = 5.into();
	let cooldown = json["validation_upgrade_cooldown"].take();
	json.as_object_mut().expect("a map").remove("validation_upgrade_cooldown");
	json["validation_upgrade_frequency"] = cooldown;
	assert_eq!(serde_json::from_value::<HostConfiguration>(json.clone()).expect("parses"), config);

	json["no_such_parameter"] = 5.into();
	assert!(serde_json::from_value::<HostConfiguration>(json).is_err());
	assert_eq!(
		serde_json::from_value::<SchedulerParams>(serde_json::json!({ "lookahead": 4 }))
			.expect("others have defaults")
			.lookahead,
		4
	);
}

#[test]
fn scheduling_parents_are_one_when_backing_is_synchronous() {
	assert_eq!(config().scheduling_parents_max(), 3);
	assert_eq!(crate::mock::synchronous_config().scheduling_parents_max(), 1);
}
