//! A candidate with what is asked of it again and again, computed once.

use crate::Refusal;
use headway_machine::{CandidateRef, HypotheticalCandidate};
use headway_primitives::{
	constraints::{ConstraintError, ConstraintModifications, Constraints, RelayParentInfo},
	BlockNumber, CandidateHash, CommittedCandidateReceiptV2, CoreIndex, Hash, ParaId,
	PersistedValidationData, SessionIndex,
};
use std::sync::Arc;

/// A candidate in full. Shared by the chains of all scheduling parents.
#[derive(Debug)]
pub(crate) struct Candidate {
	pub(crate) hash: CandidateHash,
	pub(crate) parent_head_hash: Hash,
	pub(crate) output_head_hash: Hash,
	pub(crate) scheduling_parent: Hash,
	pub(crate) relay_parent: Hash,
	/// Number of the relay parent, as the validation data has it.
	pub(crate) relay_parent_number: BlockNumber,
	/// Session of the relay parent's children, if the descriptor says it.
	pub(crate) session_index: Option<SessionIndex>,
	pub(crate) receipt: Arc<CommittedCandidateReceiptV2>,
	pub(crate) validation_data: Arc<PersistedValidationData>,
}

impl Candidate {
	/// Takes a candidate whose hash is known, as it comes: for questions about hypothetical candidates.
	pub(crate) fn hypothetical(
		hash: CandidateHash,
		receipt: Arc<CommittedCandidateReceiptV2>,
		validation_data: Arc<PersistedValidationData>,
	) -> Self {
		Self {
			hash,
			parent_head_hash: validation_data.parent_head.hash(),
			output_head_hash: receipt.commitments.head_data.hash(),
			scheduling_parent: receipt.descriptor.scheduling_parent(),
			relay_parent: receipt.descriptor.relay_parent,
			relay_parent_number: validation_data.relay_parent_number,
			session_index: receipt.descriptor.session_index(),
			receipt,
			validation_data,
		}
	}

	/// Takes a candidate that is to be kept: its validation data must be what the descriptor commits to, and
	/// it must lead somewhere.
	pub(crate) fn new(
		hash: CandidateHash,
		receipt: Arc<CommittedCandidateReceiptV2>,
		validation_data: Arc<PersistedValidationData>,
	) -> Result<Self, Refusal> {
		if validation_data.hash() != receipt.descriptor.persisted_validation_data_hash {
			return Err(Refusal::ValidationDataHash);
		}
		let candidate = Self::hypothetical(hash, receipt, validation_data);
		if candidate.parent_head_hash == candidate.output_head_hash {
			return Err(Refusal::ZeroLengthCycle);
		}
		Ok(candidate)
	}

	/// The relay parent as the validation data has it. Candidates enter only after it was compared with the
	/// chain.
	pub(crate) fn relay_parent_info(&self) -> RelayParentInfo {
		RelayParentInfo {
			number: self.relay_parent_number,
			state_root: self.validation_data.relay_parent_storage_root,
		}
	}

	/// Compares the relay parent of the validation data with the chain's.
	pub(crate) fn check_relay_parent(&self, known: Option<RelayParentInfo>) -> Result<(), Refusal> {
		match known {
			None => Err(Refusal::RelayParentUnknown),
			Some(info) if info != self.relay_parent_info() => Err(Refusal::RelayParentMismatch),
			Some(_) => Ok(()),
		}
	}

	/// The core that it is for, if the descriptor says it.
	pub(crate) fn core(&self) -> Option<CoreIndex> {
		self.receipt.descriptor.core_index()
	}

	/// All checks against the state that the candidate builds on.
	pub(crate) fn check(
		&self,
		constraints: &Constraints,
		relay_parent: &RelayParentInfo,
	) -> Result<ConstraintModifications, ConstraintError> {
		let code = self.receipt.descriptor.validation_code_hash;
		constraints.check_candidate(code, &self.receipt.commitments, &self.validation_data, relay_parent)
	}

	/// The checks that do not need the parent.
	pub(crate) fn check_unconnected(&self, base: &Constraints) -> Result<(), ConstraintError> {
		let code = self.receipt.descriptor.validation_code_hash;
		base.check_commitments(code, &self.receipt.commitments, self.relay_parent_number)
	}

	pub(crate) fn to_ref(&self) -> CandidateRef {
		CandidateRef { candidate_hash: self.hash, scheduling_parent: self.scheduling_parent }
	}
}

/// A candidate that somebody asks about.
#[derive(Debug)]
pub(crate) enum Hypothetical {
	/// Known in full.
	Complete(Candidate),
	/// Known as far as an advertisement says.
	Incomplete { hash: CandidateHash, para: ParaId, parent_head_hash: Hash, scheduling_parent: Hash },
}

impl From<&HypotheticalCandidate> for Hypothetical {
	fn from(candidate: &HypotheticalCandidate) -> Self {
		match candidate {
			HypotheticalCandidate::Complete { candidate_hash, receipt, validation_data } => Self::Complete(
				Candidate::hypothetical(*candidate_hash, receipt.clone(), validation_data.clone()),
			),
			HypotheticalCandidate::Incomplete {
				candidate_hash,
				para,
				parent_head_data_hash,
				scheduling_parent,
			} => Self::Incomplete {
				hash: *candidate_hash,
				para: *para,
				parent_head_hash: *parent_head_data_hash,
				scheduling_parent: *scheduling_parent,
			},
		}
	}
}

impl Hypothetical {
	/// Hash of the head that it builds on.
	pub(crate) fn parent_head_hash(&self) -> Hash {
		match self {
			Self::Complete(candidate) => candidate.parent_head_hash,
			Self::Incomplete { parent_head_hash, .. } => *parent_head_hash,
		}
	}
}

/// Whether a candidate has the votes that it needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Backing {
	/// Seconded by a validator.
	Seconded,
	/// Backed by its group, or on chain.
	Backed,
}
