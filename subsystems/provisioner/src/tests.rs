//! Scenarios of the provisioner (backing pipeline §9.12), as far as they do not concern disputes.

pub(crate) mod arbitrary;

use crate::*;
use codec::Decode;
use headway_machine::{
	testing::{self, hash},
	ParaContext, PendingCandidate,
};
use headway_primitives::*;

const START: Timestamp = Timestamp::from_unix_ms(1_000_000);
const N_VALIDATORS: usize = 6;

fn after(millis: u64) -> Timestamp {
	START + Duration::from_millis(millis)
}

fn descriptor(para: u32, core: u32) -> CandidateDescriptorV2 {
	let zero = Hash::zero();
	let code = ValidationCode(vec![1]).hash();
	CandidateDescriptorV2::new_v2(ParaId(para), hash(10), CoreIndex(core), 1, zero, zero, zero, zero, code)
}

/// The cores of a leaf, one word each: `free`, `p1` (scheduled for para 1), or `p1-p2/p3@12+134`: occupied by
/// a candidate of para 1, then para 2 if it becomes available or para 3 if it times out (`_` for nobody) at
/// block 12, and the availability votes of validators 1, 3 and 4 are on chain.
fn cores(notation: &str) -> Vec<CoreState> {
	let para = |text: &str| text.trim_start_matches('p').parse().expect("a para");
	let scheduled = |text: &str| ScheduledCore { para_id: ParaId(para(text)), collator: None };
	let next = |text: &str| (text != "_").then(|| scheduled(text));
	let core = |(index, word): (usize, &str)| match word.split_once('-') {
		None if word == "free" => CoreState::Free,
		None => CoreState::Scheduled(scheduled(word)),
		Some((occupant, rest)) => {
			let (rest, votes) = rest.split_once('+').unwrap_or((rest, ""));
			let (rest, time_out_at) = rest.split_once('@').unwrap_or((rest, "100"));
			let (available, timed_out) = rest.split_once('/').expect("two nexts");
			let voted = |i: usize| votes.contains(&i.to_string());
			CoreState::Occupied(OccupiedCore {
				next_up_on_available: next(available),
				occupied_since: 9,
				time_out_at: time_out_at.parse().expect("a number"),
				next_up_on_time_out: next(timed_out),
				availability: (0..N_VALIDATORS).map(voted).collect(),
				group_responsible: GroupIndex(0),
				candidate_hash: occupant_hash(index),
				candidate_descriptor: descriptor(para(occupant), index as u32),
			})
		},
	};
	notation.split_whitespace().enumerate().map(core).collect()
}

/// The candidate that occupies a core.
fn occupant_hash(core: usize) -> CandidateHash {
	CandidateHash(hash(500 + core as u64))
}

fn leaf(notation: &str) -> LeafContext {
	leaf_at(10, notation)
}

fn leaf_at(number: u32, notation: &str) -> LeafContext {
	let keys = testing::validator_keys(N_VALIDATORS as u32);
	let session = testing::session(1, &keys, vec![(0..N_VALIDATORS as u32).collect()], None);
	let mut leaf = testing::leaf(testing::block(number, &session, ClaimQueue::new()), Vec::new());
	leaf.availability_cores = cores(notation);
	leaf
}

fn bitfield(validator: u32, bits: &str) -> Event {
	let bits = bits.chars().map(|bit| bit == '1').collect();
	let bytes = [validator as u8; 64];
	let signature = ValidatorSignature::decode(&mut &bytes[..]).expect("64 bytes");
	let payload = AvailabilityBitfield(bits);
	let validator_index = ValidatorIndex(validator);
	let bitfield = Signed::assume_checked(UncheckedSigned { payload, validator_index, signature });
	Event::Bitfield { relay_parent: hash(10), bitfield }
}

/// Candidate `n`, from 1 on, of a para, which has three cores: para 1 the first three, and so on.
fn backed(para: u32, n: u8, upgrades: bool) -> BackedCandidate {
	backed_on(3 * para.saturating_sub(1) + u32::from(n.saturating_sub(1)), para, n, upgrades)
}

fn backed_on(core: u32, para: u32, n: u8, upgrades: bool) -> BackedCandidate {
	let commitments = CandidateCommitments {
		head_data: HeadData(vec![n]),
		new_validation_code: upgrades.then(|| ValidationCode(vec![n])),
		..Default::default()
	};
	let candidate = CommittedCandidateReceiptV2 { descriptor: descriptor(para, core), commitments };
	BackedCandidate::new(candidate, Vec::new(), Default::default(), CoreIndex(core))
}

fn reference(candidate: &BackedCandidate) -> CandidateRef {
	let scheduling_parent = candidate.candidate.descriptor.scheduling_parent();
	CandidateRef { candidate_hash: candidate.hash(), scheduling_parent }
}

struct Harness {
	machine: Provisioner,
	traces: Vec<Trace>,
}

impl Harness {
	fn new(leaf: LeafContext) -> Self {
		let mut this = Self { machine: Provisioner::new(), traces: Vec::new() };
		let update = LeavesUpdate { activated: Some(Arc::new(leaf)), deactivated: Vec::new() };
		this.send(START, Event::Leaves(update));
		this
	}

	fn send(&mut self, now: Timestamp, event: Event) -> Vec<Effect> {
		let mut effects = Effects::new();
		self.machine.handle(now, event, &mut effects);
		self.traces.extend(effects.take_traces());
		effects.take()
	}

	fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
		let mut effects = Effects::new();
		self.machine.tick(now, &mut effects);
		self.traces.extend(effects.take_traces());
		effects.take()
	}

	fn request(&mut self, now: Timestamp) -> Vec<Effect> {
		self.send(now, Event::InherentRequest { token: Token(7), parent: hash(10) })
	}

	/// Requests an inherent for a ready leaf, with candidates that prospective parachains and backing have.
	fn provide(&mut self, have: &[BackedCandidate]) -> ProvisionedData {
		let mut effects = VecDeque::from(self.request(after(2000)));
		loop {
			let of = |para: ParaId| have.iter().filter(move |c| c.candidate.descriptor.para_id == para);
			let event = match effects.pop_front().expect("an answer") {
				Effect::Inherent { data, .. } => return data.expect("the leaf is known"),
				Effect::Backable(query) => Event::Backable {
					token: query.token,
					candidates: of(query.para).map(reference).collect(),
				},
				Effect::GetCandidates { token, candidates } => {
					let answer = candidates.into_iter().map(|(para, candidates)| {
						let chosen = of(para).filter(|c| candidates.contains(&reference(c))).cloned();
						(para, chosen.collect())
					});
					Event::Candidates { token, candidates: answer.collect() }
				},
			};
			effects.extend(self.send(after(2000), event));
		}
	}

	fn reasons(&self) -> Vec<Reason> {
		let reason = |trace: &Trace| match trace.stage {
			Stage::Dropped(reason) => Some(reason),
			_ => None,
		};
		self.traces.iter().filter_map(reason).collect()
	}
}

/// What is asked of prospective parachains: para, count and the cores of the ancestors.
fn queries(effects: &[Effect]) -> Vec<(u32, usize, Vec<usize>)> {
	let query = |effect: &Effect| match effect {
		Effect::Backable(query) => {
			assert_eq!(query.leaf, hash(10));
			let ancestors = (0..20).filter(|core| query.ancestors.contains(&occupant_hash(*core)));
			Some((query.para.0, query.count, ancestors.collect()))
		},
		_ => None,
	};
	effects.iter().filter_map(query).collect()
}

#[test]
fn pr_01_one_bitfield_per_validator_the_fuller_one_ascending() {
	let mut harness = Harness::new(leaf("p1-_/_ p2-_/_ p3-_/_ free p4"));
	for event in [
		bitfield(4, "10000"),
		bitfield(2, "11000"),
		bitfield(2, "11100"),
		bitfield(2, "01100"),
		bitfield(0, "00000"),
		bitfield(1, "00010"),
		bitfield(1, "00001"),
		bitfield(3, "1110"),
		bitfield(6, "10000"),
	] {
		harness.send(START, event);
	}
	let selected = harness.provide(&[]).bitfields;
	let selected: Vec<_> = selected.iter().map(|b| (b.validator_index.0, b.payload.0.count_ones())).collect();
	assert_eq!(selected, [(0, 0), (2, 3), (4, 1)]);
	use Reason::*;
	assert_eq!(
		harness.reasons(),
		[DuplicateMessage, UnexpectedMessage, UnexpectedMessage, MalformedMessage, MalformedMessage]
	);
}

#[test]
fn a_tie_keeps_the_first_bitfield() {
	let mut harness = Harness::new(leaf("p1-_/_ p2-_/_"));
	harness.send(START, bitfield(0, "10"));
	harness.send(START, bitfield(0, "01"));
	let selected = harness.provide(&[]).bitfields;
	assert!(selected.len() == 1 && selected[0].payload.0[0]);
}

#[test]
fn pr_02_a_request_waits_until_the_leaf_is_ready() {
	let mut harness = Harness::new(leaf("p1"));
	assert_eq!(harness.machine.next_deadline(), None, "nobody asked");
	assert_eq!(harness.request(after(500)), []);
	assert_eq!(harness.machine.next_deadline(), Some(after(2000)));
	assert_eq!(harness.tick(after(1999)), []);
	assert_eq!(queries(&harness.tick(after(2000))), [(1, 1, vec![])]);
	let unknown = Event::InherentRequest { token: Token(8), parent: hash(11) };
	assert_eq!(harness.send(after(2000), unknown), [Effect::Inherent { token: Token(8), data: None }]);
	assert_eq!(harness.reasons(), [Reason::OutOfView]);
}

#[test]
fn availability_is_told_once_when_more_than_two_thirds_have_their_chunk() {
	let mut harness = Harness::new(leaf("p1-p1/p1+05 p1-p1/p1"));
	let available = |harness: &Harness| {
		let of = |trace: &&Trace| trace.stage == Stage::Available;
		harness.traces.iter().filter(of).map(|trace| trace.candidate).collect::<Vec<_>>()
	};
	for (validator, bits) in [(0, "11"), (1, "11"), (2, "11")] {
		harness.send(START, bitfield(validator, bits));
	}
	// Votes on chain count, and none of them twice: 0, 1, 2 and 5 of core 0; only three of core 1.
	assert_eq!(available(&harness), []);
	for validator in [3, 4] {
		harness.send(START, bitfield(validator, "10"));
	}
	assert_eq!(available(&harness), [Some(occupant_hash(0))]);
}

#[test]
fn bitfields_that_arrive_while_a_request_waits_are_in_the_inherent() {
	let mut harness = Harness::new(leaf("free p1-_/_"));
	harness.request(START);
	harness.send(after(1900), bitfield(0, "01"));
	let effects = harness.tick(after(2000));
	let [Effect::Inherent { data: Some(data), .. }] = &effects[..] else {
		panic!("an inherent: {effects:?}")
	};
	assert_eq!(data.bitfields.len(), 1);
}

#[test]
fn a_leaf_that_goes_answers_those_who_wait() {
	let mut harness = Harness::new(leaf("p1"));
	harness.request(START);
	let update = LeavesUpdate { activated: None, deactivated: vec![hash(10)] };
	let effects = harness.send(after(100), Event::Leaves(update));
	assert_eq!(effects, [Effect::Inherent { token: Token(7), data: None }]);
	assert_eq!(harness.machine.next_deadline(), None);
	harness.send(after(100), bitfield(0, "0"));
	assert_eq!(harness.reasons(), [Reason::OutOfView]);
}

#[test]
fn pr_03_cores_are_counted_per_para_and_paras_ascend() {
	let mut harness = Harness::new(leaf("p3 p2 free p1 p3"));
	assert_eq!(queries(&harness.request(after(2000))), [(1, 1, vec![]), (2, 1, vec![]), (3, 2, vec![])]);
}

#[test]
fn pr_04_occupied_cores_by_what_becomes_of_their_candidates() {
	// The leaf is block 10, and five of six validators make a candidate available, as for the runtime.
	for (notation, bitfields, expected) in [
		// Becomes available: by votes on chain, by bitfields, by both.
		("p1-p1/p2+01234", vec![], vec![(1, 1, vec![0])]),
		("p1-p1/p2", vec![(0, "1"), (1, "1"), (2, "1"), (3, "1"), (5, "1")], vec![(1, 1, vec![0])]),
		("p1-p2/p1+012", vec![(1, "1"), (3, "1"), (4, "1")], vec![(2, 1, vec![])]),
		// One vote is missing.
		("p1-p1/p1+0123", vec![(2, "1")], vec![]),
		("p1-p1/p1+0123", vec![(4, "0")], vec![]),
		// Times out in the next block, or the one after it.
		("p1-p1/p2@11", vec![], vec![(2, 1, vec![])]),
		("p1-p2/p1@11", vec![], vec![(1, 1, vec![])]),
		("p1-p1/p2@12", vec![], vec![]),
		// Availability goes before the time-out.
		("p1-p1/p2@11+01234", vec![], vec![(1, 1, vec![0])]),
		// Neither: an ancestor still, for the para's other core.
		("p1-p1/p1 p1", vec![], vec![(1, 1, vec![0])]),
		("p1-p1/p1+01234 p1-p1/p1 p1-_/_@11", vec![], vec![(1, 1, vec![0, 1])]),
	] {
		let mut harness = Harness::new(leaf(notation));
		for (validator, bits) in &bitfields {
			harness.send(START, bitfield(*validator, bits));
		}
		assert_eq!(queries(&harness.request(after(2000))), expected, "{notation} {bitfields:?}");
	}
}

#[test]
fn a_candidate_behind_one_that_is_not_available_waits_and_times_out_with_it() {
	for (notation, expected) in [
		// The second is available, the first is not.
		("p1-p1/p1 p1-p1/p1+01234", vec![]),
		// As many as are available from the first on.
		("p1-p1/p1+01234 p1-p1/p1+01234 p1-p1/p1", vec![(1, 2, vec![0, 1, 2])]),
		("p1-p1/p1+01234 p1-p1/p1 p1-p1/p1+01234", vec![(1, 1, vec![0, 1, 2])]),
		// Who times out takes along what is behind it, but not what is before it.
		("p1-p1/p2@11 p1-p1/p2+01234 p1-p1/p2", vec![(2, 3, vec![])]),
		("p1-p1/p2 p1-p1/p2@11", vec![(2, 1, vec![])]),
	] {
		let mut leaf = leaf(notation);
		let pending = (0..leaf.availability_cores.len()).map(|core| PendingCandidate {
			hash: occupant_hash(core),
			receipt: backed(1, core as u8, false).candidate,
			relay_parent: None,
		});
		let constraints = testing::constraints(HeadData(Vec::new()));
		let para = ParaContext { constraints, pending: pending.collect() };
		leaf.paras.insert(ParaId(1), para);
		let mut harness = Harness::new(leaf);
		assert_eq!(queries(&harness.request(after(2000))), expected, "{notation}");
	}
}

#[test]
fn candidate_counts_as_available_with_the_bits_that_the_runtime_asks_for() {
	// More than two thirds of six validators are five: four, which are two thirds, do not suffice.
	for (votes, available) in [("0123", false), ("01234", true), ("012345", true)] {
		let mut harness = Harness::new(leaf(&format!("p1-p1/_+{votes}")));
		assert_eq!(!queries(&harness.request(after(2000))).is_empty(), available, "{votes}");
	}
}

#[test]
fn para_on_several_cores_is_asked_for_all_of_them_at_once() {
	// Two scheduled, one becoming available, one timing out, one that stays.
	let mut harness = Harness::new(leaf("p1 p1 p1-p1/_+01234 p1-_/p1@11 p1-p1/p1"));
	assert_eq!(queries(&harness.request(after(2000))), [(1, 4, vec![2, 4])]);
	let mut harness = Harness::new(leaf("p1 p1 p1"));
	let have: Vec<_> = (1..6).map(|n| backed(1, n, false)).collect();
	assert_eq!(
		harness.provide(&have).backed_candidates,
		&have[..3],
		"in order, and no more than there are cores"
	);
}

#[test]
fn a_candidate_whose_core_is_not_free_waits_and_so_does_what_builds_on_it() {
	// Two of the para's three cores are free.
	let mut harness = Harness::new(leaf("p1 p1-p1/p1 p1"));
	let on = |cores: [u32; 3]| {
		let candidate = |(n, core): (u8, u32)| backed_on(core, 1, n, false);
		(1..).zip(cores).map(candidate).collect::<Vec<_>>()
	};
	for (cores, taken) in [([0, 2, 1], 2), ([2, 0, 1], 2), ([0, 1, 2], 1), ([1, 0, 2], 0), ([0, 0, 2], 1)] {
		let have = on(cores);
		assert_eq!(harness.provide(&have).backed_candidates, &have[..taken], "{cores:?}");
	}
	assert_eq!(harness.reasons(), [], "nothing is lost");
}

#[test]
fn answers_that_nobody_waits_for_are_ignored() {
	let mut harness = Harness::new(leaf("p1"));
	harness.request(after(2000));
	for token in [Token(0), Token(77)] {
		assert_eq!(harness.send(after(2000), Event::Backable { token, candidates: Vec::new() }), []);
		assert_eq!(harness.send(after(2000), Event::Candidates { token, candidates: BTreeMap::new() }), []);
	}
	// An answer that comes too late, and one that comes twice.
	let candidate = backed(1, 1, false);
	let answer = Event::Backable { token: Token(1), candidates: vec![reference(&candidate)] };
	assert_eq!(harness.send(after(2000), answer.clone()).len(), 1);
	assert_eq!(harness.send(after(2000), answer.clone()), []);
	assert_eq!(harness.tick(after(2500)).len(), 1);
	assert_eq!(harness.send(after(2500), answer), []);
}

#[test]
fn an_inherent_that_is_not_ready_in_time_is_nobodys_fault_but_times() {
	let mut harness = Harness::new(leaf("p1"));
	harness.request(after(2000));
	assert_eq!(harness.tick(after(2500)).len(), 1, "it goes out without candidates");
	assert_eq!(harness.reasons(), [Reason::AssemblyTimeout]);
	let told = harness.traces.last().unwrap();
	assert_eq!(told.loss().map(|(loss, _)| loss), Some(headway_machine::Loss::Dropped));
	assert_eq!(told.explanation(), "what goes into a relay block was not known in time");
}

#[test]
fn under_synchronous_backing_an_occupied_core_gives_nothing() {
	let mut leaf = leaf("p1-p1/p1+01234 p2-p2/p2@11 p3 p4-p4/p4");
	leaf.async_backing_params = AsyncBackingParams { max_candidate_depth: 0, allowed_ancestry_len: 0 };
	let mut harness = Harness::new(leaf);
	assert_eq!(queries(&harness.request(after(2000))), [(3, 1, vec![])]);
}

#[test]
fn pr_05_one_code_upgrade_per_block_and_the_rest_of_the_second_para_is_left_out() {
	let mut harness = Harness::new(leaf("p1 p1 p1 p2 p2 p2 p3 p3"));
	let have = [
		backed(1, 1, false),
		backed(1, 2, true),
		backed(1, 3, false),
		backed(2, 1, false),
		backed(2, 2, true),
		backed(2, 3, false),
		backed(3, 1, false),
	];
	let chosen = harness.provide(&have).backed_candidates;
	assert_eq!(chosen, [&have[..4], &have[6..]].concat());
	assert_eq!(harness.reasons(), [Reason::CapacityReached; 2]);
	assert_eq!(harness.traces.iter().filter(|trace| trace.stage == Stage::Provisioned).count(), 5);

	let mut harness = Harness::new(leaf("p1 p1"));
	let have = [backed(1, 1, true), backed(1, 2, true)];
	assert_eq!(harness.provide(&have).backed_candidates, &have[..1]);
}

#[test]
fn pr_06_backing_is_asked_by_scheduling_parent() {
	let mut harness = Harness::new(leaf("p1 p2"));
	let effects = harness.request(after(2000));
	let tokens: Vec<Token> = effects
		.iter()
		.filter_map(|effect| match effect {
			Effect::Backable(query) => Some(query.token),
			_ => None,
		})
		.collect();
	let candidate = CandidateRef { candidate_hash: CandidateHash(hash(1)), scheduling_parent: hash(9) };
	let answer = |token, candidates| Event::Backable { token, candidates };
	assert_eq!(harness.send(after(2000), answer(tokens[1], Vec::new())), []);
	let effects = harness.send(after(2000), answer(tokens[0], vec![candidate; 5]));
	let [Effect::GetCandidates { candidates, .. }] = &effects[..] else {
		panic!("votes are needed: {effects:?}")
	};
	assert_eq!(*candidates, [(ParaId(1), vec![candidate])].into(), "no more than there are cores");
}

#[test]
fn pr_11_neighbours_that_do_not_answer_cost_the_candidates_but_not_the_bitfields() {
	let mut harness = Harness::new(leaf("p1 p2-_/_"));
	harness.send(START, bitfield(0, "01"));
	let effects = harness.request(after(3000));
	assert_eq!(queries(&effects).len(), 1);
	assert_eq!(harness.machine.next_deadline(), Some(after(3500)));
	assert_eq!(harness.tick(after(3499)), []);
	let effects = harness.tick(after(3500));
	let [Effect::Inherent { token: Token(7), data: Some(data) }] = &effects[..] else {
		panic!("an inherent: {effects:?}")
	};
	assert_eq!((data.bitfields.len(), data.backed_candidates.len()), (1, 0));
	assert_eq!(harness.machine.next_deadline(), None);
}

#[test]
fn requests_per_leaf_are_bounded() {
	let mut harness = Harness::new(leaf("p1"));
	for _ in 0..REQUESTS_PER_LEAF_MAX {
		assert_eq!(harness.request(START), []);
	}
	assert_eq!(harness.request(START), [Effect::Inherent { token: Token(7), data: None }]);
	assert_eq!(harness.reasons(), [Reason::CapacityReached]);
}

#[test]
fn two_requests_are_answered_each() {
	let mut harness = Harness::new(leaf("p1"));
	let candidates = [backed(1, 1, false)];
	assert_eq!(harness.provide(&candidates).backed_candidates, candidates);
	assert_eq!(harness.provide(&candidates).backed_candidates, candidates);
}

#[test]
fn the_same_events_give_the_same_effects() {
	let run = || {
		let mut harness = Harness::new(leaf("p1 p1-p1/p1+01234 free p2 free free p3"));
		for validator in [5, 1, 3] {
			harness.send(START, bitfield(validator, "0100000"));
		}
		let have = [backed(1, 1, false), backed(1, 2, true), backed(2, 1, true), backed(3, 1, false)];
		(harness.provide(&have), harness.traces)
	};
	assert_eq!(run(), run());
}
