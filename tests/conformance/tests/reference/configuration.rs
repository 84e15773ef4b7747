//! Host configurations, against what the program in `golden` wrote.

use codec::{Decode, DecodeAll, Encode};
use headway_primitives::AbridgedHostConfiguration;
use headway_runtime_parachains::configuration::HostConfiguration;
use polkadot_primitives as theirs;
use serde_json::Value;

struct Golden {
	json: Value,
	scale: Vec<u8>,
	consistent: bool,
}

fn golden() -> Vec<Golden> {
	let text = include_str!("../../golden/host_configurations.json");
	let configurations: Vec<Value> = serde_json::from_str(text).expect("the file is JSON");
	let field = |config: &Value, name: &str| config.get(name).expect("a field is there").clone();
	let golden = configurations.iter().map(|config| Golden {
		json: field(config, "json"),
		scale: hex::decode(&field(config, "scale").as_str().expect("a string")[2..]).expect("hex"),
		consistent: field(config, "consistent").as_bool().expect("a truth value"),
	});
	golden.collect()
}

#[test]
fn the_default_is_the_same() {
	assert_eq!(hex::encode(HostConfiguration::default().encode()), hex::encode(&golden()[0].scale));
}

/// JSON names the fields, SCALE orders them: both from the same values prove that names are at their places.
#[test]
fn json_and_scale_are_the_same() {
	for (i, Golden { json, scale, .. }) in golden().into_iter().enumerate() {
		let from_json: HostConfiguration = serde_json::from_value(json.clone()).expect("we read their JSON");
		assert_eq!(
			HostConfiguration::decode_all(&mut &scale[..]).as_ref(),
			Ok(&from_json),
			"configuration {i}"
		);
		assert_eq!(hex::encode(from_json.encode()), hex::encode(&scale), "configuration {i}");
		assert_eq!(serde_json::to_value(&from_json).expect("serializes"), json, "configuration {i}");
	}
}

#[test]
fn the_same_configurations_are_consistent() {
	let golden = golden();
	for (i, Golden { scale, consistent, .. }) in golden.iter().enumerate() {
		let config = HostConfiguration::decode_all(&mut &scale[..]).expect("tested above");
		assert_eq!(config.check_consistency().is_ok(), *consistent, "{i}: {:?}", config.check_consistency());
	}
	assert!(golden.iter().filter(|config| !config.consistent).count() >= 5, "some have to be inconsistent");
}

/// What parachains read by proof.
#[test]
fn the_first_ten_fields_decode_on_their_own() {
	for Golden { scale, .. } in golden() {
		let theirs = theirs::AbridgedHostConfiguration::decode(&mut &scale[..]).expect("a prefix decodes");
		let ours = AbridgedHostConfiguration::decode(&mut &scale[..]).expect("a prefix decodes");
		assert_eq!(ours.encode(), theirs.encode());
		assert_eq!(scale[..ours.encoded_size()], ours.encode());
	}
}
