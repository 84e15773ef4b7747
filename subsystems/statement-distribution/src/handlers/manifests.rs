//! Manifests and acknowledgements (backing pipeline §4.7), and candidates that our backing found backed (§4.5).

use super::{About, Ctx, Refusal};
use crate::{
	candidates::Claim,
	filter,
	grid::{ManifestError, ManifestKind, ManifestSummary},
	requests::{Origin, RequestId},
	StatementDistribution,
};
use headway_machine::{
	wire::{BackedCandidateAcknowledgement, BackedCandidateManifest},
	HypotheticalCandidate, PeerId, Reason,
};
use headway_primitives::{CandidateHash, Hash, ValidatorIndex};

impl StatementDistribution {
	pub(super) fn on_manifest(&mut self, ctx: &mut Ctx, peer: &PeerId, manifest: BackedCandidateManifest) {
		let mut about = About::new(manifest.scheduling_parent, manifest.candidate_hash);
		about.para = Some(manifest.para_id);
		if let Err(refusal) = self.accept_manifest(ctx, peer, manifest) {
			ctx.refuse(peer, about, refusal);
		}
	}

	fn accept_manifest(
		&mut self,
		ctx: &mut Ctx,
		peer: &PeerId,
		manifest: BackedCandidateManifest,
	) -> Result<(), Refusal> {
		self.park_before_topology(peer, &manifest)?;
		let (scheduling_parent, candidate, group) =
			(manifest.scheduling_parent, manifest.candidate_hash, manifest.group_index);
		let summary = ManifestSummary {
			group,
			para: manifest.para_id,
			parent_head_data_hash: manifest.parent_head_data_hash,
			knowledge: manifest.statement_knowledge,
		};
		let (sender, acknowledge) =
			self.import_manifest(peer, scheduling_parent, candidate, summary, ManifestKind::Full)?;
		if acknowledge {
			let kind = ManifestKind::Acknowledgement;
			let to = vec![(peer.clone(), sender)];
			self.send_manifests(ctx, &scheduling_parent, candidate, kind, to);
		} else if self.candidates.confirmed(candidate).is_some() {
			// If both sides announced it at once, that is an exchange too.
			self.send_direct_statements(ctx, peer, sender, &scheduling_parent, candidate);
		} else {
			let id = RequestId { scheduling_parent, candidate, group };
			self.requests.add_source(id, Origin::Unspecified, peer);
		}
		Ok(())
	}

	pub(super) fn on_acknowledgement(
		&mut self,
		ctx: &mut Ctx,
		peer: &PeerId,
		known: BackedCandidateAcknowledgement,
	) {
		let about = About::candidate(known.candidate_hash);
		if let Err(refusal) = self.accept_acknowledgement(ctx, peer, known) {
			ctx.refuse(peer, about, refusal);
		}
	}

	fn accept_acknowledgement(
		&mut self,
		ctx: &mut Ctx,
		peer: &PeerId,
		known: BackedCandidateAcknowledgement,
	) -> Result<(), Refusal> {
		let candidate = known.candidate_hash;
		if !self.candidates.is_known(candidate) {
			// It may have gone with its scheduling parent.
			return Err(Refusal::silent(Reason::OutOfView));
		}
		let Some(confirmed) = self.candidates.confirmed(candidate) else {
			return Err(Refusal::minor(
				Reason::UnexpectedMessage,
				"acknowledgement of an unconfirmed candidate",
			));
		};
		let scheduling_parent = confirmed.scheduling_parent();
		let summary = ManifestSummary {
			group: confirmed.group,
			para: confirmed.para(),
			parent_head_data_hash: confirmed.parent_head_data_hash,
			knowledge: known.statement_knowledge,
		};
		let kind = ManifestKind::Acknowledgement;
		let (sender, _) = self.import_manifest(peer, scheduling_parent, candidate, summary, kind)?;
		self.send_direct_statements(ctx, peer, sender, &scheduling_parent, candidate);
		Ok(())
	}

	/// Keeps a manifest that came before the topology, with which alone it can be judged; then it is refused for now.
	fn park_before_topology(
		&mut self,
		peer: &PeerId,
		manifest: &BackedCandidateManifest,
	) -> Result<(), Refusal> {
		let Some(parent) = self.parents.get(&manifest.scheduling_parent) else { return Ok(()) };
		let Some(session) = self.sessions.get_mut(parent.session) else { return Ok(()) };
		if session.grid.is_some() {
			return Ok(());
		}
		let Some(sender) = self.peers.validators(peer, session).first().copied() else { return Ok(()) };
		match session.park(sender, peer, manifest.clone()) {
			true => Err(Refusal::silent(Reason::TopologyUnknown)),
			false => Err(Refusal::silent(Reason::CapacityReached)),
		}
	}

	/// Checks a manifest or an acknowledgement and notes what it says. Answers which validator sent it, and whether it is to
	/// be acknowledged.
	fn import_manifest(
		&mut self,
		peer: &PeerId,
		scheduling_parent: Hash,
		candidate: CandidateHash,
		mut summary: ManifestSummary,
		kind: ManifestKind,
	) -> Result<(ValidatorIndex, bool), Refusal> {
		let unknown =
			Refusal::minor(Reason::UnknownSchedulingParent, "manifest for unknown scheduling parent");
		let parent = self.parents.get_mut(&scheduling_parent).ok_or(unknown)?;
		let session = self.sessions.get(parent.session);
		let session = session.ok_or(Refusal::silent(Reason::UnknownSession))?;
		if session.local_index().is_none() {
			return Err(Refusal::minor(Reason::NotValidator, "manifest to a node that is no validator"));
		}
		let unexpected = Refusal::minor(Reason::UnexpectedMessage, "manifest from an unexpected peer");
		let grid = session.grid.as_ref().ok_or(unexpected)?;
		let view = grid.group(summary.group).ok_or(unexpected)?;
		let expected = match kind {
			ManifestKind::Full => &view.receiving,
			ManifestKind::Acknowledgement => &view.sending,
		};
		let owned = self.peers.validators(peer, session);
		let sender = owned.into_iter().find(|validator| expected.contains(validator)).ok_or(unexpected)?;
		if !parent.is_assigned(summary.group, summary.para) {
			return Err(Refusal::major(
				Reason::ParaNotScheduled,
				"manifest for a para that is not the group's",
			));
		}
		let members = parent.groups.get(summary.group).unwrap_or_default();
		filter::clear_members(&mut summary.knowledge, members, |member| parent.block.is_disabled(member));

		let rules = parent.manifest_rules(summary.group, summary.para);
		let claim = Claim {
			scheduling_parent,
			group: summary.group,
			parent_and_para: Some((summary.parent_head_data_hash, summary.para)),
		};
		let acknowledge = parent.grid.import_manifest(view, rules, candidate, summary, kind, sender);
		let acknowledge = acknowledge.map_err(|error| match error {
			ManifestError::Disallowed => unexpected,
			ManifestError::Malformed => Refusal::major(Reason::MalformedMessage, "malformed manifest"),
			ManifestError::Insufficient => Refusal::major(Reason::TooFewVotes, "manifest with too few votes"),
			ManifestError::Conflicting => Refusal::major(Reason::CandidateMismatch, "conflicting manifest"),
			ManifestError::Overflow => {
				Refusal::minor(Reason::ExcessiveMessages, "manifest with too many candidates seconded")
			},
		})?;
		if self.candidates.claim(peer, candidate, claim).is_err() {
			return Err(Refusal::major(Reason::CandidateMismatch, "manifest contradicts the candidate"));
		}
		Ok((sender, acknowledge))
	}

	pub(crate) fn on_backed(&mut self, ctx: &mut Ctx, candidate: CandidateHash) {
		let Some(confirmed) = self.candidates.confirmed(candidate) else {
			// Out of view by now: whatever is backed was confirmed before.
			ctx.dropped(About::candidate(candidate), Reason::OutOfView);
			return;
		};
		let (scheduling_parent, para) = (confirmed.scheduling_parent(), confirmed.para());
		let head = confirmed.receipt.commitments.head_data.hash();
		self.announce(ctx, candidate, scheduling_parent);
		let children: Vec<HypotheticalCandidate> =
			self.candidates.children(head, para).map(|child| child.hypothetical()).collect();
		self.query_membership(ctx, children, None);
	}

	/// Tells neighbours of a backed candidate, as far as they are at its scheduling parent.
	fn announce(&mut self, ctx: &mut Ctx, candidate: CandidateHash, scheduling_parent: Hash) {
		let Some(group) = self.candidates.confirmed(candidate).map(|confirmed| confirmed.group) else {
			return;
		};
		let Some(parent) = self.parents.get_mut(&scheduling_parent) else { return };
		let Some(session) = self.sessions.get(parent.session) else { return };
		let known = parent.store.votes(group, candidate);
		let view = session.grid.as_ref().and_then(|grid| grid.group(group));
		let targets = parent.grid.add_backed(view, candidate, group, known);
		let peers = targets.into_iter().filter_map(|(validator, kind)| {
			let peer = self.peers.of_validator(validator, session)?;
			self.peers.knows(peer, &scheduling_parent).then(|| (peer.clone(), validator, kind))
		});
		let (to_announce, to_acknowledge): (Vec<_>, Vec<_>) =
			peers.partition(|(_, _, kind)| *kind == ManifestKind::Full);
		for (kind, to) in [(ManifestKind::Full, to_announce), (ManifestKind::Acknowledgement, to_acknowledge)]
		{
			let to = to.into_iter().map(|(peer, validator, _)| (peer, validator)).collect();
			self.send_manifests(ctx, &scheduling_parent, candidate, kind, to);
		}
	}
}
