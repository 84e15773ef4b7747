//! Candidates from verification to inclusion: this file has what the tests share.

mod acceptance;
mod availability;
mod backing;

use super::*;
use crate::mock::{
	candidate_events, code, config, head, queued, synchronous_config, take_rewards, with_chain, Candidate,
	Chain, ParaInclusion, Paras, RuntimeEvent, System, Test,
};
use alloc::{vec, vec::Vec};
use headway_primitives::{
	constraints::RelayParentInfo, BackedCandidate, Hash, UpgradeRestriction, ValidationCode,
	ValidityAttestation,
};

const A: u32 = 2000;
const PARA: ParaId = ParaId(A);

/// A chain whose newest block is a scheduling parent, as after the first steps of the inherent.
fn in_block<R>(
	config: configuration::HostConfiguration,
	n_validators: usize,
	n_paras: u32,
	test: impl FnOnce(&mut Chain) -> R,
) -> R {
	with_chain(config, n_validators, n_paras, |chain| {
		open_block(chain);
		test(chain)
	})
}

/// The first steps of the inherent of the block to come.
fn open_block(chain: &Chain) {
	let parent = chain.parent();
	shared::Pallet::<Test>::new_block(
		parent.hash(),
		&scheduler::Pallet::<Test>::predict_claim_queue(chain.number()),
		RelayParentInfo { number: parent.number, state_root: parent.state_root },
		3,
	);
}

fn running_state(para: ParaId) -> RunningState {
	let config = configuration::ActiveConfig::<Test>::get();
	ParaInclusion::running_state(para, &config, false).expect("para is registered")
}

/// Checks a candidate against the latest head of its para.
fn verify(candidate: &BackedCandidate) -> Result<BlockNumber, Error<Test>> {
	let mut state = running_state(candidate.candidate.descriptor.para_id);
	ParaInclusion::verify_backed_candidate(&mut state, &candidate.candidate)
}

/// Checks a candidate with its votes and puts it on the core, without the filters of the inherent.
fn back(mut candidate: BackedCandidate, core: CoreIndex) -> Result<(), Error<Test>> {
	let relay_parent_number = verify(&candidate)?;
	let parents = shared::AllowedSchedulingParents::<Test>::get();
	let receipt = candidate.candidate.to_plain();
	let hash = receipt.hash();
	let scheduling_parent = receipt.descriptor.scheduling_parent();
	let group = ParaInclusion::responsible_group(&parents, scheduling_parent, core)?;
	let minimum_votes = configuration::ActiveConfig::<Test>::get().minimum_backing_votes;
	let voters = Voters::new::<Test>(shared::ActiveValidatorKeys::<Test>::get(), minimum_votes);
	let backers =
		ParaInclusion::check_backing(&mut candidate, hash, &group, &voters).map_err(|error| match error {
			VotesError::Invalid(error) => error,
			VotesError::Disabled => panic!("no validator is disabled"),
		})?;
	let para = receipt.descriptor.para_id;
	let group = group.index;
	let verified = VerifiedCandidate { candidate, receipt, hash, relay_parent_number, core, group, backers };
	ParaInclusion::process_candidates([(para, vec![verified])].into_iter().collect());
	Ok(())
}

/// A candidate of the para that waits for availability on a core. Its votes fit to `n_validators`.
fn pending(para: ParaId, name: &str, core: u32, n_validators: usize) -> CandidatePendingAvailability {
	let none = Default::default;
	CandidatePendingAvailability {
		core: CoreIndex(core),
		hash: CandidateHash(head(name).hash()),
		descriptor: CandidateDescriptorV2::new_v2(
			para,
			none(),
			CoreIndex(core),
			0,
			none(),
			none(),
			none(),
			none(),
			Default::default(),
		),
		commitments: CandidateCommitments { head_data: head(name), ..Default::default() },
		availability_votes: BitVec::repeat(false, n_validators),
		backers: BitVec::repeat(false, n_validators),
		relay_parent_number: 0,
		backed_in_number: 0,
		backing_group: GroupIndex(0),
	}
}

/// Heads of a para's pending candidates.
fn pending_heads(para: ParaId) -> Vec<HeadData> {
	ParaInclusion::pending_candidates(para).into_iter().map(|pending| pending.commitments.head_data).collect()
}
