//! Candidate backing: seconding the candidates that collators bring, voting for those of our group, counting
//! votes until a candidate can go on chain (backing pipeline §3).
//!
//! A candidate comes here twice. The collator protocol hands in a fetched collation ([`Event::Second`]): it
//! is validated, its data is stored, and if prospective parachains can use it, it is seconded. Or statement
//! distribution hands in votes of others ([`Event::Statement`]): they are counted, and if the candidate is
//! for our own core, we fetch its proof of validity from a voter, validate it and vote ourselves. A candidate
//! with enough votes is announced once and handed to the provisioner on request.
//!
//! What this crate never does: it checks no signature (statements come checked), executes nothing, talks to
//! no peer, and does not decide what can follow what — it asks prospective parachains.
//!
//! Every [`Event::Second`] gets exactly one answer: [`Effect::CollationSeconded`],
//! [`Effect::CollationInvalid`] or [`Effect::CollationDropped`]. For every vote of ours, [`Effect::Share`]
//! precedes the [`Effect::Backed`] that it causes, and follows an [`Effect::Write`] that made it durable.
//!
//! In which order to call it: first [`Event::Restore`] with all votes that are stored, if there was a life before.
//! Then the other events as they come.
//!
//! | module | what is in it |
//! |---|---|
//! | [`table`] | the statement table: votes, thresholds, misbehaviour |
//! | `state` | what is kept per scheduling parent |
//! | `import` | a statement's way into the table, and a new candidate's way to prospective parachains |
//! | `validation` | a candidate's way through validation and storage, the same for both purposes |
//! | `seconding` | what precedes and follows validation when we second |
//! | `attesting` | what precedes and follows validation when we vote for others' candidates |
//! | [`votes`] | our own votes: signed, stored, shared, and never contradicted |
//! | `sizes` | how full all of it is |

#![forbid(unsafe_code)]

mod attesting;
mod import;
mod seconding;
mod sizes;
mod state;
pub mod table;
mod validation;
pub mod votes;

#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod tests;

pub use table::Table;
#[cfg(feature = "fuzzing")]
pub use tests::arbitrary::check_arbitrary;

use headway_machine::{
	CanSecondQuery, CandidateRef, Effects, HypotheticalCandidate, IntroducedCandidate, LeavesUpdate,
	Membership, MembershipQuery, MisbehaviorReport, Reason, SecondRequest, Signer, Sizes, Stage,
	StatementWithPvd, StoreDataError, StoreDataRequest, Subsystem, Timestamp, Token, Tokens, Trace,
	ValidateRequest, ValidationFailed, ValidationOutcome, View, WriteOp,
};
use headway_primitives::{
	AuthorityDiscoveryId, BackedCandidate, CandidateHash, CandidateReceiptV2, ExecutorParams, FeatureIndex,
	Hash, NodeFeatures, ParaId, PoV, SessionIndex, SignedFullStatement,
};
use state::{Candidate, Purpose, SchedulingParent};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
};
use votes::Said;

/// Name in traces.
pub(crate) const NAME: &str = "candidate-backing";
/// Sessions whose execution environment is remembered, for relay parents that are older than their scheduling
/// parent.
const SESSIONS_MAX: usize = 6;

/// What happens to backing.
#[derive(Clone, Debug)]
pub enum Event {
	/// All entries of [`headway_machine::Column::Votes`] whose keys begin with [`votes::VOTES`], as a former life left them.
	/// Before any other event.
	Restore {
		/// Keys and values.
		entries: Vec<(Vec<u8>, Vec<u8>)>,
	},
	/// Active leaves changed.
	Leaves(LeavesUpdate),
	/// A block was finalized. A driver also sends it once at start, for the last finalized block, so that
	/// descriptors of version 3 are understood after a restart.
	Finalized {
		/// Node features of the block's session.
		node_features: NodeFeatures,
	},
	/// From the collator protocol: a fetched collation.
	Second(SecondRequest),
	/// From statement distribution: somebody's statement, its signature checked.
	Statement {
		/// Scheduling parent that the signature is bound to.
		scheduling_parent: Hash,
		/// The statement.
		statement: StatementWithPvd,
	},
	/// From the collator protocol: whether an advertised candidate could be seconded.
	CanSecond(CanSecondQuery),
	/// From the provisioner: candidates to go on chain.
	GetBackable {
		/// Names the question.
		token: Token,
		/// Per para, each on top of the one before.
		candidates: BTreeMap<ParaId, Vec<CandidateRef>>,
	},
	/// From prospective parachains: whether an introduced candidate was accepted.
	Introduced {
		/// The question.
		token: Token,
		/// The answer.
		accepted: bool,
	},
	/// From prospective parachains: where candidates fit.
	Membership(Membership),
	/// From candidate validation.
	Validated {
		/// The question.
		token: Token,
		/// The verdict.
		result: Result<ValidationOutcome, ValidationFailed>,
	},
	/// From availability: a proof of validity, its hash checked.
	PoVFetched {
		/// The question.
		token: Token,
		/// The proof; none if the validator did not give it.
		pov: Option<Arc<PoV>>,
	},
	/// From availability: the data of a candidate is stored.
	DataStored {
		/// The question.
		token: Token,
		/// Whether it worked.
		result: Result<(), StoreDataError>,
	},
	/// Answer to [`Effect::Write`].
	Written {
		/// The question.
		token: Token,
		/// Whether all of it is durable.
		ok: bool,
	},
}

/// What backing asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
	/// To prospective parachains: a candidate that somebody seconded.
	Introduce {
		/// Names the question.
		token: Token,
		/// The candidate.
		candidate: IntroducedCandidate,
	},
	/// To prospective parachains: a candidate has enough votes.
	CandidateBacked {
		/// Its para.
		para: ParaId,
		/// The candidate.
		candidate_hash: CandidateHash,
	},
	/// To prospective parachains: where would candidates fit?
	Membership(MembershipQuery),
	/// To statement distribution: a statement of ours.
	Share {
		/// Scheduling parent of the candidate.
		scheduling_parent: Hash,
		/// The statement.
		statement: StatementWithPvd,
	},
	/// To statement distribution: a candidate has enough votes.
	Backed {
		/// The candidate.
		candidate_hash: CandidateHash,
	},
	/// To the collator protocol: the collation was seconded.
	CollationSeconded {
		/// Scheduling parent of the candidate.
		scheduling_parent: Hash,
		/// Our statement.
		statement: SignedFullStatement,
	},
	/// To the collator protocol: the collation is invalid, and its collator is to blame.
	CollationInvalid {
		/// Scheduling parent of the candidate.
		scheduling_parent: Hash,
		/// The candidate.
		receipt: CandidateReceiptV2,
		/// What is wrong with it.
		reason: Reason,
	},
	/// To the collator protocol: the collation is not seconded, and nobody is to blame.
	CollationDropped {
		/// Scheduling parent of the candidate.
		scheduling_parent: Hash,
		/// The candidate.
		candidate_hash: CandidateHash,
		/// Why.
		reason: Reason,
	},
	/// To the collator protocol: whether the advertised candidate could be seconded.
	CanSecond {
		/// The question.
		token: Token,
		/// The answer.
		allowed: bool,
	},
	/// To the provisioner: candidates with their votes. Paras without any are left out.
	Backable {
		/// The question.
		token: Token,
		/// Per para, in the order of the question, up to the first that cannot be given.
		candidates: BTreeMap<ParaId, Vec<BackedCandidate>>,
	},
	/// A validator broke the rules.
	Misbehavior(MisbehaviorReport),
	/// To candidate validation.
	Validate {
		/// Names the question.
		token: Token,
		/// What to validate.
		request: ValidateRequest,
	},
	/// To availability: fetch a proof of validity.
	FetchPoV {
		/// Names the question.
		token: Token,
		/// A validator that voted for the candidate.
		from: AuthorityDiscoveryId,
		/// The candidate.
		candidate_hash: CandidateHash,
		/// What the proof must hash to.
		pov_hash: Hash,
		/// Scheduling parent of the candidate.
		scheduling_parent: Hash,
		/// Its para.
		para: ParaId,
	},
	/// To availability: keep the data of a valid candidate.
	StoreAvailableData {
		/// Names the question.
		token: Token,
		/// The data.
		data: StoreDataRequest,
	},
	/// To the driver: write all of this or nothing, in the order of the effects. A vote is not sent before it is durable.
	Write {
		/// Names the question.
		token: Token,
		/// What.
		batch: Vec<WriteOp>,
	},
}

/// What a token stands for.
#[derive(Clone, Copy, Debug)]
enum Question {
	/// Membership, for somebody who asked with this token.
	CanSecond { asker: Token, scheduling_parent: Hash },
	/// Introduction of a candidate.
	Introduce { candidate_hash: CandidateHash },
	/// The step that the job of a candidate is at.
	Job { scheduling_parent: Hash, candidate_hash: CandidateHash, step: Step },
}

/// What a job waits for. An answer to anything else is none of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
	Fetch,
	Validate,
	Store,
	CheckSanity,
	Record,
}

/// The backing machine.
///
/// Feed it every change of leaves before events that refer to the new blocks. A node that is no validator
/// runs it too: it tracks what is backed, and never fetches, validates or signs.
///
/// # Bounds
///
/// - `view`, `scheduling_parents`: one per block that is a leaf or in a leaf's allowed ancestry.
/// - `candidates`: those that prospective parachains accepted, each at one scheduling parent's [`Table`], or seconded by us
///   as soon as that is durable.
/// - `introductions`: candidates that wait for prospective parachains' answer, which count against the limit of
///   their seconders as if they were in the [`Table`], and statements about them: at most two per validator and
///   candidate, and our own job. Usually empty between two calls.
/// - `questions`: one per job and introduction, and one per [`Event::CanSecond`] that is not answered yet.
/// - `executor_params`: six sessions.
/// - `former`: 64 former scheduling parents, each with candidates of its table and of our jobs.
/// - On disk: our votes at the blocks in view and at `former`, about 150 bytes each. Per block we second no more than the
///   claim queue has places for, and vote only for what members of our group seconded.
pub struct Backing {
	signer: Arc<dyn Signer>,
	view: View,
	scheduling_parents: BTreeMap<Hash, SchedulingParent>,
	candidates: BTreeMap<CandidateHash, Candidate>,
	introductions: BTreeMap<CandidateHash, import::Introduction>,
	questions: BTreeMap<Token, Question>,
	tokens: Tokens,
	executor_params: BTreeMap<SessionIndex, Arc<ExecutorParams>>,
	/// What we said at scheduling parents that left our view, or that a former life had in view, oldest first.
	former: VecDeque<(Hash, Said)>,
	/// Whether a finalized block ever allowed descriptors of version 3. Never unset.
	v3_ever_seen: bool,
}

impl Backing {
	/// A machine that signs with `signer`.
	pub fn new(signer: Arc<dyn Signer>) -> Self {
		Self {
			signer,
			view: View::default(),
			scheduling_parents: BTreeMap::new(),
			candidates: BTreeMap::new(),
			introductions: BTreeMap::new(),
			questions: BTreeMap::new(),
			tokens: Tokens::default(),
			executor_params: BTreeMap::new(),
			former: VecDeque::new(),
			v3_ever_seen: false,
		}
	}

	/// Whether a candidate was seconded by this node.
	pub fn seconded_locally(&self, candidate_hash: &CandidateHash) -> bool {
		self.candidates.get(candidate_hash).is_some_and(|candidate| candidate.seconded_locally)
	}

	fn ask(&mut self, question: Question) -> Token {
		let token = self.tokens.next();
		self.questions.insert(token, question);
		token
	}

	fn update_leaves(&mut self, now: Timestamp, update: LeavesUpdate, effects: &mut Effects<Effect>) {
		let gone: BTreeSet<Hash> = self.view.update(&update).into_iter().collect();
		for hash in &gone {
			let Some(state) = self.scheduling_parents.remove(hash) else { continue };
			if !state.said.settled.is_empty() {
				self.former.push_back((*hash, state.said.out_of_view()));
			}
			for (candidate_hash, job) in state.jobs {
				if let Some(token) = job.waits_for {
					self.questions.remove(&token);
				}
				let trace =
					Trace::new(now, NAME, Stage::Dropped(Reason::OutOfView)).candidate(candidate_hash);
				let trace = trace.descriptor(&job.receipt.descriptor);
				effects.trace(
					trace.parent_head(job.validation_data.parent_head.hash()).evidence(self.view.left(hash)),
				);
				if job.purpose == Purpose::Second {
					effects.push(Effect::CollationDropped {
						scheduling_parent: *hash,
						candidate_hash,
						reason: Reason::OutOfView,
					});
				}
			}
		}
		self.candidates.retain(|_, candidate| !gone.contains(&candidate.scheduling_parent));
		self.forget_introductions(now, &gone, effects);

		let leaf = update.activated.filter(|leaf| self.view.leaf(&leaf.hash()).is_some());
		for block in leaf.iter().flat_map(|leaf| leaf.allowed_blocks()) {
			let session = &block.session;
			self.executor_params.insert(session.index, session.executor_params.clone());
			if self.scheduling_parents.contains_key(&block.hash) {
				continue;
			}
			let mut state = SchedulingParent::new(block.clone());
			if let Some(position) = self.former.iter().position(|(hash, _)| *hash == block.hash) {
				state.said = self.former.remove(position).map(|(_, said)| said).unwrap_or_default();
			}
			self.scheduling_parents.insert(block.hash, state);
		}
		self.forget_former(effects);
		while self.executor_params.len() > SESSIONS_MAX {
			self.executor_params.pop_first();
		}
	}

	fn can_second(&mut self, query: CanSecondQuery, effects: &mut Effects<Effect>) {
		let CanSecondQuery { token, para, scheduling_parent, candidate_hash, parent_head_data_hash } = query;
		let state = self.scheduling_parents.get(&scheduling_parent);
		if !state.is_some_and(|state| state.has_place_for(&candidate_hash)) {
			effects.push(Effect::CanSecond { token, allowed: false });
			return;
		}
		let question = self.ask(Question::CanSecond { asker: token, scheduling_parent });
		let candidate = HypotheticalCandidate::Incomplete {
			candidate_hash,
			para,
			parent_head_data_hash,
			scheduling_parent,
		};
		effects.push(Effect::Membership(MembershipQuery {
			token: question,
			candidates: vec![candidate],
			leaf: None,
		}));
	}

	fn membership(&mut self, now: Timestamp, answer: Membership, effects: &mut Effects<Effect>) {
		let Some(question) = self.questions.get(&answer.token).copied() else { return };
		let leaves: BTreeSet<Hash> = answer.leaves.into_iter().flat_map(|(_, leaves)| leaves).collect();
		// At least one leaf that candidates with this scheduling parent may go under must accept it.
		let accepts = |view: &View, scheduling_parent: &Hash| {
			view.leaves_with(scheduling_parent).any(|leaf| leaves.contains(&leaf.hash()))
		};
		match question {
			Question::CanSecond { asker, scheduling_parent } => {
				self.questions.remove(&answer.token);
				let allowed = accepts(&self.view, &scheduling_parent);
				effects.push(Effect::CanSecond { token: asker, allowed });
			},
			Question::Job { .. } => {
				let job = self.answered(&answer.token, Step::CheckSanity);
				let Some((scheduling_parent, candidate_hash)) = job else { return };
				let fits = accepts(&self.view, &scheduling_parent);
				self.sanity_checked(now, scheduling_parent, candidate_hash, fits, effects);
			},
			Question::Introduce { .. } => {},
		}
	}

	fn get_backable(
		&self,
		requested: BTreeMap<ParaId, Vec<CandidateRef>>,
	) -> BTreeMap<ParaId, Vec<BackedCandidate>> {
		let backed = |para: ParaId, candidate: &CandidateRef| {
			let state = self.scheduling_parents.get(&candidate.scheduling_parent)?;
			let backed = state.table.backed_candidate(&candidate.candidate_hash)?;
			(backed.candidate.descriptor.para_id == para).then_some(backed)
		};
		let candidates = requested.into_iter().map(|(para, candidates)| {
			(para, candidates.iter().map_while(|candidate| backed(para, candidate)).collect::<Vec<_>>())
		});
		candidates.filter(|(_, candidates)| !candidates.is_empty()).collect()
	}
}

impl Subsystem for Backing {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		match event {
			Event::Restore { entries } => self.restore(now, entries, effects),
			Event::Leaves(update) => self.update_leaves(now, update, effects),
			Event::Finalized { node_features } => {
				self.v3_ever_seen |= FeatureIndex::CandidateReceiptV3.is_set(&node_features)
			},
			Event::Second(request) => self.second(now, request, effects),
			Event::Statement { scheduling_parent, statement } => {
				self.statement(now, scheduling_parent, statement, effects)
			},
			Event::CanSecond(query) => self.can_second(query, effects),
			Event::GetBackable { token, candidates } => {
				let candidates = self.get_backable(candidates);
				effects.push(Effect::Backable { token, candidates });
			},
			Event::Introduced { token, accepted } => self.introduced(now, token, accepted, effects),
			Event::Membership(answer) => self.membership(now, answer, effects),
			Event::Validated { token, result } => self.validated(now, token, result, effects),
			Event::PoVFetched { token, pov } => self.pov_fetched(now, token, pov, effects),
			Event::DataStored { token, result } => self.data_stored(now, token, result, effects),
			Event::Written { token, ok } => self.written(now, token, ok, effects),
		}
	}

	fn tick(&mut self, _: Timestamp, _: &mut Effects<Effect>) {}

	fn next_deadline(&self) -> Option<Timestamp> {
		None
	}

	fn sizes(&self) -> Sizes {
		self.measure()
	}
}

/// Notes that a candidate, or a message about it, is dropped.
pub(crate) fn dropped(
	effects: &mut Effects<Effect>,
	now: Timestamp,
	reason: Reason,
	candidate_hash: CandidateHash,
	para: ParaId,
	scheduling_parent: Hash,
) {
	// Who brings what others brought before takes nothing away.
	let stage = match reason {
		Reason::AlreadyKnown => Stage::Duplicate,
		reason => Stage::Dropped(reason),
	};
	reached(effects, now, stage, candidate_hash, para, scheduling_parent);
}

/// Notes what happened to a candidate.
pub(crate) fn reached(
	effects: &mut Effects<Effect>,
	now: Timestamp,
	stage: Stage,
	candidate_hash: CandidateHash,
	para: ParaId,
	scheduling_parent: Hash,
) {
	effects.trace(
		Trace::new(now, NAME, stage)
			.candidate(candidate_hash)
			.para(para)
			.scheduling_parent(scheduling_parent),
	);
}
