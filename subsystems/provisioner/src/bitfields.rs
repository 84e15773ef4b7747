//! Availability bitfields: which of them go into the block (backing pipeline §7.2).

use bitvec::{order::Lsb0, vec::BitVec};
use headway_machine::Reason;
use headway_primitives::{
	availability_threshold, AvailabilityBitfield, CoreState, OccupiedCore, Signed,
	UncheckedSignedAvailabilityBitfields, ValidatorIndex,
};
use std::collections::BTreeMap;

/// The best bitfield of each validator at one leaf.
///
/// # Bounds
///
/// One per validator of the session: a better one replaces a worse one, and signatures are checked before.
#[derive(Clone, Debug, Default)]
pub struct Bitfields {
	best: BTreeMap<ValidatorIndex, Signed<AvailabilityBitfield>>,
}

impl Bitfields {
	/// Takes a bitfield, unless it cannot be right or the validator's earlier one says as much.
	pub fn insert(
		&mut self,
		bitfield: Signed<AvailabilityBitfield>,
		cores: &[CoreState],
		n_validators: usize,
	) -> Result<(), Reason> {
		let validator = bitfield.validator_index();
		let bits = &bitfield.payload().0;
		if bits.len() != cores.len() || validator.0 as usize >= n_validators {
			return Err(Reason::MalformedMessage);
		}
		let occupied = |core: usize| matches!(cores.get(core), Some(CoreState::Occupied(_)));
		if !bits.iter_ones().all(occupied) {
			return Err(Reason::UnexpectedMessage);
		}
		let ones = bits.count_ones();
		if self.best.get(&validator).is_some_and(|earlier| earlier.payload().0.count_ones() >= ones) {
			return Err(Reason::DuplicateMessage);
		}
		self.best.insert(validator, bitfield);
		Ok(())
	}

	/// How many there are.
	pub(crate) fn len(&self) -> usize {
		self.best.len()
	}

	/// The bitfields, ascending by validator.
	pub fn selected(&self) -> UncheckedSignedAvailabilityBitfields {
		self.best.values().map(|bitfield| bitfield.as_unchecked().clone()).collect()
	}

	/// Whether the candidate on a core becomes available with these bitfields, as the runtime will count.
	pub fn makes_available(&self, core: usize, occupied: &OccupiedCore, n_validators: usize) -> bool {
		let mut availability: BitVec<u8, Lsb0> = occupied.availability.clone();
		availability.resize(n_validators, false);
		for (validator, bitfield) in &self.best {
			if bitfield.payload().0.get(core).is_some_and(|bit| *bit) {
				availability.set(validator.0 as usize, true);
			}
		}
		availability.count_ones() >= availability_threshold(n_validators)
	}
}

/// Which validators are heard to have their chunk of what occupies each core: by votes on chain, and by bitfields since.
///
/// # Bounds
///
/// One bit per core and validator.
#[derive(Clone, Debug, Default)]
pub struct Heard {
	holders: BTreeMap<usize, Holders>,
}

#[derive(Clone, Debug)]
struct Holders {
	bits: BitVec<u8, Lsb0>,
	count: usize,
}

impl Heard {
	/// On how many cores something was heard of.
	pub(crate) fn len(&self) -> usize {
		self.holders.len()
	}

	/// Counts a validator's bitfield. Answers the cores whose candidates more than two thirds have a chunk of by it.
	pub fn count(
		&mut self,
		validator: ValidatorIndex,
		bits: &AvailabilityBitfield,
		cores: &[CoreState],
		n_validators: usize,
	) -> Vec<usize> {
		let mut available = Vec::new();
		for core in bits.0.iter_ones() {
			let Some(CoreState::Occupied(occupied)) = cores.get(core) else { continue };
			let holders = self.holders.entry(core).or_insert_with(|| {
				let mut bits = occupied.availability.clone();
				bits.resize(n_validators, false);
				let count = bits.count_ones();
				Holders { bits, count }
			});
			let Some(mut bit) = holders.bits.get_mut(validator.0 as usize) else { continue };
			if !bit.replace(true) {
				holders.count += 1;
				if holders.count == availability_threshold(n_validators) {
					available.push(core);
				}
			}
		}
		available
	}
}
