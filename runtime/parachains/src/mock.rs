//! A runtime of these pallets alone, and a chain of blocks on it with real signatures.

use crate::disputes::{
	self, slashing,
	testing::{Identify, NamedKeys, NoteOffences, NoteRewards},
};
use crate::{
	configuration::{self, HostConfiguration},
	coretime, dmp, hrmp, inclusion, initializer, on_demand, origin, paras,
	paras::{ParaGenesisArgs, ParaKind},
	paras_inherent::{self, Processed},
	paras_sudo_wrapper, registrar, scheduler, session_info, shared,
};
use alloc::vec::Vec;
use bitvec::prelude::{BitVec, Lsb0};
use codec::Encode;
use core::cell::RefCell;
use frame_support::{
	construct_runtime, derive_impl,
	dispatch::GetDispatchInfo,
	parameter_types,
	traits::{
		AsEnsureOriginWithArg, ConstU128, ConstU32, ConstU64, EnqueueMessage, Footprint, Hooks,
		OneSessionHandler, QueueFootprint, QueueFootprintQuery, Randomness, UnfilteredDispatchable,
	},
	BoundedSlice, PalletId,
};
use headway_primitives::{
	AsyncBackingParams, AuthorityDiscoveryId, AvailabilityBitfield, BackedCandidate, Balance, BlockNumber,
	CandidateCommitments, CandidateDescriptorV2, CommittedCandidateReceiptV2, CompactStatement, CoreIndex,
	Hash, HeadData, Header, InherentData, ParaId, PersistedValidationData, SchedulerParams, SessionIndex,
	SigningContext, SigningPayload, UncheckedSigned, UncheckedSignedAvailabilityBitfield, ValidationCode,
	ValidatorId, ValidatorIndex, ValidityAttestation,
};
use inclusion::AggregateMessageOrigin;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{traits::Header as _, BuildStorage, FixedU128};

type Block = frame_system::mocking::MockBlockU32<Test>;

construct_runtime! {
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		ParachainsOrigin: origin,
		Configuration: configuration,
		ParasShared: shared,
		ParaInclusion: inclusion,
		ParaInherent: paras_inherent,
		ParaScheduler: scheduler,
		Paras: paras,
		Initializer: initializer,
		Dmp: dmp,
		Hrmp: hrmp,
		ParaSessionInfo: session_info,
		ParasDisputes: disputes,
		ParasSlashing: slashing,
		OnDemandAssignmentProvider: on_demand,
		Registrar: registrar,
		Coretime: coretime,
		ParasSudoWrapper: paras_sudo_wrapper,
	}
}

parameter_types! {
	pub storage CurrentSession: SessionIndex = 0;
	pub storage DiscoveryKeys: Vec<AuthorityDiscoveryId> = Vec::new();
	pub storage ValidatorAccounts: Vec<u64> = (0..VALIDATORS.len() as u64).collect();
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type DbWeight = frame_support::weights::constants::RocksDbWeight;
	type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type AccountStore = System;
	type ExistentialDeposit = ConstU128<1>;
}

impl origin::Config for Test {}

impl configuration::Config for Test {
	type WeightInfo = configuration::weights::Measured<Self>;
}

impl scheduler::Config for Test {
	type OnDemand = OnDemandAssignmentProvider;
}
impl dmp::Config for Test {}
impl hrmp::Config for Test {
	type RuntimeOrigin = RuntimeOrigin;
	type ChannelManager = frame_system::EnsureRoot<u64>;
	type Currency = Balances;
	type DefaultChannelSizeAndCapacityWithSystem = configuration::HrmpChannelLimits<Test>;
	#[cfg(test)]
	type Notify = hrmp::tests::Notices;
	#[cfg(not(test))]
	type Notify = ();
	type WeightInfo = hrmp::weights::Measured<Self>;
}
impl paras_sudo_wrapper::Config for Test {}

impl shared::Config for Test {
	type DisabledValidators = Disabled;
}

impl paras::Config for Test {
	type QueueFootprinter = ParaInclusion;
	type OnNewHead = Registrar;
	type Fungible = Balances;
	type CooldownRemovalMultiplier = ConstU128<COOLDOWN_PRICE>;
	type AuthorizeCurrentCodeOrigin = AsEnsureOriginWithArg<frame_system::EnsureRoot<u64>>;
	type UnsignedPriority = ConstU64<100>;
	type VoteLongevity = ConstU64<10>;
	type WeightInfo = paras::weights::Measured<Self>;
}

impl registrar::Config for Test {
	type RuntimeOrigin = RuntimeOrigin;
	type Currency = Balances;
	type OnSwap = NoteSwap;
	type ParaDeposit = ConstU128<PARA_DEPOSIT>;
	type DataDepositPerByte = ConstU128<1>;
	type WeightInfo = registrar::weights::Measured<Self>;
}

/// Price of each block by which a cooldown ends early.
pub(crate) const COOLDOWN_PRICE: Balance = 7;
/// Deposit of a reserved id.
pub(crate) const PARA_DEPOSIT: Balance = 100;

parameter_types! {
	/// Swaps that the registrar told of.
	pub storage Swaps: Vec<(ParaId, ParaId)> = Vec::new();
}

/// Notes swaps.
pub struct NoteSwap;

impl registrar::OnSwap for NoteSwap {
	fn on_swap(one: ParaId, other: ParaId) {
		let mut swaps = Swaps::get();
		swaps.push((one, other));
		Swaps::set(&swaps);
	}
}

impl inclusion::Config for Test {
	type MessageQueue = Queue;
	type RewardValidators = Rewards;
	type WeightInfo = inclusion::weights::Measured<Self>;
}

impl session_info::Config for Test {
	type DiscoveryKeys = DiscoveryKeys;
	type ValidatorAccounts = ValidatorAccounts;
}

impl disputes::Config for Test {
	type RewardValidators = NoteRewards;
	type SlashingHandler = ParasSlashing;
}

impl slashing::Config for Test {
	type KeyOwnerProof = sp_session::MembershipProof;
	type KeyOwnerIdentification = (u64, ());
	type KeyOwnerProofSystem = NamedKeys;
	type IdentifyValidator = Identify;
	type IdentifiedSession = CurrentSession;
	type ReportOffence = NoteOffences;
	type ReportLongevity = ConstU64<10>;
	type WeightInfo = slashing::weights::Computed<Self>;
}

impl initializer::Config for Test {
	type Randomness = Fixed;
	type ForceOrigin = frame_system::EnsureRoot<u64>;
	type SessionIndex = CurrentSession;
	type CoretimeOnNewSession = Coretime;
}

parameter_types! {
	pub const TrafficDefaultValue: FixedU128 = FixedU128::from_u32(1);
	pub const OnDemandPalletId: PalletId = PalletId(*b"py/ondmd");
}

impl on_demand::Config for Test {
	type Currency = Balances;
	type TrafficDefaultValue = TrafficDefaultValue;
	type MaxHistoricalRevenue = ConstU32<4>;
	type PalletId = OnDemandPalletId;
	type WeightInfo = on_demand::weights::Measured<Self>;
}

impl coretime::Config for Test {
	type RuntimeOrigin = RuntimeOrigin;
	type BrokerId = ConstU32<1005>;
	#[cfg(test)]
	type CoretimeChain = coretime::tests::Recorder;
	#[cfg(not(test))]
	type CoretimeChain = ();
	type WeightInfo = coretime::weights::Measured<Self>;
}

impl paras_inherent::Config for Test {
	type SelectionRandomness = Fixed;
	type WeightInfo = paras_inherent::weights::Measured<Self>;
}

/// Randomness that never changes.
pub struct Fixed;

impl Randomness<Hash, BlockNumber> for Fixed {
	fn random(_: &[u8]) -> (Hash, BlockNumber) {
		(Hash::repeat_byte(7), 0)
	}
}

impl Randomness<Option<Hash>, BlockNumber> for Fixed {
	fn random(_: &[u8]) -> (Option<Hash>, BlockNumber) {
		(Some(Hash::repeat_byte(7)), 0)
	}
}

thread_local! {
	static DISABLED: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Disables validators, by index into the full set.
pub(crate) fn disable(raw: Vec<u32>) {
	DISABLED.with(|disabled| *disabled.borrow_mut() = raw);
}

/// Validators that the test disabled.
pub struct Disabled;

impl frame_support::traits::DisabledValidators for Disabled {
	fn is_disabled(index: u32) -> bool {
		Self::disabled_validators().contains(&index)
	}

	fn disabled_validators() -> Vec<u32> {
		DISABLED.with(|disabled| disabled.borrow().clone())
	}
}

thread_local! {
	static REWARDS: RefCell<Vec<Reward>> = const { RefCell::new(Vec::new()) };
}

/// Validators that were rewarded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reward {
	/// `backing` or `bitfields`.
	pub(crate) kind: &'static str,
	pub(crate) validators: Vec<ValidatorIndex>,
	/// Events that the block had until then.
	pub(crate) events: usize,
}

/// Rewards since the last call.
pub(crate) fn take_rewards() -> Vec<Reward> {
	REWARDS.with(|rewards| core::mem::take(&mut *rewards.borrow_mut()))
}

/// Remembers who is rewarded.
pub struct Rewards;

impl Rewards {
	fn note(kind: &'static str, validators: impl IntoIterator<Item = ValidatorIndex>) {
		let validators = validators.into_iter().collect();
		let reward = Reward { kind, validators, events: System::events().len() };
		REWARDS.with(|rewards| rewards.borrow_mut().push(reward));
	}
}

impl inclusion::RewardValidators for Rewards {
	fn reward_backing(validators: impl IntoIterator<Item = ValidatorIndex>) {
		Self::note("backing", validators);
	}

	fn reward_bitfields(validators: impl IntoIterator<Item = ValidatorIndex>) {
		Self::note("bitfields", validators);
	}
}

/// Queues of messages that nobody executes, in storage.
pub struct Queue;

fn queue_key(origin: AggregateMessageOrigin) -> Vec<u8> {
	(*b"queue", origin).encode()
}

fn queue_of(origin: AggregateMessageOrigin) -> Vec<Vec<u8>> {
	frame_support::storage::unhashed::get_or_default(&queue_key(origin))
}

/// Messages in a para's queue.
pub(crate) fn queued(para: ParaId) -> Vec<Vec<u8>> {
	queue_of(inclusion::upward_queue(para))
}

impl EnqueueMessage<AggregateMessageOrigin> for Queue {
	type MaxMessageLen = ConstU32<65536>;

	fn enqueue_message(message: BoundedSlice<u8, Self::MaxMessageLen>, origin: AggregateMessageOrigin) {
		let mut messages = queue_of(origin);
		messages.push(message.to_vec());
		frame_support::storage::unhashed::put(&queue_key(origin), &messages);
	}

	fn enqueue_messages<'a>(
		messages: impl Iterator<Item = BoundedSlice<'a, u8, Self::MaxMessageLen>>,
		origin: AggregateMessageOrigin,
	) {
		messages.for_each(|message| Self::enqueue_message(message, origin));
	}

	fn sweep_queue(origin: AggregateMessageOrigin) {
		frame_support::storage::unhashed::kill(&queue_key(origin));
	}
}

impl QueueFootprintQuery<AggregateMessageOrigin> for Queue {
	type MaxMessageLen = ConstU32<65536>;

	fn footprint(origin: AggregateMessageOrigin) -> QueueFootprint {
		let messages = queue_of(origin);
		let size = messages.iter().map(Vec::len).sum::<usize>() as u64;
		QueueFootprint { storage: Footprint { count: messages.len() as u64, size }, ..Default::default() }
	}

	fn get_batches_footprints<'a>(
		_: AggregateMessageOrigin,
		_: impl Iterator<Item = BoundedSlice<'a, u8, Self::MaxMessageLen>>,
		_: u32,
	) -> frame_support::traits::BatchesFootprints {
		Default::default()
	}
}

/// State of a chain without paras, with a keystore, for benchmarks.
#[cfg(all(test, feature = "runtime-benchmarks"))]
pub(crate) fn benchmark_ext() -> sp_io::TestExternalities {
	let storage = RuntimeGenesisConfig::default().build_storage().expect("genesis builds");
	let mut ext = sp_io::TestExternalities::from(storage);
	ext.register_extension(sp_keystore::KeystoreExt::new(sp_keystore::testing::MemoryKeystore::new()));
	ext
}

/// Validators in the order of the full set.
pub(crate) const VALIDATORS: [Sr25519Keyring; 6] = [
	Sr25519Keyring::Alice,
	Sr25519Keyring::Bob,
	Sr25519Keyring::Charlie,
	Sr25519Keyring::Dave,
	Sr25519Keyring::Eve,
	Sr25519Keyring::Ferdie,
];

/// Code of the test paras.
pub(crate) fn code() -> ValidationCode {
	ValidationCode(alloc::vec![1; 32])
}

/// Head data that is easy to read.
pub(crate) fn head(text: &str) -> HeadData {
	HeadData(text.as_bytes().to_vec())
}

/// Runs `f` and takes back what it did to the state, as nodes do with what they ask of a runtime.
pub(crate) fn forgotten<R>(f: impl FnOnce() -> R) -> R {
	use frame_support::storage::{with_transaction_unchecked, TransactionOutcome};
	with_transaction_unchecked(|| TransactionOutcome::Rollback(f()))
}

/// Configuration with asynchronous backing.
pub(crate) fn config() -> HostConfiguration {
	HostConfiguration {
		max_head_data_size: 64,
		max_upward_queue_count: 8,
		max_upward_queue_size: 1024,
		max_upward_message_size: 256,
		max_upward_message_num_per_candidate: 3,
		hrmp_max_message_num_per_candidate: 3,
		validation_upgrade_cooldown: 10,
		validation_upgrade_delay: 3,
		max_pov_size: 1024,
		max_downward_message_size: 1024,
		hrmp_max_parachain_outbound_channels: 4,
		hrmp_max_parachain_inbound_channels: 4,
		hrmp_channel_max_capacity: 4,
		hrmp_channel_max_total_size: 512,
		hrmp_channel_max_message_size: 128,
		code_retention_period: 10,
		minimum_validation_upgrade_delay: 5,
		async_backing_params: AsyncBackingParams { max_candidate_depth: 3, allowed_ancestry_len: 2 },
		scheduler_params: SchedulerParams {
			group_rotation_frequency: 20,
			paras_availability_period: 4,
			lookahead: 3,
			..Default::default()
		},
		..Default::default()
	}
}

/// Configuration with synchronous backing.
pub(crate) fn synchronous_config() -> HostConfiguration {
	HostConfiguration { async_backing_params: AsyncBackingParams::default(), ..config() }
}

/// A chain of blocks, within its externalities.
pub(crate) struct Chain {
	n_validators: usize,
	/// Headers from genesis on; the last is the parent of the block to come.
	pub(crate) headers: Vec<Header>,
}

/// Runs a test on a chain with paras 2000, 2001, …, whose heads are `genesis`.
pub(crate) fn with_chain<R>(
	config: HostConfiguration,
	n_validators: usize,
	n_paras: u32,
	test: impl FnOnce(&mut Chain) -> R,
) -> R {
	let paras = (0..n_paras)
		.map(|i| {
			let args = ParaGenesisArgs {
				genesis_head: head("genesis"),
				validation_code: code(),
				para_kind: ParaKind::Parachain,
			};
			(ParaId(2000 + i), args)
		})
		.collect();
	let storage = RuntimeGenesisConfig {
		configuration: configuration::GenesisConfig { config, ..Default::default() },
		paras: paras::GenesisConfig { paras, ..Default::default() },
		..Default::default()
	}
	.build_storage()
	.expect("genesis builds");
	DISABLED.with(|disabled| disabled.borrow_mut().clear());
	sp_io::TestExternalities::from(storage).execute_with(|| {
		let genesis = Header::new(
			0,
			Default::default(),
			Hash::repeat_byte(100),
			Default::default(),
			Default::default(),
		);
		let mut chain = Chain { n_validators, headers: alloc::vec![genesis] };
		let keys = chain.session_keys();
		<Initializer as OneSessionHandler<u64>>::on_genesis_session(keys.iter().map(|(a, k)| (a, k.clone())));
		Initializer::apply_buffered_session();
		chain.start_block();
		test(&mut chain)
	})
}

impl Chain {
	fn session_keys(&self) -> Vec<(u64, ValidatorId)> {
		VALIDATORS[..self.n_validators]
			.iter()
			.enumerate()
			.map(|(i, key)| (i as u64, key.public().into()))
			.collect()
	}

	/// Number of the block to come.
	pub(crate) fn number(&self) -> BlockNumber {
		self.headers.len() as BlockNumber
	}

	/// Parent of the block to come.
	pub(crate) fn parent(&self) -> Header {
		self.headers.last().expect("there is genesis").clone()
	}

	fn start_block(&mut self) {
		let parent = self.parent();
		System::reset_events();
		System::initialize(&self.number(), &parent.hash(), &Default::default());
		ParaInherent::on_initialize(self.number());
		Initializer::on_initialize(self.number());
		OnDemandAssignmentProvider::on_initialize(self.number());
	}

	/// Runs the inherent as the author and as an importer would, and ends the block. Returns what the author
	/// got.
	pub(crate) fn block(
		&mut self,
		bitfields: Vec<UncheckedSignedAvailabilityBitfield>,
		backed_candidates: Vec<BackedCandidate>,
	) -> Processed {
		self.block_with_disputes(bitfields, backed_candidates, Vec::new())
	}

	/// As [`Self::block`], with dispute votes.
	pub(crate) fn block_with_disputes(
		&mut self,
		bitfields: Vec<UncheckedSignedAvailabilityBitfield>,
		backed_candidates: Vec<BackedCandidate>,
		disputes: headway_primitives::MultiDisputeStatementSet,
	) -> Processed {
		let data = InherentData { bitfields, backed_candidates, disputes, parent_header: self.parent() };
		let processed = self.author(data);
		let enter = paras_inherent::Call::<Test>::enter { data: processed.data.clone() };
		let declared = enter.get_dispatch_info().call_weight;
		let executed = enter
			.dispatch_bypass_filter(RuntimeOrigin::none())
			.expect("what the author's pipeline returns is accepted");
		let charged = executed.actual_weight.expect("the inherent knows what it weighed");
		assert!(charged.all_lte(declared), "{charged} after, {declared} before");
		self.end_block();
		processed
	}

	/// Runs the pipeline without keeping its effects.
	pub(crate) fn author(&self, data: InherentData<Header>) -> Processed {
		forgotten(|| ParaInherent::process(data).expect("the author's pipeline runs"))
	}

	/// Ends the block and starts the next. Events of the block that ended are returned.
	pub(crate) fn end_block(&mut self) {
		Initializer::on_finalize(self.number());
		ParaInherent::on_finalize(self.number());
		LAST_EVENTS.with(|events| {
			*events.borrow_mut() = System::events().into_iter().map(|record| record.event).collect()
		});
		let number = self.number();
		let header = Header::new(
			number,
			Default::default(),
			Hash::repeat_byte(100u8.wrapping_add(number as u8)),
			self.parent().hash(),
			Default::default(),
		);
		self.headers.push(header);
		self.start_block();
	}

	/// An empty block.
	pub(crate) fn empty_block(&mut self) {
		self.block(Vec::new(), Vec::new());
	}

	/// A block at whose end the next session begins.
	pub(crate) fn session_block(&mut self) {
		self.announce_session();
		self.empty_block();
	}

	/// Makes the block to come the last one of the session.
	pub(crate) fn announce_session(&mut self) {
		CurrentSession::set(&(CurrentSession::get() + 1));
		let keys = self.session_keys();
		let iter = || keys.iter().map(|(a, k)| (a, k.clone()));
		<Initializer as OneSessionHandler<u64>>::on_new_session(false, iter(), iter());
	}

	/// Bitfields of all validators with these cores set.
	pub(crate) fn bitfields(&self, cores: &[u32]) -> Vec<UncheckedSignedAvailabilityBitfield> {
		self.bitfields_of(self.n_validators, cores)
	}

	/// Bitfields of the first `n` validators with these cores set.
	pub(crate) fn bitfields_of(&self, n: usize, cores: &[u32]) -> Vec<UncheckedSignedAvailabilityBitfield> {
		let mut bits = BitVec::<u8, Lsb0>::repeat(false, ParaScheduler::n_cores() as usize);
		for core in cores {
			bits.set(*core as usize, true);
		}
		(0..n as u32).map(|i| self.sign_bitfield(ValidatorIndex(i), bits.clone())).collect()
	}

	/// A signed bitfield.
	pub(crate) fn sign_bitfield(
		&self,
		validator_index: ValidatorIndex,
		bits: BitVec<u8, Lsb0>,
	) -> UncheckedSignedAvailabilityBitfield {
		let payload = AvailabilityBitfield(bits);
		let context = SigningContext {
			session_index: shared::CurrentSessionIndex::<Test>::get(),
			parent_hash: self.parent().hash(),
		};
		let signature = key(validator_index).sign(&payload.signing_payload(&context)).into();
		UncheckedSigned { payload, validator_index, signature }
	}

	/// A candidate of the para on core `para - 2000`, from the newest relay parent and the given parent head.
	pub(crate) fn candidate(&self, para: u32, parent: &str, to: &str) -> Candidate {
		self.candidate_at(self.number() - 1, para, parent, to)
	}

	/// As [`Self::candidate`], from any relay parent.
	pub(crate) fn candidate_at(
		&self,
		relay_parent: BlockNumber,
		para: u32,
		parent: &str,
		to: &str,
	) -> Candidate {
		let header = self.headers[relay_parent as usize].clone();
		let data = PersistedValidationData {
			parent_head: head(parent),
			relay_parent_number: relay_parent,
			relay_parent_storage_root: header.state_root,
			max_pov_size: configuration::ActiveConfig::<Test>::get().max_pov_size,
		};
		let core = CoreIndex(para - 2000);
		let commitments =
			CandidateCommitments { head_data: head(to), hrmp_watermark: relay_parent, ..Default::default() };
		let descriptor = CandidateDescriptorV2::new_v2(
			ParaId(para),
			header.hash(),
			core,
			shared::CurrentSessionIndex::<Test>::get(),
			data.hash(),
			Hash::repeat_byte(1),
			Hash::repeat_byte(2),
			head(to).hash(),
			code().hash(),
		);
		Candidate {
			receipt: CommittedCandidateReceiptV2 { descriptor, commitments },
			core,
			scheduled_at: relay_parent,
			votes: 2,
		}
	}
}

thread_local! {
	static LAST_EVENTS: RefCell<Vec<RuntimeEvent>> = const { RefCell::new(Vec::new()) };
}

/// Events of candidates in the block that ended last: `backed`, `included` and `timed out`, with the head.
pub(crate) fn candidate_events() -> Vec<(&'static str, HeadData)> {
	use inclusion::Event as E;
	LAST_EVENTS.with(|events| {
		events
			.borrow()
			.iter()
			.filter_map(|event| match event {
				RuntimeEvent::ParaInclusion(E::CandidateBacked(_, head, ..)) => {
					Some(("backed", head.clone()))
				},
				RuntimeEvent::ParaInclusion(E::CandidateIncluded(_, head, ..)) => {
					Some(("included", head.clone()))
				},
				RuntimeEvent::ParaInclusion(E::CandidateTimedOut(_, head, _)) => {
					Some(("timed out", head.clone()))
				},
				_ => None,
			})
			.collect()
	})
}

/// A validator's key. Deriving it from its phrase takes longer than a hundred signatures, so it is done once.
#[derive(Clone)]
pub(crate) struct Key(sp_core::sr25519::Pair);

impl Key {
	/// Signs a message.
	pub(crate) fn sign(&self, message: &[u8]) -> sp_core::sr25519::Signature {
		sp_core::Pair::sign(&self.0, message)
	}
}

/// The key of an active validator.
pub(crate) fn key(validator: ValidatorIndex) -> Key {
	let id = shared::ActiveValidatorKeys::<Test>::get()[validator.0 as usize].clone();
	key_of(&id).expect("all validators are in the keyring")
}

/// The key with this public part.
pub(crate) fn key_of(id: &ValidatorId) -> Option<Key> {
	let position = VALIDATORS.iter().position(|key| ValidatorId::from(key.public()) == *id)?;
	Some(keys()[position].clone())
}

/// Some validator's key.
pub(crate) fn any_key() -> Key {
	keys()[0].clone()
}

fn keys() -> &'static [Key] {
	static KEYS: std::sync::OnceLock<Vec<Key>> = std::sync::OnceLock::new();
	KEYS.get_or_init(|| VALIDATORS.iter().map(|key| Key(key.pair())).collect())
}

/// A candidate to be backed.
#[derive(Clone)]
pub(crate) struct Candidate {
	pub(crate) receipt: CommittedCandidateReceiptV2,
	/// Core that it is backed on.
	pub(crate) core: CoreIndex,
	/// Number of its scheduling parent.
	pub(crate) scheduled_at: BlockNumber,
	/// Votes: one for seconding, the others for validity.
	pub(crate) votes: usize,
}

impl Candidate {
	/// Changes what is committed to, and the descriptor with it.
	pub(crate) fn commit(mut self, change: impl FnOnce(&mut CandidateCommitments)) -> Self {
		change(&mut self.receipt.commitments);
		self.receipt.descriptor.para_head = self.receipt.commitments.head_data.hash();
		self
	}

	/// Changes the descriptor.
	pub(crate) fn describe(mut self, change: impl FnOnce(&mut CandidateDescriptorV2)) -> Self {
		change(&mut self.receipt.descriptor);
		self
	}

	/// Sets the number of votes.
	pub(crate) fn votes(mut self, votes: usize) -> Self {
		self.votes = votes;
		self
	}

	/// The group that backs it.
	pub(crate) fn group(&self) -> Vec<ValidatorIndex> {
		ParaScheduler::group_assigned_to_core(self.core, self.scheduled_at + 1)
			.and_then(ParaScheduler::group_validators)
			.unwrap_or_default()
	}

	/// Backs it with the votes of its group's first members.
	pub(crate) fn back(self) -> BackedCandidate {
		let group = self.group();
		let context = SigningContext {
			session_index: shared::CurrentSessionIndex::<Test>::get(),
			parent_hash: self.receipt.descriptor.scheduling_parent(),
		};
		let hash = self.receipt.hash();
		let mut indices = BitVec::<u8, Lsb0>::repeat(false, group.len());
		let votes = (0..self.votes)
			.map(|i| {
				indices.set(i, true);
				let sign = |statement: CompactStatement| {
					key(group[i]).sign(&statement.signing_payload(&context)).into()
				};
				match i {
					0 => ValidityAttestation::Implicit(sign(CompactStatement::Seconded(hash))),
					_ => ValidityAttestation::Explicit(sign(CompactStatement::Valid(hash))),
				}
			})
			.collect();
		BackedCandidate::new(self.receipt, votes, indices, self.core)
	}
}
