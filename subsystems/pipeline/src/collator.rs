//! The machines of a collator.

use crate::{
	io::{Asker, Effect, Event},
	validator::network,
};
use headway_collation_generation::{self as collation_generation, CollationGeneration};
use headway_collator_protocol::collator_side::{self as collator_protocol, CollatorSide};
use headway_machine::{
	wire::RequestProtocol, Effects, FragmentChainError, NetworkEffect, NetworkEvent, PeerSet, Sizes,
	Subsystem, Timestamp,
};
use std::collections::VecDeque;

/// All machines of a collator.
pub struct Collator {
	collation_generation: CollationGeneration,
	collator_protocol: CollatorSide,
	/// What was asked and not passed on yet; empty between calls.
	queue: VecDeque<collator_protocol::Event>,
}

impl Collator {
	/// A collator whose side of the collator protocol is made by the caller, who knows its key.
	pub fn new(collator_protocol: CollatorSide) -> Self {
		Self { collation_generation: CollationGeneration::new(), collator_protocol, queue: VecDeque::new() }
	}

	fn generate(
		&mut self,
		now: Timestamp,
		event: collation_generation::Event,
		effects: &mut Effects<Effect>,
	) {
		use collation_generation::Effect as From;
		let mut out = Effects::new();
		self.collation_generation.handle(now, event, &mut out);
		for trace in out.take_traces() {
			effects.trace(trace);
		}
		while let Some(effect) = out.pop() {
			match effect {
				From::Distribute(segment) => {
					self.queue.push_back(collator_protocol::Event::Distribute(segment))
				},
				From::Encode { token, n_validators, data } => {
					effects.push(Effect::EncodeRoot { token, n_validators, data })
				},
				From::Rejected { scheduling_parent, error } => {
					effects.push(Effect::SubmissionRejected { scheduling_parent, error })
				},
			}
		}
	}

	fn run(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		while let Some(event) = self.queue.pop_front() {
			let side = &mut self.collator_protocol;
			effects.scope(|out| side.handle(now, event, out), to_driver);
		}
	}
}

fn to_driver(effect: collator_protocol::Effect) -> Effect {
	match effect {
		collator_protocol::Effect::Network(effect) => network(Asker::CollatorProtocol, effect),
	}
}

impl Subsystem for Collator {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		match event {
			Event::Leaves(update) => {
				self.generate(now, collation_generation::Event::Leaves(update.clone()), effects);
				self.queue.push_back(collator_protocol::Event::Leaves(update));
			},
			Event::CollateOn(para) => {
				self.generate(now, collation_generation::Event::Reinitialize { para }, effects);
				self.queue.push_back(collator_protocol::Event::CollateOn(para));
				// Connected before the first block is built, it is advertised at once.
				self.queue.push_back(collator_protocol::Event::ConnectToBackingGroups);
			},
			Event::Submit(segment) => {
				self.generate(now, collation_generation::Event::Submit(segment), effects)
			},
			Event::EncodedRoot { token, root } => {
				self.generate(now, collation_generation::Event::Encoded { token, root }, effects)
			},
			Event::Network(event) => {
				let ours = match &event {
					NetworkEvent::PeerConnected { set, .. }
					| NetworkEvent::PeerDisconnected { set, .. }
					| NetworkEvent::PeerViewChange { set, .. } => *set == PeerSet::Collation,
					NetworkEvent::UpdatedAuthorityIds { .. } | NetworkEvent::Collation { .. } => true,
					NetworkEvent::NewTopology { .. } | NetworkEvent::Validation { .. } => false,
				};
				if ours {
					self.queue.push_back(collator_protocol::Event::Network(event));
				}
			},
			Event::Request(request) => match request.protocol {
				RequestProtocol::CollationV2 | RequestProtocol::CollationV3 => {
					self.queue.push_back(collator_protocol::Event::Request(request))
				},
				// Everything else is asked of validators.
				_ => effects.push(Effect::Network(NetworkEffect::Respond {
					id: request.id,
					response: None,
					reputation: None,
				})),
			},
			Event::InherentRequest { token, .. } => effects.push(Effect::Inherent { token, data: None }),
			Event::FragmentChain { token, .. } => {
				effects.push(Effect::FragmentChain { token, chain: Err(FragmentChainError::NotKept) })
			},
			// These answer questions that a collator's machines do not ask.
			Event::Finalized { .. }
			| Event::Response { .. }
			| Event::Code { .. }
			| Event::Executed { .. }
			| Event::Encoded { .. }
			| Event::RestoreVotes { .. }
			| Event::Restore { .. }
			| Event::RestoreScores { .. }
			| Event::Included { .. }
			| Event::Loaded { .. }
			| Event::Written { .. }
			| Event::RelayParentInfo { .. } => {},
		}
		self.run(now, effects);
	}

	fn tick(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		let side = &mut self.collator_protocol;
		effects.scope(|out| side.tick(now, out), to_driver);
	}

	fn next_deadline(&self) -> Option<Timestamp> {
		self.collator_protocol.next_deadline()
	}

	fn sizes(&self) -> Sizes {
		let mut sizes = Sizes::of("pipeline");
		sizes.note("queue", self.queue.len(), 0);
		sizes.extend(self.collation_generation.sizes());
		sizes.extend(self.collator_protocol.sizes());
		sizes
	}
}
