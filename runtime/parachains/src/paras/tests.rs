//! Heads, code, upgrades, votes on code, and lifecycle.

mod authorization;
mod lifecycle;
mod upgrades;
mod votes;

use super::*;
use crate::mock::{
	code, config, head, key, with_chain, Chain, Paras, RuntimeEvent, RuntimeOrigin, System, Test,
};
use codec::{Decode, Encode};
use frame_support::{assert_noop, assert_ok, pallet_prelude::DispatchResultWithPostInfo};
use headway_primitives::ValidatorIndex;

const A: ParaId = ParaId(2000);
const NEW: ParaId = ParaId(3000);

/// Code that nobody uses yet.
fn new_code() -> ValidationCode {
	ValidationCode(alloc::vec![2; 64])
}

fn genesis_args(code: ValidationCode, para_kind: ParaKind) -> ParaGenesisArgs {
	ParaGenesisArgs { genesis_head: head("new"), validation_code: code, para_kind }
}

/// Registers a parathread.
fn register(id: ParaId, code: ValidationCode) {
	assert_ok!(Paras::schedule_para_initialize(id, genesis_args(code, ParaKind::Parathread)));
}

/// Makes the code need no vote.
fn trust(code: ValidationCode) {
	assert_ok!(Paras::add_trusted_validation_code(RuntimeOrigin::root(), code));
}

/// A candidate of A with new code is included in this block.
fn include_upgrade() {
	let config = configuration::ActiveConfig::<Test>::get();
	Paras::schedule_code_upgrade(A, new_code(), now::<Test>(), &config, UpgradeStrategy::SetGoAheadSignal);
}

/// As [`include_upgrade`], to code that needs no vote.
fn include_trusted_upgrade() {
	trust(new_code());
	include_upgrade();
}

fn statement(accept: bool, subject: ValidationCodeHash, validator: u32) -> PvfCheckStatement {
	let session_index = shared::CurrentSessionIndex::<Test>::get();
	PvfCheckStatement { accept, subject, session_index, validator_index: ValidatorIndex(validator) }
}

fn sign(statement: &PvfCheckStatement, validator: u32) -> ValidatorSignature {
	key(ValidatorIndex(validator)).sign(&statement.signing_payload()).into()
}

fn vote(accept: bool, subject: ValidationCodeHash, validator: u32) -> DispatchResultWithPostInfo {
	let statement = statement(accept, subject, validator);
	let signature = sign(&statement, validator);
	Paras::include_pvf_check_statement(RuntimeOrigin::none(), statement, signature)
}

fn advance_to(chain: &mut Chain, number: BlockNumber) {
	while chain.number() < number {
		chain.empty_block();
	}
}

fn refs(code: &ValidationCode) -> u32 {
	CodeByHashRefs::<Test>::get(code.hash())
}

/// Whether the event was deposited in this block.
fn happened(event: Event) -> bool {
	System::events().iter().any(|record| record.event == RuntimeEvent::Paras(event.clone()))
}

/// What the header of this block will say of paras.
fn logs() -> Vec<ConsensusLog> {
	let decode = |item: &sp_runtime::DigestItem| {
		let (_, mut bytes) = item.as_consensus().filter(|(engine, _)| *engine == PARACHAINS_ENGINE_ID)?;
		Some(ConsensusLog::decode(&mut bytes).expect("we wrote it"))
	};
	System::digest().logs.iter().filter_map(decode).collect()
}

#[test]
fn kind_encodes_as_a_boolean() {
	for (kind, expected) in [(ParaKind::Parathread, false), (ParaKind::Parachain, true)] {
		assert_eq!(kind.encode(), expected.encode());
		assert_eq!(serde_json::to_value(kind).expect("serializes"), serde_json::json!(expected));
	}
}

#[test]
fn genesis_arguments_are_an_object_or_an_array() {
	let args = genesis_args(ValidationCode(alloc::vec![1, 2]), ParaKind::Parachain);
	for json in [
		serde_json::json!({ "genesis_head": "0x6e6577", "validation_code": "0x0102", "parachain": true }),
		serde_json::json!(["0x6e6577", "0x0102", true]),
	] {
		assert_eq!(serde_json::from_value::<ParaGenesisArgs>(json).expect("parses"), args);
	}
}

#[test]
fn calls_events_and_errors_have_their_indices() {
	let (para, code_hash) = (A, code().hash());
	for (call, index) in [
		(Call::<Test>::remove_upgrade_cooldown { para }, 9),
		(Call::authorize_force_set_current_code_hash { para, new_code_hash: code_hash, valid_period: 1 }, 10),
		(Call::apply_authorized_force_set_current_code { para, new_code: code() }, 11),
	] {
		assert_eq!(call.encode()[0], index);
	}
	assert_eq!(Event::UpgradeCooldownRemoved { para_id: A }.encode()[0], 8);
	assert_eq!(Event::CodeAuthorized { para_id: A, code_hash, expire_at: 1 }.encode()[0], 9);
	assert_eq!(Error::<Test>::InvalidBlockNumber.encode(), [15]);
}

#[test]
fn heads_and_signals_are_under_the_well_known_keys() {
	use headway_primitives::well_known_keys as keys;
	let read = |key: Vec<u8>| sp_io::storage::get(&key).map(Vec::from);
	with_chain(config(), 4, 1, |chain| {
		include_trusted_upgrade();
		advance_to(chain, 6);
		assert_eq!(read(keys::para_head(A)), Some(head("genesis").encode()));
		assert_eq!(read(keys::upgrade_go_ahead_signal(A)), Some(alloc::vec![1]));
		assert_eq!(read(keys::upgrade_restriction_signal(A)), Some(alloc::vec![0]));
	});
}

#[test]
fn sorted_heads_are_long_enough_ordered_and_bounded() {
	with_chain(config(), 4, 0, |_| {
		let listed = || Paras::sorted_para_heads().into_iter().map(|(id, _)| id.0).collect::<Vec<_>>();
		for (id, len) in [(7, 64), (5, 63), (3, 65)] {
			Heads::<Test>::insert(ParaId(id), HeadData(alloc::vec![0; len]));
		}
		assert_eq!(listed(), [3, 7]);
		for id in 0..MAX_PARA_HEADS as u32 + 9 {
			Heads::<Test>::insert(ParaId(id), HeadData(alloc::vec![0; 64]));
		}
		assert_eq!(listed(), (0..MAX_PARA_HEADS as u32).collect::<Vec<_>>());
	});
}
