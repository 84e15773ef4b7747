use super::*;
use headway_erasure_coding::{ChunkIndex, ErasureChunk};
use headway_machine::{
	wire::{ChunkRequest, ChunkResponseV1, ChunkResponseV2, PoVResponse, Request},
	Recipient,
};

/// Chunk requests among effects: token, validator that is asked, and what for.
fn chunk_requests(rig: &Rig, effects: &[Effect]) -> Vec<(Token, u32, ChunkRequest)> {
	let request = |effect: &Effect| match effect {
		Effect::Network(NetworkEffect::Request {
			token,
			recipient: Recipient::Authority(key),
			request: Request::Chunk(request),
		}) => {
			let asked = rig.session.info.discovery_keys.iter().position(|k| k == key).unwrap();
			Some((*token, asked as u32, request.clone()))
		},
		_ => None,
	};
	effects.iter().filter_map(request).collect()
}

fn respond(rig: &mut Rig, token: Token, response: Result<ChunkResponseV2, RequestError>) -> Vec<Effect> {
	rig.send(Event::Response { token, result: response.map(|response| response.encode()) })
}

/// Answers all requests with "no such chunk"; answers whom was asked, in order.
fn exhaust(rig: &mut Rig, effects: Vec<Effect>) -> Vec<u32> {
	let mut asked = Vec::new();
	let mut open = chunk_requests(rig, &effects);
	while let Some((token, validator, _)) = open.pop() {
		asked.push(validator);
		let effects = respond(rig, token, Ok(ChunkResponseV2::NoSuchChunk));
		open.extend(chunk_requests(rig, &effects));
	}
	asked
}

fn our_chunk(sample: &Sample) -> ErasureChunk {
	sample.encoding.chunks[LOCAL as usize].clone()
}

#[test]
fn d1_one_fetch_per_candidate_however_many_leaves_show_it() {
	let mut rig = Rig::new();
	let (known, other) = (sample(1), sample(2));
	let leaf = rig.leaf(10, vec![known.occupying(0), CoreState::Free], vec![]);
	let effects = rig.activate(leaf, &[]);
	let requests = chunk_requests(&rig, &effects);
	assert_eq!(requests.len(), 1);
	let (token, asked, request) = requests[0].clone();
	assert!(asked < 3, "a member of the group that backed it");
	// D8: the request names our validator index.
	assert_eq!(request, ChunkRequest { candidate_hash: known.hash(), index: ValidatorIndex(LOCAL) });

	let leaf = rig.leaf(11, vec![known.occupying(0), other.occupying(2)], vec![]);
	let effects = rig.activate(leaf, &[10]);
	let requests = chunk_requests(&rig, &effects);
	assert_eq!(requests.iter().map(|request| request.2.candidate_hash).collect::<Vec<_>>(), [other.hash()]);
	assert!(respond(&mut rig, token, Ok(ChunkResponseV2::Chunk(our_chunk(&known)))).is_empty());
	assert!(rig.machine.store.has_chunk(&known.hash(), ValidatorIndex(LOCAL)));
	let leaf = rig.leaf(12, vec![known.occupying(0), CoreState::Free], vec![]);
	let effects = rig.activate(leaf, &[11]);
	assert!(chunk_requests(&rig, &effects).is_empty(), "we have it");
}

#[test]
fn d3_every_backer_is_asked_before_failure_is_reported() {
	let mut rig = Rig::new();
	let known = sample(1);
	let leaf = rig.leaf(10, vec![known.occupying(2)], vec![]);
	let effects = rig.activate(leaf, &[]);
	let mut asked = exhaust(&mut rig, effects);
	asked.sort();
	assert_eq!(asked, [6, 7, 8, 9]);
	assert!(rig.dropped_because(Reason::ChunkUnavailable));
}

#[test]
fn members_of_our_own_group_are_asked_if_we_did_not_back_it_ourselves() {
	let mut rig = Rig::new();
	let (backed, not_backed) = (sample(1), sample(2));
	rig.store(&backed);
	let leaf = rig.leaf(10, vec![backed.occupying(1), not_backed.occupying(1)], vec![]);
	let effects = rig.activate(leaf, &[]);
	let mut asked = exhaust(&mut rig, effects);
	asked.sort();
	assert_eq!(asked, [4, 5]);
}

#[test]
fn d4_wrong_chunks_are_rejected_and_the_next_backer_is_asked() {
	let known = sample(1);
	let wrong_bytes = ErasureChunk { chunk: vec![1; 10], ..our_chunk(&known) };
	let wrong_index = ErasureChunk { index: ChunkIndex(4), ..our_chunk(&known) };
	let of_another_validator = known.encoding.chunks[4].clone();
	let of_another_candidate = our_chunk(&sample(2));
	let answers = [wrong_bytes, wrong_index, of_another_validator, of_another_candidate];
	for answer in answers
		.map(|chunk| Ok(ChunkResponseV2::Chunk(chunk)))
		.into_iter()
		.chain([Err(RequestError::Timeout), Err(RequestError::NotConnected)])
	{
		let mut rig = Rig::new();
		let leaf = rig.leaf(10, vec![known.occupying(2)], vec![]);
		let effects = rig.activate(leaf, &[]);
		let (token, first, _) = chunk_requests(&rig, &effects)[0].clone();
		let effects = respond(&mut rig, token, answer);
		let (token, second, _) = chunk_requests(&rig, &effects)[0].clone();
		assert_ne!(first, second);
		assert!(!rig.machine.store.expects_chunk(&known.hash(), ValidatorIndex(LOCAL)));
		respond(&mut rig, token, Ok(ChunkResponseV2::Chunk(our_chunk(&known))));
		assert!(rig.machine.store.has_chunk(&known.hash(), ValidatorIndex(LOCAL)));

		// For the rest of the session the one that failed is asked last.
		let other = sample(3);
		let leaf = rig.leaf(11, vec![other.occupying(2)], vec![]);
		let effects = rig.activate(leaf, &[10]);
		assert_eq!(exhaust(&mut rig, effects).last(), Some(&first));
	}
}

#[test]
fn d5_version_1_response_is_read_and_verified() {
	let known = sample(1);
	let mut rig = Rig::new();
	let leaf = rig.leaf(10, vec![known.occupying(0)], vec![]);
	let effects = rig.activate(leaf, &[]);
	let (token, ..) = chunk_requests(&rig, &effects)[0].clone();
	let ErasureChunk { chunk, proof, .. } = our_chunk(&known);
	let good = ChunkResponseV1::Chunk { chunk, proof: proof.clone() }.encode();
	let bad = ChunkResponseV1::Chunk { chunk: vec![0; 10], proof }.encode();
	let effects = rig.send(Event::Response { token, result: Ok(bad) });
	let (token, ..) = chunk_requests(&rig, &effects)[0].clone();
	rig.send(Event::Response { token, result: Ok(good) });
	assert!(rig.machine.store.has_chunk(&known.hash(), ValidatorIndex(LOCAL)));
}

#[test]
fn d8_expected_chunk_follows_the_mapping_of_the_core() {
	let known = sample(1);
	let mut rig = Rig::new();
	let mut leaf = rig.leaf(10, vec![CoreState::Free, known.occupying(0)], vec![]);
	Arc::make_mut(&mut leaf.block).node_features = [false, false, true].into_iter().collect();
	let effects = rig.activate(leaf, &[]);
	let (token, ..) = chunk_requests(&rig, &effects)[0].clone();
	let effects = respond(&mut rig, token, Ok(ChunkResponseV2::Chunk(our_chunk(&known))));
	let (token, ..) = chunk_requests(&rig, &effects)[0].clone();
	// Core 1, systematic threshold 4: validator 3 holds chunk 7.
	let mapped = known.encoding.chunks[7].clone();
	respond(&mut rig, token, Ok(ChunkResponseV2::Chunk(mapped.clone())));
	assert_eq!(rig.world.content[&keys::chunk(&known.hash(), ValidatorIndex(LOCAL))], mapped.encode());
}

#[test]
fn d6_fetch_is_cancelled_when_no_leaf_needs_it() {
	let known = sample(1);
	let mut rig = Rig::new();
	let leaf = rig.leaf(10, vec![known.occupying(0)], vec![]);
	let effects = rig.activate(leaf, &[]);
	let (token, ..) = chunk_requests(&rig, &effects)[0].clone();
	// Block 10 is among the ancestors of 11 and 12, and of 20 it is not.
	for (number, before) in [(11, 10), (12, 11), (20, 12)] {
		assert!(!rig.dropped_because(Reason::OutOfView));
		let leaf = rig.leaf(number, vec![], vec![]);
		rig.activate(leaf, &[before]);
	}
	assert!(rig.dropped_because(Reason::OutOfView));
	assert!(respond(&mut rig, token, Ok(ChunkResponseV2::Chunk(our_chunk(&known)))).is_empty());
	assert!(!rig.machine.store.has_chunk(&known.hash(), ValidatorIndex(LOCAL)));
}

#[test]
fn d2_blocks_that_are_no_recent_ancestors_are_not_walked() {
	let known = sample(1);
	let mut rig = Rig::new();
	let leaf = rig.leaf(10, vec![known.occupying(0)], vec![]);
	let effects = rig.activate(leaf, &[]);
	exhaust(&mut rig, effects);
	// The next leaf is the first of another session: its context names no ancestors.
	let mut leaf = rig.leaf(11, vec![], vec![]);
	leaf.recent_ancestors.clear();
	let effects = rig.activate(leaf, &[10]);
	assert!(chunk_requests(&rig, &effects).is_empty());
}

#[test]
fn d7_failed_fetch_begins_anew_with_the_next_block() {
	let known = sample(1);
	let mut rig = Rig::new();
	let leaf = rig.leaf(10, vec![known.occupying(0)], vec![]);
	let effects = rig.activate(leaf, &[]);
	exhaust(&mut rig, effects);
	let leaf = rig.leaf(11, vec![known.occupying(0)], vec![]);
	let effects = rig.activate(leaf, &[10]);
	let (token, ..) = chunk_requests(&rig, &effects)[0].clone();
	respond(&mut rig, token, Ok(ChunkResponseV2::Chunk(our_chunk(&known))));
	assert!(rig.machine.store.has_chunk(&known.hash(), ValidatorIndex(LOCAL)));
}

#[test]
fn nodes_that_are_no_validators_fetch_nothing() {
	let mut rig = Rig::of(None);
	let leaf = rig.leaf(10, vec![sample(1).occupying(0)], vec![]);
	assert!(rig.activate(leaf, &[]).is_empty());
}

#[test]
fn d9_proof_of_validity_with_another_hash_is_not_delivered() {
	let known = sample(1);
	let good = PoVResponse::PoV((*known.data.pov).clone());
	let cases = [
		(Ok(good.encode()), Ok(())),
		(Ok(PoVResponse::PoV((*sample(2).data.pov).clone()).encode()), Err(Reason::PovHashMismatch)),
		(Ok(PoVResponse::NoSuchPoV.encode()), Err(Reason::PovUnavailable)),
		(Ok(vec![9]), Err(Reason::InvalidResponse)),
		(Err(RequestError::Timeout), Err(Reason::FetchTimeout)),
		(Err(RequestError::NotConnected), Err(Reason::FetchFailed)),
	];
	for (result, expected) in cases {
		let mut rig = Rig::new();
		let from = rig.session.info.discovery_keys[5].clone();
		let effects = rig.send(Event::FetchPoV {
			token: Token(77),
			from,
			candidate_hash: known.hash(),
			pov_hash: known.data.pov.hash(),
			scheduling_parent: hash(10),
			para: known.receipt.descriptor.para_id,
		});
		let token = match &effects[..] {
			[Effect::Network(NetworkEffect::Request {
				token, recipient: Recipient::Authority(key), ..
			})] => {
				assert_eq!(*key, rig.session.info.discovery_keys[5]);
				*token
			},
			other => panic!("{other:?}"),
		};
		let effects = rig.send(Event::Response { token, result });
		let pov = expected.is_ok().then(|| known.data.pov.clone());
		assert_eq!(effects, [Effect::PoVFetched { token: Token(77), pov }]);
		if let Err(reason) = expected {
			assert!(rig.dropped_because(reason));
		}
	}
}
