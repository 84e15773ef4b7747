//! What validators do that mean harm. They run the same machines as everybody: what these say is tampered with on its way,
//! and other things are said besides.

use super::{node::node_of, Item, World};
use crate::{config::Fault, keys::sign};
use bitvec::{order::Lsb0, vec::BitVec};
use codec::Encode;
use headway_machine::{
	wire::{
		BackedCandidateAcknowledgement, BackedCandidateManifest, BitfieldMessage, ChunkRequest,
		InboundRequest, PoVRequest, RequestProtocol, StatementFilter, StatementMessage, ValidationMessage,
	},
	BlockContext, InboundRequestId, LeafContext, NetworkEffect, NetworkEvent,
};
use headway_pipeline::Event;
use headway_primitives::{
	AvailabilityBitfield, CandidateHash, CompactStatement, GroupIndex, Hash, SigningPayload, UncheckedSigned,
	ValidatorIndex,
};
use headway_provisioner::ProvisionedData;
use sp_core::Pair as _;

/// Messages that a spammer makes at each leaf; each goes to [`SPAMMED_PEERS`].
const SPAM_MESSAGES: usize = 24;
/// Peers that get the same message.
const SPAMMED_PEERS: usize = 3;
/// Requests that a spammer makes at each leaf.
const SPAM_REQUESTS: usize = 8;

impl World {
	/// What becomes of what a node's machines say.
	pub(super) fn tamper(&mut self, node: usize, effect: NetworkEffect) -> Vec<NetworkEffect> {
		match self.nodes[node].fault().filter(|_| self.config.is_stormy(self.slot)) {
			Some(Fault::Equivocate) => self.equivocate(node, effect),
			Some(Fault::Withhold) => self.withhold(effect).into_iter().collect(),
			Some(Fault::Garbage) => vec![self.garble(effect)],
			_ => vec![effect],
		}
	}

	/// Half of the peers are told the contrary, some of them the truth as well.
	fn equivocate(&mut self, node: usize, effect: NetworkEffect) -> Vec<NetworkEffect> {
		let NetworkEffect::SendValidation { peers, message } = effect else { return vec![effect] };
		let lie = match &message {
			ValidationMessage::Statement(StatementMessage::Statement(at, statement)) => {
				self.contradict(node, *at, statement)
			},
			ValidationMessage::Bitfield(BitfieldMessage::Bitfield(at, bitfield)) => {
				let mut bits = bitfield.payload.clone();
				let bit = self.hostile.below(bits.0.len() as u64) as usize;
				if let Some(mut bit) = bits.0.get_mut(bit) {
					*bit = !*bit;
				}
				self.signed_by(node, *at, bitfield.validator_index, bits)
					.map(|bitfield| ValidationMessage::Bitfield(BitfieldMessage::Bitfield(*at, bitfield)))
			},
			_ => None,
		};
		let Some(lie) = lie else { return vec![NetworkEffect::SendValidation { peers, message }] };
		let (fooled, told): (Vec<_>, Vec<_>) =
			peers.into_iter().partition(|peer| node_of(peer).is_some_and(|peer| peer % 2 == 0));
		let mut said = vec![
			NetworkEffect::SendValidation { peers: told, message: message.clone() },
			NetworkEffect::SendValidation { peers: fooled.clone(), message: lie },
		];
		if self.hostile.chance(500) {
			said.push(NetworkEffect::SendValidation { peers: fooled, message });
		}
		said
	}

	/// A statement that does not go together with one of the node's own.
	fn contradict(
		&mut self,
		node: usize,
		at: Hash,
		statement: &UncheckedSigned<CompactStatement>,
	) -> Option<ValidationMessage> {
		let candidate = statement.payload.candidate_hash();
		let lie = match statement.payload {
			CompactStatement::Valid(_) => CompactStatement::Seconded(candidate),
			CompactStatement::Seconded(_) if self.hostile.chance(500) => CompactStatement::Valid(candidate),
			CompactStatement::Seconded(_) => CompactStatement::Seconded(self.some_candidate()),
		};
		let lie = self.signed_by(node, at, statement.validator_index, lie)?;
		Some(ValidationMessage::Statement(StatementMessage::Statement(at, lie)))
	}

	/// Signs as a node's validator; none if the index is another's.
	fn signed_by<P: SigningPayload>(
		&mut self,
		node: usize,
		at: Hash,
		validator_index: ValidatorIndex,
		payload: P,
	) -> Option<UncheckedSigned<P>> {
		let block = self.contexts.block(at).ok()?;
		let pair = &self.keys[node];
		if block.session.validator(validator_index) != Some(&pair.public()) {
			return None;
		}
		let signature = sign(pair, &payload.signing_payload(&block.signing_context()));
		Some(UncheckedSigned { payload, validator_index, signature })
	}

	/// Half of what should be said is not, and no question is answered.
	fn withhold(&mut self, effect: NetworkEffect) -> Option<NetworkEffect> {
		match effect {
			NetworkEffect::SendValidation { .. } if self.hostile.chance(500) => None,
			NetworkEffect::Respond { id, .. } if self.hostile.chance(500) => {
				Some(NetworkEffect::Respond { id, response: None, reputation: None })
			},
			NetworkEffect::Respond { .. } => None,
			other => Some(other),
		}
	}

	/// Answers are broken.
	fn garble(&mut self, effect: NetworkEffect) -> NetworkEffect {
		match effect {
			NetworkEffect::Respond { id, response: Some(mut bytes), reputation } => {
				let place = self.hostile.below(bytes.len() as u64) as usize;
				match self.hostile.below(3) {
					0 => bytes.truncate(place),
					1 => bytes.push(0),
					_ => bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 0x40),
				}
				NetworkEffect::Respond { id, response: Some(bytes), reputation }
			},
			other => other,
		}
	}

	/// An author's offer with something wrong in it.
	pub(super) fn spoil(&mut self, mut data: ProvisionedData) -> ProvisionedData {
		let candidates = &mut data.backed_candidates;
		let place = self.hostile.below(candidates.len() as u64) as usize;
		match self.hostile.below(5) {
			0 => candidates.reverse(),
			1 => candidates.extend(candidates.get(place).cloned()),
			2 => {
				if let Some(candidate) = candidates.get_mut(place) {
					let (indices, core) = candidate.validator_indices_and_core_index();
					let mut indices: BitVec<u8, Lsb0> = indices.to_bitvec();
					indices.fill(true);
					candidate.set_validator_indices_and_core_index(indices, core);
				}
			},
			3 => data.bitfields.reverse(),
			_ => data.bitfields.iter_mut().take(1).for_each(|bitfield| bitfield.payload.0.push(true)),
		}
		data
	}

	/// A candidate that is spoken of, or one that there is not.
	fn some_candidate(&mut self) -> CandidateHash {
		self.candidates.make_contiguous();
		let (known, _) = self.candidates.as_slices();
		match self.hostile.pick(known) {
			Some(known) if self.hostile.chance(700) => *known,
			_ => CandidateHash(Hash::from(self.hostile.bytes::<32>())),
		}
	}

	/// A spammer sends all that it can think of when it has a new leaf.
	pub(super) fn spam(&mut self, node: usize, leaf: &LeafContext) {
		if !self.acts(node, Fault::Spam) {
			return;
		}
		let Some(index) = leaf.block.session.local_validator else { return };
		let peers: Vec<usize> = self.nodes[node].peers.iter().copied().collect();
		for _ in 0..SPAM_MESSAGES {
			let Some(message) = self.nonsense(node, &leaf.block, index) else { continue };
			for _ in 0..SPAMMED_PEERS {
				let Some(to) = self.hostile.pick(&peers).copied() else { return };
				let peer = self.nodes[node].peer.clone();
				self.send(node, to, NetworkEvent::Validation { peer, message: message.clone() });
			}
		}
		for _ in 0..SPAM_REQUESTS {
			let Some(to) = self.hostile.pick(&peers).copied() else { return };
			let candidate_hash = self.some_candidate();
			let index = ValidatorIndex(self.hostile.below(200) as u32);
			let (protocol, payload) = match self.hostile.below(4) {
				0 => (RequestProtocol::PoV, PoVRequest { candidate_hash }.encode()),
				1 => (RequestProtocol::ChunkV2, ChunkRequest { candidate_hash, index }.encode()),
				2 => (RequestProtocol::AttestedCandidate, candidate_hash.encode()),
				_ => (RequestProtocol::AvailableData, self.hostile.bytes::<33>().to_vec()),
			};
			let peer = self.nodes[node].peer.clone();
			// Nobody waits for the answer.
			let request = InboundRequest { peer, id: InboundRequestId(self.number()), protocol, payload };
			let (at, life) = (self.now + self.network.delay(), self.nodes[to].life);
			self.at(at, Item::Deliver { node: to, life, from: None, event: Event::Request(request) });
		}
	}

	/// A message about nothing, or about something that is not so.
	fn nonsense(
		&mut self,
		node: usize,
		block: &BlockContext,
		index: ValidatorIndex,
	) -> Option<ValidationMessage> {
		let candidate_hash = self.some_candidate();
		let n_groups = u64::from(block.n_groups());
		let group_index = GroupIndex(self.hostile.below(n_groups + 1) as u32);
		let size = block.session.group(group_index).map_or(7, <[_]>::len);
		let size = if self.hostile.chance(100) { 64 } else { size };
		let statement_knowledge = StatementFilter::full(size);
		let message = match self.hostile.below(7) {
			0 => {
				let statement = CompactStatement::Seconded(candidate_hash);
				StatementMessage::Statement(block.hash, self.signed_by(node, block.hash, index, statement)?)
			},
			1 => {
				let statement = CompactStatement::Valid(candidate_hash);
				StatementMessage::Statement(block.hash, self.signed_by(node, block.hash, index, statement)?)
			},
			2 => {
				let statement = CompactStatement::Seconded(candidate_hash);
				let mut signed = self.signed_by(node, block.hash, index, statement)?;
				signed.validator_index = ValidatorIndex(self.hostile.below(200) as u32);
				StatementMessage::Statement(block.hash, signed)
			},
			3 => {
				let statement = CompactStatement::Seconded(candidate_hash);
				let signed = self.signed_by(node, block.hash, index, statement)?;
				StatementMessage::Statement(Hash::from(self.hostile.bytes::<32>()), signed)
			},
			4 => {
				let claims = block.claim_queue.values().filter_map(|claims| claims.front().copied());
				let paras: Vec<_> = claims.collect();
				StatementMessage::BackedCandidateManifest(BackedCandidateManifest {
					scheduling_parent: block.hash,
					candidate_hash,
					group_index,
					para_id: *self.hostile.pick(&paras)?,
					parent_head_data_hash: Hash::from(self.hostile.bytes::<32>()),
					statement_knowledge,
				})
			},
			5 => StatementMessage::BackedCandidateKnown(BackedCandidateAcknowledgement {
				candidate_hash,
				statement_knowledge,
			}),
			_ => {
				let bits = self.hostile.below(n_groups + 2) as usize;
				let bits = AvailabilityBitfield(BitVec::repeat(self.hostile.chance(500), bits));
				let bitfield = self.signed_by(node, block.hash, index, bits)?;
				return Some(ValidationMessage::Bitfield(BitfieldMessage::Bitfield(block.hash, bitfield)));
			},
		};
		Some(ValidationMessage::Statement(message))
	}
}
