//! The runtime as a whole: genesis from its presets, keys that others rely on, and blocks through the
//! executive.

use super::*;
use alloc::{boxed::Box, vec};
use codec::{Decode, Encode};
use frame_support::{genesis_builder_helper::build_state, traits::Get};
use headway_primitives::{well_known_keys, CoreIndex, HeadData, InherentData, ParaId, ValidationCode};
use headway_runtime_parachains::{configuration::ActiveConfig, scheduler::ValidatorGroups};
use serde_json::{json, Value};
use sp_consensus_babe::{
	digests::{PreDigest, SecondaryPlainPreDigest},
	Slot, BABE_ENGINE_ID,
};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{traits::Header as _, Digest, DigestItem};

const PARA: u32 = 2000;

/// The preset over the defaults, as chain specifications are built.
fn preset(name: &str) -> Value {
	fn merge(base: &mut Value, patch: Value) {
		match (base, patch) {
			(Value::Object(base), Value::Object(patch)) => {
				for (key, value) in patch {
					merge(base.entry(key).or_insert(Value::Null), value);
				}
			},
			(base, patch) => *base = patch,
		}
	}
	let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).expect("serializes");
	let patch = presets::get_preset(&name.into()).expect("there is such a preset");
	merge(&mut config, serde_json::from_slice(&patch).expect("presets are JSON"));
	config
}

/// Runs a test on the genesis state of a configuration.
fn with_genesis<R>(config: Value, test: impl FnOnce() -> R) -> R {
	sp_io::TestExternalities::default().execute_with(|| {
		build_state::<RuntimeGenesisConfig>(config.to_string().into_bytes()).expect("genesis builds");
		test()
	})
}

/// `local_testnet` with other validators and one para, as tools write them: with keys of types that we do
/// not have.
fn validators_and_a_para(names: &[&str]) -> Value {
	let mut config = preset("local_testnet");
	config["session"]["keys"] = names
		.iter()
		.map(|name| {
			let (stash, keys) = presets::validator(name);
			let mut keys = serde_json::to_value(keys).expect("serializes");
			keys["im_online"] = keys["babe"].clone();
			json!([stash, stash, keys])
		})
		.collect();
	config["paras"]["paras"] = json!([[PARA, ["0x6865616400", "0x010203", true]]]);
	config
}

fn four_validators_and_a_para() -> Value {
	validators_and_a_para(&["Alice", "Bob", "Charlie", "Dave"])
}

#[test]
fn storage_keys_are_the_well_known_ones() {
	sp_io::TestExternalities::default()
		.execute_with(<AllPalletsWithSystem as frame_support::traits::IntegrityTest>::integrity_test);
	let key = |pallet: &str, item: &str| {
		[sp_io::hashing::twox_128(pallet.as_bytes()), sp_io::hashing::twox_128(item.as_bytes())].concat()
	};
	for (pallet, item, expected) in [
		("Babe", "EpochIndex", well_known_keys::EPOCH_INDEX),
		("Babe", "AuthorVrfRandomness", well_known_keys::CURRENT_BLOCK_RANDOMNESS),
		("Babe", "NextRandomness", well_known_keys::ONE_EPOCH_AGO_RANDOMNESS),
		("Babe", "Randomness", well_known_keys::TWO_EPOCHS_AGO_RANDOMNESS),
		("Babe", "CurrentSlot", well_known_keys::CURRENT_SLOT),
		("Babe", "Authorities", well_known_keys::AUTHORITIES),
		("Babe", "NextAuthorities", well_known_keys::NEXT_AUTHORITIES),
		("Configuration", "ActiveConfig", well_known_keys::ACTIVE_CONFIG),
		("Paras", "Heads", well_known_keys::PARAS_HEADS),
		("Paras", "UpgradeGoAheadSignal", well_known_keys::PARAS_UPGRADE_GO_AHEAD_SIGNAL),
		("Paras", "UpgradeRestrictionSignal", well_known_keys::PARAS_UPGRADE_RESTRICTION_SIGNAL),
		("Dmp", "DownwardMessageQueueHeads", well_known_keys::DMP_QUEUE_HEADS),
		("Hrmp", "HrmpIngressChannelsIndex", well_known_keys::HRMP_INGRESS_CHANNELS_INDEX),
		("Hrmp", "HrmpEgressChannelsIndex", well_known_keys::HRMP_EGRESS_CHANNELS_INDEX),
		("Hrmp", "HrmpChannels", well_known_keys::HRMP_CHANNELS),
		("Ump", "RelayDispatchQueueSize", well_known_keys::RELAY_DISPATCH_QUEUE_SIZE),
		("ParaScheduler", "CoreDescriptors", well_known_keys::SCHEDULER_CORE_DESCRIPTORS),
		("ParaScheduler", "ValidatorGroups", well_known_keys::SCHEDULER_VALIDATOR_GROUPS),
		("ParaSessionInfo", "Sessions", well_known_keys::SESSION_INFO_SESSIONS),
	] {
		assert_eq!(key(pallet, item), expected, "{pallet}.{item}");
	}
	assert_eq!(pallet_babe::CurrentSlot::<Runtime>::hashed_key().to_vec(), well_known_keys::CURRENT_SLOT);
	assert_eq!(ActiveConfig::<Runtime>::hashed_key().to_vec(), well_known_keys::ACTIVE_CONFIG);
}

#[test]
fn presets_build_and_have_what_tools_look_for() {
	for name in presets::preset_names() {
		let config = preset(name.as_ref());
		for pointer in [
			"/balances/balances/0/0",
			"/session/keys/0/2/grandpa",
			"/babe/epochConfig/c",
			"/sudo/key",
			"/configuration/config/scheduler_params/num_cores",
			"/configuration/config/max_relay_parent_session_age",
			"/paras/paras",
			"/hrmp/preopenHrmpChannels",
			"/chainParameters/slotDuration",
		] {
			assert!(config.pointer(pointer).is_some(), "{name:?} lacks {pointer}");
		}
		let n_validators = config["session"]["keys"].as_array().expect("an array").len();
		with_genesis(config, || {
			assert_eq!(Session::validators().len(), n_validators);
			assert_eq!(shared::ActiveValidatorKeys::<Runtime>::get().len(), n_validators);
			assert_eq!(Babe::authorities().len(), n_validators);
			assert_eq!(Grandpa::grandpa_authorities().len(), n_validators);
			assert_eq!(AuthorityDiscovery::current_authorities().len(), n_validators);
			assert!(!ActiveConfig::<Runtime>::get().is_synchronous());
			assert_eq!(pallet_sudo::Key::<Runtime>::get(), Some(Sr25519Keyring::Alice.to_account_id()));
		});
	}
}

#[test]
fn limits_of_the_presets_go_together() {
	let config = presets::host_configuration();
	assert_eq!(config.check_consistency(), Ok(()));
	// A message of the largest size fits into its channel, and into a page of the queue with its header.
	assert!(config.hrmp_channel_max_message_size <= config.hrmp_channel_max_total_size);
	let heap = <Runtime as pallet_message_queue::Config>::HeapSize::get();
	assert!(config.max_upward_message_size + 8 <= heap);
	assert!(config.max_upward_message_size <= config.max_upward_queue_size);
	assert!(configuration::MAX_UPWARD_MESSAGE_SIZE_BOUND + 8 <= heap);
}

#[test]
fn pace_comes_from_genesis() {
	with_genesis(preset("local_testnet"), || {
		assert_eq!(Babe::slot_duration(), 6000);
		assert_eq!(<Runtime as pallet_babe::Config>::EpochDuration::get(), 100);
	});
	with_genesis(preset("local_testnet_fast"), || {
		assert_eq!(Babe::slot_duration(), 3000);
		assert_eq!(<Runtime as pallet_babe::Config>::EpochDuration::get(), 10);
	});
}

#[test]
fn session_0_has_validators_groups_cores_and_claims() {
	with_genesis(four_validators_and_a_para(), || {
		assert_eq!(ValidatorGroups::<Runtime>::get().iter().map(Vec::len).collect::<Vec<_>>(), [4]);
		let claims = ParaScheduler::claim_queue();
		assert_eq!(claims[&CoreIndex(0)], [ParaId(PARA); 3]);
		let info = session_info::Sessions::<Runtime>::get(0).expect("session 0 is stored");
		assert_eq!(info.validators, shared::ActiveValidatorKeys::<Runtime>::get());
		assert_eq!((info.n_cores, info.assignment_keys.len(), info.discovery_keys.len()), (1, 4, 4));
		// Assignment keys follow the shuffled validators.
		for (validator, assignment) in info.validators.iter().zip(&info.assignment_keys) {
			assert_eq!(validator.encode(), assignment.encode());
		}
		assert_eq!(paras::Heads::<Runtime>::get(ParaId(PARA)), Some(HeadData(b"head\0".to_vec())));
		assert_eq!(
			paras::CurrentCodeHash::<Runtime>::get(ParaId(PARA)),
			Some(ValidationCode(vec![1, 2, 3]).hash())
		);
	});
}

#[test]
fn six_validators_and_two_cores_make_two_groups_of_three() {
	let mut config = validators_and_a_para(&["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"]);
	config["configuration"]["config"]["scheduler_params"]["num_cores"] = 1.into();
	with_genesis(config, || {
		let sizes: Vec<_> = ValidatorGroups::<Runtime>::get().iter().map(Vec::len).collect();
		assert_eq!(sizes, [3, 3]);
	});
}

#[test]
fn session_keys_have_the_reference_order() {
	let ids: Vec<_> =
		<SessionKeys as sp_runtime::traits::OpaqueKeys>::key_ids().iter().map(|id| id.0).collect();
	assert_eq!(ids, [*b"gran", *b"babe", *b"para", *b"asgn", *b"audi", *b"beef"]);
}

#[test]
fn parachain_host_is_version_16() {
	let id = headway_primitives::runtime_api::runtime_decl_for_parachain_host::ID;
	let version = VERSION.apis.iter().find(|(api, _)| *api == id).map(|(_, version)| *version);
	assert_eq!(version, Some(16));
}

/// Executes an empty block in `slot` through the executive; returns its header.
fn block(parent: &Header, slot: u64) -> Header {
	let pre_digest =
		PreDigest::SecondaryPlain(SecondaryPlainPreDigest { authority_index: 0, slot: Slot::from(slot) });
	let digest = Digest { logs: vec![DigestItem::PreRuntime(BABE_ENGINE_ID, pre_digest.encode())] };
	let header =
		Header::new(parent.number + 1, Default::default(), Default::default(), parent.hash(), digest);
	Executive::initialize_block(&header);
	let mut data = sp_inherents::InherentData::new();
	let moment = sp_timestamp(slot);
	data.put_data(*b"timstap0", &moment).expect("a fresh identifier");
	let inherent = InherentData::<Header> {
		bitfields: Vec::new(),
		backed_candidates: Vec::new(),
		disputes: Vec::new(),
		parent_header: parent.clone(),
	};
	data.put_data(headway_primitives::PARACHAINS_INHERENT_IDENTIFIER, &inherent).expect("a fresh identifier");
	for extrinsic in data.create_extrinsics() {
		Executive::apply_extrinsic(extrinsic).expect("inherents are valid").expect("inherents succeed");
	}
	// The inherent reserves all of the proof size before, and gives back what it does not use.
	assert!(System::block_weight().total().proof_size() < 1_000_000);
	Executive::finalize_block()
}

/// Time at which a slot begins, milliseconds.
fn sp_timestamp(slot: u64) -> u64 {
	slot * Babe::slot_duration()
}

#[test]
fn blocks_execute_and_sessions_change() {
	let mut config = four_validators_and_a_para();
	config["chainParameters"]["epochDuration"] = 10.into();
	with_genesis(config, || {
		let genesis =
			Header::new(0, Default::default(), Default::default(), Default::default(), Default::default());
		let mut parent = genesis;
		for slot in 100..135 {
			parent = block(&parent, slot);
		}
		assert_eq!(Session::current_index(), 3);
		assert_eq!(shared::CurrentSessionIndex::<Runtime>::get(), 3);
		assert_eq!(ParaScheduler::claim_queue()[&CoreIndex(0)], [ParaId(PARA); 3]);
		// Keys can be proven from session 2 on.
		let key = shared::ActiveValidatorKeys::<Runtime>::get()[0].clone();
		assert!(validators::prove_key(headway_primitives::PARACHAIN_KEY_TYPE_ID, &key).is_some());
		assert_eq!(AuthorityDiscovery::authorities().len(), 4);
	});
}

#[test]
// FRAME has no other unsigned transactions yet whose checks depend on their source.
#[allow(deprecated)]
fn lost_dispute_of_a_past_session_is_reported_and_the_offender_disabled() {
	use frame_support::traits::KeyOwnerProofSystem;
	use headway_primitives::{
		CandidateHash, DisputeOffenceKind, DisputeProof, DisputesTimeSlot, OpaqueKeyOwnershipProof,
		ValidatorIndex,
	};
	use headway_runtime_parachains::disputes::SlashingHandler;
	use sp_core::offchain::{testing::TestTransactionPoolExt, TransactionPoolExt};
	use sp_runtime::{
		traits::{Dispatchable, ValidateUnsigned},
		transaction_validity::{InvalidTransaction, TransactionSource},
	};

	let (pool, transactions) = TestTransactionPoolExt::new();
	let mut ext = sp_io::TestExternalities::default();
	ext.register_extension(TransactionPoolExt::new(pool));
	ext.execute_with(|| {
		let mut config = four_validators_and_a_para();
		config["chainParameters"]["epochDuration"] = 10.into();
		build_state::<RuntimeGenesisConfig>(config.to_string().into_bytes()).expect("genesis builds");
		let mut parent =
			Header::new(0, Default::default(), Default::default(), Default::default(), Default::default());
		let mut slots = 100..;
		let mut until_session = |session| {
			while Session::current_index() < session {
				parent = block(&parent, slots.next().expect("slots do not end"));
			}
		};

		// Keys can be proven from session 2 on.
		until_session(2);
		let session = 2;
		let offender = ValidatorIndex(1);
		let info = session_info::Sessions::<Runtime>::get(session).expect("it is the current one");
		let key = info.validators[1].clone();
		let proof =
			validators::prove_key(headway_primitives::PARACHAIN_KEY_TYPE_ID, &key).expect("it is a key");
		let account =
			Historical::check_proof((headway_primitives::PARACHAIN_KEY_TYPE_ID, key.clone()), proof.clone())
				.expect("the proof is good")
				.0;
		until_session(3);

		let candidate = CandidateHash(Hash::repeat_byte(1));
		ParasSlashing::punish_for_invalid(session, candidate, [offender].into(), &[offender].into());
		assert_eq!(ParasSlashing::unapplied_slashes().len(), 1);
		let report = DisputeProof {
			time_slot: DisputesTimeSlot { session_index: session, candidate_hash: candidate },
			kind: DisputeOffenceKind::ForInvalidBacked,
			validator_index: offender,
			validator_id: key,
		};
		let garbage = OpaqueKeyOwnershipProof(vec![1]);
		assert_eq!(ParasSlashing::submit_unsigned_report(report.clone(), garbage), None);
		let opaque = OpaqueKeyOwnershipProof(proof.encode());
		assert_eq!(ParasSlashing::submit_unsigned_report(report, opaque), Some(()));

		let submitted = transactions.write().transactions.pop().expect("the report is in the pool");
		let extrinsic = UncheckedExtrinsic::decode(&mut &submitted[..]).expect("it decodes");
		let call = extrinsic.function;
		assert_eq!(call.encode()[..2], [63, 0]);
		assert!(Runtime::validate_unsigned(TransactionSource::Local, &call).is_ok());
		call.clone().dispatch(RuntimeOrigin::none()).expect("the report is good");
		assert_eq!(ParasSlashing::unapplied_slashes(), []);
		assert_eq!(
			Runtime::validate_unsigned(TransactionSource::Local, &call),
			InvalidTransaction::Stale.into()
		);
		let index = Session::validator_id_to_index(&account).expect("it is a validator");
		assert_eq!(Session::disabled_validators(), [index]);
		assert_eq!(shared::Pallet::<Runtime>::disabled_validators().len(), 1);

		// In the current session it happens at once. Being wrong about a valid candidate disables nobody, and no
		// more than a third is disabled.
		let offences = pallet_offences::Reports::<Runtime>::iter().count();
		ParasSlashing::punish_against_valid(3, candidate, [ValidatorIndex(2)].into());
		assert_eq!(pallet_offences::Reports::<Runtime>::iter().count(), offences + 1);
		let others = [ValidatorIndex(2), ValidatorIndex(3)];
		ParasSlashing::punish_for_invalid(3, CandidateHash(Hash::zero()), others.into(), &others.into());
		assert_eq!(Session::disabled_validators().len(), 1);
	});
}

#[test]
fn configuration_change_by_sudo_applies_two_sessions_later() {
	let mut config = four_validators_and_a_para();
	config["chainParameters"]["epochDuration"] = 10.into();
	with_genesis(config, || {
		let genesis =
			Header::new(0, Default::default(), Default::default(), Default::default(), Default::default());
		let mut parent = block(&genesis, 100);
		let call = RuntimeCall::Configuration(configuration::Call::set_async_backing_params {
			new: Default::default(),
		});
		Sudo::sudo(RuntimeOrigin::signed(Sr25519Keyring::Alice.to_account_id()), Box::new(call))
			.expect("Alice is root");
		let mut slot = 101;
		let mut modes = Vec::new();
		while Session::current_index() < 3 {
			parent = block(&parent, slot);
			slot += 1;
			modes.push((
				shared::CurrentSessionIndex::<Runtime>::get(),
				ActiveConfig::<Runtime>::get().is_synchronous(),
			));
		}
		modes.dedup();
		assert_eq!(modes, [(0, false), (1, false), (2, true), (3, true)]);
	});
}

#[test]
fn call_indices_are_the_reference_ones() {
	let call: RuntimeCall = configuration::Call::set_async_backing_params { new: Default::default() }.into();
	assert_eq!(call.encode()[..2], [51, 45]);
	let call: RuntimeCall =
		coretime::Call::assign_core { core: 0, begin: 0, assignment: Vec::new(), end_hint: None }.into();
	assert_eq!(call.encode()[..2], [74, 4]);
	let call: RuntimeCall = disputes::Call::force_unfreeze {}.into();
	assert_eq!(call.encode(), [62, 0]);
	let args = paras::ParaGenesisArgs {
		genesis_head: HeadData(Vec::new()),
		validation_code: ValidationCode(Vec::new()),
		para_kind: paras::ParaKind::Parachain,
	};
	let call: RuntimeCall =
		paras_sudo_wrapper::Call::sudo_schedule_para_initialize { id: ParaId(PARA), genesis: args }.into();
	let encoded = call.encode();
	assert_eq!(encoded, [&[250, 0][..], &PARA.to_le_bytes(), &[0, 0, 1]].concat());
	assert!(RuntimeCall::decode(&mut &encoded[..]).is_ok());
}

#[test]
fn calls_of_coretime_have_the_reference_indices() {
	let para_id = ParaId(PARA);
	let who = Sr25519Keyring::Alice.to_account_id();
	let calls: [(RuntimeCall, [u8; 2]); 7] = [
		(coretime::Call::request_core_count { count: 1 }.into(), [74, 1]),
		(coretime::Call::request_revenue_at { when: 1 }.into(), [74, 2]),
		(coretime::Call::credit_account { who, amount: 1 }.into(), [74, 3]),
		(coretime::Call::queue_on_demand_batch { batch: Vec::new() }.into(), [74, 5]),
		(on_demand::Call::place_order_allow_death { max_amount: 1, para_id }.into(), [66, 0]),
		(on_demand::Call::place_order_keep_alive { max_amount: 1, para_id }.into(), [66, 1]),
		(on_demand::Call::place_order_with_credits { max_amount: 1, para_id }.into(), [66, 2]),
	];
	for (call, indices) in calls {
		assert_eq!(call.encode()[..2], indices, "{call:?}");
	}
}

#[test]
fn payments_below_the_existential_deposit_are_not_lost() {
	let pot = || Balances::free_balance(OnDemandAssignmentProvider::account_id());
	let order = || {
		let who = RuntimeOrigin::signed(Sr25519Keyring::Alice.to_account_id());
		OnDemandAssignmentProvider::place_order_keep_alive(who, UNITS, ParaId(PARA)).expect("Alice can pay")
	};
	with_genesis(four_validators_and_a_para(), || {
		let issuance = Balances::total_issuance();
		let price = ActiveConfig::<Runtime>::get().scheduler_params.on_demand_base_fee;
		let n_orders = MILLIUNITS / price;
		(1..n_orders).for_each(|_| order());
		assert_eq!(pot(), 0);
		order();
		assert_eq!((pot(), Balances::total_issuance()), (MILLIUNITS, issuance));
		order();
		assert_eq!(pot(), MILLIUNITS + price);
		// What would be left is no balance.
		assert_eq!(OnDemandAssignmentProvider::funds_of_claim(2 * price), MILLIUNITS + price);
	});
}

#[test]
fn upward_messages_that_find_no_weight_keep_their_order() {
	use frame_support::{
		traits::{EnqueueMessage, ProcessMessageError, ServiceQueues},
		weights::Weight,
		BoundedSlice,
	};
	use pallet_message_queue::Event;
	use sp_core::H256;
	use sp_io::hashing::blake2_256;

	let messages: Vec<[u8; 2]> = (0..6).map(|number| [0xff, number]).collect();
	let enqueue = |messages: &[[u8; 2]]| {
		for message in messages {
			let message = BoundedSlice::try_from(&message[..]).expect("it fits into a page");
			MessageQueue::enqueue_message(message, inclusion::upward_queue(ParaId(PARA)));
		}
	};
	let hashes = |messages: &[[u8; 2]]| -> Vec<H256> {
		messages.iter().map(|message| blake2_256(message).into()).collect()
	};
	// None of them is of a format that is executed, so each ends with an event that says so.
	let taken = || -> Vec<H256> {
		let event = |record: frame_system::EventRecord<_, _>| match record.event {
			RuntimeEvent::MessageQueue(Event::ProcessingFailed { id, error, .. }) => {
				assert_eq!(error, ProcessMessageError::Unsupported);
				Some(id)
			},
			_ => None,
		};
		System::events().into_iter().filter_map(event).collect()
	};
	with_genesis(four_validators_and_a_para(), || {
		System::set_block_number(1);
		enqueue(&messages[..1]);
		let weight_of_one = MessageQueue::service_queues(Weight::MAX);
		assert_eq!(taken(), hashes(&messages[..1]));

		enqueue(&messages[1..]);
		let mut n_taken = vec![taken().len()];
		while n_taken.last() < Some(&messages.len()) && n_taken.len() < 100 {
			let used = MessageQueue::service_queues(weight_of_one);
			assert!(used.all_lte(weight_of_one), "{used} of {weight_of_one}");
			n_taken.push(taken().len());
		}
		assert!(n_taken.len() > 2, "the weight is not enough for all at once: {n_taken:?}");
		assert_eq!(taken(), hashes(&messages));
	});
}
