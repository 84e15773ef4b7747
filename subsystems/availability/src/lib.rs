//! Availability: keeps the data of candidates until they are beyond dispute, spreads it in chunks, and tells
//! the relay chain which chunks are here.
//!
//! A backer hands in a candidate's data ([`Event::StoreData`]); it is encoded, compared with the erasure root
//! in the descriptor, and kept. All other validators fetch their chunk from the backers as soon as the
//! candidate occupies a core. One and a half seconds after each leaf a validator signs which chunks it holds,
//! and gossips that. What is kept is kept until it was not included for an hour, or until a time after
//! finality. Availability, approval and disputes §3.4 to 3.6.
//!
//! This crate never encodes (that is slow: [`Effect::Encode`], for which drivers call [`encode`]), never
//! touches a disk ([`Effect::Load`], [`Effect::Write`]), and recovers no data: that is for approval checkers.
//!
//! In which order to call it: first [`Event::Restore`] with all that is in [`Column::Meta`], if there was a
//! life before. Then the other events as they come.
//!
//! # Map
//!
//! - this module: [`Availability`], which joins the parts, its events and effects
//! - [`keys`]: what is stored under which key
//! - `store`: which chunks and data we have, and until when
//! - `serving`: answers to those who want chunks, data or a proof of validity
//! - `fetching`: gets our own chunks, and proofs of validity for backing
//! - `signing`: our own bitfields
//! - `gossip`: everybody's bitfields

#![forbid(unsafe_code)]

mod encoding;
mod fetching;
mod gossip;
pub mod keys;
mod serving;
mod signing;
mod store;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod tests;

pub use encoding::{encode, Encoding};
pub use headway_erasure_coding::Error as EncodeError;
pub use headway_machine::{Column, StorageKey, WriteOp};
pub use keys::{CandidateMeta, State};
#[cfg(feature = "fuzzing")]
pub use tests::arbitrary::check_arbitrary;

use fetching::Fetching;
use gossip::Gossip;
use headway_machine::{
	wire::InboundRequest, Effects, LeafContext, LeavesUpdate, NetworkEffect, NetworkEvent, RequestError,
	Signer, Sizes, StoreDataError, StoreDataRequest, Subsystem, Timestamp, Token, Tokens, Verifier,
};
use headway_primitives::{
	AuthorityDiscoveryId, AvailabilityBitfield, AvailableData, BlockNumber, CandidateHash, Hash, ParaId, PoV,
	Signed,
};
use serving::Serving;
use signing::{SignedAt, Signing};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use store::Store;

const NAME: &str = "availability";

/// What an operator or a chain decides about availability.
#[derive(Clone, Debug)]
pub struct Config {
	/// How long data is kept after its candidate's block is finalized: 25 hours on live networks.
	pub keep_finalized: Duration,
	/// What the choice of random gossip peers is drawn from: random for each node.
	pub seed: [u8; 32],
}

impl Default for Config {
	/// For local networks.
	fn default() -> Self {
		Self { keep_finalized: Duration::from_secs(3_600), seed: [0; 32] }
	}
}

/// What can happen to availability.
#[derive(Clone, Debug)]
pub enum Event {
	/// All entries of [`Column::Meta`], as a former life left them. Before any other event.
	Restore {
		/// Keys and values.
		entries: Vec<(Vec<u8>, Vec<u8>)>,
	},
	/// The active leaves changed.
	Leaves(LeavesUpdate),
	/// Something on the validation set.
	Network(NetworkEvent),
	/// A peer wants something: protocols `req_chunk`, `req_pov` and `req_available_data`.
	Request(InboundRequest),
	/// Answer to a request of ours.
	Response {
		/// The request's token.
		token: Token,
		/// The encoded response.
		result: Result<Vec<u8>, RequestError>,
	},
	/// From backing: check and keep a candidate's data. Answered by [`Effect::DataStored`].
	StoreData {
		/// Names the question.
		token: Token,
		/// The data.
		request: StoreDataRequest,
	},
	/// From backing: get a proof of validity. Answered by [`Effect::PoVFetched`].
	FetchPoV {
		/// Names the question.
		token: Token,
		/// The validator that has it.
		from: AuthorityDiscoveryId,
		/// The candidate.
		candidate_hash: CandidateHash,
		/// What the proof's hash must be.
		pov_hash: Hash,
		/// Scheduling parent of the candidate.
		scheduling_parent: Hash,
		/// Para of the candidate.
		para: ParaId,
	},
	/// Answer to [`Effect::Encode`].
	Encoded {
		/// The question's token.
		token: Token,
		/// Chunks and root.
		result: Result<Encoding, EncodeError>,
	},
	/// Answer to [`Effect::Load`].
	Loaded {
		/// The question's token.
		token: Token,
		/// What is stored; none if nothing is, or if the storage failed.
		value: Option<Vec<u8>>,
	},
	/// Answer to [`Effect::Write`].
	Written {
		/// The question's token.
		token: Token,
		/// Whether all of it is durable; if not, none of it is.
		ok: bool,
	},
	/// A block is finalized, and all its ancestors with it.
	Finalized {
		/// Its number.
		number: BlockNumber,
		/// Its hash.
		hash: Hash,
	},
}

/// What availability asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
	/// To the network.
	Network(NetworkEffect),
	/// To backing: answer to [`Event::StoreData`]. When it is good, the data survives a crash.
	DataStored {
		/// The question's token.
		token: Token,
		/// Whether the data fits its erasure root and is stored.
		result: Result<(), StoreDataError>,
	},
	/// To backing: answer to [`Event::FetchPoV`].
	PoVFetched {
		/// The question's token.
		token: Token,
		/// The proof of validity; its hash is the expected one.
		pov: Option<Arc<PoV>>,
	},
	/// To the provisioner: a bitfield of a validator, ours among them.
	Bitfield {
		/// The leaf that it is about.
		relay_parent: Hash,
		/// The bitfield.
		bitfield: Signed<AvailabilityBitfield>,
	},
	/// To the driver: call [`encode`].
	Encode {
		/// Names the question.
		token: Token,
		/// Number of chunks.
		n_validators: usize,
		/// What is encoded.
		data: Arc<AvailableData>,
	},
	/// To the driver: read one value.
	Load {
		/// Names the question.
		token: Token,
		/// Where.
		key: StorageKey,
	},
	/// To the driver: write all of this or nothing, in the order of the effects.
	Write {
		/// Names the question.
		token: Token,
		/// What.
		batch: Vec<WriteOp>,
	},
}

/// The availability machine.
///
/// # Bounds
///
/// - `leaves`: our own active leaves. On disk, one bitfield for each.
/// - The parts each say what bounds them: chunks and data by what is backed on chain, gossip by leaves,
///   validators and connections, requests by a fixed number.
pub struct Availability {
	tokens: Tokens,
	leaves: BTreeMap<Hash, Arc<LeafContext>>,
	store: Store,
	serving: Serving,
	fetching: Fetching,
	signing: Signing,
	gossip: Gossip,
}

impl Availability {
	/// With nothing stored, no leaves and no peers.
	pub fn new(config: Config, signer: Arc<dyn Signer>, verifier: Arc<dyn Verifier>) -> Self {
		Self {
			tokens: Tokens::default(),
			leaves: BTreeMap::new(),
			store: Store::new(config.keep_finalized),
			serving: Serving::default(),
			fetching: Fetching::default(),
			signing: Signing::new(signer),
			gossip: Gossip::new(verifier, config.seed),
		}
	}

	fn leaves(&mut self, now: Timestamp, update: LeavesUpdate, effects: &mut Effects<Effect>) {
		if let Some(leaf) = update.activated.filter(|leaf| !update.deactivated.contains(&leaf.hash())) {
			self.store.leaf(now, &leaf, &mut self.tokens, effects);
			self.signing.leaf(now, &leaf);
			self.gossip.leaf(&leaf);
			self.leaves.insert(leaf.hash(), leaf);
		}
		for hash in &update.deactivated {
			self.leaves.remove(hash);
			self.gossip.deactivated(hash);
		}
		self.signing.forget_others(&self.leaves, &mut self.tokens, effects);
		self.fetching.leaves(now, &self.leaves, &self.store, &mut self.tokens, effects);
	}

	fn run_timers(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		self.store.prune_if_due(now, &mut self.tokens, effects);
		for signed in self.signing.sign_due(now, &self.store, &mut self.tokens, effects) {
			self.spread(signed, effects);
		}
	}

	/// Tells everybody what we signed.
	fn spread(&mut self, signed: SignedAt, effects: &mut Effects<Effect>) {
		let SignedAt { relay_parent, bitfield } = signed;
		self.gossip.local_bitfield(relay_parent, bitfield.clone(), effects);
		effects.push(Effect::Bitfield { relay_parent, bitfield });
	}

	fn restore(&mut self, now: Timestamp, entries: Vec<(Vec<u8>, Vec<u8>)>, effects: &mut Effects<Effect>) {
		let (bitfields, others): (Vec<_>, _) =
			entries.into_iter().partition(|(key, _)| keys::bitfield_leaf(key).is_some());
		self.signing.restore(now, bitfields, effects);
		self.store.restore(now, others, &mut self.tokens, effects);
	}
}

impl Subsystem for Availability {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		self.run_timers(now, effects);
		match event {
			Event::Restore { entries } => self.restore(now, entries, effects),
			Event::Leaves(update) => self.leaves(now, update, effects),
			Event::Network(event) => self.gossip.network(now, event, effects),
			Event::Request(request) => {
				self.serving.request(now, request, &self.store, &mut self.tokens, effects)
			},
			Event::Response { token, result } => {
				self.fetching.response(now, token, result, &mut self.store, &mut self.tokens, effects)
			},
			Event::StoreData { token, request } => {
				self.store.store_data(token, request, &mut self.tokens, effects)
			},
			Event::FetchPoV { token, from, candidate_hash, pov_hash, scheduling_parent, para } => {
				let wanted = fetching::WantedPov {
					question: token,
					candidate_hash,
					pov_hash,
					scheduling_parent,
					para,
				};
				self.fetching.fetch_pov(from, wanted, &mut self.tokens, effects)
			},
			Event::Encoded { token, result } => {
				self.store.encoded(now, token, result, &mut self.tokens, effects)
			},
			Event::Loaded { token, value } => self.serving.loaded(now, token, value, effects),
			Event::Written { token, ok } => match self.signing.written(now, &token, ok, effects) {
				Some(signed) => self.spread(signed, effects),
				None => self.store.written(now, token, ok, &mut self.tokens, effects),
			},
			Event::Finalized { number, hash } => {
				self.store.finalized(now, number, hash, &mut self.tokens, effects)
			},
		}
	}

	fn tick(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		self.run_timers(now, effects);
	}

	fn next_deadline(&self) -> Option<Timestamp> {
		self.store.next_deadline().into_iter().chain(self.signing.next_deadline()).min()
	}

	fn sizes(&self) -> Sizes {
		let mut sizes = Sizes::of(NAME);
		self.store.sizes(&mut sizes);
		self.serving.sizes(&mut sizes);
		self.fetching.sizes(&self.leaves, &mut sizes);
		self.signing.sizes(self.leaves.len(), &mut sizes);
		self.gossip.sizes(&mut sizes);
		sizes
	}
}
