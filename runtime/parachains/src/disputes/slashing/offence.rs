//! What it costs to lose a dispute.

use alloc::vec::Vec;
use codec::{Decode, Encode};
use headway_primitives::{DisputeOffenceKind, DisputesTimeSlot, SessionIndex};
use sp_runtime::Perbill;
use sp_staking::offence::{Kind, Offence};

/// Share of a validator's stake that an offence costs.
const fn fraction(kind: DisputeOffenceKind) -> Perbill {
	match kind {
		DisputeOffenceKind::ForInvalidBacked => Perbill::from_percent(100),
		DisputeOffenceKind::ForInvalidApproved => Perbill::from_percent(2),
		// An honest validator that is short of time may be wrong here.
		DisputeOffenceKind::AgainstValid => Perbill::zero(),
	}
}

/// Validators lost a dispute.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SlashingOffence<Offender> {
	/// Validators of the session.
	pub validator_set_count: u32,
	/// The dispute.
	pub time_slot: DisputesTimeSlot,
	/// Who lost.
	pub offenders: Vec<Offender>,
	/// What they did.
	pub kind: DisputeOffenceKind,
}

impl<Offender: Clone> Offence<Offender> for SlashingOffence<Offender> {
	const ID: Kind = *b"disputes:slashin";

	type Slot = DisputesTimeSlot;

	fn offenders(&self) -> Vec<Offender> {
		self.offenders.clone()
	}

	fn session_index(&self) -> SessionIndex {
		self.time_slot.session_index
	}

	fn validator_set_count(&self) -> u32 {
		self.validator_set_count
	}

	fn slot(&self) -> DisputesTimeSlot {
		self.time_slot.clone()
	}

	/// The same for every offender, however many there are.
	fn slash_fraction(&self, _: u32) -> Perbill {
		fraction(self.kind)
	}
}
