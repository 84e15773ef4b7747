//! Which part of the inherent takes how long, and what the runtime's weights say: tables in Markdown.
//!
//! Parts are those of the inherent with everything in it:
//!
//! * *signatures*: timed in the host;
//! * *sanitization of bitfields*: what lies between their signatures;
//! * *inclusion*: the first full bitfield that makes candidates available, against one less: the difference is
//!   the enactment of all of them. Full bitfields against empty ones, less that: the counting of votes;
//! * *sanitization of candidates*: what lies between the signatures of bitfields and those of votes, without
//!   counting and enactment;
//! * *process*: what lies between the signatures of votes, which are checked when a candidate is put on its core;
//! * *rest*: before the first and after the last signature: decoding, limits, the claim queue's snapshot; the
//!   votes that are published, and the comparison with what was brought.
//!
//! A block that includes a candidate need not store its votes, so enactment is what it costs more than that. A value
//! counts where it is first accessed: candidates are stored where those before them were removed.
//!
//! Weights claim time for the database, and the measured state is in memory. So the number of distinct values
//! that are accessed, times what the weights take for one, is shown beside and added before weights and times
//! are compared.

use crate::{
	measure::{Entry, Measured, Measurements, Timing, Variant},
	network::CHAIN_LENGTH,
};
use headway_relay_runtime::Runtime;
use std::{
	fmt::{self, Display, Formatter},
	time::Duration,
};

/// A part of the inherent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
	/// What it is called.
	pub name: &'static str,
	/// How long it takes.
	pub time: Duration,
}

impl Measured {
	fn timing(&self, entry: Entry) -> &Timing {
		match entry {
			Entry::Create => &self.create,
			Entry::Enter => &self.enter,
		}
	}
}

impl Measurements {
	/// Parts of the inherent with everything in it. Their sum is its median, but for differences that came out
	/// negative.
	pub fn parts(&self, entry: Entry) -> Vec<Part> {
		let phases = |variant| self.of(variant).timing(entry).median;
		let full = phases(Variant::Full);
		let enactment =
			phases(Variant::Threshold).after.saturating_sub(phases(Variant::BelowThreshold).after);
		let inclusion = phases(Variant::AllVotes).after.saturating_sub(phases(Variant::NoVotes).after);
		let mut parts = vec![
			("signatures of bitfields", full.bitfield_signatures),
			("signatures of votes for candidates", full.vote_signatures),
			("sanitization of bitfields", full.bitfields),
			("sanitization of candidates", full.between.saturating_sub(inclusion)),
			("process: candidates are put on their cores", full.candidates),
			("enactment: availability votes are counted", inclusion.saturating_sub(enactment)),
			("enactment: candidates are included", enactment),
		];
		let known = parts.iter().map(|(_, time)| *time).sum();
		parts.push(("rest", full.total.saturating_sub(known)));
		parts.into_iter().map(|(name, time)| Part { name, time }).collect()
	}

	/// What the runtime claims and what was measured, part by part.
	fn claims(&self) -> Vec<(&'static str, Claim)> {
		let of = |variant| Claim::of(self.of(variant));
		let enactment = of(Variant::Threshold).less(of(Variant::BelowThreshold));
		let bitfields = of(Variant::AllVotes).less(of(Variant::Empty)).less(enactment);
		vec![
			("nothing", of(Variant::Empty)),
			("bitfields, votes counted", bitfields),
			("enactment", enactment),
			("candidates", of(Variant::Full).less(of(Variant::AllVotes))),
			("all of it", of(Variant::Full)),
			("candidates on free cores", of(Variant::CandidatesOnly)),
		]
	}

	fn write_variants(&self, f: &mut Formatter<'_>) -> fmt::Result {
		writeln!(f, "| inherent | bytes | signatures | made, ms | executed, ms |")?;
		writeln!(f, "|---|---:|---:|---:|---:|")?;
		for measured in &self.variants {
			writeln!(
				f,
				"| {} | {} | {} | {} | {} |",
				measured.variant.name(),
				measured.bytes,
				measured.bitfields + measured.votes,
				Spread(&measured.create),
				Spread(&measured.enter),
			)?;
		}
		let import = Spread(&self.import);
		writeln!(f, "| the whole block with all that, as importers execute it | | | | {import} |")
	}

	fn write_parts(&self, f: &mut Formatter<'_>) -> fmt::Result {
		let (create, enter) = (self.parts(Entry::Create), self.parts(Entry::Enter));
		let full = self.of(Variant::Full);
		let total = full.enter.median.total;
		writeln!(f, "| part of the inherent with everything | made, ms | executed, ms | share |")?;
		writeln!(f, "|---|---:|---:|---:|")?;
		for (create, enter) in create.iter().zip(&enter) {
			let (made, executed) = (Millis(create.time), Millis(enter.time));
			let share = ratio(enter.time, total) * 100.0;
			writeln!(f, "| {} | {made} | {executed} | {share:.0} % |", enter.name)?;
		}
		let (made, executed) = (Millis(full.create.median.total), Millis(total));
		writeln!(f, "| total | {made} | {executed} | 100 % |")
	}

	fn write_claims(&self, f: &mut Formatter<'_>) -> fmt::Result {
		writeln!(f, "| part | claimed, ms | executed, ms | reads | writes | with database, ms | of claim |")?;
		writeln!(f, "|---|---:|---:|---:|---:|---:|---:|")?;
		for (name, claim) in self.claims() {
			let Claim { weight, time, reads, writes } = claim;
			let with_database = time + claim.database();
			writeln!(
				f,
				"| {name} | {} | {} | {reads} | {writes} | {} | {:.2} |",
				Millis(weight),
				Millis(time),
				Millis(with_database),
				ratio(with_database, weight),
			)?;
		}
		Ok(())
	}
}

/// What the runtime claims for something, and what was measured.
#[derive(Clone, Copy, Debug)]
struct Claim {
	weight: Duration,
	time: Duration,
	reads: usize,
	writes: usize,
}

impl Claim {
	fn of(measured: &Measured) -> Self {
		let Measured { weight, reads, writes, .. } = *measured;
		Self { weight, time: measured.enter.median.total, reads, writes }
	}

	/// What this has more than the other one.
	fn less(self, other: Self) -> Self {
		Self {
			weight: self.weight.saturating_sub(other.weight),
			time: self.time.saturating_sub(other.time),
			reads: self.reads.saturating_sub(other.reads),
			writes: self.writes.saturating_sub(other.writes),
		}
	}

	/// Time that the weights take for the accesses.
	fn database(self) -> Duration {
		let costs = <Runtime as frame_system::Config>::DbWeight::get();
		let weight = costs.reads_writes(self.reads as u64, self.writes as u64);
		Duration::from_nanos(weight.ref_time() / 1_000)
	}
}

impl Display for Measurements {
	fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
		let full = self.of(Variant::Full);
		let phases = full.enter.median;
		writeln!(
			f,
			"{} validators, {} cores, {} paras with chains of {CHAIN_LENGTH} candidates, {} candidates with {} \
			 votes.",
			self.size.validators,
			self.size.cores,
			self.size.cores / CHAIN_LENGTH,
			full.candidates,
			full.votes,
		)?;
		writeln!(
			f,
			"Processor time of the executing thread, median of {} (and the quartiles around it).",
			self.repetitions,
		)?;
		let signatures = full.bitfields + full.votes;
		let in_host = phases.bitfield_signatures + phases.vote_signatures;
		let each = in_host.as_secs_f64() * 1e6 / signatures.max(1) as f64;
		writeln!(f, "One signature: {each:.1} µs.\n")?;
		self.write_variants(f)?;
		writeln!(f)?;
		self.write_parts(f)?;
		writeln!(f)?;
		self.write_claims(f)?;
		writeln!(f, "\nThe runtime claims {} ms for that block.", Millis(self.import_weight))
	}
}

/// A duration in milliseconds.
struct Millis(Duration);

impl Display for Millis {
	fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
		write!(f, "{:.2}", self.0.as_secs_f64() * 1e3)
	}
}

/// A median with its quartiles.
struct Spread<'a>(&'a Timing);

impl Display for Spread<'_> {
	fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
		let Timing { median, quartiles: (low, high) } = self.0;
		write!(f, "{} ({} – {})", Millis(median.total), Millis(*low), Millis(*high))
	}
}

/// How many times `whole` goes into `part`; zero if there is no whole.
fn ratio(part: Duration, whole: Duration) -> f64 {
	if whole.is_zero() {
		0.0
	} else {
		part.as_secs_f64() / whole.as_secs_f64()
	}
}
