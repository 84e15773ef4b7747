//! Answers to the node: the `ParachainHost` runtime API (runtime §9.1). They run on the state after a block
//! and are for its children.

#[cfg(test)]
mod tests;

use crate::{
	configuration, disputes, dmp, hrmp, inclusion, initializer, paras, paras_inherent, scheduler,
	session_info, shared, util::now,
};
use alloc::{collections::BTreeMap, vec::Vec};
use headway_primitives::{
	constraints::{BackingState, CandidatePendingAvailability, Constraints, RelayParentInfo},
	ApprovalVotingParams, AsyncBackingParams, BlockNumber, CandidateCommitments, CandidateDescriptorVersion,
	CandidateEvent, CandidateHash, ClaimQueue, CommittedCandidateReceiptV2, CoreIndex, CoreState,
	DisputeState, ExecutorParams, GroupRotationInfo, Hash, InboundDownwardMessage, InboundHrmpMessage,
	LegacyDisputeOffenceKind, NodeFeatures, OccupiedCore, OccupiedCoreAssumption, ParaId, PendingSlashes,
	PersistedValidationData, ScheduledCore, ScrapedOnChainVotes, SessionIndex, SessionInfo, ValidationCode,
	ValidationCodeHash, ValidatorId, ValidatorIndex, CODE_COMPRESSION_RATIO_MAX,
};

/// Keys of the active validators.
pub fn validators<T: initializer::Config>() -> Vec<ValidatorId> {
	shared::ActiveValidatorKeys::<T>::get()
}

/// Groups, and how they rotate as of the child.
pub fn validator_groups<T: initializer::Config>() -> (Vec<Vec<ValidatorIndex>>, GroupRotationInfo) {
	let child = now::<T>().saturating_add(1);
	(scheduler::ValidatorGroups::<T>::get(), scheduler::Pallet::<T>::group_rotation_info(child))
}

/// State of each core.
pub fn availability_cores<T: initializer::Config>() -> Vec<CoreState> {
	let claim_queue = scheduler::Pallet::<T>::claim_queue();
	// What the child will find: an author has to know which candidates time out in the block that it makes.
	let child = now::<T>().saturating_add(1);
	let timeout = scheduler::Pallet::<T>::availability_timeout_predicate_in(child);
	let mut occupied: BTreeMap<CoreIndex, _> = inclusion::Pallet::<T>::occupied_cores().into_iter().collect();
	let next_up = |core| {
		let para_id = *claim_queue.get(&core)?.front()?;
		Some(ScheduledCore { para_id, collator: None })
	};
	(0..scheduler::Pallet::<T>::n_cores())
		.map(CoreIndex)
		.map(|core| match occupied.remove(&core) {
			Some(pending) => {
				let backed_for = scheduling_parent_number::<T>(&pending).saturating_add(1);
				CoreState::Occupied(OccupiedCore {
					next_up_on_available: next_up(core),
					occupied_since: pending.backed_in_number,
					time_out_at: timeout(pending.backed_in_number).live_until,
					next_up_on_time_out: next_up(core),
					group_responsible: scheduler::Pallet::<T>::group_assigned_to_core(core, backed_for)
						.unwrap_or(pending.backing_group),
					availability: pending.availability_votes,
					candidate_hash: pending.hash,
					candidate_descriptor: pending.descriptor,
				})
			},
			None => next_up(core).map_or(CoreState::Free, CoreState::Scheduled),
		})
		.collect()
}

/// Number of the block that scheduled a pending candidate.
fn scheduling_parent_number<T: initializer::Config>(
	pending: &inclusion::CandidatePendingAvailability,
) -> BlockNumber {
	let descriptor = &pending.descriptor;
	if descriptor.version() != CandidateDescriptorVersion::V3 {
		return pending.relay_parent_number;
	}
	let session = shared::CurrentSessionIndex::<T>::get();
	shared::Pallet::<T>::relay_parent_info(session, descriptor.scheduling_parent())
		.map_or(pending.relay_parent_number, |info| info.number)
}

/// Runs `query` as if the assumption about the para's pending candidates were true.
fn with_assumption<T: initializer::Config, R>(
	para: ParaId,
	assumption: OccupiedCoreAssumption,
	query: impl FnOnce() -> Option<R>,
) -> Option<R> {
	match assumption {
		OccupiedCoreAssumption::Included => {
			inclusion::Pallet::<T>::force_enact(para);
			query()
		},
		OccupiedCoreAssumption::TimedOut => query(),
		OccupiedCoreAssumption::Free => {
			inclusion::Pallet::<T>::pending_candidates(para).is_empty().then(query).flatten()
		},
	}
}

/// Validation data for the child of this block on the para's included head.
fn validation_data<T: initializer::Config>(
	para: ParaId,
	storage_root: Hash,
) -> Option<PersistedValidationData> {
	Some(PersistedValidationData {
		parent_head: paras::Heads::<T>::get(para)?,
		relay_parent_number: now::<T>(),
		relay_parent_storage_root: storage_root,
		max_pov_size: configuration::ActiveConfig::<T>::get().max_pov_size,
	})
}

/// State root of this block, taken before a query changes anything.
fn storage_root() -> Hash {
	Hash::from_slice(&sp_io::storage::root(sp_runtime::StateVersion::V1))
}

/// Validation data under an assumption.
pub fn persisted_validation_data<T: initializer::Config>(
	para: ParaId,
	assumption: OccupiedCoreAssumption,
) -> Option<PersistedValidationData> {
	let root = storage_root();
	with_assumption::<T, _>(para, assumption, || validation_data::<T>(para, root))
}

/// Validation data with the expected hash, and the code that goes with it.
pub fn assumed_validation_data<T: initializer::Config>(
	para: ParaId,
	expected: Hash,
) -> Option<(PersistedValidationData, ValidationCodeHash)> {
	let root = storage_root();
	let matching = || validation_data::<T>(para, root).filter(|data| data.hash() == expected);
	let data = matching().or_else(|| {
		inclusion::Pallet::<T>::force_enact(para);
		matching()
	})?;
	Some((data, paras::CurrentCodeHash::<T>::get(para)?))
}

/// Whether commitments pass the acceptance criteria.
pub fn check_validation_outputs<T: initializer::Config>(para: ParaId, outputs: CandidateCommitments) -> bool {
	inclusion::Pallet::<T>::check_validation_outputs(para, &outputs)
}

/// Session of the children.
pub fn session_index_for_child<T: initializer::Config>() -> SessionIndex {
	shared::CurrentSessionIndex::<T>::get()
}

/// Current code under an assumption.
pub fn validation_code<T: initializer::Config>(
	para: ParaId,
	assumption: OccupiedCoreAssumption,
) -> Option<ValidationCode> {
	with_assumption::<T, _>(para, assumption, || paras::Pallet::<T>::current_code(para))
}

/// Hash of the current code under an assumption.
pub fn validation_code_hash<T: initializer::Config>(
	para: ParaId,
	assumption: OccupiedCoreAssumption,
) -> Option<ValidationCodeHash> {
	with_assumption::<T, _>(para, assumption, || paras::CurrentCodeHash::<T>::get(para))
}

/// Code by its hash.
pub fn validation_code_by_hash<T: initializer::Config>(hash: ValidationCodeHash) -> Option<ValidationCode> {
	paras::CodeByHash::<T>::get(hash)
}

/// Candidates that wait for availability, each builds on the one before.
pub fn candidates_pending_availability<T: initializer::Config>(
	para: ParaId,
) -> Vec<CommittedCandidateReceiptV2> {
	inclusion::Pallet::<T>::pending_candidates(para)
		.iter()
		.map(inclusion::CandidatePendingAvailability::committed_receipt)
		.collect()
}

/// What happened to candidates, from the events of the block.
pub fn candidate_events<T, F>(extract: F) -> Vec<CandidateEvent>
where
	T: initializer::Config,
	F: Fn(T::RuntimeEvent) -> Option<inclusion::Event>,
{
	use inclusion::Event as E;
	frame_system::Pallet::<T>::read_events_no_consensus()
		.filter_map(|record| {
			Some(match extract(record.event)? {
				E::CandidateBacked(receipt, head, core, group) => {
					CandidateEvent::CandidateBacked(receipt, head, core, group)
				},
				E::CandidateIncluded(receipt, head, core, group) => {
					CandidateEvent::CandidateIncluded(receipt, head, core, group)
				},
				E::CandidateTimedOut(receipt, head, core) => {
					CandidateEvent::CandidateTimedOut(receipt, head, core)
				},
				_ => return None,
			})
		})
		.collect()
}

/// Downward messages that wait, oldest first.
pub fn dmq_contents<T: initializer::Config>(para: ParaId) -> Vec<InboundDownwardMessage> {
	dmp::Pallet::<T>::contents(para)
}

/// Horizontal messages that wait, by sender.
pub fn inbound_hrmp_channels_contents<T: initializer::Config>(
	para: ParaId,
) -> BTreeMap<ParaId, Vec<InboundHrmpMessage>> {
	hrmp::Pallet::<T>::inbound_contents(para)
}

/// Votes that the block carried.
pub fn on_chain_votes<T: paras_inherent::Config>() -> Option<ScrapedOnChainVotes> {
	paras_inherent::OnChainVotes::<T>::get()
}

/// Disputes on chain.
pub fn disputes<T: initializer::Config>() -> Vec<(SessionIndex, CandidateHash, DisputeState)> {
	disputes::Pallet::<T>::disputes()
}

/// Offenders that wait for a report, without approvers.
pub fn unapplied_slashes<T: initializer::Config>(
) -> Vec<(SessionIndex, CandidateHash, PendingSlashes<LegacyDisputeOffenceKind>)> {
	disputes::slashing::Pallet::<T>::unapplied_slashes_legacy()
}

/// Offenders that wait for a report.
pub fn unapplied_slashes_v2<T: initializer::Config>() -> Vec<(SessionIndex, CandidateHash, PendingSlashes)> {
	disputes::slashing::Pallet::<T>::unapplied_slashes()
}

/// What is stored of a session.
pub fn session_info<T: initializer::Config>(session: SessionIndex) -> Option<SessionInfo> {
	session_info::Sessions::<T>::get(session)
}

/// Execution environment of a session.
pub fn session_executor_params<T: initializer::Config>(session: SessionIndex) -> Option<ExecutorParams> {
	session_info::SessionExecutorParams::<T>::get(session)
}

/// Code that waits for votes.
pub fn pvfs_require_precheck<T: initializer::Config>() -> Vec<ValidationCodeHash> {
	paras::PvfActiveVoteList::<T>::get()
}

/// Votes that back a candidate, at most the size of the group.
pub fn minimum_backing_votes<T: initializer::Config>() -> u32 {
	configuration::ActiveConfig::<T>::get().minimum_backing_votes
}

/// Constraints and pending candidates of a para.
pub fn backing_state<T: initializer::Config>(para: ParaId) -> Option<BackingState> {
	let constraints = backing_constraints::<T>(para)?;
	let max_pov_size = constraints.max_pov_size;
	let pending_availability = inclusion::Pallet::<T>::pending_candidates(para)
		.into_iter()
		.map(|pending| CandidatePendingAvailability {
			candidate_hash: pending.hash,
			descriptor: pending.descriptor,
			commitments: pending.commitments,
			relay_parent_number: pending.relay_parent_number,
			max_pov_size,
		})
		.collect();
	Some(BackingState { constraints, pending_availability })
}

/// What the para's next candidate has to respect, under the included state.
pub fn backing_constraints<T: initializer::Config>(para: ParaId) -> Option<Constraints> {
	inclusion::Pallet::<T>::backing_constraints(para)
}

/// Parameters of asynchronous backing. Zero for both is synchronous backing.
pub fn async_backing_params<T: initializer::Config>() -> AsyncBackingParams {
	configuration::ActiveConfig::<T>::get().async_backing_params
}

/// Validators whose statements are ignored.
pub fn disabled_validators<T: initializer::Config>() -> Vec<ValidatorIndex> {
	shared::Pallet::<T>::disabled_validators()
}

/// Features that are on.
pub fn node_features<T: initializer::Config>() -> NodeFeatures {
	configuration::ActiveConfig::<T>::get().node_features
}

/// Parameters of approval voting.
pub fn approval_voting_params<T: initializer::Config>() -> ApprovalVotingParams {
	configuration::ActiveConfig::<T>::get().approval_voting_params
}

/// Which paras come next on each core.
pub fn claim_queue<T: initializer::Config>() -> ClaimQueue {
	scheduler::Pallet::<T>::claim_queue()
}

/// Most bytes that validation code may decompress to.
pub fn validation_code_bomb_limit<T: initializer::Config>() -> u32 {
	configuration::ActiveConfig::<T>::get().max_code_size.saturating_mul(CODE_COMPRESSION_RATIO_MAX)
}

/// Length of the claim queue and of the window of scheduling parents; the window of synchronous backing is 1.
pub fn scheduling_lookahead<T: initializer::Config>() -> u32 {
	configuration::ActiveConfig::<T>::get().scheduling_parents_max()
}

/// All paras with a head.
pub fn para_ids<T: initializer::Config>() -> Vec<ParaId> {
	paras::Heads::<T>::iter_keys().collect()
}

/// How many sessions old a relay parent may be.
pub fn max_relay_parent_session_age<T: initializer::Config>() -> u32 {
	configuration::ActiveConfig::<T>::get().max_relay_parent_session_age
}

/// An allowed relay parent; never this block itself.
pub fn ancestor_relay_parent_info<T: initializer::Config>(
	session: SessionIndex,
	relay_parent: Hash,
) -> Option<RelayParentInfo> {
	shared::Pallet::<T>::relay_parent_info(session, relay_parent)
}
