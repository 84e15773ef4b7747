//! What the machine does on each event.

mod circulate;
mod fetch;
mod import;
mod leaves;
mod manifests;
mod serve;
mod statements;

use crate::{Effect, StatementDistribution};
use headway_machine::{
	wire::{StatementMessage, ValidationMessage},
	Effects, NetworkEffect, PeerId, Reason, Reputation, Stage, Timestamp, Trace,
};
use headway_primitives::{CandidateHash, Hash, ParaId};

/// The name under which traces appear.
pub(crate) const SUBSYSTEM: &str = "statement-distribution";

/// The time, and where effects go.
pub(crate) struct Ctx<'a> {
	/// Now.
	pub(crate) now: Timestamp,
	/// What is asked for.
	pub(crate) effects: &'a mut Effects<Effect>,
}

impl Ctx<'_> {
	/// Sends a message to peers.
	fn send(&mut self, peers: Vec<PeerId>, message: StatementMessage) {
		if !peers.is_empty() {
			let message = ValidationMessage::Statement(message);
			self.effects.push(Effect::Network(NetworkEffect::SendValidation { peers, message }));
		}
	}

	/// Changes a peer's reputation. Whoever carries it out sums up what is not malicious: nearly every message is worth a
	/// change (backing pipeline §4.3).
	fn report(&mut self, peer: &PeerId, change: Reputation) {
		self.effects.push(Effect::Network(NetworkEffect::Report { peer: peer.clone(), change }));
	}

	/// Drops a peer's message at its price.
	fn refuse(&mut self, peer: &PeerId, about: About, refusal: Refusal) {
		self.dropped(about, refusal.reason);
		if let Some(change) = refusal.change {
			self.report(peer, change);
		}
	}

	/// Notes that something was dropped.
	fn dropped(&mut self, about: About, reason: Reason) {
		self.trace(about, Stage::Dropped(reason));
	}

	/// Notes that something was known already.
	fn duplicate(&mut self, about: About) {
		self.trace(about, Stage::Duplicate);
	}

	fn trace(&mut self, about: About, stage: Stage) {
		let mut trace = Trace::new(self.now, SUBSYSTEM, stage);
		(trace.candidate, trace.para, trace.relay_parent) =
			(about.candidate, about.para, about.scheduling_parent);
		self.effects.trace(trace);
	}
}

/// What a message was about, as far as it is known.
#[derive(Clone, Copy, Default, Debug)]
struct About {
	candidate: Option<CandidateHash>,
	para: Option<ParaId>,
	scheduling_parent: Option<Hash>,
}

impl About {
	fn new(scheduling_parent: Hash, candidate: CandidateHash) -> Self {
		Self { candidate: Some(candidate), para: None, scheduling_parent: Some(scheduling_parent) }
	}

	fn candidate(candidate: CandidateHash) -> Self {
		Self { candidate: Some(candidate), ..Default::default() }
	}
}

/// A message is refused: why, and what it costs its sender.
#[derive(Clone, Copy, Debug)]
struct Refusal {
	reason: Reason,
	change: Option<Reputation>,
}

impl Refusal {
	fn minor(reason: Reason, why: &'static str) -> Self {
		Self { reason, change: Some(Reputation::CostMinor(why)) }
	}

	fn major(reason: Reason, why: &'static str) -> Self {
		Self { reason, change: Some(Reputation::CostMajor(why)) }
	}

	fn silent(reason: Reason) -> Self {
		Self { reason, change: None }
	}
}

impl StatementDistribution {
	/// Does what is due by now: sends requests, answers requests.
	pub(crate) fn advance(&mut self, ctx: &mut Ctx) {
		self.requests.tick(ctx.now);
		self.send_requests(ctx);
		self.serve_waiting(ctx);
	}
}
