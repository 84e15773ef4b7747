//! Requests that are none.

use super::*;
use headway_machine::wire::CollationRequestV1;

#[test]
fn request_that_does_not_decode_is_refused_and_costs_the_most() {
	let built = candidate(10, 0, 1, 2);
	let by_hash = CollationRequestV2 {
		scheduling_parent: hash(10),
		para_id: PARA,
		candidate_hash: built.receipt.hash(),
	};
	let by_head = CollationRequestV3 {
		scheduling_parent: hash(10),
		para_id: PARA,
		output_head_data_hash: built.head_data.hash(),
	};
	let version_1 = CollationRequestV1 { scheduling_parent: hash(10), para_id: PARA }.encode();
	for (protocol, good) in
		[(RequestProtocol::CollationV2, by_hash.encode()), (RequestProtocol::CollationV3, by_head.encode())]
	{
		let cut = (0..good.len()).map(|len| good[..len].to_vec());
		let long = [[&good[..], &[0]].concat(), good.repeat(14), version_1.clone()];
		for payload in cut.chain(long) {
			let mut rig = Rig::new();
			rig.distribute(&segment(10, 0, vec![built.clone()]));
			rig.driven.traces.clear();
			let len = payload.len();
			let (id, effects) = rig.request(1, protocol, payload);
			assert_eq!(answers(&effects), [(id, None, -300_000)], "{protocol:?} of {len} bytes");
			assert_eq!(rig.stages(), [Stage::Dropped(Reason::MalformedMessage)]);
		}
		let mut rig = Rig::new();
		rig.distribute(&segment(10, 0, vec![built.clone()]));
		let (_, effects) = rig.request(1, protocol, good);
		assert!(answers(&effects)[0].1.is_some());
	}
}

#[test]
fn request_over_a_protocol_that_collators_do_not_serve_is_refused_without_a_cost() {
	let mut rig = Rig::new();
	rig.distribute(&segment(10, 0, vec![candidate(10, 0, 1, 2)]));
	for protocol in RequestProtocol::ALL {
		if matches!(protocol, RequestProtocol::CollationV2 | RequestProtocol::CollationV3) {
			continue;
		}
		rig.driven.traces.clear();
		let (id, effects) = rig.request(1, protocol, vec![1, 2, 3]);
		assert_eq!(answers(&effects), [(id, None, 0)]);
		assert_eq!(rig.stages(), [Stage::Dropped(Reason::UnexpectedMessage)]);
	}
}

#[test]
fn request_of_one_version_is_not_found_over_the_other() {
	let mut rig = Rig::new();
	let built = candidate(10, 0, 1, 2);
	rig.distribute(&segment(10, 0, vec![built.clone()]));
	// Both have the same form: 32, 4 and 32 bytes.
	let by_hash = (hash(10), PARA, built.receipt.hash()).encode();
	let by_head = (hash(10), PARA, built.head_data.hash()).encode();
	for (protocol, payload) in
		[(RequestProtocol::CollationV3, by_hash), (RequestProtocol::CollationV2, by_head)]
	{
		let (id, effects) = rig.request(1, protocol, payload);
		assert_eq!(answers(&effects), [(id, None, 0)]);
	}
}
