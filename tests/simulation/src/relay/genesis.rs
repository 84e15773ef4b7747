//! The first block: a local testnet's preset with other validators, paras and cores.

use super::ledger::Overlay;
use codec::{DecodeAll, Encode};
use headway_primitives::{HeadData, Header, ParaId, ValidationCode, ValidatorId};
use headway_relay_runtime::{
	presets, AccountId, RuntimeCall, RuntimeGenesisConfig, RuntimeOrigin, SessionKeys,
};
use headway_runtime_parachains::{
	coretime,
	scheduler::{CoreAssignment, PartsOf57600},
};
use serde_json::{json, Value};
use sp_core::{ecdsa, ed25519, sr25519, Blake2Hasher, Hasher};
use sp_externalities::set_and_run_with_externalities;
use sp_runtime::{
	traits::{BlakeTwo256, Dispatchable, Header as _},
	StateVersion,
};
use sp_state_machine::{BackendTransaction, Ext, InMemoryBackend};

/// What a chain begins with.
#[derive(Clone, Debug)]
pub struct Spec {
	/// Keys of the validators, for everything that they sign.
	pub validators: Vec<ValidatorId>,
	/// Paras, with the number of their cores.
	pub paras: Vec<(ParaId, u32)>,
	/// Head data of all paras.
	pub head: HeadData,
	/// Code of all paras.
	pub code: ValidationCode,
	/// Slots of a session.
	pub session_slots: u64,
	/// Blocks between rotations of groups over cores.
	pub rotation_blocks: u32,
	/// Whether backing is synchronous.
	pub synchronous: bool,
}

/// Why there is no genesis block.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// The configuration cannot be written.
	#[error("genesis configuration: {0}")]
	Config(#[from] serde_json::Error),
	/// The runtime refuses it.
	#[error("runtime refuses genesis: {0}")]
	Runtime(String),
}

/// The first block's header, and its state as changes to nothing.
pub(super) fn build(spec: &Spec) -> Result<(Header, BackendTransaction<BlakeTwo256>), Error> {
	let config = config(spec)?.to_string().into_bytes();
	let state = InMemoryBackend::<BlakeTwo256>::default();
	let mut overlay = Overlay::default();
	set_and_run_with_externalities(&mut Ext::new(&mut overlay, &state, None), || {
		let built = headway_relay_runtime::api::dispatch("GenesisBuilder_build_state", &config.encode())
			.ok_or_else(|| Error::Runtime("it builds no genesis".into()))?;
		Result::<(), String>::decode_all(&mut &built[..])
			.map_err(|error| Error::Runtime(error.to_string()))?
			.map_err(Error::Runtime)?;
		assign_cores(spec)
	})?;
	let changes = overlay
		.drain_storage_changes(&state, StateVersion::V1)
		.map_err(|error| Error::Runtime(format!("{error:?}")))?;
	let root = changes.transaction_storage_root;
	let header = Header::new(0, Default::default(), root, Default::default(), Default::default());
	Ok((header, changes.transaction))
}

fn config(spec: &Spec) -> Result<Value, Error> {
	let mut config = serde_json::to_value(RuntimeGenesisConfig::default())?;
	let preset = presets::get_preset(&"local_testnet".into())
		.ok_or_else(|| Error::Runtime("there is no preset local_testnet".into()))?;
	sc_chain_spec::json_merge(&mut config, serde_json::from_slice(&preset)?);
	config["session"]["keys"] = spec.validators.iter().map(session_keys).collect();
	config["paras"]["paras"] =
		spec.paras.iter().map(|(para, _)| json!([para.0, [spec.head, spec.code, true]])).collect();
	config["chainParameters"]["epochDuration"] = spec.session_slots.into();
	let host = &mut config["configuration"]["config"];
	// Genesis adds a core for each para; these are the others.
	host["scheduler_params"]["num_cores"] = spec.paras.iter().map(|(_, cores)| cores - 1).sum::<u32>().into();
	host["scheduler_params"]["group_rotation_frequency"] = spec.rotation_blocks.into();
	if spec.synchronous {
		host["async_backing_params"] = json!({ "max_candidate_depth": 0, "allowed_ancestry_len": 0 });
	}
	Ok(config)
}

/// Account and keys of a validator. What nothing in this world signs with is made up.
fn session_keys(key: &ValidatorId) -> Value {
	let public = sr25519::Public::from(key.clone());
	let mut beefy = [2; 33];
	beefy[1..].copy_from_slice(&public.0);
	let keys = SessionKeys {
		grandpa: ed25519::Public::from_raw(public.0).into(),
		babe: public.into(),
		para_validator: public.into(),
		para_assignment: public.into(),
		authority_discovery: public.into(),
		beefy: ecdsa::Public::from_raw(beefy).into(),
	};
	let account = AccountId::from(Blake2Hasher::hash(&public.0).0);
	json!([account, account, keys])
}

/// Gives elastic paras the cores beyond their first one.
fn assign_cores(spec: &Spec) -> Result<(), Error> {
	let paras = spec.paras.iter().flat_map(|(para, cores)| (1..*cores).map(move |_| *para));
	for (core, para) in (0..).zip(paras) {
		let assignment = vec![(CoreAssignment::Task(para.0), PartsOf57600::FULL)];
		let call = coretime::Call::assign_core { core, begin: 1, assignment, end_hint: None };
		RuntimeCall::from(call)
			.dispatch(RuntimeOrigin::root())
			.map_err(|error| Error::Runtime(format!("{:?}", error.error)))?;
	}
	Ok(())
}
