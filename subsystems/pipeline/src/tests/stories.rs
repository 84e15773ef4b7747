//! What a validator's machines tell of candidates, from the first offer to the words; and who is seen to work.

use super::{
	arbitrary::{Arena, Step},
	world::*,
};
use crate::{Asker, Effect, Event, Observer, Work};
use codec::Encode;
use headway_lifecycle::{Lifecycle, Outcome};
use headway_machine::{
	wire::{CollationResponse, Request},
	NetworkEffect, Reason,
};
use headway_primitives::HeadData;
use headway_prospective_parachains::Stats;
use std::sync::{Arc, Mutex};

/// A collator of para 1.
const COLLATOR: u8 = COLLATORS.start + 1;

/// The machines, whose executions take as long as the story wants.
struct Story {
	arena: Arena,
	lifecycle: Lifecycle,
	/// Executions under way.
	executions: Vec<Effect>,
}

impl Story {
	fn begin() -> Self {
		Self { arena: Arena::new(), lifecycle: Lifecycle::default(), executions: Vec::new() }
	}

	fn happens(&mut self, step: Step) {
		self.arena.take(step);
		self.answer();
	}

	fn leaf(&mut self, number: u32) {
		let (on_cores, events) = (Vec::new(), Vec::new());
		self.happens(Step::Leaf { number, fork: false, included: 0, on_cores, events, instead: Some(0) });
		self.happens(Step::View(COLLATOR, vec![number.into()]));
	}

	/// Answers all questions but executions. Collators of today hand out the parent head with a collation.
	fn answer(&mut self) {
		while !self.arena.open.is_empty() {
			match self.arena.open.remove(0) {
				execution @ Effect::Execute { .. } => self.executions.push(execution),
				Effect::Network(NetworkEffect::Request {
					token,
					request: Request::CollationV2(asked),
					..
				}) => {
					let sample = sample_of(asked.candidate_hash).expect("what was offered");
					let response = CollationResponse::CollationWithParentHeadData {
						receipt: sample.receipt.to_plain(),
						pov: (*sample.pov).clone(),
						parent_head_data: sample.data.parent_head.clone(),
					};
					self.arena.send(Event::Response { token, result: Ok(response.encode()) });
				},
				question => self.arena.answer(question, 0),
			}
		}
		for trace in self.arena.traces.drain(..) {
			self.lifecycle.record(&trace);
		}
	}

	/// The execution that has been under way for longest ends.
	fn executed(&mut self) {
		let execution = self.executions.remove(0);
		self.arena.answer(execution, 0);
		self.answer();
	}

	fn outcome(&self, sample: usize) -> Outcome {
		self.lifecycle.candidate(&samples()[sample].hash).expect("it was heard of").outcome()
	}

	/// Why a candidate is lost.
	fn lost(&self, sample: usize) -> (Reason, String) {
		match self.outcome(sample) {
			Outcome::Lost(loss) => (loss.telling(), loss.explanation()),
			outcome => panic!("{outcome:?}"),
		}
	}
}

/// The candidate of para 1 at a block that leads from one head to another.
fn sample(number: u32, parent: u8, head: u8) -> usize {
	let is_it = |sample: &Sample| {
		sample.group == 0
			&& sample.data.relay_parent_number == number
			&& sample.data.parent_head == HeadData(vec![parent])
			&& sample.receipt.commitments.head_data == HeadData(vec![head])
	};
	samples().iter().position(is_it).expect("there is one")
}

#[test]
fn what_was_lost_while_it_was_executed_stays_lost_and_its_children_name_it() {
	let (parent, child) = (sample(10, 0, 1), sample(11, 1, 3));
	let mut story = Story::begin();
	story.happens(Step::Advertise { from: COLLATOR, sample: parent });
	assert_eq!(story.executions.len(), 1);
	story.leaf(11);
	story.happens(Step::Advertise { from: COLLATOR, sample: child });
	assert_eq!(story.executions.len(), 2);
	// The code is compiled for so long that block 10 leaves the view.
	(12..=13).for_each(|number| story.leaf(number));
	story.executed();
	let (reason, words) = story.lost(parent);
	assert_eq!(reason, Reason::OutOfView);
	assert!(words.starts_with("it was too late: its scheduling parent, block #10, left"), "{words}");

	// The child is just in time, and seconded, but for nothing.
	story.executed();
	assert!(matches!(story.outcome(child), Outcome::Underway(_)), "{:?}", story.outcome(child));
	story.leaf(14);
	let (reason, words) = story.lost(child);
	assert_eq!(reason, Reason::ParentNotBacked);
	assert_eq!(
		words,
		format!("the candidate that it builds on, {:?}, was never backed", samples()[parent].hash)
	);
}

#[derive(Default)]
struct Recorder {
	at_work: Option<Asker>,
	due: Arc<Mutex<Vec<Asker>>>,
}

impl Observer for Recorder {
	fn enter(&mut self, work: &Work<'_>) {
		if let Work::Tick(machine) = work {
			self.at_work = Some(*machine);
		}
	}

	fn leave(&mut self) {
		self.due.lock().unwrap().extend(self.at_work.take());
	}

	fn prospective(&mut self, _: Stats) {}
}

#[test]
fn what_becomes_due_is_observed_like_any_other_work() {
	let recorder = Recorder::default();
	let due = recorder.due.clone();
	let mut arena = Arena::new();
	arena.machine.observe(Box::new(recorder));
	// An inherent waits until its leaf is ready, two seconds after it was activated; by then the bitfield is signed.
	arena.take(Step::Inherent(NUMBERS.start, false));
	assert_eq!(*due.lock().unwrap(), []);
	arena.take(Step::Wait(2_000));
	let due = due.lock().unwrap();
	assert!(due.contains(&Asker::Availability) && due.contains(&Asker::Provisioner), "{due:?}");
}
