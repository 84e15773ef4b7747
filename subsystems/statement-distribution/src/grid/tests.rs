//! The grid tracker, without a network: group 0 is validators 0 to 2. We send to 10, receive from 20, and 30 is in both.

use super::*;
use crate::filter::{self, parse, show};

const GROUP: GroupIndex = GroupIndex(0);
const RULES: ManifestRules = ManifestRules { group_size: 3, threshold: 2, seconding_limit: 1 };

fn view() -> GroupView {
	GroupView { sending: [10, 30].map(ValidatorIndex).into(), receiving: [20, 30].map(ValidatorIndex).into() }
}

fn candidate(c: char) -> CandidateHash {
	CandidateHash(Hash::repeat_byte(c as u8))
}

fn votes(text: &str) -> Votes {
	Votes::from(&parse(text))
}

fn manifest(knowledge: &str) -> ManifestSummary {
	ManifestSummary {
		group: GROUP,
		para: ParaId(1),
		parent_head_data_hash: Hash::zero(),
		knowledge: parse(knowledge),
	}
}

fn import(
	grid: &mut GridTracker,
	from: u32,
	c: char,
	kind: ManifestKind,
	knowledge: &str,
) -> Result<bool, ManifestError> {
	grid.import_manifest(&view(), RULES, candidate(c), manifest(knowledge), kind, ValidatorIndex(from))
}

#[test]
fn manifests_that_are_rejected() {
	use ManifestError::*;
	use ManifestKind::*;
	for (from, kind, knowledge, expected) in [
		(20, Full, "sv.", Ok(false)),
		(30, Full, "s.b", Ok(false)),
		(10, Full, "sv.", Err(Disallowed)),
		(99, Full, "sv.", Err(Disallowed)),
		// We sent nothing that it could acknowledge.
		(10, Acknowledgement, "sv.", Err(Disallowed)),
		(20, Acknowledgement, "sv.", Err(Disallowed)),
		(20, Full, "sv", Err(Malformed)),
		(20, Full, "sv..", Err(Malformed)),
		(20, Full, "", Err(Malformed)),
		(20, Full, "vv.", Err(Malformed)),
		(20, Full, "s..", Err(Insufficient)),
		(20, Full, "b..", Err(Insufficient)),
	] {
		let answer = import(&mut GridTracker::default(), from, 'A', kind, knowledge);
		assert_eq!(answer, expected, "{from} {kind:?} {knowledge}");
	}
}

#[test]
fn bit_vectors_of_different_lengths_are_malformed() {
	let mut manifest = manifest("sv.");
	manifest.knowledge.validated_in_group.push(true);
	let answer = GridTracker::default().import_manifest(
		&view(),
		RULES,
		candidate('A'),
		manifest,
		ManifestKind::Full,
		ValidatorIndex(20),
	);
	assert_eq!(answer, Err(ManifestError::Malformed));
}

#[test]
fn a_second_manifest_must_contain_the_first() {
	let good = |_: &mut ManifestSummary| {};
	type Change = fn(&mut ManifestSummary);
	for (what, change, expected) in [
		("same", good as Change, Ok(false)),
		("superset", |m| m.knowledge = parse("svv"), Ok(false)),
		("missing bits", |m| m.knowledge = parse("s.v"), Err(ManifestError::Conflicting)),
		("other parent", |m| m.parent_head_data_hash = Hash::repeat_byte(1), Err(ManifestError::Conflicting)),
		("other group", |m| m.group = GroupIndex(1), Err(ManifestError::Conflicting)),
		("other para", |m| m.para = ParaId(2), Err(ManifestError::Conflicting)),
	] {
		let mut grid = GridTracker::default();
		assert_eq!(import(&mut grid, 20, 'A', ManifestKind::Full, "sv."), Ok(false));
		let mut second = manifest("sv.");
		change(&mut second);
		let sender = ValidatorIndex(20);
		let answer = grid.import_manifest(&view(), RULES, candidate('A'), second, ManifestKind::Full, sender);
		assert_eq!(answer, expected, "{what}");
	}
}

#[test]
fn a_member_that_seconds_too_much_overflows() {
	use ManifestKind::Full;
	let mut grid = GridTracker::default();
	assert_eq!(import(&mut grid, 20, 'A', Full, "sv."), Ok(false));
	assert_eq!(import(&mut grid, 20, 'B', Full, "sv."), Err(ManifestError::Overflow));
	// Each sender is judged by what itself said, and repeating is not proposing again.
	assert_eq!(import(&mut grid, 30, 'B', Full, "sv."), Ok(false));
	assert_eq!(import(&mut grid, 20, 'A', Full, "svv"), Ok(false));
	assert_eq!(import(&mut grid, 20, 'B', Full, "vs."), Ok(false));
	// What overflowed left nothing behind.
	assert_eq!(import(&mut grid, 20, 'C', Full, "s.s"), Err(ManifestError::Overflow));
	assert_eq!(import(&mut grid, 20, 'C', Full, "v.s"), Ok(false));
}

#[test]
fn the_limit_is_per_para() {
	let mut grid = GridTracker::default();
	assert_eq!(import(&mut grid, 20, 'A', ManifestKind::Full, "sv."), Ok(false));
	let other = ManifestSummary { para: ParaId(2), ..manifest("sv.") };
	let answer =
		grid.import_manifest(&view(), RULES, candidate('B'), other, ManifestKind::Full, ValidatorIndex(20));
	assert_eq!(answer, Ok(false));
}

#[test]
fn backed_goes_to_the_send_set_and_is_acknowledged_to_those_that_told_us() {
	use ManifestKind::*;
	for (told_by, expected) in [
		(&[][..], vec![(10, Full), (30, Full)]),
		(&[20], vec![(10, Full), (20, Acknowledgement), (30, Full)]),
		(&[30], vec![(10, Full), (30, Acknowledgement)]),
	] {
		let mut grid = GridTracker::default();
		for from in told_by {
			assert_eq!(import(&mut grid, *from, 'A', Full, "sv."), Ok(false));
		}
		let targets = grid.add_backed(Some(&view()), candidate('A'), GROUP, votes("sv."));
		let targets: Vec<_> = targets.into_iter().map(|(v, kind)| (v.0, kind)).collect();
		assert_eq!(targets, expected, "told by {told_by:?}");
		assert!(grid.add_backed(Some(&view()), candidate('A'), GROUP, votes("sv.")).is_empty());
	}
}

#[test]
fn a_manifest_of_a_backed_candidate_is_to_be_acknowledged_with_what_the_sender_lacks() {
	let mut grid = GridTracker::default();
	grid.add_backed(Some(&view()), candidate('A'), GROUP, votes("svb"));
	assert_eq!(import(&mut grid, 20, 'A', ManifestKind::Full, "s.v"), Ok(true));
	let sender = ValidatorIndex(20);
	assert_eq!(grid.pending_manifests(sender), [(candidate('A'), ManifestKind::Acknowledgement)]);
	// Statements follow only after the acknowledgement.
	assert!(grid.pending_statements(sender, candidate('A')).is_empty());
	grid.manifest_sent(sender, candidate('A'), votes("svb"));
	assert!(grid.pending_manifests(sender).is_empty());
	assert_eq!(grid.pending_statements(sender, candidate('A')), [(2, Kind::Seconded), (1, Kind::Valid)]);
}

#[test]
fn manifests_that_cross_need_no_acknowledgement() {
	let mut grid = GridTracker::default();
	let both = ValidatorIndex(30);
	grid.add_backed(Some(&view()), candidate('A'), GROUP, votes("sv."));
	grid.manifest_sent(both, candidate('A'), votes("sv."));
	assert_eq!(import(&mut grid, 30, 'A', ManifestKind::Full, "sv."), Ok(false));
	grid.learned(candidate('A'), GROUP, 2, Kind::Valid);
	assert_eq!(grid.pending_statements(both, candidate('A')), [(2, Kind::Valid)]);
}

#[test]
fn a_late_topology_finds_the_backed_candidates() {
	let mut grid = GridTracker::default();
	assert!(grid.add_backed(None, candidate('A'), GROUP, votes("sv.")).is_empty());
	let (candidate, group) = grid.backed()[0];
	assert_eq!((candidate, group), (self::candidate('A'), GROUP));
	assert_eq!(grid.queue_manifests(&view(), candidate).len(), 2);
	grid.manifest_sent(ValidatorIndex(10), candidate, votes("sv."));
	// And finds them once.
	assert_eq!(grid.queue_manifests(&view(), candidate), [(ValidatorIndex(30), ManifestKind::Full)]);
}

/// Both sides told each other.
fn exchanged(told: &str, heard: &str) -> GridTracker {
	let mut grid = GridTracker::default();
	grid.add_backed(Some(&view()), candidate('A'), GROUP, votes(told));
	grid.manifest_sent(ValidatorIndex(10), candidate('A'), votes(told));
	assert_eq!(import(&mut grid, 10, 'A', ManifestKind::Acknowledgement, heard), Ok(false));
	grid
}

#[test]
fn statements_go_directly_once_both_sides_know_that_the_other_knows() {
	let peer = ValidatorIndex(10);
	let mut grid = exchanged("sv.", "sv.");
	assert!(grid.statement_targets(candidate('A'), GROUP, 1, Kind::Valid).is_empty());
	grid.learned(candidate('A'), GROUP, 2, Kind::Valid);
	assert_eq!(grid.statement_targets(candidate('A'), GROUP, 2, Kind::Valid), [peer]);
	grid.note_direct(candidate('A'), 2, Kind::Valid, peer, false);
	assert!(grid.statement_targets(candidate('A'), GROUP, 2, Kind::Valid).is_empty());
	// What it sent is not sent back.
	grid.learned(candidate('A'), GROUP, 0, Kind::Valid);
	grid.note_direct(candidate('A'), 0, Kind::Valid, peer, true);
	assert!(grid.pending_statements(peer, candidate('A')).is_empty());
	// Others were told nothing, so they get nothing directly.
	assert!(grid.pending_statements(ValidatorIndex(30), candidate('A')).is_empty());
}

#[test]
fn who_may_provide_a_statement() {
	let among = [10, 20].map(ValidatorIndex);
	let provider = |grid: &GridTracker, position, kind| {
		let providers = grid.statement_providers(&among, candidate('A'), GROUP, position, kind);
		providers.first().map(|provider| (provider.validator.0, provider.knows_that_we_know))
	};
	let mut grid = exchanged("sv.", "svv");
	for (position, kind, expected) in [
		(0, Kind::Seconded, Some((10, true))),
		(2, Kind::Valid, Some((10, false))),
		(2, Kind::Seconded, Some((10, false))),
	] {
		assert_eq!(provider(&grid, position, kind), expected, "{position} {kind:?}");
	}
	grid.note_direct(candidate('A'), 2, Kind::Valid, ValidatorIndex(10), true);
	assert_eq!(provider(&grid, 2, Kind::Valid), None);
	assert!(
		grid.statement_providers(&[], candidate('A'), GROUP, 2, Kind::Seconded).is_empty(),
		"others are not asked"
	);
	let other_group = grid.statement_providers(&among, candidate('A'), GroupIndex(1), 0, Kind::Valid);
	assert!(other_group.is_empty());
	assert!(grid.statement_providers(&among, candidate('B'), GROUP, 0, Kind::Valid).is_empty());
	// Without an acknowledgement nobody may.
	let mut half = GridTracker::default();
	half.add_backed(Some(&view()), candidate('A'), GROUP, votes("sv."));
	half.manifest_sent(ValidatorIndex(10), candidate('A'), votes("sv."));
	assert_eq!(provider(&half, 2, Kind::Valid), None);
}

#[test]
fn those_that_we_told_may_ask_until_they_tell_us() {
	let mut grid = GridTracker::default();
	let peer = ValidatorIndex(10);
	assert!(!grid.can_request(peer, candidate('A')));
	grid.add_backed(Some(&view()), candidate('A'), GROUP, votes("sv."));
	assert!(!grid.can_request(peer, candidate('A')));
	grid.manifest_sent(peer, candidate('A'), votes("sv."));
	assert!(grid.can_request(peer, candidate('A')));
	assert_eq!(import(&mut grid, 10, 'A', ManifestKind::Acknowledgement, "sv."), Ok(false));
	assert!(!grid.can_request(peer, candidate('A')));
}

#[test]
fn filters_read_and_write_the_notation() {
	for text in ["", "...", "svb", "b.s"] {
		assert_eq!(show(&parse(text)), text);
	}
	let mut filter = parse("bbb");
	filter::clear_members(&mut filter, &[4, 5, 6].map(ValidatorIndex), |v| v == ValidatorIndex(5));
	assert_eq!(show(&filter), "b.b");
}
