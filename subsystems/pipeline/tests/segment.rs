//! The machines of a collator and of a validator with segments, joined by a network that loses nothing.

use codec::Encode;
use headway_collator_protocol::{collator_side::CollatorSide, Declaration};
use headway_machine::{
	testing::{self, block, hash, leaf, peer, session, validator_keys, verifier, TestSigner},
	wire::{CollationMessage, CollationVersion, InboundRequest, ViewMessage},
	Collation, Effects, Execution, InboundRequestId, LeavesUpdate, NetworkEffect, NetworkEvent, ObservedRole,
	ParaContext, PeerSet, Reputation, Stage, SubmitSegment, SubmittedCollation, Subsystem, Timestamp, Token,
	Trace,
};
use headway_pipeline::{Collator, Config, Effect, Event, Validator};
use headway_primitives::{
	constraints::Constraints,
	ump::{ClaimQueueOffset, CoreSelector, UmpSignal, UMP_SEPARATOR},
	BlockData, CandidateDescriptorVersion, CandidateHash, CollatorPair, CoreIndex, FeatureIndex, HeadData,
	NodeFeatures, ParaId, PersistedValidationData, PoV, UpwardMessages, ValidationCode, ValidationResult,
};
use sp_core::Pair;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

const PARA: ParaId = ParaId(2000);
const LEAF: u64 = 10;
const COLLATOR: u8 = 1;
const VALIDATOR: u8 = 2;

fn head(n: u8) -> HeadData {
	HeadData(vec![n])
}

fn code() -> ValidationCode {
	ValidationCode(vec![1])
}

fn signals() -> UpwardMessages {
	let select = UmpSignal::SelectCore(CoreSelector(0), ClaimQueueOffset(0)).encode();
	vec![UMP_SEPARATOR, select].try_into().expect("few messages")
}

/// Every block of the para counts one on.
fn execute(execution: &Execution) -> ValidationResult {
	ValidationResult {
		head_data: head(execution.validation_data.parent_head.0[0] + 1),
		new_validation_code: None,
		upward_messages: signals(),
		horizontal_messages: Default::default(),
		processed_downward_messages: 0,
		hrmp_watermark: LEAF as u32,
	}
}

/// Blocks 1 to 3 of the para for core 0, each on top of the one before.
fn submission() -> SubmitSegment {
	let collation = |n| SubmittedCollation {
		collation: Collation {
			upward_messages: signals(),
			horizontal_messages: Default::default(),
			new_validation_code: None,
			head_data: head(n),
			pov: PoV { block_data: BlockData(vec![n; 10]) },
			processed_downward_messages: 0,
			hrmp_watermark: LEAF as u32,
		},
		relay_parent: hash(LEAF),
		validation_data: PersistedValidationData {
			parent_head: head(n - 1),
			relay_parent_number: LEAF as u32,
			relay_parent_storage_root: hash(1_000_000 + LEAF),
			max_pov_size: 10_000,
		},
		validation_code_hash: code().hash(),
		session_index: 7,
	};
	SubmitSegment {
		scheduling_parent: hash(LEAF),
		core_index: CoreIndex(0),
		descriptor_version: CandidateDescriptorVersion::V3,
		collations: (1..=3).map(collation).collect(),
	}
}

fn constraints() -> Constraints {
	Constraints {
		max_pov_size: 10_000,
		max_head_data_size: 1_000,
		max_hrmp_num_per_candidate: 0,
		validation_code_hash: code().hash(),
		..testing::constraints(head(0))
	}
}

struct Joined {
	validator: Validator,
	collator: Collator,
	now: Timestamp,
	/// Of the validator.
	traces: Vec<Trace>,
	advertised: Vec<CollationMessage>,
}

impl Joined {
	/// A validator that is a group by itself, and a collator, both at the leaf and connected in version 4.
	fn new() -> Self {
		let keys = validator_keys(3);
		let session = session(7, &keys, vec![vec![0], vec![1], vec![2]], Some(0));
		let validator_keys = session.info.discovery_keys[..1].iter().cloned().collect();
		let pair = CollatorPair::from_seed(&[1; 32]);
		let declaration = Declaration::new(pair.public(), &peer(COLLATOR), |payload| pair.sign(payload));
		let config = Config { experimental_collator_protocol: true, ..Default::default() };
		let mut joined = Self {
			validator: Validator::new(config, Arc::new(TestSigner(keys)), verifier()),
			collator: Collator::new(CollatorSide::new(declaration)),
			now: Timestamp::from_unix_ms((LEAF + 1) * 6_000 + 100),
			traces: Vec::new(),
			advertised: Vec::new(),
		};

		let mut node_features = NodeFeatures::new();
		node_features.resize(FeatureIndex::CandidateReceiptV3 as usize + 1, true);
		let block = |number| {
			let mut block = block(number, &session, [(CoreIndex(0), [PARA; 3].into())].into());
			block.node_features = node_features.clone();
			block
		};
		let ancestry = vec![Arc::new(block(9)), Arc::new(block(8))];
		let mut leaf = leaf(block(LEAF as u32), ancestry);
		leaf.paras.insert(PARA, ParaContext { constraints: constraints(), pending: Vec::new() });
		let update = LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated: Vec::new() };
		joined.tell_validator(Event::Finalized { number: 1, hash: hash(1), node_features });
		joined.tell_collator(Event::CollateOn(PARA));
		joined.tell_validator(Event::Leaves(update.clone()));
		joined.tell_collator(Event::Leaves(update));

		let connected = |n, authority_ids| NetworkEvent::PeerConnected {
			peer: peer(n),
			set: PeerSet::Collation,
			version: CollationVersion::V4,
			role: ObservedRole::Full,
			authority_ids,
		};
		let view = |n| NetworkEvent::PeerViewChange {
			peer: peer(n),
			set: PeerSet::Collation,
			view: ViewMessage { heads: vec![hash(LEAF)], finalized_number: 0 },
		};
		joined.tell_validator(Event::Network(connected(COLLATOR, BTreeSet::new())));
		joined.tell_validator(Event::Network(view(COLLATOR)));
		joined.tell_collator(Event::Network(connected(VALIDATOR, validator_keys)));
		joined.tell_collator(Event::Network(view(VALIDATOR)));
		joined
	}

	fn tell_validator(&mut self, event: Event) {
		let mut effects = Effects::new();
		self.validator.handle(self.now, event, &mut effects);
		self.carry_out_for_validator(effects);
	}

	fn tell_collator(&mut self, event: Event) {
		let mut effects = Effects::new();
		self.collator.handle(self.now, event, &mut effects);
		self.carry_out_for_collator(effects);
	}

	fn carry_out_for_validator(&mut self, mut effects: Effects<Effect>) {
		self.traces.extend(effects.take_traces());
		while let Some(effect) = effects.pop() {
			let answer = match effect {
				Effect::Network(NetworkEffect::Request { token, request, .. }) => {
					self.tell_collator(Event::Request(InboundRequest {
						peer: peer(VALIDATOR),
						id: InboundRequestId(token.0),
						protocol: request.protocol(),
						payload: request.encode_payload(),
					}));
					continue;
				},
				Effect::Network(NetworkEffect::Report { change, .. }) => {
					assert_eq!(change, Reputation::BenefitMinor(change.reason()), "nobody is to blame");
					continue;
				},
				Effect::FetchCode { token, .. } => Event::Code { token, code: Some((code(), 1_000)) },
				Effect::Execute { token, execution } => {
					Event::Executed { token, result: Ok(execute(&execution)) }
				},
				Effect::Encode { token, n_validators, data } => {
					Event::Encoded { token, result: headway_availability::encode(n_validators, &data) }
				},
				Effect::Load { token, .. } => Event::Loaded { token, value: None },
				Effect::Write { token, .. } => Event::Written { token, ok: true },
				_ => continue,
			};
			self.tell_validator(answer);
		}
	}

	fn carry_out_for_collator(&mut self, mut effects: Effects<Effect>) {
		while let Some(effect) = effects.pop() {
			match effect {
				Effect::Network(NetworkEffect::SendCollation { message, .. }) => {
					self.advertised.push(message.clone());
					self.advertise(message);
				},
				Effect::Network(NetworkEffect::Respond { id, response, .. }) => {
					let response = response.expect("the collator has what it advertised");
					self.tell_validator(Event::Response { token: Token(id.0), result: Ok(response) });
				},
				Effect::EncodeRoot { token, n_validators, data } => {
					let encoding = headway_availability::encode(n_validators, &data);
					self.tell_collator(Event::EncodedRoot {
						token,
						root: encoding.map(|encoding| encoding.root),
					});
				},
				Effect::SubmissionRejected { error, .. } => panic!("{error}"),
				_ => {},
			}
		}
	}

	fn advertise(&mut self, message: CollationMessage) {
		self.tell_validator(Event::Network(NetworkEvent::Collation { peer: peer(COLLATOR), message }));
	}

	/// Lets the collator finish what it sends.
	fn wait(&mut self) {
		self.now = self.now + Duration::from_millis(200);
		let mut effects = Effects::new();
		self.collator.tick(self.now, &mut effects);
		self.carry_out_for_collator(effects);
	}

	/// Candidates that reached a stage at the validator.
	fn reached(&self, stage: Stage) -> BTreeSet<CandidateHash> {
		self.traces.iter().filter(|trace| trace.stage == stage).filter_map(|trace| trace.candidate).collect()
	}
}

#[test]
fn a_segment_of_three_candidates_is_fetched_seconded_and_backed() {
	let mut joined = Joined::new();
	joined.tell_collator(Event::Submit(submission()));
	assert_eq!(joined.advertised.len(), 1, "one message for all three");
	let CollationMessage::V4(segment) = &joined.advertised[0] else { panic!("{:?}", joined.advertised) };
	assert_eq!(segment.candidates.len(), 3);
	for n in 1..=3 {
		assert_eq!(joined.reached(Stage::Fetched).len(), n);
		assert_eq!(joined.reached(Stage::Seconded).len(), n);
		assert_eq!(joined.reached(Stage::Backable), joined.reached(Stage::Seconded));
		// It is offered again, and there is another fetch for it.
		joined.wait();
		joined.advertise(joined.advertised[0].clone());
	}
	assert_eq!(joined.reached(Stage::Fetched).len(), 3, "the claim queue is full, and all is known");
	let is_lost = |trace: &&Trace| trace.candidate.is_some() && trace.loss().is_some();
	assert_eq!(joined.traces.iter().find(is_lost), None);
}
