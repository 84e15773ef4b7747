//! Carries out effects that are slow: on blocking threads, in worker processes, in the database.

use headway_availability::{Column as Availability, StorageKey, WriteOp};
use headway_machine::{ExecutionError, Signer, Token};
use headway_pipeline::{Effect, Event};
use headway_primitives::{
	constraints::RelayParentInfo, runtime_api::ParachainHost, Block, Hash, ValidationCode,
	ValidationCodeHash, ValidatorId, ValidatorSignature, PARACHAIN_KEY_TYPE_ID,
};
use headway_storage::{Column, Storage, Write};
use sp_api::ProvideRuntimeApi;
use sp_application_crypto::AppCrypto;
use sp_blockchain::HeaderBackend;
use sp_core::ByteArray;
use sp_keystore::KeystorePtr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Signs with the node's keystore.
pub struct KeystoreSigner(pub KeystorePtr);

impl Signer for KeystoreSigner {
	fn sign(&self, key: &ValidatorId, message: &[u8]) -> Option<ValidatorSignature> {
		let raw = self.0.sign_with(PARACHAIN_KEY_TYPE_ID, ValidatorId::CRYPTO_ID, key.as_slice(), message);
		match raw {
			Ok(signature) => ValidatorSignature::try_from(&signature?[..]).ok(),
			Err(error) => {
				tracing::warn!(target: "parachain::overseer", %error, "keystore failed to sign");
				None
			},
		}
	}
}

/// Does slow work and hands the results back as events.
pub(crate) struct Workers<Client> {
	pub(crate) client: Arc<Client>,
	pub(crate) pvf: Option<headway_pvf::Host>,
	pub(crate) storage: mpsc::UnboundedSender<StorageJob>,
	pub(crate) results: mpsc::UnboundedSender<Event>,
}

impl<Client> Workers<Client>
where
	Client: HeaderBackend<Block> + ProvideRuntimeApi<Block> + Send + Sync + 'static,
	Client::Api: ParachainHost<Block>,
{
	/// Starts the work of an effect. Effects that are no work come back.
	pub(crate) fn start(&self, effect: Effect) -> Option<Effect> {
		match effect {
			Effect::FetchCode { token, at, code_hash } => {
				let client = self.client.clone();
				self.blocking(move || Event::Code { token, code: fetch_code(&*client, at, code_hash) });
			},
			Effect::Execute { token, execution } => {
				let (results, pvf) = (self.results.clone(), self.pvf.clone());
				tokio::spawn(async move {
					let result = match pvf {
						Some(pvf) => pvf.execute(execution).await,
						None => Err(ExecutionError::Internal {
							detail: "this node executes no candidates".into(),
						}),
					};
					// The driver is gone only when the node stops.
					let _ = results.send(Event::Executed { token, result });
				});
			},
			Effect::Encode { token, n_validators, data } => self.blocking(move || Event::Encoded {
				token,
				result: headway_availability::encode(n_validators, &data),
			}),
			Effect::EncodeRoot { token, n_validators, data } => self.blocking(move || Event::EncodedRoot {
				token,
				root: headway_erasure_coding::erasure_root(n_validators, &*data),
			}),
			Effect::Load { token, key } => self.store(StorageJob::Load { token, key }),
			Effect::Write { token, batch } => self.store(StorageJob::Write { token, batch }),
			Effect::QueryRelayParentInfo { token, at, session_index, relay_parent } => {
				let client = self.client.clone();
				self.blocking(move || {
					let info = relay_parent_info(&*client, at, session_index, relay_parent);
					Event::RelayParentInfo { token, info }
				});
			},
			other => return Some(other),
		}
		None
	}

	fn store(&self, job: StorageJob) {
		// The storage thread is gone only when the node stops.
		let _ = self.storage.send(job);
	}

	fn blocking(&self, work: impl FnOnce() -> Event + Send + 'static) {
		let results = self.results.clone();
		tokio::task::spawn_blocking(move || {
			// The driver is gone only when the node stops.
			let _ = results.send(work());
		});
	}
}

fn fetch_code<Client>(
	client: &Client,
	at: Hash,
	code_hash: ValidationCodeHash,
) -> Option<(ValidationCode, u32)>
where
	Client: ProvideRuntimeApi<Block>,
	Client::Api: ParachainHost<Block>,
{
	let api = client.runtime_api();
	let code = api.validation_code_by_hash(at, code_hash);
	let bomb_limit = api.validation_code_bomb_limit(at);
	match (code, bomb_limit) {
		(Ok(code), Ok(bomb_limit)) => Some((code?, bomb_limit)),
		(Err(error), _) | (_, Err(error)) => {
			tracing::warn!(target: "parachain::overseer", ?at, ?code_hash, %error, "validation code could not be read");
			None
		},
	}
}

fn relay_parent_info<Client>(
	client: &Client,
	at: Hash,
	session_index: u32,
	hash: Hash,
) -> Option<RelayParentInfo>
where
	Client: HeaderBackend<Block> + ProvideRuntimeApi<Block>,
	Client::Api: ParachainHost<Block>,
{
	// A block never finds itself among the allowed relay parents of its own state.
	if at == hash {
		let header = client.header(hash).ok()??;
		let child_session = client.runtime_api().session_index_for_child(hash).ok()?;
		return (child_session == session_index)
			.then_some(RelayParentInfo { number: header.number, state_root: header.state_root });
	}
	client.runtime_api().ancestor_relay_parent_info(at, session_index, hash).ok()?
}

/// Something for the storage thread.
pub(crate) enum StorageJob {
	Load { token: Token, key: StorageKey },
	Write { token: Token, batch: Vec<WriteOp> },
}

/// Works on one job after the other, so that writes happen in the order in which machines asked for them.
pub(crate) fn serve_storage(
	storage: Arc<Storage>,
	mut jobs: mpsc::UnboundedReceiver<StorageJob>,
	results: mpsc::UnboundedSender<Event>,
) {
	while let Some(job) = jobs.blocking_recv() {
		let result = match job {
			StorageJob::Load { token, key } => {
				let value = storage.get(column(key.column), &key.key).unwrap_or_else(|error| {
					tracing::error!(target: "parachain::overseer", %error, "reading from the database failed");
					None
				});
				Event::Loaded { token, value }
			},
			StorageJob::Write { token, batch } => {
				let written = storage.write_batch(batch.into_iter().map(|op| match op {
					WriteOp::Put { key, value } => {
						Write::Put { column: column(key.column), key: key.key, value }
					},
					WriteOp::Delete { key } => Write::Delete { column: column(key.column), key: key.key },
				}));
				if let Err(error) = &written {
					tracing::error!(target: "parachain::overseer", %error, "writing to the database failed");
				}
				Event::Written { token, ok: written.is_ok() }
			},
		};
		if results.send(result).is_err() {
			return;
		}
	}
}

/// What a former life of the node left behind.
pub(crate) fn restore(storage: &Storage) -> Event {
	let entries = storage.iter_prefix(Column::AvailabilityMeta, b"").map(|entry| {
		let (key, value) = entry?;
		Ok((key.into(), value.into()))
	});
	let entries = entries.collect::<Result<_, headway_storage::Error>>().unwrap_or_else(|error| {
		tracing::error!(target: "parachain::overseer", %error, "stored availability data is not known any more");
		Vec::new()
	});
	Event::Restore { entries }
}

fn column(column: Availability) -> Column {
	match column {
		Availability::Data => Column::AvailabilityData,
		Availability::Meta => Column::AvailabilityMeta,
	}
}
