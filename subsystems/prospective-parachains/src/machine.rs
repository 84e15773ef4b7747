//! The machine: one fragment chain per scheduling parent in view and para (backing pipeline §2).

use crate::{
	candidate::{Candidate, Hypothetical},
	chain::FragmentChain,
	losses::{Change, Losses, Touched},
	questions::{Answers, Operation, Parked, Question, Questions},
	scheduling_parent::{Knowledge, SchedulingParent, Unplaced},
	Effect, Event, Refusal, Stats,
};
use headway_machine::{
	BackableQuery, Effects, Evidence, HypotheticalCandidate, IntroducedCandidate, LeafContext, LeavesUpdate,
	Membership, MembershipQuery, ParentHead, Reason, Sizes, Stage, Subsystem, Timestamp, Token, Trace,
	ValidationDataQuery, View,
};
use headway_primitives::{
	constraints::RelayParentInfo, CandidateHash, Hash, ParaId, PersistedValidationData, SessionIndex,
};
use std::{
	cmp::Reverse,
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// The name under which traces appear.
pub const SUBSYSTEM: &str = "prospective-parachains";

/// Which candidates can follow which, at every scheduling parent in view.
///
/// # Bounds
///
/// | container | bound |
/// |---|---|
/// | scheduling parents | active leaves, and those of their allowed ancestors that were leaves: our own chain alone |
/// | chains | [`crate::MAX_CANDIDATES`] each, and those pending on chain, see there |
/// | questions | [`crate::MAX_PARKED`] operations and [`crate::MAX_QUESTIONS`] questions |
/// | losses | candidates in the chains |
/// | view | see [`View`] |
#[derive(Debug, Default)]
pub struct ProspectiveParachains {
	scheduling_parents: BTreeMap<Hash, SchedulingParent>,
	/// Always among the scheduling parents.
	active_leaves: BTreeSet<Hash>,
	questions: Questions,
	losses: Losses,
	/// Only for what is told of candidates whose scheduling parent is not in it any more.
	view: View,
}

impl Subsystem for ProspectiveParachains {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		match event {
			Event::Leaves(update) => self.update_leaves(now, update, effects),
			Event::Introduce { token, candidate } => self.introduce(now, token, candidate, effects),
			Event::CandidateBacked { para, candidate_hash } => {
				self.mark_backed(now, para, candidate_hash, effects)
			},
			Event::Membership(query) => self.run(now, Operation::membership(query), Answers::new(), effects),
			Event::Backable(query) => effects.push(self.backable(&query)),
			Event::ValidationData(query) => {
				self.run(now, Operation::ValidationData(query), Answers::new(), effects)
			},
			Event::KnownOutputHeads { token, paras } => {
				effects.push(Effect::KnownOutputHeads { token, heads: self.known_output_heads(&paras) })
			},
			Event::FragmentChain { token, para, at } => {
				effects.push(Effect::FragmentChain { token, chain: self.view_chain(para, at) })
			},
			Event::RelayParentInfo { token, info } => self.take_answer(now, token, info, effects),
		}
	}

	fn tick(&mut self, _: Timestamp, _: &mut Effects<Effect>) {}

	fn next_deadline(&self) -> Option<Timestamp> {
		None
	}

	fn sizes(&self) -> Sizes {
		let mut sizes = Sizes::of(SUBSYSTEM);
		let candidates = |at: &SchedulingParent| at.missing_at(None).count();
		sizes.note(
			"settled",
			self.losses.n_settled(),
			self.scheduling_parents.values().map(candidates).sum(),
		);
		self.scheduling_parents.values().for_each(|at| at.sizes(&mut sizes));
		self.questions.sizes(&mut sizes);
		sizes
	}
}

impl ProspectiveParachains {
	/// A machine without leaves.
	pub fn new() -> Self {
		Self::default()
	}

	/// Counts for gauges.
	pub fn stats(&self) -> Stats {
		let mut stats = Stats {
			active_leaves: self.active_leaves.len(),
			inactive_leaves: self.scheduling_parents.len() - self.active_leaves.len(),
			parked: self.questions.n_parked(),
			..Default::default()
		};
		for (hash, at) in &self.scheduling_parents {
			for (connected, unconnected) in at.chains.values().map(FragmentChain::len) {
				stats.implicit_view += connected + unconnected;
				if self.active_leaves.contains(hash) {
					stats.connected += connected;
					stats.unconnected += unconnected;
				}
			}
		}
		stats
	}

	/// Why a candidate could, or could not, be added at each active leaf. Does not ask for relay parents:
	/// those that would have to be asked for count as unknown.
	pub fn explain(&self, candidate: &HypotheticalCandidate) -> Vec<(Hash, Result<(), Refusal>)> {
		let candidate = Hypothetical::from(candidate);
		let answers = Answers::new();
		let mut lookup = Lookup::new(&answers);
		let verdict =
			|(leaf, at): (&Hash, _)| (*leaf, self.check_hypothetical(&candidate, *leaf, at, &mut lookup));
		self.leaves().map(verdict).collect()
	}

	fn introduce(
		&mut self,
		now: Timestamp,
		token: Token,
		IntroducedCandidate { receipt, validation_data }: IntroducedCandidate,
		effects: &mut Effects<Effect>,
	) {
		let (para, scheduling_parent) = (receipt.descriptor.para_id, receipt.descriptor.scheduling_parent());
		let hash = receipt.hash();
		match Candidate::new(hash, receipt, validation_data) {
			Ok(candidate) => {
				let operation = Operation::Introduce { token, candidate: Arc::new(candidate) };
				self.run(now, operation, Answers::new(), effects);
			},
			Err(refusal) => {
				let trace = Trace::new(now, SUBSYSTEM, Stage::Dropped(refusal.reason())).candidate(hash);
				effects.trace(trace.para(para).scheduling_parent(scheduling_parent));
				effects.push(Effect::Introduced { token, accepted: false });
			},
		}
	}

	/// Carries out an operation, or lets it wait for what it has to know.
	fn run(&mut self, now: Timestamp, operation: Operation, answers: Answers, effects: &mut Effects<Effect>) {
		let mut lookup = Lookup::new(&answers);
		let outcome = self.evaluate(&operation, &mut lookup);
		let missing = lookup.missing;
		let mut at_capacity = false;
		let operation = match missing.is_empty() {
			true => operation,
			false => match self.questions.park(operation, answers, missing, effects) {
				Ok(()) => return,
				// What is not known is not allowed, then.
				Err((operation, _)) => {
					at_capacity = true;
					operation
				},
			},
		};
		match outcome {
			Outcome::Introduce(verdicts) => {
				let Operation::Introduce { token, candidate } = operation else { return };
				self.add(now, token, &candidate, verdicts, at_capacity, effects);
			},
			Outcome::Effect(effect) => {
				if let Operation::Membership { query, candidates } = &operation {
					self.trace_no_place(now, query, candidates, &effect, effects);
				}
				effects.push(effect);
			},
		}
	}

	/// Says of candidates that could be added nowhere what is in the way. Where only one leaf was asked about, another one
	/// may have a place.
	fn trace_no_place(
		&self,
		now: Timestamp,
		query: &MembershipQuery,
		candidates: &[Hypothetical],
		answer: &Effect,
		effects: &mut Effects<Effect>,
	) {
		let Effect::Membership(Membership { leaves, .. }) = answer else { return };
		if query.leaf.is_some() {
			return;
		}
		let answers = Answers::new();
		for ((asked, members), candidate) in leaves.iter().zip(candidates) {
			if !members.is_empty() {
				continue;
			}
			let mut lookup = Lookup::new(&answers);
			let verdicts =
				self.leaves().map(|(leaf, at)| self.check_hypothetical(candidate, *leaf, at, &mut lookup));
			let refusals: Vec<_> = verdicts.filter_map(Result::err).collect();
			let refusal = telling(&refusals);
			let (scheduling_parent, parent_head) = (asked.scheduling_parent(), candidate.parent_head_hash());
			let evidence = self.evidence(refusal, parent_head, &scheduling_parent);
			let trace = Trace::new(now, SUBSYSTEM, Stage::NoPlace(refusal.reason())).evidence(evidence);
			let trace = trace.candidate(asked.candidate_hash()).para(asked.para());
			effects.trace(trace.scheduling_parent(scheduling_parent).parent_head(parent_head));
		}
	}

	/// What an operation comes to, as far as relay parents are known.
	fn evaluate(&self, operation: &Operation, lookup: &mut Lookup<'_>) -> Outcome {
		match operation {
			Operation::Introduce { candidate, .. } => {
				let verdict = |(hash, at)| (hash, self.check_introduced(candidate, hash, at, lookup));
				Outcome::Introduce(
					self.scheduling_parents.iter().map(|(h, at)| (*h, at)).map(verdict).collect(),
				)
			},
			Operation::Membership { query, candidates } => {
				Outcome::Effect(Effect::Membership(self.membership(query, candidates, lookup)))
			},
			Operation::ValidationData(query) => {
				let data = self.validation_data(query, lookup);
				Outcome::Effect(Effect::ValidationData { token: query.token, data })
			},
		}
	}

	/// Whether a candidate is, or could be, known at a scheduling parent. The relay parent is compared before
	/// the checks that take it from the candidate.
	fn check_introduced(
		&self,
		candidate: &Candidate,
		hash: Hash,
		at: &SchedulingParent,
		lookup: &mut Lookup<'_>,
	) -> Result<(), Refusal> {
		let para = candidate.receipt.descriptor.para_id;
		let chain = at.chains.get(&para).ok_or(Refusal::ParaNotScheduled)?;
		if chain.contains(&candidate.hash) {
			return Ok(());
		}
		chain.check_full_place(candidate)?;
		at.passed.check(para, chain, candidate.hash, candidate.parent_head_hash)?;
		let session_index = candidate.session_index.unwrap_or(at.session_index());
		candidate.check_relay_parent(lookup.relay_parent(hash, at, session_index, candidate.relay_parent))?;
		chain.check_potential(candidate)
	}

	/// Adds a candidate wherever it was found worth keeping.
	fn add(
		&mut self,
		now: Timestamp,
		token: Token,
		candidate: &Arc<Candidate>,
		verdicts: Vec<(Hash, Result<(), Refusal>)>,
		at_capacity: bool,
		effects: &mut Effects<Effect>,
	) {
		let para = candidate.receipt.descriptor.para_id;
		let (mut accepted, mut new, mut live) = (false, false, false);
		let mut refusals = Vec::new();
		for (hash, verdict) in verdicts {
			let chain = self.scheduling_parents.get_mut(&hash).and_then(|at| at.chains.get_mut(&para));
			let added = match (verdict, chain) {
				(Ok(()), Some(chain)) => {
					let known = chain.contains(&candidate.hash);
					chain.add_seconded(candidate).map(|()| !known)
				},
				(Ok(()), None) => Err(Refusal::ParaNotScheduled),
				(Err(refusal), _) => Err(refusal),
			};
			match added {
				Ok(is_new) => {
					accepted = true;
					new |= is_new;
					live |= self.active_leaves.contains(&hash);
				},
				Err(refusal) => refusals.push(refusal),
			}
		}
		if live {
			self.losses.revive(&candidate.hash);
		}
		if new {
			effects.trace(about(now, Stage::Introduced, candidate));
		}
		if !accepted {
			let refusal = if at_capacity { &Refusal::CapacityReached } else { telling(&refusals) };
			let evidence = self.evidence(refusal, candidate.parent_head_hash, &candidate.scheduling_parent);
			effects.trace(about(now, Stage::Dropped(refusal.reason()), candidate).evidence(evidence));
		}
		effects.push(Effect::Introduced { token, accepted });
	}

	fn mark_backed(
		&mut self,
		now: Timestamp,
		para: ParaId,
		hash: CandidateHash,
		effects: &mut Effects<Effect>,
	) {
		let (mut scheduled, mut known) = (false, false);
		let mut touched = Touched::default();
		for (at, state) in &mut self.scheduling_parents {
			let Some(chain) = state.chains.get_mut(&para) else { continue };
			scheduled = true;
			let mut drops = Vec::new();
			known |= chain.mark_backed(&hash, &mut drops);
			let is_leaf = self.active_leaves.contains(at);
			drops.iter().for_each(|drop| touched.dropped(drop, is_leaf));
		}
		if !known {
			let reason = if scheduled { Reason::OutOfView } else { Reason::ParaNotScheduled };
			effects.trace(Trace::new(now, SUBSYSTEM, Stage::Dropped(reason)).candidate(hash).para(para));
		}
		self.settle(now, touched, &[], effects);
	}

	fn update_leaves(&mut self, now: Timestamp, update: LeavesUpdate, effects: &mut Effects<Effect>) {
		let mut touched = Touched::default();
		self.view.update(&update);
		let activated = update.activated.as_ref().map(|leaf| leaf.hash());
		if let Some(leaf) = update.activated.filter(|leaf| !update.deactivated.contains(&leaf.hash())) {
			if is_contiguous(&leaf) {
				self.activate(now, leaf, &mut touched, effects);
			} else {
				let trace = Trace::new(now, SUBSYSTEM, Stage::Dropped(Reason::UnknownSchedulingParent));
				effects.trace(trace.scheduling_parent(leaf.hash()));
			}
		}
		let gone: Vec<_> = update.deactivated.iter().filter(|hash| self.active_leaves.remove(hash)).collect();
		// What the new leaf has taken over cannot be lost; mostly that is all.
		let new_leaf = activated.filter(|hash| self.active_leaves.contains(hash));
		let kept = new_leaf.and_then(|hash| self.scheduling_parents.get(&hash));
		let left = gone.iter().filter_map(|hash| self.scheduling_parents.get(hash));
		for candidate in left.flat_map(|at| at.missing_at(kept)) {
			touched.out_of_view(candidate, true);
		}
		let removed = self.prune();
		let kept = new_leaf.and_then(|hash| self.scheduling_parents.get(&hash));
		for candidate in removed.iter().flat_map(|at| at.missing_at(kept)) {
			touched.out_of_view(candidate, false);
		}
		self.settle(now, touched, &removed, effects);
		let in_view = &self.scheduling_parents;
		for Parked { operation, answers, .. } in self.questions.forget(|at| in_view.contains_key(at)) {
			self.run(now, operation, answers, effects);
		}
	}

	/// Adds a leaf.
	fn activate(
		&mut self,
		now: Timestamp,
		leaf: Arc<LeafContext>,
		touched: &mut Touched,
		effects: &mut Effects<Effect>,
	) {
		let hash = leaf.hash();
		// A former leaf that becomes one again still knows all that it knew.
		if !self.scheduling_parents.contains_key(&hash) {
			// The parent, or where it was skipped, the nearest ancestor that was a leaf.
			let allowed = leaf.allowed_ancestry.iter().map(|block| block.hash);
			let mut ancestors = std::iter::once(leaf.block.parent_hash).chain(allowed);
			let ancestor = ancestors.find(|hash| self.scheduling_parents.contains_key(hash));
			let known = ancestor.and_then(|ancestor| self.scheduling_parents.get(&ancestor));
			let (at, Unplaced { dropped: fallen, unlinked }) = SchedulingParent::new(leaf, known);
			self.scheduling_parents.insert(hash, at);
			let was_at_leaf = ancestor.is_some_and(|ancestor| self.active_leaves.contains(&ancestor));
			fallen.iter().for_each(|drop| touched.dropped(drop, was_at_leaf));
			for (para, candidate) in unlinked {
				let trace = Trace::new(now, SUBSYSTEM, Stage::Dropped(Reason::CannotFollowChain));
				effects.trace(trace.candidate(candidate).para(para));
			}
		}
		self.active_leaves.insert(hash);
		if let Some(at) = self.scheduling_parents.get(&hash) {
			self.losses.revive_at(at);
		}
	}

	/// Takes out the scheduling parents that no leaf has in its scope.
	fn prune(&mut self) -> Vec<SchedulingParent> {
		let scopes = self.active_leaves.iter().filter_map(|leaf| self.scheduling_parents.get(leaf));
		let in_scope: BTreeSet<Hash> = scopes.flat_map(|at| at.windows.keys().copied()).collect();
		let out: Vec<Hash> =
			self.scheduling_parents.keys().filter(|hash| !in_scope.contains(hash)).copied().collect();
		out.iter().filter_map(|hash| self.scheduling_parents.remove(hash)).collect()
	}

	fn settle(
		&mut self,
		now: Timestamp,
		touched: Touched,
		removed: &[SchedulingParent],
		effects: &mut Effects<Effect>,
	) {
		let Self { scheduling_parents, active_leaves, losses, view, .. } = self;
		losses.settle(now, touched, Change { scheduling_parents, active_leaves, removed, view }, effects);
	}

	/// What a refusal rests on.
	fn evidence(&self, refusal: &Refusal, parent_head: Hash, scheduling_parent: &Hash) -> Option<Evidence> {
		match refusal {
			Refusal::SchedulingParentNotInScope => self.view.left(scheduling_parent),
			refusal => refusal.evidence(parent_head),
		}
	}

	fn backable(&self, query: &BackableQuery) -> Effect {
		let leaf = Some(&query.leaf).filter(|leaf| self.active_leaves.contains(leaf));
		let chain = leaf.and_then(|leaf| self.scheduling_parents.get(leaf)?.chains.get(&query.para));
		let candidates = chain.map(|chain| chain.backable(query.count, &query.ancestors)).unwrap_or_default();
		Effect::Backable { token: query.token, candidates }
	}

	fn membership(
		&self,
		query: &MembershipQuery,
		candidates: &[Hypothetical],
		lookup: &mut Lookup<'_>,
	) -> Membership {
		let asked = |(leaf, _): &(&Hash, _)| query.leaf.is_none_or(|only| only == **leaf);
		let leaves: Vec<_> = self.leaves().filter(asked).collect();
		let mut answer = Vec::with_capacity(candidates.len());
		for (asked, candidate) in query.candidates.iter().zip(candidates) {
			let mut members = Vec::new();
			for (leaf, at) in &leaves {
				if self.check_hypothetical(candidate, **leaf, at, lookup).is_ok() {
					members.push(**leaf);
				}
			}
			answer.push((asked.clone(), members));
		}
		Membership { token: query.token, leaves: answer }
	}

	fn check_hypothetical(
		&self,
		candidate: &Hypothetical,
		leaf: Hash,
		at: &SchedulingParent,
		lookup: &mut Lookup<'_>,
	) -> Result<(), Refusal> {
		match candidate {
			Hypothetical::Complete(candidate) => self.check_introduced(candidate, leaf, at, lookup),
			Hypothetical::Incomplete { hash, para, parent_head_hash, scheduling_parent } => {
				let chain = at.chains.get(para).ok_or(Refusal::ParaNotScheduled)?;
				if chain.contains(hash) {
					return Ok(());
				}
				chain.check_place(*hash, *parent_head_hash, None, *scheduling_parent, None)?;
				at.passed.check(*para, chain, *hash, *parent_head_hash)
			},
		}
	}

	/// Looks at the newest leaves first. Head and relay parent may be known at different leaves.
	fn validation_data(
		&self,
		query: &ValidationDataQuery,
		lookup: &mut Lookup<'_>,
	) -> Option<PersistedValidationData> {
		let mut leaves: Vec<_> =
			self.leaves().filter_map(|(hash, at)| Some((hash, at, at.chains.get(&query.para)?))).collect();
		leaves.sort_by_key(|(hash, at, _)| (Reverse(at.leaf.block.number), *hash));
		let parent_head = match &query.parent_head {
			ParentHead::WithData { head_data, .. } => head_data,
			ParentHead::OnlyHash(hash) => leaves.iter().find_map(|(_, _, chain)| chain.head_data(hash))?,
		};
		let mut unknown = Lookup::new(lookup.answers);
		let known = leaves.iter().find_map(|(hash, at, chain)| {
			let info = unknown.relay_parent(**hash, at, query.session_index, query.relay_parent)?;
			Some((info, chain.max_pov_size()))
		});
		let Some((relay_parent, max_pov_size)) = known else {
			lookup.missing.append(&mut unknown.missing);
			return None;
		};
		Some(PersistedValidationData {
			parent_head: parent_head.clone(),
			relay_parent_number: relay_parent.number,
			relay_parent_storage_root: relay_parent.state_root,
			max_pov_size,
		})
	}

	fn known_output_heads(&self, paras: &[ParaId]) -> BTreeMap<Hash, BTreeMap<ParaId, BTreeSet<Hash>>> {
		let heads = |at: &SchedulingParent| {
			let chains = paras.iter().filter_map(|para| Some((*para, at.chains.get(para)?)));
			chains.map(|(para, chain)| (para, chain.output_heads())).collect()
		};
		self.scheduling_parents.iter().map(|(hash, at)| (*hash, heads(at))).collect()
	}

	fn take_answer(
		&mut self,
		now: Timestamp,
		token: Token,
		info: Option<RelayParentInfo>,
		effects: &mut Effects<Effect>,
	) {
		let Some((question, ready)) = self.questions.answer(token, info) else { return };
		if let (Some(info), Some(at)) = (info, self.scheduling_parents.get_mut(&question.at)) {
			at.remember(question.session_index, question.relay_parent, info);
		}
		for Parked { operation, answers, .. } in ready {
			self.run(now, operation, answers, effects);
		}
	}

	/// A relay block that may schedule candidates.
	pub(crate) fn scheduling_parent(&self, hash: &Hash) -> Option<&SchedulingParent> {
		self.scheduling_parents.get(hash)
	}

	pub(crate) fn leaves(&self) -> impl Iterator<Item = (&Hash, &SchedulingParent)> {
		self.active_leaves.iter().filter_map(|leaf| Some((leaf, self.scheduling_parents.get(leaf)?)))
	}
}

/// What an operation comes to.
enum Outcome {
	/// Where the candidate could be added.
	Introduce(Vec<(Hash, Result<(), Refusal>)>),
	/// The answer.
	Effect(Effect),
}

/// Looks up relay parents, and collects those that have to be asked for.
struct Lookup<'a> {
	answers: &'a Answers,
	missing: BTreeSet<Question>,
}

impl<'a> Lookup<'a> {
	fn new(answers: &'a Answers) -> Self {
		Self { answers, missing: BTreeSet::new() }
	}

	fn relay_parent(
		&mut self,
		at: Hash,
		state: &SchedulingParent,
		session_index: SessionIndex,
		relay_parent: Hash,
	) -> Option<RelayParentInfo> {
		match state.relay_parent(session_index, relay_parent) {
			Knowledge::Known(info) => Some(info),
			Knowledge::NotAllowed => None,
			Knowledge::Unknown => {
				let question = Question { at, session_index, relay_parent };
				let answer = self.answers.get(&question).copied();
				if answer.is_none() {
					self.missing.insert(question);
				}
				answer.flatten()
			},
		}
	}
}

/// The refusal that says most: one from a chain that could have taken the candidate, if there is any.
fn telling(refusals: &[Refusal]) -> &Refusal {
	let rank = |refusal: &&Refusal| match refusal {
		Refusal::ParaNotScheduled => 2,
		Refusal::SchedulingParentNotInScope => 1,
		_ => 0,
	};
	refusals.iter().min_by_key(rank).unwrap_or(&Refusal::NoView)
}

pub(crate) fn about(now: Timestamp, stage: Stage, candidate: &Candidate) -> Trace {
	let trace = Trace::new(now, SUBSYSTEM, stage).candidate(candidate.hash);
	trace.descriptor(&candidate.receipt.descriptor).parent_head(candidate.parent_head_hash)
}

/// Whether the leaf and its allowed ancestors follow each other without a hole.
fn is_contiguous(leaf: &LeafContext) -> bool {
	let numbers: Vec<_> = leaf.allowed_blocks().map(|block| block.number).collect();
	numbers.windows(2).all(|pair| pair[1].checked_add(1) == Some(pair[0]))
}
