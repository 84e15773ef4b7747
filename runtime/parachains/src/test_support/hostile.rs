//! Inherent data as honest nodes would make it, and then spoiled.

use super::Entropy;
use crate::{
	configuration,
	disputes::testing::Vote,
	inclusion,
	mock::{Candidate, Chain, Test},
	scheduler, shared,
};
use alloc::{collections::BTreeSet, format, string::String, vec, vec::Vec};
use bitvec::prelude::{BitVec, Lsb0};
use codec::Encode;
use headway_primitives::{
	ump::{ClaimQueueOffset, CoreSelector, UmpSignal, UMP_SEPARATOR},
	BackedCandidate, BlockNumber, CandidateHash, CoreIndex, DisputeStatementSet, FeatureIndex, HeadData,
	Header, InherentData, OutboundHrmpMessage, ParaId, UncheckedSignedAvailabilityBitfield, ValidationCode,
	ValidatorIndex,
};

/// Inherent data, and whether it is as honest nodes make it.
pub(super) struct Made {
	pub(super) data: InherentData<Header>,
	pub(super) honest: bool,
}

/// Makes inherent data, block after block.
pub(super) struct Maker {
	n_paras: u32,
	/// Heads that were made, so that each is new.
	heads: usize,
	/// Candidates of earlier blocks.
	stale: Vec<BackedCandidate>,
}

impl Maker {
	pub(super) fn new(n_paras: u32) -> Self {
		Self { n_paras, heads: 0, stale: Vec::new() }
	}

	/// Data for the block to come.
	pub(super) fn make(&mut self, chain: &Chain, entropy: &mut Entropy) -> Made {
		// A quarter of all blocks is honest as far as the world lets them be.
		let honest = entropy.chance(64);
		let mut candidates = Vec::new();
		for para in (0..self.n_paras).map(|i| 2000 + i) {
			self.chain_of(para, chain, entropy, honest, &mut candidates);
		}
		let mut bitfields = self.bitfields(chain, entropy);
		let mut parent_header = chain.parent();
		let mut disputes = Vec::new();
		if !honest {
			self.spoil_list(&mut candidates, entropy);
			spoil_bitfields(chain, &mut bitfields, entropy);
			if entropy.chance(4) {
				parent_header.state_root = entropy.hash();
			}
			if entropy.chance(32) {
				let pending = inclusion::Pallet::<Test>::occupied_cores();
				let hashes: Vec<_> = pending
					.into_iter()
					.map(|(_, pending)| pending.receipt().hash())
					.chain(candidates.iter().chain(&self.stale).map(BackedCandidate::hash))
					.collect();
				disputes = (0..1 + entropy.below(3)).map(|_| dispute(&hashes, entropy)).collect();
				if entropy.chance(48) {
					disputes.push(disputes[0].clone());
				}
			}
		}
		self.stale.extend(candidates.iter().take(2).cloned());
		if self.stale.len() > 6 {
			self.stale.drain(..self.stale.len() - 6);
		}
		let data = InherentData { bitfields, backed_candidates: candidates, disputes, parent_header };
		Made { data, honest }
	}

	/// A chain of candidates of a para on cores that it may use.
	fn chain_of(
		&mut self,
		para: u32,
		chain: &Chain,
		entropy: &mut Entropy,
		honest: bool,
		candidates: &mut Vec<BackedCandidate>,
	) {
		let id = ParaId(para);
		let config = configuration::ActiveConfig::<Test>::get();
		let claims = scheduler::Pallet::<Test>::predict_claim_queue(chain.number());
		let assigned: Vec<CoreIndex> =
			claims.iter().filter(|(_, paras)| paras.front() == Some(&id)).map(|(core, _)| *core).collect();
		let occupied: BTreeSet<_> =
			inclusion::Pallet::<Test>::occupied_cores().into_iter().map(|(core, _)| core).collect();
		let mut free: Vec<_> = assigned.iter().copied().filter(|core| !occupied.contains(core)).collect();
		let restricted = config.is_synchronous()
			|| crate::initializer::Pallet::<Test>::upcoming_session_change()
			|| !shared::Pallet::<Test>::disabled_validators().is_empty();
		if honest && restricted {
			// What is left even of honest data in such blocks is not predicted here.
			return;
		}
		let Some(mut parent) = inclusion::Pallet::<Test>::latest_head(id).map(text) else { return };
		let mut oldest = inclusion::Pallet::<Test>::most_recent_context(id).unwrap_or(0);
		let n = entropy.below(free.len() + 1 + usize::from(!honest)).min(4);
		for _ in 0..n {
			let core = match free.is_empty() {
				true if honest => return,
				true => CoreIndex(entropy.below(4) as u32),
				false => free.remove(entropy.below(free.len())),
			};
			self.heads += 1;
			let to = format!("{para}-{}", self.heads);
			let relay_parent = relay_parent(chain, entropy, oldest, &config);
			oldest = relay_parent;
			let candidate = chain.candidate_at(relay_parent, para, &parent, &to);
			let candidate = on_core(candidate, core);
			if candidate.group().is_empty() {
				// Nobody could vote for it.
				if honest {
					return;
				}
				continue;
			}
			let mut candidate = versioned(chain, candidate, &assigned, entropy, &config);
			candidate.votes = candidate.group().len().min(2 + entropy.below(2));
			if !honest && entropy.chance(72) {
				spoil(&mut candidate, chain, entropy);
			}
			candidate.votes = candidate.votes.min(candidate.group().len());
			let mut backed = candidate.back();
			if !honest && entropy.chance(48) {
				spoil_votes(&mut backed, entropy);
			}
			candidates.push(backed);
			parent = to;
		}
	}

	/// Bitfields of the validators, of whom some have seen some chunks.
	fn bitfields(
		&mut self,
		chain: &Chain,
		entropy: &mut Entropy,
	) -> Vec<UncheckedSignedAvailabilityBitfield> {
		let n_cores = scheduler::Pallet::<Test>::n_cores() as usize;
		let n_validators = shared::ActiveValidatorKeys::<Test>::get().len() as u32;
		let common = entropy.byte();
		(0..n_validators)
			.filter_map(|index| {
				if entropy.chance(32) {
					return None;
				}
				// Validators agree more often than not.
				let seen = if entropy.chance(96) { entropy.byte() } else { common };
				let bits: BitVec<u8, Lsb0> = (0..n_cores).map(|core| seen >> (core % 8) & 1 == 1).collect();
				Some(chain.sign_bitfield(ValidatorIndex(index), bits))
			})
			.collect()
	}

	/// Duplicates, holes, wrong order, and candidates of earlier blocks.
	fn spoil_list(&mut self, candidates: &mut Vec<BackedCandidate>, entropy: &mut Entropy) {
		if entropy.chance(32) && !self.stale.is_empty() {
			let old = self.stale[entropy.below(self.stale.len())].clone();
			candidates.insert(entropy.below(candidates.len() + 1), old);
		}
		if candidates.is_empty() {
			return;
		}
		if entropy.chance(48) {
			let again = candidates[entropy.below(candidates.len())].clone();
			candidates.insert(entropy.below(candidates.len() + 1), again);
		}
		if entropy.chance(32) {
			candidates.remove(entropy.below(candidates.len()));
		}
		if entropy.chance(48) && !candidates.is_empty() {
			let (a, b) = (entropy.below(candidates.len()), entropy.below(candidates.len()));
			candidates.swap(a, b);
		}
		if entropy.chance(16) {
			candidates.reverse();
		}
	}
}

/// The text of a head. All heads of the mock are text.
fn text(head: HeadData) -> String {
	String::from_utf8_lossy(&head.0).into_owned()
}

/// A relay parent that candidates may have: of the session, in the window, not older than `oldest`.
fn relay_parent(
	chain: &Chain,
	entropy: &mut Entropy,
	oldest: BlockNumber,
	config: &configuration::HostConfiguration,
) -> BlockNumber {
	let newest = chain.number() - 1;
	let session = shared::CurrentSessionIndex::<Test>::get();
	let mut candidate = newest;
	for _ in 0..entropy.below(3) {
		let Some(older) = candidate.checked_sub(1) else { break };
		let hash = chain.headers[older as usize].hash();
		let in_window = older + config.scheduling_parents_max() >= chain.number()
			&& shared::AllowedSchedulingParents::<Test>::get().acquire_info(hash).is_some()
			&& shared::Pallet::<Test>::relay_parent_info(session, hash).is_some();
		if older < oldest || !in_window {
			break;
		}
		candidate = older;
	}
	candidate
}

fn on_core(candidate: Candidate, core: CoreIndex) -> Candidate {
	let mut candidate = candidate.describe(|d| d.core_index = core.0 as u16);
	candidate.core = core;
	candidate
}

/// Gives the candidate one of the versions that are allowed, with signals where it needs or may have them.
fn versioned(
	chain: &Chain,
	candidate: Candidate,
	assigned: &[CoreIndex],
	entropy: &mut Entropy,
	config: &configuration::HostConfiguration,
) -> Candidate {
	let position = assigned.iter().position(|core| *core == candidate.core).unwrap_or(0) as u8;
	let select = UmpSignal::SelectCore(CoreSelector(position), ClaimQueueOffset(0));
	let signals = vec![UMP_SEPARATOR, select.encode()];
	let with_signals = |candidate: Candidate| {
		candidate.commit(|c| c.upward_messages = signals.try_into().expect("two messages"))
	};
	match entropy.below(4) {
		1 => candidate.describe(|d| d.reserved1 = [1; 24]),
		2 => with_signals(candidate),
		3 if FeatureIndex::CandidateReceiptV3.is_set(&config.node_features) => {
			// Scheduled by the newest block.
			let newest = chain.parent();
			let session = shared::CurrentSessionIndex::<Test>::get();
			let mut candidate = with_signals(candidate).describe(|d| {
				if let Ok(v3) = d.clone().into_v3(newest.hash(), session) {
					*d = v3;
				}
			});
			candidate.scheduled_at = newest.number;
			candidate
		},
		_ => candidate,
	}
}

/// Spoils a candidate before its group votes for it.
fn spoil(candidate: &mut Candidate, chain: &Chain, entropy: &mut Entropy) {
	let (descriptor, commitments) = (&mut candidate.receipt.descriptor, &mut candidate.receipt.commitments);
	let byte = entropy.byte();
	let any_header = |byte: u8| chain.headers[usize::from(byte) % chain.headers.len()].hash();
	match entropy.below(24) {
		0 => descriptor.version = byte,
		1 => descriptor.core_index = byte.into(),
		2 => {
			descriptor.session_index =
				descriptor.session_index.wrapping_add(u32::from(byte % 3)).wrapping_sub(1)
		},
		3 => descriptor.relay_parent = entropy.hash(),
		4 => descriptor.relay_parent = any_header(byte),
		5 => descriptor.reserved1[usize::from(byte) % 24] = 1,
		6 => descriptor.reserved2[usize::from(byte) % 32] = 1,
		7 => descriptor.scheduling_parent = any_header(byte),
		8 => descriptor.scheduling_session_offset = byte,
		9 => descriptor.persisted_validation_data_hash = entropy.hash(),
		10 => descriptor.validation_code_hash = Default::default(),
		11 => descriptor.para_head = entropy.hash(),
		12 => descriptor.para_id = ParaId(1999 + u32::from(byte % 6)),
		// Text, as all heads of the mock.
		13 => commitments.head_data = HeadData(vec![byte & 0x7f; usize::from(byte % 128)]),
		14 => {
			let message = vec![byte; usize::from(byte) * 2];
			let messages = vec![message; usize::from(byte % 6)];
			commitments.upward_messages = messages.try_into().expect("few messages");
		},
		15 => {
			// Signals: none, garbage, twice the same, three, for another core or depth.
			let select = UmpSignal::SelectCore(CoreSelector(byte), ClaimQueueOffset(byte % 5)).encode();
			let peer = UmpSignal::ApprovedPeer(vec![byte].try_into().expect("short")).encode();
			let signals = match byte % 6 {
				0 => vec![],
				1 => vec![vec![byte]],
				2 => vec![select.clone(), select],
				3 => vec![select.clone(), peer, select],
				4 => vec![peer],
				_ => vec![select],
			};
			let messages = [vec![UMP_SEPARATOR], signals].concat();
			commitments.upward_messages = messages.try_into().expect("few messages");
		},
		16 => {
			let message =
				OutboundHrmpMessage { recipient: ParaId(2000 + u32::from(byte % 4)), data: vec![byte] };
			let messages = vec![message; 1 + usize::from(byte % 2)];
			commitments.horizontal_messages = messages.try_into().expect("few messages");
		},
		17 | 18 => commitments.new_validation_code = Some(ValidationCode(vec![byte; usize::from(byte) + 1])),
		19 => commitments.processed_downward_messages = byte.into(),
		20 => commitments.hrmp_watermark = byte.into(),
		21 => candidate.votes = usize::from(byte % 2),
		22 => candidate.core = CoreIndex(u32::from(byte % 6)),
		_ => {
			// So large that one or two of them do not fit into a block. Rare: they take long.
			if entropy.chance(48) {
				let mebibytes = if byte.is_multiple_of(2) { 3 } else { 5 };
				commitments.new_validation_code = Some(ValidationCode(vec![byte; mebibytes << 20]));
			}
		},
	}
	// With the right hash of a spoiled head, more often than not.
	if entropy.chance(160) {
		candidate.receipt.descriptor.para_head = candidate.receipt.commitments.head_data.hash();
	}
}

/// Spoils the votes for a candidate.
fn spoil_votes(backed: &mut BackedCandidate, entropy: &mut Entropy) {
	let byte = entropy.byte();
	let (votes, core) = backed.validator_indices_and_core_index();
	let mut votes = votes.to_bitvec();
	let mut core = core;
	match entropy.below(9) {
		0 if backed.validity_votes.len() > 1 => backed.validity_votes.swap(0, 1),
		1 => drop(backed.validity_votes.pop()),
		2 => {
			if let Some(vote) = backed.validity_votes.first().cloned() {
				backed.validity_votes.push(vote);
			}
		},
		3 if !votes.is_empty() => {
			let position = usize::from(byte) % votes.len();
			let bit = votes[position];
			votes.set(position, !bit);
		},
		4 => votes.resize(usize::from(byte % 20), byte.is_multiple_of(2)),
		5 => core = None,
		6 => core = Some(CoreIndex(byte.into())),
		7 => votes.clear(),
		_ => {
			// The signature of somebody else, under another kind.
			use headway_primitives::ValidityAttestation::{Explicit, Implicit};
			if let Some(vote) = backed.validity_votes.first_mut() {
				*vote = match vote.clone() {
					Implicit(signature) => Explicit(signature),
					Explicit(signature) => Implicit(signature),
				};
			}
		},
	}
	backed.set_validator_indices_and_core_index(votes, core);
}

/// Spoils bitfields: every way in which one can be malformed.
fn spoil_bitfields(
	chain: &Chain,
	bitfields: &mut Vec<UncheckedSignedAvailabilityBitfield>,
	entropy: &mut Entropy,
) {
	for _ in 0..entropy.below(3) {
		if bitfields.is_empty() {
			return;
		}
		let at = entropy.below(bitfields.len());
		let byte = entropy.byte();
		match entropy.below(8) {
			0 => {
				// Whoever it is from by now.
				let n_validators = shared::ActiveValidatorKeys::<Test>::get().len() as u32;
				let validator = ValidatorIndex(bitfields[at].validator_index.0 % n_validators);
				bitfields[at] = chain.sign_bitfield(validator, BitVec::repeat(true, usize::from(byte % 16)));
			},
			1 => bitfields.insert(at, bitfields[at].clone()),
			2 => {
				let other = entropy.below(bitfields.len());
				bitfields.swap(at, other);
			},
			3 => bitfields[at].validator_index = ValidatorIndex(byte.into()),
			4 => bitfields[at].validator_index = ValidatorIndex(u32::MAX),
			5 => bitfields[at].signature = bitfields[usize::from(byte) % bitfields.len()].signature.clone(),
			6 => {
				// Signed, then changed.
				if !bitfields[at].payload.0.is_empty() {
					let bit = bitfields[at].payload.0[0];
					bitfields[at].payload.0.set(0, !bit);
				}
			},
			_ => bitfields[at].payload.0.clear(),
		}
	}
}

/// A dispute with votes of validators, some of them spoiled.
fn dispute(hashes: &[CandidateHash], entropy: &mut Entropy) -> DisputeStatementSet {
	let hash = match hashes.get(entropy.below(hashes.len() + 1)) {
		Some(hash) => *hash,
		None => CandidateHash(entropy.hash()),
	};
	let current = shared::CurrentSessionIndex::<Test>::get();
	let session = if entropy.chance(48) { entropy.below(3) as u32 } else { current };
	// One more than there are.
	let n_validators = shared::ActiveValidatorKeys::<Test>::get().len() + usize::from(entropy.chance(16));
	let mut votes = Vec::new();
	let unanimous = entropy.chance(128);
	for validator in 0..n_validators as u32 {
		let vote = match (unanimous, validator) {
			(true, 0) => Vote::Seconded,
			(true, _) => Vote::Against,
			(false, _) => match entropy.below(7) {
				0 | 1 => Vote::Against,
				2 => Vote::For,
				3 => Vote::Seconded,
				4 => Vote::Backed,
				5 => Vote::Approved,
				_ => continue,
			},
		};
		votes.push((validator, vote));
	}
	if entropy.chance(32) {
		if let Some(again) = votes.first().cloned() {
			votes.push(again);
		}
	}
	let mut set = crate::disputes::testing::dispute(session, hash, &votes);
	if entropy.chance(32) && !set.statements.is_empty() {
		let at = entropy.below(set.statements.len());
		set.statements[at].2 = sp_core::sr25519::Signature::default().into();
	}
	if entropy.chance(32) {
		set.statements.reverse();
	}
	set
}
