//! Scenarios IE-01 to IE-11 (backing pipeline §9.2).

use super::*;
use crate::{
	ump::UMP_SEPARATOR, CandidateCommitments, OutboundHrmpMessage, PersistedValidationData, ValidationCode,
};
use alloc::{vec, vec::Vec};
use proptest::prelude::*;
use ConstraintError as E;

const PARA_A: ParaId = ParaId(1);
const PARA_B: ParaId = ParaId(2);

fn code(n: u8) -> ValidationCodeHash {
	ValidationCodeHash(Hash::repeat_byte(n))
}

fn head(n: u8) -> HeadData {
	HeadData(vec![n])
}

fn constraints() -> Constraints {
	let room = |bytes_remaining, messages_remaining| OutboundHrmpChannelLimitations {
		bytes_remaining,
		messages_remaining,
	};
	Constraints {
		min_relay_parent_number: 5,
		max_pov_size: 1000,
		max_code_size: 100,
		max_head_data_size: 50,
		ump_remaining: 10,
		ump_remaining_bytes: 100,
		max_ump_num_per_candidate: 5,
		dmp_remaining_messages: vec![8, 12],
		hrmp_inbound: InboundHrmpLimitations { valid_watermarks: vec![6, 8] },
		hrmp_channels_out: vec![(PARA_A, room(20, 2)), (PARA_B, room(20, 2))],
		max_hrmp_num_per_candidate: 3,
		required_parent: head(0),
		validation_code_hash: code(1),
		upgrade_restriction: None,
		future_validation_code: None,
	}
}

/// A candidate that passes all checks against [`constraints`], for a test to spoil.
struct Candidate {
	code: ValidationCodeHash,
	commitments: CandidateCommitments,
	validation_data: PersistedValidationData,
	relay_parent: RelayParentInfo,
}

fn candidate() -> Candidate {
	let relay_parent = RelayParentInfo { number: 10, state_root: Hash::repeat_byte(10) };
	Candidate {
		code: code(1),
		commitments: CandidateCommitments {
			head_data: head(1),
			processed_downward_messages: 1,
			hrmp_watermark: 10,
			..Default::default()
		},
		validation_data: PersistedValidationData {
			parent_head: head(0),
			relay_parent_number: relay_parent.number,
			relay_parent_storage_root: relay_parent.state_root,
			max_pov_size: 1000,
		},
		relay_parent,
	}
}

impl Candidate {
	fn with(spoil: impl FnOnce(&mut Self)) -> Self {
		let mut candidate = candidate();
		spoil(&mut candidate);
		candidate
	}

	fn check(&self, constraints: &Constraints) -> Result<ConstraintModifications, E> {
		constraints.check_candidate(self.code, &self.commitments, &self.validation_data, &self.relay_parent)
	}

	/// Builds on another state: code, parent and relay parent stay those of the candidate.
	fn on(mut self, constraints: &Constraints) -> Self {
		self.validation_data.parent_head = constraints.required_parent.clone();
		self
	}
}

fn upward<M: AsRef<[u8]>>(messages: &[M]) -> crate::UpwardMessages {
	messages.iter().map(|message| message.as_ref().to_vec()).collect::<Vec<_>>().try_into().unwrap()
}

fn horizontal(messages: &[(ParaId, usize)]) -> crate::HorizontalMessages {
	let message = |(recipient, len): &(ParaId, usize)| OutboundHrmpMessage {
		recipient: *recipient,
		data: vec![7; *len],
	};
	messages.iter().map(message).collect::<Vec<_>>().try_into().unwrap()
}

#[test]
fn watermark_at_relay_parent_or_among_the_valid() {
	use HrmpWatermarkUpdate::{Head, Trunk};
	for (watermark, expected) in [
		(10, Ok(Head(10))),
		(8, Ok(Trunk(8))),
		(6, Ok(Trunk(6))),
		(7, Err(E::WatermarkNotAllowed { watermark: 7 })),
		(11, Err(E::WatermarkNotAllowed { watermark: 11 })),
	] {
		let candidate = Candidate::with(|c| c.commitments.hrmp_watermark = watermark);
		let update =
			candidate.check(&constraints()).map(|modifications| modifications.hrmp_watermark.unwrap());
		assert_eq!(update, expected, "watermark {watermark}");
	}
}

#[test]
fn watermark_beyond_the_relay_parent_is_refused_even_if_messages_wait_at_it() {
	let mut constraints = constraints();
	constraints.hrmp_inbound.valid_watermarks.push(11);
	let candidate = Candidate::with(|c| c.commitments.hrmp_watermark = 11);
	assert_eq!(candidate.check(&constraints), Err(E::WatermarkNotAllowed { watermark: 11 }));
}

#[test]
fn second_code_upgrade_waits_until_the_first_is_enacted() {
	let upgrade =
		|| Candidate::with(|c| c.commitments.new_validation_code = Some(ValidationCode(vec![1; 9])));
	let after = constraints().apply_modifications(&upgrade().check(&constraints()).unwrap()).unwrap();
	assert_eq!(upgrade().on(&after).check(&after), Err(E::CodeUpgradeRestricted));
	assert_eq!(candidate().on(&after).check(&after).map(drop), Ok(()));
}

#[test]
fn watermark_drops_what_is_strictly_below() {
	for (watermark, left) in [(6, vec![6, 8]), (8, vec![8]), (10, vec![])] {
		let candidate = Candidate::with(|c| c.commitments.hrmp_watermark = watermark);
		let modifications = candidate.check(&constraints()).unwrap();
		let after = constraints().apply_modifications(&modifications).unwrap();
		assert_eq!(after.hrmp_inbound.valid_watermarks, left, "watermark {watermark}");
	}
}

#[test]
fn horizontal_messages_need_a_channel_with_room() {
	let unknown = ParaId(3);
	for (messages, expected) in [
		(vec![(PARA_A, 20), (PARA_B, 20)], Ok(())),
		(vec![(PARA_A, 1), (unknown, 1)], Err(E::NoSuchHrmpChannel { recipient: unknown })),
		(
			vec![(PARA_A, 20), (PARA_B, 21)],
			Err(E::HrmpBytesOverflow { recipient: PARA_B, remaining: 20, submitted: 21 }),
		),
	] {
		let candidate = Candidate::with(|c| c.commitments.horizontal_messages = horizontal(&messages));
		assert_eq!(candidate.check(&constraints()).map(drop), expected, "{messages:?}");
	}
	let mut full = constraints();
	full.hrmp_channels_out[0].1.messages_remaining = 0;
	let candidate = Candidate::with(|c| c.commitments.horizontal_messages = horizontal(&[(PARA_A, 1)]));
	let overflow = E::HrmpMessagesOverflow { recipient: PARA_A, remaining: 0, submitted: 1 };
	assert_eq!(candidate.check(&full), Err(overflow));
}

#[test]
fn horizontal_messages_ascend_strictly_by_recipient() {
	for (recipients, position) in [([PARA_B, PARA_A, PARA_B], 1), ([PARA_A, PARA_B, PARA_B], 2)] {
		let messages = recipients.map(|recipient| (recipient, 1));
		let candidate = Candidate::with(|c| c.commitments.horizontal_messages = horizontal(&messages));
		assert_eq!(candidate.check(&constraints()), Err(E::HrmpMessagesNotAscending { position }));
	}
}

#[test]
fn stacked_candidates_share_the_upward_queue() {
	let sender = || Candidate::with(|c| c.commitments.upward_messages = upward(&[[1; 30]; 2]));
	let first = sender().check(&constraints()).unwrap();
	let after = constraints().apply_modifications(&first).unwrap();
	assert_eq!((after.ump_remaining, after.ump_remaining_bytes), (8, 40));
	let overflow = E::UmpBytesOverflow { remaining: 40, submitted: 60 };
	assert_eq!(sender().on(&after).check(&after), Err(overflow));

	let five = || Candidate::with(|c| c.commitments.upward_messages = upward(&[[1]; 5]));
	let mut tight = constraints();
	tight.ump_remaining = 8;
	let after = tight.apply_modifications(&five().check(&tight).unwrap()).unwrap();
	let overflow = E::UmpMessagesOverflow { remaining: 3, submitted: 5 };
	assert_eq!(five().on(&after).check(&after), Err(overflow));

	let six = Candidate::with(|c| c.commitments.upward_messages = upward(&[[1]; 6]));
	assert_eq!(six.check(&constraints()), Err(E::TooManyUmpMessages { count: 6, max: 5 }));
}

#[test]
fn downward_messages_advance_and_do_not_underflow() {
	// Messages that wait, how many are processed (relay parent: 10), outcome.
	for (waiting, processed, expected) in [
		(vec![8, 12], 3, Err(E::DmpUnderflow { remaining: 2, processed: 3 })),
		(vec![8, 12], 0, Err(E::DmpNotAdvanced { sent_at: 8 })),
		(vec![10], 0, Err(E::DmpNotAdvanced { sent_at: 10 })),
		(vec![11], 0, Ok(vec![11])),
		(vec![8, 12], 1, Ok(vec![12])),
		(vec![8, 12], 2, Ok(vec![])),
		(vec![], 0, Ok(vec![])),
	] {
		let mut constraints = constraints();
		constraints.dmp_remaining_messages = waiting.clone();
		let candidate = Candidate::with(|c| c.commitments.processed_downward_messages = processed);
		let after = candidate.check(&constraints).map(|modifications| {
			constraints.apply_modifications(&modifications).unwrap().dmp_remaining_messages
		});
		assert_eq!(after, expected, "{processed} processed of {waiting:?}");
	}
}

#[test]
fn future_code_is_used_after_the_first_candidate_at_its_block() {
	for (at, upgraded) in [(9, true), (10, true), (11, false)] {
		let mut constraints = constraints();
		constraints.future_validation_code = Some((at, code(2)));
		let modifications = candidate().check(&constraints).unwrap();
		assert_eq!(modifications.code_upgrade_applied, upgraded, "upgrade at {at}");
		let after = constraints.apply_modifications(&modifications).unwrap();
		let (used, refused) = if upgraded { (code(2), code(1)) } else { (code(1), code(2)) };
		let successor = |code| Candidate::with(|c| c.code = code).on(&after).check(&after);
		assert_eq!(successor(used).map(drop), Ok(()));
		assert_eq!(successor(refused), Err(E::ValidationCodeMismatch { expected: used, got: refused }));
		assert_eq!(after.future_validation_code.is_none(), upgraded);
	}
	let upgrade = ConstraintModifications { code_upgrade_applied: true, ..Default::default() };
	assert_eq!(constraints().check_modifications(&upgrade), Err(E::NoFutureCode));
}

#[test]
fn code_upgrades_are_restricted_and_sizes_limited() {
	let upgrade =
		|size| Candidate::with(|c| c.commitments.new_validation_code = Some(ValidationCode(vec![1; size])));
	assert_eq!(upgrade(100).check(&constraints()).map(drop), Ok(()));
	assert_eq!(upgrade(101).check(&constraints()), Err(E::CodeTooLarge { size: 101, max: 100 }));
	let mut restricted = constraints();
	restricted.upgrade_restriction = Some(UpgradeRestriction::Present);
	assert_eq!(upgrade(100).check(&restricted), Err(E::CodeUpgradeRestricted));
	assert_eq!(candidate().check(&restricted).map(drop), Ok(()));

	let large_head = Candidate::with(|c| c.commitments.head_data = HeadData(vec![1; 51]));
	assert_eq!(large_head.check(&constraints()), Err(E::HeadDataTooLarge { size: 51, max: 50 }));
}

#[test]
fn signals_count_as_neither_messages_nor_bytes() {
	let candidate = Candidate::with(|c| {
		c.commitments.upward_messages = upward(&[&[1; 3][..], &[2; 4], &UMP_SEPARATOR, &[0, 0, 0], &[0; 50]]);
	});
	let modifications = candidate.check(&constraints()).unwrap();
	assert_eq!((modifications.ump_messages_sent, modifications.ump_bytes_sent), (2, 7));
}

#[test]
fn validation_data_is_what_the_chain_vouches_for() {
	use ValidationDataField::*;
	type Spoil = fn(&mut PersistedValidationData);
	let cases: [(ValidationDataField, Spoil); 4] = [
		(ParentHead, |data| data.parent_head = head(9)),
		(RelayParentNumber, |data| data.relay_parent_number += 1),
		(RelayParentStorageRoot, |data| data.relay_parent_storage_root = Hash::zero()),
		(MaxPovSize, |data| data.max_pov_size -= 1),
	];
	for (field, spoil) in cases {
		let candidate = Candidate::with(|c| spoil(&mut c.validation_data));
		assert_eq!(candidate.check(&constraints()), Err(E::ValidationDataMismatch { field }));
	}
}

#[test]
fn relay_parent_must_not_be_older_than_the_oldest() {
	let with_relay_parent = |number| {
		Candidate::with(|c| {
			c.relay_parent.number = number;
			c.validation_data.relay_parent_number = number;
			c.commitments.hrmp_watermark = number;
		})
	};
	assert_eq!(with_relay_parent(5).check(&constraints()).map(drop), Ok(()));
	assert_eq!(with_relay_parent(4).check(&constraints()), Err(E::RelayParentTooOld { number: 4, min: 5 }));
}

#[test]
fn horizontal_messages_per_candidate_are_limited() {
	let mut constraints = constraints();
	constraints.max_hrmp_num_per_candidate = 1;
	let two =
		Candidate::with(|c| c.commitments.horizontal_messages = horizontal(&[(PARA_A, 1), (PARA_B, 1)]));
	assert_eq!(two.check(&constraints), Err(E::TooManyHrmpMessages { count: 2, max: 1 }));
}

#[test]
fn without_its_parent_only_a_candidates_commitments_are_checked() {
	let check =
		|c: &Candidate| constraints().check_commitments(c.code, &c.commitments, c.relay_parent.number);
	// Fails the full check in every part that depends on the parent.
	let candidate = Candidate::with(|c| {
		c.validation_data.parent_head = head(9);
		c.commitments.hrmp_watermark = 7;
		c.commitments.processed_downward_messages = 9;
		c.commitments.upward_messages = upward(&[[1]; 6]);
		c.commitments.horizontal_messages = horizontal(&[(ParaId(9), 1), (PARA_A, 1)]);
	});
	assert_eq!(check(&candidate), Ok(()));
	let large_head = Candidate::with(|c| c.commitments.head_data = HeadData(vec![1; 51]));
	assert_eq!(check(&large_head), Err(E::HeadDataTooLarge { size: 51, max: 50 }));
}

#[test]
fn checks_come_in_order() {
	// Each repair of the candidate uncovers the next fault.
	let mut constraints = constraints();
	constraints.upgrade_restriction = Some(UpgradeRestriction::Present);
	let mut c = Candidate::with(|c| {
		c.code = code(9);
		c.relay_parent.number = 4;
		c.commitments = CandidateCommitments {
			upward_messages: upward(&[[1; 40]; 6]),
			horizontal_messages: horizontal(&[(PARA_B, 1), (PARA_A, 1), (ParaId(3), 1), (ParaId(4), 1)]),
			new_validation_code: Some(ValidationCode(vec![1; 101])),
			head_data: HeadData(vec![1; 51]),
			processed_downward_messages: 0,
			hrmp_watermark: 3,
		};
		c.validation_data.max_pov_size = 1;
	});
	let mut faults = Vec::new();
	while let Err(fault) = c.check(&constraints) {
		match &fault {
			E::ValidationCodeMismatch { .. } => c.code = code(1),
			E::HeadDataTooLarge { .. } => c.commitments.head_data = head(1),
			E::RelayParentTooOld { .. } => c.relay_parent.number = 10,
			E::CodeUpgradeRestricted => constraints.upgrade_restriction = None,
			E::CodeTooLarge { .. } => c.commitments.new_validation_code = None,
			E::TooManyHrmpMessages { .. } => {
				c.commitments.horizontal_messages = horizontal(&[(PARA_B, 1), (PARA_A, 1)])
			},
			E::HrmpMessagesNotAscending { .. } => {
				c.commitments.horizontal_messages = horizontal(&[(ParaId(3), 30)])
			},
			E::ValidationDataMismatch { .. } => c.validation_data.max_pov_size = 1000,
			E::DmpNotAdvanced { .. } => c.commitments.processed_downward_messages = 3,
			E::TooManyUmpMessages { .. } => c.commitments.upward_messages = upward(&[[1; 40]; 4]),
			E::WatermarkNotAllowed { .. } => c.commitments.hrmp_watermark = 10,
			E::NoSuchHrmpChannel { .. } => c.commitments.horizontal_messages = horizontal(&[(PARA_A, 21)]),
			E::HrmpBytesOverflow { .. } => {
				c.commitments.horizontal_messages = horizontal(&[(PARA_A, 20)]);
				constraints.hrmp_channels_out[0].1.messages_remaining = 0;
			},
			E::HrmpMessagesOverflow { .. } => {
				c.commitments.horizontal_messages = horizontal(&[]);
				constraints.ump_remaining = 3;
			},
			E::UmpMessagesOverflow { .. } => constraints.ump_remaining = 4,
			E::UmpBytesOverflow { .. } => constraints.ump_remaining_bytes = 160,
			E::DmpUnderflow { .. } => c.commitments.processed_downward_messages = 2,
			E::NoFutureCode => unreachable!("a candidate applies only an upgrade that is scheduled"),
		}
		faults.push(fault);
	}
	assert_eq!(faults.len(), 17, "{faults:#?}");
}

fn modifications() -> impl Strategy<Value = ConstraintModifications> {
	let channel = (0u32..12, 0u32..2).prop_map(|(bytes_submitted, messages_submitted)| {
		OutboundHrmpChannelModification { bytes_submitted, messages_submitted }
	});
	let watermark = proptest::option::of((0u32..12, any::<bool>()).prop_map(|(number, head)| {
		if head {
			HrmpWatermarkUpdate::Head(number)
		} else {
			HrmpWatermarkUpdate::Trunk(number)
		}
	}));
	(
		proptest::option::of(0u8..9),
		watermark,
		proptest::collection::btree_map((1u32..4).prop_map(ParaId), channel, 0..3),
		(0u32..6, 0u32..60, 0u32..3),
		(proptest::bool::weighted(0.2), proptest::bool::weighted(0.2)),
	)
		.prop_map(|(parent, hrmp_watermark, outbound_hrmp, (messages, bytes, dmp), (applied, started))| {
			ConstraintModifications {
				required_parent: parent.map(head),
				hrmp_watermark,
				outbound_hrmp,
				ump_messages_sent: messages,
				ump_bytes_sent: bytes,
				dmp_messages_processed: dmp,
				code_upgrade_applied: applied,
				code_upgrade_started: started,
			}
		})
}

proptest! {
	#[test]
	fn stacked_modifications_equal_those_applied_one_by_one(
		mut chain in proptest::collection::vec(modifications(), 1..4),
		future_code in any::<bool>(),
	) {
		// Relay parents do not move backwards along a chain, and marks do not move beyond relay parents.
		let mut last = 0;
		for update in chain.iter_mut().filter_map(|m| m.hrmp_watermark.as_mut()) {
			let (HrmpWatermarkUpdate::Head(number) | HrmpWatermarkUpdate::Trunk(number)) = update;
			*number = (*number).max(last);
			last = *number;
		}
		let mut base = constraints();
		base.future_validation_code = future_code.then(|| (1, code(2)));
		let one_by_one = chain.iter().try_fold(base.clone(), |state, next| state.apply_modifications(next));
		let mut stacked = ConstraintModifications::default();
		chain.iter().for_each(|next| stacked.stack(next));
		let at_once = base.apply_modifications(&stacked);
		match one_by_one {
			Ok(after) => prop_assert_eq!(at_once, Ok(after)),
			// One after the other is stricter in the order (a mark that was passed), never in the sums.
			Err(E::WatermarkNotAllowed { .. } | E::NoFutureCode) => {},
			Err(error) => prop_assert!(at_once.is_err(), "{} only one by one", error),
		}
	}

	#[test]
	fn applying_never_fails_after_the_check(change in modifications(), future_code in any::<bool>()) {
		let mut base = constraints();
		base.future_validation_code = future_code.then(|| (1, code(2)));
		prop_assert_eq!(base.check_modifications(&change), base.apply_modifications(&change).map(drop));
	}
}
