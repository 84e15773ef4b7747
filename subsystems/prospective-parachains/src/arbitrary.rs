//! Events that make no sense: whatever the machine hears, it does not panic, answers every question once, names a
//! reason for every refusal, and does the same when it hears the same again.

use crate::{Effect, Event, ProspectiveParachains};
use headway_machine::{
	testing::{self, block, hash, leaf, session},
	BackableQuery, Effects, HypotheticalCandidate, IntroducedCandidate, LeafContext, LeavesUpdate,
	MembershipQuery, ParaContext, ParentHead, PendingCandidate, Stage, Subsystem, Timestamp, Token, Trace,
	ValidationDataQuery,
};
use headway_primitives::{
	constraints::{Constraints, InboundHrmpLimitations, OutboundHrmpChannelLimitations, RelayParentInfo},
	AsyncBackingParams, CandidateCommitments, CandidateDescriptorV2, CandidateHash,
	CommittedCandidateReceiptV2, CoreIndex, Hash, HeadData, OutboundHrmpMessage, ParaId,
	PersistedValidationData, UpgradeRestriction, ValidationCode, ValidationCodeHash,
};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
};

type Candidate = (Arc<CommittedCandidateReceiptV2>, Arc<PersistedValidationData>);

/// What the bytes decide, in the words of this machine.
struct Bytes<'a>(testing::Bytes<'a>);

impl Bytes<'_> {
	fn below(&mut self, n: usize) -> usize {
		self.0.below(n)
	}

	fn coin(&mut self) -> bool {
		self.0.coin()
	}

	/// Mostly a small number, at times one at an end of the range.
	fn number(&mut self) -> u32 {
		match self.below(16) {
			14 => u32::MAX - 1,
			15 => u32::MAX,
			small => small as u32,
		}
	}

	/// Mostly a limit that nobody reaches.
	fn limit(&mut self) -> u32 {
		if self.below(24) == 23 {
			self.number()
		} else {
			1000
		}
	}

	fn hash(&mut self) -> Hash {
		hash(self.below(16) as u64)
	}

	fn head(&mut self) -> HeadData {
		HeadData(match self.below(8) {
			7 => vec![7; 2000],
			n => vec![n as u8; n],
		})
	}

	fn para(&mut self) -> ParaId {
		ParaId(self.below(3) as u32)
	}

	fn code(&mut self) -> ValidationCodeHash {
		ValidationCodeHash(hash(u64::from(self.below(8) == 7)))
	}

	fn some<T>(&mut self, max: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
		(0..self.below(max + 1)).map(|_| make(self)).collect()
	}

	fn constraints(&mut self) -> Constraints {
		let channel = |this: &mut Self| {
			let limits = OutboundHrmpChannelLimitations {
				bytes_remaining: this.number(),
				messages_remaining: this.number(),
			};
			(this.para(), limits)
		};
		Constraints {
			required_parent: self.head(),
			min_relay_parent_number: self.below(4) as u32 * self.below(4) as u32,
			max_pov_size: 1000,
			max_code_size: self.limit(),
			max_head_data_size: self.limit(),
			ump_remaining: self.limit(),
			ump_remaining_bytes: self.limit(),
			max_ump_num_per_candidate: self.limit(),
			dmp_remaining_messages: if self.below(6) == 5 { self.some(2, Self::number) } else { Vec::new() },
			hrmp_inbound: InboundHrmpLimitations { valid_watermarks: self.some(3, Self::number) },
			hrmp_channels_out: self.some(3, channel),
			max_hrmp_num_per_candidate: self.limit(),
			validation_code_hash: self.code(),
			upgrade_restriction: self.coin().then_some(UpgradeRestriction::Present),
			future_validation_code: self.coin().then(|| (self.number(), self.code())),
		}
	}

	/// A candidate; at a leaf, mostly one that could be right there.
	fn candidate(&mut self, leaf: Option<&LeafContext>, others: &[Candidate]) -> Candidate {
		let at = leaf.and_then(|leaf| {
			let (para, context) = leaf.paras.iter().nth(self.below(leaf.paras.len().max(1)))?;
			Some((*para, context, leaf.allowed_blocks().nth(self.below(leaf.allowed_ancestry.len() + 1))?))
		});
		let number = at.map_or_else(|| self.number(), |(_, _, block)| block.number);
		let parent =
			others.get(self.below(others.len().max(1))).map(|(receipt, _)| &receipt.commitments.head_data);
		let (para, parent_head, code) = match at {
			Some((para, context, _)) => {
				let included = &context.constraints.required_parent;
				let parent = parent.filter(|_| self.coin()).unwrap_or(included);
				(para, parent.clone(), context.constraints.validation_code_hash)
			},
			None => (self.para(), self.head(), self.code()),
		};
		let mut validation_data = PersistedValidationData {
			parent_head,
			relay_parent_number: number,
			relay_parent_storage_root: state_root(number),
			max_pov_size: 1000,
		};
		let mut commitments =
			CandidateCommitments { head_data: self.head(), hrmp_watermark: number, ..Default::default() };
		for _ in 0..self.below(8).saturating_sub(5) {
			self.spoil(&mut commitments, &mut validation_data);
		}
		let data_hash = if self.below(24) == 23 { self.hash() } else { validation_data.hash() };
		let mut descriptor = CandidateDescriptorV2::new_v2(
			para,
			hash(number.into()),
			CoreIndex(0),
			1,
			data_hash,
			self.hash(),
			Hash::zero(),
			commitments.head_data.hash(),
			code,
		);
		match self.below(16) {
			11 => descriptor.relay_parent = self.hash(),
			12 => (descriptor.version, descriptor.scheduling_parent) = (1, self.hash()),
			13 => (descriptor.version, descriptor.session_index) = (self.number() as u8, self.number()),
			14 => descriptor.reserved1 = [1; 24],
			15 => descriptor.validation_code_hash = self.code(),
			_ => {},
		}
		(Arc::new(CommittedCandidateReceiptV2 { descriptor, commitments }), Arc::new(validation_data))
	}

	fn spoil(
		&mut self,
		commitments: &mut CandidateCommitments,
		validation_data: &mut PersistedValidationData,
	) {
		let message =
			|this: &mut Self| OutboundHrmpMessage { recipient: this.para(), data: vec![0; this.below(20)] };
		match self.below(8) {
			0 => {
				commitments.upward_messages = self.some(3, |this| vec![0; this.below(3)]).try_into().unwrap()
			},
			1 => commitments.horizontal_messages = self.some(2, message).try_into().unwrap(),
			2 => commitments.new_validation_code = Some(ValidationCode(vec![0; self.below(9)])),
			3 => commitments.processed_downward_messages = self.below(3) as u32,
			4 => commitments.hrmp_watermark = self.number(),
			5 => validation_data.relay_parent_number = self.number(),
			6 => validation_data.max_pov_size = self.limit(),
			_ => validation_data.parent_head = self.head(),
		}
	}

	fn leaf(&mut self, candidates: &[Candidate]) -> LeafContext {
		let session = session(if self.below(16) == 15 { self.number() } else { 1 }, &[], Vec::new(), None);
		let core =
			|this: &mut Self| (CoreIndex(this.below(5) as u32), VecDeque::from(this.some(3, Self::para)));
		let claim_queue = self.some(5, core).into_iter().collect();
		let number = match self.below(16) {
			15 => self.number().min(u32::MAX - 1),
			_ => 8 + self.below(6) as u32,
		};
		let ancestor = |n: u32| Arc::new(block(n, &session, BTreeMap::new()));
		let mut ancestry: Vec<_> =
			(1..=self.below(5) as u32).filter_map(|back| Some(ancestor(number.checked_sub(back)?))).collect();
		if self.below(16) == 15 {
			ancestry.push(ancestor(self.number().min(u32::MAX - 1)));
		}
		let mut leaf = leaf(block(number, &session, claim_queue), ancestry);
		leaf.scheduling_lookahead = self.number();
		if self.below(16) == 15 {
			leaf.async_backing_params = AsyncBackingParams::default();
		}
		for para in (0..3).map(ParaId) {
			if self.below(6) == 5 {
				continue;
			}
			let pending = |this: &mut Self| {
				let (receipt, validation_data) =
					candidates.get(this.below(candidates.len().max(1))).cloned()?;
				let hash = if this.below(8) == 7 { CandidateHash(this.hash()) } else { receipt.hash() };
				let relay_parent_number = validation_data.relay_parent_number;
				let info = RelayParentInfo {
					number: relay_parent_number,
					state_root: state_root(relay_parent_number),
				};
				let relay_parent = (this.below(8) != 7).then_some(info);
				Some(PendingCandidate { hash, receipt: (*receipt).clone(), relay_parent })
			};
			let pending = if self.below(4) == 3 { self.some(3, pending) } else { Vec::new() };
			let pending = pending.into_iter().flatten().collect();
			leaf.paras.insert(para, ParaContext { constraints: self.constraints(), pending });
		}
		leaf
	}
}

/// As [`block`] makes it.
fn state_root(number: u32) -> Hash {
	hash(1_000_000 + u64::from(number))
}

/// Two machines that hear the same, and what was asked.
#[derive(Default)]
struct Twins {
	machines: [ProspectiveParachains; 2],
	candidates: Vec<Candidate>,
	tokens: u64,
	/// Questions without an answer.
	open: BTreeSet<Token>,
	/// Questions of the machine.
	asked: BTreeSet<Token>,
	leaves: BTreeSet<Hash>,
	/// Their contexts, and those of former leaves.
	contexts: Vec<Arc<LeafContext>>,
	reached: Reached,
}

/// How far the events came.
#[derive(Clone, Copy, Default, Debug)]
struct Reached {
	/// Events.
	events: usize,
	/// Introductions that were accepted.
	accepted: usize,
	/// Candidates of a query's answer.
	backable: usize,
	/// Most candidates in paths at a time.
	connected: usize,
	/// Most operations that waited at a time.
	parked: usize,
}

#[cfg(test)]
impl Reached {
	/// The furthest of both.
	fn max(self, other: Self) -> Self {
		Self {
			events: self.events.max(other.events),
			accepted: self.accepted.max(other.accepted),
			backable: self.backable.max(other.backable),
			connected: self.connected.max(other.connected),
			parked: self.parked.max(other.parked),
		}
	}
}

impl Twins {
	fn token(&mut self) -> Token {
		self.tokens += 1;
		self.open.insert(Token(self.tokens));
		Token(self.tokens)
	}

	/// A new candidate, or one of before.
	fn candidate(&mut self, bytes: &mut Bytes<'_>) -> Candidate {
		if bytes.coin() {
			return self.known(bytes);
		}
		let leaf = self.contexts.iter().rev().nth(bytes.below(4)).filter(|_| bytes.below(8) != 7);
		let candidate = bytes.candidate(leaf.map(|leaf| &**leaf), &self.candidates);
		self.candidates.push(candidate.clone());
		candidate
	}

	/// One of before, mostly a late one.
	fn known(&mut self, bytes: &mut Bytes<'_>) -> Candidate {
		let back = if bytes.below(4) == 3 { bytes.below(256) } else { bytes.below(4) };
		if let Some(candidate) = self.candidates.iter().rev().nth(back) {
			return candidate.clone();
		}
		self.candidates.push(bytes.candidate(None, &[]));
		self.candidates[0].clone()
	}

	fn hypothetical(&mut self, bytes: &mut Bytes<'_>) -> HypotheticalCandidate {
		let (receipt, validation_data) = self.candidate(bytes);
		let candidate_hash = receipt.hash();
		match bytes.coin() {
			true => HypotheticalCandidate::Complete { candidate_hash, receipt, validation_data },
			false => HypotheticalCandidate::Incomplete {
				candidate_hash,
				para: bytes.para(),
				parent_head_data_hash: bytes.head().hash(),
				scheduling_parent: bytes.hash(),
			},
		}
	}

	fn event(&mut self, bytes: &mut Bytes<'_>) -> Event {
		match bytes.below(25) {
			0 | 1 => {
				let activated = bytes.coin().then(|| Arc::new(bytes.leaf(&self.candidates)));
				let known: Vec<_> = self.leaves.iter().copied().collect();
				let deactivated = bytes.some(2, |bytes| match known.is_empty() || bytes.coin() {
					true => bytes.hash(),
					false => known[bytes.below(known.len())],
				});
				Event::Leaves(LeavesUpdate { activated, deactivated })
			},
			2..=12 => {
				let (receipt, validation_data) = self.candidate(bytes);
				let candidate = IntroducedCandidate { receipt, validation_data };
				Event::Introduce { token: self.token(), candidate }
			},
			13..=18 => {
				let (receipt, _) = self.known(bytes);
				let para = if bytes.below(8) == 7 { bytes.para() } else { receipt.descriptor.para_id };
				Event::CandidateBacked { para, candidate_hash: receipt.hash() }
			},
			19 => {
				let candidates = bytes.some(3, |bytes| self.hypothetical(bytes));
				let leaf = bytes.coin().then(|| bytes.hash());
				Event::Membership(MembershipQuery { token: self.token(), candidates, leaf })
			},
			20 => {
				let ancestors = bytes.some(3, |bytes| self.candidate(bytes).0.hash()).into_iter().collect();
				let known: Vec<_> = self.leaves.iter().copied().collect();
				let leaf = known.get(bytes.below(8)).copied().unwrap_or_else(|| bytes.hash());
				let (para, count) = (bytes.para(), bytes.number() as usize);
				Event::Backable(BackableQuery { token: self.token(), leaf, para, count, ancestors })
			},
			21 => {
				let head_data = bytes.head();
				let hash = head_data.hash();
				let parent_head = match bytes.coin() {
					true => ParentHead::WithData { head_data, hash },
					false => ParentHead::OnlyHash(hash),
				};
				Event::ValidationData(ValidationDataQuery {
					token: self.token(),
					para: bytes.para(),
					relay_parent: bytes.hash(),
					session_index: bytes.number(),
					parent_head,
				})
			},
			22 => Event::KnownOutputHeads { token: self.token(), paras: bytes.some(3, Bytes::para) },
			23 => {
				let at = bytes.coin().then(|| bytes.hash());
				Event::FragmentChain { token: self.token(), para: bytes.para(), at }
			},
			_ => {
				let asked = self.asked.iter().nth(bytes.below(self.asked.len().max(1))).copied();
				let number = bytes.number();
				let info = bytes.coin().then(|| RelayParentInfo { number, state_root: state_root(number) });
				Event::RelayParentInfo { token: asked.unwrap_or(Token(number.into())), info }
			},
		}
	}

	fn handle(&mut self, event: &Event) {
		let run = |machine: &mut ProspectiveParachains| {
			let mut effects = Effects::new();
			machine.handle(Timestamp::from_unix_ms(1), event.clone(), &mut effects);
			let traces = effects.take_traces();
			(std::iter::from_fn(|| effects.pop()).collect::<Vec<_>>(), traces)
		};
		let [said, again] = self.machines.each_mut().map(run);
		assert_eq!(said, again);
		if let Event::RelayParentInfo { token, .. } = event {
			self.asked.remove(token);
		}
		if let Event::Leaves(LeavesUpdate { activated, deactivated }) = event {
			self.leaves.extend(activated.iter().map(|leaf| leaf.hash()));
			self.contexts.extend(activated.clone());
			self.leaves.retain(|hash| !deactivated.contains(hash));
		}
		let (effects, traces) = said;
		effects.iter().for_each(|effect| self.hear(event, effect));
		self.check_refusals(event, &effects, &traces);
		self.check_bounds();
	}

	/// Each answer is the first to a question that was asked.
	fn hear(&mut self, event: &Event, effect: &Effect) {
		let token = match effect {
			Effect::QueryRelayParentInfo { token, .. } => {
				assert!(self.asked.insert(*token), "asked twice");
				return;
			},
			Effect::Membership(membership) => membership.token,
			Effect::Backable { token, candidates } => {
				let Event::Backable(query) = event else { panic!("nobody asked: {effect:?}") };
				assert!(candidates.len() <= query.count);
				self.reached.backable += candidates.len();
				*token
			},
			Effect::Introduced { token, accepted } => {
				self.reached.accepted += usize::from(*accepted);
				*token
			},
			Effect::ValidationData { token, .. }
			| Effect::KnownOutputHeads { token, .. }
			| Effect::FragmentChain { token, .. } => *token,
		};
		assert!(self.open.remove(&token), "{effect:?} answers nothing");
	}

	/// What is refused has a reason.
	fn check_refusals(&self, event: &Event, effects: &[Effect], traces: &[Trace]) {
		let refused =
			effects.iter().filter(|effect| matches!(effect, Effect::Introduced { accepted: false, .. }));
		let named = traces.iter().filter(|trace| matches!(trace.stage, Stage::Dropped(_)));
		assert!(refused.count() <= named.count(), "{event:?}: {effects:?} {traces:?}");
		assert!(traces.iter().all(|trace| trace.candidate.is_some() || matches!(event, Event::Leaves(_))));
	}

	/// Questions that are still open wait for the driver; the bounds hold.
	fn check_bounds(&mut self) {
		let stats = self.machines[0].stats();
		self.reached.events += 1;
		self.reached.connected = self.reached.connected.max(stats.connected);
		self.reached.parked = self.reached.parked.max(stats.parked);
		assert_eq!(stats.parked, self.open.len());
		assert_eq!(self.machines[0].sizes().exceeded(), None);
		assert!(stats.parked == 0 || !self.asked.is_empty());
		assert!(stats.active_leaves <= self.leaves.len());
		assert!(stats.connected + stats.unconnected <= stats.implicit_view);
		// Only our own candidates, at most once per block.
		let blocks = stats.active_leaves + stats.inactive_leaves;
		assert!(stats.implicit_view <= blocks * (self.candidates.len() + 9 * 3));
	}
}

/// Runs the machine on the events that the bytes stand for. Answers how far they came.
fn check(bytes: &[u8]) -> Reached {
	let mut twins = Twins::default();
	let mut bytes = Bytes(testing::Bytes::new(bytes));
	while !bytes.0.is_empty() {
		let event = twins.event(&mut bytes);
		twins.handle(&event);
	}
	// Without leaves nothing is left, and all that waits is answered.
	let deactivated = twins.leaves.iter().copied().collect();
	twins.handle(&Event::Leaves(LeavesUpdate { activated: None, deactivated }));
	assert_eq!(twins.machines[0].stats(), Default::default());
	assert!(twins.open.is_empty());
	twins.reached
}

/// For fuzz targets: runs the machine on the events that the bytes stand for.
///
/// # Panics
///
/// If the machine breaks what it promises.
#[cfg(feature = "fuzzing")]
pub fn check_arbitrary(bytes: &[u8]) {
	check(bytes);
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
	use std::cell::Cell;

	#[test]
	fn whatever_it_hears_it_answers_once_and_does_not_panic() {
		let reached = Cell::new(Reached::default());
		// Four times as many as of others, as many as `PROPTEST_CASES` says.
		let cases = 4 * ProptestConfig::default().cases;
		let config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
		let outcome = TestRunner::new(config).run(&vec(any::<u8>(), 0..6000), |bytes| {
			reached.set(reached.get().max(check(&bytes)));
			Ok(())
		});
		if let Err(failure) = outcome {
			panic!("{failure}");
		}
		let reached = reached.get();
		eprintln!("{reached:?}");
		// The nonsense is not all nonsense.
		assert!(reached.accepted > 0 && reached.connected > 0);
	}
}
