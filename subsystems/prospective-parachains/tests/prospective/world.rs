//! A relay chain and candidates with short names, and a machine on it.

use headway_machine::{
	testing, BackableQuery, BlockContext, Effects, HypotheticalCandidate, IntroducedCandidate, LeafContext,
	LeavesUpdate, MembershipQuery, ParaContext, PendingCandidate, Reason, SessionContext, Stage, Subsystem,
	Timestamp, Token, Trace,
};
use headway_primitives::{
	constraints::{Constraints, RelayParentInfo},
	AsyncBackingParams, CandidateCommitments, CandidateDescriptorV2, CandidateHash, ClaimQueue,
	CommittedCandidateReceiptV2, CoreIndex, Hash, HeadData, ParaId, PersistedValidationData,
	ValidationCodeHash,
};
use headway_prospective_parachains::{Effect, Event, ProspectiveParachains};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

pub(crate) const PARA: ParaId = ParaId(1);
const CODE: ValidationCodeHash = ValidationCodeHash(Hash::repeat_byte(7));

/// A relay block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
	pub(crate) number: u32,
	pub(crate) parent: String,
	pub(crate) session: u32,
}

/// A candidate with all that belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Built {
	pub(crate) hash: CandidateHash,
	pub(crate) receipt: Arc<CommittedCandidateReceiptV2>,
	pub(crate) validation_data: Arc<PersistedValidationData>,
}

/// How a candidate's hash compares with others': below, among or above those that do not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
	Low,
	Middle,
	High,
}

/// What a candidate is to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
	pub(crate) para: ParaId,
	pub(crate) parent: String,
	pub(crate) output: String,
	pub(crate) scheduling_parent: String,
	/// Another one makes it version 3.
	pub(crate) relay_parent: String,
	pub(crate) order: Order,
	pub(crate) watermark: Option<u32>,
	/// Upward messages that it sends; ten fit into the queue.
	pub(crate) upward: usize,
	pub(crate) version_1: bool,
	pub(crate) bad_validation_data: bool,
	pub(crate) core: u32,
	/// Number of the relay parent in the validation data, if it is not the relay parent's.
	pub(crate) claimed_number: Option<u32>,
}

/// What a leaf is to be.
#[derive(Clone, Debug)]
pub(crate) struct LeafPlan {
	pub(crate) block: String,
	pub(crate) lookahead: usize,
	pub(crate) cores: u32,
	/// What the claim queue says instead, by core: whether each depth is para 1's.
	pub(crate) claims: Vec<Vec<bool>>,
	pub(crate) included: String,
	pub(crate) pending: Vec<String>,
	pub(crate) min_relay_parent_number: u32,
	pub(crate) synchronous: bool,
	/// Whether the state of para 1 is known.
	pub(crate) stateless: bool,
	/// Whether para 2 has a core too.
	pub(crate) with_second: bool,
	/// Bytes of upward messages that fit into the queue.
	pub(crate) upward_room: u32,
}

impl LeafPlan {
	/// A leaf of one core, on which nothing but head `0` is included yet.
	pub(crate) fn new(block: &str) -> Self {
		Self {
			block: block.into(),
			lookahead: 3,
			cores: 1,
			claims: Vec::new(),
			included: "0".into(),
			pending: Vec::new(),
			min_relay_parent_number: 0,
			synchronous: false,
			stateless: false,
			with_second: false,
			upward_room: 1000,
		}
	}
}

#[derive(Default)]
pub(crate) struct World {
	pub(crate) machine: ProspectiveParachains,
	pub(crate) effects: Effects<Effect>,
	pub(crate) blocks: BTreeMap<String, Block>,
	pub(crate) candidates: BTreeMap<String, Built>,
	/// Relay parents that the runtime does not vouch for.
	pub(crate) hidden: BTreeSet<String>,
	/// Whether the driver leaves questions open.
	pub(crate) holding: bool,
	pub(crate) held: Vec<(Token, Option<RelayParentInfo>)>,
	pub(crate) traces: Vec<Trace>,
	/// All that the machine said, questions included.
	pub(crate) log: Vec<Effect>,
	pub(crate) leaves: BTreeMap<String, Arc<LeafContext>>,
	sessions: BTreeMap<u32, Arc<SessionContext>>,
	tokens: u64,
}

pub(crate) fn head(name: &str) -> HeadData {
	HeadData(name.as_bytes().to_vec())
}

/// Number and fork of a block's name, such as `12` or `12x`.
fn parse_name(name: &str) -> (u32, u64) {
	let digits = name.trim_end_matches(|c: char| c.is_ascii_alphabetic());
	let fork = name[digits.len()..].bytes().fold(0, |n, byte| n << 8 | u64::from(byte));
	(digits.parse().unwrap_or_else(|_| panic!("{name} is no block")), fork)
}

pub(crate) fn block_hash(name: &str) -> Hash {
	let (number, fork) = parse_name(name);
	testing::hash(u64::from(number) | fork << 32)
}

impl World {
	/// The block of a name; made up if nobody defined it: on the block before, in its session.
	pub(crate) fn block(&mut self, name: &str) -> Block {
		if let Some(block) = self.blocks.get(name) {
			return block.clone();
		}
		let (number, _) = parse_name(name);
		let parent = number.saturating_sub(1).to_string();
		let session = self.blocks.get(&parent).map_or(1, |block| block.session);
		let block = Block { number, parent, session };
		self.blocks.insert(name.into(), block.clone());
		block
	}

	pub(crate) fn relay_parent_info(&mut self, name: &str) -> RelayParentInfo {
		let number = self.block(name).number;
		RelayParentInfo { number, state_root: testing::hash(1_000_000 + u64::from(number)) }
	}

	pub(crate) fn define(&mut self, name: &str, plan: &Plan) -> Built {
		let relay_parent = self.relay_parent_info(&plan.relay_parent);
		let session = self.block(&plan.relay_parent).session;
		let scheduling_session = self.block(&plan.scheduling_parent).session;
		let validation_data = PersistedValidationData {
			parent_head: head(&plan.parent),
			relay_parent_number: plan.claimed_number.unwrap_or(relay_parent.number),
			relay_parent_storage_root: relay_parent.state_root,
			max_pov_size: 1000,
		};
		let commitments = CandidateCommitments {
			head_data: head(&plan.output),
			hrmp_watermark: plan.watermark.unwrap_or(relay_parent.number),
			upward_messages: vec![vec![1]; plan.upward].try_into().unwrap(),
			..Default::default()
		};
		let data_hash = if plan.bad_validation_data { Hash::zero() } else { validation_data.hash() };
		let mut descriptor = CandidateDescriptorV2::new_v2(
			plan.para,
			block_hash(&plan.relay_parent),
			CoreIndex(plan.core),
			session,
			data_hash,
			Hash::zero(),
			Hash::zero(),
			commitments.head_data.hash(),
			CODE,
		);
		if plan.scheduling_parent != plan.relay_parent {
			descriptor = descriptor.into_v3(block_hash(&plan.scheduling_parent), scheduling_session).unwrap();
		}
		if plan.version_1 {
			(descriptor.reserved1, descriptor.session_index) = ([1; 24], 999);
		}
		let mut receipt = CommittedCandidateReceiptV2 { descriptor, commitments };
		let wanted = match plan.order {
			Order::Low => 0..0x40,
			Order::Middle => 0x60..0xa0,
			Order::High => 0xc0..0x100,
		};
		let mut nonce = 0;
		while !wanted.contains(&u32::from(receipt.hash().0[0])) {
			nonce += 1;
			receipt.descriptor.pov_hash = Hash::from_low_u64_be(nonce);
		}
		let hash = receipt.hash();
		let built = Built { hash, receipt: Arc::new(receipt), validation_data: Arc::new(validation_data) };
		self.candidates.insert(name.into(), built.clone());
		built
	}

	pub(crate) fn session(&mut self, index: u32) -> Arc<SessionContext> {
		self.sessions.entry(index).or_insert_with(|| testing::session(index, &[], Vec::new(), None)).clone()
	}

	fn block_context(&mut self, name: &str, claim_queue: ClaimQueue) -> BlockContext {
		let block = self.block(name);
		let session = self.session(block.session);
		let mut context = testing::block(block.number, &session, claim_queue);
		context.hash = block_hash(name);
		context.parent_hash = block_hash(&block.parent);
		context
	}

	pub(crate) fn constraints(included: &str, min_relay_parent_number: u32) -> Constraints {
		let constraints = testing::constraints(head(included));
		Constraints { min_relay_parent_number, validation_code_hash: CODE, ..constraints }
	}

	pub(crate) fn leaf_context(&mut self, plan: &LeafPlan) -> LeafContext {
		let core = |index, para| (CoreIndex(index), vec![para; plan.lookahead].into());
		let mut claim_queue: ClaimQueue = (0..plan.cores).map(|index| core(index, PARA)).collect();
		for (index, claims) in (0..).zip(&plan.claims) {
			let para = |is_ours: &bool| if *is_ours { PARA } else { ParaId(9) };
			claim_queue.insert(CoreIndex(index), claims.iter().map(para).collect());
		}
		if plan.with_second {
			claim_queue.extend([core(100, ParaId(2))]);
		}
		let context = self.block_context(&plan.block, claim_queue);
		let session = context.session.index;
		let mut ancestry = Vec::new();
		let mut parent = self.block(&plan.block).parent;
		let wanted = if plan.synchronous { 0 } else { plan.lookahead - 1 };
		while ancestry.len() < wanted && self.block(&parent).session == session {
			ancestry.push(Arc::new(self.block_context(&parent, ClaimQueue::new())));
			parent = self.block(&parent).parent;
		}
		let mut leaf = testing::leaf(context, ancestry);
		leaf.scheduling_lookahead = plan.lookahead as u32;
		if plan.synchronous {
			leaf.async_backing_params = AsyncBackingParams::default();
		}
		let pending = plan.pending.iter().map(|name| self.pending(name)).collect();
		let mut constraints = Self::constraints(&plan.included, plan.min_relay_parent_number);
		constraints.ump_remaining_bytes = plan.upward_room;
		if !plan.stateless {
			leaf.paras.insert(PARA, ParaContext { constraints: constraints.clone(), pending });
		}
		if plan.with_second {
			leaf.paras.insert(ParaId(2), ParaContext { constraints, pending: Vec::new() });
		}
		leaf
	}

	fn pending(&mut self, name: &str) -> PendingCandidate {
		let built = self.candidates[name].clone();
		let number = built.validation_data.relay_parent_number;
		let relay_parent = Some(self.relay_parent_info(&number.to_string()));
		PendingCandidate { hash: built.hash, receipt: (*built.receipt).clone(), relay_parent }
	}

	pub(crate) fn token(&mut self) -> Token {
		self.tokens += 1;
		Token(self.tokens)
	}

	pub(crate) fn candidate_name(&self, hash: &CandidateHash) -> String {
		let name =
			self.candidates.iter().find(|(_, built)| built.hash == *hash).map(|(name, _)| name.clone());
		name.unwrap_or_else(|| format!("{hash:?}"))
	}

	pub(crate) fn block_name(&self, hash: &Hash) -> String {
		self.blocks
			.keys()
			.find(|name| block_hash(name) == *hash)
			.cloned()
			.unwrap_or_else(|| format!("{hash:?}"))
	}

	/// Hands the machine an event; answers what it said, without the questions, which the driver answers at
	/// once.
	pub(crate) fn handle(&mut self, event: Event) -> Vec<Effect> {
		let now = Timestamp::from_unix_ms(1);
		self.machine.handle(now, event, &mut self.effects);
		let mut said = Vec::new();
		while let Some(effect) = self.effects.pop() {
			self.log.push(effect.clone());
			let Effect::QueryRelayParentInfo { token, session_index, relay_parent, .. } = effect else {
				said.push(effect);
				continue;
			};
			let name = self.block_name(&relay_parent);
			let known = self.blocks.get(&name).is_some_and(|block| block.session == session_index);
			let info = (known && !self.hidden.contains(&name)).then(|| self.relay_parent_info(&name));
			if self.holding {
				self.held.push((token, info));
			} else {
				self.machine.handle(now, Event::RelayParentInfo { token, info }, &mut self.effects);
			}
		}
		self.traces.extend(self.effects.take_traces());
		said
	}

	pub(crate) fn activate(&mut self, plan: &LeafPlan, deactivated: &[String]) {
		let leaf = Arc::new(self.leaf_context(plan));
		self.leaves.insert(plan.block.clone(), leaf.clone());
		self.deactivate(Some(leaf), deactivated);
	}

	pub(crate) fn deactivate(&mut self, activated: Option<Arc<LeafContext>>, deactivated: &[String]) {
		deactivated.iter().for_each(|name| drop(self.leaves.remove(name)));
		let deactivated = deactivated.iter().map(|name| block_hash(name)).collect();
		let said = self.handle(Event::Leaves(LeavesUpdate { activated, deactivated }));
		assert!(self.holding || said.is_empty(), "{said:?}");
	}

	pub(crate) fn introduce_event(&mut self, name: &str) -> Event {
		let Built { receipt, validation_data, .. } = self.candidates[name].clone();
		Event::Introduce { token: self.token(), candidate: IntroducedCandidate { receipt, validation_data } }
	}

	pub(crate) fn introduce(&mut self, name: &str) -> bool {
		let event = self.introduce_event(name);
		match &self.handle(event)[..] {
			[Effect::Introduced { accepted, .. }] => *accepted,
			said => panic!("{said:?}"),
		}
	}

	pub(crate) fn back(&mut self, name: &str) {
		let Built { hash, receipt, .. } = &self.candidates[name];
		let event = Event::CandidateBacked { para: receipt.descriptor.para_id, candidate_hash: *hash };
		let said = self.handle(event);
		assert!(said.is_empty(), "{said:?}");
	}

	pub(crate) fn backable(
		&mut self,
		leaf: &str,
		count: usize,
		ancestors: BTreeSet<CandidateHash>,
	) -> Vec<CandidateHash> {
		let query =
			BackableQuery { token: self.token(), leaf: block_hash(leaf), para: PARA, count, ancestors };
		match &self.handle(Event::Backable(query))[..] {
			[Effect::Backable { candidates, .. }] => {
				candidates.iter().map(|candidate| candidate.candidate_hash).collect()
			},
			said => panic!("{said:?}"),
		}
	}

	pub(crate) fn hypothetical(&self, name: &str, complete: bool) -> HypotheticalCandidate {
		let Built { hash: candidate_hash, receipt, validation_data } = self.candidates[name].clone();
		match complete {
			true => HypotheticalCandidate::Complete { candidate_hash, receipt, validation_data },
			false => HypotheticalCandidate::Incomplete {
				candidate_hash,
				para: receipt.descriptor.para_id,
				parent_head_data_hash: validation_data.parent_head.hash(),
				scheduling_parent: receipt.descriptor.scheduling_parent(),
			},
		}
	}

	/// Leaves of each candidate.
	pub(crate) fn membership(&mut self, candidates: Vec<HypotheticalCandidate>) -> Vec<Vec<Hash>> {
		let query = MembershipQuery { token: self.token(), candidates, leaf: None };
		match &self.handle(Event::Membership(query))[..] {
			[Effect::Membership(membership)] => {
				membership.leaves.iter().map(|(_, leaves)| leaves.clone()).collect()
			},
			said => panic!("{said:?}"),
		}
	}

	pub(crate) fn membership_effects(
		&mut self,
		candidate: HypotheticalCandidate,
		leaf: Option<Hash>,
	) -> Vec<Effect> {
		let query = MembershipQuery { token: self.token(), candidates: vec![candidate], leaf };
		self.handle(Event::Membership(query))
	}

	pub(crate) fn heads(&mut self, para: ParaId) -> BTreeMap<Hash, BTreeSet<Hash>> {
		let event = Event::KnownOutputHeads { token: self.token(), paras: vec![para] };
		match &self.handle(event)[..] {
			[Effect::KnownOutputHeads { heads, .. }] => {
				heads.iter().map(|(at, heads)| (*at, heads.get(&para).cloned().unwrap_or_default())).collect()
			},
			said => panic!("{said:?}"),
		}
	}

	/// What was dropped since the last time, with the reason.
	pub(crate) fn take_dropped(&mut self) -> Vec<(Option<CandidateHash>, Reason)> {
		let dropped = self.traces.drain(..).filter_map(|trace| match trace.stage {
			Stage::Dropped(reason) => Some((trace.candidate, reason)),
			_ => None,
		});
		let mut dropped: Vec<_> = dropped.collect();
		dropped.sort();
		dropped
	}

	/// The same by name.
	pub(crate) fn take_drops(&mut self) -> Vec<(String, &'static str)> {
		let dropped = self.take_dropped();
		let named = |(hash, reason): (Option<CandidateHash>, Reason)| {
			(hash.map(|hash| self.candidate_name(&hash)).unwrap_or_default(), reason.label())
		};
		let mut dropped: Vec<_> = dropped.into_iter().map(named).collect();
		dropped.sort();
		dropped
	}
}
