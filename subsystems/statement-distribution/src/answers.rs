//! How fast requests are answered.
//!
//! This machine answers at once, so that there is nothing to run in parallel. The protocol's limits on parallel answers
//! (at most five, at most one per peer) become limits per time: in each [`WINDOW`] at most [`ANSWERS_PER_WINDOW`] requests
//! are answered, at most one of each peer. What is beyond waits for the next window, and a peer that has a request waiting
//! gets no second one in: no honest peer has two requests to us under way.

use headway_machine::{wire::AttestedCandidateRequest, InboundRequestId, PeerId, Sizes, Timestamp};
use std::{
	collections::{BTreeSet, VecDeque},
	time::Duration,
};

/// Time in which [`ANSWERS_PER_WINDOW`] answers are given.
pub(crate) const WINDOW: Duration = Duration::from_millis(50);
/// Answers in a [`WINDOW`].
pub(crate) const ANSWERS_PER_WINDOW: usize = 5;
/// Requests that may wait: those beyond would time out before their turn.
pub(crate) const WAITING_MAX: usize = 128;

/// A request that waits for its answer.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Waiting {
	/// Names it.
	pub(crate) id: InboundRequestId,
	/// Who asks.
	pub(crate) peer: PeerId,
	/// For what.
	pub(crate) request: AttestedCandidateRequest,
}

/// Requests that wait to be answered, first come first served among those whose peer got no answer in the window.
///
/// # Bounds
///
/// `waiting`: one request per peer and [`WAITING_MAX`] together, each at most 1000 bytes; `answered`: peers of a window,
/// [`ANSWERS_PER_WINDOW`]. Peers need a connection each to fill it, and then delay others by at most 128 / 5 windows.
#[derive(Debug, Default)]
pub(crate) struct Answers {
	waiting: VecDeque<Waiting>,
	window_end: Timestamp,
	answered: BTreeSet<PeerId>,
}

impl Answers {
	/// Takes a request in. Gives it back if its peer has one waiting already, or too many wait.
	pub(crate) fn admit(&mut self, request: Waiting) -> Result<(), Waiting> {
		let second = self.waiting.iter().any(|waiting| waiting.peer == request.peer);
		if second || self.waiting.len() >= WAITING_MAX {
			return Err(request);
		}
		self.waiting.push_back(request);
		Ok(())
	}

	/// The next request to answer now.
	pub(crate) fn next(&mut self, now: Timestamp) -> Option<Waiting> {
		if self.window_end <= now {
			self.window_end = now + WINDOW;
			self.answered.clear();
		}
		if self.answered.len() >= ANSWERS_PER_WINDOW {
			return None;
		}
		let position = self.waiting.iter().position(|waiting| !self.answered.contains(&waiting.peer))?;
		let next = self.waiting.remove(position)?;
		self.answered.insert(next.peer.clone());
		Some(next)
	}

	/// Notes how full it is.
	pub(crate) fn sizes(&self, sizes: &mut Sizes) {
		sizes.note("waiting_requests", self.waiting.len(), WAITING_MAX);
		sizes.note("answered", self.answered.len(), ANSWERS_PER_WINDOW);
	}

	/// When waiting requests can be answered.
	pub(crate) fn deadline(&self) -> Option<Timestamp> {
		(!self.waiting.is_empty()).then_some(self.window_end)
	}
}

#[cfg(any(test, feature = "fuzzing"))]
impl Answers {
	/// Whether each peer has one request at most.
	pub(crate) fn has_one_per_peer(&self) -> bool {
		let peers: BTreeSet<_> = self.waiting.iter().map(|waiting| &waiting.peer).collect();
		peers.len() == self.waiting.len()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::{testing::peer, wire::StatementFilter};
	use headway_primitives::CandidateHash;

	fn waiting(from: u8, id: u64) -> Waiting {
		let request = AttestedCandidateRequest {
			candidate_hash: CandidateHash::default(),
			mask: StatementFilter::blank(0),
		};
		Waiting { id: InboundRequestId(id), peer: peer(from), request }
	}

	fn answer_all(answers: &mut Answers, now: u64) -> Vec<u64> {
		let next = || answers.next(Timestamp::from_unix_ms(now)).map(|waiting| waiting.id.0);
		std::iter::from_fn(next).collect()
	}

	#[test]
	fn five_in_a_window_and_the_rest_waits() {
		let mut answers = Answers::default();
		for n in 0..7 {
			answers.admit(waiting(n, n.into())).unwrap();
		}
		assert_eq!(answer_all(&mut answers, 1_000), [0, 1, 2, 3, 4]);
		assert_eq!(answers.deadline(), Some(Timestamp::from_unix_ms(1_050)));
		assert!(answer_all(&mut answers, 1_049).is_empty());
		assert_eq!(answer_all(&mut answers, 1_050), [5, 6]);
		assert_eq!(answers.deadline(), None);
	}

	#[test]
	fn one_request_of_a_peer_at_a_time() {
		let mut answers = Answers::default();
		answers.admit(waiting(1, 1)).unwrap();
		assert!(answers.admit(waiting(1, 2)).is_err(), "its first still waits");
		assert_eq!(answer_all(&mut answers, 1_000), [1]);
		// Answered, so that the peer may ask again, but not faster than once in a window.
		answers.admit(waiting(1, 3)).unwrap();
		answers.admit(waiting(2, 4)).unwrap();
		assert_eq!(answer_all(&mut answers, 1_010), [4]);
		assert_eq!(answer_all(&mut answers, 1_050), [3]);
	}

	#[test]
	fn not_more_wait_than_can_be_answered() {
		let mut answers = Answers::default();
		for n in 0..WAITING_MAX {
			answers.admit(waiting(n as u8, n as u64)).unwrap();
		}
		assert!(answers.admit(waiting(255, 255)).is_err());
	}
}
