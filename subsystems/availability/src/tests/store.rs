use super::*;
use codec::Decode;
use headway_erasure_coding::ErasureChunk;
use headway_machine::wire::{
	AvailableDataRequest, AvailableDataResponse, ChunkRequest, ChunkResponseV1, ChunkResponseV2, PoVRequest,
	PoVResponse,
};

fn stored(effects: &[Effect]) -> Vec<Result<(), StoreDataError>> {
	let stored = |effect: &Effect| match effect {
		Effect::DataStored { token: Token(500), result } => Some(*result),
		_ => None,
	};
	effects.iter().filter_map(stored).collect()
}

fn meta(rig: &Rig, sample: &Sample) -> Option<CandidateMeta> {
	let value = rig.world.content.get(&keys::candidate_meta(&sample.hash()))?;
	Some(CandidateMeta::decode(&mut &value[..]).unwrap())
}

#[test]
fn a1_chunk_of_an_unknown_candidate_or_validator_is_not_stored() {
	let mut rig = Rig::new();
	let known = sample(1);
	rig.block_with(10, vec![known.backed()]);
	let before = rig.world.content.clone();
	let mut effects = Effects::new();
	let Availability { store, tokens, .. } = &mut rig.machine;
	let chunk = &known.encoding.chunks[0];
	assert!(!store.store_chunk(sample(2).hash(), ValidatorIndex(0), chunk, tokens, &mut effects));
	assert!(!store.store_chunk(known.hash(), ValidatorIndex(N), chunk, tokens, &mut effects));
	assert!(effects.is_empty());
	assert_eq!(rig.world.content, before);
}

#[test]
fn a2_stored_chunk_is_served_and_recorded() {
	let mut rig = Rig::new();
	let known = sample(1);
	rig.block_with(10, vec![known.backed()]);
	let mut effects = Effects::new();
	let Availability { store, tokens, .. } = &mut rig.machine;
	let chunk = known.encoding.chunks[3].clone();
	assert!(store.store_chunk(known.hash(), ValidatorIndex(3), &chunk, tokens, &mut effects));
	rig.settle(effects);
	let request = ChunkRequest { candidate_hash: known.hash(), index: ValidatorIndex(3) };
	let (response, _) = rig.ask(RequestProtocol::ChunkV2, request.encode());
	assert_eq!(ChunkResponseV2::decode(&mut &response.unwrap()[..]), Ok(ChunkResponseV2::Chunk(chunk)));
	assert_eq!(meta(&rig, &known).unwrap().chunks_stored.iter_ones().collect::<Vec<_>>(), [3]);
	assert_eq!(rig.traces.last().map(|trace| trace.stage), Some(Stage::ChunkStored));
}

#[test]
fn a3_data_with_another_erasure_root_is_refused_and_not_stored() {
	let mut rig = Rig::new();
	let mut request = sample(1).request();
	request.expected_erasure_root = hash(99);
	let effects = rig.send(Event::StoreData { token: Token(500), request });
	assert_eq!(stored(&effects), [Err(StoreDataError::ErasureRootMismatch)]);
	assert!(rig.world.content.is_empty());
	assert!(rig.dropped_because(Reason::ErasureRootMismatch));

	let mut request = sample(1).request();
	request.n_validators = 1;
	let effects = rig.send(Event::StoreData { token: Token(500), request });
	assert_eq!(stored(&effects), [Err(StoreDataError::Encoding(Reason::TooFewValidators))]);
	assert!(rig.world.content.is_empty());
	assert!(rig.dropped_because(Reason::TooFewValidators));
}

#[test]
fn a4_all_that_is_served_of_stored_data_is_consistent() {
	let mut rig = Rig::new();
	let known = sample(1);
	assert_eq!(stored(&rig.store(&known)), [Ok(())]);
	assert_eq!(stored(&rig.store(&known)), [Ok(())], "once more does no harm");
	let candidate_hash = known.hash();

	let (response, _) =
		rig.ask(RequestProtocol::AvailableData, AvailableDataRequest { candidate_hash }.encode());
	let expected = AvailableDataResponse::AvailableData((*known.data).clone());
	assert_eq!(response, Some(expected.encode()));
	let (response, _) = rig.ask(RequestProtocol::PoV, PoVRequest { candidate_hash }.encode());
	assert_eq!(response, Some(PoVResponse::PoV((*known.data.pov).clone()).encode()));
	for n in 0..N {
		let request = ChunkRequest { candidate_hash, index: ValidatorIndex(n) }.encode();
		let expected = known.encoding.chunks[n as usize].clone();
		let (response, _) = rig.ask(RequestProtocol::ChunkV1, request.clone());
		let ErasureChunk { chunk, proof, .. } = expected.clone();
		assert_eq!(response, Some(ChunkResponseV1::Chunk { chunk, proof }.encode()));
		let (response, _) = rig.ask(RequestProtocol::ChunkV2, request);
		assert_eq!(response, Some(ChunkResponseV2::Chunk(expected).encode()));
	}
}

#[test]
fn d8_chunks_are_stored_by_validator_and_carry_their_own_index() {
	let mut rig = Rig::new();
	let mut request = sample(1).request();
	request.core_index = CoreIndex(2);
	request.node_features = [false, false, true].into_iter().collect();
	rig.send(Event::StoreData { token: Token(500), request });
	for n in 0..N {
		let value = &rig.world.content[&keys::chunk(&sample(1).hash(), ValidatorIndex(n))];
		// Ten validators have a systematic threshold of 4.
		assert_eq!(ErasureChunk::decode(&mut &value[..]).unwrap().index.0, (2 * 4 + n) % N);
	}
}

#[test]
fn what_is_not_there_is_answered_as_such_and_nonsense_costs_reputation() {
	let mut rig = Rig::new();
	let candidate_hash = sample(1).hash();
	let chunk = ChunkRequest { candidate_hash, index: ValidatorIndex(0) }.encode();
	let one = Some(vec![1]);
	assert_eq!(rig.ask(RequestProtocol::ChunkV1, chunk.clone()), (one.clone(), 0));
	assert_eq!(rig.ask(RequestProtocol::ChunkV2, chunk), (one.clone(), 0));
	assert_eq!(rig.ask(RequestProtocol::PoV, PoVRequest { candidate_hash }.encode()), (one.clone(), 0));
	let data = AvailableDataRequest { candidate_hash }.encode();
	assert_eq!(rig.ask(RequestProtocol::AvailableData, data.clone()), (one, 0));
	for protocol in [RequestProtocol::ChunkV1, RequestProtocol::PoV, RequestProtocol::AvailableData] {
		assert_eq!(rig.ask(protocol, vec![1, 2, 3]), (None, -300_000));
	}
	assert_eq!(rig.ask(RequestProtocol::AvailableData, [data, vec![0]].concat()), (None, -300_000));
	assert_eq!(rig.ask(RequestProtocol::AttestedCandidate, vec![]), (None, 0));
}

#[test]
fn broken_values_are_not_served() {
	let mut rig = Rig::new();
	let known = sample(1);
	rig.store(&known);
	rig.world.content.insert(keys::available_data(&known.hash()), vec![0xff; 3]);
	rig.world.content.remove(&keys::chunk(&known.hash(), ValidatorIndex(0)));
	let candidate_hash = known.hash();
	assert_eq!(rig.ask(RequestProtocol::PoV, PoVRequest { candidate_hash }.encode()), (Some(vec![1]), 0));
	let chunk = ChunkRequest { candidate_hash, index: ValidatorIndex(0) }.encode();
	assert_eq!(rig.ask(RequestProtocol::ChunkV2, chunk), (Some(vec![1]), 0));
	assert!(rig.dropped_because(Reason::StorageFailed));
}

#[test]
fn a5_data_that_is_never_included_is_pruned_after_an_hour() {
	let mut rig = Rig::new();
	rig.store(&sample(1));
	rig.block_with(10, vec![sample(2).backed()]);
	rig.advance(3_599_000);
	assert_eq!(rig.kept().iter().filter(|key| key.column == Column::Meta).count(), 4);
	rig.advance(301_000);
	assert!(rig.kept().is_empty(), "{:?}", rig.kept());
	assert_eq!(rig.machine.next_deadline(), None);
}

#[test]
fn a6_included_data_is_kept_until_finality_and_then_as_long_as_configured() {
	let mut rig = Rig::new();
	let known = sample(1);
	rig.store(&known);
	rig.block_with(11, vec![known.included()]);
	rig.advance(100 * 3_600_000);
	assert!(rig.world.content.contains_key(&keys::available_data(&known.hash())), "not finalized yet");
	rig.finalize(12);
	assert!(matches!(meta(&rig, &known).unwrap().state, State::Finalized(_)));
	rig.advance(3_599_000);
	assert!(rig.world.content.contains_key(&keys::available_data(&known.hash())));
	rig.advance(301_000);
	assert!(rig.kept().is_empty(), "{:?}", rig.kept());
}

#[test]
fn a7_finality_of_one_fork_decides_over_all_blocks_up_to_its_height() {
	let mut rig = Rig::new();
	let (both, lost) = (sample(1), sample(2));
	rig.store(&both);
	rig.store(&lost);
	rig.block_with(11, vec![both.included()]);
	// A fork at the same height.
	let mut fork = rig.leaf(11, Vec::new(), vec![both.included(), lost.included()]);
	Arc::make_mut(&mut fork.block).hash = hash(1011);
	rig.activate(fork, &[]);
	rig.block_with(12, vec![]);
	rig.block_with(13, vec![]);
	let unfinalized = || keys::unfinalized(11, &hash(1011), &lost.hash());
	assert!(rig.world.content.contains_key(&unfinalized()));

	rig.finalize(10);
	assert!(matches!(meta(&rig, &both).unwrap().state, State::Unfinalized(_, blocks) if blocks.len() == 2));
	rig.finalize(13);
	assert!(matches!(meta(&rig, &both).unwrap().state, State::Finalized(_)));
	assert!(matches!(meta(&rig, &lost).unwrap().state, State::Unavailable(_)));
	assert!(!rig.world.content.contains_key(&unfinalized()));
	assert!(rig.machine.store.is_consistent());
	rig.advance(3_601_000);
	rig.advance(300_000);
	assert!(meta(&rig, &lost).is_none(), "an hour counts from when it was first seen");
}

#[test]
fn data_is_kept_when_it_is_not_known_which_block_is_canonical() {
	let mut rig = Rig::new();
	let known = sample(1);
	rig.store(&known);
	rig.block_with(11, vec![known.included()]);
	rig.restart();
	// Block 500 is finalized, and nothing is known of the way there.
	rig.finalize(500);
	assert!(matches!(meta(&rig, &known).unwrap().state, State::Finalized(_)));
}

#[test]
fn candidate_that_occupies_a_core_is_known_though_its_backing_was_missed() {
	let mut rig = Rig::of(None);
	let known = sample(1);
	let leaf = rig.leaf(10, vec![known.occupying(0), CoreState::Free], Vec::new());
	rig.activate(leaf, &[]);
	assert!(meta(&rig, &known).is_some());
}

#[test]
fn inclusion_of_what_was_never_seen_is_ignored() {
	let mut rig = Rig::new();
	rig.block_with(11, vec![sample(1).included()]);
	rig.finalize(11);
	assert!(rig.world.content.is_empty());
}

#[test]
fn restart_restores_what_is_there_and_when_it_goes() {
	let mut rig = Rig::new();
	let (unavailable, unfinalized, finalized) = (sample(1), sample(2), sample(3));
	for sample in [&unavailable, &unfinalized, &finalized] {
		rig.store(sample);
	}
	rig.block_with(11, vec![finalized.included()]);
	rig.finalize(11);
	rig.block_with(12, vec![unfinalized.included()]);
	let before = rig.world.content.clone();
	rig.restart();
	assert_eq!(rig.world.content, before);
	assert!(rig.machine.store.is_consistent());
	for sample in [&unavailable, &unfinalized, &finalized] {
		let request = PoVRequest { candidate_hash: sample.hash() }.encode();
		assert!(rig.ask(RequestProtocol::PoV, request).0.unwrap().len() > 1);
		assert_eq!(stored(&rig.store(sample)), [Ok(())]);
	}
	assert_eq!(rig.world.content, before, "nothing had to be stored again");
	rig.advance(3_601_000);
	rig.advance(300_000);
	assert_eq!(
		[&unavailable, &unfinalized, &finalized].map(|sample| meta(&rig, sample).is_some()),
		[false, true, false]
	);
	rig.finalize(12);
	rig.advance(3_601_000);
	rig.advance(300_000);
	assert!(rig.kept().is_empty(), "{:?}", rig.kept());
}

#[test]
fn unreadable_metadata_is_skipped() {
	let mut rig = Rig::new();
	let good = sample(1);
	rig.store(&good);
	rig.world.content.insert(keys::candidate_meta(&sample(2).hash()), vec![9]);
	rig.world.content.insert(StorageKey { column: Column::Meta, key: b"foreign".to_vec() }, vec![]);
	rig.restart();
	assert!(rig.machine.store.has_data(&good.hash()));
	assert_eq!(rig.traces.iter().filter(|t| t.stage == Stage::Dropped(Reason::StorageFailed)).count(), 2);
}

#[test]
fn data_counts_as_stored_when_it_is_durable_and_not_before() {
	let mut rig = Rig::new();
	let known = sample(1);
	rig.world.held = Some(Vec::new());
	assert!(stored(&rig.store(&known)).is_empty());
	assert!(stored(&rig.store(&known)).is_empty(), "a second question waits for the same write");
	let request = PoVRequest { candidate_hash: known.hash() }.encode();
	assert_eq!(rig.ask(RequestProtocol::PoV, request).0, Some(vec![1]));
	let held = rig.world.held.take().unwrap();
	assert_eq!(held.len(), 1);
	let effects = rig.send(Event::Written { token: held[0].0, ok: true });
	assert_eq!(stored(&effects), [Ok(()), Ok(())]);
	assert!(rig.machine.store.has_data(&known.hash()));
}

#[test]
fn data_that_is_pruned_while_it_is_being_written_is_not_promised() {
	let mut rig = Rig::new();
	let known = sample(1);
	rig.world.held = Some(Vec::new());
	rig.store(&known);
	let effects = rig.advance(4_000_000);
	assert_eq!(stored(&effects), [Err(StoreDataError::Failed)]);
	// It is heard of again, before the disk did what it was told: to store it, and to remove it.
	rig.block_with(10, vec![known.backed()]);
	for (token, batch) in rig.world.held.take().unwrap() {
		rig.world.apply(batch);
		assert!(stored(&rig.send(Event::Written { token, ok: true })).is_empty());
	}
	assert!(!rig.machine.store.has_data(&known.hash()));
	assert!(!rig.machine.store.has_chunk(&known.hash(), ValidatorIndex(0)));
	assert_eq!(stored(&rig.store(&known)), [Ok(())]);
	assert!(rig.world.content.contains_key(&keys::available_data(&known.hash())));
}

#[test]
fn metadata_never_says_more_than_what_is_durable() {
	for data_is_written in [false, true] {
		let mut rig = Rig::new();
		let known = sample(1);
		rig.world.held = Some(Vec::new());
		rig.store(&known);
		rig.block_with(10, vec![known.included()]);
		let held = rig.world.held.replace(Vec::new()).unwrap();
		let [(data, batch), (state, state_batch)] = <[_; 2]>::try_from(held).unwrap();
		if data_is_written {
			rig.world.apply(batch);
		}
		rig.world.apply(state_batch);
		let is_included = |meta: &CandidateMeta| matches!(meta.state, State::Unfinalized(..));
		let said = meta(&rig, &known).unwrap();
		assert!(is_included(&said) && !said.data_available && said.chunks_stored.not_any());

		// As soon as it is known, it is said.
		rig.send(Event::Written { token: data, ok: data_is_written });
		rig.send(Event::Written { token: state, ok: true });
		let held = rig.world.held.take().unwrap();
		held.into_iter().for_each(|(_, batch)| rig.world.apply(batch));
		rig.restart();
		assert_eq!(rig.machine.store.has_data(&known.hash()), data_is_written);
		assert_eq!(rig.machine.store.has_chunk(&known.hash(), ValidatorIndex(0)), data_is_written);
		assert!(is_included(&meta(&rig, &known).unwrap()));
	}
}

#[test]
fn failed_write_is_reported_and_can_be_repeated() {
	let mut rig = Rig::new();
	let known = sample(1);
	rig.world.ok = false;
	assert_eq!(stored(&rig.store(&known)), [Err(StoreDataError::Failed)]);
	assert!(!rig.machine.store.has_data(&known.hash()));
	assert!(!rig.machine.store.expects_chunk(&known.hash(), ValidatorIndex(0)));
	assert!(rig.dropped_because(Reason::StorageFailed));
	rig.world.ok = true;
	assert_eq!(stored(&rig.store(&known)), [Ok(())]);
	assert!(rig.machine.store.has_data(&known.hash()));
}

#[test]
fn requests_that_wait_for_the_disk_are_bounded() {
	let mut rig = Rig::new();
	let known = sample(1);
	rig.store(&known);
	let mut effects = Effects::new();
	for n in 0..=serving::LOADS_MAX as u64 {
		let payload = PoVRequest { candidate_hash: known.hash() }.encode();
		let request = InboundRequest {
			peer: peer(1),
			id: InboundRequestId(n),
			protocol: RequestProtocol::PoV,
			payload,
		};
		let now = rig.now;
		rig.machine.handle(now, Event::Request(request), &mut effects);
	}
	let refused = effects
		.take()
		.into_iter()
		.filter(|effect| matches!(effect, Effect::Network(NetworkEffect::Respond { response: None, .. })));
	assert_eq!(refused.count(), 1);
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
	fn roll(&mut self, sides: u64) -> u64 {
		self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
		(self.0 >> 33) % sides
	}
}

#[test]
fn memory_and_disk_agree_whatever_happens() {
	let samples: Vec<Sample> = (1..6).map(sample).collect();
	for seed in 0..40 {
		let (mut rig, mut dice, mut number) = (Rig::new(), Dice(seed), 10);
		for _ in 0..60 {
			let picked = samples[dice.roll(5) as usize].clone();
			match dice.roll(8) {
				0 | 1 => {
					rig.store(&picked);
				},
				2 | 3 => {
					number += 1;
					let other = &samples[dice.roll(5) as usize];
					rig.block_with(number, vec![picked.backed(), other.included()]);
				},
				4 => {
					let mut fork = rig.leaf(number, vec![], vec![picked.backed(), picked.included()]);
					Arc::make_mut(&mut fork.block).hash = hash(1_000 + u64::from(number));
					rig.activate(fork, &[]);
				},
				5 => {
					rig.finalize(u64::from(number) - dice.roll(3));
				},
				6 => {
					rig.advance(dice.roll(2_000_000));
				},
				_ => rig.restart(),
			}
			assert!(rig.machine.store.is_consistent(), "seed {seed}");
			let on_disk = |sample: &Sample| meta(&rig, sample);
			let in_memory = rig.machine.store.metas();
			assert!(
				samples.iter().all(|sample| in_memory.get(&sample.hash()) == on_disk(sample).as_ref()),
				"seed {seed}"
			);
			let has_data =
				|sample: &&Sample| rig.world.content.contains_key(&keys::available_data(&sample.hash()));
			let promised = samples.iter().filter(|sample| rig.machine.store.has_data(&sample.hash()));
			assert_eq!(
				promised.map(Sample::hash).collect::<Vec<_>>(),
				samples.iter().filter(has_data).map(Sample::hash).collect::<Vec<_>>(),
				"seed {seed}"
			);
		}
		rig.finalize(u64::from(number) + 5);
		rig.advance(4_000_000);
		rig.advance(4_000_000);
		assert!(rig.kept().is_empty(), "seed {seed}: {:?}", rig.kept());
	}
}
