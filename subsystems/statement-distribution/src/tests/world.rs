//! One machine, the other validators played by the test: validator `n` is peer `n`.

use super::builder::*;
use crate::{
	filter::{show, Kind},
	grid::ManifestKind,
	grid_view::GroupView,
	Effect, Event, StatementDistribution,
};
use codec::{Decode, Encode};
use headway_machine::{
	grid::Topology,
	sign,
	testing::{hash, peer, session, validator_keys, verifier, TestSigner},
	wire::*,
	BlockContext, Effects, InboundRequestId, LeavesUpdate, Membership, MembershipQuery, NetworkEffect,
	NetworkEvent, ObservedRole, PeerId, PeerSet, Reason, Recipient, Reputation, RequestError, SessionContext,
	Stage, StatementWithPvd, Subsystem, Timestamp, Token,
};
use headway_primitives::{
	AuthorityDiscoveryId, CandidateHash, CommittedCandidateReceiptV2, CompactStatement, GroupIndex, Hash,
	PersistedValidationData, Signed, SigningContext, Statement, UncheckedSigned, ValidatorIndex,
	ValidatorPair,
};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::{Arc, OnceLock},
	time::Duration,
};

pub(crate) const MINOR: i64 = -100_000;
pub(crate) const MAJOR: i64 = -300_000;
pub(crate) const FIRST: i64 = 300_000;
pub(crate) const GOOD: i64 = 200_000;

/// With it, validator 0 may be told of group 1's candidates by 3, 5 and 7, and tells 6 and 7.
const RANDOMNESS: [u8; 32] = [19; 32];

/// What a machine did.
#[derive(Debug, Default)]
pub(crate) struct Output {
	pub(crate) effects: Vec<Effect>,
	/// Of what was dropped.
	pub(crate) reasons: Vec<Reason>,
	/// How often something was known already.
	pub(crate) duplicates: usize,
	/// Changes of reputation: whose, and by how much. Not among the effects, as nearly every message has one.
	pub(crate) reports: Vec<(u32, i64)>,
}

/// Number of the validator that a peer is.
pub(crate) fn number(peer: &PeerId) -> u32 {
	peer.as_bytes()[0].into()
}

impl Output {
	fn sent(&self) -> impl Iterator<Item = (Vec<u32>, &StatementMessage)> {
		self.effects.iter().filter_map(|effect| match effect {
			Effect::Network(NetworkEffect::SendValidation {
				peers,
				message: ValidationMessage::Statement(message),
			}) => Some((peers.iter().map(number).collect(), message)),
			_ => None,
		})
	}

	/// Statements sent: to whom, whose, which kind.
	pub(crate) fn statements(&self) -> Vec<(Vec<u32>, u32, Kind)> {
		let statements = self.sent().filter_map(|(peers, message)| match message {
			StatementMessage::Statement(_, statement) => {
				Some((peers, statement.validator_index.0, Kind::of(&statement.payload)))
			},
			_ => None,
		});
		statements.collect()
	}

	/// Manifests and acknowledgements sent: to whom, what they say to be known. Ascending.
	pub(crate) fn manifests(&self) -> Vec<(u32, ManifestKind, String)> {
		let manifests = self.sent().filter_map(|(peers, message)| match message {
			StatementMessage::BackedCandidateManifest(manifest) => {
				Some((peers, ManifestKind::Full, show(&manifest.statement_knowledge)))
			},
			StatementMessage::BackedCandidateKnown(known) => {
				Some((peers, ManifestKind::Acknowledgement, show(&known.statement_knowledge)))
			},
			_ => None,
		});
		let by_peer = manifests
			.flat_map(|(peers, kind, known)| peers.into_iter().map(move |peer| (peer, kind, known.clone())));
		let mut manifests: Vec<_> = by_peer.collect();
		manifests.sort_by_key(|(to, _, _)| *to);
		manifests
	}

	/// Requests sent: token, to whom, what is not wanted.
	pub(crate) fn requests(&self) -> Vec<(Token, u32, String)> {
		let requests = self.effects.iter().filter_map(|effect| match effect {
			Effect::Network(NetworkEffect::Request {
				token,
				recipient: Recipient::Peer(peer),
				request: Request::AttestedCandidate(request),
			}) => Some((*token, number(peer), show(&request.mask))),
			_ => None,
		});
		requests.collect()
	}

	/// Answers to requests: which, what, what it was worth.
	pub(crate) fn responses(&self) -> Vec<(u64, Option<AttestedCandidateResponse>, Option<Reputation>)> {
		let decode = |bytes: &Vec<u8>| AttestedCandidateResponse::decode(&mut &bytes[..]).unwrap();
		let responses = self.effects.iter().filter_map(|effect| match effect {
			Effect::Network(NetworkEffect::Respond { id, response, reputation }) => {
				Some((id.0, response.as_ref().map(decode), *reputation))
			},
			_ => None,
		});
		responses.collect()
	}

	/// Statements handed to backing: whose, which kind.
	pub(crate) fn to_backing(&self) -> Vec<(u32, Kind)> {
		let statements = self.effects.iter().filter_map(|effect| match effect {
			Effect::Statement { statement, .. } => {
				let kind = Kind::of(&statement.statement.payload().to_compact());
				assert_eq!(statement.validation_data.is_some(), kind == Kind::Seconded);
				Some((statement.validator_index().0, kind))
			},
			_ => None,
		});
		statements.collect()
	}

	/// Questions to prospective parachains.
	pub(crate) fn queries(&self) -> Vec<&MembershipQuery> {
		let queries = self.effects.iter().filter_map(|effect| match effect {
			Effect::Membership(query) => Some(query),
			_ => None,
		});
		queries.collect()
	}

	/// Nothing was asked of the network but reputation.
	pub(crate) fn is_silent(&self) -> bool {
		self.effects.is_empty()
	}
}

/// A candidate with all that belongs to it.
#[derive(Clone)]
pub(crate) struct Built {
	pub(crate) hash: CandidateHash,
	pub(crate) receipt: CommittedCandidateReceiptV2,
	pub(crate) data: PersistedValidationData,
}

/// Makes a candidate.
pub(crate) fn build(spec: &CandidateSpec) -> Built {
	let (receipt, data) = candidate(spec);
	Built { hash: receipt.hash(), receipt, data }
}

/// Statement-distribution of one validator, and what it said lately.
pub(crate) struct World {
	pub(crate) machine: StatementDistribution,
	pub(crate) session: Arc<SessionContext>,
	pub(crate) now: Timestamp,
	/// Whether prospective parachains take every candidate.
	pub(crate) importable: bool,
	signer: TestSigner,
	reputations: BTreeMap<u32, i64>,
}

impl World {
	/// Nine validators in three groups; no leaf, no peer, no topology yet. Validator 9 has a discovery key only.
	pub(crate) fn empty(local: Option<u32>) -> Self {
		// Keys are derived from strings, which takes a while.
		static KEYS: OnceLock<Vec<ValidatorPair>> = OnceLock::new();
		let all = KEYS.get_or_init(|| validator_keys(10));
		let keys = all[..9].to_vec();
		let groups = vec![vec![0, 1, 2], vec![3, 4, 5], vec![6, 7, 8]];
		let mut context = session(SESSION, &keys, groups, local.filter(|local| *local < 9)).as_ref().clone();
		let inactive = session(SESSION, all, vec![], None).info.discovery_keys.last().cloned();
		context.info.discovery_keys.extend(inactive);
		context.local_discovery_index = local;
		context.topology_randomness = RANDOMNESS;
		Self {
			machine: StatementDistribution::new(verifier()),
			session: Arc::new(context),
			now: Timestamp::from_unix_ms(1_000_000),
			importable: true,
			signer: TestSigner(keys),
			reputations: Default::default(),
		}
	}

	/// With a leaf and the other validators connected, all at that leaf; without topology.
	pub(crate) fn without_topology(local: Option<u32>, change: impl Fn(&mut BlockContext)) -> Self {
		let mut world = Self::empty(local);
		world.leaf(LEAF, &[], change);
		for validator in (0..10).filter(|validator| Some(*validator) != local) {
			world.connect(validator);
			world.peer_view(validator, &[LEAF]);
		}
		world
	}

	/// Complete.
	pub(crate) fn new(local: u32) -> Self {
		Self::with(Some(local), |_| {})
	}

	/// Complete, blocks changed.
	pub(crate) fn with(local: Option<u32>, change: impl Fn(&mut BlockContext)) -> Self {
		let mut world = Self::without_topology(local, change);
		world.topology();
		world
	}

	/// Handles an event.
	pub(crate) fn handle(&mut self, event: Event) -> Output {
		self.run(|machine, now, effects| machine.handle(now, event, effects))
	}

	/// Lets time pass, and ticks as often as is asked for.
	pub(crate) fn pass(&mut self, millis: u64) -> Output {
		let end = self.now + Duration::from_millis(millis);
		let mut output = Output::default();
		while let Some(at) = self.machine.next_deadline().filter(|at| *at <= end) {
			self.now = self.now.max(at);
			let part = self.run(|machine, now, effects| machine.tick(now, effects));
			assert!(
				self.machine.next_deadline().is_none_or(|next| next > self.now),
				"a tick moves the deadline"
			);
			output.effects.extend(part.effects);
			output.reasons.extend(part.reasons);
			output.duplicates += part.duplicates;
			output.reports.extend(part.reports);
		}
		self.now = end;
		output
	}

	fn run(
		&mut self,
		run: impl FnOnce(&mut StatementDistribution, Timestamp, &mut Effects<Effect>),
	) -> Output {
		let mut effects = Effects::new();
		run(&mut self.machine, self.now, &mut effects);
		let mut output = Output::default();
		while let Some(effect) = effects.pop() {
			if let Effect::Membership(query) = &effect {
				if self.importable {
					let answer = self.membership(query);
					self.machine.handle(self.now, Event::Membership(answer), &mut effects);
				}
			}
			match effect {
				Effect::Network(NetworkEffect::Report { peer, change }) => {
					let (whose, change) = (number(&peer), i64::from(change.value()));
					*self.reputations.entry(whose).or_default() += change;
					output.reports.push((whose, change));
				},
				effect => output.effects.push(effect),
			}
		}
		assert_eq!(self.machine.sizes().exceeded(), None);
		for trace in effects.take_traces() {
			match trace.stage {
				Stage::Dropped(reason) => output.reasons.push(reason),
				Stage::Duplicate => output.duplicates += 1,
				_ => {},
			}
		}
		output
	}

	/// All candidates may be added under the leaf asked for, or the first one.
	pub(crate) fn membership(&self, query: &MembershipQuery) -> Membership {
		let leaf = query.leaf.unwrap_or(hash(LEAF.into()));
		let leaves = query.candidates.iter().map(|candidate| (candidate.clone(), vec![leaf]));
		Membership { token: query.token, leaves: leaves.collect() }
	}

	pub(crate) fn leaf(
		&mut self,
		number: u32,
		deactivated: &[u32],
		change: impl Fn(&mut BlockContext),
	) -> Output {
		let leaf = leaf_at(number, &self.session, change);
		self.handle(Event::Leaves(activate(leaf, deactivated)))
	}

	pub(crate) fn deactivate(&mut self, number: u32) -> Output {
		self.handle(Event::Leaves(LeavesUpdate { activated: None, deactivated: vec![hash(number.into())] }))
	}

	pub(crate) fn connect(&mut self, validator: u32) -> Output {
		self.connect_as(validator, CollationVersion::V3)
	}

	pub(crate) fn connect_as(&mut self, validator: u32, version: CollationVersion) -> Output {
		let key = self.session.info.discovery_keys[validator as usize].clone();
		self.connect_with(validator, version, [key].into())
	}

	/// It becomes known which validators a peer is.
	pub(crate) fn identify(&mut self, who: u32, validators: &[u32]) -> Output {
		let key = |validator: &u32| self.session.info.discovery_keys[*validator as usize].clone();
		let authority_ids = validators.iter().map(key).collect();
		self.handle(Event::Network(NetworkEvent::UpdatedAuthorityIds {
			peer: peer(who as u8),
			authority_ids,
		}))
	}

	/// A peer connects of which nobody knows (yet) which validator it is.
	pub(crate) fn connect_nameless(&mut self, validator: u32) -> Output {
		self.connect_with(validator, CollationVersion::V3, BTreeSet::new())
	}

	fn connect_with(
		&mut self,
		validator: u32,
		version: CollationVersion,
		authority_ids: BTreeSet<AuthorityDiscoveryId>,
	) -> Output {
		self.handle(Event::Network(NetworkEvent::PeerConnected {
			peer: peer(validator as u8),
			set: PeerSet::Validation,
			version,
			role: ObservedRole::Authority,
			authority_ids,
		}))
	}

	pub(crate) fn disconnect(&mut self, validator: u32) -> Output {
		let peer = peer(validator as u8);
		self.handle(Event::Network(NetworkEvent::PeerDisconnected { peer, set: PeerSet::Validation }))
	}

	pub(crate) fn peer_view(&mut self, validator: u32, heads: &[u32]) -> Output {
		let heads = heads.iter().map(|head| hash((*head).into())).collect();
		self.handle(Event::Network(NetworkEvent::PeerViewChange {
			peer: peer(validator as u8),
			set: PeerSet::Validation,
			view: ViewMessage { heads, finalized_number: 0 },
		}))
	}

	pub(crate) fn topology(&mut self) -> Output {
		let SessionContext { info, topology_randomness, local_discovery_index, .. } = &*self.session;
		let topology = Topology::new(info, topology_randomness, *local_discovery_index);
		self.handle(Event::Network(NetworkEvent::NewTopology {
			session: SESSION,
			topology: Arc::new(topology),
		}))
	}

	/// Whom manifests of a group go to and come from.
	pub(crate) fn group_view(&self, group: u32) -> GroupView {
		let id = self.machine.sessions.of_index(SESSION).next().unwrap();
		let grid = self.machine.sessions.get(id).unwrap().grid.as_ref().unwrap();
		grid.group(GroupIndex(group)).unwrap().clone()
	}

	/// A neighbour that may send manifests of a group.
	pub(crate) fn teller(&self, group: u32) -> u32 {
		self.group_view(group).receiving.first().unwrap().0
	}

	/// What a peer earned or cost since the last time it was asked for.
	pub(crate) fn reputation(&mut self, validator: u32) -> i64 {
		self.reputations.remove(&validator).unwrap_or(0)
	}

	/// A signed statement.
	pub(crate) fn signed(&self, by: u32, kind: Kind, candidate: &Built) -> Signed<CompactStatement> {
		let parent_hash = candidate.receipt.descriptor.scheduling_parent();
		self.signed_in(by, kind, candidate, SigningContext { session_index: SESSION, parent_hash })
	}

	/// A statement that is signed for a session and a block of choice.
	pub(crate) fn signed_in(
		&self,
		by: u32,
		kind: Kind,
		candidate: &Built,
		context: SigningContext,
	) -> Signed<CompactStatement> {
		let key = &self.session.info.validators[by as usize];
		sign(&self.signer, &context, key, ValidatorIndex(by), kind.statement(candidate.hash)).unwrap()
	}

	/// The same, unchecked.
	pub(crate) fn unchecked(
		&self,
		by: u32,
		kind: Kind,
		candidate: &Built,
	) -> UncheckedSigned<CompactStatement> {
		self.signed(by, kind, candidate).into_unchecked()
	}

	/// A peer sends a message.
	pub(crate) fn message(&mut self, from: u32, message: StatementMessage) -> Output {
		self.handle(Event::Network(NetworkEvent::Validation {
			peer: peer(from as u8),
			message: ValidationMessage::Statement(message),
		}))
	}

	/// A peer sends a statement of a validator.
	pub(crate) fn receive(&mut self, from: u32, by: u32, kind: Kind, candidate: &Built) -> Output {
		let statement = self.unchecked(by, kind, candidate);
		let scheduling_parent = candidate.receipt.descriptor.scheduling_parent();
		self.message(from, StatementMessage::Statement(scheduling_parent, statement))
	}

	/// Backing makes a statement in the name of a validator.
	pub(crate) fn share_as(&mut self, by: u32, kind: Kind, candidate: &Built, at: Hash) -> Output {
		let full = match kind {
			Kind::Seconded => Statement::Seconded(candidate.receipt.clone()),
			Kind::Valid => Statement::Valid(candidate.hash),
		};
		let statement = StatementWithPvd {
			statement: self.signed(by, kind, candidate).map_payload(|_| full),
			validation_data: (kind == Kind::Seconded).then(|| Arc::new(candidate.data.clone())),
		};
		self.handle(Event::Share { scheduling_parent: at, statement })
	}

	/// Backing makes a statement.
	pub(crate) fn share(&mut self, kind: Kind, candidate: &Built) -> Output {
		let local = self.session.local_validator.unwrap().0;
		self.share_as(local, kind, candidate, candidate.receipt.descriptor.scheduling_parent())
	}

	/// A manifest as an honest peer would send it.
	pub(crate) fn manifest(&self, group: u32, candidate: &Built, knowledge: &str) -> BackedCandidateManifest {
		BackedCandidateManifest {
			scheduling_parent: candidate.receipt.descriptor.scheduling_parent(),
			candidate_hash: candidate.hash,
			group_index: GroupIndex(group),
			para_id: candidate.receipt.descriptor.para_id,
			parent_head_data_hash: candidate.data.parent_head.hash(),
			statement_knowledge: crate::filter::parse(knowledge),
		}
	}

	/// A peer sends it.
	pub(crate) fn tell(&mut self, from: u32, group: u32, candidate: &Built, knowledge: &str) -> Output {
		let manifest = self.manifest(group, candidate, knowledge);
		self.message(from, StatementMessage::BackedCandidateManifest(manifest))
	}

	/// A peer acknowledges.
	pub(crate) fn acknowledge(&mut self, from: u32, candidate: &Built, knowledge: &str) -> Output {
		let known = BackedCandidateAcknowledgement {
			candidate_hash: candidate.hash,
			statement_knowledge: crate::filter::parse(knowledge),
		};
		self.message(from, StatementMessage::BackedCandidateKnown(known))
	}

	/// A response with these statements.
	pub(crate) fn response(
		&self,
		candidate: &Built,
		statements: &[(u32, Kind)],
	) -> AttestedCandidateResponse {
		let sign = |(by, kind): &(u32, Kind)| self.unchecked(*by, *kind, candidate);
		AttestedCandidateResponse {
			candidate_receipt: candidate.receipt.clone(),
			persisted_validation_data: candidate.data.clone(),
			statements: statements.iter().map(sign).collect(),
		}
	}

	/// A request of ours comes back.
	pub(crate) fn returns(
		&mut self,
		token: Token,
		result: Result<AttestedCandidateResponse, RequestError>,
	) -> Output {
		let result = result.map(|response| response.encode());
		self.handle(Event::Response { token, result })
	}

	/// A peer asks for a candidate.
	pub(crate) fn ask(&mut self, from: u32, id: u64, candidate: &Built, mask: &str) -> Output {
		let request =
			AttestedCandidateRequest { candidate_hash: candidate.hash, mask: crate::filter::parse(mask) };
		self.ask_with(from, id, request.encode())
	}

	/// A peer sends a request, be it what it may.
	pub(crate) fn ask_with(&mut self, from: u32, id: u64, payload: Vec<u8>) -> Output {
		self.handle(Event::Request(InboundRequest {
			peer: peer(from as u8),
			id: InboundRequestId(id),
			protocol: RequestProtocol::AttestedCandidate,
			payload,
		}))
	}

	/// Backing has enough votes.
	pub(crate) fn backed(&mut self, candidate: &Built) -> Output {
		self.handle(Event::Backed { candidate_hash: candidate.hash })
	}

	/// Fetches a candidate of another group by a manifest. Answers what the response led to.
	pub(crate) fn fetch_from(
		&mut self,
		from: u32,
		group: u32,
		candidate: &Built,
		statements: &[(u32, Kind)],
		knowledge: &str,
	) -> Output {
		let requests = self.tell(from, group, candidate, knowledge).requests();
		assert_eq!(requests.len(), 1, "asks {from}");
		let response = self.response(candidate, statements);
		self.returns(requests[0].0, Ok(response))
	}
}
