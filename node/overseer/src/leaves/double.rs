//! A chain for tests: headers, and what the runtime says in their blocks.

use headway_machine::testing::{constraints, session, validator_keys};
use headway_primitives::{
	constraints::Constraints, runtime_api::ParachainHost, AsyncBackingParams, AuthorityDiscoveryId, Block,
	BlockNumber, CandidateEvent, ClaimQueue, CommittedCandidateReceiptV2, CoreIndex, CoreState,
	ExecutorParams, GroupRotationInfo, Hash, HeadData, Header, NodeFeatures, ParaId, SessionIndex,
	SessionInfo, ValidatorId, ValidatorIndex,
};
use parking_lot::Mutex;
use sc_client_api::{
	BlockImportNotification, BlockchainEvents, FinalityNotification, FinalityNotifications, FinalizeSummary,
	ImportNotifications, StorageEventStream, StorageKey, UnpinWorkerMessage,
};
use sc_utils::mpsc::{tracing_unbounded, TracingUnboundedReceiver, TracingUnboundedSender};
use sp_api::{ApiError, ApiRef, ProvideRuntimeApi};
use sp_authority_discovery::AuthorityDiscoveryApi;
use sp_blockchain::{BlockStatus, Error, HeaderBackend, Info};
use sp_consensus::BlockOrigin;
use sp_consensus_babe::{AllowedSlots, BabeApi, BabeEpochConfiguration, Epoch};
use sp_runtime::traits::Header as _;
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// Queue lengths of which the client's channels would warn.
const QUEUE: usize = 1000;

/// What the runtime says in a block.
#[derive(Clone, Default)]
pub(super) struct Says {
	/// Session of its children.
	pub(super) session: SessionIndex,
	/// Features that are on.
	pub(super) node_features: NodeFeatures,
	/// Paras that have a claim on a core of their own.
	pub(super) paras: Vec<ParaId>,
	/// Those of them about which it fails.
	pub(super) broken: BTreeSet<ParaId>,
	/// It fails on the authorities, too.
	pub(super) no_authorities: bool,
}

struct Blocks {
	known: BTreeMap<Hash, (Header, Says)>,
	best: Hash,
	finalized: Hash,
}

/// A chain of headers.
pub(super) struct Chain {
	blocks: Arc<Mutex<Blocks>>,
	imports: Mutex<Vec<TracingUnboundedSender<BlockImportNotification<Block>>>>,
	finality: Mutex<Vec<TracingUnboundedSender<FinalityNotification<Block>>>>,
	unpin: TracingUnboundedSender<UnpinWorkerMessage<Block>>,
	/// Kept so that notifications can say that they were dropped.
	_unpinned: TracingUnboundedReceiver<UnpinWorkerMessage<Block>>,
}

impl Chain {
	/// A chain of one block, which is final.
	pub(super) fn new(says: Says) -> Arc<Self> {
		let header = Header::new(0, Hash::zero(), Hash::zero(), Hash::zero(), Default::default());
		let genesis = header.hash();
		let (unpin, _unpinned) = tracing_unbounded("unpin", QUEUE);
		let known = [(genesis, (header, says))].into();
		Arc::new(Self {
			blocks: Arc::new(Mutex::new(Blocks { known, best: genesis, finalized: genesis })),
			imports: Mutex::default(),
			finality: Mutex::default(),
			unpin,
			_unpinned,
		})
	}

	/// Imports a child of a block as the best one; `fork` tells apart children of one parent.
	pub(super) fn import(&self, parent: Hash, fork: u8, says: Says) -> Hash {
		let hash = {
			let mut blocks = self.blocks.lock();
			let number = blocks.known[&parent].0.number + 1;
			let header =
				Header::new(number, Hash::repeat_byte(fork), Hash::zero(), parent, Default::default());
			let hash = header.hash();
			blocks.known.insert(hash, (header, says));
			blocks.best = hash;
			hash
		};
		self.announce(hash);
		hash
	}

	/// Notifies of a block that it was imported.
	pub(super) fn announce(&self, hash: Hash) {
		let header = self.blocks.lock().known[&hash].0.clone();
		for listener in self.imports.lock().iter() {
			let (origin, unpin) = (BlockOrigin::NetworkBroadcast, self.unpin.clone());
			let notification = BlockImportNotification::new(hash, origin, header.clone(), true, None, unpin);
			listener.unbounded_send(notification).expect("the follower listens");
		}
	}

	/// Finalizes a block.
	pub(super) fn finalize(&self, hash: Hash) {
		let header = {
			let mut blocks = self.blocks.lock();
			blocks.finalized = hash;
			blocks.known[&hash].0.clone()
		};
		for listener in self.finality.lock().iter() {
			let summary =
				FinalizeSummary { header: header.clone(), finalized: vec![hash], stale_blocks: Vec::new() };
			let notification = FinalityNotification::from_summary(summary, self.unpin.clone());
			listener.unbounded_send(notification).expect("the follower listens");
		}
	}

	/// Hash of the best block.
	pub(super) fn best(&self) -> Hash {
		self.blocks.lock().best
	}
}

impl HeaderBackend<Block> for Chain {
	fn header(&self, hash: Hash) -> Result<Option<Header>, Error> {
		Ok(self.blocks.lock().known.get(&hash).map(|(header, _)| header.clone()))
	}

	fn info(&self) -> Info<Block> {
		let blocks = self.blocks.lock();
		let number = |hash| blocks.known[&hash].0.number;
		Info {
			best_hash: blocks.best,
			best_number: number(blocks.best),
			genesis_hash: Hash::zero(),
			finalized_hash: blocks.finalized,
			finalized_number: number(blocks.finalized),
			finalized_state: None,
			number_leaves: 1,
			block_gap: None,
		}
	}

	fn status(&self, hash: Hash) -> Result<BlockStatus, Error> {
		Ok(if self.header(hash)?.is_some() { BlockStatus::InChain } else { BlockStatus::Unknown })
	}

	fn number(&self, hash: Hash) -> Result<Option<BlockNumber>, Error> {
		Ok(self.header(hash)?.map(|header| header.number))
	}

	fn hash(&self, number: BlockNumber) -> Result<Option<Hash>, Error> {
		let blocks = self.blocks.lock();
		Ok(blocks.known.iter().find(|(_, (header, _))| header.number == number).map(|(hash, _)| *hash))
	}
}

impl BlockchainEvents<Block> for Chain {
	fn import_notification_stream(&self) -> ImportNotifications<Block> {
		let (sender, receiver) = tracing_unbounded("imports", QUEUE);
		self.imports.lock().push(sender);
		receiver
	}

	fn every_import_notification_stream(&self) -> ImportNotifications<Block> {
		self.import_notification_stream()
	}

	fn finality_notification_stream(&self) -> FinalityNotifications<Block> {
		let (sender, receiver) = tracing_unbounded("finality", QUEUE);
		self.finality.lock().push(sender);
		receiver
	}

	fn storage_changes_notification_stream(
		&self,
		_: Option<&[StorageKey]>,
		_: Option<&[(StorageKey, Option<Vec<StorageKey>>)]>,
	) -> Result<StorageEventStream<Hash>, Error> {
		Err(Error::Backend("there is no storage".into()))
	}
}

impl ProvideRuntimeApi<Block> for Chain {
	type Api = Api;

	fn runtime_api(&self) -> ApiRef<'_, Api> {
		Api(self.blocks.clone()).into()
	}
}

/// The runtime of all blocks.
pub(super) struct Api(Arc<Mutex<Blocks>>);

impl Api {
	fn says(&self, at: Hash) -> Result<Says, ApiError> {
		let blocks = self.0.lock();
		let says = blocks.known.get(&at).map(|(_, says)| says.clone());
		says.ok_or_else(|| ApiError::UnknownBlock(format!("{at:?}")))
	}

	/// Validators are the same in all sessions: three, in one group for each para.
	fn info(&self, at: Hash) -> Result<SessionInfo, ApiError> {
		let says = self.says(at)?;
		let groups = says.paras.iter().map(|_| vec![0, 1, 2]).collect();
		Ok(session(says.session, &validator_keys(3), groups, None).info.clone())
	}
}

sp_api::mock_impl_runtime_apis! {
	impl ParachainHost<Block> for Api {
		#[advanced]
		fn validators(&self, at: Hash) -> Result<Vec<ValidatorId>, ApiError> {
			Ok(self.info(at)?.validators.into_iter().collect())
		}

		#[advanced]
		fn validator_groups(
			&self,
			at: Hash,
		) -> Result<(Vec<Vec<ValidatorIndex>>, GroupRotationInfo<BlockNumber>), ApiError> {
			let groups = self.info(at)?.validator_groups.into_iter().collect();
			Ok((groups, GroupRotationInfo { session_start_block: 0, group_rotation_frequency: 0, now: 1 }))
		}

		#[advanced]
		fn availability_cores(&self, at: Hash) -> Result<Vec<CoreState<BlockNumber>>, ApiError> {
			Ok(self.says(at)?.paras.iter().map(|_| CoreState::Free).collect())
		}

		#[advanced]
		fn session_index_for_child(&self, at: Hash) -> Result<SessionIndex, ApiError> {
			Ok(self.says(at)?.session)
		}

		#[advanced]
		fn session_info(&self, at: Hash, _: SessionIndex) -> Result<Option<SessionInfo>, ApiError> {
			self.info(at).map(Some)
		}

		fn session_executor_params(_: SessionIndex) -> Option<ExecutorParams> {
			None
		}

		fn candidate_events() -> Vec<CandidateEvent> {
			Vec::new()
		}

		fn minimum_backing_votes() -> u32 {
			2
		}

		fn async_backing_params() -> AsyncBackingParams {
			AsyncBackingParams { max_candidate_depth: 3, allowed_ancestry_len: 2 }
		}

		fn disabled_validators() -> Vec<ValidatorIndex> {
			Vec::new()
		}

		#[advanced]
		fn node_features(&self, at: Hash) -> Result<NodeFeatures, ApiError> {
			Ok(self.says(at)?.node_features)
		}

		#[advanced]
		fn claim_queue(&self, at: Hash) -> Result<ClaimQueue, ApiError> {
			let paras = self.says(at)?.paras.into_iter().enumerate();
			Ok(paras.map(|(core, para)| (CoreIndex(core as u32), [para].into())).collect())
		}

		#[advanced]
		fn candidates_pending_availability(
			&self,
			_: Hash,
			_: ParaId,
		) -> Result<Vec<CommittedCandidateReceiptV2>, ApiError> {
			Ok(Vec::new())
		}

		#[advanced]
		fn backing_constraints(
			&self,
			at: Hash,
			para: ParaId,
		) -> Result<Option<Constraints<BlockNumber>>, ApiError> {
			if self.says(at)?.broken.contains(&para) {
				return Err(ApiError::Application("no constraints".into()));
			}
			Ok(Some(constraints(HeadData(vec![0]))))
		}

		fn scheduling_lookahead() -> u32 {
			3
		}
	}

	impl BabeApi<Block> for Api {
		fn current_epoch() -> Epoch {
			let config = BabeEpochConfiguration { c: (1, 1), allowed_slots: AllowedSlots::PrimarySlots };
			Epoch {
				epoch_index: 0,
				start_slot: 0.into(),
				duration: 10,
				authorities: Vec::new(),
				randomness: [0; 32],
				config,
			}
		}
	}

	impl AuthorityDiscoveryApi<Block> for Api {
		#[advanced]
		fn authorities(&self, at: Hash) -> Result<Vec<AuthorityDiscoveryId>, ApiError> {
			if self.says(at)?.no_authorities {
				return Err(ApiError::Application("no authorities".into()));
			}
			Ok(Vec::new())
		}
	}
}
