//! Configuration of the pallets.

use crate::{
	chain_parameters::{
		self, EpochDurationOf, MinimumPeriodOf, ReportLongevityOf, SlotDurationOf, VoteLongevityOf,
	},
	ump::{NoExecutor, NoteQueue},
	validators::{DisableOffenders, IdentifyValidator, NoIdentification, SessionManager},
	*,
};
use frame_support::{
	derive_impl, parameter_types,
	traits::{AsEnsureOriginWithArg, ConstU128, ConstU32, ConstU64, ConstU8, Get},
	weights::{
		constants::{RocksDbWeight, WEIGHT_REF_TIME_PER_SECOND},
		ConstantMultiplier, IdentityFee, Weight,
	},
	PalletId,
};
use frame_system::{
	limits::{BlockLength, BlockWeights},
	EnsureRoot,
};
use headway_primitives::AuthorityDiscoveryId;
use headway_runtime_parachains::hrmp_notify::DownwardNotices;
use pallet_transaction_payment::{ConstFeeMultiplier, FungibleAdapter, Multiplier};
use sp_runtime::{
	traits::{ConvertInto, One, OpaqueKeys},
	transaction_validity::TransactionPriority,
	FixedU128, Perbill,
};

/// Share of a block that signed transactions may use.
const NORMAL_DISPATCH_RATIO: Perbill = Perbill::from_percent(75);
/// Weight of a block: two seconds of execution.
const MAXIMUM_BLOCK_WEIGHT: Weight = Weight::from_parts(2 * WEIGHT_REF_TIME_PER_SECOND, u64::MAX);
/// Length of a block: a candidate with new code of 5 MiB fits.
const MAXIMUM_BLOCK_LENGTH: u32 = 10 * 1024 * 1024;

parameter_types! {
	pub const BlockHashCount: BlockNumber = 4096;
	pub const Version: RuntimeVersion = VERSION;
	pub RuntimeBlockWeights: BlockWeights =
		BlockWeights::with_sensible_defaults(MAXIMUM_BLOCK_WEIGHT, NORMAL_DISPATCH_RATIO);
	pub RuntimeBlockLength: BlockLength = BlockLength::builder()
		.max_length(MAXIMUM_BLOCK_LENGTH)
		.modify_max_length_for_class(frame_support::dispatch::DispatchClass::Normal, |max| {
			*max = NORMAL_DISPATCH_RATIO * *max
		})
		.build();
	pub FeeMultiplier: Multiplier = Multiplier::one();
	pub MessageQueueServiceWeight: Option<Weight> =
		Some(Perbill::from_percent(20) * RuntimeBlockWeights::get().max_block);
	pub const HighestPriority: TransactionPriority = TransactionPriority::MAX;
}

#[derive_impl(frame_system::config_preludes::RelayChainDefaultConfig)]
impl frame_system::Config for Runtime {
	type BlockWeights = RuntimeBlockWeights;
	type BlockLength = RuntimeBlockLength;
	type DbWeight = RocksDbWeight;
	type Nonce = Nonce;
	type Hash = Hash;
	type AccountId = AccountId;
	type Lookup = sp_runtime::traits::AccountIdLookup<AccountId, ()>;
	type Block = Block;
	type BlockHashCount = BlockHashCount;
	type Version = Version;
	type AccountData = pallet_balances::AccountData<Balance>;
	type SS58Prefix = ConstU16Prefix;
	type MaxConsumers = ConstU32<16>;
}

/// [`SS58_PREFIX`] as a type.
pub struct ConstU16Prefix;

impl Get<u16> for ConstU16Prefix {
	fn get() -> u16 {
		u16::from(SS58_PREFIX)
	}
}

impl chain_parameters::Config for Runtime {}

impl pallet_babe::Config for Runtime {
	type EpochDuration = EpochDurationOf<Runtime>;
	type ExpectedBlockTime = SlotDurationOf<Runtime>;
	type EpochChangeTrigger = pallet_babe::ExternalTrigger;
	type DisabledValidators = Session;
	type WeightInfo = ();
	type MaxAuthorities = ConstU32<100_000>;
	type MaxNominators = ConstU32<0>;
	type KeyOwnerProof = sp_session::MembershipProof;
	type EquivocationReportSystem =
		pallet_babe::EquivocationReportSystem<Self, Offences, Historical, ReportLongevityOf<Runtime>>;
}

impl pallet_timestamp::Config for Runtime {
	type Moment = u64;
	type OnTimestampSet = Babe;
	type MinimumPeriod = MinimumPeriodOf<Runtime>;
	type WeightInfo = ();
}

impl pallet_balances::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeHoldReason = RuntimeHoldReason;
	type RuntimeFreezeReason = RuntimeFreezeReason;
	type WeightInfo = ();
	type Balance = Balance;
	type DustRemoval = ();
	type ExistentialDeposit = ConstU128<MILLIUNITS>;
	type AccountStore = System;
	type ReserveIdentifier = [u8; 8];
	type FreezeIdentifier = RuntimeFreezeReason;
	type MaxLocks = ConstU32<50>;
	type MaxReserves = ConstU32<50>;
	type MaxFreezes = ConstU32<8>;
	type DoneSlashHandler = ();
}

impl pallet_transaction_payment::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type OnChargeTransaction = FungibleAdapter<Balances, ()>;
	// One second of execution costs one token, and so does a megabyte.
	type WeightToFee = IdentityFee<Balance>;
	type LengthToFee = ConstantMultiplier<Balance, ConstU128<1_000_000>>;
	type FeeMultiplierUpdate = ConstFeeMultiplier<FeeMultiplier>;
	type OperationalFeeMultiplier = ConstU8<5>;
	type WeightInfo = ();
}

impl pallet_authorship::Config for Runtime {
	type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Self, Babe>;
	type EventHandler = ();
}

impl pallet_offences::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type IdentificationTuple = pallet_session::historical::IdentificationTuple<Self>;
	type OnOffenceHandler = DisableOffenders;
}

impl pallet_session::historical::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type FullIdentification = ();
	type FullIdentificationOf = NoIdentification;
}

impl pallet_session::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type ValidatorId = AccountId;
	type ValidatorIdOf = ConvertInto;
	type ShouldEndSession = Babe;
	type NextSessionRotation = Babe;
	type SessionManager = SessionManager;
	type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
	type Keys = SessionKeys;
	// At most a third: whoever did less gives way to who did worse.
	type DisablingStrategy = pallet_session::disabling::UpToLimitWithReEnablingDisablingStrategy;
	type WeightInfo = ();
	type Currency = Balances;
	type KeyDeposit = ConstU128<0>;
}

impl pallet_grandpa::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = ();
	type MaxAuthorities = ConstU32<100_000>;
	type MaxNominators = ConstU32<0>;
	type MaxSetIdSessionEntries = ConstU64<168>;
	type KeyOwnerProof = sp_session::MembershipProof;
	type EquivocationReportSystem =
		pallet_grandpa::EquivocationReportSystem<Self, Offences, Historical, ReportLongevityOf<Runtime>>;
}

impl pallet_authority_discovery::Config for Runtime {
	type MaxAuthorities = ConstU32<100_000>;
}

impl pallet_utility::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeCall = RuntimeCall;
	type PalletsOrigin = OriginCaller;
	type WeightInfo = ();
}

impl pallet_sudo::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeCall = RuntimeCall;
	type WeightInfo = ();
}

impl configuration::Config for Runtime {
	type WeightInfo = configuration::weights::Measured<Self>;
}

impl shared::Config for Runtime {
	type DisabledValidators = Session;
}

impl scheduler::Config for Runtime {
	type OnDemand = OnDemandAssignmentProvider;
}

impl paras::Config for Runtime {
	type QueueFootprinter = ParaInclusion;
	type OnNewHead = Registrar;
	type Fungible = Balances;
	type CooldownRemovalMultiplier = CooldownRemovalPrice;
	type AuthorizeCurrentCodeOrigin = AsEnsureOriginWithArg<EnsureRoot<AccountId>>;
	type UnsignedPriority = HighestPriority;
	type VoteLongevity = VoteLongevityOf<Runtime>;
	type WeightInfo = paras::weights::Measured<Self>;
}

/// Price of each block by which the cooldown of an upgrade ends early: 1000 tokens for a day.
pub struct CooldownRemovalPrice;

impl Get<Balance> for CooldownRemovalPrice {
	fn get() -> Balance {
		const DAY_MS: Balance = 24 * 60 * 60 * 1000;
		let slot_ms: u64 = SlotDurationOf::<Runtime>::get();
		(1000 * UNITS).saturating_mul(slot_ms.into()) / DAY_MS
	}
}

impl registrar::Config for Runtime {
	type RuntimeOrigin = RuntimeOrigin;
	type Currency = Balances;
	type OnSwap = ();
	type ParaDeposit = ConstU128<{ 40 * UNITS }>;
	// Code of 5 MiB costs about 52 tokens.
	type DataDepositPerByte = ConstU128<{ UNITS / 100_000 }>;
	type WeightInfo = registrar::weights::Measured<Self>;
}

impl inclusion::Config for Runtime {
	type MessageQueue = MessageQueue;
	// There is no staking, and so nothing to reward by.
	type RewardValidators = ();
	type WeightInfo = inclusion::weights::Measured<Self>;
}

impl paras_inherent::Config for Runtime {
	type SelectionRandomness = pallet_babe::ParentBlockRandomness<Runtime>;
	type WeightInfo = paras_inherent::weights::Measured<Self>;
}

impl initializer::Config for Runtime {
	type Randomness = pallet_babe::RandomnessFromOneEpochAgo<Runtime>;
	type ForceOrigin = EnsureRoot<AccountId>;
	type SessionIndex = CurrentSession;
	type CoretimeOnNewSession = Coretime;
}

/// The session that pallet Session is in.
pub struct CurrentSession;

impl Get<headway_primitives::SessionIndex> for CurrentSession {
	fn get() -> headway_primitives::SessionIndex {
		Session::current_index()
	}
}

impl dmp::Config for Runtime {}

impl hrmp::Config for Runtime {
	type RuntimeOrigin = RuntimeOrigin;
	type ChannelManager = EnsureRoot<AccountId>;
	type Currency = Balances;
	type DefaultChannelSizeAndCapacityWithSystem = configuration::HrmpChannelLimits<Runtime>;
	type WeightInfo = hrmp::weights::Measured<Self>;
	type Notify = DownwardNotices<Runtime>;
}

impl session_info::Config for Runtime {
	type DiscoveryKeys = DiscoveryKeys;
	type ValidatorAccounts = ValidatorAccounts;
}

impl disputes::Config for Runtime {
	// Without staking there is nothing to give.
	type RewardValidators = ();
	type SlashingHandler = ParasSlashing;
}

impl slashing::Config for Runtime {
	type KeyOwnerProof = sp_session::MembershipProof;
	type KeyOwnerIdentification = pallet_session::historical::IdentificationTuple<Self>;
	type KeyOwnerProofSystem = Historical;
	type IdentifyValidator = IdentifyValidator;
	type IdentifiedSession = CurrentSession;
	type ReportOffence = Offences;
	type ReportLongevity = ReportLongevityOf<Runtime>;
	type WeightInfo = slashing::weights::Computed<Self>;
}

/// Discovery keys of the session's validators.
pub struct DiscoveryKeys;

impl Get<alloc::vec::Vec<AuthorityDiscoveryId>> for DiscoveryKeys {
	fn get() -> alloc::vec::Vec<AuthorityDiscoveryId> {
		AuthorityDiscovery::current_authorities().into_inner()
	}
}

/// Accounts of the session's validators.
pub struct ValidatorAccounts;

impl Get<alloc::vec::Vec<AccountId>> for ValidatorAccounts {
	fn get() -> alloc::vec::Vec<AccountId> {
		Session::validators()
	}
}

impl pallet_message_queue::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = ();
	type MessageProcessor = NoExecutor;
	type Size = u32;
	type QueueChangeHandler = NoteQueue;
	type QueuePausedQuery = ();
	// A page holds the largest message that a configuration may allow, and its header.
	type HeapSize = ConstU32<{ 129 * 1024 }>;
	type MaxStale = ConstU32<8>;
	type ServiceWeight = MessageQueueServiceWeight;
	type IdleMaxServiceWeight = MessageQueueServiceWeight;
}

impl origin::Config for Runtime {}

parameter_types! {
	pub const TrafficDefaultValue: FixedU128 = FixedU128::from_u32(1);
	pub const OnDemandPalletId: PalletId = PalletId(*b"py/ondmd");
}

impl on_demand::Config for Runtime {
	type Currency = Balances;
	type TrafficDefaultValue = TrafficDefaultValue;
	// Two timeslices of the chain that sells coretime.
	type MaxHistoricalRevenue = ConstU32<160>;
	type PalletId = OnDemandPalletId;
	type WeightInfo = on_demand::weights::Measured<Self>;
}

impl coretime::Config for Runtime {
	type RuntimeOrigin = RuntimeOrigin;
	type BrokerId = ConstU32<1005>;
	// No chain sells coretime yet.
	type CoretimeChain = ();
	type WeightInfo = coretime::weights::Measured<Self>;
}

impl paras_sudo_wrapper::Config for Runtime {}

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
