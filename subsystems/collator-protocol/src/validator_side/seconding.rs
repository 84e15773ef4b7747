//! From a fetched collation to backing, and what backing says of it.

use super::{Effect, Offer, ValidatorSide, NAME};
use headway_machine::{
	wire::{CollationMessage, CollationVersion, CollatorMessageV1, CollatorMessageV2, CollatorMessageV3},
	Effects, NetworkEffect, ParentHead, Reason, Reputation, SecondRequest, Stage, Timestamp, Token, Trace,
	ValidationDataQuery,
};
use headway_primitives::{
	CandidateDescriptorVersion, CandidateHash, CandidateReceiptV2, Hash, HeadData, PersistedValidationData,
	PoV, SignedFullStatement, Statement,
};
use std::sync::Arc;

/// A collation that was fetched.
#[derive(Debug)]
pub(super) struct Fetched {
	/// The fetch that brought it.
	pub(super) fetch: Token,
	pub(super) offer: Offer,
	pub(super) receipt: CandidateReceiptV2,
	pub(super) candidate_hash: CandidateHash,
	pub(super) pov: Arc<PoV>,
	pub(super) parent_head_data: Option<HeadData>,
}

impl Fetched {
	pub(super) fn trace(&self, now: Timestamp, stage: Stage) -> Trace {
		self.offer.trace(now, stage).candidate(self.candidate_hash)
	}
}

/// A collation that backing looks at.
#[derive(Debug)]
pub(super) struct Validating {
	/// The fetch that brought it.
	fetch: Token,
	pub(super) offer: Offer,
	/// Hash of the head that it produces.
	output_head: Hash,
}

/// What is wrong with a fetched collation, and what it costs.
type Fault = (Reason, Option<Reputation>);

fn malicious(reason: Reason, why: &'static str) -> Fault {
	(reason, Some(Reputation::Malicious(why)))
}

impl ValidatorSide {
	/// Checks a fetched collation against its advertisement and asks for its validation data.
	pub(super) fn kick_off(&mut self, now: Timestamp, fetched: Fetched, effects: &mut Effects<Effect>) {
		effects.trace(fetched.trace(now, Stage::Fetched));
		let at = fetched.offer.scheduling_parent;
		if self.validating.contains_key(&(at, fetched.candidate_hash)) {
			return self.fail(now, fetched, (Reason::DuplicateMessage, None), effects);
		}
		if let Err(fault) = self.check_descriptor(&fetched).and_then(|()| check_advertised(&fetched)) {
			return self.fail(now, fetched, fault, effects);
		}
		if fetched.offer.candidate.is_none() {
			// From before prospective parachains: it builds on the included head, which the leaf knows.
			match self.free_core_validation_data(&fetched.offer) {
				Some(data) => self.second(now, fetched, data, effects),
				None => self.fail(now, fetched, (Reason::UnknownParentHead, None), effects),
			}
			return;
		}
		self.ask_validation_data(now, fetched, effects);
	}

	fn ask_validation_data(&mut self, now: Timestamp, fetched: Fetched, effects: &mut Effects<Effect>) {
		let Offer { para, scheduling_parent, candidate, .. } = fetched.offer;
		let (Some(candidate), Some(block)) = (candidate, self.blocks.get(&scheduling_parent)) else {
			return self.fail(now, fetched, (Reason::OutOfView, None), effects);
		};
		let hash = candidate.parent_head_data_hash;
		let parent_head = match &fetched.parent_head_data {
			Some(head_data) => ParentHead::WithData { head_data: head_data.clone(), hash },
			None => ParentHead::OnlyHash(hash),
		};
		let token = self.tokens.next();
		let descriptor = &fetched.receipt.descriptor;
		effects.push(Effect::ValidationData(ValidationDataQuery {
			token,
			para,
			relay_parent: descriptor.relay_parent,
			session_index: descriptor.session_index().unwrap_or(block.block.session.index),
			parent_head,
		}));
		self.awaiting_data.insert(token, fetched);
	}

	/// What the descriptor must say by itself.
	fn check_descriptor(&self, fetched: &Fetched) -> Result<(), Fault> {
		let descriptor = &fetched.receipt.descriptor;
		let block = self.blocks.get(&fetched.offer.scheduling_parent).ok_or((Reason::OutOfView, None))?;
		match descriptor.version() {
			CandidateDescriptorVersion::V1 => return Ok(()),
			CandidateDescriptorVersion::V2 => {},
			CandidateDescriptorVersion::V3 if fetched.offer.descriptor.is_some() => {},
			// An honest collator offers it to a peer of version 2, for it cannot say what it is.
			CandidateDescriptorVersion::V3 => return Err((Reason::DescriptorVersion, None)),
			CandidateDescriptorVersion::Unknown(_) => {
				return Err(malicious(Reason::DescriptorVersion, "descriptor of an unknown version"))
			},
		}
		if descriptor.core_index() != block.core {
			return Err(malicious(Reason::CandidateMismatch, "collation for another core"));
		}
		if descriptor.scheduling_session() != Some(block.block.session.index) {
			return Err(malicious(Reason::CandidateMismatch, "collation for another session"));
		}
		Ok(())
	}

	/// The validation data of a candidate that builds on the included head, at a leaf where nothing of the para
	/// is pending: the assumption of a free core.
	fn free_core_validation_data(&self, offer: &Offer) -> Option<PersistedValidationData> {
		let leaf = self.view.leaf(&offer.scheduling_parent)?;
		let para = leaf.paras.get(&offer.para)?;
		let constraints = &para.constraints;
		para.pending.is_empty().then(|| PersistedValidationData {
			parent_head: constraints.required_parent.clone(),
			relay_parent_number: leaf.block.number,
			relay_parent_storage_root: leaf.block.state_root,
			max_pov_size: constraints.max_pov_size,
		})
	}

	pub(super) fn validation_data(
		&mut self,
		now: Timestamp,
		token: Token,
		data: Option<PersistedValidationData>,
		effects: &mut Effects<Effect>,
	) {
		let Some(fetched) = self.awaiting_data.remove(&token) else { return };
		match (data, fetched.offer.candidate) {
			(Some(data), _) => self.second(now, fetched, data, effects),
			(None, Some(candidate)) if fetched.parent_head_data.is_none() => {
				// Nobody told us the parent head: it has to be seconded before this one.
				let key = (fetched.offer.para, candidate.parent_head_data_hash);
				let at = fetched.offer.scheduling_parent;
				self.release(&at, fetched.fetch);
				self.parked.entry(key).or_default().push(fetched);
				self.fetch_next(now, &at, effects);
			},
			(None, _) => self.fail(now, fetched, (Reason::ValidationDataMismatch, None), effects),
		}
	}

	/// Last check, then it is backing's.
	fn second(
		&mut self,
		now: Timestamp,
		fetched: Fetched,
		data: PersistedValidationData,
		effects: &mut Effects<Effect>,
	) {
		let key = (fetched.offer.scheduling_parent, fetched.candidate_hash);
		let advertised_parent = fetched.offer.candidate.map(|candidate| candidate.parent_head_data_hash);
		if data.hash() != fetched.receipt.descriptor.persisted_validation_data_hash {
			let fault = malicious(Reason::ValidationDataMismatch, "collation with other validation data");
			return self.fail(now, fetched, fault, effects);
		}
		if advertised_parent.is_some_and(|hash| hash != data.parent_head.hash()) {
			let fault = malicious(Reason::CandidateMismatch, "collation on another parent than advertised");
			return self.fail(now, fetched, fault, effects);
		}
		if self.validating.contains_key(&key) {
			return self.fail(now, fetched, (Reason::DuplicateMessage, None), effects);
		}
		let Fetched { fetch, offer, receipt, pov, .. } = fetched;
		self.validating.insert(key, Validating { fetch, offer, output_head: receipt.descriptor.para_head });
		effects.push(Effect::Second(SecondRequest { receipt, validation_data: Arc::new(data), pov }));
	}

	fn fail(&mut self, now: Timestamp, fetched: Fetched, fault: Fault, effects: &mut Effects<Effect>) {
		let (reason, reputation) = fault;
		effects.trace(fetched.trace(now, Stage::Dropped(reason)));
		if let Some(change) = reputation {
			self.report(&fetched.offer.peer, change, effects);
		}
		self.release(&fetched.offer.scheduling_parent, fetched.fetch);
		self.room_made(now, effects);
	}

	pub(super) fn seconded(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		statement: SignedFullStatement,
		effects: &mut Effects<Effect>,
	) {
		let hash = statement.payload().candidate_hash();
		if let Some(Validating { fetch, offer, output_head }) =
			self.validating.remove(&(scheduling_parent, hash))
		{
			self.report(&offer.peer, Reputation::BenefitMinor("collation was seconded"), effects);
			self.notify_seconded(&offer, &statement, effects);
			if let Some(block) = self.blocks.get_mut(&scheduling_parent) {
				block.release(fetch);
				block.seconded.entry(offer.para).or_default().insert(hash);
			}
			self.unpark(now, (offer.para, output_head), effects);
		} else if let Statement::Seconded(receipt) = statement.payload() {
			// Not fetched by us, but children of it may be parked all the same.
			self.unpark(now, (receipt.descriptor.para_id, receipt.descriptor.para_head), effects);
		}
		self.room_made(now, effects);
	}

	fn notify_seconded(&self, offer: &Offer, statement: &SignedFullStatement, effects: &mut Effects<Effect>) {
		let Some(peer) = self.peers.get(&offer.peer) else { return };
		let (at, statement) = (offer.scheduling_parent, statement.as_unchecked().clone());
		let message = match peer.version {
			CollationVersion::V1 => CollationMessage::V1(CollatorMessageV1::CollationSeconded(at, statement)),
			CollationVersion::V2 => CollationMessage::V2(CollatorMessageV2::CollationSeconded(at, statement)),
			CollationVersion::V3 => CollationMessage::V3(CollatorMessageV3::CollationSeconded(at, statement)),
			CollationVersion::V4 => return,
		};
		let peers = vec![offer.peer.clone()];
		effects.push(Effect::Network(NetworkEffect::SendCollation { peers, message }));
	}

	/// The parent head is known now: goes on with the collations that waited for it.
	fn unpark(
		&mut self,
		now: Timestamp,
		key: (headway_primitives::ParaId, Hash),
		effects: &mut Effects<Effect>,
	) {
		for fetched in self.parked.remove(&key).unwrap_or_default() {
			self.ask_validation_data(now, fetched, effects);
		}
	}

	/// Another member of the group may have seconded a parent: asks again for everything that is parked.
	pub(super) fn retry_parked(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		for fetched in std::mem::take(&mut self.parked).into_values().flatten() {
			self.ask_validation_data(now, fetched, effects);
		}
	}

	pub(super) fn invalid(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		receipt: CandidateReceiptV2,
		effects: &mut Effects<Effect>,
	) {
		// The hash covers the commitments: another candidate with the same descriptor is not meant.
		let Some(Validating { fetch, offer, output_head }) =
			self.validating.remove(&(scheduling_parent, receipt.hash()))
		else {
			effects.trace(
				Trace::new(now, NAME, Stage::Dropped(Reason::CandidateMismatch))
					.relay_parent(scheduling_parent),
			);
			return;
		};
		self.report(&offer.peer, Reputation::Malicious("invalid collation"), effects);
		self.release(&scheduling_parent, fetch);
		for child in self.parked.remove(&(offer.para, output_head)).unwrap_or_default() {
			effects.trace(child.trace(now, Stage::Dropped(Reason::UnknownParentHead)));
		}
		self.room_made(now, effects);
	}

	pub(super) fn dropped(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		effects: &mut Effects<Effect>,
	) {
		if let Some(gone) = self.validating.remove(&(scheduling_parent, candidate_hash)) {
			self.release(&scheduling_parent, gone.fetch);
			self.room_made(now, effects);
		}
	}
}

/// A collation has to be what was advertised.
fn check_advertised(fetched: &Fetched) -> Result<(), Fault> {
	let (offer, descriptor) = (&fetched.offer, &fetched.receipt.descriptor);
	let mismatch = |why| Err(malicious(Reason::CandidateMismatch, why));
	if descriptor.scheduling_parent() != offer.scheduling_parent {
		return mismatch("collation with another scheduling parent than advertised");
	}
	if let Some((version, relay_parent)) = offer.descriptor {
		if descriptor.version() != version {
			return mismatch("collation of another version than advertised");
		}
		if descriptor.relay_parent != relay_parent {
			return mismatch("collation with another relay parent than advertised");
		}
	}
	let Some(candidate) = offer.candidate else { return Ok(()) };
	if fetched.candidate_hash != candidate.hash {
		return mismatch("another collation than advertised");
	}
	match &fetched.parent_head_data {
		Some(head_data) if head_data.hash() != candidate.parent_head_data_hash => {
			mismatch("parent head that is not the advertised one")
		},
		_ => Ok(()),
	}
}
