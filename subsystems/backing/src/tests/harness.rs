//! A backing machine with neighbours that say yes, unless told otherwise.
//!
//! Validators 0, 1, 2 are group 0 on core 0, which para 1 has (and at depth 2 para 3); validators 3, 4, 5 are
//! group 1 on core 1, which para 2 has. We are validator 0. Two votes back a candidate.

use crate::{Backing, Effect, Event};
use codec::Decode;
use headway_machine::{testing, *};
use headway_primitives::*;
use std::{
	collections::{BTreeMap, VecDeque},
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, OnceLock,
	},
};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_ms(1_000_000);

/// Signs by hashing, so that the same run gives the same bytes; and as sr25519 does, never twice the same.
#[derive(Default)]
pub(crate) struct HashSigner(AtomicU64);

impl Signer for HashSigner {
	fn sign(&self, key: &ValidatorId, message: &[u8]) -> Option<ValidatorSignature> {
		Some(signature(&(key, message, self.0.fetch_add(1, Ordering::Relaxed))))
	}
}

/// A disk: what is written there survives the machine.
#[derive(Clone, Default)]
pub(crate) struct Disk(pub(crate) BTreeMap<StorageKey, Vec<u8>>);

impl Disk {
	pub(crate) fn write(&mut self, batch: Vec<WriteOp>) {
		for op in batch {
			match op {
				WriteOp::Put { key, value } => self.0.insert(key, value),
				WriteOp::Delete { key } => self.0.remove(&key),
			};
		}
	}

	/// What a machine is given when it starts.
	pub(crate) fn restored(&self) -> Event {
		let entries = self.0.iter().map(|(key, value)| (key.key.clone(), value.clone())).collect();
		Event::Restore { entries }
	}
}

pub(crate) fn signature(of: &impl codec::Encode) -> ValidatorSignature {
	let hash = hash_of(of);
	let bytes = [hash.0, hash.0].concat();
	ValidatorSignature::decode(&mut &bytes[..]).expect("64 bytes")
}

pub(crate) fn session(local: Option<u32>) -> Arc<SessionContext> {
	session_of(vec![vec![0, 1, 2], vec![3, 4, 5]], local)
}

/// Six validators in other groups.
pub(crate) fn session_of(groups: Vec<Vec<u32>>, local: Option<u32>) -> Arc<SessionContext> {
	// Keys are derived from strings, which takes a while.
	static KEYS: OnceLock<Vec<ValidatorPair>> = OnceLock::new();
	let keys = KEYS.get_or_init(|| testing::validator_keys(6));
	testing::session(1, keys, groups, local)
}

pub(crate) fn claim_queue() -> ClaimQueue {
	let paras = |ids: [u32; 3]| ids.into_iter().map(ParaId).collect::<VecDeque<_>>();
	[(CoreIndex(0), paras([1, 1, 3])), (CoreIndex(1), paras([2, 2, 2]))].into()
}

pub(crate) fn block(number: u32, local: Option<u32>) -> BlockContext {
	testing::block(number, &session(local), claim_queue())
}

/// A candidate with all that belongs to it.
#[derive(Clone)]
pub(crate) struct Bundle {
	pub(crate) receipt: CommittedCandidateReceiptV2,
	pub(crate) validation_data: Arc<PersistedValidationData>,
	pub(crate) pov: Arc<PoV>,
}

impl Bundle {
	/// The `n`th candidate of `para`, for `core`, scheduled by block `number`.
	pub(crate) fn new(para: u32, core: u32, number: u32, n: u8) -> Self {
		let validation_data = PersistedValidationData {
			parent_head: HeadData(vec![n]),
			relay_parent_number: number,
			relay_parent_storage_root: testing::hash(1_000_000 + u64::from(number)),
			max_pov_size: 1 << 20,
		};
		let pov = PoV { block_data: BlockData(vec![n; 10]) };
		let head_data = HeadData(vec![n + 1]);
		let descriptor = CandidateDescriptorV2::new_v2(
			ParaId(para),
			testing::hash(number.into()),
			CoreIndex(core),
			1,
			validation_data.hash(),
			pov.hash(),
			testing::hash(77),
			head_data.hash(),
			ValidationCode(vec![1]).hash(),
		);
		let commitments = CandidateCommitments { head_data, ..Default::default() };
		let receipt = CommittedCandidateReceiptV2 { descriptor, commitments };
		Self { receipt, validation_data: Arc::new(validation_data), pov: Arc::new(pov) }
	}

	pub(crate) fn hash(&self) -> CandidateHash {
		self.receipt.hash()
	}

	pub(crate) fn scheduling_parent(&self) -> Hash {
		self.receipt.descriptor.scheduling_parent()
	}

	pub(crate) fn as_ref(&self) -> CandidateRef {
		CandidateRef { candidate_hash: self.hash(), scheduling_parent: self.scheduling_parent() }
	}

	pub(crate) fn second(&self) -> Event {
		Event::Second(SecondRequest {
			receipt: self.receipt.to_plain(),
			validation_data: self.validation_data.clone(),
			pov: self.pov.clone(),
		})
	}

	/// `validator` seconds it.
	pub(crate) fn seconded(&self, validator: u32) -> Event {
		self.statement(validator, 0, Statement::Seconded(self.receipt.clone()))
	}

	/// `validator` votes for it.
	pub(crate) fn valid(&self, validator: u32) -> Event {
		self.statement(validator, 0, Statement::Valid(self.hash()))
	}

	/// The `nonce` makes different signatures on the same statement.
	pub(crate) fn statement(&self, validator: u32, nonce: u8, payload: Statement) -> Event {
		let validation_data = matches!(payload, Statement::Seconded(_)).then(|| self.validation_data.clone());
		let signature = signature(&(validator, nonce, payload.to_compact()));
		let statement = Signed::assume_checked(UncheckedSigned {
			payload,
			validator_index: ValidatorIndex(validator),
			signature,
		});
		let statement = StatementWithPvd { statement, validation_data };
		Event::Statement { scheduling_parent: self.scheduling_parent(), statement }
	}

	pub(crate) fn outcome(&self) -> Result<ValidationOutcome, ValidationFailed> {
		let commitments = self.receipt.commitments.clone();
		Ok(ValidationOutcome::Valid { commitments, validation_data: self.validation_data.clone() })
	}
}

/// What neighbours answer at once.
pub(crate) struct Policy {
	/// Whether prospective parachains accept introductions.
	pub(crate) introduce: bool,
	/// Leaves under which candidates fit; none: all.
	pub(crate) fits: Option<Vec<Hash>>,
	/// Whether proofs of validity are fetched, candidates validated and data stored.
	pub(crate) works: bool,
	/// Whether what is written is durable; none: nobody says so.
	pub(crate) writes: Option<bool>,
}

pub(crate) struct Harness {
	pub(crate) machine: Backing,
	pub(crate) policy: Policy,
	pub(crate) traces: Vec<Trace>,
	pub(crate) disk: Disk,
	signer: Arc<HashSigner>,
	known: BTreeMap<CandidateHash, Bundle>,
	leaves: Vec<Hash>,
}

impl Harness {
	/// We are validator 0, the leaf is block 10 with block 9 in its allowed ancestry, and everything works.
	pub(crate) fn new() -> Self {
		Self::with(block(10, Some(0)))
	}

	/// The same with another leaf.
	pub(crate) fn with(leaf: BlockContext) -> Self {
		let mut this = Self::empty();
		let parent = BlockContext { number: leaf.number - 1, hash: leaf.parent_hash, ..leaf.clone() };
		this.activate(leaf, vec![parent]);
		this
	}

	pub(crate) fn empty() -> Self {
		let signer = Arc::new(HashSigner::default());
		Self {
			machine: Backing::new(signer.clone()),
			policy: Policy { introduce: true, fits: None, works: true, writes: Some(true) },
			traces: Vec::new(),
			disk: Disk::default(),
			signer,
			known: BTreeMap::new(),
			leaves: Vec::new(),
		}
	}

	pub(crate) fn activate(&mut self, leaf: BlockContext, ancestry: Vec<BlockContext>) {
		self.leaves.push(leaf.hash);
		let leaf = testing::leaf(leaf, ancestry.into_iter().map(Arc::new).collect());
		self.send(Event::Leaves(LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated: Vec::new() }));
	}

	/// The machine dies, and another one takes over its disk, at the leaf of [`Self::new`].
	pub(crate) fn restart(&mut self) {
		self.machine = Backing::new(self.signer.clone());
		self.leaves.clear();
		let restored = self.disk.restored();
		// At most, it forgets.
		let shown = self.send(restored);
		assert!(shown.iter().all(|effect| matches!(effect, Effect::Write { .. })), "{shown:?}");
		self.activate(block(10, Some(0)), vec![block(9, Some(0))]);
	}

	pub(crate) fn deactivate(&mut self, hash: Hash) -> Vec<Effect> {
		self.leaves.retain(|leaf| *leaf != hash);
		self.send(Event::Leaves(LeavesUpdate { activated: None, deactivated: vec![hash] }))
	}

	/// Makes a candidate, whose proof of validity others can give.
	pub(crate) fn candidate(&mut self, para: u32, core: u32, n: u8) -> Bundle {
		self.candidate_at(para, core, 10, n)
	}

	pub(crate) fn candidate_at(&mut self, para: u32, core: u32, number: u32, n: u8) -> Bundle {
		let bundle = Bundle::new(para, core, number, n);
		self.known.insert(bundle.hash(), bundle.clone());
		bundle
	}

	/// Sends an event, answers questions by the policy, and returns everything that was asked for.
	pub(crate) fn send(&mut self, event: Event) -> Vec<Effect> {
		let mut events = VecDeque::from([event]);
		let mut all = Vec::new();
		while let Some(event) = events.pop_front() {
			for effect in self.send_only(event) {
				events.extend(self.answer(&effect));
				all.push(effect);
			}
		}
		all
	}

	/// Sends an event and answers nothing.
	pub(crate) fn send_only(&mut self, event: Event) -> Vec<Effect> {
		let mut effects = Effects::new();
		self.machine.handle(NOW, event, &mut effects);
		self.traces.extend(effects.take_traces());
		effects.take()
	}

	fn answer(&mut self, effect: &Effect) -> Option<Event> {
		if let (Effect::Write { token, batch }, Some(ok)) = (effect, self.policy.writes) {
			if ok {
				self.disk.write(batch.clone());
			}
			return Some(Event::Written { token: *token, ok });
		}
		let policy = &self.policy;
		let known = |hash: &CandidateHash| self.known.get(hash);
		match effect {
			Effect::Introduce { token, .. } => {
				Some(Event::Introduced { token: *token, accepted: policy.introduce })
			},
			Effect::Membership(query) => {
				let leaves = policy.fits.clone().unwrap_or_else(|| self.leaves.clone());
				let leaves = query.candidates.iter().map(|c| (c.clone(), leaves.clone())).collect();
				Some(Event::Membership(Membership { token: query.token, leaves }))
			},
			Effect::FetchPoV { token, candidate_hash, .. } if policy.works => {
				Some(Event::PoVFetched { token: *token, pov: Some(known(candidate_hash)?.pov.clone()) })
			},
			Effect::Validate { token, request } if policy.works => {
				Some(Event::Validated { token: *token, result: known(&request.receipt.hash())?.outcome() })
			},
			Effect::StoreAvailableData { token, .. } if policy.works => {
				Some(Event::DataStored { token: *token, result: Ok(()) })
			},
			_ => None,
		}
	}

	/// Candidates of a para that can go on chain.
	pub(crate) fn backable(&mut self, para: u32, candidates: &[CandidateRef]) -> Vec<BackedCandidate> {
		let candidates = [(ParaId(para), candidates.to_vec())].into();
		match &self.send(Event::GetBackable { token: Token(99), candidates })[..] {
			[Effect::Backable { token: Token(99), candidates }] => {
				candidates.get(&ParaId(para)).cloned().unwrap_or_default()
			},
			other => panic!("one answer expected, not {other:?}"),
		}
	}

	/// Reasons of what was dropped so far.
	pub(crate) fn reasons(&self) -> Vec<Reason> {
		let reason = |trace: &Trace| match trace.stage {
			Stage::Dropped(reason) => Some(reason),
			_ => None,
		};
		self.traces.iter().filter_map(reason).collect()
	}
}

/// One word per effect, but for what is written: that precedes each vote.
pub(crate) fn names(effects: &[Effect]) -> Vec<&'static str> {
	let name = |effect: &Effect| match effect {
		Effect::Introduce { .. } => "introduce",
		Effect::CandidateBacked { .. } => "candidate backed",
		Effect::Membership(_) => "membership",
		Effect::Share { statement, .. } => match statement.statement.payload() {
			Statement::Seconded(_) => "share seconded",
			Statement::Valid(_) => "share valid",
		},
		Effect::Backed { .. } => "backed",
		Effect::CollationSeconded { .. } => "collation seconded",
		Effect::CollationInvalid { .. } => "collation invalid",
		Effect::CollationDropped { .. } => "collation dropped",
		Effect::CanSecond { allowed: true, .. } => "can second",
		Effect::CanSecond { allowed: false, .. } => "cannot second",
		Effect::Backable { .. } => "backable",
		Effect::Misbehavior(_) => "misbehavior",
		Effect::Validate { .. } => "validate",
		Effect::FetchPoV { .. } => "fetch",
		Effect::StoreAvailableData { .. } => "store",
		Effect::Write { .. } => "write",
	};
	effects.iter().map(name).filter(|name| *name != "write").collect()
}

/// The token of the last question of a kind.
pub(crate) fn token_of(effects: &[Effect]) -> Token {
	let token = |effect: &Effect| match effect {
		Effect::Introduce { token, .. }
		| Effect::Validate { token, .. }
		| Effect::FetchPoV { token, .. }
		| Effect::StoreAvailableData { token, .. }
		| Effect::Write { token, .. } => Some(*token),
		Effect::Membership(query) => Some(query.token),
		_ => None,
	};
	effects.iter().rev().find_map(token).expect("a question")
}

/// Our statements, as they leave.
pub(crate) fn shared(effects: &[Effect]) -> Vec<SignedFullStatement> {
	let shared = |effect: &Effect| match effect {
		Effect::Share { statement, .. } => Some(statement.statement.clone()),
		_ => None,
	};
	effects.iter().filter_map(shared).collect()
}

/// Whom a proof of validity is fetched from.
pub(crate) fn fetched_from(effects: &[Effect], session: &SessionContext) -> Vec<u32> {
	let from = |effect: &Effect| match effect {
		Effect::FetchPoV { from, .. } => {
			session.info.discovery_keys.iter().position(|key| key == from).map(|i| i as u32)
		},
		_ => None,
	};
	effects.iter().filter_map(from).collect()
}

/// How often something was asked for.
pub(crate) fn count(effects: &[Effect], name: &str) -> usize {
	names(effects).into_iter().filter(|n| *n == name).count()
}
