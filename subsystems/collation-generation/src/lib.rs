//! Collation generation: from a parachain block to a candidate.
//!
//! A parachain's collator hands in blocks ([`Event::Submit`]) with what they were built on. This machine
//! turns each into a candidate: it compresses the proof of validity, checks its size, commits to the erasure
//! root, writes the descriptor, checks that the relay chain will accept the core that the block selects, and
//! passes all of them on for distribution ([`Effect::Distribute`]), or none of them ([`Effect::Rejected`]).
//! Backing pipeline §6.
//!
//! It never builds a block, never asks the relay chain for anything that is not in a leaf's context, and
//! never encodes chunks itself: that is slow, leaves as [`Effect::Encode`] and returns as [`Event::Encoded`].
//!
//! # Map
//!
//! - this module: the machine, its events and effects
//! - `submission`: a submission on its way; pure checks and construction
//! - `error`: why a submission is rejected

#![forbid(unsafe_code)]

mod error;
mod submission;

pub use error::SubmitError;

use headway_erasure_coding::Error as EncodeError;
use headway_machine::{
	DistributeSegment, Effects, LeavesUpdate, Sizes, Stage, SubmitSegment, Subsystem, Timestamp, Token,
	Tokens, Trace, View,
};
use headway_primitives::{AvailableData, Hash, ParaId};
use std::{collections::BTreeMap, sync::Arc};
use submission::Submission;

/// Most collations of one submission: as many as an advertisement can name.
pub const COLLATIONS_PER_SUBMISSION_MAX: usize = 32;
/// Most submissions that wait for their erasure roots at a time.
pub const SUBMISSIONS_PENDING_MAX: usize = 16;

const NAME: &str = "collation-generation";

/// What can happen to collation generation.
#[derive(Clone, Debug)]
pub enum Event {
	/// The active leaves changed.
	Leaves(LeavesUpdate),
	/// Candidates are to be made for this para. The first one counts.
	Initialize {
		/// The para.
		para: ParaId,
	},
	/// Candidates are to be made for this para, whatever was said before.
	Reinitialize {
		/// The para.
		para: ParaId,
	},
	/// A collator built blocks.
	Submit(SubmitSegment),
	/// Answer to [`Effect::Encode`].
	Encoded {
		/// The question's token.
		token: Token,
		/// The erasure root.
		root: Result<Hash, EncodeError>,
	},
}

/// What collation generation asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
	/// To the collator side of the collator protocol: advertise these candidates.
	Distribute(DistributeSegment),
	/// To the driver: compute the erasure root of the data (`headway_erasure_coding::erasure_root`).
	Encode {
		/// Names the question.
		token: Token,
		/// Validators of the session.
		n_validators: usize,
		/// What is encoded.
		data: Arc<AvailableData>,
	},
	/// To whoever submitted: nothing of the submission is distributed.
	Rejected {
		/// Scheduling parent of the submission.
		scheduling_parent: Hash,
		/// Why.
		error: SubmitError,
	},
}

/// Collation generation.
///
/// # Bounds
///
/// Everything here comes from our own chain and from the collator that shares this node; no peer reaches it.
///
/// - `view`: see [`View`].
/// - `submissions`: at most [`SUBMISSIONS_PENDING_MAX`], each with at most [`COLLATIONS_PER_SUBMISSION_MAX`]
///   collations of at most `max_pov_size` bytes.
/// - `questions`: one entry per collation of a pending submission.
#[derive(Default)]
pub struct CollationGeneration {
	para: Option<ParaId>,
	view: View,
	tokens: Tokens,
	next_submission: u64,
	submissions: BTreeMap<u64, Submission>,
	/// Which submission, and which of its collations, an erasure root is for.
	questions: BTreeMap<Token, (u64, usize)>,
}

impl CollationGeneration {
	/// Not initialized yet.
	pub fn new() -> Self {
		Self::default()
	}

	fn submit(&mut self, now: Timestamp, segment: SubmitSegment, effects: &mut Effects<Effect>) {
		let scheduling_parent = segment.scheduling_parent;
		match self.prepare(segment) {
			Ok(submission) => {
				let id = self.next_submission;
				self.next_submission += 1;
				for (index, data) in submission.data_to_encode() {
					let token = self.tokens.next();
					self.questions.insert(token, (id, index));
					effects.push(Effect::Encode { token, n_validators: submission.n_validators(), data });
				}
				self.submissions.insert(id, submission);
			},
			Err(error) => self.reject(now, scheduling_parent, error, effects),
		}
	}

	fn prepare(&self, segment: SubmitSegment) -> Result<Submission, SubmitError> {
		let para = self.para.ok_or(SubmitError::NotInitialized)?;
		if self.submissions.len() >= SUBMISSIONS_PENDING_MAX {
			return Err(SubmitError::Busy);
		}
		let block =
			self.view.block(&segment.scheduling_parent).ok_or(SubmitError::UnknownSchedulingParent)?;
		Submission::new(para, block, segment)
	}

	fn encoded(
		&mut self,
		now: Timestamp,
		token: Token,
		root: Result<Hash, EncodeError>,
		effects: &mut Effects<Effect>,
	) {
		let Some((id, index)) = self.questions.remove(&token) else { return };
		// The submission is gone if another of its collations failed to encode.
		let Some(submission) = self.submissions.get_mut(&id) else { return };
		let outcome =
			root.map_err(SubmitError::Encoding).map(|root| submission.set_erasure_root(index, root));
		match outcome {
			Ok(false) => {},
			Ok(true) => {
				let Some(submission) = self.submissions.remove(&id) else { return };
				let segment = submission.into_segment();
				for candidate in &segment.candidates {
					effects.trace(
						Trace::new(now, NAME, Stage::Built)
							.candidate(candidate.receipt.hash())
							.descriptor(&candidate.receipt.descriptor)
							.parent_head(candidate.parent_head_data.hash()),
					);
				}
				effects.push(Effect::Distribute(segment));
			},
			Err(error) => {
				let scheduling_parent = submission.scheduling_parent();
				self.submissions.remove(&id);
				self.questions.retain(|_, (submission, _)| *submission != id);
				self.reject(now, scheduling_parent, error, effects);
			},
		}
	}

	fn reject(
		&self,
		now: Timestamp,
		scheduling_parent: Hash,
		error: SubmitError,
		effects: &mut Effects<Effect>,
	) {
		let mut trace =
			Trace::new(now, NAME, Stage::Dropped(error.reason())).scheduling_parent(scheduling_parent);
		trace.para = self.para;
		effects.trace(trace);
		effects.push(Effect::Rejected { scheduling_parent, error });
	}
}

impl Subsystem for CollationGeneration {
	type Event = Event;
	type Effect = Effect;

	fn handle(&mut self, now: Timestamp, event: Event, effects: &mut Effects<Effect>) {
		match event {
			Event::Leaves(update) => {
				self.view.update(&update);
			},
			Event::Initialize { para } => {
				self.para.get_or_insert(para);
			},
			Event::Reinitialize { para } => self.para = Some(para),
			Event::Submit(segment) => self.submit(now, segment, effects),
			Event::Encoded { token, root } => self.encoded(now, token, root, effects),
		}
	}

	fn tick(&mut self, _now: Timestamp, _effects: &mut Effects<Effect>) {}

	fn next_deadline(&self) -> Option<Timestamp> {
		None
	}

	fn sizes(&self) -> Sizes {
		let mut sizes = Sizes::of(NAME);
		sizes.note("submissions", self.submissions.len(), SUBMISSIONS_PENDING_MAX);
		let collations = self.submissions.len() * COLLATIONS_PER_SUBMISSION_MAX;
		sizes.note("questions", self.questions.len(), collations);
		sizes
	}
}

#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod tests;

#[cfg(feature = "fuzzing")]
pub use tests::arbitrary::check_arbitrary;
