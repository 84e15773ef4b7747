use super::*;
use crate::chain::OnChain;
use headway_metronome_pvf::{abi, validate};
use headway_primitives::{
	ump::ump_signals, CoreIndex, ValidationCodeHash, ValidationParams, ValidationResult,
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
		validation_code_hash: ValidationCodeHash::from(Hash::repeat_byte(7)),
		session_index: 1,
	}
}

const DIALS: Dials = Dials { work: 3, payload_bytes: 5000, payload_seed: 1 };

/// What a validator would do with the candidate.
fn validated(submitted: &SubmittedCollation) -> ValidationResult {
	let params = ValidationParams {
		parent_head: submitted.validation_data.parent_head.clone(),
		block_data: submitted.collation.pov.block_data.clone(),
		relay_parent_number: submitted.validation_data.relay_parent_number,
		relay_parent_storage_root: submitted.validation_data.relay_parent_storage_root,
	};
	// Encodings of the parachain's own types and of the relay chain's are the same.
	let result: abi::ValidationResult = validate(&params.encode()).unwrap();
	ValidationResult::decode(&mut &result.encode()[..]).unwrap()
}

#[test]
fn a_collation_is_what_validation_yields() {
	for cores in [&[3][..], &[1, 4]] {
		for core in 0..cores.len() {
			let (head, segment) = block_for(&DIALS, &leaf(cores), core, &Head::genesis()).unwrap();
			assert_eq!(segment.core_index, CoreIndex(cores[core]));
			let [submitted] = &segment.collations[..] else { panic!() };
			let (result, collation) = (validated(submitted), &submitted.collation);
			assert_eq!(result.head_data, HeadData(head.encode()));
			assert_eq!(result.head_data, collation.head_data);
			assert_eq!(result.upward_messages, collation.upward_messages);
			assert_eq!(result.hrmp_watermark, collation.hrmp_watermark);
			let signals = ump_signals(&collation.upward_messages).unwrap();
			assert_eq!(
				signals.select_core.map(|(selector, _)| usize::from(selector.0)),
				(cores.len() > 1).then_some(core)
			);
		}
	}
}

#[test]
fn payloads_are_reproducible_and_fit() {
	let size = |payload_bytes| {
		let dials = Dials { payload_bytes, ..DIALS };
		let (_, segment) = block_for(&dials, &leaf(&[0]), 0, &Head::genesis()).unwrap();
		segment.collations[0].collation.pov.encoded_size() as u64
	};
	assert!((5000..5200).contains(&size(5000)));
	assert!((90_000..100_000).contains(&size(u64::MAX)));
	assert_eq!(payload(1, &[2; 32], 10), payload(1, &[2; 32], 10));
	assert_ne!(payload(1, &[2; 32], 10), payload(2, &[2; 32], 10));
}
