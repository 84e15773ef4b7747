//! A validator among ten, whose disk is a map: writes take effect at once unless a test holds them back.

mod bitfields;
mod distribution;
mod store;

use super::*;
use codec::Encode;
use headway_machine::{
	testing::{block, hash, leaf, peer, session, validator_keys, verifier, TestSigner},
	wire::{InboundRequest, RequestProtocol},
	InboundRequestId, Reason, Reputation, SessionContext, Stage, Trace,
};
use headway_primitives::{
	BlockData, CandidateDescriptorV2, CandidateEvent, CandidateReceiptV2, CoreIndex, CoreState, GroupIndex,
	HeadData, NodeFeatures, OccupiedCore, PersistedValidationData, ValidationCodeHash, ValidatorId,
	ValidatorIndex, ValidatorPair, ValidatorSignature,
};
use sp_core::ByteArray;

const N: u32 = 10;
const LOCAL: u32 = 3;

/// A candidate with its data.
#[derive(Clone)]
struct Sample {
	receipt: CandidateReceiptV2,
	data: Arc<AvailableData>,
	encoding: Encoding,
}

impl Sample {
	fn hash(&self) -> CandidateHash {
		self.receipt.hash()
	}

	fn backed(&self) -> CandidateEvent {
		CandidateEvent::CandidateBacked(self.receipt.clone(), HeadData(vec![]), CoreIndex(0), GroupIndex(0))
	}

	fn included(&self) -> CandidateEvent {
		CandidateEvent::CandidateIncluded(self.receipt.clone(), HeadData(vec![]), CoreIndex(0), GroupIndex(0))
	}

	/// A core that it occupies, backed by a group.
	fn occupying(&self, group: u32) -> CoreState {
		CoreState::Occupied(OccupiedCore {
			next_up_on_available: None,
			occupied_since: 1,
			time_out_at: 9,
			next_up_on_time_out: None,
			availability: Default::default(),
			group_responsible: GroupIndex(group),
			candidate_hash: self.hash(),
			candidate_descriptor: self.receipt.descriptor.clone(),
		})
	}

	fn request(&self) -> StoreDataRequest {
		StoreDataRequest {
			candidate_hash: self.hash(),
			n_validators: N as usize,
			data: self.data.clone(),
			expected_erasure_root: self.encoding.root,
			core_index: CoreIndex(0),
			node_features: NodeFeatures::new(),
		}
	}
}

fn sample(n: u8) -> Sample {
	let data = AvailableData {
		pov: Arc::new(PoV { block_data: BlockData(vec![n; 100]) }),
		validation_data: PersistedValidationData { max_pov_size: n.into(), ..Default::default() },
	};
	let encoding = encode(N as usize, &data).unwrap();
	let descriptor = CandidateDescriptorV2::new_v2(
		headway_primitives::ParaId(2000 + u32::from(n)),
		hash(1),
		CoreIndex(0),
		7,
		data.validation_data.hash(),
		data.pov.hash(),
		encoding.root,
		hash(4),
		ValidationCodeHash(hash(5)),
	);
	let receipt = CandidateReceiptV2 { descriptor, commitments_hash: hash(n.into()) };
	Sample { receipt, data: Arc::new(data), encoding }
}

struct Rig {
	machine: Availability,
	now: Timestamp,
	session: Arc<SessionContext>,
	keys: Vec<ValidatorPair>,
	disk: BTreeMap<StorageKey, Vec<u8>>,
	/// Whether the disk works.
	disk_ok: bool,
	/// Writes that a test wants to answer itself.
	held: Option<Vec<(Token, Vec<WriteOp>)>>,
	traces: Vec<Trace>,
	requests: u64,
	log: String,
}

impl Rig {
	fn new() -> Self {
		Self::of(Some(LOCAL))
	}

	fn of(local: Option<u32>) -> Self {
		let keys = validator_keys(N);
		let groups = vec![vec![0, 1, 2], vec![3, 4, 5], vec![6, 7, 8, 9]];
		let session = session(7, &keys, groups, local);
		Rig {
			machine: machine(&keys),
			now: Timestamp::from_unix_ms(1_000_000_000),
			session,
			keys,
			disk: BTreeMap::new(),
			disk_ok: true,
			held: None,
			traces: Vec::new(),
			requests: 0,
			log: String::new(),
		}
	}

	/// The process dies, and another one takes over its disk.
	fn restart(&mut self) {
		self.machine = machine(&self.keys);
		let meta = self.disk.iter().filter(|(key, _)| key.column == Column::Meta);
		let entries = meta.map(|(key, value)| (key.key.clone(), value.clone())).collect();
		self.send(Event::Restore { entries });
	}

	fn send(&mut self, event: Event) -> Vec<Effect> {
		let mut effects = Effects::new();
		self.machine.handle(self.now, event, &mut effects);
		self.settle(effects)
	}

	fn advance(&mut self, ms: u64) -> Vec<Effect> {
		self.now = self.now + Duration::from_millis(ms);
		let mut effects = Effects::new();
		self.machine.tick(self.now, &mut effects);
		assert!(self.machine.next_deadline().is_none_or(|due| due > self.now), "a tick moves the deadline");
		self.settle(effects)
	}

	/// Plays coder and disk.
	fn settle(&mut self, mut effects: Effects<Effect>) -> Vec<Effect> {
		let mut out = Vec::new();
		while let Some(effect) = effects.pop() {
			self.log.push_str(&format!("{effect:?}\n"));
			let answer = match effect {
				Effect::Encode { token, n_validators, data } => {
					Event::Encoded { token, result: encode(n_validators, &data) }
				},
				Effect::Load { token, key } => Event::Loaded { token, value: self.disk.get(&key).cloned() },
				Effect::Write { token, batch } => match &mut self.held {
					Some(held) => {
						held.push((token, batch));
						continue;
					},
					None => {
						if self.disk_ok {
							self.apply(batch);
						}
						Event::Written { token, ok: self.disk_ok }
					},
				},
				other => {
					out.push(other);
					continue;
				},
			};
			self.machine.handle(self.now, answer, &mut effects);
		}
		self.traces.extend(effects.take_traces());
		out
	}

	fn apply(&mut self, batch: Vec<WriteOp>) {
		for op in batch {
			match op {
				WriteOp::Put { key, value } => self.disk.insert(key, value),
				WriteOp::Delete { key } => self.disk.remove(&key),
			};
		}
	}

	/// A leaf whose allowed ancestry are its two predecessors, on the fork that `fork` names.
	fn leaf(&self, number: u32, cores: Vec<CoreState>, events: Vec<CandidateEvent>) -> LeafContext {
		let at = |number| block(number, &self.session, Default::default());
		let mut context = leaf(at(number), vec![Arc::new(at(number - 1)), Arc::new(at(number - 2))]);
		context.availability_cores = cores;
		context.candidate_events = events;
		context
	}

	fn activate(&mut self, leaf: LeafContext, deactivated: &[u64]) -> Vec<Effect> {
		let deactivated = deactivated.iter().copied().map(hash).collect();
		self.send(Event::Leaves(LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated }))
	}

	/// A leaf in which these things happened, instead of the one before.
	fn block_with(&mut self, number: u32, events: Vec<CandidateEvent>) -> Vec<Effect> {
		let leaf = self.leaf(number, Vec::new(), events);
		self.activate(leaf, &[u64::from(number) - 1])
	}

	fn finalize(&mut self, number: u64) -> Vec<Effect> {
		self.send(Event::Finalized { number: number as u32, hash: hash(number) })
	}

	fn store(&mut self, sample: &Sample) -> Vec<Effect> {
		self.send(Event::StoreData { token: Token(500), request: sample.request() })
	}

	fn ask(&mut self, protocol: RequestProtocol, payload: Vec<u8>) -> (Option<Vec<u8>>, i32) {
		self.requests += 1;
		let id = InboundRequestId(self.requests);
		let effects = self.send(Event::Request(InboundRequest { peer: peer(1), id, protocol, payload }));
		match &effects[..] {
			[Effect::Network(NetworkEffect::Respond { id: answered, response, reputation })] => {
				assert_eq!(*answered, id);
				(response.clone(), reputation.map_or(0, Reputation::value))
			},
			other => panic!("one answer expected, not {other:?}"),
		}
	}

	fn dropped_because(&self, reason: Reason) -> bool {
		self.traces.iter().any(|trace| trace.stage == Stage::Dropped(reason))
	}
}

fn machine(keys: &[ValidatorPair]) -> Availability {
	Availability::new(Config::default(), Arc::new(TestSigner(keys.to_vec())), verifier())
}

#[test]
fn same_events_give_same_effects() {
	/// Signatures of sr25519 are randomized.
	struct Deterministic;
	impl Signer for Deterministic {
		fn sign(&self, _: &ValidatorId, message: &[u8]) -> Option<ValidatorSignature> {
			ValidatorSignature::from_slice(&[message[0]; 64]).ok()
		}
	}
	let scenario = || {
		let mut rig = Rig::new();
		rig.machine = Availability::new(Config::default(), Arc::new(Deterministic), verifier());
		let samples = [sample(1), sample(2)];
		let cores = vec![samples[0].occupying(0), samples[1].occupying(2)];
		let leaf = rig.leaf(10, cores, samples.iter().map(Sample::backed).collect());
		let mut all = rig.activate(leaf, &[]);
		all.extend(rig.store(&samples[0]));
		all.extend(rig.advance(1_000));
		all.extend(rig.block_with(11, vec![samples[0].included()]));
		all.extend(rig.finalize(11));
		all.extend(rig.advance(7_200_000));
		format!("{all:?}\n{:?}\n{}", rig.traces, rig.log)
	};
	let (first, second) = (scenario(), scenario());
	assert!(first.contains("Bitfield {"));
	assert!(first == second);
}
