//! Variants of the inherent, executed over and over from the same state, and timed.

use crate::{
	chain::{check_applied, Overlay},
	host::{self, Verification},
	network::{Error, Network, Opened, Size},
};
use codec::Encode;
use headway_primitives::{supermajority_threshold, InherentData};
use headway_relay_runtime::{Block, System};
use sp_core::traits::CodeExecutor;
use std::time::Duration;

/// What the inherent brings. All but the last are for a block before which every core is occupied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variant {
	/// Nothing.
	Empty,
	/// Bitfields of all validators without a bit.
	NoVotes,
	/// Bitfields of all validators, one full one too few for inclusion.
	BelowThreshold,
	/// Bitfields of all validators, just enough full ones for inclusion.
	Threshold,
	/// Full bitfields of all validators.
	AllVotes,
	/// Full bitfields of all validators, and a candidate for every core that they free.
	Full,
	/// A candidate for every core, all of which are free before the block.
	CandidatesOnly,
}

impl Variant {
	/// All variants, in the order of their discriminants.
	pub const ALL: [Self; 7] = [
		Self::Empty,
		Self::NoVotes,
		Self::BelowThreshold,
		Self::Threshold,
		Self::AllVotes,
		Self::Full,
		Self::CandidatesOnly,
	];

	/// What it is called in the tables.
	pub fn name(self) -> &'static str {
		match self {
			Self::Empty => "nothing",
			Self::NoVotes => "bitfields without a bit",
			Self::BelowThreshold => "bitfields, one too few for inclusion",
			Self::Threshold => "bitfields, just enough for inclusion",
			Self::AllVotes => "bitfields, all bits set",
			Self::Full => "bitfields, all bits set, and candidates",
			Self::CandidatesOnly => "candidates on free cores",
		}
	}
}

/// Where the inherent is executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
	/// By the author who makes it: `inherent_extrinsics`.
	Create,
	/// By everybody: `apply_extrinsic`.
	Enter,
}

/// One execution, split where the runtime called the host to verify signatures.
#[derive(Clone, Copy, Default, Debug)]
pub struct Phases {
	/// All of it.
	pub total: Duration,
	/// Before the first signature.
	pub before: Duration,
	/// In the host, for signatures of bitfields.
	pub bitfield_signatures: Duration,
	/// From the first to the last signature of a bitfield, without those.
	pub bitfields: Duration,
	/// Between the signatures of bitfields and those of votes.
	pub between: Duration,
	/// In the host, for signatures of votes.
	pub vote_signatures: Duration,
	/// From the first to the last signature of a vote, without those.
	pub candidates: Duration,
	/// After the last signature.
	pub after: Duration,
}

/// Verifications of one kind.
struct Group {
	start: Duration,
	end: Duration,
	in_host: Duration,
}

impl Group {
	fn of<'a>(mut verifications: impl Iterator<Item = &'a Verification>) -> Option<Self> {
		let first = verifications.next()?;
		let group =
			Self { start: first.start, end: first.end, in_host: first.end.saturating_sub(first.start) };
		Some(verifications.fold(group, |group, next| Self {
			start: group.start,
			end: next.end,
			in_host: group.in_host + next.end.saturating_sub(next.start),
		}))
	}

	fn outside_of_host(&self) -> Duration {
		self.end.saturating_sub(self.start).saturating_sub(self.in_host)
	}
}

impl Phases {
	/// Splits the time from `start` to `end`.
	pub fn new(start: Duration, end: Duration, verifications: &[Verification]) -> Self {
		let group = |statements| Group::of(verifications.iter().filter(|v| v.is_statement == statements));
		let (bitfields, votes) = (group(false), group(true));
		let total = end.saturating_sub(start);
		let outside = |group: &Option<Group>| group.as_ref().map_or(Duration::ZERO, Group::outside_of_host);
		let in_host = |group: &Option<Group>| group.as_ref().map_or(Duration::ZERO, |group| group.in_host);
		Self {
			total,
			before: verifications.first().map_or(total, |first| first.start.saturating_sub(start)),
			bitfield_signatures: in_host(&bitfields),
			bitfields: outside(&bitfields),
			between: match (&bitfields, &votes) {
				(Some(bitfields), Some(votes)) => votes.start.saturating_sub(bitfields.end),
				_ => Duration::ZERO,
			},
			vote_signatures: in_host(&votes),
			candidates: outside(&votes),
			after: verifications.last().map_or(Duration::ZERO, |last| end.saturating_sub(last.end)),
		}
	}

	/// The median of each phase by itself.
	pub fn median(runs: &[Self]) -> Self {
		let of = |phase: fn(&Self) -> Duration| quantile(runs, phase, 0.5);
		Self {
			total: of(|run| run.total),
			before: of(|run| run.before),
			bitfield_signatures: of(|run| run.bitfield_signatures),
			bitfields: of(|run| run.bitfields),
			between: of(|run| run.between),
			vote_signatures: of(|run| run.vote_signatures),
			candidates: of(|run| run.candidates),
			after: of(|run| run.after),
		}
	}
}

/// The value that a share `q` of the runs does not exceed; zero without runs.
fn quantile(runs: &[Phases], phase: impl Fn(&Phases) -> Duration, q: f64) -> Duration {
	let mut values: Vec<_> = runs.iter().map(phase).collect();
	values.sort();
	let index = (values.len().saturating_sub(1) as f64 * q).round() as usize;
	values.get(index).copied().unwrap_or_default()
}

/// Repeated executions.
#[derive(Clone, Copy, Default, Debug)]
pub struct Timing {
	/// The median of each phase.
	pub median: Phases,
	/// First and third quartile of the total.
	pub quartiles: (Duration, Duration),
}

impl Timing {
	fn of(runs: &[Phases]) -> Self {
		let total = |q| quantile(runs, |run| run.total, q);
		Self { median: Phases::median(runs), quartiles: (total(0.25), total(0.75)) }
	}
}

/// What executions of one variant took, and what the runtime says that one takes.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
	/// The variant.
	pub variant: Variant,
	/// Bitfields in it.
	pub bitfields: usize,
	/// Candidates in it.
	pub candidates: usize,
	/// Votes for candidates in it.
	pub votes: usize,
	/// Encoded size of the extrinsic, bytes.
	pub bytes: usize,
	/// Making it.
	pub create: Timing,
	/// Executing it.
	pub enter: Timing,
	/// Execution time that the runtime charges to the block for it.
	pub weight: Duration,
	/// Values that its execution reads from the database.
	pub reads: usize,
	/// Values that its execution writes.
	pub writes: usize,
}

/// All that was measured.
#[derive(Clone, Debug)]
pub struct Measurements {
	/// Of which network.
	pub size: Size,
	/// How often each variant was executed.
	pub repetitions: usize,
	/// One for each of [`Variant::ALL`].
	pub variants: Vec<Measured>,
	/// Execution of the block with [`Variant::Full`] as importers do it, from initialization to state root.
	pub import: Timing,
	/// Execution time that the runtime charges for that block.
	pub import_weight: Duration,
}

impl Measurements {
	/// What was measured of a variant.
	pub fn of(&self, variant: Variant) -> &Measured {
		&self.variants[variant as usize]
	}
}

/// A variant that is ready to be executed.
struct Case<'a, E> {
	variant: Variant,
	network: &'a Network<E>,
	data: InherentData,
	opened: Opened,
}

impl<'a, E: CodeExecutor> Case<'a, E> {
	fn new(variant: Variant, free: &'a Network<E>, occupied: &'a Network<E>) -> Result<Self, Error> {
		let n_validators = occupied.size().validators;
		let threshold = supermajority_threshold(n_validators);
		let network = if variant == Variant::CandidatesOnly { free } else { occupied };
		let bitfields = match variant {
			Variant::Empty | Variant::CandidatesOnly => Vec::new(),
			Variant::NoVotes => network.bitfields(0)?,
			Variant::BelowThreshold => network.bitfields(threshold - 1)?,
			Variant::Threshold => network.bitfields(threshold)?,
			Variant::AllVotes | Variant::Full => network.bitfields(n_validators)?,
		};
		let candidates = match variant {
			Variant::Full | Variant::CandidatesOnly => network.candidates()?,
			_ => Vec::new(),
		};
		let data = network.data(bitfields, candidates);
		let opened = network.open(&data)?;
		Ok(Self { variant, network, data, opened })
	}

	fn extrinsic(&self) -> Vec<u8> {
		self.opened.extrinsics[self.opened.position].encode()
	}

	fn run(&self, entry: Entry) -> Result<Phases, Error> {
		match entry {
			Entry::Create => {
				let mut overlay = self.opened.begun.clone();
				let method = "BlockBuilder_inherent_extrinsics";
				Ok(timed(self.network, &mut overlay, method, &self.opened.data)?.0)
			},
			Entry::Enter => {
				let mut overlay = self.opened.ready.clone();
				let method = "BlockBuilder_apply_extrinsic";
				let (phases, answer) = timed(self.network, &mut overlay, method, &self.extrinsic())?;
				check_applied(self.opened.position, &answer)?;
				Ok(phases)
			},
		}
	}

	/// Weight of the block before and after the inherent was executed.
	fn weight(&self) -> Result<(Duration, Duration), Error> {
		let chain = self.network.chain();
		let mut overlay = self.opened.ready.clone();
		let before = chain.inspect(&mut overlay, charged);
		let position = self.opened.position;
		chain.apply(&mut overlay, position, &self.opened.extrinsics[position])?;
		Ok((before, chain.inspect(&mut overlay, charged)))
	}

	/// Values that the execution of the inherent reads and writes.
	fn accesses<C: CodeExecutor>(&self, counting: &C) -> Result<(usize, usize), Error> {
		let network = self.network.clone().with_executor(counting.clone());
		host::take_accesses();
		let position = self.opened.position;
		network.chain().apply(&mut self.opened.ready.clone(), position, &self.opened.extrinsics[position])?;
		let accesses = host::take_accesses();
		Ok((accesses.reads.len(), accesses.writes.len()))
	}

	/// The whole block, encoded.
	fn block(&self) -> Result<Vec<u8>, Error> {
		let chain = self.network.chain();
		let mut overlay = self.opened.ready.clone();
		for (index, extrinsic) in self.opened.extrinsics.iter().enumerate().skip(self.opened.position) {
			chain.apply(&mut overlay, index, extrinsic)?;
		}
		let header = chain.finalize(&mut overlay)?;
		Ok(Block { header, extrinsics: self.opened.extrinsics.clone() }.encode())
	}
}

/// Execution time that the runtime has charged to the block so far.
fn charged() -> Duration {
	// Weights count picoseconds.
	Duration::from_nanos(System::block_weight().total().ref_time() / 1_000)
}

/// Calls the runtime; returns the time that it took, and its answer.
fn timed<E: CodeExecutor>(
	network: &Network<E>,
	overlay: &mut Overlay,
	method: &'static str,
	args: &[u8],
) -> Result<(Phases, Vec<u8>), Error> {
	host::take_verifications();
	let start = host::cpu_time();
	let answer = network.chain().call_raw(overlay, method, args)?;
	let end = host::cpu_time();
	Ok((Phases::new(start, end, &host::take_verifications()), answer))
}

/// Builds a network and measures all variants with `timed`, `repetitions` times each; `counting` executes each
/// once more to count what it accesses.
///
/// The executors are to have the host functions of [`host`]; without them phases and accesses are empty.
pub fn measure<E: CodeExecutor, C: CodeExecutor>(
	timed_by: E,
	counting: C,
	code: Vec<u8>,
	size: Size,
	repetitions: usize,
) -> Result<Measurements, Error> {
	let mut occupied = Network::new(timed_by, code, size)?;
	occupied.block(&occupied.data(Vec::new(), Vec::new()))?;
	let free = occupied.clone();
	occupied.block(&occupied.data(Vec::new(), occupied.candidates()?))?;

	let cases = Variant::ALL
		.into_iter()
		.map(|variant| Case::new(variant, &free, &occupied))
		.collect::<Result<Vec<_>, _>>()?;
	let full = &cases[Variant::Full as usize];
	let block = full.block()?;

	// Round after round, so that whatever slows the machine down for a while affects all alike.
	let mut create = vec![Vec::with_capacity(repetitions); cases.len()];
	let mut enter = create.clone();
	let mut import = Vec::with_capacity(repetitions);
	for _ in 0..repetitions {
		for (index, case) in cases.iter().enumerate() {
			create[index].push(case.run(Entry::Create)?);
			enter[index].push(case.run(Entry::Enter)?);
		}
		let mut overlay = Overlay::default();
		import.push(timed(&occupied, &mut overlay, "Core_execute_block", &block)?.0);
	}

	let mut variants = Vec::with_capacity(cases.len());
	for (index, case) in cases.iter().enumerate() {
		let (before, after) = case.weight()?;
		let (reads, writes) = case.accesses(&counting)?;
		variants.push(Measured {
			variant: case.variant,
			bitfields: case.data.bitfields.len(),
			candidates: case.data.backed_candidates.len(),
			votes: case.data.backed_candidates.iter().map(|backed| backed.validity_votes.len()).sum(),
			bytes: case.extrinsic().len(),
			create: Timing::of(&create[index]),
			enter: Timing::of(&enter[index]),
			weight: after.saturating_sub(before),
			reads,
			writes,
		});
	}
	let (_, import_weight) = full.weight()?;
	Ok(Measurements { size, repetitions, variants, import: Timing::of(&import), import_weight })
}
