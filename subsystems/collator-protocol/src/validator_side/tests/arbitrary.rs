//! Whatever happens, in whatever order: nothing panics, and what is stated about bounds holds.

use super::*;
use crate::collation::Identity;
use headway_machine::testing::Bytes;

/// Something that happens. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
pub(crate) enum Step {
	Wait(u64),
	Leaves { activated: Option<(u32, &'static str)>, deactivated: Vec<u32> },
	Connect(u8, CollationVersion, PeerSet),
	Disconnect(u8, PeerSet),
	View(u8, Vec<u64>),
	Declare { peer: u8, signed_for: u8, version: CollationVersion, para: ParaId },
	Advertise { peer: u8, version: CollationVersion, candidate: usize },
	Misplaced(u8),
	Response { token: u64, candidate: usize, form: u8 },
	CanSecond { token: u64, allowed: bool },
	Data { token: u64, candidate: Option<usize> },
	Seconded(usize),
	Invalid(usize),
	Dropped(usize),
	Segment { peer: u8, candidates: Vec<usize> },
	Finalized(u32),
	Included { token: u64, candidates: Vec<usize>, registered: Option<Vec<ParaId>> },
	OutputHeads { token: u64, known: Vec<(u64, usize)> },
}

const VERSIONS: [CollationVersion; 4] =
	[CollationVersion::V1, CollationVersion::V2, CollationVersion::V3, CollationVersion::V4];
const QUEUES: [&str; 5] = ["AAA", "ABA", "BB", "", "AABB"];

pub(crate) fn step(bytes: &mut Bytes) -> Step {
	let peer = |bytes: &mut Bytes| bytes.below(6) as u8;
	let any = |bytes: &mut Bytes| bytes.below(1 << 16);
	let set = |bytes: &mut Bytes| if bytes.one_in(6) { PeerSet::Validation } else { PeerSet::Collation };
	match bytes.below(48) {
		0..=7 => {
			Step::Advertise { peer: peer(bytes), version: bytes.one_of(&VERSIONS), candidate: any(bytes) }
		},
		8..=12 => {
			Step::Response { token: any(bytes) as u64, candidate: any(bytes), form: bytes.below(8) as u8 }
		},
		13..=17 => Step::CanSecond { token: any(bytes) as u64, allowed: !bytes.one_in(5) },
		18..=21 => Step::Data { token: any(bytes) as u64, candidate: bytes.coin().then(|| any(bytes)) },
		22 | 23 => Step::Seconded(any(bytes)),
		24 => Step::Invalid(any(bytes)),
		25 => Step::Dropped(any(bytes)),
		26 | 27 => Step::Wait(bytes.within(0..700).into()),
		28 | 29 => {
			let leaf = |bytes: &mut Bytes| (bytes.within(8..14), bytes.one_of(&QUEUES));
			let activated = (!bytes.one_in(5)).then(|| leaf(bytes));
			Step::Leaves { activated, deactivated: bytes.some(2, |bytes| bytes.within(8..14)) }
		},
		30..=32 => Step::Connect(peer(bytes), bytes.one_of(&VERSIONS), set(bytes)),
		33 => Step::Disconnect(peer(bytes), set(bytes)),
		34 | 35 => Step::View(peer(bytes), bytes.some(5, |bytes| bytes.within(7..15).into())),
		36..=38 => {
			let peer = peer(bytes);
			let signed_for = if bytes.one_in(10) { 99 } else { peer };
			Step::Declare { peer, signed_for, version: bytes.one_of(&VERSIONS), para: bytes.one_of(&[A, B]) }
		},
		39..=41 => Step::Segment { peer: peer(bytes), candidates: bytes.some(3, any) },
		42 => Step::Finalized(bytes.within(0..60)),
		43 => Step::Included {
			token: any(bytes) as u64,
			candidates: bytes.some(3, any),
			registered: bytes.coin().then(|| bytes.some(1, |bytes| bytes.one_of(&[A, B]))),
		},
		44..=46 => Step::OutputHeads {
			token: any(bytes) as u64,
			known: bytes.some(3, |bytes| (bytes.within(8..14).into(), any(bytes))),
		},
		_ => Step::Misplaced(peer(bytes)),
	}
}

/// Candidates of both paras, on a few blocks, some of them in version 3.
pub(crate) fn pool() -> Vec<Sample> {
	let mut pool = Vec::new();
	for (para, at, parent, head) in
		(0..32u8).map(|n| ([A, B][n as usize & 1], 9 + u64::from(n / 2 % 4), n / 8 % 2, 2 + n / 16))
	{
		let sample = sample(para, at, parent, head);
		if head == 3 {
			pool.push(sample.clone().with(|descriptor| {
				*descriptor = descriptor.clone().into_v3(hash(at), 7).unwrap();
			}));
		}
		pool.push(sample);
	}
	pool
}

/// Either validator side.
pub(crate) trait Side: Subsystem<Event = Event, Effect = Effect> {
	/// What is being fetched by this name.
	fn fetching(&self, token: Token) -> Option<&crate::collation::Offer>;
}

impl Side for ValidatorSide {
	fn fetching(&self, token: Token) -> Option<&crate::collation::Offer> {
		self.fetches.get(&token).map(|fetch| &fetch.offer)
	}
}

/// A machine, and how many questions it asked.
pub(crate) struct Arena<M = ValidatorSide> {
	pub(crate) driven: Driven<M, ()>,
	context: Rig,
	pool: Vec<Sample>,
	tokens: u64,
}

impl Arena {
	fn new() -> Self {
		let config = Config { collation_slots: 5, collation_slots_reserved: 0, ..Default::default() };
		let config = Config {
			hold_off_para: B,
			invulnerables: [peer(5)].into(),
			hold_off: FETCH_SHARE_TIMEOUT,
			..config
		};
		Self::with(ValidatorSide::new(config))
	}
}

impl<M: Side> Arena<M> {
	pub(crate) fn with(machine: M) -> Self {
		let context = Rig::new("AAA");
		let driven = Driven::new(machine, (), context.now);
		Self { driven, context, pool: pool(), tokens: 0 }
	}

	fn sample(&self, index: usize) -> Sample {
		self.pool[index % self.pool.len()].clone()
	}

	/// A token that was given, or the next one.
	fn token(&self, n: u64) -> Token {
		Token(1 + n % (self.tokens + 1))
	}

	fn event(&self, step: Step) -> Event {
		let message = |n, message| Event::Network(NetworkEvent::Collation { peer: peer(n), message });
		match step {
			Step::Wait(_) => Event::Leaves(LeavesUpdate::default()),
			Step::Leaves { activated, deactivated } => {
				let activated = activated.map(|(number, queue)| Arc::new(self.context.leaf(number, queue)));
				let deactivated = deactivated.into_iter().map(|number| hash(number.into())).collect();
				Event::Leaves(LeavesUpdate { activated, deactivated })
			},
			Step::Connect(n, version, set) => Event::Network(NetworkEvent::PeerConnected {
				peer: peer(n),
				set,
				version,
				role: ObservedRole::Full,
				authority_ids: BTreeSet::new(),
			}),
			Step::Disconnect(n, set) => Event::Network(NetworkEvent::PeerDisconnected { peer: peer(n), set }),
			Step::View(n, heads) => {
				let view = ViewMessage { heads: heads.into_iter().map(hash).collect(), finalized_number: 0 };
				Event::Network(NetworkEvent::PeerViewChange { peer: peer(n), set: PeerSet::Collation, view })
			},
			Step::Declare { peer, signed_for, version, para } => {
				message(peer, declare(peer % 4, signed_for, version, para))
			},
			Step::Advertise { peer, version, candidate } => {
				let sample = self.sample(candidate);
				let at = sample.receipt.descriptor.scheduling_parent();
				message(
					peer,
					match version {
						CollationVersion::V1 => {
							let advert = AdvertiseCollationV1 { scheduling_parent: at };
							CollationMessage::V1(CollatorMessageV1::AdvertiseCollation(advert))
						},
						CollationVersion::V2 => advert_v2(&sample),
						CollationVersion::V3 => advert_v3(&sample),
						CollationVersion::V4 => segment(&[&sample]),
					},
				)
			},
			Step::Misplaced(n) => {
				let statement = statement(&self.sample(0)).into_unchecked();
				message(n, CollationMessage::V2(CollatorMessageV2::CollationSeconded(hash(10), statement)))
			},
			Step::Response { token, candidate, form } => {
				// Mostly what was asked for, as far as it is known.
				let token = self.token(token);
				let asked = self.driven.machine.fetching(token).and_then(|offer| offer.candidate);
				let is_asked = |sample: &&Sample| match asked.map(|candidate| candidate.identity) {
					Some(Identity::Candidate(hash)) => sample.hash() == hash,
					Some(Identity::OutputHead(head)) => sample.receipt.descriptor.para_head == head,
					None => false,
				};
				let is_v4 =
					asked.is_some_and(|candidate| matches!(candidate.identity, Identity::OutputHead(_)));
				let sample = self.pool.iter().find(is_asked).cloned();
				let sample = sample.filter(|_| form > 0).unwrap_or_else(|| self.sample(candidate));
				let result = match form {
					1 => Err(RequestError::Timeout),
					2 => Err(RequestError::Network),
					3 => Ok(sample.response()[..candidate % 330].to_vec()),
					_ if is_v4 => Ok(response_v4(&sample)),
					4 => Ok(sample.response_with_parent()),
					_ => Ok(sample.response()),
				};
				Event::Response { token, result }
			},
			Step::CanSecond { token, allowed } => Event::CanSecond { token: self.token(token), allowed },
			Step::Data { token, candidate } => Event::ValidationData {
				token: self.token(token),
				data: candidate.map(|candidate| self.sample(candidate).data),
			},
			Step::Seconded(candidate) => {
				let sample = self.sample(candidate);
				let scheduling_parent = sample.receipt.descriptor.scheduling_parent();
				Event::Seconded { scheduling_parent, statement: statement(&sample) }
			},
			Step::Invalid(candidate) => {
				let receipt = self.sample(candidate).receipt.to_plain();
				let scheduling_parent = receipt.descriptor.scheduling_parent();
				Event::Invalid { scheduling_parent, receipt, reason: Reason::InvalidExecution }
			},
			Step::Dropped(candidate) => {
				let sample = self.sample(candidate);
				Event::Dropped {
					scheduling_parent: sample.receipt.descriptor.scheduling_parent(),
					candidate_hash: sample.hash(),
					reason: Reason::ExecutionFailed,
				}
			},
			Step::Segment { peer, candidates } => {
				let mut samples: Vec<_> = candidates.iter().map(|index| self.sample(*index)).collect();
				samples.push(self.sample(candidates.len()));
				message(peer, segment(&samples.iter().collect::<Vec<_>>()))
			},
			Step::Finalized(number) => Event::Finalized { number, hash: hash(number.into()) },
			Step::Included { token, candidates, registered } => Event::Included {
				token: self.token(token),
				candidates: candidates.into_iter().map(|index| self.sample(index).receipt).collect(),
				registered: registered.map(|paras| paras.into_iter().collect()),
			},
			Step::OutputHeads { token, known } => {
				let mut heads = BTreeMap::<Hash, BTreeMap<ParaId, BTreeSet<Hash>>>::new();
				for (at, candidate) in known {
					let descriptor = self.sample(candidate).receipt.descriptor;
					let of_para = heads.entry(hash(at)).or_default().entry(descriptor.para_id);
					of_para.or_default().insert(descriptor.para_head);
				}
				Event::KnownOutputHeads { token: self.token(token), heads }
			},
		}
	}

	pub(crate) fn take(&mut self, step: Step) -> Vec<Effect> {
		let mut effects = match step {
			Step::Wait(ms) => self.driven.advance(ms),
			_ => Vec::new(),
		};
		let event = self.event(step);
		effects.extend(self.driven.send(event));
		for effect in &effects {
			let token = match effect {
				Effect::Network(NetworkEffect::Request { token, .. }) => *token,
				Effect::CanSecond(query) => query.token,
				Effect::ValidationData(query) => query.token,
				Effect::KnownOutputHeads { token, .. } | Effect::QueryIncluded { token, .. } => *token,
				Effect::Second(_) | Effect::Network(_) | Effect::WriteScores(_) | Effect::Notice(_) => {
					continue
				},
			};
			self.tokens = self.tokens.max(token.0);
		}
		effects
	}
}

impl Arena {
	/// What [`ValidatorSide`] states, besides the bounds: those are checked after each event.
	fn check(&self) {
		let machine = &self.driven.machine;
		let in_view = machine.view.blocks();
		assert!(machine.blocks.keys().eq(in_view.keys()));
		for peer in machine.peers.values() {
			if let crate::validator_side::peers::PeerState::Collating(collating) = &peer.state {
				assert!(collating.advertised.keys().all(|at| in_view.contains_key(at)));
			}
		}
		for (at, block) in &machine.blocks {
			let unshared = machine
				.fetches
				.iter()
				.filter(|(_, fetch)| fetch.offer.scheduling_parent == *at && !fetch.is_shared);
			let unshared: Vec<_> = unshared.map(|(token, _)| *token).collect();
			let holder = block.holder.map(|holder| holder.fetch);
			assert!(unshared.iter().all(|token| holder == Some(*token)), "one fetch at a time");
		}
		let is_here = |offer: &Offer| in_view.contains_key(&offer.scheduling_parent);
		assert!(machine.fetches.values().all(|fetch| is_here(&fetch.offer)));
		assert!(machine.seconding.awaiting_data.values().all(|fetched| is_here(&fetched.offer)));
		assert!(machine.seconding.parked.values().flatten().all(|fetched| is_here(&fetched.offer)));
		assert!(machine.seconding.validating.values().all(|validating| is_here(&validating.offer)));
		let activity = machine.timers.iter().filter(|(_, timer)| matches!(timer, Timer::Activity(_)));
		assert_eq!(activity.count(), machine.peers.len());
	}
}

fn check(steps: Vec<Step>) {
	let mut arena = Arena::new();
	for number in 10..12 {
		arena.take(Step::Leaves { activated: Some((number, "ABA")), deactivated: vec![number - 1] });
	}
	for step in steps {
		arena.take(step);
		arena.check();
	}
	// Nothing is left when everything that it was about is gone.
	arena.take(Step::Leaves { activated: None, deactivated: (7..15).collect() });
	(0..6).for_each(|n| drop(arena.take(Step::Disconnect(n, PeerSet::Collation))));
	arena.check();
	let machine = &arena.driven.machine;
	assert!(machine.blocks.is_empty() && machine.peers.is_empty() && machine.collators.is_empty());
	assert!(machine.fetches.is_empty() && machine.questions.is_empty() && machine.timers.is_empty());
	assert!(machine.seconding.offers().next().is_none());
}

headway_machine::arbitrary_events! {
	#[test]
	fn nothing_panics_and_bounds_hold_whatever_happens(steps: step, bytes: 1..450) {
		check(steps);
	}
}

#[test]
fn fetches_that_fail_at_once_leave_no_timers() {
	let mut rig = Rig::new("AAA");
	for n in 0..20 {
		let sample = sample(A, 10, 0, n);
		rig.collator(n, CollationVersion::V2, A);
		let (token, ..) = request(&rig.advertise(n, &sample));
		rig.send(Event::Response { token, result: Err(RequestError::NotConnected) });
		rig.network(NetworkEvent::PeerDisconnected { peer: peer(n), set: PeerSet::Collation });
	}
	assert!(rig.machine.timers.is_empty());
}
