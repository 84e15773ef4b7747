//! Which validators we want to be connected to.

use super::{CollatorSide, Effect};
use headway_machine::{BlockContext, Effects, NetworkEffect, PeerSet};
use headway_primitives::{AuthorityDiscoveryId, CoreIndex};
use std::collections::BTreeSet;

impl CollatorSide {
	pub(super) fn keep_connections(&mut self, keep: bool, effects: &mut Effects<Effect>) {
		if std::mem::replace(&mut self.keeps_connections, keep) != keep {
			self.refresh_connections(effects);
		}
	}

	/// Asks for what the mode demands.
	pub(super) fn refresh_connections(&mut self, effects: &mut Effects<Effect>) {
		if self.para.is_none() {
			return;
		}
		if self.keeps_connections {
			self.connect_to_assigned_groups(effects);
		} else if self.peers.values().any(|peer| !peer.authority_ids.is_empty()) {
			// Nothing to shrink if we are connected to no validator.
			let stored =
				self.blocks.iter().filter_map(|(hash, stored)| Some((self.view.block(hash)?, stored)));
			let keys = stored.flat_map(|(block, stored)| {
				stored.segments.keys().flat_map(|core| group_keys(block, *core)).collect::<Vec<_>>()
			});
			connect(keys.collect(), effects);
		}
	}

	/// Asks for all groups of our para's cores, at any block that may still schedule a collation.
	pub(super) fn connect_to_assigned_groups(&self, effects: &mut Effects<Effect>) {
		let Some(para) = self.para else { return };
		let blocks = self.view.blocks();
		let keys = blocks.values().flat_map(|block| {
			let ours = block.claim_queue.iter().filter(|(_, queue)| queue.contains(&para));
			ours.flat_map(|(core, _)| group_keys(block, *core)).collect::<Vec<_>>()
		});
		connect(keys.collect(), effects);
	}
}

fn group_keys(block: &BlockContext, core: CoreIndex) -> Vec<AuthorityDiscoveryId> {
	let group = block.session.group(block.group_for_core(core)).unwrap_or_default();
	group.iter().filter_map(|index| block.session.discovery_key(*index).cloned()).collect()
}

fn connect(keys: BTreeSet<AuthorityDiscoveryId>, effects: &mut Effects<Effect>) {
	let validators = keys.into_iter().collect();
	effects.push(Effect::Network(NetworkEffect::ConnectToValidators { validators, set: PeerSet::Collation }));
}
