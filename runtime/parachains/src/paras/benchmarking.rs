//! Calls of root, votes on new code, and what accounts may do with the code of paras.

use super::*;
use crate::benchmarking::*;
use frame_benchmarking::v2::*;
use frame_support::traits::fungible::Mutate;
use frame_system::RawOrigin;
use headway_primitives::{
	supermajority_threshold, ValidatorIndex, MAX_CODE_SIZE, MAX_HEAD_DATA_SIZE, MIN_CODE_SIZE,
};

/// Validators that vote on code.
const VOTERS: u32 = 300;
/// Other paras in lists that are looked through.
const OTHERS: u32 = 100;

/// A chain with one para.
fn set_up<T: Config>() {
	start_block::<T>(BLOCK);
	configure::<T>(1);
	register::<T>(PARA, ParaLifecycle::Parachain);
}

/// A list in which each of the other paras is.
fn timers(at: BlockNumber) -> Vec<(ParaId, BlockNumber)> {
	(1..=OTHERS).map(|i| (ParaId(PARA.0 + i), at)).collect()
}

/// Begins an upgrade of the para that is being voted on; returns the new code's hash.
fn begin_upgrade<T: Config>(new_code: ValidationCode) -> ValidationCodeHash {
	let hash = new_code.hash();
	let config = configuration::ActiveConfig::<T>::get();
	Pallet::<T>::schedule_code_upgrade(PARA, new_code, BLOCK, &config, UpgradeStrategy::SetGoAheadSignal);
	assert!(PvfActiveVoteMap::<T>::contains_key(hash), "a vote has begun");
	hash
}

/// The vote of the first validator, on an upgrade that so many others have accepted.
fn vote<T: crate::paras_inherent::Config>(accepted: usize) -> (PvfCheckStatement, ValidatorSignature) {
	let world = World::<T>::new(VOTERS, 1);
	let subject = begin_upgrade::<T>(code(1_000, 2));
	PvfActiveVoteMap::<T>::mutate_extant(subject, |vote| {
		vote.votes_accept.iter_mut().skip(1).take(accepted).for_each(|mut vote| *vote = true)
	});
	let validator_index = ValidatorIndex(0);
	let session_index = shared::CurrentSessionIndex::<T>::get();
	let statement = PvfCheckStatement { accept: true, subject, session_index, validator_index };
	let signature = world.sign(validator_index, &statement.signing_payload());
	(statement, signature)
}

#[benchmarks(where T: crate::paras_inherent::Config)]
mod benchmarks {
	use super::*;

	/// By code of `c` bytes.
	#[benchmark]
	fn force_set_current_code(c: Linear<MIN_CODE_SIZE, MAX_CODE_SIZE>) {
		set_up::<T>();

		#[extrinsic_call]
		_(RawOrigin::Root, PARA, code(c, 2));

		assert_eq!(Pallet::<T>::current_code(PARA), Some(code(c, 2)));
	}

	/// By a head of `s` bytes.
	#[benchmark]
	fn force_set_current_head(s: Linear<1, MAX_HEAD_DATA_SIZE>) {
		set_up::<T>();
		let head = HeadData(alloc::vec![2; s as usize]);

		#[extrinsic_call]
		_(RawOrigin::Root, PARA, head.clone());

		assert_eq!(Heads::<T>::get(PARA), Some(head));
	}

	/// To code of `c` bytes.
	#[benchmark]
	fn force_schedule_code_upgrade(c: Linear<MIN_CODE_SIZE, MAX_CODE_SIZE>) {
		set_up::<T>();
		UpgradeCooldowns::<T>::put(timers(BLOCK + 1));

		#[extrinsic_call]
		_(RawOrigin::Root, PARA, code(c, 2), BLOCK);

		assert_eq!(FutureCodeHash::<T>::get(PARA), Some(code(c, 2).hash()));
	}

	/// A head of `s` bytes, by which new code becomes the current one.
	#[benchmark]
	fn force_note_new_head(s: Linear<1, MAX_HEAD_DATA_SIZE>) {
		set_up::<T>();
		let hash = code(1_000, 2).hash();
		FutureCodeHash::<T>::insert(PARA, hash);
		FutureCodeUpgrades::<T>::insert(PARA, BLOCK - 1);
		PastCodePruning::<T>::put(timers(1));

		#[extrinsic_call]
		_(RawOrigin::Root, PARA, HeadData(alloc::vec![2; s as usize]));

		assert_eq!(CurrentCodeHash::<T>::get(PARA), Some(hash));
	}

	/// Others are queued already.
	#[benchmark]
	fn force_queue_action() {
		set_up::<T>();
		let session = shared::CurrentSessionIndex::<T>::get() + 1;
		let others: Vec<_> = timers(0).into_iter().map(|(para, _)| para).collect();
		ActionsQueue::<T>::insert(session, others);

		#[extrinsic_call]
		_(RawOrigin::Root, PARA);

		assert!(ActionsQueue::<T>::get(session).contains(&PARA));
	}

	/// Code of `c` bytes that is being voted on: the para's upgrade goes on.
	#[benchmark]
	fn add_trusted_validation_code(c: Linear<MIN_CODE_SIZE, MAX_CODE_SIZE>) {
		set_up::<T>();
		UpcomingUpgrades::<T>::put(timers(BLOCK + 1));
		let hash = begin_upgrade::<T>(code(c, 2));

		#[extrinsic_call]
		_(RawOrigin::Root, code(c, 2));

		assert!(!PvfActiveVoteMap::<T>::contains_key(hash));
		assert!(FutureCodeUpgrades::<T>::contains_key(PARA));
	}

	/// The code is as large as it can be, and is removed.
	#[benchmark]
	fn poke_unused_validation_code() {
		set_up::<T>();
		let unused = code(MAX_CODE_SIZE, 2);
		let hash = unused.hash();
		CodeByHash::<T>::insert(hash, unused);

		#[extrinsic_call]
		_(RawOrigin::Root, hash);

		assert!(!CodeByHash::<T>::contains_key(hash));
	}

	/// The vote decides nothing.
	#[benchmark]
	fn include_pvf_check_statement() {
		let (statement, signature) = vote::<T>(0);
		let subject = statement.subject;

		#[extrinsic_call]
		_(RawOrigin::None, statement, signature);

		assert!(PvfActiveVoteMap::<T>::contains_key(subject));
	}

	/// By the vote the code is accepted, and the para's upgrade goes on.
	#[benchmark]
	fn include_pvf_check_statement_decisive() {
		let (statement, signature) = vote::<T>(supermajority_threshold(VOTERS as usize) - 1);
		UpcomingUpgrades::<T>::put(timers(BLOCK + 1));

		#[extrinsic_call]
		include_pvf_check_statement(RawOrigin::None, statement, signature);

		assert!(FutureCodeUpgrades::<T>::contains_key(PARA));
	}

	/// Of a para.
	#[benchmark]
	fn force_set_most_recent_context() {
		set_up::<T>();

		#[extrinsic_call]
		_(RawOrigin::Root, PARA, 7);

		assert_eq!(MostRecentContext::<T>::get(PARA), Some(7));
	}

	/// Others have cooldowns, too.
	#[benchmark]
	fn remove_upgrade_cooldown() {
		set_up::<T>();
		let payer: T::AccountId = whitelisted_caller();
		T::Fungible::set_balance(&payer, FUNDS);
		UpgradeRestrictionSignal::<T>::insert(PARA, UpgradeRestriction::Present);
		let mut cooldowns = timers(BLOCK + 1);
		cooldowns.push((PARA, BLOCK + 2));
		UpgradeCooldowns::<T>::put(cooldowns);

		#[extrinsic_call]
		_(RawOrigin::Signed(payer), PARA);

		assert!(!UpgradeRestrictionSignal::<T>::contains_key(PARA));
	}

	/// Others have authorizations, too.
	#[benchmark]
	fn authorize_force_set_current_code_hash() {
		set_up::<T>();
		AuthorizationExpiries::<T>::put(timers(BLOCK + 1));
		let hash = code(1_000, 2).hash();

		#[extrinsic_call]
		_(RawOrigin::Root, PARA, hash, 100);

		assert!(AuthorizedCodeHash::<T>::contains_key(PARA));
	}

	/// Code of `c` bytes.
	#[benchmark]
	fn apply_authorized_force_set_current_code(c: Linear<MIN_CODE_SIZE, MAX_CODE_SIZE>) {
		set_up::<T>();
		AuthorizationExpiries::<T>::put(timers(BLOCK + 1));
		Pallet::<T>::authorize_code(PARA, code(c, 2).hash(), 100);

		#[extrinsic_call]
		_(RawOrigin::None, PARA, code(c, 2));

		assert_ne!(CurrentCodeHash::<T>::get(PARA), Some(old_code().hash()));
		assert_eq!(Heads::<T>::get(PARA), Some(head(0)));
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::benchmark_ext(), crate::mock::Test);
}
