//! A relay chain that executes blocks through the runtime API, on a state in memory.

use codec::{Decode, DecodeAll, Encode};
use headway_primitives::{Hash, Header};
use headway_relay_runtime::UncheckedExtrinsic;
use sp_consensus_babe::{
	digests::{PreDigest, SecondaryPlainPreDigest},
	Slot, BABE_ENGINE_ID,
};
use sp_core::{
	traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode},
	Blake2Hasher, Hasher,
};
use sp_externalities::{set_and_run_with_externalities, Extensions};
use sp_inherents::InherentData;
use sp_runtime::{traits::Header as _, ApplyExtrinsicResult, Digest, DigestItem, StateVersion};
use sp_state_machine::{Ext, InMemoryBackend, OverlayedChanges, StateMachine};

/// Changes on top of the state of the newest block.
pub type Overlay = OverlayedChanges<Blake2Hasher>;

/// Slot of the first block.
const FIRST_SLOT: u64 = 1_000;
/// Duration of a slot in the presets, milliseconds.
const SLOT_MS: u64 = headway_primitives::RELAY_CHAIN_SLOT_DURATION_MILLIS;

/// Why the chain did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// The runtime panicked, or does not have the call.
	#[error("runtime call {method}: {error}")]
	Call {
		/// Name of the call.
		method: &'static str,
		/// What the executor says.
		error: String,
	},
	/// The runtime's answer is not of the expected type.
	#[error("answer of runtime call {method}: {error}")]
	Answer {
		/// Name of the call.
		method: &'static str,
		/// What is wrong with it.
		error: codec::Error,
	},
	/// The runtime does not take the genesis configuration.
	#[error("genesis: {0}")]
	Genesis(String),
	/// Inherent data is given twice.
	#[error("inherent data: {0}")]
	InherentData(#[from] sp_inherents::Error),
	/// An extrinsic was refused, or failed.
	#[error("extrinsic {index} of the block: {error}")]
	Extrinsic {
		/// Its position.
		index: usize,
		/// What the runtime says.
		error: String,
	},
	/// The header has another state root than the state.
	#[error("block {0} does not have the root of its state")]
	StateRoot(u32),
	/// The overlay has open transactions.
	#[error("changes of a block cannot be committed: {0}")]
	Commit(String),
}

/// A chain: the state of its newest block, and that block's header.
#[derive(Clone)]
pub struct Chain<E> {
	executor: E,
	code: Vec<u8>,
	code_hash: Hash,
	state: InMemoryBackend<Blake2Hasher>,
	best: Header,
}

impl<E: CodeExecutor> Chain<E> {
	/// Builds genesis. `configure` changes the named preset's configuration, `set_up` then the state: it runs
	/// within the state, as the host's build of the runtime.
	///
	/// `code` is the Wasm blob, and is ignored by an executor that runs the host's build.
	pub fn new(
		executor: E,
		code: Vec<u8>,
		preset: &str,
		configure: impl FnOnce(&mut serde_json::Value),
		set_up: impl FnOnce() -> Result<(), String>,
	) -> Result<Self, Error> {
		let placeholder =
			Header::new(0, Default::default(), Default::default(), Default::default(), Default::default());
		let code_hash = Blake2Hasher::hash(&code);
		let mut chain = Self { executor, code, code_hash, state: Default::default(), best: placeholder };

		let mut config = chain.preset(None)?;
		sc_chain_spec::json_merge(&mut config, chain.preset(Some(preset))?);
		configure(&mut config);
		let mut overlay = Overlay::default();
		chain
			.call::<sp_genesis_builder::Result>(
				&mut overlay,
				"GenesisBuilder_build_state",
				&config.to_string().into_bytes(),
			)?
			.map_err(|error| Error::Genesis(error.to_string()))?;
		chain.inspect(&mut overlay, set_up).map_err(Error::Genesis)?;
		overlay.set_storage(sp_core::storage::well_known_keys::CODE.to_vec(), Some(chain.code.clone()));
		let root = chain.commit(overlay)?;
		chain.best = Header::new(0, Default::default(), root, Default::default(), Default::default());
		Ok(chain)
	}

	fn preset(&self, name: Option<&str>) -> Result<serde_json::Value, Error> {
		let name = name.map(sp_genesis_builder::PresetId::from);
		let preset: Option<Vec<u8>> = self.query("GenesisBuilder_get_preset", &name)?;
		let preset = preset.ok_or_else(|| Error::Genesis(format!("there is no preset {name:?}")))?;
		serde_json::from_slice(&preset).map_err(|error| Error::Genesis(error.to_string()))
	}

	/// The same chain, executed by another executor from here on.
	pub fn with_executor<F: CodeExecutor>(self, executor: F) -> Chain<F> {
		let Self { code, code_hash, state, best, .. } = self;
		Chain { executor, code, code_hash, state, best }
	}

	/// Header of the newest block.
	pub fn best(&self) -> &Header {
		&self.best
	}

	/// Calls the runtime with SCALE-encoded arguments; returns its encoded answer.
	pub fn call_raw(
		&self,
		overlay: &mut Overlay,
		method: &'static str,
		args: &[u8],
	) -> Result<Vec<u8>, Error> {
		self.call_with(overlay, Extensions::default(), method, args)
	}

	/// As [`Self::call_raw`], with what else the host has to offer.
	pub fn call_with(
		&self,
		overlay: &mut Overlay,
		mut extensions: Extensions,
		method: &'static str,
		args: &[u8],
	) -> Result<Vec<u8>, Error> {
		let fetcher = WrappedRuntimeCode(self.code.as_slice().into());
		let code = RuntimeCode { code_fetcher: &fetcher, heap_pages: None, hash: self.code_hash.encode() };
		let mut machine = StateMachine::new(
			&self.state,
			overlay,
			&self.executor,
			method,
			args,
			&mut extensions,
			&code,
			CallContext::Onchain { import: false },
		);
		machine.execute().map_err(|error| Error::Call { method, error: error.to_string() })
	}

	/// Calls the runtime. Arguments of several are a tuple.
	pub fn call<R: Decode>(
		&self,
		overlay: &mut Overlay,
		method: &'static str,
		args: &impl Encode,
	) -> Result<R, Error> {
		decode(method, &self.call_raw(overlay, method, &args.encode())?)
	}

	/// Calls the runtime on the state of the newest block. Changes are forgotten.
	pub fn query<R: Decode>(&self, method: &'static str, args: &impl Encode) -> Result<R, Error> {
		self.call(&mut Overlay::default(), method, args)
	}

	/// Runs the host's build of the runtime within the state.
	pub fn inspect<R>(&self, overlay: &mut Overlay, look: impl FnOnce() -> R) -> R {
		set_and_run_with_externalities(&mut Ext::new(overlay, &self.state, None), look)
	}

	/// The header with which the next block begins.
	pub fn next_header(&self) -> Header {
		let number = self.best.number + 1;
		let slot = Slot::from(FIRST_SLOT + u64::from(number));
		let digest = PreDigest::SecondaryPlain(SecondaryPlainPreDigest { authority_index: 0, slot });
		let digest = Digest { logs: vec![DigestItem::PreRuntime(BABE_ENGINE_ID, digest.encode())] };
		Header::new(number, Default::default(), Default::default(), self.best.hash(), digest)
	}

	/// Begins the next block: the state in which its inherents are made and applied.
	pub fn begin(&self) -> Result<Overlay, Error> {
		let mut overlay = Overlay::default();
		self.call_raw(&mut overlay, "Core_initialize_block", &self.next_header().encode())?;
		Ok(overlay)
	}

	/// What the author of the next block gives to the runtime, with the parachains' part.
	pub fn inherent_data(
		&self,
		parachains: &headway_primitives::InherentData,
	) -> Result<InherentData, Error> {
		let mut data = InherentData::new();
		let moment = (FIRST_SLOT + u64::from(self.best.number + 1)) * SLOT_MS;
		data.put_data(sp_timestamp::INHERENT_IDENTIFIER, &moment)?;
		data.put_data(headway_primitives::PARACHAINS_INHERENT_IDENTIFIER, parachains)?;
		Ok(data)
	}

	/// The inherents that the runtime makes of the data, without changes to the state.
	pub fn inherents(&self, begun: &Overlay, data: &InherentData) -> Result<Vec<UncheckedExtrinsic>, Error> {
		self.call(&mut begun.clone(), "BlockBuilder_inherent_extrinsics", data)
	}

	/// Applies an extrinsic, which must succeed.
	pub fn apply(
		&self,
		overlay: &mut Overlay,
		index: usize,
		extrinsic: &UncheckedExtrinsic,
	) -> Result<(), Error> {
		let method = "BlockBuilder_apply_extrinsic";
		check_applied(index, &self.call_raw(overlay, method, &extrinsic.encode())?)
	}

	/// Ends a block that was begun with [`Self::begin`]; returns its header.
	pub fn finalize(&self, overlay: &mut Overlay) -> Result<Header, Error> {
		self.call(overlay, "BlockBuilder_finalize_block", &())
	}

	/// Makes a finished block the newest one.
	pub fn import(&mut self, header: Header, overlay: Overlay) -> Result<(), Error> {
		if self.commit(overlay)? != header.state_root {
			return Err(Error::StateRoot(header.number));
		}
		self.best = header;
		Ok(())
	}

	fn commit(&mut self, mut overlay: Overlay) -> Result<Hash, Error> {
		let changes = overlay.drain_storage_changes(&self.state, StateVersion::V1).map_err(Error::Commit)?;
		self.state.apply_transaction(changes.transaction_storage_root, changes.transaction);
		Ok(*self.state.root())
	}
}

/// Decodes the answer of a call.
pub fn decode<R: Decode>(method: &'static str, answer: &[u8]) -> Result<R, Error> {
	R::decode_all(&mut &answer[..]).map_err(|error| Error::Answer { method, error })
}

/// Whether the extrinsic at `index` was applied and succeeded, by the answer of `apply_extrinsic`.
pub fn check_applied(index: usize, answer: &[u8]) -> Result<(), Error> {
	match decode::<ApplyExtrinsicResult>("BlockBuilder_apply_extrinsic", answer)? {
		Ok(Ok(())) => Ok(()),
		Ok(Err(error)) => Err(Error::Extrinsic { index, error: format!("{error:?}") }),
		Err(error) => Err(Error::Extrinsic { index, error: format!("{error:?}") }),
	}
}
