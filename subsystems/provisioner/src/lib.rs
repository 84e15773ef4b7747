//! Provisioner: what the author of a relay block puts into the parachains inherent (backing pipeline §7).
//!
//! It collects the availability bitfields of each leaf, and when the author of a block on top of a leaf asks,
//! it works out which cores will be free in that block, asks prospective parachains what fits there and
//! backing for the votes, and hands all of it over. Only then: a leaf is ready two seconds after its
//! activation, so that bitfields and votes can arrive.
//!
//! What this crate never does: it does not trim to the block's weight (the runtime does), checks no
//! signature, and does not know the inherent's header. Disputes are not provided in this version.
//!
//! | module | what is in it |
//! |---|---|
//! | [`bitfields`] | which bitfields are taken, and what they make available |
//! | `selection` | free cores, and the candidates for them |

#![forbid(unsafe_code)]

pub mod bitfields;
mod selection;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod tests;

pub use bitfields::{Bitfields, Heard};
#[cfg(feature = "fuzzing")]
pub use tests::arbitrary::check_arbitrary;

use headway_machine::{
	BackableQuery, CandidateRef, Effects, LeafContext, LeavesUpdate, Reason, Sizes, Stage, Subsystem,
	Timestamp, Token, Tokens, Trace,
};
use headway_primitives::{
	AvailabilityBitfield, BackedCandidate, CoreIndex, CoreState, Hash, MultiDisputeStatementSet, ParaId,
	Signed, UncheckedSignedAvailabilityBitfields,
};
use selection::{demands, flatten, on_free_cores, Demand};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
	time::Duration,
};

/// From a leaf's activation to the first inherent on top of it.
pub const READINESS_DELAY: Duration = Duration::from_millis(2000);
/// Most time for prospective parachains and backing to answer. After it, the inherent goes out without
/// candidates.
pub const ASSEMBLY_TIMEOUT: Duration = Duration::from_millis(500);
/// Requests per leaf that may wait or be worked on; more are refused.
pub const REQUESTS_PER_LEAF_MAX: usize = 16;

/// Name in traces.
const NAME: &str = "provisioner";

/// What happens to the provisioner.
#[derive(Clone, Debug)]
pub enum Event {
	/// Active leaves changed.
	Leaves(LeavesUpdate),
	/// From availability: a validator's bitfield, its signature checked.
	Bitfield {
		/// The leaf that it is about.
		relay_parent: Hash,
		/// The bitfield.
		bitfield: Signed<AvailabilityBitfield>,
	},
	/// From the driver: a block on top of `parent` is being authored.
	InherentRequest {
		/// Names the question.
		token: Token,
		/// Parent of the new block.
		parent: Hash,
	},
	/// From prospective parachains: what fits on top of the chain of a para.
	Backable {
		/// The question.
		token: Token,
		/// The candidates, each on top of the one before.
		candidates: Vec<CandidateRef>,
	},
	/// From backing: candidates with their votes.
	Candidates {
		/// The question.
		token: Token,
		/// Per para, each on top of the one before.
		candidates: BTreeMap<ParaId, Vec<BackedCandidate>>,
	},
}

/// What the provisioner asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
	/// To the driver: the answer to [`Event::InherentRequest`].
	Inherent {
		/// The question.
		token: Token,
		/// What goes into the inherent; none if the parent is no leaf of ours.
		data: Option<ProvisionedData>,
	},
	/// To prospective parachains: what fits next?
	Backable(BackableQuery),
	/// To backing: the votes of candidates.
	GetCandidates {
		/// Names the question.
		token: Token,
		/// Per para, each on top of the one before.
		candidates: BTreeMap<ParaId, Vec<CandidateRef>>,
	},
}

/// What goes into the inherent, besides the parent's header.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ProvisionedData {
	/// Bitfields, one per validator, ascending.
	pub bitfields: UncheckedSignedAvailabilityBitfields,
	/// Candidates, by para, each on top of the one before.
	pub backed_candidates: Vec<BackedCandidate>,
	/// Dispute votes. Always empty in this version.
	pub disputes: MultiDisputeStatementSet,
}

/// A leaf.
#[derive(Debug)]
struct Leaf {
	context: Arc<LeafContext>,
	ready_at: Timestamp,
	bitfields: Bitfields,
	/// Only for what is told of candidates.
	heard: Heard,
	/// Requests that came before the leaf was ready.
	waiting: VecDeque<Token>,
}

/// An inherent in the making. It keeps what it needs of its leaf, which may be gone before it is done.
#[derive(Debug)]
struct Assembly {
	/// Token of whoever asked.
	asker: Token,
	leaf: Hash,
	/// When it goes out in any case.
	deadline: Timestamp,
	bitfields: UncheckedSignedAvailabilityBitfields,
	/// Questions to prospective parachains that are not answered yet.
	open: BTreeMap<Token, (ParaId, Demand)>,
	/// The answers.
	backable: BTreeMap<ParaId, Vec<CandidateRef>>,
	/// Free cores of the paras that have an answer.
	cores: BTreeMap<ParaId, BTreeSet<CoreIndex>>,
	/// The question to backing, once it was asked.
	votes: Option<Token>,
}

/// The provisioner machine.
///
/// # Bounds
///
/// - `leaves`: the active leaves; each with one bitfield per validator and [`REQUESTS_PER_LEAF_MAX`]
///   requests.
/// - `assemblies`: [`REQUESTS_PER_LEAF_MAX`] per leaf; each lives for [`ASSEMBLY_TIMEOUT`] at most, with one
///   question per para in the claim queue.
#[derive(Debug)]
pub struct Provisioner {
	readiness_delay: Duration,
	leaves: BTreeMap<Hash, Leaf>,
	/// By the order in which they were begun.
	assemblies: BTreeMap<u64, Assembly>,
	begun: u64,
	tokens: Tokens,
}

impl Default for Provisioner {
	fn default() -> Self {
		Self::with_readiness_delay(READINESS_DELAY)
	}
}

impl Provisioner {
	/// A machine that makes leaves ready after [`READINESS_DELAY`].
	pub fn new() -> Self {
		Self::default()
	}

	/// A machine that makes leaves ready after another delay, for chains with shorter slots.
	pub fn with_readiness_delay(readiness_delay: Duration) -> Self {
		Self {
			readiness_delay,
			leaves: BTreeMap::new(),
			assemblies: BTreeMap::new(),
			begun: 0,
			tokens: Tokens::default(),
		}
	}

	fn update_leaves(&mut self, now: Timestamp, update: LeavesUpdate, effects: &mut Effects<Effect>) {
		if let Some(context) = update.activated {
			let ready_at = now + self.readiness_delay;
			let leaf = Leaf {
				context,
				ready_at,
				bitfields: Bitfields::default(),
				heard: Heard::default(),
				waiting: VecDeque::new(),
			};
			self.leaves.entry(leaf.context.hash()).or_insert(leaf);
		}
		for hash in update.deactivated {
			for token in self.leaves.remove(&hash).into_iter().flat_map(|leaf| leaf.waiting) {
				effects.push(Effect::Inherent { token, data: None });
			}
		}
	}

	fn bitfield(
		&mut self,
		now: Timestamp,
		relay_parent: Hash,
		bitfield: Signed<AvailabilityBitfield>,
		effects: &mut Effects<Effect>,
	) {
		let inserted = match self.leaves.get_mut(&relay_parent) {
			None => Err(Reason::OutOfView),
			Some(leaf) => {
				let n_validators = leaf.context.block.session.n_validators();
				let cores = &leaf.context.availability_cores;
				let (validator, bits) = (bitfield.validator_index(), bitfield.payload().clone());
				let inserted = leaf.bitfields.insert(bitfield, cores, n_validators);
				inserted.map(|()| {
					let available = leaf.heard.count(validator, &bits, cores, n_validators);
					available.into_iter().for_each(|core| trace_available(now, &cores[core], effects));
				})
			},
		};
		if let Err(reason) = inserted {
			effects.trace(Trace::new(now, NAME, Stage::Dropped(reason)).scheduling_parent(relay_parent));
		}
	}

	fn request(&mut self, now: Timestamp, token: Token, parent: Hash, effects: &mut Effects<Effect>) {
		let busy = self.assemblies.values().filter(|assembly| assembly.leaf == parent).count();
		match self.leaves.get_mut(&parent) {
			Some(leaf) if busy + leaf.waiting.len() < REQUESTS_PER_LEAF_MAX => {
				leaf.waiting.push_back(token);
				self.assemble_ready(now, effects);
			},
			leaf => {
				let reason = leaf.map_or(Reason::OutOfView, |_| Reason::CapacityReached);
				effects.trace(Trace::new(now, NAME, Stage::Dropped(reason)).scheduling_parent(parent));
				effects.push(Effect::Inherent { token, data: None });
			},
		}
	}

	/// Begins to assemble for all requests whose leaf is ready.
	fn assemble_ready(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		let ready = self.leaves.values_mut().filter(|leaf| leaf.ready_at <= now);
		for leaf in ready {
			for asker in std::mem::take(&mut leaf.waiting) {
				self.begun += 1;
				let mut assembly = Assembly {
					asker,
					leaf: leaf.context.hash(),
					deadline: now + ASSEMBLY_TIMEOUT,
					bitfields: leaf.bitfields.selected(),
					open: BTreeMap::new(),
					backable: BTreeMap::new(),
					cores: BTreeMap::new(),
					votes: None,
				};
				for (para, demand) in demands(&leaf.context, &leaf.bitfields) {
					let token = self.tokens.next();
					let (leaf, count) = (assembly.leaf, demand.cores.len());
					let ancestors = demand.ancestors.clone();
					assembly.open.insert(token, (para, demand));
					effects.push(Effect::Backable(BackableQuery { token, leaf, para, count, ancestors }));
				}
				if assembly.open.is_empty() {
					finish(now, assembly, BTreeMap::new(), effects);
				} else {
					self.assemblies.insert(self.begun, assembly);
				}
			}
		}
	}

	fn backable(
		&mut self,
		now: Timestamp,
		token: Token,
		mut candidates: Vec<CandidateRef>,
		effects: &mut Effects<Effect>,
	) {
		let mut assemblies = self.assemblies.iter_mut();
		let found =
			assemblies.find_map(|(id, assembly)| Some((*id, assembly.open.remove(&token)?, assembly)));
		let Some((id, (para, demand), assembly)) = found else { return };
		candidates.truncate(demand.cores.len());
		if !candidates.is_empty() {
			assembly.backable.insert(para, candidates);
			assembly.cores.insert(para, demand.cores);
		}
		if !assembly.open.is_empty() {
			return;
		}
		if !assembly.backable.is_empty() {
			let token = self.tokens.next();
			assembly.votes = Some(token);
			let candidates = std::mem::take(&mut assembly.backable);
			effects.push(Effect::GetCandidates { token, candidates });
		} else if let Some(assembly) = self.assemblies.remove(&id) {
			finish(now, assembly, BTreeMap::new(), effects);
		}
	}

	fn candidates(
		&mut self,
		now: Timestamp,
		token: Token,
		candidates: BTreeMap<ParaId, Vec<BackedCandidate>>,
		effects: &mut Effects<Effect>,
	) {
		let mut assemblies = self.assemblies.iter();
		let Some(id) = assemblies.find_map(|(id, assembly)| (assembly.votes == Some(token)).then_some(*id))
		else {
			return;
		};
		if let Some(assembly) = self.assemblies.remove(&id) {
			finish(now, assembly, candidates, effects);
		}
	}
}

/// What occupies the core is available, as far as we heard.
fn trace_available(now: Timestamp, core: &CoreState, effects: &mut Effects<Effect>) {
	let CoreState::Occupied(occupied) = core else { return };
	let descriptor = &occupied.candidate_descriptor;
	let trace = Trace::new(now, NAME, Stage::Available).candidate(occupied.candidate_hash);
	effects.trace(trace.descriptor(descriptor));
}

/// Answers a request.
fn finish(
	now: Timestamp,
	assembly: Assembly,
	candidates: BTreeMap<ParaId, Vec<BackedCandidate>>,
	effects: &mut Effects<Effect>,
) {
	let mut cores = assembly.cores;
	let fitting = candidates.into_iter().map(|(para, candidates)| {
		let free = cores.remove(&para).unwrap_or_default();
		(para, on_free_cores(candidates, free))
	});
	let (backed_candidates, left_out) = flatten(fitting.collect());
	let mut trace = |stage: Stage, candidate: &BackedCandidate| {
		let trace = Trace::new(now, NAME, stage).candidate(candidate.hash());
		effects.trace(trace.descriptor(&candidate.candidate.descriptor));
	};
	backed_candidates.iter().for_each(|candidate| trace(Stage::Provisioned, candidate));
	left_out.iter().for_each(|candidate| trace(Stage::Dropped(Reason::CapacityReached), candidate));
	let data = ProvisionedData { bitfields: assembly.bitfields, backed_candidates, disputes: Vec::new() };
	effects.push(Effect::Inherent { token: assembly.asker, data: Some(data) });
}

impl Subsystem for Provisioner {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		match event {
			Event::Leaves(update) => self.update_leaves(now, update, effects),
			Event::Bitfield { relay_parent, bitfield } => self.bitfield(now, relay_parent, bitfield, effects),
			Event::InherentRequest { token, parent } => self.request(now, token, parent, effects),
			Event::Backable { token, candidates } => self.backable(now, token, candidates, effects),
			Event::Candidates { token, candidates } => self.candidates(now, token, candidates, effects),
		}
	}

	fn tick(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		let late: Vec<u64> = self
			.assemblies
			.iter()
			.filter(|(_, assembly)| assembly.deadline <= now)
			.map(|(id, _)| *id)
			.collect();
		for assembly in late.iter().filter_map(|id| self.assemblies.remove(id)).collect::<Vec<_>>() {
			effects.trace(
				Trace::new(now, NAME, Stage::Dropped(Reason::AssemblyTimeout))
					.scheduling_parent(assembly.leaf),
			);
			finish(now, assembly, BTreeMap::new(), effects);
		}
		self.assemble_ready(now, effects);
	}

	fn next_deadline(&self) -> Option<Timestamp> {
		let ready = self.leaves.values().filter(|leaf| !leaf.waiting.is_empty()).map(|leaf| leaf.ready_at);
		ready.chain(self.assemblies.values().map(|assembly| assembly.deadline)).min()
	}

	fn sizes(&self) -> Sizes {
		let mut sizes = Sizes::of(NAME);
		let mut requests = BTreeMap::<Hash, usize>::new();
		for assembly in self.assemblies.values() {
			*requests.entry(assembly.leaf).or_default() += 1;
		}
		for (hash, leaf) in &self.leaves {
			*requests.entry(*hash).or_default() += leaf.waiting.len();
			let n_validators = leaf.context.block.session.n_validators();
			sizes.note("bitfields", leaf.bitfields.len(), n_validators);
			sizes.note("heard", leaf.heard.len(), leaf.context.availability_cores.len());
		}
		requests.values().for_each(|count| sizes.note("requests", *count, REQUESTS_PER_LEAF_MAX));
		sizes
	}
}
