//! Which candidates we want to fetch, from whom, and in what order (backing pipeline §4.8).

use headway_machine::{wire::StatementFilter, PeerId, Sizes, Timestamp, Token};
use headway_primitives::{CandidateHash, GroupIndex, Hash};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	time::Duration,
};

/// Most requests in flight.
pub(crate) const IN_FLIGHT_MAX: usize = 10;
/// Time after a failure before the same source is asked again for the same candidate.
pub(crate) const RETRY_DELAY: Duration = Duration::from_secs(1);

/// A candidate as peers describe it. Peers may describe one candidate differently: then each description is asked for, and
/// the first response that holds wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RequestId {
	/// Scheduling parent.
	pub(crate) scheduling_parent: Hash,
	/// The candidate.
	pub(crate) candidate: CandidateHash,
	/// The group that backs it.
	pub(crate) group: GroupIndex,
}

/// Candidates of our own group come first: the group waits for our vote.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Origin {
	/// Our own group.
	Cluster,
	/// Another group.
	Unspecified,
}

#[derive(Debug)]
struct Source {
	peer: PeerId,
	not_before: Timestamp,
}

#[derive(Debug)]
struct Entry {
	origin: Origin,
	attempts: u32,
	/// Order of arrival.
	sequence: u64,
	/// Whom to ask next stands in front.
	sources: VecDeque<Source>,
	in_flight: bool,
}

/// A request that was sent.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct InFlight {
	/// What was asked for.
	pub(crate) id: RequestId,
	/// Who was asked.
	pub(crate) peer: PeerId,
	/// Statements that we did not want.
	pub(crate) mask: StatementFilter,
}

/// Requests for candidates.
///
/// # Bounds
///
/// - `entries`: one for each description of an unconfirmed candidate, which the trackers bound as they bound claims; all go
///   with their scheduling parent.
/// - `sources`: per entry, each connected peer at most once.
/// - `in_flight`, `busy`: [`IN_FLIGHT_MAX`] requests, one per peer.
/// - `rested_at`: as many as requests failed within [`RETRY_DELAY`].
///
/// A validator that describes a candidate that does not exist costs us one request in [`RETRY_DELAY`] to it, and only as
/// long as nothing better is waiting.
#[derive(Debug, Default)]
pub(crate) struct Requests {
	entries: BTreeMap<RequestId, Entry>,
	in_flight: BTreeMap<Token, InFlight>,
	busy: BTreeSet<PeerId>,
	next_sequence: u64,
	/// When sources that rest have rested.
	rested_at: BTreeSet<Timestamp>,
	/// Something changed, so that a request may be possible that was not.
	dirty: bool,
}

impl Requests {
	/// A peer describes a candidate: it can be asked for it.
	pub(crate) fn add_source(&mut self, id: RequestId, origin: Origin, peer: &PeerId) {
		let sequence = self.next_sequence;
		let entry = self.entries.entry(id).or_insert_with(|| Entry {
			origin,
			attempts: 0,
			sequence,
			sources: VecDeque::new(),
			in_flight: false,
		});
		self.next_sequence += 1;
		entry.origin = entry.origin.min(origin);
		if !entry.sources.iter().any(|source| source.peer == *peer) {
			entry.sources.push_back(Source { peer: peer.clone(), not_before: Timestamp::default() });
		}
		// Also of a known source: it may offer more than before.
		self.dirty = true;
	}

	/// A peer is gone: it cannot be asked any more.
	pub(crate) fn remove_peer(&mut self, peer: &PeerId) {
		for entry in self.entries.values_mut() {
			entry.sources.retain(|source| source.peer != *peer);
		}
	}

	/// The candidate needs not be asked for any more.
	pub(crate) fn remove_candidate(&mut self, candidate: CandidateHash) {
		self.entries.retain(|id, _| id.candidate != candidate);
	}

	/// Forgets what is about scheduling parents that are not retained.
	pub(crate) fn retain(&mut self, is_retained: impl Fn(&Hash) -> bool) {
		self.entries.retain(|id, _| is_retained(&id.scheduling_parent));
	}

	/// Whether the candidate is still wanted under this description.
	pub(crate) fn contains(&self, id: &RequestId) -> bool {
		self.entries.contains_key(id)
	}

	/// Notes how full it is, given how many descriptions there can be, and how many peers.
	pub(crate) fn sizes(&self, described: usize, n_peers: usize, sizes: &mut Sizes) {
		sizes.note("requests", self.entries.len(), described);
		for entry in self.entries.values() {
			sizes.note("sources", entry.sources.len(), n_peers);
		}
		sizes.note("in_flight", self.in_flight.len(), IN_FLIGHT_MAX);
		sizes.note("busy", self.busy.len(), self.in_flight.len());
	}

	/// All descriptions that are asked for.
	pub(crate) fn ids(&self) -> Vec<RequestId> {
		self.entries.keys().copied().collect()
	}

	/// What to try to ask for now, in order: our own group first, then fewest attempts, then first come. Empty if nothing
	/// changed since the last time.
	pub(crate) fn take_due(&mut self) -> Vec<RequestId> {
		if !std::mem::take(&mut self.dirty) || self.is_full() {
			return Vec::new();
		}
		let waiting = self.entries.iter().filter(|(_, entry)| !entry.in_flight && !entry.sources.is_empty());
		let mut due: Vec<_> =
			waiting.map(|(id, entry)| (entry.origin, entry.attempts, entry.sequence, *id)).collect();
		due.sort();
		due.into_iter().map(|(_, _, _, id)| id).collect()
	}

	/// Whether no more requests may be sent.
	pub(crate) fn is_full(&self) -> bool {
		self.in_flight.len() >= IN_FLIGHT_MAX
	}

	/// The first source of a candidate that is free, not just failed, and `offers` it; it goes to the back of the queue.
	pub(crate) fn next_source(
		&mut self,
		now: Timestamp,
		id: &RequestId,
		offers: impl Fn(&PeerId) -> bool,
	) -> Option<PeerId> {
		let busy = &self.busy;
		let sources = &mut self.entries.get_mut(id)?.sources;
		let position = sources.iter().position(|source| {
			source.not_before <= now && !busy.contains(&source.peer) && offers(&source.peer)
		})?;
		let source = sources.remove(position)?;
		let peer = source.peer.clone();
		sources.push_back(source);
		Some(peer)
	}

	/// Notes that a request was sent.
	pub(crate) fn sent(&mut self, token: Token, request: InFlight) {
		if let Some(entry) = self.entries.get_mut(&request.id) {
			entry.in_flight = true;
		}
		self.busy.insert(request.peer.clone());
		self.in_flight.insert(token, request);
	}

	/// Takes a request that came back, whatever with.
	pub(crate) fn returned(&mut self, token: Token) -> Option<InFlight> {
		let request = self.in_flight.remove(&token)?;
		self.busy.remove(&request.peer);
		if let Some(entry) = self.entries.get_mut(&request.id) {
			entry.in_flight = false;
		}
		self.dirty = true;
		Some(request)
	}

	/// Notes that a request brought nothing of use: its source rests for [`RETRY_DELAY`].
	pub(crate) fn failed(&mut self, now: Timestamp, request: &InFlight) {
		if let Some(entry) = self.entries.get_mut(&request.id) {
			entry.attempts = entry.attempts.saturating_add(1);
			for source in entry.sources.iter_mut().filter(|source| source.peer == request.peer) {
				source.not_before = now + RETRY_DELAY;
				self.rested_at.insert(source.not_before);
			}
		}
	}

	/// Time passed: sources may have rested enough.
	pub(crate) fn tick(&mut self, now: Timestamp) {
		while self.rested_at.first().is_some_and(|at| *at <= now) {
			self.rested_at.pop_first();
			self.dirty = true;
		}
	}

	/// When the next source has rested.
	pub(crate) fn deadline(&self) -> Option<Timestamp> {
		self.rested_at.first().copied()
	}
}

#[cfg(any(test, feature = "fuzzing"))]
impl Requests {
	/// Whether each source is there once and connected.
	pub(crate) fn has_only_connected(&self, is_connected: impl Fn(&PeerId) -> bool) -> bool {
		self.entries.values().all(|entry| {
			let peers: BTreeSet<_> = entry.sources.iter().map(|source| &source.peer).collect();
			peers.len() == entry.sources.len() && peers.into_iter().all(&is_connected)
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use headway_machine::testing::{hash, peer};

	const NOW: Timestamp = Timestamp::from_unix_ms(1_000_000);

	fn id(n: u64) -> RequestId {
		RequestId { scheduling_parent: hash(10), candidate: CandidateHash(hash(n)), group: GroupIndex(0) }
	}

	/// Sends what is due; answers candidate and peer of each request.
	fn dispatch(requests: &mut Requests, now: Timestamp) -> Vec<(u64, PeerId)> {
		let mut sent = Vec::new();
		for id in requests.take_due() {
			if requests.is_full() {
				break;
			}
			let Some(peer) = requests.next_source(now, &id, |_| true) else { continue };
			let n = id.candidate.0.to_low_u64_be();
			let request = InFlight { id, peer: peer.clone(), mask: StatementFilter::blank(0) };
			requests.sent(Token(n), request);
			sent.push((n, peer));
		}
		sent
	}

	#[test]
	fn cluster_goes_first_then_fewer_attempts() {
		let mut requests = Requests::default();
		// One peer for all, so that one request goes at a time.
		requests.add_source(id(1), Origin::Unspecified, &peer(1));
		requests.add_source(id(2), Origin::Unspecified, &peer(1));
		requests.add_source(id(3), Origin::Cluster, &peer(1));
		let mut now = NOW;
		let mut order = Vec::new();
		for _ in 0..6 {
			let sent = dispatch(&mut requests, now);
			order.extend(sent.iter().map(|(n, _)| *n));
			let request = requests.returned(Token(sent[0].0)).unwrap();
			requests.failed(now, &request);
			now = now + RETRY_DELAY;
			requests.tick(now);
		}
		assert_eq!(order, [3, 3, 3, 3, 3, 3], "the own group's candidate goes before all others");
		requests.remove_candidate(CandidateHash(hash(3)));
		let mut order = Vec::new();
		for _ in 0..4 {
			let sent = dispatch(&mut requests, now);
			order.push(sent[0].0);
			let request = requests.returned(Token(sent[0].0)).unwrap();
			requests.failed(now, &request);
			now = now + RETRY_DELAY;
			requests.tick(now);
		}
		assert_eq!(order, [1, 2, 1, 2]);
	}

	#[test]
	fn ten_in_flight_and_one_per_peer() {
		let mut requests = Requests::default();
		for n in 0..15 {
			requests.add_source(id(n), Origin::Unspecified, &peer(n as u8));
		}
		requests.add_source(id(99), Origin::Cluster, &peer(0));
		let sent = dispatch(&mut requests, NOW);
		assert_eq!(sent.len(), IN_FLIGHT_MAX);
		assert_eq!(sent[0], (99, peer(0)));
		assert!(!sent.iter().any(|(n, _)| *n == 0), "the peer is busy");
		requests.add_source(id(50), Origin::Cluster, &peer(50));
		assert!(dispatch(&mut requests, NOW).is_empty());
		requests.returned(Token(99));
		requests.remove_candidate(CandidateHash(hash(99)));
		assert_eq!(dispatch(&mut requests, NOW), [(50, peer(50))]);
	}

	#[test]
	fn a_failed_source_rests_and_another_is_asked() {
		let mut requests = Requests::default();
		requests.add_source(id(1), Origin::Cluster, &peer(1));
		requests.add_source(id(1), Origin::Cluster, &peer(2));
		assert_eq!(dispatch(&mut requests, NOW), [(1, peer(1))]);
		let request = requests.returned(Token(1)).unwrap();
		requests.failed(NOW, &request);
		assert_eq!(dispatch(&mut requests, NOW), [(1, peer(2))]);
		let request = requests.returned(Token(1)).unwrap();
		requests.failed(NOW, &request);
		assert!(dispatch(&mut requests, NOW).is_empty());
		assert_eq!(requests.deadline(), Some(NOW + RETRY_DELAY));
		requests.tick(NOW + Duration::from_millis(999));
		assert!(dispatch(&mut requests, NOW + Duration::from_millis(999)).is_empty());
		requests.tick(NOW + RETRY_DELAY);
		assert_eq!(requests.deadline(), None, "the deadline does not come again");
		assert_eq!(dispatch(&mut requests, NOW + RETRY_DELAY), [(1, peer(1))]);
	}

	#[test]
	fn requests_go_with_their_scheduling_parent_and_late_answers_find_nothing() {
		let mut requests = Requests::default();
		requests.add_source(id(1), Origin::Cluster, &peer(1));
		dispatch(&mut requests, NOW);
		requests.retain(|_| false);
		let late = requests.returned(Token(1)).unwrap();
		assert!(!requests.contains(&late.id));
		assert!(requests.returned(Token(1)).is_none(), "each token comes back once");
		assert!(requests.busy.is_empty());
	}

	#[test]
	fn a_peer_that_disconnects_is_no_source() {
		let mut requests = Requests::default();
		requests.add_source(id(1), Origin::Cluster, &peer(1));
		requests.add_source(id(1), Origin::Cluster, &peer(2));
		requests.remove_peer(&peer(1));
		assert_eq!(dispatch(&mut requests, NOW), [(1, peer(2))]);
	}
}
