//! Signals behind the upward messages of a candidate, and the core that they select (backing pipeline §1.4).

use crate::{
	CandidateDescriptorVersion, CommittedCandidateReceiptV2, CoreIndex, ParaId, TransposedClaimQueue,
	UpwardMessage,
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use scale_info::TypeInfo;
use sp_core::{bounded::BoundedVec, ConstU32};

/// Bytes of the peer id of an approved collator.
pub type ApprovedPeerId = BoundedVec<u8, ConstU32<64>>;

/// The empty upward message that separates messages from signals.
pub const UMP_SEPARATOR: UpwardMessage = Vec::new();

/// A signal to the relay chain.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub enum UmpSignal {
	/// Selects a core among those that the para holds at a depth of the claim queue.
	#[codec(index = 0)]
	SelectCore(CoreSelector, ClaimQueueOffset),
	/// The collator that deserves a reputation bump when this candidate is included.
	#[codec(index = 1)]
	ApprovedPeer(ApprovedPeerId),
}

/// Selects a core: taken modulo the number of cores.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct CoreSelector(pub u8);

/// Depth of the claim queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct ClaimQueueOffset(pub u8);

/// The signals of one candidate.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct UmpSignals {
	/// Core selection.
	pub select_core: Option<(CoreSelector, ClaimQueueOffset)>,
	/// Collator to be rewarded.
	pub approved_peer: Option<ApprovedPeerId>,
}

impl UmpSignals {
	/// Whether there is none.
	pub fn is_empty(&self) -> bool {
		self.select_core.is_none() && self.approved_peer.is_none()
	}
}

/// Why signals, or the core that they select, are refused.
#[derive(
	Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode, TypeInfo, thiserror::Error,
)]
pub enum UmpSignalError {
	/// A signal does not decode.
	#[error("UMP signal does not decode")]
	Decode,
	/// Two signals of the same kind.
	#[error("UMP signal of one kind given twice")]
	Duplicate,
	/// More than two messages behind the separator.
	#[error("more than two UMP signals")]
	TooMany,
	/// Version 1 descriptors may not send signals.
	#[error("UMP signals with a version 1 descriptor")]
	SignalsWithV1,
	/// Version 3 descriptors must send signals.
	#[error("no UMP signals with a version 3 descriptor")]
	NoSignalsWithV3,
	/// The descriptor's version is not known.
	#[error("descriptor of unknown version {0}")]
	UnknownVersion(u8),
	/// The para holds no core at the depth.
	#[error("para holds no core at claim queue offset {0}")]
	NoAssignment(u8),
	/// The descriptor names another core than the signals select.
	#[error("descriptor names core {}, but core {} is selected", .descriptor.0, .selected.0)]
	CoreIndexMismatch {
		/// Core in the descriptor.
		descriptor: CoreIndex,
		/// Core that the signals select.
		selected: CoreIndex,
	},
	/// The para holds several cores, and the descriptor's is none of them.
	#[error("descriptor names core {}, which the para does not hold", .0 .0)]
	InvalidCoreIndex(CoreIndex),
}

/// The upward messages before the separator: those that count against limits and are delivered.
pub fn skip_ump_signals<'a>(
	upward_messages: impl Iterator<Item = &'a UpwardMessage>,
) -> impl Iterator<Item = &'a UpwardMessage> {
	upward_messages.take_while(|message| !message.is_empty())
}

/// Reads the signals behind the separator.
pub fn ump_signals(upward_messages: &[UpwardMessage]) -> Result<UmpSignals, UmpSignalError> {
	let mut signals = UmpSignals::default();
	let behind = upward_messages.iter().skip_while(|message| !message.is_empty()).skip(1);
	for (i, message) in behind.enumerate() {
		if i == 2 {
			return Err(UmpSignalError::TooMany);
		}
		// Trailing bytes are tolerated, as by the reference.
		match UmpSignal::decode(&mut &message[..]).map_err(|_| UmpSignalError::Decode)? {
			UmpSignal::SelectCore(selector, offset) => {
				if signals.select_core.replace((selector, offset)).is_some() {
					return Err(UmpSignalError::Duplicate);
				}
			},
			UmpSignal::ApprovedPeer(peer) => {
				if signals.approved_peer.replace(peer).is_some() {
					return Err(UmpSignalError::Duplicate);
				}
			},
		}
	}
	Ok(signals)
}

/// Reads the signals of a candidate and checks the core in its descriptor against the claim queue at its scheduling
/// parent.
pub fn parse_ump_signals(
	candidate: &CommittedCandidateReceiptV2,
	claim_queue: &TransposedClaimQueue,
) -> Result<UmpSignals, UmpSignalError> {
	let signals = ump_signals(&candidate.commitments.upward_messages)?;
	match candidate.descriptor.version() {
		CandidateDescriptorVersion::V1 if signals.is_empty() => return Ok(signals),
		CandidateDescriptorVersion::V1 => return Err(UmpSignalError::SignalsWithV1),
		CandidateDescriptorVersion::Unknown(n) => return Err(UmpSignalError::UnknownVersion(n)),
		CandidateDescriptorVersion::V3 if signals.is_empty() => return Err(UmpSignalError::NoSignalsWithV3),
		CandidateDescriptorVersion::V2 | CandidateDescriptorVersion::V3 => {},
	}
	let descriptor = CoreIndex(candidate.descriptor.core_index.into());
	check_core_index(candidate.descriptor.para_id, descriptor, &signals, claim_queue)?;
	Ok(signals)
}

/// Checks that `signals` select `descriptor`'s core, under the claim queue.
pub fn check_core_index(
	para: ParaId,
	descriptor: CoreIndex,
	signals: &UmpSignals,
	claim_queue: &TransposedClaimQueue,
) -> Result<(), UmpSignalError> {
	let offset = signals.select_core.map_or(0, |(_, ClaimQueueOffset(offset))| offset);
	let cores = claim_queue
		.get(&para)
		.and_then(|by_depth| by_depth.get(&offset))
		.filter(|cores| !cores.is_empty())
		.ok_or(UmpSignalError::NoAssignment(offset))?;
	let selector = match signals.select_core {
		Some((CoreSelector(selector), _)) => usize::from(selector),
		// Without a selector and with several cores, nothing more can be checked than that it is one of them.
		None if cores.len() > 1 => {
			return if cores.contains(&descriptor) {
				Ok(())
			} else {
				Err(UmpSignalError::InvalidCoreIndex(descriptor))
			}
		},
		None => 0,
	};
	match cores.iter().nth(selector % cores.len()) {
		Some(selected) if *selected == descriptor => Ok(()),
		Some(selected) => Err(UmpSignalError::CoreIndexMismatch { descriptor, selected: *selected }),
		None => Err(UmpSignalError::NoAssignment(offset)),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{tests::candidate, transpose_claim_queue};
	use alloc::{collections::VecDeque, vec};
	use UmpSignalError as E;

	const PARA: ParaId = ParaId(1);

	fn select_core(selector: u8, offset: u8) -> UpwardMessage {
		UmpSignal::SelectCore(CoreSelector(selector), ClaimQueueOffset(offset)).encode()
	}

	fn approved_peer() -> UpwardMessage {
		UmpSignal::ApprovedPeer(vec![1, 2, 3].try_into().unwrap()).encode()
	}

	/// The para's claim queue from `(core, depth)`.
	fn claim_queue(assignments: &[(u32, usize)]) -> TransposedClaimQueue {
		let other = ParaId(99);
		let queue = assignments.iter().map(|(core, _)| {
			let at = |depth| if assignments.contains(&(*core, depth)) { PARA } else { other };
			(CoreIndex(*core), (0..3).map(at).collect::<VecDeque<_>>())
		});
		transpose_claim_queue(&queue.collect())
	}

	fn check(
		version: u8,
		core: u16,
		signals: &[UpwardMessage],
		claim_queue: &TransposedClaimQueue,
	) -> Result<(), E> {
		let mut candidate = candidate(version);
		candidate.descriptor.core_index = core;
		let messages = [&[vec![9, 9, 9], UMP_SEPARATOR], signals].concat();
		candidate.commitments.upward_messages = messages.try_into().unwrap();
		parse_ump_signals(&candidate, claim_queue).map(drop)
	}

	#[test]
	fn signals_follow_the_separator() {
		let (core, peer, xcm) = (select_core(1, 2), approved_peer(), vec![9]);
		let both = UmpSignals {
			select_core: Some((CoreSelector(1), ClaimQueueOffset(2))),
			approved_peer: Some(vec![1, 2, 3].try_into().unwrap()),
		};
		let trailing = [&core[..], &[0xff]].concat();
		for (messages, expected) in [
			(vec![xcm.clone(), vec![], core.clone(), peer.clone()], Ok(both.clone())),
			(vec![xcm.clone(), vec![], peer.clone(), core.clone()], Ok(both.clone())),
			(vec![vec![], trailing, peer.clone()], Ok(both)),
			(vec![core.clone(), peer.clone()], Ok(UmpSignals::default())),
			(vec![xcm, vec![]], Ok(UmpSignals::default())),
			(vec![vec![], core.clone(), core.clone()], Err(E::Duplicate)),
			(vec![vec![], peer.clone(), peer.clone()], Err(E::Duplicate)),
			(vec![vec![], core.clone(), peer, core.clone()], Err(E::TooMany)),
			(vec![vec![], vec![]], Err(E::Decode)),
			(vec![vec![], vec![2, 0]], Err(E::Decode)),
			(vec![vec![], [&[1, 5, 1][..], &[0; 65]].concat()], Err(E::Decode)),
		] {
			assert_eq!(ump_signals(&messages), expected, "{messages:?}");
		}
		assert_eq!((core, approved_peer()), (vec![0, 1, 2], vec![1, 3 << 2, 1, 2, 3]));
	}

	#[test]
	fn selector_is_taken_modulo_the_cores_at_the_depth() {
		let queue = claim_queue(&[(2, 1), (5, 1)]);
		let signal = [select_core(3, 1)];
		let mismatch = E::CoreIndexMismatch { descriptor: CoreIndex(2), selected: CoreIndex(5) };
		assert_eq!(check(0, 5, &signal, &queue), Ok(()));
		assert_eq!(check(0, 2, &signal, &queue), Err(mismatch));
		assert_eq!(check(0, 5, &[select_core(3, 0)], &queue), Err(E::NoAssignment(0)));
		assert_eq!(check(0, 5, &[select_core(3, 200)], &queue), Err(E::NoAssignment(200)));
	}

	#[test]
	fn without_selector_the_core_must_be_among_the_paras() {
		let mismatch = E::CoreIndexMismatch { descriptor: CoreIndex(4), selected: CoreIndex(2) };
		for (queue, core, expected) in [
			(claim_queue(&[(2, 0)]), 2, Ok(())),
			(claim_queue(&[(2, 0)]), 4, Err(mismatch)),
			(claim_queue(&[(2, 0), (5, 0)]), 2, Ok(())),
			(claim_queue(&[(2, 0), (5, 0)]), 5, Ok(())),
			(claim_queue(&[(2, 0), (5, 0)]), 4, Err(E::InvalidCoreIndex(CoreIndex(4)))),
			(claim_queue(&[(2, 1)]), 2, Err(E::NoAssignment(0))),
			(claim_queue(&[]), 2, Err(E::NoAssignment(0))),
		] {
			assert_eq!(check(0, core, &[], &queue), expected, "core {core} of {queue:?}");
			// A signal without core selection changes nothing.
			assert_eq!(check(0, core, &[approved_peer()], &queue), expected, "core {core} of {queue:?}");
		}
	}

	#[test]
	fn version_3_needs_signals_and_version_1_must_not_have_any() {
		let queue = claim_queue(&[(2, 0)]);
		let signal = [select_core(0, 0)];
		assert_eq!(check(1, 2, &[], &queue), Err(E::NoSignalsWithV3));
		assert_eq!(check(1, 2, &signal, &queue), Ok(()));
		assert_eq!(check(7, 2, &[], &queue), Err(E::UnknownVersion(7)));
		let mut v1 = candidate(0);
		v1.descriptor.reserved1 = [1; 24];
		assert_eq!(parse_ump_signals(&v1, &claim_queue(&[])), Ok(UmpSignals::default()));
		v1.commitments.upward_messages = vec![UMP_SEPARATOR, approved_peer()].try_into().unwrap();
		assert_eq!(parse_ump_signals(&v1, &queue), Err(E::SignalsWithV1));
	}
}
