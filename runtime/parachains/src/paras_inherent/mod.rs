//! The inherent of the parachains protocol: the one extrinsic through which a block's author brings bitfields,
//! backed candidates and dispute votes on chain (runtime §7).
//!
//! The author's node offers what it has; [`Call::enter`] is made from what is left when everything that does
//! not pass has been dropped. Whoever executes the block runs the same pipeline over it and accepts it only
//! if nothing is dropped any more. Every drop has a [`DropReason`], which is logged and returned.

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod cost;
mod disputes;
mod limit;
mod sanitize;
#[cfg(test)]
mod tests;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
pub(crate) use cost::UPGRADE_VOTES;
pub use disputes::DisputeDropReason;
pub use pallet::*;
pub use sanitize::{BitfieldDropReason, DropReason};

use crate::{configuration, inclusion, initializer, scheduler, shared, util::now};
use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use frame_support::{
	inherent::{InherentData, InherentIdentifier, MakeFatalError, ProvideInherent},
	pallet_prelude::*,
	traits::Randomness,
};
use frame_system::pallet_prelude::*;
use headway_primitives::{
	constraints::RelayParentInfo, CandidateHash, Hash, Header, InherentData as ParachainsInherentData,
	ParaId, ScrapedOnChainVotes, SessionIndex, ValidatorIndex, PARACHAINS_INHERENT_IDENTIFIER,
};
use weights::WeightInfo;

const LOG_TARGET: &str = "runtime::inclusion-inherent";

/// What is left of inherent data, and what was dropped.
#[derive(Clone, Debug)]
pub struct Processed {
	/// What passed.
	pub data: ParachainsInherentData<Header>,
	/// What it cost.
	pub weight: Weight,
	/// Candidates that did not pass.
	pub dropped: Vec<(ParaId, CandidateHash, DropReason)>,
	/// Bitfields that did not pass.
	pub dropped_bitfields: Vec<(ValidatorIndex, BitfieldDropReason)>,
	/// Dispute votes that did not pass, by the session and the candidate that they are about.
	pub dropped_disputes: Vec<(SessionIndex, CandidateHash, DisputeDropReason)>,
}

/// The most that the inherent may weigh: what a block may, without what each block weighs before anything is
/// in it. Through the proof size its length in bytes is limited.
///
/// It depends on constants alone: the author, who selects before other extrinsics are applied, and whoever
/// executes the block must come to the same limit.
fn max_weight<T: frame_system::Config>() -> Weight {
	let limits = T::BlockWeights::get();
	let mandatory = limits.get(DispatchClass::Mandatory);
	let time = mandatory
		.max_total
		.unwrap_or(limits.max_block)
		.saturating_sub(limits.base_block)
		.saturating_sub(mandatory.base_extrinsic)
		.ref_time();
	let length = *T::BlockLength::get().max.get(DispatchClass::Mandatory);
	Weight::from_parts(time, u64::from(length))
}

/// What of [`max_weight`] is for bitfields, candidates and disputes together: the rest is for the inherent itself
/// with its votes, and for the inclusion of a candidate per core, as far as that is not more than a quarter.
/// Inclusion may exceed it all the same.
fn data_budget<T: Config>(n_cores: u32) -> Weight {
	let max = max_weight::<T>();
	let reserve = inclusion::enactment_weight::<T>(&Default::default())
		.saturating_mul(n_cores.into())
		.saturating_add(cost::enter_empty::<T>(n_cores))
		.saturating_add(cost::votes_stored::<T>(n_cores))
		.set_proof_size(0);
	max.saturating_sub(reserve.min(Weight::from_parts(max.ref_time() / 4, 0)))
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;

	#[pallet::pallet]
	#[pallet::without_storage_info]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config + initializer::Config {
		/// Randomness by which candidates are selected when not all of them fit.
		type SelectionRandomness: Randomness<Option<Hash>, BlockNumberFor<Self>>;
		/// What the parts of the inherent weigh.
		type WeightInfo: WeightInfo;
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The inherent is in the block already.
		TooManyInclusionInherents,
		/// The header is not that of the parent block.
		InvalidParentHeader,
		/// Something in the data does not pass, and should have been dropped by the author.
		InherentDataFilteredDuringExecution,
		/// More candidates than cores that may be used.
		UnscheduledCandidate,
	}

	/// Whether the inherent is in the block.
	#[pallet::storage]
	pub type Included<T> = StorageValue<_, (), OptionQuery>;

	/// Votes that the newest block carried.
	#[pallet::storage]
	pub type OnChainVotes<T: Config> = StorageValue<_, ScrapedOnChainVotes, OptionQuery>;

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(_: BlockNumberFor<T>) -> Weight {
			// For `on_finalize`.
			crate::weights::db::<T>(1, 1)
		}

		fn on_finalize(_: BlockNumberFor<T>) {
			assert!(Included::<T>::take().is_some(), "the parachains inherent must be in every block");
		}
	}

	#[pallet::inherent]
	impl<T: Config> ProvideInherent for Pallet<T> {
		type Call = Call<T>;
		type Error = MakeFatalError<()>;
		const INHERENT_IDENTIFIER: InherentIdentifier = PARACHAINS_INHERENT_IDENTIFIER;

		fn create_inherent(data: &InherentData) -> Option<Self::Call> {
			let data = match data.get_data(&Self::INHERENT_IDENTIFIER) {
				Ok(Some(data)) => data,
				Ok(None) => return None,
				Err(_) => {
					log::warn!(target: LOG_TARGET, "inherent data of the parachains does not decode");
					return None;
				},
			};
			match Self::process(data) {
				Ok(processed) => Some(Call::enter { data: processed.data }),
				Err(error) => {
					log::warn!(target: LOG_TARGET, "no inherent: {:?}", error.error);
					None
				},
			}
		}

		fn is_inherent(call: &Self::Call) -> bool {
			matches!(call, Call::enter { .. })
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Counts bitfields, includes candidates that are available, and backs new ones.
		#[pallet::call_index(0)]
		#[pallet::weight((enter_weight::<T>(data), DispatchClass::Mandatory))]
		pub fn enter(
			origin: OriginFor<T>,
			data: ParachainsInherentData<Header>,
		) -> DispatchResultWithPostInfo {
			ensure_none(origin)?;
			ensure!(!Included::<T>::exists(), Error::<T>::TooManyInclusionInherents);
			Included::<T>::put(());
			let given = (data.bitfields.len(), data.backed_candidates.len(), data.disputes.len());
			let digest = headway_primitives::hash_of(&data);
			let processed = Self::process(data)?;
			if headway_primitives::hash_of(&processed.data) != digest {
				let left = &processed.data;
				log::error!(
					target: LOG_TARGET,
					"of {given:?} bitfields, candidates and disputes only {:?} pass",
					(left.bitfields.len(), left.backed_candidates.len(), left.disputes.len()),
				);
				return Err(Error::<T>::InherentDataFilteredDuringExecution.into());
			}
			Ok(Some(processed.weight).into())
		}
	}

	/// Weight before execution, which is never less than that after it: all data passes, and every candidate
	/// that waits for availability is included, if there are votes at all.
	pub(super) fn enter_weight<T: Config>(data: &ParachainsInherentData<Header>) -> Weight {
		let n_cores = scheduler::Pallet::<T>::n_cores();
		let inclusions = if data.bitfields.is_empty() {
			Weight::zero()
		} else {
			cost::votes_stored::<T>(n_cores).saturating_add(inclusion::Pallet::<T>::enactment_weight_max())
		};
		limit::bitfields_weight::<T>(&data.bitfields)
			.saturating_add(limit::candidates_weight::<T>(&data.backed_candidates))
			.saturating_add(disputes::disputes_weight::<T>(&data.disputes))
			.saturating_add(cost::enter_empty::<T>(n_cores))
			.saturating_add(inclusions)
			.set_proof_size(u64::MAX)
	}

	impl<T: Config> Pallet<T> {
		/// Runs the data through all checks, and applies what passes.
		pub fn process(
			data: ParachainsInherentData<Header>,
		) -> Result<Processed, sp_runtime::DispatchErrorWithPostInfo<frame_support::dispatch::PostDispatchInfo>>
		{
			let ParachainsInherentData { bitfields, backed_candidates, disputes, parent_header } = data;
			let parent_hash = frame_system::Pallet::<T>::parent_hash();
			ensure!(parent_header.hash() == parent_hash, Error::<T>::InvalidParentHeader);
			let at = now::<T>();
			let config = configuration::ActiveConfig::<T>::get();
			let session = shared::CurrentSessionIndex::<T>::get();
			let parent =
				RelayParentInfo { number: at.saturating_sub(1), state_root: parent_header.state_root };
			// Before the queue advances, so that the snapshot is what nodes were told at the parent.
			let claim_queue = scheduler::Pallet::<T>::predict_claim_queue(at);
			shared::Pallet::<T>::new_block(
				parent_hash,
				&claim_queue,
				parent,
				config.scheduling_parents_max(),
			);

			let n_cores = scheduler::Pallet::<T>::n_cores();
			// Nothing is held back from disputes: with many of them there is little else in the block.
			let budget = max_weight::<T>().saturating_sub(cost::enter_empty::<T>(n_cores));
			let disputes::Selected { sets, weight: for_disputes, dropped: dropped_disputes } =
				disputes::select::<T>(disputes, &config, budget);
			for (session, hash, reason) in &dropped_disputes {
				log::warn!(
					target: LOG_TARGET,
					"dropping the dispute of candidate {hash} of session {session}: {reason}",
				);
			}
			let (mut bitfields, backed_candidates, mut dropped, mut dropped_bitfields) = limit::apply::<T>(
				bitfields,
				backed_candidates,
				data_budget::<T>(n_cores).saturating_sub(for_disputes),
				parent_hash,
			);
			disputes::import::<T>(&sets, &config);
			let disputes: Vec<_> =
				sets.into_iter().map(crate::disputes::CheckedDisputeStatementSet::into_set).collect();
			if crate::disputes::Pallet::<T>::is_frozen() {
				log::warn!(target: LOG_TARGET, "the chain is frozen: nothing is included or backed");
				OnChainVotes::<T>::put(ScrapedOnChainVotes {
					session,
					backing_validators_per_candidate: Vec::new(),
					disputes: disputes.clone(),
				});
				return Ok(Processed {
					data: ParachainsInherentData {
						bitfields: Vec::new(),
						backed_candidates: Vec::new(),
						disputes,
						parent_header,
					},
					weight: cost::enter_empty::<T>(n_cores).saturating_add(for_disputes),
					dropped,
					dropped_bitfields,
					dropped_disputes,
				});
			}
			let evicted = disputes::evict::<T>(session, &disputes);
			evicted.drop_bitfields(&mut bitfields, &mut dropped_bitfields);
			let mut weight = cost::enter_empty::<T>(n_cores)
				.saturating_add(for_disputes)
				.saturating_add(limit::bitfields_weight::<T>(&bitfields))
				.saturating_add(limit::candidates_weight::<T>(&backed_candidates));
			if !bitfields.is_empty() {
				weight.saturating_accrue(cost::votes_stored::<T>(n_cores));
			}

			let validators = shared::ActiveValidatorKeys::<T>::get();
			let bitfields = sanitize::bitfields::<T>(
				bitfields,
				n_cores,
				&validators,
				parent_hash,
				&mut dropped_bitfields,
			);
			let included = inclusion::Pallet::<T>::update_pending_availability(validators.len(), &bitfields);
			weight.saturating_accrue(included.weight);
			if weight.any_gt(max_weight::<T>()) {
				log::warn!(target: LOG_TARGET, "inclusion makes the inherent overweight: {weight}");
			}
			for (_, hash, _) in &included.candidates {
				crate::disputes::Pallet::<T>::note_included(session, *hash, at);
			}
			if scheduler::Pallet::<T>::availability_timeout_check_required() {
				inclusion::Pallet::<T>::free_timedout();
			}

			let included_now: BTreeSet<ParaId> =
				included.candidates.iter().map(|(_, _, para)| *para).collect();
			let eligible = Self::eligible_cores();
			let n_eligible = eligible.values().map(BTreeSet::len).sum::<usize>();
			let candidates =
				sanitize::Candidates::<T>::new(&config, parent_hash, validators, included_now, eligible)
					.without(evicted.candidates)
					.run(backed_candidates, &mut dropped);
			let selected = candidates.values().map(Vec::len).sum::<usize>();
			ensure!(selected <= n_eligible, Error::<T>::UnscheduledCandidate);
			let backed_candidates =
				candidates.values().flatten().map(|verified| verified.backed().clone()).collect();
			let backed = inclusion::Pallet::<T>::process_candidates(candidates);
			OnChainVotes::<T>::put(ScrapedOnChainVotes {
				session,
				backing_validators_per_candidate: backed,
				disputes: disputes.clone(),
			});

			for (para, hash, reason) in &dropped {
				log::warn!(target: LOG_TARGET, "dropping candidate {hash} of para {para}: {reason}");
			}
			for (validator, reason) in &dropped_bitfields {
				log::warn!(target: LOG_TARGET, "dropping bitfield of validator {validator}: {reason}");
			}
			let bitfields = bitfields.into_iter().map(headway_primitives::Signed::into_unchecked).collect();
			Ok(Processed {
				data: ParachainsInherentData { bitfields, backed_candidates, disputes, parent_header },
				weight,
				dropped,
				dropped_bitfields,
				dropped_disputes,
			})
		}

		/// Advances the claim queue; returns the cores that each para may back on in this block.
		fn eligible_cores() -> BTreeMap<ParaId, BTreeSet<headway_primitives::CoreIndex>> {
			let session_ends = initializer::Pallet::<T>::upcoming_session_change();
			let occupied: BTreeSet<_> =
				inclusion::Pallet::<T>::occupied_cores().into_iter().map(|(core, _)| core).collect();
			let claims =
				scheduler::Pallet::<T>::advance_claim_queue(|core| session_ends || occupied.contains(&core));
			let mut eligible = BTreeMap::<ParaId, BTreeSet<_>>::new();
			for (core, para) in claims {
				eligible.entry(para).or_default().insert(core);
			}
			eligible
		}
	}
}
