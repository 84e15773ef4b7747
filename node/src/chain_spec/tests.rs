use super::*;
use sc_service::ChainSpec as _;
use std::io::Write;

fn file(contents: &str) -> tempfile::NamedTempFile {
	let mut file = tempfile::NamedTempFile::new().expect("temporary files can be made");
	file.write_all(contents.as_bytes()).expect("it can be written");
	file
}

fn load_text(contents: &str) -> Result<ChainSpec, Error> {
	from_file(file(contents).path())
}

/// A raw specification without any key that can be left out.
const MINIMAL: &str = r#"{
	"name": "T", "id": "t", "bootNodes": [],
	"genesis": { "raw": { "top": { "0x01": "0x02" }, "childrenDefault": {} } }
}"#;

fn wasm() -> &'static [u8] {
	WASM_BINARY.expect("this test needs the runtime's Wasm: build without HEADWAY_SKIP_WASM")
}

fn named_specs() -> impl Iterator<Item = (&'static Named, ChainSpec)> {
	NAMED.iter().map(|chain| (chain, named(chain, wasm())))
}

#[test]
fn a_specification_without_extensions_loads() {
	let spec = load_text(MINIMAL).expect("nothing that is needed is missing");
	assert_eq!(spec.id(), "t");
	assert!(sc_chain_spec::get_extension::<sc_client_api::ForkBlocks<Block>>(spec.extensions()).is_some());
	assert!(sc_chain_spec::get_extension::<sc_sync_state_rpc::LightSyncStateExtension>(spec.extensions())
		.is_some());
}

#[test]
fn unknown_keys_are_ignored() {
	let json = MINIMAL.replacen("\"name\"", "\"somethingNew\": 1, \"name\"", 1);
	load_text(&json).expect("newer tools write more keys");
}

#[test]
fn a_malformed_specification_is_an_error_that_names_file_and_field() {
	let genesis =
		|genesis: &str| format!(r#"{{"name": "T", "id": "t", "bootNodes": [], "genesis": {genesis}}}"#);
	for (contents, field) in [
		("{".into(), "line 1"),
		("{}".into(), "`genesis`"),
		(MINIMAL.replace("\"id\": \"t\", ", ""), "`id`"),
		(MINIMAL.replace(", \"bootNodes\": []", ""), "`bootNodes`"),
		(genesis("{}"), "`genesis`"),
		(genesis(r#"{"runtimeGenesis": {"patch": {}}}"#), "`genesis.runtimeGenesis.code`"),
		(genesis(r#"{"runtimeGenesis": {"code": "0x", "patch": 1}}"#), "`genesis.runtimeGenesis.patch`"),
		(genesis(r#"{"runtimeGenesis": {"code": "00", "patch": {}}}"#), "`genesis.runtimeGenesis.code`"),
		(genesis(r#"{"runtimeGenesis": {"code": "0x"}}"#), "`genesis.runtimeGenesis.patch`"),
		(genesis(r#"{"raw": {}}"#), "`genesis.raw.top`"),
		(genesis(r#"{"raw": {"top": {"0x01": "zz"}}}"#), "`genesis.raw.top.0x01`"),
	] {
		let file = file(&contents);
		let error = from_file(file.path()).err().expect(&contents).to_string();
		assert!(error.contains(&file.path().display().to_string()), "{error}");
		assert!(error.contains(field), "{field} is not in: {error}");
	}
}

#[test]
fn an_unknown_chain_is_an_error_that_lists_the_known_ones() {
	let error = load("no-such-chain").expect_err("there is no such chain").to_string();
	assert!(
		error.contains("no-such-chain") && error.contains("`local`") && error.contains("`dev`"),
		"{error}"
	);
}

#[test]
fn ids_do_not_look_like_public_networks() {
	for chain in NAMED {
		for prefix in
			["polkadot", "dot", "kusama", "ksm", "westend", "wnd", "rococo", "rco", "versi", "vrs", "paseo"]
		{
			assert!(!chain.id.starts_with(prefix), "{} makes stock nodes behave differently", chain.id);
		}
	}
}

#[test]
fn named_chains_are_for_testing_on_one_machine() {
	for (chain, spec) in named_specs() {
		assert!(matches!(spec.chain_type(), ChainType::Local | ChainType::Development), "{}", chain.name);
		assert!(spec.fork_id().is_none(), "a fork id disturbs collators that use RPC");
		assert!(
			spec.protocol_id().is_none(),
			"protocols are named after the genesis block; light clients warn"
		);
		assert!(spec.properties().contains_key("tokenDecimals"));
	}
}

#[test]
fn plain_specifications_survive_a_round_trip_and_have_what_zombienet_edits() {
	for (chain, spec) in named_specs() {
		let json = spec.as_json(false).expect("the preset exists");
		let value: Value = serde_json::from_str(&json).expect("it is JSON");
		assert!(value["bootNodes"].is_array());
		let patch = &value["genesis"]["runtimeGenesis"]["patch"];
		assert!(patch["session"]["keys"].is_array(), "{}", chain.name);
		assert!(patch["balances"]["balances"].is_array(), "{}", chain.name);
		assert!(patch["configuration"]["config"].is_object(), "{}", chain.name);
		let again = load_text(&json).expect("it was just written");
		assert_eq!(again.id(), chain.id);
		assert_eq!(again.as_json(false).expect("nothing changed"), json);
	}
}

#[test]
fn a_raw_specification_has_the_genesis_state_of_the_plain_one() {
	let chain = NAMED.iter().find(|chain| chain.name == DEFAULT).expect("the default chain has a name");
	let spec = named(chain, wasm());
	let state =
		|spec: &ChainSpec| spec.as_storage_builder().build_storage().expect("there is a genesis state").top;
	let plain = state(&spec);
	assert!(plain.contains_key(sp_core::storage::well_known_keys::CODE));
	let json = spec.as_json(true).expect("the runtime builds its genesis state");
	let raw = load_text(&json).expect("it was just written");
	assert_eq!(state(&raw), plain);
}
