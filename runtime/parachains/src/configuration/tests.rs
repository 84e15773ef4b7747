//! Setters, pending changes, consistency, and the JSON form.

use super::*;
use crate::mock::{config, with_chain, RuntimeOrigin, Test};
use codec::Decode;
use frame_support::{assert_noop, assert_ok};
use headway_primitives::{AbridgedHostConfiguration, SchedulerParams};
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
