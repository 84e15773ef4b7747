//! Statement distribution: brings votes about candidates to those who need them.
//!
//! Within a backing group (the *cluster*) statements go to every member. A backed candidate goes to all other validators
//! through the *grid*: whoever has it announces it by a manifest to its row and column; whoever wants it fetches it with
//! its statements and acknowledges; from then on both tell each other new statements directly. Statements on the way carry
//! only the candidate's hash; the candidate itself is fetched once from one of those who announced it.
//!
//! It never decides whether a candidate is good: backing does, which gets every statement of a candidate that prospective
//! parachains would accept. It never signs, never stores to disk, and never trusts a peer further than a signature or its
//! place in the topology goes. See backing pipeline §4.
//!
//! | module | what is in it |
//! |---|---|
//! | [`Event`], [`Effect`], [`StatementDistribution`] | the machine |
//! | `handlers` | what it does on each event: leaves and peers, statements, manifests, fetching, serving, importing |
//! | `cluster` | who in our group knows which statement |
//! | `grid`, `grid_view` | who in the grid knows which backed candidate; who tells whom |
//! | `candidates` | candidates that peers claim something of, and those that we have |
//! | `store` | checked statements |
//! | `requests`, `response` | which candidates to fetch from whom; judging what comes back |
//! | `answers` | how fast we answer requests |
//! | `peers`, `view`, `sessions`, `parent` | connected peers; retained blocks; what is kept per session and per scheduling parent |
//! | `filter`, `votes` | operations on bit vectors of statements, as they come; sets of statements, as they are kept |
//! | `sizes` | how full all of it is |

#![forbid(unsafe_code)]

mod answers;
mod candidates;
mod cluster;
mod filter;
mod grid;
mod grid_view;
mod handlers;
mod parent;
mod peers;
mod requests;
mod response;
mod sessions;
mod sizes;
mod store;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod tests;
mod view;
mod votes;

#[cfg(feature = "fuzzing")]
pub use tests::arbitrary::check_arbitrary;

use headway_machine::{
	wire::InboundRequest, Effects, LeavesUpdate, Membership, MembershipQuery, NetworkEffect, NetworkEvent,
	RequestError, Sizes, StatementWithPvd, Subsystem, Timestamp, Token, Tokens, Verifier,
};
use headway_primitives::{CandidateHash, Hash};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// What can happen to statement distribution.
#[derive(Clone, Debug)]
pub enum Event {
	/// The active leaves changed.
	Leaves(LeavesUpdate),
	/// Something happened on the validation peer set, or a topology became known.
	Network(NetworkEvent),
	/// A peer asks for an attested candidate. Answered by exactly one [`NetworkEffect::Respond`], now or on a later tick.
	Request(InboundRequest),
	/// A request of ours came back.
	Response {
		/// Which.
		token: Token,
		/// With what.
		result: Result<Vec<u8>, RequestError>,
	},
	/// Backing made a statement.
	Share {
		/// Scheduling parent of the candidate.
		scheduling_parent: Hash,
		/// The statement.
		statement: StatementWithPvd,
	},
	/// Backing has enough votes for a candidate.
	Backed {
		/// The candidate.
		candidate_hash: CandidateHash,
	},
	/// Answer of prospective parachains.
	Membership(Membership),
}

/// What statement distribution asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
	/// Something of the network.
	Network(NetworkEffect),
	/// Hands a statement to backing: `Seconded` (with validation data) before `Valid`, each once.
	Statement {
		/// Scheduling parent of the candidate.
		scheduling_parent: Hash,
		/// The statement.
		statement: StatementWithPvd,
	},
	/// Asks prospective parachains.
	Membership(MembershipQuery),
}

/// The statement distribution machine.
///
/// # Bounds
///
/// - `parents`: one for each retained block; see `view`.
/// - `queries`: questions to prospective parachains without answer; one for each new leaf, confirmation and backed candidate.
/// - all others are documented where they are defined; what peers can fill is limited per validator and scheduling parent,
///   and goes when the scheduling parent does.
pub struct StatementDistribution {
	verifier: Arc<dyn Verifier>,
	view: view::RetainedView,
	sessions: sessions::Sessions,
	parents: BTreeMap<Hash, parent::ParentState>,
	peers: peers::Peers,
	candidates: candidates::Candidates,
	requests: requests::Requests,
	answers: answers::Answers,
	tokens: Tokens,
	queries: BTreeSet<Token>,
}

impl StatementDistribution {
	/// A machine that knows no leaf and no peer yet.
	pub fn new(verifier: Arc<dyn Verifier>) -> Self {
		Self {
			verifier,
			view: Default::default(),
			sessions: Default::default(),
			parents: BTreeMap::new(),
			peers: Default::default(),
			candidates: Default::default(),
			requests: Default::default(),
			answers: Default::default(),
			tokens: Default::default(),
			queries: BTreeSet::new(),
		}
	}
}

impl Subsystem for StatementDistribution {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		let ctx = &mut handlers::Ctx { now, effects };
		match event {
			Event::Leaves(update) => self.on_leaves(ctx, &update),
			Event::Network(event) => self.on_network(ctx, event),
			Event::Request(request) => self.on_request(ctx, request),
			Event::Response { token, result } => self.on_response(ctx, token, result),
			Event::Share { scheduling_parent, statement } => self.on_share(ctx, scheduling_parent, statement),
			Event::Backed { candidate_hash } => self.on_backed(ctx, candidate_hash),
			Event::Membership(answer) => self.on_membership(ctx, answer),
		}
		self.advance(ctx);
	}

	fn tick(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		self.advance(&mut handlers::Ctx { now, effects });
	}

	fn next_deadline(&self) -> Option<Timestamp> {
		let deadlines = [self.requests.deadline(), self.answers.deadline()];
		deadlines.into_iter().flatten().min()
	}

	fn sizes(&self) -> Sizes {
		self.measure()
	}
}
