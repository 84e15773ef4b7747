//! The commitment: proofs of chunks verify, and nothing else does.

use codec::{Decode, Encode};
use headway_erasure_coding::*;
use proptest::prelude::*;
use sp_core::{Blake2Hasher, Hasher, H256};

use crate::{random_bytes, Data};

fn chunks_of(n: usize) -> Vec<Vec<u8>> {
	obtain_chunks(n, &Data::random(n as u64, 700)).unwrap()
}

fn tamper(proof: &Proof, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Proof {
	let mut nodes = Vec::from(proof.clone());
	change(&mut nodes);
	Proof::try_from(nodes).unwrap()
}

#[test]
fn every_proof_verifies_for_its_chunk_only() {
	for n in [2, 3, 4, 5, 6, 10, 16, 17, 100, 257, 333, 1023] {
		let chunks = chunks_of(n);
		let branches = branches(&chunks).unwrap();
		let root = branches.root();
		assert_eq!(chunks_root(&chunks), Ok(root));
		let mut count = 0;
		for (i, (proof, chunk)) in branches.enumerate() {
			let index = ChunkIndex(i as u32);
			assert_eq!(chunk, chunks[i]);
			assert_eq!(branch_hash(&root, &proof, index), Ok(Blake2Hasher::hash(chunk)), "chunk {i} of {n}");
			assert_eq!(Proof::decode(&mut &proof.encode()[..]), Ok(proof.clone()), "within the bounds");

			// For another index the proof shows the chunk that is there, or nothing.
			let other = (i + 1) % n;
			if let Ok(hash) = branch_hash(&root, &proof, ChunkIndex(other as u32)) {
				assert_eq!(hash, Blake2Hasher::hash(&chunks[other]), "chunk {other} by the proof of {i}");
			}
			// With one byte changed it is no chunk at all.
			let mut received = ErasureChunk { chunk: chunk.to_vec(), index, proof };
			assert_eq!(received.verify(&root), Ok(()));
			received.chunk[0] ^= 1;
			assert_eq!(received.verify(&root), Err(Error::ChunkHashMismatch));
			count += 1;
		}
		assert_eq!(count, n);
	}
}

#[test]
fn proof_for_the_last_of_the_most_validators_is_within_bounds() {
	let chunks: Vec<[u8; 2]> = (0..=u16::MAX).map(u16::to_be_bytes).collect();
	let branches = branches(&chunks).unwrap();
	for index in [0, 1, 4_096, 65_535] {
		let proof = branches.proof(ChunkIndex(index)).unwrap();
		assert_eq!(proof.iter().len(), 5);
		let hash = Blake2Hasher::hash(&chunks[index as usize]);
		assert_eq!(branch_hash(&branches.root(), &proof, ChunkIndex(index)), Ok(hash));
	}
}

#[test]
fn trie_over_impossible_numbers_of_chunks_is_refused() {
	for n_validators in [0, 1] {
		let chunks = vec![[0u8; 2]; n_validators];
		let error = Error::NotEnoughValidators { n_validators };
		assert_eq!(branches(&chunks).err(), Some(error.clone()));
		assert_eq!(chunks_root(&chunks), Err(error));
	}
	let n_validators = MAX_VALIDATORS + 1;
	let chunks = vec![[0u8; 2]; n_validators];
	assert_eq!(branches(&chunks).err(), Some(Error::TooManyValidators { n_validators }));
	assert_eq!(chunks_root(&chunks), Err(Error::TooManyValidators { n_validators }));
}

#[test]
fn proof_of_an_index_that_is_not_there_is_refused() {
	let chunks = chunks_of(10);
	let branches = branches(&chunks).unwrap();
	for index in [10, 16, 256, 65_536, u32::MAX] {
		assert_eq!(branches.proof(ChunkIndex(index)), Err(Error::BranchOutOfBounds));
	}
	// The root branch has no child for these, which is proof enough that they do not exist.
	let proof = branches.proof(ChunkIndex(3)).unwrap();
	let outside = branch_hash(&branches.root(), &proof, ChunkIndex(10));
	assert_eq!(outside, Err(Error::BranchOutOfBounds));
}

#[test]
fn tampered_proof_is_refused() {
	let chunks = chunks_of(300);
	let branches = branches(&chunks).unwrap();
	let (root, index) = (branches.root(), ChunkIndex(270));
	let proof = branches.proof(index).unwrap();
	let depth = proof.iter().len();
	assert!(depth >= 3);
	let good = branch_hash(&root, &proof, index);
	assert_eq!(good, Ok(Blake2Hasher::hash(&chunks[270])));

	for at in 0..depth {
		let lacking = tamper(&proof, |nodes| drop(nodes.remove(at)));
		assert_eq!(branch_hash(&root, &lacking, index), Err(Error::InvalidBranchProof), "without node {at}");
		for byte in 0..proof.iter().nth(at).unwrap().len() {
			let changed = tamper(&proof, |nodes| nodes[at][byte] ^= 0x10);
			assert_eq!(
				branch_hash(&root, &changed, index),
				Err(Error::InvalidBranchProof),
				"node {at}, byte {byte}"
			);
		}
	}
	let foreign = branches.proof(ChunkIndex(13)).unwrap();
	let swapped = tamper(&proof, |nodes| nodes[depth - 1] = foreign.iter().last().unwrap().to_vec());
	assert_eq!(branch_hash(&root, &swapped, index), Err(Error::InvalidBranchProof));
	assert_eq!(branch_hash(&root, &foreign, index), Err(Error::InvalidBranchProof));
	assert_eq!(branch_hash(&H256::repeat_byte(1), &proof, index), Err(Error::InvalidBranchProof));
	assert_eq!(branch_hash(&H256::zero(), &proof, index), Err(Error::InvalidBranchProof));
}

#[test]
fn order_and_surplus_of_proof_nodes_do_not_matter() {
	let chunks = chunks_of(300);
	let branches = branches(&chunks).unwrap();
	let proof = branches.proof(ChunkIndex(270)).unwrap();
	let odd = tamper(&proof, |nodes| {
		nodes.reverse();
		nodes.push(vec![0xff; 40]);
		nodes.push(nodes[0].clone());
	});
	assert_eq!(
		branch_hash(&branches.root(), &odd, ChunkIndex(270)),
		branch_hash(&branches.root(), &proof, ChunkIndex(270))
	);
}

/// A trie of one leaf with all eight nibbles of the key: a root that a hostile backer could commit to.
fn leaf(index: u32, value: &[u8]) -> (H256, Proof) {
	let mut node = vec![0b0100_1000];
	node.extend(index.to_le_bytes());
	node.extend(value.to_vec().encode());
	(Blake2Hasher::hash(&node), Proof::try_from(vec![node]).unwrap())
}

#[test]
fn committed_value_counts_by_its_first_32_bytes() {
	let hash = [7; 32];
	let (root, proof) = leaf(3, &hash);
	assert_eq!(branch_hash(&root, &proof, ChunkIndex(3)), Ok(H256(hash)));
	assert_eq!(branch_hash(&root, &proof, ChunkIndex(4)), Err(Error::BranchOutOfBounds));

	let (root, proof) = leaf(3, &[7; 40]);
	assert_eq!(branch_hash(&root, &proof, ChunkIndex(3)), Ok(H256(hash)));
	for short in [0, 1, 31] {
		let (root, proof) = leaf(3, &vec![7; short]);
		assert_eq!(
			branch_hash(&root, &proof, ChunkIndex(3)),
			Err(Error::InvalidBranchProof),
			"{short} bytes"
		);
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(1024))]

	/// A node that a peer made up, with a root that fits: the node is decoded in earnest.
	#[test]
	fn arbitrary_nodes_do_not_panic(
		header: u8,
		rest in prop::collection::vec(any::<u8>(), 0..120),
		index in prop_oneof![0u32..20, any::<u32>()],
	) {
		let node = [vec![header], rest].concat();
		let root = Blake2Hasher::hash(&node);
		let _ = branch_hash(&root, &Proof::try_from(vec![node]).unwrap(), ChunkIndex(index));
	}

	/// A true proof, of which the root node is changed and committed to anew.
	#[test]
	fn changed_and_rehashed_nodes_do_not_panic(
		n in 2usize..300,
		chunk in 0u32..300,
		changes in prop::collection::vec((0usize..600, any::<u8>()), 1..4),
		cut in 0usize..40,
		index in prop_oneof![0u32..300, any::<u32>()],
	) {
		let chunks: Vec<_> = (0..n).map(|i| random_bytes(i as u64, 2)).collect();
		let branches = branches(&chunks).unwrap();
		let proof = branches.proof(ChunkIndex(chunk % n as u32)).unwrap();
		let changed = tamper(&proof, |nodes| {
			let root = &mut nodes[0];
			for (at, byte) in changes {
				let len = root.len();
				root[at % len] = byte;
			}
			root.truncate(root.len().saturating_sub(cut).max(1));
		});
		let root = Blake2Hasher::hash(changed.iter().next().unwrap());
		let _ = branch_hash(&root, &changed, ChunkIndex(index));
	}

	#[test]
	fn proof_decoding_keeps_the_bounds(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
		if let Ok(proof) = Proof::decode(&mut &bytes[..]) {
			prop_assert!((1..=MAX_PROOF_NODES).contains(&proof.iter().len()));
			prop_assert!(proof.iter().all(|node| (1..=MAX_PROOF_NODE_BYTES).contains(&node.len())));
		}
		let _ = ErasureChunk::decode(&mut &bytes[..]);
	}
}
