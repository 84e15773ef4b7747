//! Responses that are no collation. (Notifications that do not decode never get here: the network drops them.)

use super::*;

/// What a collator may answer instead of a well-formed collation.
fn malformed(sample: &Sample) -> Vec<(String, Vec<u8>)> {
	let mut cases = Vec::new();
	for (form, good) in [("plain", sample.response()), ("with parent head", sample.response_with_parent())] {
		// Every length that ends within the receipt, and one byte less than everything.
		for len in (0..340).step_by(17).chain([good.len() - 1]) {
			cases.push((format!("{form}, cut at {len}"), good[..len].to_vec()));
		}
		cases.push((format!("{form}, a byte too many"), [&good[..], &[0]].concat()));
		cases.push((format!("{form}, unknown variant"), [&[2], &good[1..]].concat()));
	}
	let v3 = CollationResponseV3::Collation {
		receipt: sample.receipt.to_plain(),
		pov: sample.pov.clone(),
		parent_head_data: sample.data.parent_head.clone(),
	};
	cases.push(("of version 3".into(), v3.encode()));
	// A proof of validity that claims 2^30 - 1 bytes.
	let receipt = sample.receipt.to_plain().encode();
	cases.push(("longer than it is".into(), [&[0], &receipt[..], &[0xfe, 0xff, 0xff, 0xff]].concat()));
	cases
}

#[test]
fn response_that_does_not_decode_costs_reputation_and_leaves_a_trace() {
	let good = sample(A, 10, 0, 1);
	for (what, response) in malformed(&good) {
		let mut rig = Rig::new("AAA");
		rig.collator(1, CollationVersion::V2, A);
		rig.world.known_heads.insert(good.parent_hash(), good.data.clone());
		let token = fetched_from(&rig.advertise(1, &good), 1);
		let effects = rig.respond(token, response);
		assert_eq!(reports(&effects), [(peer(1), MINOR)], "{what}");
		assert_eq!(effects.len(), 1, "{what}");
		assert!(rig.dropped_because(Reason::InvalidResponse), "{what}");
		assert_eq!(rig.machine.claims(&hash(10), CoreIndex(0), A), 0, "{what}: the position is free again");
	}
}

#[test]
fn replayed_messages_cost_reputation_and_change_nothing() {
	let good = sample(A, 10, 0, 1);
	let declaration = declare(1, 1, CollationVersion::V3, A);
	for (message, reason) in
		[(declaration.clone(), Reason::UnexpectedMessage), (advert_v3(&good), Reason::DuplicateMessage)]
	{
		let mut rig = Rig::new("AAA");
		rig.connect(1, CollationVersion::V3);
		rig.message(1, declaration.clone());
		rig.view(1, &[10]);
		rig.message(1, advert_v3(&good));
		rig.traces.clear();
		let effects = rig.message(1, message);
		assert_eq!((reports(&effects), effects.len()), (vec![(peer(1), MINOR)], 1));
		assert!(rig.dropped_because(reason));
	}
	// From another peer, it is a declaration that somebody else signed.
	let mut rig = Rig::new("AAA");
	rig.connect(2, CollationVersion::V3);
	assert_eq!(reports(&rig.message(2, declaration)), [(peer(2), MALICIOUS)]);
}

#[test]
fn response_is_taken_once() {
	let good = sample(A, 10, 0, 1);
	let mut rig = Rig::new("AAA");
	rig.collator(1, CollationVersion::V2, A);
	rig.world.known_heads.insert(good.parent_hash(), good.data.clone());
	let token = fetched_from(&rig.advertise(1, &good), 1);
	assert_eq!(second_requests(&rig.respond(token, good.response())), [good.hash()]);
	assert!(rig.respond(token, good.response()).is_empty());
}
