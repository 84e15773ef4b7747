//! What becomes of what machines ask for.

use super::{
	node::{node_of, Node},
	Item, World,
};
use crate::{
	collator::{execute, Body},
	config::Fault,
	judge::Violation,
};
use headway_availability::{EncodeError, Encoding};
use headway_collator_protocol::experimental::{Notice, SignalOutcome};
use headway_machine::{
	wire::{BitfieldMessage, InboundRequest, StatementMessage, ValidationMessage},
	Effects, InboundRequestId, MisbehaviorReport, NetworkEffect, NetworkEvent, Recipient, Reputation,
	RequestError, Stage, Token, Trace, WriteOp,
};
use headway_pipeline::{Effect, Event};
use headway_primitives::{AvailableData, CommittedCandidateReceiptV2, Hash, ParaId};
use std::{collections::BTreeSet, time::Duration};

/// When a request without an answer has failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// Requests that one node may have under way: no machine asks for more than this, all of them together.
const REQUESTS_MAX: usize = 512;
/// Encodings that are remembered.
const ENCODED_MAX: usize = 64;
/// Candidates that liars know to talk about.
const CANDIDATES_MAX: usize = 64;

/// Candidates that finalized blocks included, and all paras that there are.
pub(super) type Inclusions = (Vec<CommittedCandidateReceiptV2>, Option<BTreeSet<ParaId>>);

/// Who asked, in which life, and under which token.
#[derive(Clone, Copy)]
pub(super) struct Asked {
	pub(super) node: usize,
	pub(super) life: u32,
	pub(super) token: Token,
}

impl World {
	pub(super) fn carry_out(&mut self, node: usize, mut effects: Effects<Effect>) {
		for trace in effects.take_traces() {
			self.note(node, &trace);
		}
		while let Some(effect) = effects.pop() {
			match effect {
				Effect::Network(effect) if self.nodes[node].fault().is_none() => {
					self.carry_out_network(node, effect);
				},
				Effect::Network(effect) => {
					for effect in self.tamper(node, effect) {
						self.carry_out_network(node, effect);
					}
				},
				Effect::FetchCode { token, at, code_hash } => {
					let code = self.contexts.code(at, code_hash);
					self.deliver(node, Event::Code { token, code });
				},
				Effect::Execute { token, execution } => {
					if !Body::read(&execution.pov).is_some_and(|body| body.is_valid) {
						self.judge.note_invalid(execution.candidate_hash);
					}
					let result = execute(&execution, !self.acts(node, Fault::Garbage));
					let at = self.now + self.network.execution();
					self.deliver_at(at, node, Event::Executed { token, result });
				},
				Effect::Encode { token, n_validators, data } => {
					let result = self.encode(n_validators, &data);
					self.deliver(node, Event::Encoded { token, result });
				},
				Effect::EncodeRoot { token, n_validators, data } => {
					let root = self.encode(n_validators, &data).map(|encoding| encoding.root);
					self.deliver(node, Event::EncodedRoot { token, root });
				},
				Effect::Load { token, key } => {
					let value = self.nodes[node].storage.get(&key).cloned();
					self.deliver(node, Event::Loaded { token, value });
				},
				Effect::Write { token, batch } => {
					self.write(node, batch);
					self.deliver(node, Event::Written { token, ok: true });
				},
				Effect::QueryRelayParentInfo { token, at, session_index, relay_parent } => {
					let info = self.contexts.relay_parent_info(at, session_index, relay_parent);
					self.deliver(node, Event::RelayParentInfo { token, info });
				},
				Effect::Inherent { token, data } => self.make_block(token.0, data.unwrap_or_default()),
				// Nobody asks for one here.
				Effect::FragmentChain { .. } => {},
				Effect::Misbehavior(report) => self.on_misbehavior(node, &report),
				Effect::QueryIncluded { token, hash, count } => {
					let (candidates, registered) = self.inclusions(hash, count);
					self.deliver(node, Event::Included { token, candidates, registered });
				},
				Effect::WriteScores(batch) => self.write(node, batch),
				Effect::CollatorNotice(notice) => self.on_notice(node, &notice),
				Effect::SubmissionRejected { error, .. } => {
					self.log.push(self.now, format_args!("node {node} submission rejected: {error}"));
				},
			}
		}
		let state = &mut self.nodes[node];
		let Some(deadline) = state.machine.next_deadline() else { return };
		let deadline = deadline.max(self.now);
		if state.wake_at.is_none_or(|at| deadline < at) {
			state.wake_at = Some(deadline);
			let life = state.life;
			self.at(deadline, Item::Wake { node, life });
		}
	}

	fn write(&mut self, node: usize, batch: Vec<WriteOp>) {
		let storage = &mut self.nodes[node].storage;
		for op in batch {
			match op {
				WriteOp::Put { key, value } => storage.insert(key, value),
				WriteOp::Delete { key } => storage.remove(&key),
			};
		}
	}

	/// What finalized blocks included. All nodes ask for the same at about the same time.
	fn inclusions(&mut self, hash: Hash, count: u32) -> Inclusions {
		if let Some((asked, included)) = &self.inclusions {
			if *asked == (hash, count) {
				return included.clone();
			}
		}
		let included = headway_overseer::work::included(&*self.ledger, hash, count);
		self.inclusions = Some(((hash, count), included.clone()));
		included
	}

	fn on_notice(&mut self, node: usize, notice: &Notice) {
		if let Notice::ApprovedPeer { outcome: SignalOutcome::Present, .. } = notice {
			self.nodes[node].credited += 1;
		}
	}

	fn note(&mut self, node: usize, trace: &Trace) {
		let stage: &'static str = trace.stage.into();
		let reason = match trace.stage {
			Stage::Dropped(reason) => reason.label(),
			_ => "",
		};
		let Trace { subsystem, candidate, para, scheduling_parent, .. } = trace;
		let (of, at) = (para.map_or(0, |para| para.0), scheduling_parent.unwrap_or_default());
		self.log.push(
			self.now,
			format_args!("node {node} {subsystem} {stage} {reason} {candidate:?} of {of} at {at}"),
		);
		if let (Some(candidate), Some(para), Some(at), Stage::Built) =
			(candidate, para, scheduling_parent, trace.stage)
		{
			if self.nodes[node].is_honest() {
				self.built.insert(*candidate, (*para, self.ledger.number_of(*at)));
			}
		}
		if let (Some(candidate), Stage::Introduced | Stage::Seconded) = (candidate, trace.stage) {
			if self.candidates.back() != Some(candidate) {
				self.candidates.push_back(*candidate);
			}
			if self.candidates.len() > CANDIDATES_MAX {
				self.candidates.pop_front();
			}
		}
	}

	fn encode(&mut self, n_validators: usize, data: &AvailableData) -> Result<Encoding, EncodeError> {
		let key = headway_primitives::hash_of(&(n_validators as u64, data));
		if let Some((_, encoding)) = self.encoded.iter().find(|(known, _)| *known == key) {
			return Ok(encoding.clone());
		}
		let encoding = headway_availability::encode(n_validators, data)?;
		self.encoded.push_back((key, encoding.clone()));
		if self.encoded.len() > ENCODED_MAX {
			self.encoded.pop_front();
		}
		Ok(encoding)
	}

	/// Nobody honest can be proven to have misbehaved, not even by what it said before and after a crash.
	fn on_misbehavior(&mut self, node: usize, report: &MisbehaviorReport) {
		self.log.push(self.now, format_args!("node {node} misbehavior {report:?}"));
		let Ok(block) = self.contexts.block(report.scheduling_parent) else { return };
		let accused = block.session.validator(report.validator).and_then(|key| self.node_of_key(key));
		let innocent = accused.is_some_and(|accused| self.nodes[accused].is_honest());
		if innocent && self.nodes[node].is_honest() {
			self.accuse(Violation::HonestAccused { by: node, report: format!("{report:?}") });
		}
	}

	/// The node of a validator by one of its keys.
	fn node_of_key(&self, key: &impl AsRef<[u8]>) -> Option<usize> {
		self.authorities.get(key.as_ref()).copied()
	}

	pub(super) fn carry_out_network(&mut self, node: usize, effect: NetworkEffect) {
		let from = self.nodes[node].peer.clone();
		match effect {
			NetworkEffect::SendValidation { peers, message } => {
				match &message {
					ValidationMessage::Statement(StatementMessage::Statement(at, statement)) => {
						self.judge_statement(node, *at, statement.validator_index, statement.payload)
					},
					ValidationMessage::Bitfield(BitfieldMessage::Bitfield(at, bitfield)) => {
						self.judge_bitfield(node, *at, bitfield.validator_index, &bitfield.payload)
					},
					_ => {},
				}
				for to in peers.iter().filter_map(node_of) {
					let event = NetworkEvent::Validation { peer: from.clone(), message: message.clone() };
					self.send(node, to, event);
				}
			},
			NetworkEffect::SendCollation { peers, message } => {
				for to in peers.iter().filter_map(node_of) {
					let event = NetworkEvent::Collation { peer: from.clone(), message: message.clone() };
					self.send(node, to, event);
				}
			},
			NetworkEffect::Request { token, recipient, request } => {
				let to = match &recipient {
					Recipient::Peer(peer) => node_of(peer),
					Recipient::Authority(id) => self.node_of_key(id),
				};
				let reachable = |to: &usize| !self.nodes[*to].is_down && self.are_joined(node, *to);
				let Some(to) = to.filter(reachable) else {
					let result = Err(RequestError::NotConnected);
					self.deliver(node, Event::Response { token, result });
					return;
				};
				let request = InboundRequest {
					peer: from,
					id: InboundRequestId(self.number()),
					protocol: request.protocol(),
					payload: request.encode_payload(),
				};
				self.ask(node, to, token, request);
			},
			NetworkEffect::Respond { id, response, .. } => {
				let Some(Asked { node: asker, life, token }) = self.requests.remove(&id.0) else { return };
				let result = response.ok_or(RequestError::Refused);
				let (at, event) = (self.now + self.network.delay(), Event::Response { token, result });
				self.at(at, Item::Deliver { node: asker, life, from: None, event });
			},
			NetworkEffect::Report { peer, change } => self.on_report(node, node_of(&peer), change),
			NetworkEffect::Disconnect { peer, .. } => {
				if let Some(other) = node_of(&peer) {
					self.disconnect(node, other);
				}
			},
			NetworkEffect::ConnectToValidators { validators, .. } => {
				let wanted: BTreeSet<usize> =
					validators.iter().filter_map(|id| self.node_of_key(id)).collect();
				for other in self.nodes[node].peers.difference(&wanted).copied().collect::<Vec<_>>() {
					self.disconnect(node, other);
				}
				for other in &wanted {
					let at = self.now + self.network.delay();
					self.at(at, Item::Connect(node, *other));
				}
				self.nodes[node].wanted = wanted;
			},
		}
	}

	/// Sends a request, which arrives, and fails if nobody answers it in time.
	pub(super) fn ask(&mut self, node: usize, to: usize, token: Token, request: InboundRequest) {
		let (id, life) = (request.id.0, self.nodes[node].life);
		self.requests.insert(id, Asked { node, life, token });
		let count = self.requests.values().filter(|asked| asked.node == node).count();
		if count > REQUESTS_MAX && self.nodes[node].is_honest() {
			let what = "requests under way".into();
			self.accuse(Violation::Bound { node, what, count, bound: REQUESTS_MAX });
		}
		self.at(self.now + REQUEST_TIMEOUT, Item::Expire(id));
		let at = self.now + self.network.delay();
		self.deliver_at(at, to, Event::Request(request));
	}

	fn on_report(&mut self, node: usize, whom: Option<usize>, change: Reputation) {
		let Some(whom) = whom.filter(|_| change.value() < 0) else { return };
		self.log.push(self.now, format_args!("node {node} reports node {whom}: {}", change.reason()));
		if !matches!(change, Reputation::Malicious(_)) {
			return;
		}
		if [node, whom].into_iter().map(|node| &self.nodes[node]).all(Node::is_honest) {
			let reason = change.reason();
			self.accuse(Violation::HonestBanned { by: node, whom, reason });
		}
		self.nodes[node].banned.insert(whom);
		self.disconnect(node, whom);
	}
}
