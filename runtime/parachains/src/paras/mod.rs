//! Registered paras: their heads, code, upgrades and lifecycle (runtime §4).

mod authorization;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod digest;
mod lifecycle;
mod pvf;
#[cfg(test)]
mod tests;
mod types;
mod upgrades;
pub mod weights;

pub use digest::*;
pub use pallet::*;
pub use types::*;
use weights::WeightInfo;

use crate::{configuration, scheduler, shared, util::now};
use alloc::vec::Vec;
use headway_primitives::{
	Balance, BlockNumber, HeadData, ParaId, PvfCheckStatement, SessionIndex, UpgradeGoAhead,
	UpgradeRestriction, ValidationCode, ValidationCodeHash, ValidatorSignature,
};

const LOG_TARGET: &str = "runtime::paras";

/// Length of a para's queue of upward messages.
pub trait UpwardQueueFootprint {
	/// Messages that wait.
	fn message_count(para: ParaId) -> u64;
}

/// Who wants to know of every new head of a para.
pub trait OnNewHead {
	/// The para has a new head.
	fn on_new_head(para: ParaId, head: &HeadData);
}

impl OnNewHead for () {
	fn on_new_head(_: ParaId, _: &HeadData) {}
}

/// The first paras, by id, whose heads [`Pallet::sorted_para_heads`] lists.
pub const MAX_PARA_HEADS: usize = 1024;
/// Shortest head that [`Pallet::sorted_para_heads`] lists, bytes: encoded headers are longer.
pub const MIN_PARA_HEAD_LEN: usize = 64;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{Inspect, Mutate},
			EnsureOriginWithArg,
		},
	};
	use frame_system::pallet_prelude::*;

	// Named as in the reference: the id of a view function is a hash of its signature.
	type BalanceOf<T> = <<T as Config>::Fungible as Inspect<<T as frame_system::Config>::AccountId>>::Balance;

	#[pallet::pallet]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: scheduler::Config + frame_system::Config<RuntimeEvent: From<Event>> {
		/// Queues of upward messages: a para is not offboarded while its queue has messages.
		type QueueFootprinter: UpwardQueueFootprint;
		/// Told of every head that is noted.
		type OnNewHead: OnNewHead;
		/// Currency in which the early end of a cooldown is paid.
		type Fungible: Mutate<Self::AccountId, Balance = Balance>;
		/// Price of every block by which a cooldown ends early.
		type CooldownRemovalMultiplier: Get<Balance>;
		/// Who may authorize code, which anybody may then apply without a fee.
		type AuthorizeCurrentCodeOrigin: EnsureOriginWithArg<Self::RuntimeOrigin, ParaId>;
		/// Priority of votes on new code in the transaction pool.
		#[pallet::constant]
		type UnsignedPriority: Get<TransactionPriority>;
		/// Blocks for which a vote on new code stays in the transaction pool.
		#[pallet::constant]
		type VoteLongevity: Get<u64>;
		/// What calls weigh.
		type WeightInfo: WeightInfo;
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event {
		/// Code was overwritten.
		CurrentCodeUpdated(ParaId),
		/// The head was overwritten.
		CurrentHeadUpdated(ParaId),
		/// A code upgrade was scheduled.
		CodeUpgradeScheduled(ParaId),
		/// A new head was noted.
		NewHeadNoted(ParaId),
		/// A transition was queued for a session.
		ActionQueued(ParaId, SessionIndex),
		/// A vote on code began, or a para joined it.
		PvfCheckStarted(ValidationCodeHash, ParaId),
		/// Code was accepted.
		PvfCheckAccepted(ValidationCodeHash, ParaId),
		/// Code was rejected.
		PvfCheckRejected(ValidationCodeHash, ParaId),
		/// A cooldown was ended early.
		UpgradeCooldownRemoved {
			/// The para.
			para_id: ParaId,
		},
		/// Code was authorized.
		CodeAuthorized {
			/// The para.
			para_id: ParaId,
			/// The code.
			code_hash: ValidationCodeHash,
			/// Block at which the authorization is removed.
			expire_at: BlockNumber,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// No such para.
		NotRegistered,
		/// The para exists already, or its code is empty.
		CannotOnboard,
		/// The para is in transition, its upgrade is being voted on, or it has upward messages waiting.
		CannotOffboard,
		/// The para is not a stable parathread.
		CannotUpgrade,
		/// The para is not a stable parachain.
		CannotDowngrade,
		/// The statement is of a past session.
		PvfCheckStatementStale,
		/// The statement is of a future session.
		PvfCheckStatementFuture,
		/// No such validator.
		PvfCheckValidatorIndexOutOfBounds,
		/// The signature is not the validator's.
		PvfCheckInvalidSignature,
		/// The validator has voted already.
		PvfCheckDoubleVote,
		/// No vote on this code.
		PvfCheckSubjectInvalid,
		/// The para may not upgrade now.
		CannotUpgradeCode,
		/// The code is too short or too long.
		InvalidCode,
		/// No code was authorized for the para.
		NothingAuthorized,
		/// Other code was authorized.
		Unauthorized,
		/// The block number is out of range.
		InvalidBlockNumber,
	}

	/// Votes on code.
	#[pallet::storage]
	pub type PvfActiveVoteMap<T: Config> =
		StorageMap<_, Twox64Concat, ValidationCodeHash, PvfCheckActiveVoteState, OptionQuery>;

	/// Code that is voted on, sorted.
	#[pallet::storage]
	pub type PvfActiveVoteList<T: Config> = StorageValue<_, Vec<ValidationCodeHash>, ValueQuery>;

	/// Paras that lease a core, sorted.
	#[pallet::storage]
	pub type Parachains<T: Config> = StorageValue<_, Vec<ParaId>, ValueQuery>;

	/// Where each para is in its life.
	#[pallet::storage]
	pub type ParaLifecycles<T: Config> = StorageMap<_, Twox64Concat, ParaId, ParaLifecycle, OptionQuery>;

	/// Included heads.
	#[pallet::storage]
	pub type Heads<T: Config> = StorageMap<_, Twox64Concat, ParaId, HeadData, OptionQuery>;

	/// Number of the relay parent of each included head.
	#[pallet::storage]
	pub type MostRecentContext<T: Config> = StorageMap<_, Twox64Concat, ParaId, BlockNumber, OptionQuery>;

	/// Current code.
	#[pallet::storage]
	pub type CurrentCodeHash<T: Config> =
		StorageMap<_, Twox64Concat, ParaId, ValidationCodeHash, OptionQuery>;

	/// Replaced code, by para and the relay block from which on it was replaced.
	#[pallet::storage]
	pub type PastCodeHash<T: Config> =
		StorageMap<_, Twox64Concat, (ParaId, BlockNumber), ValidationCodeHash, OptionQuery>;

	/// Replacements of code.
	#[pallet::storage]
	pub type PastCodeMeta<T: Config> = StorageMap<_, Twox64Concat, ParaId, ParaPastCodeMeta, ValueQuery>;

	/// Replacements that will be forgotten, ascending by block.
	#[pallet::storage]
	pub type PastCodePruning<T: Config> = StorageValue<_, Vec<(ParaId, BlockNumber)>, ValueQuery>;

	/// Relay block from which on a para's new code is ready.
	#[pallet::storage]
	pub type FutureCodeUpgrades<T: Config> = StorageMap<_, Twox64Concat, ParaId, BlockNumber, OptionQuery>;

	/// Upgrades that the relay chain applies by itself, ascending by block.
	#[pallet::storage]
	pub type FutureCodeUpgradesAt<T: Config> = StorageValue<_, Vec<(ParaId, BlockNumber)>, ValueQuery>;

	/// New code.
	#[pallet::storage]
	pub type FutureCodeHash<T: Config> = StorageMap<_, Twox64Concat, ParaId, ValidationCodeHash, OptionQuery>;

	/// Code that may be applied by anybody.
	#[pallet::storage]
	pub type AuthorizedCodeHash<T: Config> =
		StorageMap<_, Twox64Concat, ParaId, AuthorizedCodeHashAndExpiry, OptionQuery>;

	/// Blocks at which [`AuthorizedCodeHash`] expires, ascending; one entry for each of its keys.
	#[pallet::storage]
	pub type AuthorizationExpiries<T: Config> = StorageValue<_, Vec<(ParaId, BlockNumber)>, ValueQuery>;

	/// What a para is told about its upgrade.
	#[pallet::storage]
	pub type UpgradeGoAheadSignal<T: Config> =
		StorageMap<_, Twox64Concat, ParaId, UpgradeGoAhead, OptionQuery>;

	/// Whether a para may upgrade.
	#[pallet::storage]
	pub type UpgradeRestrictionSignal<T: Config> =
		StorageMap<_, Twox64Concat, ParaId, UpgradeRestriction, OptionQuery>;

	/// Blocks at which restrictions end, ascending.
	#[pallet::storage]
	pub type UpgradeCooldowns<T: Config> = StorageValue<_, Vec<(ParaId, BlockNumber)>, ValueQuery>;

	/// Blocks at which paras are told to go ahead, ascending.
	#[pallet::storage]
	pub type UpcomingUpgrades<T: Config> = StorageValue<_, Vec<(ParaId, BlockNumber)>, ValueQuery>;

	/// Paras with a transition, by session; sorted.
	#[pallet::storage]
	pub type ActionsQueue<T: Config> = StorageMap<_, Twox64Concat, SessionIndex, Vec<ParaId>, ValueQuery>;

	/// What paras start with that are onboarding.
	#[pallet::storage]
	pub type UpcomingParasGenesis<T: Config> =
		StorageMap<_, Twox64Concat, ParaId, ParaGenesisArgs, OptionQuery>;

	/// How often code is used.
	#[pallet::storage]
	pub type CodeByHashRefs<T: Config> = StorageMap<_, Identity, ValidationCodeHash, u32, ValueQuery>;

	/// Code.
	#[pallet::storage]
	pub type CodeByHash<T: Config> = StorageMap<_, Identity, ValidationCodeHash, ValidationCode, OptionQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Paras that exist from the beginning.
		pub paras: Vec<(ParaId, ParaGenesisArgs)>,
		#[serde(skip)]
		#[doc(hidden)]
		pub _marker: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			let mut parachains = Vec::new();
			for (id, args) in &self.paras {
				assert!(!args.validation_code.0.is_empty(), "para {id} has no validation code");
				Pallet::<T>::initialize_para_now(&mut parachains, *id, args);
				if args.para_kind == ParaKind::Parachain {
					if let Err(error) = scheduler::Pallet::<T>::assign_coretime(*id) {
						panic!("no core for para {id}: {error:?}");
					}
				}
			}
			Parachains::<T>::put(parachains);
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			use headway_primitives::well_known_keys as keys;
			let id = ParaId(2000);
			assert_eq!(Heads::<T>::hashed_key_for(id), keys::para_head(id));
			assert_eq!(UpgradeGoAheadSignal::<T>::hashed_key_for(id), keys::upgrade_go_ahead_signal(id));
			assert_eq!(
				UpgradeRestrictionSignal::<T>::hashed_key_for(id),
				keys::upgrade_restriction_signal(id)
			);
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Replaces a para's code at once.
		#[pallet::call_index(0)]
		#[pallet::weight((
			<T as Config>::WeightInfo::force_set_current_code(new_code.0.len() as u32),
			DispatchClass::Operational,
		))]
		pub fn force_set_current_code(
			origin: OriginFor<T>,
			para: ParaId,
			new_code: ValidationCode,
		) -> DispatchResult {
			ensure_root(origin)?;
			Self::replace_current_code(para, new_code);
			Ok(())
		}

		/// Replaces a para's head at once.
		#[pallet::call_index(1)]
		#[pallet::weight((
			<T as Config>::WeightInfo::force_set_current_head(new_head.0.len() as u32),
			DispatchClass::Operational,
		))]
		pub fn force_set_current_head(
			origin: OriginFor<T>,
			para: ParaId,
			new_head: HeadData,
		) -> DispatchResult {
			ensure_root(origin)?;
			Self::set_current_head(para, new_head);
			Ok(())
		}

		/// Schedules an upgrade as if it had been included at the block.
		#[pallet::call_index(2)]
		#[pallet::weight((
			<T as Config>::WeightInfo::force_schedule_code_upgrade(new_code.0.len() as u32),
			DispatchClass::Operational,
		))]
		pub fn force_schedule_code_upgrade(
			origin: OriginFor<T>,
			para: ParaId,
			new_code: ValidationCode,
			relay_parent_number: BlockNumber,
		) -> DispatchResult {
			ensure_root(origin)?;
			let config = configuration::ActiveConfig::<T>::get();
			Self::schedule_code_upgrade(
				para,
				new_code,
				relay_parent_number,
				&config,
				UpgradeStrategy::ApplyAtExpectedBlock,
			);
			Self::deposit_event(Event::CodeUpgradeScheduled(para));
			Ok(())
		}

		/// Notes a new head as if it had been included now.
		#[pallet::call_index(3)]
		#[pallet::weight((
			<T as Config>::WeightInfo::force_note_new_head(new_head.0.len() as u32),
			DispatchClass::Operational,
		))]
		pub fn force_note_new_head(origin: OriginFor<T>, para: ParaId, new_head: HeadData) -> DispatchResult {
			ensure_root(origin)?;
			Self::note_new_head(para, new_head, now::<T>());
			Self::deposit_event(Event::NewHeadNoted(para));
			Ok(())
		}

		/// Carries out a para's transition at the next session boundary.
		#[pallet::call_index(4)]
		#[pallet::weight((<T as Config>::WeightInfo::force_queue_action(), DispatchClass::Operational))]
		pub fn force_queue_action(origin: OriginFor<T>, para: ParaId) -> DispatchResult {
			ensure_root(origin)?;
			let session = shared::CurrentSessionIndex::<T>::get().saturating_add(1);
			Self::queue_action(session, para);
			Self::deposit_event(Event::ActionQueued(para, session));
			Ok(())
		}

		/// Adds code that needs no vote.
		#[pallet::call_index(5)]
		#[pallet::weight((
			<T as Config>::WeightInfo::add_trusted_validation_code(validation_code.0.len() as u32),
			DispatchClass::Operational,
		))]
		pub fn add_trusted_validation_code(
			origin: OriginFor<T>,
			validation_code: ValidationCode,
		) -> DispatchResult {
			ensure_root(origin)?;
			let hash = validation_code.hash();
			if let Some(vote) = PvfActiveVoteMap::<T>::get(hash) {
				Self::enact_pvf_accepted(hash, vote);
			} else if !CodeByHash::<T>::contains_key(hash) {
				// Without users; `poke_unused_validation_code` removes it if it gets none.
				CodeByHash::<T>::insert(hash, validation_code);
			}
			Ok(())
		}

		/// Removes code that nobody uses.
		#[pallet::call_index(6)]
		#[pallet::weight((
			<T as Config>::WeightInfo::poke_unused_validation_code(),
			DispatchClass::Operational,
		))]
		pub fn poke_unused_validation_code(
			origin: OriginFor<T>,
			validation_code_hash: ValidationCodeHash,
		) -> DispatchResult {
			ensure_root(origin)?;
			if CodeByHashRefs::<T>::get(validation_code_hash) == 0 {
				CodeByHash::<T>::remove(validation_code_hash);
			}
			Ok(())
		}

		/// A validator's vote on new code. Unsigned: the vote carries its own signature. The weight is that of
		/// the decisive vote; every other vote gets most of it back.
		#[pallet::call_index(7)]
		#[pallet::weight((
			<T as Config>::WeightInfo::include_pvf_check_statement_decisive(),
			DispatchClass::Normal,
			Pays::No,
		))]
		pub fn include_pvf_check_statement(
			origin: OriginFor<T>,
			stmt: PvfCheckStatement,
			signature: ValidatorSignature,
		) -> DispatchResultWithPostInfo {
			ensure_none(origin)?;
			let concluded = Self::apply_pvf_check_statement(stmt, signature)?;
			Ok((!concluded).then(<T as Config>::WeightInfo::include_pvf_check_statement).into())
		}

		/// Overwrites the number of the relay parent of a para's head.
		#[pallet::call_index(8)]
		#[pallet::weight((
			<T as Config>::WeightInfo::force_set_most_recent_context(),
			DispatchClass::Operational,
		))]
		pub fn force_set_most_recent_context(
			origin: OriginFor<T>,
			para: ParaId,
			context: BlockNumber,
		) -> DispatchResult {
			ensure_root(origin)?;
			MostRecentContext::<T>::insert(para, context);
			Ok(())
		}

		/// Ends the cooldown after a para's upgrade. The caller pays for every block that is left, and what it
		/// pays is burned. Without a cooldown nothing happens.
		#[pallet::call_index(9)]
		#[pallet::weight(<T as Config>::WeightInfo::remove_upgrade_cooldown())]
		pub fn remove_upgrade_cooldown(origin: OriginFor<T>, para: ParaId) -> DispatchResult {
			let payer = ensure_signed(origin)?;
			Self::end_cooldown_early(&payer, para)
		}

		/// Authorizes code for a para, which anybody may apply in the blocks that follow.
		#[pallet::call_index(10)]
		#[pallet::weight(<T as Config>::WeightInfo::authorize_force_set_current_code_hash())]
		pub fn authorize_force_set_current_code_hash(
			origin: OriginFor<T>,
			para: ParaId,
			new_code_hash: ValidationCodeHash,
			valid_period: BlockNumber,
		) -> DispatchResult {
			T::AuthorizeCurrentCodeOrigin::ensure_origin(origin, &para)?;
			ensure!(Self::is_valid_para(para), Error::<T>::NotRegistered);
			Self::authorize_code(para, new_code_hash, valid_period);
			Ok(())
		}

		/// Replaces a para's code by the code that was authorized. Any origin, unsigned too; without a fee.
		#[pallet::call_index(11)]
		#[pallet::weight(<T as Config>::WeightInfo::apply_authorized_force_set_current_code(new_code.0.len() as u32))]
		pub fn apply_authorized_force_set_current_code(
			_origin: OriginFor<T>,
			para: ParaId,
			new_code: ValidationCode,
		) -> DispatchResultWithPostInfo {
			Self::check_authorization(para, &new_code)?;
			Self::remove_authorization(para);
			Self::replace_current_code(para, new_code);
			Ok(Pays::No.into())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// What `remove_upgrade_cooldown` costs in this block; zero without a cooldown.
		pub fn remove_upgrade_cooldown_cost(para: ParaId) -> BalanceOf<T> {
			Self::cooldown_end(para).map_or(0, Self::cooldown_removal_cost)
		}
	}

	#[pallet::validate_unsigned]
	#[allow(deprecated)]
	impl<T: Config> ValidateUnsigned for Pallet<T> {
		type Call = Call<T>;

		fn validate_unsigned(_source: TransactionSource, call: &Self::Call) -> TransactionValidity {
			match call {
				Call::include_pvf_check_statement { stmt, signature } => {
					Self::check_pvf_statement(stmt, signature).map_err(pvf::to_validity_error)?;
					ValidTransaction::with_tag_prefix("PvfPreCheckingVote")
						.priority(T::UnsignedPriority::get())
						.longevity(T::VoteLongevity::get())
						.and_provides((stmt.session_index, stmt.validator_index, stmt.subject))
						.propagate(true)
						.build()
				},
				Call::apply_authorized_force_set_current_code { para, new_code } => {
					let authorized = Self::check_authorization(*para, new_code)
						.map_err(|_| InvalidTransaction::Custom(pvf::INVALID_UNAUTHORIZED_CODE))?;
					ValidTransaction::with_tag_prefix("ApplyAuthorizedForceSetCurrentCode")
						.priority(T::UnsignedPriority::get())
						.longevity(authorized.expire_at.saturating_sub(now::<T>()).into())
						.and_provides((para, authorized.code_hash))
						.propagate(true)
						.build()
				},
				_ => InvalidTransaction::Call.into(),
			}
		}

		fn pre_dispatch(_call: &Self::Call) -> Result<(), TransactionValidityError> {
			// The call checks everything itself; here it would only be done twice.
			Ok(())
		}
	}

	impl<T: Config> Pallet<T> {
		/// The current code.
		pub fn current_code(para: ParaId) -> Option<ValidationCode> {
			CodeByHash::<T>::get(CurrentCodeHash::<T>::get(para)?)
		}

		/// Heads that are long enough to be headers, of the first [`MAX_PARA_HEADS`] such paras, ascending by id.
		pub fn sorted_para_heads() -> Vec<(ParaId, HeadData)> {
			let mut heads = alloc::collections::BTreeMap::new();
			for (id, head) in Heads::<T>::iter() {
				if head.0.len() >= MIN_PARA_HEAD_LEN {
					heads.insert(id, head);
					// Never more than one above the limit in memory.
					if heads.len() > MAX_PARA_HEADS {
						heads.pop_last();
					}
				}
			}
			heads.into_iter().collect()
		}

		/// Deposits a digest item.
		pub(super) fn deposit_log(log: ConsensusLog) {
			frame_system::Pallet::<T>::deposit_log(log.into());
		}

		/// Work at the beginning of a block; returns its weight.
		pub(crate) fn initializer_initialize(at: BlockNumber) -> Weight {
			Self::prune_old_code(at)
				.saturating_add(Self::signal_upcoming_upgrades(at))
				.saturating_add(Self::apply_due_upgrades(at))
				.saturating_add(Self::prune_expired_authorizations(at))
				.saturating_add(Self::end_cooldowns_weight(at))
		}

		/// Work at the end of a block.
		pub(crate) fn initializer_finalize(at: BlockNumber) {
			Self::end_cooldowns(at);
		}
	}
}
