//! Named chains, and chain specifications from files.
//!
//! A named chain is a genesis preset of the runtime that this node was built with. A file may have been rewritten by tools:
//! extension keys may be missing, the genesis may be changed; a file that cannot be used gives one error that names the file
//! and the field.

use headway_primitives::Block;
use headway_relay_runtime::WASM_BINARY;
use sc_chain_spec::ChainSpecExtension;
use sc_service::ChainType;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What a chain specification may say besides the common fields. All of it is optional: external tools drop unknown keys.
#[derive(Default, Clone, Debug, Serialize, Deserialize, ChainSpecExtension)]
#[serde(rename_all = "camelCase")]
pub struct Extensions {
	/// Blocks that must be on the chain.
	#[serde(default)]
	pub fork_blocks: sc_client_api::ForkBlocks<Block>,
	/// Blocks that must not.
	#[serde(default)]
	pub bad_blocks: sc_client_api::BadBlocks<Block>,
	/// State for light clients.
	#[serde(default)]
	pub light_sync_state: sc_sync_state_rpc::LightSyncStateExtension,
}

/// A chain specification of this node.
pub type ChainSpec = sc_service::GenericChainSpec<Extensions>;

/// Why there is no chain specification.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// The node was built without the runtime's Wasm, which is the code of the genesis block.
	#[error(
		"this program was built without the runtime's Wasm (HEADWAY_SKIP_WASM), so it has no named chains"
	)]
	NoWasm,
	/// Neither a named chain nor a file.
	#[error("there is no chain and no file named `{name}`; chains are {}", names())]
	Unknown {
		/// What was asked for.
		name: String,
	},
	/// The file cannot be read.
	#[error("cannot read the chain specification {}: {source}", path.display())]
	Unreadable {
		/// The file.
		path: PathBuf,
		/// Why.
		source: std::io::Error,
	},
	/// The file is not what it should be.
	#[error("the chain specification {} is malformed: {reason}", path.display())]
	Malformed {
		/// The file.
		path: PathBuf,
		/// Field and what is wrong with it.
		reason: String,
	},
}

/// A named chain.
struct Named {
	/// For `--chain`.
	name: &'static str,
	/// For people.
	title: &'static str,
	/// Names the folder of the database. It must not begin like the id of a public network: stock nodes inside of collators
	/// change their behaviour on such ids.
	id: &'static str,
	chain_type: fn() -> ChainType,
	/// Genesis preset of the runtime.
	preset: &'static str,
}

/// The chain of a node that names none.
const DEFAULT: &str = "local";

const NAMED: &[Named] = &[
	Named {
		name: "dev",
		title: "Headway Development",
		id: "headway_dev",
		chain_type: || ChainType::Development,
		preset: sp_genesis_builder::DEV_RUNTIME_PRESET,
	},
	Named {
		name: "local",
		title: "Headway Local Testnet",
		id: "headway_local",
		chain_type: || ChainType::Local,
		preset: sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET,
	},
	Named {
		name: "dev-fast",
		title: "Headway Development, fast",
		id: "headway_dev_fast",
		chain_type: || ChainType::Development,
		preset: headway_relay_runtime::presets::DEVELOPMENT_FAST,
	},
	Named {
		name: "local-fast",
		title: "Headway Local Testnet, fast",
		id: "headway_local_fast",
		chain_type: || ChainType::Local,
		preset: headway_relay_runtime::presets::LOCAL_TESTNET_FAST,
	},
];

fn names() -> String {
	NAMED.iter().map(|chain| format!("`{}`", chain.name)).collect::<Vec<_>>().join(", ")
}

/// The specification of a named chain, or that in a file. No name means [`DEFAULT`].
pub fn load(id: &str) -> Result<Box<dyn sc_service::ChainSpec>, Error> {
	let name = if id.is_empty() { DEFAULT } else { id };
	match NAMED.iter().find(|chain| chain.name == name) {
		Some(chain) => Ok(Box::new(named(chain, WASM_BINARY.ok_or(Error::NoWasm)?))),
		None if Path::new(name).exists() => Ok(Box::new(from_file(Path::new(name))?)),
		None => Err(Error::Unknown { name: name.into() }),
	}
}

fn named(chain: &Named, code: &[u8]) -> ChainSpec {
	ChainSpec::builder(code, Extensions::default())
		.with_name(chain.title)
		.with_id(chain.id)
		.with_chain_type((chain.chain_type)())
		.with_properties(properties())
		.with_genesis_config_preset_name(chain.preset)
		.build()
}

/// What wallets show: symbol, decimals, address format.
fn properties() -> sc_chain_spec::Properties {
	[
		("tokenSymbol".to_string(), Value::from("HDW")),
		("tokenDecimals".to_string(), Value::from(12)),
		("ss58Format".to_string(), Value::from(42)),
	]
	.into_iter()
	.collect()
}

/// The specification in a file.
pub fn from_file(path: &Path) -> Result<ChainSpec, Error> {
	let malformed = |reason: String| Error::Malformed { path: path.into(), reason };
	let bytes = std::fs::read(path).map_err(|source| Error::Unreadable { path: path.into(), source })?;
	let json: Value =
		serde_json::from_slice(&bytes).map_err(|error| malformed(format!("no JSON: {error}")))?;
	check_genesis(&json).map_err(malformed)?;
	let spec = ChainSpec::from_json_bytes(bytes)
		.map_err(|error| malformed(error.trim_start_matches("Error parsing spec file: ").into()))?;
	Ok(spec)
}

/// Checks what the specification type looks at only when it builds the genesis block, so that the error is as clear.
fn check_genesis(json: &Value) -> Result<(), String> {
	let field = |at: &Value, name: &str, path: &str| {
		at.get(name).cloned().ok_or_else(|| format!("field `{path}` is missing"))
	};
	let hex = |value: &Value, path: &str| match value.as_str() {
		Some(text) if is_hex(text) => Ok(()),
		_ => Err(format!("field `{path}` is no string of hexadecimal digits with the prefix 0x")),
	};

	let genesis = field(json, "genesis", "genesis")?;
	if let Some(runtime) = genesis.get("runtimeGenesis") {
		hex(&field(runtime, "code", "genesis.runtimeGenesis.code")?, "genesis.runtimeGenesis.code")?;
		let config = ["patch", "config"].iter().find_map(|key| runtime.get(key));
		return match config {
			Some(Value::Object(_)) => Ok(()),
			Some(_) => Err("field `genesis.runtimeGenesis.patch` (or `config`) is no object".into()),
			None => Err("field `genesis.runtimeGenesis.patch` (or `config`) is missing".into()),
		};
	}
	let Some(raw) = genesis.get("raw") else {
		return Err("field `genesis` has neither `runtimeGenesis` nor `raw`".into());
	};
	let top = field(raw, "top", "genesis.raw.top")?;
	let Value::Object(top) = top else { return Err("field `genesis.raw.top` is no object".into()) };
	top.iter().try_for_each(|(key, value)| {
		let path = format!("genesis.raw.top.{key}");
		if !is_hex(key) {
			return Err(format!("the key of field `{path}` is not hexadecimal"));
		}
		hex(value, &path)
	})
}

fn is_hex(text: &str) -> bool {
	text.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests;
