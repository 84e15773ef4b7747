//! A relay chain that knows backing and inclusion, and nothing else: a model in place of the runtime.

use headway_machine::{
	check_signed, BlockContext, LeafContext, ParaContext, PendingCandidate, SessionContext, Sr25519Verifier,
};
use headway_primitives::{
	availability_threshold,
	constraints::{Constraints, InboundHrmpLimitations, RelayParentInfo},
	effective_minimum_backing_votes, transpose_claim_queue, AsyncBackingParams, BackedCandidate,
	CandidateEvent, CandidateHash, ClaimQueue, CommittedCandidateReceiptV2, CompactStatement, CoreIndex,
	CoreState, GroupIndex, GroupRotationInfo, Hash, HeadData, NodeFeatures, OccupiedCore, ParaId,
	ScheduledCore, SigningContext, UncheckedSigned, ValidationCode, ValidatorIndex, ValidityAttestation,
};
use headway_provisioner::ProvisionedData;
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

/// Blocks after which a candidate that did not become available gives way.
const AVAILABILITY_PERIOD: u32 = 4;
/// Blocks between rotations of groups over cores.
const ROTATION_FREQUENCY: u32 = 10;
/// Length of the claim queue.
pub const LOOKAHEAD: u32 = 3;

/// A candidate that waits for availability.
#[derive(Clone)]
struct Pending {
	hash: CandidateHash,
	receipt: CommittedCandidateReceiptV2,
	core: CoreIndex,
	backed_in: u32,
	votes: BTreeSet<ValidatorIndex>,
}

#[derive(Clone)]
struct Para {
	core: CoreIndex,
	head: HeadData,
	pending: Vec<Pending>,
}

/// A relay block with its state.
#[derive(Clone)]
pub struct Block {
	/// Its hash.
	pub hash: Hash,
	/// Its number.
	pub number: u32,
	parent: Hash,
	paras: BTreeMap<ParaId, Para>,
	events: Vec<CandidateEvent>,
}

/// All relay blocks, one after the other.
pub struct Chain {
	/// The session, as an outsider sees it.
	pub session: Arc<SessionContext>,
	/// Code of all paras.
	pub code: ValidationCode,
	async_backing: AsyncBackingParams,
	blocks: Vec<Block>,
}

/// A rule of inclusion that an author broke. Honest authors never do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Violation {
	/// A signature of a bitfield or vote is wrong.
	Signature,
	/// A candidate lacks votes of distinct members of its group.
	Quorum(CandidateHash),
	/// A candidate does not build on the newest head of its para.
	Parent(CandidateHash),
	/// A candidate's scheduling parent is not allowed.
	SchedulingParent(CandidateHash),
	/// More candidates than cores, or a candidate on a core that is not its para's.
	Core(CandidateHash),
}

impl Chain {
	/// A chain of one session, with one core per group and one para per core.
	pub fn new(session: Arc<SessionContext>, genesis: &HeadData, synchronous: bool) -> Self {
		let async_backing = match synchronous {
			true => AsyncBackingParams::default(),
			false => AsyncBackingParams { max_candidate_depth: 3, allowed_ancestry_len: 2 },
		};
		let paras = (0..session.info.n_cores).map(|core| {
			let para = Para { core: CoreIndex(core), head: genesis.clone(), pending: Vec::new() };
			(ParaId(2000 + core), para)
		});
		let block = Block {
			hash: block_hash(0),
			number: 0,
			parent: Hash::zero(),
			paras: paras.collect(),
			events: Vec::new(),
		};
		Self { session, code: ValidationCode(b"simulated".to_vec()), async_backing, blocks: vec![block] }
	}

	/// The newest block.
	pub fn best(&self) -> &Block {
		self.blocks.last().expect("genesis is never removed")
	}

	/// The para of a core.
	pub fn paras(&self) -> impl Iterator<Item = (ParaId, CoreIndex)> + '_ {
		self.best().paras.iter().map(|(id, para)| (*id, para.core))
	}

	/// Included and pending heads of a para at a block, oldest first.
	pub fn heads(&self, hash: Hash, para: ParaId) -> Vec<HeadData> {
		let Some(para) = self.block(hash).and_then(|block| block.paras.get(&para)) else { return Vec::new() };
		let pending = para.pending.iter().map(|pending| pending.receipt.commitments.head_data.clone());
		std::iter::once(para.head.clone()).chain(pending).collect()
	}

	/// Number and state root of a block.
	pub fn relay_parent_info(&self, hash: Hash) -> Option<RelayParentInfo> {
		self.block(hash)
			.map(|block| RelayParentInfo { number: block.number, state_root: state_root(block.number) })
	}

	fn block(&self, hash: Hash) -> Option<&Block> {
		self.blocks.iter().rev().find(|block| block.hash == hash)
	}

	/// What a node with this session context knows of a block.
	pub fn leaf(&self, number: u32, session: &Arc<SessionContext>) -> LeafContext {
		let block = &self.blocks[number as usize];
		let ancestry: Vec<_> =
			(0..number).rev().take(3).map(|number| Arc::new(self.block_context(number, session))).collect();
		let allowed = if self.async_backing.is_synchronous() { 0 } else { LOOKAHEAD as usize - 1 };
		LeafContext {
			block: Arc::new(self.block_context(number, session)),
			recent_ancestors: ancestry.iter().map(|block| block.hash).collect(),
			allowed_ancestry: ancestry.into_iter().take(allowed).collect(),
			scheduling_lookahead: LOOKAHEAD,
			async_backing_params: self.async_backing,
			availability_cores: block.paras.iter().map(|(id, para)| self.core_state(*id, para)).collect(),
			paras: block.paras.iter().map(|(id, para)| (*id, self.para_context(number, para))).collect(),
			candidate_events: block.events.clone(),
		}
	}

	fn block_context(&self, number: u32, session: &Arc<SessionContext>) -> BlockContext {
		let block = &self.blocks[number as usize];
		let queue = |id| std::iter::repeat_n(id, LOOKAHEAD as usize).collect();
		let claim_queue: ClaimQueue = block.paras.iter().map(|(id, para)| (para.core, queue(*id))).collect();
		BlockContext {
			hash: block.hash,
			number,
			parent_hash: block.parent,
			state_root: state_root(number),
			slot: number.into(),
			session: session.clone(),
			transposed_claim_queue: transpose_claim_queue(&claim_queue),
			claim_queue,
			group_rotation: rotation(number),
			disabled_validators: Vec::new(),
			minimum_backing_votes: 2,
			node_features: NodeFeatures::new(),
		}
	}

	fn core_state(&self, id: ParaId, para: &Para) -> CoreState {
		let next = Some(ScheduledCore { para_id: id, collator: None });
		let Some(pending) = para.pending.first() else {
			return CoreState::Scheduled(ScheduledCore { para_id: id, collator: None });
		};
		let n = self.session.n_validators() as u32;
		CoreState::Occupied(OccupiedCore {
			next_up_on_available: next.clone(),
			occupied_since: pending.backed_in,
			time_out_at: pending.backed_in + AVAILABILITY_PERIOD,
			next_up_on_time_out: next,
			availability: (0..n).map(|i| pending.votes.contains(&ValidatorIndex(i))).collect(),
			group_responsible: self.backing_group(pending),
			candidate_hash: pending.hash,
			candidate_descriptor: pending.receipt.descriptor.clone(),
		})
	}

	fn para_context(&self, number: u32, para: &Para) -> ParaContext {
		let pending = para.pending.iter().map(|pending| PendingCandidate {
			hash: pending.hash,
			receipt: pending.receipt.clone(),
			relay_parent: self.relay_parent_info(pending.receipt.descriptor.relay_parent),
		});
		ParaContext {
			constraints: Constraints {
				min_relay_parent_number: number.saturating_sub(LOOKAHEAD - 1),
				max_pov_size: headway_primitives::MAX_POV_SIZE,
				max_code_size: headway_primitives::MAX_CODE_SIZE,
				max_head_data_size: 20480,
				ump_remaining: 10,
				ump_remaining_bytes: 1000,
				max_ump_num_per_candidate: 10,
				dmp_remaining_messages: Vec::new(),
				hrmp_inbound: InboundHrmpLimitations { valid_watermarks: Vec::new() },
				hrmp_channels_out: Vec::new(),
				max_hrmp_num_per_candidate: 0,
				required_parent: para.head.clone(),
				validation_code_hash: self.code.hash(),
				upgrade_restriction: None,
				future_validation_code: None,
			},
			pending: pending.collect(),
		}
	}

	fn group_at(&self, parent: u32, core: CoreIndex) -> GroupIndex {
		rotation(parent).group_for_core(core, self.session.info.n_cores)
	}

	/// The group that was responsible at the child of the candidate's scheduling parent.
	fn backing_group(&self, pending: &Pending) -> GroupIndex {
		let number =
			self.block(pending.receipt.descriptor.scheduling_parent()).map_or(0, |block| block.number);
		self.group_at(number, pending.core)
	}

	/// Makes the next block with what its author provides. Answers the block's events, and what the author did wrong.
	pub fn extend(&mut self, data: ProvisionedData) -> (Vec<CandidateEvent>, Vec<Violation>) {
		let parent = self.best().clone();
		let number = parent.number + 1;
		let mut block = Block {
			hash: block_hash(number),
			number,
			parent: parent.hash,
			paras: parent.paras.clone(),
			events: Vec::new(),
		};
		let mut violations = Vec::new();
		let before = parent.paras.clone();

		let context = SigningContext { session_index: self.session.index, parent_hash: parent.hash };
		for bitfield in data.bitfields {
			let signer = bitfield.validator_index;
			let Some(key) = self.session.validator(signer) else {
				violations.push(Violation::Signature);
				continue;
			};
			let Some(bitfield) = check_signed(&Sr25519Verifier, &context, key, bitfield) else {
				violations.push(Violation::Signature);
				continue;
			};
			for para in block.paras.values_mut() {
				let core = para.core.0 as usize;
				let bit = bitfield.payload().0.get(core).is_some_and(|bit| *bit);
				if let (true, Some(pending)) = (bit, para.pending.first_mut()) {
					pending.votes.insert(signer);
				}
			}
		}
		let threshold = availability_threshold(self.session.n_validators());
		let groups: Vec<GroupIndex> = (0..self.session.info.n_cores)
			.map(|core| self.group_at(parent.number, CoreIndex(core)))
			.collect();
		for para in block.paras.values_mut() {
			let Some(first) = para.pending.first() else { continue };
			let receipt = first.receipt.to_plain();
			let head = first.receipt.commitments.head_data.clone();
			let core = first.core;
			if first.votes.len() >= threshold {
				para.head = head.clone();
				para.pending.remove(0);
				block.events.push(CandidateEvent::CandidateIncluded(
					receipt,
					head,
					core,
					groups[core.0 as usize],
				));
			} else if first.backed_in + AVAILABILITY_PERIOD <= number {
				para.pending.clear();
				block.events.push(CandidateEvent::CandidateTimedOut(receipt, head, core));
			}
		}
		for backed in data.backed_candidates {
			let para_id = backed.candidate.descriptor.para_id;
			match self.check_backed(&before, &block, &parent, &backed) {
				Ok(()) => {
					let Some(para) = block.paras.get_mut(&para_id) else { continue };
					let (receipt, core) = (backed.candidate.to_plain(), para.core);
					let head = backed.candidate.commitments.head_data.clone();
					block.events.push(CandidateEvent::CandidateBacked(
						receipt,
						head,
						core,
						groups[core.0 as usize],
					));
					para.pending.push(Pending {
						hash: backed.hash(),
						receipt: backed.candidate,
						core,
						backed_in: number,
						votes: BTreeSet::new(),
					});
				},
				Err(violation) => violations.push(violation),
			}
		}
		let events = block.events.clone();
		self.blocks.push(block);
		(events, violations)
	}

	fn check_backed(
		&self,
		before: &BTreeMap<ParaId, Para>,
		block: &Block,
		parent: &Block,
		backed: &BackedCandidate,
	) -> Result<(), Violation> {
		let hash = backed.hash();
		let descriptor = &backed.candidate.descriptor;
		let para = block.paras.get(&descriptor.para_id).ok_or(Violation::Core(hash))?;
		let (indices, core) = backed.validator_indices_and_core_index();
		if core != Some(para.core) || !para.pending.is_empty() {
			return Err(Violation::Core(hash));
		}
		let scheduling_parent =
			self.block(descriptor.scheduling_parent()).ok_or(Violation::SchedulingParent(hash))?;
		let window = if self.async_backing.is_synchronous() { 1 } else { LOOKAHEAD };
		if scheduling_parent.number + window <= parent.number {
			return Err(Violation::SchedulingParent(hash));
		}
		let info =
			self.relay_parent_info(descriptor.relay_parent).ok_or(Violation::SchedulingParent(hash))?;
		let validation_data = headway_primitives::PersistedValidationData {
			parent_head: para.head.clone(),
			relay_parent_number: info.number,
			relay_parent_storage_root: info.state_root,
			max_pov_size: headway_primitives::MAX_POV_SIZE,
		};
		if validation_data.hash() != descriptor.persisted_validation_data_hash {
			return Err(Violation::Parent(hash));
		}
		// Synchronous: what became included in this very block was not included at the relay parent.
		let was_pending = before.get(&descriptor.para_id).is_some_and(|para| !para.pending.is_empty());
		if self.async_backing.is_synchronous() && was_pending {
			return Err(Violation::Parent(hash));
		}
		// The group that is responsible at the child of the scheduling parent.
		let group = self.group_at(scheduling_parent.number, para.core);
		let members = self.session.group(group).ok_or(Violation::Core(hash))?;
		let voters: Vec<_> = indices.iter_ones().filter_map(|position| members.get(position)).collect();
		let needed = effective_minimum_backing_votes(members.len(), 2);
		if voters.len() < needed
			|| voters.len() != backed.validity_votes.len()
			|| indices.len() != members.len()
		{
			return Err(Violation::Quorum(hash));
		}
		let context =
			SigningContext { session_index: self.session.index, parent_hash: scheduling_parent.hash };
		for (voter, vote) in voters.into_iter().zip(&backed.validity_votes) {
			let (payload, signature) = match vote {
				ValidityAttestation::Implicit(signature) => (CompactStatement::Seconded(hash), signature),
				ValidityAttestation::Explicit(signature) => (CompactStatement::Valid(hash), signature),
			};
			let key = self.session.validator(*voter).ok_or(Violation::Signature)?;
			let unchecked =
				UncheckedSigned { payload, validator_index: *voter, signature: signature.clone() };
			if !unchecked.verify(&context, key) {
				return Err(Violation::Signature);
			}
		}
		Ok(())
	}
}

fn rotation(number: u32) -> GroupRotationInfo {
	GroupRotationInfo {
		session_start_block: 0,
		group_rotation_frequency: ROTATION_FREQUENCY,
		now: number + 1,
	}
}

fn block_hash(number: u32) -> Hash {
	headway_primitives::hash_of(&("relay block", number))
}

fn state_root(number: u32) -> Hash {
	headway_primitives::hash_of(&("state", number))
}
