//! Whatever happens, in whatever order: nothing panics, and what is stated about bounds holds.

use super::*;
use crate::collation::Identity;
use proptest::{collection::vec, prelude::*, sample::select};

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

pub(crate) fn step() -> impl Strategy<Value = Step> {
	let peer = || 0..6u8;
	let version = || select(VERSIONS.to_vec());
	let set = || prop_oneof![5 => Just(PeerSet::Collation), 1 => Just(PeerSet::Validation)];
	let (token, candidate) = (any::<u64>(), any::<usize>());
	let leaf = proptest::option::weighted(0.8, (8..14u32, select(QUEUES.to_vec())));
	prop_oneof![
		2 => (0..700u64).prop_map(Step::Wait),
		2 => (leaf, vec(8..14u32, 0..3))
			.prop_map(|(activated, deactivated)| Step::Leaves { activated, deactivated }),
		3 => (peer(), version(), set()).prop_map(|(n, version, set)| Step::Connect(n, version, set)),
		1 => (peer(), set()).prop_map(|(n, set)| Step::Disconnect(n, set)),
		2 => (peer(), vec(7..15u64, 0..5)).prop_map(|(n, heads)| Step::View(n, heads)),
		3 => (peer(), 0..10u8, version(), select(vec![A, B])).prop_map(|(peer, other, version, para)| {
			Step::Declare { peer, signed_for: if other == 0 { 99 } else { peer }, version, para }
		}),
		8 => (peer(), version(), candidate)
			.prop_map(|(peer, version, candidate)| Step::Advertise { peer, version, candidate }),
		1 => peer().prop_map(Step::Misplaced),
		5 => (token, candidate, 0..8u8)
			.prop_map(|(token, candidate, form)| Step::Response { token, candidate, form }),
		5 => (token, proptest::bool::weighted(0.8))
			.prop_map(|(token, allowed)| Step::CanSecond { token, allowed }),
		4 => (token, proptest::option::of(candidate))
			.prop_map(|(token, candidate)| Step::Data { token, candidate }),
		2 => candidate.prop_map(Step::Seconded),
		1 => candidate.prop_map(Step::Invalid),
		1 => candidate.clone().prop_map(Step::Dropped),
		3 => (peer(), vec(candidate.clone(), 0..4))
			.prop_map(|(peer, candidates)| Step::Segment { peer, candidates }),
		1 => (0..60u32).prop_map(Step::Finalized),
		1 => (token, vec(candidate.clone(), 0..4), proptest::option::of(vec(select(vec![A, B]), 0..2)))
			.prop_map(|(token, candidates, registered)| Step::Included { token, candidates, registered }),
		3 => (token, vec((8..14u64, candidate), 0..4))
			.prop_map(|(token, known)| Step::OutputHeads { token, known }),
	]
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
	/// The bounds that [`ValidatorSide`] states.
	fn check(&self) {
		let machine = &self.driven.machine;
		let in_view = machine.view.blocks();
		assert!(machine.blocks.keys().eq(in_view.keys()));
		let lookahead = 3;
		let mut recorded = 0;
		for peer in machine.peers.values() {
			if let crate::validator_side::peers::PeerState::Collating(collating) = &peer.state {
				assert!(collating.advertised.keys().all(|at| in_view.contains_key(at)));
				assert!(collating.advertised.values().all(|adverts| adverts.len() <= lookahead + 1));
				recorded += collating.advertised.values().map(BTreeSet::len).sum::<usize>();
			}
		}
		let config = &machine.config;
		assert!(machine.peers.len() <= config.collation_slots + config.invulnerables.len());
		assert!(machine.collators.len() <= machine.peers.len());
		assert!(machine.questions.len() <= recorded);
		for (at, block) in &machine.blocks {
			assert!(block.set_aside.len() <= SET_ASIDE_PER_BLOCK_MAX);
			let unshared = machine
				.fetches
				.iter()
				.filter(|(_, fetch)| fetch.offer.scheduling_parent == *at && !fetch.is_shared);
			let unshared: Vec<_> = unshared.map(|(token, _)| *token).collect();
			assert!(unshared.iter().all(|token| block.holder == Some(*token)), "one fetch at a time");
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

proptest! {
	#![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

	#[test]
	fn nothing_panics_and_bounds_hold_whatever_happens(steps in vec(step(), 1..80)) {
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
		prop_assert!(machine.blocks.is_empty() && machine.peers.is_empty() && machine.collators.is_empty());
		prop_assert!(machine.fetches.is_empty() && machine.questions.is_empty() && machine.seconding.parked.is_empty());
		prop_assert!(machine.seconding.awaiting_data.is_empty() && machine.seconding.validating.is_empty());
	}
}
