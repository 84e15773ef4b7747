//! Sending: statements to the cluster and the grid, manifests and acknowledgements (backing pipeline §4.6, §4.12).

use super::Ctx;
use crate::{
	filter::Kind,
	grid::{statement_of, ManifestKind},
	parent::ParentState,
	StatementDistribution,
};
use headway_machine::{
	wire::{BackedCandidateAcknowledgement, BackedCandidateManifest, StatementMessage},
	PeerId,
};
use headway_primitives::{CandidateHash, CompactStatement, Hash, ValidatorIndex};

impl StatementDistribution {
	/// Sends a stored statement to everybody who may have it now. Only of confirmed candidates: whoever gets it may ask us
	/// for the candidate.
	pub(super) fn circulate(
		&mut self,
		ctx: &mut Ctx,
		scheduling_parent: &Hash,
		originator: ValidatorIndex,
		statement: CompactStatement,
	) {
		let candidate = statement.candidate_hash();
		if self.candidates.confirmed(candidate).is_none() {
			return;
		}
		let Some(parent) = self.parents.get_mut(scheduling_parent) else { return };
		let Some(session) = self.sessions.get(parent.session) else { return };
		let Some((group, position)) = parent.groups.locate(originator) else { return };
		let Some(message) = message_of(parent, scheduling_parent, originator, &statement) else { return };
		let peers = &self.peers;
		let peer_of = |validator: ValidatorIndex| {
			let peer = peers.of_validator(validator, session)?;
			peers.knows(peer, scheduling_parent).then(|| peer.clone())
		};
		let mut recipients = Vec::new();
		let mut members = Vec::new();
		if let Some(cluster) = parent.cluster_of(group) {
			members.extend(cluster.tracker.members());
			for member in members.iter().copied().filter(|member| *member != cluster.local) {
				if cluster.tracker.can_send(member, originator, statement).is_ok() {
					if let Some(peer) = peer_of(member) {
						cluster.tracker.note_sent(member, originator, statement);
						recipients.push(peer);
					}
				}
			}
		}
		let kind = Kind::of(&statement);
		for neighbor in parent.grid.statement_targets(candidate, group, position, kind) {
			if let Some(peer) = peer_of(neighbor).filter(|_| !members.contains(&neighbor)) {
				parent.grid.note_direct(candidate, position, kind, neighbor, false);
				recipients.push(peer);
			}
		}
		recipients.sort();
		recipients.dedup();
		ctx.send(recipients, message);
	}

	/// Sends a peer what waits for it at a scheduling parent: manifests and acknowledgements with the statements that follow
	/// them, then statements of our group, then those of others.
	pub(super) fn send_pending(&mut self, ctx: &mut Ctx, peer: &PeerId, scheduling_parent: &Hash) {
		let Some(parent) = self.parents.get(scheduling_parent) else { return };
		let Some(session) = self.sessions.get(parent.session) else { return };
		let mut validators = self.peers.validators(peer, session);
		// Another peer may be the one that gets the messages for the key.
		validators.retain(|validator| {
			self.peers.of_validator(*validator, session) == Some(peer)
				&& session.local_index() != Some(*validator)
		});
		for validator in &validators {
			self.send_pending_manifests(ctx, peer, *validator, scheduling_parent);
		}
		for validator in &validators {
			self.send_pending_cluster(ctx, peer, *validator, scheduling_parent);
		}
		for validator in &validators {
			self.send_pending_statements(ctx, peer, *validator, scheduling_parent);
		}
	}

	fn send_pending_manifests(
		&mut self,
		ctx: &mut Ctx,
		peer: &PeerId,
		validator: ValidatorIndex,
		scheduling_parent: &Hash,
	) {
		let pending =
			self.parents.get(scheduling_parent).map(|parent| parent.grid.pending_manifests(validator));
		for (candidate, kind) in pending.into_iter().flatten() {
			let to = vec![(peer.clone(), validator)];
			self.send_manifests(ctx, scheduling_parent, candidate, kind, to);
		}
	}

	/// Tells neighbours, all in the same words, that we know a backed candidate, and then each the statements that it
	/// lacks.
	pub(super) fn send_manifests(
		&mut self,
		ctx: &mut Ctx,
		scheduling_parent: &Hash,
		candidate: CandidateHash,
		kind: ManifestKind,
		to: Vec<(PeerId, ValidatorIndex)>,
	) {
		if to.is_empty() {
			return;
		}
		let Some(parent) = self.parents.get_mut(scheduling_parent) else { return };
		let Some(confirmed) = self.candidates.confirmed(candidate) else { return };
		let known = parent.store.votes(confirmed.group, candidate);
		for (_, validator) in &to {
			parent.grid.manifest_sent(*validator, candidate, known.clone());
		}
		let statement_knowledge = known.to_filter();
		let message = match kind {
			ManifestKind::Full => StatementMessage::BackedCandidateManifest(BackedCandidateManifest {
				scheduling_parent: *scheduling_parent,
				candidate_hash: candidate,
				group_index: confirmed.group,
				para_id: confirmed.para(),
				parent_head_data_hash: confirmed.parent_head_data_hash,
				statement_knowledge,
			}),
			ManifestKind::Acknowledgement => {
				StatementMessage::BackedCandidateKnown(BackedCandidateAcknowledgement {
					candidate_hash: candidate,
					statement_knowledge,
				})
			},
		};
		ctx.send(to.iter().map(|(peer, _)| peer.clone()).collect(), message);
		for (peer, validator) in &to {
			self.send_direct_statements(ctx, peer, *validator, scheduling_parent, candidate);
		}
	}

	/// Sends a neighbour the statements about a backed candidate that it lacks, if manifests were exchanged.
	pub(super) fn send_direct_statements(
		&mut self,
		ctx: &mut Ctx,
		peer: &PeerId,
		validator: ValidatorIndex,
		scheduling_parent: &Hash,
		candidate: CandidateHash,
	) {
		let Some(parent) = self.parents.get_mut(scheduling_parent) else { return };
		let Some(confirmed) = self.candidates.confirmed(candidate) else { return };
		for (position, kind) in parent.grid.pending_statements(validator, candidate) {
			let group = parent.groups.get(confirmed.group).unwrap_or_default();
			let Some((originator, statement)) = statement_of(group, candidate, (position, kind)) else {
				continue;
			};
			if let Some(message) = message_of(parent, scheduling_parent, originator, &statement) {
				parent.grid.note_direct(candidate, position, kind, validator, false);
				ctx.send(vec![peer.clone()], message);
			}
		}
	}

	fn send_pending_cluster(
		&mut self,
		ctx: &mut Ctx,
		peer: &PeerId,
		validator: ValidatorIndex,
		scheduling_parent: &Hash,
	) {
		let Some(parent) = self.parents.get_mut(scheduling_parent) else { return };
		let pending = parent.cluster.as_ref().map(|cluster| cluster.tracker.pending(validator));
		for (originator, statement) in pending.into_iter().flatten() {
			if self.candidates.confirmed(statement.candidate_hash()).is_none() {
				continue;
			}
			let Some(message) = message_of(parent, scheduling_parent, originator, &statement) else {
				continue;
			};
			let Some(cluster) = parent.cluster.as_mut() else { return };
			if cluster.tracker.can_send(validator, originator, statement).is_ok() {
				cluster.tracker.note_sent(validator, originator, statement);
				ctx.send(vec![peer.clone()], message);
			}
		}
	}

	fn send_pending_statements(
		&mut self,
		ctx: &mut Ctx,
		peer: &PeerId,
		validator: ValidatorIndex,
		scheduling_parent: &Hash,
	) {
		let exchanged = self.parents.get(scheduling_parent).map(|parent| parent.grid.exchanged(validator));
		for candidate in exchanged.into_iter().flatten() {
			self.send_direct_statements(ctx, peer, validator, scheduling_parent, candidate);
		}
	}
}

fn message_of(
	parent: &ParentState,
	scheduling_parent: &Hash,
	originator: ValidatorIndex,
	statement: &CompactStatement,
) -> Option<StatementMessage> {
	let signed = parent.store.get(originator, statement)?;
	Some(StatementMessage::Statement(*scheduling_parent, signed.as_unchecked().clone()))
}
