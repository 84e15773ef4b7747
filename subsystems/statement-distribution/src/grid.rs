//! What neighbours in the grid know of backed candidates at one scheduling parent: manifests, acknowledgements and, once
//! both sides exchanged them, statements that go directly (backing pipeline §4.5).

use crate::{filter::Kind, grid_view::GroupView, votes::Votes};
use headway_machine::{by_hash::ByHash, wire::StatementFilter, Sizes};
use headway_primitives::{CandidateHash, CompactStatement, GroupIndex, Hash, ParaId, ValidatorIndex};
use std::collections::{BTreeMap, BTreeSet};

/// How somebody says that he knows a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ManifestKind {
	/// On his own accord, with all that identifies the candidate.
	Full,
	/// In answer to a full manifest.
	Acknowledgement,
}

/// What a manifest says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ManifestSummary {
	/// The group that backed the candidate.
	pub(crate) group: GroupIndex,
	/// The para.
	pub(crate) para: ParaId,
	/// Hash of the head data that it builds on.
	pub(crate) parent_head_data_hash: Hash,
	/// Statements that the sender knows.
	pub(crate) knowledge: StatementFilter,
}

/// What a neighbour said in a manifest: a [`ManifestSummary`], as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Announced {
	/// The group that backed the candidate.
	pub(crate) group: GroupIndex,
	para: ParaId,
	parent_head_data_hash: Hash,
	/// Statements that it knows.
	pub(crate) knowledge: Votes,
}

impl From<&ManifestSummary> for Announced {
	fn from(manifest: &ManifestSummary) -> Self {
		let ManifestSummary { group, para, parent_head_data_hash, knowledge } = manifest;
		Self {
			group: *group,
			para: *para,
			parent_head_data_hash: *parent_head_data_hash,
			knowledge: Votes::from(knowledge),
		}
	}
}

/// What a manifest about a candidate of a group must keep to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ManifestRules {
	/// Members of the group.
	pub(crate) group_size: usize,
	/// Votes that it takes to back a candidate.
	pub(crate) threshold: usize,
	/// Candidates of the para that each member may propose.
	pub(crate) seconding_limit: usize,
}

impl ManifestRules {
	/// Most manifests about different candidates of the para that one neighbour may send: each shows a proposal.
	pub(crate) fn manifests_max(&self) -> usize {
		self.group_size * self.seconding_limit
	}
}

/// Why a manifest is rejected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ManifestError {
	/// The sender is not expected to send it.
	Disallowed,
	/// Bit vectors of the wrong length, or nobody seconded.
	Malformed,
	/// Too few votes to back the candidate.
	Insufficient,
	/// It contradicts what the same sender said before.
	Conflicting,
	/// The sender says that a member proposed more candidates than it may.
	Overflow,
}

/// Manifests that one validator sent.
#[derive(Debug, Default)]
struct Received {
	manifests: ByHash<CandidateHash, Announced>,
	/// How many candidates each member of a group proposed for a para, by these manifests.
	seconded: BTreeMap<(GroupIndex, ParaId), Vec<usize>>,
}

impl Received {
	fn import(
		&mut self,
		rules: ManifestRules,
		candidate: CandidateHash,
		manifest: Announced,
	) -> Result<(), ManifestError> {
		let previous = self.manifests.get(&candidate);
		if let Some(previous) = previous {
			let agrees = previous.group == manifest.group
				&& previous.para == manifest.para
				&& previous.parent_head_data_hash == manifest.parent_head_data_hash
				&& manifest.knowledge.is_superset(&previous.knowledge);
			if !agrees {
				return Err(ManifestError::Conflicting);
			}
		}
		// Only what is new counts: a repeated manifest is no new proposal.
		let none = manifest.knowledge.to_none();
		let known = previous.map_or(&none, |previous| &previous.knowledge);
		let fresh = manifest.knowledge.without(known).filter(|(_, kind)| *kind == Kind::Seconded);
		let fresh: Vec<usize> = fresh.map(|(position, _)| position).collect();
		let counts = self.seconded.entry((manifest.group, manifest.para));
		let counts = counts.or_insert_with(|| vec![0; rules.group_size]);
		if fresh.iter().any(|position| counts[*position] >= rules.seconding_limit) {
			return Err(ManifestError::Overflow);
		}
		fresh.into_iter().for_each(|position| counts[position] += 1);
		self.manifests.insert(candidate, manifest);
		Ok(())
	}
}

/// What we and a neighbour told each other about a candidate.
#[derive(Debug, Default)]
struct Mutual {
	/// What it knows; none until it sent a manifest or an acknowledgement.
	remote: Option<Votes>,
	/// What we told it; none until we sent a manifest or an acknowledgement.
	local: Option<Votes>,
	/// What it sent us directly.
	received: Option<Votes>,
}

impl Mutual {
	fn exchanged(&self) -> bool {
		self.remote.is_some() && self.local.is_some()
	}
}

/// A candidate that is backed as far as we know.
#[derive(Debug)]
struct Backed {
	group: GroupIndex,
	/// Statements that we hold.
	known: Votes,
	mutual: BTreeMap<ValidatorIndex, Mutual>,
}

impl Backed {
	/// Statements that a neighbour is to get: those that we hold and it lacks, once manifests were exchanged.
	fn missing(&self, validator: ValidatorIndex) -> Vec<(usize, Kind)> {
		let mutual = self.mutual.get(&validator).filter(|mutual| mutual.exchanged());
		let remote = mutual.and_then(|mutual| mutual.remote.as_ref());
		remote.into_iter().flat_map(|remote| self.known.without(remote)).collect()
	}
}

/// Where a direct statement about a backed candidate could come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Provider {
	/// The neighbour.
	pub(crate) validator: ValidatorIndex,
	/// Whether we told it already that we have the statement.
	pub(crate) knows_that_we_know: bool,
}

/// Knowledge of our neighbours about the backed candidates of one scheduling parent.
///
/// # Bounds
///
/// - `received`: per neighbour of the receive (or, for acknowledgements, send) set, group and para, as many manifests as
///   the group's members may propose: each shows at least one proposal, and proposals are counted.
/// - `unconfirmed`: as `received`, turned around.
/// - `backed`: candidates that our own backing found backed, so at most what groups may propose; `mutual` holds neighbours
///   of the send and receive sets, at most `2·√n`.
/// - `pending_manifests`: neighbours times backed candidates.
///
/// To fill `received`, a neighbour lies about backed candidates, of which each costs us one request and it a
/// `CostMajor` when its answer does not hold.
#[derive(Debug, Default)]
pub(crate) struct GridTracker {
	received: BTreeMap<ValidatorIndex, Received>,
	unconfirmed: ByHash<CandidateHash, BTreeSet<ValidatorIndex>>,
	backed: ByHash<CandidateHash, Backed>,
	pending_manifests: BTreeMap<ValidatorIndex, BTreeMap<CandidateHash, ManifestKind>>,
}

impl GridTracker {
	/// Takes a manifest. True if it is to be acknowledged.
	pub(crate) fn import_manifest(
		&mut self,
		view: &GroupView,
		rules: ManifestRules,
		candidate: CandidateHash,
		manifest: ManifestSummary,
		kind: ManifestKind,
		sender: ValidatorIndex,
	) -> Result<bool, ManifestError> {
		let sent = self.has_sent(sender, candidate);
		let allowed = match kind {
			ManifestKind::Full => view.receiving.contains(&sender),
			ManifestKind::Acknowledgement => view.sending.contains(&sender) && sent,
		};
		if !allowed {
			return Err(ManifestError::Disallowed);
		}
		if !manifest.knowledge.has_len(rules.group_size) {
			return Err(ManifestError::Malformed);
		}
		let manifest = Announced::from(&manifest);
		if !manifest.knowledge.has_seconded() {
			return Err(ManifestError::Malformed);
		}
		if manifest.knowledge.backing_validators() < rules.threshold {
			return Err(ManifestError::Insufficient);
		}
		let (group, knowledge) = (manifest.group, manifest.knowledge.clone());
		self.received.entry(sender).or_default().import(rules, candidate, manifest)?;
		match self.backed.get_mut(&candidate) {
			Some(backed) if backed.group == group => {
				let mutual = backed.mutual.entry(sender).or_default();
				// It may have sent or got more since the manifest was written.
				match &mut mutual.remote {
					Some(remote) => remote.extend(&knowledge),
					None => mutual.remote = Some(knowledge),
				}
				let acknowledge = kind == ManifestKind::Full && !sent;
				if acknowledge {
					let pending = self.pending_manifests.entry(sender).or_default();
					pending.insert(candidate, ManifestKind::Acknowledgement);
				}
				Ok(acknowledge)
			},
			// It claims another group: the claim is judged elsewhere.
			Some(_) => Ok(false),
			None => {
				self.unconfirmed.entry(candidate).or_default().insert(sender);
				Ok(false)
			},
		}
	}

	/// Notes that a candidate is backed. Answers who is to be told, and how.
	pub(crate) fn add_backed(
		&mut self,
		view: Option<&GroupView>,
		candidate: CandidateHash,
		group: GroupIndex,
		known: Votes,
	) -> Vec<(ValidatorIndex, ManifestKind)> {
		if self.backed.contains_key(&candidate) {
			return Vec::new();
		}
		let mut mutual = BTreeMap::<ValidatorIndex, Mutual>::new();
		for sender in self.unconfirmed.remove(&candidate).into_iter().flatten() {
			let manifest = self.received.get(&sender).and_then(|received| received.manifests.get(&candidate));
			if let Some(manifest) = manifest.filter(|manifest| manifest.group == group) {
				mutual.entry(sender).or_default().remote = Some(manifest.knowledge.clone());
			}
		}
		self.backed.insert(candidate, Backed { group, known, mutual });
		view.map(|view| self.queue_manifests(view, candidate)).unwrap_or_default()
	}

	/// Candidates that are backed, with their groups, by hash.
	pub(crate) fn backed(&self) -> Vec<(CandidateHash, GroupIndex)> {
		let backed = self.backed.iter().map(|(candidate, backed)| (*candidate, backed.group));
		let mut backed: Vec<_> = backed.collect();
		backed.sort();
		backed
	}

	/// Candidates of which we exchanged manifests with a neighbour, by hash.
	pub(crate) fn exchanged(&self, validator: ValidatorIndex) -> Vec<CandidateHash> {
		let exchanged = self
			.backed
			.iter()
			.filter(|(_, backed)| backed.mutual.get(&validator).is_some_and(|mutual| mutual.exchanged()));
		let mut exchanged: Vec<_> = exchanged.map(|(candidate, _)| *candidate).collect();
		exchanged.sort();
		exchanged
	}

	/// Queues what neighbours are to be told about a backed candidate: also when the topology comes after the candidate.
	/// Answers who is to be told, and how.
	pub(crate) fn queue_manifests(
		&mut self,
		view: &GroupView,
		candidate: CandidateHash,
	) -> Vec<(ValidatorIndex, ManifestKind)> {
		let Some(backed) = self.backed.get(&candidate) else { return Vec::new() };
		let mutual = |validator: &ValidatorIndex| backed.mutual.get(validator);
		let mut targets: BTreeMap<_, _> =
			view.sending.iter().map(|validator| (*validator, ManifestKind::Full)).collect();
		// To somebody who told us already, an acknowledgement says all.
		let told = view.receiving.iter().filter(|v| mutual(v).is_some_and(|mutual| mutual.remote.is_some()));
		targets.extend(told.map(|validator| (*validator, ManifestKind::Acknowledgement)));
		targets.retain(|validator, _| mutual(validator).is_none_or(|mutual| mutual.local.is_none()));
		for (validator, kind) in &targets {
			self.pending_manifests.entry(*validator).or_default().insert(candidate, *kind);
		}
		targets.into_iter().collect()
	}

	/// Manifests and acknowledgements to be sent to a neighbour.
	pub(crate) fn pending_manifests(&self, validator: ValidatorIndex) -> Vec<(CandidateHash, ManifestKind)> {
		let pending = self.pending_manifests.get(&validator).into_iter().flatten();
		pending.map(|(candidate, kind)| (*candidate, *kind)).collect()
	}

	/// Notes that we sent a manifest or an acknowledgement that says that we know `knowledge`.
	pub(crate) fn manifest_sent(
		&mut self,
		validator: ValidatorIndex,
		candidate: CandidateHash,
		knowledge: Votes,
	) {
		if let Some(pending) = self.pending_manifests.get_mut(&validator) {
			pending.remove(&candidate);
		}
		if let Some(backed) = self.backed.get_mut(&candidate) {
			backed.mutual.entry(validator).or_default().local = Some(knowledge);
		}
	}

	/// Statements about a candidate to be sent to a neighbour, `Seconded` first: position in the group and kind.
	pub(crate) fn pending_statements(
		&self,
		validator: ValidatorIndex,
		candidate: CandidateHash,
	) -> Vec<(usize, Kind)> {
		self.backed.get(&candidate).map(|backed| backed.missing(validator)).unwrap_or_default()
	}

	/// Neighbours that a statement is to be sent to: manifests were exchanged, and they lack it.
	pub(crate) fn statement_targets(
		&self,
		candidate: CandidateHash,
		group: GroupIndex,
		position: usize,
		kind: Kind,
	) -> Vec<ValidatorIndex> {
		let backed = self.backed.get(&candidate).filter(|backed| backed.group == group);
		let lacks = |mutual: &Mutual| {
			mutual.exchanged()
				&& !mutual.remote.as_ref().is_some_and(|remote| remote.contains(position, kind))
		};
		let mutual = backed.into_iter().flat_map(|backed| &backed.mutual);
		mutual.filter(|(_, mutual)| lacks(mutual)).map(|(validator, _)| *validator).collect()
	}

	/// Those of some neighbours that may send us a statement directly: manifests were exchanged, and they did not send it
	/// yet.
	pub(crate) fn statement_providers(
		&self,
		among: &[ValidatorIndex],
		candidate: CandidateHash,
		group: GroupIndex,
		position: usize,
		kind: Kind,
	) -> Vec<Provider> {
		let has = |votes: &Option<Votes>| votes.as_ref().is_some_and(|votes| votes.contains(position, kind));
		let Some(backed) = self.backed.get(&candidate).filter(|backed| backed.group == group) else {
			return Vec::new();
		};
		among
			.iter()
			.filter_map(|validator| Some((validator, backed.mutual.get(validator)?)))
			.filter(|(_, mutual)| mutual.exchanged() && !has(&mutual.received))
			.map(|(validator, mutual)| Provider {
				validator: *validator,
				knows_that_we_know: has(&mutual.local),
			})
			.collect()
	}

	/// Notes that a statement went to (or, if `received`, came from) a neighbour: both know of each other that they know.
	pub(crate) fn note_direct(
		&mut self,
		candidate: CandidateHash,
		position: usize,
		kind: Kind,
		counterparty: ValidatorIndex,
		received: bool,
	) {
		let Some(backed) = self.backed.get_mut(&candidate) else { return };
		let Some(mutual) = backed.mutual.get_mut(&counterparty) else { return };
		if let (Some(remote), Some(local)) = (&mut mutual.remote, &mut mutual.local) {
			remote.insert(position, kind);
			local.insert(position, kind);
			if received {
				let received = mutual.received.get_or_insert_with(|| backed.known.to_none());
				received.insert(position, kind);
			}
		}
	}

	/// Notes a statement that we learned, whichever way: neighbours that lack it are to get it.
	pub(crate) fn learned(
		&mut self,
		candidate: CandidateHash,
		group: GroupIndex,
		position: usize,
		kind: Kind,
	) {
		if let Some(backed) = self.backed.get_mut(&candidate).filter(|backed| backed.group == group) {
			backed.known.insert(position, kind);
		}
	}

	/// Whether a neighbour may ask us for the candidate: we told it, and it did not tell us.
	pub(crate) fn can_request(&self, validator: ValidatorIndex, candidate: CandidateHash) -> bool {
		let mutual = self.backed.get(&candidate).and_then(|backed| backed.mutual.get(&validator));
		mutual.is_some_and(|mutual| mutual.local.is_some() && mutual.remote.is_none())
	}

	/// What a neighbour said in a manifest that it knows about a candidate.
	pub(crate) fn advertised(
		&self,
		validator: ValidatorIndex,
		candidate: CandidateHash,
	) -> Option<&Announced> {
		self.received.get(&validator)?.manifests.get(&candidate)
	}

	/// Notes how full it is, given how many candidates there can be, and how many manifests of a neighbour about candidates
	/// of a para by a group.
	pub(crate) fn sizes(
		&self,
		candidates_max: usize,
		manifests_max: impl Fn(GroupIndex, ParaId) -> usize,
		sizes: &mut Sizes,
	) {
		for received in self.received.values() {
			let mut of_para = BTreeMap::<_, usize>::new();
			received.manifests.values().for_each(|m| *of_para.entry((m.group, m.para)).or_default() += 1);
			of_para.iter().for_each(|((group, para), count)| {
				sizes.note("manifests", *count, manifests_max(*group, *para));
			});
		}
		let manifests = self.received.values().map(|received| received.manifests.len()).sum();
		let unconfirmed = self.unconfirmed.values().map(BTreeSet::len).sum();
		sizes.note("unconfirmed", unconfirmed, manifests);
		sizes.note("backed", self.backed.len(), candidates_max);
		for pending in self.pending_manifests.values() {
			sizes.note("pending_manifests", pending.len(), self.backed.len());
		}
	}

	fn has_sent(&self, validator: ValidatorIndex, candidate: CandidateHash) -> bool {
		let mutual = self.backed.get(&candidate).and_then(|backed| backed.mutual.get(&validator));
		mutual.is_some_and(|mutual| mutual.local.is_some())
	}
}

#[cfg(any(test, feature = "fuzzing"))]
impl GridTracker {
	/// Whether all that it knows is of our neighbours, and about what it knows.
	pub(crate) fn knows_only_neighbors(&self, is_neighbor: impl Fn(&ValidatorIndex) -> bool) -> bool {
		let received = self.received.keys().all(&is_neighbor);
		let unconfirmed = self.unconfirmed.iter().all(|(candidate, senders)| {
			senders.iter().all(|sender| self.advertised(*sender, *candidate).is_some())
		});
		let mutual = self.backed.values().all(|backed| backed.mutual.keys().all(&is_neighbor));
		let pending = self.pending_manifests.iter().all(|(neighbor, candidates)| {
			is_neighbor(neighbor) && candidates.keys().all(|candidate| self.backed.contains_key(candidate))
		});
		received && unconfirmed && mutual && pending
	}
}

/// A statement of a member of a group.
pub(crate) fn statement_of(
	group: &[ValidatorIndex],
	candidate: CandidateHash,
	(position, kind): (usize, Kind),
) -> Option<(ValidatorIndex, CompactStatement)> {
	group.get(position).map(|validator| (*validator, kind.statement(candidate)))
}

#[cfg(test)]
mod tests;
