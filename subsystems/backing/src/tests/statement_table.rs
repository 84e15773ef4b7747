//! The statement table against a naive model, and its bounds.

use super::harness::signature;
use crate::table::{Import, Table, Vote, SECONDED_PER_VALIDATOR_MAX};
use headway_primitives::*;
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
};

fn groups() -> BTreeMap<CoreIndex, Vec<ValidatorIndex>> {
	let members = |ids: [u32; 3]| ids.map(ValidatorIndex).to_vec();
	[(CoreIndex(0), members([4, 0, 2])), (CoreIndex(1), members([1, 3, 5]))].into()
}

fn receipt(n: u8) -> Arc<CommittedCandidateReceiptV2> {
	Arc::new(super::harness::Bundle::new(1, 0, 10, n).receipt)
}

#[test]
fn a_validator_may_second_only_so_many_candidates() {
	let mut table = Table::new(groups(), 2);
	let mut second = |validator, n: usize| {
		let hash = CandidateHash(Hash::from_low_u64_be(n as u64));
		let vote = Vote::Seconded(receipt(1), CoreIndex(0));
		table.import(hash, ValidatorIndex(validator), vote, signature(&validator))
	};
	for n in 0..SECONDED_PER_VALIDATOR_MAX {
		assert!(matches!(second(0, n), Import::Counted(_)));
	}
	assert_eq!(second(0, SECONDED_PER_VALIDATOR_MAX), Import::CapacityReached);
	assert!(matches!(second(2, SECONDED_PER_VALIDATOR_MAX), Import::Counted(_)));
	assert_eq!(second(0, SECONDED_PER_VALIDATOR_MAX), Import::CapacityReached);
	assert_eq!(second(0, 0), Import::Known);
}

#[test]
fn a_small_group_needs_no_more_votes_than_members() {
	let groups = [(CoreIndex(0), vec![ValidatorIndex(0)])].into();
	let mut table = Table::new(groups, 2);
	let vote = Vote::Seconded(receipt(1), CoreIndex(0));
	let imported = table.import(receipt(1).hash(), ValidatorIndex(0), vote, signature(&0u8));
	assert!(matches!(imported, Import::Counted(summary) if summary.attested && summary.votes == 1));
}

/// All sequences of four votes of five validators on one candidate: votes count once per group member, after
/// the first `Seconded`, and the backed candidate has them in the group's order.
#[test]
fn the_table_agrees_with_a_naive_model() {
	let receipt = receipt(1);
	let hash = receipt.hash();
	let votes: Vec<(u32, bool)> = (0..5).flat_map(|v| [(v, true), (v, false)]).collect();
	let n = votes.len();
	for sequence in 0..n.pow(4) {
		let mut table = Table::new(groups(), 2);
		let (mut core, mut voted) = (None, BTreeSet::new());
		for (validator, seconds) in (0..4).map(|i| votes[sequence / n.pow(i) % n]) {
			let own_core = CoreIndex(validator % 2);
			let vote = if seconds { Vote::Seconded(receipt.clone(), own_core) } else { Vote::Valid };
			let imported =
				table.import(hash, ValidatorIndex(validator), vote, signature(&(validator, seconds)));
			if seconds {
				core.get_or_insert(own_core);
			}
			let counts = core == Some(own_core) && voted.insert(validator);
			assert_eq!(matches!(imported, Import::Counted(_)), counts, "sequence {sequence}");
		}
		let backed = table.backed_candidate(&hash);
		assert_eq!(backed.is_some(), voted.len() >= 2, "sequence {sequence}");
		let (Some(backed), Some(core)) = (backed, core) else { continue };
		let (bits, in_core) = backed.validator_indices_and_core_index();
		assert_eq!(in_core, Some(core));
		let expected: Vec<bool> = groups()[&core].iter().map(|member| voted.contains(&member.0)).collect();
		assert_eq!(bits.iter().map(|bit| *bit).collect::<Vec<_>>(), expected);
		assert_eq!(backed.validity_votes.len(), voted.len());
	}
}
