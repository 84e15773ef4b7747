//! What is stored of sessions, of whom, and for how long.

use super::*;
use crate::{
	configuration::HostConfiguration,
	mock::{
		config, with_chain, Configuration, DiscoveryKeys, ParaSessionInfo, RuntimeOrigin, Test,
		ValidatorAccounts, VALIDATORS,
	},
	shared::ActiveValidatorKeys,
};
use codec::Encode;
use frame_support::assert_ok;
use headway_primitives::{ExecutorParam, ValidatorId, ValidatorIndex};

/// Sessions that are stored, in all three maps alike.
fn stored() -> Vec<SessionIndex> {
	let keys = |mut keys: Vec<SessionIndex>| {
		keys.sort();
		keys
	};
	let sessions = keys(Sessions::<Test>::iter_keys().collect());
	assert_eq!(keys(AccountKeys::<Test>::iter_keys().collect()), sessions);
	assert_eq!(keys(SessionExecutorParams::<Test>::iter_keys().collect()), sessions);
	sessions
}

#[test]
fn sessions_are_stored_for_the_dispute_period() {
	with_chain(HostConfiguration { dispute_period: 2, ..config() }, 4, 1, |chain| {
		for expected in [&[0, 1][..], &[0, 1, 2], &[1, 2, 3], &[2, 3, 4]] {
			chain.session_block();
			assert_eq!(stored(), expected);
		}
		assert_eq!(EarliestStoredSession::<Test>::get(), 2);
		// A longer period brings nothing back, a shorter one forgets several.
		assert_ok!(Configuration::set_dispute_period(RuntimeOrigin::root(), 4));
		chain.session_block();
		assert_ok!(Configuration::set_dispute_period(RuntimeOrigin::root(), 1));
		chain.session_block();
		assert_eq!(stored(), [3, 4, 5, 6]);
		chain.session_block();
		assert_eq!(stored(), [6, 7]);
	});
}

#[test]
fn first_session_of_a_live_chain_is_its_earliest() {
	with_chain(config(), 4, 1, |chain| {
		for _ in 0..9 {
			chain.session_block();
		}
		EarliestStoredSession::<Test>::kill();
		let _ = Sessions::<Test>::clear(u32::MAX, None);
		chain.session_block();
		assert_eq!(EarliestStoredSession::<Test>::get(), 10);
		assert_eq!(Sessions::<Test>::iter_keys().collect::<Vec<_>>(), [10]);
	});
}

#[test]
fn keys_are_those_of_the_active_validators() {
	with_chain(HostConfiguration { max_validators: Some(3), ..config() }, 5, 1, |chain| {
		let keys = || VALIDATORS[..5].iter();
		let accounts: Vec<u64> = (0..5).collect();
		DiscoveryKeys::set(&keys().map(|key| key.public().into()).collect());
		ValidatorAccounts::set(&accounts);
		let assignment = || accounts.iter().zip(keys()).map(|(account, key)| (account, key.public().into()));
		<ParaSessionInfo as OneSessionHandler<u64>>::on_new_session(true, assignment(), assignment());
		chain.session_block();

		let info = Sessions::<Test>::get(1).expect("session is stored");
		let active: Vec<usize> = info.active_validator_indices.iter().map(|index| index.0 as usize).collect();
		let publics = |indices: &[usize]| indices.iter().map(|i| VALIDATORS[*i].public()).collect::<Vec<_>>();
		assert_eq!(active.len(), 3);
		let validators: Vec<ValidatorId> = publics(&active).into_iter().map(Into::into).collect();
		assert_eq!(info.validators.encode(), validators.encode());
		assert_eq!(info.validators.encode(), ActiveValidatorKeys::<Test>::get().encode());
		let assignment: Vec<AssignmentId> = publics(&active).into_iter().map(Into::into).collect();
		assert_eq!(info.assignment_keys, assignment);
		assert_eq!(
			AccountKeys::<Test>::get(1),
			Some(active.iter().map(|index| accounts[*index]).collect::<Vec<_>>())
		);
		// Nodes look for all validators, the active ones first.
		let others = (0..5).filter(|index| !active.contains(index));
		let all: Vec<usize> = active.iter().copied().chain(others).collect();
		let discovery: Vec<AuthorityDiscoveryId> = publics(&all).into_iter().map(Into::into).collect();
		assert_eq!(info.discovery_keys, discovery);
	});
}

#[test]
fn parameters_are_those_of_the_session() {
	with_chain(config(), 4, 1, |chain| {
		let params = ExecutorParams(alloc::vec![ExecutorParam::MaxMemoryPages(2048)]);
		assert_ok!(Configuration::set_no_show_slots(RuntimeOrigin::root(), 9));
		assert_ok!(Configuration::set_executor_params(RuntimeOrigin::root(), params.clone()));
		chain.session_block();
		chain.session_block();
		let no_show_slots = |session| Sessions::<Test>::get(session).map(|info| info.no_show_slots);
		assert_eq!((no_show_slots(1), no_show_slots(2)), (Some(1), Some(9)));
		assert_eq!(SessionExecutorParams::<Test>::get(1), Some(ExecutorParams::default()));
		assert_eq!(SessionExecutorParams::<Test>::get(2), Some(params));
	});
}

#[test]
fn stored_session_has_the_layout_that_tools_rewrite() {
	with_chain(config(), 2, 1, |_| {
		let info = Sessions::<Test>::get(0).expect("session is stored");
		let groups = alloc::vec![alloc::vec![ValidatorIndex(0), ValidatorIndex(1)]];
		assert_eq!(info.validator_groups.encode(), groups.encode());
		let expected = (
			(&info.active_validator_indices, info.random_seed, 6u32, &info.validators),
			(&info.discovery_keys, &info.assignment_keys, groups, 1u32),
			// Tranches and no-shows of the configuration, in the order of the reference.
			(0u32, 0u32, 1u32, 1u32, 0u32),
		);
		let raw = sp_io::storage::get(&Sessions::<Test>::hashed_key_for(0)).expect("it is stored");
		assert_eq!(raw.to_vec(), expected.encode());
		let key = [headway_primitives::well_known_keys::SESSION_INFO_SESSIONS, &[0; 4]].concat();
		assert_eq!(Sessions::<Test>::hashed_key_for(0), key);
	});
}
