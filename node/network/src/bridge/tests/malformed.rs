//! Notifications that are none: truncated, too long, of another version, from nobody.

use super::*;

/// Good notifications of each kind, by set and negotiated version.
fn good() -> Vec<(PeerSet, CollationVersion, Vec<u8>)> {
	use CollationVersion::{V2, V3, V4};
	vec![
		(PeerSet::Validation, V3, Envelope::ProtocolMessage(bitfield()).encode()),
		(PeerSet::Collation, V2, advert_v2().encode_notification()),
		(PeerSet::Collation, V3, advert_v3().encode_notification()),
		(PeerSet::Collation, V4, segment().encode_notification()),
		(PeerSet::Validation, V3, view_notification(&[1, 2], 3)),
		(PeerSet::Collation, V2, view_notification(&[1], 3)),
		(PeerSet::Collation, V4, view_notification(&[1], 3)),
	]
}

async fn connected(set: PeerSet, version: CollationVersion) -> Rig {
	let mut rig = Rig::offering(CollationVersion::V4);
	match set {
		PeerSet::Validation => rig.open(1, set).await,
		PeerSet::Collation => rig.open_version(1, version).await,
	}
	rig.told();
	rig
}

#[tokio::test]
async fn notification_that_does_not_decode_costs_the_most_and_is_not_passed_on() {
	for (set, version, good) in good() {
		let mut rig = connected(set, version).await;
		let cut = (0..good.len()).map(|len| good[..len].to_vec());
		let long = [[&good[..], &[0]].concat(), good.repeat(2)];
		let envelope = [[&[0], &good[1..]].concat(), [&[3], &good[1..]].concat(), vec![0xff; 100 * 1024]];
		for bytes in cut.chain(long).chain(envelope) {
			let len = bytes.len();
			rig.receive(1, set, bytes).await;
			assert_eq!(rig.reports(), [(peer(1), MAJOR)], "{set:?} {version:?}: {len} of {}", good.len());
			assert!(rig.told().is_empty());
		}
		rig.receive(1, set, good).await;
		assert_eq!((rig.told().len(), rig.reports().len()), (1, 0), "{set:?} {version:?}");
	}
}

#[tokio::test]
async fn notification_of_another_version_than_was_negotiated_does_not_decode() {
	use CollationVersion::{V1, V2, V3, V4};
	let messages = [(V2, advert_v2()), (V3, advert_v3()), (V4, segment())];
	for negotiated in [V1, V2, V3, V4] {
		for (version, message) in &messages {
			let mut rig = connected(PeerSet::Collation, negotiated).await;
			rig.receive(1, PeerSet::Collation, message.encode_notification()).await;
			let expected = if negotiated == *version { vec![] } else { vec![(peer(1), MAJOR)] };
			assert_eq!(rig.reports(), expected, "{version:?} over {negotiated:?}");
			assert_eq!(rig.told().is_empty(), negotiated != *version);
		}
	}
}

#[tokio::test]
async fn message_of_a_peer_that_is_not_connected_costs_a_little() {
	for (set, _, good) in good() {
		// Not at all, on the other set only, and not any more.
		for before in 0..3 {
			let mut rig = Rig::new();
			let other = if set == PeerSet::Validation { PeerSet::Collation } else { PeerSet::Validation };
			match before {
				0 => {},
				1 => rig.open(1, other).await,
				_ => {
					rig.open(1, set).await;
					rig.close(1, set).await;
				},
			}
			rig.told();
			rig.receive(1, set, good.clone()).await;
			assert_eq!((rig.reports(), rig.told().len()), (vec![(peer(1), MINOR)], 0));
		}
	}
}

#[tokio::test]
async fn replayed_view_is_ignored() {
	let mut rig = connected(PeerSet::Validation, CollationVersion::V3).await;
	rig.receive_view(1, PeerSet::Validation, &[1], 3).await;
	rig.told();
	rig.receive_view(1, PeerSet::Validation, &[1], 3).await;
	assert!(rig.told().is_empty() && rig.reports().is_empty());
}

#[tokio::test]
async fn approval_messages_of_stock_validators_are_no_offence() {
	let mut rig = connected(PeerSet::Validation, CollationVersion::V3).await;
	rig.receive(1, PeerSet::Validation, vec![1, 4, 0, 0]).await;
	assert!(rig.told().is_empty() && rig.reports().is_empty());
}
