//! Inclusion of a candidate.

use super::*;
use crate::{benchmarking::*, paras::ParaLifecycle};
use frame_benchmarking::v2::*;
use headway_primitives::{MAX_CODE_SIZE, MIN_CODE_SIZE};

/// A chain with one para.
fn set_up<T: Config>() {
	start_block::<T>(BLOCK);
	configure::<T>(1);
	register::<T>(PARA, ParaLifecycle::Parachain);
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// It sends `u` messages to the relay chain, and into `h` channels.
	#[benchmark]
	fn enact_candidate(u: Linear<0, 20>, h: Linear<0, 20>) {
		set_up::<T>();
		let commitments = CandidateCommitments {
			upward_messages: upward_messages(u).try_into().expect("few"),
			horizontal_messages: open_channels::<T>(PARA, h).try_into().expect("few"),
			head_data: head(1),
			hrmp_watermark: BLOCK - 2,
			..Default::default()
		};
		let candidate = pending::<T>(0, commitments);

		#[block]
		{
			Pallet::<T>::enact_candidate(candidate);
		}

		assert_eq!(paras::Heads::<T>::get(PARA), Some(head(1)));
	}

	/// It sends no messages, and brings new code of `c` bytes.
	#[benchmark]
	fn enact_candidate_with_code(c: Linear<MIN_CODE_SIZE, MAX_CODE_SIZE>) {
		set_up::<T>();
		let new_code = code(c, 2);
		let hash = new_code.hash();
		let commitments = CandidateCommitments {
			new_validation_code: Some(new_code),
			head_data: head(1),
			hrmp_watermark: BLOCK - 2,
			..Default::default()
		};
		let candidate = pending::<T>(0, commitments);

		#[block]
		{
			Pallet::<T>::enact_candidate(candidate);
		}

		assert_eq!(paras::FutureCodeHash::<T>::get(PARA), Some(hash));
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::benchmark_ext(), crate::mock::Test);
}
