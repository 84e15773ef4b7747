//! What is encoded comes back, from whichever chunks.

use headway_erasure_coding::*;
use proptest::prelude::*;

use crate::{pick, random_bytes, shuffled, Data};

const VALIDATORS: [usize; 14] = [2, 3, 4, 5, 6, 7, 10, 16, 31, 64, 100, 333, 1000, 1023];

#[test]
fn one_validator_is_refused() {
	for n_validators in [0, 1] {
		let error = Error::NotEnoughValidators { n_validators };
		assert_eq!(obtain_chunks(n_validators, &7u32), Err(error.clone()));
		assert_eq!(
			reconstruct::<u32>(n_validators, pick(&[vec![0, 1]], 0..n_validators)),
			Err(error.clone())
		);
		assert_eq!(reconstruct_from_systematic::<u32>(n_validators, &[[0, 1]]), Err(error));
	}
}

#[test]
fn random_subsets_of_every_sufficient_size_reconstruct() {
	for n in VALIDATORS {
		let params = CodeParams::new(n).unwrap();
		let data = Data::random(n as u64, 5_000 + n);
		let chunks = obtain_chunks(n, &data).unwrap();
		assert_eq!(chunks.len(), n);
		for (seed, count) in
			[params.systematic_threshold(), params.recovery_threshold(), n].into_iter().enumerate()
		{
			let order = shuffled((n * 8 + seed) as u64, n);
			let some = pick(&chunks, order[..count].iter().copied());
			assert_eq!(reconstruct(n, some), Ok(data.clone()), "{count} of {n}");
		}
	}
}

#[test]
fn every_subset_of_threshold_size_reconstructs_in_small_sessions() {
	for n in 2..=10usize {
		let params = CodeParams::new(n).unwrap();
		let data = Data::random(n as u64, 100);
		let chunks = obtain_chunks(n, &data).unwrap();
		for subset in 0u32..1 << n {
			let indices = || (0..n).filter(move |i| subset >> i & 1 == 1);
			let recovered = reconstruct::<Data>(n, pick(&chunks, indices()));
			let (have, need) = (subset.count_ones() as usize, params.systematic_threshold());
			if have >= need {
				assert_eq!(recovered.as_ref(), Ok(&data), "n = {n}, subset {subset:b}");
			} else {
				assert_eq!(
					recovered,
					Err(Error::NotEnoughChunks { have, need }),
					"n = {n}, subset {subset:b}"
				);
			}
		}
	}
}

#[test]
fn last_chunks_alone_reconstruct() {
	for n in VALIDATORS {
		let k = systematic_recovery_threshold(n).unwrap();
		let data = Data::random(1, 70_000);
		let chunks = obtain_chunks(n, &data).unwrap();
		assert_eq!(reconstruct(n, pick(&chunks, n - k..n)), Ok(data), "n = {n}");
	}
}

#[test]
fn systematic_chunks_are_the_payload() {
	for n in VALIDATORS {
		let k = systematic_recovery_threshold(n).unwrap();
		for len in [1, 2, 3, 63, 64, 65, 1_000, 64 * k - 1, 64 * k, 64 * k + 1] {
			let payload = random_bytes(len as u64, len);
			let chunks = encode_bytes(n, &payload).unwrap();
			let recovered = reconstruct_bytes_from_systematic(n, &chunks[..k]).unwrap();
			assert_eq!(recovered.len(), k * CodeParams::new(n).unwrap().chunk_len(len));
			assert_eq!(recovered[..len], payload, "n = {n}, {len} bytes");
			assert!(recovered[len..].iter().all(|byte| *byte == 0));
			// More than needed is ignored, and the other way gives the same.
			assert_eq!(reconstruct_bytes_from_systematic(n, &chunks), Ok(recovered.clone()));
			assert_eq!(reconstruct_bytes(n, pick(&chunks, n - k..n)), Ok(recovered));
		}
	}
}

#[test]
fn the_most_validators_round_trip() {
	let n = MAX_VALIDATORS;
	let k = systematic_recovery_threshold(n).unwrap();
	let data = Data::random(5, 50_000);
	let chunks = obtain_chunks(n, &data).unwrap();
	assert_eq!(chunks.len(), n);
	let order = shuffled(6, n);
	assert_eq!(reconstruct(n, pick(&chunks, order[..k].iter().copied())), Ok(data));
}

#[test]
fn payloads_larger_than_the_working_memory_round_trip() {
	// Several stripes both ways, the last of them shorter and ending within a block.
	for (n, len) in [(3, 9_000_001), (6, 5_000_003), (100, 6_000_001)] {
		let k = systematic_recovery_threshold(n).unwrap();
		let data = Data::random(n as u64, len);
		let chunks = obtain_chunks(n, &data).unwrap();
		assert_eq!(reconstruct(n, pick(&chunks, 1..k + 1)).as_ref(), Ok(&data), "n = {n}");
		assert!(reconstruct(n, pick(&chunks, n - k..n)) == Ok(data), "n = {n}");
	}
}

#[test]
fn order_and_repetition_of_chunks_do_not_matter() {
	let data = Data::random(3, 999);
	let chunks = obtain_chunks(10, &data).unwrap();
	let indices = [9, 2, 9, 2, 7, 2, 0, 0, 9];
	assert_eq!(reconstruct(10, pick(&chunks, indices)), Ok(data));
	let repeated = reconstruct::<Data>(10, pick(&chunks, [1, 1, 1, 1, 1, 8, 3]));
	assert_eq!(repeated, Err(Error::NotEnoughChunks { have: 3, need: 4 }));
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(128))]

	#[test]
	fn any_sufficient_subset_reconstructs(
		n in 2usize..400,
		payload in prop::collection::vec(any::<u8>(), 1..4_000),
		seed: u64,
		surplus in 0usize..4,
	) {
		let k = systematic_recovery_threshold(n).unwrap();
		let chunks = encode_bytes(n, &payload).unwrap();
		let order = shuffled(seed, n);
		let count = (k + surplus).min(n);
		let recovered = reconstruct_bytes(n, pick(&chunks, order[..count].iter().copied())).unwrap();
		prop_assert_eq!(&recovered[..payload.len()], &payload[..]);
		prop_assert!(recovered[payload.len()..].iter().all(|byte| *byte == 0));
		// And what was recovered, encoded again, is every chunk that there was.
		prop_assert_eq!(encode_bytes(n, &recovered).unwrap(), chunks);
	}

	#[test]
	fn chunks_are_linear_in_the_payload(n in 2usize..200, len in 1usize..2_000, seed: u64) {
		let (a, b) = (random_bytes(seed, len), random_bytes(!seed, len));
		let sum: Vec<u8> = a.iter().zip(&b).map(|(a, b)| a ^ b).collect();
		let [a, b, sum] = [a, b, sum].map(|payload| encode_bytes(n, &payload).unwrap().concat());
		prop_assert!(a.iter().zip(&b).map(|(a, b)| a ^ b).eq(sum));
	}
}
