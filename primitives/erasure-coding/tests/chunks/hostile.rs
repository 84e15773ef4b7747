//! Chunks that no honest validator would send: a typed error, never a panic.

use headway_erasure_coding::*;
use proptest::prelude::*;

use crate::{pick, Data};

type Chunks<'a> = Vec<(&'a [u8], u32)>;

fn reconstruct_bytes_of(n: usize, chunks: &Chunks<'_>) -> Result<Vec<u8>, Error> {
	reconstruct_bytes(n, chunks.iter().map(|(chunk, index)| (*chunk, ChunkIndex(*index))))
}

#[test]
fn too_many_validators_are_refused() {
	let n_validators = MAX_VALIDATORS + 1;
	let error = Error::TooManyValidators { n_validators };
	assert_eq!(obtain_chunks(n_validators, &7u32), Err(error.clone()));
	assert_eq!(encode_bytes(n_validators, &[1]), Err(error.clone()));
	assert_eq!(erasure_root(n_validators, &7u32), Err(error.clone()));
	assert_eq!(reconstruct::<u32>(n_validators, []), Err(error.clone()));
	assert_eq!(reconstruct_from_systematic::<u32>(n_validators, &[[0, 1]]), Err(error));
}

#[test]
fn empty_payload_is_refused() {
	assert_eq!(obtain_chunks(4, &()), Err(Error::EmptyPayload));
	assert_eq!(encode_bytes(4, &[]), Err(Error::EmptyPayload));
	assert_eq!(obtain_chunks(1, &()), Err(Error::NotEnoughValidators { n_validators: 1 }));
}

#[test]
fn bad_chunks_are_refused_by_name() {
	let [a, b, c, d]: [&[u8]; 4] = [&[1, 2, 3, 4], &[5, 6, 7, 8], &[9, 10], &[11, 12, 13]];
	let out_of_bounds = |index| Error::ChunkIndexOutOfBounds { index: ChunkIndex(index), n_validators: 10 };
	#[rustfmt::skip]
    let cases: Vec<(Chunks, Error)> = vec![
        (vec![],                         Error::NotEnoughChunks { have: 0, need: 4 }),
        (vec![(a, 0), (b, 1), (a, 8)],   Error::NotEnoughChunks { have: 3, need: 4 }),
        (vec![(a, 0), (a, 0), (a, 0), (a, 0)], Error::NotEnoughChunks { have: 1, need: 4 }),
        (vec![(a, 10)],                  out_of_bounds(10)),
        (vec![(a, u32::MAX)],            out_of_bounds(u32::MAX)),
        (vec![(d, 1)],                   Error::UnevenLength { len: 3 }),
        (vec![(&[], 1)],                 Error::EmptyChunk),
        (vec![(a, 0), (&[], 1)],         Error::EmptyChunk),
        (vec![(a, 0), (c, 1)],           Error::NonUniformChunks { expected: 4, found: 2 }),
        (vec![(c, 0), (c, 1), (c, 2), (c, 3), (a, 4)], Error::NonUniformChunks { expected: 2, found: 4 }),
        (vec![(a, 3), (b, 3)],           Error::ConflictingChunks { index: ChunkIndex(3) }),
        (vec![(a, 3); 11],               Error::TooManyChunks { n_validators: 10 }),
    ];
	for (chunks, error) in cases {
		assert_eq!(reconstruct_bytes_of(10, &chunks), Err(error), "{chunks:?}");
	}
}

#[test]
fn endless_chunks_end() {
	let endless = std::iter::repeat((&[1u8, 2][..], ChunkIndex(0)));
	assert_eq!(reconstruct_bytes(10, endless), Err(Error::TooManyChunks { n_validators: 10 }));
}

#[test]
fn bad_systematic_chunks_are_refused_by_name() {
	let [a, b, c]: [&[u8]; 3] = [&[1, 2], &[3, 4, 5, 6], &[7]];
	#[rustfmt::skip]
    let cases: Vec<(Vec<&[u8]>, Error)> = vec![
        (vec![],                Error::NotEnoughChunks { have: 0, need: 4 }),
        (vec![a, a, a],         Error::NotEnoughChunks { have: 3, need: 4 }),
        (vec![a, a, b, a],      Error::NonUniformChunks { expected: 2, found: 4 }),
        (vec![c, c, c, c],      Error::UnevenLength { len: 1 }),
        (vec![&[], &[], &[], &[]], Error::EmptyChunk),
    ];
	for (chunks, error) in cases {
		assert_eq!(reconstruct_bytes_from_systematic(10, &chunks), Err(error), "{chunks:?}");
	}
	// What lies behind the systematic chunks is not looked at.
	assert_eq!(reconstruct_bytes_from_systematic(10, &[a, a, a, a, c]), Ok([1, 2].repeat(4)));
}

#[test]
fn payload_that_does_not_decode_is_refused() {
	// A vector that announces more than there is.
	let chunks = encode_bytes(10, &[0xfe, 0xff, 0xff, 0xff, 1, 2, 3]).unwrap();
	assert_eq!(reconstruct::<Vec<u8>>(10, pick(&chunks, 3..7)), Err(Error::BadPayload));
	assert_eq!(reconstruct_from_systematic::<Vec<u8>>(10, &chunks), Err(Error::BadPayload));
}

#[test]
fn chunks_of_no_codeword_give_another_root() {
	let data = Data::random(8, 3_000);
	let mut chunks = obtain_chunks(10, &data).unwrap();
	// Backers who commit to one wrong chunk: every subset decodes to data, or to nothing, of another root.
	chunks[6][17] ^= 1;
	let root = chunks_root(&chunks).unwrap();
	for first in 0..=6 {
		match reconstruct::<Data>(10, pick(&chunks, first..first + 4)) {
			Ok(recovered) => assert_ne!(erasure_root(10, &recovered), Ok(root), "from {first}"),
			Err(error) => assert_eq!(error, Error::BadPayload, "from {first}"),
		}
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(256))]

	#[test]
	fn arbitrary_chunks_do_not_panic(
		n in prop_oneof![0usize..40, Just(1023), Just(65_537)],
		chunks in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..5), 0u32..45), 0..50),
	) {
		let _ = reconstruct::<Data>(n, chunks.iter().map(|(chunk, index)| (&chunk[..], ChunkIndex(*index))));
		let only: Vec<_> = chunks.iter().map(|(chunk, _)| chunk).collect();
		let _ = reconstruct_from_systematic::<Data>(n, &only);
	}

	#[test]
	fn arbitrary_uniform_chunks_decode_to_a_codeword_through_them(
		n in 2usize..40,
		symbols in 1usize..70,
		seed: u64,
	) {
		// Any k chunks whatever are part of one codeword.
		let k = systematic_recovery_threshold(n).unwrap();
		let order = crate::shuffled(seed, n);
		let bytes = crate::random_bytes(seed, k * symbols * 2);
		let supplied: Vec<_> = bytes.chunks(symbols * 2).zip(&order).collect();
		let with_index = supplied.iter().map(|(chunk, index)| (*chunk, ChunkIndex(**index as u32)));
		let payload = reconstruct_bytes(n, with_index).unwrap();
		let chunks = encode_bytes(n, &payload).unwrap();
		for (chunk, index) in supplied {
			prop_assert_eq!(chunk, &chunks[*index][..]);
		}
	}
}
