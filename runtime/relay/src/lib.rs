//! The relay chain runtime: generic FRAME pallets around the pallets of the parachains protocol.
//!
//! It puts together, configures, and answers runtime APIs; it decides nothing that is not in a pallet.
//! Validators are those of genesis; there is no staking, no governance but the sudo key, and no execution of
//! XCM.
//!
//! | module | what is in it |
//! |---|---|
//! | [`config`] | configuration of the pallets |
//! | [`apis`] | implementation of the runtime APIs |
//! | [`chain_parameters`] | duration of slots and sessions, set at genesis |
//! | [`validators`] | the fixed set of validators, and their session keys |
//! | [`ump`] | messages from paras |
//! | [`presets`] | genesis presets |
//! | `benchmarks` | with the feature `runtime-benchmarks`: what is benchmarked |

#![cfg_attr(not(feature = "std"), no_std)]
// `construct_runtime!` nests deeply, and its items have no documentation.
#![recursion_limit = "512"]
#![allow(missing_docs, unreachable_pub)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
#[macro_use]
mod benchmarks;

pub mod apis;
pub mod chain_parameters;
pub mod config;
pub mod presets;
#[cfg(test)]
mod tests;
pub mod ump;
pub mod validators;

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/headway_relay_runtime.rs"));

pub use apis::*;
pub use headway_primitives::{AccountId, Balance, BlockNumber, Hash, Nonce, Signature};

use alloc::{borrow::Cow, vec::Vec};
use frame_support::construct_runtime;
use headway_runtime_parachains::disputes::{self, slashing};
use headway_runtime_parachains::{
	configuration, coretime, dmp, hrmp, inclusion, initializer, on_demand, origin, paras, paras_inherent,
	paras_sudo_wrapper, registrar, scheduler, session_info, shared,
};
use sp_runtime::{generic, impl_opaque_keys, traits::BlakeTwo256, MultiAddress};
use sp_version::RuntimeVersion;

/// There is no Wasm blob.
#[cfg(feature = "std")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WasmBinaryMissing;

#[cfg(feature = "std")]
impl core::fmt::Display for WasmBinaryMissing {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.write_str(
			"the relay chain runtime was built without its Wasm blob, because HEADWAY_SKIP_WASM was set; \
             unset it and build again",
		)
	}
}

#[cfg(feature = "std")]
impl std::error::Error for WasmBinaryMissing {}

/// The compressed Wasm blob, which is the code at genesis.
#[cfg(feature = "std")]
pub fn wasm_binary() -> Result<&'static [u8], WasmBinaryMissing> {
	WASM_BINARY.ok_or(WasmBinaryMissing)
}

/// One token: 12 decimals.
pub const UNITS: Balance = 1_000_000_000_000;
/// A thousandth of a token.
pub const MILLIUNITS: Balance = UNITS / 1_000;
/// Prefix of addresses.
pub const SS58_PREFIX: u8 = 42;

/// BABE as genesis configures it.
pub const BABE_GENESIS_EPOCH_CONFIG: sp_consensus_babe::BabeEpochConfiguration =
	sp_consensus_babe::BabeEpochConfiguration {
		// A quarter of the slots has a primary author.
		c: (1, 4),
		allowed_slots: sp_consensus_babe::AllowedSlots::PrimaryAndSecondaryVRFSlots,
	};

/// Version of the runtime.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
	spec_name: Cow::Borrowed("headway"),
	impl_name: Cow::Borrowed("headway"),
	authoring_version: 0,
	spec_version: 1,
	impl_version: 0,
	apis: RUNTIME_API_VERSIONS,
	transaction_version: 1,
	system_version: 1,
};

impl_opaque_keys! {
	/// Keys of a validator, in the order that the reference has them.
	pub struct SessionKeys {
		pub grandpa: Grandpa,
		pub babe: Babe,
		pub para_validator: Initializer,
		pub para_assignment: ParaSessionInfo,
		pub authority_discovery: AuthorityDiscovery,
		pub beefy: validators::NoBeefy,
	}
}

/// How accounts are addressed.
pub type Address = MultiAddress<AccountId, ()>;
/// Header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// Block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// Block with its signature.
pub type SignedBlock = generic::SignedBlock<Block>;
/// What transactions carry besides the call.
pub type TxExtension = (
	frame_system::AuthorizeCall<Runtime>,
	frame_system::CheckNonZeroSender<Runtime>,
	frame_system::CheckSpecVersion<Runtime>,
	frame_system::CheckTxVersion<Runtime>,
	frame_system::CheckGenesis<Runtime>,
	frame_system::CheckMortality<Runtime>,
	frame_system::CheckNonce<Runtime>,
	frame_system::CheckWeight<Runtime>,
	pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
	frame_system::WeightReclaim<Runtime>,
);
/// Transaction.
pub type UncheckedExtrinsic = generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// What executes blocks.
pub type Executive = frame_executive::Executive<
	Runtime,
	Block,
	frame_system::ChainContext<Runtime>,
	Runtime,
	AllPalletsWithSystem,
>;

construct_runtime! {
	pub enum Runtime {
		System: frame_system = 0,
		ChainParameters: chain_parameters = 200,

		// Babe before Session, and Session before Initializer, which applies what Session buffers.
		Babe: pallet_babe = 1,
		Timestamp: pallet_timestamp = 2,
		Balances: pallet_balances = 4,
		TransactionPayment: pallet_transaction_payment = 33,
		Authorship: pallet_authorship = 5,
		Offences: pallet_offences = 7,
		Historical: pallet_session::historical = 34,
		Session: pallet_session = 8,
		Grandpa: pallet_grandpa = 10,
		AuthorityDiscovery: pallet_authority_discovery = 12,
		Utility: pallet_utility = 24,

		// The order of their genesis: Initializer applies session 0 when cores are assigned.
		ParachainsOrigin: origin = 50,
		Configuration: configuration = 51,
		ParasShared: shared = 52,
		ParaInclusion: inclusion = 53,
		ParaInherent: paras_inherent = 54,
		ParaScheduler: scheduler = 55,
		Paras: paras = 56,
		Initializer: initializer = 57,
		Dmp: dmp = 58,
		Hrmp: hrmp = 60,
		ParaSessionInfo: session_info = 61,
		ParasDisputes: disputes = 62,
		ParasSlashing: slashing = 63,
		MessageQueue: pallet_message_queue = 64,
		OnDemandAssignmentProvider: on_demand = 66,
		Registrar: registrar = 70,
		Coretime: coretime = 74,
		ParasSudoWrapper: paras_sudo_wrapper = 250,

		Sudo: pallet_sudo = 255,
	}
}
