//! The machines of a validator; a full node runs the same ones and follows.

use crate::io::{Asker, Effect, Event};
use headway_availability::{self as availability, Availability};
use headway_backing::{self as backing, Backing};
use headway_candidate_validation::{self as candidate_validation, CandidateValidation};
use headway_collator_protocol::{
	validator_side::{self as collator_protocol, ValidatorSide},
	ExperimentalSide,
};
use headway_machine::{
	wire::{InboundRequest, RequestProtocol, ValidationMessage},
	Effects, NetworkEffect, NetworkEvent, PeerSet, Signer, Sizes, Subsystem, Timestamp, Verifier,
};
use headway_prospective_parachains::{self as prospective_parachains, ProspectiveParachains};
use headway_provisioner::{self as provisioner, Provisioner};
use headway_statement_distribution::{self as statement_distribution, StatementDistribution};
use std::{collections::VecDeque, sync::Arc};

/// What an operator or a chain decides about the machines.
#[derive(Clone, Debug, Default)]
pub struct Config {
	/// How long data is kept.
	pub availability: availability::Config,
	/// Collators that are preferred.
	pub collator_protocol: collator_protocol::Config,
	/// Whether the validator side of the collator protocol is the one with scores and segments.
	pub experimental_collator_protocol: bool,
}

/// Either validator side of the collator protocol.
type CollatorProtocol =
	Box<dyn Subsystem<Event = collator_protocol::Event, Effect = collator_protocol::Effect> + Send>;

/// All machines of a validator.
pub struct Validator {
	prospective_parachains: ProspectiveParachains,
	candidate_validation: CandidateValidation,
	backing: Backing,
	statement_distribution: StatementDistribution,
	collator_protocol: CollatorProtocol,
	availability: Availability,
	provisioner: Provisioner,
	/// What machines have asked of each other and was not passed on yet; empty between calls.
	queue: VecDeque<Internal>,
	observer: Option<Box<dyn Observer>>,
}

/// Watches which machine works on what, and for how long: the driver has a clock, the machines have none.
pub trait Observer: Send {
	/// A machine starts to work on an event, or on what became due.
	fn enter(&mut self, work: &Work<'_>);
	/// It is done.
	fn leave(&mut self);
	/// The leaves changed, and so did the prospective candidates.
	fn prospective(&mut self, stats: prospective_parachains::Stats);
}

/// An event that a machine is about to work on; or [`Work::Tick`], what became due for one as time passed.
#[allow(missing_docs)]
pub enum Work<'a> {
	Tick(Asker),
	ProspectiveParachains(&'a prospective_parachains::Event),
	CandidateValidation(&'a candidate_validation::Event),
	Backing(&'a backing::Event),
	StatementDistribution(&'a statement_distribution::Event),
	CollatorProtocol(&'a collator_protocol::Event),
	Availability(&'a availability::Event),
	Provisioner(&'a provisioner::Event),
}

impl<'a> Work<'a> {
	fn of(event: &'a Internal) -> Self {
		match event {
			Internal::ProspectiveParachains(event) => Self::ProspectiveParachains(event),
			Internal::CandidateValidation(event) => Self::CandidateValidation(event),
			Internal::Backing(event) => Self::Backing(event),
			Internal::StatementDistribution(event) => Self::StatementDistribution(event),
			Internal::CollatorProtocol(event) => Self::CollatorProtocol(event),
			Internal::Availability(event) => Self::Availability(event),
			Internal::Provisioner(event) => Self::Provisioner(event),
		}
	}
}

/// An event of one machine.
enum Internal {
	ProspectiveParachains(prospective_parachains::Event),
	CandidateValidation(candidate_validation::Event),
	Backing(backing::Event),
	StatementDistribution(statement_distribution::Event),
	CollatorProtocol(collator_protocol::Event),
	Availability(availability::Event),
	Provisioner(provisioner::Event),
}

// `from_` says whose effect it is that is carried on.
#[allow(clippy::wrong_self_convention)]
impl Validator {
	/// Machines that know nothing yet.
	pub fn new(config: Config, signer: Arc<dyn Signer>, verifier: Arc<dyn Verifier>) -> Self {
		let Config { availability, collator_protocol, experimental_collator_protocol } = config;
		let collator_protocol: CollatorProtocol = if experimental_collator_protocol {
			Box::new(ExperimentalSide::new(collator_protocol))
		} else {
			Box::new(ValidatorSide::new(collator_protocol))
		};
		Self {
			prospective_parachains: ProspectiveParachains::new(),
			candidate_validation: CandidateValidation::new(),
			backing: Backing::new(signer.clone()),
			statement_distribution: StatementDistribution::new(verifier.clone()),
			collator_protocol,
			availability: Availability::new(availability, signer, verifier),
			provisioner: Provisioner::new(),
			queue: VecDeque::new(),
			observer: None,
		}
	}

	/// Lets somebody watch which machine works on what.
	pub fn observe(&mut self, observer: Box<dyn Observer>) {
		self.observer = Some(observer);
	}

	/// Which machine hears what.
	fn dispatch(&mut self, event: Event, effects: &mut Effects<Effect>) {
		use Internal as To;
		match event {
			// Prospective parachains first: what the others ask in answer to the update is about the new view.
			Event::Leaves(update) => self.queue.extend([
				To::ProspectiveParachains(prospective_parachains::Event::Leaves(update.clone())),
				To::CandidateValidation(candidate_validation::Event::Leaves(update.clone())),
				To::Backing(backing::Event::Leaves(update.clone())),
				To::StatementDistribution(statement_distribution::Event::Leaves(update.clone())),
				To::CollatorProtocol(collator_protocol::Event::Leaves(update.clone())),
				To::Availability(availability::Event::Leaves(update.clone())),
				To::Provisioner(provisioner::Event::Leaves(update)),
			]),
			Event::Finalized { number, hash, node_features } => self.queue.extend([
				To::Backing(backing::Event::Finalized { node_features }),
				To::CollatorProtocol(collator_protocol::Event::Finalized { number, hash }),
				To::Availability(availability::Event::Finalized { number, hash }),
			]),
			Event::Network(event) => self.dispatch_network(event),
			Event::Request(request) => self.dispatch_request(request, effects),
			Event::Response { token, result } => match Asker::untag(token) {
				Some((Asker::StatementDistribution, token)) => {
					self.queue.push_back(To::StatementDistribution(statement_distribution::Event::Response {
						token,
						result,
					}))
				},
				Some((Asker::CollatorProtocol, token)) => self
					.queue
					.push_back(To::CollatorProtocol(collator_protocol::Event::Response { token, result })),
				Some((Asker::Availability, token)) => {
					self.queue.push_back(To::Availability(availability::Event::Response { token, result }))
				},
				_ => debug_assert!(false, "only these machines make requests"),
			},
			Event::Code { token, code } => self
				.queue
				.push_back(To::CandidateValidation(candidate_validation::Event::Code { token, code })),
			Event::Executed { token, result } => self
				.queue
				.push_back(To::CandidateValidation(candidate_validation::Event::Executed { token, result })),
			Event::Encoded { token, result } => {
				self.queue.push_back(To::Availability(availability::Event::Encoded { token, result }))
			},
			Event::RestoreVotes { entries } => {
				self.queue.push_back(To::Backing(backing::Event::Restore { entries }))
			},
			Event::Restore { entries } => {
				self.queue.push_back(To::Availability(availability::Event::Restore { entries }))
			},
			Event::RestoreScores { entries } => self
				.queue
				.push_back(To::CollatorProtocol(collator_protocol::Event::RestoreScores { entries })),
			Event::Included { token, candidates, registered } => {
				self.queue.push_back(To::CollatorProtocol(collator_protocol::Event::Included {
					token,
					candidates,
					registered,
				}))
			},
			Event::Loaded { token, value } => {
				self.queue.push_back(To::Availability(availability::Event::Loaded { token, value }))
			},
			Event::Written { token, ok } => match Asker::untag(token) {
				Some((Asker::Backing, token)) => {
					self.queue.push_back(To::Backing(backing::Event::Written { token, ok }))
				},
				Some((Asker::Availability, token)) => {
					self.queue.push_back(To::Availability(availability::Event::Written { token, ok }))
				},
				_ => debug_assert!(false, "only these machines write"),
			},
			Event::RelayParentInfo { token, info } => self.queue.push_back(To::ProspectiveParachains(
				prospective_parachains::Event::RelayParentInfo { token, info },
			)),
			Event::InherentRequest { token, parent } => {
				self.queue.push_back(To::Provisioner(provisioner::Event::InherentRequest { token, parent }))
			},
			Event::FragmentChain { token, para, at } => self.queue.push_back(To::ProspectiveParachains(
				prospective_parachains::Event::FragmentChain { token, para, at },
			)),
			// A validator makes no candidates.
			Event::EncodedRoot { .. } | Event::CollateOn(_) | Event::Submit(_) => {},
		}
	}

	fn dispatch_network(&mut self, event: NetworkEvent) {
		use Internal::{Availability, CollatorProtocol, StatementDistribution};
		let (validation, collation) = match &event {
			NetworkEvent::PeerConnected { set, .. }
			| NetworkEvent::PeerDisconnected { set, .. }
			| NetworkEvent::PeerViewChange { set, .. } => (*set == PeerSet::Validation, *set == PeerSet::Collation),
			NetworkEvent::UpdatedAuthorityIds { .. } => (true, true),
			NetworkEvent::NewTopology { .. } => (true, false),
			NetworkEvent::Collation { .. } => (false, true),
			NetworkEvent::Validation { message: ValidationMessage::Bitfield(_), .. } => {
				self.queue.push_back(Availability(availability::Event::Network(event)));
				return;
			},
			NetworkEvent::Validation { message: ValidationMessage::Statement(_), .. } => {
				self.queue.push_back(StatementDistribution(statement_distribution::Event::Network(event)));
				return;
			},
		};
		if validation {
			self.queue
				.push_back(StatementDistribution(statement_distribution::Event::Network(event.clone())));
			self.queue.push_back(Availability(availability::Event::Network(event.clone())));
		}
		if collation {
			self.queue.push_back(CollatorProtocol(collator_protocol::Event::Network(event)));
		}
	}

	fn dispatch_request(&mut self, request: InboundRequest, effects: &mut Effects<Effect>) {
		match request.protocol {
			RequestProtocol::AttestedCandidate => self
				.queue
				.push_back(Internal::StatementDistribution(statement_distribution::Event::Request(request))),
			RequestProtocol::ChunkV1
			| RequestProtocol::ChunkV2
			| RequestProtocol::PoV
			| RequestProtocol::AvailableData => {
				self.queue.push_back(Internal::Availability(availability::Event::Request(request)))
			},
			// Only collators have collations to give.
			RequestProtocol::CollationV1 | RequestProtocol::CollationV2 | RequestProtocol::CollationV3 => {
				let refusal = NetworkEffect::Respond { id: request.id, response: None, reputation: None };
				effects.push(Effect::Network(refusal));
			},
		}
	}

	/// Passes on what machines ask of each other until nothing is left.
	fn run(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		use Internal as To;
		while let Some(event) = self.queue.pop_front() {
			if let Some(observer) = &mut self.observer {
				observer.enter(&Work::of(&event));
			}
			match event {
				To::ProspectiveParachains(event) => {
					let is_update = matches!(event, prospective_parachains::Event::Leaves(_));
					self.scoped(
						effects,
						|this, out| this.prospective_parachains.handle(now, event, out),
						Self::from_prospective_parachains,
					);
					if let Some(observer) = self.observer.as_mut().filter(|_| is_update) {
						observer.prospective(self.prospective_parachains.stats());
					}
				},
				To::CandidateValidation(event) => self.scoped(
					effects,
					|this, out| this.candidate_validation.handle(now, event, out),
					Self::from_candidate_validation,
				),
				To::Backing(event) => {
					self.scoped(effects, |this, out| this.backing.handle(now, event, out), Self::from_backing)
				},
				To::StatementDistribution(event) => self.scoped(
					effects,
					|this, out| this.statement_distribution.handle(now, event, out),
					Self::from_statement_distribution,
				),
				To::CollatorProtocol(event) => self.scoped(
					effects,
					|this, out| this.collator_protocol.handle(now, event, out),
					Self::from_collator_protocol,
				),
				To::Availability(event) => self.scoped(
					effects,
					|this, out| this.availability.handle(now, event, out),
					Self::from_availability,
				),
				To::Provisioner(event) => self.scoped(
					effects,
					|this, out| this.provisioner.handle(now, event, out),
					Self::from_provisioner,
				),
			}
			if let Some(observer) = &mut self.observer {
				observer.leave();
			}
		}
	}

	/// Lets one machine do what became due.
	fn tick_one<E>(
		&mut self,
		machine: Asker,
		effects: &mut Effects<Effect>,
		run: impl FnOnce(&mut Self, &mut Effects<E>),
		route: impl Fn(&mut Self, E, &mut Effects<Effect>),
	) {
		if let Some(observer) = &mut self.observer {
			observer.enter(&Work::Tick(machine));
		}
		self.scoped(effects, run, route);
		if let Some(observer) = &mut self.observer {
			observer.leave();
		}
	}

	/// Runs one machine and routes what it asks for.
	fn scoped<E>(
		&mut self,
		effects: &mut Effects<Effect>,
		run: impl FnOnce(&mut Self, &mut Effects<E>),
		route: impl Fn(&mut Self, E, &mut Effects<Effect>),
	) {
		let mut out = Effects::new();
		run(self, &mut out);
		for trace in out.take_traces() {
			effects.trace(trace);
		}
		while let Some(effect) = out.pop() {
			route(self, effect, effects);
		}
	}

	fn from_prospective_parachains(
		&mut self,
		effect: prospective_parachains::Effect,
		effects: &mut Effects<Effect>,
	) {
		use prospective_parachains::Effect as From;
		match effect {
			From::Introduced { token, accepted } => {
				self.queue.push_back(Internal::Backing(backing::Event::Introduced { token, accepted }))
			},
			From::Membership(mut membership) => match Asker::untag(membership.token) {
				Some((Asker::Backing, token)) => {
					membership.token = token;
					self.queue.push_back(Internal::Backing(backing::Event::Membership(membership)));
				},
				Some((Asker::StatementDistribution, token)) => {
					membership.token = token;
					self.queue.push_back(Internal::StatementDistribution(
						statement_distribution::Event::Membership(membership),
					));
				},
				_ => debug_assert!(false, "only these machines ask for membership"),
			},
			From::Backable { token, candidates } => self
				.queue
				.push_back(Internal::Provisioner(provisioner::Event::Backable { token, candidates })),
			From::ValidationData { token, data } => {
				self.queue.push_back(Internal::CollatorProtocol(collator_protocol::Event::ValidationData {
					token,
					data,
				}))
			},
			From::FragmentChain { token, chain } => effects.push(Effect::FragmentChain { token, chain }),
			From::KnownOutputHeads { token, heads } => {
				self.queue.push_back(Internal::CollatorProtocol(collator_protocol::Event::KnownOutputHeads {
					token,
					heads,
				}))
			},
			From::QueryRelayParentInfo { token, at, session_index, relay_parent } => {
				effects.push(Effect::QueryRelayParentInfo { token, at, session_index, relay_parent })
			},
		}
	}

	fn from_candidate_validation(
		&mut self,
		effect: candidate_validation::Effect,
		effects: &mut Effects<Effect>,
	) {
		use candidate_validation::Effect as From;
		match effect {
			From::Validated { token, result } => {
				self.queue.push_back(Internal::Backing(backing::Event::Validated { token, result }))
			},
			From::FetchCode { token, at, code_hash } => {
				effects.push(Effect::FetchCode { token, at, code_hash })
			},
			From::Execute { token, execution } => effects.push(Effect::Execute { token, execution }),
		}
	}

	fn from_backing(&mut self, effect: backing::Effect, effects: &mut Effects<Effect>) {
		use backing::Effect as From;
		use Internal as To;
		let event = match effect {
			From::Introduce { token, candidate } => {
				To::ProspectiveParachains(prospective_parachains::Event::Introduce { token, candidate })
			},
			From::CandidateBacked { para, candidate_hash } => {
				To::ProspectiveParachains(prospective_parachains::Event::CandidateBacked {
					para,
					candidate_hash,
				})
			},
			From::Membership(mut query) => {
				query.token = Asker::Backing.tag(query.token);
				To::ProspectiveParachains(prospective_parachains::Event::Membership(query))
			},
			From::Share { scheduling_parent, statement } => {
				To::StatementDistribution(statement_distribution::Event::Share {
					scheduling_parent,
					statement,
				})
			},
			From::Backed { candidate_hash } => {
				To::StatementDistribution(statement_distribution::Event::Backed { candidate_hash })
			},
			From::CollationSeconded { scheduling_parent, statement } => {
				To::CollatorProtocol(collator_protocol::Event::Seconded { scheduling_parent, statement })
			},
			From::CollationInvalid { scheduling_parent, receipt, reason } => {
				To::CollatorProtocol(collator_protocol::Event::Invalid { scheduling_parent, receipt, reason })
			},
			From::CollationDropped { scheduling_parent, candidate_hash, reason } => {
				To::CollatorProtocol(collator_protocol::Event::Dropped {
					scheduling_parent,
					candidate_hash,
					reason,
				})
			},
			From::CanSecond { token, allowed } => {
				To::CollatorProtocol(collator_protocol::Event::CanSecond { token, allowed })
			},
			From::Backable { token, candidates } => {
				To::Provisioner(provisioner::Event::Candidates { token, candidates })
			},
			From::Validate { token, request } => {
				To::CandidateValidation(candidate_validation::Event::Validate { token, request })
			},
			From::FetchPoV { token, from, candidate_hash, pov_hash, scheduling_parent, para } => {
				To::Availability(availability::Event::FetchPoV {
					token,
					from,
					candidate_hash,
					pov_hash,
					scheduling_parent,
					para,
				})
			},
			From::StoreAvailableData { token, data } => {
				To::Availability(availability::Event::StoreData { token, request: data })
			},
			From::Misbehavior(report) => {
				effects.push(Effect::Misbehavior(report));
				return;
			},
			From::Write { token, batch } => {
				effects.push(Effect::Write { token: Asker::Backing.tag(token), batch });
				return;
			},
		};
		self.queue.push_back(event);
	}

	fn from_statement_distribution(
		&mut self,
		effect: statement_distribution::Effect,
		effects: &mut Effects<Effect>,
	) {
		use statement_distribution::Effect as From;
		match effect {
			From::Network(effect) => effects.push(network(Asker::StatementDistribution, effect)),
			From::Statement { scheduling_parent, statement } => self
				.queue
				.push_back(Internal::Backing(backing::Event::Statement { scheduling_parent, statement })),
			From::Membership(mut query) => {
				query.token = Asker::StatementDistribution.tag(query.token);
				self.queue.push_back(Internal::ProspectiveParachains(
					prospective_parachains::Event::Membership(query),
				));
			},
		}
	}

	fn from_collator_protocol(&mut self, effect: collator_protocol::Effect, effects: &mut Effects<Effect>) {
		use collator_protocol::Effect as From;
		match effect {
			From::Network(effect) => effects.push(network(Asker::CollatorProtocol, effect)),
			From::CanSecond(query) => {
				self.queue.push_back(Internal::Backing(backing::Event::CanSecond(query)))
			},
			From::ValidationData(query) => self.queue.push_back(Internal::ProspectiveParachains(
				prospective_parachains::Event::ValidationData(query),
			)),
			From::Second(request) => self.queue.push_back(Internal::Backing(backing::Event::Second(request))),
			From::KnownOutputHeads { token, paras } => self.queue.push_back(Internal::ProspectiveParachains(
				prospective_parachains::Event::KnownOutputHeads { token, paras },
			)),
			From::QueryIncluded { token, hash, count } => {
				effects.push(Effect::QueryIncluded { token, hash, count })
			},
			From::WriteScores(writes) => effects.push(Effect::WriteScores(writes)),
			From::Notice(notice) => effects.push(Effect::CollatorNotice(notice)),
		}
	}

	fn from_availability(&mut self, effect: availability::Effect, effects: &mut Effects<Effect>) {
		use availability::Effect as From;
		match effect {
			From::Network(effect) => effects.push(network(Asker::Availability, effect)),
			From::DataStored { token, result } => {
				self.queue.push_back(Internal::Backing(backing::Event::DataStored { token, result }))
			},
			From::PoVFetched { token, pov } => {
				self.queue.push_back(Internal::Backing(backing::Event::PoVFetched { token, pov }))
			},
			From::Bitfield { relay_parent, bitfield } => self
				.queue
				.push_back(Internal::Provisioner(provisioner::Event::Bitfield { relay_parent, bitfield })),
			From::Encode { token, n_validators, data } => {
				effects.push(Effect::Encode { token, n_validators, data })
			},
			From::Load { token, key } => effects.push(Effect::Load { token, key }),
			From::Write { token, batch } => {
				effects.push(Effect::Write { token: Asker::Availability.tag(token), batch })
			},
		}
	}

	fn from_provisioner(&mut self, effect: provisioner::Effect, effects: &mut Effects<Effect>) {
		use provisioner::Effect as From;
		match effect {
			From::Inherent { token, data } => effects.push(Effect::Inherent { token, data }),
			From::Backable(query) => self
				.queue
				.push_back(Internal::ProspectiveParachains(prospective_parachains::Event::Backable(query))),
			From::GetCandidates { token, candidates } => {
				self.queue.push_back(Internal::Backing(backing::Event::GetBackable { token, candidates }))
			},
		}
	}
}

impl Subsystem for Validator {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		self.dispatch(event, effects);
		self.run(now, effects);
	}

	fn tick(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		let due = |deadline: Option<Timestamp>| deadline.is_some_and(|deadline| deadline <= now);
		if due(self.prospective_parachains.next_deadline()) {
			self.tick_one(
				Asker::ProspectiveParachains,
				effects,
				|this, out| this.prospective_parachains.tick(now, out),
				Self::from_prospective_parachains,
			);
		}
		if due(self.candidate_validation.next_deadline()) {
			self.tick_one(
				Asker::CandidateValidation,
				effects,
				|this, out| this.candidate_validation.tick(now, out),
				Self::from_candidate_validation,
			);
		}
		if due(self.backing.next_deadline()) {
			self.tick_one(
				Asker::Backing,
				effects,
				|this, out| this.backing.tick(now, out),
				Self::from_backing,
			);
		}
		if due(self.statement_distribution.next_deadline()) {
			self.tick_one(
				Asker::StatementDistribution,
				effects,
				|this, out| this.statement_distribution.tick(now, out),
				Self::from_statement_distribution,
			);
		}
		if due(self.collator_protocol.next_deadline()) {
			self.tick_one(
				Asker::CollatorProtocol,
				effects,
				|this, out| this.collator_protocol.tick(now, out),
				Self::from_collator_protocol,
			);
		}
		if due(self.availability.next_deadline()) {
			self.tick_one(
				Asker::Availability,
				effects,
				|this, out| this.availability.tick(now, out),
				Self::from_availability,
			);
		}
		if due(self.provisioner.next_deadline()) {
			self.tick_one(
				Asker::Provisioner,
				effects,
				|this, out| this.provisioner.tick(now, out),
				Self::from_provisioner,
			);
		}
		self.run(now, effects);
	}

	fn next_deadline(&self) -> Option<Timestamp> {
		[
			self.prospective_parachains.next_deadline(),
			self.candidate_validation.next_deadline(),
			self.backing.next_deadline(),
			self.statement_distribution.next_deadline(),
			self.collator_protocol.next_deadline(),
			self.availability.next_deadline(),
			self.provisioner.next_deadline(),
		]
		.into_iter()
		.flatten()
		.min()
	}

	fn sizes(&self) -> Sizes {
		let mut sizes = Sizes::of("pipeline");
		sizes.note("queue", self.queue.len(), 0);
		sizes.extend(self.prospective_parachains.sizes());
		sizes.extend(self.candidate_validation.sizes());
		sizes.extend(self.backing.sizes());
		sizes.extend(self.statement_distribution.sizes());
		sizes.extend(self.collator_protocol.sizes());
		sizes.extend(self.availability.sizes());
		sizes.extend(self.provisioner.sizes());
		sizes
	}
}

/// Writes who asked into a request's token.
pub(crate) fn network(asker: Asker, effect: NetworkEffect) -> Effect {
	Effect::Network(match effect {
		NetworkEffect::Request { token, recipient, request } => {
			NetworkEffect::Request { token: asker.tag(token), recipient, request }
		},
		other => other,
	})
}
