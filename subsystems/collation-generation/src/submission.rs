//! A submission on its way to candidates.

use crate::{error::SubmitError, COLLATIONS_PER_SUBMISSION_MAX};
use codec::Encode;
use headway_machine::{
	BlockContext, BuiltCandidate, Collation, DistributeSegment, SubmitSegment, SubmittedCollation,
};
use headway_primitives::{
	ump::parse_ump_signals, AvailableData, BlockData, CandidateCommitments, CandidateDescriptorV2,
	CandidateDescriptorVersion, CommittedCandidateReceiptV2, CoreIndex, Hash, ParaId, PoV,
	ValidationCodeHash, POV_BOMB_LIMIT,
};
use std::sync::Arc;

/// A submission whose candidates are complete but for their erasure roots.
pub(crate) struct Submission {
	segment: DistributeSegment,
	n_validators: usize,
	data: Vec<Arc<AvailableData>>,
	roots_missing: usize,
}

impl Submission {
	/// Checks a submission and prepares its candidates.
	pub(crate) fn new(
		para: ParaId,
		block: &BlockContext,
		segment: SubmitSegment,
	) -> Result<Self, SubmitError> {
		check_shape(&segment)?;
		let SubmitSegment { scheduling_parent, core_index, descriptor_version, collations } = segment;
		if u16::try_from(core_index.0).is_err() {
			return Err(SubmitError::CoreIndexTooLarge(core_index.0));
		}
		let (mut candidates, mut data) = (Vec::new(), Vec::new());
		for submitted in collations {
			let prepared = Prepared::new(submitted)?;
			let receipt = prepared.receipt(para, block, core_index, descriptor_version)?;
			parse_ump_signals(&receipt, &block.transposed_claim_queue)?;
			candidates.push(BuiltCandidate {
				receipt: receipt.to_plain(),
				pov: prepared.data.pov.clone(),
				parent_head_data: prepared.data.validation_data.parent_head.clone(),
				head_data: receipt.commitments.head_data,
			});
			data.push(Arc::new(prepared.data));
		}
		Ok(Self {
			roots_missing: candidates.len(),
			segment: DistributeSegment {
				para,
				core_index,
				scheduling_parent,
				descriptor_version,
				candidates,
			},
			n_validators: block.session.n_validators(),
			data,
		})
	}

	/// What has to be encoded, with the index of its candidate.
	pub(crate) fn data_to_encode(&self) -> impl Iterator<Item = (usize, Arc<AvailableData>)> + '_ {
		self.data.iter().cloned().enumerate()
	}

	/// Number of validators, and so of chunks.
	pub(crate) fn n_validators(&self) -> usize {
		self.n_validators
	}

	/// Relay block that schedules the candidates.
	pub(crate) fn scheduling_parent(&self) -> Hash {
		self.segment.scheduling_parent
	}

	/// Completes a candidate, once. Answers whether all are complete.
	pub(crate) fn set_erasure_root(&mut self, index: usize, root: Hash) -> bool {
		if let Some(candidate) = self.segment.candidates.get_mut(index) {
			candidate.receipt.descriptor.erasure_root = root;
			self.roots_missing = self.roots_missing.saturating_sub(1);
		}
		self.roots_missing == 0
	}

	/// The complete candidates.
	pub(crate) fn into_segment(self) -> DistributeSegment {
		self.segment
	}
}

/// The rules that need nothing but the submission.
fn check_shape(segment: &SubmitSegment) -> Result<(), SubmitError> {
	use CandidateDescriptorVersion::{V2, V3};
	match (segment.descriptor_version, segment.collations.len()) {
		(_, 0) => Err(SubmitError::Empty),
		(V2, 1) if segment.collations[0].relay_parent != segment.scheduling_parent => {
			Err(SubmitError::RelayParentMismatch)
		},
		(V2, 1) => Ok(()),
		(V2, _) => Err(SubmitError::SeveralCollationsWithV2),
		(V3, n) if n > COLLATIONS_PER_SUBMISSION_MAX => Err(SubmitError::TooManyCollations(n)),
		(V3, _) => Ok(()),
		(other, _) => Err(SubmitError::UnsupportedVersion(other)),
	}
}

/// A collation with its proof of validity compressed and measured.
struct Prepared {
	data: AvailableData,
	commitments: CandidateCommitments,
	relay_parent: Hash,
	validation_code_hash: ValidationCodeHash,
	session_index: u32,
}

impl Prepared {
	fn new(submitted: SubmittedCollation) -> Result<Self, SubmitError> {
		let SubmittedCollation {
			collation,
			relay_parent,
			validation_data,
			validation_code_hash,
			session_index,
		} = submitted;
		let Collation {
			upward_messages,
			horizontal_messages,
			new_validation_code,
			head_data,
			pov,
			processed_downward_messages,
			hrmp_watermark,
		} = collation;
		let pov = compress(pov);
		let (size, max) = (pov.encoded_size(), validation_data.max_pov_size);
		if size > max as usize {
			return Err(SubmitError::PovTooLarge { size, max });
		}
		Ok(Self {
			data: AvailableData { pov: Arc::new(pov), validation_data },
			commitments: CandidateCommitments {
				upward_messages,
				horizontal_messages,
				new_validation_code,
				head_data,
				processed_downward_messages,
				hrmp_watermark,
			},
			relay_parent,
			validation_code_hash,
			session_index,
		})
	}

	/// The receipt, without its erasure root.
	fn receipt(
		&self,
		para: ParaId,
		block: &BlockContext,
		core_index: CoreIndex,
		version: CandidateDescriptorVersion,
	) -> Result<CommittedCandidateReceiptV2, SubmitError> {
		let is_v3 = version == CandidateDescriptorVersion::V3;
		let descriptor = CandidateDescriptorV2::new_v2(
			para,
			self.relay_parent,
			core_index,
			// A version 2 candidate is scheduled by its relay parent, so there is only one session, which we
			// know.
			if is_v3 { self.session_index } else { block.session.index },
			self.data.validation_data.hash(),
			self.data.pov.hash(),
			Hash::zero(),
			self.commitments.head_data.hash(),
			self.validation_code_hash,
		);
		let descriptor =
			if is_v3 { descriptor.into_v3(block.hash, block.session.index)? } else { descriptor };
		Ok(CommittedCandidateReceiptV2 { descriptor, commitments: self.commitments.clone() })
	}
}

/// Compresses a proof of validity, unless it is larger than it may become again by decompression: then it
/// stays as it is, and fails the check of its size.
fn compress(pov: PoV) -> PoV {
	let BlockData(raw) = pov.block_data;
	let block_data = sp_maybe_compressed_blob::compress_weakly(&raw, POV_BOMB_LIMIT).unwrap_or(raw);
	PoV { block_data: BlockData(block_data) }
}
