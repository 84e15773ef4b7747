//! A validator of group 0 on core 0, whose neighbours are answered for: backing allows what the test allows,
//! and prospective parachains know the heads that the test names. The tests of the other validator side use this too.

#[cfg(test)]
mod advertisements;
pub(crate) mod arbitrary;
#[cfg(test)]
mod collations;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod parked;
#[cfg(test)]
mod peers;

use super::*;
use crate::Declaration;
use codec::Encode;
use headway_machine::{
	testing::{block, hash, leaf, peer, session, validator_keys, Answer, Driven, World},
	wire::{
		AdvertiseCollationV1, AdvertiseCollationV2, AdvertiseCollationV3, AdvertiseSegment,
		CollationResponse, CollationResponseV3, CollationVersion, CollatorMessageV1, CollatorMessageV2,
		CollatorMessageV3, Request, SegmentEntry, ViewMessage,
	},
	LeafContext, ObservedRole, ParaContext, ParentHead, PendingCandidate, Recipient, SessionContext,
};
use headway_primitives::{
	constraints::Constraints, BlockData, CandidateCommitments, CandidateDescriptorV2,
	CandidateDescriptorVersion, ClaimQueue, CollatorPair, CommittedCandidateReceiptV2, HeadData, PoV, Signed,
	Statement, UncheckedSigned, ValidationCodeHash, ValidatorIndex, ValidatorSignature,
};
use sp_core::{ByteArray, Pair};
use std::{
	ops::{Deref, DerefMut},
	sync::Arc,
};

pub(crate) const A: ParaId = ParaId(2000);
pub(crate) const B: ParaId = ParaId(2001);
pub(crate) const SLOT_MS: u64 = 6_000;

/// A collation with everything that goes with it.
#[derive(Clone)]
pub(crate) struct Sample {
	pub(crate) receipt: CommittedCandidateReceiptV2,
	pub(crate) pov: PoV,
	pub(crate) data: PersistedValidationData,
}

impl Sample {
	pub(crate) fn hash(&self) -> CandidateHash {
		self.receipt.hash()
	}

	pub(crate) fn parent_hash(&self) -> Hash {
		self.data.parent_head.hash()
	}

	pub(crate) fn response(&self) -> Vec<u8> {
		CollationResponse::Collation(self.receipt.to_plain(), self.pov.clone()).encode()
	}

	pub(crate) fn response_with_parent(&self) -> Vec<u8> {
		CollationResponse::CollationWithParentHeadData {
			receipt: self.receipt.to_plain(),
			pov: self.pov.clone(),
			parent_head_data: self.data.parent_head.clone(),
		}
		.encode()
	}

	/// Applies a change to the descriptor.
	pub(crate) fn with(mut self, change: impl FnOnce(&mut CandidateDescriptorV2)) -> Self {
		change(&mut self.receipt.descriptor);
		self
	}
}

/// A version 2 candidate of `para` at block `at` for core 0, which turns head `parent` into head `head`.
pub(crate) fn sample(para: ParaId, at: u64, parent: u8, head: u8) -> Sample {
	let data = PersistedValidationData {
		parent_head: HeadData(vec![parent]),
		relay_parent_number: at as u32,
		relay_parent_storage_root: hash(1_000_000 + at),
		max_pov_size: 1_000,
	};
	let pov = PoV { block_data: BlockData(vec![head; 10]) };
	let head_data = HeadData(vec![head]);
	let descriptor = CandidateDescriptorV2::new_v2(
		para,
		hash(at),
		CoreIndex(0),
		7,
		data.hash(),
		pov.hash(),
		hash(77),
		head_data.hash(),
		ValidationCodeHash(hash(78)),
	);
	let commitments = CandidateCommitments { head_data, ..Default::default() };
	Sample { receipt: CommittedCandidateReceiptV2 { descriptor, commitments }, pov, data }
}

/// Backing and prospective parachains.
pub(crate) struct Neighbours {
	/// Whether backing could second anything.
	pub(crate) can_second: bool,
	/// Heads that prospective parachains know.
	pub(crate) known_heads: BTreeMap<Hash, PersistedValidationData>,
	/// What prospective parachains say of that, if asked.
	pub(crate) output_heads: BTreeMap<Hash, BTreeMap<ParaId, BTreeSet<Hash>>>,
}

impl<M: Subsystem<Event = Event, Effect = Effect>> World<M> for Neighbours {
	fn answer(&mut self, effect: Effect) -> Answer<Event, Effect> {
		match effect {
			Effect::CanSecond(query) => {
				Answer::Event(Event::CanSecond { token: query.token, allowed: self.can_second })
			},
			Effect::ValidationData(query) => {
				let known = self.known_heads.get(&query.parent_head.hash()).cloned();
				let data = match query.parent_head {
					ParentHead::WithData { head_data, .. } if known.is_none() => {
						Some(PersistedValidationData {
							parent_head: head_data,
							relay_parent_number: 10,
							relay_parent_storage_root: hash(1_000_010),
							max_pov_size: 1_000,
						})
					},
					_ => known,
				};
				Answer::Event(Event::ValidationData { token: query.token, data })
			},
			Effect::KnownOutputHeads { token, .. } => {
				Answer::Event(Event::KnownOutputHeads { token, heads: self.output_heads.clone() })
			},
			other => Answer::Show(other),
		}
	}
}

pub(crate) struct Rig<M = ValidatorSide> {
	pub(crate) driven: Driven<M, Neighbours>,
	pub(crate) session: Arc<SessionContext>,
}

impl<M> Deref for Rig<M> {
	type Target = Driven<M, Neighbours>;

	fn deref(&self) -> &Self::Target {
		&self.driven
	}
}

impl<M> DerefMut for Rig<M> {
	fn deref_mut(&mut self) -> &mut Self::Target {
		&mut self.driven
	}
}

/// What the queue of core 0 looks like, in letters.
pub(crate) fn queue(letters: &str) -> ClaimQueue {
	let para = |letter: char| ParaId(2000 + letter as u32 - 'A' as u32);
	[(CoreIndex(0), letters.chars().map(para).collect())].into()
}

impl Rig {
	/// Leaf 10 over 9 and 8, lookahead 3, in slot 11.
	pub(crate) fn new(letters: &str) -> Self {
		Self::with_config(letters, Config::default())
	}

	pub(crate) fn with_config(letters: &str, config: Config) -> Self {
		let mut rig = Self::without_leaf(ValidatorSide::new(config));
		rig.activate(10, letters, None);
		rig
	}
}

impl<M: Subsystem<Event = Event, Effect = Effect>> Rig<M> {
	pub(crate) fn without_leaf(machine: M) -> Self {
		let session = session(7, &validator_keys(6), vec![vec![0, 1], vec![2, 3], vec![4, 5]], Some(0));
		let neighbours =
			Neighbours { can_second: true, known_heads: BTreeMap::new(), output_heads: BTreeMap::new() };
		let now = Timestamp::from_unix_ms(11 * SLOT_MS + 100);
		Rig { driven: Driven::new(machine, neighbours, now), session }
	}

	pub(crate) fn leaf(&self, number: u32, letters: &str) -> LeafContext {
		let ancestor = |number| Arc::new(block(number, &self.session, queue(letters)));
		leaf(block(number, &self.session, queue(letters)), vec![ancestor(number - 1), ancestor(number - 2)])
	}

	pub(crate) fn activate(&mut self, number: u32, letters: &str, deactivated: Option<u32>) -> Vec<Effect> {
		let activated = Some(Arc::new(self.leaf(number, letters)));
		let deactivated = deactivated.map(|number| hash(number.into())).into_iter().collect();
		self.send(Event::Leaves(LeavesUpdate { activated, deactivated }))
	}

	/// Activates a leaf at which head `included` of para A is included, and `pending` waits for availability.
	pub(crate) fn activate_with_head(&mut self, number: u32, included: u8, pending: Option<&Sample>) {
		let constraints = Constraints {
			min_relay_parent_number: 0,
			max_pov_size: 1_000,
			max_code_size: 0,
			max_head_data_size: 0,
			ump_remaining: 0,
			ump_remaining_bytes: 0,
			max_ump_num_per_candidate: 0,
			dmp_remaining_messages: Vec::new(),
			hrmp_inbound: Default::default(),
			hrmp_channels_out: Vec::new(),
			max_hrmp_num_per_candidate: 0,
			required_parent: HeadData(vec![included]),
			validation_code_hash: ValidationCodeHash(hash(78)),
			upgrade_restriction: None,
			future_validation_code: None,
		};
		let pending = pending.map(|sample| PendingCandidate {
			hash: sample.hash(),
			receipt: sample.receipt.clone(),
			relay_parent: None,
		});
		let mut leaf = self.leaf(number, "AAA");
		leaf.paras.insert(A, ParaContext { constraints, pending: pending.into_iter().collect() });
		let deactivated = vec![hash(u64::from(number) - 1)];
		self.send(Event::Leaves(LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated }));
	}

	pub(crate) fn network(&mut self, event: NetworkEvent) -> Vec<Effect> {
		self.send(Event::Network(event))
	}

	pub(crate) fn connect(&mut self, n: u8, version: CollationVersion) -> Vec<Effect> {
		self.network(NetworkEvent::PeerConnected {
			peer: peer(n),
			set: PeerSet::Collation,
			version,
			role: ObservedRole::Full,
			authority_ids: BTreeSet::new(),
		})
	}

	pub(crate) fn message(&mut self, n: u8, message: CollationMessage) -> Vec<Effect> {
		self.network(NetworkEvent::Collation { peer: peer(n), message })
	}

	pub(crate) fn view(&mut self, n: u8, heads: &[u64]) -> Vec<Effect> {
		let view = ViewMessage { heads: heads.iter().copied().map(hash).collect(), finalized_number: 0 };
		self.network(NetworkEvent::PeerViewChange { peer: peer(n), set: PeerSet::Collation, view })
	}

	/// A declared collator that sees block 10.
	pub(crate) fn collator(&mut self, n: u8, version: CollationVersion, para: ParaId) {
		let mut effects = self.connect(n, version);
		effects.extend(self.message(n, declare(n, n, version, para)));
		effects.extend(self.view(n, &[10]));
		assert!(effects.is_empty(), "{effects:?}");
	}

	pub(crate) fn advertise(&mut self, n: u8, sample: &Sample) -> Vec<Effect> {
		self.message(n, advert_v2(sample))
	}

	pub(crate) fn respond(&mut self, token: Token, bytes: Vec<u8>) -> Vec<Effect> {
		self.send(Event::Response { token, result: Ok(bytes) })
	}

	pub(crate) fn seconded(&mut self, sample: &Sample) -> Vec<Effect> {
		let scheduling_parent = sample.receipt.descriptor.scheduling_parent();
		self.send(Event::Seconded { scheduling_parent, statement: statement(sample) })
	}

	pub(crate) fn invalid(&mut self, sample: &Sample) -> Vec<Effect> {
		self.send(Event::Invalid {
			scheduling_parent: sample.receipt.descriptor.scheduling_parent(),
			receipt: sample.receipt.to_plain(),
			reason: Reason::InvalidExecution,
		})
	}
}

/// Our statement that seconds a candidate.
pub(crate) fn statement(sample: &Sample) -> SignedFullStatement {
	Signed::assume_checked(UncheckedSigned {
		payload: Statement::Seconded(sample.receipt.clone()),
		validator_index: ValidatorIndex(0),
		signature: ValidatorSignature::from_slice(&[1; 64]).unwrap(),
	})
}

pub(crate) fn pair(n: u8) -> CollatorPair {
	CollatorPair::from_seed(&[n; 32])
}

/// A declaration by collator `key`, signed for peer `signed_for`.
pub(crate) fn declare(key: u8, signed_for: u8, version: CollationVersion, para: ParaId) -> CollationMessage {
	let pair = pair(key);
	let Declaration { collator, signature } =
		Declaration::new(pair.public(), &peer(signed_for), |payload| pair.sign(payload));
	match version {
		CollationVersion::V1 => CollationMessage::V1(CollatorMessageV1::Declare(collator, para, signature)),
		CollationVersion::V2 => CollationMessage::V2(CollatorMessageV2::Declare(collator, para, signature)),
		_ => CollationMessage::V3(CollatorMessageV3::Declare(collator, para, signature)),
	}
}

pub(crate) fn advert_v1(at: u64) -> CollationMessage {
	let advert = AdvertiseCollationV1 { scheduling_parent: hash(at) };
	CollationMessage::V1(CollatorMessageV1::AdvertiseCollation(advert))
}

pub(crate) fn advert_v2(sample: &Sample) -> CollationMessage {
	CollationMessage::V2(CollatorMessageV2::AdvertiseCollation(AdvertiseCollationV2 {
		scheduling_parent: sample.receipt.descriptor.scheduling_parent(),
		candidate_hash: sample.hash(),
		parent_head_data_hash: sample.parent_hash(),
	}))
}

pub(crate) fn advert_v3(sample: &Sample) -> CollationMessage {
	let descriptor = &sample.receipt.descriptor;
	CollationMessage::V3(CollatorMessageV3::AdvertiseCollation(AdvertiseCollationV3 {
		scheduling_parent: descriptor.scheduling_parent(),
		candidate_hash: sample.hash(),
		parent_head_data_hash: sample.parent_hash(),
		candidate_descriptor_version: descriptor.version(),
		relay_parent: descriptor.relay_parent,
	}))
}

/// Version 4: these candidates, which are all of the same para, version and block.
pub(crate) fn segment(samples: &[&Sample]) -> CollationMessage {
	let descriptor = &samples[0].receipt.descriptor;
	let entry = |sample: &&Sample| SegmentEntry {
		output_head_data_hash: sample.receipt.descriptor.para_head,
		parent_head_data_hash: sample.parent_hash(),
		claim_queue_offset: 0,
	};
	CollationMessage::V4(AdvertiseSegment {
		scheduling_parent: descriptor.scheduling_parent(),
		para_id: descriptor.para_id,
		candidates_descriptor_version: descriptor.version(),
		candidates: samples.iter().map(entry).collect::<Vec<_>>().try_into().unwrap(),
	})
}

/// The response of version 4.
pub(crate) fn response_v4(sample: &Sample) -> Vec<u8> {
	CollationResponseV3::Collation {
		receipt: sample.receipt.to_plain(),
		pov: sample.pov.clone(),
		parent_head_data: sample.data.parent_head.clone(),
	}
	.encode()
}

/// What the collators of seconded collations are told: whom, and in which version.
pub(crate) fn told(effects: &[Effect]) -> Vec<(PeerId, CollationVersion)> {
	let told = |effect: &Effect| match effect {
		Effect::Network(NetworkEffect::SendCollation { peers, message }) => {
			assert_eq!(peers.len(), 1);
			Some((peers[0].clone(), message.version()))
		},
		_ => None,
	};
	effects.iter().filter_map(told).collect()
}

/// The requests among effects: token, peer, and the candidate (none by version 1).
pub(crate) fn requests(effects: &[Effect]) -> Vec<(Token, PeerId, Option<CandidateHash>)> {
	let request = |effect: &Effect| match effect {
		Effect::Network(NetworkEffect::Request { token, recipient: Recipient::Peer(peer), request }) => {
			match request {
				Request::CollationV1(_) => Some((*token, peer.clone(), None)),
				Request::CollationV2(request) => Some((*token, peer.clone(), Some(request.candidate_hash))),
				other => panic!("unexpected request {other:?}"),
			}
		},
		_ => None,
	};
	effects.iter().filter_map(request).collect()
}

/// The only request among effects.
pub(crate) fn request(effects: &[Effect]) -> (Token, PeerId, Option<CandidateHash>) {
	let all = requests(effects);
	assert_eq!(all.len(), 1, "{effects:?}");
	all.into_iter().next().unwrap()
}

pub(crate) fn fetched_from(effects: &[Effect], n: u8) -> Token {
	let (token, from, _) = request(effects);
	assert_eq!(from, peer(n));
	token
}

pub(crate) fn reports(effects: &[Effect]) -> Vec<(PeerId, i32)> {
	let report = |effect: &Effect| match effect {
		Effect::Network(NetworkEffect::Report { peer, change }) => Some((peer.clone(), change.value())),
		_ => None,
	};
	effects.iter().filter_map(report).collect()
}

pub(crate) fn disconnected(effects: &[Effect]) -> Vec<PeerId> {
	let closed = |effect: &Effect| match effect {
		Effect::Network(NetworkEffect::Disconnect { peer, set: PeerSet::Collation }) => Some(peer.clone()),
		_ => None,
	};
	effects.iter().filter_map(closed).collect()
}

pub(crate) fn second_requests(effects: &[Effect]) -> Vec<CandidateHash> {
	let second = |effect: &Effect| match effect {
		Effect::Second(request) => Some(request.receipt.hash()),
		_ => None,
	};
	effects.iter().filter_map(second).collect()
}

pub(crate) const MINOR: i32 = -100_000;
pub(crate) const MALICIOUS: i32 = i32::MIN;

#[test]
fn same_events_give_same_effects() {
	let scenario = || {
		let mut rig = Rig::new("ABA");
		rig.world.can_second = true;
		for (n, para) in [(1, A), (2, B), (3, A)] {
			rig.collator(n, CollationVersion::V2, para);
		}
		let samples = [sample(A, 10, 0, 1), sample(B, 10, 0, 2), sample(A, 10, 1, 3)];
		let mut all = Vec::new();
		for (n, sample) in (1..).zip(&samples) {
			rig.world.known_heads.insert(sample.parent_hash(), sample.data.clone());
			all.extend(rig.advertise(n, sample));
		}
		let token = fetched_from(&all, 1);
		all.extend(rig.respond(token, samples[0].response()));
		all.extend(rig.seconded(&samples[0]));
		all.extend(rig.advance(500));
		all.extend(rig.activate(11, "ABA", Some(10)));
		format!("{all:?}\n{:?}\n{}", rig.traces.len(), rig.log)
	};
	// Signatures of declarations are randomized, so they do not stand in what is compared.
	assert_eq!(scenario(), scenario());
}
