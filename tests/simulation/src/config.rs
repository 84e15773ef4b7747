//! What a world is made of, and what goes wrong in it.

use crate::dice::Dice;
use clap::ValueEnum;
use headway_primitives::{byzantine_threshold, ParaId};
use std::{collections::BTreeSet, ops::Range};

/// Cores of an elastic para.
pub const ELASTIC_CORES: u32 = 3;
/// Fewest validators that a core of a drawn network has: as many as have to vote.
const VALIDATORS_PER_CORE: u32 = 2;
/// Stream of decisions about sizes.
const SIZE_STREAM: u64 = 2;
/// Slots before the first storm.
const FIRST_STORM: u64 = 4;

/// Something that goes wrong during storms.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub enum Fault {
	/// Notifications are lost.
	Loss,
	/// The network falls into two halves.
	Partition,
	/// Nodes stop, and start again with what they stored.
	Crash,
	/// Two authors make a block in the same slot.
	Fork,
	/// Validators sign contradictory statements and bitfields, and tell some one thing and some the other.
	Equivocate,
	/// Validators do not say what they should, and answer nobody.
	Withhold,
	/// Validators vote for whatever they are given, answer with broken bytes and author broken inherents; collators offer
	/// candidates that are invalid.
	Garbage,
	/// Validators send statements, manifests, bitfields and requests about nothing.
	Spam,
}

impl Fault {
	/// All of them.
	pub const ALL: [Self; 8] = [
		Self::Loss,
		Self::Partition,
		Self::Crash,
		Self::Fork,
		Self::Equivocate,
		Self::Withhold,
		Self::Garbage,
		Self::Spam,
	];

	/// What validators do deliberately.
	pub const BYZANTINE: [Self; 4] = [Self::Equivocate, Self::Withhold, Self::Garbage, Self::Spam];

	/// As it is called on the command line.
	pub fn name(self) -> &'static str {
		match self {
			Self::Loss => "loss",
			Self::Partition => "partition",
			Self::Crash => "crash",
			Self::Fork => "fork",
			Self::Equivocate => "equivocate",
			Self::Withhold => "withhold",
			Self::Garbage => "garbage",
			Self::Spam => "spam",
		}
	}
}

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Config {
	/// Everything that is random follows from it.
	pub seed: u64,
	/// Validators.
	pub validators: u32,
	/// Paras; each has a collator, and a core or several.
	pub paras: u32,
	/// How many of the paras have [`ELASTIC_CORES`] cores.
	pub elastic: u32,
	/// Slots of a session.
	pub session_slots: u64,
	/// Blocks between rotations of groups over cores.
	pub rotation_blocks: u32,
	/// Least and most milliseconds that a message takes.
	pub latency_ms: Range<u64>,
	/// Messages of a thousand that are lost at all times.
	pub loss_per_mille: u64,
	/// After how many milliseconds a message that was lost is sent again, as often as it takes; what the node's transports do.
	/// If it never is, notifications are gone for good. Requests, answers and relay blocks arrive in any case.
	pub retransmit_ms: Option<u64>,
	/// Whether backing is synchronous.
	pub synchronous: bool,
	/// Whether validators run the side of the collator protocol that knows segments, and speak its version 4.
	pub segments: bool,
	/// What goes wrong during storms; nothing ever does without.
	pub faults: BTreeSet<Fault>,
	/// Validators that behave as the Byzantine faults say; at most a third count.
	pub adversaries: u32,
	/// Validators that are honest all the same.
	pub spared: BTreeSet<usize>,
	/// Slots of a storm.
	pub storm_slots: u64,
	/// Slots between storms.
	pub calm_slots: u64,
}

impl Default for Config {
	fn default() -> Self {
		Self {
			seed: 0,
			validators: 10,
			paras: 2,
			elastic: 0,
			session_slots: 100,
			rotation_blocks: 10,
			latency_ms: 20..120,
			loss_per_mille: 0,
			retransmit_ms: None,
			synchronous: false,
			segments: false,
			faults: BTreeSet::new(),
			adversaries: 0,
			spared: BTreeSet::new(),
			storm_slots: 12,
			calm_slots: 8,
		}
	}
}

impl Config {
	/// Everything goes wrong that can: all faults, a third of the validators hostile, short sessions.
	pub fn stormy(seed: u64, validators: u32, paras: u32) -> Self {
		Self {
			seed,
			validators,
			paras,
			elastic: paras / 4,
			session_slots: 25,
			faults: Fault::ALL.into(),
			adversaries: byzantine_threshold(validators as usize) as u32,
			..Self::default()
		}
	}

	/// Numbers of validators and paras of a seed: within these ranges. Of networks with few validators there are more, because
	/// time grows with their square. There are no more paras than the validators can back; `elastic` says how many of so many
	/// paras have several cores.
	pub fn draw_size(
		seed: u64,
		validators: &Range<u32>,
		paras: &Range<u32>,
		elastic: impl Fn(u32) -> u32,
	) -> (u32, u32) {
		let mut dice = Dice::new(seed, SIZE_STREAM);
		let mut draw = |of: &Range<u32>, skewed: bool| {
			let span = u64::from(of.end.saturating_sub(of.start).max(1));
			let below = if skewed { 1 + dice.below(span) } else { span };
			let below = if skewed { 1 + dice.below(below) } else { below };
			of.start + dice.below(below) as u32
		};
		let (validators, drawn) = (draw(validators, true), draw(paras, false));
		let cores = |paras: u32| paras + (ELASTIC_CORES - 1) * elastic(paras).min(paras);
		let fitting =
			(paras.start..=drawn).rev().find(|paras| cores(*paras) * VALIDATORS_PER_CORE <= validators);
		(validators, fitting.unwrap_or(paras.start))
	}

	/// The paras, with the number of their cores.
	pub fn para_cores(&self) -> Vec<(ParaId, u32)> {
		let cores = |para| if para < self.elastic { ELASTIC_CORES } else { 1 };
		(0..self.paras).map(|para| (ParaId(2000 + para), cores(para))).collect()
	}

	/// Whether a slot is stormy, by its number since genesis.
	pub fn is_stormy(&self, slot: u64) -> bool {
		let cycle = self.storm_slots + self.calm_slots;
		!self.faults.is_empty()
			&& slot.checked_sub(FIRST_STORM).is_some_and(|since| since % cycle.max(1) < self.storm_slots)
	}

	/// Slots that are left of the storm, this one included; none in calm.
	pub fn storm_left(&self, slot: u64) -> u64 {
		(slot..slot + self.storm_slots).take_while(|slot| self.is_stormy(*slot)).count() as u64
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_drawn_network_is_within_the_ranges_and_has_voters_for_every_core() {
		let quarter = |paras| paras / 4;
		let sizes: Vec<_> =
			(0..200).map(|seed| Config::draw_size(seed, &(6..21), &(2..6), quarter)).collect();
		for (validators, paras) in &sizes {
			assert!((6..21).contains(validators) && (2..6).contains(paras));
			assert!(VALIDATORS_PER_CORE * (paras + 2 * (paras / 4)) <= *validators);
		}
		assert!(sizes.iter().any(|(validators, paras)| *validators > 16 && *paras > 2));
		assert_eq!(Config::draw_size(3, &(100..101), &(20..21), quarter), (100, 20), "nothing to draw");
		assert_eq!(Config::draw_size(3, &(6..7), &(2..3), |_| 1), (6, 2), "what is asked for is not refused");
	}
}
