use super::{
	measure::{measure, Entry, Phases, Variant},
	native::Native,
	network::{head, Error, Network, Size},
};
use crate::host::Verification;
use headway_primitives::{constraints::Constraints, supermajority_threshold, HeadData, ParaId};
use std::time::Duration;

const SIZE: Size = Size { validators: 6, cores: 2, votes: 3 };
const PARA: ParaId = ParaId(2000);

fn network() -> Network<Native> {
	let mut network = Network::new(Native, Vec::new(), SIZE).expect("genesis is built");
	block(&mut network, 0, false);
	network
}

/// A block with as many full bitfields, and with candidates if they are wanted. All of it is accepted, or this
/// panics.
fn block(network: &mut Network<Native>, n_full: usize, candidates: bool) {
	let bitfields = network.bitfields(n_full).expect("bitfields are signed");
	let candidates =
		if candidates { network.candidates().expect("candidates are backed") } else { Vec::new() };
	assert_eq!((bitfields.len(), candidates.len() % SIZE.cores), (SIZE.validators, 0));
	network.block(&network.data(bitfields, candidates)).expect("the runtime accepts all of it");
}

fn included_head(network: &Network<Native>) -> HeadData {
	let constraints: Option<Constraints> =
		network.chain().query("ParachainHost_backing_constraints", &PARA).expect("the API answers");
	constraints.expect("the para has a head").required_parent
}

#[test]
fn chains_on_all_cores_are_accepted_block_after_block() {
	let mut network = network();
	block(&mut network, 0, true);
	assert_eq!((network.height(), included_head(&network)), (2, head(PARA, 0)));
	for blocks in 1..5 {
		block(&mut network, SIZE.validators, true);
		assert_eq!(network.height(), 2 * (blocks + 1));
		assert_eq!(included_head(&network), head(PARA, 2 * blocks));
	}
}

/// The difference between the two is what is taken for the enactment.
#[test]
fn one_full_bitfield_decides_about_inclusion() {
	let threshold = supermajority_threshold(SIZE.validators);
	for (n_full, included) in [(threshold - 1, 0), (threshold, 2)] {
		let mut network = network();
		block(&mut network, 0, true);
		block(&mut network, n_full, false);
		assert_eq!(included_head(&network), head(PARA, included), "{n_full} full bitfields");
	}
}

#[test]
fn what_the_runtime_drops_is_an_error() {
	let mut network = network();
	block(&mut network, 0, true);
	// Cores are still occupied.
	let data = network.data(Vec::new(), network.candidates().expect("candidates are backed"));
	let error = network.block(&data).expect_err("no core is free");
	assert!(matches!(error, Error::Dropped { given_candidates: 2, taken_candidates: 0, .. }), "{error}");
}

#[test]
fn networks_that_cannot_be_are_refused() {
	for (validators, cores, votes) in [(6, 0, 1), (6, 3, 1), (1000, 258, 1), (1, 2, 1), (6, 2, 0)] {
		let size = Size { validators, cores, votes };
		assert!(matches!(size.check(), Err(Error::Size(_))), "{size:?}");
	}
}

#[test]
fn all_variants_run_and_are_reported() {
	let measurements = measure(Native, Native, Vec::new(), SIZE, 1).expect("all variants run");
	let counts: Vec<_> = measurements.variants.iter().map(|v| (v.bitfields, v.candidates, v.votes)).collect();
	assert_eq!(
		counts,
		[(0, 0, 0), (6, 0, 0), (6, 0, 0), (6, 0, 0), (6, 0, 0), (6, 2, 6), (0, 2, 6)],
		"in the order of {:?}",
		Variant::ALL,
	);
	let weight = |variant| measurements.of(variant).weight;
	assert!(weight(Variant::NoVotes) <= weight(Variant::BelowThreshold), "votes cost no less than none");
	assert!(weight(Variant::BelowThreshold) < weight(Variant::Threshold), "inclusion is charged for");
	assert!(weight(Variant::Threshold) <= weight(Variant::AllVotes), "votes cost no less than none");
	assert!(weight(Variant::AllVotes) < weight(Variant::Full), "candidates are charged for");
	assert!(weight(Variant::Full) < measurements.import_weight);
	let sum: Duration = measurements.parts(Entry::Enter).iter().map(|part| part.time).sum();
	assert!(sum >= measurements.of(Variant::Full).enter.median.total);
	let tables = measurements.to_string();
	for variant in Variant::ALL {
		assert!(tables.contains(variant.name()), "{tables}");
	}
}

#[test]
fn phases_are_split_at_signatures_and_add_up() {
	let ms = Duration::from_millis;
	let verification =
		|is_statement, start, end| Verification { is_statement, start: ms(start), end: ms(end) };
	let verifications = [
		verification(false, 12, 15),
		verification(false, 16, 20),
		verification(true, 27, 30),
		verification(true, 35, 40),
	];
	let phases = Phases::new(ms(10), ms(50), &verifications);
	assert_eq!((phases.total, phases.before, phases.after), (ms(40), ms(2), ms(10)));
	assert_eq!((phases.bitfield_signatures, phases.bitfields), (ms(7), ms(1)));
	assert_eq!((phases.between, phases.vote_signatures, phases.candidates), (ms(7), ms(8), ms(5)));
	// Without signatures all is before them.
	let phases = Phases::new(ms(10), ms(50), &[]);
	assert_eq!((phases.total, phases.before, phases.after), (ms(40), ms(40), ms(0)));
}
