//! Messages on the wire: their bytes, and what is none of them.

use codec::{Decode, Encode};
use headway_machine::wire::*;
use headway_primitives::{
	CandidateCommitments, CandidateDescriptorV2, CandidateDescriptorVersion, CandidateHash, CollatorId,
	CollatorSignature, CommittedCandidateReceiptV2, CompactStatement, CoreIndex, GroupIndex, Hash, HeadData,
	ParaId, Statement, UncheckedSigned, ValidationCodeHash, ValidatorIndex, ValidatorSignature,
};
use proptest::prelude::*;
use sp_core::ByteArray;

const AT: Hash = Hash::repeat_byte(1);
const CANDIDATE: CandidateHash = CandidateHash(Hash::repeat_byte(2));
const PARENT: Hash = Hash::repeat_byte(3);

const VERSIONS: [CollationVersion; 4] =
	[CollationVersion::V1, CollationVersion::V2, CollationVersion::V3, CollationVersion::V4];

fn signed<P>(payload: P) -> UncheckedSigned<P> {
	let signature = ValidatorSignature::from_slice(&[9; 64]).unwrap();
	UncheckedSigned { payload, validator_index: ValidatorIndex(4), signature }
}

fn receipt() -> CommittedCandidateReceiptV2 {
	let code = ValidationCodeHash(AT);
	let descriptor = CandidateDescriptorV2::new_v2(
		ParaId(2000),
		AT,
		CoreIndex(1),
		5,
		AT,
		AT,
		AT,
		HeadData(vec![7]).hash(),
		code,
	);
	let commitments = CandidateCommitments { head_data: HeadData(vec![7]), ..Default::default() };
	CommittedCandidateReceiptV2 { descriptor, commitments }
}

fn declaration() -> (CollatorId, ParaId, CollatorSignature) {
	(
		CollatorId::from_slice(&[5; 32]).unwrap(),
		ParaId(2000),
		CollatorSignature::from_slice(&[6; 64]).unwrap(),
	)
}

fn entries(n: usize) -> Vec<SegmentEntry> {
	let entry =
		SegmentEntry { output_head_data_hash: AT, parent_head_data_hash: PARENT, claim_queue_offset: 0 };
	vec![entry; n]
}

fn advert_v1() -> AdvertiseCollationV1 {
	AdvertiseCollationV1 { scheduling_parent: AT }
}

fn advert_v2() -> AdvertiseCollationV2 {
	AdvertiseCollationV2 { scheduling_parent: AT, candidate_hash: CANDIDATE, parent_head_data_hash: PARENT }
}

fn advert_v3(version: CandidateDescriptorVersion) -> AdvertiseCollationV3 {
	AdvertiseCollationV3 {
		scheduling_parent: AT,
		candidate_hash: CANDIDATE,
		parent_head_data_hash: PARENT,
		candidate_descriptor_version: version,
		relay_parent: AT,
	}
}

fn segment(n: usize) -> AdvertiseSegment {
	AdvertiseSegment {
		scheduling_parent: AT,
		para_id: ParaId(2000),
		candidates_descriptor_version: CandidateDescriptorVersion::V3,
		candidates: entries(n).try_into().unwrap(),
	}
}

/// Every message of the collation protocol.
fn collation_messages() -> Vec<CollationMessage> {
	use CollationMessage as M;
	let (collator, para, signature) = declaration();
	let statement = || signed(Statement::Seconded(receipt()));
	vec![
		M::V1(CollatorMessageV1::Declare(collator.clone(), para, signature.clone())),
		M::V1(CollatorMessageV1::AdvertiseCollation(advert_v1())),
		M::V1(CollatorMessageV1::CollationSeconded(AT, statement())),
		M::V2(CollatorMessageV2::Declare(collator.clone(), para, signature.clone())),
		M::V2(CollatorMessageV2::AdvertiseCollation(advert_v2())),
		M::V2(CollatorMessageV2::CollationSeconded(AT, statement())),
		M::V3(CollatorMessageV3::Declare(collator, para, signature)),
		M::V3(CollatorMessageV3::AdvertiseCollation(advert_v3(CandidateDescriptorVersion::V3))),
		M::V3(CollatorMessageV3::AdvertiseCollation(advert_v3(CandidateDescriptorVersion::Unknown(9)))),
		M::V3(CollatorMessageV3::CollationSeconded(AT, statement())),
		M::V4(segment(0)),
		M::V4(segment(SEGMENT_ENTRIES_MAX as usize)),
	]
}

/// Every message of the validation protocol.
fn validation_messages() -> Vec<ValidationMessage> {
	let bitfield = Decode::decode(&mut &(16u8, 5u8, 4u32, [9u8; 64]).encode()[..]).unwrap();
	let manifest = BackedCandidateManifest {
		scheduling_parent: AT,
		candidate_hash: CANDIDATE,
		group_index: GroupIndex(3),
		para_id: ParaId(2000),
		parent_head_data_hash: PARENT,
		statement_knowledge: StatementFilter::full(5),
	};
	let known = BackedCandidateAcknowledgement {
		candidate_hash: CANDIDATE,
		statement_knowledge: StatementFilter::blank(5),
	};
	vec![
		ValidationMessage::Bitfield(BitfieldMessage::Bitfield(AT, bitfield)),
		ValidationMessage::Statement(StatementMessage::Statement(
			AT,
			signed(CompactStatement::Seconded(CANDIDATE)),
		)),
		ValidationMessage::Statement(StatementMessage::Statement(
			AT,
			signed(CompactStatement::Valid(CANDIDATE)),
		)),
		ValidationMessage::Statement(StatementMessage::BackedCandidateManifest(manifest)),
		ValidationMessage::Statement(StatementMessage::BackedCandidateKnown(known)),
	]
}

/// What is no notification, made of one: cut anywhere, too long, in another envelope, of an unknown kind.
fn mutilated(good: &[u8]) -> Vec<Vec<u8>> {
	let mut all: Vec<Vec<u8>> = (0..good.len()).map(|len| good[..len].to_vec()).collect();
	all.push([good, &[0]].concat());
	all.push([good, good].concat());
	for envelope in [0, 3, 255] {
		all.push([&[envelope], &good[1..]].concat());
	}
	all.push([&good[..1], &[77], &good[2..]].concat());
	all
}

#[test]
fn notification_of_the_collation_set_decodes_whole_or_not_at_all() {
	for message in collation_messages() {
		let (version, good) = (message.version(), message.encode_notification());
		assert_eq!(
			CollationMessage::decode_notification(version, &good),
			Ok(Envelope::ProtocolMessage(message.clone()))
		);
		for bad in mutilated(&good) {
			// A segment has no enum: its second byte is part of a hash.
			let is_other_segment = version == CollationVersion::V4 && bad.len() == good.len() && bad[0] == 1;
			let decoded = CollationMessage::decode_notification(version, &bad);
			assert_eq!(decoded.is_ok(), is_other_segment, "{message:?}: {} of {}", bad.len(), good.len());
		}
	}
}

#[test]
fn notification_of_the_validation_set_decodes_whole_or_not_at_all() {
	for message in validation_messages() {
		let good = Envelope::ProtocolMessage(message.clone()).encode();
		assert_eq!(ValidationMessage::decode_notification(&good), Ok(Envelope::ProtocolMessage(message)));
		for bad in mutilated(&good) {
			assert_eq!(ValidationMessage::decode_notification(&bad), Err(Malformed), "{bad:?}");
		}
	}
}

#[test]
fn view_update_has_one_form_on_both_sets_and_in_all_versions() {
	let view = ViewMessage { heads: vec![AT, PARENT], finalized_number: 258 };
	let good = Envelope::<()>::ViewUpdate(view.clone()).encode();
	assert_eq!(good, [&[2, 8][..], &AT.0, &PARENT.0, &[2, 1, 0, 0]].concat());
	assert_eq!(ValidationMessage::decode_notification(&good), Ok(Envelope::ViewUpdate(view.clone())));
	for version in VERSIONS {
		let decode = |bytes: &[u8]| CollationMessage::decode_notification(version, bytes);
		assert_eq!(decode(&good), Ok(Envelope::ViewUpdate(view.clone())));
		for len in 0..good.len() {
			assert_eq!(decode(&good[..len]), Err(Malformed));
		}
		assert_eq!(decode(&[&good[..], &[0]].concat()), Err(Malformed));
	}
}

#[test]
fn view_of_many_leaves_has_the_five_highest_in_the_order_of_their_hashes() {
	let leaf = |n: u8, number| (Hash::repeat_byte(n), number);
	let leaves =
		[leaf(1, 8), leaf(2, 3), leaf(3, 9), leaf(9, 9), leaf(5, 1), leaf(4, 7), leaf(7, 2), leaf(6, 8)];
	let view = ViewMessage::of_leaves(leaves, 4);
	assert_eq!(view.heads, [1, 3, 4, 6, 9].map(Hash::repeat_byte));
	assert_eq!(view.finalized_number, 4);
	assert_eq!(ViewMessage::of_leaves([], 4).heads, []);
}

#[test]
fn messages_have_the_bytes_of_the_specification() {
	let (collator, para, signature) = declaration();
	let declare = [&[1, 0, 0][..], &collator.encode(), &2000u32.to_le_bytes(), &signature.encode()].concat();
	let messages = collation_messages();
	for declaration in [&messages[0], &messages[3], &messages[6]] {
		assert_eq!(declaration.encode_notification(), declare);
	}
	let v1 = [&[1, 0, 1][..], &AT.0].concat();
	let v2 = [&v1[..], &CANDIDATE.0 .0, &PARENT.0].concat();
	let v3 = [&v2[..], &[2], &AT.0].concat();
	let unknown = [&v2[..], &[3, 9], &AT.0].concat();
	for (message, bytes) in
		[(&messages[1], v1), (&messages[4], v2), (&messages[7], v3), (&messages[8], unknown)]
	{
		assert_eq!(message.encode_notification(), bytes);
	}
	let statement = signed(Statement::Seconded(receipt())).encode();
	let seconded = [&[1, 0, 4][..], &AT.0, &statement].concat();
	for message in [&messages[2], &messages[5], &messages[9]] {
		assert_eq!(message.encode_notification(), seconded);
	}
	// A segment stands in the envelope by itself.
	let segment = [&[1][..], &AT.0, &para.encode(), &[2, 4], &AT.0, &PARENT.0, &[0]].concat();
	assert_eq!(CollationMessage::V4(self::segment(1)).encode_notification(), segment);
}

#[test]
fn advertisement_of_one_version_is_none_in_another() {
	for message in collation_messages() {
		let is_advertisement = matches!(
			&message,
			CollationMessage::V1(CollatorMessageV1::AdvertiseCollation(_))
				| CollationMessage::V2(CollatorMessageV2::AdvertiseCollation(_))
				| CollationMessage::V3(CollatorMessageV3::AdvertiseCollation(_))
				| CollationMessage::V4(_)
		);
		for version in
			VERSIONS.into_iter().filter(|version| is_advertisement && *version != message.version())
		{
			let decoded = CollationMessage::decode_notification(version, &message.encode_notification());
			assert_eq!(decoded, Err(Malformed), "{:?} as {version:?}", message.version());
		}
	}
}

#[test]
fn segment_with_more_entries_than_allowed_does_not_decode() {
	let encode = |n: usize| (1u8, AT, ParaId(2000), CandidateDescriptorVersion::V3, entries(n)).encode();
	let decode = |n| CollationMessage::decode_notification(CollationVersion::V4, &encode(n)).is_ok();
	assert_eq!([0, 1, 32, 33, 34].map(decode), [true, true, true, false, false]);
}

#[test]
fn length_that_the_bytes_do_not_have_does_not_decode() {
	// Four billion heads, four billion entries, and a bitfield of as many bits.
	let huge = [3, 0xff, 0xff, 0xff, 0xff];
	let heads = [&[2][..], &huge].concat();
	assert_eq!(ValidationMessage::decode_notification(&heads), Err(Malformed));
	let segment = [&(1u8, AT, ParaId(1), CandidateDescriptorVersion::V2).encode()[..], &huge].concat();
	assert_eq!(CollationMessage::decode_notification(CollationVersion::V4, &segment), Err(Malformed));
	let bitfield = [&[1, 1, 0][..], &AT.0, &huge, &[0; 100]].concat();
	assert_eq!(ValidationMessage::decode_notification(&bitfield), Err(Malformed));
}

#[test]
fn requests_have_the_bytes_of_the_specification() {
	let v1 = Request::CollationV1(CollationRequestV1 { scheduling_parent: AT, para_id: ParaId(5) });
	let v2 = Request::CollationV2(CollationRequestV2 {
		scheduling_parent: AT,
		para_id: ParaId(5),
		candidate_hash: CANDIDATE,
	});
	let v3 = Request::CollationV3(CollationRequestV3 {
		scheduling_parent: AT,
		para_id: ParaId(5),
		output_head_data_hash: PARENT,
	});
	let place = [&AT.0[..], &[5, 0, 0, 0]].concat();
	for (request, protocol, bytes) in [
		(v1, RequestProtocol::CollationV1, place.clone()),
		(v2, RequestProtocol::CollationV2, [&place[..], &CANDIDATE.0 .0].concat()),
		(v3, RequestProtocol::CollationV3, [&place[..], &PARENT.0].concat()),
	] {
		assert_eq!((request.protocol(), request.encode_payload()), (protocol, bytes));
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

	/// Whatever bytes come, decoding does not panic, and what decodes is what they say and nothing else.
	#[test]
	fn bytes_that_decode_are_the_encoding_of_what_they_decode_to(
		n in any::<prop::sample::Index>(),
		place in any::<prop::sample::Index>(),
		bytes in proptest::collection::vec(any::<u8>(), 0..8),
		version in prop::sample::select(VERSIONS.to_vec()),
	) {
		let messages = collation_messages();
		let mut notification = messages[n.index(messages.len())].encode_notification();
		let place = place.index(notification.len());
		notification.splice(place..(place + bytes.len()).min(notification.len()), bytes);
		if let Ok(Envelope::ProtocolMessage(message)) =
			CollationMessage::decode_notification(version, &notification)
		{
			prop_assert_eq!(message.version(), version);
			prop_assert_eq!(message.encode_notification(), notification);
		}
	}

	#[test]
	fn any_bytes_are_safe_to_decode(
		n in any::<prop::sample::Index>(),
		place in any::<prop::sample::Index>(),
		bytes in proptest::collection::vec(any::<u8>(), 0..64),
	) {
		let _ = ValidationMessage::decode_notification(&bytes);
		let messages = validation_messages();
		let message = messages[n.index(messages.len())].clone();
		let mut notification = Envelope::ProtocolMessage(message).encode();
		let place = place.index(notification.len());
		notification.splice(place..(place + bytes.len()).min(notification.len()), bytes);
		let _ = ValidationMessage::decode_notification(&notification);
	}
}
