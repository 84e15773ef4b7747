//! A fault, for tests: collations that get to validators too late.
//!
//! The collator's machine works as ever. What it says to validators of some relay parents is held back until those have left
//! its view, as a slow network would do; all else passes at once.

use headway_machine::{
	wire::{CollationMessage, CollatorMessageV1, CollatorMessageV2, CollatorMessageV3},
	Effects, Evidence, NetworkEffect, Sizes, Subsystem, Timestamp, View,
};
use headway_pipeline::{Effect, Event};
use headway_primitives::{BlockNumber, Hash};
use std::{
	collections::VecDeque,
	sync::{Arc, Mutex, PoisonError},
};

/// Relay blocks after a relay parent has left the view until its collations are offered: validators may be behind.
const LATE_BLOCKS: BlockNumber = 2;
/// Relay parents that are remembered.
const HELD_BACK_MAX: usize = 16;

/// Relay parents whose collations are to be held back: the collator names them, the machine looks.
///
/// # Bounds
///
/// The newest 16.
#[derive(Clone, Debug, Default)]
pub struct HeldBack(Arc<Mutex<VecDeque<Hash>>>);

impl HeldBack {
	/// Holds back the collations of a relay parent. To be called before they are submitted.
	pub fn add(&self, relay_parent: Hash) {
		let mut held_back = self.0.lock().unwrap_or_else(PoisonError::into_inner);
		if held_back.len() == HELD_BACK_MAX {
			held_back.pop_front();
		}
		held_back.push_back(relay_parent);
	}

	fn contains(&self, relay_parent: &Hash) -> bool {
		self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(relay_parent)
	}
}

/// A collator's machine whose advertisements are late where [`HeldBack`] says so.
///
/// # Bounds
///
/// `waiting`: one advertisement per relay parent that is held back and peer on the collation set.
pub struct Late<Machine> {
	machine: Machine,
	held_back: HeldBack,
	view: View,
	waiting: Vec<(Hash, Effect)>,
}

impl<Machine: Subsystem<Event = Event, Effect = Effect>> Late<Machine> {
	/// Nothing is held back yet.
	pub fn new(machine: Machine, held_back: HeldBack) -> Self {
		Self { machine, held_back, view: View::default(), waiting: Vec::new() }
	}

	fn run(&mut self, run: impl FnOnce(&mut Machine, &mut Effects<Effect>), effects: &mut Effects<Effect>) {
		let mut said = Effects::new();
		run(&mut self.machine, &mut said);
		said.take_traces().into_iter().for_each(|trace| effects.trace(trace));
		while let Some(effect) = said.pop() {
			match scheduling_parent(&effect).filter(|hash| self.held_back.contains(hash)) {
				Some(hash) => self.waiting.push((hash, effect)),
				None => effects.push(effect),
			}
		}
	}

	fn release(&mut self, effects: &mut Effects<Effect>) {
		let is_late = |hash: &Hash| match self.view.left(hash) {
			Some(Evidence::LeftView { blocks_ago, .. }) => blocks_ago >= LATE_BLOCKS,
			// Its fork was lost, or its session ended: validators know as well.
			Some(_) => true,
			None => false,
		};
		let late = self.waiting.extract_if(.., |(hash, _)| is_late(hash));
		late.for_each(|(_, effect)| effects.push(effect));
	}
}

impl<Machine: Subsystem<Event = Event, Effect = Effect>> Subsystem for Late<Machine> {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		if let Event::Leaves(update) = &event {
			self.view.update(update);
		}
		self.run(|machine, said| machine.handle(now, event, said), effects);
		self.release(effects);
	}

	fn tick(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		self.run(|machine, said| machine.tick(now, said), effects);
	}

	fn next_deadline(&self) -> Option<Timestamp> {
		self.machine.next_deadline()
	}

	fn sizes(&self) -> Sizes {
		self.machine.sizes()
	}
}

/// Of what an effect advertises a collation, if it does.
fn scheduling_parent(effect: &Effect) -> Option<Hash> {
	let Effect::Network(NetworkEffect::SendCollation { message, .. }) = effect else { return None };
	match message {
		CollationMessage::V1(CollatorMessageV1::AdvertiseCollation(advert)) => Some(advert.scheduling_parent),
		CollationMessage::V2(CollatorMessageV2::AdvertiseCollation(advert)) => Some(advert.scheduling_parent),
		CollationMessage::V3(CollatorMessageV3::AdvertiseCollation(advert)) => Some(advert.scheduling_parent),
		CollationMessage::V4(segment) => Some(segment.scheduling_parent),
		_ => None,
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::{testing, wire::AdvertiseCollationV2, LeavesUpdate};
	use headway_primitives::{CandidateHash, ParaId};

	/// Advertises whatever it is asked to collate on.
	struct Eager;

	impl Subsystem for Eager {
		type Event = Event;
		type Effect = Effect;

		fn handle(&mut self, _: Timestamp, event: Event, effects: &mut Effects<Effect>) {
			let Event::CollateOn(ParaId(number)) = event else { return };
			let message = CollationMessage::V2(CollatorMessageV2::AdvertiseCollation(AdvertiseCollationV2 {
				scheduling_parent: testing::hash(number.into()),
				candidate_hash: CandidateHash(Hash::zero()),
				parent_head_data_hash: Hash::zero(),
			}));
			effects.push(Effect::Network(NetworkEffect::SendCollation { peers: Vec::new(), message }));
		}

		fn tick(&mut self, _: Timestamp, _: &mut Effects<Effect>) {}

		fn next_deadline(&self) -> Option<Timestamp> {
			None
		}

		fn sizes(&self) -> Sizes {
			Sizes::default()
		}
	}

	fn leaf(number: u32) -> Event {
		let session = testing::session(1, &[], Vec::new(), None);
		let block = |number| testing::block(number, &session, Default::default());
		let ancestry = vec![Arc::new(block(number - 1)), Arc::new(block(number - 2))];
		let activated = Some(Arc::new(testing::leaf(block(number), ancestry)));
		let deactivated = vec![testing::hash(u64::from(number) - 1)];
		Event::Leaves(LeavesUpdate { activated, deactivated })
	}

	#[test]
	fn what_is_held_back_comes_when_its_relay_parent_left_the_view_a_while_ago() {
		let held_back = HeldBack::default();
		let mut late = Late::new(Eager, held_back.clone());
		let mut advertised = |event| {
			let mut effects = Effects::new();
			late.handle(Timestamp::default(), event, &mut effects);
			effects.take().iter().filter_map(scheduling_parent).collect::<Vec<_>>()
		};
		let offer = |number| Event::CollateOn(ParaId(number));
		assert_eq!(advertised(leaf(10)), []);
		held_back.add(testing::hash(10));
		assert_eq!(advertised(offer(10)), []);
		assert_eq!(advertised(offer(9)), [testing::hash(9)]);
		// Under 12 it is in view still; it leaves with 13.
		for number in 11..=14 {
			assert_eq!(advertised(leaf(number)), [], "{number}");
		}
		assert_eq!(advertised(leaf(15)), [testing::hash(10)]);
		assert_eq!(advertised(leaf(16)), []);
	}

	#[test]
	fn what_is_held_back_is_bounded() {
		let held_back = HeldBack::default();
		(0..40).for_each(|number| held_back.add(testing::hash(number)));
		assert_eq!(held_back.0.lock().unwrap().len(), HELD_BACK_MAX);
		assert!(held_back.contains(&testing::hash(39)));
	}
}
