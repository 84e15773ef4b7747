//! The files that are written: a trait with a function per benchmark, and its implementation with what was
//! measured.

use super::{Linear, Measured, PalletWeights};
use std::fmt::Write;

/// The Rust source of a pallet's weights; `note` says where and how they were measured. To be formatted.
pub fn source(weights: &PalletWeights, note: &str) -> String {
	let mut out = String::new();
	write(&mut out, weights, note).expect("strings take everything");
	out
}

fn write(out: &mut String, weights: &PalletWeights, note: &str) -> std::fmt::Result {
	writeln!(out, "//! Weights of this pallet, written by `make bench-weights`.")?;
	writeln!(out, "//!")?;
	writeln!(out, "//! {note}\n")?;
	writeln!(out, "use core::marker::PhantomData;")?;
	writeln!(out, "use frame_support::{{traits::Get, weights::Weight}};\n")?;
	writeln!(
		out,
		"/// What operations weigh: each function is named after its benchmark, which says what the arguments are."
	)?;
	writeln!(out, "pub trait WeightInfo {{")?;
	for measured in &weights.benchmarks {
		match ranges(measured) {
			ranges if ranges.is_empty() => writeln!(out, "\t/// Of its benchmark.")?,
			ranges => writeln!(out, "\t/// Measured for {ranges}.")?,
		}
		writeln!(out, "\tfn {};", signature(measured, |_| ""))?;
	}
	writeln!(out, "}}\n")?;
	writeln!(out, "/// As measured, with the costs of the runtime's database.")?;
	writeln!(out, "pub struct Measured<T>(PhantomData<T>);\n")?;
	writeln!(out, "impl<T: frame_system::Config> WeightInfo for Measured<T> {{")?;
	for (position, measured) in weights.benchmarks.iter().enumerate() {
		if position > 0 {
			writeln!(out)?;
		}
		let unused = |position| if slopes(measured, position) == (0, 0, 0) { "_" } else { "" };
		writeln!(out, "\tfn {} {{", signature(measured, unused))?;
		write_sum(out, measured)?;
		writeln!(out, "\t}}")?;
	}
	writeln!(out, "}}")
}

fn write_sum(out: &mut String, measured: &Measured) -> std::fmt::Result {
	let Measured { components, time, reads, writes, .. } = measured;
	writeln!(out, "\t\tWeight::from_parts({}, 0)", number(time.base))?;
	if reads.base > 0 || writes.base > 0 {
		writeln!(
			out,
			"\t\t\t.saturating_add(T::DbWeight::get().reads_writes({}, {}))",
			reads.base, writes.base
		)?;
	}
	for (position, name) in components.iter().enumerate() {
		let (time, reads, writes) = slopes(measured, position);
		if time > 0 {
			let time = number(time);
			writeln!(
				out,
				"\t\t\t.saturating_add(Weight::from_parts({time}, 0).saturating_mul({name}.into()))"
			)?;
		}
		if reads > 0 || writes > 0 {
			writeln!(
				out,
				"\t\t\t.saturating_add(T::DbWeight::get().reads_writes({reads}, {writes}).saturating_mul({name}.into()))"
			)?;
		}
	}
	Ok(())
}

/// What one more of a component adds: picoseconds, reads, writes.
fn slopes(measured: &Measured, position: usize) -> (u64, u64, u64) {
	let slope = |linear: &Linear| linear.slopes.get(position).copied().unwrap_or_default();
	(slope(&measured.time), slope(&measured.reads), slope(&measured.writes))
}

/// Name and arguments; `prefix` is what stands before the name of the argument at a position.
fn signature(measured: &Measured, prefix: impl Fn(usize) -> &'static str) -> String {
	let argument = |(position, name)| format!("{}{name}: u32", prefix(position));
	let arguments: Vec<_> = measured.components.iter().enumerate().map(argument).collect();
	format!("{}({}) -> Weight", measured.name, arguments.join(", "))
}

fn ranges(measured: &Measured) -> String {
	let ranges: Vec<_> = measured
		.components
		.iter()
		.zip(&measured.ranges)
		.map(|(name, (low, high))| {
			format!("`{name}` from {} to {}", number((*low).into()), number((*high).into()))
		})
		.collect();
	ranges.join(" and ")
}

/// With separators between thousands.
fn number(n: u64) -> String {
	let digits = n.to_string();
	let mut out = String::new();
	for (position, digit) in digits.chars().enumerate() {
		if position > 0 && (digits.len() - position).is_multiple_of(3) {
			out.push('_');
		}
		out.push(digit);
	}
	out
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn constant_parts_and_slopes_are_written_as_sums() {
		let linear = |base, slopes: &[u64]| Linear { base, slopes: slopes.to_vec() };
		let weights = PalletWeights {
			folder: "paras".into(),
			benchmarks: vec![
				Measured {
					name: "set".into(),
					components: Vec::new(),
					ranges: Vec::new(),
					time: linear(1_234_567, &[]),
					reads: linear(0, &[]),
					writes: linear(1, &[]),
				},
				Measured {
					name: "add".into(),
					components: vec!["c".into(), "s".into()],
					ranges: vec![(0, 10), (1, 5_000)],
					time: linear(1_000, &[20_000, 0]),
					reads: linear(2, &[0, 1]),
					writes: linear(0, &[0, 0]),
				},
			],
		};
		let source = source(&weights, "Somewhere.");
		let trait_part = "\
pub trait WeightInfo {
	/// Of its benchmark.
	fn set() -> Weight;
	/// Measured for `c` from 0 to 10 and `s` from 1 to 5_000.
	fn add(c: u32, s: u32) -> Weight;
}
";
		let impl_part = "\
	fn set() -> Weight {
		Weight::from_parts(1_234_567, 0)
			.saturating_add(T::DbWeight::get().reads_writes(0, 1))
	}

	fn add(c: u32, s: u32) -> Weight {
		Weight::from_parts(1_000, 0)
			.saturating_add(T::DbWeight::get().reads_writes(2, 0))
			.saturating_add(Weight::from_parts(20_000, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads_writes(1, 0).saturating_mul(s.into()))
	}
}
";
		assert!(source.contains(trait_part), "{source}");
		assert!(source.ends_with(impl_part), "{source}");
	}
}
