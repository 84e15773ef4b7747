//! What goes out, and what peers earn.

use super::*;

fn ids(peers: &[u8]) -> Vec<headway_machine::PeerId> {
	peers.iter().map(|n| to_machine(&peer(*n))).collect()
}

#[tokio::test]
async fn message_goes_to_all_peers_in_the_same_bytes_and_to_nobody_who_is_gone() {
	let mut rig = Rig::new();
	for n in 1..4 {
		rig.open(n, PeerSet::Validation).await;
	}
	rig.close(3, PeerSet::Validation).await;
	let message = bitfield();
	let expected = Envelope::ProtocolMessage(message.clone()).encode();
	let effect = NetworkEffect::SendValidation { peers: ids(&[1, 2, 3, 4]), message };
	rig.bridge.carry_out(effect);
	assert_eq!(rig.sent(), [(peer(1), expected.clone()), (peer(2), expected)]);
}

#[tokio::test]
async fn message_goes_only_to_peers_that_speak_its_version() {
	use CollationVersion::{V1, V2, V3, V4};
	let mut rig = Rig::offering(V4);
	for (n, version) in [(1, V1), (2, V2), (3, V3), (4, V4)] {
		rig.open_version(n, version).await;
	}
	for (message, reader) in [(advert_v2(), 2), (advert_v3(), 3), (segment(), 4)] {
		let bytes = message.encode_notification();
		rig.bridge.carry_out(NetworkEffect::SendCollation { peers: ids(&[1, 2, 3, 4]), message });
		assert_eq!(rig.sent(), [(peer(reader), bytes)]);
	}
}

#[tokio::test]
async fn small_changes_of_reputation_are_reported_as_one_sum() {
	let mut rig = Rig::new();
	let mut report = |n, change| {
		let peer = to_machine(&peer(n));
		rig.bridge.carry_out(NetworkEffect::Report { peer, change });
		rig.network.note(|asked| asked.reports.clone())
	};
	assert_eq!(report(1, Reputation::CostMinor("a")), []);
	assert_eq!(report(1, Reputation::CostMajor("b")), []);
	assert_eq!(report(2, Reputation::BenefitMinor("c")), []);
	assert_eq!(report(3, Reputation::CostMinor("d")), []);
	// Malice is reported at once, and nothing that came before it makes it milder.
	assert_eq!(report(3, Reputation::Malicious("e")), [(peer(3), i32::MIN)]);
	rig.network.note(|asked| asked.reports.clear());
	let mut reports = rig.reports();
	reports.sort_by_key(|(_, sum)| *sum);
	assert_eq!(reports, [(peer(1), MINOR + MAJOR), (peer(2), 10_000)]);
	assert_eq!(rig.reports(), [], "once");
	assert_eq!(REPORT_INTERVAL, Duration::from_secs(30));
}

#[test]
fn a_peer_that_does_nothing_but_harm_is_reported_before_the_interval_ends() {
	let mut reports = reports::Reports::default();
	let mut add = || reports.add(peer(1), Reputation::CostMajor("malformed"));
	for round in 0..3 {
		for _ in 1..100 {
			assert_eq!(add(), [], "round {round}");
		}
		assert_eq!(add().iter().map(|(_, change)| change.value).collect::<Vec<_>>(), [100 * MAJOR]);
	}
	assert_eq!(reports.flush(), []);
}

#[test]
fn sums_of_reputation_do_not_overflow_and_their_number_is_bounded() {
	let mut reports = reports::Reports::default();
	for _ in 0..10_000 {
		assert_eq!(reports.add(peer(1), Reputation::BenefitMajorFirst("again")), []);
	}
	let flushed = reports.flush();
	assert_eq!(flushed.iter().map(|(_, change)| change.value).collect::<Vec<_>>(), [i32::MAX]);

	let random = |n: u32| {
		let key: Vec<u8> = (0..8).flat_map(|i| (n + i).to_le_bytes()).collect();
		PeerId::from_bytes(&[&[0, 36, 8, 1, 18, 32][..], &key].concat()).unwrap()
	};
	for n in 0..REPORTS_MAX as u32 {
		assert_eq!(reports.add(random(n), Reputation::CostMinor("once")), []);
	}
	let all = reports.add(random(u32::MAX / 2), Reputation::CostMinor("once"));
	assert_eq!((all.len(), reports.flush().len()), (REPORTS_MAX + 1, 0));
}

#[tokio::test]
async fn what_peers_send_faster_than_we_work_is_dropped_at_their_cost() {
	let mut rig = Rig::new();
	rig.open(1, PeerSet::Validation).await;
	let notification = Envelope::ProtocolMessage(bitfield()).encode();
	for _ in 1..OUTPUT_CAPACITY {
		rig.receive(1, PeerSet::Validation, notification.clone()).await;
	}
	assert_eq!(rig.reports(), []);
	rig.receive(1, PeerSet::Validation, notification).await;
	assert_eq!(rig.reports(), [(peer(1), MINOR)]);
	assert_eq!(rig.told().len(), OUTPUT_CAPACITY);
}

#[tokio::test]
async fn a_request_that_the_machines_do_not_hear_of_is_refused_at_once() {
	let mut rig = Rig::new();
	rig.open(1, PeerSet::Validation).await;
	let notification = Envelope::ProtocolMessage(bitfield()).encode();
	for _ in 1..OUTPUT_CAPACITY {
		rig.receive(1, PeerSet::Validation, notification.clone()).await;
	}
	let (pending_response, mut answer) = futures::channel::oneshot::channel();
	let request = IncomingRequest { peer: peer(1), payload: vec![1], pending_response };
	assert!(rig.bridge.on_request(RequestProtocol::PoV, request));
	assert!(answer.try_recv().is_err(), "refused");
	assert_eq!(rig.reports(), [(peer(1), MINOR)]);
}

#[tokio::test]
async fn unanswered_requests_are_bounded_and_the_oldest_is_refused() {
	let mut rig = Rig::new();
	let mut answers = Vec::new();
	for _ in 0..=UNANSWERED_REQUESTS_MAX {
		let (pending_response, answer) = futures::channel::oneshot::channel();
		answers.push(answer);
		let request = IncomingRequest { peer: peer(1), payload: vec![1], pending_response };
		assert!(rig.bridge.on_request(RequestProtocol::PoV, request));
	}
	assert!(answers[0].try_recv().is_err(), "refused");
	assert!(matches!(answers[1].try_recv(), Ok(None)), "waits");
	let id = InboundRequestId(2);
	let reputation = Some(Reputation::CostMajor("no request"));
	rig.bridge.carry_out(NetworkEffect::Respond { id, response: Some(vec![7]), reputation });
	let answer = answers[1].try_recv().unwrap().unwrap();
	assert_eq!(answer.result, Ok(vec![7]));
	assert_eq!(answer.reputation_changes.iter().map(|change| change.value).collect::<Vec<_>>(), [MAJOR]);
	// Answered already.
	rig.bridge.carry_out(NetworkEffect::Respond { id, response: None, reputation: None });
}
