//! From a fetched collation to backing: what is known of it on this way.
//!
//! Both validator sides use this. It decides neither what is fetched nor what a failure costs: that is said
//! by [`Step`] and left to the side.

use crate::{
	collation::{free_core_validation_data, Fault, Fetched, Offer},
	validator_side::Effect,
	NAME,
};
use headway_machine::{
	wire::{CollationMessage, CollationVersion, CollatorMessageV1, CollatorMessageV2, CollatorMessageV3},
	Effects, Evidence, NetworkEffect, ParentHead, PeerId, Reason, SecondRequest, Stage, Timestamp, Token,
	Tokens, Trace, ValidationDataQuery, View,
};
use headway_primitives::{
	CandidateHash, CandidateReceiptV2, Hash, ParaId, PersistedValidationData, SignedFullStatement, Statement,
};
use std::{collections::BTreeMap, sync::Arc};

/// A collation that backing looks at.
#[derive(Debug)]
pub(crate) struct Validating {
	/// The fetch that brought it.
	pub(crate) fetch: Token,
	pub(crate) offer: Offer,
	/// Hash of the head that it produces.
	pub(crate) output_head: Hash,
}

/// What became of a collation.
#[must_use]
pub(crate) enum Step {
	/// It goes on; nothing to do.
	Underway,
	/// It waits until its parent is seconded.
	Parked {
		/// Its scheduling parent.
		at: Hash,
		/// The fetch that brought it.
		fetch: Token,
	},
	/// It goes no further.
	Failed(Box<Fetched>, Fault),
}

/// Collations on their way to backing.
///
/// # Bounds
///
/// `awaiting_data`, `parked` and `validating` hold collations that were fetched, each up to the largest
/// response (16 MiB). How many are fetched is the side's to limit: by positions of the claim queue.
#[derive(Debug, Default)]
pub(crate) struct Seconding {
	pub(crate) awaiting_data: BTreeMap<Token, Fetched>,
	/// By para and hash of the parent head that is not known yet.
	pub(crate) parked: BTreeMap<(ParaId, Hash), Vec<Fetched>>,
	pub(crate) validating: BTreeMap<(Hash, CandidateHash), Validating>,
}

impl Seconding {
	/// Checks a fetched collation against its advertisement and asks for its validation data.
	pub(crate) fn begin(
		&mut self,
		now: Timestamp,
		fetched: Fetched,
		view: &View,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) -> Step {
		effects.trace(fetched.trace(now, Stage::Fetched));
		let key = (fetched.offer.scheduling_parent, fetched.candidate_hash);
		if self.validating.contains_key(&key) {
			return failed(fetched, Fault::nobodys(Reason::DuplicateMessage));
		}
		if let Err(fault) = fetched.check_descriptor(view).and_then(|()| fetched.check_advertised()) {
			return failed(fetched, fault);
		}
		if fetched.offer.candidate.is_none() {
			// From before prospective parachains: it builds on the included head, which the leaf knows.
			return match free_core_validation_data(view, &fetched.offer) {
				Some(data) => self.second(fetched, data, effects),
				None => failed(fetched, Fault::nobodys(Reason::UnknownParentHead)),
			};
		}
		self.ask(fetched, view, tokens, effects)
	}

	/// Asks for a collation's validation data.
	pub(crate) fn ask(
		&mut self,
		fetched: Fetched,
		view: &View,
		tokens: &mut Tokens,
		effects: &mut Effects<Effect>,
	) -> Step {
		let Offer { para, scheduling_parent, candidate, .. } = fetched.offer;
		let (Some(candidate), Some(block)) = (candidate, view.block(&scheduling_parent)) else {
			return failed(fetched, Fault::nobodys(Reason::OutOfView));
		};
		let hash = candidate.parent_head_data_hash;
		let parent_head = match &fetched.parent_head_data {
			Some(head_data) => ParentHead::WithData { head_data: head_data.clone(), hash },
			None => ParentHead::OnlyHash(hash),
		};
		let token = tokens.next();
		let descriptor = &fetched.receipt.descriptor;
		effects.push(Effect::ValidationData(ValidationDataQuery {
			token,
			para,
			relay_parent: descriptor.relay_parent,
			session_index: descriptor.session_index().unwrap_or(block.session.index),
			parent_head,
		}));
		self.awaiting_data.insert(token, fetched);
		Step::Underway
	}

	/// The answer to [`Self::ask`].
	pub(crate) fn validation_data(
		&mut self,
		token: Token,
		data: Option<PersistedValidationData>,
		effects: &mut Effects<Effect>,
	) -> Step {
		let Some(fetched) = self.awaiting_data.remove(&token) else { return Step::Underway };
		match (data, fetched.offer.candidate) {
			(Some(data), _) => self.second(fetched, data, effects),
			(None, Some(candidate)) if fetched.parent_head_data.is_none() => {
				// Nobody told us the parent head: it has to be seconded before this one.
				let key = (fetched.offer.para, candidate.parent_head_data_hash);
				let (at, fetch) = (fetched.offer.scheduling_parent, fetched.fetch);
				self.parked.entry(key).or_default().push(fetched);
				Step::Parked { at, fetch }
			},
			(None, _) => failed(fetched, Fault::nobodys(Reason::ValidationDataMismatch)),
		}
	}

	/// Last check, then it is backing's.
	fn second(
		&mut self,
		fetched: Fetched,
		data: PersistedValidationData,
		effects: &mut Effects<Effect>,
	) -> Step {
		let key = (fetched.offer.scheduling_parent, fetched.candidate_hash);
		if let Err(fault) = fetched.check_validation_data(&data) {
			return failed(fetched, fault);
		}
		if self.validating.contains_key(&key) {
			return failed(fetched, Fault::nobodys(Reason::DuplicateMessage));
		}
		let Fetched { fetch, offer, receipt, pov, .. } = fetched;
		self.validating.insert(key, Validating { fetch, offer, output_head: receipt.descriptor.para_head });
		effects.push(Effect::Second(SecondRequest { receipt, validation_data: Arc::new(data), pov }));
		Step::Underway
	}

	/// Backing seconded a candidate. Answers it, if it came this way, and the collations that waited for its head.
	pub(crate) fn seconded(
		&mut self,
		at: &Hash,
		statement: &SignedFullStatement,
	) -> (Option<Validating>, Vec<Fetched>) {
		let validating = self.validating.remove(&(*at, statement.payload().candidate_hash()));
		let head = match (&validating, statement.payload()) {
			(Some(Validating { offer, output_head, .. }), _) => Some((offer.para, *output_head)),
			// Not fetched by us, but children of it may be parked all the same.
			(None, Statement::Seconded(receipt)) => {
				Some((receipt.descriptor.para_id, receipt.descriptor.para_head))
			},
			(None, Statement::Valid(_)) => None,
		};
		(validating, head.map(|head| self.unpark(&head)).unwrap_or_default())
	}

	/// Backing found a candidate invalid. Answers it and the collations that waited for its head, which are lost too;
	/// none if it did not come this way.
	pub(crate) fn invalid(
		&mut self,
		now: Timestamp,
		at: Hash,
		receipt: &CandidateReceiptV2,
		effects: &mut Effects<Effect>,
	) -> Option<(Validating, Vec<Fetched>)> {
		// The hash covers the commitments: another candidate with the same descriptor is not meant.
		let Some(validating) = self.validating.remove(&(at, receipt.hash())) else {
			let trace = Trace::new(now, NAME, Stage::Dropped(Reason::CandidateMismatch));
			effects.trace(trace.relay_parent(at));
			return None;
		};
		let children = self.unpark(&(validating.offer.para, validating.output_head));
		for child in &children {
			effects.trace(child.trace(now, Stage::Dropped(Reason::UnknownParentHead)));
		}
		Some((validating, children))
	}

	/// Collations that waited for a parent head.
	fn unpark(&mut self, head: &(ParaId, Hash)) -> Vec<Fetched> {
		self.parked.remove(head).unwrap_or_default()
	}

	/// All collations that wait for a parent head.
	pub(crate) fn unpark_all(&mut self) -> Vec<Fetched> {
		std::mem::take(&mut self.parked).into_values().flatten().collect()
	}

	/// All offers whose collations are on their way.
	pub(crate) fn offers(&self) -> impl Iterator<Item = &Offer> {
		let awaiting_data = self.awaiting_data.values().map(|fetched| &fetched.offer);
		let parked = self.parked.values().flatten().map(|fetched| &fetched.offer);
		let validating = self.validating.values().map(|validating| &validating.offer);
		awaiting_data.chain(parked).chain(validating)
	}

	/// Drops what a block scheduled that left the view, `left` ago.
	pub(crate) fn forget_block(
		&mut self,
		now: Timestamp,
		hash: &Hash,
		left: Option<Evidence>,
		effects: &mut Effects<Effect>,
	) {
		let late = self.awaiting_data.extract_if(.., |_, fetched| fetched.offer.scheduling_parent == *hash);
		for (_, fetched) in late {
			effects.trace(fetched.trace(now, Stage::Dropped(Reason::OutOfView)).evidence(left));
		}
		self.parked.retain(|_, parked| {
			parked.retain(|fetched| {
				let keep = fetched.offer.scheduling_parent != *hash;
				if !keep {
					effects.trace(fetched.trace(now, Stage::Dropped(Reason::UnknownParentHead)));
				}
				keep
			});
			!parked.is_empty()
		});
		self.validating.retain(|(scheduling_parent, _), _| scheduling_parent != hash);
	}
}

fn failed(fetched: Fetched, fault: Fault) -> Step {
	Step::Failed(Box::new(fetched), fault)
}

/// Tells a collator that its collation was seconded; version 4 has no message for it.
pub(crate) fn notify_seconded(
	peer: &PeerId,
	version: CollationVersion,
	scheduling_parent: Hash,
	statement: &SignedFullStatement,
	effects: &mut Effects<Effect>,
) {
	let (at, statement) = (scheduling_parent, statement.as_unchecked().clone());
	let message = match version {
		CollationVersion::V1 => CollationMessage::V1(CollatorMessageV1::CollationSeconded(at, statement)),
		CollationVersion::V2 => CollationMessage::V2(CollatorMessageV2::CollationSeconded(at, statement)),
		CollationVersion::V3 => CollationMessage::V3(CollatorMessageV3::CollationSeconded(at, statement)),
		CollationVersion::V4 => return,
	};
	let peers = vec![peer.clone()];
	effects.push(Effect::Network(NetworkEffect::SendCollation { peers, message }));
}
