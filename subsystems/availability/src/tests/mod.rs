//! A validator among ten, whose disk is a map: writes take effect at once unless a test holds them back.

pub(crate) mod arbitrary;
#[cfg(test)]
mod bitfields;
#[cfg(test)]
mod distribution;
#[cfg(test)]
mod store;

use super::*;
use codec::{Decode, Encode};
use headway_machine::{
	testing::{
		block, hash, leaf, peer, session, validator_keys, verifier, Answer, Driven, TestSigner, World,
	},
	wire::{InboundRequest, RequestProtocol},
	InboundRequestId, Reason, Reputation, SessionContext, Stage,
};
use headway_primitives::{
	BlockData, CandidateDescriptorV2, CandidateEvent, CandidateReceiptV2, CoreIndex, CoreState, GroupIndex,
	HeadData, NodeFeatures, OccupiedCore, PersistedValidationData, ValidationCodeHash, ValidatorId,
	ValidatorIndex, ValidatorPair, ValidatorSignature,
};
use sp_core::ByteArray;
use std::ops::{Deref, DerefMut};

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

/// Coder and disk.
struct Disk {
	content: BTreeMap<StorageKey, Vec<u8>>,
	/// Whether it works.
	ok: bool,
	/// Writes that a test wants to answer itself.
	held: Option<Vec<(Token, Vec<WriteOp>)>>,
	/// Bitfields that were signed, by the keys that they are to be stored under, and not looked at yet.
	signed: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Disk {
	fn apply(&mut self, batch: Vec<WriteOp>) {
		for op in batch {
			match op {
				WriteOp::Put { key, value } => self.content.insert(key, value),
				WriteOp::Delete { key } => self.content.remove(&key),
			};
		}
	}
}

impl World<Availability> for Disk {
	fn answer(&mut self, effect: Effect) -> Answer<Event, Effect> {
		match effect {
			Effect::Encode { token, n_validators, data } => {
				Answer::Event(Event::Encoded { token, result: encode(n_validators, &data) })
			},
			Effect::Load { token, key } => {
				Answer::Event(Event::Loaded { token, value: self.content.get(&key).cloned() })
			},
			Effect::Write { token, batch } => {
				self.signed.extend(batch.iter().filter_map(|op| match op {
					WriteOp::Put { key, value } if keys::bitfield_leaf(&key.key).is_some() => {
						Some((key.key.clone(), value.clone()))
					},
					_ => None,
				}));
				if let Some(held) = &mut self.held {
					held.push((token, batch));
					return Answer::Later;
				}
				if self.ok {
					self.apply(batch);
				}
				Answer::Event(Event::Written { token, ok: self.ok })
			},
			other => Answer::Show(other),
		}
	}
}

struct Rig {
	driven: Driven<Availability, Disk>,
	session: Arc<SessionContext>,
	keys: Vec<ValidatorPair>,
	requests: u64,
}

impl Deref for Rig {
	type Target = Driven<Availability, Disk>;

	fn deref(&self) -> &Self::Target {
		&self.driven
	}
}

impl DerefMut for Rig {
	fn deref_mut(&mut self) -> &mut Self::Target {
		&mut self.driven
	}
}

impl Rig {
	fn new() -> Self {
		Self::of(Some(LOCAL))
	}

	fn of(local: Option<u32>) -> Self {
		let keys = validator_keys(N);
		let groups = vec![vec![0, 1, 2], vec![3, 4, 5], vec![6, 7, 8, 9]];
		let session = session(7, &keys, groups, local);
		let disk = Disk { content: BTreeMap::new(), ok: true, held: None, signed: Vec::new() };
		let driven = Driven::new(machine(&keys), disk, Timestamp::from_unix_ms(1_000_000_000));
		Rig { driven, session, keys, requests: 0 }
	}

	/// The process dies, and another one takes over its disk.
	fn restart(&mut self) {
		self.driven.machine = machine(&self.keys);
		let meta = self.world.content.iter().filter(|(key, _)| key.column == Column::Meta);
		let entries = meta.map(|(key, value)| (key.key.clone(), value.clone())).collect();
		self.send(Event::Restore { entries });
	}

	/// What is on disk of candidates: all but our bitfields.
	fn kept(&self) -> Vec<&StorageKey> {
		let keys = self.world.content.keys();
		keys.filter(|key| keys::bitfield_leaf(&key.key).is_none()).collect()
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
