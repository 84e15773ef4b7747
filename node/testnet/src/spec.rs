//! Chain specifications: the plain one of the program, edited, then made raw.

use crate::{network::Backing, Error};
use headway_primitives::{Hash, Header};
use headway_relay_runtime::VERSION;
use serde_json::{json, Value};
use sp_core::{crypto::Ss58Codec, ecdsa, ed25519, sr25519, Pair};
use sp_runtime::traits::{BlakeTwo256, Hash as _, Header as _};
use std::{fs, path::Path, process::Stdio};
use tokio::process::Command;

/// A parachain that is there from genesis.
pub struct GenesisPara {
	/// Its id.
	pub id: u32,
	/// Its first head, hex.
	pub head: String,
	/// Its code, hex.
	pub code: String,
}

/// What a network's specification says beyond the preset.
pub struct SpecConfig {
	/// Names of the validators; keys are derived from them.
	pub validators: Vec<String>,
	/// Parachains.
	pub paras: Vec<GenesisPara>,
	/// Cores before those of the parachains, which nobody has at genesis.
	pub spare_cores: u32,
	/// How candidates are backed.
	pub backing: Backing,
	/// Slots of a session; none: as the preset says.
	pub epoch_duration: Option<u64>,
}

/// Runs the program and answers what it prints. The program ends when nobody waits for the answer any more.
pub async fn run(program: &Path, args: &[&str]) -> Result<String, Error> {
	let command = || format!("{} {}", program.display(), args.join(" "));
	let output = Command::new(program)
		.args(args)
		.stdin(Stdio::null())
		// Ctrl-C is for whoever waits here.
		.process_group(0)
		.kill_on_drop(true)
		.output()
		.await
		.map_err(|error| Error::Command { command: command(), output: error.to_string() })?;
	if !output.status.success() {
		let text = String::from_utf8_lossy(&output.stderr).into_owned();
		return Err(Error::Command { command: command(), output: text });
	}
	String::from_utf8(output.stdout)
		.map_err(|_| Error::Command { command: command(), output: "output is not text".into() })
}

/// The raw specification of a network, with name and id of its own. What it is made from is left in `directory`.
pub async fn build(
	program: &Path,
	chain: &str,
	config: &SpecConfig,
	directory: &Path,
) -> Result<Value, Error> {
	let plain = run(program, &["build-spec", "--chain", chain, "--disable-default-bootnode"]).await?;
	let mut spec: Value = serde_json::from_str(&plain).map_err(|error| Error::Spec(error.to_string()))?;
	edit(&mut spec, config)?;
	let plain_path = directory.join("chain.plain.json");
	fs::write(&plain_path, spec.to_string())
		.map_err(|error| Error::File { path: plain_path.clone(), error })?;
	let plain = plain_path.to_string_lossy();
	let raw = run(program, &["build-spec", "--chain", &plain, "--disable-default-bootnode", "--raw"]).await?;
	let mut spec: Value = serde_json::from_str(&raw).map_err(|error| Error::Spec(error.to_string()))?;
	name(&mut spec)?;
	Ok(spec)
}

/// Gives a raw specification a name and an id that no chain with another genesis block has: wallets and light clients keep
/// what they know of a chain under these.
fn name(spec: &mut Value) -> Result<(), Error> {
	let hash = hex::encode(&genesis_hash(spec)?[..4]);
	spec["name"] = json!(format!("Headway Testnet {hash}"));
	spec["id"] = json!(format!("headway_testnet_{hash}"));
	Ok(())
}

/// The id in a specification: it names the directory of the chain's data.
pub fn id(spec: &Value) -> Result<String, Error> {
	spec["id"].as_str().map(Into::into).ok_or_else(|| Error::Spec("there is no id".into()))
}

/// Hash of the genesis block of a raw specification.
pub fn genesis_hash(spec: &Value) -> Result<Hash, Error> {
	let top = spec
		.pointer("/genesis/raw/top")
		.and_then(Value::as_object)
		.ok_or_else(|| Error::Spec("there is no /genesis/raw/top".into()))?;
	let bytes = |text: &str| {
		hex::decode(text.trim_start_matches("0x")).map_err(|error| Error::Spec(format!("genesis: {error}")))
	};
	let entry = |(key, value): (&String, &Value)| {
		let value = value.as_str().ok_or_else(|| Error::Spec(format!("genesis: {key} has no value")))?;
		Ok((bytes(key)?, bytes(value)?))
	};
	let state = top.iter().map(entry).collect::<Result<Vec<_>, Error>>()?;
	let version = VERSION.state_version();
	let root = |entries| BlakeTwo256::trie_root(entries, version);
	let parent = Hash::default();
	Ok(Header::new(0, root(Vec::new()), root(state), parent, Default::default()).hash())
}

/// Edits a plain specification as zombienet does.
pub fn edit(spec: &mut Value, config: &SpecConfig) -> Result<(), Error> {
	// The protocol's erasure coding has no code for one: no candidate could ever get an erasure root.
	if config.validators.len() < 2 && !config.paras.is_empty() {
		let why =
			"parachains take at least two validators: erasure coding distributes data among two or more";
		return Err(Error::Spec(why.into()));
	}
	let genesis = spec
		.pointer_mut("/genesis/runtimeGenesis/patch")
		.ok_or_else(|| Error::Spec("there is no /genesis/runtimeGenesis/patch".into()))?;

	let balances = list(genesis, "/balances/balances")?;
	for name in &config.validators {
		let stash = stash(name)?;
		if !balances.iter().any(|entry| entry[0] == json!(stash)) {
			balances.push(json!([stash, 1_000_000_000_000_000u64]));
		}
	}
	let keys = list(genesis, "/session/keys")?;
	keys.clear();
	for name in &config.validators {
		let stash = stash(name)?;
		let sr = sr25519_address(&seed(name))?;
		keys.push(json!([stash, stash, {
			"grandpa": pair::<ed25519::Pair>(&seed(name))?.public().to_ss58check(),
			"babe": sr,
			"para_validator": sr,
			"para_assignment": sr,
			"authority_discovery": sr,
			"beefy": pair::<ecdsa::Pair>(&seed(name))?.public().to_ss58check(),
		}]));
	}
	let paras = list(genesis, "/paras/paras")?;
	for para in &config.paras {
		paras.push(json!([para.id, [para.head, para.code, true]]));
	}
	let host = genesis
		.pointer_mut("/configuration/config")
		.ok_or_else(|| Error::Spec("there is no configuration.config".into()))?;
	host["async_backing_params"] = match config.backing {
		Backing::Async => json!({ "max_candidate_depth": 3, "allowed_ancestry_len": 2 }),
		Backing::Sync => json!({ "max_candidate_depth": 0, "allowed_ancestry_len": 0 }),
	};
	if config.spare_cores > 0 {
		host["scheduler_params"]["num_cores"] = json!(config.spare_cores);
	}
	if let Some(epoch_duration) = config.epoch_duration {
		genesis["chainParameters"]["epochDuration"] = json!(epoch_duration);
	}
	Ok(())
}

/// Secret URI of a validator's session keys.
pub fn seed(name: &str) -> String {
	let mut letters = name.chars();
	let first = letters.next().map(|letter| letter.to_ascii_uppercase());
	format!("//{}{}", first.map(String::from).unwrap_or_default(), letters.as_str())
}

/// Writes the session keys of a validator into its keystore.
pub fn write_keystore(keystore: &Path, name: &str) -> Result<(), Error> {
	let file_error = |error| Error::File { path: keystore.into(), error };
	fs::create_dir_all(keystore).map_err(file_error)?;
	let sr = pair::<sr25519::Pair>(&seed(name))?.public().0;
	let ed = pair::<ed25519::Pair>(&seed(name))?.public().0;
	let keys = [(b"babe", sr), (b"para", sr), (b"asgn", sr), (b"audi", sr), (b"gran", ed)];
	for (kind, public) in keys {
		let file = keystore.join(format!("{}{}", hex::encode(kind), hex::encode(public)));
		fs::write(&file, json!(seed(name)).to_string()).map_err(file_error)?;
	}
	Ok(())
}

fn list<'a>(genesis: &'a mut Value, pointer: &str) -> Result<&'a mut Vec<Value>, Error> {
	genesis
		.pointer_mut(pointer)
		.and_then(Value::as_array_mut)
		.ok_or_else(|| Error::Spec(format!("there is no list at {pointer}")))
}

fn pair<P: Pair>(uri: &str) -> Result<P, Error> {
	P::from_string(uri, None).map_err(|error| Error::Spec(format!("key {uri}: {error:?}")))
}

fn sr25519_address(uri: &str) -> Result<String, Error> {
	Ok(pair::<sr25519::Pair>(uri)?.public().to_ss58check())
}

fn stash(name: &str) -> Result<String, Error> {
	sr25519_address(&format!("{}//stash", seed(name)))
}

#[cfg(test)]
mod tests {
	use super::*;

	fn plain() -> Value {
		json!({ "genesis": { "runtimeGenesis": { "patch": {
			"balances": { "balances": [] },
			"session": { "keys": [["old", "old", {}]] },
			"paras": { "paras": [] },
			"configuration": { "config": { "async_backing_params": {} } },
		} } } })
	}

	fn config(backing: Backing) -> SpecConfig {
		let para = GenesisPara { id: 2000, head: "0x00".into(), code: "0x01".into() };
		SpecConfig {
			validators: vec!["alice".into(), "eve".into()],
			paras: vec![para],
			spare_cores: 2,
			backing,
			epoch_duration: Some(10),
		}
	}

	#[test]
	fn validators_and_paras_are_written_where_the_runtime_reads_them() {
		let mut spec = plain();
		edit(&mut spec, &config(Backing::Async)).unwrap();
		let patch = &spec["genesis"]["runtimeGenesis"]["patch"];
		assert_eq!(patch["session"]["keys"].as_array().unwrap().len(), 2);
		// //Alice, as everybody knows it.
		assert_eq!(
			patch["session"]["keys"][0][2]["babe"],
			"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
		);
		assert_eq!(patch["paras"]["paras"][0], json!([2000, ["0x00", "0x01", true]]));
		assert_eq!(patch["chainParameters"]["epochDuration"], 10);
		assert_eq!(patch["configuration"]["config"]["scheduler_params"]["num_cores"], 2);
		assert_eq!(patch["configuration"]["config"]["async_backing_params"]["max_candidate_depth"], 3);
	}

	#[test]
	fn one_validator_is_refused_where_there_are_parachains() {
		let one = SpecConfig { validators: vec!["alice".into()], ..config(Backing::Async) };
		let error = edit(&mut plain(), &one).unwrap_err().to_string();
		assert!(error.contains("at least two validators"), "{error}");
		edit(&mut plain(), &SpecConfig { paras: Vec::new(), ..one }).unwrap();
	}

	#[test]
	fn synchronous_backing_is_zero_for_both_parameters() {
		let mut spec = plain();
		edit(&mut spec, &config(Backing::Sync)).unwrap();
		let params =
			&spec["genesis"]["runtimeGenesis"]["patch"]["configuration"]["config"]["async_backing_params"];
		assert_eq!(*params, json!({ "max_candidate_depth": 0, "allowed_ancestry_len": 0 }));
	}

	#[test]
	fn networks_with_different_genesis_blocks_have_different_names_and_ids() {
		let named = |value: &str| {
			let mut spec = json!({
				"name": "Headway Local Testnet",
				"id": "headway_local",
				"genesis": { "raw": { "top": { "0x01": value }, "childrenDefault": {} } },
			});
			name(&mut spec).unwrap();
			(spec["name"].clone(), id(&spec).unwrap())
		};
		let (first, second) = (named("0x02"), named("0x03"));
		assert_eq!(first, named("0x02"));
		assert!(first.0 != second.0 && first.1 != second.1, "{first:?} {second:?}");
		assert!(first.1.starts_with("headway_testnet_"), "{first:?}");
	}

	#[test]
	fn a_specification_without_genesis_patch_is_an_error_that_says_so() {
		let error = edit(&mut json!({}), &config(Backing::Async)).unwrap_err();
		assert!(error.to_string().contains("/genesis/runtimeGenesis/patch"), "{error}");
	}
}
