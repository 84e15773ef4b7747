//! Six validators in two groups, each with a para; we are validator 0. Candidates with all that belongs to them, and a cheap
//! scheme of signatures.

use codec::Decode;
use headway_availability::{encode, Encoding};
use headway_collator_protocol::Declaration;
use headway_machine::{
	testing::{self, hash, peer},
	wire::{AttestedCandidateResponse, CollationMessage, CollatorMessageV2},
	BlockContext, LeafContext, ParaContext, PendingCandidate, SessionContext, Signer, Verifier,
};
use headway_primitives::{constraints::Constraints, *};
use sp_core::Pair as _;
use std::{
	collections::BTreeMap,
	sync::{Arc, OnceLock},
};

pub(crate) const N: u32 = 6;
pub(crate) const LOCAL: ValidatorIndex = ValidatorIndex(0);
pub(crate) const SESSION: SessionIndex = 1;
/// Numbers of relay blocks.
pub(crate) const NUMBERS: std::ops::Range<u32> = 10..14;
/// Connections of collators; those of validators are numbered as they are.
pub(crate) const COLLATORS: std::ops::Range<u8> = 10..14;

/// Signs by hashing: whoever knows a key can sign with it.
pub(crate) struct Hashing;

impl Signer for Hashing {
	fn sign(&self, key: &ValidatorId, message: &[u8]) -> Option<ValidatorSignature> {
		let hash = hash_of(&(key, message));
		ValidatorSignature::decode(&mut &[hash.0, hash.0].concat()[..]).ok()
	}
}

impl Verifier for Hashing {
	fn verify(&self, key: &ValidatorId, message: &[u8], signature: &ValidatorSignature) -> bool {
		self.sign(key, message).as_ref() == Some(signature)
	}
}

pub(crate) fn session() -> Arc<SessionContext> {
	static SESSION_OF_ALL: OnceLock<Arc<SessionContext>> = OnceLock::new();
	let make = || {
		let groups = vec![vec![0, 1, 2], vec![3, 4, 5]];
		testing::session(SESSION, &testing::validator_keys(N), groups, Some(LOCAL.0))
	};
	SESSION_OF_ALL.get_or_init(make).clone()
}

/// A candidate with all that belongs to it.
pub(crate) struct Sample {
	pub(crate) hash: CandidateHash,
	pub(crate) receipt: CommittedCandidateReceiptV2,
	pub(crate) data: PersistedValidationData,
	pub(crate) pov: Arc<PoV>,
	pub(crate) encoding: Encoding,
	/// The group that may back it, which is also its core.
	pub(crate) group: u32,
}

fn code() -> ValidationCode {
	ValidationCode(vec![0x00, 0x61, 0x73, 0x6d])
}

/// The code of all paras, and how far it may decompress.
pub(crate) fn stored_code() -> (ValidationCode, u32) {
	(code(), 4_000)
}

impl Sample {
	/// A candidate of para `1 + group`, scheduled by block `number`, that turns one head into another.
	fn new(group: u32, number: u32, parent: u8, head: u8) -> Self {
		let data = PersistedValidationData {
			parent_head: HeadData(vec![parent]),
			relay_parent_number: number,
			relay_parent_storage_root: hash(1_000_000 + u64::from(number)),
			max_pov_size: 1_000,
		};
		let pov = Arc::new(PoV { block_data: BlockData(vec![head; 20]) });
		let available = AvailableData { pov: pov.clone(), validation_data: data.clone() };
		let encoding = encode(N as usize, &available).expect("enough validators");
		let commitments = CandidateCommitments {
			head_data: HeadData(vec![head]),
			hrmp_watermark: number,
			..Default::default()
		};
		let descriptor = CandidateDescriptorV2::new_v2(
			ParaId(1 + group),
			hash(number.into()),
			CoreIndex(group),
			SESSION,
			data.hash(),
			pov.hash(),
			encoding.root,
			commitments.head_data.hash(),
			code().hash(),
		);
		let receipt = CommittedCandidateReceiptV2 { descriptor, commitments };
		Self { hash: receipt.hash(), receipt, data, pov, encoding, group }
	}

	pub(crate) fn scheduling_parent(&self) -> Hash {
		self.receipt.descriptor.scheduling_parent()
	}

	pub(crate) fn available(&self) -> AvailableData {
		AvailableData { pov: self.pov.clone(), validation_data: self.data.clone() }
	}

	/// What its execution says.
	pub(crate) fn result(&self) -> ValidationResult {
		let CandidateCommitments { head_data, hrmp_watermark, .. } = self.receipt.commitments.clone();
		ValidationResult {
			head_data,
			new_validation_code: None,
			upward_messages: Default::default(),
			horizontal_messages: Default::default(),
			processed_downward_messages: 0,
			hrmp_watermark,
		}
	}

	/// A statement about it, signed by a validator.
	pub(crate) fn statement(&self, by: u32, seconds: bool) -> UncheckedSigned<CompactStatement> {
		let statement = match seconds {
			true => CompactStatement::Seconded(self.hash),
			false => CompactStatement::Valid(self.hash),
		};
		signed(by, self.scheduling_parent(), statement)
	}

	/// It, with the statements of two members of its group, neither of which is us.
	pub(crate) fn attested(&self) -> AttestedCandidateResponse {
		let vote = |member: u32| self.statement(3 * self.group + member, member == 1);
		AttestedCandidateResponse {
			candidate_receipt: self.receipt.clone(),
			persisted_validation_data: self.data.clone(),
			statements: [1, 2].map(vote).into(),
		}
	}
}

/// Something that a validator says at a relay block.
pub(crate) fn signed<P: SigningPayload>(by: u32, at: Hash, payload: P) -> UncheckedSigned<P> {
	let session = session();
	let key = &session.info.validators[(by % N) as usize];
	let context = SigningContext { session_index: SESSION, parent_hash: at };
	let signed = headway_machine::sign(&Hashing, &context, key, ValidatorIndex(by), payload);
	signed.expect("everybody can sign").into_unchecked()
}

/// Candidates of both paras, at all blocks, on a few heads; some of them forks.
pub(crate) fn samples() -> &'static [Sample] {
	static SAMPLES: OnceLock<Vec<Sample>> = OnceLock::new();
	SAMPLES.get_or_init(|| {
		let places = (0..2).flat_map(|group| NUMBERS.map(move |number| (group, number)));
		let heads = [(0, 1), (0, 2), (1, 3), (3, 4)];
		let all = places.flat_map(|place| heads.map(|(parent, head)| (place, parent, head)));
		all.map(|((group, number), parent, head)| Sample::new(group, number, parent, head)).collect()
	})
}

pub(crate) fn sample_of(hash: CandidateHash) -> Option<&'static Sample> {
	samples().iter().find(|sample| sample.hash == hash)
}

fn block(number: u32) -> BlockContext {
	let queue = [(CoreIndex(0), [ParaId(1); 3].into()), (CoreIndex(1), [ParaId(2); 3].into())];
	testing::block(number, &session(), queue.into())
}

/// Hash of a block, or of the other one of its height.
pub(crate) fn block_hash(number: u32, fork: bool) -> Hash {
	hash(u64::from(number) + if fork { 100 } else { 0 })
}

/// A leaf at which a head of both paras is included, and some candidates occupy cores.
pub(crate) fn leaf(
	number: u32,
	fork: bool,
	included: u8,
	on_cores: &[usize],
	events: &[usize],
) -> LeafContext {
	let ancestry = vec![Arc::new(block(number - 1)), Arc::new(block(number - 2))];
	let mut leaf = testing::leaf(BlockContext { hash: block_hash(number, fork), ..block(number) }, ancestry);
	leaf.availability_cores = vec![CoreState::Free; 2];
	let mut pending = BTreeMap::<ParaId, Vec<PendingCandidate>>::new();
	for sample in on_cores.iter().map(|index| &samples()[*index]) {
		let descriptor = sample.receipt.descriptor.clone();
		let relay_parent = constraints::RelayParentInfo {
			number: sample.data.relay_parent_number,
			state_root: sample.data.relay_parent_storage_root,
		};
		pending.entry(descriptor.para_id).or_default().push(PendingCandidate {
			hash: sample.hash,
			receipt: sample.receipt.clone(),
			relay_parent: Some(relay_parent),
		});
		leaf.availability_cores[sample.group as usize] = CoreState::Occupied(OccupiedCore {
			next_up_on_available: Some(ScheduledCore { para_id: descriptor.para_id, collator: None }),
			occupied_since: number,
			time_out_at: number + 5,
			next_up_on_time_out: None,
			availability: Default::default(),
			group_responsible: GroupIndex(sample.group),
			candidate_hash: sample.hash,
			candidate_descriptor: descriptor,
		});
	}
	for para in [ParaId(1), ParaId(2)] {
		let constraints = Constraints {
			max_head_data_size: 1_000,
			validation_code_hash: code().hash(),
			..testing::constraints(HeadData(vec![included]))
		};
		let pending = pending.remove(&para).unwrap_or_default();
		leaf.paras.insert(para, ParaContext { constraints, pending });
	}
	let event = |index: &usize| {
		let sample = &samples()[*index];
		let (core, group) = (CoreIndex(sample.group), GroupIndex(sample.group));
		CandidateEvent::CandidateIncluded(sample.receipt.to_plain(), HeadData(vec![]), core, group)
	};
	leaf.candidate_events = events.iter().map(event).collect();
	leaf
}

/// A collator says who it is. Its signature is made once: they are randomized.
pub(crate) fn declaration(n: u8, para: ParaId) -> CollationMessage {
	static DECLARATIONS: OnceLock<Vec<Declaration>> = OnceLock::new();
	let declarations = DECLARATIONS.get_or_init(|| {
		let declare = |n: u8| {
			let pair = CollatorPair::from_seed(&[n; 32]);
			Declaration::new(pair.public(), &peer(n), |payload| pair.sign(payload))
		};
		COLLATORS.map(declare).collect()
	});
	let Declaration { collator, signature } = declarations[usize::from(n - COLLATORS.start)].clone();
	CollationMessage::V2(CollatorMessageV2::Declare(collator, para, signature))
}
