//! Versions of candidate descriptors.

use crate::{convert, generate::Gen, CASES};
use headway_primitives::{
	CandidateDescriptorV2, CandidateDescriptorVersion as Version, DescriptorVersionError as Error, Hash,
};
use polkadot_primitives::{self as theirs, CandidateDescriptorVersionCheckError as TheirError};
use std::collections::BTreeSet;

/// A descriptor whose bytes that tell versions apart are all zero, or have one bit set near the boundaries of what
/// the rules look at, or are random.
pub(crate) fn near_boundary(g: &mut Gen) -> CandidateDescriptorV2 {
	let mut descriptor: CandidateDescriptorV2 = g.value();
	descriptor.version = g.pick(&[0, 0, 1, 1, 2, descriptor.version]);
	if g.below(8) == 0 {
		return descriptor;
	}
	descriptor.scheduling_session_offset = g.pick(&[0, 0, 0, 1, 255]);
	descriptor.reserved1 = [0; 24];
	descriptor.reserved2 = [0; 32];
	let mut scheduling_parent = [0; 32];
	let bit = 1 << g.below(8);
	match g.below(6) {
		0 => descriptor.reserved1[g.pick(&[0, 14, 15])] = bit,
		1 => descriptor.reserved1[g.pick(&[16, 17, 23])] = bit,
		2 => descriptor.reserved2[g.pick(&[0, 31])] = bit,
		3 => scheduling_parent[g.pick(&[0, 31])] = bit,
		4 => scheduling_parent = g.value(),
		_ => {},
	}
	descriptor.scheduling_parent = scheduling_parent.into();
	descriptor
}

#[test]
fn both_rule_sets_detect_the_same_versions() {
	let mut seen = BTreeSet::new();
	for seed in 0..10 * CASES {
		let ours = near_boundary(&mut Gen::new(seed));
		let theirs: theirs::CandidateDescriptorV2 = convert(&ours);
		let (new, old) = (ours.version(), ours.version_old_rules());
		assert_eq!(new, convert(&theirs.version()), "seed {seed}");
		assert_eq!(old, convert(&theirs.version_old_rules()), "seed {seed}");
		// Which byte an unknown version has does not matter.
		let name = |version| if let Version::Unknown(_) = version { Version::Unknown(0) } else { version };
		seen.insert((name(new), name(old)));
	}
	// With new rules V1 the old rules say so, too; all other pairs occur, but for those that exclude each other by
	// the version byte.
	use Version::{Unknown, V1, V2, V3};
	let expected = [
		(V1, V1),
		(V2, V1),
		(V2, V2),
		(V3, V1),
		(V3, Unknown(0)),
		(Unknown(0), V1),
		(Unknown(0), Unknown(0)),
	];
	assert_eq!(seen, BTreeSet::from(expected));
}

#[test]
fn the_same_descriptors_are_accepted() {
	for seed in 0..10 * CASES {
		let ours = near_boundary(&mut Gen::new(seed));
		let theirs: theirs::CandidateDescriptorV2 = convert(&ours);
		for v3_enabled in [false, true] {
			let expected = match theirs.check_version_acceptance(v3_enabled) {
				Ok(()) => Ok(ours.version()),
				// On purpose: where the feature is off, we name what is missing. They call it inconsistent, as the
				// old rules never say V3, and never get to the error that they have for it.
				Err(TheirError::Inconsistency) if ours.version() == Version::V3 => Err(Error::V3NotEnabled),
				Err(TheirError::Inconsistency) => Err(Error::Inconsistency),
				Err(TheirError::V3NotEnabled) => Err(Error::V3NotEnabled),
			};
			assert_eq!(ours.check_version(v3_enabled), expected, "seed {seed}, V3 enabled: {v3_enabled}");
		}
	}
}

#[test]
fn accessors_say_the_same() {
	for seed in 0..10 * CASES {
		let ours = near_boundary(&mut Gen::new(seed));
		let theirs: theirs::CandidateDescriptorV2 = convert(&ours);
		let core = theirs.core_index().map(|core| core.0);
		assert_eq!(ours.core_index().map(|core| core.0), core, "seed {seed}");
		assert_eq!(ours.session_index(), theirs.session_index(), "seed {seed}");
		assert_eq!(ours.scheduling_parent(), theirs.scheduling_parent(), "seed {seed}");
		assert_eq!(ours.scheduling_session(), theirs.scheduling_session(), "seed {seed}");
	}
}

#[test]
fn descriptors_are_made_alike() {
	for seed in 0..CASES {
		let mut g = Gen::new(seed);
		let fields: CandidateDescriptorV2 = g.value();
		let session = fields.session_index % 1_000_000;
		let (core, para) = (u32::from(fields.core_index), fields.para_id);
		let ours = CandidateDescriptorV2::new_v2(
			para,
			fields.relay_parent,
			headway_primitives::CoreIndex(core),
			session,
			fields.persisted_validation_data_hash,
			fields.pov_hash,
			fields.erasure_root,
			fields.para_head,
			fields.validation_code_hash,
		);
		let theirs = theirs::CandidateDescriptorV2::<Hash>::new(
			para.0.into(),
			fields.relay_parent,
			theirs::CoreIndex(core),
			session,
			fields.persisted_validation_data_hash,
			fields.pov_hash,
			fields.erasure_root,
			fields.para_head,
			convert(&fields.validation_code_hash),
		);
		assert_eq!(ours, convert(&theirs), "seed {seed}");
		let scheduling_session = session + u32::from(fields.scheduling_session_offset);
		let theirs = theirs::CandidateDescriptorV2::<Hash>::new_v3(
			para.0.into(),
			fields.relay_parent,
			theirs::CoreIndex(core),
			session,
			scheduling_session,
			fields.persisted_validation_data_hash,
			fields.pov_hash,
			fields.erasure_root,
			fields.para_head,
			convert(&fields.validation_code_hash),
			fields.scheduling_parent,
		);
		let ours = ours.into_v3(fields.scheduling_parent, scheduling_session);
		assert_eq!(ours, Ok(convert(&theirs)), "seed {seed}");
	}
}
