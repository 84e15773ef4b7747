//! What the node is told. Blocks here are those of the mock: one core and one group of two for each para.

use super::*;
use crate::mock::{
	code, config, forgotten, head, with_chain, Candidate, Chain, ParaScheduler, RuntimeEvent, Test,
};

const A: u32 = 2000;
const PARA: ParaId = ParaId(A);

/// Backs candidates in the block to come.
fn back(chain: &mut Chain, candidates: Vec<Candidate>) {
	let n = candidates.len();
	let processed = chain.block(Vec::new(), candidates.into_iter().map(Candidate::back).collect());
	assert_eq!(processed.data.backed_candidates.len(), n, "{:?}", processed.dropped);
}

#[test]
fn cores_are_occupied_scheduled_or_free() {
	with_chain(config(), 6, 3, |chain| {
		chain.empty_block();
		let candidate = chain.candidate(A, "genesis", "a1");
		let group = candidate.group();
		let hash = candidate.receipt.hash();
		back(chain, vec![candidate]);
		// The last core is assigned to nobody any more.
		scheduler::CoreDescriptors::<Test>::mutate(|cores| cores.remove(&CoreIndex(2)));
		let cores = availability_cores::<Test>();
		let [CoreState::Occupied(first), CoreState::Scheduled(second), CoreState::Free] = &cores[..] else {
			panic!("{cores:?}")
		};
		assert_eq!(first.candidate_hash, hash);
		assert_eq!(first.occupied_since, now::<Test>() - 1);
		let as_child = ParaScheduler::availability_timeout_predicate_in(now::<Test>() + 1);
		assert_eq!(first.time_out_at, as_child(first.occupied_since).live_until);
		assert_eq!(first.availability.count_ones(), 0);
		assert_eq!(first.next_up_on_available.as_ref().map(|next| next.para_id), Some(PARA));
		assert_eq!(first.next_up_on_available, first.next_up_on_time_out);
		assert_eq!(second.para_id, ParaId(A + 1));
		let (groups, rotation) = validator_groups::<Test>();
		assert_eq!(groups[first.group_responsible.0 as usize], group);
		assert_eq!(rotation.now, now::<Test>() + 1);
	});
}

#[test]
fn validation_data_depends_on_what_is_assumed_of_pending_candidates() {
	use OccupiedCoreAssumption::{Free, Included, TimedOut};
	with_chain(config(), 6, 1, |chain| {
		chain.empty_block();
		let data = |assumption| forgotten(|| persisted_validation_data::<Test>(PARA, assumption));
		let parent_head = |assumption| data(assumption).map(|data| data.parent_head);
		for assumption in [Free, Included, TimedOut] {
			assert_eq!(parent_head(assumption), Some(head("genesis")));
		}
		let candidate = chain.candidate(A, "genesis", "a1");
		back(chain, vec![candidate]);
		assert_eq!(parent_head(Included), Some(head("a1")));
		assert_eq!(parent_head(TimedOut), Some(head("genesis")));
		assert_eq!(parent_head(Free), None);
		let unknown = forgotten(|| persisted_validation_data::<Test>(ParaId(9), TimedOut));
		assert_eq!(unknown, None);
		assert_eq!(data(Included).map(|data| data.relay_parent_number), Some(now::<Test>()));
		assert_eq!(forgotten(|| validation_code_hash::<Test>(PARA, Free)), None);
		assert_eq!(forgotten(|| validation_code::<Test>(PARA, TimedOut)), Some(code()));
	});
}

#[test]
fn validation_data_is_found_by_its_hash_before_and_after_inclusion() {
	with_chain(config(), 6, 1, |chain| {
		chain.empty_block();
		let candidate = chain.candidate(A, "genesis", "a1");
		back(chain, vec![candidate]);
		// As the queries see it.
		let root = forgotten(storage_root);
		let data_on = |parent: &str| PersistedValidationData {
			parent_head: head(parent),
			relay_parent_number: now::<Test>(),
			relay_parent_storage_root: root,
			max_pov_size: config().max_pov_size,
		};
		for parent in ["genesis", "a1"] {
			let expected = data_on(parent);
			let found = forgotten(|| assumed_validation_data::<Test>(PARA, expected.hash()));
			assert_eq!(found, Some((expected, code().hash())));
		}
		assert_eq!(forgotten(|| assumed_validation_data::<Test>(PARA, data_on("a2").hash())), None);
	});
}

#[test]
fn constraints_are_those_of_the_included_state() {
	with_chain(config(), 6, 1, |chain| {
		(0..3).for_each(|_| chain.empty_block());
		let oldest = shared::Pallet::<Test>::minimum_relay_parent_number();
		let constraints = backing_constraints::<Test>(PARA).expect("the para is registered");
		assert_eq!(constraints.required_parent, head("genesis"));
		assert_eq!(constraints.validation_code_hash, code().hash());
		assert_eq!(Some(constraints.min_relay_parent_number), oldest);
		// The newest candidate raises the oldest relay parent, although it is not included yet.
		let candidate = chain.candidate(A, "genesis", "a1");
		let relay_parent = candidate.scheduled_at;
		back(chain, vec![candidate]);
		let constraints = backing_constraints::<Test>(PARA).expect("the para is registered");
		assert_eq!(constraints.min_relay_parent_number, relay_parent);
		assert_eq!(constraints.required_parent, head("genesis"));
		assert_eq!(constraints.max_head_data_size, config().max_head_data_size);
		assert_eq!(backing_constraints::<Test>(ParaId(9)), None);
	});
}

#[test]
fn a_block_is_its_own_descendants_relay_parent_but_not_its_own() {
	with_chain(config(), 6, 1, |chain| {
		(0..2).for_each(|_| chain.empty_block());
		let session = session_index_for_child::<Test>();
		// The block to come knows its parent only once its inherent has run.
		let [.., grandparent, parent] = &chain.headers[..] else { panic!() };
		assert_eq!(ancestor_relay_parent_info::<Test>(session, parent.hash()), None);
		let info = RelayParentInfo { number: grandparent.number, state_root: grandparent.state_root };
		assert_eq!(ancestor_relay_parent_info::<Test>(session, grandparent.hash()), Some(info));
		assert_eq!(ancestor_relay_parent_info::<Test>(session + 1, grandparent.hash()), None);
	});
}

#[test]
fn candidate_events_come_in_the_order_of_the_block() {
	with_chain(config(), 6, 2, |_| {
		let receipt = |core: u32| {
			let descriptor = headway_primitives::CandidateDescriptorV2::new_v2(
				PARA,
				Hash::repeat_byte(1),
				CoreIndex(core),
				0,
				Hash::zero(),
				Hash::zero(),
				Hash::zero(),
				Hash::zero(),
				code().hash(),
			);
			headway_primitives::CandidateReceiptV2 { descriptor, commitments_hash: Hash::zero() }
		};
		let group = headway_primitives::GroupIndex(0);
		for event in [
			inclusion::Event::CandidateTimedOut(receipt(2), head("c"), CoreIndex(2)),
			inclusion::Event::CandidateIncluded(receipt(1), head("b"), CoreIndex(1), group),
			inclusion::Event::UpwardMessagesReceived { from: PARA, count: 1 },
			inclusion::Event::CandidateBacked(receipt(0), head("a"), CoreIndex(0), group),
		] {
			frame_system::Pallet::<Test>::deposit_event(event);
		}
		let events = candidate_events::<Test, _>(|event| match event {
			RuntimeEvent::ParaInclusion(event) => Some(event),
			_ => None,
		});
		let kinds: Vec<_> = events
			.iter()
			.map(|event| match event {
				CandidateEvent::CandidateBacked(_, head, core, _) => ("backed", head.clone(), core.0),
				CandidateEvent::CandidateIncluded(_, head, core, _) => ("included", head.clone(), core.0),
				CandidateEvent::CandidateTimedOut(_, head, core) => ("timed out", head.clone(), core.0),
			})
			.collect();
		assert_eq!(
			kinds,
			[("timed out", head("c"), 2), ("included", head("b"), 1), ("backed", head("a"), 0)]
		);
	});
}

#[test]
fn outputs_beyond_the_limits_do_not_pass() {
	with_chain(config(), 6, 1, |chain| {
		chain.empty_block();
		let outputs = |bytes: usize| CandidateCommitments {
			head_data: head("a1"),
			hrmp_watermark: now::<Test>(),
			new_validation_code: Some(ValidationCode(vec![7; bytes])),
			..Default::default()
		};
		let max = configuration::ActiveConfig::<Test>::get().max_code_size as usize;
		assert!(check_validation_outputs::<Test>(PARA, outputs(max)));
		assert!(!check_validation_outputs::<Test>(PARA, outputs(max + 1)));
	});
}

#[test]
fn the_claim_queue_and_the_groups_agree_on_the_number_of_cores() {
	with_chain(config(), 6, 3, |chain| {
		chain.empty_block();
		let cores: Vec<_> = claim_queue::<Test>().into_keys().collect();
		assert_eq!(cores, [0, 1, 2].map(CoreIndex));
		assert_eq!(ParaScheduler::n_cores() as usize, validator_groups::<Test>().0.len());
		assert_eq!(para_ids::<Test>().len(), 3);
		assert_eq!(scheduling_lookahead::<Test>(), 3);
	});
}
