//! Validator side: accepts advertisements of collators and fetches what may be backed (backing pipeline
//! §5.4).
//!
//! The way of a collation: a collator declares itself (`peers`), advertises (`advertisement`), the claim
//! queue has room (`claims`) and backing could second it, it waits for its turn and is fetched (`fetching`),
//! its validation data is found and it is compared with what was advertised (`seconding`), and backing says
//! what became of it.
//!
//! # Beyond the reference
//!
//! An advertisement that finds no room, that backing could not second now, or that another peer made before
//! is not lost: it is set aside and looked at again when a leaf comes, when something is seconded, or when
//! room is made. A failed fetch is followed by the next at once.
//!
//! A collation whose parent nobody knows keeps its position, as the parent may come, but only one of each peer
//! does, and only until somebody who holds fewer positions wants it: else one peer with collations on invented
//! parents could keep the whole claim queue from its para. What had to yield is fetched again once its parent
//! is seconded. A fetch that times out costs a little; in the reference it is free.
//!
//! # What is not here
//!
//! Version 4 of the protocol, segments and the reputation of collators (§5.5): those are
//! [`experimental`](crate::experimental). A validator with this side offers version 3, so that no collator
//! negotiates more; a segment that comes all the same costs reputation.

mod advertisement;
mod claims;
mod fetching;
mod peers;
mod seconding;
mod sizes;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
pub(crate) mod tests;

#[cfg(feature = "fuzzing")]
pub use tests::arbitrary::check_arbitrary;

use crate::{collation::Offer, experimental::Notice, incoming::Incoming, seconding::Seconding, NAME};
use advertisement::Change;
use claims::Path;
use fetching::Fetch;
use headway_machine::{
	wire::CollationMessage, CanSecondQuery, Effects, LeavesUpdate, NetworkEffect, NetworkEvent, PeerId,
	PeerSet, Reason, Reputation, RequestError, SecondRequest, Sizes, Stage, Subsystem, Timestamp, Token,
	Tokens, Trace, ValidationDataQuery, View, WriteOp,
};
use headway_primitives::{
	BlockNumber, CandidateHash, CandidateReceiptV2, CollatorId, CommittedCandidateReceiptV2, CoreIndex, Hash,
	ParaId, PersistedValidationData, SignedFullStatement, RELAY_CHAIN_SLOT_DURATION_MILLIS,
};
use peers::Peer;
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	time::Duration,
};

/// How long a fetch keeps the next one at the same scheduling parent waiting.
pub const FETCH_SHARE_TIMEOUT: Duration = Duration::from_millis(400);
/// How long a peer may be connected before it declares itself.
pub const UNDECLARED_PEER_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a collator may be silent.
pub const INACTIVE_COLLATOR_TIMEOUT: Duration = Duration::from_secs(24);
/// Most advertisements that are set aside per scheduling parent.
pub const SET_ASIDE_PER_BLOCK_MAX: usize = 64;

/// What an operator or a chain decides about the validator side.
#[derive(Clone, Debug)]
pub struct Config {
	/// Duration of a relay chain slot.
	pub slot_duration: Duration,
	/// Collators that are always admitted, and first at [`Self::hold_off_para`].
	pub invulnerables: BTreeSet<PeerId>,
	/// Peers that the collation set admits.
	pub collation_slots: usize,
	/// How many of these are kept free.
	pub collation_slots_reserved: usize,
	/// Para whose collators wait, unless they are invulnerable.
	pub hold_off_para: ParaId,
	/// How long they wait, once per scheduling parent.
	pub hold_off: Duration,
}

impl Default for Config {
	fn default() -> Self {
		Self {
			slot_duration: Duration::from_millis(RELAY_CHAIN_SLOT_DURATION_MILLIS),
			invulnerables: BTreeSet::new(),
			collation_slots: 310,
			collation_slots_reserved: 10,
			hold_off_para: ParaId(1000),
			hold_off: Duration::from_millis(300),
		}
	}
}

/// What can happen to the validator side.
#[derive(Clone, Debug)]
pub enum Event {
	/// The active leaves changed.
	Leaves(LeavesUpdate),
	/// Something on the collation set.
	Network(NetworkEvent),
	/// Answer to a request of ours.
	Response {
		/// The request's token.
		token: Token,
		/// The encoded response.
		result: Result<Vec<u8>, RequestError>,
	},
	/// Answer to [`Effect::CanSecond`].
	CanSecond {
		/// The question's token.
		token: Token,
		/// Whether backing could second the candidate.
		allowed: bool,
	},
	/// Answer to [`Effect::ValidationData`].
	ValidationData {
		/// The question's token.
		token: Token,
		/// The validation data; none if the parent head is not known.
		data: Option<PersistedValidationData>,
	},
	/// Backing seconded a collation.
	Seconded {
		/// Its scheduling parent.
		scheduling_parent: Hash,
		/// The statement.
		statement: SignedFullStatement,
	},
	/// Backing found a collation invalid.
	Invalid {
		/// Its scheduling parent.
		scheduling_parent: Hash,
		/// The collation's receipt.
		receipt: CandidateReceiptV2,
		/// What is wrong with it.
		reason: Reason,
	},
	/// Backing does not second a collation, through no fault of its collator.
	Dropped {
		/// Its scheduling parent.
		scheduling_parent: Hash,
		/// The candidate.
		candidate_hash: CandidateHash,
		/// Why.
		reason: Reason,
	},
	/// What a former life of the node stored of collators' scores; before any other event. Like all that
	/// follow, only the [`experimental`](crate::experimental) side cares.
	RestoreScores {
		/// Keys and values, as [`Effect::WriteScores`] wrote them.
		entries: Vec<(Vec<u8>, Vec<u8>)>,
	},
	/// A block was finalized.
	Finalized {
		/// Its number.
		number: BlockNumber,
		/// Its hash.
		hash: Hash,
	},
	/// Answer to [`Effect::QueryIncluded`].
	Included {
		/// The question's token.
		token: Token,
		/// Candidates that these blocks include, as far as the chain still knows them whole.
		candidates: Vec<CommittedCandidateReceiptV2>,
		/// All paras of the newest of the blocks; none if they could not be read.
		registered: Option<BTreeSet<ParaId>>,
	},
	/// Answer to [`Effect::KnownOutputHeads`].
	KnownOutputHeads {
		/// The question's token.
		token: Token,
		/// By scheduling parent and para: heads that candidates produce, and the included head.
		heads: BTreeMap<Hash, BTreeMap<ParaId, BTreeSet<Hash>>>,
	},
}

/// What the validator side asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
	/// To the network.
	Network(NetworkEffect),
	/// To backing: could this candidate be seconded?
	CanSecond(CanSecondQuery),
	/// To prospective parachains: what is this candidate validated with?
	ValidationData(ValidationDataQuery),
	/// To backing: validate and second.
	Second(SecondRequest),
	/// To prospective parachains: which heads are known? This and all that follow are asked only by the
	/// [`experimental`](crate::experimental) side.
	KnownOutputHeads {
		/// Names the question.
		token: Token,
		/// Of these paras.
		paras: Vec<ParaId>,
	},
	/// What did a finalized block and its ancestors include?
	QueryIncluded {
		/// Names the question.
		token: Token,
		/// The newest of the blocks.
		hash: Hash,
		/// How many blocks: this one, its parent, and so on.
		count: u32,
	},
	/// Store scores of collators: all of this or nothing, in the order of the effects. Not answered.
	WriteScores(Vec<WriteOp>),
	/// Something to be counted or logged.
	Notice(Notice),
}

/// Collators of [`Config::hold_off_para`] at a scheduling parent.
#[derive(Debug, Default)]
enum HoldOff {
	#[default]
	NotStarted,
	Running(Vec<Offer>),
	Over,
}

/// A relay block in view.
#[derive(Debug)]
struct SchedulingParent {
	/// The core that our group is responsible for.
	core: Option<CoreIndex>,
	/// Accepted advertisements, by para in order of arrival.
	waiting: BTreeMap<ParaId, VecDeque<Offer>>,
	seconded: BTreeMap<ParaId, BTreeSet<CandidateHash>>,
	set_aside: VecDeque<(Offer, Reason)>,
	hold_off: HoldOff,
	/// The fetch that keeps others waiting: until it is known what becomes of the collation, or until its time
	/// is over.
	holder: Option<Holder>,
}

/// A fetch that keeps others waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Holder {
	fetch: Token,
	/// When its timer is due.
	until: Timestamp,
}

impl SchedulingParent {
	/// A fetch does not keep others waiting any more. Its timer goes with it: otherwise fetches that fail at once could
	/// leave any number of timers.
	fn release(&mut self, at: &Hash, fetch: Token, timers: &mut Timers) {
		if let Some(Holder { until, .. }) = self.holder.take_if(|holder| holder.fetch == fetch) {
			timers.remove(&(until, Timer::Share(*at, fetch)));
		}
	}
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
	/// A fetch at a block does not keep others waiting any more.
	Share(Hash, Token),
	/// Look whether a peer has to go.
	Activity(PeerId),
	/// Held advertisements go on.
	HoldOff(Hash),
}

impl Timer {
	fn is_of_block(&self, hash: &Hash) -> bool {
		match self {
			Self::Share(at, _) | Self::HoldOff(at) => at == hash,
			Self::Activity(_) => false,
		}
	}
}

/// Timers by when they are due.
type Timers = BTreeSet<(Timestamp, Timer)>;

/// The validator side of the collator protocol.
///
/// # Bounds
///
/// - `blocks`: the view. Per block: `waiting`, `seconded` and what is in flight together hold no more than
///   the claim queue has positions; `set_aside` holds [`SET_ASIDE_PER_BLOCK_MAX`]; what is held off, one
///   entry per recorded advertisement.
/// - `peers`, `collators`: [`Config::collation_slots`], and the invulnerables; beyond, peers are disconnected. Per peer and block in
///   view `lookahead + 1` advertisements are recorded, more cost reputation.
/// - `fetches`, `seconding`: collations that hold a position of the claim queue, each up to the largest
///   response (16 MiB). To hold one, a collator has to deliver a collation that backing could second.
/// - `questions`: advertisements whose answer from backing is outstanding; bounded as recorded
///   advertisements.
/// - `timers`: one per peer, one per block that holds collators off, and one per block at which a fetch keeps others
///   waiting.
#[derive(Debug, Default)]
pub struct ValidatorSide {
	config: Config,
	view: View,
	tokens: Tokens,
	blocks: BTreeMap<Hash, SchedulingParent>,
	/// Paras that a leaf has queued on a core that we hold at some block under it.
	assigned: BTreeSet<ParaId>,
	peers: BTreeMap<PeerId, Peer>,
	collators: BTreeMap<CollatorId, PeerId>,
	questions: BTreeMap<Token, Offer>,
	fetches: BTreeMap<Token, Fetch>,
	seconding: Seconding,
	timers: Timers,
}

impl ValidatorSide {
	/// Without leaves and peers.
	pub fn new(config: Config) -> Self {
		Self { config, ..Default::default() }
	}

	fn leaves(&mut self, now: Timestamp, update: LeavesUpdate, effects: &mut Effects<Effect>) {
		for hash in self.view.update(&update) {
			self.forget_block(now, &hash, effects);
		}
		for (hash, block) in self.view.blocks() {
			self.blocks.entry(hash).or_insert_with(|| SchedulingParent {
				core: block.local_assignment().map(|(_, core)| core),
				waiting: BTreeMap::new(),
				seconded: BTreeMap::new(),
				set_aside: VecDeque::new(),
				hold_off: HoldOff::default(),
				holder: None,
			});
		}
		// What an older block had queued can only be backed if the leaf has it queued still.
		let (view, blocks) = (&self.view, &self.blocks);
		let queues = view.leaves().flat_map(move |leaf| {
			let cores = leaf.allowed_blocks().filter_map(move |block| blocks.get(&block.hash)?.core);
			cores.filter_map(move |core| leaf.block.claim_queue.get(&core))
		});
		self.assigned = queues.flatten().copied().collect();
		self.disconnect_unassigned(now, effects);
		self.withdraw_unreachable(now, effects);
		if update.activated.is_some() {
			self.retry_parked(now, effects);
			self.reconsider(now, Change::Chain, effects);
		}
		self.fetch_next_everywhere(now, effects);
	}

	/// Drops everything that a block scheduled, once it left the view.
	fn forget_block(&mut self, now: Timestamp, hash: &Hash, effects: &mut Effects<Effect>) {
		let Some(gone) = self.blocks.remove(hash) else { return };
		self.timers.retain(|(_, timer)| !timer.is_of_block(hash));
		for (offer, reason) in gone.set_aside {
			effects.trace(offer.trace(now, Stage::Dropped(reason)));
		}
		let held = match gone.hold_off {
			HoldOff::Running(held) => held,
			_ => Vec::new(),
		};
		let waiting = gone.waiting.into_values().flatten().chain(held);
		let left = self.view.left(hash);
		let too_late =
			|trace: Trace| Trace { stage: Stage::Dropped(Reason::OutOfView), ..trace }.evidence(left);
		waiting.for_each(|offer| effects.trace(too_late(offer.trace(now, Stage::Advertised))));
		let is_here = |offer: &Offer| offer.scheduling_parent == *hash;
		let late = self.fetches.extract_if(.., |_, fetch| is_here(&fetch.offer));
		late.for_each(|(_, fetch)| effects.trace(too_late(fetch.offer.trace(now, Stage::Advertised))));
		let late = self.questions.extract_if(.., |_, offer| is_here(offer));
		late.for_each(|(_, offer)| effects.trace(too_late(offer.trace(now, Stage::Advertised))));
		self.seconding.forget_block(now, hash, left, effects);
		for peer in self.peers.values_mut() {
			peer.forget_block(hash);
		}
	}

	/// The paths over a block, for the core that we hold at the block.
	fn paths(&self, at: &Hash) -> Vec<Path> {
		let Some(core) = self.blocks.get(at).and_then(|at| at.core) else { return Vec::new() };
		self.view
			.leaves_with(at)
			.map(|leaf| Path {
				lookahead: leaf.scheduling_lookahead as usize,
				queue: leaf.block.claim_queue.get(&core).into_iter().flatten().copied().collect(),
				blocks: leaf.allowed_blocks().rev().map(|block| block.hash).collect(),
			})
			.collect()
	}

	/// Collations of a para that are seconded at a block or on their way to it. Claims of blocks at which we
	/// hold another core are on that core's queue, so they do not count.
	fn claims(&self, at: &Hash, core: CoreIndex, para: ParaId) -> usize {
		let Some(block) = self.blocks.get(at).filter(|block| block.core == Some(core)) else { return 0 };
		let is_here = |offer: &&Offer| offer.scheduling_parent == *at && offer.para == para;
		let in_flight = self.fetches.values().map(|fetch| &fetch.offer).chain(self.seconding.offers());
		block.seconded.get(&para).map_or(0, BTreeSet::len) + in_flight.filter(is_here).count()
	}

	fn waiting(&self, at: &Hash, core: CoreIndex, para: ParaId) -> usize {
		let block = self.blocks.get(at).filter(|block| block.core == Some(core));
		block.and_then(|block| block.waiting.get(&para)).map_or(0, VecDeque::len)
	}

	fn report(&self, peer: &PeerId, change: Reputation, effects: &mut Effects<Effect>) {
		effects.push(Effect::Network(NetworkEffect::Report { peer: peer.clone(), change }));
	}

	fn network(&mut self, now: Timestamp, event: NetworkEvent, effects: &mut Effects<Effect>) {
		match event {
			NetworkEvent::PeerConnected { peer, set: PeerSet::Collation, version, .. } => {
				self.peer_connected(now, peer, version, effects)
			},
			NetworkEvent::PeerDisconnected { peer, set: PeerSet::Collation } => {
				self.forget_peer(now, &peer, effects)
			},
			NetworkEvent::PeerViewChange { peer, set: PeerSet::Collation, view } => {
				if let Some(known) = self.peers.get_mut(&peer) {
					known.heads = view.heads;
				}
			},
			NetworkEvent::Collation { peer, message } => self.message(now, peer, message, effects),
			NetworkEvent::PeerConnected { .. }
			| NetworkEvent::PeerDisconnected { .. }
			| NetworkEvent::PeerViewChange { .. }
			| NetworkEvent::UpdatedAuthorityIds { .. }
			| NetworkEvent::NewTopology { .. }
			| NetworkEvent::Validation { .. } => {},
		}
	}

	fn message(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		message: CollationMessage,
		effects: &mut Effects<Effect>,
	) {
		match Incoming::from(message) {
			Incoming::Declaration(declaration, para) => self.declare(now, peer, declaration, para, effects),
			Incoming::Advertisement(advert) => self.advertise(now, peer, advert, effects),
			Incoming::Misplaced => {
				effects.trace(Trace::new(now, NAME, Stage::Dropped(Reason::UnexpectedMessage)));
				self.report(&peer, Reputation::CostMinor("message that only validators send"), effects);
			},
			Incoming::Segment(segment) => {
				let trace = Trace::new(now, NAME, Stage::Dropped(Reason::UnexpectedMessage));
				effects.trace(trace.para(segment.para_id).scheduling_parent(segment.scheduling_parent));
				self.report(
					&peer,
					Reputation::CostMinor("segment in a version that was not offered"),
					effects,
				);
			},
		}
	}

	fn timer(&mut self, now: Timestamp, timer: Timer, effects: &mut Effects<Effect>) {
		match timer {
			Timer::Share(at, token) => self.share_expired(now, &at, token, effects),
			Timer::Activity(peer) => self.check_activity(now, peer, effects),
			Timer::HoldOff(block) => self.hold_off_expired(now, &block, effects),
		}
	}

	fn run_timers(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		while self.timers.first().is_some_and(|(due, _)| *due <= now) {
			if let Some((_, timer)) = self.timers.pop_first() {
				self.timer(now, timer, effects);
			}
		}
	}
}

impl Subsystem for ValidatorSide {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		self.run_timers(now, effects);
		match event {
			Event::Leaves(update) => self.leaves(now, update, effects),
			Event::Network(event) => self.network(now, event, effects),
			Event::Response { token, result } => self.response(now, token, result, effects),
			Event::CanSecond { token, allowed } => self.can_second(now, token, allowed, effects),
			Event::ValidationData { token, data } => self.validation_data(now, token, data, effects),
			Event::Seconded { scheduling_parent, statement } => {
				self.seconded(now, scheduling_parent, statement, effects)
			},
			Event::Invalid { scheduling_parent, receipt, reason: _ } => {
				self.invalid(now, scheduling_parent, receipt, effects)
			},
			Event::Dropped { scheduling_parent, candidate_hash, reason: _ } => {
				self.dropped(now, scheduling_parent, candidate_hash, effects)
			},
			// This side keeps no scores and knows no segments.
			Event::RestoreScores { .. }
			| Event::Finalized { .. }
			| Event::Included { .. }
			| Event::KnownOutputHeads { .. } => {},
		}
	}

	fn tick(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		self.run_timers(now, effects);
	}

	fn next_deadline(&self) -> Option<Timestamp> {
		self.timers.first().map(|(due, _)| *due)
	}

	fn sizes(&self) -> Sizes {
		self.measure()
	}
}
