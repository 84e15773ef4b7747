//! How full the validator side with scores and segments is.

use super::{connections::PEERS_MAX, reputation::SCORES_PER_PARA_MAX, ExperimentalSide};
use crate::NAME;
use headway_machine::Sizes;

impl ExperimentalSide {
	/// Each container beside what the documentation of [`ExperimentalSide`] and its parts allows.
	pub(super) fn measure(&self) -> Sizes {
		let mut sizes = Sizes::of(NAME);
		sizes.note("blocks", self.blocks.len(), self.view.blocks().len());
		sizes.note("peers", self.connections.len(), PEERS_MAX.max(self.connections.places().len()));
		self.scores.lengths().for_each(|count| sizes.note("scores", count, SCORES_PER_PARA_MAX));

		let lookahead = self.view.leaves().map(|leaf| leaf.scheduling_lookahead as usize).max().unwrap_or(0);
		let (taken, taken_max) = self.segments.taken();
		sizes.note("segments_of_a_peer", taken_max, lookahead);
		sizes.note("segments", self.segments.len(), taken);
		self.seconding.sizes(taken, &mut sizes);
		// Each counts as a segment of its peer at its block.
		let questions_max = self.connections.len() * self.blocks.len() * lookahead;
		sizes.note("questions", self.questions.len(), questions_max);
		for (at, block) in &self.blocks {
			// What was fetched holds its position until it came to nothing.
			let on_way = self.seconding.offers().filter(|offer| offer.scheduling_parent == *at).count();
			sizes.note("collations", on_way, block.fetched.len());
		}
		sizes
	}
}
