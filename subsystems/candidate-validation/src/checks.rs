//! What is checked of a candidate before and after its execution (availability, approval, disputes §4.3). No
//! state here.

use codec::Encode;
use headway_machine::{ExecutionKind, Reason, ValidateRequest, ValidationFailed, ValidationOutcome, View};
use headway_primitives::{
	ump::parse_ump_signals, CandidateCommitments, CandidateDescriptorVersion, CommittedCandidateReceiptV2,
	TransposedClaimQueue, ValidationResult,
};

/// Why a candidate gets no further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
	/// It is invalid.
	Invalid(Reason),
	/// We cannot tell.
	Failed(Reason),
}

impl Refusal {
	pub(crate) fn reason(self) -> Reason {
		match self {
			Self::Invalid(reason) | Self::Failed(reason) => reason,
		}
	}
}

impl From<Refusal> for Result<ValidationOutcome, ValidationFailed> {
	fn from(refusal: Refusal) -> Self {
		match refusal {
			Refusal::Invalid(reason) => Ok(ValidationOutcome::Invalid(reason)),
			Refusal::Failed(reason) => Err(ValidationFailed { reason }),
		}
	}
}

/// Whether the checks apply that only backers make: approval checkers and disputes must come to the same
/// verdict without the scheduling parent's state.
pub(crate) fn is_backing(kind: ExecutionKind) -> bool {
	match kind {
		ExecutionKind::Backing | ExecutionKind::BackingSystemParas => true,
		ExecutionKind::Approval | ExecutionKind::Dispute => false,
	}
}

/// Checks that need no execution. Answers the version that the descriptor is taken for.
pub(crate) fn before_execution(
	request: &ValidateRequest,
	view: &View,
	v3_ever_seen: bool,
) -> Result<CandidateDescriptorVersion, Refusal> {
	use Refusal::Invalid;
	let descriptor = &request.receipt.descriptor;
	if is_backing(request.kind) {
		check_scheduling(request, view, v3_ever_seen)?;
	}
	if request.validation_data.hash() != descriptor.persisted_validation_data_hash {
		return Err(Invalid(Reason::ValidationDataMismatch));
	}
	if request.pov.encoded_size() > request.validation_data.max_pov_size as usize {
		return Err(Invalid(Reason::PovTooLarge));
	}
	if request.pov.hash() != descriptor.pov_hash {
		return Err(Invalid(Reason::PovHashMismatch));
	}
	Ok(match v3_ever_seen {
		true => descriptor.version(),
		false => descriptor.version_old_rules(),
	})
}

/// Checks of a descriptor's version and sessions, at its scheduling parent.
fn check_scheduling(request: &ValidateRequest, view: &View, v3_ever_seen: bool) -> Result<(), Refusal> {
	let descriptor = &request.receipt.descriptor;
	if descriptor.check_version(v3_ever_seen).is_err() {
		return Err(Refusal::Invalid(Reason::DescriptorVersion));
	}
	let Some(block) = view.block(&descriptor.scheduling_parent()) else {
		return Err(Refusal::Failed(Reason::UnknownSchedulingParent));
	};
	let wrong = |claimed: Option<u32>, actual: u32| claimed.is_some_and(|claimed| claimed != actual);
	if wrong(descriptor.scheduling_session(), request.scheduling_session)
		|| wrong(descriptor.scheduling_session(), block.session.index)
	{
		return Err(Refusal::Invalid(Reason::SessionMismatch));
	}
	// A relay parent outside the view is prospective parachains' to check: they know the sessions of older ones.
	let relay_parent = view.block(&descriptor.relay_parent);
	if relay_parent.is_some_and(|block| wrong(descriptor.session_index(), block.session.index)) {
		return Err(Refusal::Invalid(Reason::SessionMismatch));
	}
	Ok(())
}

/// Checks what the validation function answered against what the candidate claims. `claim_queue` is that of
/// the scheduling parent, given when backing.
pub(crate) fn after_execution(
	request: &ValidateRequest,
	result: ValidationResult,
	claim_queue: Option<&TransposedClaimQueue>,
) -> Result<CandidateCommitments, Refusal> {
	let descriptor = &request.receipt.descriptor;
	if result.head_data.hash() != descriptor.para_head {
		return Err(Refusal::Invalid(Reason::ParaHeadMismatch));
	}
	let commitments = CandidateCommitments {
		upward_messages: result.upward_messages,
		horizontal_messages: result.horizontal_messages,
		new_validation_code: result.new_validation_code,
		head_data: result.head_data,
		processed_downward_messages: result.processed_downward_messages,
		hrmp_watermark: result.hrmp_watermark,
	};
	if commitments.hash() != request.receipt.commitments_hash {
		return Err(Refusal::Invalid(Reason::CommitmentsMismatch));
	}
	let Some(claim_queue) = claim_queue else { return Ok(commitments) };
	let candidate = CommittedCandidateReceiptV2 { descriptor: descriptor.clone(), commitments };
	parse_ump_signals(&candidate, claim_queue).map_err(|_| Refusal::Invalid(Reason::UmpSignals))?;
	Ok(candidate.commitments)
}
