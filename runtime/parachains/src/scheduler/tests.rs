//! Groups, rotation, timeouts, and the claim queue.

use super::*;
use crate::mock::{config, forgotten, with_chain, Test};
use frame_support::assert_noop;
use PartsOf57600 as Parts;

const WHOLE: Parts = Parts::FULL;

fn task(para: u32, parts: Parts) -> (CoreAssignment, Parts) {
	(CoreAssignment::Task(para), parts)
}

fn assign(core: u32, begin: BlockNumber, to: &[(CoreAssignment, Parts)], end: Option<BlockNumber>) {
	Pallet::<Test>::assign_core(CoreIndex(core), begin, to.to_vec(), end).expect("assignment is allowed");
}

/// The claim queue as text: `core:paras`, cores separated by spaces.
fn queue() -> String {
	let cores: Vec<_> = Pallet::<Test>::claim_queue()
		.into_iter()
		.map(|(core, paras)| {
			let paras: Vec<_> = paras.iter().map(|para| para.to_string()).collect();
			format!("{core}:{}", paras.join(","))
		})
		.collect();
	cores.join(" ")
}

use alloc::{format, string::String, string::ToString};

#[test]
fn groups_are_as_even_as_possible() {
	let sizes = |n, cores, max| make_groups(n, cores, max).iter().map(Vec::len).collect::<Vec<_>>();
	assert_eq!(sizes(7, 5, None), [2, 2, 1, 1, 1]);
	assert_eq!(sizes(7, 2, Some(1)), [1; 7]);
	assert_eq!(sizes(4, 1, None), [4]);
	assert_eq!(sizes(6, 2, None), [3, 3]);
	assert_eq!(sizes(2, 3, None), [1, 1, 0]);
	assert_eq!(sizes(4, 0, None), [0; 0]);
	assert_eq!(sizes(0, 4, None), [0; 0]);
	assert_eq!(sizes(4, 1, Some(0)), [4]);
}

#[test]
fn session_0_has_groups_cores_and_claims() {
	with_chain(config(), 6, 2, |_| {
		assert_eq!(ValidatorGroups::<Test>::get().iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
		assert_eq!(SessionStartBlock::<Test>::get(), 1);
		let scheduler_params = configuration::ActiveConfig::<Test>::get().scheduler_params;
		assert_eq!(scheduler_params.num_cores, 2);
	});
}

#[test]
fn genesis_paras_have_a_core_each_and_a_full_claim_queue() {
	with_chain(config(), 6, 2, |chain| {
		chain.empty_block();
		assert_eq!(queue(), "0:2000,2000,2000 1:2001,2001,2001");
	});
}

#[test]
fn groups_rotate_over_cores() {
	with_chain(config(), 6, 2, |_| {
		let group = |core, at| Pallet::<Test>::group_assigned_to_core(CoreIndex(core), at).map(|g| g.0);
		assert_eq!(group(0, 0), None, "before the session");
		assert_eq!((group(0, 1), group(1, 1)), (Some(0), Some(1)));
		assert_eq!((group(0, 20), group(1, 20)), (Some(0), Some(1)));
		assert_eq!((group(0, 21), group(1, 21)), (Some(1), Some(0)));
		assert_eq!(group(0, 41), Some(0));
		assert_eq!(group(2, 1), None, "no such core");
	});
}

#[test]
fn candidates_time_out_only_after_a_rotation() {
	with_chain(config(), 4, 1, |chain| {
		// Rotations are at blocks 1, 21, 41; the period is 4.
		while chain.number() < 30 {
			let at = chain.number();
			// The check looks one block ahead.
			let expected = matches!(at + 1, 1..=4 | 21..=24);
			assert_eq!(Pallet::<Test>::availability_timeout_check_required(), expected, "at {at}");
			let timeout = Pallet::<Test>::availability_timeout_predicate()(at - 1);
			let live_until = if expected { at + 3 } else { (at - 1) / 20 * 20 + 25 };
			assert_eq!(timeout.live_until, live_until, "at {at}");
			assert!(!timeout.timed_out);
			// One that was backed a period ago has timed out, but in the first rotation there is none.
			let old = Pallet::<Test>::availability_timeout_predicate()(at.saturating_sub(4));
			assert_eq!(old.timed_out, expected && at >= 4, "at {at}");
			chain.empty_block();
		}
	});
}

#[test]
fn a_block_is_told_of_timeouts_what_it_will_find_itself() {
	with_chain(config(), 4, 1, |chain| {
		// Across the rotations at blocks 21 and 41.
		while chain.number() < 46 {
			let at = chain.number();
			let told = Pallet::<Test>::availability_timeout_predicate_in(at + 1);
			chain.empty_block();
			let found = Pallet::<Test>::availability_timeout_predicate();
			for since in at.saturating_sub(6)..=at {
				let [told, found] = [told(since), found(since)].map(|t| (t.timed_out, t.live_until));
				assert_eq!(told, found, "at {at} since {since}");
			}
		}
	});
}

#[test]
fn empty_assignment_is_refused() {
	with_chain(config(), 4, 1, |_| {
		assert_noop!(
			Pallet::<Test>::assign_core(CoreIndex(0), 0, Vec::new(), None),
			Error::<Test>::AssignmentsEmpty
		);
	});
}

#[test]
fn assignment_before_the_last_one_is_refused() {
	with_chain(config(), 4, 1, |_| {
		assign(0, 20, &[task(1, WHOLE)], None);
		assert_noop!(
			Pallet::<Test>::assign_core(CoreIndex(0), 19, [task(2, WHOLE)].to_vec(), None),
			Error::<Test>::DisallowedInsert
		);
		// At the same block it is appended, behind it it is linked.
		assign(0, 20, &[task(2, WHOLE)], None);
		assert_eq!(CoreSchedules::<Test>::get((20, CoreIndex(0))).map(|s| s.assignments.len()), Some(2));
		assign(0, 25, &[task(3, WHOLE)], None);
		assert_eq!(CoreSchedules::<Test>::get((20, CoreIndex(0))).and_then(|s| s.next_schedule), Some(25));
	});
}

#[test]
fn announced_claims_are_not_taken_back() {
	with_chain(config(), 4, 1, |chain| {
		chain.empty_block();
		let before = queue();
		// Block 2 executes: claims for blocks 3 to 5 are visible, so 6 is the first that can change.
		assign(0, 3, &[task(3000, WHOLE)], None);
		assert_eq!(queue(), before);
		assert!(CoreSchedules::<Test>::contains_key((6, CoreIndex(0))));
		chain.empty_block();
		assert_eq!(queue(), "0:2000,2000,3000");
	});
}

#[test]
fn work_ends_at_its_end_hint() {
	let mut config = config();
	config.scheduler_params.num_cores = 1;
	with_chain(config, 4, 0, |chain| {
		assign(0, 0, &[task(1, WHOLE)], Some(4));
		assert_eq!(queue(), "0:1,1");
		chain.empty_block();
		chain.empty_block();
		assert_eq!(queue(), "");
	});
}

#[test]
fn schedules_that_are_over_are_skipped() {
	let mut config = config();
	config.scheduler_params.num_cores = 1;
	with_chain(config, 4, 0, |_| {
		assign(0, 5, &[task(1, WHOLE)], Some(8));
		assign(0, 9, &[task(2, WHOLE)], Some(10));
		assign(0, 12, &[task(3, WHOLE)], None);
		let mut descriptors = CoreDescriptors::<Test>::get();
		let claims = step::<Test>(&mut descriptors, 12, 1, Mode::Pop).bulk;
		assert_eq!(claims[&CoreIndex(0)], ParaId(3));
		assert_eq!(descriptors[&CoreIndex(0)].queue, None);
		assert_eq!(CoreSchedules::<Test>::iter().count(), 0);
		CoreDescriptors::<Test>::put(descriptors);
		// Nothing that begins later is begun early.
		assign(0, 20, &[task(1, WHOLE)], Some(21));
		assign(0, 30, &[task(2, WHOLE)], None);
		let mut descriptors = CoreDescriptors::<Test>::get();
		assert!(step::<Test>(&mut descriptors, 25, 1, Mode::Peek).bulk.is_empty());
		assert_eq!(descriptors[&CoreIndex(0)].queue.map(|queue| queue.first), Some(30));
	});
}

/// Whom core 0 serves in the next blocks.
fn served(shares: &[(CoreAssignment, Parts)], blocks: u32) -> Vec<Option<u32>> {
	let mut config = config();
	config.scheduler_params.num_cores = 1;
	with_chain(config, 4, 0, |_| {
		assign(0, 1, shares, None);
		let mut descriptors = CoreDescriptors::<Test>::get();
		(1..=blocks)
			.map(|at| {
				step::<Test>(&mut descriptors, at, 1, Mode::Pop).bulk.get(&CoreIndex(0)).map(|para| para.0)
			})
			.collect()
	})
}

#[test]
fn shares_of_a_core_are_served_in_proportion() {
	let (half, third) = (Parts(28800), Parts(19200));
	assert_eq!(served(&[task(1, half), task(2, half)], 4), [Some(1), Some(2), Some(1), Some(2)]);
	assert_eq!(
		served(&[task(1, Parts(38400)), task(2, third)], 6),
		[Some(1), Some(1), Some(2), Some(1), Some(1), Some(2)]
	);
	assert_eq!(
		served(&[task(1, third), task(2, third), task(3, third)], 4),
		[Some(1), Some(2), Some(3), Some(1)]
	);
	assert_eq!(served(&[(CoreAssignment::Idle, half), task(2, half)], 4), [None, Some(2), None, Some(2)]);
}

#[test]
fn empty_shares_are_never_served() {
	assert_eq!(served(&[task(1, Parts(0)), task(2, Parts(100))], 2), [Some(2), Some(2)]);
	assert_eq!(served(&[task(1, Parts(0))], 2), [None, None]);
}

#[test]
fn predictions_come_true() {
	let mut config = config();
	config.scheduler_params.num_cores = 1;
	with_chain(config, 4, 0, |chain| {
		assign(0, 1, &[task(1, Parts(38400)), task(2, Parts(19200))], None);
		for _ in 0..10 {
			let predicted = Pallet::<Test>::predict_claim_queue(chain.number());
			assert_eq!(
				predicted,
				Pallet::<Test>::predict_claim_queue(chain.number()),
				"peeking changes nothing"
			);
			let next = predicted[&CoreIndex(0)][0];
			let now = forgotten(|| Pallet::<Test>::advance_claim_queue(|_| false));
			assert_eq!(now[&CoreIndex(0)], next);
			chain.empty_block();
		}
	});
}

#[test]
fn cores_beyond_the_groups_are_not_claimed() {
	with_chain(config(), 4, 1, |chain| {
		assign(2, 0, &[task(3000, WHOLE)], None);
		chain.empty_block();
		assert_eq!(queue(), "0:2000,2000,2000");
		configuration::Pallet::<Test>::set_coretime_cores_unchecked(3).expect("it is consistent");
		chain.session_block();
		chain.session_block();
		assert_eq!(queue(), "0:2000,2000,2000 2:3000,3000,3000", "the groups have grown");
	});
}

#[test]
fn new_core_appears_at_a_session_boundary() {
	with_chain(config(), 4, 1, |chain| {
		let core = Pallet::<Test>::assign_coretime(ParaId(3000)).expect("a core is added");
		assert_eq!(core, CoreIndex(1));
		chain.empty_block();
		assert_eq!(queue(), "0:2000,2000,2000");
		chain.session_block();
		assert_eq!(queue(), "0:2000,2000,2000 1:3000,3000,3000");
	});
}

#[test]
fn descriptors_have_the_layout_that_tools_write() {
	use codec::{Decode, Encode};
	// No queue; one full assignment of 2000; no end; position 1.
	let bytes = [&[0u8, 1, 4, 2][..], &2000u32.to_le_bytes(), &[0, 0xe1, 0, 0xe1, 0, 1, 0, 0, 0xe1]].concat();
	let descriptor = CoreDescriptor::decode(&mut &bytes[..]).expect("tools write this");
	assert_eq!(descriptor.encode(), bytes);
	let work = descriptor.current_work.clone().expect("it has work");
	assert_eq!(work.assignments[0].0, CoreAssignment::Task(2000));
	assert_eq!(work.step, WHOLE);
	with_chain(config(), 4, 1, |chain| {
		CoreDescriptors::<Test>::put(BTreeMap::from([(CoreIndex(0), descriptor)]));
		chain.empty_block();
		assert_eq!(queue(), "0:2000,2000,2000");
	});
}

#[test]
fn genesis_paras_get_the_cores_behind_the_spare_ones() {
	let mut config = config();
	config.scheduler_params.num_cores = 3;
	with_chain(config, 6, 2, |_| {
		assert_eq!(configuration::ActiveConfig::<Test>::get().scheduler_params.num_cores, 5);
		assert_eq!(queue(), "3:2000,2000,2000 4:2001,2001,2001");
	});
}

#[test]
fn begin_is_moved_behind_what_was_announced() {
	// Block 1 executes, and claims for blocks 2 to 4 are visible.
	for (core, begin, expected) in [(1, 2, 5), (1, 5, 5), (0, 3, 3)] {
		let mut config = config();
		config.scheduler_params.num_cores = 1;
		with_chain(config, 4, 1, |chain| {
			let mut descriptors = CoreDescriptors::<Test>::get();
			step::<Test>(&mut descriptors, chain.number(), 2, Mode::Pop);
			CoreDescriptors::<Test>::put(descriptors);
			assign(core, begin, &[task(3000, WHOLE)], None);
			let begins: Vec<_> = CoreSchedules::<Test>::iter_keys().collect();
			assert_eq!(begins, [(expected, CoreIndex(core))], "core {core}, begin {begin}");
		});
	}
}

#[test]
fn number_of_cores_and_lookahead_follow_the_session() {
	let mut config = config();
	config.scheduler_params.num_cores = 0;
	config.scheduler_params.lookahead = 2;
	with_chain(config, 4, 2, |chain| {
		let change = |change: fn(&mut headway_primitives::SchedulerParams)| {
			configuration::Pallet::<Test>::schedule_config_update(|config| {
				change(&mut config.scheduler_params)
			})
			.expect("it is consistent");
		};
		chain.empty_block();
		assert_eq!(queue(), "0:2000,2000 1:2001,2001");
		change(|params| (params.num_cores, params.lookahead) = (1, 4));
		chain.session_block();
		assert_eq!(queue(), "0:2000,2000 1:2001,2001");
		change(|params| params.num_cores = 3);
		chain.session_block();
		assert_eq!(queue(), "0:2000,2000,2000,2000");
		assign(2, 0, &[task(3000, WHOLE)], None);
		chain.session_block();
		// The second core goes on with its assignment.
		assert_eq!(queue(), "0:2000,2000,2000,2000 1:2001,2001,2001,2001 2:3000,3000,3000,3000");
	});
}

#[test]
fn core_of_a_new_para_survives_pending_configurations() {
	with_chain(config(), 4, 1, |chain| {
		configuration::Pallet::<Test>::schedule_config_update(|config| config.needed_approvals = 3)
			.expect("it is consistent");
		Pallet::<Test>::assign_coretime(ParaId(3000)).expect("a core is added");
		chain.session_block();
		chain.session_block();
		let config = configuration::ActiveConfig::<Test>::get();
		assert_eq!((config.needed_approvals, config.scheduler_params.num_cores), (3, 2));
		assert_eq!(queue(), "0:2000,2000,2000 1:3000,3000,3000");
	});
}

#[test]
fn idle_cores_are_forgotten() {
	with_one_core(&[task(1, WHOLE)], Some(3), || {
		advance(2, false);
		assert!(CoreDescriptors::<Test>::get().contains_key(&CoreIndex(0)));
		advance(3, false);
		assert!(CoreDescriptors::<Test>::get().is_empty());
	});
}

/// Runs a test in block 1, with core 0 assigned from there on.
fn with_one_core(shares: &[(CoreAssignment, Parts)], end: Option<BlockNumber>, test: impl FnOnce()) {
	let mut config = config();
	config.scheduler_params.num_cores = 1;
	with_chain(config, 4, 0, |_| {
		assign(0, 1, shares, end);
		test();
	});
}

const POOL: (CoreAssignment, Parts) = (CoreAssignment::Pool, WHOLE);

/// Places orders in block 1.
fn order(paras: &[u32]) {
	let batch = paras.iter().map(|para| (ParaId(*para), 1)).collect();
	crate::on_demand::Pallet::<Test>::queue_order_batch(batch);
}

/// Advances in block `at`, with all cores blocked or none; returns whom the core serves.
fn advance(at: BlockNumber, blocked: bool) -> Option<u32> {
	frame_system::Pallet::<Test>::set_block_number(at);
	Pallet::<Test>::advance_claim_queue(|_| blocked).get(&CoreIndex(0)).map(|para| para.0)
}

#[test]
fn unused_turns_go_to_the_next_claimant() {
	let half = Parts(28800);
	with_one_core(&[(CoreAssignment::Idle, half), task(2, half)], None, || {
		assert_eq!(advance(1, false), Some(2));
		assert_eq!(queue(), "0:2", "behind a hole nothing is known");
		assert_eq!(advance(2, false), Some(2));
		assert_eq!(queue(), "0:2,2", "the first claim is announced one block early");
	});
}

#[test]
fn first_order_of_an_empty_pool_is_announced_twice() {
	with_one_core(&[POOL], None, || {
		assert_eq!(queue(), "");
		order(&[1]);
		assert_eq!(queue(), "0:1,1");
		order(&[2]);
		assert_eq!(queue(), "0:1,1,2");
		assert_eq!(advance(2, false), Some(1));
		assert_eq!(queue(), "0:1,2");
		assert_eq!(advance(3, false), Some(1));
		assert_eq!(advance(4, false), Some(2));
		assert_eq!(queue(), "");
	});
}

#[test]
fn order_of_an_occupied_core_goes_to_the_end_of_the_queue() {
	with_one_core(&[POOL], None, || {
		order(&[1, 2]);
		assert_eq!(advance(3, true), None);
		assert_eq!(advance(4, false), Some(2));
		assert_eq!(advance(5, false), Some(1));
		assert_eq!(advance(6, false), None);
	});
}

#[test]
fn turn_of_an_occupied_core_is_lost() {
	let half = Parts(28800);
	with_one_core(&[task(1, half), task(2, half)], None, || {
		assert_eq!(advance(1, true), None);
		assert_eq!(advance(2, false), Some(2));
	});
}

#[test]
fn every_order_is_served_once_in_the_end() {
	with_one_core(&[POOL], None, || {
		order(&[1, 2, 3]);
		for at in 3..6 {
			assert_eq!(advance(at, true), None);
		}
		let served: Vec<_> = (6..12).filter_map(|at| advance(at, false)).collect();
		assert_eq!(served, [1, 2, 3]);
	});
}

#[test]
fn cores_beyond_the_groups_take_no_orders() {
	with_one_core(&[POOL], None, || {
		assign(7, 1, &[POOL], None);
		order(&[1, 2]);
		assert_eq!(queue(), "0:1,1,2");
		assert_eq!(advance(3, false), Some(1));
		assert_eq!(advance(4, false), Some(2));
	});
}

#[test]
fn claims_of_pool_cores_keep_the_order_of_the_queue() {
	let mut config = config();
	config.scheduler_params.num_cores = 3;
	with_chain(config, 4, 0, |_| {
		(0..2).for_each(|core| assign(core, 1, &[POOL], None));
		assign(2, 1, &[task(9, WHOLE)], None);
		order(&[5]);
		assert_eq!(queue(), "0:5,5 2:9,9,9");
		// A lower id that comes later does not take the core.
		order(&[4, 3]);
		assert_eq!(queue(), "0:5,5,3 1:4,4 2:9,9,9");
	});
}

#[test]
fn inherent_records_the_claims_that_nodes_were_told() {
	with_one_core_chain(|chain| {
		order(&[1, 2]);
		for begin in 3..6 {
			// Something begins in the block after the next, which the next must not see.
			assign(1, begin, &[task(begin, WHOLE)], None);
			let told = Pallet::<Test>::predict_claim_queue(chain.number());
			let parent = chain.parent().hash();
			chain.empty_block();
			let tracker = crate::shared::AllowedSchedulingParents::<Test>::get();
			let (info, _) = tracker.acquire_info(parent).expect("it is the newest");
			assert_eq!(info.claim_queue, headway_primitives::transpose_claim_queue(&told));
		}
	});
}

/// Runs a test on a chain with a pool core 0 and a spare core 1.
fn with_one_core_chain(test: impl FnOnce(&mut crate::mock::Chain)) {
	let mut config = config();
	config.scheduler_params.num_cores = 2;
	with_chain(config, 4, 0, |chain| {
		assign(0, 1, &[POOL], None);
		test(chain);
	});
}
