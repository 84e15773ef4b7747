//! Whatever is told in whatever order: nothing panics, what is stated about bounds holds, and candidates are found under the para
//! that they are listed with.

use super::*;
use headway_machine::{testing::Bytes, LeafContext};
use std::{collections::BTreeMap, sync::Arc};

/// Something that is told. Paras and candidates are a few more than are remembered.
#[derive(Clone, Debug)]
enum Step {
	/// A machine tells of a candidate, a para, both, or neither.
	Trace {
		subsystem: &'static str,
		stage: Stage,
		candidate: Option<u64>,
		para: Option<u32>,
		/// Heads that it builds on, and that it produces.
		heads: (Option<u64>, Option<u64>),
	},
	/// A leaf says what became of candidates.
	Leaf {
		number: u32,
		fork: bool,
		events: Vec<(u8, u32)>,
	},
	Finalized {
		number: u32,
		fork: bool,
	},
	Wait(u64),
}

const SUBSYSTEMS: [&str; 6] = [
	COLLATOR_PROTOCOL,
	BACKING,
	"statement-distribution",
	"prospective-parachains",
	"candidate-validation",
	RELAY_CHAIN,
];
const REASONS: [Reason; 16] = [
	Reason::OutOfView,
	Reason::CannotFollowChain,
	Reason::ForkChoice,
	Reason::UnexpectedMessage,
	Reason::InvalidSignature,
	Reason::InvalidExecution,
	Reason::PovTooLarge,
	Reason::PovHashMismatch,
	Reason::CommitmentsMismatch,
	Reason::ExecutionTimeout,
	Reason::FetchTimeout,
	Reason::CapacityReached,
	Reason::NoClaimQueueSlot,
	Reason::UnknownParentHead,
	Reason::DuplicateMessage,
	Reason::RelayForkLost,
];
const LIMITS: Limits = Limits { paras: 3, candidates_per_para: 5 };

fn stage(bytes: &mut Bytes) -> Stage {
	match bytes.below(27) {
		0..=3 => Stage::Advertised,
		4..=9 => Stage::Dropped(bytes.one_of(&REASONS)),
		10 => Stage::NoPlace(bytes.one_of(&REASONS)),
		11 => Stage::Duplicate,
		12 => Stage::Built,
		13 => Stage::Fetching,
		14 => Stage::Fetched,
		15 => Stage::Validated,
		16 => Stage::Seconded,
		17 => Stage::Statement,
		18 => Stage::Introduced,
		19 => Stage::Backable,
		20 => Stage::Provisioned,
		21 => Stage::Backed,
		22 => Stage::ChunkStored,
		23 => Stage::Available,
		24 => Stage::Included,
		25 => Stage::TimedOut,
		_ => Stage::Finalized,
	}
}

fn head(bytes: &mut Bytes) -> Option<u64> {
	(!bytes.one_in(4)).then(|| bytes.below(6) as u64)
}

fn step(bytes: &mut Bytes) -> Step {
	match bytes.below(16) {
		0..=11 => Step::Trace {
			subsystem: bytes.one_of(&SUBSYSTEMS),
			stage: stage(bytes),
			candidate: (!bytes.one_in(8)).then(|| bytes.below(24) as u64),
			para: (!bytes.one_in(8)).then(|| bytes.within(2000..2006)),
			heads: (head(bytes), head(bytes)),
		},
		12 | 13 => Step::Leaf {
			number: bytes.within(0..700),
			fork: bytes.one_in(4),
			events: bytes.some(3, |bytes| (bytes.below(3) as u8, bytes.within(2000..2006))),
		},
		14 => Step::Finalized { number: bytes.within(0..700), fork: bytes.one_in(4) },
		_ => Step::Wait(bytes.below(1 << 16) as u64),
	}
}

fn block_ref(number: u32, fork: bool) -> BlockRef {
	BlockRef { number, hash: testing::hash(u64::from(number) + if fork { 10_000 } else { 0 }) }
}

/// A leaf in which things happened to candidates of paras.
fn leaf(number: u32, fork: bool, events: &[(u8, u32)]) -> LeafContext {
	let session = testing::session(1, &[], Vec::new(), None);
	let mut block = testing::block(number, &session, ClaimQueue::new());
	block.hash = block_ref(number, fork).hash;
	let mut leaf = testing::leaf(block, Vec::new());
	let event = |(kind, para): &(u8, u32)| {
		let zero = Hash::zero();
		let code = ValidationCodeHash(zero);
		let (para, core) = (ParaId(*para), CoreIndex(0));
		let descriptor = CandidateDescriptorV2::new_v2(para, zero, core, 1, zero, zero, zero, zero, code);
		let receipt = CandidateReceiptV2 { descriptor, commitments_hash: zero };
		match kind {
			0 => CandidateEvent::CandidateBacked(receipt, HeadData(vec![]), core, GroupIndex(0)),
			1 => CandidateEvent::CandidateIncluded(receipt, HeadData(vec![]), core, GroupIndex(0)),
			_ => CandidateEvent::CandidateTimedOut(receipt, HeadData(vec![]), core),
		}
	};
	leaf.candidate_events = events.iter().map(event).collect();
	leaf
}

fn check(steps: Vec<Step>) {
	let (mut lifecycle, mut chain) = (Lifecycle::new(LIMITS), ChainEvents::default());
	let mut now = at(1_000);
	let mut contexts = BTreeMap::new();
	for step in steps {
		let traces = match step {
			Step::Trace { subsystem, stage, candidate, para, heads } => {
				let mut trace = Trace::new(now, subsystem, stage);
				trace.candidate = candidate.map(hash);
				trace.para = para.map(ParaId);
				(trace.parent_head, trace.output_head) =
					(heads.0.map(testing::hash), heads.1.map(testing::hash));
				vec![trace]
			},
			Step::Leaf { number, fork, events } => {
				// A block says the same each time.
				let leaf: &Arc<LeafContext> =
					contexts.entry((number, fork)).or_insert_with(|| Arc::new(leaf(number, fork, &events)));
				chain.leaf(now, leaf)
			},
			Step::Finalized { number, fork } => chain.finalized(now, block_ref(number, fork)),
			Step::Wait(ms) => {
				now = now + Duration::from_millis(ms);
				Vec::new()
			},
		};
		for trace in &traces {
			lifecycle.record(trace);
			check_one(&lifecycle);
		}
		assert_eq!(chain.sizes().exceeded(), None);
	}
}

fn check_one(lifecycle: &Lifecycle) {
	assert_eq!(lifecycle.sizes().exceeded(), None);
	for para in lifecycle.paras() {
		let snapshot = lifecycle.para(para, usize::MAX).expect("listed");
		assert_eq!(snapshot.known, snapshot.candidates.len());
		for record in &snapshot.candidates {
			assert_eq!((record.para, lifecycle.candidate(&record.candidate)), (para, Some(record)));
			if let Outcome::Lost(loss) = record.outcome() {
				assert!(record.losses.contains(&loss) && loss.loss != Loss::Message);
			}
		}
	}
}

headway_machine::arbitrary_events! {
	#[test]
	fn whatever_is_told_nothing_panics_and_bounds_hold(steps: step, bytes: 1..1000) {
		check(steps);
	}
}
