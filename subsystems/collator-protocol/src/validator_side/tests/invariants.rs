use super::*;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
	fn roll(&mut self, sides: u64) -> u64 {
		self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
		(self.0 >> 33) % sides
	}
}

/// What has to hold after every step.
fn check(rig: &Rig) {
	let machine = &rig.machine;
	for (at, block) in &machine.blocks {
		let unshared =
			machine.fetches.values().filter(|fetch| !fetch.is_shared && fetch.offer.scheduling_parent == *at);
		assert!(unshared.count() <= 1, "one fetch at a time");
		assert!(block.set_aside.len() <= SET_ASIDE_PER_BLOCK_MAX);
		for para in [A, B] {
			let claimed = machine.claims(at, CoreIndex(0), para) + machine.waiting(at, CoreIndex(0), para);
			let lookahead = 3;
			assert!(claimed <= lookahead, "{claimed} claims of a claim queue of {lookahead}");
		}
		// Nothing idles: if something waits whose turn it is, something is under way.
		let next = machine.blocks[at].waiting.values().any(|queue| !queue.is_empty());
		let busy = machine.fetches.values().any(|fetch| fetch.offer.scheduling_parent == *at)
			|| machine.seconding.validating.keys().any(|(block, _)| block == at)
			|| machine
				.seconding
				.parked
				.values()
				.flatten()
				.any(|fetched| fetched.offer.scheduling_parent == *at)
			|| block.seconded.values().any(|seconded| !seconded.is_empty());
		assert!(!next || busy, "waits for nothing");
	}
	let is_known = |offer: &Offer| machine.blocks.contains_key(&offer.scheduling_parent);
	assert!(machine
		.fetches
		.values()
		.all(|fetch| is_known(&fetch.offer) && machine.peers.contains_key(&fetch.offer.peer)));
	assert!(machine.seconding.validating.values().all(|validating| is_known(&validating.offer)));
	assert!(machine.seconding.parked.values().flatten().all(|fetched| is_known(&fetched.offer)));
	assert!(machine.questions.is_empty() && machine.seconding.awaiting_data.is_empty(), "all were answered");
	assert!(machine.collators.values().all(|peer| machine.peers.contains_key(peer)));
}

#[test]
fn invariants_hold_whatever_happens() {
	for seed in 0..60 {
		let (mut rig, mut dice, mut number) = (Rig::new("ABA"), Dice(seed), 10);
		let mut open: Vec<(Token, CandidateHash)> = Vec::new();
		let mut second: Vec<CandidateHash> = Vec::new();
		let mut samples: BTreeMap<CandidateHash, Sample> = BTreeMap::new();
		for _ in 0..150 {
			let n = dice.roll(6) as u8;
			let para = if n.is_multiple_of(2) { A } else { B };
			let effects = match dice.roll(12) {
				0 => {
					let mut effects = rig.connect(n, CollationVersion::V2);
					effects.extend(rig.message(n, declare(n, n, CollationVersion::V2, para)));
					effects.extend(rig.view(n, &[number]));
					effects
				},
				1..=4 => {
					let at = number - dice.roll(3);
					let sample = sample(para, at, dice.roll(3) as u8, dice.roll(4) as u8);
					samples.insert(sample.hash(), sample.clone());
					rig.world.can_second = dice.roll(4) > 0;
					rig.advertise(n, &sample)
				},
				5 | 6 if !open.is_empty() => {
					let (token, candidate) = open.swap_remove(dice.roll(open.len() as u64) as usize);
					let sample = &samples[&candidate];
					if dice.roll(2) == 0 {
						rig.world.known_heads.insert(sample.parent_hash(), sample.data.clone());
					}
					match dice.roll(3) {
						0 => rig.send(Event::Response { token, result: Err(RequestError::Timeout) }),
						1 => rig.respond(token, sample.response()),
						_ => rig.respond(token, sample.response_with_parent()),
					}
				},
				7 | 8 if !second.is_empty() => {
					let candidate = second.swap_remove(dice.roll(second.len() as u64) as usize);
					let sample = samples[&candidate].clone();
					match dice.roll(3) {
						0 => rig.invalid(&sample),
						1 => rig.send(Event::Dropped {
							scheduling_parent: sample.receipt.descriptor.scheduling_parent(),
							candidate_hash: candidate,
							reason: Reason::ExecutionFailed,
						}),
						_ => rig.seconded(&sample),
					}
				},
				9 => rig.network(NetworkEvent::PeerDisconnected { peer: peer(n), set: PeerSet::Collation }),
				10 => {
					number += 1;
					rig.activate(
						number as u32,
						["ABA", "AAB", "BA"][dice.roll(3) as usize],
						Some(number as u32 - 1),
					)
				},
				_ => rig.advance(dice.roll(600)),
			};
			open.extend(
				requests(&effects).into_iter().filter_map(|(token, _, candidate)| Some((token, candidate?))),
			);
			second.extend(second_requests(&effects));
			check(&rig);
		}
	}
}
