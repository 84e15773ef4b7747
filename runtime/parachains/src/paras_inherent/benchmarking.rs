//! Whole inherents, of which [`super::cost`] takes the differences.
//!
//! What is measured includes the weight before execution, for which candidates that wait are looked at.

use super::{cost::BITFIELD_CORES, *};
use crate::benchmarking::*;
use frame_benchmarking::v2::*;
use frame_support::{dispatch::GetDispatchInfo, traits::UnfilteredDispatchable};
use frame_system::RawOrigin;
use headway_primitives::{
	supermajority_threshold, DisputeStatement, DisputeStatementSet, InvalidDisputeStatementKind,
	ValidDisputeStatementKind, MIN_CODE_SIZE,
};

/// Validators of each core.
const GROUP: u32 = 10;
/// Validators of whom some send bitfields, too few for anything to be included. It takes time for each of them to
/// store the votes of all, so they are as many as a large network has.
const BITFIELD_VALIDATORS: u32 = 1_000;

/// Bytes of new code: less than the largest code, so that other runtimes have room for it in a block, too.
const LARGE_CODE: u32 = 4 * 1024 * 1024;

/// Weighs and executes the inherent, all of which must pass.
fn enter<T: Config>(data: ParachainsInherentData<Header>) {
	let call = Call::<T>::enter { data };
	core::hint::black_box(call.get_dispatch_info());
	let result = call.dispatch_bypass_filter(RawOrigin::None.into());
	assert!(result.is_ok(), "the inherent passes");
}

/// A dispute in which all validators vote, and the candidate is found to be valid.
fn dispute<T: Config>(world: &World<T>, n_validators: u32) -> DisputeStatementSet {
	let candidate_hash = CandidateHash(Hash::repeat_byte(9));
	let session = shared::CurrentSessionIndex::<T>::get();
	let n_valid = supermajority_threshold(n_validators as usize) as u32;
	let statements = (0..n_validators)
		.map(|index| {
			let statement = match index {
				0 => {
					DisputeStatement::Valid(ValidDisputeStatementKind::BackingSeconded(Hash::repeat_byte(1)))
				},
				_ if index < n_valid => DisputeStatement::Valid(ValidDisputeStatementKind::Explicit),
				_ => DisputeStatement::Invalid(InvalidDisputeStatementKind::Explicit),
			};
			let payload =
				statement.signing_payload(candidate_hash, session).expect("it is about the candidate");
			let validator = ValidatorIndex(index);
			(statement, validator, world.sign(validator, &payload))
		})
		.collect();
	DisputeStatementSet { candidate_hash, session, statements }
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// Nothing is in it, and `c` cores are occupied, each by a para of its own. The schedules of all cores begin, as
	/// at the boundary of a timeslice.
	#[benchmark]
	fn enter_empty(c: Linear<0, 100>) {
		let data = World::<T>::new(GROUP * c.max(1), c.max(1)).occupied(c).data();

		#[block]
		{
			enter::<T>(data);
		}
	}

	/// `v` bitfields without votes, and `b` with votes for every core. All cores are occupied.
	#[benchmark]
	fn enter_bitfields(v: Linear<0, 100>, b: Linear<1, 100>) {
		let world = World::<T>::new(BITFIELD_VALIDATORS, BITFIELD_CORES).occupied(BITFIELD_CORES);
		let mut data = world.data();
		data.bitfields = (0..v + b).map(|validator| world.bitfield(validator, validator >= v)).collect();

		#[block]
		{
			enter::<T>(data);
		}
	}

	/// A candidate with `v` votes that sends into `h` channels.
	#[benchmark]
	fn enter_backed_candidate(v: Linear<UPGRADE_VOTES, 20>, h: Linear<0, 20>) {
		let world = World::<T>::new(20, 1);
		let messages = open_channels::<T>(crate::benchmarking::PARA, h);
		let candidate = world
			.candidate(v, |commitments| commitments.horizontal_messages = messages.try_into().expect("few"));
		let mut data = world.data();
		data.backed_candidates.push(candidate);

		#[block]
		{
			enter::<T>(data);
		}
	}

	/// A candidate with [`UPGRADE_VOTES`] votes and new code of `c` bytes.
	#[benchmark]
	fn enter_backed_candidate_code_upgrade(c: Linear<MIN_CODE_SIZE, LARGE_CODE>) {
		let world = World::<T>::new(20, 1);
		let mut data = world.data();
		data.backed_candidates.push(world.candidate(UPGRADE_VOTES, |commitments| {
			commitments.new_validation_code = Some(code(c, 2));
		}));

		#[block]
		{
			enter::<T>(data);
		}
	}

	/// A dispute with `v` votes, by which it concludes.
	#[benchmark]
	fn enter_disputes(v: Linear<10, 200>) {
		let world = World::<T>::new(v, 1);
		let mut data = world.data();
		data.disputes.push(dispute::<T>(&world, v));

		#[block]
		{
			enter::<T>(data);
		}
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::benchmark_ext(), crate::mock::Test);
}
