//! Who is told what: declarations and advertisements.

use super::{CollatorSide, Effect, NAME, PEERS_MAX, UNKNOWN_HEADS_MAX};
use headway_machine::{
	wire::{
		AdvertiseCollationV2, AdvertiseCollationV3, AdvertiseSegment, CollationMessage, CollationVersion,
		CollatorMessageV2, CollatorMessageV3, SegmentEntry, VIEW_HEADS_MAX,
	},
	BuiltCandidate, Effects, NetworkEffect, PeerId, PeerSet, Reason, Reputation, Sizes, Stage, Timestamp,
	Trace, View,
};
use headway_primitives::{AuthorityDiscoveryId, CandidateDescriptorVersion, Hash, ParaId, ValidatorIndex};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	sync::Arc,
};

/// Former keys that are remembered of a peer. A validator has a new one per session at most.
const FORMER_IDS_MAX: usize = 16;

/// A connected peer.
#[derive(Debug)]
pub(super) struct Peer {
	version: CollationVersion,
	pub(super) authority_ids: BTreeSet<AuthorityDiscoveryId>,
	/// Keys that it had before, since it connected.
	former_ids: BTreeSet<AuthorityDiscoveryId>,
	/// Heads of its view, at most 5 (the network sees to it).
	heads: Vec<Hash>,
	/// Heads that it told when we did not know them yet; they count once we do.
	early_heads: VecDeque<Hash>,
	was_declared_to: bool,
}

impl Peer {
	#[cfg(any(test, feature = "fuzzing"))]
	pub(super) fn early_heads_len(&self) -> usize {
		self.early_heads.len()
	}

	/// Notes how full it is.
	pub(super) fn sizes(&self, sizes: &mut Sizes) {
		sizes.note("heads", self.heads.len(), VIEW_HEADS_MAX);
		sizes.note("early_heads", self.early_heads.len(), UNKNOWN_HEADS_MAX);
		sizes.note("former_ids", self.former_ids.len(), FORMER_IDS_MAX);
	}

	/// Whether a block is in the peer's view, or under a head of it.
	fn sees(&self, view: &View, hash: &Hash) -> bool {
		view.leaves_with(hash).any(|leaf| {
			let above =
				leaf.allowed_blocks().take_while(|block| block.hash != *hash).map(|block| &block.hash);
			above.chain([hash]).any(|block| self.heads.contains(block) || self.early_heads.contains(block))
		})
	}
}

/// Candidates for one core at one block.
#[derive(Debug)]
pub(super) struct Segment {
	para: ParaId,
	version: CandidateDescriptorVersion,
	/// The group, by discovery key.
	validators: BTreeMap<AuthorityDiscoveryId, ValidatorIndex>,
	/// Never empty.
	candidates: Vec<Arc<BuiltCandidate>>,
	advertised_to: BTreeSet<ValidatorIndex>,
}

impl Segment {
	pub(super) fn new(
		para: ParaId,
		version: CandidateDescriptorVersion,
		validators: BTreeMap<AuthorityDiscoveryId, ValidatorIndex>,
		candidates: Vec<Arc<BuiltCandidate>>,
	) -> Self {
		Self { para, version, validators, candidates, advertised_to: BTreeSet::new() }
	}

	/// Members of the group that a peer is.
	fn members<'a>(
		&'a self,
		authority_ids: &'a BTreeSet<AuthorityDiscoveryId>,
	) -> impl Iterator<Item = ValidatorIndex> + 'a {
		authority_ids.iter().filter_map(|key| self.validators.get(key).copied())
	}

	/// Segments only exist for version 4; before, the last candidate stands for those it builds on. Nothing for
	/// a peer that would have to refuse it: version 2 cannot say what descriptors of version 3 need.
	fn message(&self, at: Hash, version: CollationVersion) -> Option<CollationMessage> {
		let tip = self.candidates.last()?;
		let is_v3 = tip.receipt.descriptor.version() == CandidateDescriptorVersion::V3;
		let (candidate_hash, parent_head_data_hash) = (tip.receipt.hash(), tip.parent_head_data.hash());
		Some(match version {
			CollationVersion::V1 => return None,
			CollationVersion::V2 if is_v3 => return None,
			CollationVersion::V2 => {
				CollationMessage::V2(CollatorMessageV2::AdvertiseCollation(AdvertiseCollationV2 {
					scheduling_parent: at,
					candidate_hash,
					parent_head_data_hash,
				}))
			},
			CollationVersion::V3 => {
				CollationMessage::V3(CollatorMessageV3::AdvertiseCollation(AdvertiseCollationV3 {
					scheduling_parent: at,
					candidate_hash,
					parent_head_data_hash,
					candidate_descriptor_version: tip.receipt.descriptor.version(),
					relay_parent: tip.receipt.descriptor.relay_parent,
				}))
			},
			CollationVersion::V4 => {
				let entries = self.candidates.iter().map(|candidate| SegmentEntry {
					output_head_data_hash: candidate.receipt.descriptor.para_head,
					parent_head_data_hash: candidate.parent_head_data.hash(),
					claim_queue_offset: 0,
				});
				CollationMessage::V4(AdvertiseSegment {
					scheduling_parent: at,
					para_id: self.para,
					candidates_descriptor_version: self.version,
					// Collation generation makes no longer ones.
					candidates: entries.collect::<Vec<_>>().try_into().ok()?,
				})
			},
		})
	}
}

impl CollatorSide {
	pub(super) fn peer_connected(
		&mut self,
		peer: PeerId,
		version: CollationVersion,
		authority_ids: BTreeSet<AuthorityDiscoveryId>,
		effects: &mut Effects<Effect>,
	) {
		self.peer_disconnected(&peer);
		// Version 1 is from before prospective parachains: such a validator could not second what we offer.
		if version == CollationVersion::V1 || self.peers.len() >= PEERS_MAX {
			return close(peer, effects);
		}
		let entry = Peer {
			version,
			authority_ids,
			former_ids: BTreeSet::new(),
			heads: Vec::new(),
			early_heads: VecDeque::new(),
			was_declared_to: false,
		};
		self.peers.insert(peer.clone(), entry);
		self.declare_to(&peer, effects);
	}

	pub(super) fn peer_disconnected(&mut self, peer: &PeerId) {
		let Some(gone) = self.peers.remove(peer) else { return };
		for segment in self.blocks.values_mut().flat_map(|stored| stored.segments.values_mut()) {
			let members: Vec<_> =
				segment.members(&gone.authority_ids).chain(segment.members(&gone.former_ids)).collect();
			members.iter().for_each(|member| {
				segment.advertised_to.remove(member);
			});
		}
	}

	/// Says who we are, once it is known that the peer is a validator.
	fn declare_to(&mut self, peer: &PeerId, effects: &mut Effects<Effect>) {
		let (Some(para), Some(known)) = (self.para, self.peers.get_mut(peer)) else { return };
		if known.was_declared_to || known.authority_ids.is_empty() {
			return;
		}
		let (collator, signature) = (self.declaration.collator.clone(), self.declaration.signature.clone());
		let message = match known.version {
			CollationVersion::V2 => {
				CollationMessage::V2(CollatorMessageV2::Declare(collator, para, signature))
			},
			CollationVersion::V3 => {
				CollationMessage::V3(CollatorMessageV3::Declare(collator, para, signature))
			},
			// The first segment says it.
			CollationVersion::V4 => return,
			CollationVersion::V1 => return,
		};
		known.was_declared_to = true;
		let peers = vec![peer.clone()];
		effects.push(Effect::Network(NetworkEffect::SendCollation { peers, message }));
	}

	pub(super) fn peer_view(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		heads: Vec<Hash>,
		effects: &mut Effects<Effect>,
	) {
		let Some(known) = self.peers.get_mut(&peer) else { return };
		for head in &heads {
			if !self.view.contains(head) && !known.early_heads.contains(head) {
				if known.early_heads.len() >= UNKNOWN_HEADS_MAX {
					known.early_heads.pop_front();
				}
				known.early_heads.push_back(*head);
			}
		}
		known.heads = heads;
		self.advertise_to(now, &peer, effects);
	}

	pub(super) fn authority_ids(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		authority_ids: BTreeSet<AuthorityDiscoveryId>,
		effects: &mut Effects<Effect>,
	) {
		let Some(known) = self.peers.get_mut(&peer) else { return };
		let former_ids = std::mem::replace(&mut known.authority_ids, authority_ids);
		known.former_ids.extend(former_ids);
		while known.former_ids.len() > FORMER_IDS_MAX {
			known.former_ids.pop_first();
		}
		self.advertise_to(now, &peer, effects);
	}

	pub(super) fn advertise_everything(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		let peers: Vec<PeerId> = self.peers.keys().cloned().collect();
		peers.iter().for_each(|peer| self.advertise_to(now, peer, effects));
	}

	/// Offers a peer all that is for its group, in its view, and not offered yet.
	fn advertise_to(&mut self, now: Timestamp, peer: &PeerId, effects: &mut Effects<Effect>) {
		self.declare_to(peer, effects);
		let Some(known) = self.peers.get(peer) else { return };
		for (at, stored) in &mut self.blocks {
			if !known.sees(&self.view, at) {
				continue;
			}
			for segment in stored.segments.values_mut() {
				let members: Vec<_> = segment.members(&known.authority_ids).collect();
				if members.iter().all(|member| segment.advertised_to.contains(member)) {
					continue;
				}
				let Some(message) = segment.message(*at, known.version) else { continue };
				if segment.advertised_to.is_empty() {
					trace_advertised(now, at, segment, effects);
				}
				segment.advertised_to.extend(members);
				let peers = vec![peer.clone()];
				effects.push(Effect::Network(NetworkEffect::SendCollation { peers, message }));
			}
		}
	}

	pub(super) fn message(
		&mut self,
		now: Timestamp,
		peer: PeerId,
		message: CollationMessage,
		effects: &mut Effects<Effect>,
	) {
		use headway_machine::wire::CollatorMessageV1;
		let is_advertisement = match &message {
			CollationMessage::V1(CollatorMessageV1::CollationSeconded(..))
			| CollationMessage::V2(CollatorMessageV2::CollationSeconded(..))
			| CollationMessage::V3(CollatorMessageV3::CollationSeconded(..)) => return,
			CollationMessage::V1(CollatorMessageV1::Declare(..))
			| CollationMessage::V2(CollatorMessageV2::Declare(..))
			| CollationMessage::V3(CollatorMessageV3::Declare(..)) => false,
			CollationMessage::V1(CollatorMessageV1::AdvertiseCollation(_))
			| CollationMessage::V2(CollatorMessageV2::AdvertiseCollation(_))
			| CollationMessage::V3(CollatorMessageV3::AdvertiseCollation(_))
			| CollationMessage::V4(_) => true,
		};
		// Another collator took us for a validator.
		effects.trace(Trace::new(now, NAME, Stage::Dropped(Reason::UnexpectedMessage)));
		if is_advertisement {
			let change = Reputation::CostMinor("advertisement to a collator");
			effects.push(Effect::Network(NetworkEffect::Report { peer: peer.clone(), change }));
		}
		self.peer_disconnected(&peer);
		close(peer, effects);
	}
}

fn close(peer: PeerId, effects: &mut Effects<Effect>) {
	effects.push(Effect::Network(NetworkEffect::Disconnect { peer, set: PeerSet::Collation }));
}

fn trace_advertised(now: Timestamp, at: &Hash, segment: &Segment, effects: &mut Effects<Effect>) {
	for candidate in &segment.candidates {
		let trace = Trace::new(now, NAME, Stage::Advertised).candidate(candidate.receipt.hash());
		effects.trace(trace.para(segment.para).scheduling_parent(*at));
	}
}
