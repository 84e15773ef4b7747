//! The chain that hostile data meets, and what must hold for it.

use super::{hostile, Entropy, Outcome};
use crate::{
	configuration::{self, HostConfiguration},
	inclusion,
	mock::{self, Chain, ParaInherent, RuntimeOrigin, Test, VALIDATORS},
	paras_inherent::{Call, DropReason, Processed},
	scheduler, shared,
};
use alloc::{collections::BTreeSet, vec, vec::Vec};
use frame_support::{
	dispatch::GetDispatchInfo,
	inherent::{InherentData as AllInherentData, ProvideInherent},
};
use headway_primitives::{
	hash_of, AsyncBackingParams, CoreIndex, FeatureIndex, Hash, Header, InherentData, ParaId,
	PARACHAINS_INHERENT_IDENTIFIER,
};

/// Most blocks with hostile data in one run.
const BLOCKS_MAX: usize = 3;

/// A world from bytes, and blocks with hostile data in it.
pub(super) fn run(entropy: &mut Entropy) -> Outcome {
	let n_validators = 1 + entropy.below(VALIDATORS.len());
	let n_paras = 1 + entropy.below(3) as u32;
	let spare_cores = entropy.below(4) as u32;
	let mut config = mock::config();
	config.scheduler_params.num_cores = spare_cores;
	config.scheduler_params.lookahead = 3 - entropy.below(3) as u32;
	config.minimum_backing_votes = 1 + entropy.below(2) as u32;
	config.max_relay_parent_session_age = entropy.below(2) as u32;
	if entropy.chance(32) {
		config.async_backing_params = AsyncBackingParams::default();
	}
	if entropy.chance(128) {
		config.node_features.resize(FeatureIndex::CandidateReceiptV3 as usize + 1, false);
		config.node_features.set(FeatureIndex::CandidateReceiptV3 as usize, true);
	}
	mock::with_chain(config, n_validators, n_paras, |chain| {
		// Spare cores go to the first para.
		for core in 0..spare_cores {
			let whole = vec![(scheduler::CoreAssignment::Task(2000), scheduler::PartsOf57600::FULL)];
			scheduler::Pallet::<Test>::assign_core(CoreIndex(core), 0, whole, None)
				.expect("nothing is scheduled on the core");
		}
		(0..entropy.below(6)).for_each(|_| chain.empty_block());
		if entropy.chance(64) {
			chain.session_block();
			(0..entropy.below(3)).for_each(|_| chain.empty_block());
		}
		if entropy.chance(64) {
			mock::disable((0..n_validators as u32).filter(|_| entropy.chance(96)).collect());
		}
		let mut outcome = Outcome::default();
		let mut maker = hostile::Maker::new(n_paras);
		for _ in 0..1 + entropy.below(BLOCKS_MAX) {
			if entropy.chance(16) {
				chain.announce_session();
			}
			let made = maker.make(chain, entropy);
			outcome += check(chain, made);
		}
		outcome
	})
}

/// Runs `f` and forgets what it did to the state; answers the root of the state that it left, too.
fn attempt<R>(f: impl FnOnce() -> R) -> (R, Vec<u8>) {
	mock::forgotten(|| {
		let result = f();
		(result, sp_io::storage::root(sp_runtime::StateVersion::V1))
	})
}

/// Whether `enter` accepts the data.
fn is_accepted(data: &InherentData<Header>) -> bool {
	attempt(|| ParaInherent::enter(RuntimeOrigin::none(), data.clone()).is_ok()).0
}

/// Checks what must hold for the data, and then puts what is left of it into a block.
fn check(chain: &mut Chain, made: hostile::Made) -> Outcome {
	let hostile::Made { data, honest } = made;
	let (given, root) = attempt(|| ParaInherent::process(data.clone()));
	let given = match given {
		Ok(processed) => processed,
		Err(_) => {
			assert_ne!(
				data.parent_header,
				chain.parent(),
				"with the right parent the pipeline does not fail"
			);
			assert!(!is_accepted(&data));
			chain.empty_block();
			return Outcome { blocks: 1, ..Default::default() };
		},
	};
	assert_eq!(data.parent_header.hash(), chain.parent().hash(), "another parent is refused");
	assert!(!honest || is_whole(&given), "honest data is kept whole: {:?}", given.dropped);

	let (again, root_again) = attempt(|| ParaInherent::process(given.data.clone()));
	let again = again.expect("what is left passes again");
	assert_eq!(again.data, given.data, "what is left passes unchanged");
	assert!(is_whole(&again), "{:?}, {:?}", again.dropped, again.dropped_bitfields);
	assert_eq!(root_again, root, "what was dropped had no effect");

	let mut all = AllInherentData::new();
	all.put_data(PARACHAINS_INHERENT_IDENTIFIER, &data).expect("a fresh identifier");
	let (call, _) = attempt(|| ParaInherent::create_inherent(&all));
	let Some(Call::enter { data: created }) = call else { panic!("the author makes an inherent") };
	let declared = Call::<Test>::enter { data: data.clone() }.get_dispatch_info().call_weight;
	assert!(given.weight.all_lte(declared), "the weight before execution covers that after it");
	assert_eq!(hash_of(&created), hash_of(&given.data), "the author's inherent is what the pipeline leaves");
	let unchanged = hash_of(&data) == hash_of(&given.data);
	assert_eq!(is_accepted(&data), unchanged, "data of which something is dropped makes no block");

	let outcome = Outcome {
		blocks: 1,
		candidates: data.backed_candidates.len(),
		backed: created.backed_candidates.len(),
		bitfields: data.bitfields.len(),
		bitfields_kept: created.bitfields.len(),
		overweight: given.dropped.iter().any(|(_, _, reason)| *reason == DropReason::Overweight).into(),
		included: 0,
		disputes: data.disputes.len(),
		disputes_kept: created.disputes.len(),
		frozen: crate::disputes::Pallet::<Test>::is_frozen().into(),
	};
	let disabled = shared::Pallet::<Test>::disabled_validators();
	ParaInherent::enter(RuntimeOrigin::none(), created).expect("the author's inherent is accepted");
	check_state(&disabled.into_iter().map(|validator| validator.0).collect());
	chain.end_block();
	let included = mock::candidate_events().into_iter().filter(|(kind, _)| *kind == "included").count();
	Outcome { included, ..outcome }
}

fn is_whole(processed: &Processed) -> bool {
	processed.dropped.is_empty()
		&& processed.dropped_bitfields.is_empty()
		&& processed.dropped_disputes.is_empty()
}

/// Checks the state after the inherent.
fn check_state(disabled: &BTreeSet<u32>) {
	let config: HostConfiguration = configuration::ActiveConfig::<Test>::get();
	let at = crate::util::now::<Test>();
	let n_cores = scheduler::Pallet::<Test>::n_cores();
	let mut cores = BTreeSet::new();
	for (para, pending) in inclusion::PendingAvailability::<Test>::iter() {
		assert!(!pending.is_empty(), "para {para} has an entry with nothing in it");
		let mut parent = crate::paras::MostRecentContext::<Test>::get(para).expect("para is registered");
		for candidate in &pending {
			assert!(candidate.core.0 < n_cores && cores.insert(candidate.core), "core is held once");
			assert_eq!(candidate.descriptor.para_id, para);
			assert_eq!(candidate.hash, candidate.receipt().hash());
			assert!(candidate.relay_parent_number >= parent, "relay parents do not go backwards");
			parent = candidate.relay_parent_number;
			let group = scheduler::Pallet::<Test>::group_validators(candidate.backing_group)
				.expect("the backing group exists");
			let needed = group.len().min(config.minimum_backing_votes as usize).max(1);
			assert!(candidate.backers.count_ones() >= needed, "enough members of the group voted");
			let backers: BTreeSet<_> = candidate.backers.iter_ones().map(|index| index as u32).collect();
			assert!(backers.iter().all(|backer| group.iter().any(|member| member.0 == *backer)));
			if candidate.backed_in_number == at {
				assert!(backers.is_disjoint(disabled), "votes of disabled validators do not count");
			}
		}
		if config.is_synchronous() {
			assert!(pending.len() == 1, "synchronous backing: one at a time");
		}
		assert!(links(para, &pending), "each candidate of para {para} builds on the one before it");
	}
}

/// Whether each candidate was validated on the head of the one before it.
fn links(para: ParaId, pending: &[inclusion::CandidatePendingAvailability]) -> bool {
	let mut parent_head = crate::paras::Heads::<Test>::get(para).expect("para is registered");
	pending.iter().all(|candidate| {
		let session =
			candidate.descriptor.session_index().unwrap_or_else(shared::CurrentSessionIndex::<Test>::get);
		let Some(info) =
			shared::Pallet::<Test>::relay_parent_info(session, candidate.descriptor.relay_parent)
		else {
			return false;
		};
		let data = headway_primitives::PersistedValidationData::<Hash, u32> {
			parent_head: core::mem::replace(&mut parent_head, candidate.commitments.head_data.clone()),
			relay_parent_number: info.number,
			relay_parent_storage_root: info.state_root,
			max_pov_size: configuration::ActiveConfig::<Test>::get().max_pov_size,
		};
		data.hash() == candidate.descriptor.persisted_validation_data_hash
	})
}
