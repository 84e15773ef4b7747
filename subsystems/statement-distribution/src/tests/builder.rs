//! Relay blocks and candidates.

use headway_machine::{
	testing::{block, hash, leaf},
	BlockContext, LeafContext, LeavesUpdate, SessionContext,
};
use headway_primitives::{
	CandidateCommitments, CandidateDescriptorV2, ClaimQueue, CommittedCandidateReceiptV2, CoreIndex, Hash,
	HeadData, ParaId, PersistedValidationData, UpwardMessages, ValidationCodeHash,
};
use std::sync::Arc;

/// The session that everything is in.
pub(crate) const SESSION: u32 = 1;
/// The first leaf.
pub(crate) const LEAF: u32 = 10;

/// What a candidate is made of.
#[derive(Clone)]
pub(crate) struct CandidateSpec {
	/// Its para; para `1000 + n` is on core `n`.
	pub(crate) para: u32,
	/// Core in its descriptor.
	pub(crate) core: u32,
	/// Number of its scheduling parent.
	pub(crate) scheduling_parent: u32,
	/// Number that stands for the head that it builds on; it produces the next one.
	pub(crate) parent: u8,
	/// To tell apart candidates that build on the same.
	pub(crate) salt: u8,
	/// Upward messages.
	pub(crate) messages: Vec<Vec<u8>>,
	/// Session in its descriptor.
	pub(crate) session: u32,
}

impl Default for CandidateSpec {
	fn default() -> Self {
		Self {
			para: 1000,
			core: 0,
			scheduling_parent: LEAF,
			parent: 0,
			salt: 0,
			messages: Vec::new(),
			session: SESSION,
		}
	}
}

/// Makes a candidate of version 2.
pub(crate) fn candidate(spec: &CandidateSpec) -> (CommittedCandidateReceiptV2, PersistedValidationData) {
	let head = |n: u8| HeadData(vec![n; 4]);
	let data = PersistedValidationData {
		parent_head: head(spec.parent),
		relay_parent_number: spec.scheduling_parent,
		relay_parent_storage_root: hash(1_000_000 + u64::from(spec.scheduling_parent)),
		max_pov_size: 1024,
	};
	let commitments = CandidateCommitments {
		upward_messages: UpwardMessages::try_from(spec.messages.clone()).unwrap(),
		head_data: head(spec.parent + 1),
		hrmp_watermark: spec.scheduling_parent,
		..Default::default()
	};
	let descriptor = CandidateDescriptorV2::new_v2(
		ParaId(spec.para),
		hash(spec.scheduling_parent.into()),
		CoreIndex(spec.core),
		spec.session,
		data.hash(),
		Hash::repeat_byte(spec.salt),
		Hash::zero(),
		commitments.head_data.hash(),
		ValidationCodeHash::default(),
	);
	(CommittedCandidateReceiptV2 { descriptor, commitments }, data)
}

/// Core `n` is for para `1000 + n`, for the next three blocks.
pub(crate) fn claim_queue(n_cores: u32) -> ClaimQueue {
	(0..n_cores).map(|core| (CoreIndex(core), [ParaId(1000 + core); 3].into())).collect()
}

/// A leaf with two ancestors; all blocks are changed by `change`.
pub(crate) fn leaf_at(
	number: u32,
	session: &Arc<SessionContext>,
	change: impl Fn(&mut BlockContext),
) -> Arc<LeafContext> {
	let make = |number| {
		let mut block = block(number, session, claim_queue(session.info.n_cores));
		change(&mut block);
		block
	};
	Arc::new(leaf(make(number), vec![Arc::new(make(number - 1)), Arc::new(make(number - 2))]))
}

/// A new leaf in place of others.
pub(crate) fn activate(leaf: Arc<LeafContext>, deactivated: &[u32]) -> LeavesUpdate {
	LeavesUpdate {
		activated: Some(leaf),
		deactivated: deactivated.iter().map(|number| hash((*number).into())).collect(),
	}
}
