//! When nodes stop and the network falls apart, and whether all goes on afterwards.

use super::{Item, World, SLOT};
use crate::{config::Fault, dice::Dice, judge::Violation};
use headway_primitives::{byzantine_threshold, CandidateEvent, ParaId};
use std::{collections::BTreeSet, time::Duration};

/// First stream of decisions about the weather: one for each fault.
const STREAM: u64 = 16;
/// Of a thousand stormy slots, those in which the network falls apart, and those in which a node stops.
const PARTITIONS_PER_MILLE: u64 = 200;
const CRASHES_PER_MILLE: u64 = 400;
/// Notifications of a thousand that are lost in a storm.
const LOSS_PER_MILLE: u64 = 50;
/// Slots that a partition lasts, or a node is down.
const SLOTS_MAX: u64 = 4;
/// Relay blocks until something is backed again, of any para. One that is made in the very slot in which all is well is
/// made of what its author heard in the storm, and does not count. A node that starts then never hears of what was voted
/// for earlier, nor can it place what builds on that: a statement is sent to a validator once.
const RESUMES_AFTER: u32 = 2;
/// Relay blocks until something of every para is backed again. A core can be held for all of the availability period (4
/// blocks) by a candidate that was backed in the storm; then its para needs the two blocks that every para needs, and two
/// more where what was offered in the meantime built on the candidate that timed out.
const PARAS_RESUME_AFTER: u32 = 8;

/// Decisions about the weather.
pub(super) struct Weather {
	partitions: Dice,
	crashes: Dice,
	forks: Dice,
}

impl Weather {
	pub(super) fn new(seed: u64) -> Self {
		let dice = |fault| Dice::new(seed, STREAM + fault as u64);
		Self { partitions: dice(Fault::Partition), crashes: dice(Fault::Crash), forks: dice(Fault::Fork) }
	}

	/// One of these, in so many of a thousand cases.
	pub(super) fn twin(&mut self, of: &[usize], per_mille: u64) -> Option<usize> {
		let (happens, who) = (self.forks.chance(per_mille), self.forks.pick(of).copied());
		who.filter(|_| happens)
	}
}

/// Everything is well again since a slot, after a block, in a session.
pub(super) struct Recovery {
	slot: u64,
	since: u32,
	/// The same, or the block of that slot.
	resumes_since: u32,
	session: u32,
}

impl Recovery {
	fn new(slot: u64, since: u32, session: u32) -> Self {
		Self { slot, since, resumes_since: since, session }
	}
}

impl World {
	/// A new slot: the weather may change.
	pub(super) fn change_weather(&mut self) {
		let (is, was) = (self.config.is_stormy(self.slot), self.config.is_stormy(self.slot - 1));
		if was && !is {
			return self.calm();
		}
		if !is {
			return;
		}
		if !was {
			self.log.push(self.now, format_args!("a storm begins"));
			self.recovery = None;
			if self.config.faults.contains(&Fault::Loss) {
				self.network.loss_per_mille = LOSS_PER_MILLE.max(self.config.loss_per_mille);
			}
		}
		let slots = self.config.storm_left(self.slot).clamp(1, SLOTS_MAX);
		if self.config.faults.contains(&Fault::Partition) {
			self.maybe_split(slots);
		}
		if self.config.faults.contains(&Fault::Crash) {
			self.maybe_crash(slots);
		}
	}

	fn maybe_split(&mut self, slots_max: u64) {
		let dice = &mut self.weather.partitions;
		let (happens, slots) = (dice.chance(PARTITIONS_PER_MILLE), 1 + dice.below(slots_max));
		let halves: Vec<_> = self.halves.iter().map(|_| dice.below(3) == 0).collect();
		if !happens || self.halves.contains(&true) {
			return;
		}
		self.halves = halves;
		let side: Vec<_> = (0..self.halves.len()).filter(|node| self.halves[*node]).collect();
		self.log.push(self.now, format_args!("the network falls apart: {side:?}"));
		for node in side {
			for other in self.nodes[node].peers.clone() {
				if !self.are_joined(node, other) {
					self.disconnect(node, other);
				}
			}
		}
		self.at(self.now + SLOT * slots as u32, Item::Rejoin);
	}

	/// The network is whole again.
	pub(super) fn rejoin(&mut self) {
		if !self.halves.contains(&true) {
			return;
		}
		self.log.push(self.now, format_args!("the network is whole again"));
		self.halves.fill(false);
		self.reconnect();
		for node in 0..self.nodes.len() {
			if !self.nodes[node].is_down {
				self.catch_up(node);
			}
		}
	}

	fn maybe_crash(&mut self, slots_max: u64) {
		let dice = &mut self.weather.crashes;
		let (happens, slots) = (dice.chance(CRASHES_PER_MILLE), 1 + dice.below(slots_max));
		let (node, ms) = (dice.below(self.nodes.len() as u64) as usize, dice.below(5_000));
		let down = self.nodes.iter().filter(|node| node.is_down).count();
		if happens && !self.nodes[node].is_down && down < byzantine_threshold(self.keys.len()) {
			self.stop(node);
			self.at(self.now + SLOT * slots as u32 + Duration::from_millis(ms), Item::Restart(node));
		}
	}

	/// All faults are over.
	fn calm(&mut self) {
		self.log.push(self.now, format_args!("the storm is over"));
		self.network.loss_per_mille = self.config.loss_per_mille;
		self.rejoin();
		for node in 0..self.nodes.len() {
			self.nodes[node].banned.clear();
		}
		for node in 0..self.nodes.len() {
			self.restart(node);
		}
		self.reconnect();
		self.recovery = Some(Recovery::new(self.slot, self.best.0, self.session()));
	}

	/// The best chain is a shorter one than before: its blocks count.
	pub(super) fn outdate_recovery(&mut self) {
		let number = self.best.0;
		if let Some(recovery) = &mut self.recovery {
			recovery.since = recovery.since.min(number);
			recovery.resumes_since = recovery.resumes_since.min(number);
		}
	}

	/// There is a new best block: did candidates get into the blocks since all is well?
	pub(super) fn judge_recovery(&mut self) {
		let (session, slot) = (self.session(), self.slot);
		let number = self.best.0;
		let Some(recovery) = &mut self.recovery else { return };
		if recovery.session != session {
			// The session's end frees all cores and outdates all scheduling parents: it counts from here.
			*recovery = Recovery::new(slot, number, session);
			return;
		}
		if recovery.slot == slot {
			recovery.resumes_since = number;
		}
		let since = recovery.since;
		if number == recovery.resumes_since + RESUMES_AFTER && self.backed_since(since).is_empty() {
			self.accuse(Violation::Stalled { since });
		}
		if number == since + PARAS_RESUME_AFTER {
			let backed = self.backed_since(since);
			let paras = self.config.para_cores().into_iter().map(|(para, _)| para);
			for para in paras.filter(|para| !backed.contains(para)).collect::<Vec<_>>() {
				self.accuse(Violation::ParaStalled { para, since });
			}
			self.recovery = None;
		}
	}

	/// Paras with candidates backed after a block of the best chain.
	fn backed_since(&self, since: u32) -> BTreeSet<ParaId> {
		let blocks = self.ledger.chain(self.best.1).take_while(|(_, header)| header.number > since);
		let mut backed = BTreeSet::new();
		for (hash, _) in blocks {
			for event in self.events.get(&hash).into_iter().flatten() {
				if let CandidateEvent::CandidateBacked(receipt, ..) = event {
					backed.insert(receipt.descriptor.para_id);
				}
			}
		}
		backed
	}
}
