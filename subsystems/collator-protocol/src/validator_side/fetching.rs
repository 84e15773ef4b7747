//! Which collation is fetched when, and what comes back.

use super::{advertisement::Change, Effect, Holder, Timer, ValidatorSide, FETCH_SHARE_TIMEOUT};
use crate::collation::{Fault, Fetched, Offer};
use headway_machine::{Effects, NetworkEffect, Reason, Recipient, RequestError, Stage, Timestamp, Token};
use headway_primitives::{Hash, ParaId};

/// A request that is on its way.
#[derive(Debug)]
pub(super) struct Fetch {
	pub(super) offer: Offer,
	/// It took so long that the next one may start beside it.
	pub(super) is_shared: bool,
}

impl ValidatorSide {
	pub(super) fn fetch_next_everywhere(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		let blocks: Vec<Hash> = self.blocks.keys().copied().collect();
		blocks.iter().for_each(|at| self.fetch_next(now, at, effects));
	}

	/// Fetches the next collation of a block, unless one is being fetched or validated.
	pub(super) fn fetch_next(&mut self, now: Timestamp, at: &Hash, effects: &mut Effects<Effect>) {
		if self.is_busy(at) {
			return;
		}
		let Some(para) = self.next_para(at) else { return };
		let queue = self.blocks.get_mut(at).and_then(|block| block.waiting.get_mut(&para));
		if let Some(offer) = queue.and_then(|queue| queue.pop_front()) {
			self.fetch(now, offer, effects);
		}
	}

	/// One at a time, so that a slow collator of one para does not fill the queue before others had their
	/// turn.
	fn is_busy(&self, at: &Hash) -> bool {
		self.blocks.get(at).is_some_and(|block| block.holder.is_some())
	}

	/// The para whose turn it is: the first open entry of the claim queue for which something waits, and which the block
	/// still reaches.
	fn next_para(&self, at: &Hash) -> Option<ParaId> {
		let block = self.blocks.get(at)?;
		let core = block.core?;
		let open = self.paths(at).into_iter().map(|path| {
			let mut open = path.unfulfilled(|block, para| self.claims(block, core, para));
			open.retain(|para| path.has_room(*para, at, |block| self.claims(block, core, *para)));
			open
		});
		// The path on which most is open decides; the first of them, so that the choice is the same
		// everywhere.
		let longest = open.reduce(|best, next| if next.len() > best.len() { next } else { best })?;
		longest.into_iter().find(|para| block.waiting.get(para).is_some_and(|queue| !queue.is_empty()))
	}

	fn fetch(&mut self, now: Timestamp, offer: Offer, effects: &mut Effects<Effect>) {
		let token = self.tokens.next();
		let (scheduling_parent, request) = (offer.scheduling_parent, offer.request());
		effects.trace(offer.trace(now, Stage::Fetching));
		let recipient = Recipient::Peer(offer.peer.clone());
		effects.push(Effect::Network(NetworkEffect::Request { token, recipient, request }));
		if let Some(block) = self.blocks.get_mut(&scheduling_parent) {
			let until = now + FETCH_SHARE_TIMEOUT;
			block.holder = Some(Holder { fetch: token, until });
			self.timers.insert((until, Timer::Share(scheduling_parent, token)));
		}
		self.fetches.insert(token, Fetch { offer, is_shared: false });
	}

	/// The next one may begin, whether the fetch goes on or what it brought is being validated.
	pub(super) fn share_expired(
		&mut self,
		now: Timestamp,
		at: &Hash,
		token: Token,
		effects: &mut Effects<Effect>,
	) {
		self.release(at, token);
		let goes_on = self.fetches.get_mut(&token).map(|fetch| {
			fetch.is_shared = true;
			fetch.offer.para
		});
		self.fetch_next(now, at, effects);
		if let Some(para) = goes_on {
			// Another peer may have offered the same candidate.
			self.reconsider(now, Change::Room(para), effects);
		}
	}

	pub(super) fn response(
		&mut self,
		now: Timestamp,
		token: Token,
		result: Result<Vec<u8>, RequestError>,
		effects: &mut Effects<Effect>,
	) {
		// Unknown: its peer or its block is gone.
		let Some(Fetch { offer, .. }) = self.fetches.remove(&token) else { return };
		let Fault { reason, reputation } = match Fetched::read(result, &offer, token) {
			Ok(fetched) => return self.kick_off(now, fetched, effects),
			Err(fault) => fault,
		};
		self.release(&offer.scheduling_parent, token);
		effects.trace(offer.trace(now, Stage::Dropped(reason)));
		if let Some(change) = reputation {
			self.report(&offer.peer, change, effects);
		}
		self.room_made(now, offer.para, effects);
	}

	/// A fetch, or what it brought, does not keep others at its block waiting any more.
	pub(super) fn release(&mut self, at: &Hash, fetch: Token) {
		if let Some(block) = self.blocks.get_mut(at) {
			block.release(at, fetch, &mut self.timers);
		}
	}

	/// Something gave its position back, which was the para's.
	pub(super) fn room_made(&mut self, now: Timestamp, para: ParaId, effects: &mut Effects<Effect>) {
		self.fetch_next_everywhere(now, effects);
		self.reconsider(now, Change::Room(para), effects);
	}

	/// What waits for its turn and can be backed under no leaf any more, waits no longer.
	pub(super) fn withdraw_unreachable(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		let mut withdrawn = Vec::new();
		for (at, block) in &self.blocks {
			let paras = block.waiting.iter().filter(|(_, queue)| !queue.is_empty()).map(|(para, _)| *para);
			withdrawn.extend(paras.filter(|para| !self.is_reached(at, *para)).map(|para| (*at, para)));
		}
		for (at, para) in withdrawn {
			let offers = self.blocks.get_mut(&at).and_then(|block| block.waiting.remove(&para));
			for offer in offers.into_iter().flatten() {
				self.set_aside(now, offer, Reason::NoClaimQueueSlot, effects);
			}
		}
	}
}
