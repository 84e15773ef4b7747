//! What becomes of fetched collations, and what backing says of them.

use super::{advertisement::Change, Effect, ValidatorSide};
use crate::{
	collation::{Fault, Fetched},
	seconding::{notify_seconded, Step, Validating},
};
use headway_machine::{Effects, Reputation, Stage, Timestamp, Token};
use headway_primitives::{
	CandidateHash, CandidateReceiptV2, Hash, PersistedValidationData, SignedFullStatement,
};

impl ValidatorSide {
	/// Checks a fetched collation against its advertisement and asks for its validation data.
	pub(super) fn kick_off(&mut self, now: Timestamp, fetched: Fetched, effects: &mut Effects<Effect>) {
		let step = self.seconding.begin(now, fetched, &self.view, &mut self.tokens, effects);
		self.follow(now, step, effects);
	}

	pub(super) fn validation_data(
		&mut self,
		now: Timestamp,
		token: Token,
		data: Option<PersistedValidationData>,
		effects: &mut Effects<Effect>,
	) {
		let step = self.seconding.validation_data(token, data, effects);
		self.follow(now, step, effects);
	}

	fn follow(&mut self, now: Timestamp, step: Step, effects: &mut Effects<Effect>) {
		match step {
			Step::Underway => {},
			Step::Parked { at, fetch } => {
				self.release(&at, fetch);
				self.fetch_next(now, &at, effects);
			},
			Step::GivenUp(fetched) => {
				self.forget_if_gone(now, &fetched.offer.peer, effects);
				self.release(&fetched.offer.scheduling_parent, fetched.fetch);
				self.room_made(now, fetched.offer.para, effects);
			},
			Step::Failed(fetched, Fault { reason, reputation }) => {
				effects.trace(fetched.trace(now, Stage::Dropped(reason)));
				if let Some(change) = reputation {
					self.report(&fetched.offer.peer, change, effects);
				}
				self.release(&fetched.offer.scheduling_parent, fetched.fetch);
				self.room_made(now, fetched.offer.para, effects);
			},
		}
	}

	pub(super) fn seconded(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		statement: SignedFullStatement,
		effects: &mut Effects<Effect>,
	) {
		let (collation, children, orphans) = self.seconding.seconded(&scheduling_parent, &statement);
		if let Some(Validating { fetch, offer, .. }) = collation {
			self.report(&offer.peer, Reputation::BenefitMinor("collation was seconded"), effects);
			if let Some(peer) = self.peers.get(&offer.peer) {
				notify_seconded(&offer.peer, peer.version, scheduling_parent, &statement, effects);
			}
			if let Some(block) = self.blocks.get_mut(&scheduling_parent) {
				block.release(&scheduling_parent, fetch, &mut self.timers);
				let hash = statement.payload().candidate_hash();
				block.seconded.entry(offer.para).or_default().insert(hash);
			}
		}
		self.ask_again(now, children, effects);
		orphans.into_iter().for_each(|orphan| self.consider(now, orphan, effects));
		self.fetch_next_everywhere(now, effects);
		self.reconsider(now, Change::Chain, effects);
	}

	/// Another member of the group may have seconded a parent: asks again for everything that is parked.
	pub(super) fn retry_parked(&mut self, now: Timestamp, effects: &mut Effects<Effect>) {
		let waiting = self.seconding.unpark_all();
		self.ask_again(now, waiting, effects);
		// Parents of those that were given up may be known too. One of each peer has another try.
		let idle = self.seconding.orphan_peers().into_iter().filter(|peer| self.held_by(peer) == 0).collect();
		let orphans = self.seconding.take_orphans(idle);
		orphans.into_iter().for_each(|orphan| self.consider(now, orphan, effects));
	}

	fn ask_again(&mut self, now: Timestamp, waiting: Vec<Fetched>, effects: &mut Effects<Effect>) {
		for fetched in waiting {
			let step = self.seconding.ask(fetched, &self.view, &mut self.tokens, effects);
			self.follow(now, step, effects);
		}
	}

	pub(super) fn invalid(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		receipt: CandidateReceiptV2,
		effects: &mut Effects<Effect>,
	) {
		let Some((Validating { fetch, offer, .. }, _)) =
			self.seconding.invalid(now, scheduling_parent, &receipt, effects)
		else {
			return;
		};
		self.report(&offer.peer, Reputation::Malicious("invalid collation"), effects);
		self.release(&scheduling_parent, fetch);
		self.room_made(now, offer.para, effects);
	}

	pub(super) fn dropped(
		&mut self,
		now: Timestamp,
		scheduling_parent: Hash,
		candidate_hash: CandidateHash,
		effects: &mut Effects<Effect>,
	) {
		if let Some(gone) = self.seconding.validating.remove(&(scheduling_parent, candidate_hash)) {
			self.release(&scheduling_parent, gone.fetch);
			self.room_made(now, gone.offer.para, effects);
		}
	}
}
