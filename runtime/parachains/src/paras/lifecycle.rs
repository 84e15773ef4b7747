//! How paras come, change kind and go: always at session boundaries (runtime §4.4).

use super::*;
use crate::initializer::SessionChangeNotification;
use frame_support::{ensure, pallet_prelude::DispatchResult};

impl<T: Config> Pallet<T> {
	/// Whether the para exists and is neither on its way in nor out.
	pub fn is_valid_para(para: ParaId) -> bool {
		ParaLifecycles::<T>::get(para)
			.is_some_and(|lifecycle| lifecycle != ParaLifecycle::Onboarding && !lifecycle.is_offboarding())
	}

	/// Whether the para is on its way out.
	pub fn is_offboarding(para: ParaId) -> bool {
		ParaLifecycles::<T>::get(para).is_some_and(ParaLifecycle::is_offboarding)
	}

	/// Whether the para leases a core, for now.
	pub fn is_parachain(para: ParaId) -> bool {
		ParaLifecycles::<T>::get(para).is_some_and(ParaLifecycle::is_parachain)
	}

	/// Whether the para buys block space on demand, for now.
	pub fn is_parathread(para: ParaId) -> bool {
		ParaLifecycles::<T>::get(para).is_some_and(ParaLifecycle::is_parathread)
	}

	/// Registers a para: it starts when its code is accepted, two sessions from now at the earliest.
	pub fn schedule_para_initialize(id: ParaId, mut args: ParaGenesisArgs) -> DispatchResult {
		ensure!(
			!ParaLifecycles::<T>::contains_key(id) && !args.validation_code.0.is_empty(),
			Error::<T>::CannotOnboard
		);
		ParaLifecycles::<T>::insert(id, ParaLifecycle::Onboarding);
		let code = core::mem::take(&mut args.validation_code);
		UpcomingParasGenesis::<T>::insert(id, args);
		let hash = code.hash();
		CurrentCodeHash::<T>::insert(id, hash);
		Self::kick_off_pvf_check(PvfCheckCause::Onboarding(id), hash, code);
		Ok(())
	}

	/// Its code was accepted: the para starts, not sooner than it would have without a vote.
	pub(super) fn proceed_with_onboarding(id: ParaId, sessions_observed: SessionIndex) {
		let delay = shared::SESSION_DELAY.saturating_sub(sessions_observed).max(1);
		Self::queue_action(shared::CurrentSessionIndex::<T>::get().saturating_add(delay), id);
	}

	/// Deregisters a para two sessions from now. Unknown paras are fine.
	pub fn schedule_para_cleanup(id: ParaId) -> DispatchResult {
		if let Some(future) = FutureCodeHash::<T>::get(id) {
			ensure!(!PvfActiveVoteMap::<T>::contains_key(future), Error::<T>::CannotOffboard);
		}
		let next = match ParaLifecycles::<T>::get(id) {
			None => return Ok(()),
			Some(ParaLifecycle::Parathread) => ParaLifecycle::OffboardingParathread,
			Some(ParaLifecycle::Parachain) => ParaLifecycle::OffboardingParachain,
			Some(_) => return Err(Error::<T>::CannotOffboard.into()),
		};
		ensure!(T::QueueFootprinter::message_count(id) == 0, Error::<T>::CannotOffboard);
		Self::begin_transition(id, next);
		Ok(())
	}

	/// Makes a parathread a parachain two sessions from now.
	pub fn schedule_parathread_upgrade(id: ParaId) -> DispatchResult {
		let lifecycle = ParaLifecycles::<T>::get(id).ok_or(Error::<T>::NotRegistered)?;
		ensure!(lifecycle == ParaLifecycle::Parathread, Error::<T>::CannotUpgrade);
		Self::begin_transition(id, ParaLifecycle::UpgradingParathread);
		Ok(())
	}

	/// Makes a parachain a parathread two sessions from now.
	pub fn schedule_parachain_downgrade(id: ParaId) -> DispatchResult {
		let lifecycle = ParaLifecycles::<T>::get(id).ok_or(Error::<T>::NotRegistered)?;
		ensure!(lifecycle == ParaLifecycle::Parachain, Error::<T>::CannotDowngrade);
		Self::begin_transition(id, ParaLifecycle::DowngradingParachain);
		Ok(())
	}

	fn begin_transition(id: ParaId, lifecycle: ParaLifecycle) {
		ParaLifecycles::<T>::insert(id, lifecycle);
		Self::queue_action(shared::Pallet::<T>::scheduled_session(), id);
	}

	pub(super) fn queue_action(session: SessionIndex, id: ParaId) {
		ActionsQueue::<T>::mutate(session, |queue| insert_sorted(queue, id));
	}

	/// Starts a session: transitions, and the age of votes on code. Returns the paras that went.
	pub(crate) fn on_new_session(notification: &SessionChangeNotification) -> Vec<ParaId> {
		let outgoing = Self::apply_actions_queue(notification.session_index);
		Self::age_pvf_votes(notification.validators.len(), notification.new_config.pvf_voting_ttl);
		outgoing
	}

	fn apply_actions_queue(session: SessionIndex) -> Vec<ParaId> {
		let actions = ActionsQueue::<T>::take(session);
		if actions.is_empty() {
			return Vec::new();
		}
		let mut parachains = Parachains::<T>::get();
		let mut outgoing = Vec::new();
		for para in actions {
			match ParaLifecycles::<T>::get(para) {
				Some(ParaLifecycle::Onboarding) => {
					if let Some(args) = UpcomingParasGenesis::<T>::take(para) {
						Self::initialize_para_now(&mut parachains, para, &args);
					}
				},
				Some(ParaLifecycle::UpgradingParathread) => {
					insert_sorted(&mut parachains, para);
					ParaLifecycles::<T>::insert(para, ParaLifecycle::Parachain);
				},
				Some(ParaLifecycle::DowngradingParachain) => {
					parachains.retain(|id| *id != para);
					ParaLifecycles::<T>::insert(para, ParaLifecycle::Parathread);
				},
				Some(lifecycle) if lifecycle.is_offboarding() => {
					parachains.retain(|id| *id != para);
					Self::remove_para(para);
					outgoing.push(para);
				},
				Some(_) | None => {},
			}
		}
		Parachains::<T>::put(parachains);
		if !outgoing.is_empty() {
			let keep = |list: &mut Vec<(ParaId, BlockNumber)>| list.retain(|(id, _)| !outgoing.contains(id));
			UpcomingUpgrades::<T>::mutate(keep);
			UpgradeCooldowns::<T>::mutate(keep);
			FutureCodeUpgradesAt::<T>::mutate(keep);
		}
		outgoing
	}

	/// Starts a para. Code is given at genesis only; later it is known by its hash already.
	pub(super) fn initialize_para_now(parachains: &mut Vec<ParaId>, id: ParaId, args: &ParaGenesisArgs) {
		let lifecycle = match args.para_kind {
			ParaKind::Parachain => {
				insert_sorted(parachains, id);
				ParaLifecycle::Parachain
			},
			ParaKind::Parathread => ParaLifecycle::Parathread,
		};
		ParaLifecycles::<T>::insert(id, lifecycle);
		if !args.validation_code.0.is_empty() {
			let hash = args.validation_code.hash();
			Self::increase_code_ref(hash, &args.validation_code);
			CurrentCodeHash::<T>::insert(id, hash);
		}
		Heads::<T>::insert(id, &args.genesis_head);
		MostRecentContext::<T>::insert(id, 0);
	}

	fn remove_para(id: ParaId) {
		Heads::<T>::remove(id);
		MostRecentContext::<T>::remove(id);
		FutureCodeUpgrades::<T>::remove(id);
		UpgradeGoAheadSignal::<T>::remove(id);
		UpgradeRestrictionSignal::<T>::remove(id);
		ParaLifecycles::<T>::remove(id);
		Self::remove_authorization(id);
		if let Some(hash) = FutureCodeHash::<T>::take(id) {
			// A vote may run: a candidate that was included while the para was on its way out began it.
			Self::withdraw_from_vote(hash, id);
			Self::decrease_code_ref(hash);
		}
		// Its last candidates may still be disputed, so the code stays for a while.
		if let Some(hash) = CurrentCodeHash::<T>::take(id) {
			let at = now::<T>();
			Self::note_past_code(id, at, at, hash);
		}
	}
}

/// Inserts into a sorted list, once.
pub(super) fn insert_sorted<I: Ord>(list: &mut Vec<I>, item: I) {
	if let Err(at) = list.binary_search(&item) {
		list.insert(at, item);
	}
}

/// Inserts into a list that ascends by block, behind entries of the same block.
pub(super) fn insert_by_block(list: &mut Vec<(ParaId, BlockNumber)>, para: ParaId, block: BlockNumber) {
	let at = list.partition_point(|(_, other)| *other <= block);
	list.insert(at, (para, block));
}
