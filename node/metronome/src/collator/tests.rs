use super::*;
use crate::chain::OnChain;
use headway_metronome_pvf::{abi, validate, InboundMessage, Invalid};
use headway_primitives::{
	constraints::{Constraints, OutboundHrmpChannelLimitations},
	ump::ump_signals,
	CoreIndex, UpgradeRestriction, ValidationCodeHash, ValidationParams, ValidationResult,
};

fn leaf(cores: &[u32]) -> Leaf {
	let included = HeadData(Head::genesis().encode());
	Leaf {
		hash: Hash::repeat_byte(9),
		number: 9,
		cores: cores.iter().copied().map(CoreIndex).collect(),
		on_chain: OnChain {
			included: included.clone(),
			pending: Vec::new(),
			synchronous: false,
			window: [Hash::repeat_byte(9)].into(),
			cores: cores.len(),
		},
		validation_data: PersistedValidationData {
			parent_head: included,
			relay_parent_number: 9,
			relay_parent_storage_root: Hash::repeat_byte(8),
			max_pov_size: 100_000,
		},
		constraints: Constraints {
			min_relay_parent_number: 5,
			max_pov_size: 100_000,
			max_code_size: 1000,
			max_head_data_size: 1000,
			ump_remaining: 0,
			ump_remaining_bytes: 0,
			max_ump_num_per_candidate: 0,
			dmp_remaining_messages: vec![7, 8],
			hrmp_inbound: Default::default(),
			hrmp_channels_out: [2001, 2002].map(|para| (ParaId(para), room(2))).into(),
			max_hrmp_num_per_candidate: 4,
			required_parent: HeadData(Head::genesis().encode()),
			validation_code_hash: CURRENT,
			upgrade_restriction: None,
			future_validation_code: None,
		},
		downward: vec![vec![1], vec![2], vec![3]],
		horizontal: [7, 8, 9].map(|sent_at| InboundMessage { sender: 2001, sent_at, data: vec![4] }).into(),
		session_index: 1,
	}
}

fn room(messages_remaining: u32) -> OutboundHrmpChannelLimitations {
	OutboundHrmpChannelLimitations { bytes_remaining: 1000, messages_remaining }
}

const PARA: ParaId = ParaId(2000);
const CURRENT: ValidationCodeHash = ValidationCodeHash(Hash::repeat_byte(7));

fn on_genesis() -> Parent {
	Parent { head: Head::genesis(), unincluded: Vec::new() }
}

/// A block that sends to 2001 and 2002, and proposes code.
fn outgoing() -> Outgoing {
	Outgoing::new(vec![ParaId(2002), ParaId(2001)], 1, Some(ValidationCode(vec![6; 16])))
}

const DIALS: Dials = Dials { work: 3, payload_bytes: 5000, payload_seed: 1 };

/// What a validator would hand to the validation function.
fn params(submitted: &SubmittedCollation) -> ValidationParams {
	ValidationParams {
		parent_head: submitted.validation_data.parent_head.clone(),
		block_data: submitted.collation.pov.block_data.clone(),
		relay_parent_number: submitted.validation_data.relay_parent_number,
		relay_parent_storage_root: submitted.validation_data.relay_parent_storage_root,
	}
}

fn validated(submitted: &SubmittedCollation) -> ValidationResult {
	// Encodings of the parachain's own types and of the relay chain's are the same.
	let result: abi::ValidationResult = validate(&params(submitted).encode()).unwrap();
	ValidationResult::decode(&mut &result.encode()[..]).unwrap()
}

#[test]
fn a_collation_is_what_validation_yields() {
	for cores in [&[3][..], &[1, 4]] {
		for core in 0..cores.len() {
			let made = block_for(&DIALS, &outgoing(), PARA, &leaf(cores), core, &on_genesis()).unwrap();
			let Made { head, segment, .. } = made;
			assert_eq!(segment.core_index, CoreIndex(cores[core]));
			let [submitted] = &segment.collations[..] else { panic!() };
			let (result, collation) = (validated(submitted), &submitted.collation);
			assert_eq!(result.head_data, HeadData(head.encode()));
			assert_eq!(result.head_data, collation.head_data);
			assert_eq!(result.upward_messages, collation.upward_messages);
			assert_eq!(result.hrmp_watermark, collation.hrmp_watermark);
			assert_eq!(result.horizontal_messages, collation.horizontal_messages);
			assert_eq!(result.processed_downward_messages, collation.processed_downward_messages);
			assert_eq!(result.new_validation_code, collation.new_validation_code);
			let signals = ump_signals(&collation.upward_messages).unwrap();
			assert_eq!(
				signals.select_core.map(|(selector, _)| usize::from(selector.0)),
				(cores.len() > 1).then_some(core)
			);
		}
	}
}

#[test]
fn a_spoilt_block_is_refused_by_the_validation_function_alone() {
	let make = || block_for(&DIALS, &outgoing(), PARA, &leaf(&[3]), 0, &on_genesis()).unwrap();
	let (good, mut spoilt) = (make(), make());
	fault::spoil(&mut spoilt);
	let [submitted] = &spoilt.segment.collations[..] else { panic!() };
	assert_eq!(validate(&params(submitted).encode()).err(), Some(Invalid::OtherParent));
	// Nothing else differs.
	spoilt.segment.collations[0].collation.pov = good.segment.collations[0].collation.pov.clone();
	assert_eq!(spoilt.segment, good.segment);
}

#[test]
fn a_fork_is_another_block_on_the_same_parent() {
	for payload_bytes in [0, 5000] {
		let dials = Dials { payload_bytes, ..DIALS };
		let head = |dials| {
			block_for(&dials, &Outgoing::default(), PARA, &leaf(&[0]), 0, &on_genesis()).unwrap().head
		};
		let (block, fork) = (head(dials), head(dials.of_a_fork()));
		assert_eq!((block.number, block.parent_hash), (fork.number, fork.parent_hash));
		assert_ne!(block, fork);
	}
}

#[test]
fn payloads_are_reproducible_and_fit() {
	let size = |payload_bytes| {
		let dials = Dials { payload_bytes, ..DIALS };
		let made = block_for(&dials, &Outgoing::default(), PARA, &leaf(&[0]), 0, &on_genesis()).unwrap();
		made.segment.collations[0].collation.pov.encoded_size() as u64
	};
	assert!((5000..5200).contains(&size(5000)));
	assert!((90_000..100_000).contains(&size(u64::MAX)));
	assert_eq!(payload(1, &[2; 32], 10), payload(1, &[2; 32], 10));
	assert_ne!(payload(1, &[2; 32], 10), payload(2, &[2; 32], 10));
}

#[test]
fn messages_are_processed_once_and_sent_while_the_channel_has_room() {
	let effects = |unincluded: Vec<Effects>| {
		let parent = Parent { unincluded, ..on_genesis() };
		let made = block_for(&DIALS, &outgoing(), PARA, &leaf(&[0]), 0, &parent).unwrap();
		(made.effects.processed_downward, made.received, made.effects.sent, made.effects.proposes_code)
	};
	assert_eq!(effects(vec![]), (3, 3, 2, true));
	let earlier = Effects { relay_parent_number: 8, processed_downward: 2, sent: 1, proposes_code: true };
	assert_eq!(effects(vec![earlier]), (1, 1, 2, false));
	// The channel is full, and the upgrade proposed in a block before the last one.
	let latest = Effects { relay_parent_number: 9, processed_downward: 1, ..earlier };
	assert_eq!(effects(vec![earlier, latest]), (0, 0, 0, false));
}

#[test]
fn code_is_proposed_when_the_relay_chain_allows_and_only_if_it_is_other_code() {
	let proposes = |change: &dyn Fn(&mut Constraints)| {
		let mut leaf = leaf(&[0]);
		change(&mut leaf.constraints);
		block_for(&DIALS, &outgoing(), PARA, &leaf, 0, &on_genesis()).unwrap().effects.proposes_code
	};
	assert!(proposes(&|_| {}));
	assert!(!proposes(&|constraints| constraints.upgrade_restriction = Some(UpgradeRestriction::Present)));
	assert!(!proposes(&|constraints| constraints.future_validation_code = Some((20, CURRENT))));
	let upgraded = ValidationCode(vec![6; 16]).hash();
	assert!(!proposes(&|constraints| constraints.validation_code_hash = upgraded));
}

#[test]
fn new_code_is_in_force_behind_the_block_whose_relay_parent_has_reached_its_time() {
	let next = ValidationCodeHash(Hash::repeat_byte(6));
	let mut leaf = leaf(&[0]);
	leaf.constraints.future_validation_code = Some((9, next));
	let at = |relay_parent_number| Effects { relay_parent_number, ..Effects::default() };
	for (unincluded, expected) in [(vec![], CURRENT), (vec![at(8)], CURRENT), (vec![at(8), at(9)], next)] {
		assert_eq!(traffic::validation_code_hash(&leaf, &unincluded), expected);
	}
}

#[test]
fn messages_are_sent_every_so_many_blocks_and_only_over_channels_that_exist() {
	let sent = |recipients: &[u32], every, number| {
		let recipients = recipients.iter().copied().map(ParaId).collect();
		let outgoing = Outgoing::new(recipients, every, None);
		let traffic = traffic::traffic(&leaf(&[0]), &outgoing, PARA, number, &[]);
		traffic.outbound.into_iter().map(|(recipient, _)| recipient).collect::<Vec<_>>()
	};
	assert_eq!(sent(&[2002, 2001, 2001], 5, 10), [2001, 2002]);
	assert_eq!(sent(&[2001], 5, 11), Vec::<u32>::new());
	assert_eq!(sent(&[2003], 5, 10), Vec::<u32>::new());
}
