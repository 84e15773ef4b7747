//! Code upgrades: from the candidate that announces new code to the one that switches to it, and how long
//! replaced code is kept (runtime §4.3, §4.5).

use super::{lifecycle::insert_by_block, *};
use crate::{configuration::HostConfiguration, weights::db};
use frame_support::weights::Weight;
use headway_primitives::MIN_CODE_SIZE;

/// Splits off the entries up to and including `at` from a list that ascends by block.
fn take_due(list: &mut Vec<(ParaId, BlockNumber)>, at: BlockNumber) -> Vec<(ParaId, BlockNumber)> {
	let n = list.partition_point(|(_, block)| *block <= at);
	list.drain(..n).collect()
}

impl<T: Config> Pallet<T> {
	/// Whether the para may upgrade: no upgrade is under way and the cooldown of the last one is over.
	pub fn can_upgrade_validation_code(id: ParaId) -> bool {
		!FutureCodeHash::<T>::contains_key(id) && !UpgradeRestrictionSignal::<T>::contains_key(id)
	}

	/// Begins an upgrade. What is not allowed is logged and ignored: candidates were checked before.
	pub fn schedule_code_upgrade(
		id: ParaId,
		new_code: ValidationCode,
		included_at: BlockNumber,
		config: &HostConfiguration,
		upgrade_strategy: UpgradeStrategy,
	) {
		let size = new_code.0.len();
		if size < MIN_CODE_SIZE as usize || size > config.max_code_size as usize {
			log::warn!(target: LOG_TARGET, "para {id}: upgrade ignored, code has {size} bytes");
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
		UpgradeCooldowns::<T>::mutate(|list| insert_by_block(list, id, until));
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
		Heads::<T>::insert(id, head);
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
		if PastCodePruning::<T>::decode_len().unwrap_or(0) == 0 {
			return weight.saturating_add(db::<T>(1, 0));
		}
		let due = PastCodePruning::<T>::mutate(|list| take_due(list, up_to));
		weight = weight.saturating_add(db::<T>(1, 1));
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
		if UpcomingUpgrades::<T>::decode_len().unwrap_or(0) == 0 {
			return db::<T>(1, 0);
		}
		let due = UpcomingUpgrades::<T>::mutate(|list| take_due(list, at));
		for (para, _) in &due {
			UpgradeGoAheadSignal::<T>::insert(para, UpgradeGoAhead::GoAhead);
		}
		db::<T>(1, 1 + due.len() as u64)
	}

	/// Applies upgrades that do not wait for the para.
	pub(super) fn apply_due_upgrades(at: BlockNumber) -> Weight {
		if FutureCodeUpgradesAt::<T>::decode_len().unwrap_or(0) == 0 {
			return db::<T>(1, 0);
		}
		let due = FutureCodeUpgradesAt::<T>::mutate(|list| take_due(list, at));
		for (para, expected_at) in &due {
			if let Some(hash) = FutureCodeHash::<T>::take(para) {
				Self::set_current_code(*para, hash, *expected_at);
			}
		}
		db::<T>(1 + 4 * due.len() as u64, 1 + 6 * due.len() as u64)
	}

	/// Ends restrictions whose cooldown is over.
	pub(super) fn end_cooldowns(at: BlockNumber) {
		if UpgradeCooldowns::<T>::decode_len().unwrap_or(0) == 0 {
			return;
		}
		for (para, _) in UpgradeCooldowns::<T>::mutate(|list| take_due(list, at)) {
			UpgradeRestrictionSignal::<T>::remove(para);
		}
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
