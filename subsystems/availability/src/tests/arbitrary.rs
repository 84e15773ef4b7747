//! Whatever happens, in whatever order: nothing panics, what is stated about bounds holds, whoever asks is answered once, and
//! what we say that we have is on disk.

use super::*;
use headway_machine::{
	grid::Topology,
	sign,
	testing::Bytes,
	wire::{
		AvailableDataRequest, BitfieldMessage, ChunkRequest, ChunkResponseV1, ChunkResponseV2,
		CollationVersion, PoVRequest, PoVResponse, Request, ValidationMessage, ViewMessage,
	},
	ObservedRole, PeerId, PeerSet,
};
use headway_primitives::{SigningContext, UncheckedSignedAvailabilityBitfield};
use sp_core::Pair as _;
use std::{collections::BTreeSet, sync::OnceLock};

/// Something that happens. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
	/// Samples that occupy cores, and what became of others; another leaf may go.
	Leaf {
		number: u32,
		fork: bool,
		cores: Vec<(usize, u32)>,
		events: Vec<(usize, bool)>,
		instead: Option<usize>,
	},
	Gone(usize),
	Finalized {
		number: u32,
		fork: bool,
	},
	Store {
		sample: usize,
		is_right: bool,
	},
	FetchPoV(usize),
	Ask {
		protocol: RequestProtocol,
		sample: usize,
		validator: u32,
		cut: Option<usize>,
	},
	/// A request of ours comes back.
	Answer {
		request: usize,
		form: usize,
		other: usize,
	},
	Connect(u8),
	Disconnect(u8),
	View(u8, Vec<u64>),
	Topology,
	Bitfield {
		from: u8,
		at: u64,
		validator: u32,
		signer: u32,
		bits: Vec<bool>,
	},
	Disk {
		works: bool,
		holds: bool,
	},
	/// The oldest write that is held.
	Written(bool),
	Restart,
	Wait(u64),
}

const SAMPLES: usize = 5;
const PROTOCOLS: [RequestProtocol; 5] = [
	RequestProtocol::ChunkV2,
	RequestProtocol::ChunkV1,
	RequestProtocol::PoV,
	RequestProtocol::AvailableData,
	RequestProtocol::AttestedCandidate,
];

fn step(bytes: &mut Bytes) -> Step {
	let sample = |bytes: &mut Bytes| bytes.below(SAMPLES);
	let peer = |bytes: &mut Bytes| bytes.below(8) as u8;
	let number = |bytes: &mut Bytes| bytes.within(10..16);
	match bytes.below(48) {
		0..=9 => Step::Answer { request: bytes.below(8), form: bytes.below(7), other: sample(bytes) },
		10..=16 => Step::Leaf {
			number: number(bytes),
			fork: bytes.one_in(5),
			cores: bytes.some(3, |bytes| (sample(bytes), bytes.within(0..4))),
			events: bytes.some(3, |bytes| (sample(bytes), bytes.coin())),
			instead: bytes.coin().then(|| bytes.below(3)),
		},
		17 => Step::Gone(bytes.below(3)),
		18 | 19 => Step::Finalized { number: number(bytes), fork: bytes.one_in(5) },
		20..=24 => Step::Store { sample: sample(bytes), is_right: !bytes.one_in(5) },
		25 | 26 => Step::FetchPoV(sample(bytes)),
		27..=31 => Step::Ask {
			protocol: bytes.one_of(&PROTOCOLS),
			sample: sample(bytes),
			validator: bytes.within(0..N + 1),
			cut: bytes.one_in(10).then(|| bytes.below(40)),
		},
		32 | 33 => Step::Connect(peer(bytes)),
		34 => Step::Disconnect(peer(bytes)),
		35 | 36 => Step::View(peer(bytes), bytes.some(5, |bytes| number(bytes).into())),
		37 => Step::Topology,
		38..=41 => Step::Bitfield {
			from: peer(bytes),
			at: number(bytes).into(),
			validator: bytes.within(0..N + 1),
			signer: bytes.within(0..N),
			bits: bytes.some(4, Bytes::coin),
		},
		42 => Step::Disk { works: !bytes.one_in(3), holds: bytes.one_in(3) },
		43 | 44 => Step::Written(!bytes.one_in(4)),
		45 => Step::Restart,
		46 => Step::Wait(bytes.below(3_000) as u64),
		_ => Step::Wait(bytes.below(2_000_000) as u64),
	}
}

fn samples() -> &'static [Sample] {
	static SAMPLES_OF_ALL: OnceLock<Vec<Sample>> = OnceLock::new();
	SAMPLES_OF_ALL.get_or_init(|| (1..=SAMPLES as u8).map(sample).collect())
}

/// A machine with its surroundings, and what is not answered yet.
struct Arena {
	rig: Rig,
	/// Active leaves with what occupies their cores.
	leaves: BTreeMap<Hash, Vec<CandidateHash>>,
	requests: BTreeMap<Token, Request>,
	stores: BTreeMap<Token, CandidateHash>,
	povs: BTreeMap<Token, Hash>,
	peers: BTreeSet<PeerId>,
	asked: u64,
	answered: BTreeSet<InboundRequestId>,
	questions: u64,
}

impl Arena {
	fn new() -> Self {
		Self {
			rig: Rig::new(),
			leaves: BTreeMap::new(),
			requests: BTreeMap::new(),
			stores: BTreeMap::new(),
			povs: BTreeMap::new(),
			peers: BTreeSet::new(),
			asked: 0,
			answered: BTreeSet::new(),
			questions: 0,
		}
	}

	fn question(&mut self) -> Token {
		self.questions += 1;
		Token(self.questions)
	}

	fn send(&mut self, event: Event) {
		let effects = self.rig.send(event);
		self.note(effects);
	}

	fn network(&mut self, event: NetworkEvent) {
		self.send(Event::Network(event));
	}

	fn take(&mut self, step: Step) {
		match step {
			Step::Leaf { number, fork, cores, events, instead } => {
				self.leaf(number, fork, cores, events, instead)
			},
			Step::Gone(leaf) => {
				let deactivated = self.leaves.keys().nth(leaf).copied().into_iter().collect();
				self.leaves(None, deactivated);
			},
			Step::Finalized { number, fork } => {
				self.send(Event::Finalized { number, hash: block_hash(number, fork) })
			},
			Step::Store { sample, is_right } => {
				let (token, mut request) = (self.question(), samples()[sample].request());
				if !is_right {
					request.expected_erasure_root = hash(9);
				}
				self.stores.insert(token, request.candidate_hash);
				self.send(Event::StoreData { token, request });
			},
			Step::FetchPoV(sample) => {
				let (token, sample) = (self.question(), &samples()[sample]);
				let descriptor = &sample.receipt.descriptor;
				let (pov_hash, para) = (descriptor.pov_hash, descriptor.para_id);
				self.povs.insert(token, pov_hash);
				let from = self.rig.session.info.discovery_keys[5].clone();
				let (candidate_hash, scheduling_parent) = (sample.hash(), hash(10));
				self.send(Event::FetchPoV { token, from, candidate_hash, pov_hash, scheduling_parent, para });
			},
			Step::Ask { protocol, sample, validator, cut } => {
				let candidate_hash = samples()[sample].hash();
				let mut payload = match protocol {
					RequestProtocol::ChunkV1 | RequestProtocol::ChunkV2 => {
						ChunkRequest { candidate_hash, index: ValidatorIndex(validator) }.encode()
					},
					RequestProtocol::PoV => PoVRequest { candidate_hash }.encode(),
					_ => AvailableDataRequest { candidate_hash }.encode(),
				};
				payload.truncate(cut.unwrap_or(payload.len()));
				self.asked += 1;
				let id = InboundRequestId(self.asked);
				self.send(Event::Request(InboundRequest { peer: peer(1), id, protocol, payload }));
				assert!(self.answered.contains(&id));
			},
			Step::Answer { request, form, other } => {
				let Some(token) = self.requests.keys().nth(request).copied() else { return };
				self.answer(token, form, other);
			},
			Step::Connect(n) => {
				let keys = &self.rig.session.info.discovery_keys;
				let authority_ids = keys.get(usize::from(n)).cloned().into_iter().collect();
				self.peers.insert(peer(n));
				self.network(NetworkEvent::PeerConnected {
					peer: peer(n),
					set: PeerSet::Validation,
					version: CollationVersion::V3,
					role: ObservedRole::Authority,
					authority_ids,
				});
			},
			Step::Disconnect(n) => {
				self.peers.remove(&peer(n));
				self.network(NetworkEvent::PeerDisconnected { peer: peer(n), set: PeerSet::Validation });
			},
			Step::View(n, heads) => {
				let view = ViewMessage { heads: heads.into_iter().map(hash).collect(), finalized_number: 0 };
				self.network(NetworkEvent::PeerViewChange { peer: peer(n), set: PeerSet::Validation, view });
			},
			Step::Topology => {
				let topology = Arc::new(Topology::new(&self.rig.session.info, &[7; 32], Some(LOCAL)));
				self.network(NetworkEvent::NewTopology { session: self.rig.session.index, topology });
			},
			Step::Bitfield { from, at, validator, signer, bits } => {
				self.bitfield(from, at, validator, signer, bits)
			},
			Step::Disk { works, holds } => {
				self.rig.world.ok = works;
				while !holds && self.written(true) {}
				match holds {
					true => drop(self.rig.world.held.get_or_insert_default()),
					false => self.rig.world.held = None,
				}
			},
			Step::Written(ok) => drop(self.written(ok)),
			Step::Restart => self.restart(),
			Step::Wait(ms) => {
				let effects = self.rig.advance(ms);
				self.note(effects);
			},
		}
		assert!(self.rig.machine.store.is_consistent());
	}

	fn leaf(
		&mut self,
		number: u32,
		fork: bool,
		cores: Vec<(usize, u32)>,
		events: Vec<(usize, bool)>,
		instead: Option<usize>,
	) {
		let leaf_hash = block_hash(number, fork);
		if self.leaves.contains_key(&leaf_hash) {
			return;
		}
		let deactivated = instead.and_then(|leaf| self.leaves.keys().nth(leaf).copied());
		let on_cores = cores.iter().map(|(sample, _)| samples()[*sample].hash()).collect();
		let cores = cores.iter().map(|(sample, group)| samples()[*sample].occupying(*group));
		let events = events.iter().map(|(sample, included)| match included {
			true => samples()[*sample].included(),
			false => samples()[*sample].backed(),
		});
		let mut leaf = self.rig.leaf(number, cores.collect(), events.collect());
		Arc::make_mut(&mut leaf.block).hash = leaf_hash;
		self.leaves.insert(leaf_hash, on_cores);
		self.leaves(Some(Arc::new(leaf)), deactivated.into_iter().collect());
	}

	fn leaves(&mut self, activated: Option<Arc<LeafContext>>, deactivated: Vec<Hash>) {
		deactivated.iter().for_each(|hash| drop(self.leaves.remove(hash)));
		self.send(Event::Leaves(LeavesUpdate { activated, deactivated }));
	}

	/// Mostly what was asked for; or nothing, nonsense, or something of another sample.
	fn answer(&mut self, token: Token, form: usize, other: usize) {
		let Some(request) = self.requests.remove(&token) else { return };
		let of = |hash| samples().iter().find(|sample| sample.hash() == hash).unwrap_or(&samples()[other]);
		let other = &samples()[other];
		let chunk = |sample: &Sample| sample.encoding.chunks[LOCAL as usize].clone();
		let response = match (&request, form) {
			(Request::Chunk(asked), 0 | 1) => {
				ChunkResponseV2::Chunk(chunk(of(asked.candidate_hash))).encode()
			},
			(Request::Chunk(asked), 2) => {
				let chunk = chunk(of(asked.candidate_hash));
				ChunkResponseV1::Chunk { chunk: chunk.chunk, proof: chunk.proof }.encode()
			},
			(Request::Chunk(_), 3) => ChunkResponseV2::Chunk(chunk(other)).encode(),
			(Request::PoV(asked), 0..=2) => {
				PoVResponse::PoV((*of(asked.candidate_hash).data.pov).clone()).encode()
			},
			(Request::PoV(_), 3) => PoVResponse::PoV((*other.data.pov).clone()).encode(),
			(_, 4) => vec![1],
			(_, 5) => other.data.encode(),
			_ => return self.send(Event::Response { token, result: Err(RequestError::Timeout) }),
		};
		self.send(Event::Response { token, result: Ok(response) });
	}

	fn bitfield(&mut self, from: u8, at: u64, validator: u32, signer: u32, bits: Vec<bool>) {
		if signer == LOCAL {
			// Nobody else signs with our key.
			return;
		}
		let context = SigningContext { session_index: self.rig.session.index, parent_hash: hash(at) };
		let key = self.rig.keys[signer as usize].public();
		let payload = AvailabilityBitfield(bits.into_iter().collect());
		let signer = TestSigner(self.rig.keys.clone());
		let Some(signed) = sign(&signer, &context, &key, ValidatorIndex(validator), payload) else { return };
		let message = BitfieldMessage::Bitfield(hash(at), signed.into_unchecked());
		let message = ValidationMessage::Bitfield(message);
		self.network(NetworkEvent::Validation { peer: peer(from), message });
	}

	/// Carries out the oldest write that is held. Answers whether there was one.
	fn written(&mut self, ok: bool) -> bool {
		let Some((token, batch)) =
			self.rig.world.held.as_mut().filter(|held| !held.is_empty()).map(|held| held.remove(0))
		else {
			return false;
		};
		if ok {
			self.rig.world.apply(batch);
		}
		self.send(Event::Written { token, ok });
		true
	}

	/// What was not written is lost, and so is whoever asked.
	fn restart(&mut self) {
		self.requests.clear();
		self.stores.clear();
		self.povs.clear();
		self.peers.clear();
		self.leaves.clear();
		if let Some(held) = &mut self.rig.world.held {
			held.clear();
		}
		self.rig.restart();
	}

	fn note(&mut self, effects: Vec<Effect>) {
		for (key, value) in std::mem::take(&mut self.rig.world.signed) {
			let leaf = keys::bitfield_leaf(&key).flatten().expect("a leaf's");
			self.check_signed(leaf, &UncheckedSignedAvailabilityBitfield::decode(&mut &value[..]).unwrap());
		}
		for effect in effects {
			match effect {
				Effect::DataStored { token, result } => {
					let candidate = self.stores.remove(&token).expect("who asked is answered once");
					let is_stored = self.rig.world.content.contains_key(&keys::available_data(&candidate));
					assert!(result.is_err() || is_stored, "what is promised is on disk");
				},
				Effect::PoVFetched { token, pov } => {
					let expected = self.povs.remove(&token).expect("who asked is answered once");
					assert!(pov.is_none_or(|pov| pov.hash() == expected));
				},
				Effect::Bitfield { relay_parent, bitfield } => self.check_bitfield(relay_parent, &bitfield),
				Effect::Network(NetworkEffect::Request { token, request, .. }) => {
					assert!(self.requests.insert(token, request).is_none(), "a token is used once");
				},
				Effect::Network(NetworkEffect::Respond { id, .. }) => {
					assert!(id.0 <= self.asked && self.answered.insert(id), "who asks is answered once");
				},
				Effect::Network(NetworkEffect::SendValidation { peers, .. }) => {
					assert!(peers.iter().all(|peer| self.peers.contains(peer)));
				},
				_ => {},
			}
		}
	}

	fn check_signed(&self, leaf: Hash, bitfield: &UncheckedSignedAvailabilityBitfield) {
		for core in bitfield.payload.0.iter_ones() {
			let key = keys::chunk(&self.leaves[&leaf][core], ValidatorIndex(LOCAL));
			assert!(self.rig.world.content.contains_key(&key), "what we say that we have is on disk");
		}
	}

	fn check_bitfield(&self, relay_parent: Hash, bitfield: &Signed<AvailabilityBitfield>) {
		assert!(self.leaves.contains_key(&relay_parent));
		if bitfield.validator_index() != ValidatorIndex(LOCAL) {
			return;
		}
		let stored = self.rig.world.content.get(&keys::bitfield(&relay_parent));
		assert_eq!(stored, Some(&bitfield.as_unchecked().encode()), "what we say is on disk");
	}
}

/// Hash of a block, or of the other one of its height.
fn block_hash(number: u32, fork: bool) -> Hash {
	hash(u64::from(number) + if fork { 100 } else { 0 })
}

fn check(steps: Vec<Step>) {
	let mut arena = Arena::new();
	for step in steps {
		arena.take(step);
	}
	// Whoever asked is answered in the end, and nothing is left of what nobody needs any more.
	arena.take(Step::Disk { works: true, holds: false });
	while let Some(token) = arena.requests.keys().next().copied() {
		arena.answer(token, 6, 0);
	}
	assert!(arena.stores.is_empty() && arena.povs.is_empty());
	while !arena.leaves.is_empty() {
		arena.take(Step::Gone(0));
	}
	arena.restart();
	// A bitfield that could not be removed then comes back, and goes with the first change of leaves.
	arena.send(Event::Leaves(LeavesUpdate::default()));
	arena.take(Step::Finalized { number: 20, fork: false });
	(0..2).for_each(|_| arena.take(Step::Wait(4_000_000)));
	assert_eq!(arena.rig.machine.next_deadline(), None);
	let meta = arena.rig.world.content.keys().filter(|key| key.column == Column::Meta);
	assert_eq!(meta.count(), 0);
}

headway_machine::arbitrary_events! {
	#[test]
	fn nothing_panics_and_what_is_promised_is_on_disk_whatever_happens(steps: step, bytes: 1..600) {
		check(steps);
	}
}

#[test]
fn indices_that_disagree_with_what_they_index_are_mended() {
	let mut rig = Rig::new();
	let known = &samples()[0];
	rig.block_with(11, vec![known.backed(), known.included()]);
	let content = rig.world.content.clone();
	let (block, other) = (hash(11), samples()[1].hash());
	let spoilt = [
		keys::prune_by_time(5, &known.hash()),
		keys::prune_by_time(5, &other),
		keys::unfinalized(3, &block, &known.hash()),
	];
	rig.world.content.extend(spoilt.map(|key| (key, b" ".to_vec())));
	rig.world.content.remove(&keys::unfinalized(11, &block, &known.hash()));
	rig.restart();
	assert_eq!(rig.world.content, content);
	assert!(rig.machine.store.is_consistent());
}
