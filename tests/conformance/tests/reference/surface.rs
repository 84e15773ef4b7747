//! Storage, calls, events and errors of our pallets against those of the reference, and the `ParachainHost` API.
//!
//! Differences have to be listed with their reasons in `differences.txt`, and what is listed has to differ. After a
//! change, this prints the list as it should be, with `unexplained` where a reason is missing:
//!
//!     HEADWAY_PRINT_DIFFERENCES=1 cargo test -p headway-conformance differences -- --nocapture

use crate::shape::{describe_pallet, shape, Surface};
use frame_metadata::RuntimeMetadata;
use headway_primitives::Block;
use headway_relay_runtime::Runtime;
use polkadot_primitives::runtime_api as their_api;
use scale_info::{MetaType, PortableRegistry, Registry};
use std::collections::{BTreeMap, BTreeSet};

const UNEXPLAINED: &str = "unexplained";

fn pallet_of(key: &str) -> &str {
	key.split(' ').next().unwrap_or_default()
}

fn theirs() -> Surface {
	let lines = include_str!("../../golden/pallets.txt").lines();
	lines
		.map(|line| line.split_once(" | ").expect("a line is a key and a description"))
		.map(|(key, description)| (key.into(), description.into()))
		.collect()
}

/// Our pallets of these names.
fn ours(names: &BTreeSet<&str>) -> Surface {
	// Constants of pallets depend on storage: the duration of slots is set at genesis.
	let metadata = sp_io::TestExternalities::default().execute_with(Runtime::metadata);
	let RuntimeMetadata::V14(metadata) = metadata.1 else {
		panic!("the runtime gives metadata of version 14");
	};
	let pallets = metadata.pallets.iter().filter(|pallet| names.contains(pallet.name.as_str()));
	pallets.flat_map(|pallet| describe_pallet(&metadata.types, pallet)).collect()
}

/// One line per difference: key, then `absent` or what it is like with us.
fn differences(theirs: &Surface, ours: &Surface) -> BTreeSet<String> {
	let present: BTreeSet<_> = ours.keys().map(|key| pallet_of(key)).collect();
	let absent = theirs.keys().filter(|key| !ours.contains_key(*key)).map(|key| {
		let pallet = pallet_of(key);
		format!("{} | absent", if present.contains(pallet) { key } else { pallet })
	});
	let other = ours.iter().filter_map(|(key, description)| match theirs.get(key) {
		Some(theirs) if theirs == description => None,
		Some(_) => Some(format!("{key} | with us {description}")),
		None => Some(format!("{key} | only with us {description}")),
	});
	absent.chain(other).collect()
}

/// What is listed: differences with their reasons.
fn listed() -> BTreeMap<String, String> {
	let lines = include_str!("../../differences.txt").lines();
	lines
		.filter(|line| !line.is_empty() && !line.starts_with('#'))
		.map(|line| line.split_once(" # ").unwrap_or((line, UNEXPLAINED)))
		.map(|(difference, reason)| (difference.into(), reason.into()))
		.collect()
}

#[test]
fn the_differences_to_their_pallets_are_listed() {
	let (theirs, listed) = (theirs(), listed());
	let ours = ours(&theirs.keys().map(|key| pallet_of(key)).collect());
	let found = differences(&theirs, &ours);
	if std::env::var_os("HEADWAY_PRINT_DIFFERENCES").is_some() {
		for difference in &found {
			println!("{difference} # {}", listed.get(difference).map_or(UNEXPLAINED, |reason| reason));
		}
	}
	let unlisted: Vec<_> = found.iter().filter(|difference| !listed.contains_key(*difference)).collect();
	let stale: Vec<_> = listed.keys().filter(|difference| !found.contains(*difference)).collect();
	let unexplained: Vec<_> = listed.iter().filter(|(_, reason)| *reason == UNEXPLAINED).collect();
	assert!(
		unlisted.is_empty() && stale.is_empty() && unexplained.is_empty(),
		"differences that are not listed: {unlisted:#?}\nlisted, but not there: {stale:#?}\n\
		 listed without a reason: {unexplained:#?}"
	);
}

type Method = (&'static str, Vec<MetaType>, MetaType);

/// Methods as text: by name, types of arguments and result.
fn methods(methods: Vec<Method>) -> BTreeMap<&'static str, String> {
	let mut registry = Registry::new();
	let methods: Vec<_> = methods
		.into_iter()
		.map(|(name, inputs, output)| {
			let inputs: Vec<_> = inputs.iter().map(|ty| registry.register_type(ty).id).collect();
			(name, inputs, registry.register_type(&output).id)
		})
		.collect();
	let types = PortableRegistry::from(registry);
	let text = |(name, inputs, output): (&'static str, Vec<u32>, u32)| {
		let inputs: Vec<_> = inputs.into_iter().map(|id| shape(&types, id)).collect();
		(name, format!("({}) -> {}", inputs.join(", "), shape(&types, output)))
	};
	methods.into_iter().map(text).collect()
}

macro_rules! methods_of {
	($api:ident, $version:expr) => {{
		let metadata = $api::runtime_metadata::<Block>($version);
		let method = metadata.methods.into_iter().map(|method| {
			(method.name, method.inputs.into_iter().map(|input| input.ty).collect(), method.output)
		});
		methods(method.collect())
	}};
}

/// At every version there are the same methods with the same types.
#[test]
fn the_parachain_host_api_is_the_same() {
	use headway_primitives::runtime_api as our_api;
	use our_api::runtime_decl_for_parachain_host as ours;
	use their_api::runtime_decl_for_parachain_host as theirs;
	for version in 4..=16 {
		let ours = methods_of!(ours, version);
		let theirs = methods_of!(theirs, version);
		assert_eq!(ours, theirs, "version {version}");
		assert_eq!(ours.is_empty(), version < 5, "version {version}");
	}
	assert_eq!(ours::ID, theirs::ID);
}
