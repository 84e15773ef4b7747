//! Code upgrades: from the candidate that announces new code to the one that switches to it, and how long
//! replaced code is kept (runtime §4.3, §4.5).

use super::{lifecycle::insert_by_block, *};
use crate::{configuration::HostConfiguration, weights::db};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{
		fungible::Mutate,
		tokens::{Fortitude, Precision, Preservation},
		Get,
	},
	weights::Weight,
	StorageValue,
};
use headway_primitives::MIN_CODE_SIZE;

/// A list of paras that ascends by block.
type Timers = Vec<(ParaId, BlockNumber)>;

/// Takes the entries up to and including `at` out of a stored list. An empty list is not read, and a list
/// without such entries is not written.
pub(super) fn take_due<L: StorageValue<Timers, Query = Timers>>(at: BlockNumber) -> Timers {
	if L::decode_len().unwrap_or(0) == 0 {
		return Vec::new();
	}
	let mut list = L::get();
	let due: Vec<_> = list.drain(..due_len(&list, at)).collect();
	if !due.is_empty() {
		L::put(list);
	}
	due
}

/// Number of entries up to and including `at`.
fn due_len(list: &[(ParaId, BlockNumber)], at: BlockNumber) -> usize {
	list.partition_point(|(_, block)| *block <= at)
}

/// Weight of [`take_due`].
pub(super) fn list_weight<T: Config>(due: &[(ParaId, BlockNumber)]) -> Weight {
	db::<T>(2, u64::from(!due.is_empty()))
}

impl<T: Config> Pallet<T> {
	/// Whether the para may upgrade: no upgrade is under way and the cooldown of the last one is over.
	pub fn can_upgrade_validation_code(id: ParaId) -> bool {
		!FutureCodeHash::<T>::contains_key(id) && !UpgradeRestrictionSignal::<T>::contains_key(id)
	}

	/// Begins an upgrade that the para itself did not ask for: it may be anything, so all of it is checked.
	/// `included_at` of such an upgrade is now.
	///
	/// # Errors
	///
	/// `NotRegistered` if the para is not there, not there yet or about to go, `CannotUpgradeCode` during
	/// another upgrade or its cooldown, `InvalidCode` if the code is too short or too long.
	pub fn schedule_code_upgrade_external(
		id: ParaId,
		new_code: ValidationCode,
		upgrade_strategy: UpgradeStrategy,
	) -> DispatchResult {
		ensure!(Self::is_valid_para(id), Error::<T>::NotRegistered);
		ensure!(Self::can_upgrade_validation_code(id), Error::<T>::CannotUpgradeCode);
		let config = configuration::ActiveConfig::<T>::get();
		ensure!(has_valid_size(&new_code, &config), Error::<T>::InvalidCode);
		Self::schedule_code_upgrade(id, new_code, now::<T>(), &config, upgrade_strategy);
		Self::deposit_event(Event::CodeUpgradeScheduled(id));
		Ok(())
	}

	/// Begins an upgrade. What is not allowed is logged and ignored: candidates were checked before.
	pub fn schedule_code_upgrade(
		id: ParaId,
		new_code: ValidationCode,
		included_at: BlockNumber,
		config: &HostConfiguration,
		upgrade_strategy: UpgradeStrategy,
	) {
		if !has_valid_size(&new_code, config) {
			log::warn!(target: LOG_TARGET, "para {id}: upgrade ignored, code has {} bytes", new_code.0.len());
			return;
		}
		// Nothing would ever release the code of a para that does not exist.
		if !Heads::<T>::contains_key(id) {
			log::warn!(target: LOG_TARGET, "para {id}: upgrade ignored, there is no such para");
			return;
		}
		if FutureCodeHash::<T>::contains_key(id) {
			log::warn!(target: LOG_TARGET, "para {id}: upgrade ignored, another one is under way");
			return;
		}
		let hash = new_code.hash();
		if CurrentCodeHash::<T>::get(id) == Some(hash) {
			log::warn!(target: LOG_TARGET, "para {id}: upgrade ignored, the code is the current one");
			return;
		}
		FutureCodeHash::<T>::insert(id, hash);
		UpgradeRestrictionSignal::<T>::insert(id, UpgradeRestriction::Present);
		let until = included_at.saturating_add(config.validation_upgrade_cooldown);
		UpgradeCooldowns::<T>::mutate(|list| {
			// Root does not wait for a cooldown to end. The end of the first would end the second one, too.
			list.retain(|(other, _)| *other != id);
			insert_by_block(list, id, until);
		});
		let cause = PvfCheckCause::Upgrade { id, included_at, upgrade_strategy };
		Self::kick_off_pvf_check(cause, hash, new_code);
	}

	/// New code was accepted: it is ready some blocks from now.
	pub(super) fn proceed_with_upgrade(
		id: ParaId,
		hash: ValidationCodeHash,
		included_at: BlockNumber,
		upgrade_strategy: UpgradeStrategy,
	) {
		let config = configuration::ActiveConfig::<T>::get();
		let expected_at = included_at
			.saturating_add(config.validation_upgrade_delay)
			.max(now::<T>().saturating_add(config.minimum_validation_upgrade_delay));
		match upgrade_strategy {
			UpgradeStrategy::SetGoAheadSignal => {
				FutureCodeUpgrades::<T>::insert(id, expected_at);
				UpcomingUpgrades::<T>::mutate(|list| insert_by_block(list, id, expected_at));
			},
			UpgradeStrategy::ApplyAtExpectedBlock => {
				FutureCodeUpgradesAt::<T>::mutate(|list| insert_by_block(list, id, expected_at));
			},
		}
		Self::deposit_log(ConsensusLog::ParaScheduleUpgradeCode(id, hash, expected_at));
	}

	/// Notes the head of an included candidate, and switches the code if its relay parent is late enough.
	pub fn note_new_head(id: ParaId, head: HeadData, context: BlockNumber) {
		Heads::<T>::insert(id, &head);
		MostRecentContext::<T>::insert(id, context);
		match FutureCodeUpgrades::<T>::get(id) {
			Some(expected_at) if expected_at <= context => {
				FutureCodeUpgrades::<T>::remove(id);
				UpgradeGoAheadSignal::<T>::remove(id);
				match FutureCodeHash::<T>::take(id) {
					Some(hash) => Self::set_current_code(id, hash, expected_at),
					None => {
						log::error!(target: LOG_TARGET, "para {id}: upgrade is due, but there is no code")
					},
				}
			},
			Some(_) => {},
			// The para has seen that its upgrade is off.
			None => UpgradeGoAheadSignal::<T>::remove(id),
		}
		T::OnNewHead::on_new_head(id, &head);
	}

	/// Overwrites the head.
	pub(crate) fn set_current_head(id: ParaId, head: HeadData) {
		Heads::<T>::insert(id, head);
		Self::deposit_event(Event::CurrentHeadUpdated(id));
	}

	/// Replaces the current code from now on, by code that needs no vote.
	pub(super) fn replace_current_code(id: ParaId, code: ValidationCode) {
		let hash = code.hash();
		Self::increase_code_ref(hash, &code);
		Self::set_current_code(id, hash, now::<T>());
		Self::deposit_event(Event::CurrentCodeUpdated(id));
	}

	/// Replaces the current code from relay parent `at` on. A reference for the new code is there already.
	pub(super) fn set_current_code(id: ParaId, hash: ValidationCodeHash, at: BlockNumber) {
		let replaced = CurrentCodeHash::<T>::get(id);
		CurrentCodeHash::<T>::insert(id, hash);
		Self::deposit_log(ConsensusLog::ParaUpgradeCode(id, hash));
		if let Some(replaced) = replaced {
			Self::note_past_code(id, at, now::<T>(), replaced);
		}
	}

	pub(super) fn note_past_code(
		id: ParaId,
		expected_at: BlockNumber,
		activated_at: BlockNumber,
		hash: ValidationCodeHash,
	) {
		// Two replacements may fall on one block, as when a para goes in the block of its upgrade. Each keeps
		// its code: the second one moves to the next block that is free.
		let mut expected_at = expected_at;
		while PastCodeHash::<T>::contains_key((id, expected_at)) {
			match expected_at.checked_add(1) {
				Some(next) => expected_at = next,
				None => return Self::decrease_code_ref(hash),
			}
		}
		PastCodeMeta::<T>::mutate(id, |meta| {
			meta.upgrade_times.push(ReplacementTimes { expected_at, activated_at });
		});
		PastCodeHash::<T>::insert((id, expected_at), hash);
		PastCodePruning::<T>::mutate(|list| insert_by_block(list, id, activated_at));
	}

	/// Forgets code that was replaced longer ago than the retention period.
	pub(super) fn prune_old_code(at: BlockNumber) -> Weight {
		let retention = configuration::ActiveConfig::<T>::get().code_retention_period;
		let mut weight = db::<T>(1, 0);
		let Some(up_to) = at.checked_sub(retention.saturating_add(1)) else { return weight };
		let due = take_due::<PastCodePruning<T>>(up_to);
		weight = weight.saturating_add(list_weight::<T>(&due));
		for (para, _) in due {
			let mut meta = PastCodeMeta::<T>::get(para);
			for expected_at in meta.prune_up_to(up_to) {
				if let Some(hash) = PastCodeHash::<T>::take((para, expected_at)) {
					Self::decrease_code_ref(hash);
				}
				weight = weight.saturating_add(db::<T>(2, 3));
			}
			if meta.upgrade_times.is_empty() && !Heads::<T>::contains_key(para) {
				PastCodeMeta::<T>::remove(para);
			} else {
				PastCodeMeta::<T>::insert(para, meta);
			}
			weight = weight.saturating_add(db::<T>(2, 1));
		}
		weight
	}

	/// Tells paras whose new code is ready to go ahead.
	pub(super) fn signal_upcoming_upgrades(at: BlockNumber) -> Weight {
		let due = take_due::<UpcomingUpgrades<T>>(at);
		for (para, _) in &due {
			UpgradeGoAheadSignal::<T>::insert(para, UpgradeGoAhead::GoAhead);
		}
		list_weight::<T>(&due).saturating_add(db::<T>(0, due.len() as u64))
	}

	/// Applies upgrades that do not wait for the para.
	pub(super) fn apply_due_upgrades(at: BlockNumber) -> Weight {
		let due = take_due::<FutureCodeUpgradesAt<T>>(at);
		for (para, expected_at) in &due {
			if let Some(hash) = FutureCodeHash::<T>::take(para) {
				Self::set_current_code(*para, hash, *expected_at);
			}
		}
		let n = due.len() as u64;
		list_weight::<T>(&due).saturating_add(db::<T>(5 * n, 6 * n))
	}

	/// Ends restrictions whose cooldown is over.
	pub(super) fn end_cooldowns(at: BlockNumber) {
		for (para, _) in take_due::<UpgradeCooldowns<T>>(at) {
			UpgradeRestrictionSignal::<T>::remove(para);
		}
	}

	/// Weight of [`Self::end_cooldowns`] at the end of this block, and of finding it out.
	pub(super) fn end_cooldowns_weight(at: BlockNumber) -> Weight {
		let due = due_len(&UpgradeCooldowns::<T>::get(), at) as u64;
		db::<T>(3, due + u64::from(due > 0))
	}

	/// Block at whose end the para's cooldown is over.
	pub(super) fn cooldown_end(id: ParaId) -> Option<BlockNumber> {
		UpgradeCooldowns::<T>::get().into_iter().find(|(other, _)| *other == id).map(|(_, until)| until)
	}

	/// Price of the end, in this block, of a cooldown that lasts until `until`.
	pub(super) fn cooldown_removal_cost(until: BlockNumber) -> Balance {
		Balance::from(until.saturating_sub(now::<T>())).saturating_mul(T::CooldownRemovalMultiplier::get())
	}

	/// Burns the price of the para's cooldown and ends it.
	pub(super) fn end_cooldown_early(payer: &T::AccountId, id: ParaId) -> DispatchResult {
		let Some(until) = Self::cooldown_end(id) else { return Ok(()) };
		let cost = Self::cooldown_removal_cost(until);
		T::Fungible::burn_from(payer, cost, Preservation::Preserve, Precision::Exact, Fortitude::Polite)?;
		UpgradeCooldowns::<T>::mutate(|list| list.retain(|(other, _)| *other != id));
		UpgradeRestrictionSignal::<T>::remove(id);
		Self::deposit_event(Event::UpgradeCooldownRemoved { para_id: id });
		Ok(())
	}

	/// One more user of the code; stores it for the first.
	pub(super) fn increase_code_ref(hash: ValidationCodeHash, code: &ValidationCode) {
		CodeByHashRefs::<T>::mutate(hash, |refs| {
			if *refs == 0 {
				CodeByHash::<T>::insert(hash, code);
			}
			*refs = refs.saturating_add(1);
		});
	}

	/// One user of the code less; removes it with the last.
	pub(super) fn decrease_code_ref(hash: ValidationCodeHash) {
		let refs = CodeByHashRefs::<T>::get(hash);
		if refs == 0 {
			log::error!(target: LOG_TARGET, "code {hash:?} has no users to remove");
		} else if refs == 1 {
			CodeByHash::<T>::remove(hash);
			CodeByHashRefs::<T>::remove(hash);
		} else {
			CodeByHashRefs::<T>::insert(hash, refs - 1);
		}
	}
}

fn has_valid_size(code: &ValidationCode, config: &HostConfiguration) -> bool {
	(MIN_CODE_SIZE as usize..=config.max_code_size as usize).contains(&code.0.len())
}
