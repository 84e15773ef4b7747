//! What crates may depend on, and which tests there must be. Nothing is compiled for this: `cargo tree` resolves from the
//! lock file, and sources are read.

#[path = "../../scenarios/table.rs"]
mod table;

use std::{
	collections::BTreeSet,
	fs,
	path::{Path, PathBuf},
	process::Command,
};

fn workspace() -> PathBuf {
	Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Names of the crates in the normal dependency graph of a package, itself included.
fn normal_graph(package: &str, more: &[&str]) -> BTreeSet<String> {
	let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
	let output = Command::new(cargo)
		.current_dir(workspace())
		.args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
		.args(["--package", package])
		.args(more)
		.output()
		.expect("cargo runs this test");
	assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
	let text = String::from_utf8(output.stdout).expect("cargo prints text");
	text.lines().filter_map(|line| line.split_whitespace().next()).map(Into::into).collect()
}

/// Packages in the folders of a folder.
fn packages_in(folder: &str) -> Vec<String> {
	let entries = fs::read_dir(workspace().join(folder)).expect("the folder is there");
	let mut packages: Vec<_> = entries
		.filter_map(|entry| entry.ok())
		.filter(|entry| entry.path().join("Cargo.toml").is_file())
		.map(|entry| format!("headway-{}", entry.file_name().to_string_lossy()))
		.collect();
	packages.sort();
	packages
}

/// Crates of the reference implementation, apart from its version set and its Merkle mountain range.
fn is_reference(name: &str) -> bool {
	const HELPERS: [&str; 2] = ["polkadot-sdk", "polkadot-ckb-merkle-mountain-range"];
	let prefixes = ["polkadot-", "cumulus-", "staging-xcm"];
	prefixes.iter().any(|prefix| name.starts_with(prefix)) && !HELPERS.contains(&name)
}

/// Whether a crate does I/O, or belongs to the Substrate client.
fn touches_the_world(name: &str) -> bool {
	name.starts_with("sc-")
		|| name.starts_with("tokio")
		|| matches!(
			name,
			"async-std"
				| "smol" | "mio"
				| "socket2" | "hyper"
				| "libp2p" | "rocksdb"
				| "substrate-prometheus-endpoint"
		)
}

#[test]
fn the_node_contains_no_crate_of_the_reference() {
	for package in ["headway", "headway-relay-runtime", "headway-metronome-pvf"] {
		let found: Vec<_> =
			normal_graph(package, &[]).into_iter().filter(|name| is_reference(name)).collect();
		assert!(found.is_empty(), "{package} depends on {found:?}");
	}
}

/// They stand on the `no_std` half of the Substrate primitives: with `std` those bring along a metrics endpoint,
/// and with it tokio.
#[test]
fn machines_do_no_io() {
	let packages = packages_in("subsystems");
	assert!(packages.len() >= 10, "{packages:?}");
	for package in packages {
		let graph = normal_graph(&package, &[]);
		let found: Vec<_> = graph.into_iter().filter(|name| touches_the_world(name)).collect();
		assert!(found.is_empty(), "{package} depends on {found:?}");
	}
}

#[test]
fn machines_forbid_unsafe_code_and_do_not_read_clocks() {
	for entry in fs::read_dir(workspace().join("subsystems")).expect("the folder is there") {
		let source = entry.expect("it can be read").path().join("src");
		if !source.is_dir() {
			continue;
		}
		let lib = fs::read_to_string(source.join("lib.rs")).expect("a crate has a lib.rs");
		assert!(lib.contains("#![forbid(unsafe_code)]"), "{} does not forbid unsafe code", source.display());
		for (path, text) in sources(&source) {
			for forbidden in
				["Instant::now", "SystemTime", "thread_rng", "std::thread", "std::env", "std::fs", "std::net"]
			{
				assert!(!text.contains(forbidden), "{} uses {forbidden}", path.display());
			}
		}
	}
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
	let mut found = Vec::new();
	for entry in fs::read_dir(folder).expect("the folder is there") {
		let path = entry.expect("it can be read").path();
		if path.is_dir() {
			found.extend(sources(&path));
		} else if path.extension().is_some_and(|extension| extension == "rs") {
			let text = fs::read_to_string(&path).expect("source code is text");
			found.push((path, text));
		}
	}
	found
}

/// Two of these would be two networks or two consensus engines that do not know of each other.
#[test]
fn there_is_one_of_each_substrate_crate() {
	let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
	let output = Command::new(cargo)
		.current_dir(workspace())
		.args([
			"tree",
			"--locked",
			"--offline",
			"--workspace",
			"--edges",
			"normal",
			"--prefix",
			"none",
			"--format",
			"{p}",
		])
		.output()
		.expect("cargo runs this test");
	assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
	let text = String::from_utf8(output.stdout).expect("cargo prints text");
	let packages: BTreeSet<_> = text
		.lines()
		.filter_map(|line| line.split_once(' '))
		.map(|(name, rest)| (name, rest.split_whitespace().next().unwrap_or_default()))
		.collect();
	for name in [
		"sc-network",
		"sc-service",
		"sc-consensus-babe",
		"sc-client-api",
		"sp-core",
		"sp-runtime",
		"libp2p",
		"librocksdb-sys",
	] {
		let versions: Vec<_> = packages.iter().filter(|(package, _)| *package == name).collect();
		assert_eq!(versions.len(), 1, "{name}: {versions:?}");
	}
}

/// Scenarios of the backing pipeline: group, and how many it has.
const BACKING_PIPELINE: &[(&str, u32)] = &[
	("DT", 12),
	("IE", 11),
	("PP", 32),
	("BK", 28),
	("SC", 15),
	("SG", 15),
	("SR", 14),
	("CV", 22),
	("CR", 16),
	("CC", 10),
	("CG", 6),
	("PR", 11),
	("NB", 10),
];

/// Tests are written with the folder of their crate: below `subsystems`, or from the root.
fn in_folder_of_its_crate(test: &str) -> (Vec<PathBuf>, String) {
	let (folder, path) = test.split_once(": ").unwrap_or(("", test));
	let crates = [workspace().join("subsystems").join(folder), workspace().join(folder)];
	let sources = crates.iter().flat_map(|root| [root.join("src"), root.join("tests")]);
	(sources.collect(), path.into())
}

#[test]
fn every_scenario_of_the_backing_pipeline_has_a_row_with_tests_that_exist_or_a_reason() {
	let file = workspace().join("subsystems/SCENARIOS.md");
	table::Table { file, groups: BACKING_PIPELINE, locate: in_folder_of_its_crate }.hold();
}
