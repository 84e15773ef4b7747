//! Who is connected, and what is in whose view (backing pipeline §9.13).

use super::*;

use PeerSet::{Collation, Validation};

#[tokio::test]
async fn peer_is_connected_before_anything_else_is_told_of_it_and_greeted_with_our_view() {
	let mut rig = Rig::new();
	rig.our_view(&[1, 2], 7);
	rig.open(1, Validation).await;
	let told = rig.told();
	let [NetworkEvent::PeerConnected { peer: id, set: Validation, version, role, authority_ids }] = &told[..]
	else {
		panic!("{told:?}")
	};
	assert_eq!(
		(to_network(id), version, role),
		(Some(peer(1)), &CollationVersion::V3, &ObservedRole::Authority)
	);
	assert!(authority_ids.is_empty());
	assert_eq!(rig.sent(), [(peer(1), view_notification(&[1, 2], 7))]);
}

#[tokio::test]
async fn empty_view_is_never_sent_for_it_counts_as_malformed() {
	let mut rig = Rig::new();
	rig.open(1, Validation).await;
	assert_eq!(rig.sent(), []);
	// What it missed follows with the first leaf, and so to everybody.
	rig.open(2, Collation).await;
	rig.our_view(&[1], 0);
	let sent = rig.sent();
	assert_eq!(sent, [1, 2].map(|n| (peer(n), view_notification(&[1], 0))));
	rig.our_view(&[], 0);
	assert_eq!(rig.sent(), []);
}

#[tokio::test]
async fn finality_alone_is_not_sent_and_goes_with_the_next_head() {
	let mut rig = Rig::new();
	rig.open(1, Validation).await;
	rig.our_view(&[1], 5);
	rig.sent();
	rig.our_view(&[1], 6);
	assert_eq!(rig.sent(), []);
	rig.our_view(&[2], 6);
	assert_eq!(rig.sent(), [(peer(1), view_notification(&[2], 6))]);
}

#[tokio::test]
async fn malformed_views_cost_the_most_and_are_not_passed_on() {
	for set in [Validation, Collation] {
		for (what, heads, finalized_number) in
			[("six heads", &[1, 2, 3, 4, 5, 6][..], 9), ("no head", &[], 9), ("finality goes back", &[2], 4)]
		{
			let mut rig = Rig::new();
			rig.open(1, set).await;
			rig.receive_view(1, set, &[1], 5).await;
			assert_eq!(rig.told().len(), 2);
			rig.receive_view(1, set, heads, finalized_number).await;
			assert_eq!((rig.reports(), rig.told().len()), (vec![(peer(1), MAJOR)], 0), "{what}");
			// The view before it stays the one that counts.
			rig.receive_view(1, set, &[1], 5).await;
			assert!(rig.told().is_empty() && rig.reports().is_empty(), "{what}");
		}
	}
}

#[tokio::test]
async fn five_heads_and_the_same_finality_are_a_view() {
	let mut rig = Rig::new();
	rig.open(1, Validation).await;
	rig.receive_view(1, Validation, &[1], 5).await;
	rig.receive_view(1, Validation, &[1, 2, 3, 4, 5], 5).await;
	assert_eq!((rig.told().len(), rig.reports()), (3, vec![]));
}

#[tokio::test]
async fn views_belong_to_the_peer_set_that_they_came_over() {
	let mut rig = Rig::new();
	rig.open(1, Validation).await;
	rig.open(1, Collation).await;
	rig.told();
	rig.receive_view(1, Validation, &[1], 1).await;
	rig.receive_view(1, Collation, &[2], 1).await;
	let views: Vec<_> = rig
		.told()
		.into_iter()
		.map(|event| match event {
			NetworkEvent::PeerViewChange { set, view, .. } => (set, view.heads[0]),
			other => panic!("{other:?}"),
		})
		.collect();
	assert_eq!(views, [(Validation, Hash::repeat_byte(1)), (Collation, Hash::repeat_byte(2))]);
}

#[tokio::test]
async fn peer_that_leaves_one_set_stays_in_the_other() {
	let mut rig = Rig::new();
	rig.open(1, Validation).await;
	rig.open(1, Collation).await;
	rig.told();
	rig.close(1, Collation).await;
	assert!(matches!(rig.told()[..], [NetworkEvent::PeerDisconnected { set: Collation, .. }]));
	rig.receive_view(1, Validation, &[1], 1).await;
	assert_eq!(rig.told().len(), 1);
	rig.our_view(&[3], 0);
	assert_eq!(rig.sent().len(), 1, "on the validation set alone");
	rig.close(1, Collation).await;
	assert!(rig.told().is_empty(), "it is gone already");
}

#[tokio::test]
async fn reconnected_peer_starts_with_an_empty_view() {
	let mut rig = Rig::new();
	rig.open(1, Validation).await;
	rig.receive_view(1, Validation, &[1], 5).await;
	rig.close(1, Validation).await;
	rig.open(1, Validation).await;
	rig.told();
	// An older finality than before it left is no offence, and the same heads are news.
	rig.receive_view(1, Validation, &[1], 4).await;
	assert_eq!((rig.told().len(), rig.reports()), (1, vec![]));
}

#[tokio::test]
async fn substream_of_a_peer_whose_role_nobody_knows_is_rejected() {
	for (handshake, accepted) in
		[(vec![AUTHORITY], true), (vec![1], true), (vec![], false), (vec![77, 1], false)]
	{
		for set in [Validation, Collation] {
			let mut rig = Rig::new();
			let (result_tx, result) = tokio::sync::oneshot::channel();
			let handshake = handshake.clone();
			let event = NotificationEvent::ValidateInboundSubstream { peer: peer(1), handshake, result_tx };
			assert!(rig.bridge.on_notification_event(set, Some(event), None).await);
			assert_eq!(matches!(result.await.unwrap(), ValidationResult::Accept), accepted);
		}
	}
}

#[tokio::test]
async fn version_is_the_one_that_was_negotiated() {
	use CollationVersion::{V1, V2, V3, V4};
	for (main, offered) in [(V3, &[V1, V2, V3][..]), (V4, &[V1, V2, V3, V4])] {
		for version in offered {
			let mut rig = Rig::offering(main);
			rig.open_version(1, *version).await;
			match &rig.told()[..] {
				[NetworkEvent::PeerConnected { version: told, .. }] => assert_eq!(told, version),
				other => panic!("{other:?}"),
			}
		}
	}
	for set in [Validation, Collation] {
		let mut rig = Rig::new();
		rig.open_with(1, set, vec![AUTHORITY], Some("/unheard/of/1".into())).await;
		assert!(rig.told().is_empty());
		assert_eq!(rig.network.note(|asked| asked.closed.len()), 1);
	}
}
