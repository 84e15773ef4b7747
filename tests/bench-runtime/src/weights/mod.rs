//! The benchmarks of the pallets, executed in Wasm: how time and database accesses depend on what a call is given.
//!
//! Each benchmark is executed with several values of each of its components, the others as large as they can be.
//! A run begins from the same genesis and is thrown away. The state is in memory, so time is that of the
//! processor alone, and what is accessed is counted, every value once: the weights take the runtime's costs of
//! the database for it. Counting takes time, so the runs that are counted are not those that are timed.
//!
//! | module | what is in it |
//! |---|---|
//! | [`host`] | what the runtime asks of the host while it is benchmarked |
//! | [`file`] | the files that are written |

pub mod file;
pub mod host;

use crate::chain::{decode, Chain, Error as ChainError, Overlay};
use codec::{Decode, Encode};
use frame_benchmarking::{
	Analysis, BenchmarkBatch, BenchmarkConfig, BenchmarkList, BenchmarkMetadata, BenchmarkParameter,
	BenchmarkResult, BenchmarkSelector,
};
use serde_json::json;
use sp_core::traits::CodeExecutor;
use sp_externalities::Extensions;
use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
use std::{collections::BTreeSet, sync::Arc};

/// Name of the runtime call.
const DISPATCH: &str = "Benchmark_dispatch_benchmark";
/// Name of the runtime call.
const METADATA: &str = "Benchmark_benchmark_metadata";

/// Why there are no weights.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// From the chain.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// The runtime says that a benchmark failed.
	#[error("benchmark {0}: {1}")]
	Benchmark(String, String),
	/// Nothing can be said about a benchmark by what was measured.
	#[error("benchmark {0} cannot be analysed: {1}")]
	Analysis(String, String),
}

/// Values of a benchmark's components.
type Components = Vec<(BenchmarkParameter, u32)>;

/// How something depends on each component: the constant part, and what one more of each adds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Linear {
	/// Without any.
	pub base: u64,
	/// By component, in their order.
	pub slopes: Vec<u64>,
}

/// What was found out about one benchmark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measured {
	/// Name.
	pub name: String,
	/// Names of its components.
	pub components: Vec<String>,
	/// Their least and largest values.
	pub ranges: Vec<(u32, u32)>,
	/// Picoseconds.
	pub time: Linear,
	/// Values that are read.
	pub reads: Linear,
	/// Values that are written.
	pub writes: Linear,
}

/// What was found out about the benchmarks of one pallet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PalletWeights {
	/// Folder of the pallet.
	pub folder: String,
	/// One for each benchmark.
	pub benchmarks: Vec<Measured>,
}

/// How often is measured what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
	/// Values of each component, at least two.
	pub steps: u32,
	/// Timed runs with each of them, at least one.
	pub repetitions: u32,
}

/// A chain to run benchmarks on.
pub struct Bench<E, C> {
	timed: Chain<E>,
	counting: Chain<C>,
	keystore: Arc<MemoryKeystore>,
	plan: Plan,
}

impl<E: CodeExecutor, C: CodeExecutor> Bench<E, C> {
	/// Builds genesis. The executors are to have the host functions of [`host`].
	pub fn new(timed: E, counting: C, code: Vec<u8>, plan: Plan) -> Result<Self, Error> {
		let without_paras = |config: &mut serde_json::Value| config["paras"]["paras"] = json!([]);
		let timed = Chain::new(timed, code, "development", without_paras, || Ok(()))?;
		let counting = timed.clone().with_executor(counting);
		Ok(Self { timed, counting, keystore: Arc::new(MemoryKeystore::new()), plan })
	}

	/// Benchmarks that the runtime has, by pallet.
	pub fn list(&self) -> Result<Vec<BenchmarkList>, Error> {
		let answer = self.timed.call_raw(&mut Overlay::default(), METADATA, &false.encode())?;
		// What follows is about storage.
		Vec::<BenchmarkList>::decode(&mut &answer[..])
			.map_err(|error| ChainError::Answer { method: METADATA, error }.into())
	}

	/// Measures all benchmarks of a pallet whose name contains `filter`.
	pub fn measure(&self, list: &BenchmarkList, filter: &str) -> Result<PalletWeights, Error> {
		let benchmarks = list
			.benchmarks
			.iter()
			.filter(|metadata| text(&metadata.name).contains(filter))
			.map(|metadata| self.measure_one(list, metadata))
			.collect::<Result<_, _>>()?;
		Ok(PalletWeights { folder: text(&list.pallet), benchmarks })
	}

	fn measure_one(&self, list: &BenchmarkList, metadata: &BenchmarkMetadata) -> Result<Measured, Error> {
		let mut results = Vec::new();
		for components in samples(&metadata.components, self.plan.steps) {
			let config = |verify| BenchmarkConfig {
				pallet: list.pallet.clone(),
				instance: list.instance.clone(),
				benchmark: metadata.name.clone(),
				selected_components: components.clone(),
				verify,
				internal_repeats: 1,
			};
			let counted = run(&self.counting, &self.keystore, &config(true))?;
			for _ in 0..self.plan.repetitions.max(1) {
				let timed = run(&self.timed, &self.keystore, &config(false))?;
				results.push(BenchmarkResult { reads: counted.reads, writes: counted.writes, ..timed });
			}
		}
		let name = text(&metadata.name);
		let fit = |selector| {
			let analysis = Analysis::min_squares_iqr(&results, selector)
				.map_err(|error| Error::Analysis(name.clone(), error.to_string()))?;
			let small = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
			Ok::<_, Error>(Linear {
				base: small(analysis.base),
				slopes: analysis.slopes.into_iter().map(small).collect(),
			})
		};
		let (time, reads, writes) = (
			fit(BenchmarkSelector::ExtrinsicTime)?,
			fit(BenchmarkSelector::Reads)?,
			fit(BenchmarkSelector::Writes)?,
		);
		Ok(Measured {
			name,
			components: metadata.components.iter().map(|(parameter, ..)| parameter.to_string()).collect(),
			ranges: metadata.components.iter().map(|(_, low, high)| (*low, *high)).collect(),
			time,
			reads,
			writes,
		})
	}
}

/// One run from genesis.
fn run<E: CodeExecutor>(
	chain: &Chain<E>,
	keystore: &Arc<MemoryKeystore>,
	config: &BenchmarkConfig,
) -> Result<BenchmarkResult, Error> {
	let mut extensions = Extensions::default();
	extensions.register(KeystoreExt::from(keystore.clone() as Arc<dyn sp_keystore::Keystore>));
	host::reset();
	let answer = chain.call_with(&mut Overlay::default(), extensions, DISPATCH, &config.encode())?;
	let name = || {
		format!("{} of {}, {:?}", text(&config.benchmark), text(&config.pallet), config.selected_components)
	};
	decode::<Result<Vec<BenchmarkBatch>, String>>(DISPATCH, &answer)?
		.map_err(|error| Error::Benchmark(name(), error))?
		.into_iter()
		.flat_map(|batch| batch.results)
		.next()
		.ok_or_else(|| Error::Benchmark(name(), "the runtime does not know it".into()))
}

/// Values of the components with which a benchmark is run: for each component as many as there are `steps`, with
/// all others at their largest; and all at their least.
fn samples(components: &[(BenchmarkParameter, u32, u32)], steps: u32) -> Vec<Components> {
	let last = u64::from(steps.max(2) - 1);
	let mut samples = BTreeSet::new();
	samples.insert(components.iter().map(|(_, low, _)| *low).collect::<Vec<_>>());
	for (position, (_, low, high)) in components.iter().enumerate() {
		for step in 0..=last {
			let mut values: Vec<_> = components.iter().map(|(.., high)| *high).collect();
			let offset = u64::from(high.saturating_sub(*low)) * step / last;
			// Not above the largest value.
			values[position] = low + offset as u32;
			samples.insert(values);
		}
	}
	let parameters = || components.iter().map(|(parameter, ..)| *parameter);
	samples.into_iter().map(|values| parameters().zip(values).collect()).collect()
}

fn text(name: &[u8]) -> String {
	String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
	use super::*;
	use BenchmarkParameter as P;

	#[test]
	fn each_component_takes_all_steps_while_the_others_are_at_their_largest() {
		assert_eq!(samples(&[], 3), [vec![]]);
		let one = samples(&[(P::a, 1, 5)], 3);
		assert_eq!(one, [1, 3, 5].map(|n| vec![(P::a, n)]));
		let two = samples(&[(P::a, 0, 4), (P::b, 10, 20)], 2);
		let expected = [(0, 10), (0, 20), (4, 10), (4, 20)].map(|(a, b)| vec![(P::a, a), (P::b, b)]);
		assert_eq!(two, expected);
	}
}
