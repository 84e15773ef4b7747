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
	Effects, Evidence, NetworkEffect, ParentHead, PeerId, Reason, SecondRequest, Sizes, Stage, Timestamp,
	Token, Tokens, Trace, ValidationDataQuery, View,
};
use headway_primitives::{
	CandidateHash, CandidateReceiptV2, Hash, ParaId, PersistedValidationData, SignedFullStatement, Statement,
};
use std::{
	cmp::Reverse,
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

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
	/// It would wait, as another one of its collator does already: it is given up until its parent is seconded.
	GivenUp(Box<Fetched>),
	/// It goes no further.
	Failed(Box<Fetched>, Fault),
}

/// Collations on their way to backing.
///
/// # Bounds
///
/// `awaiting_data`, `parked` and `validating` hold collations that were fetched, each up to the largest
/// response (16 MiB). How many are fetched is the side's to limit: by positions of the claim queue. Of one peer there is at most
/// one in `parked`: whoever claims parents that do not exist keeps one position, and that only as long as nobody else wants it
/// ([`Self::victim`]). `orphans` holds offers without their collations, no more than advertisements were taken.
#[derive(Debug, Default)]
pub(crate) struct Seconding {
	pub(crate) awaiting_data: BTreeMap<Token, Fetched>,
	/// By para and hash of the parent head that is not known yet.
	pub(crate) parked: BTreeMap<(ParaId, Hash), Vec<Fetched>>,
	/// What would have to wait for its parent and may not, to be fetched again when the parent is seconded.
	pub(crate) orphans: BTreeMap<(ParaId, Hash), Vec<Offer>>,
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
				if self.parked().any(|parked| parked.offer.peer == fetched.offer.peer) {
					self.orphans.entry(key).or_default().push(fetched.offer.clone());
					return Step::GivenUp(Box::new(fetched));
				}
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

	/// Backing seconded a candidate. Answers it, if it came this way, the collations that waited for its head, and the
	/// offers of those that were given up.
	pub(crate) fn seconded(
		&mut self,
		at: &Hash,
		statement: &SignedFullStatement,
	) -> (Option<Validating>, Vec<Fetched>, Vec<Offer>) {
		let validating = self.validating.remove(&(*at, statement.payload().candidate_hash()));
		let head = match (&validating, statement.payload()) {
			(Some(Validating { offer, output_head, .. }), _) => Some((offer.para, *output_head)),
			// Not fetched by us, but children of it may be parked all the same.
			(None, Statement::Seconded(receipt)) => {
				Some((receipt.descriptor.para_id, receipt.descriptor.para_head))
			},
			(None, Statement::Valid(_)) => None,
		};
		let Some(head) = head else { return (validating, Vec::new(), Vec::new()) };
		let orphans = self.orphans.remove(&head).unwrap_or_default();
		(validating, self.unpark(&head), orphans)
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
			effects.trace(trace.scheduling_parent(at));
			return None;
		};
		let head = (validating.offer.para, validating.output_head);
		for orphan in self.orphans.remove(&head).unwrap_or_default() {
			effects.trace(orphan.trace(now, Stage::Dropped(Reason::UnknownParentHead)));
		}
		let children = self.unpark(&head);
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

	/// Collations that wait for a parent head.
	pub(crate) fn parked(&self) -> impl Iterator<Item = &Fetched> {
		self.parked.values().flatten()
	}

	/// The collation that gives its position to another collator's, of those that wait for a parent head: it is of whoever
	/// holds most (`held`), if that is more than the newcomer does, or of the newcomer itself; of several, the one that waits
	/// longest. `makes_room` says for which ones that would be of use.
	pub(crate) fn victim(
		&self,
		newcomer: &PeerId,
		held: impl Fn(&PeerId) -> usize,
		makes_room: impl Fn(&Offer) -> bool,
	) -> Option<Token> {
		let own = held(newcomer);
		let has_to_yield = |peer: &PeerId| peer == newcomer || held(peer) > own;
		self.parked()
			.filter(|parked| has_to_yield(&parked.offer.peer) && makes_room(&parked.offer))
			.max_by_key(|parked| (held(&parked.offer.peer), Reverse(parked.fetch)))
			.map(|parked| parked.fetch)
	}

	/// Gives up a collation that waits for a parent head. Answers it.
	pub(crate) fn evict(&mut self, fetch: Token) -> Option<Fetched> {
		let (key, parked) = self.parked.iter_mut().find(|(_, all)| all.iter().any(|of| of.fetch == fetch))?;
		let (key, position) = (*key, parked.iter().position(|parked| parked.fetch == fetch)?);
		let evicted = parked.remove(position);
		if parked.is_empty() {
			self.parked.remove(&key);
		}
		self.orphans.entry(key).or_default().push(evicted.offer.clone());
		Some(evicted)
	}

	/// Peers with orphans.
	pub(crate) fn orphan_peers(&self) -> BTreeSet<PeerId> {
		self.orphans.values().flatten().map(|orphan| orphan.peer.clone()).collect()
	}

	/// Takes an orphan of each of these peers.
	pub(crate) fn take_orphans(&mut self, mut of: BTreeSet<PeerId>) -> Vec<Offer> {
		let mut taken = Vec::new();
		self.orphans.retain(|_, orphans| {
			taken.extend(orphans.extract_if(.., |orphan| of.remove(&orphan.peer)));
			!orphans.is_empty()
		});
		taken
	}

	/// A peer is gone: what was given up cannot be fetched again.
	pub(crate) fn forget_peer(&mut self, now: Timestamp, peer: &PeerId, effects: &mut Effects<Effect>) {
		self.forget_orphans(|orphan| orphan.peer == *peer, now, Reason::UnknownPeer, effects);
	}

	fn forget_orphans(
		&mut self,
		gone: impl Fn(&Offer) -> bool,
		now: Timestamp,
		reason: Reason,
		effects: &mut Effects<Effect>,
	) {
		self.orphans.retain(|_, orphans| {
			for orphan in orphans.extract_if(.., |orphan| gone(orphan)) {
				effects.trace(orphan.trace(now, Stage::Dropped(reason)));
			}
			!orphans.is_empty()
		});
	}

	/// Notes how full it is, given how many advertisements were taken.
	pub(crate) fn sizes(&self, advertisements: usize, sizes: &mut Sizes) {
		let mut parked = BTreeMap::<&PeerId, usize>::new();
		self.parked().for_each(|fetched| *parked.entry(&fetched.offer.peer).or_default() += 1);
		parked.values().for_each(|count| sizes.note("parked_of_peer", *count, 1));
		sizes.note("orphans", self.orphans.values().map(Vec::len).sum(), advertisements);
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
		let is_gone = |orphan: &Offer| orphan.scheduling_parent == *hash;
		self.forget_orphans(is_gone, now, Reason::UnknownParentHead, effects);
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
