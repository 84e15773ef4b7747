//! Availability votes, inclusion and its effects, timeouts and evictions.

use super::*;
use headway_primitives::{
	supermajority_threshold, well_known_keys, AvailabilityBitfield, Signed, UncheckedSigned,
};

/// Bitfields of the first validators with these cores set, whose signatures nobody looks at.
fn votes(n_validators: usize, n_cores: usize, cores: &[usize]) -> Vec<Signed<AvailabilityBitfield>> {
	let mut bits = BitVec::repeat(false, n_cores);
	cores.iter().for_each(|core| bits.set(*core, true));
	let vote = |index| {
		Signed::assume_checked(UncheckedSigned {
			payload: AvailabilityBitfield(bits.clone()),
			validator_index: ValidatorIndex(index as u32),
			signature: sp_core::sr25519::Signature::default().into(),
		})
	};
	(0..n_validators).map(vote).collect()
}

const NONE: [u32; 0] = [];

/// Cores that are freed in the order of inclusion.
fn include(n_validators: usize, bitfields: &[Signed<AvailabilityBitfield>]) -> Vec<u32> {
	let included = ParaInclusion::update_pending_availability(n_validators, bitfields);
	included.candidates.into_iter().map(|(core, ..)| core.0).collect()
}

#[test]
fn availability_needs_more_than_two_thirds() {
	for (n, threshold) in [(100, 67), (4, 3), (1, 1)] {
		assert_eq!(supermajority_threshold(n), threshold);
	}
	with_chain(config(), 6, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), vec![candidate]);
		// 4 of 6 are two thirds, 5 are more.
		let bitfields = chain.bitfields_of(4, &[0]);
		chain.block(bitfields, Vec::new());
		assert_eq!(candidate_events(), []);
		let bitfields = chain.bitfields(&[0]).split_off(5);
		chain.block(bitfields, Vec::new());
		assert_eq!(candidate_events(), [("included", head("a1"))], "votes add up over blocks");
	});
}

#[test]
fn repeated_votes_of_one_validator_count_once() {
	with_chain(config(), 4, 1, |chain| {
		let candidate = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), vec![candidate]);
		for _ in 0..5 {
			let bitfields = chain.bitfields_of(2, &[0]);
			chain.block(bitfields, Vec::new());
		}
		assert_eq!(ParaInclusion::pending_candidates(PARA)[0].availability_votes.count_ones(), 2);
	});
}

#[test]
fn candidates_wait_for_those_that_they_build_on() {
	with_chain(config(), 4, 3, |_| {
		let chain = [("a1", 0), ("a2", 1), ("a3", 2)].map(|(name, core)| pending(PARA, name, core, 4));
		PendingAvailability::<Test>::insert(PARA, chain.to_vec());
		assert_eq!(include(4, &votes(3, 3, &[1, 2])), NONE);
		assert_eq!(pending_heads(PARA).len(), 3);
		assert_eq!(include(4, &votes(3, 3, &[0])), [0, 1, 2]);
		assert_eq!(paras::Heads::<Test>::get(PARA), Some(head("a3")));
		assert!(!PendingAvailability::<Test>::contains_key(PARA), "no empty entry is left");
	});
}

#[test]
fn available_head_of_a_chain_is_included_and_the_rest_keeps_its_cores() {
	with_chain(config(), 4, 2, |_| {
		let chain = [("a1", 0), ("a2", 1)].map(|(name, core)| pending(PARA, name, core, 4));
		PendingAvailability::<Test>::insert(PARA, chain.to_vec());
		assert_eq!(include(4, &votes(3, 2, &[0])), [0]);
		assert_eq!(pending_heads(PARA), [head("a2")]);
		assert_eq!(ParaInclusion::occupied_cores()[0].0, CoreIndex(1));
	});
}

#[test]
fn votes_of_a_thousand_validators_are_counted_per_core() {
	with_chain(config(), 1, 2, |_| {
		let (n, n_cores) = (1000, 100);
		for (para, core) in [(2000, 3), (2001, 99)] {
			let para = ParaId(para);
			PendingAvailability::<Test>::insert(para, vec![pending(para, "next", core, n)]);
		}
		// 667 of 1000 are more than two thirds.
		let mut bitfields = votes(667, n_cores, &[3, 50, 99]);
		bitfields[0] = votes(1, n_cores, &[3, 50]).remove(0);
		assert_eq!(include(n, &bitfields), [3]);
		let left = &ParaInclusion::pending_candidates(ParaId(2001))[0].availability_votes;
		assert_eq!((left.count_ones(), left[0], left[1], left[667]), (666, false, true, false));
	});
}

#[test]
fn vote_of_a_validator_out_of_range_is_ignored() {
	with_chain(config(), 4, 1, |_| {
		PendingAvailability::<Test>::insert(PARA, vec![pending(PARA, "a1", 0, 4)]);
		assert_eq!(include(4, &votes(9, 1, &[0])), [0]);
		assert_eq!(include(4, &votes(9, 7, &[6])), NONE, "nor is there anything on the core");
	});
}

#[test]
fn pending_candidates_are_written_only_if_a_vote_is_new() {
	with_chain(config(), 4, 1, |_| {
		PendingAvailability::<Test>::insert(PARA, vec![pending(PARA, "a1", 0, 4)]);
		include(4, &votes(2, 1, &[0]));
		// What is behind the value is lost when it is written.
		let key = PendingAvailability::<Test>::hashed_key_for(PARA);
		let marked = || sp_io::storage::get(&key).expect("it is pending").ends_with(&[0xab; 4]);
		let mut raw = sp_io::storage::get(&key).expect("it is pending").to_vec();
		raw.extend([0xab; 4]);
		sp_io::storage::set(&key, &raw);
		include(4, &votes(2, 1, &[0]));
		include(4, &votes(4, 1, &[]));
		assert!(marked());
		include(4, &votes(1, 1, &[0]));
		assert!(marked());
		let third = votes(3, 1, &[0]).pop().expect("three votes");
		assert_eq!(include(4, &[third]), [0]);
		assert!(!PendingAvailability::<Test>::contains_key(PARA));
	});
}

#[test]
fn candidate_times_out_after_a_rotation() {
	with_chain(config(), 4, 1, |chain| {
		while chain.number() < 19 {
			chain.empty_block();
		}
		let candidate = chain.candidate(A, "genesis", "a1").back();
		chain.block(Vec::new(), vec![candidate]);
		// Backed in 19, so it lives until 23.
		while chain.number() < 23 {
			chain.empty_block();
			assert_eq!(candidate_events(), [], "before {}", chain.number());
		}
		// The freed core takes a new candidate in the same block.
		let next = chain.candidate(A, "genesis", "b1").back();
		chain.block(Vec::new(), vec![next]);
		assert_eq!(candidate_events(), [("timed out", head("a1")), ("backed", head("b1"))]);
	});
}

#[test]
fn candidates_behind_one_that_times_out_are_removed_with_an_event_each() {
	with_chain(config(), 4, 2, |chain| {
		while chain.number() < 23 {
			chain.empty_block();
		}
		let mut waiting = [("a1", 0), ("a2", 1)].map(|(name, core)| pending(PARA, name, core, 4));
		// The second one alone would have time.
		(waiting[0].backed_in_number, waiting[1].backed_in_number) = (19, 22);
		PendingAvailability::<Test>::insert(PARA, waiting.to_vec());
		chain.empty_block();
		assert_eq!(candidate_events(), [("timed out", head("a1")), ("timed out", head("a2"))]);
		assert!(!PendingAvailability::<Test>::contains_key(PARA));
	});
}

#[test]
fn disputed_candidate_and_descendants_are_removed() {
	with_chain(config(), 4, 1, |_| {
		let chain = [("a", 0), ("b", 1), ("c", 2)].map(|(name, core)| pending(PARA, name, core, 4));
		PendingAvailability::<Test>::insert(PARA, chain.to_vec());
		let disputed = [CandidateHash(head("b").hash())].into_iter().collect();
		let freed = ParaInclusion::free_disputed(&disputed);
		let hash = |name| CandidateHash(head(name).hash());
		assert_eq!(freed, [(CoreIndex(1), hash("b")), (CoreIndex(2), hash("c"))]);
		assert_eq!(pending_heads(PARA), [head("a")]);
		assert!(System::events().is_empty());
	});
}

#[test]
fn inclusion_enacts_messages_and_upgrades() {
	with_chain(config(), 4, 1, |chain| {
		dmp::Pallet::<Test>::queue_downward_message(PARA, vec![1]).expect("queue has room");
		chain.empty_block();
		let candidate = chain.candidate(A, "genesis", "a1").commit(|c| {
			c.upward_messages = vec![vec![5, 6]].try_into().expect("one message");
			c.new_validation_code = Some(ValidationCode(vec![2; 64]));
			c.processed_downward_messages = 1;
		});
		chain.block(Vec::new(), vec![candidate.back()]);
		let bitfields = chain.bitfields(&[0]);
		chain.block(bitfields, Vec::new());
		assert_eq!(queued(PARA), [vec![5, 6]]);
		assert!(dmp::Pallet::<Test>::contents(PARA).is_empty());
		assert_eq!(hrmp::HrmpWatermarks::<Test>::get(PARA), Some(1));
		assert_eq!(paras::MostRecentContext::<Test>::get(PARA), Some(1));
		assert!(paras::FutureCodeHash::<Test>::contains_key(PARA));
		assert_eq!(paras::CurrentCodeHash::<Test>::get(PARA), Some(code().hash()));
	});
}

#[test]
fn effects_of_inclusion_come_in_order() {
	with_chain(config(), 4, 1, |_| {
		let mut candidate = pending(PARA, "a1", 0, 4);
		candidate.commitments.new_validation_code = Some(ValidationCode(vec![2; 64]));
		candidate.commitments.upward_messages = vec![vec![5]].try_into().expect("one message");
		take_rewards();
		System::reset_events();
		ParaInclusion::enact_candidate(candidate);
		let kinds: Vec<_> = take_rewards().into_iter().map(|reward| (reward.kind, reward.events)).collect();
		assert_eq!(kinds, [("backing", 0), ("bitfields", 0)], "rewards come before all events");
		let events: Vec<_> = System::events().into_iter().map(|record| record.event).collect();
		let position = |test: fn(&RuntimeEvent) -> bool| events.iter().position(test).expect("it is there");
		let code = position(|event| matches!(event, RuntimeEvent::Paras(paras::Event::PvfCheckStarted(..))));
		let upward = position(|event| {
			matches!(event, RuntimeEvent::ParaInclusion(Event::UpwardMessagesReceived { .. }))
		});
		let included =
			position(|event| matches!(event, RuntimeEvent::ParaInclusion(Event::CandidateIncluded(..))));
		assert!(code < upward && upward < included, "{events:?}");
		assert_eq!(paras::Heads::<Test>::get(PARA), Some(head("a1")));
	});
}

#[test]
fn delay_of_an_upgrade_counts_from_inclusion() {
	with_chain(config(), 4, 1, |chain| {
		while chain.number() < 5 {
			chain.empty_block();
		}
		let mut candidate = pending(PARA, "a1", 0, 4);
		candidate.commitments.new_validation_code = Some(ValidationCode(vec![2; 64]));
		candidate.relay_parent_number = 2;
		ParaInclusion::enact_candidate(candidate);
		// Cooldown 10, included in 5.
		assert_eq!(paras::UpgradeCooldowns::<Test>::get(), [(PARA, 15)]);
	});
}

#[test]
fn session_change_forgets_what_is_pending_and_the_messages_of_paras_that_went() {
	with_chain(config(), 4, 2, |chain| {
		PendingAvailability::<Test>::insert(PARA, vec![pending(PARA, "a1", 0, 4)]);
		let gone = ParaId(A + 1);
		for para in [PARA, gone] {
			ParaInclusion::receive_upward_messages(para, &[vec![1]]);
		}
		let notification = SessionChangeNotification {
			validators: Vec::new(),
			queued: Vec::new(),
			prev_config: config(),
			new_config: config(),
			random_seed: [0; 32],
			session_index: 1,
		};
		ParaInclusion::on_new_session(&notification, &[gone]);
		assert_eq!(PendingAvailability::<Test>::iter().count(), 0);
		assert_eq!((queued(PARA).len(), queued(gone).len()), (1, 0));
		let _ = chain;
	});
}

#[test]
fn queue_changes_are_written_for_parachains() {
	use frame_support::traits::{Footprint, QueueFootprint};
	with_chain(config(), 4, 1, |_| {
		let footprint = QueueFootprint { storage: Footprint { count: 3, size: 100 }, ..Default::default() };
		ParaInclusion::note_upward_queue(upward_queue(PARA), footprint);
		let read = |key: Vec<u8>| {
			let raw = sp_io::storage::get(&key).expect("it is written");
			<(u32, u32)>::decode(&mut &raw[..]).expect("count and size")
		};
		assert_eq!(read(well_known_keys::relay_dispatch_queue_size(PARA)), (3, 100));
		assert_eq!(read(well_known_keys::relay_dispatch_queue_remaining_capacity(PARA)), (5, 924));
	});
}

#[test]
fn message_origin_has_the_reference_encoding() {
	assert_eq!(upward_queue(PARA).encode(), [&[0, 0][..], &A.to_le_bytes()].concat());
}
