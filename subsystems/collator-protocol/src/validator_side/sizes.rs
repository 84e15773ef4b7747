//! How full the validator side is.

use super::{peers::PeerState, HoldOff, ValidatorSide, SET_ASIDE_PER_BLOCK_MAX};
use crate::{collation::Offer, NAME};
use headway_machine::{wire::VIEW_HEADS_MAX, Sizes};
use headway_primitives::{Hash, ParaId};
use std::collections::{BTreeMap, BTreeSet};

impl ValidatorSide {
	/// Each container beside what the documentation of [`ValidatorSide`] allows.
	pub(super) fn measure(&self) -> Sizes {
		let mut sizes = Sizes::of(NAME);
		sizes.note("blocks", self.blocks.len(), self.view.blocks().len());
		let peers = self.config.collation_slots + self.config.invulnerables.len();
		sizes.note("peers", self.peers.len(), peers);
		sizes.note("collators", self.collators.len(), self.peers.len());

		let mut recorded = BTreeMap::<Hash, usize>::new();
		for peer in self.peers.values() {
			sizes.note("heads", peer.heads.len(), VIEW_HEADS_MAX);
			let PeerState::Collating(collating) = &peer.state else { continue };
			sizes.note("advertised_blocks", collating.advertised.len(), self.blocks.len());
			for (at, adverts) in &collating.advertised {
				sizes.note("advertised", adverts.len(), self.lookahead(at) + 1);
				*recorded.entry(*at).or_default() += adverts.len();
			}
		}
		sizes.note("questions", self.questions.len(), recorded.values().sum());
		self.seconding.sizes(recorded.values().sum(), &mut sizes);
		let (mut holding, mut holding_off) = (0, 0);
		for (at, block) in &self.blocks {
			sizes.note("set_aside", block.set_aside.len(), SET_ASIDE_PER_BLOCK_MAX);
			if let HoldOff::Running(held) = &block.hold_off {
				sizes.note("held_off", held.len(), recorded.get(at).copied().unwrap_or(0));
				holding_off += 1;
			}
			holding += usize::from(block.holder.is_some());
		}
		sizes.note("timers", self.timers.len(), self.peers.len() + holding + holding_off);
		for ((at, _), count) in self.collations() {
			sizes.note("collations", count, self.lookahead(&at));
		}
		sizes
	}

	/// Places in the claim queue of a core.
	fn lookahead(&self, at: &Hash) -> usize {
		self.view.leaves_with(at).map(|leaf| leaf.scheduling_lookahead as usize).max().unwrap_or(0)
	}

	/// How many collations of a para are waiting at a block, on their way, or seconded: each holds a place.
	fn collations(&self) -> BTreeMap<(Hash, ParaId), usize> {
		let place = |offer: &Offer| (offer.scheduling_parent, offer.para);
		let waiting = self.blocks.values().flat_map(|block| block.waiting.values().flatten()).map(place);
		let fetches = self.fetches.values().map(|fetch| place(&fetch.offer));
		let fetched = self.seconding.offers().map(place);
		let seconded = self.blocks.iter().flat_map(|(at, block)| {
			block
				.seconded
				.iter()
				.flat_map(|(para, hashes): (_, &BTreeSet<_>)| hashes.iter().map(|_| (*at, *para)))
		});
		let mut collations = BTreeMap::new();
		for place in waiting.chain(fetches).chain(fetched).chain(seconded) {
			*collations.entry(place).or_default() += 1;
		}
		collations
	}
}
