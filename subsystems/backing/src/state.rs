//! What backing keeps per scheduling parent.

use crate::{votes::Said, Table};
use headway_machine::{BlockContext, Token};
use headway_primitives::{
	CandidateHash, CandidateReceiptV2, CommittedCandidateReceiptV2, CoreIndex, Hash, ParaId,
	PersistedValidationData, PoV, SignedFullStatement, ValidatorId, ValidatorIndex,
};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
};

/// Our place at a scheduling parent.
#[derive(Clone, Debug)]
pub(crate) struct LocalValidator {
	pub(crate) index: ValidatorIndex,
	pub(crate) key: ValidatorId,
	/// The core that our group is responsible for; none without a group, or when nobody is scheduled on its
	/// core.
	pub(crate) core: Option<CoreIndex>,
}

/// Why a candidate is validated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
	/// To second it, which a collation's fetcher waits for.
	Second,
	/// To vote for it.
	Attest,
}

/// A candidate on its way to our vote.
#[derive(Clone, Debug)]
pub(crate) struct Job {
	pub(crate) purpose: Purpose,
	pub(crate) receipt: CandidateReceiptV2,
	pub(crate) validation_data: Arc<PersistedValidationData>,
	pub(crate) pov: Option<Arc<PoV>>,
	/// Known since it was found valid, or from somebody's `Seconded`.
	pub(crate) committed: Option<Arc<CommittedCandidateReceiptV2>>,
	/// Our vote, while it is being written.
	pub(crate) signed: Option<SignedFullStatement>,
	/// The question whose answer the job waits for.
	pub(crate) waits_for: Option<Token>,
}

/// A candidate that others seconded and we may vote for: whom its proof of validity can be had from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attesting {
	/// Those not asked yet, in the order in which they voted.
	pub(crate) sources: VecDeque<ValidatorIndex>,
}

/// State of one scheduling parent.
///
/// # Bounds
///
/// - `table`: see there; `backed`, `said`, `attesting` are about its candidates, those of our jobs, and those that we voted
///   for in a former life.
/// - `jobs`: one per candidate. Those to second come from the collator protocol, which fetches no more than
///   the claim queue has places for; those to attest are candidates of the table.
/// - sources of one candidate: members of the group.
#[derive(Debug)]
pub(crate) struct SchedulingParent {
	pub(crate) block: Arc<BlockContext>,
	pub(crate) local: Option<LocalValidator>,
	pub(crate) table: Table,
	/// Candidates that have enough votes, and that was said.
	pub(crate) backed: BTreeSet<CandidateHash>,
	/// What we said and found out here, in former lives as well.
	pub(crate) said: Said,
	pub(crate) jobs: BTreeMap<CandidateHash, Job>,
	pub(crate) attesting: BTreeMap<CandidateHash, Attesting>,
}

impl SchedulingParent {
	pub(crate) fn new(block: Arc<BlockContext>) -> Self {
		let groups = block.claim_queue.keys().filter_map(|core| {
			let members = block.session.group(block.group_for_core(*core))?;
			Some((*core, members.to_vec()))
		});
		let table = Table::new(groups.collect(), block.minimum_backing_votes);
		let local = block.session.local_validator.and_then(|index| {
			let core = block.local_assignment().map(|(_, core)| core);
			Some(LocalValidator {
				index,
				key: block.session.validator(index)?.clone(),
				core: core.filter(|core| block.claim_queue.contains_key(core)),
			})
		});
		Self {
			block,
			local,
			table,
			backed: BTreeSet::new(),
			said: Said::default(),
			jobs: BTreeMap::new(),
			attesting: BTreeMap::new(),
		}
	}

	/// The core that a validator's group is responsible for; none if there is no such core.
	pub(crate) fn core_of(&self, validator: ValidatorIndex) -> Option<CoreIndex> {
		let core = self.block.core_for_group(self.block.session.group_of(validator)?);
		(core.0 < self.block.n_groups()).then_some(core)
	}

	/// Whether the para has a place on the core, at any depth.
	pub(crate) fn is_scheduled(&self, core: CoreIndex, para: ParaId) -> bool {
		self.block.claim_queue.get(&core).is_some_and(|paras| paras.contains(&para))
	}

	/// How many candidates a validator may second for the core: as many as the claim queue has places.
	pub(crate) fn places(&self, core: CoreIndex) -> usize {
		self.block.claim_queue.get(&core).map_or(0, VecDeque::len)
	}

	/// Whether we have not seconded as many other candidates as we may: a former life may have used up our places.
	pub(crate) fn has_place_for(&self, candidate_hash: &CandidateHash) -> bool {
		let Some(core) = self.local.as_ref().and_then(|local| local.core) else { return true };
		self.said.votes.contains_key(candidate_hash) || self.said.n_seconded() < self.places(core)
	}

	/// Ourselves, if we may make statements here.
	pub(crate) fn enabled_local(&self) -> Option<&LocalValidator> {
		self.local.as_ref().filter(|local| !self.block.is_disabled(local.index))
	}
}

/// A candidate that prospective parachains know, because somebody seconded it.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
	pub(crate) scheduling_parent: Hash,
	pub(crate) para: ParaId,
	pub(crate) validation_data: Arc<PersistedValidationData>,
	/// Whether it was us who seconded it.
	pub(crate) seconded_locally: bool,
}
