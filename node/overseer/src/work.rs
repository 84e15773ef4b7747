//! Carries out effects that are slow: on blocking threads, in worker processes, in the database.

use headway_machine::{Column as Of, ExecutionError, Signer, StorageKey, Token, WriteOp};
use headway_pipeline::{Effect, Event};
use headway_primitives::{
	constraints::RelayParentInfo, runtime_api::ParachainHost, Block, CandidateEvent,
	CommittedCandidateReceiptV2, Hash, ParaId, ValidationCode, ValidationCodeHash, ValidatorId,
	ValidatorSignature, PARACHAIN_KEY_TYPE_ID,
};
use headway_storage::{Column, Storage, Write};
use sp_api::ProvideRuntimeApi;
use sp_application_crypto::AppCrypto;
use sp_blockchain::HeaderBackend;
use sp_core::ByteArray;
use sp_keystore::KeystorePtr;
use std::{collections::BTreeSet, sync::Arc};
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
						None => Err(ExecutionError::Internal("this node executes no candidates".into())),
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
			Effect::Write { token, batch } => self.store(StorageJob::Write { token: Some(token), batch }),
			Effect::QueryRelayParentInfo { token, at, session_index, relay_parent } => {
				let client = self.client.clone();
				self.blocking(move || {
					let info = relay_parent_info(&*client, at, session_index, relay_parent);
					Event::RelayParentInfo { token, info }
				});
			},
			Effect::QueryIncluded { token, hash, count } => {
				let client = self.client.clone();
				self.blocking(move || {
					let (candidates, registered) = included(&*client, hash, count);
					Event::Included { token, candidates, registered }
				});
			},
			Effect::WriteScores(batch) => self.store(StorageJob::Write { token: None, batch }),
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

/// What a block and its ancestors include, `count` blocks in all, oldest first; and all paras of the block. What
/// the chain does not know any more is left out.
pub fn included<Client>(
	client: &Client,
	hash: Hash,
	count: u32,
) -> (Vec<CommittedCandidateReceiptV2>, Option<BTreeSet<ParaId>>)
where
	Client: HeaderBackend<Block> + ProvideRuntimeApi<Block>,
	Client::Api: ParachainHost<Block>,
{
	let registered = client.runtime_api().para_ids(hash).ok().map(|paras| paras.into_iter().collect());
	let (mut candidates, mut at) = (Vec::new(), hash);
	for _ in 0..count {
		let Ok(Some(header)) = client.header(at) else { break };
		// Before it was included it waited for availability, so the parent's state has it whole.
		let parent = header.parent_hash;
		// An instance of the API answers for one block, and refuses to for another.
		for event in client.runtime_api().candidate_events(at).unwrap_or_default() {
			let CandidateEvent::CandidateIncluded(receipt, ..) = event else { continue };
			let para = receipt.descriptor.para_id;
			let pending = client.runtime_api().candidates_pending_availability(parent, para);
			let wanted = receipt.hash();
			candidates.extend(pending.unwrap_or_default().into_iter().find(|whole| whole.hash() == wanted));
		}
		at = parent;
	}
	candidates.reverse();
	(candidates, registered)
}

/// Something for the storage thread.
pub(crate) enum StorageJob {
	Load {
		token: Token,
		key: StorageKey,
	},
	/// Without a token nobody waits for it.
	Write {
		token: Option<Token>,
		batch: Vec<WriteOp>,
	},
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
				let n = batch.len();
				let written = storage.write_batch(batch.into_iter().map(|op| match op {
					WriteOp::Put { key, value } => {
						Write::Put { column: column(key.column), key: key.key, value }
					},
					WriteOp::Delete { key } => Write::Delete { column: column(key.column), key: key.key },
				}));
				if let Err(error) = &written {
					tracing::error!(
						target: "parachain::overseer", changes = n, %error,
						"writing to the database failed: what depends on it, such as a vote, is not promised to anybody",
					);
				}
				let Some(token) = token else { continue };
				Event::Written { token, ok: written.is_ok() }
			},
		};
		if results.send(result).is_err() {
			return;
		}
	}
}

/// What a former life of the node left behind, in the order in which the machines have to hear of it.
///
/// # Errors
///
/// It cannot be read what this node signed: then nothing may be signed. All else is forgotten if it cannot be read.
pub(crate) fn restore(storage: &Storage) -> Result<[Event; 3], headway_storage::Error> {
	let votes = entries(storage, Column::Disputes, headway_backing::votes::VOTES)?;
	let or_nothing = |column| {
		entries(storage, column, b"").unwrap_or_else(|error| {
			tracing::error!(target: "parachain::overseer", ?column, %error, "what is stored is not known any more");
			Vec::new()
		})
	};
	Ok([
		Event::RestoreVotes { entries: votes },
		Event::Restore { entries: or_nothing(Column::AvailabilityMeta) },
		Event::RestoreScores { entries: or_nothing(Column::CollatorReputation) },
	])
}

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

fn entries(storage: &Storage, column: Column, prefix: &[u8]) -> Result<Entries, headway_storage::Error> {
	let entries = storage.iter_prefix(column, prefix).map(|entry| {
		let (key, value) = entry?;
		Ok((key.into(), value.into()))
	});
	entries.collect()
}

fn column(column: Of) -> Column {
	match column {
		Of::Data => Column::AvailabilityData,
		Of::Meta => Column::AvailabilityMeta,
		Of::Votes => Column::Disputes,
		Of::Scores => Column::CollatorReputation,
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_primitives::CandidateHash;

	#[test]
	fn what_was_signed_comes_first_after_a_restart() {
		let directory = tempfile::tempdir().unwrap();
		let storage = Arc::new(Storage::open(directory.path()).unwrap());
		// Dispute votes stand in the same column, and are no business of backing.
		let (column, key) = (Column::Disputes, b"candidate-votes".to_vec());
		storage.write_batch([Write::Put { column, key, value: vec![1] }]).unwrap();
		let key = headway_backing::votes::key(&Hash::repeat_byte(1), &CandidateHash(Hash::repeat_byte(2)));
		let write = WriteOp::Put { key: key.clone(), value: b"vote".to_vec() };

		let (jobs, queue) = mpsc::unbounded_channel();
		let (results, mut events) = mpsc::unbounded_channel();
		assert!(jobs.send(StorageJob::Write { token: Some(Token(7)), batch: vec![write] }).is_ok());
		drop(jobs);
		serve_storage(storage.clone(), queue, results);
		assert!(matches!(events.try_recv(), Ok(Event::Written { token: Token(7), ok: true })));

		drop(storage);
		let storage = Storage::open(directory.path()).unwrap();
		let [first, then, scores] = restore(&storage).unwrap();
		let Event::RestoreVotes { entries } = first else { panic!("{first:?}") };
		assert_eq!(entries, [(key.key, b"vote".to_vec())]);
		assert!(matches!(then, Event::Restore { entries } if entries.is_empty()));
		assert!(matches!(scores, Event::RestoreScores { entries } if entries.is_empty()));
	}
}
