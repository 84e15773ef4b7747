//! Configuration of the parachains protocol: what is active, what is pending, and the calls that change it
//! (runtime §2).
//!
//! A change made in session `s` becomes active in session `s + 2`, so that everybody can know the
//! configuration of the next session during the whole of the current one.

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod host;
#[cfg(test)]
mod tests;
pub mod weights;

pub use host::{
	HostConfiguration, InconsistentConfiguration, HRMP_MAX_CHANNELS_BOUND, MAX_UPWARD_MESSAGE_SIZE_BOUND,
};
pub use pallet::*;
use weights::WeightInfo;

use crate::shared;
use headway_primitives::SessionIndex;

const LOG_TARGET: &str = "runtime::configuration";

/// Configurations around a session boundary.
#[derive(Clone, Debug)]
pub struct ConfigurationChange {
	/// The configuration of the session that ends.
	pub prev: HostConfiguration,
	/// The configuration of the session that begins, if it differs.
	pub new: Option<HostConfiguration>,
}

/// The largest message and the most messages of an HRMP channel, by the active configuration.
pub struct HrmpChannelLimits<T>(core::marker::PhantomData<T>);

impl<T: Config> frame_support::traits::Get<(u32, u32)> for HrmpChannelLimits<T> {
	fn get() -> (u32, u32) {
		let config = ActiveConfig::<T>::get();
		(config.hrmp_channel_max_message_size, config.hrmp_channel_max_capacity)
	}
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use frame_support::pallet_prelude::*;
	use frame_system::pallet_prelude::*;
	use headway_primitives::{
		ApprovalVotingParams, AsyncBackingParams, Balance, BlockNumber, ExecutorParams, SchedulerParams,
	};
	use sp_runtime::Perbill;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(13);

	#[pallet::config]
	pub trait Config: frame_system::Config + shared::Config {
		/// What calls weigh.
		type WeightInfo: WeightInfo;
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The new value would make the configuration inconsistent.
		InvalidNewValue,
	}

	/// The configuration of the current session.
	#[pallet::storage]
	#[pallet::whitelist_storage]
	pub type ActiveConfig<T: Config> = StorageValue<_, HostConfiguration, ValueQuery>;

	/// Configurations that become active, ascending by session; at most two.
	#[pallet::storage]
	pub type PendingConfigs<T: Config> = StorageValue<_, Vec<(SessionIndex, HostConfiguration)>, ValueQuery>;

	/// Whether setters accept inconsistent configurations.
	#[pallet::storage]
	pub type BypassConsistencyCheck<T: Config> = StorageValue<_, bool, ValueQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The configuration of session 0.
		pub config: HostConfiguration,
		#[serde(skip)]
		#[doc(hidden)]
		pub _marker: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			if let Err(violation) = self.config.check_consistency() {
				panic!("inconsistent host configuration: {violation:?}");
			}
			ActiveConfig::<T>::put(&self.config);
		}
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert_eq!(
				&ActiveConfig::<T>::hashed_key()[..],
				headway_primitives::well_known_keys::ACTIVE_CONFIG,
				"parachains read the active configuration under this key; name the pallet `Configuration`",
			);
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Sets `validation_upgrade_cooldown` from the session after the next.
		#[pallet::call_index(0)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_validation_upgrade_cooldown(origin: OriginFor<T>, new: BlockNumber) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.validation_upgrade_cooldown = new)
		}

		/// Sets `validation_upgrade_delay` from the session after the next.
		#[pallet::call_index(1)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_validation_upgrade_delay(origin: OriginFor<T>, new: BlockNumber) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.validation_upgrade_delay = new)
		}

		/// Sets `code_retention_period` from the session after the next.
		#[pallet::call_index(2)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_code_retention_period(origin: OriginFor<T>, new: BlockNumber) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.code_retention_period = new)
		}

		/// Sets `max_code_size` from the session after the next.
		#[pallet::call_index(3)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_max_code_size(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.max_code_size = new)
		}

		/// Sets `max_pov_size` from the session after the next.
		#[pallet::call_index(4)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_max_pov_size(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.max_pov_size = new)
		}

		/// Sets `max_head_data_size` from the session after the next.
		#[pallet::call_index(5)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_max_head_data_size(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.max_head_data_size = new)
		}

		/// Sets `scheduler_params.num_cores` from the session after the next.
		#[pallet::call_index(6)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_coretime_cores(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.scheduler_params.num_cores = new)
		}

		/// Sets `scheduler_params.group_rotation_frequency` from the session after the next.
		#[pallet::call_index(8)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_group_rotation_frequency(origin: OriginFor<T>, new: BlockNumber) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.scheduler_params.group_rotation_frequency = new)
		}

		/// Sets `scheduler_params.paras_availability_period` from the session after the next.
		#[pallet::call_index(9)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_paras_availability_period(origin: OriginFor<T>, new: BlockNumber) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.scheduler_params.paras_availability_period = new)
		}

		/// Sets `scheduler_params.lookahead` from the session after the next.
		#[pallet::call_index(11)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_scheduling_lookahead(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.scheduler_params.lookahead = new)
		}

		/// Sets `scheduler_params.max_validators_per_core` from the session after the next.
		#[pallet::call_index(12)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_max_validators_per_core(origin: OriginFor<T>, new: Option<u32>) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.scheduler_params.max_validators_per_core = new)
		}

		/// Sets `max_validators` from the session after the next.
		#[pallet::call_index(13)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_max_validators(origin: OriginFor<T>, new: Option<u32>) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.max_validators = new)
		}

		/// Sets `dispute_period` from the session after the next.
		#[pallet::call_index(14)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_dispute_period(origin: OriginFor<T>, new: SessionIndex) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.dispute_period = new)
		}

		/// Sets `dispute_post_conclusion_acceptance_period` from the session after the next.
		#[pallet::call_index(15)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_dispute_post_conclusion_acceptance_period(
			origin: OriginFor<T>,
			new: BlockNumber,
		) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.dispute_post_conclusion_acceptance_period = new)
		}

		/// Sets `no_show_slots` from the session after the next.
		#[pallet::call_index(18)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_no_show_slots(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.no_show_slots = new)
		}

		/// Sets `n_delay_tranches` from the session after the next.
		#[pallet::call_index(19)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_n_delay_tranches(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.n_delay_tranches = new)
		}

		/// Sets `zeroth_delay_tranche_width` from the session after the next.
		#[pallet::call_index(20)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_zeroth_delay_tranche_width(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.zeroth_delay_tranche_width = new)
		}

		/// Sets `needed_approvals` from the session after the next.
		#[pallet::call_index(21)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_needed_approvals(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.needed_approvals = new)
		}

		/// Sets `relay_vrf_modulo_samples` from the session after the next.
		#[pallet::call_index(22)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_relay_vrf_modulo_samples(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.relay_vrf_modulo_samples = new)
		}

		/// Sets `max_upward_queue_count` from the session after the next.
		#[pallet::call_index(23)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_max_upward_queue_count(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.max_upward_queue_count = new)
		}

		/// Sets `max_upward_queue_size` from the session after the next.
		#[pallet::call_index(24)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_max_upward_queue_size(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.max_upward_queue_size = new)
		}

		/// Sets `max_downward_message_size` from the session after the next.
		#[pallet::call_index(25)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_max_downward_message_size(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.max_downward_message_size = new)
		}

		/// Sets `max_upward_message_size` from the session after the next.
		#[pallet::call_index(27)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_max_upward_message_size(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.max_upward_message_size = new)
		}

		/// Sets `max_upward_message_num_per_candidate` from the session after the next.
		#[pallet::call_index(28)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_max_upward_message_num_per_candidate(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.max_upward_message_num_per_candidate = new)
		}

		/// Always fails: open requests have no time to live any more.
		#[pallet::call_index(29)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_hrmp_open_request_ttl(_origin: OriginFor<T>, _new: u32) -> DispatchResult {
			Err("this doesn't have any effect".into())
		}

		/// Sets `hrmp_sender_deposit` from the session after the next.
		#[pallet::call_index(30)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_hrmp_sender_deposit(origin: OriginFor<T>, new: Balance) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.hrmp_sender_deposit = new)
		}

		/// Sets `hrmp_recipient_deposit` from the session after the next.
		#[pallet::call_index(31)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_hrmp_recipient_deposit(origin: OriginFor<T>, new: Balance) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.hrmp_recipient_deposit = new)
		}

		/// Sets `hrmp_channel_max_capacity` from the session after the next.
		#[pallet::call_index(32)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_hrmp_channel_max_capacity(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.hrmp_channel_max_capacity = new)
		}

		/// Sets `hrmp_channel_max_total_size` from the session after the next.
		#[pallet::call_index(33)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_hrmp_channel_max_total_size(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.hrmp_channel_max_total_size = new)
		}

		/// Sets `hrmp_max_parachain_inbound_channels` from the session after the next.
		#[pallet::call_index(34)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_hrmp_max_parachain_inbound_channels(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.hrmp_max_parachain_inbound_channels = new)
		}

		/// Sets `hrmp_channel_max_message_size` from the session after the next.
		#[pallet::call_index(36)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_hrmp_channel_max_message_size(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.hrmp_channel_max_message_size = new)
		}

		/// Sets `hrmp_max_parachain_outbound_channels` from the session after the next.
		#[pallet::call_index(37)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_hrmp_max_parachain_outbound_channels(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.hrmp_max_parachain_outbound_channels = new)
		}

		/// Sets `hrmp_max_message_num_per_candidate` from the session after the next.
		#[pallet::call_index(39)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_hrmp_max_message_num_per_candidate(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.hrmp_max_message_num_per_candidate = new)
		}

		/// Sets `pvf_voting_ttl` from the session after the next.
		#[pallet::call_index(42)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_pvf_voting_ttl(origin: OriginFor<T>, new: SessionIndex) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.pvf_voting_ttl = new)
		}

		/// Sets `minimum_validation_upgrade_delay` from the session after the next.
		#[pallet::call_index(43)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_minimum_validation_upgrade_delay(
			origin: OriginFor<T>,
			new: BlockNumber,
		) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.minimum_validation_upgrade_delay = new)
		}

		/// Switches the consistency check of setters off or on.
		#[pallet::call_index(44)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_bypass_consistency_check(origin: OriginFor<T>, new: bool) -> DispatchResult {
			ensure_root(origin)?;
			BypassConsistencyCheck::<T>::put(new);
			Ok(())
		}

		/// Sets `async_backing_params` from the session after the next.
		#[pallet::call_index(45)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_async_backing_params(origin: OriginFor<T>, new: AsyncBackingParams) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.async_backing_params = new)
		}

		/// Sets `executor_params` from the session after the next.
		#[pallet::call_index(46)]
		#[pallet::weight((
			<T as Config>::WeightInfo::set_executor_params(new.0.len() as u32),
			DispatchClass::Operational,
		))]
		pub fn set_executor_params(origin: OriginFor<T>, new: ExecutorParams) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.executor_params = new)
		}

		/// Sets `scheduler_params.on_demand_base_fee` from the session after the next.
		#[pallet::call_index(47)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_on_demand_base_fee(origin: OriginFor<T>, new: Balance) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.scheduler_params.on_demand_base_fee = new)
		}

		/// Sets `scheduler_params.on_demand_fee_variability` from the session after the next.
		#[pallet::call_index(48)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_on_demand_fee_variability(origin: OriginFor<T>, new: Perbill) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.scheduler_params.on_demand_fee_variability = new)
		}

		/// Sets `scheduler_params.on_demand_queue_max_size` from the session after the next.
		#[pallet::call_index(49)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_on_demand_queue_max_size(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.scheduler_params.on_demand_queue_max_size = new)
		}

		/// Sets `scheduler_params.on_demand_target_queue_utilization` from the session after the next.
		#[pallet::call_index(50)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_on_demand_target_queue_utilization(origin: OriginFor<T>, new: Perbill) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| {
				config.scheduler_params.on_demand_target_queue_utilization = new
			})
		}

		/// Sets `minimum_backing_votes` from the session after the next.
		#[pallet::call_index(52)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_minimum_backing_votes(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.minimum_backing_votes = new)
		}

		/// Switches one node feature; the bit vector grows as needed.
		#[pallet::call_index(53)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_node_feature(origin: OriginFor<T>, index: u8, value: bool) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| {
				let index = usize::from(index);
				if config.node_features.len() <= index {
					config.node_features.resize(index + 1, false);
				}
				config.node_features.set(index, value);
			})
		}

		/// Sets `approval_voting_params` from the session after the next.
		#[pallet::call_index(54)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_approval_voting_params(origin: OriginFor<T>, new: ApprovalVotingParams) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.approval_voting_params = new)
		}

		/// Sets `scheduler_params` from the session after the next.
		#[pallet::call_index(55)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_scheduler_params(
			origin: OriginFor<T>,
			new: SchedulerParams<BlockNumber>,
		) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.scheduler_params = new)
		}

		/// Sets `max_relay_parent_session_age` from the session after the next.
		#[pallet::call_index(56)]
		#[pallet::weight((<T as Config>::WeightInfo::set_value(), DispatchClass::Operational))]
		pub fn set_max_relay_parent_session_age(origin: OriginFor<T>, new: u32) -> DispatchResult {
			ensure_root(origin)?;
			Self::schedule_config_update(|config| config.max_relay_parent_session_age = new)
		}
	}

	impl<T: Config> Pallet<T> {
		/// Schedules a change for the session after the next.
		///
		/// Several changes within one session fold into one pending configuration.
		pub fn schedule_config_update(update: impl FnOnce(&mut HostConfiguration)) -> DispatchResult {
			let mut pending = PendingConfigs::<T>::get();
			let mut config = pending.last().map_or_else(ActiveConfig::<T>::get, |(_, config)| config.clone());
			let base_consistent = config.check_consistency().is_ok();
			update(&mut config);
			if !BypassConsistencyCheck::<T>::get() {
				if let Err(violation) = config.check_consistency() {
					if base_consistent {
						log::warn!(target: LOG_TARGET, "configuration change refused: {violation:?}");
						return Err(Error::<T>::InvalidNewValue.into());
					}
					// It was broken before; a change on the way to a repair has to be possible.
					log::warn!(target: LOG_TARGET, "configuration stays inconsistent: {violation:?}");
				}
			}
			let session = shared::Pallet::<T>::scheduled_session();
			match pending.iter_mut().find(|(at, _)| *at >= session) {
				Some((_, slot)) => *slot = config,
				None => pending.push((session, config)),
			}
			PendingConfigs::<T>::put(pending);
			Ok(())
		}

		/// Sets the number of cores from the session after the next, without an origin.
		pub fn set_coretime_cores_unchecked(cores: u32) -> DispatchResult {
			Self::schedule_config_update(|config| config.scheduler_params.num_cores = cores)
		}

		/// Changes the active and all pending configurations at once. Only for genesis and calls by root.
		pub fn force_update_all(update: impl Fn(&mut HostConfiguration)) {
			ActiveConfig::<T>::mutate(&update);
			if PendingConfigs::<T>::exists() {
				PendingConfigs::<T>::mutate(|pending| {
					pending.iter_mut().for_each(|(_, config)| update(config))
				});
			}
		}

		/// Overwrites the active configuration at once. Only for genesis and calls by root.
		pub fn force_set_active_config(config: HostConfiguration) {
			ActiveConfig::<T>::put(config);
		}

		/// Activates what is due in `session`.
		pub(crate) fn on_new_session(session: SessionIndex) -> ConfigurationChange {
			let prev = ActiveConfig::<T>::get();
			let (mut due, future): (Vec<_>, Vec<_>) =
				PendingConfigs::<T>::get().into_iter().partition(|(at, _)| *at <= session);
			if due.len() > 1 {
				log::error!(target: LOG_TARGET, "skipping {} overdue configurations", due.len() - 1);
			}
			let new = due.pop().map(|(_, config)| config);
			if let Some(config) = &new {
				if prev.is_synchronous() != config.is_synchronous() {
					log::info!(
						target: LOG_TARGET,
						"session {session}: backing is {} from now on",
						if config.is_synchronous() { "synchronous" } else { "asynchronous" },
					);
				}
				ActiveConfig::<T>::put(config);
				PendingConfigs::<T>::put(future);
			}
			ConfigurationChange { prev, new }
		}
	}
}
