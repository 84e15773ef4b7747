//! The smallest runtime with the reference's pallets of the parachains protocol.
//!
//! Only what shows in metadata matters: pallet names and indices (Rococo's), the types that the configuration puts
//! into storage, calls and events, and what decides default values. No block is ever executed.

use frame_support::{
	construct_runtime, derive_impl, parameter_types,
	traits::{
		ConstU128, ConstU32, ConstU64, KeyOwnerProofSystem, ProcessMessage, ProcessMessageError,
		ValidatorSet, ValidatorSetWithIdentification,
	},
	weights::{Weight, WeightMeter},
	PalletId,
};
use frame_system::EnsureRoot;
use polkadot_parachain_primitives::primitives::Id as ParaId;
use polkadot_primitives::{AuthorityDiscoveryId, Balance, SessionIndex, ValidatorId};
use polkadot_runtime_common::{paras_registrar, paras_sudo_wrapper, traits::OnSwap};
use polkadot_runtime_parachains::{
	configuration, coretime, disputes, disputes::slashing, dmp, hrmp, inclusion,
	inclusion::AggregateMessageOrigin, initializer, on_demand, origin, paras, paras_inherent, scheduler,
	session_info, shared,
};
use sp_core::{crypto::KeyTypeId, Void};
use sp_runtime::{traits::Convert, AccountId32, FixedU128};
use xcm::v5::InteriorLocation;

type Block = frame_system::mocking::MockBlockU32<Runtime>;
type UncheckedExtrinsic = frame_system::mocking::MockUncheckedExtrinsic<Runtime>;

construct_runtime! {
	pub enum Runtime {
		System: frame_system = 0,
		Babe: pallet_babe = 1,
		Timestamp: pallet_timestamp = 2,
		Balances: pallet_balances = 4,

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
		Registrar: paras_registrar = 70,
		Coretime: coretime = 74,
		ParasSudoWrapper: paras_sudo_wrapper = 250,
	}
}

parameter_types! {
	pub const OnDemandPalletId: PalletId = PalletId(*b"py/ondmd");
	pub const TrafficDefaultValue: FixedU128 = FixedU128::from_u32(1);
	pub const DefaultChannelSizeAndCapacityWithSystem: (u32, u32) = (4, 1);
	pub const XcmTransactWeight: Weight = Weight::zero();
	pub const ServiceWeight: Option<Weight> = None;
	pub BrokerPot: InteriorLocation = InteriorLocation::Here;
}

#[derive_impl(frame_system::config_preludes::RelayChainDefaultConfig)]
impl frame_system::Config for Runtime {
	type Block = Block;
	type Nonce = u32;
	type AccountData = pallet_balances::AccountData<Balance>;
	type Lookup = sp_runtime::traits::AccountIdLookup<AccountId32, ()>;
}

impl<Call> frame_system::offchain::CreateTransactionBase<Call> for Runtime
where
	RuntimeCall: From<Call>,
{
	type Extrinsic = UncheckedExtrinsic;
	type RuntimeCall = RuntimeCall;
}

impl<Call> frame_system::offchain::CreateBare<Call> for Runtime
where
	RuntimeCall: From<Call>,
{
	fn create_bare(call: RuntimeCall) -> UncheckedExtrinsic {
		UncheckedExtrinsic::new_bare(call)
	}
}

impl pallet_babe::Config for Runtime {
	type EpochDuration = ConstU64<10>;
	type ExpectedBlockTime = ConstU64<6000>;
	type EpochChangeTrigger = pallet_babe::ExternalTrigger;
	type DisabledValidators = ();
	type WeightInfo = ();
	type MaxAuthorities = ConstU32<100_000>;
	type MaxNominators = ConstU32<0>;
	type KeyOwnerProof = Void;
	type EquivocationReportSystem = ();
}

impl pallet_timestamp::Config for Runtime {
	type Moment = u64;
	type OnTimestampSet = ();
	type MinimumPeriod = ConstU64<3000>;
	type WeightInfo = ();
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Runtime {
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<1>;
	type AccountStore = System;
}

/// Knows no message.
pub struct NoExecutor;

impl ProcessMessage for NoExecutor {
	type Origin = AggregateMessageOrigin;

	fn process_message(
		_message: &[u8],
		_origin: AggregateMessageOrigin,
		_meter: &mut WeightMeter,
		_id: &mut [u8; 32],
	) -> Result<bool, ProcessMessageError> {
		Err(ProcessMessageError::Unsupported)
	}
}

impl pallet_message_queue::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = ();
	type MessageProcessor = NoExecutor;
	type Size = u32;
	type QueueChangeHandler = ();
	type QueuePausedQuery = ();
	type HeapSize = ConstU32<{ 129 * 1024 }>;
	type MaxStale = ConstU32<8>;
	type ServiceWeight = ServiceWeight;
	type IdleMaxServiceWeight = ServiceWeight;
}

impl origin::Config for Runtime {}

impl configuration::Config for Runtime {
	type WeightInfo = configuration::TestWeightInfo;
}

impl shared::Config for Runtime {
	type DisabledValidators = ();
}

impl inclusion::Config for Runtime {
	type WeightInfo = ();
	type RuntimeEvent = RuntimeEvent;
	type DisputesHandler = ParasDisputes;
	type RewardValidators = ();
	type MessageQueue = MessageQueue;
}

impl paras_inherent::Config for Runtime {
	type WeightInfo = paras_inherent::TestWeightInfo;
}

impl scheduler::Config for Runtime {}

impl paras::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = paras::TestWeightInfo;
	type UnsignedPriority = ConstU64<{ u64::MAX }>;
	type QueueFootprinter = ParaInclusion;
	type NextSessionRotation = ();
	type OnNewHead = ();
	type AssignCoretime = ();
	type Fungible = Balances;
	type CooldownRemovalMultiplier = ConstU128<1>;
	type AuthorizeCurrentCodeOrigin = EnsureRoot<AccountId32>;
}

impl initializer::Config for Runtime {
	type Randomness = pallet_babe::RandomnessFromOneEpochAgo<Runtime>;
	type ForceOrigin = EnsureRoot<AccountId32>;
	type WeightInfo = ();
	type CoretimeOnNewSession = Coretime;
}

impl dmp::Config for Runtime {
	type WeightInfo = ();
}

impl hrmp::Config for Runtime {
	type RuntimeOrigin = RuntimeOrigin;
	type RuntimeEvent = RuntimeEvent;
	type ChannelManager = EnsureRoot<AccountId32>;
	type Currency = Balances;
	type DefaultChannelSizeAndCapacityWithSystem = DefaultChannelSizeAndCapacityWithSystem;
	type VersionWrapper = ();
	type WeightInfo = hrmp::TestWeightInfo;
}

/// There is no validator.
pub struct NoValidators;

impl Convert<AccountId32, Option<()>> for NoValidators {
	fn convert(_: AccountId32) -> Option<()> {
		None
	}
}

impl Convert<AccountId32, Option<AccountId32>> for NoValidators {
	fn convert(_: AccountId32) -> Option<AccountId32> {
		None
	}
}

impl ValidatorSet<AccountId32> for NoValidators {
	type ValidatorId = AccountId32;
	type ValidatorIdOf = NoValidators;

	fn session_index() -> SessionIndex {
		0
	}

	fn validators() -> Vec<AccountId32> {
		Vec::new()
	}
}

impl ValidatorSetWithIdentification<AccountId32> for NoValidators {
	type Identification = ();
	type IdentificationOf = NoValidators;
}

impl session_info::Config for Runtime {
	type ValidatorSet = NoValidators;
}

impl session_info::AuthorityDiscoveryConfig for Runtime {
	fn authorities() -> Vec<AuthorityDiscoveryId> {
		Vec::new()
	}
}

impl disputes::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type RewardValidators = ();
	type SlashingHandler = ();
	type WeightInfo = disputes::TestWeightInfo;
}

/// Proves nothing, in the form of the session pallet's proofs.
pub struct NoProofs;

impl KeyOwnerProofSystem<(KeyTypeId, ValidatorId)> for NoProofs {
	type Proof = sp_session::MembershipProof;
	type IdentificationTuple = (AccountId32, ());

	fn prove(_key: (KeyTypeId, ValidatorId)) -> Option<Self::Proof> {
		None
	}

	fn check_proof(_key: (KeyTypeId, ValidatorId), _proof: Self::Proof) -> Option<Self::IdentificationTuple> {
		None
	}
}

impl slashing::Config for Runtime {
	type KeyOwnerProof = sp_session::MembershipProof;
	type KeyOwnerIdentification = (AccountId32, ());
	type KeyOwnerProofSystem = NoProofs;
	type HandleReports = ();
	type WeightInfo = slashing::TestWeightInfo;
	type BenchmarkingConfig = slashing::BenchConfig<200>;
}

impl on_demand::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type Currency = Balances;
	type TrafficDefaultValue = TrafficDefaultValue;
	type WeightInfo = on_demand::TestWeightInfo;
	type MaxHistoricalRevenue = ConstU32<160>;
	type PalletId = OnDemandPalletId;
}

/// Swaps nothing.
pub struct NoSwap;

impl OnSwap for NoSwap {
	fn on_swap(_one: ParaId, _other: ParaId) {}
}

impl paras_registrar::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeOrigin = RuntimeOrigin;
	type Currency = Balances;
	type OnSwap = NoSwap;
	type ParaDeposit = ConstU128<1>;
	type DataDepositPerByte = ConstU128<1>;
	type WeightInfo = paras_registrar::TestWeightInfo;
}

impl paras_sudo_wrapper::Config for Runtime {}

impl coretime::Config for Runtime {
	type RuntimeOrigin = RuntimeOrigin;
	type RuntimeEvent = RuntimeEvent;
	type BrokerId = ConstU32<1005>;
	type BrokerPotLocation = BrokerPot;
	type WeightInfo = coretime::TestWeightInfo;
	type SendXcm = ();
	type AssetTransactor = ();
	type AccountToLocation = ();
	type MaxXcmTransactWeight = XcmTransactWeight;
}
