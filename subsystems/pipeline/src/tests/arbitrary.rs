//! Whatever happens, in whatever order, to all machines at once: nothing panics, what is stated about bounds holds, whoever asks is
//! answered once, and our votes are what they should be.

use super::world::*;
use crate::{Config, Effect, Event, Validator};
use codec::Encode;
use headway_availability::{encode, WriteOp};
use headway_machine::{
	grid::Topology,
	testing::{hash, peer, Bytes},
	wire::*,
	Effects, ExecutionError, InboundRequestId, LeavesUpdate, NetworkEffect, NetworkEvent, ObservedRole,
	PeerId, PeerSet, RequestError, Subsystem, Timestamp, Token, Trace,
};
use headway_primitives::*;
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
	time::Duration,
};

/// Something that happens. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
pub(super) enum Step {
	/// A question of ours is answered: as it should be, or otherwise.
	Answer {
		question: usize,
		form: usize,
	},
	Leaf {
		number: u32,
		fork: bool,
		included: u8,
		on_cores: Vec<usize>,
		events: Vec<usize>,
		instead: Option<usize>,
	},
	Gone(usize),
	Finalized {
		number: u32,
		fork: bool,
		v3: bool,
	},
	Connect(u8),
	Disconnect(u8),
	View(u8, Vec<u64>),
	Topology,
	Declare {
		from: u8,
		para: u32,
	},
	Advertise {
		from: u8,
		sample: usize,
	},
	Statement {
		from: u8,
		by: u32,
		seconds: bool,
		sample: usize,
	},
	Manifest {
		from: u8,
		sample: usize,
		votes: (u8, u8),
	},
	Acknowledge {
		from: u8,
		sample: usize,
		votes: (u8, u8),
	},
	Bitfield {
		from: u8,
		by: u32,
		at: u64,
		bits: Vec<bool>,
	},
	Ask {
		from: u8,
		protocol: RequestProtocol,
		sample: usize,
		cut: Option<usize>,
	},
	Inherent(u32, bool),
	FragmentChain(u32, Option<u64>),
	Wait(u64),
}

fn step(bytes: &mut Bytes) -> Step {
	let sample = |bytes: &mut Bytes| bytes.below(samples().len());
	// Of our own group's para, mostly.
	let ours = |bytes: &mut Bytes| {
		let of_both = bytes.one_in(4);
		bytes.below(samples().len() / if of_both { 1 } else { 2 })
	};
	let validator = |bytes: &mut Bytes| bytes.within(1..N + 1) as u8;
	let collator = |bytes: &mut Bytes| COLLATORS.start + bytes.below(COLLATORS.len()) as u8;
	let anybody = |bytes: &mut Bytes| if bytes.coin() { validator(bytes) } else { collator(bytes) };
	let votes = |bytes: &mut Bytes| (bytes.below(8) as u8, bytes.below(8) as u8);
	let number = |bytes: &mut Bytes| bytes.within(NUMBERS);
	match bytes.below(64) {
		0..=22 => Step::Answer { question: bytes.below(16), form: bytes.below(12) },
		23..=28 => Step::Advertise { from: collator(bytes), sample: ours(bytes) },
		29..=36 => Step::Statement {
			from: validator(bytes),
			by: bytes.within(0..N + 1),
			seconds: bytes.coin(),
			sample: ours(bytes),
		},
		37..=40 => Step::Manifest { from: validator(bytes), sample: sample(bytes), votes: votes(bytes) },
		41 => Step::Acknowledge { from: validator(bytes), sample: sample(bytes), votes: votes(bytes) },
		42 | 43 => Step::Bitfield {
			from: validator(bytes),
			by: bytes.within(0..N + 1),
			at: number(bytes).into(),
			bits: bytes.some(3, Bytes::coin),
		},
		44..=47 => Step::Leaf {
			number: number(bytes),
			fork: bytes.one_in(6),
			included: bytes.below(3) as u8,
			on_cores: bytes.some(2, sample),
			events: bytes.some(2, sample),
			instead: (!bytes.one_in(3)).then(|| bytes.below(3)),
		},
		48 => Step::Gone(bytes.below(3)),
		49 => Step::Finalized { number: number(bytes), fork: bytes.one_in(6), v3: bytes.coin() },
		50..=52 => Step::Connect(anybody(bytes)),
		53 => Step::Disconnect(anybody(bytes)),
		54 | 55 => Step::View(anybody(bytes), bytes.some(4, |bytes| number(bytes).into())),
		56 => Step::Topology,
		57 | 58 => Step::Declare { from: collator(bytes), para: bytes.within(1..3) },
		59 | 60 => Step::Ask {
			from: validator(bytes),
			protocol: bytes.one_of(&RequestProtocol::ALL),
			sample: sample(bytes),
			cut: bytes.one_in(8).then(|| bytes.below(40)),
		},
		61 => Step::Inherent(number(bytes), bytes.one_in(6)),
		62 => Step::FragmentChain(bytes.within(1..4), bytes.coin().then(|| number(bytes).into())),
		_ => Step::Wait(bytes.below(8_000) as u64),
	}
}

/// The machines, and what is around them.
pub(super) struct Arena {
	pub(super) machine: Validator,
	pub(super) now: Timestamp,
	leaves: BTreeSet<Hash>,
	peers: BTreeSet<(PeerId, PeerSet)>,
	/// Questions that are not answered yet, in the order in which they were asked.
	pub(super) open: Vec<Effect>,
	/// What was written, in the order of the effects.
	disk: BTreeMap<headway_availability::StorageKey, Vec<u8>>,
	asked: u64,
	answered: BTreeSet<InboundRequestId>,
	questions: u64,
	replies: BTreeSet<Token>,
	/// Candidates whose execution went well.
	executed: BTreeSet<CandidateHash>,
	/// What we said, by scheduling parent.
	said: BTreeSet<(Hash, CompactStatement)>,
	/// What machines told of candidates, since somebody last took it.
	pub(super) traces: Vec<Trace>,
}

impl Arena {
	pub(super) fn new() -> Self {
		let mut this = Self {
			machine: Validator::new(Config::default(), Arc::new(Hashing), Arc::new(Hashing)),
			now: Timestamp::from_unix_ms(1_000_000),
			leaves: BTreeSet::new(),
			peers: BTreeSet::new(),
			open: Vec::new(),
			disk: BTreeMap::new(),
			asked: 0,
			answered: BTreeSet::new(),
			questions: 0,
			replies: BTreeSet::new(),
			executed: BTreeSet::new(),
			said: BTreeSet::new(),
			traces: Vec::new(),
		};
		let (no_cores, no_events) = (Vec::new(), Vec::new());
		let first = Step::Leaf {
			number: NUMBERS.start,
			fork: false,
			included: 0,
			on_cores: no_cores,
			events: no_events,
			instead: None,
		};
		this.take(Step::Topology);
		this.take(first);
		for n in (1..N as u8).chain(COLLATORS) {
			this.take(Step::Connect(n));
			this.take(Step::View(n, vec![NUMBERS.start.into()]));
		}
		for n in COLLATORS {
			this.take(Step::Declare { from: n, para: if n % 4 == 0 { 2 } else { 1 } });
		}
		this
	}

	pub(super) fn send(&mut self, event: Event) {
		let mut effects = Effects::new();
		self.machine.handle(self.now, event, &mut effects);
		self.note(effects);
	}

	fn network(&mut self, event: NetworkEvent) {
		self.send(Event::Network(event));
	}

	fn say(&mut self, from: u8, message: StatementMessage) {
		let message = ValidationMessage::Statement(message);
		self.network(NetworkEvent::Validation { peer: peer(from), message });
	}

	fn set_of(n: u8) -> PeerSet {
		if COLLATORS.contains(&n) {
			PeerSet::Collation
		} else {
			PeerSet::Validation
		}
	}

	pub(super) fn take(&mut self, step: Step) {
		match step {
			Step::Answer { question, form } if question < self.open.len() => {
				let question = self.open.remove(question);
				self.answer(question, form);
			},
			Step::Answer { .. } => {},
			Step::Leaf { number, fork, included, on_cores, events, instead } => {
				if self.leaves.contains(&block_hash(number, fork)) {
					return;
				}
				let gone = instead.and_then(|instead| self.leaves.iter().nth(instead).copied());
				let leaf = leaf(number, fork, included, &on_cores, &events);
				self.leaves.insert(leaf.hash());
				self.leaves.retain(|hash| Some(*hash) != gone);
				let deactivated = gone.into_iter().collect();
				self.send(Event::Leaves(LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated }));
			},
			Step::Gone(leaf) => {
				let Some(hash) = self.leaves.iter().nth(leaf).copied() else { return };
				self.leaves.remove(&hash);
				self.send(Event::Leaves(LeavesUpdate { activated: None, deactivated: vec![hash] }));
			},
			Step::Finalized { number, fork, v3 } => {
				let bit = FeatureIndex::CandidateReceiptV3 as usize;
				let node_features = (0..5).map(|i| i == bit && v3).collect();
				self.send(Event::Finalized { number, hash: block_hash(number, fork), node_features });
			},
			Step::Connect(n) => {
				let keys = &session().info.discovery_keys;
				self.peers.insert((peer(n), Self::set_of(n)));
				self.network(NetworkEvent::PeerConnected {
					peer: peer(n),
					set: Self::set_of(n),
					version: if COLLATORS.contains(&n) { CollationVersion::V2 } else { CollationVersion::V3 },
					role: ObservedRole::Authority,
					authority_ids: keys.get(usize::from(n)).cloned().into_iter().collect(),
				});
			},
			Step::Disconnect(n) => {
				self.peers.remove(&(peer(n), Self::set_of(n)));
				self.network(NetworkEvent::PeerDisconnected { peer: peer(n), set: Self::set_of(n) });
			},
			Step::View(n, heads) => {
				let view = ViewMessage { heads: heads.into_iter().map(hash).collect(), finalized_number: 0 };
				self.network(NetworkEvent::PeerViewChange { peer: peer(n), set: Self::set_of(n), view });
			},
			Step::Topology => {
				let topology = Arc::new(Topology::new(&session().info, &[3; 32], Some(LOCAL.0)));
				self.network(NetworkEvent::NewTopology { session: SESSION, topology });
			},
			Step::Declare { from, para } => {
				let message = declaration(from, ParaId(para));
				self.network(NetworkEvent::Collation { peer: peer(from), message });
			},
			Step::Advertise { from, sample } => {
				let sample = &samples()[sample];
				let advert = AdvertiseCollationV2 {
					scheduling_parent: sample.scheduling_parent(),
					candidate_hash: sample.hash,
					parent_head_data_hash: sample.data.parent_head.hash(),
				};
				let message = CollationMessage::V2(CollatorMessageV2::AdvertiseCollation(advert));
				self.network(NetworkEvent::Collation { peer: peer(from), message });
			},
			// Nobody else signs with our key.
			Step::Statement { by, .. } | Step::Bitfield { by, .. } if by % N == LOCAL.0 => {},
			Step::Statement { from, by, seconds, sample } => {
				let sample = &samples()[sample];
				let statement = sample.statement(by, seconds);
				self.say(from, StatementMessage::Statement(sample.scheduling_parent(), statement));
			},
			Step::Manifest { from, sample, votes } => {
				let sample = &samples()[sample];
				self.say(
					from,
					StatementMessage::BackedCandidateManifest(BackedCandidateManifest {
						scheduling_parent: sample.scheduling_parent(),
						candidate_hash: sample.hash,
						group_index: GroupIndex(sample.group),
						para_id: sample.receipt.descriptor.para_id,
						parent_head_data_hash: sample.data.parent_head.hash(),
						statement_knowledge: filter(votes),
					}),
				);
			},
			Step::Acknowledge { from, sample, votes } => {
				let (candidate_hash, statement_knowledge) = (samples()[sample].hash, filter(votes));
				let known = BackedCandidateAcknowledgement { candidate_hash, statement_knowledge };
				self.say(from, StatementMessage::BackedCandidateKnown(known));
			},
			Step::Bitfield { from, by, at, bits } => {
				let bitfield = signed(by, hash(at), AvailabilityBitfield(bits.into_iter().collect()));
				let message = ValidationMessage::Bitfield(BitfieldMessage::Bitfield(hash(at), bitfield));
				self.network(NetworkEvent::Validation { peer: peer(from), message });
			},
			Step::Ask { from, protocol, sample, cut } => self.ask(from, protocol, &samples()[sample], cut),
			Step::Inherent(number, fork) => {
				self.questions += 1;
				let (token, parent) = (Token(self.questions), block_hash(number, fork));
				self.send(Event::InherentRequest { token, parent });
			},
			Step::FragmentChain(para, at) => {
				self.questions += 1;
				let token = Token(self.questions);
				self.send(Event::FragmentChain { token, para: ParaId(para), at: at.map(hash) });
				assert!(self.replies.contains(&token));
			},
			Step::Wait(ms) => {
				self.now = self.now + Duration::from_millis(ms);
				let mut effects = Effects::new();
				self.machine.tick(self.now, &mut effects);
				assert!(
					self.machine.next_deadline().is_none_or(|due| due > self.now),
					"a tick moves the deadline"
				);
				self.note(effects);
			},
		}
		assert_eq!(self.machine.sizes().exceeded(), None);
	}

	fn ask(&mut self, from: u8, protocol: RequestProtocol, sample: &Sample, cut: Option<usize>) {
		let candidate_hash = sample.hash;
		let mut payload = match protocol {
			RequestProtocol::ChunkV1 | RequestProtocol::ChunkV2 => {
				ChunkRequest { candidate_hash, index: ValidatorIndex(from.into()) }.encode()
			},
			RequestProtocol::AttestedCandidate => {
				AttestedCandidateRequest { candidate_hash, mask: StatementFilter::blank(3) }.encode()
			},
			_ => candidate_hash.encode(),
		};
		payload.truncate(cut.unwrap_or(payload.len()));
		self.asked += 1;
		let id = InboundRequestId(self.asked);
		self.send(Event::Request(InboundRequest { peer: peer(from), id, protocol, payload }));
	}

	/// Answers a question. From form 8 on there is something wrong with the answer.
	pub(super) fn answer(&mut self, question: Effect, form: usize) {
		let is_good = form < 8;
		let event = match question {
			Effect::Network(NetworkEffect::Request { token, request, .. }) => {
				let result = match form {
					8 => Err(RequestError::Timeout),
					9 => Ok(vec![1]),
					10 => response(&request, Some(&samples()[0])),
					_ => response(&request, None),
				};
				Event::Response { token, result }
			},
			Effect::FetchCode { token, .. } => Event::Code { token, code: is_good.then(stored_code) },
			Effect::Execute { token, execution } => {
				let candidate = execution.candidate_hash;
				let result = match sample_of(candidate).filter(|_| is_good) {
					Some(sample) => {
						self.executed.insert(candidate);
						Ok(sample.result())
					},
					None if form == 8 => Err(ExecutionError::Internal(String::new())),
					None if form == 9 => Err(ExecutionError::WorkerDied(String::new())),
					None => Err(ExecutionError::Rejected(String::new())),
				};
				Event::Executed { token, result }
			},
			Effect::Encode { token, n_validators, data } => {
				Event::Encoded { token, result: encode(n_validators, &data) }
			},
			Effect::Load { token, key } => {
				Event::Loaded { token, value: self.disk.get(&key).cloned().filter(|_| is_good) }
			},
			Effect::Write { token, batch } => {
				for op in batch.into_iter().filter(|_| is_good) {
					match op {
						WriteOp::Put { key, value } => self.disk.insert(key, value),
						WriteOp::Delete { key } => self.disk.remove(&key),
					};
				}
				Event::Written { token, ok: is_good }
			},
			Effect::QueryRelayParentInfo { token, .. } => Event::RelayParentInfo { token, info: None },
			other => unreachable!("{other:?} is no question"),
		};
		self.send(event);
	}

	fn note(&mut self, mut effects: Effects<Effect>) {
		self.traces.extend(effects.take_traces());
		while let Some(effect) = effects.pop() {
			match &effect {
				Effect::Network(NetworkEffect::SendValidation { peers, message }) => {
					assert!(peers
						.iter()
						.all(|peer| self.peers.contains(&(peer.clone(), PeerSet::Validation))));
					self.check_statement(message);
				},
				Effect::Network(NetworkEffect::SendCollation { peers, .. }) => {
					assert!(peers
						.iter()
						.all(|peer| self.peers.contains(&(peer.clone(), PeerSet::Collation))));
				},
				Effect::Network(NetworkEffect::Disconnect { peer, set }) => {
					self.peers.remove(&(peer.clone(), *set));
				},
				Effect::Network(NetworkEffect::Respond { id, .. }) => {
					assert!(id.0 <= self.asked && self.answered.insert(*id), "who asks is answered once");
				},
				Effect::Inherent { token, .. } | Effect::FragmentChain { token, .. } => {
					assert!(
						token.0 <= self.questions && self.replies.insert(*token),
						"who asks is answered once"
					);
				},
				Effect::Network(NetworkEffect::Request { .. })
				| Effect::FetchCode { .. }
				| Effect::Execute { .. }
				| Effect::Encode { .. }
				| Effect::Load { .. }
				| Effect::Write { .. }
				| Effect::QueryRelayParentInfo { .. } => self.open.push(effect),
				_ => {},
			}
		}
	}

	/// We vote for what was executed, and do not contradict ourselves.
	fn check_statement(&mut self, message: &ValidationMessage) {
		let ValidationMessage::Statement(StatementMessage::Statement(at, statement)) = message else {
			return;
		};
		if statement.validator_index != LOCAL {
			return;
		}
		let candidate = statement.payload.candidate_hash();
		assert!(self.executed.contains(&candidate), "a vote without an execution");
		self.said.insert((*at, statement.payload));
		let both = [CompactStatement::Seconded(candidate), CompactStatement::Valid(candidate)];
		assert!(!both.iter().all(|said| self.said.contains(&(*at, *said))), "seconded, and voted for");
	}
}

/// Who voted, as bits: seconded and valid.
fn filter((seconded, valid): (u8, u8)) -> StatementFilter {
	let bits = |byte: u8| (0..3).map(|i| byte >> i & 1 == 1).collect();
	StatementFilter { seconded_in_group: bits(seconded), validated_in_group: bits(valid) }
}

/// What was asked for; or the same of another candidate.
fn response(request: &Request, instead: Option<&Sample>) -> Result<Vec<u8>, RequestError> {
	let of = |hash| instead.or(sample_of(hash)).unwrap_or(&samples()[0]);
	Ok(match request {
		Request::Chunk(asked) => {
			let chunks = &of(asked.candidate_hash).encoding.chunks;
			ChunkResponseV2::Chunk(chunks[LOCAL.0 as usize].clone()).encode()
		},
		Request::PoV(asked) => PoVResponse::PoV((*of(asked.candidate_hash).pov).clone()).encode(),
		Request::AvailableData(asked) => {
			AvailableDataResponse::AvailableData(of(asked.candidate_hash).available()).encode()
		},
		Request::AttestedCandidate(asked) => of(asked.candidate_hash).attested().encode(),
		Request::CollationV2(asked) => {
			let sample = of(asked.candidate_hash);
			CollationResponse::Collation(sample.receipt.to_plain(), (*sample.pov).clone()).encode()
		},
		Request::CollationV1(_) | Request::CollationV3(_) => return Err(RequestError::Refused),
	})
}

/// How far the events came.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Reached {
	/// Candidates that we made statements about.
	said: usize,
	/// Values on disk.
	stored: usize,
}

fn check(steps: Vec<Step>) -> Reached {
	let mut arena = Arena::new();
	for step in steps {
		arena.take(step);
	}
	let reached = Reached { said: arena.said.len(), stored: arena.disk.len() };
	// In the end whoever asked is answered.
	while let Some(question) = arena.open.pop() {
		arena.answer(question, 8);
	}
	while !arena.leaves.is_empty() {
		arena.take(Step::Gone(0));
	}
	(0..3).for_each(|_| arena.take(Step::Wait(8_000)));
	assert_eq!(arena.answered.len() as u64, arena.asked);
	assert_eq!(arena.replies.len() as u64, arena.questions);
	reached
}

headway_machine::arbitrary_events! {
	#[test]
	fn whatever_happens_to_all_machines_nothing_panics_and_bounds_hold(steps: step, bytes: 1..1500) {
		check(steps);
	}
}

/// If a candidate could not get through, arbitrary events would reach little.
#[test]
fn a_candidate_of_the_world_is_seconded() {
	let mut steps = vec![Step::Advertise { from: COLLATORS.start + 1, sample: 0 }];
	steps.extend(vec![Step::Answer { question: 0, form: 0 }; 12]);
	let reached = check(steps);
	assert_eq!(reached.said, 1);
	assert!(reached.stored > N as usize);
}
